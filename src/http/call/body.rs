//! What a request carries: its body, bounded in size and time, as text and as JSON.

use super::Call;
use crate::domain::json::Object;
use crate::http::problem::Problem;
use crate::http::schema;
use actix_web::http::header;
use actix_web::web::Bytes;

impl Call {
    /// Reads the body: bounded in size and in time.
    ///
    /// # Errors
    /// 413, 408, 503 when too much is on its way already, or 400 when the connection broke.
    pub async fn body(&mut self) -> Result<Bytes, Problem> {
        let limit = self.services.settings().server.max_body_bytes;
        self.body_up_to(limit).await
    }

    /// Reads a body of at most `limit` bytes.
    ///
    /// # Errors
    /// 413, 408, 503 when too much is on its way already, or 400 when the connection broke.
    pub async fn body_up_to(&mut self, limit: u64) -> Result<Bytes, Problem> {
        let timeout = self.services.settings().server.body_timeout;
        let held = self.services.unfinished.nothing(Some(self.tenant.uid()));
        let body = self.incoming.read(&self.request, limit, timeout, held).await?;
        if !body.is_empty() {
            self.tenant.weigh(body.len());
            self.take_place(body.len()).await?;
        }
        Ok(body)
    }

    /// Waits until the tenant may be worked for, at the cost of a body of `size_bytes`; the place is
    /// given back with the call.
    ///
    /// # Errors
    /// 503 when too much waits already, or for too long.
    pub async fn take_place(&mut self, size_bytes: usize) -> Result<(), Problem> {
        // One place is enough for one call, and who holds one must not wait for another.
        if self.place.is_none() {
            self.place = Some(self.tenant.enter(size_bytes).await?);
        }
        Ok(())
    }

    /// Gives the place back before the call is over: for who goes on to wait at another door, and
    /// would keep out those who need not.
    pub fn leave_place(&mut self) {
        self.place = None;
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
