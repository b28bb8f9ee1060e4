//! Beginning a journal, also behind places that others know of.
//!
//! Snapshots say up to which place of the journal they reach. A journal that lost its end and went
//! on below such a place would let go of segments that no snapshot holds. So numbers are never
//! used again: the lost ones stay as a hole.

use super::Lsn;
use super::active::{self, Fresh, Trouble};
use super::disk::Disk;
use super::error::JournalError;
use super::frame;
use super::highwater::{self, HighWater};
use super::manifest::{self, Manifest};
use super::recover::{self, read};
use super::repair::{free_name, sync_dir, write};
use super::segment::{self, Header};

/// A journal that was just begun.
pub(super) struct Begun {
    pub(super) manifest: Manifest,
    pub(super) high_water: HighWater,
    pub(super) header: Header,
    pub(super) fresh: Fresh,
    pub(super) link: u32,
}

/// Files that were changed, and what their copies are called.
pub(super) type Copies = Vec<(String, String)>;

/// Begins a journal at `base` in an empty folder. The manifest comes last: without it there is no
/// journal.
pub(super) fn begin(
    disk: &dyn Disk,
    base: Lsn,
    seed: u64,
    preallocate_bytes: u64,
) -> Result<Begun, JournalError> {
    let journal = active::mix(seed);
    let name = segment::file_name(base);
    let high_water = HighWater::create(disk, journal, base.previous())
        .map_err(|error| JournalError::io("create", highwater::FILE, error))?;
    let header = Header { journal, base, salt: active::salt(seed, base), previous: 0 };
    let (fresh, link) = active::create(disk, &header, preallocate_bytes)
        .map_err(|trouble| JournalError::io("create", &name, trouble.into_error()))?;
    let manifest = Manifest { journal, closed: Vec::new(), active: base, salt: header.salt };
    manifest
        .write(disk)
        .map_err(|trouble| JournalError::io("create", manifest::FILE, trouble.into_error()))?;
    Ok(Begun { manifest, high_water, header, fresh, link })
}

/// Begins anew, above `above`, where nothing is left that could be read; what is there is copied.
pub(super) fn begin_again(
    disk: &dyn Disk,
    names: &[String],
    above: Lsn,
    seed: u64,
) -> Result<Copies, JournalError> {
    let is_ours = |name: &&String| {
        segment::base_of(name).is_some()
            || [manifest::FILE, highwater::FILE].contains(&name.as_str())
    };
    let mut copies = Vec::new();
    for name in names.iter().filter(is_ours) {
        let copy = free_name(name, names);
        write(disk, &copy, &read(disk, name)?)?;
        copies.push((name.clone(), copy));
    }
    sync_dir(disk)?;
    for (name, _) in copies.iter().filter(|(name, _)| name != highwater::FILE) {
        disk.remove(name).map_err(|error| JournalError::io("remove", name, error))?;
    }
    sync_dir(disk)?;
    begin(disk, above.next(), seed, 0)?;
    Ok(copies)
}

/// Lets a sound journal go on above `above`; returns the copy that was made, and the numbers that
/// from now on hold nothing.
pub(super) fn raise(
    disk: &dyn Disk,
    above: Lsn,
    seed: u64,
) -> Result<(Copies, Option<(Lsn, Lsn)>), JournalError> {
    let Some(found) = recover::recover(disk)? else {
        if above > Lsn::ZERO {
            begin(disk, above.next(), seed, 0)?;
        }
        return Ok((Vec::new(), None));
    };
    let active = found.active;
    if active.last >= above {
        return Ok((Vec::new(), None));
    }
    let names = disk.list().map_err(|error| JournalError::io("list", ".", error))?;
    let name = segment::file_name(found.manifest.active);
    let copy = free_name(&name, &names);
    write(disk, &copy, &read(disk, &name)?)?;
    sync_dir(disk)?;
    let lost = (active.last.next(), above);
    let mut bytes = Vec::new();
    frame::encode_skip(&mut bytes, active.header.salt, active.link, lost, active.last);
    let (_, known) = &active.uncertain;
    let settled = disk.open(&name).and_then(|file| {
        // First what was read is made sure of, then the skip may say that it was synced.
        file.truncate(active.end)?;
        file.write_at(known, active.uncertain.0)?;
        file.sync_data()?;
        file.write_at(&bytes, active.end)?;
        file.sync_data()
    });
    settled.map_err(|error| JournalError::io("write", &name, error))?;
    HighWater::open(disk, found.manifest.journal, &found.high_water)
        .and_then(|mut mark| mark.write(above).map_err(Trouble::into_error))
        .map_err(|error| JournalError::io("write", highwater::FILE, error))?;
    Ok((vec![(name, copy)], Some(lost)))
}
