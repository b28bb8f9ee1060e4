//! A public key with which a client proves who it is (`private_key_jwt`).
//!
//! Credentials are kept with their client, in a member of its settings that no caller
//! reads or writes by that name; which of them count is in `client_authentication_methods`.

use super::client::{Client, sha256_hex};
use super::json::{Builder, Elements, Object};
use super::time::Timestamp;

/// The member of a client's settings that holds its credentials.
pub const MEMBER: &str = "credentials";

/// Most credentials one client may have.
pub const MAX_CREDENTIALS: usize = 10;

const METHODS: &str = "client_authentication_methods";
const PRIVATE_KEY_JWT: &str = "private_key_jwt";

/// One public RSA key of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// `cred_` and 22 letters.
    pub id: String,
    /// What its maker calls it.
    pub name: Option<String>,
    /// The id of the key in the head of assertions.
    pub kid: String,
    /// `RS256`, `RS384` or `PS256`.
    pub alg: String,
    /// The modulus, base64url without padding.
    pub n: String,
    /// The exponent, base64url without padding.
    pub e: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// From when on it is not taken any more.
    pub expires_at: Option<Timestamp>,
}

impl Credential {
    /// As callers see it; `with_null` shows an expiry that is none, as lists do.
    pub fn to_json(&self, with_null: bool) -> String {
        let mut out = Builder::new();
        self.public_members(&mut out);
        match self.expires_at {
            Some(at) => _ = out.string("expires_at", &at.to_string()),
            None if with_null => _ = out.raw("expires_at", "null"),
            None => {}
        }
        out.finish()
    }

    fn public_members(&self, out: &mut Builder) {
        out.string("id", &self.id)
            .optional("name", self.name.as_deref())
            .string("credential_type", "public_key")
            .string("kid", &self.kid)
            .string("alg", &self.alg)
            .string("created_at", &self.created_at.to_string())
            .string("updated_at", &self.updated_at.to_string());
    }

    fn stored(&self) -> String {
        let mut out = Builder::new();
        self.public_members(&mut out);
        out.optional("expires_at", self.expires_at.map(|at| at.to_string()).as_deref())
            .string("n", &self.n)
            .string("e", &self.e);
        out.finish()
    }

    fn read(stored: &Object) -> Option<Self> {
        let text = |key: &str| stored.get_str(key).map(std::borrow::Cow::into_owned);
        let time = |key: &str| text(key).and_then(|text| Timestamp::parse(&text));
        Some(Self {
            id: text("id")?,
            name: text("name"),
            kid: text("kid")?,
            alg: text("alg")?,
            n: text("n")?,
            e: text("e")?,
            created_at: time("created_at")?,
            updated_at: time("updated_at")?,
            expires_at: time("expires_at"),
        })
    }

    /// Whether it may still be used.
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|at| at > now)
    }
}

/// The key id of an RSA key: its thumbprint (RFC 7638).
pub fn thumbprint(n: &str, e: &str) -> [u8; 32] {
    let hex = sha256_hex(&format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#));
    let mut out = [0; 32];
    for (byte, pair) in out.iter_mut().zip(hex.as_bytes().chunks(2)) {
        let digits = std::str::from_utf8(pair).unwrap_or_default();
        *byte = u8::from_str_radix(digits, 16).unwrap_or_default();
    }
    out
}

/// The credentials of a client, in the order they were made.
pub fn all(client: &Client) -> Vec<Credential> {
    let stored = client.settings.get(MEMBER).map(Elements::of).into_iter().flatten();
    stored.filter_map(|one| Credential::read(&Object::trusted(one))).collect()
}

/// The same credentials as a member of a client's settings.
pub fn stored(credentials: &[Credential]) -> String {
    let texts: Vec<String> = credentials.iter().map(Credential::stored).collect();
    format!("[{}]", texts.join(","))
}

/// Whether the client proves who it is with a key rather than with its secret.
pub fn uses_keys(settings: &Object) -> bool {
    settings
        .get_object(METHODS)
        .is_some_and(|methods| methods.get_object(PRIVATE_KEY_JWT).is_some())
}

/// The ids of the credentials that count, as the client's settings name them.
pub fn chosen(settings: &Object) -> Vec<String> {
    let keys = settings
        .get_object(METHODS)
        .and_then(|methods| methods.get_object(PRIVATE_KEY_JWT))
        .unwrap_or_else(Object::empty);
    keys.get("credentials")
        .map(Elements::of)
        .into_iter()
        .flatten()
        .filter_map(|one| Object::trusted(one).get_str("id").map(std::borrow::Cow::into_owned))
        .collect()
}

/// The settings that name these credentials as the ones that count.
pub fn choosing(settings: &Object, texts: &[String]) -> Object {
    let mut keys = Builder::new();
    keys.raw("credentials", &format!("[{}]", texts.join(",")));
    let methods = settings.get_object(METHODS).unwrap_or_else(Object::empty);
    settings.with(METHODS, methods.with(PRIVATE_KEY_JWT, &keys.finish()).as_json())
}

/// A reference to a credential.
pub fn reference(id: &str) -> String {
    let mut out = Builder::new();
    out.string("id", id);
    out.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(expires_at: Option<i64>) -> Credential {
        Credential {
            id: "cred_1".to_owned(),
            name: None,
            kid: "k".to_owned(),
            alg: "RS256".to_owned(),
            n: "AQAB".to_owned(),
            e: "AQAB".to_owned(),
            created_at: Timestamp::from_millis(0),
            updated_at: Timestamp::from_millis(1),
            expires_at: expires_at.map(Timestamp::from_millis),
        }
    }

    #[test]
    fn what_is_stored_is_read_again_and_the_key_is_not_shown() {
        for one in [credential(None), credential(Some(5))] {
            let text = stored(std::slice::from_ref(&one));
            let read = Elements::of(&text).next().map(Object::trusted).unwrap();
            assert_eq!(Credential::read(&read).as_ref(), Some(&one));
            assert!(!one.to_json(true).contains("AQAB"));
        }
        assert!(credential(None).to_json(true).ends_with(r#","expires_at":null}"#));
        assert!(!credential(None).to_json(false).contains("expires_at"));
    }

    #[test]
    fn a_credential_ends_at_its_time() {
        assert!(credential(Some(5)).is_good(Timestamp::from_millis(4)));
        assert!(!credential(Some(5)).is_good(Timestamp::from_millis(5)));
    }

    #[test]
    fn settings_name_the_credentials_that_count() {
        let settings = choosing(&Object::empty(), &[reference("a"), reference("b")]);
        assert_eq!(chosen(&settings), ["a", "b"]);
        assert!(uses_keys(&settings) && !uses_keys(&Object::empty()));
    }
}
