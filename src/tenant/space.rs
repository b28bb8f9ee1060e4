//! Whether there is space for more than removals.
//!
//! On a full disk the reserve is given back to it ([`crate::store::reserve`]). What that makes room
//! for is a way out, so only what removes something gets into the journal until there is a reserve
//! again.

use super::handle::TenantError;
use crate::domain::change::{Change, Channel, Outcome};
use std::sync::atomic::{AtomicU8, Ordering};

/// Why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortage {
    /// The disk is full, or was and has not room for the reserve yet.
    Disk,
    /// The journal reached its largest size, because snapshots fail.
    Journal,
}

/// Whether there is space, for all tenants of a server. At first there is.
#[derive(Debug, Default)]
pub struct Space(AtomicU8);

impl Space {
    /// Why there is no space for more than removals; none while there is.
    pub fn shortage(&self) -> Option<Shortage> {
        match self.0.load(Ordering::Acquire) {
            0 => None,
            1 => Some(Shortage::Disk),
            _ => Some(Shortage::Journal),
        }
    }

    /// Says how it is from now on.
    pub fn set(&self, shortage: Option<Shortage>) {
        let code = match shortage {
            None => 0,
            Some(Shortage::Disk) => 1,
            Some(Shortage::Journal) => 2,
        };
        self.0.store(code, Ordering::Release);
    }

    /// Refuses what there is no space for.
    pub(super) fn admit(&self, change: &Change) -> Result<(), TenantError> {
        match self.shortage() {
            Some(_) if removes(change) => Ok(()),
            Some(Shortage::Disk) => Err(TenantError::DiskFull),
            Some(Shortage::Journal) => Err(TenantError::JournalFull),
            None => Ok(()),
        }
    }
}

/// Whether what was asked for is a removal. What the server does by itself, as removing keys whose
/// time has come, has been accepted before.
fn removes(change: &Change) -> bool {
    let is_removal = match change.outcomes.first() {
        Some(Outcome::UserGone(_) | Outcome::ClientGone(_) | Outcome::ResourceGone(..)) => true,
        Some(Outcome::User(_) | Outcome::Client(_) | Outcome::Resource(_)) | None => false,
    };
    is_removal || change.provenance.channel == Channel::Server
}
