//! How much of one tenant is worked on at the same time, and how fast.
//!
//! What a request costs grows with its body: reading, deciding, writing it to the journal, which
//! everybody shares. A tenant may have so many bytes of bodies in work; more wait their turn, and
//! beyond that they are refused. So the storm of one tenant queues up before its own door, and
//! never as a whole before the disk. While somebody small is served too, it has but a part of its
//! room, and goes no faster than its account allows ([`super::pace`]): whoever is small finds the
//! workers and the disk with little before it.

use super::company::Company;
use super::handle::TenantError;
use super::pace::{Account, Booked, Spent, cost_of, measured};
use crate::store::format::TenantUid;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What even the smallest request counts for.
const UNIT_BYTES: usize = 16 << 10;

/// Beside somebody small a tenant has this part of its room.
const SHARE: usize = 4;

/// It has this part of it while the machine is strained.
const STRAINED_SHARE: usize = 16;

/// For each byte that may be in work, so many may wait.
const WAITING: usize = 64;

/// The room of one tenant.
#[derive(Debug)]
pub(super) struct Room {
    uid: TenantUid,
    company: Arc<Company>,
    account: Account,
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
    /// A room of `size_bytes` for a tenant, on a machine with so many workers.
    pub(super) fn new(
        uid: TenantUid,
        size_bytes: usize,
        workers: usize,
        company: Arc<Company>,
    ) -> Self {
        let all = (size_bytes / UNIT_BYTES).clamp(1, Semaphore::MAX_PERMITS);
        let (account, units) = (Account::new(workers), Arc::new(Semaphore::new(all)));
        Self { uid, company, account, units, all, waiting: AtomicUsize::new(0) }
    }

    /// Does the work of a request, which may have to wait before it is begun while somebody small is
    /// served too.
    ///
    /// # Errors
    /// [`TenantError::Busy`] at once when it would wait for longer than `timeout`.
    pub(super) async fn pace<W: Future>(
        &self,
        timeout: Duration,
        work: W,
    ) -> Result<W::Output, TenantError> {
        if !self.company.note(self.uid) {
            return Ok(work.await);
        }
        let booked = self.book(timeout)?;
        if booked.wait_ns > 0 {
            tokio::time::sleep(Duration::from_nanos(booked.wait_ns)).await;
        }
        let mut bill = Bill { room: self, booked, spent: Spent::default() };
        Ok(measured(work, &mut bill.spent).await)
    }

    fn book(&self, timeout: Duration) -> Result<Booked, TenantError> {
        let now = self.company.elapsed_ns();
        if self.account.is_light(now) && self.is_quiet() {
            self.company.note_light(self.uid);
        }
        let part_ppm = self.company.strain.part_ppm();
        if !self.company.has_light(self.uid) {
            return Ok(self.account.book(now, part_ppm));
        }
        let limit_ns = u64::try_from(timeout.as_nanos()).unwrap_or(u64::MAX);
        self.account.book_in_turn(now, part_ppm, limit_ns).ok_or(TenantError::Busy)
    }

    /// Whether no more is in work than there is room for beside somebody small on a strained machine.
    fn is_quiet(&self) -> bool {
        let in_work = self.all - self.units.available_permits().min(self.all);
        self.waiting.load(Ordering::Relaxed) == 0 && in_work <= (self.all / STRAINED_SHARE).max(1)
    }

    /// Notes that a body of `size_bytes` was taken.
    pub(super) fn weigh(&self, size_bytes: usize) {
        if self.company.has_light(self.uid) {
            let now = self.company.elapsed_ns();
            self.account.take(now, size_bytes, self.company.strain.part_ppm());
        }
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
        let is_beside = self.company.has_light(self.uid);
        let share = if self.company.strain.is_felt() { STRAINED_SHARE } else { SHARE };
        let taken = if is_beside { units.saturating_mul(share) } else { units };
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

/// Puts what work cost on its tenant's account, also when its caller hung up in the midst of it.
struct Bill<'a> {
    room: &'a Room,
    booked: Booked,
    spent: Spent,
}

impl Drop for Bill<'_> {
    fn drop(&mut self) {
        let (Room { account, company, .. }, Spent { busy_ns, lost_ns }) = (self.room, self.spent);
        let now = company.elapsed_ns();
        account.settle(now, self.booked, busy_ns);
        company.strain.note(now, account.workers(), cost_of(busy_ns), lost_ns);
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
    use super::super::pace::processor_ns;
    use super::*;
    use futures_util::FutureExt;

    const SOON: Duration = Duration::from_millis(1);
    const LONG: Duration = Duration::from_mins(1);

    const OWN: TenantUid = TenantUid(7);
    const OTHER: TenantUid = TenantUid(8);

    fn of(uid: TenantUid, size_bytes: usize, company: &Arc<Company>) -> Room {
        Room::new(uid, size_bytes, 1, company.clone())
    }

    fn alone(size_bytes: usize) -> Room {
        of(OWN, size_bytes, &Arc::default())
    }

    /// Keeps the processor as a costly request does, for so long as it really has it.
    fn toil(took_ms: u64) {
        let begun = processor_ns();
        while processor_ns() < begun + took_ms * 1_000_000 {}
    }

    #[actix_rt::test]
    async fn beside_somebody_small_a_tenant_has_a_part_of_its_room() {
        let company = Arc::default();
        let room = of(OWN, SHARE * UNIT_BYTES, &company);
        company.note_light(OWN);
        let two = [room.enter(1, SOON).await.unwrap(), room.enter(1, SOON).await.unwrap()];
        assert!(!room.is_quiet());
        drop(two);
        company.note_light(OTHER);
        let held = room.enter(1, SOON).await.unwrap();
        assert_eq!(room.enter(1, SOON).await.unwrap_err(), TenantError::Busy);
        drop(held);
        company.forget();
        let _held = [room.enter(1, SOON).await.unwrap(), room.enter(1, SOON).await.unwrap()];
    }

    #[actix_rt::test]
    async fn beside_somebody_small_a_flood_waits_and_the_small_one_does_not() {
        let company = Arc::new(Company::standing_still());
        let (flood, small) = (of(OWN, UNIT_BYTES, &company), of(OTHER, UNIT_BYTES, &company));
        // Both are there.
        small.pace(LONG, async {}).await.unwrap();
        flood.pace(LONG, async {}).await.unwrap();
        flood.pace(LONG, async { toil(10) }).await.unwrap();
        small.pace(LONG, async {}).await.unwrap();
        let mut next = Box::pin(flood.pace(LONG, async {}));
        assert!(next.as_mut().now_or_never().is_none(), "it waits for its own time to come");
        assert_eq!(small.pace(LONG, async { 1 }).now_or_never(), Some(Ok(1)));
        let refused = flood.pace(Duration::from_millis(1), async {}).now_or_never();
        assert_eq!(refused, Some(Err(TenantError::Busy)), "it would wait for too long");
        next.await.unwrap();
    }

    #[actix_rt::test]
    async fn what_was_done_for_a_caller_that_hung_up_is_paid_back_too() {
        let company = Arc::new(Company::standing_still());
        let (flood, small) = (of(OWN, UNIT_BYTES, &company), of(OTHER, UNIT_BYTES, &company));
        small.pace(LONG, async {}).await.unwrap();
        flood.pace(LONG, async {}).await.unwrap();
        let left = async {
            toil(10);
            std::future::pending::<()>().await;
        };
        assert!(flood.pace(LONG, left).now_or_never().is_none());
        small.pace(LONG, async {}).await.unwrap();
        assert!(flood.pace(LONG, async {}).now_or_never().is_none());
    }

    #[actix_rt::test]
    async fn floods_do_not_wait_for_each_other() {
        let company = Arc::default();
        let rooms = [of(OWN, UNIT_BYTES, &company), of(OTHER, UNIT_BYTES, &company)];
        for room in &rooms {
            room.pace(LONG, async {}).await.unwrap();
        }
        company.forget();
        for _ in 0..3 {
            for room in &rooms {
                let work = room.pace(LONG, async { toil(5) });
                assert!(work.now_or_never().is_some());
            }
            // What they were before they were floods.
            company.forget();
            for room in &rooms {
                company.note(room.uid);
            }
        }
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
