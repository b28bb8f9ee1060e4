//! What an answer must be like.
//!
//! | matcher | matches |
//! |---|---|
//! | `"<any>"` | anything that is there |
//! | `"<absent>"` | a member that is not there |
//! | `"<string>"`, `"<number>"`, `"<bool>"` | anything of that kind |
//! | `"<timestamp>"` | `2023-01-25T19:00:26.187Z`: milliseconds, always, and `Z` |
//! | `"<hex24>"` | 24 lower-case hexadecimal digits |
//! | `"<starts …>"`, `"<ends …>"`, `"<has …>"` | a text that begins, ends, holds |

use super::scenario::{Names, filled};
use crate::harness::Response;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// What an answer must be like.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expect {
    status: u16,
    /// Headers; matchers work here too.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The whole JSON body.
    body: Option<Value>,
    /// Some members of the JSON body; members of members too.
    members: Option<Value>,
    /// The whole body, byte for byte.
    text: Option<String>,
    /// Pieces of the body, byte for byte: what is kept as it was sent.
    #[serde(default)]
    text_contains: Vec<String>,
    /// Pieces that must not be in the body.
    #[serde(default)]
    text_lacks: Vec<String>,
    /// Some claims of the JWT at a JSON pointer.
    #[serde(default)]
    claims: BTreeMap<String, Value>,
}

impl Expect {
    /// Says what is different, if anything is.
    pub(super) fn check(&self, response: &Response, names: &Names) -> Result<(), String> {
        if response.status != self.status {
            return Err(format!("the status is {}, {} is expected", response.status, self.status));
        }
        for (name, wanted) in &self.headers {
            let found = response.header(name).map(|value| Value::String(value.to_owned()));
            compare(found.as_ref(), &Value::String(wanted.clone()), name, names, true)?;
        }
        let text = String::from_utf8_lossy(&response.body);
        if let Some(wanted) = self.text.as_ref().map(|wanted| filled(wanted, names))
            && text != wanted
        {
            return Err(format!("the body is not exactly {wanted}"));
        }
        for piece in self.text_contains.iter().map(|piece| filled(piece, names)) {
            if !text.contains(&piece) {
                return Err(format!("the body does not hold {piece}"));
            }
        }
        for piece in self.text_lacks.iter().map(|piece| filled(piece, names)) {
            if text.contains(&piece) {
                return Err(format!("the body holds {piece}"));
            }
        }
        for (wanted, is_whole) in [(&self.body, true), (&self.members, false)] {
            if let Some(wanted) = wanted {
                compare(Some(&json_of(&text)?), wanted, "", names, is_whole)?;
            }
        }
        for (place, wanted) in &self.claims {
            let body = json_of(&text)?;
            let token = body.pointer(place).and_then(Value::as_str);
            let claims = token.and_then(claims_of).ok_or(format!("{place} is no token"))?;
            compare(Some(&claims), wanted, "claims", names, false)?;
        }
        Ok(())
    }
}

fn json_of(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|error| format!("the body is no JSON: {error}"))
}

fn claims_of(token: &str) -> Option<Value> {
    let payload = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

fn compare(
    found: Option<&Value>,
    wanted: &Value,
    place: &str,
    names: &Names,
    is_whole: bool,
) -> Result<(), String> {
    let differs = || {
        let found = found.map_or_else(|| "nothing".to_owned(), Value::to_string);
        Err(format!("{place:?} is {found}, expected is {wanted}"))
    };
    match (found, wanted) {
        (None, Value::String(matcher)) if matcher == "<absent>" => Ok(()),
        (Some(found), Value::String(text)) => {
            if is_match(found, text, names) {
                Ok(())
            } else {
                differs()
            }
        }
        (Some(Value::Object(found)), Value::Object(wanted)) => {
            compare_members(found, wanted, place, names, is_whole)
        }
        (Some(Value::Array(found)), Value::Array(wanted)) if found.len() == wanted.len() => {
            found.iter().zip(wanted).enumerate().try_for_each(|(at, (found, wanted))| {
                compare(Some(found), wanted, &format!("{place}/{at}"), names, is_whole)
            })
        }
        (Some(found), wanted) if found == wanted => Ok(()),
        (None | Some(_), _) => differs(),
    }
}

fn compare_members(
    found: &Map<String, Value>,
    wanted: &Map<String, Value>,
    place: &str,
    names: &Names,
    is_whole: bool,
) -> Result<(), String> {
    for (key, wanted) in wanted {
        compare(found.get(key), wanted, &format!("{place}/{key}"), names, is_whole)?;
    }
    match found.keys().find(|key| is_whole && !wanted.contains_key(*key)) {
        Some(more) => Err(format!("{place}/{more} is there and not expected")),
        None => Ok(()),
    }
}

fn is_match(found: &Value, text: &str, names: &Names) -> bool {
    let inside = |prefix: &str| {
        let rest = text.strip_prefix(prefix)?.strip_suffix('>')?;
        Some((found.as_str()?.to_owned(), filled(rest, names)))
    };
    match text {
        "<any>" => true,
        "<absent>" => false,
        "<string>" => found.is_string(),
        "<number>" => found.is_number(),
        "<bool>" => found.is_boolean(),
        "<timestamp>" => found.as_str().is_some_and(is_timestamp),
        "<hex24>" => found.as_str().is_some_and(|text| {
            text.len() == 24 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
        }),
        _ => {
            if let Some((found, start)) = inside("<starts ") {
                found.starts_with(&start)
            } else if let Some((found, end)) = inside("<ends ") {
                found.ends_with(&end)
            } else if let Some((found, part)) = inside("<has ") {
                found.contains(&part)
            } else {
                found.as_str().is_some_and(|found| found == filled(text, names))
            }
        }
    }
}

fn is_timestamp(text: &str) -> bool {
    let shape = "0000-00-00T00:00:00.000Z";
    text.len() == shape.len()
        && text.chars().zip(shape.chars()).all(|(own, place)| match place {
            '0' => own.is_ascii_digit(),
            other => own == other,
        })
}
