//! `?dry_run=true` where a call is more than a change of users and clients: sign-ins, sessions,
//! links, and what operators ask of the server. The rest is in `isolation`, over the same table.

use crate::harness::{Response, Server, Setup};
use dossier::http::dispatch::{TABLES, changes};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Calls that are rehearsed here.
pub(crate) const REHEARSED_HERE: &[&str] = &[
    "POST /oauth/token",
    "POST /connect/token",
    "POST /oauth/revoke",
    "POST /userinfo",
    "POST /dbconnections/signup",
    "POST /ui/session",
    "DELETE /ui/session",
    "GET /u/email-verification",
    "POST /lo/reset",
    "POST /dossier/v1/login-links",
    "POST /dossier/v1/keys/rotate",
    "POST /dossier/v1/snapshots",
    "POST /dossier/v1/snapshots/{file}/verify",
    "POST /dossier/v1/config/reload",
];

const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("Content-Type", "application/json");
const FROM_PAGE: (&str, &str) = ("X-Dossier-UI", "1");

/// A server somebody can sign in at, and which calls were rehearsed there.
struct Stage {
    server: Server,
    user: String,
    client: (String, String),
    seen: BTreeSet<String>,
}

impl Stage {
    fn start() -> Self {
        let server = Setup::default().config("[log]\nlevel = \"info\"\n").start();
        let jane = r#"{"email":"jane@example.com","password":"x1Y2z3w4v5"}"#;
        let user = text(&server.json("POST", "/api/v2/users", jane).expect(201).json(), "user_id");
        let client = r#"{"name":"app","grant_types":["password","refresh_token","client_credentials"],"token_endpoint_auth_method":"client_secret_post"}"#;
        let client = server.json("POST", "/api/v2/clients", client).expect(201).json();
        let client = (text(&client, "client_id"), text(&client, "client_secret"));
        let grant = json!({"client_id": client.0, "audience": format!("{}/api/v2/", server.url), "scope": ["read:users", "iam/"]});
        server.json("POST", "/api/v2/client-grants", &grant.to_string());
        Self { server, user, client, seen: BTreeSet::new() }
    }

    /// Everything that could have been changed: the tenant's version, keys, files and settings.
    fn state(&self) -> String {
        let get = |target: &str| self.server.get(target).expect(200).text().to_owned();
        let version = self.server.get("/dossier/v1/overview").expect(200).json()["version"].clone();
        let mut files = Vec::new();
        for folder in ["keys", "snapshots"] {
            files.extend(names(&self.server.data_dir().join(folder)));
        }
        let user = get(&format!("/api/v2/users/{}", self.user));
        let (keys, config) = (get("/.well-known/jwks.json"), get("/dossier/v1/config"));
        format!("{version}\n{user}\n{files:?}\n{keys}\n{config}")
    }

    /// Rehearses a call, which must leave no trace; what is told.
    #[track_caller]
    fn rehearse(
        &mut self,
        route: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Value {
        let (method, address) = address(route, target);
        let before = self.state();
        let mark = if target.contains('?') { '&' } else { '?' };
        let dry = format!("{address}{mark}dry_run=true");
        let told = self.server.request(method, &dry, headers, Some(body.as_bytes())).expect(200);
        assert_eq!(self.state(), before, "{dry} left a trace");
        assert_eq!(told.header("set-cookie"), None, "{told:?}");
        let told = told.json();
        assert_eq!(told["dry_run"], true, "{told}");
        assert!(told["changes"].is_array(), "{told}");
        self.seen.insert(route.to_owned());
        told
    }

    /// Rehearses a call, then makes it: what was told is what then comes. Both answers.
    #[track_caller]
    fn both(
        &mut self,
        route: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (Value, Response) {
        let told = self.rehearse(route, target, headers, body);
        let (method, address) = address(route, target);
        let real = self.server.request(method, &address, headers, Some(body.as_bytes()));
        assert_eq!(told["status"], real.status, "{route} {told} {real:?}");
        (told, real)
    }

    /// A form with the client's proof of who it is.
    fn form(&self, rest: &str) -> String {
        format!("client_id={}&client_secret={}&{rest}", self.client.0, self.client.1)
    }

    fn admin(&self) -> String {
        self.server.admin().to_owned()
    }
}

/// The method of a route, and the address of a call: its path and the query, or all of it where the
/// path has parameters.
fn address<'a>(route: &'a str, target: &str) -> (&'a str, String) {
    let (method, path) = route.split_once(' ').unwrap();
    let is_whole = target.starts_with('/');
    (method, if is_whole { target.to_owned() } else { format!("{path}{target}") })
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}")).to_owned()
}

fn names(folder: &Path) -> BTreeSet<String> {
    let files = fs::read_dir(folder).into_iter().flatten();
    files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
}

fn paths(told: &Value) -> Vec<&str> {
    told["changes"].as_array().unwrap().iter().map(|one| one["path"].as_str().unwrap()).collect()
}

const PASSWORD: &str = "grant_type=password&username=jane%40example.com&password=x1Y2z3w4v5&scope=openid+offline_access";

#[test]
fn every_changing_call_of_every_dialect_can_be_rehearsed() {
    let mut stage = Stage::start();
    sign_ins(&mut stage);
    sessions(&mut stage);
    tickets(&mut stage);
    operations(&mut stage);
    let listed: BTreeSet<String> = REHEARSED_HERE.iter().map(|&route| route.to_owned()).collect();
    assert_eq!(stage.seen, listed);
    for name in &listed {
        let rows = TABLES.iter().flat_map(|table| table.iter());
        let mut rows = rows.filter(|row| changes(row));
        assert!(rows.any(|row| format!("{} {}", row.method, row.path) == *name), "{name}");
    }
}

fn sign_ins(stage: &mut Stage) {
    let form = stage.form(PASSWORD);
    let told = stage.rehearse("POST /oauth/token", "", &[FORM], &form);
    assert!(paths(&told).contains(&"logins_count"), "{told}");
    // It says what a token would say, without what makes it worth anything.
    for name in ["access_token", "id_token"] {
        let token = text(&told["body"], name);
        assert!(token.ends_with('.') && token.matches('.').count() == 2, "{token}");
    }
    let bearer = format!("Bearer {}", text(&told["body"], "access_token"));
    stage.server.request("GET", "/userinfo", &[("Authorization", &bearer)], None).expect(401);
    let made_up = text(&told["body"], "refresh_token");
    let form = stage.form(&format!("grant_type=refresh_token&refresh_token={made_up}"));
    stage.server.request("POST", "/oauth/token", &[FORM], Some(form.as_bytes())).expect(403);
    let wrong = stage.form(&PASSWORD.replace("x1Y2", "wrong"));
    let target = "/oauth/token?dry_run=true";
    stage.server.request("POST", target, &[FORM], Some(wrong.as_bytes())).expect(403);

    let form = stage.form(PASSWORD);
    let (_, real) = stage.both("POST /oauth/token", "", &[FORM], &form);
    let real = real.json();
    let bearer = format!("Bearer {}", text(&real, "access_token"));
    stage.both("POST /userinfo", "", &[("Authorization", &bearer)], "");
    let machine = stage.form("grant_type=client_credentials&scope=iam%2F");
    let told = stage.rehearse("POST /connect/token", "", &[FORM], &machine);
    assert_eq!((told["changes"].clone(), paths(&told).len()), (json!([]), 0));

    let refresh = text(&real, "refresh_token");
    let form = stage.form(&format!("token={refresh}"));
    let (told, _) = stage.both("POST /oauth/revoke", "", &[FORM], &form);
    assert!(!paths(&told).is_empty(), "{told}");
    let body = json!({"client_id": stage.client.0, "email": "new@example.com",
        "password": "x1Y2z3w4v5", "connection": "Username-Password-Authentication"});
    stage.both("POST /dbconnections/signup", "", &[JSON], &body.to_string());
}

fn sessions(stage: &mut Stage) {
    let admin = stage.admin();
    let headers = [("Authorization", admin.as_str()), JSON];
    let told = stage.rehearse("POST /dossier/v1/login-links", "", &headers, r#"{"role":"viewer"}"#);
    assert!(text(&told["body"], "url").ends_with("?once="), "{told}");
    assert_eq!(
        (told["status"].as_u64(), told["body"]["role"].as_str()),
        (Some(201), Some("viewer"))
    );
    let made = stage.server.json("POST", "/dossier/v1/login-links", "{}").expect(201).json();
    let code = text(&made, "url").split_once("once=").unwrap().1.to_owned();
    let body = json!({"once": code}).to_string();
    // A rehearsed sign-in uses no link up: the real one comes after it.
    let (told, real) = stage.both("POST /ui/session", "", &[JSON, FROM_PAGE], &body);
    assert_eq!(told["body"]["session"]["subject"], real.json()["session"]["subject"]);
    let cookie = real.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let headers = [("Cookie", cookie.as_str()), FROM_PAGE];
    let told = stage.rehearse("DELETE /ui/session", "", &headers, "");
    assert_eq!(told["body"]["session"], Value::Null);
    let who = |stage: &Stage| {
        stage.server.request("GET", "/ui/session", &headers, None).expect(200).json()
    };
    assert!(who(stage)["session"].is_object(), "a rehearsed sign-out ends nothing");
    stage.server.request("DELETE", "/ui/session", &headers, None).expect(200);
    assert!(who(stage)["session"].is_null());
}

fn tickets(stage: &mut Stage) {
    let ticket = |stage: &Stage, kind: &str| {
        let body = json!({"user_id": stage.user}).to_string();
        let target = format!("/api/v2/tickets/{kind}");
        let url = text(&stage.server.json("POST", &target, &body).expect(201).json(), "ticket");
        url.split_once("ticket=").unwrap().1.trim_end_matches('#').to_owned()
    };
    let code = ticket(stage, "email-verification");
    let query = format!("?ticket={code}");
    let (told, real) = stage.both("GET /u/email-verification", &query, &[], "");
    assert!(paths(&told).contains(&"email_verified"), "{told}");
    assert_eq!(told["body"], real.text(), "a page is a text");
    let code = ticket(stage, "password-change");
    let form = format!("ticket={code}&password=another1Y2z3");
    let (told, real) = stage.both("POST /lo/reset", "", &[FORM], &form);
    assert_eq!(told["body"], real.text());
}

fn operations(stage: &mut Stage) {
    let admin = stage.admin();
    let headers = [("Authorization", admin.as_str())];
    let kids = |keys: &Value| -> Vec<Value> {
        keys["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect()
    };
    let (told, real) = stage.both("POST /dossier/v1/keys/rotate", "", &headers, "");
    let (then, real) = (kids(&told["body"]), kids(&real.json()));
    assert_eq!(paths(&told), ["keys.current", "keys.next", "keys.previous"]);
    // All but the key that is made: current and what was before it.
    assert_eq!((&then[0], &then[1..]), (&real[0], &real[2..]), "{told}");
    assert_eq!(told["changes"][0]["new"], real[0]);
    assert_eq!(told["changes"][0]["old"], real[2]);
    assert_eq!(told["changes"][1]["old"], real[0]);
    assert_eq!(told["changes"][2]["new"], json!(real[2..]));

    let (told, real) = stage.both("POST /dossier/v1/snapshots", "", &headers, "");
    let real = real.json();
    for member in ["tenant", "file", "users"] {
        assert_eq!(told["body"]["snapshots"][0][member], real["snapshots"][0][member], "{told}");
    }
    assert_eq!(paths(&told), ["snapshots.default"]);
    let kept = names(&stage.server.data_dir().join("snapshots"));
    assert_eq!(told["changes"][0]["new"], json!(kept), "{told}");
    let file = text(&real["snapshots"][0], "file");
    let verify = "POST /dossier/v1/snapshots/{file}/verify";
    let target = format!("/dossier/v1/snapshots/{file}/verify");
    let (told, verified) = stage.both(verify, &target, &headers, "");
    assert_eq!(told["body"]["checksums"]["state"], verified.json()["checksums"]["state"]);
    // Nothing changed since.
    let told = stage.rehearse("POST /dossier/v1/snapshots", "", &headers, "");
    assert_eq!(told["body"], json!({"snapshots": []}));

    let file = stage.server.data_dir().parent().unwrap().join("dossier.toml");
    fs::write(&file, "[log]\nlevel = \"nothing\"\n").unwrap();
    let target = "/dossier/v1/config/reload";
    for query in ["?dry_run=true", ""] {
        let refused = stage.server.json("POST", &format!("{target}{query}"), "").expect(400);
        assert!(refused.text().contains("unknown value"), "{refused:?}");
    }
    let text = "[log]\nlevel = \"warn\"\n[server]\nkeep_alive = \"7s\"\n[[tenant]]\nid = \"default\"\n[tenant.override]\nlimits.per_page = 7\n";
    fs::write(&file, text).unwrap();
    let (told, real) = stage.both("POST /dossier/v1/config/reload", "", &headers, "");
    assert_eq!(told["body"], real.json());
    assert_eq!(told["body"]["restart_required"], json!(["server.keep_alive"]));
    let changes = told["changes"].as_array().unwrap();
    assert!(
        changes.contains(&json!({"path": "log.level", "old": "info", "new": "warn"})),
        "{told}"
    );
    assert_eq!(changes.len(), told["body"]["applied"].as_array().unwrap().len(), "{told}");
}
