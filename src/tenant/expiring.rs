//! Whose keys go by themselves, and when: an index over the published users.

use crate::domain::document::Document;
use crate::domain::time::Timestamp;
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

/// Users by the earliest time at which a key of theirs goes.
#[derive(Debug)]
pub(super) struct Expiring {
    /// The earliest of all in milliseconds, so that asking costs nothing while nobody's time has come.
    next: AtomicI64,
    times: Mutex<BTreeSet<(Timestamp, String)>>,
}

impl Default for Expiring {
    fn default() -> Self {
        Self { next: AtomicI64::new(i64::MAX), times: Mutex::default() }
    }
}

impl Expiring {
    /// A user was changed, made or removed.
    pub(super) fn moved(&self, before: Option<&Document>, after: Option<&Document>) {
        let time = |document: Option<&Document>| document.and_then(Document::next_expiry);
        let (old, new) = (time(before), time(after));
        let Some(id) = after.or(before).map(Document::id).filter(|_| old != new) else { return };
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = old {
            times.remove(&(old, id.to_owned()));
        }
        if let Some(new) = new {
            times.insert((new, id.to_owned()));
        }
        let next = times.first().map_or(i64::MAX, |(at, _)| at.millis());
        self.next.store(next, Ordering::Release);
    }

    /// Whether some key's time has come.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.next.load(Ordering::Acquire) <= now.millis()
    }

    /// Users with keys whose time has come, the earliest first.
    pub(super) fn due(&self, now: Timestamp, limit: usize) -> Vec<String> {
        let times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        let due = times.iter().take_while(|(at, _)| *at <= now).take(limit);
        due.map(|(_, id)| id.clone()).collect()
    }
}
