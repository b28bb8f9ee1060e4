//! The tenant's users in their order, and the ways to find them.
//!
//! Slots are handed out in the order of creation and never reused. They lie in
//! chunks behind shared pointers, so a view of the whole tenant costs one pointer for
//! 1,024 users and stays as it is while the actor goes on: snapshots, lists and
//! exports take such a view in one turn and read it elsewhere.

use super::finder::Finder;
use super::logins;
use super::published::{Published, Slot};
use crate::domain::change::{Change, Outcome};
use crate::domain::client::Client;
use crate::domain::decide::LoginKey;
use crate::domain::document::Document;
use crate::domain::resource::Resource;
use crate::domain::search::{Anchor, Candidates, How, Plan, Query};
use crate::domain::time::Version;
use crate::domain::user::UserId;
use crate::journal::Lsn;
use hashbrown::HashTable;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

/// Users in one chunk.
const CHUNK: usize = 1024;

type Chunk = Vec<Option<Document>>;

/// A user under the hash of a login value. The hash is kept so that a table grows
/// without looking at a single document: growing must not hold the actor up.
#[derive(Clone, Copy, Debug)]
struct Login {
    hash: u32,
    slot: Slot,
}

impl Login {
    /// The hash as tables want it, spread over all bits.
    fn spread(hash: u32) -> u64 {
        u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }
}

/// How a user is found: the hashes of the login values, and the linked accounts.
type Known = ([Option<u32>; 3], Vec<UserId>);

/// The durable state of one tenant as its actor holds it.
#[derive(Debug)]
pub struct Catalog {
    published: Arc<Published>,
    chunks: Vec<Arc<Chunk>>,
    next: Slot,
    logins: [HashTable<Login>; 3],
    /// Who has an account besides the first, by the id it would have as a user.
    linked: HashMap<UserId, Slot>,
    hasher: RandomState,
    finder: Finder,
    /// The journal position of the last change applied.
    lsn: Lsn,
}

/// A tenant at one version, to be read outside its actor.
#[derive(Clone, Debug)]
pub struct StateView {
    /// The version it shows.
    pub version: Version,
    /// The journal position of that version.
    pub lsn: Lsn,
    /// How many users it holds.
    pub user_count: usize,
    /// Its clients.
    pub clients: Vec<Arc<Client>>,
    /// Its resources.
    pub resources: Vec<Arc<Resource>>,
    chunks: Vec<Arc<Chunk>>,
}

impl StateView {
    /// All users, in the order of creation.
    pub fn users(&self) -> impl Iterator<Item = &Document> {
        self.chunks.iter().flat_map(|chunk| chunk.iter().flatten())
    }

    /// All users and their slots, in the order of creation.
    pub fn slots(&self) -> impl Iterator<Item = (Slot, &Document)> {
        let all = self.chunks.iter().flat_map(|chunk| chunk.iter());
        (0..).zip(all).filter_map(|(slot, place)| Some((slot, place.as_ref()?)))
    }

    /// The user at a slot.
    pub fn at(&self, slot: Slot) -> Option<&Document> {
        document_at(&self.chunks, slot)
    }

    /// The clients, borrowed.
    pub(super) fn clients_ref(&self) -> Vec<&Client> {
        self.clients.iter().map(Arc::as_ref).collect()
    }

    /// The resources, borrowed.
    pub(super) fn resources_ref(&self) -> Vec<&Resource> {
        self.resources.iter().map(Arc::as_ref).collect()
    }

    /// The users in pieces of at most 1,024.
    pub fn pieces(&self) -> impl Iterator<Item = Vec<Document>> + '_ {
        self.chunks.iter().map(|chunk| chunk.iter().flatten().cloned().collect())
    }
}

fn login_value(document: &Document, key: LoginKey) -> Option<String> {
    document.attribute(key.attribute()).map(|value| value.to_lowercase())
}

impl Catalog {
    /// An empty tenant.
    pub fn new() -> Self {
        Self {
            published: Arc::new(Published::default()),
            chunks: Vec::new(),
            next: 0,
            logins: [HashTable::new(), HashTable::new(), HashTable::new()],
            linked: HashMap::new(),
            hasher: RandomState::new(),
            finder: Finder::default(),
            lsn: Lsn::ZERO,
        }
    }

    /// A tenant as a snapshot shows it.
    pub fn restored(
        version: Version,
        lsn: Lsn,
        documents: Vec<Document>,
        clients: Vec<Client>,
        resources: Vec<Resource>,
        threads: usize,
    ) -> Self {
        let mut catalog = Self::new();
        catalog.load(documents, threads);
        for client in clients {
            catalog.published.put_client(Arc::new(client));
        }
        for resource in resources {
            catalog.published.put_resource(Arc::new(resource));
        }
        catalog.published.set_version(version);
        catalog.lsn = lsn;
        catalog
    }

    /// Fills an empty tenant, on several threads: a start waits for it.
    fn load(&mut self, documents: Vec<Document>, threads: usize) {
        self.next = Slot::try_from(documents.len())
            .expect("a tenant has fewer than four thousand million users");
        let mut rest = documents.into_iter();
        loop {
            let chunk: Chunk = rest.by_ref().take(CHUNK).map(Some).collect();
            if chunk.is_empty() {
                break;
            }
            self.chunks.push(Arc::new(chunk));
        }
        let share = self.chunks.len().div_ceil(threads.max(1)).max(1);
        let found: Vec<Vec<Known>> = std::thread::scope(|scope| {
            let this = &*self;
            let work =
                |at: usize, chunks: &[Arc<Chunk>]| this.publish_chunks(at * share * CHUNK, chunks);
            let parts = this.chunks.chunks(share).enumerate();
            let running: Vec<_> =
                parts.map(|(at, chunks)| scope.spawn(move || work(at, chunks))).collect();
            running
                .into_iter()
                .map(|part| part.join().expect("publishing a document does not panic"))
                .collect()
        });
        for (slot, (hashes, linked)) in (0..).zip(found.into_iter().flatten()) {
            self.learn_links(slot, linked);
            for (table, hash) in self.logins.iter_mut().zip(hashes) {
                if let Some(hash) = hash {
                    table.insert_unique(Login::spread(hash), Login { hash, slot }, |login| {
                        Login::spread(login.hash)
                    });
                }
            }
        }
    }

    /// Publishes the users of some chunks, of which the first has the slot `first`, and says how they are found.
    fn publish_chunks(&self, first: usize, chunks: &[Arc<Chunk>]) -> Vec<Known> {
        let first = Slot::try_from(first).unwrap_or(Slot::MAX);
        let documents = chunks.iter().flat_map(|chunk| chunk.iter().flatten());
        documents
            .zip(first..)
            .map(|(document, slot)| {
                self.published.put_user(document.clone(), slot);
                (self.hashes(logins::texts(document)), document.linked())
            })
            .collect()
    }

    /// What readers see.
    pub fn published(&self) -> &Arc<Published> {
        &self.published
    }

    /// The journal position of the last change applied.
    pub fn lsn(&self) -> Lsn {
        self.lsn
    }

    /// Makes a change so. Never refuses; the version is published last.
    pub fn apply(&mut self, lsn: Lsn, change: &Change) {
        for outcome in &change.outcomes {
            match outcome {
                Outcome::User(document) => self.put(document.clone()),
                Outcome::UserGone(id) => self.remove(id.as_str()),
                Outcome::Client(client) => self.published.put_client(client.clone()),
                Outcome::ClientGone(id) => self.published.remove_client(id),
                Outcome::Resource(resource) => self.published.put_resource(resource.clone()),
                Outcome::ResourceGone(kind, id) => self.published.remove_resource(*kind, id),
            }
        }
        self.lsn = lsn;
        self.published.set_version(change.version);
    }

    /// The whole tenant at this moment.
    pub fn view(&self) -> StateView {
        StateView {
            version: self.published.version(),
            lsn: self.lsn,
            user_count: self.published.user_count(),
            clients: self.published.clients(),
            resources: self.published.all_resources(),
            chunks: self.chunks.clone(),
        }
    }

    /// Every user whose `key` attribute is `value`, whatever its case.
    pub fn users_with(&self, key: LoginKey, value: &str) -> Vec<Document> {
        let mut slots = self.slots_with(key, value);
        slots.sort_unstable();
        slots.into_iter().filter_map(|slot| self.at(slot)).cloned().collect()
    }

    fn slots_with(&self, key: LoginKey, value: &str) -> Vec<Slot> {
        let value = value.to_lowercase();
        let hash = self.hash(&value);
        let Some(table) = self.logins.get(index_of(key)) else { return Vec::new() };
        table
            .iter_hash(Login::spread(hash))
            .filter(|login| login.hash == hash)
            .filter(|login| {
                let own = self.at(login.slot).and_then(|document| login_value(document, key));
                own.as_ref() == Some(&value)
            })
            .map(|login| login.slot)
            .collect()
    }

    /// Which users a query can mean, as far as that can be told without asking them, and how it is
    /// told: from the index, by what users are looked up by anyway, or not at all.
    pub fn plan(&self, query: &Query) -> Plan {
        if let Some(plan) = self.finder.plan(query) {
            return plan;
        }
        let (candidates, how) = match query.anchors() {
            Some(anchors) => {
                let slots = anchors.iter().flat_map(|anchor| self.slots_of(anchor)).collect();
                (Candidates::Only(slots), How::Hybrid)
            }
            None => (Candidates::All, How::Scan),
        };
        Plan { candidates, exact: false, how, unindexed: Vec::new() }
    }

    fn slots_of(&self, anchor: &Anchor) -> Vec<Slot> {
        match anchor {
            Anchor::Login(key, value) => self.slots_with(*key, value),
            Anchor::Id(id) => self.published.slot(id).into_iter().collect(),
        }
    }

    /// The search index.
    pub(super) fn finder(&mut self) -> &mut Finder {
        &mut self.finder
    }

    fn at(&self, slot: Slot) -> Option<&Document> {
        document_at(&self.chunks, slot)
    }

    fn put(&mut self, document: Document) {
        let slot = if let Some(slot) = self.published.slot(document.id()) {
            let place = place_of(&mut self.chunks, slot);
            let before = place.and_then(|place| place.replace(document.clone()));
            self.move_logins(slot, before.as_ref(), Some(&document));
            self.finder.note(slot, before, Some(document.clone()));
            slot
        } else {
            let slot = self.next;
            self.next += 1;
            match self.chunks.last_mut() {
                Some(chunk) if chunk.len() < CHUNK => {
                    Arc::make_mut(chunk).push(Some(document.clone()));
                }
                Some(_) | None => self.chunks.push(Arc::new(vec![Some(document.clone())])),
            }
            self.move_logins(slot, None, Some(&document));
            self.finder.note(slot, None, Some(document.clone()));
            slot
        };
        self.published.put_user(document, slot);
    }

    fn remove(&mut self, id: &str) {
        let Some(slot) = self.published.slot(id) else { return };
        let before = place_of(&mut self.chunks, slot).and_then(Option::take);
        self.move_logins(slot, before.as_ref(), None);
        self.finder.note(slot, before, None);
        self.published.remove_user(id);
    }

    fn hash(&self, value: &str) -> u32 {
        u32::try_from(self.hasher.hash_one(value) >> 32).unwrap_or_default()
    }

    /// Has a user found under the login values it has now, and under no others.
    fn move_logins(&mut self, slot: Slot, before: Option<&Document>, after: Option<&Document>) {
        self.move_links(slot, before, after);
        let before = before.map(logins::texts).unwrap_or_default();
        let after = after.map(logins::texts).unwrap_or_default();
        if before == after {
            return;
        }
        let (old, new) = (self.hashes(before), self.hashes(after));
        for (table, (old, new)) in self.logins.iter_mut().zip(old.into_iter().zip(new)) {
            if old == new {
                continue;
            }
            if let Some(hash) = old
                && let Ok(entry) = table.find_entry(Login::spread(hash), |login| login.slot == slot)
            {
                entry.remove();
            }
            if let Some(hash) = new {
                table.insert_unique(Login::spread(hash), Login { hash, slot }, |login| {
                    Login::spread(login.hash)
                });
            }
        }
    }

    fn move_links(&mut self, slot: Slot, before: Option<&Document>, after: Option<&Document>) {
        let text = Document::identities_text;
        if before.map_or("", text) == after.map_or("", text) {
            return;
        }
        for id in before.map(Document::linked).unwrap_or_default() {
            if self.linked.get(&id) == Some(&slot) {
                self.linked.remove(&id);
            }
        }
        self.learn_links(slot, after.map(Document::linked).unwrap_or_default());
    }

    fn learn_links(&mut self, slot: Slot, ids: Vec<UserId>) {
        self.linked.extend(ids.into_iter().map(|id| (id, slot)));
    }

    /// The user to whom the account is linked that would be this user.
    pub fn user_linked_with(&self, id: &str) -> Option<&Document> {
        self.linked.get(id).and_then(|slot| self.at(*slot))
    }

    fn hashes(&self, texts: logins::Texts<'_>) -> [Option<u32>; 3] {
        texts.map(|text| text.map(|text| self.hash(&logins::folded(text))))
    }
}

impl Default for Catalog {
    fn default() -> Self {
        Self::new()
    }
}

fn index_of(key: LoginKey) -> usize {
    match key {
        LoginKey::Email => 0,
        LoginKey::Username => 1,
        LoginKey::Phone => 2,
    }
}

fn split(slot: Slot) -> (usize, usize) {
    let slot = usize::try_from(slot).expect("a slot fits the address space");
    (slot / CHUNK, slot % CHUNK)
}

fn document_at(chunks: &[Arc<Chunk>], slot: Slot) -> Option<&Document> {
    let (chunk, at) = split(slot);
    chunks.get(chunk)?.get(at)?.as_ref()
}

fn place_of(chunks: &mut [Arc<Chunk>], slot: Slot) -> Option<&mut Option<Document>> {
    let (chunk, at) = split(slot);
    Arc::make_mut(chunks.get_mut(chunk)?).get_mut(at)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::document::tests::jane;
    use crate::domain::time::Timestamp;
    use crate::domain::user::{Profile, User};
    use proptest::prelude::*;

    pub(crate) fn user(id: u8, email: u8, version: u64) -> Document {
        Document::of(&User {
            id: UserId::trusted(&format!("auth0|{id}")),
            version: Version::new(version),
            profile: Profile { email: Some(format!("U{email}@Example.com")), ..Profile::default() },
            ..jane()
        })
    }

    pub(crate) fn change(version: u64, outcome: Outcome) -> Change {
        let at = Timestamp::default();
        Change {
            version: Version::new(version),
            at,
            provenance: crate::domain::change::Provenance::default(),
            outcomes: vec![outcome],
        }
    }

    fn ids(documents: &[Document]) -> Vec<String> {
        documents.iter().map(|document| document.id().to_owned()).collect()
    }

    #[test]
    fn a_view_stays_as_it_was_while_the_tenant_goes_on() {
        let mut catalog = Catalog::new();
        catalog.apply(Lsn::new(1), &change(1, Outcome::User(user(1, 1, 1))));
        let view = catalog.view();
        catalog.apply(Lsn::new(2), &change(2, Outcome::User(user(1, 2, 2))));
        catalog.apply(Lsn::new(3), &change(3, Outcome::User(user(2, 2, 3))));
        assert_eq!(view.users().map(|one| one.version().get()).collect::<Vec<_>>(), [1]);
        assert_eq!(
            catalog.view().users().map(|one| one.version().get()).collect::<Vec<_>>(),
            [2, 3]
        );
    }

    #[test]
    fn a_linked_account_leads_to_its_user_after_a_restart_too() {
        let mut owner = jane();
        let mut account = owner.identities.first().unwrap().clone();
        "elsewhere".clone_into(&mut account.user_id);
        let id = account.id();
        owner.identities.push(account);
        let owner = Document::of(&owner);
        let none = (Vec::new(), Vec::new());
        let mut catalog =
            Catalog::restored(Version::new(7), Lsn::ZERO, vec![owner.clone()], none.0, none.1, 2);
        let found = |catalog: &Catalog| {
            catalog.user_linked_with(id.as_str()).map(|user| user.id().to_owned())
        };
        assert_eq!(found(&catalog).as_deref(), Some(owner.id()));
        assert!(catalog.user_linked_with(owner.id()).is_none(), "the first account is the user");
        catalog.apply(Lsn::new(1), &change(8, Outcome::User(Document::of(&jane()))));
        assert_eq!(found(&catalog), None);
        catalog.apply(Lsn::new(2), &change(9, Outcome::User(owner.clone())));
        assert!(found(&catalog).is_some());
        let gone = Outcome::UserGone(UserId::trusted(owner.id()));
        catalog.apply(Lsn::new(3), &change(10, gone));
        assert_eq!(found(&catalog), None);
    }

    proptest! {
        #[test]
        fn the_index_equals_a_scan_after_any_history(
            steps in prop::collection::vec((0_u8..20, prop::option::weighted(0.8, 0_u8..6)), 1..200)
        ) {
            let mut catalog = Catalog::new();
            for (version, (id, email)) in (1_u64..).zip(steps) {
                let outcome = match email {
                    Some(email) => Outcome::User(user(id, email, version)),
                    None => Outcome::UserGone(UserId::trusted(&format!("auth0|{id}"))),
                };
                catalog.apply(Lsn::new(version), &change(version, outcome));
            }
            let view = catalog.view();
            prop_assert_eq!(view.users().count(), catalog.published().user_count());
            for email in 0_u8..6 {
                let value = format!("u{email}@example.COM");
                let scanned: Vec<Document> = view
                    .users()
                    .filter(|one| one.attribute("email").is_some_and(|own| own.to_lowercase() == value.to_lowercase()))
                    .cloned()
                    .collect();
                prop_assert_eq!(ids(&catalog.users_with(LoginKey::Email, &value)), ids(&scanned));
            }
        }
    }
}
