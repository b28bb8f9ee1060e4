//! The durable order of opaque records: bytes in, order out.
//!
//! Everyone shares one journal. [`Journal::append`] gives a record its place (an [`Lsn`]) without
//! waiting for the disk; [`Progress`] says what is durable, and what never will be; and
//! [`Journal::replay`] hands the records back, in order, after a restart.
//!
//! In the folder of the embedded engine lie segments named by their first LSN, `MANIFEST` (what
//! does not stand there is no part of the journal) and `HIGHWATER` (up to where everything is
//! known to be synced). A mark in another folder ([`Synced`]) tells of a folder that was replaced
//! whole. [`check`] tells what is wrong with them, [`repair`] mends what it can.
//!
//! Two engines keep the promise: [`Embedded`] in files of its own, [`InMemory`] for as long as the
//! process lives.

mod active;
mod check;
mod cursor;
mod disk;
mod embedded;
mod error;
mod frame;
mod gather;
mod highwater;
mod lsn;
mod manifest;
mod memory;
mod options;
mod progress;
mod queue;
mod raise;
mod reader;
mod recover;
mod repair;
mod replay;
mod salvage;

mod scan;
mod segment;
#[doc(hidden)]
pub mod testing;
#[cfg(test)]
mod tests;
mod witness;
mod writer;

use std::ops::ControlFlow;

use tokio::sync::watch;

pub use check::{Problem, Report, SegmentReport, check};
pub use cursor::Cursor;
pub use disk::{Disk, DiskFile, OsDisk};
pub use embedded::{Embedded, Opened};
pub use error::{AppendError, JournalError, is_full};
pub use lsn::Lsn;
pub use memory::InMemory;
pub use options::{Durability, Options};
pub use progress::{Failure, Health, Progress};
pub use reader::Reader;
pub use recover::TornTail;
pub use repair::{RepairReport, put_aside, repair};
pub use witness::{FILE as SYNCED_FILE, Synced, load as last_synced};

/// An engine that keeps records in one durable order.
pub trait Journal: Send + Sync + std::fmt::Debug {
    /// Queues a record and gives it the next LSN, without waiting for the disk.
    ///
    /// `generation` is [`Progress::generation`] as the caller last saw it: a record that leans on
    /// others which have failed since then is refused instead of being kept without them.
    ///
    /// # Errors
    /// When the queue is full, the generation is old, or the engine takes nothing at the moment.
    fn append(&self, generation: u32, payload: Vec<u8>) -> Result<Lsn, AppendError>;

    /// What is durable, what failed, and how the engine is. Every change wakes the watchers.
    fn progress(&self) -> watch::Receiver<Progress>;

    /// Calls `visit` for every durable record after `after`, in order, until it breaks off.
    ///
    /// # Errors
    /// When records after `after` have been purged, or the files are damaged or cannot be read.
    fn replay(
        &self,
        after: Lsn,
        visit: &mut dyn FnMut(Lsn, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), JournalError>;

    /// A reader of everything synced behind `after`, which keeps its place between readings.
    fn cursor(&self, after: Lsn) -> Box<dyn Cursor>;

    /// Lets go of whole segments whose records are all at or before `upto`.
    ///
    /// # Errors
    /// When the list of segments cannot be rewritten; then nothing has been let go of.
    fn purge(&self, upto: Lsn) -> Result<(), JournalError>;

    /// Closes the segment that is written to, so that everything up to the place it returns lies
    /// in segments that can be let go of whole.
    ///
    /// # Errors
    /// As [`Self::flush`].
    fn seal(&self) -> Result<Lsn, JournalError> {
        self.flush()
    }

    /// Waits until everything appended so far has been synced, and returns how far that is.
    ///
    /// # Errors
    /// When some of it failed, or the time limit of the engine passed first.
    fn flush(&self) -> Result<Lsn, JournalError>;

    /// Takes nothing more, and leaves behind what tells the next opening how far it was.
    fn close(&self) {}

    /// Counters for metrics and for choosing what to purge.
    fn stats(&self) -> Stats;
}

/// Counters of an engine since it was opened, and the size of what it holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Bytes all segments take, the preallocated part included.
    pub size_bytes: u64,
    /// How many segments there are.
    pub segments: u64,
    /// The first LSN still held, or the next one if nothing is.
    pub oldest: Lsn,
    /// The last LSN written.
    pub last: Lsn,
    /// Records written since the engine was opened.
    pub records: u64,
    /// Batches written since the engine was opened.
    pub batches: u64,
    /// Syncs of segments since the engine was opened.
    pub syncs: u64,
    /// How many records the last batch held.
    pub last_batch_records: u64,
    /// How many bytes the last batch took in the segment.
    pub last_batch_bytes: u64,
    /// How long the last sync took.
    pub last_sync: std::time::Duration,
    /// How many records wait to be written.
    pub waiting: u64,
    /// Since when the engine has been at the disk without a pause, and how long the time before took.
    pub at_disk_since: Option<std::time::Instant>,
    /// See `at_disk_since`.
    pub last_at_disk: std::time::Duration,
}

impl Stats {
    /// Whether the disk takes longer than `limit` at the moment: the turn under way does, or it is
    /// under way and the one before did.
    pub fn is_slower_than(&self, limit: std::time::Duration) -> bool {
        self.at_disk_since.is_some_and(|since| since.elapsed() > limit || self.last_at_disk > limit)
    }
}
