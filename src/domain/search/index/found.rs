//! What the index finds for one term.

use std::borrow::Cow;
use std::ops::Bound::{self, Excluded, Included, Unbounded};

use roaring::RoaringBitmap;

use crate::domain::search::index::plan::Reason;
use crate::domain::search::index::posting::{Posting, Sets, Union};
use crate::domain::search::index::tree::Node;
use crate::domain::search::index::values::{Dictionary, Form, Key, Values, hash};
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

/// How many more values a plan may look at.
#[derive(Debug)]
pub(crate) struct Budget {
    left: usize,
}

impl Budget {
    pub(crate) fn new(left: usize) -> Self {
        Self { left }
    }

    fn take(&mut self, count: usize) -> Result<(), Reason> {
        self.left = self.left.checked_sub(count).ok_or(Reason::TooManyValues)?;
        Ok(())
    }
}

/// Looking at a time or number means to write it out first.
const WRITE_COST: usize = 4;

/// The documents in which a term holds at a node.
pub(crate) fn find<'a>(
    node: &'a Node,
    predicate: &Predicate,
    sets: &'a Sets,
    budget: &mut Budget,
) -> Result<Found<'a>, Reason> {
    let search = Search { values: &node.values, folds: node.folds(), sets };
    match (predicate, node.values.form()) {
        (Predicate::Exists, _) => Ok(Found::Exact(Cow::Borrowed(&node.exists))),
        (Predicate::Equals(literal), Form::Dictionary(dictionary)) => {
            search.equal(literal, dictionary, budget)
        }
        (Predicate::Equals(literal), Form::Hashed(_)) => search.equal_hash(literal),
        (Predicate::Matches(wildcard), Form::Dictionary(dictionary)) => {
            search.matching(wildcard, predicate, dictionary, budget)
        }
        (Predicate::Within(range), Form::Dictionary(dictionary)) => {
            search.within(range, predicate, dictionary, budget)
        }
        (Predicate::Matches(_) | Predicate::Within(_), Form::Hashed(_)) => Err(Reason::OnlyHashes),
    }
}

struct Search<'a> {
    values: &'a Values,
    folds: bool,
    sets: &'a Sets,
}

impl<'a> Search<'a> {
    fn equal(
        &self,
        literal: &Literal,
        dictionary: &Dictionary,
        budget: &mut Budget,
    ) -> Result<Found<'a>, Reason> {
        let text = dictionary.texts.get(literal.text_in_field(self.folds)).copied();
        let number =
            literal.number.as_ref().and_then(|number| dictionary.numbers.get(number)).copied();
        let bool = as_bool(literal).and_then(|value| dictionary.bool(value));
        let mut found: Vec<Posting> = [text, number, bool].into_iter().flatten().collect();
        if let Some(stretch) = literal.equal_stretch() {
            for (_, posting) in dictionary.times.range(stretch.start..stretch.end) {
                budget.take(1)?;
                found.push(*posting);
            }
            if self.values.counts().odd_times > 0 {
                let predicate = Predicate::Equals(literal.clone());
                self.filter_texts(dictionary.texts.iter(), &predicate, budget, |posting| {
                    found.push(posting);
                })?;
            }
        }
        Ok(Found::Exact(self.gather(found)))
    }

    fn equal_hash(&self, literal: &Literal) -> Result<Found<'a>, Reason> {
        let counts = self.values.counts();
        if literal.equal_stretch().is_some() && counts.times + counts.odd_times > 0 {
            return Err(Reason::OnlyHashes);
        }
        let Form::Hashed(table) = self.values.form() else { return Err(Reason::OnlyHashes) };
        let text = Key::Text(Cow::Borrowed(literal.text_in_field(self.folds)));
        let number = literal.number.clone().map(Key::Number);
        let bool = as_bool(literal).map(Key::Bool);
        let keys = [Some(text), number, bool].into_iter().flatten();
        let found: Vec<Posting> = keys.filter_map(|key| table.get(&hash(&key)).copied()).collect();
        if found.is_empty() {
            return Ok(Found::Exact(Cow::Owned(RoaringBitmap::new())));
        }
        Ok(Found::Between(RoaringBitmap::new(), self.gather(found).into_owned()))
    }

    fn matching(
        &self,
        wildcard: &Wildcard,
        predicate: &Predicate,
        dictionary: &Dictionary,
        budget: &mut Budget,
    ) -> Result<Found<'a>, Reason> {
        let mut found = Union::default();
        let prefix = wildcard.pattern(self.folds).prefix();
        let first = prefix.chars().next();
        for value in [false, true] {
            if predicate.accepts(&Scalar::Bool(value), self.folds) {
                dictionary
                    .bool(value)
                    .into_iter()
                    .for_each(|posting| found.add(self.sets, posting));
            }
        }
        if first.is_none_or(|first| first.is_ascii_digit() || first == '-') {
            self.filter_numbers(dictionary.numbers.iter(), predicate, budget, &mut found)?;
        }
        if first.is_none_or(|first| first.is_ascii_digit()) {
            self.filter_times(dictionary.times.iter(), predicate, budget, &mut found)?;
        }
        self.filter_texts(dictionary.texts_from(prefix), predicate, budget, |posting| {
            found.add(self.sets, posting);
        })?;
        Ok(Found::Exact(Cow::Owned(found.finish())))
    }

    fn within(
        &self,
        range: &Range,
        predicate: &Predicate,
        dictionary: &Dictionary,
        budget: &mut Budget,
    ) -> Result<Found<'a>, Reason> {
        let mut found = Union::default();
        if let Some(bounds) = number_bounds(range) {
            for (_, posting) in dictionary.numbers.range(bounds) {
                budget.take(1)?;
                found.add(self.sets, *posting);
            }
        }
        match time_bounds(range) {
            Some(bounds) if bounds.start < bounds.end => {
                for (_, posting) in dictionary.times.range(bounds) {
                    budget.take(1)?;
                    found.add(self.sets, *posting);
                }
            }
            Some(_) => {}
            None => self.filter_times(dictionary.times.iter(), predicate, budget, &mut found)?,
        }
        let add = |posting| found.add(self.sets, posting);
        if self.values.counts().odd_times > 0 {
            self.filter_texts(dictionary.texts.iter(), predicate, budget, add)?;
        } else if let Some(bounds) = text_bounds(range, self.folds) {
            self.filter_texts(dictionary.texts.range::<str, _>(bounds), predicate, budget, add)?;
        }
        Ok(Found::Exact(Cow::Owned(found.finish())))
    }

    fn filter_texts<'t>(
        &self,
        texts: impl Iterator<Item = (&'t Box<str>, &'t Posting)>,
        predicate: &Predicate,
        budget: &mut Budget,
        mut add: impl FnMut(Posting),
    ) -> Result<(), Reason> {
        for (text, posting) in texts {
            budget.take(1)?;
            if predicate.accepts(&Scalar::Text(Cow::Borrowed(text)), self.folds) {
                add(*posting);
            }
        }
        Ok(())
    }

    fn filter_numbers<'t>(
        &self,
        numbers: impl Iterator<Item = (&'t Number, &'t Posting)>,
        predicate: &Predicate,
        budget: &mut Budget,
        found: &mut Union,
    ) -> Result<(), Reason> {
        for (number, posting) in numbers {
            budget.take(WRITE_COST)?;
            if predicate.accepts(&Scalar::Number(&number.to_string()), self.folds) {
                found.add(self.sets, *posting);
            }
        }
        Ok(())
    }

    fn filter_times<'t>(
        &self,
        times: impl Iterator<Item = (&'t i64, &'t Posting)>,
        predicate: &Predicate,
        budget: &mut Budget,
        found: &mut Union,
    ) -> Result<(), Reason> {
        for (at, posting) in times {
            budget.take(WRITE_COST)?;
            if predicate.accepts(&Scalar::Text(Cow::Owned(canonical_text(*at))), self.folds) {
                found.add(self.sets, *posting);
            }
        }
        Ok(())
    }

    fn gather(&self, found: Vec<Posting>) -> Cow<'a, RoaringBitmap> {
        if let [only] = found.as_slice() {
            return self.sets.bitmap(*only);
        }
        let mut union = Union::default();
        for posting in found {
            union.add(self.sets, posting);
        }
        Cow::Owned(union.finish())
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
