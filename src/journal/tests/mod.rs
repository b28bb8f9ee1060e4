//! Tests of the journal as a whole.

mod damage;
mod durability;
mod full;
mod power;
mod repair;
mod segments;
mod suite;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use super::testing::SimDisk;
use super::{
    AppendError, Embedded, Failure, Health, Journal, JournalError, Lsn, Opened, Options, Progress,
};

/// Small segments and little space ahead, so that few records show everything.
fn options() -> Options {
    Options {
        segment_bytes: 400,
        preallocate_bytes: 300,
        max_queue_records: 1000,
        max_queue_bytes: 100_000,
        max_record_bytes: 10_000,
        probe_interval: Duration::from_millis(1),
        ..Options::new(42)
    }
}

fn try_open(disk: &SimDisk) -> Result<(Embedded, Opened), JournalError> {
    Embedded::open(Arc::new(disk.clone()), &options())
}

#[track_caller]
fn open(disk: &SimDisk) -> Embedded {
    try_open(disk).unwrap().0
}

/// Appends with the current generation.
fn append(journal: &dyn Journal, payload: &[u8]) -> Result<Lsn, AppendError> {
    let generation = journal.progress().borrow().generation;
    journal.append(generation, payload.to_vec())
}

/// Waits until `is_so`.
#[track_caller]
fn wait_until(journal: &dyn Journal, is_so: impl FnMut(&Progress) -> bool) {
    let mut progress = journal.progress();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let wait = tokio::time::timeout(Duration::from_mins(1), progress.wait_for(is_so));
        wait.await.expect("what was waited for should have happened").unwrap();
    });
}

#[track_caller]
fn outcome(journal: &dyn Journal, lsn: Lsn) -> Result<(), Failure> {
    wait_until(journal, |progress| progress.outcome(lsn).is_some());
    journal.progress().borrow().outcome(lsn).unwrap()
}

/// Appends and waits until the record is durable.
#[track_caller]
fn append_durably(journal: &dyn Journal, payload: &[u8]) -> Lsn {
    let lsn = append(journal, payload).unwrap();
    outcome(journal, lsn).unwrap();
    lsn
}

fn try_all(journal: &dyn Journal, after: Lsn) -> Result<Vec<(u64, Vec<u8>)>, JournalError> {
    let mut records = Vec::new();
    journal.replay(after, &mut |lsn, payload| {
        records.push((lsn.get(), payload.to_vec()));
        ControlFlow::Continue(())
    })?;
    Ok(records)
}

#[track_caller]
fn all(journal: &dyn Journal) -> Vec<(u64, Vec<u8>)> {
    try_all(journal, journal.stats().oldest.previous()).unwrap()
}

/// Opens and reads everything, as a start does.
fn recover(disk: &SimDisk) -> Result<Vec<(u64, Vec<u8>)>, JournalError> {
    let (journal, opened) = try_open(disk)?;
    try_all(&journal, opened.first.previous())
}

/// The files of a journal, without the space reserved for the next manifest.
fn names(disk: &SimDisk) -> Vec<String> {
    let mut names = super::Disk::list(disk).unwrap();
    names.retain(|name| name != "MANIFEST.new");
    names
}

fn is_segment(name: &str) -> bool {
    super::segment::base_of(name).is_some()
}

/// The segment that is written to.
fn active_name(disk: &SimDisk) -> String {
    names(disk).into_iter().rfind(|name| is_segment(name)).unwrap()
}

/// What record `number` holds: numbers of different lengths.
fn payload(number: u64) -> Vec<u8> {
    let length = usize::try_from(number * 7 % 40).unwrap();
    let byte = u8::try_from(number % 250).unwrap() + 1;
    vec![byte; length]
}

/// Records 1 to `count` as they should come back.
fn payloads(count: u64) -> Vec<(u64, Vec<u8>)> {
    (1..=count).map(|number| (number, payload(number))).collect()
}

/// A journal of `count` records, each durable before the next was written.
#[track_caller]
fn filled(disk: &SimDisk, count: u64) -> Embedded {
    let journal = open(disk);
    for number in 1..=count {
        assert_eq!(append_durably(&journal, &payload(number)), Lsn::new(number));
    }
    journal
}
