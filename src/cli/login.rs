//! `dossier login-link`.

use super::Failure;
use super::args::{Global, LinkRole, Span};
use super::client::Client;
use serde_json::json;

pub(super) fn run(
    global: &Global,
    role: LinkRole,
    prefixes: &[String],
    tenant: Option<String>,
    ttl: Option<Span>,
    name: Option<String>,
) -> Result<(), Failure> {
    let mut body = json!({
        "role": match role {
            LinkRole::Viewer => "viewer",
            LinkRole::Editor => "editor",
            LinkRole::Admin => "admin",
        },
    });
    let mut put = |key: &str, value: Option<serde_json::Value>| {
        if let (Some(value), Some(members)) = (value, body.as_object_mut()) {
            members.insert(key.to_owned(), value);
        }
    };
    put("prefixes", (!prefixes.is_empty()).then(|| prefixes.into()));
    put("tenant", tenant.map(Into::into));
    put("ttl", ttl.map(|ttl| ttl.0.as_secs().into()));
    put("name", name.map(Into::into));
    let made = Client::connect(global)?.call("POST", "/dossier/v1/login-links", Some(&body))?;
    match made.get("url").and_then(serde_json::Value::as_str) {
        Some(url) => {
            println!("{url}");
            Ok(())
        }
        None => Err(Failure::new(1, "the server gave no link")),
    }
}
