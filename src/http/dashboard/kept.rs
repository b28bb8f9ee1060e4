//! Sessions as their tenant keeps them: under the SHA-256 of their cookie, so that what is on disk
//! opens nothing, and a session outlives the process that opened it.
//!
//! One is kept as a refresh token with members of its own, for which format 1 has all it needs. So
//! it is durable before its cookie leaves, gone before a sign-out is answered, and ends with its
//! client, with its user and with the user's password, as refresh tokens do.

use super::Problem;
use super::session::{Link, Pass, Role, Session};
use crate::domain::change::Channel;
use crate::domain::command::Command;
use crate::domain::json::{self, Builder, Object};
use crate::domain::resource::{Resource, ResourceKind, refresh_token_id, refresh_token_prefix};
use crate::domain::time::{Timestamp, Version};
use crate::http::call::Call;
use crate::http::random;
use crate::http::tokens::Claims;
use crate::store::format::TenantUid;
use std::sync::Arc;

/// Whose sessions those are that a link opened.
const BY_LINK: &str = "dossier:dashboard";

/// 43 of 64 letters: 258 bits of chance.
const SECRET_CHARS: usize = 43;

/// Sessions of one owner at once; the one that ends soonest makes room.
const MAX_FOR_EACH: usize = 1_000;

/// How many that are over one sign-in clears away.
const CLEARED_AT_ONCE: usize = 16;

/// Keeps a session and gives the value of its cookie, once.
///
/// # Errors
/// What the tenant says.
pub(super) async fn open(call: &Call, session: &Session) -> Result<String, Problem> {
    let owner = match &session.pass {
        Pass::Link(_) => BY_LINK,
        Pass::Token(claims) => &claims.sub,
    };
    let prefix = refresh_token_prefix(owner);
    let kind = ResourceKind::RefreshToken;
    let also = surplus(own(call, &prefix), call.valid_at)
        .into_iter()
        .map(|id| Command::DeleteResource { kind, id })
        .collect();
    let cookie = prefix + &random::secret(SECRET_CHARS);
    let resource = Resource {
        kind,
        id: refresh_token_id(&cookie).ok_or_else(Problem::internal)?,
        version: Version::ZERO,
        body: body(session),
    };
    let main = Box::new(Command::CreateResource(Box::new(resource)));
    let command = Command::Along { main, also };
    call.write_as_server(Channel::Authentication, command).await?;
    Ok(cookie)
}

/// The session of a cookie, if the tenant keeps one.
pub(super) fn find(call: &Call, cookie: &str) -> Option<Arc<Session>> {
    let id = refresh_token_id(cookie)?;
    let resource = call.tenant.published().resource(ResourceKind::RefreshToken, &id)?;
    read(call.tenant.uid(), &resource).map(Arc::new)
}

/// Ends the session of a cookie, if the tenant keeps one.
///
/// # Errors
/// What the tenant says; the session may then go on.
pub(super) async fn close(call: &Call, cookie: &str) -> Result<(), Problem> {
    match refresh_token_id(cookie) {
        Some(id) if find(call, cookie).is_some() => remove(call, id).await,
        Some(_) | None => Ok(()),
    }
}

async fn remove(call: &Call, id: String) -> Result<(), Problem> {
    let command = Command::DeleteResource { kind: ResourceKind::RefreshToken, id };
    call.write_as_server(Channel::Authentication, command).await.map(|_| ())
}

/// The sessions of an owner: when each ends, and its id.
fn own(call: &Call, prefix: &str) -> Vec<(Timestamp, String)> {
    let all = call.tenant.published().resources_with(ResourceKind::RefreshToken, prefix);
    all.iter()
        .filter_map(|own| Some((read(call.tenant.uid(), own)?.expires, own.id.clone())))
        .collect()
}

/// The ids of those that are over, some of them, and of those that make room for one more.
fn surplus(mut sessions: Vec<(Timestamp, String)>, now: Timestamp) -> Vec<String> {
    sessions.sort_unstable();
    let over = sessions.partition_point(|(expires, _)| *expires <= now);
    let beyond = (sessions.len() + 1).saturating_sub(MAX_FOR_EACH);
    let count = over.min(CLEARED_AT_ONCE).max(beyond);
    sessions.into_iter().take(count).map(|(_, id)| id).collect()
}

/// What is kept of a session.
fn body(session: &Session) -> Object {
    let mut out = Builder::new();
    out.string("session_key", &session.key).string("expires_at", &session.expires.to_string());
    match &session.pass {
        Pass::Link(Link { role, prefixes, subject, has_snapshots, .. }) => {
            out.string("role", role.name())
                .raw("prefixes", &json::array_of(prefixes))
                .string("subject", subject);
            if *has_snapshots {
                out.flag("has_snapshots", Some(true));
            }
        }
        Pass::Token(claims) => {
            // What ends refresh tokens of a user or a client goes by these two members.
            out.optional("client_id", claims.client_id());
            if claims.speaks_for_user() {
                out.string("user_id", &claims.sub);
            }
            let text = serde_json::to_string(claims).expect("claims are plain JSON");
            out.raw("claims", &text);
        }
    }
    out.object()
}

/// A session that is kept; none for a refresh token.
fn read(tenant: TenantUid, resource: &Resource) -> Option<Session> {
    let body = &resource.body;
    let key = body.get_str("session_key")?.into_owned();
    let expires = Timestamp::parse(&body.get_str("expires_at")?)?;
    let pass = match body.get("claims") {
        Some(claims) => Pass::Token(Box::new(Claims::read(claims.as_bytes()).ok()?)),
        None => Pass::Link(Link {
            tenant,
            role: Role::parse(&body.get_str("role")?)?,
            prefixes: body.get_strings("prefixes")?,
            subject: body.get_str("subject")?.into_owned(),
            // A session from before there was this member has none.
            has_snapshots: body.get("has_snapshots") == Some("true"),
        }),
    };
    Some(Session { tenant, pass, key, expires })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: TenantUid = TenantUid(3);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn resource(body: Object) -> Resource {
        let kind = ResourceKind::RefreshToken;
        Resource { kind, id: "i".to_owned(), version: Version::ZERO, body }
    }

    #[track_caller]
    fn check(pass: Pass, members: &[&str]) {
        let session = Session { tenant: TENANT, pass, key: "kid".to_owned(), expires: at(9) };
        let body = body(&session);
        assert_eq!(body.keys().collect::<Vec<_>>(), members);
        assert_eq!(read(TENANT, &resource(body)), Some(session));
    }

    fn claims(sub: &str, gty: Option<&str>) -> Pass {
        let text = format!(
            r#"{{"iss":"i/","sub":"{sub}","aud":"a","iat":1,"exp":9,"scope":"read:users","azp":"c"}}"#
        );
        let claims = Claims::read(text.as_bytes()).unwrap();
        Pass::Token(Box::new(Claims { gty: gty.map(str::to_owned), ..claims }))
    }

    #[test]
    fn a_session_reads_back_as_it_was() {
        check(
            Pass::Link(Link {
                tenant: TENANT,
                role: Role::Editor,
                prefixes: vec!["crm_".to_owned()],
                subject: "Ada \"the\" editor".to_owned(),
                has_snapshots: false,
            }),
            &["session_key", "expires_at", "role", "prefixes", "subject"],
        );
        let (prefixes, subject) = (Vec::new(), "dashboard".to_owned());
        let admin =
            Link { tenant: TENANT, role: Role::Admin, prefixes, subject, has_snapshots: true };
        let members = ["session_key", "expires_at", "role", "prefixes", "subject", "has_snapshots"];
        check(Pass::Link(admin), &members);
        let machine = ["session_key", "expires_at", "client_id", "claims"];
        check(claims("c@clients", None), &machine);
        check(claims("anybody", Some("client-credentials")), &machine);
        let user = ["session_key", "expires_at", "client_id", "user_id", "claims"];
        check(claims("auth0|1", Some("password")), &user);
    }

    #[test]
    fn a_refresh_token_is_no_session() {
        let body = r#"{"client_id":"c","user_id":"auth0|1","audience":"a","scope":"","expires_at":"2026-01-01T00:00:00.000Z"}"#;
        assert_eq!(read(TENANT, &resource(Object::trusted(body))), None);
        assert_eq!(read(TENANT, &resource(Object::empty())), None);
    }

    #[test]
    fn those_that_are_over_go_and_the_one_that_ends_soonest_makes_room() {
        let some = |range: std::ops::Range<i64>| -> Vec<_> {
            range.map(|n| (at(n), format!("s{n}"))).rev().collect()
        };
        assert_eq!(surplus(some(1..4), at(2)), ["s1", "s2"]);
        assert!(surplus(some(1..4), at(0)).is_empty());
        assert_eq!(surplus(some(0..100), at(500)).len(), CLEARED_AT_ONCE);
        assert!(surplus(some(0..999), at(-1)).is_empty());
        assert_eq!(surplus(some(0..1_000), at(-1)), ["s0"]);
    }
}
