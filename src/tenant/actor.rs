//! A tenant's actor: takes one message after the other, does no I/O, waits for nothing.

use super::catalog::{Catalog, StateView};
use super::finder;
use super::handle::{Answer, TenantError, Turn, Waits};
use super::overlay::{Ahead, Overlay};
use super::priority;
use super::space::Space;
use crate::domain::change::{Change, Provenance};
use crate::domain::command::Command;
use crate::domain::condition::{Condition, makes_key};
use crate::domain::decide::{LoginKey, Moment, Rejection, decide_if};
use crate::domain::diff;
use crate::domain::document::Document;
use crate::domain::permit::Permitted;
use crate::domain::policy::Rules;
use crate::domain::search::{How, Plan, Query, Suggestions, Typed};
use crate::domain::time::{Timestamp, Version};
use crate::journal::{AppendError, Failure, Journal, Lsn, Progress};
use crate::store::format::{self, TenantUid};
use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Message, WrapFuture};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// What bounds a tenant's actor.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Messages that may wait for it.
    pub mailbox: usize,
    /// How long a caller waits for its turn, and from then on for the disk.
    pub reply_timeout: Duration,
    /// Bytes of request bodies that are worked on at the same time.
    pub in_flight_bytes: usize,
    /// Threads that take requests, for all tenants together.
    pub workers: usize,
}

/// Where the answer to a write goes.
type Reply = oneshot::Sender<Result<Answer, TenantError>>;

/// A write to be decided in this turn.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Write {
    pub(super) command: Permitted<Command>,
    pub(super) provenance: Provenance,
    pub(super) condition: Condition,
    pub(super) is_rehearsal: bool,
    pub(super) now: Timestamp,
    pub(super) reply: Reply,
    /// Dropped when its turn comes.
    pub(super) waits: Waits,
    /// Told when its turn comes.
    pub(super) turn: Turn,
}

/// Asks for the whole tenant at this turn.
#[derive(Debug, Message)]
#[rtype(result = "StateView")]
pub(super) struct TakeView;

/// Asks for the users with a login value, at this turn.
#[derive(Debug, Message)]
#[rtype(result = "Vec<Document>")]
pub(super) struct FindUsers {
    pub(super) key: LoginKey,
    pub(super) value: String,
}

/// Asks which users a query can mean, and for the whole tenant, at this turn.
#[derive(Debug, Message)]
#[rtype(result = "Search")]
pub(super) struct PlanSearch {
    pub(super) query: Arc<Query>,
    /// How many users a tenant has before an index is worth it; none: never.
    pub(super) index_from: Option<usize>,
}

/// Where a search begins: the tenant at one version, and what is known of the answer.
#[derive(Debug)]
pub struct Search {
    /// The tenant.
    pub view: StateView,
    /// Who can match.
    pub plan: Plan,
}

/// Asks what could come next in a query, at this turn.
#[derive(Debug, Message)]
#[rtype(result = "Suggested")]
pub(super) struct Suggest {
    pub(super) typed: Typed,
}

/// What could come next in a query, or where to look for it.
#[derive(Debug)]
pub struct Suggested {
    /// What the index says; none where there is no index.
    pub suggestions: Option<Suggestions>,
    /// The tenant.
    pub view: StateView,
}

/// Takes more of what the search index does not have yet.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct CatchUp;

/// Changes the tenant's limits and habits.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct SetRules(pub(super) Arc<Rules>);

/// Asks the actor to end once nothing is held any more.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Retire;

/// An answer that waits until a place in the journal is durable.
#[derive(Debug)]
struct Pending {
    lsn: Lsn,
    change: Option<Arc<Change>>,
    answer: Result<Answer, TenantError>,
    reply: Reply,
}

/// The actor of one tenant.
#[derive(Debug)]
pub(super) struct Tenant {
    uid: TenantUid,
    catalog: Catalog,
    overlay: Overlay,
    pending: VecDeque<Pending>,
    /// The version of the last change decided, held or not.
    head: Version,
    generation: u32,
    rules: Arc<Rules>,
    journal: Arc<dyn Journal>,
    space: Arc<Space>,
    progress: watch::Receiver<Progress>,
    is_watching: bool,
    is_retired: bool,
    mailbox: usize,
}

impl Tenant {
    pub(super) fn new(
        uid: TenantUid,
        catalog: Catalog,
        rules: Arc<Rules>,
        (journal, space): (Arc<dyn Journal>, Arc<Space>),
        limits: Limits,
    ) -> Self {
        let progress = journal.progress();
        let generation = progress.borrow().generation;
        Self {
            uid,
            head: catalog.published().version(),
            catalog,
            overlay: Overlay::default(),
            pending: VecDeque::new(),
            generation,
            rules,
            journal,
            space,
            progress,
            is_watching: false,
            is_retired: false,
            mailbox: limits.mailbox,
        }
    }

    /// Decides a command and holds its change; what leans on something held is answered with it.
    fn write(&mut self, write: Write) {
        let Write { command, provenance, condition, is_rehearsal, now, reply, waits, turn } = write;
        drop(waits);
        if !turn.begin() {
            return;
        }
        if self.is_retired {
            return answer(reply, Err(TenantError::Gone));
        }
        match self.take(command.into_inner(), provenance, &condition, is_rehearsal, now) {
            Ok((lsn, change, makes_key)) => {
                let answer = Ok(Answer {
                    version: change.version,
                    change: Some(change.clone()),
                    differences: Vec::new(),
                    makes_key,
                });
                self.pending.push_back(Pending { lsn, change: Some(change), answer, reply });
            }
            Err(Refused::Now(error)) => answer(reply, Err(error)),
            Err(Refused::WithHeld(outcome)) => match self.pending.back().map(|last| last.lsn) {
                Some(lsn) => {
                    self.pending.push_back(Pending { lsn, change: None, answer: outcome, reply });
                }
                None => answer(reply, outcome),
            },
        }
    }

    fn take(
        &mut self,
        command: Command,
        provenance: Provenance,
        condition: &Condition,
        is_rehearsal: bool,
        now: Timestamp,
    ) -> Result<(Lsn, Arc<Change>, bool), Refused> {
        let version = self.head.next();
        let view = Ahead { catalog: &self.catalog, overlay: &self.overlay };
        let moment = Moment { rules: &self.rules, version, now };
        let makes_key = makes_key(&view, &command, &condition.part);
        // Deciding only reads, so a panic in it leaves the tenant as it was.
        let decided = catch_unwind(AssertUnwindSafe(|| decide_if(&view, moment, command, condition))).map_err(|_| {
            log::error!(tenant:% = self.uid, version:% = version; "deciding a command panicked, it was refused");
            Refused::Now(TenantError::Broken)
        })?;
        let outcomes =
            decided.map_err(|rejection: Rejection| Refused::WithHeld(Err(rejection.into())))?;
        if outcomes.is_empty() {
            return Err(Refused::WithHeld(Ok(Answer {
                version: self.head,
                change: None,
                differences: Vec::new(),
                makes_key: false,
            })));
        }
        let differences =
            if is_rehearsal { diff::of_outcomes(&view, &outcomes) } else { Vec::new() };
        let change = Arc::new(Change { version, at: now, provenance, outcomes });
        if is_rehearsal {
            // It leans on what is held, like any answer, but leaves no trace.
            return Err(Refused::WithHeld(Ok(Answer {
                version,
                change: Some(change),
                differences,
                makes_key,
            })));
        }
        self.space.admit(&change).map_err(Refused::Now)?;
        let record = format::encode_change(self.uid, &change);
        let lsn = self
            .journal
            .append(self.generation, record)
            .map_err(|error| Refused::Now(error.into()))?;
        self.overlay.hold(&change, &self.catalog);
        self.head = version;
        Ok((lsn, change, makes_key))
    }

    /// Publishes what became durable and answers it, in journal order.
    fn settle(&mut self) {
        let progress = self.progress.borrow_and_update().clone();
        while let Some(outcome) = self.pending.front().and_then(|first| progress.outcome(first.lsn))
        {
            match outcome {
                Ok(()) => self.publish_first(),
                Err(failure) => {
                    self.let_go(failure);
                    break;
                }
            }
        }
        self.generation = progress.generation;
    }

    fn publish_first(&mut self) {
        let Some(first) = self.pending.pop_front() else { return };
        if let Some(change) = &first.change {
            self.catalog.apply(first.lsn, change);
            self.overlay.release(change);
        }
        answer(first.reply, first.answer);
    }

    /// A record failed, and with it everything decided on top of it.
    fn let_go(&mut self, failure: Failure) {
        log::error!(tenant:% = self.uid, writes = self.pending.len(), failure:% = failure; "writes were not made durable");
        for pending in self.pending.drain(..) {
            answer(pending.reply, Err(failure.into()));
        }
        self.overlay = Overlay::default();
        self.head = self.catalog.published().version();
    }

    /// Has the search index made on a thread of its own, unless it is there or being made.
    fn make_index(&mut self, ctx: &mut Context<Self>) {
        if !self.catalog.finder().begin() {
            return;
        }
        let (made, waiting) = oneshot::channel();
        let view = self.catalog.view();
        let uid = self.uid;
        let making = std::thread::Builder::new().name("search-index".to_owned()).spawn(move || {
            priority::give_way(priority::LOW);
            let began = std::time::Instant::now();
            let index = finder::index_of(&view);
            let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            log::info!(tenant:% = uid, users = view.user_count, took_ms; "the search index was made");
            // A tenant that is gone needs none.
            let _gone = made.send(index).is_err();
        });
        if let Err(error) = making {
            log::warn!(tenant:% = self.uid, error:%; "no thread for the search index; users are asked one by one");
            self.catalog.finder().made(None);
            return;
        }
        let then = waiting.into_actor(self).map(|index, tenant, ctx| {
            tenant.catalog.finder().made(index.ok().flatten());
            ctx.notify(CatchUp);
        });
        ctx.spawn(then);
    }

    /// Waits, outside of any turn, until the first of the pending is decided one way or the other.
    fn watch(&mut self, ctx: &mut Context<Self>) {
        let Some(lsn) = self.pending.front().map(|first| first.lsn) else {
            if self.is_retired {
                actix::ActorContext::stop(ctx);
            }
            return;
        };
        if self.is_watching {
            return;
        }
        self.is_watching = true;
        let mut progress = self.progress.clone();
        let settled = async move {
            // The sender lives as long as the journal this actor holds.
            let _closed =
                progress.wait_for(|progress| progress.outcome(lsn).is_some()).await.is_err();
        };
        let then = settled.into_actor(self).map(|(), tenant, ctx| {
            tenant.is_watching = false;
            tenant.settle();
            tenant.watch(ctx);
        });
        ctx.spawn(then);
    }
}

/// Why a command has no change: told at once, or with what it leaned on.
enum Refused {
    Now(TenantError),
    WithHeld(Result<Answer, TenantError>),
}

fn answer(reply: Reply, outcome: Result<Answer, TenantError>) {
    // A caller that went away needs no answer.
    let _gone = reply.send(outcome).is_err();
}

impl From<AppendError> for TenantError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Busy | AppendError::Stale { .. } => Self::Busy,
            AppendError::Full => Self::DiskFull,
            AppendError::Poisoned | AppendError::Closed => Self::Poisoned,
            AppendError::TooLarge { actual_bytes, limit_bytes } => {
                Self::TooLarge { actual_bytes, limit_bytes }
            }
        }
    }
}

impl From<Failure> for TenantError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Full => Self::DiskFull,
            Failure::Poisoned => Self::Unknown,
        }
    }
}

impl Actor for Tenant {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.mailbox);
    }
}

impl Handler<Write> for Tenant {
    type Result = ();

    fn handle(&mut self, write: Write, ctx: &mut Self::Context) {
        if self.progress.has_changed().unwrap_or(false) {
            self.settle();
        }
        self.write(write);
        self.watch(ctx);
    }
}

impl Handler<TakeView> for Tenant {
    type Result = actix::MessageResult<TakeView>;

    fn handle(&mut self, _: TakeView, _: &mut Self::Context) -> Self::Result {
        self.settle();
        actix::MessageResult(self.catalog.view())
    }
}

impl Handler<FindUsers> for Tenant {
    type Result = Vec<Document>;

    fn handle(&mut self, find: FindUsers, _: &mut Self::Context) -> Vec<Document> {
        self.settle();
        self.catalog.users_with(find.key, &find.value)
    }
}

impl Handler<PlanSearch> for Tenant {
    type Result = actix::MessageResult<PlanSearch>;

    fn handle(&mut self, search: PlanSearch, ctx: &mut Self::Context) -> Self::Result {
        self.settle();
        let plan = self.catalog.plan(&search.query);
        let users = self.catalog.published().user_count();
        if plan.how == How::Scan && search.index_from.is_some_and(|from| users >= from) {
            self.make_index(ctx);
        }
        actix::MessageResult(Search { view: self.catalog.view(), plan })
    }
}

impl Handler<Suggest> for Tenant {
    type Result = actix::MessageResult<Suggest>;

    fn handle(&mut self, asked: Suggest, _: &mut Self::Context) -> Self::Result {
        self.settle();
        let suggestions = self.catalog.finder().suggest(&asked.typed);
        actix::MessageResult(Suggested { suggestions, view: self.catalog.view() })
    }
}

impl Handler<CatchUp> for Tenant {
    type Result = ();

    fn handle(&mut self, _: CatchUp, ctx: &mut Self::Context) {
        if self.catalog.finder().catch_up() {
            ctx.notify(CatchUp);
        }
    }
}

impl Handler<SetRules> for Tenant {
    type Result = ();

    fn handle(&mut self, rules: SetRules, _: &mut Self::Context) {
        self.rules = rules.0;
    }
}

impl Handler<Retire> for Tenant {
    type Result = ();

    fn handle(&mut self, _: Retire, ctx: &mut Self::Context) {
        self.is_retired = true;
        self.settle();
        self.watch(ctx);
    }
}
