//! Which version last changed each key of a user or client.
//!
//! Root attributes are among them, and what is not shown with the object under the name it is
//! known by (`password`, `roles`). Only keys that changed after the object was made are kept, so an
//! object nobody touched costs nothing. Removed keys stay until there are many of them: whoever
//! saw an older version learns that they are gone.

use super::json::{self, Builder, Members};
use super::metadata::Bag;
use super::time::Version;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Removed keys that are remembered for one object.
const REMEMBERED_REMOVALS: usize = 64;

/// The place of the latest version that was forgotten: no path is empty.
const FORGOTTEN: &str = "";

/// The versions of keys, by path: `user_metadata.hobby`, `name`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyVersions(BTreeMap<String, Version>);

/// The path of a key in a bag.
pub fn path_of(bag: Bag, key: &str) -> String {
    format!("{bag}.{key}")
}

impl KeyVersions {
    /// The version that last changed `path`, if it changed since the object was made; where
    /// that is forgotten, a later one.
    pub fn get(&self, path: &str) -> Option<Version> {
        self.0.get(path).or_else(|| self.0.get(FORGOTTEN)).copied()
    }

    /// The version that last changed some key of a bag, if one changed since the object was made.
    pub fn latest(&self, bag: Bag) -> Option<Version> {
        let start = path_of(bag, "");
        let of_bag = self.0.range(start.clone()..).take_while(|(path, _)| path.starts_with(&start));
        of_bag.map(|(_, version)| *version).chain(self.0.get(FORGOTTEN).copied()).max()
    }

    /// All of them, in the order of their paths.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Version)> {
        let known = self.0.iter().filter(|(path, _)| *path != FORGOTTEN);
        known.map(|(path, version)| (path.as_str(), *version))
    }

    /// Whether nothing changed since the object was made.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Notes at `version` every path whose value differs between two states.
    pub(super) fn note<'a>(
        &mut self,
        before: impl Iterator<Item = (String, &'a str)>,
        after: impl Iterator<Item = (String, &'a str)>,
        version: Version,
    ) {
        self.note_as(before, after, version, |path| path);
    }

    /// Notes at `version` every key of a bag whose value differs between two texts of it.
    pub(super) fn note_bag(
        &mut self,
        bag: Bag,
        before: Option<&str>,
        after: Option<&str>,
        version: Version,
    ) {
        fn members(text: Option<&str>) -> impl Iterator<Item = (Cow<'_, str>, &str)> {
            let members = text.map(Members::of).into_iter().flatten();
            members.map(|(key, raw)| (json::unquote(key), raw))
        }
        self.note_as(members(before), members(after), version, |key| path_of(bag, &key));
    }

    /// Only keys that changed are turned into paths.
    fn note_as<'a, K: Ord>(
        &mut self,
        before: impl Iterator<Item = (K, &'a str)>,
        after: impl Iterator<Item = (K, &'a str)>,
        version: Version,
        path: impl Fn(K) -> String,
    ) {
        let mut before: BTreeMap<K, &str> = before.collect();
        let mut has_removed = false;
        for (key, value) in after {
            if before.remove(&key) != Some(value) {
                self.0.insert(path(key), version);
            }
        }
        for key in before.into_keys() {
            has_removed = true;
            self.0.insert(path(key), version);
        }
        if has_removed && self.0.len() > REMEMBERED_REMOVALS * 4 {
            self.forget_oldest();
        }
    }

    /// Notes at `version` something that is told of without its value.
    pub(super) fn touch(&mut self, path: &str, version: Version) {
        self.0.insert(path.to_owned(), version);
    }

    /// Drops the older half. What is dropped counts as changed by the latest version that
    /// is: a tag somebody holds may fail without need, never hold without right.
    fn forget_oldest(&mut self) {
        let mut versions: Vec<Version> = self.0.values().copied().collect();
        versions.sort_unstable();
        let Some(middle) = versions.get(versions.len() / 2).copied() else { return };
        let dropped = versions.iter().rev().find(|version| **version < middle).copied();
        self.0.retain(|_, version| *version >= middle);
        if let Some(dropped) = dropped {
            self.0.insert(FORGOTTEN.to_owned(), dropped);
        }
    }

    /// As a JSON object text.
    pub fn to_json(&self) -> String {
        let mut out = Builder::new();
        for (path, version) in &self.0 {
            out.raw(path, &version.to_string());
        }
        out.finish()
    }

    /// Reads what [`Self::to_json`] wrote.
    pub fn from_json(text: &str) -> Self {
        let read = |(key, raw): (&str, &str)| {
            Some((json::unquote(key).into_owned(), Version::new(raw.parse().ok()?)))
        };
        Self(Members::of(text).filter_map(read).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_forgotten_never_counts_as_unchanged() {
        let mut keys = KeyVersions::default();
        let paths: Vec<String> = (0..400).map(|n| path_of(Bag::User, &format!("k{n}"))).collect();
        for (path, number) in paths.iter().zip(10..) {
            keys.note(std::iter::empty(), [(path.clone(), "1")].into_iter(), Version::new(number));
        }
        let gone = path_of(Bag::User, "gone");
        keys.note([(gone, "1")].into_iter(), std::iter::empty(), Version::new(500));
        assert!(keys.iter().count() < 250, "{}", keys.iter().count());
        for (path, number) in paths.iter().zip(10..) {
            assert!(keys.get(path) >= Some(Version::new(number)), "{path}");
        }
        assert_eq!(keys.latest(Bag::User), Some(Version::new(500)));
        assert_eq!(KeyVersions::from_json(&keys.to_json()), keys);
        assert_eq!(keys.latest(Bag::App), keys.get("app_metadata.none"));
    }
}
