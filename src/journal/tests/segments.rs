//! Changing segments, purging them, and what a crash leaves of either.

use super::*;

#[test]
fn segments_follow_each_other_and_go_when_they_are_not_needed() {
    let disk = SimDisk::new();
    let journal = filled(&disk, 60);
    let before = journal.stats();
    assert!(before.segments > 3, "{before:?}");
    assert_eq!(before.records, 60);
    journal.purge(Lsn::new(40)).unwrap();
    let after = journal.stats();
    assert!(after.segments < before.segments && after.size_bytes < before.size_bytes);
    assert!(after.oldest <= Lsn::new(41));
    let segments = names(&disk).iter().filter(|name| is_segment(name)).count();
    assert_eq!(u64::try_from(segments).unwrap(), after.segments);
    drop(journal);
    let (journal, opened) = try_open(&disk).unwrap();
    assert_eq!((opened.first, opened.last), (after.oldest, Lsn::new(60)));
    assert_eq!(all(&journal).last(), payloads(60).last());
    assert_eq!(append_durably(&journal, b"next"), Lsn::new(61));
}

#[test]
fn everything_can_be_purged_but_the_segment_that_is_written_to() {
    let disk = SimDisk::new();
    let journal = filled(&disk, 60);
    journal.purge(Lsn::new(1000)).unwrap();
    assert_eq!(journal.stats().segments, 1);
    drop(journal);
    let journal = open(&disk);
    assert_eq!(append_durably(&journal, b"next"), Lsn::new(61));
}

#[test]
fn purged_segments_that_come_back_after_a_power_cut_are_removed() {
    let disk = SimDisk::new();
    let journal = filled(&disk, 60);
    let before = names(&disk);
    journal.purge(Lsn::new(40)).unwrap();
    let kept = all(&journal);
    let crashed = disk.fork();
    crashed.cut_power(&mut || false);
    assert_eq!(names(&crashed), before);
    let (recovered, opened) = try_open(&crashed).unwrap();
    assert_eq!(opened.leftovers.len(), before.len() - names(&disk).len());
    assert_eq!(all(&recovered), kept);
    assert_eq!(names(&crashed), names(&disk));
}

#[test]
fn replay_while_segments_are_purged_tells_so_or_is_whole() {
    let disk = SimDisk::new();
    let journal = filled(&disk, 60);
    let mut seen = 0;
    let result = journal.replay(Lsn::ZERO, &mut |lsn, _| {
        if seen == 0 {
            journal.purge(Lsn::new(40)).unwrap();
        }
        seen += 1;
        assert_eq!(lsn.get(), seen);
        ControlFlow::Continue(())
    });
    assert!(matches!(result, Err(JournalError::Purged { .. })), "{result:?}");
}

#[test]
fn a_record_larger_than_a_segment_has_one_of_its_own() {
    let disk = SimDisk::new();
    let journal = filled(&disk, 2);
    append_durably(&journal, &[7; 5000]);
    append_durably(&journal, b"after");
    drop(journal);
    let records = recover(&disk).unwrap();
    assert_eq!(records[2], (3, vec![7; 5000]));
    assert_eq!(records[3], (4, b"after".to_vec()));
}

#[test]
fn a_first_start_that_was_cut_off_begins_again() {
    // Each file of a new journal alone or with others, whole or cut; the manifest comes last.
    let disk = SimDisk::new();
    drop(open(&disk));
    let segment = active_name(&disk);
    for mark_size in [None, Some(0), Some(20), Some(8192)] {
        for segment_size in [None, Some(0), Some(20), Some(40)] {
            let cut = SimDisk::new();
            for (name, size) in [("HIGHWATER", mark_size), (&segment, segment_size)] {
                if let Some(size) = size {
                    cut.put(name, &disk.contents(name).unwrap()[..size]);
                }
            }
            let (journal, opened) = try_open(&cut).unwrap();
            assert!(opened.is_new);
            append_durably(&journal, b"x");
        }
    }
}

#[test]
fn files_can_be_read_by_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a").join("journal");
    let disk = Arc::new(crate::journal::OsDisk::open(&path).unwrap());
    let journal = Embedded::open(disk, &options()).unwrap().0;
    append_durably(&journal, b"x");
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    for entry in std::fs::read_dir(&path).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{:?}", entry.file_name());
    }
}

#[test]
fn what_is_sealed_can_all_be_let_go_of_and_a_seal_of_nothing_is_none() {
    let disk = SimDisk::new();
    let journal = filled(&disk, 7);
    assert_eq!(journal.seal().unwrap(), Lsn::new(7));
    let segments = journal.stats().segments;
    assert_eq!(journal.seal().unwrap(), Lsn::new(7));
    assert_eq!(journal.stats().segments, segments);
    let crashed = disk.fork();
    crashed.cut_power(&mut || false);
    assert_eq!(all(&open(&crashed)), payloads(7));
    journal.purge(Lsn::new(7)).unwrap();
    assert_eq!(journal.stats().oldest, Lsn::new(8));
    drop(journal);
    let journal = open(&disk);
    assert_eq!(append_durably(&journal, b"next"), Lsn::new(8));
    assert_eq!(all(&journal), [(8, b"next".to_vec())]);
}
