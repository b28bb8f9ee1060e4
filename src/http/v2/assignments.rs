//! `/api/v2/users/{id}/roles` and `/permissions`: what a user may do elsewhere (CONTRACT.md §2.7).
//!
//! There is no list of roles: one is shown with its id as its name. Permissions are
//! described by the tenant's APIs, its own management API among them.

use super::list::{self, Item, Part};
use super::{answer_at, no_content, resource_servers, route};
use crate::domain::assignments::{AssignmentChange, Permission};
use crate::domain::change::Channel;
use crate::domain::command::Command;
use crate::domain::document::Document;
use crate::domain::json::{self, Builder, Elements, Object};
use crate::domain::permit::{ADD_ROLES, REMOVE_ROLES};
use crate::domain::resource::{MANAGEMENT_AUDIENCE, Resource, ResourceKind};
use crate::domain::scope::Scope;
use crate::http::call::Call;
use crate::http::openapi::detail::{Detail, Takes};
use crate::http::problem::Problem;
use crate::http::route::Route;
use crate::http::schema::{Extra, Schema, Shape, property};
use crate::tenant::Answer;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use std::collections::BTreeMap;
use std::sync::Arc;

const ROLES: &str = "/api/v2/users/{id}/roles";
const PERMISSIONS: &str = "/api/v2/users/{id}/permissions";

/// The routes of a user's roles and permissions.
pub static ROUTES: &[Route] = &[
    route(
        "GET",
        ROLES,
        &[Scope::READ_USERS, Scope::READ_ROLES, Scope::READ_ROLE_MEMBERS],
        "List a user's roles",
        |call| Box::pin(async move { list_roles(&call) }),
    ),
    route("POST", ROLES, ADD_ROLES, "Give a user roles", |call| {
        Box::pin(change_roles(call, AssignmentChange::AddRoles))
    }),
    route("DELETE", ROLES, REMOVE_ROLES, "Take roles from a user", |call| {
        Box::pin(change_roles(call, AssignmentChange::RemoveRoles))
    }),
    route("GET", PERMISSIONS, &[Scope::READ_USERS], "List a user's permissions", |call| {
        Box::pin(async move { list_permissions(&call) })
    }),
    route("POST", PERMISSIONS, &[Scope::UPDATE_USERS], "Give a user permissions", |call| {
        Box::pin(add_permissions(call))
    }),
    route("DELETE", PERMISSIONS, &[Scope::UPDATE_USERS], "Take permissions from a user", |call| {
        Box::pin(remove_permissions(call))
    }),
];

/// What they take.
pub static DETAILS: &[Detail] = &[
    Detail::of("GET", &[ROLES, PERMISSIONS]).query(&[list::PARAMETERS, &["sort"]]).statuses(&[200]),
    Detail::of("POST", &[ROLES]).takes(Takes::Json(&[&ROLE_IDS])).statuses(&[204]),
    Detail::of("DELETE", &[ROLES]).takes(Takes::Json(&[&ROLE_IDS])),
    Detail::of("POST", &[PERMISSIONS]).takes(Takes::Json(&[&PERMISSION_NAMES])),
    Detail::of("DELETE", &[PERMISSIONS]).takes(Takes::Json(&[&PERMISSION_NAMES])),
];

static ROLE_IDS: Schema = Schema {
    properties: &[property(
        "roles",
        Shape::Texts(255),
        "List of roles IDs to associated with the user",
    )],
    required: &["roles"],
    extra: Extra::Refuse(""),
};

static PERMISSION_NAMES: Schema = Schema {
    properties: &[property(
        "permissions",
        Shape::Each(&PERMISSION),
        "List of permissions to add to this user",
    )],
    required: &["permissions"],
    extra: Extra::Refuse(""),
};

static PERMISSION: Schema = Schema {
    properties: &[
        property(
            "resource_server_identifier",
            Shape::Text(1, 600),
            "Resource server (API) identifier that this permission is for",
        ),
        property("permission_name", Shape::Text(1, 280), "Name of this permission"),
    ],
    required: &["resource_server_identifier", "permission_name"],
    extra: Extra::Refuse(""),
};

fn user(call: &Call) -> Result<Document, Problem> {
    let known: Vec<&str> = list::PARAMETERS.iter().copied().chain(["sort"]).collect();
    call.query.only(&known)?;
    call.tenant.published().user(call.params.get("id")).ok_or_else(Problem::no_user)
}

fn list_roles(call: &Call) -> Result<HttpResponse, Problem> {
    let roles = user(call)?.assignments().roles;
    let part = Part::described(call, "Number of results per page")?;
    Ok(part.answer_with("roles", &roles, Clone::clone, |role| {
        let mut out = Builder::new();
        out.string("id", role).string("name", role).string("description", "");
        out.finish()
    }))
}

fn list_permissions(call: &Call) -> Result<HttpResponse, Problem> {
    let permissions = user(call)?.assignments().permissions;
    let part = Part::described(call, "Number of results per page")?;
    let mut apis = call.tenant.published().resources(ResourceKind::ResourceServer);
    if permissions.iter().any(|permission| permission.api == MANAGEMENT_AUDIENCE) {
        apis.push(Arc::new(resource_servers::own(call)));
    }
    let described = Described::of(&apis);
    let mut items: Vec<Item> = permissions
        .iter()
        .map(|permission| {
            let is_own = permission.api == MANAGEMENT_AUDIENCE;
            let api = if is_own { call.audience() } else { permission.api.clone() };
            Item {
                id: format!("{api} {}", permission.name),
                json: described.permission(&api, &permission.name),
            }
        })
        .collect();
    items.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(part.answer("permissions", &items))
}

/// What the tenant's APIs say of themselves, by identifier: a name, and their scopes' texts.
struct Described(BTreeMap<String, (String, BTreeMap<String, String>)>);

impl Described {
    fn of(apis: &[Arc<Resource>]) -> Self {
        let scopes = |api: &Resource| {
            let all = api.body.get("scopes").map(Elements::of).into_iter().flatten();
            all.map(Object::trusted)
                .map(|scope| {
                    let text = |key: &str| scope.get_str(key).unwrap_or_default().into_owned();
                    (text("value"), text("description"))
                })
                .collect()
        };
        let name = |api: &Resource| api.body.get_str("name").map(std::borrow::Cow::into_owned);
        Self(
            apis.iter()
                .filter_map(|api| {
                    let identifier = api.name()?;
                    let name = name(api).unwrap_or_else(|| identifier.clone());
                    Some((identifier, (name, scopes(api))))
                })
                .collect(),
        )
    }

    /// A permission as Auth0 shows it; an API that is no more has its identifier as its name.
    fn permission(&self, api: &str, name: &str) -> String {
        let known = self.0.get(api);
        let about = known.and_then(|(_, scopes)| scopes.get(name)).map_or("", String::as_str);
        let mut out = Builder::new();
        out.string("permission_name", name)
            .string("description", about)
            .string("resource_server_name", known.map_or(api, |(name, _)| name))
            .string("resource_server_identifier", api)
            .raw("sources", r#"[{"source_id":"","source_name":"","source_type":"DIRECT"}]"#);
        out.finish()
    }
}

async fn change_roles(
    mut call: Call,
    change: fn(Vec<String>) -> AssignmentChange,
) -> Result<HttpResponse, Problem> {
    let body = call.json().await?;
    ROLE_IDS.check(&body)?;
    let roles = body.get("roles").map(Elements::of).into_iter().flatten();
    let roles = roles.map(|raw| json::unquote(raw).into_owned()).collect();
    let answer = assign(&call, change(roles)).await?;
    Ok(no_content(answer.version))
}

async fn add_permissions(mut call: Call) -> Result<HttpResponse, Problem> {
    let permissions = permissions(&mut call).await?;
    let answer = assign(&call, AssignmentChange::AddPermissions(permissions)).await?;
    Ok(answer_at(StatusCode::CREATED, answer.version).body("{}"))
}

async fn remove_permissions(mut call: Call) -> Result<HttpResponse, Problem> {
    let permissions = permissions(&mut call).await?;
    let answer = assign(&call, AssignmentChange::RemovePermissions(permissions)).await?;
    Ok(no_content(answer.version))
}

/// The permissions of a body; the management API is kept under its symbol.
async fn permissions(call: &mut Call) -> Result<Vec<Permission>, Problem> {
    let body = call.json().await?;
    PERMISSION_NAMES.check(&body)?;
    let all = body.get("permissions").map(Elements::of).into_iter().flatten();
    Ok(all
        .map(Object::trusted)
        .map(|one| {
            let text = |key: &str| one.get_str(key).unwrap_or_default().into_owned();
            let (given, name) = (text("resource_server_identifier"), text("permission_name"));
            let is_own = call.is_management(&given);
            Permission { api: if is_own { MANAGEMENT_AUDIENCE.to_owned() } else { given }, name }
        })
        .collect())
}

async fn assign(call: &Call, change: AssignmentChange) -> Result<Answer, Problem> {
    let id = call.user_id()?;
    call.write(Channel::V2, Command::Assign { id, change }).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Version;

    #[test]
    fn a_permission_is_described_by_its_api() {
        let body = r#"{"name":"Orders","identifier":"https://o","scopes":[{"value":"read","description":"Read orders"}]}"#;
        let api = Resource {
            kind: ResourceKind::ResourceServer,
            id: "1".to_owned(),
            version: Version::ZERO,
            body: Object::parse(body, 8).unwrap(),
        };
        let described = Described::of(&[Arc::new(api)]);
        assert_eq!(
            described.permission("https://o", "read"),
            r#"{"permission_name":"read","description":"Read orders","resource_server_name":"Orders","resource_server_identifier":"https://o","sources":[{"source_id":"","source_name":"","source_type":"DIRECT"}]}"#
        );
        assert!(described.permission("https://o", "write").contains(r#""description":"""#));
        assert!(described.permission("gone", "x").contains(r#""resource_server_name":"gone""#));
    }
}
