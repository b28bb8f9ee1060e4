//! A data directory of the first release is opened by every later one, with everything in it.
//!
//! `DOSSIER_WRITE_FIXTURES=1 cargo test --test it format_v1` makes it anew; that is for the time
//! before the format is released, and never after.

use crate::harness::{Server, Setup};
use dossier::app::check::check;
use dossier::app::open::open;
use dossier::config::Settings;
use dossier::domain::resource::ResourceKind;
use rustix::process::Signal;
use serde_json::{Map, Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-v1")
}

/// Copies a folder; what it holds is for its owner only.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::write(&target, fs::read(entry.path()).unwrap()).unwrap();
            fs::set_permissions(&target, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
}

/// Everything a data directory holds.
fn dump(root: &Path) -> Value {
    const KINDS: [ResourceKind; 8] = [
        ResourceKind::Connection,
        ResourceKind::ClientGrant,
        ResourceKind::ResourceServer,
        ResourceKind::Settings,
        ResourceKind::RefreshToken,
        ResourceKind::Tenant,
        ResourceKind::Job,
        ResourceKind::Ticket,
    ];
    let mut settings = Settings::default();
    root.clone_into(&mut settings.storage.data_dir);
    let opened = open(&settings).unwrap();
    assert!(opened.torn.is_none() && opened.restored.report.warnings.is_empty());
    assert!(!opened.keys.was_made(), "the keys are part of it");
    let mut tenants = Map::new();
    for (uid, catalog) in &opened.restored.states {
        let view = catalog.view();
        let mut things = Map::new();
        for user in view.users() {
            let parts = user.parts();
            // As text: a parsed number is not the one that was sent.
            let user = json!({
                "version": user.version().get(), "json": parts.json, "private": parts.private,
                "user_metadata": user.user_metadata(), "app_metadata": user.app_metadata(),
                "created_at": parts.created_at.to_string(), "updated_at": parts.updated_at.to_string(),
            });
            things.insert(parts.id.to_owned(), user);
        }
        for client in catalog.published().clients() {
            let one = json!({"version": client.version.get(), "json": client.to_json("t", true)});
            things.insert(client.id.clone(), one);
        }
        for resource in KINDS.iter().flat_map(|kind| catalog.published().resources(*kind)) {
            let one = json!({"version": resource.version.get(), "json": resource.body.as_json()});
            things.insert(format!("{:?} {}", resource.kind, resource.id), one);
        }
        things.sort_keys();
        tenants.insert(uid.to_string(), json!({"version": view.version.get(), "things": things}));
    }
    tenants.sort_keys();
    Value::Object(tenants)
}

#[test]
fn a_data_directory_of_the_first_release_opens_with_everything_in_it() {
    if std::env::var_os("DOSSIER_WRITE_FIXTURES").is_some() {
        write();
    }
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("data");
    copy(&fixture().join("data"), &root);
    let found = check(&root).unwrap();
    assert!(found.problems.is_empty(), "{:?}", found.problems);
    let wanted: Value =
        serde_json::from_slice(&fs::read(fixture().join("state.json")).unwrap()).unwrap();
    let found = dump(&root);
    for (uid, tenant) in wanted.as_object().unwrap() {
        assert_eq!(found[uid]["version"], tenant["version"], "tenant {uid}");
        for (id, thing) in tenant["things"].as_object().unwrap() {
            assert_eq!(&found[uid]["things"][id], thing, "tenant {uid}, {id}");
        }
    }
    assert_eq!(found, wanted, "there is more in it than was put there");
}

#[test]
fn the_mark_beside_the_journal_of_the_first_release_is_believed() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("data");
    copy(&fixture().join("data"), &root);
    let segment = root.join("journal/00000000000000000001.seg");
    let bytes = fs::read(&segment).unwrap();
    let used = bytes.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    fs::write(&segment, &bytes[..used - 20]).unwrap();
    // Its newer slot; the other one knows of nothing.
    let mut high_water = fs::read(root.join("journal/HIGHWATER")).unwrap();
    high_water[..4096].fill(0);
    fs::write(root.join("journal/HIGHWATER"), high_water).unwrap();
    let mut settings = Settings::default();
    root.clone_into(&mut settings.storage.data_dir);
    let refused = open(&settings).unwrap_err().to_string();
    assert!(refused.contains("SYNCED") && refused.contains("byte "), "{refused}");
}

#[test]
fn a_server_takes_over_a_data_directory_of_the_first_release() {
    let folder = tempfile::tempdir().unwrap();
    copy(&fixture().join("data"), &folder.path().join("data"));
    let server = Server::on(folder, Setup::default());
    let answer = server.get("/api/v2/users?q=email:jane@example.com").expect(200).json();
    let target = format!("/api/v2/users/{}", answer[0]["user_id"].as_str().unwrap());
    let patched = server.json("PATCH", &target, r#"{"user_metadata":{"later":true}}"#);
    let bag = patched.expect(200).json()["user_metadata"].clone();
    assert_eq!((&bag["later"], &bag["unicode"]), (&json!(true), &json!("Grüße, 世界 🌍")));
    // Who did what then, through which door, stands in the records behind the snapshot.
    let own = target.replace("/api/v2/", "/dossier/v1/");
    let past = server.get(&format!("{own}/history")).expect(200).json();
    let then = &past["entries"][1];
    let (admin, _) = server.admin_client();
    let said = (&then["actor"], &then["client_id"], &then["channel"], &then["reason"]);
    let wanted = (&json!(format!("{admin}@clients")), &json!(admin), &json!("v2"), &Value::Null);
    assert_eq!(said, wanted, "{past}");
    assert!(then["request_id"].as_str().is_some_and(|id| id.len() == 20), "{then}");
}

/// Makes the fixture with the program as it is.
fn write() {
    let mut server = Setup::default()
        .set("journal.segment=1MiB")
        .set("snapshot.interval=0s")
        .set("snapshot.on_shutdown=false")
        .start();
    let made = server.json(
        "POST",
        "/dossier/v1/tenants",
        r#"{"id":"alpha","domains":["alpha.example.com"]}"#,
    );
    let alpha = token(&server, &made.expect(201).json()["client"]);
    fill(&server, None);
    fill(&server, Some(&alpha));
    server.json("POST", "/dossier/v1/snapshots", "{}").expect(200);
    // The journal behind the snapshot: a change of something in it, something new, something gone.
    let jane = server.get("/api/v2/users-by-email?email=jane@example.com").expect(200).json();
    let target = format!("/api/v2/users/{}", jane[0]["user_id"].as_str().unwrap());
    server
        .json("PATCH", &target, r#"{"app_metadata":{"after":"the snapshot"},"name":"Jané"}"#)
        .expect(200);
    server.json("POST", "/api/v2/users", r#"{"email":"late@example.com"}"#).expect(201);
    let gone = server.get("/api/v2/users-by-email?email=gone@example.com").expect(200).json();
    let gone = format!("/api/v2/users/{}", gone[0]["user_id"].as_str().unwrap());
    server.request("DELETE", &gone, &[("Authorization", server.admin())], None).expect(204);
    assert_eq!(server.end_with(Signal::TERM).code(), Some(0), "{}", server.log());

    let data = fixture().join("data");
    if data.exists() {
        fs::remove_dir_all(&data).unwrap();
    }
    copy(&server.data_dir(), &data);
    fs::remove_dir_all(data.join("tls")).unwrap();
    fs::remove_file(data.join("lock")).unwrap();
    shorten(&data.join("journal"));
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("data");
    copy(&data, &root);
    let state = serde_json::to_string_pretty(&dump(&root)).unwrap();
    fs::write(fixture().join("state.json"), state + "\n").unwrap();
}

/// Cuts most of the space taken ahead.
fn shorten(journal: &Path) {
    for entry in fs::read_dir(journal).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        let used = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        bytes.truncate(used + 256);
        fs::write(&path, bytes).unwrap();
    }
}

const ALPHA: &str = "alpha.example.com";

/// A token of alpha's first client.
fn token(server: &Server, client: &Value) -> String {
    let text = |key: &str| client[key].as_str().unwrap();
    let form = format!(
        "grant_type=client_credentials&client_id={}&client_secret={}&audience=http://{ALPHA}/api/v2/",
        text("client_id"),
        text("client_secret")
    );
    let headers = [("Host", ALPHA), ("Content-Type", "application/x-www-form-urlencoded")];
    let told = server.request("POST", "/oauth/token", &headers, Some(form.as_bytes()));
    format!("Bearer {}", told.expect(200).json()["access_token"].as_str().unwrap())
}

/// Gives a tenant one of everything.
fn fill(server: &Server, alpha: Option<&str>) {
    let ask = |method: &str, target: &str, body: &str| {
        let host = alpha.map_or(server.address(), |_| ALPHA);
        let headers = [
            ("Host", host),
            ("Authorization", alpha.unwrap_or(server.admin())),
            ("Content-Type", "application/json"),
        ];
        let answer = server.request(method, target, &headers, Some(body.as_bytes()));
        assert!((200..300).contains(&answer.status), "{method} {target}: {}", answer.text());
        if answer.body.is_empty() { Value::Null } else { answer.json() }
    };
    let id = |made: &Value, key: &str| made[key].as_str().unwrap().to_owned();
    let jane = r#"{"email":"jane@example.com","password":"Test-only-1!","user_metadata":{"unicode":"Grüße, 世界 🌍","number":1e3,"big":9007199254740993,"exact":1626175065.5934923,"deep":{"a":[1,[2,{"b":null}]],"c":true},"empty":{},"":"an empty name"},"app_metadata":{"roles":["admin"],"plan":"gold"}}"#;
    let jane = id(&ask("POST", "/api/v2/users", jane), "user_id");
    ask(
        "POST",
        "/api/v2/users",
        r#"{"email":"empty@example.com","user_metadata":{},"app_metadata":{}}"#,
    );
    ask("POST", "/api/v2/users", r#"{"email":"gone@example.com"}"#);
    let blocked = r#"{"email":"blocked@example.com","blocked":true,"email_verified":true,"given_name":"B","family_name":"L","picture":"https://example.com/p.png","nickname":"bl"}"#;
    let blocked = id(&ask("POST", "/api/v2/users", blocked), "user_id");
    let other = id(&ask("POST", "/api/v2/users", r#"{"email":"linked@example.com"}"#), "user_id");
    let link = format!(r#"{{"provider":"auth0","user_id":"{other}"}}"#);
    ask("POST", &format!("/api/v2/users/{blocked}/identities"), &link);
    ask("PUT", &format!("/api/user/{jane}/metadata/shoe"), r#"{"value":"42","profileClaim":true}"#);
    ask("POST", "/api/v2/connections", r#"{"name":"google","strategy":"google-oauth2"}"#);
    let login = r#"{"user_id":"1","profile":{"name":"G","locale":"de"},"ip":"192.0.2.1"}"#;
    ask("POST", "/dossier/v1/connections/google/logins", login);
    ask("POST", "/dossier/v1/connections/google/logins", login);
    let client = r#"{"name":"App","description":"ä","callbacks":["https://example.com/cb"],"client_metadata":{"color":"red"}}"#;
    let client = id(&ask("POST", "/api/v2/clients", client), "client_id");
    ask(
        "POST",
        "/api/v2/resource-servers",
        r#"{"identifier":"urn:api","scopes":[{"value":"read:x","description":"x"}]}"#,
    );
    let grant = format!(r#"{{"client_id":"{client}","audience":"urn:api","scope":["read:x"]}}"#);
    ask("POST", "/api/v2/client-grants", &grant);
    ask("PATCH", "/api/v2/tenants/settings", r#"{"friendly_name":"Fixture"}"#);
    ask("POST", "/api/v2/jobs/verification-email", &format!(r#"{{"user_id":"{jane}"}}"#));
}
