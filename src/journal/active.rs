//! The segment that is written to, and the change to the next one.

use std::io;
use std::sync::Arc;

use super::Lsn;
use super::disk::{Disk, DiskFile};
use super::error::is_full;
use super::frame::{self, Kind};
use super::manifest::{Closed, Manifest};
use super::queue::{Catalog, Entry};
use super::segment::{self, Header};

/// Why a batch could not be written.
#[derive(Debug)]
pub(super) enum Trouble {
    /// There is no space; what was written can be taken back.
    Full(io::Error),
    /// Nobody knows what is on disk now.
    Broken(io::Error),
}

impl Trouble {
    /// Of an error in what nothing leans on yet: want of space can be undone, also where only the
    /// sync finds it, because all of it is written again or thrown away.
    pub(super) fn undoable(error: io::Error) -> Self {
        if is_full(&error) { Self::Full(error) } else { Self::Broken(error) }
    }

    /// What the operating system said.
    pub(super) fn into_error(self) -> io::Error {
        match self {
            Self::Full(error) | Self::Broken(error) => error,
        }
    }
}

/// The segment that is written to.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) catalog: Arc<Catalog>,
    pub(super) file: Box<dyn DiskFile>,
    pub(super) header: Header,
    /// Where the last frame ends.
    pub(super) end: u64,
    /// How far the file reaches; zeros behind `end`.
    pub(super) size_bytes: u64,
    /// The checksum of the last frame, or of the header.
    pub(super) link: u32,
    /// The LSN of the last frame, or the one before the first.
    pub(super) last: Lsn,
    /// True until a torn tail behind `end` has been cut off.
    pub(super) is_torn: bool,
    pub(super) limits: Limits,
    /// The bytes of the batch being written; kept to be used again.
    pub(super) buffer: Vec<u8>,
}

/// The sizes that concern segments, and where salts come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) segment_bytes: u64,
    pub(super) preallocate_bytes: u64,
    pub(super) seed: u64,
}

/// Buffers above this size are given back after use.
const KEPT_BUFFER_BYTES: usize = 4 << 20;

impl Active {
    /// Writes a batch behind the last frame. Nothing is durable until [`Active::sync`].
    pub(super) fn write(&mut self, batch: &[Entry], synced: Lsn) -> Result<(), Trouble> {
        let payload: usize = batch.iter().map(|entry| entry.payload.len()).sum();
        let size_bytes = payload + batch.len() * frame::OVERHEAD_BYTES;
        self.make_room(size_bytes, synced)?;
        self.buffer.reserve(size_bytes);
        let mut link = self.link;
        for Entry { lsn, payload } in batch {
            let salt = self.header.salt;
            link = frame::encode(&mut self.buffer, salt, link, *lsn, synced, Kind::Record, payload);
        }
        let last = batch.last().map_or(self.last, |entry| entry.lsn);
        self.put(link, last)
    }

    /// Writes that the numbers from `first` to `last` hold nothing.
    pub(super) fn write_skip(&mut self, first: Lsn, last: Lsn, synced: Lsn) -> Result<(), Trouble> {
        self.make_room(frame::OVERHEAD_BYTES + 8, synced)?;
        let range = (first, last);
        let link = frame::encode_skip(&mut self.buffer, self.header.salt, self.link, range, synced);
        self.put(link, last)
    }

    /// The last record and the checksum of its frame; none while the segment has no frame.
    pub(super) fn last_frame(&self) -> Option<(Lsn, u32)> {
        (self.end > segment::first_frame_offset()).then_some((self.last, self.link))
    }

    /// Syncs what was written.
    pub(super) fn sync(&self) -> Result<(), Trouble> {
        self.file.sync_data().map_err(Trouble::Broken)
    }

    /// Takes back whatever was written behind the last frame, space allocated ahead included, and
    /// makes that durable. Afterwards the next frame may be written there; for want of space (a file
    /// system that copies on writing) it has to be tried again before that.
    pub(super) fn cut(&mut self) -> Result<(), Trouble> {
        self.is_torn = true;
        self.file.truncate(self.end).map_err(Trouble::undoable)?;
        self.file.sync_data().map_err(Trouble::Broken)?;
        self.size_bytes = self.end;
        self.is_torn = false;
        Ok(())
    }

    /// Tries to take `size_bytes` of space, so that a full disk is not asked again with records.
    pub(super) fn probe(&mut self, size_bytes: u64) -> Result<(), Trouble> {
        if self.size_bytes.saturating_sub(self.end) >= size_bytes {
            return Ok(());
        }
        match self.file.preallocate(self.end, size_bytes) {
            Ok(()) => {
                self.size_bytes = self.end.saturating_add(size_bytes);
                Ok(())
            }
            Err(error) if is_full(&error) => {
                // What was allocated before it ran out must not stay with us.
                self.cut()?;
                Err(Trouble::Full(error))
            }
            Err(error) if is_bad_disk(&error) => Err(Trouble::Broken(error)),
            // It cannot be done here; the write will show.
            Err(_) => Ok(()),
        }
    }

    /// Readies the place for `size_bytes` of frames: a clean end, in a segment that is not full.
    fn make_room(&mut self, size_bytes: usize, synced: Lsn) -> Result<(), Trouble> {
        self.buffer.clear();
        if self.buffer.capacity() > KEPT_BUFFER_BYTES {
            self.buffer = Vec::new();
        }
        if self.is_torn {
            self.cut()?;
        }
        let size_bytes = u64::try_from(size_bytes).expect("a batch fits into memory");
        let is_empty = self.end == segment::first_frame_offset();
        if !is_empty && self.end.saturating_add(size_bytes) > self.limits.segment_bytes {
            self.rotate(synced)?;
        }
        let end = self.end.saturating_add(size_bytes);
        if end > self.size_bytes && self.limits.preallocate_bytes > 0 {
            let ahead = end.saturating_add(self.limits.preallocate_bytes) - self.size_bytes;
            match self.file.preallocate(self.size_bytes, ahead) {
                Ok(()) => self.size_bytes = self.size_bytes.saturating_add(ahead),
                Err(error) if is_bad_disk(&error) => return Err(Trouble::Broken(error)),
                // It is not needed for being right: the write itself allocates, or says why not.
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// Writes the buffer and moves the end behind it.
    fn put(&mut self, link: u32, last: Lsn) -> Result<(), Trouble> {
        self.file.write_at(&self.buffer, self.end).map_err(Trouble::undoable)?;
        let written = u64::try_from(self.buffer.len()).expect("a batch fits into memory");
        self.end = self.end.saturating_add(written);
        self.size_bytes = self.size_bytes.max(self.end);
        self.link = link;
        self.last = last;
        Ok(())
    }

    /// Closes this segment, whose every record is synced, unless it has none.
    pub(super) fn seal(&mut self) -> Result<(), Trouble> {
        if self.end == segment::first_frame_offset() { Ok(()) } else { self.rotate(self.last) }
    }

    /// Closes this segment and begins the next one.
    fn rotate(&mut self, synced: Lsn) -> Result<(), Trouble> {
        if synced < self.last {
            // The manifest is about to call this segment complete and synced.
            self.sync()?;
        }
        let base = self.last.next();
        let header = Header {
            journal: self.header.journal,
            base,
            salt: salt(self.limits.seed, base),
            previous: self.link,
        };
        let (file, link) = create(&*self.disk, &header, self.limits.preallocate_bytes)?;
        let mut list = self.catalog.lock();
        let mut fresh: Manifest = list.clone();
        fresh.closed.push(Closed {
            base: self.header.base,
            last: self.last,
            end: self.end,
            crc: self.link,
            next: self.link,
            salt: self.header.salt,
        });
        fresh.active = base;
        fresh.salt = header.salt;
        if let Err(trouble) = fresh.write(&*self.disk) {
            // Its space may be just what is missing. Best effort: no manifest names it.
            drop(self.disk.remove(&segment::file_name(base)));
            return Err(trouble);
        }
        *list = fresh;
        drop(list);
        if self.size_bytes > self.end {
            // Space allocated ahead goes back; if it fails, what stays is zeros nobody reads.
            drop(self.file.truncate(self.end));
        }
        self.file = file.file;
        self.header = header;
        self.end = segment::first_frame_offset();
        self.size_bytes = file.size_bytes;
        self.link = link;
        Ok(())
    }
}

/// True if the disk itself failed, which nothing may pass over.
fn is_bad_disk(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error())
}

/// A segment that was just created.
#[derive(Debug)]
pub(super) struct Fresh {
    pub(super) file: Box<dyn DiskFile>,
    pub(super) size_bytes: u64,
}

/// Creates a segment with nothing but its header, durably. No manifest names it yet.
pub(super) fn create(
    disk: &dyn Disk,
    header: &Header,
    preallocate_bytes: u64,
) -> Result<(Fresh, u32), Trouble> {
    let name = segment::file_name(header.base);
    let (bytes, link) = header.encode();
    let mut size_bytes = segment::first_frame_offset();
    let made = disk.create(&name).and_then(|file| {
        file.write_at(&bytes, 0)?;
        if preallocate_bytes > 0 && file.preallocate(size_bytes, preallocate_bytes).is_ok() {
            size_bytes = size_bytes.saturating_add(preallocate_bytes);
        }
        file.sync_data()?;
        disk.sync_dir()?;
        Ok(file)
    });
    let file = made.map_err(|error| {
        // Best effort: an unnamed segment without frames is removed at the next start.
        drop(disk.remove(&name));
        Trouble::undoable(error)
    })?;
    Ok((Fresh { file, size_bytes }, link))
}

/// A number nobody can guess who does not know `seed`, another one for each `base`.
pub(super) fn salt(seed: u64, base: Lsn) -> u32 {
    let [a, b, c, d, ..] = mix(seed ^ mix(base.get())).to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// Spreads every bit of `number` over all of them (the finaliser of splitmix64).
pub(super) fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_segment_has_a_salt_of_its_own() {
        assert_ne!(salt(1, Lsn::new(1)), salt(1, Lsn::new(2)));
        assert_ne!(salt(1, Lsn::new(1)), salt(2, Lsn::new(1)));
    }
}
