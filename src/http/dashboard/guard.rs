//! From a cookie to a caller, and what that caller is kept from.
//!
//! A cookie is sent by the browser whoever wrote the page, so a change asked with one
//! must come from our own pages: it carries a header no foreign page may set, and the
//! origin of this server. An editor's changes are held against what editors may do.

use super::session::{Link, Pass, Role, Session};
use super::{Problem, cookie, kept};
use crate::domain::command::Command;
use crate::domain::history::Part;
use crate::domain::json::Object;
use crate::domain::patch::Patch;
use crate::domain::permit::Caller;
use crate::http::call::Call;
use crate::http::services::token_tenant;
use actix_web::http::{Method, header};
use std::sync::Arc;

/// What an editor may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    prefixes: Vec<String>,
}

/// The routes with which an editor changes metadata.
const EDITING: &[(&str, &str)] = &[
    ("PATCH", "/api/v2/users/{id}"),
    ("PATCH", "/api/v2/clients/{id}"),
    ("POST", "/dossier/v1/users/{id}/revert"),
    ("POST", "/dossier/v1/clients/{id}/revert"),
    ("PUT", "/api/user/{userId}/metadata"),
    ("PUT", "/api/user/{userId}/metadata/{key}"),
    ("DELETE", "/api/user/{userId}/metadata/{key}"),
];

impl Bounds {
    /// Holds a change against the bounds.
    ///
    /// # Errors
    /// 403 naming what is beyond them.
    pub fn check(&self, command: &Command) -> Result<(), Problem> {
        let bags: Vec<&Object> = match command {
            Command::UpdateUser { patch, .. } if patch.touches_only(true, true) => {
                patch.user_metadata.iter().chain(&patch.app_metadata).collect()
            }
            Command::UpdateClient { patch, .. }
                if patch.settings.is_none() && patch.secret.is_none() =>
            {
                patch.client_metadata.iter().collect()
            }
            Command::PatchUser { patch, .. } => {
                return self.check_places(patch, &["user_metadata", "app_metadata"]);
            }
            Command::PatchClient { patch, .. } => {
                return self.check_places(patch, &["client_metadata"]);
            }
            Command::RevertUser(revert) if !revert.makes => {
                return self.check_parts(revert.only.as_deref());
            }
            Command::RevertClient(revert) if !revert.makes => {
                return self.check_parts(revert.only.as_deref());
            }
            Command::SetEntry { entry, .. } => return self.check_key(&entry.key),
            Command::RemoveEntry { key, .. } => return self.check_key(key),
            Command::ReplaceEntries { .. } if self.prefixes.is_empty() => return Ok(()),
            Command::CreateUser(_)
            | Command::RevertUser(_)
            | Command::RevertClient(_)
            | Command::UpdateUser { .. }
            | Command::ExpireKeys { .. }
            | Command::DeleteUser { .. }
            | Command::ReplaceAppMetadata { .. }
            | Command::ReplaceEntries { .. }
            | Command::Assign { .. }
            | Command::DeleteConnectionUsers { .. }
            | Command::SignIn { .. }
            | Command::ProviderSignIn(_)
            | Command::LinkIdentity { .. }
            | Command::UnlinkIdentity { .. }
            | Command::CreateClient(_)
            | Command::UpdateClient { .. }
            | Command::PutBack(_)
            | Command::EraseUser { .. }
            | Command::ChangeCredentials { .. }
            | Command::RotateSecret { .. }
            | Command::DeleteClient { .. }
            | Command::CreateResource(_)
            | Command::UpdateResource { .. }
            | Command::DeleteResource { .. }
            | Command::StartJob(_)
            | Command::ImportUser(_)
            | Command::Along { .. }
            | Command::RedeemTicket { .. } => return Err(beyond("anything but metadata")),
        };
        for bag in bags {
            // An empty object removes every key, those of others too.
            if bag.is_empty() && !self.prefixes.is_empty() {
                return Err(beyond("keys that are not yours"));
            }
            bag.keys().try_for_each(|key| self.check_key(&key))?;
        }
        Ok(())
    }

    /// A patch keeps to the bags, and to the keys where not all are the session's.
    fn check_places(&self, patch: &Patch, bags: &[&str]) -> Result<(), Problem> {
        for (root, key) in patch.writes() {
            match key {
                _ if !bags.contains(&root.as_ref()) => {
                    return Err(beyond("anything but metadata"));
                }
                Some(key) => self.check_key(&key)?,
                None if self.prefixes.is_empty() => {}
                None => return Err(beyond("keys that are not yours")),
            }
        }
        Ok(())
    }

    /// What is put back keeps to the bags, and is named key by key where not all keys are the
    /// session's.
    fn check_parts(&self, only: Option<&[Part]>) -> Result<(), Problem> {
        let parts = only.ok_or_else(|| beyond("anything but metadata"))?;
        parts.iter().try_for_each(|part| match part {
            Part::Root(_) => Err(beyond("anything but metadata")),
            Part::Bag(_) if self.prefixes.is_empty() => Ok(()),
            Part::Bag(_) => Err(beyond("keys that are not yours")),
            Part::Key(_, key) => self.check_key(key),
        })
    }

    fn check_key(&self, key: &str) -> Result<(), Problem> {
        let is_own = self.prefixes.is_empty()
            || self.prefixes.iter().any(|prefix| key.starts_with(prefix.as_str()));
        if is_own { Ok(()) } else { Err(beyond(&format!("the key {key}"))) }
    }
}

fn beyond(what: &str) -> Problem {
    Problem::new(403, "insufficient_scope", format!("Your session may not change {what}."))
}

/// The session of a request's cookie, if it has one that is still good.
pub(super) fn session(call: &Call) -> Option<Arc<Session>> {
    let cookie = cookie(call)?;
    let in_memory =
        || call.services.dashboard.sessions.find(cookie, call.tenant.uid(), call.valid_at);
    let session = kept::find(call, cookie).or_else(in_memory)?;
    let is_good = session.expires > call.valid_at
        && call.services.keys().has(token_tenant(&call.tenant), &session.key);
    is_good.then_some(session)
}

/// Lets a request in that has a cookie and no token: `None` when it has no session.
///
/// # Errors
/// 403 for a change that another page may have asked, 401 when the session's token is over.
pub fn let_in(call: &mut Call) -> Option<Result<(), Problem>> {
    if call.headers().contains_key(header::AUTHORIZATION) {
        return None;
    }
    let session = session(call)?;
    Some(enter(call, &session).and_then(|()| admit(call)))
}

fn admit(call: &Call) -> Result<(), Problem> {
    let is_reading = matches!(*call.method(), Method::GET | Method::HEAD);
    if is_reading {
        return Ok(());
    }
    same_origin(call)?;
    let is_editing =
        EDITING.iter().any(|(method, path)| call.method() == *method && call.route.path == *path);
    if call.bounds.is_some() && !is_editing {
        return Err(beyond("anything but metadata"));
    }
    Ok(())
}

/// Makes the bearer of a session the caller.
///
/// # Errors
/// 401 when the token of the session is over, or whom it was issued to is gone.
pub(super) fn enter(call: &mut Call, session: &Session) -> Result<(), Problem> {
    match &session.pass {
        Pass::Token(claims) => call.enter_as(claims)?,
        Pass::Link(Link { role, prefixes, subject, has_snapshots, .. }) => {
            let default = call.services.directory.default_tenant().uid();
            call.caller = Caller {
                subject: subject.clone(),
                client_id: String::new(),
                scopes: role.scopes(call.tenant.uid() == default, *has_snapshots),
                is_server: false,
            };
            call.bounds = (*role == Role::Editor).then(|| Bounds { prefixes: prefixes.clone() });
        }
    }
    Ok(())
}

/// Refuses what a page of another origin may have sent.
///
/// # Errors
/// 403.
pub(super) fn same_origin(call: &Call) -> Result<(), Problem> {
    let refused = || {
        Problem::new(403, "cross_origin", "A change with a session must come from the dashboard.")
    };
    if call.header("x-dossier-ui") != Some("1") {
        return Err(refused());
    }
    if call.header("sec-fetch-site").is_some_and(|site| site != "same-origin") {
        return Err(refused());
    }
    match call.header(header::ORIGIN) {
        Some(origin) if origin != call.origin() => Err(refused()),
        Some(_) | None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::command::{Field, UserPatch};
    use crate::domain::user::UserId;

    fn patch(user_metadata: &str, name: Field<String>) -> Command {
        Command::UpdateUser {
            id: UserId::parse("auth0|1").unwrap(),
            patch: Box::new(UserPatch {
                user_metadata: Some(Object::trusted(user_metadata)),
                name,
                ..UserPatch::default()
            }),
        }
    }

    #[track_caller]
    fn check(prefixes: &[&str], command: &Command, allowed: bool) {
        let bounds = Bounds { prefixes: prefixes.iter().map(|&one| one.to_owned()).collect() };
        assert_eq!(bounds.check(command).is_ok(), allowed, "{prefixes:?} {command:?}");
    }

    #[test]
    fn an_editor_changes_metadata_and_nothing_else() {
        check(&[], &patch(r#"{"a":1}"#, Field::Keep), true);
        check(&[], &patch("{}", Field::Keep), true);
        check(&[], &patch(r#"{"a":1}"#, Field::Set("x".to_owned())), false);
        check(&[], &Command::DeleteUser { id: UserId::parse("auth0|1").unwrap() }, false);
    }

    #[test]
    fn an_editor_with_prefixes_keeps_to_them() {
        check(&["crm_", "x"], &patch(r#"{"crm_a":1,"x":null}"#, Field::Keep), true);
        check(&["crm_"], &patch(r#"{"crm_a":1,"b":2}"#, Field::Keep), false);
        check(&["crm_"], &patch("{}", Field::Keep), false);
        let remove = |key: &str| Command::RemoveEntry {
            id: UserId::parse("auth0|1").unwrap(),
            key: key.to_owned(),
        };
        check(&["crm_"], &remove("crm_a"), true);
        check(&["crm_"], &remove("a"), false);
    }
}
