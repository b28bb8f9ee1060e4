//! How much of one tenant is worked on at the same time.
//!
//! What a request costs grows with its body: reading, deciding, writing it to the journal, which
//! everybody shares. A tenant may have so many bytes of bodies in work; more wait their turn, and
//! beyond that they are refused. So the storm of one tenant queues up before its own door, and
//! never as a whole before the disk. While other tenants are served too, each has but a part of
//! its room: whoever comes next finds the workers and the disk with little before it.

use super::handle::TenantError;
use crate::store::format::TenantUid;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What even the smallest request counts for.
const UNIT_BYTES: usize = 16 << 10;

/// In company a tenant has this part of its room.
const SHARE: usize = 4;

/// How long a tenant counts as company after its last request.
const LINGERS_MS: u64 = 1_000;

/// For each byte that may be in work, so many may wait.
const WAITING: usize = 64;

/// No tenant's number.
const NOBODY: u64 = u64::MAX;

/// Whether more than one tenant is being served.
#[derive(Debug)]
pub(super) struct Company {
    begun: Instant,
    /// Whose the last request was; at first nobody's.
    last: AtomicU64,
    /// When a request of another than the last came, in milliseconds since `begun`, and one more; 0: never.
    mixed: AtomicU64,
}

impl Default for Company {
    fn default() -> Self {
        Self { begun: Instant::now(), last: AtomicU64::new(NOBODY), mixed: AtomicU64::new(0) }
    }
}

impl Company {
    /// Notes a request of a tenant. While there is but one, it costs a look.
    pub(super) fn note(&self, uid: TenantUid) {
        if self.last.load(Ordering::Relaxed) != uid.0
            && self.last.swap(uid.0, Ordering::Relaxed) != NOBODY
        {
            self.mixed.store(self.elapsed_ms() + 1, Ordering::Relaxed);
        }
    }

    fn is_mixed(&self) -> bool {
        let mixed = self.mixed.load(Ordering::Relaxed);
        mixed != 0 && self.elapsed_ms() < mixed + LINGERS_MS
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX / 2)
    }
}

/// The room of one tenant.
#[derive(Debug)]
pub(super) struct Room {
    company: Arc<Company>,
    units: Arc<Semaphore>,
    all: usize,
    waiting: AtomicUsize,
}

/// A place in the room, until dropped.
#[derive(Debug)]
pub struct Place(
    #[expect(dead_code, reason = "what counts is when it is dropped")] OwnedSemaphorePermit,
);

impl Room {
    pub(super) fn new(size_bytes: usize, company: Arc<Company>) -> Self {
        let all = (size_bytes / UNIT_BYTES).clamp(1, Semaphore::MAX_PERMITS);
        Self { company, units: Arc::new(Semaphore::new(all)), all, waiting: AtomicUsize::new(0) }
    }

    /// Notes that a request of this tenant came.
    pub(super) fn note(&self, uid: TenantUid) {
        self.company.note(uid);
    }

    /// Waits for a place for a body of `size_bytes`; one larger than the room takes all of it.
    ///
    /// # Errors
    /// [`TenantError::Busy`] at once when too much waits already, and after `timeout`.
    pub(super) async fn enter(
        &self,
        size_bytes: usize,
        timeout: Duration,
    ) -> Result<Place, TenantError> {
        let units = size_bytes.div_ceil(UNIT_BYTES).max(1);
        let taken = if self.company.is_mixed() { units.saturating_mul(SHARE) } else { units };
        let count = u32::try_from(taken.min(self.all)).unwrap_or(u32::MAX);
        if let Ok(place) = self.units.clone().try_acquire_many_owned(count) {
            return Ok(Place(place));
        }
        let before = self.waiting.fetch_add(units, Ordering::Relaxed);
        let _leaves = Leaves { waiting: &self.waiting, units };
        if before + units > self.all.saturating_mul(WAITING) {
            return Err(TenantError::Busy);
        }
        // First come, first served: a large body is not passed by small ones for ever.
        let place = self.units.clone().acquire_many_owned(count);
        match tokio::time::timeout(timeout, place).await {
            Ok(Ok(place)) => Ok(Place(place)),
            Ok(Err(_)) | Err(_) => Err(TenantError::Busy),
        }
    }
}

/// Takes off the queue again, also when whoever waited went away.
struct Leaves<'a> {
    waiting: &'a AtomicUsize,
    units: usize,
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.waiting.fetch_sub(self.units, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    const SOON: Duration = Duration::from_millis(1);
    const LONG: Duration = Duration::from_mins(1);

    fn alone(size_bytes: usize) -> Room {
        Room::new(size_bytes, Arc::default())
    }

    #[actix_rt::test]
    async fn in_company_a_tenant_has_a_part_of_its_room() {
        let room = alone(SHARE * UNIT_BYTES);
        let (own, other) = (TenantUid(7), TenantUid(8));
        room.note(own);
        room.note(own);
        let held = [room.enter(1, SOON).await.unwrap(), room.enter(1, SOON).await.unwrap()];
        drop(held);
        room.note(other);
        let held = room.enter(1, SOON).await.unwrap();
        assert_eq!(room.enter(1, SOON).await.unwrap_err(), TenantError::Busy);
        drop(held);
        // Long ago.
        room.note(own);
        room.company.mixed.store(0, Ordering::Relaxed);
        let _held = [room.enter(1, SOON).await.unwrap(), room.enter(1, SOON).await.unwrap()];
    }

    #[actix_rt::test]
    async fn what_does_not_fit_waits_and_goes_on_in_its_turn() {
        let room = alone(4 * UNIT_BYTES);
        let small = room.enter(1, LONG).await.unwrap();
        let large = room.enter(3 * UNIT_BYTES, LONG).await.unwrap();
        assert_eq!(room.enter(0, SOON).await.unwrap_err(), TenantError::Busy);
        // The whole room, asked for by something larger than it.
        let mut whole = Box::pin(room.enter(100 * UNIT_BYTES, LONG));
        assert!(whole.as_mut().now_or_never().is_none());
        drop(small);
        let mut later = Box::pin(room.enter(1, LONG));
        assert!(later.as_mut().now_or_never().is_none(), "nobody is passed");
        drop(large);
        let whole = whole.await.unwrap();
        assert!(later.as_mut().now_or_never().is_none());
        drop(whole);
        later.await.unwrap();
        assert_eq!(room.waiting.load(Ordering::Relaxed), 0);
    }

    #[actix_rt::test]
    async fn what_is_too_much_even_for_waiting_is_refused_at_once() {
        let room = alone(UNIT_BYTES);
        let _held = room.enter(1, LONG).await.unwrap();
        let mut queue: Vec<_> = (0..WAITING).map(|_| Box::pin(room.enter(1, LONG))).collect();
        for one in &mut queue {
            assert!(one.as_mut().now_or_never().is_none());
        }
        let refused = room.enter(1, LONG).now_or_never();
        assert_eq!(refused.map(Result::unwrap_err), Some(TenantError::Busy));
        // Who goes away makes room for others.
        drop(queue.pop());
        assert!(room.enter(1, LONG).now_or_never().is_none());
    }
}
