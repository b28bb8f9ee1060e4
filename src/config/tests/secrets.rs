//! No message, print or debug text shows a secret.

use super::{World, good};
use crate::config::{explain, print, print_json};

const SECRET: &str = "hunter2-hunter2-hunter2";

/// Everything a person or a log could see of this file.
fn seen(file: &str) -> String {
    let mut world = World::new(file);
    world.files.insert("secret.txt", SECRET);
    match world.load() {
        Ok(loaded) => {
            let explained = explain(&loaded, "tenant.client.client_secret").unwrap();
            format!("{loaded:?} {} {:#} {explained}", print(&loaded), print_json(&loaded))
        }
        Err(errors) => format!("{errors} {errors:?}"),
    }
}

#[test]
fn a_secret_is_never_shown() {
    let head = "[[tenant]]\nid = \"a\"\n[[tenant.client]]\nclient_id = \"c\"\n";
    for line in [
        "client_secret = \"hunter2-hunter2-hunter2\"",
        "client_secret_file = \"secret.txt\"",
        "client_secret = \"hunter2-hunter2-hunter2\"\nclient_secret_file = \"secret.txt\"",
        "client_secret = \"hunter2\"",
        "client_sekret = \"hunter2-hunter2-hunter2\"",
        "key = \"hunter2-hunter2-hunter2\"",
        "\"client_secret\" = 'hunter2-hunter2-hunter2'",
        "client_secret = \"hunter2-hunter2-hunter2",
        "client_secret = hunter2-hunter2-hunter2",
        "client_secret: hunter2-hunter2-hunter2",
        "client_secret = [\"hunter2-hunter2-hunter2\"]",
        "client_secret = [\n\"hunter2-hunter2-hunter2\"\n]",
        "client_secret = { a = \"hunter2-hunter2-hunter2\" }",
        "client_secret = \"\"\"\nhunter2-hunter2-hunter2\n",
        "client_secret = \"\"\"hunter2\nhunter2-hunter2-hunter2\"\"\"\nclient_id = 1",
        "client_secret = \"hunter2-hunter2-hunter2\"\nclient_secret = \"hunter2-hunter2-hunter3\"",
        "client_id = \"d\", client_secret = \"hunter2-hunter2-hunter2\"",
        "hunter2-hunter2-hunter2",
    ] {
        let seen = seen(&format!("{head}{line}\n"));
        assert!(!seen.contains("hunter2"), "{line}\n{seen}");
    }
}

#[test]
fn a_secret_outside_its_place_is_not_shown_either() {
    for file in [
        "client_secret = \"hunter2\"",
        "[tenant]\nclient_secret = \"hunter2\"",
        "[[tenant]]\nid = \"A\"\nclient = [{ client_id = 1, client_secret = \"hunter2\" }]",
        "tenant = [{ id = \"A\", client = [{ client_secret = \"hunter2\" }] }]",
        "[server]\npassword = \"hunter2\"",
        "[[tenant.client]\nclient_secret = \"hunter2\"",
        "[[tenant.client]]\nclient_secret = \"hunter2\"\n[log]\nlevel = 5",
        "[[tenant]]\nid = \"a\"\nclient = [\n  { client_id = \"c\", x = 1,\n    client_secret = \"hunter2\" },\n]",
    ] {
        let seen = seen(file);
        assert!(!seen.contains("hunter2"), "{file}\n{seen}");
    }
}

#[test]
fn a_secret_of_several_lines_is_not_shown_even_when_it_looks_like_something_else() {
    for secret in ["scopes = hunter2", "[hunter2]\nhunter2 = 1", "x\n[log]\nhunter2 = 1"] {
        for quotes in ["\"\"\"", "'''"] {
            let seen = seen(&format!(
                "[[tenant]]\nid = \"a\"\n[[tenant.client]]\nclient_secret = {quotes}\n{secret}"
            ));
            assert!(!seen.contains("hunter2"), "{secret}\n{seen}");
        }
    }
}

#[test]
fn the_value_of_an_unknown_argument_is_not_shown() {
    let mut world = World::new("");
    world.sets = vec!["tenant.client.client_secret=hunter2", "auth.secret=hunter2", "hunter2"];
    let errors = world.load().unwrap_err();
    assert!(!format!("{errors} {errors:?}").contains("hunter2"));
    assert_eq!(
        errors.to_string(),
        "\
--set tenant.client.client_secret=...  tenants are declared in the file
--set auth.secret=...  unknown key `secret` in [auth], expected one of `token_ttl`, `max_token_ttl`, `user_token_ttl`, \
`leeway`, `token_cache`, `login_link_ttl`, `session_ttl`, `password_hash_threads`
--set  wanted section.key=value, found no =
3 problems in the configuration"
    );
}

#[test]
fn the_secret_of_a_file_is_taken_without_its_line_end() {
    let mut world = World::new(
        "[[tenant]]\nid = \"a\"\n[[tenant.client]]\nclient_id = \"c\"\nclient_secret_file = \"s\"",
    );
    world.files.insert("s", "hunter2-hunter2-hunter2\r\n");
    let loaded = world.load().unwrap();
    assert_eq!(loaded.settings.tenants[0].clients[0].client_secret.reveal(), SECRET);
    assert!(print(&loaded).contains("client_secret_file = \"s\""));
}

#[test]
fn a_masked_secret_stands_in_the_print() {
    let file = "[[tenant]]\nid = \"a\"\n[[tenant.client]]\nclient_id = \"c\"\nclient_secret = \"hunter2-hunter2-hunter2\"";
    assert!(print(&good(file)).contains("client_secret = \"***\""));
}
