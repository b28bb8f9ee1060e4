//! Too much of anything is refused at once and costs no more than is stated.

use crate::harness::{Connection, Server, Setup, until};
use dossier::domain::entries::{Entry, unique};
use neighbour::Neighbour;
use serde_json::json;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

mod ahead;
pub(crate) mod neighbour;

/// What a server may take for all of this, a debug build included.
const MEMORY_CAP_KIB: u64 = 400 << 10;

/// How soon after the end of a flood a server must be as it was before.
const BACK_TO_NORMAL: Duration = Duration::from_secs(2);

/// How a tenant that is flooded and its neighbour are served while nothing else happens.
#[derive(Debug)]
struct Pace {
    /// The median time of a write of the neighbour.
    neighbour: Duration,
    /// The time a hundred writes of the tenant take.
    own: Duration,
}

impl Pace {
    fn of(server: &Server, alpha: &Neighbour, target: &str) -> Self {
        let mut connection = server.connect();
        let headers = [("Authorization", server.admin()), ("Content-Type", "application/json")];
        let begun = Instant::now();
        for number in 0..100 {
            let body = format!(r#"{{"user_metadata":{{"fill":null,"n":{number}}}}}"#);
            let answer = connection.send("PATCH", target, &headers, Some(body.as_bytes())).unwrap();
            assert_eq!(answer.status, 200, "{answer:?}");
        }
        Self { own: begun.elapsed(), neighbour: alpha.median(server) }
    }

    /// Whether it is at least half as good; the machine itself is no steadier than that.
    fn is_like(&self, before: &Self) -> bool {
        self.own <= 2 * before.own && self.neighbour <= 2 * before.neighbour
    }
}

fn memory_kib(server: &Server, key: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// A server that answers when the disk has answered. With its own limit of two seconds a write is
/// 503 (`outcome_unknown`) whenever a sync takes longer, as on a disk that others are busy with.
fn patient() -> Setup {
    Setup::default().set("actor.reply_timeout=60s")
}

fn create(server: &Server) -> String {
    let body = r#"{"email":"jane@example.com","user_metadata":{}}"#;
    let made = server.json("POST", "/api/v2/users", body).expect(201).json();
    format!("/api/v2/users/{}", made["user_id"].as_str().unwrap())
}

#[test]
fn connections_never_take_the_descriptors_that_files_need() {
    let server = Setup::default().descriptors(256).set("snapshot.interval=0s").start();
    let headers = [("Authorization", server.admin()), ("Content-Type", "application/json")];
    let mut own = server.connect();
    let mut ask = |method: &str, target: &str, body: Option<&[u8]>| {
        own.send(method, target, &headers, body).unwrap()
    };
    ask("GET", "/api/v2/users", None).expect(200);
    // More than there are descriptors: those that find no place wait at the door.
    let crowd: Vec<_> = (0..400).map(|_| TcpStream::connect(server.address()).unwrap()).collect();
    for number in 0..5 {
        let body = format!(r#"{{"email":"u{number}@example.com"}}"#);
        let made = ask("POST", "/api/v2/users", Some(body.as_bytes())).expect(201).json();
        let id = made["user_id"].as_str().unwrap().replace('|', "%7C");
        ask("POST", "/dossier/v1/snapshots", Some(b"{}")).expect(200);
        ask("GET", &format!("/dossier/v1/users/{id}/history"), None).expect(200);
    }
    let ready = ask("GET", "/readyz", None).expect(200).json();
    assert_eq!(ready["history"], "ok");
    let open = fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count();
    assert!(open <= 192, "{open} of 256 descriptors are in use");
    drop(crowd);
    until("a new connection is served", || {
        (server.get("/api/v2/users").status == 200).then_some(())
    });
    assert!(server.log().contains("ulimit -n"), "{}", server.log());
}

#[test]
fn five_hundred_slow_heads_keep_nobody_else_waiting() {
    let server = patient().set("server.head_timeout=2s").start();
    let target = create(&server);
    let mut slow: Vec<TcpStream> = (0..500)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address()).unwrap();
            stream.write_all(b"GET /livez HTTP/1.1\r\nHost: lo").unwrap();
            stream
        })
        .collect();
    let begun = Instant::now();
    let mut answered = 0;
    while begun.elapsed() < Duration::from_secs(3) || answered < 50 {
        for stream in slow.iter_mut().step_by(10) {
            // Those that took too long are closed by now.
            drop(stream.write_all(b"c"));
        }
        let body = format!(r#"{{"user_metadata":{{"n":{answered}}}}}"#);
        server.json("PATCH", &target, &body).expect(200);
        answered += 1;
    }
    assert!(memory_kib(&server, "VmHWM") < MEMORY_CAP_KIB);
    // A byte now and then does not extend the time: each of them is let go.
    for stream in &mut slow {
        stream.set_read_timeout(Some(crate::harness::PATIENCE)).unwrap();
        let mut rest = Vec::new();
        // It ends, with an answer or by a reset; it does not wait for more.
        if let Err(error) = std::io::Read::read_to_end(stream, &mut rest) {
            assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "a slow head is still there");
        }
        let text = String::from_utf8_lossy(&rest);
        assert!(text.is_empty() || text.starts_with("HTTP/1.1 408"), "{text}");
    }
}

#[test]
fn a_hundred_megabytes_are_refused_early_and_never_held() {
    let server = patient().start();
    let target = create(&server);
    let before = memory_kib(&server, "VmRSS");
    let headers = [
        ("Authorization", server.admin()),
        ("Content-Type", "application/json"),
        ("Transfer-Encoding", "chunked"),
    ];
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                let mut connection = server.connect();
                connection.head("PATCH", &target, &headers).unwrap();
                connection.chunk(br#"{"user_metadata":{"x":""#).unwrap();
                let piece = vec![b'x'; 1 << 16];
                for _ in 0..32 {
                    connection.chunk(&piece).unwrap();
                }
                // The answer is there although the body has not ended and never said how long it is.
                let answer = connection.answer(false).unwrap();
                assert_eq!(answer.status, 413, "{}", answer.text());
                assert_eq!(answer.json()["statusCode"], 413);
                // What comes all the same is thrown away, not kept.
                for _ in 32..1600 {
                    if connection.chunk(&piece).is_err() {
                        break;
                    }
                }
            });
        }
    });
    // Announced, it is refused before it comes.
    let announced = [
        ("Authorization", server.admin()),
        ("Content-Type", "application/json"),
        ("Content-Length", "104857600"),
    ];
    let mut connection = server.connect();
    connection.head("PATCH", &target, &announced).unwrap();
    assert_eq!(connection.answer(false).unwrap().status, 413);
    let after = memory_kib(&server, "VmHWM");
    assert!(
        after < before + (64 << 10) && after < MEMORY_CAP_KIB,
        "{before} KiB, then {after} KiB"
    );
    server.json("PATCH", &target, r#"{"user_metadata":{"y":1}}"#).expect(200);
}

#[test]
fn a_flood_of_one_tenant_is_refused_in_part_and_its_neighbour_is_served() {
    let server = patient().set("actor.in_flight=64KiB").start();
    let alpha = Neighbour::of(&server);
    let neighbour = alpha.headers();

    let target = create(&server);
    // Large bodies: one at a time is worked on, some wait, the others are refused.
    let quiet = Pace::of(&server, &alpha, &target);
    let fill = "x".repeat(200_000);
    let (refused, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let acknowledged: Vec<Vec<usize>> = std::thread::scope(|threads| {
        let floods: Vec<_> = (0..48)
            .map(|thread| {
                let (server, target, fill, refused, is_over) =
                    (&server, &target, &fill, &refused, &is_over);
                let authorization = server.admin().to_owned();
                threads.spawn(move || {
                    let headers = [
                        ("Authorization", authorization.as_str()),
                        ("Content-Type", "application/json"),
                    ];
                    let mut acknowledged = Vec::new();
                    let mut connection = Connection::open(server.address()).unwrap();
                    for number in 0..200 {
                        if is_over.load(Ordering::Acquire) {
                            break;
                        }
                        let body = format!(
                            r#"{{"user_metadata":{{"fill":"{fill}","k{thread}":{number}}}}}"#
                        );
                        let answer = connection
                            .send("PATCH", target, &headers, Some(body.as_bytes()))
                            .unwrap();
                        match answer.status {
                            200 => acknowledged.push(number),
                            503 => {
                                assert_eq!(answer.header("retry-after"), Some("1"));
                                if answer.json()["errorCode"] == "overloaded" {
                                    refused.fetch_add(1, Ordering::Relaxed);
                                }
                            }
                            other => panic!("{other}: {}", answer.text()),
                        }
                    }
                    acknowledged
                })
            })
            .collect();
        for number in 0..20 {
            let body = format!(r#"{{"email":"n{number}@example.com"}}"#);
            server.request("POST", "/api/v2/users", &neighbour, Some(body.as_bytes())).expect(201);
        }
        until("something is refused", || {
            let is_done = floods.iter().all(std::thread::ScopedJoinHandle::is_finished);
            (refused.load(Ordering::Relaxed) > 0 || is_done).then_some(())
        });
        is_over.store(true, Ordering::Release);
        floods.into_iter().map(|flood| flood.join().unwrap()).collect()
    });
    assert!(refused.load(Ordering::Relaxed) > 0, "nothing was refused");
    assert!(memory_kib(&server, "VmHWM") < MEMORY_CAP_KIB);
    // Everything is normal again, and what was acknowledged is there.
    let ended = Instant::now();
    loop {
        let begun = ended.elapsed();
        let after = Pace::of(&server, &alpha, &target);
        if after.is_like(&quiet) {
            break;
        }
        assert!(begun < BACK_TO_NORMAL, "{quiet:?} before, {after:?} {begun:?} after the flood");
    }
    server.json("PATCH", &target, r#"{"user_metadata":{"after":true}}"#).expect(200);
    let bag = server.get(&target).expect(200).json()["user_metadata"].clone();
    assert_eq!(bag["after"], json!(true));
    for (thread, numbers) in acknowledged.iter().enumerate() {
        if let Some(last) = numbers.last() {
            let kept = bag[format!("k{thread}")].as_u64().unwrap();
            assert!(
                kept >= u64::try_from(*last).unwrap(),
                "k{thread} is {kept}, {last} was acknowledged"
            );
        }
    }
}

#[test]
fn hosts_that_are_made_up_take_no_memory() {
    let server = Server::start();
    let before = memory_kib(&server, "VmRSS");
    std::thread::scope(|threads| {
        for thread in 0..4 {
            let server = &server;
            threads.spawn(move || {
                let mut connection = server.connect();
                for number in 0..500 {
                    let host = format!("{thread}-{number}-{}.example", "a".repeat(50_000));
                    let headers = [("Host", host.as_str()), ("Authorization", "Bearer a.b.c")];
                    let answer = connection.send("GET", "/api/v2/users", &headers, None).unwrap();
                    assert_eq!(answer.status, 400, "{}", answer.text());
                }
            });
        }
    });
    let after = memory_kib(&server, "VmHWM");
    assert!(after < before + (64 << 10), "{before} KiB, then {after} KiB");
}

#[test]
fn very_many_entries_take_no_more_time_each_than_a_few() {
    let time = |count: u32| {
        let entry = |number| Entry {
            key: format!("k{number}"),
            value: String::new(),
            profile_claim: false,
        };
        let many: Vec<Entry> = (0..count).map(entry).collect();
        let begun = Instant::now();
        assert_eq!(unique(many).len(), usize::try_from(count).unwrap());
        begun.elapsed() / count
    };
    // The best of some: another test may have the processor.
    let best = |count| (0..5).map(|_| time(count)).min().unwrap();
    let (few, many) = (best(500), best(20_000));
    assert!(many < 8 * few, "{few:?} each of a few, {many:?} each of very many");
}

#[test]
fn answers_that_are_not_read_take_no_memory_without_bound() {
    let server = Setup::default().start();
    let fill = "f".repeat(10 << 10);
    for number in 0..100 {
        let body =
            format!(r#"{{"email":"u{number}@example.com","user_metadata":{{"f":"{fill}"}}}}"#);
        server.json("POST", "/api/v2/users", &body).expect(201);
    }
    let before = memory_kib(&server, "VmRSS");
    let request = format!(
        "GET /api/v2/users?per_page=100 HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\n\r\n",
        server.address(),
        server.admin()
    );
    let clients: Vec<TcpStream> = (0..400)
        .map(|_| {
            let mut client = TcpStream::connect(server.address()).unwrap();
            rustix::net::sockopt::set_socket_recv_buffer_size(&client, 4 << 10).unwrap();
            client.write_all(request.repeat(12).as_bytes()).unwrap();
            client
        })
        .collect();
    // All are being answered, or were told that it is too much.
    for mut client in &clients {
        let mut start = [0; 12];
        client.read_exact(&mut start).unwrap();
        assert!([b"HTTP/1.1 200", b"HTTP/1.1 503"].contains(&&start), "{start:?}");
    }
    server.get("/api/v2/users?per_page=1").expect(200);
    let taken = memory_kib(&server, "VmHWM") - before;
    assert!(taken < 300 << 10, "{taken} KiB");
    drop(clients);
    until("lists are answered again", || {
        (server.get("/api/v2/users?per_page=100").status == 200).then_some(())
    });
}
