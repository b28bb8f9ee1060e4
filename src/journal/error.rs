//! Why a record is not taken and why a journal does not open.

use std::io;
use std::time::Duration;

use super::Lsn;

/// Why a record was not taken. It got no LSN and leaves no trace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// The queue is full: too many records or bytes wait for the disk.
    #[error("the journal queue is full, try again in a moment")]
    Busy,
    /// Records have failed since the caller last looked; it may lean on one of them.
    #[error("records of the journal have failed, its generation is now {generation}")]
    Stale {
        /// The generation to look at before trying again.
        generation: u32,
    },
    /// The disk is full. The engine goes on by itself once there is space.
    #[error("the disk of the journal is full")]
    Full,
    /// A write or sync failed earlier; nothing is taken until a restart.
    #[error("a write of the journal failed earlier, it takes nothing until a restart")]
    Poisoned,
    /// The journal is closing.
    #[error("the journal is closed")]
    Closed,
    /// The record is larger than a record may be.
    #[error("the record has {actual_bytes} bytes, at most {limit_bytes} are allowed")]
    TooLarge {
        /// The size of the record.
        actual_bytes: usize,
        /// The largest size allowed.
        limit_bytes: usize,
    },
}

/// Why the journal cannot be opened, read, purged or flushed.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Something that was known to be on disk is not there any more as it was written.
    #[error("the journal is damaged at {file}, byte {offset}: {reason}; {remedy}")]
    Damaged {
        /// The file, relative to the journal's folder.
        file: String,
        /// Where in the file.
        offset: u64,
        /// What was wanted and what was found.
        reason: String,
        /// What a person can do.
        remedy: &'static str,
    },
    /// A file was written by a newer release.
    #[error(
        "{file} has format {format}, which needs a reader of format {min_reader}; this release reads up to {supported}; use the newer release"
    )]
    Newer {
        /// The file, relative to the journal's folder.
        file: String,
        /// The format it was written in.
        format: u16,
        /// The oldest format a reader must know to read it.
        min_reader: u16,
        /// The newest format this release knows.
        supported: u16,
    },
    /// A file belongs to another journal.
    #[error(
        "{file}, from byte 0 on, belongs to journal {found:016x}, not to journal {wanted:016x}; {REMEDY}"
    )]
    Foreign {
        /// The file, relative to the journal's folder.
        file: String,
        /// The journal it says it belongs to.
        found: u64,
        /// The journal of this folder.
        wanted: u64,
    },
    /// There is no journal, although one was written here.
    #[error(
        "there is no journal in journal/, but one was written here up to {synced}, says the mark in {mark}; \
         {OTHER_REMEDY}", mark = super::SYNCED_FILE
    )]
    Gone {
        /// The last record known to have been synced.
        synced: Lsn,
    },
    /// The journal ends before what is known to have been synced in it.
    #[error(
        "the journal ends at {last}, in journal/{file} at byte {offset}, but it was written up to {synced}, says the mark in {mark}: \
         what was acknowledged after {last} is missing; {OTHER_REMEDY}", mark = super::SYNCED_FILE
    )]
    Older {
        /// The file it ends in, relative to the journal's folder.
        file: String,
        /// Where in the file.
        offset: u64,
        /// The last record there is.
        last: Lsn,
        /// The last record known to have been synced.
        synced: Lsn,
    },
    /// The journal is not the one that was written here.
    #[error(
        "journal/MANIFEST, from byte 0 on, is of journal {found:016x}, but here journal {wanted:016x} was written up to {synced}, says the mark in {mark}; \
         {OTHER_REMEDY}", mark = super::SYNCED_FILE
    )]
    OfAnother {
        /// The last record known to have been synced in the right one.
        synced: Lsn,
        /// The journal that is there.
        found: u64,
        /// The journal that was there.
        wanted: u64,
    },
    /// The journal has another record in the place of one that was synced: a copy that went on elsewhere.
    #[error(
        "the journal has another record at {synced}, in journal/{file} at byte {offset}, than was written here, says the mark in {mark}: \
         it is a copy that went on elsewhere; {OTHER_REMEDY}", mark = super::SYNCED_FILE
    )]
    Parted {
        /// The file it lies in, relative to the journal's folder.
        file: String,
        /// Where in the file.
        offset: u64,
        /// The last record known to have been synced here.
        synced: Lsn,
    },
    /// Records that were asked for have been let go of.
    #[error("records from {wanted} on were asked for, the journal holds them only from {oldest}")]
    Purged {
        /// The first record asked for.
        wanted: Lsn,
        /// The first record held.
        oldest: Lsn,
    },
    /// The operating system refused.
    #[error("could not {action} {file}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file, relative to the journal's folder.
        file: String,
        /// Why it failed.
        source: io::Error,
    },
    /// A write or sync failed; the fate of what was not durable yet shows at the next start.
    #[error("a write of the journal failed, it takes nothing until a restart")]
    Poisoned,
    /// The disk was full, what waited was not written.
    #[error("the disk of the journal is full")]
    Full,
    /// What was waited for did not happen in time.
    #[error("the journal did not finish within {limit:?}")]
    TimedOut {
        /// How long was waited.
        limit: Duration,
    },
    /// The options contradict each other.
    #[error("{0}")]
    Options(String),
}

/// What a person can do about damage.
pub(super) const REMEDY: &str = "nothing was changed; put the file back from a backup, or see `dossier check` and then `dossier check --repair`";

/// What a person can do about a whole folder that is the wrong one.
const OTHER_REMEDY: &str = "nothing was changed; put back what was there last, or see `dossier check` and then `dossier check --repair`";

impl JournalError {
    pub(super) fn damaged(file: &str, offset: u64, reason: impl Into<String>) -> Self {
        Self::Damaged { file: file.to_owned(), offset, reason: reason.into(), remedy: REMEDY }
    }

    pub(super) fn io(action: &'static str, file: &str, source: io::Error) -> Self {
        Self::Io { action, file: file.to_owned(), source }
    }

    /// True if the cause is that the disk, a quota or the largest file size leaves no room.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Io { source, .. } => is_full(source),
            Self::Full => true,
            Self::Damaged { .. }
            | Self::Newer { .. }
            | Self::Foreign { .. }
            | Self::Gone { .. }
            | Self::Older { .. }
            | Self::OfAnother { .. }
            | Self::Parted { .. }
            | Self::Purged { .. }
            | Self::Poisoned
            | Self::TimedOut { .. }
            | Self::Options(_) => false,
        }
    }
}

/// True if there is no room: on the disk, in the quota, or in a file of the largest size allowed.
pub fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
    )
}
