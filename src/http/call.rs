//! One request: which tenant it is for, who asks, what it carries.

mod body;
mod caller;
mod lent;
mod tags;
mod writing;

use super::dashboard::Bounds;
use super::incoming::Incoming;
use super::problem::Problem;
use super::query::Query;
use super::reading::Door;
use super::route::{Params, Route};
use super::services::Services;
use crate::domain::diff::Difference;
use crate::domain::permit::Caller;
use crate::domain::time::Timestamp;
use crate::domain::user::UserId;
use crate::tenant::{Place, TenantHandle};
use actix_web::http::Method;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpRequest, web};
use std::cell::RefCell;
use std::rc::Rc;

pub use body::{essence, utf8};
pub use lent::SECRETS;

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
    /// A call of `tenant`, whose host the request names; reads its query string.
    ///
    /// # Errors
    /// 400 when the query string is not UTF-8.
    pub fn new(
        services: web::Data<Services>,
        tenant: TenantHandle,
        route: &'static Route,
        params: Params,
        raw: Raw,
    ) -> Result<Self, Problem> {
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

    /// Tells what a rehearsed call would change besides what it asks of its tenant.
    pub fn would_change(&self, differences: impl IntoIterator<Item = Difference>) {
        if let Some(rehearsal) = &self.rehearsal {
            rehearsal.borrow_mut().extend(differences);
        }
    }

    /// The headers.
    pub fn headers(&self) -> &HeaderMap {
        self.request.headers()
    }

    /// The path of the request as it was sent.
    pub fn path(&self) -> &str {
        self.request.uri().path()
    }

    /// The path and the query string of the request as they were sent.
    pub fn target(&self) -> &str {
        let uri = self.request.uri();
        uri.path_and_query().map_or_else(|| uri.path(), |whole| whole.as_str())
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
        Door::of(&self.request).is_some_and(|door| door.is_secure())
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

    /// The user the path names, in whatever dialect.
    pub fn user_named(&self) -> Option<String> {
        let path = self.route.path;
        let name = if path.contains("/users/{id}") {
            "id"
        } else if path.contains("/user/{userId}") {
            "userId"
        } else {
            return None;
        };
        Some(self.params.get(name).to_owned())
    }

    /// The user id in the path; one that can be no id is one nobody has.
    ///
    /// # Errors
    /// 404.
    pub fn user_id(&self) -> Result<UserId, Problem> {
        UserId::parse(self.params.get("id")).map_err(|_| Problem::no_user())
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
