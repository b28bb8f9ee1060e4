//! What is held: decided and appended, not yet durable.
//!
//! Later commands decide on it, readers never see it. It is a queue of changes in
//! journal order, with the latest state of everything they touch found by its id.

use super::catalog::Catalog;
use crate::domain::change::{Change, Outcome};
use crate::domain::client::Client;
use crate::domain::decide::{LoginKey, View};
use crate::domain::document::Document;
use crate::domain::resource::{Resource, ResourceKind};
use crate::domain::time::Version;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

/// The latest held state of things by id; `None` = gone.
#[derive(Debug)]
struct Layer<K, T>(HashMap<K, (Version, Option<T>)>);

impl<K, T> Default for Layer<K, T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Hash + Eq, T: Clone> Layer<K, T> {
    fn hold(&mut self, version: Version, key: K, state: Option<T>) {
        self.0.insert(key, (version, state));
    }

    /// Forgets what this version said, unless a later one said something newer.
    fn release<Q: ?Sized + Hash + Eq>(&mut self, version: Version, key: &Q)
    where
        K: std::borrow::Borrow<Q>,
    {
        if self.0.get(key).is_some_and(|(held, _)| *held == version) {
            self.0.remove(key);
        }
    }

    #[expect(clippy::option_option, reason = "held or not, and if held: there or gone")]
    fn get<Q: ?Sized + Hash + Eq>(&self, key: &Q) -> Option<Option<&T>>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.0.get(key).map(|(_, state)| state.as_ref())
    }
}

/// Everything held.
#[derive(Debug, Default)]
pub(super) struct Overlay {
    users: Layer<String, Document>,
    clients: Layer<String, Arc<Client>>,
    resources: Layer<(ResourceKind, String), Arc<Resource>>,
    /// Users held under a login value in lower case; may name users that moved on since.
    logins: HashMap<(LoginKey, String), Vec<(Version, String)>>,
}

impl Overlay {
    pub(super) fn hold(&mut self, change: &Change) {
        let version = change.version;
        for outcome in &change.outcomes {
            match outcome {
                Outcome::User(document) => {
                    for (key, value) in logins(document) {
                        self.logins
                            .entry((key, value))
                            .or_default()
                            .push((version, document.id().to_owned()));
                    }
                    self.users.hold(version, document.id().to_owned(), Some(document.clone()));
                }
                Outcome::UserGone(id) => self.users.hold(version, id.as_str().to_owned(), None),
                Outcome::Client(client) => {
                    self.clients.hold(version, client.id.clone(), Some(client.clone()));
                }
                Outcome::ClientGone(id) => self.clients.hold(version, id.clone(), None),
                Outcome::Resource(resource) => {
                    self.resources.hold(
                        version,
                        (resource.kind, resource.id.clone()),
                        Some(resource.clone()),
                    );
                }
                Outcome::ResourceGone(kind, id) => {
                    self.resources.hold(version, (*kind, id.clone()), None);
                }
            }
        }
    }

    pub(super) fn release(&mut self, change: &Change) {
        let version = change.version;
        for outcome in &change.outcomes {
            match outcome {
                Outcome::User(document) => {
                    for login in logins(document) {
                        if let Some(held) = self.logins.get_mut(&login) {
                            held.retain(|(own, _)| *own != version);
                            if held.is_empty() {
                                self.logins.remove(&login);
                            }
                        }
                    }
                    self.users.release(version, document.id());
                }
                Outcome::UserGone(id) => self.users.release(version, id.as_str()),
                Outcome::Client(client) => self.clients.release(version, &client.id),
                Outcome::ClientGone(id) => self.clients.release(version, id),
                Outcome::Resource(resource) => {
                    self.resources.release(version, &(resource.kind, resource.id.clone()));
                }
                Outcome::ResourceGone(kind, id) => {
                    self.resources.release(version, &(*kind, id.clone()));
                }
            }
        }
    }
}

fn logins(document: &Document) -> impl Iterator<Item = (LoginKey, String)> {
    LoginKey::ALL.into_iter().filter_map(|key| {
        document.attribute(key.attribute()).map(|value| (key, value.to_lowercase()))
    })
}

/// The tenant as it will be once everything held is durable.
#[derive(Debug)]
pub(super) struct Ahead<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) overlay: &'a Overlay,
}

impl View for Ahead<'_> {
    fn user(&self, id: &str) -> Option<Document> {
        match self.overlay.users.get(id) {
            Some(held) => held.cloned(),
            None => self.catalog.published().user(id),
        }
    }

    fn users_with(&self, key: LoginKey, value: &str) -> Vec<Document> {
        let published = self.catalog.users_with(key, value);
        let mut found: Vec<Document> = published
            .into_iter()
            .filter(|one| self.overlay.users.get(one.id()).is_none())
            .collect();
        let value = value.to_lowercase();
        let held =
            self.overlay.logins.get(&(key, value.clone())).map(Vec::as_slice).unwrap_or_default();
        for (_, id) in held {
            let is_new = !found.iter().any(|one| one.id() == id);
            if let Some(Some(document)) = self.overlay.users.get(id.as_str())
                && is_new
                && document
                    .attribute(key.attribute())
                    .is_some_and(|own| own.to_lowercase() == value)
            {
                found.push(document.clone());
            }
        }
        found
    }

    fn user_count(&self) -> usize {
        let published = self.catalog.published();
        self.overlay.users.0.iter().fold(published.user_count(), |count, (id, (_, state))| {
            match (published.user(id).is_some(), state.is_some()) {
                (false, true) => count + 1,
                (true, false) => count.saturating_sub(1),
                (true, true) | (false, false) => count,
            }
        })
    }

    fn client(&self, id: &str) -> Option<Arc<Client>> {
        match self.overlay.clients.get(id) {
            Some(held) => held.cloned(),
            None => self.catalog.published().client(id),
        }
    }

    fn resource(&self, kind: ResourceKind, id: &str) -> Option<Arc<Resource>> {
        match self.overlay.resources.get(&(kind, id.to_owned())) {
            Some(held) => held.cloned(),
            None => self.catalog.published().resource(kind, id),
        }
    }

    fn resources(&self, kind: ResourceKind) -> Vec<Arc<Resource>> {
        self.resources_with(kind, "")
    }

    fn resources_with(&self, kind: ResourceKind, prefix: &str) -> Vec<Arc<Resource>> {
        let published = self.catalog.published().resources_with(kind, prefix);
        let held = &self.overlay.resources.0;
        if held.is_empty() {
            return published;
        }
        let mut all: Vec<Arc<Resource>> = published
            .into_iter()
            .filter(|one| !held.contains_key(&(kind, one.id.clone())))
            .collect();
        all.extend(
            held.iter()
                .filter(|((own, id), _)| *own == kind && id.starts_with(prefix))
                .filter_map(|(_, (_, state))| state.clone()),
        );
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }
}
