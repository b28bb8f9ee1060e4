//! What was asked lately, for who tests a program against this server. Only in test mode.
//!
//! Each tenant has a ring, bounded in requests and in bytes, and so is the number of rings. Nothing
//! secret gets in: bodies of the doors that hand out or take secrets are not kept, in all others
//! what a name or a look gives away is blotted out, and of a query only what is known to be harmless stays.

use crate::domain::json::{self, Builder, Elements, Kind, Members, Object};
use crate::store::format::TenantUid;
use actix_web::HttpResponse;
use actix_web::body::{BoxBody, MessageBody};
use bytes::Bytes;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The largest body that is kept, in bytes.
pub const MAX_BODY_BYTES: usize = 16 << 10;

/// What the bodies of one tenant may take, in bytes.
const MAX_BYTES: usize = 4 << 20;

/// Tenants whose requests are kept; the one that was quiet longest makes room.
const MAX_TENANTS: usize = 64;

/// Longer paths, queries and names are cut.
const MAX_TEXT_BYTES: usize = 1024;

/// What stands where something was blotted out.
pub const BLOT: &str = "***";

/// Members whose name has one of these in it are secrets, whatever the case and however its words
/// are held together.
const SECRET_NAMES: &[&str] = &[
    "password",
    "secret",
    "token",
    "assertion",
    "private",
    "passphrase",
    "bearer",
    "apikey",
    "accesskey",
    "saskey",
    "signingkey",
    "credential",
    "hash",
    "ticket",
    "location",
    "cookie",
    "authorization",
    "otp",
    "codeverifier",
];

/// Texts with one of these in them open something.
const SECRET_LOOKS: &[&str] = &["once=", "ticket=", "access_token=", "PRIVATE KEY", "Bearer "];

/// Members that name a key, and those that then give its value: entries, operations of a patch,
/// differences.
const NAMING: &[&str] = &["\"key\"", "\"path\"", "\"from\""];
const VALUES: &[&str] = &["\"value\"", "\"before\"", "\"after\""];

/// Paths whose bodies and tails are secrets.
const SECRET_PATHS: &[&str] = &[
    "/oauth/",
    "/connect/",
    "/userinfo",
    "/ui/",
    "/u/",
    "/lo/",
    "/dbconnections/",
    "/api/v2/tickets/",
    "/dossier/v1/login-links",
    "/dossier/v1/tokens",
    "/dossier/v1/exports/",
    "/dossier/v1/requests",
];

/// Parameters of a query whose values are shown.
const OPEN_PARAMETERS: &[&str] = &[
    "page",
    "per_page",
    "include_totals",
    "q",
    "sort",
    "fields",
    "include_fields",
    "search_engine",
    "dry_run",
    "from",
    "take",
    "email",
    "connection",
    "strategy",
    "as_of",
    "to",
    "blame",
    "erase",
    "limit",
    "is_global",
    "search",
    "primary_order",
    "start",
];

/// A body, as far as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Body {
    /// How long it was; none when nobody counted.
    pub bytes: Option<usize>,
    /// Its text with secrets blotted out.
    pub text: Option<String>,
    /// Why there is no text.
    pub why: Option<&'static str>,
}

impl Body {
    /// A body of these bytes. JSON is kept, and nothing else.
    pub fn of(path: &str, bytes: Option<&[u8]>) -> Self {
        let Some(bytes) = bytes else {
            return Self { why: Some("it was not read as a whole"), ..Self::default() };
        };
        let (text, why) = match std::str::from_utf8(bytes) {
            _ if bytes.is_empty() => (None, None),
            _ if is_secret_path(path) => (None, Some("this path carries secrets")),
            _ if bytes.len() > MAX_BODY_BYTES => (None, Some("it is too long to be kept")),
            Ok(text) if json::check(text, 64).is_ok() => {
                (Some(blotted(&json::compact(text))), None)
            }
            Ok(_) | Err(_) => (None, Some("it is not JSON")),
        };
        Self { bytes: Some(bytes.len()), text, why }
    }

    /// The user that was made, where this is the answer to that.
    pub fn user_made(&self, path: &str) -> Option<String> {
        let text =
            self.text.as_ref().filter(|text| path == "/api/v2/users" && text.starts_with('{'))?;
        Object::trusted(text).get_str("user_id").map(Cow::into_owned)
    }

    fn to_json(&self) -> String {
        let mut out = Builder::new();
        if let Some(bytes) = self.bytes {
            out.raw("bytes", &bytes.to_string());
        }
        out.optional("why", self.why);
        out.optional("text", self.text.as_deref());
        out.finish()
    }

    fn len(&self) -> usize {
        self.text.as_ref().map_or(0, String::len)
    }
}

/// One request and its answer.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// Its place in the order of all requests of this process.
    pub id: u64,
    /// When it was answered, in milliseconds since the epoch.
    pub at: i64,
    /// The method.
    pub method: String,
    /// The path as it was sent.
    pub path: String,
    /// The query, its values blotted out where they may be secret.
    pub query: String,
    /// The status of the answer.
    pub status: u16,
    /// How long the answer took.
    pub micros: u64,
    /// The request's id.
    pub request_id: String,
    /// Who asked, where the door looked.
    pub subject: String,
    /// The user the path names.
    pub user_id: Option<String>,
    /// Whether a page of the dashboard asked.
    pub is_dashboard: bool,
    /// The body that came.
    pub request: Body,
    /// The body that went.
    pub response: Body,
}

impl Entry {
    /// As it is told.
    pub fn to_json(&self) -> String {
        let mut out = Builder::with_capacity(256 + self.len());
        out.raw("id", &self.id.to_string())
            .raw("at", &self.at.to_string())
            .string("method", &self.method)
            .string("path", &self.path)
            .string("query", &self.query)
            .raw("status", &self.status.to_string())
            .raw("micros", &self.micros.to_string())
            .string("request_id", &self.request_id)
            .string("subject", &self.subject)
            .optional("user_id", self.user_id.as_deref())
            .flag("dashboard", Some(self.is_dashboard))
            .raw("request", &self.request.to_json())
            .raw("response", &self.response.to_json());
        out.finish()
    }

    fn len(&self) -> usize {
        self.request.len() + self.response.len()
    }
}

/// Which requests are asked for.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Only later ones.
    pub after: u64,
    /// With this method.
    pub method: Option<String>,
    /// With this status, or of this class: `4xx`.
    pub status: Option<String>,
    /// With this in their path.
    pub path: Option<String>,
}

impl Wanted {
    fn has(&self, entry: &Entry) -> bool {
        let status = entry.status.to_string();
        let is_status = |wanted: &String| match wanted.strip_suffix("xx") {
            Some(class) => status.starts_with(class),
            None => status == *wanted,
        };
        entry.id > self.after
            && self.method.as_ref().is_none_or(|method| method.eq_ignore_ascii_case(&entry.method))
            && self.status.as_ref().is_none_or(is_status)
            && self.path.as_ref().is_none_or(|path| entry.path.contains(path.as_str()))
    }
}

#[derive(Debug, Default)]
struct Ring {
    entries: VecDeque<Arc<Entry>>,
    size_bytes: usize,
}

#[derive(Debug, Default)]
struct Rings {
    last: u64,
    tenants: HashMap<TenantUid, Ring>,
}

/// The latest requests of every tenant.
#[derive(Debug, Default)]
pub struct RequestLog(Mutex<Rings>);

impl RequestLog {
    fn rings(&self) -> MutexGuard<'_, Rings> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a request, and of older ones as many as `most` leaves room for.
    pub fn keep(&self, tenant: TenantUid, mut entry: Entry, most: usize) {
        if most == 0 {
            return;
        }
        for text in [&mut entry.path, &mut entry.query, &mut entry.subject] {
            cut(text);
        }
        let mut rings = self.rings();
        rings.last += 1;
        entry.id = rings.last;
        if !rings.tenants.contains_key(&tenant) && rings.tenants.len() >= MAX_TENANTS {
            let last = |ring: &Ring| ring.entries.back().map_or(0, |entry| entry.id);
            let quiet =
                rings.tenants.iter().min_by_key(|(_, ring)| last(ring)).map(|(uid, _)| *uid);
            quiet.map(|uid| rings.tenants.remove(&uid));
        }
        let ring = rings.tenants.entry(tenant).or_default();
        ring.size_bytes += entry.len();
        ring.entries.push_back(Arc::new(entry));
        while ring.entries.len() > most || ring.size_bytes > MAX_BYTES {
            let Some(oldest) = ring.entries.pop_front() else { break };
            ring.size_bytes -= oldest.len();
        }
    }

    /// The newest requests of a tenant that are wanted, the newest first, at most so many.
    pub fn newest(&self, tenant: TenantUid, wanted: &Wanted, limit: usize) -> Vec<Arc<Entry>> {
        let rings = self.rings();
        let all = rings.tenants.get(&tenant).into_iter().flat_map(|ring| ring.entries.iter().rev());
        all.filter(|entry| wanted.has(entry)).take(limit).cloned().collect()
    }

    /// Forgets the requests of a tenant.
    pub fn forget(&self, tenant: TenantUid) {
        self.rings().tenants.remove(&tenant);
    }
}

/// An answer as it was, and its body if that is there as a whole.
pub fn told(response: HttpResponse) -> (HttpResponse, Option<Bytes>) {
    let (head, body) = response.into_parts();
    match body.try_into_bytes() {
        Ok(bytes) => (head.set_body(BoxBody::new(bytes.clone())), Some(bytes)),
        Err(body) => (head.set_body(body), None),
    }
}

fn cut(text: &mut String) {
    if text.len() > MAX_TEXT_BYTES {
        let end = (0..=MAX_TEXT_BYTES).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
}

fn is_secret_path(path: &str) -> bool {
    // The last part of some paths names a key, and the body is its value.
    SECRET_PATHS.iter().any(|secret| path.starts_with(secret)) || names_secret(&decoded(path))
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// A path without the secret that some end in.
pub fn shown_path(path: &str) -> Cow<'_, str> {
    match path.strip_prefix("/dossier/v1/exports/") {
        Some(_) => Cow::Owned(format!("/dossier/v1/exports/{BLOT}")),
        None => Cow::Borrowed(path),
    }
}

/// A query whose values are blotted out unless they are known to be harmless.
pub fn shown_query(query: &str) -> String {
    let pairs = query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let text = decoded(value);
        let is_open =
            OPEN_PARAMETERS.contains(&name) && !looks_secret(&text) && !names_secret(&text);
        if is_open || value.is_empty() { pair.to_owned() } else { format!("{name}={BLOT}") }
    });
    pairs.collect::<Vec<_>>().join("&")
}

fn names_secret(text: &str) -> bool {
    let text = text.to_lowercase().replace(['_', '-', ' '], "");
    SECRET_NAMES.iter().any(|secret| text.contains(secret))
}

fn looks_secret(text: &str) -> bool {
    // A JSON Web Token begins with an encoded `{"`, wherever it stands.
    let is_token = text.contains("eyJ") && text.matches('.').count() >= 2;
    is_token || SECRET_LOOKS.iter().any(|look| text.contains(look))
}

/// Compact JSON with its secrets blotted out; everything else to the byte.
fn blotted(text: &str) -> String {
    match Kind::of(text) {
        Kind::Object => {
            // Some name a key in one member and give its value in another.
            let names = |(key, value): (&str, &str)| {
                NAMING.contains(&key) && names_secret(&json::unquote(value))
            };
            let is_named = Members::of(text).any(names);
            let members = Members::of(text).map(|(key, value)| {
                let is_secret =
                    names_secret(&json::unquote(key)) || (is_named && VALUES.contains(&key));
                if is_secret && !matches!(Kind::of(value), Kind::Null | Kind::Boolean) {
                    format!("{key}:\"{BLOT}\"")
                } else {
                    format!("{key}:{}", blotted(value))
                }
            });
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Kind::Array => {
            let elements: Vec<String> = Elements::of(text).map(blotted).collect();
            format!("[{}]", elements.join(","))
        }
        Kind::String if looks_secret(&json::unquote(text)) => format!("\"{BLOT}\""),
        Kind::String | Kind::Null | Kind::Boolean | Kind::Integer | Kind::Number => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACME: TenantUid = TenantUid(7);

    fn entry(path: &str, status: u16) -> Entry {
        Entry { method: "GET".to_owned(), path: path.to_owned(), status, ..Entry::default() }
    }

    #[track_caller]
    fn check(path: &str, body: &str, expected: Option<&str>) {
        assert_eq!(Body::of(path, Some(body.as_bytes())).text.as_deref(), expected, "{body}");
    }

    #[test]
    fn a_name_is_telling_however_its_words_are_held_together() {
        for name in [
            "client_secret",
            "clientSecret",
            "CLIENT-SECRET",
            "API_KEY",
            "apiKey",
            "access_key",
            "sasKey",
            "signing_key",
            "signingKey",
            "bearer",
            "private-key",
            "code_verifier",
        ] {
            let body = format!(r#"{{"options":{{"{name}":"x","url":"y"}}}}"#);
            let blotted = format!(r#"{{"options":{{"{name}":"***","url":"y"}}}}"#);
            check("/api/v2/connections", &body, Some(&blotted));
        }
    }

    #[test]
    fn secrets_are_blotted_out_and_the_rest_keeps_its_bytes() {
        let users = "/api/v2/users";
        check(
            users,
            r#"{"email":"a@example.com","password":"hunter2","user_metadata":{"n":1.0,"e":1e3,"clientSecret":{"x":1}}}"#,
            Some(
                r#"{"email":"a@example.com","password":"***","user_metadata":{"n":1.0,"e":1e3,"clientSecret":"***"}}"#,
            ),
        );
        check(
            users,
            r#"[ {"PassWord" : "x"}, "eyJhbGciOiJ9.eyJzdWIi.c2ln" ]"#,
            Some(r#"[{"PassWord":"***"},"***"]"#),
        );
        check(
            users,
            r#"{"url":"http://a/ui/login?once=x","key":"theme"}"#,
            Some(r#"{"url":"***","key":"theme"}"#),
        );
        check(users, r#"{"\u0070assword":"x"}"#, Some(r#"{"\u0070assword":"***"}"#));
        check(
            users,
            r#"{"verify_password":false,"token":null}"#,
            Some(r#"{"verify_password":false,"token":null}"#),
        );
        check(
            users,
            r#"[{"key":"apiToken","value":"x","n":1},{"op":"add","path":"/user_metadata/pin_secret","value":{"a":1}},{"path":"a.b","before":1,"after":2}]"#,
            Some(
                r#"[{"key":"apiToken","value":"***","n":1},{"op":"add","path":"/user_metadata/pin_secret","value":"***"},{"path":"a.b","before":1,"after":2}]"#,
            ),
        );
        check("/dossier/v1/users/a/user_metadata/api%54oken", r#""x""#, None);
        check("/dossier/v1/users/a/user_metadata/hobby", r#""x""#, Some(r#""x""#));
        check("/oauth/token", r#"{"a":1}"#, None);
        check("/dossier/v1/login-links", r#"{"a":1}"#, None);
        check(users, "password=hunter2", None);
        check(users, &format!("\"{}\"", "x".repeat(MAX_BODY_BYTES)), None);
    }

    #[test]
    fn of_a_query_only_what_is_known_to_be_harmless_stays() {
        assert_eq!(
            shown_query("page=2&access_token=abc&q=name:a&ticket=t&x"),
            "page=2&access_token=***&q=name:a&ticket=***&x"
        );
        assert_eq!(shown_query("q=eyJa.b.c"), "q=***");
        assert_eq!(shown_query("q=user_metadata.api%54oken:x"), "q=***");
        assert_eq!(
            shown_path("/dossier/v1/exports/job.1.secret.json.gz"),
            "/dossier/v1/exports/***"
        );
    }

    #[test]
    fn rings_are_bounded_in_requests_bytes_and_tenants() {
        let log = RequestLog::default();
        for number in 0..20 {
            log.keep(ACME, entry(&format!("/{number}"), 200), 5);
        }
        let paths = |uid| -> Vec<String> {
            log.newest(uid, &Wanted::default(), 100).iter().map(|one| one.path.clone()).collect()
        };
        assert_eq!(paths(ACME), ["/19", "/18", "/17", "/16", "/15"]);
        let big = Body { text: Some("x".repeat(MAX_BODY_BYTES)), ..Body::default() };
        for _ in 0..1_000 {
            let entry = Entry { request: big.clone(), ..entry("/big", 200) };
            log.keep(ACME, entry, 1_000);
        }
        assert_eq!(log.newest(ACME, &Wanted::default(), 10_000).len(), MAX_BYTES / MAX_BODY_BYTES);
        for uid in 0..200 {
            log.keep(TenantUid(1_000 + uid), entry("/", 200), 5);
        }
        assert_eq!(log.rings().tenants.len(), MAX_TENANTS);
        assert!(paths(ACME).is_empty());
        log.keep(ACME, entry("/", 200), 0);
        assert!(paths(ACME).is_empty(), "none are kept where none are wanted");
        log.keep(ACME, entry(&"é".repeat(5_000), 200), 5);
        assert!(paths(ACME)[0].len() <= MAX_TEXT_BYTES + 3);
        log.forget(ACME);
        assert!(paths(ACME).is_empty());
    }

    #[test]
    fn requests_are_found_by_method_status_and_path() {
        let log = RequestLog::default();
        for (path, status) in [("/a", 200), ("/b", 404), ("/ab", 409), ("/c", 500)] {
            log.keep(ACME, entry(path, status), 10);
        }
        let found = |wanted: &Wanted| -> Vec<u16> {
            log.newest(ACME, wanted, 10).iter().map(|one| one.status).collect()
        };
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(found(&Wanted { status: text("4xx"), ..Wanted::default() }), [409, 404]);
        assert_eq!(found(&Wanted { status: text("500"), ..Wanted::default() }), [500]);
        assert_eq!(found(&Wanted { path: text("b"), ..Wanted::default() }), [409, 404]);
        assert_eq!(found(&Wanted { after: 3, ..Wanted::default() }), [500]);
        assert!(found(&Wanted { method: text("post"), ..Wanted::default() }).is_empty());
        assert_eq!(found(&Wanted { method: text("get"), ..Wanted::default() }).len(), 4);
    }
}
