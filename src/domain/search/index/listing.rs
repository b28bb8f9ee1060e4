//! What there is to search for: paths, values, and documents in order.

use crate::domain::search::field::Path;
use crate::domain::search::field::fold;
use crate::domain::search::index::Index;
use crate::domain::search::index::posting::Posting;
use crate::domain::search::index::tree::{Lookup, Node};
use crate::domain::search::index::values::{Counts, Dictionary, Form};
use crate::domain::search::moment::canonical_text;
use crate::domain::search::parse::Parser;
use crate::domain::search::query::QueryError;
use crate::domain::search::sort::Sort;

/// A path that documents have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathInfo {
    /// As a query names it.
    pub path: String,
    /// Which kinds of values are there.
    pub kinds: Kinds,
    /// How many different values; `None` when there are so many that they are no longer counted.
    pub distinct: Option<usize>,
    /// How many documents have it.
    pub users: u64,
}

/// Kinds of values at a path. An object has none of its own, only its members have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each kind is there or not, whatever the others")]
pub struct Kinds {
    /// `true` or `false`.
    pub bools: bool,
    /// Numbers.
    pub numbers: bool,
    /// Text that is an RFC 3339 time or date.
    pub times: bool,
    /// Other text.
    pub texts: bool,
    /// Arrays or objects.
    pub containers: bool,
}

/// A value and how many documents have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueCount {
    /// The canonical text of the value; lower case where upper and lower case are one.
    pub text: String,
    /// How many documents have it.
    pub users: u64,
}

impl Index {
    /// Every path that documents have, in the order of their keys.
    pub fn paths(&self) -> impl Iterator<Item = PathInfo> {
        self.tree.iter().map(|(path, node)| PathInfo {
            path: path.to_string(),
            kinds: Kinds::of(node),
            distinct: node.values.distinct(),
            users: node.exists.len(),
        })
    }

    /// At most `limit` values of a path that begin with `prefix`, in order: booleans, numbers, times and
    /// then other text. Nothing for a path that keeps only hashes.
    ///
    /// # Errors
    /// When `path` does not name a field.
    pub fn values(
        &self,
        path: &str,
        prefix: &str,
        limit: usize,
    ) -> Result<Vec<ValueCount>, QueryError> {
        Ok(self.values_at(&Parser::path(path)?, prefix, limit))
    }

    pub(super) fn values_at(&self, path: &Path, prefix: &str, limit: usize) -> Vec<ValueCount> {
        let Lookup::Node(node) = self.tree.find(path) else { return Vec::new() };
        let Form::Dictionary(dictionary) = node.values.form() else { return Vec::new() };
        let prefix = if node.folds() { fold(prefix) } else { prefix.into() };
        let values = beginning_with(dictionary, &prefix, self.limits.walk_max);
        let count = |(text, posting)| ValueCount { text, users: self.sets.len(posting) };
        values.take(limit).map(count).collect()
    }

    /// How many different values a path has; `None` when that is not counted.
    pub(super) fn distinct(&self, path: &Path) -> Option<usize> {
        match self.tree.find(path) {
            Lookup::Node(node) => node.values.distinct(),
            Lookup::Nobody => Some(0),
            Lookup::WithoutRoom => None,
        }
    }

    /// Every slot in the order of `sort`, equal ones by slot, those without a value last.
    ///
    /// `None` when the index does not have this order: then the documents have to be sorted by their keys.
    /// It has that of the fields that identify a user and of the times and counts of the profile.
    pub fn ordered(&self, sort: &Sort) -> Option<Box<dyn Iterator<Item = u32> + '_>> {
        let path: &Path = sort.path();
        let node = match self.tree.find(path) {
            Lookup::Node(node) => node,
            Lookup::Nobody | Lookup::WithoutRoom => return None,
        };
        let counts = node.values.counts();
        let Form::Dictionary(dictionary) = node.values.form() else { return None };
        if !node.is_ordered() || node.containers > 0 || counts.odd_times > 0 {
            return None;
        }
        let slots = |posting: Posting| self.sets.bitmap(posting).into_owned();
        let with_value: Box<dyn Iterator<Item = u32>> = if sort.is_descending() {
            Box::new(dictionary.postings().rev().flat_map(slots))
        } else {
            Box::new(dictionary.postings().flat_map(slots))
        };
        Some(Box::new(with_value.chain(&self.slots - &node.exists)))
    }
}

impl Kinds {
    fn of(node: &Node) -> Self {
        let Counts { bools, numbers, times, texts, odd_times } = node.values.counts();
        Self {
            bools: bools > 0,
            numbers: numbers > 0,
            times: times + odd_times > 0,
            texts: texts > odd_times,
            containers: node.containers > 0,
        }
    }
}

fn beginning_with<'a>(
    dictionary: &'a Dictionary,
    prefix: &'a str,
    walk_max: usize,
) -> impl Iterator<Item = (String, Posting)> + 'a {
    let bools = [false, true].into_iter();
    let bools = bools.filter_map(|value| Some((value.to_string(), dictionary.bool(value)?)));
    let numbers = dictionary.numbers.iter().take(walk_max);
    let numbers = numbers.map(|(number, posting)| (number.to_string(), *posting));
    let times = dictionary.times.iter().take(walk_max);
    let times = times.map(|(at, posting)| (canonical_text(at), posting));
    let texts = dictionary.texts_from(prefix).map(|(text, posting)| (text.to_string(), *posting));
    bools.chain(numbers).chain(times).filter(move |(text, _)| text.starts_with(prefix)).chain(texts)
}
