//! `POST …/revert`: an object as it was, written forward.

use super::{forgotten, id_of, look, nobody, shown};
use crate::domain::change::Channel;
use crate::domain::command::Command;
use crate::domain::history::{Part, Revert, Subject, Was};
use crate::domain::json::{self, Elements, Kind};
use crate::domain::scope::Scope;
use crate::http::answer::answer_at;
use crate::http::call::Call;
use crate::http::openapi::detail::{Detail, Takes};
use crate::http::problem::Problem;
use crate::http::route::{Access, Answering, Dialect, Route};
use crate::http::schema::{self, Extra, Schema, Shape, property};
use crate::tenant::history::AsOf;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;

const USER: &str = "/dossier/v1/users/{id}/revert";
const CLIENT: &str = "/dossier/v1/clients/{id}/revert";

const fn route(
    path: &'static str,
    scopes: &'static [Scope],
    summary: &'static str,
    handler: fn(Call) -> Answering,
) -> Route {
    let access = Access::Scopes(scopes);
    Route { method: "POST", path, dialect: Dialect::Dossier, access, summary, handler }
}

/// The routes of this module.
pub static ROUTES: &[Route] = &[
    route(USER, &[Scope::UPDATE_USERS], "Put a user back as they were", |call| {
        Box::pin(revert(call, Subject::User))
    }),
    route(CLIENT, &[Scope::UPDATE_CLIENTS], "Put a client back as it was", |call| {
        Box::pin(revert(call, Subject::Client))
    }),
];

/// What they take.
pub static DETAILS: &[Detail] =
    &[Detail::of("POST", &[USER, CLIENT]).takes(Takes::Json(&[&REVERT])).statuses(&[200])];

static REVERT: Schema = Schema {
    properties: &[
        property("to", Shape::Any, "the version, or the RFC 3339 time, to go back to"),
        property("only", Shape::Strings, "such as user_metadata, app_metadata.plan or name"),
    ],
    required: &["to"],
    extra: Extra::Refuse(""),
};

async fn revert(mut call: Call, kind: Subject) -> Result<HttpResponse, Problem> {
    let id = id_of(&call, kind)?;
    let body = call.json().await?;
    REVERT.check(&body)?;
    let to = body.get("to").unwrap_or_default();
    let text = match Kind::of(to) {
        Kind::String => json::unquote(to).into_owned(),
        Kind::Null | Kind::Boolean | Kind::Integer | Kind::Number | Kind::Array | Kind::Object => {
            to.to_owned()
        }
    };
    let point = super::point(&call, "to", &text).map_err(Problem::of_body)?;
    let only = body.get("only").map(|raw| parts(kind, raw)).transpose()?;
    let own = id.clone();
    let was = match look(&call, move |look| look.as_of(kind, &own, point)).await? {
        AsOf::Was(image) => image.was,
        AsOf::Absent => return Err(nobody(kind)),
        AsOf::Forgotten => return Err(forgotten()),
    };
    let published = call.tenant.published();
    let (command, was) = match was {
        Was::User(image) => {
            let makes = published.user(&id).is_none();
            let revert = Revert { image: image.clone(), only, makes };
            (Command::RevertUser(Box::new(revert)), Was::User(image))
        }
        Was::Client(image) => {
            let makes = published.client(&id).is_none();
            let revert = Revert { image: image.clone(), only, makes };
            (Command::RevertClient(Box::new(revert)), Was::Client(image))
        }
        Was::Resource { .. } | Was::Gone | Was::Erased => return Err(nobody(kind)),
    };
    let answer = call.write(Channel::Dossier, command).await?;
    let after = answer.change.as_ref().and_then(|change| {
        let user = change.user().cloned().map(Was::User);
        user.or_else(|| change.client().cloned().map(Was::Client))
    });
    // Nothing changed: it is as it was.
    let now = match after {
        Some(after) => after,
        None => match &was {
            Was::User(_) => Was::User(published.user(&id).ok_or_else(|| nobody(kind))?),
            Was::Client(_) => Was::Client(published.client(&id).ok_or_else(|| nobody(kind))?),
            Was::Resource { .. } | Was::Gone | Was::Erased => Was::Gone,
        },
    };
    let (version, body) = shown(&call, &now).ok_or_else(|| nobody(kind))?;
    Ok(answer_at(StatusCode::OK, version).body(body))
}

fn parts(kind: Subject, raw: &str) -> Result<Vec<Part>, Problem> {
    Elements::of(raw)
        .map(|element| {
            let text = json::unquote(element);
            Part::parse(kind, &text).filter(|_| Kind::of(element) == Kind::String).ok_or_else(
                || {
                    let detail = format!("Cannot put back {text}");
                    Problem::body(schema::message(&detail, "only", ""))
                },
            )
        })
        .collect()
}
