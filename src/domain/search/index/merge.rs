//! Two indexes become one, so that many documents can be indexed side by side.

use std::collections::BTreeMap;

use crate::domain::search::index::Index;
use crate::domain::search::index::posting::{Posting, Sets};
use crate::domain::search::index::tree::{NodeId, TOP, Tree};

/// A map that is this many times smaller than the other is added to it entry by entry.
const MUCH_SMALLER: usize = 16;

impl Index {
    /// Takes over all documents of another index, which must have been made with the same limits and
    /// hold other slots.
    ///
    /// Merging two indexes of like size costs far less than indexing the documents of one of them again:
    /// to index many documents, index parts of them side by side, and merge what came of it.
    pub fn absorb(&mut self, other: Self) {
        self.slots |= other.slots;
        let mut merge = Merge {
            tree: &mut self.tree,
            sets: &mut self.sets,
            from: other.tree,
            from_sets: other.sets,
            dictionary_max: self.limits.dictionary_max,
        };
        merge.node(TOP, TOP);
    }
}

struct Merge<'m> {
    tree: &'m mut Tree,
    sets: &'m mut Sets,
    from: Tree,
    from_sets: Sets,
    dictionary_max: usize,
}

impl Merge<'_> {
    fn node(&mut self, id: NodeId, from: NodeId) {
        let from = std::mem::take(self.from.node_mut(from));
        if from.is_incomplete {
            self.drop_others(id, &from.children);
        }
        let node = self.tree.node_mut(id);
        node.exists |= from.exists;
        node.containers += from.containers;
        node.values.absorb(from.values, self.sets, &mut self.from_sets);
        if !node.is_ordered() {
            node.values.bound(self.dictionary_max, self.sets);
        }
        for (name, child) in from.children {
            // Where this index has no room, or once had none, the child of the other one is left out.
            if let Some(id) = self.tree.child_or_new(id, &name) {
                self.node(id, child);
            }
        }
        self.tree.node_mut(id).is_incomplete |= from.is_incomplete;
    }

    /// Drops the children for which the other index may have had no room: its documents may have them
    /// all the same.
    fn drop_others(&mut self, id: NodeId, kept: &BTreeMap<Box<str>, NodeId>) {
        let children = self.tree.node(id).children.iter();
        let others = children.filter(|(name, child)| {
            !kept.contains_key(*name) && self.tree.node(**child).is_counted()
        });
        let others: Vec<Box<str>> = others.map(|(name, _)| name.clone()).collect();
        for name in others {
            self.tree.drop_child(id, &name, self.sets);
        }
    }
}

/// Merges two maps in one walk through both; `join` makes one of two postings of the same key.
pub(crate) fn merge_maps<K: Ord>(
    into: &mut BTreeMap<K, Posting>,
    from: BTreeMap<K, Posting>,
    sets: &mut Sets,
    from_sets: &mut Sets,
    mut on_both: impl FnMut(&K),
) {
    if from.len() < into.len() / MUCH_SMALLER {
        for (key, posting) in from {
            if let Some(held) = into.get_mut(&key) {
                on_both(&key);
                *held = sets.join(*held, from_sets, posting);
            } else {
                into.insert(key, sets.adopt(from_sets, posting));
            }
        }
        return;
    }
    let mut merged: Vec<(K, Posting)> = Vec::with_capacity(into.len() + from.len());
    let mut from = from.into_iter().peekable();
    for (key, mut posting) in std::mem::take(into) {
        while let Some((other, before)) = from.next_if(|(other, _)| *other < key) {
            merged.push((other, sets.adopt(from_sets, before)));
        }
        if let Some((_, same)) = from.next_if(|(other, _)| *other == key) {
            on_both(&key);
            posting = sets.join(posting, from_sets, same);
        }
        merged.push((key, posting));
    }
    merged.extend(from.map(|(key, posting)| (key, sets.adopt(from_sets, posting))));
    // What is in order already is not sorted again, and its nodes come out full.
    *into = merged.into_iter().collect();
}
