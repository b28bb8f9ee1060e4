//! The dialect of our own: what each operation does and refuses.

use super::cases::BUDGET;
use crate::domain::json::compact;
use crate::domain::patch::{Failure, Ops};
use crate::domain::time::Timestamp;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const BAGS: &[&str] = &["user_metadata", "app_metadata"];

fn applied(bag: &str, operations: &str) -> Result<String, Failure> {
    let document = format!(r#"{{"app_metadata":{bag}}}"#);
    let ops = Ops::parse(&compact(&format!(r#"{{"app_metadata":{operations}}}"#)), BAGS).unwrap();
    let (text, _) = ops.apply(&document, BUDGET, NOW)?;
    Ok(text.strip_prefix(r#"{"app_metadata":"#).unwrap().strip_suffix('}').unwrap().to_owned())
}

#[track_caller]
fn becomes(bag: &str, operations: &str, expected: &str) {
    assert_eq!(applied(bag, operations).as_deref(), Ok(expected), "{bag} {operations}");
}

#[test]
fn numbers_are_counted_exactly() {
    becomes("{}", r#"{"inc":{"n":1}}"#, r#"{"n":1}"#);
    becomes(r#"{"n":9007199254740993}"#, r#"{"inc":{"n":1}}"#, r#"{"n":9007199254740994}"#);
    becomes(r#"{"n":0.1,"m":1e3}"#, r#"{"inc":{"n":0.2,"m":-1}}"#, r#"{"n":0.3,"m":999}"#);
    becomes(
        r#"{"a":1,"b":5}"#,
        r#"{"max":{"a":2,"b":2,"c":2},"min":{"b":4.5}}"#,
        r#"{"a":2,"b":4.5,"c":2}"#,
    );
    becomes(
        r#"{"a":9007199254740993}"#,
        r#"{"max":{"a":9007199254740992}}"#,
        r#"{"a":9007199254740993}"#,
    );
    becomes(r#"{"a":1e3}"#, r#"{"max":{"a":1000.0}}"#, r#"{"a":1e3}"#);
}

#[test]
fn elements_come_and_go() {
    becomes("{}", r#"{"append":{"l":1}}"#, r#"{"l":[1]}"#);
    becomes(r#"{"l":[1]}"#, r#"{"append":{"l":[1]}}"#, r#"{"l":[1,[1]]}"#);
    becomes(
        r#"{"roles":["user"]}"#,
        r#"{"add_to_set":{"roles":"admin"}}"#,
        r#"{"roles":["user","admin"]}"#,
    );
    becomes(
        r#"{"roles":["us\u0065r",1.0]}"#,
        r#"{"add_to_set":{"roles":"user"}}"#,
        r#"{"roles":["us\u0065r",1.0]}"#,
    );
    becomes(r#"{"roles":[1.0,2,1]}"#, r#"{"remove":{"roles":1,"nobody":2}}"#, r#"{"roles":[2]}"#);
    becomes(r#"{"a":1,"b":2,"/c":3}"#, r#"{"remove":["a","zz","/~1c"]}"#, r#"{"b":2}"#);
    becomes(r#"{"a":1}"#, r#"{"set_if_absent":{"a":2,"b":{"x":1e1}}}"#, r#"{"a":1,"b":{"x":1e1}}"#);
}

#[test]
fn a_pointer_leads_into_the_bag() {
    becomes(
        r#"{"stats":{"visits":1}}"#,
        r#"{"inc":{"/stats/visits":2}}"#,
        r#"{"stats":{"visits":3}}"#,
    );
    becomes(r#"{"a":[{"t":[]}]}"#, r#"{"append":{"/a/0/t":"x"}}"#, r#"{"a":[{"t":["x"]}]}"#);
    let missing = applied("{}", r#"{"inc":{"/stats/visits":2}}"#).unwrap_err();
    assert_eq!(missing, Failure::Missing { at: 0, path: "/app_metadata/stats/visits".to_owned() });
}

#[test]
fn operations_are_done_in_their_order() {
    becomes(r#"{"n":5}"#, r#"{"inc":{"n":1},"max":{"n":10},"min":{"n":8}}"#, r#"{"n":8}"#);
    becomes(r#"{"n":5}"#, r#"{"remove":["n"],"inc":{"n":1}}"#, r#"{"n":1}"#);
}

#[test]
fn values_of_another_kind_are_named() {
    for (bag, operations, wanted) in [
        (r#"{"k":"1"}"#, r#"{"inc":{"k":1}}"#, "a number"),
        (r#"{"k":null}"#, r#"{"max":{"k":1}}"#, "a number"),
        (r#"{"k":{}}"#, r#"{"append":{"k":1}}"#, "an array"),
        (r#"{"k":1}"#, r#"{"add_to_set":{"k":1}}"#, "an array"),
        (r#"{"k":1}"#, r#"{"remove":{"k":1}}"#, "an array"),
    ] {
        let path = "/app_metadata/k".to_owned();
        assert_eq!(
            applied(bag, operations),
            Err(Failure::Kind { at: 0, path, wanted }),
            "{bag} {operations}"
        );
    }
    let fine = applied(r#"{"k":0.5}"#, r#"{"inc":{"k":1e-999999999}}"#);
    assert!(matches!(fine, Err(Failure::Inexact { .. })), "{fine:?}");
    let beyond = applied(r#"{"k":9e307}"#, r#"{"inc":{"k":9e307}}"#);
    assert!(matches!(beyond, Err(Failure::Inexact { .. })), "{beyond:?}");
}

#[test]
fn what_is_to_expire_is_told_and_what_has_expired_is_gone() {
    let parse = |time: &str| {
        Ops::parse(&format!(r#"{{"user_metadata":{{"expire_at":{{"k":{time}}}}}}}"#), BAGS)
    };
    let document = r#"{"user_metadata":{"k":1,"l":2}}"#;
    let at = Timestamp::parse("2030-01-01T00:00:00Z").unwrap();
    let (text, expiries) =
        parse(r#""2030-01-01T00:00:00Z""#).unwrap().apply(document, BUDGET, NOW).unwrap();
    assert_eq!(text, document);
    assert_eq!(
        (expiries[0].bag.as_str(), expiries[0].key.as_str(), expiries[0].at),
        ("user_metadata", "k", Some(at))
    );
    let (text, expiries) =
        parse(r#""2020-01-01T00:00:00Z""#).unwrap().apply(document, BUDGET, NOW).unwrap();
    assert_eq!((text.as_str(), expiries.len()), (r#"{"user_metadata":{"l":2}}"#, 0));
    let (_, expiries) = parse("null").unwrap().apply(document, BUDGET, NOW).unwrap();
    assert_eq!(expiries[0].at, None);
    let missing = parse("null").unwrap().apply(r#"{"user_metadata":{}}"#, BUDGET, NOW);
    assert!(matches!(missing, Err(Failure::Missing { .. })));
    for bad in ["1", "\"tomorrow\"", "{}", "true"] {
        assert!(parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn what_is_no_list_of_operations_is_refused() {
    for text in [
        "{}",
        "[]",
        "1",
        r#"{"user_metadata":{}}"#,
        r#"{"user_metadata":1}"#,
        r#"{"identities":{"inc":{"n":1}}}"#,
        r#"{"user_metadata":{"inc":1}}"#,
        r#"{"user_metadata":{"inc":{"n":"1"}}}"#,
        r#"{"user_metadata":{"set":{"n":1}}}"#,
        r#"{"user_metadata":{"remove":[1]}}"#,
        r#"{"user_metadata":{"inc":{"/~":1}}}"#,
        r#"{"user_metadata":{"expire_at":{"/a/b":null}}}"#,
    ] {
        assert!(Ops::parse(text, BAGS).is_err(), "{text}");
    }
}
