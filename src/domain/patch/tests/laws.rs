//! Laws of the dialects, over random documents and patches.

use super::cases::{BUDGET, patched};
use crate::domain::json::{self, Builder, Elements, Kind, Members, Object};
use crate::domain::patch::value::is_same;
use crate::domain::patch::{JsonPatch, Ops, merged};
use crate::domain::time::Timestamp;
use proptest::prelude::*;

/// Compact JSON of any kind, small, with texts that a tree of values would change.
fn any_json() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "null",
        "true",
        "0",
        "1.0",
        "1e3",
        "9007199254740993",
        "\"\"",
        "\"\\u00e9\"",
        "\"a,{[\\\"\"",
        "-0.50",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(3, 24, 4, |inner| {
        let array = prop::collection::vec(inner.clone(), 0..4)
            .prop_map(|elements| format!("[{}]", elements.join(",")));
        prop_oneof![array, object_of(inner)]
    })
}

fn object_of(value: impl Strategy<Value = String> + 'static) -> impl Strategy<Value = String> {
    let key = prop::sample::select(vec!["a", "b", "c/d", "~", "", "é", "0"]);
    prop::collection::btree_map(key, value, 0..4).prop_map(|members| {
        let mut out = Builder::new();
        for (key, value) in &members {
            out.raw(key, value);
        }
        out.finish()
    })
}

fn any_object() -> impl Strategy<Value = String> {
    object_of(any_json())
}

/// Every place of a document as (pointer, text), the document itself first.
fn places(text: &str) -> Vec<(String, String)> {
    fn into(path: &str, text: &str, out: &mut Vec<(String, String)>) {
        out.push((path.to_owned(), text.to_owned()));
        match Kind::of(text) {
            Kind::Object => {
                for (key, value) in Members::of(text) {
                    let key = json::unquote(key).replace('~', "~0").replace('/', "~1");
                    into(&format!("{path}/{key}"), value, out);
                }
            }
            Kind::Array => {
                for (at, value) in Elements::of(text).enumerate() {
                    into(&format!("{path}/{at}"), value, out);
                }
            }
            Kind::Null | Kind::Boolean | Kind::Integer | Kind::Number | Kind::String => {}
        }
    }
    let mut out = Vec::new();
    into("", text, &mut out);
    out
}

/// A merge patch from one document to another that holds no null in an object.
fn difference(from: &str, to: &str) -> String {
    let (old, new) = (Object::trusted(from), Object::trusted(to));
    let mut out = Builder::new();
    for key in old.keys().filter(|key| !new.contains(key)) {
        out.raw(&key, "null");
    }
    for (key, value) in new.members() {
        match old.get(&json::unquote(key)) {
            Some(before) if before == value => {}
            Some(before) if [before, value].iter().all(|text| Kind::of(text) == Kind::Object) => {
                out.member(key, &difference(before, value));
            }
            Some(_) | None => _ = out.member(key, value),
        }
    }
    out.finish()
}

fn operation(op: &str, path: &str, value: &str) -> String {
    let mut out = Builder::new();
    out.string("op", op).string("path", path).raw("value", value);
    out.finish()
}

proptest! {
    #[test]
    fn a_merge_patch_twice_equals_once(target in any_json(), patch in any_json()) {
        let once = merged(&target, &patch);
        prop_assert_eq!(merged(&once, &patch), once);
    }

    #[test]
    fn a_merge_patch_leaves_no_text_that_is_no_json(target in any_json(), patch in any_json()) {
        prop_assert!(json::check(&merged(&target, &patch), 64).is_ok());
    }

    #[test]
    fn the_difference_of_two_documents_leads_from_one_to_the_other(from in any_object(), to in any_object()) {
        // A null inside an object is what a merge patch cannot say.
        let (from, to) = (merged("{}", &from), merged("{}", &to));
        prop_assert!(is_same(&merged(&from, &difference(&from, &to)), &to), "{} {}", from, to);
    }

    #[test]
    fn a_replaced_value_leaves_every_other_text_as_it_was(document in any_object(), at in any::<prop::sample::Index>(), value in any_json()) {
        let all = places(&document);
        let (path, _) = at.get(&all);
        let after = patched(&document, &format!("[{}]", operation("replace", path, &value))).unwrap();
        prop_assert!(json::check(&after, 64).is_ok());
        let is_touched = |other: &str| other.starts_with(path.as_str()) || path.starts_with(other);
        let after = places(&after);
        for (other, text) in all.iter().filter(|(other, _)| !is_touched(other)) {
            prop_assert!(after.iter().any(|(own, own_text)| own == other && own_text == text), "{}", other);
        }
    }

    #[test]
    fn a_test_of_what_is_there_holds_and_changes_no_byte(document in any_object(), at in any::<prop::sample::Index>()) {
        let all = places(&document);
        let (path, text) = at.get(&all);
        let after = patched(&document, &format!("[{}]", operation("test", path, text))).unwrap();
        prop_assert_eq!(after, document);
    }

    #[test]
    fn what_was_added_and_removed_was_never_there(document in any_object(), value in any_json()) {
        let patch = format!("[{},{}]", operation("add", "/new", &value), r#"{"op":"remove","path":"/new"}"#);
        prop_assert_eq!(patched(&document, &patch).unwrap(), document);
    }

    #[test]
    fn a_move_is_a_copy_and_a_removal(document in any_object(), at in any::<prop::sample::Index>()) {
        let all = places(&document);
        let (from, _) = at.get(&all);
        prop_assume!(!from.is_empty());
        let from = json::quoted(from);
        let moved = patched(&document, &format!(r#"[{{"op":"move","from":{from},"path":"/new"}}]"#)).unwrap();
        let apart = format!(r#"[{{"op":"copy","from":{from},"path":"/new"}},{{"op":"remove","path":{from}}}]"#);
        prop_assert!(is_same(&moved, &patched(&document, &apart).unwrap()));
    }

    #[test]
    fn no_list_of_operations_makes_it_panic_or_grow_without_end(
        document in any_object(),
        steps in prop::collection::vec((
            prop::sample::select(vec!["add", "remove", "replace", "move", "copy", "test"]),
            "(/(a|b|0|1|-|c~1d|~0|)){0,3}", "(/(a|b|0|1|-)){0,3}", any_json(),
        ), 0..12),
    ) {
        let operations: Vec<String> = steps.iter().map(|(op, path, from, value)| {
            let mut out = Builder::new();
            out.string("op", op).string("path", path).string("from", from).raw("value", value);
            out.finish()
        }).collect();
        if let Ok(patch) = JsonPatch::parse(&format!("[{}]", operations.join(",")))
            && let Ok(after) = patch.apply(&document, BUDGET)
        {
            prop_assert!(json::check(&after, 66).is_ok(), "{}", after);
        }
    }

    #[test]
    fn counts_add_up_in_any_order(mut by in prop::collection::vec(-1_000_000_i64..1_000_000, 1..12), start in -1_000_i64..1_000) {
        let expected = start + by.iter().sum::<i64>();
        let count = |by: &[i64]| {
            by.iter().fold(format!(r#"{{"app_metadata":{{"n":{start}}}}}"#), |document, by| {
                let ops = format!(r#"{{"app_metadata":{{"inc":{{"n":{by}}}}}}}"#);
                let ops = Ops::parse(&ops, &["app_metadata"]).unwrap();
                ops.apply(&document, BUDGET, Timestamp::from_millis(0)).unwrap().0
            })
        };
        let there = count(&by);
        by.reverse();
        prop_assert_eq!(&there, &count(&by));
        prop_assert_eq!(there, format!(r#"{{"app_metadata":{{"n":{expected}}}}}"#));
    }
}
