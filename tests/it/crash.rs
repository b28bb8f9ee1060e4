//! `kill -9` under load, again and again: nothing acknowledged is lost, nothing is half
//! there, no version is given twice.
//!
//! Writers merge into both bags of shared users, make users and delete them. Each write
//! leaves marks: a shared one that the last write of all wins, and some of its writer's
//! own, the oldest of which it takes away. After every restart each writer's marks are as
//! after its last acknowledged write, or as after the one it was still waiting for.

use crate::harness::{Connection, Server, Setup};
use dossier::http::random;
use rustix::process::Signal;
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

const TENANTS: [&str; 2] = ["alpha", "beta"];
const SECRET: &str = "a secret that is long enough";
const USERS: usize = 3;
const WRITERS: usize = 64;
/// How many marks of its own a writer leaves standing.
const MARKS: u64 = 4;

/// Every how many writes one makes or deletes a user instead.
const OTHER: u64 = 6;

fn rounds() -> u64 {
    std::env::var("DOSSIER_CRASH_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(6)
}

fn config() -> String {
    let tenant = |id: &&str| {
        format!(
            "[[tenant]]\nid = \"{id}\"\n[[tenant.client]]\nclient_id = \"writer\"\n\
             client_secret = \"{SECRET}\"\nscopes = [\"*\"]\n"
        )
    };
    TENANTS.iter().map(tenant).collect()
}

/// A tenant as its callers see it in one round.
#[derive(Clone, Debug)]
struct Door {
    address: String,
    host: String,
    authorization: String,
}

impl Door {
    fn open(server: &Server, tenant: &str) -> Self {
        let (_, port) = server.address().rsplit_once(':').unwrap();
        let host = format!("{tenant}.localhost:{port}");
        let body = json!({
            "grant_type": "client_credentials", "client_id": "writer", "client_secret": SECRET,
            "audience": format!("http://{host}/api/v2/"),
        });
        let headers = [("Host", host.as_str()), ("Content-Type", "application/json")];
        let body = body.to_string();
        let answer = server.request("POST", "/oauth/token", &headers, Some(body.as_bytes()));
        let token = answer.expect(200).json()["access_token"].as_str().unwrap().to_owned();
        Self {
            address: server.address().to_owned(),
            host,
            authorization: format!("Bearer {token}"),
        }
    }

    fn connect(&self) -> io::Result<Caller<'_>> {
        Ok(Caller { door: self, connection: Connection::open(&self.address)? })
    }
}

struct Caller<'a> {
    door: &'a Door,
    connection: Connection,
}

impl Caller<'_> {
    /// The status, body and version of an answer.
    fn ask(
        &mut self,
        method: &str,
        target: &str,
        body: Option<&Value>,
    ) -> io::Result<(u16, Value, u64)> {
        let text = body.map(Value::to_string);
        let headers = [
            ("Host", self.door.host.as_str()),
            ("Authorization", self.door.authorization.as_str()),
            ("Content-Type", "application/json"),
        ];
        let answer =
            self.connection.send(method, target, &headers, text.as_deref().map(str::as_bytes))?;
        let version = answer.header("etag").or_else(|| answer.header("dossier-version"));
        let version = version.and_then(|text| text.trim_matches('"').parse().ok());
        let body = if answer.body.is_empty() { Value::Null } else { answer.json() };
        Ok((answer.status, body, version.unwrap_or_default()))
    }

    fn get(&mut self, target: &str) -> (u16, Value, u64) {
        self.ask("GET", target, None).unwrap()
    }
}

/// What one writer knows of one shared user.
#[derive(Clone, Debug, Default)]
struct Marks {
    /// Its acknowledged writes.
    acknowledged: u64,
    /// The one it waits for.
    waiting: Option<u64>,
    /// The version of the last write acknowledged in this round.
    version: u64,
}

impl Marks {
    /// The marks after `writes` writes.
    fn after(writer: usize, writes: u64) -> Map<String, Value> {
        let standing = writes.saturating_sub(MARKS) + 1..=writes;
        standing.map(|number| (format!("w{writer}n{number}"), number.into())).collect()
    }
}

fn patch(writer: usize, number: u64) -> Value {
    let mut bag = Map::new();
    bag.insert("last".to_owned(), json!({ "writer": writer, "number": number }));
    bag.insert(format!("w{writer}n{number}"), number.into());
    if number > MARKS {
        bag.insert(format!("w{writer}n{}", number - MARKS), Value::Null);
    }
    json!({ "user_metadata": bag, "app_metadata": bag })
}

/// One writer, over all rounds.
#[derive(Debug, Default)]
struct Writer {
    number: usize,
    writes: u64,
    marks: Vec<Marks>,
    /// Users it made and still has, users it deleted.
    made: Vec<String>,
    deleted: Vec<String>,
    /// The address of the user it waits to have made, the id of the one to have deleted.
    making: Option<String>,
    deleting: Option<String>,
    /// All versions it was told.
    versions: Vec<u64>,
}

impl Writer {
    /// Writes until the server is gone.
    fn run(&mut self, door: &Door, users: &[String], acknowledged: &AtomicU64) {
        let Ok(mut caller) = door.connect() else { return };
        while self.step(&mut caller, users).is_ok() {
            acknowledged.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn step(&mut self, caller: &mut Caller<'_>, users: &[String]) -> io::Result<()> {
        self.writes += 1;
        if !self.writes.is_multiple_of(OTHER) {
            let at = usize::try_from(self.writes).unwrap() % users.len();
            return self.merge(caller, at, &users[at]);
        }
        if self.made.len() > 3 { self.delete(caller) } else { self.make(caller) }
    }

    fn merge(&mut self, caller: &mut Caller<'_>, at: usize, id: &str) -> io::Result<()> {
        let number = self.marks[at].acknowledged + 1;
        self.marks[at].waiting = Some(number);
        let body = patch(self.number, number);
        let (status, _, version) =
            caller.ask("PATCH", &format!("/api/v2/users/{id}"), Some(&body))?;
        assert_eq!(status, 200);
        self.marks[at] = Marks { acknowledged: number, waiting: None, version };
        self.versions.push(version);
        Ok(())
    }

    fn make(&mut self, caller: &mut Caller<'_>) -> io::Result<()> {
        let email = format!("w{}n{}@example.com", self.number, self.writes);
        self.making = Some(email.clone());
        let (status, body, version) =
            caller.ask("POST", "/api/v2/users", Some(&json!({ "email": email })))?;
        assert_eq!(status, 201, "{body}");
        self.making = None;
        self.made.push(body["user_id"].as_str().unwrap().to_owned());
        self.versions.push(version);
        Ok(())
    }

    fn delete(&mut self, caller: &mut Caller<'_>) -> io::Result<()> {
        let id = self.made.remove(0);
        self.deleting = Some(id.clone());
        let (status, ..) = caller.ask("DELETE", &format!("/api/v2/users/{id}"), None)?;
        assert_eq!(status, 204);
        self.deleting = None;
        self.deleted.push(id);
        Ok(())
    }

    /// Checks the users that are its own, and learns what became of what it waited for.
    fn check(&mut self, caller: &mut Caller<'_>) {
        for id in &self.made {
            assert_eq!(caller.get(&format!("/api/v2/users/{id}")).0, 200, "{id} was made");
        }
        for id in &self.deleted {
            assert_eq!(caller.get(&format!("/api/v2/users/{id}")).0, 404, "{id} was deleted");
        }
        if let Some(email) = self.making.take() {
            let (_, found, _) = caller.get(&format!("/api/v2/users-by-email?email={email}"));
            let found = found.as_array().unwrap();
            assert!(found.len() <= 1);
            self.made.extend(found.iter().map(|one| one["user_id"].as_str().unwrap().to_owned()));
        }
        if let Some(id) = self.deleting.take() {
            match caller.get(&format!("/api/v2/users/{id}")).0 {
                200 => self.made.push(id),
                404 => self.deleted.push(id),
                other => panic!("{id} answers {other}"),
            }
        }
    }
}

/// The version of a shared user, and the mark of the write that made it.
type Newest = (u64, Option<Value>);

/// Checks a shared user against what all its writers know, and tells them what is true.
fn check_user(
    caller: &mut Caller<'_>,
    id: &str,
    at: usize,
    writers: &mut [Writer],
    mut newest: Newest,
) -> Newest {
    let (status, user, version) = caller.get(&format!("/api/v2/users/{id}"));
    assert_eq!(status, 200, "{id} is gone");
    let empty = Map::new();
    let bag = |name: &str| user[name].as_object().unwrap_or(&empty).clone();
    let mut found = bag("user_metadata");
    assert_eq!(found, bag("app_metadata"), "one change, both bags");

    let last = found.remove("last");
    let mut candidates = Vec::new();
    for writer in writers.iter_mut() {
        let (number, marks) = (writer.number, &mut writer.marks[at]);
        let prefix = format!("w{number}n");
        let own: Map<String, Value> = found
            .iter()
            .filter(|(key, _)| key.starts_with(&prefix))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        found.retain(|key, _| !key.starts_with(&prefix));
        let name = |write| json!({ "writer": number, "number": write });
        if marks.version > newest.0 {
            newest = (marks.version, Some(name(marks.acknowledged)));
        }
        marks.version = 0;
        let waited = marks.waiting.take();
        if own == Marks::after(number, marks.acknowledged) {
            // What it waited for did not happen.
        } else if let Some(write) = waited.filter(|&write| own == Marks::after(number, write)) {
            candidates.push(name(write));
            marks.acknowledged = write;
        } else {
            panic!("{id}: writer {number} knows {marks:?}, there is {own:?}");
        }
    }
    assert!(found.is_empty(), "{id} has what nobody wrote: {found:?}");
    // A write whose answer was on its way may lie before or behind those that were answered.
    if version == newest.0 {
        assert_eq!(last, newest.1, "{id}: the last write wins");
    } else {
        assert!(version > newest.0, "{id} is older than its last acknowledged write");
        assert!(last.as_ref().is_some_and(|last| candidates.contains(last)), "{id}: {last:?} wins");
    }
    (version, last)
}

/// What is known of one tenant.
#[derive(Debug, Default)]
struct Known {
    users: Vec<String>,
    newest: Vec<Newest>,
    writers: Vec<Writer>,
    versions: HashSet<u64>,
    highest: u64,
}

impl Known {
    fn start(server: &Server, tenant: &str) -> Self {
        let door = Door::open(server, tenant);
        let mut caller = door.connect().unwrap();
        let mut known = Self::default();
        for number in 0..USERS {
            let email = json!({ "email": format!("shared{number}@example.com") });
            let (status, user, version) =
                caller.ask("POST", "/api/v2/users", Some(&email)).unwrap();
            assert_eq!(status, 201);
            known.newest.push((version, None));
            known.users.push(user["user_id"].as_str().unwrap().to_owned());
        }
        let marks = vec![Marks::default(); USERS];
        known.writers = (0..WRITERS / TENANTS.len())
            .map(|number| Writer { number, marks: marks.clone(), ..Writer::default() })
            .collect();
        known
    }

    fn check(&mut self, server: &Server, tenant: &str) {
        for writer in &mut self.writers {
            for version in writer.versions.drain(..) {
                assert!(version > self.highest, "{tenant}: version {version} is not a new one");
                assert!(self.versions.insert(version), "{tenant}: version {version} came twice");
            }
        }
        self.highest = self.versions.iter().copied().max().unwrap_or_default();
        let door = Door::open(server, tenant);
        let mut caller = door.connect().unwrap();
        for (at, (id, newest)) in self.users.iter().zip(&mut self.newest).enumerate() {
            let before = std::mem::take(newest);
            *newest = check_user(&mut caller, id, at, &mut self.writers, before);
        }
        for writer in &mut self.writers {
            writer.check(&mut caller);
        }
        let expected =
            self.users.len() + self.writers.iter().map(|own| own.made.len()).sum::<usize>();
        let (_, page, _) = caller.get("/api/v2/users?include_totals=true&per_page=0");
        assert_eq!(page["total"], expected, "{tenant} lists what is there");
    }
}

/// A number from `low` up to `high`.
fn between(low: u64, high: u64) -> u64 {
    low + random::number() % (high - low)
}

#[test]
fn kill_9_under_load_takes_back_nothing_acknowledged() {
    // A machine with other work to do must not be taken for a server that is too slow.
    let setup = Setup::default()
        .config(&config())
        .set("snapshot.interval=1s")
        .set("actor.reply_timeout=60s");
    let mut server = setup.start();
    let mut known: HashMap<&str, Known> =
        TENANTS.iter().map(|&tenant| (tenant, Known::start(&server, tenant))).collect();
    for round in 0..rounds() {
        let acknowledged = AtomicU64::new(0);
        let doors = TENANTS.map(|tenant| (tenant, Door::open(&server, tenant)));
        std::thread::scope(|threads| {
            for (tenant, known) in &mut known {
                let door = &doors.iter().find(|(name, _)| name == tenant).unwrap().1;
                for writer in &mut known.writers {
                    let (users, acknowledged) = (&known.users, &acknowledged);
                    threads.spawn(move || writer.run(door, users, acknowledged));
                }
            }
            let (snapshot, end) = (between(1, 300), between(1, 600));
            for (count, is_end) in [(snapshot.min(end), false), (end, true)] {
                crate::harness::until("writes", || {
                    (acknowledged.load(Ordering::Relaxed) >= count).then_some(())
                });
                if is_end { server.kill9() } else { server.signal(Signal::USR1) }
            }
        });
        server.restart();
        for (tenant, known) in &mut known {
            known.check(&server, tenant);
        }
        assert!(!server.log().contains("panicked"), "round {round}: {}", server.log());
    }
    assert_eq!(server.end_with(Signal::TERM).code(), Some(0));
    server.restart();
    for (tenant, known) in &mut known {
        known.check(&server, tenant);
    }
}
