//! Sorting: `field:1` upwards, `field:-1` downwards.

use std::cmp::Ordering;

use crate::domain::search::field::{Path, Source};
use crate::domain::search::moment::instant;
use crate::domain::search::number::Number;
use crate::domain::search::parse::Parser;
use crate::domain::search::query::QueryError;
use crate::domain::search::record::{Record, Scalar};

/// By what a list is sorted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort {
    path: Path,
    is_descending: bool,
}

/// The place of a document in an order: booleans before numbers, numbers before times, times before
/// other text, each by value.
///
/// Text of fields in which upper and lower case are one is compared in lower case, by code point.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SortKey(Value);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Bool(bool),
    Number(Number),
    /// An instant, and its text to tell equal ones apart.
    Time(i64, Box<str>),
    Text(Box<str>),
}

impl Sort {
    /// Reads `field:1` or `field:-1`.
    ///
    /// # Errors
    /// Where the direction is another one, or the field is not searchable.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let (field, direction) = text.rsplit_once(':').ok_or_else(|| QueryError {
            column: text.chars().count() + 1,
            message: "no direction; write field:1 or field:-1".to_owned(),
        })?;
        let is_descending = match direction {
            "1" => false,
            "-1" => true,
            _ => {
                return Err(QueryError {
                    column: field.chars().count() + 2,
                    message: format!("unknown direction '{direction}'; write 1 or -1"),
                });
            }
        };
        let path = Parser::path(field)?;
        match path.source() {
            Source::Keys | Source::EmailDomain => Ok(Self { path, is_descending }),
            Source::Nowhere => Err(QueryError {
                column: 1,
                message: format!("field '{path}' is not searchable, and so not sortable"),
            }),
        }
    }

    /// Says whether the greatest comes first.
    pub fn is_descending(&self) -> bool {
        self.is_descending
    }

    /// Says whether the field is in `user_metadata` or `app_metadata`, by which Auth0 does not sort.
    pub fn is_on_metadata(&self) -> bool {
        self.path.is_metadata()
    }

    /// The place of a document; `None` when it has no value to sort by. Of several values in an
    /// array, the first counts.
    #[must_use]
    pub fn key(&self, record: &Record<'_>) -> Option<SortKey> {
        let mut key = None;
        record.any(&self.path, &mut |value| {
            key = Some(SortKey(Value::of(value)));
            true
        });
        key
    }

    /// Compares two documents by their keys, in the direction of this sort. Those without a key come
    /// last, whichever the direction.
    #[must_use]
    pub fn compare(&self, left: Option<&SortKey>, right: Option<&SortKey>) -> Ordering {
        match (left, right) {
            (Some(left), Some(right)) if self.is_descending => right.cmp(left),
            (Some(left), Some(right)) => left.cmp(right),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Value {
    fn of(scalar: &Scalar<'_>) -> Self {
        match scalar {
            Scalar::Bool(value) => Self::Bool(*value),
            Scalar::Number(text) => {
                Number::parse(text).map_or_else(|| Self::Text((*text).into()), Self::Number)
            }
            Scalar::Text(text) => match instant(text) {
                Some(at) => Self::Time(at, text.as_ref().into()),
                None => Self::Text(text.as_ref().into()),
            },
        }
    }
}
