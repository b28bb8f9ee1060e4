//! `/api/v2/resource-servers`: APIs tokens can be asked for (CONTRACT.md §7.4).
//!
//! The tenant's own management API is among them. It is not stored but made up for
//! each request, since its identifier is an address at the caller's host.

use super::connections::written;
use super::fields::{self, Fields, selected};
use super::list::{self, Item, Part};
use super::{answer_at, no_content, route, show};
use crate::domain::change::Channel;
use crate::domain::client::sha256_hex;
use crate::domain::command::Command;
use crate::domain::decide::Rejection;
use crate::domain::json::{self, Builder, Elements, Object};
use crate::domain::resource::{MANAGEMENT_AUDIENCE, Resource, ResourceKind};
use crate::domain::scope::Scope;
use crate::domain::time::Version;
use crate::http::call::Call;
use crate::http::openapi::detail::{Detail, Takes};
use crate::http::problem::{Problem, no_resource};
use crate::http::random;
use crate::http::route::Route;
use crate::http::schema::{self, Extra, Format, Schema, Shape, nullable, property};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use std::sync::Arc;

/// The routes of APIs.
pub static ROUTES: &[Route] = &[
    route(
        "GET",
        "/api/v2/resource-servers",
        &[Scope::READ_RESOURCE_SERVERS],
        "List APIs",
        |call| Box::pin(async move { list(&call) }),
    ),
    route(
        "POST",
        "/api/v2/resource-servers",
        &[Scope::CREATE_RESOURCE_SERVERS],
        "Create an API",
        |call| Box::pin(create(call)),
    ),
    route(
        "GET",
        "/api/v2/resource-servers/{id}",
        &[Scope::READ_RESOURCE_SERVERS],
        "Get an API by id or identifier",
        |call| Box::pin(async move { get(&call) }),
    ),
    route(
        "PATCH",
        "/api/v2/resource-servers/{id}",
        &[Scope::UPDATE_RESOURCE_SERVERS],
        "Update an API",
        |call| Box::pin(update(call)),
    ),
    route(
        "DELETE",
        "/api/v2/resource-servers/{id}",
        &[Scope::DELETE_RESOURCE_SERVERS],
        "Delete an API",
        |call| Box::pin(delete(call)),
    ),
];

/// What they take.
pub static DETAILS: &[Detail] = &[
    Detail::of("GET", &["/api/v2/resource-servers"]).query(&[
        list::PARAMETERS,
        fields::PARAMETERS,
        REPEATABLE,
    ]),
    Detail::of("POST", &["/api/v2/resource-servers"]).takes(Takes::Json(&[&NEW])),
    Detail::of("GET", &["/api/v2/resource-servers/{id}"]).query(&[fields::PARAMETERS]),
    Detail::of("PATCH", &["/api/v2/resource-servers/{id}"]).takes(Takes::Json(&[&PATCH])),
];

const REPEATABLE: &[&str] = &["identifiers"];

const KIND: ResourceKind = ResourceKind::ResourceServer;

macro_rules! changeable {
    ($($own:expr),*) => {
        &[
            $($own,)*
            property("name", Shape::Formatted(1, 200, Format::Plain), "Friendly name for this resource server. Can not contain `<` or `>` characters"),
            property("scopes", Shape::Objects, "List of permissions (scopes) that this API uses"),
            property("signing_alg", Shape::OneOf(&["HS256", "RS256", "RS512", "PS256"]), ""),
            property("signing_secret", Shape::Text(16, 255), ""),
            property("allow_offline_access", Shape::Boolean, ""),
            property("allow_online_access", Shape::Boolean, ""),
            property("allow_online_access_with_ephemeral_sessions", Shape::Boolean, ""),
            property("token_lifetime_for_anonymous_access_tokens", Shape::Integer(0, 2_592_000), ""),
            property("token_lifetime", Shape::Integer(0, 2_592_000), ""),
            property("token_lifetime_for_web", Shape::Integer(0, 2_592_000), ""),
            property("skip_consent_for_verifiable_first_party_clients", Shape::Boolean, ""),
            property("enforce_policies", Shape::Boolean, ""),
            nullable("token_dialect", Shape::OneOf(&["access_token", "access_token_authz", "rfc9068_profile", "rfc9068_profile_authz"]), ""),
            nullable("token_encryption", Shape::Object, ""),
            nullable("consent_policy", Shape::Text(1, 64), ""),
            nullable("authorization_details", Shape::Objects, ""),
            nullable("proof_of_possession", Shape::Object, ""),
            nullable("authorization_policy", Shape::Object, ""),
            nullable("subject_type_authorization", Shape::Object, "")
        ]
    };
}

/// `POST /resource-servers`
static NEW: Schema = Schema {
    properties: changeable![property(
        "identifier",
        Shape::Text(1, 600),
        "Unique identifier for the API used as the audience parameter on authorization calls. Can not be changed once set"
    )],
    required: &["identifier"],
    extra: Extra::Refuse(""),
};

/// `PATCH /resource-servers/{id}`: the identifier stays what it is.
static PATCH: Schema =
    Schema { properties: changeable![], required: &[], extra: Extra::Refuse("") };

/// One of `scopes`.
static PERMISSION: Schema = Schema {
    properties: &[
        property("value", Shape::Text(1, 280), "Value of this scope"),
        nullable("description", Shape::Text(0, 500), "User-friendly description of this scope"),
    ],
    required: &["value"],
    extra: Extra::Refuse(""),
};

/// The id of the tenant's management API: made from its number, so it stays the same.
fn system_id(call: &Call) -> String {
    sha256_hex(&format!("management api of tenant {}", call.tenant.uid()))
        .chars()
        .take(24)
        .collect()
}

/// The tenant's management API. Only the default tenant has an operator.
fn system(id: String, audience: &str, is_default: bool) -> Resource {
    let scopes: Vec<String> = Scope::all()
        .filter(|scope| is_default || !Scope::NOT_TO_BE_LENT.contains(scope))
        .map(|scope| {
            let mut one = Builder::new();
            one.string("value", scope.name()).string("description", &description(scope.name()));
            one.finish()
        })
        .collect();
    let mut out = Builder::new();
    out.string("name", "Auth0 Management API")
        .string("identifier", audience)
        .flag("allow_offline_access", Some(false))
        .flag("skip_consent_for_verifiable_first_party_clients", Some(false))
        .raw("token_lifetime", "86400")
        .raw("token_lifetime_for_web", "7200")
        .string("signing_alg", "RS256")
        .flag("is_system", Some(true))
        .raw("scopes", &format!("[{}]", scopes.join(",")));
    Resource { kind: KIND, id, version: Version::ZERO, body: out.object() }
}

/// A scope in words: `read:client_keys` is "Read client keys".
fn description(name: &str) -> String {
    let words = name.replace([':', '_'], " ").replace('/', "");
    let mut letters = words.trim().chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// The management API of the call's tenant.
pub(super) fn own(call: &Call) -> Resource {
    let is_default = call.tenant.uid() == call.services.directory.default_tenant().uid();
    system(system_id(call), &call.audience(), is_default)
}

/// Whether the path names the tenant's management API, by id or identifier.
fn is_own(call: &Call) -> bool {
    let given = call.params.get("id");
    given == system_id(call) || given == MANAGEMENT_AUDIENCE || call.is_management(given)
}

/// The stored API the path names, by id or identifier.
fn existing(call: &Call) -> Result<Arc<Resource>, Problem> {
    let given = call.params.get("id");
    let published = call.tenant.published();
    let by_name = || {
        let all = published.resources(KIND);
        all.into_iter().find(|api| api.name().as_deref() == Some(given))
    };
    published.resource(KIND, given).or_else(by_name).ok_or_else(|| no_resource(KIND))
}

fn list(call: &Call) -> Result<HttpResponse, Problem> {
    let known = [list::PARAMETERS, fields::PARAMETERS].concat();
    call.query.only_repeating(&known, REPEATABLE)?;
    let part = Part::of(call)?;
    let fields = Fields::of(&call.query, None)?;
    let wanted: Vec<&str> = call.query.all("identifiers").collect();
    let mut all = call.tenant.published().resources(KIND);
    all.push(Arc::new(own(call)));
    all.sort_by(|a, b| a.id.cmp(&b.id));
    let items: Vec<Item> = all
        .iter()
        .filter(|api| {
            wanted.is_empty() || api.name().is_some_and(|name| wanted.contains(&name.as_str()))
        })
        .map(|api| Item {
            id: api.id.clone(),
            json: selected(fields.as_ref(), &api.to_json(), &[]),
        })
        .collect();
    Ok(part.answer("resource_servers", &items))
}

fn get(call: &Call) -> Result<HttpResponse, Problem> {
    call.query.only(fields::PARAMETERS)?;
    let fields = Fields::of(&call.query, None)?;
    let api = if is_own(call) { Arc::new(own(call)) } else { existing(call)? };
    show(call, api.version, selected(fields.as_ref(), &api.to_json(), &[]))
}

fn check_scopes(body: &Object) -> Result<(), Problem> {
    let mut seen: Vec<String> = Vec::new();
    for raw in body.get("scopes").map(Elements::of).into_iter().flatten() {
        let one = Object::trusted(raw);
        PERMISSION.check(&one)?;
        let value = one.get_str("value").unwrap_or_default().into_owned();
        if seen.contains(&value) {
            let detail = format!("Scope {value} is there twice");
            return Err(Problem::body(schema::message(&detail, "scopes", "")));
        }
        seen.push(value);
    }
    Ok(())
}

/// The stored members of a new API: what was sent, and what it has when its maker says nothing.
fn completed(body: &Object) -> Object {
    let mut out = Builder::new();
    let identifier = body.get("identifier").unwrap_or("\"\"");
    if let Some(name) = body.get("name") {
        out.raw("name", name);
    }
    out.raw("identifier", identifier);
    let defaults = [
        ("allow_offline_access", "false"),
        ("skip_consent_for_verifiable_first_party_clients", "false"),
        ("token_lifetime", "86400"),
        ("token_lifetime_for_web", "7200"),
        ("signing_alg", "\"RS256\""),
    ];
    for (key, default) in defaults {
        out.raw(key, body.get(key).unwrap_or(default));
    }
    out.flag("is_system", Some(false));
    for (key, value) in body.members() {
        let name = json::unquote(key);
        let is_said = name == "name" || name == "identifier";
        if !is_said && value != "null" && !defaults.iter().any(|(key, _)| *key == name) {
            out.member(key, value);
        }
    }
    out.object()
}

async fn create(mut call: Call) -> Result<HttpResponse, Problem> {
    let body = call.json().await?;
    NEW.check(&body)?;
    check_scopes(&body)?;
    let identifier = body.get_str("identifier").unwrap_or_default();
    if identifier == MANAGEMENT_AUDIENCE || call.is_management(&identifier) {
        return Err(Rejection::ResourceExists(KIND).into());
    }
    let resource = Resource {
        kind: KIND,
        id: random::account_id(call.now),
        version: Version::ZERO,
        body: completed(&body),
    };
    let answer = call.write(Channel::V2, Command::CreateResource(Box::new(resource))).await?;
    let api = written(&answer)?;
    Ok(answer_at(StatusCode::CREATED, api.version).body(api.to_json()))
}

async fn update(mut call: Call) -> Result<HttpResponse, Problem> {
    let patch = call.json().await?;
    PATCH.check(&patch)?;
    check_scopes(&patch)?;
    if is_own(&call) {
        return Err(Rejection::ResourceFixed(KIND).into());
    }
    let id = existing(&call)?.id.clone();
    let command = Command::UpdateResource { kind: KIND, id, patch };
    let answer = call.write(Channel::V2, command).await?;
    let api = written(&answer)?;
    Ok(answer_at(StatusCode::OK, api.version).body(api.to_json()))
}

async fn delete(call: Call) -> Result<HttpResponse, Problem> {
    if is_own(&call) {
        return Err(Rejection::ResourceFixed(KIND).into());
    }
    let given = call.params.get("id");
    let id = existing(&call).map_or_else(|_| given.to_owned(), |api| api.id.clone());
    let answer = call.write(Channel::V2, Command::DeleteResource { kind: KIND, id }).await?;
    Ok(no_content(answer.version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_management_api_shows_every_scope_in_words() {
        let api = system("1".repeat(24), "https://h/api/v2/", false);
        let text = api.to_json();
        assert!(text.contains(r#""identifier":"https://h/api/v2/""#), "{text}");
        assert!(text.contains(r#""is_system":true"#), "{text}");
        assert!(text.contains(r#"{"value":"read:client_keys","description":"Read client keys"}"#));
        assert!(!text.contains("dossier:"));
        let own = system("1".repeat(24), "https://h/api/v2/", true);
        assert!(own.to_json().contains("dossier:operator"));
        Object::parse(&own.to_json(), 8).unwrap();
    }

    #[test]
    fn a_new_api_is_completed() {
        let body =
            Object::parse(r#"{"identifier":"https://a","scopes":[{"value":"x"}]}"#, 8).unwrap();
        assert_eq!(
            completed(&body).as_json(),
            r#"{"identifier":"https://a","allow_offline_access":false,"skip_consent_for_verifiable_first_party_clients":false,"token_lifetime":86400,"token_lifetime_for_web":7200,"signing_alg":"RS256","is_system":false,"scopes":[{"value":"x"}]}"#
        );
    }

    #[test]
    fn scopes_are_objects_with_a_value_each_once() {
        let check = |scopes: &str| {
            check_scopes(&Object::parse(&format!("{{\"scopes\":{scopes}}}"), 8).unwrap())
        };
        assert!(check(r#"[{"value":"a","description":"b"}]"#).is_ok());
        assert!(check(r#"[{"description":"b"}]"#).is_err());
        assert!(check(r#"[{"value":"a"},{"value":"a"}]"#).is_err());
        assert!(check("[]").is_ok());
    }
}
