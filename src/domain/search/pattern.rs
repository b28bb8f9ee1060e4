//! Wildcard patterns: `*` stands for any characters, `?` for exactly one.

use memchr::memmem::Finder;

/// One element of a pattern as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Char(char),
    /// `?`
    One,
    /// `*`
    Many,
}

/// A pattern, split at its `*`s: the first chunk must begin the text, the last must end it, and the
/// others must follow in between, in order and without overlap.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    first: Chunk,
    middle: Vec<Chunk>,
    /// `None` when there is no `*`: then `first` is the whole text.
    last: Option<Chunk>,
}

impl Pattern {
    pub(crate) fn new(tokens: &[Token]) -> Self {
        let mut chunks = tokens.split(|token| *token == Token::Many).map(Chunk::new);
        let first = chunks.next().unwrap_or_else(|| Chunk::new(&[]));
        let mut middle: Vec<Chunk> = chunks.collect();
        let last = middle.pop();
        middle.retain(|chunk| !chunk.is_empty());
        Self { first, middle, last }
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        let Some(rest) = self.first.strip_front(text) else { return false };
        let Some(last) = &self.last else { return rest.is_empty() };
        let Some(mut rest) = last.strip_back(rest) else { return false };
        for chunk in &self.middle {
            match chunk.find(rest) {
                Some(after) => rest = after,
                None => return false,
            }
        }
        true
    }

    /// What every matching text begins with.
    pub(crate) fn prefix(&self) -> &str {
        match &self.first {
            Chunk::Text { text, .. } => text,
            Chunk::Mixed { prefix, .. } => prefix,
        }
    }
}

/// A stretch of a pattern without `*`.
#[derive(Clone, Debug)]
enum Chunk {
    Text {
        text: String,
        /// Made once, because making it costs more than most searches.
        finder: Box<Finder<'static>>,
    },
    /// `None` stands for `?`.
    Mixed { prefix: String, chars: Vec<Option<char>> },
}

impl Chunk {
    fn new(tokens: &[Token]) -> Self {
        let chars: Vec<Option<char>> = tokens
            .iter()
            .map(|token| match token {
                Token::Char(char) => Some(*char),
                Token::One | Token::Many => None,
            })
            .collect();
        let prefix: String = chars.iter().map_while(|char| *char).collect();
        if chars.iter().all(Option::is_some) {
            Self::Text { finder: Box::new(Finder::new(&prefix).into_owned()), text: prefix }
        } else {
            Self::Mixed { prefix, chars }
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Self::Text { text, .. } => text.is_empty(),
            Self::Mixed { chars, .. } => chars.is_empty(),
        }
    }

    /// What follows this chunk when `text` begins with it.
    fn strip_front<'a>(&self, text: &'a str) -> Option<&'a str> {
        match self {
            Self::Text { text: literal, .. } => text.strip_prefix(literal.as_str()),
            Self::Mixed { chars, .. } => {
                let mut rest = text.chars();
                chars.iter().all(|wanted| accepts(*wanted, rest.next())).then_some(rest.as_str())
            }
        }
    }

    /// What precedes this chunk when `text` ends with it.
    fn strip_back<'a>(&self, text: &'a str) -> Option<&'a str> {
        match self {
            Self::Text { text: literal, .. } => text.strip_suffix(literal.as_str()),
            Self::Mixed { chars, .. } => {
                let mut rest = text.chars();
                chars
                    .iter()
                    .rev()
                    .all(|wanted| accepts(*wanted, rest.next_back()))
                    .then_some(rest.as_str())
            }
        }
    }

    /// What follows the first place where this chunk occurs.
    fn find<'a>(&self, text: &'a str) -> Option<&'a str> {
        match self {
            Self::Text { text: literal, finder } => {
                text.get(finder.find(text.as_bytes())? + literal.len()..)
            }
            Self::Mixed { .. } => {
                let mut rest = text.chars();
                loop {
                    if let Some(after) = self.strip_front(rest.as_str()) {
                        return Some(after);
                    }
                    rest.next()?;
                }
            }
        }
    }
}

fn accepts(wanted: Option<char>, found: Option<char>) -> bool {
    found.is_some() && (wanted.is_none() || wanted == found)
}

#[cfg(test)]
mod tests {
    use super::{Pattern, Token};
    use proptest::prelude::*;

    fn tokens(text: &str) -> Vec<Token> {
        text.chars()
            .map(|char| match char {
                '*' => Token::Many,
                '?' => Token::One,
                char => Token::Char(char),
            })
            .collect()
    }

    /// The definition, word for word.
    fn naive(tokens: &[Token], text: &[char]) -> bool {
        match tokens.split_first() {
            None => text.is_empty(),
            Some((Token::Many, rest)) => (0..=text.len()).any(|skip| naive(rest, &text[skip..])),
            Some((Token::One, rest)) => !text.is_empty() && naive(rest, &text[1..]),
            Some((Token::Char(char), rest)) => {
                text.first() == Some(char) && naive(rest, &text[1..])
            }
        }
    }

    #[test]
    fn front_and_back_do_not_overlap() {
        assert!(!Pattern::new(&tokens("ab*ba")).matches("aba"));
        assert!(Pattern::new(&tokens("ab*ba")).matches("abba"));
    }

    #[test]
    fn a_question_mark_is_one_character_of_any_width() {
        assert!(Pattern::new(&tokens("?")).matches("é"));
        assert!(!Pattern::new(&tokens("?")).matches(""));
        assert!(Pattern::new(&tokens("*?z*")).matches("日本z!"));
    }

    proptest! {
        #[test]
        fn matching_agrees_with_the_definition(pattern in "[abé*?]{0,8}", text in "[abé]{0,10}") {
            let tokens = tokens(&pattern);
            let chars: Vec<char> = text.chars().collect();
            let compiled = Pattern::new(&tokens);
            prop_assert_eq!(compiled.matches(&text), naive(&tokens, &chars));
            prop_assert!(!compiled.matches(&text) || text.starts_with(compiled.prefix()));
        }
    }
}
