//! `src/PROMISES.md` names the tests that hold each promise; here is what holds that list.

use std::fs;
use std::path::PathBuf;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The places a module may be in: a file, or the one that declares it inside.
fn files(folder: &str, modules: &[&str]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for end in (1..=modules.len()).rev() {
        let stem = root().join(folder).join(modules[..end].join("/"));
        files.extend([stem.with_extension("rs"), stem.join("mod.rs")]);
    }
    files
}

/// Whether a test of this path is there: `it::module::name` or `floor::module::name`.
fn is_there(path: &str) -> bool {
    let mut modules: Vec<&str> = path.split("::").collect();
    let Some(name) = modules.pop() else { return false };
    let (folder, modules) = match modules.split_first() {
        Some((&"it", rest)) => ("tests/it", rest),
        Some(_) => ("src", modules.as_slice()),
        None => return false,
    };
    let is_test = |source: &str| {
        let at = source.find(&format!("fn {name}("));
        at.is_some_and(|at| {
            let before = source[..at].trim_end().trim_end_matches("async").trim_end();
            let attributes = before.rsplit("\n\n").next().unwrap_or_default();
            attributes.contains("test]")
        })
    };
    let sources = files(folder, modules);
    sources.iter().filter_map(|file| fs::read_to_string(file).ok()).any(|text| is_test(&text))
}

/// A row of a table: the promise, the tests, what was planted.
fn rows() -> Vec<(String, Vec<String>, String)> {
    let text = fs::read_to_string(root().join("src/PROMISES.md")).unwrap();
    let cells = text.lines().filter_map(|line| {
        let cells: Vec<&str> = line.strip_prefix("| ")?.split(" | ").collect();
        let [promise, tests, planted] = cells.as_slice() else { return None };
        let tests = tests.split('`').filter(|path| path.contains("::")).map(str::to_owned);
        Some(((*promise).to_owned(), tests.collect(), planted.trim_matches([' ', '|']).to_owned()))
    });
    cells.filter(|(promise, ..)| promise != "promise").collect()
}

#[test]
fn every_promise_has_tests_that_exist_and_a_defect_that_was_planted() {
    let rows = rows();
    let numbers: Vec<&str> =
        rows.iter().map(|(promise, ..)| promise.split(' ').next().unwrap()).collect();
    let design = (1..=9).map(|number| number.to_string());
    let reliability = (1..=12).map(|number| format!("P{number}"));
    assert_eq!(numbers, design.chain(reliability).collect::<Vec<_>>());
    for (promise, tests, planted) in rows {
        assert!(!tests.is_empty(), "nothing holds {promise}");
        assert!(!planted.is_empty(), "nothing was planted for {promise}");
        for test in tests {
            assert!(is_there(&test), "{promise}: there is no test {test}");
        }
    }
}

#[test]
fn what_is_no_test_is_not_taken_for_one() {
    assert!(is_there("it::promises::what_is_no_test_is_not_taken_for_one"));
    assert!(is_there("http::hashing::tests::a_flood_stands_at_its_own_door"));
    for path in [
        "it::promises::rows",
        "it::promises::nothing_of_this_name",
        "it::elsewhere::what_is_no_test_is_not_taken_for_one",
        "http::hashing::new",
        "x",
    ] {
        assert!(!is_there(path), "{path}");
    }
}
