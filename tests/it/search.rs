//! Searches through the real program: what was acknowledged is found by the next search, with an
//! index and without one.

use crate::harness::{Server, Setup, until};
use std::thread;

/// Where the last search's answer came from.
fn how(server: &Server, q: &str) -> (String, Vec<serde_json::Value>) {
    let answer = server.get(&format!("/api/v2/users?q={q}")).expect(200);
    let timing = answer.header("server-timing").expect("searches say how they went").to_owned();
    let name = timing.split('"').nth(1).expect("a name in quotes").to_owned();
    (name, answer.json().as_array().unwrap().clone())
}

fn create(server: &Server, number: usize, plan: &str) -> String {
    let body = format!(
        r#"{{"connection":"Username-Password-Authentication","email":"user-{number}@example.com","app_metadata":{{"plan":"{plan}","number":{number}}}}}"#
    );
    let user = server.json("POST", "/api/v2/users", &body).expect(201).json();
    user["user_id"].as_str().unwrap().replace('|', "%7C")
}

#[test]
fn an_index_is_made_when_it_is_worth_it_and_never_misses_a_write() {
    let server = Setup::default().set("search.index_from=50").start();
    for number in 0..40 {
        create(&server, number, "free");
    }
    let (name, found) = how(&server, "app_metadata.plan:free");
    assert_eq!((name.as_str(), found.len()), ("scan", 40), "too few users for an index");
    // Writers go on while the index is made; each looks for what it was just told is there.
    thread::scope(|scope| {
        for writer in 0..4_usize {
            let server = &server;
            scope.spawn(move || {
                for round in 0..40 {
                    let number = 100 + writer * 100 + round;
                    let id = create(server, number, "full");
                    let q = format!("app_metadata.number:{number}");
                    assert_eq!(how(server, &q).1.len(), 1, "user {number} was just made");
                    let patch = format!(r#"{{"app_metadata":{{"number":{}}}}}"#, number + 10_000);
                    server.json("PATCH", &format!("/api/v2/users/{id}"), &patch).expect(200);
                    assert_eq!(how(server, &q).1.len(), 0, "user {number} was just changed");
                    if round % 4 == 0 {
                        server.json("DELETE", &format!("/api/v2/users/{id}"), "").expect(204);
                        let q = format!("app_metadata.number:{}", number + 10_000);
                        assert_eq!(how(server, &q).1.len(), 0, "user {number} was just deleted");
                    }
                }
            });
        }
    });
    let found = until("an index", || {
        let (name, found) = how(&server, "app_metadata.plan:full&per_page=100");
        (name == "index").then_some(found)
    });
    assert_eq!(found.len(), 100);
    let totals = server
        .get("/api/v2/users?q=app_metadata.plan:full&include_totals=true&page=1&per_page=50")
        .json();
    assert_eq!(
        (totals["total"].as_u64(), totals["start"].as_u64(), totals["length"].as_u64()),
        (Some(120), Some(50), Some(50))
    );
}

#[test]
fn who_is_named_is_found_without_asking_everyone() {
    let server = Server::start();
    let id = create(&server, 1, "free");
    create(&server, 2, "free");
    for q in [
        "email:%22USER-1@example.com%22".to_owned(),
        format!("user_id:%22{id}%22"),
        "app_metadata.plan:free%20AND%20email:%22user-1@example.com%22".to_owned(),
    ] {
        let (name, found) = how(&server, &q);
        assert_eq!((name.as_str(), found.len()), ("hybrid", 1), "{q}");
    }
}

/// Every field that is suggested for a beginning, with where the answer came from.
fn fields(server: &Server, prefix: &str) -> (String, Vec<String>) {
    let answer = server.get(&format!("/dossier/v1/search/fields?prefix={prefix}&limit=100"));
    let answer = answer.expect(200).json();
    let names = answer["fields"].as_array().unwrap().iter();
    let names = names.map(|one| one["field"].as_str().unwrap().to_owned()).collect();
    (answer["source"].as_str().unwrap().to_owned(), names)
}

#[test]
fn what_is_suggested_is_what_users_have_now_with_an_index_and_without() {
    for (setting, source) in [("search.index_from=0", "scan"), ("search.index_from=1", "index")] {
        let server = Setup::default().set(setting).start();
        let id = create(&server, 1, "gold");
        create(&server, 2, "free");
        create(&server, 3, "free");
        until("an index, where there is one", || {
            how(&server, "app_metadata.plan:free");
            (fields(&server, "").0 == source).then_some(())
        });
        let (_, names) = fields(&server, "app");
        assert_eq!(names, ["app_metadata", "app_metadata.number", "app_metadata.plan"]);
        let values = |field: &str, rest: &str| {
            let target = format!("/dossier/v1/search/values?field={field}{rest}");
            server.get(&target).expect(200).json()
        };
        let plans = values("app_metadata.plan", "");
        let one = |value: &str, users: u64| serde_json::json!({"value": value, "term": value, "users": users});
        assert_eq!(plans["values"], serde_json::json!([one("free", 2), one("gold", 1)]));
        assert_eq!((&plans["distinct"], &plans["users"]), (&2.into(), &3.into()));
        assert_eq!(
            values("app_metadata.plan", "&limit=1")["values"],
            serde_json::json!([one("free", 2)])
        );
        assert_eq!(
            values("app_metadata.plan", "&prefix=g")["values"],
            serde_json::json!([one("gold", 1)])
        );
        // At once, as every search.
        let patch = r#"{"app_metadata":{"plan":null,"since":"2025-01-01"}}"#;
        server.json("PATCH", &format!("/api/v2/users/{id}"), patch).expect(200);
        assert_eq!(values("app_metadata.plan", "")["values"], serde_json::json!([one("free", 2)]));
        let (from, names) = fields(&server, "app_metadata.S");
        assert_eq!((from.as_str(), names), (source, vec!["app_metadata.since".to_owned()]));
        server.json("DELETE", &format!("/api/v2/users/{id}"), "").expect(204);
        assert_eq!(fields(&server, "app_metadata.since").1, Vec::<String>::new());
        for wrong in [
            "values",
            "values?field=",
            "values?field=a%20b",
            "values?field=email&limit=0",
            "fields?limit=101",
            "fields?field=x",
        ] {
            let answer = server.get(&format!("/dossier/v1/search/{wrong}")).expect(400).json();
            assert_eq!(answer["errorCode"], "invalid_query_string", "{wrong}: {answer}");
        }
    }
}
