//! What waits for the disk, shared by those who append and the thread that writes.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::gather::Window;
use super::manifest::Manifest;
use super::{AppendError, Lsn, Options};

/// A record with its place.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) lsn: Lsn,
    pub(super) payload: Vec<u8>,
}

/// Whether records are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gate {
    Open,
    Full,
    Poisoned,
    Closed,
}

/// The state behind the lock of a [`Queue`].
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) entries: Vec<Entry>,
    pub(super) size_bytes: usize,
    /// The LSN the next record gets.
    pub(super) next: Lsn,
    pub(super) generation: u32,
    pub(super) gate: Gate,
    /// Everything up to here is synced.
    pub(super) synced: Lsn,
    /// Somebody waits for a sync of everything written.
    pub(super) is_flush_wanted: bool,
    /// How often the end of the segment was asked for, and how many of these were answered.
    pub(super) seals_wanted: u64,
    pub(super) seals_done: u64,
    pub(super) is_closing: bool,
    /// Somebody found no room.
    is_crowded: bool,
    /// The writer sleeps until there are this many records, or somebody needs it.
    wake_at: Option<usize>,
}

/// What the writer is to do next.
#[derive(Debug)]
pub(super) enum Work {
    /// Write these, and sync them in any case if somebody waits for that.
    Batch { batch: Vec<Entry>, is_flush_wanted: bool },
    /// Sync what is written; somebody waits for it.
    Flush,
    /// The time that was asked for has come.
    Due,
    /// Finish: nothing waits any more and nothing will come.
    Close,
}

/// The records that wait, with a bound.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    /// Wakes the writer.
    work: Condvar,
    /// Wakes those who wait for a flush.
    settled: Condvar,
    max_records: usize,
    max_bytes: usize,
    max_record_bytes: usize,
}

impl Queue {
    pub(super) fn new(options: &Options, last: Lsn) -> Self {
        Self {
            waiting: Mutex::new(Waiting {
                entries: Vec::new(),
                size_bytes: 0,
                next: last.next(),
                generation: 0,
                gate: Gate::Open,
                synced: last,
                is_flush_wanted: false,
                seals_wanted: 0,
                seals_done: 0,
                is_closing: false,
                is_crowded: false,
                wake_at: None,
            }),
            work: Condvar::new(),
            settled: Condvar::new(),
            max_records: options.max_queue_records,
            max_bytes: options.max_queue_bytes,
            max_record_bytes: options.max_record_bytes,
        }
    }

    /// See [`Journal::append`](super::Journal::append).
    pub(super) fn append(&self, generation: u32, payload: Vec<u8>) -> Result<Lsn, AppendError> {
        let size_bytes = payload.len();
        if size_bytes > self.max_record_bytes {
            let limit_bytes = self.max_record_bytes;
            return Err(AppendError::TooLarge { actual_bytes: size_bytes, limit_bytes });
        }
        let mut waiting = self.lock();
        waiting.admit(generation)?;
        if waiting.entries.len() >= self.max_records
            || waiting.size_bytes + size_bytes > self.max_bytes
        {
            // The writer must not wait for more than there is room for.
            waiting.is_crowded = true;
            if waiting.wake_at.take().is_some() {
                self.work.notify_one();
            }
            return Err(AppendError::Busy);
        }
        let lsn = waiting.next;
        waiting.next = lsn.next();
        waiting.size_bytes += size_bytes;
        waiting.entries.push(Entry { lsn, payload });
        let is_wanted = waiting.wake_at.is_some_and(|records| waiting.entries.len() >= records);
        if is_wanted {
            // Only one of those who append needs to wake the writer.
            waiting.wake_at = None;
        }
        drop(waiting);
        if is_wanted {
            self.work.notify_one();
        }
        Ok(lsn)
    }

    /// Waits for work, at most until `due`, and for a full batch as long as `window` allows.
    /// `spare` takes the place of the records handed out.
    pub(super) fn next(
        &self,
        due: Option<Instant>,
        window: Option<Window>,
        spare: Vec<Entry>,
    ) -> Work {
        let mut waiting = self.lock();
        // Those who were answered just now, and those who wait already.
        let target = window
            .map_or(0, |window| (window.answered + waiting.entries.len()).min(self.max_records));
        loop {
            let is_urgent = waiting.is_flush_wanted || waiting.is_closing || waiting.is_crowded;
            let has_all = is_urgent || waiting.entries.len() >= target;
            if let Some(window) = window.filter(|_| !has_all)
                && Instant::now() < window.until
            {
                waiting = self.sleep(waiting, target, Some(window.until));
                continue;
            }
            if !waiting.entries.is_empty() {
                let is_flush_wanted = waiting.is_flush_wanted;
                return Work::Batch { batch: waiting.take(spare), is_flush_wanted };
            }
            if waiting.is_closing {
                return Work::Close;
            }
            if waiting.is_flush_wanted {
                return Work::Flush;
            }
            if due.is_some_and(|due| due <= Instant::now()) {
                return Work::Due;
            }
            waiting = self.sleep(waiting, 1, due);
        }
    }

    /// Lets the writer sleep until `records` wait, somebody needs it, or `until`.
    fn sleep<'a>(
        &'a self,
        mut waiting: MutexGuard<'a, Waiting>,
        records: usize,
        until: Option<Instant>,
    ) -> MutexGuard<'a, Waiting> {
        waiting.wake_at = Some(records);
        let mut waiting = match until {
            None => self.work.wait(waiting).unwrap_or_else(PoisonError::into_inner),
            Some(until) => {
                let left = until.saturating_duration_since(Instant::now());
                let woken = self.work.wait_timeout(waiting, left);
                woken.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        waiting.wake_at = None;
        waiting
    }

    /// The state, also after another thread panicked while it held it: every change of it is a
    /// few assignments that leave it consistent.
    pub(super) fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the writer to sync what waits, and waits for `is_done`, at most until `until`.
    pub(super) fn flush_until(
        &self,
        until: Instant,
        mut is_done: impl FnMut(&Waiting) -> bool,
    ) -> bool {
        let mut waiting = self.lock();
        loop {
            if is_done(&waiting) {
                return true;
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            waiting.is_flush_wanted = true;
            self.work.notify_one();
            let woken = self.settled.wait_timeout(waiting, left);
            waiting = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Wakes those who wait for a flush, after the state changed.
    pub(super) fn notify_settled(&self) {
        self.settled.notify_all();
    }

    /// Tells the writer to finish.
    pub(super) fn close(&self) {
        let mut waiting = self.lock();
        waiting.is_closing = true;
        if waiting.gate != Gate::Poisoned {
            waiting.gate = Gate::Closed;
        }
        drop(waiting);
        self.work.notify_one();
    }
}

impl Waiting {
    fn admit(&self, generation: u32) -> Result<(), AppendError> {
        match self.gate {
            Gate::Open => {}
            Gate::Full => return Err(AppendError::Full),
            Gate::Poisoned => return Err(AppendError::Poisoned),
            Gate::Closed => return Err(AppendError::Closed),
        }
        if generation != self.generation {
            return Err(AppendError::Stale { generation: self.generation });
        }
        Ok(())
    }

    fn take(&mut self, spare: Vec<Entry>) -> Vec<Entry> {
        self.size_bytes = 0;
        self.is_crowded = false;
        std::mem::replace(&mut self.entries, spare)
    }

    /// Drops everything that waits; returns the last LSN that was given out.
    pub(super) fn drop_all(&mut self) -> Lsn {
        self.entries.clear();
        self.size_bytes = 0;
        self.generation = self.generation.wrapping_add(1);
        self.next.previous()
    }
}

/// The list of segments, shared by the writer (which closes them) and those who read or purge.
#[derive(Debug)]
pub(super) struct Catalog(Mutex<Manifest>);

impl Catalog {
    pub(super) fn new(manifest: Manifest) -> Self {
        Self(Mutex::new(manifest))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Manifest> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
