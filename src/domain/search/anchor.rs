//! Users a query names by what they are found by anyway: e-mail, login name, phone number, id.

use crate::domain::decide::LoginKey;
use crate::domain::search::ast::{Field, Kind, Node, Term};
use crate::domain::search::predicate::{Literal, Predicate};
use crate::domain::search::query::Query;

/// A value that the tenant looks users up by without an index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// A login value, whatever its case.
    Login(LoginKey, String),
    /// A user's id.
    Id(String),
}

impl Query {
    /// Look-ups that together find every user who can match; `None` when the query does not say by
    /// such values whom it wants. Who is found still has to be asked.
    pub fn anchors(&self) -> Option<Vec<Anchor>> {
        of(self.root())
    }
}

fn of(node: &Node) -> Option<Vec<Anchor>> {
    match &node.kind {
        Kind::All | Kind::Not(_) => None,
        Kind::And(parts) => parts.iter().filter_map(of).min_by_key(Vec::len),
        Kind::Or(parts) => {
            let parts: Option<Vec<Vec<Anchor>>> = parts.iter().map(of).collect();
            parts.map(|parts| parts.into_iter().flatten().collect())
        }
        Kind::Term(term) => of_term(term).map(|anchor| vec![anchor]),
    }
}

fn of_term(term: &Term) -> Option<Anchor> {
    let (Field::At(path), Predicate::Equals(literal)) = (&term.field, &term.predicate) else {
        return None;
    };
    let [key] = path.keys() else { return None };
    let text = literal.text.as_str();
    if !is_plain(literal) {
        return None;
    }
    match key.as_ref() {
        "email" => Some(Anchor::Login(LoginKey::Email, text.to_owned())),
        "username" => Some(Anchor::Login(LoginKey::Username, text.to_owned())),
        "phone_number" => Some(Anchor::Login(LoginKey::Phone, text.to_owned())),
        "user_id" => Some(Anchor::Id(text.to_owned())),
        _ => None,
    }
}

/// Whether a text equals nothing but itself, in upper and lower case: a time also equals the same
/// moment written otherwise, and beyond ASCII there is more than one way to fold a text.
fn is_plain(literal: &Literal) -> bool {
    literal.text.is_ascii() && literal.equal_stretch().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::search::Rules;

    fn anchors(text: &str) -> Option<Vec<Anchor>> {
        Query::parse(text, Rules::default()).unwrap().anchors()
    }

    fn email(text: &str) -> Anchor {
        Anchor::Login(LoginKey::Email, text.to_owned())
    }

    #[test]
    fn who_is_named_is_looked_up() {
        assert_eq!(anchors(r#"email:"A@b.c""#), Some(vec![email("A@b.c")]));
        assert_eq!(
            anchors(r#"user_id:("auth0|1" OR "auth0|2")"#),
            Some(vec![Anchor::Id("auth0|1".to_owned()), Anchor::Id("auth0|2".to_owned())])
        );
        assert_eq!(
            anchors(r#"app_metadata.plan:full AND email:"a@b.c" AND NOT blocked:true"#),
            Some(vec![email("a@b.c")])
        );
    }

    #[test]
    fn whoever_else_can_match_must_be_asked() {
        let others = [
            "*:*",
            "a@b.c",
            r#"NOT email:"a@b.c""#,
            "email:a@b.*",
            r#"email:"a@b.c" OR name:"Jane""#,
            "email.domain:b.c",
            "email:\"ς@b.c\"",
            "username:2020-01-01",
            "_exists_:email",
        ];
        for text in others {
            assert_eq!(anchors(text), None, "{text}");
        }
    }
}
