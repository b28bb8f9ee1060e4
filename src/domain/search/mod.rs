//! Search over users: the query language, its evaluation and its index.
//!
//! A query is Auth0's `q` of search engine v3 with the refusals lifted: text becomes a [`Query`] at the
//! door, and a query says of one document at a time whether it matches, or of an [`Index`] which
//! documents can match at all. Documents are the compact JSON text of a user as `GET` answers it.
//!
//! Invariants: nothing here panics on any input; the index never leaves out a document that the
//! evaluation would accept, and where it calls its answer exact both are equal.

mod anchor;
mod ast;
mod field;
mod index;
mod json;
mod moment;
pub(in crate::domain) mod number;
mod parse;
mod pattern;
mod predicate;
mod query;
mod record;
mod sort;
#[cfg(test)]
mod tests;
mod word;

pub use anchor::Anchor;
pub use index::{
    Candidates, How, Index, IndexLimits, Kinds, PathInfo, Plan, Reason, Suggestions, Typed,
    Unindexed, ValueCount,
};
pub use query::{Query, QueryError, Rules, Span};
pub use record::Record;
pub use sort::{Sort, SortKey};
