//! `application/vnd.dossier.ops+json`: what to do with values, instead of the values.
//!
//! `{"app_metadata": {"inc": {"count": 1}, "add_to_set": {"roles": "admin"}}}`: a bag, an
//! operation, keys with operands. A key that starts with `/` is a JSON Pointer into the
//! bag. Operations are done in the order they stand in, all of them or none.

use super::json_patch::MAX_OPERATIONS;
use super::pointer::Pointer;
use super::tree::{Budget, Node};
use super::value;
use super::{Failure, Malformed};
use crate::domain::json::{self, Elements, Kind, Members};
use crate::domain::time::Timestamp;
use std::cmp::Ordering;

/// What is done with one value.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Deed {
    /// Adds a number; a missing one is 0.
    Inc(String),
    /// Adds an element at the end of an array; a missing one is empty.
    Append(String),
    /// The same, unless an equal element is there.
    AddToSet(String),
    /// Takes all equal elements out of an array.
    RemoveElements(String),
    /// Removes the key.
    RemoveKey,
    /// Puts a value where there is none.
    SetIfAbsent(String),
    /// The larger of two numbers stays.
    Max(String),
    /// The smaller of two numbers stays.
    Min(String),
    /// The key goes by itself at this time; never, for none.
    ExpireAt(Option<Timestamp>),
}

/// One operation on one key.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Action {
    path: Pointer,
    deed: Deed,
}

/// The operations, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ops(Vec<Action>);

/// When a key of a bag is to go; none takes back what was said before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// The bag.
    pub bag: String,
    /// Its key.
    pub key: String,
    /// The time.
    pub at: Option<Timestamp>,
}

const NAMES: &str = "inc, append, add_to_set, remove, set_if_absent, max, min or expire_at";

impl Ops {
    /// Reads a compact JSON text whose root members are among `bags`.
    ///
    /// # Errors
    /// [`Malformed`], naming the place that is not right.
    pub fn parse(text: &str, bags: &[&str]) -> Result<Self, Malformed> {
        let mut actions = Vec::new();
        for (bag, operations) in members(text, "")? {
            if !bags.contains(&bag.as_str()) {
                let what = format!("operations are on {}", bags.join(" or "));
                return Err(Malformed::new(&bag, &what));
            }
            for (name, operands) in members(operations, &bag)? {
                let place = format!("{bag}.{name}");
                if name == "remove" && Kind::of(operands) == Kind::Array {
                    for key in Elements::of(operands) {
                        let key = string(key, &place, "an array of keys")?;
                        actions.push(Action { path: path(&bag, &key)?, deed: Deed::RemoveKey });
                    }
                    continue;
                }
                for (key, operand) in members(operands, &place)? {
                    let deed = deed(&name, operand, &format!("{place}.{key}"))?;
                    if matches!(deed, Deed::ExpireAt(_)) && key.starts_with('/') {
                        let what = "only a key of the bag itself can expire";
                        return Err(Malformed::new(&place, what));
                    }
                    actions.push(Action { path: path(&bag, &key)?, deed });
                }
            }
        }
        if actions.is_empty() || actions.len() > MAX_OPERATIONS {
            let what = format!("a patch has 1 to {MAX_OPERATIONS} operations");
            return Err(Malformed::new("", &what));
        }
        Ok(Self(actions))
    }

    /// Where the operations write.
    pub fn writes(&self) -> impl Iterator<Item = &Pointer> {
        self.0.iter().map(|action| &action.path)
    }

    /// Whether some key is to expire.
    pub fn expires_keys(&self) -> bool {
        self.0.iter().any(|action| matches!(action.deed, Deed::ExpireAt(_)))
    }

    /// The document after all operations, and what is to expire; what is to expire by `now` is gone.
    ///
    /// # Errors
    /// The [`Failure`] of the first that cannot be done.
    pub fn apply(
        &self,
        document: &str,
        budget: Budget,
        now: Timestamp,
    ) -> Result<(String, Vec<Expiry>), Failure> {
        let mut budget = budget;
        let mut root = Node::of(document);
        let mut expiries = Vec::new();
        for (at, action) in self.0.iter().enumerate() {
            let Action { path, deed } = action;
            let Deed::ExpireAt(time) = deed else {
                act(at, path, deed, &mut root, &mut budget)?;
                continue;
            };
            if root.find(path, &mut budget)?.is_none() {
                return Err(Failure::Missing { at, path: path.to_string() });
            }
            if time.is_some_and(|time| time <= now) {
                root.remove(path, &mut budget)?;
            } else if let [bag, key] = path.tokens() {
                expiries.push(Expiry { bag: bag.clone(), key: key.clone(), at: *time });
            }
        }
        Ok((root.text().into_owned(), expiries))
    }
}

fn act<'a>(
    at: usize,
    path: &Pointer,
    deed: &'a Deed,
    root: &mut Node<'a>,
    budget: &mut Budget,
) -> Result<(), Failure> {
    let conflict = |wanted: &'static str| Failure::Kind { at, path: path.to_string(), wanted };
    let before = match root.find(path, budget)? {
        Some(found) => {
            let text = found.text().into_owned();
            budget.read(&text)?;
            Some(text)
        }
        None => None,
    };
    let elements = |before: &Option<String>| match before.as_deref() {
        None => Ok(Vec::new()),
        Some(text) if Kind::of(text) == Kind::Array => {
            Ok(Elements::of(text).map(str::to_owned).collect::<Vec<String>>())
        }
        Some(_) => Err(conflict("an array")),
    };
    let number = |before: &Option<String>| match before {
        None => Ok(None),
        Some(text) if value::is_number(text) => Ok(Some(text.clone())),
        Some(_) => Err(conflict("a number")),
    };
    let after = match deed {
        Deed::Inc(by) => {
            let sum = value::sum(number(&before)?.as_deref().unwrap_or("0"), by);
            let sum = sum.filter(|sum| json::check(sum, 1).is_ok());
            sum.ok_or_else(|| Failure::Inexact { at, path: path.to_string() })?
        }
        Deed::Append(element) => {
            let mut list = elements(&before)?;
            list.push(element.clone());
            array(&list)
        }
        Deed::AddToSet(element) => {
            let mut list = elements(&before)?;
            if list.iter().any(|own| value::is_same(own, element)) {
                return Ok(());
            }
            list.push(element.clone());
            array(&list)
        }
        Deed::RemoveElements(element) => {
            let mut list = elements(&before)?;
            let had = list.len();
            list.retain(|own| !value::is_same(own, element));
            if list.len() == had {
                return Ok(());
            }
            array(&list)
        }
        Deed::SetIfAbsent(new) => match before {
            None => new.clone(),
            Some(_) => return Ok(()),
        },
        Deed::Max(new) | Deed::Min(new) => {
            let wins =
                if matches!(deed, Deed::Max(_)) { Ordering::Greater } else { Ordering::Less };
            match number(&before)? {
                Some(old) if value::compare(new, &old) != Some(wins) => return Ok(()),
                Some(_) | None => new.clone(),
            }
        }
        Deed::RemoveKey => {
            root.remove(path, budget)?;
            return Ok(());
        }
        Deed::ExpireAt(_) => return Ok(()),
    };
    budget.take(&after, path)?;
    let is_there = match root.find(path, budget)? {
        Some(found) => {
            *found = Node::owned(after);
            true
        }
        None => root.add(path, Node::owned(after), budget)?,
    };
    if is_there { Ok(()) } else { Err(Failure::Missing { at, path: path.to_string() }) }
}

fn array(elements: &[String]) -> String {
    format!("[{}]", elements.join(","))
}

fn members<'a>(raw: &'a str, place: &str) -> Result<Vec<(String, &'a str)>, Malformed> {
    if Kind::of(raw) != Kind::Object {
        return Err(Malformed::new(place, "an object is expected here"));
    }
    Ok(Members::of(raw).map(|(key, value)| (json::unquote(key).into_owned(), value)).collect())
}

fn string(raw: &str, place: &str, wanted: &str) -> Result<String, Malformed> {
    if Kind::of(raw) == Kind::String {
        Ok(json::unquote(raw).into_owned())
    } else {
        Err(Malformed::new(place, &format!("{wanted} is expected here")))
    }
}

/// Where a key of a bag is in the document.
fn path(bag: &str, key: &str) -> Result<Pointer, Malformed> {
    let mut tokens = vec![bag.to_owned()];
    if key.starts_with('/') {
        let inner = Pointer::parse(key)
            .map_err(|invalid| Malformed::new(bag, &format!("'{key}': {invalid}")))?;
        tokens.extend(inner.tokens().iter().cloned());
    } else {
        tokens.push(key.to_owned());
    }
    Ok(Pointer::of(tokens))
}

fn deed(name: &str, operand: &str, place: &str) -> Result<Deed, Malformed> {
    let number = || {
        if value::is_number(operand) {
            Ok(operand.to_owned())
        } else {
            Err(Malformed::new(place, "a number is expected here"))
        }
    };
    Ok(match name {
        "inc" => Deed::Inc(number()?),
        "max" => Deed::Max(number()?),
        "min" => Deed::Min(number()?),
        "append" => Deed::Append(operand.to_owned()),
        "add_to_set" => Deed::AddToSet(operand.to_owned()),
        "remove" => Deed::RemoveElements(operand.to_owned()),
        "set_if_absent" => Deed::SetIfAbsent(operand.to_owned()),
        "expire_at" if operand == "null" => Deed::ExpireAt(None),
        "expire_at" => {
            let wanted = "a time such as 2030-01-31T12:00:00Z, or null,";
            let text = string(operand, place, wanted)?;
            let time = Timestamp::parse(&text)
                .ok_or_else(|| Malformed::new(place, &format!("{wanted} is expected here")))?;
            Deed::ExpireAt(Some(time))
        }
        _ => return Err(Malformed::new(place, &format!("the operation must be {NAMES}"))),
    })
}
