//! Doing the least that makes a damaged journal open again, after copying what is changed.

use std::io;
use std::ops::ControlFlow;

use super::active::Trouble;
use super::check::{self, Report, check};
use super::disk::Disk;
use super::error::JournalError;
use super::highwater::{self, HighWater};
use super::manifest::{self, Closed, Manifest};
use super::recover::{self, read};
use super::salvage::{Salvaged, salvage};
use super::segment::{self, HEADER_BYTES, Header};
use super::{Lsn, raise, replay};

/// What a repair has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepairReport {
    /// What was wrong.
    pub before: Report,
    /// What is there now. Without problems the journal opens.
    pub after: Report,
    /// The files that were changed, and what their copies are called.
    pub copies: Vec<(String, String)>,
    /// Ranges (first and last) of records that are gone.
    pub lost: Vec<(Lsn, Lsn)>,
}

/// Makes a journal that nobody has open sound again. If nothing is wrong, nothing is changed.
///
/// Every record that can be read is kept, also behind the damage; the numbers of the others stay
/// as holes. Files are copied (`….broken`) before they are changed, and nothing is changed before
/// all copies are durable. The journal goes on above `above`, the highest place that anybody else
/// knows of; `seed` is for the salts of new files, as in [`Options`](super::Options).
///
/// # Errors
/// When a file was written by a newer release, or the operating system refuses.
pub fn repair(disk: &dyn Disk, above: Lsn, seed: u64) -> Result<RepairReport, JournalError> {
    let before = check(disk)?;
    for problem in &before.problems {
        if let Some((format, min_reader)) = problem.newer {
            let (file, supported) = (problem.file.clone(), segment::FORMAT);
            return Err(JournalError::Newer { file, format, min_reader, supported });
        }
    }
    let names = disk.list().map_err(|error| JournalError::io("list", ".", error))?;
    let (mut copies, mut lost) = (Vec::new(), Vec::new());
    if !before.problems.is_empty() {
        if let Some(plan) = Plan::make(disk, &names)? {
            copies = plan.copy(disk, &names)?;
            lost = plan.carry_out(disk)?;
        } else {
            let mark = check::load_mark(disk).map_or(Lsn::ZERO, |found| found.mark);
            copies = raise::begin_again(disk, &names, above.max(mark), seed)?;
        }
    }
    let (more, hole) = raise::raise(disk, above, seed)?;
    copies.extend(more);
    lost.extend(hole);
    Ok(RepairReport { before, after: check(disk)?, copies, lost })
}

/// Puts a journal aside that is not the one of this place, and begins an empty one above `above`;
/// returns the files, and what their copies are called.
///
/// # Errors
/// When the operating system refuses.
pub fn put_aside(
    disk: &dyn Disk,
    above: Lsn,
    seed: u64,
) -> Result<Vec<(String, String)>, JournalError> {
    let names = disk.list().map_err(|error| JournalError::io("list", ".", error))?;
    raise::begin_again(disk, &names, above, seed)
}

/// What is to be written, and what is to go.
struct Plan {
    manifest: Manifest,
    /// Segments to be replaced.
    segments: Vec<(String, Salvaged)>,
    /// Segments that belong elsewhere, or of which nothing can be read.
    foreign: Vec<String>,
    mark: Option<Lsn>,
    is_manifest_new: bool,
}

impl Plan {
    /// `None` if nothing is left from which to repair anything.
    fn make(disk: &dyn Disk, names: &[String]) -> Result<Option<Self>, JournalError> {
        let listed = check::load_manifest(disk).ok();
        // A manifest that does not know of segments with records is older than they are.
        let listed = listed.filter(|manifest| recover::leftovers(disk, names, manifest).is_ok());
        let is_manifest_new = listed.is_none();
        let guessed = if is_manifest_new { check::guess(disk, names)? } else { None };
        let Some(manifest) = listed.or(guessed) else { return Ok(None) };
        let found = check::load_mark(disk).ok();
        let found = found.filter(|found| found.journal == manifest.journal);
        let mut plan = Self {
            manifest,
            segments: Vec::new(),
            foreign: Vec::new(),
            mark: None,
            is_manifest_new,
        };
        let mark = found.map_or(Lsn::ZERO, |found| found.mark);
        let last = plan.salvage_all(disk, mark)?;
        plan.mark = found.is_none().then_some(last);
        plan.foreign = names.iter().filter(|name| plan.is_foreign(name)).cloned().collect();
        Ok(Some(plan))
    }

    /// Finds the segments that are damaged and what is left of them; returns the last LSN.
    fn salvage_all(&mut self, disk: &dyn Disk, mark: Lsn) -> Result<Lsn, JournalError> {
        let mut previous = None;
        let list = self.manifest.clone();
        for (closed, place) in list.closed.iter().zip(self.manifest.closed.iter_mut()) {
            let is_sound = recover::check_closed(disk, &list, closed, previous).is_ok()
                && replay::closed(disk, &list, closed, &mut |_, _| ControlFlow::Continue(()))
                    .is_ok();
            if !is_sound {
                let Closed { base, last, salt, .. } = *closed;
                let header =
                    Header { journal: list.journal, base, salt, previous: previous.unwrap_or(0) };
                let salvaged = salvage_file(disk, header, previous, last, true)?;
                place.end = salvaged.end();
                place.crc = salvaged.crc;
                self.segments.push((segment::file_name(base), salvaged));
            }
            previous = Some(closed.next);
        }
        let name = segment::file_name(list.active);
        let found = read(disk, &name)
            .and_then(|bytes| recover::look_at_active(&name, &bytes, &list, previous, mark));
        if let Ok(found) = found {
            return Ok(found.last);
        }
        let header = Header {
            journal: list.journal,
            base: list.active,
            salt: list.salt,
            previous: previous.unwrap_or(0),
        };
        let salvaged = salvage_file(disk, header, previous, mark, false)?;
        let last = salvaged.last;
        self.segments.push((name, salvaged));
        Ok(last)
    }

    /// True for a segment that a new manifest will not name.
    fn is_foreign(&self, name: &str) -> bool {
        let base = segment::base_of(name);
        self.is_manifest_new
            && base.is_some_and(|base| self.manifest.bases().all(|named| named != base))
    }

    fn is_manifest_written(&self) -> bool {
        self.is_manifest_new || !self.segments.is_empty()
    }

    /// Copies everything that will be changed, durably.
    fn copy(
        &self,
        disk: &dyn Disk,
        names: &[String],
    ) -> Result<Vec<(String, String)>, JournalError> {
        let mut changed: Vec<&str> = self.segments.iter().map(|(name, _)| name.as_str()).collect();
        changed.extend(self.foreign.iter().map(String::as_str));
        changed.extend(self.mark.map(|_| highwater::FILE));
        changed.extend(self.is_manifest_written().then_some(manifest::FILE));
        let mut copies = Vec::new();
        for name in changed {
            if names.iter().any(|existing| existing == name) {
                let copy = free_name(name, names);
                write(disk, &copy, &read(disk, name)?)?;
                copies.push((name.to_owned(), copy));
            }
        }
        sync_dir(disk)?;
        Ok(copies)
    }

    /// Writes what is new; the manifest last, so that a repair cut short can be repeated.
    fn carry_out(&self, disk: &dyn Disk) -> Result<Vec<(Lsn, Lsn)>, JournalError> {
        let mut lost = Vec::new();
        for (name, salvaged) in &self.segments {
            let fresh = format!("{name}.new");
            write(disk, &fresh, &salvaged.bytes)?;
            disk.rename(&fresh, name).map_err(|error| JournalError::io("rename", &fresh, error))?;
            lost.extend_from_slice(&salvaged.lost);
        }
        for name in &self.foreign {
            disk.remove(name).map_err(|error| JournalError::io("remove", name, error))?;
        }
        if let Some(mark) = self.mark {
            HighWater::create(disk, self.manifest.journal, mark)
                .map_err(|error| JournalError::io("write", highwater::FILE, error))?;
        }
        sync_dir(disk)?;
        if self.is_manifest_written() {
            let written = self.manifest.write(disk).map_err(Trouble::into_error);
            written.map_err(|error| JournalError::io("write", manifest::FILE, error))?;
        }
        Ok(lost)
    }
}

/// Salvages a segment, with its own header if that is good and with `header` if not.
fn salvage_file(
    disk: &dyn Disk,
    header: Header,
    previous: Option<u32>,
    upto: Lsn,
    is_complete: bool,
) -> Result<Salvaged, JournalError> {
    let name = segment::file_name(header.base);
    let old = match disk.read(&name) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(JournalError::io("read", &name, error)),
    };
    let start = old.get(..HEADER_BYTES).unwrap_or_default();
    let own = Header::decode(&name, start).ok().map(|(own, _)| own).filter(|own| {
        own.journal == header.journal
            && own.base == header.base
            && previous.is_none_or(|previous| previous == own.previous)
    });
    Ok(salvage(&old, &own.unwrap_or(header), upto, is_complete))
}

/// A name for a copy of `name` that no file has yet.
pub(super) fn free_name(name: &str, names: &[String]) -> String {
    let first = format!("{name}.broken");
    let others = (2_u32..).map(|number| format!("{name}.broken{number}"));
    let is_free = |copy: &String| !names.contains(copy);
    std::iter::once(first).chain(others).find(is_free).expect("some number is free")
}

pub(super) fn write(disk: &dyn Disk, name: &str, bytes: &[u8]) -> Result<(), JournalError> {
    let written = disk.create(name).and_then(|file| {
        file.write_at(bytes, 0)?;
        file.sync_data()
    });
    written.map_err(|error| JournalError::io("write", name, error))
}

pub(super) fn sync_dir(disk: &dyn Disk) -> Result<(), JournalError> {
    disk.sync_dir().map_err(|error| JournalError::io("sync", ".", error))
}
