//! The snapshot files: which there are, whether they are good, and their bytes; at the default
//! tenant only, for they are of all tenants.
//!
//! A file holds everything of its tenant: profiles, hashes of passwords, secrets of clients. Who
//! operates the server sees which files there are and has them verified; the bytes are given to
//! the scope `dossier:snapshots` alone, which an operator can neither take nor give.

use super::route;
use super::tenants::at_default;
use crate::domain::json::Builder;
use crate::domain::scope::Scope;
use crate::http::answer::json as json_answer;
use crate::http::call::Call;
use crate::http::openapi::detail::Detail;
use crate::http::operate::operations;
use crate::http::problem::Problem;
use crate::http::route::Route;
use crate::store::manifest;
use crate::tenant::{Check, OpenSnapshot, Shelf, ShelfError, Shelved, TenantHandle};
use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, web};
use bytes::Bytes;
use futures_util::stream;
use std::io;
use std::sync::Arc;
use std::time::Instant;

/// Who may know of the files.
const KNOWING: &[Scope] = &[Scope::DOSSIER_OPERATOR, Scope::DOSSIER_SNAPSHOTS];

/// Who may have them.
const HAVING: &[Scope] = &[Scope::DOSSIER_SNAPSHOTS];

const QUERY: &[&str] = &["tenant", "page", "per_page"];

/// Files told at once, at most, and when nobody says.
const MAX_PER_PAGE: usize = 100;
const PER_PAGE: usize = 50;

/// Seconds after which a place may be free.
const RETRY_SECONDS: u32 = 5;

const LIST: &str = "/dossier/v1/snapshots";
const ONE: &str = "/dossier/v1/snapshots/{file}";
const VERIFY: &str = "/dossier/v1/snapshots/{file}/verify";

/// The routes of this module. Taking one is in `operate`.
pub static ROUTES: &[Route] = &[
    route("GET", LIST, KNOWING, "List the snapshot files", |call| Box::pin(list(call))),
    route("GET", ONE, HAVING, "Download a snapshot file", |call| Box::pin(download(call))),
    route("POST", VERIFY, KNOWING, "Read a snapshot file whole and check it", |call| {
        Box::pin(verify(call))
    }),
];

/// What they take.
pub static DETAILS: &[Detail] =
    &[Detail::of("GET", &[LIST]).query(&[QUERY]), Detail::of("POST", &[VERIFY]).statuses(&[200])];

fn missing() -> Problem {
    Problem::new(404, "inexistent_snapshot", "There is no such snapshot.")
}

/// What a caller is told when a file cannot be had.
fn failed(error: &ShelfError) -> Problem {
    match error {
        ShelfError::Missing => missing(),
        ShelfError::Busy { wanted, allowed } => Problem {
            retry_after: Some(RETRY_SECONDS),
            ..Problem::new(
                429,
                "too_many_requests",
                format!("Not now: {wanted}; at most {allowed} at once."),
            )
        },
        ShelfError::Store(_) | ShelfError::Thread => {
            log::error!(error:% = error; "the snapshots could not be looked at");
            Problem::internal()
        }
    }
}

/// The files; none where nothing is written.
fn shelf(call: &Call) -> Result<Option<Arc<Shelf>>, Problem> {
    at_default(call)?;
    Ok(operations(call)?.shelf())
}

/// Does what waits for the disk beside the event loop.
async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ShelfError> + Send + 'static,
) -> Result<T, Problem> {
    web::block(work).await.map_err(|_| Problem::internal())?.map_err(|error| failed(&error))
}

async fn list(call: Call) -> Result<HttpResponse, Problem> {
    let shelf = shelf(&call)?;
    call.query.only(QUERY)?;
    let page = call.query.number("page", 0, usize::MAX, "the page, from 0")?.unwrap_or(0);
    let per_page = call.query.number("per_page", 1, MAX_PER_PAGE, "how many")?;
    let per_page = per_page.unwrap_or(PER_PAGE);
    let directory = &call.services.directory;
    let wanted = call.query.get("tenant").filter(|id| !id.is_empty());
    let wanted = wanted.map(|id| {
        let missing = || Problem::new(404, "inexistent_tenant", "The tenant does not exist.");
        directory.tenant(id).map(|tenant| tenant.uid()).ok_or_else(missing)
    });
    let wanted = wanted.transpose()?;
    let is_memory = shelf.is_none();
    let (found, total) = match shelf {
        Some(shelf) => {
            beside(move || shelf.page(wanted, page.saturating_mul(per_page), per_page)).await?
        }
        None => (Vec::new(), 0),
    };
    let tenants = directory.tenants();
    let texts: Vec<String> = found.iter().map(|one| builder(one, &tenants).finish()).collect();
    let mut out = Builder::new();
    out.raw("snapshots", &format!("[{}]", texts.join(",")));
    for (key, number) in
        [("total", total), ("page", page), ("per_page", per_page), ("kept", manifest::KEPT)]
    {
        out.raw(key, &number.to_string());
    }
    out.flag("in_memory", Some(is_memory));
    Ok(json_answer(StatusCode::OK, out.finish()))
}

/// A file as it is told. Of one whose ends are damaged nothing but its name and length is known.
fn builder(one: &Shelved, tenants: &[TenantHandle]) -> Builder {
    let mut out = Builder::new();
    out.string("file", &one.file).raw("bytes", &one.bytes.to_string());
    if let Ok(said) = &one.said {
        let tenant = tenants.iter().find(|tenant| tenant.uid() == said.header.uid);
        out.optional("tenant", tenant.map(TenantHandle::id));
        for (key, value) in [
            ("version", said.header.version.get()),
            ("users", said.users),
            ("clients", said.clients),
            ("resources", said.resources),
            ("format", u64::from(said.format)),
        ] {
            out.raw(key, &value.to_string());
        }
        out.raw("at", &said.header.created.millis().to_string());
    }
    out.flag("is_listed", Some(one.is_listed)).raw("checksums", &checksums(one));
    out
}

fn checksums(one: &Shelved) -> String {
    let mut out = Builder::new();
    let (state, at, flaw) = match (&one.said, &one.check) {
        (Err(flaw), _) => ("damaged", None, Some(flaw)),
        (Ok(_), Some(Check { at, flaw: Some(flaw) })) => ("damaged", Some(at), Some(flaw)),
        (Ok(_), Some(Check { at, flaw: None })) => ("good", Some(at), None),
        (Ok(_), None) => ("unknown", None, None),
    };
    out.string("state", state);
    out.raw("at", &at.map_or_else(|| "null".to_owned(), |at| at.millis().to_string()));
    out.optional("flaw", flaw.map(String::as_str));
    out.finish()
}

async fn verify(call: Call) -> Result<HttpResponse, Problem> {
    let shelf = shelf(&call)?.ok_or_else(missing)?;
    let file = call.params.get("file").to_owned();
    let began = Instant::now();
    let check =
        shelf.verify(&file, call.now, call.is_rehearsed()).await.map_err(|error| failed(&error))?;
    let took = began.elapsed();
    let one = beside(move || shelf.one(&file)).await?;
    let one = Shelved { check: Some(check), ..one };
    let mut out = builder(&one, &call.services.directory.tenants());
    out.raw("milliseconds", &took.as_millis().to_string());
    Ok(json_answer(StatusCode::OK, out.finish()))
}

async fn download(call: Call) -> Result<HttpResponse, Problem> {
    let shelf = shelf(&call)?.ok_or_else(missing)?;
    let file = call.params.get("file").to_owned();
    let opened = {
        let file = file.clone();
        beside(move || shelf.open(&file)).await?
    };
    let is_whole = call.method() != actix_web::http::Method::HEAD;
    if is_whole {
        // Who took all of a tenant's secrets along must be found in the log.
        log::warn!(file, bytes = opened.bytes, by = call.caller.subject, request_id = call.request_id; "a snapshot is downloaded");
    }
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CONTENT_TYPE, "application/octet-stream"))
        .insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{file}\"")))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .no_chunking(opened.bytes);
    Ok(response.streaming(whole(opened)))
}

/// The bytes of a file: all of them, or an error in the place of the missing ones, which ends the
/// connection, so that nobody takes a part for the whole.
fn whole(opened: OpenSnapshot) -> impl stream::Stream<Item = io::Result<Bytes>> {
    let left = opened.bytes;
    stream::unfold((opened.pieces(), left), |(mut pieces, left)| async move {
        if left == 0 {
            return None;
        }
        let piece = pieces.recv().await.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()));
        let given = piece.as_ref().map_or(left, |bytes| bytes.len().try_into().unwrap_or(left));
        Some((piece, (pieces, left.saturating_sub(given))))
    })
}
