//! The tree of a query.

use std::fmt;

use crate::domain::search::field::Path;
use crate::domain::search::pattern::Token;
use crate::domain::search::predicate::{Bound, Literal, Predicate, Range, Wildcard};
use crate::domain::search::query::Span;

/// A part of a query and where it was written. Parts are equal when they say the same.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) kind: Kind,
    pub(crate) span: Span,
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

/// What a part of a query says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind {
    /// Everyone.
    All,
    Not(Box<Node>),
    And(Vec<Node>),
    Or(Vec<Node>),
    Term(Box<Term>),
}

/// What is asked of which values.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Term {
    pub(crate) field: Field,
    pub(crate) predicate: Predicate,
}

/// Where a term looks.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Field {
    /// In every field that identifies a user: the term is bare.
    Identifying,
    At(Path),
}

impl Node {
    /// How many operators stand above the lowest term.
    pub(crate) fn depth(&self) -> usize {
        match &self.kind {
            Kind::All | Kind::Term(_) => 0,
            Kind::Not(inner) => 1 + inner.depth(),
            Kind::And(parts) | Kind::Or(parts) => {
                1 + parts.iter().map(Self::depth).max().unwrap_or(0)
            }
        }
    }

    /// Every term, from left to right.
    pub(crate) fn terms<'a>(&'a self, found: &mut Vec<(&'a Field, Span)>) {
        match &self.kind {
            Kind::All => {}
            Kind::Not(inner) => inner.terms(found),
            Kind::And(parts) | Kind::Or(parts) => parts.iter().for_each(|part| part.terms(found)),
            Kind::Term(term) => found.push((&term.field, self.span)),
        }
    }
}

/// The query with every operator written out and every group in parentheses.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::All => f.write_str("*:*"),
            Kind::Not(inner) => write!(f, "NOT {inner}"),
            Kind::And(parts) => write_group(f, parts, " AND "),
            Kind::Or(parts) => write_group(f, parts, " OR "),
            Kind::Term(term) => term.fmt(f),
        }
    }
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.field, &self.predicate) {
            (Field::At(path), Predicate::Exists) => write!(f, "_exists_:{path}"),
            (Field::At(path), predicate) => write!(f, "{path}:{predicate}"),
            (Field::Identifying, predicate) => predicate.fmt(f),
        }
    }
}

fn write_group(f: &mut fmt::Formatter<'_>, parts: &[Node], operator: &str) -> fmt::Result {
    f.write_str("(")?;
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(operator)?;
        }
        write!(f, "{part}")?;
    }
    f.write_str(")")
}

impl fmt::Display for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exists => f.write_str("*"),
            Self::Equals(literal) => literal.fmt(f),
            Self::Matches(wildcard) => wildcard.fmt(f),
            Self::Within(range) => range.fmt(f),
        }
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for char in self.text.chars() {
            if matches!(char, '"' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{char}")?;
        }
        f.write_str("\"")
    }
}

impl fmt::Display for Wildcard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tokens.iter().try_for_each(|token| match token {
            Token::Many => f.write_str("*"),
            Token::One => f.write_str("?"),
            Token::Char(char) if char.is_alphanumeric() => write!(f, "{char}"),
            Token::Char(char) => write!(f, "\\{char}"),
        })
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_open_ended =
            |bound: &Option<Bound>| bound.as_ref().is_none_or(|bound| bound.is_inclusive);
        f.write_str(if is_open_ended(&self.lower) { "[" } else { "{" })?;
        write_bound(f, self.lower.as_ref())?;
        f.write_str(" TO ")?;
        write_bound(f, self.upper.as_ref())?;
        f.write_str(if is_open_ended(&self.upper) { "]" } else { "}" })
    }
}

fn write_bound(f: &mut fmt::Formatter<'_>, bound: Option<&Bound>) -> fmt::Result {
    match bound {
        Some(bound) => write!(f, "{}", bound.literal),
        None => f.write_str("*"),
    }
}
