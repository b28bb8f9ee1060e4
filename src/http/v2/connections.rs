//! `/api/v2/connections` (CONTRACT.md §7.4).
//!
//! Auth0 deletes the users of a connection with it. Dossier keeps them, with their
//! metadata: only the way to sign in is gone, and a connection made again under the
//! name has them back.

mod clients;

use super::fields::{self, Fields, selected};
use super::list::{Item, Part};
use super::{answer_at, json, no_content, route, show};
use crate::domain::change::Channel;
use crate::domain::command::Command;
use crate::domain::json::{Builder, Object, array_of};
use crate::domain::resource::{Resource, ResourceKind};
use crate::domain::scope::Scope;
use crate::domain::time::Version;
use crate::http::call::Call;
use crate::http::openapi::detail::{Detail, Takes};
use crate::http::problem::{Problem, no_resource};
use crate::http::random;
use crate::http::route::Route;
use crate::http::schema::{self, Extra, Format, Property, Schema, Shape, nullable, property};
use crate::tenant::Answer;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use std::sync::Arc;

/// The routes of connections.
pub static ROUTES: &[Route] = &[
    route("GET", "/api/v2/connections", &[Scope::READ_CONNECTIONS], "List connections", |call| {
        Box::pin(async move { list(&call) })
    }),
    route(
        "POST",
        "/api/v2/connections",
        &[Scope::CREATE_CONNECTIONS],
        "Create a connection",
        |call| Box::pin(create(call)),
    ),
    route(
        "GET",
        "/api/v2/connections/{id}",
        &[Scope::READ_CONNECTIONS],
        "Get a connection",
        |call| Box::pin(async move { get(&call) }),
    ),
    route(
        "PATCH",
        "/api/v2/connections/{id}",
        &[Scope::UPDATE_CONNECTIONS],
        "Update a connection",
        |call| Box::pin(update(call)),
    ),
    route(
        "DELETE",
        "/api/v2/connections/{id}",
        &[Scope::DELETE_CONNECTIONS],
        "Delete a connection",
        |call| Box::pin(delete(call)),
    ),
    route(
        "DELETE",
        "/api/v2/connections/{id}/users",
        &[Scope::DELETE_USERS],
        "Delete a connection's user by e-mail address",
        |call| Box::pin(delete_user(call)),
    ),
    route(
        "GET",
        "/api/v2/connections/{id}/clients",
        &[Scope::READ_CONNECTIONS],
        "List the clients a connection is enabled for",
        |call| Box::pin(async move { clients::list(&call) }),
    ),
    route(
        "PATCH",
        "/api/v2/connections/{id}/clients",
        &[Scope::UPDATE_CONNECTIONS],
        "Enable or disable a connection for clients",
        |call| Box::pin(clients::update(call)),
    ),
];

/// What they take.
pub static DETAILS: &[Detail] = &[
    Detail::of("GET", &["/api/v2/connections"]).query(&[LIST_PARAMETERS, REPEATABLE]),
    Detail::of("POST", &["/api/v2/connections"]).takes(Takes::Json(&[&NEW])),
    Detail::of("GET", &["/api/v2/connections/{id}"]).query(&[fields::PARAMETERS]),
    Detail::of("PATCH", &["/api/v2/connections/{id}"]).takes(Takes::Json(&[&PATCH])),
    Detail::of("DELETE", &["/api/v2/connections/{id}"]).statuses(&[202, 204]),
    Detail::of("DELETE", &["/api/v2/connections/{id}/users"])
        .query(&[&["email"]])
        .required("email"),
    Detail::of("GET", &["/api/v2/connections/{id}/clients"]).query(&[clients::PARAMETERS]),
    Detail::of("PATCH", &["/api/v2/connections/{id}/clients"])
        .takes(Takes::List(&clients::SWITCH))
        .statuses(&[204]),
];

const LIST_PARAMETERS: &[&str] =
    &["page", "per_page", "include_totals", "from", "take", "name", "fields", "include_fields"];
const REPEATABLE: &[&str] = &["strategy"];

const STRATEGIES: &[&str] = &[
    "ad",
    "adfs",
    "amazon",
    "aol",
    "apple",
    "auth0",
    "auth0-adldap",
    "auth0-oidc",
    "baidu",
    "bitbucket",
    "bitly",
    "box",
    "custom",
    "daccount",
    "dropbox",
    "dwolla",
    "email",
    "evernote",
    "evernote-sandbox",
    "exact",
    "facebook",
    "fitbit",
    "flickr",
    "github",
    "google-apps",
    "google-oauth2",
    "instagram",
    "ip",
    "line",
    "linkedin",
    "miicard",
    "oauth1",
    "oauth2",
    "office365",
    "oidc",
    "okta",
    "paypal",
    "paypal-sandbox",
    "pingfederate",
    "planningcenter",
    "renren",
    "salesforce",
    "salesforce-community",
    "salesforce-sandbox",
    "samlp",
    "sharepoint",
    "shop",
    "shopify",
    "sms",
    "soundcloud",
    "thecity",
    "thecity-sandbox",
    "thirtysevensignals",
    "twitter",
    "untappd",
    "vkontakte",
    "waad",
    "weibo",
    "windowslive",
    "wordpress",
    "yahoo",
    "yammer",
    "yandex",
];

const ABOUT_METADATA: &str = "Metadata associated with the connection in the form of an object with string values (max 255 chars).  Maximum of 10 metadata properties allowed";

const DISPLAY_NAME: Property = nullable(
    "display_name",
    Shape::Text(0, 128),
    "Connection name used in the new universal login experience",
);
const OPTIONS: Property = nullable(
    "options",
    Shape::Object,
    "The connection's options (depend on the connection strategy)",
);
const ENABLED_CLIENTS: Property = nullable(
    "enabled_clients",
    Shape::Strings,
    "The identifiers of the clients for which the connection is to be enabled",
);
const IS_DOMAIN: Property =
    property("is_domain_connection", Shape::Boolean, "True if the connection is domain level");
const SHOW_AS_BUTTON: Property = property("show_as_button", Shape::Boolean, "");
const REALMS: Property =
    property("realms", Shape::Strings, "Defines the realms for which the connection will be used");
const METADATA: Property = property("metadata", Shape::Object, ABOUT_METADATA);
const AUTHENTICATION: Property = nullable("authentication", Shape::Object, "");
const ACCOUNTS: Property = nullable("connected_accounts", Shape::Object, "");
const REQUESTING_APP: Property = nullable("cross_app_access_requesting_app", Shape::Object, "");
const RESOURCE_APP: Property = nullable("cross_app_access_resource_app", Shape::Object, "");

/// `POST /connections`
static NEW: Schema = Schema {
    properties: &[
        property(
            "name",
            Shape::Formatted(1, 128, Format::ConnectionName),
            "The name of the connection. Must start and end with an alphanumeric character and can only contain alphanumeric characters and '-'. Max length 128",
        ),
        property(
            "strategy",
            Shape::OneOf(STRATEGIES),
            "The identity provider identifier for the connection",
        ),
        DISPLAY_NAME,
        OPTIONS,
        ENABLED_CLIENTS,
        IS_DOMAIN,
        SHOW_AS_BUTTON,
        REALMS,
        METADATA,
        AUTHENTICATION,
        ACCOUNTS,
        REQUESTING_APP,
        RESOURCE_APP,
    ],
    required: &["name", "strategy"],
    extra: Extra::Refuse(""),
};

/// `PATCH /connections/{id}`: name and strategy stay what they are.
static PATCH: Schema = Schema {
    properties: &[
        DISPLAY_NAME,
        OPTIONS,
        ENABLED_CLIENTS,
        IS_DOMAIN,
        SHOW_AS_BUTTON,
        REALMS,
        METADATA,
        AUTHENTICATION,
        ACCOUNTS,
        REQUESTING_APP,
        RESOURCE_APP,
    ],
    required: &[],
    extra: Extra::Refuse(""),
};

fn shown(status: StatusCode, resource: &Resource) -> HttpResponse {
    answer_at(status, resource.version).body(resource.to_json())
}

fn existing(call: &Call) -> Result<Arc<Resource>, Problem> {
    call.tenant
        .published()
        .resource(ResourceKind::Connection, call.params.get("id"))
        .ok_or_else(|| no_resource(ResourceKind::Connection))
}

/// The resource a write left behind.
pub(super) fn written(answer: &Answer) -> Result<&Arc<Resource>, Problem> {
    answer.change.as_ref().and_then(|change| change.resource()).ok_or_else(Problem::internal)
}

fn list(call: &Call) -> Result<HttpResponse, Problem> {
    call.query.only_repeating(LIST_PARAMETERS, REPEATABLE)?;
    let part = Part::of(call)?;
    let fields = Fields::of(&call.query, None)?;
    let name = call.query.get("name").filter(|name| !name.is_empty());
    let strategies: Vec<&str> = call.query.all("strategy").collect();
    let is_wanted = |resource: &Arc<Resource>| {
        let is =
            |key: &str, value: &str| resource.body.get_str(key).is_some_and(|own| own == value);
        name.is_none_or(|name| is("name", name))
            && (strategies.is_empty() || strategies.iter().any(|one| is("strategy", one)))
    };
    let items: Vec<Item> = call
        .tenant
        .published()
        .resources(ResourceKind::Connection)
        .iter()
        .filter(|resource| is_wanted(resource))
        .map(|resource| Item {
            id: resource.id.clone(),
            json: selected(fields.as_ref(), &resource.to_json(), &[]),
        })
        .collect();
    Ok(part.answer("connections", &items))
}

fn get(call: &Call) -> Result<HttpResponse, Problem> {
    call.query.only(fields::PARAMETERS)?;
    let fields = Fields::of(&call.query, None)?;
    let connection = existing(call)?;
    show(call, connection.version, selected(fields.as_ref(), &connection.to_json(), ALWAYS))
}

/// What one connection shows whatever its caller asks for.
const ALWAYS: &[&str] = &["id", "is_domain_connection"];

/// What a database has when its maker says nothing.
const DATABASE_OPTIONS: &str = r#"{"mfa":{"active":true,"return_enroll_settings":true},"passwordPolicy":"good","strategy_version":2,"brute_force_protection":true}"#;

/// The options of a new connection.
fn options_of(body: &Object) -> String {
    let given = body.get_object("options").unwrap_or_else(Object::empty);
    if body.get_str("strategy").is_some_and(|strategy| strategy == "auth0") {
        return Object::trusted(DATABASE_OPTIONS).merge_root(&given).as_json().to_owned();
    }
    given.as_json().to_owned()
}

/// The stored members of a new connection: what was sent, and what it has when its maker says nothing.
fn completed(body: &Object) -> Object {
    let given = |key: &str| body.get(key).filter(|raw| *raw != "null");
    let mut out = Builder::new();
    out.raw("options", &options_of(body));
    let name = body.get_str("name").unwrap_or_default();
    let realms = array_of([name.as_ref()]);
    for (key, default) in [
        ("strategy", None),
        ("name", None),
        ("display_name", None),
        ("is_domain_connection", Some("false")),
        ("show_as_button", None),
        ("realms", Some(realms.as_str())),
        ("enabled_clients", Some("[]")),
        ("metadata", None),
        ("authentication", None),
        ("connected_accounts", None),
        ("cross_app_access_requesting_app", None),
        ("cross_app_access_resource_app", None),
    ] {
        if let Some(raw) = given(key).or(default) {
            out.raw(key, raw);
        }
    }
    out.object()
}

async fn create(mut call: Call) -> Result<HttpResponse, Problem> {
    let body = call.json().await?;
    NEW.check(&body)?;
    let resource = Resource {
        kind: ResourceKind::Connection,
        id: format!("con_{}", random::alphanumeric(16)),
        version: Version::ZERO,
        body: completed(&body),
    };
    let answer = call.write(Channel::V2, Command::CreateResource(Box::new(resource))).await?;
    Ok(shown(StatusCode::CREATED, written(&answer)?))
}

async fn update(mut call: Call) -> Result<HttpResponse, Problem> {
    let id = call.params.get("id").to_owned();
    let patch = call.json().await?;
    PATCH.check(&patch)?;
    if patch.is_empty() {
        let detail = "Too few properties defined (0), minimum 1";
        return Err(Problem::body(schema::message(detail, "", "")));
    }
    // A connection always has options and clients, so null means none of them.
    let emptied = |patch: Object, key: &str, empty: &str| match patch.get(key) {
        Some("null") => patch.with(key, empty),
        Some(_) | None => patch,
    };
    let patch = emptied(emptied(patch, "options", "{}"), "enabled_clients", "[]");
    let kind = ResourceKind::Connection;
    let answer = call.write(Channel::V2, Command::UpdateResource { kind, id, patch }).await?;
    Ok(shown(StatusCode::OK, written(&answer)?))
}

async fn delete(call: Call) -> Result<HttpResponse, Problem> {
    let (kind, id) = (ResourceKind::Connection, call.params.get("id").to_owned());
    let answer = call.write(Channel::V2, Command::DeleteResource { kind, id }).await?;
    if answer.change.is_none() {
        return Ok(no_content(answer.version));
    }
    let mut body = Builder::new();
    body.string("deleted_at", &call.now.to_string());
    Ok(json(StatusCode::ACCEPTED, body.finish()))
}

/// Deletes whoever was made at this database with the address; nobody is fine too.
async fn delete_user(call: Call) -> Result<HttpResponse, Problem> {
    call.query.only(&["email"])?;
    let invalid =
        |detail: &str, path: &str| Problem::query(schema::query_message(detail, path, ABOUT_EMAIL));
    let email = call.query.get("email");
    let email = email.ok_or_else(|| invalid("Missing required property: email", ""))?;
    if let Some(detail) = schema::text_fault(email, 1, 254, Some(Format::Email)) {
        return Err(invalid(&detail, "email"));
    }
    let command = Command::DeleteConnectionUsers {
        connection: call.params.get("id").to_owned(),
        email: email.to_owned(),
    };
    let answer = call.write(Channel::V2, command).await?;
    Ok(no_content(answer.version))
}

const ABOUT_EMAIL: &str = "The email of the user to delete";

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Object {
        Object::parse(text, 8).unwrap()
    }

    #[test]
    fn a_new_connection_is_completed() {
        let body = object(r#"{"name":"corp","strategy":"samlp","display_name":null}"#);
        assert_eq!(
            completed(&body).as_json(),
            r#"{"options":{},"strategy":"samlp","name":"corp","is_domain_connection":false,"realms":["corp"],"enabled_clients":[]}"#
        );
    }

    #[test]
    fn a_new_database_has_options_whether_or_not_some_were_sent() {
        let options = |sent: &str| completed(&object(sent)).get("options").unwrap().to_owned();
        assert_eq!(options(r#"{"name":"d","strategy":"auth0"}"#), DATABASE_OPTIONS);
        assert_eq!(
            options(r#"{"name":"d","strategy":"auth0","options":{"passwordPolicy":"low"}}"#),
            DATABASE_OPTIONS.replace("good", "low")
        );
    }

    #[track_caller]
    fn refused(schema: &Schema, body: &str, message: &str) {
        assert_eq!(schema.check(&object(body)).unwrap_err().message, message);
    }

    #[test]
    fn names_and_strategies_are_checked_once_and_for_all() {
        refused(
            &NEW,
            r#"{"name":"x"}"#,
            "Payload validation error: 'Missing required property: strategy'.",
        );
        refused(
            &NEW,
            r#"{"name":"a--b","strategy":"auth0"}"#,
            "Payload validation error: 'String does not match pattern ^[a-zA-Z0-9](-[a-zA-Z0-9]|[a-zA-Z0-9])*$' on property name (The name of the connection. Must start and end with an alphanumeric character and can only contain alphanumeric characters and '-'. Max length 128).",
        );
        refused(
            &NEW,
            r#"{"name":"a","strategy":"no|such"}"#,
            "Payload validation error: 'Invalid value \"no|such\"' on property strategy (The identity provider identifier for the connection).",
        );
        refused(
            &PATCH,
            r#"{"name":"x","strategy":"sms"}"#,
            "Payload validation error: 'Additional properties not allowed: name,strategy'.",
        );
    }
}
