//! The same with the real program: a file system that is really full, a folder opened twice, a
//! stop in the middle of work.

use crate::harness::{Server, Setup, until};
use crate::history::history;
use rustix::process::Signal;
use serde_json::{Map, Value, json};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tempfile::TempDir;

/// A small file system in memory, gone when dropped.
struct SmallDisk(TempDir);

impl SmallDisk {
    /// Mounts one, where that is allowed.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"])
            .arg(folder.path())
            .output();
        mounted.is_ok_and(|output| output.status.success()).then_some(Self(folder))
    }

    fn filler(&self) -> std::path::PathBuf {
        self.0.path().join("filler")
    }

    /// Takes all the space that is left.
    fn fill(&self) {
        let mut file = File::options().create(true).append(true).open(self.filler()).unwrap();
        for size in [1 << 16, 1 << 12, 1] {
            while file.write_all(&vec![0; size]).is_ok() {}
        }
    }

    fn free(&self) {
        fs::remove_file(self.filler()).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg("-l").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "the small disk stays mounted");
    }
}

#[expect(clippy::print_stderr, reason = "whoever runs the tests should know what was left out")]
fn skipped(reason: &str) {
    eprintln!("SKIPPED: {reason}");
}

fn create(server: &Server) -> String {
    create_named(server, "jane")
}

fn create_named(server: &Server, name: &str) -> String {
    let body = format!(r#"{{"email":"{name}@example.com","user_metadata":{{}}}}"#);
    let created = server.json("POST", "/api/v2/users", &body).expect(201).json();
    format!("/api/v2/users/{}", created["user_id"].as_str().unwrap())
}

fn metadata(server: &Server, target: &str) -> Map<String, Value> {
    server.get(target).expect(200).json()["user_metadata"].as_object().unwrap().clone()
}

/// Writes until the disk is full; the number of writes that were acknowledged.
fn write_until_full(server: &Server, disk: &Path, target: &str) -> usize {
    let pad = "x".repeat(60_000);
    for number in 0.. {
        let body = format!(r#"{{"user_metadata":{{"last":{number},"pad":"{pad}"}}}}"#);
        let answer = server.json("PATCH", target, &body);
        if answer.status != 200 {
            assert_eq!(answer.status, 507, "{}", answer.text());
            assert_eq!(answer.json()["errorCode"], "insufficient_storage");
            return number;
        }
        assert!(number < 10_000, "{} is never full", disk.display());
    }
    unreachable!("the loop ends by itself")
}

#[test]
fn a_full_file_system_is_507_and_writes_resume_without_a_restart() {
    let Some(disk) = SmallDisk::mount() else {
        return skipped("a small tmpfs cannot be mounted here, so no file system is really full");
    };
    let mut server = Setup::default()
        .set("journal.segment=1MiB")
        .set("snapshot.interval=0s")
        .start_in(disk.0.path());
    let target = create(&server);
    disk.fill();
    let written = write_until_full(&server, disk.0.path(), &target);
    let last = |server: &Server| metadata(server, &target).get("last").cloned();
    let expected = written.checked_sub(1).map(|number| json!(number));
    assert_eq!(last(&server), expected, "reads go on and show what was acknowledged");
    let ready = server.request("GET", "/readyz", &[], None).expect(503).json();
    assert_eq!((&ready["status"], &ready["journal"]), (&json!("degraded"), &json!("full")));
    // Neither a snapshot nor a key can be written; that harms nobody and leaves nothing behind.
    let files = |folder: &str| {
        let entries = fs::read_dir(server.data_dir().join(folder)).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>()
    };
    let before = (files("snapshots"), files("keys"));
    // What the journal gave back is taken as well, and the reserve.
    until_the_reserve_is_given_back(&server);
    disk.fill();
    for operation in ["snapshots", "keys/rotate"] {
        let told = server.json("POST", &format!("/dossier/v1/{operation}"), "{}");
        let told = told.expect(507).json();
        assert_eq!(told["errorCode"], "insufficient_storage", "{operation} {told}");
    }
    assert_eq!((files("snapshots"), files("keys")), before);

    disk.free();
    let body = r#"{"user_metadata":{"again":true}}"#;
    until("writes are taken again", || {
        let answer = server.json("PATCH", &target, body);
        assert!(matches!(answer.status, 200 | 507), "{}", answer.text());
        (answer.status == 200).then_some(())
    });
    server.request("GET", "/readyz", &[], None).expect(200);
    // The history lacked space too, and lacks nothing now.
    let id = target.rsplit('/').next().unwrap();
    let past = format!("/dossier/v1/users/{id}/history?limit=1");
    until("the history goes on", || (server.get(&past).status == 200).then_some(()));
    let told = history(&server, id);
    let values = |entry: &Value| {
        let changes = entry["changes"].as_array().unwrap().clone();
        let of =
            |path| changes.iter().find(|one| one["path"] == path).map(|one| one["new"].clone());
        (of("user_metadata.again"), of("user_metadata.last"))
    };
    let newest: Vec<_> = told.iter().rev().take(2).map(values).collect();
    assert_eq!(newest[0], (Some(json!(true)), None));
    assert_eq!(newest[1], (None, expected), "no acknowledged change is missing");
    let ready = server.request("GET", "/readyz", &[], None).expect(200).json();
    assert_eq!(ready["history"], "ok");
    for operation in ["snapshots", "keys/rotate"] {
        server.json("POST", &format!("/dossier/v1/{operation}"), "{}").expect(200);
    }
    let before = server.get(&target).expect(200).text().to_owned();
    server.restart();
    assert_eq!(server.get(&target).expect(200).text(), before);
    assert!(!server.log().contains("panicked"), "{}", server.log());
}

/// Until the reserve was given back to a full disk.
fn until_the_reserve_is_given_back(server: &Server) {
    let reserve = server.data_dir().join("RESERVE");
    until("the reserve is given back", || (!reserve.exists()).then_some(()));
}

fn delete(server: &Server, target: &str) -> u16 {
    server.request("DELETE", target, &[("Authorization", server.admin())], None).status
}

#[test]
fn on_a_full_disk_what_removes_something_is_written_and_nothing_else() {
    let Some(disk) = SmallDisk::mount() else { return skipped("a small tmpfs cannot be mounted") };
    let mut server = Setup::default().set("snapshot.interval=0s").start_in(disk.0.path());
    let (kept, gone) = (create(&server), create_named(&server, "joe"));
    disk.fill();
    write_until_full(&server, disk.0.path(), &kept);
    until_the_reserve_is_given_back(&server);
    until("the removal is taken", || (delete(&server, &gone) == 204).then_some(()));
    // There is space now, and it is not for this.
    let refused = server.json("PATCH", &kept, r#"{"user_metadata":{"more":true}}"#).expect(507);
    assert_eq!(refused.json()["errorCode"], "insufficient_storage");
    let ready = server.request("GET", "/readyz", &[], None).expect(503).json();
    assert_eq!((&ready["status"], &ready["journal"]), (&json!("degraded"), &json!("full")));
    let before = server.get(&kept).expect(200).text().to_owned();
    server.restart();
    server.get(&gone).expect(404);
    assert_eq!(server.get(&kept).expect(200).text(), before);
    // A restart changes nothing of it, and space does.
    server.json("PATCH", &kept, r#"{"user_metadata":{"more":true}}"#).expect(507);
    disk.free();
    until("writes are taken again", || {
        let answer = server.json("PATCH", &kept, r#"{"user_metadata":{"again":true}}"#);
        (answer.status == 200).then_some(())
    });
    server.request("GET", "/readyz", &[], None).expect(200);
}

#[test]
fn on_a_full_disk_a_snapshot_and_a_clean_end_still_fit() {
    let Some(disk) = SmallDisk::mount() else { return skipped("a small tmpfs cannot be mounted") };
    let setup = || Setup::default().set("snapshot.interval=0s");
    let mut server = setup().start_in(disk.0.path());
    let target = create(&server);
    disk.fill();
    // Nobody has written since: the first to find out is the end.
    assert_eq!(server.end_with(Signal::TERM).code(), Some(0), "{}", server.log());
    assert!(server.log().contains("final snapshot done"), "{}", server.log());
    assert!(!server.data_dir().join("RESERVE").exists());
    server.restart();
    write_until_full(&server, disk.0.path(), &target);
    let taken = || server.json("POST", "/dossier/v1/snapshots", "{}").status;
    until("a snapshot fits", || (taken() == 200).then_some(()));
    let before = server.get(&target).expect(200).text().to_owned();
    server.kill9();
    server.restart();
    assert_eq!(server.get(&target).expect(200).text(), before);
}

#[test]
fn a_journal_that_snapshots_cannot_shorten_stops_writes_at_its_largest_size_and_heals() {
    let setup = Setup::default().set("journal.segment=1MiB").set("journal.max_bytes=8MiB");
    let mut server = setup.set("log.level=warn").start();
    let (kept, gone) = (create(&server), create_named(&server, "joe"));
    // No snapshot can be written into what is no folder.
    let (snapshots, aside) =
        (server.data_dir().join("snapshots"), server.data_dir().join("snapshots.aside"));
    fs::rename(&snapshots, &aside).unwrap();
    fs::write(&snapshots, b"").unwrap();
    let pad = "x".repeat(60_000);
    let refused = (0..10_000).find_map(|number| {
        let body = format!(r#"{{"user_metadata":{{"last":{number},"pad":"{pad}"}}}}"#);
        let answer = server.json("PATCH", &kept, &body);
        (answer.status != 200).then_some(answer)
    });
    let refused = refused.unwrap();
    assert_eq!(refused.status, 507, "{}", refused.text());
    assert!(refused.text().contains("journal.max_bytes"), "{}", refused.text());
    let ready = server.request("GET", "/readyz", &[], None).expect(503).json();
    assert_eq!((&ready["journal"], &ready["snapshots"]), (&json!("full"), &json!("failed")));
    assert_eq!(delete(&server, &gone), 204, "what removes something is written");
    let before = server.get(&kept).expect(200).text().to_owned();
    fs::remove_file(&snapshots).unwrap();
    fs::rename(&aside, &snapshots).unwrap();
    until("writes are taken again", || {
        let answer = server.json("PATCH", &kept, r#"{"user_metadata":{"pad":null}}"#);
        (answer.status == 200).then_some(())
    });
    let ready = server.request("GET", "/readyz", &[], None).expect(200).json();
    assert_eq!(ready["snapshots"], "ok");
    assert_ne!(server.get(&kept).expect(200).text(), before);
    server.restart();
    server.get(&gone).expect(404);
}

#[test]
fn a_folder_in_use_is_exit_code_4_and_says_so() {
    let server = Server::start();
    let status = server.second_on_same_folder();
    assert_eq!(status.code(), Some(4), "{}", server.log());
    let log = server.log();
    let said = log.lines().find(|line| line.contains("in use by another dossier process"));
    assert!(said.is_some_and(|line| line.contains("data")), "{log}");
    create(&server);
}

#[test]
fn a_stop_under_load_ends_with_0_and_loses_nothing_acknowledged() {
    let mut server = Server::start();
    let target = create(&server);
    let (next, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let acknowledged = Mutex::new(Vec::new());
    let authorization = server.admin().to_owned();
    let address = server.address().to_owned();
    let status = std::thread::scope(|threads| {
        for _ in 0..8 {
            threads.spawn(|| {
                let headers = [
                    ("Authorization", authorization.as_str()),
                    ("Content-Type", "application/json"),
                ];
                while !is_over.load(Ordering::Acquire) {
                    let Ok(mut connection) = crate::harness::Connection::open(&address) else {
                        continue;
                    };
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        let body = format!(r#"{{"user_metadata":{{"k{number}":{number}}}}}"#);
                        let sent =
                            connection.send("PATCH", &target, &headers, Some(body.as_bytes()));
                        // The connection ends with the server.
                        let Ok(answer) = sent else { break };
                        if answer.status == 200 {
                            acknowledged.lock().unwrap().push(number);
                        }
                    }
                }
            });
        }
        until("a hundred writes", || (acknowledged.lock().unwrap().len() > 100).then_some(()));
        let status = server.end_with(Signal::TERM);
        is_over.store(true, Ordering::Release);
        status
    });
    assert_eq!(status.code(), Some(0), "{}", server.log());
    server.restart();
    let kept = metadata(&server, &target);
    for number in acknowledged.into_inner().unwrap() {
        assert_eq!(kept.get(&format!("k{number}")), Some(&json!(number)), "k{number} is lost");
    }
    assert!(!server.log().contains("panicked"), "{}", server.log());
}
