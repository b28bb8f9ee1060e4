//! What is held: decided and appended, not yet durable.
//!
//! Later commands decide on it, readers never see it. It is a queue of changes in
//! journal order, with the latest state of everything they touch found by its id.

use super::catalog::Catalog;
use super::logins;
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
    /// Users held under a login value in lower case, unless their predecessor, held or published,
    /// has the same and leads to them; may name users that moved on since.
    logins: HashMap<(LoginKey, String), Vec<(Version, String)>>,
}

impl Overlay {
    pub(super) fn hold(&mut self, change: &Change, catalog: &Catalog) {
        let version = change.version;
        for outcome in &change.outcomes {
            match outcome {
                Outcome::User(document) => {
                    if self.moves_logins(document, catalog) {
                        for login in logins::of(document) {
                            let held = self.logins.entry(login).or_default();
                            held.push((version, document.id().to_owned()));
                        }
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

    /// Whether a user has other login values than before.
    fn moves_logins(&self, after: &Document, catalog: &Catalog) -> bool {
        let differs = |before: &Document| logins::texts(before) != logins::texts(after);
        match self.users.get(after.id()) {
            Some(before) => before.is_none_or(differs),
            None => catalog.published().user(after.id()).is_none_or(|before| differs(&before)),
        }
    }

    pub(super) fn release(&mut self, change: &Change) {
        let version = change.version;
        for outcome in &change.outcomes {
            match outcome {
                Outcome::User(document) => {
                    // Nearly always nobody is listed, and then there is no need to look.
                    let listed = Some(document).filter(|_| !self.logins.is_empty());
                    for login in listed.into_iter().flat_map(logins::of) {
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
        let value = value.to_lowercase();
        let is_so = |one: &Document| {
            one.attribute(key.attribute()).is_some_and(|own| own.to_lowercase() == value)
        };
        let now = |one: Document| match self.overlay.users.get(one.id()) {
            Some(held) => held.cloned().filter(is_so),
            None => Some(one),
        };
        let published = self.catalog.users_with(key, &value);
        let mut found: Vec<Document> = published.into_iter().filter_map(now).collect();
        let held =
            self.overlay.logins.get(&(key, value.clone())).map(Vec::as_slice).unwrap_or_default();
        for (_, id) in held {
            let is_new = !found.iter().any(|one| one.id() == id);
            if let Some(Some(document)) = self.overlay.users.get(id.as_str())
                && is_new
                && is_so(document)
            {
                found.push(document.clone());
            }
        }
        found
    }

    fn user_linked_with(&self, id: &str) -> Option<Document> {
        // Few are held, and hardly anybody asks.
        let held = self.overlay.users.0.values().filter_map(|(_, state)| state.as_ref());
        let is_linked = |one: &&Document| one.linked().iter().any(|own| own.as_str() == id);
        held.into_iter().find(is_linked).cloned().or_else(|| {
            let found = self.catalog.user_linked_with(id)?;
            self.overlay.users.get(found.id()).is_none().then(|| found.clone())
        })
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

#[cfg(test)]
mod tests {
    use super::super::catalog::tests::{change, user};
    use super::*;
    use crate::domain::user::UserId;
    use crate::journal::Lsn;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, VecDeque};

    proptest! {
        /// However far publishing lags behind deciding, whoever decides finds everybody by what
        /// they are called now, and nobody by what they were called before.
        #[test]
        fn who_decides_finds_users_as_they_will_be(
            steps in prop::collection::vec((0_u8..6, prop::option::weighted(0.8, 0_u8..4), 0_usize..3), 1..120)
        ) {
            let (mut catalog, mut overlay) = (Catalog::new(), Overlay::default());
            let (mut held, mut now) = (VecDeque::new(), BTreeMap::new());
            for (version, (id, email, published)) in (1_u64..).zip(steps) {
                let name = format!("auth0|{id}");
                let outcome = match email {
                    Some(email) => Outcome::User(user(id, email, version)),
                    None => Outcome::UserGone(UserId::trusted(&name)),
                };
                match email {
                    Some(email) => _ = now.insert(name, email),
                    None => _ = now.remove(&name),
                }
                let one = change(version, outcome);
                overlay.hold(&one, &catalog);
                held.push_back(one);
                for _ in 0..published {
                    if let Some(first) = held.pop_front() {
                        catalog.apply(Lsn::new(first.version.get()), &first);
                        overlay.release(&first);
                    }
                }
                let ahead = Ahead { catalog: &catalog, overlay: &overlay };
                for email in 0_u8..4 {
                    let value = format!("u{email}@EXAMPLE.com");
                    let found = ahead.users_with(LoginKey::Email, &value);
                    let mut found: Vec<&str> = found.iter().map(Document::id).collect();
                    found.sort_unstable();
                    let expected: Vec<&str> = now
                        .iter()
                        .filter(|(_, own)| **own == email)
                        .map(|(id, _)| id.as_str())
                        .collect();
                    prop_assert_eq!(found, expected);
                }
            }
            for one in held {
                overlay.release(&one);
            }
            prop_assert!(overlay.logins.is_empty() && overlay.users.0.is_empty());
        }
    }
}
