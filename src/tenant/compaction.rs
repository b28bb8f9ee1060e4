//! Ridding every file of what was erased: the journal, the snapshots, the history.
//!
//! A tenant's marks ([`erasure`]) say that something is left to do; they go last, so that whatever
//! stops this, it is begun again. The journal is cut behind the marks, which takes two snapshots
//! of every tenant that are younger: the older one must not be needed either.

use super::directory::{by_server, server_provenance};
use super::handle::TenantHandle;
use super::snapshots::{Shared, SnapshotError, dump_anew, remove};
use crate::domain::command::Command;
use crate::domain::erasure;
use crate::domain::resource::{Resource, ResourceKind};
use crate::domain::time::Version;
use crate::journal::Lsn;
use crate::store::format::TenantUid;
use crate::store::history::aside;
use crate::store::manifest::{KEPT, Manifest};
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::sync::Arc;

/// Snapshots taken of one tenant before it is given up for this round: it changes only while one
/// is written, and two are needed.
const ATTEMPTS: usize = 4;

/// The marks of a tenant.
pub(super) fn marks(tenant: &TenantHandle) -> Vec<Arc<Resource>> {
    tenant.published().resources_with(ResourceKind::Settings, erasure::PREFIX)
}

/// Compacts everything if somebody was erased, and removes their marks.
pub(super) async fn compact(
    shared: &Arc<Shared>,
    manifest: &mut Manifest,
) -> Result<(), SnapshotError> {
    if shared.directory.kept().iter().all(|tenant| marks(tenant).is_empty()) {
        return Ok(());
    }
    let journal = shared.journal.clone();
    let sealed = tokio::task::spawn_blocking(move || journal.seal());
    let sealed = sealed.await.map_err(|_| SnapshotError::Thread)??;
    // In this order: a tenant that is not among these writes behind the seal.
    let tenants = shared.directory.kept();
    let pending: Vec<_> = tenants.iter().map(|tenant| (tenant, marks(tenant))).collect();
    let erased: BTreeMap<TenantUid, Version> = pending
        .iter()
        .filter_map(|(tenant, marks)| {
            Some((tenant.uid(), marks.iter().map(|mark| mark.version).max()?))
        })
        .collect();
    shred_history(shared, sealed).await?;
    for tenant in &tenants {
        let since = erased.get(&tenant.uid()).copied().unwrap_or_default();
        renew(shared, manifest, tenant, since, sealed).await?;
    }
    manifest.store(&shared.dir)?;
    remove(shared, &manifest.leftovers(&shared.dir)?);
    if shared.fixed_lsn.is_none() {
        // A tenant made meanwhile needs all of it; then it is done in the next round.
        let living = shared.directory.kept();
        let upto = Lsn::new(manifest.replay_from(living.iter().map(TenantHandle::uid)));
        shared.journal.purge(sealed.min(upto))?;
        if shared.journal.stats().oldest <= sealed {
            return Err(SnapshotError::NotCompacted);
        }
    }
    tell_of_copies(shared)?;
    for (tenant, marks) in pending {
        for mark in &marks {
            let (kind, id) = (mark.kind, mark.id.clone());
            let done = by_server(Command::DeleteResource { kind, id });
            tenant.write(done, server_provenance(), (shared.clock)()).await?;
            log::info!(tenant = tenant.id(), version:% = mark.version; "what was erased is gone from every file");
        }
    }
    Ok(())
}

/// Makes both snapshots of a tenant younger than what was erased, and the journal up to `sealed`
/// needless for it.
async fn renew(
    shared: &Arc<Shared>,
    manifest: &mut Manifest,
    tenant: &TenantHandle,
    since: Version,
    sealed: Lsn,
) -> Result<(), SnapshotError> {
    let uid = tenant.uid();
    for _ in 0..ATTEMPTS {
        let lsn = shared.lsn();
        let version = tenant.view().await?.version;
        *manifest = manifest.with_unchanged(uid, version, lsn);
        let entries = manifest.of(uid);
        let is_young = entries.len() == KEPT
            && entries.iter().all(|entry| {
                entry.version >= since && (shared.fixed_lsn.is_some() || entry.lsn >= sealed.get())
            });
        if is_young {
            return Ok(());
        }
        dump_anew(shared, manifest, tenant).await?;
    }
    Err(SnapshotError::NotCompacted)
}

/// Rewrites the history; where none is kept, what an earlier one left goes.
async fn shred_history(shared: &Shared, upto: Lsn) -> Result<(), SnapshotError> {
    if let Some(history) = &shared.history {
        return Ok(history.shred(upto).await?);
    }
    for folder in [shared.dir.history(), aside(&shared.dir.history())] {
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(crate::store::StoreError::io(&folder, "remove", error).into());
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// What a repair kept beside is the operator's: they are told that it may hold what was erased.
fn tell_of_copies(shared: &Shared) -> Result<(), SnapshotError> {
    for file in shared.dir.copies()? {
        let path = shared.dir.root().join(file);
        log::warn!(file:% = path.display(); "a copy that a repair kept may hold what was erased: remove it");
    }
    Ok(())
}
