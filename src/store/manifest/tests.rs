//! What the list of snapshots promises: it is whole, and it holds back what may be needed.

use super::*;
use crate::store::data_dir::tests::{fresh, mode};

const UID: TenantUid = TenantUid(3);

fn entry(uid: TenantUid, version: u64, lsn: u64) -> Entry {
    Entry {
        file: format!("{uid}-{version}.snap"),
        version: Version::new(version),
        lsn,
        created: Timestamp::from_millis(-7),
        users: 5,
        bytes: 1000,
    }
}

/// A list with snapshots at these versions, the first written first; the LSN is ten times as high.
fn with(snapshots: &[(u64, u64)]) -> Manifest {
    snapshots.iter().fold(Manifest::default(), |manifest, &(uid, version)| {
        manifest.with_snapshot(TenantUid(uid), entry(TenantUid(uid), version, 10 * version)).0
    })
}

fn sample() -> Manifest {
    with(&[(0, 1), (0, 2), (3, 9)])
}

fn versions(manifest: &Manifest, uid: TenantUid) -> Vec<u64> {
    manifest.of(uid).iter().map(|entry| entry.version.get()).collect()
}

#[track_caller]
fn damaged(dir: &DataDir, what: &str) -> String {
    match Manifest::load(dir) {
        Err(StoreError::Damaged { path, offset: 0, reason }) => {
            assert_eq!(path, dir.manifest());
            reason
        }
        other => panic!("{what}: {other:?}"),
    }
}

#[test]
fn a_list_comes_back_as_it_was_stored_and_is_private() {
    let (_place, dir) = fresh();
    for manifest in [sample(), Manifest::default()] {
        manifest.store(&dir).unwrap();
        assert_eq!(Manifest::load(&dir).unwrap(), Some(manifest));
        assert_eq!(mode(&dir.manifest()), 0o600);
    }
}

#[test]
fn the_text_of_format_1_stays_as_it_is() {
    let lines = "dossier-snapshots format=1 min_reader=1\n\
        tenant=3 version=9 lsn=90 created=-7 users=5 bytes=1000 file=3-9.snap\n";
    assert_eq!(with(&[(3, 9)]).encode(), sealed(lines));
}

#[test]
fn no_flipped_bit_and_no_cut_goes_unnoticed() {
    let (_place, dir) = fresh();
    let bytes = sample().encode().into_bytes();
    for bit in 0..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(dir.manifest(), flipped).unwrap();
        damaged(&dir, &format!("bit {bit}"));
    }
    for cut in 0..bytes.len() {
        fs::write(dir.manifest(), &bytes[..cut]).unwrap();
        damaged(&dir, &format!("cut at {cut}"));
    }
    fs::write(dir.manifest(), [bytes.as_slice(), b"\n"].concat()).unwrap();
    damaged(&dir, "longer");
}

/// Puts the right checksum behind these lines.
fn sealed(lines: &str) -> String {
    format!("{lines}crc={:08x}\n", crc32c::crc32c(lines.as_bytes()))
}

#[test]
fn a_newer_format_is_refused_by_number() {
    let (_place, dir) = fresh();
    fs::write(dir.manifest(), sealed("dossier-snapshots format=4 min_reader=3\nx\n")).unwrap();
    let error = Manifest::load(&dir).unwrap_err();
    assert!(matches!(error, StoreError::Newer { found: 3, known: 1, .. }), "{error}");
}

#[test]
fn lines_that_make_no_sense_together_are_refused() {
    let line = |uid: u64, version: u64, lsn: u64, file: &str| {
        format!("tenant={uid} version={version} lsn={lsn} created=1 users=1 bytes=1 file={file}\n")
    };
    let good = line(3, 9, 90, "3-9.snap");
    let (_place, dir) = fresh();
    for bad in [
        format!("{good}{good}"),
        format!("{good}{}", line(3, 10, 100, "3-10.snap")),
        format!("{}{}{good}", line(3, 11, 110, "3-11.snap"), line(3, 10, 100, "3-10.snap")),
        line(3, 9, 90, "../3-9.snap"),
        line(3, 9, 90, "4-9.snap"),
        line(3, 9, 90, ""),
        format!("{good}\n"),
        "tenant=3\n".to_owned(),
    ] {
        fs::write(dir.manifest(), sealed(&format!("{TITLE} format=1 min_reader=1\n{bad}")))
            .unwrap();
        damaged(&dir, &bad);
    }
    fs::write(dir.manifest(), sealed(&format!("{TITLE} format=1 min_reader=1\n{good}"))).unwrap();
    assert_eq!(versions(&Manifest::load(&dir).unwrap().unwrap(), UID), [9]);
}

#[test]
fn a_missing_list_is_fine_only_where_nothing_happened_yet() {
    let (_place, dir) = fresh();
    assert_eq!(Manifest::load(&dir).unwrap(), None);
    for file in [dir.snapshots().join("3-9.snap"), dir.journal().join("segment")] {
        fs::write(&file, "").unwrap();
        let reason = damaged(&dir, "missing");
        assert!(reason.contains("it is missing, although"), "{reason}");
        fs::remove_file(&file).unwrap();
    }
}

#[test]
fn two_snapshots_of_a_tenant_are_kept_and_the_third_falls_off() {
    let (manifest, dropped) = with(&[(3, 1), (3, 2)]).with_snapshot(UID, entry(UID, 5, 50));
    assert_eq!(versions(&manifest, UID), [5, 2]);
    assert_eq!(dropped, ["3-1.snap"]);
}

#[test]
fn of_two_snapshots_at_one_version_the_later_is_the_newer() {
    let again = Entry { file: "3-2-2.snap".to_owned(), ..entry(UID, 2, 20) };
    let (manifest, dropped) = with(&[(3, 1), (3, 2)]).with_snapshot(UID, again);
    assert_eq!(
        manifest.of(UID).iter().map(|entry| entry.file.as_str()).collect::<Vec<_>>(),
        ["3-2-2.snap", "3-2.snap"]
    );
    assert_eq!(dropped, ["3-1.snap"]);
    assert!(manifest.is_consistent());
}

#[test]
fn a_tenant_that_is_gone_takes_its_snapshots_along() {
    let (manifest, dropped) = sample().without_tenant(TenantUid(0));
    assert_eq!(dropped, ["0-2.snap", "0-1.snap"]);
    assert_eq!(manifest, with(&[(3, 9)]));
    assert_eq!(manifest.without_tenant(TenantUid(0)), (manifest.clone(), Vec::new()));
}

#[test]
fn a_damaged_snapshot_does_not_push_out_the_good_one_before_it() {
    let manifest = with(&[(3, 1), (3, 2)]);
    let good = manifest.of(UID)[1].clone();
    let (manifest, dropped) = manifest.without_newer(UID, &good);
    assert_eq!(dropped, ["3-2.snap"]);
    let (manifest, dropped) = manifest.with_snapshot(UID, entry(UID, 5, 50));
    assert_eq!((versions(&manifest, UID), dropped), (vec![5, 1], Vec::new()));
}

#[test]
fn the_journal_is_kept_behind_the_older_snapshot_of_every_tenant() {
    let replay_from = |snapshots: &[(u64, u64)]| {
        let manifest = with(snapshots);
        manifest.replay_from(manifest.tenants.keys().copied())
    };
    assert_eq!(replay_from(&[]), 0);
    assert_eq!(replay_from(&[(0, 5)]), 0);
    assert_eq!(replay_from(&[(0, 5), (0, 9)]), 50);
    assert_eq!(replay_from(&[(0, 5), (0, 9), (3, 2)]), 0);
    assert_eq!(replay_from(&[(0, 5), (0, 9), (3, 7), (3, 8)]), 50);
    assert_eq!(replay_from(&[(0, 5), (0, 9), (3, 2), (3, 8)]), 20);
}

#[test]
fn a_tenant_without_a_snapshot_holds_the_whole_journal_back() {
    let manifest = with(&[(0, 5), (0, 9)]);
    assert_eq!(manifest.replay_from([TenantUid(0)]), 50);
    assert_eq!(manifest.replay_from([TenantUid(0), UID]), 0);
    assert_eq!(manifest.holding_back([TenantUid(0), UID]), [UID]);
    assert_eq!(manifest.holding_back([]), [TenantUid(0)]);
}

#[test]
fn a_tenant_that_does_not_change_lets_go_without_a_new_snapshot() {
    let twice = Entry { file: "3-5-2.snap".to_owned(), ..entry(UID, 5, 60) };
    let manifest = with(&[(3, 5)]).with_snapshot(UID, twice).0;
    assert_eq!(manifest.replay_from([]), 50);
    let later = manifest.with_unchanged(UID, Version::new(5), 1000);
    assert_eq!((later.replay_from([]), later.newest_lsn()), (1000, 1000));
    assert!(later.is_consistent());
    assert_eq!(manifest.with_unchanged(UID, Version::new(6), 1000), manifest);
    assert_eq!(later.with_unchanged(UID, Version::new(5), 900), later);
    assert_eq!(manifest.with_unchanged(TenantUid(8), Version::new(5), 1000), manifest);
}

#[test]
fn what_only_the_newer_snapshot_holds_is_kept_in_the_journal_too() {
    let manifest = with(&[(3, 5), (3, 9)]).with_unchanged(UID, Version::new(9), 1000);
    assert_eq!(manifest.replay_from([]), 50);
}

#[test]
fn files_the_list_does_not_name_are_leftovers() {
    let (_place, dir) = fresh();
    for file in [
        "0-1.snap",
        "0-2.snap",
        "0-2.snap.tmp",
        "3-9.snap",
        "3-9-2.snap",
        "3-9.snap.broken",
        "note",
    ] {
        fs::write(dir.snapshots().join(file), "").unwrap();
    }
    assert_eq!(sample().leftovers(&dir).unwrap(), ["0-2.snap.tmp", "3-9-2.snap"]);
}
