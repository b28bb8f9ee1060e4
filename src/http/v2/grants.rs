//! `/api/v2/client-grants`: what a client may ask of an API (CONTRACT.md §7.4).
//!
//! A grant for the tenant's own management API is stored under one symbolic audience,
//! since the address of that API differs from host to host; callers see and send the
//! address.

use super::connections::written;
use super::list::{self, Item, Part};
use super::{answer_at, no_content, route, show};
use crate::domain::change::Channel;
use crate::domain::command::Command;
use crate::domain::json::{Builder, Object};
use crate::domain::permit::Forbidden;
use crate::domain::resource::{MANAGEMENT_AUDIENCE, Resource, ResourceKind};
use crate::domain::scope::Scope;
use crate::domain::time::Version;
use crate::http::call::Call;
use crate::http::openapi::detail::{Detail, Takes};
use crate::http::problem::{Problem, no_resource};
use crate::http::random;
use crate::http::route::Route;
use crate::http::schema::{self, Extra, Property, Schema, Shape, nullable, property};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use std::borrow::Cow;

/// The routes of client grants.
pub static ROUTES: &[Route] = &[
    route(
        "GET",
        "/api/v2/client-grants",
        &[Scope::READ_CLIENT_GRANTS],
        "List client grants",
        |call| Box::pin(async move { list(&call) }),
    ),
    route(
        "POST",
        "/api/v2/client-grants",
        &[Scope::CREATE_CLIENT_GRANTS],
        "Create a client grant",
        |call| Box::pin(create(call)),
    ),
    route(
        "GET",
        "/api/v2/client-grants/{id}",
        &[Scope::READ_CLIENT_GRANTS],
        "Get a client grant",
        |call| Box::pin(async move { get(&call) }),
    ),
    route(
        "PATCH",
        "/api/v2/client-grants/{id}",
        &[Scope::UPDATE_CLIENT_GRANTS],
        "Update a client grant",
        |call| Box::pin(update(call)),
    ),
    route(
        "DELETE",
        "/api/v2/client-grants/{id}",
        &[Scope::DELETE_CLIENT_GRANTS],
        "Delete a client grant",
        |call| Box::pin(delete(call)),
    ),
];

/// What they take.
pub static DETAILS: &[Detail] = &[
    Detail::of("GET", &["/api/v2/client-grants"]).query(&[list::PARAMETERS, OWN_PARAMETERS]),
    Detail::of("POST", &["/api/v2/client-grants"]).takes(Takes::Json(&[&NEW])),
    Detail::of("PATCH", &["/api/v2/client-grants/{id}"]).takes(Takes::Json(&[&PATCH])),
];

const OWN_PARAMETERS: &[&str] =
    &["client_id", "audience", "subject_type", "allow_any_organization", "default_for"];

const SCOPE: Property = property("scope", Shape::Strings, "Scopes allowed for this client grant");
const USAGE: Property =
    nullable("organization_usage", Shape::OneOf(&["deny", "allow", "require"]), "");
const ANY_ORGANIZATION: Property = property("allow_any_organization", Shape::Boolean, "");
const ALL_SCOPES: Property = property("allow_all_scopes", Shape::Boolean, "");
const AUTHORIZATION_DETAILS: Property = property("authorization_details_types", Shape::Strings, "");

/// `POST /client-grants`
static NEW: Schema = Schema {
    properties: &[
        property("client_id", Shape::Text(1, 255), "ID of the client"),
        property(
            "audience",
            Shape::Text(1, 600),
            "The audience (API identifier) of this client grant",
        ),
        SCOPE,
        USAGE,
        ANY_ORGANIZATION,
        ALL_SCOPES,
        AUTHORIZATION_DETAILS,
        property("default_for", Shape::Text(1, 64), ""),
        property("subject_type", Shape::OneOf(&["client", "user"]), ""),
    ],
    required: &["client_id", "audience"],
    extra: Extra::Refuse(""),
};

/// `PATCH /client-grants/{id}`
static PATCH: Schema = Schema {
    properties: &[
        nullable("scope", Shape::Strings, SCOPE.about),
        USAGE,
        ANY_ORGANIZATION,
        ALL_SCOPES,
        AUTHORIZATION_DETAILS,
    ],
    required: &[],
    extra: Extra::Refuse(""),
};

/// A grant as a caller at this host sees it.
fn text(call: &Call, grant: &Resource) -> String {
    let is_own = grant.body.get_str("audience").is_some_and(|own| own == MANAGEMENT_AUDIENCE);
    if is_own { with_audience(grant, &call.audience()) } else { grant.to_json() }
}

fn with_audience(grant: &Resource, audience: &str) -> String {
    let body = grant.body.with("audience", &crate::domain::json::quoted(audience));
    Resource { body, ..grant.clone() }.to_json()
}

fn shown(call: &Call, status: StatusCode, grant: &Resource) -> HttpResponse {
    answer_at(status, grant.version).body(text(call, grant))
}

/// An audience as it is stored.
fn stored<'a>(call: &Call, audience: &'a str) -> Cow<'a, str> {
    let name = if call.is_management(audience) { MANAGEMENT_AUDIENCE } else { audience };
    if name == audience { Cow::Borrowed(audience) } else { Cow::Owned(name.to_owned()) }
}

fn list(call: &Call) -> Result<HttpResponse, Problem> {
    call.query.only(&[list::PARAMETERS, OWN_PARAMETERS].concat())?;
    let part = Part::of(call)?;
    let wanted = |name: &str| call.query.get(name).filter(|value| !value.is_empty());
    let audience = wanted("audience").map(|audience| stored(call, audience));
    let is = |grant: &Resource, key: &str, value: Option<&str>| {
        value.is_none_or(|value| grant.body.get_str(key).is_some_and(|own| own == value))
    };
    let any = call.query.flag("allow_any_organization")?;
    let items: Vec<Item> = call
        .tenant
        .published()
        .resources(ResourceKind::ClientGrant)
        .iter()
        .filter(|grant| {
            is(grant, "client_id", wanted("client_id"))
                && is(grant, "audience", audience.as_deref())
                && is(grant, "subject_type", wanted("subject_type"))
                && is(grant, "default_for", wanted("default_for"))
                && any.is_none_or(|any| {
                    grant.body.get_bool("allow_any_organization").unwrap_or(false) == any
                })
        })
        .map(|grant| Item { id: grant.id.clone(), json: text(call, grant) })
        .collect();
    Ok(part.answer("client_grants", &items))
}

fn get(call: &Call) -> Result<HttpResponse, Problem> {
    let kind = ResourceKind::ClientGrant;
    let found = call.tenant.published().resource(kind, call.params.get("id"));
    let grant = found.ok_or_else(|| no_resource(kind))?;
    show(call, grant.version, text(call, &grant))
}

/// Who may hand out grants must not thereby become the operator of all tenants, nor have copies of
/// them.
fn may_grant(call: &Call, body: &Object) -> Result<(), Problem> {
    match call.beyond(&body.get_strings("scope").unwrap_or_default()) {
        Some(expected) => Err(Forbidden::Members { expected }.into()),
        None => Ok(()),
    }
}

async fn create(mut call: Call) -> Result<HttpResponse, Problem> {
    let body = call.json().await?;
    NEW.check(&body)?;
    may_grant(&call, &body)?;
    let audience = body.get_str("audience").unwrap_or_default();
    let audience = stored(&call, &audience);
    let kind = ResourceKind::ResourceServer;
    let apis = call.tenant.published().resources(kind);
    if audience != MANAGEMENT_AUDIENCE
        && !apis.iter().any(|api| api.name().as_deref() == Some(audience.as_ref()))
    {
        return Err(no_resource(kind));
    }
    let resource = Resource {
        kind: ResourceKind::ClientGrant,
        id: format!("cgr_{}", random::alphanumeric(16)),
        version: Version::ZERO,
        body: completed(&body, &audience),
    };
    let answer = call.write(Channel::V2, Command::CreateResource(Box::new(resource))).await?;
    Ok(shown(&call, StatusCode::CREATED, written(&answer)?))
}

fn completed(body: &Object, audience: &str) -> Object {
    let mut out = Builder::new();
    out.raw("client_id", body.get("client_id").unwrap_or("\"\""))
        .string("audience", audience)
        .raw("scope", body.get("scope").unwrap_or("[]"));
    for (key, value) in body.members() {
        let name = crate::domain::json::unquote(key);
        if !["client_id", "audience", "scope"].contains(&name.as_ref()) && value != "null" {
            out.member(key, value);
        }
    }
    out.object()
}

async fn update(mut call: Call) -> Result<HttpResponse, Problem> {
    let id = call.params.get("id").to_owned();
    let patch = call.json().await?;
    PATCH.check(&patch)?;
    if patch.is_empty() {
        let detail = "Too few properties defined (0), minimum 1";
        return Err(Problem::body(schema::message(detail, "", "")));
    }
    may_grant(&call, &patch)?;
    let patch = match patch.get("scope") {
        Some("null") => patch.with("scope", "[]"),
        Some(_) | None => patch,
    };
    let kind = ResourceKind::ClientGrant;
    let answer = call.write(Channel::V2, Command::UpdateResource { kind, id, patch }).await?;
    Ok(shown(&call, StatusCode::OK, written(&answer)?))
}

async fn delete(call: Call) -> Result<HttpResponse, Problem> {
    let (kind, id) = (ResourceKind::ClientGrant, call.params.get("id").to_owned());
    let answer = call.write(Channel::V2, Command::DeleteResource { kind, id }).await?;
    Ok(no_content(answer.version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_grant_is_stored_under_a_symbol_and_shown_under_an_address() {
        let body = Object::parse(
            r#"{"scope":["read:users"],"audience":"http://h/api/v2/","client_id":"c"}"#,
            8,
        )
        .unwrap();
        let grant = Resource {
            kind: ResourceKind::ClientGrant,
            id: "cgr_1".to_owned(),
            version: Version::ZERO,
            body: completed(&body, MANAGEMENT_AUDIENCE),
        };
        assert_eq!(
            grant.to_json(),
            r#"{"id":"cgr_1","client_id":"c","audience":"urn:dossier:management","scope":["read:users"]}"#
        );
        assert_eq!(
            with_audience(&grant, "https://h/api/v2/"),
            r#"{"id":"cgr_1","client_id":"c","audience":"https://h/api/v2/","scope":["read:users"]}"#
        );
    }
}
