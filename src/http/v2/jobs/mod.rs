//! `/api/v2/jobs`: imports, exports and verification e-mails (CONTRACT.md §5).
//!
//! A job is durable before its `202`, with all it works on. It runs as a task beside
//! the requests; what a restart interrupts is taken up again by [`resume`].

mod export;
pub mod files;
mod import;
pub mod multipart;
mod row;
mod run_export;
mod run_import;
mod table;
mod verification;

pub(super) use export::{BODY as EXPORT, create as create_export};
pub use files::{Exports, ROUTES as FILE_ROUTES};
pub(super) use import::create as create_import;
pub(super) use verification::{BODY as VERIFICATION, create as create_verification_email};

use super::json;
use crate::domain::change::{Channel, Provenance};
use crate::domain::command::Command;
use crate::domain::job::{Job, JobKind, VALID_FROM};
use crate::domain::json::{self as text, Builder, Elements, Object};
use crate::domain::permit::Permitted;
use crate::domain::resource::{Resource, ResourceKind};
use crate::domain::scope::Scope;
use crate::http::call::Call;
use crate::http::problem::{Problem, no_resource};
use crate::http::services::Services;
use crate::http::{PLAIN_JSON, random};
use crate::tenant::{TenantError, TenantHandle, by_server};
use actix_web::http::{StatusCode, header};
use actix_web::web::Data;
use actix_web::{HttpResponse, rt};
use std::sync::Arc;
use std::time::Duration;

/// Members of a job that are nobody's business.
const PRIVATE: &[&str] = &[
    "upsert",
    "done",
    "inserted",
    "updated",
    "failed",
    "error_parts",
    "actor",
    "client_id",
    "request_id",
    "ticket",
    VALID_FROM,
];

pub(super) fn get(call: &Call) -> Result<HttpResponse, Problem> {
    call.query.only(&[])?;
    let resource = found(call)?;
    let kind = Job::of(&resource).kind();
    let is_completed = status_of(&resource) == "completed";
    let is_file = kind == Some(JobKind::Export) && is_completed;
    let is_lost = is_file && !call.services.exports.has(call.tenant.uid(), &resource.id);
    let mut out = Builder::new();
    if is_lost {
        // The file went with a restart or for want of space: it is made anew.
        spawn(&call.services, &call.tenant, &resource.id);
        put_public(&mut out, &remade(&resource.body), &resource.id);
    } else {
        put_public(&mut out, &resource.body, &resource.id);
    }
    if kind == Some(JobKind::Import) && is_completed {
        out.raw("summary", &summary(&Job::of(&resource)));
    }
    if is_file && !is_lost {
        let format = resource.body.get_str("format").unwrap_or_default();
        let exports = &call.services.exports;
        let link = exports.link(call.tenant.uid(), &resource.id, &format, call.valid_at);
        out.string("location", &format!("{}{link}", call.origin()));
    }
    if let Some(ticket) = resource.body.get_str("ticket")
        && call.caller.has_any(&[Scope::CREATE_USER_TICKETS])
    {
        out.string("ticket", &super::tickets::verification_link(&call.origin(), &ticket));
    }
    Ok(json(StatusCode::OK, out.finish()))
}

/// The members of a job whose file is being made again.
fn remade(body: &Object) -> Object {
    let body = body.filtered(|key| key != "percentage_done" && key != "time_left_seconds");
    body.with("status", "\"processing\"")
}

/// The members of a job that are for everybody who may see it, its id last.
fn put_public(out: &mut Builder, body: &Object, id: &str) {
    for (key, value) in body.members() {
        if !PRIVATE.contains(&text::unquote(key).as_ref()) {
            out.member(key, value);
        }
    }
    out.string("id", id);
}

fn summary(job: &Job<'_>) -> String {
    let (inserted, updated, failed) =
        (job.count("inserted"), job.count("updated"), job.count("failed"));
    format!(
        "{{\"failed\":{failed},\"updated\":{updated},\"inserted\":{inserted},\"total\":{}}}",
        inserted + updated + failed
    )
}

pub(super) fn errors(call: &Call) -> Result<HttpResponse, Problem> {
    call.query.only(&[])?;
    let resource = found(call)?;
    if status_of(&resource) == "failed" && resource.body.contains("status_details") {
        let names = ["status", "type", "created_at", "connection_id", "status_details"];
        let shown = resource.body.filtered(|key| names.contains(&key));
        let shown = shown.with("id", &text::quoted(&resource.id));
        return Ok(plain(shown.as_json().to_owned()));
    }
    let published = call.tenant.published();
    let mut out = String::from("[");
    for id in Job::of(&resource).error_parts() {
        let Some(part) = published.resource(ResourceKind::JobPart, &id) else { continue };
        for error in Elements::of(part.body.get("errors").unwrap_or("[]")) {
            if out.len() > 1 {
                out.push(',');
            }
            out.push_str(error);
        }
    }
    if out.len() == 1 {
        return Ok(HttpResponse::NoContent()
            .insert_header((header::CONTENT_TYPE, crate::http::JSON))
            .finish());
    }
    out.push(']');
    Ok(plain(out))
}

/// JSON without a charset, as this one endpoint was recorded.
fn plain(body: String) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, PLAIN_JSON))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(body)
}

/// The job in the path; one that expired is gone though its resource may linger.
fn found(call: &Call) -> Result<Arc<Resource>, Problem> {
    call.tenant
        .published()
        .resource(ResourceKind::Job, call.params.get("id"))
        .filter(|resource| !Job::of(resource).is_expired(call.valid_at))
        .ok_or_else(|| no_resource(ResourceKind::Job))
}

fn status_of(resource: &Resource) -> String {
    resource.body.get_str("status").unwrap_or_default().into_owned()
}

fn fresh_id() -> String {
    format!("job_{}", random::alphanumeric(16))
}

/// The answer to a job that was started.
fn started(status: StatusCode, resource: &Resource) -> HttpResponse {
    let mut out = Builder::new();
    put_public(&mut out, &resource.body, &resource.id);
    json(status, out.finish())
}

/// Adds to a job's members who started it, for the provenance of what it does.
fn put_starter(out: &mut Builder, call: &Call) {
    out.string("actor", &call.caller.subject)
        .string("client_id", &call.caller.client_id)
        .string("request_id", &call.request_id);
}

/// Who is behind what a job does.
fn provenance(job: &Resource) -> Provenance {
    let text = |key: &str| job.body.get_str(key).unwrap_or_default().into_owned();
    Provenance {
        actor: text("actor"),
        client_id: text("client_id"),
        channel: Channel::Job,
        request_id: text("request_id"),
        reason: Some(job.id.clone()),
    }
}

/// Takes up the jobs of all tenants that a restart interrupted.
pub fn resume(services: &Data<Services>) {
    let now = services.valid_at(services.now());
    for tenant in services.directory.tenants() {
        for resource in tenant.published().resources(ResourceKind::Job) {
            let status = status_of(&resource);
            let is_open = status == "pending" || status == "processing";
            if is_open && !Job::of(&resource).is_expired(now) {
                log::info!(tenant = tenant.id(), job = resource.id; "a job goes on after the restart");
                spawn(services, &tenant, &resource.id);
            }
        }
    }
}

/// Runs a job beside the requests.
fn spawn(services: &Data<Services>, tenant: &TenantHandle, id: &str) {
    let errand = Errand { services: services.clone(), tenant: tenant.clone(), id: id.to_owned() };
    rt::spawn(async move {
        let Some(resource) = errand.job() else { return };
        let ended = match Job::of(&resource).kind() {
            Some(JobKind::Import) => run_import::run(&errand, &resource).await,
            Some(JobKind::Export) => run_export::run(&errand, &resource).await,
            Some(JobKind::VerificationEmail) | None => Ok(()),
        };
        if let Err(error) = ended
            && error != TenantError::Gone
        {
            log::error!(tenant = errand.tenant.id(), job = errand.id, error:% = error; "a job stopped; it goes on after a restart");
        }
    });
}

/// A job under way.
struct Errand {
    services: Data<Services>,
    tenant: TenantHandle,
    id: String,
}

impl Errand {
    /// The job as it is durable now.
    fn job(&self) -> Option<Arc<Resource>> {
        self.tenant.published().resource(ResourceKind::Job, &self.id)
    }

    /// Changes members of the job.
    async fn put(&self, job: &Resource, patch: Object) -> Result<(), TenantError> {
        let (kind, id) = (ResourceKind::Job, self.id.clone());
        self.ask(job, || Command::UpdateResource { kind, id: id.clone(), patch: patch.clone() })
            .await
    }

    /// Ends the job as failed, saying why.
    async fn fail(&self, job: &Resource, details: &str) -> Result<(), TenantError> {
        let mut patch = Builder::new();
        patch.string("status", "failed").string("status_details", details);
        self.put(job, patch.object()).await
    }

    /// Asks the tenant for something that may be asked twice, until it answers.
    async fn ask(&self, job: &Resource, command: impl Fn() -> Command) -> Result<(), TenantError> {
        let mut patience = Patience::default();
        loop {
            let now = self.services.now();
            let permitted: Permitted<Command> = by_server(command());
            match self.tenant.write(permitted, provenance(job), now).await {
                Ok(_) => return Ok(()),
                Err(error) => patience.after(error).await?,
            }
        }
    }
}

/// Waits longer after each failure that may pass.
struct Patience {
    wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { wait: Duration::from_millis(20) }
    }
}

impl Patience {
    const LONGEST: Duration = Duration::from_secs(5);

    /// Waits after a failure that may pass; gives one that will not back.
    async fn after(&mut self, error: TenantError) -> Result<(), TenantError> {
        match error {
            TenantError::Busy
            | TenantError::DiskFull
            | TenantError::JournalFull
            | TenantError::TimedOut => {
                tokio::time::sleep(self.wait).await;
                self.wait = (self.wait * 2).min(Self::LONGEST);
                Ok(())
            }
            TenantError::Rejected(_)
            | TenantError::Poisoned
            | TenantError::Unknown
            | TenantError::TooLarge { .. }
            | TenantError::Gone
            | TenantError::Broken => Err(error),
        }
    }
}
