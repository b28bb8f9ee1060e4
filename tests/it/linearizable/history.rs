//! Whether a history of one user can have happened one thing after the other.
//!
//! After Wing and Gong: of all operations that were asked before any other was answered, one
//! must have come first; each is tried, and what was tried is remembered (Lowe). An operation
//! without an answer may have happened at any time after it was asked, or never.

use std::collections::{BTreeMap, HashSet};

/// A metadata bag of numbers.
pub(super) type Bag = BTreeMap<String, i64>;

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Read,
    /// Sets a key, or removes it, if the version is still this one.
    Patch {
        key: String,
        value: Option<i64>,
        if_match: Option<u64>,
    },
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Got {
    /// The user, as it is afterwards.
    Shown { version: u64, bag: Bag },
    /// The version was another one.
    Refused,
    /// No answer, or one that says that nobody knows.
    Nothing,
}

/// One operation, with the times of its question and its answer.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) from: u64,
    pub(super) until: u64,
    pub(super) asked: Asked,
    pub(super) got: Got,
}

/// The version of a user, as far as answers tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Version {
    Exactly(u64),
    /// Changed by something that was never answered.
    After(u64),
}

impl Version {
    fn may_be(self, version: u64) -> bool {
        match self {
            Self::Exactly(own) => own == version,
            Self::After(least) => version > least,
        }
    }

    fn least(self) -> u64 {
        match self {
            Self::Exactly(least) | Self::After(least) => least,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct State {
    version: Version,
    bag: Bag,
}

impl State {
    /// The state after an operation, if it can have come here.
    fn after(&self, operation: &Operation) -> Option<Self> {
        match (&operation.asked, &operation.got) {
            (Asked::Read, Got::Shown { version, bag }) => (self.version.may_be(*version)
                && self.bag == *bag)
                .then(|| Self { version: Version::Exactly(*version), bag: bag.clone() }),
            (Asked::Read, Got::Nothing) => Some(self.clone()),
            (Asked::Read, Got::Refused) => None,
            (Asked::Patch { if_match, .. }, Got::Refused) => {
                let is_other = if_match.is_some_and(|own| self.version != Version::Exactly(own));
                is_other.then(|| self.clone())
            }
            (Asked::Patch { key, value, if_match }, Got::Shown { version, bag }) => {
                if if_match.is_some_and(|own| !self.version.may_be(own)) {
                    return None;
                }
                let patched = self.patched(key, *value);
                let is_newer = *version > self.version.least();
                let is_unchanged = patched == self.bag && self.version.may_be(*version);
                (patched == *bag && (is_newer || is_unchanged))
                    .then_some(Self { version: Version::Exactly(*version), bag: patched })
            }
            (Asked::Patch { key, value, if_match }, Got::Nothing) => {
                let is_possible = if_match.is_none_or(|own| self.version.may_be(own));
                let version = Version::After(self.version.least());
                is_possible.then(|| Self { version, bag: self.patched(key, *value) })
            }
        }
    }

    fn patched(&self, key: &str, value: Option<i64>) -> Bag {
        let mut bag = self.bag.clone();
        match value {
            Some(value) => bag.insert(key.to_owned(), value),
            None => bag.remove(key),
        };
        bag
    }
}

/// Whether the operations can have happened one after the other, from this version and bag on.
pub(super) fn is_linearizable(start: (u64, Bag), history: &[Operation]) -> bool {
    let mut operations: Vec<&Operation> = history.iter().collect();
    operations.sort_by_key(|operation| operation.from);
    let start = State { version: Version::Exactly(start.0), bag: start.1 };
    let mut tried = HashSet::new();
    let mut open = vec![(vec![false; operations.len()], start)];
    while let Some((done, state)) = open.pop() {
        let left = || operations.iter().zip(&done).filter(|(_, done)| !**done).map(|(one, _)| one);
        // What was never answered may never have happened.
        if left().all(|operation| operation.until == u64::MAX) {
            return true;
        }
        let first_answer = left().map(|operation| operation.until).min().unwrap_or(u64::MAX);
        for (place, operation) in operations.iter().enumerate().rev() {
            if done[place] || operation.from > first_answer {
                continue;
            }
            let Some(next) = state.after(operation) else { continue };
            let mut done = done.clone();
            done[place] = true;
            if tried.insert((done.clone(), next.clone())) {
                open.push((done, next));
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bag(pairs: &[(&str, i64)]) -> Bag {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect()
    }

    fn shown(version: u64, pairs: &[(&str, i64)]) -> Got {
        Got::Shown { version, bag: bag(pairs) }
    }

    fn read(from: u64, until: u64, got: Got) -> Operation {
        Operation { from, until, asked: Asked::Read, got }
    }

    fn patch(from: u64, until: u64, key: &str, value: i64, got: Got) -> Operation {
        let asked = Asked::Patch { key: key.to_owned(), value: Some(value), if_match: None };
        Operation { from, until, asked, got }
    }

    fn patch_if(from: u64, until: u64, version: u64, value: i64, got: Got) -> Operation {
        let asked =
            Asked::Patch { key: "k".to_owned(), value: Some(value), if_match: Some(version) };
        Operation { from, until, asked, got }
    }

    #[track_caller]
    fn check(history: &[Operation], expected: bool) {
        assert_eq!(is_linearizable((1, Bag::new()), history), expected, "{history:#?}");
        let reversed: Vec<Operation> = history.iter().rev().cloned().collect();
        assert_eq!(is_linearizable((1, Bag::new()), &reversed), expected);
    }

    #[test]
    fn one_after_the_other_is_linearizable() {
        check(&[], true);
        check(
            &[
                patch(0, 1, "a", 1, shown(2, &[("a", 1)])),
                read(2, 3, shown(2, &[("a", 1)])),
                patch(4, 5, "b", 2, shown(5, &[("a", 1), ("b", 2)])),
                patch_if(6, 7, 5, 3, shown(6, &[("a", 1), ("b", 2), ("k", 3)])),
                patch_if(8, 9, 5, 4, Got::Refused),
            ],
            true,
        );
    }

    #[test]
    fn what_overlaps_may_have_happened_either_way() {
        let first = patch(0, 10, "a", 1, shown(3, &[("a", 1), ("b", 2)]));
        let second = patch(0, 10, "b", 2, shown(2, &[("b", 2)]));
        check(&[first, second], true);
        let read_before = read(1, 2, shown(1, &[]));
        let read_after = read(3, 4, shown(2, &[("a", 1)]));
        let write = patch(0, 10, "a", 1, shown(2, &[("a", 1)]));
        check(&[write.clone(), read_before.clone(), read_after.clone()], true);
        let (mut before, mut after) = (read_before, read_after);
        (before.from, before.until, after.from, after.until) = (3, 4, 1, 2);
        check(&[write, before, after], false);
    }

    #[test]
    fn a_lost_update_is_not_linearizable() {
        check(
            &[
                patch(0, 10, "a", 1, shown(2, &[("a", 1)])),
                patch(0, 10, "b", 2, shown(3, &[("b", 2)])),
            ],
            false,
        );
    }

    #[test]
    fn an_old_value_after_a_new_one_is_not_linearizable() {
        check(&[patch(0, 1, "a", 1, shown(2, &[("a", 1)])), read(2, 3, shown(1, &[]))], false);
    }

    #[test]
    fn two_who_met_the_same_version_cannot_both_have_won() {
        check(
            &[
                patch_if(0, 10, 1, 1, shown(2, &[("k", 1)])),
                patch_if(0, 10, 1, 2, shown(3, &[("k", 2)])),
            ],
            false,
        );
        check(
            &[patch_if(0, 10, 1, 1, shown(2, &[("k", 1)])), patch_if(0, 10, 1, 2, Got::Refused)],
            true,
        );
        check(&[patch_if(0, 1, 1, 2, Got::Refused)], false);
    }

    #[test]
    fn what_was_never_answered_happened_once_or_never() {
        let unknown = patch(0, u64::MAX, "a", 1, Got::Nothing);
        check(&[unknown.clone(), read(5, 6, shown(1, &[]))], true);
        check(&[unknown.clone(), read(5, 6, shown(4, &[("a", 1)]))], true);
        let gone_again = [unknown, read(5, 6, shown(4, &[("a", 1)])), read(7, 8, shown(1, &[]))];
        check(&gone_again, false);
    }

    #[test]
    fn an_acknowledged_write_that_a_crash_took_back_is_not_linearizable() {
        check(
            &[
                patch(0, 1, "a", 1, shown(2, &[("a", 1)])),
                patch(2, u64::MAX, "b", 2, Got::Nothing),
                read(5, 6, shown(2, &[("b", 2)])),
            ],
            false,
        );
    }

    #[test]
    fn a_version_never_goes_back() {
        check(
            &[
                patch(0, 1, "a", 1, shown(5, &[("a", 1)])),
                patch(2, 3, "a", 2, shown(4, &[("a", 2)])),
            ],
            false,
        );
    }
}
