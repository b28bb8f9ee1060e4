//! What a request to the token endpoints carries: a form or a JSON object, and at most
//! one set of client credentials.
//!
//! Everything has a bound before anything is looked at closely, since nobody has
//! proved who they are yet (RELIABILITY.md §2.3: a 50,000-character scope).

use super::{assertion, refusal};
use crate::domain::json::{self, Kind, Object};
use crate::http::call::Call;
use crate::http::problem::Problem;
use crate::http::query::Query;
use actix_web::http::header;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode;

/// The largest body of these endpoints.
pub(super) const MAX_BODY_BYTES: u64 = 64 * 1024;

/// The longest single value.
pub(super) const MAX_FIELD_BYTES: usize = 8 * 1024;

/// Levels of JSON in members that are not even read.
const DEPTH: usize = 16;

/// The parameters these endpoints read. Others are passed over.
const KNOWN: &[&str] = &[
    "access_token",
    "audience",
    "client_assertion",
    "client_assertion_type",
    "client_id",
    "client_secret",
    "grant_type",
    "password",
    "realm",
    "refresh_token",
    "scope",
    "token",
    "username",
];

/// The parameters of a request. They are secrets, so there is no `Debug`.
pub(super) struct Fields(Vec<(&'static str, String)>);

impl Fields {
    /// Reads the body of a request.
    ///
    /// # Errors
    /// 413 for a body beyond the limit, 400 for one that cannot be read.
    pub(super) async fn of(call: &mut Call) -> Result<Self, Problem> {
        let body = call.body_up_to(MAX_BODY_BYTES).await?;
        Self::parse(call.header(header::CONTENT_TYPE), &body)
    }

    /// Reads a body that says it is a form or JSON. One that says nothing is what it looks like.
    pub(super) fn parse(content_type: Option<&str>, body: &[u8]) -> Result<Self, Problem> {
        let text = std::str::from_utf8(body)
            .map_err(|_| refusal::invalid("The request body is not UTF-8"))?;
        let essence = content_type
            .map(|text| text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        match essence.as_deref() {
            Some("application/json") => Self::json(text),
            None | Some("") if text.trim_start().starts_with('{') => Self::json(text),
            Some("application/x-www-form-urlencoded" | "") | None => Self::form(text),
            Some(_) => Err(refusal::invalid(
                "The content type must be application/x-www-form-urlencoded or application/json",
            )),
        }
    }

    fn form(text: &str) -> Result<Self, Problem> {
        let form = Query::parse(text)
            .map_err(|_| refusal::invalid("The request body is not a form in UTF-8"))?;
        let mut fields = Self(Vec::new());
        form.pairs().try_for_each(|(name, value)| fields.add(name, value))?;
        Ok(fields)
    }

    fn json(text: &str) -> Result<Self, Problem> {
        let object = Object::parse(text, DEPTH)
            .map_err(|fault| refusal::invalid(Problem::from(fault).message))?;
        let mut fields = Self(Vec::new());
        for (key, raw) in object.members() {
            let name = json::unquote(key);
            match Kind::of(raw) {
                Kind::String => fields.add(&name, &json::unquote(raw))?,
                // What is not said may be said as null.
                Kind::Null => {}
                found @ (Kind::Boolean
                | Kind::Integer
                | Kind::Number
                | Kind::Array
                | Kind::Object) => {
                    if KNOWN.contains(&name.as_ref()) {
                        return Err(refusal::invalid(format!(
                            "Parameter {name} must be a string, not {found}"
                        )));
                    }
                }
            }
        }
        Ok(fields)
    }

    /// An empty value counts as none (RFC 6749 §3.1); a parameter that is there twice is refused.
    fn add(&mut self, name: &str, value: &str) -> Result<(), Problem> {
        let known = KNOWN.iter().find(|known| **known == name);
        if value.len() > MAX_FIELD_BYTES {
            let name = known.copied().unwrap_or("of unknown name");
            return Err(refusal::invalid(format!(
                "Parameter {name} is too long ({} bytes), maximum {MAX_FIELD_BYTES}",
                value.len()
            )));
        }
        let Some(name) = known else { return Ok(()) };
        if self.0.iter().any(|(own, _)| own == name) {
            return Err(refusal::invalid(format!("Parameter {name} is there more than once")));
        }
        if !value.is_empty() {
            self.0.push((name, value.to_owned()));
        }
        Ok(())
    }

    /// The value of a parameter, if it is there and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str())
    }

    /// The value of a parameter that must be there.
    ///
    /// # Errors
    /// 400 naming it.
    pub(super) fn need(&self, name: &str) -> Result<&str, Problem> {
        self.get(name).ok_or_else(|| refusal::missing(name))
    }
}

/// Who a client says it is. There is no `Debug`.
pub(super) struct Credentials {
    /// Its id.
    pub(super) id: String,
    /// What it gives as its secret; two readings of one text where its encoding is not clear.
    pub(super) secrets: Vec<String>,
    /// Whether they came in the `Authorization` header.
    pub(super) is_basic: bool,
    /// A signed assertion in place of a secret.
    pub(super) assertion: Option<String>,
}

impl Credentials {
    /// The credentials of a request: in the body, or in the one header there may be.
    ///
    /// # Errors
    /// 400 when there are none, several, or the header cannot be read.
    pub(super) fn of(call: &Call, fields: &Fields) -> Result<Self, Problem> {
        let mut headers = call.headers().get_all(header::AUTHORIZATION);
        let first = headers.next().map(header::HeaderValue::as_bytes);
        if headers.next().is_some() {
            return Err(refusal::invalid("There is more than one Authorization header"));
        }
        Self::from(first, fields)
    }

    fn from(authorization: Option<&[u8]>, fields: &Fields) -> Result<Self, Problem> {
        let (id, secret) = (fields.get("client_id"), fields.get("client_secret"));
        if let Some(encoded) = authorization.and_then(basic) {
            let (basic_id, secrets) = read_basic(encoded)
                .ok_or_else(|| refusal::invalid("The Authorization header is malformed"))?;
            if secret.is_some() || id.is_some_and(|id| id != basic_id) {
                return Err(refusal::invalid(
                    "Client credentials must be in the header or in the body, not in both",
                ));
            }
            if fields.get("client_assertion").is_some() {
                return Err(refusal::invalid("A client proves who it is in one way, not in two"));
            }
            return Ok(Self { id: basic_id, secrets, is_basic: true, assertion: None });
        }
        if let Some(assertion) = fields.get("client_assertion") {
            return Self::asserted(assertion, id, secret, fields.get("client_assertion_type"));
        }
        let id = id.ok_or_else(|| refusal::missing("client_id"))?.to_owned();
        let secrets = secret.map(str::to_owned).into_iter().collect();
        Ok(Self { id, secrets, is_basic: false, assertion: None })
    }
}

impl Credentials {
    /// Who an assertion is for, which `client_id` may repeat (RFC 7521 §4.2).
    fn asserted(
        text: &str,
        id: Option<&str>,
        secret: Option<&str>,
        kind: Option<&str>,
    ) -> Result<Self, Problem> {
        if kind.ok_or_else(|| refusal::missing("client_assertion_type"))? != assertion::TYPE {
            let wanted = format!("client_assertion_type must be {}", assertion::TYPE);
            return Err(refusal::invalid(wanted));
        }
        if secret.is_some() {
            return Err(refusal::invalid("A client proves who it is in one way, not in two"));
        }
        let subject = assertion::subject(text)
            .ok_or_else(|| assertion::refused("it is no JWT with iss, sub, aud, exp and jti"))?;
        if id.is_some_and(|id| id != subject) {
            return Err(assertion::refused("iss and sub must be the id of the client"));
        }
        let assertion = Some(text.to_owned());
        Ok(Self { id: subject, secrets: Vec::new(), is_basic: false, assertion })
    }
}

/// What a Basic header carries; `None` for another scheme.
fn basic(header: &[u8]) -> Option<&[u8]> {
    let (scheme, encoded) = header.split_at_checked(6)?;
    scheme.eq_ignore_ascii_case(b"basic ").then(|| encoded.trim_ascii())
}

/// The id and the secrets in it.
fn read_basic(encoded: &[u8]) -> Option<(String, Vec<String>)> {
    if encoded.len() > 2 * MAX_FIELD_BYTES {
        return None;
    }
    let plain = String::from_utf8(STANDARD.decode(encoded).ok()?).ok()?;
    let (id, secret) = plain.split_once(':')?;
    // RFC 6749 §2.3.1 wants both form-encoded first. Many clients do not do it, so a
    // secret is also taken as it stands.
    let decoded = form_decoded(secret)?;
    let mut secrets = vec![decoded];
    if !secrets.iter().any(|decoded| decoded == secret) {
        secrets.push(secret.to_owned());
    }
    secrets.retain(|secret| !secret.is_empty());
    let id = form_decoded(id)?;
    (!id.is_empty()).then_some((id, secrets))
}

fn form_decoded(text: &str) -> Option<String> {
    let spaced: Vec<u8> = text.bytes().map(|byte| if byte == b'+' { b' ' } else { byte }).collect();
    percent_decode(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FORM: Option<&str> = Some("application/x-www-form-urlencoded");
    const JSON: Option<&str> = Some("application/json; charset=utf-8");

    fn fields(text: &str) -> Fields {
        Fields::parse(FORM, text.as_bytes()).unwrap_or_else(|problem| panic!("{problem:?}"))
    }

    #[track_caller]
    fn refused(content_type: Option<&str>, body: &str, message: &str) {
        let problem = Fields::parse(content_type, body.as_bytes()).err().unwrap();
        assert_eq!((problem.status, problem.code), (400, "invalid_request"));
        assert_eq!(problem.message, message);
    }

    #[test]
    fn forms_and_json_say_the_same() {
        for (content_type, body) in [
            (FORM, "grant_type=client_credentials&client_id=a%7Cb&scope=a+b&x=1"),
            (
                JSON,
                r#"{"grant_type":"client_credentials","client_id":"a|b","scope":"a b","x":[1]}"#,
            ),
            (None, "grant_type=client_credentials&client_id=a%7Cb&scope=a%20b"),
            (None, r#" {"grant_type":"client_credentials","client_id":"a|b","scope":"a b"}"#),
        ] {
            let found = Fields::parse(content_type, body.as_bytes()).ok().unwrap();
            assert_eq!(found.get("grant_type"), Some("client_credentials"));
            assert_eq!(found.get("client_id"), Some("a|b"));
            assert_eq!(found.get("scope"), Some("a b"));
            assert_eq!(found.get("x"), None);
        }
    }

    #[test]
    fn nulls_and_empty_values_count_as_nothing() {
        let body = r#"{"client_id":"a","organization":null,"scope":null,"audience":""}"#;
        let found = Fields::parse(JSON, body.as_bytes()).ok().unwrap();
        assert!(found.get("scope").is_none() && found.get("audience").is_none());
        assert!(fields("scope=&client_id=a").get("scope").is_none());
    }

    #[test]
    fn what_could_be_read_two_ways_is_refused() {
        refused(FORM, "scope=a&scope=b", "Parameter scope is there more than once");
        refused(
            JSON,
            r#"{"scope":"a","scope":"b"}"#,
            "Payload validation error: 'Duplicate property: scope'.",
        );
        refused(JSON, r#"{"scope":["a"]}"#, "Parameter scope must be a string, not array");
        refused(
            Some("text/plain"),
            "a=b",
            "The content type must be application/x-www-form-urlencoded or application/json",
        );
    }

    #[test]
    fn a_scope_of_fifty_thousand_characters_is_refused() {
        let message = "Parameter scope is too long (50000 bytes), maximum 8192";
        refused(FORM, &format!("scope={}", "a".repeat(50_000)), message);
        refused(JSON, &format!("{{\"scope\":\"{}\"}}", "a".repeat(50_000)), message);
        assert!(fields(&format!("scope={}", "a".repeat(8192))).get("scope").is_some());
    }

    fn credentials(header: &str, body: &str) -> Result<Credentials, Problem> {
        Credentials::from(Some(header.as_bytes()).filter(|text| !text.is_empty()), &fields(body))
    }

    fn basic_of(plain: &str) -> String {
        format!("Basic {}", STANDARD.encode(plain))
    }

    #[test]
    fn credentials_come_in_the_body_or_in_the_header() {
        let found = credentials("", "client_id=a&client_secret=s").ok().unwrap();
        assert_eq!((found.id.as_str(), found.secrets), ("a", vec!["s".to_owned()]));
        let found = credentials(&basic_of("a%3Ab:s%2B1"), "").ok().unwrap();
        assert_eq!(found.id, "a:b");
        assert_eq!(found.secrets, ["s+1", "s%2B1"]);
        assert!(found.is_basic);
        let found = credentials(&basic_of("a:s"), "client_id=a").ok().unwrap();
        assert_eq!(found.secrets, ["s"]);
        let found = credentials("Bearer xyz", "client_id=a").ok().unwrap();
        assert!(found.secrets.is_empty() && !found.is_basic);
    }

    #[test]
    fn credentials_that_are_missing_doubled_or_broken_are_refused() {
        for (header, body) in [
            ("", "scope=a"),
            (basic_of("a:s").as_str(), "client_id=b"),
            (basic_of("a:s").as_str(), "client_id=a&client_secret=s"),
            ("Basic !!!", "client_id=a"),
            (basic_of("none").as_str(), "client_id=a"),
            (basic_of(":s").as_str(), ""),
            (basic_of("%ff:s").as_str(), ""),
            ("", "client_id=a&client_assertion=x"),
        ] {
            let problem = credentials(header, body).err().unwrap();
            assert_eq!((problem.status, problem.code), (400, "invalid_request"), "{header} {body}");
        }
    }

    proptest! {
        #[test]
        fn any_body_and_header_is_read_or_refused(body in ".{0,80}", header in ".{0,60}") {
            for content_type in [FORM, JSON, None] {
                if let Ok(fields) = Fields::parse(content_type, body.as_bytes()) {
                    drop(Credentials::from(Some(header.as_bytes()), &fields));
                }
            }
            drop(read_basic(header.as_bytes()));
        }

        #[test]
        fn an_encoded_secret_is_decoded(secret in "[ -~]{1,40}") {
            let encoded = percent_encoding::utf8_percent_encode(&secret, percent_encoding::NON_ALPHANUMERIC);
            let found = credentials(&basic_of(&format!("a:{encoded}")), "").ok().unwrap();
            prop_assert_eq!(found.secrets.first(), Some(&secret));
        }
    }
}
