//! Work on passwords is costly, so it is done for nobody who may not ask for it, and no tenant has
//! more than its share.

use crate::harness::house::{House, JSON, claims, everything};
use crate::harness::{Connection, Server, Setup};
use crate::overload::neighbour::Neighbour;
use actix_rt::System;
use dossier::journal::testing::SimDisk;
use serde_json::{Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const PASSWORD: &str = "Correct-Horse-9";
const CONNECTION: &str = "Username-Password-Authentication";

/// The body of a client whose users sign in with passwords.
const CLIENT: &str = r#"{"name":"app","grant_types":["password"]}"#;

fn user(name: &str) -> String {
    let email = format!("{name}@example.com");
    json!({"connection": CONNECTION, "email": email, "password": PASSWORD}).to_string()
}

fn sign_in(client: &Value, name: &str, password: &str) -> String {
    json!({
        "grant_type": "password",
        "username": format!("{name}@example.com"),
        "password": password,
        "client_id": client["client_id"],
        "client_secret": client["client_secret"],
    })
    .to_string()
}

#[test]
fn nothing_is_hashed_for_who_may_not_set_a_password() {
    System::new().block_on(async {
        let house = House::open(&SimDisk::new()).await;
        let (_, made) = house.send("POST", "/api/v2/users", &user("jane")).await;
        let (_, other) = house.send("POST", "/api/v2/users", &user("john")).await;
        let (jane, john) = (made["user_id"].as_str().unwrap(), other["user_id"].as_str().unwrap());
        let alone = json!({"password": PASSWORD}).to_string();
        let with_bag = json!({"password": PASSWORD, "user_metadata": {"a": 1}}).to_string();
        let with_app = json!({"password": PASSWORD, "app_metadata": {"a": 1}}).to_string();
        let target = format!("/api/v2/users/{jane}");
        let v1 = format!("/api/users/{jane}/password");
        let (new, of_v1) = (user("new"), user("newer"));
        let without = |scope: &str| -> Vec<&'static str> {
            everything().into_iter().filter(|name| *name != scope).collect()
        };
        for (method, target, body, scope) in [
            ("PATCH", target.as_str(), alone.as_str(), "update:users"),
            ("PATCH", &target, &with_bag, "update:users"),
            ("PATCH", &target, &with_app, "update:users"),
            ("PUT", &v1, &alone, "update:users"),
            ("POST", "/api/v2/users", &new, "create:users"),
            ("POST", "/api/users", &of_v1, "create:users"),
        ] {
            let ask = async |subject: Option<&str>, scopes: &[&str]| {
                let mut claims = claims(house.tenant(), scopes);
                if let Some(subject) = subject {
                    subject.clone_into(&mut claims.sub);
                    claims.gty = None;
                }
                let bearer = format!("Bearer {}", house.sign(house.tenant(), &claims));
                let headers = [("Authorization", bearer.as_str()), JSON];
                let before = house.services.hashing.done();
                let (status, told) = house.ask("localhost", method, target, &headers, body).await;
                (status, house.services.hashing.done() - before, told)
            };
            for subject in [None, Some(jane), Some(john)] {
                let (status, hashed, told) = ask(subject, &without(scope)).await;
                assert_eq!(
                    (status, hashed),
                    (403, 0),
                    "{method} {target} {body} {subject:?} {told}"
                );
            }
            let (status, hashed, told) = ask(None, &[scope]).await;
            assert!(
                status < 300 && hashed == 1,
                "{method} {target} {body} {status} {hashed} {told}"
            );
        }
    });
}

#[test]
fn when_too_many_passwords_wait_the_next_is_told_to_come_again() {
    System::new().block_on(async {
        let house = House::open(&SimDisk::new()).await;
        let (_, client) = house.send("POST", "/api/v2/clients", CLIENT).await;
        let (_, made) = house.send("POST", "/api/v2/users", &user("jane")).await;
        let target = format!("/api/v2/users/{}", made["user_id"].as_str().unwrap());
        let before = house.send("GET", &target, "").await;
        // Everybody who works is held up, and everybody who may wait does.
        let (end, ended) = std::sync::mpsc::channel::<()>();
        let ended = std::sync::Arc::new(std::sync::Mutex::new(ended));
        let mut flood = Vec::new();
        loop {
            let (ended, services) = (ended.clone(), house.services.clone());
            let uid = house.tenant().uid();
            let work = move || ended.lock().unwrap().recv().is_err();
            let one = actix_rt::spawn(async move { services.hashing.work(uid, work).await });
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            if one.is_finished() {
                assert!(one.await.unwrap().is_err());
                break;
            }
            flood.push(one);
            assert!(flood.len() < 1000, "nobody is refused");
        }
        let body = sign_in(&client, "jane", PASSWORD);
        let (status, headers, told) =
            house.hear("localhost", "POST", "/oauth/token", &[JSON], &body).await;
        assert_eq!((status, &told["error"]), (503, &json!("overloaded")), "{told}");
        assert_eq!(headers.get("retry-after").unwrap(), "1");
        let change = json!({"password": "Other-Horse-9"}).to_string();
        let (status, told) = house.send("PATCH", &target, &change).await;
        assert_eq!((status, &told["errorCode"]), (503, &json!("overloaded")), "{told}");
        assert_eq!(house.send("GET", &target, "").await, before);
        // Once they are done everything is as it was.
        drop(end);
        for one in flood {
            assert_eq!(one.await.unwrap(), Ok(true));
        }
        let (status, told) = house.ask("localhost", "POST", "/oauth/token", &[JSON], &body).await;
        assert_eq!(status, 200, "{told}");
    });
}

#[test]
fn a_flood_of_wrong_passwords_does_not_keep_another_tenant_from_signing_in() {
    let setup = Setup::default().set("auth.password_hash_threads=1").set("actor.reply_timeout=60s");
    let server = setup.start();
    let alpha = Neighbour::of(&server);
    let flooded = server.json("POST", "/api/v2/clients", CLIENT).expect(201).json();
    server.json("POST", "/api/v2/users", &user("jane")).expect(201);
    let make = |target: &str, body: &str| {
        server.request("POST", target, &alpha.headers(), Some(body.as_bytes())).expect(201).json()
    };
    let client = make("/api/v2/clients", CLIENT);
    make("/api/v2/users", &user("jane"));
    let (is_over, refused) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..60 {
            let body = sign_in(&flooded, "jane", "Wrong-Horse-9");
            let (server, is_over, refused) = (&server, &is_over, &refused);
            scope.spawn(move || flood(server, &body, is_over, refused));
        }
        let done = catch_unwind(AssertUnwindSafe(|| {
            crate::harness::until("the flood", || {
                (refused.load(Ordering::Acquire) > 20).then_some(())
            });
            let body = sign_in(&client, "jane", PASSWORD);
            let headers = [("Host", alpha.host.as_str()), JSON];
            let mut passed: Vec<usize> = (0..9)
                .map(|_| {
                    let before = refused.load(Ordering::Acquire);
                    let token =
                        server.request("POST", "/oauth/token", &headers, Some(body.as_bytes()));
                    token.expect(200);
                    refused.load(Ordering::Acquire) - before
                })
                .collect();
            passed.sort_unstable();
            assert!(passed[4] <= 5, "so many of the flood came before it: {passed:?}");
        }));
        is_over.store(true, Ordering::Release);
        done.unwrap_or_else(|failure| resume_unwind(failure));
    });
}

#[test]
fn a_flood_of_wrong_passwords_does_not_stand_before_the_tenants_own_writes() {
    let setup = Setup::default().set("auth.password_hash_threads=1").set("actor.reply_timeout=60s");
    let server = setup.start();
    let flooded = server.json("POST", "/api/v2/clients", CLIENT).expect(201).json();
    let made = server.json("POST", "/api/v2/users", &user("jane")).expect(201).json();
    let target = format!("/api/v2/users/{}", made["user_id"].as_str().unwrap());
    let (is_over, refused) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..120 {
            let body = sign_in(&flooded, "jane", "Wrong-Horse-9");
            let (server, is_over, refused) = (&server, &is_over, &refused);
            scope.spawn(move || flood(server, &body, is_over, refused));
        }
        let done = catch_unwind(AssertUnwindSafe(|| {
            crate::harness::until("the flood", || {
                (refused.load(Ordering::Acquire) > 20).then_some(())
            });
            let mut passed: Vec<usize> = (0..9)
                .map(|number| {
                    let before = refused.load(Ordering::Acquire);
                    let body = json!({"user_metadata": {"n": number}}).to_string();
                    server.json("PATCH", &target, &body).expect(200);
                    refused.load(Ordering::Acquire) - before
                })
                .collect();
            passed.sort_unstable();
            assert!(passed[4] <= 5, "so many of the flood came before it: {passed:?}");
        }));
        is_over.store(true, Ordering::Release);
        done.unwrap_or_else(|failure| resume_unwind(failure));
    });
}

/// Signs in with a wrong password again and again.
fn flood(server: &Server, body: &str, is_over: &AtomicBool, refused: &AtomicUsize) {
    let mut connection = Connection::open(server.address()).unwrap();
    while !is_over.load(Ordering::Acquire) {
        let answer = connection.send("POST", "/oauth/token", &[JSON], Some(body.as_bytes()));
        let answer = answer.unwrap();
        if answer.status == 503 {
            assert_eq!(answer.header("retry-after"), Some("1"), "{answer:?}");
        } else {
            assert_eq!(answer.status, 403, "{answer:?}");
            refused.fetch_add(1, Ordering::AcqRel);
        }
        if answer.header("connection") == Some("close") {
            connection = Connection::open(server.address()).unwrap();
        }
    }
}
