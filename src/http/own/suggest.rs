//! What a query can be made of: the fields the tenant's users have, and their values.
//!
//! From the search index where there is one. Asking makes none: without one, some users from all over
//! the tenant tell, off the workers, and the answer says how many.

use super::route;
use crate::domain::json::Builder;
use crate::domain::scope::Scope;
use crate::domain::search::{Kinds, PathInfo, Suggestions, Typed, ValueCount};
use crate::http::answer::json as answer_json;
use crate::http::call::Call;
use crate::http::openapi::detail::Detail;
use crate::http::problem::Problem;
use crate::http::route::Route;
use crate::http::schema;
use crate::tenant::Suggested;
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use std::time::{Duration, Instant};

const FIELDS: &str = "/dossier/v1/search/fields";
const VALUES: &str = "/dossier/v1/search/values";

/// The routes of this module.
pub static ROUTES: &[Route] = &[
    route("GET", FIELDS, &[Scope::READ_USERS], "List fields a search can ask for", |call| {
        Box::pin(fields(call))
    }),
    route("GET", VALUES, &[Scope::READ_USERS], "List values of a field with few of them", |call| {
        Box::pin(values(call))
    }),
];

const FIELDS_PARAMETERS: &[&str] = &["prefix", "limit"];
const VALUES_PARAMETERS: &[&str] = &["field", "prefix", "limit"];

/// What they take.
pub static DETAILS: &[Detail] = &[
    Detail::of("GET", &[FIELDS]).query(&[FIELDS_PARAMETERS]),
    Detail::of("GET", &[VALUES]).query(&[VALUES_PARAMETERS]).required("field"),
];

/// Suggestions, unless the caller wants another number of them.
const SHOWN: usize = 20;
const MOST_SHOWN: usize = 100;

/// Users that are asked where there is no index, and how long at most.
const ASKED_MAX: usize = 2_000;
const ASKING_MAX: Duration = Duration::from_millis(500);

async fn fields(call: Call) -> Result<HttpResponse, Problem> {
    call.query.only(FIELDS_PARAMETERS)?;
    let typed = Typed::field(call.query.get("prefix").unwrap_or_default(), limit(&call)?);
    answer(&call, typed).await
}

async fn values(call: Call) -> Result<HttpResponse, Problem> {
    call.query.only(VALUES_PARAMETERS)?;
    let wrong = |detail: &str| Problem::query(schema::query_message(detail, "field", ""));
    let missing = || wrong("Missing required property: field");
    let field = call.query.get("field").filter(|text| !text.is_empty()).ok_or_else(missing)?;
    let prefix = call.query.get("prefix").unwrap_or_default();
    let typed = Typed::value(field, prefix, limit(&call)?)
        .map_err(|error| wrong(&format!("{} (column {})", error.message, error.column)))?;
    answer(&call, typed).await
}

fn limit(call: &Call) -> Result<usize, Problem> {
    Ok(call.query.number("limit", 1, MOST_SHOWN, "Suggestions in one answer")?.unwrap_or(SHOWN))
}

async fn answer(call: &Call, typed: Typed) -> Result<HttpResponse, Problem> {
    let Suggested { suggestions, view } = call.tenant.suggest(typed.clone()).await?;
    let total = view.user_count;
    let (suggestions, asked, source) = if let Some(suggestions) = suggestions {
        (suggestions, total, "index")
    } else {
        let asking = web::block(move || {
            let deadline = Instant::now() + ASKING_MAX;
            view.suggest(&typed, ASKED_MAX, &|| Instant::now() > deadline)
        });
        let (suggestions, asked) = asking.await.map_err(|_| Problem::internal())?;
        (suggestions, asked, "scan")
    };
    let mut out = Builder::new();
    match &suggestions {
        Suggestions::Fields(fields) => {
            out.raw("fields", &list(fields, field_json));
        }
        Suggestions::Values(values, distinct) => {
            out.raw("values", &list(values, value_json))
                .raw("distinct", &number_or_null(*distinct));
        }
    }
    out.string("source", source)
        .raw("users_asked", &asked.to_string())
        .raw("users", &total.to_string());
    Ok(answer_json(StatusCode::OK, out.finish()))
}

fn list<T>(items: &[T], one: impl Fn(&T) -> String) -> String {
    format!("[{}]", items.iter().map(one).collect::<Vec<_>>().join(","))
}

fn number_or_null(number: Option<usize>) -> String {
    number.map_or_else(|| "null".to_owned(), |number| number.to_string())
}

fn field_json(info: &PathInfo) -> String {
    let Kinds { bools, numbers, times, texts, containers } = info.kinds;
    let kinds = [
        (bools, "boolean"),
        (numbers, "number"),
        (times, "time"),
        (texts, "text"),
        (containers, "nested"),
    ];
    let kinds = kinds.iter().filter(|(is_there, _)| *is_there).map(|(_, name)| *name);
    let mut out = Builder::new();
    out.string("field", &info.path)
        .raw("kinds", &crate::domain::json::array_of(kinds))
        .raw("distinct", &number_or_null(info.distinct))
        .raw("users", &info.users.to_string());
    out.finish()
}

fn value_json(value: &ValueCount) -> String {
    let mut out = Builder::new();
    out.string("value", &value.text)
        .string("term", &value.term())
        .raw("users", &value.users.to_string());
    out.finish()
}
