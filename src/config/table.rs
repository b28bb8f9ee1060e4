//! The table of all settings, and the values found for them.
//!
//! One declaration in `sections.rs` makes a row here and a typed field there, so
//! neither can lack the other. Everything that reads, checks, explains or
//! prints settings walks this table.

use std::collections::BTreeMap;

use super::sections::SECTIONS;
use super::value::{
    Address, Kind, Typed, Value, duration_text, parse_duration, parse_size, size_text,
};

/// One setting: what it is called, what it holds, what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its full name, `section.key`.
    pub path: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// What a number counts; empty for the kinds whose values carry their unit.
    pub unit: &'static str,
    /// The text of the value it has when nobody says otherwise.
    pub default: &'static str,
    /// The text of its smallest value; empty when there is no range.
    pub min: &'static str,
    /// The text of its largest value; empty when there is no range.
    pub max: &'static str,
    /// What zero means, where zero is allowed outside the range; else empty.
    pub zero: &'static str,
    /// Whether a reload puts a new value to work, without a restart.
    pub live: bool,
    /// Whether its value is never shown.
    pub secret: bool,
    /// What it is for.
    pub doc: &'static str,
}

/// The settings of one `[section]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Section {
    /// What stands between the brackets.
    pub name: &'static str,
    /// What the section is about.
    pub doc: &'static str,
    /// Its rows.
    pub settings: &'static [Setting],
}

/// Every setting outside the tenants, in the order of the file.
pub fn settings() -> impl Iterator<Item = &'static Setting> {
    SECTIONS.iter().flat_map(|section| section.settings)
}

/// The setting with this full name.
pub fn setting(path: &str) -> Option<&'static Setting> {
    settings().find(|setting| setting.path == path)
}

/// The section with this name.
pub(super) fn section(name: &str) -> Option<&'static Section> {
    SECTIONS.iter().find(|section| section.name == name)
}

impl Setting {
    /// The last part of the name.
    pub fn key(&self) -> &'static str {
        self.path.rsplit_once('.').map_or(self.path, |(_, key)| key)
    }

    /// The name of the environment variable that sets it.
    pub fn variable(&self) -> String {
        format!("DOSSIER_{}", self.path.replace('.', "__").to_ascii_uppercase())
    }

    /// Whether a tenant may have its own value.
    pub fn is_overridable(&self) -> bool {
        let section = self.path.split_once('.').map_or("", |(section, _)| section);
        // How many tenants there may be is no tenant's own business.
        self.live
            && super::sections::OVERRIDABLE.contains(&section)
            && self.path != "limits.tenants"
    }

    /// The default as a value.
    pub(super) fn default_value(&self) -> Value {
        self.parse(self.default).expect("a test parses every default")
    }

    /// Reads a value from text, as it stands in a variable or an argument, and checks its range.
    pub(super) fn parse(&self, text: &str) -> Result<Value, String> {
        let trimmed = text.trim();
        let value = match self.kind {
            Kind::Text | Kind::Address | Kind::Path | Kind::Choice(_) => {
                Value::Text(text.to_owned())
            }
            Kind::Flag => match trimmed {
                "true" => Value::Flag(true),
                "false" => Value::Flag(false),
                _ => return Err(format!("wanted true or false, found {}", self.quote(text))),
            },
            Kind::Count => Value::Number(self.parse_count(trimmed)?),
            Kind::Duration => Value::Duration(parse_duration(trimmed, self.default)?),
            Kind::Size => Value::Number(parse_size(trimmed, self.default)?),
            Kind::List => Value::List(serde_json::from_str(trimmed).map_err(|_| {
                format!("wanted a list of texts such as [\"a\", \"b\"], found {}", self.quote(text))
            })?),
        };
        self.check(value)
    }

    fn parse_count(&self, text: &str) -> Result<u64, String> {
        let number: i128 = text
            .parse()
            .map_err(|_| format!("wanted a whole number, found {}", self.quote(text)))?;
        self.count(number)
    }

    /// Takes a whole number of any sign and checks its range.
    pub(super) fn count(&self, number: i128) -> Result<u64, String> {
        u64::try_from(number).map_err(|_| self.out_of_range(&number.to_string(), number < 0))
    }

    /// Checks that a value of the right kind is one of the allowed.
    pub(super) fn check(&self, value: Value) -> Result<Value, String> {
        match (&value, self.kind) {
            (Value::Text(text), Kind::Address) => {
                Address::parse(text).map_err(|error| format!("address {text:?} {error}"))?;
            }
            (Value::Text(text), Kind::Choice(words)) if !words.contains(&text.as_str()) => {
                return Err(unknown_word(text, words));
            }
            (
                Value::Text(_)
                | Value::Flag(_)
                | Value::Number(_)
                | Value::Duration(_)
                | Value::List(_),
                _,
            ) => self.check_range(&value)?,
        }
        super::check::alone(self.path, &value)?;
        Ok(value)
    }

    fn check_range(&self, value: &Value) -> Result<(), String> {
        let Some(number) = magnitude(value) else { return Ok(()) };
        if self.max.is_empty() || (number == 0 && !self.zero.is_empty()) {
            return Ok(());
        }
        let (min, max) = (self.bound(self.min), self.bound(self.max));
        if (min..=max).contains(&number) {
            return Ok(());
        }
        Err(self.out_of_range(&self.text(value), number < min))
    }

    fn bound(&self, text: &str) -> u128 {
        let value = match self.kind {
            Kind::Duration => parse_duration(text, text).map(Value::Duration),
            Kind::Size => parse_size(text, text).map(Value::Number),
            Kind::Count
            | Kind::Text
            | Kind::Address
            | Kind::Path
            | Kind::Flag
            | Kind::Choice(_)
            | Kind::List => text.parse().map(Value::Number).map_err(|_| String::new()),
        };
        value.ok().as_ref().and_then(magnitude).expect("a test parses every bound")
    }

    fn out_of_range(&self, found: &str, is_below: bool) -> String {
        let side = if is_below { "too small" } else { "too large" };
        if self.range().is_empty() {
            format!("{found} is {side}")
        } else {
            format!("{found} is {side}, allowed: {}", self.range())
        }
    }

    /// The allowed values in words; empty when there is no limit to name.
    pub fn range(&self) -> String {
        if let Kind::Choice(words) = self.kind {
            return quoted(words);
        }
        match (self.max.is_empty(), self.zero.is_empty()) {
            (true, true) => String::new(),
            (true, false) => format!("any number, or {} = {}", self.zero_text(), self.zero),
            (false, true) => format!("{} to {}", self.min, self.max),
            (false, false) => {
                format!("{} to {}, or {} = {}", self.min, self.max, self.zero_text(), self.zero)
            }
        }
    }

    fn zero_text(&self) -> &'static str {
        match self.kind {
            Kind::Duration => "0s",
            Kind::Size => "0B",
            Kind::Count
            | Kind::Text
            | Kind::Address
            | Kind::Path
            | Kind::Flag
            | Kind::Choice(_)
            | Kind::List => "0",
        }
    }

    /// The canonical text of a value, without quotes.
    pub(super) fn text(&self, value: &Value) -> String {
        match value {
            Value::Text(text) => text.clone(),
            Value::Flag(flag) => flag.to_string(),
            Value::Number(bytes) if self.kind == Kind::Size => size_text(*bytes),
            Value::Number(number) => number.to_string(),
            Value::Duration(duration) => duration_text(*duration),
            Value::List(list) => serde_json::to_string(list).expect("a list of texts is JSON"),
        }
    }

    /// The value as it stands in a TOML file, secrets masked.
    pub(super) fn toml(&self, value: &Value) -> String {
        if self.secret { "\"***\"".to_owned() } else { toml_text(&self.json(value)) }
    }

    /// The value as JSON, in the same form as in a file.
    pub(super) fn json(&self, value: &Value) -> serde_json::Value {
        match value {
            Value::Flag(flag) => (*flag).into(),
            Value::Number(number) if self.kind == Kind::Count => (*number).into(),
            Value::List(list) => list.clone().into(),
            Value::Text(_) | Value::Number(_) | Value::Duration(_) => self.text(value).into(),
        }
    }

    /// What was found, in quotes, unless it must not be shown.
    pub(super) fn quote(&self, text: &str) -> String {
        if self.secret { "***".to_owned() } else { format!("{text:?}") }
    }
}

/// A value as one number, for comparing it with a range; sizes in bytes, durations in milliseconds.
fn magnitude(value: &Value) -> Option<u128> {
    match value {
        Value::Number(number) => Some(u128::from(*number)),
        Value::Duration(duration) => Some(duration.as_millis()),
        Value::Text(_) | Value::Flag(_) | Value::List(_) => None,
    }
}

/// Says which words are known, and which one may have been meant.
pub(super) fn unknown_word(found: &str, words: &[&str]) -> String {
    let known = format!("unknown value {found:?}, expected one of {}", quoted(words));
    match super::suggest::closest(found, words.iter().copied()) {
        Some(word) => format!("{known}; did you mean \"{word}\"?"),
        None => known,
    }
}

/// The words in quotes.
pub(super) fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(", ")
}

/// A JSON text, flag, whole number or list of these, as TOML.
pub(super) fn toml_text(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => toml::Value::String(text.clone()).to_string(),
        serde_json::Value::Array(items) => {
            format!("[{}]", items.iter().map(toml_text).collect::<Vec<_>>().join(", "))
        }
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::Object(_) => value.to_string(),
    }
}

/// The value of every setting, by full name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Values(BTreeMap<&'static str, Value>);

impl Default for Values {
    /// Every setting at its default.
    fn default() -> Self {
        Self(settings().map(|setting| (setting.path, setting.default_value())).collect())
    }
}

impl Values {
    /// No values yet; for a struct about to write its own.
    pub(super) fn empty() -> Self {
        Self(BTreeMap::new())
    }

    pub(super) fn set(&mut self, path: &'static str, value: Value) {
        self.0.insert(path, value);
    }

    pub(super) fn get(&self, path: &str) -> &Value {
        self.0.get(path).expect("every row of the table has a value")
    }

    /// The value as the type its field has.
    pub(super) fn typed<T: Typed>(&self, path: &'static str) -> T {
        T::from_value(self.get(path)).expect("a checked value fits the field declared beside it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_and_bound_is_canonical_text_within_its_range() {
        for setting in settings() {
            let value = setting.default_value();
            assert_eq!(setting.text(&value), setting.default, "{}", setting.path);
            assert_eq!(setting.min.is_empty(), setting.max.is_empty(), "{}", setting.path);
            if !setting.max.is_empty() {
                assert!(
                    setting.bound(setting.min) < setting.bound(setting.max),
                    "{}",
                    setting.path
                );
                for bound in [setting.min, setting.max] {
                    setting.parse(bound).unwrap();
                }
            }
        }
    }

    #[test]
    fn every_number_has_a_unit_and_every_setting_a_sentence() {
        for setting in settings() {
            assert_eq!(setting.kind == Kind::Count, !setting.unit.is_empty(), "{}", setting.path);
            assert!(setting.doc.trim().ends_with('.'), "{}", setting.path);
        }
    }

    #[test]
    fn names_are_unique() {
        let mut paths: Vec<_> = settings().map(|setting| setting.path).collect();
        paths.sort_unstable();
        let count = paths.len();
        paths.dedup();
        assert_eq!(paths.len(), count);
    }
}
