//! The bodies of v1: users with their metadata at the root.

use crate::domain::document::Document;
use crate::domain::json::{self, Builder, Object};
use crate::domain::policy::Compat;
use crate::http::problem::Problem;
use crate::http::schema::{self, Extra, Format, Schema, Shape, property};
use crate::http::v2::wire::{UserBody, check_password, new_user as new_v2_user};

/// Root attributes metadata never stands in for.
const REAL: [&str; 3] = ["user_id", "email", "identities"];

/// The bags of v2, which v1 does not know as such.
const BAGS: [&str; 2] = ["user_metadata", "app_metadata"];

/// The user as v1 shows it: the root without the bags, and over it what is in `app_metadata`.
///
/// | root           | `app_metadata`  | shown                                   |
/// |----------------|-----------------|-----------------------------------------|
/// | `name`         | –               | `name` of the root                      |
/// | –              | `hobby`         | `hobby` of the metadata                 |
/// | `name`         | `name`          | `name` of the metadata                  |
/// | `user_id`, `email`, `identities` | same | the root's (they say who it is)   |
pub(super) fn merged(document: &Document) -> Object {
    let root = Object::trusted(document.json()).filtered(|key| !BAGS.contains(&key));
    let Some(bag) = document.app_metadata() else { return root };
    let bag = Object::trusted(bag);
    let over = |key: &str| bag.get(key).filter(|_| !REAL.contains(&key));
    let mut out = Builder::with_capacity(root.as_json().len() + bag.as_json().len());
    for (key, value) in root.members() {
        out.member(key, over(&json::unquote(key)).unwrap_or(value));
    }
    for (key, value) in bag.members() {
        let name = json::unquote(key);
        if !root.contains(&name) && !REAL.contains(&name.as_ref()) {
            out.member(key, value);
        }
    }
    out.object()
}

/// Members of a new user that are its own; all others are metadata.
const ROOT: [&str; 15] = [
    "connection",
    "email",
    "email_verified",
    "username",
    "password",
    "phone_number",
    "phone_verified",
    "name",
    "nickname",
    "given_name",
    "family_name",
    "picture",
    "user_id",
    "blocked",
    "verify_email",
];

/// Reads the body of `POST /api/users`; what is no root attribute becomes `app_metadata`.
pub(super) fn new_user(
    body: &Object,
    compat: Compat,
    account: String,
) -> Result<UserBody, Problem> {
    if let Some(bag) = BAGS.iter().find(|bag| body.contains(bag)) {
        let detail = format!("Additional properties not allowed: {bag}");
        return Err(Problem::body(schema::message(&detail, "", "")));
    }
    let root = body.filtered(|key| ROOT.contains(&key));
    let extra = body.filtered(|key| !ROOT.contains(&key));
    let mut new = new_v2_user(&root, compat, account)?;
    new.user.app_metadata = Some(extra).filter(|extra| !extra.is_empty());
    Ok(new)
}

pub(super) static EMAIL: Schema = Schema {
    properties: &[
        property("email", Shape::Formatted(1, 254, Format::Email), "the new e-mail address"),
        property("verify", Shape::Boolean, ""),
    ],
    required: &["email"],
    extra: Extra::Refuse(""),
};

/// Reads the body of `PUT …/email`. The new address is not verified, whatever `verify` says.
pub(super) fn email(body: &Object) -> Result<String, Problem> {
    EMAIL.check(body)?;
    Ok(body.get_str("email").unwrap_or_default().into_owned())
}

pub(super) static PASSWORD: Schema = Schema {
    properties: &[
        property("password", Shape::Text(1, 1024), "the new password"),
        property("verify", Shape::Boolean, ""),
        property("email", Shape::Text(1, 254), ""),
        property("connection", Shape::Text(1, 255), ""),
    ],
    required: &["password"],
    extra: Extra::Refuse(""),
};

/// What `PUT …/password` says.
pub(super) struct NewPassword {
    /// The new password, plain.
    pub(super) password: String,
    /// The connection of the user, where the path names an e-mail address.
    pub(super) connection: Option<String>,
}

/// Reads the body of `PUT …/password`.
pub(super) fn password(body: &Object) -> Result<NewPassword, Problem> {
    PASSWORD.check(body)?;
    let password = body.get_str("password").unwrap_or_default().into_owned();
    check_password(&password)?;
    let connection = body.get_str("connection").map(std::borrow::Cow::into_owned);
    Ok(NewPassword { password, connection })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::document::tests::jane;
    use crate::domain::user::User;

    fn object(text: &str) -> Object {
        Object::parse(text, 16).unwrap()
    }

    #[test]
    fn metadata_is_merged_into_the_root_and_identity_stays_real() {
        let user = User {
            user_metadata: Some(object(r#"{"hobby":"surfing","name":"Nobody"}"#)),
            app_metadata: Some(object(
                r#"{"plan":"full","name":"From metadata","email":"x","user_id":"y"}"#,
            )),
            ..jane()
        };
        let document = Document::of(&user);
        let shown = merged(&document);
        assert_eq!(shown.get("plan"), Some("\"full\""));
        assert_eq!(shown.get("name"), Some("\"From metadata\""));
        assert_eq!(shown.get_str("user_id").as_deref(), Some(user.id.as_str()));
        assert_eq!(shown.get_str("email"), user.profile.email.as_deref().map(Into::into));
        for bag in ["user_metadata", "app_metadata", "hobby"] {
            assert!(!shown.contains(bag), "{bag}");
        }
        let v2 = Object::trusted(document.json());
        assert!(v2.contains("user_metadata") && v2.contains("app_metadata"));
        assert!(!v2.contains("plan") && v2.get("name") != Some("\"From metadata\""));
    }

    #[test]
    fn what_is_no_root_attribute_becomes_metadata() {
        let body = r#"{"email":"a@b.co","password":"x","connection":"c","plan":"full","n":1}"#;
        let new = new_user(&object(body), Compat::Strict, "1".to_owned()).unwrap();
        assert_eq!(new.user.app_metadata.unwrap().as_json(), r#"{"plan":"full","n":1}"#);
        assert_eq!(new.user.profile.email.as_deref(), Some("a@b.co"));
        assert!(new.user.user_metadata.is_none());
        let bags = object(r#"{"email":"a@b.co","connection":"c","user_metadata":{}}"#);
        assert!(new_user(&bags, Compat::Lenient, "1".to_owned()).is_err());
    }
}
