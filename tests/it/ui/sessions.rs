//! Sessions of the dashboard: what they outlive, and what ends them.

use super::access::{JSON, OWN, cookie};
use super::desk;
use crate::harness::house::{House, everything};
use crate::harness::{Bearer, Server};
use actix_rt::System;
use dossier::journal::testing::SimDisk;
use serde_json::json;
use std::path::Path;
use std::time::Duration;

/// The status with which users are shown for a cookie.
#[track_caller]
fn seen(server: &Server, cookie: &str) -> u16 {
    server.request("GET", "/api/v2/users", &[("Cookie", cookie)], None).status
}

/// The cookie of a session that was opened with a token.
#[track_caller]
fn by_token(server: &Server, token: &str) -> String {
    let body = json!({ "token": token }).to_string();
    let answer = server.request("POST", "/ui/session", &[OWN, JSON], Some(body.as_bytes()));
    let whole = answer.expect(200).header("set-cookie").unwrap().to_owned();
    whole.split(';').next().unwrap().to_owned()
}

/// Everything in the files of a folder.
fn bytes_below(folder: &Path, into: &mut Vec<u8>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            bytes_below(&path, into);
        } else {
            into.extend(std::fs::read(path).unwrap());
        }
    }
}

#[test]
fn ui_70_figures_survive_a_killed_server_without_a_login() {
    let Some(mut desk) = desk() else { return };
    desk.open("/ui/t/default");
    let tile = "[data-testid=tile-users] .figure";
    assert_eq!(desk.browser.text(tile), "0");
    desk.server.kill9();
    desk.browser.until_text("[data-testid=live]", "not reachable");
    desk.server.restart_here();
    desk.five_hundred();
    desk.browser.until_text(tile, "500");
    desk.browser.until_text("[data-testid=live]", "live");
    assert!(!desk.browser.has("#pass"), "nobody had to sign in again");
    // Not just the figures: whatever is opened next is let in as well.
    desk.browser.click(".rail a[href='/ui/t/default/users']");
    desk.browser.until("document.querySelectorAll('[data-row]').length === 20");
}

#[test]
fn who_signed_out_stays_out_after_a_restart() {
    let Some(mut desk) = desk() else { return };
    let (stays, _) = cookie(&desk.server, r#"{"role":"viewer"}"#);
    let (leaves, _) = cookie(&desk.server, r#"{"role":"viewer"}"#);
    let own = desk.browser.chrome("Network.getCookies", &json!({}))["cookies"][0].clone();
    let own = format!("{}={}", own["name"].as_str().unwrap(), own["value"].as_str().unwrap());
    assert_eq!(seen(&desk.server, &own), 200);
    desk.server.request("DELETE", "/ui/session", &[OWN, ("Cookie", &leaves)], None).expect(200);
    desk.browser.click("[data-testid=sign-out]");
    desk.browser.until_there("#pass");
    desk.server.restart_here();
    assert_eq!(seen(&desk.server, &stays), 200);
    assert_eq!(seen(&desk.server, &leaves), 401);
    assert_eq!(seen(&desk.server, &own), 401);
    desk.browser.go(&format!("{}/ui/t/default", desk.server.url));
    desk.browser.until_there("#pass");
}

#[test]
fn a_session_keeps_its_role_and_prefixes_through_a_restart() {
    let mut server = Server::start();
    let (pair, _) = cookie(&server, r#"{"role":"editor","prefixes":["crm_"],"name":"ada"}"#);
    let user = r#"{"connection":"Username-Password-Authentication","user_id":"jane","email":"j@example.com"}"#;
    server.json("POST", "/api/v2/users", user).expect(201);
    server.restart_here();
    let headers = [("Cookie", pair.as_str()), OWN, JSON];
    let patch = |body: &str| {
        let target = "/api/v2/users/auth0%7Cjane";
        server.request("PATCH", target, &headers, Some(body.as_bytes())).status
    };
    assert_eq!(patch(r#"{"user_metadata":{"crm_a":1}}"#), 200);
    assert_eq!(patch(r#"{"user_metadata":{"a":1}}"#), 403);
    assert_eq!(patch(r#"{"blocked":true}"#), 403);
    let who = server.request("GET", "/ui/session", &headers, None).expect(200).json();
    assert_eq!(
        (&who["session"]["subject"], &who["session"]["role"]),
        (&json!("ada"), &json!("editor"))
    );
    assert_eq!(
        server
            .request("PATCH", "/api/v2/users/auth0%7Cjane", &[("Cookie", &pair), JSON], Some(b"{}"))
            .status,
        403,
        "without the page's own header"
    );
}

#[test]
fn a_session_by_token_outlives_a_restart_but_not_its_client() {
    let mut server = Server::start();
    let made = server.json(
        "POST",
        "/api/v2/clients",
        r#"{"name":"Support","app_type":"non_interactive"}"#,
    );
    let client = made.expect(201).json()["client_id"].as_str().unwrap().to_owned();
    let bearer = Bearer { client: Some(client.clone()), ..Bearer::with(&["read:users"]) };
    let token = server.token(&bearer);
    let pair = by_token(&server, &token);
    server.restart_here();
    assert_eq!(seen(&server, &pair), 200);
    let (_, value) = pair.split_once('=').unwrap();
    let mut bytes = Vec::new();
    bytes_below(&server.data_dir(), &mut bytes);
    for secret in [value, token.as_str(), token.rsplit_once('.').unwrap().1] {
        assert!(memchr::memmem::find(&bytes, secret.as_bytes()).is_none(), "{secret} is on disk");
    }
    server.json("DELETE", &format!("/api/v2/clients/{client}"), "").expect(204);
    assert_eq!(seen(&server, &pair), 401);
    server.restart_here();
    assert_eq!(seen(&server, &pair), 401);
}

#[test]
fn without_the_key_it_stands_on_a_session_is_worth_nothing() {
    let mut server = Server::start();
    let (by_link, _) = cookie(&server, "{}");
    let by_token = by_token(&server, &server.token(&Bearer::with(&["read:users"])));
    server.json("POST", "/dossier/v1/keys/rotate", "").expect(200);
    assert_eq!((seen(&server, &by_link), seen(&server, &by_token)), (200, 200), "keys are kept");
    server.kill9();
    // What an operator does whose keys may have been seen.
    std::fs::remove_dir_all(server.data_dir().join("keys")).unwrap();
    server.restart_here();
    assert_eq!((seen(&server, &by_link), seen(&server, &by_token)), (401, 401));
}

/// Signs in to a house with a token; its cookie.
async fn enter(house: &House) -> String {
    let body = json!({ "token": house.token(house.tenant(), &everything()) }).to_string();
    let (status, headers, told) =
        house.hear("localhost", "POST", "/ui/session", &[OWN, JSON], &body).await;
    assert_eq!(status, 200, "{told}");
    headers.get("set-cookie").unwrap().to_str().unwrap().split(';').next().unwrap().to_owned()
}

async fn status(house: &House, cookie: &str) -> u16 {
    house.ask("localhost", "GET", "/api/v2/users", &[("Cookie", cookie)], "").await.0
}

#[test]
fn a_session_ends_in_its_time_and_setting_the_clock_back_does_not_help() {
    System::new().block_on(async {
        let house = House::open(&SimDisk::new()).await;
        let cookie = enter(&house).await;
        assert_eq!(status(&house, &cookie).await, 200);
        house.clocks.pass(Duration::from_mins(61));
        assert_eq!(status(&house, &cookie).await, 401, "its token lasted an hour");
        house.clocks.set(-7200);
        assert_eq!(status(&house, &cookie).await, 401);
    });
}

#[test]
fn while_nothing_can_be_written_one_can_still_sign_in_and_out() {
    System::new().block_on(async {
        let disk = SimDisk::new();
        let house = House::open(&disk).await;
        let kept = enter(&house).await;
        disk.set_capacity(Some(disk.used_bytes()));
        let fill = "x".repeat(600);
        let mut refused = 201;
        for number in 0..1_000_000 {
            let user =
                format!(r#"{{"email":"a{number}@example.com","user_metadata":{{"a":"{fill}"}}}}"#);
            refused = house.send("POST", "/api/v2/users", &user).await.0;
            if refused != 201 {
                break;
            }
        }
        assert_eq!(refused, 507);
        let fleeting = enter(&house).await;
        assert_eq!((status(&house, &kept).await, status(&house, &fleeting).await), (200, 200));
        let out = async |cookie: &str| {
            house.ask("localhost", "DELETE", "/ui/session", &[OWN, ("Cookie", cookie)], "").await.0
        };
        assert_eq!(out(&fleeting).await, 200);
        assert_eq!(status(&house, &fleeting).await, 401);
        // One that a restart would bring back is not said to be over.
        assert_eq!(out(&kept).await, 507);
        disk.set_capacity(None);
        while out(&kept).await != 200 {
            actix_rt::task::yield_now().await;
        }
        assert_eq!(status(&house, &kept).await, 401);
        let house = house.reopened(&disk, false).await;
        assert_eq!((status(&house, &kept).await, status(&house, &fleeting).await), (401, 401));
    });
}

#[test]
fn a_session_that_ends_in_the_midst_of_an_edit_says_so_and_loses_nothing() {
    let Some(desk) = desk() else { return };
    desk.on_jane(r#"{"hobby":"surfing"}"#, "{}");
    desk.edit("user_metadata", r#"{"hobby":"sailing"}"#);
    desk.browser.until("Object.keys(localStorage).some((key) => key.startsWith('dossier.draft:'))");
    desk.browser.click(super::REVIEW);
    desk.browser.until_there(super::SAVE);
    desk.browser.chrome("Network.clearBrowserCookies", &serde_json::json!({}));
    desk.browser.click(super::SAVE);
    desk.browser.until_text("[data-testid=ended]", "Your session has ended");
    let told = desk.browser.text("[data-testid=ended]");
    assert!(told.contains("kept in this browser as a draft"), "{told}");
    // A link that is pasted leads back to where one was.
    let link = desk.server.json("POST", "/dossier/v1/login-links", "{}").expect(201).json();
    desk.browser.type_into("#pass", link["url"].as_str().unwrap());
    desk.browser.press(&[super::browser::key::ENTER]);
    desk.browser.until_there(super::EDITOR);
    desk.browser.until_text("main", "Restore draft");
    // Who signed out was not thrown out.
    desk.browser.click("[data-testid=sign-out]");
    desk.browser.until_there("#pass");
    assert!(!desk.browser.has("[data-testid=ended]"));
}
