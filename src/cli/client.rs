//! Talking to a running server.

use super::args::Global;
use super::{Failure, settings};
use crate::app::declare::ADMIN_CLIENT_FILE;
use serde_json::Value;
use std::time::Duration;

/// A running server, and a token for it.
#[derive(Debug)]
pub(super) struct Client {
    base: String,
    token: String,
    agent: ureq::Agent,
}

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long one may take that comes after a long reading.
const LONG_PATIENCE: Duration = Duration::from_hours(1);

fn agent(patience: Duration) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(patience))
        .http_status_as_error(false)
        .max_redirects(0)
        .build();
    config.into()
}

/// The base address of the server.
pub(super) fn base(global: &Global) -> Result<String, Failure> {
    match &global.url {
        Some(url) => Ok(url.trim_end_matches('/').to_owned()),
        None => Ok(format!("http://{}", settings(global)?.settings.server.listen)),
    }
}

impl Client {
    /// Connects with the given token, or with a fresh one of the administrator.
    pub(super) fn connect(global: &Global) -> Result<Self, Failure> {
        let base = base(global)?;
        let token = match &global.token {
            Some(token) => token.clone(),
            None => fetch_token(global, &base, &[])?,
        };
        Ok(Self { base, token, agent: agent(PATIENCE) })
    }

    /// The same, for what takes its time.
    pub(super) fn patient(global: &Global) -> Result<Self, Failure> {
        Ok(Self { agent: agent(LONG_PATIENCE), ..Self::connect(global)? })
    }

    /// Sends a request and gives back the JSON of the answer.
    pub(super) fn call(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .body(body)
            .map_err(|error| Failure::new(2, error.to_string()))?;
        answered(self.agent.run(request).map_err(|error| unreachable(&self.base, &error))?)
    }
}

fn unreachable(base: &str, error: &ureq::Error) -> Failure {
    Failure::new(1, format!("{base} does not answer: {error}; is the server running?"))
}

fn answered(mut response: ureq::http::Response<ureq::Body>) -> Result<Value, Failure> {
    let status = response.status().as_u16();
    let text =
        response.body_mut().read_to_string().map_err(|error| Failure::new(1, error.to_string()))?;
    let value: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    if status < 400 {
        return Ok(value);
    }
    let said = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let message = said("message").or_else(|| said("error_description")).unwrap_or(text);
    let code = match status {
        401 | 403 => 9,
        404 => 8,
        _ => 1,
    };
    Err(Failure::new(code, format!("{status}: {message}")))
}

/// Asks for a token with the administrator client of the data directory.
pub(super) fn fetch_token(
    global: &Global,
    base: &str,
    more: &[(&str, &str)],
) -> Result<String, Failure> {
    let path = settings(global)?.settings.storage.data_dir.join(ADMIN_CLIENT_FILE);
    let text = std::fs::read_to_string(&path).map_err(|error| {
        Failure::new(
            8,
            format!("{}: {error}; start the server once, or pass --token", path.display()),
        )
    })?;
    let admin: Value = serde_json::from_str(&text).map_err(|_| {
        Failure::new(5, format!("{} is not JSON; delete it and restart the server", path.display()))
    })?;
    let member = |key: &str| admin.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (id, secret, audience) =
        (member("client_id"), member("client_secret"), format!("{base}/api/v2/"));
    let mut form = vec![
        ("grant_type", "client_credentials"),
        ("client_id", &id),
        ("client_secret", &secret),
        ("audience", &audience),
    ];
    form.extend_from_slice(more);
    let response = agent(PATIENCE)
        .post(format!("{base}/oauth/token"))
        .send_form(form)
        .map_err(|error| unreachable(base, &error))?;
    let answer = answered(response)?;
    let token = answer.get("access_token").and_then(Value::as_str);
    token.map(str::to_owned).ok_or_else(|| Failure::new(1, "the server gave no token"))
}

/// Posts nothing to a path and prints the answer.
pub(super) fn post(global: &Global, path: &str) -> Result<(), Failure> {
    println!("{:#}", Client::connect(global)?.call("POST", path, None)?);
    Ok(())
}

/// Asks a server how it is.
pub(super) fn health(global: &Global, ready: bool) -> Result<(), Failure> {
    let base = base(global)?;
    let path = if ready { "/readyz" } else { "/livez" };
    let response = agent(PATIENCE)
        .get(format!("{base}{path}"))
        .call()
        .map_err(|error| unreachable(&base, &error))?;
    println!("{}", answered(response)?);
    Ok(())
}
