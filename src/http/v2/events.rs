//! `GET /api/v2/events`: what happens to users, as server-sent events of Auth0's shape.
//!
//! Events come from the history, in the order of the tenant's versions and without a gap. The
//! position (`id`, `offset`) of an event is the version of its change; where one change makes
//! several events, those before the last are `<version>.<count>`. Whoever goes on from a
//! position gets everything behind it, or 410 when that is not kept any more.

mod feed;
mod position;
mod told;

use crate::domain::scope::Scope;
use crate::domain::time::{Timestamp, Version};
use crate::http::call::{Call, host_of_call};
use crate::http::openapi::detail::Detail;
use crate::http::own::history::look;
use crate::http::problem::Problem;
use crate::http::route::{Access, Dialect, Route};
use crate::http::schema;
use crate::store::history::HistoryError;
use crate::tenant::history::Look;
use actix_web::HttpResponse;
use actix_web::http::header;
use bytes::Bytes;
use feed::{Feed, LIFE};
use futures_util::stream;
use position::Position;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Instant;

const PATH: &str = "/api/v2/events";

/// The routes of this module.
pub static ROUTES: &[Route] = &[Route {
    method: "GET",
    path: PATH,
    dialect: Dialect::V2,
    access: Access::Scopes(&[Scope::READ_EVENTS]),
    summary: "Subscribe to events",
    handler: |call| Box::pin(subscribe(call)),
}];

const PARAMETERS: &[&str] = &["from", "from_timestamp", "event_type"];

/// What they take.
pub static DETAILS: &[Detail] = &[Detail::of("GET", &[PATH]).query(&[PARAMETERS])];

/// The events there are here, and those of Auth0 that may be asked for and never come.
const OWN_TYPES: [&str; 3] = ["user.created", "user.updated", "user.deleted"];
const OTHER_FAMILIES: [&str; 3] = ["connection.", "group.", "organization."];

/// How soon a reader may come back, in milliseconds.
const RETRY: &str = ":connected\n\nretry: 1000\n\n";

/// Where a reader wants to begin.
enum From {
    Now,
    Position(Position),
    Time(Timestamp),
}

fn from(call: &Call) -> Result<From, Problem> {
    let wrong = |name: &str, detail: &str| Problem::query(schema::query_message(detail, name, ""));
    let last_seen = call.header("last-event-id").filter(|text| !text.is_empty());
    let given = last_seen.or_else(|| call.query.get("from").filter(|text| !text.is_empty()));
    if let Some(text) = given {
        let position = Position::parse(text).ok_or_else(|| wrong("from", "Invalid cursor"));
        return position.map(From::Position);
    }
    match call.query.get("from_timestamp").filter(|text| !text.is_empty()) {
        None => Ok(From::Now),
        Some(text) => Timestamp::parse(text)
            .map(From::Time)
            .ok_or_else(|| wrong("from_timestamp", "Expected an RFC 3339 time")),
    }
}

fn wanted(call: &Call) -> Result<Vec<String>, Problem> {
    let types: Vec<String> = call.query.all("event_type").map(str::to_owned).collect();
    let is_known = |name: &String| {
        OWN_TYPES.contains(&name.as_str())
            || OTHER_FAMILIES.iter().any(|family| name.starts_with(family))
    };
    match types.iter().find(|name| !is_known(name)) {
        None => Ok(types),
        Some(unknown) => {
            let detail = format!("No enum match for: \"{unknown}\"");
            Err(Problem::query(schema::query_message(&detail, "event_type", "")))
        }
    }
}

fn gone() -> Problem {
    Problem::new(410, "cursor_expired", "The events behind this position are not kept any more.")
}

async fn subscribe(call: Call) -> Result<HttpResponse, Problem> {
    call.query.only_repeating(PARAMETERS, &["event_type"])?;
    let (from, types) = (from(&call)?, wanted(&call)?);
    let begin = look(&call, move |look| begin(&look, &from)).await?.ok_or_else(gone)?;
    let history = call.services.history.clone().ok_or_else(Problem::internal)?;
    let Some(slot) = history.stream(call.tenant.uid()) else {
        let message = "Too many event streams are open for this tenant.";
        return Err(Problem {
            retry_after: Some(5),
            ..Problem::new(429, "too_many_requests", message)
        });
    };
    let host = crate::tenant::host_name(host_of_call(&call)).into_owned();
    let feed = Feed {
        services: call.services.clone(),
        place: history.place(),
        history,
        _slot: slot,
        tenant: call.tenant.clone(),
        source: format!("urn:auth0:{}.{host}", call.tenant.id()),
        types,
        position: begin,
        told: Instant::now(),
        ends: Instant::now() + LIFE,
        ready: VecDeque::from([Bytes::from_static(RETRY.as_bytes())]),
        is_over: false,
    };
    let events = stream::unfold(feed, |mut feed| async move {
        let bytes = feed.next().await?;
        Some((Ok::<Bytes, Infallible>(bytes), feed))
    });
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/event-stream"))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .streaming(events))
}

/// The position a reader begins at; none when what is behind it is not whole any more.
fn begin(look: &Look, from: &From) -> Result<Option<Position>, HistoryError> {
    let (floor, last) = (look.floor()?, look.last_version()?);
    Ok(match from {
        From::Now => Some(Position::behind(last)),
        From::Position(position) => {
            Some(*position).filter(|position| position.version >= floor && position.version <= last)
        }
        From::Time(at) => {
            let version = look.version_before(*at)?;
            // At the floor nobody knows whether more followed.
            let is_whole = version > floor || floor == Version::ZERO;
            is_whole.then(|| Position::behind(version))
        }
    })
}
