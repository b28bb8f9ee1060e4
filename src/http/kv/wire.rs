//! The bodies of key/value metadata.

use crate::domain::entries::{self, Entry};
use crate::domain::json::{Elements, Kind, Object};
use crate::http::problem::Problem;
use crate::http::schema::{self, Extra, Property, Schema, Shape, nullable, property};

/// Characters a key may have.
const KEY_CHARS: usize = 255;

const PROPERTIES: &[Property] = &[
    property("key", Shape::Text(1, KEY_CHARS), "the name of the entry"),
    property("value", Shape::Text(0, usize::MAX), "the value of the entry"),
    nullable("profileClaim", Shape::Boolean, "whether tokens of the user carry the entry"),
];

/// One entry; its key is in the path and may be repeated in the body.
pub(super) static ONE: Schema =
    Schema { properties: PROPERTIES, required: &["value"], extra: Extra::Refuse("") };

/// One entry of a list.
static LISTED: Schema =
    Schema { properties: PROPERTIES, required: &["key", "value"], extra: Extra::Refuse("") };

/// A whole list.
pub(super) static LIST: Schema = Schema {
    properties: &[property("metadata", Shape::Objects, "the entries")],
    required: &["metadata"],
    extra: Extra::Refuse(""),
};

/// `{"metadata":[…]}`
pub(super) fn list(entries: &[Entry]) -> String {
    format!("{{\"metadata\":{}}}", entries::to_json(entries))
}

/// Reads the body of `PUT …/metadata/{key}`.
pub(super) fn entry(key: &str, body: &Object) -> Result<Entry, Problem> {
    ONE.check(body)?;
    if let Some(detail) = schema::text_fault(key, 1, KEY_CHARS, None) {
        return Err(Problem::body(schema::message(&detail, "key", "")));
    }
    without_nul(key)?;
    if body.get_str("key").is_some_and(|own| own != key) {
        let detail = "The key of the body is not the one of the path";
        return Err(Problem::body(schema::message(detail, "key", "")));
    }
    Ok(read(key, body))
}

/// Reads the body of `PUT …/metadata`; of several entries with one key the last counts.
pub(super) fn entries(body: &Object) -> Result<Vec<Entry>, Problem> {
    LIST.check(body)?;
    let list = body.get("metadata").filter(|raw| Kind::of(raw) == Kind::Array).unwrap_or("[]");
    Elements::of(list)
        .map(|raw| {
            let one = Object::trusted(raw);
            LISTED.check(&one)?;
            let key = one.get_str("key").unwrap_or_default();
            without_nul(&key)?;
            Ok(read(&key, &one))
        })
        .collect()
}

/// A key may become the name of a claim, and of what other programs make of that.
fn without_nul(key: &str) -> Result<(), Problem> {
    if key.contains('\0') {
        return Err(Problem::body(schema::message("A key must not contain NUL", "key", "")));
    }
    Ok(())
}

fn read(key: &str, body: &Object) -> Entry {
    Entry {
        key: key.to_owned(),
        value: body.get_str("value").unwrap_or_default().into_owned(),
        profile_claim: body.get_bool("profileClaim").unwrap_or(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Object {
        Object::parse(text, 8).unwrap()
    }

    #[track_caller]
    fn check(key: &str, body: &str, expected: &str) {
        let found = match entry(key, &object(body)) {
            Ok(entry) => entry.to_json(),
            Err(problem) => problem.message,
        };
        assert_eq!(found, expected, "{body}");
    }

    #[test]
    fn an_entry_has_a_string_and_a_flag() {
        check(
            "theme",
            r#"{"value":"Dark Mode","profileClaim":true}"#,
            r#"{"key":"theme","value":"Dark Mode","profileClaim":true}"#,
        );
        check("t", r#"{"value":""}"#, r#"{"key":"t","value":"","profileClaim":false}"#);
        check(
            "t",
            r#"{"key":"t","value":"x","profileClaim":null}"#,
            r#"{"key":"t","value":"x","profileClaim":false}"#,
        );
    }

    #[test]
    fn other_bodies_are_refused_by_name() {
        check("t", "{}", "Payload validation error: 'Missing required property: value'.");
        check(
            "t",
            r#"{"value":1}"#,
            "Payload validation error: 'Expected type string but found type integer' on property value (the value of the entry).",
        );
        check(
            "t",
            r#"{"value":"x","profile_claim":true}"#,
            "Payload validation error: 'Additional properties not allowed: profile_claim'.",
        );
        check(
            "t",
            r#"{"key":"u","value":"x"}"#,
            "Payload validation error: 'The key of the body is not the one of the path' on property key.",
        );
        check(
            &"k".repeat(256),
            r#"{"value":"x"}"#,
            "Payload validation error: 'String is too long (256 chars), maximum 255' on property key.",
        );
    }

    #[test]
    fn a_list_keeps_the_last_of_one_key() {
        let body = r#"{"metadata":[{"key":"a","value":"1"},{"key":"b","value":"2"},{"key":"a","value":"3","profileClaim":true}]}"#;
        let kept = entries::unique(entries(&object(body)).unwrap());
        assert_eq!(
            list(&kept),
            r#"{"metadata":[{"key":"a","value":"3","profileClaim":true},{"key":"b","value":"2","profileClaim":false}]}"#
        );
        for bad in [
            "{}",
            r#"{"metadata":{}}"#,
            r#"{"metadata":["a"]}"#,
            r#"{"metadata":[{"key":"","value":""}]}"#,
            r#"{"metadata":[{"value":"x"}]}"#,
        ] {
            assert!(entries(&object(bad)).is_err(), "{bad}");
        }
        assert_eq!(entries(&object(r#"{"metadata":[]}"#)).unwrap(), []);
    }
}
