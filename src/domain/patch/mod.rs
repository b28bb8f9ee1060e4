//! Merge dialects: what a PATCH says, by the media type it is written in.
//!
//! A patch is read at the door and applied in the tenant's turn, to the v2
//! representation of a user or client as it then is. It works on text: values it does
//! not name keep their order, numbers and escapes. What comes out is compared with what
//! was there, and the difference is an ordinary change ([`crate::domain::decide`]),
//! under the rules of every other PATCH.

mod json_patch;
mod merge_patch;
mod ops;
pub mod pointer;
#[cfg(test)]
mod tests;
mod tree;
mod value;

pub use json_patch::{JsonPatch, MAX_OPERATIONS};
pub use merge_patch::merged;
pub use ops::{Expiry, Ops};
pub use tree::Budget;

use super::json::{self, Members, Object};
use super::time::Timestamp;
use json_patch::Operation;
use std::borrow::Cow;

/// A text that is no patch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}{}", if place.is_empty() { String::new() } else { format!(" at {place}") })]
pub struct Malformed {
    /// Where in the patch; empty for all of it.
    pub place: String,
    /// What is wrong.
    pub what: String,
}

impl Malformed {
    fn new(place: &str, what: &str) -> Self {
        Self { place: place.to_owned(), what: what.to_owned() }
    }
}

/// Why a patch cannot be applied to what is there. `at` counts operations from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// A `test` found another value.
    #[error("operation {at} found another value at {path}")]
    Test {
        /// The operation.
        at: usize,
        /// Where it looked.
        path: String,
    },
    /// There is no value, or no place for one.
    #[error("operation {at} found nothing at {path}")]
    Missing {
        /// The operation.
        at: usize,
        /// Where it looked.
        path: String,
    },
    /// A value of another kind.
    #[error("operation {at} needs {wanted} at {path}")]
    Kind {
        /// The operation.
        at: usize,
        /// Where it looked.
        path: String,
        /// What it needs.
        wanted: &'static str,
    },
    /// A sum that cannot be written exactly.
    #[error("operation {at} cannot write the exact sum at {path}")]
    Inexact {
        /// The operation.
        at: usize,
        /// Where it looked.
        path: String,
    },
    /// The document would be nested too deep.
    #[error("the result is nested deeper than {limit} levels")]
    TooDeep {
        /// Levels allowed.
        limit: usize,
    },
    /// It adds more, or moves more, than one patch may.
    #[error("the patch adds or moves more than one patch may")]
    TooMuch,
}

/// A patch in one of the dialects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Patch {
    /// RFC 6902.
    Json(JsonPatch),
    /// RFC 7396.
    Merge(Object),
    /// Our operations.
    Ops(Ops),
}

/// What a patch makes of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The document as compact JSON text.
    pub document: String,
    /// Keys that are to expire.
    pub expiries: Vec<Expiry>,
}

impl Patch {
    /// The document after the patch.
    ///
    /// # Errors
    /// The [`Failure`] of the first operation that cannot be done.
    pub fn apply(
        &self,
        document: &str,
        budget: Budget,
        now: Timestamp,
    ) -> Result<Applied, Failure> {
        let (document, expiries) = match self {
            Self::Json(patch) => (patch.apply(document, budget)?, Vec::new()),
            Self::Merge(patch) => (merged(document, patch.as_json()), Vec::new()),
            Self::Ops(ops) => ops.apply(document, budget, now)?,
        };
        Ok(Applied { document, expiries })
    }

    /// Where the patch may write: a root member and, inside of it, a key. `("", None)` is the whole document.
    pub fn writes(&self) -> Vec<(Cow<'_, str>, Option<Cow<'_, str>>)> {
        match self {
            Self::Json(JsonPatch(operations)) => {
                let paths = operations.iter().flat_map(|operation| match operation {
                    Operation::Add { path, .. }
                    | Operation::Remove { path }
                    | Operation::Replace { path, .. }
                    | Operation::Copy { path, .. } => vec![path],
                    Operation::Move { from, path } => vec![from, path],
                    Operation::Test { .. } => Vec::new(),
                });
                paths.map(place).collect()
            }
            Self::Merge(patch) => patch
                .members()
                .flat_map(|(root, value)| {
                    let root = json::unquote(root);
                    let inner: Vec<_> = Members::of(value)
                        .map(|(key, _)| (root.clone(), Some(json::unquote(key))))
                        .collect();
                    if inner.is_empty() { vec![(root, None)] } else { inner }
                })
                .collect(),
            Self::Ops(ops) => ops.writes().map(place).collect(),
        }
    }

    /// The root members the patch looks into without writing there; empty for the whole document.
    pub fn reads(&self) -> Vec<&str> {
        let Self::Json(JsonPatch(operations)) = self else { return Vec::new() };
        let read = operations.iter().filter_map(|operation| match operation {
            Operation::Test { path, .. } => Some(path),
            Operation::Copy { from, .. } | Operation::Move { from, .. } => Some(from),
            Operation::Add { .. } | Operation::Remove { .. } | Operation::Replace { .. } => None,
        });
        read.map(|path| path.root().unwrap_or_default()).collect()
    }

    /// Whether some key is to expire.
    pub fn expires_keys(&self) -> bool {
        match self {
            Self::Ops(ops) => ops.expires_keys(),
            Self::Json(_) | Self::Merge(_) => false,
        }
    }
}

fn place(path: &pointer::Pointer) -> (Cow<'_, str>, Option<Cow<'_, str>>) {
    let key = path.tokens().get(1).map(|key| Cow::Borrowed(key.as_str()));
    (Cow::Borrowed(path.root().unwrap_or_default()), key)
}
