//! What an operator asks of a running server: new keys, a snapshot, other settings; in earnest, or
//! rehearsed.
//!
//! Files are the app's business; here is only the way in. Only the default tenant's
//! administrators are operators.

use super::JSON;
use super::call::Call;
use super::openapi::detail::Detail;
use super::problem::Problem;
use super::route::{Access, Answering, Dialect, Route};
use crate::domain::diff::Difference;
use crate::domain::json::{self, Builder};
use crate::domain::scope::Scope;
use crate::tenant::{DueSnapshot, Shelf, SnapshotReport, TenantError};
use actix_web::HttpResponse;
use actix_web::http::header;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// What became, or would become, of a reload.
#[derive(Clone, Debug, Default)]
pub struct Reloaded {
    /// What those that hold were and are; secrets are masked.
    pub changes: Vec<Difference>,
    /// Keys that hold from now on.
    pub applied: Vec<String>,
    /// Keys that wait for a restart.
    pub restart_required: Vec<String>,
}

/// What went wrong, in words for the operator.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{reason}")]
pub struct OperationFailed {
    /// The words.
    pub reason: String,
    /// Whether all that was missing is space on the disk.
    pub is_disk_full: bool,
    /// Whether the system refused a file, for another reason.
    pub is_disk_failed: bool,
}

/// The outcome of an operation that takes its time.
pub type Operating<T> = Pin<Box<dyn Future<Output = Result<T, OperationFailed>>>>;

/// What the app does for an operator.
pub trait Operations: Send + Sync {
    /// The next signing key becomes the current one, a new next one is made; tokens stay valid.
    fn rotate_keys(&self) -> Operating<()>;
    /// Writes a snapshot of every tenant that changed.
    fn take_snapshots(&self) -> Operating<Vec<SnapshotReport>>;
    /// The snapshots it would write now.
    fn due_snapshots(&self) -> Operating<Vec<DueSnapshot>>;
    /// The snapshot files; none where nothing is written.
    fn shelf(&self) -> Option<Arc<Shelf>>;
    /// Files of the data directory that nothing of this server reads, changes or removes: copies
    /// that a repair kept.
    fn copies(&self) -> Operating<Vec<String>>;
    /// Reads the settings again; what can change while running does, unless it is only rehearsed.
    fn reload(&self, is_rehearsed: bool) -> Operating<Reloaded>;
}

const fn route(path: &'static str, summary: &'static str, handler: fn(Call) -> Answering) -> Route {
    let access = Access::Scopes(&[Scope::DOSSIER_OPERATOR]);
    Route { method: "POST", path, dialect: Dialect::Dossier, access, summary, handler }
}

/// The routes of this module.
pub static ROUTES: &[Route] = &[
    route("/dossier/v1/keys/rotate", "Rotate the signing keys", |call| Box::pin(rotate(call))),
    route("/dossier/v1/snapshots", "Take a snapshot now", |call| Box::pin(snapshot(call))),
    route("/dossier/v1/config/reload", "Read the settings again", |call| Box::pin(reload(call))),
];

/// What they answer.
pub static DETAILS: &[Detail] = &[Detail::of(
    "POST",
    &["/dossier/v1/keys/rotate", "/dossier/v1/snapshots", "/dossier/v1/config/reload"],
)
.statuses(&[200, 507])];

/// The operations, for a caller of the default tenant.
pub(super) fn operations(call: &Call) -> Result<Arc<dyn Operations>, Problem> {
    if call.tenant.uid() != call.services.directory.default_tenant().uid() {
        return Err(Problem::no_route());
    }
    call.services
        .operations()
        .ok_or_else(|| Problem::new(503, "starting", "The server is still starting."))
}

fn failed(error: OperationFailed) -> Problem {
    if error.is_disk_full {
        return TenantError::DiskFull.into();
    }
    if error.is_disk_failed {
        return Problem {
            retry_after: Some(1),
            ..Problem::new(503, "storage_failed", error.reason)
        };
    }
    Problem::new(500, "operation_failed", error.reason)
}

fn json_answer(body: String) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, JSON)).body(body)
}

async fn rotate(call: Call) -> Result<HttpResponse, Problem> {
    let operations = operations(&call)?;
    let tenant = super::services::token_tenant(&call.tenant);
    if call.is_rehearsed() {
        let turned = call.services.keys().turned(tenant);
        let (before, after) = (&turned.before, &turned.after);
        call.would_change(
            [
                ("keys.current", json_of(&before.current), json_of(&after.current)),
                ("keys.next", json_of(&before.next), json_of(&after.next)),
                ("keys.previous", json_of(&before.previous), json_of(&after.previous)),
            ]
            .map(|(path, old, new)| Difference {
                path: path.to_owned(),
                old: Some(old),
                new: Some(new),
            }),
        );
        return Ok(json_answer(turned.jwks.to_string()));
    }
    operations.rotate_keys().await.map_err(failed)?;
    log::info!(actor = call.caller.subject; "signing keys rotated");
    Ok(json_answer(call.services.keys().jwks(tenant).to_string()))
}

fn json_of(value: &impl serde::Serialize) -> String {
    serde_json::json!(value).to_string()
}

/// What a round would write; how many bytes, and how long it takes, only doing it tells.
async fn would_take(call: &Call, operations: &dyn Operations) -> Result<HttpResponse, Problem> {
    let due = operations.due_snapshots().await.map_err(failed)?;
    let one = |due: &DueSnapshot| {
        let mut out = Builder::new();
        out.string("tenant", &due.tenant)
            .string("file", &due.file)
            .raw("users", &due.users.to_string());
        out.finish()
    };
    call.would_change(due.iter().map(|due| Difference {
        path: format!("snapshots.{}", due.tenant),
        old: Some(json::array_of(&due.kept_before)),
        new: Some(json::array_of(&due.kept_after)),
    }));
    let all: Vec<String> = due.iter().map(one).collect();
    Ok(json_answer(format!("{{\"snapshots\":[{}]}}", all.join(","))))
}

async fn snapshot(call: Call) -> Result<HttpResponse, Problem> {
    if call.is_rehearsed() {
        return would_take(&call, operations(&call)?.as_ref()).await;
    }
    let taken = operations(&call)?.take_snapshots().await.map_err(failed)?;
    let one = |report: &SnapshotReport| {
        let mut out = Builder::new();
        out.string("tenant", &report.tenant)
            .string("file", &report.file)
            .raw("users", &report.users.to_string())
            .raw("bytes", &report.bytes.to_string())
            .raw("milliseconds", &report.took.as_millis().to_string())
            .flag("verified", Some(true));
        out.finish()
    };
    let all: Vec<String> = taken.iter().map(one).collect();
    Ok(json_answer(format!("{{\"snapshots\":[{}]}}", all.join(","))))
}

async fn reload(call: Call) -> Result<HttpResponse, Problem> {
    let reloaded = operations(&call)?.reload(call.is_rehearsed()).await;
    let reloaded =
        reloaded.map_err(|error| Problem::new(400, "invalid_configuration", error.reason))?;
    call.would_change(reloaded.changes);
    let mut out = Builder::new();
    out.raw("applied", &json::array_of(&reloaded.applied))
        .raw("restart_required", &json::array_of(&reloaded.restart_required));
    Ok(json_answer(out.finish()))
}
