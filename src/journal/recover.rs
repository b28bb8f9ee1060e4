//! Looking at what is in the folder and deciding what of it is the journal. Reads, never writes.

use std::io;

use super::disk::Disk;
use super::error::JournalError;
use super::manifest::{self, Closed, Manifest};
use super::scan::{self, Ending, Walk};
use super::segment::{self, HEADER_BYTES, Header};
use super::{Lsn, highwater};

/// A last write that was cut short by a crash. It was never acknowledged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The file, relative to the journal's folder.
    pub file: String,
    /// Where the last good record ends.
    pub offset: u64,
    /// How many bytes follow it.
    pub size_bytes: u64,
    /// The last good record.
    pub last: Lsn,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) manifest: Manifest,
    pub(super) high_water: highwater::Found,
    pub(super) active: Found,
    /// Files that belong to no journal: what a crash left of a change of segments or of a purge.
    pub(super) leftovers: Vec<String>,
}

/// The segment that is written to, as it was found.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) header: Header,
    pub(super) end: u64,
    pub(super) size_bytes: u64,
    pub(super) link: u32,
    pub(super) last: Lsn,
    pub(super) torn: Option<TornTail>,
    /// Where the frames begin of which nobody knows that they were synced, and their bytes.
    pub(super) uncertain: (u64, Vec<u8>),
}

/// Looks at the folder. `None` if there is no journal yet.
pub(super) fn recover(disk: &dyn Disk) -> Result<Option<Recovered>, JournalError> {
    let names = disk.list().map_err(|error| JournalError::io("list", ".", error))?;
    if !names.iter().any(|name| name == manifest::FILE) {
        return if is_unfinished_creation(disk, &names)? {
            Ok(None)
        } else {
            Err(JournalError::damaged(manifest::FILE, 0, "it is missing, but there are segments"))
        };
    }
    let manifest = Manifest::decode(&read(disk, manifest::FILE)?)?;
    let high_water = highwater::read(&read(disk, highwater::FILE)?)?;
    check_journal(highwater::FILE, high_water.journal, &manifest)?;
    let mut previous = None;
    for closed in &manifest.closed {
        check_closed(disk, &manifest, closed, previous)?;
        previous = Some(closed.next);
    }
    let name = segment::file_name(manifest.active);
    let bytes = read(disk, &name)?;
    let active = look_at_active(&name, &bytes, &manifest, previous, high_water.mark)?;
    let leftovers = leftovers(disk, &names, &manifest)?;
    Ok(Some(Recovered { manifest, high_water, active, leftovers }))
}

/// Reads a file that must be there.
pub(super) fn read(disk: &dyn Disk, name: &str) -> Result<Vec<u8>, JournalError> {
    disk.read(name).map_err(|error| missing_or_io(name, error))
}

fn missing_or_io(name: &str, error: io::Error) -> JournalError {
    if error.kind() == io::ErrorKind::NotFound {
        JournalError::damaged(name, 0, "the file is missing")
    } else {
        JournalError::io("read", name, error)
    }
}

/// True if a first start was cut off before its manifest: nothing can have been written.
pub(super) fn is_unfinished_creation(
    disk: &dyn Disk,
    names: &[String],
) -> Result<bool, JournalError> {
    for name in names {
        if name == highwater::FILE {
            // An unreadable one was still being written.
            let found = highwater::read(&read(disk, name)?);
            if found.is_ok_and(|found| found.mark > Lsn::ZERO) {
                return Ok(false);
            }
        } else if let Some(base) = segment::base_of(name)
            && (base != Lsn::new(1) || !is_without_frames(&read(disk, name)?))
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// True if there is nothing behind the header, or not even a whole header.
fn is_without_frames(bytes: &[u8]) -> bool {
    bytes.get(HEADER_BYTES..).unwrap_or_default().iter().all(|&byte| byte == 0)
}

pub(super) fn check_journal(
    file: &str,
    found: u64,
    manifest: &Manifest,
) -> Result<(), JournalError> {
    if found == manifest.journal {
        Ok(())
    } else {
        Err(JournalError::Foreign { file: file.to_owned(), found, wanted: manifest.journal })
    }
}

/// Reads the header of a segment and checks that it is the one the manifest means.
///
/// `previous` is the checksum of the last frame before it, if that is known.
pub(super) fn check_header(
    file: &str,
    bytes: &[u8],
    manifest: &Manifest,
    base: Lsn,
    previous: Option<u32>,
) -> Result<(Header, u32), JournalError> {
    let (header, link) = Header::decode(file, bytes)?;
    check_journal(file, header.journal, manifest)?;
    if header.base != base {
        let reason = format!("it begins at record {}, its name says {base}", header.base);
        return Err(JournalError::damaged(file, 0, reason));
    }
    if previous.is_some_and(|previous| previous != header.previous) {
        return Err(JournalError::damaged(file, 0, "it does not follow the segment before it"));
    }
    Ok((header, link))
}

/// A cheap look at a segment that is complete; replay reads all of it.
pub(super) fn check_closed(
    disk: &dyn Disk,
    manifest: &Manifest,
    closed: &Closed,
    previous: Option<u32>,
) -> Result<(), JournalError> {
    let name = segment::file_name(closed.base);
    let (size_bytes, start) =
        disk.read_start(&name, HEADER_BYTES).map_err(|error| missing_or_io(&name, error))?;
    check_header(&name, &start, manifest, closed.base, previous)?;
    if size_bytes < closed.end {
        let reason = format!("the file ends here, its records went up to byte {}", closed.end);
        return Err(JournalError::damaged(&name, size_bytes, reason));
    }
    Ok(())
}

pub(super) fn look_at_active(
    name: &str,
    bytes: &[u8],
    manifest: &Manifest,
    previous: Option<u32>,
    high_water: Lsn,
) -> Result<Found, JournalError> {
    let (header, link) = check_header(name, bytes, manifest, manifest.active, previous)?;
    let mut walk = Walk::new(bytes, &header, link);
    let mut known = high_water;
    let flaw = loop {
        match walk.step() {
            Ok(frame) => known = known.max(frame.durable_upto),
            Err(flaw) => break flaw,
        }
    };
    let end = walk.offset();
    let offset = to_u64(end);
    let last = walk.next_lsn().previous();
    let torn = match scan::judge(bytes, end, header.salt, walk.next_lsn(), high_water) {
        Ending::Clean => None,
        Ending::Torn { size_bytes } => {
            let size_bytes = to_u64(size_bytes);
            Some(TornTail { file: name.to_owned(), offset, size_bytes, last })
        }
        Ending::Damaged { evidence } => {
            return Err(JournalError::damaged(name, offset, format!("{flaw}; {evidence}")));
        }
    };
    let begin = first_frame_after(bytes, &header, link, known);
    let uncertain = bytes.get(begin..end).unwrap_or_default().to_vec();
    Ok(Found {
        link: walk.link(),
        header,
        end: offset,
        size_bytes: to_u64(bytes.len()),
        last,
        torn,
        uncertain: (to_u64(begin), uncertain),
    })
}

/// Where the first frame behind `known` begins, or where the frames end.
fn first_frame_after(bytes: &[u8], header: &Header, link: u32, known: Lsn) -> usize {
    let mut walk = Walk::new(bytes, header, link);
    loop {
        let begin = walk.offset();
        match walk.step() {
            Ok(frame) if frame.lsn <= known => {}
            Ok(_) | Err(_) => return begin,
        }
    }
}

/// Finds files no manifest names, and refuses those that hold what a crash cannot explain.
pub(super) fn leftovers(
    disk: &dyn Disk,
    names: &[String],
    manifest: &Manifest,
) -> Result<Vec<String>, JournalError> {
    let mut leftovers = Vec::new();
    for name in names {
        let Some(base) = segment::base_of(name) else { continue };
        if manifest.bases().any(|listed| listed == base) {
            continue;
        }
        let bytes = read(disk, name)?;
        if let Ok((header, _)) = Header::decode(name, &bytes) {
            check_journal(name, header.journal, manifest)?;
        }
        if base >= manifest.first() && !is_without_frames(&bytes) {
            let reason = "it holds records, but the manifest does not name it";
            return Err(JournalError::damaged(name, 0, reason));
        }
        leftovers.push(name.clone());
    }
    Ok(leftovers)
}

/// A place in a file as files count.
pub(super) fn to_u64(size: usize) -> u64 {
    u64::try_from(size).expect("a size in memory fits into 64 bits")
}
