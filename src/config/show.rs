//! Shows a configuration: every value and where it comes from.

use std::fmt::Write;

use serde_json::{Map, json};

use super::Loaded;
use super::problem::{MASK, Place};
use super::sections::SECTIONS;
use super::table::{Setting, toml_text};
use super::tenant::{ClientSettings, ConnectionSettings, TenantSettings};
use super::value::Secret;

/// How far to the right the origins stand.
const ORIGIN_COLUMN: usize = 44;

/// The whole configuration as a file, each value with its origin; secrets are masked.
pub fn print(loaded: &Loaded) -> String {
    render(loaded, |_| MASK)
}

/// Renders with secrets shown as `secret` says.
pub(super) fn render(loaded: &Loaded, secret: fn(&Secret) -> &str) -> String {
    let values = loaded.settings.values();
    let mut out = match &loaded.file {
        Some(file) => format!("# Read from {}\n", file.display()),
        None => "# No file was read\n".to_owned(),
    };
    for section in SECTIONS {
        line(&mut out, &format!("\n[{}]", section.name));
        for setting in section.settings {
            let text = setting.toml(values.get(setting.path));
            let value = format!("{} = {text}", setting.key());
            line(
                &mut out,
                &format!("{value:<ORIGIN_COLUMN$} # {}", origin(loaded.origins.of(setting.path))),
            );
        }
    }
    for tenant in &loaded.settings.tenants {
        render_tenant(&mut out, tenant, secret);
    }
    out
}

fn render_tenant(out: &mut String, tenant: &TenantSettings, secret: fn(&Secret) -> &str) {
    line(out, "\n[[tenant]]");
    pair(out, "", "id", &tenant.id);
    pair(out, "", "domains", &tenant.domains);
    pair(out, "", "compat", &tenant.compat.word());
    pair(out, "", "client_secrets", &tenant.client_secrets.word());
    for client in &tenant.clients {
        render_client(out, client, secret);
    }
    for connection in &tenant.connections {
        render_connection(out, connection);
    }
    if !tenant.overrides.is_empty() {
        line(out, "\n  [tenant.override]");
        for (setting, value) in &tenant.overrides {
            line(out, &format!("  {} = {}", setting.path, setting.toml(value)));
        }
    }
}

fn render_client(out: &mut String, client: &ClientSettings, secret: fn(&Secret) -> &str) {
    line(out, "\n  [[tenant.client]]");
    pair(out, "  ", "client_id", &client.client_id);
    match &client.client_secret_file {
        Some(file) => pair(out, "  ", "client_secret_file", &file.to_string_lossy()),
        None => pair(out, "  ", "client_secret", &secret(&client.client_secret)),
    }
    pair(out, "  ", "scopes", &client.scopes);
}

fn render_connection(out: &mut String, connection: &ConnectionSettings) {
    line(out, "\n  [[tenant.connection]]");
    pair(out, "  ", "name", &connection.name);
    pair(out, "  ", "strategy", &connection.strategy);
    pair(out, "  ", "set_user_root_attributes", &connection.set_user_root_attributes.word());
    pair(out, "  ", "requires_username", &connection.requires_username);
    pair(out, "  ", "enabled", &connection.enabled);
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("a String takes any text");
}

fn pair<T: serde::Serialize + ?Sized>(out: &mut String, indent: &str, key: &str, value: &T) {
    let value = serde_json::to_value(value).expect("texts, flags and lists of texts are JSON");
    line(out, &format!("{indent}{key} = {}", toml_text(&value)));
}

/// An origin in a few words.
pub(super) fn origin(place: &Place) -> String {
    match place {
        Place::Line { file, line, .. } => format!("{}:{line}", file.display()),
        Place::File(_) | Place::Variable(_) | Place::Argument(_) | Place::Default => {
            place.to_string()
        }
    }
}

/// The whole configuration as JSON, for programs and the dashboard; secrets are masked.
///
/// Each setting is an object of `value`, `origin` and `live`.
pub fn print_json(loaded: &Loaded) -> serde_json::Value {
    let values = loaded.settings.values();
    let shown = |setting: &Setting| {
        let value =
            if setting.secret { MASK.into() } else { setting.json(values.get(setting.path)) };
        json!({ "value": value, "origin": origin(loaded.origins.of(setting.path)), "live": setting.live })
    };
    let sections: Map<_, _> = SECTIONS
        .iter()
        .map(|section| {
            let keys =
                section.settings.iter().map(|setting| (setting.key().to_owned(), shown(setting)));
            (section.name.to_owned(), keys.collect::<Map<_, _>>().into())
        })
        .collect();
    json!({
        "file": loaded.file.as_ref().map(|file| file.to_string_lossy()),
        "settings": sections,
        "tenants": loaded.settings.tenants.iter().map(tenant_json).collect::<Vec<_>>(),
        "warnings": loaded.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

/// What stands at a path of [`diff`](super::diff), as JSON; secrets are masked.
pub fn shown(loaded: &Loaded, path: &str) -> Option<serde_json::Value> {
    let Some(rest) = path.strip_prefix("tenant.") else {
        let setting = super::setting(path)?;
        let value = setting.json(loaded.settings.values().get(path));
        return Some(if setting.secret { MASK.into() } else { value });
    };
    let (id, rest) = rest.split_once('.').unwrap_or((rest, ""));
    let tenant = loaded.settings.tenants.iter().find(|tenant| tenant.id == id)?;
    let shown = tenant_json(tenant);
    let (what, name) = rest.split_once('.').unwrap_or((rest, ""));
    match what {
        "" => Some(shown),
        "client" => tenant.clients.iter().find(|client| client.client_id == name).map(client_json),
        "connection" => tenant.connections.iter().find(|own| own.name == name).map(connection_json),
        "override" => shown.get("override")?.get(name).cloned(),
        key => shown.get(key).cloned(),
    }
}

fn tenant_json(tenant: &TenantSettings) -> serde_json::Value {
    let own = tenant
        .overrides
        .iter()
        .map(|(setting, value)| (setting.path.to_owned(), setting.json(value)));
    json!({
        "id": tenant.id,
        "domains": tenant.domains,
        "compat": tenant.compat.word(),
        "client_secrets": tenant.client_secrets.word(),
        "clients": tenant.clients.iter().map(client_json).collect::<Vec<_>>(),
        "connections": tenant.connections.iter().map(connection_json).collect::<Vec<_>>(),
        "override": own.collect::<Map<_, _>>(),
    })
}

fn client_json(client: &ClientSettings) -> serde_json::Value {
    json!({
        "client_id": client.client_id,
        "client_secret": MASK,
        "client_secret_file": client.client_secret_file.as_ref().map(|file| file.to_string_lossy()),
        "scopes": client.scopes,
    })
}

fn connection_json(connection: &ConnectionSettings) -> serde_json::Value {
    json!({
        "name": connection.name,
        "strategy": connection.strategy,
        "set_user_root_attributes": connection.set_user_root_attributes.word(),
        "requires_username": connection.requires_username,
        "enabled": connection.enabled,
    })
}
