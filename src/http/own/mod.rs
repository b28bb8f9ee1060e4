//! Dossier's own paths, `/dossier/v1`: what no other dialect has. Errors are as in v2.

pub mod bags;
pub mod fork;
pub mod history;
pub mod keys;
pub mod person;
pub mod requests;
pub mod snapshots;
pub mod suggest;
pub mod tenants;
pub mod tokens;

use super::answer::{answer_at, show};
use super::call::Call;
use super::openapi::detail::{Detail, Takes};
use super::problem::{Problem, no_resource};
use super::route::{Access, Answering, Dialect, Route};
use super::schema::{self, Extra, Format, Schema, Shape, nullable, property};
use crate::domain::change::Channel;
use crate::domain::command::{Command, ProviderSignIn};
use crate::domain::document::Document;
use crate::domain::effective::{Source, effective};
use crate::domain::json::{Builder, Object};
use crate::domain::permit::{READ_USER, permit_read};
use crate::domain::resource::{Connection, ResourceKind};
use crate::domain::scope::Scope;
use crate::domain::user::UserId;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;

const fn route(
    method: &'static str,
    path: &'static str,
    scopes: &'static [Scope],
    summary: &'static str,
    handler: fn(Call) -> Answering,
) -> Route {
    let access = Access::Scopes(scopes);
    Route { method, path, dialect: Dialect::Dossier, access, summary, handler }
}

/// The routes of users and sign-ins.
pub static ROUTES: &[Route] = &[
    route(
        "GET",
        "/dossier/v1/users/{id}/effective",
        READ_USER,
        "Get a user's attributes as applications see them, and where each comes from",
        |call| Box::pin(async move { attributes(&call) }),
    ),
    route(
        "POST",
        "/dossier/v1/connections/{connection}/logins",
        &[Scope::CREATE_USERS],
        "Take what an identity provider said at a sign-in",
        |call| Box::pin(login(call)),
    ),
];

/// What they take.
pub static DETAILS: &[Detail] =
    &[Detail::of("POST", &["/dossier/v1/connections/{connection}/logins"])
        .takes(Takes::Json(&[&LOGIN]))
        .statuses(&[200, 201])];

fn attributes(call: &Call) -> Result<HttpResponse, Problem> {
    let id = call.user_id()?;
    permit_read(&call.caller, &id)?;
    let document = call.tenant.published().user(id.as_str()).ok_or_else(Problem::no_user)?;
    show(call, document.version(), effective_json(&document))
}

fn effective_json(document: &Document) -> String {
    let attributes: Vec<String> = effective(document)
        .iter()
        .map(|attribute| {
            let mut one = Builder::new();
            one.string("name", &attribute.name);
            if let Some(root) = &attribute.root {
                one.raw("root", root);
            }
            let source = match attribute.source {
                Source::Root => "root",
                Source::UserMetadata => "user_metadata",
            };
            one.raw("value", &attribute.value).string("source", source);
            one.finish()
        })
        .collect();
    let mut out = Builder::new();
    out.string("user_id", document.id())
        .raw("version", &document.version().to_string())
        .raw("attributes", &format!("[{}]", attributes.join(",")));
    out.finish()
}

static LOGIN: Schema = Schema {
    properties: &[
        property(
            "user_id",
            Shape::Formatted(1, 255, Format::Solid),
            "the account's id at the provider",
        ),
        nullable("profile", Shape::Object, "root attributes as the provider says them"),
        nullable("ip", Shape::Text(1, 64), "the address the user signed in from"),
    ],
    required: &["user_id"],
    extra: Extra::Refuse(""),
};

/// The connection the path names, by name or id.
fn connection(call: &Call) -> Result<Connection, Problem> {
    let given = call.params.get("connection");
    let published = call.tenant.published();
    let by_id = || {
        let found = published.resource(ResourceKind::Connection, given);
        found.map(|resource| Connection::of(&resource))
    };
    published.connection(given).or_else(by_id).ok_or_else(|| no_resource(ResourceKind::Connection))
}

async fn login(mut call: Call) -> Result<HttpResponse, Problem> {
    let connection = connection(&call)?;
    let body = call.json().await?;
    LOGIN.check(&body)?;
    let account = body.get_str("user_id").unwrap_or_default().into_owned();
    // The longest id the account could get must be one.
    let longest = format!("{}|{}|{account}", connection.strategy, connection.name);
    if let Err(invalid) = UserId::parse(&longest) {
        return Err(Problem::body(schema::message(&invalid.to_string(), "user_id", "")));
    }
    let said = ProviderSignIn {
        connection: connection.name,
        account,
        attributes: body.get_object("profile").unwrap_or_else(Object::empty),
        ip: body.get_str("ip").map(std::borrow::Cow::into_owned),
    };
    let answer = call.write(Channel::Dossier, Command::ProviderSignIn(Box::new(said))).await?;
    let document =
        answer.change.as_ref().and_then(|change| change.user()).ok_or_else(Problem::internal)?;
    let status = if is_new(document) { StatusCode::CREATED } else { StatusCode::OK };
    Ok(answer_at(status, document.version()).body(document.json_bytes()))
}

/// Whether this very change made the user.
fn is_new(document: &Document) -> bool {
    document.user().made_at == document.version()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::document::tests::jane;
    use crate::domain::user::User;

    #[test]
    fn every_attribute_says_where_it_comes_from() {
        let bag = r#"{"nickname":"JJ","name":"","city":"Bonn"}"#;
        let mut user = User { user_metadata: Some(Object::parse(bag, 8).unwrap()), ..jane() };
        user.profile.name = Some("Jane".to_owned());
        user.profile.nickname = Some("jane".to_owned());
        let text = effective_json(&Document::of(&user));
        for expected in [
            r#"{"name":"name","root":"Jane","value":"Jane","source":"root"}"#,
            r#"{"name":"nickname","root":"jane","value":"JJ","source":"user_metadata"}"#,
            r#"{"name":"city","value":"Bonn","source":"user_metadata"}"#,
        ] {
            assert!(text.contains(expected), "{expected} is not in {text}");
        }
        let object = Object::parse(&text, 8).unwrap();
        assert_eq!(object.get_str("user_id").as_deref(), Some(user.id.as_str()));
        assert!(object.contains("version"));
    }
}
