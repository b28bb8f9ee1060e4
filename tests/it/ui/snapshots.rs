//! The snapshots on the settings page: taken, verified, downloaded, and by whom.

use super::{Desk, desk, desk_on};
use crate::harness::{Bearer, Setup, until};
use serde_json::{Value, json};
use std::fs;

const TAKE: &str = "[data-testid=take-snapshot]";
const SAID: &str = "[data-testid=snapshot-said]";

fn somebody(desk: &Desk, id: &str) {
    let body = format!(
        r#"{{"connection":"Username-Password-Authentication","user_id":"{id}","email":"{id}@example.com"}}"#
    );
    desk.server.json("POST", "/api/v2/users", &body).expect(201);
}

/// The names of the files that are shown.
fn files(desk: &Desk) -> Vec<String> {
    let shown = desk.browser.run(
        "return [...document.querySelectorAll('[data-snapshot]')].map((one) => one.dataset.snapshot)",
    );
    shown.as_array().unwrap().iter().map(|one| one.as_str().unwrap().to_owned()).collect()
}

#[test]
fn ui_71_snapshots_are_taken_verified_and_downloaded_on_the_settings_page() {
    let Some(desk) = desk() else { return };
    let folder = tempfile::tempdir().unwrap();
    let wanted = json!({"behavior": "allow", "downloadPath": folder.path()});
    desk.browser.chrome("Browser.setDownloadBehavior", &wanted);
    somebody(&desk, "one");
    desk.open("/ui/settings");
    desk.browser.until_there("[data-testid=no-snapshots]");
    desk.browser.click(TAKE);
    desk.browser.until_text("[data-testid=snapshot-result]", "verified");
    desk.browser.until("document.querySelectorAll('[data-snapshot]').length === 1");
    somebody(&desk, "two");
    desk.browser.click(TAKE);
    desk.browser.until("document.querySelectorAll('[data-snapshot]').length === 2");
    let names = files(&desk);
    let row = desk.browser.text("[data-snapshot]");
    for part in [names[0].as_str(), "default", "2 users", "format 1", "verified"] {
        assert!(row.contains(part), "{part} is not in {row}");
    }
    desk.browser.click("[data-snapshot] [data-testid=verify]");
    desk.browser.until_text(SAID, "is good: every byte");
    // Nothing is downloaded before it was said what is in it.
    desk.browser.click("[data-snapshot] [data-testid=download]");
    desk.browser.until_text("dialog", "hashes of passwords");
    desk.browser.click("dialog button[value='']");
    desk.browser.until("!document.querySelector('dialog')");
    assert!(!desk.server.log().contains("a snapshot is downloaded"));
    desk.browser.click("[data-snapshot] [data-testid=download]");
    desk.browser.click("dialog button[value=yes]");
    let path = folder.path().join(&names[0]);
    let original = fs::read(desk.server.data_dir().join("snapshots").join(&names[0])).unwrap();
    until("the downloaded file", || {
        fs::read(&path).is_ok_and(|bytes| bytes == original).then_some(())
    });
    desk.quiet();
}

#[test]
fn a_damaged_snapshot_is_called_so_and_one_that_is_gone_is_told_as_gone() {
    let Some(desk) = desk() else { return };
    for user in ["one", "two"] {
        somebody(&desk, user);
        desk.server.json("POST", "/dossier/v1/snapshots", "").expect(200);
    }
    desk.open("/ui/settings");
    let names = files(&desk);
    let path = |name: &str| desk.server.data_dir().join("snapshots").join(name);
    let mut bytes = fs::read(path(&names[0])).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path(&names[0]), bytes).unwrap();
    desk.browser.click("[data-snapshot] [data-testid=verify]");
    desk.browser.until_text(SAID, "is damaged, at byte");
    assert!(desk.browser.text("[data-snapshot]").contains("damaged"));
    desk.open("/ui/t/default");
    desk.browser.until_text("[aria-labelledby=h-snapshots]", "damaged");
    desk.open("/ui/settings");
    fs::remove_file(path(&names[1])).unwrap();
    desk.browser.click(&format!("[data-snapshot='{}'] [data-testid=download]", names[1]));
    desk.browser.click("dialog button[value=yes]");
    desk.browser.until_text(SAID, "This file is gone");
    desk.browser.until("document.querySelectorAll('[data-snapshot]').length === 1");
}

#[test]
fn the_list_of_snapshots_that_cannot_be_had_is_asked_for_again() {
    let Some(desk) = desk() else { return };
    somebody(&desk, "one");
    desk.server.json("POST", "/dossier/v1/snapshots", "").expect(200);
    desk.browser.chrome("Network.enable", &json!({}));
    let block =
        |urls: Value| desk.browser.chrome("Network.setBlockedURLs", &json!({ "urls": urls }));
    block(json!(["*/dossier/v1/snapshots*"]));
    desk.open("/ui/settings");
    desk.browser.until_text("[data-testid=snapshots]", "No answer");
    assert!(desk.browser.has("[data-setting='log.level']"), "the rest of the page is there");
    block(json!([]));
    desk.browser.click("[data-testid=snapshots-again]");
    desk.browser.until_there("[data-snapshot]");
}

#[test]
fn many_snapshots_are_shown_page_by_page_and_what_no_start_uses_is_called_so() {
    let Some(desk) = desk() else { return };
    somebody(&desk, "one");
    desk.server.json("POST", "/dossier/v1/snapshots", "").expect(200);
    let folder = desk.server.data_dir().join("snapshots");
    let own = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    for number in 1..=25 {
        fs::copy(&own, folder.join(format!("0-1000-{number}.snap"))).unwrap();
    }
    desk.open("/ui/settings");
    desk.browser.until_text("[data-testid=snapshots]", "1–20 of 26");
    assert_eq!(files(&desk).len(), 20);
    assert!(desk.browser.text("[data-testid=snapshots]").contains("no start uses it"));
    desk.browser.click("[data-testid=snapshots] footer button:last-child");
    desk.browser.until_text("[data-testid=snapshots]", "21–26 of 26");
    assert_eq!(files(&desk).len(), 6);
    desk.browser.click("[data-testid=snapshots] footer button:first-child");
    desk.browser.until_text("[data-testid=snapshots]", "1–20 of 26");
    desk.quiet();
}

#[test]
fn who_may_not_have_them_is_offered_none() {
    let Some(desk) = desk_on(Setup::default().start()) else { return };
    somebody(&desk, "one");
    desk.server.json("POST", "/dossier/v1/snapshots", "").expect(200);
    desk.sign_in(r#"{"role":"viewer"}"#);
    desk.open("/ui/settings");
    assert!(!desk.browser.has("[data-testid=snapshots]") && !desk.browser.has(TAKE));
    desk.open("/ui/t/default");
    assert!(!desk.browser.has("[data-testid=all-snapshots]") && !desk.browser.has(TAKE));
    // An operator without the scope of the files.
    let bearer = Bearer::with(&["dossier:operator"]);
    let bearer = format!("Bearer {}", desk.server.token(&bearer));
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let made = desk.server.request("POST", "/dossier/v1/login-links", &headers, Some(b"{}"));
    desk.browser.go(made.expect(201).json()["url"].as_str().unwrap());
    desk.browser.until("document.querySelector('.rail') !== null");
    desk.open("/ui/settings");
    assert!(
        desk.browser.has("[data-testid=verify]") && !desk.browser.has("[data-testid=download]")
    );
    desk.quiet();
}

#[test]
fn in_memory_nothing_is_offered() {
    let Some(desk) = desk_on(Setup::default().set("storage.mode=memory").start()) else { return };
    desk.open("/ui/settings");
    desk.browser.until_text("[data-testid=snapshots]", "in memory only");
    assert_eq!(
        desk.browser.run_with(
            "return document.querySelector(arguments[0]).checkVisibility()",
            &json!([TAKE])
        ),
        json!(false)
    );
}
