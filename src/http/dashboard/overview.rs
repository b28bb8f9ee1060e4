//! The figures of a tenant and, at the default tenant, of the whole server: what was measured, and
//! nothing else.

use crate::domain::json::Builder;
use crate::domain::resource::ResourceKind;
use crate::http::call::Call;
use crate::http::timings::{Minute, Whose};
use crate::http::{health, v2};
use crate::journal::Health;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use std::sync::atomic::Ordering;

/// Where they are asked for. Who looks at the figures is not part of them.
pub const PATH: &str = "/dossier/v1/overview";

/// Figures of this tenant and this server.
pub(super) fn overview(call: &Call) -> HttpResponse {
    let (services, published) = (&call.services, call.tenant.published());
    let mut out = Builder::new();
    let mut number = |key: &str, value: u64| _ = out.raw(key, &value.to_string());
    number("users", count(published.user_count()));
    number("clients", count(published.clients().iter().filter(|one| !one.is_global).count()));
    number("connections", count(published.resources(ResourceKind::Connection).len()));
    number("version", published.version().get());
    out.raw("now", &call.now.millis().to_string())
        .raw("started_at", &services.dashboard.started.millis().to_string())
        .raw("minute", &minute(&services.timings.minute(Whose::Tenant(call.tenant.uid()))))
        .raw("mailbox", &mailbox(call))
        .raw("journal", &journal(call))
        .raw("history", &history(call))
        .raw("snapshots", &snapshots(call));
    // What concerns the whole server is for those who run it.
    if call.tenant.uid() == services.directory.default_tenant().uid() {
        out.raw("server", &server(call));
    }
    v2::json(StatusCode::OK, out.finish())
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

fn numbers(all: &[u64]) -> String {
    let all: Vec<String> = all.iter().map(u64::to_string).collect();
    format!("[{}]", all.join(","))
}

fn optional(out: &mut Builder, key: &str, value: Option<u64>) {
    out.raw(key, &value.map_or_else(|| "null".to_owned(), |value| value.to_string()));
}

fn minute(minute: &Minute) -> String {
    let mut out = Builder::new();
    out.raw("reads", &numbers(&minute.reads)).raw("writes", &numbers(&minute.writes));
    optional(&mut out, "p50_micros", minute.p50_micros);
    optional(&mut out, "p99_micros", minute.p99_micros);
    out.finish()
}

fn mailbox(call: &Call) -> String {
    let (waiting, capacity) = call.tenant.mailbox();
    let mut out = Builder::new();
    out.raw("waiting", &waiting.to_string()).raw("capacity", &capacity.to_string());
    out.finish()
}

fn server(call: &Call) -> String {
    let services = &call.services;
    let tenants = services.directory.tenants();
    let users: usize = tenants.iter().map(|tenant| tenant.published().user_count()).sum();
    let mut out = Builder::new();
    out.raw("tenants", &tenants.len().to_string())
        .raw("users", &users.to_string())
        .raw("requests", &services.requests.load(Ordering::Relaxed).to_string())
        .raw("minute", &minute(&services.timings.minute(Whose::Server)));
    let memory = services.dashboard.memory.as_ref().and_then(|memory| memory());
    optional(&mut out, "memory_bytes", memory);
    out.finish()
}

fn journal(call: &Call) -> String {
    let stats = call.services.journal.stats();
    let progress = call.services.journal.progress();
    let health = match &progress.borrow().health {
        Health::Ok if call.services.directory.space().shortage().is_some() => "full",
        Health::Ok => "ok",
        Health::Full { .. } => "full",
        Health::Poisoned { .. } => "failed",
    };
    let micros = u64::try_from(stats.last_sync.as_micros()).unwrap_or(u64::MAX);
    let mut out = Builder::new();
    out.string("health", health);
    for (key, value) in [
        ("size_bytes", stats.size_bytes),
        ("segments", stats.segments),
        ("last_lsn", stats.last.get()),
        ("durable_lsn", progress.borrow().durable.get()),
        ("records", stats.records),
        ("syncs", stats.syncs),
        ("waiting", stats.waiting),
        ("last_sync_micros", micros),
    ] {
        out.raw(key, &value.to_string());
    }
    out.finish()
}

fn history(call: &Call) -> String {
    let services = &call.services;
    let mut out = Builder::new();
    out.string("health", health::history_of(services));
    optional(&mut out, "size_bytes", services.history.as_ref().map(|history| history.size_bytes()));
    out.finish()
}

fn snapshots(call: &Call) -> String {
    let (settings, state) = (call.services.settings(), &call.services.dashboard.snapshots);
    let time = |millis: u64| Some(millis).filter(|millis| *millis > 0);
    let interval = u64::try_from(settings.snapshot.interval.as_millis()).unwrap_or(u64::MAX);
    let newest = state.newest(call.tenant.uid());
    let behind = newest.as_ref().map_or(0, |newest| newest.entry.version.get());
    let round_at = time(state.round_at.load(Ordering::Acquire)).filter(|_| interval > 0);
    let mut out = Builder::new();
    out.flag("in_memory", Some(call.services.dashboard.is_memory))
        .raw("interval_ms", &interval.to_string())
        .raw("max_changes", &settings.snapshot.max_changes.to_string())
        .raw("taken", &state.taken.load(Ordering::Acquire).to_string())
        .flag("has_failed", Some(state.has_failed.load(Ordering::Acquire)));
    let changes = call.tenant.published().version().get().saturating_sub(behind);
    out.raw("changes_since", &changes.to_string());
    optional(&mut out, "last_at", time(state.last_at.load(Ordering::Acquire)));
    optional(&mut out, "next_at", round_at.map(|at| at.saturating_add(interval)));
    let newest = newest.map(|newest| {
        let (entry, mut one) = (newest.entry, Builder::new());
        one.string("file", &entry.file)
            .raw("version", &entry.version.get().to_string())
            .raw("at", &entry.created.millis().to_string())
            .raw("users", &entry.users.to_string())
            .raw("bytes", &entry.bytes.to_string());
        let check = state.checks.of(&entry.file);
        one.flag("verified", check.map(|check| check.flaw.is_none()));
        let took = newest.took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX));
        optional(&mut one, "milliseconds", took);
        one.finish()
    });
    out.raw("newest", newest.as_deref().unwrap_or("null"));
    out.finish()
}
