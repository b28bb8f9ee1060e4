//! The characters of a query: looking at them, taking them, and saying where they are.

use super::Parser;
use crate::domain::search::ast::{Kind, Node};
use crate::domain::search::query::{QueryError, Span};

impl Parser {
    pub(super) fn joined(
        &self,
        mut parts: Vec<Node>,
        join: impl Fn(Vec<Node>) -> Kind,
        start: usize,
    ) -> Node {
        match (parts.pop(), parts.is_empty()) {
            (Some(only), true) => only,
            (last, _) => {
                parts.extend(last);
                self.node(join(parts), start)
            }
        }
    }

    pub(super) fn node(&self, kind: Kind, start: usize) -> Node {
        Node { kind, span: self.span(start) }
    }

    pub(super) fn span(&self, start: usize) -> Span {
        Span { column: start + 1, end: self.at + 1 }
    }

    pub(super) fn error(&self, message: String) -> QueryError {
        QueryError { column: self.at + 1, message }
    }

    pub(super) fn unexpected(&self, char: char) -> QueryError {
        self.error(format!("unexpected '{char}'; write \\{char} for the character itself"))
    }

    pub(super) fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    pub(super) fn accept(&mut self, wanted: char) -> bool {
        let is_next = self.peek() == Some(wanted);
        self.at += usize::from(is_next);
        is_next
    }

    pub(super) fn skip_spaces(&mut self) -> bool {
        let start = self.at;
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
        self.at > start
    }

    pub(super) fn is_delimiter(&self, at: usize) -> bool {
        self.chars.get(at).is_none_or(|char| {
            char.is_whitespace() || is_bracket(*char) || matches!(char, '(' | ')' | '"')
        })
    }

    /// Keywords are whole words in capitals.
    pub(super) fn is_keyword(&self, word: &str) -> bool {
        let end = self.at + word.len();
        self.chars.get(self.at..end).is_some_and(|found| found.iter().copied().eq(word.chars()))
            && self.is_delimiter(end)
    }

    pub(super) fn accept_keyword(&mut self, word: &str) -> bool {
        let is_next = self.is_keyword(word);
        self.at += if is_next { word.len() } else { 0 };
        is_next
    }

    /// The operator that comes next, as it is written. Signs need no space after them.
    pub(super) fn operator<'a>(&self, word: &'a str, sign: &'a str) -> Option<&'a str> {
        let end = self.at + sign.len();
        if self.is_keyword(word) {
            Some(word)
        } else if self
            .chars
            .get(self.at..end)
            .is_some_and(|found| found.iter().copied().eq(sign.chars()))
        {
            Some(sign)
        } else {
            None
        }
    }

    pub(super) fn is_operator(&self, word: &str, sign: &str) -> bool {
        self.operator(word, sign).is_some()
    }

    pub(super) fn accept_operator(&mut self, word: &str, sign: &str) -> bool {
        self.skip_spaces();
        let length = self.operator(word, sign).map_or(0, str::len);
        self.at += length;
        length > 0
    }
}

pub(super) fn is_bracket(char: char) -> bool {
    matches!(char, '[' | ']' | '{' | '}')
}
