//! From a query to the documents that can match it.

use std::borrow::Cow;

use roaring::RoaringBitmap;

use crate::domain::search::ast::{Field, Kind, Node, Term};
use crate::domain::search::field::IDENTIFYING;
use crate::domain::search::index::Index;
use crate::domain::search::index::found::{Budget, Found, find};
use crate::domain::search::index::tree::Lookup;
use crate::domain::search::predicate::Predicate;
use crate::domain::search::query::{Query, Span};

/// What the index knows of the answer to a query.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Every document that can match.
    pub candidates: Candidates,
    /// The candidates are the answer; otherwise each of them has to be asked.
    pub exact: bool,
    /// Where the answer comes from.
    pub how: How,
    /// The terms that the index could not help with.
    pub unindexed: Vec<Unindexed>,
}

/// Documents that can match.
#[derive(Clone, Debug, PartialEq)]
pub enum Candidates {
    /// Every document there is.
    All,
    /// Only those in these slots.
    Only(RoaringBitmap),
}

/// Where an answer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// From the index alone.
    Index,
    /// From the index, and from the documents that it could not rule out.
    Hybrid,
    /// From every document.
    Scan,
}

/// A term that the index could not help with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unindexed {
    /// Where it is in the query.
    pub span: Span,
    /// Why.
    pub reason: Reason,
}

/// Why the index cannot help with a term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The path found no room, see [`IndexLimits::max_paths`](super::IndexLimits::max_paths).
    NoRoom,
    /// The path has so many values that only their hashes are kept.
    OnlyHashes,
    /// More values would have to be looked at than
    /// [`IndexLimits::walk_max`](super::IndexLimits::walk_max) allows.
    TooManyValues,
}

/// With this few candidates, asking them is cheaper than looking at the values of another term.
const FEW_CANDIDATES: u64 = 128;

impl How {
    /// The name for people and for `Server-Timing`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Hybrid => "hybrid",
            Self::Scan => "scan",
        }
    }
}

impl Index {
    /// Narrows a query down to the documents that can match it.
    #[must_use]
    pub fn plan(&self, query: &Query) -> Plan {
        let budget = Budget::new(self.limits.walk_max);
        let mut planner = Planner { index: self, budget, unindexed: Vec::new() };
        let found = planner.node(query.root());
        let unindexed = planner.unindexed;
        match found {
            Found::Exact(bitmap) => {
                let candidates = if query.is_everyone() {
                    Candidates::All
                } else {
                    Candidates::Only(bitmap.into_owned())
                };
                Plan { candidates, exact: true, how: How::Index, unindexed }
            }
            Found::Between(_, most) if most.len() < self.slots.len() => Plan {
                candidates: Candidates::Only(most),
                exact: false,
                how: How::Hybrid,
                unindexed,
            },
            Found::Between(..) | Found::Unknown => {
                Plan { candidates: Candidates::All, exact: false, how: How::Scan, unindexed }
            }
        }
    }
}

struct Planner<'a> {
    index: &'a Index,
    budget: Budget,
    unindexed: Vec<Unindexed>,
}

impl<'a> Planner<'a> {
    fn node(&mut self, node: &Node) -> Found<'a> {
        match &node.kind {
            Kind::All => Found::Exact(Cow::Borrowed(&self.index.slots)),
            Kind::Not(inner) => {
                let inner = self.node(inner);
                self.not(inner)
            }
            Kind::And(parts) => self.and(parts),
            Kind::Or(parts) => {
                let mut found = nobody();
                for part in parts {
                    let part = self.node(part);
                    found = self.or(found, part);
                }
                found
            }
            Kind::Term(term) => self.term(term, node.span),
        }
    }

    fn term(&mut self, term: &Term, span: Span) -> Found<'a> {
        match &term.field {
            Field::At(path) => self.find(self.index.tree.find(path), &term.predicate, span),
            Field::Identifying => {
                let mut found = nobody();
                for name in IDENTIFYING {
                    let lookup = self.index.tree.field(name).map_or(Lookup::Nobody, Lookup::Node);
                    let part = self.find(lookup, &term.predicate, span);
                    found = self.or(found, part);
                }
                found
            }
        }
    }

    fn find(&mut self, lookup: Lookup<'a>, predicate: &Predicate, span: Span) -> Found<'a> {
        let found = match lookup {
            Lookup::Nobody => Ok(nobody()),
            Lookup::WithoutRoom => Err(Reason::NoRoom),
            Lookup::Node(node) => find(node, predicate, &self.index.sets, &mut self.budget),
        };
        found.unwrap_or_else(|reason| {
            let unindexed = Unindexed { span, reason };
            if self.unindexed.last() != Some(&unindexed) {
                self.unindexed.push(unindexed);
            }
            Found::Unknown
        })
    }

    /// Begins with the parts that cost least and leaves the others to the evaluation once few are left.
    fn and(&mut self, parts: &[Node]) -> Found<'a> {
        let mut parts: Vec<&Node> = parts.iter().collect();
        parts.sort_by_key(|part| cost(part));
        let mut found: Option<Found<'a>> = None;
        for part in parts {
            let left = found.as_ref().and_then(most);
            if left.is_some_and(RoaringBitmap::is_empty) {
                break;
            }
            let is_cheap = cost(part) == 0;
            let part = if !is_cheap && left.is_some_and(|left| left.len() <= FEW_CANDIDATES) {
                Found::Unknown
            } else {
                self.node(part)
            };
            found = Some(match found {
                None => part,
                Some(found) => and(found, part),
            });
        }
        found.unwrap_or(Found::Unknown)
    }

    fn or(&self, left: Found<'a>, right: Found<'a>) -> Found<'a> {
        match (left, right) {
            (Found::Exact(left), Found::Exact(right)) => Found::Exact(if left.is_empty() {
                right
            } else {
                Cow::Owned(left.into_owned() | right.as_ref())
            }),
            (Found::Unknown, Found::Unknown) => Found::Unknown,
            (left, right) => {
                let least = at_least(&left).into_owned() | at_least(&right).as_ref();
                match (most(&left), most(&right)) {
                    (Some(left), Some(right)) => Found::Between(least, left | right),
                    (None, _) | (_, None) => Found::Between(least, self.index.slots.clone()),
                }
            }
        }
    }

    fn not(&self, found: Found<'a>) -> Found<'a> {
        let all = &self.index.slots;
        match found {
            Found::Exact(bitmap) => Found::Exact(Cow::Owned(all - bitmap.as_ref())),
            Found::Between(least, most) => Found::Between(all - most, all - least),
            Found::Unknown => Found::Unknown,
        }
    }
}

fn and<'a>(left: Found<'a>, right: Found<'a>) -> Found<'a> {
    match (left, right) {
        (Found::Exact(left), Found::Exact(right)) => {
            Found::Exact(Cow::Owned(left.as_ref() & right.as_ref()))
        }
        (Found::Unknown, Found::Unknown) => Found::Unknown,
        (left, right) => {
            let both = match (most(&left), most(&right)) {
                (Some(left), Some(right)) => left & right,
                (Some(one), None) | (None, Some(one)) => one.clone(),
                (None, None) => return Found::Unknown,
            };
            let least = at_least(&left).as_ref() & at_least(&right).as_ref();
            if both.is_empty() { nobody() } else { Found::Between(least, both) }
        }
    }
}

fn nobody<'a>() -> Found<'a> {
    Found::Exact(Cow::Owned(RoaringBitmap::new()))
}

fn at_least<'f>(found: &'f Found<'_>) -> Cow<'f, RoaringBitmap> {
    match found {
        Found::Exact(bitmap) => Cow::Borrowed(bitmap),
        Found::Between(least, _) => Cow::Borrowed(least),
        Found::Unknown => Cow::Owned(RoaringBitmap::new()),
    }
}

fn most<'f>(found: &'f Found<'_>) -> Option<&'f RoaringBitmap> {
    match found {
        Found::Exact(bitmap) => Some(bitmap),
        Found::Between(_, most) => Some(most),
        Found::Unknown => None,
    }
}

/// How much looking at values a part can need: none, some on one path, or on more.
fn cost(node: &Node) -> u8 {
    match &node.kind {
        Kind::All => 0,
        Kind::Not(inner) => cost(inner),
        Kind::And(parts) | Kind::Or(parts) => parts.iter().map(cost).max().unwrap_or(0),
        Kind::Term(term) => match (&term.predicate, &term.field) {
            (Predicate::Exists | Predicate::Equals(_), _) => 0,
            (Predicate::Matches(_) | Predicate::Within(_), Field::At(_)) => 1,
            (Predicate::Matches(_) | Predicate::Within(_), Field::Identifying) => 2,
        },
    }
}
