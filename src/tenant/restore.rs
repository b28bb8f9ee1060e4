//! The way back: snapshots, then the journal on top of them.

use super::catalog::Catalog;
use crate::domain::resource::ResourceKind;
use crate::domain::time::Version;
use crate::journal::{Journal, JournalError, Lsn};
use crate::store::data_dir::DataDir;
use crate::store::format::{self, FormatError, TenantUid};
use crate::store::manifest::Manifest;
use crate::store::restore::load_newest;
use crate::store::{StoreError, snapshot};
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

/// Why the state cannot be restored in full. Nothing on disk was changed.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Snapshots.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A record that is whole, but not what this build writes.
    #[error("the journal record at {lsn} cannot be read: {error}; run `dossier check`")]
    Record {
        /// Its place.
        lsn: Lsn,
        /// What is wrong.
        error: FormatError,
    },
    /// Changes of a tenant are missing between two others.
    #[error(
        "tenant {uid} has version {have} and the next change in the journal, at {lsn}, is version {next}: \
         the changes between them are missing; put the missing files back or restore a backup"
    )]
    Hole {
        /// Whose.
        uid: TenantUid,
        /// The version restored so far.
        have: Version,
        /// The version found.
        next: Version,
        /// Where.
        lsn: Lsn,
    },
    /// The journal ends before a snapshot.
    #[error(
        "the journal ends at {last}, but a snapshot was taken at {snapshot}: \
         the end of the journal is missing; put the missing files back or restore a backup"
    )]
    Short {
        /// Its last record.
        last: Lsn,
        /// What a snapshot knows of.
        snapshot: u64,
    },
    /// The journal begins behind the snapshot of a tenant.
    #[error(
        "the snapshot of tenant {uid} is from {snapshot}, but the journal begins at {oldest}: \
         what lies between is missing; put the missing files back or restore a backup"
    )]
    Late {
        /// Whose.
        uid: TenantUid,
        /// Where replay would have to continue.
        snapshot: u64,
        /// What the journal still has.
        oldest: Lsn,
    },
}

/// What was restored.
#[derive(Debug, Default)]
pub struct RestoreReport {
    /// Tenants.
    pub tenants: usize,
    /// Users of all of them.
    pub users: usize,
    /// Users that came out of snapshots.
    pub from_snapshots: usize,
    /// Changes replayed from the journal.
    pub replayed: u64,
    /// What is worth a warning.
    pub warnings: Vec<String>,
}

/// Everything restored.
#[derive(Debug)]
pub struct Restored {
    /// The state of each tenant.
    pub states: HashMap<TenantUid, Catalog>,
    /// The snapshots that count from now on.
    pub manifest: Manifest,
    /// What to tell the operator.
    pub report: RestoreReport,
}

/// The file in which a repair leaves the place up to which changes may be missing.
pub fn repaired_file(dir: &DataDir) -> std::path::PathBuf {
    dir.root().join("REPAIRED")
}

/// The place up to which an operator, by a repair, has accepted that changes are missing.
pub fn accepted(dir: &DataDir) -> Lsn {
    let text = std::fs::read_to_string(repaired_file(dir)).unwrap_or_default();
    Lsn::new(text.trim().parse().unwrap_or(0))
}

/// Restores every tenant: its newest good snapshot, then each later change of the journal.
///
/// # Errors
/// [`RestoreError`] when anything acknowledged would be missing.
pub fn restore(
    dir: &DataDir,
    journal: &dyn Journal,
    threads: usize,
) -> Result<Restored, RestoreError> {
    let mut manifest = Manifest::load(dir)?.unwrap_or_default();
    let mut report = RestoreReport::default();
    let mut states = HashMap::new();
    let mut covered = BTreeMap::new();
    for uid in manifest.tenants.keys().copied().collect::<Vec<_>>() {
        let restored = load_newest(dir, uid, manifest.of(uid), threads)?;
        for damaged in &restored.damaged {
            report.warnings.push(format!(
                "{damaged}; the snapshot before it and the journal were used instead"
            ));
        }
        if !restored.damaged.is_empty() {
            (manifest, _) = manifest.without_newer(uid, &restored.used);
        }
        covered.insert(uid, restored.used.lsn);
        report.from_snapshots += restored.loaded.documents.len();
        states.insert(uid, catalog_of(restored.loaded, restored.used.lsn, threads));
    }
    let stats = journal.stats();
    let accepted = accepted(dir);
    if stats.last.get() < manifest.newest_lsn() && manifest.newest_lsn() > accepted.get() {
        return Err(RestoreError::Short { last: stats.last, snapshot: manifest.newest_lsn() });
    }
    let replayed = replay(journal, stats.oldest, accepted, &mut states, &mut report)?;
    let living = living(&states);
    for uid in &living {
        if let Some(hole) = replayed.holes.get(uid) {
            return Err(RestoreError::Hole {
                uid: *uid,
                have: hole.have,
                next: hole.next,
                lsn: hole.lsn,
            });
        }
        // A tenant made within the journal has all its changes there, behind its making.
        if replayed.holds_making_of(*uid) {
            continue;
        }
        let snapshot = covered.get(uid).copied().unwrap_or(0);
        if stats.oldest.previous().get() > snapshot && stats.oldest.previous() > accepted {
            return Err(RestoreError::Late { uid: *uid, snapshot, oldest: stats.oldest });
        }
    }
    states.retain(|uid, _| living.contains(uid));
    report.tenants = living.len();
    report.users = states.values().map(|state| state.published().user_count()).sum();
    Ok(Restored { states, manifest, report })
}

fn catalog_of(loaded: snapshot::Loaded, lsn: u64, threads: usize) -> Catalog {
    let snapshot::Loaded { header, documents, clients, resources } = loaded;
    Catalog::restored(header.version, Lsn::new(lsn), documents, clients, resources, threads)
}

/// Changes missing before a record.
struct Hole {
    have: Version,
    next: Version,
    lsn: Lsn,
}

/// What was seen in the journal.
#[derive(Default)]
struct Replayed {
    /// Tenants with changes missing before a record.
    holes: HashMap<TenantUid, Hole>,
    /// The first change of the default tenant that the journal still has.
    first_of_default: Option<Version>,
}

impl Replayed {
    /// Whether the change of the default tenant that made this tenant is in the journal.
    fn holds_making_of(&self, uid: TenantUid) -> bool {
        uid != TenantUid::DEFAULT && self.first_of_default.is_some_and(|first| uid.0 >= first.get())
    }
}

/// Applies every change of the journal that a state does not have yet.
///
/// A tenant that was deleted may have holes: what it was is gone, and so may be its records.
fn replay(
    journal: &dyn Journal,
    oldest: Lsn,
    accepted: Lsn,
    states: &mut HashMap<TenantUid, Catalog>,
    report: &mut RestoreReport,
) -> Result<Replayed, RestoreError> {
    let mut replayed = Replayed::default();
    let mut failed = None;
    journal.replay(oldest.previous(), &mut |lsn, bytes| {
        let fail = |error| RestoreError::Record { lsn, error };
        let step = format::peek_change(bytes).map_err(fail).and_then(|(uid, next)| {
            if uid == TenantUid::DEFAULT {
                replayed.first_of_default.get_or_insert(next);
            }
            let state = states.entry(uid).or_default();
            let have = state.published().version();
            if next <= have || replayed.holes.contains_key(&uid) {
                return Ok(());
            }
            if next != have.next() && lsn <= accepted {
                report.warnings.push(format!(
                    "changes {} to {} of tenant {uid} are missing since a repair",
                    have.next(),
                    next.get() - 1
                ));
            } else if next != have.next() {
                replayed.holes.insert(uid, Hole { have, next, lsn });
                return Ok(());
            }
            let (_, change) = format::decode_change(bytes).map_err(fail)?;
            state.apply(lsn, &change);
            report.replayed += 1;
            Ok(())
        });
        match step {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    match failed {
        Some(error) => Err(error),
        None => Ok(replayed),
    }
}

/// The default tenant and those it knows of.
fn living(states: &HashMap<TenantUid, Catalog>) -> Vec<TenantUid> {
    let known = states
        .get(&TenantUid::DEFAULT)
        .map(|state| state.published().resources(ResourceKind::Tenant));
    let others = known
        .unwrap_or_default()
        .iter()
        .map(|resource| super::directory::uid_of(resource))
        .collect::<Vec<_>>();
    std::iter::once(TenantUid::DEFAULT).chain(others).collect()
}
