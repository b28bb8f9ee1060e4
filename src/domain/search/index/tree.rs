//! The paths of the documents, as a tree of keys.

use std::collections::BTreeMap;

use roaring::RoaringBitmap;

use crate::domain::search::field::{EMAIL_DOMAIN, Path, Root, Source};
use crate::domain::search::index::posting::Sets;
use crate::domain::search::index::values::Values;

/// The place of a node in the tree.
pub(crate) type NodeId = usize;

/// The node above all fields.
pub(crate) const TOP: NodeId = 0;
/// As many names of paths that found no room are remembered.
const NAMES_MAX: usize = 16;

/// Every path that is indexed.
#[derive(Debug)]
pub(crate) struct Tree {
    nodes: Vec<Node>,
    free: Vec<NodeId>,
    /// How many of the nodes count against the limit.
    counted: usize,
    counted_max: usize,
    without_room: Vec<String>,
}

/// One path.
#[derive(Debug, Default)]
pub(crate) struct Node {
    parent: NodeId,
    name: Box<str>,
    pub(crate) children: BTreeMap<Box<str>, NodeId>,
    /// The root field this is in; `None` for the top.
    pub(crate) root: Option<Root>,
    /// How many keys lead here.
    level: usize,
    /// Documents with anything but `null`, `{}` and `[]` at or below this path.
    pub(crate) exists: RoaringBitmap,
    pub(crate) values: Values,
    /// Documents in which an array or object is here.
    pub(crate) containers: u64,
    /// A child found no room. It never gets any, because documents that have it are not in it.
    pub(crate) is_incomplete: bool,
}

/// What the tree knows of a path.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lookup<'a> {
    Node(&'a Node),
    /// No document has it.
    Nobody,
    /// It found no room.
    WithoutRoom,
}

impl Tree {
    pub(crate) fn new(counted_max: usize) -> Self {
        let nodes = vec![Node::default()];
        Self { nodes, free: Vec::new(), counted: 0, counted_max, without_room: Vec::new() }
    }

    pub(crate) fn node(&self, id: NodeId) -> &Node {
        self.nodes.get(id).expect("ids come from this tree")
    }

    pub(crate) fn node_mut(&mut self, id: NodeId) -> &mut Node {
        self.nodes.get_mut(id).expect("ids come from this tree")
    }

    pub(crate) fn child(&self, parent: NodeId, name: &str) -> Option<NodeId> {
        self.node(parent).children.get(name).copied()
    }

    /// The node for `name` below `parent`, made where there is none; `None` when there is no room.
    pub(crate) fn child_or_new(&mut self, parent: NodeId, name: &str) -> Option<NodeId> {
        if let Some(child) = self.child(parent, name) {
            return Some(child);
        }
        let above = self.node(parent);
        let root = above.root.or_else(|| Root::named(name))?;
        let mut child = Node {
            parent,
            name: name.into(),
            root: Some(root),
            level: above.level + 1,
            ..Node::default()
        };
        if child.is_ordered() {
            child.values = Values::ordered();
        }
        let is_counted = child.is_counted();
        if is_counted && (above.is_incomplete || self.counted >= self.counted_max) {
            self.note_without_room(parent, name);
            return None;
        }
        self.counted += usize::from(is_counted);
        let id = self.store(child);
        self.node_mut(parent).children.insert(name.into(), id);
        Some(id)
    }

    /// Removes a node that no document reaches any more, and those above it of which the same holds.
    pub(crate) fn prune(&mut self, id: NodeId) {
        let mut id = id;
        while id != TOP && self.node(id).is_unused() {
            let node = std::mem::take(self.node_mut(id));
            // A node that was pruned before has no name among the children of the top.
            if self.node_mut(node.parent).children.remove(&node.name).is_none() {
                return;
            }
            self.counted -= usize::from(node.is_counted());
            self.free.push(id);
            id = node.parent;
        }
    }

    /// Removes a child and all below it, as if it had never found room.
    pub(crate) fn drop_child(&mut self, parent: NodeId, name: &str, sets: &mut Sets) {
        self.note_without_room(parent, name);
        let mut doomed: Vec<NodeId> =
            self.node_mut(parent).children.remove(name).into_iter().collect();
        while let Some(id) = doomed.pop() {
            let node = std::mem::take(self.node_mut(id));
            doomed.extend(node.children.values());
            self.counted -= usize::from(node.is_counted());
            self.free.push(id);
            for posting in node.values.into_postings() {
                sets.release(posting);
            }
        }
    }

    pub(crate) fn find(&self, path: &Path) -> Lookup<'_> {
        if path.source() == Source::Nowhere {
            return Lookup::Nobody;
        }
        let mut node = self.node(TOP);
        for key in path.keys() {
            match node.children.get(key) {
                Some(child) => node = self.node(*child),
                None if node.is_incomplete => return Lookup::WithoutRoom,
                None => return Lookup::Nobody,
            }
        }
        Lookup::Node(node)
    }

    pub(crate) fn field(&self, name: &str) -> Option<&Node> {
        self.child(TOP, name).map(|id| self.node(id))
    }

    /// Every path with its node, in the order of the keys.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (Path, &Node)> {
        let mut open: Vec<(Vec<Box<str>>, NodeId)> = vec![(Vec::new(), TOP)];
        std::iter::from_fn(move || {
            let (keys, id) = open.pop()?;
            let node = self.node(id);
            for (name, child) in node.children.iter().rev() {
                open.push(([keys.as_slice(), std::slice::from_ref(name)].concat(), *child));
            }
            Some((Path::new(keys), node))
        })
        .skip(1)
    }

    pub(crate) fn counted(&self) -> usize {
        self.counted
    }

    /// Some of the paths that found no room.
    pub(crate) fn without_room(&self) -> &[String] {
        &self.without_room
    }

    fn store(&mut self, node: Node) -> NodeId {
        if let Some(id) = self.free.pop() {
            *self.node_mut(id) = node;
            return id;
        }
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn note_without_room(&mut self, parent: NodeId, name: &str) {
        self.node_mut(parent).is_incomplete = true;
        if self.without_room.len() < NAMES_MAX {
            let path = self.path_below(parent, name);
            if !self.without_room.contains(&path) {
                self.without_room.push(path);
            }
        }
    }

    fn path_below(&self, parent: NodeId, name: &str) -> String {
        let mut keys: Vec<Box<str>> = vec![name.into()];
        let mut id = parent;
        while id != TOP {
            let node = self.node(id);
            keys.push(node.name.clone());
            id = node.parent;
        }
        keys.reverse();
        Path::new(keys).to_string()
    }
}

impl Node {
    pub(crate) fn is_email(&self) -> bool {
        self.level == 1 && self.root == Some(Root::Email)
    }

    pub(crate) fn folds(&self) -> bool {
        self.root.is_some_and(Root::folds)
    }

    /// Says whether values stay in order however many there are.
    pub(crate) fn is_ordered(&self) -> bool {
        self.level == 1 && self.root.is_some_and(Root::is_ordered)
    }

    /// Says whether documents hold `key` below here for the search to see.
    pub(crate) fn shows(&self, key: &str) -> bool {
        match (self.root, self.level) {
            (None, _) => Root::named(key).is_some(),
            (Some(root), 1) => root.shows(key),
            (Some(_), _) => true,
        }
    }

    /// Fields that every tenant has do not count against the limit.
    pub(crate) fn is_counted(&self) -> bool {
        match (self.root, self.level) {
            (None, _) | (Some(_), 0 | 1) | (Some(Root::Identities), 2) => false,
            (Some(Root::Email), 2) => self.name.as_ref() != EMAIL_DOMAIN,
            (Some(Root::Email | Root::Profile { .. } | Root::Identities | Root::Metadata), _) => {
                true
            }
        }
    }

    fn is_unused(&self) -> bool {
        self.exists.is_empty() && self.children.is_empty() && self.values.is_empty()
    }
}
