//! What readers see: the durable state of one tenant.
//!
//! Only the tenant's actor writes here, in journal order; HTTP workers read without
//! asking it. The documents in this map *are* the state, not a copy of it.

use super::expiring::Expiring;
use crate::domain::client::Client;
use crate::domain::document::Document;
use crate::domain::resource::{Connection, Resource, ResourceKind};
use crate::domain::time::Version;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::Notify;

/// The place of a user in the tenant's order of creation.
pub(super) type Slot = u32;

/// The durable state of one tenant.
#[derive(Debug, Default)]
pub struct Published {
    users: DashMap<Document, Slot>,
    clients: RwLock<BTreeMap<String, Arc<Client>>>,
    resources: RwLock<BTreeMap<(ResourceKind, String), Arc<Resource>>>,
    version: AtomicU64,
    moved: Notify,
    expiring: Expiring,
}

impl Published {
    /// The user with this id.
    pub fn user(&self, id: &str) -> Option<Document> {
        self.users.get(id).map(|found| found.key().clone())
    }

    /// How many users there are.
    pub fn user_count(&self) -> usize {
        self.users.len()
    }

    /// The client with this id.
    pub fn client(&self, id: &str) -> Option<Arc<Client>> {
        self.clients.read().unwrap_or_else(PoisonError::into_inner).get(id).cloned()
    }

    /// All clients, in the order of their ids.
    pub fn clients(&self) -> Vec<Arc<Client>> {
        self.clients.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The resource of this kind with this id.
    pub fn resource(&self, kind: ResourceKind, id: &str) -> Option<Arc<Resource>> {
        let resources = self.resources.read().unwrap_or_else(PoisonError::into_inner);
        resources.get(&(kind, id.to_owned())).cloned()
    }

    /// All resources of this kind, in the order of their ids.
    pub fn resources(&self, kind: ResourceKind) -> Vec<Arc<Resource>> {
        self.resources_with(kind, "")
    }

    /// The resources of this kind whose id begins so, in the order of their ids.
    pub fn resources_with(&self, kind: ResourceKind, prefix: &str) -> Vec<Arc<Resource>> {
        let resources = self.resources.read().unwrap_or_else(PoisonError::into_inner);
        let from = (kind, prefix.to_owned());
        resources
            .range(from..)
            .take_while(|((found, id), _)| *found == kind && id.starts_with(prefix))
            .map(|(_, one)| one.clone())
            .collect()
    }

    /// All resources.
    pub(super) fn all_resources(&self) -> Vec<Arc<Resource>> {
        self.resources.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The connection with this name.
    pub fn connection(&self, name: &str) -> Option<Connection> {
        self.resources(ResourceKind::Connection)
            .iter()
            .find(|resource| resource.name().as_deref() == Some(name))
            .map(|resource| Connection::of(resource))
    }

    /// The version of the last published change.
    pub fn version(&self) -> Version {
        Version::new(self.version.load(Ordering::Acquire))
    }

    /// Waits until this version is published.
    pub async fn until(&self, version: Version) {
        loop {
            let moved = self.moved.notified();
            tokio::pin!(moved);
            // Counted as waiting before the look, so that nothing is missed between the two.
            moved.as_mut().enable();
            if self.version() >= version {
                return;
            }
            moved.await;
        }
    }

    pub(super) fn set_version(&self, version: Version) {
        self.version.store(version.get(), Ordering::Release);
        self.moved.notify_waiters();
    }

    pub(super) fn slot(&self, id: &str) -> Option<Slot> {
        self.users.get(id).map(|found| *found.value())
    }

    /// Puts a document in place of its predecessor in one step: no reader finds the user missing.
    pub(super) fn put_user(&self, document: Document, slot: Slot) {
        let after = document.clone();
        let before = match self.users.entry(document) {
            Entry::Occupied(found) => Some(found.replace_entry(slot).0),
            Entry::Vacant(free) => {
                free.insert(slot);
                None
            }
        };
        self.expiring.moved(before.as_ref(), Some(&after));
    }

    pub(super) fn remove_user(&self, id: &str) {
        let before = self.users.remove(id).map(|(document, _)| document);
        self.expiring.moved(before.as_ref(), None);
    }

    /// Users with keys whose time has come.
    pub(super) fn expiring(&self) -> &Expiring {
        &self.expiring
    }

    pub(super) fn put_client(&self, client: Arc<Client>) {
        self.clients
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(client.id.clone(), client);
    }

    pub(super) fn remove_client(&self, id: &str) {
        self.clients.write().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    pub(super) fn put_resource(&self, resource: Arc<Resource>) {
        let key = (resource.kind, resource.id.clone());
        self.resources.write().unwrap_or_else(PoisonError::into_inner).insert(key, resource);
    }

    pub(super) fn remove_resource(&self, kind: ResourceKind, id: &str) {
        self.resources
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&(kind, id.to_owned()));
    }
}
