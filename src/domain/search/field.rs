//! Fields: which parts of a user can be searched, and how their text compares.

use std::borrow::Cow;
use std::fmt;

/// What a root field of a user is to the search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Root {
    /// `email`, whose domain is a field of its own.
    Email,
    /// Another value of the profile.
    Profile { folds: bool, is_ordered: bool },
    /// The linked identities; of their fields only [`IDENTITY_FIELDS`] count.
    Identities,
    /// `user_metadata` and `app_metadata`, with everything in them.
    Metadata,
}

/// The fields a bare term looks at.
pub(crate) const IDENTIFYING: [&str; 8] = [
    "email",
    "name",
    "nickname",
    "given_name",
    "family_name",
    "username",
    "user_id",
    "phone_number",
];

/// The field below `email` that no document holds.
pub(crate) const EMAIL_DOMAIN: &str = "domain";

/// Tokens of identity providers stand beside these and must not be found.
const IDENTITY_FIELDS: [&str; 5] = ["connection", "provider", "user_id", "isSocial", "profileData"];

impl Root {
    /// The root field `name` when bare terms look at it.
    pub(crate) fn identifying(name: &str) -> Option<Self> {
        match name {
            "email" | "name" | "nickname" | "given_name" | "family_name" | "username"
            | "user_id" | "phone_number" => Self::named(name),
            _ => None,
        }
    }

    /// The searchable root field `name`.
    ///
    /// | field                                                     | upper and lower case |
    /// |-----------------------------------------------------------|----------------------|
    /// | `email`, `name`, `given_name`, `family_name`, `nickname`  | one                  |
    /// | the other searchable ones, metadata included              | different            |
    /// | `picture`, `multifactor`, whatever else a provider added  | not searchable       |
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "email" => Some(Self::Email),
            "name" | "given_name" | "family_name" | "nickname" => {
                Some(Self::Profile { folds: true, is_ordered: true })
            }
            "username" | "user_id" | "phone_number" | "created_at" | "updated_at"
            | "last_login" | "logins_count" => {
                Some(Self::Profile { folds: false, is_ordered: true })
            }
            "blocked" | "email_verified" | "phone_verified" | "last_ip" | "organization_id" => {
                Some(Self::Profile { folds: false, is_ordered: false })
            }
            "identities" => Some(Self::Identities),
            "user_metadata" | "app_metadata" => Some(Self::Metadata),
            _ => None,
        }
    }

    /// Says whether the field `key` right below this root field can be searched.
    pub(crate) fn shows(self, key: &str) -> bool {
        match self {
            Self::Profile { .. } | Self::Metadata => true,
            Self::Email => key != EMAIL_DOMAIN,
            Self::Identities => IDENTITY_FIELDS.contains(&key),
        }
    }

    /// Says whether upper and lower case are one in this field.
    pub(crate) fn folds(self) -> bool {
        match self {
            Self::Email => true,
            Self::Profile { folds, .. } => folds,
            Self::Identities | Self::Metadata => false,
        }
    }

    /// Says whether the index always keeps the values of this field in order.
    pub(crate) fn is_ordered(self) -> bool {
        match self {
            Self::Email => true,
            Self::Profile { is_ordered, .. } => is_ordered,
            Self::Identities | Self::Metadata => false,
        }
    }
}

/// How the value of a path is come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Source {
    /// By walking down the keys.
    Keys,
    /// It is what follows the `@` in `email`.
    EmailDomain,
    /// The field is not searchable: nothing is ever found.
    Nowhere,
}

/// The keys from the root of a user down to a field; arrays on the way do not count.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Path {
    keys: Vec<Box<str>>,
    source: Source,
    folds: bool,
}

impl Path {
    pub(crate) fn new(keys: Vec<Box<str>>) -> Self {
        let root = keys.first().and_then(|name| Root::named(name));
        Self { source: source(&keys, root), folds: root.is_some_and(Root::folds), keys }
    }

    pub(crate) fn keys(&self) -> &[Box<str>] {
        &self.keys
    }

    pub(crate) fn source(&self) -> Source {
        self.source
    }

    /// Says whether upper and lower case are one in this field.
    pub(crate) fn folds(&self) -> bool {
        self.folds
    }

    pub(crate) fn is_metadata(&self) -> bool {
        self.keys.first().and_then(|name| Root::named(name)) == Some(Root::Metadata)
    }

    pub(crate) fn is_user_metadata(&self) -> bool {
        self.keys.first().is_some_and(|name| name.as_ref() == "user_metadata")
    }
}

fn source(keys: &[Box<str>], root: Option<Root>) -> Source {
    let Some(root) = root else { return Source::Nowhere };
    match keys {
        [_, key] if root == Root::Email && key.as_ref() == EMAIL_DOMAIN => Source::EmailDomain,
        [_, key, ..] if !root.shows(key) => Source::Nowhere,
        _ => Source::Keys,
    }
}

/// The path as a query names it, escapes included.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, key) in self.keys.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            for char in key.chars() {
                if !(char.is_alphanumeric() || char == '_') {
                    f.write_str("\\")?;
                }
                write!(f, "{char}")?;
            }
        }
        Ok(())
    }
}

/// The text in the form in which upper and lower case are one.
///
/// Characters are folded one by one, so that a part of a folded text is the folded part.
pub(crate) fn fold(text: &str) -> Cow<'_, str> {
    if !text.is_ascii() {
        Cow::Owned(text.chars().flat_map(char::to_lowercase).collect())
    } else if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

/// The domain of an e-mail address, folded.
pub(crate) fn email_domain(email: &str) -> Option<Cow<'_, str>> {
    email.rsplit_once('@').map(|(_, domain)| fold(domain)).filter(|domain| !domain.is_empty())
}

#[cfg(test)]
mod tests {
    use super::{IDENTIFYING, Root, fold};
    use proptest::prelude::*;

    #[test]
    fn bare_terms_look_at_the_identifying_fields() {
        assert!(IDENTIFYING.iter().all(|name| Root::identifying(name).is_some()));
        for name in ["created_at", "blocked", "user_metadata", "identities", "picture"] {
            assert_eq!(Root::identifying(name), None);
        }
    }

    proptest! {
        #[test]
        fn folding_twice_is_folding_once(text in "\\PC{0,12}|[a-zA-Z]{0,8}") {
            let once = fold(&text).into_owned();
            prop_assert_eq!(fold(&once), once.as_str());
        }
    }
}
