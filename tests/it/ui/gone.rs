//! Who was deleted: their page, their history, and the way back.

use super::history::{BANNER, RESTORE, TARGET, grown};
use super::{JANE, SAVE, desk, desk_on};
use crate::harness::Setup;
use serde_json::json;

const GONE: &str = "[data-testid=gone]";
const MISSING: &str = "[data-testid=missing]";

#[test]
fn who_was_deleted_is_shown_as_they_were_with_who_deleted_them_and_when() {
    for kind in ["rich", "plain"] {
        let Some(desk) = desk() else { return };
        desk.browser
            .run_with("localStorage.setItem('dossier.editor', arguments[0])", &json!([kind]));
        let [first, _, third] = grown(&desk);
        desk.server.json("DELETE", TARGET, "").expect(204);
        let list = desk.server.get("/dossier/v1/users/auth0%7Cjane/history?limit=1").json();
        let entry = &list["entries"][0];
        desk.open(JANE);
        let told = desk.browser.text(GONE);
        assert!(told.starts_with("This user was deleted"), "{told}");
        assert_eq!(desk.browser.text(&format!("{GONE} .actor")), entry["actor"].as_str().unwrap());
        assert_eq!(
            desk.browser.attribute(&format!("{GONE} time"), "datetime").as_deref(),
            entry["at"].as_str()
        );
        assert_eq!(desk.browser.text("h1"), "Joan Doe");
        let last = desk.browser.text(BANNER);
        assert!(last.starts_with(&format!("The last state, version {third}")), "{last}");
        assert_eq!(
            desk.browser.texts("main h2"),
            ["History", "User Identity", "Metadata", "Identity Provider Attributes"]
        );
        let bag = "document.querySelector('[data-testid=past-user_metadata] json-editor').value";
        let shown = desk.browser.run(&format!("return {bag}"));
        assert!(shown.as_str().unwrap().contains("9007199254740995"), "{shown}");
        desk.browser.run("document.querySelector('[data-testid=past-user_metadata] .cm-content, [data-testid=past-user_metadata] textarea').focus()");
        desk.browser.type_keys("x");
        assert_eq!(desk.browser.run(&format!("return {bag}")), shown);
        assert!(!desk.browser.has("[data-testid=review-button], [data-testid=block], [data-testid=delete], [data-testid=section-idp] button"));
        let operations = desk.browser.run(
            "return [...document.querySelectorAll('[data-operation]')].map((one) => one.dataset.operation)",
        );
        assert_eq!(operations, json!(["deleted", "changed", "changed", "created"]));
        // The way through the versions is the same as of anybody.
        desk.browser.click(&format!("[data-version=\"{first}\"] a"));
        desk.browser.until_text(BANNER, &format!("Viewing version {first}"));
        assert!(desk.browser.text("[data-testid=section-identity]").contains("Jane Doe"));
        desk.browser.click(&format!("{BANNER} a.btn"));
        desk.browser.until_text(BANNER, "The last state");
        let said: Vec<String> =
            desk.browser.console().into_iter().filter(|said| !said.contains("404")).collect();
        assert!(said.is_empty(), "{said:?}");
    }
}

#[test]
fn who_was_deleted_comes_back_whole_after_a_review() {
    let Some(desk) = desk() else { return };
    let [_, _, third] = grown(&desk);
    let before = desk.profile();
    desk.server.json("DELETE", TARGET, "").expect(204);
    desk.open(JANE);
    desk.browser.click(RESTORE);
    let keys = desk.browser.texts("[data-testid=review] tbody td:nth-child(2)");
    for key in ["user_id", "email", "name", "user_metadata", "app_metadata", "identities"] {
        assert!(keys.contains(&key.to_owned()), "{keys:?}");
    }
    let curl = desk.browser.text("[data-testid=curl]");
    assert!(curl.contains("/dossier/v1/users/auth0%7Cjane/revert"), "{curl}");
    assert!(curl.contains("-H 'if-none-match: *'"), "{curl}");
    assert_eq!(desk.body(), format!(r#"{{"to":{third}}}"#));
    desk.server.get(TARGET).expect(404);
    desk.browser.click(SAVE);
    desk.browser.until_text("[data-testid=toast]", "Brought back as version");
    desk.browser.until_there("[data-testid=section-recent]");
    assert!(!desk.browser.has(GONE));
    let after = desk.profile();
    let without_time = |text: &str| {
        let mut profile: serde_json::Value = serde_json::from_str(text).unwrap();
        profile.as_object_mut().unwrap().remove("updated_at");
        profile
    };
    assert_eq!(without_time(&after), without_time(&before));
    assert!(after.contains("9007199254740995"), "{after}");
}

#[test]
fn who_is_there_again_is_not_written_over() {
    let Some(desk) = desk() else { return };
    grown(&desk);
    desk.server.json("DELETE", TARGET, "").expect(204);
    desk.open(JANE);
    desk.browser.click(RESTORE);
    desk.jane(r#"{"hobby":"chess"}"#, "{}");
    desk.browser.click(SAVE);
    desk.browser.until_text("[data-testid=restore-conflict]", "is there again");
    assert!(desk.profile().contains("chess"), "nothing was written");
    desk.browser.click("[data-testid=restore-conflict] a");
    desk.browser.until_there("[data-testid=section-recent]");
    assert!(desk.edited("user_metadata").contains("chess"));
}

#[test]
fn whoever_may_not_make_users_brings_nobody_back() {
    let Some(desk) = desk() else { return };
    grown(&desk);
    desk.server.json("DELETE", TARGET, "").expect(204);
    for role in ["viewer", "editor"] {
        desk.browser.click("[data-testid=sign-out]");
        desk.browser.until_there("#pass");
        desk.sign_in(&json!({ "role": role }).to_string());
        desk.open(JANE);
        desk.browser.until_text(BANNER, "The last state");
        assert!(!desk.browser.has(RESTORE), "{role}");
    }
}

#[test]
fn of_who_was_erased_only_that_is_told() {
    let Some(desk) = desk() else { return };
    grown(&desk);
    desk.server.json("DELETE", "/dossier/v1/users/auth0%7Cjane?erase=true", "").expect(204);
    desk.open(JANE);
    let told = desk.browser.text(GONE);
    assert!(told.starts_with("This user was erased"), "{told}");
    assert!(told.ends_with("Of what was before nothing is kept."), "{told}");
    assert!(!desk.browser.has(&format!("{BANNER}, {RESTORE}, [data-testid=section-metadata]")));
    assert_eq!(desk.browser.texts("[data-testid=changes] > li").len(), 1);
    assert!(desk.browser.text("[data-testid=changes]").contains("erased the user"));
}

#[test]
fn without_a_history_who_was_deleted_is_like_who_never_was() {
    let server = Setup::default().set("history.enabled=false").start();
    let Some(desk) = desk_on(server) else { return };
    desk.jane("{}", "{}");
    desk.server.json("DELETE", TARGET, "").expect(204);
    desk.open(JANE);
    assert!(desk.browser.text(MISSING).contains("There is no user auth0|jane"));
}

#[test]
fn who_is_deleted_while_their_page_is_open_is_a_click_away() {
    let Some(desk) = desk() else { return };
    grown(&desk);
    desk.open(JANE);
    desk.server.json("DELETE", TARGET, "").expect(204);
    desk.browser.click("[data-testid=live-notice] a.btn");
    desk.browser.until_text(GONE, "This user was deleted");
}

#[test]
fn whose_account_was_linked_is_not_made_a_second_user() {
    let Some(desk) = desk() else { return };
    desk.jane("{}", "{}");
    for name in ["se|c\"o\\nd", "third"] {
        let body = json!({"connection": "Username-Password-Authentication", "user_id": name, "email": format!("{}@example.com", name.len())});
        desk.server.json("POST", "/api/v2/users", &body.to_string()).expect(201);
        let link = json!({"provider": "auth0", "user_id": name}).to_string();
        desk.server.json("POST", &format!("{TARGET}/identities"), &link).expect(201);
        let id = format!("auth0|{name}");
        let id = percent_encoding::utf8_percent_encode(&id, percent_encoding::NON_ALPHANUMERIC);
        desk.open(&format!("/ui/t/default/users/{id}"));
        desk.browser.until_text(GONE, "Their account is linked to Jane Doe now");
        assert!(!desk.browser.has(RESTORE));
        desk.browser.click(&format!("{GONE} a"));
        desk.browser.until_text("[data-testid=user-id] .chip-text", "auth0|jane");
    }
}

#[test]
fn who_cannot_be_looked_up_is_not_called_unknown_and_is_asked_for_again() {
    let Some(desk) = desk() else { return };
    grown(&desk);
    desk.server.json("DELETE", TARGET, "").expect(204);
    desk.browser.chrome("Network.enable", &json!({}));
    let block =
        |urls: &[&str]| desk.browser.chrome("Network.setBlockedURLs", &json!({ "urls": urls }));
    // Whether the account is linked to somebody else now.
    block(&["*/api/v2/users?*"]);
    desk.open(JANE);
    let told = desk.browser.text(MISSING);
    assert!(told.contains("could not be looked up") && told.contains("No answer"), "{told}");
    assert!(!told.contains("No such user"), "{told}");
    block(&[]);
    desk.browser.click("[data-testid=again]");
    desk.browser.until_text(GONE, "This user was deleted");
    // The same where the user itself could not be asked for.
    block(&["*/api/v2/users/*"]);
    desk.open(JANE);
    desk.browser.until_text("main", "Something went wrong");
    block(&[]);
    desk.browser.click("[data-testid=again]");
    desk.browser.until_text(GONE, "This user was deleted");
}
