//! What a token may try, and what it gets for it. Every forgery is as good as it
//! can be: where the signature is not the point, it is a true one.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use super::*;

mod on_claims;

pub(super) const NOW: i64 = 1_800_000_000;
pub(super) const HERE: TokenTenant<'static> = TokenTenant { uid: 7, id: "acme" };
const ISSUER: &str = "https://acme.localhost/";
const AUDIENCE: &str = "https://acme.localhost/api/v2/";

pub(super) const EXPECT: Expect<'static> =
    Expect { issuers: &[ISSUER], audiences: &[AUDIENCE], now: NOW, leeway: 5 };

/// Three keys, made once: that takes a while.
static PEMS: LazyLock<[String; 4]> =
    LazyLock::new(|| [(); 4].map(|()| SigningKey::generate_pem().unwrap().to_string()));

pub(super) fn key(number: usize) -> SigningKey {
    SigningKey::from_pem(&PEMS[number]).unwrap()
}

pub(super) fn ring() -> KeyRing {
    KeyRing::new(key(0), Some(key(1)), vec![key(2)])
}

pub(super) fn claims() -> Claims {
    serde_json::from_value(good()).unwrap()
}

fn good() -> Value {
    json!({
        "iss": ISSUER, "sub": "c1@clients", "aud": AUDIENCE, "iat": NOW - 10, "exp": NOW + 60,
        "scope": "read:users update:users", "gty": "client-credentials", "azp": "c1",
    })
}

fn header() -> Value {
    json!({ "alg": "RS256", "typ": "JWT", "kid": key(0).kid(HERE) })
}

fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

fn without(mut object: Value, name: &str) -> Value {
    object.as_object_mut().unwrap().remove(name);
    object
}

/// A token of any text at all, truly signed with one of our keys.
fn signed_by(number: usize, algorithm: Algorithm, header: &str, payload: &str) -> String {
    let private = EncodingKey::from_rsa_pem(PEMS[number].as_bytes()).unwrap();
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &private, algorithm).unwrap();
    format!("{message}.{signature}")
}

fn signed(header: &Value, payload: &Value) -> String {
    signed_by(0, Algorithm::RS256, &header.to_string(), &payload.to_string())
}

#[track_caller]
fn gets(token: &str, error: TokenError) {
    assert_eq!(ring().verify(HERE, token, &EXPECT), Err(error));
    // What is refused is refused again, and nothing of it is kept.
    let cache = TokenCache::new(10);
    for _ in 0..2 {
        assert_eq!(cache.check(&ring(), HERE, token, &EXPECT, None).unwrap_err(), error);
    }
    assert!(cache.is_empty());
}

#[track_caller]
fn is_accepted(token: &str) -> Claims {
    ring().verify(HERE, token, &EXPECT).unwrap()
}

#[track_caller]
fn header_gets(header: &Value, error: TokenError) {
    gets(&signed(header, &good()), error);
}

#[test]
fn a_good_token_is_accepted() {
    assert_eq!(is_accepted(&signed(&header(), &good())), claims());
    assert_eq!(is_accepted(&ring().sign(HERE, &claims())), claims());
}

#[test]
fn another_algorithm_is_refused() {
    let payload = good().to_string();
    for name in
        ["none", "None", "NONE", "", "rs256", "RS256 ", "HS256", "RS384", "PS256", "ES256", "EdDSA"]
    {
        header_gets(&with(header(), "alg", json!(name)), TokenError::Signature);
    }
    for value in [json!(null), json!(["RS256"]), json!(256), json!({"RS256": 1})] {
        header_gets(&with(header(), "alg", value), TokenError::Signature);
    }
    header_gets(&without(header(), "alg"), TokenError::Signature);
    for (name, algorithm) in
        [("RS512", Algorithm::RS512), ("RS384", Algorithm::RS384), ("PS256", Algorithm::PS256)]
    {
        // Said and done, and done without being said.
        let honest = with(header(), "alg", json!(name)).to_string();
        gets(&signed_by(0, algorithm, &honest, &payload), TokenError::Signature);
        gets(&signed_by(0, algorithm, &header().to_string(), &payload), TokenError::Signature);
    }
}

#[test]
fn a_token_without_a_signature_is_refused() {
    for name in ["none", "RS256"] {
        let header = with(header(), "alg", json!(name)).to_string();
        let message = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(good().to_string())
        );
        gets(&format!("{message}."), TokenError::Signature);
        gets(&format!("{message}.AA"), TokenError::Signature);
        gets(&format!("{message}.{}", "A".repeat(342)), TokenError::Signature);
    }
}

#[test]
fn the_public_key_is_no_shared_secret() {
    let jwks = ring().jwks(HERE);
    let modulus = jwks["keys"][0]["n"].as_str().unwrap();
    let der = URL_SAFE_NO_PAD.decode(modulus).unwrap();
    for secret in
        [modulus.as_bytes(), &der, STANDARD.encode(&der).as_bytes(), jwks.to_string().as_bytes()]
    {
        let header = with(header(), "alg", json!("HS256")).to_string();
        let message = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(good().to_string())
        );
        let signature = jsonwebtoken::crypto::sign(
            message.as_bytes(),
            &EncodingKey::from_secret(secret),
            Algorithm::HS256,
        )
        .unwrap();
        gets(&format!("{message}.{signature}"), TokenError::Signature);
    }
}

#[test]
fn an_unknown_key_id_is_refused_whatever_it_looks_like() {
    let own = key(0).kid(HERE);
    for kid in [
        json!(""),
        json!("unknown"),
        json!("../../../../dev/null"),
        json!("/etc/passwd"),
        json!("' OR '1'='1"),
        json!("1; DROP TABLE users"),
        json!("key\u{0}"),
        json!(null),
        json!(0),
        json!(true),
        json!([own]),
        json!({"kid": own}),
        json!(own.to_uppercase()),
        json!(format!(" {own}")),
        json!(format!("{own}\n")),
        json!(own[..21]),
        json!(format!("{own}A")),
        json!("x".repeat(3000)),
        json!("https://evil.example/key"),
    ] {
        header_gets(&with(header(), "kid", kid), TokenError::Signature);
    }
    header_gets(&without(header(), "kid"), TokenError::Signature);
}

#[test]
fn the_key_id_of_another_of_our_keys_does_not_help() {
    for other in 1..4 {
        header_gets(&with(header(), "kid", json!(key(other).kid(HERE))), TokenError::Signature);
    }
    // A key that was never ours, under its own name and under ours.
    for kid in [key(3).kid(HERE), key(0).kid(HERE)] {
        let header = with(header(), "kid", json!(kid)).to_string();
        gets(&signed_by(3, Algorithm::RS256, &header, &good().to_string()), TokenError::Signature);
    }
}

#[test]
fn a_token_of_another_tenant_has_an_unknown_key() {
    for other in [
        TokenTenant { uid: 8, id: "acme" },
        TokenTenant { uid: 7, id: "acmf" },
        TokenTenant { uid: 7, id: "" },
        TokenTenant { uid: 7, id: "acme " },
    ] {
        let token = ring().sign(other, &claims());
        gets(&token, TokenError::Signature);
        assert_eq!(ring().verify(other, &token, &EXPECT), Ok(claims()));
    }
}

#[test]
fn keys_that_a_header_brings_along_are_not_used() {
    let stranger = KeyRing::new(key(3), None, vec![]);
    let jwk = stranger.jwks(HERE)["keys"][0].clone();
    for (name, value) in [
        ("jku", json!("https://evil.example/jwks.json")),
        ("x5u", json!("https://evil.example/cert.pem")),
        ("jwk", jwk),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("AAAA")),
    ] {
        let header = with(header(), name, value).to_string();
        gets(&signed_by(3, Algorithm::RS256, &header, &good().to_string()), TokenError::Signature);
        // With our own signature they are just ignored.
        is_accepted(&signed_by(0, Algorithm::RS256, &header, &good().to_string()));
    }
    is_accepted(&signed(&with(header(), "jwk", json!("not a key at all")), &good()));
}

#[test]
fn what_must_be_understood_is_not() {
    for crit in [
        json!(["exp"]),
        json!(["b64"]),
        json!(["http://example.com/x"]),
        json!([]),
        json!(null),
        json!("exp"),
        json!(1),
    ] {
        header_gets(&with(header(), "crit", crit), TokenError::Signature);
    }
    header_gets(
        &with(with(header(), "b64", json!(false)), "crit", json!(["b64"])),
        TokenError::Signature,
    );
}

#[test]
fn a_header_is_one_object_said_once() {
    let kid = key(0).kid(HERE);
    for header in [
        format!(r#"{{"alg":"none","alg":"RS256","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"RS256","alg":"RS256","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"RS256","kid":"x","kid":"{kid}"}}"#),
        format!(r#"{{"alg":"RS256","kid":"{kid}"}}{{}}"#),
        format!(r#"{{"alg":"RS256","kid":"{kid}""#),
        format!("\u{feff}{{\"alg\":\"RS256\",\"kid\":\"{kid}\"}}"),
        format!("{{'alg':'RS256','kid':'{kid}'}}"),
        format!(r#"[{{"alg":"RS256","kid":"{kid}"}}]"#),
        "null".to_owned(),
        "{}".to_owned(),
        String::new(),
        "[".repeat(1000),
    ] {
        gets(&signed_by(0, Algorithm::RS256, &header, &good().to_string()), TokenError::Signature);
    }
    header_gets(&with(header(), "typ", json!("JWE")), TokenError::Signature);
    header_gets(&with(header(), "typ", json!(1)), TokenError::Signature);
    is_accepted(&signed(&without(header(), "typ"), &good()));
    is_accepted(&signed(&with(header(), "typ", json!("jwt")), &good()));
}

#[test]
fn a_header_may_not_be_a_list_that_serde_would_take_for_an_object() {
    let kid = key(0).kid(HERE);
    let header = json!(["RS256", kid, "JWT"]).to_string();
    gets(&signed_by(0, Algorithm::RS256, &header, &good().to_string()), TokenError::Signature);
}

#[test]
fn a_token_has_three_parts() {
    let token = signed(&header(), &good());
    let dots: Vec<usize> = token.match_indices('.').map(|(place, _)| place).collect();
    for text in [
        "",
        ".",
        "a",
        "a.b",
        "a.b.c.d",
        "....",
        &token[..dots[0]],
        &token[..=dots[0]],
        &token[..dots[1]],
        &token[dots[0]..dots[1]],
        &format!("{token}."),
        &format!(".{token}"),
        &format!("{token}.{token}"),
        &token.replace('.', ".."),
        &token.replace('.', ","),
        &token.replace('.', "%2E"),
    ] {
        gets(text, TokenError::Malformed);
    }
    for text in [
        "..",
        "a.b.c",
        &token[..=dots[1]],
        &token[dots[0]..],
        &format!(".{}", &token[dots[0] + 1..]),
    ] {
        gets(text, TokenError::Signature);
    }
}

#[test]
fn a_token_cut_or_changed_anywhere_is_refused() {
    let token = ring().sign(HERE, &claims());
    for place in 0..token.len() {
        let (before, after) = token.split_at(place);
        assert!(ring().verify(HERE, before, &EXPECT).is_err(), "cut at {place}");
        let other = if after.starts_with('A') { "B" } else { "A" };
        let changed = format!("{before}{other}{}", &after[1..]);
        assert!(ring().verify(HERE, &changed, &EXPECT).is_err(), "changed at {place}");
    }
}

#[test]
fn a_token_is_written_in_one_way_only() {
    let token = signed(&header(), &good());
    let parts: Vec<&str> = token.split('.').collect();
    for text in [
        format!(" {token}"),
        format!("{token} "),
        format!("{token}\n"),
        format!("\t{token}"),
        format!("{token}\0"),
        format!("{token}="),
        format!("{token}=="),
        token.replace('.', " . "),
        format!("\u{feff}{token}"),
        format!("{}=.{}.{}", parts[0], parts[1], parts[2]),
        format!("{}.{}\n.{}", parts[0], parts[1], parts[2]),
        format!("{}.{}=.{}", parts[0], parts[1], parts[2]),
        token.replace('-', "+").replace('_', "/") + "+/",
    ] {
        gets(&text, TokenError::Signature);
    }
    // Padding under a true signature.
    let private = EncodingKey::from_rsa_pem(PEMS[0].as_bytes()).unwrap();
    let mut payload = good().to_string();
    while payload.len() % 3 != 1 {
        payload.push(' ');
    }
    let message = format!("{}.{}", parts[0], URL_SAFE.encode(&payload));
    assert!(message.ends_with("=="));
    let signature =
        jsonwebtoken::crypto::sign(message.as_bytes(), &private, Algorithm::RS256).unwrap();
    gets(&format!("{message}.{signature}"), TokenError::Invalid("the claims are not base64url"));
}

#[test]
fn a_token_that_is_too_long_is_not_looked_at() {
    gets(&"a".repeat(MAX_TOKEN_BYTES + 1), TokenError::TooLarge);
    gets(&".".repeat(100_000), TokenError::TooLarge);
    gets(
        &signed(&header(), &with(good(), "pad", json!("x".repeat(MAX_TOKEN_BYTES)))),
        TokenError::TooLarge,
    );
    gets(&"a".repeat(MAX_TOKEN_BYTES), TokenError::Malformed);
}
