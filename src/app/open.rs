//! From a folder to running tenants: lock, keys, journal, snapshots, replay.

use super::keys::KeyStore;
use super::{AppError, clock, declare, tls};
use crate::config::{self, Settings};
use crate::domain::history::Keep;
use crate::domain::policy::{Rules, SecretStorage};
use crate::http::random;
use crate::journal::{self, Embedded, InMemory, Journal, OsDisk, Reader, Synced};
use crate::store::StoreError;
use crate::store::data_dir::{Created, DataDir, has_files, write_private};
use crate::store::history::HistoryError;
use crate::store::manifest::Manifest;
use crate::store::reserve::Reserve;
use crate::tenant::history::{History, HistoryParts, KeepOf, Source};
use crate::tenant::{self, Directory, Limits, RestoreReport, Restored, RulesOf, TenantDefinition};
use actix::ArbiterHandle;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A data directory that belongs to this process, and what it held.
#[derive(Debug)]
pub struct Opened {
    /// The folder.
    pub dir: Arc<DataDir>,
    /// Whether the folder is new, and what is wrong with its permissions.
    pub created: Created,
    /// The signing keys.
    pub keys: KeyStore,
    /// The journal.
    pub journal: Arc<dyn Journal>,
    /// The state.
    pub restored: Restored,
    /// With a journal that keeps nothing: the place every snapshot covers.
    pub fixed_lsn: Option<u64>,
    /// A torn tail that was cut, in words.
    pub torn: Option<String>,
    /// How long restoring took.
    pub took: Duration,
}

/// Opens a data directory and restores what it holds.
///
/// # Errors
/// [`AppError`]; nothing on disk is changed by a refusal.
pub fn open(settings: &Settings) -> Result<Opened, AppError> {
    let started = Instant::now();
    let (dir, created) = DataDir::open(&settings.storage.data_dir).map_err(AppError::DataDir)?;
    // What may be refused is looked at before anything is made or goes on.
    KeyStore::verify(dir.root())?;
    if settings.server.tls == config::TlsMode::Dev {
        tls::verify_development(dir.root())?;
    }
    let is_memory = settings.storage.mode == config::StorageMode::Memory;
    let (journal, restored, fixed_lsn, torn) =
        if is_memory { in_memory(settings, &dir)? } else { from_disk(settings, &dir)? };
    let keys = KeyStore::open(dir.root(), clock::now().seconds())?;
    Ok(Opened {
        dir: Arc::new(dir),
        created,
        keys,
        journal,
        restored,
        fixed_lsn,
        torn,
        took: started.elapsed(),
    })
}

type State = (Arc<dyn Journal>, Restored, Option<u64>, Option<String>);

/// A journal in memory; the history, if there is one, reads it and lets go of what it has read.
fn passing(settings: &Settings) -> Arc<dyn Journal> {
    let is_read = settings.history.enabled;
    Arc::new(if is_read { InMemory::keeping() } else { InMemory::forgetting() })
}

/// The file that says that a folder without a journal never had one: everything was in memory.
const IN_MEMORY_FILE: &str = "IN-MEMORY";

/// Whether everything of this folder was only ever in memory.
pub(super) fn was_in_memory(dir: &DataDir) -> bool {
    dir.root().join(IN_MEMORY_FILE).exists()
        && !dir.manifest().exists()
        && !dir.root().join(journal::SYNCED_FILE).exists()
}

fn in_memory(settings: &Settings, dir: &DataDir) -> Result<State, AppError> {
    let is_used = dir.manifest().exists()
        || has_files(&dir.journal()).map_err(AppError::DataDir)?
        || has_files(&dir.snapshots()).map_err(AppError::DataDir)?
        || dir.root().join(declare::ADMIN_CLIENT_FILE).exists();
    if !is_used {
        write_private(&dir.root().join(IN_MEMORY_FILE), b"").map_err(AppError::DataDir)?;
    }
    let restored = Restored {
        states: HashMap::new(),
        manifest: Manifest::default(),
        report: RestoreReport::default(),
    };
    Ok((passing(settings), restored, None, None))
}

fn from_disk(settings: &Settings, dir: &DataDir) -> Result<State, AppError> {
    let folder = dir.journal();
    let manifest = Manifest::load(dir).map_err(AppError::DataDir)?;
    refuse_missing_journal(dir, manifest.as_ref()).map_err(AppError::DataDir)?;
    let disk =
        || OsDisk::open(&folder).map_err(|source| AppError::File { path: folder.clone(), source });
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    // By somebody who only looks: going on with a journal cuts a torn tail and moves its mark, and
    // a refusal changes nothing.
    let reader = Reader::open(disk()?)?;
    refuse_other_journal(dir, &reader)?;
    let restored = tenant::restore(dir, &reader, threads)?;
    if manifest.is_none() {
        // From now on a missing manifest beside a journal is damage, not a first start.
        Manifest::default().store(dir).map_err(AppError::DataDir)?;
    }
    dir.make_folders().map_err(AppError::DataDir)?;
    // What a crash left of it: on a full disk it is the space this start needs.
    reserve(settings, dir)
        .give_back()
        .map_err(|source| AppError::File { path: dir.root().to_owned(), source })?;
    let outside = root(dir)?;
    let (embedded, opened) =
        Embedded::open_witnessed(Arc::new(disk()?), Some(&outside), &options(settings))?;
    let torn = opened.torn.map(|torn| {
        format!("a write cut short by a crash was dropped from {} at byte {}: it was never acknowledged", torn.file, torn.offset)
    });
    Ok(match settings.journal.durability {
        config::Durability::Snapshot => {
            let covered = embedded.stats().last.get();
            (passing(settings), restored, Some(covered), torn)
        }
        config::Durability::Always | config::Durability::Interval => {
            (Arc::new(embedded), restored, None, torn)
        }
    })
}

/// The space that is held for a full disk.
pub(super) fn reserve(settings: &Settings, dir: &DataDir) -> Reserve {
    Reserve::of(dir.root(), settings.storage.reserve_bytes)
}

/// Refuses to begin a journal where there was one: what was acknowledged since the last snapshot
/// would be missing without a word.
///
/// # Errors
/// [`StoreError::Damaged`] when the folder is empty although something was written through it.
pub(super) fn refuse_missing_journal(
    dir: &DataDir,
    manifest: Option<&Manifest>,
) -> Result<(), StoreError> {
    let path = dir.journal();
    let was_used = manifest.is_some_and(|manifest| !manifest.tenants.is_empty())
        || dir.root().join(declare::ADMIN_CLIENT_FILE).exists();
    // A repair leaves a list of snapshots behind, too.
    let is_repaired = manifest.is_some() && tenant::repaired_file(dir).exists();
    if !was_used || has_files(&path)? || is_repaired || was_in_memory(dir) {
        return Ok(());
    }
    let also = if manifest.is_some() { "" } else { ", and MANIFEST and the snapshots with it" };
    let reason = format!(
        "it is empty, although there was a journal in it; put it back{also}, or see `dossier check` and then `dossier check --repair`"
    );
    Err(StoreError::Damaged { path, offset: 0, reason })
}

/// Refuses a journal that is sound in itself but not the one that was written here last, unless an
/// operator has accepted that by a repair.
///
/// # Errors
/// As [`Reader::refuse_other`].
pub(super) fn refuse_other_journal(dir: &DataDir, reader: &Reader<OsDisk>) -> Result<(), AppError> {
    match last_synced(dir)? {
        Some(synced) => Ok(reader.refuse_other(&synced)?),
        None => Ok(()),
    }
}

/// What is known outside of the journal to have been synced in it, and was not given up in a repair.
pub(super) fn last_synced(dir: &DataDir) -> Result<Option<Synced>, AppError> {
    let found = journal::last_synced(&root(dir)?)?;
    Ok(found.filter(|synced| synced.lsn() > tenant::accepted(dir)))
}

fn root(dir: &DataDir) -> Result<OsDisk, AppError> {
    let path = dir.root();
    OsDisk::open(path).map_err(|source| AppError::File { path: path.to_owned(), source })
}

fn options(settings: &Settings) -> journal::Options {
    let defaults = journal::Options::new(random::number());
    let queue = usize::try_from(settings.journal.queue_bytes).unwrap_or(usize::MAX);
    journal::Options {
        durability: match settings.journal.durability {
            config::Durability::Interval => {
                journal::Durability::Interval(settings.journal.flush_interval)
            }
            config::Durability::Always | config::Durability::Snapshot => {
                journal::Durability::Always
            }
        },
        segment_bytes: settings.journal.segment_bytes,
        preallocate_bytes: defaults.preallocate_bytes.min(settings.journal.segment_bytes),
        max_queue_records: settings.journal.queue_records,
        max_queue_bytes: queue.max(defaults.max_record_bytes),
        ..defaults
    }
}

/// Starts the actors of everything restored.
pub fn start_tenants(
    settings: &Arc<Settings>,
    opened: &mut Opened,
    arbiters: Vec<ArbiterHandle>,
) -> Arc<Directory> {
    let states = std::mem::take(&mut opened.restored.states);
    let limits = Limits {
        mailbox: settings.actor.mailbox,
        reply_timeout: settings.actor.reply_timeout,
        in_flight_bytes: usize::try_from(settings.actor.in_flight_bytes).unwrap_or(usize::MAX),
        workers: super::listen::threads(settings.server.workers),
    };
    Arc::new(Directory::start(
        states,
        opened.journal.clone(),
        arbiters,
        limits,
        settings.limits.tenants,
        rules_of(settings.clone()),
    ))
}

/// Starts the history beside the tenants, where it is kept.
///
/// It never keeps the server from starting: without one, its routes say so.
pub fn start_history(
    settings: &Settings,
    opened: &Opened,
    directory: &Arc<Directory>,
) -> Option<Arc<History>> {
    if !settings.history.enabled {
        return None;
    }
    match try_history(settings, opened, directory) {
        Ok(history) => Some(Arc::new(history)),
        Err(error) => {
            log::error!(error:% = error; "there is no history until a restart; nothing else is harmed");
            None
        }
    }
}

/// Opens the history of a data directory and lets it follow the journal.
///
/// # Errors
/// When not even an empty one can be made.
pub fn try_history(
    settings: &Settings,
    opened: &Opened,
    directory: &Arc<Directory>,
) -> Result<History, HistoryError> {
    let is_memory = settings.storage.mode == config::StorageMode::Memory;
    let folder = opened.dir.history();
    if is_memory && folder.exists() {
        // What was kept in memory is gone, and so is its past.
        if let Err(error) = std::fs::remove_dir_all(&folder) {
            log::warn!(error:% = error; "an older history could not be removed");
        }
    }
    let is_passing = is_memory || opened.fixed_lsn.is_some();
    let tenants = directory.tenants();
    let living = tenants.iter().map(|tenant| (tenant.uid(), tenant.published().version()));
    History::start(HistoryParts {
        folder,
        dir: opened.dir.clone(),
        journal: opened.journal.clone(),
        source: if is_passing { Source::Passing } else { Source::Lasting },
        living: living.collect(),
        keep: keep_of(settings, directory.clone()),
        clock: Box::new(clock::now),
    })
}

/// How much of each tenant's past is kept: what its rules say at the moment.
fn keep_of(settings: &Settings, directory: Arc<Directory>) -> Box<KeepOf> {
    // One that is made from another has no name yet.
    let common = keep(&settings.history);
    Box::new(move |uid| directory.with_uid(uid).map_or(common, |tenant| tenant.rules().keep))
}

fn keep(own: &config::History) -> Keep {
    Keep {
        versions: own.keep_versions,
        age_ms: i64::try_from(own.keep_for.as_millis()).unwrap_or(i64::MAX),
        bytes: own.max_bytes_per_user,
    }
}

/// The limits and habits of any tenant.
pub fn rules_of(settings: Arc<Settings>) -> Box<RulesOf> {
    Box::new(move |definition| rules(&settings, definition))
}

/// The limits and habits of a tenant.
pub fn rules(settings: &Settings, definition: &TenantDefinition) -> Rules {
    let own = settings.effective(&definition.id);
    let declared = settings.tenant(&definition.id);
    let bytes = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
    Rules {
        user_metadata_bytes: bytes(own.limits.user_metadata_bytes),
        app_metadata_bytes: bytes(own.limits.app_metadata_bytes),
        depth: own.limits.metadata_depth,
        client_metadata_keys: own.limits.client_metadata_keys,
        client_metadata_chars: own.limits.client_metadata_chars,
        strict_keys: own.limits.strict_keys == config::StrictKeys::Reject,
        entries_per_user: own.limits.entries_per_user,
        users_per_tenant: bytes(own.limits.users_per_tenant),
        compat: declared.map_or(definition.compat, super::declare::compat_of),
        keep: keep(&own.history),
        secrets: declared.map_or(definition.secrets, |tenant| match tenant.client_secrets {
            config::ClientSecrets::Plain => SecretStorage::Plain,
            config::ClientSecrets::Hashed => SecretStorage::Hashed,
        }),
    }
}
