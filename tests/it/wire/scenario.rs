//! One scenario file, run step by step.

use super::expect;
use crate::harness::{Bearer, Response, Server, Setup};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    /// What it shows, and which part of the contract says so.
    about: String,
    /// Lines of a configuration file.
    #[serde(default)]
    config: Vec<String>,
    steps: Vec<Step>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// What this step shows, where the request does not say it.
    #[serde(default)]
    about: String,
    request: Request,
    expect: expect::Expect,
    /// Names for parts of the answer, by JSON pointer; `header:<name>` for a header.
    #[serde(default)]
    save: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Request {
    method: String,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// A JSON body.
    body: Option<Value>,
    /// A body byte for byte; JSON unless a header says otherwise.
    text: Option<String>,
    /// A form body.
    form: Option<BTreeMap<String, String>>,
    /// Who asks: an administrator unless it says otherwise.
    #[serde(default, rename = "as")]
    caller: As,
}

/// Who asks.
#[derive(Debug, Default, Deserialize)]
#[serde(untagged)]
enum As {
    #[default]
    Admin,
    /// `"none"`, or a saved token as `"{{token}}"`.
    Word(String),
    /// A machine with these scopes.
    Scopes(Vec<String>),
    /// Anybody else.
    Bearer {
        user: Option<String>,
        #[serde(default)]
        scopes: Vec<String>,
        ends_in_s: Option<i64>,
        audience: Option<String>,
        issuer: Option<String>,
    },
}

/// What `{{name}}` stands for.
pub(super) type Names = BTreeMap<String, String>;

/// Runs a file; the error names file, step, request and difference.
pub(super) fn run(file: &Path) -> Result<(), String> {
    let name = file.file_name().unwrap().to_string_lossy().into_owned();
    let text = fs::read_to_string(file).unwrap();
    let scenario: Scenario =
        serde_json::from_str(&text).map_err(|error| format!("{name}: {error}"))?;
    let setup = if scenario.config.is_empty() {
        Setup::default()
    } else {
        Setup::default().config(&scenario.config.join(
            "
",
        ))
    };
    let server = setup.start();
    let (client_id, client_secret) = server.admin_client();
    let mut names = Names::from([
        ("origin".to_owned(), server.url.clone()),
        ("host".to_owned(), server.address().to_owned()),
        ("client_id".to_owned(), client_id),
        ("client_secret".to_owned(), client_secret),
    ]);
    for (number, step) in (1..).zip(&scenario.steps) {
        let response = send(&server, &step.request, &names);
        let told = step.expect.check(&response, &names).and_then(|()| {
            step.save.iter().try_for_each(|(name, place)| {
                let found = saved(&response, place).ok_or(format!("there is no {place}"))?;
                names.insert(name.clone(), found);
                Ok(())
            })
        });
        told.map_err(|difference| {
            let Request { method, path, .. } = &step.request;
            format!(
                "{name} ({}), step {number} {}: {method} {path}\n  {difference}\n  answered {} {}",
                scenario.about,
                step.about,
                response.status,
                String::from_utf8_lossy(&response.body)
            )
        })?;
    }
    Ok(())
}

fn send(server: &Server, request: &Request, names: &Names) -> Response {
    let mut headers: Vec<(String, String)> =
        request.headers.iter().map(|(name, value)| (name.clone(), filled(value, names))).collect();
    let has = |headers: &[(String, String)], wanted: &str| {
        headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(wanted))
    };
    if !has(&headers, "authorization")
        && let Some(authorization) = authorization(server, &request.caller, names)
    {
        headers.push(("Authorization".to_owned(), authorization));
    }
    let (body, kind) = if let Some(body) = &request.body {
        (Some(filled(&body.to_string(), names)), "application/json")
    } else if let Some(form) = &request.form {
        (Some(form_text(form, names)), "application/x-www-form-urlencoded")
    } else {
        (request.text.as_ref().map(|text| filled(text, names)), "application/json")
    };
    if body.is_some() && !has(&headers, "content-type") {
        headers.push(("Content-Type".to_owned(), kind.to_owned()));
    }
    let headers: Vec<(&str, &str)> =
        headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let path = filled(&request.path, names);
    server.request(&request.method, &path, &headers, body.as_deref().map(str::as_bytes))
}

fn authorization(server: &Server, caller: &As, names: &Names) -> Option<String> {
    let bearer = match caller {
        As::Admin => return Some(server.admin().to_owned()),
        As::Word(word) if word == "none" => return None,
        As::Word(word) if word == "admin" => return Some(server.admin().to_owned()),
        As::Word(token) => return Some(format!("Bearer {}", filled(token, names))),
        As::Scopes(scopes) => Bearer { scopes: scopes.clone(), ..Bearer::default() },
        As::Bearer { user, scopes, ends_in_s, audience, issuer } => {
            let fill = |text: &Option<String>| text.as_ref().map(|text| filled(text, names));
            Bearer {
                user: fill(user),
                client: None,
                scopes: scopes.clone(),
                ends_in_s: *ends_in_s,
                audience: fill(audience),
                issuer: fill(issuer),
            }
        }
    };
    Some(format!("Bearer {}", server.token(&bearer)))
}

fn form_text(form: &BTreeMap<String, String>, names: &Names) -> String {
    let encode = |text: &str| percent_encode(text.as_bytes(), NON_ALPHANUMERIC).to_string();
    let pairs: Vec<String> = form
        .iter()
        .map(|(key, value)| format!("{}={}", encode(key), encode(&filled(value, names))))
        .collect();
    pairs.join("&")
}

fn saved(response: &Response, place: &str) -> Option<String> {
    if let Some(name) = place.strip_prefix("header:") {
        return response.header(name).map(str::to_owned);
    }
    let body = response.json();
    let value = body.pointer(place)?;
    Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// The text with every `{{name}}` filled in.
pub(super) fn filled(text: &str, names: &Names) -> String {
    let mut out = text.to_owned();
    for (name, value) in names {
        out = out.replace(&format!("{{{{{name}}}}}"), value);
        let encoded = percent_encode(value.as_bytes(), NON_ALPHANUMERIC).to_string();
        out = out.replace(&format!("{{{{%{name}}}}}"), &encoded);
    }
    out
}
