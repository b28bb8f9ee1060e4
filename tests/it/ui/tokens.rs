//! Tokens for who tries things out, and the way to another tenant's dashboard.

use super::access::{JSON, OWN, cookie};
use super::desk;
use crate::harness::{Bearer, Response, Server};
use serde_json::{Value, json};

/// A machine that was granted these scopes of the management API.
#[track_caller]
fn machine(server: &Server, scopes: &[&str]) -> String {
    let made = server.json(
        "POST",
        "/api/v2/clients",
        r#"{"name":"Support","app_type":"non_interactive"}"#,
    );
    let id = made.expect(201).json()["client_id"].as_str().unwrap().to_owned();
    let grant =
        json!({"client_id": id, "audience": format!("{}/api/v2/", server.url), "scope": scopes});
    server.json("POST", "/api/v2/client-grants", &grant.to_string()).expect(201);
    id
}

fn with(server: &Server, token: &str, method: &str, target: &str, body: &str) -> Response {
    let bearer = format!("Bearer {token}");
    server.request(method, target, &[("Authorization", &bearer), JSON], Some(body.as_bytes()))
}

#[test]
fn a_token_is_made_copied_once_and_does_what_was_chosen() {
    let Some(desk) = desk() else { return };
    let id = machine(&desk.server, &["read:users", "delete:users", "read:clients"]);
    desk.open("/ui/t/default");
    desk.browser.click(".rail a[href$='/tokens']");
    desk.browser.until_there("[data-testid=make-token]");
    desk.browser.run_with("const select = document.querySelector('[data-testid=token-client]'); select.value = arguments[0]; select.dispatchEvent(new Event('change'))", &json!([id]));
    assert_eq!(
        desk.browser.texts("[data-testid=token-scopes] label"),
        ["read:users", "delete:users", "read:clients"]
    );
    // What only reads is chosen to begin with.
    desk.browser.click("[data-testid=token-scopes] [value='read:clients']");
    desk.browser.run("navigator.clipboard.writeText = async (text) => { window.copied = text }");
    desk.browser.click("[data-testid=make-token]");
    desk.browser.until_text("[data-testid=token-made]", "10 min, 1 scope");
    let page = "return JSON.stringify([document.documentElement.outerHTML, Object.entries(localStorage), Object.entries(sessionStorage)])";
    assert!(!desk.browser.run(page).as_str().unwrap().contains("eyJ"), "it is nowhere to be seen");
    desk.browser.click("[data-testid=copy-token]");
    desk.browser.until("window.copied?.startsWith('eyJ')");
    desk.browser.until("document.querySelector('[data-testid=copy-token]').disabled");
    let token = desk.browser.run("return window.copied").as_str().unwrap().to_owned();
    assert!(!desk.browser.run(page).as_str().unwrap().contains("eyJ"));
    assert!(!desk.server.log().contains(&token));
    assert_eq!(with(&desk.server, &token, "GET", "/api/v2/users", "").status, 200);
    assert_eq!(with(&desk.server, &token, "GET", "/api/v2/clients", "").status, 403, "not chosen");
    assert_eq!(with(&desk.server, &token, "DELETE", "/api/v2/users/auth0%7Cx", "").status, 403);
    let told = inspect(&desk.server, &token);
    assert_eq!(told["claims"]["sub"], format!("{id}@clients").as_str());
    assert_eq!(
        told["claims"]["exp"].as_i64().unwrap() - told["claims"]["iat"].as_i64().unwrap(),
        600
    );
    desk.quiet();
}

#[test]
fn a_token_allows_no_more_than_its_client_or_its_maker() {
    let server = Server::start();
    let id = machine(&server, &["read:users", "update:users"]);
    let maker = server.token(&Bearer::with(&["read:client_keys", "read:users"]));
    let mint = |maker: &str, body: &Value| {
        with(&server, maker, "POST", "/dossier/v1/tokens", &body.to_string())
    };
    let made = mint(&maker, &json!({"client_id": id})).expect(201).json();
    assert_eq!((&made["scope"], &made["expires_in"]), (&json!("read:users"), &json!(600)));
    let beyond_maker =
        mint(&maker, &json!({"client_id": id, "scopes": ["update:users"]})).expect(400);
    assert!(beyond_maker.text().contains("update:users"), "{}", beyond_maker.text());
    let admin = server.admin().strip_prefix("Bearer ").unwrap();
    mint(admin, &json!({"client_id": id, "scopes": ["delete:users"]})).expect(400);
    mint(admin, &json!({"client_id": id, "scopes": ["update:users"]})).expect(201);
    mint(admin, &json!({"client_id": "nobody"})).expect(404);
    mint(admin, &json!({"client_id": id, "ttl": 3601})).expect(400);
    let plain = server.json("POST", "/api/v2/clients", r#"{"name":"plain"}"#).expect(201).json();
    mint(admin, &json!({"client_id": plain["client_id"]})).expect(403);
    mint(&server.token(&Bearer::with(&["read:users", "read:clients"])), &json!({"client_id": id}))
        .expect(403);
    let (viewer, _) = cookie(&server, r#"{"role":"viewer"}"#);
    let (editor, _) = cookie(&server, r#"{"role":"editor"}"#);
    for cookie in [viewer, editor] {
        let body = json!({ "client_id": id }).to_string();
        let headers = [("Cookie", cookie.as_str()), OWN, JSON];
        let answer = server.request("POST", "/dossier/v1/tokens", &headers, Some(body.as_bytes()));
        assert_eq!(answer.status, 403);
    }
}

#[track_caller]
fn inspect(server: &Server, token: &str) -> Value {
    let body = json!({ "token": token }).to_string();
    server.json("POST", "/dossier/v1/tokens/inspect", &body).expect(200).json()
}

#[test]
fn a_token_is_taken_apart_and_what_is_wrong_is_said() {
    let Some(desk) = desk() else { return };
    let server = &desk.server;
    let good = server.token(&Bearer::with(&["read:users", "fly:rockets"]));
    let told = inspect(server, &good);
    assert_eq!(
        (&told["valid"], &told["header"]["alg"], &told["unknown_scopes"]),
        (&json!(true), &json!("RS256"), &json!(["fly:rockets"]))
    );
    let check = |token: &str, reason: &str| {
        let told = inspect(server, token);
        assert_eq!(told["valid"], false);
        assert!(told["reason"].as_str().unwrap().contains(reason), "{told}");
    };
    let bearer = || Bearer::with(&["read:users"]);
    let expired = server.token(&Bearer { ends_in_s: Some(-120), ..bearer() });
    check(&expired, "has expired");
    check(
        &server.token(&Bearer { audience: Some("urn:other".to_owned()), ..bearer() }),
        "another audience",
    );
    check(
        &server.token(&Bearer { issuer: Some("http://evil/".to_owned()), ..bearer() }),
        "somebody else",
    );
    check(&format!("{good}x"), "not signed");
    check("x.y", "three parts");
    assert_eq!(inspect(server, "x")["claims"], Value::Null);
    desk.open("/ui/t/default/tokens");
    for (token, said, claim) in [
        (&good, "valid here", "fly:rockets"),
        (&expired, "not valid here the token has expired", "read:users"),
    ] {
        desk.browser.run("document.querySelector('[data-testid=inspect-token]').value = ''");
        desk.browser.type_into("[data-testid=inspect-token]", token);
        desk.browser.click("[data-testid=inspect]");
        desk.browser.until_text("[data-testid=inspected]", said);
        desk.browser.until_text("[data-testid=inspected] [aria-label=Claims]", claim);
    }
    assert!(!server.log().contains(&good));
    desk.quiet();
}

#[test]
fn the_operator_goes_over_to_another_tenant_and_nobody_else_does() {
    let Some(desk) = desk() else { return };
    desk.server.json("POST", "/dossier/v1/tenants", r#"{"id":"acme"}"#).expect(201);
    desk.open("/ui/t/default");
    desk.browser.click("[data-testid=tenant-switch] summary");
    desk.browser.until_there("[data-tenant=acme]");
    assert!(!desk.browser.has("[data-tenant=default]"));
    desk.browser.click("[data-tenant=acme]");
    desk.browser
        .until("location.hostname === 'acme.localhost' && location.pathname === '/ui/t/acme'");
    desk.browser.until_text("h1", "acme");
    assert!(!desk.browser.has("[data-testid=tenant-switch]"), "a tenant knows of no other");
    assert!(
        !desk
            .browser
            .run("return location.href + history.length")
            .as_str()
            .unwrap()
            .contains("once=")
    );
    desk.open("/ui/t/default");
    assert!(desk.browser.has("[data-testid=tenant-switch]"), "the operator is still who they were");
    desk.browser.click("[data-testid=sign-out]");
    desk.browser.until_there("#pass");
    desk.sign_in(r#"{"role":"viewer"}"#);
    assert!(!desk.browser.has("[data-testid=tenant-switch]"));
    assert!(desk.browser.text("[data-testid=tenant]").contains("default"));
}
