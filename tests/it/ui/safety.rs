//! What users write stays text, and nothing of theirs is fetched.

use super::{JANE, desk};
use serde_json::json;

const EVIL: &str = r#"{"x":"<img src=x onerror=\"window.hit=1\">","</script><script>hit=1</script>":"\u2028<svg onload=window.hit=1>","link":"javascript:window.hit=1","__proto__":{"polluted":1},"constructor":"x","picture":"https://tracker.example/p.png"}"#;

#[test]
fn ui_52_53_metadata_stays_text_on_every_page() {
    let Some(desk) = desk() else { return };
    let evil = json!({
        "connection": "Username-Password-Authentication", "user_id": "jane", "email": "jane@example.com",
        "name": "<img src=x onerror=window.hit=1>", "nickname": "\"><script>window.hit=1</script>",
        "given_name": "javascript:window.hit=1", "picture": "https://tracker.example/root.png",
    });
    desk.server.json("POST", "/api/v2/users", &evil.to_string()).expect(201);
    desk.server
        .json("PATCH", "/api/v2/users/auth0%7Cjane", &format!(r#"{{"user_metadata":{EVIL}}}"#))
        .expect(200);
    let entry = json!({"metadata": [{"key": "<b onclick=x>", "value": "<script>window.hit=1</script>", "profileClaim": true}]});
    desk.server.json("PUT", "/api/user/auth0%7Cjane/metadata", &entry.to_string()).expect(200);
    desk.server
        .json(
            "POST",
            "/api/v2/clients",
            r#"{"name":"evil","client_metadata":{"k":"<img src=x onerror=window.hit=1>"}}"#,
        )
        .expect(201);
    for kind in ["rich", "plain"] {
        desk.browser
            .run_with("localStorage.setItem('dossier.editor', arguments[0])", &json!([kind]));
        for page in [
            "/ui/t/default",
            "/ui/t/default/users",
            "/ui/t/default/users?q=%3Cimg%20src=x%3E",
            JANE,
            &format!("{JANE}/raw"),
            &format!("{JANE}/claims"),
            "/ui/t/default/clients",
            "/ui/settings",
            "/ui/t/%3Cimg%20src=x%3E",
        ] {
            desk.open(page);
            assert_eq!(desk.browser.run("return window.hit ?? null"), json!(null), "{page}");
            assert_eq!(desk.browser.run("return ({}).polluted ?? null"), json!(null), "{page}");
            assert!(!desk.browser.has("main img, main script, main [onerror]"), "{page}");
            assert!(!desk.browser.has("a[href^='javascript:']"), "{page}");
        }
        desk.open(JANE);
        assert!(desk.edited("user_metadata").contains(r#"<img src=x onerror=\"window.hit=1\">"#));
        desk.edit("user_metadata", &EVIL.replace("javascript:", "vbscript:"));
        desk.browser.click(super::REVIEW);
        assert_eq!(desk.browser.run("return window.hit ?? null"), json!(null));
        desk.edit(
            "user_metadata",
            &desk.server.get("/api/v2/users/auth0%7Cjane").json()["user_metadata"].to_string(),
        );
    }
    let said: Vec<String> =
        desk.browser.console().into_iter().filter(|one| !one.contains("400")).collect();
    assert!(said.is_empty(), "no violation of the policy: {said:#?}");
}

#[test]
fn ui_54_pictures_of_others_are_fetched_on_a_wish_only() {
    let Some(desk) = desk() else { return };
    desk.on_jane(r#"{"picture":"https://127.0.0.1:9/p.png"}"#, "{}");
    let fetched = || {
        desk.browser.run("return performance.getEntriesByType('resource').filter((one) => !one.name.startsWith(location.origin)).map((one) => one.name)")
    };
    assert_eq!(fetched(), json!([]));
    assert!(!desk.browser.has("img"));
    desk.browser.click("[data-testid=load-picture]");
    desk.browser.until("performance.getEntriesByType('resource').some((one) => one.name === 'https://127.0.0.1:9/p.png')");
    // What cannot be loaded leaves the initials.
    desk.browser.until_text(".avatar", "JD");
    desk.browser.console();
}

#[test]
fn ui_54_a_setting_turns_pictures_on() {
    use crate::harness::Setup;
    let Some(desk) = super::desk_on(Setup::default().set("dashboard.remote_images=true").start())
    else {
        return;
    };
    desk.jane(r#"{"picture":"https://127.0.0.1:9/p.png"}"#, "{}");
    desk.browser.run("window.images = 0");
    desk.open(JANE);
    desk.browser.until("performance.getEntriesByType('resource').some((one) => one.name === 'https://127.0.0.1:9/p.png')");
    desk.browser.console();
}
