//! What differs between two states of a user or client, by path.
//!
//! A path is a root member, or a root key of a metadata bag: `name`,
//! `user_metadata.hobby`. Below that values are compared whole, as they are merged.

use super::change::Outcome;
use super::client::Client;
use super::decide::View;
use super::document::Document;
use super::json::{self, Kind, Members};
use std::collections::BTreeMap;

/// One difference; a missing side means that there was or is nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Such as `user_metadata.hobby`.
    pub path: String,
    /// The value before, as JSON text.
    pub old: Option<String>,
    /// The value after, as JSON text.
    pub new: Option<String>,
}

/// Members that change with every write and say nothing.
const SILENT: [&str; 1] = ["updated_at"];

/// Bags whose root keys have paths of their own.
const BAGS: [&str; 3] = ["user_metadata", "app_metadata", "client_metadata"];

/// What differs between two object texts; an absent one has no members.
pub fn between(old: Option<&str>, new: Option<&str>) -> Vec<Difference> {
    let old = paths(old);
    let new = paths(new);
    let by_path = |members: &[(String, &'_ str)]| -> BTreeMap<String, String> {
        members.iter().map(|(path, raw)| (path.clone(), (*raw).to_owned())).collect()
    };
    let (olds, news) = (by_path(&old), by_path(&new));
    // An empty bag that got keys is not gone.
    let has_keys = |path: &str| {
        let start = format!("{path}.");
        let next = news.range(start.clone()..).next();
        BAGS.contains(&path) && next.is_some_and(|(key, _)| key.starts_with(&start))
    };
    let gone = old.iter().filter(|(path, _)| !news.contains_key(path) && !has_keys(path));
    let gone = gone.map(|(path, raw)| Difference {
        path: path.clone(),
        old: Some((*raw).to_owned()),
        new: None,
    });
    let changed = new.iter().filter_map(|(path, raw)| {
        let before = olds.get(path).map(String::as_str);
        let difference = Difference {
            path: path.clone(),
            old: before.map(str::to_owned),
            new: Some((*raw).to_owned()),
        };
        (before != Some(*raw)).then_some(difference)
    });
    gone.chain(changed).collect()
}

fn paths(text: Option<&str>) -> Vec<(String, &str)> {
    let mut paths = Vec::new();
    for (key, raw) in text.map(Members::of).into_iter().flatten() {
        let name = json::unquote(key);
        if BAGS.contains(&name.as_ref()) && Kind::of(raw) == Kind::Object && raw != "{}" {
            let inner =
                Members::of(raw).map(|(key, raw)| (format!("{name}.{}", json::unquote(key)), raw));
            paths.extend(inner);
        } else if !SILENT.contains(&name.as_ref()) {
            paths.push((name.into_owned(), raw));
        }
    }
    paths
}

/// What outcomes would change in the tenant as `view` shows it. Secrets are not among it.
pub fn of_outcomes(view: &dyn View, outcomes: &[Outcome]) -> Vec<Difference> {
    let user = |id: &str| view.user(id);
    let client = |id: &str| view.client(id).map(|client| shown(&client));
    let resource = |kind, id: &str| view.resource(kind, id).map(|resource| resource.to_json());
    let json =
        |document: &Option<Document>| document.as_ref().map(|document| document.json().to_owned());
    outcomes
        .iter()
        .flat_map(|outcome| {
            let (old, new) = match outcome {
                Outcome::User(after) => (json(&user(after.id())), Some(after.json().to_owned())),
                Outcome::UserGone(id) => (json(&user(id.as_str())), None),
                Outcome::Client(after) => (client(&after.id), Some(shown(after))),
                Outcome::ClientGone(id) => (client(id), None),
                Outcome::Resource(after) => {
                    (resource(after.kind, &after.id), Some(after.to_json()))
                }
                Outcome::ResourceGone(kind, id) => (resource(*kind, id), None),
            };
            between(old.as_deref(), new.as_deref())
        })
        .collect()
}

fn shown(client: &Client) -> String {
    client.to_json("", false)
}

/// Differences as a JSON array text of `{path, old?, new?}`.
pub fn to_json(differences: &[Difference]) -> String {
    let one = |difference: &Difference| {
        let mut out = json::Builder::new();
        out.string("path", &difference.path);
        if let Some(old) = &difference.old {
            out.raw("old", old);
        }
        if let Some(new) = &difference.new {
            out.raw("new", new);
        }
        out.finish()
    };
    format!("[{}]", differences.iter().map(one).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(old: Option<&str>, new: Option<&str>, expected: &str) {
        assert_eq!(to_json(&between(old, new)), expected);
    }

    #[test]
    fn root_members_and_keys_of_bags_are_told_apart() {
        check(
            Some(r#"{"name":"a","updated_at":1,"user_metadata":{"x":1,"y":2}}"#),
            Some(r#"{"name":"b","updated_at":2,"user_metadata":{"x":1,"z":{"n":null}}}"#),
            r#"[{"path":"user_metadata.y","old":2},{"path":"name","old":"a","new":"b"},{"path":"user_metadata.z","new":{"n":null}}]"#,
        );
    }

    #[test]
    fn an_empty_bag_that_gets_keys_is_not_gone() {
        check(
            Some(r#"{"user_metadata":{}}"#),
            Some(r#"{"user_metadata":{"a":1}}"#),
            r#"[{"path":"user_metadata.a","new":1}]"#,
        );
    }

    #[test]
    fn what_was_or_is_not_has_one_side() {
        check(None, Some(r#"{"a":1}"#), r#"[{"path":"a","new":1}]"#);
        check(Some(r#"{"a":1}"#), None, r#"[{"path":"a","old":1}]"#);
        check(
            Some(r#"{"user_metadata":{"a":1}}"#),
            Some(r#"{"user_metadata":{}}"#),
            r#"[{"path":"user_metadata.a","old":1},{"path":"user_metadata","new":{}}]"#,
        );
    }
}
