//! JSON as the text its author sent.
//!
//! A parsed tree reorders keys, rewrites numbers and costs ten times the memory
//! (PERFORMANCE.md §1.4), so an [`Object`] keeps compact text and addresses its root
//! members in place. Text becomes an `Object` once, through [`Object::parse`], which
//! checks the whole of it; everything behind that door may rely on valid JSON
//! without duplicate keys.

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::fmt;

/// Why a text is not taken as JSON. Messages name places and keys, never values.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Not UTF-8, not JSON, a lone surrogate, or a number out of range.
    #[error("no valid JSON at line {line} column {column}")]
    Syntax {
        /// Line, counted from 1.
        line: usize,
        /// Column, counted from 1.
        column: usize,
    },
    /// The same key twice in one object, at any depth.
    #[error("the key \"{key}\" stands twice in one object")]
    DuplicateKey {
        /// The key, decoded.
        key: String,
    },
    /// Nested deeper than allowed.
    #[error("nested deeper than {limit} levels")]
    TooDeep {
        /// Levels allowed.
        limit: usize,
    },
    /// Another kind of value than wanted.
    #[error("expected type {wanted} but found type {found}")]
    WrongKind {
        /// The kind wanted.
        wanted: Kind,
        /// The kind found.
        found: Kind,
    },
}

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

/// Checks that `text` is one JSON value with unique keys, no deeper than `depth`.
///
/// # Errors
/// The first [`Fault`] found.
pub fn check(text: &str, depth: usize) -> Result<(), Fault> {
    let fault = RefCell::new(None);
    let mut reader = serde_json::Deserializer::from_str(text);
    let walked = Walk { depth, limit: depth, fault: &fault }
        .deserialize(&mut reader)
        .and_then(|()| reader.end());
    walked.map_err(|error| {
        fault.take().unwrap_or(Fault::Syntax { line: error.line(), column: error.column() })
    })
}

/// Walks a value without building it. Faults serde cannot name are left in `fault`.
struct Walk<'f> {
    depth: usize,
    limit: usize,
    fault: &'f RefCell<Option<Fault>>,
}

impl Walk<'_> {
    fn deeper<E: de::Error>(&self) -> Result<Self, E> {
        match self.depth.checked_sub(1) {
            Some(depth) => Ok(Self { depth, ..*self }),
            None => Err(self.stop(Fault::TooDeep { limit: self.limit })),
        }
    }

    fn stop<E: de::Error>(&self, fault: Fault) -> E {
        *self.fault.borrow_mut() = Some(fault);
        E::custom("refused")
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        while seq.next_element_seed(Walk { ..inner })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let inner = self.deeper()?;
        let mut seen = Seen::default();
        while let Some(Key(key)) = map.next_key::<Key<'de>>()? {
            if let Some(key) = seen.twice(key) {
                return Err(self.stop(Fault::DuplicateKey { key }));
            }
            map.next_value_seed(Walk { ..inner })?;
        }
        Ok(())
    }
}

/// The keys of one object so far: a list while they are few, a set after that.
#[derive(Default)]
struct Seen<'de> {
    few: Vec<Cow<'de, str>>,
    many: HashSet<Cow<'de, str>>,
}

impl<'de> Seen<'de> {
    const FEW: usize = 16;

    fn twice(&mut self, key: Cow<'de, str>) -> Option<String> {
        if self.few.contains(&key) || self.many.contains(&key) {
            return Some(key.into_owned());
        }
        if self.few.len() < Self::FEW {
            self.few.push(key);
        } else {
            self.many.insert(key);
        }
        None
    }
}

struct Key<'de>(Cow<'de, str>);

impl<'de> de::Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
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

/// Builds a compact JSON object text member by member.
#[derive(Debug)]
pub struct Builder(String);

impl Builder {
    /// An object without members yet.
    pub fn new() -> Self {
        Self(String::from("{"))
    }

    /// An object without members yet, with room for `bytes` of text.
    pub fn with_capacity(bytes: usize) -> Self {
        let mut text = String::with_capacity(bytes);
        text.push('{');
        Self(text)
    }

    fn comma(&mut self) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
    }

    /// Adds a member whose value is valid JSON text.
    pub fn raw(&mut self, key: &str, value: &str) -> &mut Self {
        self.comma();
        push_quoted(&mut self.0, key);
        self.0.push(':');
        self.0.push_str(value);
        self
    }

    /// Adds a member whose key is already quoted and whose value is valid JSON text.
    pub fn member(&mut self, quoted_key: &str, value: &str) -> &mut Self {
        self.comma();
        self.0.push_str(quoted_key);
        self.0.push(':');
        self.0.push_str(value);
        self
    }

    /// Adds a member with a string value.
    pub fn string(&mut self, key: &str, value: &str) -> &mut Self {
        self.comma();
        push_quoted(&mut self.0, key);
        self.0.push(':');
        push_quoted(&mut self.0, value);
        self
    }

    /// Adds a member with a string value, when there is one.
    pub fn optional(&mut self, key: &str, value: Option<&str>) -> &mut Self {
        if let Some(value) = value {
            self.string(key, value);
        }
        self
    }

    /// Adds a boolean member, when there is one.
    pub fn flag(&mut self, key: &str, value: Option<bool>) -> &mut Self {
        if let Some(value) = value {
            self.raw(key, if value { "true" } else { "false" });
        }
        self
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether no member was added yet.
    pub fn is_empty(&self) -> bool {
        self.0.len() <= 1
    }

    /// The finished text.
    pub fn finish(mut self) -> String {
        self.0.push('}');
        self.0
    }

    /// The finished object.
    pub fn object(self) -> Object {
        Object(self.finish().into_boxed_str())
    }
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

/// A JSON object: compact text with unique keys, its root members addressable.
#[derive(Clone, PartialEq, Eq)]
pub struct Object(Box<str>);

impl Object {
    /// The object `{}`.
    pub fn empty() -> Self {
        Self("{}".into())
    }

    /// Reads an object from outside: checks all of it, drops white space between tokens.
    ///
    /// # Errors
    /// A [`Fault`] when `text` is not JSON, repeats a key, is too deep, or is no object.
    pub fn parse(text: &str, depth: usize) -> Result<Self, Fault> {
        check(text, depth)?;
        let text = compact(text);
        let found = Kind::of(&text);
        if found == Kind::Object {
            Ok(Self(text.into()))
        } else {
            Err(Fault::WrongKind { wanted: Kind::Object, found })
        }
    }

    /// Takes text that was checked before: a member of an `Object`, or what this program wrote.
    pub fn trusted(text: &str) -> Self {
        Self(text.into())
    }

    /// The compact text.
    pub fn as_json(&self) -> &str {
        &self.0
    }

    /// Its root members, in order, as (quoted key, value).
    pub fn members(&self) -> Members<'_> {
        Members::of(&self.0)
    }

    /// Its root keys, decoded, in order.
    pub fn keys(&self) -> impl Iterator<Item = Cow<'_, str>> {
        self.members().map(|(key, _)| unquote(key))
    }

    /// The text of the root member `key`.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.members().find(|(quoted, _)| unquote(quoted) == key).map(|(_, value)| value)
    }

    /// The root member `key` as a string, if it is one.
    pub fn get_str(&self, key: &str) -> Option<Cow<'_, str>> {
        self.get(key).filter(|raw| Kind::of(raw) == Kind::String).map(unquote)
    }

    /// The root member `key` as a boolean, if it is one.
    pub fn get_bool(&self, key: &str) -> Option<bool> {
        self.get(key).and_then(|raw| raw.parse().ok())
    }

    /// The root member `key` as an object, if it is one.
    pub fn get_object(&self, key: &str) -> Option<Self> {
        self.get(key).filter(|raw| Kind::of(raw) == Kind::Object).map(Self::trusted)
    }

    /// The strings of the root member `key`, if it is an array; other elements are left out.
    pub fn get_strings(&self, key: &str) -> Option<Vec<String>> {
        let raw = self.get(key).filter(|raw| Kind::of(raw) == Kind::Array)?;
        Some(strings_of(raw))
    }

    /// Whether there is a root member `key`.
    pub fn contains(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// How many root members there are.
    pub fn len(&self) -> usize {
        self.members().count()
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.0.len() <= 2
    }

    /// Merges `patch` at the root level (CONTRACT.md §2.4, m1–m10).
    ///
    /// | in `patch`      | effect                                              |
    /// |-----------------|-----------------------------------------------------|
    /// | `{"k": null}`   | member `k` is removed                               |
    /// | `{"k": value}`  | member `k` is *replaced*, never merged, in its place |
    /// | `k` absent      | member `k` stays as it is                           |
    ///
    /// New members follow the old ones in the order of `patch`. That an empty `patch`
    /// clears a metadata bag is the bag's rule, not this one's: see [`super::metadata`].
    #[must_use]
    pub fn merge_root(&self, patch: &Self) -> Self {
        let mut out = Builder::with_capacity(self.0.len() + patch.0.len());
        // Both may have very many members, and a tenant waits for this.
        let mut news: BTreeMap<Cow<'_, str>, &str> =
            patch.members().map(|(key, value)| (unquote(key), value)).collect();
        for (key, value) in self.members() {
            match news.remove(unquote(key).as_ref()) {
                Some("null") => {}
                Some(replaced) => _ = out.member(key, replaced),
                None => _ = out.member(key, value),
            }
        }
        for (key, value) in patch.members().filter(|&(_, value)| value != "null") {
            if news.contains_key(unquote(key).as_ref()) {
                out.member(key, value);
            }
        }
        out.object()
    }

    /// The object with `key` set to the valid JSON text `value`, in its place or at the end.
    #[must_use]
    pub fn with(&self, key: &str, value: &str) -> Self {
        let mut found = false;
        let mut out = Builder::with_capacity(self.0.len() + key.len() + value.len() + 4);
        for (quoted_key, old) in self.members() {
            let is_it = unquote(quoted_key) == key;
            found |= is_it;
            out.member(quoted_key, if is_it { value } else { old });
        }
        if !found {
            out.raw(key, value);
        }
        out.object()
    }

    /// The object with only the members whose key `keep` accepts.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        let mut out = Builder::with_capacity(self.0.len());
        for (key, value) in self.members().filter(|(key, _)| keep(&unquote(key))) {
            out.member(key, value);
        }
        out.object()
    }
}

/// Shows how long it is, never what it says.
impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Object({} bytes)", self.0.len())
    }
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
