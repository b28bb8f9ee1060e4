//! Files that are asked for by name, looked at one at a time, and read no faster than they are taken.

use super::*;
use crate::domain::client::Client;
use crate::domain::resource::Resource;
use crate::domain::time::Version;
use crate::store::snapshot::{Header, Unpaced};

fn shelf(folder: &tempfile::TempDir) -> Shelf {
    let dir = Arc::new(DataDir::open(&folder.path().join("data")).unwrap().0);
    Manifest::default().store(&dir).unwrap();
    Shelf::new(dir, Arc::default())
}

fn write(shelf: &Shelf, uid: u64, version: u64) -> String {
    let created = Timestamp::from_millis(1_000_000 + i64::try_from(version).unwrap());
    let header = Header { uid: TenantUid(uid), version: Version::new(version), lsn: 1, created };
    let (clients, resources): (&[Client], &[Resource]) = (&[], &[]);
    snapshot::write(&shelf.dir, header, &mut std::iter::empty(), clients, resources, &mut Unpaced)
        .unwrap()
        .file
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

#[test]
fn only_a_name_that_a_snapshot_can_have_leads_to_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = shelf(&folder);
    let good = write(&shelf, 3, 7);
    assert_eq!(good, "3-7.snap");
    assert!(shelf.one(&good).is_ok());
    let long = format!("{}-7.snap", "3".repeat(60));
    for name in [
        "",
        ".",
        "..",
        ".snap",
        "-.snap",
        "3-.snap",
        "3.snap",
        "3-7",
        "3-7.snap.broken",
        "3-7.snap/",
        "../snapshots/3-7.snap",
        "./3-7.snap",
        "/etc/passwd",
        "..-7.snap",
        "3-7-1-1.snap",
        "3-+7.snap",
        "3-7.snap\0",
        " 3-7.snap",
        "٣-7.snap",
        "../MANIFEST",
        "3-8.snap",
        &long,
    ] {
        assert!(matches!(shelf.one(name), Err(ShelfError::Missing)), "{name:?}");
        assert!(matches!(shelf.open(name), Err(ShelfError::Missing)), "{name:?}");
    }
}

#[test]
fn files_come_youngest_first_and_page_by_page() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = shelf(&folder);
    for version in 1..=5 {
        write(&shelf, version % 2, version);
    }
    std::fs::write(shelf.dir.snapshots().join("0-9.snap.tmp"), b"unfinished").unwrap();
    let names = |uid: Option<u64>, skip, take| {
        let (found, total) = shelf.page(uid.map(TenantUid), skip, take).unwrap();
        (found.into_iter().map(|one| one.file).collect::<Vec<_>>(), total)
    };
    assert_eq!(names(None, 0, 2), (vec!["1-5.snap".to_owned(), "0-4.snap".to_owned()], 5));
    assert_eq!(names(None, 4, 2), (vec!["1-1.snap".to_owned()], 5));
    assert_eq!(names(Some(0), 0, 9), (vec!["0-4.snap".to_owned(), "0-2.snap".to_owned()], 2));
    assert_eq!(names(Some(7), 0, 9), (vec![], 0));
    assert_eq!(names(None, usize::MAX, 9), (vec![], 5));
}

#[test]
fn a_file_that_tells_nothing_and_is_not_listed_is_told_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = shelf(&folder);
    write(&shelf, 3, 7);
    for file in ["3-9.snap", "4-1.snap"] {
        std::fs::write(shelf.dir.snapshots().join(file), b"what a bad disk left").unwrap();
    }
    let names = |uid: Option<u64>, skip, take| {
        let (found, total) = shelf.page(uid.map(TenantUid), skip, take).unwrap();
        (found.into_iter().map(|one| (one.file, one.said.is_ok())).collect::<Vec<_>>(), total)
    };
    let (good, bad) = (("3-7.snap".to_owned(), true), |file: &str| (file.to_owned(), false));
    let all = vec![good.clone(), bad("3-9.snap"), bad("4-1.snap")];
    assert_eq!(names(None, 0, 9), (all, 3), "last, for nobody knows of when they are");
    assert_eq!(names(None, 2, 9), (vec![bad("4-1.snap")], 3));
    assert_eq!(names(Some(3), 0, 9), (vec![good, bad("3-9.snap")], 2));
    assert!(!shelf.one("3-9.snap").unwrap().is_listed);
}

#[actix::test]
async fn a_flipped_bit_is_found_and_known_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = shelf(&folder);
    let file = write(&shelf, 3, 7);
    assert_eq!(shelf.one(&file).unwrap().check, None, "nobody has looked yet");
    let good = Check { at: at(5), flaw: None };
    assert_eq!(shelf.verify(&file, at(4), true).await.unwrap(), Check { at: at(4), flaw: None });
    assert_eq!(shelf.one(&file).unwrap().check, None, "a rehearsal is not noted");
    assert_eq!(shelf.verify(&file, at(5), false).await.unwrap(), good);
    assert_eq!(shelf.one(&file).unwrap().check, Some(good));
    let path = shelf.dir.snapshots().join(&file);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let check = shelf.verify(&file, at(6), false).await.unwrap();
    let flaw = check.flaw.clone().unwrap();
    assert!(flaw.starts_with("at byte "), "{flaw}");
    assert!(!flaw.contains('/'), "where it lies is nobody's business: {flaw}");
    assert_eq!(shelf.one(&file).unwrap().check, Some(check));
    std::fs::write(&path, b"short").unwrap();
    assert!(shelf.one(&file).unwrap().said.unwrap_err().contains("too short"));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(shelf.verify(&file, at(7), false).await, Err(ShelfError::Missing)));
}

#[actix::test]
async fn one_is_verified_and_four_are_read_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = shelf(&folder);
    let file = write(&shelf, 3, 7);
    let turn = shelf.verifying.clone().try_acquire_owned().unwrap();
    let refused = shelf.verify(&file, at(1), false).await;
    assert!(matches!(refused, Err(ShelfError::Busy { allowed: 1, .. })), "{refused:?}");
    drop(turn);
    assert!(shelf.verify(&file, at(1), false).await.is_ok());
    let held: Vec<_> = (0..READERS).map(|_| shelf.open(&file).unwrap()).collect();
    assert!(matches!(shelf.open(&file), Err(ShelfError::Busy { allowed: READERS, .. })));
    drop(held);
    assert!(shelf.open(&file).is_ok());
}

#[actix::test]
async fn a_file_that_is_pruned_while_it_is_read_comes_whole() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = shelf(&folder);
    let path = shelf.dir.snapshots().join("3-7.snap");
    let bytes: Vec<u8> = (0..PIECE_BYTES * 5 / 2).map(|at| (at % 251).to_le_bytes()[0]).collect();
    std::fs::write(&path, &bytes).unwrap();
    let mut pieces = shelf.open("3-7.snap").unwrap().pieces();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, b"another one under its name").unwrap();
    let mut got = Vec::new();
    while let Some(piece) = pieces.recv().await {
        got.extend_from_slice(&piece.unwrap());
    }
    assert!(got == bytes, "{} of {} bytes came", got.len(), bytes.len());
}

#[actix::test]
async fn who_takes_nothing_makes_room_for_others_after_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = shelf(&folder);
    let path = shelf.dir.snapshots().join("3-7.snap");
    let long = vec![7; usize::try_from(PIECE_BYTES * 4).unwrap()];
    std::fs::write(&path, &long).unwrap();
    let mut stalled = shelf.open("3-7.snap").unwrap().pieces_within(Duration::from_millis(5));
    let room = shelf.reading.acquire_many(u32::try_from(READERS).unwrap());
    drop(tokio::time::timeout(Duration::from_mins(1), room).await.unwrap().unwrap());
    let mut got = 0;
    while let Some(piece) = stalled.recv().await {
        got += piece.unwrap().len();
    }
    assert!(got < long.len(), "what was not taken in time is not there: {got}");
}
