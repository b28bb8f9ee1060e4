//! What the index finds for one term.

use std::borrow::Cow;
use std::ops::Bound::{self, Excluded, Included, Unbounded};

use roaring::RoaringBitmap;

use crate::domain::search::index::plan::Reason;
use crate::domain::search::index::posting::{Posting, Sets, Union};
use crate::domain::search::index::times::Part;
use crate::domain::search::index::tree::Node;
use crate::domain::search::index::values::{Dictionary, Form, Key, Table, hash};
use crate::domain::search::moment::canonical_text;
use crate::domain::search::number::Number;
use crate::domain::search::predicate::{self, Literal, Predicate, Range, Wildcard};
use crate::domain::search::record::Scalar;

/// Between which sets of documents the answer lies.
#[derive(Clone, Debug)]
pub(crate) enum Found<'a> {
    /// The answer itself.
    Exact(Cow<'a, RoaringBitmap>),
    /// At least the first, at most the second.
    Between(RoaringBitmap, RoaringBitmap),
    /// Anything: every document has to be asked.
    Unknown,
}

/// How many more values a plan may look at, and how many of them the term that is at work.
#[derive(Debug)]
pub(crate) struct Budget {
    left: usize,
    of_term: usize,
}

impl Budget {
    pub(crate) fn new(left: usize) -> Self {
        Self { left, of_term: 0 }
    }

    /// A term gets half of what is left, so that one that asks for too much leaves something to others.
    fn begin_term(&mut self) {
        self.of_term = self.left / 2;
    }

    /// Refuses what would not fit, before any of it is done.
    fn require(&self, count: usize) -> Result<(), Reason> {
        if count <= self.of_term { Ok(()) } else { Err(Reason::TooManyValues) }
    }

    fn take(&mut self, count: usize) -> Result<(), Reason> {
        self.require(count)?;
        self.of_term -= count;
        self.left -= count;
        Ok(())
    }
}

/// Looking at a value costs more where the text of it lies elsewhere in memory or must be written first.
const LOOK_COST: usize = 4;
/// Joining the set of a whole day costs about as much as joining this many values.
const DAY_COST: usize = 8;

/// The documents in which a term holds at a node.
pub(crate) fn find<'a>(
    node: &'a Node,
    predicate: &Predicate,
    sets: &'a Sets,
    budget: &mut Budget,
) -> Result<Found<'a>, Reason> {
    let dictionary = match (predicate, node.values.form()) {
        (Predicate::Exists, _) => return Ok(Found::Exact(Cow::Borrowed(&node.exists))),
        (Predicate::Equals(literal), Form::Hashed(table)) => {
            return find_hashed(node, literal, table, sets);
        }
        (Predicate::Matches(_) | Predicate::Within(_), Form::Hashed(_)) => {
            return Err(Reason::OnlyHashes);
        }
        (_, Form::Dictionary(dictionary)) => dictionary,
    };
    budget.begin_term();
    let has_odd_times = node.values.counts().odd_times > 0;
    let folds = node.folds();
    let mut search = Search {
        predicate,
        dictionary,
        folds,
        has_odd_times,
        sets,
        budget,
        found: Union::default(),
    };
    match predicate {
        Predicate::Exists => {}
        Predicate::Equals(literal) => {
            // The usual case needs no copy.
            if let (None, [only]) = (literal.equal_stretch(), search.equal(literal).as_slice()) {
                return Ok(Found::Exact(sets.bitmap(*only)));
            }
            search.add_equal(literal)?;
        }
        Predicate::Matches(wildcard) => search.add_matching(wildcard)?,
        Predicate::Within(range) => search.add_within(range)?,
    }
    Ok(Found::Exact(Cow::Owned(search.found.finish())))
}

/// The documents of which a value has the hash that is asked for.
fn find_hashed<'a>(
    node: &Node,
    literal: &Literal,
    table: &Table,
    sets: &'a Sets,
) -> Result<Found<'a>, Reason> {
    let counts = node.values.counts();
    if literal.equal_stretch().is_some() && counts.times + counts.odd_times > 0 {
        return Err(Reason::OnlyHashes);
    }
    let text = Key::Text(Cow::Borrowed(literal.text_in_field(node.folds())));
    let keys =
        [Some(text), literal.number.clone().map(Key::Number), as_bool(literal).map(Key::Bool)];
    let mut found = Union::default();
    for posting in keys.into_iter().flatten().filter_map(|key| table.get(&hash(&key))) {
        found.add(sets, *posting);
    }
    let found = found.finish();
    Ok(if found.is_empty() {
        Found::Exact(Cow::Owned(found))
    } else {
        Found::Between(RoaringBitmap::new(), found)
    })
}

/// A walk through a dictionary: every value is asked with the predicate itself, but for those that an
/// order has already answered for.
struct Search<'s> {
    predicate: &'s Predicate,
    dictionary: &'s Dictionary,
    folds: bool,
    /// Some of the texts are times, and so not where their text alone would be.
    has_odd_times: bool,
    sets: &'s Sets,
    budget: &'s mut Budget,
    found: Union,
}

impl<'s> Search<'s> {
    /// The postings of the values that are the same as a literal.
    fn equal(&self, literal: &Literal) -> Vec<Posting> {
        let text = self.dictionary.texts.get(literal.text_in_field(self.folds)).copied();
        let number =
            literal.number.as_ref().and_then(|number| self.dictionary.numbers.get(number)).copied();
        let bool = as_bool(literal).and_then(|value| self.dictionary.bool(value));
        [text, number, bool].into_iter().flatten().collect()
    }

    fn add_equal(&mut self, literal: &Literal) -> Result<(), Reason> {
        for posting in self.equal(literal) {
            self.found.add(self.sets, posting);
        }
        let Some(stretch) = literal.equal_stretch() else { return Ok(()) };
        self.add_times(stretch.start..stretch.end)?;
        if self.has_odd_times { self.filter_texts(self.dictionary.texts.iter()) } else { Ok(()) }
    }

    fn add_matching(&mut self, wildcard: &'s Wildcard) -> Result<(), Reason> {
        let prefix = wildcard.pattern(self.folds).prefix();
        let first = prefix.chars().next();
        for value in [false, true] {
            if self.predicate.accepts(&Scalar::Bool(value), self.folds)
                && let Some(posting) = self.dictionary.bool(value)
            {
                self.found.add(self.sets, posting);
            }
        }
        if first.is_none_or(|first| first.is_ascii_digit() || first == '-') {
            self.filter_numbers()?;
        }
        if first.is_none_or(|first| first.is_ascii_digit()) {
            self.filter_times()?;
        }
        if prefix.is_empty() {
            self.budget.require(self.dictionary.texts.len().saturating_mul(LOOK_COST))?;
        }
        self.filter_texts(self.dictionary.texts_from(prefix))
    }

    fn add_within(&mut self, range: &Range) -> Result<(), Reason> {
        if let Some(bounds) = number_bounds(range) {
            for (_, posting) in self.dictionary.numbers.range(bounds) {
                self.budget.take(1)?;
                self.found.add(self.sets, *posting);
            }
        }
        match time_bounds(range) {
            Some(bounds) => self.add_times(bounds)?,
            None => self.filter_times()?,
        }
        if self.has_odd_times {
            return self.filter_texts(self.dictionary.texts.iter());
        }
        match text_bounds(range, self.folds) {
            Some(bounds) => self.filter_texts(self.dictionary.texts.range::<str, _>(bounds)),
            None => Ok(()),
        }
    }

    fn add_times(&mut self, range: std::ops::Range<i64>) -> Result<(), Reason> {
        if range.is_empty() {
            return Ok(());
        }
        for part in self.dictionary.times.parts(range) {
            match part {
                Part::Day(slots) => {
                    self.budget.take(DAY_COST)?;
                    self.found.add_all(slots);
                }
                Part::Instant(posting) => {
                    self.budget.take(1)?;
                    self.found.add(self.sets, posting);
                }
            }
        }
        Ok(())
    }

    fn filter_texts(
        &mut self,
        texts: impl Iterator<Item = (&'s Box<str>, &'s Posting)>,
    ) -> Result<(), Reason> {
        for (text, posting) in texts {
            self.budget.take(LOOK_COST)?;
            if self.predicate.accepts(&Scalar::Text(Cow::Borrowed(text)), self.folds) {
                self.found.add(self.sets, *posting);
            }
        }
        Ok(())
    }

    fn filter_numbers(&mut self) -> Result<(), Reason> {
        self.budget.require(self.dictionary.numbers.len().saturating_mul(LOOK_COST))?;
        for (number, posting) in &self.dictionary.numbers {
            self.budget.take(LOOK_COST)?;
            if self.predicate.accepts(&Scalar::Number(&number.to_string()), self.folds) {
                self.found.add(self.sets, *posting);
            }
        }
        Ok(())
    }

    fn filter_times(&mut self) -> Result<(), Reason> {
        self.budget.require(self.dictionary.times.len().saturating_mul(LOOK_COST))?;
        for (at, posting) in self.dictionary.times.iter() {
            self.budget.take(LOOK_COST)?;
            if self.predicate.accepts(&Scalar::Text(Cow::Owned(canonical_text(at))), self.folds) {
                self.found.add(self.sets, posting);
            }
        }
        Ok(())
    }
}

fn as_bool(literal: &Literal) -> Option<bool> {
    match literal.text.as_str() {
        "false" => Some(false),
        "true" => Some(true),
        _ => None,
    }
}

/// The numbers in a range; `None` when there can be none.
fn number_bounds(range: &Range) -> Option<(Bound<&Number>, Bound<&Number>)> {
    ordered(number_bound(range.lower.as_ref())?, number_bound(range.upper.as_ref())?)
}

fn number_bound(bound: Option<&predicate::Bound>) -> Option<Bound<&Number>> {
    let Some(bound) = bound else { return Some(Unbounded) };
    let number = bound.literal.number.as_ref()?;
    Some(if bound.is_inclusive { Included(number) } else { Excluded(number) })
}

/// The times in a range; `None` when a bound is no date, and so compares as text.
fn time_bounds(range: &Range) -> Option<std::ops::Range<i64>> {
    let start = match &range.lower {
        None => i64::MIN,
        Some(bound) => {
            let date = bound.literal.date.as_ref()?;
            if bound.is_inclusive { date.start } else { date.end }
        }
    };
    let end = match &range.upper {
        None => i64::MAX,
        Some(bound) => {
            let date = bound.literal.date.as_ref()?;
            if bound.is_inclusive { date.end } else { date.start }
        }
    };
    Some(start..end)
}

/// The texts in a range, of which none is a time; `None` when there can be none.
fn text_bounds(range: &Range, folds: bool) -> Option<(Bound<&str>, Bound<&str>)> {
    ordered(text_bound(range.lower.as_ref(), folds), text_bound(range.upper.as_ref(), folds))
}

fn text_bound(bound: Option<&predicate::Bound>, folds: bool) -> Bound<&str> {
    match bound {
        None => Unbounded,
        Some(bound) if bound.is_inclusive => Included(bound.literal.text_in_field(folds)),
        Some(bound) => Excluded(bound.literal.text_in_field(folds)),
    }
}

/// The bounds, when anything can lie between them; a map panics over those of which the end comes first.
fn ordered<T: Ord + Copy>(lower: Bound<T>, upper: Bound<T>) -> Option<(Bound<T>, Bound<T>)> {
    let is_possible = match (lower, upper) {
        (Unbounded, _) | (_, Unbounded) => true,
        (Included(lower), Included(upper)) => lower <= upper,
        (Included(lower) | Excluded(lower), Included(upper) | Excluded(upper)) => lower < upper,
    };
    is_possible.then_some((lower, upper))
}
