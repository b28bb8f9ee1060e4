//! What a start, `dossier check` and a repair say of one folder is the same, and no more than is so.

use super::*;

#[test]
fn a_repair_that_loses_nothing_says_so_and_excuses_no_later_loss() {
    let mut files = original().files.clone();
    files.insert("MANIFEST".into(), b"none".to_vec());
    let (_folder, root) = copy(&files);
    let done = repair(&root).unwrap();
    assert!(done.repairs.iter().any(|line| line.contains("is there")), "{done:?}");
    assert!(!root.join("REPAIRED").exists());
    assert!(state(&open(&settings(&root)).unwrap()) == original().state);
}

#[test]
fn what_is_no_file_or_no_folder_in_its_place_is_refused_with_a_remedy() {
    let in_the_journal = original().files.keys().filter(|place| place.starts_with("journal"));
    let others = ["format", "SYNCED", "keys/keyring.toml"].map(PathBuf::from);
    for place in in_the_journal.chain(&others) {
        let (_folder, root) = copy(&original().files);
        fs::remove_file(root.join(place)).unwrap();
        fs::create_dir(root.join(place)).unwrap();
        is_odd(&root, place);
    }
    for place in ["journal", "snapshots", "keys", "tls"] {
        let (_folder, root) = copy(&original().files);
        fs::remove_dir_all(root.join(place)).unwrap();
        fs::write(root.join(place), "none").unwrap();
        is_odd(&root, Path::new(place));
    }
}

#[track_caller]
fn is_odd(root: &Path, place: &Path) {
    let before = read(root);
    let error = open(&settings(root)).unwrap_err();
    let name = place.file_name().unwrap().to_str().unwrap();
    let text = error.to_string();
    assert!(text.contains(name) && text.contains("folder; move it away"), "{text}");
    assert_eq!(error.exit_code(), 5, "{text}");
    assert_eq!(check(root).unwrap_err().to_string(), text);
    assert_eq!(repair(root).unwrap_err().to_string(), text);
    assert!(read(root) == before, "{text}");
}

#[test]
fn where_only_the_administrator_is_left_nothing_is_begun_anew() {
    for left in ["admin-client.json", "SYNCED"] {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join(left), "{}").unwrap();
        let error = open(&settings(place.path())).unwrap_err();
        assert!(error.exit_code() == 5 && error.to_string().contains("format"), "{error}");
        assert_eq!(check(place.path()).unwrap_err().to_string(), error.to_string());
        assert_eq!(read(place.path()).len(), 1);
    }
}

#[test]
fn a_check_says_when_a_start_goes_on_all_the_same() {
    let mut files = original().files.clone();
    let snapshot = files.keys().find(|place| place.starts_with("snapshots")).unwrap().clone();
    files.insert(snapshot, b"none".to_vec());
    let (_folder, root) = copy(&files);
    let found = check(&root).unwrap();
    assert!(found.opens && found.problems.len() == 1, "{found:?}");
    files.insert("keys/keyring.toml".into(), b"none".to_vec());
    let (_folder, root) = copy(&files);
    assert!(!check(&root).unwrap().opens);
}
