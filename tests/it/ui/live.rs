//! What others change while a page is open.

use super::{JANE, REVIEW, SAVE, desk};

const TARGET: &str = "/api/v2/users/auth0%7Cjane";
const NOTICE: &str = "[data-testid=live-notice]";
const FULL: &str = r#"{"hobby":"surfing","newsletter":true}"#;

#[test]
fn ui_26_another_persons_change_is_shown_at_once() {
    for kind in ["rich", "plain"] {
        let Some(desk) = desk() else { return };
        desk.browser.run(&format!("localStorage.setItem('dossier.editor', '{kind}')"));
        desk.on_jane(FULL, r#"{"plan":"full"}"#);
        desk.browser.until_text("[data-testid=section-recent]", "created");
        // What a reload, of the document or of what the page shows, would not leave.
        desk.browser.run("window.stayed = document.querySelector('main').firstElementChild");
        let patch = r#"{"app_metadata":{"plan":"gold"},"name":"Joan Doe"}"#;
        let version = desk.server.json("PATCH", TARGET, patch).expect(200).number("etag");
        desk.browser.until_text(NOTICE, &format!("(version {version})"));
        assert_eq!(desk.browser.run("return window.stayed?.isConnected ?? false"), true);
        let told = desk.browser.text(NOTICE);
        assert!(told.contains("app_metadata.plan") && told.contains("@clients"), "{told}");
        assert!(desk.edited("app_metadata").contains("gold"));
        assert_eq!(desk.browser.text("h1"), "Joan Doe");
        assert_eq!(desk.browser.text("[data-testid=version]"), format!("version {version}"));
        desk.browser.until_text("[data-testid=section-recent]", &format!("v{version}"));
        assert_eq!(desk.browser.run("return window.stayed?.isConnected ?? false"), true);
        desk.quiet();
    }
}

#[test]
fn ui_26_unsaved_text_is_not_overwritten_and_goes_on_top() {
    let Some(desk) = desk() else { return };
    desk.on_jane(FULL, r#"{"plan":"full"}"#);
    let text = FULL.replace("surfing", "sailing").replace(',', " ,");
    desk.edit("user_metadata", &text);
    let patch = r#"{"app_metadata":{"plan":"gold"}}"#;
    let version = desk.server.json("PATCH", TARGET, patch).expect(200).number("etag");
    desk.browser.until_text(NOTICE, "Your unsaved changes do not touch it.");
    assert_eq!(desk.edited("user_metadata"), text, "to the letter");
    assert!(desk.edited("app_metadata").contains("gold"));
    desk.browser.click(REVIEW);
    assert!(desk.browser.text("[data-testid=curl]").contains(&format!("\"{version}\"")));
    desk.browser.click(SAVE);
    desk.browser.until_text("[data-testid=toast]", "Saved version");
    let profile = desk.profile();
    assert!(profile.contains("sailing") && profile.contains("gold"), "{profile}");
}

#[test]
fn ui_26_a_change_of_the_same_key_waits_for_the_question() {
    let Some(desk) = desk() else { return };
    desk.on_jane(FULL, "{}");
    let text = FULL.replace("surfing", "sailing");
    desk.edit("user_metadata", &text);
    desk.server.json("PATCH", TARGET, r#"{"user_metadata":{"hobby":"chess"}}"#).expect(200);
    desk.browser.until_text(NOTICE, "saving them asks first");
    assert_eq!(desk.edited("user_metadata"), text);
    desk.browser.click(REVIEW);
    desk.browser.click(SAVE);
    desk.browser.until_text("[data-testid=conflict]", "user_metadata.hobby");
    assert!(desk.profile().contains("chess"), "nothing was written");
}

#[test]
fn ui_26_ones_own_change_is_no_news() {
    let Some(desk) = desk() else { return };
    desk.on_jane(FULL, "{}");
    desk.edit("user_metadata", &FULL.replace("surfing", "sailing"));
    desk.save();
    // The feed has told of the own change when it tells of the next one.
    let patch = r#"{"app_metadata":{"plan":"gold"}}"#;
    let version = desk.server.json("PATCH", TARGET, patch).expect(200).number("etag");
    desk.browser.until_text(NOTICE, &format!("(version {version})"));
    assert!(!desk.browser.text(NOTICE).contains("hobby"));
}

#[test]
fn ui_26_a_change_of_another_part_of_the_page_is_ones_own_too() {
    let Some(desk) = desk() else { return };
    desk.on_jane(FULL, "{}");
    desk.browser.click("[data-testid=tab-claims]");
    desk.browser.click("[data-testid=add-entry]");
    desk.browser.type_into("dialog input.mono", "theme");
    desk.browser.click("dialog [data-action=save]");
    desk.browser.until_there("[data-entry=theme]");
    let version = desk.server.get(TARGET).number("etag");
    desk.browser.until_text("[data-testid=version]", &format!("version {version}"));
    assert!(!desk.browser.has(NOTICE), "{}", desk.browser.text(NOTICE));
}

#[test]
fn ui_26_a_user_who_was_deleted_is_said_to_be() {
    let Some(desk) = desk() else { return };
    desk.on_jane(FULL, "{}");
    desk.server.json("DELETE", TARGET, "").expect(204);
    desk.browser.until_text(NOTICE, "Deleted just now by");
}

#[test]
fn ui_53_what_others_write_stays_text_in_notices_and_history() {
    let Some(desk) = desk() else { return };
    desk.on_jane("{}", "{}");
    let evil = r#"{"user_metadata":{"<img src=x onerror=hit=1>":"<svg onload=hit=1>"},"name":"<script>hit=1</script>"}"#;
    let version = desk.server.json("PATCH", TARGET, evil).expect(200).number("etag");
    desk.browser.until_text(NOTICE, "<img src=x onerror=hit=1>");
    for page in
        [format!("{JANE}/history"), format!("{JANE}/history?version={version}"), JANE.to_owned()]
    {
        desk.open(&page);
        desk.browser.until_there("[data-testid=diff]");
        desk.browser.click("[data-testid=diff]");
        assert_eq!(desk.browser.run("return window.hit ?? null"), serde_json::json!(null));
        assert!(!desk.browser.has("main img, main script, main [onerror], main [onload]"));
    }
    desk.quiet();
}
