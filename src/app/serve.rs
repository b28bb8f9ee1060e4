//! Running: bind, tell, serve, and stop without losing anything.

use super::banner::Banner;
use super::listen::{bind, http_server, listen_securely, local_address, threads};
use super::open::{self, Opened};
use super::operate::{Operator, Reload, snapshot_settings};
use super::tls::Made;
use super::{AppError, clock, declare, descriptors, expire, logging, memory, space};
use crate::config::{Durability, Loaded, OnIoError, Settings, StorageMode};
use crate::http::dashboard::{Dashboard, assets, first_link};
use crate::http::operate::{OperationFailed, Operations};
use crate::http::services::{Addresses, Services};
use crate::http::v2::jobs;
use crate::journal::{Health, Journal, Progress};
use crate::store::reserve::Reserve;
use crate::tenant::{SnapshotParts, SnapshotState, Snapshots, TakeSnapshots};
use actix::{Actor, Addr, Arbiter};
use actix_web::dev::{Server, ServerHandle};
use actix_web::web;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What is told once requests are taken.
#[derive(Debug)]
pub struct Started {
    /// The banner, for people.
    pub banner: String,
    /// Base address of plain HTTP.
    pub url: String,
    /// Base address of HTTPS, if it is on.
    pub https: Option<String>,
    /// The development CA, if there is one.
    pub ca: Option<PathBuf>,
}

/// Serves until a signal ends it.
///
/// `tell` is called once requests are taken.
///
/// # Errors
/// [`AppError`] when it cannot start, or ends on its own.
pub async fn serve(
    loaded: Loaded,
    reload: Arc<Reload>,
    tell: impl FnOnce(&Started),
) -> Result<(), AppError> {
    let settings = Arc::new(loaded.settings.clone());
    // Before anything else: these never end the process, not even while it starts.
    let hangup = signal(SignalKind::hangup()).map_err(AppError::Server)?;
    let user = signal(SignalKind::user_defined1()).map_err(AppError::Server)?;
    logging::start(settings.log.level, settings.log.format);
    descriptors::raise();
    // Whatever is made from here on is for its owner alone, also by libraries that do not say so.
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
    refuse_open_test_mode(&settings)?;
    for warning in &loaded.warnings {
        log::warn!("{}", warning.0.message);
    }
    let mut opened = open::open(&settings)?;
    warn_of(&opened);
    let arbiters: Vec<Arbiter> =
        (0..threads(settings.actor.arbiters)).map(|_| Arbiter::new()).collect();
    let handles = arbiters.iter().map(Arbiter::handle).collect();
    let directory = open::start_tenants(&settings, &mut opened, handles);
    let history = open::start_history(&settings, &opened, &directory);
    declare::declare(&settings, &directory, opened.dir.root()).await?;

    let http = bind(&settings.server.listen.to_string())?;
    let https = listen_securely(&settings, &opened)?;
    let addresses = Addresses {
        http: local_address(&http),
        https: https.as_ref().map(|(listener, ..)| local_address(listener)),
    };
    let state = Arc::new(SnapshotState::default());
    let running = Arc::new(Mutex::new(loaded.clone()));
    let services = Services::new(
        directory.clone(),
        opened.journal.clone(),
        opened.keys.ring().clone(),
        settings.clone(),
        addresses.clone(),
        Box::new(clock::now),
    );
    let services = services.with_dashboard(dashboard(running.clone(), &settings, state.clone()));
    let services = web::Data::new(services.with_history(history));
    let (snapshots, snapshot_arbiter) = start_snapshots(&settings, &mut opened, &services, state);
    let secure = https.as_ref().map(|(listener, config, _)| (listener, config.clone()));
    let server = http_server(&settings, &services, &http, secure)?;
    let handle = server.handle();
    let mut signals = Signals::heard(hangup, user).map_err(AppError::Server)?;
    jobs::resume(&services);
    let expiry = actix_web::rt::spawn(expire::watch(services.clone()));
    let reserve = space::begin(wanted_reserve(&settings, &opened), &services);
    let spaces = actix_web::rt::spawn(space::watch(reserve.clone(), services.clone()));
    services.is_ready.store(true, Ordering::Release);
    let ca = https
        .as_ref()
        .and_then(|(_, _, ca)| ca.as_ref().map(|(path, made)| (path.as_path(), *made)));
    let link = dashboard_link(&settings, &opened, &services);
    tell(&started(&loaded, &opened, &addresses, ca, link.as_deref()));

    // The folder stays locked until the end.
    let Opened { dir, keys, journal, .. } = opened;
    let files = (dir.clone(), keys);
    let operator = Operator::new(services.clone(), snapshots.clone(), files, running, reload);
    services.set_operations(Some(Arc::new(operator)));
    let (ended, until) = run(server, handle, &services, &settings, &mut signals).await;
    services.set_operations(None);
    expiry.abort();
    spaces.abort();
    log::info!("no requests are left: a last snapshot, a last sync");
    let given_back = async {
        let Some(reserve) = reserve else { return };
        match tokio::time::timeout(AT_LEAST, web::block(move || reserve.give_back())).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(error))) => {
                log::warn!(error:% = error; "the reserve cannot be given back; the next start does");
            }
            Ok(Err(_)) | Err(_) => {
                log::warn!("the reserve cannot be given back in time; the next start does");
            }
        }
    };
    tokio::select! {
        () = async {
            given_back.await;
            stop(&settings, &services, snapshots.as_ref(), journal, until).await;
        } => {}
        _ = signals.terminate.recv() => exit_at_once(),
        _ = signals.interrupt.recv() => exit_at_once(),
    }
    drop((snapshot_arbiter, dir));
    ended
}

/// The space to hold for a full disk; none where nothing is on disk, or none is wanted.
fn wanted_reserve(settings: &Settings, opened: &Opened) -> Option<Reserve> {
    let is_wanted =
        settings.storage.mode == StorageMode::Disk && settings.storage.reserve_bytes > 0;
    is_wanted.then(|| open::reserve(settings, &opened.dir))
}

/// What the dashboard is told of this server.
fn dashboard(
    loaded: Arc<Mutex<Loaded>>,
    settings: &Settings,
    snapshots: Arc<SnapshotState>,
) -> Dashboard {
    assets::warm_up();
    // For work on the pages: they are read from this folder and need no new build.
    let read = std::env::var_os("DOSSIER_UI_DIR").map(|folder| {
        let folder = PathBuf::from(folder);
        log::warn!(folder:% = folder.display(); "the dashboard is read from disk");
        let read: Box<assets::ReadAsset> =
            Box::new(move |path| std::fs::read(folder.join(path)).ok());
        read
    });
    Dashboard {
        loaded,
        snapshots,
        is_memory: settings.storage.mode == StorageMode::Memory,
        memory: Some(Box::new(memory::resident_bytes)),
        started: clock::now(),
        read,
        ..Dashboard::default()
    }
}

/// A link for whoever starts the server for the first time, if they can see it; a log must not hold one.
fn dashboard_link(settings: &Settings, opened: &Opened, services: &Services) -> Option<String> {
    if !settings.dashboard.enabled {
        return None;
    }
    let base = format!("http://{}", services.addresses.http);
    if opened.created.is_new && std::io::stderr().is_terminal() {
        return Some(first_link(services, &base));
    }
    log::info!(
        "the dashboard is at {base}/ui/; print a link that signs you in with: dossier login-link"
    );
    None
}

fn refuse_open_test_mode(settings: &Settings) -> Result<(), AppError> {
    if settings.test.enabled && !settings.server.listen.is_loopback() {
        return Err(AppError::TestBeyondLoopback(settings.server.listen.to_string()));
    }
    Ok(())
}

fn warn_of(opened: &Opened) {
    for open in &opened.created.open_to_others {
        log::warn!("{open}");
    }
    for warning in &opened.restored.report.warnings {
        log::warn!("{warning}");
    }
    if let Some(torn) = &opened.torn {
        log::warn!("{torn}");
    }
    if opened.keys.was_made() && !opened.created.is_new {
        log::warn!(
            "there were no signing keys, new ones were made: every older token is worthless from now on"
        );
    }
}

fn start_snapshots(
    settings: &Settings,
    opened: &mut Opened,
    services: &Services,
    state: Arc<SnapshotState>,
) -> (Option<Addr<Snapshots>>, Option<Arbiter>) {
    if settings.storage.mode == StorageMode::Memory {
        return (None, None);
    }
    let parts = SnapshotParts {
        directory: services.directory.clone(),
        dir: opened.dir.clone(),
        journal: opened.journal.clone(),
        manifest: std::mem::take(&mut opened.restored.manifest),
        clock: Box::new(clock::now),
        fixed_lsn: opened.fixed_lsn,
        history: services.history.clone(),
        state,
    };
    let own = snapshot_settings(settings);
    let arbiter = Arbiter::new();
    let snapshots =
        Snapshots::start_in_arbiter(&arbiter.handle(), move |_| Snapshots::new(parts, own));
    (Some(snapshots), Some(arbiter))
}

fn started(
    loaded: &Loaded,
    opened: &Opened,
    addresses: &Addresses,
    ca: Option<(&std::path::Path, Made)>,
    dashboard: Option<&str>,
) -> Started {
    let settings = &loaded.settings;
    let report = &opened.restored.report;
    let url = format!("http://{}", addresses.http);
    let https = addresses.https.as_ref().map(|address| {
        let port = address.rsplit_once(':').map_or("", |(_, port)| port);
        format!("https://localhost:{port}")
    });
    let snapshots = if settings.snapshot.interval.is_zero() {
        "snapshots on request".to_owned()
    } else {
        format!("snapshot every {:?}", settings.snapshot.interval)
    };
    let banner = Banner {
        config: loaded.file.as_deref(),
        data_dir: &settings.storage.data_dir,
        is_first: opened.created.is_new,
        keys_made: opened.keys.was_made(),
        tenants: report.tenants,
        users: report.users,
        from_snapshots: report.from_snapshots,
        replayed: report.replayed,
        took: opened.took,
        http: &url,
        https: https.as_deref().map(|address| (address, ca)),
        dashboard,
        workers: threads(settings.server.workers),
        snapshots: &snapshots,
        is_memory: settings.storage.mode == StorageMode::Memory,
    }
    .text();
    Started { banner, url, https, ca: ca.map(|(path, _)| path.to_path_buf()) }
}

/// The signals that mean something here, heard from before it is told that requests are taken.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    user: Signal,
}

impl Signals {
    fn heard(hangup: Signal, user: Signal) -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup,
            user,
        })
    }
}

/// How long clients are told that each answer is the last one before connections are closed.
const NOTICE: Duration = Duration::from_millis(100);

/// Runs until SIGTERM or SIGINT, then drains; a second signal ends the process at once. Says until
/// when everything else should be done.
async fn run(
    server: Server,
    handle: ServerHandle,
    services: &Services,
    settings: &Settings,
    signals: &mut Signals,
) -> (Result<(), AppError>, Instant) {
    let Signals { terminate, interrupt, hangup, user } = signals;
    let grace = settings.server.shutdown_grace;
    // Spawned, so that it goes on working while it is asked to stop.
    let mut server = actix_web::rt::spawn(server);
    let ended = loop {
        tokio::select! {
            ended = &mut server => {
                let ended = ended.map_err(std::io::Error::other).flatten();
                return (ended.map_err(AppError::Server), Instant::now() + grace);
            }
            reason = failure_that_ends(services, settings) => break Err(AppError::DiskFailed(reason)),
            _ = terminate.recv() => break Ok(()),
            _ = interrupt.recv() => break Ok(()),
            _ = hangup.recv() => on_signal(services, "SIGHUP", |operations| async move { operations.reload(false).await.map(drop) }),
            _ = user.recv() => on_signal(services, "SIGUSR1", |operations| async move { operations.take_snapshots().await.map(drop) }),
        }
    };
    log::info!("stopping: no new connections, finishing what is in flight");
    let until = Instant::now() + grace;
    services.is_stopping.store(true, Ordering::Release);
    services.is_ready.store(false, Ordering::Release);
    let drained = tokio::time::timeout(grace, async {
        // Who is about to send the next request on a connection learns from the answer to this one
        // that it is the last; on a connection closed beneath it, it would only see a reset.
        tokio::time::sleep(NOTICE).await;
        handle.stop(true).await;
    });
    tokio::select! {
        _ = drained => {}
        _ = terminate.recv() => exit_at_once(),
        _ = interrupt.recv() => exit_at_once(),
    }
    (ended, until)
}

/// Waits for a failure of the journal after which the server is to end, and tells what it was.
async fn failure_that_ends(services: &Services, settings: &Settings) -> String {
    if settings.journal.on_io_error == OnIoError::Exit {
        let mut progress = services.journal.progress();
        if let Ok(progress) = progress.wait_for(Progress::is_poisoned).await
            && let Health::Poisoned { reason } = &progress.health
        {
            return reason.clone();
        }
    }
    std::future::pending().await
}

/// Does what a signal asks, beside the serving.
fn on_signal<F: Future<Output = Result<(), OperationFailed>> + 'static>(
    services: &Services,
    name: &'static str,
    work: impl FnOnce(Arc<dyn Operations>) -> F,
) {
    let Some(operations) = services.operations() else { return };
    let work = work(operations);
    actix_web::rt::spawn(async move {
        if let Err(error) = work.await {
            log::error!(signal = name, error:% = error; "what the signal asked for failed, nothing was changed");
        }
    });
}

/// The journal has everything that was acknowledged.
fn exit_at_once() {
    log::warn!("second signal: ending at once; nothing acknowledged is lost");
    std::process::exit(0);
}

/// What the last snapshot and the last sync have at least, however long the rest took.
const AT_LEAST: Duration = Duration::from_secs(2);

/// A last snapshot if it fits into the grace, and a last sync. A disk that does not answer is not
/// waited for: nothing that it still owes was acknowledged, but with `journal.durability` at other than "always".
async fn stop(
    settings: &Settings,
    services: &Services,
    snapshots: Option<&Addr<Snapshots>>,
    journal: Arc<dyn Journal>,
    until: Instant,
) {
    let left = || until.saturating_duration_since(Instant::now()).max(AT_LEAST);
    if let (Some(snapshots), true) = (snapshots, settings.snapshot.on_shutdown) {
        // Where the journal keeps nothing a snapshot is all there will be.
        let is_all = settings.journal.durability == Durability::Snapshot;
        let limit = if is_all { left().max(settings.server.shutdown_grace) } else { left() };
        match tokio::time::timeout(limit, snapshots.send(TakeSnapshots { is_urgent: true })).await {
            Ok(Ok(Ok(taken))) => log::info!(snapshots = taken.len(); "final snapshot done"),
            Ok(Ok(Err(_)) | Err(_)) | Err(_) => {
                log::warn!("no final snapshot; the journal has everything");
            }
        }
    }
    let history = services.history.clone();
    let last_sync = move || {
        let flushed = journal.flush();
        if let Some(history) = history {
            history.stop();
        }
        journal.close();
        flushed
    };
    let Ok(synced) = tokio::time::timeout(left(), web::block(last_sync)).await else {
        log::error!("the disk does not answer, ending without a last sync");
        std::process::exit(1);
    };
    match synced {
        Ok(Ok(upto)) => {
            log::info!(lsn:% = upto, requests = services.requests.load(Ordering::Relaxed); "stopped");
        }
        Ok(Err(error)) => log::error!(error:% = error; "the last sync failed"),
        Err(_) => log::error!("the last sync could not be asked for"),
    }
}
