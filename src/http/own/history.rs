//! What users and clients were: their changes, themselves at a point in time, and who set what.
//!
//! Secrets are never part of a change; a client as it was shows its secret to those whom v2
//! shows it, and to nobody else.

pub mod revert;
pub mod tenant;

use crate::domain::change::Provenance;
use crate::domain::diff;
use crate::domain::history::{self, Image, Subject, Was};
use crate::domain::json::{self, Builder};
use crate::domain::permit::{Forbidden, READ_USER, permit_read};
use crate::domain::scope::Scope;
use crate::domain::time::{Timestamp, Version};
use crate::http::answer::{answer_at, json as answer_json, show};
use crate::http::call::{Call, SECRETS};
use crate::http::openapi::detail::Detail;
use crate::http::problem::Problem;
use crate::http::route::{Access, Answering, Dialect, Route};
use crate::http::schema;
use crate::store::format::TenantUid;
use crate::store::history::HistoryError;
use crate::tenant::history::{AsOf, Entry, History, Look, Page, Point, Span, Unavailable};
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Scopes that let a caller look at the past of users: more than their present tells, so a
/// user's own token is not among them.
const READ_PAST: &[Scope] = &[Scope::READ_USERS];
const READ_CLIENTS: &[Scope] = &[Scope::READ_CLIENTS];

const fn get(
    path: &'static str,
    scopes: &'static [Scope],
    summary: &'static str,
    handler: fn(Call) -> Answering,
) -> Route {
    let access = Access::Scopes(scopes);
    Route { method: "GET", path, dialect: Dialect::Dossier, access, summary, handler }
}

const USER: &str = "/dossier/v1/users/{id}";
const USER_HISTORY: &str = "/dossier/v1/users/{id}/history";
const USER_DIFF: &str = "/dossier/v1/users/{id}/diff";
const USER_BLAME: &str = "/dossier/v1/users/{id}/blame";
const CLIENT: &str = "/dossier/v1/clients/{id}";
const CLIENT_HISTORY: &str = "/dossier/v1/clients/{id}/history";
const CLIENT_DIFF: &str = "/dossier/v1/clients/{id}/diff";
const CLIENT_BLAME: &str = "/dossier/v1/clients/{id}/blame";

/// The routes of this module.
pub static ROUTES: &[Route] = &[
    get(USER, READ_USER, "Get a user, as of a version or time, with who set what", |call| {
        Box::pin(object(call, Subject::User))
    }),
    get(USER_HISTORY, READ_PAST, "List a user's changes", |call| {
        Box::pin(changes(call, Subject::User))
    }),
    get(USER_DIFF, READ_PAST, "Compare a user at two points in time", |call| {
        Box::pin(compare(call, Subject::User))
    }),
    get(USER_BLAME, READ_PAST, "Say who set each metadata key of a user", |call| {
        Box::pin(blame(call, Subject::User))
    }),
    get(CLIENT, READ_CLIENTS, "Get a client, as of a version or time, with who set what", |call| {
        Box::pin(object(call, Subject::Client))
    }),
    get(CLIENT_HISTORY, READ_CLIENTS, "List a client's changes", |call| {
        Box::pin(changes(call, Subject::Client))
    }),
    get(CLIENT_DIFF, READ_CLIENTS, "Compare a client at two points in time", |call| {
        Box::pin(compare(call, Subject::Client))
    }),
    get(CLIENT_BLAME, READ_CLIENTS, "Say who set each metadata key of a client", |call| {
        Box::pin(blame(call, Subject::Client))
    }),
];

const OBJECT_PARAMETERS: &[&str] = &["as_of", "blame"];
const CHANGES_PARAMETERS: &[&str] = &["limit", "cursor"];
const COMPARE_PARAMETERS: &[&str] = &["from", "to"];

/// What they take.
pub static DETAILS: &[Detail] = &[
    Detail::of("GET", &[USER, CLIENT]).query(&[OBJECT_PARAMETERS]),
    Detail::of("GET", &[USER_HISTORY, CLIENT_HISTORY]).query(&[CHANGES_PARAMETERS]),
    Detail::of("GET", &[USER_DIFF, CLIENT_DIFF]).query(&[COMPARE_PARAMETERS]).required("from"),
];

/// Changes on one page, unless the caller wants another number of them.
const PER_PAGE: usize = 50;
const MOST_PER_PAGE: usize = 100;

/// Looks at the past, off the workers.
///
/// # Errors
/// 404 where no history is kept, 503 while it is not up to date or failed.
pub(in crate::http) async fn look<T: Send + 'static>(
    call: &Call,
    work: impl FnOnce(Look) -> Result<T, HistoryError> + Send + 'static,
) -> Result<T, Problem> {
    let (look, history) = reader(call, call.tenant.uid()).await?;
    let looked = web::block(move || work(look)).await.map_err(|_| Problem::internal())?;
    looked.map_err(|error| failed(&history, &error))
}

/// A look at a tenant's past, up to date; reading it is work for another thread.
///
/// # Errors
/// As [`look`].
pub(super) async fn reader(call: &Call, uid: TenantUid) -> Result<(Look, Arc<History>), Problem> {
    let Some(history) = call.services.history.clone() else {
        return Err(if call.services.settings().history.enabled {
            Unavailable::Failed.into()
        } else {
            Problem::new(404, "no_history", "No history is kept here: history.enabled is false.")
        });
    };
    Ok((history.look(uid).await?, history))
}

/// Takes note that the history cannot be read.
pub(super) fn failed(history: &History, error: &HistoryError) -> Problem {
    history.report(error);
    Unavailable::Failed.into()
}

fn nobody(kind: Subject) -> Problem {
    match kind {
        Subject::User => Problem::no_user(),
        Subject::Client => Problem::no_client(),
        Subject::Resource(_) => Problem::no_route(),
    }
}

/// That is before everything that is kept.
pub(in crate::http) fn forgotten() -> Problem {
    Problem::new(410, "beyond_retention", "That is before everything the history keeps of it.")
}

fn id_of(call: &Call, kind: Subject) -> Result<String, Problem> {
    match kind {
        Subject::User => Ok(call.user_id()?.as_str().to_owned()),
        Subject::Client | Subject::Resource(_) => Ok(call.params.get("id").to_owned()),
    }
}

/// A version or a time, from a parameter.
pub(in crate::http) fn point(call: &Call, name: &str, text: &str) -> Result<Point, Problem> {
    point_of(call.tenant.published().version(), name, text)
}

/// A version or a time, of a tenant that is at `present`.
pub(super) fn point_of(present: Version, name: &str, text: &str) -> Result<Point, Problem> {
    let wrong = |detail: &str| Problem::query(schema::query_message(detail, name, ""));
    if let Ok(number) = text.parse::<u64>() {
        let version = Version::new(number);
        if version > present {
            return Err(wrong(&format!(
                "Version {version} is not there yet, the last is {present}"
            )));
        }
        return Ok(Point::Version(version));
    }
    let time = Timestamp::parse(text);
    time.map(Point::Time).ok_or_else(|| wrong("Expected a version or an RFC 3339 time"))
}

async fn object(call: Call, kind: Subject) -> Result<HttpResponse, Problem> {
    call.query.only(OBJECT_PARAMETERS)?;
    let id = id_of(&call, kind)?;
    let wants_blame = call.query.flag("blame")?.unwrap_or(false);
    let as_of = call.query.get("as_of").filter(|text| !text.is_empty());
    if kind == Subject::User {
        permit_read(&call.caller, &call.user_id()?)?;
        if (wants_blame || as_of.is_some()) && !call.caller.has_any(READ_PAST) {
            return Err(Forbidden::Scope { expected: READ_PAST }.into());
        }
    }
    let was = match as_of {
        None => present(&call, kind, &id)?,
        Some(text) => {
            let (point, own) = (point(&call, "as_of", text)?, id.clone());
            match look(&call, move |look| look.as_of(kind, &own, point)).await? {
                AsOf::Was(image) => image.was,
                AsOf::Absent => return Err(nobody(kind)),
                AsOf::Forgotten => return Err(forgotten()),
            }
        }
    };
    let (version, mut body) = shown(&call, &was).ok_or_else(|| nobody(kind))?;
    if wants_blame {
        let blame = blamed(&call, kind, id, was).await?;
        json::Object::trusted(&body).with("blame", &blame).as_json().clone_into(&mut body);
    }
    show(&call, version, body)
}

/// The object as it is.
fn present(call: &Call, kind: Subject, id: &str) -> Result<Was, Problem> {
    let published = call.tenant.published();
    let found = match kind {
        Subject::User => published.user(id).map(Was::User),
        Subject::Client => published.client(id).map(Was::Client),
        Subject::Resource(_) => None,
    };
    found.ok_or_else(|| nobody(kind))
}

/// The object as v2 shows it to this caller.
fn shown(call: &Call, was: &Was) -> Option<(Version, String)> {
    match was {
        Was::User(document) => Some((document.version(), document.json().to_owned())),
        Was::Client(client) => {
            let with_secrets = call.sees_secrets(&client.id, SECRETS);
            Some((client.version, client.to_json(call.tenant.id(), with_secrets)))
        }
        Was::Resource { .. } | Was::Gone | Was::Erased => None,
    }
}

/// Where a page of changes begins: `o<version>` what is older, `n<version>` what is newer.
fn span(call: &Call) -> Result<Span, Problem> {
    let Some(text) = call.query.get("cursor").filter(|text| !text.is_empty()) else {
        return Ok(Span::Newest);
    };
    let version = |digits: &str| digits.parse().ok().map(Version::new);
    let older = text.strip_prefix('o').and_then(version).map(Span::OlderThan);
    let newer = || text.strip_prefix('n').and_then(version).map(Span::NewerThan);
    older.or_else(newer).ok_or_else(|| {
        let detail = "Expected what next or previous of another page said";
        Problem::query(schema::query_message(detail, "cursor", ""))
    })
}

async fn changes(call: Call, kind: Subject) -> Result<HttpResponse, Problem> {
    call.query.only(CHANGES_PARAMETERS)?;
    let (id, span) = (id_of(&call, kind)?, span(&call)?);
    let limit = call.query.number("limit", 1, MOST_PER_PAGE, "Changes on one page")?;
    let (limit, own) = (limit.unwrap_or(PER_PAGE), id.clone());
    let page = look(&call, move |look| look.entries(kind, &own, span, limit)).await?;
    if !page.is_known && present(&call, kind, &id).is_err() {
        return Err(nobody(kind));
    }
    Ok(answer_json(StatusCode::OK, page_json(&page)))
}

fn page_json(page: &Page) -> String {
    let entries: Vec<String> = page.entries.iter().map(entry_json).collect();
    let mut out = Builder::new();
    out.raw("entries", &format!("[{}]", entries.join(",")));
    let version = |entry: Option<&Entry>| entry.map(|entry| entry.image.version);
    if let Some(oldest) = version(page.entries.last()).filter(|_| page.has_older) {
        out.string("next", &format!("o{oldest}"));
    }
    if let Some(newest) = version(page.entries.first()).filter(|_| page.has_newer) {
        out.string("previous", &format!("n{newest}"));
    }
    out.finish()
}

pub(super) fn entry_json(entry: &Entry) -> String {
    let mut out = Builder::new();
    put_entry(&mut out, entry);
    out.finish()
}

fn put_entry(out: &mut Builder, entry: &Entry) {
    out.raw("version", &entry.image.version.to_string());
    put_who(out, &entry.image);
    if let Some(Provenance { request_id, reason, .. }) = &entry.image.provenance {
        out.string("request_id", request_id).optional("reason", reason.as_deref());
    }
    if matches!(entry.image.was, Was::Erased) {
        out.flag("erased", Some(true));
    }
    out.raw("changes", &diff::to_json(&entry.changes));
}

/// When a change was made, by whom, through which door.
fn put_who(out: &mut Builder, image: &Image) {
    if let Some(Provenance { actor, client_id, channel, .. }) = &image.provenance {
        out.string("at", &image.at.to_string())
            .string("actor", actor)
            .string("client_id", client_id)
            .string("channel", &channel.to_string());
    }
}

async fn compare(call: Call, kind: Subject) -> Result<HttpResponse, Problem> {
    call.query.only(COMPARE_PARAMETERS)?;
    let id = id_of(&call, kind)?;
    let missing =
        || Problem::query(schema::query_message("Missing required property: from", "", ""));
    let from = call.query.get("from").filter(|text| !text.is_empty()).ok_or_else(missing)?;
    let from = point(&call, "from", from)?;
    let to = match call.query.get("to").filter(|text| !text.is_empty()) {
        Some(text) => point(&call, "to", text)?,
        None => Point::Version(call.tenant.published().version()),
    };
    let own = id.clone();
    let (differences, is_known) =
        look(&call, move |look| Ok((look.between(kind, &own, from, to)?, look.knows(kind, &own)?)))
            .await?;
    if !is_known && present(&call, kind, &id).is_err() {
        return Err(nobody(kind));
    }
    let differences = differences.ok_or_else(forgotten)?;
    let mut out = Builder::new();
    out.raw("changes", &diff::to_json(&differences));
    Ok(answer_json(StatusCode::OK, out.finish()))
}

async fn blame(call: Call, kind: Subject) -> Result<HttpResponse, Problem> {
    call.query.only(&[])?;
    let id = id_of(&call, kind)?;
    let was = present(&call, kind, &id)?;
    let (version, _) = shown(&call, &was).ok_or_else(|| nobody(kind))?;
    let body = blamed(&call, kind, id, was).await?;
    Ok(answer_at(StatusCode::OK, version).body(body))
}

/// For each root key of each bag: the version that set its value, when, and who asked for that.
/// Of a change that is kept no more, the version alone is known.
async fn blamed(call: &Call, kind: Subject, id: String, was: Was) -> Result<String, Problem> {
    let keys = history::set_at(&was);
    let versions: Vec<Version> = keys.iter().map(|key| key.version).collect();
    let images: BTreeMap<Version, Arc<Image>> = look(call, move |look| {
        let mut images = BTreeMap::new();
        for version in versions {
            if !images.contains_key(&version)
                && let Some(image) = look.at(kind, &id, version)?
            {
                images.insert(version, Arc::new(image));
            }
        }
        Ok(images)
    })
    .await?;
    let mut out = Builder::new();
    for bag in history::bags(kind) {
        let mut own = Builder::new();
        for key in keys.iter().filter(|key| key.bag == *bag) {
            let mut one = Builder::new();
            one.raw("version", &key.version.to_string());
            if let Some(image) = images.get(&key.version) {
                put_who(&mut one, image);
            }
            own.raw(&key.key, &one.finish());
        }
        out.raw(&bag.to_string(), &own.finish());
    }
    Ok(out.finish())
}
