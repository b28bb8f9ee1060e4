//! Words of a query, with what was escaped in them.

use crate::domain::search::field::Path;
use crate::domain::search::pattern::Token;
use crate::domain::search::query::QueryError;

/// A text in quotes, as a query says it to mean every character.
pub(crate) fn phrase(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for char in text.chars() {
        if matches!(char, '"' | '\\') {
            out.push('\\');
        }
        out.push(char);
    }
    out.push('"');
    out
}

/// A word, its escapes resolved.
#[derive(Clone, Debug)]
pub(crate) struct Word {
    pub(crate) chars: Vec<WordChar>,
    /// The place of its first character, counted from 0.
    pub(crate) start: usize,
}

/// A character of a word. An escaped one stands for nothing but itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WordChar {
    pub(crate) char: char,
    pub(crate) is_escaped: bool,
}

impl Word {
    pub(crate) fn text(&self) -> String {
        self.chars.iter().map(|char| char.char).collect()
    }

    pub(crate) fn is_star(&self) -> bool {
        matches!(self.chars.as_slice(), [only] if only.is_many())
    }

    pub(crate) fn has_wildcard(&self) -> bool {
        self.chars.iter().any(|char| char.is_wildcard())
    }

    /// Says whether there is nothing but `*`.
    pub(crate) fn is_stars(&self) -> bool {
        self.chars.iter().all(|char| char.is_many())
    }

    /// The length of the longest stretch without a wildcard.
    pub(crate) fn longest_literal(&self) -> usize {
        self.chars.split(|char| char.is_wildcard()).map(<[_]>::len).max().unwrap_or(0)
    }

    pub(crate) fn tokens(&self) -> Vec<Token> {
        self.chars
            .iter()
            .map(|char| match char {
                WordChar { char: '*', is_escaped: false } => Token::Many,
                WordChar { char: '?', is_escaped: false } => Token::One,
                WordChar { char, .. } => Token::Char(*char),
            })
            .collect()
    }

    /// The path that the word names: keys with dots between them, and dots in keys escaped.
    pub(crate) fn path(&self) -> Result<Path, QueryError> {
        let error =
            |message: &str| QueryError { column: self.start + 1, message: message.to_owned() };
        if self.has_wildcard() {
            return Err(error("wildcards in the name of a field are not supported"));
        }
        let keys = self.chars.split(|char| char.char == '.' && !char.is_escaped);
        let keys: Vec<Box<str>> =
            keys.map(|key| key.iter().map(|char| char.char).collect::<String>().into()).collect();
        if keys.iter().any(|key| key.is_empty()) {
            return Err(error("the name of a field has an empty part"));
        }
        Ok(Path::new(keys))
    }
}

impl WordChar {
    pub(crate) fn is_many(self) -> bool {
        self.char == '*' && !self.is_escaped
    }

    pub(crate) fn is_wildcard(self) -> bool {
        matches!(self.char, '*' | '?') && !self.is_escaped
    }
}
