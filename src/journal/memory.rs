//! The engine that keeps records for as long as the process lives, if at all.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::{AppendError, Cursor, Journal, JournalError, Lsn, Progress, Stats};

/// A journal without a disk: a record is durable, for what that is worth, at once.
#[derive(Debug)]
pub struct InMemory {
    records: Arc<Mutex<Records>>,
    progress: watch::Sender<Progress>,
    is_keeping: bool,
}

#[derive(Debug)]
struct Records {
    /// The records from `oldest` on, without a hole.
    kept: VecDeque<Box<[u8]>>,
    oldest: Lsn,
    last: Lsn,
    size_bytes: usize,
    count: u64,
}

impl InMemory {
    /// Keeps what is appended, so that it can be replayed.
    pub fn keeping() -> Self {
        Self::new(true)
    }

    /// Forgets what is appended: there is nothing to replay, and nothing to purge.
    pub fn forgetting() -> Self {
        Self::new(false)
    }

    fn new(is_keeping: bool) -> Self {
        Self {
            records: Arc::new(Mutex::new(Records {
                kept: VecDeque::new(),
                oldest: Lsn::new(1),
                last: Lsn::ZERO,
                size_bytes: 0,
                count: 0,
            })),
            progress: watch::Sender::new(Progress::starting_at(Lsn::ZERO)),
            is_keeping,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The cursor of this engine.
#[derive(Debug)]
struct MemoryCursor {
    records: Arc<Mutex<Records>>,
    place: Lsn,
}

impl Cursor for MemoryCursor {
    fn place(&self) -> Lsn {
        self.place
    }

    fn read(
        &mut self,
        max_bytes: usize,
        visit: &mut dyn FnMut(Lsn, &[u8]),
    ) -> Result<bool, JournalError> {
        let mut left = max_bytes.max(1);
        while left > 0 {
            // One at a time: those who append wait for no visit.
            let records = self.records.lock().unwrap_or_else(PoisonError::into_inner);
            let (oldest, wanted) = (records.oldest, self.place.next());
            if wanted > records.last {
                return Ok(false);
            }
            let skipped = wanted.get().checked_sub(oldest.get());
            let index = skipped.and_then(|skipped| usize::try_from(skipped).ok());
            let Some(payload) = index.and_then(|index| records.kept.get(index)).cloned() else {
                return Err(JournalError::Purged { wanted, oldest });
            };
            drop(records);
            visit(wanted, &payload);
            self.place = wanted;
            left = left.saturating_sub(payload.len().max(1));
        }
        Ok(true)
    }
}

impl Journal for InMemory {
    fn append(&self, generation: u32, payload: Vec<u8>) -> Result<Lsn, AppendError> {
        let current = self.progress.borrow().generation;
        if generation != current {
            return Err(AppendError::Stale { generation: current });
        }
        let mut records = self.lock();
        records.last = records.last.next();
        records.count += 1;
        let last = records.last;
        if self.is_keeping {
            records.size_bytes += payload.len();
            records.kept.push_back(payload.into_boxed_slice());
        } else {
            records.oldest = last.next();
        }
        // Within the lock, so that it only ever grows.
        self.progress.send_modify(|progress| {
            progress.durable = last;
            progress.synced = last;
        });
        Ok(last)
    }

    fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    fn replay(
        &self,
        after: Lsn,
        visit: &mut dyn FnMut(Lsn, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        let records = self.lock();
        let (oldest, wanted) = (records.oldest, after.next());
        if wanted < oldest && self.is_keeping {
            return Err(JournalError::Purged { wanted, oldest });
        }
        // A copy, so that `visit` may append.
        let skipped = usize::try_from(wanted.get().saturating_sub(oldest.get()));
        let copy: Vec<_> =
            records.kept.iter().skip(skipped.unwrap_or(usize::MAX)).cloned().collect();
        drop(records);
        let mut lsn = wanted.max(oldest);
        for payload in copy {
            if visit(lsn, &payload).is_break() {
                break;
            }
            lsn = lsn.next();
        }
        Ok(())
    }

    fn cursor(&self, after: Lsn) -> Box<dyn Cursor> {
        Box::new(MemoryCursor { records: Arc::clone(&self.records), place: after })
    }

    fn purge(&self, upto: Lsn) -> Result<(), JournalError> {
        let mut records = self.lock();
        while records.oldest <= upto
            && let Some(gone) = records.kept.pop_front()
        {
            records.oldest = records.oldest.next();
            records.size_bytes -= gone.len();
        }
        Ok(())
    }

    fn flush(&self) -> Result<Lsn, JournalError> {
        Ok(self.lock().last)
    }

    fn stats(&self) -> Stats {
        let records = self.lock();
        Stats {
            size_bytes: u64::try_from(records.size_bytes).unwrap_or(u64::MAX),
            segments: u64::from(self.is_keeping),
            oldest: records.oldest,
            last: records.last,
            records: records.count,
            ..Stats::default()
        }
    }
}
