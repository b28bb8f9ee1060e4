//! How often a token may ask, and the headers that say so (CONTRACT.md §6.6, §13.2.2).
//!
//! With a limit, each client of a tenant has a bucket that refills evenly. Without
//! one, the headers count the tenant's requests of the running second against
//! [`UNLIMITED`]. Either way `x-ratelimit-reset` is the next second, never later:
//! clients sleep until then before they try again.

use super::problem::Problem;
use crate::domain::time::Timestamp;
use crate::store::format::TenantUid;
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use dashmap::DashMap;
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};

/// What `x-ratelimit-limit` says where no limit is set: more requests a second than
/// one machine answers.
pub const UNLIMITED: u32 = 1_000_000;

/// Clients whose buckets are remembered; a full bucket is forgotten without loss.
const MAX_BUCKETS: usize = 100_000;

static LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
static REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
static RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// What is left for a client after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Requests at once after a pause.
    pub limit: u32,
    /// How many of them are left.
    pub remaining: u32,
    /// The second at which there are more.
    pub reset: i64,
    /// Whether this request was one too many.
    pub is_exceeded: bool,
}

impl Quota {
    /// A bucket nobody took from.
    pub fn untouched(burst: u32, now: Timestamp) -> Self {
        Self { limit: burst, remaining: burst, reset: now.seconds() + 1, is_exceeded: false }
    }

    /// Writes the three headers.
    pub fn put(&self, headers: &mut HeaderMap) {
        let limit = match self.limit {
            UNLIMITED => HeaderValue::from_static("1000000"),
            limit => HeaderValue::from(limit),
        };
        headers.insert(LIMIT.clone(), limit);
        headers.insert(REMAINING.clone(), HeaderValue::from(self.remaining));
        headers.insert(RESET.clone(), second(self.reset));
    }

    /// 429, when the request was one too many.
    ///
    /// # Errors
    /// The problem to answer with.
    pub fn check(&self, now: Timestamp) -> Result<(), Problem> {
        if !self.is_exceeded {
            return Ok(());
        }
        let wait = u32::try_from(self.reset - now.seconds()).unwrap_or(1).max(1);
        Err(Problem {
            retry_after: Some(wait),
            ..Problem::new(429, "too_many_requests", "Global limit has been reached")
        })
    }
}

thread_local! {
    /// The second written last: most answers of a thread name the same one.
    static SECOND: RefCell<(i64, HeaderValue)> =
        const { RefCell::new((0, HeaderValue::from_static("0"))) };
}

fn second(number: i64) -> HeaderValue {
    SECOND.with_borrow_mut(|(last, text)| {
        if *last != number {
            *last = number;
            *text = HeaderValue::from(number);
        }
        text.clone()
    })
}

/// Counts requests.
#[derive(Debug, Default)]
pub struct Rates {
    /// By tenant: the second, and the requests of that second, in one number.
    seconds: DashMap<u64, AtomicU64>,
    /// By tenant and client: the nanosecond at which the bucket is full again.
    buckets: DashMap<(u64, String), i64>,
}

const NANOS_PER_MILLI: i64 = 1_000_000;
const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// Bits of a count in the number of a tenant's second.
const COUNT_BITS: u32 = 24;

impl Rates {
    /// Counts a request of a tenant that has no limit.
    pub fn count(&self, tenant: TenantUid, now: Timestamp) -> Quota {
        let second = u64::try_from(now.seconds()).unwrap_or(0);
        let counted = |packed: u64| {
            let used =
                if packed >> COUNT_BITS == second { packed & ((1 << COUNT_BITS) - 1) } else { 0 };
            let used = (used + 1).min(u64::from(UNLIMITED));
            (second << COUNT_BITS) | used
        };
        let step = |packed: u64| Some(counted(packed));
        let add = |cell: &AtomicU64| {
            let before = cell.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step);
            counted(before.unwrap_or_else(|same| same)) & ((1 << COUNT_BITS) - 1)
        };
        let used = match self.seconds.get(&tenant.0) {
            Some(cell) => add(&cell),
            None => add(&self.seconds.entry(tenant.0).or_default()),
        };
        Quota {
            limit: UNLIMITED,
            remaining: UNLIMITED - u32::try_from(used).unwrap_or(UNLIMITED),
            reset: now.seconds() + 1,
            is_exceeded: false,
        }
    }

    /// Takes a request out of a client's bucket of `burst`, which refills `rps` a second as `steady`
    /// goes on: a clock that is set back must not keep anybody waiting. `now` is what they are told.
    pub fn take(
        &self,
        tenant: TenantUid,
        client: &str,
        (rps, burst): (u32, u32),
        now: Timestamp,
        steady: Timestamp,
    ) -> Quota {
        let now_ns = steady.millis().saturating_mul(NANOS_PER_MILLI);
        let each = NANOS_PER_SECOND / i64::from(rps.max(1));
        let whole = each * i64::from(burst.max(1));
        let mut key = (tenant.0, client.to_owned());
        if self.buckets.len() >= MAX_BUCKETS && !self.buckets.contains_key(&key) {
            self.buckets.retain(|_, full_at| *full_at > now_ns);
            if self.buckets.len() >= MAX_BUCKETS {
                // So many at once share one bucket for each tenant.
                key.1.clear();
            }
        }
        let mut full_at = self.buckets.entry(key).or_insert(now_ns);
        let after = (*full_at).max(now_ns) + each;
        let is_exceeded = after - now_ns > whole;
        if !is_exceeded {
            *full_at = after;
        }
        let left = (now_ns + whole - *full_at).max(0) / each;
        Quota {
            limit: burst,
            remaining: u32::try_from(left).unwrap_or(0),
            reset: now.seconds() + 1,
            is_exceeded,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: TenantUid = TenantUid(1);

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn without_a_limit_each_second_begins_anew() {
        let rates = Rates::default();
        assert_eq!(rates.count(TENANT, at(5_100)).remaining, UNLIMITED - 1);
        let second = rates.count(TENANT, at(5_900));
        assert_eq!((second.remaining, second.reset), (UNLIMITED - 2, 6));
        assert_eq!(rates.count(TENANT, at(6_000)).remaining, UNLIMITED - 1);
        assert_eq!(rates.count(TenantUid(2), at(6_000)).remaining, UNLIMITED - 1);
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_what_refills() {
        let rates = Rates::default();
        let take = |millis| rates.take(TENANT, "c", (2, 3), at(millis), at(millis));
        let left: Vec<u32> = (0..3).map(|_| take(0).remaining).collect();
        assert_eq!(left, [2, 1, 0]);
        assert!(take(0).is_exceeded && take(499).is_exceeded);
        assert!(!take(500).is_exceeded && take(500).is_exceeded);
        assert!(!rates.take(TENANT, "d", (2, 3), at(500), at(500)).is_exceeded);
        assert!(!rates.take(TenantUid(2), "c", (2, 3), at(500), at(500)).is_exceeded);
        assert_eq!(take(60_000).remaining, 2);
    }

    #[test]
    fn a_refusal_names_the_next_second() {
        let rates = Rates::default();
        let take = || rates.take(TENANT, "c", (1, 1), at(1_200), at(1_200));
        assert_eq!(take().check(at(1_200)), Ok(()));
        let quota = take();
        assert_eq!(quota.reset, 2);
        let problem = quota.check(at(1_200)).unwrap_err();
        assert_eq!((problem.status, problem.retry_after), (429, Some(1)));
    }
}
