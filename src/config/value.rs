//! The kinds of value a setting can have, as text and as Rust.
//!
//! Durations and sizes always carry a unit. Every kind has one canonical text,
//! so that what `config print` shows can be pasted back into a file.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use zeroize::Zeroizing;

/// The smallest allowed length of a client secret, in characters.
pub const MIN_SECRET_CHARS: usize = 16;

/// What a setting holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// A host and a port, such as `127.0.0.1:7800`.
    Address,
    /// A file or folder; the empty text means none.
    Path,
    /// `true` or `false`.
    Flag,
    /// A whole number.
    Count,
    /// A length of time with its unit, such as `30s`.
    Duration,
    /// A number of bytes with its unit, such as `16KiB`.
    Size,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// A list of texts.
    List,
}

/// A value that has been read and found to be of its kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    Flag(bool),
    /// A count, or a size in bytes.
    Number(u64),
    Duration(Duration),
    List(Vec<String>),
}

/// A text that is never shown: not by `Debug`, not in a message, not in a printed configuration.
///
/// It is wiped from memory when dropped. Compare secrets that come from outside with
/// [`Secret::reveal`] and a comparison of constant time, not with `==`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes a text into hiding.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// A host and a port to listen on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    host: String,
    port: u16,
}

impl Address {
    /// Reads `host:port`; an IPv6 host stands in brackets.
    ///
    /// # Errors
    /// Says what is missing or wrong.
    pub fn parse(text: &str) -> Result<Self, InvalidAddress> {
        let Some((host, port)) = text.rsplit_once(':') else { return Err(InvalidAddress::NoPort) };
        let port = port.parse().map_err(|_| InvalidAddress::Port)?;
        let name = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(v6) => {
                v6.parse::<std::net::Ipv6Addr>().map_err(|_| InvalidAddress::Host)?;
                v6
            }
            None if is_host_name(host) => host,
            None => return Err(InvalidAddress::Host),
        };
        Ok(Self { host: name.to_owned(), port })
    }

    /// The name or number of the host, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port; 0 lets the system choose one.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether only this machine can reach it.
    pub fn is_loopback(&self) -> bool {
        match self.host.parse::<std::net::IpAddr>() {
            Ok(address) => address.is_loopback(),
            Err(_) => self.host == "localhost" || self.host.ends_with(".localhost"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Why a text is not an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAddress {
    /// There is no colon.
    #[error("has no port; write host:port, such as \"127.0.0.1:7800\"")]
    NoPort,
    /// What follows the last colon is not a port.
    #[error("has no valid port after the last colon, allowed: 0 to 65535")]
    Port,
    /// What stands before it is not a host.
    #[error("has no valid host before the port; an IPv6 address stands in brackets")]
    Host,
}

/// Whether `text` can be the name (or IPv4 number) of a host.
pub(super) fn is_host_name(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

/// Milliseconds in each unit of time, smallest first.
const TIME_UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Bytes in each unit of size, smallest first.
const SIZE_UNITS: [(&str, u64); 4] =
    [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// What people write, and what they mean by it.
const OTHER_NAMES: [(&[&str], &str); 9] = [
    (&["msec", "msecs", "milli", "millis", "millisecond", "milliseconds"], "ms"),
    (&["sec", "secs", "second", "seconds"], "s"),
    (&["min", "mins", "minute", "minutes"], "m"),
    (&["hr", "hrs", "hour", "hours"], "h"),
    (&["day", "days"], "d"),
    (&["b", "byte", "bytes"], "B"),
    (&["k", "kb", "ki", "kib"], "KiB"),
    (&["m", "mb", "mi", "mib"], "MiB"),
    (&["g", "gb", "gi", "gib"], "GiB"),
];

/// Reads a duration; `default` shows which unit is usual here.
///
/// # Errors
/// A text that says what was wanted.
pub fn parse_duration(text: &str, default: &str) -> Result<Duration, String> {
    parse_with_unit("duration", text, default, &TIME_UNITS).map(Duration::from_millis)
}

/// Reads a size in bytes; `default` shows which unit is usual here.
pub(super) fn parse_size(text: &str, default: &str) -> Result<u64, String> {
    parse_with_unit("size", text, default, &SIZE_UNITS)
}

fn parse_with_unit(
    noun: &str,
    text: &str,
    default: &str,
    units: &[(&str, u64)],
) -> Result<u64, String> {
    let (digits, unit) = split_number(text);
    if digits.is_empty() {
        return Err(format!(
            "{text:?} is not a {noun}; write a whole number and a unit, such as {default:?}"
        ));
    }
    if unit.is_empty() {
        let usual = split_number(default).1;
        return Err(format!("{noun} {text:?} has no unit; did you mean \"{digits}{usual}\"?"));
    }
    let Some((_, factor)) = units.iter().find(|(name, _)| *name == unit) else {
        let names: Vec<_> = units.iter().map(|(name, _)| *name).collect();
        let known = format!("known units are {}", names.join(", "));
        return Err(match meant_unit(unit, &names) {
            Some(meant) => {
                format!(
                    "{noun} {text:?} has an unknown unit, {known}; did you mean \"{digits}{meant}\"?"
                )
            }
            None => format!("{noun} {text:?} is not a whole number and a unit, {known}"),
        });
    };
    digits
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(*factor))
        .ok_or_else(|| format!("{noun} {text:?} is too large to count"))
}

/// Splits at the first character that is not a digit, allowing one space between the two.
fn split_number(text: &str) -> (&str, &str) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at_checked(end).unwrap_or((text, ""));
    (digits, unit.trim_start())
}

fn meant_unit<'a>(unit: &str, names: &[&'a str]) -> Option<&'a str> {
    let lower = unit.to_ascii_lowercase();
    let means = |name: &&&str| {
        name.eq_ignore_ascii_case(&lower)
            || OTHER_NAMES
                .iter()
                .any(|(others, meant)| *meant == **name && others.contains(&lower.as_str()))
    };
    names.iter().find(means).copied()
}

/// The canonical text of a duration: the largest unit that loses nothing and does not count to one.
pub(super) fn duration_text(duration: Duration) -> String {
    let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".to_owned();
    }
    // "24h" and "60s" say more at a glance than "1d" and "1m", so a unit is used from two up.
    let fits = |(name, factor): &&(&str, u64)| {
        millis.is_multiple_of(*factor) && (millis / factor > 1 || *name == "s" || *name == "ms")
    };
    let (name, factor) = TIME_UNITS.iter().rev().find(fits).unwrap_or(&("ms", 1));
    format!("{}{name}", millis / factor)
}

/// The canonical text of a size: the largest unit that loses nothing.
pub(super) fn size_text(bytes: u64) -> String {
    if bytes == 0 {
        return "0B".to_owned();
    }
    let (name, factor) = SIZE_UNITS
        .iter()
        .rev()
        .find(|(_, factor)| bytes.is_multiple_of(*factor))
        .unwrap_or(&("B", 1));
    format!("{}{name}", bytes / factor)
}

/// A Rust type a setting can have.
pub(super) trait Typed: Sized {
    /// Takes it out of a value of the right kind.
    fn from_value(value: &Value) -> Option<Self>;
    /// Puts it back.
    fn to_value(&self) -> Value;
}

impl Typed for String {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Text(text) = value { Some(text.clone()) } else { None }
    }
    fn to_value(&self) -> Value {
        Value::Text(self.clone())
    }
}

impl Typed for PathBuf {
    fn from_value(value: &Value) -> Option<Self> {
        String::from_value(value).map(Self::from)
    }
    fn to_value(&self) -> Value {
        Value::Text(self.to_string_lossy().into_owned())
    }
}

impl Typed for Option<PathBuf> {
    fn from_value(value: &Value) -> Option<Self> {
        PathBuf::from_value(value)
            .map(|path| Some(path).filter(|path| !path.as_os_str().is_empty()))
    }
    fn to_value(&self) -> Value {
        self.as_ref().map_or_else(|| Value::Text(String::new()), Typed::to_value)
    }
}

impl Typed for Address {
    fn from_value(value: &Value) -> Option<Self> {
        String::from_value(value).and_then(|text| Self::parse(&text).ok())
    }
    fn to_value(&self) -> Value {
        Value::Text(self.to_string())
    }
}

impl Typed for bool {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Flag(flag) = value { Some(*flag) } else { None }
    }
    fn to_value(&self) -> Value {
        Value::Flag(*self)
    }
}

impl Typed for u64 {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Number(number) = value { Some(*number) } else { None }
    }
    fn to_value(&self) -> Value {
        Value::Number(*self)
    }
}

impl Typed for u32 {
    fn from_value(value: &Value) -> Option<Self> {
        u64::from_value(value).and_then(|number| number.try_into().ok())
    }
    fn to_value(&self) -> Value {
        Value::Number(u64::from(*self))
    }
}

impl Typed for usize {
    fn from_value(value: &Value) -> Option<Self> {
        u64::from_value(value).and_then(|number| number.try_into().ok())
    }
    fn to_value(&self) -> Value {
        Value::Number(u64::try_from(*self).unwrap_or(u64::MAX))
    }
}

impl Typed for Duration {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::Duration(duration) = value { Some(*duration) } else { None }
    }
    fn to_value(&self) -> Value {
        Value::Duration(*self)
    }
}

impl Typed for Vec<String> {
    fn from_value(value: &Value) -> Option<Self> {
        if let Value::List(list) = value { Some(list.clone()) } else { None }
    }
    fn to_value(&self) -> Value {
        Value::List(self.clone())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn duration(text: &str, expected: Result<u64, &str>) {
        let found = parse_duration(text, "60s");
        assert_eq!(found, expected.map(Duration::from_millis).map_err(str::to_owned));
    }

    #[track_caller]
    fn size(text: &str, expected: Result<u64, &str>) {
        assert_eq!(parse_size(text, "1MiB"), expected.map_err(str::to_owned));
    }

    #[test]
    fn every_unit_of_time_is_understood() {
        duration("100ms", Ok(100));
        duration("30s", Ok(30_000));
        duration("5 m", Ok(300_000));
        duration("24h", Ok(86_400_000));
        duration("30d", Ok(2_592_000_000));
    }

    #[test]
    fn every_unit_of_size_is_understood() {
        size("512B", Ok(512));
        size("16KiB", Ok(16_384));
        size("1MiB", Ok(1_048_576));
        size("4GiB", Ok(4_294_967_296));
    }

    #[test]
    fn a_missing_or_foreign_unit_is_answered_with_the_right_one() {
        duration("30", Err("duration \"30\" has no unit; did you mean \"30s\"?"));
        duration(
            "5min",
            Err(
                "duration \"5min\" has an unknown unit, known units are ms, s, m, h, d; did you mean \"5m\"?",
            ),
        );
        duration(
            "1.5s",
            Err(
                "duration \"1.5s\" is not a whole number and a unit, known units are ms, s, m, h, d",
            ),
        );
        duration(
            "soon",
            Err("\"soon\" is not a duration; write a whole number and a unit, such as \"60s\""),
        );
        duration(
            "",
            Err("\"\" is not a duration; write a whole number and a unit, such as \"60s\""),
        );
        size("16", Err("size \"16\" has no unit; did you mean \"16MiB\"?"));
        size(
            "16kb",
            Err(
                "size \"16kb\" has an unknown unit, known units are B, KiB, MiB, GiB; did you mean \"16KiB\"?",
            ),
        );
        size("99999999999GiB", Err("size \"99999999999GiB\" is too large to count"));
    }

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for text in ["127.0.0.1:7800", "localhost:0", "[::1]:443", "a-b.example:65535"] {
            assert_eq!(Address::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Address::parse("7800"), Err(InvalidAddress::NoPort));
        assert_eq!(Address::parse("localhost:http"), Err(InvalidAddress::Port));
        assert_eq!(Address::parse("localhost:65536"), Err(InvalidAddress::Port));
        assert_eq!(Address::parse(":7800"), Err(InvalidAddress::Host));
        assert_eq!(Address::parse("::1:7800"), Err(InvalidAddress::Host));
        assert_eq!(Address::parse("-a:7800"), Err(InvalidAddress::Host));
    }

    #[test]
    fn loopback_is_told_from_the_world() {
        let is_loopback = |text| Address::parse(text).unwrap().is_loopback();
        assert!(is_loopback("127.8.0.1:1") && is_loopback("[::1]:1") && is_loopback("localhost:1"));
        assert!(
            !is_loopback("0.0.0.0:1") && !is_loopback("[::]:1") && !is_loopback("example.com:1")
        );
    }

    #[test]
    fn a_secret_does_not_show_itself() {
        let secret = Secret::new("correct horse battery".to_owned());
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(secret.reveal(), "correct horse battery");
    }

    proptest! {
        #[test]
        fn a_duration_survives_its_text(millis in 0u64..10_000_000_000) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&duration_text(duration), "1s"), Ok(duration));
        }

        #[test]
        fn a_size_survives_its_text(bytes in any::<u64>(), shift in 0u32..40) {
            let bytes = (bytes >> shift) << (shift / 2);
            prop_assert_eq!(parse_size(&size_text(bytes), "1B"), Ok(bytes));
        }

        #[test]
        fn no_text_makes_the_readers_panic(text in "\\PC{0,12}") {
            let all = (parse_duration(&text, "1s"), parse_size(&text, "1B"), Address::parse(&text));
            prop_assert_ne!(format!("{:?}", all), "");
        }
    }
}
