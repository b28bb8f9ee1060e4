//! The meaning of a query, told once more: slowly, over a tree, with other people's numbers and times.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use crate::domain::search::ast::{Field, Kind, Node};
use crate::domain::search::field::Path;
use crate::domain::search::pattern::Token;
use crate::domain::search::predicate::{Bound, Predicate};

const FOLDING: [&str; 5] = ["email", "name", "given_name", "family_name", "nickname"];
const BARE: [&str; 8] = [
    "email",
    "name",
    "given_name",
    "family_name",
    "nickname",
    "username",
    "user_id",
    "phone_number",
];
const PLAIN: [&str; 13] = [
    "username",
    "user_id",
    "phone_number",
    "created_at",
    "updated_at",
    "last_login",
    "logins_count",
    "blocked",
    "email_verified",
    "phone_verified",
    "last_ip",
    "organization_id",
    "identities",
];

pub(crate) fn matches(node: &Node, user: &Value) -> bool {
    match &node.kind {
        Kind::All => true,
        Kind::Not(inner) => !matches(inner, user),
        Kind::And(parts) => parts.iter().all(|part| matches(part, user)),
        Kind::Or(parts) => parts.iter().any(|part| matches(part, user)),
        Kind::Term(term) => match &term.field {
            Field::At(path) => {
                let keys: Vec<&str> = path.keys().iter().map(AsRef::as_ref).collect();
                is_searchable(path) && any(&term.predicate, &keys, user)
            }
            Field::Identifying => BARE.iter().any(|name| any(&term.predicate, &[name], user)),
        },
    }
}

fn any(predicate: &Predicate, keys: &[&str], user: &Value) -> bool {
    values(keys, user).iter().any(|value| accepts(predicate, value, FOLDING.contains(&keys[0])))
}

fn is_searchable(path: &Path) -> bool {
    let keys: Vec<&str> = path.keys().iter().map(AsRef::as_ref).collect();
    match keys[..] {
        ["identities", key, ..] => {
            ["connection", "provider", "user_id", "isSocial", "profileData"].contains(&key)
        }
        ["user_metadata" | "app_metadata", ..] => true,
        [root, ..] => FOLDING.contains(&root) || PLAIN.contains(&root),
        [] => false,
    }
}

fn values(keys: &[&str], user: &Value) -> Vec<Value> {
    let mut found = Vec::new();
    if keys == ["email", "domain"] {
        if let Some((_, domain)) = user["email"].as_str().and_then(|email| email.rsplit_once('@')) {
            found.push(Value::String(domain.to_owned()));
        }
        found.retain(|domain| domain != "");
    } else {
        walk(keys, user, &mut found);
    }
    found
}

fn walk(keys: &[&str], value: &Value, found: &mut Vec<Value>) {
    match (value, keys) {
        (Value::Array(items), _) => items.iter().for_each(|item| walk(keys, item, found)),
        (Value::Object(members), [key, rest @ ..]) => {
            if let Some(value) = members.get(*key) {
                walk(rest, value, found);
            }
        }
        (_, []) => found.push(value.clone()),
        _ => {}
    }
}

fn is_filled(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(items) => items.iter().any(is_filled),
        Value::Object(members) => Map::values(members).any(is_filled),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

fn accepts(predicate: &Predicate, value: &Value, folds: bool) -> bool {
    let fold = |text: &str| if folds { text.to_lowercase() } else { text.to_owned() };
    match (predicate, value) {
        (Predicate::Exists, _) => is_filled(value),
        (_, Value::Null | Value::Array(_) | Value::Object(_))
        | (Predicate::Within(_), Value::Bool(_)) => false,
        (Predicate::Equals(literal), Value::Bool(value)) => literal.text == value.to_string(),
        (Predicate::Equals(literal), Value::Number(value)) => {
            serde_json::from_str::<Value>(&literal.text)
                .is_ok_and(|wanted| same_number(&wanted, &Value::Number(value.clone())))
        }
        (Predicate::Equals(literal), Value::String(value)) => {
            let within = |(start, end): (Timestamp, Timestamp)| {
                literal.text.len() > 4 && instant(value).is_some_and(|at| start <= at && at < end)
            };
            fold(&literal.text) == fold(value) || stretch(&literal.text).is_some_and(within)
        }
        (Predicate::Matches(wildcard), value) => {
            let text = match value {
                Value::String(text) => fold(text),
                Value::Number(number) => number_text(number.as_f64().unwrap(), &number.to_string()),
                Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                    value.to_string()
                }
            };
            let folds = folds && value.is_string();
            let tokens: Vec<Token> = wildcard
                .tokens
                .iter()
                .map(|token| match token {
                    Token::Char(char) if folds => Token::Char(char.to_lowercase().next().unwrap()),
                    Token::Char(_) | Token::One | Token::Many => *token,
                })
                .collect();
            like(&tokens, &text.chars().collect::<Vec<_>>())
        }
        (Predicate::Within(range), Value::Number(_)) => {
            let wanted = |bound: &Bound| {
                serde_json::from_str::<Value>(&bound.literal.text).ok().filter(Value::is_number)
            };
            let (value, exact) = (value.as_f64().unwrap(), value.to_string());
            let holds = |bound: &Bound, is_upper: bool| {
                wanted(bound).is_some_and(|wanted| {
                    let equal = same_text_number(&exact, &wanted.to_string());
                    let wanted = wanted.as_f64().unwrap();
                    if equal {
                        bound.is_inclusive
                    } else if is_upper {
                        value < wanted
                    } else {
                        value > wanted
                    }
                })
            };
            range.lower.as_ref().is_none_or(|bound| holds(bound, false))
                && range.upper.as_ref().is_none_or(|bound| holds(bound, true))
        }
        (Predicate::Within(range), Value::String(text)) => {
            let lower = range.lower.as_ref().is_none_or(|bound| {
                match (stretch(&bound.literal.text), instant(text)) {
                    (Some((start, end)), Some(at)) => {
                        at >= if bound.is_inclusive { start } else { end }
                    }
                    _ if bound.is_inclusive => fold(text) >= fold(&bound.literal.text),
                    _ => fold(text) > fold(&bound.literal.text),
                }
            });
            let upper = range.upper.as_ref().is_none_or(|bound| {
                match (stretch(&bound.literal.text), instant(text)) {
                    (Some((start, end)), Some(at)) => {
                        at < if bound.is_inclusive { end } else { start }
                    }
                    _ if bound.is_inclusive => fold(text) <= fold(&bound.literal.text),
                    _ => fold(text) < fold(&bound.literal.text),
                }
            });
            lower && upper
        }
    }
}

fn same_number(left: &Value, right: &Value) -> bool {
    left.is_number() && right.is_number() && same_text_number(&left.to_string(), &right.to_string())
}

/// The pool holds no two whole numbers that a float confuses.
fn same_text_number(left: &str, right: &str) -> bool {
    left.parse::<f64>().unwrap().total_cmp(&right.parse().unwrap()).is_eq()
}

fn number_text(value: f64, exact: &str) -> String {
    if exact.contains(['.', 'e']) { value.to_string() } else { exact.to_owned() }
}

fn like(tokens: &[Token], text: &[char]) -> bool {
    match tokens {
        [] => text.is_empty(),
        [Token::Many, rest @ ..] => (0..=text.len()).any(|skip| like(rest, &text[skip..])),
        [Token::One, rest @ ..] => !text.is_empty() && like(rest, &text[1..]),
        [Token::Char(char), rest @ ..] => text.first() == Some(char) && like(rest, &text[1..]),
    }
}

fn midnight(date: Date) -> Timestamp {
    date.to_zoned(TimeZone::UTC).unwrap().timestamp()
}

fn day(text: &str) -> Option<Date> {
    (text.len() == 10).then(|| text.parse().ok()).flatten()
}

fn instant(text: &str) -> Option<Timestamp> {
    day(text).map(midnight).or_else(|| text.parse().ok().filter(|_| text.len() > 10))
}

fn stretch(text: &str) -> Option<(Timestamp, Timestamp)> {
    let month = |text: &str| day(&format!("{text}-01"));
    let next = |date: Date, months: i8| {
        let (year, month) = if months == 12 || date.month() == 12 {
            (date.year() + 1, if months == 12 { date.month() } else { 1 })
        } else {
            (date.year(), date.month() + 1)
        };
        midnight(DateTime::new(year, month, 1, 0, 0, 0, 0).unwrap().date())
    };
    match text.len() {
        4 => month(&format!("{text}-01")).map(|date| (midnight(date), next(date, 12))),
        7 => month(text).map(|date| (midnight(date), next(date, 1))),
        10 => day(text).map(|date| (midnight(date), midnight(date.tomorrow().unwrap()))),
        _ => {
            let unit = if text.contains('.') { 1 } else { 1000 };
            instant(text)
                .map(|at| (at, Timestamp::from_millisecond(at.as_millisecond() + unit).unwrap()))
        }
    }
}
