//! Tokens for who tries things out: a short one for a client, and what is wrong with one.
//!
//! Whoever may read a client's secret can have a token of it anyway; here they need not handle the
//! secret. A token made here never allows more than its client was granted, nor more than who asks.

use super::route;
use crate::domain::json::{self, Builder, Object};
use crate::domain::scope::{Scope, Scopes};
use crate::http::answer::json as json_answer;
use crate::http::call::Call;
use crate::http::oauth;
use crate::http::openapi::detail::{Detail, Takes};
use crate::http::problem::Problem;
use crate::http::route::Route;
use crate::http::schema::{self, Extra, Schema, Shape, property};
use crate::http::tokens::MAX_TOKEN_BYTES;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Seconds a token lives when nobody says.
const DEFAULT_SECONDS: i64 = 600;

/// The longest that a token made here lives.
const MAX_SECONDS: i64 = 3600;

/// The routes of this module.
pub static ROUTES: &[Route] = &[
    route(
        "POST",
        "/dossier/v1/tokens",
        &[Scope::READ_CLIENT_KEYS],
        "Make a short-lived token of the management API for a client",
        |call| Box::pin(mint(call)),
    ),
    route(
        "POST",
        "/dossier/v1/tokens/inspect",
        &[Scope::READ_CLIENTS],
        "Say what a token says, and whether it is taken here",
        |call| Box::pin(inspect(call)),
    ),
];

/// What they take.
pub static DETAILS: &[Detail] = &[
    Detail::of("POST", &["/dossier/v1/tokens"]).takes(Takes::Json(&[&NEW])),
    Detail::of("POST", &["/dossier/v1/tokens/inspect"])
        .takes(Takes::Json(&[&SHOWN]))
        .statuses(&[200]),
];

static NEW: Schema = Schema {
    properties: &[
        property("client_id", Shape::Text(1, 255), "The client the token speaks for"),
        property("scopes", Shape::Strings, "What it allows; default: all the client was granted"),
        property("ttl", Shape::Integer(60, MAX_SECONDS), "Validity in seconds, default 600"),
    ],
    required: &["client_id"],
    extra: Extra::Refuse(""),
};

static SHOWN: Schema = Schema {
    properties: &[property("token", Shape::Text(1, MAX_TOKEN_BYTES), "The token")],
    required: &["token"],
    extra: Extra::Refuse(""),
};

async fn mint(mut call: Call) -> Result<HttpResponse, Problem> {
    let body = call.json().await?;
    NEW.check(&body)?;
    let id = body.get_str("client_id").unwrap_or_default();
    let missing = || Problem::new(404, "inexistent_client", "The client does not exist");
    let client = call.tenant.published().client(&id).ok_or_else(missing)?;
    let granted = oauth::granted_for_management(&call, &client).ok_or_else(|| {
        let text = "The client was not granted the management API, so it can have no token of it.";
        Problem::new(403, "access_denied", text)
    })?;
    let scopes = scopes(&call, &granted, body.get_strings("scopes"))?;
    let wanted = body.get("ttl").and_then(|raw| raw.parse().ok()).unwrap_or(DEFAULT_SECONDS);
    let (token, lifetime) = oauth::signed_for_management(&call, &client, &scopes, wanted);
    if token.len() > MAX_TOKEN_BYTES {
        return Err(Problem::body("The token would be too long to be taken: choose fewer scopes."));
    }
    if !call.is_rehearsed() {
        log::info!(tenant = call.tenant.id(), client_id = client.id, by = call.caller.subject, request_id = call.request_id; "made a token");
    }
    let mut out = Builder::new();
    out.string("access_token", &token)
        .string("token_type", "Bearer")
        .string("scope", scopes.text())
        .raw("expires_in", &lifetime.to_string());
    Ok(json_answer(StatusCode::CREATED, out.finish()))
}

/// The scopes of a new token: within what its client was granted and its maker may do.
fn scopes(call: &Call, granted: &Scopes, wanted: Option<Vec<String>>) -> Result<Scopes, Problem> {
    let may = |name: &str| {
        granted.names(name)
            && Scope::parse(name).is_some_and(|own| call.caller.scopes.contains(own))
    };
    let chosen = match wanted {
        Some(wanted) => {
            if let Some(beyond) = wanted.iter().find(|name| !may(name)) {
                let text = format!("The client, or you, were not granted the scope {beyond:?}");
                return Err(Problem::body(schema::message(&text, "scopes", "")));
            }
            wanted
        }
        None => granted.text().split(' ').filter(|name| may(name)).map(str::to_owned).collect(),
    };
    Ok(Scopes::parse(&chosen.join(" ")))
}

async fn inspect(mut call: Call) -> Result<HttpResponse, Problem> {
    let body = call.json().await?;
    SHOWN.check(&body)?;
    let token = body.get_str("token").unwrap_or_default().trim().to_owned();
    let mut parts = token.split('.').map(part);
    let (header, claims) = (parts.next().flatten(), parts.next().flatten());
    let mut out = Builder::new();
    for (key, part) in [("header", &header), ("claims", &claims)] {
        out.raw(key, part.as_ref().map_or("null", Object::as_json));
    }
    let verified = call.verified_or_why(&token);
    out.flag("valid", Some(verified.is_ok()));
    if let Err(error) = &verified {
        out.string("reason", &error.to_string());
    }
    let unknown: Vec<String> = claims
        .and_then(|claims| claims.get_str("scope").map(std::borrow::Cow::into_owned))
        .map(|text| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .unwrap_or_default()
        .into_iter()
        .filter(|name| Scope::parse(name).is_none())
        .collect();
    out.raw("unknown_scopes", &json::array_of(&unknown));
    Ok(json_answer(StatusCode::OK, out.finish()))
}

/// One part of a token, if it is an object.
fn part(text: &str) -> Option<Object> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    Object::parse(std::str::from_utf8(&bytes).ok()?, 16).ok()
}
