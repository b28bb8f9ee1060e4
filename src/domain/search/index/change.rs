//! What differs between two versions of a document, path by path.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::iter::Peekable;

use crate::domain::search::field::{EMAIL_DOMAIN, email_domain};
use crate::domain::search::index::tree::{NodeId, TOP, Tree};
use crate::domain::search::index::values::Key;
use crate::domain::search::json::{Json, Quoted, has_content};
use crate::domain::search::record::{Scalar, text_in_field};

/// Objects with more members than this are compared through a map of the other's members.
const SMALL_MEMBERS: usize = 16;

/// One thing to know of a document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry<'a> {
    pub(crate) node: NodeId,
    pub(crate) fact: Fact<'a>,
}

/// What is true of a document at a path.
///
/// In this order: values go before the array that held them is forgotten.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fact<'a> {
    /// There is anything at all.
    Exists,
    Value(Key<'a>),
    /// What is there is an array or an object.
    Container,
}

/// What is no longer true of a document, and what has become so. An entry is in one of them at most.
#[derive(Debug, Default)]
pub(crate) struct Change<'a> {
    pub(crate) removed: Vec<Entry<'a>>,
    pub(crate) added: Vec<Entry<'a>>,
}

impl<'a> Change<'a> {
    /// What differs between two documents; paths that are new are made in `tree`.
    pub(crate) fn between(tree: &mut Tree, old: Option<&'a str>, new: Option<&'a str>) -> Self {
        let mut change = Self::default();
        change.compare(tree, TOP, 0, old, new);
        change
    }

    /// Compares the values at a node. Members of objects have paths of their own, which no other part of
    /// the document shares, so only what differs is looked at. Elements of arrays share one path.
    fn compare(
        &mut self,
        tree: &mut Tree,
        node: NodeId,
        level: usize,
        old: Option<&'a str>,
        new: Option<&'a str>,
    ) {
        if old == new {
            return;
        }
        let (old_json, new_json) = (old.and_then(Json::read), new.and_then(Json::read));
        if has_items(old_json.as_ref()) || has_items(new_json.as_ref()) {
            self.compare_sets(tree, node, level, old, new);
        } else {
            self.compare_members(tree, node, level, old_json.as_ref(), new_json.as_ref());
            self.compare_facts(tree, node, level, old, new);
        }
        if tree.node(node).is_email() {
            self.compare_domains(tree, node, old_json.as_ref(), new_json.as_ref());
        }
    }

    fn compare_members(
        &mut self,
        tree: &mut Tree,
        node: NodeId,
        level: usize,
        old: Option<&Json<'a>>,
        new: Option<&Json<'a>>,
    ) {
        let (mut old, mut new) = (members(old), members(new));
        // Two versions of an object nearly always have the same keys in the same order.
        while let (Some((old_key, old_value)), Some((new_key, new_value))) =
            (old.peek(), new.peek())
        {
            if old_key != new_key {
                break;
            }
            if old_value != new_value {
                self.compare_child(
                    tree,
                    node,
                    level,
                    &old_key.text(),
                    Some(old_value),
                    Some(new_value),
                );
            }
            old.next();
            new.next();
        }
        let (old, new) = (named(old), named(new));
        for (key, value, counterpart) in pairs(&old, &new) {
            if counterpart != Some(value) {
                self.compare_child(tree, node, level, key, Some(value), counterpart);
            }
        }
        for (key, value, counterpart) in pairs(&new, &old) {
            if counterpart.is_none() {
                self.compare_child(tree, node, level, key, None, Some(value));
            }
        }
    }

    fn compare_child(
        &mut self,
        tree: &mut Tree,
        node: NodeId,
        level: usize,
        key: &str,
        old: Option<&'a str>,
        new: Option<&'a str>,
    ) {
        if !tree.node(node).shows(key) {
            return;
        }
        let is_filled = new.is_some_and(|new| has_content(new, level + 1));
        let child = if is_filled { tree.child_or_new(node, key) } else { tree.child(node, key) };
        if let Some(child) = child {
            self.compare(tree, child, level + 1, old, new);
        }
    }

    fn compare_facts(
        &mut self,
        tree: &Tree,
        node: NodeId,
        level: usize,
        old: Option<&'a str>,
        new: Option<&'a str>,
    ) {
        if node == TOP {
            return;
        }
        let (mut before, mut after) = (Vec::new(), Vec::new());
        facts(tree, node, level, old, &mut before);
        facts(tree, node, level, new, &mut after);
        self.removed.extend(before.iter().filter(|entry| !after.contains(entry)).cloned());
        self.added.extend(after.into_iter().filter(|entry| !before.contains(entry)));
    }

    fn compare_sets(
        &mut self,
        tree: &mut Tree,
        node: NodeId,
        level: usize,
        old: Option<&'a str>,
        new: Option<&'a str>,
    ) {
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for (text, entries) in [(old, &mut before), (new, &mut after)] {
            if let Some(text) = text {
                collect(tree, node, level, text, entries);
            }
            entries.sort_unstable();
            entries.dedup();
        }
        self.removed
            .extend(before.iter().filter(|entry| after.binary_search(entry).is_err()).cloned());
        self.added.extend(after.into_iter().filter(|entry| before.binary_search(entry).is_err()));
    }

    fn compare_domains(
        &mut self,
        tree: &mut Tree,
        email: NodeId,
        old: Option<&Json<'a>>,
        new: Option<&Json<'a>>,
    ) {
        let (old, new) = (domain(old), domain(new));
        if old == new {
            return;
        }
        let node = match &new {
            Some(_) => tree.child_or_new(email, EMAIL_DOMAIN),
            None => tree.child(email, EMAIL_DOMAIN),
        };
        let Some(node) = node else { return };
        if old.is_some() != new.is_some() {
            let changed = if new.is_some() { &mut self.added } else { &mut self.removed };
            changed.push(Entry { node, fact: Fact::Exists });
        }
        self.removed.extend(old.map(|key| Entry { node, fact: Fact::Value(key) }));
        self.added.extend(new.map(|key| Entry { node, fact: Fact::Value(key) }));
    }
}

/// What is true at a node of a value, without looking into it.
fn facts<'a>(
    tree: &Tree,
    node: NodeId,
    level: usize,
    text: Option<&'a str>,
    entries: &mut Vec<Entry<'a>>,
) {
    let Some(text) = text.filter(|text| has_content(text, level)) else { return };
    entries.push(Entry { node, fact: Fact::Exists });
    let folds = tree.node(node).folds();
    let scalar = match Json::read(text) {
        Some(Json::Bool(value)) => Scalar::Bool(value),
        Some(Json::Number(number)) => Scalar::Number(number),
        Some(Json::Text(quoted)) => Scalar::Text(text_in_field(quoted, folds)),
        Some(Json::Array(_) | Json::Object(_)) => {
            entries.push(Entry { node, fact: Fact::Container });
            return;
        }
        Some(Json::Null) | None => return,
    };
    entries.extend(Key::of(scalar).map(|key| Entry { node, fact: Fact::Value(key) }));
}

/// What is true of a value at a node and below; the same fact can come more than once.
fn collect<'a>(
    tree: &mut Tree,
    node: NodeId,
    level: usize,
    text: &'a str,
    entries: &mut Vec<Entry<'a>>,
) {
    if !has_content(text, level) {
        return;
    }
    facts(tree, node, level, Some(text), entries);
    match Json::read(text) {
        Some(Json::Array(items)) => {
            items.for_each(|item| collect(tree, node, level + 1, item, entries));
        }
        Some(Json::Object(members)) => {
            for (key, value) in members {
                let key = key.text();
                if !tree.node(node).shows(&key) || !has_content(value, level + 1) {
                    continue;
                }
                if let Some(child) = tree.child_or_new(node, &key) {
                    collect(tree, child, level + 1, value, entries);
                }
            }
        }
        Some(Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_)) | None => {}
    }
}

fn has_items(json: Option<&Json<'_>>) -> bool {
    matches!(json, Some(Json::Array(_)))
}

type Member<'a> = (Cow<'a, str>, &'a str);

fn members<'a>(json: Option<&Json<'a>>) -> Peekable<impl Iterator<Item = (Quoted<'a>, &'a str)>> {
    let members = match json {
        Some(Json::Object(members)) => Some(members.clone()),
        Some(Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) | Json::Array(_))
        | None => None,
    };
    members.into_iter().flatten().peekable()
}

fn named<'a>(members: impl Iterator<Item = (Quoted<'a>, &'a str)>) -> Vec<Member<'a>> {
    members.map(|(key, value)| (key.text(), value)).collect()
}

/// Each member of one object with the value that another has under the same key.
fn pairs<'m, 'a>(
    ones: &'m [Member<'a>],
    others: &'m [Member<'a>],
) -> impl Iterator<Item = (&'m str, &'a str, Option<&'a str>)> {
    let by_key: BTreeMap<&str, &'a str> = if others.len() > SMALL_MEMBERS {
        others.iter().map(|(key, value)| (key.as_ref(), *value)).collect()
    } else {
        BTreeMap::new()
    };
    ones.iter().enumerate().map(move |(index, (key, value))| {
        // Members nearly always keep their place.
        let other = match others.get(index).filter(|(other, _)| other == key) {
            Some((_, other)) => Some(*other),
            None if others.len() > SMALL_MEMBERS => by_key.get(key.as_ref()).copied(),
            None => others.iter().find(|(other, _)| other == key).map(|(_, other)| *other),
        };
        (key.as_ref(), *value, other)
    })
}

fn domain(email: Option<&Json<'_>>) -> Option<Key<'static>> {
    let Some(Json::Text(email)) = email else { return None };
    let domain = email_domain(&email.text())?.into_owned();
    Some(Key::Text(domain.into()))
}
