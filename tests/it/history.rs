//! The past is told as it was: complete, in order, whatever happens to the process or to the
//! history's own folder.

use crate::harness::house::House;
use crate::harness::{Server, Setup, until};
use dossier::journal::testing::SimDisk;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use std::collections::BTreeMap;

mod consumer;
mod feed;
mod lives;

const USER: &str = "/api/v2/users";
const OWN: &str = "/dossier/v1/users";

fn make(server: &Server, email: &str) -> String {
    let body = json!({"email": email, "user_metadata": {"n": 0}}).to_string();
    let made = server.json("POST", USER, &body).expect(201).json();
    made["user_id"].as_str().unwrap().replace('|', "%7C")
}

/// Every change of a user, oldest first, page by page.
pub(crate) fn history(server: &Server, id: &str) -> Vec<Value> {
    let (mut entries, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = server.get(&format!("{OWN}/{id}/history?limit=7{cursor}")).expect(200).json();
        entries.extend(page["entries"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    entries.reverse();
    entries
}

fn versions(entries: &[Value]) -> Vec<u64> {
    entries.iter().map(|entry| entry["version"].as_u64().unwrap()).collect()
}

/// Changes a user so often, and notes what was answered at each version.
fn change(server: &Server, id: &str, times: u64, told: &mut BTreeMap<u64, Value>) {
    for _ in 0..times {
        let n = told.len();
        let body = json!({"user_metadata": {"n": n, (format!("k{}", n % 5)): n}}).to_string();
        let answer = server.json("PATCH", &format!("{USER}/{id}"), &body).expect(200);
        let version = answer.header("dossier-version").unwrap().parse().unwrap();
        told.insert(version, answer.json());
    }
}

#[track_caller]
fn check_told(server: &Server, id: &str, told: &BTreeMap<u64, Value>) {
    let found = versions(&history(server, id));
    assert!(found.windows(2).all(|pair| pair[0] < pair[1]), "each once, in order: {found:?}");
    for (version, body) in told {
        assert!(found.contains(version), "version {version} is missing in {found:?}");
        let was = server.get(&format!("{OWN}/{id}?as_of={version}")).expect(200).json();
        assert_eq!(&was, body, "as of {version}");
    }
}

#[test]
fn killed_at_any_moment_it_has_every_acknowledged_change_once() {
    let mut server = Server::start();
    let id = make(&server, "jane@example.com");
    let mut told = BTreeMap::new();
    for round in 1..=4 {
        change(&server, &id, 7 * round, &mut told);
        if round % 2 == 0 {
            // What is cut out of the journal is safe in the history.
            server.json("POST", "/dossier/v1/snapshots", "{}").expect(200);
        }
        server.restart();
        check_told(&server, &id, &told);
    }
}

#[test]
fn a_history_that_is_lost_or_damaged_is_built_anew_and_stops_no_start() {
    for harm in ["lost", "rubbish", "marked"] {
        let mut server = Server::start();
        let id = make(&server, "jane@example.com");
        let mut told = BTreeMap::new();
        change(&server, &id, 12, &mut told);
        check_told(&server, &id, &told);
        server.kill9();
        let folder = server.data_dir().join("history");
        match harm {
            "lost" => std::fs::remove_dir_all(&folder).unwrap(),
            "rubbish" => {
                for entry in std::fs::read_dir(&folder).unwrap() {
                    let path = entry.unwrap().path();
                    if path.is_file() {
                        std::fs::write(path, b"rubbish").unwrap();
                    }
                }
            }
            _ => std::fs::write(folder.join("DAMAGED"), b"").unwrap(),
        }
        server.restart();
        check_told(&server, &id, &told);
        change(&server, &id, 3, &mut told);
        check_told(&server, &id, &told);
        let aside = server.data_dir().join("history.damaged");
        assert_eq!(aside.exists(), harm != "lost", "{harm}");
        assert_eq!(server.log().contains("put aside"), harm != "lost", "{harm}");
    }
}

#[test]
fn limits_hold_from_the_moment_they_are_read_again() {
    let server = Setup::default().config("[history]\nkeep_versions = 50\n").start();
    let id = make(&server, "jane@example.com");
    let mut told = BTreeMap::new();
    change(&server, &id, 20, &mut told);
    assert_eq!(history(&server, &id).len(), 21);
    let file = server.data_dir().parent().unwrap().join("dossier.toml");
    std::fs::write(file, "[history]\nkeep_versions = 5\n").unwrap();
    let reloaded = server.json("POST", "/dossier/v1/config/reload", "").expect(200).json();
    assert_eq!(reloaded["applied"], json!(["history.keep_versions"]));
    let kept = history(&server, &id);
    assert_eq!(kept.len(), 5);
    assert_eq!(kept[0]["changes"].as_array().unwrap().len(), 2, "the oldest kept says what it did");
    let (oldest, newest) = (kept[0]["version"].as_u64().unwrap(), told.keys().next_back().unwrap());
    for version in oldest - 1..=*newest {
        let was = server.get(&format!("{OWN}/{id}?as_of={version}")).expect(200).json();
        assert_eq!(was, told[&version]);
    }
    let before = server.get(&format!("{OWN}/{id}?as_of={}", oldest - 2)).expect(410).json();
    assert_eq!(before["errorCode"], "beyond_retention");
}

#[test]
fn without_a_history_everything_else_works_and_its_paths_say_so() {
    for mode in ["history.enabled=false", "journal.durability=snapshot"] {
        let mut server = Setup::default().set(mode).start();
        let id = make(&server, "jane@example.com");
        server.json("POST", "/dossier/v1/snapshots", "{}").expect(200);
        let is_off = mode.starts_with("history");
        let status = if is_off { 404 } else { 200 };
        server.get(&format!("{OWN}/{id}/history")).expect(status);
        let ready = server.request("GET", "/readyz", &[], None).expect(200).json();
        assert_eq!(ready["history"], if is_off { "off" } else { "ok" });
        // What was not in a snapshot is gone with the process, and so is its past.
        server.json("PATCH", &format!("{USER}/{id}"), r#"{"name":"J"}"#).expect(200);
        server.restart();
        if !is_off {
            assert_eq!(history(&server, &id).len(), 1);
            server.json("PATCH", &format!("{USER}/{id}"), r#"{"name":"K"}"#).expect(200);
            assert_eq!(history(&server, &id).len(), 2);
        }
    }
}

#[test]
fn who_looks_back_need_not_wait_for_the_next_sync() {
    let server = Setup::default()
        .set("journal.durability=interval")
        .set("journal.flush_interval=60s")
        .start();
    let id = make(&server, "jane@example.com");
    assert_eq!(history(&server, &id).len(), 1);
}

#[test]
fn a_password_works_again_when_its_user_comes_back() {
    let server = Server::start();
    let body = json!({"email": "jane@example.com", "password": "correct horse battery"});
    let made = server.json("POST", USER, &body.to_string()).expect(201);
    let version: u64 = made.header("dossier-version").unwrap().parse().unwrap();
    let id = made.json()["user_id"].as_str().unwrap().replace('|', "%7C");
    server.json("DELETE", &format!("{USER}/{id}"), "").expect(204);
    let (client_id, client_secret) = server.admin_client();
    let sign_in = |status| {
        let body = json!({
            "grant_type": "password", "username": "jane@example.com",
            "password": "correct horse battery", "client_id": client_id, "client_secret": client_secret,
        });
        let headers = [("Content-Type", "application/json")];
        let body = body.to_string();
        server.request("POST", "/oauth/token", &headers, Some(body.as_bytes())).expect(status);
    };
    sign_in(403);
    let body = json!({"to": version}).to_string();
    server.json("POST", &format!("{OWN}/{id}/revert"), &body).expect(200);
    sign_in(200);
    let text = server.get(&format!("{OWN}/{id}/history")).expect(200);
    assert!(!String::from_utf8_lossy(&text.body).contains("argon2"));
    let count = until("the sign-in in the history", || {
        let count = history(&server, &id).len();
        (count >= 4).then_some(count)
    });
    assert_eq!(count, 4, "made, deleted, made again, signed in");
}

/// One write of a random life.
#[derive(Clone, Debug)]
enum Step {
    User(BTreeMap<String, Option<u8>>),
    App(BTreeMap<String, Option<u8>>),
    Name(u8),
    Delete,
    /// Back to one of the versions so far.
    Revert(prop::sample::Index),
}

fn any_step() -> impl Strategy<Value = Step> {
    let bag = || prop::collection::btree_map("[a-d]", prop::option::of(0_u8..9), 0..3);
    prop_oneof![
        4 => bag().prop_map(Step::User),
        3 => bag().prop_map(Step::App),
        2 => any::<u8>().prop_map(Step::Name),
        1 => Just(Step::Delete),
        2 => any::<prop::sample::Index>().prop_map(Step::Revert),
    ]
}

/// Lives a life; at each version the profile then, none when there was no user.
async fn live(house: &House, steps: Vec<Step>) -> BTreeMap<u64, Option<Value>> {
    let body = r#"{"email":"jane@example.com","user_id":"1"}"#;
    let (status, made) = house.send("POST", USER, body).await;
    assert_eq!(status, 201);
    let now = || house.tenant().published().version().get();
    let mut lived = BTreeMap::from([(now(), Some(made))]);
    let id = "auth0%7C1";
    for step in steps {
        let target = format!("{USER}/{id}");
        match step {
            Step::User(bag) => {
                let body = json!({ "user_metadata": bag }).to_string();
                house.send("PATCH", &target, &body).await;
            }
            Step::App(bag) => {
                let body = json!({ "app_metadata": bag }).to_string();
                house.send("PATCH", &target, &body).await;
            }
            Step::Name(name) => {
                house.send("PATCH", &target, &json!({"name": name.to_string()}).to_string()).await;
            }
            Step::Delete => {
                house.send("DELETE", &target, "").await;
            }
            Step::Revert(index) => {
                let (to, was) = {
                    let lived: Vec<_> = lived.iter().collect();
                    let (to, was) = lived[index.index(lived.len())];
                    (*to, was.clone())
                };
                let body = json!({ "to": to }).to_string();
                let (status, answer) =
                    house.send("POST", &format!("{OWN}/{id}/revert"), &body).await;
                let Some(was) = was else {
                    assert_eq!(status, 404, "there was nobody to go back to");
                    continue;
                };
                assert_eq!(status, 200, "{answer}");
                for member in ["user_metadata", "app_metadata", "name", "email"] {
                    assert_eq!(answer.get(member), was.get(member), "{member} of {to}");
                }
            }
        }
        let (status, profile) = house.send("GET", &target, "").await;
        lived.insert(now(), (status == 200).then_some(profile));
    }
    lived
}

#[test]
fn as_of_a_version_is_what_get_said_then_and_a_revert_leads_back_to_it() {
    let config = ProptestConfig { cases: 12, ..ProptestConfig::default() };
    let steps = prop::collection::vec(any_step(), 1..25);
    TestRunner::new(config)
        .run(&steps, |steps| {
            actix_rt::System::new().block_on(async move {
                let house = House::with_history(&SimDisk::new()).await;
                let lived = live(&house, steps).await;
                for (version, profile) in &lived {
                    let target = format!("{OWN}/auth0%7C1?as_of={version}");
                    let (status, was) = house.send("GET", &target, "").await;
                    let was = (status == 200).then_some(was);
                    assert_eq!(&was, profile, "as of {version}");
                }
                check_differences(&house, &lived).await;
            });
            Ok(())
        })
        .unwrap();
}

/// What is told of each change is the difference of what was before and after it.
async fn check_differences(house: &House, lived: &BTreeMap<u64, Option<Value>>) {
    let target = format!("{OWN}/auth0%7C1/history?limit=100");
    let (_, page) = house.send("GET", &target, "").await;
    for entry in page["entries"].as_array().unwrap() {
        let version = entry["version"].as_u64().unwrap();
        let target = format!("{OWN}/auth0%7C1/diff?from={}&to={version}", version - 1);
        let (status, between) = house.send("GET", &target, "").await;
        assert_eq!((status, &between["changes"]), (200, &entry["changes"]));
        for change in entry["changes"].as_array().unwrap() {
            let path = change["path"].as_str().unwrap().replace('.', "/");
            let now = lived[&version].as_ref().and_then(|now| now.pointer(&format!("/{path}")));
            assert_eq!(change.get("new"), now, "{path} at {version}");
        }
    }
}

/// Each tenant keeps as much as it is told to, from the moment it is told.
#[test]
fn a_tenant_has_limits_of_its_own_which_a_reload_changes() {
    let file = |own: &str| {
        format!(
            "[history]\nkeep_versions = 3\n[[tenant]]\nid = \"default\"\n[[tenant]]\nid = \"alpha\"\n{own}"
        )
    };
    let server = Setup::default().config(&file("override.history.keep_versions = 6\n")).start();
    let link = server.json("POST", "/dossier/v1/login-links", r#"{"tenant":"alpha"}"#);
    let url = link.expect(201).json()["url"].as_str().unwrap().to_owned();
    let host = url.split('/').nth(2).unwrap().to_owned();
    let code = json!({"once": url.split_once("once=").unwrap().1}).to_string();
    let ui = [("Host", host.as_str()), ("X-Dossier-UI", "1"), ("Content-Type", "application/json")];
    let signed_in = server.request("POST", "/ui/session", &ui, Some(code.as_bytes())).expect(200);
    let cookie = signed_in.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let ask = |at: &str, method: &str, target: &str, body: &str| {
        let headers = [
            ("Host", at),
            ("X-Dossier-UI", "1"),
            ("Content-Type", "application/json"),
            if at == host {
                ("Cookie", cookie.as_str())
            } else {
                ("Authorization", server.admin())
            },
        ];
        server.request(method, target, &headers, Some(body.as_bytes()))
    };
    let own = server.address().to_owned();
    let made = |at: &str, email: &str| {
        let body = json!({"email": email}).to_string();
        let made = ask(at, "POST", USER, &body).expect(201).json();
        let id = made["user_id"].as_str().unwrap().to_owned();
        for n in 0..9 {
            let body = json!({"user_metadata": {"n": n}}).to_string();
            ask(at, "PATCH", &format!("{USER}/{id}"), &body).expect(200);
        }
        id
    };
    let (jane, ann) = (made(&own, "jane@example.com"), made(&host, "ann@example.com"));
    let kept = |at: &str, id: &str| {
        let page = ask(at, "GET", &format!("{OWN}/{id}/history?limit=100"), "").expect(200).json();
        page["entries"].as_array().unwrap().len()
    };
    assert_eq!((kept(&own, &jane), kept(&host, &ann)), (3, 6));
    let place = server.data_dir().parent().unwrap().join("dossier.toml");
    let told = |text: &str| {
        std::fs::write(&place, text).unwrap();
        server.json("POST", "/dossier/v1/config/reload", "").expect(200).json()["applied"].clone()
    };
    let applied = told(&file("override.history.keep_versions = 2\n"));
    assert_eq!(applied, json!(["tenant.alpha.override.history.keep_versions"]));
    assert_eq!((kept(&own, &jane), kept(&host, &ann)), (3, 2));
    told(&file(""));
    assert_eq!((kept(&own, &jane), kept(&host, &ann)), (3, 3));
    // What is made from now on obeys what is said now, whoever makes it.
    told(&file("[[tenant]]\nid = \"beta\"\noverride.history.keep_versions = 4\n"));
    let fork = |id: &str| {
        let body = json!({"id": id}).to_string();
        server.json("POST", "/dossier/v1/tenants", &body).expect(201).json()
    };
    let beta = fork("beta");
    let form = json!({
        "grant_type": "client_credentials", "client_id": beta["client"]["client_id"],
        "client_secret": beta["client"]["client_secret"], "audience": "https://beta.localhost/api/v2/",
    });
    let headers = [("Host", "beta.localhost"), ("Content-Type", "application/json")];
    let token = server.request("POST", "/oauth/token", &headers, Some(form.to_string().as_bytes()));
    let bearer = format!("Bearer {}", token.expect(200).json()["access_token"].as_str().unwrap());
    let headers = [
        ("Host", "beta.localhost"),
        ("Authorization", bearer.as_str()),
        ("Content-Type", "application/json"),
    ];
    let send = |method: &str, target: &str, body: Value| {
        let body = body.to_string();
        server.request(method, target, &headers, Some(body.as_bytes())).json()
    };
    let eve = send("POST", USER, json!({"email": "eve@example.com"}));
    let eve = eve["user_id"].as_str().unwrap();
    for n in 0..9 {
        send("PATCH", &format!("{USER}/{eve}"), json!({"user_metadata": {"n": n}}));
    }
    let page = send("GET", &format!("{OWN}/{eve}/history"), Value::Null);
    assert_eq!(page["entries"].as_array().unwrap().len(), 4);
}
