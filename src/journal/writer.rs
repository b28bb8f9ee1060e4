//! The one thread that writes: takes everything that waits, writes it at once, syncs, tells.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::active::{Active, Trouble};
use super::gather::Gather;
use super::highwater::HighWater;
use super::queue::{Entry, Gate, Queue, Work};
use super::witness::Witness;
use super::{Durability, Health, Lsn, Progress, Stats};

/// The thread's state.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) queue: Arc<Queue>,
    pub(super) progress: Arc<watch::Sender<Progress>>,
    pub(super) stats: Arc<Mutex<Stats>>,
    pub(super) active: Active,
    pub(super) high_water: HighWater,
    /// The mark outside of the folder, and what it is to tell next.
    pub(super) witness: Option<Witness>,
    pub(super) proof: Option<(Lsn, u32)>,
    pub(super) durability: Durability,
    pub(super) probe_interval: Duration,
    pub(super) high_water_interval: Duration,
    /// Everything up to here is synced.
    pub(super) synced: Lsn,
    /// What the high-water mark says.
    pub(super) marked: Lsn,
    pub(super) marked_at: Instant,
    /// When the oldest write that is not synced was made.
    pub(super) unsynced_since: Option<Instant>,
    pub(super) state: State,
    pub(super) gather: Gather,
    /// How long the last sync took.
    pub(super) last_sync: Duration,
}

/// What the writer does with its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It writes.
    Writing,
    /// It waits for space; the records in the range failed, and a skip must say so first.
    ///
    /// Until what is there of them is taken back, nobody is told that they failed: after a crash they
    /// might be found.
    Full { first: Lsn, last: Lsn, is_taken_back: bool, wanted_bytes: u64, probe_at: Instant },
    /// It does nothing any more.
    Poisoned,
}

/// A probe asks for at least this much, so that a nearly full disk does not flap.
const PROBE_BYTES: u64 = 64 << 10;

/// An operator is told of a disk that takes longer than this.
const SLOW_SYNC: Duration = Duration::from_secs(1);

impl Writer {
    /// Works until the queue is closed.
    pub(super) fn run(mut self) {
        // However this thread ends, nobody must wait for it for ever.
        let _alarm = Alarm { queue: Arc::clone(&self.queue), progress: Arc::clone(&self.progress) };
        let mut spare = Vec::new();
        loop {
            let work =
                self.queue.next(self.due(), self.gather.window(), std::mem::take(&mut spare));
            let begun = self.go_to_disk();
            match work {
                Work::Batch { batch, is_flush_wanted } => {
                    self.commit(&batch, is_flush_wanted);
                    spare = batch;
                    spare.clear();
                }
                Work::Flush => self.flush(),
                Work::Due => {}
                Work::Close => break,
            }
            self.do_what_is_due();
            self.come_back(begun);
        }
        self.flush();
        if self.state != State::Poisoned {
            self.mark();
        }
    }

    /// Tells that from now on the disk is waited for.
    fn go_to_disk(&self) -> Instant {
        let begun = Instant::now();
        self.stats.lock().unwrap_or_else(PoisonError::into_inner).at_disk_since = Some(begun);
        begun
    }

    fn come_back(&self, begun: Instant) {
        let mut stats = self.stats.lock().unwrap_or_else(PoisonError::into_inner);
        stats.at_disk_since = None;
        stats.last_at_disk = begun.elapsed();
    }

    /// When something is to be done even if no record comes.
    fn due(&self) -> Option<Instant> {
        match self.state {
            State::Poisoned => None,
            State::Full { probe_at, .. } => Some(probe_at),
            State::Writing => [self.sync_due(), self.mark_due()].into_iter().flatten().min(),
        }
    }

    fn sync_due(&self) -> Option<Instant> {
        match self.durability {
            Durability::Always => None,
            Durability::Interval(interval) => self.unsynced_since.map(|since| since + interval),
        }
    }

    fn mark_due(&self) -> Option<Instant> {
        (self.marked < self.synced).then(|| self.marked_at + self.high_water_interval)
    }

    fn do_what_is_due(&mut self) {
        let now = Instant::now();
        if let State::Full { first, last, is_taken_back, wanted_bytes, probe_at } = self.state {
            if probe_at <= now {
                self.probe((first, last), is_taken_back, wanted_bytes);
            }
            return;
        }
        if self.sync_due().is_some_and(|due| due <= now) {
            self.settle(Self::sync);
        }
        if self.state == State::Writing && self.mark_due().is_some_and(|due| due <= now) {
            self.mark();
        }
    }

    /// Writes a batch, and syncs it unless that is done at intervals.
    fn commit(&mut self, batch: &[Entry], is_flush_wanted: bool) {
        let Some(first) = batch.first().map(|entry| entry.lsn) else { return };
        let end_before = self.active.end;
        let is_synced_now = is_flush_wanted || self.durability == Durability::Always;
        let written = self.active.write(batch, self.synced).and_then(|()| {
            self.unsynced_since.get_or_insert_with(Instant::now);
            if is_synced_now { self.sync() } else { Ok(()) }
        });
        match written {
            Ok(()) => {
                self.count(batch.len(), end_before);
                self.publish();
                if is_synced_now {
                    self.gather.answered(batch.len(), self.last_sync, Instant::now());
                }
            }
            Err(Trouble::Full(error)) => self.fail(first, batch, &error),
            Err(Trouble::Broken(error)) => self.poison(&error),
        }
    }

    fn sync(&mut self) -> Result<(), Trouble> {
        let begun = Instant::now();
        self.active.sync()?;
        self.note_synced();
        self.last_sync = begun.elapsed();
        if self.last_sync >= SLOW_SYNC {
            let took_ms = u64::try_from(self.last_sync.as_millis()).unwrap_or(u64::MAX);
            log::warn!(took_ms; "the disk took long to make the journal durable");
        }
        let mut stats = self.stats.lock().unwrap_or_else(PoisonError::into_inner);
        stats.syncs += 1;
        stats.last_sync = self.last_sync;
        Ok(())
    }

    /// Takes note that everything written so far is synced.
    fn note_synced(&mut self) {
        self.synced = self.active.last;
        self.unsynced_since = None;
        self.proof = self.active.last_frame().or(self.proof);
    }

    fn flush(&mut self) {
        if self.state == State::Writing && self.synced < self.active.last {
            self.settle(Self::sync);
        }
        if self.state == State::Writing {
            self.seal();
        }
        self.queue.lock().is_flush_wanted = false;
        self.queue.notify_settled();
    }

    /// Closes the segment if that was asked for; for want of space it goes on with it.
    fn seal(&mut self) {
        let waiting = self.queue.lock();
        let (wanted, done) = (waiting.seals_wanted, waiting.seals_done);
        drop(waiting);
        if wanted == done {
            return;
        }
        match self.active.seal() {
            Ok(()) | Err(Trouble::Full(_)) => self.queue.lock().seals_done = wanted,
            Err(Trouble::Broken(error)) => self.poison(&error),
        }
    }

    /// Does something after which either more is durable or the journal is poisoned.
    fn settle(&mut self, act: impl FnOnce(&mut Self) -> Result<(), Trouble>) {
        match act(self) {
            Ok(()) => self.publish(),
            Err(trouble) => self.poison(&trouble.into_error()),
        }
    }

    /// Tells everybody how far we are.
    fn publish(&mut self) {
        if let (Some(witness), Some(proof)) = (&mut self.witness, self.proof) {
            witness.tell(proof);
        }
        let durable = match self.durability {
            Durability::Always => self.synced,
            Durability::Interval(_) => self.active.last,
        };
        let synced = self.synced;
        self.progress.send_modify(|progress| {
            progress.durable = durable;
            progress.synced = synced;
        });
        // Afterwards: who has flushed finds the progress that goes with it.
        let mut waiting = self.queue.lock();
        waiting.synced = self.synced;
        let wants_flush = waiting.is_flush_wanted;
        drop(waiting);
        if wants_flush {
            self.queue.notify_settled();
        }
    }

    /// There is no space: takes back what was written of the batch, and fails all that waits,
    /// because later records may lean on earlier ones.
    fn fail(&mut self, first: Lsn, batch: &[Entry], error: &io::Error) {
        let is_taken_back = match self.active.cut() {
            // It has synced whatever was written before this batch, too.
            Ok(()) => {
                self.note_synced();
                self.publish();
                true
            }
            Err(Trouble::Full(_)) => false,
            Err(Trouble::Broken(error)) => return self.poison(&error),
        };
        let bytes: usize = batch.iter().map(|entry| entry.payload.len()).sum();
        let mut waiting = self.queue.lock();
        let last = waiting.drop_all();
        if waiting.gate == Gate::Open {
            waiting.gate = Gate::Full;
        }
        let generation = waiting.generation;
        drop(waiting);
        self.state = State::Full {
            first,
            last,
            is_taken_back,
            wanted_bytes: PROBE_BYTES.max(u64::try_from(bytes).unwrap_or(u64::MAX)),
            probe_at: Instant::now() + self.probe_interval,
        };
        self.progress.send_modify(|progress| {
            progress.generation = generation;
            if is_taken_back {
                progress.fail(first, last);
            }
            if progress.is_poisoned() {
                return;
            }
            progress.health = Health::Full { reason: error.to_string() };
        });
        self.queue.notify_settled();
    }

    /// Looks whether there is space again; if so, writes that the failed numbers hold nothing.
    fn probe(&mut self, (first, last): (Lsn, Lsn), is_taken_back: bool, wanted_bytes: u64) {
        let wait = |is_taken_back, interval| State::Full {
            first,
            last,
            is_taken_back,
            wanted_bytes,
            probe_at: Instant::now() + interval,
        };
        if !is_taken_back {
            match self.active.cut() {
                Ok(()) => {
                    self.note_synced();
                    self.publish();
                    self.progress.send_modify(|progress| progress.fail(first, last));
                    self.queue.notify_settled();
                }
                Err(Trouble::Full(_)) => {
                    self.state = wait(false, self.probe_interval);
                    return;
                }
                Err(Trouble::Broken(error)) => return self.poison(&error),
            }
        }
        let synced = self.synced;
        let tried = self
            .active
            .probe(wanted_bytes)
            .and_then(|()| self.active.write_skip(first, last, synced))
            .and_then(|()| self.sync());
        match tried {
            Ok(()) => self.heal(),
            Err(Trouble::Broken(error)) => self.poison(&error),
            // What is left of the skip says nothing that would not be so.
            Err(Trouble::Full(_)) => match self.active.cut() {
                Ok(()) | Err(Trouble::Full(_)) => self.state = wait(true, self.probe_interval),
                Err(Trouble::Broken(error)) => self.poison(&error),
            },
        }
    }

    fn heal(&mut self) {
        self.state = State::Writing;
        self.publish();
        let mut waiting = self.queue.lock();
        if waiting.gate == Gate::Full {
            waiting.gate = Gate::Open;
        }
        drop(waiting);
        // Afterwards: who was told that the journal is healthy is let in.
        self.progress.send_modify(|progress| {
            if !progress.is_poisoned() {
                progress.health = Health::Ok;
            }
        });
    }

    /// Nobody knows what is on disk: nothing is taken any more, and all that waits fails.
    fn poison(&mut self, error: &io::Error) {
        self.state = State::Poisoned;
        poison(&self.queue, &self.progress, &error.to_string());
    }

    /// Rewrites the high-water mark.
    fn mark(&mut self) {
        if self.marked == self.synced {
            return;
        }
        self.marked_at = Instant::now();
        match self.high_water.write(self.synced) {
            Ok(()) => self.marked = self.synced,
            // Records do not lean on it: it is tried again when the next mark is due.
            Err(Trouble::Full(_)) => {}
            Err(Trouble::Broken(error)) => self.poison(&error),
        }
    }

    fn count(&mut self, records: usize, end_before: u64) {
        let records = u64::try_from(records).unwrap_or(u64::MAX);
        let mut stats = self.stats.lock().unwrap_or_else(PoisonError::into_inner);
        stats.records += records;
        stats.batches += 1;
        stats.last_batch_records = records;
        // After a change of segments the new one begins below where the old one ended.
        stats.last_batch_bytes = self.active.end.checked_sub(end_before).unwrap_or(self.active.end);
        stats.last = self.active.last;
        stats.size_bytes = self.active.size_bytes;
    }
}

/// Closes the gate for good and tells everybody.
pub(super) fn poison(queue: &Queue, progress: &watch::Sender<Progress>, reason: &str) {
    let mut waiting = queue.lock();
    waiting.gate = Gate::Poisoned;
    waiting.drop_all();
    let generation = waiting.generation;
    drop(waiting);
    progress.send_modify(|progress| {
        progress.generation = generation;
        progress.health = Health::Poisoned { reason: reason.to_owned() };
    });
    queue.notify_settled();
}

/// Poisons the journal if its writer ends in any way but by being closed.
struct Alarm {
    queue: Arc<Queue>,
    progress: Arc<watch::Sender<Progress>>,
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            poison(&self.queue, &self.progress, "the thread that writes has panicked");
        }
    }
}
