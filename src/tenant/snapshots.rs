//! The snapshot actor: dumps one tenant after the other, slowly and beside the work.
//!
//! It takes a tenant's view in one turn (a pointer for each 1,024 users, so no turn is
//! long), and a thread of the lowest priority writes it at a bounded pace. Once a
//! dump is named in the manifest, the journal behind the older one is let go.

use super::compaction::{compact, marks};
use super::directory::Directory;
use super::handle::{TenantError, TenantHandle};
use super::history::History;
use super::priority;
use super::shelf::{Check, Checks};
use crate::domain::time::{Timestamp, Version};
use crate::journal::{Journal, JournalError, Lsn};
use crate::store::StoreError;
use crate::store::data_dir::DataDir;
use crate::store::format::TenantUid;
use crate::store::history::HistoryError;
use crate::store::manifest::{self, Entry, Manifest};
use crate::store::snapshot::{self, Header, Pace};
use actix::{Actor, AsyncContext, Context, Handler, Message, ResponseFuture};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, oneshot};

/// How long an erasure that failed waits until it is tried again.
const RETRY_PAUSE: Duration = Duration::from_secs(15);

/// When and how fast snapshots are taken; sent to the actor, it holds from then on.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub struct SnapshotSettings {
    /// Time between two rounds; zero = only on request.
    pub interval: Duration,
    /// Changes after which a round begins early.
    pub max_changes: u64,
    /// Bytes written in a second; zero = no limit.
    pub bytes_per_second: u64,
    /// Bytes of journal at which a round begins early.
    pub journal_max_bytes: u64,
}

/// One snapshot taken.
#[derive(Clone, Debug)]
pub struct SnapshotReport {
    /// Whose.
    pub tenant: String,
    /// The file, in the folder of snapshots.
    pub file: String,
    /// Its users.
    pub users: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// How long it took.
    pub took: Duration,
}

/// Why a round of snapshots ended early. The journal is not harmed.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// A file could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The journal could not let go.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The tenant did not answer.
    #[error("the tenant did not give its state: {0}")]
    Tenant(#[from] TenantError),
    /// The history could not be rewritten.
    #[error("the history: {0}")]
    History(#[from] HistoryError),
    /// A tenant changed faster than snapshots of it were taken.
    #[error("a tenant has no two snapshots yet that are younger than what was erased")]
    NotCompacted,
    /// The writing thread could not be started or died.
    #[error("the thread that writes snapshots ended unexpectedly")]
    Thread,
}

/// Asks for a round of snapshots: every tenant that changed since its last one.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<Vec<SnapshotReport>, SnapshotError>")]
pub struct TakeSnapshots {
    /// Whether to write as fast as the disk can, as at a shutdown.
    pub is_urgent: bool,
}

/// Asks which snapshots a round would take now.
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "Result<Vec<DueSnapshot>, SnapshotError>")]
pub struct ListDue;

/// A snapshot a round would take.
#[derive(Clone, Debug)]
pub struct DueSnapshot {
    /// Whose.
    pub tenant: String,
    /// The file it would be, in the folder of snapshots.
    pub file: String,
    /// Its users.
    pub users: u64,
    /// The files that count now, newest first.
    pub kept_before: Vec<String>,
    /// The files that would count afterwards.
    pub kept_after: Vec<String>,
}

/// What the last round did, for health and figures.
#[derive(Debug, Default)]
pub struct SnapshotState {
    /// Whether the last round failed.
    pub has_failed: AtomicBool,
    /// When the last round began, or the server did, in milliseconds since the epoch.
    pub round_at: AtomicU64,
    /// When the last good round ended, in milliseconds since the epoch; 0 = never.
    pub last_at: AtomicU64,
    /// Snapshots written since the start.
    pub taken: AtomicU64,
    /// What is known of the checksums of files.
    pub checks: Checks,
    newest: std::sync::Mutex<BTreeMap<TenantUid, NewestSnapshot>>,
}

/// The newest snapshot of a tenant.
#[derive(Clone, Debug)]
pub struct NewestSnapshot {
    /// What the manifest says of it.
    pub entry: Entry,
    /// How long it took; none for one from before the start.
    pub took: Option<Duration>,
}

impl SnapshotState {
    /// The newest snapshot of a tenant.
    pub fn newest(&self, tenant: TenantUid) -> Option<NewestSnapshot> {
        self.all().get(&tenant).cloned()
    }

    fn all(&self) -> std::sync::MutexGuard<'_, BTreeMap<TenantUid, NewestSnapshot>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was there at the start.
    fn begin(&self, manifest: &Manifest, now: Timestamp) {
        self.round_at.store(millis(now), Ordering::Release);
        for entry in manifest.tenants.values().filter_map(|entries| entries.first()) {
            // The start has read it whole: one that is damaged it takes off the list.
            self.checks.note(&entry.file, Check { at: now, flaw: None });
        }
        *self.all() = manifest
            .tenants
            .iter()
            .filter_map(|(uid, entries)| {
                let entry = entries.first()?.clone();
                Some((*uid, NewestSnapshot { entry, took: None }))
            })
            .collect();
    }
}

fn millis(time: Timestamp) -> u64 {
    u64::try_from(time.millis()).unwrap_or(0)
}

/// What rounds share.
pub(super) struct Shared {
    pub(super) directory: Arc<Directory>,
    pub(super) dir: Arc<DataDir>,
    pub(super) journal: Arc<dyn Journal>,
    pub(super) clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    pub(super) manifest: Mutex<Manifest>,
    pub(super) bytes_per_second: AtomicU64,
    /// The sum of all versions at the last round.
    pub(super) counted: AtomicU64,
    /// With a journal that keeps nothing, every snapshot covers this place.
    pub(super) fixed_lsn: Option<u64>,
    pub(super) history: Option<Arc<History>>,
    pub(super) state: Arc<SnapshotState>,
}

impl Shared {
    /// The place in the journal up to which a view taken after this has everything.
    pub(super) fn lsn(&self) -> u64 {
        self.fixed_lsn.unwrap_or_else(|| self.journal.progress().borrow().durable.get())
    }
}

/// The snapshot actor.
pub struct Snapshots {
    shared: Arc<Shared>,
    settings: SnapshotSettings,
    last_round: Instant,
    is_running: Arc<AtomicBool>,
}

impl std::fmt::Debug for Snapshots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshots").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// What the snapshot actor works on.
pub struct SnapshotParts {
    /// The tenants.
    pub directory: Arc<Directory>,
    /// The folder.
    pub dir: Arc<DataDir>,
    /// The journal that is cut behind snapshots.
    pub journal: Arc<dyn Journal>,
    /// The snapshots that count.
    pub manifest: Manifest,
    /// Tells the time.
    pub clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    /// With a journal that keeps nothing: the place every snapshot covers.
    pub fixed_lsn: Option<u64>,
    /// What the journal is kept for besides a restore.
    pub history: Option<Arc<History>>,
    /// Where the outcome of rounds is told.
    pub state: Arc<SnapshotState>,
}

impl std::fmt::Debug for SnapshotParts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SnapshotParts").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Snapshots {
    /// An actor for these parts; to be started on an arbiter of its own.
    pub fn new(parts: SnapshotParts, settings: SnapshotSettings) -> Self {
        let counted = sum_of_versions(&parts.directory);
        parts.state.begin(&parts.manifest, (parts.clock)());
        Self {
            shared: Arc::new(Shared {
                directory: parts.directory,
                dir: parts.dir,
                journal: parts.journal,
                clock: parts.clock,
                manifest: Mutex::new(parts.manifest),
                bytes_per_second: AtomicU64::new(settings.bytes_per_second),
                counted: AtomicU64::new(counted),
                fixed_lsn: parts.fixed_lsn,
                history: parts.history,
                state: parts.state,
            }),
            settings,
            last_round: Instant::now(),
            is_running: Arc::new(AtomicBool::new(false)),
        }
    }

    /// Whether somebody was erased and files have to be rid of them; again and again until it is done.
    fn has_erasures(&self) -> bool {
        let pause = if self.shared.state.has_failed.load(Ordering::Acquire) {
            RETRY_PAUSE
        } else {
            Duration::ZERO
        };
        self.last_round.elapsed() >= pause
            && self.shared.directory.tenants().iter().any(|tenant| !marks(tenant).is_empty())
    }

    /// Whether a round is due: by time, by changes, or because the journal has grown.
    fn is_due(&self) -> bool {
        let changes = sum_of_versions(&self.shared.directory)
            .saturating_sub(self.shared.counted.load(Ordering::Relaxed));
        let is_grown = self.shared.journal.stats().size_bytes > self.settings.journal_max_bytes;
        !self.settings.interval.is_zero()
            && (changes >= self.settings.max_changes
                || is_grown
                || (changes > 0 && self.last_round.elapsed() >= self.settings.interval))
    }

    fn begin(
        &mut self,
        is_urgent: bool,
    ) -> impl Future<Output = Result<Vec<SnapshotReport>, SnapshotError>> + use<> {
        self.last_round = Instant::now();
        self.shared.state.round_at.store(millis((self.shared.clock)()), Ordering::Release);
        let (shared, is_running) = (self.shared.clone(), self.is_running.clone());
        is_running.store(true, Ordering::Release);
        async move {
            let taken = round(&shared, is_urgent).await;
            is_running.store(false, Ordering::Release);
            shared.state.has_failed.store(taken.is_err(), Ordering::Release);
            match &taken {
                Ok(reports) => {
                    shared.state.last_at.store(millis((shared.clock)()), Ordering::Release);
                    shared
                        .state
                        .taken
                        .fetch_add(u64::try_from(reports.len()).unwrap_or(0), Ordering::Relaxed);
                }
                Err(error) => {
                    log::error!(error:% = error; "a snapshot failed; the journal goes on and nothing is lost");
                }
            }
            taken
        }
    }
}

fn sum_of_versions(directory: &Directory) -> u64 {
    directory.tenants().iter().map(|tenant| tenant.published().version().get()).sum()
}

impl Actor for Snapshots {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.run_interval(Duration::from_secs(1), |snapshots, _| {
            if !snapshots.is_running.load(Ordering::Acquire)
                && (snapshots.is_due() || snapshots.has_erasures())
            {
                let round = snapshots.begin(false);
                actix::spawn(async move {
                    // A failure is logged and told by health; the next round tries again.
                    let _told = round.await.is_err();
                });
            }
        });
    }
}

impl Handler<TakeSnapshots> for Snapshots {
    type Result = ResponseFuture<Result<Vec<SnapshotReport>, SnapshotError>>;

    fn handle(&mut self, take: TakeSnapshots, _: &mut Self::Context) -> Self::Result {
        if take.is_urgent {
            self.shared.bytes_per_second.store(0, Ordering::Relaxed);
        }
        Box::pin(self.begin(take.is_urgent))
    }
}

impl Handler<ListDue> for Snapshots {
    type Result = ResponseFuture<Result<Vec<DueSnapshot>, SnapshotError>>;

    fn handle(&mut self, _: ListDue, _: &mut Self::Context) -> Self::Result {
        let shared = self.shared.clone();
        Box::pin(async move {
            let manifest = shared.manifest.lock().await;
            let mut due = Vec::new();
            for tenant in shared.directory.kept() {
                match tenant.view().await {
                    Ok(view)
                        if is_wanted(&shared, &manifest, tenant.uid(), view.version, false) =>
                    {
                        due.push(due_snapshot(&shared, &manifest, &tenant, &view));
                    }
                    Ok(_) | Err(TenantError::Gone) => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Ok(due)
        })
    }
}

fn due_snapshot(
    shared: &Shared,
    manifest: &Manifest,
    tenant: &TenantHandle,
    view: &super::catalog::StateView,
) -> DueSnapshot {
    let file = snapshot::free_name(&shared.dir, tenant.uid(), view.version);
    let kept_before: Vec<String> =
        manifest.of(tenant.uid()).iter().map(|entry| entry.file.clone()).collect();
    let kept_after =
        std::iter::once(&file).chain(&kept_before).take(manifest::KEPT).cloned().collect();
    let users = u64::try_from(view.user_count).unwrap_or(u64::MAX);
    DueSnapshot { tenant: tenant.id().to_owned(), file, users, kept_before, kept_after }
}

impl Handler<SnapshotSettings> for Snapshots {
    type Result = ();

    fn handle(&mut self, settings: SnapshotSettings, _: &mut Self::Context) {
        self.shared.bytes_per_second.store(settings.bytes_per_second, Ordering::Relaxed);
        self.settings = settings;
    }
}

/// Dumps every tenant that changed, those first that hold back the journal.
async fn round(
    shared: &Arc<Shared>,
    is_urgent: bool,
) -> Result<Vec<SnapshotReport>, SnapshotError> {
    // One round at a time: the manifest is held for all of it.
    let mut manifest = shared.manifest.lock().await;
    shared.counted.store(sum_of_versions(&shared.directory), Ordering::Relaxed);
    let mut tenants = shared.directory.kept();
    let living: Vec<TenantUid> = tenants.iter().map(TenantHandle::uid).collect();
    forget_the_dead(shared, &mut manifest, &living)?;
    let first = manifest.holding_back(living.iter().copied());
    tenants.sort_by_key(|tenant| !first.contains(&tenant.uid()));
    let mut reports = Vec::new();
    for tenant in &tenants {
        match dump(shared, &mut manifest, tenant, is_urgent).await {
            Ok(report) => reports.extend(report),
            // A tenant deleted meanwhile has nothing left to keep.
            Err(SnapshotError::Tenant(TenantError::Gone)) => {}
            Err(error) => return Err(error),
        }
    }
    manifest.store(&shared.dir)?;
    if shared.fixed_lsn.is_none() {
        // Asked again: of a tenant made meanwhile the journal is all there is.
        let living = shared.directory.kept();
        let upto = Lsn::new(manifest.replay_from(living.iter().map(TenantHandle::uid)));
        // A history that failed holds nothing back: it is built anew.
        let safe = shared.history.as_ref().and_then(|history| history.persisted());
        shared.journal.purge(safe.map_or(upto, |safe| safe.min(upto)))?;
    }
    // At a shutdown there is no time for it: it is done after the next start.
    if !is_urgent {
        compact(shared, &mut manifest).await?;
    }
    Ok(reports)
}

fn forget_the_dead(
    shared: &Shared,
    manifest: &mut Manifest,
    living: &[TenantUid],
) -> Result<(), StoreError> {
    let dead: Vec<TenantUid> =
        manifest.tenants.keys().copied().filter(|uid| !living.contains(uid)).collect();
    for uid in dead {
        let (fresh, files) = manifest.without_tenant(uid);
        fresh.store(&shared.dir)?;
        *manifest = fresh;
        shared.state.all().remove(&uid);
        remove(shared, &files);
    }
    Ok(())
}

async fn dump(
    shared: &Arc<Shared>,
    manifest: &mut Manifest,
    tenant: &TenantHandle,
    is_urgent: bool,
) -> Result<Option<SnapshotReport>, SnapshotError> {
    // Read before the view is taken: every change up to here is in the view.
    let lsn = shared.lsn();
    let view = tenant.view().await?;
    let uid = tenant.uid();
    if !is_wanted(shared, manifest, uid, view.version, is_urgent) {
        *manifest = manifest.with_unchanged(uid, view.version, lsn);
        return Ok(None);
    }
    write(shared, manifest, tenant, lsn, view).await.map(Some)
}

/// Whether a round dumps a tenant that is at this version.
fn is_wanted(
    shared: &Shared,
    manifest: &Manifest,
    uid: TenantUid,
    version: Version,
    is_urgent: bool,
) -> bool {
    let entries = manifest.of(uid);
    let is_kept = entries.first().is_some_and(|newest| newest.version == version);
    // A second, equal dump is worth its bytes only where the older one holds the journal back.
    let is_pinned = entries.get(1).is_none_or(|older| older.version != version)
        && shared.journal.stats().segments > 1
        && manifest.holding_back([uid]).contains(&uid);
    // A tenant in which nothing was ever changed is worth one only if it holds the journal back.
    (version != Version::ZERO && !is_kept) || (is_pinned && !is_urgent)
}

/// Dumps a tenant whether it changed or not.
pub(super) async fn dump_anew(
    shared: &Arc<Shared>,
    manifest: &mut Manifest,
    tenant: &TenantHandle,
) -> Result<SnapshotReport, SnapshotError> {
    let lsn = shared.lsn();
    let view = tenant.view().await?;
    write(shared, manifest, tenant, lsn, view).await
}

/// Writes a view that has everything up to `lsn`, and names it in the manifest.
async fn write(
    shared: &Arc<Shared>,
    manifest: &mut Manifest,
    tenant: &TenantHandle,
    lsn: u64,
    view: super::catalog::StateView,
) -> Result<SnapshotReport, SnapshotError> {
    let (started, uid) = (Instant::now(), tenant.uid());
    let header = Header { uid, version: view.version, lsn, created: (shared.clock)() };
    let written = on_a_quiet_thread(shared.clone(), header, view).await?;
    let entry = Entry {
        file: written.file.clone(),
        version: header.version,
        lsn,
        created: header.created,
        users: written.users,
        bytes: written.bytes,
    };
    let newest = NewestSnapshot { entry: entry.clone(), took: Some(started.elapsed()) };
    let (fresh, dropped) = manifest.with_snapshot(uid, entry);
    fresh.store(&shared.dir)?;
    *manifest = fresh;
    // It was read again and held against its checksums before it got its name.
    shared.state.checks.note(&newest.entry.file, Check { at: (shared.clock)(), flaw: None });
    shared.state.all().insert(uid, newest);
    remove(shared, &dropped);
    let report = SnapshotReport {
        tenant: tenant.id().to_owned(),
        file: written.file,
        users: written.users,
        bytes: written.bytes,
        took: started.elapsed(),
    };
    log::info!(tenant = report.tenant, file = report.file, users = report.users, bytes = report.bytes, took:? = report.took; "snapshot taken");
    Ok(report)
}

/// Files that no longer count only take space: failing to remove one is no failure.
pub(super) fn remove(shared: &Shared, files: &[String]) {
    for file in files {
        shared.state.checks.forget(file);
        if let Err(error) = std::fs::remove_file(shared.dir.snapshots().join(file)) {
            log::warn!(file, error:% = error; "an old snapshot could not be removed");
        }
    }
}

/// Writes a view on a thread of the lowest priority.
async fn on_a_quiet_thread(
    shared: Arc<Shared>,
    header: Header,
    view: super::catalog::StateView,
) -> Result<snapshot::Written, SnapshotError> {
    let (done, written) = oneshot::channel();
    let work = move || {
        priority::give_way(priority::LOWEST);
        let mut pace = Throttle { shared: &shared };
        let outcome = snapshot::write(
            &shared.dir,
            header,
            &mut view.pieces(),
            &view.clients_ref(),
            &view.resources_ref(),
            &mut pace,
        );
        // Nobody waits any more when the server was stopped at once.
        let _stopped = done.send(outcome).is_err();
    };
    std::thread::Builder::new()
        .name("snapshot".to_owned())
        .spawn(work)
        .map_err(|_| SnapshotError::Thread)?;
    Ok(written.await.map_err(|_| SnapshotError::Thread)??)
}

/// Sleeps so that no more than the allowed bytes are written in a second.
struct Throttle<'a> {
    shared: &'a Shared,
}

impl Pace for Throttle<'_> {
    #[expect(
        clippy::disallowed_methods,
        reason = "a pace is kept by waiting, on a thread of its own"
    )]
    fn step(&mut self, bytes: u64, took: Duration) {
        let limit = self.shared.bytes_per_second.load(Ordering::Relaxed);
        if let Some(nanos) = bytes.saturating_mul(1_000_000_000).checked_div(limit) {
            let due = Duration::from_nanos(nanos);
            std::thread::sleep(due.saturating_sub(took));
        }
    }
}
