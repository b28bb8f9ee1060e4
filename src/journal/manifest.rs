//! The list of segments. What it names must be there; what it does not name is not part of the
//! journal.
//!
//! It is text, one line for the format, one for the journal, one for each segment and one for the
//! checksum of all lines before. It is written beside its place, synced, renamed, and the folder
//! synced.

use std::fmt::Write as _;
use std::io;

use super::disk::Disk;
use super::error::JournalError;
use super::recover::to_u64;
use super::segment::{self, FORMAT};
use super::{Lsn, active::Trouble};

/// The name of the list of segments.
pub(super) const FILE: &str = "MANIFEST";

/// What the next one is called until it is renamed; the space for it is taken beforehand.
pub(super) const FRESH_FILE: &str = "MANIFEST.new";

/// A list of a few segments fits into this twice over.
const LEAST_RESERVE_BYTES: u64 = 4096;

const TITLE: &str = "dossier-journal";

/// The segments of a journal in order; the last one is written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    /// The number of the journal, in every file of it.
    pub(super) journal: u64,
    /// Segments that are complete and synced.
    pub(super) closed: Vec<Closed>,
    /// Where the segment begins that is written to.
    pub(super) active: Lsn,
    /// The salt of that segment.
    pub(super) salt: u32,
}

/// A segment that is complete and synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Closed {
    pub(super) base: Lsn,
    pub(super) last: Lsn,
    /// Where its last frame ends.
    pub(super) end: u64,
    /// The checksum of its last frame.
    pub(super) crc: u32,
    /// What the header of the next segment says of this one: `crc`, unless this one was repaired.
    pub(super) next: u32,
    /// Its salt, so that a damaged header costs nothing but itself.
    pub(super) salt: u32,
}

impl Manifest {
    /// The first LSN the journal holds or will hold.
    pub(super) fn first(&self) -> Lsn {
        self.closed.first().map_or(self.active, |closed| closed.base)
    }

    /// Where every segment begins, in order.
    pub(super) fn bases(&self) -> impl Iterator<Item = Lsn> {
        self.closed.iter().map(|closed| closed.base).chain([self.active])
    }

    pub(super) fn encode(&self) -> String {
        let mut text = format!("{TITLE} format={FORMAT} min_reader={FORMAT}\n");
        let mut line = |line: String| {
            text.push_str(&line);
            text.push('\n');
        };
        line(format!("journal={:016x}", self.journal));
        for Closed { base, last, end, crc, next, salt } in &self.closed {
            line(format!(
                "closed base={base} last={last} end={end} crc={crc:08x} next={next:08x} salt={salt:08x}"
            ));
        }
        line(format!("active base={} salt={:08x}", self.active, self.salt));
        let crc = crc32c::crc32c(text.as_bytes());
        writeln!(text, "crc={crc:08x}").expect("a string takes everything");
        text
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, JournalError> {
        let damaged = |reason: &str| JournalError::damaged(FILE, 0, reason);
        let text = str::from_utf8(bytes).map_err(|_| damaged("it is not text"))?;
        let (title, _) = text.split_once('\n').ok_or_else(|| damaged("it has no first line"))?;
        let (format, min_reader) = parse_title(title)
            .ok_or_else(|| damaged("its first line does not name a journal and its format"))?;
        segment::check_format(FILE, format, min_reader)?;
        let (lines, crc) = text
            .strip_suffix('\n')
            .and_then(|text| text.rsplit_once('\n'))
            .ok_or_else(|| damaged("it is cut off"))?;
        let body = text.get(..=lines.len()).ok_or_else(|| damaged("it is cut off"))?;
        if crc != format!("crc={:08x}", crc32c::crc32c(body.as_bytes())) {
            return Err(damaged("its checksum is wrong"));
        }
        parse_lines(lines.lines().skip(1))
            .filter(Self::is_consistent)
            .ok_or_else(|| damaged("its lines do not make sense"))
    }

    fn is_consistent(&self) -> bool {
        let starts = self.bases().skip(1);
        self.first() > Lsn::ZERO
            && self
                .closed
                .iter()
                .zip(starts)
                .all(|(closed, next)| closed.last >= closed.base && closed.last.next() == next)
    }

    /// Puts this list in the place of the one that is there.
    ///
    /// If it fails for want of space the old list is untouched and still the durable one.
    pub(super) fn write(&self, disk: &dyn Disk) -> Result<(), Trouble> {
        let text = self.encode();
        let written = write_fresh(disk, text.as_bytes());
        written.and_then(|()| disk.rename(FRESH_FILE, FILE)).map_err(|error| {
            // Best effort: the next writing replaces it anyway.
            drop(disk.remove(FRESH_FILE));
            Trouble::undoable(error)
        })?;
        disk.sync_dir().map_err(Trouble::Broken)?;
        reserve(disk, text.len());
        Ok(())
    }
}

/// Writes the next list into the space that was reserved for it, if it was, and syncs it.
fn write_fresh(disk: &dyn Disk, text: &[u8]) -> io::Result<()> {
    let file = disk.open(FRESH_FILE).or_else(|_| disk.create(FRESH_FILE))?;
    file.write_at(text, 0)?;
    file.truncate(to_u64(text.len()))?;
    file.sync_data()
}

/// Takes the space the next list will need, so that on a full disk segments can still be let go
/// of. Best effort: if there is no space now, there may be some then.
pub(super) fn reserve(disk: &dyn Disk, size_bytes: usize) {
    let wanted = to_u64(size_bytes).saturating_mul(2).max(LEAST_RESERVE_BYTES);
    let reserved = disk.create(FRESH_FILE).and_then(|file| file.preallocate(0, wanted));
    if reserved.is_err() {
        drop(disk.remove(FRESH_FILE));
    }
}

fn parse_title(title: &str) -> Option<(u16, u16)> {
    let mut words = title.split(' ');
    if words.next() != Some(TITLE) {
        return None;
    }
    let format = words.next()?.strip_prefix("format=")?.parse().ok()?;
    let min_reader = words.next()?.strip_prefix("min_reader=")?.parse().ok()?;
    Some((format, min_reader))
}

fn parse_lines<'a>(mut lines: impl Iterator<Item = &'a str>) -> Option<Manifest> {
    let journal = u64::from_str_radix(lines.next()?.strip_prefix("journal=")?, 16).ok()?;
    let mut closed = Vec::new();
    for line in lines.by_ref() {
        if let Some(values) = line.strip_prefix("active ") {
            let mut values = Values(values.split(' '));
            let active = Lsn::new(values.number("base")?);
            let salt = values.checksum("salt")?;
            let manifest = Manifest { journal, closed, active, salt };
            return lines.next().is_none().then_some(manifest);
        }
        let mut values = Values(line.strip_prefix("closed ")?.split(' '));
        closed.push(Closed {
            base: Lsn::new(values.number("base")?),
            last: Lsn::new(values.number("last")?),
            end: values.number("end")?,
            crc: values.checksum("crc")?,
            next: values.checksum("next")?,
            salt: values.checksum("salt")?,
        });
    }
    None
}

/// The `name=value` words of a line, in a fixed order.
struct Values<'a>(std::str::Split<'a, char>);

impl<'a> Values<'a> {
    fn value(&mut self, name: &str) -> Option<&'a str> {
        self.0.next()?.strip_prefix(name)?.strip_prefix('=')
    }

    fn number(&mut self, name: &str) -> Option<u64> {
        self.value(name)?.parse().ok()
    }

    fn checksum(&mut self, name: &str) -> Option<u32> {
        u32::from_str_radix(self.value(name)?, 16).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Manifest {
        let closed = [(1, 9), (10, 30)].map(|(base, last)| Closed {
            base: Lsn::new(base),
            last: Lsn::new(last),
            end: 100 * last,
            crc: 0xabc,
            next: 0xabc,
            salt: 0xdef,
        });
        Manifest { journal: 77, closed: closed.to_vec(), active: Lsn::new(31), salt: 5 }
    }

    #[test]
    fn a_manifest_comes_back_as_it_was_written() {
        let manifest = sample();
        assert_eq!(Manifest::decode(manifest.encode().as_bytes()).unwrap(), manifest);
    }

    #[test]
    fn no_flipped_bit_and_no_cut_goes_unnoticed() {
        let bytes = sample().encode().into_bytes();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            Manifest::decode(&flipped).unwrap_err();
        }
        for cut in 0..bytes.len() {
            Manifest::decode(&bytes[..cut]).unwrap_err();
        }
    }

    #[test]
    fn a_newer_format_is_refused_with_both_versions() {
        let text = sample().encode().replace("format=1 min_reader=1", "format=4 min_reader=3");
        let error = Manifest::decode(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("MANIFEST has format 4"), "{error}");
        assert!(error.contains("format 3; this release reads up to 1"), "{error}");
    }

    #[test]
    fn a_hole_between_segments_does_not_make_sense() {
        let mut manifest = sample();
        manifest.active = Lsn::new(32);
        Manifest::decode(manifest.encode().as_bytes()).unwrap_err();
    }
}
