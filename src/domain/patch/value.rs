//! What JSON texts mean, beside how they are written: equality, depth, exact sums.

use crate::domain::json::{self, Elements, Kind, Members};
use crate::domain::search::number::Number;
use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Digits a sum may have: more would be no number anybody counts with.
const MAX_DIGITS: usize = 400;

/// Whether two compact JSON texts are one value (RFC 6902 §4.6).
///
/// Members count whatever their order, numbers by what they are worth (`1e3` is
/// `1000`), strings by what they say (`"\u00e9"` is `"é"`).
pub(super) fn is_same(left: &str, right: &str) -> bool {
    if left == right {
        return true;
    }
    match (Kind::of(left), Kind::of(right)) {
        (Kind::Integer | Kind::Number, Kind::Integer | Kind::Number) => {
            compare(left, right) == Some(Ordering::Equal)
        }
        (Kind::String, Kind::String) => json::unquote(left) == json::unquote(right),
        (Kind::Array, Kind::Array) => {
            let (mut left, mut right) = (Elements::of(left), Elements::of(right));
            loop {
                match (left.next(), right.next()) {
                    (None, None) => return true,
                    (Some(left), Some(right)) if is_same(left, right) => {}
                    _ => return false,
                }
            }
        }
        (Kind::Object, Kind::Object) => {
            let members = |text| -> BTreeMap<Cow<'_, str>, &str> {
                Members::of(text).map(|(key, value)| (json::unquote(key), value)).collect()
            };
            let (left, right) = (members(left), members(right));
            left.len() == right.len()
                && left
                    .iter()
                    .zip(&right)
                    .all(|((key, left), (other, right))| key == other && is_same(left, right))
        }
        (
            Kind::Null
            | Kind::Boolean
            | Kind::Integer
            | Kind::Number
            | Kind::String
            | Kind::Array
            | Kind::Object,
            _,
        ) => false,
    }
}

/// How many levels of arrays and objects a compact JSON text has.
pub(super) fn depth_of(text: &str) -> usize {
    let (mut deepest, mut depth, mut rest) = (0_usize, 0_usize, text);
    while let Some(at) = rest.find(['{', '[', '}', ']', '"']) {
        let (_, tail) = rest.split_at(at);
        match tail.as_bytes().first() {
            Some(b'"') => {
                rest = json::behind_string(tail);
                continue;
            }
            Some(b'{' | b'[') => depth += 1,
            _ => depth = depth.saturating_sub(1),
        }
        deepest = deepest.max(depth);
        rest = tail.get(1..).unwrap_or_default();
    }
    deepest
}

/// Which of two numbers is larger, exactly; none when one of them is no number.
pub(super) fn compare(left: &str, right: &str) -> Option<Ordering> {
    Some(Number::parse(left)?.cmp(&Number::parse(right)?))
}

/// Whether a JSON text is a number.
pub(super) fn is_number(text: &str) -> bool {
    matches!(Kind::of(text), Kind::Integer | Kind::Number)
}

/// The exact sum of two JSON numbers, written without exponent and with as many places
/// behind the point as the longer of them; none when it would take too many digits.
///
/// | left | right | sum |
/// |---|---|---|
/// | `9007199254740993` | `1` | `9007199254740994` |
/// | `0.1` | `0.2` | `0.3` |
/// | `1.0` | `1` | `2.0` |
/// | `1e3` | `-1` | `999` |
pub(super) fn sum(left: &str, right: &str) -> Option<String> {
    if let (Ok(left), Ok(right)) = (left.parse::<i128>(), right.parse::<i128>())
        && let Some(sum) = left.checked_add(right)
    {
        return Some(sum.to_string());
    }
    let (left, right) = (Decimal::parse(left)?, Decimal::parse(right)?);
    let places = left.places.max(right.places);
    let (a, b) = (left.digits_at(places)?, right.digits_at(places)?);
    let (is_negative, digits) = if left.is_negative == right.is_negative {
        (left.is_negative, added(&a, &b))
    } else if is_larger(&a, &b) {
        (left.is_negative, subtracted(&a, &b))
    } else {
        (right.is_negative, subtracted(&b, &a))
    };
    Some(written(is_negative, &digits, places))
}

/// `digits` × 10^-`places`, lowest digit first.
struct Decimal {
    is_negative: bool,
    digits: Vec<u8>,
    places: usize,
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let (is_negative, text) =
            text.strip_prefix('-').map_or((false, text), |unsigned| (true, unsigned));
        let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let exponent: i32 = exponent.parse().ok()?;
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let written = whole.bytes().chain(fraction.bytes()).rev();
        let mut digits: Vec<u8> = written.map(|byte| byte.wrapping_sub(b'0')).collect();
        if digits.iter().any(|digit| *digit > 9) || digits.len() > MAX_DIGITS {
            return None;
        }
        let places = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        let size = usize::try_from(places.unsigned_abs()).ok()?;
        if size > MAX_DIGITS {
            return None;
        }
        if places >= 0 {
            return Some(Self { is_negative, digits, places: size });
        }
        digits.splice(0..0, std::iter::repeat_n(0, size));
        Some(Self { is_negative, digits, places: 0 })
    }

    /// The digits as if there were so many places.
    fn digits_at(&self, places: usize) -> Option<Vec<u8>> {
        let missing = places.checked_sub(self.places)?;
        let digits: Vec<u8> =
            std::iter::repeat_n(0, missing).chain(self.digits.iter().copied()).collect();
        (digits.len() <= MAX_DIGITS).then_some(digits)
    }
}

fn is_larger(a: &[u8], b: &[u8]) -> bool {
    let size = a.len().max(b.len());
    let digit = |digits: &[u8], at: usize| digits.get(at).copied().unwrap_or(0);
    (0..size).rev().map(|at| digit(a, at).cmp(&digit(b, at))).find(|order| order.is_ne())
        == Some(Ordering::Greater)
}

fn added(a: &[u8], b: &[u8]) -> Vec<u8> {
    let size = a.len().max(b.len()) + 1;
    let mut carry = 0;
    let digit = |digits: &[u8], at: usize| digits.get(at).copied().unwrap_or(0);
    (0..size)
        .map(|at| {
            let sum = digit(a, at) + digit(b, at) + carry;
            carry = sum / 10;
            sum % 10
        })
        .collect()
}

/// `a - b`, where `b` is not larger.
fn subtracted(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut borrowed = 0;
    let digit = |digits: &[u8], at: usize| digits.get(at).copied().unwrap_or(0);
    (0..a.len().max(b.len()))
        .map(|at| {
            let (own, other) = (digit(a, at), digit(b, at) + borrowed);
            borrowed = u8::from(own < other);
            own + borrowed * 10 - other
        })
        .collect()
}

fn written(is_negative: bool, digits: &[u8], places: usize) -> String {
    let mut text: String = digits.iter().rev().map(|digit| char::from(b'0' + digit)).collect();
    if text.len() <= places {
        text.insert_str(0, &"0".repeat(places + 1 - text.len()));
    }
    let (whole, fraction) = text.split_at_checked(text.len() - places).unwrap_or((&text, ""));
    let trimmed = whole.trim_start_matches('0');
    let whole = if trimmed.is_empty() { "0" } else { trimmed };
    let is_zero = whole == "0" && fraction.bytes().all(|byte| byte == b'0');
    let sign = if is_negative && !is_zero { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{whole}{point}{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check_sum(left: &str, right: &str, expected: &str) {
        assert_eq!(sum(left, right).as_deref(), Some(expected), "{left} + {right}");
        assert_eq!(sum(right, left).as_deref(), Some(expected), "{right} + {left}");
    }

    #[test]
    fn sums_are_exact() {
        check_sum("9007199254740993", "1", "9007199254740994");
        check_sum(
            "170141183460469231731687303715884105727",
            "1",
            "170141183460469231731687303715884105728",
        );
        check_sum("0.1", "0.2", "0.3");
        check_sum("1.0", "1", "2.0");
        check_sum("1e3", "-1", "999");
        check_sum("-0.5", "0.25", "-0.25");
        check_sum("-1.5", "1.5", "0.0");
        check_sum("99.99", "0.01", "100.00");
        check_sum("1.25e-2", "1", "1.0125");
        check_sum("-0", "-0.0", "0.0");
        check_sum("5E+1", "0.5", "50.5");
    }

    #[test]
    fn a_sum_nobody_could_read_is_none() {
        for far in ["1e-999999999", "1e401", "1e-401", "1e99999999999"] {
            assert_eq!(sum(far, "0.5"), None, "{far}");
        }
    }

    #[test]
    fn values_are_the_same_by_what_they_mean() {
        for (left, right) in [
            ("1e3", "1000.0"),
            (r#""\u00e9""#, r#""é""#),
            (r#"{"a":1,"b":[2]}"#, r#"{"b":[2.0],"\u0061":1}"#),
            ("-0", "0"),
            ("[]", "[]"),
        ] {
            assert!(is_same(left, right), "{left} {right}");
        }
        for (left, right) in [
            ("1", "\"1\""),
            ("[1,2]", "[2,1]"),
            ("[1]", "[1,1]"),
            (r#"{"a":1}"#, r#"{"a":1,"b":null}"#),
            (r#"{"a":1}"#, r#"{"b":1}"#),
            ("null", "false"),
            ("9007199254740993", "9007199254740992"),
            ("{}", "[]"),
        ] {
            assert!(!is_same(left, right), "{left} {right}");
        }
    }

    #[test]
    fn depth_counts_open_brackets_outside_of_strings() {
        for (text, depth) in [
            ("1", 0),
            ("\"[{\"", 0),
            ("[]", 1),
            (r#"{"a[":[{"b":"]"}],"c":{}}"#, 3),
            (r#"["\"["]"#, 1),
        ] {
            assert_eq!(depth_of(text), depth, "{text}");
        }
    }

    proptest! {
        #[test]
        fn sums_of_cents_are_those_of_integers(a in -10_i64.pow(15)..10_i64.pow(15), b in -10_i64.pow(15)..10_i64.pow(15)) {
            let text = |cents: i64| {
                let sign = if cents < 0 { "-" } else { "" };
                format!("{sign}{}.{:02}", cents.abs() / 100, cents.abs() % 100)
            };
            prop_assert_eq!(sum(&text(a), &text(b)), Some(text(a + b)));
        }

        #[test]
        fn what_is_added_can_be_taken_away(a in "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,12})?", b in "(0|[1-9][0-9]{0,40})(\\.[0-9]{1,12})?") {
            let there = sum(&a, &b).unwrap();
            let back = sum(&there, &format!("-{b}")).unwrap();
            prop_assert_eq!(compare(&back, &a), Some(Ordering::Equal));
        }
    }
}
