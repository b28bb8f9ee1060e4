//! Tags of lists: what a list shows follows from its tenant's version, from what is asked and by
//! whom, and from the settings. So its tag is known before the work is done, and who has it already
//! is answered without doing it.

use super::call::{Call, host_of_call};
use super::route::Route;
use crate::domain::time::Version;
use crate::tenant::TenantHandle;
use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Lists that show nothing but the state of their tenant.
const TAGGED: &[&str] = &[
    "/api/v2/users",
    "/api/v2/users-by-email",
    "/api/v2/users/{id}/roles",
    "/api/v2/users/{id}/permissions",
    "/api/v2/clients",
    "/api/v2/applications",
    "/api/v2/connections",
    "/api/v2/client-grants",
    "/api/v2/resource-servers",
];

/// The tag of a list at one version.
pub(super) struct ListTag {
    version: Version,
    text: String,
}

impl ListTag {
    /// The tag of what a call asks for, if it is such a list.
    pub(super) fn of(call: &Call, route: &Route) -> Option<Self> {
        if route.method != "GET" || !TAGGED.contains(&route.path) {
            return None;
        }
        let version = call.tenant.published().version();
        let mut hash = DefaultHasher::new();
        // Another process may be another build, with other words for the same.
        (call.services.dashboard.started.millis(), call.services.generation()).hash(&mut hash);
        (call.tenant.uid(), host_of_call(call), call.is_secure()).hash(&mut hash);
        call.target().hash(&mut hash);
        for scope in call.caller.scopes.iter() {
            scope.name().hash(&mut hash);
        }
        call.caller.subject.hash(&mut hash);
        let asked = hash.finish();
        Some(Self { version, text: format!("W/\"{version}-{asked:016x}\"") })
    }

    /// The answer to who has this list already; none for anybody else.
    pub(super) fn unchanged(&self, call: &Call) -> Option<HttpResponse> {
        let given = call.headers().get_all(header::IF_NONE_MATCH);
        let mut tags = given.filter_map(|value| value.to_str().ok()).flat_map(|all| all.split(','));
        let strong = self.text.trim_start_matches("W/");
        tags.any(|tag| tag.trim().trim_start_matches("W/") == strong).then(|| {
            let mut response = HttpResponse::NotModified().finish();
            self.put_to(&mut response);
            response
        })
    }

    /// Gives an answer its tag, if the tenant stood still while it was made.
    pub(super) fn put(&self, tenant: &TenantHandle, response: &mut HttpResponse) {
        if response.status() == StatusCode::OK && tenant.published().version() == self.version {
            self.put_to(response);
        }
    }

    fn put_to(&self, response: &mut HttpResponse) {
        if let Ok(tag) = header::HeaderValue::from_str(&self.text) {
            let headers = response.headers_mut();
            headers.insert(header::ETAG, tag);
            headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-cache"));
        }
    }
}
