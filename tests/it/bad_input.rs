//! Whatever is sent: a clear 4xx that names what is wrong, nothing half applied, and a
//! server that goes on.

use crate::harness::{Connection, Response, Server};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::io;
use std::net::Shutdown;

const JSON: (&str, &str) = ("Content-Type", "application/json");
const MIB: usize = 1 << 20;

/// A server with one user whose document must stay as it is.
struct Bench {
    server: Server,
    target: String,
    before: String,
}

impl Bench {
    fn start() -> Self {
        let server = Server::start();
        let body = r#"{"email":"jane@example.com","user_metadata":{"a":1},"app_metadata":{"b":2}}"#;
        let created = server.json("POST", "/api/v2/users", body).expect(201);
        let target = format!("/api/v2/users/{}", created.json()["user_id"].as_str().unwrap());
        let before = server.get(&target).expect(200).text().to_owned();
        Self { server, target, before }
    }

    fn patch(&self, body: &[u8]) -> Response {
        let headers = [("Authorization", self.server.admin()), JSON];
        self.server.request("PATCH", &self.target, &headers, Some(body))
    }

    /// Sends a body that must be refused with `status` and words that name what is wrong.
    #[track_caller]
    fn refused(&self, body: &[u8], status: u16, words: &str) {
        self.is_refusal(&self.patch(body), status, words);
    }

    #[track_caller]
    fn is_refusal(&self, response: &Response, status: u16, words: &str) {
        is_problem(response, status, words);
        self.is_unchanged();
    }

    #[track_caller]
    fn is_unchanged(&self) {
        assert_eq!(self.server.get(&self.target).expect(200).text(), self.before);
    }
}

/// The management error envelope (CONTRACT.md §6.1).
#[track_caller]
fn is_problem(response: &Response, status: u16, words: &str) {
    let text = String::from_utf8_lossy(&response.body).into_owned();
    assert_eq!(response.status, status, "{text}");
    assert_eq!(response.header("content-type"), Some("application/json; charset=utf-8"), "{text}");
    let body = response.json();
    assert_eq!(body["statusCode"], status, "{text}");
    assert!(body["error"].is_string(), "{text}");
    let message = body["message"].as_str().unwrap_or_default();
    assert!(message.contains(words), "{words:?} is missing in {message:?}");
}

#[test]
fn what_an_answer_is_need_not_be_guessed() {
    let bench = Bench::start();
    for target in ["/api/v2/users", "/api/v2/nothing", "/nothing", "/livez", "/openapi", "/ui/"] {
        for answer in [bench.server.get(target), bench.server.request("GET", target, &[], None)] {
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{target}");
        }
    }
}

#[test]
fn malformed_json_is_named() {
    let bench = Bench::start();
    let syntax = "Invalid request payload JSON format";
    for body in [
        "",
        "{",
        "}",
        "[",
        "nul",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{'a':1}",
        "{\"a\":1}x",
        "{\"a\":01}",
        "{\"a\":+1}",
        "{\"a\":.5}",
        "{\"a\":1.}",
        "{\"a\":1e}",
        "{\"a\":NaN}",
        "{\"a\":Infinity}",
        "{\"a\":\"\n\"}",
        "{\"a\":\"\\x\"}",
        "{\"a\":\"\\u12\"}",
        "\u{feff}{\"user_metadata\":{}}",
        "{\"a\":1}{\"a\":1}",
        "// {}",
        "{\"a\":\"\t\"}",
    ] {
        bench.refused(body.as_bytes(), 400, syntax);
    }
    for (body, words) in [
        (&b"[]"[..], "Expected type object but found type array"),
        (b"1", "Expected type object but found type"),
        (b"\"text\"", "Expected type object but found type string"),
        (b"null", "Expected type object but found type null"),
        (b"true", "Expected type object but found type boolean"),
    ] {
        bench.refused(body, 400, words);
    }
}

#[test]
fn bytes_that_are_no_utf8_are_refused() {
    let bench = Bench::start();
    for bad in [&b"\xff"[..], b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82"] {
        let mut body = br#"{"user_metadata":{"x":""#.to_vec();
        body.extend_from_slice(bad);
        body.extend_from_slice(br#""}}"#);
        bench.refused(&body, 400, "UTF-8");
    }
}

#[test]
fn a_key_that_is_there_twice_is_named_at_any_depth() {
    let bench = Bench::start();
    for body in [
        r#"{"user_metadata":{"role":1,"role":2}}"#,
        r#"{"user_metadata":{"a":{"role":1,"b":2,"role":3}}}"#,
        r#"{"user_metadata":{"a":[[{"role":1,"role":1}]]}}"#,
        r#"{"user_metadata":{"role":1,"\u0072ole":2}}"#,
    ] {
        bench.refused(body.as_bytes(), 400, "role");
    }
    bench.refused(br#"{"user_metadata":{},"user_metadata":{"x":1}}"#, 400, "user_metadata");
}

#[test]
fn half_of_a_surrogate_pair_is_refused() {
    let bench = Bench::start();
    for bad in [r"\ud800", r"\udc00", r"\ud83dx", r"\ud83d\u0041", r"\udc00\ud800"] {
        bench.refused(format!(r#"{{"user_metadata":{{"x":"{bad}"}}}}"#).as_bytes(), 400, "");
        bench.refused(format!(r#"{{"user_metadata":{{"{bad}":1}}}}"#).as_bytes(), 400, "");
    }
    let whole = bench.patch(br#"{"user_metadata":{"x":"\ud83d\ude00"}}"#).expect(200);
    assert_eq!(whole.json()["user_metadata"]["x"], "\u{1f600}");
}

#[test]
fn nesting_beyond_the_limit_is_refused_and_named() {
    let bench = Bench::start();
    let nested = |levels: usize, open: &str, close: &str| {
        let inner = format!("{}1{}", open.repeat(levels), close.repeat(levels));
        format!(r#"{{"user_metadata":{{"x":{inner}}}}}"#)
    };
    for levels in [64, 100, 127, 128, 1000, 100_000] {
        bench.refused(nested(levels, "[", "]").as_bytes(), 400, "deep");
        bench.refused(nested(levels.min(10_000), "{\"y\":", "}").as_bytes(), 400, "deep");
    }
    bench.refused("[".repeat(1_000_000).as_bytes(), 400, "");
    // The bag itself is the first level.
    bench.patch(nested(63, "[", "]").as_bytes()).expect(200);
    bench.patch(nested(63, "{\"y\":", "}").as_bytes()).expect(200);
}

#[test]
fn numbers_are_kept_as_text_or_refused_but_never_changed() {
    let bench = Bench::start();
    for number in [
        "9007199254740993",
        "18446744073709551616",
        "123456789012345678901234567890123456789",
        "1e3",
        "1.0",
        "-0",
        "-0.0",
        "1E+2",
        "0.1000",
        "1626175065.5934923",
        "5e-324",
    ] {
        let body = format!(r#"{{"user_metadata":{{"n":{number}}}}}"#);
        let answer = bench.patch(body.as_bytes());
        let kept = format!(r#""n":{number}"#);
        let text = answer.expect(200).text().to_owned();
        assert!(
            text.contains(&format!("{kept}}}")) || text.contains(&format!("{kept},")),
            "{text}"
        );
        let read = bench.server.get(&bench.target).expect(200);
        assert!(read.text().contains(&kept), "{}", read.text());
    }
    for number in ["1e400", "-1e400", "1e99999999999999999999"] {
        let body = format!(r#"{{"user_metadata":{{"n":{number}}}}}"#);
        let answer = bench.patch(body.as_bytes());
        assert!(answer.status == 200 || answer.status == 400, "{answer:?}");
        if answer.status == 200 {
            let read = bench.server.get(&bench.target).expect(200);
            assert!(read.text().contains(&format!(r#""n":{number}"#)), "{}", read.text());
        }
    }
}

#[test]
fn keys_with_nul_dots_or_dollars_are_refused_and_others_kept() {
    let bench = Bench::start();
    for key in [r"\u0000", r"a\u0000b", "a.b", "$set", "a$b"] {
        bench.refused(format!(r#"{{"user_metadata":{{"{key}":1}}}}"#).as_bytes(), 400, "");
        bench.refused(format!(r#"{{"app_metadata":{{"{key}":1}}}}"#).as_bytes(), 400, "");
    }
    for key in ["my:key", "a b", "ключ", "\u{1f600}", "__proto__", "constructor", "a/b", "%41"]
    {
        let body = format!(r#"{{"user_metadata":{{"{key}":1}}}}"#);
        let answer = bench.patch(body.as_bytes()).expect(200);
        assert!(answer.text().contains(&format!(r#""{key}":1"#)), "{}", answer.text());
    }
}

#[test]
fn one_bad_bag_leaves_the_good_one_unapplied() {
    let bench = Bench::start();
    for body in [
        r#"{"user_metadata":{"new":1},"app_metadata":{"user_id":"x"}}"#,
        r#"{"user_metadata":{"new":1},"app_metadata":null}"#,
        r#"{"user_metadata":{"new":1},"app_metadata":[]}"#,
        r#"{"app_metadata":{"new":1},"user_metadata":{"a.b":1}}"#,
        r#"{"app_metadata":{"new":1},"user_metadata":"text"}"#,
        r#"{"user_metadata":{"new":1},"email":"not an address"}"#,
        r#"{"user_metadata":{"new":1},"blocked":"yes"}"#,
        r#"{"user_metadata":{"new":1},"unknown_attribute":1}"#,
        r#"{"nickname":"new","app_metadata":{"email":"x"}}"#,
    ] {
        bench.refused(body.as_bytes(), 400, "Payload validation error");
    }
}

#[test]
fn a_body_over_the_limit_is_413_however_it_comes() {
    let bench = Bench::start();
    let words = "Payload content length greater than maximum allowed: 1048576";
    let body = format!(r#"{{"user_metadata":{{"x":"{}"}}}}"#, "x".repeat(MIB));
    let auth = [("Authorization", bench.server.admin()), JSON];

    // Only announced: the answer must not wait for what never comes.
    let mut announced = bench.server.connect();
    let head = [auth[0], JSON, ("Content-Length", "1048577")];
    announced.head("PATCH", &bench.target, &head).unwrap();
    bench.is_refusal(&announced.answer(false).unwrap(), 413, words);

    let mut chunked = bench.server.connect();
    chunked
        .head("PATCH", &bench.target, &[auth[0], JSON, ("Transfer-Encoding", "chunked")])
        .unwrap();
    let answer = stubborn(&mut chunked, body.as_bytes());
    bench.is_refusal(&answer, 413, words);

    // Whoever sends everything before reading gets to know as well.
    let headers = [auth[0], JSON];
    let eager = bench.server.request("PATCH", &bench.target, &headers, Some(body.as_bytes()));
    bench.is_refusal(&eager, 413, words);

    let fits = |bytes: usize| format!(r#"{{"user_metadata":{{"x":"{}"}}}}"#, "x".repeat(bytes));
    let around = fits(0).len();
    let whole = bench.patch(fits(MIB - around).as_bytes());
    assert!(whole.status == 200 || whole.status == 400, "{}", whole.status);
}

/// Sends a chunked body to a server that may stop listening, and reads its answer.
fn stubborn(connection: &mut Connection, body: &[u8]) -> Response {
    let sent: io::Result<()> = body
        .chunks(64 * 1024)
        .try_for_each(|piece| connection.chunk(piece))
        .and_then(|()| connection.raw(b"0\r\n\r\n"));
    let answer = connection.answer(false);
    answer.unwrap_or_else(|error| panic!("no answer ({error}) after sending: {sent:?}"))
}

#[test]
fn other_content_types_are_415() {
    let bench = Bench::start();
    for kind in ["text/plain", "text/json", "xapplication/json", "application/xml", "json", ""] {
        let headers = [("Authorization", bench.server.admin()), ("Content-Type", kind)];
        let body = br#"{"user_metadata":{"new":1}}"#;
        let answer = bench.server.request("PATCH", &bench.target, &headers, Some(body));
        bench.is_refusal(&answer, 415, "Unsupported Media Type");
    }
    for kind in ["application/json", "Application/JSON", "application/json; charset=utf-8"] {
        let headers = [("Authorization", bench.server.admin()), ("Content-Type", kind)];
        let answer = bench.server.request(
            "PATCH",
            &bench.target,
            &headers,
            Some(br#"{"user_metadata":{"a":1}}"#),
        );
        answer.expect(200);
    }
}

#[test]
fn malformed_paths_and_queries_are_4xx() {
    let bench = Bench::start();
    for target in [
        "/api/v2/users/%ff",
        "/api/v2/users/%",
        "/api/v2/users/%zz",
        "/api/v2/users/%00",
        "/api/v2/users/auth0%7c%C3",
        "/api/v2/users/a%2",
        "/api/v2/users/%2e%2e%2f",
        "/api/v2/users/",
        "/api/v2/../v2/users",
        "/api/v2/users?per_page=-1",
        "/api/v2/users?per_page=x",
        "/api/v2/users?per_page=99999999999999999999",
        "/api/v2/users?page=-1",
        "/api/v2/users?page=1e3",
        "/api/v2/users?include_totals=maybe",
        "/api/v2/users?page=%ff",
        "/api/v2/users?sort=email",
        "/api/v2/users?q=%28%28%28",
        "/api/v2/users?q=%22",
        "/api/v2/users-by-email",
        "/api/v2/clients?per_page=101",
        "/api/v2/clients/%ff",
        "/api/v2/users;x=1",
    ] {
        let answer = bench.server.get(target);
        assert!((400..500).contains(&answer.status), "{target} is {}", answer.status);
        is_problem(&answer, answer.status, "");
    }
    bench.is_unchanged();
}

#[test]
fn an_address_over_8_kib_is_414() {
    let bench = Bench::start();
    for target in [
        format!("/api/v2/users/{}", "a".repeat(9 * 1024)),
        format!("/api/v2/users?q={}", "a".repeat(9 * 1024)),
    ] {
        is_problem(&bench.server.get(&target), 414, "");
    }
}

#[test]
fn broken_credentials_are_400_or_401_and_say_nothing_of_users() {
    let bench = Bench::start();
    let format = "Bad HTTP authentication header format";
    let valid = bench.server.admin().to_owned();
    let ask = |values: &[&str]| {
        let headers: Vec<(&str, &str)> =
            values.iter().map(|value| ("Authorization", *value)).collect();
        bench.server.request("GET", &bench.target, &headers, None)
    };
    is_problem(&ask(&[]), 401, "Missing authentication");
    is_problem(&ask(&["Basic YTpi"]), 401, "Missing authentication");
    for bad in
        ["Bearer", "Bearer x", "Bearer a.b", "Bearer a.b.c.d", "Bearer  ", "Bearer a b c", "x"]
    {
        is_problem(&ask(&[bad]), 400, format);
    }
    is_problem(&ask(&[&valid, &valid]), 400, format);
    is_problem(&ask(&["Bearer a.b.c"]), 401, "");
    let (start, _) = valid.rsplit_once('.').unwrap();
    is_problem(&ask(&[&format!("{start}.")]), 401, "Invalid signature");
    is_problem(&ask(&[&format!("{start}.AAAA")]), 401, "Invalid signature");
    is_problem(&ask(&[&format!("Bearer {}.b.c", "a".repeat(6000))]), 401, "");
    ask(&[&valid]).expect(200);
}

#[test]
fn garbage_instead_of_http_is_answered_or_closed_and_the_server_goes_on() {
    let bench = Bench::start();
    let long_header = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    let many_headers = format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(5000));
    let host = bench.server.address();
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"hello\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        b"G\xffT / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost a\r\n\r\n",
        b"GET / HTTP/1.1\r\n: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: \x00\r\n\r\n",
        b"POST /api/v2/users HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/v2/users HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /api/v2/users HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST /api/v2/users HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n",
        b"POST /api/v2/users HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        long_header.as_bytes(),
        many_headers.as_bytes(),
        b"\x00\x00\x00\x00",
    ] {
        let mut connection = Connection::open(host).unwrap();
        // The server may close before all is sent.
        if connection.raw(bytes).is_ok()
            && let Ok(answer) = connection.answer(false)
        {
            assert!((400..500).contains(&answer.status), "{} for {bytes:?}", answer.status);
        }
        bench.is_unchanged();
    }
}

#[test]
fn a_request_that_breaks_off_changes_nothing() {
    let bench = Bench::start();
    let head = |length: &str| {
        let authorization = bench.server.admin();
        format!(
            "PATCH {} HTTP/1.1\r\nHost: {}\r\nAuthorization: {authorization}\r\nContent-Type: application/json\r\n{length}\r\n\r\n",
            bench.target,
            bench.server.address()
        )
    };
    let body = r#"{"user_metadata":{"new":1}}"#;
    let whole = head(&format!("Content-Length: {}", body.len() + 1)) + body;
    let chunked = head("Transfer-Encoding: chunked") + &format!("{:x}\r\n{body}\r\n", body.len());
    for text in [whole, chunked] {
        for bytes in [text.len(), text.len() - 1, text.len() - body.len(), text.len() / 2, 1] {
            let mut stream = std::net::TcpStream::connect(bench.server.address()).unwrap();
            io::Write::write_all(&mut stream, &text.as_bytes()[..bytes]).unwrap();
            stream.shutdown(Shutdown::Both).unwrap();
        }
    }
    bench.is_unchanged();
}

#[test]
fn what_every_dialect_says_to_a_bad_body_is_a_body() {
    let bench = Bench::start();
    for (method, target) in [
        ("POST", "/api/v2/users"),
        ("POST", "/api/v2/clients"),
        ("PATCH", "/api/v2/clients/none"),
        ("POST", "/oauth/token"),
        ("PUT", "/api/user/jane@example.com/metadata"),
        ("PUT", "/api/user/jane@example.com/metadata/theme"),
        ("POST", "/api/users"),
        ("PATCH", "/api/users/none/metadata"),
    ] {
        for body in [&b"{"[..], b"\xff\xfe", b"[1]", br#"{"a":1,"a":2}"#] {
            let headers = [("Authorization", bench.server.admin()), JSON];
            let answer = bench.server.request(method, target, &headers, Some(body));
            assert!((400..500).contains(&answer.status), "{method} {target}: {}", answer.status);
            assert!(answer.json().is_object());
        }
    }
    bench.is_unchanged();
}

/// JSON that is about right: known names, odd values.
fn body() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,20}".prop_map(Value::from),
        "[a-z]{1,8}@[a-z]{1,8}\\.com".prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,8}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    let name = prop::sample::select(vec![
        "email",
        "connection",
        "password",
        "user_metadata",
        "app_metadata",
        "client_metadata",
        "name",
        "blocked",
        "user_id",
        "username",
        "phone_number",
        "picture",
        "value",
        "profileClaim",
        "metadata",
        "key",
        "callbacks",
        "jwt_configuration",
        "given_name",
        "email_verified",
        "verify_email",
        "grant_types",
        "",
    ]);
    prop::collection::btree_map(name, value, 0..6).prop_map(|members| {
        members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    })
}

#[test]
fn no_random_body_is_ever_answered_with_5xx() {
    let bench = Bench::start();
    let client = bench.server.json("POST", "/api/v2/clients", r#"{"name":"x"}"#).expect(201).json();
    let client = format!("/api/v2/clients/{}", client["client_id"].as_str().unwrap());
    let id = bench.target.rsplit_once('/').unwrap().1;
    let entries = format!("/api/user/{id}/metadata");
    let entry = format!("{entries}/theme");
    let v1 = format!("/api/users/{id}/metadata");
    let targets = [
        ("POST", "/api/v2/users"),
        ("PATCH", bench.target.as_str()),
        ("POST", "/api/v2/clients"),
        ("PATCH", client.as_str()),
        ("PUT", entries.as_str()),
        ("PUT", entry.as_str()),
        ("PUT", v1.as_str()),
        ("PATCH", v1.as_str()),
        ("POST", "/oauth/token"),
    ];
    let authorization = bench.server.admin().to_owned();
    let runs =
        ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(runs, |(body in body(), at in 0..targets.len())| {
        let (method, target) = targets[at];
        let headers = [("Authorization", authorization.as_str()), JSON];
        let body = body.to_string();
        let answer = bench.server.request(method, target, &headers, Some(body.as_bytes()));
        prop_assert!(answer.status < 500, "{} {}: {:?}", method, target, answer);
    });
    bench.server.get("/livez").expect(200);
}

#[test]
fn whoever_is_unclear_about_a_rehearsal_finds_nothing_done() {
    let bench = Bench::start();
    let headers = [("Authorization", bench.server.admin()), JSON];
    for query in [
        "dry_run=false&dry_run=true",
        "dry_run=true&dry_run=false",
        "dry_run=true&dry_run=true",
        "dry_run=",
        "dry_run",
        "dry_run=TRUE",
        "dry%5Frun=&dry_run=true",
    ] {
        let target = format!("{}?{query}", bench.target);
        let body = br#"{"user_metadata":{"done":true}}"#;
        let answer = bench.server.request("PATCH", &target, &headers, Some(body));
        bench.is_refusal(&answer, 400, "dry_run");
    }
}

#[test]
fn entries_with_nul_in_their_key_are_refused() {
    let bench = Bench::start();
    let headers = [("Authorization", bench.server.admin()), JSON];
    let user = bench.target.replace("/api/v2/users/", "/api/user/");
    for (target, body) in [
        (format!("{user}/metadata/a%00b"), r#"{"value":"v"}"#),
        (format!("{user}/metadata"), r#"{"metadata":[{"key":"a\u0000b","value":"v"}]}"#),
    ] {
        let answer = bench.server.request("PUT", &target, &headers, Some(body.as_bytes()));
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert!(answer.text().contains("NUL"), "{}", answer.text());
    }
    bench.is_unchanged();
}

/// Numbers at the ends of what a machine counts with.
const EDGES: &[&str] = &[
    "0",
    "-1",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999999",
    "1e400",
];

#[test]
fn numbers_at_the_edge_break_nothing() {
    let bench = Bench::start();
    let client = bench.server.json("POST", "/api/v2/clients", r#"{"name":"x"}"#).expect(201).json();
    let client = client["client_id"].as_str().unwrap().to_owned();
    let id = bench.target.rsplit_once('/').unwrap().1;
    let own = format!("/dossier/v1/users/{id}");
    let is_fine = |what: &str, answer: &Response| {
        let is_known = answer.status < 500;
        assert!(is_known, "{what}: {} {:?}", answer.status, String::from_utf8_lossy(&answer.body));
    };
    for edge in EDGES {
        for target in [
            format!("/api/v2/users?page={edge}"),
            format!("/api/v2/users?per_page={edge}&page={edge}"),
            format!("/api/v2/clients?page={edge}&include_totals=true"),
            format!("/api/v2/clients?take={edge}"),
            format!("/api/v2/users/{id}/logs?page={edge}"),
            format!("/api/users?per_page={edge}&page={edge}"),
            format!("{own}?as_of={edge}"),
            format!("{own}/history?cursor=o{edge}"),
            format!("{own}/history?cursor=n{edge}"),
            format!("{own}/history?limit={edge}"),
            format!("{own}/diff?from={edge}&to={edge}"),
            format!("/dossier/v1/history?cursor=o{edge}"),
            format!("/dossier/v1/history?limit={edge}"),
            format!("/dossier/v1/requests?after={edge}"),
            format!("/api/v2/users?q=logins_count:[{edge}%20TO%20{edge}]"),
            format!("/api/v2/users?q=user_metadata.a:{edge}"),
        ] {
            is_fine(&target, &bench.server.get(&target));
        }
        let future = format!("/api/v2/events?from={edge}.{edge}");
        is_fine(&future, &bench.server.get(&future));
        for (name, value) in [
            ("If-Match", format!("\"{edge}\"")),
            ("If-None-Match", format!("\"{edge}\"")),
            ("Range", format!("bytes={edge}-{edge}")),
        ] {
            let headers = [("Authorization", bench.server.admin()), (name, value.as_str())];
            is_fine(name, &bench.server.request("GET", &bench.target, &headers, None));
        }
        for (method, target, body) in [
            ("POST", format!("{own}/revert?dry_run=true"), format!(r#"{{"to":{edge}}}"#)),
            (
                "POST",
                "/dossier/v1/tenants/default/fork?dry_run=true".to_owned(),
                format!(r#"{{"id":"f","as_of":{edge}}}"#),
            ),
            (
                "POST",
                "/api/v2/tickets/email-verification".to_owned(),
                format!(r#"{{"user_id":"{id}","ttl_sec":{edge}}}"#),
            ),
            (
                "POST",
                "/dossier/v1/tokens".to_owned(),
                format!(r#"{{"client_id":"{client}","scopes":[],"ttl":{edge}}}"#),
            ),
            ("POST", "/dossier/v1/login-links".to_owned(), format!(r#"{{"ttl":{edge}}}"#)),
            (
                "POST",
                "/api/v2/resource-servers".to_owned(),
                format!(r#"{{"identifier":"urn:{edge}","token_lifetime":{edge}}}"#),
            ),
            (
                "PATCH",
                "/api/v2/tenants/settings".to_owned(),
                format!(r#"{{"session_lifetime":{edge},"idle_session_lifetime":{edge}}}"#),
            ),
            ("POST", "/api/v2/jobs/users-exports".to_owned(), format!(r#"{{"limit":{edge}}}"#)),
            (
                "POST",
                format!("/api/v2/clients/{client}/credentials"),
                format!(
                    r#"{{"credential_type":"public_key","pem":"{edge}","expires_at":"{edge}"}}"#
                ),
            ),
        ] {
            is_fine(&format!("{target} {body}"), &bench.server.json(method, &target, &body));
        }
        let ops = [
            ("Authorization", bench.server.admin()),
            ("Content-Type", "application/vnd.dossier.ops+json"),
        ];
        for body in [
            format!(r#"{{"user_metadata":{{"inc":{{"n":{edge}}}}}}}"#),
            format!(r#"{{"user_metadata":{{"max":{{"n":{edge}}}}}}}"#),
            r#"{"user_metadata":{"set_if_absent":{"t":1},"expire_at":{"t":"9999-12-31T23:59:59.999Z"}}}"#.to_owned(),
            r#"{"user_metadata":{"expire_at":{"t":"+292278994-08-17T07:12:55.807Z"}}}"#.to_owned(),
        ] {
            let target = format!("{}?dry_run=true", bench.target);
            is_fine(&body, &bench.server.request("PATCH", &target, &ops, Some(body.as_bytes())));
        }
    }
    bench.is_unchanged();
    bench.server.get("/livez").expect(200);
}
