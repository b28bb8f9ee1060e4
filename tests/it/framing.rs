//! Where one request ends and the next begins: whatever is unclear about that is a 4xx or a closed
//! connection, and nothing that came behind it is ever read as a request.

use crate::harness::{PATIENCE, Server, Setup};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

/// A server with one user whom every hidden request tries to change.
struct Bench {
    server: Server,
    target: String,
    before: String,
}

impl Bench {
    fn start() -> Self {
        Self::with(Setup::default())
    }

    fn with(setup: Setup) -> Self {
        let server = setup.start();
        let body = r#"{"email":"jane@example.com","user_metadata":{"a":1}}"#;
        let made = server.json("POST", "/api/v2/users", body).expect(201);
        let target = format!("/api/v2/users/{}", made.json()["user_id"].as_str().unwrap());
        let before = server.get(&target).expect(200).text().to_owned();
        Self { server, target, before }
    }

    /// The head of a PATCH, with these lines besides those it needs.
    fn head(&self, version: &str, lines: &str) -> String {
        let (host, bearer) = (self.server.address(), self.server.admin());
        let start = format!("PATCH {} HTTP/{version}\r\nAuthorization: {bearer}", self.target);
        format!("{start}\r\nContent-Type: application/json\r\nHost: {host}\r\n{lines}\r\n")
    }

    /// A whole request that changes the user, if it is ever read as one.
    fn hidden(&self) -> String {
        let body = r#"{"user_metadata":{"hidden":true}}"#;
        self.head("1.1", &format!("Content-Length: {}\r\n", body.len())) + body
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.server.address()).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// What is answered to bytes with a hidden request behind them, until the server closes.
    #[track_caller]
    fn told(&self, bytes: &[u8]) -> Told {
        let mut stream = self.connect();
        // The server may have closed before all of it was sent.
        let sent =
            stream.write_all(bytes).and_then(|()| stream.write_all(self.hidden().as_bytes()));
        let told = Told::read(&mut stream);
        let now = self.server.get(&self.target).expect(200);
        let shown = String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(now.text(), self.before, "{shown:?} {told:?} {sent:?}");
        told
    }

    /// The answer is one, it is this status, and the connection ends with it.
    #[track_caller]
    fn ends(&self, bytes: &[u8], status: u16) -> Told {
        let told = self.told(bytes);
        let shown = String::from_utf8_lossy(bytes).into_owned();
        assert_eq!(told.statuses, [status], "{shown:?} {told:?}");
        told
    }

    /// The same, said in the words of the API.
    #[track_caller]
    fn ends_in_words(&self, bytes: &[u8], status: u16, words: &str) {
        self.ends(bytes, status).is_in_words(status, words);
    }

    /// The answer to a request that says it is the last one; what came behind it is refused, if it
    /// is answered at all.
    #[track_caller]
    fn is_last(&self, bytes: &[u8], status: u16) -> Told {
        let told = self.told(bytes);
        let shown = String::from_utf8_lossy(bytes).into_owned();
        let is_right = [vec![status], vec![status, 400]].contains(&told.statuses);
        assert!(is_right, "{shown:?} {told:?}");
        told
    }
}

/// Everything a server said before it closed.
#[derive(Debug)]
struct Told {
    statuses: Vec<u16>,
    text: String,
}

impl Told {
    #[track_caller]
    fn read(stream: &mut TcpStream) -> Self {
        let (mut bytes, mut piece) = (Vec::new(), [0; 4096]);
        loop {
            match stream.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => bytes.extend_from_slice(&piece[..count]),
                Err(error) => {
                    let is_end = error.kind() == std::io::ErrorKind::ConnectionReset;
                    assert!(is_end, "{error} after {:?}", String::from_utf8_lossy(&bytes));
                    break;
                }
            }
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let lines = text.split("\r\n").filter_map(|line| {
            let at = line.find("HTTP/1.")?;
            line[at..].split(' ').nth(1)?.parse().ok()
        });
        Self { statuses: lines.filter(|status| *status != 100).collect(), text }
    }

    #[track_caller]
    fn is_in_words(&self, status: u16, words: &str) {
        let text = self.text.to_ascii_lowercase();
        assert!(text.contains("connection: close"), "{self:?}");
        assert!(text.contains("content-type: application/json"), "{self:?}");
        assert!(self.text.contains(&format!(r#""statusCode":{status}"#)), "{self:?}");
        assert!(self.text.contains(words), "{words:?} is missing in {self:?}");
    }
}

/// Chunks that are none.
const BROKEN: &[&str] = &[
    "zz\r\n{}\r\n0\r\n\r\n",
    "\r\n",
    " 2\r\n{}\r\n0\r\n\r\n",
    "-1\r\n",
    "+2\r\n{}\r\n0\r\n\r\n",
    "0x2\r\n{}\r\n0\r\n\r\n",
    "2 2\r\n{}\r\n0\r\n\r\n",
    "2\n{}\n0\n\n",
    "2\r{}\r0\r\r",
    "ffffffffffffffffff\r\n",
    "2;a\x01b\r\n{}\r\n0\r\n\r\n",
    "2\r\n{}xx0\r\n\r\n",
    "2\r\n{}\r\r0\r\n\r\n",
    "1\r\n{}\r\n0\r\n\r\n",
    "2\r\n{}\r\n0\r\n\rx",
    "2\r\n{}\r\nGET / HTTP/1.1\r\n\r\n",
];

const UNREADABLE: &str = "could not be read";

#[test]
fn a_broken_chunk_is_a_400_that_ends_the_connection() {
    let bench = Bench::start();
    let chunked = "Transfer-Encoding: chunked\r\n";
    for broken in BROKEN {
        // In one piece with its head, and alone, when the handler has long been waiting for it.
        let whole = bench.head("1.1", chunked) + broken;
        bench.ends_in_words(whole.as_bytes(), 400, UNREADABLE);

        let mut stream = bench.connect();
        let head = bench.head("1.1", &format!("{chunked}Expect: 100-continue\r\n"));
        stream.write_all(head.as_bytes()).unwrap();
        let mut go_on = [0; 25];
        stream.read_exact(&mut go_on).unwrap();
        assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
        let rest = format!("{broken}{}", bench.hidden());
        stream.write_all(rest.as_bytes()).unwrap();
        let told = Told::read(&mut stream);
        assert_eq!(told.statuses, [400], "{broken:?} {told:?}");
        told.is_in_words(400, UNREADABLE);
        assert_eq!(bench.server.get(&bench.target).expect(200).text(), bench.before, "{broken:?}");
    }
}

#[test]
fn a_broken_body_of_a_request_that_was_refused_already_ends_the_connection_as_well() {
    let bench = Bench::start();
    let host = bench.server.address();
    for broken in BROKEN {
        let head = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n";
        let head = format!("POST /api/v2/users HTTP/1.1\r\nHost: {host}\r\n{head}\r\n");
        bench.ends_in_words((head + broken).as_bytes(), 401, "Missing authentication");
    }
}

#[test]
fn a_body_that_ends_too_soon_is_a_400() {
    let bench = Bench::start();
    for (line, body) in [
        ("Content-Length: 40", r#"{"user_metadata":{"new":1}}"#),
        ("Content-Length: 1", ""),
        ("Transfer-Encoding: chunked", "1b\r\n{\"user_metadata\":{\"new\":1}}\r\n"),
        ("Transfer-Encoding: chunked", "1b\r\n{\"user_metadata\":"),
        ("Transfer-Encoding: chunked", "1b\r\n{\"user_metadata\":{\"new\":1}}\r\n0\r\n"),
        ("Transfer-Encoding: chunked", ""),
    ] {
        let mut stream = bench.connect();
        let request = bench.head("1.1", &format!("{line}\r\n")) + body;
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let told = Told::read(&mut stream);
        assert_eq!(told.statuses, [400], "{line} {body:?} {told:?}");
        told.is_in_words(400, UNREADABLE);
        assert_eq!(bench.server.get(&bench.target).expect(200).text(), bench.before, "{line}");
    }
}

#[test]
fn what_comes_without_end_between_chunks_is_a_body_that_does_not_come() {
    let bench = Bench::with(Setup::default().set("server.body_timeout=1s"));
    let line = format!("X: {}\r\n", "a".repeat(64 << 10));
    let chunk = "1b\r\n{\"user_metadata\":{\"new\":1}}\r\n";
    for (begin, piece) in [
        (format!("{chunk}0\r\n"), line.as_str()),
        (format!("{chunk}1;"), &line[3..line.len() - 2]),
        (chunk.to_owned() + "1", " \t"),
        (format!("{chunk}1\r\n"), ""),
    ] {
        let mut stream = bench.connect();
        let head = bench.head("1.1", "Transfer-Encoding: chunked\r\n");
        stream.write_all((head + &begin).as_bytes()).unwrap();
        // It may have been answered before all of it is sent.
        let sent = (0..64).try_for_each(|_| stream.write_all(piece.as_bytes()));
        let told = Told::read(&mut stream);
        assert_eq!(told.statuses, [408], "{begin:?} {sent:?} {told:?}");
        told.is_in_words(408, "in time");
        assert_eq!(bench.server.get(&bench.target).expect(200).text(), bench.before, "{begin:?}");
    }
}

#[test]
fn two_ways_of_saying_how_long_a_body_is_are_one_too_many() {
    let bench = Bench::start();
    let body = r#"{"user_metadata":{"new":1}}"#;
    let (length, chunks) = (body.len(), format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len()));
    for lines in [
        format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n"),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n"),
        "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n".to_owned(),
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n".to_owned(),
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n".to_owned(),
        "Transfer-Encoding: gzip, chunked\r\n".to_owned(),
        "Transfer-Encoding: chunked, identity\r\n".to_owned(),
        "Transfer-Encoding: xchunked\r\n".to_owned(),
        "Transfer-Encoding: identity\r\n".to_owned(),
        "Transfer-Encoding: \r\n".to_owned(),
        "Transfer-Encoding: chunked\u{b}\r\n".to_owned(),
        "Transfer-Encoding : chunked\r\n".to_owned(),
    ] {
        bench.ends((bench.head("1.1", &lines) + &chunks).as_bytes(), 400);
    }
    bench.ends((bench.head("1.0", "Transfer-Encoding: chunked\r\n") + &chunks).as_bytes(), 400);
    for value in [
        "-1",
        "+1",
        "0x1b",
        "27, 27",
        "27 27",
        "27;27",
        "27a",
        "1e1",
        "",
        "\u{661}",
        "99999999999999999999999",
    ] {
        let lines = format!("Content-Length: {value}\r\n");
        bench.ends((bench.head("1.1", &lines) + body).as_bytes(), 400);
    }
    for (one, other) in [(length, length), (length, 0), (0, length)] {
        let lines = format!("Content-Length: {one}\r\nContent-Length: {other}\r\n");
        bench.ends((bench.head("1.1", &lines) + body).as_bytes(), 400);
    }
}

#[test]
fn a_head_that_is_no_http_is_a_400() {
    let bench = Bench::start();
    for line in [
        "X: a\0b",
        "X: a\rb",
        "X : a",
        " X: a",
        "X: a\r\n folded",
        "X: a\r\n\tfolded",
        ": a",
        "X",
        "X(y): a",
        "\u{e4}: a",
        "X: a\u{7f}b",
    ] {
        bench.ends(bench.head("1.1", &format!("{line}\r\n")).as_bytes(), 400);
    }
    let host = bench.server.address();
    for head in [
        format!("GET /livez HTTP/2.0\r\nHost: {host}\r\n\r\n"),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        format!("GET /livez  HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        format!("GET /live z HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        format!("GET /livez\r\nHost: {host}\r\n\r\n"),
        format!("GET\t/livez HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        format!("(GET) /livez HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        format!("GET /livez\0 HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        // Which tenant is it for?
        "GET /livez HTTP/1.1\r\n\r\n".to_owned(),
        format!("GET /livez HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n\r\n"),
        format!("GET /livez HTTP/1.1\r\nHost: {host}\r\nhost: alpha.localhost\r\n\r\n"),
    ] {
        bench.ends(head.as_bytes(), 400);
    }
}

#[test]
fn a_head_that_is_too_long_is_a_4xx() {
    let bench = Bench::start();
    let host = bench.server.address();
    let line = |bytes: usize| {
        format!("GET /{} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n", "a".repeat(bytes))
    };
    bench.is_last(line(9 << 10).as_bytes(), 414).is_in_words(414, "Too Long");
    bench.is_last(line(60 << 10).as_bytes(), 414);
    // What actix does not even take for a head, or holds no more of.
    for head in [
        line(1 << 20),
        bench.head("1.1", &format!("X: {}\r\n", "a".repeat(1 << 20))),
        bench.head("1.1", &"X: a\r\n".repeat(10_000)),
    ] {
        let told = bench.told(head.as_bytes());
        let is_refused = told.statuses.iter().all(|status| [400, 431].contains(status));
        assert!(is_refused && told.statuses.len() < 2, "{told:?}");
    }
}

#[test]
fn a_host_that_can_be_no_host_is_a_400() {
    let bench = Bench::start();
    for host in [
        "[alpha.localhost]",
        "[::1",
        "[::1]x",
        "[::1]:80:80",
        "::1",
        "localhost:http",
        "localhost:80:80",
        "alpha.localhost:80@localhost",
        "a b",
        "a/b",
        "a\\b",
        "user@localhost",
        "<a>",
        "a\"b",
        "a?b",
        "a#b",
        "{a}",
        "a|b",
        "a^b",
        "\u{e4}.example",
    ] {
        let head = format!("GET /livez HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        bench.is_last(head.as_bytes(), 400).is_in_words(400, "host");
    }
    let absolute =
        "GET http://user@localhost/livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    bench.is_last(absolute.as_bytes(), 400).is_in_words(400, "host");
    for host in ["localhost", "LOCALHOST.", "[::1]:80", "127.0.0.1:1", "a-b.example:443", "a_b", ""]
    {
        let head = format!("GET /livez HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        bench.is_last(head.as_bytes(), 200);
    }
}

#[test]
fn http_1_0_is_answered_and_closed() {
    let bench = Bench::start();
    bench.is_last(b"GET /livez HTTP/1.0\r\n\r\n", 200);
    let body = r#"{"user_metadata":{"a":1}}"#;
    let lines = format!("Content-Length: {}\r\n", body.len());
    let mut stream = bench.connect();
    stream.write_all((bench.head("1.0", &lines) + body).as_bytes()).unwrap();
    let told = Told::read(&mut stream);
    assert_eq!(told.statuses, [200], "{told:?}");
}

#[test]
fn what_follows_a_request_nobody_understood_is_not_read() {
    let bench = Bench::start();
    let host = bench.server.address();
    let good = format!("GET /livez HTTP/1.1\r\nHost: {host}\r\n\r\n");
    for bad in [
        "nonsense\r\n\r\n".to_owned(),
        format!("GET /livez HTTP/1.1\r\nHost: {host}\r\nContent-Length: x\r\n\r\n"),
        "GET /livez HTTP/1.1\r\n\r\n".to_owned(),
    ] {
        // What came before it is answered first.
        let told = bench.told(format!("{good}{good}{bad}").as_bytes());
        assert_eq!(told.statuses, [200, 200, 400], "{told:?}");
    }
    // A body that is refused for its length holds requests, which stay a body.
    let announced = bench.head("1.1", "Content-Length: 2097152\r\n");
    let told = bench.ends((announced + &bench.hidden()).as_bytes(), 413);
    told.is_in_words(413, "maximum allowed");
    // Whoever asks to speak something else is not understood afterwards.
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n";
    let told =
        bench.told(format!("GET /livez HTTP/1.1\r\nHost: {host}\r\n{upgrade}\r\n").as_bytes());
    assert!(told.statuses.len() == 1 && told.statuses[0] < 500, "{told:?}");
}

#[test]
fn a_body_that_waits_for_leave_gets_it_or_an_answer() {
    let bench = Bench::start();
    let body = r#"{"user_metadata":{"a":1}}"#;
    for (length, status) in [(body.len(), 200), (2 << 20, 413)] {
        let lines =
            format!("Content-Length: {length}\r\nExpect: 100-continue\r\nConnection: close\r\n");
        let mut stream = bench.connect();
        stream.write_all(bench.head("1.1", &lines).as_bytes()).unwrap();
        let mut first = [0; 12];
        stream.read_exact(&mut first).unwrap();
        if &first == b"HTTP/1.1 100" && status == 200 {
            stream.write_all(body.as_bytes()).unwrap();
        }
        let told = Told::read(&mut stream);
        assert!(told.text.contains(&format!("HTTP/1.1 {status}")), "{first:?} {told:?}");
    }
}

#[test]
fn behind_a_head_of_what_never_ends_the_next_request_is_answered() {
    let server = Server::start();
    let mut connection = server.connect();
    let headers = [("Authorization", server.admin())];
    let told = connection.send("HEAD", "/api/v2/events", &headers, None).unwrap().expect(200);
    assert_eq!(told.header("content-type"), Some("text/event-stream"));
    connection.send("GET", "/livez", &[], None).unwrap().expect(200);
}
