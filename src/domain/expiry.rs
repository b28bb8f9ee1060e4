//! Keys of a user's bags that go by themselves.
//!
//! A time belongs to a key and its value. Operations on the value keep it (`inc` of a
//! counter that expires); another value put in its place, by any other write, has no
//! time; and with the key the time goes. The removal is a change like any other, made
//! in the tenant's turn: no reader ever sees a state that has no version.

use super::json::{self, Builder, Members, Object};
use super::keys::path_of;
use super::metadata::Bag;
use super::patch::Expiry;
use super::time::Timestamp;
use std::collections::BTreeMap;

/// When keys go, by path: `user_metadata.trial`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expirations(BTreeMap<String, Timestamp>);

/// A bag before and after a change.
pub(super) type Moved<'a> = (Bag, Option<&'a Object>, Option<&'a Object>);

impl Expirations {
    /// When a key goes.
    pub fn get(&self, bag: Bag, key: &str) -> Option<Timestamp> {
        self.0.get(&path_of(bag, key)).copied()
    }

    /// Whether no key has a time.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The earliest time there is.
    pub fn next(&self) -> Option<Timestamp> {
        self.0.values().min().copied()
    }

    /// The keys of a bag whose time has come, as a patch that removes them.
    pub(super) fn due(&self, bag: Bag, now: Timestamp) -> Option<Object> {
        let start = path_of(bag, "");
        let mut out = Builder::new();
        for (path, _) in self.0.iter().filter(|(_, at)| **at <= now) {
            if let Some(key) = path.strip_prefix(&start) {
                out.raw(key, "null");
            }
        }
        Some(out).filter(|out| !out.is_empty()).map(Builder::object)
    }

    /// The times after a change of bags; `said` is what operations say of times, none for
    /// another kind of write.
    pub(super) fn after(&self, bags: &[Moved<'_>], said: Option<&[Expiry]>) -> Self {
        let keeps = |path: &str| {
            bags.iter().any(|(bag, before, after)| {
                let Some(key) = path.strip_prefix(&path_of(*bag, "")) else { return false };
                let value =
                    |object: Option<&Object>| object.and_then(|o| o.get(key)).map(str::to_owned);
                let now = value(*after);
                now.is_some() && (said.is_some() || now == value(*before))
            })
        };
        let mut times = self.0.clone();
        times.retain(|path, _| keeps(path));
        for Expiry { bag, key, at } in said.unwrap_or_default() {
            let is_there = bags.iter().any(|(own, _, after)| {
                own.to_string() == *bag && after.is_some_and(|object| object.contains(key))
            });
            let path = format!("{bag}.{key}");
            match at {
                Some(at) if is_there => _ = times.insert(path, *at),
                Some(_) | None => _ = times.remove(&path),
            }
        }
        Self(times)
    }

    /// As a JSON object text, times in milliseconds.
    pub fn to_json(&self) -> String {
        let mut out = Builder::new();
        for (path, at) in &self.0 {
            out.raw(path, &at.millis().to_string());
        }
        out.finish()
    }

    /// Reads what [`Self::to_json`] wrote.
    pub fn from_json(text: &str) -> Self {
        let read = |(path, raw): (&str, &str)| {
            let at = Timestamp::from_millis(raw.parse().ok()?);
            Some((json::unquote(path).into_owned(), at))
        };
        Self(Members::of(text).filter_map(read).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Object {
        Object::parse(text, 8).unwrap()
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn said(key: &str, at: Option<Timestamp>) -> Vec<Expiry> {
        vec![Expiry { bag: "user_metadata".to_owned(), key: key.to_owned(), at }]
    }

    #[track_caller]
    fn check(before: &str, after: &str, said: Option<&[Expiry]>, expected: &str) {
        let times = Expirations::from_json(r#"{"user_metadata.a":10,"user_metadata.b":20}"#);
        let (before, after) = (object(before), object(after));
        let bags = [(Bag::User, Some(&before), Some(&after)), (Bag::App, None, None)];
        assert_eq!(times.after(&bags, said).to_json(), expected, "{before:?} {after:?}");
    }

    #[test]
    fn a_time_goes_with_its_value_and_stays_under_operations() {
        let both = r#"{"user_metadata.a":10,"user_metadata.b":20}"#;
        check(r#"{"a":1,"b":2}"#, r#"{"a":1,"b":2,"c":3}"#, None, both);
        check(r#"{"a":1,"b":2}"#, r#"{"a":7,"b":2}"#, None, r#"{"user_metadata.b":20}"#);
        check(r#"{"a":1,"b":2}"#, r#"{"a":7,"b":2}"#, Some(&[]), both);
        check(r#"{"a":1,"b":2}"#, r#"{"b":2}"#, Some(&[]), r#"{"user_metadata.b":20}"#);
        check(r#"{"a":1,"b":2}"#, "{}", None, "{}");
    }

    #[test]
    fn operations_set_and_take_back_times() {
        let bag = r#"{"a":1,"b":2}"#;
        check(
            bag,
            bag,
            Some(&said("a", Some(at(5)))),
            r#"{"user_metadata.a":5,"user_metadata.b":20}"#,
        );
        check(bag, bag, Some(&said("a", None)), r#"{"user_metadata.b":20}"#);
        check(
            bag,
            bag,
            Some(&said("nobody", Some(at(5)))),
            r#"{"user_metadata.a":10,"user_metadata.b":20}"#,
        );
    }

    #[test]
    fn what_is_due_is_removed_key_by_key() {
        let times = Expirations::from_json(
            r#"{"app_metadata.k\"":10,"user_metadata.a":10,"user_metadata.b.c":11,"user_metadata.z":12}"#,
        );
        let due = |bag, now| times.due(bag, at(now)).map(|patch| patch.as_json().to_owned());
        assert_eq!(due(Bag::User, 9), None);
        assert_eq!(due(Bag::User, 11).as_deref(), Some(r#"{"a":null,"b.c":null}"#));
        assert_eq!(due(Bag::App, 10).as_deref(), Some(r#"{"k\"":null}"#));
        assert_eq!(times.next(), Some(at(10)));
        assert_eq!(Expirations::from_json(&times.to_json()), times);
    }
}
