//! Going on after a full disk.
//!
//! Once a write of it failed the engine takes nothing more. If that was for lack of space nothing
//! is wrong with what it holds, and what it lacks is in the journal: so it is closed, and opened
//! again when there is space. Only after a full disk: after any other failure nobody knows what
//! the disk really holds, and the next start finds out.

use super::Shared;
use super::build::{self, Begin};
use super::follow::Follower;
use crate::journal::{self, Lsn};
use crate::store::history::{HistoryError, Store};
use std::io::Write;
use std::path::Path;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How often it looks whether there is space.
const LOOK: Duration = Duration::from_secs(1);

/// The space that has to be there, in bytes: enough to begin with, so that it does not fail again
/// at once.
const SPACE_BYTES: usize = 4 << 20;

/// How long the journal is held for a history that waits for space. Then a full disk can be the
/// journal's own, and the next start builds the history anew.
const HELD: Duration = Duration::from_mins(10);

/// What there is to know of a failure.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Failure {
    is_full: bool,
    since: Option<Instant>,
}

impl Shared {
    /// Takes note of a failure; the first that tells of a full disk says what it was.
    pub(super) fn note_failure(&self, error: &HistoryError) {
        let is_full = error.is_full().unwrap_or_else(|| is_full(&self.folder));
        let mut failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.since.get_or_insert_with(Instant::now);
        failure.is_full |= is_full;
        if error.is_damage() {
            failure.is_full = false;
        }
    }

    fn waits_for_space(&self) -> bool {
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        failure.is_full && failure.since.is_some_and(|since| since.elapsed() < HELD)
    }

    /// Up to where the journal may let go while the history is not there.
    pub(super) fn held(&self) -> Option<Lsn> {
        self.waits_for_space().then(|| Lsn::new(self.persisted.load(Ordering::Acquire)))
    }
}

impl Follower {
    /// Waits for space and opens the history again; false when it stays as it is until a restart.
    pub(super) fn reopen(&mut self) -> bool {
        let shared = self.shared.clone();
        // Whoever reads in it now ends soon; until then it cannot be opened again.
        drop(shared.store.write().unwrap_or_else(PoisonError::into_inner).take());
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build()
        else {
            return false;
        };
        while shared.waits_for_space() && !shared.is_stopping.load(Ordering::Acquire) {
            runtime.block_on(async {
                tokio::select! {
                    () = shared.hurry.notified() => {}
                    () = tokio::time::sleep(LOOK) => {}
                }
            });
            if is_full(&shared.folder) {
                continue;
            }
            match Store::open(&shared.folder) {
                Ok(store) => return self.goes_on(store),
                Err(error) if error.is_damage() => {
                    shared.fail_of(&error);
                    return false;
                }
                Err(error) => log::debug!(error:% = error; "the history cannot be opened yet"),
            }
        }
        false
    }

    fn goes_on(&mut self, store: Store) -> bool {
        let shared = &self.shared;
        let begin = match store.mark() {
            Ok(Some(mark)) => build::follows(&*shared.journal, mark),
            Ok(None) => Err("nothing was in it yet"),
            Err(_) => Err("its mark cannot be read"),
        };
        let place = match begin {
            Ok(Begin::Behind(place)) => place,
            Ok(Begin::FromSnapshots) => return false,
            Err(reason) => {
                log::warn!(reason; "the history is not gone on with before a restart");
                return false;
            }
        };
        self.begin = Begin::Behind(place);
        *shared.store.write().unwrap_or_else(PoisonError::into_inner) = Some(store);
        *shared.failure.lock().unwrap_or_else(PoisonError::into_inner) = Failure::default();
        shared.has_failed.store(false, Ordering::Release);
        log::info!(lsn:% = place; "there is space again, the history goes on");
        true
    }
}

/// Whether the disk a folder is on has no space worth the name.
fn is_full(folder: &Path) -> bool {
    let probe = folder.with_extension("probe");
    let written = std::fs::File::create(&probe)
        .and_then(|mut file| file.write_all(&vec![0; SPACE_BYTES]).and_then(|()| file.sync_all()));
    let removed = std::fs::remove_file(&probe);
    written.and(removed).is_err_and(|error| journal::is_full(&error))
}
