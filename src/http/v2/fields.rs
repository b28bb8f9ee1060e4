//! `fields` and `include_fields`: which members of an answer the caller wants.

use crate::domain::json::{self, Builder, Kind, Members, Object};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::schema;

/// The parameters that choose members.
pub(super) const PARAMETERS: &[&str] = &["fields", "include_fields"];

/// The members a caller wants, or does not want.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fields {
    names: Vec<String>,
    is_include: bool,
}

const ABOUT: &str = "Comma-separated list of fields to include or exclude (based on value provided for include_fields) in the result. Leave empty to retrieve all fields";

/// The members of a user `fields` may name (CONTRACT.md §2.3).
pub const USER_FIELDS: &[&str] = &[
    "phone_number",
    "email",
    "email_verified",
    "picture",
    "username",
    "user_id",
    "name",
    "nickname",
    "created_at",
    "identities",
    "app_metadata",
    "user_metadata",
    "last_ip",
    "last_login",
    "logins_count",
    "updated_at",
    "blocked",
    "family_name",
    "given_name",
];

/// Members `fields` may name though Auth0's message does not list them.
const UNLISTED: &[&str] = &["phone_verified", "last_password_reset", "multifactor"];

impl Fields {
    /// Reads the two parameters; `None` = everything.
    ///
    /// # Errors
    /// 400 for a member that is not in `allowed`, when that is given.
    pub fn of(query: &Query, allowed: Option<&[&str]>) -> Result<Option<Self>, Problem> {
        let is_include = query.flag("include_fields")?.unwrap_or(true);
        let Some(text) = query.get("fields").filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        let names: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
        if let Some(allowed) = allowed
            && !names.iter().all(|name| is_allowed(name, allowed))
        {
            let detail = format!(
                "String '{text}' does not match pattern. Must be a comma separated list of the following values: {}",
                allowed.join(",")
            );
            return Err(Problem::query(schema::query_message(&detail, "fields", ABOUT)));
        }
        Ok(Some(Self { names, is_include }))
    }

    /// Whether a member is wanted by name.
    pub fn names(&self, name: &str) -> bool {
        self.is_include && self.names.iter().any(|own| own == name)
    }

    /// The wanted members of an object text; `always` are there whatever the caller says.
    pub fn cut(&self, text: &str, always: &[&str]) -> String {
        let mut out = Builder::with_capacity(text.len());
        for (key, value) in Members::of(text) {
            let name = json::unquote(key);
            if self.names.iter().any(|own| *own == name) == self.is_include
                || always.contains(&name.as_ref())
            {
                out.member(key, value);
            } else if Kind::of(value) == Kind::Object {
                self.cut_inside(&name, key, value, &mut out);
            }
        }
        out.finish()
    }

    /// `user_metadata.a.b`: the wanted part of a bag.
    fn cut_inside(&self, name: &str, key: &str, value: &str, out: &mut Builder) {
        if !self.is_include {
            return;
        }
        let prefix = format!("{name}.");
        let paths: Vec<String> = self
            .names
            .iter()
            .filter_map(|own| own.strip_prefix(&prefix))
            .map(str::to_owned)
            .collect();
        if !paths.is_empty() {
            out.member(key, &Self { names: paths, is_include: true }.cut(value, &[]));
        }
    }
}

fn is_allowed(name: &str, allowed: &[&str]) -> bool {
    let is_bag_path = ["user_metadata.", "app_metadata."]
        .iter()
        .any(|bag| name.strip_prefix(bag).is_some_and(|rest| !rest.is_empty()));
    allowed.contains(&name) || UNLISTED.contains(&name) || is_bag_path
}

/// The object with the wanted members, or all of it.
pub fn selected(fields: Option<&Fields>, text: &str, always: &[&str]) -> String {
    fields.map_or_else(|| text.to_owned(), |fields| fields.cut(text, always))
}

/// The object without the members in `hidden`.
pub fn without(object: &Object, hidden: &[&str]) -> Object {
    object.filtered(|key| !hidden.contains(&key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(query: &str, expected: &str) {
        let user = r#"{"email":"a","name":"b","user_metadata":{"x":{"y":1,"z":2},"w":3},"app_metadata":{"p":1}}"#;
        let fields = Fields::of(&Query::parse(query).unwrap(), Some(USER_FIELDS)).unwrap();
        assert_eq!(selected(fields.as_ref(), user, &[]), expected, "{query}");
    }

    #[test]
    fn members_are_included_or_excluded() {
        check("fields=email", r#"{"email":"a"}"#);
        check("fields=email,name&include_fields=true", r#"{"email":"a","name":"b"}"#);
        check(
            "fields=user_metadata,app_metadata&include_fields=false",
            r#"{"email":"a","name":"b"}"#,
        );
        check("fields=user_metadata.x.y", r#"{"user_metadata":{"x":{"y":1}}}"#);
        check("fields=app_metadata", r#"{"app_metadata":{"p":1}}"#);
    }

    #[test]
    fn unknown_members_are_refused_in_auth0s_words() {
        let query = Query::parse("fields=email,foo").unwrap();
        let message = Fields::of(&query, Some(USER_FIELDS)).unwrap_err().message;
        assert!(message.starts_with("Query validation error: 'String 'email,foo' does not match pattern. Must be a comma separated list of the following values: phone_number,email,"), "{message}");
        assert!(message.ends_with("on property fields (Comma-separated list of fields to include or exclude (based on value provided for include_fields) in the result. Leave empty to retrieve all fields)."), "{message}");
    }
}
