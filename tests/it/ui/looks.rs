//! Accessibility and pictures of every page, in both themes and on a narrow screen.

use super::{Desk, JANE, REVIEW, desk, desk_on};
use crate::harness::Setup;
use serde_json::json;
use std::path::{Path, PathBuf};

const TARGET: &str = "/api/v2/users/auth0%7Cjane";

/// The accessibility checker, where the build fetched it.
fn axe() -> Option<String> {
    std::fs::read_to_string(Path::new(env!("OUT_DIR")).join("web/node_modules/axe-core/axe.min.js"))
        .ok()
}

/// What the pages are about: a client, and versions to look back at.
struct Furnished {
    client: String,
    client_past: u64,
    past: u64,
}

/// A tenant with something on every page.
fn furnish(desk: &Desk) -> Furnished {
    desk.jane(
        r#"{"hobby":"surfing","picture":"https://cdn.example/jane.png","newsletter":true,"addresses":{"home":"123 Main Street, Anytown"}}"#,
        r#"{"plan":"full","subscription":{"plan":"gold","seats":12},"roles":["viewer","editor"]}"#,
    );
    let past = desk.server.get(TARGET).number("etag");
    let patch = r#"{"user_metadata":{"hobby":"sailing","theme":"dark"},"app_metadata":{"plan":"gold"},"name":"Jane M. Doe"}"#;
    desk.server.json("PATCH", TARGET, patch).expect(200);
    desk.server.json("PATCH", TARGET, r#"{"user_metadata":{"theme":null}}"#).expect(200);
    for number in 0..12 {
        let body = format!(
            r#"{{"connection":"Username-Password-Authentication","user_id":"u{number}","email":"user{number}@example.com"}}"#
        );
        desk.server.json("POST", "/api/v2/users", &body).expect(201);
    }
    desk.server.json("PUT", "/api/user/auth0%7Cjane/metadata", r#"{"metadata":[{"key":"theme","value":"Dark mode","profileClaim":true},{"key":"note","value":"x","profileClaim":false}]}"#).expect(200);
    let machine = desk
        .server
        .json("POST", "/api/v2/clients", r#"{"name":"Support desk","app_type":"non_interactive"}"#)
        .expect(201)
        .json();
    let grant = json!({"client_id": machine["client_id"], "audience": format!("{}/api/v2/", desk.server.url), "scope": ["read:users", "update:users", "update:users_app_metadata", "read:clients"]});
    desk.server.json("POST", "/api/v2/client-grants", &grant.to_string()).expect(201);
    let made = desk.server.json("POST", "/api/v2/clients", r#"{"name":"Web shop","app_type":"spa","client_metadata":{"colour":"red","region":"eu"}}"#).expect(201);
    let client = made.json()["client_id"].as_str().unwrap().to_owned();
    let patch = r#"{"name":"Corner shop","client_metadata":{"colour":"blue","size":"big"}}"#;
    desk.server.json("PATCH", &format!("/api/v2/clients/{client}"), patch).expect(200);
    let left = r#"{"connection":"Username-Password-Authentication","user_id":"left","email":"left@example.com","name":"Lena Left","user_metadata":{"hobby":"chess"},"app_metadata":{"plan":"gold"}}"#;
    desk.server.json("POST", "/api/v2/users", left).expect(201);
    desk.server.json("DELETE", "/api/v2/users/auth0%7Cleft", "").expect(204);
    Furnished { client, past, client_past: made.number("etag") }
}

/// Every page, its name, its address, and what is done on it before it is looked at.
fn pages(furnished: &Furnished) -> Vec<(&'static str, String)> {
    let Furnished { client, client_past, past } = furnished;
    let client = format!("/ui/t/default/clients/{client}");
    vec![
        ("overview", "/ui/t/default".to_owned()),
        ("users", "/ui/t/default/users".to_owned()),
        ("users-columns", "/ui/t/default/users?per_page=10".to_owned()),
        ("users-error", "/ui/t/default/users?q=name%3A%28a%20OR".to_owned()),
        ("users-none", "/ui/t/default/users?q=name%3Anobody".to_owned()),
        ("user", JANE.to_owned()),
        ("user-review", JANE.to_owned()),
        ("user-wrong", JANE.to_owned()),
        ("user-raw", format!("{JANE}/raw")),
        ("user-claims", format!("{JANE}/claims")),
        ("user-history", format!("{JANE}/history")),
        ("user-past", format!("{JANE}/history?version={past}")),
        ("user-restore", format!("{JANE}/history?version={past}&restore=1")),
        ("user-blame", JANE.to_owned()),
        ("history", "/ui/t/default/history".to_owned()),
        ("user-gone", "/ui/t/default/users/auth0%7Cleft".to_owned()),
        ("user-back", "/ui/t/default/users/auth0%7Cleft?restore=1".to_owned()),
        ("user-missing", "/ui/t/default/users/auth0%7Cnobody".to_owned()),
        ("user-long", format!("/ui/t/default/users/auth0%7C{}", "W".repeat(200))),
        ("clients", "/ui/t/default/clients".to_owned()),
        ("client", client.clone()),
        ("client-blame", client.clone()),
        ("client-history", format!("{client}/history")),
        ("client-restore", format!("{client}/history?version={client_past}&restore=1")),
        ("client-raw", format!("{client}/raw")),
        ("requests", "/ui/t/default/requests".to_owned()),
        ("tokens", "/ui/t/default/tokens".to_owned()),
        ("settings", "/ui/settings".to_owned()),
    ]
}

fn arrange(desk: &Desk, name: &str, path: &str) {
    desk.open(path);
    match name {
        "user-review" => {
            desk.edit("user_metadata", "{\n  \"hobby\": \"sailing\",\n  \"picture\": \"https://cdn.example/jane.png\",\n  \"theme\": \"dark\",\n  \"addresses\": {\n    \"home\": \"123 Main Street, Anytown\"\n  }\n}");
            desk.browser.click(REVIEW);
        }
        "user-history" | "client-history" | "history" => {
            desk.browser.click("li:nth-child(2) [data-testid=diff]");
        }
        "user-restore" | "user-back" | "client-restore" => {
            desk.browser.until_there("[data-testid=review]");
        }
        "client-blame" => {
            desk.browser.click("[data-testid=blame-client_metadata]");
            desk.browser.until_text("[data-testid=set-by]", "@clients");
        }
        "user-blame" => {
            desk.browser.click("[data-testid=blame-user_metadata]");
            desk.browser.click("[data-testid=blame-app_metadata]");
            desk.browser
                .until("document.querySelectorAll('article.editor ul').length === 2 && [...document.querySelectorAll('article.editor ul')].every((one) => one.children.length > 0)");
            let patch = r#"{"app_metadata":{"plan":"gold","seen":1}}"#;
            desk.server.json("PATCH", TARGET, patch).expect(200);
            desk.server.json("PATCH", TARGET, r#"{"app_metadata":{"seen":null}}"#).expect(200);
            desk.browser.until_there("[data-testid=live-notice]");
        }
        "overview" => {
            // On a narrow screen the rail is put away.
            desk.browser.run("document.querySelector('[data-testid=tenant-switch]').open = true");
            desk.browser.until_text("[data-testid=tenant-switch]", "no other tenant");
            desk.browser.click("[data-testid=take-snapshot]");
            desk.browser.until("document.querySelector('[data-testid=snapshot-result]')?.textContent.includes(' ')");
        }
        "users-columns" => {
            desk.browser.click("[data-testid=columns] summary");
        }
        "settings" => {
            // A page of files, with one that was looked at.
            if !desk.browser.has("[data-snapshot]") {
                desk.browser.click("[data-testid=take-snapshot]");
            }
            desk.browser.click("[data-snapshot] [data-testid=verify]");
            desk.browser.until_text("[data-testid=snapshot-said]", "is good");
        }
        "requests" => {
            desk.browser.click("[data-testid=requests] li:nth-child(2) [data-testid=details]");
            desk.browser.until_text("[data-testid=live]", "paused");
        }
        "tokens" => {
            desk.browser.click("[data-testid=make-token]");
            desk.browser.until_there("[data-testid=copy-token]");
            let token = desk.server.admin().strip_prefix("Bearer ").unwrap().to_owned();
            desk.browser.run_with(
                "document.querySelector('[data-testid=inspect-token]').value = arguments[0]",
                &json!([token]),
            );
            desk.browser.click("[data-testid=inspect]");
            desk.browser.until_text("[data-testid=inspected]", "valid here");
        }
        "user-wrong" => {
            desk.edit("user_metadata", "{\n  \"a.b\": 1,\n  \"hobby\": \"sailing\"\n  \"x\"\n}");
        }
        _ => {}
    }
}

fn tidy(desk: &Desk) {
    desk.browser.run("Object.keys(localStorage).filter((key) => key.startsWith('dossier.draft:')).forEach((key) => localStorage.removeItem(key)); window.onbeforeunload = null");
    desk.browser.run("for (const pane of document.querySelectorAll('article.editor')) pane.querySelector('footer .btn:last-child')?.click()");
}

#[track_caller]
fn faultless(desk: &Desk, axe: &str, name: &str) {
    desk.browser.run(&format!("{axe}; return true"));
    let found = desk.browser.run_async("const done = arguments[0]; axe.run(document).then((result) => done(result.violations.map((one) => [one.id, one.nodes.slice(0, 4).map((node) => node.html.slice(0, 200) + ' | ' + node.any.map((why) => why.message).join('; '))])), (error) => done(String(error)))");
    assert_eq!(found, json!([]), "{name}: {found:#}");
}

/// The page of who has no users yet.
#[track_caller]
fn empty(desk: &Desk, axe: &str) {
    for theme in ["light", "dark"] {
        desk.browser
            .run_with("localStorage.setItem('dossier.theme', arguments[0])", &json!([theme]));
        desk.open("/ui/t/default/users");
        faultless(desk, axe, &format!("no users {theme}"));
    }
}

#[test]
fn ui_50_no_page_has_an_accessibility_fault_in_either_theme() {
    let Some(axe) = axe() else {
        assert_ne!(
            std::env::var("DOSSIER_UI_TESTS").unwrap_or_default(),
            "require",
            "axe-core comes with the editor's packages"
        );
        return;
    };
    let Some(desk) = desk_on(Setup::default().set("test.enabled=true").start()) else { return };
    empty(&desk, &axe);
    let furnished = furnish(&desk);
    for theme in ["light", "dark"] {
        desk.browser
            .run_with("localStorage.setItem('dossier.theme', arguments[0])", &json!([theme]));
        for kind in ["rich", "plain"] {
            desk.browser
                .run_with("localStorage.setItem('dossier.editor', arguments[0])", &json!([kind]));
            for (name, path) in pages(&furnished) {
                if kind == "plain" && !name.starts_with("user") {
                    continue;
                }
                arrange(&desk, name, &path);
                faultless(&desk, &axe, &format!("{name} {theme} {kind}"));
                tidy(&desk);
            }
        }
        desk.open("/ui/t/default/users");
        desk.browser.click("[data-testid=new-user]");
        faultless(&desk, &axe, &format!("dialog {theme}"));
        desk.browser.click("dialog button[value='']");
        desk.open("/ui/settings");
        desk.browser.click("[data-snapshot] [data-testid=download]");
        faultless(&desk, &axe, &format!("download {theme}"));
        desk.browser.click("dialog button[value='']");
    }
    desk.browser.click("[data-testid=sign-out]");
    desk.browser.until_there("#pass");
    faultless(&desk, &axe, "login");
}

/// Draws pages in both themes, on a wide and a narrow screen, where nothing may stick out.
#[track_caller]
fn draw(desk: &Desk, pages: &[(&str, String)]) {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../screenshots");
    std::fs::create_dir_all(&folder).unwrap();
    for (look, theme, width) in [
        ("light", "light", 1360),
        ("dark", "dark", 1360),
        ("narrow", "light", 360),
        ("narrow-dark", "dark", 360),
    ] {
        desk.browser
            .run_with("localStorage.setItem('dossier.theme', arguments[0])", &json!([theme]));
        for (name, path) in pages {
            // The height is the page's own: what is drawn by its place in the window is drawn whole.
            desk.browser.resize(width, 900);
            arrange(desk, name, path);
            let over = desk.browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth");
            assert_eq!(over, json!(0), "{name} {look}");
            let height = desk.browser.run("return document.documentElement.scrollHeight");
            desk.browser.resize(width, u32::try_from(height.as_u64().unwrap()).unwrap());
            desk.browser.run_async(
                "requestAnimationFrame(() => requestAnimationFrame(() => arguments[0]()))",
            );
            std::fs::write(folder.join(format!("{name}-{look}.png")), desk.browser.picture())
                .unwrap();
            tidy(desk);
        }
    }
}

#[test]
fn ui_51_every_page_fits_360_pixels_and_is_drawn() {
    let Some(desk) = desk_on(Setup::default().set("test.enabled=true").start()) else { return };
    draw(&desk, &[("users-empty", "/ui/t/default/users".to_owned())]);
    draw(&desk, &pages(&furnish(&desk)));
    desk.browser.resize(360, 900);
    desk.open("/ui/t/default");
    desk.browser.click(".menu");
    desk.browser.click(".rail a[href='/ui/t/default/users']");
    desk.browser.until("location.pathname.endsWith('/users')");
}

#[test]
fn ui_57_theme_and_zone_are_remembered_and_motion_is_left_out() {
    let Some(desk) = desk() else { return };
    desk.on_jane("{}", "{}");
    let theme = |wanted: &str| {
        desk.browser.until(&format!("document.documentElement.dataset.theme === '{wanted}'"));
    };
    let prefer = |scheme: &str| {
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}]});
        desk.browser.chrome("Emulation.setEmulatedMedia", &features);
    };
    prefer("dark");
    theme("dark");
    prefer("light");
    theme("light");
    assert_eq!(
        desk.browser
            .run("return getComputedStyle(document.querySelector('.btn')).transitionDuration"),
        json!("0s")
    );
    desk.browser.click("#theme");
    theme("dark");
    desk.browser.run("location.reload()");
    desk.ready();
    theme("dark");
    assert!(desk.browser.text("[data-testid=section-identity]").contains(" UTC"));
    desk.open("/ui/settings");
    desk.browser.run("const select = document.querySelector('#pick-zone'); select.value = 'local'; select.dispatchEvent(new Event('change'))");
    desk.open(JANE);
    assert!(!desk.browser.text("[data-testid=section-identity]").contains(" UTC"));
}
