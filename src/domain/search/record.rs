//! One document, read only where a query asks.

use std::borrow::Cow;

use crate::domain::search::field::{Path, Root, Source, email_domain, fold};
use crate::domain::search::json::{Json, LEVEL_MAX, Members, Quoted, has_content};

/// The JSON text of a user, to be asked by queries.
///
/// Nothing is parsed ahead: each question walks the text as far as it needs.
#[derive(Clone, Copy, Debug)]
pub struct Record<'a> {
    doc: &'a str,
}

/// A value at the end of a path. Text of a field that folds is folded.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Scalar<'a> {
    Bool(bool),
    /// The text of the number.
    Number(&'a str),
    Text(Cow<'a, str>),
}

impl<'a> Record<'a> {
    /// A record over `doc`: compact, valid JSON whose keys are unique.
    pub fn new(doc: &'a str) -> Self {
        Self { doc }
    }

    /// Says whether `accept` takes any value at `path`.
    pub(crate) fn any<F>(&self, path: &Path, accept: &mut F) -> bool
    where
        F: FnMut(&Scalar<'a>) -> bool,
    {
        match path.source() {
            Source::Keys => any_below(self.doc, path.keys(), 0, path.folds(), accept),
            Source::EmailDomain => {
                self.email_domain().is_some_and(|domain| accept(&Scalar::Text(domain)))
            }
            Source::Nowhere => false,
        }
    }

    /// Says whether there is anything but `null`, `{}` and `[]` at or below `path`.
    pub(crate) fn has(&self, path: &Path) -> bool {
        match path.source() {
            Source::Keys => any_content(self.doc, path.keys(), 0),
            Source::EmailDomain => self.email_domain().is_some(),
            Source::Nowhere => false,
        }
    }

    /// Says whether `accept` takes any value of the fields that a bare term looks at; it is told whether
    /// the field folds.
    pub(crate) fn any_identifying<F>(&self, accept: &mut F) -> bool
    where
        F: FnMut(&Scalar<'a>, bool) -> bool,
    {
        self.members().is_some_and(|mut members| {
            members.any(|(key, value)| {
                Root::identifying(&key.text()).is_some_and(|root| {
                    let folds = root.folds();
                    any_below(value, &[], 1, folds, &mut |scalar| accept(scalar, folds))
                })
            })
        })
    }

    fn email_domain(&self) -> Option<Cow<'a, str>> {
        match Json::read(self.members()?.find("email")?)? {
            Json::Text(email) => match email.text() {
                Cow::Borrowed(email) => email_domain(email),
                Cow::Owned(email) => {
                    email_domain(&email).map(|domain| Cow::Owned(domain.into_owned()))
                }
            },
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::Array(_) | Json::Object(_) => None,
        }
    }

    fn members(&self) -> Option<Members<'a>> {
        match Json::read(self.doc)? {
            Json::Object(members) => Some(members),
            Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_) | Json::Array(_) => None,
        }
    }
}

/// A text as it compares in a field.
pub(crate) fn text_in_field(quoted: Quoted<'_>, folds: bool) -> Cow<'_, str> {
    let text = quoted.text();
    if !folds {
        return text;
    }
    match text {
        Cow::Borrowed(text) => fold(text),
        Cow::Owned(text) => Cow::Owned(fold(&text).into_owned()),
    }
}

/// Walks down `keys` from the value that `text` begins with, through arrays as if they were not there.
fn any_below<'a, F>(
    text: &'a str,
    keys: &[Box<str>],
    level: usize,
    folds: bool,
    accept: &mut F,
) -> bool
where
    F: FnMut(&Scalar<'a>) -> bool,
{
    if level > LEVEL_MAX {
        return false;
    }
    match (Json::read(text), keys.split_first()) {
        (Some(Json::Array(mut items)), _) => {
            items.any(|item| any_below(item, keys, level + 1, folds, accept))
        }
        (Some(Json::Object(members)), Some((key, rest))) => {
            members.find(key).is_some_and(|value| any_below(value, rest, level + 1, folds, accept))
        }
        (Some(Json::Bool(value)), None) => accept(&Scalar::Bool(value)),
        (Some(Json::Number(number)), None) => accept(&Scalar::Number(number)),
        (Some(Json::Text(quoted)), None) => accept(&Scalar::Text(text_in_field(quoted, folds))),
        (Some(Json::Bool(_) | Json::Number(_) | Json::Text(_)), Some(_))
        | (Some(Json::Object(_)), None)
        | (Some(Json::Null) | None, _) => false,
    }
}

fn any_content(text: &str, keys: &[Box<str>], level: usize) -> bool {
    let Some((key, rest)) = keys.split_first() else { return has_content(text, level) };
    if level > LEVEL_MAX {
        return false;
    }
    match Json::read(text) {
        Some(Json::Array(mut items)) => items.any(|item| any_content(item, keys, level + 1)),
        Some(Json::Object(members)) => {
            members.find(key).is_some_and(|value| any_content(value, rest, level + 1))
        }
        Some(Json::Null | Json::Bool(_) | Json::Number(_) | Json::Text(_)) | None => false,
    }
}
