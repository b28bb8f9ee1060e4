//! `GET /api/v2/users` (CONTRACT.md §3): lists, searches and their pages.

use super::fields::{Fields, USER_FIELDS};
use super::{Page, json, users};
use crate::domain::document::Document;
use crate::domain::search::{self, Candidates, How, Plan, Record, Sort, SortKey};
use crate::http::answer::DOSSIER_VERSION;
use crate::http::call::Call;
use crate::http::problem::Problem;
use crate::http::schema;
use crate::tenant::Search;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Where an answer came from and how long it took, for people and their tools (RFC 9110 extension
/// "Server-Timing" of the W3C).
static SERVER_TIMING: HeaderName = HeaderName::from_static("server-timing");

pub(super) const LIST_PARAMETERS: &[&str] = &[
    "page",
    "per_page",
    "include_totals",
    "sort",
    "connection",
    "fields",
    "include_fields",
    "q",
    "search_engine",
    "primary_order",
];

const WINDOW: &str =
    "records. See https://auth0.com/docs/users/search/v3/view-search-results-by-page#limitation";

/// Which users a list shows, and in which order.
struct Selection {
    query: Option<Arc<search::Query>>,
    connection: Option<String>,
    sort: Option<Sort>,
}

/// What a user in a list counts for among what a tenant has in work.
const USER_BYTES: usize = 1 << 10;

pub(super) async fn list(mut call: Call) -> Result<HttpResponse, Problem> {
    call.query.only(LIST_PARAMETERS)?;
    let page = Page::of(&call, "Number of results per page")?;
    let fields = Fields::of(&call.query, Some(USER_FIELDS))?;
    let settings = call.services.settings_of(&call.tenant);
    let window = settings.limits.paging_window;
    if window > 0 && page.start.saturating_add(page.limit) > window.max(page.limit) {
        return Err(Problem::new(
            400,
            "invalid_paging",
            format!("You can only page through the first {window} {WINDOW}"),
        ));
    }
    let selection = selection(&call, &settings.search)?;
    call.take_place(page.limit.saturating_mul(USER_BYTES)).await?;
    let began = Instant::now();
    let search = if let Some(query) = &selection.query {
        let index_from = usize::try_from(settings.search.index_from).ok();
        call.tenant.search(query.clone(), index_from.filter(|&from| from > 0)).await?
    } else {
        let (candidates, exact, how) = (Candidates::All, true, How::Scan);
        let everyone = Plan { candidates, exact, how, unindexed: Vec::new() };
        Search { view: call.tenant.view().await?, plan: everyone }
    };
    let (how, version) = (search.plan.how, search.view.version);
    let found = find(search, selection, page, settings.search.timeout).await?;
    let users = users::array(found.users.iter(), fields.as_ref());
    let body = if page.with_totals {
        format!(
            "{{\"start\":{},\"limit\":{},\"length\":{},\"users\":{users},\"total\":{}}}",
            page.start,
            page.limit,
            found.users.len(),
            found.total
        )
    } else {
        users
    };
    let mut response = json(StatusCode::OK, body);
    let headers = response.headers_mut();
    headers.insert(DOSSIER_VERSION.clone(), version.get().into());
    if let Ok(timing) = HeaderValue::from_str(&timing(how, began.elapsed())) {
        headers.insert(SERVER_TIMING.clone(), timing);
    }
    Ok(response)
}

/// The value of `Server-Timing`: milliseconds, and where the answer came from.
fn timing(how: How, took: Duration) -> String {
    format!("search;desc=\"{}\";dur={:.2}", how.name(), took.as_secs_f64() * 1e3)
}

fn selection(call: &Call, settings: &crate::config::Search) -> Result<Selection, Problem> {
    match call.query.get("search_engine") {
        None | Some("v3" | "") => {}
        Some("v1") => return Err(Problem::query("You are not allowed to use search_engine=v1.")),
        Some("v2") => {
            return Err(Problem::query(
                "You are not allowed to use search_engine=v2. Use search_engine=v3 instead.",
            ));
        }
        Some(other) => {
            let detail = format!("Invalid value \"{other}\"");
            return Err(Problem::query(schema::query_message(
                &detail,
                "search_engine",
                "The version of the search engine",
            )));
        }
    }
    call.query.flag("primary_order")?;
    let rules = search::Rules {
        metadata_wildcards: settings.metadata_wildcards,
        metadata_ranges: settings.metadata_ranges,
        ..search::Rules::default()
    };
    let query = match call.query.get("q").map(str::trim).filter(|q| !q.is_empty()) {
        None => None,
        Some(text) => {
            Some(Arc::new(search::Query::parse(text, rules).map_err(|error| Problem {
                members: vec![("column", error.column.to_string())],
                ..Problem::query(format!(
                    "Invalid query: {} (column {})",
                    error.message, error.column
                ))
            })?))
        }
    };
    let sort = match call.query.get("sort").filter(|sort| !sort.is_empty()) {
        None => None,
        Some(text) => Some(Sort::parse(text).map_err(|error| {
            Problem::query(schema::query_message(&error.to_string(), "sort", "Field to sort by. Use field:order where order is 1 for ascending and -1 for descending"))
        })?),
    };
    Ok(Selection {
        query,
        connection: call.query.get("connection").filter(|name| !name.is_empty()).map(str::to_owned),
        sort,
    })
}

/// A page of users.
struct Hits {
    users: Vec<Document>,
    total: usize,
}

/// Above so many users to ask, a search leaves the worker.
const INLINE_USERS: u64 = 2_000;

/// How many users are asked between two looks at the clock.
const ASKED_AT_ONCE: usize = 1024;

async fn find(
    search: Search,
    selection: Selection,
    page: Page,
    timeout: Duration,
) -> Result<Hits, Problem> {
    let asked = match &search.plan.candidates {
        Candidates::All => u64::try_from(search.view.user_count).unwrap_or(u64::MAX),
        Candidates::Only(slots) => slots.len(),
    };
    let is_counted =
        search.plan.exact && selection.connection.is_none() && selection.sort.is_none();
    if is_counted || asked <= INLINE_USERS {
        return select(&search, &selection, page, None).ok_or_else(timed_out);
    }
    let deadline = Instant::now() + timeout;
    let found =
        actix_web::web::block(move || select(&search, &selection, page, Some(deadline))).await;
    found.map_err(|_| Problem::internal())?.ok_or_else(timed_out)
}

fn timed_out() -> Problem {
    Problem::new(
        503,
        "query_timeout",
        "The query exceeded the timeout. Please try refining your search criteria. See https://auth0.com/docs/best-practices/search-best-practices.",
    )
}

/// The wanted page; `None` when the deadline passes first.
fn select(
    search: &Search,
    selection: &Selection,
    page: Page,
    deadline: Option<Instant>,
) -> Option<Hits> {
    let (view, plan) = (&search.view, &search.plan);
    match &plan.candidates {
        Candidates::All => choose(view.users(), view.user_count, search, selection, page, deadline),
        Candidates::Only(slots) => {
            let users = slots.iter().filter_map(|slot| view.at(slot));
            let count = usize::try_from(slots.len()).unwrap_or(usize::MAX);
            choose(users, count, search, selection, page, deadline)
        }
    }
}

/// Asks those of `users` that have to be asked, and sorts and cuts what is left.
fn choose<'a>(
    users: impl Iterator<Item = &'a Document>,
    count: usize,
    search: &Search,
    selection: &Selection,
    page: Page,
    deadline: Option<Instant>,
) -> Option<Hits> {
    let asks = !search.plan.exact || selection.connection.is_some();
    if !asks && selection.sort.is_none() {
        let users = users.skip(page.start).take(page.limit).cloned().collect();
        return Some(Hits { users, total: count });
    }
    let mut hits = Vec::new();
    for (at, document) in users.enumerate() {
        if at % ASKED_AT_ONCE == 0 && deadline.is_some_and(|deadline| Instant::now() > deadline) {
            return None;
        }
        if !asks || is_meant(document, search, selection) {
            hits.push(document);
        }
    }
    let total = hits.len();
    if let Some(sort) = &selection.sort {
        let mut keyed: Vec<(Option<SortKey>, &Document)> = hits
            .into_iter()
            .map(|document| (sort.key(&Record::new(document.json())), document))
            .collect();
        keyed.sort_by(|(left, _), (right, _)| sort.compare(left.as_ref(), right.as_ref()));
        hits = keyed.into_iter().map(|(_, document)| document).collect();
    }
    let users = hits.into_iter().skip(page.start).take(page.limit).cloned().collect();
    Some(Hits { users, total })
}

fn is_meant(document: &Document, search: &Search, selection: &Selection) -> bool {
    let is_of = selection.connection.as_ref().is_none_or(|name| is_of_connection(document, name));
    is_of
        && (search.plan.exact
            || selection
                .query
                .as_ref()
                .is_none_or(|query| query.matches(&Record::new(document.json()))))
}

fn is_of_connection(document: &Document, name: &str) -> bool {
    document.user().identities.iter().any(|identity| identity.connection == name)
}
