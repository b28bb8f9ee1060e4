//! Who is served at the same time, and whether somebody small is among them.
//!
//! One tenant alone may have all of the machine, and so may several that all ask for much: they
//! hold each other in check. It is the small one beside a flood that would notice, so only while
//! there is one are the others held back (`pace.rs`, `room.rs`).

use super::strain::Strain;
use crate::store::format::TenantUid;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a tenant counts as company after its last request.
const LINGERS_MS: u64 = 1_000;

/// How long somebody small is made way for after its last request: long enough for whoever works,
/// and no more than a part of the time for whoever looks once a second.
const LIGHT_LINGERS_MS: u64 = 250;

/// No tenant's number.
const NOBODY: u64 = u64::MAX;

/// What is known of the tenants that are being served.
#[derive(Debug)]
pub(super) struct Company {
    /// When its clock began; none where time stands still, as some tests have it.
    begun: Option<Instant>,
    /// Whose the last request was; at first nobody's.
    last: AtomicU64,
    /// When a request of another than the last came, in milliseconds since `begun`, and one more; 0: never.
    mixed: AtomicU64,
    /// The last tenant that asked for little.
    light: AtomicU64,
    /// When it did, as `mixed` has it.
    light_at: AtomicU64,
    /// Whether there is too much to do for all.
    pub(super) strain: Strain,
}

impl Default for Company {
    fn default() -> Self {
        Self {
            begun: Some(Instant::now()),
            last: AtomicU64::new(NOBODY),
            mixed: AtomicU64::new(0),
            light: AtomicU64::new(NOBODY),
            light_at: AtomicU64::new(0),
            strain: Strain::default(),
        }
    }
}

impl Company {
    /// Notes a request of a tenant; whether more than one is being served. While there is but one,
    /// it costs a look.
    pub(super) fn note(&self, uid: TenantUid) -> bool {
        if self.last.load(Ordering::Relaxed) != uid.0
            && self.last.swap(uid.0, Ordering::Relaxed) != NOBODY
        {
            self.mixed.store(self.elapsed_ms() + 1, Ordering::Relaxed);
        }
        self.is_recent(&self.mixed, LINGERS_MS)
    }

    /// Notes that a tenant which came asks for little.
    pub(super) fn note_light(&self, uid: TenantUid) {
        self.light.store(uid.0, Ordering::Relaxed);
        self.light_at.store(self.elapsed_ms() + 1, Ordering::Relaxed);
    }

    /// Whether another tenant than this is being served, and asks for little.
    pub(super) fn has_light(&self, beside: TenantUid) -> bool {
        self.is_recent(&self.light_at, LIGHT_LINGERS_MS)
            && self.light.load(Ordering::Relaxed) != beside.0
    }

    /// Nanoseconds since the beginning.
    pub(super) fn elapsed_ns(&self) -> u64 {
        let elapsed = self.begun.map_or(Duration::ZERO, |begun| begun.elapsed());
        u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX / 2)
    }

    fn is_recent(&self, moment: &AtomicU64, lingers_ms: u64) -> bool {
        let moment = moment.load(Ordering::Relaxed);
        moment != 0 && self.elapsed_ms() < moment + lingers_ms
    }

    fn elapsed_ms(&self) -> u64 {
        self.elapsed_ns() / 1_000_000
    }

    /// One for which no time passes: nothing is paid back, however long a busy machine lets it wait.
    #[cfg(test)]
    pub(super) fn standing_still() -> Self {
        Self { begun: None, ..Self::default() }
    }

    /// As if everybody had left long ago.
    #[cfg(test)]
    pub(super) fn forget(&self) {
        self.mixed.store(0, Ordering::Relaxed);
        self.light_at.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: TenantUid = TenantUid(7);
    const OTHER: TenantUid = TenantUid(8);

    #[test]
    fn one_alone_has_no_company_however_often_it_asks() {
        let company = Company::default();
        assert!(!company.note(OWN));
        assert!(!company.note(OWN));
        assert!(company.note(OTHER));
        assert!(company.note(OTHER), "the other was here just now");
        company.forget();
        assert!(!company.note(OTHER));
    }

    #[test]
    fn who_asks_for_little_is_noticed_by_others_only_and_for_a_while() {
        let company = Company::default();
        assert!(!company.has_light(OWN));
        company.note_light(OTHER);
        assert!(company.has_light(OWN));
        assert!(!company.has_light(OTHER));
        company.forget();
        assert!(!company.has_light(OWN));
    }
}
