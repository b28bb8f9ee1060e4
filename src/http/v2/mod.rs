//! Management API v2, as Auth0 speaks it (CONTRACT.md §2–§7).

pub mod assignments;
pub mod clients;
pub mod connections;
pub mod events;
pub mod fields;
pub mod grants;
pub mod identities;
pub mod jobs;
mod list;
pub mod resource_servers;
pub mod settings;
pub mod subresources;
pub mod ticket_pages;
mod tickets;
pub mod users;
mod users_list;
pub(in crate::http) mod wire;

use super::call::Call;
use super::openapi::detail::{Detail, Takes};
use super::problem::Problem;
use super::route::{Access, Answering, Dialect, Route};
use crate::domain::permit::READ_USER;
use crate::domain::scope::Scope;
use actix_web::http::Method;

pub use super::answer::{answer_at, json, no_content, show};

const fn route(
    method: &'static str,
    path: &'static str,
    scopes: &'static [Scope],
    summary: &'static str,
    handler: fn(Call) -> Answering,
) -> Route {
    Route { method, path, dialect: Dialect::V2, access: Access::Scopes(scopes), summary, handler }
}

const READ_CLIENT: &[Scope] = &[
    Scope::READ_CLIENTS,
    Scope::READ_CLIENT_KEYS,
    Scope::READ_CLIENT_CREDENTIALS,
    Scope::READ_CLIENT_SUMMARY,
];
const LIST_CLIENTS: &[Scope] =
    &[Scope::READ_CLIENTS, Scope::READ_CLIENT_KEYS, Scope::READ_CLIENT_SUMMARY];
const UPDATE_CLIENT: &[Scope] = &[Scope::UPDATE_CLIENTS, Scope::UPDATE_CLIENT_KEYS];
const READ_JOB: &[Scope] = &[Scope::CREATE_USERS, Scope::READ_USERS];
const CREATE_TICKET: &[Scope] = &[Scope::CREATE_USER_TICKETS];
const DELETE_USER: &[Scope] = &[Scope::DELETE_USERS, Scope::DELETE_CURRENT_USER];

/// The routes of users and clients; the singular and `applications` spellings are the seed's.
pub static ROUTES: &[Route] = &[
    route("GET", "/api/v2/users/{id}", READ_USER, "Get a user", |call| {
        Box::pin(async move { users::get(&call) })
    }),
    route(
        "PATCH",
        "/api/v2/users/{id}",
        crate::domain::permit::UPDATE_USER,
        "Update a user",
        |call| Box::pin(users::update(call)),
    ),
    route("DELETE", "/api/v2/users/{id}", DELETE_USER, "Delete a user", |call| {
        Box::pin(users::delete(call))
    }),
    route("GET", "/api/v2/users", &[Scope::READ_USERS], "List or search users", |call| {
        Box::pin(users_list::list(call))
    }),
    route("POST", "/api/v2/users", &[Scope::CREATE_USERS], "Create a user", |call| {
        Box::pin(users::create(call))
    }),
    route(
        "GET",
        "/api/v2/users-by-email",
        &[Scope::READ_USERS],
        "Find users by e-mail address",
        |call| Box::pin(users::by_email(call)),
    ),
    route("GET", "/api/v2/clients", LIST_CLIENTS, "List clients", |call| {
        Box::pin(async move { clients::list(&call) })
    }),
    route("POST", "/api/v2/clients", &[Scope::CREATE_CLIENTS], "Create a client", |call| {
        Box::pin(clients::create(call))
    }),
    route("GET", "/api/v2/clients/{id}", READ_CLIENT, "Get a client", |call| {
        Box::pin(async move { clients::get(&call) })
    }),
    route("PATCH", "/api/v2/clients/{id}", UPDATE_CLIENT, "Update a client", |call| {
        Box::pin(clients::update(call))
    }),
    route("DELETE", "/api/v2/clients/{id}", &[Scope::DELETE_CLIENTS], "Delete a client", |call| {
        Box::pin(clients::delete(call))
    }),
    route(
        "POST",
        "/api/v2/clients/{id}/rotate-secret",
        &[Scope::UPDATE_CLIENT_KEYS],
        "Rotate a client's secret",
        |call| Box::pin(clients::rotate(call)),
    ),
    route("GET", "/api/v2/applications", LIST_CLIENTS, "List clients", |call| {
        Box::pin(async move { clients::list(&call) })
    }),
    route("POST", "/api/v2/applications", &[Scope::CREATE_CLIENTS], "Create a client", |call| {
        Box::pin(clients::create(call))
    }),
    route("GET", "/api/v2/applications/{id}", READ_CLIENT, "Get a client", |call| {
        Box::pin(async move { clients::get(&call) })
    }),
    route("PATCH", "/api/v2/applications/{id}", UPDATE_CLIENT, "Update a client", |call| {
        Box::pin(clients::update(call))
    }),
    route(
        "DELETE",
        "/api/v2/applications/{id}",
        &[Scope::DELETE_CLIENTS],
        "Delete a client",
        |call| Box::pin(clients::delete(call)),
    ),
    route("POST", "/api/v2/jobs/users-imports", &[Scope::CREATE_USERS], "Import users", |call| {
        Box::pin(jobs::create_import(call))
    }),
    route("POST", "/api/v2/jobs/users-exports", &[Scope::READ_USERS], "Export users", |call| {
        Box::pin(jobs::create_export(call))
    }),
    route(
        "POST",
        "/api/v2/jobs/verification-email",
        &[Scope::UPDATE_USERS],
        "Send a verification e-mail",
        |call| Box::pin(jobs::create_verification_email(call)),
    ),
    route("GET", "/api/v2/jobs/{id}", READ_JOB, "Get a job", |call| {
        Box::pin(async move { jobs::get(&call) })
    }),
    route("GET", "/api/v2/jobs/{id}/errors", READ_JOB, "List a job's errors", |call| {
        Box::pin(async move { jobs::errors(&call) })
    }),
    route(
        "POST",
        "/api/v2/tickets/email-verification",
        CREATE_TICKET,
        "Create a link that verifies an address",
        |call| Box::pin(tickets::verify_email(call)),
    ),
    route(
        "POST",
        "/api/v2/tickets/password-change",
        CREATE_TICKET,
        "Create a link that sets a password",
        |call| Box::pin(tickets::change_password(call)),
    ),
    route("GET", "/api/v2/client/{id}", READ_CLIENT, "Get a client", |call| {
        Box::pin(async move { clients::get(&call) })
    }),
    route("PATCH", "/api/v2/client/{id}", UPDATE_CLIENT, "Update a client", |call| {
        Box::pin(clients::update(call))
    }),
    route("DELETE", "/api/v2/client/{id}", &[Scope::DELETE_CLIENTS], "Delete a client", |call| {
        Box::pin(clients::delete(call))
    }),
];

const USER: &[&str] = &["/api/v2/users/{id}"];
const USERS: &[&str] = &["/api/v2/users"];
const CLIENTS: &[&str] = &["/api/v2/clients", "/api/v2/applications"];
const CLIENT: &[&str] =
    &["/api/v2/clients/{id}", "/api/v2/applications/{id}", "/api/v2/client/{id}"];

/// What they take.
pub static DETAILS: &[Detail] = &[
    Detail::of("GET", USER).query(&[fields::PARAMETERS]),
    Detail::of("PATCH", USER).takes(Takes::Json(&[&wire::USER_PATCH])),
    Detail::of("GET", USERS).query(&[users_list::LIST_PARAMETERS]),
    Detail::of("POST", USERS).takes(Takes::Json(&[&wire::NEW_USER_LENIENT])),
    Detail::of("GET", &["/api/v2/users-by-email"])
        .query(&[&["email"], fields::PARAMETERS])
        .required("email"),
    Detail::of("GET", CLIENTS).query(&[clients::LIST_PARAMETERS]),
    Detail::of("POST", CLIENTS).takes(Takes::Json(wire::NEW_CLIENT)),
    Detail::of("GET", CLIENT).query(&[fields::PARAMETERS]),
    Detail::of("PATCH", CLIENT).takes(Takes::Json(wire::CLIENT_PATCH)),
    Detail::of("POST", &["/api/v2/clients/{id}/rotate-secret"]).statuses(&[200]),
    Detail::of("POST", &["/api/v2/jobs/users-imports"])
        .takes(Takes::Multipart(
            &["users"],
            &["connection_id", "upsert", "external_id", "send_completion_email"],
        ))
        .statuses(&[202]),
    Detail::of("POST", &["/api/v2/jobs/users-exports"])
        .takes(Takes::Json(&[&jobs::EXPORT]))
        .statuses(&[200]),
    Detail::of("POST", &["/api/v2/jobs/verification-email"])
        .takes(Takes::Json(&[&jobs::VERIFICATION])),
    Detail::of("GET", &["/api/v2/jobs/{id}/errors"]).statuses(&[200, 204, 304]),
    Detail::of("POST", &["/api/v2/tickets/email-verification"])
        .takes(Takes::Json(&[&tickets::VERIFICATION])),
    Detail::of("POST", &["/api/v2/tickets/password-change"])
        .takes(Takes::Json(&[&tickets::PASSWORD])),
];

/// The row of management routes that are Auth0's and not ours.
pub static FALLBACK: Route = route("GET", "/api/v2/{*rest}", &[], "Not implemented", |_| {
    Box::pin(async { Err(Problem::no_route()) })
});

/// Collections of Auth0's management API that Dossier does not serve.
const FOREIGN: &[&str] = &[
    "actions",
    "anomaly",
    "attack-protection",
    "blacklists",
    "branding",
    "connection-profiles",
    "connections-directory-provisionings",
    "custom-domains",
    "device-credentials",
    "email-templates",
    "emails",
    "event-streams",
    "flows",
    "forms",
    "grants",
    "groups",
    "guardian",
    "hooks",
    "keys",
    "log-streams",
    "logs",
    "network-acls",
    "organizations",
    "prompts",
    "rate-limit-policies",
    "refresh-tokens",
    "risk-assessments",
    "roles",
    "rules",
    "rules-configs",
    "self-service-profiles",
    "sessions",
    "stats",
    "supplemental-signals",
    "tickets",
    "token-exchange-profiles",
    "user-attribute-profiles",
    "user-grants",
    "verifiable-credentials",
];

/// Collections that Dossier serves, though not everything Auth0 has below them.
const SERVED: &[&str] = &[
    "client-grants",
    "clients",
    "connections",
    "jobs",
    "resource-servers",
    "tenants",
    "user-blocks",
    "users",
];

/// The scope a management route would want that Auth0 has and Dossier does not serve.
///
/// Below a member of a collection that is served, the scope is named after what hangs
/// there (`/connections/{id}/scim-configuration` → `read:scim_configuration`), since
/// the caller may well hold the scope of the collection.
pub fn unimplemented_scope(method: &Method, path: &str) -> Option<String> {
    let mut segments = path.strip_prefix("/api/v2/")?.split('/');
    let collection = segments.next()?;
    let name = if FOREIGN.contains(&collection) {
        collection
    } else if SERVED.contains(&collection) {
        segments.nth(1).filter(|name| !name.is_empty())?
    } else {
        return None;
    };
    let verb = match *method {
        Method::POST => "create",
        Method::PATCH | Method::PUT => "update",
        Method::DELETE => "delete",
        _ => "read",
    };
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    Some(format!(
        "{verb}:{}",
        if is_plain { name.replace('-', "_") } else { collection.replace('-', "_") }
    ))
}

/// The pages of an offset list.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Items before the page.
    pub start: usize,
    /// Items on a page.
    pub limit: usize,
    /// Whether the answer is an envelope with totals.
    pub with_totals: bool,
}

impl Page {
    /// Reads `page`, `per_page` and `include_totals`.
    ///
    /// # Errors
    /// 400 for what is out of range.
    pub fn of(call: &Call, about: &str) -> Result<Self, Problem> {
        let max = call.services.settings_of(&call.tenant).limits.per_page;
        let limit = call.query.number("per_page", 0, max, about)?.unwrap_or(50.min(max));
        let page = call.query.number(
            "page",
            0,
            1 << 40,
            "Page index of the results to return. First page is 0",
        )?;
        let with_totals = call.query.flag("include_totals")?.unwrap_or(false);
        Ok(Self { start: page.unwrap_or(0).saturating_mul(limit), limit, with_totals })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(method: &Method, path: &str, scope: Option<&str>) {
        assert_eq!(unimplemented_scope(method, path).as_deref(), scope, "{method} {path}");
    }

    #[test]
    fn what_is_auth0s_and_not_ours_asks_for_a_scope_nobody_has() {
        check(&Method::GET, "/api/v2/rules", Some("read:rules"));
        check(&Method::PATCH, "/api/v2/attack-protection/x", Some("update:attack_protection"));
        check(&Method::POST, "/api/v2/users/a%7C1/multifactor", Some("create:multifactor"));
        check(
            &Method::GET,
            "/api/v2/connections/con_1/scim-configuration",
            Some("read:scim_configuration"),
        );
        check(&Method::DELETE, "/api/v2/users/a/b%0d", Some("delete:users"));
    }

    #[test]
    fn what_nobody_has_is_not_found() {
        check(&Method::PUT, "/api/v2/users/a", None);
        check(&Method::GET, "/api/v2/connections/", None);
        check(&Method::GET, "/api/v2/tenants/other", None);
        check(&Method::GET, "/api/v2/nonsense", None);
        check(&Method::GET, "/elsewhere", None);
    }
}
