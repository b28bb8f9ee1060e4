//! Scopes field by field: the least that works for each member, and what one below it gets; the
//! same when the call is only rehearsed.

use super::{Bench, CASES, named, routes};
use crate::harness::house::{JSON, claims};
use actix_rt::System;
use dossier::http::dispatch::changes;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Who may change a member of a user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Least {
    /// `update:users` alone.
    Users,
    /// `update:users_app_metadata` will do.
    AppMetadata,
    /// The user, with `update:current_user_metadata`.
    Oneself,
}

/// Every member of `PATCH /api/v2/users/{id}`: a body that has it, and the least that is needed.
const USER_FIELDS: &[(&str, &str, Least)] = &[
    ("app_metadata", r#"{"app_metadata":{"k":2}}"#, Least::AppMetadata),
    ("blocked", r#"{"blocked":true}"#, Least::Users),
    ("client_id", r#"{"client_id":"{client}","email":"x@example.com"}"#, Least::Users),
    (
        "connection",
        r#"{"connection":"Username-Password-Authentication","email":"c@example.com"}"#,
        Least::Users,
    ),
    ("email", r#"{"email":"y@example.com"}"#, Least::Users),
    ("email_verified", r#"{"email_verified":true}"#, Least::Users),
    ("family_name", r#"{"family_name":"x"}"#, Least::Users),
    ("given_name", r#"{"given_name":"x"}"#, Least::Users),
    ("name", r#"{"name":"x"}"#, Least::Users),
    ("nickname", r#"{"nickname":"x"}"#, Least::Users),
    ("password", r#"{"password":"Correct-Horse-9"}"#, Least::Users),
    ("phone_number", r#"{"phone_number":"+15551234567"}"#, Least::Users),
    ("phone_verified", r#"{"phone_verified":true}"#, Least::Users),
    ("picture", r#"{"picture":"https://example.com/x.png"}"#, Least::Users),
    ("user_metadata", r#"{"user_metadata":{"k":"z"}}"#, Least::Oneself),
    ("username", r#"{"username":"somebody"}"#, Least::Users),
    ("verify_email", r#"{"verify_email":false,"email":"z@example.com"}"#, Least::Users),
    ("verify_password", r#"{"verify_password":false,"password":"Correct-Horse-9"}"#, Least::Users),
    (
        "verify_phone_number",
        r#"{"verify_phone_number":false,"phone_number":"+15551234567"}"#,
        Least::Users,
    ),
];

/// What is needed to change a member of a user.
pub(super) fn least_of(member: &str) -> Least {
    USER_FIELDS.iter().find(|(field, ..)| *field == member).unwrap().2
}

impl Bench {
    /// Asks the default tenant with scopes, as its client or as one of its users.
    pub(super) async fn with(
        &self,
        scopes: &[&str],
        user: Option<&str>,
        (method, target, body): (&str, &str, &str),
    ) -> (u16, Value) {
        let mut claims = claims(self.house.tenant(), scopes);
        if let Some(user) = user {
            user.clone_into(&mut claims.sub);
            claims.gty = None;
        }
        let bearer = format!("Bearer {}", self.house.sign(self.house.tenant(), &claims));
        let headers = [("Authorization", bearer.as_str()), JSON];
        let body = named(body, &self.own);
        self.house.ask("localhost", method, target, &headers, &body).await
    }

    /// The members a route takes, as its description says.
    async fn members(&self, path: &str, method: &str) -> BTreeSet<String> {
        let (_, document) = self.with(&[], None, ("GET", "/openapi.json", "")).await;
        let body = &document["paths"][path][method]["requestBody"];
        let members = &body["content"]["application/json"]["schema"]["properties"];
        members.as_object().unwrap().keys().cloned().collect()
    }
}

#[test]
fn every_member_of_a_user_has_its_least_scope() {
    System::new().block_on(async {
        let bench = Bench::start().await;
        let listed: BTreeSet<String> =
            USER_FIELDS.iter().map(|(field, ..)| (*field).to_owned()).collect();
        assert_eq!(bench.members("/api/v2/users/{id}", "patch").await, listed);
        let user = bench.own["user"].clone();
        for (field, body, least) in USER_FIELDS {
            // Rehearsed and real: the same refusals, and a rehearsal changes nothing.
            for query in ["?dry_run=true", ""] {
                let target = format!("/api/v2/users/{user}{query}");
                let call = ("PATCH", target.as_str(), *body);
                let own = Some(user.as_str());
                let other = Some(bench.own["second"].as_str());
                for (scope, who, works) in [
                    ("read:users", None, false),
                    ("update:current_user_identities", own, false),
                    ("update:current_user_metadata", other, false),
                    ("update:current_user_metadata", own, *least == Least::Oneself),
                    ("update:users_app_metadata", None, *least == Least::AppMetadata),
                    ("update:users", None, true),
                ] {
                    let before = bench.state().await;
                    let (status, told) = bench.with(&[scope], who, call).await;
                    let is_refused = status == 403;
                    assert_eq!(is_refused, !works, "{field} {scope} {query}: {status} {told}");
                    assert_ne!(status, 401, "{told}");
                    if is_refused || !query.is_empty() {
                        assert_eq!(bench.state().await, before, "{field} {scope} {query}");
                    }
                }
            }
        }
    });
}

#[test]
fn what_a_narrow_scope_covers_does_not_carry_the_rest_in() {
    System::new().block_on(async {
        let bench = Bench::start().await;
        let user = bench.own["user"].clone();
        let target = format!("/api/v2/users/{user}");
        let before = bench.state().await;
        for (scope, who, member) in [
            ("update:users_app_metadata", None, r#""app_metadata":{"k":2}"#),
            ("update:current_user_metadata", Some(user.as_str()), r#""user_metadata":{"k":2}"#),
        ] {
            for (field, body, _) in USER_FIELDS {
                if member.contains(field) {
                    continue;
                }
                let body = format!("{{{member},{}", body.strip_prefix('{').unwrap());
                let (status, told) = bench.with(&[scope], who, ("PATCH", &target, &body)).await;
                assert_eq!(status, 403, "{scope} {body}: {told}");
            }
        }
        let target = format!("/api/v2/clients/{}", bench.own["client"]);
        let secret = format!(r#""client_secret":"{}""#, "s".repeat(48));
        for member in [r#""name":"taken over""#, r#""client_metadata":{"k":"x"}"#] {
            let body = format!("{{{secret},{member}}}");
            for scope in ["update:client_keys", "update:clients"] {
                let (status, told) = bench.with(&[scope], None, ("PATCH", &target, &body)).await;
                assert_eq!(status, 403, "{scope} {body}: {told}");
            }
        }
        assert_eq!(bench.state().await, before);
    });
}

#[test]
fn the_secret_of_a_client_needs_scopes_of_its_own() {
    System::new().block_on(async {
        let bench = Bench::start().await;
        let target = format!("/api/v2/clients/{}", bench.own["client"]);
        let secret = json!({"client_secret": "s".repeat(48)}).to_string();
        for (scope, works) in
            [("read:clients", false), ("update:clients", false), ("update:client_keys", true)]
        {
            for query in ["?dry_run=true", ""] {
                let target = format!("{target}{query}");
                let (status, told) = bench.with(&[scope], None, ("PATCH", &target, &secret)).await;
                assert_eq!(status, if works { 200 } else { 403 }, "{scope}{query}: {told}");
            }
        }
        for (scopes, is_shown) in [
            (&["read:clients"][..], false),
            (&["read:client_summary"][..], false),
            (&["read:clients", "read:client_keys"][..], true),
            (&["read:client_keys"][..], true),
        ] {
            for path in [target.as_str(), "/api/v2/clients"] {
                for query in ["", "?fields=client_id,client_secret"] {
                    let asked = format!("{path}{query}");
                    let (status, told) = bench.with(scopes, None, ("GET", &asked, "")).await;
                    let text = told.to_string();
                    let shows = text.contains(r#""client_secret":"#);
                    assert_eq!(shows, status == 200 && is_shown, "{scopes:?} {asked}: {status}");
                }
            }
        }
    });
}

#[test]
fn a_rehearsal_needs_what_the_call_needs_and_changes_nothing() {
    System::new().block_on(async {
        let bench = Bench::start().await;
        let before = bench.state().await;
        let mut rehearsed = 0;
        for route in routes().filter(|route| changes(route)) {
            let name = super::name(route);
            let Some(case) = CASES.iter().find(|case| case.route == name) else { continue };
            let target = named(case.target, &bench.own);
            let mark = if target.contains('?') { '&' } else { '?' };
            let dry = format!("{target}{mark}dry_run=true");
            let nobody = bench.ask(case, &dry, None).await;
            assert_eq!(nobody.0, 401, "{dry}");
            let other = super::everything();
            let elsewhere = if case.scope == "read:logs" { "read:grants" } else { "read:logs" };
            let without: Vec<&str> =
                other.iter().copied().filter(|scope| scope.starts_with(elsewhere)).collect();
            let token = bench.token(&without);
            let refused = bench.ask(case, &dry, Some(&token)).await;
            let real = bench.ask(case, &target, Some(&token)).await;
            assert_eq!(refused.0, 403, "{dry}: {}", refused.1);
            assert_eq!(refused, real, "a rehearsal is refused like the call");
            let (status, told) = bench.ask(case, &dry, Some(&bench.token(&[case.scope]))).await;
            if super::is_operation(status, &told) {
                continue;
            }
            assert!(status < 300 && told["dry_run"] == true, "{dry}: {status} {told}");
            rehearsed += 1;
        }
        assert!(rehearsed > 20, "{rehearsed}");
        assert_eq!(bench.state().await, before);
    });
}
