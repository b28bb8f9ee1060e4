//! The validation grammar of bodies and query strings, in Auth0's words.
//!
//! `<Where> validation error: '<detail>'[ on property <path>[ (<description>)]].`
//! (CONTRACT.md §6.4). A schema is a table of properties; one function checks any of
//! them and words what it finds.

use super::problem::Problem;
use crate::domain::json::{self, Elements, Kind, Object};

/// The description of `client_metadata` in messages.
pub const CLIENT_METADATA: &str = "Metadata associated with the client, in the form of an object with string values (max 255 chars). Maximum of 10 metadata properties allowed";

/// A text form a string must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An e-mail address: one `@`, a dotted domain, at most 64 and 254 characters.
    Email,
    /// An absolute `http` or `https` URL.
    Uri,
    /// `+` and up to 15 digits.
    Phone,
    /// No white space.
    Solid,
    /// No `<` or `>`.
    Plain,
    /// `con_` and 16 letters or digits.
    ConnectionId,
    /// Letters and digits, with single hyphens between them.
    ConnectionName,
}

/// What a property may be.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// A string of so many characters.
    Text(usize, usize),
    /// A string of so many characters in a form.
    Formatted(usize, usize, Format),
    /// One of these strings.
    OneOf(&'static [&'static str]),
    /// `true` or `false`.
    Boolean,
    /// An integer in a range.
    Integer(i64, i64),
    /// An object; its insides are checked elsewhere.
    Object,
    /// An array of strings.
    Strings,
    /// An array of objects.
    Objects,
    /// An array of at least one string, each of 1 to so many characters.
    Texts(usize),
    /// An array of at least one of these objects.
    Each(&'static Schema),
    /// Anything.
    Any,
}

/// One property of a body.
#[derive(Clone, Copy, Debug)]
pub struct Property {
    /// Its name.
    pub name: &'static str,
    /// What it may be.
    pub shape: Shape,
    /// Whether `null` unsets it.
    pub nullable: bool,
    /// Its description in messages, without the final dot; may be empty.
    pub about: &'static str,
}

/// A property that may not be `null`.
pub const fn property(name: &'static str, shape: Shape, about: &'static str) -> Property {
    Property { name, shape, nullable: false, about }
}

/// A property that `null` unsets.
pub const fn nullable(name: &'static str, shape: Shape, about: &'static str) -> Property {
    Property { name, shape, nullable: true, about }
}

/// What becomes of properties a schema does not name.
#[derive(Clone, Copy, Debug)]
pub enum Extra {
    /// They are refused, with this hint behind their names.
    Refuse(&'static str),
    /// They are passed over.
    Ignore,
}

/// A whole body.
#[derive(Clone, Copy, Debug)]
pub struct Schema {
    /// Its properties.
    pub properties: &'static [Property],
    /// Which of them must be there.
    pub required: &'static [&'static str],
    /// What becomes of others.
    pub extra: Extra,
}

impl Schema {
    /// Checks a body.
    ///
    /// # Errors
    /// 400 with the first thing that is wrong: a missing property, an unknown one, a bad value.
    pub fn check(&self, body: &Object) -> Result<(), Problem> {
        self.check_at("", body)
    }

    /// As [`Self::check`], for an object that lies at a path of a body.
    fn check_at(&self, path: &str, body: &Object) -> Result<(), Problem> {
        if let Some(missing) = self.required.iter().find(|name| !body.contains(name)) {
            return Err(invalid(&format!("Missing required property: {missing}"), path, ""));
        }
        if let Extra::Refuse(hint) = self.extra {
            let unknown: Vec<String> = body
                .keys()
                .filter(|key| self.property(key).is_none())
                .map(std::borrow::Cow::into_owned)
                .collect();
            if !unknown.is_empty() {
                let names = unknown.join(",");
                let hint = if hint.is_empty() { String::new() } else { format!(" {hint}") };
                return Err(invalid(
                    &format!("Additional properties not allowed: {names}{hint}"),
                    path,
                    "",
                ));
            }
        }
        for (key, raw) in body.members() {
            if let Some(property) = self.property(&json::unquote(key)) {
                property.check(path, raw)?;
            }
        }
        Ok(())
    }

    fn property(&self, name: &str) -> Option<&'static Property> {
        self.properties.iter().find(|property| property.name == name)
    }
}

impl Property {
    /// Checks a value of this property in the object at `parent`.
    fn check(&self, parent: &str, raw: &str) -> Result<(), Problem> {
        if self.nullable && raw == "null" {
            return Ok(());
        }
        let dot = if parent.is_empty() { "" } else { "." };
        let path = format!("{parent}{dot}{}", self.name);
        let fail = |detail: String| Err(invalid(&detail, &path, self.about));
        let wanted = match self.shape {
            Shape::Text(..) | Shape::Formatted(..) | Shape::OneOf(_) => Kind::String,
            Shape::Boolean => Kind::Boolean,
            Shape::Integer(..) => Kind::Integer,
            Shape::Object => Kind::Object,
            Shape::Strings | Shape::Objects | Shape::Texts(_) | Shape::Each(_) => Kind::Array,
            Shape::Any => return Ok(()),
        };
        let found = Kind::of(raw);
        if found != wanted {
            return fail(format!("Expected type {wanted} but found type {found}"));
        }
        match self.shape {
            Shape::Text(min, max) => match text_fault(&json::unquote(raw), min, max, None) {
                Some(detail) => fail(detail),
                None => Ok(()),
            },
            Shape::Formatted(min, max, format) => {
                match text_fault(&json::unquote(raw), min, max, Some(format)) {
                    Some(detail) => fail(detail),
                    None => Ok(()),
                }
            }
            Shape::OneOf(allowed) => {
                let value = json::unquote(raw);
                if allowed.contains(&value.as_ref()) {
                    Ok(())
                } else {
                    fail(format!("Invalid value \"{value}\""))
                }
            }
            Shape::Integer(min, max) => match raw.parse::<i64>() {
                Ok(value) if value < min => {
                    fail(format!("Value {value} is less than minimum {min}"))
                }
                Ok(value) if value > max => {
                    fail(format!("Value {value} is greater than maximum {max}"))
                }
                Ok(_) => Ok(()),
                Err(_) => fail(format!("Value {raw} is greater than maximum {max}")),
            },
            Shape::Strings => elements_are(Kind::String, &path, raw),
            Shape::Objects => elements_are(Kind::Object, &path, raw),
            Shape::Texts(_) | Shape::Each(_) if Elements::of(raw).next().is_none() => {
                fail("Array is too short (0), minimum 1".to_owned())
            }
            Shape::Texts(max) => {
                elements_are(Kind::String, &path, raw)?;
                let texts = Elements::of(raw).map(json::unquote).enumerate();
                let mut faults =
                    texts.filter_map(|(at, text)| Some((at, text_fault(&text, 1, max, None)?)));
                faults.next().map_or(Ok(()), |(at, detail)| {
                    Err(invalid(&detail, &format!("{path}[{at}]"), ""))
                })
            }
            Shape::Each(schema) => {
                elements_are(Kind::Object, &path, raw)?;
                Elements::of(raw).enumerate().try_for_each(|(at, element)| {
                    schema.check_at(&format!("{path}[{at}]"), &Object::trusted(element))
                })
            }
            Shape::Boolean | Shape::Object | Shape::Any => Ok(()),
        }
    }
}

fn elements_are(wanted: Kind, path: &str, array: &str) -> Result<(), Problem> {
    match Elements::of(array).enumerate().find(|(_, element)| Kind::of(element) != wanted) {
        Some((at, element)) => Err(invalid(
            &format!("Expected type {wanted} but found type {}", Kind::of(element)),
            &format!("{path}[{at}]"),
            "",
        )),
        None => Ok(()),
    }
}

/// What is wrong with a string, if anything.
pub fn text_fault(text: &str, min: usize, max: usize, format: Option<Format>) -> Option<String> {
    let chars = text.chars().count();
    if chars < min {
        return Some(format!("String is too short ({chars} chars), minimum {min}"));
    }
    if chars > max {
        return Some(format!("String is too long ({chars} chars), maximum {max}"));
    }
    let format = format?;
    let pattern = |pattern: &str| Some(format!("String does not match pattern {pattern}"));
    match format {
        Format::Email if !is_email(text) => {
            Some(format!("Object didn't pass validation for format email: {text}"))
        }
        Format::Uri if !is_uri(text) => {
            Some(format!("Object didn't pass validation for format strict-uri: {text}"))
        }
        Format::Phone if !is_phone(text) => pattern("^\\+[0-9]{1,15}$"),
        Format::Solid if text.contains(|c: char| c.is_whitespace() || c.is_control()) => {
            pattern("^\\S*$")
        }
        Format::Plain if text.contains(['<', '>']) => pattern("^[^<>]+$"),
        Format::ConnectionId if !is_connection_id(text) => pattern("^con_[A-Za-z0-9]{16}$"),
        Format::ConnectionName if !is_connection_name(text) => {
            pattern("^[a-zA-Z0-9](-[a-zA-Z0-9]|[a-zA-Z0-9])*$")
        }
        Format::ConnectionName
        | Format::Email
        | Format::Uri
        | Format::Phone
        | Format::Solid
        | Format::Plain
        | Format::ConnectionId => None,
    }
}

/// Whether `text` may be an e-mail address.
pub fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    let is_local_char = |c: char| c.is_alphanumeric() || ".!#$%&'*+/=?^_`{|}~-".contains(c);
    text.len() <= 254
        && (1..=64).contains(&local.len())
        && local.chars().all(is_local_char)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && domain.contains('.')
        && domain.split('.').all(is_label)
}

fn is_uri(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
        !host.is_empty()
            && !text.contains(|c: char| {
                c.is_whitespace() || c.is_control() || "<>\"\\^`{|}".contains(c)
            })
    })
}

fn is_phone(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (1..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn is_connection_id(text: &str) -> bool {
    text.strip_prefix("con_")
        .is_some_and(|id| id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

fn is_connection_name(text: &str) -> bool {
    text.split('-')
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// The sentence of a payload error; an empty `path` means the whole body.
pub fn message(detail: &str, path: &str, about: &str) -> String {
    worded("Payload", detail, path, about)
}

/// The sentence of a query string error.
pub fn query_message(detail: &str, path: &str, about: &str) -> String {
    worded("Query", detail, path, about)
}

fn worded(place: &str, detail: &str, path: &str, about: &str) -> String {
    let on = if path.is_empty() { String::new() } else { format!(" on property {path}") };
    let about =
        if about.is_empty() || path.is_empty() { String::new() } else { format!(" ({about})") };
    format!("{place} validation error: '{detail}'{on}{about}.")
}

fn invalid(detail: &str, path: &str, about: &str) -> Problem {
    Problem::body(message(detail, path, about))
}

#[cfg(test)]
mod tests {
    use super::*;

    static PAIR: Schema = Schema {
        properties: &[property("key", Shape::Text(1, 3), "")],
        required: &["key"],
        extra: Extra::Refuse(""),
    };

    static SCHEMA: Schema = Schema {
        properties: &[
            property("email", Shape::Formatted(1, 254, Format::Email), "The user's email"),
            nullable("name", Shape::Text(1, 3), ""),
            property("n", Shape::Integer(0, 9), ""),
            property("list", Shape::Strings, ""),
            property("ids", Shape::Texts(3), ""),
            property("pairs", Shape::Each(&PAIR), ""),
        ],
        required: &["email"],
        extra: Extra::Refuse("(hint)"),
    };

    #[track_caller]
    fn check(body: &str, message: &str) {
        let found = SCHEMA.check(&Object::parse(body, 8).unwrap());
        assert_eq!(
            found.err().map(|problem| problem.message).unwrap_or_default(),
            message,
            "{body}"
        );
    }

    #[test]
    fn faults_are_worded_as_auth0_words_them() {
        check(r#"{"email":"a@b.co","name":null}"#, "");
        check("{}", "Payload validation error: 'Missing required property: email'.");
        check(
            r#"{"email":"none"}"#,
            "Payload validation error: 'Object didn't pass validation for format email: none' on property email (The user's email).",
        );
        check(
            r#"{"email":"a@b.co","x":1,"y":2}"#,
            "Payload validation error: 'Additional properties not allowed: x,y (hint)'.",
        );
        check(
            r#"{"email":null}"#,
            "Payload validation error: 'Expected type string but found type null' on property email (The user's email).",
        );
        check(
            r#"{"email":"a@b.co","name":"abcd"}"#,
            "Payload validation error: 'String is too long (4 chars), maximum 3' on property name.",
        );
        check(
            r#"{"email":"a@b.co","n":10}"#,
            "Payload validation error: 'Value 10 is greater than maximum 9' on property n.",
        );
        check(
            r#"{"email":"a@b.co","list":["a",1]}"#,
            "Payload validation error: 'Expected type string but found type integer' on property list[1].",
        );
    }

    #[test]
    fn what_lies_in_an_array_is_told_by_its_place() {
        let at = |member: &str, message: &str| {
            check(
                &format!(r#"{{"email":"a@b.co",{member}}}"#),
                &if message.is_empty() {
                    String::new()
                } else {
                    format!("Payload validation error: '{message}.")
                },
            );
        };
        at(r#""ids":["a"],"pairs":[{"key":"b"}]"#, "");
        at(r#""ids":[]"#, "Array is too short (0), minimum 1' on property ids");
        at(r#""ids":["a",""]"#, "String is too short (0 chars), minimum 1' on property ids[1]");
        at(r#""ids":["a",1]"#, "Expected type string but found type integer' on property ids[1]");
        at(r#""pairs":[{}]"#, "Missing required property: key' on property pairs[0]");
        at(
            r#""pairs":[{"key":"a","x":1}]"#,
            "Additional properties not allowed: x' on property pairs[0]",
        );
        at(
            r#""pairs":[{"key":"long"}]"#,
            "String is too long (4 chars), maximum 3' on property pairs[0].key",
        );
    }

    #[test]
    fn a_connection_name_has_single_inner_hyphens() {
        for good in ["a", "Username-Password-Authentication", "0-1"] {
            assert!(is_connection_name(good), "{good}");
        }
        for bad in ["", "-a", "a-", "a--b", "a b", "a_b", "ä", "a|b"] {
            assert!(!is_connection_name(bad), "{bad}");
        }
    }

    #[test]
    fn addresses_are_told_from_other_text() {
        for good in ["jane.doe@example.com", "j+x@a-b.co.uk", "ü@müller.de", "o'neil@x.io"] {
            assert!(is_email(good), "{good}");
        }
        for bad in [
            "",
            "none",
            "@x.io",
            "a@",
            "a@b",
            "a b@x.io",
            "a@x..io",
            ".a@x.io",
            "a@-x.io",
            "a\n@x.io",
            "a@x.io\u{0}",
        ] {
            assert!(!is_email(bad), "{bad}");
        }
    }
}
