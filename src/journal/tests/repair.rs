//! Checking and repairing: the check knows whether a journal opens, and a repair makes it open.

use proptest::prelude::*;

use super::damage::{bits_of, closed_cleanly, crashed, end_of};
use super::*;
use crate::journal::{Disk, Reader, RepairReport, Report, check};

/// A repair where nobody else knows of any place.
fn repair(disk: &SimDisk) -> Result<RepairReport, JournalError> {
    crate::journal::repair(disk, Lsn::ZERO, 44)
}

/// Everything there is, by name.
fn everything(disk: &SimDisk) -> Vec<(String, Vec<u8>)> {
    names(disk).into_iter().map(|name| (name.clone(), disk.contents(&name).unwrap())).collect()
}

/// The check agrees with the opening, and after a repair the journal opens with every record of 1
/// to `count` that the repair did not call lost.
#[track_caller]
fn check_and_repair(disk: &SimDisk, count: u64) -> RepairReport {
    let before = everything(disk);
    let opens = recover(&disk.fork());
    let report = check(disk).unwrap();
    assert_eq!(everything(disk), before, "a check changes nothing");
    assert_eq!(report.problems.is_empty(), opens.is_ok(), "{opens:?} {report:#?}");
    let repaired = repair(disk).unwrap();
    assert_eq!(repaired.after.problems, [], "{repaired:#?}");
    if opens.is_ok() {
        assert_eq!(everything(disk), before, "what is sound is left alone");
    }
    for (name, copy) in &repaired.copies {
        let original = before.iter().find(|(file, _)| file == name).unwrap();
        assert_eq!(disk.contents(copy).as_ref(), Some(&original.1), "{copy}");
    }
    let is_lost = |lsn: u64| {
        repaired.lost.iter().any(|&(first, last)| (first.get()..=last.get()).contains(&lsn))
    };
    let records = recover(disk).unwrap();
    let torn = before.len() == names(disk).len() && opens.is_ok();
    let wanted: Vec<_> = payloads(count).into_iter().filter(|&(lsn, _)| !is_lost(lsn)).collect();
    if torn {
        assert!(wanted.starts_with(&records));
    } else {
        assert_eq!(records, wanted, "{repaired:#?}");
    }
    let journal = open(disk);
    assert!(append_durably(&journal, b"goes on").get() > repaired.after.last.get());
    repaired
}

fn lost(report: &RepairReport) -> u64 {
    report.lost.iter().map(|(first, last)| last.get() - first.get() + 1).sum()
}

#[test]
fn a_flipped_bit_costs_one_record_at_most() {
    let (disk, count) = closed_cleanly();
    for name in names(&disk) {
        let bytes = disk.contents(&name).unwrap();
        for bit in bits_of(&name, &bytes).step_by(7) {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let disk = disk.fork();
            disk.put(&name, &flipped);
            if check(&disk).unwrap().problems.iter().any(|problem| problem.newer.is_some()) {
                repair(&disk).unwrap_err();
                continue;
            }
            let repaired = check_and_repair(&disk, count);
            assert!(lost(&repaired) <= 1, "{name} bit {bit}: {repaired:#?}");
        }
    }
}

#[test]
fn a_cut_segment_costs_what_was_cut_off() {
    let (disk, count) = closed_cleanly();
    for name in names(&disk) {
        let bytes = disk.contents(&name).unwrap();
        for cut in (0..bytes.len()).step_by(13) {
            let disk = disk.fork();
            disk.put(&name, &bytes[..cut]);
            check_and_repair(&disk, count);
        }
    }
}

#[test]
fn a_missing_file_costs_its_own_records_and_no_others() {
    let (disk, count) = closed_cleanly();
    for name in names(&disk) {
        let disk = disk.fork();
        let held = check(&disk).unwrap().segments.into_iter().find(|segment| segment.file == name);
        Disk::remove(&disk, &name).unwrap();
        let repaired = check_and_repair(&disk, count);
        assert_eq!(lost(&repaired), held.map_or(0, |segment| segment.records), "{name}");
    }
}

#[test]
fn numbers_that_others_know_of_are_never_used_again() {
    let gone = |names: &[String], is_gone: fn(&str) -> bool| -> Vec<String> {
        names.iter().filter(|name| is_gone(name)).cloned().collect()
    };
    // Nothing, the newest segment, all segments, all but the mark, everything.
    let losses: [fn(&str) -> bool; 5] = [
        |_| false,
        |name| name.ends_with("15.seg"),
        is_segment,
        |name| name != "HIGHWATER",
        |_| true,
    ];
    for is_gone in losses {
        for above in [0, 1, 20, 21, 100] {
            let (disk, count) = closed_cleanly();
            for name in gone(&names(&disk), is_gone) {
                Disk::remove(&disk, &name).unwrap();
            }
            let is_all_gone = names(&disk).is_empty();
            let repaired = crate::journal::repair(&disk, Lsn::new(above), 44).unwrap();
            assert_eq!(repaired.after.problems, [], "{above}");
            let before = recover(&disk).unwrap();
            let journal = open(&disk);
            let next = append_durably(&journal, b"goes on");
            assert!(next.get() > above, "{next} after {above}");
            assert!(is_all_gone || next.get() > count, "{next}: the mark knew of {count}");
            drop(journal);
            let mut wanted = before;
            wanted.push((next.get(), b"goes on".to_vec()));
            assert_eq!(recover(&disk).unwrap(), wanted);
            assert_eq!(check(&disk).unwrap().problems, []);
        }
    }
}

#[test]
fn a_reader_sees_what_an_opening_sees_and_changes_nothing() {
    for (disk, count) in [closed_cleanly(), crashed(), (SimDisk::new(), 0)] {
        let before = everything(&disk);
        let reader = Reader::open(disk.clone()).unwrap();
        assert_eq!(all(&reader), payloads(count));
        assert_eq!(try_all(&reader, Lsn::new(count)).unwrap(), []);
        assert_eq!(reader.stats().last, Lsn::new(count));
        for (lsn, payload) in payloads(count) {
            let (file, offset) = reader.place_of(Lsn::new(lsn)).unwrap().unwrap();
            let bytes = disk.contents(&file).unwrap();
            let rest = &bytes[usize::try_from(offset).unwrap()..];
            let found = rest.windows(payload.len().max(1)).position(|window| window == payload);
            assert!(payload.is_empty() || found.is_some_and(|at| at < 60), "{lsn} at {offset}");
        }
        assert_eq!(reader.place_of(Lsn::new(count + 1)).unwrap(), None);
        assert_eq!(append(&reader, b"x"), Err(AppendError::Closed));
        assert_eq!(everything(&disk), before);
    }
}

#[test]
fn a_lost_manifest_is_written_anew_from_the_segments() {
    for (disk, count) in [closed_cleanly(), crashed()] {
        Disk::remove(&disk, "MANIFEST").unwrap();
        assert_eq!(lost(&check_and_repair(&disk, count)), 0);
    }
}

#[test]
fn an_older_manifest_is_replaced() {
    let disk = SimDisk::new();
    let journal = filled(&disk, 2);
    let older = disk.contents("MANIFEST").unwrap();
    for number in 3..=20 {
        append_durably(&journal, &payload(number));
    }
    drop(journal);
    disk.put("MANIFEST", &older);
    assert_eq!(lost(&check_and_repair(&disk, 20)), 0);
}

#[test]
fn a_segment_of_another_journal_is_put_aside() {
    let (disk, count) = closed_cleanly();
    let other = SimDisk::new();
    let strange = Options { seed: 43, ..options() };
    let journal = Embedded::open(Arc::new(other.clone()), &strange).unwrap().0;
    for number in 1..=20 {
        append_durably(&journal, b"not ours".repeat(usize::try_from(number % 3).unwrap()).as_ref());
    }
    drop(journal);
    for name in names(&disk).iter().filter(|name| is_segment(name)) {
        let Some(foreign) = other.contents(name) else { continue };
        let disk = disk.fork();
        disk.put(name, &foreign);
        check_and_repair(&disk, count);
    }
}

#[test]
fn a_second_repair_keeps_the_copies_of_the_first() {
    let (disk, _) = closed_cleanly();
    let name = active_name(&disk);
    for copy in ["broken", "broken2", "broken3"] {
        let mut bytes = disk.contents(&name).unwrap();
        let end = end_of(&bytes);
        bytes[end - 1] ^= 1;
        disk.put(&name, &bytes);
        let repaired = repair(&disk).unwrap();
        assert!(repaired.copies.contains(&(name.clone(), format!("{name}.{copy}"))));
    }
}

#[test]
fn a_check_tells_what_is_held() {
    let disk = SimDisk::new();
    assert_eq!(check(&disk).unwrap(), Report::default());
    let (disk, count) = closed_cleanly();
    let report = check(&disk).unwrap();
    assert_eq!((report.first, report.last), (Lsn::new(1), Lsn::new(count)));
    assert_eq!(report.high_water, Some(Lsn::new(count)));
    assert_eq!(report.segments.iter().map(|segment| segment.records).sum::<u64>(), count);
    assert_eq!(report.torn, None);
}

#[test]
fn a_repair_cut_short_can_be_repeated() {
    let (disk, _) = closed_cleanly();
    let name = names(&disk)[2].clone();
    let mut bytes = disk.contents(&name).unwrap();
    bytes[60] ^= 1;
    disk.put(&name, &bytes);
    for chance in 0..200_u64 {
        let disk = disk.fork();
        let operations = [
            crate::journal::testing::Operation::Create,
            crate::journal::testing::Operation::Sync,
            crate::journal::testing::Operation::Rename,
            crate::journal::testing::Operation::SyncDir,
        ];
        for operation in operations {
            let after_calls = usize::try_from(chance % 5).unwrap();
            let fault = crate::journal::testing::Fault {
                operation,
                after_calls,
                errno: 5,
                written_bytes: 0,
            };
            disk.inject(fault);
        }
        drop(repair(&disk));
        let mut state = chance;
        disk.cut_power(&mut || {
            state = crate::journal::active::mix(state);
            state.is_multiple_of(2)
        });
        let disk = disk.fork();
        let repaired = repair(&disk).unwrap();
        assert_eq!(repaired.after.problems, []);
        assert!(recover(&disk).unwrap().len() >= 19);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_to_two_files_the_check_is_right_and_the_repair_helps(
        damages in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 1..80_usize, any::<u8>()), 1..3),
    ) {
        let (disk, _) = closed_cleanly();
        let segments: Vec<_> = names(&disk).into_iter().filter(|name| is_segment(name)).collect();
        for (file, place, length, value) in damages {
            let name = file.get(&segments);
            let mut bytes = disk.contents(name).unwrap();
            let begin = place.index(bytes.len());
            let end = bytes.len().min(begin + length);
            bytes[begin..end].fill(value);
            disk.put(name, &bytes);
        }
        let opens = recover(&disk.fork());
        let report = check(&disk).unwrap();
        prop_assert_eq!(report.problems.is_empty(), opens.is_ok());
        if report.problems.iter().all(|problem| problem.newer.is_none()) {
            let repaired = repair(&disk).unwrap();
            prop_assert_eq!(repaired.after.problems, []);
            for (lsn, payload) in recover(&disk).unwrap() {
                prop_assert_eq!(payload, super::payload(lsn));
            }
        }
    }
}
