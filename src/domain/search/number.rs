//! Numbers as JSON writes them, compared by their exact decimal value.
//!
//! `13`, `13.0` and `1.3e1` are one number; integers above 2^53 keep every digit. No number passes
//! through a float.

use std::cmp::Ordering;
use std::fmt;

/// An exact number.
///
/// Every value below 10^18 that is whole is an `Integer`, everything else a `Decimal`, so that equal
/// numbers have equal forms.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Number {
    Integer(i64),
    Decimal(Box<Decimal>),
}

/// The value `0.DIGITS × 10^exponent`, with its sign; the digits neither start nor end with a zero.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Decimal {
    negative: bool,
    exponent: i64,
    digits: Box<str>,
}

/// As many digits always fit an `i64`.
const INTEGER_DIGITS: usize = 18;
/// Exponents beyond this are taken as equal; no document can tell them apart in a useful way.
const EXPONENT_MAX: i64 = 1_000_000_000_000;
/// Numbers of at most this many places before the point are written without an exponent.
const PLAIN_PLACES: i64 = 40;

impl Number {
    /// Reads the text of a JSON number; `None` for any other text, `007` and `+5` included.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, rest) = split_digits(unsigned);
        if whole.is_empty() || (whole.len() > 1 && whole.starts_with('0')) {
            return None;
        }
        if rest.is_empty() && whole.len() <= INTEGER_DIGITS {
            let value: i64 = whole.parse().ok()?;
            return Some(Self::Integer(if negative { -value } else { value }));
        }
        let (fraction, rest) = match rest.strip_prefix('.') {
            Some(rest) => split_digits(rest),
            None => ("0", rest),
        };
        let exponent = match rest.strip_prefix(['e', 'E']) {
            Some(exponent) => parse_exponent(exponent)?,
            None if rest.is_empty() => 0,
            None => return None,
        };
        if fraction.is_empty() {
            return None;
        }
        Some(Self::from_parts(negative, whole, fraction, exponent))
    }

    fn from_parts(negative: bool, whole: &str, fraction: &str, exponent: i64) -> Self {
        let all = [whole, fraction].concat();
        let significant = all.trim_start_matches('0');
        let leading = length(&all) - length(significant);
        let digits = significant.trim_end_matches('0');
        if digits.is_empty() {
            return Self::Integer(0);
        }
        let exponent = length(whole) - leading + exponent;
        if let Some(value) = whole_value(digits, exponent) {
            return Self::Integer(if negative { -value } else { value });
        }
        Self::Decimal(Box::new(Decimal { negative, exponent, digits: digits.into() }))
    }

    fn is_negative(&self) -> bool {
        match self {
            Self::Integer(value) => *value < 0,
            Self::Decimal(decimal) => decimal.negative,
        }
    }

    fn to_decimal(&self) -> Decimal {
        match self {
            Self::Integer(value) => {
                let text = value.unsigned_abs().to_string();
                let digits = text.trim_end_matches('0');
                Decimal { negative: *value < 0, exponent: length(&text), digits: digits.into() }
            }
            Self::Decimal(decimal) => decimal.as_ref().clone(),
        }
    }
}

impl Decimal {
    fn compare_size(&self, other: &Self) -> Ordering {
        // Zero has no digits, and is the smallest whatever its exponent.
        match (self.digits.is_empty(), other.digits.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => {
                self.exponent.cmp(&other.exponent).then_with(|| self.digits.cmp(&other.digits))
            }
        }
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        if let (Self::Integer(left), Self::Integer(right)) = (self, other) {
            return left.cmp(right);
        }
        match (self.is_negative(), other.is_negative()) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.to_decimal().compare_size(&other.to_decimal()),
            (true, true) => other.to_decimal().compare_size(&self.to_decimal()),
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The canonical text: plain where that is short, else with an exponent.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Integer(value) => write!(f, "{value}"),
            Self::Decimal(decimal) => decimal.fmt(f),
        }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negative {
            f.write_str("-")?;
        }
        let digits = &self.digits;
        if (-6..=0).contains(&self.exponent) {
            write!(f, "0.{}{digits}", zeros(-self.exponent))
        } else if (1..=PLAIN_PLACES).contains(&self.exponent) {
            match usize::try_from(self.exponent).ok().and_then(|at| digits.split_at_checked(at)) {
                Some((whole, "")) => f.write_str(whole),
                Some((whole, fraction)) => write!(f, "{whole}.{fraction}"),
                None => write!(f, "{digits}{}", zeros(self.exponent - length(digits))),
            }
        } else {
            let exponent = self.exponent - 1;
            match digits.split_at_checked(1) {
                Some((first, "")) => write!(f, "{first}e{exponent}"),
                Some((first, rest)) => write!(f, "{first}.{rest}e{exponent}"),
                None => f.write_str("0"),
            }
        }
    }
}

fn split_digits(text: &str) -> (&str, &str) {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at_checked(end).unwrap_or((text, ""))
}

fn parse_exponent(text: &str) -> Option<i64> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let size = digits.parse().unwrap_or(EXPONENT_MAX).min(EXPONENT_MAX);
    Some(if negative { -size } else { size })
}

/// The whole number `0.DIGITS × 10^exponent`, when it is one and small enough.
fn whole_value(digits: &str, exponent: i64) -> Option<i64> {
    let places = usize::try_from(exponent).ok().filter(|places| *places <= INTEGER_DIGITS)?;
    let missing = places.checked_sub(digits.len())?;
    let value: i64 = digits.parse().ok()?;
    value.checked_mul(10_i64.checked_pow(u32::try_from(missing).ok()?)?)
}

fn zeros(count: i64) -> String {
    "0".repeat(usize::try_from(count).unwrap_or(0))
}

fn length(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::Number;
    use proptest::prelude::*;

    #[track_caller]
    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn forms_of_one_number_are_equal() {
        for other in ["13.0", "1.3e1", "130e-1", "0.13E+2", "13.000"] {
            assert_eq!(number("13"), number(other), "{other}");
        }
        assert_eq!(number("-0"), number("0.0e9"));
        assert_eq!(number("1e3"), number("1000"));
    }

    #[test]
    fn large_integers_keep_every_digit() {
        assert!(number("9007199254740993") > number("9007199254740992"));
        assert!(number("123456789012345678901") > number("123456789012345678900.5"));
        assert_ne!(number("9223372036854775807"), number("9223372036854775808"));
    }

    #[test]
    fn the_order_is_that_of_the_values() {
        let ordered = [
            "-1e30", "-15.5", "-2", "-0.1", "0", "1e-9", "0.5", "1", "2.25", "10", "1e18", "1e400",
        ];
        for pair in ordered.windows(2) {
            assert!(number(pair[0]) < number(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn other_texts_are_no_numbers() {
        for text in
            ["", "-", "007", "+5", "1.", ".5", "1e", "1e+", "0x1", "1 ", "NaN", "1.5.2", "1_000"]
        {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_canonical_text_is_plain_where_that_is_short() {
        for (text, canonical) in [
            ("1e3", "1000"),
            ("1.50", "1.5"),
            ("-0.0025", "-0.0025"),
            ("1e25", "10000000000000000000000000"),
            ("12345678901234567890.5", "12345678901234567890.5"),
            ("1e50", "1e50"),
            ("1.25e-20", "1.25e-20"),
        ] {
            assert_eq!(number(text).to_string(), canonical);
        }
    }

    proptest! {
        #[test]
        fn the_canonical_text_reads_back(text in "-?(0|[1-9][0-9]{0,24})(\\.[0-9]{1,12})?([eE][+-]?[0-9]{1,3})?") {
            let read = number(&text);
            prop_assert_eq!(number(&read.to_string()), read);
        }

        #[test]
        fn the_order_agrees_with_floats(a in -1e6..1e6_f64, b in -1e6..1e6_f64) {
            prop_assert_eq!(Some(number(&a.to_string()).cmp(&number(&b.to_string()))), a.partial_cmp(&b));
        }
    }
}
