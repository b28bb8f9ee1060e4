//! Windows of load: closed, where each connection asks again once it is answered, or open, where
//! requests are due at a rate whatever the answers do.

use super::connection::Connection;
use super::mix::{Kind, Mix};
use hdrhistogram::Histogram;
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::task::LocalSet;

/// Whom to ask, and with what.
#[derive(Debug)]
pub(super) struct Target {
    /// The plain listener.
    pub(super) address: SocketAddr,
    /// The value of `Host`.
    pub(super) host: String,
    /// A token for `/api/v2`.
    pub(super) token: String,
    /// Ids of the users that are asked for, as they stand in a path.
    pub(super) users: Vec<String>,
}

impl Target {
    /// The bytes of a request of this kind, about a user that `random` chooses.
    pub(super) fn request(&self, kind: Kind, random: u64) -> Vec<u8> {
        let count = u64::try_from(self.users.len()).unwrap_or(u64::MAX).max(1);
        let at = usize::try_from(random % count).unwrap_or_default();
        let id = self.users.get(at).map_or("", String::as_str);
        let head = |method: &str, path: &str| {
            format!(
                "{method} {path} HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\n",
                self.host, self.token
            )
        };
        let text = match kind {
            Kind::Bare => head("GET", "/livez") + "\r\n",
            Kind::Read => head("GET", &format!("/api/v2/users/{id}")) + "\r\n",
            Kind::Search => {
                head("GET", &format!("/api/v2/users?q=email%3A%22{}%22", email(at))) + "\r\n"
            }
            Kind::Patch => {
                let body = format!("{{\"app_metadata\":{{\"seen\":{}}}}}", random >> 32);
                let head = head("PATCH", &format!("/api/v2/users/{id}"));
                let length = body.len();
                format!(
                    "{head}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
                )
            }
        };
        text.into_bytes()
    }
}

/// The address of the user with this number.
pub(super) fn email(number: usize) -> String {
    format!("bench-{number}@example.com")
}

/// How much load, for how long.
#[derive(Clone, Debug)]
pub(super) struct Window {
    /// For how long requests are begun.
    pub(super) lasts: Duration,
    /// How many connections ask at once.
    pub(super) connections: usize,
    /// Requests a second of an open loop; none: a closed one.
    pub(super) rate: Option<u32>,
    /// What is asked for.
    pub(super) mix: Mix,
    /// Where the random choices begin.
    pub(super) seed: u64,
}

/// What was seen of one kind of request.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// How long answers took, in microseconds; of those that succeeded.
    pub(super) took_us: Histogram<u64>,
    /// Refusals for too much load: 503 and 429.
    pub(super) refused: u64,
    /// Everything else that is no success.
    pub(super) failed: u64,
}

/// Latencies above this are counted as this.
const LONGEST_US: u64 = 60_000_000;

impl Seen {
    fn nothing() -> Self {
        let mut took_us =
            Histogram::new_with_bounds(1, LONGEST_US, 3).expect("the bounds are in order");
        took_us.auto(false);
        Self { took_us, refused: 0, failed: 0 }
    }

    fn add(&mut self, other: &Self) {
        self.took_us.add(&other.took_us).expect("both have the same bounds");
        self.refused += other.refused;
        self.failed += other.failed;
    }
}

/// What was seen, by kind in the order of [`Kind::ALL`].
#[derive(Clone, Debug)]
pub(super) struct Tally {
    kinds: [Seen; Kind::ALL.len()],
    /// How long the windows lasted, together.
    pub(super) lasted: Duration,
}

impl Tally {
    /// Nothing seen yet.
    pub(super) fn nothing() -> Self {
        Self { kinds: std::array::from_fn(|_| Seen::nothing()), lasted: Duration::ZERO }
    }

    /// What was seen of a kind.
    pub(super) fn of(&self, kind: Kind) -> &Seen {
        let at = Kind::ALL.iter().position(|own| *own == kind);
        at.and_then(|at| self.kinds.get(at)).expect("every kind has its place")
    }

    fn of_mut(&mut self, kind: Kind) -> &mut Seen {
        let at = Kind::ALL.iter().position(|own| *own == kind);
        at.and_then(|at| self.kinds.get_mut(at)).expect("every kind has its place")
    }

    /// All kinds as one.
    pub(super) fn all(&self) -> Seen {
        self.kinds.iter().fold(Seen::nothing(), |mut all, seen| {
            all.add(seen);
            all
        })
    }

    /// Takes another window's figures in.
    pub(super) fn add(&mut self, other: &Self) {
        for (own, other) in self.kinds.iter_mut().zip(&other.kinds) {
            own.add(other);
        }
        self.lasted += other.lasted;
    }

    fn note(&mut self, kind: Kind, took: Duration, status: Option<u16>) {
        let seen = self.of_mut(kind);
        match status {
            Some(200..=299) => {
                let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
                seen.took_us.saturating_record(took_us.clamp(1, LONGEST_US));
            }
            Some(429 | 503) => seen.refused += 1,
            Some(_) | None => seen.failed += 1,
        }
    }
}

/// When the next request of an open loop is due, shared by all connections.
struct Schedule {
    began: Instant,
    every: Duration,
    next: Cell<u32>,
}

impl Schedule {
    fn take(&self) -> Instant {
        let number = self.next.get();
        self.next.set(number.saturating_add(1));
        self.began + self.every.saturating_mul(number)
    }
}

/// Loads the target for one window.
pub(super) async fn run(target: Rc<Target>, window: Window) -> Tally {
    let began = Instant::now();
    let ends = began + window.lasts;
    let schedule = window.rate.map(|rate| {
        let every = Duration::from_secs(1) / rate.max(1);
        Rc::new(Schedule { began, every, next: Cell::new(0) })
    });
    let tally = Rc::new(RefCell::new(Tally::nothing()));
    let tasks = LocalSet::new();
    for number in 0..window.connections {
        let (target, mix, schedule) = (target.clone(), window.mix.clone(), schedule.clone());
        let seed = window.seed ^ (u64::try_from(number).unwrap_or_default() << 20);
        tasks.spawn_local(work(target, mix, schedule, seed, ends, tally.clone()));
    }
    tasks.await;
    let mut tally = tally.borrow().clone();
    tally.lasted = began.elapsed();
    tally
}

async fn work(
    target: Rc<Target>,
    mix: Mix,
    schedule: Option<Rc<Schedule>>,
    seed: u64,
    ends: Instant,
    tally: Rc<RefCell<Tally>>,
) {
    let mut connection = Connection::to(target.address);
    let mut random = seed;
    loop {
        random = next_random(random);
        let drawn = mixed(random);
        let kind = mix.pick(drawn >> 7);
        let request = target.request(kind, drawn);
        let Some(due) = begin(schedule.as_deref(), ends).await else { break };
        let status = connection.send(&request).await.ok();
        tally.borrow_mut().note(kind, due.elapsed(), status);
    }
}

/// Waits until the next request is due, and says from when its latency counts. Who was busy when it
/// fell due counts from then, or a slow answer would hide the requests it holds up; a timer that
/// wakes late is this program's own slowness and does not count.
async fn begin(schedule: Option<&Schedule>, ends: Instant) -> Option<Instant> {
    let now = Instant::now();
    let due = schedule.map_or(now, Schedule::take);
    if due >= ends {
        return None;
    }
    if due <= now {
        return Some(due);
    }
    tokio::time::sleep_until(due.into()).await;
    Some(Instant::now())
}

/// The step of `SplitMix64`.
fn next_random(state: u64) -> u64 {
    state.wrapping_add(0x9e37_79b9_7f4a_7c15)
}

fn mixed(state: u64) -> u64 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
