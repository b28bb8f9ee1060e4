//! How much the work beside the answers gives way to them.

/// For what may take its time: a snapshot.
pub(super) const LOWEST: i32 = 19;

/// For what must come to an end under load too: an index, the history.
pub(super) const LOW: i32 = 5;

/// Lets other threads go before this one and those it starts, where the system allows it.
pub(super) fn give_way(niceness: i32) {
    if let Err(error) = rustix::process::setpriority_process(None, niceness) {
        log::debug!(error:% = error; "the priority of a thread beside the work could not be lowered");
    }
}
