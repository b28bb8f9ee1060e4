//! Keys that go by themselves: at their time, out of every view at once, in a change of their own.

use crate::harness::house::{House, JSON, NOW, Told, everything};
use crate::harness::{Server, until};
use actix_rt::System;
use dossier::domain::time::Timestamp;
use dossier::journal::testing::SimDisk;
use serde_json::{Value, json};
use std::time::Duration;

const OPS: (&str, &str) = ("Content-Type", "application/vnd.dossier.ops+json");

/// A house with a user whose `trial` goes ten seconds from now.
struct Bench {
    house: House,
    id: String,
}

fn in_seconds(seconds: i64) -> String {
    Timestamp::from_millis(NOW.millis() + seconds * 1000).to_string()
}

impl Bench {
    async fn start(disk: &SimDisk) -> Self {
        let house = House::open(disk).await;
        let body =
            r#"{"email":"jane@example.com","app_metadata":{"trial":"gold","n":1,"stays":true}}"#;
        let (status, user) = house.send("POST", "/api/v2/users", body).await;
        assert_eq!(status, 201, "{user}");
        let id = user["user_id"].as_str().unwrap().replace('|', "%7C");
        let bench = Self { house, id };
        bench.ops(&json!({"expire_at": {"trial": in_seconds(10)}})).await;
        bench
    }

    async fn ask(
        &self,
        method: &str,
        target: &str,
        header: (&'static str, &str),
        body: &str,
    ) -> Told {
        let bearer = format!("Bearer {}", self.house.token(self.house.tenant(), &everything()));
        let headers = [("Authorization", bearer.as_str()), header];
        self.house.ask("localhost", method, &target.replace("{id}", &self.id), &headers, body).await
    }

    async fn ops(&self, operations: &Value) {
        let body = json!({"app_metadata": operations}).to_string();
        let (status, told) = self.ask("PATCH", "/api/v2/users/{id}", OPS, &body).await;
        assert_eq!(status, 200, "{told}");
    }

    async fn see(&self, target: &str) -> Told {
        self.ask("GET", target, JSON, "").await
    }

    fn pass(&self, seconds: u64) {
        self.house.clocks.pass(Duration::from_secs(seconds));
    }

    fn version(&self) -> u64 {
        self.house.tenant().published().version().get()
    }
}

#[test]
fn whatever_is_looked_at_first_shows_the_key_before_its_time_and_not_after() {
    System::new().block_on(async {
        for view in [
            "/api/v2/users/{id}",
            "/api/v2/users",
            "/api/v2/users?q=app_metadata.trial:gold",
            "/api/v2/users-by-email?email=jane@example.com",
            "/api/users/{id}",
            "/api/users/{id}/metadata",
            "/dossier/v1/users/{id}/app_metadata",
            "/dossier/v1/users/{id}/app_metadata/trial",
        ] {
            let bench = Bench::start(&SimDisk::new()).await;
            bench.pass(9);
            let before = bench.version();
            let (status, told) = bench.see(view).await;
            assert!(status == 200 && told.to_string().contains("gold"), "{view} {told}");
            assert_eq!(bench.version(), before, "{view}: nothing happened yet");
            bench.pass(1);
            let (_, told) = bench.see(view).await;
            assert!(!told.to_string().contains("gold"), "{view} {told}");
            assert_eq!(bench.version(), before + 1, "{view}: the removal is one change");
            bench.see(view).await;
            assert_eq!(bench.version(), before + 1, "{view}: it is removed once");
            let (_, user) = bench.see("/api/v2/users/{id}").await;
            assert_eq!(user["app_metadata"], json!({"n": 1, "stays": true}));
        }
    });
}

#[test]
fn a_write_after_the_time_is_decided_without_the_key() {
    System::new().block_on(async {
        let bench = Bench::start(&SimDisk::new()).await;
        let seen = bench.version();
        bench.pass(10);
        let tag = format!("\"{seen}\"");
        let body = r#"{"app_metadata":{"n":2}}"#;
        let (status, told) =
            bench.ask("PATCH", "/api/v2/users/{id}", ("If-Match", &tag), body).await;
        assert_eq!(status, 412, "{told}");
        assert_eq!(told["changed"][0]["path"], "app_metadata.trial");
        let test = r#"[{"op":"test","path":"/app_metadata/trial","value":"gold"}]"#;
        let json_patch = ("Content-Type", "application/json-patch+json");
        let (status, told) = bench.ask("PATCH", "/api/v2/users/{id}", json_patch, test).await;
        assert_eq!(status, 409, "{told}");
    });
}

#[test]
fn a_value_put_in_its_place_stays_and_operations_keep_the_time() {
    System::new().block_on(async {
        let bench = Bench::start(&SimDisk::new()).await;
        bench.ops(&json!({"expire_at": {"n": in_seconds(10)}, "inc": {"n": 1}})).await;
        bench.ops(&json!({"inc": {"n": 1}})).await;
        let body = r#"{"app_metadata":{"trial":"bought"}}"#;
        bench.ask("PATCH", "/api/v2/users/{id}", JSON, body).await;
        bench.pass(10);
        let (_, user) = bench.see("/api/v2/users/{id}").await;
        assert_eq!(user["app_metadata"], json!({"trial": "bought", "stays": true}));
        bench.ops(&json!({"expire_at": {"trial": in_seconds(20)}})).await;
        bench.ops(&json!({"expire_at": {"trial": null}})).await;
        bench.pass(100);
        let (_, user) = bench.see("/api/v2/users/{id}").await;
        assert_eq!(user["app_metadata"]["trial"], "bought");
        // What is over already goes with the very change that says so.
        bench.ops(&json!({"expire_at": {"trial": in_seconds(0)}})).await;
        let (_, user) = bench.see("/api/v2/users/{id}").await;
        assert_eq!(user["app_metadata"], json!({"stays": true}));
    });
}

#[test]
fn times_survive_a_restart() {
    System::new().block_on(async {
        let disk = SimDisk::new();
        let Bench { id, house } = Bench::start(&disk).await;
        drop(house);
        let bench = Bench { house: House::open(&disk).await, id };
        bench.pass(9);
        let (_, user) = bench.see("/api/v2/users/{id}").await;
        assert_eq!(user["app_metadata"]["trial"], "gold");
        bench.pass(1);
        let (_, user) = bench.see("/api/v2/users/{id}").await;
        assert_eq!(user["app_metadata"], json!({"n": 1, "stays": true}));
    });
}

#[test]
fn many_keys_go_at_once() {
    System::new().block_on(async {
        let bench = Bench::start(&SimDisk::new()).await;
        for number in 0..150 {
            let body = format!(r#"{{"email":"u{number}@example.com","user_metadata":{{"k":1}}}}"#);
            let (_, user) = bench.house.send("POST", "/api/v2/users", &body).await;
            let target =
                format!("/api/v2/users/{}", user["user_id"].as_str().unwrap().replace('|', "%7C"));
            let ops = json!({"user_metadata": {"expire_at": {"k": in_seconds(5 + number % 3)}}});
            let (status, told) = bench.ask("PATCH", &target, OPS, &ops.to_string()).await;
            assert_eq!(status, 200, "{told}");
        }
        bench.pass(10);
        let (_, found) =
            bench.see("/api/v2/users?q=_exists_:user_metadata.k&include_totals=true").await;
        assert_eq!(found["total"], 0, "{found}");
    });
}

#[test]
fn a_key_goes_without_anybody_asking() {
    let server = Server::start();
    let created = server
        .json("POST", "/api/v2/users", r#"{"email":"jane@example.com","user_metadata":{"k":1}}"#)
        .expect(201);
    let target = format!("/api/v2/users/{}", created.json()["user_id"].as_str().unwrap());
    let made = Timestamp::parse(created.json()["created_at"].as_str().unwrap()).unwrap();
    let soon = Timestamp::from_millis(made.millis() + 1500);
    let body = format!(r#"{{"user_metadata":{{"expire_at":{{"k":"{soon}"}}}}}}"#);
    let headers = [("Authorization", server.admin()), OPS];
    let told = server.request("PATCH", &target, &headers, Some(body.as_bytes())).expect(200);
    let key = format!("/dossier/v1{}/user_metadata/k", target.trim_start_matches("/api/v2"));
    let shown = server.get(&key);
    if shown.status == 200 {
        assert_eq!(shown.header("dossier-expires-at"), Some(soon.to_string().as_str()));
    }
    // A call would let the key go itself, so the disk is asked: the removal says why it was made.
    let folder = server.data_dir().join("journal");
    until("the removal", || {
        let mut files = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
        let reason = b"its time had come";
        let says = |bytes: Vec<u8>| bytes.windows(reason.len()).any(|part| part == reason);
        files.any(|file| std::fs::read(file).is_ok_and(says)).then_some(())
    });
    assert!(server.get(&target).expect(200).number("etag") > told.number("etag"));
    assert_eq!(server.get(&key).status, 404);
}
