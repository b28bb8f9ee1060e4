//! Reads a file: which settings it names, at which place, and what is wrong with it.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

use super::ReadText;
use super::layer::{Given, Layer};
use super::problem::{Document, Place, Problem};
use super::sections::{OVERRIDABLE, SECTIONS};
use super::suggest::closest;
use super::table::{Section, Setting, quoted, section, setting, settings};
use super::tenant_file::{TenantDraft, read_tenants};
use super::value::{Kind, Value};

/// Reads the text of a file; `read` fetches the files it names.
pub(super) fn read(file: &Path, text: &str, read: &ReadText<'_>) -> (Layer, Vec<TenantDraft>) {
    let (root, broken) = DeTable::parse_recoverable(text);
    let mut reader = Reader::new(Document::new(file, text), read);
    let mut given = Vec::new();
    let mut tenants = Vec::new();
    for (key, value) in root.get_ref() {
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("tenant", _) => {
                if let Some(array) = reader.tables("tenant", value) {
                    tenants = read_tenants(&mut reader, array);
                }
            }
            (name, content) => match (section(name), content) {
                (Some(section), DeValue::Table(table)) => {
                    given.extend(reader.section(section, table));
                }
                (Some(section), _) => {
                    let name = section.name;
                    reader.problem(
                        &key.span(),
                        format!("`{name}` is a section: write [{name}] and its keys below"),
                    );
                }
                (None, DeValue::Table(_)) => reader.problem(&key.span(), unknown_section(name)),
                (None, _) => reader.problem(&key.span(), unknown_at_top(name)),
            },
        }
    }
    let (problems, broken) = reader.finish(&broken);
    (Layer { given, broken, problems, warnings: Vec::new() }, tenants)
}

/// Walks the parsed file and collects what is wrong with it.
pub(super) struct Reader<'a> {
    document: Document<'a>,
    pub(super) read: &'a ReadText<'a>,
    problems: Vec<(usize, Problem)>,
    broken: Vec<&'static str>,
}

/// The keys found in one table, with the place of each value.
pub(super) type Found = BTreeMap<&'static str, (Value, Range<usize>)>;

impl<'a> Reader<'a> {
    fn new(document: Document<'a>, read: &'a ReadText<'a>) -> Self {
        Self { document, read, problems: Vec::new(), broken: Vec::new() }
    }

    pub(super) fn place(&self, span: &Range<usize>) -> Place {
        self.document.place(span)
    }

    pub(super) fn problem(&mut self, span: &Range<usize>, message: impl Into<String>) {
        self.problems.push((span.start, self.document.problem(span, message)));
    }

    fn section(&mut self, section: &'static Section, table: &DeTable<'_>) -> Vec<Given> {
        let rows: Vec<_> = section.settings.iter().collect();
        let read = self.keys(section.name, &rows, table);
        read.into_iter()
            .map(|(setting, value, span)| Given {
                setting,
                value,
                place: self.document.place(&span),
            })
            .collect()
    }

    /// Reads the keys of a section that stand in `rows`.
    fn keys(
        &mut self,
        section: &str,
        rows: &[&'static Setting],
        table: &DeTable<'_>,
    ) -> Vec<(&'static Setting, Value, Range<usize>)> {
        let mut found = Vec::new();
        for (key, value) in table {
            match rows.iter().find(|setting| setting.key() == key.get_ref()) {
                Some(setting) => {
                    found.extend(
                        self.value(setting, value).map(|read| (*setting, read, value.span())),
                    );
                }
                None => self.problem(&key.span(), unknown_key(section, rows, key.get_ref())),
            }
        }
        found
    }

    /// Reads the keys of a tenant, client or connection; keys in `nested` are left to the caller.
    pub(super) fn rows(
        &mut self,
        name: &str,
        rows: &'static [Setting],
        nested: &[&str],
        table: &DeTable<'_>,
    ) -> Found {
        let mut found = Found::new();
        for (key, value) in table {
            let key_text = key.get_ref().as_ref();
            match rows.iter().find(|setting| setting.key() == key_text) {
                Some(setting) => {
                    if let Some(read) = self.value(setting, value) {
                        found.insert(setting.path, (read, value.span()));
                    }
                }
                None if nested.contains(&key_text) => {}
                None => {
                    let mut known: Vec<&str> = rows.iter().map(Setting::key).collect();
                    known.extend(nested);
                    let message =
                        unknown_message(key_text, &format!("[[{name}]]"), known.iter().copied());
                    self.problem(&key.span(), message);
                }
            }
        }
        found
    }

    /// Reads `[tenant.override]`.
    pub(super) fn overrides(
        &mut self,
        value: &Spanned<DeValue<'_>>,
    ) -> Vec<(&'static Setting, Value)> {
        let mut found = Vec::new();
        let DeValue::Table(sections) = value.get_ref() else {
            self.problem(
                &value.span(),
                "`override` is a section: write [tenant.override.limits] and its keys below",
            );
            return found;
        };
        for (name, content) in sections {
            let known =
                section(name.get_ref()).filter(|section| OVERRIDABLE.contains(&section.name));
            match (known, content.get_ref()) {
                (Some(section), DeValue::Table(table)) => {
                    let own: Vec<_> = section
                        .settings
                        .iter()
                        .filter(|setting| setting.is_overridable())
                        .collect();
                    found.extend(
                        self.keys(section.name, &own, table)
                            .into_iter()
                            .map(|(setting, value, _)| (setting, value)),
                    );
                }
                (Some(section), _) => {
                    let message =
                        format!("`{0}` is a section: write {0}.key = value", section.name);
                    self.problem(&name.span(), message);
                }
                (None, _) => {
                    let message = unknown_message(
                        name.get_ref(),
                        "[tenant.override]",
                        OVERRIDABLE.iter().copied(),
                    );
                    self.problem(&name.span(), message);
                }
            }
        }
        // The order of the table, so that two equal configurations print alike.
        found.sort_by_key(|(setting, _)| settings().position(|other| other.path == setting.path));
        found
    }

    /// The tables of `[[name]]`.
    pub(super) fn tables<'v, 'i>(
        &mut self,
        name: &str,
        value: &'v Spanned<DeValue<'i>>,
    ) -> Option<&'v DeArray<'i>> {
        let DeValue::Array(array) = value.get_ref() else {
            self.problem(
                &value.span(),
                format!("there can be several: write [[{name}]] instead of [{name}]"),
            );
            return None;
        };
        Some(array)
    }

    fn value(&mut self, setting: &'static Setting, value: &Spanned<DeValue<'_>>) -> Option<Value> {
        match convert(setting, value.get_ref()) {
            Ok(read) => Some(read),
            Err(message) => {
                self.problem(&value.span(), message);
                self.broken.push(setting.path);
                None
            }
        }
    }

    /// All problems in the order of the text, and the settings no conclusion is drawn from.
    ///
    /// Text that is no TOML hides what may only follow from it: problems on the
    /// same line, keys that are missing, and all after a broken section header.
    fn finish(mut self, broken: &[toml::de::Error]) -> (Vec<Problem>, Vec<&'static str>) {
        let end = self.document.len();
        let spans: Vec<_> = broken.iter().map(|error| error.span().unwrap_or(end..end)).collect();
        let lines: Vec<_> = spans.iter().map(|span| self.document.line_at(span.start)).collect();
        let mut problems = std::mem::take(&mut self.problems);
        if !broken.is_empty() {
            let is_header = |line: &usize| self.document.line(*line).trim_start().starts_with('[');
            let header = lines.iter().copied().find(is_header).unwrap_or(usize::MAX);
            problems.retain(|(start, problem)| {
                let line = self.document.line_at(*start);
                line < header && !lines.contains(&line) && !problem.message.starts_with(MISSING)
            });
            self.broken.extend(settings().map(|setting| setting.path));
        }
        let mut last_line = None;
        for ((error, span), line) in broken.iter().zip(spans).zip(lines) {
            // The parser often stumbles more than once over the same slip.
            if last_line.replace(line) != Some(line) {
                problems.push((span.start, self.document.problem(&span, error.message())));
            }
        }
        problems.sort_by_key(|(start, _)| *start);
        (problems.into_iter().map(|(_, problem)| problem).collect(), self.broken)
    }
}

/// How the message about a missing key begins.
pub(super) const MISSING: &str = "missing ";

fn convert(setting: &Setting, value: &DeValue<'_>) -> Result<Value, String> {
    match (value, setting.kind) {
        (DeValue::String(text), Kind::Text | Kind::Address | Kind::Path | Kind::Choice(_)) => {
            setting.check(Value::Text(text.to_string()))
        }
        (DeValue::String(text), Kind::Duration | Kind::Size) => setting.parse(text),
        (DeValue::Integer(number), Kind::Duration | Kind::Size) => setting.parse(number.as_str()),
        (DeValue::Integer(number), Kind::Count) => {
            let number = i128::from_str_radix(number.as_str(), number.radix())
                .map_err(|_| "this number is too large to count".to_owned())?;
            setting.count(number).and_then(|count| setting.check(Value::Number(count)))
        }
        (DeValue::Boolean(flag), Kind::Flag) => setting.check(Value::Flag(*flag)),
        (DeValue::Array(items), Kind::List) => {
            let texts = items.iter().map(|item| item.get_ref().as_str().map(str::to_owned));
            let list = texts
                .collect::<Option<_>>()
                .ok_or("wanted a list of texts, found something else in it")?;
            setting.check(Value::List(list))
        }
        (
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Array(_)
            | DeValue::Table(_),
            kind,
        ) => Err(wrong_kind(kind, value)),
    }
}

fn wrong_kind(kind: Kind, value: &DeValue<'_>) -> String {
    let found = match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a section",
    };
    let hint = match (kind, value) {
        (Kind::Count, DeValue::String(text)) if text.parse::<u64>().is_ok() => {
            "; write it without quotes"
        }
        (Kind::Flag, DeValue::String(text)) if text == "true" || text == "false" => {
            "; write it without quotes"
        }
        (Kind::List, DeValue::String(_)) => "; put it in [ ]",
        _ => "",
    };
    format!("wanted {}, found {found}{hint}", wanted(kind))
}

/// Says what is known in a section, and what may have been meant, there or elsewhere.
pub(super) fn unknown_key(section: &str, rows: &[&'static Setting], key: &str) -> String {
    let place = format!("[{section}]");
    if closest(key, rows.iter().map(|row| row.key())).is_none()
        && let Some(path) = elsewhere(key)
    {
        return format!("unknown key `{key}` in {place}; did you mean `{path}`?");
    }
    unknown_message(key, &place, rows.iter().map(|row| row.key()))
}

fn unknown_message<'k>(
    key: &str,
    place: &str,
    known: impl Iterator<Item = &'k str> + Clone,
) -> String {
    if let Some(meant) = closest(key, known.clone()) {
        return format!("unknown key `{key}` in {place}; did you mean `{meant}`?");
    }
    let known = known.map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    format!("unknown key `{key}` in {place}, expected one of {known}")
}

/// The setting of another section with just this key.
fn elsewhere(key: &str) -> Option<&'static str> {
    settings().find(|setting| setting.key() == key).map(|setting| setting.path)
}

fn unknown_section(name: &str) -> String {
    let known = SECTIONS.iter().map(|section| section.name).chain(["tenant"]);
    match closest(name, known.clone()) {
        Some("tenant") => format!("unknown section [{name}]; did you mean [[tenant]]?"),
        Some(meant) => format!("unknown section [{name}]; did you mean [{meant}]?"),
        None => format!(
            "unknown section [{name}], expected one of {}",
            known.collect::<Vec<_>>().join(", ")
        ),
    }
}

fn unknown_at_top(key: &str) -> String {
    let path =
        elsewhere(key).or_else(|| closest(key, settings().map(Setting::key)).and_then(elsewhere));
    match path.and_then(setting) {
        Some(meant) => {
            format!("unknown key `{key}` outside a section; did you mean `{}`?", meant.path)
        }
        None => format!("unknown key `{key}` outside a section; keys stand in a [section]"),
    }
}

/// What a value of this kind is called in a message.
fn wanted(kind: Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Address => "an address such as \"127.0.0.1:7800\"".to_owned(),
        Kind::Path => "a path".to_owned(),
        Kind::Flag => "true or false".to_owned(),
        Kind::Count => "a whole number".to_owned(),
        Kind::Duration => "a duration such as \"30s\"".to_owned(),
        Kind::Size => "a size such as \"16KiB\"".to_owned(),
        Kind::Choice(words) => format!("one of {}", quoted(words)),
        Kind::List => "a list of texts".to_owned(),
    }
}
