//! Every member of every body, as the description of the API lists them: which of the scopes that
//! open the route are enough for it alone, and which are not.

use super::fields::Least;
use super::{Bench, CASES, Case, name, named, routes};
use actix_rt::System;
use dossier::http::dispatch::changes;
use dossier::http::route::Access;
use serde_json::{Map, Value, json};

/// Members for which a scope that opens the route is not enough, and those that are.
fn narrower(route: &str, member: &str) -> Option<&'static [&'static str]> {
    let (method, path) = route.split_once(' ').unwrap();
    let is_client = ["/api/v2/clients/{id}", "/api/v2/applications/{id}", "/api/v2/client/{id}"];
    if method == "PATCH" && is_client.contains(&path) {
        let is_secret = member == "client_secret";
        return Some(if is_secret { &["update:client_keys"] } else { &["update:clients"] });
    }
    if route == "PATCH /api/v2/users/{id}" {
        let least = super::fields::least_of(member);
        return Some(match least {
            Least::AppMetadata => &["update:users", "update:users_app_metadata"],
            Least::Users | Least::Oneself => &["update:users"],
        });
    }
    None
}

/// Values where the description alone does not lead to one that is taken.
const VALUES: &[(&str, &str, &str)] = &[
    ("/api/v2/users", "connection", r#""Username-Password-Authentication""#),
    ("/api/v2/users", "phone_number", r#""+15551234567""#),
    ("/api/v2/jobs/", "connection_id", r#""{database}""#),
    ("/api/v2/tickets/", "connection_id", r#""{database}""#),
    ("/credentials", "expires_at", r#""2100-01-01T00:00:00Z""#),
    ("/api/v2/resource-servers", "signing_secret", r#""sixteen letters and more""#),
    ("/metadata/{key}", "key", r#""key""#),
    ("/api/v2/tickets/password-change", "email", r#""{email}""#),
    ("/fork", "as_of", "1"),
    ("/login-links", "tenant", r#""alpha""#),
];

/// Members that go with others only.
const WITH: &[(&str, &str, &str)] = &[
    ("PATCH /api/v2/users", "connection", r#"{"email":"member@example.com"}"#),
    (
        "/api/v2/tickets/password-change",
        "email",
        r#"{"user_id":null,"connection_id":"con_0000000000000000"}"#,
    ),
];

/// Members that cannot be set by this route, or not as things are, whoever asks; the answer is 400.
fn is_taken(route: &str, member: &str) -> bool {
    let is_client = !route.starts_with("POST") && member == "resource_server_identifier";
    // The database connection of every tenant signs in by e-mail alone.
    !is_client && member != "username"
}

/// Something that is of this shape.
fn example(schema: &Value) -> Value {
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str());
    match kind.unwrap_or("object") {
        "boolean" => json!(true),
        "integer" | "number" => schema["minimum"].as_u64().unwrap_or(1).max(1).into(),
        "array" => json!([]),
        "string" => match schema["format"].as_str() {
            Some("email") => json!("member@example.com"),
            Some("uri") => json!("https://example.com/x"),
            Some("date-time") => json!("2100-01-01T00:00:00.000Z"),
            _ => json!("member"),
        },
        _ => json!({}),
    }
}

/// The value of a row for this route and member.
fn listed(table: &[(&str, &str, &str)], route: &str, member: &str) -> Option<Value> {
    let is_it = |(path, name, _): &&(&str, &str, &str)| route.contains(path) && *name == member;
    table.iter().find(is_it).map(|(_, _, text)| serde_json::from_str(text).unwrap())
}

/// The body of a case with one more member.
fn body(bench: &Bench, case: &Case, member: &str, schema: &Value) -> String {
    // A change has nothing else in it, so that only this member can be what is refused.
    let is_change = case.route.starts_with("PATCH");
    let base = if is_change { "{}" } else { case.body };
    let mut members: Map<String, Value> = serde_json::from_str(base).unwrap();
    if let Some(Value::Object(more)) = listed(WITH, case.route, member) {
        members.extend(more);
        members.retain(|_, value| !value.is_null());
    }
    if !members.contains_key(member) || is_change {
        let value = listed(VALUES, case.route, member).unwrap_or_else(|| example(schema));
        members.insert(member.to_owned(), value);
    }
    named(&Value::Object(members).to_string(), &bench.own)
}

#[test]
fn every_member_of_every_body_works_with_its_least_scope_and_not_with_less() {
    System::new().block_on(async {
        let bench = Bench::start().await;
        let document = bench.with(&[], None, ("GET", "/openapi.json", "")).await.1;
        let before = bench.state().await;
        let (mut tried, mut wrong) = (0, Vec::new());
        for route in routes() {
            let (Access::Scopes(scopes), label) = (route.access, name(route)) else { continue };
            let described = &document["paths"][route.path][route.method.to_lowercase()];
            let schema = &described["requestBody"]["content"]["application/json"]["schema"];
            let Some(members) = schema["properties"].as_object() else { continue };
            let case = CASES.iter().find(|case| case.route == label).unwrap();
            let mark = if case.target.contains('?') { '&' } else { '?' };
            let dry = if changes(route) { format!("{mark}dry_run=true") } else { String::new() };
            let target = named(case.target, &bench.own) + &dry;
            for (member, schema) in members {
                let body = body(&bench, case, member, schema);
                let enough = narrower(&label, member);
                let is_taken = is_taken(&label, member);
                for scope in scopes.iter().map(|scope| scope.name()) {
                    if scope.contains("current_user") {
                        continue;
                    }
                    let works = enough.is_none_or(|enough| enough.contains(&scope));
                    let call = (route.method, target.as_str(), body.as_str());
                    let (status, told) = bench.with(&[scope], None, call).await;
                    let is_right = match (works, is_taken) {
                        (true, true) => status < 300,
                        (true, false) => status == 400,
                        (false, true) => status == 403,
                        (false, false) => status == 403 || status == 400,
                    };
                    if !is_right {
                        wrong.push(format!(
                            "{label} {member} {scope} {works}: {status} {told} {body}"
                        ));
                    }
                    tried += 1;
                }
                let others = super::everything();
                let enough: Vec<&str> = match enough {
                    Some(enough) => enough.to_vec(),
                    None => scopes.iter().map(|scope| scope.name()).collect(),
                };
                let others: Vec<&str> =
                    others.into_iter().filter(|scope| !enough.contains(scope)).collect();
                let call = (route.method, target.as_str(), body.as_str());
                let (status, told) = bench.with(&others, None, call).await;
                if status != 403 && (is_taken || status != 400) {
                    wrong.push(format!("{label} {member} with all others: {status} {told}"));
                }
            }
        }
        assert!(wrong.is_empty(), "{} of {tried}\n{}", wrong.len(), wrong.join("\n"));
        assert!(tried > 400, "{tried}");
        assert_eq!(bench.state().await, before);
    });
}
