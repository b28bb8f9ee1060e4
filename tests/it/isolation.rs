//! What is not allowed in stays out: every route of every dialect is tried without a token, with
//! another tenant's, without scopes, with the least scope, and with things of another tenant.

use crate::dry_run::REHEARSED_HERE;
use crate::harness::house::{House, JSON, NOW, Told, everything, seeds};
use actix_rt::System;
use cases::{CASES, Case, OPEN, OWN};
use dossier::domain::permit::Caller;
use dossier::domain::resource::ResourceKind;
use dossier::http::dispatch::{TABLES, changes};
use dossier::http::route::{Access, Route};
use dossier::journal::testing::SimDisk;
use dossier::tenant::{TenantDefinition, TenantHandle, server_provenance};
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;

mod cases;
mod fields;
mod injected;
mod members;
mod own;
mod secrets;
mod tokens;

/// What a tenant is set up with.
const KINDS: [ResourceKind; 5] = [
    ResourceKind::Connection,
    ResourceKind::ClientGrant,
    ResourceKind::ResourceServer,
    ResourceKind::Settings,
    ResourceKind::Tenant,
];

/// Two tenants that look alike.
struct Bench {
    house: House,
    alpha: TenantHandle,
    /// What stands for `{user}` and the like, of the default tenant and of alpha.
    own: BTreeMap<&'static str, String>,
    foreign: BTreeMap<&'static str, String>,
}

impl Bench {
    async fn start() -> Self {
        let house = House::with_history(&SimDisk::new()).await;
        let definition = TenantDefinition::named("alpha");
        let alpha = house
            .directory
            .create(&Caller::server(), server_provenance(), &definition, seeds("alpha"), NOW)
            .await
            .unwrap();
        let own = fill(&house, house.tenant(), "own").await;
        let foreign = fill(&house, &alpha, "foreign").await;
        Self { house, alpha, own, foreign }
    }

    /// Asks the default tenant with a token.
    async fn ask(&self, case: &Case, target: &str, token: Option<&str>) -> Told {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let form = ("Content-Type", "multipart/form-data; boundary=x");
        let mut headers = vec![if case.body.starts_with("--") { form } else { JSON }];
        headers.extend(bearer.as_ref().map(|bearer| ("Authorization", bearer.as_str())));
        let method = case.route.split(' ').next().unwrap();
        let body = named(case.body, &self.own);
        self.house.ask("localhost", method, target, &headers, &body).await
    }

    fn token(&self, scopes: &[&str]) -> String {
        self.house.token(self.house.tenant(), scopes)
    }

    /// Everything both tenants hold.
    async fn state(&self) -> String {
        let mut text = String::new();
        for tenant in [self.house.tenant(), &self.alpha] {
            let view = tenant.view().await.unwrap();
            writeln!(text, "{} {}", tenant.id(), view.version).unwrap();
            for user in view.users() {
                writeln!(text, "{:?}", user.parts()).unwrap();
            }
            writeln!(text, "{:?}", tenant.published().clients()).unwrap();
            for kind in KINDS {
                for one in tenant.published().resources(kind) {
                    writeln!(text, "{kind:?} {}", one.to_json()).unwrap();
                }
            }
        }
        text
    }
}

/// Puts ids in the place of their names.
fn named(text: &str, ids: &BTreeMap<&'static str, String>) -> String {
    ids.iter().fold(text.to_owned(), |text, (name, id)| text.replace(&format!("{{{name}}}"), id))
}

/// Gives a tenant one of everything; their ids.
async fn fill(house: &House, tenant: &TenantHandle, word: &str) -> BTreeMap<&'static str, String> {
    let (host, bearer) =
        (House::host(tenant), format!("Bearer {}", house.token(tenant, &everything())));
    let headers = [("Authorization", bearer.as_str()), JSON];
    let make = async |target: &str, body: String, id: &str| {
        let (status, made) = house.ask(&host, "POST", target, &headers, &body).await;
        assert_eq!(status, 201, "{target} {made}");
        made[id].as_str().unwrap_or_default().to_owned()
    };
    let user = async |name: &str| {
        let body = format!(
            r#"{{"email":"{name}-{word}@example.com","user_metadata":{{"k":"{word}"}},"app_metadata":{{"k":1}}}}"#
        );
        make("/api/v2/users", body, "user_id").await
    };
    let mut ids = BTreeMap::new();
    ids.insert("user", user("jane").await);
    ids.insert("second", user("john").await);
    let linked = user("linked").await;
    let body = format!(r#"{{"provider":"auth0","user_id":"{linked}"}}"#);
    make(&format!("/api/v2/users/{}/identities", ids["user"]), body, "").await;
    ids.insert("account", linked.trim_start_matches("auth0|").to_owned());
    ids.insert("email", format!("jane-{word}@example.com"));
    ids.insert(
        "client",
        make(
            "/api/v2/clients",
            r#"{"name":"one","client_metadata":{"k":"v"}}"#.to_owned(),
            "client_id",
        )
        .await,
    );
    let body =
        cases::CREDENTIAL.replace("\"credential_type\"", "\"kid\":\"made\",\"credential_type\"");
    let target = format!("/api/v2/clients/{}/credentials", ids["client"]);
    ids.insert("credential", make(&target, body, "id").await);
    ids.insert(
        "unused",
        make("/api/v2/clients", r#"{"name":"two"}"#.to_owned(), "client_id").await,
    );
    let body = format!(r#"{{"name":"google-{word}","strategy":"google-oauth2"}}"#);
    ids.insert("connection", make("/api/v2/connections", body, "id").await);
    let body = format!(r#"{{"name":"db-{word}","strategy":"auth0"}}"#);
    ids.insert("database", make("/api/v2/connections", body, "id").await);
    ids.insert("connection_name", format!("google-{word}"));
    let body = format!(r#"{{"identifier":"urn:{word}","scopes":[{{"value":"a"}}]}}"#);
    ids.insert("api", make("/api/v2/resource-servers", body, "id").await);
    ids.insert("audience", format!("urn:{word}"));
    let body =
        format!(r#"{{"client_id":"{}","audience":"urn:{word}","scope":["a"]}}"#, ids["client"]);
    ids.insert("grant", make("/api/v2/client-grants", body, "id").await);
    let body = r#"{"name":"machine","app_type":"non_interactive"}"#.to_owned();
    ids.insert("machine", make("/api/v2/clients", body, "client_id").await);
    let body = format!(
        r#"{{"client_id":"{}","audience":"http://{host}/api/v2/","scope":["read:users"]}}"#,
        ids["machine"]
    );
    make("/api/v2/client-grants", body, "id").await;
    let body = format!(r#"{{"user_id":"{}"}}"#, ids["user"]);
    ids.insert("job", make("/api/v2/jobs/verification-email", body, "id").await);
    let target = format!("/api/user/{}/metadata/key", ids["user"].replace('|', "%7C"));
    let body = format!(r#"{{"value":"{word}"}}"#);
    let (status, _) = house.ask(&host, "PUT", &target, &headers, &body).await;
    assert!(matches!(status, 200..=204), "{status}");
    ids
}

/// Ids of the same form that nobody has.
fn made_up(ids: &BTreeMap<&'static str, String>) -> BTreeMap<&'static str, String> {
    let other = |id: &String| {
        let turned = |c: char| match c {
            '0'..='8' | 'a'..='y' => char::from(u8::try_from(c).unwrap() + 1),
            other => other,
        };
        let (kept, tail) = id.split_at(id.len() - id.len().min(6));
        format!("{kept}{}", tail.chars().map(turned).collect::<String>())
    };
    ids.iter().map(|(name, id)| (*name, other(id))).collect()
}

fn routes() -> impl Iterator<Item = &'static Route> {
    TABLES.iter().flat_map(|table| table.iter())
}

fn name(route: &Route) -> String {
    format!("{} {}", route.method, route.path)
}

#[test]
fn every_route_is_covered_and_every_case_has_a_route() {
    let mut missing = Vec::new();
    for route in routes() {
        let is_covered = match route.access {
            Access::Scopes(_) => CASES.iter().any(|case| case.route == name(route)),
            Access::Own => OWN.contains(&name(route).as_str()),
            Access::Open => OPEN.contains(&name(route).as_str()),
        };
        if !is_covered {
            missing.push(name(route));
        }
    }
    assert!(missing.is_empty(), "no case of tests/it/isolation covers {missing:#?}");
    let known: Vec<String> = routes().map(name).collect();
    let cases = CASES.iter().map(|case| case.route).chain(OWN.iter().chain(OPEN).copied());
    for case in cases {
        assert!(known.iter().any(|route| route == case), "there is no route {case}");
    }
}

#[test]
fn without_a_token_with_a_foreign_one_or_without_its_scope_no_route_does_anything() {
    System::new().block_on(async {
        let bench = Bench::start().await;
        let before = bench.state().await;
        let foreign = bench.house.token(&bench.alpha, &everything());
        let none = bench.token(&[]);
        for case in CASES {
            let route = routes().find(|route| name(route) == case.route).unwrap();
            let Access::Scopes(scopes) = route.access else { panic!("{}", case.route) };
            let target = named(case.target, &bench.own);
            let (status, body) = bench.ask(case, &target, None).await;
            assert_eq!(status, 401, "{} without a token: {body}", case.route);
            let (status, body) = bench.ask(case, &target, Some(&foreign)).await;
            assert_eq!(status, 401, "{} with another tenant's token: {body}", case.route);
            let (status, body) = bench.ask(case, &target, Some(&none)).await;
            assert_eq!(status, 403, "{} without scopes: {body}", case.route);
            assert!(body.to_string().contains("nsufficient scope"), "{}: {body}", case.route);
            let names: Vec<&str> = scopes.iter().map(|scope| scope.name()).collect();
            let others: Vec<&str> =
                everything().into_iter().filter(|scope| !names.contains(scope)).collect();
            let (status, body) = bench.ask(case, &target, Some(&bench.token(&others))).await;
            assert_eq!(status, 403, "{} with every other scope: {body}", case.route);
        }
        assert_eq!(bench.state().await, before);
    });
}

#[test]
fn with_its_least_scope_alone_every_route_works() {
    System::new().block_on(async {
        for case in CASES {
            let bench = Bench::start().await;
            let token = bench.token(&[case.scope]);
            let (status, body) =
                bench.ask(case, &named(case.target, &bench.own), Some(&token)).await;
            let is_done = (200..300).contains(&status);
            assert!(
                is_done || is_operation(status, &body),
                "{} with {}: {status} {body}",
                case.route,
                case.scope
            );
        }
    });
}

/// In a house there is nobody who could do what an operator asks.
fn is_operation(status: u16, body: &serde_json::Value) -> bool {
    status == 503 && body["errorCode"] == "starting"
}

/// There is no list of exceptions: a route that changes something is rehearsed here or in `dry_run`.
#[test]
fn every_changing_route_is_rehearsed_by_some_test() {
    for route in routes().filter(|route| changes(route)) {
        let name = name(route);
        let is_here = CASES.iter().any(|case| case.route == name);
        assert!(is_here || REHEARSED_HERE.contains(&name.as_str()), "nobody rehearses {name}");
    }
}

#[test]
fn a_dry_run_of_every_changing_route_answers_in_full_and_leaves_no_trace() {
    System::new().block_on(async {
        let bench = Bench::start().await;
        let token = bench.token(&everything());
        for case in CASES.iter().filter(|case| !case.route.starts_with("GET ")) {
            let before = bench.state().await;
            let target = named(case.target, &bench.own);
            let mark = if target.contains('?') { '&' } else { '?' };
            let rehearsed = format!("{target}{mark}dry_run=true");
            let (status, told) = bench.ask(case, &rehearsed, Some(&token)).await;
            assert_eq!(bench.state().await, before, "{} left a trace", case.route);
            if is_operation(status, &told) {
                assert!(REHEARSED_HERE.contains(&case.route), "{}", case.route);
                continue;
            }
            assert_eq!(status, 200, "{} {told}", case.route);
            assert_eq!(told["dry_run"], true, "{} {told}", case.route);
            assert!(told["changes"].is_array(), "{} {told}", case.route);
            // It says what a server that is asked in earnest then answers.
            let fresh = Bench::start().await;
            let target = named(case.target, &fresh.own);
            let token = fresh.token(&everything());
            let (real, _) = fresh.ask(case, &target, Some(&token)).await;
            assert_eq!(told["status"], real, "{} {told}", case.route);
        }
    });
}

#[test]
fn what_another_tenant_has_is_answered_like_what_nobody_has() {
    System::new().block_on(async {
        let bench = Bench::start().await;
        let token = bench.token(&everything());
        let unknown = made_up(&bench.foreign);
        let alpha_before = alpha_state(&bench).await;
        for case in CASES.iter().filter(|case| case.target.contains('{')) {
            let mut told = Vec::new();
            for ids in [&bench.foreign, &unknown] {
                // The last thing named is another tenant's, what stands before it is one's own.
                let (start, end) = case.target.split_at(case.target.rfind('{').unwrap());
                let target = named(start, &bench.own) + &named(end, ids);
                let (status, body) = bench.ask(case, &target, Some(&token)).await;
                let mut text = body.to_string();
                for id in ids.values() {
                    text = text.replace(id.as_str(), "<id>");
                }
                told.push((status, text));
            }
            assert_eq!(told[0], told[1], "{} tells of another tenant", case.route);
        }
        assert_eq!(alpha_state(&bench).await, alpha_before);
    });
}

async fn alpha_state(bench: &Bench) -> String {
    bench.state().await.split_once("alpha ").unwrap().1.to_owned()
}

#[test]
fn lists_searches_and_cursors_show_ones_own_only() {
    System::new().block_on(async {
        let bench = Bench::start().await;
        let token = bench.token(&everything());
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", bearer.as_str())];
        let cursor = {
            use base64::Engine as _;
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&bench.foreign["client"])
        };
        for target in [
            "/api/v2/users".to_owned(),
            "/api/v2/users?q=user_metadata.k:foreign".to_owned(),
            "/api/v2/users?q=email:*foreign*&search_engine=v3".to_owned(),
            format!("/api/v2/users-by-email?email={}", bench.foreign["email"]),
            "/api/v2/clients?per_page=100".to_owned(),
            format!("/api/v2/clients?take=100&from={cursor}"),
            "/api/v2/connections".to_owned(),
            "/api/v2/client-grants".to_owned(),
            "/api/v2/resource-servers".to_owned(),
            "/api/users".to_owned(),
            "/dossier/v1/search/fields".to_owned(),
            "/dossier/v1/search/values?field=user_metadata.k".to_owned(),
            "/dossier/v1/search/values?field=email".to_owned(),
            format!("/api/clients/{}/users", bench.own["client"]),
        ] {
            let (status, body) = bench.house.ask("localhost", "GET", &target, &headers, "").await;
            assert_eq!(status, 200, "{target} {body}");
            let text = body.to_string();
            assert!(!text.contains("foreign"), "{target} {text}");
            for id in ["user", "second", "client", "connection", "api", "grant"] {
                assert!(!text.contains(bench.foreign[id].as_str()), "{target} {id} {text}");
            }
        }
    });
}

#[test]
fn routes_that_look_at_the_credentials_themselves_refuse_foreign_ones() {
    System::new().block_on(async {
        let bench = Bench::start().await;
        let foreign = bench.house.token(&bench.alpha, &everything());
        let bearer = format!("Bearer {foreign}");
        for method in ["GET", "POST"] {
            for headers in [vec![], vec![("Authorization", bearer.as_str())]] {
                let told = bench.house.ask("localhost", method, "/userinfo", &headers, "").await;
                assert_eq!(told.0, 401, "{}", told.1);
            }
        }
        let body = format!(r#"{{"token":"{foreign}"}}"#);
        let told = bench.house.ask("localhost", "POST", "/ui/session", &[JSON], &body).await;
        assert!((400..=403).contains(&told.0), "{} {}", told.0, told.1);
        let told = bench.house.ask("localhost", "GET", "/ui/session", &[], "").await;
        assert!(told.1["session"].is_null(), "{}", told.1);
        // Another tenant's client with its right secret, and a client nobody has.
        let host = House::host(&bench.alpha);
        let alpha = [("Authorization", bearer.as_str())];
        let target = format!("/api/v2/clients/{}", bench.foreign["client"]);
        let (_, client) = bench.house.ask(&host, "GET", &target, &alpha, "").await;
        let secret = client["client_secret"].as_str().unwrap();
        for target in ["/oauth/token", "/connect/token", "/oauth/revoke"] {
            let mut told = Vec::new();
            for id in [&bench.foreign["client"], &made_up(&bench.foreign)["client"]] {
                let body = json!({
                    "grant_type": "client_credentials", "client_id": id, "client_secret": secret,
                    "audience": "http://localhost/api/v2/", "token": "x", "scope": "iam",
                });
                let form = body.as_object().unwrap().iter();
                let form: Vec<String> =
                    form.map(|(key, value)| format!("{key}={}", value.as_str().unwrap())).collect();
                let type_of = [("Content-Type", "application/x-www-form-urlencoded")];
                let answer =
                    bench.house.ask("localhost", "POST", target, &type_of, &form.join("&")).await;
                assert!((400..=403).contains(&answer.0), "{target} {}", answer.1);
                told.push(answer);
            }
            assert_eq!(told[0], told[1], "{target} tells a foreign client from an unknown one");
        }
    });
}

/// A tenant's management is the default tenant's alone.
#[test]
fn a_tenant_cannot_manage_tenants_even_with_every_scope() {
    System::new().block_on(async {
        let bench = Bench::start().await;
        let bearer = format!("Bearer {}", bench.house.token(&bench.alpha, &everything()));
        let headers = [("Authorization", bearer.as_str()), JSON];
        let host = House::host(&bench.alpha);
        // A link to its own dashboard is a tenant's own affair.
        let is_operation = |case: &&Case| {
            case.scope.starts_with("dossier:") && !case.route.contains("login-links")
        };
        for case in CASES.iter().filter(is_operation) {
            let method = case.route.split(' ').next().unwrap();
            let told = bench.house.ask(&host, method, case.target, &headers, case.body).await;
            assert_eq!(told.0, 404, "{} {}", case.route, told.1);
        }
        assert!(bench.house.directory.tenant("alpha").is_some());
    });
}
