//! Explains one setting: meaning, unit, default, range, and where its value comes from.

use std::fmt::Write;

use super::Loaded;
use super::layer::unknown_path;
use super::show::origin;
use super::table::{Section, Setting, section, setting};
use super::tenant::{ENTITIES, Entity, entity_setting};
use super::value::Kind;

/// There is no such setting; the text says which one may have been meant.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnknownKey(pub String);

/// Explains a setting, or lists the settings of a section, `tenant`, `tenant.client` or
/// `tenant.connection`.
///
/// # Errors
/// When there is no setting of this name.
pub fn explain(loaded: &Loaded, key: &str) -> Result<String, UnknownKey> {
    if let Some(setting) = setting(key) {
        return Ok(explain_setting(loaded, setting));
    }
    if let Some(section) = section(key) {
        return Ok(explain_section(loaded, section));
    }
    if let Some(entity) = ENTITIES.iter().find(|entity| entity.name == key) {
        return Ok(explain_entity(entity));
    }
    let of_entity = |entity: &&Entity| entity.settings.iter().any(|setting| setting.path == key);
    match (entity_setting(key), ENTITIES.iter().find(of_entity)) {
        (Some(setting), Some(entity)) => Ok(explain_row(setting, entity)),
        _ => Err(UnknownKey(unknown_path(key))),
    }
}

fn explain_setting(loaded: &Loaded, setting: &Setting) -> String {
    let values = loaded.settings.values();
    let value = setting.toml(values.get(setting.path));
    let default = setting.toml(&setting.default_value());
    let mut out = head(setting, &value);
    field(&mut out, "from", &origin(loaded.origins.of(setting.path)));
    field(&mut out, "kind", &kind(setting));
    field(&mut out, "default", &default);
    if !setting.range().is_empty() {
        field(&mut out, "allowed", &setting.range());
    }
    let when = if setting.live {
        "at once, when the configuration is reloaded"
    } else {
        "after a restart"
    };
    field(&mut out, "applies", when);
    if let Some((section, key)) = setting.path.split_once('.') {
        field(&mut out, "file", &format!("{key} = {value} below [{section}]"));
    }
    field(&mut out, "variable", &setting.variable());
    field(&mut out, "argument", &format!("--set {}={}", setting.path, setting.default));
    if setting.is_overridable() {
        field(&mut out, "tenant", &format!("{} = … below [tenant.override]", setting.path));
    }
    out
}

fn explain_section(loaded: &Loaded, section: &Section) -> String {
    let values = loaded.settings.values();
    let mut out = format!("[{}]\n{}\n\n", section.name, section.doc.trim());
    for setting in section.settings {
        let value = format!("{} = {}", setting.path, setting.toml(values.get(setting.path)));
        writeln!(out, "{value:<44} {}", setting.doc.trim()).expect("a String takes any text");
    }
    out
}

fn explain_entity(entity: &Entity) -> String {
    let mut out = format!("[[{}]]\n{}\n\n", entity.name, entity.doc);
    for setting in entity.settings {
        writeln!(out, "{:<44} {}", setting.path, setting.doc).expect("a String takes any text");
    }
    out
}

fn explain_row(setting: &Setting, entity: &Entity) -> String {
    let mut out = format!("{}\n{}\n\n", setting.path, setting.doc);
    field(&mut out, "kind", &kind(setting));
    if entity.required.contains(&setting.path) {
        field(&mut out, "default", "none, it must be given");
    } else if !setting.secret {
        field(&mut out, "default", &setting.toml(&setting.default_value()));
    }
    if !setting.range().is_empty() {
        field(&mut out, "allowed", &setting.range());
    }
    field(&mut out, "file", &format!("{} below [[{}]]", setting.key(), entity.name));
    out
}

fn head(setting: &Setting, value: &str) -> String {
    format!("{} = {value}\n{}\n\n", setting.path, setting.doc.trim())
}

fn field(out: &mut String, name: &str, text: &str) {
    writeln!(out, "  {name:<9} {text}").expect("a String takes any text");
}

/// The kind and its unit in words.
pub(super) fn kind(setting: &Setting) -> String {
    match setting.kind {
        Kind::Text => "text".to_owned(),
        Kind::Address => "host:port".to_owned(),
        Kind::Path => "path, relative to the working directory".to_owned(),
        Kind::Flag => "true or false".to_owned(),
        Kind::Count => format!("number of {}", setting.unit),
        Kind::Duration => "duration in ms, s, m, h or d".to_owned(),
        Kind::Size => "size in B, KiB, MiB or GiB".to_owned(),
        Kind::Choice(_) => "one word".to_owned(),
        Kind::List => "list of texts".to_owned(),
    }
}
