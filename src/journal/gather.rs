//! Whether to wait a little for more records before the next batch.
//!
//! Writers that were just answered come back. While a sync takes longer than they need, a batch
//! that waits for them saves each of them a sync: all go into one batch instead of two that take
//! turns. When the processor is the limit, waiting only costs. Which of the two it is cannot be
//! told from one wait, so both are tried in turn, and what writes more records a second is kept
//! for a while.

use std::time::{Duration, Instant};

/// A trial is not judged on fewer batches than this.
const TRIAL_BATCHES: u32 = 16;

/// A trial is not judged on less time than this.
const TRIAL_TIME: Duration = Duration::from_millis(20);

/// How many trials what did better is kept for.
const KEPT_TRIALS: u32 = 8;

/// Waiting must be this much better, in thousandths: it also costs when few write.
const WORTH_WAITING: u64 = 1050;

/// What was learnt about waiting.
#[derive(Debug)]
pub(super) struct Gather {
    is_on: bool,
    /// How long a sync usually takes.
    usual_sync: Duration,
    /// The size of the last batch, and until when its writers are waited for.
    last: Option<(usize, Instant)>,
    phase: Phase,
    trial: Trial,
    /// Records a second in the last trial without waiting.
    rate_without: u64,
    /// How much more waiting wrote, in thousandths of not waiting, smoothed.
    advantage: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    TryWithout,
    TryWith,
    /// Keep what did better, for so many trials more.
    Keep(u32),
}

#[derive(Clone, Copy, Debug)]
struct Trial {
    batches: u32,
    records: usize,
    begun: Option<Instant>,
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
        Self {
            is_on,
            usual_sync: Duration::ZERO,
            last: None,
            phase: Phase::TryWithout,
            trial: Trial::NEW,
            rate_without: 0,
            advantage: 1000,
        }
    }

    /// A batch of `records` was synced in `sync`, and its writers were answered at `now`.
    pub(super) fn answered(&mut self, records: usize, sync: Duration, now: Instant) {
        self.usual_sync = (self.usual_sync * 7 + sync) / 8;
        self.last = Some((records, now + self.usual_sync));
        let Some(begun) = self.trial.begun else {
            self.trial.begun = Some(now);
            return;
        };
        self.trial.batches += 1;
        self.trial.records += records;
        let time = now.saturating_duration_since(begun);
        if self.trial.batches >= TRIAL_BATCHES && time >= TRIAL_TIME {
            self.judge(rate(self.trial.records, time));
            self.trial = Trial { begun: Some(now), ..Trial::NEW };
        }
    }

    /// The wait before the next batch, if one may be worth it.
    pub(super) fn window(&self) -> Option<Window> {
        let is_waiting = match self.phase {
            Phase::TryWithout => false,
            Phase::TryWith => true,
            Phase::Keep(_) => self.advantage >= WORTH_WAITING,
        };
        let (answered, until) = self.last.filter(|_| self.is_on && is_waiting)?;
        Some(Window { answered, until })
    }

    fn judge(&mut self, rate: u64) {
        self.phase = match self.phase {
            Phase::TryWithout => {
                self.rate_without = rate.max(1);
                Phase::TryWith
            }
            Phase::TryWith => {
                // One trial can be lucky; no single one decides much.
                let advantage = (rate.saturating_mul(1000) / self.rate_without).clamp(500, 2000);
                self.advantage = (self.advantage * 3 + advantage) / 4;
                Phase::Keep(KEPT_TRIALS)
            }
            Phase::Keep(0) => Phase::TryWithout,
            Phase::Keep(left) => Phase::Keep(left - 1),
        };
    }
}

impl Trial {
    const NEW: Self = Self { batches: 0, records: 0, begun: None };
}

/// Records a second.
fn rate(records: usize, time: Duration) -> u64 {
    let records = u128::try_from(records).unwrap_or(u128::MAX);
    let rate = records.saturating_mul(1_000_000) / time.as_micros().max(1);
    u64::try_from(rate).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYNC: Duration = Duration::from_millis(2);

    /// Lets the clock run for a thousand batches of `records` that take `time` each, the first
    /// pair without a wait, the second with one; says how many were waited for.
    fn waits(without: (usize, Duration), with: (usize, Duration)) -> usize {
        let mut gather = Gather::new(true);
        let mut now = Instant::now();
        let mut waits = 0;
        for _ in 0..1000 {
            let is_waiting = gather.window().is_some();
            waits += usize::from(is_waiting);
            let (records, time) = if is_waiting { with } else { without };
            now += time;
            gather.answered(records, SYNC, now);
        }
        waits
    }

    #[test]
    fn it_waits_while_that_writes_more() {
        assert!(waits((32, SYNC), (64, SYNC * 3 / 2)) > 700);
    }

    #[test]
    fn it_does_not_wait_when_that_writes_less_or_the_same() {
        assert!(waits((32, SYNC), (60, SYNC * 2)) < 150);
        assert!(waits((1, SYNC * 10), (1, SYNC * 10)) < 150);
    }

    #[test]
    fn it_never_waits_when_it_is_off_and_never_longer_than_a_usual_sync() {
        let mut gather = Gather::new(false);
        let mut now = Instant::now();
        for is_on in [false, true] {
            gather.is_on = is_on;
            for _ in 0..100 {
                now += SYNC;
                gather.answered(10, SYNC, now);
                let window = gather.window();
                assert!(is_on || window.is_none());
                assert!(window.is_none_or(|window| window.until <= now + SYNC));
            }
        }
    }
}
