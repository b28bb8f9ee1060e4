//! What an operator asks of a running server: new keys, a snapshot, other settings.
//!
//! Files are the app's business; here is only the way in. Only the default tenant's
//! administrators are operators.

use super::JSON;
use super::call::Call;
use super::openapi::detail::Detail;
use super::problem::Problem;
use super::route::{Access, Answering, Dialect, Route};
use crate::domain::json::{self, Builder};
use crate::domain::scope::Scope;
use crate::tenant::{SnapshotReport, TenantError};
use actix_web::HttpResponse;
use actix_web::http::header;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// What became of a reload.
#[derive(Clone, Debug, Default)]
pub struct Reloaded {
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
}

/// The outcome of an operation that takes its time.
pub type Operating<T> = Pin<Box<dyn Future<Output = Result<T, OperationFailed>>>>;

/// What the app does for an operator.
pub trait Operations: Send + Sync {
    /// The next signing key becomes the current one, a new next one is made; tokens stay valid.
    fn rotate_keys(&self) -> Operating<()>;
    /// Writes a snapshot of every tenant that changed.
    fn take_snapshots(&self) -> Operating<Vec<SnapshotReport>>;
    /// Reads the settings again; what can change while running does.
    fn reload(&self) -> Operating<Reloaded>;
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
fn operations(call: &Call) -> Result<Arc<dyn Operations>, Problem> {
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
    Problem::new(500, "operation_failed", error.reason)
}

fn json_answer(body: String) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, JSON)).body(body)
}

async fn rotate(call: Call) -> Result<HttpResponse, Problem> {
    operations(&call)?.rotate_keys().await.map_err(failed)?;
    log::info!(actor = call.caller.subject; "signing keys rotated");
    let tenant = super::services::token_tenant(&call.tenant);
    Ok(json_answer(call.services.keys().jwks(tenant).to_string()))
}

async fn snapshot(call: Call) -> Result<HttpResponse, Problem> {
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
    let reloaded = operations(&call)?.reload().await;
    let reloaded =
        reloaded.map_err(|error| Problem::new(400, "invalid_configuration", error.reason))?;
    let mut out = Builder::new();
    out.raw("applied", &json::array_of(&reloaded.applied))
        .raw("restart_required", &json::array_of(&reloaded.restart_required));
    Ok(json_answer(out.finish()))
}
