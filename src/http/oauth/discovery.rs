//! What other programs look up: the keys, and where everything is (CONTRACT.md §1.3).

use super::{assertion, token};
use crate::domain::json::{self, Builder};
use crate::http::PLAIN_JSON;
use crate::http::call::Call;
use crate::http::services::token_tenant;
use actix_web::HttpResponse;
use actix_web::http::header;

/// Short, so that a rotated key is soon seen; next keys are published early all the same.
const CACHED: &str = "public, max-age=15, stale-while-revalidate=15, stale-if-error=86400";

fn published(body: String) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, PLAIN_JSON))
        .insert_header((header::CACHE_CONTROL, CACHED))
        .body(body)
}

pub(super) fn keys(call: &Call) -> HttpResponse {
    published(call.services.keys().jwks(token_tenant(&call.tenant)).to_string())
}

pub(super) fn configuration(call: &Call) -> HttpResponse {
    published(document(&call.origin()))
}

/// Only what there is: no address where nothing answers.
fn document(origin: &str) -> String {
    let at = |path: &str| format!("{origin}{path}");
    let list = |items: &[&str]| json::array_of(items);
    let mut out = Builder::new();
    out.string("issuer", &at("/"))
        .string("token_endpoint", &at("/oauth/token"))
        .string("userinfo_endpoint", &at("/userinfo"))
        .string("jwks_uri", &at("/.well-known/jwks.json"))
        .string("revocation_endpoint", &at("/oauth/revoke"))
        .raw("grant_types_supported", &list(&token::GRANT_TYPES))
        .raw("scopes_supported", &list(&["openid", "profile", "email", "offline_access"]))
        .raw("response_types_supported", "[]")
        .raw("subject_types_supported", &list(&["public"]))
        .raw("id_token_signing_alg_values_supported", &list(&["RS256"]))
        .raw(
            "token_endpoint_auth_methods_supported",
            &list(&["client_secret_basic", "client_secret_post", "private_key_jwt", "none"]),
        )
        .raw("token_endpoint_auth_signing_alg_values_supported", &list(&assertion::ALGORITHMS))
        .raw(
            "claims_supported",
            &list(&[
                "aud",
                "email",
                "email_verified",
                "exp",
                "family_name",
                "given_name",
                "iat",
                "iss",
                "name",
                "nickname",
                "picture",
                "sub",
                "updated_at",
            ]),
        )
        .flag("request_uri_parameter_supported", Some(false))
        .flag("request_parameter_supported", Some(false));
    out.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::oauth::ROUTES;

    #[test]
    fn the_issuer_is_the_origin_with_a_slash_and_every_address_is_a_route() {
        let origin = "https://localhost:7843";
        let found: serde_json::Value = serde_json::from_str(&document(origin)).unwrap();
        assert_eq!(found["issuer"], "https://localhost:7843/");
        for (name, value) in found.as_object().unwrap() {
            if let Some(path) = value.as_str().and_then(|url| url.strip_prefix(origin))
                && path != "/"
            {
                assert!(ROUTES.iter().any(|route| route.path == path), "{name}");
            }
        }
    }
}
