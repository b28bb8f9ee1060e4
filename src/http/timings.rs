//! How many requests there are and how long they take, of the last minute.
//!
//! Each worker writes into a book of its own, so what is counted costs no worker the wait for
//! another; only who asks for the figures looks into all of them. A book has a page for the whole
//! server and one for each of a bounded number of tenants, and no page grows: seconds are counted
//! in a ring, durations go into histograms of two digits, each for ten seconds.

use crate::store::format::TenantUid;
use hdrhistogram::Histogram;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Seconds that are told of.
pub const SECONDS: u64 = 60;

/// The length of the ring of seconds: those told of, and the one that is not over.
const RING: u64 = 64;

/// Seconds that share a histogram.
const SPAN: u64 = 10;

/// Histograms: those of the last minute, and the one that is being filled.
const SPANS: u64 = 7;

/// Nothing is told apart beyond this.
const LONGEST_MICROS: u64 = 60_000_000;

/// Tenants a worker keeps apart. Those beyond are counted for the server alone.
const MAX_TENANTS: usize = 256;

/// Whose page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Whose {
    /// The whole server's.
    Server,
    /// A tenant's.
    Tenant(TenantUid),
}

/// The books of all workers.
#[derive(Debug)]
pub struct Timings {
    begun: Instant,
    books: Mutex<Vec<Arc<Book>>>,
}

/// What one worker wrote down.
#[derive(Debug)]
pub struct Book {
    begun: Instant,
    pages: Mutex<HashMap<Whose, Page>>,
}

/// One second's count.
#[derive(Clone, Copy, Debug, Default)]
struct Second {
    number: u64,
    reads: u32,
    writes: u32,
}

#[derive(Debug)]
struct Page {
    seconds: [Second; 64],
    spans: [Option<(u64, Histogram<u32>)>; 7],
    last: u64,
}

impl Default for Page {
    fn default() -> Self {
        Self { seconds: [Second::default(); 64], spans: std::array::from_fn(|_| None), last: 0 }
    }
}

/// What is told of the last minute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Minute {
    /// Reads of each whole second, the oldest first.
    pub reads: Vec<u64>,
    /// Other requests of each whole second.
    pub writes: Vec<u64>,
    /// Half of the requests took no longer than this; none when there were none.
    pub p50_micros: Option<u64>,
    /// Of a hundred requests, 99 took no longer than this.
    pub p99_micros: Option<u64>,
}

impl Default for Timings {
    fn default() -> Self {
        Self { begun: Instant::now(), books: Mutex::default() }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Timings {
    /// A book for one more worker.
    pub fn book(&self) -> Arc<Book> {
        let book = Arc::new(Book { begun: self.begun, pages: Mutex::default() });
        locked(&self.books).push(book.clone());
        book
    }

    /// The last minute, of all workers together.
    pub fn minute(&self, whose: Whose) -> Minute {
        self.minute_at(whose, self.begun.elapsed().as_secs())
    }

    fn minute_at(&self, whose: Whose, now: u64) -> Minute {
        let mut sum = Sum::new(now);
        for book in locked(&self.books).iter() {
            if let Some(page) = locked(&book.pages).get(&whose) {
                sum.add(page);
            }
        }
        sum.told()
    }
}

impl Book {
    /// Writes a request down that was answered now.
    pub fn write(&self, tenant: Option<TenantUid>, is_read: bool, took: Duration) {
        self.write_at(self.begun.elapsed().as_secs(), tenant, is_read, took);
    }

    fn write_at(&self, now: u64, tenant: Option<TenantUid>, is_read: bool, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let mut pages = locked(&self.pages);
        pages.entry(Whose::Server).or_default().write(now, is_read, micros);
        let Some(whose) = tenant.map(Whose::Tenant) else { return };
        if let Some(page) = pages.get_mut(&whose) {
            page.write(now, is_read, micros);
            return;
        }
        if pages.len() > MAX_TENANTS {
            pages.retain(|_, page| now.saturating_sub(page.last) <= SECONDS);
        }
        if pages.len() <= MAX_TENANTS {
            pages.entry(whose).or_default().write(now, is_read, micros);
        }
    }
}

/// The place in a ring.
fn place(number: u64, length: u64) -> usize {
    usize::try_from(number % length).unwrap_or_default()
}

impl Page {
    fn write(&mut self, now: u64, is_read: bool, micros: u64) {
        self.last = now;
        if let Some(second) = self.seconds.get_mut(place(now, RING)) {
            if second.number != now {
                *second = Second { number: now, ..Second::default() };
            }
            let count = if is_read { &mut second.reads } else { &mut second.writes };
            *count = count.saturating_add(1);
        }
        let number = now / SPAN;
        let Some(slot) = self.spans.get_mut(place(number, SPANS)) else { return };
        match slot {
            Some((own, histogram)) if *own == number => histogram.saturating_record(micros),
            Some((own, histogram)) => {
                *own = number;
                histogram.reset();
                histogram.saturating_record(micros);
            }
            None => {
                let mut histogram = empty();
                histogram.saturating_record(micros);
                *slot = Some((number, histogram));
            }
        }
    }
}

fn empty() -> Histogram<u32> {
    Histogram::new_with_max(LONGEST_MICROS, 2).expect("the bounds are those of the documentation")
}

/// Pages of several books, added up.
struct Sum {
    /// The second that is not over.
    now: u64,
    minute: Minute,
    durations: Histogram<u32>,
}

impl Sum {
    fn new(now: u64) -> Self {
        let none = (0..SECONDS).map(|_| 0).collect::<Vec<_>>();
        let minute = Minute { reads: none.clone(), writes: none, ..Minute::default() };
        Self { now, minute, durations: empty() }
    }

    fn add(&mut self, page: &Page) {
        let (reads, writes) = (self.minute.reads.iter_mut(), self.minute.writes.iter_mut());
        for (at, (reads, writes)) in (0_u64..).zip(reads.zip(writes)) {
            // The last place is the second before this one.
            let Some(number) = (self.now + at).checked_sub(SECONDS) else { continue };
            let Some(second) = page.seconds.get(place(number, RING)) else { continue };
            if second.number == number {
                *reads += u64::from(second.reads);
                *writes += u64::from(second.writes);
            }
        }
        let oldest = (self.now / SPAN).saturating_sub(SPANS - 1);
        for (number, histogram) in page.spans.iter().flatten() {
            if *number >= oldest {
                // Of equal bounds: nothing is refused.
                self.durations.add(histogram).expect("all histograms have the same bounds");
            }
        }
    }

    fn told(self) -> Minute {
        let Self { minute, durations, .. } = self;
        let at = |quantile| (!durations.is_empty()).then(|| durations.value_at_quantile(quantile));
        Minute { p50_micros: at(0.5), p99_micros: at(0.99), ..minute }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACME: TenantUid = TenantUid(7);

    fn micros(number: u64) -> Duration {
        Duration::from_micros(number)
    }

    #[test]
    fn workers_add_up_and_tenants_are_kept_apart() {
        let timings = Timings::default();
        let (one, other) = (timings.book(), timings.book());
        one.write_at(100, Some(ACME), true, micros(10));
        other.write_at(100, Some(ACME), false, micros(30));
        other.write_at(101, Some(TenantUid(8)), true, micros(1_000));
        one.write_at(101, None, true, micros(20));
        let server = timings.minute_at(Whose::Server, 102);
        assert_eq!((server.reads.len(), server.writes.len()), (60, 60));
        assert_eq!((server.reads[58], server.writes[58], server.reads[59]), (1, 1, 2));
        assert_eq!((server.p50_micros, server.p99_micros), (Some(20), Some(1_003)));
        let acme = timings.minute_at(Whose::Tenant(ACME), 102);
        assert_eq!((acme.reads.iter().sum::<u64>(), acme.p99_micros), (1, Some(30)));
        let nobody = timings.minute_at(Whose::Tenant(TenantUid(9)), 102);
        assert_eq!((nobody.reads.iter().sum::<u64>(), nobody.p50_micros), (0, None));
    }

    #[test]
    fn what_is_older_than_a_minute_is_forgotten() {
        let timings = Timings::default();
        let book = timings.book();
        book.write_at(3, Some(ACME), true, micros(50_000));
        let seen = |now| {
            let minute = timings.minute_at(Whose::Tenant(ACME), now);
            (minute.reads.iter().sum::<u64>(), minute.p50_micros.is_some())
        };
        assert_eq!(seen(3), (0, true), "a second counts when it is over");
        assert_eq!(seen(4), (1, true));
        assert_eq!(seen(63), (1, true));
        assert_eq!(seen(64).0, 0);
        assert_eq!(seen(70), (0, false));
        // The same places of both rings, an hour later.
        book.write_at(3 + 64 * 70, Some(ACME), true, micros(10));
        let minute = timings.minute_at(Whose::Tenant(ACME), 4 + 64 * 70);
        assert_eq!((minute.reads.iter().sum::<u64>(), minute.p99_micros), (1, Some(10)));
    }

    #[test]
    fn tenants_without_end_take_no_memory_without_end() {
        let timings = Timings::default();
        let book = timings.book();
        for number in 0..1_000 {
            book.write_at(1, Some(TenantUid(number)), true, micros(1));
        }
        assert_eq!(locked(&book.pages).len(), MAX_TENANTS + 1);
        let first = Whose::Tenant(TenantUid(0));
        assert_eq!(timings.minute_at(first, 2).reads[59], 1);
        assert_eq!(timings.minute_at(Whose::Server, 2).reads[59], 1_000);
        // Who has not asked for a minute makes room.
        book.write_at(100, Some(TenantUid(5_000)), true, micros(1));
        assert_eq!(timings.minute_at(Whose::Tenant(TenantUid(5_000)), 101).reads[59], 1);
    }

    #[test]
    fn a_request_of_hours_is_counted_as_the_longest() {
        let timings = Timings::default();
        timings.book().write_at(1, None, true, Duration::from_hours(3));
        let longest = timings.minute_at(Whose::Server, 2).p99_micros.unwrap();
        assert!((59_000_000..=61_000_000).contains(&longest), "{longest}");
    }
}
