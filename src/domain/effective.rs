//! What an application sees when it prefers metadata over the provider's attributes.
//!
//! The seed's rule is the JavaScript expression `user.user_metadata.x || user.x`, so
//! an override counts only when JavaScript calls it true: `""`, `0`, `false` and
//! `null` fall through to the provider's value (UX.md UI-31).

use super::document::Document;
use super::json::{self, Kind, Members};

/// Where an effective value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The root of the profile: the identity provider, or the user's own attributes.
    Root,
    /// `user_metadata`.
    UserMetadata,
}

/// One attribute with its values as JSON text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// The attribute's name.
    pub name: String,
    /// The value at the root of the profile, if there is one.
    pub root: Option<String>,
    /// The value an application sees.
    pub value: String,
    /// Where that value comes from.
    pub source: Source,
}

/// Members of the profile that are not attributes of the person.
const NOT_ATTRIBUTES: [&str; 3] = ["user_metadata", "app_metadata", "identities"];

/// Every attribute of the profile and of `user_metadata` with its effective value.
pub fn effective(document: &Document) -> Vec<Effective> {
    let overrides: Vec<(&str, &str)> =
        document.user_metadata().map(|bag| Members::of(bag).collect()).unwrap_or_default();
    let root: Vec<(&str, &str)> = Members::of(document.json())
        .filter(|(key, _)| !NOT_ATTRIBUTES.contains(&json::unquote(key).as_ref()))
        .collect();
    let find = |members: &[(&str, &str)], name: &str| {
        members.iter().find(|(key, _)| json::unquote(key) == name).map(|&(_, raw)| raw.to_owned())
    };
    let mut names: Vec<String> =
        root.iter().map(|(key, _)| json::unquote(key).into_owned()).collect();
    for (key, _) in &overrides {
        let name = json::unquote(key).into_owned();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
        .into_iter()
        .map(|name| {
            let over = find(&overrides, &name);
            let root = find(&root, &name);
            match (over, &root) {
                (Some(value), _) if is_truthy(&value) => {
                    Effective { name, root, value, source: Source::UserMetadata }
                }
                (_, Some(value)) => {
                    Effective { name, value: value.clone(), root, source: Source::Root }
                }
                (Some(value), None) => {
                    Effective { name, root, value, source: Source::UserMetadata }
                }
                (None, None) => {
                    Effective { name, root, value: "null".to_owned(), source: Source::Root }
                }
            }
        })
        .collect()
}

/// Whether JavaScript takes the JSON value `raw` as true.
pub fn is_truthy(raw: &str) -> bool {
    match Kind::of(raw) {
        Kind::Null => false,
        Kind::Boolean => raw == "true",
        Kind::String => raw != "\"\"",
        Kind::Integer | Kind::Number => raw.parse::<f64>().is_ok_and(|number| number != 0.0),
        Kind::Array | Kind::Object => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truth_is_javascripts() {
        for raw in ["\"\"", "0", "-0", "0.0", "0e5", "false", "null"] {
            assert!(!is_truthy(raw), "{raw}");
        }
        for raw in ["\"0\"", "\" \"", "1", "-1e-3", "true", "[]", "{}"] {
            assert!(is_truthy(raw), "{raw}");
        }
    }
}
