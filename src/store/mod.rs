//! The bytes of records and snapshots, and the way back from them.
//!
//! [`mod@format`] is the only place that knows bincode. [`snapshot`] writes and reads the
//! dump of one tenant, [`manifest`] names the dumps that count, [`data_dir`] owns the
//! folder. Bytes on disk outlive the code: a released format is never edited.

pub mod data_dir;
pub mod format;
pub mod history;
pub mod manifest;
pub mod reserve;
pub mod restore;
pub mod snapshot;

use std::path::{Path, PathBuf};

/// Why stored bytes cannot be used or kept. Names the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused.
    #[error("{}: {action}: {source}", .path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// The bytes are not what was written.
    #[error("{} is damaged at byte {offset}: {reason}; run `dossier check`", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What is wrong.
        reason: String,
    },
    /// A record or file of a format this build does not know.
    #[error("{} has format {found}, this build reads up to {known}; use a newer dossier", .path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u16,
        /// The newest known one.
        known: u16,
    },
    /// Another process has the folder.
    #[error("{} is in use by another dossier process", .0.display())]
    Locked(PathBuf),
}

impl StoreError {
    /// Wraps what the system said about `path`.
    pub fn io(path: &Path, action: &'static str, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), action, source }
    }
}
