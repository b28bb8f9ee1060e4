//! Starting, stopping, being killed, starting again.

use crate::harness::{Bearer, Connection, PATIENCE, Response, Server, Setup, until};
use rustix::process::Signal;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

fn create_jane(server: &Server) -> String {
    let body = r#"{"email":"jane@example.com","user_metadata":{"n":1e3,"big":9007199254740993}}"#;
    let created = server.json("POST", "/api/v2/users", body).expect(201).json();
    created["user_id"].as_str().unwrap().to_owned()
}

#[test]
fn what_was_acknowledged_is_there_after_kill_9() {
    let mut server = Server::start();
    let id = create_jane(&server);
    let before = server.get(&format!("/api/v2/users/{id}")).expect(200);
    server.restart();
    let after = server.get(&format!("/api/v2/users/{id}")).expect(200);
    assert_eq!(after.text(), before.text());
    assert_eq!(after.header("etag"), before.header("etag"));
}

#[test]
fn sigterm_ends_it_with_0_and_a_snapshot_and_nothing_is_lost() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server = Server::start();
        let id = create_jane(&server);
        let before = server.get(&format!("/api/v2/users/{id}")).expect(200);
        let asked = Instant::now();
        assert_eq!(server.end_with(signal).code(), Some(0), "{}", server.log());
        assert!(asked.elapsed() < PATIENCE);
        assert!(server.log().contains("final snapshot done"), "{}", server.log());
        server.restart();
        let after = server.get(&format!("/api/v2/users/{id}")).expect(200);
        assert_eq!(after.text(), before.text());
    }
}

#[test]
fn a_stop_with_nothing_in_flight_does_not_wait_for_the_grace() {
    let mut server = Setup::default().set("server.shutdown_grace=10m").start();
    create_jane(&server);
    assert_eq!(server.end_with(Signal::TERM).code(), Some(0));
}

#[test]
fn who_sends_one_request_after_the_other_is_told_which_answer_is_the_last() {
    let mut server = Server::start();
    let (authorization, address) = (server.admin().to_owned(), server.address().to_owned());
    let answered = AtomicUsize::new(0);
    let (status, told) = std::thread::scope(|threads| {
        let clients: Vec<_> = (0..8)
            .map(|_| {
                threads.spawn(|| {
                    let headers = [("Authorization", authorization.as_str())];
                    let mut connection = Connection::open(&address).unwrap();
                    loop {
                        let Ok(answer) = connection.send("GET", "/api/v2/users", &headers, None)
                        else {
                            return false;
                        };
                        answered.fetch_add(1, Ordering::Relaxed);
                        assert_eq!(answer.status, 200);
                        if answer.header("connection") == Some("close") {
                            return true;
                        }
                    }
                })
            })
            .collect();
        until("a hundred answers", || (answered.load(Ordering::Relaxed) > 100).then_some(()));
        let status = server.end_with(Signal::TERM);
        (
            status,
            clients.into_iter().filter_map(|client| client.join().unwrap().then_some(())).count(),
        )
    });
    assert_eq!(status.code(), Some(0), "{}", server.log());
    // Some may have got no processor in that time.
    assert!(told >= 6, "{told} of 8");
}

#[test]
fn a_hangup_ends_nothing() {
    let mut server = Server::start();
    server.signal(Signal::HUP);
    create_jane(&server);
    assert!(server.is_alive());
}

#[test]
fn two_servers_never_share_a_folder() {
    let server = Server::start();
    let other = server.second_on_same_folder();
    assert_ne!(other.code(), Some(0));
    create_jane(&server);
}

#[test]
fn live_and_ready_are_told_without_a_token() {
    let server = Server::start();
    for path in ["/livez", "/readyz"] {
        server.request("GET", path, &[], None).expect(200);
    }
}

#[test]
fn what_it_keeps_is_for_its_owner_only() {
    let server = Server::start();
    create_jane(&server);
    let mut folders = vec![server.data_dir()];
    while let Some(folder) = folders.pop() {
        assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                folders.push(entry.path());
                continue;
            }
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            let is_public = entry.file_name() == "ca.pem" || entry.file_name() == "leaf.pem";
            assert!(mode == 0o600 || is_public, "{} is {mode:o}", entry.path().display());
        }
    }
}

/// Asks over HTTPS, trusting nothing but the CA the server made.
fn ask_securely(server: &Server, target: &str, authorization: &str) -> Response {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&server.ca).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let host = server.https.strip_prefix("https://").unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let tls = ClientConnection::new(Arc::new(config), name).unwrap();
    let port = host.rsplit_once(':').unwrap().1;
    let stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    let mut connection = Connection::over(Box::new(StreamOwned::new(tls, stream)), host);
    connection.send("GET", target, &[("Authorization", authorization)], None).unwrap()
}

#[test]
fn https_is_trusted_with_the_development_ca_and_takes_tokens_of_its_own_name() {
    let server = Server::start();
    let id = create_jane(&server);
    let own = Bearer {
        issuer: Some(format!("{}/", server.https)),
        audience: Some(format!("{}/api/v2/", server.https)),
        ..Bearer::with(&["read:users"])
    };
    let authorization = format!("Bearer {}", server.token(&own));
    let response = ask_securely(&server, &format!("/api/v2/users/{id}"), &authorization);
    assert_eq!(response.expect(200).json()["email"], "jane@example.com");
}
