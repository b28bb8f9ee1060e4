//! Whether the machine has more to do than it can, and how much of it a flood may have then.
//!
//! Strain shows in two ways: the workers are busy for most of the time, or they are ready and wait
//! for a processor that others have. Only then does anybody gain by another's waiting. With each
//! short period of strain a flood's part becomes smaller by a quarter, and while there is none it
//! grows again, slowly, so that strain is back for a small part of the time only.

use std::sync::atomic::{AtomicU64, Ordering};

/// How long is looked at before it is judged.
const PERIOD_NS: u64 = 10_000_000;

/// Workers are strained when they are busy for more than one part in so many.
const BUSY_PART: u64 = 2;

/// Workers are strained when they waited for a processor for more than one part in so many of the
/// time of one of them.
const LOST_PART: u64 = 20;

/// In a period without strain a part grows by one part in so many: by a twentieth in a second.
const GROWTH_PART: u64 = 2_048;

/// All of the workers' time, in parts per million.
pub(super) const ALL_PPM: u64 = 1_000_000;

/// The largest part of a flood beside somebody small: half.
const MOST_PPM: u64 = ALL_PPM / 2;

/// The smallest: a twelfth. Who asks for less is small.
pub(super) const LEAST_PPM: u64 = ALL_PPM / 12;

/// What the workers were seen to do lately. Times are nanoseconds of one clock.
#[derive(Debug)]
pub(super) struct Strain {
    period_began: AtomicU64,
    busy_ns: AtomicU64,
    lost_ns: AtomicU64,
    part_ppm: AtomicU64,
}

impl Default for Strain {
    fn default() -> Self {
        Self {
            period_began: AtomicU64::new(0),
            busy_ns: AtomicU64::new(0),
            lost_ns: AtomicU64::new(0),
            part_ppm: AtomicU64::new(MOST_PPM),
        }
    }
}

impl Strain {
    /// How much of the workers' time one tenant may have beside a small one, in parts per million.
    pub(super) fn part_ppm(&self) -> u64 {
        self.part_ppm.load(Ordering::Relaxed)
    }

    /// Whether there was strain of late.
    pub(super) fn is_felt(&self) -> bool {
        self.part_ppm() < MOST_PPM
    }

    /// Takes in that one of `workers` was busy, and waited meanwhile for a processor.
    pub(super) fn note(&self, now: u64, workers: u64, busy_ns: u64, lost_ns: u64) {
        self.busy_ns.fetch_add(busy_ns, Ordering::Relaxed);
        self.lost_ns.fetch_add(lost_ns, Ordering::Relaxed);
        let began = self.period_began.load(Ordering::Relaxed);
        let took = now.saturating_sub(began);
        if took < PERIOD_NS {
            return;
        }
        let next =
            self.period_began.compare_exchange(began, now, Ordering::Relaxed, Ordering::Relaxed);
        if next.is_err() {
            // Another judges the same period.
            return;
        }
        let busy = self.busy_ns.swap(0, Ordering::Relaxed);
        let lost = self.lost_ns.swap(0, Ordering::Relaxed);
        let part = self.part_ppm();
        let is_on = busy > took.saturating_mul(workers) / BUSY_PART || lost > took / LOST_PART;
        let next = if is_on {
            part - part / 4
        } else {
            part.saturating_add((part / GROWTH_PART).saturating_mul(took / PERIOD_NS))
        };
        self.part_ppm.store(next.clamp(LEAST_PPM, MOST_PPM), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// Lets each of two workers be busy and lost for so long in each millisecond.
    fn work(strain: &Strain, milliseconds: std::ops::Range<u64>, busy_ns: u64, lost_ns: u64) {
        for now in milliseconds {
            strain.note(now * MS, 2, busy_ns, lost_ns);
            strain.note(now * MS, 2, busy_ns, lost_ns);
        }
    }

    #[test]
    fn workers_with_time_left_are_not_strained() {
        let strain = Strain::default();
        work(&strain, 0..1_000, MS * 4 / 10, MS / 100);
        assert_eq!(strain.part_ppm(), MOST_PPM);
        assert!(!strain.is_felt());
    }

    #[test]
    fn workers_that_are_busy_most_of_the_time_make_floods_smaller_until_they_are_not() {
        let strain = Strain::default();
        work(&strain, 0..25, MS * 6 / 10, 0);
        let after_two = strain.part_ppm();
        assert!(after_two < MOST_PPM * 6 / 10, "{after_two}");
        work(&strain, 25..1_000, MS * 6 / 10, 0);
        assert_eq!(strain.part_ppm(), LEAST_PPM);
        work(&strain, 1_000..6_000, MS / 10, 0);
        let later = strain.part_ppm();
        assert!(later > LEAST_PPM && later < LEAST_PPM * 3 / 2, "it grows slowly: {later}");
    }

    #[test]
    fn workers_that_wait_for_a_processor_are_strained_however_little_they_do() {
        let strain = Strain::default();
        work(&strain, 0..25, MS / 10, MS / 10);
        assert!(strain.part_ppm() < MOST_PPM);
    }

    #[test]
    fn a_pause_lets_everything_grow_back() {
        let strain = Strain::default();
        work(&strain, 0..1_000, MS, 0);
        strain.note(300_000 * MS, 2, 100 * MS, 0);
        assert_eq!(strain.part_ppm(), MOST_PPM);
    }
}
