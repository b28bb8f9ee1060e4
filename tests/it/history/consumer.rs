//! A consumer of the feed that is killed at any byte, of a server that is killed at any moment.

use super::{USER, make, versions};
use crate::harness::{Chance, Connection, Place, Server, Setup, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

const WRITERS: u64 = 4;
const KILLS: usize = 4;

/// Bytes a consumer lives for: from less than the head of an answer to some twenty events.
const LIFE_BYTES: (u64, u64) = (1, 24_000);

/// What writers and the consumer share.
struct Scene {
    place: Place,
    users: Vec<String>,
    acknowledged: Mutex<BTreeSet<u64>>,
    is_over: AtomicBool,
    seen: Mutex<Vec<u64>>,
    lives: AtomicU64,
}

impl Scene {
    /// Changes one user until told to stop; an answer that was lost may mean a change or none.
    fn write(&self, id: &str) {
        let mut line: Option<(Connection, String)> = None;
        let mut n = 0;
        while !self.is_over.load(Ordering::Acquire) {
            n += 1;
            let (connection, authorization) = line.get_or_insert_with(|| self.place.connect());
            let headers =
                [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
            let body = json!({"user_metadata": {"n": n}}).to_string();
            let target = format!("{USER}/{id}");
            match connection.send("PATCH", &target, &headers, Some(body.as_bytes())) {
                Ok(answer) => {
                    let version = answer.expect(200).number("dossier-version");
                    self.acknowledged.lock().unwrap().insert(version);
                }
                Err(_) => line = None,
            }
        }
    }

    /// Lives again and again, each time from the last event it got whole, until it saw `upto`.
    fn consume(&self, mut chance: Chance, upto: impl Fn() -> Option<u64>) {
        let mut last = 0;
        while upto().is_none_or(|upto| last < upto) {
            for version in self.one_life(last, chance.between(LIFE_BYTES.0, LIFE_BYTES.1)) {
                last = version;
                self.seen.lock().unwrap().push(version);
            }
            self.lives.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The versions of the events that came whole before the life was over.
    fn one_life(&self, last: u64, bytes: u64) -> Vec<u64> {
        let socket = self.place.at(|address, authorization| {
            let mut socket = TcpStream::connect(address).ok()?;
            // What has nothing to tell would keep the consumer from its death.
            socket.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
            let head = format!(
                "GET /api/v2/events HTTP/1.1\r\nHost: {address}\r\nAuthorization: {authorization}\r\nLast-Event-ID: {last}\r\n\r\n"
            );
            socket.write_all(head.as_bytes()).ok()?;
            Some(socket)
        });
        let mut stream = BufReader::new(socket.take(bytes));
        let (mut versions, mut event, mut id) = (Vec::new(), String::new(), 0);
        loop {
            let mut line = String::new();
            let is_whole = stream.read_line(&mut line).is_ok() && line.ends_with('\n');
            if !is_whole {
                return versions;
            }
            let line = line.trim_end();
            assert!(!line.starts_with("HTTP/1.1 4"), "{line} after {last}");
            if let Some(text) = line.strip_prefix("event: ") {
                text.clone_into(&mut event);
            } else if let Some(text) = line.strip_prefix("id: ") {
                id = text.parse().unwrap();
            } else if let Some(text) = line.strip_prefix("data: ")
                && event.starts_with("user.")
            {
                let data: Value = serde_json::from_str(text).unwrap();
                assert_eq!(data["offset"], json!(id.to_string()));
                versions.push(id);
            }
        }
    }
}

/// Every change of the tenant's users, oldest first, as the history has it.
fn all_changes(server: &Server) -> Vec<u64> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("/dossier/v1/history?limit=100{cursor}")).expect(200).json();
        let entries = page["entries"].as_array().unwrap();
        let users: Vec<Value> =
            entries.iter().filter(|entry| entry["kind"] == "user").cloned().collect();
        found.extend(versions(&users));
        let Some(next) = page["next"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    found.reverse();
    found
}

#[test]
fn killed_at_any_byte_a_consumer_sees_every_version_of_a_killed_server_once_and_in_order() {
    let mut chance = Chance::new();
    // Everything is kept, so that the history can be asked what happened.
    let mut server = Setup::default().set("history.keep_versions=100000").start();
    let users = (0..WRITERS).map(|n| make(&server, &format!("user{n}@example.com"))).collect();
    let scene = Scene {
        place: Place::of(&server),
        users,
        acknowledged: Mutex::default(),
        is_over: AtomicBool::new(false),
        seen: Mutex::default(),
        lives: AtomicU64::new(0),
    };
    // Known once the writers are done.
    let newest = Mutex::new(None);
    std::thread::scope(|threads| {
        let (scene, newest, life) = (&scene, &newest, chance.fork());
        let writers: Vec<_> =
            scene.users.iter().map(|id| threads.spawn(move || scene.write(id))).collect();
        let reader = threads.spawn(move || scene.consume(life, || *newest.lock().unwrap()));
        for _ in 0..KILLS {
            let before = scene.acknowledged.lock().unwrap().len();
            let more = usize::try_from(chance.between(20, 150)).unwrap();
            until("more writes", || {
                (scene.acknowledged.lock().unwrap().len() >= before + more).then_some(())
            });
            scene.place.restart(&mut server);
        }
        scene.is_over.store(true, Ordering::Release);
        for writer in writers {
            writer.join().unwrap();
        }
        *newest.lock().unwrap() = all_changes(&server).last().copied();
        reader.join().unwrap();
    });
    let seen = scene.seen.into_inner().unwrap();
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "in order, each once: {seen:?}");
    assert_eq!(seen, all_changes(&server), "what happened, and nothing else");
    let acknowledged = scene.acknowledged.into_inner().unwrap();
    assert!(acknowledged.iter().all(|version| seen.binary_search(version).is_ok()));
    assert!(scene.lives.into_inner() > 10, "it died often");
}
