//! Roles and permissions are kept like everything else of a user: in the journal, and in snapshots.

use crate::harness::Server;
use rustix::process::Signal;
use serde_json::json;

#[test]
fn what_was_granted_outlives_a_crash_and_a_snapshot() {
    let mut server = Server::start();
    let body = r#"{"email":"jane@example.com"}"#;
    let made = server.json("POST", "/api/v2/users", body).expect(201).json();
    let place = format!("/api/v2/users/{}", made["user_id"].as_str().unwrap());
    let permission = json!({"resource_server_identifier": "https://a", "permission_name": "read"});
    let permissions = json!({ "permissions": [permission] }).to_string();
    server.json("POST", &format!("{place}/roles"), r#"{"roles":["rol_1"]}"#).expect(204);
    server.json("POST", &format!("{place}/permissions"), &permissions).expect(201);
    let seen = |server: &Server| {
        ["roles", "permissions"]
            .map(|name| server.get(&format!("{place}/{name}")).expect(200).json())
    };
    let before = seen(&server);
    assert_eq!(before[0], json!([{"id": "rol_1", "name": "rol_1", "description": ""}]));
    assert_eq!(before[1][0]["permission_name"], "read");
    server.kill9();
    server.restart();
    assert_eq!(seen(&server), before);
    // An orderly end leaves a snapshot, from which the next start restores.
    server.end_with(Signal::TERM);
    server.restart();
    assert_eq!(seen(&server), before);
}
