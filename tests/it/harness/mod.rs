//! Starts the real program and talks to it, byte by byte where a test wants that.
//!
//! Every test has a server, a folder and ports of its own. Nothing here waits for a
//! length of time: [`until`] asks again and again, and gives up after a while.

mod chance;
mod connection;
pub(crate) mod house;
mod place;
mod seed;
mod server;
mod tokens;

pub(crate) use chance::Chance;
pub(crate) use connection::{Connection, Response};
pub(crate) use place::Place;
pub(crate) use server::{Server, Setup, program};
pub(crate) use tokens::Bearer;

use std::time::{Duration, Instant};

/// How long anything may take before a test gives up on it.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Asks until there is an answer.
#[track_caller]
pub(crate) fn until<T>(wanted: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "gave up waiting: {wanted}");
        std::thread::park_timeout(Duration::from_millis(2));
    }
}
