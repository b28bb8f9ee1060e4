//! The keys of the history, all in one keyspace, so that a crash keeps a prefix of all of them.
//!
//! ```text
//! m name                                        what is known of the whole
//! f tenant u64                                  the last version of which an image was let go of
//! r tenant u64                                  since when resources are told of, and whether as a whole
//! t name of a tenant                            its uid
//! c tenant u64 | version u64                    one change: when, and what it touched
//! o tenant u64 | kind u8 | len u16 | id | version u64   one image
//! ```
//!
//! Numbers are big endian, so that keys lie in their order.

use crate::domain::history::{Lasting, Subject};
use crate::domain::time::Version;
use crate::store::format::TenantUid;

const META: u8 = b'm';
const FLOOR: u8 = b'f';
const RESOURCES: u8 = b'r';
const NAME: u8 = b't';
const CHANGE: u8 = b'c';
const OBJECT: u8 = b'o';

/// The number of a kind in a key.
pub(super) const fn number(subject: Subject) -> u8 {
    match subject {
        Subject::User => 1,
        Subject::Client => 2,
        Subject::Resource(Lasting::Connection) => 3,
        Subject::Resource(Lasting::ClientGrant) => 4,
        Subject::Resource(Lasting::ResourceServer) => 5,
        Subject::Resource(Lasting::Settings) => 6,
    }
}

/// The kind with this number.
pub(super) const fn subject(number: u8) -> Option<Subject> {
    match number {
        1 => Some(Subject::User),
        2 => Some(Subject::Client),
        3 => Some(Subject::Resource(Lasting::Connection)),
        4 => Some(Subject::Resource(Lasting::ClientGrant)),
        5 => Some(Subject::Resource(Lasting::ResourceServer)),
        6 => Some(Subject::Resource(Lasting::Settings)),
        _ => None,
    }
}

pub(super) fn meta(name: &str) -> Vec<u8> {
    [&[META], name.as_bytes()].concat()
}

pub(super) fn floor(uid: TenantUid) -> Vec<u8> {
    [[FLOOR].as_slice(), &uid.0.to_be_bytes()].concat()
}

pub(super) fn resources(uid: TenantUid) -> Vec<u8> {
    [[RESOURCES].as_slice(), &uid.0.to_be_bytes()].concat()
}

pub(super) fn tenant_name(name: &str) -> Vec<u8> {
    [&[NAME], name.as_bytes()].concat()
}

/// Every change of every tenant.
pub(super) fn all_changes() -> Vec<u8> {
    vec![CHANGE]
}

/// Every image of every object.
pub(super) fn all_objects() -> Vec<u8> {
    vec![OBJECT]
}

/// Every change of a tenant.
pub(super) fn changes(uid: TenantUid) -> Vec<u8> {
    [[CHANGE].as_slice(), &uid.0.to_be_bytes()].concat()
}

pub(super) fn change(uid: TenantUid, version: Version) -> Vec<u8> {
    let mut key = changes(uid);
    key.extend_from_slice(&version.get().to_be_bytes());
    key
}

/// Every image of every object of a tenant.
pub(super) fn objects(uid: TenantUid) -> Vec<u8> {
    [[OBJECT].as_slice(), &uid.0.to_be_bytes()].concat()
}

/// Every image of an object.
pub(super) fn object(uid: TenantUid, kind: Subject, id: &str) -> Vec<u8> {
    let mut key = objects(uid);
    key.push(number(kind));
    key.extend_from_slice(&u16::try_from(id.len()).unwrap_or(u16::MAX).to_be_bytes());
    key.extend_from_slice(id.as_bytes());
    key
}

pub(super) fn image(uid: TenantUid, kind: Subject, id: &str, version: Version) -> Vec<u8> {
    let mut key = object(uid, kind, id);
    key.extend_from_slice(&version.get().to_be_bytes());
    key
}

/// The tenant in a key of a change or an object.
pub(super) fn tenant_of(key: &[u8]) -> Option<TenantUid> {
    let number = key.get(1..)?.first_chunk()?;
    Some(TenantUid(u64::from_be_bytes(*number)))
}

/// The version at the end of a key of a change or an image.
pub(super) fn version_of(key: &[u8]) -> Option<Version> {
    key.last_chunk().map(|number| Version::new(u64::from_be_bytes(*number)))
}

/// The object in the key of an image.
pub(super) fn object_of(key: &[u8]) -> Option<(TenantUid, Subject, String)> {
    let uid = tenant_of(key)?;
    let (&kind, rest) = key.get(9..)?.split_first()?;
    let id = rest.get(2..rest.len().checked_sub(8)?)?;
    Some((uid, subject(kind)?, str::from_utf8(id).ok()?.to_owned()))
}

/// The first key behind every key that begins with `prefix`.
pub(super) fn behind(prefix: &[u8]) -> Vec<u8> {
    let mut key = prefix.to_vec();
    while let Some(last) = key.pop() {
        if let Some(next) = last.checked_add(1) {
            key.push(next);
            break;
        }
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_comes_back_out_of_its_key() {
        for (kind, id) in [(Subject::User, "auth0|1"), (Subject::Client, ""), (Subject::User, "é")]
        {
            let key = image(TenantUid(7), kind, id, Version::new(9));
            assert_eq!(object_of(&key), Some((TenantUid(7), kind, id.to_owned())));
            assert_eq!(version_of(&key), Some(Version::new(9)));
            assert!(key.starts_with(&object(TenantUid(7), kind, id)));
        }
    }

    #[test]
    fn no_object_lies_among_the_images_of_another() {
        let short = object(TenantUid(1), Subject::User, "a|1");
        let long = image(TenantUid(1), Subject::User, "a|12", Version::new(1));
        assert!(!long.starts_with(&short));
    }

    #[test]
    fn the_key_behind_a_prefix_is_behind_all_of_it() {
        assert_eq!(behind(&[1, 2]), [1, 3]);
        assert_eq!(behind(&[1, 255]), [2]);
        assert!(behind(&[1, 2]) > [1, 2, 255, 255].to_vec());
    }
}
