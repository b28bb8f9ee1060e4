//! What was: images of users, clients and resources at earlier versions, and what can be told from them.
//!
//! An *image* is an object as a change left it, with who asked for the change. Images come newest
//! first. The oldest one kept is a *base*: it says how the object was, but not what that change
//! did, unless it made the object.

use super::change::Provenance;
use super::client::Client;
use super::diff::{self, Difference};
use super::document::Document;
use super::erasure;
use super::json::Object;
use super::metadata::Bag;
use super::resource::{Resource, ResourceKind};
use super::time::{Timestamp, Version};
use std::sync::Arc;

/// Which kind of object has a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A user.
    User,
    /// A client.
    Client,
    /// A resource of this kind. Only a whole tenant goes back to it.
    Resource(Lasting),
}

/// The kinds of resources that have a history: what a tenant is set up with. Images of refresh
/// tokens and jobs would cost more than those of the users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lasting {
    /// [`ResourceKind::Connection`].
    Connection,
    /// [`ResourceKind::ClientGrant`].
    ClientGrant,
    /// [`ResourceKind::ResourceServer`].
    ResourceServer,
    /// [`ResourceKind::Settings`].
    Settings,
}

impl Lasting {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::Connection, Self::ResourceServer, Self::Settings, Self::ClientGrant];

    /// The kind of resource.
    pub const fn kind(self) -> ResourceKind {
        match self {
            Self::Connection => ResourceKind::Connection,
            Self::ClientGrant => ResourceKind::ClientGrant,
            Self::ResourceServer => ResourceKind::ResourceServer,
            Self::Settings => ResourceKind::Settings,
        }
    }

    /// What several are called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Connection => "connections",
            Self::ClientGrant => "client_grants",
            Self::ResourceServer => "resource_servers",
            Self::Settings => "settings",
        }
    }
}

impl Subject {
    /// What a resource counts as; none for kinds without a history, and for marks of erasures.
    pub fn of(resource: &Resource) -> Option<Self> {
        Self::named(resource.kind, &resource.id)
    }

    /// What the resource of a kind with an id counts as.
    pub fn named(kind: ResourceKind, id: &str) -> Option<Self> {
        let kind = Lasting::ALL.into_iter().find(|own| own.kind() == kind)?;
        let is_mark = kind == Lasting::Settings && id.starts_with(erasure::PREFIX);
        (!is_mark).then_some(Self::Resource(kind))
    }
}

/// An object as it was.
#[derive(Clone, Debug)]
pub enum Was {
    /// This user.
    User(Document),
    /// This client.
    Client(Arc<Client>),
    /// This resource, and whether this change is known to have made it.
    Resource {
        /// It.
        resource: Arc<Resource>,
        /// Before it there was none.
        is_made: bool,
    },
    /// It was no more.
    Gone,
    /// It was erased: it was no more, and of what was before nothing is told.
    Erased,
}

/// An object as a change left it.
#[derive(Clone, Debug)]
pub struct Image {
    /// The version of the change.
    pub version: Version,
    /// When it was decided; the epoch where that is not known.
    pub at: Timestamp,
    /// Who asked for it; none for an image that came from a snapshot.
    pub provenance: Option<Provenance>,
    /// The object.
    pub was: Was,
}

impl Image {
    /// Whether the change made the object, so that before it there was none, or left none to be told of.
    pub fn is_making(&self) -> bool {
        match &self.was {
            Was::User(document) => document.made_at() == self.version,
            Was::Client(client) => client.made_at == self.version,
            Was::Resource { is_made, .. } => *is_made,
            Was::Gone => false,
            Was::Erased => true,
        }
    }

    /// The object as v2 shows it, without secrets; none when it was no more.
    pub fn shown(&self) -> Option<String> {
        match &self.was {
            Was::User(document) => Some(document.json().to_owned()),
            Was::Client(client) => Some(client.to_json("", false)),
            Was::Resource { resource, .. } => Some(resource.to_json()),
            Was::Gone | Was::Erased => None,
        }
    }
}

/// What differs between two images; none at all is like one of an object that is no more.
pub fn changes(older: Option<&Image>, newer: Option<&Image>) -> Vec<Difference> {
    let shown = |image: Option<&Image>| image.and_then(Image::shown);
    diff::between(shown(older).as_deref(), shown(newer).as_deref())
}

/// A root key of a bag, and the version that set the value it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyAt {
    /// The bag.
    pub bag: Bag,
    /// The key.
    pub key: String,
    /// The version.
    pub version: Version,
}

/// The bags an object of this kind has.
pub const fn bags(kind: Subject) -> &'static [Bag] {
    match kind {
        Subject::User => &[Bag::User, Bag::App],
        Subject::Client => &[Bag::Client],
        Subject::Resource(_) => &[],
    }
}

/// Every root key of an object's bags with the version that set its value, in their order.
pub fn set_at(was: &Was) -> Vec<KeyAt> {
    let keys = |bag: Bag, object: Option<&Object>, version: &dyn Fn(&str) -> Option<Version>| {
        let keys = object.into_iter().flat_map(Object::keys);
        let at = keys.filter_map(|key| {
            let version = version(&key)?;
            Some(KeyAt { bag, key: key.into_owned(), version })
        });
        at.collect::<Vec<_>>()
    };
    match was {
        Was::User(document) => {
            let user = document.user();
            let mut all = keys(Bag::User, user.user_metadata.as_ref(), &|key| {
                user.key_version(Bag::User, key)
            });
            all.extend(keys(Bag::App, user.app_metadata.as_ref(), &|key| {
                user.key_version(Bag::App, key)
            }));
            all
        }
        Was::Client(client) => {
            let version = |key: &str| Some(client.key_version(key));
            keys(Bag::Client, client.client_metadata.as_ref(), &version)
        }
        Was::Resource { .. } | Was::Gone | Was::Erased => Vec::new(),
    }
}

/// A part of a user or client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A root attribute of a user, a setting of a client.
    Root(String),
    /// A whole bag.
    Bag(Bag),
    /// One root key of a bag.
    Key(Bag, String),
}

/// Root attributes of a user that can be put back.
pub const ATTRIBUTES: [&str; 11] = [
    "blocked",
    "email",
    "email_verified",
    "family_name",
    "given_name",
    "name",
    "nickname",
    "phone_number",
    "phone_verified",
    "picture",
    "username",
];

impl Part {
    /// Reads `name`, `user_metadata` or `user_metadata.hobby`; none for what cannot be put back.
    pub fn parse(kind: Subject, text: &str) -> Option<Self> {
        for bag in bags(kind) {
            let name = bag.to_string();
            if text == name {
                return Some(Self::Bag(*bag));
            }
            let key = text.strip_prefix(&name).and_then(|rest| rest.strip_prefix('.'));
            if let Some(key) = key.filter(|key| !key.is_empty()) {
                return Some(Self::Key(*bag, key.to_owned()));
            }
        }
        let is_known = match kind {
            Subject::User => ATTRIBUTES.contains(&text),
            Subject::Client => !text.is_empty() && !["client_id", "client_secret"].contains(&text),
            Subject::Resource(_) => false,
        };
        is_known.then(|| Self::Root(text.to_owned()))
    }
}

/// What is put back, and how.
#[derive(Clone, Debug)]
pub struct Revert<T> {
    /// The object as it was.
    pub image: T,
    /// The parts that are put back; none = all that can be.
    pub only: Option<Vec<Part>>,
    /// Whether it is made again when it is no more.
    pub makes: bool,
}

/// How much of the past is kept of each object; zero = no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Changes.
    pub versions: usize,
    /// Milliseconds.
    pub age_ms: i64,
    /// Bytes of all its images.
    pub bytes: u64,
}

impl Keep {
    /// How many of the images, newest first as time and size in bytes, are within the limits.
    ///
    /// The newest is what is, and always kept.
    pub fn count(&self, images: impl Iterator<Item = (Timestamp, u64)>, now: Timestamp) -> usize {
        let mut bytes = 0_u64;
        images
            .enumerate()
            .take_while(|(index, (at, size))| {
                bytes = bytes.saturating_add(*size);
                let is_within = (self.versions == 0 || *index < self.versions)
                    && !self.is_over(*at, now)
                    && (self.bytes == 0 || bytes <= self.bytes);
                *index == 0 || is_within
            })
            .count()
    }

    /// Whether what was changed at `at` is older than the limit.
    pub fn is_over(&self, at: Timestamp, now: Timestamp) -> bool {
        self.age_ms > 0 && now.millis().saturating_sub(at.millis()) > self.age_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_an_attribute_a_bag_or_a_key_of_one() {
        let key = |bag, key: &str| Some(Part::Key(bag, key.to_owned()));
        let user = |text| Part::parse(Subject::User, text);
        assert_eq!(user("user_metadata"), Some(Part::Bag(Bag::User)));
        assert_eq!(user("app_metadata.a.b"), key(Bag::App, "a.b"));
        assert_eq!(user("name"), Some(Part::Root("name".to_owned())));
        for text in
            ["", "user_metadata.", "password", "identities", "client_metadata", "user_metadatax"]
        {
            assert_eq!(user(text), None, "{text}");
        }
        let client = |text| Part::parse(Subject::Client, text);
        assert_eq!(client("client_metadata.a"), key(Bag::Client, "a"));
        assert_eq!(client("name"), Some(Part::Root("name".to_owned())));
        assert_eq!(client("client_secret"), None);
    }

    #[track_caller]
    fn check(keep: Keep, images: &[(i64, u64)], now: i64, expected: usize) {
        let images = images.iter().map(|&(at, size)| (Timestamp::from_millis(at), size));
        assert_eq!(keep.count(images, Timestamp::from_millis(now)), expected);
    }

    const ALL: Keep = Keep { versions: 0, age_ms: 0, bytes: 0 };

    #[test]
    fn each_limit_ends_what_is_kept_and_zero_is_none() {
        let images = [(90, 10), (80, 10), (10, 10), (5, 10)];
        check(ALL, &images, 100, 4);
        check(Keep { versions: 3, ..ALL }, &images, 100, 3);
        check(Keep { age_ms: 50, ..ALL }, &images, 100, 2);
        check(Keep { bytes: 25, ..ALL }, &images, 100, 2);
        check(Keep { versions: 3, age_ms: 50, bytes: 10 }, &images, 100, 1);
    }

    #[test]
    fn what_is_now_is_kept_whatever_the_limits_say() {
        check(Keep { versions: 1, age_ms: 1, bytes: 1 }, &[(1, 500), (0, 1)], 100, 1);
        check(ALL, &[], 100, 0);
    }
}
