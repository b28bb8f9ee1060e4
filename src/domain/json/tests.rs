use super::*;
use proptest::prelude::*;

fn object(text: &str) -> Object {
    Object::parse(text, 64).unwrap()
}

#[track_caller]
fn check_merge(before: &str, patch: &str, after: &str) {
    assert_eq!(object(before).merge_root(&object(patch)).as_json(), after);
}

#[test]
fn a_new_key_is_added_behind_the_old_ones() {
    check_merge(
        r#"{"hobby":"surfing"}"#,
        r#"{"addresses":{"home":"1"}}"#,
        r#"{"hobby":"surfing","addresses":{"home":"1"}}"#,
    );
}

#[test]
fn nested_objects_are_replaced_whole() {
    check_merge(r#"{"a":{"home":1},"b":2}"#, r#"{"a":{"work":3}}"#, r#"{"a":{"work":3},"b":2}"#);
}

#[test]
fn null_removes_a_key_and_is_a_no_op_for_an_absent_one() {
    check_merge(
        r#"{"foo":"bar","baz":"qux"}"#,
        r#"{"baz":null,"foo":"bars","nope":null}"#,
        r#"{"foo":"bars"}"#,
    );
}

#[test]
fn nested_null_is_kept() {
    check_merge("{}", r#"{"a":{"b":null}}"#, r#"{"a":{"b":null}}"#);
}

#[test]
fn an_escaped_key_names_the_same_member_as_the_plain_one() {
    check_merge(r#"{"\u00e9":1}"#, r#"{"é":2}"#, r#"{"\u00e9":2}"#);
    check_merge(r#"{"é":1}"#, r#"{"\u00e9":null}"#, "{}");
}

#[test]
fn numbers_and_escapes_come_back_as_they_were_sent() {
    let text = r#"{"id":9007199254740993,"f":1.0,"e":1e3,"s":"\u00e9","big":123456789012345678901234567890}"#;
    assert_eq!(object(text).as_json(), text);
}

#[test]
fn white_space_goes_between_tokens_and_stays_inside_strings() {
    assert_eq!(
        object(" { \"a b\" : [ 1 , \" x \\\" y \" ] } \n").as_json(),
        r#"{"a b":[1," x \" y "]}"#
    );
}

#[test]
fn a_repeated_key_is_refused_by_name_at_any_depth() {
    for text in [r#"{"k":1,"k":2}"#, r#"{"a":[{"k":1,"\u006b":2}]}"#] {
        assert_eq!(Object::parse(text, 64), Err(Fault::DuplicateKey { key: "k".to_owned() }));
    }
    let many = (0..100).map(|i| format!("\"k{i}\":0,")).collect::<Vec<_>>().concat();
    assert_eq!(
        Object::parse(&format!("{{{many}\"k99\":1}}"), 64),
        Err(Fault::DuplicateKey { key: "k99".to_owned() })
    );
}

#[test]
fn depth_is_limited() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    assert_eq!(check(&nested(64), 64), Ok(()));
    assert_eq!(check(&nested(65), 64), Err(Fault::TooDeep { limit: 64 }));
    assert!(check(&nested(100_000), 64).is_err());
}

#[test]
fn what_is_no_json_is_refused() {
    for text in [
        "",
        "{",
        r#"{"a":}"#,
        r#"{"a":"\ud800"}"#,
        r#"{"a":1e400}"#,
        r#"{"a":01}"#,
        "{} x",
        "\u{feff}{}",
        r#"{"a":NaN}"#,
        "{'a':1}",
    ] {
        assert!(matches!(check(text, 64), Err(Fault::Syntax { .. })), "{text}");
    }
    assert_eq!(
        Object::parse("[1]", 64),
        Err(Fault::WrongKind { wanted: Kind::Object, found: Kind::Array })
    );
}

#[test]
fn debug_never_shows_what_is_inside() {
    assert_eq!(format!("{:?}", object(r#"{"secret":"value"}"#)), "Object(18 bytes)");
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Into::into),
        "\\PC{0,8}|[\"\\\\{}:,\\[\\] \n]{0,6}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::btree_map("[a-d\"\\\\{},:]{0,3}", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

fn any_object() -> impl Strategy<Value = serde_json::Value> {
    prop::collection::btree_map("[a-d\"\\\\]{0,2}", any_json(), 0..6)
        .prop_map(|map| serde_json::Value::Object(map.into_iter().collect()))
}

fn reference_merge(before: &serde_json::Value, patch: &serde_json::Value) -> serde_json::Value {
    let mut merged = before.as_object().unwrap().clone();
    for (key, value) in patch.as_object().unwrap() {
        if value.is_null() {
            merged.remove(key);
        } else {
            merged.insert(key.clone(), value.clone());
        }
    }
    serde_json::Value::Object(merged)
}

proptest! {
    #[test]
    fn pretty_text_compacts_to_the_same_value(value in any_json()) {
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        prop_assert_eq!(check(&pretty, 64), Ok(()));
        let compacted = compact(&pretty).into_owned();
        prop_assert_eq!(&compacted, &value.to_string());
        prop_assert_eq!(compact(&compacted).into_owned(), compacted.clone());
    }

    #[test]
    fn members_are_what_a_parser_finds(value in any_object()) {
        let object = object(&value.to_string());
        let found: serde_json::Map<_, _> = object
            .members()
            .map(|(key, raw)| (unquote(key).into_owned(), serde_json::from_str(raw).unwrap()))
            .collect();
        prop_assert_eq!(serde_json::Value::Object(found), value);
    }

    #[test]
    fn merging_raw_text_equals_merging_trees(before in any_object(), patch in any_object()) {
        let merged = object(&before.to_string()).merge_root(&object(&patch.to_string()));
        let value: serde_json::Value = serde_json::from_str(merged.as_json()).unwrap();
        prop_assert_eq!(value, reference_merge(&before, &patch));
    }

    #[test]
    fn merging_twice_equals_merging_once(before in any_object(), patch in any_object()) {
        let (before, patch) = (object(&before.to_string()), object(&patch.to_string()));
        let once = before.merge_root(&patch);
        prop_assert_eq!(once.merge_root(&patch), once);
    }

    #[test]
    fn quoting_and_unquoting_is_the_identity(text in any::<String>()) {
        prop_assert_eq!(unquote(&quoted(&text)).into_owned(), text);
    }

    #[test]
    fn no_text_makes_the_check_panic(text in any::<String>()) {
        let _checked = Object::parse(&text, 8);
    }
}

/// Looking every key up among all others would take minutes here.
#[test]
fn objects_with_very_many_members_are_merged_at_once() {
    let many = |from: usize| {
        let members: Vec<String> = (from..from + 40_000).map(|n| format!("\"k{n}\":{n}")).collect();
        Object::trusted(&format!("{{{}}}", members.join(",")))
    };
    let merged = many(0).merge_root(&many(20_000));
    assert_eq!(merged.len(), 60_000);
}
