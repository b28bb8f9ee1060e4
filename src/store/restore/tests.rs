//! What a restore promises: the newest good state, or a refusal that names what is wrong.

use super::*;
use crate::domain::client::Client;
use crate::domain::document::Document;
use crate::domain::document::tests::jane;
use crate::domain::resource::Resource;
use crate::domain::time::{Timestamp, Version};
use crate::store::data_dir::tests::fresh;
use crate::store::snapshot::Unpaced;
use std::fs;

const UID: TenantUid = TenantUid(3);

/// Writes a snapshot that is in good order, and returns its line of the list.
fn snapshot_of(dir: &DataDir, uid: TenantUid, version: u64) -> Entry {
    let (version, created) = (Version::new(version), Timestamp::from_millis(1));
    let header = Header { uid, version, lsn: 10 * version.get(), created };
    let mut source = std::iter::once(vec![Document::of(&jane())]);
    let written =
        snapshot::write::<Client, Resource>(dir, header, &mut source, &[], &[], &mut Unpaced)
            .unwrap();
    Entry {
        file: written.file,
        version,
        lsn: header.lsn,
        created,
        users: written.users,
        bytes: written.bytes,
    }
}

/// Two snapshots of a tenant, newest first.
fn two(dir: &DataDir) -> [Entry; 2] {
    [9, 5].map(|version| snapshot_of(dir, UID, version))
}

fn flip(dir: &DataDir, entry: &Entry) {
    let path = dir.snapshots().join(&entry.file);
    let mut bytes = fs::read(&path).unwrap();
    bytes[100] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[track_caller]
fn falls_back(dir: &DataDir, entries: &[Entry; 2]) -> String {
    let restored = load_newest(dir, UID, entries, 2).unwrap();
    assert_eq!(restored.used, entries[1]);
    assert_eq!(restored.loaded.header.version, entries[1].version);
    assert_eq!(restored.loaded.documents[0].user(), jane());
    let [error] = restored.damaged.as_slice() else { panic!("{:?}", restored.damaged) };
    let text = error.to_string();
    assert!(text.contains(&entries[0].file), "{text}");
    text
}

#[test]
fn the_newest_snapshot_is_taken_when_it_is_good() {
    let (_place, dir) = fresh();
    let entries = two(&dir);
    flip(&dir, &entries[1]);
    let restored = load_newest(&dir, UID, &entries, 2).unwrap();
    assert_eq!((&restored.used, restored.damaged.len()), (&entries[0], 0));
}

#[test]
fn the_older_one_is_taken_when_the_newest_is_damaged() {
    let (_place, dir) = fresh();
    let entries = two(&dir);
    flip(&dir, &entries[0]);
    falls_back(&dir, &entries);
}

#[test]
fn the_older_one_is_taken_when_the_newest_is_missing() {
    let (_place, dir) = fresh();
    let entries = two(&dir);
    fs::remove_file(dir.snapshots().join(&entries[0].file)).unwrap();
    assert!(falls_back(&dir, &entries).contains("it is missing"));
}

#[test]
fn the_older_one_is_taken_when_the_newest_cannot_be_read() {
    let (_place, dir) = fresh();
    let entries = two(&dir);
    let path = dir.snapshots().join(&entries[0].file);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    falls_back(&dir, &entries);
}

#[test]
fn when_both_are_damaged_both_are_named() {
    let (_place, dir) = fresh();
    let entries = two(&dir);
    for entry in &entries {
        flip(&dir, entry);
    }
    let error = load_newest(&dir, UID, &entries, 2).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    for Entry { file, .. } in &entries {
        assert!(error.to_string().contains(file), "{error}");
    }
}

#[test]
fn a_snapshot_of_another_tenant_is_not_taken() {
    let (_place, dir) = fresh();
    let entries = two(&dir);
    let other = snapshot_of(&dir, TenantUid(4), 9);
    fs::rename(dir.snapshots().join(other.file), dir.snapshots().join(&entries[0].file)).unwrap();
    assert!(falls_back(&dir, &entries).contains("found tenant 4 version 9"));
}

#[test]
fn an_older_snapshot_in_place_of_a_newer_is_not_taken() {
    let (_place, dir) = fresh();
    let entries = two(&dir);
    fs::copy(dir.snapshots().join(&entries[1].file), dir.snapshots().join(&entries[0].file))
        .unwrap();
    assert!(falls_back(&dir, &entries).contains("wanted tenant 3 version 9"));
}

#[test]
fn a_snapshot_counts_from_where_the_list_says_not_before() {
    let (_place, dir) = fresh();
    let mut entries = two(&dir);
    entries[0].lsn = 1000;
    assert_eq!(load_newest(&dir, UID, &entries, 2).unwrap().used.lsn, 1000);
    entries[0].lsn = 80;
    falls_back(&dir, &entries);
}

#[test]
fn a_newer_format_is_refused_and_not_passed_over() {
    let (_place, dir) = fresh();
    let entries = two(&dir);
    let path = dir.snapshots().join(&entries[0].file);
    let mut bytes = fs::read(&path).unwrap();
    bytes[8] = 2;
    bytes[10] = 2;
    let crc = crc32c::crc32c_append(crc32c::crc32c(&[0; 4]), &bytes[..44]);
    bytes[44..48].copy_from_slice(&crc.to_le_bytes());
    fs::write(&path, bytes).unwrap();
    let error = load_newest(&dir, UID, &entries, 2).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 2, known: 1, .. }), "{error}");
}

#[test]
fn a_tenant_without_snapshots_is_not_restored_as_empty() {
    let (_place, dir) = fresh();
    let error = load_newest(&dir, UID, &[], 2).unwrap_err();
    assert!(error.to_string().contains("it names no snapshot of tenant 3"), "{error}");
}
