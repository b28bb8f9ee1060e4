//! A disk without space, which gets some again.

use super::*;
use crate::journal::testing::{Fault, Operation};

fn is_healthy(progress: &Progress) -> bool {
    progress.health == Health::Ok
}

fn is_full(progress: &Progress) -> bool {
    matches!(progress.health, Health::Full { .. })
}

/// Fills the disk up to `room` more bytes than it has now, appends until it is full.
#[track_caller]
fn fill(disk: &SimDisk, journal: &Embedded, room: usize) -> Vec<(u64, Vec<u8>)> {
    disk.set_capacity(Some(disk.used_bytes() + room));
    let mut acknowledged = Vec::new();
    loop {
        let text = format!("record {}", acknowledged.len()).into_bytes();
        let lsn = append(journal, &text).unwrap();
        match outcome(journal, lsn) {
            Ok(()) => acknowledged.push((lsn.get(), text)),
            Err(failure) => {
                assert_eq!(failure, Failure::Full);
                return acknowledged;
            }
        }
    }
}

#[test]
fn a_full_disk_refuses_heals_and_goes_on_with_a_hole_in_the_numbers() {
    // Whatever it was that did not fit: a record, a segment, a manifest.
    for room in 0..600 {
        let disk = SimDisk::new();
        let journal = open(&disk);
        let mut acknowledged = fill(&disk, &journal, room);
        assert!(is_full(&journal.progress().borrow()));
        assert_eq!(append(&journal, b"more"), Err(AppendError::Full));
        assert_eq!(all(&journal), acknowledged, "reads go on");
        disk.set_capacity(None);
        wait_until(&journal, is_healthy);
        assert_eq!(journal.progress().borrow().generation, 1);
        let stale = AppendError::Stale { generation: 1 };
        assert_eq!(journal.append(0, b"leans on what failed".to_vec()), Err(stale));
        let failed = *journal.progress().borrow().failed.last().unwrap();
        let lsn = append_durably(&journal, b"after");
        assert_eq!(lsn, failed.1.next(), "numbers are never used again");
        acknowledged.push((lsn.get(), b"after".to_vec()));
        assert_eq!(all(&journal), acknowledged);
        let (mut cursor, mut seen) = (journal.cursor(Lsn::ZERO), Vec::new());
        cursor.read(1 << 20, &mut |lsn, bytes| seen.push((lsn.get(), bytes.to_vec()))).unwrap();
        assert_eq!(seen, acknowledged, "a cursor passes over the hole");
        let crashed = disk.fork();
        crashed.cut_power(&mut || false);
        assert_eq!(recover(&crashed).unwrap(), acknowledged, "room {room}");
        drop(journal);
        assert_eq!(recover(&disk).unwrap(), acknowledged, "room {room}");
    }
}

#[test]
fn a_crash_on_a_full_disk_loses_nothing() {
    for room in 0..600 {
        let disk = SimDisk::new();
        let journal = open(&disk);
        let acknowledged = fill(&disk, &journal, room);
        for survives in [true, false] {
            let crashed = disk.fork();
            crashed.cut_power(&mut || survives);
            assert_eq!(recover(&crashed).unwrap(), acknowledged, "room {room}");
        }
    }
}

#[test]
fn everything_that_waits_fails_with_the_record_that_did_not_fit() {
    let disk = SimDisk::new();
    let journal = filled(&disk, 2);
    disk.hold_syncs();
    let fits = append(&journal, b"fits").unwrap();
    disk.wait_for_held_sync();
    disk.set_capacity(Some(0));
    let first = append(&journal, &[1; 3000]).unwrap();
    let second = append(&journal, b"leans on the first").unwrap();
    disk.release_syncs();
    assert_eq!(outcome(&journal, fits), Ok(()));
    assert_eq!(outcome(&journal, first), Err(Failure::Full));
    assert_eq!(outcome(&journal, second), Err(Failure::Full));
    assert!(matches!(journal.flush(), Err(JournalError::Full)));
}

#[test]
fn without_space_ahead_of_the_end_it_works_all_the_same() {
    let disk = SimDisk::new();
    disk.refuse_preallocation();
    let journal = open(&disk);
    let acknowledged = fill(&disk, &journal, 1000);
    assert!(!acknowledged.is_empty());
    disk.set_capacity(None);
    wait_until(&journal, is_healthy);
    append_durably(&journal, b"after");
    drop(journal);
    assert_eq!(recover(&disk).unwrap().len(), acknowledged.len() + 1);
}

#[test]
fn at_intervals_a_full_disk_keeps_what_was_written_before() {
    let disk = SimDisk::new();
    let durability = crate::journal::Durability::Interval(Duration::from_hours(1));
    let options = Options { durability, ..options() };
    let journal = Embedded::open(Arc::new(disk.clone()), &options).unwrap().0;
    let acknowledged = fill(&disk, &journal, 300);
    assert!(!acknowledged.is_empty());
    disk.set_capacity(None);
    wait_until(&journal, is_healthy);
    disk.cut_power(&mut || false);
    drop(journal);
    assert_eq!(recover(&disk).unwrap(), acknowledged);
}

#[test]
fn on_a_full_disk_segments_can_be_let_go_of_and_that_heals_it() {
    let disk = SimDisk::new();
    let journal = open(&disk);
    let acknowledged = fill(&disk, &journal, 150_000);
    assert!(acknowledged.len() > 100);
    journal.purge(journal.stats().last).unwrap();
    wait_until(&journal, is_healthy);
    append_durably(&journal, b"after");
}

/// Appends until `count` records are durable, whatever is refused for want of space meanwhile.
fn append_through(journal: &Embedded, count: usize) -> Vec<(u64, Vec<u8>)> {
    let mut acknowledged = Vec::new();
    while acknowledged.len() < count {
        wait_until(journal, |progress| !is_full(progress));
        let text = format!("record {}", acknowledged.len()).into_bytes();
        let told = append(journal, &text);
        assert_ne!(told, Err(AppendError::Poisoned), "{}", acknowledged.len());
        let Ok(lsn) = told else { continue };
        match outcome(journal, lsn) {
            Ok(()) => acknowledged.push((lsn.get(), text)),
            Err(failure) => assert_eq!(failure, Failure::Full),
        }
    }
    acknowledged
}

#[test]
fn whichever_file_it_is_that_has_no_space_the_journal_heals() {
    const ENOSPC: i32 = 28;
    const EDQUOT: i32 = 122;
    let options = || Options { high_water_interval: Duration::ZERO, ..options() };
    let second = {
        let disk = SimDisk::new();
        let journal = Embedded::open(Arc::new(disk.clone()), &options()).unwrap().0;
        append_through(&journal, 60);
        names(&disk).into_iter().filter(|name| is_segment(name)).nth(1).unwrap()
    };
    let second = second.as_str();
    for (file, operation) in [
        ("HIGHWATER", Operation::Write),
        ("HIGHWATER", Operation::Sync),
        ("MANIFEST.new", Operation::Create),
        ("MANIFEST.new", Operation::Write),
        ("MANIFEST.new", Operation::Sync),
        ("MANIFEST", Operation::Rename),
        (second, Operation::Create),
        (second, Operation::Write),
        (second, Operation::Sync),
    ] {
        for (errno, written_bytes) in [(ENOSPC, 0), (ENOSPC, 9), (EDQUOT, 0)] {
            let disk = SimDisk::new();
            let journal = Embedded::open(Arc::new(disk.clone()), &options()).unwrap().0;
            for _ in 0..2 {
                let fault = Fault { operation, after_calls: 0, errno, written_bytes };
                disk.inject_in(file, fault);
            }
            let acknowledged = append_through(&journal, 60);
            assert!(!disk.has_faults(), "{file} {operation:?} was never asked for");
            assert_eq!(all(&journal), acknowledged, "{file} {operation:?}");
            let crashed = disk.fork();
            crashed.cut_power(&mut || false);
            assert_eq!(recover(&crashed).unwrap(), acknowledged, "{file} {operation:?}");
            drop(journal);
            assert_eq!(recover(&disk).unwrap(), acknowledged, "{file} {operation:?}");
        }
    }
}

#[test]
fn a_full_disk_that_cannot_even_cut_heals_and_tells_nobody_a_falsehood_meanwhile() {
    for refused in 1..4 {
        let disk = SimDisk::new();
        disk.refuse_preallocation();
        let journal = filled(&disk, 2);
        // Two whole records and a part of a third come onto the disk, and cannot be taken back.
        let fault = |operation| Fault { operation, after_calls: 0, errno: 28, written_bytes: 120 };
        disk.hold_syncs();
        let before = append(&journal, b"before").unwrap();
        disk.wait_for_held_sync();
        disk.inject(fault(Operation::Write));
        for _ in 0..refused {
            disk.inject(fault(Operation::Truncate));
        }
        let batch: Vec<Lsn> = (0..3).map(|_| append(&journal, b"waits").unwrap()).collect();
        disk.release_syncs();
        for lsn in &batch {
            let told = outcome(&journal, *lsn);
            let crashed = disk.fork();
            crashed.cut_power(&mut || true);
            let found = recover(&crashed).unwrap();
            let is_there = found.iter().any(|(found, _)| *found == lsn.get());
            assert!(!is_there, "{lsn} was told to have failed, and is there");
            assert_eq!(told, Err(Failure::Full), "{refused}");
        }
        assert_eq!(outcome(&journal, before), Ok(()));
        wait_until(&journal, is_healthy);
        assert!(!disk.has_faults(), "{refused}");
        let after = append_durably(&journal, b"after");
        assert_eq!(all(&journal).last().unwrap(), &(after.get(), b"after".to_vec()));
        let seen = all(&journal);
        drop(journal);
        assert_eq!(recover(&disk).unwrap(), seen);
    }
}
