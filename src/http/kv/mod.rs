//! Key/value metadata, as Bizzkit's users have it (CONTRACT.md §8).
//!
//! Entries are a bag of their own beside the metadata objects of v2. A user is named
//! by e-mail address or by id. Statuses and error bodies are ours where Bizzkit's
//! pages say nothing: problems as RFC 9457, deletion idempotent.

mod wire;

use super::answer::{answer_at, no_content, show};
use super::call::Call;
use super::openapi::detail::{Detail, Takes};
use super::problem::Problem;
use super::route::{Access, Answering, Dialect, Route};
use crate::domain::change::Channel;
use crate::domain::command::Command;
use crate::domain::decide::LoginKey;
use crate::domain::document::Document;
use crate::domain::entries;
use crate::domain::scope::Scope;
use crate::domain::user::UserId;
use crate::tenant::Answer;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;

const READ: &[Scope] = &[Scope::IAM, Scope::READ_USERS];
const WRITE: &[Scope] = &[Scope::IAM, Scope::UPDATE_USERS];

const fn route(
    method: &'static str,
    path: &'static str,
    scopes: &'static [Scope],
    summary: &'static str,
    handler: fn(Call) -> Answering,
) -> Route {
    let access = Access::Scopes(scopes);
    Route { method, path, dialect: Dialect::KeyValue, access, summary, handler }
}

const ALL: &str = "/api/user/{userId}/metadata";
const ONE: &str = "/api/user/{userId}/metadata/{key}";

/// The routes of this dialect.
pub static ROUTES: &[Route] = &[
    route("GET", ALL, READ, "Get all metadata entries of a user", |call| Box::pin(list(call))),
    route("PUT", ALL, WRITE, "Replace all metadata entries of a user", |call| {
        Box::pin(replace(call))
    }),
    route("GET", ONE, READ, "Get a metadata entry of a user", |call| Box::pin(get(call))),
    route("PUT", ONE, WRITE, "Set a metadata entry of a user", |call| Box::pin(set(call))),
    route("DELETE", ONE, WRITE, "Remove a metadata entry of a user", |call| Box::pin(remove(call))),
];

/// What they take.
pub static DETAILS: &[Detail] = &[
    Detail::of("PUT", &[ALL]).takes(Takes::Json(&[&wire::LIST])),
    Detail::of("PUT", &[ONE]).takes(Takes::Json(&[&wire::ONE])),
];

/// The user in the path: e-mail first, whatever its case, then exact id.
async fn user(call: &Call) -> Result<Document, Problem> {
    let given = call.params.get("userId");
    if given.contains('@') {
        let mut found = call.tenant.users_with(LoginKey::Email, given).await?;
        if found.len() > 1 {
            return Err(Problem::new(
                409,
                "ambiguous_user",
                "Several users have this e-mail address. Name the user by id.",
            ));
        }
        if let Some(document) = found.pop() {
            return Ok(document);
        }
    }
    call.tenant.published().user(given).ok_or_else(Problem::no_user)
}

fn shown(document: &Document) -> HttpResponse {
    let body = wire::list(&document.entries());
    answer_at(StatusCode::OK, document.version()).body(body)
}

fn changed(answer: &Answer) -> Result<&Document, Problem> {
    answer.change.as_ref().and_then(|change| change.user()).ok_or_else(Problem::internal)
}

async fn list(call: Call) -> Result<HttpResponse, Problem> {
    let document = user(&call).await?;
    show(&call, document.version(), wire::list(&document.entries()))
}

async fn get(call: Call) -> Result<HttpResponse, Problem> {
    let document = user(&call).await?;
    let key = call.params.get("key");
    let entry = document.entries().into_iter().find(|entry| entry.key == key).ok_or_else(|| {
        Problem::new(404, "inexistent_metadata", "The user has no metadata entry with this key.")
    })?;
    show(&call, document.version(), entry.to_json())
}

async fn set(mut call: Call) -> Result<HttpResponse, Problem> {
    let body = call.json().await?;
    let entry = wire::entry(call.params.get("key"), &body)?;
    let id = UserId::trusted(user(&call).await?.id());
    let shown = entry.to_json();
    let answer = call.write(Channel::KeyValue, Command::SetEntry { id, entry }).await?;
    Ok(answer_at(StatusCode::OK, changed(&answer)?.version()).body(shown))
}

async fn replace(mut call: Call) -> Result<HttpResponse, Problem> {
    let body = call.json().await?;
    let entries = entries::unique(wire::entries(&body)?);
    let id = UserId::trusted(user(&call).await?.id());
    let answer = call.write(Channel::KeyValue, Command::ReplaceEntries { id, entries }).await?;
    Ok(shown(changed(&answer)?))
}

async fn remove(call: Call) -> Result<HttpResponse, Problem> {
    let id = UserId::trusted(user(&call).await?.id());
    let key = call.params.get("key").to_owned();
    let answer = call.write(Channel::KeyValue, Command::RemoveEntry { id, key }).await?;
    Ok(no_content(answer.version))
}
