//! The page of a user: structure, editors, provider attributes, tabs.

use super::browser::key;
use super::{EDITOR, JANE, REVIEW, desk};
use serde_json::json;

const FULL: &str = r#"{"hobby":"surfing","picture":"https://cdn.example/jane.png","addresses":{"home":"123 Main Street, Anytown"}}"#;

#[test]
fn ui_01_the_sections_stand_in_their_order_and_the_tab_is_in_the_address() {
    let Some(desk) = desk() else { return };
    desk.on_jane(FULL, "{}");
    let browser = &desk.browser;
    assert_eq!(
        browser.texts("main h2"),
        ["User Identity", "Metadata", "Identity Provider Attributes", "Recent changes"]
    );
    let selected = || browser.attribute("[role=tab][aria-selected=true]", "data-testid").unwrap();
    let focused = || {
        browser
            .run("return document.activeElement.dataset.testid ?? ''")
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(selected(), "tab-details");
    browser.run("document.querySelector('[data-testid=tab-details]').focus()");
    browser.press(&[key::RIGHT]);
    assert_eq!(focused(), "tab-history");
    browser.press(&[key::RIGHT]);
    assert_eq!(focused(), "tab-raw");
    browser.press(&[key::END]);
    assert_eq!(focused(), "tab-claims");
    browser.press(&[key::HOME]);
    assert_eq!(focused(), "tab-details");
    browser.press(&[key::LEFT]);
    browser.press(&[key::ENTER]);
    browser.until("document.querySelector('[data-testid=section-claims]')");
    assert_eq!(selected(), "tab-claims");
    assert!(browser.run("return location.pathname").as_str().unwrap().ends_with("/claims"));
    browser.run("location.reload()");
    desk.ready();
    assert_eq!(selected(), "tab-claims");
    assert!(browser.has("[role=tablist] ~ [role=tabpanel]"));
    desk.quiet();
}

#[test]
fn ui_02_the_header_names_the_user_and_copies_the_id() {
    let Some(desk) = desk() else { return };
    desk.on_jane("{}", "{}");
    let browser = &desk.browser;
    let version = desk.server.get("/api/v2/users/auth0%7Cjane").number("etag");
    assert_eq!(browser.text("h1"), "Jane Doe");
    assert_eq!(browser.text("header .avatar"), "JD");
    assert_eq!(browser.text("[data-testid=version]"), format!("version {version}"));
    assert!(browser.texts(".who .badge").contains(&"Email verified".to_owned()));
    assert!(browser.attribute(".who time", "title").unwrap().ends_with('Z'));
    let (maker, _) = desk.server.admin_client();
    browser.until_text("[data-testid=changed-by]", &format!("by {maker}@clients"));
    browser.chrome(
        "Browser.grantPermissions",
        &json!({"permissions": ["clipboardReadWrite", "clipboardSanitizedWrite"]}),
    );
    browser.click("[data-testid=user-id] button");
    browser.until_text("[data-testid=toast]", "Copied user ID");
    let clipboard = browser.run_async(
        "navigator.clipboard.readText().then(arguments[0], (error) => arguments[0](String(error)))",
    );
    assert_eq!(clipboard, "auth0|jane");
}

#[test]
fn ui_03_any_user_id_opens_by_its_link_and_from_the_list() {
    let Some(desk) = desk() else { return };
    for odd in ["a|b", "a/b", "100%", "x@y", "ä💡", "%2F", "a+b", "..", "a;b?c#d"] {
        let body = json!({"connection": "Username-Password-Authentication", "user_id": odd, "email": format!("{}@example.com", odd.len())});
        let made = desk.server.json("POST", "/api/v2/users", &body.to_string());
        if made.status != 201 {
            continue;
        }
        let id = made.json()["user_id"].as_str().unwrap().to_owned();
        desk.open("/ui/t/default/users");
        let row = format!("[data-row={}] a[data-open]", json!(id));
        desk.browser.click(&row);
        desk.browser.until_text("[data-testid=user-id] .chip-text", &id);
        desk.browser.run("location.reload()");
        desk.ready();
        assert_eq!(desk.browser.text("[data-testid=user-id] .chip-text"), id);
        desk.server
            .json(
                "DELETE",
                &format!(
                    "/api/v2/users/{}",
                    percent_encoding::utf8_percent_encode(&id, percent_encoding::NON_ALPHANUMERIC)
                ),
                "",
            )
            .expect(204);
    }
}

#[test]
fn ui_04_a_user_who_is_not_there_is_said_to_be_missing() {
    let Some(desk) = desk() else { return };
    desk.open("/ui/t/default/users/auth0%7Cnobody");
    assert!(desk.browser.text("[data-testid=missing]").contains("There is no user auth0|nobody"));
    assert!(desk.browser.has("[data-testid=missing] a[href='/ui/t/default/users']"));
    let errors: Vec<String> =
        desk.browser.console().into_iter().filter(|said| !said.contains("404")).collect();
    assert!(errors.is_empty(), "{errors:?}");
}

#[test]
fn ui_10_the_editor_shows_the_value_in_its_own_order() {
    let Some(desk) = desk() else { return };
    desk.on_jane(r#"{"z":1,"a":{"y":[1,{"b":2}],"x":{}},"m":[]}"#, "{}");
    assert_eq!(
        desk.edited("user_metadata"),
        "{\n  \"z\": 1,\n  \"a\": {\n    \"y\": [\n      1,\n      {\n        \"b\": 2\n      }\n    ],\n    \"x\": {}\n  },\n  \"m\": []\n}"
    );
    assert_eq!(desk.edited("app_metadata"), "{}");
}

#[test]
fn ui_11_a_syntax_error_is_named_by_line_and_column_and_blocks_the_review() {
    let Some(desk) = desk() else { return };
    desk.on_jane(FULL, "{}");
    desk.edit("user_metadata", "{\n  \"hobby\": \"sailing\"\n  \"x\": 1\n}");
    let alert = desk.browser.text("[data-testid=errors-user_metadata]");
    assert!(alert.starts_with("Line 3, column 3: wanted \",\" or \"}\""), "{alert}");
    assert_eq!(
        desk.browser.attribute("[data-testid=errors-user_metadata]", "role").unwrap(),
        "alert"
    );
    assert!(desk.is_disabled(REVIEW));
    assert!(desk.browser.has(&format!("{EDITOR} .g-bad")), "a mark in the gutter");
    desk.edit("user_metadata", FULL);
    assert_eq!(desk.browser.text("[data-testid=errors-user_metadata]"), "");
}

#[test]
fn ui_12_what_is_no_object_or_says_a_key_twice_is_refused_and_odd_keys_are_pointed_out() {
    let Some(desk) = desk() else { return };
    desk.on_jane(FULL, "{}");
    let errors = || desk.browser.text("[data-testid=errors-user_metadata]");
    let warnings = || desk.browser.text("[data-testid=warnings-user_metadata]");
    for text in ["[1]", "\"x\"", "null"] {
        desk.edit("user_metadata", text);
        assert!(errors().contains("must be a JSON object"), "{text}: {}", errors());
        assert!(desk.is_disabled(REVIEW));
    }
    desk.edit("user_metadata", "{\n  \"a\": 1,\n  \"b\": 2,\n  \"a\": 3\n}");
    assert!(errors().contains("in lines 2 and 4"), "{}", errors());
    assert!(desk.is_disabled(REVIEW));
    desk.edit("user_metadata", r#"{"a.b": 1, "c$": {"d.e": 2}}"#);
    assert_eq!(errors(), "");
    assert_eq!(warnings().matches("Auth0 says").count(), 3, "{}", warnings());
    desk.edit("user_metadata", r#"{"hobby": null}"#);
    assert!(warnings().contains("null at the root deletes this key"), "{}", warnings());
}

#[test]
fn ui_13_the_size_is_the_servers_and_blocks_beyond_the_limit() {
    use crate::harness::Setup;
    let server = Setup::default().set("limits.user_metadata=1KiB").start();
    let Some(desk) = super::desk_on(server) else { return };
    desk.on_jane("{}", "{}");
    let of = |letters: usize| format!("{{ \"text\" : \"{}é\" }}", "x".repeat(letters));
    let meter =
        || desk.browser.attribute("[data-testid=editor-user_metadata] .meter", "class").unwrap();
    // {"text":"…é"} has 13 bytes besides the letters.
    desk.edit("user_metadata", &of(100));
    assert_eq!(desk.browser.text("[data-testid=bytes-user_metadata]"), "113 B");
    assert_eq!(meter(), "meter");
    desk.edit("user_metadata", &of(900));
    assert_eq!(meter(), "meter warn");
    desk.edit("user_metadata", &of(1024 - 13));
    assert!(!desk.is_disabled(REVIEW), "exactly the limit");
    desk.save();
    desk.edit("user_metadata", &of(1024 - 12));
    assert_eq!(meter(), "meter bad");
    assert!(desk.is_disabled(REVIEW));
    let over = format!(r#"{{"user_metadata":{}}}"#, of(1024 - 12));
    assert_eq!(desk.server.json("PATCH", "/api/v2/users/auth0%7Cjane", &over).status, 400);
}

#[test]
fn ui_14_numbers_and_escapes_come_back_as_they_were() {
    const ODD: &str = r#"{"id":9007199254740993,"f":1.0,"e":1e3,"s":"\u00e9"}"#;
    let Some(desk) = desk() else { return };
    desk.on_jane(ODD, "{}");
    let text = desk.edited("user_metadata").replace(r#""\u00e9""#, "\"x\"");
    desk.edit("user_metadata", &text);
    desk.browser.click(REVIEW);
    assert_eq!(desk.body(), r#"{"user_metadata":{"s":"x"}}"#);
    desk.browser.click(super::SAVE);
    desk.browser.until_text("[data-testid=toast]", "Saved");
    assert!(
        desk.profile()
            .contains(r#""user_metadata":{"id":9007199254740993,"f":1.0,"e":1e3,"s":"x"}"#)
    );
    desk.edit("user_metadata", &desk.edited("user_metadata").replace("1.0", "2.50"));
    desk.browser.click(REVIEW);
    assert_eq!(desk.body(), r#"{"user_metadata":{"f":2.50}}"#);
}

#[test]
fn ui_15_another_layout_is_no_change_and_formatting_can_be_undone() {
    let Some(desk) = desk() else { return };
    desk.on_jane(FULL, "{}");
    desk.edit("user_metadata", FULL);
    assert!(desk.is_disabled(REVIEW));
    desk.browser.click("[data-testid=editor-user_metadata] footer button:not([data-testid])");
    assert!(desk.edited("user_metadata").contains("\n  \"hobby\""));
    desk.browser.click(&format!("{EDITOR} .cm-content, {EDITOR} textarea"));
    desk.browser.press(&[key::CONTROL, "z"]);
    desk.browser.until(&format!("document.querySelector('{EDITOR}').value === {}", json!(FULL)));
    assert!(desk.is_disabled(REVIEW));
}

/// In both editors: the rich one and the text area.
#[test]
fn ui_16_the_keyboard_leaves_the_editor_and_undoes() {
    let Some(desk) = desk() else { return };
    desk.on_jane(FULL, "{}");
    for kind in ["rich", "plain"] {
        desk.browser
            .run_with("localStorage.setItem('dossier.editor', arguments[0])", &json!([kind]));
        desk.open(JANE);
        if kind == "rich" && desk.browser.attribute(EDITOR, "data-kind").as_deref() == Some("plain")
        {
            continue; // This binary was built without the rich editor.
        }
        assert_eq!(desk.browser.attribute(EDITOR, "data-kind").unwrap(), kind);
        let field = if kind == "rich" { ".cm-content" } else { "textarea" };
        let field = format!("{EDITOR} {field}");
        assert_eq!(desk.browser.attribute(&field, "aria-label").unwrap(), "user_metadata, JSON");
        desk.browser.click(&field);
        desk.browser.press(&[key::CONTROL, key::HOME]);
        desk.browser.type_keys("x");
        assert!(
            desk.browser.text("[data-testid=errors-user_metadata]").contains("Line 1, column 1")
        );
        desk.browser.press(&[key::CONTROL, "z"]);
        desk.browser.until(
            "document.querySelector('[data-testid=errors-user_metadata]').textContent === ''",
        );
        desk.browser.press(&[key::TAB]);
        assert!(
            desk.browser
                .run_with(
                    "return !document.querySelector(arguments[0]).contains(document.activeElement)",
                    &json!([EDITOR])
                )
                .as_bool()
                .unwrap(),
            "{kind}"
        );
    }
}

#[test]
fn ui_17_a_draft_survives_a_reload_and_is_dropped_on_save() {
    let Some(desk) = desk() else { return };
    desk.on_jane(FULL, "{}");
    desk.edit("user_metadata", &FULL.replace("surfing", "sailing"));
    desk.browser.until("Object.keys(localStorage).some((key) => key.startsWith('dossier.draft:'))");
    // Somebody else changes another key meanwhile: the draft brings back its own change only.
    desk.server
        .json("PATCH", "/api/v2/users/auth0%7Cjane", r#"{"user_metadata":{"other":1}}"#)
        .expect(200);
    desk.browser.run("location.reload()");
    desk.browser.until_text("[data-testid=draft]", "Restore draft from ");
    desk.browser.click("[data-testid=draft] button");
    let text = desk.edited("user_metadata");
    assert!(text.contains("sailing") && text.contains("\"other\": 1"), "{text}");
    desk.save();
    desk.open(JANE);
    assert!(!desk.browser.has("[data-testid=draft]"));
    desk.edit("user_metadata", "{}");
    desk.browser.click("nav a[href='/ui/t/default/clients']");
    desk.browser.until_text("[data-testid=confirm]", "Leave with unsaved changes?");
    desk.browser.click("[data-testid=confirm] button[value='']");
    assert_eq!(desk.edited("user_metadata"), "{}");
}

#[test]
fn ui_30_the_providers_attributes_cannot_be_edited() {
    let Some(desk) = desk() else { return };
    desk.on_jane(FULL, "{}");
    let section = "[data-testid=section-idp]";
    assert!(
        !desk.browser.has(&format!("{section} :is(input, textarea, select, [contenteditable])"))
    );
    assert!(desk.browser.texts(&format!("{section} .badge")).contains(&"read-only".to_owned()));
    assert_eq!(
        desk.browser.text(&format!("{section} [data-attribute=given_name] [data-effective]")),
        "Jane"
    );
}

#[test]
fn ui_31_an_override_counts_where_javascript_calls_it_true() {
    let Some(desk) = desk() else { return };
    desk.on_jane(
        r#"{"given_name":"","family_name":0,"nickname":false,"name":null,"email":"0"}"#,
        "{}",
    );
    let source = |key: &str| {
        desk.browser.attribute(&format!("[data-attribute={key}]"), "data-source").unwrap()
    };
    for key in ["given_name", "family_name", "nickname", "name"] {
        assert_eq!(source(key), "provider", "{key}");
    }
    assert_eq!(source("email"), "user_metadata");
    assert_eq!(desk.browser.text("[data-attribute=email] [data-effective]"), "0");
    assert!(desk.browser.text("[data-attribute=email]").contains("from user_metadata"));
}

#[test]
fn ui_32_an_override_is_typed_in_and_not_saved() {
    let Some(desk) = desk() else { return };
    desk.on_jane(FULL, "{}");
    let before = desk.profile();
    desk.browser.click("[data-attribute=given_name] button");
    assert!(desk.edited("user_metadata").contains("\"given_name\": \"Jane\""));
    desk.browser.type_keys("J");
    assert!(
        desk.edited("user_metadata").contains("\"given_name\": \"J\""),
        "the value was selected"
    );
    assert_eq!(desk.profile(), before);
}

#[test]
fn ui_33_each_identity_has_its_group() {
    let Some(desk) = desk() else { return };
    desk.jane(FULL, "{}");
    desk.server.json("POST", "/api/v2/users", r#"{"connection":"Username-Password-Authentication","user_id":"second","email":"second@example.com","given_name":"Second"}"#).expect(201);
    desk.server
        .json(
            "POST",
            "/api/v2/users/auth0%7Cjane/identities",
            r#"{"provider":"auth0","user_id":"second"}"#,
        )
        .expect(201);
    desk.open(JANE);
    let groups = desk.browser.texts("[data-testid=section-idp] h3");
    assert_eq!(groups.len(), 2, "{groups:?}");
    assert!(groups[0].contains("primary"), "{groups:?}");
    assert!(desk.browser.text("[data-testid=identity]").contains("Second"));
}

#[test]
fn raw_json_is_the_answer_of_the_api() {
    let Some(desk) = desk() else { return };
    desk.jane(r#"{"n":1e3}"#, "{}");
    desk.open(&format!("{JANE}/raw"));
    desk.browser.click("#indent");
    assert_eq!(desk.browser.text("[data-testid=raw]"), desk.profile());
}

#[test]
fn entries_become_claims_with_a_switch() {
    let Some(desk) = desk() else { return };
    desk.jane("{}", "{}");
    desk.server
        .json(
            "PUT",
            "/api/user/auth0%7Cjane/metadata/theme",
            r#"{"value":"Dark mode","profileClaim":false}"#,
        )
        .expect(200);
    desk.open(&format!("{JANE}/claims"));
    assert_eq!(desk.browser.text("[data-testid=claims-preview]"), "{}");
    desk.browser.click("[data-entry=theme] input[role=switch]");
    desk.browser.until_text("[data-testid=claims-preview]", "\"metadata_theme\": \"Dark mode\"");
    assert!(
        desk.server
            .get("/api/user/auth0%7Cjane/metadata")
            .text()
            .contains(r#""profileClaim":true"#)
    );
    desk.browser.click("[data-testid=add-entry]");
    desk.browser.type_into("dialog input", "beta");
    desk.browser.type_into("dialog textarea", "yes");
    desk.browser.click("dialog button[value=save]");
    desk.browser.until_there("[data-entry=beta]");
    desk.browser.click("[data-entry=theme] button[aria-label='Remove theme']");
    desk.browser.click("[data-testid=confirm] button[value=yes]");
    desk.browser.until("!document.querySelector('[data-entry=theme]')");
    assert!(!desk.server.get("/api/user/auth0%7Cjane/metadata").text().contains("theme"));
}
