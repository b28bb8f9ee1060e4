//! OAuth 2 and `OpenID` Connect, as far as Auth0's clients use them (CONTRACT.md §1, §8.2).
//!
//! Clients prove who they are and get tokens for machines; users sign in with a
//! password and get tokens that speak for them. What a client may have is written in
//! its grants; what a token says is put together in `claims`, the one place that
//! does. Every refusal is a row of `refusal`.

mod api;
mod assertion;
mod claims;
mod clients;
mod discovery;
mod fields;
mod machine;
mod password;
mod refresh;
mod refusal;
mod revoke;
mod signup;
mod token;
mod userinfo;
mod users;

pub(super) use machine::{granted_for_management, signed_for_management};

pub use assertion::UsedAssertions;

use super::call::Call;
use super::openapi::detail::{Detail, Takes};
use super::route::{Access, Answering, Dialect, Route};

const fn route(
    method: &'static str,
    path: &'static str,
    access: Access,
    summary: &'static str,
    handler: fn(Call) -> Answering,
) -> Route {
    Route { method, path, dialect: Dialect::OAuth, access, summary, handler }
}

/// The routes of this dialect.
pub static ROUTES: &[Route] = &[
    route("POST", "/oauth/token", Access::Own, "Get a token", |call| {
        Box::pin(token::issue(call, token::Manners::Auth0))
    }),
    route(
        "POST",
        "/connect/token",
        Access::Own,
        "Get a token for the key/value metadata",
        |call| Box::pin(token::issue(call, token::Manners::Plain)),
    ),
    route("POST", "/oauth/revoke", Access::Own, "Revoke a refresh token", |call| {
        Box::pin(revoke::revoke(call))
    }),
    route("GET", "/userinfo", Access::Own, "Who the token speaks for", |call| {
        Box::pin(userinfo::show(call))
    }),
    route("POST", "/userinfo", Access::Own, "Who the token speaks for", |call| {
        Box::pin(userinfo::show(call))
    }),
    route(
        "GET",
        "/.well-known/jwks.json",
        Access::Open,
        "The keys tokens are signed with",
        |call| Box::pin(async move { Ok(discovery::keys(&call)) }),
    ),
    route(
        "GET",
        "/.well-known/openid-configuration",
        Access::Open,
        "What there is, and where",
        |call| Box::pin(async move { Ok(discovery::configuration(&call)) }),
    ),
    route("POST", "/dbconnections/signup", Access::Open, "Sign up as a user", |call| {
        Box::pin(signup::sign_up(call))
    }),
];

/// What they take.
pub static DETAILS: &[Detail] = &[
    Detail::of("POST", &["/oauth/token", "/connect/token"])
        .takes(Takes::Form(
            &["grant_type"],
            &[
                "client_id",
                "client_secret",
                "client_assertion",
                "client_assertion_type",
                "audience",
                "scope",
                "username",
                "password",
                "realm",
                "refresh_token",
            ],
        ))
        .statuses(&[200]),
    Detail::of("POST", &["/oauth/revoke"])
        .takes(Takes::Form(
            &["token"],
            &["client_id", "client_secret", "client_assertion", "client_assertion_type"],
        ))
        .statuses(&[200]),
    Detail::of("POST", &["/userinfo"]).statuses(&[200]),
    Detail::of("POST", &["/dbconnections/signup"])
        .takes(Takes::Object)
        .statuses(&[200])
        .errors("SignupError"),
];
