//! Random users and queries, from pools so small that they often meet.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

const TEXTS: [&str; 11] = ["", "a", "A", "ab", "x y", "É", "é\"\\", "true", "13", "13.0", "gold"];
const TIMES: [&str; 9] = [
    "2025",
    "2025-12",
    "2025-12-31",
    "2026-01-01",
    "2025-12-31T23:30:00.000Z",
    "2025-12-31T23:30:00Z",
    "2026-01-01T00:30:00+01:00",
    "2026-01-01T00:00:00.000Z",
    "2025-12-30T00:00:00.000Z",
];
const NUMBERS: [&str; 8] = ["13", "13.0", "1.3e1", "-5", "0", "9007199254740993", "2025", "0.5"];
const KEYS: [&str; 3] = ["a", "b", "d.e"];
const PROFILE: [&str; 11] = [
    "name",
    "nickname",
    "given_name",
    "username",
    "user_id",
    "created_at",
    "logins_count",
    "blocked",
    "picture",
    "last_ip",
    "locale",
];

/// The JSON text of a user.
pub(crate) fn user() -> impl Strategy<Value = String> {
    let email = prop_oneof![
        4 => "[abA]{0,2}@(x\\.org|X\\.org|é\\.test)".prop_map(Value::String),
        1 => "[ab@]{0,3}".prop_map(Value::String),
        1 => scalar(),
        1 => scalar().prop_map(|value| json!([{"domain": value, "b": value}, "a@x.org"])),
    ];
    let profile = prop::collection::vec((select(&PROFILE[..]), profile_value()), 0..6);
    let identities = prop::collection::vec(object(1), 0..2);
    (email, profile, object(3), object(3), identities).prop_map(
        |(email, profile, user_metadata, app_metadata, identities)| {
            let mut user: Map<String, Value> =
                profile.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
            user.insert("email".to_owned(), email);
            user.insert("identities".to_owned(), identity_fields(&identities));
            user.insert("user_metadata".to_owned(), user_metadata);
            user.insert("app_metadata".to_owned(), app_metadata);
            Value::Object(user).to_string()
        },
    )
}

fn identity_fields(identities: &[Value]) -> Value {
    let names = ["connection", "access_token", "profileData", "provider", "user_id"];
    let renamed = |identity: &Value| -> Value {
        identity
            .as_object()
            .unwrap()
            .values()
            .zip(names)
            .map(|(value, name)| (name.to_owned(), value.clone()))
            .collect()
    };
    Value::Array(identities.iter().map(renamed).collect())
}

/// Arrays are rare here, but nothing keeps a provider from sending one.
fn profile_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => scalar(),
        1 => prop::collection::vec(scalar(), 0..4).prop_map(Value::Array),
    ]
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => select(&TEXTS[..]).prop_map(|text| json!(text)),
        3 => select(&TIMES[..]).prop_map(|text| json!(text)),
        2 => select(&NUMBERS[..]).prop_map(|number| serde_json::from_str(number).unwrap()),
        1 => any::<bool>().prop_map(|value| json!(value)),
        1 => Just(Value::Null),
    ]
}

fn value(levels: u32) -> BoxedStrategy<Value> {
    if levels == 0 {
        return scalar().boxed();
    }
    prop_oneof![
        3 => scalar(),
        1 => prop::collection::vec(value(levels - 1), 0..3).prop_map(Value::Array),
        2 => object(levels - 1),
    ]
    .boxed()
}

fn object(levels: u32) -> BoxedStrategy<Value> {
    prop::collection::btree_map(select(&KEYS[..]), value(levels), 0..4)
        .prop_map(|members| {
            members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
        })
        .boxed()
}

/// The text of a query.
pub(crate) fn query() -> BoxedStrategy<String> {
    term()
        .prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} AND {b})")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} OR {b})")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} {b})")),
                (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} -{b})")),
                (inner.clone(), inner.clone(), inner.clone())
                    .prop_map(|(a, b, c)| format!("(+{a} && {b} || +{c} {a})")),
                inner.prop_map(|a| format!("NOT {a}")),
            ]
        })
        .boxed()
}

fn term() -> BoxedStrategy<String> {
    let literal = || prop_oneof![select(&TEXTS[..]), select(&TIMES[..]), select(&NUMBERS[..])];
    let value = prop_oneof![
        4 => literal().prop_map(quoted),
        2 => "[aAb1é2*?]{1,4}",
        1 => Just("2025-1*".to_owned()),
        1 => range(literal().boxed()),
        2 => range(select(&TIMES[..]).boxed()),
        1 => range(select(&NUMBERS[..]).boxed()),
    ];
    prop_oneof![
        8 => (path(), value).prop_map(|(path, value)| format!("{path}:{value}")),
        2 => path().prop_map(|path| format!("_exists_:{path}")),
        1 => literal().prop_map(quoted),
        1 => "[aAb1?*]{1,3}",
        1 => Just("*:*".to_owned()),
    ]
    .boxed()
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn range(literals: BoxedStrategy<&'static str>) -> BoxedStrategy<String> {
    let bound = prop_oneof![3 => literals.prop_map(quoted), 1 => Just("*".to_owned())];
    let brackets = (select(&["[", "{"][..]), select(&["]", "}"][..]));
    (brackets, bound.clone(), bound)
        .prop_map(|((open, close), lower, upper)| format!("{open}{lower} TO {upper}{close}"))
        .boxed()
}

fn path() -> BoxedStrategy<String> {
    let key = || select(&["a", "a", "b", "d\\.e"][..]);
    let root = || select(&["user_metadata", "app_metadata"][..]);
    prop_oneof![
        1 => root().prop_map(str::to_owned),
        4 => (root(), key()).prop_map(|(root, key)| format!("{root}.{key}")),
        2 => (root(), key(), key()).prop_map(|(root, a, b)| format!("{root}.{a}.{b}")),
        3 => select(&PROFILE[..]).prop_map(str::to_owned),
        2 => select(&["email", "email.domain", "email.b"][..]).prop_map(str::to_owned),
        1 => select(&["identities", "identities.connection", "identities.access_token", "identities.profileData.a"][..])
            .prop_map(str::to_owned),
    ]
    .boxed()
}
