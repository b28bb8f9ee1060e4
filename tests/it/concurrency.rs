//! Many at once: every change is one turn of the tenant, so none is lost.

use crate::harness::{Connection, Server};
use serde_json::{Map, Value};
use std::sync::atomic::{AtomicUsize, Ordering};

mod counters;

const JSON: (&str, &str) = ("Content-Type", "application/json");

fn create(server: &Server, number: usize) -> String {
    let body = format!(r#"{{"email":"user{number}@example.com"}}"#);
    let created = server.json("POST", "/api/v2/users", &body).expect(201).json();
    created["user_id"].as_str().unwrap().to_owned()
}

fn user_metadata(server: &Server, id: &str) -> Map<String, Value> {
    let user = server.get(&format!("/api/v2/users/{id}")).expect(200).json();
    user["user_metadata"].as_object().unwrap().clone()
}

/// All requests are open at the same time and send their bodies in turns, a few bytes each:
/// a server that reads the user before the body has arrived forgets most of them.
#[test]
fn two_hundred_slow_overlapping_patches_of_one_user_are_all_merged() {
    const PATCHES: usize = 200;
    let server = Server::start();
    let id = create(&server, 0);
    let target = format!("/api/v2/users/{id}");
    let headers = [("Authorization", server.admin()), JSON, ("Transfer-Encoding", "chunked")];
    let mut open: Vec<(Connection, Vec<u8>)> = (0..PATCHES)
        .map(|number| {
            let mut connection = server.connect();
            connection.head("PATCH", &target, &headers).unwrap();
            (connection, format!(r#"{{"user_metadata":{{"key{number}":{number}}}}}"#).into_bytes())
        })
        .collect();
    let longest = open.iter().map(|(_, body)| body.len()).max().unwrap();
    for start in (0..longest).step_by(7) {
        for (connection, body) in &mut open {
            let end = body.len().min(start + 7);
            if start < end {
                connection.chunk(&body[start..end]).unwrap();
            }
        }
    }
    for (connection, _) in &mut open {
        connection.raw(b"0\r\n\r\n").unwrap();
    }
    let mut versions: Vec<u64> = open
        .iter_mut()
        .map(|(connection, _)| connection.answer(false).unwrap().expect(200).number("etag"))
        .collect();
    versions.sort_unstable();
    versions.dedup();
    assert_eq!(versions.len(), PATCHES, "every change has a version of its own");
    let metadata = user_metadata(&server, &id);
    assert_eq!(metadata.len(), PATCHES);
    for number in 0..PATCHES {
        assert_eq!(metadata[&format!("key{number}")], number);
    }
}

#[test]
fn two_hundred_patches_of_ten_users_from_thirty_two_threads_are_all_merged() {
    const PATCHES: usize = 200;
    let server = Server::start();
    let ids: Vec<String> = (0..10).map(|number| create(&server, number)).collect();
    let next = AtomicUsize::new(0);
    let (authorization, server_ref) = (server.admin().to_owned(), &server);
    std::thread::scope(|threads| {
        for _ in 0..32 {
            threads.spawn(|| {
                let mut connection = server_ref.connect();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= PATCHES {
                        return;
                    }
                    let target = format!("/api/v2/users/{}", ids[number % ids.len()]);
                    let body = format!(r#"{{"user_metadata":{{"key{number}":{number}}}}}"#);
                    let headers = [("Authorization", authorization.as_str()), JSON];
                    let answer =
                        connection.send("PATCH", &target, &headers, Some(body.as_bytes())).unwrap();
                    let answer = answer.expect(200).json();
                    // Whoever is answered sees the own change in the answer.
                    assert_eq!(answer["user_metadata"][format!("key{number}")], number);
                }
            });
        }
    });
    for (at, id) in ids.iter().enumerate() {
        let metadata = user_metadata(&server, id);
        assert_eq!(metadata.len(), PATCHES / ids.len());
        for number in (at..PATCHES).step_by(ids.len()) {
            assert_eq!(metadata[&format!("key{number}")], number);
        }
    }
}

#[test]
fn of_writers_with_the_same_if_match_exactly_one_wins() {
    const WRITERS: usize = 16;
    let server = Server::start();
    let id = create(&server, 0);
    let target = format!("/api/v2/users/{id}");
    let etag = server.get(&target).expect(200).header("etag").unwrap().to_owned();
    let authorization = server.admin().to_owned();
    let statuses: Vec<u16> = std::thread::scope(|threads| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|number| {
                let (target, etag, authorization, server) =
                    (&target, &etag, &authorization, &server);
                threads.spawn(move || {
                    let headers =
                        [("Authorization", authorization.as_str()), JSON, ("If-Match", etag)];
                    let body = format!(r#"{{"user_metadata":{{"key{number}":1}}}}"#);
                    server.request("PATCH", target, &headers, Some(body.as_bytes())).status
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|&&status| status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|&&status| status == 412).count(), WRITERS - 1);
    assert_eq!(user_metadata(&server, &id).len(), 1);
}

#[test]
fn of_many_who_create_the_same_address_exactly_one_succeeds() {
    let server = Server::start();
    let authorization = server.admin().to_owned();
    let statuses: Vec<u16> = std::thread::scope(|threads| {
        let callers: Vec<_> = (0..16)
            .map(|_| {
                let headers = [("Authorization", authorization.as_str()), JSON];
                let server = &server;
                threads.spawn(move || {
                    let body = br#"{"email":"one@example.com"}"#;
                    server.request("POST", "/api/v2/users", &headers, Some(body)).status
                })
            })
            .collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|&&status| status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|&&status| status == 409).count(), 15);
}

/// Reading, adding and writing back would lose most of them.
#[test]
fn counts_of_many_clients_add_up_exactly() {
    const CLIENTS: usize = 16;
    const EACH: usize = 25;
    let server = Server::start();
    let id = create(&server, 0);
    let target = format!("/api/v2/users/{id}");
    // Beyond 2^53, where a float cannot count by one any more.
    let start = 9_007_199_254_740_993_u64;
    server.json("PATCH", &target, &format!(r#"{{"app_metadata":{{"n":{start}}}}}"#)).expect(200);
    let ops = ("Content-Type", "application/vnd.dossier.ops+json");
    let json_patch = ("Content-Type", "application/json-patch+json");
    let (authorization, server_ref) = (server.admin().to_owned(), &server);
    std::thread::scope(|threads| {
        for client in 0..CLIENTS {
            let (target, authorization) = (&target, authorization.as_str());
            threads.spawn(move || {
                let mut connection = server_ref.connect();
                for number in 0..EACH {
                    let body = format!(
                        r#"{{"app_metadata":{{"inc":{{"n":1}},"append":{{"log":"{client}-{number}"}},"add_to_set":{{"clients":{client}}}}}}}"#
                    );
                    let headers = [("Authorization", authorization), ops];
                    let answer =
                        connection.send("PATCH", target, &headers, Some(body.as_bytes())).unwrap();
                    answer.expect(200);
                }
            });
        }
    });
    let user = server.get(&target).expect(200).json();
    let bag = &user["app_metadata"];
    let sum = start + u64::try_from(CLIENTS * EACH).unwrap();
    assert_eq!(bag["n"].as_u64(), Some(sum));
    assert_eq!(bag["log"].as_array().unwrap().len(), CLIENTS * EACH);
    assert_eq!(bag["clients"].as_array().unwrap().len(), CLIENTS);
    // Of many who test and set, one wins.
    let statuses: Vec<u16> = std::thread::scope(|threads| {
        let writers: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let (target, authorization) = (&target, authorization.as_str());
                threads.spawn(move || {
                    let path = "/app_metadata/n";
                    let body = format!(
                        r#"[{{"op":"test","path":"{path}","value":{sum}}},{{"op":"replace","path":"{path}","value":{client}}}]"#
                    );
                    let headers = [("Authorization", authorization), json_patch];
                    server_ref.request("PATCH", target, &headers, Some(body.as_bytes())).status
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|&&status| status == 200).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|&&status| status == 409).count(), CLIENTS - 1);
}
