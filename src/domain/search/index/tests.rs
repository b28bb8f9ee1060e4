//! The law of the index: asking its candidates answers as asking everyone does.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{Candidates, How, Index, IndexLimits, Plan, Reason, ValueCount};
use crate::domain::search::tests::generate::{query, user};
use crate::domain::search::{Query, Record, Rules, Sort};

type Users = BTreeMap<u32, String>;

#[derive(Clone, Debug)]
enum Step {
    Put(u32, String),
    Remove(u32),
}

impl Step {
    fn moved(self, by: u32) -> Self {
        match self {
            Self::Put(slot, user) => Self::Put(slot.wrapping_add(by), user),
            Self::Remove(slot) => Self::Remove(slot.wrapping_add(by)),
        }
    }
}

fn history() -> impl Strategy<Value = Vec<Step>> {
    let slot = || prop_oneof![0..12_u32, Just(u32::MAX)];
    let step = prop_oneof![
        3 => (slot(), user()).prop_map(|(slot, user)| Step::Put(slot, user)),
        1 => slot().prop_map(Step::Remove),
    ];
    prop::collection::vec(step, 1..24)
}

fn limits() -> impl Strategy<Value = IndexLimits> {
    prop_oneof![
        Just(IndexLimits::default()),
        (0..12_usize, 0..5_usize, prop_oneof![0..6_usize, Just(1000)]).prop_map(
            |(max_paths, dictionary_max, walk_max)| IndexLimits {
                max_paths,
                dictionary_max,
                walk_max
            }
        ),
    ]
}

fn play(index: &mut Index, users: &mut Users, steps: &[Step]) {
    for step in steps {
        match step {
            Step::Put(slot, user) => match users.insert(*slot, user.clone()) {
                Some(old) => index.replace(*slot, &old, user),
                None => index.insert(*slot, user),
            },
            Step::Remove(slot) => {
                if let Some(old) = users.remove(slot) {
                    index.remove(*slot, &old);
                }
            }
        }
    }
}

fn built(users: &Users, limits: IndexLimits) -> Index {
    let mut index = Index::new(limits);
    for (slot, user) in users {
        index.insert(*slot, user);
    }
    index
}

fn scanned(users: &Users, query: &Query) -> Vec<u32> {
    users
        .iter()
        .filter(|(_, user)| query.matches(&Record::new(user)))
        .map(|(slot, _)| *slot)
        .collect()
}

/// Answers as a tenant does: from the plan, asking the candidates where it is not exact.
fn answered(index: &Index, users: &Users, query: &Query) -> Vec<u32> {
    let plan = index.plan(query);
    let candidates: Vec<u32> = match &plan.candidates {
        Candidates::All => users.keys().copied().collect(),
        Candidates::Only(slots) => slots.iter().collect(),
    };
    let holds = |slot: &u32| plan.exact || query.matches(&Record::new(&users[slot]));
    candidates.into_iter().filter(holds).collect()
}

fn parse(text: &str) -> Query {
    Query::parse(text, Rules::default()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn the_index_answers_as_a_scan(
        steps in history(),
        limits in limits(),
        queries in prop::collection::vec(query(), 1..20),
    ) {
        let (mut index, mut users) = (Index::new(limits), Users::new());
        for part in steps.chunks(8) {
            play(&mut index, &mut users, part);
            for text in &queries {
                let query = parse(text);
                let plan = index.plan(&query);
                prop_assert_eq!(answered(&index, &users, &query), scanned(&users, &query), "{} by {:?} on {:?}", query, plan, users);
            }
        }
    }

    #[test]
    fn merged_indexes_answer_as_one(
        (first, second, after) in (history(), history(), history()),
        limits in limits(),
        queries in prop::collection::vec(query(), 1..20),
    ) {
        let (mut index, mut users) = (Index::new(limits), Users::new());
        play(&mut index, &mut users, &first);
        let (mut other, mut others) = (Index::new(limits), Users::new());
        let moved: Vec<Step> = second.into_iter().map(|step| step.moved(20)).collect();
        play(&mut other, &mut others, &moved);
        index.absorb(other);
        users.append(&mut others);
        for steps in [Vec::new(), after] {
            play(&mut index, &mut users, &steps);
            for text in &queries {
                let query = parse(text);
                let plan = index.plan(&query);
                prop_assert_eq!(answered(&index, &users, &query), scanned(&users, &query), "{} by {:?} on {:?}", query, plan, users);
            }
        }
        if limits == IndexLimits::default() {
            let fresh = built(&users, limits);
            prop_assert_eq!(index.paths().collect::<Vec<_>>(), fresh.paths().collect::<Vec<_>>());
        }
        let gone: Vec<Step> = users.keys().map(|slot| Step::Remove(*slot)).collect();
        play(&mut index, &mut users, &gone);
        prop_assert_eq!((index.paths().count(), index.path_count(), index.sets.in_use()), (0, 0, 0));
    }

    #[test]
    fn a_changed_index_is_the_index_of_what_is_left(steps in history()) {
        let (mut index, mut users) = (Index::new(IndexLimits::default()), Users::new());
        play(&mut index, &mut users, &steps);
        let fresh = built(&users, IndexLimits::default());
        prop_assert_eq!(index.paths().collect::<Vec<_>>(), fresh.paths().collect::<Vec<_>>());
        prop_assert_eq!(index.path_count(), fresh.path_count());
        for path in fresh.paths() {
            prop_assert_eq!(index.values(&path.path, "", 99), fresh.values(&path.path, "", 99));
        }
    }

    #[test]
    fn nothing_is_left_when_everyone_is_gone(steps in history(), limits in limits()) {
        let (mut index, mut users) = (Index::new(limits), Users::new());
        play(&mut index, &mut users, &steps);
        let gone: Vec<Step> = users.keys().map(|slot| Step::Remove(*slot)).collect();
        play(&mut index, &mut users, &gone);
        prop_assert_eq!(index.paths().count(), 0);
        prop_assert_eq!(index.path_count(), 0);
        prop_assert!(index.slots().is_empty());
        prop_assert_eq!(index.sets.in_use(), 0);
    }

    #[test]
    fn the_order_of_the_index_is_that_of_the_keys(steps in history(), field in prop::sample::select(vec!["email", "name", "created_at", "logins_count", "user_id"]), descending: bool) {
        let (mut index, mut users) = (Index::new(IndexLimits::default()), Users::new());
        play(&mut index, &mut users, &steps);
        let sort = Sort::parse(&format!("{field}:{}", if descending { "-1" } else { "1" })).unwrap();
        if let Some(ordered) = index.ordered(&sort) {
            let mut expected: Vec<u32> = users.keys().copied().collect();
            let key = |slot: &u32| sort.key(&Record::new(&users[slot]));
            expected.sort_by(|left, right| sort.compare(key(left).as_ref(), key(right).as_ref()));
            prop_assert_eq!(ordered.collect::<Vec<_>>(), expected);
        }
    }
}

#[test]
fn a_merge_keeps_what_always_has_room() {
    let limits = IndexLimits { max_paths: 0, ..IndexLimits::default() };
    let mut index = Index::new(limits);
    index.insert(1, r#"{"email":"a@x.org"}"#);
    let mut other = Index::new(limits);
    other.insert(2, r#"{"email":[{"b":1}]}"#);
    index.absorb(other);
    check_plan(&index, "email.domain:x.org", How::Index, Some(1), &[]);
    check_plan(&index, "email.b:1", How::Scan, None, &[Reason::NoRoom]);
}

#[test]
fn large_indexes_merge_by_value() {
    let users = numbered(5000);
    let mut parts = Vec::new();
    for part in 0..4_u32 {
        let of_part = users.iter().filter(|(slot, _)| *slot % 4 == part);
        let of_part: Users = of_part.map(|(slot, user)| (*slot, user.clone())).collect();
        parts.push(built(&of_part, IndexLimits::default()));
    }
    let mut merged = Index::new(IndexLimits::default());
    for part in parts {
        merged.absorb(part);
    }
    let whole = built(&users, IndexLimits::default());
    assert_eq!(merged.paths().collect::<Vec<_>>(), whole.paths().collect::<Vec<_>>());
    for text in [
        "app_metadata.plan:gold",
        "created_at:2025-01",
        "user_id:auth0|77*",
        "app_metadata.key:k77",
    ] {
        assert_eq!(merged.plan(&parse(text)), whole.plan(&parse(text)), "{text}");
    }
}

fn numbered(count: u32) -> Users {
    let user = |slot| {
        format!(
            r#"{{"user_id":"auth0|{slot}","email":"u{slot}@x{}.org","created_at":"2025-01-01T00:00:{:02}.000Z","app_metadata":{{"plan":"{}","seats":{},"key":"k{slot}"}}}}"#,
            slot % 3,
            slot % 60,
            if slot % 2 == 0 { "gold" } else { "free" },
            slot % 100,
        )
    };
    (0..count).map(|slot| (slot, user(slot))).collect()
}

#[track_caller]
fn check_plan(index: &Index, text: &str, how: How, count: Option<u64>, reasons: &[Reason]) {
    let Plan { candidates, how: found, unindexed, .. } = index.plan(&parse(text));
    let length = match candidates {
        Candidates::All => None,
        Candidates::Only(slots) => Some(slots.len()),
    };
    let found_reasons: Vec<Reason> = unindexed.iter().map(|term| term.reason).collect();
    assert_eq!((found, length, found_reasons.as_slice()), (how, count, reasons), "{text}");
}

#[test]
fn a_plan_says_where_the_answer_comes_from() {
    let limits = IndexLimits { dictionary_max: 500, walk_max: 1600, max_paths: 3 };
    let mut users = numbered(1000);
    users.insert(1000, r#"{"user_id":"x","user_metadata":{"late":1}}"#.to_owned());
    let index = built(&users, limits);
    check_plan(&index, "app_metadata.plan:gold", How::Index, Some(500), &[]);
    check_plan(&index, "NOT app_metadata.plan:gold", How::Index, Some(501), &[]);
    check_plan(&index, "app_metadata.seats:[10 TO 19]", How::Index, Some(100), &[]);
    check_plan(
        &index,
        "email.domain:x0.org AND app_metadata.plan:gold",
        How::Index,
        Some(167),
        &[],
    );
    check_plan(&index, "user_id:auth0|7*", How::Index, Some(111), &[]);
    check_plan(&index, "created_at:[* TO 2025-01-01T00:00:09Z]", How::Index, Some(170), &[]);
    check_plan(&index, "app_metadata.key:k77", How::Hybrid, Some(1), &[]);
    check_plan(&index, "app_metadata.key:nothing", How::Index, Some(0), &[]);
    check_plan(&index, "app_metadata.key:k7*", How::Scan, None, &[Reason::OnlyHashes]);
    check_plan(
        &index,
        "app_metadata.key:k7* AND app_metadata.plan:gold",
        How::Hybrid,
        Some(500),
        &[Reason::OnlyHashes],
    );
    check_plan(
        &index,
        "app_metadata.key:k7* OR app_metadata.plan:gold",
        How::Scan,
        None,
        &[Reason::OnlyHashes],
    );
    check_plan(&index, "app_metadata.key:k77 AND user_id:*7*", How::Hybrid, Some(1), &[]);
    check_plan(&index, "user_id:*7*", How::Scan, None, &[Reason::TooManyValues]);
    check_plan(
        &index,
        "user_id:*7* AND app_metadata.seats:[10 TO 49]",
        How::Hybrid,
        Some(400),
        &[Reason::TooManyValues],
    );
    check_plan(&index, "user_metadata.late:1", How::Scan, None, &[Reason::NoRoom]);
    check_plan(&index, "_exists_:user_metadata", How::Index, Some(1), &[]);
    check_plan(&index, "app_metadata.unknown:1", How::Index, Some(0), &[]);
    check_plan(&index, "picture:1", How::Index, Some(0), &[]);
    check_plan(&index, "", How::Index, None, &[]);
    assert_eq!(index.paths_without_room(), ["user_metadata.late"]);
}

#[test]
fn paths_and_values_can_be_listed() {
    let index = built(&numbered(10), IndexLimits::default());
    let paths: Vec<String> = index.paths().map(|info| info.path).collect();
    let expected = [
        "app_metadata",
        "app_metadata.key",
        "app_metadata.plan",
        "app_metadata.seats",
        "created_at",
        "email",
        "email.domain",
        "user_id",
    ];
    assert_eq!(paths, expected);
    let plan = index.paths().nth(2).unwrap();
    assert_eq!(
        (plan.distinct, plan.users, plan.kinds.texts, plan.kinds.numbers),
        (Some(2), 10, true, false)
    );
    let gold = ValueCount { text: "gold".to_owned(), users: 5 };
    assert_eq!(index.values("app_metadata.plan", "g", 10), Ok(vec![gold]));
    assert_eq!(index.values("email", "U1", 10).unwrap().len(), 1);
    assert_eq!(index.values("app_metadata.key", "k", 3).unwrap().len(), 3);
    assert!(index.values("not a path", "", 1).is_err());
}

#[test]
fn what_is_not_searchable_is_not_indexed() {
    let mut index = Index::new(IndexLimits::default());
    index.insert(
        1,
        r#"{"picture":"p","email":{"domain":"x"},"identities":[{"provider":"p","access_token":"t"}]}"#,
    );
    let paths: Vec<String> = index.paths().map(|info| info.path).collect();
    assert_eq!(paths, ["email", "identities", "identities.provider"]);
}

#[test]
fn a_path_of_many_times_is_not_asked_for_dates_by_hash() {
    let limits = IndexLimits { dictionary_max: 2, ..IndexLimits::default() };
    let mut users: Users = numbered(9);
    users.insert(9, r#"{"app_metadata":{"key":"2025-12-31T23:30:00Z"}}"#.to_owned());
    let index = built(&users, limits);
    check_plan(&index, "app_metadata.key:2025-12-31", How::Scan, None, &[Reason::OnlyHashes]);
    check_plan(&index, "app_metadata.key:2025", How::Index, Some(0), &[]);
    assert_eq!(answered(&index, &users, &parse("app_metadata.key:2025-12-31")), [9]);
}

#[test]
fn a_range_of_days_needs_one_set_a_day() {
    let limits = IndexLimits { walk_max: 1000, ..IndexLimits::default() };
    let mut index = Index::new(limits);
    for slot in 0..3000 {
        let (day, second, milli) = (1 + slot % 30, slot / 60, slot % 1000);
        index.insert(
            slot,
            &format!(r#"{{"created_at":"2025-06-{day:02}T00:00:{second:02}.{milli:03}Z"}}"#),
        );
    }
    check_plan(&index, "created_at:[* TO 2025-06-15]", How::Index, Some(1500), &[]);
    check_plan(&index, "created_at:2025-06", How::Index, Some(3000), &[]);
    check_plan(
        &index,
        "created_at:{2025-06-29 TO 2025-06-30T00:00:09Z]",
        How::Index,
        Some(20),
        &[],
    );
    check_plan(&index, "created_at:[2025-06-30T00:00:01Z TO *]", How::Index, Some(98), &[]);
}

#[test]
fn a_day_is_forgotten_with_the_last_time_in_it() {
    let mut index = Index::new(IndexLimits::default());
    let two = r#"{"created_at":["2025-06-01T00:00:00.000Z","2025-06-01T09:00:00.000Z"]}"#;
    let one = r#"{"created_at":["2025-06-01T09:00:00.000Z"]}"#;
    index.insert(1, two);
    index.replace(1, two, one);
    check_plan(&index, "created_at:2025-06-01", How::Index, Some(1), &[]);
    index.replace(1, one, r#"{"created_at":[]}"#);
    check_plan(&index, "created_at:2025-06-01", How::Index, Some(0), &[]);
}

#[test]
fn long_texts_do_not_fill_a_dictionary() {
    let mut index = Index::new(IndexLimits::default());
    for slot in 0..200 {
        let long = "x".repeat(10_000);
        index.insert(slot, &format!(r#"{{"app_metadata":{{"note":"{slot}{long}"}}}}"#));
    }
    let note = index.paths().find(|info| info.path == "app_metadata.note").unwrap();
    assert_eq!((note.distinct, note.users), (None, 200));
}
