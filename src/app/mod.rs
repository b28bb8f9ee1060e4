//! Opens, recovers, starts, binds, stops.

pub mod banner;
mod certificate;
pub mod check;
pub mod clock;
pub mod declare;
mod descriptors;
mod expire;
pub mod keys;
mod listen;
pub mod logging;
pub mod memory;
pub mod open;
pub mod operate;
pub mod point_in_time;
pub mod private_files;
pub mod serve;
mod space;
pub mod tls;

use crate::config;
use crate::journal::JournalError;
use crate::store::StoreError;
use crate::tenant::{DirectoryError, RestoreError, TenantError};
use std::path::PathBuf;

/// Why the server does not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The settings are not usable.
    #[error("{0}")]
    Config(config::Errors),
    /// The data directory is not usable.
    #[error("data directory: {0}")]
    DataDir(StoreError),
    /// The journal is not usable.
    #[error("journal: {0}")]
    Journal(#[from] JournalError),
    /// Something acknowledged would be missing.
    #[error("restore: {0}")]
    Restore(#[from] RestoreError),
    /// The signing keys are not usable.
    #[error("signing keys: {0}")]
    Keys(#[from] keys::KeysError),
    /// The certificate is not usable.
    #[error("TLS: {0}")]
    Tls(#[from] tls::TlsError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A declared tenant could not be made.
    #[error("tenant {id}: {source}")]
    Declare {
        /// Which.
        id: String,
        /// Why.
        source: DirectoryError,
    },
    /// A first write failed.
    #[error("the first write failed: {0}")]
    Write(#[from] TenantError),
    /// A file could not be written.
    #[error("{}: {source}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The server ended with an error.
    #[error("the server stopped: {0}")]
    Server(std::io::Error),
    /// A write or sync of the journal failed, and the settings say to end then.
    #[error("a write or sync of the journal failed ({0}), and journal.on_io_error is \"exit\"")]
    DiskFailed(String),
    /// Test endpoints beyond this machine.
    #[error(
        "test.enabled gives everybody who can reach the server full control, and server.listen is {0}: \
         listen on 127.0.0.1 or switch test.enabled off"
    )]
    TestBeyondLoopback(String),
}

impl AppError {
    /// The exit code (UX.md §2.2).
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::TestBeyondLoopback(_) => 3,
            Self::DataDir(StoreError::Locked(_) | StoreError::Io { .. }) => 4,
            Self::DataDir(StoreError::Damaged { .. } | StoreError::Newer { .. })
            | Self::Journal(_)
            | Self::Restore(_)
            | Self::Keys(_)
            | Self::Tls(tls::TlsError::Ca { .. }) => 5,
            Self::Bind { .. } => 6,
            Self::Tls(_)
            | Self::Declare { .. }
            | Self::Write(_)
            | Self::File { .. }
            | Self::Server(_)
            | Self::DiskFailed(_) => 1,
        }
    }
}
