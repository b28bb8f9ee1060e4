//! What clients send ahead, leave unfinished or do not read takes no more memory than is stated.

use super::{MEMORY_CAP_KIB, memory_kib};
use crate::harness::{Connection, PATIENCE, Response, Server, Setup, until};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// How long clients go on sending to a server that takes no more.
const SENDING: Duration = Duration::from_secs(3);

/// A server with a list of one MiB.
fn with_large_lists(setup: Setup) -> Server {
    let server = setup.start();
    let fill = "f".repeat(10 << 10);
    for number in 0..100 {
        let body =
            format!(r#"{{"email":"u{number}@example.com","user_metadata":{{"f":"{fill}"}}}}"#);
        server.json("POST", "/api/v2/users", &body).expect(201);
    }
    server
}

fn head(server: &Server, method: &str, target: &str, lines: &str) -> String {
    let (host, bearer) = (server.address(), server.admin());
    format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {bearer}\r\n{lines}\r\n")
}

/// Clients that send all of this, as far as it is taken, and read nothing.
fn send_and_read_nothing(server: &Server, count: usize, bytes: &[u8]) -> Vec<TcpStream> {
    let mut clients: Vec<(TcpStream, usize)> = (0..count)
        .map(|_| {
            let client = TcpStream::connect(server.address()).unwrap();
            rustix::net::sockopt::set_socket_recv_buffer_size(&client, 4 << 10).unwrap();
            client.set_nonblocking(true).unwrap();
            (client, 0)
        })
        .collect();
    let begun = Instant::now();
    while begun.elapsed() < SENDING && clients.iter().any(|(_, sent)| *sent < bytes.len()) {
        for (client, sent) in &mut clients {
            let rest = &bytes[*sent..];
            match client.write(&rest[..rest.len().min(64 << 10)]) {
                Ok(written) => *sent += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // It was refused and closed.
                Err(_) => *sent = bytes.len(),
            }
        }
    }
    clients.into_iter().map(|(client, _)| client).collect()
}

/// What a server took at most while this was done to it, in KiB.
fn taken(server: &Server, before: u64) -> u64 {
    let most = memory_kib(server, "VmHWM");
    assert!(most < MEMORY_CAP_KIB, "{before} KiB, then {most} KiB");
    most.saturating_sub(before)
}

/// The smallest request with nearly as many headers as one may have: as a request it is large.
fn many_small_headers() -> String {
    let letters = 'a'..='z';
    let names = letters.clone().flat_map(|one| letters.clone().map(move |two| (one, two)));
    let mut lines = String::new();
    for (one, two) in names.take(90) {
        lines.extend([one, two, ':', '\r', '\n']);
    }
    format!("GET /livez HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
}

#[test]
fn requests_sent_ahead_are_made_one_at_a_time() {
    let server = with_large_lists(Setup::default());
    let before = memory_kib(&server, "VmRSS");
    let lists = head(&server, "GET", "/api/v2/users?per_page=100", "");
    let bytes = format!("{lists}{}", many_small_headers().repeat(1000));
    let clients = send_and_read_nothing(&server, 300, bytes.as_bytes());
    let other = send_and_read_nothing(&server, 300, lists.repeat(200).as_bytes());
    server.get("/api/v2/users?per_page=1").expect(200);
    let taken = taken(&server, before);
    assert!(taken < 200 << 10, "{taken} KiB");
    drop((clients, other));
    until("lists are answered again", || {
        (server.get("/api/v2/users?per_page=100").status == 200).then_some(())
    });
}

#[test]
fn answers_without_a_body_that_nobody_reads_do_not_pile_up() {
    let server = Server::start();
    let before = memory_kib(&server, "VmRSS");
    let asked = "OPTIONS /api/v2/users HTTP/1.1\r\nHost: a\r\n\r\n".repeat(1_000_000);
    let clients = send_and_read_nothing(&server, 4, asked.as_bytes());
    server.get("/api/v2/users?per_page=1").expect(200);
    let taken = taken(&server, before);
    assert!(taken < 64 << 10, "{taken} KiB");
    drop(clients);
}

#[test]
fn bodies_that_do_not_end_are_refused_where_there_are_too_many() {
    let server = Setup::default().set("server.body_timeout=60s").start();
    let before = memory_kib(&server, "VmRSS");
    let lines = "Content-Type: application/json\r\nContent-Length: 1000000\r\n";
    let bytes =
        head(&server, "POST", "/api/v2/users", lines) + r#"{"email":""# + &"x".repeat(900_000);
    let clients = send_and_read_nothing(&server, 250, bytes.as_bytes());
    // What is small is written beside them.
    server.json("POST", "/api/v2/users", r#"{"email":"jane@example.com"}"#).expect(201);
    let taken = taken(&server, before);
    assert!(taken < 150 << 10, "{taken} KiB");
    until("most are refused", || {
        let is_refused = |client: &&TcpStream| {
            let mut start = [0; 12];
            let is_told = client.peek(&mut start).is_ok_and(|count| count == start.len());
            assert!(!is_told || &start == b"HTTP/1.1 503", "{start:?}");
            is_told
        };
        (clients.iter().filter(is_refused).count() > clients.len() / 2).then_some(())
    });
    drop(clients);
    // Those that left are counted no more.
    let large = format!(
        r#"{{"email":"joe@example.com","user_metadata":{{"a":"{}"}}}}"#,
        "x".repeat(500_000)
    );
    until("large bodies are taken again", || {
        (server.json("POST", "/api/v2/users?dry_run=true", &large).status != 503).then_some(())
    });
}

#[test]
fn a_second_head_that_does_not_end_is_not_waited_for_longer_than_a_first_one() {
    let server = Setup::default().set("server.head_timeout=1s").set("server.keep_alive=1s").start();
    let mut connection = server.connect();
    connection.send("GET", "/livez", &[], None).unwrap().expect(200);
    connection.raw(b"GET /livez HTTP/1.1\r\nHost: ").unwrap();
    // Nothing is answered; the connection ends.
    let mut behind = TcpStream::connect(server.address()).unwrap();
    behind.set_read_timeout(Some(PATIENCE)).unwrap();
    behind.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\nGET /livez HTTP/1.1\r\nHo").unwrap();
    let mut text = String::new();
    behind.read_to_string(&mut text).unwrap();
    assert_eq!(text.matches("HTTP/1.1 200").count(), 1, "{text}");
    let ended = connection.answer(false).unwrap_err();
    assert_ne!(ended.kind(), io::ErrorKind::WouldBlock, "it is still waited for");
}

/// Requests of all kinds with what is to be answered, in the order in which they are sent.
fn requests(server: &Server) -> Vec<(Vec<u8>, &'static str, u16)> {
    let json = "Content-Type: application/json\r\n";
    let empty_lines = format!("{}{{\"email\":\"x\"}}", "\r\n\r\n\n\n".repeat(20));
    let length = format!("{json}Content-Length: {}\r\n", empty_lines.len());
    let chunked = format!("{json}Transfer-Encoding: chunked\r\n");
    let large = format!("{{\n\n\"email\":\"{}\"}}", "y".repeat(100_000));
    let large_length = format!("{json}Content-Length: {}\r\n", large.len());
    let users = "/api/v2/users";
    vec![
        (head(server, "GET", "/livez", "").into_bytes(), "GET", 200),
        ((head(server, "POST", users, &length) + &empty_lines).into_bytes(), "POST", 400),
        (head(server, "HEAD", "/api/v2/users?per_page=100", "").into_bytes(), "HEAD", 200),
        (head(server, "GET", "/api/v2/users?per_page=100", "").into_bytes(), "GET", 200),
        (head(server, "OPTIONS", users, "").into_bytes(), "OPTIONS", 204),
        ((head(server, "POST", users, &large_length) + &large).into_bytes(), "POST", 400),
        (
            (head(server, "POST", users, &chunked) + "4\r\n\n\n\r\n\r\n3\r\n\"b\"\r\n0\r\n\r\n")
                .into_bytes(),
            "POST",
            400,
        ),
        ((head(server, "POST", "/nowhere", &length) + &empty_lines).into_bytes(), "POST", 404),
        (b"\r\nGET /livez HTTP/1.1\nHost: a\n\n".to_vec(), "GET", 200),
        (head(server, "GET", "/nowhere", "").into_bytes(), "GET", 404),
    ]
}

fn answered(connection: &mut Connection, requests: &[(Vec<u8>, &'static str, u16)]) {
    for (number, (_, method, status)) in requests.iter().enumerate() {
        let answer = connection.answer(*method == "HEAD");
        let answer: Response = answer.unwrap_or_else(|error| panic!("{error} at {number}"));
        assert_eq!(answer.status, *status, "request {number}: {answer:?}");
    }
}

#[test]
fn requests_sent_ahead_are_answered_in_order_however_they_are_cut() {
    let server = with_large_lists(Setup::default());
    let requests = requests(&server);
    let bytes: Vec<u8> = requests.iter().flat_map(|(bytes, ..)| bytes.clone()).collect();
    for size in [bytes.len(), 1, 3, 997, 16 << 10] {
        let mut connection = server.connect();
        let mut sending = TcpStream::connect(server.address()).unwrap();
        // Small pieces of a large body tell nothing, and take long.
        let is_slow = size < 100;
        let all: Vec<_> = requests
            .iter()
            .filter(|(bytes, ..)| !is_slow || bytes.len() < 10_000)
            .cloned()
            .collect();
        let bytes: Vec<u8> = all.iter().flat_map(|(bytes, ..)| bytes.clone()).collect();
        if is_slow {
            for piece in bytes.chunks(size) {
                connection.raw(piece).unwrap();
            }
            answered(&mut connection, &all);
            continue;
        }
        sending.set_nodelay(true).unwrap();
        sending.set_read_timeout(Some(PATIENCE)).unwrap();
        let reading = sending.try_clone().unwrap();
        std::thread::scope(|threads| {
            threads.spawn(|| {
                for piece in bytes.chunks(size) {
                    sending.write_all(piece).unwrap();
                }
            });
            answered(&mut Connection::over(Box::new(reading), server.address()), &all);
        });
    }
}
