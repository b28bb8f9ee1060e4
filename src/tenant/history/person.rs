//! What the past knows of one user besides single changes.

use super::look::Look;
use crate::domain::erasure;
use crate::domain::history::{Subject, Was};
use crate::domain::time::Version;
use crate::domain::user::UserId;
use crate::store::history::HistoryError;
use std::collections::BTreeSet;

/// What there is to erase in the past.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traces {
    /// Whether anything but an erasure is known of the user.
    pub is_known: bool,
    /// Accounts that were ever linked to them.
    pub linked: Vec<UserId>,
}

impl Look {
    /// What the past knows of a user, beyond every limit: what is not told any more may be there yet.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn traces(&self, id: &UserId) -> Result<Traces, HistoryError> {
        let (mut is_known, mut linked) = (false, BTreeSet::new());
        let last = Version::new(u64::MAX);
        for found in self.store.images(self.uid, Subject::User, id.as_str(), last) {
            match found?.0.was {
                Was::User(document) => {
                    is_known = true;
                    linked.extend(erasure::linked(&document));
                }
                Was::Gone | Was::Client(_) | Was::Resource { .. } => is_known = true,
                Was::Erased => {}
            }
        }
        Ok(Traces { is_known, linked: linked.into_iter().collect() })
    }
}
