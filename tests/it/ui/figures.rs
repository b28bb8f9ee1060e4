//! The figures of the overview: measured, of whom they say, and nothing that is not measured.

use super::{desk, desk_on};
use crate::harness::house::House;
use crate::harness::{Server, Setup, until};
use actix_rt::System;
use dossier::domain::command::Command;
use dossier::domain::resource::ResourceKind;
use dossier::journal::testing::SimDisk;
use dossier::tenant::{by_server, server_provenance};
use futures_util::FutureExt;
use serde_json::{Value, json};

fn sum(list: &Value) -> u64 {
    list.as_array().unwrap().iter().map(|number| number.as_u64().unwrap()).sum()
}

#[track_caller]
fn overview(server: &Server) -> Value {
    server.get("/dossier/v1/overview").expect(200).json()
}

/// Makes so many users, reads each of them once, and leaves nothing else to count.
fn work(server: &Server, users: u64) {
    for number in 0..users {
        let body = format!(
            r#"{{"connection":"Username-Password-Authentication","user_id":"w{number}","email":"w{number}@example.com"}}"#
        );
        server.json("POST", "/api/v2/users", &body).expect(201);
        server.get(&format!("/api/v2/users/auth0%7Cw{number}")).expect(200);
    }
}

#[test]
fn requests_are_counted_once_and_those_of_the_figures_are_not() {
    let server = Server::start();
    let before = overview(&server);
    assert_eq!(
        (&before["minute"]["p50_micros"], &before["minute"]["p99_micros"]),
        (&Value::Null, &Value::Null)
    );
    work(&server, 7);
    let told = until("the second to be over", || {
        let told = overview(&server);
        (sum(&told["minute"]["reads"]) + sum(&told["minute"]["writes"]) >= 14).then_some(told)
    });
    for of in [&told["minute"], &told["server"]["minute"]] {
        assert_eq!((sum(&of["reads"]), sum(&of["writes"])), (7, 7), "{of}");
        assert_eq!(of["reads"].as_array().unwrap().len(), 60);
        let (half, nearly) =
            (of["p50_micros"].as_u64().unwrap(), of["p99_micros"].as_u64().unwrap());
        assert!(0 < half && half <= nearly, "{of}");
    }
    assert_eq!(told["mailbox"], json!({"waiting": 0, "capacity": 8192}));
    assert_eq!((&told["server"]["tenants"], &told["server"]["users"]), (&json!(1), &json!(7)));
    for size in [
        &told["journal"]["size_bytes"],
        &told["history"]["size_bytes"],
        &told["server"]["memory_bytes"],
    ] {
        assert!(size.as_u64().unwrap() > 0, "{told}");
    }
    assert_eq!(
        told["snapshots"]["newest"]["milliseconds"],
        Value::Null,
        "none was taken yet: {told}"
    );
}

#[test]
fn a_tenant_is_told_of_itself_and_nothing_of_the_server() {
    let server = Setup::default().config("[[tenant]]\nid = \"acme\"\n").start();
    work(&server, 3);
    let link =
        server.json("POST", "/dossier/v1/login-links", r#"{"tenant":"acme","role":"viewer"}"#);
    let url = link.expect(201).json()["url"].as_str().unwrap().to_owned();
    let (base, code) = url.split_once("/ui/login?once=").unwrap();
    let host = base.strip_prefix("http://").unwrap();
    let headers = [("Host", host), ("x-dossier-ui", "1"), ("Content-Type", "application/json")];
    let body = json!({ "once": code }).to_string();
    let entered =
        server.request("POST", "/ui/session", &headers, Some(body.as_bytes())).expect(200);
    let cookie = entered.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let headers = [("Host", host), ("Cookie", cookie.as_str())];
    let told = until("its own sign-in in the figures", || {
        let told = server.request("GET", "/dossier/v1/overview", &headers, None).expect(200).json();
        (sum(&told["minute"]["writes"]) > 0).then_some(told)
    });
    assert_eq!((sum(&told["minute"]["reads"]), sum(&told["minute"]["writes"])), (0, 1), "{told}");
    assert!(told.get("server").is_none(), "{told}");
    assert_eq!((&told["users"], &told["snapshots"]["newest"]), (&json!(0), &Value::Null));
}

#[test]
fn what_waits_in_the_mailbox_is_counted_until_its_turn() {
    System::new().block_on(async {
        let house = House::open(&SimDisk::new()).await;
        let tenant = house.tenant();
        let (_, capacity) = tenant.mailbox();
        let nothing = || {
            let command =
                Command::DeleteResource { kind: ResourceKind::Job, id: "none".to_owned() };
            tenant.write(by_server(command), server_provenance(), crate::harness::house::NOW)
        };
        let mut writes: Vec<_> = (0..5).map(|_| Box::pin(nothing())).collect();
        for write in &mut writes {
            assert!(write.now_or_never().is_none());
        }
        assert_eq!(tenant.mailbox(), (5, capacity));
        for write in writes {
            write.await.unwrap();
        }
        assert_eq!(tenant.mailbox(), (0, capacity));
    });
}

#[test]
fn ui_70_the_overview_shows_what_was_measured() {
    let server = Setup::default().config("[[tenant]]\nid = \"acme\"\n").start();
    let Some(desk) = desk_on(server) else { return };
    desk.open("/ui/t/default");
    assert_eq!(
        desk.browser.text("[data-testid=tile-version] .figure"),
        desk.server.get("/dossier/v1/overview").json()["version"].to_string()
    );
    work(&desk.server, 5);
    desk.browser.until_text("[data-testid=tile-users] .figure", "5");
    desk.browser.until("/^[0-9.]+ (ms|s)$/.test(document.querySelector('[data-testid=tile-p99] .figure').textContent)");
    desk.browser.until("document.querySelector('[data-testid=tile-p99] .small:last-child').textContent.startsWith('p50 ')");
    assert_eq!(desk.browser.run("return document.querySelector('[data-testid=tile-reads] polyline').getAttribute('points').split(' ').length"), 60);
    assert!(
        desk.browser.has("[data-testid=tile-all-reads]"),
        "with two tenants the operator sees all of them"
    );
    assert!(desk.browser.text("[data-testid=mailbox] dd").contains("/ 8\u{2009}192"));
    for place in ["memory", "journal-size", "history-size"] {
        let shown = desk.browser.text(&format!("[data-testid={place}] dd"));
        assert!(shown.contains("iB"), "{place}: {shown}");
    }
    desk.browser.click("[data-testid=take-snapshot]");
    desk.browser.until_text("[data-testid=snapshot-result]", "verified");
    desk.browser.until_text("[data-testid=snapshot-at]", "just now");
    desk.browser.until_text("[data-testid=changes-since]", "0 changes");
    desk.browser.click("[data-testid=all-snapshots]");
    desk.browser.until_there("[data-testid=snapshots] tbody tr");
    desk.quiet();
}

#[test]
fn the_newest_snapshot_is_known_after_a_restart() {
    let Some(mut desk) = desk() else { return };
    work(&desk.server, 2);
    desk.server.json("POST", "/dossier/v1/snapshots", "").expect(200);
    let before = overview(&desk.server)["snapshots"]["newest"].clone();
    assert!(before["milliseconds"].is_u64(), "{before}");
    desk.server.restart_here();
    let after = overview(&desk.server)["snapshots"]["newest"].clone();
    assert_eq!(after["milliseconds"], Value::Null, "how long it took nobody knows any more");
    for key in ["file", "version", "at", "users", "bytes"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    desk.open("/ui/t/default");
    desk.browser.until_text("#h-snapshots", "Snapshot");
}
