//! Clients and the grid of their metadata.

use super::{REVIEW, SAVE, desk};
use serde_json::Value;

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
}
