//! The golden cases: queries, five users, and who is found.

use crate::domain::search::{Query, Record, Rules};
use serde_json::Value;

#[track_caller]
fn parse(text: &str) -> Query {
    Query::parse(text, Rules::default()).unwrap()
}

fn golden() -> Value {
    serde_json::from_str(include_str!("../../../../tests/search/v3-cases.json")).unwrap()
}

#[test]
fn golden_cases_find_what_they_should() {
    let golden = golden();
    let users: Vec<String> =
        golden["users"].as_array().unwrap().iter().map(Value::to_string).collect();
    let cases = golden["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 57);
    for case in cases {
        let query = parse(case["q"].as_str().unwrap());
        let found: Vec<Value> = users
            .iter()
            .filter(|user| query.matches(&Record::new(user)))
            .map(|user| serde_json::from_str::<Value>(user).unwrap()["user_id"].clone())
            .collect();
        assert_eq!(&found, case["ids"].as_array().unwrap(), "{}", case["q"]);
    }
}

#[test]
fn golden_errors_name_their_column() {
    let golden = golden();
    let errors = golden["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 9);
    for case in errors {
        let error = Query::parse(case["q"].as_str().unwrap(), Rules::default()).unwrap_err();
        assert_eq!(error.to_string(), case["message"].as_str().unwrap());
        assert_eq!(
            Some(error.column),
            case["column"].as_u64().map(|column| usize::try_from(column).unwrap())
        );
    }
}
