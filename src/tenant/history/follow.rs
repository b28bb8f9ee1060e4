//! The follower: one thread that puts every synced record of the journal into the history.

use super::build::{self, Begin};
use super::{Shared, Source};
use crate::domain::change::{Change, Outcome};
use crate::domain::erasure::erased_by;
use crate::domain::history::Subject;
use crate::domain::resource::{Resource, ResourceKind};
use crate::domain::time::Version;
use crate::journal::{Cursor, JournalError, Lsn};
use crate::store::data_dir::DataDir;
use crate::store::format::{self, FormatError, TenantUid};
use crate::store::history::{Batch, HistoryError, Mark, ended_tenant, is_turn_to_retain};
use crate::tenant::directory::uid_of;
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Bytes of records in one batch.
const BATCH_BYTES: usize = 1 << 20;

/// How long it gathers records while nobody waits.
const GATHER: Duration = Duration::from_millis(20);

/// How often it looks after what is old, and how many objects it looks at then.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);
const SWEPT_AT_ONCE: usize = 200;

/// How long the end of the process waits for it.
const LAST_STRETCH: Duration = Duration::from_secs(3);

/// Why the follower ends.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    History(#[from] HistoryError),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error("the journal record at {0}: {1}")]
    Record(Lsn, FormatError),
    #[error("its thread panicked")]
    Panicked,
    /// Somebody else found that it failed.
    #[error("it failed")]
    Told,
}

/// Follows the journal until it is told to stop, or fails.
pub(super) struct Follower {
    pub(super) shared: Arc<Shared>,
    dir: Arc<DataDir>,
    source: Source,
    pub(super) begin: Begin,
    /// The tenants at the start, and the end of the journal then: an older record of any other
    /// tenant is of one that is gone.
    living: HashSet<TenantUid>,
    last_at_start: Lsn,
    dead: HashSet<TenantUid>,
    /// It was prepared once: what was not there at the start may be by now.
    goes_on: bool,
    swept: Option<Vec<u8>>,
    swept_at: Instant,
}

/// What one batch of records leads to.
#[derive(Default)]
struct Taken {
    mark: Option<Mark>,
    ended: Vec<TenantUid>,
    due: HashSet<(TenantUid, Subject, String)>,
    trouble: Option<Trouble>,
}

impl Follower {
    pub(super) fn new(
        shared: Arc<Shared>,
        dir: Arc<DataDir>,
        source: Source,
        living: Vec<(TenantUid, Version)>,
        begin: Begin,
    ) -> Self {
        let living = living.into_iter().map(|(uid, _)| uid).collect();
        let last_at_start = shared.journal.stats().last;
        Self {
            shared,
            dir,
            source,
            begin,
            living,
            last_at_start,
            dead: HashSet::new(),
            goes_on: false,
            swept: None,
            swept_at: Instant::now(),
        }
    }

    pub(super) fn run(mut self) {
        while let Err(trouble) =
            catch_unwind(AssertUnwindSafe(|| self.follow())).unwrap_or(Err(Trouble::Panicked))
        {
            match &trouble {
                Trouble::History(error) => self.shared.fail_of(error),
                Trouble::Told => {}
                Trouble::Journal(_) | Trouble::Record(..) | Trouble::Panicked => {
                    self.shared.fail(&trouble);
                }
            }
            // A journal in memory is let go of at once.
            if self.source == Source::Passing || !self.reopen() {
                return self.let_go_of_all();
            }
        }
    }

    fn follow(&mut self) -> Result<(), Trouble> {
        let mut progress = self.shared.journal.progress();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime =
            runtime.map_err(|source| HistoryError::Io { path: "history".into(), source })?;
        let after = self.prepare()?;
        let mut cursor = self.shared.journal.cursor(after);
        self.shared.place.send_replace(after);
        loop {
            if self.shared.has_failed.load(Ordering::Acquire) {
                return Err(Trouble::Told);
            }
            let is_stopping = self.shared.is_stopping.load(Ordering::Acquire);
            let has_more = self.take(&mut *cursor)?;
            if !has_more && self.shared.is_building.swap(false, Ordering::AcqRel) {
                log::info!(lsn:% = cursor.place(); "the history is built");
            }
            self.sweep()?;
            if is_stopping {
                return self.finish(&mut *cursor);
            }
            if has_more {
                continue;
            }
            let place = cursor.place();
            let hurry = &self.shared.hurry;
            runtime.block_on(async {
                tokio::select! {
                    // The journal lives as long as this thread.
                    _ = progress.wait_for(|progress| progress.synced > place) => {}
                    () = hurry.notified() => return,
                    () = tokio::time::sleep(SWEEP_INTERVAL) => return,
                }
                tokio::select! {
                    () = hurry.notified() => {}
                    () = tokio::time::sleep(GATHER) => {}
                }
            });
        }
    }

    /// Removes what is not there any more, takes the snapshots where it begins with them, and
    /// says behind which record to go on.
    fn prepare(&mut self) -> Result<Lsn, Trouble> {
        let store = self.shared.store()?;
        if std::mem::replace(&mut self.goes_on, true) {
            return match self.begin {
                Begin::Behind(place) => Ok(place),
                Begin::FromSnapshots => Err(Trouble::Told),
            };
        }
        for uid in store.tenants()? {
            if !self.living.contains(&uid) {
                store.erase_tenant(uid)?;
            }
        }
        match self.begin {
            Begin::Behind(place) => {
                let mut batch = store.batch();
                for uid in &self.living {
                    batch.resources_begin(*uid)?;
                }
                batch.commit()?;
                Ok(place)
            }
            Begin::FromSnapshots => {
                let mut failed = None;
                build::each_block(&self.dir, self.source, &mut |uid, version, block| {
                    if failed.is_some() || !self.living.contains(&uid) {
                        return;
                    }
                    let mut batch = store.batch();
                    for document in &block.documents {
                        batch.user(uid, document);
                    }
                    for client in &block.clients {
                        batch.client(uid, client);
                    }
                    for resource in &block.resources {
                        note_tenant(&mut batch, resource);
                        batch.resource(uid, resource);
                    }
                    batch.resources_whole_from(uid, version);
                    failed = batch.commit().err();
                });
                match failed {
                    Some(error) => Err(error.into()),
                    None => Ok(self.shared.journal.stats().oldest.previous()),
                }
            }
        }
    }

    /// Takes the next records; says whether there may be more.
    fn take(&mut self, cursor: &mut dyn Cursor) -> Result<bool, Trouble> {
        let shared = self.shared.clone();
        let store = shared.store()?;
        let (mut batch, mut taken) = (store.batch(), Taken::default());
        let has_more = cursor.read(BATCH_BYTES, &mut |lsn, record| {
            if taken.trouble.is_none()
                && let Err(trouble) = self.take_one(&mut batch, &mut taken, lsn, record)
            {
                taken.trouble = Some(trouble);
            }
        });
        if let Some(trouble) = taken.trouble {
            return Err(trouble);
        }
        let has_more = has_more?;
        if let Some(mark) = taken.mark {
            batch.mark(mark);
            batch.commit()?;
        }
        for uid in taken.ended {
            store.erase_tenant(uid)?;
        }
        if self.source == Source::Passing {
            shared.journal.purge(cursor.place())?;
        }
        let place = cursor.place();
        shared.place.send_if_modified(|told| std::mem::replace(told, place) != place);
        let now = (shared.clock)();
        for (uid, kind, id) in taken.due {
            store.retain(uid, kind, &id, &(shared.keep)(uid), now)?;
        }
        Ok(has_more)
    }

    fn take_one(
        &mut self,
        batch: &mut Batch<'_>,
        taken: &mut Taken,
        lsn: Lsn,
        record: &[u8],
    ) -> Result<(), Trouble> {
        taken.mark = Some(Mark { lsn: lsn.get(), crc: crc32c::crc32c(record) });
        let (uid, version) =
            format::peek_change(record).map_err(|error| Trouble::Record(lsn, error))?;
        let is_of_the_past = lsn <= self.last_at_start && !self.living.contains(&uid);
        if is_of_the_past || self.dead.contains(&uid) {
            return Ok(());
        }
        let (_, change) =
            format::decode_change(record).map_err(|error| Trouble::Record(lsn, error))?;
        if !erased_by(&change.outcomes).is_empty() {
            // It removes what is there, so what came before has to be there. A crash between the two
            // is followed from the mark, which comes with the second.
            batch.flush()?;
            batch.erase(uid, &change)?;
        }
        batch.change(uid, &change, record)?;
        if uid == TenantUid::DEFAULT {
            self.note_tenants(batch, taken, &change)?;
        }
        if is_turn_to_retain(version) {
            taken.due.extend(change.outcomes.iter().filter_map(|outcome| {
                subject_of(outcome).map(|(kind, id)| (uid, kind, id.to_owned()))
            }));
        }
        Ok(())
    }

    fn note_tenants(
        &mut self,
        batch: &mut Batch<'_>,
        taken: &mut Taken,
        change: &Change,
    ) -> Result<(), Trouble> {
        for outcome in &change.outcomes {
            if let Outcome::Resource(resource) = outcome {
                note_tenant(batch, resource);
            }
            // One that was made within this very batch is found at the next start.
            if let Some(uid) = ended_tenant(outcome)
                .map(|name| self.shared.store()?.tenant_named(name))
                .transpose()?
                .flatten()
            {
                self.dead.insert(uid);
                taken.ended.push(uid);
            }
        }
        Ok(())
    }

    /// Now and then looks after the next objects and the oldest changes.
    fn sweep(&mut self) -> Result<(), Trouble> {
        if self.swept_at.elapsed() < SWEEP_INTERVAL {
            return Ok(());
        }
        self.swept_at = Instant::now();
        let (store, keep, now) = (self.shared.store()?, &self.shared.keep, (self.shared.clock)());
        self.swept = store.retain_some(self.swept.take(), SWEPT_AT_ONCE, keep, now)?;
        if self.swept.is_none() {
            for uid in store.tenants()? {
                store.retain_changes(uid, 10_000, &keep(uid), now)?;
            }
        }
        Ok(())
    }

    fn finish(&mut self, cursor: &mut dyn Cursor) -> Result<(), Trouble> {
        let until = Instant::now() + LAST_STRETCH;
        while self.take(cursor)? && Instant::now() < until {}
        Ok(self.shared.store()?.persist()?)
    }

    /// A journal that is kept for the follower alone must not grow when the follower failed.
    fn let_go_of_all(&self) {
        if self.source == Source::Lasting {
            return;
        }
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_time().build()
        else {
            return;
        };
        while !self.shared.is_stopping.load(Ordering::Acquire) {
            let last = self.shared.journal.stats().last;
            if let Err(error) = self.shared.journal.purge(last) {
                log::error!(error:% = error; "the journal in memory cannot be let go of");
                return;
            }
            runtime.block_on(tokio::time::sleep(GATHER));
        }
    }
}

fn note_tenant(batch: &mut Batch<'_>, resource: &Resource) {
    if resource.kind == ResourceKind::Tenant {
        batch.tenant(&resource.id, uid_of(resource));
    }
}

fn subject_of(outcome: &Outcome) -> Option<(Subject, &str)> {
    match outcome {
        Outcome::User(document) => Some((Subject::User, document.id())),
        Outcome::Client(client) => Some((Subject::Client, &client.id)),
        Outcome::UserGone(_)
        | Outcome::ClientGone(_)
        | Outcome::Resource(_)
        | Outcome::ResourceGone(..) => None,
    }
}
