//! Whether the process lives, and whether it can be used.

use super::JSON;
use super::call::Call;
use super::route::{Access, Dialect, Route};
use crate::domain::json::Builder;
use crate::journal::Health;
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

/// 200 when all is well; 503 while restoring, stopping, on a full disk, or after a disk failure.
fn ready(call: &Call) -> HttpResponse {
    let services = &call.services;
    let (status, journal) = if services.is_ready.load(Ordering::Acquire) {
        match &services.journal.progress().borrow().health {
            Health::Ok => ("ok", "ok"),
            Health::Full { .. } => ("degraded", "full"),
            Health::Poisoned { .. } => ("failed", "failed"),
        }
    } else {
        ("starting", "ok")
    };
    let mut body = Builder::new();
    body.string("status", status).string("journal", journal);
    body.raw("tenants", &services.directory.tenants().len().to_string());
    let mut response =
        if status == "ok" { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.insert_header((header::CONTENT_TYPE, JSON)).body(body.finish())
}
