//! Key/value entries of a user, and the token claims they become (CONTRACT.md §8).
//!
//! Entries are a bag of their own, beside the metadata objects: each has a key, a
//! string value, and a flag that says whether it is put into the tokens of its user.

use super::json::{self, Builder, Elements, Object};
use std::collections::HashMap;

/// One key/value entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key, 1 to 255 characters.
    pub key: String,
    /// The value, verbatim.
    pub value: String,
    /// Whether tokens of this user carry it as `metadata_<key>`.
    pub profile_claim: bool,
}

impl Entry {
    /// The entry as `{"key","value","profileClaim"}`.
    pub fn to_json(&self) -> String {
        let mut out = Builder::new();
        out.string("key", &self.key)
            .string("value", &self.value)
            .flag("profileClaim", Some(self.profile_claim));
        out.finish()
    }
}

/// The entries as a JSON array text.
pub fn to_json(entries: &[Entry]) -> String {
    let mut out = String::from("[");
    for entry in entries {
        if out.len() > 1 {
            out.push(',');
        }
        out.push_str(&entry.to_json());
    }
    out.push(']');
    out
}

/// Reads what [`to_json`] wrote.
pub fn from_json(array: &str) -> Vec<Entry> {
    Elements::of(array)
        .map(Object::trusted)
        .map(|entry| Entry {
            key: entry.get_str("key").unwrap_or_default().into_owned(),
            value: entry.get_str("value").unwrap_or_default().into_owned(),
            profile_claim: entry.get_bool("profileClaim").unwrap_or(false),
        })
        .collect()
}

/// Puts `entry` in place of the one with its key, or behind the others.
pub fn set(entries: &mut Vec<Entry>, entry: Entry) {
    match entries.iter_mut().find(|old| old.key == entry.key) {
        Some(old) => *old = entry,
        None => entries.push(entry),
    }
}

/// One entry for each key: of several with one key the last stays, in the place of the first.
pub fn unique(entries: Vec<Entry>) -> Vec<Entry> {
    // There may be very many, and a tenant waits for this.
    let mut last: HashMap<String, Entry> = HashMap::with_capacity(entries.len());
    let mut order = Vec::with_capacity(entries.len());
    for entry in entries {
        let key = entry.key.clone();
        if last.insert(key.clone(), entry).is_none() {
            order.push(key);
        }
    }
    order.iter().filter_map(|key| last.remove(key)).collect()
}

/// The claims the entries put into a token of their user: (`<prefix><key>`, value as JSON text).
pub fn claims(entries: &[Entry], prefix: &str) -> Vec<(String, String)> {
    entries
        .iter()
        .filter(|entry| entry.profile_claim)
        .map(|entry| (format!("{prefix}{}", entry.key), json::quoted(&entry.value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &str, value: &str, profile_claim: bool) -> Entry {
        Entry { key: key.to_owned(), value: value.to_owned(), profile_claim }
    }

    #[test]
    fn of_several_entries_with_one_key_the_last_stays() {
        let kept =
            unique(vec![entry("a", "1", false), entry("b", "2", false), entry("a", "3", true)]);
        assert_eq!(kept, vec![entry("a", "3", true), entry("b", "2", false)]);
    }

    #[test]
    fn only_profile_claims_become_claims() {
        let entries = [entry("user-theme", "Light", true), entry("private", "x", false)];
        assert_eq!(
            claims(&entries, "metadata_"),
            vec![("metadata_user-theme".to_owned(), "\"Light\"".to_owned())]
        );
    }

    #[test]
    fn entries_survive_their_json_text() {
        let entries = vec![entry("a \"b\"", "ü\n", true), entry("c", "", false)];
        assert_eq!(from_json(&to_json(&entries)), entries);
    }
}
