//! The search index of one tenant: made when it is first worth it, kept in the tenant's turn.
//!
//! An index takes some hundred bytes of memory for each user and some microseconds of a core to
//! make, so a tenant has none until it is searched in a way that needs one. It is then made beside the
//! work, from a view of the whole tenant; changes since that view are remembered, taken in a few at
//! a time, and from then on with each change. While there is none, users are asked one by one:
//! slower, with the same answer.

use super::catalog::StateView;
use super::published::Slot;
use crate::domain::document::Document;
use crate::domain::search::{Index, IndexLimits, Plan, Query, Suggestions, Typed};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Changes that may happen while an index is made; more of them, and it is not worth finishing.
const BEHIND_MAX: usize = 262_144;

/// Changes that are taken in at one turn, so that nobody waits long for the next.
const STEPS_A_TURN: usize = 32;

/// Values one query may look at in the tenant's turn; what needs more is left to the documents.
const WALK_MAX: usize = 16_384;

/// What changed at a slot.
#[derive(Debug)]
pub(super) struct Step {
    slot: Slot,
    before: Option<Document>,
    after: Option<Document>,
}

/// Where the index of a tenant is.
#[derive(Debug, Default)]
pub(super) enum Finder {
    /// There is none.
    #[default]
    Idle,
    /// It is being made elsewhere, and this happened since.
    Making(VecDeque<Step>),
    /// It is there, and this is not in it yet.
    Behind(Box<Index>, VecDeque<Step>),
    /// It has everything.
    Ready(Box<Index>),
}

impl Finder {
    /// Takes note of a change at a slot.
    pub(super) fn note(&mut self, slot: Slot, before: Option<Document>, after: Option<Document>) {
        let step = Step { slot, before, after };
        match self {
            Self::Idle => {}
            Self::Making(behind) | Self::Behind(_, behind) => {
                if behind.len() < BEHIND_MAX {
                    behind.push_back(step);
                } else {
                    log::warn!(
                        "the search index was given up: the tenant changes faster than it is made"
                    );
                    *self = Self::Idle;
                }
            }
            Self::Ready(index) => {
                if !take_in(index, &step) {
                    *self = Self::Idle;
                }
            }
        }
    }

    /// Whether an index should be made now; then [`Self::made`] is told what came of it.
    pub(super) fn begin(&mut self) -> bool {
        let begins = matches!(self, Self::Idle);
        if begins {
            *self = Self::Making(VecDeque::new());
        }
        begins
    }

    /// Takes the index that was made, or learns that there is none.
    pub(super) fn made(&mut self, index: Option<Index>) {
        let before = std::mem::take(self);
        if let (Self::Making(behind), Some(index)) = (before, index) {
            *self = Self::Behind(Box::new(index), behind);
        }
    }

    /// Takes in some of what the index does not have yet; says whether there is more.
    pub(super) fn catch_up(&mut self) -> bool {
        let Self::Behind(index, behind) = self else { return false };
        let is_sound =
            behind.drain(..behind.len().min(STEPS_A_TURN)).all(|step| take_in(index, &step));
        if is_sound && !behind.is_empty() {
            return true;
        }
        if let (true, Self::Behind(index, _)) = (is_sound, std::mem::take(self)) {
            *self = Self::Ready(index);
        }
        false
    }

    /// What could come next in a query; nothing while there is no index.
    pub(super) fn suggest(&self, typed: &Typed) -> Option<Suggestions> {
        let Self::Ready(index) = self else { return None };
        let found = catch_unwind(AssertUnwindSafe(|| index.suggest(typed)));
        let told = |_: &_| log::error!("suggesting from the index panicked; some users are asked");
        found.inspect_err(told).ok()
    }

    /// What the index knows of a query; nothing while there is none.
    pub(super) fn plan(&self, query: &Query) -> Option<Plan> {
        let Self::Ready(index) = self else { return None };
        let plan = catch_unwind(AssertUnwindSafe(|| index.plan(query)));
        plan.inspect_err(|_| log::error!("planning a search panicked; users are asked one by one"))
            .ok()
    }
}

/// Makes an index of some users of a tenant, from all over it: at most `most`, and none more once
/// `is_over` says so. Tells how many they are.
fn sample(view: &StateView, most: usize, is_over: &dyn Fn() -> bool) -> (Index, usize) {
    let mut index = Index::new(IndexLimits::default());
    let step = view.user_count.div_ceil(most.max(1)).max(1);
    let mut asked = 0;
    for (slot, document) in view.slots().step_by(step).take(most) {
        if is_over() {
            break;
        }
        index.insert(slot, document.json());
        asked += 1;
    }
    (index, asked)
}

impl StateView {
    /// What could come next in a query, as far as some users tell it: at most `most`, and none more
    /// once `is_over` says so. Tells how many were asked. Not for the tenant's turn.
    pub fn suggest(
        &self,
        typed: &Typed,
        most: usize,
        is_over: &dyn Fn() -> bool,
    ) -> (Suggestions, usize) {
        let (index, asked) = sample(self, most, is_over);
        (index.suggest(typed), asked)
    }
}

/// Makes the index of a view.
pub(super) fn index_of(view: &StateView) -> Option<Index> {
    let make = || {
        let mut index = Index::new(IndexLimits { walk_max: WALK_MAX, ..IndexLimits::default() });
        for (slot, document) in view.slots() {
            index.insert(slot, document.json());
        }
        index
    };
    catch_unwind(AssertUnwindSafe(make))
        .inspect_err(|_| log::error!("making a search index panicked; users are asked one by one"))
        .ok()
}

/// Brings a change into an index. After a panic nobody knows what is in it: it is of no use.
fn take_in(index: &mut Index, step: &Step) -> bool {
    let change = || match (&step.before, &step.after) {
        (None, Some(after)) => index.insert(step.slot, after.json()),
        (Some(before), Some(after)) => index.replace(step.slot, before.json(), after.json()),
        (Some(before), None) => index.remove(step.slot, before.json()),
        (None, None) => {}
    };
    let done = catch_unwind(AssertUnwindSafe(change));
    if done.is_err() {
        log::error!("the search index panicked and was let go of");
    }
    done.is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::change::{Change, Outcome, Provenance};
    use crate::domain::document::tests::jane;
    use crate::domain::search::{Candidates, How, Record, Rules};
    use crate::domain::time::{Timestamp, Version};
    use crate::domain::user::{Profile, User, UserId};
    use crate::journal::Lsn;
    use crate::tenant::Catalog;
    use proptest::prelude::*;

    /// What happens to a tenant, one after the other.
    #[derive(Clone, Debug)]
    enum Event {
        Put(u8, u8),
        Gone(u8),
        /// An index is begun, from a view of this moment.
        Begun,
        /// The one begun is there.
        Made,
        /// Making it failed.
        Failed,
        Turn,
    }

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            8 => (0_u8..40, 0_u8..5).prop_map(|(id, name)| Event::Put(id, name)),
            3 => (0_u8..40).prop_map(Event::Gone),
            1 => Just(Event::Begun),
            1 => Just(Event::Made),
            1 => Just(Event::Failed),
            2 => Just(Event::Turn),
        ]
    }

    fn user(id: u8, name: u8, version: u64) -> Document {
        Document::of(&User {
            id: UserId::trusted(&format!("auth0|{id}")),
            version: Version::new(version),
            profile: Profile {
                email: Some(format!("u{id}@example.com")),
                name: Some(format!("Name {name}")),
                ..Profile::default()
            },
            ..jane()
        })
    }

    const QUERIES: [&str; 6] = [
        "name:\"Name 1\"",
        "NOT name:\"Name 2\"",
        "email:u1*",
        "email:\"U3@example.com\"",
        "user_id:(\"auth0|1\" OR \"auth0|2\") AND name:\"Name 0\"",
        "*:*",
    ];

    fn found(catalog: &Catalog, query: &Query) -> Vec<String> {
        let plan = catalog.plan(query);
        let view = catalog.view();
        let users: Vec<&Document> = match &plan.candidates {
            Candidates::All => view.users().collect(),
            Candidates::Only(slots) => slots.iter().filter_map(|slot| view.at(slot)).collect(),
        };
        let is_meant = |one: &&Document| plan.exact || query.matches(&Record::new(one.json()));
        users.into_iter().filter(is_meant).map(|one| one.id().to_owned()).collect()
    }

    proptest! {
        #[test]
        fn with_an_index_without_one_or_halfway_the_answer_is_that_of_asking_everyone(
            events in prop::collection::vec(event(), 1..120)
        ) {
            let queries = QUERIES.map(|text| Query::parse(text, Rules::default()).unwrap());
            let mut catalog = Catalog::new();
            let mut making: Option<StateView> = None;
            let mut version = 0;
            for event in events {
                let outcome = match event {
                    Event::Put(id, name) => Some(Outcome::User(user(id, name, version + 1))),
                    Event::Gone(id) => Some(Outcome::UserGone(UserId::trusted(&format!("auth0|{id}")))),
                    Event::Begun => {
                        if catalog.finder().begin() {
                            making = Some(catalog.view());
                        }
                        None
                    }
                    Event::Made => {
                        if let Some(view) = making.take() {
                            catalog.finder().made(index_of(&view));
                        }
                        None
                    }
                    Event::Failed => {
                        if making.take().is_some() {
                            catalog.finder().made(None);
                        }
                        None
                    }
                    Event::Turn => {
                        catalog.finder().catch_up();
                        None
                    }
                };
                if let Some(outcome) = outcome {
                    version += 1;
                    let change = Change {
                        version: Version::new(version),
                        at: Timestamp::default(),
                        provenance: Provenance::default(),
                        outcomes: vec![outcome],
                    };
                    catalog.apply(Lsn::new(version), &change);
                }
                for query in &queries {
                    let all = catalog.view();
                    let asked: Vec<String> = all
                        .users()
                        .filter(|one| query.matches(&Record::new(one.json())))
                        .map(|one| one.id().to_owned())
                        .collect();
                    prop_assert_eq!(found(&catalog, query), asked, "{}", query);
                }
            }
        }
    }

    fn put(catalog: &mut Catalog, version: u64) {
        let id = u8::try_from(version).unwrap();
        let change = Change {
            version: Version::new(version),
            at: Timestamp::default(),
            provenance: Provenance::default(),
            outcomes: vec![Outcome::User(user(id, 1, version))],
        };
        catalog.apply(Lsn::new(version), &change);
    }

    #[test]
    fn a_sample_is_from_all_over_and_no_larger_than_wanted_and_ends_in_time() {
        let mut catalog = Catalog::new();
        (1..=100).for_each(|version| put(&mut catalog, version));
        let view = catalog.view();
        let slots = |most: usize| {
            let (index, asked) = sample(&view, most, &|| false);
            let slots: Vec<Slot> = index.slots().iter().collect();
            assert_eq!(slots.len(), asked);
            slots
        };
        assert_eq!(slots(4), [0, 25, 50, 75]);
        assert_eq!(slots(60).len(), 50);
        assert_eq!(slots(1000).len(), 100);
        assert_eq!(slots(0), Vec::<Slot>::new());
        let left = std::cell::Cell::new(3);
        let is_over = || left.replace(left.get() - 1) == 0;
        assert_eq!(sample(&view, 1000, &is_over).1, 3);
    }

    #[test]
    fn an_index_comes_to_be_used() {
        let mut catalog = Catalog::new();
        (1..=3).for_each(|version| put(&mut catalog, version));
        let query = Query::parse("name:\"Name 1\"", Rules::default()).unwrap();
        assert_eq!(catalog.plan(&query).how, How::Scan);
        assert!(catalog.finder().begin() && !catalog.finder().begin());
        let view = catalog.view();
        (4..=100).for_each(|version| put(&mut catalog, version));
        catalog.finder().made(index_of(&view));
        let turns = std::iter::repeat_with(|| catalog.finder().catch_up()).take_while(|more| *more);
        assert_eq!(turns.count(), 97 / STEPS_A_TURN);
        let plan = catalog.plan(&query);
        assert_eq!((plan.how, plan.exact, found(&catalog, &query).len()), (How::Index, true, 100));
    }
}
