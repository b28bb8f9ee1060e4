//! What one request changes, it changes in one record, or, where several tenants are involved, so
//! that nobody sees half of it. "Nothing was changed" is then true wherever it is said.

use crate::harness::house::{House, JSON, NOW};
use actix_rt::System;
use dossier::domain::command::Command;
use dossier::domain::resource::{Resource, ResourceKind, refresh_token_id, refresh_token_prefix};
use dossier::domain::time::Timestamp;
use dossier::journal::testing::{Fault, Operation, SimDisk};
use dossier::tenant::{by_server, server_provenance};
use serde_json::{Value, json};
use std::time::Duration;

const PASSWORD: &str = "Correct-Horse-9";
const CONNECTION: &str = "Username-Password-Authentication";
const ENOSPC: i32 = 28;

/// A user, and a client that may sign them in and keep them signed in.
struct Signing {
    house: House,
    user_id: String,
    client: Value,
}

impl Signing {
    async fn start() -> Self {
        let house = House::open(&SimDisk::new()).await;
        let user =
            json!({"connection": CONNECTION, "email": "jane@example.com", "password": PASSWORD});
        let (_, user) = house.send("POST", "/api/v2/users", &user.to_string()).await;
        let client = r#"{"name":"app","grant_types":["password","refresh_token"]}"#;
        let (_, client) = house.send("POST", "/api/v2/clients", client).await;
        Self { house, user_id: user["user_id"].as_str().unwrap().to_owned(), client }
    }

    fn version(&self) -> u64 {
        self.house.tenant().published().version().get()
    }

    async fn sign_in(&self) -> (u16, Value) {
        let body = json!({
            "grant_type": "password",
            "username": "jane@example.com",
            "password": PASSWORD,
            "scope": "openid offline_access",
            "client_id": self.client["client_id"],
            "client_secret": self.client["client_secret"],
        });
        self.house.ask("localhost", "POST", "/oauth/token", &[JSON], &body.to_string()).await
    }

    async fn refresh(&self, token: &Value) -> u16 {
        let body = json!({
            "grant_type": "refresh_token",
            "refresh_token": token,
            "client_id": self.client["client_id"],
            "client_secret": self.client["client_secret"],
        });
        let told = self.house.ask("localhost", "POST", "/oauth/token", &[JSON], &body.to_string());
        told.await.0
    }
}

#[test]
fn a_sign_in_and_its_refresh_token_are_one_change() {
    System::new().block_on(async {
        let signing = Signing::start().await;
        let before = signing.version();
        let (status, told) = signing.sign_in().await;
        assert_eq!((status, signing.version()), (200, before + 1), "{told}");
        assert_eq!(signing.refresh(&told["refresh_token"]).await, 200);
    });
}

#[test]
fn so_is_the_refresh_token_that_makes_room_for_it() {
    System::new().block_on(async {
        let signing = Signing::start().await;
        let (_, first) = signing.sign_in().await;
        // Others of the same sign-in, newer by a moment each.
        let tenant = signing.house.tenant();
        let model = tenant.published().resources(ResourceKind::RefreshToken).remove(0);
        for at in 1..200 {
            let id =
                refresh_token_id(&format!("{}{at:043}", refresh_token_prefix(&signing.user_id)));
            let made = Timestamp::from_millis(NOW.millis() + at).to_string();
            let body = model.body.with("created_at", &format!("\"{made}\""));
            let other = Resource { id: id.unwrap(), body, ..model.as_ref().clone() };
            let command = by_server(Command::CreateResource(Box::new(other)));
            tenant.write(command, server_provenance(), NOW).await.unwrap();
        }
        assert_eq!(signing.refresh(&first["refresh_token"]).await, 200);
        signing.house.clocks.pass(Duration::from_secs(1));
        let before = signing.version();
        let (status, last) = signing.sign_in().await;
        assert_eq!((status, signing.version()), (200, before + 1));
        assert_eq!(signing.refresh(&first["refresh_token"]).await, 403);
        assert_eq!(signing.refresh(&last["refresh_token"]).await, 200);
    });
}

#[test]
fn a_verification_job_and_its_ticket_are_one_change() {
    System::new().block_on(async {
        let signing = Signing::start().await;
        let before = signing.version();
        let body = json!({"user_id": signing.user_id}).to_string();
        let told = signing.house.send("POST", "/api/v2/jobs/verification-email", &body).await;
        assert_eq!((told.0, signing.version()), (201, before + 1), "{told:?}");
    });
}

#[test]
fn a_new_password_and_the_mark_on_the_address_are_one_change() {
    System::new().block_on(async {
        let signing = Signing::start().await;
        let body = json!({"user_id": signing.user_id, "mark_email_as_verified": true}).to_string();
        let (_, made) = signing.house.send("POST", "/api/v2/tickets/password-change", &body).await;
        let ticket = made["ticket"].as_str().unwrap();
        let (_, token) = ticket.trim_end_matches('#').split_once("ticket=").unwrap();
        let before = signing.version();
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        let form = format!("ticket={token}&password=Another-Horse-9&again=Another-Horse-9");
        let told = signing.house.ask("localhost", "POST", "/lo/reset", &headers, &form).await;
        assert_eq!((told.0, signing.version()), (200, before + 1), "{told:?}");
        let target = format!("/api/v2/users/{}", signing.user_id);
        let (_, user) = signing.house.send("GET", &target, "").await;
        assert_eq!(user["email_verified"], true);
    });
}

#[test]
fn a_tenant_is_made_with_all_it_needs_or_not_at_all() {
    System::new().block_on(async {
        let mut refusals = 0;
        for after_calls in 0..12 {
            let disk = SimDisk::new();
            let house = House::open(&disk).await;
            let fault =
                Fault { operation: Operation::Write, after_calls, errno: ENOSPC, written_bytes: 0 };
            disk.inject(fault);
            let make = || house.send("POST", "/dossier/v1/tenants", r#"{"id":"alpha"}"#);
            let (status, told) = make().await;
            let (status, told) = if status == 201 {
                (status, told)
            } else {
                refusals += 1;
                assert_eq!((status, &told["errorCode"]), (507, &json!("insufficient_storage")));
                assert!(house.directory.tenant("alpha").is_none(), "{after_calls}");
                let (_, list) = house.send("GET", "/dossier/v1/tenants", "").await;
                assert_eq!(list["tenants"].as_array().unwrap().len(), 1, "{after_calls}");
                // As soon as there is space, it is made as if nothing had been.
                loop {
                    let (status, told) = make().await;
                    if status != 507 {
                        break (status, told);
                    }
                    actix_rt::task::yield_now().await;
                }
            };
            assert_eq!(status, 201, "{after_calls}: {told}");
            let body = json!({
                "grant_type": "client_credentials",
                "client_id": told["client"]["client_id"],
                "client_secret": told["client"]["client_secret"],
                "audience": "https://alpha.localhost/api/v2/",
            });
            let (status, told) = house
                .ask("alpha.localhost", "POST", "/oauth/token", &[JSON], &body.to_string())
                .await;
            assert_eq!(status, 200, "{after_calls}: {told}");
        }
        assert!(refusals > 2, "the disk was full in the midst of it {refusals} times only");
    });
}
