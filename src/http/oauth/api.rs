//! The APIs tokens are asked for, and which scopes a client or a user gets there.

use crate::domain::client::Client;
use crate::domain::json::{Elements, Object};
use crate::domain::resource::{MANAGEMENT_AUDIENCE, Resource, ResourceKind};
use crate::domain::scope::{Scope, Scopes};
use crate::http::call::Call;
use std::sync::Arc;

/// An API a token can be asked for.
pub(super) enum Api {
    /// This tenant's management API, under the address the caller knows it by.
    Management(String),
    /// An API of the tenant's own.
    Other(Arc<Resource>),
}

/// The scopes of a sign-in itself.
const SIGN_IN: [&str; 4] = ["openid", "profile", "email", "offline_access"];

/// All that a user may do with the management API (CONTRACT.md §1.2).
const CURRENT_USER: [Scope; 7] = [
    Scope::READ_CURRENT_USER,
    Scope::UPDATE_CURRENT_USER_METADATA,
    Scope::CREATE_CURRENT_USER_METADATA,
    Scope::DELETE_CURRENT_USER_METADATA,
    Scope::UPDATE_CURRENT_USER_IDENTITIES,
    Scope::CREATE_CURRENT_USER_DEVICE_CREDENTIALS,
    Scope::DELETE_CURRENT_USER_DEVICE_CREDENTIALS,
];

impl Api {
    /// The API an audience names.
    ///
    /// An address that ends like the management API of some host is that or nothing: no
    /// API of a tenant's own may pass for it.
    pub(super) fn named(call: &Call, audience: &str) -> Option<Self> {
        if call.is_management(audience) {
            return Some(Self::Management(audience.to_owned()));
        }
        if audience == MANAGEMENT_AUDIENCE || audience.ends_with("/api/v2/") {
            return None;
        }
        let servers = call.tenant.published().resources(ResourceKind::ResourceServer);
        servers
            .into_iter()
            .find(|server| server.name().as_deref() == Some(audience))
            .map(Self::Other)
    }

    /// The API that was written down as [`key`](Self::key) says.
    pub(super) fn kept(call: &Call, key: &str) -> Option<Self> {
        if key == MANAGEMENT_AUDIENCE {
            return Some(Self::Management(call.audience()));
        }
        Self::named(call, key)
    }

    /// How grants and refresh tokens name it, whatever host it is reached by.
    pub(super) fn key(&self) -> String {
        match self {
            Self::Management(_) => MANAGEMENT_AUDIENCE.to_owned(),
            Self::Other(server) => server.name().unwrap_or_default(),
        }
    }

    /// How a token names it.
    pub(super) fn audience(&self) -> String {
        match self {
            Self::Management(audience) => audience.clone(),
            Self::Other(server) => server.name().unwrap_or_default(),
        }
    }

    /// How long its tokens live, in seconds, if it says so itself.
    pub(super) fn token_lifetime(&self) -> Option<i64> {
        match self {
            Self::Management(_) => None,
            Self::Other(server) => {
                let seconds = server.body.get("token_lifetime")?.parse().ok()?;
                Some(seconds).filter(|seconds| *seconds > 0)
            }
        }
    }

    /// What a user may do with it.
    pub(super) fn user_scopes(&self) -> Vec<String> {
        match self {
            Self::Management(_) => {
                CURRENT_USER.iter().map(|scope| scope.name().to_owned()).collect()
            }
            Self::Other(server) => declared(&server.body),
        }
    }
}

/// The scopes an API declares, as `[{"value":…}]`.
fn declared(server: &Object) -> Vec<String> {
    let Some(scopes) = server.get("scopes") else { return Vec::new() };
    Elements::of(scopes)
        .filter_map(|one| Object::trusted(one).get_str("value").map(std::borrow::Cow::into_owned))
        .filter(|name| is_name(name))
        .collect()
}

fn names(scopes: impl Iterator<Item = Scope>) -> String {
    scopes.map(Scope::name).collect::<Vec<_>>().join(" ")
}

/// A name with white space in it would be several once the names are put together.
fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control())
}

/// What a client was granted for an API; `None` without a grant.
pub(super) fn granted(call: &Call, client: &Client, api: &Api) -> Option<Scopes> {
    let published = call.tenant.published();
    let is_default = call.tenant.uid() == call.services.directory.default_tenant().uid();
    if client.is_global {
        return matches!(api, Api::Management(_))
            .then(|| Scopes::parse(&names(Scope::served(false))));
    }
    let key = api.key();
    let is_it = |grant: &Arc<Resource>| {
        grant.body.get_str("client_id").is_some_and(|id| id == client.id)
            && grant.body.get_str("audience").is_some_and(|audience| audience == key)
    };
    let grant = published.resources(ResourceKind::ClientGrant).into_iter().find(is_it)?;
    Some(of_grant(&grant.body, is_default))
}

fn of_grant(grant: &Object, is_default_tenant: bool) -> Scopes {
    let names: Vec<String> = grant
        .get_strings("scope")
        .unwrap_or_default()
        .into_iter()
        .filter(|name| is_name(name))
        .filter(|name| {
            is_default_tenant
                || !Scope::parse(name).is_some_and(|scope| Scope::OVER_ALL_TENANTS.contains(&scope))
        })
        .collect();
    Scopes::parse(&names.join(" "))
}

/// What a machine gets of what it was granted: what it asked for, or all of it. Who may
/// change users may change their entries, so `iam/` is granted with `update:users`.
pub(super) fn for_machine(granted: &Scopes, requested: Option<&str>) -> Scopes {
    let requested = requested.unwrap_or_default();
    if may_change_entries(granted) && Scopes::parse(requested).contains(Scope::IAM) {
        let wider = format!("{} {}", granted.text(), Scope::IAM.name());
        return Scopes::parse(wider.trim_start()).narrowed_to(requested);
    }
    granted.narrowed_to(requested)
}

/// Whether these scopes cover the key/value entries of users.
pub(super) fn may_change_entries(granted: &Scopes) -> bool {
    granted.any_of(&[Scope::IAM, Scope::UPDATE_USERS])
}

/// What a user gets who signs in: the scopes of the sign-in they asked for, and of the
/// API what they asked for. Who names no scope gets everything the API has for users,
/// since they trusted the client with their password already.
pub(super) fn for_user(api: &[String], requested: Option<&str>, may_stay: bool) -> Scopes {
    let api = api.iter().map(String::as_str);
    match requested.filter(|text| !text.trim().is_empty()) {
        None => Scopes::parse(&api.collect::<Vec<_>>().join(" ")),
        Some(requested) => {
            let sign_in = SIGN_IN.into_iter().filter(|name| may_stay || *name != "offline_access");
            let known: Vec<&str> = sign_in.chain(api).collect();
            Scopes::parse(&known.join(" ")).narrowed_to(requested)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn machine(granted: &str, requested: Option<&str>, expected: &str) {
        assert_eq!(for_machine(&Scopes::parse(granted), requested).text(), expected);
    }

    #[test]
    fn a_machine_gets_what_it_was_granted_and_asked_for() {
        machine("read:users update:users", None, "read:users update:users");
        machine("read:users update:users", Some("update:users delete:users"), "update:users");
        machine("read:users", Some("read:user"), "");
        machine("", None, "");
        machine("own:scope", Some("own:scope"), "own:scope");
    }

    #[test]
    fn who_may_change_users_may_ask_for_their_entries() {
        machine("read:users update:users", Some("iam/"), "iam/");
        machine("update:users", Some("iam/ pimapi/ update:users"), "iam/ update:users");
        machine("iam/", Some("iam/"), "iam/");
        machine("read:users", Some("iam/"), "");
        machine("update:users", None, "update:users");
    }

    #[track_caller]
    fn user(requested: Option<&str>, expected: &str) {
        let api = Api::Management(String::new()).user_scopes();
        assert_eq!(for_user(&api, requested, true).text(), expected);
    }

    #[test]
    fn a_user_gets_nothing_over_other_users() {
        user(Some("openid profile email"), "openid profile email");
        user(Some("openid read:users update:users read:current_user"), "openid read:current_user");
        user(Some("update:current_user_metadata iam/"), "update:current_user_metadata");
        user(Some("update:users"), "");
        user(Some("delete:current_user dossier:operator"), "");
        user(
            None,
            "read:current_user update:current_user_metadata create:current_user_metadata delete:current_user_metadata update:current_user_identities create:current_user_device_credentials delete:current_user_device_credentials",
        );
    }

    #[test]
    fn who_may_not_refresh_is_given_nothing_to_refresh_with() {
        let scopes = for_user(&[], Some("openid offline_access"), false);
        assert_eq!(scopes.text(), "openid");
        assert!(for_user(&[], Some("offline_access"), true).names("offline_access"));
    }

    #[test]
    fn a_grant_cannot_smuggle_scopes() {
        let grant = |text: &str, is_default| {
            of_grant(&Object::parse(text, 8).unwrap(), is_default).text().to_owned()
        };
        let smuggling = r#"{"scope":["x update:users","read:users","a\tb","","own"]}"#;
        assert_eq!(grant(smuggling, true), "read:users own");
        let operator = r#"{"scope":["dossier:operator","create:tenants","read:users"]}"#;
        assert_eq!(grant(operator, false), "read:users");
        assert_eq!(grant(operator, true), "dossier:operator create:tenants read:users");
        assert_eq!(grant("{}", true), "");
    }

    #[test]
    fn an_api_declares_its_scopes() {
        let server = Object::parse(
            r#"{"scopes":[{"value":"read:x","description":"d"},{"value":"a b"},{}],"identifier":"i"}"#,
            8,
        )
        .unwrap();
        assert_eq!(declared(&server), ["read:x"]);
        assert!(declared(&Object::empty()).is_empty());
    }
}
