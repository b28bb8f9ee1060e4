//! The history of users, clients and what a tenant is set up with, on disk: every image that is kept, newest first.
//!
//! It is derived. What is in it came out of the journal and of snapshots, and can come again; so
//! nothing here is synced write by write, a crash may take back its newest part, and whoever
//! feeds it goes on behind the [`Mark`] that lies in the same batch as what it stands for.
//! All keys lie in one keyspace: a crash keeps a prefix of the batches, never a mixture.
//!
//! `fjall` holds it: an LSM tree in safe Rust, with a checksum on every block.

mod entry;
mod keys;
mod read;
mod resources;
mod retain;
mod shred;
#[cfg(test)]
mod tests;

use crate::domain::change::{Change, Outcome};
use crate::domain::client::Client;
use crate::domain::document::Document;
use crate::domain::erasure::erased_by;
use crate::domain::history::Subject;
use crate::domain::resource::ResourceKind;
use crate::domain::time::Version;
use crate::store::format::{FormatError, TenantUid};
use fjall::compaction::Leveled;
use fjall::config::{BlockSizePolicy, FilterPolicy};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch, PersistMode};
use std::collections::{HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use read::{Head, Images, TouchedAt};

/// The format of the keys and values.
const FORMAT: &[u8] = b"1";

/// Blocks of the tree kept in memory, in bytes.
const CACHE_BYTES: u64 = 4 << 20;

/// What is gathered in memory before it is written as a file, in bytes; two or three of these exist
/// while one is written. A quarter of it cost a fifth of the throughput of writes: files that lie
/// across all users are merged with all others.
const MEMTABLE_BYTES: u64 = 16 << 20;

/// Files of the newest level before they are merged into the next, and how large a file of that
/// becomes, in bytes. Larger ones mean longer merges, and then a p99.9 of writes twice as long.
const NEWEST_FILES: u8 = 8;
const FILE_BYTES: u64 = 16 << 20;

/// Files kept open.
const OPEN_FILES: usize = 64;

/// The least that can be asked for.
const JOURNAL_BYTES: u64 = 64 << 20;

/// Images of one object lie side by side and resemble each other: larger blocks shrink more.
const BLOCK_BYTES: u32 = 16 << 10;

/// Why the history cannot be used. Nothing but the history is harmed.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// The storage engine says so.
    #[error("{0}")]
    Engine(#[from] fjall::Error),
    /// It panicked, or the folder was found to be damaged before.
    #[error("it is damaged")]
    Panicked,
    /// The folder is of another format.
    #[error("it is of another format than this build's")]
    Format,
    /// It is closed until its disk has space again.
    #[error("it is closed until its disk has space again")]
    Closed,
    /// What was removed may still be in its files.
    #[error("its engine did not let go of its old files in time")]
    NotShredded,
    /// A value that is none.
    #[error("a value of it cannot be read: {0}")]
    Value(#[from] FormatError),
    /// The folder cannot be made or put aside.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl HistoryError {
    /// Whether it failed for lack of space; none where it does not say why.
    pub fn is_full(&self) -> Option<bool> {
        match self {
            Self::Engine(
                fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)),
            )
            | Self::Io { source: error, .. } => Some(crate::journal::is_full(error)),
            Self::Engine(fjall::Error::Poisoned) | Self::Closed => None,
            Self::Engine(_)
            | Self::Panicked
            | Self::Format
            | Self::NotShredded
            | Self::Value(_) => Some(false),
        }
    }

    /// Whether what lies on disk is not what was written, so that it must be built anew.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Engine(fjall::Error::Storage(error)) => !matches!(error, fjall::LsmError::Io(_)),
            Self::Engine(_) | Self::Io { .. } | Self::NotShredded | Self::Closed => false,
            Self::Panicked | Self::Format | Self::Value(_) => true,
        }
    }
}

/// The file that says that a history is damaged.
const DAMAGED: &str = "DAMAGED";

/// Says that the history in a folder is damaged: it is not opened again.
///
/// # Errors
/// When that cannot be written.
pub fn condemn(folder: &Path) -> std::io::Result<()> {
    std::fs::write(folder.join(DAMAGED), b"")
}

/// How far the history is: the last record of the journal in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// Its place in the journal.
    pub lsn: u64,
    /// CRC-32C of its bytes: tells whether the journal is still the one it came from.
    pub crc: u32,
}

/// The history of all tenants.
#[derive(Clone)]
pub struct Store {
    database: Database,
    tree: Keyspace,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// Changes that go in together or not at all.
pub struct Batch<'a> {
    store: &'a Store,
    batch: OwnedWriteBatch,
    /// Resources that went in with this batch, and what it says of whole tenants: nobody finds
    /// that in the store yet.
    fresh: HashSet<Vec<u8>>,
    whole: HashMap<TenantUid, resources::Whole>,
}

impl std::fmt::Debug for Batch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch").field("len", &self.batch.len()).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the history in a folder, or begins one.
    ///
    /// # Errors
    /// When it is damaged, of another format, or the system refuses.
    pub fn open(folder: &Path) -> Result<Self, HistoryError> {
        use std::os::unix::fs::DirBuilderExt;
        let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
        made.map_err(|source| HistoryError::Io { path: folder.to_owned(), source })?;
        if folder.join(DAMAGED).exists() {
            return Err(HistoryError::Panicked);
        }
        // It reads what a crash or a hand left there, and may trip over it.
        catch_unwind(AssertUnwindSafe(|| Self::try_open(folder)))
            .map_err(|_| HistoryError::Panicked)?
    }

    fn try_open(folder: &Path) -> Result<Self, HistoryError> {
        let database = Database::builder(folder)
            .cache_size(CACHE_BYTES)
            .max_cached_files(Some(OPEN_FILES))
            .max_journaling_size(JOURNAL_BYTES)
            .worker_threads(1)
            .open()?;
        let merging =
            Leveled::default().with_l0_threshold(NEWEST_FILES).with_table_target_size(FILE_BYTES);
        let tree = database.keyspace("history", || {
            KeyspaceCreateOptions::default()
                .max_memtable_size(MEMTABLE_BYTES)
                .data_block_size_policy(BlockSizePolicy::all(BLOCK_BYTES))
                // Nearly all reads are of ranges, and filters are about single keys.
                .filter_policy(FilterPolicy::disabled())
                .compaction_strategy(Arc::new(merging))
        })?;
        let key = keys::meta("format");
        match tree.get(&key)? {
            Some(found) if *found == *FORMAT => {}
            Some(_) => return Err(HistoryError::Format),
            None if tree.first_key_value().is_some() => return Err(HistoryError::Format),
            None => tree.insert(key, FORMAT)?,
        }
        Ok(Self { database, tree })
    }

    /// How far it is.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn mark(&self) -> Result<Option<Mark>, HistoryError> {
        let found = self.tree.get(keys::meta("mark"))?;
        Ok(found.and_then(|value| {
            let (lsn, crc) = value.split_first_chunk()?;
            let crc = crc.first_chunk()?;
            Some(Mark { lsn: u64::from_be_bytes(*lsn), crc: u32::from_be_bytes(*crc) })
        }))
    }

    /// Begins changes.
    pub fn batch(&self) -> Batch<'_> {
        let (fresh, whole) = Default::default();
        Batch { store: self, batch: self.database.batch(), fresh, whole }
    }

    /// Makes everything that went in survive a power cut.
    ///
    /// # Errors
    /// When it cannot be synced.
    pub fn persist(&self) -> Result<(), HistoryError> {
        Ok(self.database.persist(PersistMode::SyncAll)?)
    }

    /// Bytes it takes on disk.
    pub fn size_bytes(&self) -> u64 {
        self.tree.disk_space().saturating_add(self.database.journal_disk_space().unwrap_or(0))
    }
}

impl Batch<'_> {
    /// Takes a change of the journal; `record` is its bytes there.
    ///
    /// # Errors
    /// When what is known of a resource cannot be read.
    pub fn change(
        &mut self,
        uid: TenantUid,
        change: &Change,
        record: &[u8],
    ) -> Result<(), HistoryError> {
        let tree = &self.store.tree;
        if change.version.get() == 1 {
            self.resources_whole_from(uid, Version::ZERO);
        }
        let erased = erased_by(&change.outcomes);
        for outcome in &change.outcomes {
            if let Some((kind, id)) = entry::subject_of(outcome)
                && !(kind == Subject::User && erased.iter().any(|own| own == id))
            {
                let key = keys::image(uid, kind, id, change.version);
                let is_made = self.is_made(uid, change, outcome)?;
                let image = entry::image(uid, change, (outcome, is_made), record);
                self.batch.insert(tree, key, image);
            }
        }
        self.batch.insert(tree, keys::change(uid, change.version), entry::change(change));
        Ok(())
    }

    /// Removes everything that is known of the users a change erases, and leaves of each when and
    /// by whom. What went into this very batch before is not seen: commit it first.
    ///
    /// # Errors
    /// When what there is cannot be read.
    pub fn erase(&mut self, uid: TenantUid, change: &Change) -> Result<(), HistoryError> {
        let tree = &self.store.tree;
        for id in erased_by(&change.outcomes) {
            let last = keys::image(uid, Subject::User, &id, change.version);
            for found in tree.range(keys::object(uid, Subject::User, &id)..last.clone()) {
                self.batch.remove(tree, found.key()?);
            }
            self.batch.insert(tree, last, entry::tombstone(uid, change, &id));
        }
        Ok(())
    }

    /// Takes a user as a snapshot has it.
    pub fn user(&mut self, uid: TenantUid, document: &Document) {
        let key = keys::image(uid, Subject::User, document.id(), document.version());
        self.batch.insert(&self.store.tree, key, entry::base_of_user(uid, document));
    }

    /// Takes a client as a snapshot has it.
    pub fn client(&mut self, uid: TenantUid, client: &Client) {
        let key = keys::image(uid, Subject::Client, &client.id, client.version);
        self.batch.insert(&self.store.tree, key, entry::base_of_client(uid, client));
    }

    /// Notes under which name a tenant goes, so that its end can be told.
    pub fn tenant(&mut self, name: &str, uid: TenantUid) {
        self.batch.insert(&self.store.tree, keys::tenant_name(name), uid.0.to_be_bytes());
    }

    /// The record up to which everything is in, with this batch.
    pub fn mark(&mut self, mark: Mark) {
        let value = [mark.lsn.to_be_bytes().as_slice(), &mark.crc.to_be_bytes()].concat();
        self.batch.insert(&self.store.tree, keys::meta("mark"), value);
    }

    /// Puts in what is there so far, and goes on.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub fn flush(&mut self) -> Result<(), HistoryError> {
        let full = std::mem::replace(&mut self.batch, self.store.database.batch());
        Ok(full.commit()?)
    }

    /// Puts it in.
    ///
    /// # Errors
    /// When the engine cannot write; then nothing of it went in.
    pub fn commit(self) -> Result<(), HistoryError> {
        Ok(self.batch.commit()?)
    }
}

/// Where a history that could not be used was put.
pub fn aside(folder: &Path) -> PathBuf {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    folder.with_file_name(format!("{name}.damaged"))
}

/// Puts a history that cannot be used out of the way, and says where it is now.
///
/// # Errors
/// When it cannot be renamed.
pub fn set_aside(folder: &Path) -> Result<PathBuf, HistoryError> {
    let io = |source| HistoryError::Io { path: folder.to_owned(), source };
    // One is kept for whoever wants to know what happened to it; more would fill the disk.
    let aside = aside(folder);
    if aside.exists() {
        std::fs::remove_dir_all(&aside).map_err(io)?;
    }
    std::fs::rename(folder, &aside).map_err(io)?;
    Ok(aside)
}

/// The tenant a change ends, by its name.
pub fn ended_tenant(outcome: &Outcome) -> Option<&str> {
    match outcome {
        Outcome::ResourceGone(ResourceKind::Tenant, name) => Some(name),
        Outcome::ResourceGone(..)
        | Outcome::Resource(_)
        | Outcome::User(_)
        | Outcome::UserGone(_)
        | Outcome::Client(_)
        | Outcome::ClientGone(_) => None,
    }
}

/// The version of a change whose object is to be looked after: not each one, it costs a look at
/// all its images.
pub fn is_turn_to_retain(version: Version) -> bool {
    version.get().is_multiple_of(64)
}
