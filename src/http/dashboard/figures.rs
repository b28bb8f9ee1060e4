//! What the dashboard shows besides users, clients and figures: settings, links.

use super::Problem;
use super::session::{Link, Role};
use crate::config::{self, Loaded};
use crate::domain::json::{Builder, Object};
use crate::domain::scope::Scope;
use crate::http::call::{Call, host_of_call};
use crate::http::schema::{self, Extra, Property, Schema, Shape, property};
use crate::http::v2;
use crate::tenant::TenantHandle;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde_json::Value;
use std::sync::PoisonError;
use std::time::Duration;

/// Every setting with its value, its default and where it comes from.
///
/// # Errors
/// 404 but at the default tenant: whatever scopes a tenant grants itself, the server is not its own.
pub(super) fn config(call: &Call) -> Result<HttpResponse, Problem> {
    if call.tenant.uid() != call.services.directory.default_tenant().uid() {
        return Err(Problem::no_route());
    }
    let running = &call.services.dashboard.loaded;
    let mut now = config::print_json(&running.lock().unwrap_or_else(PoisonError::into_inner));
    let defaults = config::print_json(&Loaded::defaults());
    for setting in config::settings() {
        let at = format!("/settings/{}", setting.path.replace('.', "/"));
        let default = defaults.pointer(&at).and_then(|row| row.get("value")).cloned();
        if let Some(Value::Object(row)) = now.pointer_mut(&at) {
            row.insert("default".to_owned(), default.unwrap_or(Value::Null));
            row.insert("about".to_owned(), Value::String(setting.doc.trim().to_owned()));
        }
    }
    Ok(v2::json(StatusCode::OK, now.to_string()))
}

/// A session carries its prefixes along.
const MAX_PREFIXES: usize = 50;
const MAX_PREFIX_BYTES: usize = 255;

pub(super) static LINK: Schema = Schema {
    properties: &[
        property("tenant", Shape::Text(1, 63), "Whose dashboard; default: this tenant"),
        property("role", Shape::OneOf(&["viewer", "editor", "admin"]), "Default: admin"),
        property("prefixes", Shape::Strings, "Keys an editor may change begin with one of these"),
        TTL,
        property("name", Shape::Text(1, 100), "Who is named as the author of changes"),
    ],
    required: &[],
    extra: Extra::Refuse(""),
};

const TTL: Property = property("ttl", Shape::Integer(60, 86_400), "Validity in seconds");

/// Makes a one-time link.
pub(super) async fn invite(mut call: Call) -> Result<HttpResponse, Problem> {
    let body = call.json_or_empty().await?;
    LINK.check(&body)?;
    let settings = call.services.settings();
    if !settings.dashboard.enabled {
        return Err(Problem::new(400, "dashboard_off", "The dashboard is switched off."));
    }
    let role = body.get_str("role").and_then(|name| Role::parse(&name)).unwrap_or(Role::Admin);
    let prefixes = body.get_strings("prefixes").unwrap_or_default();
    if prefixes.len() > MAX_PREFIXES || prefixes.iter().any(|one| one.len() > MAX_PREFIX_BYTES) {
        let text = format!("At most {MAX_PREFIXES} prefixes of {MAX_PREFIX_BYTES} bytes");
        return Err(Problem::body(schema::message(&text, "prefixes", "")));
    }
    if !prefixes.is_empty() && role != Role::Editor {
        let message = schema::message("Only the role editor has prefixes", "prefixes", "");
        return Err(Problem::body(message));
    }
    let (tenant, base) = whose(&call, &body)?;
    let subject =
        body.get_str("name").map_or_else(|| format!("dashboard {}", role.name()), Into::into);
    let ttl = body.get("ttl").and_then(|raw| raw.parse().ok()).map(Duration::from_secs);
    let ttl = ttl.unwrap_or(settings.auth.login_link_ttl);
    let has_snapshots = call.caller.has_any(&[Scope::DOSSIER_SNAPSHOTS]);
    let link = Link { tenant: tenant.uid(), role, prefixes, subject, has_snapshots };
    let url = if call.is_rehearsed() {
        // A link without its code opens nothing.
        format!("{base}/ui/login?once=")
    } else {
        let code = call.services.dashboard.sessions.invite(link, ttl, call.valid_at);
        log::info!(tenant = tenant.id(), role = role.name(), by = call.caller.subject, request_id = call.request_id; "made a login link");
        format!("{base}/ui/login?once={code}")
    };
    let mut out = Builder::new();
    out.string("url", &url)
        .string("tenant", tenant.id())
        .string("role", role.name())
        .raw("expires_in", &ttl.as_secs().to_string());
    Ok(v2::json(StatusCode::CREATED, out.finish()))
}

/// The tenant a link is for, and the address its dashboard has.
fn whose(call: &Call, body: &Object) -> Result<(TenantHandle, String), Problem> {
    let Some(id) = body.get_str("tenant").filter(|id| *id != call.tenant.id()) else {
        return Ok((call.tenant.clone(), call.origin()));
    };
    let directory = &call.services.directory;
    let missing = || Problem::new(404, "inexistent_tenant", "The tenant does not exist.");
    let tenant = directory.tenant(&id).ok_or_else(missing)?;
    let port = host_of_call(call).rsplit_once(':').map_or("", |(_, port)| port);
    let domains = directory.definition(&id).map(|found| found.domains).unwrap_or_default();
    let name = domains.into_iter().next().unwrap_or_else(|| format!("{id}.localhost"));
    let scheme = if call.is_secure() { "https" } else { "http" };
    let port = if port.is_empty() { String::new() } else { format!(":{port}") };
    Ok((tenant, format!("{scheme}://{name}{port}")))
}
