//! The wall clock set back or forward by an hour: neither order nor expiry nor history break.

use crate::harness::house::{Clocks, House, Told, options, reopen, versions};
use actix_rt::System;
use dossier::config::Settings;
use dossier::domain::time::Timestamp;
use dossier::journal::testing::SimDisk;
use dossier::store::format::TenantUid;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const HOUR: i64 = 3600;

const fn minutes(count: u64) -> Duration {
    Duration::from_mins(count)
}

/// A house whose clocks the test holds.
struct Bench {
    disk: SimDisk,
    clocks: Clocks,
    house: House,
}

impl Bench {
    async fn start() -> Self {
        let (disk, clocks) = (SimDisk::new(), Clocks::default());
        let (journal, restored) = reopen(&disk, &options());
        let house = House::at(&clocks, Arc::new(journal), restored).await;
        Self { disk, clocks, house }
    }

    async fn send(&self, method: &str, target: &str, body: &Value) -> Told {
        // A token that outlasts whatever the clock does.
        let mut claims = crate::harness::house::claims(
            self.house.tenant(),
            &crate::harness::house::everything(),
        );
        claims.exp += 1_000_000;
        let bearer = format!("Bearer {}", self.house.sign(self.house.tenant(), &claims));
        self.with(&bearer, method, target, &body.to_string()).await
    }

    async fn with(&self, bearer: &str, method: &str, target: &str, body: &str) -> Told {
        let headers = [("Authorization", bearer), crate::harness::house::JSON];
        let body = if body == "null" { "" } else { body };
        self.house.ask("localhost", method, target, &headers, body).await
    }

    async fn create(&self) -> String {
        let (status, user) =
            self.send("POST", "/api/v2/users", &json!({"email": "jane@example.com"})).await;
        assert_eq!(status, 201, "{user}");
        user["user_id"].as_str().unwrap().to_owned()
    }

    /// A token of a client of its own, as the token endpoint gives it, and what it said.
    async fn obtain(&self, client: &Value) -> (String, Value) {
        let form = json!({
            "grant_type": "client_credentials",
            "client_id": client["client_id"],
            "client_secret": client["client_secret"],
            "audience": "http://localhost/api/v2/",
        });
        let headers = [crate::harness::house::JSON];
        let asked =
            self.house.ask("localhost", "POST", "/oauth/token", &headers, &form.to_string());
        let (status, told) = asked.await;
        assert_eq!(status, 200, "{told}");
        (format!("Bearer {}", told["access_token"].as_str().unwrap()), told)
    }

    async fn client(&self) -> Value {
        let body = json!({"name": "machine", "app_type": "non_interactive"});
        let (status, client) = self.send("POST", "/api/v2/clients", &body).await;
        assert_eq!(status, 201, "{client}");
        let grant = json!({
            "client_id": client["client_id"],
            "audience": "http://localhost/api/v2/",
            "scope": ["read:users"],
        });
        let (status, told) = self.send("POST", "/api/v2/client-grants", &grant).await;
        assert_eq!(status, 201, "{told}");
        client
    }

    async fn status_with(&self, bearer: &str) -> u16 {
        self.with(bearer, "GET", "/api/v2/users", "").await.0
    }
}

#[test]
fn a_clock_set_back_lets_no_token_live_longer() {
    System::new().block_on(async {
        for set_after in [0, 30] {
            for is_remembered in [true, false] {
                let bench = Bench::start().await;
                let tenant = bench.house.tenant();
                let bearer = format!("Bearer {}", bench.house.token(tenant, &["read:users"]));
                assert_eq!(bench.status_with(&bearer).await, 200);
                bench.clocks.pass(minutes(set_after));
                bench.clocks.set(-HOUR);
                assert_eq!(bench.status_with(&bearer).await, 200);
                bench.clocks.pass(minutes(61 - set_after));
                if !is_remembered {
                    bench.house.services.tokens.clear();
                }
                // It was made for an hour; by the wall clock hardly any of it has passed.
                assert_eq!(bench.status_with(&bearer).await, 401, "{set_after}, {is_remembered}");
                assert_eq!(bench.status_with(&bearer).await, 401, "it does not come back");
            }
        }
    });
}

#[test]
fn a_token_made_after_the_clock_was_set_lives_as_long_as_it_says() {
    System::new().block_on(async {
        for by in [-HOUR, HOUR] {
            let bench = Bench::start().await;
            let client = bench.client().await;
            bench.clocks.set(by);
            let (bearer, told) = bench.obtain(&client).await;
            assert_eq!(told["expires_in"], 86_400);
            bench.clocks.pass(minutes(24 * 60 - 1));
            assert_eq!(bench.status_with(&bearer).await, 200, "set by {by}");
            bench.clocks.pass(minutes(2));
            assert_eq!(bench.status_with(&bearer).await, 401, "set by {by}");
        }
    });
}

#[test]
fn a_clock_that_was_wrong_for_a_moment_ends_nothing_for_good() {
    System::new().block_on(async {
        let bench = Bench::start().await;
        let tenant = bench.house.tenant();
        let bearer = format!("Bearer {}", bench.house.token(tenant, &["read:users"]));
        bench.clocks.set(2 * HOUR);
        assert_eq!(bench.status_with(&bearer).await, 401);
        bench.clocks.set(-2 * HOUR);
        assert_eq!(bench.status_with(&bearer).await, 200);
    });
}

#[test]
fn updated_at_never_goes_back_and_versions_stay_in_order() {
    System::new().block_on(async {
        let bench = Bench::start().await;
        let target = format!("/api/v2/users/{}", bench.create().await);
        let mut last = String::new();
        for (number, by) in [0, HOUR, -2 * HOUR, HOUR, -HOUR, 0].into_iter().enumerate() {
            bench.clocks.set(by);
            bench.clocks.pass(Duration::from_secs(1));
            let body = json!({"user_metadata": {"n": number}});
            let (status, user) = bench.send("PATCH", &target, &body).await;
            assert_eq!(status, 200, "{user}");
            let updated = user["updated_at"].as_str().unwrap().to_owned();
            assert!(updated >= last, "{updated} after {last}");
            assert!(user["created_at"].as_str().unwrap() <= updated.as_str());
            last = updated;
        }
        let (_, user) = bench.send("GET", &target, &Value::Null).await;
        assert_eq!((&user["updated_at"], &user["user_metadata"]["n"]), (&json!(last), &json!(5)));
        // The journal keeps the order of the versions, and leads to the same state.
        let (journal, restored) = reopen(&bench.disk.fork(), &options());
        let found = &versions(&journal)[&TenantUid::DEFAULT];
        assert!(found.windows(2).all(|pair| pair[1] == pair[0].next()), "{found:?}");
        let view = restored.states[&TenantUid::DEFAULT].view();
        let kept: Vec<Value> =
            view.users().map(|one| serde_json::from_str(one.json()).unwrap()).collect();
        assert_eq!(kept, [user]);
    });
}

#[test]
fn a_clock_set_back_locks_no_client_out() {
    System::new().block_on(async {
        let bench = Bench::start().await;
        let mut settings = Settings::default();
        settings.rate_limit.enabled = true;
        (settings.rate_limit.rps, settings.rate_limit.burst) = (1, 2);
        bench.house.services.set_settings(Arc::new(settings));
        let get = || bench.send("GET", "/api/v2/users", &Value::Null);
        assert_eq!((get().await.0, get().await.0, get().await.0), (200, 200, 429));
        bench.clocks.set(-HOUR);
        assert_eq!(get().await.0, 429, "it gives nothing either");
        bench.clocks.pass(Duration::from_secs(1));
        assert_eq!((get().await.0, get().await.0), (200, 429));
        bench.clocks.set(2 * HOUR);
        assert_eq!((get().await.0, get().await.0, get().await.0), (200, 200, 429));
    });
}

#[test]
fn a_ticket_is_worth_something_for_its_time_and_no_longer() {
    System::new().block_on(async {
        for (by, made_after) in [(-HOUR, false), (-HOUR, true), (HOUR, true)] {
            for (passed, is_good) in [(9, true), (11, false)] {
                let bench = Bench::start().await;
                let body = json!({"user_id": bench.create().await, "ttl_sec": 600});
                if made_after {
                    bench.clocks.set(by);
                }
                let (status, made) =
                    bench.send("POST", "/api/v2/tickets/email-verification", &body).await;
                assert_eq!(status, 201, "{made}");
                if !made_after {
                    bench.clocks.set(by);
                }
                bench.clocks.pass(minutes(passed));
                let link = made["ticket"].as_str().unwrap();
                let target = link.strip_prefix("http://localhost").unwrap();
                let target = target.split('#').next().unwrap();
                let (status, _) = bench.house.ask("localhost", "GET", target, &[], "").await;
                assert_eq!(status < 400, is_good, "{by} {made_after} {passed}: {status}");
            }
        }
    });
}

#[test]
fn a_job_is_kept_for_a_day_of_time_that_has_passed() {
    System::new().block_on(async {
        for (by, made_after) in [(-HOUR, false), (-HOUR, true), (HOUR, true)] {
            for (passed, status) in [(24 * 60 - 1, 200), (24 * 60 + 1, 404)] {
                let bench = Bench::start().await;
                let body = json!({"user_id": bench.create().await});
                if made_after {
                    bench.clocks.set(by);
                }
                let (_, job) = bench.send("POST", "/api/v2/jobs/verification-email", &body).await;
                if !made_after {
                    bench.clocks.set(by);
                }
                bench.clocks.pass(minutes(passed));
                let target = format!("/api/v2/jobs/{}", job["id"].as_str().unwrap());
                let (found, told) = bench.send("GET", &target, &Value::Null).await;
                assert_eq!(found, status, "{by} {made_after} {passed}: {told}");
            }
        }
    });
}

#[test]
fn a_clock_that_was_wrong_for_a_moment_ends_no_import() {
    System::new().block_on(async {
        let bench = Bench::start().await;
        let (_, found) = bench.send("GET", "/api/v2/connections", &Value::Null).await;
        let connection = found[0]["id"].as_str().unwrap();
        let part = |name: &str, text: &str| {
            format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{text}\r\n")
        };
        let users: Vec<Value> =
            (0..2000).map(|number| json!({"email": format!("u{number}@example.com")})).collect();
        let body = part("connection_id", connection)
            + &part("users", &json!(users).to_string())
            + "--x--\r\n";
        let tenant = bench.house.tenant();
        let everything = crate::harness::house::everything();
        let mut claims = crate::harness::house::claims(tenant, &everything);
        claims.exp += 1_000_000;
        let bearer = format!("Bearer {}", bench.house.sign(tenant, &claims));
        let kind = ("Content-Type", "multipart/form-data; boundary=x");
        let headers = [("Authorization", bearer.as_str()), kind];
        let import = "/api/v2/jobs/users-imports";
        let (status, job) = bench.house.ask("localhost", "POST", import, &headers, &body).await;
        assert_eq!(status, 202, "{job}");
        let target = format!("/api/v2/jobs/{}", job["id"].as_str().unwrap());
        bench.clocks.set(3 * HOUR);
        bench.clocks.pass(Duration::from_secs(1));
        let ended = loop {
            let (_, job) = bench.send("GET", &target, &Value::Null).await;
            if job["status"] != "pending" && job["status"] != "processing" {
                break job;
            }
            actix_rt::task::yield_now().await;
        };
        assert_eq!(ended["status"], "completed", "{ended}");
        assert_eq!(ended["summary"]["inserted"], 2000);
    });
}

#[test]
fn validity_is_never_judged_by_less_than_the_time_that_has_passed() {
    let bench_of = |by: i64, passed: u64| {
        System::new().block_on(async {
            let bench = Bench::start().await;
            let services = &bench.house.services;
            let now = services.valid_at(bench.clocks.now());
            bench.clocks.set(by);
            bench.clocks.pass(minutes(passed));
            (now, services.valid_at(bench.clocks.now()))
        })
    };
    let later = |from: Timestamp, by: u64| {
        Timestamp::from_millis(from.millis() + 60_000 * i64::try_from(by).unwrap())
    };
    let (then, now) = bench_of(-HOUR, 31);
    assert_eq!(now, later(then, 31), "an hour less on the wall, half an hour more in truth");
    let (then, now) = bench_of(HOUR, 31);
    assert_eq!(now, later(then, 91));
}
