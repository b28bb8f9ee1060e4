//! `/api/v2/users/{id}/identities`: accounts under one profile (CONTRACT.md §2.6).

use super::{answer_at, route};
use crate::domain::change::Channel;
use crate::domain::command::Command;
use crate::domain::document::identities_json;
use crate::domain::json::{self, Kind, Object};
use crate::domain::permit::Forbidden;
use crate::domain::resource::ResourceKind;
use crate::domain::scope::Scope;
use crate::domain::user::UserId;
use crate::http::call::Call;
use crate::http::openapi::detail::{Detail, Takes};
use crate::http::problem::Problem;
use crate::http::route::Route;
use crate::http::schema::{self, Extra, Format, Schema, Shape, property};
use crate::tenant::{Answer, Published};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;

const LINK: &[Scope] = &[Scope::UPDATE_USERS, Scope::UPDATE_CURRENT_USER_IDENTITIES];

/// The routes of identities.
pub static ROUTES: &[Route] = &[
    route("POST", "/api/v2/users/{id}/identities", LINK, "Link an account to a user", |call| {
        Box::pin(link(call))
    }),
    route(
        "DELETE",
        "/api/v2/users/{id}/identities/{provider}/{user_id}",
        LINK,
        "Unlink an account from a user",
        |call| Box::pin(unlink(call)),
    ),
];

/// What they take.
pub static DETAILS: &[Detail] = &[
    Detail::of("POST", &["/api/v2/users/{id}/identities"]).takes(Takes::OneOf(&[&NAMED, &PROVED])),
    Detail::of("DELETE", &["/api/v2/users/{id}/identities/{provider}/{user_id}"]).statuses(&[200]),
];

/// The account named by provider and id.
static NAMED: Schema = Schema {
    properties: &[
        property(
            "provider",
            Shape::Text(1, 64),
            "Identity provider of the secondary user account being linked",
        ),
        property("user_id", Shape::Any, "user_id of the secondary user account being linked"),
        property(
            "connection_id",
            Shape::Formatted(1, 255, Format::ConnectionId),
            "connection_id of the secondary user account being linked when more than one auth0 database provider exists",
        ),
    ],
    required: &["user_id"],
    extra: Extra::Refuse(""),
};

/// The account that proves itself with a token.
static PROVED: Schema = Schema {
    properties: &[property(
        "link_with",
        Shape::Text(1, 16_384),
        "JWT for the secondary account being linked",
    )],
    required: &["link_with"],
    extra: Extra::Refuse(""),
};

async fn link(mut call: Call) -> Result<HttpResponse, Problem> {
    let primary = call.user_id()?;
    let body = call.json().await?;
    let secondary = if body.contains("link_with") {
        PROVED.check(&body)?;
        proved(&call, &body.get_str("link_with").unwrap_or_default())?
    } else {
        // Without proof, naming somebody else's account takes the right to change any user.
        const ANY: &[Scope] = &[Scope::UPDATE_USERS];
        if !call.caller.has_any(ANY) {
            return Err(Forbidden::Members { expected: ANY }.into());
        }
        named(call.tenant.published(), &primary, &body)?
    };
    let command = Command::LinkIdentity { primary, secondary: secondary.clone() };
    let answer = call.write(Channel::V2, command).await?;
    call.services.tokens.forget_subject(call.tenant.uid().0, secondary.as_str());
    shown(StatusCode::CREATED, &answer)
}

async fn unlink(call: Call) -> Result<HttpResponse, Problem> {
    let command = Command::UnlinkIdentity {
        primary: call.user_id()?,
        provider: call.params.get("provider").to_owned(),
        account: call.params.get("user_id").to_owned(),
    };
    let answer = call.write(Channel::V2, command).await?;
    shown(StatusCode::OK, &answer)
}

fn shown(status: StatusCode, answer: &Answer) -> Result<HttpResponse, Problem> {
    let user =
        answer.change.as_ref().and_then(|change| change.user()).ok_or_else(Problem::internal)?;
    Ok(answer_at(status, user.version()).body(identities_json(&user.user().identities)))
}

/// The user an ID token is about: they signed in at the client that asks (CONTRACT.md §2.6). An
/// access token is no such proof, as it goes to whatever API it is for.
fn proved(call: &Call, token: &str) -> Result<UserId, Problem> {
    let refused = || Problem::body("Invalid token (link_with).");
    let verified = call.verified_id_token(token).map_err(|_| refused())?;
    UserId::parse(&verified.claims.sub).map_err(|_| refused())
}

/// The account a body names; its id may or may not begin with the provider.
fn named(published: &Published, primary: &UserId, body: &Object) -> Result<UserId, Problem> {
    NAMED.check(body)?;
    let given = match body.get("user_id") {
        Some(raw) if Kind::of(raw) == Kind::String => json::unquote(raw).into_owned(),
        Some(raw) if Kind::of(raw) == Kind::Integer => raw.to_owned(),
        Some(raw) => {
            let detail = format!("Expected type string but found type {}", Kind::of(raw));
            return Err(Problem::body(schema::message(&detail, "user_id", "")));
        }
        None => String::new(),
    };
    let missing = || Problem::new(400, "inexistent_user", "Provided secondary account not found.");
    let provider = match (body.get_str("provider"), given.split_once('|')) {
        (Some(provider), _) => provider.into_owned(),
        (None, Some((provider, _))) => provider.to_owned(),
        (None, None) => {
            let detail = "Missing required property: provider";
            return Err(Problem::body(schema::message(detail, "", "")));
        }
    };
    let prefixed = format!("{provider}|{given}");
    let is_prefixed = given.strip_prefix(&provider).is_some_and(|rest| rest.starts_with('|'));
    let id = if is_prefixed && published.user(&prefixed).is_none() { given } else { prefixed };
    if let Some(connection) = body.get_str("connection_id") {
        let name = published
            .resource(ResourceKind::Connection, &connection)
            .and_then(|resource| resource.name())
            .ok_or_else(|| Problem::body("The provider/connection is not configured."))?;
        let is_there = |id: &str| {
            published.user(id).is_some_and(|document| {
                document.user().identities.iter().any(|identity| identity.connection == name)
            })
        };
        if !is_there(&id) && !is_linked(published, primary, &id) {
            return Err(missing());
        }
    }
    UserId::parse(&id).map_err(|_| missing())
}

/// Whether the account is an identity of `primary` already, which the rules have a word for.
fn is_linked(published: &Published, primary: &UserId, id: &str) -> bool {
    published.user(primary.as_str()).is_some_and(|document| {
        document
            .user()
            .identities
            .iter()
            .any(|identity| id == format!("{}|{}", identity.provider, identity.user_id))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(body: &str, expected: &str) {
        let primary = UserId::parse("auth0|1").unwrap();
        let body = Object::parse(body, 8).unwrap();
        let found = match named(&Published::default(), &primary, &body) {
            Ok(id) => id.as_str().to_owned(),
            Err(problem) => problem.message,
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn an_account_is_named_with_or_without_its_provider() {
        check(r#"{"provider":"auth0","user_id":"63d1"}"#, "auth0|63d1");
        check(r#"{"provider":"auth0","user_id":"auth0|63d1"}"#, "auth0|63d1");
        check(r#"{"provider":"samlp","user_id":"corp|jane"}"#, "samlp|corp|jane");
        check(r#"{"provider":"facebook","user_id":42}"#, "facebook|42");
        check(r#"{"user_id":"auth0|63d1"}"#, "auth0|63d1");
    }

    #[test]
    fn what_names_nobody_is_refused() {
        check(
            r#"{"user_id":"63d1"}"#,
            "Payload validation error: 'Missing required property: provider'.",
        );
        check(
            r#"{"provider":"auth0","user_id":[]}"#,
            "Payload validation error: 'Expected type string but found type array' on property user_id.",
        );
        check(r#"{"provider":"auth0","user_id":"a b"}"#, "Provided secondary account not found.");
        check(
            r#"{"provider":"auth0","user_id":"1","connection_id":"con_0123456789abcdef"}"#,
            "The provider/connection is not configured.",
        );
    }
}
