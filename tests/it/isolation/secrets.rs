//! What needs a scope of its own to be seen, looked for in the answers of all routes.

use super::{Bench, CASES, name, named, routes};
use actix_rt::System;

/// Something secret: what it is, its text, and the scopes that show it.
struct Kept {
    what: &'static str,
    text: String,
    shown_to: &'static [&'static str],
}

const KEYS: &[&str] = &["read:client_keys", "read:client_credentials"];

/// Things with secrets among their members, and who sees those.
const FREE: &[(&str, &str, &str, &[&str])] = &[
    (
        "an option of a connection",
        "/api/v2/connections",
        r#"{"name":"corp","strategy":"oidc","options":{"client_secret":"option-marker","bearer":"bearer-marker","configuration":{"API_KEY":"nested-marker"}},"authentication":{"password":"authentication-marker"}}"#,
        &["read:connections"],
    ),
    (
        "the key of an API",
        "/api/v2/resource-servers",
        r#"{"identifier":"urn:signed","signing_alg":"HS256","signing_secret":"signing-secret-marker"}"#,
        &["read:resource_servers"],
    ),
    (
        "a key of a client",
        "/api/v2/clients",
        r#"{"name":"keyed","encryption_key":{"pub":"encryption-marker"}}"#,
        KEYS,
    ),
];

/// Everything secret that the default tenant has.
async fn kept(bench: &Bench) -> Vec<Kept> {
    let tenant = bench.house.tenant();
    let mut kept: Vec<Kept> = tenant
        .published()
        .clients()
        .iter()
        .map(|client| {
            let text = client.to_json(tenant.id(), true);
            let client: serde_json::Value = serde_json::from_str(&text).unwrap();
            let text = client["client_secret"].as_str().unwrap().to_owned();
            Kept { what: "the secret of a client", text, shown_to: KEYS }
        })
        .collect();
    let job = format!("/api/v2/jobs/{}", bench.own["job"]);
    let (_, job) = bench.with(&super::everything(), None, ("GET", &job, "")).await;
    let ticket = job["ticket"].as_str().unwrap().split_once("ticket=").unwrap().1;
    let text = ticket.trim_end_matches('#').to_owned();
    kept.push(Kept { what: "the ticket of a job", text, shown_to: &["create:user_tickets"] });
    // What is free in its form can hold secrets too.
    for (what, target, body, shown_to) in FREE {
        let made = bench.with(&super::everything(), None, ("POST", target, body)).await;
        assert_eq!(made.0, 201, "{}", made.1);
        for mark in body.split('"').filter(|text| text.ends_with("-marker")) {
            kept.push(Kept { what, text: mark.to_owned(), shown_to });
        }
    }
    // Of passwords nobody sees even the hash.
    let body = r#"{"email":"keeper@example.com","password":"Correct-Horse-9"}"#;
    let made = bench.with(&["create:users"], None, ("POST", "/api/v2/users", body)).await;
    assert_eq!(made.0, 201, "{}", made.1);
    for text in ["$argon2", "$2b$", "Correct-Horse-9"] {
        kept.push(Kept { what: "a password", text: text.to_owned(), shown_to: &[] });
    }
    kept
}

#[test]
fn what_is_secret_is_in_no_answer_to_whom_it_is_not_for() {
    System::new().block_on(async {
        let bench = Bench::start().await;
        let kept = kept(&bench).await;
        assert!(kept.len() > 6, "{}", kept.len());
        let mut seen = vec![false; kept.len()];
        for case in CASES {
            let route = routes().find(|route| name(route) == case.route).unwrap();
            let target = named(case.target, &bench.own);
            let mark = if target.contains('?') { '&' } else { '?' };
            let target = match route.method {
                "GET" => target,
                _ => format!("{target}{mark}dry_run=true"),
            };
            let all = bench.ask(case, &target, Some(&bench.token(&super::everything()))).await;
            for (one, seen) in kept.iter().zip(&mut seen) {
                *seen |= all.1.to_string().contains(&one.text);
                let mut scopes = super::everything();
                scopes.retain(|scope| !one.shown_to.contains(scope));
                let told = bench.ask(case, &target, Some(&bench.token(&scopes))).await;
                let text = told.1.to_string();
                assert!(!text.contains(&one.text), "{} tells {}: {text}", case.route, one.what);
            }
        }
        // It is not that it was looked for in the wrong places.
        for (one, seen) in kept.iter().zip(seen) {
            assert_eq!(seen, !one.shown_to.is_empty(), "{} {}", one.what, one.text);
        }
    });
}
