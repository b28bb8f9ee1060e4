//! Whether to wait a little for more records before the next batch.
//!
//! Writers that were just answered come back. While a sync takes longer than they need, a batch
//! that waits for them saves each of them a sync: all go into one batch instead of two that take
//! turns. When the processor is the limit they do not come back in time, and waiting only costs.
//! So we try, look whether they came, and try less often when they did not.

use std::time::{Duration, Instant};

/// After this many vain tries in a row the pauses between tries grow no more.
const MOST_DOUBLINGS: u32 = 6;

/// What was learnt about waiting.
#[derive(Debug)]
pub(super) struct Gather {
    is_on: bool,
    /// How long a sync usually takes.
    usual_sync: Duration,
    /// The size of the last batch.
    last_records: usize,
    /// Until when the next wait may last.
    until: Option<Instant>,
    /// Tries in a row at which too few came.
    vain: u32,
    /// Batches to write before the next try.
    pause: u32,
}

/// A wait that may be worth it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// How many records were answered just now; so many may come back.
    pub(super) answered: usize,
    /// When waiting ends in any case.
    pub(super) until: Instant,
}

impl Gather {
    pub(super) fn new(is_on: bool) -> Self {
        Self { is_on, usual_sync: Duration::ZERO, last_records: 0, until: None, vain: 0, pause: 0 }
    }

    /// A batch of `records` was synced in `sync` and its writers were answered at `now`.
    pub(super) fn answered(&mut self, records: usize, sync: Duration, now: Instant) {
        self.usual_sync =
            if self.usual_sync.is_zero() { sync } else { (self.usual_sync * 7 + sync) / 8 };
        self.last_records = records;
        self.until = now.checked_add(self.usual_sync);
    }

    /// The wait before the next batch, if one may be worth it.
    pub(super) fn window(&self) -> Option<Window> {
        let may_wait = self.is_on && self.pause == 0 && self.last_records > 0;
        let until = self.until.filter(|_| may_wait)?;
        Some(Window { answered: self.last_records, until })
    }

    /// The wait is over: did those come who were waited for?
    pub(super) fn learn(&mut self, came: Came) {
        match came {
            Came::All => self.vain = 0,
            Came::TooFew => {
                self.vain = (self.vain + 1).min(MOST_DOUBLINGS);
                self.pause = 1 << self.vain;
            }
            Came::NotAwaited => self.pause = self.pause.saturating_sub(1),
        }
    }
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// As many waited as there were writers.
    All,
    /// The time was over first.
    TooFew,
    /// There was no wait, or it ended for another reason.
    NotAwaited,
}
