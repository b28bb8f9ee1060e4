//! The snapshot files there are: what each says of itself, whether its checksums hold, its bytes.
//!
//! A name leads to a file only if a snapshot can have it, so no name leads out of the folder.
//! Files come and go meanwhile: one that is open stays whole until it is closed, one that is gone
//! is told as missing. One file is verified at a time, on a thread of the lowest priority, and
//! four are read at once at most, none of them more than a piece ahead of who takes it.

use super::priority;
use super::snapshots::SnapshotState;
use crate::domain::time::Timestamp;
use crate::store::StoreError;
use crate::store::data_dir::{self, DataDir};
use crate::store::format::TenantUid;
use crate::store::manifest::{Entry, Manifest};
use crate::store::snapshot::{self, Summary};
use bytes::Bytes;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

/// Files that are read at once.
const READERS: usize = 4;

/// How much of a file is held for who reads it.
const PIECE_BYTES: u64 = 256 << 10;

/// How long a piece waits to be taken.
const STALL: Duration = Duration::from_mins(1);

/// Whether the checksums of a file held when they were looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// When.
    pub at: Timestamp,
    /// What is wrong; none if all is good.
    pub flaw: Option<String>,
}

/// What is known of the checksums of files, by their names. It is forgotten with a file and with
/// the process.
#[derive(Debug, Default)]
pub struct Checks(Mutex<BTreeMap<String, Check>>);

impl Checks {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Check>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of a file.
    pub fn of(&self, file: &str) -> Option<Check> {
        self.all().get(file).cloned()
    }

    pub(super) fn note(&self, file: &str, check: Check) {
        self.all().insert(file.to_owned(), check);
    }

    pub(super) fn forget(&self, file: &str) {
        self.all().remove(file);
    }
}

/// A snapshot file.
#[derive(Clone, Debug)]
pub struct Shelved {
    /// Its name in the folder of snapshots.
    pub file: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// Whether the list of snapshots names it: a restart begins from one that is listed.
    pub is_listed: bool,
    /// What its two ends say, or what is wrong with them.
    pub said: Result<Summary, String>,
    /// What is known of its checksums.
    pub check: Option<Check>,
}

/// Why a file of the shelf cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// No file has this name.
    #[error("there is no such snapshot")]
    Missing,
    /// As many are being looked at as may be.
    #[error("{wanted}, {allowed} may be at once")]
    Busy {
        /// What was asked.
        wanted: &'static str,
        /// How many of it may be.
        allowed: usize,
    },
    /// The system refused, or the list of snapshots is damaged.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The thread beside the work could not be started or died.
    #[error("the thread that reads snapshots ended unexpectedly")]
    Thread,
}

/// The snapshot files of a data directory.
#[derive(Debug)]
pub struct Shelf {
    dir: Arc<DataDir>,
    state: Arc<SnapshotState>,
    verifying: Arc<Semaphore>,
    reading: Arc<Semaphore>,
}

impl Shelf {
    /// The files of this folder; what becomes known of them is told by `state`.
    pub fn new(dir: Arc<DataDir>, state: Arc<SnapshotState>) -> Self {
        let (verifying, reading) = (Semaphore::new(1), Semaphore::new(READERS));
        Self { dir, state, verifying: Arc::new(verifying), reading: Arc::new(reading) }
    }

    /// Some of the files, the youngest first: of one tenant or of all; and how many there are. It
    /// reads the ends of those it gives, and waits for the disk.
    ///
    /// # Errors
    /// What the system refused, or what is wrong with the list of snapshots.
    pub fn page(
        &self,
        tenant: Option<TenantUid>,
        skip: usize,
        take: usize,
    ) -> Result<(Vec<Shelved>, usize), ShelfError> {
        let manifest = Manifest::load(&self.dir)?.unwrap_or_default();
        let listed: BTreeMap<&str, (TenantUid, &Entry)> = manifest
            .tenants
            .iter()
            .flat_map(|(uid, all)| all.iter().map(|entry| (entry.file.as_str(), (*uid, entry))))
            .collect();
        let mut found = Vec::new();
        for file in data_dir::list(&self.dir.snapshots())? {
            if !snapshot::is_name(&file) {
                continue;
            }
            let (uid, at) = match listed.get(file.as_str()) {
                Some((uid, entry)) => (Some(*uid), Some(entry.created)),
                // Written and not listed yet, or left behind by a crash.
                None => match snapshot::summary(&self.dir.snapshots().join(&file)) {
                    Ok(said) => (Some(said.header.uid), Some(said.header.created)),
                    Err(error) if is_missing(&error) => continue,
                    // It tells nothing: what there is to know of it is its name, and it goes last.
                    Err(_) => (snapshot::tenant_named_by(&file), None),
                },
            };
            if tenant.is_none_or(|wanted| uid == Some(wanted)) {
                found.push((Reverse(at), file));
            }
        }
        let total = found.len();
        found.sort_unstable();
        let shown = found.into_iter().skip(skip).take(take);
        // A file that went meanwhile is left out.
        let shown = shown.filter_map(|(_, file)| {
            let is_listed = listed.contains_key(file.as_str());
            self.look(file, is_listed).ok()
        });
        Ok((shown.collect(), total))
    }

    /// What a file says of itself. It waits for the disk.
    ///
    /// # Errors
    /// [`ShelfError::Missing`].
    pub fn one(&self, file: &str) -> Result<Shelved, ShelfError> {
        self.path(file)?;
        let manifest = Manifest::load(&self.dir)?.unwrap_or_default();
        let is_listed = manifest.tenants.values().flatten().any(|entry| entry.file == file);
        self.look(file.to_owned(), is_listed)
    }

    fn look(&self, file: String, is_listed: bool) -> Result<Shelved, ShelfError> {
        let path = self.path(&file)?;
        let bytes = std::fs::metadata(&path)
            .map_err(|error| missing_or(StoreError::io(&path, "look at", error)))?
            .len();
        let said = match snapshot::summary(&path) {
            Ok(said) => Ok(said),
            Err(error) if is_missing(&error) => return Err(ShelfError::Missing),
            Err(error) => Err(in_words(&error)),
        };
        let check = self.state.checks.of(&file);
        Ok(Shelved { file, bytes, is_listed, said, check })
    }

    /// Reads every byte of a file, holds it against the checksums, decodes it, and compares it with
    /// what the list of snapshots says of it. That takes its time, on a thread of its own; the
    /// outcome is told by [`Checks`] from then on, unless it is only rehearsed.
    ///
    /// # Errors
    /// [`ShelfError::Busy`] while another one is looked at, [`ShelfError::Missing`].
    pub async fn verify(
        &self,
        file: &str,
        now: Timestamp,
        is_rehearsed: bool,
    ) -> Result<Check, ShelfError> {
        let path = self.path(file)?;
        let busy = ShelfError::Busy { wanted: "another snapshot is being verified", allowed: 1 };
        let turn = self.verifying.clone().try_acquire_owned().map_err(|_| busy)?;
        let (done, verified) = oneshot::channel();
        let (dir, name) = (self.dir.clone(), file.to_owned());
        let work = move || {
            priority::give_way(priority::LOWEST);
            let outcome = snapshot::verify(&path).map(|found| not_meant(&dir, &name, &found));
            drop(turn);
            // Nobody waits any more when the caller has gone.
            let _gone = done.send(outcome).is_err();
        };
        std::thread::Builder::new()
            .name("verify".to_owned())
            .spawn(work)
            .map_err(|_| ShelfError::Thread)?;
        let flaw = match verified.await.map_err(|_| ShelfError::Thread)? {
            Ok(flaw) => flaw,
            Err(error) if is_missing(&error) => return Err(ShelfError::Missing),
            Err(error) => Some(in_words(&error)),
        };
        let check = Check { at: now, flaw };
        if !is_rehearsed {
            if let Some(flaw) = &check.flaw {
                log::error!(file, flaw; "a snapshot is damaged");
            }
            self.state.checks.note(file, check.clone());
        }
        Ok(check)
    }

    /// Opens a file for reading. It waits for the disk.
    ///
    /// # Errors
    /// [`ShelfError::Busy`], [`ShelfError::Missing`].
    pub fn open(&self, file: &str) -> Result<OpenSnapshot, ShelfError> {
        let path = self.path(file)?;
        let busy =
            ShelfError::Busy { wanted: "other snapshots are being downloaded", allowed: READERS };
        let slot = self.reading.clone().try_acquire_owned().map_err(|_| busy)?;
        let opened = File::open(&path).and_then(|file| {
            let bytes = file.metadata()?.len();
            Ok((file, bytes))
        });
        match opened {
            Ok((file, bytes)) => Ok(OpenSnapshot { file: Arc::new(file), bytes, slot }),
            Err(error) => Err(missing_or(StoreError::io(&path, "open", error))),
        }
    }

    fn path(&self, file: &str) -> Result<PathBuf, ShelfError> {
        if !snapshot::is_name(file) {
            return Err(ShelfError::Missing);
        }
        Ok(self.dir.snapshots().join(file))
    }
}

/// What is wrong with a whole file that is another one than the list means.
fn not_meant(dir: &DataDir, file: &str, found: &Summary) -> Option<String> {
    let manifest = Manifest::load(dir).ok().flatten()?;
    let (uid, entry) = manifest.tenants.iter().find_map(|(uid, all)| {
        all.iter().find(|entry| entry.file == file).map(|entry| (*uid, entry))
    })?;
    let wanted = (uid, entry.version, entry.created, entry.bytes, entry.users);
    let header = found.header;
    let is_meant = (header.uid, header.version, header.created, found.bytes, found.users) == wanted;
    let flaw = "it is another snapshot than the list of snapshots names";
    (!is_meant).then(|| flaw.to_owned())
}

fn is_missing(error: &StoreError) -> bool {
    matches!(error, StoreError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
}

fn missing_or(error: StoreError) -> ShelfError {
    if is_missing(&error) { ShelfError::Missing } else { ShelfError::Store(error) }
}

/// What is wrong with a file, without where it lies.
fn in_words(error: &StoreError) -> String {
    match error {
        StoreError::Damaged { offset, reason, .. } => format!("at byte {offset}: {reason}"),
        StoreError::Newer { found, known, .. } => {
            format!("it has format {found}, this build reads up to {known}")
        }
        StoreError::Io { action, source, .. } => {
            format!("the system could not {action} it: {source}")
        }
        StoreError::Locked(_) => "another process has the folder".to_owned(),
    }
}

/// A snapshot file that is open: it is read to its end even if it is removed meanwhile.
#[derive(Debug)]
pub struct OpenSnapshot {
    file: Arc<File>,
    /// Its length.
    pub bytes: u64,
    slot: OwnedSemaphorePermit,
}

impl OpenSnapshot {
    /// The bytes of the file in order, piece by piece. Who does not take a piece for a minute is
    /// given no more, and the last piece is then missing.
    pub fn pieces(self) -> mpsc::Receiver<io::Result<Bytes>> {
        self.pieces_within(STALL)
    }

    fn pieces_within(self, stall: Duration) -> mpsc::Receiver<io::Result<Bytes>> {
        let (sender, receiver) = mpsc::channel(1);
        actix::spawn(async move {
            let Self { file, bytes, slot } = self;
            let mut at = 0;
            while at < bytes {
                let (file, len) = (file.clone(), PIECE_BYTES.min(bytes - at));
                let read = tokio::task::spawn_blocking(move || read_at(&file, at, len)).await;
                let piece = read.unwrap_or_else(|_| Err(io::Error::other("the reader ended")));
                let is_over = piece.is_err();
                let sent = tokio::time::timeout(stall, sender.send(piece)).await;
                if is_over || !matches!(sent, Ok(Ok(()))) {
                    break;
                }
                at += len;
            }
            drop(slot);
        });
        receiver
    }
}

fn read_at(file: &File, at: u64, len: u64) -> io::Result<Bytes> {
    let mut piece = vec![0; usize::try_from(len).expect("a piece fits in memory")];
    file.read_exact_at(&mut piece, at)?;
    Ok(piece.into())
}

#[cfg(test)]
mod tests;
