//! All floors of the server in this process, over a disk the test controls.

use actix_web::http::header::HeaderMap;
use actix_web::{App, test, web};
use dossier::config::Settings;
use dossier::domain::history::Keep;
use dossier::domain::policy::Rules;
use dossier::domain::scope::Scope;
use dossier::domain::time::{Timestamp, Version};
use dossier::http::dispatch::dispatch;
use dossier::http::services::{Addresses, Services};
use dossier::http::tokens::{Audience, Claims, KeyRing, SigningKey, TokenTenant};
use dossier::journal::testing::SimDisk;
use dossier::journal::{Disk, Embedded, Journal, Lsn, Options};
use dossier::store::data_dir::DataDir;
use dossier::store::format::{self, TenantUid};
use dossier::tenant::history::{History, HistoryParts, Source};
use dossier::tenant::{self, Directory, Limits, Restored, Seeds, TenantHandle};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The time in every house.
pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// The client every token is issued to.
const CLIENT: &str = "global";

/// Two RSA keys cost more than a hundred houses.
static RING: OnceLock<KeyRing> = OnceLock::new();

/// A server without a socket.
pub(crate) struct House {
    pub(crate) directory: Arc<Directory>,
    pub(crate) services: web::Data<Services>,
    /// What its clocks show.
    pub(crate) clocks: Clocks,
    /// Where its history lies, if it has one.
    folder: Option<tempfile::TempDir>,
}

/// The two clocks of a house: one that can be set, and one that only goes on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clocks {
    /// How far the first is off [`NOW`], and the second from zero, in milliseconds.
    wall_ms: Arc<AtomicI64>,
    steady_ms: Arc<AtomicU64>,
}

impl Clocks {
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millis(NOW.millis() + self.wall_ms.load(Ordering::Acquire))
    }

    fn passed(&self) -> Duration {
        Duration::from_millis(self.steady_ms.load(Ordering::Acquire))
    }

    /// Lets time pass.
    pub(crate) fn pass(&self, time: Duration) {
        let millis = u64::try_from(time.as_millis()).unwrap();
        self.steady_ms.fetch_add(millis, Ordering::AcqRel);
        self.wall_ms.fetch_add(i64::try_from(millis).unwrap(), Ordering::AcqRel);
    }

    /// Sets the wall clock forward or back.
    pub(crate) fn set(&self, by_seconds: i64) {
        self.wall_ms.fetch_add(by_seconds * 1000, Ordering::AcqRel);
    }
}

/// A status and the body that came with it.
pub(crate) type Told = (u16, Value);

impl House {
    /// Opens what is on a disk. Must be called inside of an actix system.
    pub(crate) async fn open(disk: &SimDisk) -> Self {
        Self::open_with(disk, options()).await
    }

    /// Opens what is on a disk, with a history that is built anew.
    pub(crate) async fn with_history(disk: &SimDisk) -> Self {
        Self::build(disk, options(), Some(tempfile::tempdir().unwrap())).await
    }

    /// The house of the next process, on a disk with what this one left: with the history that is
    /// there, or with one that is built anew.
    pub(crate) async fn reopened(mut self, disk: &SimDisk, keeps_history: bool) -> Self {
        if let Some(history) = &self.services.history {
            history.stop();
        }
        let folder = self.folder.take().filter(|_| keeps_history);
        let folder = folder.unwrap_or_else(|| tempfile::tempdir().unwrap());
        let clocks = self.clocks.clone();
        drop(self);
        let (journal, restored) = reopen(disk, &options());
        Self::assemble(&clocks, Arc::new(journal), restored, Some(folder)).await
    }

    /// Opens what is on a disk with these options of the journal.
    pub(crate) async fn open_with(disk: &SimDisk, options: Options) -> Self {
        Self::build(disk, options, None).await
    }

    async fn build(disk: &SimDisk, options: Options, folder: Option<tempfile::TempDir>) -> Self {
        let (journal, restored) = reopen(disk, &options);
        Self::assemble(&Clocks::default(), Arc::new(journal), restored, folder).await
    }

    /// Opens with this state over this journal.
    pub(crate) async fn over(journal: Arc<dyn Journal>, restored: Restored) -> Self {
        Self::at(&Clocks::default(), journal, restored).await
    }

    /// Opens with these clocks.
    pub(crate) async fn at(clocks: &Clocks, journal: Arc<dyn Journal>, restored: Restored) -> Self {
        Self::assemble(clocks, journal, restored, None).await
    }

    async fn assemble(
        clocks: &Clocks,
        journal: Arc<dyn Journal>,
        restored: Restored,
        folder: Option<tempfile::TempDir>,
    ) -> Self {
        let limits = Limits {
            mailbox: 8192,
            reply_timeout: Duration::from_mins(1),
            in_flight_bytes: 1 << 20,
            workers: 1,
        };
        let arbiters = vec![actix_rt::Arbiter::current()];
        let rules = Box::new(|_: &_| Rules::default());
        let directory = Arc::new(Directory::start(
            restored.states,
            journal.clone(),
            arbiters,
            limits,
            16,
            rules,
        ));
        tenant::seed(directory.default_tenant(), seeds(""), NOW).await.unwrap();
        let addresses = Addresses { http: "127.0.0.1:80".to_owned(), https: None };
        let mut settings = Settings::default();
        settings.test.enabled = true;
        let settings = Arc::new(settings);
        let ring = RING.get_or_init(ring).clone();
        let history = folder.as_ref().map(|folder| history(folder.path(), &directory, &journal));
        let (wall, steady) = (clocks.clone(), clocks.clone());
        let clock = Box::new(move || wall.now());
        let services = Services::new(directory.clone(), journal, ring, settings, addresses, clock);
        let services = services.with_history(history);
        let services = services.with_steady(Box::new(move || steady.passed()));
        services.is_ready.store(true, Ordering::Release);
        Self { directory, services: web::Data::new(services), clocks: clocks.clone(), folder }
    }

    /// The default tenant.
    pub(crate) fn tenant(&self) -> &TenantHandle {
        self.directory.default_tenant()
    }

    /// Sends a request by a machine that may do everything.
    pub(crate) fn send(
        &self,
        method: &str,
        target: &str,
        body: &str,
    ) -> impl Future<Output = Told> + use<> {
        let bearer = format!("Bearer {}", self.token(self.tenant(), &everything()));
        let headers = [("Authorization", bearer.as_str()), JSON];
        self.ask("localhost", method, target, &headers, body)
    }

    /// Sends a request with these headers to this host.
    pub(crate) fn ask(
        &self,
        host: &str,
        method: &str,
        target: &str,
        headers: &[(&'static str, &str)],
        body: &str,
    ) -> impl Future<Output = Told> + use<> {
        let told = self.hear(host, method, target, headers, body);
        async move {
            let (status, _, body) = told.await;
            (status, body)
        }
    }

    /// The same, with the headers of the answer.
    pub(crate) fn hear(
        &self,
        host: &str,
        method: &str,
        target: &str,
        headers: &[(&'static str, &str)],
        body: &str,
    ) -> impl Future<Output = (u16, HeaderMap, Value)> + use<> {
        let services = self.services.clone();
        let mut request = test::TestRequest::with_uri(target)
            .method(method.parse().unwrap())
            .insert_header(("Host", host))
            .set_payload(body.to_owned());
        for header in headers {
            request = request.append_header(*header);
        }
        let request = request.to_request();
        async move {
            let app = App::new().app_data(services).default_service(web::to(dispatch));
            let app = test::init_service(app).await;
            let response = test::call_service(&app, request).await;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let kind = headers.get("content-type");
            if kind.is_some_and(|kind| kind == "text/event-stream") {
                // It goes on for minutes.
                return (status, headers, Value::Null);
            }
            let body = test::read_body(response).await;
            (status, headers, serde_json::from_slice(&body).unwrap_or(Value::Null))
        }
    }

    /// The host a tenant of this house is asked at.
    pub(crate) fn host(tenant: &TenantHandle) -> String {
        if tenant.uid() == TenantUid::DEFAULT {
            "localhost".to_owned()
        } else {
            format!("{}.localhost", tenant.id())
        }
    }

    /// A token of a tenant's global client with these scopes.
    pub(crate) fn token(&self, tenant: &TenantHandle, scopes: &[&str]) -> String {
        self.sign(tenant, &claims(tenant, scopes))
    }

    /// Signs claims as a tenant.
    pub(crate) fn sign(&self, tenant: &TenantHandle, claims: &impl serde::Serialize) -> String {
        let tenant = TokenTenant { uid: tenant.uid().0, id: tenant.id() };
        self.services.keys().sign(tenant, claims)
    }
}

/// A history in a folder that keeps everything.
fn history(folder: &Path, directory: &Directory, journal: &Arc<dyn Journal>) -> Arc<History> {
    let tenants = directory.tenants();
    let living = tenants.iter().map(|tenant| (tenant.uid(), tenant.published().version()));
    let parts = HistoryParts {
        folder: folder.join("history"),
        dir: Arc::new(DataDir::open(&folder.join("data")).unwrap().0),
        journal: journal.clone(),
        source: Source::Lasting,
        living: living.collect(),
        keep: Box::new(|_| Keep { versions: 0, age_ms: 0, bytes: 0 }),
        clock: Box::new(|| NOW),
    };
    Arc::new(History::start(parts).unwrap())
}

/// The header of a body of JSON.
pub(crate) const JSON: (&str, &str) = ("Content-Type", "application/json");

/// The names of all scopes.
pub(crate) fn everything() -> Vec<&'static str> {
    Scope::all().map(Scope::name).collect()
}

/// The claims of a good token.
pub(crate) fn claims(tenant: &TenantHandle, scopes: &[&str]) -> Claims {
    let host = House::host(tenant);
    let client = published_client(tenant);
    Claims {
        iss: format!("http://{host}/"),
        sub: format!("{client}@clients"),
        aud: Audience::One(format!("http://{host}/api/v2/")),
        iat: NOW.seconds(),
        exp: NOW.seconds() + 3600,
        nbf: None,
        scope: scopes.join(" "),
        gty: Some("client-credentials".to_owned()),
        azp: Some(client),
    }
}

/// The global client, which every tenant has.
fn published_client(tenant: &TenantHandle) -> String {
    let clients = tenant.published().clients();
    clients.iter().find(|client| client.is_global).unwrap().id.clone()
}

/// A journal that shows its corners soon: small segments, little space taken ahead.
pub(crate) fn options() -> Options {
    Options {
        segment_bytes: 16 << 10,
        preallocate_bytes: 2 << 10,
        probe_interval: Duration::from_millis(1),
        gather: false,
        ..Options::new(7)
    }
}

/// The journal on a disk and the state it leads to; there are no snapshots.
pub(crate) fn reopen(disk: &SimDisk, options: &Options) -> (Embedded, Restored) {
    let disk: Arc<dyn Disk> = Arc::new(disk.clone());
    let (journal, _) = Embedded::open(disk, options).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (dir, _) = DataDir::open(&folder.path().join("data")).unwrap();
    let restored = tenant::restore(&dir, &journal, 1).unwrap();
    (journal, restored)
}

/// The versions in a journal, tenant by tenant, in their order.
pub(crate) fn versions(journal: &dyn Journal) -> BTreeMap<TenantUid, Vec<Version>> {
    let mut found: BTreeMap<TenantUid, Vec<Version>> = BTreeMap::new();
    let mut visit = |_: Lsn, bytes: &[u8]| {
        let (uid, version) = format::peek_change(bytes).unwrap();
        found.entry(uid).or_default().push(version);
        ControlFlow::Continue(())
    };
    journal.replay(Lsn::ZERO, &mut visit).unwrap();
    found
}

/// Identifiers for the first things of a tenant.
pub(crate) fn seeds(tenant: &str) -> Seeds {
    Seeds {
        connection_id: format!("con_{tenant}0000000000000000"),
        global_client_id: format!("{CLIENT}{tenant}"),
        global_client_secret: "not used by any test".to_owned(),
    }
}

fn ring() -> KeyRing {
    let pem = SigningKey::generate_pem().unwrap();
    KeyRing::new(SigningKey::from_pem(&pem).unwrap(), None, Vec::new())
}
