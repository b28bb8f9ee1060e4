//! One object as text: written member by member, read and merged at its root.

use super::{Fault, Kind, Members, check, compact, push_quoted, strings_of, unquote};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

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
