//! Tokens that were tampered with, end to end (CONTRACT.md §6.2).

use super::Bench;
use crate::harness::house::{NOW, claims, everything};
use actix_rt::System;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dossier::http::tokens::Audience;
use serde_json::{Value, json};

const EXPIRED: &str = "Expired token received for JSON Web Token validation";
const SIGNATURE: &str = "Invalid signature received for JSON Web Token validation";
const INVALID: &str = "Invalid token";
const FORMAT: &str = "Bad HTTP authentication header format";

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// The token with another header.
fn with_header(token: &str, change: impl Fn(&mut Value)) -> String {
    let (header, rest) = token.split_once('.').unwrap();
    let mut header: Value =
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    change(&mut header);
    format!("{}.{rest}", encoded(&header))
}

/// A token signed with HMAC by whatever bytes.
fn hmac(bench: &Bench, secret: &[u8]) -> String {
    let tenant = bench.house.tenant();
    let good = bench.token(&everything());
    let header = with_header(&good, |header| header["alg"] = json!("HS256"));
    let header = header.split_once('.').unwrap().0.to_owned();
    let payload = encoded(&serde_json::to_value(claims(tenant, &everything())).unwrap());
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
    let signature = aws_lc_rs::hmac::sign(&key, format!("{header}.{payload}").as_bytes());
    format!("{header}.{payload}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
}

#[test]
#[expect(clippy::too_many_lines, reason = "most of it is a table")]
fn a_token_that_is_not_ours_for_now_and_here_is_refused_in_auth0s_words() {
    System::new().block_on(async {
        let bench = Bench::start().await;
        let tenant = bench.house.tenant();
        let good = bench.token(&everything());
        let of = |change: &dyn Fn(&mut dossier::http::tokens::Claims)| {
            let mut own = claims(tenant, &everything());
            change(&mut own);
            bench.house.sign(tenant, &own)
        };
        let without_signature = format!("{}.", good.rsplit_once('.').unwrap().0);
        let (_, jwks) =
            bench.house.ask("localhost", "GET", "/.well-known/jwks.json", &[], "").await;
        let modulus = jwks["keys"][0]["n"].as_str().unwrap();
        let mut flipped = good.clone().into_bytes();
        let middle = flipped.len() - 40;
        flipped[middle] = if flipped[middle] == b'A' { b'B' } else { b'A' };
        let cases: Vec<(&str, String, u16, &str)> = vec![
            (
                "no algorithm",
                with_header(&without_signature, |own| own["alg"] = json!("none")),
                401,
                SIGNATURE,
            ),
            (
                "no algorithm, in other letters",
                with_header(&without_signature, |own| own["alg"] = json!("nOnE")),
                401,
                SIGNATURE,
            ),
            ("no signature", without_signature.clone(), 401, SIGNATURE),
            ("HMAC with the public key as text", hmac(&bench, modulus.as_bytes()), 401, SIGNATURE),
            (
                "HMAC with the public key",
                hmac(&bench, &URL_SAFE_NO_PAD.decode(modulus).unwrap()),
                401,
                SIGNATURE,
            ),
            ("HMAC with nothing", hmac(&bench, b""), 401, SIGNATURE),
            ("one letter of the signature", String::from_utf8(flipped).unwrap(), 401, SIGNATURE),
            (
                "an unknown key",
                with_header(&good, |own| own["kid"] = json!("unknown")),
                401,
                SIGNATURE,
            ),
            (
                "a path as key",
                with_header(&good, |own| own["kid"] = json!("../../keys/keyring.toml")),
                401,
                SIGNATURE,
            ),
            (
                "another key beside",
                with_header(&good, |own| own["jwk"] = jwks["keys"][0].clone()),
                401,
                SIGNATURE,
            ),
            (
                "a key from elsewhere",
                with_header(&good, |own| own["jku"] = json!("http://127.0.0.1:1/jwks")),
                401,
                SIGNATURE,
            ),
            ("another tenant's", bench.house.token(&bench.alpha, &everything()), 401, SIGNATURE),
            (
                "another tenant's claims, our key",
                bench.house.sign(tenant, &claims(&bench.alpha, &everything())),
                401,
                SIGNATURE,
            ),
            (
                "our claims, another tenant's key",
                bench.house.sign(&bench.alpha, &claims(tenant, &everything())),
                401,
                SIGNATURE,
            ),
            ("it is over", of(&|own| own.exp = NOW.seconds() - 60), 401, EXPIRED),
            ("not yet", of(&|own| own.nbf = Some(NOW.seconds() + 600)), 401, INVALID),
            ("another issuer", of(&|own| own.iss = "http://evil/".to_owned()), 401, SIGNATURE),
            (
                "another audience",
                of(&|own| own.aud = Audience::One("urn:x".to_owned())),
                401,
                SIGNATURE,
            ),
            ("no audience", of(&|own| own.aud = Audience::Many(Vec::new())), 401, SIGNATURE),
            (
                "an audience that only begins like ours",
                of(&|own| own.aud = Audience::One("http://localhost/api/v2/x".to_owned())),
                401,
                SIGNATURE,
            ),
            ("a client that is gone", of(&|own| own.azp = Some("gone".to_owned())), 401, INVALID),
            ("two parts", good.rsplit_once('.').unwrap().0.to_owned(), 400, FORMAT),
            ("no token at all", "garbage".to_owned(), 400, FORMAT),
            ("four parts", format!("{good}.x"), 400, FORMAT),
            ("far too long", "a".repeat(20_000), 400, FORMAT),
        ];
        let target = super::named("/api/v2/users/{user}", &bench.own);
        for (what, token, status, message) in cases {
            let bearer = format!("Bearer {token}");
            let headers = [("Authorization", bearer.as_str())];
            let told = bench.house.ask("localhost", "GET", &target, &headers, "").await;
            assert_eq!((told.0, told.1["message"].as_str()), (status, Some(message)), "{what}");
        }
        let bearer = format!("Bearer {good}");
        let once = [("Authorization", bearer.as_str())];
        assert_eq!(bench.house.ask("localhost", "GET", &target, &once, "").await.0, 200);
        let twice = [once[0], once[0]];
        assert_eq!(bench.house.ask("localhost", "GET", &target, &twice, "").await.0, 400);
        let forwarded =
            [("Authorization", bearer.as_str()), ("X-Forwarded-Host", "alpha.localhost")];
        assert_eq!(bench.house.ask("localhost", "GET", &target, &forwarded, "").await.0, 200);
        let in_query = format!("{target}?access_token={good}");
        assert_eq!(bench.house.ask("localhost", "GET", &in_query, &[], "").await.0, 401);
    });
}
