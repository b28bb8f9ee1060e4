//! `application/merge-patch+json` (RFC 7396): objects are merged at every level, `null`
//! removes, everything else is put in place. What the patch does not name keeps its text.

use crate::domain::json::{self, Builder, Kind, Members};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// `target` with `patch` merged into it; both are compact JSON texts.
///
/// | `target` | `patch` | result |
/// |---|---|---|
/// | `{"a":{"x":1,"y":2}}` | `{"a":{"x":3}}` | `{"a":{"x":3,"y":2}}` |
/// | `{"a":1,"b":2}` | `{"a":null}` | `{"b":2}` |
/// | `{"a":[1,2]}` | `{"a":[3]}` | `{"a":[3]}` |
/// | `{}` | `{"a":{"b":null}}` | `{"a":{}}` |
pub fn merged(target: &str, patch: &str) -> String {
    if Kind::of(patch) != Kind::Object {
        return patch.to_owned();
    }
    let target = if Kind::of(target) == Kind::Object { target } else { "{}" };
    let mut news: BTreeMap<Cow<'_, str>, &str> =
        Members::of(patch).map(|(key, value)| (json::unquote(key), value)).collect();
    let mut out = Builder::with_capacity(target.len() + patch.len());
    for (key, value) in Members::of(target) {
        match news.remove(json::unquote(key).as_ref()) {
            None => _ = out.member(key, value),
            Some("null") => {}
            Some(new) => _ = out.member(key, &merged(value, new)),
        }
    }
    for (key, value) in Members::of(patch).filter(|(_, value)| *value != "null") {
        if news.contains_key(json::unquote(key).as_ref()) {
            out.member(key, &merged("null", value));
        }
    }
    out.finish()
}
