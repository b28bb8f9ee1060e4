//! How much of one tenant is worked on at the same time.
//!
//! What a request costs grows with its body: reading, deciding, writing it to the journal, which
//! everybody shares. A tenant may have so many bytes of bodies in work; more wait their turn, and
//! beyond that they are refused. So the storm of one tenant queues up before its own door, and
//! never as a whole before the disk.

use super::handle::TenantError;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What even the smallest request counts for.
const UNIT_BYTES: usize = 4 << 10;

/// For each byte that may be in work, so many may wait.
const WAITING: usize = 64;

/// The room of one tenant.
#[derive(Debug)]
pub(super) struct Room {
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
    pub(super) fn new(size_bytes: usize) -> Self {
        let all = (size_bytes / UNIT_BYTES).clamp(1, Semaphore::MAX_PERMITS);
        Self { units: Arc::new(Semaphore::new(all)), all, waiting: AtomicUsize::new(0) }
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
        let count = u32::try_from(units.min(self.all)).unwrap_or(u32::MAX);
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

    #[actix_rt::test]
    async fn what_does_not_fit_waits_and_goes_on_in_its_turn() {
        let room = Room::new(4 * UNIT_BYTES);
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
        let room = Room::new(UNIT_BYTES);
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
