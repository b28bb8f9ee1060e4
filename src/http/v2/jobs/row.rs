//! From a row of an import file to the user it may become (CONTRACT.md §5).

use crate::domain::command::NewUser;
use crate::domain::job::{ImportRow, RefusedRow, RowCode, RowError};
use crate::domain::json::{self, Builder, Kind, Object};
use crate::domain::password::PasswordHash;
use crate::domain::user::Profile;
use crate::http::schema::{Format, text_fault};
use std::collections::HashSet;

/// The host of default pictures of imported users (CONTRACT.md §2.1).
const PICTURE_HOST: &str = "secure.gravatar.com";

#[derive(Clone, Copy)]
enum Column {
    Text(usize, usize, Option<Format>),
    Flag,
    Object,
    Array,
}

/// What a row may have.
const COLUMNS: [(&str, Column); 17] = [
    ("email", Column::Text(1, 254, Some(Format::Email))),
    ("email_verified", Column::Flag),
    ("phone_number", Column::Text(1, 20, Some(Format::Phone))),
    ("phone_verified", Column::Flag),
    ("user_id", Column::Text(1, 255, Some(Format::Solid))),
    ("username", Column::Text(1, 128, Some(Format::Solid))),
    ("given_name", Column::Text(1, 150, None)),
    ("family_name", Column::Text(1, 150, None)),
    ("name", Column::Text(1, 300, None)),
    ("nickname", Column::Text(1, 300, None)),
    ("picture", Column::Text(1, 2048, Some(Format::Uri))),
    ("blocked", Column::Flag),
    ("password_hash", Column::Text(1, 512, None)),
    ("custom_password_hash", Column::Object),
    ("app_metadata", Column::Object),
    ("user_metadata", Column::Object),
    ("mfa_factors", Column::Array),
];

/// Members that errors never show.
const SECRET: [&str; 2] = ["password_hash", "custom_password_hash"];

/// Reads the rows of one file, one after the other.
#[derive(Debug, Default)]
pub(super) struct Rows {
    seen: HashSet<String>,
}

impl Rows {
    /// The user a row may become, in the connection of that name.
    ///
    /// # Errors
    /// The row with everything that is wrong with it.
    pub(super) fn read(
        &mut self,
        raw: &str,
        connection: &str,
        account: impl FnOnce() -> String,
    ) -> Result<ImportRow, RefusedRow> {
        if Kind::of(raw) != Kind::Object {
            let found = Kind::of(raw);
            let message = format!("Expected type object but found type {found}");
            return Err(RefusedRow {
                shown: raw.to_owned(),
                errors: vec![RowError::new(RowCode::InvalidType, message)],
            });
        }
        let row = Object::trusted(raw);
        let shown = shown(&row);
        let mut errors = faults(&row);
        let password = password(&row).unwrap_or_else(|error| {
            errors.push(error);
            None
        });
        if errors.is_empty() {
            errors.extend(self.repeated(&row));
        }
        if !errors.is_empty() {
            return Err(RefusedRow { shown, errors });
        }
        let text = |key: &str| row.get_str(key).map(std::borrow::Cow::into_owned);
        Ok(ImportRow {
            user: NewUser {
                account: text("user_id").unwrap_or_else(account),
                connection: connection.to_owned(),
                profile: Profile {
                    email: text("email"),
                    email_verified: row.get_bool("email_verified"),
                    username: text("username"),
                    phone_number: text("phone_number"),
                    phone_verified: row.get_bool("phone_verified"),
                    name: text("name"),
                    nickname: text("nickname"),
                    given_name: text("given_name"),
                    family_name: text("family_name"),
                    picture: text("picture"),
                    blocked: row.get_bool("blocked"),
                    ..Profile::default()
                },
                user_metadata: row.get_object("user_metadata"),
                app_metadata: row.get_object("app_metadata"),
                password: password.map(|hash| hash.expose().to_owned()),
                picture_host: PICTURE_HOST,
            },
            replaces_password: row.contains("custom_password_hash"),
            shown,
        })
    }

    /// What the row shares with one before it in the file.
    fn repeated(&mut self, row: &Object) -> Option<RowError> {
        let keys: Vec<(&str, String)> = ["user_id", "email", "username", "phone_number"]
            .into_iter()
            .filter_map(|name| {
                let value = row.get_str(name)?;
                let value =
                    if name == "user_id" { value.into_owned() } else { value.to_lowercase() };
                Some((name, format!("{name}:{value}")))
            })
            .collect();
        if let Some((name, _)) = keys.iter().find(|(_, key)| self.seen.contains(key)) {
            let message = format!("The file has an earlier user with the same {name}");
            return Some(RowError::new(RowCode::DuplicatedUser, message).at(*name));
        }
        self.seen.extend(keys.into_iter().map(|(_, key)| key));
        None
    }
}

fn shown(row: &Object) -> String {
    let mut out = Builder::with_capacity(row.as_json().len());
    for (key, value) in row.members() {
        let is_secret = SECRET.contains(&json::unquote(key).as_ref());
        out.member(key, if is_secret { "\"*****\"" } else { value });
    }
    out.finish()
}

/// Everything that is wrong with a row by itself.
fn faults(row: &Object) -> Vec<RowError> {
    let mut errors = Vec::new();
    if !row.contains("email") {
        let message = "Missing required property: email";
        errors.push(RowError::new(RowCode::ObjectRequired, message));
    }
    for (key, value) in row.members() {
        let name = json::unquote(key);
        let column = COLUMNS.iter().find(|(own, _)| *own == name).map(|(_, column)| *column);
        let error = match column {
            // The schema takes no other members; there is no code that says it more closely.
            None => Some(RowError::new(
                RowCode::NotPassed,
                format!("Additional properties not allowed: {name}"),
            )),
            Some(column) => fault(column, value),
        };
        errors.extend(error.map(|error| error.at(name.as_ref())));
    }
    if json::Elements::of(row.get("mfa_factors").unwrap_or("[]")).next().is_some() {
        let message = "Second factors are not kept here";
        errors.push(RowError::new(RowCode::MfaFactorsFailed, message).at("mfa_factors"));
    }
    errors
}

fn fault(column: Column, raw: &str) -> Option<RowError> {
    let wanted = match column {
        Column::Text(..) => Kind::String,
        Column::Flag => Kind::Boolean,
        Column::Object => Kind::Object,
        Column::Array => Kind::Array,
    };
    let found = Kind::of(raw);
    if found != wanted {
        let message = format!("Expected type {wanted} but found type {found}");
        return Some(RowError::new(RowCode::InvalidType, message));
    }
    let Column::Text(min, max, format) = column else { return None };
    let text = json::unquote(raw);
    let message = text_fault(&text, min, max, format)?;
    let chars = text.chars().count();
    let code = match format {
        _ if chars < min => RowCode::MinLength,
        _ if chars > max => RowCode::MaxLength,
        Some(Format::Email | Format::Uri) | None => RowCode::Format,
        Some(
            Format::Phone
            | Format::Solid
            | Format::Plain
            | Format::ConnectionId
            | Format::ConnectionName,
        ) => RowCode::Pattern,
    };
    Some(RowError::new(code, message))
}

/// The stored form of a row's password, if it brings one.
fn password(row: &Object) -> Result<Option<PasswordHash>, RowError> {
    let custom = row.get_object("custom_password_hash");
    match (row.get_str("password_hash"), custom) {
        (Some(_), Some(_)) => Err(RowError::new(
            RowCode::NotPassed,
            "password_hash and custom_password_hash cannot both be there",
        )),
        (Some(text), None) => PasswordHash::parse_imported(&text)
            .map(Some)
            .map_err(|error| RowError::new(RowCode::Format, error.to_string()).at("password_hash")),
        (None, Some(custom)) => custom_password(&custom).map(Some),
        (None, None) => Ok(None),
    }
}

/// Of the algorithms Auth0 takes, those whose hashes Dossier can check itself.
const ALGORITHMS: [&str; 2] = ["argon2", "bcrypt"];

fn custom_password(custom: &Object) -> Result<PasswordHash, RowError> {
    let path = "custom_password_hash";
    let algorithm = custom.get_str("algorithm").unwrap_or_default();
    if !ALGORITHMS.contains(&algorithm.as_ref()) {
        let allowed = ALGORITHMS.join(", ");
        return Err(RowError::new(
            RowCode::EnumMismatch,
            format!("No enum match for: {algorithm}; allowed are {allowed}"),
        )
        .at(format!("{path}.algorithm")));
    }
    let hash = custom.get_object("hash");
    let value = hash.as_ref().and_then(|hash| hash.get_str("value")).ok_or_else(|| {
        RowError::new(RowCode::ObjectRequired, "Missing required property: value")
            .at(format!("{path}.hash"))
    })?;
    if !value.starts_with(if algorithm == "bcrypt" { "$2" } else { "$argon2" }) {
        let message = format!("The hash is not the text of an {algorithm} hash");
        return Err(RowError::new(RowCode::Format, message).at(format!("{path}.hash.value")));
    }
    PasswordHash::parse_imported(&value).map_err(|error| {
        RowError::new(RowCode::Format, error.to_string()).at(format!("{path}.hash.value"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BCRYPT: &str = "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i";

    fn read(rows: &mut Rows, raw: &str) -> Result<ImportRow, RefusedRow> {
        rows.read(raw, "db", || "fresh".to_owned())
    }

    #[track_caller]
    fn check(raw: &str, expected: &[&str]) {
        let errors = match read(&mut Rows::default(), raw) {
            Ok(_) => Vec::new(),
            Err(refused) => refused
                .errors
                .iter()
                .map(|error| format!("{} {}", error.code.name(), error.path))
                .collect(),
        };
        assert_eq!(errors, expected, "{raw}");
    }

    #[test]
    fn a_row_becomes_a_user() {
        let raw = r#"{"email":"a@b.co","user_id":"7","user_metadata":{"x":1},"blocked":true}"#;
        let row = read(&mut Rows::default(), raw).unwrap();
        assert_eq!(row.user.account, "7");
        assert_eq!(row.user.picture_host, "secure.gravatar.com");
        assert_eq!(row.user.user_metadata.unwrap().as_json(), r#"{"x":1}"#);
        let row = read(&mut Rows::default(), r#"{"email":"a@b.co"}"#).unwrap();
        assert_eq!(row.user.account, "fresh");
    }

    #[test]
    fn what_is_wrong_with_a_row_has_a_code_and_a_place() {
        check(r#"{"email":"a@b.co"}"#, &[]);
        check("7", &["INVALID_TYPE "]);
        check("{}", &["OBJECT_REQUIRED "]);
        check(r#"{"email":"none"}"#, &["FORMAT email"]);
        check(r#"{"email":""}"#, &["MIN_LENGTH email"]);
        check(r#"{"email":"a@b.co","blocked":"yes"}"#, &["INVALID_TYPE blocked"]);
        check(r#"{"email":"a@b.co","x":1,"name":""}"#, &["NOT_PASSED x", "MIN_LENGTH name"]);
        check(r#"{"email":"a@b.co","phone_number":"49"}"#, &["PATTERN phone_number"]);
        check(r#"{"email":"a@b.co","user_id":"a b"}"#, &["PATTERN user_id"]);
        check(
            &format!(r#"{{"email":"a@b.co","nickname":"{}"}}"#, "n".repeat(301)),
            &["MAX_LENGTH nickname"],
        );
        check(
            r#"{"email":"a@b.co","mfa_factors":[{"totp":{}}]}"#,
            &["MFA_FACTORS_FAILED mfa_factors"],
        );
        check(r#"{"email":"a@b.co","mfa_factors":[]}"#, &[]);
    }

    #[test]
    fn hashes_we_cannot_check_are_refused_and_none_is_shown() {
        let row = |member: &str| format!(r#"{{"email":"a@b.co",{member}}}"#);
        check(&row(&format!(r#""password_hash":"{BCRYPT}""#)), &[]);
        check(&row(r#""password_hash":"plain""#), &["FORMAT password_hash"]);
        let custom = |algorithm: &str, value: &str| {
            row(&format!(
                r#""custom_password_hash":{{"algorithm":"{algorithm}","hash":{{"value":"{value}"}}}}"#
            ))
        };
        check(&custom("bcrypt", BCRYPT), &[]);
        check(&custom("argon2", BCRYPT), &["FORMAT custom_password_hash.hash.value"]);
        check(&custom("md5", "abc"), &["ENUM_MISMATCH custom_password_hash.algorithm"]);
        let refused = read(&mut Rows::default(), &custom("md5", "abcdef")).unwrap_err();
        assert!(!refused.to_json().contains("abcdef"), "{}", refused.to_json());
    }

    #[test]
    fn a_user_is_in_a_file_once() {
        let mut rows = Rows::default();
        assert!(read(&mut rows, r#"{"email":"a@b.co","user_id":"1"}"#).is_ok());
        for again in [r#"{"email":"A@b.co"}"#, r#"{"email":"b@b.co","user_id":"1"}"#] {
            let refused = read(&mut rows, again).unwrap_err();
            assert_eq!(refused.errors[0].code, RowCode::DuplicatedUser, "{again}");
        }
        assert!(read(&mut rows, r#"{"email":"c@b.co","user_id":"2"}"#).is_ok());
    }
}
