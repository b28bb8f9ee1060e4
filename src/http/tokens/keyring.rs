//! The keys of this server, and the two things done with them: sign and verify.
//!
//! There is one current key, one that comes next (published early, so that whoever
//! keeps our key set has it before it is used), and those that were current before
//! (until the last token signed with them has expired).

use std::fmt;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::signature::{KeyPair, RsaKeyPair, RsaPublicKeyComponents};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::claims::{Claims, Expect};
use super::{MAX_TOKEN_BYTES, TokenError, TokenTenant};

const MODULUS_BYTES: usize = 256;
const KID_CHARS: usize = 22;

/// One RSA key of 2048 bits, ready to sign and to verify. `Debug` shows which key
/// it is, never the key.
#[derive(Clone)]
pub struct SigningKey {
    private: EncodingKey,
    public: DecodingKey,
    modulus: String,
    exponent: String,
    thumbprint: [u8; 32],
}

/// Why some bytes are not a key of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// Not PKCS#8, not RSA, or damaged.
    #[error("not an RSA key in PKCS#8 form (a PEM file that begins with BEGIN PRIVATE KEY)")]
    Unreadable,
    /// The key has another length.
    #[error("an RSA key of {found_bits} bits, {wanted_bits} are wanted", wanted_bits = MODULUS_BYTES * 8)]
    Length {
        /// How long it is.
        found_bits: usize,
    },
    /// The system could not make a key.
    #[error("a new RSA key could not be made")]
    NotMade,
}

impl SigningKey {
    /// Reads a key from PEM text, as [`generate_pem`](Self::generate_pem) makes it.
    ///
    /// # Errors
    ///
    /// When this is no RSA key in PKCS#8 form, or not of 2048 bits.
    pub fn from_pem(pem: &str) -> Result<Self, InvalidKey> {
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| InvalidKey::Unreadable)?;
        Self::from_pkcs8_der(der.secret_pkcs8_der())
    }

    /// Reads a key from the bytes inside such a PEM text.
    ///
    /// # Errors
    ///
    /// As [`from_pem`](Self::from_pem).
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, InvalidKey> {
        let pair = RsaKeyPair::from_pkcs8(der).map_err(|_| InvalidKey::Unreadable)?;
        let private =
            EncodingKey::from_rsa_pem(pem(der).as_bytes()).map_err(|_| InvalidKey::Unreadable)?;
        let found_bytes = pair.public_modulus_len();
        if found_bytes != MODULUS_BYTES {
            return Err(InvalidKey::Length { found_bits: found_bytes * 8 });
        }
        let public: RsaPublicKeyComponents<Vec<u8>> = pair.public_key().into();
        let modulus = URL_SAFE_NO_PAD.encode(&public.n);
        let exponent = URL_SAFE_NO_PAD.encode(&public.e);
        Ok(Self {
            private,
            public: DecodingKey::from_rsa_raw_components(&public.n, &public.e),
            thumbprint: thumbprint(&modulus, &exponent),
            modulus,
            exponent,
        })
    }

    /// Makes a new key of 2048 bits, as PEM text. This takes up to a second.
    ///
    /// # Errors
    ///
    /// When the system gives no random numbers.
    pub fn generate_pem() -> Result<zeroize::Zeroizing<String>, InvalidKey> {
        let pair = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048)
            .map_err(|_| InvalidKey::NotMade)?;
        let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| InvalidKey::NotMade)?;
        Ok(pem(der.as_ref()))
    }

    /// The RFC 7638 thumbprint: which key this is, wherever it is kept.
    pub fn thumbprint(&self) -> &[u8; 32] {
        &self.thumbprint
    }

    /// The name of this key at one tenant.
    pub fn kid(&self, tenant: TokenTenant<'_>) -> String {
        let digest = Sha256::new()
            .chain_update(self.thumbprint)
            .chain_update(tenant.uid.to_le_bytes())
            .chain_update(tenant.id)
            .finalize();
        let mut kid = URL_SAFE_NO_PAD.encode(digest);
        kid.truncate(KID_CHARS);
        kid
    }

    fn jwk(&self, tenant: TokenTenant<'_>) -> serde_json::Value {
        json!({
            "alg": "RS256",
            "kty": "RSA",
            "use": "sig",
            "n": self.modulus,
            "e": self.exponent,
            "kid": self.kid(tenant),
        })
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", URL_SAFE_NO_PAD.encode(self.thumbprint))
    }
}

/// Which key is at which place, by name; none = one that is not made yet, or is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// It signs.
    pub current: Option<String>,
    /// It will.
    pub next: Option<String>,
    /// They did.
    pub previous: Vec<String>,
}

/// What a rotation would make of a ring.
#[derive(Clone, Debug)]
pub struct Turned {
    /// As it is.
    pub before: Places,
    /// As it would be.
    pub after: Places,
    /// The keys to publish then, without the one that is not made yet.
    pub jwks: serde_json::Value,
}

/// All keys of this server.
#[derive(Clone, Debug)]
pub struct KeyRing {
    current: SigningKey,
    next: Option<SigningKey>,
    previous: Vec<SigningKey>,
    fingerprint: u64,
}

impl KeyRing {
    /// A ring of these keys, of which `current` signs.
    pub fn new(current: SigningKey, next: Option<SigningKey>, previous: Vec<SigningKey>) -> Self {
        let mut ring = Self { current, next, previous, fingerprint: 0 };
        ring.fingerprint = ring.fingerprint_of_keys();
        ring
    }

    /// The ring after a rotation: next signs from now on, current is kept to
    /// verify, and `next` takes the free place. Without a next key it signs itself.
    #[must_use]
    pub fn rotated(self, next: SigningKey) -> Self {
        let (current, next) = match self.next {
            Some(waiting) => (waiting, Some(next)),
            None => (next, None),
        };
        let previous = std::iter::once(self.current).chain(self.previous).collect();
        Self::new(current, next, previous)
    }

    /// What a rotation would make of the ring, as one tenant names its keys. The key it makes has no
    /// name before it is made.
    pub fn turned(&self, tenant: TokenTenant<'_>) -> Turned {
        let kid = |key: &SigningKey| key.kid(tenant);
        let (current, next) = (kid(&self.current), self.next.as_ref().map(kid));
        let previous: Vec<String> = self.previous.iter().map(kid).collect();
        let retired = std::iter::once(current.clone()).chain(previous.clone()).collect();
        let after = Places { current: next.clone(), next: None, previous: retired };
        let waiting = self.next.iter();
        let keys = waiting.chain([&self.current]).chain(&self.previous);
        let keys: Vec<_> = keys.map(|key| key.jwk(tenant)).collect();
        Turned {
            before: Places { current: Some(current), next, previous },
            after,
            jwks: json!({ "keys": keys }),
        }
    }

    /// A number that changes whenever a key comes, goes or changes its place.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// The key set to publish for a tenant: the current key, the next, then those
    /// before.
    pub fn jwks(&self, tenant: TokenTenant<'_>) -> serde_json::Value {
        let keys: Vec<_> = self.keys().map(|key| key.jwk(tenant)).collect();
        json!({ "keys": keys })
    }

    /// Signs claims with the current key, for one tenant.
    ///
    /// Whoever issues the token must look at its length: above [`MAX_TOKEN_BYTES`]
    /// it would be refused at every use, and some 240 scopes are enough for that.
    pub fn sign(&self, tenant: TokenTenant<'_>, claims: &impl Serialize) -> String {
        let mut header = jsonwebtoken::Header::new(Algorithm::RS256);
        header.kid = Some(self.current.kid(tenant));
        jsonwebtoken::encode(&header, claims, &self.current.private)
            .expect("the key was tried when it was read, and claims are plain JSON")
    }

    /// Says what a token claims, if it is one of ours for this tenant and meets
    /// what is expected.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong with it, in the order: length, form,
    /// signature, claims, times, audience, issuer.
    pub fn verify(
        &self,
        tenant: TokenTenant<'_>,
        token: &str,
        expect: &Expect<'_>,
    ) -> Result<Claims, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLarge);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(TokenError::Malformed)?;
        if payload.contains('.') {
            return Err(TokenError::Malformed);
        }
        let key = self.key_for(tenant, header).ok_or(TokenError::Signature)?;
        match jsonwebtoken::crypto::verify(
            signature,
            message.as_bytes(),
            &key.public,
            Algorithm::RS256,
        ) {
            Ok(true) => {}
            Ok(false) | Err(_) => return Err(TokenError::Signature),
        }
        let payload = URL_SAFE_NO_PAD
            .decode(payload)
            .map_err(|_| TokenError::Invalid("the claims are not base64url"))?;
        let claims = Claims::read(&payload)?;
        claims.check(expect)?;
        Ok(claims)
    }

    /// The key a header names, if the header asks for nothing but RS256 with one
    /// of our keys.
    fn key_for(&self, tenant: TokenTenant<'_>, header: &str) -> Option<&SigningKey> {
        let header = URL_SAFE_NO_PAD.decode(header).ok()?;
        let header: Header = super::read_object(&header).ok()?;
        let typ_is_ours = header.typ.is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"));
        if header.alg != "RS256" || header.crit.is_some() || !typ_is_ours {
            return None;
        }
        self.keys().find(|key| key.kid(tenant) == header.kid)
    }

    /// The name at a tenant of the key that signs.
    pub fn current(&self, tenant: TokenTenant<'_>) -> String {
        self.current.kid(tenant)
    }

    /// The name at a tenant of the key that a token says it is signed with, if it is one of ours.
    pub fn key_of(&self, tenant: TokenTenant<'_>, token: &str) -> Option<String> {
        let (header, _) = token.split_once('.')?;
        self.key_for(tenant, header).map(|key| key.kid(tenant))
    }

    /// Whether a key of this name at a tenant is in the ring.
    pub fn has(&self, tenant: TokenTenant<'_>, kid: &str) -> bool {
        self.keys().any(|key| key.kid(tenant) == kid)
    }

    fn keys(&self) -> impl Iterator<Item = &SigningKey> {
        std::iter::once(&self.current).chain(&self.next).chain(&self.previous)
    }

    fn fingerprint_of_keys(&self) -> u64 {
        let mut digest = Sha256::new();
        digest.update([u8::from(self.next.is_some())]);
        self.keys().for_each(|key| digest.update(key.thumbprint));
        let digest: [u8; 32] = digest.finalize().into();
        let (first, _) = digest.split_first_chunk().expect("32 bytes are more than 8");
        u64::from_le_bytes(*first)
    }
}

/// What is read of a header. Where keys or certificates could be fetched from
/// (`jku`, `x5u`) or are given along (`jwk`, `x5c`) is not even read.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: String,
    #[serde(default)]
    typ: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: Option<()>,
}

/// Anything at all under `crit`, `null` too, counts as present.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<()>, D::Error> {
    serde::de::IgnoredAny::deserialize(deserializer).map(|_| Some(()))
}

/// RFC 7638: SHA-256 over the members a public key must have, in the order of their
/// names.
fn thumbprint(modulus: &str, exponent: &str) -> [u8; 32] {
    Sha256::digest(format!(r#"{{"e":"{exponent}","kty":"RSA","n":"{modulus}"}}"#)).into()
}

fn pem(der: &[u8]) -> zeroize::Zeroizing<String> {
    let base64 = zeroize::Zeroizing::new(STANDARD.encode(der));
    // Room for all of it at once, so that no half-written copy is left behind.
    let mut text = zeroize::Zeroizing::new(String::with_capacity(base64.len() * 2));
    text.push_str("-----BEGIN PRIVATE KEY-----\n");
    for (place, letter) in base64.chars().enumerate() {
        if place > 0 && place % 64 == 0 {
            text.push('\n');
        }
        text.push(letter);
    }
    text.push_str("\n-----END PRIVATE KEY-----\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::scope::Scope;
    use crate::http::tokens::attacks::{EXPECT, HERE, claims, key, ring};

    #[test]
    fn a_token_lives_as_long_as_its_key_is_in_the_ring() {
        let before = KeyRing::new(key(0), Some(key(1)), vec![]);
        let token = before.sign(HERE, &claims());
        let after = before.clone().rotated(key(2));
        assert_eq!(after.verify(HERE, &token, &EXPECT), Ok(claims()));
        let later = after.clone().rotated(key(3));
        assert_eq!(later.verify(HERE, &token, &EXPECT), Ok(claims()));
        let dropped = KeyRing::new(later.current, later.next, vec![]);
        assert_eq!(dropped.verify(HERE, &token, &EXPECT), Err(TokenError::Signature));
    }

    #[test]
    fn a_rotation_signs_with_what_was_next_and_was_published_before() {
        let before = KeyRing::new(key(0), Some(key(1)), vec![]);
        let published = before.jwks(HERE);
        let after = before.rotated(key(2));
        let token = after.sign(HERE, &claims());
        let header = jsonwebtoken::decode_header(&token).unwrap();
        assert_eq!(header.kid, Some(key(1).kid(HERE)));
        assert_eq!(header.typ.as_deref(), Some("JWT"));
        let kids: Vec<_> =
            published["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect();
        assert_eq!(kids, [key(0).kid(HERE), key(1).kid(HERE)]);
    }

    #[test]
    fn without_a_next_key_the_new_one_signs() {
        let token = KeyRing::new(key(0), None, vec![]).rotated(key(1)).sign(HERE, &claims());
        assert_eq!(jsonwebtoken::decode_header(&token).unwrap().kid, Some(key(1).kid(HERE)));
    }

    #[test]
    fn the_published_set_is_what_others_need_to_verify() {
        let jwks: jsonwebtoken::jwk::JwkSet = serde_json::from_value(ring().jwks(HERE)).unwrap();
        assert_eq!(jwks.keys.len(), 3);
        let token = ring().sign(HERE, &claims());
        let kid = jsonwebtoken::decode_header(&token).unwrap().kid.unwrap();
        let mut validation = jsonwebtoken::Validation::new(Algorithm::RS256);
        validation.set_audience(EXPECT.audiences);
        validation.validate_exp = false;
        let key = DecodingKey::from_jwk(jwks.find(&kid).unwrap()).unwrap();
        let read = jsonwebtoken::decode::<Claims>(&token, &key, &validation).unwrap();
        assert_eq!(read.claims, claims());
        assert_eq!(ring().jwks(HERE)["keys"][0]["e"], "AQAB");
    }

    #[test]
    fn a_key_id_names_the_key_and_the_tenant() {
        let other = TokenTenant { uid: 8, ..HERE };
        let renamed = TokenTenant { id: "other", ..HERE };
        let kids = [key(0).kid(HERE), key(1).kid(HERE), key(0).kid(other), key(0).kid(renamed)];
        for (place, kid) in kids.iter().enumerate() {
            assert_eq!(kid.len(), KID_CHARS);
            assert!(!kids[place + 1..].contains(kid));
        }
        assert_eq!(key(0).kid(HERE), kids[0]);
    }

    #[test]
    fn the_fingerprint_tells_rings_apart() {
        let rings = [
            KeyRing::new(key(0), None, vec![]),
            KeyRing::new(key(1), None, vec![]),
            KeyRing::new(key(0), Some(key(1)), vec![]),
            KeyRing::new(key(0), None, vec![key(1)]),
            KeyRing::new(key(1), Some(key(0)), vec![]),
        ];
        for (place, ring) in rings.iter().enumerate() {
            assert!(
                rings[place + 1..].iter().all(|other| other.fingerprint() != ring.fingerprint())
            );
        }
        assert_eq!(rings[0].fingerprint(), KeyRing::new(key(0), None, vec![]).fingerprint());
    }

    #[test]
    fn debug_shows_no_key() {
        let pem = SigningKey::generate_pem().unwrap();
        let text = format!("{:?}", KeyRing::new(SigningKey::from_pem(&pem).unwrap(), None, vec![]));
        assert!(text.len() < 200, "{text}");
    }

    #[test]
    fn what_is_no_key_of_ours_is_refused() {
        let pem = SigningKey::generate_pem().unwrap();
        for text in [
            "",
            "-----BEGIN PRIVATE KEY-----",
            &pem[..pem.len() / 2],
            &pem.replace("PRIVATE", "PUBLIC"),
        ] {
            assert_eq!(SigningKey::from_pem(text).unwrap_err(), InvalidKey::Unreadable);
        }
        let elliptic = rcgen::KeyPair::generate().unwrap().serialize_pem();
        assert_eq!(SigningKey::from_pem(&elliptic).unwrap_err(), InvalidKey::Unreadable);
        let long = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa3072).unwrap();
        let der: Pkcs8V1Der<'_> = long.as_der().unwrap();
        let error = SigningKey::from_pem(&super::pem(der.as_ref())).unwrap_err();
        assert_eq!(error, InvalidKey::Length { found_bits: 3072 });
        assert_eq!(error.to_string(), "an RSA key of 3072 bits, 2048 are wanted");
    }

    #[test]
    fn a_token_with_two_hundred_scopes_and_long_names_fits() {
        let scope = Scope::all().take(200).map(Scope::name).collect::<Vec<_>>().join(" ");
        let client = "x".repeat(32);
        let host = format!("https://{}.example.com", "x".repeat(63));
        let claims = Claims {
            iss: format!("{host}/"),
            sub: format!("{client}@clients"),
            aud: crate::http::tokens::Audience::One(format!("{host}/api/v2/")),
            azp: Some(client),
            scope,
            ..claims()
        };
        let token = ring().sign(HERE, &claims);
        assert!(token.len() <= MAX_TOKEN_BYTES, "{} bytes", token.len());
    }
}
