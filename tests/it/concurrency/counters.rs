//! Fifty who read, add one and write back if nobody was faster, through the end of a process.

use super::{JSON, create};
use crate::harness::{Connection, Place, Response, Server, until};
use serde_json::json;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

const WRITERS: u64 = 50;
const EACH: u64 = 10;

/// What all writers share.
struct Counter {
    place: Place,
    target: String,
    acknowledged: AtomicU64,
    refused: AtomicU64,
    /// Requests that got no answer.
    unanswered: AtomicU64,
}

/// A connection to the server that is there now.
struct Line(Connection, String);

impl Line {
    fn open(place: &Place) -> Self {
        let (connection, authorization) = place.connect();
        Self(connection, authorization)
    }

    fn get(&mut self, target: &str) -> io::Result<Response> {
        self.0.send("GET", target, &[("Authorization", &self.1)], None)
    }

    fn patch(&mut self, target: &str, etag: &str, body: &str) -> io::Result<Response> {
        let headers = [("Authorization", self.1.as_str()), JSON, ("If-Match", etag)];
        self.0.send("PATCH", target, &headers, Some(body.as_bytes()))
    }
}

impl Counter {
    /// Counts to [`EACH`] in a key of the writer's own, and each time one further in the key of
    /// all: the own one tells whether a change happened whose answer was lost.
    fn count(&self, writer: u64) {
        let key = format!("w{writer}");
        let mut line = Line::open(&self.place);
        for number in 1..=EACH {
            let mut is_unknown = false;
            loop {
                let Ok(found) = line.get(&self.target) else {
                    line = self.reconnect();
                    continue;
                };
                let found = found.expect(200);
                let bag = &found.json()["app_metadata"];
                let (sum, own) = (bag["n"].as_u64().unwrap(), bag[&key].as_u64().unwrap_or(0));
                if own == number && is_unknown {
                    break;
                }
                assert_eq!(own, number - 1, "{key}: what was acknowledged is there, once");
                let body = json!({"app_metadata": {"n": sum + 1, (key.as_str()): number}});
                let etag = found.header("etag").unwrap();
                match line.patch(&self.target, etag, &body.to_string()) {
                    Err(_) => {
                        is_unknown = true;
                        line = self.reconnect();
                    }
                    Ok(answer) if answer.status == 412 => {
                        self.refused.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(answer) => {
                        answer.expect(200);
                        self.acknowledged.fetch_add(1, Ordering::Relaxed);
                        break;
                    }
                }
            }
        }
    }

    fn reconnect(&self) -> Line {
        self.unanswered.fetch_add(1, Ordering::Relaxed);
        Line::open(&self.place)
    }
}

#[test]
fn fifty_writers_with_if_match_lose_no_count_though_the_process_is_killed() {
    let mut server = Server::start();
    let id = create(&server, 0);
    let target = format!("/api/v2/users/{id}");
    server.json("PATCH", &target, r#"{"app_metadata":{"n":0}}"#).expect(200);
    let counter = Counter {
        place: Place::of(&server),
        target: target.clone(),
        acknowledged: AtomicU64::new(0),
        refused: AtomicU64::new(0),
        unanswered: AtomicU64::new(0),
    };
    std::thread::scope(|threads| {
        let counter = &counter;
        for writer in 0..WRITERS {
            threads.spawn(move || counter.count(writer));
        }
        until("half of the counts", || {
            let is_half = counter.acknowledged.load(Ordering::Relaxed) >= WRITERS * EACH / 2;
            is_half.then_some(())
        });
        counter.place.restart(&mut server);
    });
    let user = server.get(&target).expect(200).json();
    let bag = &user["app_metadata"];
    assert_eq!(bag["n"], WRITERS * EACH);
    for writer in 0..WRITERS {
        assert_eq!(bag[format!("w{writer}")], EACH);
    }
    // They met each other, and the kill met them.
    assert!(counter.refused.into_inner() > 0);
    assert!(counter.unanswered.into_inner() > 0);
}
