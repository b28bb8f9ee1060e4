//! A user: who someone is, how they sign in, and what is kept about them.

use super::entries::Entry;
use super::json::Object;
use super::time::{Timestamp, Version};
use std::fmt;

/// A user's identifier, `<provider>|<id>`: unique in its tenant.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(Box<str>);

/// A text that can be no user id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a user id has the form provider|id, at most {} bytes, without white space or control characters",
    UserId::MAX_BYTES
)]
pub struct InvalidUserId;

impl UserId {
    /// Bytes a user id may have.
    pub const MAX_BYTES: usize = 320;

    /// Reads an id from outside.
    ///
    /// # Errors
    /// [`InvalidUserId`] when there is no `|`, a side is empty, it is too long, or holds white space.
    pub fn parse(text: &str) -> Result<Self, InvalidUserId> {
        match text.split_once('|') {
            Some((provider, id))
                if !provider.is_empty()
                    && !id.is_empty()
                    && text.len() <= Self::MAX_BYTES
                    && !text.contains(|c: char| c.is_control() || c.is_whitespace()) =>
            {
                Ok(Self(text.into()))
            }
            Some(_) | None => Err(InvalidUserId),
        }
    }

    /// Takes an id that was checked before.
    pub fn trusted(text: &str) -> Self {
        Self(text.into())
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One way a user signs in: an account at a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Name of the connection.
    pub connection: String,
    /// The provider behind it, `auth0` for databases.
    pub provider: String,
    /// The account's id at the provider, without prefix.
    pub user_id: String,
    /// Whether the provider is a social one.
    pub is_social: bool,
    /// The account's own profile, kept once accounts were linked.
    pub profile_data: Option<Object>,
}

/// The root attributes of a profile that Dossier knows by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// E-mail address; lower case for database connections.
    pub email: Option<String>,
    /// Whether the address is known to be the user's.
    pub email_verified: Option<bool>,
    /// Login name, where the connection asks for one.
    pub username: Option<String>,
    /// E.164 number of users who sign in by message.
    pub phone_number: Option<String>,
    /// Whether the number is known to be the user's.
    pub phone_verified: Option<bool>,
    /// Full name.
    pub name: Option<String>,
    /// Short name.
    pub nickname: Option<String>,
    /// Given name.
    pub given_name: Option<String>,
    /// Family name.
    pub family_name: Option<String>,
    /// URL of a picture.
    pub picture: Option<String>,
    /// Whether signing in is refused; absent until it was set once.
    pub blocked: Option<bool>,
    /// The last time the user signed in.
    pub last_login: Option<Timestamp>,
    /// The address of the last sign-in.
    pub last_ip: Option<String>,
    /// How often the user signed in.
    pub logins_count: Option<u64>,
    /// When the password was last changed.
    pub last_password_reset: Option<Timestamp>,
}

/// A whole user.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// Unique in the tenant.
    pub id: UserId,
    /// The tenant's version of the user's last change.
    pub version: Version,
    /// When the user was made.
    pub created_at: Timestamp,
    /// When the user was last changed; never goes backwards.
    pub updated_at: Timestamp,
    /// Known root attributes.
    pub profile: Profile,
    /// Root attributes only the identity provider knows, verbatim.
    pub provider_attributes: Object,
    /// Ways to sign in, the primary one first; never empty.
    pub identities: Vec<Identity>,
    /// What the user may change.
    pub user_metadata: Option<Object>,
    /// What only applications may change.
    pub app_metadata: Option<Object>,
    /// Key/value entries.
    pub entries: Vec<Entry>,
    /// PHC or bcrypt text of the password.
    pub password: Option<String>,
}

impl User {
    /// The identity the user was made with.
    pub fn primary(&self) -> Option<&Identity> {
        self.identities.first()
    }

    /// The name of the primary connection.
    pub fn connection(&self) -> &str {
        self.primary().map_or("", |identity| &identity.connection)
    }
}

/// Shows who it is, never what is kept about them.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("id", &self.id)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_id_has_two_sides_and_no_white_space() {
        for good in ["auth0|1", "auth0|auth0|x", "samlp|corp|jane@example.com", "google-oauth2|é"]
        {
            assert_eq!(UserId::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "auth0", "|x", "auth0|", "auth0|a b", "auth0|a\u{0}b"] {
            assert_eq!(UserId::parse(bad), Err(InvalidUserId), "{bad}");
        }
    }
}
