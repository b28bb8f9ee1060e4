//! The bodies of the fuzz targets, for a bounded time and without a fuzzer: random bytes, random
//! text in the letters of each language, and good inputs with a few bytes changed.

#[path = "../fuzz/bodies.rs"]
#[expect(unreachable_pub, reason = "the fuzz targets use them as well")]
mod bodies;

use proptest::prelude::*;
use std::sync::LazyLock;

/// More parts than an upload may have.
static MANY_PARTS: LazyLock<String> = LazyLock::new(|| {
    let part = "--x\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n";
    format!("multipart/form-data; boundary=x\0{}--x--\r\n", part.repeat(40))
});

/// Inputs that say something, to begin with.
fn seeds(target: &str) -> Vec<&'static str> {
    let mut seeds = fixed_seeds(target).to_vec();
    if target == "multipart" {
        seeds.push(&MANY_PARTS);
    }
    seeds
}

fn fixed_seeds(target: &str) -> &'static [&'static str] {
    match target {
        "merge" => &[
            "{\"a\":1,\"b\":{\"c\":2}}\0{\"a\":null,\"d\":[1e3,\"\\u00e4\"]}",
            "{}\0{}",
            "{\"\":0}\0{\"\":{\"\":{}}}",
        ],
        "query_string" => &["a=1&b=%20+x&fields=a,b", "q=%ff&&=", "a=%e2%82%ac"],
        "token" => {
            &["eyJhbGciOiJub25lIn0.eyJpc3MiOiJpIiwiYXVkIjoiYSIsImV4cCI6Mn0.", "a.b.c", "..."]
        }
        "search_query" => &[
            "email:\"a@b\" AND (user_metadata.x:[1 TO 5} OR NOT name:j*)",
            "_exists_:a -b:c +d:{* TO 2020-01-01]",
            "a:b\\:c OR \"x y\"",
        ],
        "multipart" => &[
            "multipart/form-data; boundary=x\0--x\r\nContent-Disposition: form-data; name=\"users\"; filename=\"u.json\"\r\nContent-Type: application/json\r\n\r\n[]\r\n--x\r\nContent-Disposition: form-data; name=\"upsert\"\r\n\r\ntrue\r\n--x--\r\n",
            "multipart/form-data; boundary=\"x y\"\0--x y\r\n\r\n\r\n--x y--",
        ],
        // The first two bytes are a place.
        _ => &["\0\0\0\0", "\u{1}\0aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "\u{4}\u{1}x"],
    }
}

const LETTERS: &str = r#"[{}\[\]":,.0-9a-c*\\()~^/+%&=_ TOANDR\x00é€-]{0,60}"#;

fn input(target: &'static str) -> impl Strategy<Value = Vec<u8>> {
    let changed = (
        prop::sample::select(seeds(target)),
        prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    );
    let changed = changed.prop_map(|(seed, changes)| {
        let mut bytes = seed.as_bytes().to_vec();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes
    });
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        LETTERS.prop_map(String::into_bytes),
        changed,
    ]
}

fn run(target: &'static str, cases: u32) {
    let body = bodies::ALL.iter().find(|(name, _)| *name == target).unwrap().1;
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = prop::test_runner::TestRunner::new(config);
    let outcome = runner.run(&input(target), |bytes| {
        body(&bytes);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{target}: {error}"));
}

#[test]
fn whatever_is_merged_stays_json_and_twice_is_once() {
    run("merge", 3000);
}

#[test]
fn any_query_string_is_read_or_refused() {
    run("query_string", 3000);
}

#[test]
fn any_bytes_in_a_journal_are_recovered_in_full_or_refused() {
    run("journal_frames", 300);
}

#[test]
fn any_bytes_as_a_block_or_record_are_read_or_refused() {
    run("snapshot_blocks", 3000);
}

#[test]
fn no_text_is_taken_for_a_token() {
    run("token", 2000);
}

#[test]
fn any_search_is_read_or_refused_and_means_what_it_prints() {
    run("search_query", 3000);
}

#[test]
fn any_upload_is_read_or_refused_and_holds_no_more_than_came() {
    run("multipart", 3000);
}

#[test]
fn every_body_has_a_fuzz_target() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    for (name, _) in bodies::ALL {
        assert!(folder.join(format!("targets/{name}.rs")).is_file(), "{name}");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
    }
}
