//! `/api/v2/users` and `/api/v2/users-by-email` (CONTRACT.md §2, §3).

use super::fields::{self, Fields, USER_FIELDS, selected};
use super::{Page, answer_at, json, no_content, wire};
use crate::domain::change::Channel;
use crate::domain::command::{Command, Field};
use crate::domain::decide::LoginKey;
use crate::domain::document::Document;
use crate::domain::patch::Patch;
use crate::domain::permit::permit_read;
use crate::domain::search::{self, Record, Sort, SortKey};
use crate::domain::user::UserId;
use crate::http::call::Call;
use crate::http::problem::Problem;
use crate::http::{patches, random, schema};
use crate::tenant::StateView;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;

pub(super) fn get(call: &Call) -> Result<HttpResponse, Problem> {
    let id = call.user_id()?;
    permit_read(&call.caller, &id)?;
    call.query.only(fields::PARAMETERS)?;
    let fields = Fields::of(&call.query, Some(USER_FIELDS))?;
    let document = call.tenant.published().user(id.as_str()).ok_or_else(Problem::no_user)?;
    if call.is_unchanged(document.version())? {
        return Ok(answer_at(StatusCode::NOT_MODIFIED, document.version()).finish());
    }
    Ok(show(StatusCode::OK, &document, fields.as_ref()))
}

fn show(status: StatusCode, document: &Document, fields: Option<&Fields>) -> HttpResponse {
    let mut response = answer_at(status, document.version());
    match fields {
        None => response.body(document.json_bytes()),
        Some(fields) => response.body(fields.cut(document.json(), &[])),
    }
}

pub(super) async fn create(mut call: Call) -> Result<HttpResponse, Problem> {
    let body = call.json().await?;
    let account = random::account_id(call.now);
    let mut body = wire::new_user(&body, call.tenant.rules().compat, account)?;
    if let Some(plain) = body.password.take() {
        body.user.password = call.services.hash_password(plain).await;
    }
    let answer = call.write(Channel::V2, Command::CreateUser(Box::new(body.user))).await?;
    let change =
        answer.change.as_ref().and_then(|change| change.user()).ok_or_else(Problem::internal)?;
    Ok(show(StatusCode::CREATED, change, None))
}

pub(super) async fn update(mut call: Call) -> Result<HttpResponse, Problem> {
    let id = call.user_id()?;
    if let Some(patch) = patches::patch(&mut call, &["user_metadata", "app_metadata"]).await? {
        return update_by_dialect(&call, id, patch).await;
    }
    let body = call.json().await?;
    let body = wire::user_patch(&body)?;
    let mut patch = body.patch;
    if let Some(plain) = body.password {
        let hash = call.services.hash_password(plain).await.ok_or_else(Problem::internal)?;
        patch.password = Field::Set(hash);
    }
    let answer =
        call.write(Channel::V2, Command::UpdateUser { id, patch: Box::new(patch) }).await?;
    let change =
        answer.change.as_ref().and_then(|change| change.user()).ok_or_else(Problem::internal)?;
    Ok(show(StatusCode::OK, change, None))
}

/// A patch that changes nothing uses no version: the user is shown as it is.
async fn update_by_dialect(call: &Call, id: UserId, patch: Patch) -> Result<HttpResponse, Problem> {
    let command =
        Command::PatchUser { id: id.clone(), patch: Box::new(patch), body: wire::patched_user };
    let answer = call.write(Channel::V2, command).await?;
    if let Some(document) = answer.change.as_ref().and_then(|change| change.user()) {
        return Ok(show(StatusCode::OK, document, None));
    }
    let document = call.tenant.published().user(id.as_str()).ok_or_else(Problem::no_user)?;
    Ok(show(StatusCode::OK, &document, None))
}

pub(super) async fn delete(call: Call) -> Result<HttpResponse, Problem> {
    // An id nobody can have is one nobody has: deleting it is done already.
    let Ok(id) = call.user_id() else { return Ok(no_content(call.tenant.published().version())) };
    let answer = call.write(Channel::V2, Command::DeleteUser { id }).await?;
    Ok(no_content(answer.version))
}

pub(super) async fn by_email(call: Call) -> Result<HttpResponse, Problem> {
    call.query.only(&["email", "fields", "include_fields"])?;
    let fields = Fields::of(&call.query, Some(USER_FIELDS))?;
    let email = call.query.get("email").filter(|email| !email.is_empty()).ok_or_else(|| {
        Problem::query(schema::query_message("Missing required property: email", "", ""))
    })?;
    let found = call.tenant.users_with(LoginKey::Email, email).await?;
    let exact =
        found.iter().filter(|document| document.attribute("email").as_deref() == Some(email));
    Ok(json(StatusCode::OK, array(exact, fields.as_ref())))
}

fn array<'a>(documents: impl Iterator<Item = &'a Document>, fields: Option<&Fields>) -> String {
    let mut out = String::from("[");
    for document in documents {
        if out.len() > 1 {
            out.push(',');
        }
        match fields {
            None => out.push_str(document.json()),
            Some(_) => out.push_str(&selected(fields, document.json(), &[])),
        }
    }
    out.push(']');
    out
}

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
    query: Option<search::Query>,
    connection: Option<String>,
    sort: Option<Sort>,
}

pub(super) async fn list(call: Call) -> Result<HttpResponse, Problem> {
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
    let view = call.tenant.view().await?;
    let timeout = settings.search.timeout;
    let found = find(view, selection, page, timeout).await?;
    let users = array(found.users.iter(), fields.as_ref());
    if !page.with_totals {
        return Ok(json(StatusCode::OK, users));
    }
    Ok(json(
        StatusCode::OK,
        format!(
            "{{\"start\":{},\"limit\":{},\"length\":{},\"users\":{users},\"total\":{}}}",
            page.start,
            page.limit,
            found.users.len(),
            found.total
        ),
    ))
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
        Some(text) => Some(search::Query::parse(text, rules).map_err(|error| Problem {
            members: vec![("column", error.column.to_string())],
            ..Problem::query(format!("Invalid query: {} (column {})", error.message, error.column))
        })?),
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

/// Above so many users a search leaves the worker.
const INLINE_USERS: usize = 2_000;

async fn find(
    view: StateView,
    selection: Selection,
    page: Page,
    timeout: std::time::Duration,
) -> Result<Hits, Problem> {
    let is_plain =
        selection.query.is_none() && selection.connection.is_none() && selection.sort.is_none();
    if is_plain {
        let users = view.users().skip(page.start).take(page.limit).cloned().collect();
        return Ok(Hits { users, total: view.user_count });
    }
    if view.user_count <= INLINE_USERS {
        return select(&view, &selection, page, None).ok_or_else(timed_out);
    }
    let deadline = std::time::Instant::now() + timeout;
    let found =
        actix_web::web::block(move || select(&view, &selection, page, Some(deadline))).await;
    found.map_err(|_| Problem::internal())?.ok_or_else(timed_out)
}

fn timed_out() -> Problem {
    Problem::new(
        503,
        "query_timeout",
        "The query exceeded the timeout. Please try refining your search criteria. See https://auth0.com/docs/best-practices/search-best-practices.",
    )
}

/// Looks at every user; `None` when the deadline passes first.
fn select(
    view: &StateView,
    selection: &Selection,
    page: Page,
    deadline: Option<std::time::Instant>,
) -> Option<Hits> {
    let mut hits = Vec::new();
    for (at, document) in view.users().enumerate() {
        if at % 1024 == 0 && deadline.is_some_and(|deadline| std::time::Instant::now() > deadline) {
            return None;
        }
        let is_of =
            selection.connection.as_ref().is_none_or(|name| is_of_connection(document, name));
        if is_of
            && selection
                .query
                .as_ref()
                .is_none_or(|query| query.matches(&Record::new(document.json())))
        {
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

fn is_of_connection(document: &Document, name: &str) -> bool {
    document.user().identities.iter().any(|identity| identity.connection == name)
}
