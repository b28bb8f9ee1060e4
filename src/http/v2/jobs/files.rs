//! Finished export files, held in memory, and the short-lived links to them.
//!
//! A link names job and expiry and carries a code made with a key that lives as long
//! as the process, so nothing needs to be remembered for it and nobody can guess one.
//! When space runs out the oldest file goes; asking for its job makes it anew.

use crate::domain::job::{Job, KEPT_MS};
use crate::domain::resource::ResourceKind;
use crate::domain::time::Timestamp;
use crate::http::call::Call;
use crate::http::problem::Problem;
use crate::http::random;
use crate::http::route::{Access, Dialect, Route};
use crate::store::format::TenantUid;
use actix_web::HttpResponse;
use actix_web::http::header;
use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Bytes one packed file, and all of them together, may take.
pub(super) const MAX_BYTES: usize = 256 << 20;

/// How long a link is valid, in seconds (CONTRACT.md §5).
const LINK_SECONDS: i64 = 60;

/// The route of the files.
pub static ROUTES: &[Route] = &[Route {
    method: "GET",
    path: "/dossier/v1/exports/{file}",
    dialect: Dialect::Dossier,
    access: Access::Open,
    summary: "Download an export; the link is the permission",
    handler: |call| Box::pin(async move { download(&call) }),
}];

type Key = (u64, String);

struct File {
    bytes: Bytes,
    made_at: Timestamp,
}

#[derive(Default)]
struct Files {
    files: HashMap<Key, File>,
    running: HashSet<Key>,
}

/// Finished files and those being made.
pub struct Exports {
    held: Mutex<Files>,
    key: hmac::Key,
    /// Exports are made one after the other: each may need the whole space.
    turn: Semaphore,
}

impl fmt::Debug for Exports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exports").field("files", &self.held().files.len()).finish_non_exhaustive()
    }
}

impl Default for Exports {
    fn default() -> Self {
        Self {
            held: Mutex::default(),
            key: hmac::Key::new(hmac::HMAC_SHA256, &random::bytes::<32>()),
            turn: Semaphore::new(1),
        }
    }
}

impl Exports {
    fn held(&self) -> MutexGuard<'_, Files> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the file of a job is here.
    pub(super) fn has(&self, tenant: TenantUid, job: &str) -> bool {
        self.held().files.contains_key(&(tenant.0, job.to_owned()))
    }

    /// Keeps a file, in place of the oldest ones if need be.
    pub(super) fn put(&self, tenant: TenantUid, job: &str, bytes: Bytes, now: Timestamp) {
        let mut held = self.held();
        held.files.retain(|_, file| now.millis() - file.made_at.millis() <= KEPT_MS);
        let mut total: usize = held.files.values().map(|file| file.bytes.len()).sum();
        while total + bytes.len() > MAX_BYTES {
            let oldest = held.files.iter().min_by_key(|(_, file)| file.made_at);
            let Some(key) = oldest.map(|(key, _)| key.clone()) else { break };
            total -= held.files.remove(&key).map_or(0, |file| file.bytes.len());
        }
        held.files.insert((tenant.0, job.to_owned()), File { bytes, made_at: now });
    }

    /// The path of a link to a job's file, valid for a minute.
    pub(super) fn link(
        &self,
        tenant: TenantUid,
        job: &str,
        format: &str,
        now: Timestamp,
    ) -> String {
        let until = now.seconds() + LINK_SECONDS;
        let code = hmac::sign(&self.key, signed(tenant, job, until).as_bytes());
        let code = URL_SAFE_NO_PAD.encode(code);
        format!("/dossier/v1/exports/{job}.{until}.{code}.{format}.gz")
    }

    /// The job a file name leads to, while its link is valid.
    fn job_of<'a>(&self, tenant: TenantUid, file: &'a str, now: Timestamp) -> Option<&'a str> {
        let mut parts = file.split('.');
        let (job, until, code) = (parts.next()?, parts.next()?, parts.next()?);
        let until: i64 = until.parse().ok()?;
        let code = URL_SAFE_NO_PAD.decode(code).ok()?;
        let signed = signed(tenant, job, until);
        let is_ours = hmac::verify(&self.key, signed.as_bytes(), &code).is_ok();
        (is_ours && now.seconds() <= until).then_some(job)
    }
}

fn signed(tenant: TenantUid, job: &str, until: i64) -> String {
    format!("{}.{job}.{until}", tenant.0)
}

/// A file being made; there is one at most for each job.
pub(super) struct Running<'a> {
    exports: &'a Exports,
    key: Key,
}

impl<'a> Running<'a> {
    /// Begins, unless somebody is at it already.
    pub(super) fn begin(exports: &'a Exports, tenant: TenantUid, job: &str) -> Option<Self> {
        let key = (tenant.0, job.to_owned());
        let is_first = exports.held().running.insert(key.clone());
        is_first.then(|| Self { exports, key })
    }

    /// Waits until no other file is being made.
    pub(super) async fn turn(&self) -> Option<SemaphorePermit<'a>> {
        self.exports.turn.acquire().await.ok()
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.exports.held().running.remove(&self.key);
    }
}

fn download(call: &Call) -> Result<HttpResponse, Problem> {
    let gone = || Problem::new(404, "inexistent_export", "The link is not valid, or no longer");
    let exports = &call.services.exports;
    let file = call.params.get("file");
    let job = exports.job_of(call.tenant.uid(), file, call.valid_at).ok_or_else(gone)?;
    let resource = call.tenant.published().resource(ResourceKind::Job, job).ok_or_else(gone)?;
    if Job::of(&resource).is_expired(call.valid_at) {
        return Err(gone());
    }
    let format = resource.body.get_str("format").unwrap_or_default();
    let key = (call.tenant.uid().0, job.to_owned());
    let bytes = exports.held().files.get(&key).map(|file| file.bytes.clone()).ok_or_else(gone)?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "application/gzip"))
        .insert_header((
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{job}.{format}.gz\""),
        ))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: TenantUid = TenantUid(7);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn file(link: &str) -> &str {
        link.rsplit('/').next().unwrap()
    }

    #[test]
    fn a_link_leads_to_its_job_for_a_minute() {
        let exports = Exports::default();
        let link = exports.link(TENANT, "job_1", "csv", at(100));
        let file = file(&link);
        assert!(file.ends_with(".csv.gz"), "{file}");
        assert_eq!(exports.job_of(TENANT, file, at(160)), Some("job_1"));
        assert_eq!(exports.job_of(TENANT, file, at(161)), None);
        assert_eq!(exports.job_of(TenantUid(8), file, at(100)), None);
        assert_eq!(exports.job_of(TENANT, &file.replace("job_1", "job_2"), at(100)), None);
        assert_eq!(exports.job_of(TENANT, &file.replace(".160.", ".999."), at(100)), None);
        assert_eq!(Exports::default().job_of(TENANT, file, at(100)), None);
    }

    #[test]
    fn the_oldest_file_makes_room() {
        let exports = Exports::default();
        let half = Bytes::from(vec![0; MAX_BYTES / 2]);
        for (second, job) in [(1, "a"), (2, "b"), (3, "c")] {
            exports.put(TENANT, job, half.clone(), at(second));
        }
        assert!(!exports.has(TENANT, "a") && exports.has(TENANT, "b") && exports.has(TENANT, "c"));
        exports.put(TENANT, "d", Bytes::new(), at(100_000));
        assert!(!exports.has(TENANT, "c"), "files are kept for a day");
    }

    #[test]
    fn a_file_is_made_by_one_at_a_time() {
        let exports = Exports::default();
        let first = Running::begin(&exports, TENANT, "a");
        assert!(first.is_some() && Running::begin(&exports, TENANT, "a").is_none());
        drop(first);
        assert!(Running::begin(&exports, TENANT, "a").is_some());
    }
}
