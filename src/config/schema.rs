//! Describes the file for editors, as JSON Schema.

use serde_json::{Map, Value as Json, json};

use super::sections::SECTIONS;
use super::table::Setting;
use super::tenant::{CLIENT, CONNECTION, Entity, TENANT};
use super::value::{Kind, MIN_SECRET_CHARS};

/// The JSON Schema (draft 7) of the file.
pub fn schema() -> String {
    let mut properties: Map<String, Json> = SECTIONS
        .iter()
        .map(|section| {
            let described = section_schema(section.doc.trim(), section.settings.iter());
            (section.name.to_owned(), described)
        })
        .collect();
    properties.insert("tenant".to_owned(), json!({ "type": "array", "items": tenant_schema() }));
    let schema = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Dossier",
        "type": "object",
        "additionalProperties": false,
        "properties": properties,
    });
    let mut text = serde_json::to_string_pretty(&schema).expect("a schema is JSON");
    text.push('\n');
    text
}

fn section_schema<'s>(doc: &str, settings: impl Iterator<Item = &'s Setting>) -> Json {
    let keys: Map<_, _> =
        settings.map(|setting| (setting.key().to_owned(), setting_schema(setting))).collect();
    json!({ "type": "object", "description": doc, "additionalProperties": false, "properties": keys })
}

fn setting_schema(setting: &Setting) -> Json {
    let mut schema = match setting.kind {
        Kind::Text | Kind::Path => json!({ "type": "string" }),
        Kind::Address => json!({ "type": "string", "pattern": "^.+:[0-9]{1,5}$" }),
        Kind::Flag => json!({ "type": "boolean" }),
        Kind::Count => count_schema(setting),
        Kind::Duration => json!({ "type": "string", "pattern": "^[0-9]+ ?(ms|s|m|h|d)$" }),
        Kind::Size => json!({ "type": "string", "pattern": "^[0-9]+ ?(B|KiB|MiB|GiB)$" }),
        Kind::Choice(words) => json!({ "type": "string", "enum": words }),
        Kind::List => json!({ "type": "array", "items": { "type": "string" } }),
    };
    if let Some(schema) = schema.as_object_mut() {
        let range = setting.range();
        let allowed = if range.is_empty() { String::new() } else { format!(" Allowed: {range}.") };
        schema.insert("description".to_owned(), format!("{}{allowed}", setting.doc.trim()).into());
        if !setting.default.is_empty() {
            schema.insert("default".to_owned(), setting.json(&setting.default_value()));
        }
    }
    schema
}

fn count_schema(setting: &Setting) -> Json {
    let bound = |text: &str| text.parse::<u64>().ok();
    match (bound(setting.min), bound(setting.max), setting.zero.is_empty()) {
        (Some(_), Some(max), false) => json!({ "type": "integer", "minimum": 0, "maximum": max }),
        (Some(min), Some(max), true) => {
            json!({ "type": "integer", "minimum": min, "maximum": max })
        }
        _ => json!({ "type": "integer", "minimum": 0 }),
    }
}

fn entity_schema(entity: &Entity) -> Json {
    let mut schema = section_schema(entity.doc, entity.settings.iter());
    let required: Vec<_> = entity
        .settings
        .iter()
        .filter(|setting| entity.required.contains(&setting.path))
        .map(Setting::key)
        .collect();
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("required".to_owned(), required.into());
    }
    schema
}

fn tenant_schema() -> Json {
    let mut tenant = entity_schema(&TENANT);
    let mut client = entity_schema(&CLIENT);
    put(&mut client, "/properties/client_secret", "minLength", MIN_SECRET_CHARS.into());
    put(
        &mut client,
        "",
        "oneOf",
        json!([{ "required": ["client_secret"] }, { "required": ["client_secret_file"] }]),
    );
    let overrides: Map<_, _> = SECTIONS
        .iter()
        .filter(|section| section.settings.iter().any(Setting::is_overridable))
        .map(|section| {
            let own = section.settings.iter().filter(|setting| setting.is_overridable());
            (section.name.to_owned(), section_schema(section.doc.trim(), own))
        })
        .collect();
    let overrides =
        json!({ "type": "object", "additionalProperties": false, "properties": overrides });
    put(&mut tenant, "/properties", "client", json!({ "type": "array", "items": client }));
    put(
        &mut tenant,
        "/properties",
        "connection",
        json!({ "type": "array", "items": entity_schema(&CONNECTION) }),
    );
    put(&mut tenant, "/properties", "override", overrides);
    tenant
}

fn put(schema: &mut Json, pointer: &str, key: &str, value: Json) {
    let object = schema.pointer_mut(pointer).and_then(Json::as_object_mut);
    object.expect("the schema has an object here").insert(key.to_owned(), value);
}
