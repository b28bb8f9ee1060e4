//! Format 1: bincode 1.3.3 with fixed-width integers, little endian.
//!
//! bincode detects no damage and cannot read back `serde_json::Value`, so it is given
//! strings and integers only, always decodes from a slice whose checksum was checked
//! before, and must use up that slice. Released: never edit, add a `v2` beside it.

use super::{Block, FormatError, TenantUid};
use crate::domain::change::{Change, Channel, Outcome, Provenance};
use crate::domain::client::{Client, Secret};
use crate::domain::document::{Document, Parts, Place};
use crate::domain::json::Object;
use crate::domain::keys::KeyVersions;
use crate::domain::resource::{Resource, ResourceKind};
use crate::domain::time::{Timestamp, Version};
use crate::domain::user::UserId;
use bincode::Options;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The first byte of every record and block.
pub(super) const NUMBER: u8 = 1;

#[derive(Serialize, Deserialize)]
struct StoredUser<'a> {
    version: u64,
    created_at: i64,
    updated_at: i64,
    id: &'a str,
    json: &'a str,
    user_metadata: (u32, u32),
    app_metadata: (u32, u32),
    private: &'a str,
}

#[derive(Serialize, Deserialize)]
struct StoredClient<'a> {
    id: &'a str,
    version: u64,
    settings: &'a str,
    client_metadata: Option<&'a str>,
    /// 0 none, 1 plain, 2 hashed.
    secret_kind: u8,
    secret: &'a str,
    is_global: bool,
    made_at: u64,
    keys: String,
}

#[derive(Serialize, Deserialize)]
struct StoredResource<'a> {
    kind: u8,
    id: &'a str,
    version: u64,
    body: &'a str,
}

#[derive(Serialize, Deserialize)]
enum StoredOutcome<'a> {
    #[serde(borrow)]
    User(StoredUser<'a>),
    UserGone(&'a str),
    #[serde(borrow)]
    Client(StoredClient<'a>),
    ClientGone(&'a str),
    #[serde(borrow)]
    Resource(StoredResource<'a>),
    ResourceGone(u8, &'a str),
}

#[derive(Serialize, Deserialize)]
struct StoredChange<'a> {
    tenant: u64,
    version: u64,
    at: i64,
    actor: &'a str,
    client_id: &'a str,
    channel: u8,
    request_id: &'a str,
    reason: Option<&'a str>,
    #[serde(borrow)]
    outcomes: Vec<StoredOutcome<'a>>,
}

#[derive(Serialize, Deserialize)]
struct StoredBlock<'a> {
    #[serde(borrow)]
    users: Vec<StoredUser<'a>>,
    #[serde(borrow)]
    clients: Vec<StoredClient<'a>>,
    #[serde(borrow)]
    resources: Vec<StoredResource<'a>>,
}

/// What `bincode::serialize` writes, but a slice must be used up when it is read.
fn options() -> impl Options {
    bincode::DefaultOptions::new().with_fixint_encoding().reject_trailing_bytes()
}

fn write<T: Serialize>(value: &T) -> Vec<u8> {
    let size = options()
        .serialized_size(value)
        .ok()
        .and_then(|size| usize::try_from(size).ok())
        .unwrap_or(0);
    let mut out = Vec::with_capacity(size + 1);
    out.push(NUMBER);
    options().serialize_into(&mut out, value).expect("strings and integers always serialize");
    out
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, FormatError> {
    options().deserialize(body).map_err(|_| FormatError::Damaged("the record does not decode"))
}

fn place(place: Place) -> (u32, u32) {
    (place.start, place.len)
}

fn stored_user(document: &Document) -> StoredUser<'_> {
    let parts = document.parts();
    StoredUser {
        version: parts.version.get(),
        created_at: parts.created_at.millis(),
        updated_at: parts.updated_at.millis(),
        id: parts.id,
        json: parts.json,
        user_metadata: place(parts.user_metadata),
        app_metadata: place(parts.app_metadata),
        private: parts.private,
    }
}

fn document(user: &StoredUser<'_>) -> Document {
    let place = |(start, len): (u32, u32)| Place { start, len };
    Document::assemble(&Parts {
        version: Version::new(user.version),
        created_at: Timestamp::from_millis(user.created_at),
        updated_at: Timestamp::from_millis(user.updated_at),
        id: user.id,
        json: user.json,
        user_metadata: place(user.user_metadata),
        app_metadata: place(user.app_metadata),
        private: user.private,
    })
}

fn stored_client(client: &Client) -> StoredClient<'_> {
    let (secret_kind, secret) = match &client.secret {
        None => (0, ""),
        Some(Secret::Plain(secret)) => (1, secret.as_str()),
        Some(Secret::Hashed(hash)) => (2, hash.as_str()),
    };
    StoredClient {
        id: &client.id,
        version: client.version.get(),
        settings: client.settings.as_json(),
        client_metadata: client.client_metadata.as_ref().map(Object::as_json),
        secret_kind,
        secret,
        is_global: client.is_global,
        made_at: client.made_at.get(),
        keys: client.keys.to_json(),
    }
}

fn client(stored: &StoredClient<'_>) -> Result<Client, FormatError> {
    let secret = match stored.secret_kind {
        0 => None,
        1 => Some(Secret::Plain(stored.secret.to_owned())),
        2 => Some(Secret::Hashed(stored.secret.to_owned())),
        _ => return Err(FormatError::Damaged("unknown kind of secret")),
    };
    Ok(Client {
        id: stored.id.to_owned(),
        version: Version::new(stored.version),
        settings: Object::trusted(stored.settings),
        client_metadata: stored.client_metadata.map(Object::trusted),
        secret,
        is_global: stored.is_global,
        made_at: Version::new(stored.made_at),
        keys: KeyVersions::from_json(&stored.keys),
    })
}

fn stored_resource(resource: &Resource) -> StoredResource<'_> {
    StoredResource {
        kind: kind_number(resource.kind),
        id: &resource.id,
        version: resource.version.get(),
        body: resource.body.as_json(),
    }
}

fn resource(stored: &StoredResource<'_>) -> Result<Resource, FormatError> {
    Ok(Resource {
        kind: kind(stored.kind)?,
        id: stored.id.to_owned(),
        version: Version::new(stored.version),
        body: Object::trusted(stored.body),
    })
}

fn kind_number(kind: ResourceKind) -> u8 {
    match kind {
        ResourceKind::Connection => 1,
        ResourceKind::ClientGrant => 2,
        ResourceKind::ResourceServer => 3,
        ResourceKind::Settings => 4,
        ResourceKind::RefreshToken => 5,
        ResourceKind::Tenant => 6,
        ResourceKind::Job => 7,
        ResourceKind::Ticket => 8,
        ResourceKind::JobPart => 9,
    }
}

fn kind(number: u8) -> Result<ResourceKind, FormatError> {
    Ok(match number {
        1 => ResourceKind::Connection,
        2 => ResourceKind::ClientGrant,
        3 => ResourceKind::ResourceServer,
        4 => ResourceKind::Settings,
        5 => ResourceKind::RefreshToken,
        6 => ResourceKind::Tenant,
        7 => ResourceKind::Job,
        8 => ResourceKind::Ticket,
        9 => ResourceKind::JobPart,
        _ => return Err(FormatError::Damaged("unknown kind of resource")),
    })
}

fn channel_number(channel: Channel) -> u8 {
    match channel {
        Channel::V2 => 1,
        Channel::KeyValue => 2,
        Channel::V1 => 3,
        Channel::Dossier => 4,
        Channel::Authentication => 5,
        Channel::Job => 6,
        Channel::Server => 7,
    }
}

fn channel(number: u8) -> Result<Channel, FormatError> {
    Ok(match number {
        1 => Channel::V2,
        2 => Channel::KeyValue,
        3 => Channel::V1,
        4 => Channel::Dossier,
        5 => Channel::Authentication,
        6 => Channel::Job,
        7 => Channel::Server,
        _ => return Err(FormatError::Damaged("unknown channel")),
    })
}

fn stored_outcome(outcome: &Outcome) -> StoredOutcome<'_> {
    match outcome {
        Outcome::User(document) => StoredOutcome::User(stored_user(document)),
        Outcome::UserGone(id) => StoredOutcome::UserGone(id.as_str()),
        Outcome::Client(client) => StoredOutcome::Client(stored_client(client)),
        Outcome::ClientGone(id) => StoredOutcome::ClientGone(id),
        Outcome::Resource(resource) => StoredOutcome::Resource(stored_resource(resource)),
        Outcome::ResourceGone(kind, id) => StoredOutcome::ResourceGone(kind_number(*kind), id),
    }
}

fn outcome(stored: &StoredOutcome<'_>) -> Result<Outcome, FormatError> {
    Ok(match stored {
        StoredOutcome::User(user) => Outcome::User(document(user)),
        StoredOutcome::UserGone(id) => Outcome::UserGone(UserId::trusted(id)),
        StoredOutcome::Client(stored) => Outcome::Client(Arc::new(client(stored)?)),
        StoredOutcome::ClientGone(id) => Outcome::ClientGone((*id).to_owned()),
        StoredOutcome::Resource(stored) => Outcome::Resource(Arc::new(resource(stored)?)),
        StoredOutcome::ResourceGone(number, id) => {
            Outcome::ResourceGone(kind(*number)?, (*id).to_owned())
        }
    })
}

pub(super) fn encode_change(uid: TenantUid, change: &Change) -> Vec<u8> {
    let from = &change.provenance;
    write(&StoredChange {
        tenant: uid.0,
        version: change.version.get(),
        at: change.at.millis(),
        actor: &from.actor,
        client_id: &from.client_id,
        channel: channel_number(from.channel),
        request_id: &from.request_id,
        reason: from.reason.as_deref(),
        outcomes: change.outcomes.iter().map(stored_outcome).collect(),
    })
}

/// The first two fields of a change lie at fixed places: integers have a fixed width.
pub(super) fn peek_change(body: &[u8]) -> Result<(TenantUid, Version), FormatError> {
    let (tenant, rest) =
        body.split_first_chunk().ok_or(FormatError::Damaged("a record without tenant"))?;
    let version = rest.first_chunk().ok_or(FormatError::Damaged("a record without version"))?;
    Ok((TenantUid(u64::from_le_bytes(*tenant)), Version::new(u64::from_le_bytes(*version))))
}

pub(super) fn decode_change(body: &[u8]) -> Result<(TenantUid, Change), FormatError> {
    let stored: StoredChange<'_> = read(body)?;
    let change = Change {
        version: Version::new(stored.version),
        at: Timestamp::from_millis(stored.at),
        provenance: Provenance {
            actor: stored.actor.to_owned(),
            client_id: stored.client_id.to_owned(),
            channel: channel(stored.channel)?,
            request_id: stored.request_id.to_owned(),
            reason: stored.reason.map(str::to_owned),
        },
        outcomes: stored.outcomes.iter().map(outcome).collect::<Result<_, _>>()?,
    };
    Ok((TenantUid(stored.tenant), change))
}

pub(super) fn encode_block(
    documents: &[Document],
    clients: &[&Client],
    resources: &[&Resource],
) -> Vec<u8> {
    write(&StoredBlock {
        users: documents.iter().map(stored_user).collect(),
        clients: clients.iter().map(|client| stored_client(client)).collect(),
        resources: resources.iter().map(|resource| stored_resource(resource)).collect(),
    })
}

pub(super) fn decode_block(body: &[u8]) -> Result<Block, FormatError> {
    let stored: StoredBlock<'_> = read(body)?;
    Ok(Block {
        documents: stored.users.iter().map(document).collect(),
        clients: stored.clients.iter().map(client).collect::<Result<_, _>>()?,
        resources: stored.resources.iter().map(resource).collect::<Result<_, _>>()?,
    })
}

#[cfg(test)]
mod tests {
    use super::super::{decode_block, decode_change, encode_block, encode_change};
    use super::*;
    use crate::domain::document::tests::jane;

    fn change() -> Change {
        let client = Client {
            id: "c".to_owned(),
            version: Version::new(3),
            settings: Object::parse(r#"{"name":"Shop"}"#, 8).unwrap(),
            client_metadata: Some(Object::parse(r#"{"a":"b"}"#, 8).unwrap()),
            secret: Some(Secret::Plain("s".to_owned())),
            is_global: false,
            made_at: Version::new(1),
            keys: KeyVersions::default(),
        };
        let resource = Resource {
            kind: ResourceKind::Connection,
            id: "con_1".to_owned(),
            version: Version::new(2),
            body: Object::parse(r#"{"name":"x"}"#, 8).unwrap(),
        };
        Change {
            version: Version::new(9),
            at: Timestamp::from_millis(1),
            provenance: Provenance {
                actor: "me".to_owned(),
                reason: Some("why".to_owned()),
                ..Provenance::default()
            },
            outcomes: vec![
                Outcome::User(Document::of(&jane())),
                Outcome::UserGone(UserId::trusted("auth0|2")),
                Outcome::Client(Arc::new(client)),
                Outcome::ClientGone("d".to_owned()),
                Outcome::Resource(Arc::new(resource)),
                Outcome::ResourceGone(ResourceKind::ClientGrant, "cgr_1".to_owned()),
            ],
        }
    }

    #[test]
    fn a_change_comes_back_as_it_was() {
        let bytes = encode_change(TenantUid(5), &change());
        let (uid, read) = decode_change(&bytes).unwrap();
        assert_eq!(uid, TenantUid(5));
        assert_eq!(format!("{read:?}"), format!("{:?}", change()));
        assert_eq!(encode_change(uid, &read), bytes);
        assert_eq!(read.user().unwrap().user(), jane());
        assert_eq!(super::super::peek_change(&bytes).unwrap(), (uid, read.version));
    }

    #[test]
    fn a_cut_or_lengthened_record_is_refused() {
        let bytes = encode_change(TenantUid(5), &change());
        for end in 0..bytes.len() {
            assert!(decode_change(&bytes[..end]).is_err(), "{end}");
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert!(decode_change(&longer).is_err());
    }

    #[test]
    fn another_format_is_refused_by_number() {
        assert_eq!(decode_change(&[9, 1, 2]).unwrap_err(), FormatError::UnknownFormat(9));
        assert_eq!(decode_block(&[2]).unwrap_err(), FormatError::UnknownFormat(2));
    }

    #[test]
    fn hostile_lengths_cost_no_memory() {
        let mut bytes = vec![NUMBER];
        bytes.extend_from_slice(&u64::MAX.to_le_bytes());
        assert!(decode_block(&bytes).is_err());
    }

    #[test]
    fn a_block_comes_back_as_it_was() {
        let documents = vec![Document::of(&jane())];
        let bytes = encode_block(&documents, &[], &[]);
        assert_eq!(decode_block(&bytes).unwrap().documents[0].user(), jane());
    }
}
