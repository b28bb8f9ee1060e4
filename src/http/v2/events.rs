//! `GET /api/v2/events`: what happens to users, as server-sent events of Auth0's shape.
//!
//! Events come from the history, in the order of the tenant's versions and without a gap. The
//! position (`id`, `offset`) of an event is the version of its change; where one change makes
//! several events, those before the last are `<version>.<count>`. Whoever goes on from a
//! position gets everything behind it, or 410 when that is not kept any more.

use crate::domain::client::sha256_hex;
use crate::domain::history::{Image, Subject, Was};
use crate::domain::json::{Builder, Object};
use crate::domain::scope::Scope;
use crate::domain::time::{Timestamp, Version};
use crate::http::call::{Call, host_of_call};
use crate::http::openapi::detail::Detail;
use crate::http::own::history::look;
use crate::http::problem::Problem;
use crate::http::route::{Access, Dialect, Route};
use crate::http::schema;
use crate::http::services::Services;
use crate::journal::Lsn;
use crate::store::history::{HistoryError, TouchedAt};
use crate::tenant::history::{History, Look, StreamSlot};
use actix_web::http::header;
use actix_web::{HttpResponse, web};
use bytes::Bytes;
use futures_util::stream;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::watch;

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

/// Changes looked at in one go.
const LOOKED_AT_ONCE: usize = 64;

/// How long nothing may be said, and how often it is looked whether the server ends.
const HEARTBEAT: Duration = Duration::from_secs(15);
const TICK: Duration = Duration::from_millis(500);

/// How long one answer goes on; its reader comes back with the position it has.
const LIFE: Duration = Duration::from_mins(5);

/// How soon a reader may come back, in milliseconds.
const RETRY: &str = ":connected\n\nretry: 1000\n\n";

/// A place between two events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    /// Every event of this version and before it is passed,
    version: Version,
    /// and so many of the next one.
    passed: usize,
}

impl Position {
    const fn behind(version: Version) -> Self {
        Self { version, passed: 0 }
    }

    fn parse(text: &str) -> Option<Self> {
        match text.split_once('.') {
            None => text.parse().ok().map(|number| Self::behind(Version::new(number))),
            Some((version, passed)) => {
                let version: u64 = version.parse().ok()?;
                let passed = passed.parse().ok()?;
                Some(Self { version: Version::new(version.checked_sub(1)?), passed })
            }
        }
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.passed {
            0 => self.version.fmt(f),
            passed => write!(f, "{}.{passed}", self.version.next()),
        }
    }
}

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

/// One reader of events.
struct Feed {
    services: web::Data<Services>,
    history: Arc<History>,
    place: watch::Receiver<Lsn>,
    _slot: StreamSlot,
    tenant: crate::tenant::TenantHandle,
    source: String,
    types: Vec<String>,
    position: Position,
    told: Instant,
    ends: Instant,
    ready: VecDeque<Bytes>,
    is_over: bool,
}

/// What a look at the history brings.
enum Seen {
    Events(Vec<Event>, Position),
    Nothing,
    Expired,
}

/// One event, and the position behind it.
struct Event {
    position: Position,
    kind: &'static str,
    at: Timestamp,
    data: String,
}

impl Feed {
    /// The next bytes; none at the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                self.told = Instant::now();
                return Some(bytes);
            }
            if self.is_over {
                return None;
            }
            if Instant::now() >= self.ends || !self.services.is_ready.load(Ordering::Acquire) {
                self.end(
                    "connection_timeout",
                    "The stream ends here; come back with its position.",
                );
                continue;
            }
            // In this order: what comes after the look wakes the wait.
            self.place.mark_unchanged();
            match self.look().await {
                Err(()) => self.end("processing_error", "The history is not available."),
                Ok(Seen::Expired) => {
                    self.end(
                        "cursor_expired",
                        "The events behind this position are not kept any more.",
                    );
                }
                Ok(Seen::Events(events, behind)) => {
                    for event in events {
                        if self.types.is_empty() || self.types.iter().any(|own| own == event.kind) {
                            self.ready.push_back(self.bytes(&event));
                        }
                    }
                    self.position = behind;
                    if self.ready.is_empty() && self.told.elapsed() >= TICK {
                        self.tell_position();
                    }
                }
                Ok(Seen::Nothing) => {
                    if self.told.elapsed() >= HEARTBEAT {
                        self.tell_position();
                    } else {
                        // The follower may have stopped; the next look tells.
                        let _woken = tokio::time::timeout(TICK, self.place.changed()).await;
                    }
                }
            }
        }
    }

    async fn look(&self) -> Result<Seen, ()> {
        let look = self.history.glance(self.tenant.uid()).map_err(drop)?;
        let position = self.position;
        let seen = web::block(move || seen(&look, position)).await.map_err(drop)?;
        seen.map_err(|error| self.history.report(&error))
    }

    fn bytes(&self, event: &Event) -> Bytes {
        let tenant = self.tenant.id();
        let hash = sha256_hex(&format!("{} {}", self.tenant.uid(), event.position));
        let stream = sha256_hex(&format!("{} stream", self.tenant.uid()));
        let mut cloud = Builder::new();
        cloud
            .string("specversion", "1.0")
            .string("type", event.kind)
            .string("source", &self.source)
            .string("id", &format!("evt_{}", hash.get(..16).unwrap_or_default()))
            .string("time", &event.at.to_string())
            .raw("data", &event.data)
            .string("a0tenant", tenant)
            .string("a0stream", &format!("est_{}", stream.get(..16).unwrap_or_default()));
        let mut data = Builder::new();
        data.string("offset", &event.position.to_string()).raw("event", &cloud.finish());
        message(&event.position, event.kind, &data.finish())
    }

    fn tell_position(&mut self) {
        let mut data = Builder::new();
        data.string("offset", &self.position.to_string());
        self.ready.push_back(message(&self.position, "offset-only", &data.finish()));
    }

    fn end(&mut self, code: &str, text: &str) {
        let (mut detail, mut data) = (Builder::new(), Builder::new());
        detail.string("code", code).string("message", text);
        detail.string("offset", &self.position.to_string());
        data.raw("error", &detail.finish());
        self.ready.push_back(message(&self.position, "error", &data.finish()));
        self.is_over = true;
    }
}

fn message(position: &Position, event: &str, data: &str) -> Bytes {
    Bytes::from(format!("id: {position}\nevent: {event}\ndata: {data}\n\n"))
}

/// The events behind a position, as far as one look goes.
fn seen(look: &Look, position: Position) -> Result<Seen, HistoryError> {
    if position.version < look.floor()? {
        return Ok(Seen::Expired);
    }
    let changes = look.changes_after(position.version, LOOKED_AT_ONCE)?;
    let Some(last) = changes.last().map(|change| change.version) else { return Ok(Seen::Nothing) };
    let mut events = Vec::new();
    for change in &changes {
        let passed = if change.version == position.version.next() { position.passed } else { 0 };
        let mut of_change = events_of(look, change)?;
        let count = of_change.len();
        for (index, event) in of_change.iter_mut().enumerate() {
            let before = Version::new(change.version.get().saturating_sub(1));
            event.position = if index + 1 == count {
                Position::behind(change.version)
            } else {
                Position { version: before, passed: index + 1 }
            };
        }
        events.extend(of_change.into_iter().skip(passed));
    }
    // Retention may have come between: then the next look says so.
    if position.version < look.floor()? {
        return Ok(Seen::Expired);
    }
    Ok(Seen::Events(events, Position::behind(last)))
}

fn events_of(look: &Look, change: &TouchedAt) -> Result<Vec<Event>, HistoryError> {
    let mut events = Vec::new();
    for (kind, id) in &change.touched {
        if *kind != Subject::User {
            continue;
        }
        // What was before an erasure is not told.
        let Some(image) = look.at(*kind, id, change.version)? else { continue };
        let before = look.before(*kind, id, change.version)?;
        if let Some((kind, data)) = told(id, &image, before.as_ref()) {
            let position = Position::behind(change.version);
            events.push(Event { position, kind, at: change.at, data });
        }
    }
    Ok(events)
}

/// What became of a user, and the data of the event that says so.
fn told(id: &str, image: &Image, before: Option<&Image>) -> Option<(&'static str, String)> {
    let previous = before.and_then(Image::shown);
    let mut data = Builder::new();
    let kind = match (&image.was, previous) {
        (Was::User(document), None) => {
            let is_new = image.is_making() || before.is_some();
            data.raw("object", document.json());
            if is_new { "user.created" } else { "user.updated" }
        }
        (Was::User(document), Some(previous)) => {
            data.raw("object", document.json()).raw("previous_object", &previous);
            "user.updated"
        }
        (Was::Gone, Some(previous)) => {
            let at = crate::domain::json::quoted(&image.at.to_string());
            let object = Object::trusted(&previous).with("deleted_at", &at);
            data.raw("object", object.as_json());
            "user.deleted"
        }
        // Of who was erased, that they are no more is all there is to tell.
        (Was::Erased, _) => {
            let mut object = Builder::new();
            object.string("user_id", id).string("deleted_at", &image.at.to_string());
            data.raw("object", &object.finish());
            "user.deleted"
        }
        (Was::Gone, None) | (Was::Client(_), _) => return None,
    };
    Some((kind, data.finish()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_comes_back_out_of_its_text() {
        for (version, passed, text) in [(0, 0, "0"), (7, 0, "7"), (6, 2, "7.2")] {
            let position = Position { version: Version::new(version), passed };
            assert_eq!(position.to_string(), text);
            assert_eq!(Position::parse(text), Some(position));
        }
        for text in ["", "x", "0.1", "-1", "7.", "7.x", "1.2.3"] {
            assert_eq!(Position::parse(text), None, "{text}");
        }
    }
}
