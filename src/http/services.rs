//! What handlers share: the tenants, the keys, the settings, the clock.

use super::budget::Budget;
use super::dashboard::Dashboard;
use super::hashing::Hashing;
use super::incoming::UNFINISHED;
use super::names::KnownNames;
use super::oauth::UsedAssertions;
use super::operate::Operations;
use super::outgoing::{UNSENT, Unsent};
use super::problem::Problem;
use super::rate::Rates;
use super::request_log::RequestLog;
use super::route::Router;
use super::timings::Timings;
use super::tokens::{KeyRing, TokenCache, TokenTenant};
use super::v2::jobs::Exports;
use crate::config::{Overridable, Settings};
use crate::domain::password::{self, PasswordHash};
use crate::domain::time::Timestamp;
use crate::journal::Journal;
use crate::tenant::history::History;
use crate::tenant::{Directory, TenantHandle};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Tells the time; tests have their own.
pub type Clock = dyn Fn() -> Timestamp + Send + Sync;

/// Tells how long it is since some moment, and never goes back; tests have their own.
pub type Steady = dyn Fn() -> Duration + Send + Sync;

/// What handlers share.
pub struct Services {
    /// All tenants.
    pub directory: Arc<Directory>,
    /// Verified tokens.
    pub tokens: TokenCache,
    /// Issuers and audiences by host.
    pub names: KnownNames,
    /// The routes.
    pub router: Router,
    /// The journal, for health and figures.
    pub journal: Arc<dyn Journal>,
    /// Whether everything is restored and nothing is being stopped.
    pub is_ready: AtomicBool,
    /// Set when it stops: every answer is then the last of its connection.
    pub is_stopping: AtomicBool,
    /// How often each client asks.
    pub rates: Rates,
    /// Answers that wait for their clients to read them.
    pub unsent: Arc<Unsent>,
    /// Bodies of requests that are not done with.
    pub unfinished: Arc<Budget>,
    /// Finished exports.
    pub exports: Exports,
    /// How many requests there are and how long they take.
    pub timings: Timings,
    /// Whether the server is for tests of other programs; it takes a restart to change that.
    pub is_test_mode: bool,
    /// The latest requests, in test mode.
    pub request_log: RequestLog,
    /// Requests answered since the start.
    pub requests: AtomicU64,
    /// Where this server can be reached, for issuers, links and the banner.
    pub addresses: Addresses,
    /// What the dashboard keeps for itself.
    pub dashboard: Dashboard,
    /// What users and clients were; none where it is not kept.
    pub history: Option<Arc<History>>,
    /// Who works on passwords.
    pub hashing: Hashing,
    /// Assertions with which clients proved who they are.
    pub assertions: UsedAssertions,
    keys: RwLock<Arc<KeyRing>>,
    settings: RwLock<Arc<Settings>>,
    /// How often they were replaced.
    replaced: AtomicU64,
    clock: Box<Clock>,
    steady: Box<Steady>,
    /// What both clocks said at the start.
    started: (Timestamp, Duration),
    operations: RwLock<Option<Arc<dyn Operations>>>,
}

/// Where this server can be reached.
#[derive(Clone, Debug, Default)]
pub struct Addresses {
    /// `host:port` of plain HTTP.
    pub http: String,
    /// `host:port` of HTTPS.
    pub https: Option<String>,
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Services").field("directory", &self.directory).finish_non_exhaustive()
    }
}

impl Services {
    /// Puts together what handlers share; not ready until [`Self::is_ready`] is set.
    pub fn new(
        directory: Arc<Directory>,
        journal: Arc<dyn Journal>,
        keys: KeyRing,
        settings: Arc<Settings>,
        addresses: Addresses,
        clock: Box<Clock>,
    ) -> Self {
        let hashing_threads = match settings.auth.password_hash_threads {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            threads => threads,
        };
        let begun = Instant::now();
        let started = (clock(), Duration::ZERO);
        Self {
            directory,
            tokens: TokenCache::new(settings.auth.token_cache),
            names: KnownNames::default(),
            router: Router::new(super::dispatch::TABLES),
            journal,
            is_ready: AtomicBool::new(false),
            is_stopping: AtomicBool::new(false),
            rates: Rates::default(),
            unsent: Arc::new(Unsent::new(UNSENT)),
            unfinished: Arc::new(Budget::new(UNFINISHED)),
            exports: Exports::default(),
            timings: Timings::default(),
            is_test_mode: settings.test.enabled,
            request_log: RequestLog::default(),
            requests: AtomicU64::new(0),
            addresses,
            dashboard: Dashboard::default(),
            history: None,
            hashing: Hashing::new(hashing_threads),
            assertions: UsedAssertions::default(),
            keys: RwLock::new(Arc::new(keys)),
            settings: RwLock::new(settings),
            replaced: AtomicU64::new(0),
            clock,
            steady: Box::new(move || begun.elapsed()),
            started,
            operations: RwLock::new(None),
        }
    }

    /// The same with a dashboard that knows more about this server.
    #[must_use]
    pub fn with_dashboard(self, dashboard: Dashboard) -> Self {
        Self { dashboard, ..self }
    }

    /// The same with a history.
    #[must_use]
    pub fn with_history(self, history: Option<Arc<History>>) -> Self {
        Self { history, ..self }
    }

    /// The same with another clock that never goes back.
    #[must_use]
    pub fn with_steady(self, steady: Box<Steady>) -> Self {
        let started = (self.now(), steady());
        Self { steady, started, ..self }
    }

    /// The time by which validity is given and judged, at the time `now`: that, but never less than
    /// what has passed since the start. A clock that is set back lets nothing live longer.
    pub fn valid_at(&self, now: Timestamp) -> Timestamp {
        let passed = i64::try_from(self.up_for().as_millis()).unwrap_or(i64::MAX);
        now.max(Timestamp::from_millis(self.started.0.millis().saturating_add(passed)))
    }

    /// How long the process has been there, whatever the wall clock did meanwhile.
    pub fn up_for(&self) -> Duration {
        (self.steady)().saturating_sub(self.started.1)
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// The settings as they are now.
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts other settings in place.
    pub fn set_settings(&self, settings: Arc<Settings>) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
        self.replaced.fetch_add(1, Ordering::Release);
        self.names.clear();
    }

    /// A number that changes whenever the settings do.
    pub fn generation(&self) -> u64 {
        self.replaced.load(Ordering::Acquire)
    }

    /// What the app does for an operator; none while starting.
    pub fn operations(&self) -> Option<Arc<dyn Operations>> {
        self.operations.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Says what the app does for an operator.
    pub fn set_operations(&self, operations: Option<Arc<dyn Operations>>) {
        *self.operations.write().unwrap_or_else(PoisonError::into_inner) = operations;
    }

    /// The settings a tenant may override.
    pub fn settings_of(&self, tenant: &TenantHandle) -> Overridable {
        self.settings().effective(tenant.id())
    }

    /// What a client of a tenant may ask: requests a second and at once; `None` = as much as it likes.
    pub fn rate_limit_of(&self, tenant: &TenantHandle) -> Option<(u32, u32)> {
        let settings = self.settings();
        let own = settings.tenant(tenant.id()).map(|own| &own.effective.rate_limit);
        let limit = own.unwrap_or(&settings.rate_limit);
        limit.enabled.then_some((limit.rps, limit.burst))
    }

    /// The signing keys as they are now.
    pub fn keys(&self) -> Arc<KeyRing> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Puts other signing keys in place; tokens of keys that left are worth nothing from now on.
    pub fn set_keys(&self, keys: KeyRing) {
        *self.keys.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
        self.tokens.clear();
    }

    /// Whether requests can be served.
    pub fn ready(&self) -> bool {
        self.is_ready.load(Ordering::Acquire) && !self.journal.progress().borrow().is_poisoned()
    }

    /// Hashes a password off the workers, in the tenant's turn. What a caller may not do is refused
    /// before this is asked for.
    ///
    /// # Errors
    /// 503 when too many passwords wait already.
    pub async fn hash_password(
        &self,
        tenant: &TenantHandle,
        plain: String,
    ) -> Result<String, Problem> {
        let salt = super::random::bytes();
        let hash = move || PasswordHash::create(&plain, salt).expose().to_owned();
        Ok(self.hashing.work(tenant.uid(), hash).await?)
    }

    /// Compares a password off the workers, in the tenant's turn; without a stored one it costs the
    /// same and is false.
    ///
    /// # Errors
    /// 503 when too many passwords wait already.
    pub async fn verify_password(
        &self,
        tenant: &TenantHandle,
        plain: String,
        stored: Option<String>,
    ) -> Result<bool, Problem> {
        let verify = move || match stored {
            Some(stored) => PasswordHash::from_stored(stored).verify(&plain),
            None => password::verify_absent(&plain),
        };
        Ok(self.hashing.work(tenant.uid(), verify).await?)
    }
}

/// The tenant as tokens know it.
pub fn token_tenant(tenant: &TenantHandle) -> TokenTenant<'_> {
    TokenTenant { uid: tenant.uid().0, id: tenant.id() }
}
