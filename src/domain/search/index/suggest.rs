//! What could come next in a query, from what somebody typed so far.

use super::{Index, PathInfo, ValueCount};
use crate::domain::search::field::Path;
use crate::domain::search::parse::Parser;
use crate::domain::search::query::QueryError;
use std::cmp::Reverse;

/// A path with more different values has none to choose from. It bounds a look at them, too.
const CHOICES_MAX: usize = 1000;

/// What was typed, and how much is wanted of it.
#[derive(Clone, Debug)]
pub struct Typed {
    /// The field before the colon; none while there is none yet.
    path: Option<Path>,
    beginning: String,
    limit: usize,
}

impl Typed {
    /// The beginning of a field's name.
    pub fn field(beginning: &str, limit: usize) -> Self {
        Self { path: None, beginning: beginning.to_owned(), limit }
    }

    /// The beginning of a value of the field `path`.
    ///
    /// # Errors
    /// When `path` does not name a field.
    pub fn value(path: &str, beginning: &str, limit: usize) -> Result<Self, QueryError> {
        let path = Some(Parser::path(path)?);
        Ok(Self { path, beginning: beginning.to_owned(), limit })
    }
}

/// What could come next, what most users have first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Suggestions {
    /// Fields, whatever the case of what was typed.
    Fields(Vec<PathInfo>),
    /// Values, of so many different ones; `None` when there are too many to be counted. None are
    /// suggested where there are more than a person chooses from.
    Values(Vec<ValueCount>, Option<usize>),
}

impl Index {
    /// What could come next.
    pub fn suggest(&self, typed: &Typed) -> Suggestions {
        let Typed { path, beginning, limit } = typed;
        let Some(path) = path else {
            let wanted = plain(beginning);
            let mut fields: Vec<PathInfo> =
                self.paths().filter(|info| plain(&info.path).starts_with(&wanted)).collect();
            fields.sort_by_key(|info| Reverse(info.users));
            fields.truncate(*limit);
            return Suggestions::Fields(fields);
        };
        let distinct = self.distinct(path);
        let mut values = match distinct {
            Some(distinct) if distinct <= CHOICES_MAX => {
                self.values_at(path, beginning, CHOICES_MAX)
            }
            Some(_) | None => Vec::new(),
        };
        values.sort_by_key(|value| Reverse(value.users));
        values.truncate(*limit);
        Suggestions::Values(values, distinct)
    }
}

/// A path for comparing: escapes are typed by few.
fn plain(path: &str) -> String {
    path.chars().filter(|char| *char != '\\').flat_map(char::to_lowercase).collect()
}

impl ValueCount {
    /// The value as a query names it: bare where nothing in it means anything else, else in quotes.
    pub fn term(&self) -> String {
        let text = &self.text;
        let is_plain = |char: char| char.is_alphanumeric() || char == '_';
        let is_bare = text.starts_with(is_plain)
            && text.chars().all(|char| is_plain(char) || matches!(char, '.' | '-' | '@'))
            && !["AND", "OR", "NOT", "TO"].contains(&text.as_str());
        if is_bare { text.clone() } else { crate::domain::search::word::phrase(text) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::IndexLimits;
    use super::*;
    use crate::domain::search::tests::generate::user;
    use crate::domain::search::{Query, Record, Rules};
    use proptest::prelude::*;

    fn index(users: &[String]) -> Index {
        let mut index = Index::new(IndexLimits::default());
        for (slot, user) in (0..).zip(users) {
            index.insert(slot, user);
        }
        index
    }

    fn of(plans: &[&str]) -> Index {
        let user = |plan: &&str| {
            format!(
                r#"{{"email":"{plan}@x.org","app_metadata":{{"plan":"{plan}","Home-Town":{{"zip":1}}}}}}"#
            )
        };
        index(&plans.iter().map(user).collect::<Vec<_>>())
    }

    #[track_caller]
    fn check_fields(typed: &str, limit: usize, expected: &[&str]) {
        let Suggestions::Fields(fields) =
            of(&["gold", "free"]).suggest(&Typed::field(typed, limit))
        else {
            panic!("fields were asked for");
        };
        let paths: Vec<&str> = fields.iter().map(|info| info.path.as_str()).collect();
        assert_eq!(paths, expected, "{typed}");
    }

    #[test]
    fn fields_begin_as_was_typed_whatever_the_case_and_with_or_without_escapes() {
        let town = r"app_metadata.Home\-Town";
        let zip = r"app_metadata.Home\-Town.zip";
        check_fields("app", 9, &["app_metadata", town, zip, "app_metadata.plan"]);
        check_fields("app", 1, &["app_metadata"]);
        check_fields("APP_metadata.p", 9, &["app_metadata.plan"]);
        check_fields("app_metadata.home-t", 9, &[town, zip]);
        check_fields(r"app_metadata.home\-t", 9, &[town, zip]);
        check_fields("email", 9, &["email", "email.domain"]);
        check_fields("x", 9, &[]);
    }

    #[test]
    fn what_most_have_comes_first() {
        let plans = of(&["free", "gold", "gold", "old"]);
        let typed = Typed::value("app_metadata.plan", "", 2).unwrap();
        let count = |text: &str, users| ValueCount { text: text.to_owned(), users };
        let expected = Suggestions::Values(vec![count("gold", 2), count("free", 1)], Some(3));
        assert_eq!(plans.suggest(&typed), expected);
        let typed = Typed::value("app_metadata.plan", "o", 2).unwrap();
        assert_eq!(plans.suggest(&typed), Suggestions::Values(vec![count("old", 1)], Some(3)));
        let some = [r#"{"app_metadata":{"a":1,"b":1}}"#, r#"{"app_metadata":{"b":1}}"#];
        let some = index(&some.map(str::to_owned));
        let Suggestions::Fields(fields) = some.suggest(&Typed::field("app_metadata.", 9)) else {
            panic!("fields were asked for");
        };
        let counted: Vec<(&str, u64)> =
            fields.iter().map(|info| (info.path.as_str(), info.users)).collect();
        assert_eq!(counted, [("app_metadata.b", 2), ("app_metadata.a", 1)]);
        assert!(Typed::value("not a path", "", 1).is_err());
        let unknown = Typed::value("user_metadata.none", "", 1).unwrap();
        assert_eq!(plans.suggest(&unknown), Suggestions::Values(Vec::new(), Some(0)));
    }

    #[test]
    fn of_too_many_values_none_is_suggested() {
        let users = |count: usize| -> Vec<String> {
            (0..count).map(|n| format!(r#"{{"user_metadata":{{"n":{n}}}}}"#)).collect()
        };
        let typed = Typed::value("user_metadata.n", "7", 9).unwrap();
        let of = |count| match index(&users(count)).suggest(&typed) {
            Suggestions::Values(values, distinct) => (values.len(), distinct),
            Suggestions::Fields(_) => panic!("values were asked for"),
        };
        assert_eq!(of(CHOICES_MAX), (9, Some(CHOICES_MAX)));
        assert_eq!(of(CHOICES_MAX + 1), (0, Some(CHOICES_MAX + 1)));
    }

    proptest! {
        /// Law: who has a suggested value is found by the query it makes.
        #[test]
        fn a_suggestion_makes_a_query_that_finds_whom_it_counted(users in prop::collection::vec(user(), 1..6)) {
            let index = index(&users);
            for info in index.paths() {
                let typed = Typed::value(&info.path, "", 99).unwrap();
                let Suggestions::Values(values, _) = index.suggest(&typed) else { continue };
                for value in values {
                    let text = format!("{}:{}", info.path, value.term());
                    let query = Query::parse(&text, Rules::default()).unwrap();
                    let found = users.iter().filter(|user| query.matches(&Record::new(user))).count();
                    prop_assert!(u64::try_from(found).unwrap() >= value.users, "{} finds {found}", text);
                }
            }
        }
    }
}
