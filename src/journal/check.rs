//! Looking at every byte of a journal that nobody has open, and listing all that is wrong.

use std::ops::ControlFlow;

use super::disk::Disk;
use super::error::{JournalError, REMEDY};
use super::manifest::{self, Closed, Manifest};
use super::recover::{self, TornTail, read, to_u64};
use super::scan::Walk;
use super::segment::{self, HEADER_BYTES, Header};
use super::{Lsn, highwater, replay};

/// What a journal holds and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The number of the journal; `None` if there is none yet, or nothing says it.
    pub journal: Option<u64>,
    /// The first record held, or the next one if none is.
    pub first: Lsn,
    /// The last record that can be read.
    pub last: Lsn,
    /// Up to where records are known to be synced.
    pub high_water: Option<Lsn>,
    /// The segments in order.
    pub segments: Vec<SegmentReport>,
    /// A last write that was cut short and never acknowledged. Nothing is wrong with that.
    pub torn: Option<TornTail>,
    /// Files that are no part of the journal and will be removed. Nothing is wrong with that.
    pub leftovers: Vec<String>,
    /// What is wrong. If nothing is, the journal opens.
    pub problems: Vec<Problem>,
}

/// A segment and what of it can be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentReport {
    /// The file, relative to the journal's folder.
    pub file: String,
    /// Its size.
    pub size_bytes: u64,
    /// Where it begins.
    pub first: Lsn,
    /// The last record that can be read, in order.
    pub last: Lsn,
    /// How many records can be read, in order.
    pub records: u64,
}

/// Something that keeps the journal from opening.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file, relative to the journal's folder.
    pub file: String,
    /// Where in the file.
    pub offset: u64,
    /// What was wanted and what was found.
    pub reason: String,
    /// What a person can do.
    pub remedy: &'static str,
    /// The format of the file and the oldest that can read it, if only a newer release can help.
    pub(super) newer: Option<(u16, u16)>,
}

/// Looks at every byte of a journal that nobody has open. Changes nothing.
///
/// # Errors
/// When the operating system refuses. What is wrong with the journal is in the report.
pub fn check(disk: &dyn Disk) -> Result<Report, JournalError> {
    let names = disk.list().map_err(|error| JournalError::io("list", ".", error))?;
    let mut report = Report::default();
    let has_manifest = names.iter().any(|name| name == manifest::FILE);
    if !has_manifest && recover::is_unfinished_creation(disk, &names)? {
        return Ok(report);
    }
    let listed = report.accept(load_manifest(disk))?;
    let mark = report.accept(load_mark(disk))?;
    let Some(manifest) =
        listed.clone().map_or_else(|| guess(disk, &names), |list| Ok(Some(list)))?
    else {
        return Ok(report);
    };
    report.journal = Some(manifest.journal);
    report.first = manifest.first();
    if let Some(mark) = mark {
        report.high_water = Some(mark.mark);
        report.accept(recover::check_journal(highwater::FILE, mark.journal, &manifest))?;
    }
    let mut previous = None;
    for closed in &manifest.closed {
        report.accept(recover::check_closed(disk, &manifest, closed, previous))?;
        previous = Some(closed.next);
        report.look_at_closed(disk, &manifest, closed)?;
    }
    report.look_at_active(disk, &manifest, previous)?;
    if listed.is_some() {
        let leftovers = report.accept(recover::leftovers(disk, &names, &manifest))?;
        report.leftovers = leftovers.unwrap_or_default();
    }
    Ok(report)
}

pub(super) fn load_manifest(disk: &dyn Disk) -> Result<Manifest, JournalError> {
    Manifest::decode(&read(disk, manifest::FILE)?)
}

pub(super) fn load_mark(disk: &dyn Disk) -> Result<highwater::Found, JournalError> {
    highwater::read(&read(disk, highwater::FILE)?)
}

impl Report {
    /// Takes a finding; damage goes to the problems (once), the rest is an error.
    fn accept<T>(&mut self, finding: Result<T, JournalError>) -> Result<Option<T>, JournalError> {
        let problem = match finding {
            Ok(found) => return Ok(Some(found)),
            Err(JournalError::Damaged { file, offset, reason, remedy }) => {
                Problem { file, offset, reason, remedy, newer: None }
            }
            Err(error @ (JournalError::Newer { .. } | JournalError::Foreign { .. })) => {
                Problem::of_file(&error)
            }
            Err(error) => return Err(error),
        };
        if !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
        Ok(None)
    }

    fn look_at_closed(
        &mut self,
        disk: &dyn Disk,
        manifest: &Manifest,
        closed: &Closed,
    ) -> Result<(), JournalError> {
        let mut segment = SegmentReport::of(disk, closed.base);
        let finding = replay::closed(disk, manifest, closed, &mut |lsn, _| {
            segment.count(lsn);
            ControlFlow::Continue(())
        });
        self.accept(finding)?;
        self.last = segment.last;
        self.segments.push(segment);
        Ok(())
    }

    fn look_at_active(
        &mut self,
        disk: &dyn Disk,
        manifest: &Manifest,
        previous: Option<u32>,
    ) -> Result<(), JournalError> {
        let mut segment = SegmentReport::of(disk, manifest.active);
        let Some(bytes) = self.accept(read(disk, &segment.file))? else {
            self.segments.push(segment);
            return Ok(());
        };
        let mark = self.high_water.unwrap_or_default();
        let found = recover::look_at_active(&segment.file, &bytes, manifest, previous, mark);
        if let Some(found) = self.accept(found)? {
            self.torn = found.torn;
        }
        if let Ok((header, link)) = Header::decode(&segment.file, &bytes) {
            let mut walk = Walk::new(&bytes, &header, link);
            while let Ok(frame) = walk.step() {
                segment.count(frame.lsn);
            }
        }
        self.last = segment.last;
        self.segments.push(segment);
        Ok(())
    }
}

impl SegmentReport {
    fn of(disk: &dyn Disk, base: Lsn) -> Self {
        let file = segment::file_name(base);
        let size_bytes = disk.read_start(&file, 0).map_or(0, |(size_bytes, _)| size_bytes);
        Self { file, size_bytes, first: base, last: base.previous(), records: 0 }
    }

    fn count(&mut self, lsn: Lsn) {
        self.records += 1;
        self.last = lsn;
    }
}

impl Problem {
    fn of_file(error: &JournalError) -> Self {
        let (file, newer) = match error {
            JournalError::Newer { file, format, min_reader, .. } => {
                (file.clone(), Some((*format, *min_reader)))
            }
            JournalError::Foreign { file, .. } => (file.clone(), None),
            JournalError::Damaged { .. }
            | JournalError::Purged { .. }
            | JournalError::Io { .. }
            | JournalError::Poisoned
            | JournalError::Full
            | JournalError::TimedOut { .. }
            | JournalError::Gone { .. }
            | JournalError::Older { .. }
            | JournalError::OfAnother { .. }
            | JournalError::Parted { .. }
            | JournalError::Options(_) => (String::new(), None),
        };
        Self { file, offset: 0, reason: error.to_string(), remedy: REMEDY, newer }
    }
}

/// The list of segments as the segments themselves tell it. `None` if there are none.
pub(super) fn guess(disk: &dyn Disk, names: &[String]) -> Result<Option<Manifest>, JournalError> {
    let mut headers = Vec::new();
    for name in names.iter().filter(|name| segment::base_of(name).is_some()) {
        let start = disk.read_start(name, HEADER_BYTES);
        let (_, start) = start.map_err(|error| JournalError::io("read", name, error))?;
        if let Ok((header, link)) = Header::decode(name, &start)
            && segment::base_of(name) == Some(header.base)
        {
            headers.push((header, link));
        }
    }
    let mark = load_mark(disk).ok().map(|found| found.journal);
    let Some(journal) = mark.or_else(|| headers.first().map(|(header, _)| header.journal)) else {
        return Ok(None);
    };
    headers.retain(|(header, _)| header.journal == journal);
    headers.sort_by_key(|(header, _)| header.base);
    let Some(&(active, _)) = headers.last() else { return Ok(None) };
    let mut closed = Vec::new();
    for (&(header, link), &(after, _)) in headers.iter().zip(headers.iter().skip(1)) {
        let bytes = read(disk, &segment::file_name(header.base))?;
        let mut walk = Walk::new(&bytes, &header, link);
        while walk.next_lsn() < after.base && walk.step().is_ok() {}
        closed.push(Closed {
            base: header.base,
            last: after.base.previous(),
            end: to_u64(walk.offset()),
            crc: walk.link(),
            next: after.previous,
            salt: header.salt,
        });
    }
    Ok(Some(Manifest { journal, closed, active: active.base, salt: active.salt }))
}
