//! `If-Match` and `If-None-Match` of a request (RFC 9110 §13).

use super::Call;
use crate::domain::condition::{Condition, Part, Tags};
use crate::domain::decide::Rejection;
use crate::domain::time::Version;
use crate::http::problem::Problem;
use actix_web::http::header;

impl Call {
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
}
