//! Imports, exports, verification e-mails and tickets, as clients send them (CONTRACT.md §5).

use crate::harness::{Bearer, Response, Server, Setup, until};
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::io::Read;

const MULTIPART: &str = "multipart/form-data; boundary=----x";

/// The id of the default database connection.
fn connection(server: &Server) -> String {
    let found = server.get("/api/v2/connections?name=Username-Password-Authentication").expect(200);
    found.json()[0]["id"].as_str().unwrap().to_owned()
}

fn multipart(parts: &[(&str, &str)]) -> String {
    let mut body = String::new();
    for (name, text) in parts {
        let file = if *name == "users" {
            "; filename=\"users.json\"\r\nContent-Type: application/json"
        } else {
            ""
        };
        write!(
            body,
            "------x\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{text}\r\n"
        )
        .unwrap();
    }
    body + "------x--\r\n"
}

fn post(server: &Server, body: &str) -> Response {
    let headers = [("Authorization", server.admin()), ("Content-Type", MULTIPART)];
    server.request("POST", "/api/v2/jobs/users-imports", &headers, Some(body.as_bytes()))
}

pub(crate) fn import(server: &Server, users: &str, upsert: bool) -> Value {
    let upsert = upsert.to_string();
    let id = connection(server);
    let parts =
        [("users", users), ("connection_id", &id), ("upsert", &upsert), ("external_id", "")];
    post(server, &multipart(&parts)).expect(202).json()
}

/// The job once it ended.
pub(crate) fn ended(server: &Server, job: &Value) -> Value {
    let path = format!("/api/v2/jobs/{}", job["id"].as_str().unwrap());
    until("the end of the job", || {
        let job = server.get(&path).expect(200).json();
        (job["status"] == "completed" || job["status"] == "failed").then_some(job)
    })
}

fn errors(server: &Server, job: &Value) -> Response {
    server.get(&format!("/api/v2/jobs/{}/errors", job["id"].as_str().unwrap()))
}

#[test]
fn an_import_makes_users_and_tells_of_rows_it_refused() {
    let server = Server::start();
    let job =
        import(&server, r#"[{"email":"Ann@x.io","user_id":"ann","app_metadata":{"a":1}}]"#, false);
    let keys: Vec<&String> = job.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["type", "status", "connection_id", "connection", "created_at", "id"]);
    assert_eq!((&job["type"], &job["status"]), (&json!("users_import"), &json!("pending")));
    let done = ended(&server, &job);
    assert_eq!(done["summary"], json!({"failed":0,"updated":0,"inserted":1,"total":1}), "{done}");
    assert_eq!(errors(&server, &job).expect(204).body, b"");
    let ann = server.get("/api/v2/users/auth0%7Cann").expect(200).json();
    assert_eq!(ann["email"], "ann@x.io");
    assert!(ann["picture"].as_str().unwrap().starts_with("https://secure.gravatar.com/"), "{ann}");

    let again = import(
        &server,
        r#"[{"email":"ann@x.io","password_hash":"secret"},{"email":"ann@x.io"},{"email":"bob@x.io"}]"#,
        false,
    );
    let done = ended(&server, &again);
    assert_eq!(done["summary"], json!({"failed":2,"updated":0,"inserted":1,"total":3}), "{done}");
    let refused = errors(&server, &again).expect(200);
    assert_eq!(refused.header("content-type"), Some("application/json"));
    assert!(!refused.text().contains("secret"), "{}", refused.text());
    let refused = refused.json();
    assert_eq!(refused[0]["errors"][0]["code"], "FORMAT");
    assert_eq!(
        refused[1],
        json!({"user":{"email":"ann@x.io"},"errors":[{"code":"DUPLICATED_USER","message":"The user already exist and upsert parameter is false"}]})
    );

    let upsert = import(&server, r#"[{"email":"ann@x.io","app_metadata":{"b":2}}]"#, true);
    assert_eq!(ended(&server, &upsert)["summary"]["updated"], 1);
    let ann = server.get("/api/v2/users/auth0%7Cann").expect(200).json();
    assert_eq!(ann["app_metadata"], json!({"b":2}));
}

#[test]
fn a_body_without_a_length_is_taken_too() {
    let server = Server::start();
    let id = connection(&server);
    let body = multipart(&[("users", r#"[{"email":"ann@x.io"}]"#), ("connection_id", &id)]);
    let mut connection = server.connect();
    let headers = [
        ("Authorization", server.admin()),
        ("Content-Type", MULTIPART),
        ("Transfer-Encoding", "chunked"),
    ];
    connection.head("POST", "/api/v2/jobs/users-imports", &headers).unwrap();
    for piece in body.as_bytes().chunks(7) {
        connection.chunk(piece).unwrap();
    }
    connection.raw(b"0\r\n\r\n").unwrap();
    let job = connection.answer(false).unwrap().expect(202).json();
    assert_eq!(ended(&server, &job)["summary"]["inserted"], 1);
}

#[test]
fn what_is_no_import_is_refused_in_auth0s_words() {
    let server = Server::start();
    let id = connection(&server);
    let check = |parts: &[(&str, &str)], status: u16, message: &str| {
        let answer = post(&server, &multipart(parts)).expect(status).json();
        assert_eq!(answer["message"], message);
    };
    let to = ("connection_id", id.as_str());
    check(&[to], 400, "Must provide 'users' file as multipart part.");
    check(&[("users", ""), to], 400, "Users file must not be empty.");
    check(&[("users", "[]")], 400, "Must provide 'connection_id' as multipart part.");
    let nowhere = ("connection_id", "con_0000000000000000");
    check(&[("users", "[]"), nowhere], 400, "The connection does not exist.");
    let too_large = "Payload content length greater than maximum allowed: 512000";
    check(&[("users", &" ".repeat(512_001)), to], 413, too_large);
    check(&[("users", &" ".repeat(600_000)), to], 413, too_large);
    let answer = post(&server, "x").expect(400).json();
    assert_eq!(answer["message"], "Payload validation error: 'Invalid multipart payload format'.");
    let social = r#"{"name":"social","strategy":"google-oauth2"}"#;
    let social = server.json("POST", "/api/v2/connections", social).expect(201).json();
    let social = social["id"].as_str().unwrap();
    let message = "Connection must be a database connection.";
    check(&[("users", "[]"), ("connection_id", social)], 400, message);

    let job = import(&server, "{}", false);
    let failed = errors(&server, &job).expect(200).json();
    assert_eq!(failed["status"], "failed", "{failed}");
    assert!(failed["status_details"].as_str().unwrap().contains("valid JSON"), "{failed}");
    assert_eq!(
        server.get("/api/v2/jobs/job_nope").expect(404).json()["errorCode"],
        "inexistent_job"
    );
    // Parts of a job are no jobs.
    let part = format!("/api/v2/jobs/{}.input", job["id"].as_str().unwrap());
    server.get(&part).expect(404);
}

#[test]
fn an_import_goes_on_after_kill_9_and_counts_no_row_twice() {
    let mut server = Server::start();
    let rows: Vec<String> = (0..4000).map(|n| format!(r#"{{"email":"u{n}@x.io"}}"#)).collect();
    let job = import(&server, &format!("[{}]", rows.join(",")), false);
    for done in [1, 500] {
        let total = "/api/v2/users?include_totals=true&per_page=1";
        until("some rows", || {
            let users = server.get(total).expect(200).json()["total"].as_u64().unwrap();
            (users >= done).then_some(())
        });
        server.restart();
    }
    assert!(server.log().contains("a job goes on after the restart"), "{}", server.log());
    let done = ended(&server, &job);
    assert_eq!(
        done["summary"],
        json!({"failed":0,"updated":0,"inserted":4000,"total":4000}),
        "{done}"
    );
    let users = server.get("/api/v2/users?include_totals=true&per_page=1").expect(200).json();
    assert_eq!(users["total"], 4000);
    errors(&server, &job).expect(204);
}

fn export(server: &Server, body: &str) -> (Value, String) {
    let job = server.json("POST", "/api/v2/jobs/users-exports", body).expect(200).json();
    let done = ended(server, &job);
    assert_eq!(done["status"], "completed", "{done}");
    (job, download(server, &done))
}

fn download(server: &Server, done: &Value) -> String {
    let location = done["location"].as_str().unwrap();
    let path = location.strip_prefix(&server.url).unwrap();
    let answer = server.request("GET", path, &[], None).expect(200);
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let mut text = String::new();
    GzDecoder::new(answer.body.as_slice()).read_to_string(&mut text).unwrap();
    text
}

#[test]
fn an_export_is_a_packed_file_behind_a_link() {
    let mut server = Server::start();
    for n in 0..3 {
        let body = format!(
            r#"{{"email":"u{n}@x.io","name":"=1+{n}","user_metadata":{{"n":{n},"deep":{{"a":"b"}}}}}}"#
        );
        server.json("POST", "/api/v2/users", &body).expect(201);
    }
    let (job, text) = export(
        &server,
        &format!(
            r#"{{"connection_id":"{}","format":"json","limit":2,"fields":[{{"name":"email"}},{{"name":"user_metadata.deep.a","export_as":"a"}}]}}"#,
            connection(&server)
        ),
    );
    let keys: Vec<&String> = job.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        [
            "type",
            "status",
            "connection_id",
            "format",
            "limit",
            "fields",
            "connection",
            "created_at",
            "id"
        ]
    );
    assert_eq!(text, "{\"email\":\"u0@x.io\",\"a\":\"b\"}\n{\"email\":\"u1@x.io\",\"a\":\"b\"}\n");
    let (_, text) = export(
        &server,
        r#"{"format":"csv","fields":[{"name":"name"},{"name":"identities[0].connection"},{"name":"email_verified"}]}"#,
    );
    let first = text.lines().nth(1).unwrap();
    assert_eq!(first, "\"'=1+0\",\"'Username-Password-Authentication\",false");
    let (job, text) = export(&server, "{}");
    assert_eq!(text.lines().count(), 3);
    assert!(text.contains("\"user_id\":\"auth0|"), "{text}");

    server.request("GET", "/dossier/v1/exports/job_x.1.x.json.gz", &[], None).expect(404);
    server.restart();
    // The file went with the process: it is made anew, and the old link is worth nothing.
    let done = ended(&server, &job);
    assert_eq!(download(&server, &done).lines().count(), 3);
}

#[test]
fn a_ticket_verifies_an_address_once() {
    let server = Server::start();
    let user = server.json("POST", "/api/v2/users", r#"{"email":"ann@x.io"}"#).expect(201).json();
    let id = user["user_id"].as_str().unwrap();
    let body = format!(r#"{{"user_id":"{id}"}}"#);
    let job = server.json("POST", "/api/v2/jobs/verification-email", &body).expect(201).json();
    let keys: Vec<&String> = job.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["type", "status", "created_at", "id"]);
    assert_eq!(job["status"], "pending");
    let done = ended(&server, &job);
    let ticket = done["ticket"].as_str().unwrap().strip_prefix(&server.url).unwrap();
    let reader = format!("Bearer {}", server.token(&Bearer::with(&["read:users"])));
    let path = format!("/api/v2/jobs/{}", job["id"].as_str().unwrap());
    let seen = server.request("GET", &path, &[("Authorization", &reader)], None).expect(200).json();
    assert_eq!(seen.get("ticket"), None);
    let page = ticket.trim_end_matches('#');
    server.request("HEAD", page, &[], None).expect(200);
    server.request("GET", page, &[], None).expect(200);
    let after = server.get(&format!("/api/v2/users/{id}")).expect(200).json();
    assert_eq!(after["email_verified"], true);
    server.request("GET", page, &[], None).expect(404);

    let made = server.json("POST", "/api/v2/tickets/email-verification", &body).expect(201).json();
    let page = made["ticket"].as_str().unwrap().strip_prefix(&server.url).unwrap();
    server.json("PATCH", &format!("/api/v2/users/{id}"), r#"{"email":"other@x.io"}"#).expect(200);
    server.request("GET", page.trim_end_matches('#'), &[], None).expect(404);
    let after = server.get(&format!("/api/v2/users/{id}")).expect(200).json();
    assert_eq!(after["email_verified"], false, "the link went to another address");
    let nobody = r#"{"user_id":"auth0|nobody"}"#;
    server.json("POST", "/api/v2/jobs/verification-email", nobody).expect(404);
}

#[test]
fn a_ticket_sets_a_password_and_leads_back() {
    let server = Server::start();
    let user = server.json("POST", "/api/v2/users", r#"{"email":"ann@x.io"}"#).expect(201).json();
    let id = user["user_id"].as_str().unwrap();
    let body = format!(
        r#"{{"user_id":"{id}","result_url":"https://app.example/done","mark_email_as_verified":true,"ttl_sec":60}}"#
    );
    let made = server.json("POST", "/api/v2/tickets/password-change", &body).expect(201).json();
    let link = made["ticket"].as_str().unwrap().strip_prefix(&server.url).unwrap();
    let page = link.trim_end_matches('#');
    let form = server.request("GET", page, &[], None).expect(200);
    assert!(form.header("content-security-policy").unwrap().starts_with("default-src 'none'"));
    let token = page.split_once("ticket=").unwrap().1;
    let send = |password: &str| {
        let headers = [("Content-Type", "application/x-www-form-urlencoded")];
        let body = format!("ticket={token}&password={password}&again={password}");
        server.request("POST", "/lo/reset", &headers, Some(body.as_bytes()))
    };
    send("").expect(400);
    let done = send("correct+horse").expect(302);
    assert!(done.header("location").unwrap().starts_with("https://app.example/done?success=true"));
    let after = server.get(&format!("/api/v2/users/{id}")).expect(200).json();
    assert!(after["last_password_reset"].is_string(), "{after}");
    assert_eq!(after["email_verified"], true);
    send("another").expect(404);
}

#[test]
fn answers_say_how_much_may_be_asked() {
    let server = Server::start();
    let check = |answer: &Response| {
        let left = answer.number("x-ratelimit-limit") - answer.number("x-ratelimit-remaining");
        assert!(left < 100, "{answer:?}");
        assert!(answer.number("x-ratelimit-reset") > 1_700_000_000);
    };
    check(&server.get("/api/v2/users").expect(200));
    check(&server.get("/api/v2/users/nope").expect(404));
    check(&server.get("/api/v2/nowhere").expect(404));
    check(&server.request("GET", "/api/v2/users", &[], None).expect(401));
    let body = r#"{"email":"ann@x.io"}"#;
    server.json("POST", "/api/v2/users", body).expect(201);
    let conflict = server.json("POST", "/api/v2/users", body).expect(409);
    check(&conflict);
    assert_eq!(conflict.header("retry-after"), None);
    let headers = [("Authorization", server.admin()), ("X-Correlation-ID", "order-7")];
    let answer = server.request("GET", "/api/v2/users", &headers, None).expect(200);
    assert_eq!(answer.header("x-correlation-id"), Some("order-7"));
}

#[test]
fn a_token_that_asks_too_often_is_told_when_to_come_back() {
    let setup = Setup::default().set("rate_limit.enabled=true").set("rate_limit.rps=1");
    let server = setup.set("rate_limit.burst=2").start();
    let refused = until("a refusal", || {
        Some(server.get("/api/v2/users")).filter(|answer| answer.status == 429)
    });
    assert_eq!(refused.number("x-ratelimit-limit"), 2);
    assert_eq!(refused.number("x-ratelimit-remaining"), 0);
    assert_eq!(refused.number("retry-after"), 1);
    let body = refused.json();
    assert_eq!(body["message"], "Global limit has been reached");
    assert_eq!(body["errorCode"], "too_many_requests");
}
