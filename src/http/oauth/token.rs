//! The token endpoints: who asks, for which kind of token, and the shape of the answer.

use super::clients::{self, KnownClient};
use super::fields::Fields;
use super::{machine, password, refresh, refusal};
use crate::domain::json::Builder;
use crate::domain::scope::Scopes;
use crate::http::PLAIN_JSON;
use crate::http::call::Call;
use crate::http::problem::Problem;
use crate::http::services::token_tenant;
use actix_web::HttpResponse;
use actix_web::http::header;
use serde::Serialize;
use std::time::Duration;

/// Whose words an endpoint uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manners {
    /// `/oauth/token`: as Auth0.
    Auth0,
    /// `/connect/token`: as RFC 6749, for callers of the key/value metadata.
    Plain,
}

const PASSWORD_REALM: &str = "http://auth0.com/oauth/grant-type/password-realm";

/// Answers a request for a token, and writes down when it is refused.
pub(super) async fn issue(mut call: Call, manners: Manners) -> Result<HttpResponse, Problem> {
    answer(&mut call, manners).await.map_err(|problem| {
        if matches!(problem.status, 401 | 403) {
            log::warn!(
                tenant = call.tenant.id(), request_id = call.request_id, peer = call.peer(),
                status = problem.status, error = problem.code;
                "a token was refused"
            );
        }
        match manners {
            Manners::Auth0 => problem,
            Manners::Plain => refusal::plain(problem),
        }
    })
}

async fn answer(call: &mut Call, manners: Manners) -> Result<HttpResponse, Problem> {
    let fields = Fields::of(call).await?;
    let grant_type = fields.need("grant_type")?;
    let kind = Kind::named(grant_type).ok_or_else(refusal::grant_not_supported)?;
    let known = clients::authenticate(call, &fields)?;
    if !known.client.allows_grant(grant_type) {
        return Err(refusal::grant_not_allowed(grant_type));
    }
    let KnownClient { client, is_proven } = known;
    match kind {
        // A token for the client itself goes to nobody who did not prove to be it.
        Kind::ClientCredentials if !is_proven => Err(refusal::unknown_client(false)),
        Kind::ClientCredentials => machine::grant(call, &client, &fields, manners),
        Kind::Password => password::grant(call, &client, &fields, fields.get("realm")).await,
        Kind::PasswordRealm => {
            let realm = fields.need("realm")?;
            password::grant(call, &client, &fields, Some(realm)).await
        }
        Kind::RefreshToken => refresh::grant(call, &client, &fields).await,
    }
}

/// The ways to get a token.
#[derive(Clone, Copy, Debug)]
enum Kind {
    ClientCredentials,
    Password,
    PasswordRealm,
    RefreshToken,
}

impl Kind {
    fn named(name: &str) -> Option<Self> {
        match name {
            "client_credentials" => Some(Self::ClientCredentials),
            "password" => Some(Self::Password),
            PASSWORD_REALM => Some(Self::PasswordRealm),
            "refresh_token" => Some(Self::RefreshToken),
            _ => None,
        }
    }
}

/// The grant types of [`Kind`], for discovery.
pub(super) const GRANT_TYPES: [&str; 4] =
    ["client_credentials", "password", PASSWORD_REALM, "refresh_token"];

/// What an answer gives, besides the access token.
#[derive(Default)]
pub(super) struct Given<'a> {
    /// What there is to get new tokens with.
    pub(super) refresh_token: Option<&'a str>,
    /// Who signed in.
    pub(super) id_token: Option<&'a str>,
}

/// The answer with a token (CONTRACT.md §1.1).
pub(super) fn bearer(
    access_token: &str,
    lifetime: i64,
    scope: &Scopes,
    given: &Given<'_>,
) -> HttpResponse {
    let mut body = Builder::with_capacity(access_token.len() + 256);
    body.string("access_token", access_token)
        .optional("refresh_token", given.refresh_token)
        .optional("id_token", given.id_token)
        .raw("expires_in", &lifetime.to_string())
        .string("token_type", "Bearer");
    if !scope.text().is_empty() {
        body.string("scope", scope.text());
    }
    uncached(body.finish())
}

/// The answer v1 gives: two members, `bearer` in lower case (CONTRACT.md §9).
pub(super) fn bearer_of_v1(access_token: &str) -> HttpResponse {
    let mut body = Builder::with_capacity(access_token.len() + 64);
    body.string("access_token", access_token).string("token_type", "bearer");
    uncached(body.finish())
}

/// Signs claims; a rehearsal shows what a token would say, and leaves off what makes it worth
/// anything.
pub(super) fn sign(call: &Call, claims: &impl Serialize) -> String {
    let mut text = call.services.keys().sign(token_tenant(&call.tenant), claims);
    if call.is_rehearsed() {
        text.truncate(text.rfind('.').map_or(0, |dot| dot + 1));
    }
    text
}

fn uncached(body: String) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, PLAIN_JSON))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::PRAGMA, "no-cache"))
        .body(body)
}

/// A length of time in whole seconds, as tokens count.
pub(super) fn seconds(time: Duration) -> i64 {
    i64::try_from(time.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::body::MessageBody;

    #[track_caller]
    fn check(response: HttpResponse, body: &str) {
        let header = |name: &str| response.headers().get(name).unwrap().to_str().unwrap();
        assert_eq!(header("content-type"), "application/json");
        assert_eq!(header("cache-control"), "no-store");
        assert_eq!(header("pragma"), "no-cache");
        assert_eq!(response.into_body().try_into_bytes().unwrap(), body.as_bytes());
    }

    #[test]
    fn answers_have_the_members_clients_look_for() {
        let scope = Scopes::parse("read:users");
        check(
            bearer("a.b.c", 86_400, &scope, &Given::default()),
            r#"{"access_token":"a.b.c","expires_in":86400,"token_type":"Bearer","scope":"read:users"}"#,
        );
        check(
            bearer("a.b.c", 86_400, &Scopes::default(), &Given::default()),
            r#"{"access_token":"a.b.c","expires_in":86400,"token_type":"Bearer"}"#,
        );
        let given = Given { refresh_token: Some("r"), id_token: Some("i") };
        check(
            bearer("a", 7200, &Scopes::parse("openid"), &given),
            r#"{"access_token":"a","refresh_token":"r","id_token":"i","expires_in":7200,"token_type":"Bearer","scope":"openid"}"#,
        );
        check(bearer_of_v1("a"), r#"{"access_token":"a","token_type":"bearer"}"#);
    }

    #[test]
    fn every_published_grant_type_is_one() {
        assert!(GRANT_TYPES.iter().all(|name| Kind::named(name).is_some()));
        assert!(Kind::named("authorization_code").is_none());
    }
}
