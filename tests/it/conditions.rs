//! Who is refused because of what changed since is told what did: exactly what the history tells.

use crate::harness::house::{House, JSON, everything};
use crate::harness::{Bearer, Server};
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

#[test]
fn a_list_is_told_once_until_something_changes() {
    let server = Server::start();
    let jane = r#"{"email":"jane@example.com"}"#;
    let id = server.json("POST", "/api/v2/users", jane).expect(201).json()["user_id"].clone();
    let ask = |target: &str, tag: &str, bearer: &str| {
        let headers = [("Authorization", bearer), ("If-None-Match", tag)];
        server.request("GET", target, &headers, None)
    };
    let admin = server.admin().to_owned();
    let tag_of = |target: &str| {
        let told = server.get(target).expect(200);
        told.header("etag").unwrap_or_else(|| panic!("{target} {told:?}")).to_owned()
    };
    let lists = [
        "/api/v2/users".to_owned(),
        "/api/v2/users?q=email:jane*&per_page=5".to_owned(),
        "/api/v2/users-by-email?email=jane%40example.com".to_owned(),
        format!("/api/v2/users/{}/roles", id.as_str().unwrap()),
        "/api/v2/clients".to_owned(),
        "/api/v2/connections".to_owned(),
        "/api/v2/client-grants".to_owned(),
        "/api/v2/resource-servers".to_owned(),
    ];
    let tags: Vec<String> = lists.iter().map(|list| tag_of(list)).collect();
    for (list, tag) in lists.iter().zip(&tags) {
        let again = ask(list, tag, &admin).expect(304);
        assert_eq!((again.header("etag"), again.body.len()), (Some(tag.as_str()), 0), "{list}");
        assert!(again.header("dossier-version").is_some(), "{list}");
        assert_eq!(ask(list, &format!("\"x\", {tag}"), &admin).status, 304, "{list}");
    }
    // Another question, another caller, other settings: another answer.
    assert_eq!(ask(&lists[0], &tags[1], &admin).status, 200);
    assert_eq!(ask("/api/v2/users?per_page=5", &tags[0], &admin).status, 200);
    let other = format!("Bearer {}", server.token(&Bearer::with(&["read:users", "read:clients"])));
    assert_eq!(ask("/api/v2/clients", &tags[4], &other).status, 200);
    assert_eq!(ask("/api/v2/clients", &tags[4], "Bearer a.b.c").status, 401);
    server.json("POST", "/dossier/v1/config/reload", "").expect(200);
    assert_eq!(ask(&lists[0], &tags[0], &admin).status, 200);
    // Any change of the tenant makes any list worth a look.
    let tags: Vec<String> = lists.iter().map(|list| tag_of(list)).collect();
    server.json("PATCH", "/api/v2/tenants/settings", r#"{"friendly_name":"x"}"#).expect(200);
    for (list, tag) in lists.iter().zip(&tags) {
        assert_eq!(ask(list, tag, &admin).status, 200, "{list}");
    }
}

#[test]
fn a_key_is_created_by_its_first_put_and_taking_away_what_is_not_there_is_no_change() {
    let server = Server::start();
    let jane = r#"{"email":"jane@example.com"}"#;
    let user = server.json("POST", "/api/v2/users", jane).expect(201).json();
    let client = server.json("POST", "/api/v2/clients", r#"{"name":"app"}"#).expect(201).json();
    let user = format!("/dossier/v1/users/{}", user["user_id"].as_str().unwrap());
    let client = format!("/dossier/v1/clients/{}", client["client_id"].as_str().unwrap());
    let version = || server.get("/api/v2/users").expect(200).number("dossier-version");
    for place in [
        format!("{user}/user_metadata/a%2Fb"),
        format!("{user}/app_metadata/k"),
        format!("{client}/client_metadata/k"),
    ] {
        let before = version();
        // There is no bag yet, then there is one without this key.
        server.json("DELETE", &place, "").expect(204);
        assert_eq!(version(), before, "{place}");
        let rehearsed = server.json("PUT", &format!("{place}?dry_run=true"), r#""x""#).expect(200);
        assert_eq!(rehearsed.json()["status"], 201);
        let made = server.json("PUT", &place, r#""x""#).expect(201);
        assert_eq!((made.number("etag"), made.text()), (before + 1, r#""x""#));
        server.json("PUT", &place, r#""y""#).expect(200);
        server.json("DELETE", &place, "").expect(204);
        assert_eq!(version(), before + 3, "{place}");
        let gone = server.json("DELETE", &place, "").expect(204);
        assert_eq!(gone.number("dossier-version"), before + 3);
        server.get(&place).expect(404);
        server.json("PUT", &place, r#""z""#).expect(201);
        // Only who asks that it be there is told that it is not.
        server.json("DELETE", &place, "").expect(204);
        let headers = [("Authorization", server.admin()), ("If-Match", "*")];
        server.request("DELETE", &place, &headers, None).expect(412);
    }
    server.json("DELETE", "/dossier/v1/users/auth0%7Cnobody/user_metadata/k", "").expect(404);
}
