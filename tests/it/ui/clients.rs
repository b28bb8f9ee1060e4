//! Clients and the grid of their metadata.

use super::browser::key;
use super::history::{BANNER, RESTORE};
use super::{REVIEW, SAVE, desk};
use serde_json::{Value, json};

fn shop(desk: &super::Desk, metadata: &str) -> String {
    let body = format!(r#"{{"name":"Web shop","app_type":"spa","client_metadata":{metadata}}}"#);
    let made = desk.server.json("POST", "/api/v2/clients", &body).expect(201).json();
    made["client_id"].as_str().unwrap().to_owned()
}

fn stored(desk: &super::Desk, id: &str) -> Value {
    desk.server.get(&format!("/api/v2/clients/{id}")).expect(200).json()["client_metadata"].clone()
}

#[test]
fn ui_73_client_metadata_is_edited_in_place() {
    let Some(desk) = desk() else { return };
    let id = shop(&desk, r#"{"colour":"red","old":"x"}"#);
    desk.open("/ui/t/default/clients");
    desk.browser.click(&format!("[data-row='{id}'] a[data-open]"));
    desk.browser.until_there("[data-testid=used]");
    assert_eq!(desk.browser.text("[data-testid=used]"), "used 2 of 10");
    desk.browser.run("const field = document.querySelector('[aria-label=\"Value 1\"]'); field.value = 'blue'; field.dispatchEvent(new Event('input'))");
    desk.browser.click("[aria-label='Remove row 2']");
    desk.browser.click("[data-testid=add-row]");
    desk.browser.type_keys("size");
    desk.browser.type_into("[aria-label='Value 2']", "9007199254740993");
    desk.browser.click(REVIEW);
    assert_eq!(
        desk.body(),
        r#"{"client_metadata":{"colour":"blue","size":"9007199254740993","old":null}}"#
    );
    desk.browser.click(SAVE);
    desk.browser.until_text("[data-testid=toast]", "Saved version");
    assert_eq!(
        stored(&desk, &id),
        serde_json::json!({"colour": "blue", "size": "9007199254740993"})
    );
    desk.browser.click("[data-testid=toast] .btn");
    desk.browser.until_text("[data-testid=toast]", "Undone");
    assert_eq!(stored(&desk, &id), serde_json::json!({"colour": "red", "old": "x"}));
    desk.quiet();
}

#[test]
fn ui_73_the_limits_of_client_metadata_hold_here_too() {
    let Some(desk) = desk() else { return };
    let all: Vec<String> = (0..10).map(|at| format!("\"k{at}\":\"v\"")).collect();
    let id = shop(&desk, &format!("{{{}}}", all.join(",")));
    desk.open(&format!("/ui/t/default/clients/{id}"));
    assert!(desk.is_disabled("[data-testid=add-row]"), "ten keys are all");
    let put = |value: &str| {
        let script = "const field = document.querySelector('[aria-label=\"Value 1\"]'); field.value = arguments[0]; field.dispatchEvent(new Event('input'))";
        desk.browser.run_with(script, &serde_json::json!([value]));
    };
    put(&"é".repeat(256));
    assert!(
        desk.browser
            .text("[data-testid=section-client_metadata] [role=alert]")
            .contains("longer than 255")
    );
    assert!(desk.is_disabled(REVIEW));
    put(&"é".repeat(255));
    assert!(!desk.is_disabled(REVIEW));
}

#[test]
fn a_change_to_another_key_of_the_client_is_saved_on_top() {
    let Some(desk) = desk() else { return };
    let id = shop(&desk, r#"{"a":"1","b":"2"}"#);
    desk.open(&format!("/ui/t/default/clients/{id}"));
    desk.browser.type_into("[aria-label='Value 1']", "x");
    desk.server
        .json("PATCH", &format!("/api/v2/clients/{id}"), r#"{"client_metadata":{"b":"other"}}"#)
        .expect(200);
    desk.browser.click(REVIEW);
    desk.browser.click(SAVE);
    desk.browser.click("[data-testid=save-on-top]");
    desk.browser.until_text("[data-testid=toast]", "Saved version");
    assert_eq!(stored(&desk, &id), serde_json::json!({"a": "1x", "b": "other"}));
}

#[test]
fn a_clients_secret_is_not_on_the_screen() {
    let Some(desk) = desk() else { return };
    let id = shop(&desk, "{}");
    let client = desk.server.get(&format!("/api/v2/clients/{id}")).json();
    desk.open(&format!("/ui/t/default/clients/{id}/raw"));
    let page = desk.browser.run("return document.documentElement.outerHTML");
    assert!(!page.as_str().unwrap().contains(client["client_secret"].as_str().unwrap()));
    // What is there can be filtered, as of a user.
    desk.browser.until_text("main", &format!("GET /api/v2/clients/{id}"));
    desk.browser.type_into("[aria-label='Filter lines']", "app_type");
    desk.browser.until(
        "document.querySelector('[data-testid=raw]').textContent.trim().split('\\n').length === 1",
    );
}

fn change(desk: &super::Desk, id: &str, patch: &str) -> u64 {
    desk.server.json("PATCH", &format!("/api/v2/clients/{id}"), patch).expect(200).number("etag")
}

/// Makes a client in three changes; its id and their versions.
fn grown(desk: &super::Desk) -> (String, [u64; 3]) {
    let id = shop(desk, r#"{"colour":"red","old":"x"}"#);
    let first = desk.server.get(&format!("/api/v2/clients/{id}")).number("etag");
    let second = change(desk, &id, r#"{"client_metadata":{"colour":"blue","old":null}}"#);
    let third = change(desk, &id, r#"{"name":"Corner shop","client_metadata":{"size":"big"}}"#);
    (id, [first, second, third])
}

#[test]
fn a_clients_changes_are_listed_and_each_version_can_be_seen() {
    let Some(desk) = desk() else { return };
    let (id, [first, second, third]) = grown(&desk);
    let page = format!("/ui/t/default/clients/{id}");
    desk.open(&page);
    desk.browser.until_text("[data-testid=section-recent]", "client_metadata.size");
    desk.browser.run("document.querySelector('[data-testid=tab-details]').focus()");
    desk.browser.press(&[key::RIGHT]);
    desk.browser.press(&[key::ENTER]);
    desk.browser.until_there("[data-testid=section-history]");
    let list = "[data-testid=changes]";
    assert_eq!(
        desk.browser.texts(&format!("{list} .line > .badge")),
        [format!("v{third}"), format!("v{second}"), format!("v{first}")]
    );
    let entries = desk.server.get(&format!("/dossier/v1/clients/{id}/history")).json();
    let row = format!("{list} li:nth-child(2)");
    assert_eq!(
        desk.browser.text(&format!("{row} .actor")),
        entries["entries"][1]["actor"].as_str().unwrap()
    );
    desk.browser.click(&format!("{row} [data-testid=diff]"));
    let opened = desk.browser.text(&format!("{row} .opened"));
    assert!(opened.contains("\"red\" → \"blue\""), "{opened}");
    desk.browser.click(&format!("[data-version=\"{first}\"] a"));
    desk.browser.until_text(BANNER, &format!("Viewing version {first}"));
    desk.browser.run("location.reload()");
    desk.ready();
    desk.browser.until_text(BANNER, &format!("Viewing version {first}"));
    let bag = "document.querySelector('[data-testid=past-client_metadata] json-editor').value";
    let shown: Value =
        serde_json::from_str(desk.browser.run(&format!("return {bag}")).as_str().unwrap()).unwrap();
    assert_eq!(shown, json!({"colour": "red", "old": "x"}));
    assert!(desk.browser.text("[data-testid=past-settings]").contains("\"Web shop\""));
    let secret = desk.server.get(&format!("/api/v2/clients/{id}")).json()["client_secret"].clone();
    let whole = desk.browser.run("return document.documentElement.outerHTML");
    assert!(!whole.as_str().unwrap().contains(secret.as_str().unwrap()));
    let since = desk.browser.text("[data-testid=section-since]");
    assert!(since.contains("\"Web shop\" → \"Corner shop\""), "{since}");
    desk.quiet();
}

#[test]
fn a_clients_metadata_is_restored_key_by_key_after_a_review() {
    let Some(desk) = desk() else { return };
    let (id, [first, _, third]) = grown(&desk);
    desk.open(&format!("/ui/t/default/clients/{id}/history?version={first}"));
    desk.browser.click(RESTORE);
    desk.browser.click("tr[data-key=size] input");
    let only = r#"["client_metadata.colour","client_metadata.old"]"#;
    assert_eq!(desk.body(), format!(r#"{{"to":{first},"only":{only}}}"#));
    let curl = desk.browser.text("[data-testid=curl]");
    assert!(curl.contains(&format!("if-match: \"{third}\"")), "{curl}");
    desk.browser.click(SAVE);
    desk.browser.until_text("[data-testid=toast]", "Restored as version");
    desk.browser.until_there("[data-testid=used]");
    assert_eq!(stored(&desk, &id), json!({"colour": "red", "size": "big", "old": "x"}));
    let name = &desk.server.get(&format!("/api/v2/clients/{id}")).json()["name"];
    assert_eq!(name, "Corner shop", "what is no metadata stays");
    desk.quiet();
}

#[test]
fn each_key_of_a_client_says_who_set_it_and_when() {
    let Some(desk) = desk() else { return };
    let (id, [_, second, third]) = grown(&desk);
    desk.open(&format!("/ui/t/default/clients/{id}"));
    desk.browser.click("[data-testid=blame-client_metadata]");
    let cells = "[data-testid=set-by]";
    desk.browser.until_text(cells, "@clients");
    let told = desk.browser.texts(cells);
    assert!(told[0].starts_with(&format!("v{second} · just now")), "{told:?}");
    assert!(told[1].starts_with(&format!("v{third} · ")), "{told:?}");
    desk.browser.type_into("[aria-label='Value 1']", "x");
    assert_eq!(desk.browser.texts(cells)[0], "not saved");
    desk.browser.click(REVIEW);
    desk.browser.click(SAVE);
    desk.browser.until_text("[data-testid=toast]", "Saved version");
    let version = desk.server.get(&format!("/api/v2/clients/{id}")).number("etag");
    desk.browser.until_text(cells, &format!("v{version} · "));
    desk.browser.click("[data-testid=blame-client_metadata]");
    assert!(!desk.browser.has(cells));
    desk.quiet();
}

#[test]
fn a_client_that_was_deleted_comes_back() {
    let Some(desk) = desk() else { return };
    let (id, [.., third]) = grown(&desk);
    let target = format!("/api/v2/clients/{id}");
    let before = desk.server.get(&target).json();
    desk.server.json("DELETE", &target, "").expect(204);
    desk.open(&format!("/ui/t/default/clients/{id}"));
    desk.browser.until_text("[data-testid=gone]", "This client was deleted");
    desk.browser.until_text(BANNER, &format!("The last state, version {third}"));
    let secret = before["client_secret"].as_str().unwrap();
    let hidden = || {
        let page = desk.browser.run("return document.documentElement.outerHTML");
        !page.as_str().unwrap().contains(secret)
    };
    assert!(hidden());
    desk.browser.click(RESTORE);
    desk.browser.until_there("[data-testid=review]");
    assert!(hidden(), "nor in the review");
    desk.browser.click(SAVE);
    desk.browser.until_text("[data-testid=toast]", "Brought back as version");
    desk.browser.until_there("[data-testid=used]");
    assert_eq!(desk.server.get(&target).expect(200).json(), before);
}
