//! What users are looked up by: e-mail, login name, phone number.

use crate::domain::decide::LoginKey;
use crate::domain::document::Document;
use crate::domain::json;

/// The JSON texts of a user's login values, in the order of [`LoginKey::ALL`].
///
/// Nearly no write moves one, so they are compared as they stand, and only what moved is read.
pub(super) type Texts<'a> = [Option<&'a str>; 3];

/// The login values of a user.
pub(super) fn texts(document: &Document) -> Texts<'_> {
    let [mut email, mut username, mut phone] = [None; 3];
    for (key, raw) in document.roots() {
        match key {
            "\"email\"" => email = Some(raw),
            "\"username\"" => username = Some(raw),
            "\"phone_number\"" => phone = Some(raw),
            _ => {}
        }
    }
    [email, username, phone]
}

/// The value of a text as it is looked up: in lower case.
pub(super) fn folded(text: &str) -> String {
    json::unquote(text).to_lowercase()
}

/// The login values of a user as they are looked up.
pub(super) fn of(document: &Document) -> impl Iterator<Item = (LoginKey, String)> {
    let named = LoginKey::ALL.into_iter().zip(texts(document));
    named.filter_map(|(key, text)| Some((key, folded(text?))))
}
