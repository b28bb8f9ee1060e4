//! One key of a metadata bag at a time, each with a tag of its own: two editors of
//! different keys never collide. The body of a key is its bare JSON value.

use super::route;
use crate::domain::change::Channel;
use crate::domain::command::{ClientPatch, Command, UserPatch};
use crate::domain::condition::{Condition, Part};
use crate::domain::document::Document;
use crate::domain::json::{self, Builder, Object};
use crate::domain::metadata::Bag;
use crate::domain::patch::Patch;
use crate::domain::permit::{READ_USER, UPDATE_USER, permit_read};
use crate::domain::scope::Scope;
use crate::domain::time::Version;
use crate::http::answer::{answer_at, no_content};
use crate::http::call::Call;
use crate::http::openapi::detail::{Detail, Takes};
use crate::http::problem::Problem;
use crate::http::route::Route;
use crate::http::schema;
use crate::http::v2::wire;
use crate::tenant::Answer;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};

const USER_KEY: &str = "/dossier/v1/users/{id}/{bag}/{key}";
const CLIENT_KEY: &str = "/dossier/v1/clients/{id}/client_metadata/{key}";
pub(super) const UPDATE_CLIENT: &[Scope] = &[Scope::UPDATE_CLIENTS];

/// The routes of this module.
pub static ROUTES: &[Route] = &[
    route("GET", USER_KEY, READ_USER, "Get one metadata key of a user", |call| {
        Box::pin(async move { get_user_key(&call) })
    }),
    route("PUT", USER_KEY, UPDATE_USER, "Set one metadata key of a user", |call| {
        Box::pin(put_user_key(call))
    }),
    route("DELETE", USER_KEY, UPDATE_USER, "Remove one metadata key of a user", |call| {
        Box::pin(delete_user_key(call))
    }),
    route("GET", CLIENT_KEY, &[Scope::READ_CLIENTS], "Get one metadata key of a client", |call| {
        Box::pin(async move { get_client_key(&call) })
    }),
    route("PUT", CLIENT_KEY, UPDATE_CLIENT, "Set one metadata key of a client", |call| {
        Box::pin(put_client_key(call))
    }),
    route("DELETE", CLIENT_KEY, UPDATE_CLIENT, "Remove one metadata key of a client", |call| {
        Box::pin(delete_client_key(call))
    }),
];

/// What they take.
pub static DETAILS: &[Detail] =
    &[Detail::of("PUT", &[USER_KEY, CLIENT_KEY]).takes(Takes::Any).statuses(&[200, 201])];

/// When a key goes by itself; told where there is one.
static EXPIRES_AT: HeaderName = HeaderName::from_static("dossier-expires-at");

fn no_key() -> Problem {
    Problem::new(404, "inexistent_key", "The key does not exist.")
}

pub(super) fn bag(call: &Call) -> Result<Bag, Problem> {
    match call.params.get("bag") {
        "user_metadata" => Ok(Bag::User),
        "app_metadata" => Ok(Bag::App),
        _ => Err(Problem::no_route()),
    }
}

/// `{"<key>": <value>}`.
fn only(key: &str, value: &str) -> Object {
    let mut out = Builder::new();
    out.raw(key, value);
    out.object()
}

/// The bare value in the body; a bag has no `null` at its root, so removing has its own method.
async fn value(call: &mut Call) -> Result<String, Problem> {
    let text = call.json_text().await?;
    json::check(&text, call.tenant.rules().depth)?;
    let value = json::compact(&text).into_owned();
    if value == "null" {
        return Err(Problem::body(schema::message(
            "Expected a value but found type null: use DELETE to remove a key",
            "",
            "",
        )));
    }
    Ok(value)
}

/// A key that was not there is created by being set (RFC 9110 §9.3.4).
fn status_of(answer: &Answer) -> StatusCode {
    if answer.makes_key { StatusCode::CREATED } else { StatusCode::OK }
}

/// The patch that takes the key away; where there is none it changes nothing and uses no version.
fn removal(call: &Call, bag: Bag) -> Patch {
    let key = only(call.params.get("key"), "null");
    Patch::Merge(only(&bag.to_string(), key.as_json()))
}

fn condition(call: &Call, bag: Bag) -> Result<Condition, Problem> {
    Ok(Condition { part: Part::Key(bag, call.params.get("key").to_owned()), ..call.condition()? })
}

fn shown(
    call: &Call,
    status: StatusCode,
    version: Version,
    value: &str,
) -> Result<HttpResponse, Problem> {
    if status == StatusCode::OK && call.route.method == "GET" && call.is_unchanged(version)? {
        return Ok(answer_at(StatusCode::NOT_MODIFIED, version).finish());
    }
    Ok(answer_at(status, version).body(value.to_owned()))
}

fn get_user_key(call: &Call) -> Result<HttpResponse, Problem> {
    let (id, bag, key) = (call.user_id()?, bag(call)?, call.params.get("key"));
    permit_read(&call.caller, &id)?;
    let user = call.tenant.published().user(id.as_str()).ok_or_else(Problem::no_user)?.user();
    let object = match bag {
        Bag::User => user.user_metadata.as_ref(),
        Bag::App | Bag::Client | Bag::Connection => user.app_metadata.as_ref(),
    };
    let value = object.and_then(|object| object.get(key)).ok_or_else(no_key)?;
    let version = user.key_version(bag, key).ok_or_else(no_key)?;
    let mut response = shown(call, StatusCode::OK, version, value)?;
    if let Some(at) = user.expirations.get(bag, key)
        && let Ok(at) = HeaderValue::from_str(&at.to_string())
    {
        response.headers_mut().insert(EXPIRES_AT.clone(), at);
    }
    Ok(response)
}

fn user_patch(bag: Bag, patch: Object) -> Box<UserPatch> {
    Box::new(match bag {
        Bag::User => UserPatch { user_metadata: Some(patch), ..UserPatch::default() },
        Bag::App | Bag::Client | Bag::Connection => {
            UserPatch { app_metadata: Some(patch), ..UserPatch::default() }
        }
    })
}

async fn put_user_key(mut call: Call) -> Result<HttpResponse, Problem> {
    let (id, bag) = (call.user_id()?, bag(&call)?);
    let value = value(&mut call).await?;
    let patch = user_patch(bag, only(call.params.get("key"), &value));
    let command = Command::UpdateUser { id, patch };
    let answer = call.write_if(Channel::Dossier, command, condition(&call, bag)?).await?;
    // A value that is there already keeps its tag.
    let user = answer.change.as_ref().and_then(|change| change.user()).map(Document::user);
    let version = user.and_then(|user| user.key_version(bag, call.params.get("key")));
    shown(&call, status_of(&answer), version.unwrap_or(answer.version), &value)
}

async fn delete_user_key(call: Call) -> Result<HttpResponse, Problem> {
    let (id, bag) = (call.user_id()?, bag(&call)?);
    let command =
        Command::PatchUser { id, patch: Box::new(removal(&call, bag)), body: wire::patched_user };
    let answer = call.write_if(Channel::Dossier, command, condition(&call, bag)?).await?;
    Ok(no_content(answer.version))
}

fn get_client_key(call: &Call) -> Result<HttpResponse, Problem> {
    let key = call.params.get("key");
    let client =
        call.tenant.published().client(call.params.get("id")).ok_or_else(Problem::no_client)?;
    let value = client.client_metadata.as_ref().and_then(|bag| bag.get(key)).ok_or_else(no_key)?;
    shown(call, StatusCode::OK, client.key_version(key), value)
}

fn client_command(call: &Call, value: &str) -> Command {
    let patch = ClientPatch {
        client_metadata: Some(only(call.params.get("key"), value)),
        ..ClientPatch::default()
    };
    Command::UpdateClient { id: call.params.get("id").to_owned(), patch: Box::new(patch) }
}

async fn put_client_key(mut call: Call) -> Result<HttpResponse, Problem> {
    let value = value(&mut call).await?;
    let command = client_command(&call, &value);
    let answer = call.write_if(Channel::Dossier, command, condition(&call, Bag::Client)?).await?;
    let client = answer.change.as_ref().and_then(|change| change.client());
    let version = client.map(|client| client.key_version(call.params.get("key")));
    shown(&call, status_of(&answer), version.unwrap_or(answer.version), &value)
}

async fn delete_client_key(call: Call) -> Result<HttpResponse, Problem> {
    let command = Command::PatchClient {
        id: call.params.get("id").to_owned(),
        patch: Box::new(removal(&call, Bag::Client)),
        body: wire::patched_client,
    };
    let answer = call.write_if(Channel::Dossier, command, condition(&call, Bag::Client)?).await?;
    Ok(no_content(answer.version))
}
