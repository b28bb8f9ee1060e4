//! A document that is opened only where a patch looks into it.
//!
//! What is never opened stays the text it was: its order, its numbers and its escapes
//! come back byte for byte. What a patch may add, how deep, and how many steps it may
//! take are bounded by a [`Budget`], so that no patch is more work than its tenant's
//! turn should hold.

use super::Failure;
use super::pointer::Pointer;
use super::value;
use crate::domain::json::{self, Builder, Elements, Kind, Members};
use std::borrow::Cow;

/// What a patch may still use.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Bytes of JSON it may add.
    pub bytes: usize,
    /// Members and elements it may pass or move.
    pub steps: usize,
    /// Levels the document may have.
    pub depth: usize,
}

impl Budget {
    fn step(&mut self, count: usize) -> Result<(), Failure> {
        self.steps = self.steps.checked_sub(count).ok_or(Failure::TooMuch)?;
        Ok(())
    }

    /// Takes a new value that is about to stand at `place`.
    pub(super) fn take(&mut self, value: &str, place: &Pointer) -> Result<(), Failure> {
        self.bytes = self.bytes.checked_sub(value.len()).ok_or(Failure::TooMuch)?;
        self.place(value, place)
    }

    /// Reads through a value.
    pub(super) fn read(&mut self, value: &str) -> Result<(), Failure> {
        self.step(value.len() / 64 + 1)
    }

    /// Lets a value stand at `place`, if that is not too deep.
    pub(super) fn place(&mut self, value: &str, place: &Pointer) -> Result<(), Failure> {
        self.read(value)?;
        if place.tokens().len() + value::depth_of(value) > self.depth {
            return Err(Failure::TooDeep { limit: self.depth });
        }
        Ok(())
    }
}

/// A value.
#[derive(Debug)]
pub(super) enum Node<'a> {
    /// Not opened.
    Text(Cow<'a, str>),
    /// Members with their quoted keys.
    Object(Vec<(Cow<'a, str>, Node<'a>)>),
    /// Elements.
    Array(Vec<Node<'a>>),
}

impl<'a> Node<'a> {
    /// The value of a compact JSON text.
    pub(super) const fn of(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// The value of a compact JSON text of its own.
    pub(super) const fn owned(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }

    fn open(&mut self) {
        let Self::Text(text) = self else { return };
        *self = match std::mem::take(text) {
            Cow::Borrowed(text) => opened(text, Cow::Borrowed),
            Cow::Owned(text) => opened(&text, |part| Cow::Owned(part.to_owned())),
        };
    }

    /// The compact text.
    pub(super) fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            Self::Object(members) => {
                let mut out = Builder::new();
                for (key, value) in members {
                    out.member(key, &value.text());
                }
                Cow::Owned(out.finish())
            }
            Self::Array(elements) => {
                let parts: Vec<Cow<'_, str>> = elements.iter().map(Self::text).collect();
                Cow::Owned(format!("[{}]", parts.join(",")))
            }
        }
    }

    fn child(&mut self, token: &str, budget: &mut Budget) -> Result<Option<&mut Self>, Failure> {
        self.open();
        match self {
            Self::Object(members) => {
                let at = find(members, token);
                budget.step(at.unwrap_or(members.len()) + 1)?;
                Ok(at.and_then(|at| members.get_mut(at)).map(|(_, value)| value))
            }
            Self::Array(elements) => {
                budget.step(1)?;
                Ok(index(token).and_then(|at| elements.get_mut(at)))
            }
            Self::Text(_) => Ok(None),
        }
    }

    /// The value a pointer leads to, if there is one.
    ///
    /// # Errors
    /// [`Failure::TooMuch`].
    pub(super) fn find(
        &mut self,
        pointer: &Pointer,
        budget: &mut Budget,
    ) -> Result<Option<&mut Self>, Failure> {
        self.walk(pointer.tokens(), budget)
    }

    fn walk(
        &mut self,
        tokens: &[String],
        budget: &mut Budget,
    ) -> Result<Option<&mut Self>, Failure> {
        let mut node = self;
        for token in tokens {
            match node.child(token, budget)? {
                Some(next) => node = next,
                None => return Ok(None),
            }
        }
        Ok(Some(node))
    }

    /// Puts a value where a pointer leads to: in place of a member, before an element,
    /// behind the last one for `-` (RFC 6902 §4.1). `false` when there is no such place.
    ///
    /// # Errors
    /// [`Failure::TooMuch`].
    pub(super) fn add(
        &mut self,
        pointer: &Pointer,
        value: Self,
        budget: &mut Budget,
    ) -> Result<bool, Failure> {
        let Some((last, parents)) = pointer.tokens().split_last() else {
            *self = value;
            return Ok(true);
        };
        let Some(parent) = self.walk(parents, budget)? else { return Ok(false) };
        parent.open();
        match parent {
            Self::Object(members) => {
                let at = find(members, last);
                budget.step(at.unwrap_or(members.len()) + 1)?;
                match at.and_then(|at| members.get_mut(at)) {
                    Some((_, old)) => *old = value,
                    None => members.push((Cow::Owned(json::quoted(last)), value)),
                }
                Ok(true)
            }
            Self::Array(elements) => {
                let at = if last == "-" { Some(elements.len()) } else { index(last) };
                let Some(at) = at.filter(|at| *at <= elements.len()) else { return Ok(false) };
                budget.step(elements.len() - at + 1)?;
                elements.insert(at, value);
                Ok(true)
            }
            Self::Text(_) => Ok(false),
        }
    }

    /// Takes the value a pointer leads to out of the document; none when there is none.
    ///
    /// # Errors
    /// [`Failure::TooMuch`].
    pub(super) fn remove(
        &mut self,
        pointer: &Pointer,
        budget: &mut Budget,
    ) -> Result<Option<Self>, Failure> {
        let Some((last, parents)) = pointer.tokens().split_last() else { return Ok(None) };
        let Some(parent) = self.walk(parents, budget)? else { return Ok(None) };
        parent.open();
        match parent {
            Self::Object(members) => {
                budget.step(members.len())?;
                Ok(find(members, last).map(|at| members.remove(at).1))
            }
            Self::Array(elements) => {
                budget.step(elements.len())?;
                let at = index(last).filter(|at| *at < elements.len());
                Ok(at.map(|at| elements.remove(at)))
            }
            Self::Text(_) => Ok(None),
        }
    }
}

fn opened<'a, 't>(text: &'t str, part: impl Fn(&'t str) -> Cow<'a, str>) -> Node<'a> {
    match Kind::of(text) {
        Kind::Object => Node::Object(
            Members::of(text).map(|(key, value)| (part(key), Node::Text(part(value)))).collect(),
        ),
        Kind::Array => Node::Array(Elements::of(text).map(|one| Node::Text(part(one))).collect()),
        Kind::Null | Kind::Boolean | Kind::Integer | Kind::Number | Kind::String => {
            Node::Text(part(text))
        }
    }
}

fn find(members: &[(Cow<'_, str>, Node<'_>)], token: &str) -> Option<usize> {
    members.iter().position(|(key, _)| json::unquote(key) == token)
}

/// An index of an array: digits without leading zeros (RFC 6901 §4).
fn index(token: &str) -> Option<usize> {
    let is_index = token == "0"
        || (!token.starts_with('0') && token.bytes().all(|byte| byte.is_ascii_digit()));
    if is_index { token.parse().ok() } else { None }
}
