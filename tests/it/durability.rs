//! What is acknowledged, or was shown to anybody, is on disk: over a disk that waits, fails,
//! runs full and loses power when told, and over a real file system that is really full.

use crate::harness::house::{House, Told, options, reopen, versions};
use actix_rt::System;
use dossier::journal::testing::{Fault, Operation, SimDisk};
use dossier::store::format::TenantUid;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

mod broken;
mod power;
mod real;
mod waiting;

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// A house with one user.
struct Bench {
    disk: SimDisk,
    house: House,
    target: String,
}

impl Bench {
    async fn start() -> Self {
        let disk = SimDisk::new();
        let house = House::open(&disk).await;
        let body = r#"{"email":"jane@example.com","user_metadata":{"a":1}}"#;
        let (status, created) = house.send("POST", "/api/v2/users", body).await;
        assert_eq!(status, 201, "{created}");
        let target = format!("/api/v2/users/{}", created["user_id"].as_str().unwrap());
        Self { disk, house, target }
    }

    fn patch(&self, metadata: &str) -> impl Future<Output = Told> + use<> {
        self.house.send("PATCH", &self.target, &format!(r#"{{"user_metadata":{metadata}}}"#))
    }

    async fn user(&self) -> Value {
        let (status, user) = self.house.send("GET", &self.target, "").await;
        assert_eq!(status, 200, "{user}");
        user
    }

    async fn ready(&self) -> Told {
        self.house.send("GET", "/readyz", "").await
    }

    /// Waits until a sync is being held back, and lets everything else go on meanwhile.
    async fn held(&self) {
        let disk = self.disk.clone();
        actix_web::web::block(move || disk.wait_for_held_sync()).await.unwrap();
    }

    /// The users after the power went and came back; `survives` says what of the unsynced is left.
    fn after_power_cut(&self, survives: &mut dyn FnMut() -> bool) -> BTreeMap<String, Value> {
        let disk = self.disk.fork();
        disk.cut_power(survives);
        users_on(&disk)
    }
}

/// The users on a disk; that it opens, and that no version is missing or twice, is checked.
fn users_on(disk: &SimDisk) -> BTreeMap<String, Value> {
    let (journal, restored) = reopen(disk, &options());
    for (uid, found) in versions(&journal) {
        let numbers: Vec<u64> = found.iter().map(|version| version.get()).collect();
        let dense: Vec<u64> = (1..).take(numbers.len()).collect();
        assert_eq!(numbers, dense, "tenant {uid}");
    }
    let view = restored.states[&TenantUid::DEFAULT].view();
    view.users()
        .map(|user| (user.id().to_owned(), serde_json::from_str(user.json()).unwrap()))
        .collect()
}

#[track_caller]
fn is_problem(told: &Told, status: u16, code: &str) {
    assert_eq!(told.0, status, "{}", told.1);
    assert_eq!(told.1["statusCode"], status, "{}", told.1);
    assert_eq!(told.1["errorCode"], code, "{}", told.1);
    assert!(told.1["message"].as_str().is_some_and(|text| text.ends_with('.')), "{}", told.1);
}

/// The one entry of a list of users.
#[track_caller]
fn only(users: &BTreeMap<String, Value>) -> &Value {
    assert_eq!(users.len(), 1, "{users:?}");
    users.values().next().unwrap()
}

#[test]
fn what_is_not_on_disk_is_answered_to_nobody_and_seen_by_nobody() {
    System::new().block_on(async {
        let bench = Bench::start().await;
        let before = bench.user().await;
        bench.disk.hold_syncs();
        let writer = actix_rt::spawn(bench.patch(r#"{"b":2}"#));
        bench.held().await;
        assert_eq!(bench.user().await, before, "a reader saw what a crash can take back");
        let (_, list) = bench.house.send("GET", "/api/v2/users", "").await;
        assert_eq!(list, json!([before]), "a list showed what a crash can take back");
        assert!(!writer.is_finished(), "a write was acknowledged before its sync");
        assert_eq!(only(&bench.after_power_cut(&mut || false)), &before);

        bench.disk.release_syncs();
        let (status, answer) = writer.await.unwrap();
        assert_eq!((status, &answer["user_metadata"]), (200, &json!({"a":1,"b":2})));
        assert_eq!(bench.user().await, answer);
        assert_eq!(only(&bench.after_power_cut(&mut || false)), &answer);
    });
}

#[test]
fn while_the_disk_takes_longer_than_a_write_waits_it_is_not_ready() {
    System::new().block_on(async {
        let bench = Bench::start().await;
        assert_eq!(bench.ready().await.0, 200);
        bench.disk.hold_syncs();
        let writer = actix_rt::spawn(bench.patch(r#"{"b":2}"#));
        bench.held().await;
        let slow = loop {
            let (status, told) = bench.ready().await;
            if status == 503 {
                break told;
            }
            assert!(!writer.is_finished());
            actix_rt::time::sleep(Duration::from_millis(20)).await;
        };
        assert_eq!((&slow["status"], &slow["journal"]), (&json!("degraded"), &json!("slow")));
        bench.disk.release_syncs();
        assert_eq!(writer.await.unwrap().0, 200);
        while bench.ready().await.0 != 200 {
            actix_rt::time::sleep(Duration::from_millis(20)).await;
        }
    });
}

#[test]
fn a_refusal_that_leans_on_what_is_held_waits_for_it() {
    System::new().block_on(async {
        let bench = Bench::start().await;
        bench.disk.hold_syncs();
        let john = r#"{"email":"john@example.com"}"#;
        let first = actix_rt::spawn(bench.house.send("POST", "/api/v2/users", john));
        bench.held().await;
        let second = actix_rt::spawn(bench.house.send("POST", "/api/v2/users", john));
        let (_, found) =
            bench.house.send("GET", "/api/v2/users-by-email?email=john@example.com", "").await;
        assert_eq!(found, json!([]));
        assert!(!second.is_finished(), "a refusal told of what a crash can take back");
        bench.disk.release_syncs();
        assert_eq!(first.await.unwrap().0, 201);
        assert_eq!(second.await.unwrap().0, 409);
    });
}

#[test]
fn after_a_failed_write_or_sync_nothing_is_acknowledged_and_reads_go_on() {
    for (operation, written_bytes) in
        [(Operation::Write, 0), (Operation::Write, 9), (Operation::Write, 60), (Operation::Sync, 0)]
    {
        System::new().block_on(async {
            let bench = Bench::start().await;
            let before = bench.user().await;
            assert_eq!(bench.ready().await.0, 200);
            bench.disk.inject(Fault { operation, after_calls: 0, errno: EIO, written_bytes });
            is_problem(&bench.patch(r#"{"b":2}"#).await, 503, "outcome_unknown");
            for _ in 0..3 {
                is_problem(&bench.patch(r#"{"c":3}"#).await, 503, "storage_failed");
            }
            assert_eq!(bench.user().await, before);
            let (status, ready) = bench.ready().await;
            assert_eq!(
                (status, &ready["status"], &ready["journal"]),
                (503, &json!("failed"), &json!("failed"))
            );
            assert_eq!(bench.house.send("GET", "/livez", "").await.0, 200);
            // Whether the write of unknown outcome is kept shows now; nothing else can be there.
            for survives in [false, true] {
                let users = bench.after_power_cut(&mut || survives);
                let bag = &only(&users)["user_metadata"];
                assert!(bag == &json!({"a":1}) || bag == &json!({"a":1,"b":2}), "{bag}");
            }
        });
    }
}

#[test]
fn a_full_disk_is_507_changes_nothing_and_heals_without_a_restart() {
    System::new().block_on(async {
        let bench = Bench::start().await;
        let fill = format!(r#"{{"fill":"{}"}}"#, "x".repeat(600));
        bench.disk.set_capacity(Some(bench.disk.used_bytes()));
        let mut acknowledged = bench.user().await;
        let refused = loop {
            let told = bench.patch(&fill).await;
            if told.0 != 200 {
                break told;
            }
            acknowledged = told.1;
        };
        is_problem(&refused, 507, "insufficient_storage");
        is_problem(&bench.patch(r#"{"b":2}"#).await, 507, "insufficient_storage");
        assert_eq!(bench.user().await, acknowledged);
        let (status, ready) = bench.ready().await;
        assert_eq!(
            (status, &ready["status"], &ready["journal"]),
            (503, &json!("degraded"), &json!("full"))
        );
        assert_eq!(only(&bench.after_power_cut(&mut || true)), &acknowledged);

        bench.disk.set_capacity(None);
        let healed = loop {
            let told = bench.patch(r#"{"b":2}"#).await;
            if told.0 == 200 {
                break told.1;
            }
            is_problem(&told, 507, "insufficient_storage");
            actix_rt::task::yield_now().await;
        };
        assert_eq!(healed["user_metadata"]["b"], 2);
        assert_eq!(bench.ready().await.0, 200);
        assert_eq!(only(&bench.after_power_cut(&mut || false)), &healed);
    });
}

#[test]
fn a_write_cut_short_by_a_full_disk_leaves_no_trace() {
    for written_bytes in [0, 1, 7, 8, 20, 33, 100, 300] {
        System::new().block_on(async {
            let bench = Bench::start().await;
            let operation = Operation::Write;
            bench.disk.inject(Fault { operation, after_calls: 0, errno: ENOSPC, written_bytes });
            is_problem(&bench.patch(r#"{"lost":2}"#).await, 507, "insufficient_storage");
            let kept = loop {
                let told = bench.patch(r#"{"kept":3}"#).await;
                if told.0 == 200 {
                    break told.1;
                }
                actix_rt::task::yield_now().await;
            };
            assert_eq!(kept["user_metadata"], json!({"a":1,"kept":3}));
            for survives in [false, true] {
                assert_eq!(only(&bench.after_power_cut(&mut || survives)), &kept);
            }
        });
    }
}

#[test]
fn a_journal_that_was_poisoned_opens_again_and_takes_writes() {
    System::new().block_on(async {
        let bench = Bench::start().await;
        let operation = Operation::Sync;
        bench.disk.inject(Fault { operation, after_calls: 0, errno: EIO, written_bytes: 0 });
        is_problem(&bench.patch(r#"{"b":2}"#).await, 503, "outcome_unknown");
        let disk = bench.disk.fork();
        let again = House::open(&disk).await;
        let body = r#"{"user_metadata":{"c":3}}"#;
        let (status, user) = again.send("PATCH", &bench.target, body).await;
        assert_eq!((status, &user["user_metadata"]["c"]), (200, &json!(3)));
        let synced = disk.fork();
        synced.cut_power(&mut || false);
        assert_eq!(only(&users_on(&synced)), &user);
    });
}
