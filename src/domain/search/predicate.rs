//! What a single term asks of a single value.
//!
//! Evaluation over documents and the index both ask here, so they cannot disagree.

use std::borrow::Cow;
use std::cmp::Ordering;

use crate::domain::search::field::fold;
use crate::domain::search::moment::{Precision, Stretch, instant};
use crate::domain::search::number::Number;
use crate::domain::search::pattern::{Pattern, Token};
use crate::domain::search::record::Scalar;

/// A term without its field.
#[derive(Clone, Debug)]
pub(crate) enum Predicate {
    /// There is anything but `null`, `{}` and `[]`.
    Exists,
    Equals(Literal),
    Matches(Wildcard),
    Within(Range),
}

/// Two predicates are equal when they were written alike.
impl PartialEq for Predicate {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exists, Self::Exists) => true,
            (Self::Equals(left), Self::Equals(right)) => left.text == right.text,
            (Self::Matches(left), Self::Matches(right)) => left.tokens == right.tokens,
            (Self::Within(left), Self::Within(right)) => left == right,
            (Self::Exists | Self::Equals(_) | Self::Matches(_) | Self::Within(_), _) => false,
        }
    }
}

impl Predicate {
    /// Says whether a value is what is asked for; `folds` says that its field, and so its text, folds.
    ///
    /// | value                     | equal to a term                       | in a range                   |
    /// |---------------------------|---------------------------------------|------------------------------|
    /// | number                    | the same value, however it is written | between bounds that are numbers |
    /// | text, RFC 3339 time       | the same text, or inside a date written from the month down | by time for bounds that are dates |
    /// | other text                | the same text                         | by code point                |
    /// | boolean                   | `true` or `false`                     | never                        |
    pub(crate) fn accepts(&self, value: &Scalar<'_>, folds: bool) -> bool {
        match self {
            Self::Exists => true,
            Self::Equals(literal) => literal.equals(value, folds),
            Self::Matches(wildcard) => wildcard.matches(value, folds),
            Self::Within(range) => range.contains(value, folds),
        }
    }
}

/// A text as a query gives it, and all it can stand for.
#[derive(Clone, Debug)]
pub(crate) struct Literal {
    pub(crate) text: String,
    pub(crate) folded: String,
    pub(crate) number: Option<Number>,
    pub(crate) date: Option<Stretch>,
}

impl Literal {
    pub(crate) fn new(text: String) -> Self {
        let (folded, number, date) =
            (fold(&text).into_owned(), Number::parse(&text), Stretch::parse(&text));
        Self { text, folded, number, date }
    }

    pub(crate) fn text_in_field(&self, folds: bool) -> &str {
        if folds { &self.folded } else { &self.text }
    }

    /// The stretch of time in which a value is equal to this; four digits alone are a number.
    pub(crate) fn equal_stretch(&self) -> Option<&Stretch> {
        self.date.as_ref().filter(|stretch| stretch.precision >= Precision::Month)
    }

    fn equals(&self, value: &Scalar<'_>, folds: bool) -> bool {
        match value {
            Scalar::Bool(value) => self.text == if *value { "true" } else { "false" },
            Scalar::Number(number) => self.number.as_ref().is_some_and(|wanted| {
                *number == self.text || Number::parse(number).as_ref() == Some(wanted)
            }),
            Scalar::Text(text) => {
                text == self.text_in_field(folds)
                    || self.equal_stretch().is_some_and(|stretch| {
                        instant(text).is_some_and(|at| (stretch.start..stretch.end).contains(&at))
                    })
            }
        }
    }
}

/// A pattern as a query gives it, plain and folded.
#[derive(Clone, Debug)]
pub(crate) struct Wildcard {
    pub(crate) tokens: Vec<Token>,
    plain: Pattern,
    folded: Pattern,
}

impl Wildcard {
    pub(crate) fn new(tokens: Vec<Token>) -> Self {
        let folded: Vec<Token> = tokens
            .iter()
            .flat_map(|token| match token {
                Token::Char(char) => char.to_lowercase().map(Token::Char).collect(),
                Token::One | Token::Many => vec![*token],
            })
            .collect();
        Self { plain: Pattern::new(&tokens), folded: Pattern::new(&folded), tokens }
    }

    pub(crate) fn pattern(&self, folds: bool) -> &Pattern {
        if folds { &self.folded } else { &self.plain }
    }

    fn matches(&self, value: &Scalar<'_>, folds: bool) -> bool {
        match value {
            Scalar::Bool(value) => self.plain.matches(if *value { "true" } else { "false" }),
            Scalar::Number(number) => self.plain.matches(&canonical_number(number)),
            Scalar::Text(text) => self.pattern(folds).matches(text),
        }
    }
}

/// Whole numbers without an exponent are their own canonical text.
fn canonical_number(number: &str) -> Cow<'_, str> {
    if number.len() < 18 && number.bytes().all(|byte| byte.is_ascii_digit()) {
        return Cow::Borrowed(number);
    }
    match Number::parse(number) {
        Some(number) => Cow::Owned(number.to_string()),
        None => Cow::Borrowed(number),
    }
}

/// The values between two bounds, of which there is at least one.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Range {
    pub(crate) lower: Option<Bound>,
    pub(crate) upper: Option<Bound>,
}

/// One end of a range.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub(crate) literal: Literal,
    pub(crate) is_inclusive: bool,
}

impl PartialEq for Bound {
    fn eq(&self, other: &Self) -> bool {
        self.literal.text == other.literal.text && self.is_inclusive == other.is_inclusive
    }
}

impl Range {
    fn contains(&self, value: &Scalar<'_>, folds: bool) -> bool {
        match value {
            Scalar::Bool(_) => false,
            Scalar::Number(number) => {
                Number::parse(number).is_some_and(|number| self.contains_number(&number))
            }
            Scalar::Text(text) => self.contains_text(text, folds),
        }
    }

    pub(crate) fn contains_number(&self, number: &Number) -> bool {
        self.bounds_hold(|bound| Some(number.cmp(bound.literal.number.as_ref()?)))
    }

    fn contains_text(&self, text: &str, folds: bool) -> bool {
        let at = instant(text);
        let is_after_start =
            self.lower.as_ref().is_none_or(|bound| match (&bound.literal.date, at) {
                (Some(date), Some(at)) => {
                    at >= if bound.is_inclusive { date.start } else { date.end }
                }
                (Some(_) | None, _) => {
                    bound.admits(text.cmp(bound.literal.text_in_field(folds)).reverse())
                }
            });
        is_after_start
            && self.upper.as_ref().is_none_or(|bound| match (&bound.literal.date, at) {
                (Some(date), Some(at)) => {
                    at < if bound.is_inclusive { date.end } else { date.start }
                }
                (Some(_) | None, _) => bound.admits(text.cmp(bound.literal.text_in_field(folds))),
            })
    }

    fn bounds_hold(&self, compare: impl Fn(&Bound) -> Option<Ordering>) -> bool {
        let holds = |bound: &Option<Bound>, is_upper: bool| {
            bound.as_ref().is_none_or(|bound| {
                compare(bound).is_some_and(|order| {
                    bound.admits(if is_upper { order } else { order.reverse() })
                })
            })
        };
        holds(&self.lower, false) && holds(&self.upper, true)
    }
}

impl Bound {
    /// Says whether a value that compares to an upper bound in this way is inside.
    fn admits(&self, order: Ordering) -> bool {
        match order {
            Ordering::Less => true,
            Ordering::Equal => self.is_inclusive,
            Ordering::Greater => false,
        }
    }
}
