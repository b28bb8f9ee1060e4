//! The latest requests of a tenant, in test mode; elsewhere there is no such path.

use super::route;
use crate::domain::json::Builder;
use crate::domain::scope::Scope;
use crate::http::answer::json as json_answer;
use crate::http::call::Call;
use crate::http::openapi::detail::Detail;
use crate::http::problem::Problem;
use crate::http::request_log::Wanted;
use crate::http::route::Route;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;

/// Where they are asked for. Who looks at requests is not among them.
pub const PATH: &str = "/dossier/v1/requests";

/// As at Auth0, whose logs they stand for.
const LOGS: &[Scope] = &[Scope::READ_LOGS];

const QUERY: &[&str] = &["after", "method", "status", "path", "limit"];

/// How many are told at once, at most.
const LIMIT: usize = 100;

/// The routes of this module.
pub static ROUTES: &[Route] = &[
    route("GET", PATH, LOGS, "List the latest requests (test mode)", |call| {
        Box::pin(async move { list(&call) })
    }),
    route(
        "DELETE",
        PATH,
        &[Scope::UPDATE_TENANT_SETTINGS],
        "Forget the latest requests (test mode)",
        |call| Box::pin(async move { forget(&call) }),
    ),
];

/// What they take.
pub static DETAILS: &[Detail] = &[Detail::of("GET", &[PATH]).query(&[QUERY])];

fn in_test_mode(call: &Call) -> Result<(), Problem> {
    if call.services.is_test_mode { Ok(()) } else { Err(Problem::no_route()) }
}

fn list(call: &Call) -> Result<HttpResponse, Problem> {
    in_test_mode(call)?;
    call.query.only(QUERY)?;
    let text = |name: &str| call.query.get(name).filter(|text| !text.is_empty()).map(str::to_owned);
    let after = call.query.number("after", 0, usize::MAX, "the id of a request")?.unwrap_or(0);
    let wanted = Wanted {
        after: u64::try_from(after).unwrap_or(u64::MAX),
        method: text("method"),
        status: text("status"),
        path: text("path"),
    };
    let limit = call.query.number("limit", 1, LIMIT, "how many")?.unwrap_or(LIMIT);
    let found = call.services.request_log.newest(call.tenant.uid(), &wanted, limit);
    let all: Vec<String> = found.iter().map(|entry| entry.to_json()).collect();
    let mut out = Builder::new();
    out.raw("requests", &format!("[{}]", all.join(",")))
        .raw("kept", &call.services.settings().test.requests.to_string());
    Ok(json_answer(StatusCode::OK, out.finish()))
}

fn forget(call: &Call) -> Result<HttpResponse, Problem> {
    in_test_mode(call)?;
    if !call.is_rehearsed() {
        call.services.request_log.forget(call.tenant.uid());
    }
    Ok(HttpResponse::NoContent().finish())
}
