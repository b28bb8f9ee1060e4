//! The log of requests, which test mode keeps.

use super::{Desk, desk_on};
use crate::harness::{Bearer, Server, Setup};
use serde_json::{Value, json};

const LOG: &str = "/dossier/v1/requests";

fn in_test_mode() -> Setup {
    Setup::default().set("test.enabled=true")
}

#[track_caller]
fn kept(server: &Server, query: &str) -> Vec<Value> {
    let told = server.get(&format!("{LOG}{query}")).expect(200).json();
    told["requests"].as_array().unwrap().clone()
}

/// Makes a user with a password, and another token than the tests'.
fn user(server: &Server, id: &str) {
    let body = format!(
        r#"{{"connection":"Username-Password-Authentication","user_id":"{id}","email":"{id}@example.com","password":"Correct-Horse-9","user_metadata":{{"n":1.0,"hobby":"sailing"}}}}"#
    );
    server.json("POST", "/api/v2/users", &body).expect(201);
}

#[test]
fn without_test_mode_nothing_is_kept_and_there_is_no_such_page() {
    let Some(desk) = desk_on(Server::start()) else { return };
    user(&desk.server, "jane");
    desk.server.get(LOG).expect(404);
    desk.server.json("DELETE", LOG, "").expect(404);
    desk.open("/ui/t/default");
    assert!(!desk.browser.has(".rail a[href$='/requests']"));
    desk.open("/ui/t/default/requests");
    assert!(desk.browser.text("h1").contains("No such page"));
}

#[test]
fn a_request_is_kept_with_what_went_both_ways() {
    let server = in_test_mode().start();
    user(&server, "jane");
    let patch =
        server.json("PATCH", "/api/v2/users/auth0%7Cjane", r#"{"user_metadata":{"e":1e3}}"#);
    let request_id = patch.expect(200).header("x-request-id").unwrap().to_owned();
    server.get("/api/v2/users/auth0%7Cnobody").expect(404);
    let all = kept(&server, "");
    let told: Vec<_> = all
        .iter()
        .map(|one| (one["method"].as_str().unwrap(), one["status"].as_u64().unwrap()))
        .collect();
    assert_eq!(told, [("GET", 404), ("PATCH", 200), ("POST", 201)]);
    let patch = &all[1];
    assert_eq!(patch["request_id"], request_id.as_str());
    assert_eq!(
        (&patch["path"], &patch["user_id"]),
        (&json!("/api/v2/users/auth0%7Cjane"), &json!("auth0|jane"))
    );
    assert!(
        patch["subject"].as_str().unwrap().ends_with("@clients")
            && patch["micros"].as_u64().unwrap() > 0,
        "{patch}"
    );
    assert_eq!(patch["request"], json!({"bytes": 27, "text": r#"{"user_metadata":{"e":1e3}}"#}));
    assert!(
        patch["response"]["text"]
            .as_str()
            .unwrap()
            .contains(r#""n":1.0,"hobby":"sailing","e":1e3"#),
        "{patch}"
    );
    assert_eq!(all[2]["user_id"], "auth0|jane", "of a user that was made");
    assert_eq!(all[0]["request"], json!({"bytes": 0}));
    assert_eq!(kept(&server, "?status=4xx").len(), 1);
    assert_eq!(kept(&server, "?method=patch&path=jane").len(), 1);
    let last = all[0]["id"].as_u64().unwrap();
    assert!(kept(&server, &format!("?after={last}")).is_empty());
    server.get(&format!("{LOG}?since=1")).expect(400);
    server.json("DELETE", LOG, "").expect(204);
    assert!(kept(&server, "").is_empty());
}

#[test]
fn no_secret_gets_into_the_log_of_requests() {
    let server = in_test_mode().start();
    user(&server, "jane");
    let token = server.admin().strip_prefix("Bearer ").unwrap().to_owned();
    let (id, secret) = server.admin_client();
    let body = json!({"grant_type": "client_credentials", "client_id": id, "client_secret": secret, "audience": format!("{}/api/v2/", server.url)});
    let given = server.json("POST", "/oauth/token", &body.to_string()).expect(200).json();
    let made = server.json("POST", "/api/v2/clients", r#"{"name":"shop"}"#).expect(201).json();
    let link = server.json("POST", "/dossier/v1/login-links", "{}").expect(201).json();
    let ticket = server
        .json("POST", "/api/v2/tickets/password-change", r#"{"user_id":"auth0|jane"}"#)
        .expect(201)
        .json();
    server.request("GET", &format!("/api/users?access_token={token}"), &[], None);
    let v2 = server
        .json("POST", "/dossier/v1/tokens/inspect", &json!({"token": token}).to_string())
        .expect(200);
    assert!(v2.text().contains("\"valid\":true"));
    // A secret that an unwary caller keeps where it does not belong.
    let patch = json!({"user_metadata": {"apiToken": "s3cr3t-1", "note": token}}).to_string();
    server.json("PATCH", "/api/v2/users/auth0%7Cjane", &patch).expect(200);
    let told = server.get(LOG).expect(200).text().to_owned();
    assert!(told.contains("sailing") && told.contains("jane@example.com"), "the rest is there");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let code = text(&link["url"]).split_once("once=").unwrap().1.to_owned();
    let ticket =
        text(&ticket["ticket"]).split_once("ticket=").unwrap().1.trim_end_matches('#').to_owned();
    let private = text(&made["signing_keys"][0]["key"]).lines().nth(1).unwrap().to_owned();
    for secret in [
        "Correct-Horse-9",
        "s3cr3t-1",
        &token,
        &secret,
        &text(&given["access_token"]),
        &text(&made["client_secret"]),
        &code,
        &ticket,
        &private,
    ] {
        assert!(!told.contains(secret), "{secret} in {told}");
    }
    let signature = token.rsplit_once('.').unwrap().1;
    assert!(!told.contains(signature) && !server.log().contains(signature));
}

#[test]
fn the_log_is_bounded_of_its_tenant_and_for_who_may_read_logs() {
    let server =
        in_test_mode().config("[[tenant]]\nid = \"acme\"\n").set("test.requests=3").start();
    for number in 0..5 {
        server.get(&format!("/api/v2/users?page={number}")).expect(200);
    }
    let port = server.address().rsplit_once(':').unwrap().1.to_owned();
    server
        .request("GET", "/api/v2/clients", &[("Host", &format!("acme.localhost:{port}"))], None)
        .expect(401);
    let queries: Vec<_> =
        kept(&server, "").iter().map(|one| one["query"].as_str().unwrap().to_owned()).collect();
    assert_eq!(queries, ["page=4", "page=3", "page=2"]);
    let narrow = format!("Bearer {}", server.token(&Bearer::with(&["read:users", "read:clients"])));
    server.request("GET", LOG, &[("Authorization", &narrow)], None).expect(403);
}

fn rows(desk: &Desk) -> Vec<String> {
    desk.browser.texts("[data-testid=requests] .told")
}

#[test]
fn the_page_follows_filters_and_shows_details() {
    let Some(desk) = desk_on(in_test_mode().start()) else { return };
    desk.server.json("DELETE", LOG, "").expect(204);
    desk.open("/ui/t/default");
    desk.browser.click(".rail a[href$='/requests']");
    desk.browser.until_text("[data-testid=requests]", "No requests yet");
    user(&desk.server, "jane");
    desk.browser.until_text("[data-testid=requests]", "POST /api/v2/users");
    desk.server.get("/api/v2/users/auth0%7Cnobody").expect(404);
    desk.browser
        .until("document.querySelectorAll('[data-testid=requests] [data-request]').length === 2");
    assert_eq!(rows(&desk), ["GET /api/v2/users/auth0%7Cnobody user", "POST /api/v2/users user"]);
    desk.browser.click("[data-status='201'] [data-testid=details]");
    desk.browser.until_text("[data-testid=live]", "paused");
    let opened = desk.browser.text("[data-status='201'] .opened");
    assert!(opened.contains("\"n\": 1.0") && opened.contains("\"password\": \"***\""), "{opened}");
    assert!(
        !desk
            .browser
            .run("return document.documentElement.outerHTML")
            .as_str()
            .unwrap()
            .contains("Correct-Horse")
    );
    desk.server.get("/api/v2/clients").expect(200);
    desk.browser.click("[data-testid=pause]");
    desk.browser.until_text("[data-testid=requests]", "GET /api/v2/clients");
    desk.browser.run("const select = document.querySelector('[data-testid=filter-status]'); select.value = '4xx'; select.dispatchEvent(new Event('change'))");
    desk.browser.until("location.search === '?status=4xx'");
    desk.ready();
    assert_eq!(rows(&desk), ["GET /api/v2/users/auth0%7Cnobody user"]);
    desk.browser.run("location.reload()");
    desk.ready();
    assert_eq!(rows(&desk).len(), 1);
    desk.browser.type_into("[data-testid=filter-path]", "/nowhere\u{e007}");
    desk.browser.until_text("[data-testid=requests]", "No request like this");
    desk.open("/ui/t/default/requests?method=POST");
    desk.browser.click("[data-user='auth0|jane']");
    desk.browser.until_text("h1", "jane@example.com");
    desk.quiet();
}
