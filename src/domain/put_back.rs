//! Many objects at once as they were, or as another tenant has them: what a restore to a point in
//! time and a fork ask of a tenant.

use super::client::Client;
use super::document::Document;
use super::resource::{Resource, ResourceKind};
use super::user::UserId;
use std::sync::Arc;

/// Objects that become so, and objects that go, in one change.
///
/// Unlike a [`Revert`](super::history::Revert) everything of an image counts, what signs somebody
/// in included: it is the state of another moment, not a choice of parts. No limit of today is
/// asked, for the state as a whole was good when it was.
#[derive(Clone, Debug, Default)]
pub struct PutBack {
    /// Users as they become.
    pub users: Vec<Document>,
    /// Users that go.
    pub users_gone: Vec<UserId>,
    /// Clients as they become.
    pub clients: Vec<Arc<Client>>,
    /// Clients that go, with what they were granted; the global client stays.
    pub clients_gone: Vec<String>,
    /// Resources as they become.
    pub resources: Vec<Arc<Resource>>,
    /// Resources that go; what belongs to the system stays.
    pub resources_gone: Vec<(ResourceKind, String)>,
}

/// Bytes of objects in one change: far below what a record may take.
const MOST_BYTES: usize = 256 << 10;

/// Objects in one change.
const MOST_OBJECTS: usize = 256;

impl PutBack {
    /// Whether it asks for nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it is time to begin another.
    pub fn is_full(&self) -> bool {
        self.len() >= MOST_OBJECTS || self.size_bytes() >= MOST_BYTES
    }

    fn len(&self) -> usize {
        self.users.len()
            + self.users_gone.len()
            + self.clients.len()
            + self.clients_gone.len()
            + self.resources.len()
            + self.resources_gone.len()
    }

    fn size_bytes(&self) -> usize {
        let users = self
            .users
            .iter()
            .map(|user| user.parts())
            .map(|parts| parts.json.len() + parts.private.len());
        let clients = self.clients.iter().map(|client| client.settings.as_json().len());
        let resources = self.resources.iter().map(|resource| resource.body.as_json().len());
        users.chain(clients).chain(resources).sum()
    }
}
