//! When a record counts as durable, and what a failed write or sync does.

use super::*;
use crate::journal::Durability;
use crate::journal::testing::{Fault, Operation};

const EIO: i32 = 5;

fn fault(operation: Operation) -> Fault {
    Fault { operation, after_calls: 0, errno: EIO, written_bytes: 10 }
}

#[track_caller]
fn check_poisoned(journal: &dyn Journal) {
    wait_until(journal, Progress::is_poisoned);
    assert_eq!(append(journal, b"more"), Err(AppendError::Poisoned));
    assert!(matches!(journal.flush(), Err(JournalError::Poisoned)));
    assert!(matches!(journal.purge(Lsn::new(1)), Err(JournalError::Poisoned)));
}

#[test]
fn nothing_is_durable_before_its_sync() {
    let disk = SimDisk::new();
    let journal = filled(&disk, 2);
    disk.hold_syncs();
    let third = append(&journal, b"third").unwrap();
    disk.wait_for_held_sync();
    let fourth = append(&journal, b"fourth").unwrap();
    assert_eq!(journal.progress().borrow().outcome(third), None);
    assert_eq!(all(&journal), payloads(2));
    assert!(disk.release_one_sync());
    outcome(&journal, third).unwrap();
    assert_eq!(journal.progress().borrow().outcome(fourth), None);
    disk.release_syncs();
    outcome(&journal, fourth).unwrap();
}

#[test]
fn what_waits_shares_one_sync() {
    let disk = SimDisk::new();
    let big = Options { segment_bytes: 100_000, preallocate_bytes: 100_000, ..options() };
    let journal = Embedded::open(Arc::new(disk.clone()), &big).unwrap().0;
    disk.hold_syncs();
    append(&journal, b"first").unwrap();
    disk.wait_for_held_sync();
    let before = disk.syncs();
    for _ in 0..500 {
        append(&journal, b"waits").unwrap();
    }
    disk.release_syncs();
    outcome(&journal, Lsn::new(501)).unwrap();
    assert!(disk.syncs() - before <= 3, "{} syncs", disk.syncs() - before);
}

#[test]
fn at_intervals_a_record_is_durable_once_written_and_synced_later() {
    let disk = SimDisk::new();
    let durability = Durability::Interval(Duration::from_hours(1));
    let options = Options { durability, ..options() };
    let journal = Embedded::open(Arc::new(disk.clone()), &options).unwrap().0;
    let lsn = append_durably(&journal, b"written");
    assert_eq!(journal.progress().borrow().synced, Lsn::ZERO);
    let powerless = disk.fork();
    powerless.cut_power(&mut || false);
    assert_eq!(recover(&powerless).unwrap(), []);
    assert_eq!(journal.flush().unwrap(), lsn);
    assert_eq!(journal.progress().borrow().synced, lsn);
    let powerless = disk.fork();
    powerless.cut_power(&mut || false);
    assert_eq!(recover(&powerless).unwrap(), [(1, b"written".to_vec())]);

    append_durably(&journal, b"at the end");
    drop(journal);
    disk.cut_power(&mut || false);
    assert_eq!(recover(&disk).unwrap().len(), 2);
}

#[test]
fn a_failed_sync_poisons_and_what_it_left_is_made_durable_before_it_is_shown() {
    let disk = SimDisk::new();
    let journal = filled(&disk, 3);
    disk.inject(fault(Operation::Sync));
    let lsn = append(&journal, b"doubtful").unwrap();
    assert_eq!(outcome(&journal, lsn), Err(Failure::Poisoned));
    check_poisoned(&journal);
    assert_eq!(all(&journal), payloads(3));
    drop(journal);
    let shown = recover(&disk).unwrap();
    assert_eq!(shown.len(), 4);
    disk.cut_power(&mut || false);
    assert_eq!(recover(&disk).unwrap(), shown);
}

#[test]
fn a_failed_write_poisons_and_loses_nothing_acknowledged() {
    for operation in [Operation::Write, Operation::SyncDir, Operation::Rename, Operation::Create] {
        let disk = SimDisk::new();
        let journal = filled(&disk, 3);
        disk.inject(fault(operation));
        // Enough for a change of segments, where folders are synced and files renamed.
        let mut durable = 3;
        while let Ok(lsn) = append(&journal, &payload(durable + 1)) {
            if outcome(&journal, lsn).is_err() {
                break;
            }
            durable += 1;
        }
        check_poisoned(&journal);
        drop(journal);
        let shown = recover(&disk).unwrap();
        assert!(shown.starts_with(&payloads(durable)), "{operation:?}: {shown:?}");
    }
}

#[test]
fn everything_that_waits_fails_with_the_write() {
    let disk = SimDisk::new();
    let journal = filled(&disk, 1);
    disk.hold_syncs();
    let first = append(&journal, b"first").unwrap();
    disk.wait_for_held_sync();
    let second = append(&journal, b"second").unwrap();
    disk.inject(fault(Operation::Sync));
    disk.release_syncs();
    assert_eq!(outcome(&journal, first), Err(Failure::Poisoned));
    assert_eq!(outcome(&journal, second), Err(Failure::Poisoned));
    assert_eq!(journal.progress().borrow().outcome(Lsn::new(1)), Some(Ok(())));
}

#[test]
fn the_queue_has_a_bound_in_records_and_bytes() {
    let disk = SimDisk::new();
    let small = Options { max_queue_records: 3, max_queue_bytes: 10_000, ..options() };
    let journal = Embedded::open(Arc::new(disk.clone()), &small).unwrap().0;
    disk.hold_syncs();
    append(&journal, b"being written").unwrap();
    disk.wait_for_held_sync();
    let too_large = AppendError::TooLarge { actual_bytes: 10_001, limit_bytes: 10_000 };
    assert_eq!(append(&journal, &[0; 10_001]), Err(too_large));
    append(&journal, &[0; 6000]).unwrap();
    assert_eq!(append(&journal, &[0; 4001]), Err(AppendError::Busy));
    append(&journal, b"2").unwrap();
    append(&journal, b"3").unwrap();
    assert_eq!(append(&journal, b"4"), Err(AppendError::Busy));
    disk.release_syncs();
    outcome(&journal, Lsn::new(4)).unwrap();
    append_durably(&journal, b"5");
}

#[test]
fn a_flush_does_not_wait_for_ever() {
    let disk = SimDisk::new();
    let hasty = Options { flush_timeout: Duration::from_millis(1), ..options() };
    let journal = Embedded::open(Arc::new(disk.clone()), &hasty).unwrap().0;
    disk.hold_syncs();
    append(&journal, b"x").unwrap();
    let result = journal.flush();
    assert!(matches!(result, Err(JournalError::TimedOut { .. })), "{result:?}");
    disk.release_syncs();
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let contradicting = Options { max_queue_bytes: 10, ..options() };
    let error = Embedded::open(Arc::new(SimDisk::new()), &contradicting).unwrap_err();
    assert!(matches!(error, JournalError::Options(_)), "{error}");
}
