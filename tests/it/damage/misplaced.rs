//! Files that are good, but not where they belong: swapped, of another data directory, left by
//! somebody else; and what a look at a folder leaves in it.

use super::{copy, dossier_check, is_refused, make, original, read, settings, state};
use crate::harness::Setup;
use dossier::app::check::{check, repair};
use dossier::app::open::open;
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
