//! How many bytes may be kept for clients at a time: of all of them, and of one tenant's.

use crate::store::format::TenantUid;
use dashmap::DashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many bytes are allowed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// All in all.
    pub all: usize,
    /// Of one tenant.
    pub of_tenant: usize,
}

/// Bytes that are kept, counted against their limits.
#[derive(Debug)]
pub struct Budget {
    limits: Limits,
    all: AtomicUsize,
    tenants: DashMap<TenantUid, usize>,
}

impl Budget {
    /// Nothing is kept yet.
    pub fn new(limits: Limits) -> Self {
        Self { limits, all: AtomicUsize::new(0), tenants: DashMap::new() }
    }

    /// How many bytes are kept.
    pub fn all(&self) -> usize {
        self.all.load(Ordering::Relaxed)
    }

    /// Counts bytes until what is returned is dropped; none when that is too much. Where nothing else
    /// is kept, any number is allowed.
    pub fn hold(self: &Arc<Self>, tenant: Option<TenantUid>, size_bytes: usize) -> Option<Held> {
        let mut held = self.nothing(tenant);
        held.grow(size_bytes, 0).then_some(held)
    }

    /// Counts nothing yet.
    pub fn nothing(self: &Arc<Self>, tenant: Option<TenantUid>) -> Held {
        Held { budget: self.clone(), tenant, size_bytes: 0 }
    }
}

/// Bytes that are counted, until dropped.
pub struct Held {
    budget: Arc<Budget>,
    tenant: Option<TenantUid>,
    size_bytes: usize,
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Held").field("size_bytes", &self.size_bytes).finish_non_exhaustive()
    }
}

impl Held {
    /// Counts more bytes; says whether they are allowed: within the limits and `spare` bytes beyond,
    /// or where nothing else is kept. They are counted all the same.
    #[must_use]
    pub fn grow(&mut self, more: usize, spare: usize) -> bool {
        let before_own = self.size_bytes;
        self.size_bytes += more;
        let all = self.budget.all.fetch_add(more, Ordering::Relaxed);
        let of_tenant = self.tenant.map_or(0, |uid| {
            let mut own = self.budget.tenants.entry(uid).or_default();
            let before = *own;
            *own += more;
            before
        });
        let is_too_much =
            |before: usize, limit: usize| before > before_own && before + more > limit + spare;
        let Limits { all: all_limit, of_tenant: tenant_limit } = self.budget.limits;
        !is_too_much(all, all_limit) && !is_too_much(of_tenant, tenant_limit)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.budget.all.fetch_sub(self.size_bytes, Ordering::Relaxed);
        if let Some(uid) = self.tenant {
            self.budget.tenants.remove_if_mut(&uid, |_, own| {
                *own = own.saturating_sub(self.size_bytes);
                *own == 0
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { all: 100, of_tenant: 40 };

    #[test]
    fn what_is_kept_is_counted_for_all_and_for_each_tenant() {
        let budget = Arc::new(Budget::new(LIMITS));
        let (one, other) = (Some(TenantUid(1)), Some(TenantUid(2)));
        let large = budget.hold(one, 41).expect("one passes always");
        assert!(budget.hold(one, 1).is_none());
        let next = budget.hold(other, 40).expect("another tenant has its own");
        drop(large);
        assert!(budget.hold(one, 40).is_some());
        assert!(budget.hold(None, 100).is_none());
        drop(next);
        assert_eq!((budget.all(), budget.tenants.len()), (0, 0));
    }

    #[test]
    fn what_grows_is_held_against_what_others_keep() {
        let budget = Arc::new(Budget::new(LIMITS));
        let tenant = Some(TenantUid(1));
        let mut growing = budget.nothing(tenant);
        assert!(growing.grow(30, 0) && growing.grow(30, 0), "alone it may be of any size");
        drop(growing);
        let _other = budget.hold(tenant, 30).expect("it is within the limit");
        let mut growing = budget.nothing(tenant);
        assert!(growing.grow(10, 0));
        assert!(!growing.grow(1, 0));
        assert!(!growing.grow(10, 5), "what was refused counts as well");
        assert!(growing.grow(10, 30));
        drop(growing);
        assert_eq!(budget.all(), 30);
    }
}
