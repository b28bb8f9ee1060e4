//! One person, as a whole: everything that is held about them, and its erasure.

use super::history::{entry_json, failed, reader};
use super::{effective_json, route};
use crate::domain::change::Channel;
use crate::domain::command::Command;
use crate::domain::document::Document;
use crate::domain::entries::Entry;
use crate::domain::history::Subject;
use crate::domain::json::{self, Builder};
use crate::domain::resource::{Resource, ResourceKind};
use crate::domain::scope::Scope;
use crate::domain::user::UserId;
use crate::http::answer::{answer_at, json as json_answer, no_content};
use crate::http::call::Call;
use crate::http::openapi::detail::Detail;
use crate::http::problem::Problem;
use crate::http::route::Route;
use crate::tenant::history::{Span, Traces};
use actix_web::http::StatusCode;
use actix_web::http::header;
use actix_web::{HttpResponse, web};
use std::sync::Arc;

const USER: &str = "/dossier/v1/users/{id}";
const BUNDLE: &str = "/dossier/v1/users/{id}/bundle";

/// The routes of this module.
pub static ROUTES: &[Route] = &[
    route("GET", BUNDLE, &[Scope::READ_USERS], "Get everything held about a user", |call| {
        Box::pin(bundle(call))
    }),
    route(
        "DELETE",
        USER,
        &[Scope::DELETE_USERS],
        "Delete a user, with erase=true also from everything that was",
        |call| Box::pin(delete(call)),
    ),
];

const DELETE_PARAMETERS: &[&str] = &["erase"];

/// What they take.
pub static DETAILS: &[Detail] = &[
    Detail::of("DELETE", &[USER]).query(&[DELETE_PARAMETERS]).statuses(&[200, 204]),
    Detail::of("GET", &[BUNDLE]),
];

/// Changes read at once.
const CHANGES_AT_ONCE: usize = 100;

async fn delete(call: Call) -> Result<HttpResponse, Problem> {
    call.query.only(DELETE_PARAMETERS)?;
    // An id nobody can have is one nobody has: deleting it is done already.
    let Ok(id) = call.user_id() else { return Ok(no_content(call.tenant.published().version())) };
    let erases = call.query.flag("erase")?.unwrap_or(false);
    let command = if erases {
        let Traces { is_known, linked } = traces(&call, &id).await?;
        Command::EraseUser { id, also: linked, is_known }
    } else {
        Command::DeleteUser { id }
    };
    let answer = call.write(Channel::Dossier, command).await?;
    let copies = if erases { copies(&call).await? } else { Vec::new() };
    if copies.is_empty() {
        return Ok(no_content(answer.version));
    }
    let mut out = Builder::new();
    out.raw("copies", &json::array_of(&copies)).string("message", COPIES);
    Ok(answer_at(StatusCode::OK, answer.version).body(out.finish()))
}

const COPIES: &str =
    "These copies in the data directory, kept by a repair, may hold what was erased: remove them.";

/// Files that an erasure does not reach.
async fn copies(call: &Call) -> Result<Vec<String>, Problem> {
    let Some(operations) = call.services.operations() else { return Ok(Vec::new()) };
    operations.copies().await.map_err(|error| {
        log::error!(error:%, request_id = call.request_id; "the data directory cannot be looked through");
        Problem::internal()
    })
}

/// What the past knows of a user. Where none is kept, the files may know of anybody.
async fn traces(call: &Call, id: &UserId) -> Result<Traces, Problem> {
    if call.services.history.is_none() {
        return Ok(Traces { is_known: true, linked: Vec::new() });
    }
    let (look, history) = reader(call, call.tenant.uid()).await?;
    let id = id.clone();
    let read = web::block(move || look.traces(&id)).await.map_err(|_| Problem::internal())?;
    read.map_err(|error| failed(&history, &error))
}

async fn bundle(call: Call) -> Result<HttpResponse, Problem> {
    call.query.only(&[])?;
    let id = call.user_id()?;
    let document = call.tenant.published().user(id.as_str());
    let changes = changes(&call, &id).await?;
    if document.is_none() && changes.as_ref().is_none_or(Vec::is_empty) {
        return Err(Problem::no_user());
    }
    let mut out = Builder::new();
    out.string("user_id", id.as_str())
        .string("exported_at", &call.now.to_string())
        .raw("version", &call.tenant.published().version().to_string());
    if let Some(document) = &document {
        put_present(&mut out, document);
    }
    if let Some(changes) = &changes {
        out.raw("history", &list(changes));
    }
    put_beside(&mut out, &call, &id, document.as_ref());
    let mut response = json_answer(StatusCode::OK, out.finish());
    response.headers_mut().insert(
        header::CONTENT_DISPOSITION,
        header::HeaderValue::from_static("attachment; filename=\"user.json\""),
    );
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    Ok(response)
}

fn list<S: AsRef<str>>(texts: &[S]) -> String {
    let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
    format!("[{}]", texts.join(","))
}

/// The user as they are: a password is told to be there, and never told.
fn put_present(out: &mut Builder, document: &Document) {
    let user = document.user();
    let entries: Vec<String> = user.entries.iter().map(Entry::to_json).collect();
    out.raw("profile", document.json())
        .flag("has_password", Some(user.password.is_some()))
        .raw("entries", &list(&entries))
        .raw("roles", user.assignments.roles_json().as_deref().unwrap_or("[]"))
        .raw("permissions", user.assignments.permissions_json().as_deref().unwrap_or("[]"))
        .raw("effective", &effective_json(document));
}

/// Every change that is kept, newest first; none at all where no history is.
async fn changes(call: &Call, id: &UserId) -> Result<Option<Vec<String>>, Problem> {
    if call.services.history.is_none() {
        return Ok(None);
    }
    let (look, history) = reader(call, call.tenant.uid()).await?;
    let id = id.clone();
    let read = web::block(move || {
        let (mut entries, mut span) = (Vec::new(), Span::Newest);
        loop {
            let page = look.entries(Subject::User, id.as_str(), span, CHANGES_AT_ONCE)?;
            entries.extend(page.entries.iter().map(entry_json));
            match page.entries.last().filter(|_| page.has_older) {
                Some(oldest) => span = Span::OlderThan(oldest.image.version),
                None => return Ok(entries),
            }
        }
    });
    let read = read.await.map_err(|_| Problem::internal())?;
    read.map(Some).map_err(|error| failed(&history, &error))
}

/// What names the user elsewhere. Under what id a sign-in or a ticket is kept would let somebody
/// in, or nearly so: it is not told.
fn put_beside(out: &mut Builder, call: &Call, id: &UserId, document: Option<&Document>) {
    let published = call.tenant.published();
    let of = |kind| published.resources(kind);
    let names =
        |own: &Arc<Resource>| own.body.get_str("user_id").is_some_and(|id_| id_ == id.as_str());
    let bodies = |kind| {
        let all: Vec<String> = of(kind)
            .iter()
            .filter(|own| names(own))
            .map(|own| own.body.as_json().to_owned())
            .collect();
        list(&all)
    };
    let email = document.and_then(|own| own.attribute("email")).map(|own| json::quoted(&own));
    let tells = |own: &Arc<Resource>| {
        names(own)
            || email.as_ref().is_some_and(|email| own.body.as_json().contains(email.as_str()))
    };
    let parts = of(ResourceKind::JobPart);
    let jobs: Vec<String> = of(ResourceKind::Job)
        .iter()
        .filter(|job| {
            let of_job = |part: &&Arc<Resource>| part.id.split('.').next() == Some(job.id.as_str());
            names(job) || parts.iter().filter(of_job).any(tells)
        })
        .map(|job| {
            let mut one = Builder::new();
            one.string("id", &job.id);
            for member in ["type", "status", "created_at"] {
                one.optional(member, job.body.get_str(member).as_deref());
            }
            one.finish()
        })
        .collect();
    out.raw("refresh_tokens", &bodies(ResourceKind::RefreshToken))
        .raw("tickets", &bodies(ResourceKind::Ticket))
        .raw("jobs", &list(&jobs));
}
