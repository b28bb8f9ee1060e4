//! JSON Pointer (RFC 6901): the address of a value in a document.

use std::fmt;

/// A text that is no JSON Pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a JSON Pointer is empty or starts with '/', and writes '~' as '~0' and '/' as '~1'")]
pub struct InvalidPointer;

/// The way to a value: the keys and indices from the root to it, decoded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pointer {
    text: String,
    tokens: Vec<String>,
}

impl Pointer {
    /// Reads a pointer; the empty text is the whole document.
    ///
    /// # Errors
    /// [`InvalidPointer`].
    pub fn parse(text: &str) -> Result<Self, InvalidPointer> {
        if text.is_empty() {
            return Ok(Self { text: String::new(), tokens: Vec::new() });
        }
        let rest = text.strip_prefix('/').ok_or(InvalidPointer)?;
        let tokens = rest.split('/').map(decoded).collect::<Option<Vec<String>>>();
        Ok(Self { text: text.to_owned(), tokens: tokens.ok_or(InvalidPointer)? })
    }

    /// The pointer to what these keys lead to.
    pub fn of(tokens: Vec<String>) -> Self {
        let escaped = |token: &String| format!("/{}", token.replace('~', "~0").replace('/', "~1"));
        Self { text: tokens.iter().map(escaped).collect(), tokens }
    }

    /// The pointer as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The keys and indices, from the root on.
    pub fn tokens(&self) -> &[String] {
        &self.tokens
    }

    /// The first key; none for the whole document.
    pub fn root(&self) -> Option<&str> {
        self.tokens.first().map(String::as_str)
    }

    /// Whether what `other` points to lies inside of what this one points to.
    pub fn is_above(&self, other: &Self) -> bool {
        self.tokens.len() < other.tokens.len() && other.tokens.starts_with(&self.tokens)
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn decoded(token: &str) -> Option<String> {
    let mut out = String::with_capacity(token.len());
    let mut chars = token.chars();
    while let Some(c) = chars.next() {
        match c {
            '~' => match chars.next()? {
                '0' => out.push('~'),
                '1' => out.push('/'),
                _ => return None,
            },
            other => out.push(other),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc_lead_to_their_keys() {
        for (text, tokens) in [
            ("", &[][..]),
            ("/foo", &["foo"]),
            ("/foo/0", &["foo", "0"]),
            ("/", &[""]),
            ("/a~1b", &["a/b"]),
            ("/c%d", &["c%d"]),
            ("/i\\j", &["i\\j"]),
            ("/k\"l", &["k\"l"]),
            ("/ ", &[" "]),
            ("/m~0n", &["m~n"]),
            ("/~01", &["~1"]),
        ] {
            let pointer = Pointer::parse(text).unwrap();
            assert_eq!(pointer.tokens(), tokens);
            assert_eq!(Pointer::of(pointer.tokens().to_vec()), pointer);
        }
    }

    #[test]
    fn other_texts_are_no_pointers() {
        for text in ["foo", "#/foo", "/~", "/~2", "/a/~", " /a"] {
            assert_eq!(Pointer::parse(text), Err(InvalidPointer), "{text}");
        }
    }

    #[test]
    fn a_value_is_above_what_lies_in_it() {
        let pointer = |text| Pointer::parse(text).unwrap();
        assert!(pointer("/a").is_above(&pointer("/a/b")) && pointer("").is_above(&pointer("/a")));
        assert!(
            !pointer("/a").is_above(&pointer("/a")) && !pointer("/a").is_above(&pointer("/ab"))
        );
    }
}
