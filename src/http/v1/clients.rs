//! Clients in v1: a name, an id, a secret and callbacks as one comma-separated text.

use super::route;
use crate::domain::change::Channel;
use crate::domain::client::{Client, Secret};
use crate::domain::command::{ClientPatch, Command, NewClient};
use crate::domain::json::{Builder, Object, array_of};
use crate::domain::scope::Scope;
use crate::http::answer::{answer_at, json};
use crate::http::call::Call;
use crate::http::openapi::detail::{Detail, Takes};
use crate::http::problem::Problem;
use crate::http::random;
use crate::http::route::Route;
use crate::http::schema::{Extra, Format, Property, Schema, Shape, property};
use crate::http::signing_key::{self, SigningKey};
use crate::tenant::Answer;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use std::sync::Arc;

const LIST: &[Scope] = &[Scope::READ_CLIENTS, Scope::READ_CLIENT_KEYS];
const CREATE: &[Scope] = &[Scope::CREATE_CLIENTS];
const UPDATE: &[Scope] = &[Scope::UPDATE_CLIENTS];

/// The routes of clients; Auth0's client updates with `PUT`.
pub static ROUTES: &[Route] = &[
    route("GET", "/api/clients", LIST, "List clients (v1)", |call| {
        Box::pin(async move { list(&call) })
    }),
    route("POST", "/api/clients", CREATE, "Create a client (v1)", |call| Box::pin(create(call))),
    route("PATCH", "/api/clients/{client-id}", UPDATE, "Update a client (v1)", |call| {
        Box::pin(update(call))
    }),
    route("PUT", "/api/clients/{client-id}", UPDATE, "Update a client (v1)", |call| {
        Box::pin(update(call))
    }),
];

/// What they take.
pub static DETAILS: &[Detail] = &[
    Detail::of("GET", &["/api/clients"]).query(&[&["access_token"]]),
    Detail::of("POST", &["/api/clients"]).takes(Takes::Json(&[&NEW])),
    Detail::of("PATCH", &["/api/clients/{client-id}"]).takes(Takes::Json(&[&PATCH])),
    Detail::of("PUT", &["/api/clients/{client-id}"]).takes(Takes::Json(&[&PATCH])),
];

const PROPERTIES: &[Property] = &[
    property("name", Shape::Formatted(1, 255, Format::Plain), "the name of the client"),
    property("callbacks", Shape::Any, "where users may be sent to, separated by commas"),
    property("callback", Shape::Any, "where users may be sent to, separated by commas"),
    // Whoever sends back what was read sends these; they stay what they are.
    property("clientID", Shape::Any, ""),
    property("clientSecret", Shape::Any, ""),
];

static NEW: Schema =
    Schema { properties: PROPERTIES, required: &["name"], extra: Extra::Refuse("") };
static PATCH: Schema = Schema { properties: PROPERTIES, required: &[], extra: Extra::Refuse("") };

/// Callbacks as a list: from a comma-separated text or an array.
fn callbacks(body: &Object) -> Option<Vec<String>> {
    let key = if body.contains("callbacks") { "callbacks" } else { "callback" };
    match body.get_str(key) {
        Some(text) => Some(
            text.split(',')
                .map(|one| one.trim().to_owned())
                .filter(|one| !one.is_empty())
                .collect(),
        ),
        None => body.get_strings(key),
    }
}

/// The settings of v2 that a body of v1 means.
fn settings(body: &Object) -> Object {
    let mut out = Builder::new();
    if let Some(name) = body.get("name") {
        out.raw("name", name);
    }
    if let Some(callbacks) = callbacks(body) {
        out.raw("callbacks", &array_of(callbacks));
    }
    out.object()
}

fn shown(client: &Client, with_secret: bool) -> String {
    let callbacks = client.settings.get_strings("callbacks").unwrap_or_default();
    let mut out = Builder::new();
    out.string("name", &client.name()).string("clientID", &client.id);
    if let (true, Some(Secret::Plain(secret))) = (with_secret, &client.secret) {
        out.string("clientSecret", secret);
    }
    out.string("callback", &callbacks.join(",")).string("callbacks", &callbacks.join(","));
    out.finish()
}

/// A client as the caller may see it.
fn seen(call: &Call, client: &Client) -> String {
    shown(client, call.sees_secrets(&client.id, &[Scope::READ_CLIENT_KEYS]))
}

fn written(answer: &Answer) -> Result<&Arc<Client>, Problem> {
    answer.change.as_ref().and_then(|change| change.client()).ok_or_else(Problem::internal)
}

fn list(call: &Call) -> Result<HttpResponse, Problem> {
    call.query.only(&["access_token"])?;
    let clients = call.tenant.published().clients();
    let texts: Vec<String> = clients.iter().map(|client| seen(call, client)).collect();
    Ok(json(StatusCode::OK, format!("[{}]", texts.join(","))))
}

async fn create(mut call: Call) -> Result<HttpResponse, Problem> {
    let body = call.json().await?;
    NEW.check(&body)?;
    let secret = random::secret(64);
    let signing = SigningKey::for_call(&call)?;
    let new = NewClient {
        id: random::alphanumeric(32),
        secret: secret.clone(),
        settings: settings(&body).with(signing_key::MEMBER, &signing.kept()),
        client_metadata: None,
        is_global: false,
    };
    let answer = call.write(Channel::V1, Command::CreateClient(Box::new(new))).await?;
    let client = written(&answer)?;
    // Who made a secret sees it this once, whatever is kept of it.
    let seen = Client { secret: Some(Secret::Plain(secret)), ..client.as_ref().clone() };
    Ok(answer_at(StatusCode::CREATED, client.version).body(shown(&seen, true)))
}

async fn update(mut call: Call) -> Result<HttpResponse, Problem> {
    let body = call.json().await?;
    PATCH.check(&body)?;
    let id = call.params.get("client-id").to_owned();
    let settings = Some(settings(&body)).filter(|settings| !settings.is_empty());
    let patch = ClientPatch { settings, ..ClientPatch::default() };
    let answer =
        call.write(Channel::V1, Command::UpdateClient { id, patch: Box::new(patch) }).await?;
    let client = written(&answer)?;
    Ok(answer_at(StatusCode::OK, client.version).body(seen(&call, client)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Version;

    #[test]
    fn callbacks_are_one_text_here_and_a_list_in_v2() {
        let body = Object::parse(r#"{"name":"Shop","callbacks":"http://a, http://b,"}"#, 8);
        let settings = settings(&body.unwrap());
        assert_eq!(settings.as_json(), r#"{"name":"Shop","callbacks":["http://a","http://b"]}"#);
        let client = Client {
            id: "c".to_owned(),
            version: Version::ZERO,
            settings,
            client_metadata: None,
            secret: Some(Secret::Plain("s".to_owned())),
            is_global: false,
            made_at: Version::ZERO,
            keys: crate::domain::keys::KeyVersions::default(),
        };
        assert_eq!(
            shown(&client, false),
            r#"{"name":"Shop","clientID":"c","callback":"http://a,http://b","callbacks":"http://a,http://b"}"#
        );
        assert!(shown(&client, true).contains(r#""clientSecret":"s""#));
    }
}
