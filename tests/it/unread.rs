//! What becomes of a body that nobody reads, because the answer is known before.

use crate::harness::{Connection, Server, until};
use std::io;

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// Method, target, headers, and the status that is known from them.
type Head<'a> = (&'static str, &'static str, Vec<(&'a str, &'a str)>, u16);

/// Requests that can be answered by their head alone.
fn refused(server: &Server) -> Vec<Head<'_>> {
    let admin = ("Authorization", server.admin());
    vec![
        ("POST", "/api/v2/users", vec![JSON], 401),
        ("PATCH", "/api/v2/users/auth0%7Cx", vec![JSON, ("Authorization", "Bearer x.y.z")], 401),
        ("POST", "/api/v2/users", vec![("Content-Type", "text/plain"), admin], 415),
        ("POST", "/nowhere", vec![JSON, admin], 404),
        ("DELETE", "/api/v2/users/auth0%7Cx", vec![JSON, admin], 204),
        ("GET", "/api/v2/users/auth0%7Cx", vec![JSON, admin], 404),
        ("POST", "/api/v2/users?dry_run=maybe", vec![JSON, admin], 400),
        ("OPTIONS", "/api/v2/users", vec![JSON], 204),
    ]
}

fn next_is_answered(connection: &mut Connection) {
    assert_eq!(connection.send("GET", "/livez", &[], None).unwrap().status, 200);
}

#[test]
fn after_a_small_unread_body_the_connection_carries_the_next_request() {
    let server = Server::start();
    let body = vec![b'x'; 60 << 10];
    for (method, target, headers, status) in refused(&server) {
        let mut connection = server.connect();
        for _ in 0..3 {
            let answer = connection.send(method, target, &headers, Some(&body)).unwrap();
            assert_eq!(answer.status, status, "{method} {target}: {answer:?}");
            assert_eq!(answer.header("connection"), None, "{method} {target}");
        }
        let chunked = [headers.as_slice(), &[("Transfer-Encoding", "chunked")]].concat();
        connection.head(method, target, &chunked).unwrap();
        connection.chunk(&body).unwrap();
        connection.raw(b"0\r\n\r\n").unwrap();
        assert_eq!(connection.answer(false).unwrap().status, status, "{method} {target}");
        next_is_answered(&mut connection);
    }
}

#[test]
fn a_large_unread_body_ends_the_connection_after_the_answer() {
    let server = Server::start();
    for (method, target, headers, status) in refused(&server) {
        let mut connection = server.connect();
        let headers = [headers.as_slice(), &[("Content-Length", "104857600")]].concat();
        connection.head(method, target, &headers).unwrap();
        let answer = connection.answer(false).unwrap();
        assert_eq!(answer.status, status, "{method} {target}: {answer:?}");
        assert_eq!(answer.header("connection"), Some("close"), "{method} {target}");
        is_closed(&mut connection);
    }
}

/// Whatever is sent, the server lets go within seconds.
fn is_closed(connection: &mut Connection) {
    until("the connection is closed", || connection.raw(b"0123456789").is_err().then_some(()));
}

#[test]
fn whoever_goes_on_sending_after_the_answer_is_let_go() {
    let server = Server::start();
    let piece = vec![b' '; 64 << 10];
    for (authorization, status) in [(server.admin(), 413), ("Bearer x.y.z", 401)] {
        let mut connection = server.connect();
        let headers = [JSON, ("Authorization", authorization), ("Transfer-Encoding", "chunked")];
        connection.head("POST", "/api/v2/users", &headers).unwrap();
        // More than any body may have; the answer comes all the same.
        let sent: io::Result<()> = (0..20).try_for_each(|_| connection.chunk(&piece));
        let answer = connection.answer(false).unwrap_or_else(|error| panic!("{error}: {sent:?}"));
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("connection"), Some("close"));
        until("the connection is closed", || connection.chunk(b" ").is_err().then_some(()));
    }
}

#[test]
fn a_small_body_that_never_comes_does_not_hold_back_its_refusal() {
    let server = Server::start();
    let mut connection = server.connect();
    let headers = [JSON, ("Content-Length", "10")];
    connection.head("POST", "/api/v2/users", &headers).unwrap();
    assert_eq!(connection.answer(false).unwrap().status, 401);
    is_closed(&mut connection);
}
