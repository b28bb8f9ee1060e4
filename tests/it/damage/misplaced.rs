//! Files that are good, but not where they belong: swapped, of another data directory, left by
//! somebody else; and what a look at a folder leaves in it.

use super::{
    Files, copy, dossier_check, is_refused, make, original, read, settings, state, without,
};
use crate::harness::{Server, Setup};
use dossier::app::check::{check, repair};
use dossier::app::open::open;
use rustix::process::Signal;
use std::fs;
use std::path::{Path, PathBuf};

/// The snapshots of the default tenant, the older one first.
fn snapshots() -> [PathBuf; 2] {
    let is_own = |place: &&PathBuf| {
        place.starts_with("snapshots/") && place.to_str().unwrap().contains("/0-")
    };
    let mut own: Vec<PathBuf> = original().files.keys().filter(is_own).cloned().collect();
    own.sort_by_key(|place| original().files[place].len());
    own.try_into().unwrap()
}

#[test]
fn swapped_snapshots_are_refused_and_one_repair_brings_everything_back() {
    let [older, newer] = snapshots();
    let mut files = original().files.clone();
    files.insert(older.clone(), original().files[&newer].clone());
    files.insert(newer.clone(), original().files[&older].clone());
    is_refused(&files, &["another snapshot"], true);
    let (_folder, root) = copy(&files);
    repair(&root).unwrap();
    assert_eq!(check(&root).unwrap().problems, Vec::<String>::new());
    let after = read(&root);
    repair(&root).unwrap();
    assert!(read(&root) == after, "a second repair changes something");
    assert!(state(&open(&settings(&root)).unwrap()) == original().state);
}

#[test]
fn a_repair_takes_no_snapshot_of_another_data_directory_for_one_of_its_own() {
    let other = make();
    let mut files = original().files.clone();
    for (place, bytes) in files.iter_mut().filter(|(place, _)| place.starts_with("snapshots")) {
        bytes.clone_from(&other.files[place]);
    }
    is_refused(&files, &["another snapshot"], true);
    let (_folder, root) = copy(&files);
    let done = repair(&root).unwrap();
    assert!(done.repairs.iter().any(|line| line.contains(".broken")), "{done:?}");
    let found = state(&open(&settings(&root)).unwrap());
    let known: Vec<&String> =
        original().state.values().flat_map(|tenant| tenant.1.keys()).collect();
    for thing in found.values().flat_map(|tenant| tenant.1.keys()) {
        assert!(known.contains(&thing), "{thing} is of the other data directory");
    }
}

/// A server whose journal was copied twice on the way: with 3 users, and with 6 of 9.
fn copied_on_the_way(settings: &[&str]) -> (tempfile::TempDir, Files, Files) {
    let setup = || {
        let start = Setup::default().set("snapshot.interval=0s").set("snapshot.on_shutdown=false");
        settings.iter().fold(start, |setup, setting| setup.set(setting))
    };
    let add = |server: &Server, numbers: std::ops::Range<usize>| {
        for number in numbers {
            let body = format!(r#"{{"email":"u{number}@example.com"}}"#);
            server.json("POST", "/api/v2/users", &body).expect(201);
        }
    };
    let journal = |folder: &tempfile::TempDir| {
        let mut files = read(&folder.path().join("data"));
        files.retain(|place, _| place.starts_with("journal"));
        files
    };
    let stopped = |mut server: Server| {
        assert_eq!(server.end_with(Signal::TERM).code(), Some(0), "{}", server.log());
        server.into_folder()
    };
    let server = setup().start();
    add(&server, 0..3);
    let folder = stopped(server);
    let early = journal(&folder);
    let server = Server::on(folder, setup());
    add(&server, 3..6);
    server.json("POST", "/dossier/v1/snapshots", "{}").expect(200);
    let folder = stopped(server);
    let late = journal(&folder);
    let server = Server::on(folder, setup());
    add(&server, 6..9);
    let mut server = server;
    server.kill9();
    (server.into_folder(), early, late)
}

#[track_caller]
fn is_refused_as_a_whole(files: &Files, word: &str) -> (tempfile::TempDir, Vec<String>) {
    is_refused(files, &[word, "journal/", "byte ", "SYNCED", "put back", "dossier check"], false);
    let (folder, root) = copy(files);
    assert_eq!(check(&root).unwrap().problems.len(), 1);
    let done = repair(&root).unwrap();
    assert!(done.repairs.iter().any(|line| line.contains("lost")), "{done:?}");
    drop(open(&settings(&root)).unwrap());
    assert_eq!(check(&root).unwrap().problems, Vec::<String>::new());
    (folder, done.repairs)
}

#[test]
fn a_journal_replaced_whole_by_an_older_copy_is_refused() {
    for settings in [&[][..], &["history.enabled=false"]] {
        let (folder, early, late) = copied_on_the_way(settings);
        let mut files = read(&folder.path().join("data"));
        drop(open(&super::settings(&copy(&files).1)).unwrap());
        for older in [early, late] {
            files.retain(|place, _| !place.starts_with("journal"));
            files.extend(older);
            is_refused_as_a_whole(&files, "ends at");
        }
    }
}

#[test]
fn a_journal_of_another_data_directory_is_refused_and_nothing_of_it_is_taken() {
    let other = make();
    let mut files = original().files.clone();
    files.retain(|place, _| !place.starts_with("journal"));
    files.extend(other.files.into_iter().filter(|(place, _)| place.starts_with("journal")));
    let (folder, repairs) = is_refused_as_a_whole(&files, "is of journal");
    assert!(repairs.iter().any(|line| line.contains(".broken")), "{repairs:?}");
    let found = state(&open(&settings(&folder.path().join("data"))).unwrap());
    for (uid, (_, things)) in found {
        for (name, thing) in things {
            assert_eq!(original().state[&uid].1.get(&name), Some(&thing), "{name}");
        }
    }
}

#[test]
fn a_copy_of_the_journal_that_went_on_elsewhere_is_refused() {
    let setup = || Setup::default().set("snapshot.on_shutdown=false").set("history.enabled=false");
    let mut server = setup().start();
    server.json("POST", "/api/v2/users", r#"{"email":"one@example.com"}"#).expect(201);
    server.kill9();
    let folder = server.into_folder();
    let (elsewhere, _) = copy(&read(&folder.path().join("data")));
    let go_on = |folder, names: &[&str]| {
        let mut server = Server::on(folder, setup());
        for name in names {
            let body = format!(r#"{{"email":"{name}@example.com"}}"#);
            server.json("POST", "/api/v2/users", &body).expect(201);
        }
        server.kill9();
        server.into_folder()
    };
    let folder = go_on(folder, &["two"]);
    let elsewhere = go_on(elsewhere, &["three", "four"]);
    let mut files = read(&folder.path().join("data"));
    files.retain(|place, _| !place.starts_with("journal"));
    let others = read(&elsewhere.path().join("data"));
    files.extend(others.into_iter().filter(|(place, _)| place.starts_with("journal")));
    is_refused_as_a_whole(&files, "went on elsewhere");
}

#[test]
fn a_folder_from_before_the_mark_opens_and_has_one_from_then_on() {
    for bytes in [None, Some(Vec::new()), Some(vec![7; 100]), Some(vec![0; 8192])] {
        let mut files = original().files.clone();
        assert!(files.remove(Path::new("SYNCED")).is_some());
        files.extend(bytes.map(|bytes| ("SYNCED".into(), bytes)));
        let (_folder, root) = copy(&files);
        assert_eq!(check(&root).unwrap().problems, Vec::<String>::new());
        assert!(state(&open(&settings(&root)).unwrap()) == original().state);
        let journal = root.join("journal");
        fs::remove_dir_all(&journal).unwrap();
        fs::create_dir(&journal).unwrap();
        for (place, bytes) in make().files.iter().filter(|(place, _)| place.starts_with("journal"))
        {
            fs::write(root.join(place), bytes).unwrap();
        }
        assert!(open(&settings(&root)).unwrap_err().to_string().contains("SYNCED"));
    }
}

#[test]
fn with_list_journal_and_snapshots_gone_it_does_not_start_empty_and_the_check_agrees() {
    let is_gone = |place: &Path| {
        place == Path::new("MANIFEST")
            || place.starts_with("journal")
            || place.starts_with("snapshots")
    };
    for without_mark in [false, true] {
        let files = without(|place| is_gone(place) || without_mark && place == Path::new("SYNCED"));
        is_refused(&files, &["journal", "is empty", "MANIFEST", "put it back"], false);
        let (_folder, root) = copy(&files);
        assert!(!check(&root).unwrap().problems.is_empty());
        let done = repair(&root).unwrap();
        assert!(done.repairs.iter().any(|line| line.contains("admin-client.json")), "{done:?}");
        drop(open(&settings(&root)).unwrap());
        assert_eq!(check(&root).unwrap().problems, Vec::<String>::new());
    }
    // An earlier repair accepted less than that.
    let mut files = without(is_gone);
    files.insert("REPAIRED".into(), b"3\n".to_vec());
    is_refused(&files, &["journal", "is empty"], false);
}

#[test]
fn a_folder_kept_in_memory_is_good_and_may_be_kept_on_disk_later() {
    let mut server = Setup::default().set("storage.mode=memory").start();
    server.json("POST", "/api/v2/users", r#"{"email":"jane@example.com"}"#).expect(201);
    server.kill9();
    let folder = server.into_folder();
    let (code, said) = dossier_check(folder.path(), &[]);
    assert_eq!(code, Some(0), "{said}");
    let mut server = Server::on(folder, Setup::default().set("storage.mode=memory"));
    server.kill9();
    let folder = server.into_folder();
    fs::remove_file(folder.path().join("data/admin-client.json")).unwrap();
    let mut server = Server::on(folder, Setup::default());
    server.json("POST", "/api/v2/users", r#"{"email":"jane@example.com"}"#).expect(201);
    server.kill9();
    let folder = server.into_folder();
    let mut files = read(&folder.path().join("data"));
    files.retain(|place, _| !place.starts_with("journal"));
    is_refused(&files, &["journal", "is empty"], false);
}

#[test]
fn a_refusal_after_kill_9_changes_nothing() {
    let mut server =
        Setup::default().set("journal.segment=1MiB").set("history.enabled=false").start();
    for number in 0..40 {
        let fill = "f".repeat(60 << 10);
        let body =
            format!(r#"{{"email":"u{number}@example.com","user_metadata":{{"f":"{fill}"}}}}"#);
        server.json("POST", "/api/v2/users", &body).expect(201);
    }
    server.kill9();
    let mut files = read(&server.data_dir());
    let segment = files.keys().find(|place| place.extension().is_some_and(|end| end == "seg"));
    let segment = segment.unwrap().clone();
    files.get_mut(&segment).unwrap()[200 << 10] ^= 1;
    let (_folder, root) = copy(&files);
    let error = open(&settings(&root)).unwrap_err().to_string();
    assert!(error.contains("byte") && error.contains("dossier check --repair"), "{error}");
    let after = read(&root);
    let changed: Vec<_> = files.keys().filter(|place| files[*place] != after[*place]).collect();
    assert!(changed.is_empty(), "{changed:?}");
}

#[test]
fn a_look_at_a_folder_makes_nothing_in_it() {
    for gone in ["journal", "snapshots", "keys"] {
        let mut files = original().files.clone();
        files.retain(|place, _| !place.starts_with(gone));
        let (_folder, root) = copy(&files);
        let found = check(&root).unwrap();
        assert!(!root.join(gone).exists(), "{gone}");
        let is_told = [found.facts, found.problems].concat().iter().any(|line| line.contains(gone));
        assert!(is_told, "{gone}");
        if gone != "keys" {
            open(&settings(&root)).unwrap_err();
            assert!(!root.join(gone).exists(), "{gone}: a refusal made it");
            let done = repair(&root).unwrap();
            let is_lost = done.repairs.iter().any(|line| line.contains("is lost"));
            assert_eq!(is_lost, gone == "journal", "{done:?}");
            assert_eq!(check(&root).unwrap().problems, Vec::<String>::new());
            open(&settings(&root)).unwrap();
        }
    }
    let empty = tempfile::tempdir().unwrap();
    fs::write(empty.path().join("letter.txt"), "dear").unwrap();
    let error = check(empty.path()).unwrap_err();
    assert!(error.exit_code() == 4 && error.to_string().contains("format"), "{error}");
    assert_eq!(read(empty.path()).len(), 1);
}

#[test]
fn a_pipe_in_the_place_of_a_file_is_refused_and_not_waited_for() {
    for place in ["MANIFEST", "format", "journal/MANIFEST", "keys/keyring.toml"] {
        let (_folder, root) = copy(&original().files);
        fs::remove_file(root.join(place)).unwrap();
        let made = std::process::Command::new("mkfifo").arg(root.join(place)).status().unwrap();
        assert!(made.success());
        let error = open(&settings(&root)).unwrap_err();
        let name = Path::new(place).file_name().unwrap().to_str().unwrap();
        assert!(error.to_string().contains(name) && error.exit_code() == 5, "{error}");
        assert_eq!(check(&root).unwrap_err().to_string(), error.to_string());
    }
}

#[test]
fn a_list_that_is_a_folder_is_put_aside_by_a_repair() {
    let (_folder, root) = copy(&original().files);
    fs::remove_file(root.join("MANIFEST")).unwrap();
    fs::create_dir(root.join("MANIFEST")).unwrap();
    repair(&root).unwrap();
    assert!(root.join("MANIFEST.broken").is_dir());
    assert!(state(&open(&settings(&root)).unwrap()) == original().state);
}

#[test]
fn programs_are_told_what_was_found_as_json() {
    let mut files = original().files.clone();
    let (folder, _) = copy(&files);
    let (code, said) = dossier_check(folder.path(), &["-o", "json"]);
    let found: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &found["is_good"]), (Some(0), &true.into()), "{said}");
    let [_, newer] = snapshots();
    files.insert("MANIFEST".into(), files[&newer][..50].to_vec());
    let (folder, _) = copy(&files);
    let (code, said) = dossier_check(folder.path(), &["-o", "json"]);
    let end = said.rfind("}\n").unwrap() + 1;
    let found: serde_json::Value = serde_json::from_str(&said[..end]).unwrap();
    assert_eq!((code, &found["is_good"]), (Some(5), &false.into()), "{said}");
    assert!(found["problems"][0].as_str().unwrap().contains("MANIFEST"), "{said}");
}
