//! JSON as the text its author sent.
//!
//! A parsed tree reorders keys, rewrites numbers and costs ten times the memory
//! (PERFORMANCE.md §1.4), so an [`Object`] keeps compact text and addresses its root
//! members in place. Text becomes an `Object` once, through [`Object::parse`], which
//! checks the whole of it; everything behind that door may rely on valid JSON
//! without duplicate keys.

mod check;
mod object;

pub use check::{Fault, check};
pub use object::{Builder, Object};

use std::borrow::Cow;
use std::fmt;

/// The kind of a JSON value, by the names JSON Schema gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean,
    /// A number without fraction or exponent.
    Integer,
    /// Any other number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Kind {
    /// The kind of the valid JSON text `raw`, told by its first character.
    pub fn of(raw: &str) -> Self {
        match raw.as_bytes().first() {
            Some(b'n') => Self::Null,
            Some(b't' | b'f') => Self::Boolean,
            Some(b'"') => Self::String,
            Some(b'[') => Self::Array,
            Some(b'{') => Self::Object,
            Some(_) | None => {
                if raw.contains(['.', 'e', 'E']) {
                    Self::Number
                } else {
                    Self::Integer
                }
            }
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Number => "number",
            Self::String => "string",
            Self::Array => "array",
            Self::Object => "object",
        })
    }
}

/// `text`, which is valid JSON, without the white space between its tokens.
pub fn compact(text: &str) -> Cow<'_, str> {
    let is_space = |c: char| matches!(c, ' ' | '\n' | '\r' | '\t');
    let mut out = String::new();
    let mut rest = text;
    let mut kept_all = true;
    while let Some(at) = rest.find(|c| is_space(c) || c == '"') {
        let (before, tail) = rest.split_at(at);
        out.push_str(before);
        if tail.starts_with('"') {
            let (string, after) = split_string(tail);
            out.push_str(string);
            rest = after;
        } else {
            kept_all = false;
            rest = tail.trim_start_matches(is_space);
        }
    }
    if kept_all {
        return Cow::Borrowed(text);
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// Splits a text that starts with a JSON string behind that string.
fn split_string(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    let mut at = 1;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr::memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes.get(at) == Some(&b'"') {
            return text.split_at(at + 1);
        }
        at += 2;
    }
    (text, "")
}

/// What stands behind the JSON string a text starts with.
pub(super) fn behind_string(text: &str) -> &str {
    split_string(text).1
}

/// Splits a compact JSON text behind its first value.
fn split_value(text: &str) -> (&str, &str) {
    match text.as_bytes().first() {
        Some(b'"') => split_string(text),
        Some(b'{' | b'[') => {
            let mut depth = 0_usize;
            let mut at = 0;
            while let Some(byte) = text.as_bytes().get(at) {
                match byte {
                    b'"' => {
                        let rest = text.get(at..).unwrap_or_default();
                        at += split_string(rest).0.len();
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    break;
                }
            }
            text.split_at_checked(at).unwrap_or((text, ""))
        }
        Some(_) | None => {
            let end = text.find([',', '}', ']']).unwrap_or(text.len());
            text.split_at(end)
        }
    }
}

/// The root members of a compact JSON object text, as (quoted key, value).
#[derive(Clone, Debug)]
pub struct Members<'a> {
    rest: &'a str,
}

impl<'a> Members<'a> {
    /// The members of `text`, which is a compact, valid JSON object.
    pub fn of(text: &'a str) -> Self {
        Self { rest: text.strip_prefix('{').unwrap_or_default() }
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        if !self.rest.starts_with('"') {
            return None;
        }
        let (key, rest) = split_string(self.rest);
        let (value, rest) = split_value(rest.strip_prefix(':')?);
        self.rest = rest.get(1..).unwrap_or_default();
        Some((key, value))
    }
}

/// The elements of a compact JSON array text.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    rest: &'a str,
}

impl<'a> Elements<'a> {
    /// The elements of `text`, which is a compact, valid JSON array.
    pub fn of(text: &'a str) -> Self {
        Self { rest: text.strip_prefix('[').unwrap_or_default() }
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        if self.rest.is_empty() || self.rest == "]" {
            return None;
        }
        let (value, rest) = split_value(self.rest);
        self.rest = rest.get(1..).unwrap_or_default();
        Some(value)
    }
}

/// What a quoted JSON string says; `raw` itself without its quotes when nothing in it is escaped.
pub fn unquote(raw: &str) -> Cow<'_, str> {
    let inner = raw.strip_prefix('"').and_then(|s| s.strip_suffix('"')).unwrap_or(raw);
    if memchr::memchr(b'\\', inner.as_bytes()).is_none() {
        return Cow::Borrowed(inner);
    }
    serde_json::from_str(raw).map_or(Cow::Borrowed(inner), Cow::Owned)
}

/// Appends `text` as a JSON string.
pub fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    let mut start = 0;
    for (at, c) in text.char_indices().filter(|&(_, c)| c == '"' || c == '\\' || c < ' ') {
        out.push_str(text.get(start..at).unwrap_or_default());
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control => {
                use fmt::Write;
                write!(out, "\\u{:04x}", u32::from(control))
                    .expect("writing to a string cannot fail");
            }
        }
        start = at + 1;
    }
    out.push_str(text.get(start..).unwrap_or_default());
    out.push('"');
}

/// `text` as a JSON string.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_quoted(&mut out, text);
    out
}

/// The strings among the elements of a compact JSON array text.
pub fn strings_of(array: &str) -> Vec<String> {
    Elements::of(array)
        .filter(|raw| Kind::of(raw) == Kind::String)
        .map(|raw| unquote(raw).into_owned())
        .collect()
}

/// A JSON array text of strings.
pub fn array_of<S: AsRef<str>>(items: impl IntoIterator<Item = S>) -> String {
    let mut out = String::from("[");
    for item in items {
        if out.len() > 1 {
            out.push(',');
        }
        push_quoted(&mut out, item.as_ref());
    }
    out.push(']');
    out
}

#[cfg(test)]
mod tests;
