//! A client (application): its settings as sent, its metadata, its secret.

use super::condition::{self, ChangedKey};
use super::credential;
use super::json::{self, Builder, Object};
use super::keys::{KeyVersions, path_of};
use super::metadata::Bag;
use super::time::Version;
use std::collections::BTreeMap;
use std::fmt;

/// Settings that only who may read secrets sees (CONTRACT.md §4.3).
pub const SECRET_SETTINGS: &[&str] =
    &["encryption_key", "signing_keys", "client_authentication_methods"];

/// A client secret, readable or only comparable.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// As made; can be shown again.
    Plain(String),
    /// SHA-256 of the secret in lower-case hex; can only be compared.
    Hashed(String),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Secret {
    /// Whether `given` is this secret; takes the same time whatever they share.
    pub fn matches(&self, given: &str) -> bool {
        use subtle::ConstantTimeEq;
        match self {
            Self::Plain(secret) => {
                sha256_hex(secret).as_bytes().ct_eq(sha256_hex(given).as_bytes()).into()
            }
            Self::Hashed(hash) => hash.as_bytes().ct_eq(sha256_hex(given).as_bytes()).into(),
        }
    }

    /// The same secret, no longer readable.
    #[must_use]
    pub fn hashed(&self) -> Self {
        match self {
            Self::Plain(secret) => Self::Hashed(sha256_hex(secret)),
            Self::Hashed(_) => self.clone(),
        }
    }
}

/// Whether a member of the settings, by its raw key, is one of [`SECRET_SETTINGS`].
fn is_secret(key: &str) -> bool {
    SECRET_SETTINGS.contains(&json::unquote(key).as_ref())
}

/// SHA-256 of a text, in lower-case hex.
pub fn sha256_hex(text: &str) -> String {
    use fmt::Write;
    use sha2::Digest;
    sha2::Sha256::digest(text.as_bytes()).iter().fold(String::with_capacity(64), |mut out, byte| {
        write!(out, "{byte:02x}").expect("writing to a string cannot fail");
        out
    })
}

/// A whole client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Unique in the tenant.
    pub id: String,
    /// The tenant's version of the client's last change.
    pub version: Version,
    /// Every public setting but the id, verbatim.
    pub settings: Object,
    /// The metadata bag.
    pub client_metadata: Option<Object>,
    /// The secret; public clients have one too, as Auth0 gives them.
    pub secret: Option<Secret>,
    /// Whether this is the tenant's hidden "All Applications" client.
    pub is_global: bool,
    /// The tenant's version that made the client.
    pub made_at: Version,
    /// Which keys changed since then, and when.
    pub keys: KeyVersions,
}

impl Client {
    /// The client as v2 shows it to a caller who may read secrets, or without them.
    pub fn to_json(&self, tenant: &str, with_secrets: bool) -> String {
        let mut out = Builder::with_capacity(self.settings.as_json().len() + 256);
        out.string("tenant", tenant)
            .flag("global", Some(self.is_global))
            .string("client_id", &self.id);
        // Who proves itself with a key has no use for a secret (recorded).
        let shows_secret = with_secrets && !credential::uses_keys(&self.settings);
        if let (true, Some(Secret::Plain(secret))) = (shows_secret, &self.secret) {
            out.string("client_secret", secret);
        }
        for (key, value) in self.settings.members() {
            let is_hidden = json::unquote(key) == credential::MEMBER;
            if !is_hidden && (with_secrets || !is_secret(key)) {
                out.member(key, value);
            }
        }
        if let Some(bag) = &self.client_metadata {
            out.raw("client_metadata", bag.as_json());
        }
        out.finish()
    }

    /// The version that last changed a key of `client_metadata`.
    pub fn key_version(&self, key: &str) -> Version {
        self.keys.get(&path_of(Bag::Client, key)).unwrap_or(self.made_at)
    }

    /// The version that last changed a key of `client_metadata`, whichever.
    pub fn bag_version(&self) -> Version {
        self.keys.latest(Bag::Client).unwrap_or(self.made_at)
    }

    /// What changed since a version, with the values of now; secrets are named without theirs.
    pub fn changed_since(&self, seen: Version) -> Vec<ChangedKey> {
        let members: BTreeMap<String, &str> =
            self.paths().filter(|(path, _)| !SECRET_SETTINGS.contains(&path.as_str())).collect();
        let changed = |path: &str, version| ChangedKey {
            path: path.to_owned(),
            version,
            value: members.get(path).map(|raw| (*raw).to_owned()),
        };
        let mut all: BTreeMap<&str, ChangedKey> = BTreeMap::new();
        if seen < self.made_at {
            // What the caller saw, if anything, was another client with the same id.
            let paths = members.keys().map(String::as_str);
            all.extend(paths.map(|path| (path, changed(path, self.made_at))));
        }
        let noted = self.keys.iter().filter(|(_, version)| *version > seen);
        all.extend(noted.map(|(path, version)| (path, changed(path, version))));
        all.into_values().collect()
    }

    /// Notes which keys differ from an earlier state of this client.
    pub(super) fn note_changes(&mut self, before: &Self, version: Version) {
        let mut keys = std::mem::take(&mut self.keys);
        keys.note(before.paths(), self.paths(), version);
        if self.secret != before.secret {
            keys.touch("client_secret", version);
        }
        self.keys = keys;
    }

    fn paths(&self) -> impl Iterator<Item = (String, &str)> {
        let bag = self.client_metadata.as_ref().map(Object::as_json);
        let settings =
            self.settings.members().map(|(key, raw)| (json::unquote(key).into_owned(), raw));
        settings.chain(condition::paths(Bag::Client, bag))
    }

    /// Whether the client may use this grant type.
    pub fn allows_grant(&self, grant_type: &str) -> bool {
        self.settings
            .get_strings("grant_types")
            .is_some_and(|types| types.iter().any(|t| t == grant_type))
    }

    /// The client's name.
    pub fn name(&self) -> String {
        self.settings.get_str("name").unwrap_or_default().into_owned()
    }
}

macro_rules! refresh_token {
    ($lifetime:literal, $idle:literal) => {
        concat!(
            r#"{"rotation_type":"non-rotating","expiration_type":"non-expiring","leeway":0,"#,
            r#""token_lifetime":"#,
            $lifetime,
            r#","idle_token_lifetime":"#,
            $idle,
            r#","infinite_token_lifetime":true,"infinite_idle_token_lifetime":true}"#
        )
    };
}

/// What a client has when its maker says nothing (CONTRACT.md §4.1), as members in order.
///
/// | sent                          | what differs                                   |
/// |-------------------------------|------------------------------------------------|
/// | `is_first_party: false`       | `oidc_conformant` is true                      |
/// | `app_type: "non_interactive"` | refresh tokens for a year, idle for 30 days    |
pub fn defaults(sent: &Object) -> Vec<(&'static str, &'static str)> {
    let is_third_party = sent.get_bool("is_first_party") == Some(false);
    let is_machine = sent.get_str("app_type").is_some_and(|kind| kind == "non_interactive");
    vec![
        ("is_token_endpoint_ip_header_trusted", "false"),
        ("name", "\"\""),
        ("is_first_party", "true"),
        ("oidc_conformant", if is_third_party { "true" } else { "false" }),
        ("sso_disabled", "false"),
        ("cross_origin_auth", "false"),
        ("cross_origin_authentication", "false"),
        (
            "refresh_token",
            if is_machine {
                refresh_token!(31_557_600, 2_592_000)
            } else {
                refresh_token!(2_592_000, 1_296_000)
            },
        ),
        ("callback_url_template", "false"),
        ("jwt_configuration", r#"{"lifetime_in_seconds":36000,"secret_encoded":false}"#),
        (
            "grant_types",
            r#"["authorization_code","implicit","refresh_token","client_credentials"]"#,
        ),
        ("custom_login_page_on", "true"),
    ]
}

/// The settings of a new client: the defaults, with what was sent in their place or behind them.
pub fn settings_of(sent: &Object) -> Object {
    let mut out = Builder::new();
    let known = defaults(sent);
    for (key, default) in &known {
        out.raw(key, sent.get(key).filter(|value| *value != "null").unwrap_or(default));
    }
    for (key, value) in sent.members() {
        let name = json::unquote(key);
        if value != "null" && !known.iter().any(|(known, _)| *known == name) {
            out.member(key, value);
        }
    }
    with_secret_encoded(out.object(), None)
}

/// The settings of a client after a change; `null` removes one.
pub fn changed_settings(before: &Object, patch: &Object) -> Object {
    with_secret_encoded(before.merge_root(patch), before.get_object(JWT).as_ref())
}

const JWT: &str = "jwt_configuration";

/// `jwt_configuration` always says whether the secret is encoded: Auth0's own tools
/// leave that member out of what they send and expect to see it again.
fn with_secret_encoded(settings: Object, before: Option<&Object>) -> Object {
    const MEMBER: &str = "secret_encoded";
    match settings.get_object(JWT) {
        Some(jwt) if !jwt.contains(MEMBER) => {
            let value = before.and_then(|before| before.get(MEMBER)).unwrap_or("false");
            settings.with(JWT, jwt.with(MEMBER, value).as_json())
        }
        Some(_) | None => settings,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_compared_and_never_shown() {
        let secret = Secret::Plain("s3cret".to_owned());
        for secret in [secret.clone(), secret.hashed()] {
            assert!(secret.matches("s3cret"));
            assert!(!secret.matches("s3creT") && !secret.matches(""));
            assert_eq!(format!("{secret:?}"), "***");
        }
    }

    #[test]
    fn what_was_sent_stands_in_place_of_the_default() {
        let sent = Object::parse(
            r#"{"callbacks":[],"name":"Shop","jwt_configuration":{"alg":"RS256"}}"#,
            8,
        )
        .unwrap();
        let settings = settings_of(&sent);
        assert_eq!(settings.get("name"), Some("\"Shop\""));
        assert_eq!(
            settings.get("jwt_configuration"),
            Some(r#"{"alg":"RS256","secret_encoded":false}"#)
        );
        assert_eq!(settings.get("callbacks"), Some("[]"));
        assert!(settings.contains("grant_types"));
    }

    #[test]
    fn defaults_depend_on_the_kind_of_client() {
        let made = |sent: &str| settings_of(&Object::parse(sent, 8).unwrap());
        let third = made(r#"{"name":"x","is_first_party":false}"#);
        assert_eq!(third.get("oidc_conformant"), Some("true"));
        let said = made(r#"{"name":"x","is_first_party":false,"oidc_conformant":false}"#);
        assert_eq!(said.get("oidc_conformant"), Some("false"));
        let machine = made(r#"{"name":"x","app_type":"non_interactive"}"#);
        let tokens = machine.get_object("refresh_token").unwrap();
        assert_eq!(tokens.get("token_lifetime"), Some("31557600"));
        assert_eq!(tokens.get("idle_token_lifetime"), Some("2592000"));
        assert_eq!(machine.get("oidc_conformant"), Some("false"));
    }

    #[test]
    fn a_change_of_the_token_settings_keeps_what_tools_do_not_send() {
        let jwt = |settings: &Object| settings.get(JWT).map(str::to_owned);
        let before = Object::parse(r#"{"jwt_configuration":{"secret_encoded":true}}"#, 8).unwrap();
        let patch = Object::parse(r#"{"jwt_configuration":{"alg":"RS256"}}"#, 8).unwrap();
        let after = changed_settings(&before, &patch);
        assert_eq!(jwt(&after).as_deref(), Some(r#"{"alg":"RS256","secret_encoded":true}"#));
        let removed = Object::parse(r#"{"jwt_configuration":null}"#, 8).unwrap();
        assert_eq!(jwt(&changed_settings(&before, &removed)), None);
    }
}
