//! Access tokens: signing them, and saying who is behind one.
//!
//! A token is a JWT signed with RS256 by a key of this server. Its key id names
//! the key *and* the tenant, so a token of one tenant has an unknown key at every
//! other. Nothing in a token says how it is to be checked: the algorithm is fixed,
//! keys come from our own ring, and time is an argument.

mod cache;
mod claims;
mod keyring;

#[cfg(test)]
mod attacks;

pub use cache::{LastToken, TokenCache, Verified};
pub(super) use claims::never_null;
pub use claims::{Audience, Claims, Expect};
pub use keyring::{InvalidKey, KeyRing, SigningKey};

/// The longest token that is looked at.
pub const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// The tenant a token is signed for or shown to.
///
/// Both are part of the key id: a tenant that was deleted and made again under
/// the same name has another `uid`, so old tokens do not open it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenTenant<'a> {
    /// The number this tenant got when it was made, never given out twice.
    pub uid: u64,
    /// Its name.
    pub id: &'a str,
}

/// Why a token was not accepted. No message says anything of what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum TokenError {
    /// It is not three parts with dots between them.
    #[error("the token is not three parts with dots between them")]
    Malformed,
    /// It is longer than [`MAX_TOKEN_BYTES`].
    #[error("the token is longer than {MAX_TOKEN_BYTES} bytes")]
    TooLarge,
    /// Its header or signature is not one of ours for this tenant.
    #[error("the token is not signed with RS256 by a key of this tenant")]
    Signature,
    /// It is over.
    #[error("the token has expired")]
    Expired,
    /// It begins later.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// It was issued under another name than this tenant's.
    #[error("the token was issued by somebody else")]
    WrongIssuer,
    /// It was issued for another API.
    #[error("the token is meant for another audience")]
    WrongAudience,
    /// It is signed, but its claims are not what an access token has.
    #[error("the token is signed but its claims cannot be used: {0}")]
    Invalid(&'static str),
}

/// Reads one JSON object. A derived reader would take an array in the order of the
/// fields as well, which no other reader of the same token would.
fn read_object<T: serde::de::DeserializeOwned>(json: &[u8]) -> serde_json::Result<T> {
    match json.trim_ascii_start().first() {
        Some(b'[') => Err(serde::de::Error::custom("an object is wanted, not an array")),
        Some(_) | None => serde_json::from_slice(json),
    }
}
