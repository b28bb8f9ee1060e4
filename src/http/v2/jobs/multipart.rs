//! The parts of a `multipart/form-data` body, all of it bounded.

use crate::http::problem::Problem;
use crate::http::schema;
use bytes::Bytes;
use futures_util::stream;
use multer::Multipart;
use std::convert::Infallible;

/// Parts a body may have.
const MAX_PARTS: usize = 32;

/// The named parts of a body, in order; of parts without a name nothing is kept.
///
/// # Errors
/// 400 when it is no multipart body of this content type, is cut off, or has more than 32 parts.
pub async fn parts(
    content_type: Option<&str>,
    body: Bytes,
) -> Result<Vec<(String, Bytes)>, Problem> {
    let boundary = content_type.and_then(|text| multer::parse_boundary(text).ok());
    let body = stream::iter([Ok::<_, Infallible>(body)]);
    let mut multipart = Multipart::new(body, boundary.ok_or_else(malformed)?);
    let mut parts = Vec::new();
    while let Some(field) = multipart.next_field().await.map_err(|_| malformed())? {
        let name = field.name().unwrap_or_default().to_owned();
        let content = field.bytes().await.map_err(|_| malformed())?;
        if parts.len() == MAX_PARTS {
            return Err(malformed());
        }
        if !name.is_empty() {
            parts.push((name, content));
        }
    }
    Ok(parts)
}

/// 400: the body is no multipart body.
pub(super) fn malformed() -> Problem {
    Problem::body(schema::message("Invalid multipart payload format", "", ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=x";

    fn read(content_type: Option<&str>, body: &str) -> Result<Vec<(String, String)>, Problem> {
        let parts = parts(content_type, Bytes::copy_from_slice(body.as_bytes()));
        let parts = futures_util::future::FutureExt::now_or_never(parts).unwrap()?;
        Ok(parts
            .into_iter()
            .map(|(name, bytes)| (name, String::from_utf8(bytes.to_vec()).unwrap()))
            .collect())
    }

    #[test]
    fn parts_come_with_their_names() {
        let body = concat!(
            "--x\r\nContent-Disposition: form-data; name=\"users\"; filename=\"u.json\"\r\n",
            "Content-Type: application/json\r\n\r\n[]\r\n",
            "--x\r\nContent-Disposition: form-data; name=\"upsert\"\r\n\r\ntrue\r\n--x--\r\n"
        );
        let parts = read(Some(TYPE), body).unwrap();
        let expected = [("users", "[]"), ("upsert", "true")];
        assert_eq!(parts, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
    }

    #[test]
    fn what_is_no_multipart_body_is_told_so() {
        let cut = "--x\r\nContent-Disposition: form-data; name=\"users\"\r\n\r\n[";
        for (content_type, body) in [
            (None, ""),
            (Some("application/json"), "{}"),
            (Some("multipart/form-data"), "--x--"),
            (Some(TYPE), ""),
            (Some(TYPE), "users=[]"),
            (Some(TYPE), cut),
        ] {
            let message = read(content_type, body).unwrap_err().message;
            assert_eq!(
                message, "Payload validation error: 'Invalid multipart payload format'.",
                "{content_type:?} {body}"
            );
        }
    }

    proptest::proptest! {
        #[test]
        fn no_body_makes_it_panic(body in "(--x(--)?|\r\n|:|[a-z\"=;]|\\PC){0,60}") {
            let _read = read(Some(TYPE), &body);
        }
    }
}
