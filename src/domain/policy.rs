//! The limits and habits of one tenant, as its configuration sets them.

use super::history::Keep;

/// How a tenant takes what the seed documents and Auth0's schema see differently (CONTRACT.md §10).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compat {
    /// Takes the seed's spellings and shapes beside Auth0's.
    #[default]
    Lenient,
    /// Takes what Auth0's schema takes and nothing else.
    Strict,
}

/// Whether client secrets can be read again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecretStorage {
    /// As Auth0: readable with `read:client_keys`.
    #[default]
    Plain,
    /// Shown once when made, kept as a hash.
    Hashed,
}

/// What commands are checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Bytes of compact JSON one `user_metadata` may take.
    pub user_metadata_bytes: usize,
    /// Bytes of compact JSON one `app_metadata` may take.
    pub app_metadata_bytes: usize,
    /// Levels a JSON body may nest.
    pub depth: usize,
    /// Keys one `client_metadata` may hold, after the merge.
    pub client_metadata_keys: usize,
    /// Characters of a key or value of `client_metadata`.
    pub client_metadata_chars: usize,
    /// Whether metadata keys with `.` or `$` are refused.
    pub strict_keys: bool,
    /// Key/value entries one user may hold.
    pub entries_per_user: usize,
    /// Users one tenant may hold; 0 = no limit.
    pub users_per_tenant: usize,
    /// Lenient or strict.
    pub compat: Compat,
    /// How client secrets are kept.
    pub secrets: SecretStorage,
    /// How much of the past is kept.
    pub keep: Keep,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            user_metadata_bytes: 1 << 20,
            app_metadata_bytes: 1 << 20,
            depth: 64,
            client_metadata_keys: 10,
            client_metadata_chars: 255,
            strict_keys: true,
            entries_per_user: 1000,
            users_per_tenant: 0,
            compat: Compat::Lenient,
            secrets: SecretStorage::Plain,
            keep: Keep { versions: 100, age_ms: 90 * 24 * 3_600_000, bytes: 256 << 10 },
        }
    }
}
