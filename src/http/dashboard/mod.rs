//! The dashboard under `/ui/`: its files, its sessions, and the figures it shows.
//!
//! Pages are files; what they show they fetch from the public API with the session's
//! cookie in place of a token. Nothing is rendered here but the shell.

pub mod assets;
mod figures;
mod guard;
mod kept;
pub mod overview;
pub mod session;

pub use guard::{Bounds, let_in};

use super::call::Call;
use super::problem::Problem;
use super::random;
use super::route::{Access, Answering, Dialect, Route};
use super::services::{Services, token_tenant};
use crate::config::Loaded;
use crate::domain::json::{self, Builder};
use crate::domain::permit::Caller;
use crate::domain::scope::Scope;
use crate::domain::time::Timestamp;
use crate::http::openapi::detail::{Detail, Takes};
use crate::tenant::SnapshotState;
use actix_web::HttpResponse;
use actix_web::http::header;
use assets::ReadAsset;
use session::{Link, Pass, Role, Session, Sessions};
use std::sync::{Arc, Mutex};

/// Tells how many bytes of memory the process has in use, where the system says so.
pub type Memory = dyn Fn() -> Option<u64> + Send + Sync;

/// What the dashboard keeps for itself.
pub struct Dashboard {
    /// Links and sessions.
    pub sessions: Sessions,
    /// The configuration as it runs, with its origins.
    pub loaded: Arc<Mutex<Loaded>>,
    /// What the snapshot actor tells of itself.
    pub snapshots: Arc<SnapshotState>,
    /// Whether data outlives the process.
    pub is_memory: bool,
    /// Tells how many bytes of memory the process has in use.
    pub memory: Option<Box<Memory>>,
    /// When the server began.
    pub started: Timestamp,
    /// Reads files from disk while they are being worked on.
    pub read: Option<Box<ReadAsset>>,
}

impl Default for Dashboard {
    fn default() -> Self {
        Self {
            sessions: Sessions::default(),
            loaded: Arc::new(Mutex::new(Loaded::defaults())),
            snapshots: Arc::default(),
            is_memory: true,
            memory: None,
            started: Timestamp::from_millis(0),
            read: None,
        }
    }
}

impl std::fmt::Debug for Dashboard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dashboard").field("is_memory", &self.is_memory).finish_non_exhaustive()
    }
}

const fn route(
    method: &'static str,
    path: &'static str,
    access: Access,
    summary: &'static str,
    handler: fn(Call) -> Answering,
) -> Route {
    Route { method, path, dialect: Dialect::Dossier, access, summary, handler }
}

/// The routes of the dashboard and of the figures it shows.
pub static ROUTES: &[Route] = &[
    route("GET", "/", Access::Open, "Go to the dashboard", |call| {
        Box::pin(async move { front_door(&call) })
    }),
    route("GET", "/ui", Access::Open, "Go to the dashboard", |call| {
        Box::pin(async move { served(&call).map(|()| to_dashboard()) })
    }),
    route("GET", "/ui/session", Access::Own, "Who is signed in", |call| {
        Box::pin(async move { who(call) })
    }),
    route("POST", "/ui/session", Access::Own, "Sign in with a link's code or a token", |call| {
        Box::pin(sign_in(call))
    }),
    route("DELETE", "/ui/session", Access::Own, "Sign out", |call| Box::pin(sign_out(call))),
    route("GET", "/ui/a/{folder}/{*path}", Access::Open, "A file of the dashboard", |call| {
        Box::pin(async move { file(&call) })
    }),
    route("GET", "/ui/{*path}", Access::Open, "A page of the dashboard", |call| {
        Box::pin(async move { page(&call) })
    }),
    route(
        "POST",
        "/dossier/v1/login-links",
        Access::Scopes(&[Scope::DOSSIER_OPERATOR]),
        "Make a one-time link to the dashboard",
        |call| Box::pin(figures::invite(call)),
    ),
    route(
        "GET",
        overview::PATH,
        Access::Scopes(&[Scope::READ_USERS]),
        "Figures of this tenant and server",
        |call| Box::pin(async move { Ok(overview::overview(&call)) }),
    ),
    route(
        "GET",
        "/dossier/v1/config",
        Access::Scopes(&[Scope::DOSSIER_OPERATOR]),
        "Every setting, its value and where it comes from",
        |call| Box::pin(async move { figures::config(&call) }),
    ),
];

/// What they take.
pub static DETAILS: &[Detail] = &[
    Detail::of("GET", &["/", "/ui"]).statuses(&[303]),
    Detail::of("POST", &["/ui/session"]).takes(Takes::Object).statuses(&[200]),
    Detail::of("POST", &["/dossier/v1/login-links"]).takes(Takes::Json(&[&figures::LINK])),
];

fn served(call: &Call) -> Result<(), Problem> {
    if call.services.settings().dashboard.enabled { Ok(()) } else { Err(Problem::no_route()) }
}

/// Who comes with a browser goes to the dashboard.
fn front_door(call: &Call) -> Result<HttpResponse, Problem> {
    served(call)?;
    if call.header(header::ACCEPT).is_some_and(|types| types.contains("text/html")) {
        Ok(to_dashboard())
    } else {
        Err(Problem::no_route())
    }
}

fn to_dashboard() -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, "/ui/")).finish()
}

fn file(call: &Call) -> Result<HttpResponse, Problem> {
    served(call)?;
    let text = |name: header::HeaderName| call.header(name).unwrap_or_default();
    let mut response = assets::serve(
        call.params.get("folder"),
        call.params.get("path"),
        text(header::ACCEPT_ENCODING),
        text(header::IF_NONE_MATCH),
        call.services.dashboard.read.as_deref(),
    )
    .ok_or_else(Problem::no_route)?;
    protect(&mut response);
    Ok(response)
}

/// Headers of everything the dashboard sends.
fn protect(response: &mut HttpResponse) {
    for (name, value) in [
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        let value = header::HeaderValue::from_static(value);
        response.headers_mut().insert(header::HeaderName::from_static(name), value);
    }
}

/// The shell. Which page it shows is decided in the browser, by its address.
fn page(call: &Call) -> Result<HttpResponse, Problem> {
    served(call)?;
    let settings = call.services.settings();
    let nonce = random::secret(22);
    // Remote pictures need a wish: of the operator, or of who looks, for one page.
    let wants_pictures =
        settings.dashboard.remote_images || call.query.get("pictures") == Some("on");
    let pictures = if wants_pictures { " https:" } else { "" };
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; connect-src 'self'; img-src 'self' data:{pictures}; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    );
    let (address, read) = (call.params.get("path"), call.services.dashboard.read.as_deref());
    let text = assets::index(&settings.dashboard.title, &nonce, address, read);
    let mut response = HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::CONTENT_SECURITY_POLICY, policy))
        .body(text);
    protect(&mut response);
    Ok(response)
}

fn cookie_name(is_secure: bool) -> &'static str {
    // The prefix makes a browser insist on what we promise; it needs TLS.
    if is_secure { "__Host-dossier" } else { "dossier" }
}

/// The session's cookie of a request.
fn cookie(call: &Call) -> Option<&str> {
    let name = cookie_name(call.is_secure());
    call.header(header::COOKIE)?.split(';').find_map(|pair| {
        let (own, value) = pair.trim().split_once('=')?;
        (own == name).then_some(value)
    })
}

fn set_cookie(call: &Call, value: &str, seconds: u64) -> String {
    let secure = if call.is_secure() { "; Secure" } else { "" };
    let name = cookie_name(call.is_secure());
    format!("{name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}")
}

async fn sign_in(mut call: Call) -> Result<HttpResponse, Problem> {
    served(&call)?;
    guard::same_origin(&call)?;
    let body = call.json().await?;
    let longest = call.services.settings().auth.session_ttl;
    let mut expires = session::later(call.valid_at, longest);
    let (keys, own) = (call.services.keys(), call.tenant.clone());
    let tenant = token_tenant(&own);
    let mut key = keys.current(tenant);
    let pass = if let Some(code) = body.get_str("once") {
        let (sessions, uid) = (&call.services.dashboard.sessions, call.tenant.uid());
        let link = if call.is_rehearsed() {
            sessions.peek(&code, uid, call.valid_at)
        } else {
            sessions.redeem(&code, uid, call.valid_at)
        };
        Pass::Link(link.ok_or_else(|| {
            Problem::new(401, "invalid_link", "This link was used already, or its time is over.")
        })?)
    } else if let Some(token) = body.get_str("token") {
        let claims = &call.verified(token.trim())?.claims;
        expires = expires.min(Timestamp::from_millis(claims.exp.saturating_mul(1000)));
        key = keys.key_of(tenant, token.trim()).ok_or_else(Problem::internal)?;
        Pass::Token(Box::new(claims.clone()))
    } else {
        return Err(Problem::body("Either \"once\" or \"token\" is wanted."));
    };
    let opened = Session { tenant: own.uid(), pass, key, expires };
    guard::enter(&mut call, &opened)?;
    let text = told(&call, Some(&opened));
    if call.is_rehearsed() {
        return Ok(answer(text, None));
    }
    log::info!(tenant = call.tenant.id(), subject = call.caller.subject, request_id = call.request_id; "signed in to the dashboard");
    let value = match kept::open(&call, &opened).await {
        // Just when nothing can be written somebody may have to look.
        Err(problem) if problem.status >= 500 => {
            log::warn!(tenant = call.tenant.id(), status = problem.status, request_id = call.request_id; "a session could not be kept, it ends with this process");
            call.services.dashboard.sessions.open(opened, call.valid_at)
        }
        kept => kept?,
    };
    let seconds = (expires.seconds() - call.valid_at.seconds()).max(0);
    let cookie = set_cookie(&call, &value, u64::try_from(seconds).unwrap_or_default());
    Ok(answer(text, Some(cookie)))
}

fn who(mut call: Call) -> Result<HttpResponse, Problem> {
    served(&call)?;
    let session = guard::session(&call);
    if let Some(session) = &session {
        guard::enter(&mut call, session)?;
    }
    Ok(answer(told(&call, session.as_deref()), None))
}

/// Ends the session. When this is answered, no restart brings it back.
async fn sign_out(call: Call) -> Result<HttpResponse, Problem> {
    served(&call)?;
    guard::same_origin(&call)?;
    if let Some(value) = cookie(&call).filter(|_| !call.is_rehearsed()) {
        call.services.dashboard.sessions.close(value, call.tenant.uid());
        kept::close(&call, value).await?;
    }
    Ok(answer(told(&call, None), Some(set_cookie(&call, "", 0))))
}

fn answer(body: String, cookie: Option<String>) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response
        .insert_header((header::CONTENT_TYPE, super::JSON))
        .insert_header((header::CACHE_CONTROL, "no-store"));
    if let Some(cookie) = cookie {
        response.insert_header((header::SET_COOKIE, cookie));
    }
    response.body(body)
}

/// What the pages need to know about who looks and what there is.
fn told(call: &Call, session: Option<&Session>) -> String {
    let settings = call.services.settings();
    let mut out = Builder::new();
    out.string("title", &settings.dashboard.title)
        .string("tenant", call.tenant.id())
        .string("server_version", env!("CARGO_PKG_VERSION"));
    let Some(session) = session else {
        out.raw("session", "null");
        return out.finish();
    };
    let own = call.services.settings_of(&call.tenant);
    let mut limits = Builder::new();
    limits
        .raw("user_metadata", &own.limits.user_metadata_bytes.to_string())
        .raw("app_metadata", &own.limits.app_metadata_bytes.to_string())
        .raw("client_metadata_keys", &own.limits.client_metadata_keys.to_string())
        .raw("client_metadata_chars", &own.limits.client_metadata_chars.to_string())
        .raw("per_page", &own.limits.per_page.to_string())
        .raw("paging_window", &own.limits.paging_window.to_string());
    let mut claims = Builder::new();
    claims.string("prefix", &own.claims.prefix).raw("max_bytes", &own.claims.max_bytes.to_string());
    let public_url = match settings.server.public_url.trim_end_matches('/') {
        "" => call.origin(),
        url => url.to_owned(),
    };
    let is_default = call.tenant.uid() == call.services.directory.default_tenant().uid();
    out.string("url", &public_url)
        .flag("remote_images", Some(settings.dashboard.remote_images))
        .flag("test_mode", Some(call.services.is_test_mode))
        .flag("is_default_tenant", Some(is_default))
        .flag("history", Some(call.services.history.is_some()))
        .raw("limits", &limits.finish())
        .raw("claims", &claims.finish())
        .raw("session", &session_json(&call.caller, session));
    out.finish()
}

fn session_json(caller: &Caller, session: &Session) -> String {
    let (role, prefixes): (Option<Role>, &[String]) = match &session.pass {
        Pass::Link(Link { role, prefixes, .. }) => (Some(*role), prefixes),
        Pass::Token(_) => (None, &[]),
    };
    let mut out = Builder::new();
    out.string("subject", &caller.subject)
        .optional("role", role.map(Role::name))
        .raw("prefixes", &json::array_of(prefixes))
        .raw("scopes", &json::array_of(caller.scopes.iter().map(Scope::name)))
        .raw("expires_at", &session.expires.millis().to_string());
    out.finish()
}

/// Makes a link for the first administrator of this server.
pub fn first_link(services: &Services, base: &str) -> String {
    let link = Link {
        tenant: services.directory.default_tenant().uid(),
        role: Role::Admin,
        prefixes: Vec::new(),
        subject: "dashboard".to_owned(),
        has_snapshots: true,
    };
    let ttl = services.settings().auth.login_link_ttl;
    let code = services.dashboard.sessions.invite(link, ttl, services.valid_at(services.now()));
    format!("{base}/ui/login?once={code}")
}
