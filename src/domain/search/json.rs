//! Reading compact JSON text in place: no tree, and no copy but of strings with escapes.
//!
//! The text has been validated before it was stored. Text that is broken all the same reads as if it
//! ended where it stops making sense.

use std::borrow::Cow;

use memchr::memchr2;

/// Deeper levels of a document are neither searched nor indexed; the root object is level 0.
pub(crate) const LEVEL_MAX: usize = 64;

/// A value, of which only the kind has been looked at.
#[derive(Clone, Debug)]
pub(crate) enum Json<'a> {
    Null,
    Bool(bool),
    /// The text of the number.
    Number(&'a str),
    Text(Quoted<'a>),
    Array(Items<'a>),
    Object(Members<'a>),
}

impl<'a> Json<'a> {
    /// Looks at the value that `text` begins with.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        let (first, rest) = split_first(text)?;
        Some(match first {
            b'n' => Self::Null,
            b't' => Self::Bool(true),
            b'f' => Self::Bool(false),
            b'"' => Self::Text(Quoted(text.get(1..end_of_string(text, 1)?.checked_sub(1)?)?)),
            b'[' => Self::Array(Items { rest }),
            b'{' => Self::Object(Members { rest }),
            _ => Self::Number(text.get(..end_of_scalar(text))?),
        })
    }
}

/// What stands between the quotes of a string, escapes and all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quoted<'a>(&'a str);

impl<'a> Quoted<'a> {
    /// The string it stands for.
    pub(crate) fn text(self) -> Cow<'a, str> {
        if memchr::memchr(b'\\', self.0.as_bytes()).is_some() {
            Cow::Owned(unescape(self.0))
        } else {
            Cow::Borrowed(self.0)
        }
    }

    pub(crate) fn is(self, text: &str) -> bool {
        self.0 == text
            || (self.0.len() > text.len() && self.0.contains('\\') && unescape(self.0) == text)
    }
}

/// The elements of an array, each as its JSON text.
#[derive(Clone, Debug)]
pub(crate) struct Items<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Items<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let start = self.rest.strip_prefix(',').unwrap_or(self.rest);
        let (value, rest) = start.split_at_checked(end_of_value(start)?)?;
        self.rest = rest;
        Some(value)
    }
}

/// The members of an object, each as its key and the JSON text of its value.
#[derive(Clone, Debug)]
pub(crate) struct Members<'a> {
    rest: &'a str,
}

impl<'a> Members<'a> {
    /// The text that begins with the value of `key`, and goes on beyond it.
    pub(crate) fn find(mut self, key: &str) -> Option<&'a str> {
        loop {
            let (found, value) = self.key()?;
            if found.is(key) {
                return Some(value);
            }
            self.rest = value.get(end_of_value(value)?..)?;
        }
    }

    /// The next key, and the text from its value on.
    fn key(&self) -> Option<(Quoted<'a>, &'a str)> {
        let start = self.rest.strip_prefix(',').unwrap_or(self.rest);
        if !start.starts_with('"') {
            return None;
        }
        let end = end_of_string(start, 1)?;
        let key = start.get(1..end.checked_sub(1)?)?;
        let value = start.get(end..)?.strip_prefix(':')?;
        Some((Quoted(key), value))
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = (Quoted<'a>, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let (key, value) = self.key()?;
        let (value, rest) = value.split_at_checked(end_of_value(value)?)?;
        self.rest = rest;
        Some((key, value))
    }
}

/// Says whether anything but `null`, `{}` and `[]` is at or below the value that `text` begins with.
pub(crate) fn has_content(text: &str, level: usize) -> bool {
    if level > LEVEL_MAX {
        return false;
    }
    match Json::read(text) {
        None | Some(Json::Null) => false,
        Some(Json::Bool(_) | Json::Number(_) | Json::Text(_)) => true,
        Some(Json::Array(mut items)) => items.any(|item| has_content(item, level + 1)),
        Some(Json::Object(mut members)) => members.any(|(_, value)| has_content(value, level + 1)),
    }
}

fn split_first(text: &str) -> Option<(u8, &str)> {
    Some((*text.as_bytes().first()?, text.get(1..).unwrap_or("")))
}

/// Where the value ends that `text` begins with; `None` where no value begins.
fn end_of_value(text: &str) -> Option<usize> {
    match text.as_bytes().first()? {
        b'"' => end_of_string(text, 1),
        b'{' | b'[' => end_of_container(text),
        b'}' | b']' | b',' | b':' => None,
        _ => Some(end_of_scalar(text)),
    }
}

fn end_of_scalar(text: &str) -> usize {
    text.bytes().position(|byte| matches!(byte, b',' | b'}' | b']')).unwrap_or(text.len())
}

/// Where the string ends of which `start` is the first place inside: after its closing quote.
fn end_of_string(text: &str, start: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = start;
    loop {
        at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes.get(at) == Some(&b'"') {
            return Some(at + 1);
        }
        at += 2;
    }
}

fn end_of_container(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut open) = (0_usize, 0_usize);
    loop {
        match bytes.get(at)? {
            b'"' => {
                at = end_of_string(text, at + 1)?;
                continue;
            }
            b'{' | b'[' => open += 1,
            b'}' | b']' => {
                open -= 1;
                if open == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
}

/// Resolves the escapes of a JSON string; half of a surrogate pair becomes U+FFFD.
fn unescape(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((before, after)) = rest.split_once('\\') {
        text.push_str(before);
        let mut chars = after.chars();
        match chars.next() {
            Some('n') => text.push('\n'),
            Some('t') => text.push('\t'),
            Some('r') => text.push('\r'),
            Some('b') => text.push('\u{8}'),
            Some('f') => text.push('\u{c}'),
            Some('u') => {
                let (char, after) = code_point(chars.as_str());
                text.push(char);
                chars = after.chars();
            }
            Some(char) => text.push(char),
            None => {}
        }
        rest = chars.as_str();
    }
    text.push_str(rest);
    text
}

/// The character that stands after `\u`, and what follows it.
fn code_point(text: &str) -> (char, &str) {
    let Some((high, rest)) = hex_unit(text) else { return (char::REPLACEMENT_CHARACTER, text) };
    if let Some(char) = char::from_u32(high) {
        return (char, rest);
    }
    let pair = rest.strip_prefix("\\u").and_then(hex_unit);
    match pair {
        Some((low, after))
            if (0xd800..0xdc00).contains(&high) && (0xdc00..0xe000).contains(&low) =>
        {
            let code = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
            (char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER), after)
        }
        Some(_) | None => (char::REPLACEMENT_CHARACTER, rest),
    }
}

fn hex_unit(text: &str) -> Option<(u32, &str)> {
    let (hex, rest) = text.split_at_checked(4)?;
    u32::from_str_radix(hex, 16).ok().map(|unit| (unit, rest))
}

#[cfg(test)]
mod tests {
    use super::{Json, has_content, unescape};
    use proptest::prelude::*;

    fn object(text: &str) -> super::Members<'_> {
        match Json::read(text) {
            Some(Json::Object(members)) => members,
            other => panic!("no object but {other:?}"),
        }
    }

    #[test]
    fn members_come_with_the_text_of_their_values() {
        let text = r#"{"a":1,"b\"}":[{"x":"]}\\"},2],"c":{},"d":"\"","e":null}"#;
        let members: Vec<_> =
            object(text).map(|(key, value)| (key.text().into_owned(), value)).collect();
        let expected = [
            ("a", "1"),
            ("b\"}", r#"[{"x":"]}\\"},2]"#),
            ("c", "{}"),
            ("d", r#""\"""#),
            ("e", "null"),
        ];
        assert_eq!(members, expected.map(|(key, value)| (key.to_owned(), value)));
    }

    #[test]
    fn an_escaped_key_is_found_by_what_it_says() {
        assert!(object(r#"{"n\u0061me":1}"#).find("name").is_some());
        assert!(object(r#"{"name":1}"#).find("nam").is_none());
    }

    #[test]
    fn escapes_are_resolved() {
        assert_eq!(unescape(r#"a\n\t\"\\\/\u00e9\ud83d\ude00"#), "a\n\t\"\\/é😀");
        assert_eq!(unescape(r"\ud83d!\udE00"), "\u{fffd}!\u{fffd}");
    }

    #[test]
    fn nothing_but_null_and_empty_containers_is_no_content() {
        for (text, expected) in [
            ("null", false),
            ("{}", false),
            ("[]", false),
            (r#"{"a":[null,{}]}"#, false),
            (r#"{"a":[null,0]}"#, true),
            (r#""""#, true),
            ("false", true),
        ] {
            assert_eq!(has_content(text, 0), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn strings_read_back(text in "\\PC{0,12}|[\"\\\\\n\u{1f600}é]{0,6}") {
            let json = serde_json::to_string(&text).unwrap();
            let Some(Json::Text(quoted)) = Json::read(&json) else { panic!("no text") };
            prop_assert_eq!(quoted.text(), text.as_str());
            prop_assert!(quoted.is(&text));
        }

        #[test]
        fn broken_text_is_read_without_panic(text in "[\\[\\]{}\",:\\\\a1né]{0,24}") {
            let _content = has_content(&text, 0);
            if let Some(Json::Object(members)) = Json::read(&text) {
                let _count = members.clone().count();
                let _found = members.find("a");
            }
        }
    }
}
