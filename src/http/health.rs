//! Whether the process lives, and whether it can be used.

use super::JSON;
use super::call::Call;
use super::route::{Access, Dialect, Route};
use super::services::Services;
use crate::domain::json::Builder;
use crate::journal::Health;
use crate::tenant::history::HistoryHealth;
use actix_web::HttpResponse;
use actix_web::http::header;
use std::sync::atomic::Ordering;

/// The routes of this module.
pub static ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/livez",
        dialect: Dialect::Dossier,
        access: Access::Open,
        summary: "Whether the process lives",
        handler: |call| Box::pin(async move { Ok(live(&call)) }),
    },
    Route {
        method: "GET",
        path: "/readyz",
        dialect: Dialect::Dossier,
        access: Access::Open,
        summary: "Whether everything is restored and writes are taken",
        handler: |call| Box::pin(async move { Ok(ready(&call)) }),
    },
];

fn live(_: &Call) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, JSON)).body(r#"{"status":"ok"}"#)
}

/// How the history is. It stands in nobody's way, so it makes nothing unready.
pub(super) fn history_of(services: &Services) -> &'static str {
    match services.history.as_ref().map(|history| history.health()) {
        None if services.settings().history.enabled => "failed",
        None => "off",
        Some(HistoryHealth::Following) => "ok",
        Some(HistoryHealth::Building) => "building",
        Some(HistoryHealth::Failed) => "failed",
    }
}

/// Whether the last snapshot failed. The journal has everything, so it makes nothing unready; but it
/// grows until one succeeds.
fn have_snapshots_failed(services: &Services) -> bool {
    services.dashboard.snapshots.has_failed.load(Ordering::Acquire)
}

/// 200 when all is well; 503 while restoring, stopping, on a full disk, after a disk failure, or while
/// the disk takes longer than a write waits for it.
fn ready(call: &Call) -> HttpResponse {
    let services = &call.services;
    let limit = services.settings().actor.reply_timeout;
    let (status, journal) = if services.is_ready.load(Ordering::Acquire) {
        match &services.journal.progress().borrow().health {
            Health::Ok if services.directory.space().shortage().is_some() => ("degraded", "full"),
            Health::Ok if services.journal.stats().is_slower_than(limit) => ("degraded", "slow"),
            Health::Ok => ("ok", "ok"),
            Health::Full { .. } => ("degraded", "full"),
            Health::Poisoned { .. } => ("failed", "failed"),
        }
    } else {
        ("starting", "ok")
    };
    let mut body = Builder::new();
    body.string("status", status).string("journal", journal);
    body.string("history", history_of(services));
    body.string("snapshots", if have_snapshots_failed(services) { "failed" } else { "ok" });
    body.raw("tenants", &services.directory.tenants().len().to_string());
    let mut response =
        if status == "ok" { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.insert_header((header::CONTENT_TYPE, JSON)).body(body.finish())
}
