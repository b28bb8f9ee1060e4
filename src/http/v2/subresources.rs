//! What Auth0 has beside users and connections and is always empty here (CONTRACT.md §2.7).
//!
//! SDKs and Terraform read these while they manage users. Dossier has no organizations,
//! second factors or blocks after failed sign-ins, so an empty answer is the truth;
//! changing them is answered as what is not implemented.

use super::{Page, json, no_content, route};
use crate::domain::decide::LoginKey;
use crate::domain::scope::Scope;
use crate::http::call::Call;
use crate::http::openapi::detail::Detail;
use crate::http::problem::Problem;
use crate::http::route::Route;
use crate::http::schema;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;

/// The routes of these answers.
pub static ROUTES: &[Route] = &[
    route(
        "GET",
        "/api/v2/users/{id}/organizations",
        &[Scope::READ_USERS, Scope::READ_ORGANIZATIONS],
        "List a user's organizations: none",
        |call| Box::pin(async move { empty(&call, "organizations") }),
    ),
    route(
        "GET",
        "/api/v2/users/{id}/logs",
        &[Scope::READ_LOGS, Scope::READ_LOGS_USERS],
        "List a user's log events: none",
        |call| Box::pin(async move { empty(&call, "logs") }),
    ),
    route(
        "GET",
        "/api/v2/users/{id}/enrollments",
        &[Scope::READ_USERS],
        "List a user's second factors: none",
        |call| {
            Box::pin(async move {
                known(&call)?;
                Ok(json(StatusCode::OK, "[]"))
            })
        },
    ),
    route(
        "GET",
        "/api/v2/actions/actions",
        &[Scope::READ_ACTIONS, Scope::READ_CONNECTIONS],
        "List actions: none",
        |call| Box::pin(async move { no_actions(&call) }),
    ),
    route(
        "GET",
        "/api/v2/user-blocks/{id}",
        &[Scope::READ_USERS],
        "List a user's blocks: none",
        |call| {
            Box::pin(async move {
                known(&call)?;
                Ok(json(StatusCode::OK, NO_BLOCKS))
            })
        },
    ),
    route(
        "DELETE",
        "/api/v2/user-blocks/{id}",
        &[Scope::UPDATE_USERS],
        "Remove a user's blocks",
        |call| {
            Box::pin(async move {
                known(&call)?;
                Ok(no_content(call.tenant.published().version()))
            })
        },
    ),
    route(
        "GET",
        "/api/v2/user-blocks",
        &[Scope::READ_USERS],
        "List the blocks of an identifier: none",
        |call| {
            Box::pin(async move {
                identified(&call).await?;
                Ok(json(StatusCode::OK, NO_BLOCKS))
            })
        },
    ),
    route(
        "DELETE",
        "/api/v2/user-blocks",
        &[Scope::UPDATE_USERS],
        "Remove the blocks of an identifier",
        |call| {
            Box::pin(async move {
                identified(&call).await?;
                Ok(no_content(call.tenant.published().version()))
            })
        },
    ),
];

/// What they take.
pub static DETAILS: &[Detail] = &[
    Detail::of("GET", &["/api/v2/users/{id}/organizations", "/api/v2/users/{id}/logs"])
        .query(&[LIST_PARAMETERS]),
    Detail::of("GET", &["/api/v2/actions/actions"]).query(&[&["page", "per_page"]]),
    Detail::of("GET", &["/api/v2/user-blocks"]).query(&[IDENTIFIED]).required("identifier"),
    Detail::of("DELETE", &["/api/v2/user-blocks"]).query(&[IDENTIFIED]).required("identifier"),
];

const LIST_PARAMETERS: &[&str] = &["page", "per_page", "include_totals", "from", "take", "sort"];
const IDENTIFIED: &[&str] = &["identifier", "consider_brute_force_enablement"];

const NO_BLOCKS: &str = "{\"blocked_for\":[]}";

fn known(call: &Call) -> Result<(), Problem> {
    call.tenant.published().user(call.params.get("id")).map(|_| ()).ok_or_else(Problem::no_user)
}

/// The deploy CLI looks for the actions of connections, and exports no connection of a
/// server that does not say it has none.
fn no_actions(call: &Call) -> Result<HttpResponse, Problem> {
    let Page { start, limit, .. } = Page::of(call, "Number of results per page")?;
    let page = start.checked_div(limit).unwrap_or(0);
    Ok(json(
        StatusCode::OK,
        format!("{{\"actions\":[],\"total\":0,\"page\":{page},\"per_page\":{limit}}}"),
    ))
}

/// An empty list, in the shape its parameters ask for.
fn empty(call: &Call, name: &str) -> Result<HttpResponse, Problem> {
    known(call)?;
    call.query.only(LIST_PARAMETERS)?;
    let page = Page::of(call, "Number of results per page")?;
    let is_cursor = ["from", "take"].iter().any(|key| call.query.get(key).is_some());
    Ok(json(StatusCode::OK, empty_body(name, page, is_cursor)))
}

fn empty_body(name: &str, page: Page, is_cursor: bool) -> String {
    if is_cursor {
        return format!("{{\"{name}\":[]}}");
    }
    if !page.with_totals {
        return "[]".to_owned();
    }
    let Page { start, limit, .. } = page;
    format!("{{\"{name}\":[],\"start\":{start},\"limit\":{limit},\"total\":0}}")
}

/// The user whose e-mail address, login name or phone number the parameter gives.
async fn identified(call: &Call) -> Result<(), Problem> {
    call.query.only(IDENTIFIED)?;
    let identifier =
        call.query.get("identifier").filter(|text| !text.is_empty()).ok_or_else(|| {
            Problem::query(schema::query_message("Missing required property: identifier", "", ""))
        })?;
    for key in LoginKey::ALL {
        if !call.tenant.users_with(key, identifier).await?.is_empty() {
            return Ok(());
        }
    }
    Err(Problem::no_user())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_the_shape_that_was_asked_for() {
        let page = |with_totals| Page { start: 0, limit: 100, with_totals };
        assert_eq!(
            empty_body("logs", page(true), false),
            r#"{"logs":[],"start":0,"limit":100,"total":0}"#
        );
        assert_eq!(empty_body("logs", page(false), false), "[]");
        assert_eq!(empty_body("organizations", page(true), true), r#"{"organizations":[]}"#);
    }
}
