//! What was: images of users and clients at earlier versions, and what can be told from them.
//!
//! An *image* is an object as a change left it, with who asked for the change. Images come newest
//! first. The oldest one kept is a *base*: it says how the object was, but not what that change
//! did, unless it made the object.

use super::change::Provenance;
use super::client::Client;
use super::diff::{self, Difference};
use super::document::Document;
use super::time::{Timestamp, Version};
use std::sync::Arc;

/// Which kind of object has a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// A user.
    User,
    /// A client.
    Client,
}

/// An object as it was.
#[derive(Clone, Debug)]
pub enum Was {
    /// This user.
    User(Document),
    /// This client.
    Client(Arc<Client>),
    /// It was no more.
    Gone,
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
    /// Whether the change made the object, so that before it there was none.
    pub fn is_making(&self) -> bool {
        match &self.was {
            Was::User(document) => document.made_at() == self.version,
            Was::Client(client) => client.made_at == self.version,
            Was::Gone => false,
        }
    }

    /// The object as v2 shows it, without secrets; none when it was no more.
    pub fn shown(&self) -> Option<String> {
        match &self.was {
            Was::User(document) => Some(document.json().to_owned()),
            Was::Client(client) => Some(client.to_json("", false)),
            Was::Gone => None,
        }
    }
}

/// What differs between two images; none at all is like one of an object that is no more.
pub fn changes(older: Option<&Image>, newer: Option<&Image>) -> Vec<Difference> {
    let shown = |image: Option<&Image>| image.and_then(Image::shown);
    diff::between(shown(older).as_deref(), shown(newer).as_deref())
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
