//! Reviewing, saving, and what happens when somebody else was faster.

use super::browser::key;
use super::{REVIEW, SAVE, desk};
use serde_json::{Value, json};

const FULL: &str = r#"{"hobby":"surfing","newsletter":true,"home":{"street":"Main","no":1}}"#;
const TARGET: &str = "/api/v2/users/auth0%7Cjane";

fn rows(desk: &super::Desk) -> Vec<(String, String)> {
    let found = desk.browser.run("return [...document.querySelectorAll('[data-testid=review] tbody tr')].map((row) => [row.dataset.op, row.dataset.key])");
    let pair =
        |row: &Value| (row[0].as_str().unwrap().to_owned(), row[1].as_str().unwrap().to_owned());
    found.as_array().unwrap().iter().map(pair).collect()
}

#[test]
fn ui_20_the_review_lists_what_the_request_carries() {
    let Some(desk) = desk() else { return };
    desk.on_jane(FULL, "{}");
    desk.edit(
        "user_metadata",
        r#"{"hobby":"sailing","home":{"street":"Main","no":2},"theme":"dark"}"#,
    );
    assert_eq!(desk.browser.text("[data-testid=dirty-user_metadata]"), "4 unsaved changes");
    desk.browser.click(REVIEW);
    let own = |op: &str, key: &str| (op.to_owned(), key.to_owned());
    assert_eq!(
        rows(&desk),
        [
            own("change", "hobby"),
            own("change", "home"),
            own("add", "theme"),
            own("remove", "newsletter")
        ]
    );
    let body: Value = serde_json::from_str(&desk.body()).unwrap();
    let mut keys: Vec<&String> = body["user_metadata"].as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["hobby", "home", "newsletter", "theme"]);
    let nested = desk.browser.text("tr[data-key=home]");
    assert!(
        nested.contains("replaced whole") && nested.contains("- ") && nested.contains("\"no\": 2"),
        "{nested}"
    );
    assert_eq!(desk.browser.texts(".op").join(""), "~~+\u{2212}");
    assert_eq!(desk.browser.attribute(".op.add", "aria-label").unwrap(), "added");
}

#[test]
fn ui_21_the_request_is_the_smallest_that_says_it() {
    let Some(desk) = desk() else { return };
    desk.on_jane(FULL, r#"{"plan":"full"}"#);
    desk.edit("user_metadata", &FULL.replace(r#""newsletter":true,"#, ""));
    desk.browser.click(REVIEW);
    assert_eq!(desk.body(), r#"{"user_metadata":{"newsletter":null}}"#);
    desk.edit("user_metadata", "{}");
    assert_eq!(desk.body(), r#"{"user_metadata":{}}"#);
    desk.edit("app_metadata", r#"{"plan":"gold"}"#);
    assert_eq!(desk.body(), r#"{"user_metadata":{},"app_metadata":{"plan":"gold"}}"#);
    desk.edit("user_metadata", FULL);
    assert_eq!(desk.body(), r#"{"app_metadata":{"plan":"gold"}}"#);
}

#[test]
fn ui_23_saving_asks_for_the_version_that_was_seen_and_shows_the_new_one() {
    let Some(desk) = desk() else { return };
    desk.on_jane(FULL, "{}");
    desk.browser.run("window.seen = []; const real = fetch; window.fetch = (...asked) => { if (asked[1]?.method !== 'GET') seen.push([asked[0], asked[1]?.method, asked[1]?.headers?.['if-match']]); return real(...asked); }");
    let before = desk.server.get(TARGET).number("etag");
    desk.edit("user_metadata", &FULL.replace("surfing", "sailing"));
    desk.save();
    let after = desk.server.get(TARGET).number("etag");
    assert_eq!(
        desk.browser.run("return seen"),
        json!([[TARGET, "PATCH", format!("\"{before}\"")]])
    );
    assert!(desk.browser.text("[data-testid=toast]").contains(&format!("Saved version {after}")));
    assert_eq!(desk.browser.text("[data-testid=version]"), format!("version {after}"));
    assert!(!desk.browser.has("[data-testid=review]"));
    assert!(desk.is_disabled(REVIEW));
    desk.quiet();
}

#[test]
fn ui_24_a_change_to_something_else_is_saved_on_top() {
    let Some(desk) = desk() else { return };
    desk.browser.deafen();
    desk.on_jane(FULL, r#"{"plan":"full"}"#);
    desk.edit("user_metadata", &FULL.replace("surfing", "sailing"));
    let other = desk
        .server
        .json("PATCH", TARGET, r#"{"app_metadata":{"plan":"gold"}}"#)
        .expect(200)
        .number("etag");
    desk.browser.click(REVIEW);
    desk.browser.click(SAVE);
    let notice = "[data-testid=disjoint]";
    desk.browser.until_text(notice, "changed app_metadata.plan; your change does not touch it.");
    let told = desk.browser.text(notice);
    let actor = &desk.server.get("/dossier/v1/users/auth0%7Cjane/history?limit=1").json()["entries"]
        [0]["actor"];
    let expected = format!("Version {other} by {} changed", actor.as_str().unwrap());
    assert!(told.starts_with(&expected), "{told}");
    assert!(desk.profile().contains("surfing"), "nothing was written yet");
    desk.browser.click("[data-testid=save-on-top]");
    desk.browser.until_text("[data-testid=toast]", "Saved version");
    let profile = desk.profile();
    assert!(profile.contains("sailing") && profile.contains("gold"), "{profile}");
    assert!(desk.edited("app_metadata").contains("gold"));
}

fn clash(desk: &super::Desk) {
    desk.browser.deafen();
    desk.on_jane(FULL, "{}");
    desk.edit("user_metadata", &FULL.replace("surfing", "sailing").replace("true", "false"));
    desk.server.json("PATCH", TARGET, r#"{"user_metadata":{"hobby":"chess"}}"#).expect(200);
    desk.browser.click(REVIEW);
    desk.browser.click(SAVE);
    desk.browser.until_text("[data-testid=conflict]", "user_metadata.hobby");
}

#[test]
fn ui_25_a_change_to_the_same_key_asks_before_anything_is_written() {
    let Some(desk) = desk() else { return };
    clash(&desk);
    assert_eq!(
        desk.browser.texts("[data-testid=conflict] code"),
        ["\"sailing\"", "\"chess\"", "\"surfing\""]
    );
    desk.browser.click("[data-testid=conflict] button[value=save]");
    assert!(desk.browser.has("[data-testid=conflict]"), "a choice is needed");
    assert!(desk.profile().contains("chess"));
    desk.browser.click("[data-testid=conflict] input[value=mine]");
    desk.browser.click("[data-testid=conflict] button[value=save]");
    desk.browser.until_text("[data-testid=toast]", "Saved version");
    let profile = desk.profile();
    assert!(profile.contains("sailing") && profile.contains(r#""newsletter":false"#), "{profile}");
}

#[test]
fn ui_25_choosing_theirs_sends_nothing_for_that_key() {
    let Some(desk) = desk() else { return };
    clash(&desk);
    desk.browser.run("window.sent = []; const real = fetch; window.fetch = (...asked) => { if (asked[1]?.method === 'PATCH') sent.push(asked[1].body); return real(...asked); }");
    desk.browser.click("[data-testid=conflict] input[value=theirs]");
    desk.browser.click("[data-testid=conflict] button[value=save]");
    desk.browser.until_text("[data-testid=toast]", "Saved version");
    assert_eq!(
        desk.browser.run("return sent"),
        json!([r#"{"user_metadata":{"newsletter":false}}"#])
    );
    let profile = desk.profile();
    assert!(profile.contains("chess") && profile.contains(r#""newsletter":false"#), "{profile}");
}

#[test]
fn ui_25_what_was_there_before_both_can_come_back() {
    let Some(desk) = desk() else { return };
    clash(&desk);
    desk.browser.click("[data-testid=conflict] input[value=base]");
    desk.browser.click("[data-testid=conflict] button[value=save]");
    desk.browser.until_text("[data-testid=toast]", "Saved version");
    assert!(desk.profile().contains("surfing"));
}

#[test]
fn ui_27_undo_puts_the_former_keys_back() {
    let Some(desk) = desk() else { return };
    desk.on_jane(FULL, "{}");
    desk.edit("user_metadata", r#"{"hobby":"sailing","added":1,"home":{"street":"Main","no":1}}"#);
    desk.save();
    desk.browser.click("[data-testid=toast] .btn");
    desk.browser.until_text("[data-testid=toast]", "Undone as version");
    let stored: Value = serde_json::from_str(&desk.profile()).unwrap();
    assert_eq!(stored["user_metadata"], serde_json::from_str::<Value>(FULL).unwrap());
    let shown: Value = serde_json::from_str(&desk.edited("user_metadata")).unwrap();
    assert_eq!(shown, stored["user_metadata"]);
}

#[test]
fn ui_27_undo_after_somebody_elses_change_of_the_key_asks() {
    let Some(desk) = desk() else { return };
    desk.browser.deafen();
    desk.on_jane(FULL, "{}");
    desk.edit("user_metadata", &FULL.replace("surfing", "sailing"));
    desk.save();
    desk.server.json("PATCH", TARGET, r#"{"user_metadata":{"hobby":"chess"}}"#).expect(200);
    desk.browser.click("[data-testid=toast] .btn");
    desk.browser.until_text("[data-testid=confirm]", "Undo over somebody else's change?");
    assert!(desk.profile().contains("chess"));
    desk.browser.click("[data-testid=confirm] button[value='']");
    assert!(desk.profile().contains("chess"));
}

#[test]
fn ui_28_a_refusal_is_shown_whole_and_the_text_stays() {
    let Some(desk) = desk() else { return };
    desk.on_jane(FULL, "{}");
    let text = r#"{"a.b":1}"#;
    desk.edit("user_metadata", text);
    desk.browser.click(REVIEW);
    desk.browser.click(SAVE);
    desk.browser.until_text("[data-testid=failure]", "400 Bad Request");
    let said = desk.browser.text("[data-testid=failure]");
    assert!(
        said.contains("Invalid property name keys: a.b")
            && said.contains("errorCode invalid_body")
            && said.contains("request "),
        "{said}"
    );
    assert_eq!(desk.edited("user_metadata"), text);
    // A refusal with a time to wait counts it down.
    desk.browser.run("window.fetch = async () => new Response('{\"statusCode\":429,\"error\":\"Too Many Requests\",\"message\":\"Global limit has been reached\",\"errorCode\":\"too_many_requests\"}', { status: 429, headers: { 'retry-after': '1', 'x-request-id': 'abc' } })");
    desk.browser.click(SAVE);
    desk.browser.until_text("[data-testid=failure]", "Try again in 1 s.");
    desk.browser.until_text("[data-testid=failure]", "You can try again now.");
    assert_eq!(desk.edited("user_metadata"), text);
}

/// The main task without a mouse: find the user, change a value, review, save.
#[test]
fn ui_56_the_main_task_needs_the_keyboard_alone() {
    let Some(desk) = desk() else { return };
    desk.jane(FULL, "{}");
    desk.open("/ui/t/default");
    let browser = &desk.browser;
    browser.press(&["?"]);
    browser.until_there("[data-testid=keys]");
    browser.press(&[key::ESCAPE]);
    browser.until("!document.querySelector('dialog')");
    browser.press(&["g"]);
    browser.press(&["c"]);
    browser.until("location.pathname.endsWith('/clients')");
    desk.ready();
    browser.press(&["/"]);
    browser.type_keys("email:jane*");
    browser.press(&[key::ENTER]);
    // The list of clients has rows too, and stays until the users are there.
    browser.until_there("[data-row='auth0|jane']");
    desk.ready();
    browser.run("document.activeElement.blur()");
    browser.press(&["j"]);
    browser.press(&[key::ENTER]);
    browser.until_there("[data-testid=user-id]");
    desk.ready();
    // As far as Tab goes until the editor has the focus.
    for _ in 0..60 {
        if browser.run(
            "return document.activeElement.getAttribute('aria-label') === 'user_metadata, JSON'",
        ) == true
        {
            break;
        }
        browser.press(&[key::TAB]);
    }
    browser.press(&[key::CONTROL, key::END]);
    for _ in 0..2 {
        browser.press(&[key::BACKSPACE]);
    }
    browser.type_keys(", \"k\": 1}");
    desk.browser.press(&[key::CONTROL, "s"]);
    browser.until_there("[data-testid=review]");
    assert_eq!(desk.body(), r#"{"user_metadata":{"k":1}}"#, "{}", desk.edited("user_metadata"));
    browser.press(&[key::CONTROL, "s"]);
    browser.until_text("[data-testid=toast]", "Saved version");
    assert!(desk.profile().contains(r#""k":1"#));
}

#[test]
fn a_long_value_does_not_push_saving_out_of_reach() {
    let Some(desk) = desk() else { return };
    desk.on_jane(r#"{"hobby":"surfing"}"#, "{}");
    let long = format!(r#"{{"hobby":"{}"}}"#, "x".repeat(200_000));
    desk.edit("user_metadata", &long);
    desk.browser.click(REVIEW);
    desk.browser.until_there(SAVE);
    let apart = "const [first, last] = ['[data-testid=review]', '[data-testid=save]'].map((css) => document.querySelector(css).getBoundingClientRect()); return last.bottom - first.top < 900";
    assert_eq!(desk.browser.run(apart), json!(true), "the command must scroll in its own place");
    // All of it is still there to be copied.
    assert_eq!(desk.body().len(), long.len() + "{\"user_metadata\":}".len());
    desk.browser.click(SAVE);
    desk.browser.until_text("[data-testid=toast]", "Saved version");
    desk.quiet();
}
