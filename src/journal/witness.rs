//! The mark outside of the journal's folder: what was last synced in it, and in which journal.
//!
//! A journal says of itself how far it was, so an older copy of the whole folder is sound in itself.
//! This mark stays where it is when the folder is replaced. It is written after each sync and not
//! synced itself: after a power cut it may tell less than there is, never more. So it refutes, and
//! where it is missing or cannot be read nothing follows.
//!
//! It lies in two slots a page apart, written in turn. A slot is
//! `magic 8 | format u16 | min_reader u16 | journal u64 | lsn u64 | link u32 | crc u32`, where the
//! link is the checksum of the frame of that record, which holds that of the one before.

use std::io;

use super::Lsn;
use super::disk::{Disk, DiskFile};
use super::error::JournalError;
use super::recover::{self, Recovered};
use super::{reader, segment};

/// The name of the file, in the folder it is kept in.
pub const FILE: &str = "SYNCED";

const MAGIC: [u8; 8] = *b"DOSSIERS";
const SECOND_SLOT: usize = 4096;
const BODY_BYTES: usize = 32;

/// What was last synced, as the mark says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Synced {
    journal: u64,
    lsn: Lsn,
    link: u32,
}

impl Synced {
    /// The last record that was synced.
    pub const fn lsn(&self) -> Lsn {
        self.lsn
    }
}

/// The mark, open for writing.
#[derive(Debug)]
pub(super) struct Witness {
    file: Box<dyn DiskFile>,
    told: Synced,
    is_second_next: bool,
}

impl Witness {
    /// Begins with what a journal that was just opened has synced. What an earlier journal left
    /// there goes.
    pub(super) fn begin(
        disk: &dyn Disk,
        journal: u64,
        (lsn, link): (Lsn, u32),
    ) -> io::Result<Self> {
        let told = Synced { journal, lsn, link };
        let slot = encode(&told);
        let file = match disk.open(FILE) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => disk.create(FILE)?,
            Err(error) => return Err(error),
        };
        for place in [0, SECOND_SLOT] {
            file.write_at(&slot, recover::to_u64(place))?;
        }
        file.sync_data()?;
        disk.sync_dir()?;
        Ok(Self { file, told, is_second_next: false })
    }

    /// Tells of a record that is synced. If it cannot be written the mark stays behind, which harms
    /// nothing.
    pub(super) fn tell(&mut self, (lsn, link): (Lsn, u32)) {
        if lsn <= self.told.lsn {
            return;
        }
        let fresh = Synced { lsn, link, ..self.told };
        let place = if self.is_second_next { SECOND_SLOT } else { 0 };
        if self.file.write_at(&encode(&fresh), recover::to_u64(place)).is_ok() {
            self.told = fresh;
            self.is_second_next = !self.is_second_next;
        }
    }
}

/// Reads the mark in a folder; none where there is none, or none that can be read.
///
/// # Errors
/// When a newer release wrote it, or the system refuses.
pub fn load(disk: &dyn Disk) -> Result<Option<Synced>, JournalError> {
    let bytes = match disk.read(FILE) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(JournalError::io("read", FILE, error)),
    };
    let slots = [decode(&bytes)?, decode(bytes.get(SECOND_SLOT..).unwrap_or_default())?];
    Ok(slots.into_iter().flatten().max_by_key(|found| found.lsn))
}

/// Refuses a journal that is not the one the mark speaks of, or ends before it.
pub(super) fn refuse_other(
    disk: &dyn Disk,
    found: Option<&Recovered>,
    synced: &Synced,
) -> Result<(), JournalError> {
    let Some(found) = found else { return Err(JournalError::Gone { synced: synced.lsn }) };
    if found.manifest.journal != synced.journal {
        return Err(JournalError::OfAnother {
            synced: synced.lsn,
            found: found.manifest.journal,
            wanted: synced.journal,
        });
    }
    if found.active.last < synced.lsn {
        return Err(JournalError::Older {
            file: segment::file_name(found.active.header.base),
            offset: found.active.end,
            last: found.active.last,
            synced: synced.lsn,
        });
    }
    refuse_parted(disk, found, synced)
}

/// Refuses a journal with another record in the place of the one that was synced last. What has
/// been let go of cannot be compared.
fn refuse_parted(disk: &dyn Disk, found: &Recovered, synced: &Synced) -> Result<(), JournalError> {
    let closed = found.manifest.closed.iter().find(|closed| closed.last == synced.lsn);
    let known = closed.map(|closed| closed.crc);
    let known = known.or((found.active.last == synced.lsn).then_some(found.active.link));
    if synced.lsn < found.manifest.first() || known == Some(synced.link) {
        return Ok(());
    }
    let (file, offset) = match reader::find(disk, &found.manifest, synced.lsn)? {
        Some(place) if place.lsn == synced.lsn && place.link == synced.link => return Ok(()),
        Some(place) => (place.file, place.offset),
        None => (segment::file_name(found.active.header.base), found.active.end),
    };
    Err(JournalError::Parted { file, offset, synced: synced.lsn })
}

fn encode(told: &Synced) -> Vec<u8> {
    let mut slot = MAGIC.to_vec();
    slot.extend_from_slice(&segment::FORMAT.to_le_bytes());
    slot.extend_from_slice(&segment::FORMAT.to_le_bytes());
    slot.extend_from_slice(&told.journal.to_le_bytes());
    slot.extend_from_slice(&told.lsn.get().to_le_bytes());
    slot.extend_from_slice(&told.link.to_le_bytes());
    let crc = crc32c::crc32c(&slot);
    slot.extend_from_slice(&crc.to_le_bytes());
    slot
}

/// `None` if the slot cannot be read, an error if it was written by a newer release.
fn decode(slot: &[u8]) -> Result<Option<Synced>, JournalError> {
    let Some((head, crc)) = slot.split_at_checked(BODY_BYTES) else { return Ok(None) };
    if !head.starts_with(&MAGIC) || !crc.starts_with(&crc32c::crc32c(head).to_le_bytes()) {
        return Ok(None);
    }
    let Some((format, min_reader, told)) = fields(head) else { return Ok(None) };
    segment::check_format(FILE, format, min_reader)?;
    Ok(Some(told))
}

fn fields(head: &[u8]) -> Option<(u16, u16, Synced)> {
    let (_, rest) = head.split_first_chunk::<8>()?;
    let (&format, rest) = rest.split_first_chunk()?;
    let (&min_reader, rest) = rest.split_first_chunk()?;
    let (&journal, rest) = rest.split_first_chunk()?;
    let (&lsn, rest) = rest.split_first_chunk()?;
    let (&link, _) = rest.split_first_chunk()?;
    let told = Synced {
        journal: u64::from_le_bytes(journal),
        lsn: Lsn::new(u64::from_le_bytes(lsn)),
        link: u32::from_le_bytes(link),
    };
    Some((u16::from_le_bytes(format), u16::from_le_bytes(min_reader), told))
}
