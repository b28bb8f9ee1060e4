//! Queries: text at the door, an answer for each document behind it.

use std::fmt;

use crate::domain::search::ast::{Field, Kind, Node, Term};
use crate::domain::search::field::Source;
use crate::domain::search::parse::Parser;
use crate::domain::search::predicate::Predicate;
use crate::domain::search::record::Record;

/// A parsed query.
///
/// Two queries are equal when they say the same, wherever in the text they say it. `Display` writes
/// every operator and every pair of parentheses out.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    root: Node,
}

/// Why a text is no query, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} at column {column}")]
pub struct QueryError {
    /// The place, counted in characters from 1.
    pub column: usize,
    /// What was found, wanted or allowed there.
    pub message: String,
}

/// A stretch of the text of a query, counted in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The column of its first character, counted from 1.
    pub column: usize,
    /// The column after its last character.
    pub end: usize,
}

/// What a query may use. The default allows everything; Auth0 allows none of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// `*` and `?` in terms on `user_metadata`.
    pub metadata_wildcards: bool,
    /// Ranges on `user_metadata`.
    pub metadata_ranges: bool,
    /// Patterns that begin with `*` or `?` and hold fewer than three characters in a row.
    pub short_suffixes: bool,
}

impl Rules {
    /// What Auth0 itself allows, for tests against its contract.
    pub const AUTH0: Self =
        Self { metadata_wildcards: false, metadata_ranges: false, short_suffixes: false };
}

impl Default for Rules {
    fn default() -> Self {
        Self { metadata_wildcards: true, metadata_ranges: true, short_suffixes: true }
    }
}

impl Query {
    /// The longest text of a query, in bytes.
    pub const TEXT_BYTES_MAX: usize = 4096;
    /// The most terms in a query.
    pub const TERMS_MAX: usize = 256;
    /// The most parentheses and negations inside each other.
    pub const DEPTH_MAX: usize = 32;

    /// Reads a query. A text of nothing but spaces asks for everyone.
    ///
    /// | written                        | matches                                                       |
    /// |--------------------------------|---------------------------------------------------------------|
    /// | `a OR b`, `a \|\| b`           | either                                                        |
    /// | `a AND b`, `a && b`            | both; binds tighter than `OR`                                 |
    /// | `NOT a`, `!a`, `-a`            | everyone else; binds tightest                                 |
    /// | `a b`                          | either, as in Lucene                                          |
    /// | `a -b`, `a !b`, `a NOT b`      | `a` without `b`: side by side, a negation excludes            |
    /// | `+a b`                         | `a`: side by side, what is marked `+` is required             |
    /// | `f:v`, `f:"v w"`, `f:v\ w`     | the whole value                                               |
    /// | `f:v*`, `f:*v`, `f:a?c`        | a pattern                                                     |
    /// | `f:[1 TO 5]`, `f:{1 TO *]`     | a range; `{` and `}` leave the bound out                      |
    /// | `f:(v OR w)`                   | either value of one field                                     |
    /// | `_exists_:f`, `f:*`            | any value; `null`, `{}` and `[]` are none                     |
    /// | `v`                            | a field that identifies the user has this value, see [`Self::matches`] |
    ///
    /// # Errors
    /// The first place that is not part of this language, that goes beyond a limit, or that `rules`
    /// do not allow. `~`, `^` and `/regular expressions/` are always refused.
    pub fn parse(text: &str, rules: Rules) -> Result<Self, QueryError> {
        if text.len() > Self::TEXT_BYTES_MAX {
            let fitting =
                text.char_indices().take_while(|(at, _)| *at < Self::TEXT_BYTES_MAX).count();
            return Err(QueryError {
                column: fitting + 1,
                message: format!("more than {} bytes, {} in all", Self::TEXT_BYTES_MAX, text.len()),
            });
        }
        Parser::new(text, rules).query().map(|root| Self { root })
    }

    /// Says whether a document matches.
    ///
    /// A term looks at every value at its path, and at every element of arrays on the way and at the
    /// end. A bare term looks at `email`, `name`, `nickname`, `given_name`, `family_name`, `username`,
    /// `user_id` and `phone_number`, never at metadata. A field that is not searchable has no values.
    #[must_use]
    pub fn matches(&self, record: &Record<'_>) -> bool {
        matches(&self.root, record)
    }

    /// Says whether the query asks for everyone.
    pub fn is_everyone(&self) -> bool {
        self.root.kind == Kind::All
    }

    /// Where the query names fields that are not searchable, and so have no values.
    pub fn unsearchable(&self) -> Vec<Span> {
        let mut terms = Vec::new();
        self.root.terms(&mut terms);
        terms
            .into_iter()
            .filter(|(field, _)| match field {
                Field::At(path) => path.source() == Source::Nowhere,
                Field::Identifying => false,
            })
            .map(|(_, span)| span)
            .collect()
    }

    pub(crate) fn root(&self) -> &Node {
        &self.root
    }
}

impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)
    }
}

fn matches(node: &Node, record: &Record<'_>) -> bool {
    match &node.kind {
        Kind::All => true,
        Kind::Not(inner) => !matches(inner, record),
        Kind::And(parts) => parts.iter().all(|part| matches(part, record)),
        Kind::Or(parts) => parts.iter().any(|part| matches(part, record)),
        Kind::Term(term) => matches_term(term, record),
    }
}

fn matches_term(term: &Term, record: &Record<'_>) -> bool {
    match (&term.field, &term.predicate) {
        (Field::At(path), Predicate::Exists) => record.has(path),
        (
            Field::At(path),
            predicate @ (Predicate::Equals(_) | Predicate::Matches(_) | Predicate::Within(_)),
        ) => record.any(path, &mut |value| predicate.accepts(value, path.folds())),
        (Field::Identifying, predicate) => {
            record.any_identifying(&mut |value, folds| predicate.accepts(value, folds))
        }
    }
}
