//! The time of an answer does not tell whether a user exists.

use crate::harness::house::{House, JSON};
use actix_rt::System;
use dossier::journal::testing::SimDisk;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How often each case is tried.
const TRIES: usize = 15;

#[test]
fn an_unknown_user_takes_as_long_as_a_wrong_password() {
    System::new().block_on(async {
        let house = House::open(&SimDisk::new()).await;
        let client = json!({"name": "app", "grant_types": ["http://auth0.com/oauth/grant-type/password-realm"]}).to_string();
        let (status, client) = house.send("POST", "/api/v2/clients", &client).await;
        assert_eq!(status, 201, "{client}");
        let connection = "Username-Password-Authentication";
        let user = json!({
            "connection": connection,
            "email": "jane@example.com",
            "password": "Correct-Horse-9",
        });
        assert_eq!(house.send("POST", "/api/v2/users", &user.to_string()).await.0, 201);
        let no_password = json!({"email": "none@example.com"}).to_string();
        assert_eq!(house.send("POST", "/api/v2/users", &no_password).await.0, 201);
        let ask = async |name: &str, password: &str| {
            let body = json!({
                "grant_type": "http://auth0.com/oauth/grant-type/password-realm",
                "realm": connection,
                "username": format!("{name}@example.com"),
                "password": password,
                "client_id": client["client_id"],
                "client_secret": client["client_secret"],
            });
            let begun = Instant::now();
            let told = house.ask("localhost", "POST", "/oauth/token", &[JSON], &body.to_string());
            let (status, told) = told.await;
            (begun.elapsed(), status, told)
        };
        let (_, status, told) = ask("jane", "Correct-Horse-9").await;
        assert_eq!(status, 200, "the right password is let in: {told}");

        // In turns, so that whatever else goes on concerns them alike.
        let names = ["jane", "nobody", "none"];
        let mut times: [Vec<Duration>; 3] = Default::default();
        let mut answers: [Value; 3] = Default::default();
        for _ in 0..TRIES {
            for (place, name) in names.iter().enumerate() {
                let (time, status, told) = ask(name, "Wrong-Horse-9").await;
                assert_eq!(status, 403, "{name}: {told}");
                times[place].push(time);
                answers[place] = told;
            }
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
        let median = |times: &mut Vec<Duration>| {
            times.sort();
            times[times.len() / 2].as_secs_f64()
        };
        let medians = times.each_mut().map(median);
        for (name, found) in names.iter().zip(medians) {
            let ratio = found / medians[0];
            assert!((0.5..2.0).contains(&ratio), "{name}: {ratio} of a wrong password");
        }
    });
}
