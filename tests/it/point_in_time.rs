//! A whole tenant goes back to a point in time: in place while no server runs, or as a new tenant
//! beside it.

use crate::harness::house::{House, NOW};
use crate::harness::{Server, Setup};
use dossier::domain::command::Command;
use dossier::domain::permit::Caller;
use dossier::domain::time::Version;
use dossier::journal::testing::SimDisk;
use dossier::tenant::history::{Since, Unknown};
use dossier::tenant::{TenantDefinition, by_server, server_provenance};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use std::process::Stdio;

const USERS: &str = "/api/v2/users";

fn make(server: &Server, email: &str) -> String {
    let body = json!({"email": email, "password": "correct horse 9", "user_metadata": {"n": 0}});
    let made = server.json("POST", USERS, &body.to_string()).expect(201).json();
    made["user_id"].as_str().unwrap().replace('|', "%7C")
}

fn patch(server: &Server, id: &str, body: &str) {
    server.json("PATCH", &format!("{USERS}/{id}"), body).expect(200);
}

fn version(server: &Server) -> u64 {
    server.get(USERS).expect(200).number("dossier-version")
}

/// What a tenant is set up with, but for the clients.
fn setup(server: &Server) -> Value {
    let get = |name: &str| {
        let mut all = server.get(&format!("/api/v2/{name}?per_page=100")).expect(200).json();
        if let Some(all) = all.as_array_mut() {
            // The management API is at the server's address, which changes.
            all.retain(|one| !one.to_string().contains("/api/v2/"));
            all.sort_by_key(|one| one["id"].as_str().unwrap().to_owned());
        }
        all
    };
    json!([
        get("connections"),
        get("client-grants"),
        get("resource-servers"),
        server.get("/api/v2/tenants/settings").expect(200).json()
    ])
}

fn made(server: &Server, target: &str, body: &Value, id: &str) -> String {
    let made = server.json("POST", target, &body.to_string()).expect(201).json();
    made[id].as_str().unwrap().to_owned()
}

/// A client that was granted an API, and a connection.
fn set_up(server: &Server) -> [String; 4] {
    let client = made(server, "/api/v2/clients", &json!({"name": "Shop"}), "client_id");
    let api = json!({"identifier": "urn:shop", "scopes": [{"value": "buy"}]});
    let api = made(server, "/api/v2/resource-servers", &api, "id");
    let grant = json!({"client_id": client, "audience": "urn:shop", "scope": ["buy"]});
    let grant = made(server, "/api/v2/client-grants", &grant, "id");
    let connection = json!({"name": "google", "strategy": "google-oauth2", "options": {"a": 1}});
    let connection = made(server, "/api/v2/connections", &connection, "id");
    server.json("PATCH", "/api/v2/tenants/settings", r#"{"friendly_name":"Then"}"#).expect(200);
    [client, api, grant, connection]
}

/// Changes everything of [`set_up`], and makes more.
fn upset(server: &Server, [client, api, _, connection]: &[String; 4]) {
    let change = |method: &str, target: String, body: &str| {
        let status = server.json(method, &target, body).status;
        assert!((200..300).contains(&status), "{method} {target}: {status}");
    };
    change("PATCH", format!("/api/v2/connections/{connection}"), r#"{"options":{"b":2}}"#);
    change("PATCH", "/api/v2/tenants/settings".to_owned(), r#"{"friendly_name":"Now"}"#);
    // What was granted of them goes with them.
    change("DELETE", format!("/api/v2/resource-servers/{api}"), "");
    change("DELETE", format!("/api/v2/clients/{client}"), "");
    made(server, "/api/v2/connections", &json!({"name": "new", "strategy": "samlp"}), "id");
    made(server, "/api/v2/resource-servers", &json!({"identifier": "urn:new"}), "id");
}

/// What every user is, but for the time of the last change.
fn state(server: &Server) -> Vec<Value> {
    let mut users = server.get(&format!("{USERS}?per_page=100")).expect(200).json();
    let users = users.as_array_mut().unwrap();
    users.sort_by_key(|user| user["user_id"].as_str().unwrap().to_owned());
    for user in users.iter_mut() {
        user.as_object_mut().unwrap().remove("updated_at");
    }
    users.clone()
}

/// Runs `dossier restore`; the exit code and everything said.
fn restore(server: &Server, arguments: &[&str]) -> (Option<i32>, String) {
    let output = std::process::Command::new(crate::harness::program())
        .args(["restore", "--data-dir"])
        .arg(server.data_dir())
        .args(arguments)
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

#[track_caller]
fn restored(server: &Server, as_of: &str, more: &[&str]) -> Value {
    let arguments = [&["--tenant", "default", "-o", "json", "--as-of", as_of], more].concat();
    let (code, said) = restore(server, &arguments);
    assert_eq!(code, Some(0), "{said}");
    let line = said.lines().find(|line| line.starts_with('{')).unwrap();
    serde_json::from_str(line).unwrap()
}

#[test]
fn a_tenant_goes_back_and_forth_and_no_version_is_used_twice() {
    let mut server = Server::start();
    let (jane, gone) = (make(&server, "jane@example.com"), make(&server, "gone@example.com"));
    let client = server.json("POST", "/api/v2/clients", r#"{"name":"Shop"}"#).expect(201).json();
    let client = client["client_id"].as_str().unwrap().to_owned();
    let (then, was) = (version(&server), state(&server));
    patch(&server, &jane, r#"{"user_metadata":{"n":1,"k":true},"email":"other@example.com"}"#);
    server.json("DELETE", &format!("{USERS}/{gone}"), "").expect(204);
    // Whose address jane had then.
    let new = make(&server, "jane@example.com");
    server.json("POST", "/api/v2/clients", r#"{"name":"Later"}"#).expect(201);
    server.json("DELETE", &format!("/api/v2/clients/{client}"), "").expect(204);
    let (now, is) = (version(&server), state(&server));

    let busy = restore(&server, &["--tenant", "default", "--as-of", "1", "--yes"]);
    assert_eq!(busy.0, Some(4), "{busy:?}");
    server.kill9();
    let rehearsed = restored(&server, &then.to_string(), &["--dry-run"]);
    assert_eq!(rehearsed["version"], json!(now));
    let unasked = restore(&server, &["--tenant", "default", "--as-of", "1"]);
    assert_eq!(unasked.0, Some(2), "{unasked:?}");

    let done = restored(&server, &then.to_string(), &["--yes"]);
    for what in ["users", "users_gone", "clients", "clients_gone"] {
        assert_eq!(done[what], rehearsed[what], "{what}");
    }
    assert_eq!(done["users"].as_array().unwrap().len(), 2);
    assert_eq!(done["users_gone"], json!([new.replace("%7C", "|")]));
    assert_eq!(done["clients"], json!([client]));
    assert_eq!(done["before"], json!(now));
    assert!(done["version"].as_u64().unwrap() > now);
    server.restart();
    assert_eq!(state(&server), was);
    server.get(&format!("/api/v2/clients/{client}")).expect(200);
    let history = server.get(&format!("/dossier/v1/users/{jane}/history")).expect(200).json();
    assert_eq!(history["entries"][0]["actor"], "restore");
    assert_eq!(history["entries"][0]["reason"], format!("as of {then}"));
    // Who comes back signs in with the password of then; what is now is told by what was.
    patch(&server, &gone, r#"{"user_metadata":{"n":7}}"#);

    server.kill9();
    let undone = restored(&server, &now.to_string(), &["--yes"]);
    assert!(undone["version"].as_u64() > done["version"].as_u64());
    server.restart();
    assert_eq!(state(&server), is);

    // Nothing differs any more.
    server.kill9();
    let idle = restored(&server, &now.to_string(), &["--yes"]);
    assert_eq!(idle["version"], undone["version"]);
}

#[test]
fn what_cannot_be_restored_is_refused_and_the_oldest_version_named() {
    let mut server = Setup::default().set("history.keep_versions=3").start();
    let jane = make(&server, "jane@example.com");
    let before = version(&server);
    for n in 0..6 {
        patch(&server, &jane, &json!({"user_metadata": {"n": n}}).to_string());
    }
    let last = version(&server);
    server.kill9();
    let keep = ["--set", "history.keep_versions=3", "--yes", "--tenant", "default", "--as-of"];
    let ask = |as_of: &str| restore(&server, &[&keep[..], &[as_of]].concat());
    let (code, said) = ask(&before.to_string());
    assert_eq!(code, Some(8), "{said}");
    assert!(said.contains(&format!("oldest version it can restore is {}", last - 3)), "{said}");
    for (as_of, expected) in [("never", 2), ("999999", 2), ("1970-01-01T00:00:00Z", 8)] {
        assert_eq!(ask(as_of).0, Some(expected), "{as_of}");
    }
    assert_eq!(restore(&server, &["--yes", "--tenant", "x", "--as-of", "1"]).0, Some(8));
    assert_eq!(ask(&(last - 3).to_string()).0, Some(0));
}

#[test]
fn what_a_tenant_is_set_up_with_goes_back_and_forth_too() {
    let mut server = Server::start();
    let all = set_up(&server);
    let (then, was) = (version(&server), setup(&server));
    upset(&server, &all);
    let (now, is) = (version(&server), setup(&server));
    assert_ne!(was, is);

    let fork = json!({"id": "beta", "as_of": then}).to_string();
    let fork = server.json("POST", "/dossier/v1/tenants/default/fork", &fork).expect(201).json();
    assert_eq!(fork["as_they_are_now"], Value::Null);
    let bearer = {
        let client = &fork["client"];
        let body = json!({
            "grant_type": "client_credentials", "client_id": client["client_id"],
            "client_secret": client["client_secret"], "audience": "https://beta.localhost/api/v2/",
        });
        let headers = [("Host", "beta.localhost"), ("Content-Type", "application/json")];
        let body = body.to_string();
        let token = server.request("POST", "/oauth/token", &headers, Some(body.as_bytes()));
        format!("Bearer {}", token.expect(200).json()["access_token"].as_str().unwrap())
    };
    let forked = |target: &str| {
        let headers = [("Host", "beta.localhost"), ("Authorization", bearer.as_str())];
        server.request("GET", target, &headers, None).expect(200).json()
    };
    assert_eq!(forked("/api/v2/tenants/settings")["friendly_name"], "Then");
    assert_eq!(forked(&format!("/api/v2/connections/{}", all[3]))["options"], json!({"a": 1}));
    let names: Vec<Value> = forked("/api/v2/connections")
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].clone())
        .collect();
    assert!(names.contains(&json!("google")) && !names.contains(&json!("new")), "{names:?}");
    assert_eq!(forked(&format!("/api/v2/client-grants?client_id={}", all[0]))[0]["id"], all[2]);

    server.kill9();
    let done = restored(&server, &then.to_string(), &["--yes"]);
    assert_eq!(done["as_they_are_now"], json!([]));
    assert_eq!(done["resources"].as_array().unwrap().len(), 4, "{done}");
    assert_eq!(done["resources_gone"].as_array().unwrap().len(), 2, "{done}");
    server.restart();
    assert_eq!(setup(&server), was);
    server.kill9();
    restored(&server, &now.to_string(), &["--yes"]);
    server.restart();
    assert_eq!(setup(&server), is);

    // Who was let in first stays, with what they were granted: somebody has to undo it.
    server.kill9();
    restored(&server, "1", &["--yes"]);
    server.restart();
    let (id, secret) = server.admin_client();
    let body = json!({
        "grant_type": "client_credentials", "client_id": id, "client_secret": secret,
        "audience": format!("{}/api/v2/", server.url),
    });
    let headers = [("Content-Type", "application/json")];
    let body = body.to_string();
    let token = server.request("POST", "/oauth/token", &headers, Some(body.as_bytes()));
    let bearer = format!("Bearer {}", token.expect(200).json()["access_token"].as_str().unwrap());
    server.request("GET", USERS, &[("Authorization", &bearer)], None).expect(200);
}

#[test]
fn a_history_built_from_a_snapshot_knows_how_a_tenant_was_set_up() {
    let mut server = Setup::default().set("journal.segment=8MiB").start();
    let all = set_up(&server);
    let (then, was) = (version(&server), setup(&server));
    // The end of a process leaves a snapshot; two of them are all the history is built from.
    for _ in 0..2 {
        server.end_with(rustix::process::Signal::TERM);
        std::fs::remove_dir_all(server.data_dir().join("history")).unwrap();
        server.restart();
    }
    upset(&server, &all);
    server.kill9();
    let done = restored(&server, &then.to_string(), &["--yes"]);
    assert_eq!(done["as_they_are_now"], json!([]));
    server.restart();
    assert_eq!(setup(&server), was);
}

#[test]
fn one_who_changed_too_often_does_not_stand_in_the_way_of_the_others() {
    let mut server = Setup::default().set("history.keep_versions=3").start();
    let (jane, john) = (make(&server, "jane@example.com"), make(&server, "john@example.com"));
    let then = version(&server);
    let get = |server: &Server, id: &str| server.get(&format!("{USERS}/{id}"));
    let time = get(&server, &john).expect(200).json()["updated_at"].as_str().unwrap().to_owned();
    patch(&server, &john, r#"{"user_metadata":{"spoiled":true}}"#);
    let added = make(&server, "added@example.com");
    for n in 0..9 {
        patch(&server, &jane, &json!({"user_metadata": {"n": n}}).to_string());
    }
    let fork = |body: serde_json::Value| {
        server.json("POST", "/dossier/v1/tenants/default/fork?dry_run=true", &body.to_string())
    };
    fork(json!({"id": "beta", "as_of": then})).expect(410);
    let kept = json!([format!("users/{}", jane.replace("%7C", "|"))]);
    let taken = fork(json!({"id": "beta", "as_of": then, "keep_unknown": true})).json();
    assert_eq!((&taken["status"], &taken["body"]["as_they_are_now"]), (&json!(201), &kept));

    server.kill9();
    let keep = ["--set", "history.keep_versions=3", "--yes"];
    let (code, said) = restore(
        &server,
        &[&keep[..], &["--tenant", "default", "--as-of", &then.to_string()]].concat(),
    );
    assert_eq!(code, Some(8), "{said}");
    assert!(said.contains("--keep-unknown"), "{said}");
    let further = [&keep[..], &["--keep-unknown"]].concat();
    for as_of in [then.to_string(), time] {
        let done = restored(&server, &as_of, &further);
        assert_eq!(done["as_they_are_now"], kept, "{as_of}");
    }
    server.restart();
    let bag = |id: &str| get(&server, id).expect(200).json()["user_metadata"].clone();
    assert_eq!(bag(&jane)["n"], 8, "she stays as she is");
    assert!(bag(&john).get("spoiled").is_none(), "he is as he was");
    get(&server, &added).expect(404);
}

#[test]
fn of_a_resource_that_is_forgotten_the_answer_says_that_it_stays() {
    let mut server = Setup::default().set("history.keep_versions=2").start();
    let [_, _, _, connection] = set_up(&server);
    let then = version(&server);
    for n in 0..5 {
        let body = json!({"friendly_name": n.to_string()}).to_string();
        server.json("PATCH", "/api/v2/tenants/settings", &body).expect(200);
    }
    let target = format!("/api/v2/connections/{connection}");
    server.json("PATCH", &target, r#"{"options":{"b":2}}"#).expect(200);
    let fork = json!({"id": "beta", "as_of": then}).to_string();
    for query in ["?dry_run=true", ""] {
        let target = format!("/dossier/v1/tenants/default/fork{query}");
        let told = server.json("POST", &target, &fork).json();
        let told = told.get("body").unwrap_or(&told);
        assert_eq!(told["as_they_are_now"], json!(["settings/settings"]), "{told}");
    }
    server.kill9();
    let keep = ["--set", "history.keep_versions=2", "--yes"];
    let done = restored(&server, &then.to_string(), &keep);
    assert_eq!(done["as_they_are_now"], json!(["settings/settings"]));
    assert_eq!(done["resources"], json!([format!("connections/{connection}")]));
    server.restart();
    let settings = server.get("/api/v2/tenants/settings").expect(200).json();
    assert_eq!(settings["friendly_name"], "4");
    assert_eq!(server.get(&target).expect(200).json()["options"], json!({"a": 1}));
}

#[test]
fn a_fork_has_the_state_of_then_and_secrets_of_its_own() {
    let mut server = Server::start();
    let jane = make(&server, "jane@example.com");
    let shop = server.json("POST", "/api/v2/clients", r#"{"name":"Shop"}"#).expect(201).json();
    let (then, was) = (version(&server), state(&server));
    patch(&server, &jane, r#"{"user_metadata":{"n":1}}"#);
    make(&server, "new@example.com");
    let is = state(&server);

    let fork =
        |body: Value| server.json("POST", "/dossier/v1/tenants/default/fork", &body.to_string());
    let beta = fork(json!({"id": "beta", "as_of": then})).expect(201).json();
    let gamma = fork(json!({"id": "gamma"})).expect(201).json();
    fork(json!({"id": "beta"})).expect(409);
    fork(json!({"id": "delta", "as_of": 99_999})).expect(400);
    server.restart();
    for (made, expected) in [(&beta, was), (&gamma, is)] {
        let host = format!("{}.localhost", made["id"].as_str().unwrap());
        let member = |name: &str| made["client"][name].as_str().unwrap().to_owned();
        let grant = |id: &str, secret: &str| {
            let body = json!({
                "grant_type": "client_credentials", "client_id": id, "client_secret": secret,
                "audience": format!("https://{host}/api/v2/"),
            });
            let headers = [("Host", host.as_str()), ("Content-Type", "application/json")];
            server.request("POST", "/oauth/token", &headers, Some(body.to_string().as_bytes()))
        };
        let token = grant(&member("client_id"), &member("client_secret")).expect(200).json();
        let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
        let ask = |target: &str| {
            let headers = [("Host", host.as_str()), ("Authorization", bearer.as_str())];
            server.request("GET", target, &headers, None)
        };
        let mut users = ask(&format!("{USERS}?per_page=100")).expect(200).json();
        let users = users.as_array_mut().unwrap();
        users.sort_by_key(|user| user["user_id"].as_str().unwrap().to_owned());
        for user in users.iter_mut() {
            user.as_object_mut().unwrap().remove("updated_at");
        }
        assert_eq!(users, &expected);
        let own = ask(&format!("/api/v2/clients/{}", shop["client_id"].as_str().unwrap()));
        let own = own.expect(200).json();
        assert_eq!(own["name"], "Shop");
        assert_ne!(own["client_secret"], shop["client_secret"]);
        grant(shop["client_id"].as_str().unwrap(), shop["client_secret"].as_str().unwrap())
            .expect(401);
    }
}

#[actix_rt::test]
async fn what_a_crash_leaves_of_a_fork_is_nobodys_tenant_and_goes() {
    let disk = SimDisk::new();
    let definition = TenantDefinition::named("beta");
    {
        let house = House::open(&disk).await;
        let caller = Caller::server();
        let formed = house.directory.form(&caller, server_provenance(), &definition, NOW).await;
        assert!(house.directory.tenant("beta").is_none());
        assert!(house.directory.definition("beta").is_none());
        drop(formed.unwrap());
    }
    let house = House::open(&disk).await;
    assert!(house.directory.tenant("beta").is_none());
    assert_eq!(house.send("GET", "/dossier/v1/tenants/beta", "").await.0, 404);
    house.directory.abandon_left_over(NOW).await.unwrap();
    let (status, _) = house.send("POST", "/dossier/v1/tenants", r#"{"id":"beta"}"#).await;
    assert_eq!(status, 201);
}

/// What one step of a random history does to one of a few users.
#[derive(Clone, Copy, Debug)]
enum Step {
    Make(u8),
    Set(u8, u8),
    Move(u8, u8),
    Delete(u8),
    /// Makes or changes a connection, or ends it.
    Connect(u8, u8),
    Disconnect(u8),
    Settle(u8),
}

fn steps() -> impl Strategy<Value = Vec<(Step, bool)>> {
    let step = prop_oneof![
        (0..5_u8).prop_map(Step::Make),
        (0..5_u8, 0..4_u8).prop_map(|(user, n)| Step::Set(user, n)),
        (0..5_u8, 0..5_u8).prop_map(|(user, email)| Step::Move(user, email)),
        (0..5_u8).prop_map(Step::Delete),
        (0..3_u8, 0..4_u8).prop_map(|(connection, n)| Step::Connect(connection, n)),
        (0..3_u8).prop_map(Step::Disconnect),
        (0..4_u8).prop_map(Step::Settle),
    ];
    prop::collection::vec((step, prop::bool::weighted(0.2)), 1..30)
}

async fn take(house: &House, step: Step) {
    let path = |user: u8| format!("{USERS}/auth0%7C{user}");
    let (method, target, body) = match step {
        Step::Make(user) => {
            let body =
                json!({"user_id": user.to_string(), "email": format!("u{user}@example.com")});
            ("POST", USERS.to_owned(), body)
        }
        Step::Set(user, n) => {
            ("PATCH", path(user), json!({"app_metadata": {(format!("k{n}")): n}}))
        }
        Step::Move(user, email) => {
            ("PATCH", path(user), json!({"email": format!("u{email}@example.com")}))
        }
        Step::Delete(user) => ("DELETE", path(user), Value::Null),
        Step::Connect(connection, n) => {
            let known = connection_of(house, connection).await;
            let options = json!({"options": {"n": n}});
            if let Some(id) = known {
                ("PATCH", format!("/api/v2/connections/{id}"), options)
            } else {
                let name = format!("c{connection}");
                let body = json!({"name": name, "strategy": "samlp", "options": {"n": n}});
                ("POST", "/api/v2/connections".to_owned(), body)
            }
        }
        Step::Disconnect(connection) => {
            let id = connection_of(house, connection).await.unwrap_or_default();
            ("DELETE", format!("/api/v2/connections/{id}"), Value::Null)
        }
        Step::Settle(n) => {
            let body = json!({"friendly_name": n.to_string()});
            ("PATCH", "/api/v2/tenants/settings".to_owned(), body)
        }
    };
    // Refused or not: what counts is what is so afterwards.
    house.send(method, &target, &body.to_string()).await;
}

async fn connection_of(house: &House, connection: u8) -> Option<String> {
    let name = format!("c{connection}");
    let (_, all) = house.send("GET", "/api/v2/connections", "").await;
    let found = all.as_array().unwrap().iter().find(|one| one["name"] == json!(name))?;
    Some(found["id"].as_str().unwrap().to_owned())
}

/// Users, connections and settings.
async fn state_of(house: &House) -> Vec<Value> {
    let mut all = Vec::new();
    for (target, id) in
        [(format!("{USERS}?per_page=100"), "user_id"), ("/api/v2/connections".to_owned(), "id")]
    {
        let (_, mut listed) = house.send("GET", &target, "").await;
        let listed = listed.as_array_mut().unwrap();
        listed.sort_by_key(|one| one[id].as_str().unwrap().to_owned());
        all.append(listed);
    }
    all.push(house.send("GET", "/api/v2/tenants/settings", "").await.1);
    all
}

async fn go_back(house: &House, version: Version) {
    let tenant = house.tenant();
    let look = house.services.history.as_ref().unwrap().look(tenant.uid()).await.unwrap();
    let Since::Touched(touched) = look.touched_since(version, Unknown::Refuse).unwrap() else {
        panic!("everything is kept")
    };
    assert_eq!(touched.as_now, [""; 0]);
    let objects: Vec<_> = touched.objects.into_keys().collect();
    let images = look.as_they_were(&objects, version).unwrap().unwrap();
    let command = by_server(Command::PutBack(Box::new(images)));
    tenant.write(command, server_provenance(), NOW).await.unwrap();
}

#[test]
fn after_any_history_with_restores_in_it_any_version_can_be_restored() {
    let mut runner = TestRunner::new(Config { cases: 24, ..Config::default() });
    let law = |steps: Vec<(Step, bool)>| {
        actix_rt::System::new().block_on(async {
            let house = House::with_history(&SimDisk::new()).await;
            let version = || house.tenant().published().version();
            let first = version();
            let mut told = vec![(first, state_of(&house).await)];
            for (step, is_restore) in steps {
                if is_restore {
                    let (to, was) = told[told.len() / 2].clone();
                    go_back(&house, to).await;
                    assert_eq!(state_of(&house).await, was);
                } else {
                    take(&house, step).await;
                }
                told.push((version(), state_of(&house).await));
            }
            for (to, was) in told.iter().rev() {
                go_back(&house, *to).await;
                assert_eq!(&state_of(&house).await, was, "as of {to}");
            }
        });
        Ok(())
    };
    runner.run(&steps(), law).unwrap();
}
