//! What a check finds that no single file shows, and what is acknowledged after a repair.

use super::{KIB, copy, dossier_check, is_refused, original, read, settings, state};
use crate::harness::{Server, Setup};
use dossier::app::check::{check, repair};
use dossier::app::open::open;
use dossier::journal::{Embedded, Journal, Lsn, Options, OsDisk, Reader};
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The newest file of a folder whose name has these ends.
fn newest(folder: &Path, start: &str, end: &str) -> PathBuf {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let is_meant = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.starts_with(start) && name.ends_with(end)
    };
    let written = |path: &PathBuf| fs::metadata(path).unwrap().modified().unwrap();
    entries.filter(is_meant).max_by_key(written).unwrap()
}

#[test]
fn what_is_acknowledged_after_a_repair_survives_the_next_damage() {
    let setup = || {
        Setup::default()
            .set("journal.segment=1MiB")
            .set("snapshot.interval=0s")
            .set("snapshot.on_shutdown=false")
    };
    let user = |server: &Server, name: &str, size: usize| {
        let fill = "f".repeat(size);
        let body =
            format!(r#"{{"email":"{name}@example.com","user_metadata":{{"fill":"{fill}"}}}}"#);
        server.json("POST", "/api/v2/users", &body).expect(201);
    };
    let snapshot = |server: &Server| {
        server.json("POST", "/dossier/v1/snapshots", "{}").expect(200);
    };
    let mut server = setup().start();
    (0..60).for_each(|number| user(&server, &format!("early{number}"), 10));
    snapshot(&server);
    user(&server, "between", 10);
    snapshot(&server);
    server.kill9();
    let folder = server.into_folder();
    fs::remove_dir_all(folder.path().join("data/journal")).unwrap();
    let (code, said) = dossier_check(folder.path(), &["--repair"]);
    assert_eq!(code, Some(0), "{said}");

    // Fewer changes than were lost, in more than one segment.
    let mut server = Server::on(folder, setup());
    (0..30).for_each(|number| user(&server, &format!("late{number}"), 60 * KIB));
    snapshot(&server);
    user(&server, "last", 10);
    server.kill9();
    let folder = server.into_folder();
    let newest = newest(&folder.path().join("data/snapshots"), "0-", ".snap");
    let mut bytes = fs::read(&newest).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&newest, bytes).unwrap();

    let server = Server::on(folder, setup());
    let answer = server.get("/api/v2/users?per_page=0&include_totals=true").expect(200).json();
    assert_eq!(answer["total"], 60 + 1 + 30 + 1, "{}", server.log());
}

/// The list of snapshots without any.
fn no_snapshots() -> Vec<u8> {
    let title = "dossier-snapshots format=1 min_reader=1\n";
    format!("{title}crc={:08x}\n", crc32c::crc32c(title.as_bytes())).into_bytes()
}

#[test]
fn a_change_missing_between_good_ones_is_found_by_file_and_byte() {
    let (folder, root) = copy(&original().files);
    let mut records = Vec::new();
    let reader = Reader::open(OsDisk::open(&root.join("journal")).unwrap()).unwrap();
    reader
        .replay(Lsn::ZERO, &mut |_, payload| {
            records.push(payload.to_vec());
            ControlFlow::Continue(())
        })
        .unwrap();
    // Another journal, without a flaw of its own, that never had one of the changes.
    records.remove(30);
    fs::remove_dir_all(root.join("journal")).unwrap();
    let disk = OsDisk::open(&root.join("journal")).unwrap();
    let (journal, _) = Embedded::open(Arc::new(disk), &Options::new(1)).unwrap();
    for record in records {
        journal.append(0, record).unwrap();
    }
    journal.flush().unwrap();
    drop(journal);
    fs::remove_dir_all(root.join("snapshots")).unwrap();
    fs::write(root.join("MANIFEST"), no_snapshots()).unwrap();
    fs::remove_file(root.join("SYNCED")).unwrap();
    let files = read(&root);
    let found = check(&root).unwrap();
    assert!(read(&root) == files, "a check changes nothing");
    let [problem] = found.problems.as_slice() else { panic!("{found:?}") };
    let place = "journal/00000000000000000001.seg at byte ";
    assert!(problem.starts_with(place) && problem.contains("are missing"), "{problem}");
    drop(folder);
    is_refused(&files, &["are missing"], true);
}

#[test]
fn a_journal_that_ends_before_a_snapshot_is_found_and_goes_on_behind_it() {
    // The end of the journal is gone, and what knew of it.
    let mut hurt = original().files.clone();
    let is_segment = |place: &&PathBuf| place.extension().is_some_and(|end| end == "seg");
    let newest = hurt.keys().rfind(is_segment).unwrap().clone();
    hurt.remove(&newest);
    hurt.remove(Path::new("journal/HIGHWATER"));
    hurt.remove(Path::new("journal/MANIFEST"));
    let (_folder, root) = copy(&hurt);
    assert!(!check(&root).unwrap().problems.is_empty());
    let done = repair(&root).unwrap();
    assert!(done.repairs.iter().any(|line| line.contains("lost")), "{done:?}");
    let opened = open(&settings(&root)).unwrap_or_else(|error| panic!("{error}"));
    let snapshots = opened.restored.manifest.newest_lsn();
    assert!(opened.journal.stats().last.get() >= snapshots);
    assert!(state(&opened)[&0].0 <= original().state[&0].0);
}
