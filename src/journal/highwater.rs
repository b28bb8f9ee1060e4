//! The high-water mark: up to where records are known to be synced.
//!
//! It makes a shortened journal visible. It lies in two slots a page apart, written in turn, so
//! that a write cut short leaves the other one. A slot is
//! `magic 8 | format u16 | min_reader u16 | journal u64 | lsn u64 | crc u32`.

use std::io;

use super::Lsn;
use super::active::Trouble;
use super::disk::{Disk, DiskFile};
use super::error::JournalError;
use super::segment;

/// The name of the file.
pub(super) const FILE: &str = "HIGHWATER";

const MAGIC: [u8; 8] = *b"DOSSIERH";
const SLOT_BYTES: usize = 4096;
const SECOND_SLOT: u64 = 4096;

/// The mark, open for writing.
#[derive(Debug)]
pub(super) struct HighWater {
    file: Box<dyn DiskFile>,
    journal: u64,
    is_second_next: bool,
}

impl HighWater {
    /// Creates the file with both slots at `mark`, and syncs it (not its name).
    pub(super) fn create(disk: &dyn Disk, journal: u64, mark: Lsn) -> io::Result<Self> {
        let file = disk.create(FILE)?;
        let slot = encode(journal, mark);
        let mut both = slot.clone();
        both.resize(SLOT_BYTES, 0);
        both.extend_from_slice(&slot);
        both.resize(2 * SLOT_BYTES, 0);
        file.write_at(&both, 0)?;
        file.sync_data()?;
        Ok(Self { file, journal, is_second_next: false })
    }

    /// Opens the file after `read` found it good.
    pub(super) fn open(disk: &dyn Disk, journal: u64, found: &Found) -> io::Result<Self> {
        let file = disk.open(FILE)?;
        Ok(Self { file, journal, is_second_next: !found.is_second })
    }

    /// Writes `mark` into the older slot and syncs it. For want of space the newer slot still
    /// tells, and the next attempt writes the same place.
    pub(super) fn write(&mut self, mark: Lsn) -> Result<(), Trouble> {
        let offset = if self.is_second_next { SECOND_SLOT } else { 0 };
        let written = self.file.write_at(&encode(self.journal, mark), offset);
        written.and_then(|()| self.file.sync_data()).map_err(Trouble::undoable)?;
        self.is_second_next = !self.is_second_next;
        Ok(())
    }
}

/// A mark that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) journal: u64,
    pub(super) mark: Lsn,
    is_second: bool,
}

/// The higher of the two marks.
pub(super) fn read(bytes: &[u8]) -> Result<Found, JournalError> {
    let first = decode(bytes)?;
    let second = decode(bytes.get(SLOT_BYTES..).unwrap_or_default())?;
    let found = |(journal, mark), is_second| Found { journal, mark, is_second };
    match (first, second) {
        (Some(first), Some(second)) if second.1 > first.1 => Ok(found(second, true)),
        (Some(first), _) => Ok(found(first, false)),
        (None, Some(second)) => Ok(found(second, true)),
        (None, None) => Err(JournalError::damaged(FILE, 0, "neither of its two marks can be read")),
    }
}

fn encode(journal: u64, mark: Lsn) -> Vec<u8> {
    let mut slot = MAGIC.to_vec();
    slot.extend_from_slice(&segment::FORMAT.to_le_bytes());
    slot.extend_from_slice(&segment::FORMAT.to_le_bytes());
    slot.extend_from_slice(&journal.to_le_bytes());
    slot.extend_from_slice(&mark.get().to_le_bytes());
    let crc = crc32c::crc32c(&slot);
    slot.extend_from_slice(&crc.to_le_bytes());
    slot
}

/// `None` if the slot cannot be read, an error if it was written by a newer release.
fn decode(slot: &[u8]) -> Result<Option<(u64, Lsn)>, JournalError> {
    let Some((head, crc)) = slot.get(..28).zip(slot.get(28..32)) else { return Ok(None) };
    if !head.starts_with(&MAGIC) || crc32c::crc32c(head).to_le_bytes() != crc {
        return Ok(None);
    }
    let Some((format, min_reader, journal, mark)) = fields(head) else { return Ok(None) };
    segment::check_format(FILE, format, min_reader)?;
    Ok(Some((journal, mark)))
}

fn fields(head: &[u8]) -> Option<(u16, u16, u64, Lsn)> {
    let (_, rest) = head.split_first_chunk::<8>()?;
    let (&format, rest) = rest.split_first_chunk()?;
    let (&min_reader, rest) = rest.split_first_chunk()?;
    let (&journal, rest) = rest.split_first_chunk()?;
    let (&mark, _) = rest.split_first_chunk()?;
    Some((
        u16::from_le_bytes(format),
        u16::from_le_bytes(min_reader),
        u64::from_le_bytes(journal),
        Lsn::new(u64::from_le_bytes(mark)),
    ))
}
