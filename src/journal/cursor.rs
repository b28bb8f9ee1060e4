//! Reading along: a reader that keeps its place in the journal between readings.
//!
//! It never reads a byte twice and holds no file open, so waking it after each batch costs
//! what the batch costs. It goes no further than what is synced: what it says is never taken back.

use std::sync::Arc;

use tokio::sync::watch;

use super::disk::Disk;
use super::error::JournalError;
use super::frame::{Flaw, Kind};
use super::queue::Catalog;
use super::recover::{check_header, to_u64};
use super::scan::Walk;
use super::segment::{self, HEADER_BYTES};
use super::{Lsn, Progress};

/// A place in a journal from which everything synced is read on.
pub trait Cursor: Send + std::fmt::Debug {
    /// The last place passed: the next reading begins behind it.
    fn place(&self) -> Lsn;

    /// Shows the synced records behind this place, in order, and moves behind them. Ends after
    /// about `max_bytes` of records, and then says that there may be more.
    ///
    /// # Errors
    /// When records behind this place have been purged, or the files are damaged or cannot be
    /// read. The place is behind the last record shown.
    fn read(
        &mut self,
        max_bytes: usize,
        visit: &mut dyn FnMut(Lsn, &[u8]),
    ) -> Result<bool, JournalError>;
}

/// Bytes fetched at once, unless a record is larger; few in tests, so that pieces end anywhere.
const FETCH_BYTES: usize = if cfg!(test) { 64 } else { 1 << 20 };

/// The cursor of the engine with files.
#[derive(Debug)]
pub(super) struct FileCursor {
    disk: Arc<dyn Disk>,
    catalog: Arc<Catalog>,
    progress: watch::Receiver<Progress>,
    place: Lsn,
    at: Option<Spot>,
}

/// Where in which segment the next frame begins.
#[derive(Clone, Copy, Debug)]
struct Spot {
    base: Lsn,
    salt: u32,
    offset: u64,
    link: u32,
    next: Lsn,
}

impl FileCursor {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        catalog: Arc<Catalog>,
        progress: watch::Receiver<Progress>,
        after: Lsn,
    ) -> Self {
        Self { disk, catalog, progress, place: after, at: None }
    }

    /// The spot of the next frame: where it was left, or the beginning of the segment it is in.
    fn spot(&self) -> Result<Spot, JournalError> {
        let wanted = self.place.next();
        let manifest = self.catalog.lock().clone();
        let oldest = manifest.first();
        if wanted < oldest {
            return Err(JournalError::Purged { wanted, oldest });
        }
        let base = manifest.bases().take_while(|&base| base <= wanted).last().unwrap_or(oldest);
        if let Some(spot) = self.at.filter(|spot| spot.base == base) {
            return Ok(spot);
        }
        let name = segment::file_name(base);
        let bytes = self.fetch(&name, 0, HEADER_BYTES)?;
        let (header, link) = check_header(&name, &bytes, &manifest, base, None)?;
        let offset = segment::first_frame_offset();
        Ok(Spot { base, salt: header.salt, offset, link, next: base })
    }

    fn fetch(&self, name: &str, offset: u64, size_bytes: usize) -> Result<Vec<u8>, JournalError> {
        self.disk
            .read_part(name, offset, size_bytes)
            .map_err(|error| JournalError::io("read", name, error))
    }

    /// Reads frames of one segment up to `target`, or until enough was shown.
    fn advance(
        &mut self,
        mut spot: Spot,
        target: Lsn,
        left: &mut usize,
        visit: &mut dyn FnMut(Lsn, &[u8]),
    ) -> Result<(), JournalError> {
        let name = segment::file_name(spot.base);
        let mut wanted_bytes = FETCH_BYTES;
        while spot.next <= target && *left > 0 {
            let bytes = self.fetch(&name, spot.offset, wanted_bytes)?;
            let mut walk = Walk::resumed(&bytes, spot.salt, spot.link, spot.next);
            let flaw = loop {
                if walk.next_lsn() > target || *left == 0 {
                    break None;
                }
                match walk.step() {
                    Ok(frame) => {
                        if frame.kind == Kind::Record && frame.lsn > self.place {
                            visit(frame.lsn, frame.payload);
                            *left = left.saturating_sub(frame.payload.len().max(1));
                        }
                        self.place = self.place.max(frame.lsn);
                    }
                    Err(flaw) => break Some(flaw),
                }
            };
            let passed = walk.offset();
            (spot.link, spot.next) = (walk.link(), walk.next_lsn());
            spot.offset = spot.offset.saturating_add(to_u64(passed));
            self.at = Some(spot);
            match flaw {
                None => return Ok(()),
                // The piece ended within a frame: the next one begins with it.
                Some(Flaw::Short { .. } | Flaw::Blank) if bytes.len() == wanted_bytes => {
                    wanted_bytes =
                        if passed == 0 { wanted_bytes.saturating_mul(4) } else { FETCH_BYTES };
                }
                Some(flaw) => {
                    return Err(JournalError::damaged(&name, spot.offset, flaw.to_string()));
                }
            }
        }
        Ok(())
    }
}

impl Cursor for FileCursor {
    fn place(&self) -> Lsn {
        self.place
    }

    fn read(
        &mut self,
        max_bytes: usize,
        visit: &mut dyn FnMut(Lsn, &[u8]),
    ) -> Result<bool, JournalError> {
        let target = self.progress.borrow_and_update().synced;
        let mut left = max_bytes.max(1);
        while self.place < target && left > 0 {
            let spot = self.spot()?;
            // In this order: what is closed now ends where the list says.
            let end = {
                let manifest = self.catalog.lock();
                let closed = manifest.closed.iter().find(|closed| closed.base == spot.base);
                closed.map_or(target, |closed| closed.last.min(target))
            };
            let before = self.place;
            self.advance(spot, end, &mut left, visit)?;
            if self.place == before {
                let name = segment::file_name(spot.base);
                let reason = format!("record {} is synced and not there", before.next());
                return Err(JournalError::damaged(&name, spot.offset, reason));
            }
        }
        Ok(self.place < target)
    }
}
