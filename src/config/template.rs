//! Writes a commented configuration with every key at its default.

use std::fmt::Write;

use super::sections::{OVERRIDABLE, SECTIONS};
use super::table::Setting;
use super::tenant::{ENTITIES, Entity};

/// How wide comments are.
const WIDTH: usize = 100;

const HEAD: &str = "\
#:schema ./dossier.schema.json
#
# Every setting of Dossier at its default. Leave out what you do not change.
#
# Precedence: flags and --set section.key=value, then DOSSIER_SECTION__KEY in the environment,
# then this file, then the defaults. DOSSIER_SECTION__KEY__FILE reads the value from a file.
# Durations need a unit (ms, s, m, h, d) and sizes too (B, KiB, MiB, GiB).
# Paths are relative to the working directory.
# L = a reload puts it to work at once, R = it needs a restart.
";

/// The text of `config/dossier.toml`.
pub fn init() -> String {
    let mut out = HEAD.to_owned();
    for section in SECTIONS {
        line(&mut out, "\n");
        comment(&mut out, section.doc.trim());
        line(&mut out, &format!("[{}]", section.name));
        for setting in section.settings {
            line(&mut out, "");
            comment(&mut out, setting.doc.trim());
            comment(&mut out, &details(setting));
            line(&mut out, &format!("{} = {}", setting.key(), default(setting)));
        }
    }
    for entity in &ENTITIES {
        example(&mut out, entity);
    }
    let own = OVERRIDABLE.join(", ");
    line(&mut out, "");
    comment(&mut out, &format!("What the tenant above has of its own: any L key of {own}."));
    line(&mut out, "# [tenant.override]\n# limits.per_page = 50");
    out
}

/// Mark, default, unit and range.
fn details(setting: &Setting) -> String {
    let mark = if setting.live { "L" } else { "R" };
    let unit = if setting.unit.is_empty() { String::new() } else { format!(" {}", setting.unit) };
    let range = match setting.range() {
        range if range.is_empty() => String::new(),
        range => format!("; allowed: {range}"),
    };
    format!("{mark}: default {}{unit}{range}", default(setting))
}

fn default(setting: &Setting) -> String {
    setting.toml(&setting.default_value())
}

/// Explains what may stand in a tenant, client or connection, with an example to uncomment.
fn example(out: &mut String, entity: &Entity) {
    line(out, "\n");
    comment(out, entity.doc);
    line(out, "#");
    for setting in entity.settings {
        let mut details = Vec::new();
        if entity.required.contains(&setting.path) {
            details.push("required".to_owned());
        } else if !setting.default.is_empty() {
            details.push(format!("default {}", default(setting)));
        }
        if !setting.range().is_empty() {
            details.push(format!("allowed: {}", setting.range()));
        }
        let details = match details.join("; ") {
            details if details.is_empty() => details,
            details => format!(" ({details})"),
        };
        comment(out, &format!("{}: {}{details}", setting.key(), setting.doc));
    }
    line(out, &format!("#\n# [[{}]]", entity.name));
    for text in entity.example {
        line(out, &format!("# {text}"));
    }
}

fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("a String takes any text");
}

/// Breaks a text into comment lines, further lines indented.
fn comment(out: &mut String, text: &str) {
    let mut current = String::from("#");
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        if current.chars().count() + 1 + word.chars().count() > WIDTH {
            line(out, &current);
            current = String::from("#  ");
        }
        current.push(' ');
        current.push_str(word);
    }
    line(out, &current);
}
