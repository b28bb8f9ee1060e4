//! What is durable, what failed, and how an engine is.

use std::sync::Arc;

use super::Lsn;

/// How many failed ranges are remembered. Somebody who still waits after so many is told that the
/// outcome is unknown.
const REMEMBERED_FAILURES: usize = 4096;

/// How far the journal is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Every record up to here is durable, except those in `failed`. Only ever grows.
    ///
    /// With [`Durability::Interval`](super::Durability::Interval) this means: handed to the
    /// operating system, so that a crash of the process cannot take it back.
    pub durable: Lsn,
    /// Every record up to here, except those in `failed`, survives a power cut. The same as
    /// `durable` when every batch is synced. What is derived from the journal and kept elsewhere
    /// should follow this one, or it may know more than the journal after a power cut.
    pub synced: Lsn,
    /// How often records have failed. See [`Journal::append`](super::Journal::append).
    pub generation: u32,
    /// Ranges (first and last) of records that were certainly not written.
    pub failed: Arc<[(Lsn, Lsn)]>,
    /// How the engine is.
    pub health: Health,
    /// The end of the last range that is no longer remembered in `failed`.
    forgotten: Lsn,
}

/// How an engine is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It takes records.
    Ok,
    /// There is no space; it goes on by itself when there is.
    Full {
        /// What the operating system said.
        reason: String,
    },
    /// A write or sync failed; it takes nothing until a restart.
    Poisoned {
        /// What the operating system said.
        reason: String,
    },
}

/// How a record failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// There was no space. The record was certainly not written.
    #[error("the disk of the journal is full, nothing was written")]
    Full,
    /// A write or sync failed. Whether the record is there shows at the next start.
    #[error("a write of the journal failed, the outcome shows after a restart")]
    Poisoned,
}

impl Progress {
    /// A healthy engine on which everything up to `durable` is safe.
    pub fn starting_at(durable: Lsn) -> Self {
        Self {
            durable,
            synced: durable,
            generation: 0,
            failed: Arc::from([]),
            health: Health::Ok,
            forgotten: Lsn::ZERO,
        }
    }

    /// What became of the record at `lsn`; `None` while it still waits.
    pub fn outcome(&self, lsn: Lsn) -> Option<Result<(), Failure>> {
        let after = self.failed.partition_point(|&(first, _)| first <= lsn);
        let candidate = after.checked_sub(1).and_then(|index| self.failed.get(index));
        if candidate.is_some_and(|&(_, last)| lsn <= last) {
            return Some(Err(Failure::Full));
        }
        if lsn <= self.forgotten {
            return Some(Err(Failure::Poisoned));
        }
        if lsn <= self.durable {
            return Some(Ok(()));
        }
        match self.health {
            Health::Poisoned { .. } => Some(Err(Failure::Poisoned)),
            Health::Ok | Health::Full { .. } => None,
        }
    }

    /// True if nothing will be taken until a restart.
    pub fn is_poisoned(&self) -> bool {
        matches!(self.health, Health::Poisoned { .. })
    }

    /// Adds a range of records that were certainly not written.
    pub(super) fn fail(&mut self, first: Lsn, last: Lsn) {
        let mut failed = self.failed.to_vec();
        failed.push((first, last));
        if failed.len() > REMEMBERED_FAILURES {
            let (_, forgotten) = failed.remove(0);
            self.forgotten = forgotten;
        }
        self.failed = failed.into();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_record_stays_failed_when_later_ones_are_durable() {
        let mut progress = Progress::starting_at(Lsn::new(3));
        progress.fail(Lsn::new(4), Lsn::new(6));
        progress.durable = Lsn::new(8);
        assert_eq!(progress.outcome(Lsn::new(3)), Some(Ok(())));
        assert_eq!(progress.outcome(Lsn::new(4)), Some(Err(Failure::Full)));
        assert_eq!(progress.outcome(Lsn::new(6)), Some(Err(Failure::Full)));
        assert_eq!(progress.outcome(Lsn::new(7)), Some(Ok(())));
        assert_eq!(progress.outcome(Lsn::new(9)), None);
    }

    #[test]
    fn what_waits_on_a_poisoned_engine_has_an_unknown_outcome() {
        let mut progress = Progress::starting_at(Lsn::new(3));
        progress.health = Health::Poisoned { reason: "x".to_owned() };
        assert_eq!(progress.outcome(Lsn::new(3)), Some(Ok(())));
        assert_eq!(progress.outcome(Lsn::new(4)), Some(Err(Failure::Poisoned)));
    }

    #[test]
    fn a_forgotten_failure_is_never_called_a_success() {
        let mut progress = Progress::starting_at(Lsn::ZERO);
        for index in 0..=4096_u64 {
            progress.fail(Lsn::new(2 * index + 1), Lsn::new(2 * index + 1));
        }
        progress.durable = Lsn::new(100_000);
        assert_eq!(progress.failed.len(), REMEMBERED_FAILURES);
        assert_eq!(progress.outcome(Lsn::new(1)), Some(Err(Failure::Poisoned)));
        assert_eq!(progress.outcome(Lsn::new(2)), Some(Ok(())));
    }
}
