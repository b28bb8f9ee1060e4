//! The index: from values to the documents that have them.
//!
//! Documents are known by their slot, a small number that the caller gives. For every path there is the
//! set of documents that have it and, up to a limit, a dictionary of its values in order; beyond the
//! limit only hashes are kept. What the index cannot tell it leaves to the evaluation of the documents,
//! and says so in its [`Plan`]. Many documents are indexed in parts side by side, see [`Index::absorb`].
//!
//! Law: a document that matches a query is always among the candidates; an exact answer holds no other.

mod change;
mod found;
mod listing;
mod merge;
mod plan;
mod posting;
mod suggest;
#[cfg(test)]
mod tests;
mod times;
mod tree;
mod values;

use roaring::RoaringBitmap;

pub use self::listing::{Kinds, PathInfo, ValueCount};
pub use self::plan::{Candidates, How, Plan, Reason, Unindexed};
pub use self::suggest::{Suggestions, Typed};

use self::change::{Change, Entry, Fact};
use self::posting::Sets;
use self::tree::Tree;

/// The index over the documents of one tenant.
#[derive(Debug)]
pub struct Index {
    limits: IndexLimits,
    tree: Tree,
    sets: Sets,
    slots: RoaringBitmap,
}

/// How far an index goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IndexLimits {
    /// Paths below the root fields; more are left to the evaluation. Default 512.
    pub max_paths: usize,
    /// Different values of a path before only their hashes are kept. Fields that identify a user and
    /// times of the profile are always in order. Default 4096.
    pub dictionary_max: usize,
    /// Values to look at for the ranges and patterns of one query, of which a term gets at most half; a
    /// term that needs more is left to the evaluation. Bounds the time of a plan. Default 65,536.
    pub walk_max: usize,
}

impl Default for IndexLimits {
    fn default() -> Self {
        Self { max_paths: 512, dictionary_max: 4096, walk_max: 65_536 }
    }
}

impl Index {
    /// An index of no documents.
    pub fn new(limits: IndexLimits) -> Self {
        Self {
            limits,
            tree: Tree::new(limits.max_paths),
            sets: Sets::default(),
            slots: RoaringBitmap::new(),
        }
    }

    /// Adds a document under a slot that has none.
    pub fn insert(&mut self, slot: u32, doc: &str) {
        self.slots.insert(slot);
        let change = Change::between(&mut self.tree, None, Some(doc));
        self.apply(slot, change);
    }

    /// Puts `new` in the place of `old`, which must be the document that the slot has. Only what differs
    /// is touched.
    pub fn replace(&mut self, slot: u32, old: &str, new: &str) {
        let change = Change::between(&mut self.tree, Some(old), Some(new));
        self.apply(slot, change);
    }

    /// Removes a document, which must be the one that the slot has.
    pub fn remove(&mut self, slot: u32, doc: &str) {
        self.slots.remove(slot);
        let change = Change::between(&mut self.tree, Some(doc), None);
        self.apply(slot, change);
    }

    /// The slots of all documents.
    pub fn slots(&self) -> &RoaringBitmap {
        &self.slots
    }

    /// How many paths count against [`IndexLimits::max_paths`].
    pub fn path_count(&self) -> usize {
        self.tree.counted()
    }

    /// Some of the paths that found no room, the first ones that came.
    pub fn paths_without_room(&self) -> &[String] {
        self.tree.without_room()
    }

    fn apply(&mut self, slot: u32, change: Change<'_>) {
        for entry in &change.removed {
            self.forget(slot, entry);
        }
        for entry in change.added {
            self.learn(slot, entry);
        }
        for entry in change.removed.iter().rev() {
            self.tree.prune(entry.node);
        }
    }

    fn learn(&mut self, slot: u32, entry: Entry<'_>) {
        let node = self.tree.node_mut(entry.node);
        match entry.fact {
            Fact::Exists => {
                node.exists.insert(slot);
            }
            Fact::Container => node.containers += 1,
            Fact::Value(key) => {
                node.values.add(key, slot, &mut self.sets);
                if !node.is_ordered() {
                    node.values.bound(self.limits.dictionary_max, &mut self.sets);
                }
            }
        }
    }

    fn forget(&mut self, slot: u32, entry: &Entry<'_>) {
        let node = self.tree.node_mut(entry.node);
        match &entry.fact {
            Fact::Exists => {
                node.exists.remove(slot);
            }
            Fact::Container => node.containers = node.containers.saturating_sub(1),
            Fact::Value(key) => {
                node.values.remove(key, slot, node.containers > 0, &mut self.sets);
            }
        }
    }
}
