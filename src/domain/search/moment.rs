//! Points and stretches of time as queries and documents write them.
//!
//! A date of lower precision is a stretch: `2025-12` is the whole month. Times are microseconds since
//! 1970 in UTC; finer digits are cut off, and a time without a zone is taken as UTC.

use std::ops::Range;

/// Microseconds since 1970-01-01T00:00:00Z.
pub(crate) type Micros = i64;

const SECOND: Micros = 1_000_000;
const MINUTE: Micros = 60 * SECOND;
const HOUR: Micros = 60 * MINUTE;
/// A day.
pub(crate) const DAY: Micros = 24 * HOUR;

/// How fine a date was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Precision {
    Year,
    Month,
    Day,
    Time,
}

/// The stretch of time that a date literal covers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stretch {
    /// The first microsecond of it.
    pub(crate) start: Micros,
    /// The first microsecond after it.
    pub(crate) end: Micros,
    pub(crate) precision: Precision,
}

impl Stretch {
    /// Reads `2025`, `2025-12`, `2025-12-31`, or a date with an hour, minute, second, fraction and zone.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut input = Input(text.as_bytes());
        let year = input.digits(4)?;
        if input.is_done() {
            let range = days_from_civil(year, 1, 1)..days_from_civil(year + 1, 1, 1);
            return Some(Self::days(range, Precision::Year));
        }
        input.expect(b"-")?;
        let month = input.digits(2).filter(|month| (1..=12).contains(month))?;
        let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        let month_days = days_from_civil(year, month, 1)..days_from_civil(next_year, next_month, 1);
        if input.is_done() {
            return Some(Self::days(month_days, Precision::Month));
        }
        input.expect(b"-")?;
        let day = input.digits(2).filter(|day| *day >= 1)?;
        let date = month_days.start + day - 1;
        if date >= month_days.end {
            return None;
        }
        if input.is_done() {
            return Some(Self::days(date..date + 1, Precision::Day));
        }
        input.expect(b"Tt ")?;
        Self::parse_time(&mut input, date * DAY)
    }

    fn parse_time(input: &mut Input<'_>, midnight: Micros) -> Option<Self> {
        let mut start = midnight + input.digits(2).filter(|hour| *hour < 24)? * HOUR;
        let mut unit = HOUR;
        if input.accept(b":") {
            start += input.digits(2).filter(|minute| *minute < 60)? * MINUTE;
            unit = MINUTE;
            if input.accept(b":") {
                // 60 is a leap second; it counts as the next one.
                start += input.digits(2).filter(|second| *second <= 60)? * SECOND;
                unit = SECOND;
                if input.accept(b".") {
                    let fraction = input.fraction()?;
                    start += fraction.start;
                    unit = fraction.end - fraction.start;
                }
            }
        }
        start -= input.zone()?;
        input.is_done().then_some(Self { start, end: start + unit, precision: Precision::Time })
    }

    fn days(days: Range<i64>, precision: Precision) -> Self {
        Self { start: days.start * DAY, end: days.end * DAY, precision }
    }
}

/// The instant a value of a document stands for: an RFC 3339 time, or the start of a whole date.
pub(crate) fn instant(value: &str) -> Option<Micros> {
    // Nearly every text ends here.
    if !value.as_bytes().first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    Stretch::parse(value)
        .filter(|stretch| stretch.precision >= Precision::Day)
        .map(|stretch| stretch.start)
}

/// The instant of a time written exactly as `2025-01-31T23:59:59.999Z`, the form of every time that
/// the server writes; [`canonical_text`] gives the same text back.
pub(crate) fn canonical_instant(value: &str) -> Option<Micros> {
    let &[
        _,
        _,
        _,
        _,
        b'-',
        _,
        _,
        b'-',
        _,
        _,
        b'T',
        _,
        _,
        b':',
        _,
        _,
        b':',
        tens,
        _,
        b'.',
        _,
        _,
        _,
        b'Z',
    ] = value.as_bytes()
    else {
        return None;
    };
    // A leap second has the same instant as the second after it.
    if tens == b'6' {
        return None;
    }
    instant(value)
}

/// The text of an instant that [`canonical_instant`] has read.
pub(crate) fn canonical_text(instant: Micros) -> String {
    let (days, rest) = (instant.div_euclid(DAY), instant.rem_euclid(DAY));
    let (year, month, day) = civil_from_days(days);
    let (hour, minute) = (rest / HOUR, rest % HOUR / MINUTE);
    let (second, millis) = (rest % MINUTE / SECOND, rest % SECOND / 1000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// What is left to read of a date.
struct Input<'a>(&'a [u8]);

impl Input<'_> {
    fn is_done(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the next byte when it is one of `any`.
    fn accept(&mut self, any: &[u8]) -> bool {
        match self.0.split_first() {
            Some((first, rest)) if any.contains(first) => {
                self.0 = rest;
                true
            }
            Some(_) | None => false,
        }
    }

    fn expect(&mut self, any: &[u8]) -> Option<()> {
        self.accept(any).then_some(())
    }

    fn digits(&mut self, count: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        digits.iter().try_fold(0, |value, byte| {
            byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0'))
        })
    }

    /// The microseconds that a fraction of a second covers.
    fn fraction(&mut self) -> Option<Range<Micros>> {
        let (mut start, mut unit, mut count) = (0, SECOND, 0_usize);
        while let Some((byte, rest)) =
            self.0.split_first().filter(|(byte, _)| byte.is_ascii_digit())
        {
            self.0 = rest;
            count += 1;
            if unit > 1 {
                unit /= 10;
                start += i64::from(byte - b'0') * unit;
            }
        }
        (count > 0).then_some(start..start + unit)
    }

    /// The offset of the zone from UTC.
    fn zone(&mut self) -> Option<Micros> {
        if self.is_done() || self.accept(b"Zz") {
            return Some(0);
        }
        let is_behind = self.accept(b"-");
        if !is_behind {
            self.expect(b"+")?;
        }
        let hours = self.digits(2).filter(|hours| *hours < 24)?;
        self.expect(b":")?;
        let minutes = self.digits(2).filter(|minutes| *minutes < 60)?;
        let offset = hours * HOUR + minutes * MINUTE;
        Some(if is_behind { -offset } else { offset })
    }
}

/// Days since 1970-01-01 of a day in the proleptic Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // Counting years from March puts the leap day at the end, and 400 years are always 146,097 days.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::{DAY, Stretch, canonical_instant, canonical_text, instant};
    use proptest::prelude::*;

    #[track_caller]
    fn check(literal: &str, first: &str, after: &str) {
        let stretch = Stretch::parse(literal).unwrap();
        assert_eq!(stretch.start, instant(first).unwrap(), "start of {literal}");
        assert_eq!(stretch.end, instant(after).unwrap(), "end of {literal}");
    }

    #[test]
    fn a_date_of_lower_precision_is_a_stretch() {
        check("2024", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z");
        check("2024-02", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z");
        check("2025-12", "2025-12-01T00:00:00Z", "2026-01-01T00:00:00Z");
        check("2025-12-31", "2025-12-31T00:00:00Z", "2026-01-01T00:00:00Z");
        check("2025-12-31T23", "2025-12-31T23:00:00Z", "2026-01-01T00:00:00Z");
        check("2025-12-31T23:59", "2025-12-31T23:59:00Z", "2026-01-01T00:00:00Z");
        check("2025-12-31T23:59:59Z", "2025-12-31T23:59:59Z", "2026-01-01T00:00:00Z");
        check("2025-12-31T23:59:59.9Z", "2025-12-31T23:59:59.900Z", "2026-01-01T00:00:00Z");
    }

    #[test]
    fn zones_are_taken_into_account() {
        assert_eq!(instant("2025-01-01T01:30:00+01:30"), instant("2025-01-01T00:00:00Z"));
        assert_eq!(instant("2024-12-31T19:00:00-05:00"), instant("2025-01-01T00:00:00.000Z"));
    }

    #[test]
    fn known_days_have_known_numbers() {
        assert_eq!(instant("1970-01-01"), Some(0));
        assert_eq!(instant("2000-03-01"), Some(11_017 * DAY));
        assert_eq!(instant("1969-12-31"), Some(-DAY));
    }

    #[test]
    fn other_texts_are_no_dates() {
        for text in [
            "",
            "20",
            "2025-",
            "2025-13",
            "2025-00",
            "2025-02-29",
            "2025-1-1",
            "2025-01-01T",
            "2025-01-01T24",
            "2025-01-01T00:00:00.",
            "2025-01-01T00:00:00+1",
            "2025-01-01T00:00:00Zx",
            "12 Main Street",
            "٢٠٢٥",
        ] {
            assert_eq!(Stretch::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_value_needs_a_whole_date_to_be_an_instant() {
        assert_eq!(instant("2025"), None);
        assert_eq!(instant("2025-01"), None);
        assert!(instant("2025-01-31").is_some());
    }

    #[test]
    fn only_the_form_the_server_writes_is_canonical() {
        assert!(canonical_instant("2025-01-31T23:59:59.999Z").is_some());
        for other in [
            "2025-01-31T23:59:59Z",
            "2025-01-31t23:59:59.999z",
            "2025-01-31T23:59:60.000Z",
            "2025-01-31",
        ] {
            assert_eq!(canonical_instant(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn canonical_text_is_the_inverse(millis in -62_167_219_200_000..253_402_300_800_000_i64) {
            let text = canonical_text(millis * 1000);
            prop_assert_eq!(canonical_instant(&text), Some(millis * 1000), "{}", text);
        }

        #[test]
        fn canonical_texts_sort_like_their_instants(a in -62_167_219_200_000..253_402_300_800_000_i64, b in -62_167_219_200_000..253_402_300_800_000_i64) {
            prop_assert_eq!(canonical_text(a * 1000).cmp(&canonical_text(b * 1000)), a.cmp(&b));
        }

        #[test]
        fn any_text_is_read_without_panic(text in "[0-9T:.Z+ -]{0,30}|\\PC{0,12}") {
            let _read = Stretch::parse(&text);
        }
    }
}
