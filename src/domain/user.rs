//! A user: who someone is, how they sign in, and what is kept about them.

use super::assignments::Assignments;
use super::condition::{self, ChangedKey};
use super::document::identities_json;
use super::entries::Entry;
use super::expiry::Expirations;
use super::json::{self, Object};
use super::keys::{KeyVersions, path_of};
use super::metadata::Bag;
use super::time::{Timestamp, Version};
use std::collections::BTreeMap;
use std::fmt;

/// A user's identifier, `<provider>|<id>`: unique in its tenant.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserId(Box<str>);

impl std::borrow::Borrow<str> for UserId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

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

impl Identity {
    /// The id a user has whose account this alone is.
    pub fn id(&self) -> UserId {
        UserId::trusted(&format!("{}|{}", self.provider, self.user_id))
    }
}

/// The path under which a sign-in is noted, for all the attributes it changes.
const SIGN_IN: &str = "last_login";

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

impl Profile {
    /// The attributes that have a value, by name, as JSON text. Sign-ins are no change of a profile.
    pub fn members(&self) -> Vec<(String, String)> {
        let texts = [
            ("email", &self.email),
            ("username", &self.username),
            ("phone_number", &self.phone_number),
            ("name", &self.name),
            ("nickname", &self.nickname),
            ("given_name", &self.given_name),
            ("family_name", &self.family_name),
            ("picture", &self.picture),
        ];
        let flags = [
            ("email_verified", self.email_verified),
            ("phone_verified", self.phone_verified),
            ("blocked", self.blocked),
        ];
        let texts = texts
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), json::quoted(value.as_ref()?))));
        let flags = flags
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?.to_string())));
        texts.chain(flags).collect()
    }

    /// What every sign-in changes, by name, as JSON text.
    fn sign_ins(&self) -> Vec<(String, String)> {
        let time = self.last_login.map(|at| json::quoted(&at.to_string()));
        let ip = self.last_ip.as_deref().map(json::quoted);
        let count = self.logins_count.map(|count| count.to_string());
        [(SIGN_IN, time), ("last_ip", ip), ("logins_count", count)]
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)))
            .collect()
    }
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
    /// Roles and permissions.
    pub assignments: Assignments,
    /// PHC or bcrypt text of the password.
    pub password: Option<String>,
    /// The tenant's version that made the user.
    pub made_at: Version,
    /// Which keys changed since then, and when.
    pub keys: KeyVersions,
    /// Which keys go by themselves, and when.
    pub expirations: Expirations,
}

impl User {
    /// The version that last changed a key of a bag; none when there is no such key.
    pub fn key_version(&self, bag: Bag, key: &str) -> Option<Version> {
        let object = match bag {
            Bag::User => self.user_metadata.as_ref(),
            Bag::App => self.app_metadata.as_ref(),
            Bag::Client | Bag::Connection => None,
        };
        object?.get(key)?;
        Some(self.keys.get(&path_of(bag, key)).unwrap_or(self.made_at))
    }

    /// The version that last changed a key of a bag; a bag that is not there counts as empty.
    pub fn bag_version(&self, bag: Bag) -> Version {
        self.keys.latest(bag).unwrap_or(self.made_at)
    }

    /// What changed since a version, with the values of now where the profile shows them.
    pub fn changed_since(&self, seen: Version) -> Vec<ChangedKey> {
        let values: BTreeMap<String, &str> =
            condition::paths(Bag::User, self.user_metadata.as_ref().map(Object::as_json))
                .chain(condition::paths(Bag::App, self.app_metadata.as_ref().map(Object::as_json)))
                .collect();
        let (roots, signs) = (self.roots(), self.profile.sign_ins());
        let value_of = |path: &str| {
            let in_bags = values.get(path).map(|raw| (*raw).to_owned());
            let mut others = roots.iter().chain(&signs);
            in_bags.or_else(|| others.find(|(own, _)| own == path).map(|(_, raw)| raw.clone()))
        };
        let changed = |path: &str, version| ChangedKey {
            path: path.to_owned(),
            version,
            value: value_of(path),
        };
        let noted = self.keys.iter().filter(|(_, version)| *version > seen);
        let mut all: BTreeMap<&str, ChangedKey> = BTreeMap::new();
        if seen < self.made_at {
            // What the caller saw, if anything, was somebody else under the same id.
            let paths = values.keys().chain(roots.iter().chain(&signs).map(|(path, _)| path));
            all.extend(paths.map(|path| (path.as_str(), changed(path, self.made_at))));
        }
        for (path, version) in noted {
            let paths = signs.iter().map(|(path, _)| path.as_str()).filter(|_| path == SIGN_IN);
            all.extend(paths.chain([path]).map(|path| (path, changed(path, version))));
        }
        all.into_values().collect()
    }

    /// The root attributes as JSON text, but for those of sign-ins and times of changes.
    fn roots(&self) -> Vec<(String, String)> {
        let mut roots = self.profile.members();
        if let Some(reset) = self.profile.last_password_reset {
            roots.push(("last_password_reset".to_owned(), json::quoted(&reset.to_string())));
        }
        roots.push(("identities".to_owned(), identities_json(&self.identities)));
        // A provider may call an attribute whatever it likes, also like a key of a bag.
        let is_key = |name: &str| {
            [Bag::User, Bag::App].into_iter().any(|bag| name.starts_with(&path_of(bag, "")))
        };
        let own = self.provider_attributes.members();
        let own = own.map(|(key, raw)| (json::unquote(key).into_owned(), raw.to_owned()));
        roots.extend(own.filter(|(name, _)| !is_key(name)));
        roots
    }

    /// Notes which keys differ from an earlier state of this user.
    pub(super) fn note_changes(&mut self, before: &Self, version: Version) {
        let has_moved = self.profile != before.profile
            || self.identities != before.identities
            || self.provider_attributes != before.provider_attributes;
        if has_moved {
            let (old, new) = (before.roots(), self.roots());
            self.keys.note(
                old.iter().map(|(path, raw)| (path.clone(), raw.as_str())),
                new.iter().map(|(path, raw)| (path.clone(), raw.as_str())),
                version,
            );
        }
        for (path, is_changed) in [
            (SIGN_IN, self.profile.sign_ins() != before.profile.sign_ins()),
            ("password", self.password != before.password),
            ("metadata", self.entries != before.entries),
            ("roles", self.assignments.roles_json() != before.assignments.roles_json()),
            (
                "permissions",
                self.assignments.permissions_json() != before.assignments.permissions_json(),
            ),
        ] {
            if is_changed {
                self.keys.touch(path, version);
            }
        }
        let bags = [
            (Bag::User, &before.user_metadata, &self.user_metadata),
            (Bag::App, &before.app_metadata, &self.app_metadata),
        ];
        for (bag, old, new) in bags {
            if old != new {
                let (old, new) =
                    (old.as_ref().map(Object::as_json), new.as_ref().map(Object::as_json));
                self.keys.note_bag(bag, old, new, version);
            }
        }
    }

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
