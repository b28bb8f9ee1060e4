//! How many files and connections the process may have open at once.
//!
//! Each connection is a descriptor, and so is each file of the journal, of snapshots and of the
//! history. Connections must not take the last ones: a history that cannot open its files is gone
//! until a restart.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What files may need, and whatever else is no connection.
const FOR_FILES: u64 = 256;

/// Raises the limit to what the system allows this process.
pub(super) fn raise() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        log::warn!(error:% = error; "the limit of descriptors cannot be raised");
    }
}

/// The limit; none where there is none.
pub(super) fn limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// How many connections each of so many workers may have: as many as are wanted, but no more than
/// leave enough for files, or half of all where there are few.
pub(super) fn connections(wanted: usize, workers: usize, limit: Option<u64>) -> usize {
    let Some(limit) = limit else { return wanted };
    let for_all = limit - FOR_FILES.min(limit / 2);
    let each = usize::try_from(for_all).unwrap_or(usize::MAX) / workers.max(1);
    wanted.min(each.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_enough_for_files() {
        assert_eq!(connections(10_000, 2, None), 10_000);
        assert_eq!(connections(10_000, 2, Some(1 << 20)), 10_000);
        assert_eq!(connections(10_000, 2, Some(1_024)), 384);
        assert_eq!(connections(100, 2, Some(1_024)), 100);
        assert_eq!(connections(10_000, 4, Some(64)), 8);
        assert_eq!(connections(10_000, 4, Some(0)), 1);
    }
}
