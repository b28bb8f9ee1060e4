//! The way to one tenant: plain async methods, every wait with a limit.

use super::actor::{
    FindUsers, Limits, PlanSearch, Retire, Search, SetRules, Suggest, Suggested, TakeView, Tenant,
    Write,
};
use super::catalog::{Catalog, StateView};
use super::company::Company;
use super::directory::{by_server, server_provenance};
use super::published::Published;
use super::room::{Place, Room};
use super::space::Space;
use crate::domain::change::{Change, Provenance};
use crate::domain::command::Command;
use crate::domain::condition::Condition;
use crate::domain::decide::{LoginKey, Rejection};
use crate::domain::diff::Difference;
use crate::domain::document::Document;
use crate::domain::permit::Permitted;
use crate::domain::policy::Rules;
use crate::domain::search::{Query, Typed};
use crate::domain::time::{Timestamp, Version};
use crate::domain::user::UserId;
use crate::journal::Journal;
use crate::store::format::TenantUid;
use actix::dev::{MessageResponse, ToEnvelope};
use actix::{Actor, Addr, ArbiterHandle, Handler, MailboxError, Message};
use futures_util::future::join_all;
use std::future::Future;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Instant;
use tokio::sync::{Mutex, oneshot};

/// What a write did.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The tenant's version after it.
    pub version: Version,
    /// The change; none when everything already was as asked.
    pub change: Option<Arc<Change>>,
    /// What a rehearsed change would differ in; empty for a change that was made.
    pub differences: Vec<Difference>,
    /// Whether the key its condition speaks of was not there before.
    pub makes_key: bool,
}

/// Why a tenant did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TenantError {
    /// The rules say no.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// Too much waits for the tenant or the journal.
    #[error("too many writes are waiting")]
    Busy,
    /// There is no space for the journal; nothing was written.
    #[error("the disk is full, nothing was written")]
    DiskFull,
    /// The journal may not grow any more, because snapshots fail; nothing was written.
    #[error("the journal has reached its largest size because snapshots fail, nothing was written")]
    JournalFull,
    /// The journal takes nothing until a restart.
    #[error("a disk failure stopped writing, nothing was written")]
    Poisoned,
    /// A disk failure came between writing and knowing.
    #[error("a disk failure left the outcome of the write unknown until a restart")]
    Unknown,
    /// The write was begun and is not confirmed in time; it may still happen.
    #[error("no answer in time, the outcome of the write is unknown")]
    TimedOut,
    /// The record would be larger than the journal takes.
    #[error("the change would take {actual_bytes} bytes, at most {limit_bytes} are allowed")]
    TooLarge {
        /// Bytes of the record.
        actual_bytes: usize,
        /// Bytes allowed.
        limit_bytes: usize,
    },
    /// The tenant was deleted.
    #[error("the tenant is gone")]
    Gone,
    /// The server met a fault of its own; the tenant is as it was.
    #[error("an internal fault, nothing was changed")]
    Broken,
}

/// A message that waits for its turn, counted until this is dropped.
#[derive(Debug)]
pub(super) struct Waits(Arc<AtomicUsize>);

impl Waits {
    fn one_more(waiting: &Arc<AtomicUsize>) -> Self {
        waiting.fetch_add(1, Ordering::Relaxed);
        Self(waiting.clone())
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether the turn of a write came before its caller gave up: whichever is said first holds, so a
/// caller never hears that nothing was done of something that is.
#[derive(Clone, Debug, Default)]
pub(super) struct Turn(Arc<OnceLock<Option<Instant>>>);

impl Turn {
    /// Says that it has come; false when the caller gave up before.
    pub(super) fn begin(&self) -> bool {
        self.0.set(Some(Instant::now())).is_ok()
    }

    /// Gives up; when it came, if it came before.
    fn give_up(&self) -> Option<Instant> {
        *self.0.get_or_init(|| None)
    }
}

/// Users whose keys are removed in one go: few enough for the mailbox to have room for others.
const EXPIRED_AT_ONCE: usize = 64;

/// What all tenants have in common.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) journal: Arc<dyn Journal>,
    pub(super) limits: Limits,
    pub(super) company: Arc<Company>,
    pub(super) space: Arc<Space>,
}

/// The way to one tenant.
#[derive(Clone, Debug)]
pub struct TenantHandle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    id: String,
    uid: TenantUid,
    address: Addr<Tenant>,
    published: Arc<Published>,
    /// The version of the last change before this process.
    began_at: Version,
    rules: RwLock<Arc<Rules>>,
    limits: Limits,
    /// Held by the one call that removes keys whose time has come.
    expires: Mutex<()>,
    room: Room,
    waiting: Arc<AtomicUsize>,
}

impl TenantHandle {
    /// Starts the actor of a tenant on an arbiter.
    pub(super) fn start(
        id: &str,
        uid: TenantUid,
        catalog: Catalog,
        rules: Arc<Rules>,
        shared: &Shared,
        arbiter: &ArbiterHandle,
    ) -> Self {
        let Shared { journal, limits, company, space } = shared.clone();
        let published = catalog.published().clone();
        let own_rules = rules.clone();
        let address = Tenant::start_in_arbiter(arbiter, move |_| {
            Tenant::new(uid, catalog, own_rules, (journal, space), limits)
        });
        Self(Arc::new(Inner {
            id: id.to_owned(),
            uid,
            address,
            began_at: published.version(),
            published,
            rules: RwLock::new(rules),
            limits,
            expires: Mutex::default(),
            room: Room::new(uid, limits.in_flight_bytes, limits.workers, company),
            waiting: Arc::default(),
        }))
    }

    /// The tenant's name.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// The number of this incarnation of the tenant.
    pub fn uid(&self) -> TenantUid {
        self.0.uid
    }

    /// What readers see: durable, without asking the actor.
    pub fn published(&self) -> &Arc<Published> {
        &self.0.published
    }

    /// Whether a change of this version was made before the process began.
    pub fn is_from_before(&self, version: Version) -> bool {
        version <= self.0.began_at
    }

    /// The tenant's limits and habits.
    pub fn rules(&self) -> Arc<Rules> {
        self.0.rules.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many messages wait for the tenant's turn, and how many may.
    pub fn mailbox(&self) -> (usize, usize) {
        (self.0.waiting.load(Ordering::Relaxed), self.0.limits.mailbox)
    }

    /// Does the work of a request of this tenant, at once or when its time has come.
    ///
    /// # Errors
    /// [`TenantError::Busy`] when a flood of the tenant's own is before it, and a smaller tenant
    /// beside it; the work is not begun then.
    pub async fn pace<W: Future>(&self, work: W) -> Result<W::Output, TenantError> {
        self.0.room.pace(self.0.limits.reply_timeout, work).await
    }

    /// Notes that a body of `size_bytes` was taken; somebody small beside this tenant has to share
    /// the disk with it.
    pub fn weigh(&self, size_bytes: usize) {
        self.0.room.weigh(size_bytes);
    }

    /// Waits for a place among what is worked on for this tenant, for something that costs as much
    /// as a body of `size_bytes`.
    ///
    /// # Errors
    /// [`TenantError::Busy`] when too much waits already, or for too long.
    pub async fn enter(&self, size_bytes: usize) -> Result<Place, TenantError> {
        self.0.room.enter(size_bytes, self.0.limits.reply_timeout).await
    }

    /// Asks for a write and answers once it is durable and published.
    ///
    /// # Errors
    /// [`TenantError`]; after [`TenantError::TimedOut`] and [`TenantError::Unknown`] it may have happened.
    pub async fn write(
        &self,
        command: Permitted<Command>,
        provenance: Provenance,
        now: Timestamp,
    ) -> Result<Answer, TenantError> {
        self.write_if(command, Condition::default(), provenance, now).await
    }

    /// Asks for a write that is done only if a condition holds in the turn that decides it.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn write_if(
        &self,
        command: Permitted<Command>,
        condition: Condition,
        provenance: Provenance,
        now: Timestamp,
    ) -> Result<Answer, TenantError> {
        self.send(command, condition, false, provenance, now).await
    }

    /// Works out what a write would do, in the tenant's turn, and leaves everything as it is.
    ///
    /// # Errors
    /// What the write would say.
    pub async fn rehearse(
        &self,
        command: Permitted<Command>,
        condition: Condition,
        provenance: Provenance,
        now: Timestamp,
    ) -> Result<Answer, TenantError> {
        self.send(command, condition, true, provenance, now).await
    }

    async fn send(
        &self,
        command: Permitted<Command>,
        condition: Condition,
        is_rehearsal: bool,
        provenance: Provenance,
        now: Timestamp,
    ) -> Result<Answer, TenantError> {
        let (reply, mut answer) = oneshot::channel();
        let waits = Waits::one_more(&self.0.waiting);
        let turn = Turn::default();
        let own = turn.clone();
        self.0
            .address
            .try_send(Write {
                command,
                provenance,
                condition,
                is_rehearsal,
                now,
                reply,
                waits,
                turn,
            })
            .map_err(|error| match error {
                actix::prelude::SendError::Full(_) => TenantError::Busy,
                actix::prelude::SendError::Closed(_) => TenantError::Gone,
            })?;
        let limit = self.0.limits.reply_timeout;
        let unknown = if is_rehearsal { TenantError::Busy } else { TenantError::TimedOut };
        if let Ok(answered) = tokio::time::timeout(limit, &mut answer).await {
            // An actor that ends in the middle of it leaves the outcome open.
            return answered.map_err(|_| own.give_up().map_or(TenantError::Gone, |_| unknown))?;
        }
        // What never began is refused and never done; what did has its own time from then on.
        let begun = own.give_up().ok_or(TenantError::Busy)?;
        let left = limit.saturating_sub(begun.elapsed());
        tokio::time::timeout(left, answer)
            .await
            .map_or(Err(unknown.clone()), |answered| answered.unwrap_or(Err(unknown)))
    }

    /// Removes the keys whose time has come, each user's in a change of its own; returns when
    /// readers no longer see them. Costs one look while there are none.
    ///
    /// # Errors
    /// [`TenantError`] when the removal could not be made; the keys stay until it can.
    pub async fn expire(&self, now: Timestamp) -> Result<(), TenantError> {
        let expiring = self.0.published.expiring();
        if !expiring.is_due(now) {
            return Ok(());
        }
        let _one_at_a_time = self.0.expires.lock().await;
        let mut last = Vec::new();
        loop {
            let due = expiring.due(now, EXPIRED_AT_ONCE);
            if due.is_empty() {
                return Ok(());
            }
            if due == last {
                log::error!(tenant = self.id(), users = due.len(); "keys stayed after their time, this is a fault");
                return Err(TenantError::Broken);
            }
            let removals = due.iter().map(|id| {
                let command = Command::ExpireKeys { id: UserId::trusted(id) };
                let reason = Some("its time had come".to_owned());
                let provenance = Provenance { reason, ..server_provenance() };
                self.write(by_server(command), provenance, now)
            });
            for removed in join_all(removals).await {
                removed?;
            }
            last = due;
        }
    }

    /// The whole tenant at one version, with every write acknowledged before the call.
    ///
    /// # Errors
    /// When the actor is too busy or gone.
    pub async fn view(&self) -> Result<StateView, TenantError> {
        self.ask(TakeView).await
    }

    /// Where a search for `query` begins, with every write acknowledged before the call. A tenant of
    /// `index_from` users or more has an index made when the query cannot be answered without one.
    ///
    /// # Errors
    /// When the actor is too busy or gone.
    pub async fn search(
        &self,
        query: Arc<Query>,
        index_from: Option<usize>,
    ) -> Result<Search, TenantError> {
        self.ask(PlanSearch { query, index_from }).await
    }

    /// What could come next in a query, with every write acknowledged before the call. It makes no
    /// index where there is none.
    ///
    /// # Errors
    /// When the actor is too busy or gone.
    pub async fn suggest(&self, typed: Typed) -> Result<Suggested, TenantError> {
        self.ask(Suggest { typed }).await
    }

    /// Every user whose `key` attribute is `value`, whatever its case.
    ///
    /// # Errors
    /// When the actor is too busy or gone.
    pub async fn users_with(
        &self,
        key: LoginKey,
        value: &str,
    ) -> Result<Vec<Document>, TenantError> {
        self.ask(FindUsers { key, value: value.to_owned() }).await
    }

    /// Changes the tenant's limits and habits for all later commands.
    ///
    /// # Errors
    /// When the actor is too busy or gone.
    pub async fn set_rules(&self, rules: Arc<Rules>) -> Result<(), TenantError> {
        self.ask(SetRules(rules.clone())).await?;
        *self.0.rules.write().unwrap_or_else(PoisonError::into_inner) = rules;
        Ok(())
    }

    /// Lets the actor end once what it holds is durable; later writes answer [`TenantError::Gone`].
    pub(super) async fn retire(&self) {
        if let Err(error) = self.ask(Retire).await {
            log::warn!(tenant = self.0.id, error:% = error; "the actor of a deleted tenant did not answer");
        }
    }

    async fn ask<M>(&self, message: M) -> Result<M::Result, TenantError>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        Tenant: Handler<M>,
        <Tenant as Actor>::Context: ToEnvelope<Tenant, M>,
        <Tenant as Handler<M>>::Result: MessageResponse<Tenant, M>,
    {
        let _waits = Waits::one_more(&self.0.waiting);
        self.0.address.send(message).timeout(self.0.limits.reply_timeout).await.map_err(|error| {
            match error {
                MailboxError::Timeout => TenantError::Busy,
                MailboxError::Closed => TenantError::Gone,
            }
        })
    }
}
