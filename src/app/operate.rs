//! The operations of a running server that touch files or settings.

use super::keys::KeyStore;
use super::{clock, logging, open};
use crate::config::{self, Loaded};
use crate::domain::diff::Difference;
use crate::http::operate::{Operating, OperationFailed, Operations, Reloaded};
use crate::http::services::Services;
use crate::journal::{self, JournalError};
use crate::store::data_dir::DataDir;
use crate::tenant::{
    DueSnapshot, ListDue, Shelf, SnapshotReport, SnapshotSettings, Snapshots, TakeSnapshots,
};
use actix::Addr;
use actix_web::web;
use std::error::Error;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// Reads the settings again from where they came from.
pub type Reload = dyn Fn() -> Result<Loaded, config::Errors> + Send + Sync;

/// The operations of this process.
pub struct Operator {
    services: web::Data<Services>,
    snapshots: Option<Addr<Snapshots>>,
    shelf: Option<Arc<Shelf>>,
    dir: Arc<DataDir>,
    keys: Arc<Mutex<KeyStore>>,
    loaded: Arc<Mutex<Loaded>>,
    reload: Arc<Reload>,
}

impl std::fmt::Debug for Operator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operator").finish_non_exhaustive()
    }
}

impl Operator {
    /// The operations over these parts.
    pub fn new(
        services: web::Data<Services>,
        snapshots: Option<Addr<Snapshots>>,
        (dir, keys): (Arc<DataDir>, KeyStore),
        loaded: Arc<Mutex<Loaded>>,
        reload: Arc<Reload>,
    ) -> Self {
        let state = services.dashboard.snapshots.clone();
        let shelf = snapshots.is_some().then(|| Arc::new(Shelf::new(dir.clone(), state)));
        Self { services, snapshots, shelf, dir, keys: Arc::new(Mutex::new(keys)), loaded, reload }
    }
}

fn in_words(error: impl Error + 'static) -> OperationFailed {
    let is_disk_full = is_disk_full(&error);
    let is_disk_failed = !is_disk_full && is_of_the_disk(&error);
    OperationFailed { is_disk_full, is_disk_failed, reason: error.to_string() }
}

/// Whether the system's refusal of a file, or a journal that failed, is somewhere below this error.
fn is_of_the_disk(error: &(dyn Error + 'static)) -> bool {
    let mut below = Some(error);
    while let Some(error) = below {
        let journal = error.downcast_ref::<JournalError>();
        let is_poisoned = journal.is_some_and(|error| matches!(error, JournalError::Poisoned));
        if is_poisoned || error.is::<io::Error>() {
            return true;
        }
        below = error.source();
    }
    false
}

/// Whether the disk, or what may be used of it, is full, somewhere below this error.
fn is_disk_full(error: &(dyn Error + 'static)) -> bool {
    let mut below = Some(error);
    while let Some(error) = below {
        let system = error.downcast_ref::<io::Error>();
        let journal = error.downcast_ref::<JournalError>();
        if system.is_some_and(journal::is_full) || journal.is_some_and(JournalError::is_full) {
            return true;
        }
        below = error.source();
    }
    false
}

fn no_snapshots() -> OperationFailed {
    let reason = "data is kept in memory only: there are no snapshots".to_owned();
    OperationFailed { reason, is_disk_full: false, is_disk_failed: false }
}

/// What a reload changes, or would.
fn compared(running: &Loaded, wanted: &Loaded) -> Reloaded {
    let config::Changes { applied, restart_required } = config::diff(running, wanted);
    let text = |loaded, path: &str| config::shown(loaded, path).map(|value| value.to_string());
    let change = |path: &String| Difference {
        path: path.clone(),
        old: text(running, path),
        new: text(wanted, path),
    };
    Reloaded { changes: applied.iter().map(change).collect(), applied, restart_required }
}

/// The pace of snapshots, as settings say.
pub fn snapshot_settings(settings: &config::Settings) -> SnapshotSettings {
    SnapshotSettings {
        interval: settings.snapshot.interval,
        max_changes: settings.snapshot.max_changes,
        bytes_per_second: settings.snapshot.bytes_per_second,
        journal_max_bytes: settings.journal.max_bytes,
    }
}

impl Operations for Operator {
    fn rotate_keys(&self) -> Operating<()> {
        let (keys, services) = (self.keys.clone(), self.services.clone());
        Box::pin(async move {
            let rotated = web::block(move || {
                let mut store = keys.lock().unwrap_or_else(PoisonError::into_inner);
                store.rotate(clock::now().seconds()).cloned().map_err(in_words)
            });
            services.set_keys(rotated.await.map_err(in_words)??);
            Ok(())
        })
    }

    fn take_snapshots(&self) -> Operating<Vec<SnapshotReport>> {
        let snapshots = self.snapshots.clone();
        Box::pin(async move {
            snapshots
                .ok_or_else(no_snapshots)?
                .send(TakeSnapshots { is_urgent: false })
                .await
                .map_err(in_words)?
                .map_err(in_words)
        })
    }

    fn due_snapshots(&self) -> Operating<Vec<DueSnapshot>> {
        let snapshots = self.snapshots.clone();
        Box::pin(async move {
            let snapshots = snapshots.ok_or_else(no_snapshots)?;
            snapshots.send(ListDue).await.map_err(in_words)?.map_err(in_words)
        })
    }

    fn shelf(&self) -> Option<Arc<Shelf>> {
        self.shelf.clone()
    }

    fn copies(&self) -> Operating<Vec<String>> {
        let dir = self.dir.clone();
        Box::pin(async move {
            web::block(move || dir.copies()).await.map_err(in_words)?.map_err(in_words)
        })
    }

    fn reload(&self, is_rehearsed: bool) -> Operating<Reloaded> {
        let (services, snapshots) = (self.services.clone(), self.snapshots.clone());
        let (running, reload) = (self.loaded.clone(), self.reload.clone());
        Box::pin(async move {
            let wanted = web::block(move || reload()).await.map_err(in_words)?.map_err(in_words)?;
            let (reloaded, next) = {
                let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
                let reloaded = compared(&running, &wanted);
                if is_rehearsed {
                    return Ok(reloaded);
                }
                *running = config::merge_live(&running, &wanted);
                (reloaded, running.settings.clone())
            };
            let settings = Arc::new(next);
            logging::set_level(settings.log.level);
            services.set_settings(settings.clone());
            services.directory.set_rules_of(open::rules_of(settings.clone()));
            services.directory.set_max_tenants(settings.limits.tenants);
            for tenant in services.directory.tenants() {
                if let Some(definition) = services.directory.definition(tenant.id()) {
                    let rules = Arc::new(open::rules(&settings, &definition));
                    tenant.set_rules(rules).await.map_err(in_words)?;
                }
            }
            if let Some(snapshots) = snapshots {
                snapshots.send(snapshot_settings(&settings)).await.map_err(in_words)?;
            }
            log::info!(applied = reloaded.applied.len(), restart_required = reloaded.restart_required.len(); "settings read again");
            Ok(reloaded)
        })
    }
}
