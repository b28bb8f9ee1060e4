//! The wire scenarios of `tests/wire`: requests and expected answers as data.
//!
//! A file is `{"about", "config"?, "steps": [{"request", "expect", "save"?}]}` and has a
//! server of its own. `{{name}}` stands for what an earlier step saved, `{{%name}}` for
//! the same percent-encoded; [`expect`] has the matchers.

mod expect;
mod scenario;

use std::fs;
use std::path::Path;

/// Runs every scenario of a folder and tells of all that failed.
#[track_caller]
fn all_of(dialect: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire").join(dialect);
    let mut files: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "there are no scenarios in {}", folder.display());
    let failures: Vec<String> = files.iter().filter_map(|file| scenario::run(file).err()).collect();
    assert!(failures.is_empty(), "{} failed:\n\n{}", failures.len(), failures.join("\n\n"));
}

#[test]
fn management_api_v2_answers_as_recorded() {
    all_of("v2");
}

#[test]
fn key_value_metadata_answers_as_described() {
    all_of("kv");
}

#[test]
fn the_legacy_api_answers_as_its_client_expects() {
    all_of("v1");
}

#[test]
fn token_endpoints_answer_as_recorded() {
    all_of("oauth");
}

#[test]
fn paths_of_our_own_answer_as_documented() {
    all_of("own");
}
