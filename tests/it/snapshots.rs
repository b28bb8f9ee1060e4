//! The snapshot files over the API: listed, verified and downloaded, by who may.

use crate::harness::{Bearer, Connection, Response, Server, Setup, program};
use serde_json::{Value, json};
use std::fs;
use std::io::Write as _;

const SNAPSHOTS: &str = "/dossier/v1/snapshots";

fn work(server: &Server, number: u64) {
    let body = format!(
        r#"{{"connection":"Username-Password-Authentication","user_id":"s{number}","email":"s{number}@example.com","user_metadata":{{"note":"{}"}}}}"#,
        "x".repeat(2000)
    );
    server.json("POST", "/api/v2/users", &body).expect(201);
}

/// Takes a snapshot of one more user; its name.
#[track_caller]
fn taken(server: &Server, number: u64) -> String {
    work(server, number);
    let told = server.json("POST", SNAPSHOTS, "").expect(200).json();
    told["snapshots"][0]["file"].as_str().unwrap().to_owned()
}

#[track_caller]
fn listed(server: &Server) -> Value {
    server.get(SNAPSHOTS).expect(200).json()
}

fn with(server: &Server, scopes: &[&str], method: &str, target: &str) -> Response {
    let bearer = format!("Bearer {}", server.token(&Bearer::with(scopes)));
    server.request(method, target, &[("Authorization", &bearer)], None)
}

#[test]
fn the_files_on_disk_are_listed_youngest_first_with_what_is_known_of_them() {
    let mut server = Server::start();
    let (first, second) = (taken(&server, 1), taken(&server, 2));
    let told = listed(&server);
    assert_eq!(
        (&told["total"], &told["kept"], &told["in_memory"]),
        (&json!(2), &json!(2), &json!(false))
    );
    let one = &told["snapshots"][0];
    assert_eq!((&one["file"], &told["snapshots"][1]["file"]), (&json!(second), &json!(first)));
    assert_eq!(
        (&one["tenant"], &one["users"], &one["format"]),
        (&json!("default"), &json!(2), &json!(1))
    );
    assert_eq!((&one["is_listed"], &one["checksums"]["state"]), (&json!(true), &json!("good")));
    let length = fs::metadata(server.data_dir().join("snapshots").join(&second)).unwrap().len();
    assert_eq!(one["bytes"], length);
    let paged = server.get(&format!("{SNAPSHOTS}?per_page=1&page=1")).expect(200).json();
    assert_eq!((&paged["snapshots"][0]["file"], &paged["total"]), (&json!(first), &json!(2)));
    assert_eq!(server.get(&format!("{SNAPSHOTS}?tenant=default")).json()["total"], 2);
    server.get(&format!("{SNAPSHOTS}?tenant=nobody")).expect(404);
    server.get(&format!("{SNAPSHOTS}?per_page=101")).expect(400);
    server.get(&format!("{SNAPSHOTS}?sort=x")).expect(400);
    // A start reads the newest whole; nobody has looked at the older one.
    server.restart();
    let told = listed(&server);
    let states = [0, 1].map(|at| told["snapshots"][at]["checksums"]["state"].clone());
    assert_eq!(states, ["good", "unknown"], "{told}");
}

#[test]
fn a_damaged_file_is_found_by_verifying_it_and_the_server_goes_on() {
    let server = Server::start();
    let file = taken(&server, 1);
    let target = format!("{SNAPSHOTS}/{file}/verify");
    let told = server.json("POST", &target, "").expect(200).json();
    assert_eq!((&told["checksums"]["state"], &told["file"]), (&json!("good"), &json!(file)));
    assert!(told["milliseconds"].is_u64(), "{told}");
    let path = server.data_dir().join("snapshots").join(&file);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let told = server.json("POST", &target, "").expect(200).json();
    assert_eq!(told["checksums"]["state"], "damaged", "{told}");
    let flaw = told["checksums"]["flaw"].as_str().unwrap();
    assert!(flaw.contains("checksum") && !flaw.contains('/'), "{flaw}");
    assert_eq!(listed(&server)["snapshots"][0]["checksums"], told["checksums"]);
    assert_eq!(server.get("/dossier/v1/overview").json()["snapshots"]["newest"]["verified"], false);
    work(&server, 2);
    // Another snapshot under its name has good checksums, and is found all the same.
    let other = taken(&server, 3);
    fs::copy(server.data_dir().join("snapshots").join(other), &path).unwrap();
    let told = server.json("POST", &target, "").expect(200).json();
    let flaw = told["checksums"]["flaw"].as_str().unwrap();
    assert!(flaw.contains("another snapshot"), "{told}");
}

#[test]
fn a_download_is_the_file_byte_for_byte_and_a_name_never_leaves_the_folder() {
    let server = Setup::default().set("test.enabled=true").start();
    let file = taken(&server, 1);
    let target = format!("{SNAPSHOTS}/{file}");
    let got = server.get(&target).expect(200);
    let bytes = fs::read(server.data_dir().join("snapshots").join(&file)).unwrap();
    assert!(got.body == bytes);
    assert_eq!(got.number("content-length"), u64::try_from(bytes.len()).unwrap());
    assert_eq!(
        got.header("content-disposition"),
        Some(format!("attachment; filename=\"{file}\"").as_str())
    );
    assert_eq!(
        (got.header("cache-control"), got.header("content-type")),
        (Some("no-store"), Some("application/octet-stream"))
    );
    let head =
        server.request("HEAD", &target, &[("Authorization", server.admin())], None).expect(200);
    assert_eq!(head.number("content-length"), got.number("content-length"));
    assert!(server.log().contains("a snapshot is downloaded"), "{}", server.log());
    for name in [
        "..",
        "%2e%2e",
        "..%2fMANIFEST",
        "%2e%2e%2fformat",
        "..%2fkeys",
        "MANIFEST",
        "0-1.snap%00",
        ".%2f0-1.snap",
        "..%2fsnapshots%2f0-1.snap",
        "%2fetc%2fpasswd",
        "0-999.snap",
        "%D9%A3-1.snap",
    ] {
        let target = format!("{SNAPSHOTS}/{name}");
        assert_eq!(server.get(&target).status, 404, "{name}");
        assert_eq!(server.json("POST", &format!("{target}/verify"), "").status, 404, "{name}");
    }
}

#[test]
fn a_file_pruned_midway_arrives_whole() {
    let server = Server::start();
    // Longer than what sockets hold back.
    let path = server.data_dir().join("snapshots").join("9-9.snap");
    let bytes: Vec<u8> = (0..48_u32 << 20).map(|at| (at % 251).to_le_bytes()[0]).collect();
    fs::File::create(&path).unwrap().write_all(&bytes).unwrap();
    let admin = server.admin().to_owned();
    let mut connection: Connection = server.connect();
    connection.head("GET", &format!("{SNAPSHOTS}/9-9.snap"), &[("Authorization", &admin)]).unwrap();
    crate::harness::until("the answer to begin", || {
        server.log().contains("a snapshot is downloaded").then_some(())
    });
    fs::remove_file(&path).unwrap();
    let got = connection.answer(false).unwrap().expect(200);
    assert!(got.body == bytes, "{} of {} bytes", got.body.len(), bytes.len());
    // A file that becomes shorter ends the connection: a part is never taken for the whole.
    fs::write(&path, &bytes).unwrap();
    let mut connection = server.connect();
    connection.head("GET", &format!("{SNAPSHOTS}/9-9.snap"), &[("Authorization", &admin)]).unwrap();
    crate::harness::until("the second answer to begin", || {
        (server.log().matches("a snapshot is downloaded").count() == 2).then_some(())
    });
    fs::File::options().write(true).open(&path).unwrap().set_len(1 << 20).unwrap();
    assert!(connection.answer(false).is_err());
    server.get("/livez").expect(200);
}

#[test]
fn operators_know_of_the_files_and_only_the_scope_for_it_has_them() {
    let server = Setup::default().config("[[tenant]]\nid = \"acme\"\n").start();
    let file = taken(&server, 1);
    let (one, verify) = (format!("{SNAPSHOTS}/{file}"), format!("{SNAPSHOTS}/{file}/verify"));
    for scopes in [["dossier:operator"], ["dossier:snapshots"]] {
        with(&server, &scopes, "GET", SNAPSHOTS).expect(200);
        with(&server, &scopes, "POST", &verify).expect(200);
    }
    with(&server, &["dossier:snapshots"], "GET", &one).expect(200);
    with(&server, &["dossier:snapshots"], "POST", SNAPSHOTS).expect(403);
    for scopes in [&["dossier:operator", "read:users", "read:client_keys"][..], &[]] {
        with(&server, scopes, "GET", &one).expect(403);
    }
    // Who grants cannot grant it without having it.
    let grant = json!({"client_id": server.admin_client().0, "audience": "https://api.example", "scope": ["dossier:snapshots"]});
    let bearer = format!(
        "Bearer {}",
        server.token(&Bearer::with(&["create:client_grants", "dossier:operator"]))
    );
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    server
        .request("POST", "/api/v2/client-grants", &headers, Some(grant.to_string().as_bytes()))
        .expect(403);
}

/// Signs in with a link that was made with these scopes; the cookie.
fn signed_in(server: &Server, scopes: &[&str], wanted: &str) -> String {
    let bearer = format!("Bearer {}", server.token(&Bearer::with(scopes)));
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let link = server.request("POST", "/dossier/v1/login-links", &headers, Some(wanted.as_bytes()));
    let url = link.expect(201).json()["url"].as_str().unwrap().to_owned();
    let (_, code) = url.split_once("once=").unwrap();
    let headers = [("x-dossier-ui", "1"), ("Content-Type", "application/json")];
    let body = json!({ "once": code }).to_string();
    let entered =
        server.request("POST", "/ui/session", &headers, Some(body.as_bytes())).expect(200);
    entered.header("set-cookie").unwrap().split(';').next().unwrap().to_owned()
}

#[test]
fn an_operator_cannot_come_to_the_files_by_way_of_a_login_link() {
    let mut server = Server::start();
    let target = format!("{SNAPSHOTS}/{}", taken(&server, 1));
    let plain = signed_in(&server, &["dossier:operator"], "{}");
    let full = signed_in(&server, &["dossier:operator", "dossier:snapshots"], "{}");
    let viewer =
        signed_in(&server, &["dossier:operator", "dossier:snapshots"], r#"{"role":"viewer"}"#);
    for _ in ["before", "after a restart"] {
        for (cookie, list, file) in [(&plain, 200, 403), (&full, 200, 200), (&viewer, 403, 403)] {
            let get = |target: &str| server.request("GET", target, &[("Cookie", cookie)], None);
            get(SNAPSHOTS).expect(list);
            get(&target).expect(file);
        }
        server.restart();
    }
}

#[test]
fn nor_by_way_of_the_secret_of_a_client_that_has_them() {
    let server = Server::start();
    let (id, secret) = server.admin_client();
    let cookie = signed_in(&server, &["dossier:operator"], "{}");
    let mut scopes = Bearer::admin().scopes;
    scopes.retain(|scope| scope != "dossier:snapshots");
    let bearer = server.token(&Bearer { scopes, ..Bearer::default() });
    let bearer = ("Authorization", format!("Bearer {bearer}"));
    let one = format!("/api/v2/clients/{id}");
    for who in [&bearer, &("Cookie", cookie)] {
        let ask = |method: &str, target: &str, body: &str| {
            let headers = [
                (who.0, who.1.as_str()),
                ("Content-Type", "application/json"),
                ("x-dossier-ui", "1"),
            ];
            server.request(method, target, &headers, Some(body.as_bytes()))
        };
        let own = r#"{"name":"own","app_type":"non_interactive"}"#;
        let own = ask("POST", "/api/v2/clients", own).expect(201).json();
        let own = format!("/api/v2/clients/{}", own["client_id"].as_str().unwrap());
        assert!(ask("GET", &own, "").expect(200).json()["client_secret"].is_string());
        let made = server.get("/dossier/v1/overview").json()["version"].as_u64().unwrap();
        let past = format!("/dossier/v1/clients/{id}?as_of={made}");
        for target in [one.as_str(), "/api/v2/clients?per_page=100", "/api/clients", &past] {
            let told = ask("GET", target, "").expect(200);
            assert!(told.text().contains(&id), "{target}");
            assert!(!told.text().contains(&secret), "{target}");
            assert!(server.get(target).text().contains(&secret), "{target}");
        }
        for (method, target, body) in [
            ("PATCH", "", r#"{"client_secret":"as long as a secret has to be"}"#),
            ("PATCH", "", r#"{"name":"x","token_endpoint_auth_method":"client_secret_basic"}"#),
            ("POST", "/rotate-secret", "{}"),
        ] {
            ask(method, &format!("{one}{target}"), body).expect(403);
            ask(method, &format!("{own}{target}"), body).expect(200);
        }
        ask("PATCH", &one, r#"{"description":"of no use for that"}"#).expect(200);
    }
    server.json("POST", &format!("{one}/rotate-secret"), "{}").expect(200);
}

#[test]
fn in_a_data_directory_from_before_the_configuration_gives_the_scope() {
    let mut server = Server::start();
    let file = format!("{SNAPSHOTS}/{}", taken(&server, 1));
    let (id, secret) = server.admin_client();
    let grants = server.get("/api/v2/client-grants").expect(200).json();
    let grant = grants.as_array().unwrap().iter().find(|one| one["client_id"] == id).unwrap();
    let mut scopes = grant["scope"].as_array().unwrap().clone();
    scopes.retain(|scope| scope != "dossier:snapshots");
    let target = format!("/api/v2/client-grants/{}", grant["id"].as_str().unwrap());
    server.json("PATCH", &target, &json!({ "scope": scopes }).to_string()).expect(200);
    let with_its_own = |server: &Server| {
        let (code, token) = command(server, &["token", "create"]);
        assert_eq!(code, 0, "{token}");
        let bearer = format!("Bearer {}", token.trim());
        server.request("GET", &file, &[("Authorization", &bearer)], None).status
    };
    assert_eq!(with_its_own(&server), 403);
    let given = format!(
        "[[tenant]]\nid = \"default\"\n[[tenant.client]]\nclient_id = \"{id}\"\nclient_secret = \"{secret}\"\nscopes = [\"*\"]\n"
    );
    server.kill9();
    let mut server = Server::on(server.into_folder(), Setup::default().config(&given));
    assert_eq!(with_its_own(&server), 200);
    // It stays given.
    server.kill9();
    let server = Server::on(server.into_folder(), Setup::default());
    assert_eq!(with_its_own(&server), 200);
}

#[test]
fn in_memory_there_are_none() {
    let server = Setup::default().set("storage.mode=memory").start();
    let told = listed(&server);
    assert_eq!((&told["snapshots"], &told["in_memory"]), (&json!([]), &json!(true)));
    server.get(&format!("{SNAPSHOTS}/0-1.snap")).expect(404);
}

/// What a command of the program printed, and its exit code.
fn command(server: &Server, arguments: &[&str]) -> (i32, String) {
    let data = server.data_dir();
    let done = std::process::Command::new(program())
        .args(arguments)
        .args(["--url", &server.url, "--data-dir"])
        .arg(&data)
        .current_dir(data.parent().unwrap())
        .env_clear()
        .output()
        .unwrap();
    let told = [done.stdout, done.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (done.status.code().unwrap(), told)
}

#[test]
fn the_command_line_lists_inspects_and_verifies_with_and_without_a_server() {
    let mut server = Server::start();
    work(&server, 1);
    let (code, told) = command(&server, &["snapshot", "create"]);
    assert_eq!(code, 0, "{told}");
    let file = listed(&server)["snapshots"][0]["file"].as_str().unwrap().to_owned();
    let (code, told) = command(&server, &["snapshot", "list"]);
    assert_eq!(code, 0, "{told}");
    assert!(told.starts_with(&format!("{file}  tenant default, version ")), "{told}");
    assert!(told.contains("1 users") && told.contains("checksums good"), "{told}");
    let (code, told) = command(&server, &["snapshot", "list", "-o", "json", "--tenant", "default"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((code, &told[0]["file"]), (0, &json!(file)));
    assert_eq!(command(&server, &["snapshot", "list", "--tenant", "nobody"]).0, 8);
    let (code, told) = command(&server, &["snapshot", "inspect", &file]);
    assert!(code == 0 && told.contains("\"format\": 1"), "{told}");
    let (code, told) = command(&server, &["snapshot", "verify", &file]);
    assert!(code == 0 && told.contains("\"state\": \"good\""), "{told}");
    assert_eq!(command(&server, &["snapshot", "verify", "9-9.snap"]).0, 8);
    assert_eq!(command(&server, &["snapshot", "inspect", "9-9.snap"]).0, 8);
    // A file that is here needs no server, as after a download.
    server.kill9();
    let path = server.data_dir().join("snapshots").join(&file);
    let path = path.to_str().unwrap();
    for deed in ["inspect", "verify"] {
        let (code, told) = command(&server, &["snapshot", deed, path]);
        assert!(code == 0 && told.contains("\"users\": 1"), "{deed} {told}");
    }
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
    let (code, told) = command(&server, &["snapshot", "verify", path]);
    assert!(code == 5 && told.contains("is damaged at byte"), "{code} {told}");
    let (code, told) = command(&server, &["snapshot", "list"]);
    assert!(code == 1 && told.contains("does not answer"), "{code} {told}");
}
