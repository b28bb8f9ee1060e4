//! Log lines on standard error, for people or for machines.

use crate::config::{LogFormat, LogLevel};
use env_logger::fmt::Formatter;
use log::kv::{Key, Value, VisitSource};
use log::{LevelFilter, Record};
use std::fmt::Write as _;
use std::io::Write;

/// Begins logging; `RUST_LOG` wins over the settings. A second call changes nothing.
pub fn start(level: LogLevel, format: LogFormat) {
    let mut builder = env_logger::Builder::new();
    // What libraries say at info is of no use to an operator.
    builder.filter_level(LevelFilter::Warn).filter_module("dossier", LevelFilter::Trace);
    if let Ok(rules) = std::env::var("RUST_LOG") {
        builder.parse_filters(&rules);
    }
    match format {
        LogFormat::Text => builder.format(text),
        LogFormat::Json => builder.format(json),
    };
    // A process that logs already, as tests do, goes on as it is.
    let _already = builder.try_init().is_err();
    set_level(level);
}

/// From now on writes lines of this level and above.
pub fn set_level(level: LogLevel) {
    if std::env::var_os("RUST_LOG").is_none() {
        log::set_max_level(filter(level));
    }
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::Error,
        LogLevel::Warn => LevelFilter::Warn,
        LogLevel::Info => LevelFilter::Info,
        LogLevel::Debug => LevelFilter::Debug,
        LogLevel::Trace => LevelFilter::Trace,
    }
}

/// `time LEVEL message key=value …`; values that could break the line are quoted.
fn text(out: &mut Formatter, record: &Record<'_>) -> std::io::Result<()> {
    struct Pairs(String);
    impl<'kvs> VisitSource<'kvs> for Pairs {
        fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), log::kv::Error> {
            let shown = shown(value.to_string());
            write!(self.0, " {key}={shown}").map_err(|_| log::kv::Error::msg("not text"))
        }
    }
    let mut pairs = Pairs(String::new());
    // A formatting fault of one field costs that field, not the line.
    let _lost = record.key_values().visit(&mut pairs).is_err();
    let message = record
        .args()
        .to_string()
        .escape_debug()
        .to_string()
        .replace("\\'", "'")
        .replace("\\\"", "\"");
    writeln!(out, "{} {:5} {message}{}", crate::app::clock::now(), record.level(), pairs.0)
}

/// A value as it stands in a line: quoted, and escaped, when it could break the line or make it look
/// like another one.
fn shown(value: String) -> String {
    let is_plain = !value.is_empty()
        && !value.contains(char::is_whitespace)
        && value.escape_debug().eq(value.chars());
    if is_plain { value } else { format!("{value:?}") }
}

fn json(out: &mut Formatter, record: &Record<'_>) -> std::io::Result<()> {
    struct Members(serde_json::Map<String, serde_json::Value>);
    impl<'kvs> VisitSource<'kvs> for Members {
        fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), log::kv::Error> {
            let value = match (value.to_u64(), value.to_bool()) {
                (Some(number), _) => number.into(),
                (None, Some(flag)) => flag.into(),
                (None, None) => value.to_string().into(),
            };
            self.0.insert(key.to_string(), value);
            Ok(())
        }
    }
    let mut members = Members(serde_json::Map::new());
    members.0.insert("time".to_owned(), crate::app::clock::now().to_string().into());
    members.0.insert("level".to_owned(), record.level().as_str().to_lowercase().into());
    members.0.insert("target".to_owned(), record.target().into());
    members.0.insert("message".to_owned(), record.args().to_string().into());
    let _lost = record.key_values().visit(&mut members).is_err();
    writeln!(out, "{}", serde_json::Value::Object(members.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(value: &str, expected: &str) {
        assert_eq!(shown(value.to_owned()), expected);
    }

    #[test]
    fn a_value_is_one_word_of_one_line() {
        check("auth0|63d1", "auth0|63d1");
        check("/api/v2/users/auth0%7C1", "/api/v2/users/auth0%7C1");
        check("jané", "jané");
        check("", r#""""#);
        check("a b", r#""a b""#);
        check("a\nERROR b", r#""a\nERROR b""#);
        check("a\" status=200 b=\"", r#""a\" status=200 b=\"""#);
        check("a\u{1b}[31m", r#""a\u{1b}[31m""#);
        check("a\u{2028}b", r#""a\u{2028}b""#);
        // What turns the direction of the text shows another line than there is.
        check("a\u{202e}b", r#""a\u{202e}b""#);
        check("a\u{200b}b", r#""a\u{200b}b""#);
    }
}
