//! `application/json-patch+json` (RFC 6902): a list of operations, all of them or none.
//!
//! A patch is applied in the tenant's turn, so a `test` before a change is a real
//! compare-and-set.

use super::pointer::Pointer;
use super::tree::{Budget, Node};
use super::value;
use super::{Failure, Malformed};
use crate::domain::json::{Elements, Kind, Object};

/// Operations one patch may have.
pub const MAX_OPERATIONS: usize = 1000;

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    /// Puts a value in place of a member, or before an element.
    Add { path: Pointer, value: String },
    /// Takes a value away.
    Remove { path: Pointer },
    /// Puts a value in place of another.
    Replace { path: Pointer, value: String },
    /// Takes a value away and adds it elsewhere.
    Move { from: Pointer, path: Pointer },
    /// Adds a value that is elsewhere.
    Copy { from: Pointer, path: Pointer },
    /// Fails unless a value is this one.
    Test { path: Pointer, value: String },
}

/// The operations, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonPatch(pub(super) Vec<Operation>);

impl JsonPatch {
    /// Reads a compact JSON text. Members the RFC does not name are passed over.
    ///
    /// # Errors
    /// [`Malformed`], naming the operation that is not right.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        if Kind::of(text) != Kind::Array {
            return Err(Malformed::new("", "a JSON Patch is an array of operations"));
        }
        let operations = Elements::of(text)
            .take(MAX_OPERATIONS + 1)
            .enumerate()
            .map(|(at, raw)| {
                operation(raw).map_err(|what| Malformed::new(&format!("[{at}]"), &what))
            })
            .collect::<Result<Vec<Operation>, Malformed>>()?;
        if operations.len() > MAX_OPERATIONS {
            let what = format!("a patch may have {MAX_OPERATIONS} operations");
            return Err(Malformed::new("", &what));
        }
        Ok(Self(operations))
    }

    /// The document after all operations.
    ///
    /// # Errors
    /// The [`Failure`] of the first that cannot be done.
    pub fn apply(&self, document: &str, budget: Budget) -> Result<String, Failure> {
        let mut budget = budget;
        let mut root = Node::of(document);
        for (at, operation) in self.0.iter().enumerate() {
            operation.apply(at, &mut root, &mut budget)?;
        }
        Ok(root.text().into_owned())
    }
}

impl Operation {
    fn apply<'a>(
        &'a self,
        at: usize,
        root: &mut Node<'a>,
        budget: &mut Budget,
    ) -> Result<(), Failure> {
        let missing = |path: &Pointer| Failure::Missing { at, path: path.to_string() };
        match self {
            Self::Add { path, value } => {
                budget.take(value, path)?;
                if root.add(path, Node::of(value), budget)? { Ok(()) } else { Err(missing(path)) }
            }
            Self::Remove { path } => {
                root.remove(path, budget)?.map(|_| ()).ok_or_else(|| missing(path))
            }
            Self::Replace { path, value } => {
                budget.take(value, path)?;
                *root.find(path, budget)?.ok_or_else(|| missing(path))? = Node::of(value);
                Ok(())
            }
            Self::Move { from, path } => {
                if from == path {
                    return root.find(from, budget)?.map(|_| ()).ok_or_else(|| missing(from));
                }
                let value = root.remove(from, budget)?.ok_or_else(|| missing(from))?;
                budget.place(&value.text(), path)?;
                if root.add(path, value, budget)? { Ok(()) } else { Err(missing(path)) }
            }
            Self::Copy { from, path } => {
                let found = root.find(from, budget)?.ok_or_else(|| missing(from))?;
                let value = found.text().into_owned();
                budget.take(&value, path)?;
                if root.add(path, Node::owned(value), budget)? {
                    Ok(())
                } else {
                    Err(missing(path))
                }
            }
            Self::Test { path, value } => {
                let differs = || Failure::Test { at, path: path.to_string() };
                let found = root.find(path, budget)?.ok_or_else(differs)?.text();
                budget.read(&found)?;
                if value::is_same(&found, value) { Ok(()) } else { Err(differs()) }
            }
        }
    }
}

fn operation(raw: &str) -> Result<Operation, String> {
    if Kind::of(raw) != Kind::Object {
        return Err("an operation is an object".to_owned());
    }
    let members = Object::trusted(raw);
    let text = |name: &str| match members.get(name) {
        None => Err(format!("'{name}' is missing")),
        Some(raw) if Kind::of(raw) == Kind::String => {
            members.get_str(name).map(std::borrow::Cow::into_owned).ok_or_else(String::new)
        }
        Some(_) => Err(format!("'{name}' must be a string")),
    };
    let pointer =
        |name: &str| Pointer::parse(&text(name)?).map_err(|invalid| format!("'{name}': {invalid}"));
    let value = || {
        let raw = members.get("value").ok_or_else(|| "'value' is missing".to_owned())?;
        Ok::<String, String>(raw.to_owned())
    };
    let op = text("op")?;
    let path = pointer("path")?;
    Ok(match op.as_str() {
        "add" => Operation::Add { path, value: value()? },
        "remove" => Operation::Remove { path },
        "replace" => Operation::Replace { path, value: value()? },
        "test" => Operation::Test { path, value: value()? },
        "copy" => Operation::Copy { from: pointer("from")?, path },
        "move" => {
            let from = pointer("from")?;
            if from.is_above(&path) {
                return Err("a value cannot be moved into itself".to_owned());
            }
            Operation::Move { from, path }
        }
        _ => {
            return Err("'op' must be add, remove, replace, move, copy or test".to_owned());
        }
    })
}
