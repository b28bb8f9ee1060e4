//! The way back from a tenant's snapshots: the newest that is good.

use super::StoreError;
use super::data_dir::DataDir;
use super::format::TenantUid;
use super::manifest::Entry;
use super::snapshot::{self, Header, Loaded};

/// A tenant as its newest good snapshot has it.
#[derive(Debug)]
pub struct Restored {
    /// What the snapshot held.
    pub loaded: Loaded,
    /// Which snapshot it was. Replay continues behind its place in the journal.
    pub used: Entry,
    /// What is wrong with each newer one; to be logged, and taken off the list
    /// ([`without_newer`](super::manifest::Manifest::without_newer)).
    pub damaged: Vec<StoreError>,
}

/// Loads the newest good snapshot of a tenant, of `entries` with the newest first.
///
/// A snapshot of a newer format is refused and not passed over: it is not damaged, and what a
/// newer build wrote since would be lost.
///
/// # Errors
/// [`StoreError::Damaged`] with what is wrong with each when none is good, [`StoreError::Newer`]
/// when the newest readable one is of a newer build.
pub fn load_newest(
    dir: &DataDir,
    uid: TenantUid,
    entries: &[Entry],
    threads: usize,
) -> Result<Restored, StoreError> {
    let mut damaged = Vec::new();
    for entry in entries {
        match load(dir, uid, entry, threads) {
            Ok(loaded) => return Ok(Restored { loaded, used: entry.clone(), damaged }),
            Err(error @ (StoreError::Damaged { .. } | StoreError::Io { .. })) => {
                damaged.push(error);
            }
            Err(error @ (StoreError::Newer { .. } | StoreError::Locked(_))) => return Err(error),
        }
    }
    Err(none_good(dir, uid, damaged))
}

/// Loads a snapshot and checks that it is the one the list means.
fn load(
    dir: &DataDir,
    uid: TenantUid,
    entry: &Entry,
    threads: usize,
) -> Result<Loaded, StoreError> {
    let path = dir.snapshots().join(&entry.file);
    let damaged = |reason: String| StoreError::Damaged { path: path.clone(), offset: 0, reason };
    let bytes = match std::fs::metadata(&path) {
        Ok(metadata) => metadata.len(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(damaged(
                "it is missing, although the list of snapshots names it".to_owned(),
            ));
        }
        Err(error) => return Err(StoreError::io(&path, "look at", error)),
    };
    let loaded = snapshot::read(&path, threads)?;
    let Header { uid: whose, version, lsn, created } = loaded.header;
    let is_meant = (whose, version, created, bytes)
        == (uid, entry.version, entry.created, entry.bytes)
        && lsn <= entry.lsn
        && u64::try_from(loaded.documents.len()) == Ok(entry.users);
    if is_meant {
        return Ok(loaded);
    }
    let wanted = format!("tenant {uid} version {} with {} users", entry.version, entry.users);
    let found = format!("tenant {whose} version {version} with {} users", loaded.documents.len());
    Err(damaged(format!(
        "it is another snapshot than the list names: wanted {wanted}, found {found}"
    )))
}

/// One error for all of them: about the newest, and telling of the older ones.
fn none_good(dir: &DataDir, uid: TenantUid, damaged: Vec<StoreError>) -> StoreError {
    let mut damaged = damaged.into_iter();
    let (path, offset, mut reason) = match damaged.next() {
        Some(StoreError::Damaged { path, offset, reason }) => (path, offset, reason),
        Some(other) => (dir.snapshots(), 0, other.to_string()),
        None => (dir.manifest(), 0, format!("it names no snapshot of tenant {uid}")),
    };
    for error in damaged {
        reason.push_str("; and ");
        reason.push_str(&error.to_string());
    }
    StoreError::Damaged { path, offset, reason }
}

#[cfg(test)]
mod tests;
