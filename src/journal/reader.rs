//! A journal that is looked at and left as it is.

use std::ops::ControlFlow;
use std::sync::Arc;

use tokio::sync::watch;

use super::cursor::{Cursor, FileCursor};
use super::disk::Disk;
use super::error::JournalError;
use super::manifest::Manifest;
use super::queue::Catalog;
use super::recover::{self, Recovered, to_u64};
use super::scan::Walk;
use super::segment::{self, Header};
use super::witness::{self, Synced};
use super::{AppendError, Journal, Lsn, Progress, Stats, replay};

/// A journal that nobody has open, for replaying it without changing a byte. It takes nothing.
#[derive(Debug)]
pub struct Reader<D> {
    disk: Arc<D>,
    found: Option<Recovered>,
    progress: watch::Sender<Progress>,
}

impl<D: Disk> Reader<D> {
    /// Looks at a folder as an opening does.
    ///
    /// # Errors
    /// As [`Embedded::open`](super::Embedded::open).
    pub fn open(disk: D) -> Result<Self, JournalError> {
        let found = recover::recover(&disk)?;
        let last = found.as_ref().map_or(Lsn::ZERO, |found| found.active.last);
        let progress = watch::Sender::new(Progress::starting_at(last));
        Ok(Self { disk: Arc::new(disk), found, progress })
    }

    /// Refuses a journal that is not the one a mark outside of it speaks of, or ends before it.
    ///
    /// # Errors
    /// [`JournalError::Older`], [`JournalError::OfAnother`], [`JournalError::Parted`], or when a
    /// segment cannot be read.
    pub fn refuse_other(&self, synced: &Synced) -> Result<(), JournalError> {
        witness::refuse_other(&*self.disk, self.found.as_ref(), synced)
    }

    /// The file, relative to the journal's folder, in which a record lies, and where in it.
    ///
    /// # Errors
    /// When a segment cannot be read.
    pub fn place_of(&self, lsn: Lsn) -> Result<Option<(String, u64)>, JournalError> {
        let Some(found) = &self.found else { return Ok(None) };
        let place = find(&*self.disk, &found.manifest, lsn)?;
        Ok(place.map(|place| (place.file, place.offset)))
    }
}

/// Where a record lies.
pub(super) struct Place {
    /// The file, relative to the journal's folder.
    pub(super) file: String,
    /// Where in the file its frame begins.
    pub(super) offset: u64,
    /// Its place in the journal: what was asked for, or the next one there is.
    pub(super) lsn: Lsn,
    /// The checksum of its frame.
    pub(super) link: u32,
}

/// The record in a place, or the next one in its segment; none behind the end of that.
pub(super) fn find(
    disk: &dyn Disk,
    manifest: &Manifest,
    wanted: Lsn,
) -> Result<Option<Place>, JournalError> {
    let Some(base) = manifest.bases().filter(|base| *base <= wanted).last() else {
        return Ok(None);
    };
    let file = segment::file_name(base);
    let bytes = recover::read(disk, &file)?;
    let (header, link) = Header::decode(&file, &bytes)?;
    let mut walk = Walk::new(&bytes, &header, link);
    loop {
        let offset = to_u64(walk.offset());
        match walk.step() {
            Ok(frame) if frame.lsn < wanted => {}
            Ok(frame) => {
                return Ok(Some(Place { file, offset, lsn: frame.lsn, link: walk.link() }));
            }
            Err(_) => return Ok(None),
        }
    }
}

impl<D: Disk + 'static> Journal for Reader<D> {
    fn append(&self, _: u32, _: Vec<u8>) -> Result<Lsn, AppendError> {
        Err(AppendError::Closed)
    }

    fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    fn replay(
        &self,
        after: Lsn,
        visit: &mut dyn FnMut(Lsn, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        let Some(Recovered { manifest, active, .. }) = &self.found else { return Ok(()) };
        let oldest = manifest.first();
        if after.next() < oldest {
            return Err(JournalError::Purged { wanted: after.next(), oldest });
        }
        let mut visit = |lsn: Lsn, payload: &[u8]| {
            if lsn <= after { ControlFlow::Continue(()) } else { visit(lsn, payload) }
        };
        for closed in manifest.closed.iter().filter(|closed| closed.last > after) {
            if replay::closed(&*self.disk, manifest, closed, &mut visit)?.is_break() {
                return Ok(());
            }
        }
        replay::active(&*self.disk, manifest, active.last, &mut visit)
    }

    fn cursor(&self, after: Lsn) -> Box<dyn Cursor> {
        let nothing = || Manifest { journal: 0, closed: Vec::new(), active: Lsn::new(1), salt: 0 };
        let manifest = self.found.as_ref().map_or_else(nothing, |found| found.manifest.clone());
        let catalog = Arc::new(Catalog::new(manifest));
        Box::new(FileCursor::new(self.disk.clone(), catalog, self.progress.subscribe(), after))
    }

    /// There is nothing to let go of by somebody who only looks.
    fn purge(&self, _: Lsn) -> Result<(), JournalError> {
        Ok(())
    }

    fn flush(&self) -> Result<Lsn, JournalError> {
        Ok(self.stats().last)
    }

    fn stats(&self) -> Stats {
        let Some(Recovered { manifest, active, .. }) = &self.found else {
            return Stats { oldest: Lsn::new(1), ..Stats::default() };
        };
        Stats {
            size_bytes: active.size_bytes
                + manifest.closed.iter().map(|closed| closed.end).sum::<u64>(),
            segments: to_u64(manifest.closed.len() + 1),
            oldest: manifest.first(),
            last: active.last,
            ..Stats::default()
        }
    }
}
