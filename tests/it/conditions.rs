//! Who is refused because of what changed since is told what did: exactly what the history tells.

use crate::harness::house::{House, JSON, everything};
use actix_rt::System;
use dossier::journal::testing::SimDisk;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const PASSWORD: &str = "x1Y2z3w4v5";

/// The changed paths of a refusal, with their values; none where it tells no value.
fn changed(refused: &Value) -> BTreeMap<String, Option<Value>> {
    let all = refused["changed"].as_array().unwrap_or_else(|| panic!("{refused}"));
    let of = |one: &Value| (one["path"].as_str().unwrap().to_owned(), one.get("value").cloned());
    all.iter().map(of).collect()
}

/// What the history says differs between a version and now, with the values of now.
async fn differing(house: &House, place: &str, seen: u64) -> BTreeMap<String, Option<Value>> {
    let target = format!("/dossier/v1/{place}/diff?from={seen}");
    let (status, told) = house.send("GET", &target, "").await;
    assert_eq!(status, 200, "{told}");
    let all = told["changes"].as_array().unwrap().clone();
    let of = |one: &Value| (one["path"].as_str().unwrap().to_owned(), one.get("new").cloned());
    all.iter().map(of).collect()
}

async fn version(house: &House, place: &str) -> u64 {
    let (status, told) =
        house.send("GET", &format!("/dossier/v1/{place}/history?limit=1"), "").await;
    assert_eq!(status, 200, "{told}");
    told["entries"][0]["version"].as_u64().unwrap()
}

/// Sends a change on condition that nothing happened since `seen`.
async fn late(house: &House, place: &str, seen: u64, scopes: &[&str]) -> Value {
    let bearer = format!("Bearer {}", house.token(house.tenant(), scopes));
    let tag = format!("\"{seen}\"");
    let headers = [("Authorization", bearer.as_str()), JSON, ("If-Match", tag.as_str())];
    let target = format!("/api/v2/{place}");
    let (status, told) =
        house.ask("localhost", "PATCH", &target, &headers, r#"{"name":"late"}"#).await;
    assert_eq!(status, 412, "{told}");
    told
}

#[test]
fn a_refusal_names_everything_that_changed_since() {
    System::new().block_on(async {
        let house = House::with_history(&SimDisk::new()).await;
        let make = async |email: &str| {
            let body = json!({"email": email, "password": PASSWORD, "user_metadata": {"a": 1}});
            let (status, made) = house.send("POST", "/api/v2/users", &body.to_string()).await;
            assert_eq!(status, 201, "{made}");
            made["user_id"].as_str().unwrap().to_owned()
        };
        let (jane, john) = (make("jane@example.com").await, make("john@example.com").await);
        let place = format!("users/{jane}");
        let user = format!("/api/v2/{place}");
        let account = john.trim_start_matches("auth0|").to_owned();
        let app = json!({"name": "app", "grant_types": ["password"]}).to_string();
        let (_, app) = house.send("POST", "/api/v2/clients", &app).await;
        let sign_in = json!({
            "grant_type": "password", "username": "jane@example.com", "password": PASSWORD,
            "client_id": app["client_id"], "client_secret": app["client_secret"],
        });
        let permission = json!({"permissions": [{"resource_server_identifier": "urn:a", "permission_name": "b"}]});
        // What is done, and what of it no profile shows.
        let steps: Vec<(&str, String, Value, &[&str])> = vec![
            ("PATCH", user.clone(), json!({"name": "Jane", "nickname": "j"}), &[]),
            ("POST", "/oauth/token".to_owned(), sign_in, &[]),
            ("PATCH", user.clone(), json!({"email": "other@example.com"}), &[]),
            ("PATCH", user.clone(), json!({"password": "another1Y2z3"}), &["password"]),
            ("PATCH", user.clone(), json!({"user_metadata": {"a": null, "b": {"c": 2}}}), &[]),
            ("PATCH", user.clone(), json!({"app_metadata": {"plan": "x"}, "blocked": false}), &[]),
            ("POST", format!("{user}/identities"), json!({"provider": "auth0", "user_id": john}), &[]),
            ("DELETE", format!("{user}/identities/auth0/{account}"), Value::Null, &[]),
            ("POST", format!("{user}/roles"), json!({"roles": ["rol_1"]}), &["roles"]),
            ("POST", format!("{user}/permissions"), permission, &["permissions"]),
            ("PUT", format!("/api/user/{jane}/metadata/k"), json!({"value": "v"}), &["metadata"]),
        ];
        let first = version(&house, &place).await;
        for (method, target, body, unseen) in steps {
            let seen = version(&house, &place).await;
            let body = if body.is_null() { String::new() } else { body.to_string() };
            let (status, told) = house.send(method, &target, &body).await;
            assert!((200..300).contains(&status), "{method} {target}: {status} {told}");
            for since in [seen, first] {
                let refused = changed(&late(&house, &place, since, &everything()).await);
                let mut wanted = differing(&house, &place, since).await;
                if since == seen {
                    wanted.extend(unseen.iter().map(|path| ((*path).to_owned(), None)));
                    assert_eq!(refused, wanted, "{method} {target}");
                }
                for (path, value) in wanted {
                    assert_eq!(refused.get(&path), Some(&value), "{method} {target} {path}");
                }
            }
        }
    });
}

#[test]
fn who_may_not_see_the_user_is_told_paths_without_values() {
    System::new().block_on(async {
        let house = House::with_history(&SimDisk::new()).await;
        let body = r#"{"email":"jane@example.com","user_metadata":{"a":1}}"#;
        let (_, made) = house.send("POST", "/api/v2/users", body).await;
        let jane = made["user_id"].as_str().unwrap();
        let seen = version(&house, &format!("users/{jane}")).await;
        let user = format!("/api/v2/users/{jane}");
        house.send("PATCH", &user, r#"{"name":"Jane","user_metadata":{"a":2}}"#).await;
        for (scope, shows) in [("delete:users", false), ("read:users delete:users", true)] {
            let scopes: Vec<&str> = scope.split(' ').collect();
            let bearer = format!("Bearer {}", house.token(house.tenant(), &scopes));
            let tag = format!("\"{seen}\"");
            let headers = [("Authorization", bearer.as_str()), ("If-Match", tag.as_str())];
            let (status, told) = house.ask("localhost", "DELETE", &user, &headers, "").await;
            assert_eq!(status, 412, "{told}");
            let told = changed(&told);
            assert_eq!(told.keys().collect::<Vec<_>>(), ["name", "user_metadata.a"]);
            assert!(told.values().all(|value| value.is_some() == shows), "{scope} {told:?}");
        }
    });
}

#[test]
fn of_a_client_everything_that_changed_is_named_and_no_secret_told() {
    System::new().block_on(async {
        let house = House::with_history(&SimDisk::new()).await;
        let (_, made) = house.send("POST", "/api/v2/clients", r#"{"name":"app"}"#).await;
        let place = format!("clients/{}", made["client_id"].as_str().unwrap());
        let seen = version(&house, &place).await;
        let patch = r#"{"callbacks":["https://a"],"client_metadata":{"k":"v"}}"#;
        house.send("PATCH", &format!("/api/v2/{place}"), patch).await;
        let refused = changed(&late(&house, &place, seen, &everything()).await);
        assert_eq!(refused, differing(&house, &place, seen).await);
        let seen = version(&house, &place).await;
        let (status, told) =
            house.send("POST", &format!("/api/v2/{place}/rotate-secret"), "").await;
        assert_eq!(status, 200, "{told}");
        let refused = changed(&late(&house, &place, seen, &everything()).await);
        assert_eq!(refused, BTreeMap::from([("client_secret".to_owned(), None)]));
    });
}
