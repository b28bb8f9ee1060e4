//! The one handler of all requests.

use super::answer;
use super::call::{Call, Raw, host_of};
use super::incoming::{self, Incoming, LastRequest};
use super::lists::ListTag;
use super::problem::Problem;
use super::query::DRY_RUN;
use super::random;
use super::rate::{Quota, UNLIMITED};
use super::reading::Door;
use super::request_log::{self, Body, Entry};
use super::route::{Access, Dialect, Found, Route};
use super::services::Services;
use super::timings::Book;
use super::{
    PLAIN_JSON, dashboard, health, kv, oauth, openapi, operate, outgoing, own, patches, v1, v2,
};
use crate::domain::diff::{self, Difference};
use crate::domain::json::{self, Builder};
use crate::domain::time::Version;
use crate::store::format::TenantUid;
use crate::tenant::TenantHandle;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{ConnectionType, Method, StatusCode};
use actix_web::web::{Bytes, Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Every route there is, hot dialects first.
pub static TABLES: &[&[Route]] = &[
    v2::ROUTES,
    v2::jobs::FILE_ROUTES,
    v2::ticket_pages::ROUTES,
    v2::clients::connections::ROUTES,
    v2::clients::credentials::ROUTES,
    v2::connections::ROUTES,
    v2::events::ROUTES,
    v2::grants::ROUTES,
    v2::identities::ROUTES,
    v2::resource_servers::ROUTES,
    v2::settings::ROUTES,
    v2::assignments::ROUTES,
    v2::subresources::ROUTES,
    oauth::ROUTES,
    kv::ROUTES,
    v1::ROUTES,
    v1::clients::ROUTES,
    own::ROUTES,
    own::bags::ROUTES,
    own::history::ROUTES,
    own::history::revert::ROUTES,
    own::history::tenant::ROUTES,
    own::keys::ROUTES,
    own::tenants::ROUTES,
    own::fork::ROUTES,
    own::person::ROUTES,
    own::suggest::ROUTES,
    own::requests::ROUTES,
    own::snapshots::ROUTES,
    own::tokens::ROUTES,
    health::ROUTES,
    operate::ROUTES,
    openapi::ROUTES,
    dashboard::ROUTES,
];

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// What Auth0 calls it at its token endpoint (CONTRACT.md §1.1).
static AUTH0_REQUEST_ID: HeaderName = HeaderName::from_static("x-auth0-requestid");
static ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");
static MIN_VERSION: HeaderName = HeaderName::from_static("dossier-min-version");
static CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// The longest name there is, with a colon and a port. What follows from a host is kept for many.
const MAX_HOST_BYTES: usize = 253 + 6;

/// Whether what a request names as its host can be one: it chooses the tenant and stands in tokens
/// and links.
fn names_a_host(request: &HttpRequest) -> bool {
    let authority = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let named = request.headers().get(header::HOST).map(HeaderValue::as_bytes);
    [authority, named].into_iter().flatten().all(is_host)
}

/// Whether this is a name or an address in brackets, perhaps with a port (RFC 3986 §3.2.2, without
/// user information).
fn is_host(text: &[u8]) -> bool {
    let is_port = |text: &[u8]| text.iter().all(u8::is_ascii_digit);
    if let Some(inner) = text.strip_prefix(b"[") {
        let mut parts = inner.splitn(2, |byte| *byte == b']');
        let (address, rest) = (parts.next().unwrap_or_default(), parts.next());
        return address.iter().all(|byte| byte.is_ascii_hexdigit() || b":.".contains(byte))
            && rest.is_some_and(|rest| {
                rest.is_empty() || rest.strip_prefix(b":").is_some_and(is_port)
            });
    }
    let mut parts = text.splitn(2, |byte| *byte == b':');
    let (name, port) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(byte);
    name.iter().all(is_name) && is_port(port)
}

/// Takes one request and answers it.
pub async fn dispatch(
    request: HttpRequest,
    payload: Payload,
    services: Data<Services>,
) -> HttpResponse {
    if LastRequest::was_before(&request) {
        return HttpResponse::BadRequest().force_close().finish();
    }
    let started = Instant::now();
    let working = Door::of(&request).map(Door::work);
    let request_id = random::request_id();
    let head = request.clone();
    let incoming = Incoming::new(payload, Door::of(&request).cloned());
    let is_kept = services.is_test_mode;
    let incoming = if is_kept { incoming.keeping() } else { incoming };
    let raw = Raw { request, incoming: incoming.clone(), request_id: request_id.clone() };
    let mut noted = Noted::default();
    let response = answer(raw, services.clone(), &mut noted).await;
    let (response, told) = if is_kept { request_log::told(response) } else { (response, None) };
    let response = outgoing::in_pieces(&services.unsent, noted.tenant, &head, response)
        .unwrap_or_else(|problem| problem.answer(dialect_of(head.path())));
    let mut response = incoming.settle(&head, response).await;
    let headers = response.headers_mut();
    if dialect_of(head.path()) == Dialect::V2 {
        noted.quota.unwrap_or_else(|| unmetered(&head, &services)).put(headers);
    }
    let correlation_id = correlation_id(&head);
    if let Some(id) = &correlation_id {
        headers.insert(CORRELATION_ID.clone(), id.clone());
    }
    if let Ok(id) = HeaderValue::from_str(&request_id) {
        if dialect_of(head.path()) == Dialect::OAuth {
            headers.insert(AUTH0_REQUEST_ID.clone(), id.clone());
        }
        headers.insert(REQUEST_ID.clone(), id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    add_cors(&head, headers, &services);
    if services.is_stopping.load(Ordering::Acquire) {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    services.requests.fetch_add(1, Ordering::Relaxed);
    let took = started.elapsed();
    count(&head, &noted, took);
    if is_kept {
        keep(&head, &response, noted, (incoming.kept(), told), (&request_id, took), &services);
    }
    let ids = (request_id.as_str(), correlation_id.as_ref());
    log_access(&head, response.status(), started, ids, &services);
    outgoing::until_sent(working, response)
}

/// What is learned of a request on its way, for what is said of it afterwards.
#[derive(Default)]
struct Noted {
    quota: Option<Quota>,
    /// What the tenant had come to when its caller was let in.
    seen: Option<Version>,
    tenant: Option<TenantUid>,
    route: Option<&'static Route>,
    /// Who asked, where the row wants to know.
    subject: String,
    user_id: Option<String>,
}

/// Writes a request into its worker's book. Who looks at the figures is not part of them.
fn count(request: &HttpRequest, noted: &Noted, took: Duration) {
    if noted.route.is_some_and(|route| route.path == dashboard::overview::PATH) {
        return;
    }
    if let Some(book) = request.app_data::<Arc<Book>>() {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        book.write(noted.tenant, is_read, took);
    }
}

/// Keeps a request for who looks at them, in test mode. Looking is not kept itself.
fn keep(
    request: &HttpRequest,
    response: &HttpResponse,
    noted: Noted,
    (came, went): (Option<Bytes>, Option<Bytes>),
    (request_id, took): (&str, Duration),
    services: &Services,
) {
    let Some(tenant) = noted.tenant else { return };
    let path = request.uri().path();
    let is_looking = [own::requests::PATH, dashboard::overview::PATH].contains(&path);
    if is_looking || path.starts_with("/ui/") {
        return;
    }
    let came = came.or_else(|| (!incoming::has_body(request)).then(Bytes::new));
    let (came, went) = (Body::of(path, came.as_deref()), Body::of(path, went.as_deref()));
    let entry = Entry {
        id: 0,
        at: services.now().millis(),
        method: request.method().to_string(),
        path: request_log::shown_path(path).into_owned(),
        query: request_log::shown_query(request.query_string()),
        status: response.status().as_u16(),
        micros: u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        request_id: request_id.to_owned(),
        subject: noted.subject,
        user_id: noted.user_id.or_else(|| went.user_made(path)),
        is_dashboard: !request.headers().contains_key(header::AUTHORIZATION)
            && request.headers().contains_key(header::COOKIE),
        request: came,
        response: went,
    };
    services.request_log.keep(tenant, entry, services.settings().test.requests);
}

async fn answer(raw: Raw, services: Data<Services>, noted: &mut Noted) -> HttpResponse {
    let path = raw.request.uri().path().to_owned();
    let dialect = dialect_of(&path);
    let settings = services.settings();
    let uri_bytes = raw.request.uri().path_and_query().map_or(0, |whole| whole.as_str().len());
    if u64::try_from(uri_bytes).unwrap_or(u64::MAX) > settings.server.max_uri_bytes {
        return Problem::new(414, "", "Request-URI Too Long").answer(dialect);
    }
    if host_of(&raw.request).len() > MAX_HOST_BYTES {
        let text = format!("The host has more than {MAX_HOST_BYTES} bytes.");
        return Problem::new(400, "invalid_header", text).answer(dialect);
    }
    if !names_a_host(&raw.request) {
        let text = "The host is no name and no address, or its port is no number.";
        return Problem::new(400, "invalid_header", text).answer(dialect);
    }
    if *raw.request.method() == Method::OPTIONS {
        return preflight(&raw.request, &services);
    }
    let tenant = services.directory.by_host(host_of(&raw.request));
    let found = services.router.find(raw.request.method(), &path);
    let work = routed(raw, services, tenant.clone(), found, noted);
    // Who watches the process is told at once, whatever its tenants do.
    if health::ROUTES.iter().any(|route| route.path == path) {
        return work.await;
    }
    tenant.pace(work).await.unwrap_or_else(|error| Problem::from(error).answer(dialect))
}

/// Answers a request of a tenant whose row was looked for.
async fn routed(
    raw: Raw,
    services: Data<Services>,
    tenant: TenantHandle,
    found: Found,
    noted: &mut Noted,
) -> HttpResponse {
    let dialect = dialect_of(raw.request.path());
    let (route, params) = match found {
        Found::Route(route, params) => (route, params),
        Found::BadPath => {
            return Problem::new(400, "invalid_uri", "Path validation error: 'Invalid UTF-8'.")
                .answer(dialect);
        }
        Found::OtherMethod | Found::Nothing => return unrouted(services, tenant, raw),
    };
    let call = match Call::new(services, tenant, route, params, raw) {
        Ok(call) => call,
        Err(problem) => return problem.answer(route.dialect),
    };
    (noted.tenant, noted.route) = (Some(call.tenant.uid()), Some(route));
    if call.services.is_test_mode {
        noted.user_id = call.user_named();
    }
    let response = run(call, route, noted).await;
    let mut response = response.unwrap_or_else(|problem| problem.answer(route.dialect));
    if let Some(version) = noted.seen
        && !response.headers().contains_key(&answer::DOSSIER_VERSION)
    {
        response.headers_mut().insert(answer::DOSSIER_VERSION.clone(), version.get().into());
    }
    if response.status() == StatusCode::UNSUPPORTED_MEDIA_TYPE
        && let Some(accepted) = patches::accepted(route)
    {
        response.headers_mut().insert(ACCEPT_PATCH.clone(), HeaderValue::from_static(accepted));
    }
    response
}

/// Whether a request counts among those its client may ask. In v2 the answer says how many are
/// left; elsewhere it counts where there is a limit, and the dashboard's own pages do not.
fn is_metered(call: &Call, route: &Route) -> bool {
    let is_limited = || call.services.rate_limit_of(&call.tenant).is_some();
    match route.dialect {
        Dialect::V2 => true,
        Dialect::KeyValue | Dialect::V1 | Dialect::OAuth => is_limited(),
        Dialect::Dossier => call.headers().contains_key(header::AUTHORIZATION) && is_limited(),
    }
}

/// Runs the row's handler. Whom the row lets in is told, on failures and lists as well, a version
/// that what they are shown is not older than (DESIGN.md §3).
async fn run(
    mut call: Call,
    route: &'static Route,
    noted: &mut Noted,
) -> Result<HttpResponse, Problem> {
    if let Access::Scopes(scopes) = route.access {
        let authenticated = call.authenticate(scopes);
        if is_metered(&call, route) {
            noted.quota.insert(call.metered()).check(call.now)?;
        }
        authenticated?;
        if call.services.is_test_mode {
            noted.subject.clone_from(&call.caller.subject);
        }
    }
    expired(&call).await;
    not_older(&call).await?;
    if matches!(route.access, Access::Scopes(_)) {
        noted.seen = Some(call.tenant.published().version());
    }
    if !changes(route) || !wants_rehearsal(&call)? {
        return listed(call, route).await;
    }
    let rehearsal = call.rehearse();
    let response = (route.handler)(call).await?;
    let differences = rehearsal.take();
    Ok(rehearsed(response, &differences).await)
}

/// Runs the row's handler, unless it is asked for a list the caller has already.
async fn listed(call: Call, route: &'static Route) -> Result<HttpResponse, Problem> {
    let Some(tag) = ListTag::of(&call, route) else { return (route.handler)(call).await };
    if let Some(unchanged) = tag.unchanged(&call) {
        return Ok(unchanged);
    }
    let tenant = call.tenant.clone();
    let mut response = (route.handler)(call).await?;
    tag.put(&tenant, &mut response);
    Ok(response)
}

/// Whether a call is only to be worked out. Who is unclear about that must not find it done.
fn wants_rehearsal(call: &Call) -> Result<bool, Problem> {
    let mut given = call.query.pairs().filter(|(name, _)| *name == DRY_RUN);
    let unclear = match (given.next(), given.next()) {
        (None, _) => return Ok(false),
        (Some((_, "")), _) => "dry_run has no value, it is true or false.",
        (Some(_), Some(_)) => "dry_run is given more than once.",
        (Some(_), None) => return Ok(call.query.flag(DRY_RUN)?.unwrap_or(false)),
    };
    Err(Problem::query(unclear))
}

/// How long a call waits until keys whose time has come are gone.
const EXPIRY_WAIT: Duration = Duration::from_secs(2);

/// Lets the keys go whose time has come, before anything of the tenant is looked at: so no
/// view of it, in no dialect, shows them. While the disk takes no writes they stay.
async fn expired(call: &Call) {
    let removed = call.tenant.expire(call.now);
    if let Ok(Err(error)) = tokio::time::timeout(EXPIRY_WAIT, removed).await {
        log::debug!(tenant = call.tenant.id(), error:% = error; "keys whose time has come are still there");
    }
}

/// How long a call waits for the version it names.
const MIN_VERSION_WAIT: Duration = Duration::from_secs(2);

/// Holds a call back until the tenant has come to the version of `Dossier-Min-Version`, in
/// every dialect: whoever carries the number of a write is never shown what was before it.
///
/// # Errors
/// 400 for what is no version, 503 when it does not come in time.
async fn not_older(call: &Call) -> Result<(), Problem> {
    let Some(value) = call.headers().get(&MIN_VERSION) else { return Ok(()) };
    let text = value.to_str().unwrap_or_default();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let wanted: u64 = text.parse().ok().filter(|_| is_number).ok_or_else(|| {
        let text = "The Dossier-Min-Version header is not a version: a whole number such as 42.";
        Problem::new(400, "invalid_header", text)
    })?;
    let published = call.tenant.published();
    let reached = published.until(Version::new(wanted));
    if tokio::time::timeout(MIN_VERSION_WAIT, reached).await.is_ok() {
        return Ok(());
    }
    let current = published.version();
    Err(Problem {
        retry_after: Some(1),
        members: vec![("current_version", current.to_string())],
        ..Problem::new(
            503,
            "version_not_reached",
            format!("Version {wanted} was not reached in time, this is {current}. Try again."),
        )
    })
}

/// The one link a browser follows that changes something.
const CHANGING_LINK: &str = "/u/email-verification";

/// Whether a call of this row may change something. Every one of them can be worked out without
/// being made: what it asks of a tenant goes through the call, and what else it does (a session, a
/// key, a snapshot) it leaves when [`Call::is_rehearsed`].
pub fn changes(route: &Route) -> bool {
    route.method != "GET" || route.path == CHANGING_LINK
}

/// The answer a call would have given, with what it would have changed.
async fn rehearsed(response: HttpResponse, differences: &[Difference]) -> HttpResponse {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_json = kind.is_some_and(|kind| kind.as_bytes().starts_with(PLAIN_JSON.as_bytes()));
    let body = actix_web::body::to_bytes(response.into_body()).await.unwrap_or_default();
    let text = match std::str::from_utf8(&body).unwrap_or_default() {
        "" => "null".to_owned(),
        text if is_json => text.to_owned(),
        page => json::quoted(page),
    };
    let mut out = Builder::with_capacity(body.len() + 128);
    out.flag(DRY_RUN, Some(true))
        .raw("status", status.as_str())
        .raw("body", &text)
        .raw("changes", &diff::to_json(differences));
    HttpResponse::Ok().insert_header((header::CONTENT_TYPE, super::JSON)).body(out.finish())
}

/// What is told of the quota where a request did not come as far as a client.
fn unmetered(request: &HttpRequest, services: &Services) -> Quota {
    let tenant = services.directory.by_host(host_of(request));
    let limit = services.rate_limit_of(&tenant).map_or(UNLIMITED, |(_, burst)| burst);
    Quota::untouched(limit, services.now())
}

/// The caller's own id of the request, when it is short and printable (CONTRACT.md §6.6).
fn correlation_id(request: &HttpRequest) -> Option<HeaderValue> {
    let id = request.headers().get(&CORRELATION_ID)?;
    let is_fit = (1..=64).contains(&id.len()) && id.as_bytes().iter().all(u8::is_ascii_graphic);
    is_fit.then(|| id.clone())
}

/// Management routes that are Auth0's but not ours answer 403 to who is known, since
/// its tools take that for "not in your plan" and go on (CONTRACT.md §0.1-8).
fn unrouted(services: Data<Services>, tenant: TenantHandle, raw: Raw) -> HttpResponse {
    let path = raw.request.path();
    let dialect = dialect_of(path);
    let Some(scope) = v2::unimplemented_scope(raw.request.method(), path) else {
        return Problem::no_route().answer(dialect);
    };
    let refused = Call::new(services, tenant, &v2::FALLBACK, super::route::Params::default(), raw)
        .and_then(|mut call| {
            call.authenticate(&[])?;
            Ok(Problem::new(
                403,
                "insufficient_scope",
                format!("Insufficient scope, expected any of: {scope}"),
            ))
        });
    refused.unwrap_or_else(|problem| problem).answer(dialect)
}

/// The manners of a path, for errors before its row is known.
fn dialect_of(path: &str) -> Dialect {
    if path.starts_with("/api/v2/") {
        Dialect::V2
    } else if path.starts_with("/api/user/") {
        Dialect::KeyValue
    } else if path.starts_with("/oauth/") || path.starts_with("/connect/") || path == "/userinfo" {
        Dialect::OAuth
    } else if path.starts_with("/api/") {
        Dialect::V1
    } else {
        Dialect::Dossier
    }
}

fn preflight(request: &HttpRequest, services: &Services) -> HttpResponse {
    let methods = "GET,HEAD,PUT,PATCH,POST,DELETE";
    let asked = request
        .headers()
        .get(header::ACCESS_CONTROL_REQUEST_HEADERS)
        .and_then(|value| value.to_str().ok());
    let allowed =
        asked.unwrap_or("Accept,Authorization,Content-Type,If-None-Match,If-Match").to_owned();
    let mut response = HttpResponse::build(StatusCode::NO_CONTENT);
    if let Found::Route(route, _) = services.router.find(&Method::PATCH, request.uri().path())
        && let Some(accepted) = patches::accepted(route)
    {
        response.insert_header((ACCEPT_PATCH.clone(), accepted));
    }
    response
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, methods))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, allowed))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, "86400"))
        .finish()
}

/// Answers a browser's origin if the settings name it, exactly.
fn add_cors(request: &HttpRequest, headers: &mut header::HeaderMap, services: &Services) {
    let Some(origin) = request.headers().get(header::ORIGIN) else { return };
    let settings = services.settings();
    let is_allowed =
        settings.cors.origins.iter().any(|own| own == "*" || own.as_bytes() == origin.as_bytes());
    headers.insert(header::VARY, HeaderValue::from_static("origin"));
    if is_allowed {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(
            header::ACCESS_CONTROL_EXPOSE_HEADERS,
            HeaderValue::from_static(
                "WWW-Authenticate,Server-Authorization,ETag,Dossier-Version,Dossier-Expires-At,X-Request-Id,X-Correlation-ID,X-RateLimit-Limit,X-RateLimit-Remaining,X-RateLimit-Reset,Retry-After",
            ),
        );
    }
}

/// Writes the line of a request; never its query string, which may carry tokens.
fn log_access(
    request: &HttpRequest,
    status: StatusCode,
    started: Instant,
    (request_id, correlation_id): (&str, Option<&HeaderValue>),
    services: &Services,
) {
    use crate::config::AccessLog;
    let settings = services.settings();
    let took = started.elapsed();
    let is_wanted = match settings.log.access {
        AccessLog::Off => false,
        AccessLog::All => true,
        AccessLog::Slow => took >= settings.log.slow || status.is_server_error(),
    };
    if is_wanted {
        let correlation_id = correlation_id.and_then(|id| id.to_str().ok());
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let (method, path, status) = (request.method(), request.uri().path(), status.as_u16());
        match correlation_id {
            None => log::info!(method:%, path, status, micros, request_id; "request"),
            Some(correlation_id) => {
                log::info!(method:%, path, status, micros, request_id, correlation_id; "request");
            }
        }
    }
}
