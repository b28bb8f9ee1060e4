//! The same change from a terminal or a program: what is shown is run.

use super::history::{RESTORE, TARGET, grown};
use super::{Desk, JANE, REVIEW, desk};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

const LANGUAGES: [&str; 4] = ["curl", "node", "python", "httpie"];

/// Whether the whole set of tests was asked for.
fn must() -> bool {
    std::env::var("DOSSIER_UI_TESTS").is_ok_and(|wish| wish == "require")
}

fn works(program: &Path) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|out| out.status.success())
}

/// The folder `HTTPie` is in; it is installed where it must be there.
fn httpie() -> PathBuf {
    let place = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../clients/httpie");
    let programs = place.join("bin");
    if must() && !works(&programs.join("http")) {
        let run = |program: &Path, args: &[&str]| {
            assert!(Command::new(program).args(args).status().unwrap().success(), "{args:?}");
        };
        run(Path::new("python3"), &["-m", "venv", place.to_str().unwrap()]);
        let wanted = ["install", "--quiet", "--disable-pip-version-check", "httpie==3.2.4"];
        run(&programs.join("pip"), &wanted);
    }
    programs
}

/// What runs a language, if it is there; with it the folder to look for commands in.
fn runner(language: &str) -> Option<(Command, PathBuf)> {
    let httpie = httpie();
    let (program, needed, args): (_, _, &[&str]) = match language {
        "curl" => ("bash", PathBuf::from("curl"), &["-c"]),
        "node" => ("node", PathBuf::from("node"), &["--input-type=module", "-e"]),
        "python" => ("python3", PathBuf::from("python3"), &["-c"]),
        _ => ("bash", httpie.join("http"), &["-c"]),
    };
    let is_there = works(&needed);
    assert!(is_there || !must(), "{language} is not there");
    let mut command = Command::new(program);
    command.args(args);
    is_there.then_some((command, httpie))
}

/// Runs the command the review shows in a language; says whether there was anything to run it.
#[track_caller]
fn perform(desk: &Desk, language: &str) -> bool {
    let Some((mut command, programs)) = runner(language) else { return false };
    let token = desk.server.admin().trim_start_matches("Bearer ").to_owned();
    desk.browser.click(&format!("[data-lang={language}]"));
    let code = desk.browser.text("[data-testid=review] pre");
    let page = desk.browser.run("return document.documentElement.outerHTML");
    assert!(!page.as_str().unwrap().contains(&token), "the token is not on the page");
    let path = std::env::var("PATH").unwrap_or_default();
    let ran = command
        .arg(&code)
        .env("PATH", format!("{}:{path}", programs.display()))
        .env("DOSSIER_URL", &desk.server.url)
        .env("DOSSIER_TOKEN", &token)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{language}: {code}\n{said}");
    true
}

#[test]
fn ui_22_the_shown_commands_do_what_save_does() {
    let Some(desk) = desk() else { return };
    desk.on_jane(r#"{"n":0}"#, "{}");
    for (at, language) in LANGUAGES.into_iter().enumerate() {
        let value = format!(r#"{{"n":{}, "odd":"it's \"q\" $HOME `x` é \\ 💡 !"}}"#, at + 1);
        desk.open(JANE);
        desk.edit("user_metadata", &value);
        desk.browser.click(REVIEW);
        if !perform(&desk, language) {
            continue;
        }
        let stored: Value = serde_json::from_str(&desk.profile()).unwrap();
        let wanted: Value = serde_json::from_str(&value).unwrap();
        assert_eq!(stored["user_metadata"], wanted, "{language}");
    }
}

#[test]
fn ui_22_the_shown_commands_go_back_and_bring_back_too() {
    let Some(desk) = desk() else { return };
    let [first, ..] = grown(&desk);
    for language in LANGUAGES {
        let patch = r#"{"user_metadata":{"hobby":"chess"}}"#;
        desk.server.json("PATCH", TARGET, patch).expect(200);
        desk.open(&format!("{JANE}/history?version={first}"));
        desk.browser.click(RESTORE);
        if !perform(&desk, language) {
            continue;
        }
        assert!(desk.profile().contains("surfing"), "{language}");
        desk.server.json("DELETE", TARGET, "").expect(204);
        desk.open(JANE);
        desk.browser.click(RESTORE);
        perform(&desk, language);
        assert!(desk.profile().contains("surfing"), "{language}");
    }
}
