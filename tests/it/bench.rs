//! `dossier bench`: what it says is what it did, and it leaves nothing behind.

use crate::harness::Server;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

/// Runs a short load test in a folder.
fn bench(folder: &Path, more: &[&str]) -> Output {
    Command::new(crate::harness::program())
        .current_dir(folder)
        .args(["bench", "--users", "20", "--connections", "8", "--rounds", "1"])
        .args(["--duration", "1s", "--warmup", "100ms", "-o", "json"])
        .args(more)
        .output()
        .unwrap()
}

fn figures(output: &Output) -> Value {
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
}

#[test]
fn a_load_test_without_a_server_brings_its_own_and_removes_it() {
    let folder = tempfile::tempdir().unwrap();
    let output =
        bench(folder.path(), &["--mix", "read=2,patch=1,search=1", "--out", "figures.json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let told = figures(&output);
    for kind in ["read", "patch", "search", "all", "livez"] {
        let row = &told["results"][kind];
        assert!(row["requests"].as_u64().unwrap() > 0, "no {kind} in {told:#}");
        assert_eq!(row["failed"], 0, "{kind} in {told:#}");
        assert!(row["p50_ms"].as_f64() <= row["max_ms"].as_f64());
    }
    assert!(told["server_cpu_us_each"].as_f64().unwrap() > 0.0);
    let kept = std::fs::read_to_string(folder.path().join("figures.json")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&kept).unwrap(), told);
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["figures.json"]);
}

#[test]
fn an_open_loop_asks_as_often_as_it_was_told_and_a_missed_target_is_code_7() {
    let folder = tempfile::tempdir().unwrap();
    let output = bench(folder.path(), &["--rate", "50", "--mix", "read=1", "--max-p99", "1ms"]);
    let told = figures(&output);
    let requests = told["results"]["all"]["requests"].as_u64().unwrap();
    assert!((45..=50).contains(&requests), "{requests} of 50 requests");
    let is_late = told["results"]["all"]["p99_ms"].as_f64().unwrap() > 1.0;
    assert_eq!(output.status.code(), Some(if is_late { 7 } else { 0 }), "{output:?}");
}

#[test]
fn a_server_that_is_lent_is_given_back_as_it_was() {
    let server = Server::start();
    let users = |server: &Server| server.get("/api/v2/users?include_totals=true").json();
    let before = users(&server);
    let folder = tempfile::tempdir().unwrap();
    let url = format!("http://{}", server.address());
    let token = server.admin().trim_start_matches("Bearer ");
    let output = bench(folder.path(), &["--url", &url, "--token", token]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(users(&server), before);
}

#[test]
fn what_is_no_mix_is_refused_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let output = bench(folder.path(), &["--mix", "write=1"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("\"write=1\" is no mix"));
}
