//! What holds for every document and every query.

use proptest::prelude::*;

use super::generate::{query, user};
use super::reference;
use crate::domain::search::{Query, QueryError, Record, Rules, Sort};

fn parse(text: &str) -> Result<Query, QueryError> {
    Query::parse(text, Rules::default())
}

fn tokens() -> impl Strategy<Value = String> {
    let token = prop::sample::select(vec![
        "a",
        "name",
        "user_metadata.x",
        ":",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        " TO ",
        "\"",
        "\\",
        " AND ",
        " OR ",
        " NOT ",
        "&&",
        "||",
        "!",
        "-",
        "+",
        "*",
        "?",
        " ",
        "~",
        "^",
        "/",
        "é",
        "2025-01",
        "13",
        "_exists_:",
        ".",
        "name:",
        "x:",
        "*:*",
    ]);
    prop::collection::vec(token, 0..14).prop_map(|tokens| tokens.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,60}") {
        check_parse(&text)?;
    }

    #[test]
    fn no_soup_of_tokens_makes_the_parser_panic(text in tokens()) {
        check_parse(&text)?;
    }

    #[test]
    fn what_is_found_is_what_the_reference_finds(text in query(), user in user()) {
        let query = parse(&text).unwrap();
        let tree = serde_json::from_str(&user).unwrap();
        let found = query.matches(&Record::new(&user));
        prop_assert_eq!(found, reference::matches(query.root(), &tree), "{} on {}", query, user);
    }

    #[test]
    fn negation_moves_through_and_and_or(a in query(), b in query(), user in user()) {
        let (a, b) = (format!("({a})"), format!("({b})"));
        let record = Record::new(&user);
        let holds = |text: String| parse(&text).unwrap().matches(&record);
        prop_assert_eq!(holds(format!("NOT ({a} AND {b})")), holds(format!("(NOT {a}) OR (NOT {b})")));
        prop_assert_eq!(holds(format!("NOT ({a} OR {b})")), holds(format!("(NOT {a}) AND (NOT {b})")));
        prop_assert_eq!(holds(format!("NOT NOT {a}")), holds(a.clone()));
        prop_assert_eq!(holds(format!("{a} {b}")), holds(format!("{a} OR {b}")));
        prop_assert_eq!(holds(format!("+{a} +{b}")), holds(format!("{a} AND {b}")));
    }

    #[test]
    fn sort_keys_order_every_user(users in prop::collection::vec(user(), 2..5), descending: bool) {
        let sort = Sort::parse(if descending { "user_metadata.a:-1" } else { "user_metadata.a:1" }).unwrap();
        let mut keys: Vec<_> = users.iter().map(|user| sort.key(&Record::new(user))).collect();
        keys.sort_by(|left, right| sort.compare(left.as_ref(), right.as_ref()));
        let with_key = keys.iter().filter(|key| key.is_some()).count();
        prop_assert!(keys[..with_key].iter().all(Option::is_some));
        let is_ordered = keys[..with_key].is_sorted_by(|a, b| if descending { a >= b } else { a <= b });
        prop_assert!(is_ordered);
    }
}

/// What is read can be printed and read again; what is not names a place in the text or right after.
fn check_parse(text: &str) -> Result<(), TestCaseError> {
    match parse(text) {
        Ok(query) => {
            let printed = query.to_string();
            prop_assert_eq!(&parse(&printed).unwrap(), &query, "{} printed as {}", text, printed);
        }
        Err(error) => {
            prop_assert!(
                (1..=text.chars().count() + 1).contains(&error.column),
                "{}: {}",
                text,
                error
            );
        }
    }
    Ok(())
}
