//! The values of the history.
//!
//! ```text
//! image:  kind u8 | at i64 | record      (kind 0: from a snapshot, nobody knows who; 1: by a change;
//!                                         2: erased by a change; 3: by the change that made it)
//! change: at i64 | (kind u8 | len u16 | id)*
//! ```
//!
//! The record is a change of its own with this one object (`store/format`), so whatever the
//! journal can say is said here in the same bytes. Numbers are big endian.

use super::keys;
use crate::domain::change::{Change, Outcome, Provenance};
use crate::domain::client::Client;
use crate::domain::document::Document;
use crate::domain::history::{Image, Subject, Was};
use crate::domain::resource::Resource;
use crate::domain::time::{Timestamp, Version};
use crate::domain::user::UserId;
use crate::store::format::{self, FormatError, TenantUid};
use std::sync::Arc;

const FROM_SNAPSHOT: u8 = 0;
const BY_CHANGE: u8 = 1;
const ERASED: u8 = 2;
const MADE: u8 = 3;
const HEAD_BYTES: usize = 9;

/// What a change did to an object that has a history.
pub(super) fn subject_of(outcome: &Outcome) -> Option<(Subject, &str)> {
    match outcome {
        Outcome::User(document) => Some((Subject::User, document.id())),
        Outcome::UserGone(id) => Some((Subject::User, id.as_str())),
        Outcome::Client(client) => Some((Subject::Client, &client.id)),
        Outcome::ClientGone(id) => Some((Subject::Client, id)),
        Outcome::Resource(resource) => Some((Subject::of(resource)?, &resource.id)),
        Outcome::ResourceGone(kind, id) => Some((Subject::named(*kind, id)?, id)),
    }
}

/// The image a change leaves of one of its outcomes. `record` is the change in the journal, which
/// is taken as it is where it has no other outcome.
pub(super) fn image(
    uid: TenantUid,
    change: &Change,
    (outcome, is_made): (&Outcome, bool),
    record: &[u8],
) -> Vec<u8> {
    let kind = if is_made { MADE } else { BY_CHANGE };
    let mut value = head(kind, change.at, record.len());
    if change.outcomes.len() == 1 {
        value.extend_from_slice(record);
    } else {
        let outcomes = vec![outcome.clone()];
        let own = Change { provenance: change.provenance.clone(), outcomes, ..*change };
        value.extend_from_slice(&format::encode_change(uid, &own));
    }
    value
}

/// What is left of a user a change erased: when, and who asked for it.
pub(super) fn tombstone(uid: TenantUid, change: &Change, id: &str) -> Vec<u8> {
    let outcomes = vec![Outcome::UserGone(UserId::trusted(id))];
    let own = Change { provenance: change.provenance.clone(), outcomes, ..*change };
    let record = format::encode_change(uid, &own);
    let mut value = head(ERASED, change.at, record.len());
    value.extend_from_slice(&record);
    value
}

/// The image of an object as a snapshot has it.
pub(super) fn base(uid: TenantUid, version: Version, at: Timestamp, outcome: Outcome) -> Vec<u8> {
    let provenance = Provenance::default();
    let change = Change { version, at, provenance, outcomes: vec![outcome] };
    let record = format::encode_change(uid, &change);
    let mut value = head(FROM_SNAPSHOT, at, record.len());
    value.extend_from_slice(&record);
    value
}

/// The image of a user in a snapshot.
pub(super) fn base_of_user(uid: TenantUid, document: &Document) -> Vec<u8> {
    base(uid, document.version(), document.updated_at(), Outcome::User(document.clone()))
}

/// The image of a client in a snapshot, which does not tell the time.
pub(super) fn base_of_client(uid: TenantUid, client: &Client) -> Vec<u8> {
    let outcome = Outcome::Client(Arc::new(client.clone()));
    base(uid, client.version, Timestamp::default(), outcome)
}

/// The image of a resource in a snapshot, which does not tell the time either.
pub(super) fn base_of_resource(uid: TenantUid, resource: &Resource) -> Vec<u8> {
    let outcome = Outcome::Resource(Arc::new(resource.clone()));
    base(uid, resource.version, Timestamp::default(), outcome)
}

fn head(kind: u8, at: Timestamp, record_bytes: usize) -> Vec<u8> {
    let mut value = Vec::with_capacity(HEAD_BYTES + record_bytes);
    value.push(kind);
    value.extend_from_slice(&at.millis().to_be_bytes());
    value
}

/// When an image was made, without reading the rest.
pub(super) fn time_of_image(value: &[u8]) -> Option<Timestamp> {
    value.get(1..).and_then(time_of_change)
}

/// When a change was made, without reading the rest.
pub(super) fn time_of_change(value: &[u8]) -> Option<Timestamp> {
    value.first_chunk().map(|millis| Timestamp::from_millis(i64::from_be_bytes(*millis)))
}

/// Reads an image.
pub(super) fn read_image(value: &[u8]) -> Result<Image, FormatError> {
    let (&kind, _) = value.split_first().ok_or(FormatError::Damaged("empty image"))?;
    let record = value.get(HEAD_BYTES..).ok_or(FormatError::Damaged("cut image"))?;
    let (_, change) = format::decode_change(record)?;
    let provenance = match kind {
        FROM_SNAPSHOT => None,
        BY_CHANGE | ERASED | MADE => Some(change.provenance),
        _ => return Err(FormatError::Damaged("unknown kind of image")),
    };
    let was = match change.outcomes.into_iter().next() {
        Some(Outcome::User(document)) => Was::User(document),
        Some(Outcome::Client(client)) => Was::Client(client),
        Some(Outcome::UserGone(_)) if kind == ERASED => Was::Erased,
        Some(Outcome::Resource(resource)) => Was::Resource { resource, is_made: kind == MADE },
        Some(Outcome::UserGone(_) | Outcome::ClientGone(_) | Outcome::ResourceGone(..)) => {
            Was::Gone
        }
        None => return Err(FormatError::Damaged("an image of nothing")),
    };
    Ok(Image { version: change.version, at: change.at, provenance, was })
}

/// What a change touched.
pub(super) fn change(change: &Change) -> Vec<u8> {
    let mut value = change.at.millis().to_be_bytes().to_vec();
    for (kind, id) in change.outcomes.iter().filter_map(subject_of) {
        value.push(keys::number(kind));
        value.extend_from_slice(&u16::try_from(id.len()).unwrap_or(u16::MAX).to_be_bytes());
        value.extend_from_slice(id.as_bytes());
    }
    value
}

/// Reads what a change touched.
pub(super) fn read_change(value: &[u8]) -> Option<(Timestamp, Vec<(Subject, String)>)> {
    let at = time_of_change(value)?;
    let (mut rest, mut touched) = (value.get(8..)?, Vec::new());
    while let Some((&kind, more)) = rest.split_first() {
        let (len, more) = more.split_first_chunk()?;
        let (id, more) = more.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
        touched.push((keys::subject(kind)?, str::from_utf8(id).ok()?.to_owned()));
        rest = more;
    }
    Some((at, touched))
}
