//! Who is erased is in no file any more, whatever happens in between.

use crate::harness::{Server, Setup, until};
use dossier::app::open::open;
use dossier::config::Settings;
use dossier::domain::change::{Change, Outcome};
use dossier::domain::json::Object;
use dossier::domain::resource::{Resource, ResourceKind};
use dossier::domain::time::Timestamp;
use dossier::store::format::{TenantUid, encode_change};
use dossier::tenant::server_provenance;
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const OWN: &str = "/dossier/v1/users";

/// Nothing compresses it, and nothing else says it.
const MARKER: &str = "q7Zp2XvK9mTb4LwY";

/// Files that hold the marker.
fn holders(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for path in entries.map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(holders(&path));
        } else if let Ok(bytes) = fs::read(&path)
            && memchr::memmem::find(&bytes, MARKER.as_bytes()).is_some()
        {
            found.push(path);
        }
    }
    found
}

fn is_in(folder: &str, files: &[PathBuf]) -> bool {
    files.iter().any(|file| file.components().any(|part| part.as_os_str() == folder))
}

/// A user whose values are in the journal, in snapshots, and in the files of the history.
fn plant(server: &Server) -> String {
    let body = json!({"email": format!("{MARKER}@example.com"), "user_metadata": {"m": MARKER}});
    let made = server.json("POST", "/api/v2/users", &body.to_string()).expect(201).json();
    let id = made["user_id"].as_str().unwrap().replace('|', "%7C");
    for n in 0..3 {
        let body = json!({"app_metadata": {"m": MARKER, "n": n}}).to_string();
        server.json("PATCH", &format!("/api/v2/users/{id}"), &body).expect(200);
        server.json("POST", "/dossier/v1/snapshots", "").expect(200);
    }
    server.get(&format!("{OWN}/{id}/history")).expect(200);
    let files = holders(&server.data_dir());
    for folder in ["journal", "snapshots", "history"] {
        assert!(is_in(folder, &files), "{folder}: {files:?}");
    }
    id
}

fn erase(server: &Server, id: &str) {
    server.json("DELETE", &format!("{OWN}/{id}?erase=true"), "").expect(204);
}

#[track_caller]
fn until_gone(server: &Server) {
    until("the end of the marker", || holders(&server.data_dir()).is_empty().then_some(()));
}

#[track_caller]
fn check_tombstone(server: &Server, id: &str) {
    server.get(&format!("/api/v2/users/{id}")).expect(404);
    let history = server.get(&format!("{OWN}/{id}/history")).expect(200).json();
    let entries = history["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 1, "{history}");
    assert_eq!(entries[0]["erased"], true);
    assert_eq!(entries[0]["changes"], json!([]));
    assert_ne!(entries[0]["actor"], Value::Null);
    server.get(&format!("{OWN}/{id}?as_of=1")).expect(404);
}

#[test]
fn who_is_erased_leaves_a_tombstone_and_is_in_no_file() {
    let mut server = Server::start();
    let bystander = json!({"email": "john@example.com", "user_metadata": {"a": 1}}).to_string();
    let bystander = server.json("POST", "/api/v2/users", &bystander).expect(201).json();
    let other = bystander["user_id"].as_str().unwrap().replace('|', "%7C");
    let id = plant(&server);
    erase(&server, &id);
    check_tombstone(&server, &id);
    until_gone(&server);
    // Again is as once, and nothing else was harmed.
    erase(&server, &id);
    check_tombstone(&server, &id);
    server.restart();
    check_tombstone(&server, &id);
    let now = server.get(&format!("/api/v2/users/{other}")).expect(200).json();
    assert_eq!(now, bystander);
    let history = server.get(&format!("{OWN}/{other}/history")).expect(200).json();
    assert_eq!(history["entries"].as_array().unwrap().len(), 1);
    assert!(holders(&server.data_dir()).is_empty());
}

#[test]
fn an_erasure_survives_a_crash_and_the_loss_of_the_history() {
    for harm in ["killed", "lost", "damaged"] {
        let mut server = Server::start();
        let id = plant(&server);
        erase(&server, &id);
        server.kill9();
        let history = server.data_dir().join("history");
        match harm {
            "lost" => fs::remove_dir_all(&history).unwrap(),
            "damaged" => fs::write(history.join("DAMAGED"), b"").unwrap(),
            _ => {}
        }
        server.restart();
        check_tombstone(&server, &id);
        until_gone(&server);
        server.restart();
        check_tombstone(&server, &id);
    }
}

/// A tenant as a crash left it before tenants were made whole: it is there, and has no change of its own.
fn half_made(data: &Path) {
    let mut settings = Settings::default();
    data.clone_into(&mut settings.storage.data_dir);
    let opened = open(&settings).unwrap();
    let version = opened.restored.states[&TenantUid::DEFAULT].view().version.next();
    let body = Object::parse(r#"{"domains":[],"compat":"lenient"}"#, 2).unwrap();
    let (kind, id) = (ResourceKind::Tenant, "half".to_owned());
    let change = Change {
        version,
        at: Timestamp::from_millis(1_790_000_000_000),
        provenance: server_provenance(),
        outcomes: vec![Outcome::Resource(Arc::new(Resource { kind, id, version, body }))],
    };
    opened.journal.append(0, encode_change(TenantUid::DEFAULT, &change)).unwrap();
    opened.journal.flush().unwrap();
}

#[test]
fn a_tenant_without_a_change_of_its_own_holds_no_erasure_up() {
    let mut server = Server::start();
    let id = plant(&server);
    server.kill9();
    let folder = server.into_folder();
    half_made(&folder.path().join("data"));
    let server = Server::on(folder, Setup::default());
    server.get("/dossier/v1/tenants/half").expect(200);
    erase(&server, &id);
    until_gone(&server);
}

#[test]
fn who_was_deleted_before_is_erased_too_and_without_a_history() {
    for setting in ["history.enabled=true", "history.enabled=false"] {
        let mut server = Server::start();
        let id = plant(&server);
        server.json("DELETE", &format!("/api/v2/users/{id}"), "").expect(204);
        server.kill9();
        let server = Server::on(server.into_folder(), Setup::default().set(setting));
        erase(&server, &id);
        until_gone(&server);
    }
}

/// What a repair copied is the operator's, who is told; what the server itself put aside goes.
#[test]
fn copies_that_may_hold_who_is_erased_are_named_and_a_history_put_aside_goes() {
    let server = Server::start();
    let id = plant(&server);
    let (data, aside) = (server.data_dir(), server.data_dir().join("history.damaged"));
    fs::create_dir(&aside).unwrap();
    fs::write(aside.join("1"), MARKER).unwrap();
    for copy in
        ["journal/000001.log.broken", "journal/000001.log.broken2", "snapshots/0-3.snap.broken"]
    {
        fs::write(data.join(copy), MARKER).unwrap();
    }
    let target = format!("{OWN}/{id}?erase=true");
    let told = server.json("DELETE", &target, "").expect(200).json();
    let copies = told["copies"].as_array().unwrap();
    assert_eq!(copies.len(), 3, "{told}");
    check_tombstone(&server, &id);
    until("all but the copies", || (holders(&data).len() == 3).then_some(()));
    until("a word of it", || server.log().contains("a copy that a repair kept").then_some(()));
    for copy in copies {
        fs::remove_file(data.join(copy.as_str().unwrap())).unwrap();
    }
    assert!(holders(&data).is_empty());
    server.json("DELETE", &target, "").expect(204);
}

#[test]
fn a_bundle_has_everything_and_no_secret() {
    let server = Server::start();
    let body = json!({
        "email": "jane@example.com", "password": "correct horse 9",
        "user_metadata": {"a": 1}, "app_metadata": {"b": 2},
    });
    let made = server.json("POST", "/api/v2/users", &body.to_string()).expect(201).json();
    let id = made["user_id"].as_str().unwrap().replace('|', "%7C");
    let entry = r#"{"value":"Light","profileClaim":true}"#;
    let of = format!("/api/user/{id}/metadata/theme");
    server.json("PUT", &of, entry).expect(200);
    let ticket = json!({"user_id": made["user_id"]}).to_string();
    let ticket = server.json("POST", "/api/v2/tickets/password-change", &ticket).expect(201).json();
    let answer = server.get(&format!("{OWN}/{id}/bundle")).expect(200);
    assert!(answer.header("content-disposition").unwrap().starts_with("attachment"));
    let bundle = answer.json();
    let profile = server.get(&format!("/api/v2/users/{id}")).expect(200).json();
    assert_eq!(bundle["profile"], profile);
    assert_eq!(bundle["has_password"], true);
    assert_eq!(bundle["entries"][0]["value"], "Light");
    assert_eq!(bundle["history"].as_array().unwrap().len(), 2);
    assert_eq!(bundle["tickets"][0]["purpose"].as_str().map(str::is_empty), Some(false));
    let text = answer.text();
    let link = ticket["ticket"].as_str().unwrap();
    let token = link.split("ticket=").nth(1).unwrap_or(link).trim_end_matches('#');
    assert!(!text.contains(token) && !text.contains("$argon2"), "{text}");
    server.get(&format!("{OWN}/auth0%7Cnobody/bundle")).expect(404);
    // Of who is gone, the past.
    server.json("DELETE", &format!("/api/v2/users/{id}"), "").expect(204);
    let bundle = server.get(&format!("{OWN}/{id}/bundle")).expect(200).json();
    assert_eq!(bundle["profile"], Value::Null);
    assert_eq!(bundle["history"].as_array().unwrap().len(), 3);
}
