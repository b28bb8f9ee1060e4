//! Stored forms. Each record begins with the number of its format.

mod v1;

use crate::domain::change::Change;
use crate::domain::client::Client;
use crate::domain::document::Document;
use crate::domain::resource::Resource;
use crate::domain::time::Version;

/// The number of a tenant's incarnation: two tenants of one name, made one after the
/// other, never share it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantUid(pub u64);

impl TenantUid {
    /// The default tenant.
    pub const DEFAULT: Self = Self(0);
}

impl std::fmt::Display for TenantUid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Bytes that are no record of a known format.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// A format this build does not know.
    #[error("record format {0} is not known to this build")]
    UnknownFormat(u8),
    /// Not what was written.
    #[error("not a record: {0}")]
    Damaged(&'static str),
}

/// The bytes of a change of the tenant `uid`.
pub fn encode_change(uid: TenantUid, change: &Change) -> Vec<u8> {
    v1::encode_change(uid, change)
}

/// The change in a record, and whose it is.
///
/// # Errors
/// [`FormatError`] when the bytes are of another format or damaged.
pub fn decode_change(bytes: &[u8]) -> Result<(TenantUid, Change), FormatError> {
    match bytes.split_first() {
        Some((&v1::NUMBER, body)) => v1::decode_change(body),
        Some((&other, _)) => Err(FormatError::UnknownFormat(other)),
        None => Err(FormatError::Damaged("empty record")),
    }
}

/// Whose change a record is and which version it makes, without reading the rest.
///
/// # Errors
/// [`FormatError`] when the bytes are of another format or cut short.
pub fn peek_change(bytes: &[u8]) -> Result<(TenantUid, Version), FormatError> {
    match bytes.split_first() {
        Some((&v1::NUMBER, body)) => v1::peek_change(body),
        Some((&other, _)) => Err(FormatError::UnknownFormat(other)),
        None => Err(FormatError::Damaged("empty record")),
    }
}

/// What a block of a snapshot holds.
#[derive(Debug, Default)]
pub struct Block {
    /// Users.
    pub documents: Vec<Document>,
    /// Clients.
    pub clients: Vec<Client>,
    /// Resources.
    pub resources: Vec<Resource>,
}

/// The bytes of a snapshot block.
pub fn encode_block(
    documents: &[Document],
    clients: &[&Client],
    resources: &[&Resource],
) -> Vec<u8> {
    v1::encode_block(documents, clients, resources)
}

/// The contents of a snapshot block.
///
/// # Errors
/// [`FormatError`] when the bytes are of another format or damaged.
pub fn decode_block(bytes: &[u8]) -> Result<Block, FormatError> {
    match bytes.split_first() {
        Some((&v1::NUMBER, body)) => v1::decode_block(body),
        Some((&other, _)) => Err(FormatError::UnknownFormat(other)),
        None => Err(FormatError::Damaged("empty block")),
    }
}
