//! Damage of every kind: nothing acknowledged is lost without a word.

use super::*;
use crate::journal::segment::HEADER_BYTES;

/// A journal of two complete segments and one more, closed cleanly: all of it is known durable.
pub(super) fn closed_cleanly() -> (SimDisk, u64) {
    let disk = SimDisk::new();
    let journal = filled(&disk, 20);
    assert!(journal.stats().segments >= 3);
    drop(journal);
    (disk, 20)
}

/// The same as a crash leaves it: the high-water mark knows of nothing.
pub(super) fn crashed() -> (SimDisk, u64) {
    let disk = SimDisk::new();
    let journal = filled(&disk, 20);
    let crashed = disk.fork();
    drop(journal);
    (crashed, 20)
}

/// Where the frames end.
pub(super) fn end_of(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1
}

/// Every bit of a file, without most of the long blank parts of the high-water mark.
pub(super) fn bits_of(name: &str, bytes: &[u8]) -> impl Iterator<Item = usize> + use<> {
    let has_blanks = name == "HIGHWATER";
    let is_blank = move |byte: usize| has_blanks && (40..4090).contains(&(byte % 4096));
    (0..bytes.len() * 8).filter(move |bit| !is_blank(bit / 8))
}

#[track_caller]
fn check_refused(disk: &SimDisk, file: &str) {
    let error = recover(disk).expect_err("damage must be refused").to_string();
    assert!(error.contains(file), "{error:?} should name {file}");
    assert!(error.contains("dossier check --repair") || error.contains("belongs to"), "{error}");
}

#[test]
fn the_last_segment_cut_anywhere_gives_every_whole_record_and_can_go_on() {
    let (disk, count) = crashed();
    let name = active_name(&disk);
    let bytes = disk.contents(&name).unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for cut in HEADER_BYTES..=bytes.len() {
        let disk = disk.fork();
        disk.put(&name, &bytes[..cut]);
        let (journal, opened) = try_open(&disk).unwrap();
        let records = all(&journal);
        assert!(payloads(count).starts_with(&records));
        assert_eq!(records.len(), usize::try_from(opened.last.get()).unwrap());
        seen.insert(records.len());
        if let Some(torn) = &opened.torn {
            assert_eq!(torn.last, opened.last);
            let end = torn.offset + torn.size_bytes;
            assert!(cut >= end_of(&bytes) || usize::try_from(end).unwrap() <= cut);
        }
        append_durably(&journal, b"next");
        drop(journal);
        let mut wanted = records;
        wanted.push((opened.last.next().get(), b"next".to_vec()));
        assert_eq!(recover(&disk).unwrap(), wanted, "cut at {cut}");
    }
    assert!(seen.len() > 2, "the cuts should lie in several records: {seen:?}");
    for cut in 0..HEADER_BYTES {
        let disk = disk.fork();
        disk.put(&name, &bytes[..cut]);
        check_refused(&disk, &name);
    }
}

#[test]
fn after_a_clean_end_a_cut_anywhere_is_refused() {
    let (disk, count) = closed_cleanly();
    for name in names(&disk) {
        let bytes = disk.contents(&name).unwrap();
        let stride = if name == "HIGHWATER" { 29 } else { 1 };
        for cut in (0..bytes.len()).step_by(stride) {
            let disk = disk.fork();
            disk.put(&name, &bytes[..cut]);
            if let Ok(records) = recover(&disk) {
                assert_eq!(records, payloads(count), "{name} cut at {cut}");
            }
        }
        // One of its two marks is enough for the high-water mark.
        let shorter = if name == "HIGHWATER" { 31 } else { end_of(&bytes) - 1 };
        for cut in [0, shorter] {
            let disk = disk.fork();
            disk.put(&name, &bytes[..cut]);
            check_refused(&disk, &name);
        }
    }
}

#[test]
fn after_a_clean_end_no_flipped_bit_loses_a_record() {
    let (disk, count) = closed_cleanly();
    for name in names(&disk) {
        let bytes = disk.contents(&name).unwrap();
        for bit in bits_of(&name, &bytes) {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let disk = disk.fork();
            disk.put(&name, &flipped);
            if let Ok(records) = recover(&disk) {
                assert_eq!(records, payloads(count), "{name} bit {bit}");
            }
        }
    }
}

#[test]
fn after_a_crash_a_flipped_bit_can_only_take_the_last_write() {
    let (disk, count) = crashed();
    for name in names(&disk) {
        let bytes = disk.contents(&name).unwrap();
        for bit in bits_of(&name, &bytes) {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let disk = disk.fork();
            disk.put(&name, &flipped);
            if let Ok(records) = recover(&disk) {
                assert!(records.starts_with(&payloads(count - 1)), "{name} bit {bit}");
            }
        }
    }
}

#[test]
fn zeros_in_acknowledged_records_are_refused_wherever_they_begin() {
    let (disk, count) = crashed();
    for name in names(&disk).iter().filter(|name| is_segment(name)) {
        let bytes = disk.contents(name).unwrap();
        for begin in HEADER_BYTES..end_of(&bytes) {
            for length in [1, 30, 100, 512] {
                let mut zeroed = bytes.clone();
                let end = zeroed.len().min(begin + length);
                zeroed[begin..end].fill(0);
                let disk = disk.fork();
                disk.put(name, &zeroed);
                if let Ok(records) = recover(&disk) {
                    let is_last_segment = *name == active_name(&disk);
                    let reaches_the_end = end + 100 >= end_of(&bytes);
                    assert!(
                        records.starts_with(&payloads(count - 1))
                            || is_last_segment && reaches_the_end,
                        "{name} without {begin}..{end}: {} records",
                        records.len()
                    );
                }
            }
        }
    }
}

#[test]
fn an_unsynced_tail_in_any_order_is_torn_not_damaged() {
    // Three writes of one batch: the first is lost, the others are whole.
    let disk = SimDisk::new();
    let journal = filled(&disk, 2);
    disk.hold_syncs();
    append(&journal, b"being synced").unwrap();
    disk.wait_for_held_sync();
    for number in 0..3 {
        append(&journal, &[number; 20]).unwrap();
    }
    assert!(disk.release_one_sync());
    outcome(&journal, Lsn::new(3)).unwrap();
    disk.wait_for_held_sync();
    let crashed = disk.fork();
    let name = active_name(&crashed);
    let mut bytes = crashed.contents(&name).unwrap();
    let first = bytes.windows(20).position(|window| window == [0; 20]);
    let third = bytes.windows(20).position(|window| window == [2; 20]).unwrap();
    let second = bytes.windows(20).position(|window| window == [1; 20]).unwrap();
    assert!(first.is_some() && second < third);
    bytes[second - 49..second - 29].fill(0xcc);
    crashed.put(&name, &bytes);
    let (journal, opened) = try_open(&crashed).unwrap();
    assert_eq!(opened.torn.as_ref().map(|torn| torn.last), Some(Lsn::new(3)));
    append_durably(&journal, b"next");
    let after = crashed.contents(&name).unwrap();
    let tail = after.get(second + 20 + 40..).unwrap_or_default();
    assert!(tail.iter().all(|&byte| byte != 2), "the torn tail is gone");
    drop(journal);
    assert_eq!(recover(&crashed).unwrap().len(), 4);
    disk.release_syncs();
}

#[test]
fn a_missing_file_is_refused_by_name() {
    let (disk, _) = closed_cleanly();
    for name in names(&disk) {
        let disk = disk.fork();
        crate::journal::Disk::remove(&disk, &name).unwrap();
        check_refused(&disk, &name);
    }
}

#[test]
fn an_emptied_file_is_refused_by_name() {
    let (disk, _) = closed_cleanly();
    for name in names(&disk) {
        let bytes = disk.contents(&name).unwrap();
        for contents in [vec![], vec![0; bytes.len()]] {
            let disk = disk.fork();
            disk.put(&name, &contents);
            check_refused(&disk, &name);
        }
    }
}

#[test]
fn a_file_of_another_journal_is_refused_by_name() {
    let (disk, _) = closed_cleanly();
    let other = SimDisk::new();
    let options = Options { seed: 43, ..options() };
    let journal = Embedded::open(Arc::new(other.clone()), &options).unwrap().0;
    for number in 1..=20 {
        append_durably(&journal, &payload(number));
    }
    drop(journal);
    assert_eq!(names(&disk), names(&other));
    for name in names(&disk).iter().filter(|name| *name != "MANIFEST") {
        let disk = disk.fork();
        disk.put(name, &other.contents(name).unwrap());
        let error = recover(&disk).unwrap_err();
        assert!(matches!(error, JournalError::Foreign { .. }), "{name}: {error}");
        check_refused(&disk, name);
    }
    disk.put("MANIFEST", &other.contents("MANIFEST").unwrap());
    recover(&disk).unwrap_err();
}

#[test]
fn an_older_manifest_does_not_hide_records() {
    let disk = SimDisk::new();
    let journal = filled(&disk, 2);
    let older = disk.contents("MANIFEST").unwrap();
    for number in 3..=20 {
        append_durably(&journal, &payload(number));
    }
    drop(journal);
    disk.put("MANIFEST", &older);
    recover(&disk).unwrap_err();
}

#[test]
fn a_refusal_changes_nothing() {
    let (disk, _) = closed_cleanly();
    let name = active_name(&disk);
    let mut bytes = disk.contents(&name).unwrap();
    bytes[HEADER_BYTES + 3] ^= 1;
    disk.put(&name, &bytes);
    disk.put("MANIFEST.new", b"left behind");
    let before: Vec<_> = names(&disk).iter().map(|name| disk.contents(name)).collect();
    check_refused(&disk, &name);
    let after: Vec<_> = names(&disk).iter().map(|name| disk.contents(name)).collect();
    assert_eq!(before, after);
}

#[test]
fn stale_bytes_of_another_segment_are_no_records() {
    let (disk, count) = crashed();
    let old = disk.contents(&names(&disk).into_iter().find(|name| is_segment(name)).unwrap());
    let old = old.unwrap();
    let name = active_name(&disk);
    let mut bytes = disk.contents(&name).unwrap();
    bytes.truncate(end_of(&bytes));
    bytes.extend_from_slice(&old[HEADER_BYTES..]);
    disk.put(&name, &bytes);
    let (journal, opened) = try_open(&disk).unwrap();
    assert_eq!(all(&journal), payloads(count));
    assert!(opened.torn.is_some());
}
