//! What the tokens say: the one place where claims are put together (CONTRACT.md §1.2,
//! §1.3, §8.3).

use crate::domain::document::Document;
use crate::domain::entries;
use crate::domain::json::{self, Members};
use crate::domain::scope::Scopes;
use crate::http::tokens::{Audience, Claims};
use serde_json::{Map, Value};

/// The names a user's entries may not take, whatever prefix is configured: somebody
/// decides something by them.
const RESERVED: &[&str] = &[
    "iss",
    "sub",
    "aud",
    "exp",
    "nbf",
    "iat",
    "jti",
    "scope",
    "scopes",
    "permissions",
    "gty",
    "azp",
    "act",
    "acr",
    "amr",
    "auth_time",
    "nonce",
    "at_hash",
    "c_hash",
    "sid",
    "cnf",
    "org_id",
    "org_name",
    "roles",
    "groups",
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "email",
    "email_verified",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "phone_number",
    "phone_number_verified",
    "address",
    "updated_at",
    "created_at",
    "identities",
    "client_id",
    "username",
];

/// What `profile` shows, in the order of the answer of `/userinfo`.
const PROFILE: [&str; 6] =
    ["nickname", "name", "picture", "updated_at", "given_name", "family_name"];

/// What `email` shows.
const EMAIL: [&str; 2] = ["email", "email_verified"];

/// When a token begins and ends, and who issues it.
#[derive(Clone, Copy)]
pub(super) struct Frame<'a> {
    /// The tenant's address, with a final slash.
    pub(super) issuer: &'a str,
    /// The client it is made for.
    pub(super) client_id: &'a str,
    /// Now, in seconds since 1970.
    pub(super) now: i64,
    /// From when on it counts how long it lives; later than now after the clock was set back.
    pub(super) valid_at: i64,
    /// How long it lives, in seconds.
    pub(super) lifetime: i64,
}

/// The claims of a machine's token.
pub(super) fn machine(frame: Frame<'_>, audience: &str, scope: &Scopes) -> Claims {
    Claims {
        iss: frame.issuer.to_owned(),
        sub: format!("{}@clients", frame.client_id),
        aud: Audience::One(audience.to_owned()),
        iat: frame.now,
        exp: frame.valid_at.saturating_add(frame.lifetime),
        nbf: None,
        scope: scope.text().to_owned(),
        gty: Some("client-credentials".to_owned()),
        azp: Some(frame.client_id.to_owned()),
    }
}

/// The claims of a user's access token.
pub(super) fn access(
    frame: Frame<'_>,
    user: &Document,
    audiences: Vec<String>,
    scope: &Scopes,
    gty: &str,
) -> Map<String, Value> {
    let mut audiences: Vec<Value> = audiences.into_iter().map(Value::String).collect();
    let audience = match audiences.pop() {
        Some(only) if audiences.is_empty() => only,
        last => Value::Array(audiences.into_iter().chain(last).collect()),
    };
    let mut claims = Map::new();
    claims.insert("iss".to_owned(), frame.issuer.into());
    claims.insert("sub".to_owned(), user.id().into());
    claims.insert("aud".to_owned(), audience);
    claims.insert("iat".to_owned(), issued_at(frame, user).into());
    claims.insert("exp".to_owned(), frame.valid_at.saturating_add(frame.lifetime).into());
    if !scope.text().is_empty() {
        claims.insert("scope".to_owned(), scope.text().into());
    }
    claims.insert("gty".to_owned(), gty.into());
    claims.insert("azp".to_owned(), frame.client_id.into());
    claims
}

/// When a token of a user was made: not before the user, or it would seem to be of an earlier one
/// with the same id; so it is only where the clock was set back since.
fn issued_at(frame: Frame<'_>, user: &Document) -> i64 {
    frame.now.max(user.created_at().seconds())
}

/// The claims of an id token.
pub(super) fn id(frame: Frame<'_>, user: &Document, scope: &Scopes) -> Map<String, Value> {
    let mut claims = profile(user, scope.names("profile"), scope.names("email"));
    claims.insert("iss".to_owned(), frame.issuer.into());
    claims.insert("aud".to_owned(), frame.client_id.into());
    claims.insert("iat".to_owned(), issued_at(frame, user).into());
    claims.insert("exp".to_owned(), frame.valid_at.saturating_add(frame.lifetime).into());
    claims.insert("sub".to_owned(), user.id().into());
    claims
}

/// The attributes of a user that `OpenID` Connect knows.
pub(super) fn profile(user: &Document, with_profile: bool, with_email: bool) -> Map<String, Value> {
    let mut shown = Map::new();
    let names = PROFILE.iter().filter(|_| with_profile).chain(EMAIL.iter().filter(|_| with_email));
    for name in names {
        let raw = Members::of(user.json()).find(|(key, _)| json::unquote(key) == *name);
        if let Some(value) = raw.and_then(|(_, raw)| serde_json::from_str(raw).ok()) {
            shown.insert((*name).to_owned(), value);
        }
    }
    shown
}

/// Adds the entries of a user that are meant for tokens, as far as they fit; says how
/// many were left out.
pub(super) fn add_entries(
    claims: &mut Map<String, Value>,
    user: &Document,
    prefix: &str,
    max_bytes: u64,
) -> usize {
    let (mut left_out, mut used) = (0, 0_u64);
    for (name, raw) in entries::claims(&user.entries(), prefix) {
        let bytes = u64::try_from(name.len() + raw.len()).unwrap_or(u64::MAX);
        let is_free = !RESERVED.contains(&name.as_str()) && !claims.contains_key(&name);
        if !is_free || used.saturating_add(bytes) > max_bytes {
            left_out += 1;
            continue;
        }
        used += bytes;
        claims.insert(name, Value::String(json::unquote(&raw).into_owned()));
    }
    left_out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::document::tests::jane;
    use crate::domain::entries::Entry;
    use crate::domain::user::{Profile, User, UserId};
    use proptest::prelude::*;

    const FRAME: Frame<'static> = Frame {
        issuer: "https://acme.example/",
        client_id: "c1",
        now: 1_720_762_274,
        valid_at: 1_720_762_274,
        lifetime: 86_400,
    };

    fn user(entries: Vec<Entry>) -> Document {
        Document::of(&User {
            id: UserId::trusted("auth0|1"),
            profile: Profile {
                email: Some("jane@example.com".to_owned()),
                email_verified: Some(true),
                name: Some("Jane".to_owned()),
                nickname: Some("jj".to_owned()),
                family_name: Some("Doe".to_owned()),
                ..Profile::default()
            },
            entries,
            ..jane()
        })
    }

    fn entry(key: &str, value: &str, profile_claim: bool) -> Entry {
        Entry { key: key.to_owned(), value: value.to_owned(), profile_claim }
    }

    #[test]
    fn a_machines_token_says_what_auth0s_says() {
        let claims = machine(
            FRAME,
            "https://acme.example/api/v2/",
            &Scopes::parse("read:users update:users"),
        );
        assert_eq!(
            serde_json::to_string(&claims).unwrap(),
            r#"{"iss":"https://acme.example/","sub":"c1@clients","aud":"https://acme.example/api/v2/","iat":1720762274,"exp":1720848674,"scope":"read:users update:users","gty":"client-credentials","azp":"c1"}"#
        );
    }

    #[test]
    fn a_users_token_names_one_api_or_several() {
        let token = |audiences: &[&str], scope: &str| {
            let audiences = audiences.iter().map(|text| (*text).to_owned()).collect();
            access(FRAME, &user(vec![]), audiences, &Scopes::parse(scope), "password")
        };
        assert_eq!(
            serde_json::to_string(&token(&["a", "b"], "openid")).unwrap(),
            r#"{"iss":"https://acme.example/","sub":"auth0|1","aud":["a","b"],"iat":1720762274,"exp":1720848674,"scope":"openid","gty":"password","azp":"c1"}"#
        );
        assert_eq!(token(&["a"], "")["aud"], "a");
        assert!(!token(&["a"], "").contains_key("scope"));
    }

    #[test]
    fn an_id_token_shows_what_was_asked_for() {
        let keys = |scope: &str| {
            let claims = id(FRAME, &user(vec![]), &Scopes::parse(scope));
            claims.keys().cloned().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(keys("openid"), "iss aud iat exp sub");
        assert_eq!(keys("openid email"), "email email_verified iss aud iat exp sub");
        assert_eq!(
            keys("openid profile"),
            "nickname name updated_at family_name iss aud iat exp sub"
        );
        assert_eq!(id(FRAME, &user(vec![]), &Scopes::parse("openid"))["aud"], "c1");
    }

    #[track_caller]
    fn check(
        entries: Vec<Entry>,
        prefix: &str,
        max_bytes: u64,
        added: &[(&str, &str)],
        left: usize,
    ) {
        let mut claims = access(
            FRAME,
            &user(vec![]),
            vec!["a".to_owned()],
            &Scopes::parse("openid"),
            "password",
        );
        let before = claims.clone();
        assert_eq!(add_entries(&mut claims, &user(entries), prefix, max_bytes), left);
        let new: Vec<(&str, &str)> = claims
            .iter()
            .filter(|(name, _)| !before.contains_key(*name))
            .map(|(name, value)| (name.as_str(), value.as_str().unwrap()))
            .collect();
        assert_eq!(new, added);
        assert!(before.iter().all(|(name, value)| claims[name] == *value));
    }

    #[test]
    fn entries_become_claims_only_when_they_are_meant_to() {
        let entries = vec![entry("user-theme", "Light", true), entry("hidden", "x", false)];
        check(entries, "metadata_", 4096, &[("metadata_user-theme", "Light")], 0);
        check(vec![entry("k \"q\"", "ü\n\"", true)], "m_", 4096, &[("m_k \"q\"", "ü\n\"")], 0);
    }

    #[test]
    fn entries_beyond_the_bytes_of_a_token_are_left_out() {
        let entries = || {
            vec![
                entry("a", &"x".repeat(50), true),
                entry("b", &"y".repeat(90), true),
                entry("c", "z", true),
            ]
        };
        check(entries(), "m_", 80, &[("m_a", &"x".repeat(50)), ("m_c", "z")], 1);
        check(entries(), "m_", 0, &[], 3);
    }

    #[test]
    fn no_entry_takes_the_place_of_a_claim() {
        let taken = ["iss", "sub", "aud", "exp", "nbf", "scope", "azp", "email", "permissions"];
        let entries = taken.iter().map(|key| entry(key, "evil", true)).collect();
        check(entries, "", 4096, &[], taken.len());
        check(vec![entry("cope", "update:users", true)], "s", 4096, &[], 1);
    }

    proptest! {
        #[test]
        fn whatever_the_entries_say_the_token_stays_the_users(
            entries in prop::collection::vec(("[a-z_]{0,6}", ".{0,20}", any::<bool>()), 0..20),
            prefix in "(metadata_|s|i|a|)",
        ) {
            let entries: Vec<Entry> = entries.iter().map(|(key, value, flag)| entry(key, value, *flag)).collect();
            let mut claims = access(FRAME, &user(vec![]), vec!["a".to_owned()], &Scopes::parse("openid"), "password");
            add_entries(&mut claims, &user(entries), &prefix, 4096);
            let read: Claims = serde_json::from_value(Value::Object(claims)).unwrap();
            prop_assert_eq!(read.sub.as_str(), "auth0|1");
            prop_assert_eq!(read.scope.as_str(), "openid");
            prop_assert_eq!(read.nbf, None);
        }
    }
}
