//! How an embedded journal is to work.

use std::time::Duration;

use super::JournalError;
use super::frame;

/// When a record counts as durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// After the sync of the batch that holds it.
    Always,
    /// When it was handed to the operating system; a sync follows within this time. A power cut
    /// can take back that much.
    Interval(Duration),
}

/// How an embedded journal is to work.
#[derive(Clone, Debug)]
pub struct Options {
    /// When a record counts as durable. Default: always synced.
    pub durability: Durability,
    /// A segment that has reached this size is closed and the next one begun. Default 64 MiB.
    pub segment_bytes: u64,
    /// How much space is allocated ahead of the end of the journal. Default 1 MiB; 0 for none.
    pub preallocate_bytes: u64,
    /// How many records may wait for the disk. Default 65 536.
    pub max_queue_records: usize,
    /// How many bytes may wait for the disk. Default 32 MiB.
    pub max_queue_bytes: usize,
    /// The largest record. Default 8 MiB.
    pub max_record_bytes: usize,
    /// How long to wait between two looks whether a full disk has space again. Default 200 ms.
    pub probe_interval: Duration,
    /// How often the high-water mark is rewritten at most. Default 1 s.
    pub high_water_interval: Duration,
    /// How long [`Journal::flush`](super::Journal::flush) waits. Default 10 s.
    pub flush_timeout: Duration,
    /// Wait a little for writers that are about to append, while syncs are the limit. Default on.
    pub gather: bool,
    /// A number nobody can guess, fresh for every opening: salts of segments come from it.
    pub seed: u64,
}

impl Options {
    /// The defaults, with `seed` fresh from the operating system's source of chance.
    pub fn new(seed: u64) -> Self {
        Self {
            durability: Durability::Always,
            segment_bytes: 64 << 20,
            preallocate_bytes: 1 << 20,
            max_queue_records: 65_536,
            max_queue_bytes: 32 << 20,
            max_record_bytes: 8 << 20,
            probe_interval: Duration::from_millis(200),
            high_water_interval: Duration::from_secs(1),
            flush_timeout: Duration::from_secs(10),
            gather: true,
            seed,
        }
    }

    pub(super) fn validate(&self) -> Result<(), JournalError> {
        let refuse = |text: String| Err(JournalError::Options(text));
        if self.max_record_bytes > frame::LARGEST_PAYLOAD_BYTES {
            return refuse(format!(
                "max_record_bytes is {}, at most {} is possible",
                self.max_record_bytes,
                frame::LARGEST_PAYLOAD_BYTES
            ));
        }
        if self.max_queue_records == 0 || self.max_queue_bytes < self.max_record_bytes {
            return refuse(format!(
                "the queue must hold at least one record of {} bytes, it has room for {} records and {} bytes",
                self.max_record_bytes, self.max_queue_records, self.max_queue_bytes
            ));
        }
        Ok(())
    }
}
