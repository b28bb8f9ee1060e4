//! The feed of events: everything, once, in order, for whoever comes back with a position.

use super::{USER, make};
use crate::harness::Server;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

/// One message of a stream.
#[derive(Clone, Debug)]
struct Message {
    id: String,
    event: String,
    data: Value,
}

/// An open stream.
struct Stream(BufReader<TcpStream>);

impl Stream {
    fn open(server: &Server, query: &str, last_seen: Option<&str>) -> Self {
        let mut socket = TcpStream::connect(server.address()).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let last_seen = last_seen.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        write!(
            socket,
            "GET /api/v2/events{query} HTTP/1.1\r\nHost: {}\r\nAuthorization: {}\r\n{last_seen}\r\n",
            server.address(),
            server.admin()
        )
        .unwrap();
        let mut stream = Self(BufReader::new(socket));
        let head = stream.line();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        while stream.line() != ":connected" {}
        stream
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream ended");
        line.trim_end().to_owned()
    }

    /// The next message; sizes of chunks lie between the lines and are passed over.
    fn next(&mut self) -> Message {
        let (mut id, mut event) = (String::new(), String::new());
        loop {
            let line = self.line();
            if let Some(text) = line.strip_prefix("id: ") {
                text.clone_into(&mut id);
            } else if let Some(text) = line.strip_prefix("event: ") {
                text.clone_into(&mut event);
            } else if let Some(text) = line.strip_prefix("data: ") {
                let data: Value = serde_json::from_str(text).unwrap();
                return Message { id, event, data };
            }
        }
    }

    /// The next message that is an event.
    fn event(&mut self) -> Message {
        loop {
            let message = self.next();
            if message.event != "offset-only" {
                return message;
            }
        }
    }
}

#[test]
fn an_event_has_the_shape_of_auth0s() {
    let server = Server::start();
    let mut stream = Stream::open(&server, "", None);
    let id = make(&server, "jane@example.com");
    let body = r#"{"user_metadata":{"n":1}}"#;
    let changed = server.json("PATCH", &format!("{USER}/{id}"), body).expect(200);
    let deleted = server.json("DELETE", &format!("{USER}/{id}"), "").expect(204);
    let made = stream.event();
    assert_eq!(made.event, "user.created");
    assert_eq!(made.data["offset"], json!(made.id));
    let cloud = &made.data["event"];
    assert_eq!(cloud["specversion"], "1.0");
    assert_eq!(cloud["type"], "user.created");
    assert_eq!(cloud["a0tenant"], "default");
    assert!(cloud["source"].as_str().unwrap().starts_with("urn:auth0:default."));
    assert!(cloud["id"].as_str().unwrap().starts_with("evt_"));
    assert!(cloud["a0stream"].as_str().unwrap().starts_with("est_"));
    assert_eq!(cloud["data"]["object"]["email"], "jane@example.com");
    assert_eq!(cloud["data"]["object"]["created_at"], cloud["time"]);
    let updated = stream.event();
    assert_eq!(updated.event, "user.updated");
    assert_eq!(Some(updated.id.as_str()), changed.header("dossier-version"));
    assert_eq!(updated.data["event"]["data"]["object"], changed.json());
    let previous = &updated.data["event"]["data"]["previous_object"];
    assert_eq!(previous, &cloud["data"]["object"]);
    let gone = stream.event();
    assert_eq!(gone.event, "user.deleted");
    assert_eq!(Some(gone.id.as_str()), deleted.header("dossier-version"));
    assert_eq!(gone.data["event"]["data"]["object"]["deleted_at"], gone.data["event"]["time"]);
}

#[test]
fn only_what_was_asked_for_comes_and_positions_go_on_without_it() {
    let server = Server::start();
    let mut stream = Stream::open(&server, "?event_type=user.deleted", None);
    let id = make(&server, "jane@example.com");
    let first = stream.next();
    assert_eq!(first.event, "offset-only");
    assert_eq!(first.data["offset"], json!(first.id));
    server.json("DELETE", &format!("{USER}/{id}"), "").expect(204);
    assert_eq!(stream.event().event, "user.deleted");
    let mut again = Stream::open(&server, &format!("?from={}", first.id), None);
    assert_eq!(again.event().event, "user.deleted");
    let ask = |query: &str| server.get(&format!("/api/v2/events{query}"));
    ask("?event_type=user.renamed").expect(400);
    ask("?from=nonsense").expect(400);
    ask("?from_timestamp=yesterday").expect(400);
    let gone = ask("?from=999999").expect(410).json();
    assert_eq!(gone["errorCode"], "cursor_expired");
}

#[test]
fn two_users_of_one_change_are_two_events_with_a_place_between_them() {
    let server = Server::start();
    let (one, two) = (make(&server, "one@example.com"), make(&server, "two@example.com"));
    let mut stream = Stream::open(&server, "", None);
    let body = json!({"provider": "auth0", "user_id": two.replace("%7C", "|")}).to_string();
    server.json("POST", &format!("{USER}/{one}/identities"), &body).expect(201);
    let (first, second) = (stream.event(), stream.event());
    assert_eq!(first.id, format!("{}.1", second.id));
    assert_ne!(first.event, second.event);
    let mut between = Stream::open(&server, "", Some(&first.id));
    assert_eq!(between.event().data, second.data);
}
