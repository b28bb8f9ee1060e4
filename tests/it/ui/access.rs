//! Who gets in, with what, and how far.

use super::browser::{Browser, key};
use super::{JANE, REVIEW, SAVE, desk};
use crate::harness::{Bearer, Server};
use serde_json::json;

pub(super) const OWN: (&str, &str) = ("x-dossier-ui", "1");
pub(super) const JSON: (&str, &str) = ("Content-Type", "application/json");

/// A session's cookie, `name=value`, and the header that set it.
pub(super) fn cookie(server: &Server, wanted: &str) -> (String, String) {
    let link = server.json("POST", "/dossier/v1/login-links", wanted).expect(201).json();
    let (_, code) = link["url"].as_str().unwrap().split_once("once=").unwrap();
    let body = json!({ "once": code }).to_string();
    let answer =
        server.request("POST", "/ui/session", &[OWN, JSON], Some(body.as_bytes())).expect(200);
    let whole = answer.header("set-cookie").unwrap().to_owned();
    (whole.split(';').next().unwrap().to_owned(), whole)
}

fn jane(server: &Server) {
    server.json("POST", "/api/v2/users", r#"{"connection":"Username-Password-Authentication","user_id":"jane","email":"j@example.com"}"#).expect(201);
}

#[test]
fn ui_55_the_cookie_cannot_be_read_by_pages_or_sent_from_elsewhere() {
    let server = Server::start();
    let (pair, whole) = cookie(&server, "{}");
    assert!(
        whole.contains("; HttpOnly")
            && whole.contains("; SameSite=Strict")
            && whole.contains("; Path=/"),
        "{whole}"
    );
    let as_cookie = ("Cookie", pair.as_str());
    assert_eq!(server.request("GET", "/api/v2/users", &[as_cookie], None).status, 200);
    let make = br#"{"connection":"Username-Password-Authentication","email":"x@example.com"}"#;
    let post = |headers: &[(&str, &str)]| {
        server.request("POST", "/api/v2/users", headers, Some(make)).status
    };
    assert_eq!(post(&[as_cookie, JSON]), 403, "without the header");
    assert_eq!(
        post(&[as_cookie, JSON, OWN, ("Origin", "http://evil.example")]),
        403,
        "from another origin"
    );
    assert_eq!(
        post(&[as_cookie, JSON, OWN, ("Sec-Fetch-Site", "same-site")]),
        403,
        "from another port"
    );
    let own = server.url.clone();
    assert_eq!(post(&[as_cookie, JSON, OWN, ("Origin", &own)]), 201);
    assert_eq!(server.request("DELETE", "/ui/session", &[as_cookie], None).status, 403);
    server.request("DELETE", "/ui/session", &[as_cookie, OWN], None).expect(200);
    assert_eq!(server.request("GET", "/api/v2/users", &[as_cookie], None).status, 401);
}

#[test]
fn a_link_works_once_and_leaves_no_trace() {
    let Some(browser) = Browser::open() else { return };
    let server = Server::start();
    let link = server.json("POST", "/dossier/v1/login-links", "{}").expect(201).json();
    let url = link["url"].as_str().unwrap().to_owned();
    let (_, code) = url.split_once("once=").unwrap();
    browser.go(&url);
    browser.until_there(".rail");
    assert!(!browser.run("return location.href + document.documentElement.outerHTML + JSON.stringify(Object.entries(localStorage))").as_str().unwrap().contains(code));
    assert_eq!(browser.run("return document.cookie"), "", "no page reads the cookie");
    assert!(!server.log().contains(code));
    browser.click("[data-testid=sign-out]");
    browser.until_there("#pass");
    browser.go(&url);
    browser.until_text("[data-testid=failure]", "used already");
}

#[test]
fn a_token_signs_in_for_what_it_allows() {
    let Some(browser) = Browser::open() else { return };
    let server = Server::start();
    jane(&server);
    let token = server.token(&Bearer::with(&["read:users"]));
    browser.go(&format!("{}{JANE}", server.url));
    browser.until_there("#pass");
    browser.type_into("#pass", &token);
    browser.press(&[key::ENTER]);
    browser.until_there("[data-testid=user-id]");
    assert!(
        !browser.has(REVIEW) && !browser.has("[data-testid=block]"),
        "nothing to change without a scope"
    );
    let everything = browser.run("return JSON.stringify([Object.entries(localStorage), Object.entries(sessionStorage), document.documentElement.outerHTML])");
    assert!(!everything.as_str().unwrap().contains(&token));
    assert!(!server.log().contains(&token));
}

#[test]
fn a_viewer_sees_and_changes_nothing() {
    let server = Server::start();
    jane(&server);
    let (pair, _) = cookie(&server, r#"{"role":"viewer"}"#);
    let headers = [("Cookie", pair.as_str()), OWN, JSON];
    assert_eq!(server.request("GET", "/api/v2/users/auth0%7Cjane", &headers, None).status, 200);
    let patch = br#"{"user_metadata":{"a":1}}"#;
    assert_eq!(
        server.request("PATCH", "/api/v2/users/auth0%7Cjane", &headers, Some(patch)).status,
        403
    );
    assert_eq!(server.request("GET", "/dossier/v1/config", &headers, None).status, 403);
}

#[test]
fn an_editor_changes_metadata_within_the_prefixes_and_nothing_else() {
    let server = Server::start();
    jane(&server);
    let (pair, _) = cookie(&server, r#"{"role":"editor","prefixes":["crm_"],"name":"ada"}"#);
    let headers = [("Cookie", pair.as_str()), OWN, JSON];
    let patch = |body: &str| {
        server
            .request("PATCH", "/api/v2/users/auth0%7Cjane", &headers, Some(body.as_bytes()))
            .status
    };
    assert_eq!(patch(r#"{"user_metadata":{"crm_a":1},"app_metadata":{"crm_b":2}}"#), 200);
    assert_eq!(patch(r#"{"user_metadata":{"a":1}}"#), 403);
    assert_eq!(patch(r#"{"user_metadata":{}}"#), 403);
    assert_eq!(patch(r#"{"blocked":true}"#), 403);
    assert_eq!(patch(r#"{"email":"evil@example.com"}"#), 403);
    let other = |method: &str, target: &str, body: &str| {
        server.request(method, target, &headers, Some(body.as_bytes())).status
    };
    assert_eq!(other("DELETE", "/api/v2/users/auth0%7Cjane", ""), 403);
    assert_eq!(
        other(
            "POST",
            "/api/v2/users/auth0%7Cjane/identities",
            r#"{"provider":"auth0","user_id":"x"}"#
        ),
        403
    );
    assert_eq!(other("PUT", "/api/user/auth0%7Cjane/metadata/crm_x", r#"{"value":"1"}"#), 200);
    assert_eq!(other("PUT", "/api/user/auth0%7Cjane/metadata/x", r#"{"value":"1"}"#), 403);
    assert_eq!(other("PUT", "/api/user/auth0%7Cjane/metadata", r#"{"metadata":[]}"#), 403);
    assert_eq!(
        other("PUT", "/api/users/auth0%7Cjane/metadata", r#"{"a":1}"#),
        403,
        "not through an older dialect"
    );
}

#[test]
fn the_page_tells_an_editor_which_keys_are_theirs() {
    let Some(desk) = desk() else { return };
    desk.jane("{}", "{}");
    desk.browser.click("[data-testid=sign-out]");
    desk.browser.until_there("#pass");
    desk.sign_in(r#"{"role":"editor","prefixes":["crm_"]}"#);
    desk.open(JANE);
    assert!(!desk.browser.has("[data-testid=block]") && !desk.browser.has("[data-testid=delete]"));
    desk.edit("user_metadata", r#"{"x":1}"#);
    assert!(
        desk.browser
            .text("[data-testid=errors-user_metadata]")
            .contains("you may change keys that begin with crm_, not x")
    );
    desk.edit("user_metadata", r#"{"crm_x":1}"#);
    desk.browser.click(REVIEW);
    desk.browser.click(SAVE);
    desk.browser.until_text("[data-testid=toast]", "Saved version");
}

#[test]
fn a_session_is_of_one_tenant() {
    let server = Server::start();
    server.json("POST", "/dossier/v1/tenants", r#"{"id":"acme"}"#).expect(201);
    let (pair, _) = cookie(&server, "{}");
    let port = server.address().rsplit_once(':').unwrap().1.to_owned();
    let host = format!("acme.localhost:{port}");
    let headers = [("Cookie", pair.as_str()), ("Host", host.as_str())];
    assert_eq!(server.request("GET", "/api/v2/users", &headers, None).status, 401);
    let link =
        server.json("POST", "/dossier/v1/login-links", r#"{"tenant":"acme"}"#).expect(201).json();
    assert!(
        link["url"].as_str().unwrap().starts_with(&format!("http://{host}/ui/login?once=")),
        "{link}"
    );
    assert_eq!(server.json("POST", "/dossier/v1/login-links", r#"{"tenant":"nope"}"#).status, 404);
}

#[test]
fn only_an_operator_makes_links() {
    let server = Server::start();
    let token = format!("Bearer {}", server.token(&Bearer::with(&["read:users", "update:users"])));
    let headers = [("Authorization", token.as_str()), JSON];
    assert_eq!(
        server.request("POST", "/dossier/v1/login-links", &headers, Some(b"{}")).status,
        403
    );
    for bad in [
        r#"{"role":"root"}"#,
        r#"{"ttl":5}"#,
        r#"{"role":"viewer","prefixes":["a"]}"#,
        r#"{"x":1}"#,
    ] {
        assert_eq!(server.json("POST", "/dossier/v1/login-links", bad).status, 400, "{bad}");
    }
}

#[test]
fn the_command_line_prints_a_link() {
    let server = Server::start();
    let printed = std::process::Command::new(crate::harness::program())
        .args(["login-link", "--role", "editor", "--prefix", "crm_", "--ttl", "2m", "--as", "ada"])
        .args(["--url", &server.url, "--data-dir"])
        .arg(server.data_dir())
        .output()
        .unwrap();
    let link = String::from_utf8(printed.stdout).unwrap();
    let (base, code) = link.trim().split_once("/ui/login?once=").unwrap();
    assert_eq!(base, server.url);
    let body = json!({ "once": code }).to_string();
    let answer = server
        .request("POST", "/ui/session", &[OWN, JSON], Some(body.as_bytes()))
        .expect(200)
        .json();
    let session = &answer["session"];
    assert_eq!(
        (&session["subject"], &session["role"], &session["prefixes"]),
        (&json!("ada"), &json!("editor"), &json!(["crm_"]))
    );
}

#[test]
fn an_editor_puts_back_metadata_within_the_prefixes_and_nothing_else() {
    let server = Server::start();
    let target = "/api/v2/users/auth0%7Cjane";
    let made = server.json("POST", "/api/v2/users", r#"{"connection":"Username-Password-Authentication","user_id":"jane","email":"j@example.com","name":"Jane","user_metadata":{"crm_a":1,"b":1}}"#).expect(201);
    let version = made.number("etag");
    let changed = r#"{"name":"Joan","user_metadata":{"crm_a":2,"b":2}}"#;
    server.json("PATCH", target, changed).expect(200);
    let (pair, _) = cookie(&server, r#"{"role":"editor","prefixes":["crm_"]}"#);
    let headers = [("Cookie", pair.as_str()), OWN, JSON];
    let revert = |only: &str| {
        let body = format!(r#"{{"to":{version}{only}}}"#);
        let path = "/dossier/v1/users/auth0%7Cjane/revert";
        server.request("POST", path, &headers, Some(body.as_bytes())).status
    };
    assert_eq!(revert(""), 403, "a whole user");
    assert_eq!(revert(r#","only":["name"]"#), 403, "an attribute");
    assert_eq!(revert(r#","only":["user_metadata"]"#), 403, "every key");
    assert_eq!(revert(r#","only":["user_metadata.crm_a","user_metadata.b"]"#), 403, "another key");
    assert_eq!(revert(r#","only":["user_metadata.crm_a"]"#), 200);
    let profile = server.get(target).json();
    assert_eq!(profile["user_metadata"], json!({"crm_a": 1, "b": 2}));
    assert_eq!(profile["name"], "Joan");
    let (viewer, _) = cookie(&server, r#"{"role":"viewer"}"#);
    let headers = [("Cookie", viewer.as_str()), OWN, JSON];
    let body = format!(r#"{{"to":{version}}}"#);
    let path = "/dossier/v1/users/auth0%7Cjane/revert";
    assert_eq!(server.request("POST", path, &headers, Some(body.as_bytes())).status, 403);
    for path in ["/dossier/v1/users/auth0%7Cjane/history", "/dossier/v1/history"] {
        assert_eq!(server.request("GET", path, &headers, None).status, 200, "{path}");
    }
}

#[test]
fn ui_55_with_tls_the_cookie_is_bound_to_the_host_and_secure() {
    let Some(browser) = Browser::open() else { return };
    let server = Server::start();
    let link = server.json("POST", "/dossier/v1/login-links", "{}").expect(201).json();
    let (_, code) = link["url"].as_str().unwrap().split_once("once=").unwrap();
    browser.go(&format!("{}/ui/login?once={code}", server.https));
    browser.until_there(".rail");
    let cookies = browser.chrome("Network.getCookies", &json!({}));
    let [cookie] = cookies["cookies"].as_array().unwrap().as_slice() else {
        panic!("one cookie: {cookies}");
    };
    assert_eq!(cookie["name"], "__Host-dossier");
    assert_eq!(
        (&cookie["secure"], &cookie["httpOnly"], &cookie["sameSite"], &cookie["path"]),
        (&json!(true), &json!(true), &json!("Strict"), &json!("/"))
    );
    assert!(!cookie["domain"].as_str().unwrap().starts_with('.'), "{cookie}");
}
