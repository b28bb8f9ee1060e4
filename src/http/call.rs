//! One request: which tenant it is for, who asks, what it carries.

use super::dashboard::{self, Bounds};
use super::incoming::Incoming;
use super::names::Names;
use super::problem::Problem;
use super::query::Query;
use super::rate::Quota;
use super::route::{Dialect, Params, Route};
use super::schema;
use super::services::{Services, token_tenant};
use super::tokens::{Expect, LastToken, Verified};
use crate::domain::change::{Channel, Provenance};
use crate::domain::command::Command;
use crate::domain::condition::{Condition, Part, Tags};
use crate::domain::decide::Rejection;
use crate::domain::diff::Difference;
use crate::domain::json::Object;
use crate::domain::permit::{Caller, Permitted, permit};
use crate::domain::scope::Scope;
use crate::domain::time::{Timestamp, Version};
use crate::domain::user::UserId;
use crate::tenant::{Answer, Place, TenantHandle};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap};
use actix_web::web::Bytes;
use actix_web::{HttpRequest, web};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

/// One request on its way through a handler.
pub struct Call {
    /// What handlers share.
    pub services: web::Data<Services>,
    /// The tenant the host names.
    pub tenant: TenantHandle,
    /// The row of the table that was found.
    pub route: &'static Route,
    /// The parameters of the path.
    pub params: Params,
    /// The parameters of the query string.
    pub query: Query,
    /// Who asks, where the row wants to know.
    pub caller: Caller,
    /// What a session of the dashboard is kept to, if it is.
    pub bounds: Option<Bounds>,
    /// The time at which the request is handled.
    pub now: Timestamp,
    /// The time by which validity is given and judged ([`Services::valid_at`]).
    pub valid_at: Timestamp,
    /// The request's id.
    pub request_id: String,
    request: HttpRequest,
    incoming: Incoming,
    /// Kept until the call is over.
    place: Option<Place>,
    rehearsal: Option<Rehearsal>,
}

/// What a rehearsed call would change, filled in by its writes.
pub type Rehearsal = Rc<RefCell<Vec<Difference>>>;

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Call").field("route", &self.route.path).finish_non_exhaustive()
    }
}

/// What a request is made from besides its row.
pub struct Raw {
    /// The head.
    pub request: HttpRequest,
    /// The body, not read yet.
    pub incoming: Incoming,
    /// The request's id.
    pub request_id: String,
}

impl std::fmt::Debug for Raw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Raw").field("request_id", &self.request_id).finish_non_exhaustive()
    }
}

impl Call {
    /// Finds the tenant of a request and reads its query string.
    ///
    /// # Errors
    /// 400 when the query string is not UTF-8.
    pub fn new(
        services: web::Data<Services>,
        route: &'static Route,
        params: Params,
        raw: Raw,
    ) -> Result<Self, Problem> {
        let tenant = services.directory.by_host(host_of(&raw.request));
        let query = Query::parse(raw.request.query_string())?;
        let now = services.now();
        Ok(Self {
            tenant,
            route,
            params,
            query,
            caller: nobody(),
            bounds: None,
            now,
            valid_at: services.valid_at(now),
            request_id: raw.request_id,
            request: raw.request,
            incoming: raw.incoming,
            place: None,
            rehearsal: None,
            services,
        })
    }

    /// The method.
    pub fn method(&self) -> &Method {
        self.request.method()
    }

    /// From now on writes are worked out and not made; what they would change is put into the list.
    pub fn rehearse(&mut self) -> Rehearsal {
        let rehearsal = Rehearsal::default();
        self.rehearsal = Some(rehearsal.clone());
        rehearsal
    }

    /// Whether writes are worked out and not made.
    pub const fn is_rehearsed(&self) -> bool {
        self.rehearsal.is_some()
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.request.headers()
    }

    /// The path of the request as it was sent.
    pub fn path(&self) -> &str {
        self.request.uri().path()
    }

    /// The text of a header, if it is there and is text.
    pub fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.headers().get(name).and_then(|value| value.to_str().ok())
    }

    /// The address the request came from.
    pub fn peer(&self) -> Option<String> {
        self.request.peer_addr().map(|address| address.ip().to_string())
    }

    /// Whether the request came over TLS.
    pub fn is_secure(&self) -> bool {
        self.request.app_config().secure()
    }

    /// `scheme://host` as the caller wrote it: forwarded headers count for nothing.
    pub fn origin(&self) -> String {
        let scheme = if self.is_secure() { "https" } else { "http" };
        format!("{scheme}://{}", host_of(&self.request))
    }

    /// The issuer of tokens made for this host.
    pub fn issuer(&self) -> String {
        format!("{}/", self.origin())
    }

    /// The audience of the management API at this host.
    pub fn audience(&self) -> String {
        format!("{}/api/v2/", self.origin())
    }

    /// Whether `audience` names the management API of this tenant: at the host of the
    /// request, over either scheme on the plain listener (CONTRACT.md §0.1), or at an
    /// address this server itself has.
    pub fn is_management(&self, audience: &str) -> bool {
        self.names().management.iter().any(|own| own == audience)
    }

    /// The names under which this tenant issues tokens and is their audience.
    fn names(&self) -> Arc<Names> {
        let host = host_of(&self.request);
        self.services.names.find(self.tenant.uid().0, host, self.is_secure(), || {
            Names::of(&self.accepted_origins())
        })
    }

    /// The origins whose tokens are this tenant's.
    fn accepted_origins(&self) -> Vec<String> {
        let host = host_of(&self.request);
        let mut origins = vec![format!("https://{host}")];
        if !self.is_secure() {
            origins.push(format!("http://{host}"));
        }
        let settings = self.services.settings();
        let is_default = self.tenant.uid() == self.services.directory.default_tenant().uid();
        if is_default && !settings.server.public_url.is_empty() {
            origins.push(settings.server.public_url.trim_end_matches('/').to_owned());
        }
        let addresses = &self.services.addresses;
        let port_of = |address: &str| {
            address.rsplit_once(':').map_or(String::new(), |(_, port)| port.to_owned())
        };
        let name = if is_default {
            "localhost".to_owned()
        } else {
            format!("{}.localhost", self.tenant.id())
        };
        origins.push(format!("http://{name}:{}", port_of(&addresses.http)));
        if is_default {
            origins.push(format!("http://127.0.0.1:{}", port_of(&addresses.http)));
        }
        if let Some(https) = &addresses.https {
            origins.push(format!("https://{name}:{}", port_of(https)));
            if is_default {
                origins.push(format!("https://127.0.0.1:{}", port_of(https)));
            }
        }
        origins
    }

    /// Finds out who asks, from a bearer token or a session of the dashboard, and checks
    /// the scopes of the row.
    ///
    /// # Errors
    /// 400, 401 or 403 as CONTRACT.md §6.2 and §6.3 say.
    pub fn authenticate(&mut self, scopes: &'static [Scope]) -> Result<(), Problem> {
        match dashboard::let_in(self) {
            Some(entered) => entered?,
            None => self.enter_with_token()?,
        }
        if !scopes.is_empty() && !self.caller.has_any(scopes) {
            return Err(crate::domain::permit::Forbidden::Scope { expected: scopes }.into());
        }
        Ok(())
    }

    fn enter_with_token(&mut self) -> Result<(), Problem> {
        let verified = self.verified(self.token()?)?;
        self.caller = Caller {
            subject: verified.claims.sub.clone(),
            client_id: verified.claims.client_id().unwrap_or_default().to_owned(),
            scopes: verified.scopes.known(),
            is_server: false,
        };
        Ok(())
    }

    /// The token of the request: the bearer, or, for v1 without one, `?access_token=` (CONTRACT.md §9).
    ///
    /// # Errors
    /// As [`Self::bearer`].
    pub fn token(&self) -> Result<&str, Problem> {
        let is_v1 = self.route.dialect == Dialect::V1;
        let from_query = self
            .query
            .get("access_token")
            .filter(|_| is_v1 && !self.headers().contains_key(header::AUTHORIZATION));
        from_query.map_or_else(|| self.bearer(), Ok)
    }

    /// Takes this request out of what its client, or its tenant, may ask.
    pub fn metered(&self) -> Quota {
        let (rates, tenant) = (&self.services.rates, self.tenant.uid());
        let Caller { client_id, subject, .. } = &self.caller;
        let client = if client_id.is_empty() { subject } else { client_id };
        match self.services.rate_limit_of(&self.tenant) {
            None => rates.count(tenant, self.now),
            // Nobody yet: the answer will be 401.
            Some((_, burst)) if client.is_empty() => Quota::untouched(burst, self.now),
            Some(limit) => rates.take(tenant, client, limit, self.now, self.valid_at),
        }
    }

    /// The bearer token of the request, from the one `Authorization` header there may be.
    ///
    /// # Errors
    /// 401 without one, 400 when the header is malformed.
    pub fn bearer(&self) -> Result<&str, Problem> {
        let mut all = self.headers().get_all(header::AUTHORIZATION);
        let malformed = || Problem::new(400, "Bearer", "Bad HTTP authentication header format");
        let value = all.next().ok_or_else(Problem::unauthenticated)?;
        if all.next().is_some() {
            return Err(malformed());
        }
        // Tokens run to kilobytes: `HeaderValue::to_str` would look at each letter by itself.
        let is_text = value.as_bytes().is_ascii();
        let text = std::str::from_utf8(value.as_bytes()).ok().filter(|_| is_text);
        let text = text.ok_or_else(malformed)?;
        let (scheme, token) = text.split_once(' ').ok_or_else(malformed)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Problem::unauthenticated());
        }
        if token.is_empty() || memchr::memchr(b' ', token.as_bytes()).is_some() {
            return Err(malformed());
        }
        Ok(token)
    }

    /// Verifies a token of this tenant for the management API.
    ///
    /// # Errors
    /// 400 or 401.
    pub fn verified(&self, token: &str) -> Result<Arc<Verified>, Problem> {
        let names = self.names();
        self.verified_for(token, &names.issuers, &names.management)
    }

    /// Verifies a token of this tenant for `/userinfo`, which a management token opens too.
    ///
    /// # Errors
    /// 400 or 401.
    pub fn verified_for_userinfo(&self, token: &str) -> Result<Arc<Verified>, Problem> {
        let names = self.names();
        self.verified_for(token, &names.issuers, &names.userinfo)
    }

    fn verified_for(
        &self,
        token: &str,
        issuers: &[String],
        audiences: &[String],
    ) -> Result<Arc<Verified>, Problem> {
        let issuers: Vec<&str> = issuers.iter().map(String::as_str).collect();
        let audiences: Vec<&str> = audiences.iter().map(String::as_str).collect();
        let leeway = self.services.settings().auth.leeway.as_secs();
        let expect = Expect {
            issuers: &issuers,
            audiences: &audiences,
            now: self.valid_at.seconds(),
            leeway: u32::try_from(leeway).unwrap_or(u32::MAX),
        };
        let keys = self.services.keys();
        let last = self.request.conn_data::<LastToken>();
        let verified =
            self.services.tokens.check(&keys, token_tenant(&self.tenant), token, &expect, last)?;
        // A token outlives nobody: not the client it was issued to, not the user it speaks for.
        let published = self.tenant.published();
        let is_client_gone =
            verified.claims.client_id().is_some_and(|id| published.client(id).is_none());
        let is_user_gone = !verified.claims.sub.ends_with("@clients")
            && verified.claims.gty.as_deref() != Some("client-credentials")
            && published.user(&verified.claims.sub).is_none();
        if is_client_gone || is_user_gone {
            return Err(super::tokens::TokenError::Invalid("whom it was issued to is gone").into());
        }
        Ok(verified)
    }

    /// Reads the body: bounded in size and in time.
    ///
    /// # Errors
    /// 413, 408, or 400 when the connection broke.
    pub async fn body(&mut self) -> Result<Bytes, Problem> {
        let limit = self.services.settings().server.max_body_bytes;
        self.body_up_to(limit).await
    }

    /// Reads a body of at most `limit` bytes.
    ///
    /// # Errors
    /// 413, 408, or 400 when the connection broke.
    pub async fn body_up_to(&mut self, limit: u64) -> Result<Bytes, Problem> {
        let timeout = self.services.settings().server.body_timeout;
        let body = self.incoming.read(&self.request, limit, timeout).await?;
        if !body.is_empty() {
            self.place = Some(self.tenant.enter(body.len()).await?);
        }
        Ok(body)
    }

    /// Reads the body as a JSON object.
    ///
    /// # Errors
    /// 415 for another content type, 400 for what is no JSON object, and as [`Self::body`].
    pub async fn json(&mut self) -> Result<Object, Problem> {
        let body = self.json_text().await?;
        self.object(&body)
    }

    /// Reads the body as a JSON object; an empty or `null` body is `{}`.
    ///
    /// # Errors
    /// As [`Self::json`].
    pub async fn json_or_empty(&mut self) -> Result<Object, Problem> {
        let body = self.body().await?;
        let text = utf8(&body)?;
        if text.trim().is_empty() || text.trim() == "null" {
            Ok(Object::empty())
        } else {
            self.object(text)
        }
    }

    /// Reads the body as text that claims to be JSON.
    ///
    /// # Errors
    /// 415, and as [`Self::body`].
    pub async fn json_text(&mut self) -> Result<String, Problem> {
        if !is_json(self.header(header::CONTENT_TYPE)) {
            return Err(Problem::new(415, "", "Unsupported Media Type"));
        }
        let body = self.body().await?;
        Ok(utf8(&body)?.to_owned())
    }

    /// Reads text as an object, within this tenant's depth.
    ///
    /// # Errors
    /// 400 naming what is wrong.
    pub fn object(&self, text: &str) -> Result<Object, Problem> {
        Object::parse(text, self.tenant.rules().depth + 1).map_err(Into::into)
    }

    /// The user id in the path; one that can be no id is one nobody has.
    ///
    /// # Errors
    /// 404.
    pub fn user_id(&self) -> Result<UserId, Problem> {
        UserId::parse(self.params.get("id")).map_err(|_| Problem::no_user())
    }

    /// Who asked for a change, and how.
    pub fn provenance(&self, channel: Channel) -> Provenance {
        let reason =
            self.header("dossier-reason").map(|reason| reason.chars().take(1000).collect());
        Provenance {
            actor: self.caller.subject.clone(),
            client_id: self.caller.client_id.clone(),
            channel,
            request_id: self.request_id.clone(),
            reason,
        }
    }

    /// Asks the tenant for a change, if the caller may.
    ///
    /// # Errors
    /// 403, or what the tenant says.
    pub async fn write(&self, channel: Channel, command: Command) -> Result<Answer, Problem> {
        self.write_if(channel, command, self.condition()?).await
    }

    /// Asks the tenant for a change, if the caller may and the condition holds.
    ///
    /// # Errors
    /// 403, 412, or what the tenant says.
    pub async fn write_if(
        &self,
        channel: Channel,
        command: Command,
        condition: Condition,
    ) -> Result<Answer, Problem> {
        if let Some(bounds) = &self.bounds {
            bounds.check(&command)?;
        }
        let permitted = permit(&self.caller, command)?;
        self.ask(permitted, condition, channel).await
    }

    /// Tells the operator of a profile larger than Auth0 advises (CONTRACT.md §10, A11).
    fn warn_of_size(&self, answer: &Answer) {
        let Some(document) = answer.change.as_ref().and_then(|change| change.user()) else {
            return;
        };
        let settings = self.services.settings();
        let own = settings.tenant(self.tenant.id()).map(|tenant| &tenant.effective.limits);
        let limit = own.unwrap_or(&settings.limits).profile_warn_bytes;
        let bytes = document.json().len();
        if limit > 0 && u64::try_from(bytes).is_ok_and(|bytes| bytes > limit) {
            log::warn!(tenant = self.tenant.id(), user_id = document.id(), bytes, limit; "a large profile");
        }
    }

    /// Writes, or works out what a write would do when the caller asked for that.
    async fn ask(
        &self,
        command: Permitted<Command>,
        condition: Condition,
        channel: Channel,
    ) -> Result<Answer, Problem> {
        let provenance = self.provenance(channel);
        let Some(rehearsal) = &self.rehearsal else {
            let answer = self.tenant.write_if(command, condition, provenance, self.now).await?;
            self.warn_of_size(&answer);
            return Ok(answer);
        };
        let answer = self.tenant.rehearse(command, condition, provenance, self.now).await?;
        rehearsal.borrow_mut().extend(answer.differences.iter().cloned());
        Ok(answer)
    }

    /// What `If-Match` and `If-None-Match` ask.
    ///
    /// # Errors
    /// 400 when a tag is none of ours.
    pub fn condition(&self) -> Result<Condition, Problem> {
        Ok(Condition {
            if_match: self.tags(&header::IF_MATCH)?,
            if_none_match: self.tags(&header::IF_NONE_MATCH)?,
            part: Part::Whole,
        })
    }

    /// Whether the caller already has what is at `version`, or wants something else.
    ///
    /// # Errors
    /// 412 when `If-Match` does not name it, 400 for tags that are none of ours.
    pub fn is_unchanged(&self, version: Version) -> Result<bool, Problem> {
        if !self.headers().contains_key(header::IF_MATCH)
            && !self.headers().contains_key(header::IF_NONE_MATCH)
        {
            return Ok(false);
        }
        let Condition { if_match, if_none_match, .. } = self.condition()?;
        let must = Condition { if_match, ..Condition::default() };
        if !must.holds(Some(version)) {
            return Err(Rejection::PreconditionFailed {
                current: Some(version),
                changed: Vec::new(),
            }
            .into());
        }
        Ok(!Condition { if_none_match, ..Condition::default() }.holds(Some(version)))
    }

    /// The tags of a header. A weak or foreign tag matches nothing, as RFC 9110 §13.1.1 says of strong comparison.
    fn tags(&self, name: &header::HeaderName) -> Result<Option<Tags>, Problem> {
        let bad = |name: &header::HeaderName| {
            let text = format!("The {name} header is not a list of tags.");
            Problem::new(400, "invalid_header", text)
        };
        let mut texts = Vec::new();
        for value in self.headers().get_all(name) {
            texts.extend(
                value
                    .to_str()
                    .map_err(|_| bad(name))?
                    .split(',')
                    .map(str::trim)
                    .filter(|tag| !tag.is_empty()),
            );
        }
        if texts.is_empty() {
            // A condition that says nothing is no condition that holds.
            return if self.headers().contains_key(name) { Err(bad(name)) } else { Ok(None) };
        }
        if texts.contains(&"*") {
            return Ok(Some(Tags::Any));
        }
        let number = |tag: &str| {
            tag.trim_start_matches("W/").trim_matches('"').parse().ok().map(Version::new)
        };
        let is_weak_allowed = *name == header::IF_NONE_MATCH;
        let versions = texts
            .iter()
            .filter(|tag| is_weak_allowed || !tag.starts_with("W/"))
            .filter_map(|tag| number(tag));
        Ok(Some(Tags::Versions(versions.collect())))
    }

    /// Asks the tenant for a change the server makes on its own account.
    ///
    /// # Errors
    /// What the tenant says.
    pub async fn write_as_server(
        &self,
        channel: Channel,
        command: Command,
    ) -> Result<Answer, Problem> {
        self.ask(crate::tenant::by_server(command), Condition::default(), channel).await
    }
}

fn nobody() -> Caller {
    Caller {
        subject: String::new(),
        client_id: String::new(),
        scopes: crate::domain::scope::ScopeSet::EMPTY,
        is_server: false,
    }
}

/// The host of a request, with its port.
pub fn host_of(request: &HttpRequest) -> &str {
    let authority = request.uri().authority().map(actix_web::http::uri::Authority::as_str);
    authority
        .or_else(|| request.headers().get(header::HOST).and_then(|value| value.to_str().ok()))
        .unwrap_or_default()
}

/// The host a call names, with its port.
pub fn host_of_call(call: &Call) -> &str {
    host_of(&call.request)
}

/// Whether a content type is JSON; a missing one is taken for it.
fn is_json(content_type: Option<&str>) -> bool {
    essence(content_type).is_none_or(|own| own.eq_ignore_ascii_case("application/json"))
}

/// A media type without its parameters.
pub fn essence(content_type: Option<&str>) -> Option<&str> {
    content_type.map(|own| own.split(';').next().unwrap_or_default().trim())
}

/// The text of a body.
///
/// # Errors
/// 400 when it is no UTF-8.
pub fn utf8(body: &Bytes) -> Result<&str, Problem> {
    std::str::from_utf8(body).map_err(|_| {
        Problem::body(schema::message("Invalid request payload JSON format: not UTF-8", "", ""))
    })
}
