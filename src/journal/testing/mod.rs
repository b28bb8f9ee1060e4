//! A disk for tests that lives in memory: it loses power, runs full, fails and waits when told.
//!
//! It keeps apart what was synced and what was only written, and obeys no more than a file system
//! promises: after a power cut any part of what was not synced may be there.

mod node;
mod sim;

pub use sim::{Fault, Operation, SimDisk};
