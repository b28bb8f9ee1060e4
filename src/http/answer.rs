//! How answers begin in every dialect: content type, version, caching.

use super::JSON;
use crate::domain::time::Version;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName};
use actix_web::{HttpResponse, HttpResponseBuilder};
use bytes::Bytes;

static DOSSIER_VERSION: HeaderName = HeaderName::from_static("dossier-version");

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
