//! The list of users, and the figures.

use super::browser::key;
use super::{desk, desk_on};
use crate::harness::Setup;
use serde_json::{Value, json};

fn crowd(desk: &super::Desk, count: usize) {
    for number in 0..count {
        let body = format!(
            r#"{{"connection":"Username-Password-Authentication","user_id":"u{number:03}","email":"u{number:03}@example.com","name":"User {number:03}","user_metadata":{{"n":{number}}},"app_metadata":{{"plan":"{}"}}}}"#,
            if number % 3 == 0 { "gold" } else { "free" }
        );
        desk.server.json("POST", "/api/v2/users", &body).expect(201);
    }
}

fn ids(desk: &super::Desk) -> Vec<String> {
    let found = desk
        .browser
        .run("return [...document.querySelectorAll('[data-row]')].map((row) => row.dataset.row)");
    found.as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
}

#[test]
fn ui_58_empty_lists_say_what_to_do() {
    let Some(desk) = desk() else { return };
    desk.open("/ui/t/default/users");
    assert!(desk.browser.text("[data-testid=no-users]").contains("curl"));
    crowd(&desk, 1);
    desk.open("/ui/t/default/users?q=name:nobody");
    assert!(desk.browser.text("[data-testid=no-results]").contains("name:nobody"));
    desk.browser.click("[data-testid=no-results] button");
    desk.browser.until_there("[data-row='auth0|u000']");
    desk.quiet();
}

#[test]
fn ui_58_without_users_one_is_made_imported_or_in_test_mode_a_hundred_are_loaded() {
    let Some(desk) = desk_on(Setup::default().set("test.enabled=true").start()) else { return };
    desk.open("/ui/t/default/users");
    let empty = "[data-testid=no-users]";
    desk.browser.click(&format!("{empty} .btn.primary"));
    desk.browser.until_there("[data-testid=create-user]");
    desk.browser.press(&[key::ESCAPE]);
    desk.browser.until("!document.querySelector('dialog')");
    desk.browser.click(&format!("{empty} .btn:nth-of-type(2)"));
    desk.browser.until_there("[data-testid=import] input[type=file]");
    desk.browser.press(&[key::ESCAPE]);
    desk.browser.until("!document.querySelector('dialog')");
    desk.browser.click("[data-testid=samples]");
    desk.browser
        .until_text("[data-testid=import-state]", "100 rows: 100 new, 0 changed, 0 refused");
    desk.browser.press(&[key::ESCAPE]);
    desk.browser.until_text("[data-testid=summary]", "100 users");
    let found =
        desk.server.get("/api/v2/users?q=app_metadata.plan:gold&include_totals=true&per_page=1");
    assert_eq!(found.expect(200).json()["total"], 25);
    desk.quiet();
}

#[test]
fn ui_58_samples_are_for_test_mode_and_for_who_may_make_users() {
    let Some(desk) = desk() else { return };
    desk.open("/ui/t/default/users");
    assert!(!desk.browser.has("[data-testid=samples]"));
    desk.browser.click("[data-testid=sign-out]");
    desk.browser.until_there("#pass");
    desk.sign_in(r#"{"role":"viewer"}"#);
    desk.open("/ui/t/default/users");
    assert_eq!(desk.browser.texts("[data-testid=no-users] .btn"), ["Copy the command"]);
}

#[test]
fn a_user_is_created_here() {
    let Some(desk) = desk() else { return };
    desk.open("/ui/t/default/users");
    desk.browser.click("[data-testid=new-user]");
    desk.browser.type_into("dialog input[type=email]", "new@example.com");
    desk.browser
        .run("document.querySelector('dialog textarea').value = '{\"big\": 9007199254740993}'");
    desk.browser.click("dialog button[value=create]");
    desk.browser.until_text("h1", "new@example.com");
    let found = desk.server.get("/api/v2/users-by-email?email=new@example.com");
    assert!(found.text().contains("9007199254740993"), "{}", found.text());
}

#[test]
fn ui_58_a_file_of_users_is_imported_and_what_was_refused_is_said() {
    let Some(desk) = desk() else { return };
    desk.open("/ui/t/default/users");
    desk.browser.click("[data-testid=import]");
    desk.browser.until_there("dialog input[type=file]");
    let choose = |text: &str| {
        desk.browser.run_with("const data = new DataTransfer(); data.items.add(new File([arguments[0]], 'users.json')); document.querySelector('dialog input[type=file]').files = data.files", &json!([text]));
        desk.browser.click("dialog [data-action=import]");
    };
    choose("[{");
    desk.browser.until_text("[data-testid=import] [role=alert]", "line 1, column");
    let users = json!([
        {"email": "a@example.com", "user_metadata": {"n": 1}},
        {"email": "no address"}
    ]);
    choose(&users.to_string());
    let state = "[data-testid=import-state]";
    desk.browser.until_text(state, "2 rows: 1 new, 0 changed, 1 refused");
    desk.browser.until_text("[data-testid=import-run] table", "no address");
    desk.browser.press(&[key::ESCAPE]);
    desk.browser.until("document.querySelectorAll('[data-row]').length === 1");
    desk.quiet();
}

#[test]
fn ui_60_the_query_is_the_apis_and_its_errors_have_a_caret() {
    let Some(desk) = desk() else { return };
    crowd(&desk, 7);
    desk.open("/ui/t/default/users");
    desk.browser.type_into("#query", "app_metadata.plan:gold");
    desk.browser.press(&[key::ENTER]);
    desk.browser.until_text("[data-testid=summary]", "3 users match");
    assert_eq!(ids(&desk), ["auth0|u000", "auth0|u003", "auth0|u006"]);
    let summary = desk.browser.text("[data-testid=summary]");
    assert!(summary.contains(" ms · scan"), "{summary}");
    let bad = "name:(a OR";
    desk.open(&format!(
        "/ui/t/default/users?q={}",
        percent_encoding::utf8_percent_encode(bad, percent_encoding::NON_ALPHANUMERIC)
    ));
    let answer = desk.server.get("/api/v2/users?q=name%3A%28a%20OR").json();
    let column = answer["column"].as_u64().unwrap();
    let shown = desk.browser.text("[data-testid=query-error]");
    assert!(shown.contains(&format!("Column {column}:")), "{shown}");
    let caret = desk.browser.text("[data-testid=query-error] pre");
    let expected = format!("{bad}\n{}^", " ".repeat(usize::try_from(column).unwrap() - 1));
    assert_eq!(caret, expected);
}

#[test]
fn ui_60_an_indexed_search_says_so() {
    let server = Setup::default().set("search.index_from=1").start();
    let Some(desk) = desk_on(server) else { return };
    crowd(&desk, 3);
    // The first search asks for the index, which is made beside the work.
    crate::harness::until("an index", || {
        desk.open("/ui/t/default/users?q=app_metadata.plan:free");
        let summary = desk.browser.text("[data-testid=summary]");
        assert!(summary.starts_with("2 users match · "), "{summary}");
        summary.ends_with(" ms · index").then_some(())
    });
}

#[test]
fn ui_61_searches_are_kept_here_and_examples_can_be_tried() {
    let Some(desk) = desk() else { return };
    crowd(&desk, 3);
    desk.open("/ui/t/default/users?q=user_metadata.n:2");
    desk.browser.until_there("[data-row]");
    desk.open("/ui/t/default/users");
    desk.browser.click("#query");
    desk.browser.until_text("[role=option]", "user_metadata.n:2");
    desk.browser.press(&[key::ESCAPE]);
    desk.browser.click(".help summary");
    assert_eq!(desk.browser.texts(".help li").len(), 8);
    desk.browser.click(".help li:nth-child(4) button");
    desk.browser.until("new URL(location.href).searchParams.get('q') === 'app_metadata.plan:gold'");
    desk.browser.until_text("[data-testid=summary]", "1 user match");
}

#[test]
fn every_example_is_a_query_the_server_reads() {
    let Some(desk) = desk() else { return };
    crowd(&desk, 1);
    for at in 1..=8 {
        desk.open("/ui/t/default/users");
        desk.browser.click(".help summary");
        desk.browser.click(&format!(".help li:nth-child({at}) button"));
        desk.browser.until("location.search !== ''");
        desk.ready();
        assert!(
            !desk.browser.has("[role=alert]"),
            "example {at}: {}",
            desk.browser.text("[role=alert]")
        );
    }
}

#[test]
fn ui_62_what_was_just_written_is_found() {
    let Some(desk) = desk() else { return };
    for number in 0..100 {
        let body = format!(
            r#"{{"connection":"Username-Password-Authentication","user_id":"f{number}","user_metadata":{{"fresh":"v{number}"}},"email":"f{number}@example.com"}}"#
        );
        desk.server.json("POST", "/api/v2/users", &body).expect(201);
        desk.open(&format!("/ui/t/default/users?q=user_metadata.fresh:v{number}"));
        assert_eq!(ids(&desk), [format!("auth0|f{number}")]);
    }
}

#[test]
fn ui_63_sorting_and_paging_are_in_the_address() {
    let Some(desk) = desk() else { return };
    crowd(&desk, 25);
    desk.open("/ui/t/default/users?per_page=10");
    assert_eq!(ids(&desk).len(), 10);
    desk.browser.click("[data-sort=name]");
    desk.browser.until("document.querySelector('[aria-sort=ascending]')");
    desk.browser.click("[data-sort=name]");
    desk.browser.until("document.querySelector('[aria-sort=descending]')");
    assert_eq!(ids(&desk)[0], "auth0|u024");
    desk.browser.click("nav[aria-label=Pages] > a:last-child");
    desk.browser.until("document.querySelector('[data-row=\"auth0|u014\"]')");
    let address = desk.browser.run("return location.search");
    assert_eq!(address, "?sort=name%3A-1&page=2&per_page=10");
    desk.browser.run("location.reload()");
    desk.ready();
    assert_eq!(ids(&desk)[0], "auth0|u014");
    desk.browser.run("history.back()");
    desk.browser.until("document.querySelector('[data-row=\"auth0|u024\"]')");
}

#[test]
fn ui_64_ticked_users_are_patched_and_deleted_together() {
    let Some(desk) = desk() else { return };
    crowd(&desk, 4);
    desk.open("/ui/t/default/users");
    for id in ["u001", "u002"] {
        desk.browser.click(&format!("[data-row='auth0|{id}'] input"));
    }
    assert!(desk.browser.text("[data-testid=bulk]").contains("2 selected"));
    desk.browser.click("[data-testid=bulk] button:nth-of-type(2)");
    desk.browser.type_into("dialog textarea", r#"{"wave": 1.0}"#);
    desk.browser.click("dialog button[value=patch]");
    desk.browser
        .until("[...document.querySelectorAll('[data-testid=bulk-run] .badge.ok')].length === 2");
    assert!(desk.server.get("/api/v2/users/auth0%7Cu001").text().contains(r#""wave":1.0"#));
    assert!(!desk.server.get("/api/v2/users/auth0%7Cu003").text().contains("wave"));
    desk.browser.click("[data-testid=bulk-run] button");
    desk.browser.until(
        "!document.querySelector('dialog') && !document.querySelector('[data-testid=bulk]')",
    );
    for id in ["u001", "u002"] {
        desk.browser.click(&format!("[data-row='auth0|{id}'] input"));
    }
    desk.browser.click("[data-testid=bulk] .danger");
    desk.browser.click("dialog button[value=delete]");
    assert_eq!(desk.server.get("/api/v2/users/auth0%7Cu001").status, 200, "not without the count");
    desk.browser.type_into("dialog input", "2");
    desk.browser.click("dialog button[value=delete]");
    desk.browser
        .until("[...document.querySelectorAll('[data-testid=bulk-run] .badge.ok')].length === 2");
    assert_eq!(desk.server.get("/api/v2/users/auth0%7Cu001").status, 404);
}

#[test]
fn ui_70_figures_follow() {
    let Some(desk) = desk() else { return };
    desk.open("/ui/t/default");
    let tile = "[data-testid=tile-users] .figure";
    assert_eq!(desk.browser.text(tile), "0");
    desk.five_hundred();
    desk.browser.until_text(tile, "500");
}

#[test]
fn ui_71_a_snapshot_is_taken_and_told_about() {
    let Some(desk) = desk() else { return };
    crowd(&desk, 3);
    desk.open("/ui/t/default");
    desk.browser.click("[data-testid=take-snapshot]");
    desk.browser.until_text("[data-testid=snapshot-result]", "verified");
    let said = desk.browser.text("[data-testid=snapshot-result]");
    assert!(said.contains(".snap") && said.contains("3 users") && said.contains(" s"), "{said}");
}

#[test]
fn ui_72_settings_show_value_default_and_source_and_are_read_again() {
    use crate::harness::Setup;
    let server =
        Setup::default().config("[log]\nslow = \"75ms\"\n").set("dashboard.title=Profiles").start();
    let Some(desk) = super::desk_on(server) else { return };
    desk.open("/ui/settings");
    let cells = |key: &str| desk.browser.texts(&format!("[data-setting='{key}'] td"));
    let slow = cells("log.slow");
    assert_eq!((slow[1].as_str(), slow[2].as_str(), slow[4].as_str()), ("75ms", "50ms", "live"));
    assert!(slow[3].contains(":2"), "{slow:?}");
    assert!(cells("dashboard.title")[3].contains("--set"), "{:?}", cells("dashboard.title"));
    assert_eq!(cells("server.workers")[4], "needs restart");
    let config: Value = desk.server.get("/dossier/v1/config").expect(200).json();
    assert_eq!(config["settings"]["log"]["slow"]["value"], json!("75ms"));
    desk.browser.click("[data-testid=reload]");
    desk.browser.until_text("[data-testid=reload-result]", "Read again. Applied: none");
    desk.browser.click("details:has([data-testid=licences]) > summary");
    desk.browser.until("document.querySelector('[data-testid=licences]').textContent.length > 20");
}

/// Types a query and waits for what is suggested.
#[track_caller]
fn suggested(desk: &super::Desk, typed: &str) -> Vec<String> {
    desk.browser.run("document.querySelector('#query').value = ''");
    desk.browser.type_into("#query", typed);
    desk.browser.until_there("#suggestions:not([hidden]) [role=option]");
    desk.browser.texts("#suggestions [role=option]")
}

#[test]
fn ui_61_fields_and_values_of_this_tenant_are_suggested() {
    // Without an index, and with one.
    for setting in ["search.index_from=0", "search.index_from=1"] {
        let server = Setup::default().set(setting).start();
        let Some(desk) = desk_on(server) else { return };
        crowd(&desk, 4);
        let late = r#"{"connection":"Username-Password-Authentication","user_id":"late","email":"late@example.com","user_metadata":{"home":{"home-town":"New \"York\""}}}"#;
        desk.server.json("POST", "/api/v2/users", late).expect(201);
        if setting.ends_with('1') {
            crate::harness::until("an index", || {
                let found = desk.server.get("/api/v2/users?q=app_metadata.plan:free").expect(200);
                found.header("server-timing").unwrap().contains("index").then_some(())
            });
        }
        desk.open("/ui/t/default/users");
        assert_eq!(suggested(&desk, "app_m"), ["app_metadata.plan:"]);
        desk.browser.press(&[key::DOWN]);
        desk.browser.press(&[key::ENTER]);
        desk.browser.until("document.querySelector('#query').value === 'app_metadata.plan:'");
        desk.browser.until_text("#suggestions", "gold");
        assert_eq!(desk.browser.texts("#suggestions [role=option]"), ["free", "gold"]);
        desk.browser.type_keys("g");
        desk.browser.until("document.querySelectorAll('#suggestions [role=option]').length === 1");
        desk.browser.press(&[key::DOWN]);
        desk.browser.press(&[key::ENTER]);
        desk.browser.until("document.querySelector('#query').value === 'app_metadata.plan:gold'");
        // What stands for itself only in quotes or with escapes is written so, and found.
        let town = r"user_metadata.home.home\-town:";
        assert_eq!(suggested(&desk, "user_metadata.home"), [town]);
        desk.browser.press(&[key::DOWN]);
        desk.browser.press(&[key::ENTER]);
        desk.browser.until_text("#suggestions", "New");
        desk.browser.press(&[key::DOWN]);
        desk.browser.press(&[key::ENTER]);
        let query = desk.browser.run("return document.querySelector('#query').value");
        assert_eq!(query, format!(r#"{town}"New \"York\"""#));
        desk.browser.press(&[key::ENTER]);
        desk.browser.until_text("[data-testid=summary]", "1 user match");
        assert_eq!(ids(&desk), ["auth0|late"]);
        // Whether there is something is asked of what has no value of its own, too.
        assert!(suggested(&desk, "_exists_:user_m").contains(&"user_metadata.home".to_owned()));
        desk.quiet();
    }
}

#[test]
fn ui_61_what_only_the_last_of_many_users_has_is_suggested_too() {
    let Some(desk) = desk() else { return };
    crowd(&desk, 130);
    let late = r#"{"connection":"Username-Password-Authentication","user_id":"late","email":"late@example.com","app_metadata":{"rare":"yes"}}"#;
    desk.server.json("POST", "/api/v2/users", late).expect(201);
    desk.open("/ui/t/default/users");
    assert_eq!(suggested(&desk, "app_metadata.r"), ["app_metadata.rare:"]);
}

#[test]
fn the_list_has_the_columns_a_person_wants_and_keeps_them() {
    let Some(desk) = desk() else { return };
    crowd(&desk, 3);
    let large = r#"{"connection":"Username-Password-Authentication","user_id":"large","email":"large@example.com","user_metadata":{"n":9007199254740993,"a.b":{"c":"<b>x</b>"}}}"#;
    desk.server.json("POST", "/api/v2/users", &large.replace("a.b", "a_b")).expect(201);
    desk.open("/ui/t/default/users?sort=user_id%3A1");
    let heads = "[...document.querySelectorAll('thead th')].slice(1).map((one) => one.textContent.trim()).join()";
    assert_eq!(
        desk.browser.run(&format!("return {heads}")),
        "Name,User ID ▲,Connection,Logins,Changed"
    );
    desk.browser.click("[data-testid=columns] summary");
    desk.browser.click("[data-column=connection]");
    desk.browser.click("[data-column=email]");
    for path in ["user_metadata.n", "user_metadata.a_b.c"] {
        desk.browser.type_into("[data-testid=column-path]", path);
        desk.browser.press(&[key::ENTER]);
        desk.browser.until_there(&format!("th[title='{path}']"));
    }
    let wanted = "Name,User ID ▲,Logins,Changed,Email,user_metadata.n,user_metadata.a_b.c";
    desk.browser.until(&format!("{heads} === '{wanted}'"));
    let row = desk.browser.text("[data-row='auth0|large']");
    for part in ["9007199254740993", "<b>x</b>"] {
        assert!(row.contains(part), "{part} is not in {row}");
    }
    desk.browser.click("[data-sort='user_metadata.n']");
    desk.browser.until("document.querySelector('[data-row]')?.dataset.row === 'auth0|u000'");
    // Another day, another tab.
    desk.open("/ui/t/default/users?sort=user_id%3A1");
    assert_eq!(desk.browser.run(&format!("return {heads}")), wanted);
    desk.browser.click("[data-testid=columns] summary");
    desk.browser.click("[data-testid=columns-reset]");
    desk.browser.until(&format!("{heads} === 'Name,User ID ▲,Connection,Logins,Changed'"));
    desk.browser.press(&[key::ESCAPE]);
    desk.browser.until("!document.querySelector('[data-testid=columns]').open");
    desk.browser.click("[data-testid=columns] summary");
    // What is no name of a field is refused with a word.
    desk.browser.type_into("[data-testid=column-path]", "two words");
    desk.browser.press(&[key::ENTER]);
    desk.browser.until_text("[data-testid=columns]", "There is no such field");
    // Nor can one that is kept here from elsewhere stand in the way of the whole list.
    desk.browser.run(
        "localStorage.setItem('dossier.columns:default', '[\"user_id\",\"foo\",\"picture\",7]')",
    );
    desk.open("/ui/t/default/users");
    assert_eq!(desk.browser.run(&format!("return {heads}")), "Name,User ID,picture");
    assert_eq!(ids(&desk).len(), 4);
    desk.quiet();
}

#[test]
fn the_list_is_saved_as_a_file_with_every_digit_and_everybody_by_a_job() {
    let Some(desk) = desk() else { return };
    let folder = tempfile::tempdir().unwrap();
    let wanted = json!({"behavior": "allow", "downloadPath": folder.path()});
    desk.browser.chrome("Browser.setDownloadBehavior", &wanted);
    crowd(&desk, 130);
    let large = r#"{"connection":"Username-Password-Authentication","user_id":"large","email":"large@example.com","app_metadata":{"plan":"gold","n":9007199254740993}}"#;
    desk.server.json("POST", "/api/v2/users", large).expect(201);
    let file = |ending: &str| {
        crate::harness::until("a downloaded file", || {
            let all = std::fs::read_dir(folder.path()).unwrap();
            all.map(|file| file.unwrap().path())
                .find(|path| path.to_string_lossy().ends_with(ending))
        })
    };
    desk.open("/ui/t/default/users?q=app_metadata.plan%3Agold");
    desk.browser.click("[data-testid=export-menu] summary");
    desk.browser.click("[data-testid=export-menu] li:first-child button");
    desk.browser.until_text("[data-testid=export-said]", "done");
    let text = std::fs::read_to_string(file(".json")).unwrap();
    let users: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(users.as_array().unwrap().len(), 130 / 3 + 1 + 1);
    assert!(text.contains("9007199254740993"), "{text}");
    desk.browser.click("dialog button");
    for (row, ending) in [(2, ".json.gz"), (3, ".csv.gz")] {
        desk.browser.click("[data-testid=export-menu] summary");
        desk.browser.click(&format!("[data-testid=export-menu] li:nth-child({row}) button"));
        desk.browser.until_text("[data-testid=export-said]", "done");
        assert!(std::fs::metadata(file(ending)).unwrap().len() > 0);
        desk.browser.click("dialog button");
        desk.browser.until("!document.querySelector('dialog')");
    }
    desk.quiet();
}
