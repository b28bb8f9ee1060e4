//! Opening the history: whether what lies there can be gone on with, or is built anew.

use super::{HistoryParts, Source};
use crate::domain::time::Version;
use crate::journal::{Journal, Lsn};
use crate::store::data_dir::DataDir;
use crate::store::format::{Block, TenantUid};
use crate::store::history::{HistoryError, Mark, Store, set_aside};
use crate::store::manifest::{Entry, Manifest};
use crate::store::snapshot;

/// Where the follower begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// Behind this place of the journal.
    Behind(Lsn),
    /// With the snapshots, then with all the journal holds.
    FromSnapshots,
}

impl Begin {
    pub(super) const fn is_building(self) -> bool {
        matches!(self, Self::FromSnapshots)
    }
}

/// Opens what is there if it can be gone on with, and an empty one otherwise.
pub(super) fn open(parts: &HistoryParts) -> Result<(Store, Begin), HistoryError> {
    let refused = match Store::open(&parts.folder) {
        Ok(store) => match begin(&store, parts) {
            Ok(Ok(begin)) => return Ok((store, begin)),
            Ok(Err(reason)) => reason.to_owned(),
            Err(error) => error.to_string(),
        },
        Err(error) => error.to_string(),
    };
    let aside = set_aside(&parts.folder)?;
    log::warn!(
        reason = refused, aside:% = aside.display();
        "the history cannot be gone on with; it was put aside and is built anew from snapshots and the journal"
    );
    Ok((Store::open(&parts.folder)?, Begin::FromSnapshots))
}

/// Where to go on, or why it cannot be gone on.
fn begin(store: &Store, parts: &HistoryParts) -> Result<Result<Begin, &'static str>, HistoryError> {
    let mark = store.mark()?;
    match (parts.source, mark) {
        (Source::Lasting | Source::Passing, None) => Ok(Ok(Begin::FromSnapshots)),
        (Source::Lasting, Some(mark)) => Ok(follows(&*parts.journal, mark)),
        (Source::Passing, Some(_)) => {
            for (uid, version) in &parts.living {
                let last = store.last_version(*uid)?.unwrap_or_default();
                if last < *version {
                    return Ok(Err("it lacks changes the snapshots have"));
                }
                store.take_back(*uid, *version)?;
            }
            Ok(Ok(Begin::Behind(Lsn::ZERO)))
        }
    }
}

/// Whether the journal goes on behind a mark, and is the one the mark was set in.
pub(super) fn follows(journal: &dyn Journal, mark: Mark) -> Result<Begin, &'static str> {
    let (place, stats) = (Lsn::new(mark.lsn), journal.stats());
    if place > stats.last {
        return Err("it is ahead of the journal");
    }
    if place.next() < stats.oldest {
        return Err("the journal has let go of what follows it");
    }
    if place >= stats.oldest && place > Lsn::ZERO {
        let mut found = None;
        let mut cursor = journal.cursor(place.previous());
        let read = cursor.read(1, &mut |lsn, bytes| {
            found.get_or_insert((lsn, crc32c::crc32c(bytes)));
        });
        if read.is_err() || found != Some((place, mark.crc)) {
            return Err("it comes from another journal");
        }
    }
    Ok(Begin::Behind(place))
}

/// Shows the snapshots of each tenant, of which version and block by block: the older one, because the journal goes on
/// behind it and so more is told; the newest where the journal does not go on.
///
/// A tenant whose snapshots cannot be read is passed over: what the journal holds of it is
/// told all the same.
pub(super) fn each_block(
    dir: &DataDir,
    source: Source,
    visit: &mut dyn FnMut(TenantUid, Version, Block),
) {
    let manifest = match Manifest::load(dir) {
        Ok(manifest) => manifest.unwrap_or_default(),
        Err(error) => {
            log::warn!(error:% = error; "the history is built without snapshots");
            return;
        }
    };
    for uid in manifest.tenants.keys().copied() {
        // While this goes on new snapshots may take the place of those.
        let now = Manifest::load(dir).ok().flatten().unwrap_or_else(|| manifest.clone());
        let mut read = |entry: &Entry| each_of(dir, uid, entry, visit);
        let is_read = match source {
            Source::Lasting => now.of(uid).iter().rev().any(&mut read),
            Source::Passing => now.of(uid).iter().any(&mut read),
        };
        if !is_read {
            log::warn!(tenant:% = uid; "the history is built without a snapshot of this tenant");
        }
    }
}

fn each_of(
    dir: &DataDir,
    uid: TenantUid,
    entry: &Entry,
    visit: &mut dyn FnMut(TenantUid, Version, Block),
) -> bool {
    let path = dir.snapshots().join(&entry.file);
    let shown = snapshot::each_block(&path, &mut |block| visit(uid, entry.version, block));
    if let Err(error) = &shown {
        log::warn!(error:% = error; "a snapshot could not be read for the history");
    }
    shown.is_ok()
}
