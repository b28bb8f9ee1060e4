//! The cases of RFC 6902 appendix A and RFC 7396 appendix A, and the corners that the
//! community's suite for JSON Patch asks for: the facts are theirs, the wording is ours.

use crate::domain::json::compact;
use crate::domain::patch::value::is_same;
use crate::domain::patch::{Budget, Failure, JsonPatch, merged};

pub(super) const BUDGET: Budget = Budget { bytes: 1 << 20, steps: 1_000_000, depth: 65 };

/// Applies a patch; `Err` says which way it was refused.
pub(super) fn patched(document: &str, patch: &str) -> Result<String, &'static str> {
    let patch = JsonPatch::parse(&compact(patch)).map_err(|_| "malformed")?;
    patch.apply(&compact(document), BUDGET).map_err(|failure| match failure {
        Failure::Test { .. } => "test",
        Failure::Missing { .. } => "missing",
        Failure::Kind { .. } | Failure::Inexact { .. } => "kind",
        Failure::TooDeep { .. } | Failure::TooMuch => "limit",
    })
}

#[track_caller]
fn becomes(document: &str, patch: &str, expected: &str) {
    let found = patched(document, patch).unwrap();
    assert!(is_same(&found, &compact(expected)), "{document} {patch}\n  became {found}");
}

#[track_caller]
fn fails(document: &str, patch: &str, why: &str) {
    assert_eq!(patched(document, patch), Err(why), "{document} {patch}");
}

#[test]
fn json_patch_does_what_appendix_a_of_rfc_6902_shows() {
    // A.1 and A.2: a member, an element.
    becomes(
        r#"{"foo":"bar"}"#,
        r#"[{"op":"add","path":"/baz","value":"qux"}]"#,
        r#"{"baz":"qux","foo":"bar"}"#,
    );
    becomes(
        r#"{"foo":["bar","baz"]}"#,
        r#"[{"op":"add","path":"/foo/1","value":"qux"}]"#,
        r#"{"foo":["bar","qux","baz"]}"#,
    );
    // A.3 and A.4: away with them.
    becomes(
        r#"{"baz":"qux","foo":"bar"}"#,
        r#"[{"op":"remove","path":"/baz"}]"#,
        r#"{"foo":"bar"}"#,
    );
    becomes(
        r#"{"foo":["bar","qux","baz"]}"#,
        r#"[{"op":"remove","path":"/foo/1"}]"#,
        r#"{"foo":["bar","baz"]}"#,
    );
    // A.5: another value.
    becomes(
        r#"{"baz":"qux","foo":"bar"}"#,
        r#"[{"op":"replace","path":"/baz","value":"boo"}]"#,
        r#"{"baz":"boo","foo":"bar"}"#,
    );
    // A.6 and A.7: elsewhere.
    becomes(
        r#"{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}"#,
        r#"[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]"#,
        r#"{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}"#,
    );
    becomes(
        r#"{"foo":["all","grass","cows","eat"]}"#,
        r#"[{"op":"move","from":"/foo/1","path":"/foo/3"}]"#,
        r#"{"foo":["all","cows","eat","grass"]}"#,
    );
    // A.8 and A.9: tests that hold, and one that does not.
    becomes(
        r#"{"baz":"qux","foo":["a",2,"c"]}"#,
        r#"[{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}]"#,
        r#"{"baz":"qux","foo":["a",2,"c"]}"#,
    );
    fails(r#"{"baz":"qux"}"#, r#"[{"op":"test","path":"/baz","value":"bar"}]"#, "test");
    // A.10: an object as a value.
    becomes(
        r#"{"foo":"bar"}"#,
        r#"[{"op":"add","path":"/child","value":{"grandchild":{}}}]"#,
        r#"{"foo":"bar","child":{"grandchild":{}}}"#,
    );
    // A.11: members nobody knows are passed over.
    becomes(
        r#"{"foo":"bar"}"#,
        r#"[{"op":"add","path":"/baz","value":"qux","xyz":123}]"#,
        r#"{"foo":"bar","baz":"qux"}"#,
    );
    // A.12: no parent, no child.
    fails(r#"{"foo":"bar"}"#, r#"[{"op":"add","path":"/baz/bat","value":"qux"}]"#, "missing");
    // A.14: `~01` is `~1`, never `/`.
    becomes(
        r#"{"/":9,"~1":10}"#,
        r#"[{"op":"test","path":"/~01","value":10}]"#,
        r#"{"/":9,"~1":10}"#,
    );
    // A.15: a string is no number.
    fails(r#"{"/":9,"~1":10}"#, r#"[{"op":"test","path":"/~01","value":"10"}]"#, "test");
    // A.16: a list as one element.
    becomes(
        r#"{"foo":["bar"]}"#,
        r#"[{"op":"add","path":"/foo/-","value":["abc","def"]}]"#,
        r#"{"foo":["bar",["abc","def"]]}"#,
    );
}

#[test]
fn the_whole_document_is_a_place_too() {
    becomes("{}", "[]", "{}");
    becomes(r#"{"foo":1}"#, "[]", r#"{"foo":1}"#);
    becomes("{}", r#"[{"op":"add","path":"","value":[]}]"#, "[]");
    becomes("[]", r#"[{"op":"add","path":"","value":{}}]"#, "{}");
    becomes(r#""foo""#, r#"[{"op":"replace","path":"","value":"bar"}]"#, r#""bar""#);
    becomes(
        r#"{"foo":"bar"}"#,
        r#"[{"op":"replace","path":"","value":{"baz":"qux"}}]"#,
        r#"{"baz":"qux"}"#,
    );
    becomes(r#"{"foo":1}"#, r#"[{"op":"test","path":"","value":{"foo":1}}]"#, r#"{"foo":1}"#);
    fails("{}", r#"[{"op":"remove","path":""}]"#, "missing");
}

#[test]
fn members_are_found_by_any_name() {
    becomes("{}", r#"[{"op":"add","path":"/","value":1}]"#, r#"{"":1}"#);
    becomes(r#"{"foo":{}}"#, r#"[{"op":"add","path":"/foo/","value":1}]"#, r#"{"foo":{"":1}}"#);
    becomes(
        r#"{"foo":1}"#,
        r#"[{"op":"add","path":"/0","value":"bar"}]"#,
        r#"{"foo":1,"0":"bar"}"#,
    );
    becomes(
        r#"{"1e0":"foo"}"#,
        r#"[{"op":"test","path":"/1e0","value":"foo"}]"#,
        r#"{"1e0":"foo"}"#,
    );
    let odd = r#"{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8}"#;
    for (path, value) in [
        ("/foo", r#"["bar","baz"]"#),
        ("/foo/0", "\"bar\""),
        ("/", "0"),
        ("/a~1b", "1"),
        ("/c%d", "2"),
        ("/e^f", "3"),
        ("/g|h", "4"),
        (r"/i\\j", "5"),
        (r#"/k\"l"#, "6"),
        ("/ ", "7"),
        ("/m~0n", "8"),
    ] {
        becomes(odd, &format!(r#"[{{"op":"test","path":"{path}","value":{value}}}]"#), odd);
    }
    becomes(r#"{"\u00e9":1}"#, r#"[{"op":"replace","path":"/é","value":2}]"#, r#"{"é":2}"#);
}

#[test]
fn members_are_added_in_place_and_values_kept_whole() {
    for value in ["1", "\"1\"", "true", "false", "null", "[1,2]", r#"{"x":[]}"#] {
        let patch = format!(r#"[{{"op":"add","path":"/bar","value":{value}}}]"#);
        becomes(r#"{"foo":1}"#, &patch, &format!(r#"{{"foo":1,"bar":{value}}}"#));
        becomes(r#"{"foo":1,"bar":0}"#, &patch, &format!(r#"{{"foo":1,"bar":{value}}}"#));
    }
    becomes(r#"{"foo":null}"#, r#"[{"op":"add","path":"/foo","value":1}]"#, r#"{"foo":1}"#);
    becomes(
        r#"{"foo":1,"baz":[{"qux":"hello"}]}"#,
        r#"[{"op":"add","path":"/baz/0/foo","value":"world"}]"#,
        r#"{"foo":1,"baz":[{"qux":"hello","foo":"world"}]}"#,
    );
    fails(r#"{"q":{"bar":2}}"#, r#"[{"op":"add","path":"/a/b","value":1}]"#, "missing");
}

#[test]
fn elements_are_added_before_the_index_and_never_beyond_the_end() {
    let two = r#"["foo","sil"]"#;
    let add = |path: &str| format!(r#"[{{"op":"add","path":"{path}","value":"bar"}}]"#);
    becomes("[]", &add("/0"), r#"["bar"]"#);
    becomes("[]", &add("/-"), r#"["bar"]"#);
    becomes(two, &add("/0"), r#"["bar","foo","sil"]"#);
    becomes(two, &add("/1"), r#"["foo","bar","sil"]"#);
    becomes(two, &add("/2"), r#"["foo","sil","bar"]"#);
    becomes("[1,2,[3,[4,5]]]", &add("/2/1/-"), r#"[1,2,[3,[4,5,"bar"]]]"#);
    becomes(
        two,
        r#"[{"op":"add","path":"/1","value":["bar","baz"]}]"#,
        r#"["foo",["bar","baz"],"sil"]"#,
    );
    for beyond in ["/3", "/8", "/-1", "/bar", "/1e0", "/01", "/00", "/+1", "/1.0", "/"] {
        fails(two, &add(beyond), "missing");
    }
    fails(r#"{"bar":[1,2]}"#, &add("/bar/8"), "missing");
}

#[test]
fn indices_are_digits_without_leading_zeros() {
    for path in ["/1e0", "/00", "/01", "/-", "/2", "/-1", "/99999999999999999999999999"] {
        let at = |op: &str| format!(r#"[{{"op":"{op}","path":"{path}","value":"bar"}}]"#);
        fails(r#"["foo","bar"]"#, &at("test"), "test");
        fails(r#"["foo","bar"]"#, &at("replace"), "missing");
        fails(r#"["foo","bar"]"#, &at("remove"), "missing");
        let from = |op: &str| format!(r#"[{{"op":"{op}","from":"/baz{path}","path":"/boo"}}]"#);
        fails(r#"{"baz":[1,2],"bar":1}"#, &from("copy"), "missing");
        fails(r#"{"baz":[1,2],"bar":1}"#, &from("move"), "missing");
    }
    fails(
        r#"{"foo":1,"baz":[{"qux":"hello"}]}"#,
        r#"[{"op":"remove","path":"/baz/1e0/qux"}]"#,
        "missing",
    );
}

#[test]
fn what_is_removed_or_replaced_must_be_there() {
    becomes(r#"{"foo":1,"bar":[1,2,3,4]}"#, r#"[{"op":"remove","path":"/bar"}]"#, r#"{"foo":1}"#);
    becomes(
        r#"{"foo":1,"baz":[{"qux":"hello"}]}"#,
        r#"[{"op":"remove","path":"/baz/0/qux"}]"#,
        r#"{"foo":1,"baz":[{}]}"#,
    );
    becomes("[1,2,3,4]", r#"[{"op":"remove","path":"/0"}]"#, "[2,3,4]");
    becomes("[1,2,3,4]", r#"[{"op":"remove","path":"/1"},{"op":"remove","path":"/2"}]"#, "[1,3]");
    for value in ["0", "true", "false", "null", "[1]", r#""bar""#] {
        becomes(
            r#"[""]"#,
            &format!(r#"[{{"op":"replace","path":"/0","value":{value}}}]"#),
            &format!("[{value}]"),
        );
    }
    becomes(
        r#"{"foo":[1,2,3,4],"baz":[{"qux":"hello"}]}"#,
        r#"[{"op":"replace","path":"/baz/0/qux","value":"world"}]"#,
        r#"{"foo":[1,2,3,4],"baz":[{"qux":"world"}]}"#,
    );
    fails(r#"{"foo":"bar"}"#, r#"[{"op":"remove","path":"/baz"}]"#, "missing");
    fails(r#"["foo","bar"]"#, r#"[{"op":"remove","path":"/2"}]"#, "missing");
    fails(r#"{"bar":"baz"}"#, r#"[{"op":"replace","path":"/foo","value":1}]"#, "missing");
    fails(r#"{"bar":"baz"}"#, r#"[{"op":"replace","path":"/foo/bar","value":false}]"#, "missing");
}

#[test]
fn null_is_a_value_like_any_other() {
    becomes(r#"{"foo":null}"#, r#"[{"op":"test","path":"/foo","value":null}]"#, r#"{"foo":null}"#);
    becomes(
        r#"{"foo":null}"#,
        r#"[{"op":"replace","path":"/foo","value":"truthy"}]"#,
        r#"{"foo":"truthy"}"#,
    );
    becomes(r#"{"foo":null}"#, r#"[{"op":"move","from":"/foo","path":"/bar"}]"#, r#"{"bar":null}"#);
    becomes(
        r#"{"foo":null}"#,
        r#"[{"op":"copy","from":"/foo","path":"/bar"}]"#,
        r#"{"foo":null,"bar":null}"#,
    );
    becomes(r#"{"foo":null}"#, r#"[{"op":"remove","path":"/foo"}]"#, "{}");
    becomes(
        r#"{"foo":"bar"}"#,
        r#"[{"op":"replace","path":"/foo","value":null}]"#,
        r#"{"foo":null}"#,
    );
    fails("{}", r#"[{"op":"test","path":"/foo","value":null}]"#, "test");
}

#[test]
fn a_test_compares_what_values_mean() {
    let foo = r#"{"foo":{"foo":1,"bar":[1,2,5,4]}}"#;
    becomes(foo, r#"[{"op":"test","path":"/foo","value":{"bar":[1,2,5,4],"foo":1}}]"#, foo);
    becomes(
        r#"{"foo":[{"foo":1,"bar":2}]}"#,
        r#"[{"op":"test","path":"/foo","value":[{"bar":2,"foo":1.0}]}]"#,
        r#"{"foo":[{"foo":1,"bar":2}]}"#,
    );
    fails(foo, r#"[{"op":"test","path":"/foo","value":[1,2]}]"#, "test");
    fails(foo, r#"[{"op":"test","path":"/foo/bar","value":[1,2,4,5]}]"#, "test");
}

#[test]
fn values_move_and_are_copied() {
    becomes(r#"{"foo":1}"#, r#"[{"op":"move","from":"/foo","path":"/foo"}]"#, r#"{"foo":1}"#);
    becomes(
        r#"{"foo":1,"baz":[{"qux":"hello"}]}"#,
        r#"[{"op":"move","from":"/foo","path":"/bar"}]"#,
        r#"{"baz":[{"qux":"hello"}],"bar":1}"#,
    );
    becomes(
        r#"{"baz":[{"qux":"hello"}],"bar":1}"#,
        r#"[{"op":"move","from":"/baz/0/qux","path":"/baz/1"}]"#,
        r#"{"baz":[{},"hello"],"bar":1}"#,
    );
    becomes(
        r#"{"baz":[{"qux":"hello"}],"bar":1}"#,
        r#"[{"op":"copy","from":"/baz/0","path":"/boo"}]"#,
        r#"{"baz":[{"qux":"hello"}],"bar":1,"boo":{"qux":"hello"}}"#,
    );
    // A copy is a value of its own.
    becomes(
        r#"{"a":{"x":1}}"#,
        r#"[{"op":"copy","from":"/a","path":"/b"},{"op":"replace","path":"/b/x","value":2}]"#,
        r#"{"a":{"x":1},"b":{"x":2}}"#,
    );
    becomes(
        r#"{"a":{"x":1}}"#,
        r#"[{"op":"copy","from":"/a","path":"/a/b"}]"#,
        r#"{"a":{"x":1,"b":{"x":1}}}"#,
    );
    fails(r#"{"foo":1}"#, r#"[{"op":"move","from":"/bar","path":"/bar"}]"#, "missing");
    fails(r#"{"foo":{"a":1}}"#, r#"[{"op":"move","from":"/foo","path":"/foo/a"}]"#, "malformed");
}

#[test]
fn what_is_no_patch_is_refused_before_anything_is_looked_at() {
    for patch in [
        "{}",
        "1",
        "[1]",
        "[[]]",
        r#"[{"path":"/a","value":1}]"#,
        r#"[{"op":"add","path":"/a"}]"#,
        r#"[{"op":"replace","path":"/a"}]"#,
        r#"[{"op":"test","path":"/a"}]"#,
        r#"[{"op":"copy","path":"/a"}]"#,
        r#"[{"op":"move","path":""}]"#,
        r#"[{"op":"spam","path":"/a","value":1}]"#,
        r#"[{"op":1,"path":"/a"}]"#,
        r#"[{"op":"remove"}]"#,
        r#"[{"op":"remove","path":null}]"#,
        r#"[{"op":"remove","path":"a"}]"#,
        r#"[{"op":"remove","path":"/~2"}]"#,
        r#"[{"op":"add","path":"/a","value":1},{"op":"ADD","path":"/a","value":1}]"#,
    ] {
        fails(r#"{"a":1}"#, patch, "malformed");
    }
    let many = format!("[{}]", vec![r#"{"op":"test","path":"","value":{}}"#; 1001].join(","));
    fails("{}", &many, "malformed");
}

#[test]
fn a_patch_cannot_grow_a_document_without_end() {
    let double = r#"{"op":"copy","from":"/a","path":"/a/-"}"#;
    let patch = format!("[{}]", vec![double; 40].join(","));
    fails(r#"{"a":["xxxxxxxxxxxxxxxx"]}"#, &patch, "limit");
    let deeper = r#"{"op":"copy","from":"/a","path":"/a/a"}"#;
    let patch = format!("[{}]", vec![deeper; 80].join(","));
    fails(r#"{"a":{"a":{}}}"#, &patch, "limit");
    let front = r#"{"op":"add","path":"/0","value":0}"#;
    let zeros = format!("[{}]", vec!["0"; 100_000].join(","));
    fails(&zeros, &format!("[{}]", vec![front; 50].join(",")), "limit");
}

#[test]
fn what_a_patch_does_not_name_keeps_its_text() {
    let document =
        r#"{"z":1e3,"a":{"big":9007199254740993,"f":1.0,"s":"\u00e9"},"list":[1E2,{"k":0.10}]}"#;
    let patch = r#"[{"op":"add","path":"/a/new","value":1.50},{"op":"remove","path":"/list/0"}]"#;
    assert_eq!(
        patched(document, patch).unwrap(),
        r#"{"z":1e3,"a":{"big":9007199254740993,"f":1.0,"s":"\u00e9","new":1.50},"list":[{"k":0.10}]}"#
    );
    assert_eq!(
        merged(document, r#"{"a":{"new":1.50,"f":null}}"#),
        r#"{"z":1e3,"a":{"big":9007199254740993,"s":"\u00e9","new":1.50},"list":[1E2,{"k":0.10}]}"#
    );
}

#[test]
fn merge_patch_does_what_appendix_a_of_rfc_7396_shows() {
    for (target, patch, expected) in [
        (r#"{"a":"b"}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"b":"c"}"#, r#"{"a":"b","b":"c"}"#),
        (r#"{"a":"b"}"#, r#"{"a":null}"#, "{}"),
        (r#"{"a":"b","b":"c"}"#, r#"{"a":null}"#, r#"{"b":"c"}"#),
        (r#"{"a":["b"]}"#, r#"{"a":"c"}"#, r#"{"a":"c"}"#),
        (r#"{"a":"c"}"#, r#"{"a":["b"]}"#, r#"{"a":["b"]}"#),
        (r#"{"a":{"b":"c"}}"#, r#"{"a":{"b":"d","c":null}}"#, r#"{"a":{"b":"d"}}"#),
        (r#"{"a":[{"b":"c"}]}"#, r#"{"a":[1]}"#, r#"{"a":[1]}"#),
        (r#"["a","b"]"#, r#"["c","d"]"#, r#"["c","d"]"#),
        (r#"{"a":"b"}"#, r#"["c"]"#, r#"["c"]"#),
        (r#"{"a":"foo"}"#, "null", "null"),
        (r#"{"a":"foo"}"#, r#""bar""#, r#""bar""#),
        (r#"{"e":null}"#, r#"{"a":1}"#, r#"{"e":null,"a":1}"#),
        ("[1,2]", r#"{"a":"b","c":null}"#, r#"{"a":"b"}"#),
        ("{}", r#"{"a":{"bb":{"ccc":null}}}"#, r#"{"a":{"bb":{}}}"#),
    ] {
        assert_eq!(merged(target, patch), expected, "{target} {patch}");
    }
    // The example of section 3.
    let target = r#"{"title":"Goodbye!","author":{"givenName":"John","familyName":"Doe"},"tags":["example","sample"],"content":"This will be unchanged"}"#;
    let patch = r#"{"title":"Hello!","phoneNumber":"+01-123-456-7890","author":{"familyName":null},"tags":["example"]}"#;
    assert_eq!(
        merged(target, patch),
        r#"{"title":"Hello!","author":{"givenName":"John"},"tags":["example"],"content":"This will be unchanged","phoneNumber":"+01-123-456-7890"}"#
    );
}
