//! What the user was, and the way back.

use super::browser::{Browser, key};
use super::{Desk, JANE, SAVE, desk, desk_on};
use crate::harness::Setup;
use serde_json::json;

pub(super) const TARGET: &str = "/api/v2/users/auth0%7Cjane";
pub(super) const RESTORE: &str = "[data-testid=restore]";
pub(super) const BANNER: &str = "[data-testid=past-banner]";

/// Makes her in three changes; their versions.
pub(super) fn grown(desk: &Desk) -> [u64; 3] {
    desk.jane(r#"{"hobby":"surfing","big":9007199254740993}"#, "{}");
    let first = desk.server.get(TARGET).expect(200).number("etag");
    let patch = |body: &str| desk.server.json("PATCH", TARGET, body).expect(200).number("etag");
    let second = patch(r#"{"user_metadata":{"hobby":"sailing"},"app_metadata":{"plan":"gold"}}"#);
    let third =
        patch(r#"{"user_metadata":{"theme":"dark","big":9007199254740995},"name":"Joan Doe"}"#);
    [first, second, third]
}

fn paths(browser: &Browser, within: &str) -> Vec<String> {
    browser.texts(&format!("{within} .told > code:not(.actor)"))
}

#[test]
fn ui_01_recent_changes_stand_below_the_rest() {
    let Some(desk) = desk() else { return };
    let [first, second, third] = grown(&desk);
    desk.open(JANE);
    let section = "[data-testid=section-recent]";
    desk.browser.until_text(section, "changed");
    assert_eq!(
        desk.browser.texts("main h2"),
        ["User Identity", "Metadata", "Identity Provider Attributes", "Recent changes"]
    );
    assert_eq!(
        desk.browser.texts(&format!("{section} .line > .badge")),
        [format!("v{third}"), format!("v{second}"), format!("v{first}")]
    );
    desk.browser.click(&format!("{section} li:nth-child(2) [data-testid=diff]"));
    let opened = desk.browser.text(&format!("{section} li:nth-child(2) .opened"));
    assert!(opened.contains("\"surfing\" → \"sailing\""), "{opened}");
    desk.browser.click(&format!("{section} li:nth-child(2) a"));
    desk.browser.until_text(BANNER, &format!("Viewing version {second}"));
    desk.quiet();
}

#[test]
fn ui_40_every_change_is_listed_with_who_when_and_what() {
    let Some(desk) = desk() else { return };
    let [first, second, third] = grown(&desk);
    desk.open(&format!("{JANE}/history"));
    let list = "[data-testid=changes]";
    assert_eq!(
        desk.browser.texts(&format!("{list} .line > .badge")),
        [format!("v{third}"), format!("v{second}"), format!("v{first}")]
    );
    assert_eq!(
        paths(&desk.browser, &format!("{list} li:nth-child(2)")),
        ["user_metadata.hobby", "app_metadata.plan"]
    );
    let entry = &desk.server.get("/dossier/v1/users/auth0%7Cjane/history").json()["entries"][1];
    let row = format!("{list} li:nth-child(2)");
    assert_eq!(desk.browser.text(&format!("{row} .actor")), entry["actor"].as_str().unwrap());
    assert_eq!(
        desk.browser.attribute(&format!("{row} time"), "datetime").as_deref(),
        entry["at"].as_str()
    );
    desk.browser.click(&format!("{row} [data-testid=diff]"));
    let opened = desk.browser.text(&format!("{row} .opened"));
    assert!(opened.contains(entry["request_id"].as_str().unwrap()), "{opened}");
    assert!(opened.contains("through v2"), "{opened}");
    let operations = desk.browser.run(
        "return [...document.querySelectorAll('[data-operation]')].map((one) => one.dataset.operation)",
    );
    assert_eq!(operations, json!(["changed", "changed", "created"]));
    // The whole numbers, not what a browser would make of them.
    desk.browser.click(&format!("{list} li:nth-child(1) [data-testid=diff]"));
    let opened = desk.browser.text(&format!("{list} li:nth-child(1) .opened"));
    assert!(opened.contains("9007199254740993 → 9007199254740995"), "{opened}");
    desk.quiet();
}

#[test]
fn ui_40_an_older_version_is_shown_whole_and_cannot_be_changed() {
    for kind in ["rich", "plain"] {
        let Some(desk) = desk() else { return };
        desk.browser
            .run_with("localStorage.setItem('dossier.editor', arguments[0])", &json!([kind]));
        let [first, second, third] = grown(&desk);
        desk.open(&format!("{JANE}/history"));
        desk.browser.click(&format!("[data-version=\"{first}\"] a"));
        desk.browser.until_text(BANNER, &format!("Viewing version {first}"));
        let address = desk.browser.run("return location.pathname + location.search");
        assert_eq!(address, format!("{JANE}/history?version={first}"));
        desk.browser.run("location.reload()");
        desk.ready();
        desk.browser.until_text(BANNER, &format!("Viewing version {first}"));
        assert_eq!(
            desk.browser.texts("[role=tabpanel] h2"),
            [
                "History",
                "User Identity",
                "Metadata",
                "Identity Provider Attributes",
                "What is different now"
            ]
        );
        let identity = desk.browser.text("[data-testid=section-identity]");
        assert!(identity.contains("Jane Doe") && !identity.contains("Joan"), "{identity}");
        let bag = "document.querySelector('[data-testid=past-user_metadata] json-editor').value";
        let shown = desk.browser.run(&format!("return {bag}"));
        let shown = shown.as_str().unwrap();
        assert!(shown.contains("surfing") && shown.contains("9007199254740993"), "{shown}");
        assert!(
            !desk.browser.has("[data-testid=review-button], [data-testid=section-idp] button"),
            "nothing to edit with"
        );
        desk.browser.run("document.querySelector('[data-testid=past-user_metadata] .cm-content, [data-testid=past-user_metadata] textarea').focus()");
        desk.browser.type_keys("x");
        assert_eq!(desk.browser.run(&format!("return {bag}")), shown);
        let since = desk.browser.text("[data-testid=section-since]");
        assert!(since.contains("\"surfing\" → \"sailing\""), "{since}");
        // The slider goes through the versions.
        desk.browser.run("document.querySelector('#past').focus()");
        desk.browser.press(&[key::RIGHT]);
        desk.browser.until_text(BANNER, &format!("Viewing version {second}"));
        desk.browser.until("document.activeElement.id === 'past'");
        desk.browser.press(&[key::END]);
        desk.browser.until_text(BANNER, &format!("Viewing version {third}"));
        assert!(desk.is_disabled(RESTORE), "that is how it is now");
        desk.quiet();
    }
}

#[test]
fn ui_40_restoring_is_reviewed_and_written_as_a_new_version() {
    let Some(desk) = desk() else { return };
    let [first, _, third] = grown(&desk);
    desk.open(&format!("{JANE}/history?version={first}"));
    desk.browser.click(RESTORE);
    let rows = desk.browser.run("return [...document.querySelectorAll('[data-testid=review] tbody tr')].map((row) => [row.dataset.op, row.dataset.bag, row.dataset.key])");
    assert_eq!(
        rows,
        json!([
            ["change", "user_metadata", "hobby"],
            ["change", "user_metadata", "big"],
            ["remove", "user_metadata", "theme"],
            ["remove", "app_metadata", "plan"]
        ])
    );
    let curl = desk.browser.text("[data-testid=curl]");
    assert!(curl.contains(&format!("if-match: \"{third}\"")), "{curl}");
    assert!(curl.contains("/dossier/v1/users/auth0%7Cjane/revert"), "{curl}");
    assert!(desk.profile().contains("sailing"), "nothing was written yet");
    desk.browser.click(SAVE);
    desk.browser.until_text("[data-testid=toast]", "Restored as version");
    desk.browser.until("!location.pathname.endsWith('/history')");
    desk.ready();
    let profile = desk.profile();
    assert!(profile.contains(r#""user_metadata":{"hobby":"surfing","big":9007199254740993}"#));
    assert!(profile.contains("Joan Doe"), "what is no metadata stays: {profile}");
    assert!(desk.server.get(TARGET).number("etag") > third);
    desk.quiet();
}

#[test]
fn ui_40_a_restore_does_not_overwrite_what_nobody_saw() {
    let Some(desk) = desk() else { return };
    desk.browser.deafen();
    let [first, ..] = grown(&desk);
    desk.open(&format!("{JANE}/history?version={first}"));
    desk.browser.click(RESTORE);
    desk.server.json("PATCH", TARGET, r#"{"user_metadata":{"hobby":"chess"}}"#).expect(200);
    desk.browser.click(SAVE);
    desk.browser.until_there("[data-testid=restore-conflict]");
    assert!(desk.profile().contains("chess"), "nothing was written");
    desk.browser.until_text("[data-testid=review]", "\"chess\" → \"surfing\"");
    desk.browser.click(SAVE);
    desk.browser.until_text("[data-testid=toast]", "Restored as version");
    assert!(desk.profile().contains("surfing"));
}

#[test]
fn ui_40_single_keys_are_chosen_and_the_rest_stays() {
    let Some(desk) = desk() else { return };
    desk.browser.deafen();
    let [first, ..] = grown(&desk);
    desk.open(&format!("{JANE}/history?version={first}"));
    desk.browser.click(RESTORE);
    assert_eq!(
        desk.body(),
        format!(
            r#"{{"to":{first},"only":["user_metadata.hobby","user_metadata.big","user_metadata.theme","app_metadata.plan"]}}"#
        )
    );
    let tick =
        |bag: &str, key: &str| format!("tr[data-bag={bag}][data-key={key}] input[type=checkbox]");
    // With the mouse and with the keyboard, which stays where it was.
    desk.browser.click(&tick("user_metadata", "hobby"));
    desk.browser.run_with(
        "document.querySelector(arguments[0]).focus()",
        &json!([tick("app_metadata", "plan")]),
    );
    desk.browser.press(&[" "]);
    let focused = format!("document.activeElement === document.querySelector({})", {
        json!(tick("app_metadata", "plan"))
    });
    desk.browser.until(&focused);
    let wanted = format!(r#"{{"to":{first},"only":["user_metadata.big","user_metadata.theme"]}}"#);
    assert_eq!(desk.body(), wanted);
    assert!(desk.browser.text("[data-testid=review] h3").contains("2 of 4 changes"));
    assert!(desk.browser.text(SAVE).contains("Restore 2 of 4 changes"));
    // Without any there is nothing to send.
    for key in ["big", "theme"] {
        desk.browser.click(&tick("user_metadata", key));
    }
    assert!(desk.is_disabled(SAVE));
    for key in ["big", "theme"] {
        desk.browser.click(&tick("user_metadata", key));
    }
    // What somebody else does meanwhile does not tick anything again.
    desk.server.json("PATCH", TARGET, r#"{"user_metadata":{"hobby":"chess"}}"#).expect(200);
    desk.browser.click(SAVE);
    desk.browser.until_there("[data-testid=restore-conflict]");
    assert_eq!(desk.body(), wanted);
    desk.browser.click(SAVE);
    desk.browser.until_text("[data-testid=toast]", "Restored as version");
    let profile = desk.profile();
    assert!(
        profile.contains(r#""user_metadata":{"hobby":"chess","big":9007199254740993}"#),
        "{profile}"
    );
    assert!(profile.contains(r#""app_metadata":{"plan":"gold"}"#), "{profile}");
}

#[test]
fn ui_41_a_time_shows_the_last_version_before_it() {
    let Some(desk) = desk() else { return };
    let [first, second, _] = grown(&desk);
    let entries = desk.server.get("/dossier/v1/users/auth0%7Cjane/history").json();
    let at = |index: usize| entries["entries"][index]["at"].as_str().unwrap().to_owned();
    desk.open(&format!("{JANE}/history"));
    desk.browser.type_into("#at", &at(1));
    desk.browser.press(&[key::ENTER]);
    // Changes of the same millisecond are one moment.
    let expected = if at(1) == at(0) { second + 1 } else { second };
    desk.browser.until_text(BANNER, &format!("Viewing version {expected}"));
    assert!(desk.browser.run("return location.search").as_str().unwrap().starts_with("?at="));
    desk.open(&format!("{JANE}/history?at=2001-01-01T00:00:00Z"));
    desk.browser.until_text("[data-testid=past-missing]", "did not exist yet");
    desk.open(&format!("{JANE}/history?version={}", first - 1));
    desk.browser.until_text("[data-testid=past-missing]", "did not exist yet");
    desk.open(&format!("{JANE}/history?at=yesterday"));
    desk.browser.until_text("[data-testid=past-missing]", "RFC 3339");
}

#[test]
fn a_viewer_sees_the_history_and_cannot_go_back() {
    let Some(desk) = desk() else { return };
    let [first, ..] = grown(&desk);
    desk.browser.click("[data-testid=sign-out]");
    desk.browser.until_there("#pass");
    desk.sign_in(r#"{"role":"viewer"}"#);
    desk.open(&format!("{JANE}/history?version={first}"));
    desk.browser.until_text(BANNER, "Viewing version");
    assert!(!desk.browser.has(RESTORE));
    desk.open(JANE);
    desk.browser.until_text("[data-testid=section-recent]", "created");
    assert!(!desk.browser.text("[data-testid=section-recent]").contains("Undo"));
}

#[test]
fn an_editor_restores_the_keys_that_are_theirs() {
    let Some(desk) = desk() else { return };
    desk.jane(r#"{"crm_a":1,"b":1}"#, "{}");
    let first = desk.server.get(TARGET).number("etag");
    desk.server.json("PATCH", TARGET, r#"{"user_metadata":{"crm_a":2,"b":2}}"#).expect(200);
    desk.browser.click("[data-testid=sign-out]");
    desk.browser.until_there("#pass");
    desk.sign_in(r#"{"role":"editor","prefixes":["crm_"]}"#);
    desk.open(&format!("{JANE}/history?version={first}"));
    desk.browser.click(RESTORE);
    assert_eq!(desk.browser.texts("[data-testid=review] tbody tr td:nth-child(2)"), ["crm_a"]);
    desk.browser.until_text("[data-testid=not-yours]", "1 other key differs");
    desk.browser.click(SAVE);
    desk.browser.until_text("[data-testid=toast]", "Restored as version");
    assert!(desk.profile().contains(r#""user_metadata":{"crm_a":1,"b":2}"#), "{}", desk.profile());
}

#[test]
fn without_a_history_nothing_speaks_of_it() {
    let server = Setup::default().set("history.enabled=false").start();
    let Some(desk) = desk_on(server) else { return };
    desk.on_jane("{}", "{}");
    assert!(!desk.browser.has("[data-testid=tab-history], [data-testid=section-recent]"));
    assert!(!desk.browser.has(".rail a[href$='/history']"));
    desk.quiet();
}

#[test]
fn the_last_change_can_be_undone_from_the_page() {
    let Some(desk) = desk() else { return };
    grown(&desk);
    desk.open(JANE);
    desk.browser.click("[data-testid=section-recent] li:nth-child(1) a");
    desk.browser.until_there("[data-testid=review]");
    desk.browser.click(SAVE);
    desk.browser.until_text("[data-testid=toast]", "Restored as version");
    let profile = desk.profile();
    assert!(!profile.contains("theme") && profile.contains("sailing"), "{profile}");
}

#[test]
fn each_key_says_who_set_it_and_when() {
    for kind in ["rich", "plain"] {
        let Some(desk) = desk() else { return };
        desk.browser
            .run_with("localStorage.setItem('dossier.editor', arguments[0])", &json!([kind]));
        let [first, second, _] = grown(&desk);
        desk.open(JANE);
        desk.browser.click("[data-testid=blame-user_metadata]");
        let notes = "[data-testid=editor-user_metadata] :is(.note, .cm-notes .cm-gutterElement)";
        desk.browser.until(&format!(
            "[...document.querySelectorAll('{notes}')].some((one) => one.textContent.startsWith('v{second} · '))"
        ));
        let list = "[data-testid=editor-user_metadata] ul li";
        let told = desk.browser.texts(list);
        assert!(told[0].starts_with(&format!("hobby: v{second} · ")), "{told:?}");
        assert!(told[0].contains("just now") && told[0].ends_with("@clients"), "{told:?}");
        desk.edit("user_metadata", r#"{"hobby":"chess","big":9007199254740995,"theme":"dark"}"#);
        assert_eq!(desk.browser.texts(list)[0], "hobby: not saved");
        desk.edit("user_metadata", r#"{"hobby":"sailing","big":9007199254740995,"theme":"dark"}"#);
        // Somebody else's change tells of itself.
        let patch = r#"{"user_metadata":{"theme":"light"}}"#;
        let version = desk.server.json("PATCH", TARGET, patch).expect(200).number("etag");
        desk.browser.until(&format!(
            "document.querySelector('{list}:nth-child(3)').textContent.startsWith('theme: v{version} ')"
        ));
        desk.browser.click("[data-testid=blame-user_metadata]");
        assert!(desk.browser.texts(list).is_empty());
        assert!(first < second);
        desk.quiet();
    }
}

#[test]
fn the_history_of_the_tenant_is_listed_and_goes_on() {
    let Some(desk) = desk() else { return };
    let [_, second, third] = grown(&desk);
    desk.open("/ui/t/default/history");
    let feed = "[data-testid=feed]";
    let first = format!("{feed} li:nth-child(1)");
    desk.browser.until_text(&first, &format!("v{third}"));
    let told = desk.browser.text(&format!("{first} .told"));
    assert!(told.contains("@clients changed auth0|jane: name, user_metadata.big"), "{told}");
    assert!(desk.browser.text(&format!("{feed} li:nth-child(2)")).contains(&format!("v{second}")));
    assert_eq!(desk.browser.text("[data-testid=live]"), "live");
    let made = desk.server.json("POST", "/api/v2/users", r#"{"connection":"Username-Password-Authentication","user_id":"new","email":"new@example.com"}"#).expect(201);
    desk.browser.until_text(&first, "created auth0|new");
    desk.browser.click(&format!("{first} [data-testid=diff]"));
    assert_eq!(desk.browser.text("[data-testid=live]"), "paused");
    desk.server.json("PATCH", TARGET, r#"{"user_metadata":{"hobby":"chess"}}"#).expect(200);
    desk.browser.click("[data-testid=go-on]");
    desk.browser.until_text(&first, "user_metadata.hobby");
    desk.browser.click(&format!("{feed} li:nth-child(2) a.btn"));
    desk.browser.until_text(BANNER, &format!("Viewing version {}", made.number("etag")));
    desk.open("/ui/t/default");
    desk.browser.until_text("[data-testid=recent-changes]", "user_metadata.hobby");
    desk.browser.press(&["g"]);
    desk.browser.press(&["h"]);
    desk.browser.until("location.pathname === '/ui/t/default/history'");
    desk.quiet();
}

#[test]
fn older_changes_are_a_click_away() {
    let Some(desk) = desk() else { return };
    desk.jane("{}", "{}");
    for number in 0..55 {
        let body = format!(r#"{{"user_metadata":{{"n":{number}}}}}"#);
        desk.server.json("PATCH", TARGET, &body).expect(200);
    }
    desk.open("/ui/t/default/history");
    let rows = || desk.browser.texts("[data-testid=feed] > li").len();
    assert_eq!(rows(), 50);
    desk.browser.click("[data-testid=older]");
    desk.browser.until("document.querySelectorAll('[data-testid=feed] > li').length > 55");
    let versions = desk.browser.run("return [...document.querySelectorAll('[data-testid=feed] > li')].map((one) => Number(one.dataset.version))");
    let versions: Vec<u64> =
        versions.as_array().unwrap().iter().map(|one| one.as_u64().unwrap()).collect();
    assert!(versions.is_sorted_by(|left, right| left > right), "{versions:?}");
}
