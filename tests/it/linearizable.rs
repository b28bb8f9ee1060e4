//! Whatever many callers do to the same users at once, also across a crash, looks as if it had
//! been done one after the other, each thing between its question and its answer.

use crate::harness::{Bearer, Connection, Response, Server, until};
use history::{Asked, Got, Operation, is_linearizable};
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Instant;

mod history;

const USERS: usize = 3;
const THREADS: usize = 6;

/// What was done to each user.
type Histories = [Mutex<Vec<Operation>>; USERS];

/// One caller after the other draws from here, so no value is ever written twice.
struct Bench {
    begun: Instant,
    next: AtomicI64,
    done: AtomicUsize,
    targets: Vec<String>,
    histories: Histories,
}

impl Bench {
    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos()).unwrap()
    }

    /// Calls until `calls` are answered or one is not.
    fn work(&self, address: &str, authorization: &str, calls: usize) {
        let mut connection = Connection::open(address).unwrap();
        let mut seen = [0; USERS];
        for _ in 0..calls {
            let value = self.next.fetch_add(1, Ordering::Relaxed);
            let turn = usize::try_from(value).unwrap();
            // All users and all kinds in an order that is never quite the same.
            let user = turn * 7 / 3 % USERS;
            let key = format!("k{}", turn % 4);
            let asked = match turn % 5 {
                0 | 1 => Asked::Read,
                2 => Asked::Patch { key, value: Some(value), if_match: None },
                3 => Asked::Patch { key, value: Some(value), if_match: Some(seen[user]) },
                _ => Asked::Patch { key, value: (turn % 2 == 0).then_some(value), if_match: None },
            };
            let from = self.now();
            let answered = send(&mut connection, &self.targets[user], authorization, &asked);
            let got = answered.as_ref().map_or(Got::Nothing, got);
            if let Got::Shown { version, .. } = &got {
                seen[user] = *version;
            }
            let until = if got == Got::Nothing { u64::MAX } else { self.now() };
            self.histories[user].lock().unwrap().push(Operation { from, until, asked, got });
            self.done.fetch_add(1, Ordering::Relaxed);
            if answered.is_none() {
                return;
            }
        }
    }
}

fn send(
    connection: &mut Connection,
    target: &str,
    authorization: &str,
    asked: &Asked,
) -> Option<Response> {
    let authorized = ("Authorization", authorization);
    match asked {
        Asked::Read => connection.send("GET", target, &[authorized], None).ok(),
        Asked::Patch { key, value, if_match } => {
            let value = value.map_or("null".to_owned(), |value| value.to_string());
            let body = format!(r#"{{"user_metadata":{{"{key}":{value}}}}}"#);
            let tag = if_match.map(|version| format!("\"{version}\""));
            let mut headers = vec![authorized, ("Content-Type", "application/json")];
            headers.extend(tag.as_ref().map(|tag| ("If-Match", tag.as_str())));
            connection.send("PATCH", target, &headers, Some(body.as_bytes())).ok()
        }
    }
}

fn got(response: &Response) -> Got {
    match response.status {
        200 => {
            let user = response.json();
            let bag = user["user_metadata"].as_object().unwrap().iter();
            let bag = bag.map(|(key, value)| (key.clone(), value.as_i64().unwrap())).collect();
            Got::Shown { version: response.number("etag"), bag }
        }
        412 => Got::Refused,
        503 => Got::Nothing,
        other => panic!("{other}: {}", response.text()),
    }
}

#[test]
fn concurrent_histories_are_linearizable_also_across_a_crash() {
    let mut server = Server::start();
    let targets: Vec<String> = (0..USERS)
        .map(|number| {
            let body = format!(r#"{{"email":"user{number}@example.com","user_metadata":{{}}}}"#);
            let made = server.json("POST", "/api/v2/users", &body).expect(201).json();
            format!("/api/v2/users/{}", made["user_id"].as_str().unwrap())
        })
        .collect();
    let first: Vec<Response> = targets.iter().map(|target| server.get(target)).collect();
    let bench = Bench {
        begun: Instant::now(),
        next: AtomicI64::new(0),
        done: AtomicUsize::new(0),
        targets,
        histories: Histories::default(),
    };
    for round in 0..3 {
        let authorization = format!("Bearer {}", server.token(&Bearer::admin()));
        let address = server.address().to_owned();
        let is_last = round == 2;
        let calls = if is_last { 15 } else { 10_000 };
        std::thread::scope(|threads| {
            let before = bench.done.load(Ordering::Relaxed);
            for _ in 0..THREADS {
                threads.spawn(|| bench.work(&address, &authorization, calls));
            }
            if !is_last {
                until("a hundred calls", || {
                    (bench.done.load(Ordering::Relaxed) > before + 100).then_some(())
                });
                server.kill9();
            }
        });
        if !is_last {
            server.restart();
        }
    }
    for (history, first) in bench.histories.into_iter().zip(first) {
        let history = history.into_inner().unwrap();
        let writes = history.iter().filter(|done| done.asked != Asked::Read);
        assert!(writes.clone().count() > 30, "{}", writes.count());
        assert!(history.iter().any(|done| done.got == Got::Refused));
        let start = (first.number("etag"), BTreeMap::new());
        assert!(is_linearizable(start, &history), "{history:#?}");
    }
}
