//! Work on passwords: tens of milliseconds and 19 MiB each by design, and anybody may ask for it.
//!
//! As many are worked on at once as there are threads for it. A tenant has no more than that
//! between its own door and the end of the work; what else it asks for waits at that door, a bounded
//! number for a bounded time. So however many sign-ins one tenant is flooded with, another's stand
//! behind as many as there are threads, and not behind the flood.

use crate::store::format::TenantUid;
use crate::tenant::TenantError;
use dashmap::DashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many may wait at the door of one tenant.
const WAITING: usize = 128;

/// How long they wait before they are told to come again.
const PATIENCE: Duration = Duration::from_secs(5);

/// The threads that work on passwords, and the doors before them.
#[derive(Debug)]
pub struct Hashing {
    threads: usize,
    free: Arc<Semaphore>,
    doors: Arc<Doors>,
    done: AtomicU64,
}

/// By tenant; those at which nobody stands are taken away, so that no door outlives its tenant.
type Doors = DashMap<u64, Arc<Door>>;

#[derive(Debug)]
struct Door {
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Hashing {
    /// Works on so many at once.
    pub fn new(threads: usize) -> Self {
        let free = Arc::new(Semaphore::new(threads));
        Self { threads, free, doors: Arc::default(), done: AtomicU64::new(0) }
    }

    /// How often a password was worked on since the start.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    /// Does some work for a tenant when its turn has come. Work that has begun keeps its thread to
    /// its end, also when whoever asked for it is gone by then.
    ///
    /// # Errors
    /// [`TenantError::Busy`] when too many wait already, or for too long; nothing was done.
    pub async fn work<T: Send + 'static>(
        &self,
        tenant: TenantUid,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, TenantError> {
        let turn = tokio::time::timeout(PATIENCE, self.turn(tenant));
        let turn = turn.await.map_err(|_| TenantError::Busy)??;
        self.done.fetch_add(1, Ordering::Relaxed);
        let work = move || {
            let done = work();
            drop(turn);
            done
        };
        actix_web::web::block(work).await.map_err(|_| TenantError::Broken)
    }

    /// Waits at the tenant's door, then among the others.
    async fn turn(&self, tenant: TenantUid) -> Result<Turn, TenantError> {
        let (standing, door) = self.stand(tenant);
        let before = door.waiting.fetch_add(1, Ordering::Relaxed);
        let _leaves = Leaves(&door.waiting);
        if before >= WAITING {
            return Err(TenantError::Busy);
        }
        let place = door.places.clone().acquire_owned().await.map_err(|_| TenantError::Busy)?;
        let thread = self.free.clone().acquire_owned().await.map_err(|_| TenantError::Busy)?;
        Ok(Turn { _place: place, _thread: thread, _standing: standing })
    }

    /// Steps to the door of a tenant. What is given back first has to be dropped last.
    fn stand(&self, tenant: TenantUid) -> (Standing, Arc<Door>) {
        let new = || {
            let places = Arc::new(Semaphore::new(self.threads));
            Arc::new(Door { places, waiting: AtomicUsize::new(0) })
        };
        let door = self.doors.entry(tenant.0).or_insert_with(new).clone();
        (Standing { doors: self.doors.clone(), tenant, door: Some(door.clone()) }, door)
    }
}

/// Somebody who waits at a door or is through it, until dropped.
struct Standing {
    doors: Arc<Doors>,
    tenant: TenantUid,
    door: Option<Arc<Door>>,
}

impl Drop for Standing {
    fn drop(&mut self) {
        self.door = None;
        // Whoever comes takes the door while the map is locked, and so does this: with nobody left
        // it is the map's alone.
        self.doors.remove_if(&self.tenant.0, |_, door| Arc::strong_count(door) == 1);
    }
}

/// A thread to work on, until dropped.
struct Turn {
    _place: OwnedSemaphorePermit,
    _thread: OwnedSemaphorePermit,
    _standing: Standing,
}

/// Takes off the queue again, also when whoever waited went away.
struct Leaves<'a>(&'a AtomicUsize);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use std::sync::mpsc;

    const FLOODED: TenantUid = TenantUid(7);
    const OTHER: TenantUid = TenantUid(8);

    /// Work that goes on until told.
    fn held() -> (mpsc::Sender<()>, impl FnOnce() -> bool + Send + 'static) {
        let (end, ended) = mpsc::channel();
        (end, move || ended.recv().is_ok())
    }

    #[actix_rt::test]
    async fn a_flood_stands_at_its_own_door() {
        let hashing = Hashing::new(1);
        let (end, work) = held();
        let mut first = Box::pin(hashing.work(FLOODED, work));
        assert!(first.as_mut().now_or_never().is_none());
        let flood: Vec<_> = (0..WAITING).map(|_| hashing.work(FLOODED, || "flood")).collect();
        let mut flood: Vec<_> = flood.into_iter().map(Box::pin).collect();
        for one in &mut flood {
            assert!(one.as_mut().now_or_never().is_none());
        }
        // There is no place left to wait at that door, and whoever goes away makes one.
        let refused = hashing.work(FLOODED, || "flood").now_or_never();
        assert_eq!(refused, Some(Err(TenantError::Busy)));
        drop(flood.pop());
        assert!(hashing.work(FLOODED, || "flood").now_or_never().is_none());
        // The other's turn is the next one.
        let mut other = Box::pin(hashing.work(OTHER, || "other"));
        assert!(other.as_mut().now_or_never().is_none());
        end.send(()).unwrap();
        assert_eq!(other.await, Ok("other"));
        assert_eq!(hashing.done(), 2);
        assert_eq!(first.await, Ok(true));
        for one in flood {
            assert_eq!(one.await, Ok("flood"));
        }
    }

    #[actix_rt::test]
    async fn a_door_at_which_nobody_stands_is_taken_away() {
        let hashing = Hashing::new(1);
        let (end, work) = held();
        let mut first = Box::pin(hashing.work(FLOODED, work));
        assert!(first.as_mut().now_or_never().is_none());
        let mut next = Box::pin(hashing.work(FLOODED, || "next"));
        assert!(next.as_mut().now_or_never().is_none());
        let mut left = Box::pin(hashing.work(OTHER, || "left"));
        assert!(left.as_mut().now_or_never().is_none());
        assert_eq!(hashing.doors.len(), 2);
        drop(left);
        assert_eq!(hashing.doors.len(), 1);
        end.send(()).unwrap();
        assert_eq!((first.await, next.await), (Ok(true), Ok("next")));
        // The work itself leaves the door after it has told its outcome.
        while !hashing.doors.is_empty() {
            tokio::task::yield_now().await;
        }
        assert_eq!(hashing.work(FLOODED, || "again").await, Ok("again"));
    }

    #[actix_rt::test]
    async fn work_that_nobody_waits_for_any_more_keeps_its_thread() {
        let hashing = Hashing::new(1);
        let (end, work) = held();
        let mut left = Box::pin(hashing.work(FLOODED, work));
        assert!(left.as_mut().now_or_never().is_none());
        drop(left);
        let mut next = Box::pin(hashing.work(OTHER, || "next"));
        for _ in 0..100 {
            tokio::task::yield_now().await;
            assert!(next.as_mut().now_or_never().is_none(), "more than one at once");
        }
        end.send(()).unwrap();
        assert_eq!(next.await, Ok("next"));
    }
}
