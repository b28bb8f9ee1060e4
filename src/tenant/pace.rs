//! How fast one tenant goes while a smaller one is served beside it.
//!
//! What a request costs the workers is measured and put on its tenant's account, which is paid back
//! as time goes by. Who asks for more than is paid back waits before its next request is begun, while
//! somebody who asks for little is there: the workers then have time for that one at once, whether
//! the flood is made of reads, of writes or of requests that are refused.

use super::strain::{ALL_PPM, LEAST_PPM};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// What a request costs besides what is measured: its head is read before, its answer written after.
const BESIDE_NS: u64 = 12_000;

/// What each byte of a body counts for: it is read, and written to the journal and the history,
/// which all tenants share.
const BYTE_NS: u64 = 20;

/// What the first request is taken to cost.
const AT_FIRST_NS: u64 = 20_000;

/// Nobody waits for less than this; a timer is no finer.
const UNNOTICED_NS: u64 = 1_000_000;

/// No debt is remembered beyond this.
const REMEMBERED_NS: u64 = 50_000_000;

/// Requests that began together and turn out to be costly owe no more than this.
const MOST_OWED_NS: u64 = 1_000_000_000;

/// The account of one tenant. Its times are nanoseconds of one clock that never goes back.
#[derive(Debug)]
pub(super) struct Account {
    /// When everything it had is paid back, at the pace of the day.
    paid_at: AtomicU64,
    /// The same if it had the least part there is.
    light_at: AtomicU64,
    /// What one of its requests costs.
    typical_ns: AtomicU64,
    workers: u64,
}

/// When a request may begin, and what was put on the account for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Booked {
    pub(super) wait_ns: u64,
    cost_ns: u64,
    part_ppm: u64,
}

impl Account {
    /// The account of a tenant on a machine with so many workers.
    pub(super) fn new(workers: usize) -> Self {
        Self {
            paid_at: AtomicU64::new(0),
            light_at: AtomicU64::new(0),
            typical_ns: AtomicU64::new(AT_FIRST_NS),
            workers: u64::try_from(workers).unwrap_or(1).max(1),
        }
    }

    /// How many workers there are.
    pub(super) const fn workers(&self) -> u64 {
        self.workers
    }

    /// Whether it asks for no more than the least part there is.
    pub(super) fn is_light(&self, now: u64) -> bool {
        self.light_at.load(Ordering::Relaxed) <= now + UNNOTICED_NS
    }

    /// Puts a request on the account that may begin at once; the tenant has `part_ppm` of the
    /// workers' time.
    pub(super) fn book(&self, now: u64, part_ppm: u64) -> Booked {
        let cost_ns = self.typical_ns.load(Ordering::Relaxed);
        let back = self.back_in(cost_ns, part_ppm);
        change(&self.paid_at, |at| (at.max(now) + back).min(now + REMEMBERED_NS));
        self.book_light(now, cost_ns);
        Booked { wait_ns: 0, cost_ns, part_ppm }
    }

    /// Puts a request on the account that may begin once all before it is paid back; none when that
    /// takes longer than `limit_ns`.
    pub(super) fn book_in_turn(&self, now: u64, part_ppm: u64, limit_ns: u64) -> Option<Booked> {
        let cost_ns = self.typical_ns.load(Ordering::Relaxed);
        let back = self.back_in(cost_ns, part_ppm);
        let next = |at: u64| (at <= now.saturating_add(limit_ns)).then(|| at.max(now) + back);
        let before = self.paid_at.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next).ok()?;
        self.book_light(now, cost_ns);
        let wait_ns = Some(before.saturating_sub(now)).filter(|&wait| wait > UNNOTICED_NS);
        Some(Booked { wait_ns: wait_ns.unwrap_or(0), cost_ns, part_ppm })
    }

    /// Puts what a request really cost in the place of what was booked for it.
    pub(super) fn settle(&self, now: u64, booked: Booked, measured_ns: u64) {
        let cost_ns = cost_of(measured_ns);
        for (paid_at, part_ppm) in [(&self.paid_at, booked.part_ppm), (&self.light_at, LEAST_PPM)] {
            let [spent, taken] = [cost_ns, booked.cost_ns].map(|ns| self.back_in(ns, part_ppm));
            change(paid_at, |at| owed(now, at, at.saturating_add(spent).saturating_sub(taken)));
        }
        let typical = self.typical_ns.load(Ordering::Relaxed);
        self.typical_ns.store(typical - typical / 8 + cost_ns / 8, Ordering::Relaxed);
    }

    /// Puts on the account that so many bytes of a body are taken.
    pub(super) fn take(&self, now: u64, size_bytes: usize, part_ppm: u64) {
        let size_bytes = u64::try_from(size_bytes).unwrap_or(u64::MAX);
        let back = self.back_in(size_bytes.saturating_mul(BYTE_NS), part_ppm);
        change(&self.paid_at, |at| owed(now, at, at.saturating_add(back)));
    }

    fn book_light(&self, now: u64, cost_ns: u64) {
        let back = self.back_in(cost_ns, LEAST_PPM);
        change(&self.light_at, |at| (at.max(now) + back).min(now + REMEMBERED_NS));
    }

    /// How long it takes to pay back so much of a worker's time with a part of all workers' time.
    fn back_in(&self, cost_ns: u64, part_ppm: u64) -> u64 {
        cost_ns.saturating_mul(ALL_PPM) / part_ppm.max(1) / self.workers
    }
}

/// When all is paid back of what is owed now, where it was to be at `before`: in a second at most,
/// which is what a caller who is refused is told to wait.
fn owed(now: u64, before: u64, after: u64) -> u64 {
    after.min(before.max(now + MOST_OWED_NS))
}

fn change(cell: &AtomicU64, change: impl Fn(u64) -> u64) {
    let change = |at| Some(change(at));
    // It always has a value, so it is never refused.
    let _before = cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
}

/// What a request costs the workers of which so much was measured.
pub(super) const fn cost_of(measured_ns: u64) -> u64 {
    measured_ns.saturating_add(BESIDE_NS)
}

/// How long something kept a worker, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Spent {
    /// With a processor.
    pub(super) busy_ns: u64,
    /// Ready to go on, without one.
    pub(super) lost_ns: u64,
}

/// Does `work` and adds up how long it kept this thread.
pub(super) async fn measured<W: Future>(work: W, spent: &mut Spent) -> W::Output {
    let mut work = pin!(work);
    poll_fn(|context| {
        let (begun, processor_begun) = (Instant::now(), processor_ns());
        let polled = work.as_mut().poll(context);
        let busy_ns = processor_ns().saturating_sub(processor_begun);
        let took_ns = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        spent.busy_ns += busy_ns;
        spent.lost_ns += took_ns.saturating_sub(busy_ns);
        polled
    })
    .await
}

/// How long this thread had a processor.
pub(super) fn processor_ns() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let [seconds, nanos] = [time.tv_sec, time.tv_nsec].map(|part| u64::try_from(part).unwrap_or(0));
    seconds * 1_000_000_000 + nanos
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const QUARTER: u64 = ALL_PPM / 4;

    /// Ends a request that took so much of a worker.
    fn spend(account: &Account, now: u64, booked: Booked, cost_ns: u64) {
        account.settle(now, booked, cost_ns - BESIDE_NS);
    }

    #[test]
    fn who_asks_for_less_than_its_part_never_waits() {
        let account = Account::new(4);
        for turn in 0..1_000 {
            let now = turn * MS;
            let booked = account.book_in_turn(now, QUARTER, MS).unwrap();
            assert_eq!(booked.wait_ns, 0);
            spend(&account, now, booked, MS * 9 / 10);
        }
    }

    #[test]
    fn who_asks_for_more_gets_its_part_and_no_more() {
        for workers in [1, 2, 4, 64] {
            let account = Account::new(workers);
            let (mut now, mut served) = (0, 0);
            while now < 1_000 * MS {
                let booked = account.book_in_turn(now, QUARTER, u64::MAX).unwrap();
                now += booked.wait_ns.max(1_000);
                spend(&account, now, booked, MS / 10);
                served += MS / 10;
            }
            let share = 1_000 * MS * u64::try_from(workers).unwrap() / 4;
            assert!(served.abs_diff(share) < share / 50, "{workers} workers: {served} of {share}");
        }
    }

    #[test]
    fn who_asks_for_the_least_part_is_light_whatever_the_part_of_the_day() {
        let least = MS * LEAST_PPM / ALL_PPM;
        for part_ppm in [LEAST_PPM, QUARTER, ALL_PPM] {
            let (light, heavy) = (Account::new(1), Account::new(1));
            for turn in 0..1_000 {
                let now = turn * MS;
                assert!(light.is_light(now));
                spend(&light, now, light.book(now, part_ppm), least * 9 / 10);
                spend(&heavy, now, heavy.book(now, part_ppm), least * 3 / 2);
            }
            assert!(!heavy.is_light(1_000 * MS));
        }
    }

    #[test]
    fn requests_that_come_at_once_begin_one_after_the_other() {
        let account = Account::new(2);
        spend(&account, 0, account.book(0, QUARTER), 5 * MS);
        let waits: Vec<u64> =
            (0..4).map(|_| account.book_in_turn(0, QUARTER, 100 * MS).unwrap().wait_ns).collect();
        assert!(waits.windows(2).all(|two| two[0] < two[1]), "{waits:?}");
        assert_eq!(waits[0], 10 * MS, "twice as long as it took one of two workers");
    }

    #[test]
    fn who_would_wait_too_long_is_told_at_once_and_owes_nothing_for_it() {
        let account = Account::new(1);
        spend(&account, 0, account.book(0, QUARTER), 5 * MS);
        assert_eq!(account.book_in_turn(0, QUARTER, 19 * MS), None);
        assert_eq!(account.book_in_turn(0, QUARTER, 20 * MS).unwrap().wait_ns, 20 * MS);
    }

    #[test]
    fn nobody_owes_more_than_a_second_however_costly_what_began_together_was() {
        let account = Account::new(1);
        let together: Vec<Booked> = (0..64).map(|_| account.book(0, QUARTER)).collect();
        for booked in together {
            spend(&account, 0, booked, 100 * MS);
        }
        account.take(0, 1 << 30, QUARTER);
        assert_eq!(account.book_in_turn(0, QUARTER, u64::MAX).unwrap().wait_ns, MOST_OWED_NS);
    }

    #[test]
    fn the_bytes_of_a_body_are_waited_for_too() {
        let account = Account::new(1);
        account.take(0, 100_000, QUARTER);
        let waits = account.book_in_turn(0, QUARTER, 100 * MS).unwrap().wait_ns;
        assert_eq!(waits, 100_000 * BYTE_NS * 4);
    }

    #[test]
    fn a_debt_of_a_time_without_company_is_soon_forgotten() {
        let account = Account::new(1);
        for _ in 0..1_000 {
            spend(&account, 0, account.book(0, QUARTER), MS);
        }
        account.book(0, QUARTER);
        let waits = account.book_in_turn(0, QUARTER, u64::MAX).unwrap().wait_ns;
        assert_eq!(waits, REMEMBERED_NS);
        assert!(!account.is_light(REMEMBERED_NS - 2 * MS));
        assert!(account.is_light(REMEMBERED_NS + MS));
    }

    #[actix_rt::test]
    async fn only_what_keeps_the_processor_is_measured() {
        let busy = async {
            let begun = processor_ns();
            while processor_ns() - begun < 5 * MS {}
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        };
        let mut spent = Spent::default();
        measured(busy, &mut spent).await;
        assert!((5 * MS..45 * MS).contains(&spent.busy_ns), "{spent:?}");
    }
}
