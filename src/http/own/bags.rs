//! One metadata bag at a time, with a tag of its own: the version that last changed a key
//! of it. A bag that is not there counts as `{}`; putting one replaces it whole.

use super::keys::{UPDATE_CLIENT, bag};
use super::route;
use crate::domain::change::Channel;
use crate::domain::client::Client;
use crate::domain::command::Command;
use crate::domain::condition::{Condition, Part};
use crate::domain::document::Document;
use crate::domain::metadata::Bag;
use crate::domain::patch::{JsonPatch, Patch};
use crate::domain::permit::{READ_USER, UPDATE_USER, permit_read};
use crate::domain::scope::Scope;
use crate::http::answer::{answer_at, no_content, show};
use crate::http::call::Call;
use crate::http::openapi::detail::{Detail, Takes};
use crate::http::problem::Problem;
use crate::http::route::Route;
use crate::http::v2::wire;
use crate::tenant::Answer;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use std::sync::Arc;

const USER_BAG: &str = "/dossier/v1/users/{id}/{bag}";
const CLIENT_BAG: &str = "/dossier/v1/clients/{id}/client_metadata";

/// The routes of this module.
pub static ROUTES: &[Route] = &[
    route("GET", USER_BAG, READ_USER, "Get a metadata bag of a user", |call| {
        Box::pin(async move { get_of_user(&call) })
    }),
    route("PUT", USER_BAG, UPDATE_USER, "Replace a metadata bag of a user", |call| {
        Box::pin(put_of_user(call))
    }),
    route("DELETE", USER_BAG, UPDATE_USER, "Empty a metadata bag of a user", |call| {
        Box::pin(delete_of_user(call))
    }),
    route("GET", CLIENT_BAG, &[Scope::READ_CLIENTS], "Get a client's metadata", |call| {
        Box::pin(async move { get_of_client(&call) })
    }),
    route("PUT", CLIENT_BAG, UPDATE_CLIENT, "Replace a client's metadata", |call| {
        Box::pin(put_of_client(call))
    }),
    route("DELETE", CLIENT_BAG, UPDATE_CLIENT, "Empty a client's metadata", |call| {
        Box::pin(delete_of_client(call))
    }),
];

/// What they take.
pub static DETAILS: &[Detail] = &[
    Detail::of("PUT", &[USER_BAG]).takes(Takes::Object),
    Detail::of("PUT", &[CLIENT_BAG]).takes(Takes::Object),
];

fn condition(call: &Call, bag: Bag) -> Result<Condition, Problem> {
    Ok(Condition { part: Part::Bag(bag), ..call.condition()? })
}

/// The patch after which a bag is this.
fn replaced(bag: Bag, value: &str) -> Result<Box<Patch>, Problem> {
    let operation = format!(r#"[{{"op":"replace","path":"/{bag}","value":{value}}}]"#);
    let patch = JsonPatch::parse(&operation).map_err(|_| Problem::internal())?;
    Ok(Box::new(Patch::Json(patch)))
}

fn user(call: &Call) -> Result<Document, Problem> {
    call.tenant.published().user(call.params.get("id")).ok_or_else(Problem::no_user)
}

fn text(document: &Document, bag: Bag) -> String {
    let found = match bag {
        Bag::User => document.user_metadata(),
        Bag::App | Bag::Client | Bag::Connection => document.app_metadata(),
    };
    found.unwrap_or("{}").to_owned()
}

fn get_of_user(call: &Call) -> Result<HttpResponse, Problem> {
    let (id, bag) = (call.user_id()?, bag(call)?);
    permit_read(&call.caller, &id)?;
    let document = user(call)?;
    show(call, document.user().bag_version(bag), text(&document, bag))
}

async fn write_to_user(call: &Call, bag: Bag, value: &str) -> Result<Answer, Problem> {
    let command = Command::PatchUser {
        id: call.user_id()?,
        patch: replaced(bag, value)?,
        body: wire::patched_user,
    };
    call.write_if(Channel::Dossier, command, condition(call, bag)?).await
}

async fn put_of_user(mut call: Call) -> Result<HttpResponse, Problem> {
    let bag = bag(&call)?;
    let value = call.json().await?;
    let answer = write_to_user(&call, bag, value.as_json()).await?;
    let document = match answer.change.as_ref().and_then(|change| change.user()) {
        Some(document) => document.clone(),
        None => user(&call)?,
    };
    Ok(answer_at(StatusCode::OK, document.user().bag_version(bag)).body(text(&document, bag)))
}

async fn delete_of_user(call: Call) -> Result<HttpResponse, Problem> {
    let answer = write_to_user(&call, bag(&call)?, "{}").await?;
    Ok(no_content(answer.version))
}

fn client(call: &Call) -> Result<Arc<Client>, Problem> {
    call.tenant.published().client(call.params.get("id")).ok_or_else(Problem::no_client)
}

fn get_of_client(call: &Call) -> Result<HttpResponse, Problem> {
    let client = client(call)?;
    let body = client.client_metadata.as_ref().map_or("{}", |bag| bag.as_json());
    show(call, client.bag_version(), body.to_owned())
}

async fn write_to_client(call: &Call, value: &str) -> Result<Answer, Problem> {
    let command = Command::PatchClient {
        id: call.params.get("id").to_owned(),
        patch: replaced(Bag::Client, value)?,
        body: wire::patched_client,
    };
    call.write_if(Channel::Dossier, command, condition(call, Bag::Client)?).await
}

async fn put_of_client(mut call: Call) -> Result<HttpResponse, Problem> {
    let value = call.json().await?;
    let answer = write_to_client(&call, value.as_json()).await?;
    let client = if let Some(client) = answer.change.as_ref().and_then(|change| change.client()) {
        client.clone()
    } else {
        client(&call)?
    };
    let body = client.client_metadata.as_ref().map_or("{}", |bag| bag.as_json());
    Ok(answer_at(StatusCode::OK, client.bag_version()).body(body.to_owned()))
}

async fn delete_of_client(call: Call) -> Result<HttpResponse, Problem> {
    let answer = write_to_client(&call, "{}").await?;
    Ok(no_content(answer.version))
}
