//! The history beside the tenants: a follower of the journal, and the way to read what it keeps.
//!
//! One thread reads every synced record from the journal itself and puts it into the
//! [`Store`]; there is no queue, and a restart and going along are the same path. Nothing waits
//! for it but readers of the past, for a bounded time. Whatever happens to it, it is told and
//! nothing else is harmed: a history that cannot be read is put aside and built anew.

mod build;
mod follow;
mod heal;
mod look;
mod person;
#[cfg(test)]
mod tests;
mod whole;

use super::priority;
use crate::domain::history::Keep;
use crate::domain::time::{Timestamp, Version};
use crate::journal::{Journal, Lsn};
use crate::store::data_dir::DataDir;
use crate::store::format::TenantUid;
use crate::store::history::{HistoryError, Store, aside, condemn};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{Notify, watch};

pub use look::{AsOf, Entry, Look, Page, Point, Span, Touch};
pub use person::Traces;
pub use whole::{Effect, Since, Touched, Unknown};

/// How long a reader of the past waits for the follower.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long the erasing of somebody waits for the follower.
const SHRED_PATIENCE: Duration = Duration::from_secs(30);

/// How many may follow one tenant's changes at once.
const STREAMS_PER_TENANT: usize = 32;

/// How the follower is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryHealth {
    /// It goes along.
    Following,
    /// It is being built from snapshots and the journal.
    Building,
    /// It failed; it is built anew or gone on with at the next start.
    Failed,
}

/// Why the past cannot be told at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// The follower did not come along in time.
    #[error("the history is not up to date yet, try again in a moment")]
    Behind,
    /// It failed.
    #[error(
        "the history failed and is not available: after a full disk it goes on by itself when there is space, else at the next start"
    )]
    Failed,
}

/// Where records come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A journal that is there after a restart.
    Lasting,
    /// A journal in memory, which begins anew with each start and is kept for the follower alone.
    Passing,
}

/// Says how much of a tenant's past is kept.
pub type KeepOf = dyn Fn(TenantUid) -> Keep + Send + Sync;

/// What the history works on.
pub struct HistoryParts {
    /// Its folder.
    pub folder: PathBuf,
    /// Where snapshots lie, to build it from.
    pub dir: Arc<DataDir>,
    /// The journal it follows.
    pub journal: Arc<dyn Journal>,
    /// What kind of journal that is.
    pub source: Source,
    /// The tenants there are, and the version each has.
    pub living: Vec<(TenantUid, Version)>,
    /// The limits of each tenant, at any moment.
    pub keep: Box<KeepOf>,
    /// Tells the time.
    pub clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
}

impl std::fmt::Debug for HistoryParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HistoryParts").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// The history of all tenants, going along.
#[derive(Debug)]
pub struct History {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    folder: PathBuf,
    /// None while it is closed.
    store: RwLock<Option<Store>>,
    failure: Mutex<heal::Failure>,
    /// The place up to which it was last synced.
    persisted: AtomicU64,
    journal: Arc<dyn Journal>,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    keep: Box<KeepOf>,
    place: watch::Sender<Lsn>,
    has_failed: AtomicBool,
    is_building: AtomicBool,
    is_stopping: AtomicBool,
    /// Somebody waits: the follower need not gather more.
    hurry: Notify,
    streams: Mutex<HashMap<TenantUid, usize>>,
}

/// A place among those who follow a tenant's changes; free again when it is dropped.
#[derive(Debug)]
pub struct StreamSlot {
    shared: Arc<Shared>,
    uid: TenantUid,
}

impl Drop for StreamSlot {
    fn drop(&mut self) {
        let mut open = self.shared.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = open.get_mut(&self.uid) {
            *own -= 1;
            if *own == 0 {
                open.remove(&self.uid);
            }
        }
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("place", &*self.place.borrow()).finish_non_exhaustive()
    }
}

impl Shared {
    fn store(&self) -> Result<Store, HistoryError> {
        let store = self.store.read().unwrap_or_else(PoisonError::into_inner);
        store.clone().ok_or(HistoryError::Closed)
    }

    /// A history that is damaged must not be gone on with at the next start.
    fn fail_of(&self, error: &HistoryError) {
        self.note_failure(error);
        self.fail(error);
        if error.is_damage()
            && let Err(error) = condemn(&self.folder)
        {
            log::warn!(error:% = error; "the history cannot be marked as damaged");
        }
    }

    fn fail(&self, error: &dyn std::fmt::Display) {
        if !self.has_failed.swap(true, Ordering::AcqRel) {
            log::error!(error:% = error; "the history failed and is not told for now; nothing else is harmed");
        }
    }
}

impl History {
    /// Opens the history, or begins one, and follows the journal from where it stopped.
    ///
    /// What cannot be used is put aside and built anew; that is logged.
    ///
    /// # Errors
    /// When not even an empty one can be made, or no thread started.
    pub fn start(parts: HistoryParts) -> Result<Self, HistoryError> {
        // The store's own threads give way as the one does that starts them.
        let opened = std::thread::scope(|scope| {
            let opening = scope.spawn(|| {
                priority::give_way(priority::LOW);
                build::open(&parts)
            });
            opening.join()
        });
        let (store, begin) = opened.map_err(|_| HistoryError::Panicked)??;
        let folder = parts.folder.clone();
        let shared = Arc::new(Shared {
            folder: parts.folder,
            store: RwLock::new(Some(store)),
            failure: Mutex::default(),
            persisted: AtomicU64::new(match begin {
                build::Begin::Behind(place) => place.get(),
                build::Begin::FromSnapshots => 0,
            }),
            journal: parts.journal.clone(),
            clock: parts.clock,
            keep: parts.keep,
            place: watch::Sender::new(Lsn::ZERO),
            has_failed: AtomicBool::new(false),
            is_building: AtomicBool::new(begin.is_building()),
            is_stopping: AtomicBool::new(false),
            hurry: Notify::new(),
            streams: Mutex::default(),
        });
        let follower =
            follow::Follower::new(shared.clone(), parts.dir, parts.source, parts.living, begin);
        let thread = std::thread::Builder::new()
            .name("history".to_owned())
            .spawn(move || {
                priority::give_way(priority::LOW);
                follower.run();
            })
            .map_err(|source| HistoryError::Io { path: folder, source })?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// How it is.
    pub fn health(&self) -> HistoryHealth {
        if self.shared.has_failed.load(Ordering::Acquire) {
            HistoryHealth::Failed
        } else if self.shared.is_building.load(Ordering::Acquire) {
            HistoryHealth::Building
        } else {
            HistoryHealth::Following
        }
    }

    /// Bytes it takes on disk.
    pub fn size_bytes(&self) -> u64 {
        self.shared.store().map_or(0, |store| store.size_bytes())
    }

    /// How far the follower is; every step wakes the watchers.
    pub fn place(&self) -> watch::Receiver<Lsn> {
        self.shared.place.subscribe()
    }

    /// Waits until everything durable at the moment of the call is in the history, and gives a
    /// look at a tenant's past. Looking reads the disk.
    ///
    /// # Errors
    /// [`Unavailable`] when the follower failed or does not come along in time.
    pub async fn look(&self, uid: TenantUid) -> Result<Look, Unavailable> {
        let (target, synced) = {
            let progress = self.shared.journal.progress();
            let progress = progress.borrow();
            (progress.durable, progress.synced)
        };
        if synced < target {
            // The follower goes no further than what is synced, and that may be a while.
            let journal = self.shared.journal.clone();
            drop(tokio::task::spawn_blocking(move || journal.flush()));
        }
        let mut place = self.shared.place.subscribe();
        if self.shared.has_failed.load(Ordering::Acquire) {
            return Err(Unavailable::Failed);
        }
        if *place.borrow() < target {
            self.shared.hurry.notify_one();
            let come = place.wait_for(|place| *place >= target);
            match tokio::time::timeout(PATIENCE, come).await {
                Ok(Ok(_)) => {}
                Ok(Err(_)) | Err(_) => return Err(Unavailable::Behind),
            }
        }
        self.glance(uid)
    }

    /// A look at what is in the history at this moment, up to date or not.
    ///
    /// # Errors
    /// [`Unavailable::Failed`].
    pub fn glance(&self, uid: TenantUid) -> Result<Look, Unavailable> {
        if self.shared.has_failed.load(Ordering::Acquire) {
            return Err(Unavailable::Failed);
        }
        let store = self.shared.store().map_err(|_| Unavailable::Failed)?;
        let keep = (self.shared.keep)(uid);
        Ok(Look { store, uid, keep, now: (self.shared.clock)() })
    }

    /// Takes one of the places for those who follow a tenant's changes; none when all are taken.
    pub fn stream(&self, uid: TenantUid) -> Option<StreamSlot> {
        let mut open = self.shared.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let own = open.entry(uid).or_default();
        if *own >= STREAMS_PER_TENANT {
            return None;
        }
        *own += 1;
        Some(StreamSlot { shared: self.shared.clone(), uid })
    }

    /// Takes note that looking at it failed.
    pub fn report(&self, error: &HistoryError) {
        self.shared.fail_of(error);
    }

    /// Makes what is in it survive a power cut, and says up to where the journal may let go;
    /// `None` when it failed and needs nothing of the journal any more.
    pub fn persisted(&self) -> Option<Lsn> {
        if self.shared.has_failed.load(Ordering::Acquire) {
            return self.shared.held();
        }
        // In this order: what is at or before this place has been put in.
        let place = *self.shared.place.borrow();
        match self.shared.store().and_then(|store| store.persist()) {
            Ok(()) => {
                self.shared.persisted.store(place.get(), Ordering::Release);
                Some(place)
            }
            Err(error) => {
                self.shared.fail_of(&error);
                self.shared.held()
            }
        }
    }

    /// Waits until everything up to a place of the journal is in the history, and makes what was
    /// removed from it unreadable on disk, in this folder and in what was put aside. A history that
    /// failed is removed whole: it is built anew.
    ///
    /// # Errors
    /// When the follower does not come along in time, or a file cannot be rewritten.
    pub async fn shred(self: &Arc<Self>, upto: Lsn) -> Result<(), HistoryError> {
        let mut place = self.shared.place.subscribe();
        self.shared.hurry.notify_one();
        if self.shared.has_failed.load(Ordering::Acquire) {
            // It is told no more, and must not be gone on with: it does not know of the erasure.
            condemn(&self.shared.folder).map_err(|source| self.io(source))?;
            return Err(HistoryError::NotShredded);
        }
        let come = place.wait_for(|place| *place >= upto);
        if !matches!(tokio::time::timeout(SHRED_PATIENCE, come).await, Ok(Ok(_))) {
            return Err(HistoryError::NotShredded);
        }
        let own = self.clone();
        let shredding = tokio::task::spawn_blocking(move || {
            own.shared.store()?.shred()?;
            let aside = aside(&own.shared.folder);
            match std::fs::remove_dir_all(&aside) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    Err(HistoryError::Io { path: aside, source })
                }
                Ok(()) | Err(_) => Ok(()),
            }
        });
        shredding.await.unwrap_or(Err(HistoryError::Panicked))
    }

    fn io(&self, source: std::io::Error) -> HistoryError {
        HistoryError::Io { path: self.shared.folder.clone(), source }
    }

    /// Takes what is durable by now, makes it last, and ends the follower.
    pub fn stop(&self) {
        self.shared.is_stopping.store(true, Ordering::Release);
        self.shared.hurry.notify_one();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // If it panicked it has told everybody already.
            drop(thread.join());
        }
    }
}

impl Drop for History {
    fn drop(&mut self) {
        self.stop();
    }
}
