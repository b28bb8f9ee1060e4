//! How answers begin in every dialect: content type, version, caching.

use super::JSON;
use super::call::Call;
use super::problem::Problem;
use crate::domain::time::Version;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpResponse, HttpResponseBuilder};
use bytes::Bytes;

/// The version an answer is of, or is not older than (DESIGN.md §3).
pub static DOSSIER_VERSION: HeaderName = HeaderName::from_static("dossier-version");

/// Begins an answer about something last changed at `version`.
pub fn answer_at(status: StatusCode, version: Version) -> HttpResponseBuilder {
    let mut response = HttpResponse::build(status);
    response
        .insert_header((header::CONTENT_TYPE, JSON))
        .insert_header((header::ETAG, format!("\"{version}\"")))
        .insert_header((DOSSIER_VERSION.clone(), version.to_string()))
        .insert_header((header::CACHE_CONTROL, "no-cache"));
    response
}

/// Answers a reading call with what is at `version`, or with 304 or 412 where its conditions say so.
///
/// # Errors
/// 412, or 400 for conditions that are none.
pub fn show(
    call: &Call,
    version: Version,
    body: impl Into<Bytes>,
) -> Result<HttpResponse, Problem> {
    if call.is_unchanged(version)? {
        return Ok(answer_at(StatusCode::NOT_MODIFIED, version).finish());
    }
    Ok(answer_at(StatusCode::OK, version).body(body.into()))
}

/// An answer that is JSON text.
pub fn json(status: StatusCode, body: impl Into<Bytes>) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, JSON))
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(body.into())
}

/// The empty answer of a deletion; it says its content type all the same (CONTRACT.md §2.5).
pub fn no_content(version: Version) -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((header::CONTENT_TYPE, JSON))
        .insert_header((DOSSIER_VERSION.clone(), version.to_string()))
        .finish()
}
