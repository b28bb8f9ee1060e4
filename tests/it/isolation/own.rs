//! What a user's own token may: every route such a token reaches, with every scope there is for
//! users themselves, at the user's own and at somebody else's profile.

use super::{Bench, name, named, routes};
use crate::harness::house::{House, JSON, NOW, claims};
use actix_rt::System;
use dossier::domain::scope::Scope;
use dossier::http::route::Access;
use dossier::http::tokens::Audience;
use dossier::journal::testing::SimDisk;
use serde_json::json;
use std::collections::BTreeSet;
use std::time::Duration;

/// A request about a user, and the scopes each of which is enough for that user to ask it.
struct Own {
    route: &'static str,
    target: &'static str,
    kind: &'static str,
    body: &'static str,
    enough: &'static [&'static str],
}

const READ: &[&str] = &["read:current_user"];
const WRITE: &[&str] = &["update:current_user_metadata", "create:current_user_metadata"];
const LINK: &[&str] = &["update:current_user_identities"];
const DELETE: &[&str] = &["delete:current_user"];
const NONE: &[&str] = &[];

const PLAIN: &str = "application/json";
const MERGE: &str = "application/merge-patch+json";
const PATCH: &str = "application/json-patch+json";
const OPS: &str = "application/vnd.dossier.ops+json";

const fn own(
    route: &'static str,
    target: &'static str,
    (kind, body): (&'static str, &'static str),
    enough: &'static [&'static str],
) -> Own {
    Own { route, target, kind, body, enough }
}

const fn patch(kind: &'static str, body: &'static str, enough: &'static [&'static str]) -> Own {
    own("PATCH /api/v2/users/{id}", "/api/v2/users/{user}", (kind, body), enough)
}

const fn get(route: &'static str, target: &'static str, enough: &'static [&'static str]) -> Own {
    own(route, target, (PLAIN, ""), enough)
}

/// Each of them works for a machine with the scopes for all users.
const CASES: &[Own] = &[
    get("GET /api/v2/users/{id}", "/api/v2/users/{user}", READ),
    get("GET /api/v2/users/{id}", "/api/v2/users/{user}?fields=app_metadata", READ),
    get("GET /dossier/v1/users/{id}", "/dossier/v1/users/{user}", READ),
    // The past tells more than the present.
    get("GET /dossier/v1/users/{id}", "/dossier/v1/users/{user}?as_of=2100-01-01T00:00:00Z", NONE),
    get("GET /dossier/v1/users/{id}", "/dossier/v1/users/{user}?blame=true", NONE),
    get("GET /dossier/v1/users/{id}/effective", "/dossier/v1/users/{user}/effective", READ),
    get("GET /dossier/v1/users/{id}/{bag}", "/dossier/v1/users/{user}/user_metadata", READ),
    get("GET /dossier/v1/users/{id}/{bag}", "/dossier/v1/users/{user}/app_metadata", READ),
    get("GET /dossier/v1/users/{id}/{bag}/{key}", "/dossier/v1/users/{user}/user_metadata/k", READ),
    get("GET /dossier/v1/users/{id}/{bag}/{key}", "/dossier/v1/users/{user}/app_metadata/k", READ),
    patch(PLAIN, r#"{"user_metadata":{"k":2}}"#, WRITE),
    patch(PLAIN, r#"{"user_metadata":{}}"#, WRITE),
    patch(PLAIN, r#"{"app_metadata":{"k":2}}"#, NONE),
    patch(PLAIN, r#"{"user_metadata":{"k":2},"app_metadata":{"k":2}}"#, NONE),
    patch(PLAIN, r#"{"user_metadata":{"k":2},"name":"x"}"#, NONE),
    patch(MERGE, r#"{"user_metadata":{"k":2}}"#, WRITE),
    patch(MERGE, r#"{"user_metadata":{"k":2},"app_metadata":{"k":null}}"#, NONE),
    patch(MERGE, r#"{"email":"x@example.com"}"#, NONE),
    patch(PATCH, r#"[{"op":"add","path":"/user_metadata/n","value":1}]"#, WRITE),
    patch(PATCH, r#"[{"op":"replace","path":"/user_metadata","value":{"n":1}}]"#, WRITE),
    patch(PATCH, r#"[{"op":"add","path":"/app_metadata/n","value":1}]"#, NONE),
    patch(PATCH, r#"[{"op":"replace","path":"/name","value":"x"}]"#, NONE),
    patch(PATCH, r#"[{"op":"move","from":"/app_metadata/k","path":"/user_metadata/n"}]"#, NONE),
    // Whoever may not read must not find out by trying, nor bring it where it can be read.
    patch(PATCH, r#"[{"op":"copy","from":"/app_metadata/k","path":"/user_metadata/n"}]"#, NONE),
    patch(
        PATCH,
        r#"[{"op":"test","path":"/app_metadata/k","value":1},{"op":"add","path":"/user_metadata/n","value":1}]"#,
        NONE,
    ),
    patch(OPS, r#"{"user_metadata":{"set_if_absent":{"n":1}}}"#, WRITE),
    patch(
        OPS,
        r#"{"user_metadata":{"set_if_absent":{"n":1}},"app_metadata":{"inc":{"k":1}}}"#,
        NONE,
    ),
    own(
        "PUT /dossier/v1/users/{id}/{bag}",
        "/dossier/v1/users/{user}/user_metadata",
        (PLAIN, r#"{"a":1}"#),
        WRITE,
    ),
    own(
        "PUT /dossier/v1/users/{id}/{bag}",
        "/dossier/v1/users/{user}/app_metadata",
        (PLAIN, r#"{"a":1}"#),
        NONE,
    ),
    get("DELETE /dossier/v1/users/{id}/{bag}", "/dossier/v1/users/{user}/user_metadata", WRITE),
    get("DELETE /dossier/v1/users/{id}/{bag}", "/dossier/v1/users/{user}/app_metadata", NONE),
    own(
        "PUT /dossier/v1/users/{id}/{bag}/{key}",
        "/dossier/v1/users/{user}/user_metadata/k",
        (PLAIN, "2"),
        WRITE,
    ),
    own(
        "PUT /dossier/v1/users/{id}/{bag}/{key}",
        "/dossier/v1/users/{user}/app_metadata/k",
        (PLAIN, "2"),
        NONE,
    ),
    get(
        "DELETE /dossier/v1/users/{id}/{bag}/{key}",
        "/dossier/v1/users/{user}/user_metadata/k",
        WRITE,
    ),
    get(
        "DELETE /dossier/v1/users/{id}/{bag}/{key}",
        "/dossier/v1/users/{user}/app_metadata/k",
        NONE,
    ),
    own(
        "POST /api/v2/users/{id}/identities",
        "/api/v2/users/{user}/identities",
        (PLAIN, r#"{"link_with":"{proof}"}"#),
        LINK,
    ),
    // Naming somebody is no proof.
    own(
        "POST /api/v2/users/{id}/identities",
        "/api/v2/users/{user}/identities",
        (PLAIN, r#"{"provider":"auth0","user_id":"{free}"}"#),
        NONE,
    ),
    get(
        "DELETE /api/v2/users/{id}/identities/{provider}/{user_id}",
        "/api/v2/users/{user}/identities/auth0/{account}",
        LINK,
    ),
    get("DELETE /api/v2/users/{id}", "/api/v2/users/{user}", DELETE),
];

/// The scopes for users themselves.
fn own_scopes() -> Vec<&'static str> {
    Scope::all().map(Scope::name).filter(|name| name.contains("current_user")).collect()
}

impl Bench {
    /// Asks as `subject`, or as a machine, with ids in the place of their names.
    async fn asks(&self, case: &Own, subject: Option<&str>, scopes: &[&str]) -> (u16, String) {
        let tenant = self.house.tenant();
        let mut claims = claims(tenant, scopes);
        if let Some(subject) = subject {
            subject.clone_into(&mut claims.sub);
            claims.gty = None;
        }
        let bearer = format!("Bearer {}", self.house.sign(tenant, &claims));
        let headers = [("Authorization", bearer.as_str()), (JSON.0, case.kind)];
        let method = case.route.split(' ').next().unwrap();
        let (target, body) = (named(case.target, &self.own), named(case.body, &self.own));
        let (status, told) = self.house.ask("localhost", method, &target, &headers, &body).await;
        (status, told.to_string())
    }

    /// A bench whose `{proof}` is an ID token of `{free}`, whom nobody is linked to.
    async fn with_proof() -> Self {
        let mut bench = Self::start().await;
        let free = bench.own["second"].clone();
        let mut claims = claims(bench.house.tenant(), &["read:current_user"]);
        claims.sub.clone_from(&free);
        claims.gty = None;
        claims.aud = Audience::One(claims.azp.take().unwrap());
        let proof = bench.house.sign(bench.house.tenant(), &claims);
        bench.own.insert("free", free);
        bench.own.insert("proof", proof);
        bench
    }
}

#[test]
fn every_route_a_user_may_ask_is_tried() {
    let own = own_scopes();
    let reached: BTreeSet<String> = routes()
        .filter(|route| match route.access {
            Access::Scopes(scopes) => scopes.iter().any(|scope| own.contains(&scope.name())),
            Access::Own | Access::Open => false,
        })
        .map(name)
        .collect();
    let tried: BTreeSet<String> = CASES.iter().map(|case| case.route.to_owned()).collect();
    assert_eq!(tried, reached);
}

#[test]
fn a_user_may_what_the_scope_says_with_their_own_profile_and_nothing_with_anothers() {
    System::new().block_on(async {
        let mut bench = Bench::with_proof().await;
        let (mut tried, mut wrong) = (0, Vec::new());
        for case in CASES {
            let label = format!("{} {} {}", case.route, case.target, case.body);
            for scope in own_scopes() {
                let (own, other) = (bench.own["user"].clone(), bench.own["second"].clone());
                let before = bench.state().await;
                let is_enough = case.enough.contains(&scope);
                // Somebody else, a machine that has come by a scope for users, and the user.
                for (who, works) in [(Some(&other), false), (None, false), (Some(&own), is_enough)]
                {
                    let subject = who.map(String::as_str);
                    let (status, told) = bench.asks(case, subject, &[scope]).await;
                    let is_right = if works { (200..300).contains(&status) } else { status == 403 };
                    let is_untouched = works || bench.state().await == before;
                    if !is_right || !is_untouched {
                        wrong.push(format!("{label} {scope} as {who:?}: {status} {told}"));
                    }
                    tried += 1;
                }
                if bench.state().await != before {
                    bench = Bench::with_proof().await;
                }
            }
            // All of them together are no more than each for itself, but for a look.
            if case.enough.is_empty() && !case.body.contains(r#""op":"copy""#) {
                let looks = case.body.contains(r#""op":"test""#);
                let own = bench.own["user"].clone();
                let (status, told) = bench.asks(case, Some(&own), &own_scopes()).await;
                if (status == 403) == looks {
                    wrong.push(format!("{label} with all: {status} {told}"));
                }
                if status != 403 {
                    bench = Bench::with_proof().await;
                }
            }
        }
        assert!(wrong.is_empty(), "{} of {tried}\n{}", wrong.len(), wrong.join("\n"));
    });
}

#[test]
fn only_a_token_of_the_account_itself_proves_it() {
    System::new().block_on(async {
        let bench = Bench::with_proof().await;
        let case = CASES.iter().find(|case| case.body.contains("{proof}")).unwrap();
        let own = bench.own["user"].clone();
        let before = bench.state().await;
        let tenant = bench.house.tenant();
        let client = claims(tenant, &[]).azp.unwrap();
        let signed = |sub: &str, aud: &str, by_other: bool| {
            let signer = if by_other { &bench.alpha } else { tenant };
            let mut claims = claims(signer, &["read:current_user"]);
            sub.clone_into(&mut claims.sub);
            claims.gty = None;
            claims.aud = Audience::One(aud.to_owned());
            bench.house.sign(signer, &claims)
        };
        let free = bench.own["free"].as_str();
        let other_client = bench.own["client"].as_str();
        for (what, proof) in [
            ("a machine's", bench.token(&["update:users"])),
            ("one's own", signed(&own, &client, false)),
            ("another tenant's user", signed(&bench.foreign["second"], &client, true)),
            ("signed by another tenant", signed(free, &client, true)),
            ("an access token", signed(free, "http://localhost/api/v2/", false)),
            ("issued to another client", signed(free, other_client, false)),
            ("of nobody", signed("auth0|nobody", &client, false)),
            ("no token", "x.y.z".to_owned()),
            ("empty", String::new()),
        ] {
            let body: &'static str = Box::leak(json!({"link_with": proof}).to_string().into());
            let case = Own { body, ..own_case(case) };
            let (status, told) = bench.asks(&case, Some(&own), LINK).await;
            assert_eq!(status, 400, "{what}: {told}");
            assert!(proof.is_empty() || !told.contains(&proof), "{what} is told: {told}");
            assert_eq!(bench.state().await, before, "{what}");
        }
    });
}

#[test]
fn a_token_does_not_speak_for_a_later_user_of_the_same_id() {
    System::new().block_on(async {
        let house = House::open(&SimDisk::new()).await;
        let user = r#"{"connection":"Username-Password-Authentication","user_id":"one","email":"a@b.example"}"#;
        let target = "/api/v2/users/auth0%7Cone";
        let read = async |iat: i64| {
            let mut claims = claims(house.tenant(), READ);
            "auth0|one".clone_into(&mut claims.sub);
            claims.gty = None;
            claims.iat = iat;
            let bearer = format!("Bearer {}", house.sign(house.tenant(), &claims));
            house.ask("localhost", "GET", target, &[("Authorization", &bearer)], "").await.0
        };
        let made = NOW.seconds();
        assert_eq!(house.send("POST", "/api/v2/users", user).await.0, 201);
        assert_eq!(read(made).await, 200);
        assert_eq!(house.send("DELETE", target, "").await.0, 204);
        assert_eq!(read(made).await, 401);
        house.clocks.pass(Duration::from_secs(2));
        assert_eq!(house.send("POST", "/api/v2/users", user).await.0, 201);
        assert_eq!(read(made).await, 401, "somebody else has that id now");
        assert_eq!(read(made + 2).await, 200);
    });
}

#[test]
fn who_was_made_before_the_clock_was_set_back_is_let_in_all_the_same() {
    System::new().block_on(async {
        let house = House::open(&SimDisk::new()).await;
        let user = r#"{"connection":"Username-Password-Authentication","email":"a@b.example","password":"Correct-Horse-9"}"#;
        let (_, user) = house.send("POST", "/api/v2/users", user).await;
        let client = r#"{"name":"app","grant_types":["password"]}"#;
        let (_, client) = house.send("POST", "/api/v2/clients", client).await;
        house.clocks.set(-3600);
        let body = json!({
            "grant_type": "password", "username": "a@b.example", "password": "Correct-Horse-9",
            "client_id": client["client_id"], "client_secret": client["client_secret"],
        });
        let (status, told) =
            house.ask("localhost", "POST", "/oauth/token", &[JSON], &body.to_string()).await;
        assert_eq!(status, 200, "{told}");
        let bearer = format!("Bearer {}", told["access_token"].as_str().unwrap());
        let target = format!("/api/v2/users/{}", user["user_id"].as_str().unwrap());
        let headers = [("Authorization", bearer.as_str())];
        assert_eq!(house.ask("localhost", "GET", &target, &headers, "").await.0, 200);
    });
}

fn own_case(case: &Own) -> Own {
    Own {
        route: case.route,
        target: case.target,
        kind: case.kind,
        body: case.body,
        enough: case.enough,
    }
}

#[test]
fn who_signs_in_with_both_accounts_links_them() {
    System::new().block_on(async {
        let bench = Bench::start().await;
        let house = &bench.house;
        let mut clients = Vec::new();
        for name in ["app", "other"] {
            let body = json!({"name": name, "grant_types": ["password"]}).to_string();
            clients.push(house.send("POST", "/api/v2/clients", &body).await.1);
        }
        for name in ["main", "spare"] {
            let body = json!({
                "connection": "Username-Password-Authentication",
                "email": format!("{name}@example.com"),
                "password": "Correct-Horse-9",
            });
            assert_eq!(house.send("POST", "/api/v2/users", &body.to_string()).await.0, 201);
        }
        let sign_in = async |client: &serde_json::Value, name: &str| {
            let body = json!({
                "grant_type": "password", "username": format!("{name}@example.com"),
                "password": "Correct-Horse-9", "scope": "openid update:current_user_identities",
                "client_id": client["client_id"], "client_secret": client["client_secret"],
            });
            let told = house.ask("localhost", "POST", "/oauth/token", &[JSON], &body.to_string());
            let (status, told) = told.await;
            assert_eq!(status, 200, "{told}");
            let text = |key: &str| told[key].as_str().unwrap().to_owned();
            (text("access_token"), text("id_token"))
        };
        let (access, own_id) = sign_in(&clients[0], "main").await;
        let (spare_access, spare_id) = sign_in(&clients[0], "spare").await;
        let (_, elsewhere) = sign_in(&clients[1], "spare").await;
        let found = house.send("GET", "/api/v2/users-by-email?email=main@example.com", "").await.1;
        let target = format!("/api/v2/users/{}/identities", found[0]["user_id"].as_str().unwrap());
        let bearer = format!("Bearer {access}");
        let headers = [("Authorization", bearer.as_str()), JSON];
        let before = bench.state().await;
        for proof in [&spare_access, &elsewhere, &own_id, &access] {
            let body = json!({"link_with": proof}).to_string();
            let (status, told) = house.ask("localhost", "POST", &target, &headers, &body).await;
            assert_eq!(status, 400, "{told}");
            assert_eq!(bench.state().await, before);
        }
        let body = json!({"link_with": spare_id}).to_string();
        let (status, told) = house.ask("localhost", "POST", &target, &headers, &body).await;
        assert_eq!((status, told.as_array().map(Vec::len)), (201, Some(2)), "{told}");
        // An ID token opens nothing by itself.
        let bearer = format!("Bearer {own_id}");
        let told = house.ask(
            "localhost",
            "GET",
            &target[..target.len() - 11],
            &[("Authorization", bearer.as_str())],
            "",
        );
        assert_eq!(told.await.0, 401);
    });
}
