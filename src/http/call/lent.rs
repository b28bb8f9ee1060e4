//! Clients with scopes that nobody lends: what such a client proves itself with is as good as its
//! scopes, so only who has these themselves sees it or chooses it.

use super::Call;
use crate::domain::command::{ClientPatch, Command, CredentialChange};
use crate::domain::json::Object;
use crate::domain::permit::Forbidden;
use crate::domain::resource::{MANAGEMENT_AUDIENCE, ResourceKind};
use crate::domain::scope::Scope;

/// Scopes that let a caller see secrets of clients.
pub const SECRETS: &[Scope] = &[Scope::READ_CLIENT_KEYS, Scope::READ_CLIENT_CREDENTIALS];

/// Members of a client that say what proves it.
const PROVING: &[&str] =
    &["client_secret", "client_authentication_methods", "token_endpoint_auth_method"];

impl Call {
    /// The first of these names that is a scope nobody lends, and that the caller has not.
    pub fn beyond(&self, names: &[String]) -> Option<&'static [Scope]> {
        const EACH: [&[Scope]; 2] = [&[Scope::DOSSIER_OPERATOR], &[Scope::DOSSIER_SNAPSHOTS]];
        let wanted =
            |own: &&[Scope]| own.iter().any(|own| names.iter().any(|name| name == own.name()));
        EACH.into_iter().filter(wanted).find(|own| !self.caller.has_any(own))
    }

    /// Whether the caller sees what this client proves itself with, having one of these scopes.
    pub fn sees_secrets(&self, client_id: &str, scopes: &[Scope]) -> bool {
        self.caller.has_any(scopes) && self.above(client_id).is_none()
    }

    /// Whether the caller may choose what a client proves itself with, where the command does that.
    ///
    /// # Errors
    /// What the caller would need besides.
    pub(super) fn may_prove(&self, command: &Command) -> Result<(), Forbidden> {
        match proven_by(command).and_then(|id| self.above(id)) {
            Some(expected) => Err(Forbidden::Members { expected }),
            None => Ok(()),
        }
    }

    /// What a client was granted that the caller may not have.
    fn above(&self, client_id: &str) -> Option<&'static [Scope]> {
        if Scope::NOT_TO_BE_LENT.iter().all(|own| self.caller.has_any(&[*own])) {
            return None;
        }
        let is = |grant: &Object, key: &str, value: &str| {
            grant.get_str(key).is_some_and(|own| own == value)
        };
        let grants = self.tenant.published().resources(ResourceKind::ClientGrant);
        grants
            .iter()
            .map(|grant| &grant.body)
            .filter(|body| is(body, "client_id", client_id))
            .filter(|body| is(body, "audience", MANAGEMENT_AUDIENCE))
            .find_map(|body| self.beyond(&body.get_strings("scope").unwrap_or_default()))
    }
}

/// The client whose proof a command chooses. What is put back was chosen by who might.
fn proven_by(command: &Command) -> Option<&str> {
    if let Command::UpdateClient { id, patch } = command {
        proves(patch).then_some(id)
    } else if let Command::PatchClient { id, patch, .. } = command {
        let is_one = |root: &str| root.is_empty() || PROVING.contains(&root);
        patch.writes().iter().any(|(root, _)| is_one(root)).then_some(id)
    } else if let Command::RotateSecret { id, .. }
    | Command::ChangeCredentials { id, change: CredentialChange::Add(_) } = command
    {
        Some(id)
    } else {
        None
    }
}

fn proves(patch: &ClientPatch) -> bool {
    let is_set = |settings: &Object| PROVING.iter().any(|key| settings.contains(key));
    patch.secret.is_some() || patch.settings.as_ref().is_some_and(is_set)
}
