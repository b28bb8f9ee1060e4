//! Members nobody may set by naming them in a body.

use super::cases::{CASES, Case};
use super::{Bench, named};
use crate::harness::house::everything;
use actix_rt::System;
use serde_json::{Map, Value};

/// Members and values that would show if they were taken.
const INJECTED: &[(&str, &str)] = &[
    ("user_id", r#""auth0|injected""#),
    ("_id", r#""injected""#),
    (
        "identities",
        r#"[{"provider":"injected","user_id":"injected","connection":"injected","isSocial":true}]"#,
    ),
    ("created_at", r#""2001-01-01T00:00:00.000Z""#),
    ("updated_at", r#""2001-01-01T00:00:00.000Z""#),
    ("last_login", r#""2001-01-01T00:00:00.000Z""#),
    ("last_ip", r#""6.6.6.6""#),
    ("logins_count", "666777"),
    ("last_password_reset", r#""2001-01-01T00:00:00.000Z""#),
    ("tenant", r#""injected""#),
    ("__proto__", r#"{"injected":true}"#),
    ("constructor", r#"{"prototype":{"injected":true}}"#),
    ("version", "666777"),
    ("client_id", r#""injected""#),
    ("global", "true"),
    ("is_global", "true"),
    ("is_system", "true"),
    ("password_hash", r#""injected""#),
    ("entries", r#"[{"key":"injected","value":"injected"}]"#),
];

/// What is looked for afterwards.
const MARKS: &[&str] = &["injected", "2001-01-01", "6.6.6.6", "666777"];

/// Changes of users and clients whose body names members, not metadata.
fn is_meant(case: &Case) -> bool {
    let is_change = !case.route.starts_with("GET") && case.body.starts_with('{');
    let is_object = [
        "users",
        "client",
        "applications",
        "logins",
        "/api/user/",
        "connections",
        "resource-servers",
        "client-grants",
        "settings",
        "tickets",
        "jobs",
        "tenants",
        "credentials",
    ]
    .iter()
    .any(|part| case.route.contains(part));
    // In v1 what is no root attribute is metadata, and a bag is nothing else.
    let is_bag = case.route.contains(" /api/users") && !case.route.ends_with("/email")
        || ["/{bag}", "/client_metadata"].iter().any(|end| case.route.ends_with(end));
    is_change && is_object && !is_bag
}

fn with(body: &str, key: &str, value: &str) -> String {
    let comma = if body == "{}" { "" } else { "," };
    format!(
        "{}{comma}\"{key}\":{value}}}",
        body.trim_end_matches('}').to_owned()
            + &"}".repeat(body.len() - body.trim_end_matches('}').len() - 1)
    )
}

#[test]
fn no_body_sets_what_is_not_for_callers() {
    System::new().block_on(async {
        let mut tried = 0;
        for case in CASES.iter().filter(|case| is_meant(case)) {
            let bench = Bench::start().await;
            let token = bench.token(&everything());
            let target = named(case.target, &bench.own);
            for (key, value) in INJECTED {
                let names: Map<String, Value> = serde_json::from_str(case.body).unwrap();
                // Whoever makes a user may choose the id at the connection, as at Auth0.
                let is_account = *key == "user_id" && case.route.starts_with("POST");
                if names.contains_key(*key) || is_account {
                    continue;
                }
                let before = bench.state().await;
                let body = with(&named(case.body, &bench.own), key, value);
                let method = case.route.split(' ').next().unwrap();
                let bearer = format!("Bearer {token}");
                let headers = [("Authorization", bearer.as_str()), crate::harness::house::JSON];
                let (status, answer) =
                    bench.house.ask("localhost", method, &target, &headers, &body).await;
                let label = format!("{} with {key}", case.route);
                let after = bench.state().await;
                if (200..300).contains(&status) {
                    for mark in MARKS {
                        assert!(!answer.to_string().contains(mark), "{label}: {answer}");
                        assert!(!after.contains(mark), "{label}: it is kept");
                    }
                } else {
                    assert!((400..500).contains(&status), "{label}: {status} {answer}");
                    assert_eq!(after, before, "{label}: refused, but something changed");
                }
                tried += 1;
            }
        }
        assert!(tried > 150, "{tried}");
    });
}

#[test]
fn a_provider_cannot_say_more_than_attributes() {
    System::new().block_on(async {
        for (key, value) in INJECTED {
            let bench = Bench::start().await;
            let target = named("/dossier/v1/connections/{connection_name}/logins", &bench.own);
            let body = format!(r#"{{"user_id":"1","profile":{{"{key}":{value}}}}}"#);
            let (status, answer) = bench.house.send("POST", &target, &body).await;
            if status == 400 {
                continue;
            }
            assert_eq!(status, 201, "{key} {answer}");
            let protected = [
                "user_id",
                "identities",
                "created_at",
                "updated_at",
                "last_login",
                "last_ip",
                "logins_count",
                "last_password_reset",
            ];
            for name in protected {
                let text = answer[name].to_string();
                assert!(MARKS.iter().all(|mark| !text.contains(mark)), "{key}: {name} is {text}");
            }
            let id = answer["user_id"].as_str().unwrap().to_owned();
            assert_eq!(id, "google-oauth2|1");
        }
    });
}

#[test]
fn in_v1_they_are_metadata_and_change_no_root() {
    System::new().block_on(async {
        let bench = Bench::start().await;
        let v1 = [
            ("POST", "/api/users", r#"{"email":"new@example.com","password":"Long-enough-1!"}"#),
            ("PATCH", "/api/users/{user}/metadata", "{}"),
            ("PUT", "/api/users/{user}/metadata", "{}"),
        ];
        for (method, target, body) in v1 {
            for (key, value) in INJECTED.iter().filter(|(key, _)| *key != "user_id") {
                let email = format!("{}@example.com", key.trim_matches('_'));
                let body = with(&body.replace("new@example.com", &email), key, value);
                let target = named(target, &bench.own);
                let (status, answer) = bench.house.send(method, &target, &body).await;
                assert!(matches!(status, 200 | 201 | 400), "{method} {target} {body}: {answer}");
            }
        }
        let (_, users) = bench.house.send("GET", "/api/v2/users?per_page=100", "").await;
        let users = users.as_array().unwrap();
        assert!(users.len() > 12, "{}", users.len());
        for user in users {
            let mut root = user.as_object().unwrap().clone();
            root.remove("app_metadata");
            let text = Value::Object(root).to_string();
            assert!(MARKS.iter().all(|mark| !text.contains(mark)), "{text}");
        }
    });
}
