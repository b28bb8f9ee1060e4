//! Tokens that are truly signed and claim what they should not.

use super::*;

const TYPED: TokenError =
    TokenError::Invalid("a claim is missing, there twice or of the wrong type");

#[track_caller]
fn claims_get(payload: &Value, error: TokenError) {
    gets(&signed(&header(), payload), error);
}

#[test]
fn claims_that_are_needed_are_needed() {
    for name in ["iss", "sub", "aud", "exp", "iat"] {
        claims_get(&without(good(), name), TYPED);
        for value in [json!(null), json!({}), json!(true), json!([[]]), json!(1.5)] {
            claims_get(&with(good(), name, value), TYPED);
        }
    }
    claims_get(&json!({}), TYPED);
}

#[test]
fn times_are_whole_seconds() {
    for name in ["exp", "iat", "nbf"] {
        for value in [
            json!("1900000000"),
            json!("never"),
            json!(1.9e9),
            json!([1_900_000_000]),
            json!(null),
            json!(u64::MAX),
            json!(1e300),
        ] {
            claims_get(&with(good(), name, value), TYPED);
        }
        claims_get(&with(good(), name, json!(-1)), TokenError::Invalid("a time is before 1970"));
    }
    is_accepted(&signed(&header(), &with(good(), "exp", json!(i64::MAX))));
}

#[test]
fn names_are_texts() {
    for name in ["iss", "sub", "scope", "gty", "azp"] {
        for value in [json!(7), json!([ISSUER]), json!({"x": ISSUER}), json!(false), json!(null)] {
            claims_get(&with(good(), name, value), TYPED);
        }
    }
    claims_get(&with(good(), "sub", json!("")), TokenError::Invalid("sub is empty"));
}

#[test]
fn a_claim_said_twice_is_refused() {
    let payload = good().to_string();
    for twice in [
        r#""sub":"admin@clients","#,
        r#""aud":"x","#,
        r#""iss":"x","#,
        r#""exp":1,"#,
        r#""scope":"delete:users","#,
        r#""iat":1,"#,
        r#""azp":"x","#,
    ] {
        let payload = payload.replacen('{', &format!("{{{twice}"), 1);
        gets(&signed_by(0, Algorithm::RS256, &header().to_string(), &payload), TYPED);
    }
}

#[test]
fn a_payload_is_one_object() {
    let list = json!([ISSUER, "s", AUDIENCE, NOW, NOW + 60, NOW, "", "g", "a"]).to_string();
    gets(&signed_by(0, Algorithm::RS256, &header().to_string(), &list), TYPED);
    let not_json = TokenError::Invalid("the claims are not JSON");
    for (payload, error) in [
        ("null", TYPED),
        ("[]", TYPED),
        ("7", TYPED),
        ("\"text\"", TYPED),
        ("", not_json),
        ("{", not_json),
        ("{}}", TYPED),
        ("\u{feff}{}", not_json),
        ("{'iss':1}", not_json),
    ] {
        gets(&signed_by(0, Algorithm::RS256, &header().to_string(), payload), error);
    }
}

#[test]
fn the_audience_is_compared_whole() {
    for audience in [
        json!(""),
        json!([]),
        json!(["x", "y"]),
        json!("https://acme.localhost/api/v2"),
        json!("https://acme.localhost/api/v2/x"),
        json!("HTTPS://acme.localhost/api/v2/"),
        json!("http://acme.localhost/api/v2/"),
        json!("https://acme.localhost/userinfo"),
        json!("https://acme.localhost/api/v2/ https://x/"),
        json!("https://other.localhost/api/v2/"),
        json!("*"),
    ] {
        claims_get(&with(good(), "aud", audience), TokenError::WrongAudience);
    }
    for audience in [
        json!([AUDIENCE, 7]),
        json!([null, AUDIENCE]),
        json!([[AUDIENCE]]),
        json!({"a": AUDIENCE}),
        json!(7),
    ] {
        claims_get(&with(good(), "aud", audience), TYPED);
    }
    is_accepted(&signed(
        &header(),
        &with(good(), "aud", json!([AUDIENCE, "https://acme.localhost/userinfo"])),
    ));
    is_accepted(&signed(&header(), &with(good(), "aud", json!([AUDIENCE]))));
}

#[test]
fn the_issuer_is_compared_whole() {
    for issuer in [
        "",
        "https://acme.localhost",
        "https://acme.localhost//",
        "https://acme.localhost/x",
        "https://other.localhost/",
        "acme",
        "https://ACME.localhost/",
    ] {
        claims_get(&with(good(), "iss", json!(issuer)), TokenError::WrongIssuer);
    }
}

#[test]
fn nobody_expected_is_nobody_accepted() {
    let token = ring().sign(HERE, &claims());
    let nobody = Expect { issuers: &[], ..EXPECT };
    assert_eq!(ring().verify(HERE, &token, &nobody), Err(TokenError::WrongIssuer));
    let nowhere = Expect { audiences: &[], ..EXPECT };
    assert_eq!(ring().verify(HERE, &token, &nowhere), Err(TokenError::WrongAudience));
}

#[test]
fn one_of_several_expected_is_enough() {
    let token = ring().sign(HERE, &claims());
    let expect = Expect { issuers: &["x", ISSUER], audiences: &["y", AUDIENCE], ..EXPECT };
    assert_eq!(ring().verify(HERE, &token, &expect), Ok(claims()));
}

#[test]
fn a_token_ends_with_the_leeway_and_no_second_later() {
    for (exp, result) in [
        (NOW + 1, None),
        (NOW, None),
        (NOW - 4, None),
        (NOW - 5, Some(TokenError::Expired)),
        (NOW - 60, Some(TokenError::Expired)),
        (0, Some(TokenError::Expired)),
    ] {
        let token = signed(&header(), &with(good(), "exp", json!(exp)));
        assert_eq!(ring().verify(HERE, &token, &EXPECT).err(), result, "{exp}");
    }
}

#[test]
fn a_token_begins_with_the_leeway_and_no_second_earlier() {
    for (nbf, result) in [
        (NOW - 100, None),
        (NOW, None),
        (NOW + 5, None),
        (NOW + 6, Some(TokenError::NotYetValid)),
        (i64::MAX, Some(TokenError::NotYetValid)),
    ] {
        let token = signed(&header(), &with(good(), "nbf", json!(nbf)));
        assert_eq!(ring().verify(HERE, &token, &EXPECT).err(), result, "{nbf}");
    }
}

#[test]
fn permissions_and_unknown_claims_open_nothing() {
    let payload =
        with(with(good(), "permissions", json!(["delete:users"])), "scp", json!("delete:users"));
    assert_eq!(is_accepted(&signed(&header(), &payload)), claims());
}

#[test]
fn no_scope_is_no_scope() {
    let claims = is_accepted(&signed(&header(), &without(good(), "scope")));
    assert_eq!(claims.scope, "");
}

#[test]
fn errors_say_nothing_of_the_token() {
    let secret = "s3cr3t";
    for payload in [
        with(good(), "exp", json!(secret)),
        with(good(), secret, json!({})),
        with(good(), "sub", json!([secret])),
        with(good(), "iss", json!(secret)),
        with(good(), "aud", json!(secret)),
    ] {
        if let Err(error) = ring().verify(HERE, &signed(&header(), &payload), &EXPECT) {
            assert!(!format!("{error} {error:?}").contains(secret));
        }
    }
}

#[test]
fn the_signature_is_looked_at_before_the_claims() {
    let expired = signed(&header(), &with(good(), "exp", json!(1)));
    let (message, _) = expired.rsplit_once('.').unwrap();
    gets(&format!("{message}.AAAA"), TokenError::Signature);
    gets(&expired, TokenError::Expired);
}
