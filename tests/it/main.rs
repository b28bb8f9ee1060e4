//! What can only be seen from outside: the real program on real sockets and a real disk,
//! laws by random input, and the order of the floors. One binary for all of it.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets what it did not expect ends there"
)]

mod assertions;
mod assignments;
mod bad_input;
mod bench;
mod clock;
mod concurrency;
mod conditions;
mod crash;
mod damage;
mod dry_run;
mod durability;
mod erasure;
mod expiry;
mod floors;
mod format_v1;
mod framing;
mod fuzz;
mod harness;
mod history;
mod isolation;
mod jobs;
mod laws;
mod lifecycle;
mod linearizable;
mod overload;
mod passwords;
mod point_in_time;
mod promises;
mod rate;
mod recovery;
mod search;
mod secrets;
mod snapshots;
mod timing;
mod ui;
mod unread;
mod whole;
mod wire;
