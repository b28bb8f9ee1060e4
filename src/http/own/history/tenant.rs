//! `GET /dossier/v1/history`: the changes of all users and clients of a tenant.

use super::{MOST_PER_PAGE, PER_PAGE, READ_CLIENTS, READ_PAST, look, put_entry, span};
use crate::domain::history::Subject;
use crate::domain::json::Builder;
use crate::http::answer::json as answer_json;
use crate::http::call::Call;
use crate::http::openapi::detail::Detail;
use crate::http::problem::Problem;
use crate::http::route::{Access, Dialect, Route};
use crate::http::schema;
use crate::tenant::history::{Span, Touch};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;

const PATH: &str = "/dossier/v1/history";

/// The routes of this module.
pub static ROUTES: &[Route] = &[Route {
    method: "GET",
    path: PATH,
    dialect: Dialect::Dossier,
    access: Access::Scopes(READ_PAST),
    summary: "List the changes of all users, and of clients to those who may read them",
    handler: |call| Box::pin(changes(call)),
}];

const PARAMETERS: &[&str] = &["limit", "cursor"];

/// What they take.
pub static DETAILS: &[Detail] = &[Detail::of("GET", &[PATH]).query(&[PARAMETERS])];

async fn changes(call: Call) -> Result<HttpResponse, Problem> {
    call.query.only(PARAMETERS)?;
    let before = match span(&call)? {
        Span::Newest => None,
        Span::OlderThan(version) => Some(version),
        Span::NewerThan(_) => {
            let detail = "Expected what next of another page said";
            return Err(Problem::query(schema::query_message(detail, "cursor", "")));
        }
    };
    let limit = call.query.number("limit", 1, MOST_PER_PAGE, "Changes on one page")?;
    let limit = limit.unwrap_or(PER_PAGE);
    let (touches, older) = look(&call, move |look| look.newest(before, limit)).await?;
    let with_clients = call.caller.has_any(READ_CLIENTS);
    let is_shown = |touch: &&Touch| touch.kind == Subject::User || with_clients;
    let entries: Vec<String> = touches.iter().filter(is_shown).map(touch_json).collect();
    let mut out = Builder::new();
    out.raw("entries", &format!("[{}]", entries.join(",")));
    if let Some(older) = older {
        out.string("next", &format!("o{older}"));
    }
    Ok(answer_json(StatusCode::OK, out.finish()))
}

fn touch_json(touch: &Touch) -> String {
    let kind = match touch.kind {
        Subject::User => "user",
        Subject::Client => "client",
        Subject::Resource(kind) => kind.name(),
    };
    let mut out = Builder::new();
    out.string("kind", kind).string("id", &touch.id);
    put_entry(&mut out, &touch.entry);
    out.finish()
}
