//! A user as one buffer: the form in which state holds it and readers get it.
//!
//! A document carries the finished v2 profile as JSON text, so a GET copies bytes
//! and nothing else, together with the places of the two metadata bags, the id, and
//! a private part (password, entries, roles, permissions) that no profile shows. One allocation for each
//! user; cloning shares it (PERFORMANCE.md §1.4, §1.5). [`Document::of`] packs a
//! [`User`], [`Document::user`] unpacks one, and each undoes the other.

use super::assignments::Assignments;
use super::entries;
use super::expiry::Expirations;
use super::json::{self, Builder, Elements, Kind, Members, Object};
use super::keys::KeyVersions;
use super::time::{Timestamp, Version};
use super::user::{Identity, Profile, User, UserId};
use bytes::Bytes;
use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};

/// Where a bag's text lies in the profile text, in bytes; empty = no bag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// First byte.
    pub start: u32,
    /// Length.
    pub len: u32,
}

/// What a document is put together from; also what is stored of it.
#[derive(Clone, Copy, Debug)]
pub struct Parts<'a> {
    /// The tenant's version of the user's last change.
    pub version: Version,
    /// When the user was made.
    pub created_at: Timestamp,
    /// When the user was last changed.
    pub updated_at: Timestamp,
    /// The user's id.
    pub id: &'a str,
    /// The v2 profile.
    pub json: &'a str,
    /// Place of `user_metadata` in `json`.
    pub user_metadata: Place,
    /// Place of `app_metadata` in `json`.
    pub app_metadata: Place,
    /// A JSON object of what no profile shows; may be empty text.
    pub private: &'a str,
}

/// What differs when only metadata changes.
#[derive(Debug)]
pub(super) struct Bags<'a> {
    pub(super) version: Version,
    pub(super) updated_at: Timestamp,
    pub(super) user_metadata: Option<&'a Object>,
    pub(super) app_metadata: Option<&'a Object>,
    pub(super) keys: &'a KeyVersions,
    pub(super) expirations: &'a Expirations,
}

/// One user in one shared buffer.
#[derive(Clone)]
pub struct Document(Bytes);

// Layout: eight-byte words first, then four-byte words, little endian, then the texts.
const VERSION: usize = 0;
const CREATED: usize = 8;
const UPDATED: usize = 16;
const ID_LEN: usize = 24;
const JSON_LEN: usize = 28;
const USER_START: usize = 32;
const USER_LEN: usize = 36;
const APP_START: usize = 40;
const APP_LEN: usize = 44;
const HEADER: usize = 48;

impl Document {
    /// Packs a user.
    pub fn of(user: &User) -> Self {
        let mut out = Builder::with_capacity(512);
        write_profile(&mut out, user);
        let user_metadata = write_bag(&mut out, "user_metadata", user.user_metadata.as_ref());
        let app_metadata = write_bag(&mut out, "app_metadata", user.app_metadata.as_ref());
        let json = out.finish();
        let private = write_private(user);
        Self::assemble(&Parts {
            version: user.version,
            created_at: user.created_at,
            updated_at: user.updated_at,
            id: user.id.as_str(),
            json: &json,
            user_metadata,
            app_metadata,
            private: &private,
        })
    }

    /// This document at a later version with other bags; everything else is copied as text.
    ///
    /// The same as unpacking, changing and packing, at a fraction of the cost: most
    /// writes are of metadata alone.
    pub(super) fn with_bags(&self, bags: &Bags<'_>) -> Self {
        let json = self.json();
        let mut out = Builder::with_capacity(json.len() + 64);
        for (key, raw) in Members::of(json) {
            match key {
                "\"updated_at\"" => _ = out.string("updated_at", &bags.updated_at.to_string()),
                "\"user_metadata\"" | "\"app_metadata\"" => {}
                _ => _ = out.member(key, raw),
            }
        }
        let user_metadata = write_bag(&mut out, "user_metadata", bags.user_metadata);
        let app_metadata = write_bag(&mut out, "app_metadata", bags.app_metadata);
        let json = out.finish();
        let mut private = Builder::new();
        for (key, raw) in Members::of(self.parts().private) {
            if !["\"made\"", "\"keys\"", "\"expires\""].contains(&key) {
                private.member(key, raw);
            }
        }
        let known = (bags.keys, bags.expirations);
        let private = finish_private(private, self.made_at(), bags.version, known);
        Self::assemble(&Parts {
            version: bags.version,
            created_at: self.created_at(),
            updated_at: bags.updated_at,
            id: self.id(),
            json: &json,
            user_metadata,
            app_metadata,
            private: &private,
        })
    }

    /// The version that made the user.
    pub fn made_at(&self) -> Version {
        self.private_member("made")
            .and_then(|raw| raw.parse().ok())
            .map_or(self.version(), Version::new)
    }

    /// Which keys changed since the user was made.
    pub fn keys(&self) -> KeyVersions {
        self.private_member("keys").map(KeyVersions::from_json).unwrap_or_default()
    }

    /// Which keys go by themselves, and when.
    pub fn expirations(&self) -> Expirations {
        // Nearly no user has any: one look for the word spares reading the members.
        let private = self.text(self.private_start(), self.0.len());
        if memchr::memmem::find(private.as_bytes(), b"\"expires\":").is_none() {
            return Expirations::default();
        }
        self.private_member("expires").map(Expirations::from_json).unwrap_or_default()
    }

    /// The earliest time at which a key goes by itself.
    pub fn next_expiry(&self) -> Option<Timestamp> {
        self.expirations().next()
    }

    /// Puts a document together from its parts, in one allocation.
    pub fn assemble(parts: &Parts<'_>) -> Self {
        let mut buffer =
            Vec::with_capacity(HEADER + parts.id.len() + parts.json.len() + parts.private.len());
        buffer.extend_from_slice(&parts.version.get().to_le_bytes());
        buffer.extend_from_slice(&parts.created_at.millis().to_le_bytes());
        buffer.extend_from_slice(&parts.updated_at.millis().to_le_bytes());
        for number in [
            length(parts.id.len()),
            length(parts.json.len()),
            parts.user_metadata.start,
            parts.user_metadata.len,
            parts.app_metadata.start,
            parts.app_metadata.len,
        ] {
            buffer.extend_from_slice(&number.to_le_bytes());
        }
        for text in [parts.id, parts.json, parts.private] {
            buffer.extend_from_slice(text.as_bytes());
        }
        Self(Bytes::from(buffer))
    }

    /// The parts of this document.
    pub fn parts(&self) -> Parts<'_> {
        Parts {
            version: self.version(),
            created_at: self.created_at(),
            updated_at: self.updated_at(),
            id: self.id(),
            json: self.json(),
            user_metadata: Place { start: self.word(USER_START), len: self.word(USER_LEN) },
            app_metadata: Place { start: self.word(APP_START), len: self.word(APP_LEN) },
            private: self.text(self.private_start(), self.0.len()),
        }
    }

    /// The tenant's version of the user's last change.
    pub fn version(&self) -> Version {
        Version::new(u64::from_le_bytes(self.long(VERSION)))
    }

    /// When the user was made.
    pub fn created_at(&self) -> Timestamp {
        Timestamp::from_millis(i64::from_le_bytes(self.long(CREATED)))
    }

    /// When the user was last changed.
    pub fn updated_at(&self) -> Timestamp {
        Timestamp::from_millis(i64::from_le_bytes(self.long(UPDATED)))
    }

    /// The user's id.
    pub fn id(&self) -> &str {
        self.text(HEADER, self.json_start())
    }

    /// The v2 profile as JSON text.
    pub fn json(&self) -> &str {
        self.text(self.json_start(), self.private_start())
    }

    /// The v2 profile, sharing this document's buffer.
    pub fn json_bytes(&self) -> Bytes {
        let (start, end) = (self.json_start(), self.private_start());
        if end <= self.0.len() { self.0.slice(start..end) } else { Bytes::new() }
    }

    /// The text of `user_metadata`, if the user has one.
    pub fn user_metadata(&self) -> Option<&str> {
        self.bag(USER_START, USER_LEN)
    }

    /// The text of `app_metadata`, if the user has one.
    pub fn app_metadata(&self) -> Option<&str> {
        self.bag(APP_START, APP_LEN)
    }

    /// The user's key/value entries.
    pub fn entries(&self) -> Vec<entries::Entry> {
        self.private_member("entries").map(entries::from_json).unwrap_or_default()
    }

    /// The user's roles and permissions.
    pub fn assignments(&self) -> Assignments {
        let (roles, permissions) =
            (self.private_member("roles"), self.private_member("permissions"));
        Assignments::from_json(roles, permissions)
    }

    /// The stored form of the user's password.
    pub fn password(&self) -> Option<String> {
        self.private_member("password").map(|raw| json::unquote(raw).into_owned())
    }

    /// The root members of the profile, but for the bags: these stand last, and are the longest.
    pub fn roots(&self) -> Members<'_> {
        let json = self.json();
        let bags = [(USER_START, USER_LEN, "user_metadata"), (APP_START, APP_LEN, "app_metadata")];
        let ends = bags.into_iter().filter(|(_, len, _)| self.word(*len) != 0);
        // `,"name":` comes before the text of a bag.
        let end = ends.map(|(at, _, name)| self.size(at).saturating_sub(name.len() + 4)).min();
        Members::of(end.and_then(|end| json.get(..end)).unwrap_or(json))
    }

    /// The root member `key` of the profile as a string.
    pub fn attribute(&self, key: &str) -> Option<String> {
        self.roots()
            .find(|(quoted, _)| json::unquote(quoted) == key)
            .filter(|(_, raw)| Kind::of(raw) == Kind::String)
            .map(|(_, raw)| json::unquote(raw).into_owned())
    }

    /// The identities as the profile shows them.
    pub fn identities_text(&self) -> &str {
        self.roots().find(|(key, _)| *key == "\"identities\"").map_or("", |(_, raw)| raw)
    }

    /// The ids the user's linked accounts would have as users of their own.
    pub fn linked(&self) -> Vec<UserId> {
        let others = Elements::of(self.identities_text()).skip(1);
        others.map(|raw| read_identity(raw).id()).collect()
    }

    /// Bytes this document takes.
    pub fn size_bytes(&self) -> usize {
        self.0.len()
    }

    /// Unpacks the user.
    pub fn user(&self) -> User {
        let private = Object::trusted(self.parts().private);
        let (profile, provider_attributes, identities) = read_profile(self.json());
        User {
            id: UserId::trusted(self.id()),
            version: self.version(),
            created_at: self.created_at(),
            updated_at: self.updated_at(),
            profile,
            provider_attributes,
            identities,
            user_metadata: self.user_metadata().map(Object::trusted),
            app_metadata: self.app_metadata().map(Object::trusted),
            entries: private.get("entries").map(entries::from_json).unwrap_or_default(),
            assignments: self.assignments(),
            password: private.get_str("password").map(std::borrow::Cow::into_owned),
            made_at: self.made_at(),
            keys: self.keys(),
            expirations: self.expirations(),
        }
    }

    fn private_member(&self, key: &str) -> Option<&str> {
        Members::of(self.text(self.private_start(), self.0.len()))
            .find(|(quoted, _)| json::unquote(quoted) == key)
            .map(|(_, raw)| raw)
    }

    fn long(&self, at: usize) -> [u8; 8] {
        self.0.get(at..).and_then(|rest| rest.first_chunk()).copied().unwrap_or_default()
    }

    fn word(&self, at: usize) -> u32 {
        self.0.get(at..).and_then(|rest| rest.first_chunk()).copied().map_or(0, u32::from_le_bytes)
    }

    fn size(&self, at: usize) -> usize {
        usize::try_from(self.word(at)).unwrap_or(usize::MAX)
    }

    fn json_start(&self) -> usize {
        HEADER.saturating_add(self.size(ID_LEN))
    }

    fn private_start(&self) -> usize {
        self.json_start().saturating_add(self.size(JSON_LEN))
    }

    fn text(&self, start: usize, end: usize) -> &str {
        self.0.get(start..end).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    fn bag(&self, start: usize, len: usize) -> Option<&str> {
        let place = Place { start: self.word(start), len: self.word(len) };
        place.of(self.json())
    }
}

impl Place {
    /// The text at this place, if it is one.
    pub fn of(self, json: &str) -> Option<&str> {
        let start = usize::try_from(self.start).ok()?;
        let len = usize::try_from(self.len).ok()?;
        if len == 0 { None } else { json.get(start..start.checked_add(len)?) }
    }
}

fn length(bytes: usize) -> u32 {
    u32::try_from(bytes).expect("a user is far smaller than 4 GiB: bodies are limited")
}

fn write_bag(out: &mut Builder, name: &str, bag: Option<&Object>) -> Place {
    let Some(bag) = bag else { return Place::default() };
    out.raw(name, bag.as_json());
    let len = bag.as_json().len();
    Place { start: length(out.len() - len), len: length(len) }
}

fn write_private(user: &User) -> String {
    let mut out = Builder::new();
    out.optional("password", user.password.as_deref());
    if !user.entries.is_empty() {
        out.raw("entries", &entries::to_json(&user.entries));
    }
    if let Some(roles) = user.assignments.roles_json() {
        out.raw("roles", &roles);
    }
    if let Some(permissions) = user.assignments.permissions_json() {
        out.raw("permissions", &permissions);
    }
    finish_private(out, user.made_at, user.version, (&user.keys, &user.expirations))
}

/// The private part with what is known of keys; a user at the version that made it says so by silence.
fn finish_private(
    mut out: Builder,
    made_at: Version,
    version: Version,
    (keys, expirations): (&KeyVersions, &Expirations),
) -> String {
    if made_at != version {
        out.raw("made", &made_at.to_string());
    }
    if !keys.is_empty() {
        out.raw("keys", &keys.to_json());
    }
    if !expirations.is_empty() {
        out.raw("expires", &expirations.to_json());
    }
    if out.is_empty() { String::new() } else { out.finish() }
}

/// Writes the root attributes, in alphabetical order as Auth0 does, then the provider's own.
fn write_profile(out: &mut Builder, user: &User) {
    let profile = &user.profile;
    let time = |instant: Timestamp| instant.to_string();
    out.flag("blocked", profile.blocked)
        .string("created_at", &time(user.created_at))
        .optional("email", profile.email.as_deref())
        .flag("email_verified", profile.email_verified)
        .optional("family_name", profile.family_name.as_deref())
        .optional("given_name", profile.given_name.as_deref())
        .raw("identities", &identities_json(&user.identities))
        .optional("last_ip", profile.last_ip.as_deref())
        .optional("last_login", profile.last_login.map(time).as_deref())
        .optional("last_password_reset", profile.last_password_reset.map(time).as_deref());
    if let Some(count) = profile.logins_count {
        out.raw("logins_count", &count.to_string());
    }
    out.optional("name", profile.name.as_deref())
        .optional("nickname", profile.nickname.as_deref())
        .optional("phone_number", profile.phone_number.as_deref())
        .flag("phone_verified", profile.phone_verified)
        .optional("picture", profile.picture.as_deref())
        .string("updated_at", &time(user.updated_at))
        .string("user_id", user.id.as_str())
        .optional("username", profile.username.as_deref());
    for (key, value) in user.provider_attributes.members() {
        out.member(key, value);
    }
}

/// The identities as the JSON array text a profile shows.
pub fn identities_json(identities: &[Identity]) -> String {
    let mut out = String::from("[");
    for identity in identities {
        if out.len() > 1 {
            out.push(',');
        }
        let mut one = Builder::new();
        one.string("connection", &identity.connection)
            .string("user_id", &identity.user_id)
            .string("provider", &identity.provider)
            .flag("isSocial", Some(identity.is_social));
        if let Some(data) = &identity.profile_data {
            one.raw("profileData", data.as_json());
        }
        out.push_str(&one.finish());
    }
    out.push(']');
    out
}

fn read_identity(raw: &str) -> Identity {
    let object = Object::trusted(raw);
    let text = |key: &str| object.get_str(key).unwrap_or_default().into_owned();
    Identity {
        connection: text("connection"),
        provider: text("provider"),
        user_id: text("user_id"),
        is_social: object.get_bool("isSocial").unwrap_or(false),
        profile_data: object.get_object("profileData"),
    }
}

fn read_profile(text: &str) -> (Profile, Object, Vec<Identity>) {
    let mut profile = Profile::default();
    let mut identities = Vec::new();
    let mut others = Builder::new();
    let string = |raw: &str| Some(json::unquote(raw).into_owned());
    let time = |raw: &str| Timestamp::parse(&json::unquote(raw));
    for (key, raw) in Members::of(text) {
        match json::unquote(key).as_ref() {
            "created_at" | "updated_at" | "user_id" | "user_metadata" | "app_metadata" => {}
            "identities" => identities = Elements::of(raw).map(read_identity).collect(),
            "email" => profile.email = string(raw),
            "email_verified" => profile.email_verified = raw.parse().ok(),
            "username" => profile.username = string(raw),
            "phone_number" => profile.phone_number = string(raw),
            "phone_verified" => profile.phone_verified = raw.parse().ok(),
            "name" => profile.name = string(raw),
            "nickname" => profile.nickname = string(raw),
            "given_name" => profile.given_name = string(raw),
            "family_name" => profile.family_name = string(raw),
            "picture" => profile.picture = string(raw),
            "blocked" => profile.blocked = raw.parse().ok(),
            "last_login" => profile.last_login = time(raw),
            "last_ip" => profile.last_ip = string(raw),
            "logins_count" => profile.logins_count = raw.parse().ok(),
            "last_password_reset" => profile.last_password_reset = time(raw),
            _ => _ = others.member(key, raw),
        }
    }
    (profile, others.object(), identities)
}

/// Root members a provider's own attributes may not take, since Dossier says them itself.
pub const KNOWN_MEMBERS: [&str; 21] = [
    "created_at",
    "updated_at",
    "user_id",
    "user_metadata",
    "app_metadata",
    "identities",
    "email",
    "email_verified",
    "username",
    "phone_number",
    "phone_verified",
    "name",
    "nickname",
    "given_name",
    "family_name",
    "picture",
    "blocked",
    "last_login",
    "last_ip",
    "logins_count",
    "last_password_reset",
];

/// Documents are found by their id.
impl Borrow<str> for Document {
    fn borrow(&self) -> &str {
        self.id()
    }
}

impl Hash for Document {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id().hash(state);
    }
}

/// Two documents are the same *user*; compare [`Document::version`] for the same state.
impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Document {}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("id", &self.id())
            .field("version", &self.version())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod tests;
