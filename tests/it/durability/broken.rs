//! The real program on a disk that breaks: writes and syncs of the journal fail with EIO.
//!
//! The disk is `broken_disk.c`, made by the compiler that links Rust programs, and loaded before
//! the C library.

use crate::harness::{Server, Setup, until};
use rustix::process::Signal;
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use tempfile::TempDir;

const EIO: i32 = 5;

/// The library, made once.
fn library() -> &'static Path {
    static MADE: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_folder, library) = MADE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let library = folder.path().join("broken_disk.so");
        let source =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/durability/broken_disk.c");
        let made = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&library)
            .arg(source)
            .arg("-ldl")
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        (folder, library)
    });
    library
}

/// A server on a disk that can be broken and mended.
struct Disk {
    folder: TempDir,
}

impl Disk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn control(&self) -> PathBuf {
        self.folder.path().join("control")
    }

    fn setup(&self) -> Setup {
        let setup = Setup::default().set("snapshot.interval=0s");
        setup.env("LD_PRELOAD", library()).env("BROKEN_DISK", &self.control())
    }

    /// From now on `call` ("write" or "sync") fails for files with `part` in their path.
    fn breaks(&self, call: &str, part: &str) {
        self.is_told(&format!("{call} {EIO} {part}\n"));
    }

    /// From now on each sync of the journal takes minutes.
    fn hangs(&self) {
        self.is_told("sync -300 /journal/\n");
    }

    fn is_told(&self, words: &str) {
        let fresh = self.folder.path().join("fresh");
        fs::write(&fresh, words).unwrap();
        fs::rename(fresh, self.control()).unwrap();
    }

    fn mend(&self) {
        fs::remove_file(self.control()).unwrap();
    }
}

fn create(server: &Server) -> String {
    let body = r#"{"email":"jane@example.com","user_metadata":{}}"#;
    let made = server.json("POST", "/api/v2/users", body).expect(201).json();
    format!("/api/v2/users/{}", made["user_id"].as_str().unwrap())
}

/// Eight writers, each with a key of its own, until each was refused once; the newest number each
/// was told is kept, and what the first refusals were.
fn write_until_it_breaks(server: &Server, target: &str, disk: &Disk, call: &str) -> Vec<u64> {
    let has_begun = AtomicBool::new(false);
    std::thread::scope(|threads| {
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let has_begun = &has_begun;
                threads.spawn(move || {
                    for number in 1.. {
                        let body = format!(r#"{{"user_metadata":{{"w{writer}":{number}}}}}"#);
                        let answer = server.json("PATCH", target, &body);
                        if answer.status != 200 {
                            assert_eq!(answer.status, 503, "{}", answer.text());
                            let code = answer.json()["errorCode"].clone();
                            assert!(
                                code == "storage_failed" || code == "outcome_unknown",
                                "{code}"
                            );
                            return number - 1;
                        }
                        has_begun.store(true, Ordering::Release);
                    }
                    unreachable!("the loop ends by itself")
                })
            })
            .collect();
        until("a write", || has_begun.load(Ordering::Acquire).then_some(()));
        disk.breaks(call, "/journal/");
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    })
}

#[test]
fn after_a_write_or_sync_that_failed_nothing_is_acknowledged_until_a_restart_and_reads_go_on() {
    for call in ["write", "sync"] {
        let disk = Disk::new();
        let mut server = disk.setup().start();
        let target = create(&server);
        let told = write_until_it_breaks(&server, &target, &disk, call);
        let seen = server.get(&target).expect(200).json()["user_metadata"].clone();
        for (writer, number) in told.iter().enumerate().filter(|(_, number)| **number > 0) {
            assert_eq!(seen[format!("w{writer}")], *number, "{call}");
        }
        let ready = server.request("GET", "/readyz", &[], None).expect(503).json();
        assert_eq!((&ready["status"], &ready["journal"]), (&json!("failed"), &json!("failed")));
        // A disk that is well again proves nothing about what it holds.
        disk.mend();
        let refused = server.json("PATCH", &target, r#"{"nickname":"x"}"#).expect(503).json();
        assert_eq!(refused["errorCode"], "storage_failed");
        server.json("DELETE", &target, "").expect(503);
        server.restart();
        let kept = server.get(&target).expect(200).json()["user_metadata"].clone();
        for (writer, number) in told.iter().enumerate().filter(|(_, number)| **number > 0) {
            let kept = kept[format!("w{writer}")].as_u64().unwrap();
            assert!(kept == *number || kept == number + 1, "{call}: {kept} instead of {number}");
        }
        server.json("PATCH", &target, r#"{"nickname":"x"}"#).expect(200);
        assert!(!server.log().contains("panicked"), "{}", server.log());
    }
}

#[test]
fn it_ends_with_code_1_after_such_a_failure_where_the_settings_say_so() {
    let disk = Disk::new();
    let mut server = disk.setup().set("journal.on_io_error=exit").start();
    let target = create(&server);
    disk.breaks("sync", "/journal/");
    server.json("PATCH", &target, r#"{"nickname":"x"}"#).expect(503);
    assert_eq!(server.wait().code(), Some(1));
    assert!(server.log().contains("journal.on_io_error"), "{}", server.log());
    disk.mend();
    server.restart();
    server.get(&target).expect(200);
    server.json("PATCH", &target, r#"{"nickname":"y"}"#).expect(200);
}

/// A server in the middle of a sync that does not end.
fn hanging(disk: &Disk, grace: &str) -> (Server, String) {
    let setup = disk.setup().set(&format!("server.shutdown_grace={grace}"));
    let server = setup.set("actor.reply_timeout=100ms").start();
    let target = create(&server);
    disk.hangs();
    let unknown = server.json("PATCH", &target, r#"{"nickname":"x"}"#).expect(503).json();
    assert_eq!(unknown["errorCode"], "outcome_unknown");
    (server, target)
}

#[test]
fn a_disk_that_does_not_answer_is_not_waited_for_at_the_end() {
    let disk = Disk::new();
    let (mut server, target) = hanging(&disk, "1s");
    assert_eq!(server.end_with(Signal::TERM).code(), Some(1), "{}", server.log());
    assert!(server.log().contains("the disk does not answer"), "{}", server.log());
    disk.mend();
    server.restart();
    server.get(&target).expect(200);
}

#[test]
fn while_it_waits_for_the_last_sync_a_second_signal_ends_it_at_once() {
    let disk = Disk::new();
    let (mut server, target) = hanging(&disk, "5m");
    server.signal(Signal::TERM);
    until("the draining", || server.log().contains("a last sync").then_some(()));
    assert_eq!(server.end_with(Signal::TERM).code(), Some(0), "{}", server.log());
    disk.mend();
    server.restart();
    server.get(&target).expect(200);
}
