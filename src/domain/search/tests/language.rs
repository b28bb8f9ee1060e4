//! The language by example, where the golden cases are silent.

use crate::domain::search::{Query, Record, Rules, Sort};

const USER: &str = r#"{"user_id":"auth0|1","email":"Ann.Lee@Example.COM","name":"Ann Lee","picture":"p","created_at":"2025-01-31T10:00:00.000Z","identities":[{"connection":"c","access_token":"secret"}],"user_metadata":{"n":1e3,"big":9007199254740993,"tags":["x",["y"],{"k":"z"}],"a.b":1,"a":{"b":2},"t":"-5","empty":"","url":"https://x.test/a?b"},"app_metadata":{"day":"2025-03-04","zip":"00123"}}"#;

#[track_caller]
fn check(text: &str, expected: bool) {
    let query = Query::parse(text, Rules::default()).unwrap();
    assert_eq!(query.matches(&Record::new(USER)), expected, "{text} read as {query}");
}

#[track_caller]
fn check_error(text: &str, rules: Rules, expected: &str) {
    assert_eq!(Query::parse(text, rules).unwrap_err().to_string(), expected, "{text}");
}

#[test]
fn numbers_are_equal_by_value() {
    check("user_metadata.n:1000", true);
    check("user_metadata.n:1000.0", true);
    check("user_metadata.n:1e3", true);
    check("user_metadata.n:100?", true);
    check("user_metadata.big:9007199254740993", true);
    check("user_metadata.big:9007199254740992", false);
    check("user_metadata.big:{9007199254740992 TO *]", true);
    check("app_metadata.zip:123", false);
    check("app_metadata.zip:00123", true);
}

#[test]
fn arrays_do_not_count_as_levels() {
    check("user_metadata.tags:x", true);
    check("user_metadata.tags:y", true);
    check("user_metadata.tags.k:z", true);
    check("user_metadata.tags:z", false);
}

#[test]
fn an_escaped_dot_belongs_to_the_key() {
    check("user_metadata.a.b:2", true);
    check("user_metadata.a.b:1", false);
    check(r"user_metadata.a\.b:1", true);
}

#[test]
fn a_date_is_equal_to_the_times_within_it() {
    check("created_at:2025-01-31", true);
    check("created_at:2025-01", true);
    check("created_at:2025-01-31T10:00:00Z", true);
    check(r#"created_at:"2025-01-31T11:00:00+01:00""#, true);
    check("created_at:2025-02", false);
    check("created_at:2025", false);
    check("app_metadata.day:[* TO 2025-03]", true);
    check("app_metadata.day:{2025-03 TO *]", false);
}

#[test]
fn values_need_quotes_only_for_what_separates() {
    check("user_metadata.url:https\\://x.test/a\\?b", true);
    check("user_metadata.url:https://x.test/a\\?b", true);
    check("user_metadata.t:-5", true);
    check("name:(ann\\ lee)", true);
    check("name: \"ann lee\"", true);
    check("user_metadata.empty:\"\"", true);
}

#[test]
fn case_is_one_where_auth0_says_so() {
    check("email:ann.lee@example.com", true);
    check("name:ANN*", true);
    check("email.domain:EXAMPLE.com", true);
    check("user_id:AUTH0*", false);
    check("ann\\ lee", true);
}

#[test]
fn what_is_not_searchable_has_no_value() {
    for text in [
        "picture:p",
        "_exists_:picture",
        "identities.access_token:secret",
        "locale:x",
        "picture:[a TO z]",
    ] {
        check(text, false);
    }
    check("identities.connection:c", true);
    let query = Query::parse("name:x OR picture:p", Rules::default()).unwrap();
    let spans = query.unsearchable();
    assert_eq!(spans.iter().map(|span| (span.column, span.end)).collect::<Vec<_>>(), [(11, 20)]);
}

#[test]
fn side_by_side_a_negation_excludes_and_a_plus_requires() {
    check("name:nobody -blocked:true", false);
    check("name:ann* -blocked:true", true);
    check("name:ann* NOT created_at:2025-01", false);
    check("name:nobody OR -blocked:true", true);
    check("+name:nobody created_at:2025-01", false);
    check("+name:ann* created_at:1999-01", true);
    check("+name:ann* +created_at:1999-01", false);
    check("-name:nobody -blocked:true", true);
}

#[test]
fn everyone_can_be_asked_for() {
    for text in ["", "  ", "*:*", "*", "name:*", "created_at:[* TO *]", "*:* AND name:ann*"] {
        check(text, true);
    }
    check("NOT *:*", false);
    check("user_metadata.nothing:*", false);
}

#[test]
fn a_group_keeps_its_field_and_may_name_another() {
    check("name:(nobody OR \"Ann Lee\")", true);
    check("name:(nobody OR user_metadata.t:-5)", true);
    check("_exists_:(user_metadata.nothing OR user_metadata.t)", true);
    check("name:(-nobody)", true);
}

#[test]
fn refusals_name_the_place() {
    let rules = Rules::default();
    check_error("a AND OR b", rules, "'OR' has nothing on its left at column 7");
    check_error("&& a", rules, "'&&' has nothing on its left at column 1");
    check_error("name:x)", rules, r"unexpected ')'; write \) for the character itself at column 7");
    check_error(
        "name:/j.*/",
        rules,
        r"regular expressions '/…/' are not supported; write \/ for a slash at column 6",
    );
    check_error("\"jane smith\"~2", rules, "fuzzy search '~' is not supported at column 13");
    check_error("(a b)^2", rules, "boosting '^' is not supported at column 6");
    check_error("[1 TO 2]", rules, "a range needs a field; write field:[min TO max] at column 1");
    check_error("é:\\", rules, "nothing follows the '\\' at column 3");
    check_error("name:OR", rules, "field 'name' has no value at column 6");
    check_error(
        "user_metadata.*:x",
        rules,
        "wildcards in the name of a field are not supported at column 1",
    );
    check_error("a..b:x", rules, "the name of a field has an empty part at column 1");
    check_error(":x", rules, "expected the name of a field before ':' at column 1");
    check_error("NOT", rules, "expected a term at column 4");
    check_error(
        "x:[1 TO 2",
        rules,
        "malformed range; write [min TO max] or {min TO max} at column 3",
    );
    check_error(
        "x:[1 2]",
        rules,
        "malformed range; write [min TO max] or {min TO max} at column 3",
    );
}

#[test]
fn limits_are_named() {
    let rules = Rules::default();
    let deep = format!("{}a{}", "(".repeat(33), ")".repeat(33));
    check_error(&deep, rules, "more than 32 levels of parentheses and negation at column 33");
    assert!(Query::parse(&format!("{}a{}", "(".repeat(32), ")".repeat(32)), rules).is_ok());
    assert!(Query::parse(&"!".repeat(4000), rules).is_err());
    let many = vec!["a"; 257].join(" ");
    check_error(&many, rules, "more than 256 terms at column 513");
    let long = "é".repeat(3000);
    check_error(&long, rules, "more than 4096 bytes, 6000 in all at column 2049");
}

#[test]
fn auth0_refuses_more() {
    let rules = Rules::AUTH0;
    check_error(
        "user_metadata.a:b*",
        rules,
        "wildcards on user_metadata are not allowed here at column 17",
    );
    check_error(
        "user_metadata.a:[1 TO 2]",
        rules,
        "ranges on user_metadata are not allowed here at column 17",
    );
    check_error(
        "name:*oe",
        rules,
        "a pattern that begins with a wildcard needs three characters in a row at column 6",
    );
    assert!(Query::parse("name:*doe OR app_metadata.a:b* OR name:j*", rules).is_ok());
}

#[test]
fn a_sort_has_a_field_and_a_direction() {
    let key = |text: &str| Sort::parse(text).unwrap().key(&Record::new(USER));
    assert!(key("user_metadata.n:1") > key("user_metadata.missing:1"));
    assert!(key("user_metadata.n:1") < key("user_metadata.big:1"));
    assert!(key("created_at:-1") < key("app_metadata.day:1"));
    assert!(Sort::parse("created_at:-1").unwrap().is_descending());
    assert!(Sort::parse("app_metadata.day:1").unwrap().is_on_metadata());
    for (text, message) in [
        ("name", "no direction; write field:1 or field:-1 at column 5"),
        ("name:2", "unknown direction '2'; write 1 or -1 at column 6"),
        ("picture:1", "field 'picture' is not searchable, and so not sortable at column 1"),
    ] {
        assert_eq!(Sort::parse(text).unwrap_err().to_string(), message);
    }
}
