//! The three metadata bags: what may be in them and how a patch changes them.
//!
//! A bag is an [`Object`]; the merge itself is [`Object::merge_root`]. Here is what
//! differs between the bags (CONTRACT.md §2.4 and §4.2).

use super::decide::Rejection;
use super::json::{self, Elements, Kind, Members, Object};
use super::policy::Rules;
use std::fmt;

/// One of the metadata bags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bag {
    /// `user_metadata`: what the user may change.
    User,
    /// `app_metadata`: what only applications may change.
    App,
    /// `client_metadata` of an application.
    Client,
    /// `metadata` of a connection; the rules are those of `client_metadata`.
    Connection,
}

impl fmt::Display for Bag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user_metadata",
            Self::App => "app_metadata",
            Self::Client => "client_metadata",
            Self::Connection => "metadata",
        })
    }
}

/// Root keys `app_metadata` must not have (CONTRACT.md §2.4).
pub const RESERVED: [&str; 18] = [
    "__tenant",
    "_id",
    "blocked",
    "clientID",
    "created_at",
    "email_verified",
    "email",
    "globalClientID",
    "global_client_id",
    "identities",
    "lastIP",
    "lastLogin",
    "loginsCount",
    "metadata",
    "multifactor_last_modified",
    "multifactor",
    "updated_at",
    "user_id",
];

/// The bag after `patch`; `None` when the profile then has no such bag.
///
/// | before | patch          | `user_metadata` | `app_metadata` | `client_metadata` |
/// |--------|----------------|-----------------|----------------|-------------------|
/// | any    | `{}`           | `{}`            | none           | `{}`              |
/// | some   | removes all    | `{}`            | none           | `{}`              |
/// | none   | only nulls     | none            | none           | none              |
/// | any    | anything else  | merged at root level                                  |||
pub fn patched(bag: Bag, before: Option<&Object>, patch: &Object) -> Option<Object> {
    let merged = if patch.is_empty() {
        Object::empty()
    } else {
        before.unwrap_or(&Object::empty()).merge_root(patch)
    };
    let stays = match bag {
        Bag::App => !merged.is_empty(),
        Bag::User | Bag::Client | Bag::Connection => {
            !merged.is_empty() || before.is_some() || patch.is_empty()
        }
    };
    stays.then_some(merged)
}

/// Checks what a caller wants to put into a bag, before it is merged.
///
/// # Errors
/// The rule it breaks, naming the key.
pub fn permitted(bag: Bag, patch: &Object, rules: &Rules) -> Result<(), Rejection> {
    match bag {
        Bag::Client | Bag::Connection => client_values(bag, patch, rules),
        Bag::User | Bag::App => {
            if bag == Bag::App
                && let Some(key) = patch.keys().find(|key| RESERVED.contains(&key.as_ref()))
            {
                return Err(Rejection::ReservedKey { bag, key: key.into_owned() });
            }
            let forbidden: &[char] = if rules.strict_keys { &['.', '$', '\0'] } else { &['\0'] };
            let mut bad = Vec::new();
            find_bad_keys(patch.as_json(), forbidden, &mut bad);
            if bad.is_empty() { Ok(()) } else { Err(Rejection::BadKeys { bag, keys: bad }) }
        }
    }
}

/// Checks a bag as it would be stored.
///
/// # Errors
/// [`Rejection::MetadataTooLarge`] or [`Rejection::TooManyKeys`].
pub fn fits(bag: Bag, merged: &Object, rules: &Rules) -> Result<(), Rejection> {
    let limit_bytes = match bag {
        Bag::User => rules.user_metadata_bytes,
        Bag::App => rules.app_metadata_bytes,
        Bag::Client | Bag::Connection => {
            let found = merged.len();
            return if found > rules.client_metadata_keys {
                Err(Rejection::TooManyKeys { bag, found, limit: rules.client_metadata_keys })
            } else {
                Ok(())
            };
        }
    };
    let actual_bytes = merged.as_json().len();
    if actual_bytes > limit_bytes {
        return Err(Rejection::MetadataTooLarge { bag, actual_bytes, limit_bytes });
    }
    Ok(())
}

/// Collects keys with a forbidden character at any depth, in the order they stand. NUL is
/// always one: other programs end a text there, and would see another key.
fn find_bad_keys(raw: &str, forbidden: &[char], bad: &mut Vec<String>) {
    match Kind::of(raw) {
        Kind::Object => {
            for (key, value) in Members::of(raw) {
                let key = json::unquote(key);
                if key.contains(forbidden) {
                    bad.push(key.into_owned());
                }
                find_bad_keys(value, forbidden, bad);
            }
        }
        Kind::Array => {
            Elements::of(raw).for_each(|element| find_bad_keys(element, forbidden, bad));
        }
        Kind::Null | Kind::Boolean | Kind::Integer | Kind::Number | Kind::String => {}
    }
}

/// The alphabet of `client_metadata` keys (CONTRACT.md §4.2).
fn is_client_key_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || ":,-+=_*?\"/\\()<>@\t ".contains(c)
}

fn client_values(bag: Bag, patch: &Object, rules: &Rules) -> Result<(), Rejection> {
    let limit = rules.client_metadata_chars;
    for (key, value) in patch.members() {
        let key = json::unquote(key).into_owned();
        let chars = key.chars().count();
        if chars > limit || key.is_empty() {
            return Err(Rejection::KeyLength { bag, chars, limit });
        }
        if !key.chars().all(is_client_key_char) {
            return Err(Rejection::KeyAlphabet { bag, key });
        }
        match Kind::of(value) {
            Kind::Null => {}
            Kind::String => {
                let chars = json::unquote(value).chars().count();
                if chars > limit {
                    return Err(Rejection::ValueLength { bag, key, chars, limit });
                }
            }
            found @ (Kind::Boolean | Kind::Integer | Kind::Number | Kind::Array | Kind::Object) => {
                return Err(Rejection::ValueKind { bag, key, found });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Object {
        Object::parse(text, 64).unwrap()
    }

    #[track_caller]
    fn check(bag: Bag, before: Option<&str>, patch: &str, after: Option<&str>) {
        let before = before.map(object);
        let patched = patched(bag, before.as_ref(), &object(patch));
        assert_eq!(patched.as_ref().map(Object::as_json), after, "{bag} {before:?} {patch}");
    }

    #[test]
    fn an_empty_patch_empties_user_and_client_metadata_and_removes_app_metadata() {
        for before in [None, Some(r#"{"a":1}"#), Some("{}")] {
            check(Bag::User, before, "{}", Some("{}"));
            check(Bag::Client, before, "{}", Some("{}"));
            check(Bag::App, before, "{}", None);
        }
    }

    #[test]
    fn removing_the_last_key_leaves_an_empty_bag_but_no_empty_app_metadata() {
        check(Bag::User, Some(r#"{"a":1}"#), r#"{"a":null}"#, Some("{}"));
        check(Bag::Client, Some(r#"{"a":"1"}"#), r#"{"a":null}"#, Some("{}"));
        check(Bag::App, Some(r#"{"a":1}"#), r#"{"a":null}"#, None);
    }

    #[test]
    fn nulls_alone_make_no_bag() {
        for bag in [Bag::User, Bag::App, Bag::Client] {
            check(bag, None, r#"{"a":null}"#, None);
        }
    }

    #[test]
    fn a_bag_is_created_by_its_first_key() {
        check(Bag::App, None, r#"{"foo":"bar"}"#, Some(r#"{"foo":"bar"}"#));
    }

    #[test]
    fn keys_with_dots_or_dollars_are_named_at_any_depth() {
        let patch = object(r#"{"a.b":1,"ok":[{"$set":1}]}"#);
        let keys = vec!["a.b".to_owned(), "$set".to_owned()];
        assert_eq!(
            permitted(Bag::User, &patch, &Rules::default()),
            Err(Rejection::BadKeys { bag: Bag::User, keys })
        );
        let relaxed = Rules { strict_keys: false, ..Rules::default() };
        assert_eq!(permitted(Bag::User, &patch, &relaxed), Ok(()));
        let nul = object(r#"{"ok":{"a\u0000b":1}}"#);
        let keys = vec!["a\0b".to_owned()];
        assert_eq!(
            permitted(Bag::App, &nul, &relaxed),
            Err(Rejection::BadKeys { bag: Bag::App, keys })
        );
    }

    #[test]
    fn app_metadata_has_reserved_root_keys_and_user_metadata_has_none() {
        let rules = Rules::default();
        for key in RESERVED {
            let patch = object(&format!("{{\"{key}\":1}}"));
            assert!(
                matches!(permitted(Bag::App, &patch, &rules), Err(Rejection::ReservedKey { .. })),
                "{key}"
            );
            assert_eq!(permitted(Bag::User, &patch, &rules), Ok(()));
        }
        assert_eq!(permitted(Bag::App, &object(r#"{"a":{"email":1}}"#), &rules), Ok(()));
    }

    #[test]
    fn client_metadata_takes_short_strings_only() {
        let rules = Rules::default();
        let long = "x".repeat(256);
        for bad in [
            format!(r#"{{"k":"{long}"}}"#),
            format!(r#"{{"{long}":"v"}}"#),
            r#"{"k":1}"#.into(),
            r#"{"é":"v"}"#.into(),
        ] {
            assert!(permitted(Bag::Client, &object(&bad), &rules).is_err(), "{bad}");
        }
        assert_eq!(permitted(Bag::Client, &object(r#"{"a b:(c)":"ü","d":null}"#), &rules), Ok(()));
    }
}
