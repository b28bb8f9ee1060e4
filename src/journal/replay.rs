//! Reading whole segments, each frame checked against the one before.

use std::ops::ControlFlow;

use super::Lsn;
use super::disk::Disk;
use super::error::JournalError;
use super::frame::Kind;
use super::manifest::{Closed, Manifest};
use super::recover::{check_header, read, to_u64};
use super::scan::Walk;
use super::segment;

/// Is shown a record; says whether it wants the next one.
pub(super) type Visit<'a> = &'a mut dyn FnMut(Lsn, &[u8]) -> ControlFlow<()>;

/// Shows the records of a segment that is complete.
pub(super) fn closed(
    disk: &dyn Disk,
    manifest: &Manifest,
    closed: &Closed,
    visit: Visit<'_>,
) -> Result<ControlFlow<()>, JournalError> {
    let name = segment::file_name(closed.base);
    let bytes = read(disk, &name)?;
    let (header, link) = check_header(&name, &bytes, manifest, closed.base, None)?;
    let mut walk = Walk::new(&bytes, &header, link);
    while walk.next_lsn() <= closed.last {
        if step(&name, &mut walk, visit)?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
    }
    if walk.link() != closed.crc || to_u64(walk.offset()) != closed.end {
        let reason = "its last record is not the one the manifest names";
        return Err(JournalError::damaged(&name, to_u64(walk.offset()), reason));
    }
    Ok(ControlFlow::Continue(()))
}

/// Shows the records up to `durable` of the segment that is written to.
pub(super) fn active(
    disk: &dyn Disk,
    manifest: &Manifest,
    durable: Lsn,
    visit: Visit<'_>,
) -> Result<(), JournalError> {
    if durable < manifest.active {
        return Ok(());
    }
    let name = segment::file_name(manifest.active);
    let bytes = read(disk, &name)?;
    let (header, link) = check_header(&name, &bytes, manifest, manifest.active, None)?;
    let mut walk = Walk::new(&bytes, &header, link);
    while walk.next_lsn() <= durable {
        if step(&name, &mut walk, visit)?.is_break() {
            break;
        }
    }
    Ok(())
}

/// Takes the next frame and shows it if it is somebody's record.
fn step(
    name: &str,
    walk: &mut Walk<'_>,
    visit: Visit<'_>,
) -> Result<ControlFlow<()>, JournalError> {
    let offset = to_u64(walk.offset());
    let frame =
        walk.step().map_err(|flaw| JournalError::damaged(name, offset, flaw.to_string()))?;
    match frame.kind {
        Kind::Record => Ok(visit(frame.lsn, frame.payload)),
        Kind::Skip => Ok(ControlFlow::Continue(())),
    }
}
