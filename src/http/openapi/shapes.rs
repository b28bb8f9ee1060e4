//! Schemas of bodies and parameters as JSON Schema.

use crate::http::schema::{Extra, Format, Property, Schema, Shape};
use serde_json::{Map, Value, json};

/// Several schemas that hold together, as one.
pub(super) fn all_of(schemas: &[&Schema]) -> Value {
    let properties: Map<String, Value> = schemas
        .iter()
        .flat_map(|schema| schema.properties)
        .map(|property| (property.name.to_owned(), of_property(property)))
        .collect();
    let required: Vec<&str> = schemas.iter().flat_map(|schema| schema.required).copied().collect();
    let is_closed = schemas.iter().any(|schema| matches!(schema.extra, Extra::Refuse(_)));
    let mut out = json!({ "type": "object", "properties": properties });
    if !required.is_empty() {
        put(&mut out, "required", json!(required));
    }
    if is_closed {
        put(&mut out, "additionalProperties", json!(false));
    }
    out
}

fn put(target: &mut Value, key: &str, value: Value) {
    if let Value::Object(map) = target {
        map.insert(key.to_owned(), value);
    }
}

fn of_property(property: &Property) -> Value {
    let mut out = of_shape(property.shape);
    if property.nullable {
        let types = out.get("type").cloned();
        if let Some(one @ Value::String(_)) = types {
            put(&mut out, "type", json!([one, "null"]));
        }
        if let Some(Value::Array(values)) = out.get_mut("enum") {
            values.push(Value::Null);
        }
    }
    if !property.about.is_empty() {
        put(&mut out, "description", json!(property.about));
    }
    out
}

fn of_shape(shape: Shape) -> Value {
    match shape {
        Shape::Text(min, max) => text(min, max),
        Shape::Formatted(min, max, format) => {
            let mut out = text(min, max);
            let (key, value) = of_format(format);
            put(&mut out, key, json!(value));
            out
        }
        Shape::OneOf(allowed) => json!({ "type": "string", "enum": allowed }),
        Shape::Boolean => json!({ "type": "boolean" }),
        Shape::Integer(min, max) => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Shape::Object => json!({ "type": "object" }),
        Shape::Strings => json!({ "type": "array", "items": { "type": "string" } }),
        Shape::Objects => json!({ "type": "array", "items": { "type": "object" } }),
        Shape::Texts(max) => json!({ "type": "array", "minItems": 1, "items": text(1, max) }),
        Shape::Each(schema) => {
            json!({ "type": "array", "minItems": 1, "items": all_of(&[schema]) })
        }
        Shape::Any => json!({}),
    }
}

fn text(min: usize, max: usize) -> Value {
    let mut out = json!({ "type": "string" });
    if min > 0 {
        put(&mut out, "minLength", json!(min));
    }
    if max < usize::MAX {
        put(&mut out, "maxLength", json!(max));
    }
    out
}

fn of_format(format: Format) -> (&'static str, &'static str) {
    match format {
        Format::Email => ("format", "email"),
        Format::Uri => ("format", "uri"),
        Format::Phone => ("pattern", "^\\+[0-9]{1,15}$"),
        Format::Solid => ("pattern", "^\\S*$"),
        Format::Plain => ("pattern", "^[^<>]+$"),
        Format::ConnectionId => ("pattern", "^con_[A-Za-z0-9]{16}$"),
        Format::ConnectionName => ("pattern", "^[a-zA-Z0-9](-[a-zA-Z0-9]|[a-zA-Z0-9])*$"),
    }
}

/// A parameter of a query, by its name: one name means one thing everywhere.
pub(super) fn of_parameter(name: &str) -> (Value, &'static str) {
    let text = || json!({ "type": "string" });
    let flag = || json!({ "type": "boolean" });
    match name {
        "page" => (json!({ "type": "integer", "minimum": 0 }), "Page, the first is 0"),
        "per_page" => {
            (json!({ "type": "integer", "minimum": 0, "maximum": 100 }), "Items on a page")
        }
        "take" => {
            (json!({ "type": "integer", "minimum": 1, "maximum": 100 }), "Items after the cursor")
        }
        "from" => (text(), "The cursor of the answer before"),
        "include_totals" => (flag(), "Whether the answer is an envelope with totals"),
        "fields" => (text(), "Members to include or exclude, separated by commas"),
        "include_fields" => (flag(), "Whether those members are the ones to include"),
        "sort" => (text(), "field:1 or field:-1"),
        "q" => (text(), "What to search for, in Lucene's syntax"),
        "search_engine" => (json!({ "type": "string", "enum": ["v3"] }), "The one there is"),
        "dry_run" => (flag(), "Answer as if it were done, and do nothing"),
        "strategy" | "identifiers" => {
            (json!({ "type": "array", "items": { "type": "string" } }), "Any of these")
        }
        "access_token" => (text(), "The token, instead of a header"),
        "primary_order"
        | "is_global"
        | "is_first_party"
        | "allow_any_organization"
        | "consider_brute_force_enablement" => (flag(), ""),
        _ => (text(), ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::schema::{nullable, property};

    static SCHEMA: Schema = Schema {
        properties: &[
            property("email", Shape::Formatted(1, 254, Format::Email), "The user's email"),
            nullable("kind", Shape::OneOf(&["a", "b"]), ""),
            nullable("n", Shape::Integer(0, 9), ""),
            property("free", Shape::Text(0, usize::MAX), ""),
        ],
        required: &["email"],
        extra: Extra::Refuse(""),
    };

    #[test]
    fn a_schema_says_what_its_table_says() {
        let expected = json!({
            "type": "object",
            "required": ["email"],
            "additionalProperties": false,
            "properties": {
                "email": {
                    "type": "string", "minLength": 1, "maxLength": 254, "format": "email",
                    "description": "The user's email",
                },
                "kind": { "type": ["string", "null"], "enum": ["a", "b", null] },
                "n": { "type": ["integer", "null"], "minimum": 0, "maximum": 9 },
                "free": { "type": "string" },
            },
        });
        assert_eq!(all_of(&[&SCHEMA]), expected);
    }
}
