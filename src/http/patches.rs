//! Merge dialects by `Content-Type`: how a PATCH of a user or client may be written.
//!
//! `application/json` is Auth0's root merge; the other types are opt-in, so whoever
//! does not name them meets nothing new.

use super::call::{Call, essence};
use super::problem::Problem;
use super::route::Route;
use crate::domain::json::{self, Kind, Object};
use crate::domain::patch::{JsonPatch, Malformed, Ops, Patch};
use actix_web::http::header;

/// RFC 7396.
pub(super) const MERGE: &str = "application/merge-patch+json";
/// RFC 6902.
pub(super) const JSON: &str = "application/json-patch+json";
/// Ours.
pub(super) const OPS: &str = "application/vnd.dossier.ops+json";

/// What routes without merge dialects take.
const PLAIN: &str = "application/json";
/// What routes with them take.
const ALL: &str = "application/json, application/merge-patch+json, application/json-patch+json, application/vnd.dossier.ops+json";

/// The routes that take every dialect.
const ROUTES: &[&str] = &[
    "/api/v2/users/{id}",
    "/api/v2/clients/{id}",
    "/api/v2/applications/{id}",
    "/api/v2/client/{id}",
];

/// Whether a route takes the merge dialects.
pub(super) fn takes_dialects(route: &Route) -> bool {
    route.method == "PATCH" && ROUTES.contains(&route.path)
}

/// The value of `Accept-Patch` for a route (RFC 5789 §3.1); none where nothing is patched.
pub(super) fn accepted(route: &Route) -> Option<&'static str> {
    match route.method {
        "PATCH" if takes_dialects(route) => Some(ALL),
        "PATCH" => Some(PLAIN),
        _ => None,
    }
}

/// Reads the body as a patch, if its media type is one of a merge dialect.
///
/// # Errors
/// 400 for what is no such patch, and as [`Call::body`].
pub(super) async fn patch(call: &mut Call, bags: &[&str]) -> Result<Option<Patch>, Problem> {
    let is = |call: &Call, wanted: &str| {
        let own = essence(call.header(header::CONTENT_TYPE));
        own.is_some_and(|own| own.eq_ignore_ascii_case(wanted))
    };
    if is(call, MERGE) {
        let text = text(call).await?;
        if Kind::of(&text) != Kind::Object {
            return Err(Problem::body("A merge patch of this resource is a JSON object."));
        }
        return Ok(Some(Patch::Merge(Object::trusted(&text))));
    }
    if is(call, JSON) {
        return Ok(Some(Patch::Json(JsonPatch::parse(&text(call).await?).map_err(malformed)?)));
    }
    if is(call, OPS) {
        return Ok(Some(Patch::Ops(Ops::parse(&text(call).await?, bags).map_err(malformed)?)));
    }
    Ok(None)
}

/// Levels a patch has around the values it carries.
const WRAPPING: usize = 4;

async fn text(call: &mut Call) -> Result<String, Problem> {
    let body = call.body().await?;
    let text = super::call::utf8(&body)?;
    json::check(text, call.tenant.rules().depth + WRAPPING)?;
    Ok(json::compact(text).into_owned())
}

#[expect(clippy::needless_pass_by_value, reason = "the shape map_err wants")]
fn malformed(malformed: Malformed) -> Problem {
    Problem::body(format!("Invalid patch: {malformed}."))
}
