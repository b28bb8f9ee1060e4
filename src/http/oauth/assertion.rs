//! `private_key_jwt`: a client proves who it is with a signed assertion (RFC 7523).
//!
//! | claim | must be |
//! |---|---|
//! | `iss`, `sub` | the client's id |
//! | `aud` | the issuer, or the token endpoint's address |
//! | `exp` | ahead, by five minutes at most |
//! | `nbf` | not ahead, if there |
//! | `iat` | not ahead; without it, five minutes before `exp` counts |
//! | `jti` | one this client has not used before |
//!
//! Used ids are remembered until their assertion has ended, in a table of bounded size for each
//! tenant; when that is full of ids still in force, assertions are refused rather than taken twice.
//! A restart forgets them, so of a client that was there before only assertions are taken that
//! were made since: whichever the process before may have taken is older.

use crate::domain::client::{Client, sha256_hex};
use crate::domain::credential::{self, Credential};
use crate::domain::json::Object;
use crate::domain::time::Timestamp;
use crate::http::problem::Problem;
use crate::http::tokens::never_null;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// The one type of assertion there is.
pub(super) const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The algorithms taken, by name.
pub(super) const ALGORITHMS: [&str; 3] = ["RS256", "RS384", "PS256"];

/// The longest an assertion may live, in seconds (Auth0's limit).
const MAX_LIFETIME_S: i64 = 300;

/// Levels of JSON in a header, whose members are not looked at.
const HEAD_DEPTH: usize = 16;

/// The longest `jti`, in bytes.
const MAX_JTI_BYTES: usize = 255;

/// Ids of one tenant remembered at most.
const MAX_USED: usize = 20_000;

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: i64,
    iat: Option<i64>,
    #[serde(default, deserialize_with = "never_null")]
    nbf: Option<i64>,
    jti: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// The client an assertion says it is for; nothing is proved yet.
pub(super) fn subject(assertion: &str) -> Option<String> {
    let payload = assertion.split('.').nth(1)?;
    let claims: Claims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    Some(claims.sub)
}

/// What an assertion is compared with.
pub(super) struct Expected<'a> {
    /// What `aud` may be.
    pub(super) audiences: &'a [String],
    /// The time, in seconds since the epoch.
    pub(super) now: i64,
    /// Seconds by which clocks may differ.
    pub(super) leeway: i64,
    /// For how many seconds uses have been remembered; `None` if all there were are.
    pub(super) remembered: Option<i64>,
}

/// An assertion that was signed with a key of the client, and is for us and now.
pub(super) struct Proved {
    id: String,
    until: i64,
}

/// Verifies an assertion with the keys of the client it names.
///
/// # Errors
/// Why it proves nothing.
pub(super) fn verify(
    assertion: &str,
    client: &Client,
    expected: &Expected<'_>,
) -> Result<Proved, &'static str> {
    let head = jsonwebtoken::decode_header(assertion).map_err(|_| "it is no JWT")?;
    if names_what_is_critical(assertion) {
        return Err("its header names what must be understood, and nothing of that is");
    }
    let taken = [Algorithm::RS256, Algorithm::RS384, Algorithm::PS256];
    let (_, name) = taken
        .into_iter()
        .zip(ALGORITHMS)
        .find(|(algorithm, _)| *algorithm == head.alg)
        .ok_or("its algorithm is none of RS256, RS384 and PS256")?;
    let chosen = credential::chosen(&client.settings);
    let claims = credential::all(client)
        .iter()
        .filter(|key| {
            chosen.contains(&key.id)
                && key.alg == name
                && head.kid.as_ref().is_none_or(|kid| *kid == key.kid)
                && expected.now < key.expires_at.map_or(i64::MAX, Timestamp::seconds)
        })
        .find_map(|key| signed_with(key, head.alg, assertion));
    let claims = claims.ok_or("it is signed with no key of the client that is in force")?;
    check(&claims, client, expected)?;
    Ok(Proved {
        id: sha256_hex(&format!("{}\n{}", client.id, claims.jti)),
        until: claims.exp + expected.leeway,
    })
}

/// Whether the header has `crit`, with whatever value (RFC 7515 §4.1.11).
fn names_what_is_critical(assertion: &str) -> bool {
    let head = assertion.split('.').next().unwrap_or_default();
    let head = URL_SAFE_NO_PAD.decode(head).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    head.and_then(|text| Object::parse(&text, HEAD_DEPTH).ok())
        .is_none_or(|head| head.contains("crit"))
}

/// The claims, if this key signed them.
fn signed_with(key: &Credential, algorithm: Algorithm, assertion: &str) -> Option<Claims> {
    let key = DecodingKey::from_rsa_components(&key.n, &key.e).ok()?;
    let mut validation = Validation::new(algorithm);
    // Times and names are checked below, against our own clock and the client found.
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    jsonwebtoken::decode::<Claims>(assertion, &key, &validation).ok().map(|token| token.claims)
}

fn check(claims: &Claims, client: &Client, expected: &Expected<'_>) -> Result<(), &'static str> {
    if claims.iss != client.id || claims.sub != client.id {
        return Err("iss and sub must be the id of the client");
    }
    let is_ours = |name: &String| expected.audiences.contains(name);
    let is_for_us = match &claims.aud {
        Audience::One(name) => is_ours(name),
        Audience::Several(names) => names.iter().any(is_ours),
    };
    if !is_for_us {
        return Err("aud must be the issuer or the address of the token endpoint");
    }
    if claims.exp.saturating_add(expected.leeway) <= expected.now {
        return Err("it has ended");
    }
    if claims.exp > expected.now.saturating_add(MAX_LIFETIME_S + expected.leeway) {
        return Err("exp must be at most five minutes ahead");
    }
    if claims.nbf.is_some_and(|begin| begin > expected.now.saturating_add(expected.leeway)) {
        return Err("nbf must not lie ahead");
    }
    // Nobody can have used it before the earliest moment at which it can have been made.
    let made = claims.iat.unwrap_or(claims.exp.saturating_sub(MAX_LIFETIME_S));
    if made > expected.now.saturating_add(expected.leeway) {
        return Err("iat must not lie ahead");
    }
    // By how much its clock may be ahead, so much older it may be in truth.
    let age = expected.now.saturating_sub(made).saturating_add(expected.leeway);
    if expected.remembered.is_some_and(|seconds| age >= seconds) {
        return Err("it may have been used before the server was started; sign a new one");
    }
    if claims.jti.is_empty() || claims.jti.len() > MAX_JTI_BYTES {
        return Err("jti must have 1 to 255 bytes");
    }
    Ok(())
}

/// Ids of assertions that were used, by tenant, and until when they would be good.
#[derive(Debug, Default)]
pub struct UsedAssertions(Mutex<HashMap<u64, HashMap<String, i64>>>);

impl UsedAssertions {
    /// Uses an assertion of a tenant's client up.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(super) fn use_up(&self, tenant: u64, proved: Proved, now: i64) -> Result<(), &'static str> {
        self.insert(tenant, proved, now, MAX_USED)
    }

    fn insert(
        &self,
        tenant: u64,
        proved: Proved,
        now: i64,
        most: usize,
    ) -> Result<(), &'static str> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.contains_key(&tenant) {
            // Those of tenants that are gone, or were quiet, are let go of with the next new one.
            all.retain(|_, used| used.values().any(|until| *until > now));
        }
        let used = all.entry(tenant).or_default();
        if used.len() >= most {
            used.retain(|_, until| *until > now);
        }
        if used.len() >= most {
            return Err("too many assertions were used in the last minutes");
        }
        match used.insert(proved.id, proved.until) {
            Some(until) if until > now => Err("its jti was used before"),
            Some(_) | None => Ok(()),
        }
    }
}

/// 401: the assertion proves nothing.
pub(super) fn refused(why: &str) -> Problem {
    Problem::new(401, "invalid_client", format!("The client assertion was refused: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::keys::KeyVersions;
    use crate::domain::time::Version;

    fn proved(id: &str, until: i64) -> Proved {
        Proved { id: id.to_owned(), until }
    }

    #[test]
    fn an_assertion_is_used_once_while_it_is_good() {
        let used = UsedAssertions::default();
        assert_eq!(used.use_up(1, proved("a", 100), 10), Ok(()));
        assert_eq!(used.use_up(1, proved("a", 100), 20), Err("its jti was used before"));
        assert_eq!(used.use_up(2, proved("a", 100), 20), Ok(()));
        assert_eq!(used.use_up(1, proved("b", 100), 20), Ok(()));
    }

    #[test]
    fn a_full_table_forgets_what_has_ended_and_refuses_the_rest() {
        let used = UsedAssertions::default();
        assert!(used.insert(1, proved("a", 50), 10, 2).is_ok());
        assert!(used.insert(1, proved("b", 90), 10, 2).is_ok());
        assert!(used.insert(1, proved("c", 90), 20, 2).is_err());
        assert!(used.insert(2, proved("c", 90), 20, 2).is_ok(), "another tenant's is not full");
        assert!(used.insert(1, proved("c", 90), 60, 2).is_ok());
    }

    #[test]
    fn tenants_of_whom_nothing_is_in_force_are_forgotten() {
        let used = UsedAssertions::default();
        assert!(used.use_up(1, proved("a", 50), 10).is_ok());
        assert!(used.use_up(2, proved("a", 90), 10).is_ok());
        assert!(used.use_up(3, proved("a", 90), 60).is_ok());
        let mut left: Vec<u64> = used.0.lock().unwrap().keys().copied().collect();
        left.sort_unstable();
        assert_eq!(left, [2, 3]);
    }

    /// Compares claims at the time 1000 with clocks that may differ by 5.
    #[track_caller]
    fn check_times(exp: i64, iat: Option<i64>, remembered: Option<i64>, allowed: bool) {
        let client = Client {
            id: "c".to_owned(),
            version: Version::ZERO,
            settings: Object::empty(),
            client_metadata: None,
            secret: None,
            is_global: false,
            made_at: Version::new(1),
            keys: KeyVersions::default(),
        };
        let (iss, sub, jti) = ("c".to_owned(), "c".to_owned(), "1".to_owned());
        let claims =
            Claims { iss, sub, aud: Audience::One("us".to_owned()), exp, iat, nbf: None, jti };
        let expected = Expected { audiences: &["us".to_owned()], now: 1000, leeway: 5, remembered };
        let checked = check(&claims, &client, &expected);
        assert_eq!(checked.is_ok(), allowed, "{exp} {iat:?} {remembered:?} {checked:?}");
    }

    #[test]
    fn what_the_process_before_may_have_taken_is_refused() {
        for (iat, remembered, allowed) in [
            (Some(940), None, true),
            (Some(940), Some(66), true),
            (Some(940), Some(65), false),
            (Some(1005), Some(1), true),
            (Some(1005), Some(0), false),
            (Some(1006), None, false),
        ] {
            check_times(1060, iat, remembered, allowed);
        }
        // Without a time of its own it may be as old as one that ends then can be.
        check_times(1060, None, None, true);
        check_times(1060, None, Some(245), false);
        check_times(1060, None, Some(246), true);
        check_times(1300, None, Some(6), true);
        check_times(1305, None, Some(0), false);
    }
}
