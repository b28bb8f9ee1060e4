//! The law of power cuts: every acknowledged record survives any legal state of the disk.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::journal::testing::{Fault, Operation};
use crate::journal::{Durability, Reader, last_synced};

#[derive(Clone, Debug)]
enum Step {
    /// Append records of these sizes, and wait for the last if asked to.
    Append { sizes: Vec<usize>, is_waited_for: bool },
    /// Let go of what is old.
    Purge,
    /// Cut the power; the numbers decide what of the unsynced part survives.
    CutPower { chance: u64, percent: u64 },
    /// Kill the process; the page cache lives on.
    Kill,
    /// Hold syncs back until the next cut, so that much is under way.
    HoldSyncs,
    /// Let one sync pass; what waited since is written and held back in its turn.
    ReleaseOne,
    /// Make the next sync fail, which poisons the journal until the next crash.
    FailSync,
    /// Let only so many more bytes onto the disk, or as many as wanted.
    Limit(Option<usize>),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let sizes = prop::collection::vec(prop_oneof![0..60_usize, 0..1500_usize], 1..12);
    let step = prop_oneof![
        6 => (sizes, any::<bool>())
            .prop_map(|(sizes, is_waited_for)| Step::Append { sizes, is_waited_for }),
        1 => Just(Step::Purge),
        2 => (any::<u64>(), 0..=100_u64)
            .prop_map(|(chance, percent)| Step::CutPower { chance, percent }),
        1 => Just(Step::Kill),
        3 => Just(Step::HoldSyncs),
        3 => Just(Step::ReleaseOne),
        1 => Just(Step::FailSync),
        1 => prop::option::of(0..2000_usize).prop_map(Step::Limit),
    ];
    prop::collection::vec(step, 1..14)
}

struct World {
    disk: SimDisk,
    journal: Option<Embedded>,
    is_holding: bool,
    is_failing: bool,
    options: Options,
    /// What was given a place since the last crash, or survived it.
    appended: BTreeMap<u64, Vec<u8>>,
    acknowledged: u64,
    failed: Vec<(Lsn, Lsn)>,
    oldest: u64,
    written: u8,
    /// How often a mark was there to be asked.
    marks: usize,
}

fn witnessed(disk: &SimDisk, options: &Options) -> Embedded {
    Embedded::open_witnessed(Arc::new(disk.clone()), Some(disk), options).unwrap().0
}

impl World {
    fn new(options: Options) -> Self {
        let disk = SimDisk::new();
        Self {
            journal: Some(witnessed(&disk, &options)),
            disk,
            is_holding: false,
            is_failing: false,
            options,
            appended: BTreeMap::new(),
            acknowledged: 0,
            failed: Vec::new(),
            oldest: 1,
            written: 0,
            marks: 0,
        }
    }

    fn journal(&self) -> &Embedded {
        self.journal.as_ref().unwrap()
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Append { sizes, is_waited_for } => self.append(sizes, *is_waited_for),
            Step::Purge if !self.is_holding => {
                let durable = self.journal().progress().borrow().durable.get();
                // A full disk may refuse; nothing has changed then.
                drop(self.journal().purge(Lsn::new(durable / 2)));
                self.oldest = self.journal().stats().oldest.get();
            }
            Step::Purge => {}
            Step::CutPower { chance, percent } => {
                let mut state = *chance;
                self.crash(Some(&mut || {
                    state = crate::journal::active::mix(state);
                    state % 100 < *percent
                }));
            }
            Step::Kill => self.crash(None),
            Step::HoldSyncs => {
                self.disk.hold_syncs();
                self.is_holding = true;
            }
            Step::ReleaseOne => {
                let is_more_to_write = self.journal().stats().waiting > 0;
                let is_released = self.disk.release_one_sync();
                if is_released && is_more_to_write && !self.is_failing {
                    self.disk.wait_for_held_sync();
                }
            }
            Step::FailSync => {
                self.is_failing = true;
                let (operation, errno) = (Operation::Sync, 5);
                self.disk.inject(Fault { operation, after_calls: 0, errno, written_bytes: 0 });
            }
            Step::Limit(room) => {
                self.disk.set_capacity(room.map(|room| self.disk.used_bytes() + room));
                if room.is_none() && !self.is_holding {
                    let is_decided = |progress: &Progress| match progress.health {
                        Health::Ok | Health::Poisoned { .. } => true,
                        Health::Full { .. } => false,
                    };
                    wait_until(self.journal(), is_decided);
                }
            }
        }
    }

    fn append(&mut self, sizes: &[usize], is_waited_for: bool) {
        let mut last = None;
        for &size in sizes {
            self.written = self.written.wrapping_add(1);
            let payload = vec![self.written; size];
            if let Ok(lsn) = append(self.journal(), &payload) {
                self.appended.insert(lsn.get(), payload);
                last = Some(lsn);
            }
        }
        if let Some(last) = last.filter(|_| is_waited_for && !self.is_holding) {
            wait_until(self.journal(), |progress| progress.outcome(last).is_some());
        }
    }

    fn crash(&mut self, survives: Option<&mut dyn FnMut() -> bool>) {
        // First what is promised, then what is there: more may become durable in between.
        let progress = self.journal().progress().borrow().clone();
        let crashed = self.disk.fork();
        let promised = if survives.is_some() { progress.synced } else { progress.durable };
        self.acknowledged = promised.get().max(self.acknowledged);
        self.failed.extend(progress.failed.iter());
        self.disk.release_syncs();
        self.journal = None;
        if let Some(survives) = survives {
            crashed.cut_power(survives);
        }
        self.disk = crashed;
        self.is_holding = false;
        self.is_failing = false;
        // The mark beside it tells of nothing that is not there.
        if let Some(synced) = last_synced(&self.disk).unwrap() {
            Reader::open(self.disk.clone()).unwrap().refuse_other(&synced).unwrap();
            self.marks += 1;
        }
        self.journal = Some(witnessed(&self.disk, &self.options));
        self.check();
    }

    fn check(&mut self) {
        let records = all(self.journal());
        for (lsn, payload) in &records {
            assert_eq!(self.appended.get(lsn), Some(payload), "record {lsn} is another one");
        }
        let found: BTreeMap<u64, Vec<u8>> = records.into_iter().collect();
        for lsn in self.oldest..=self.acknowledged {
            let has_failed =
                self.failed.iter().any(|&(first, last)| (first..=last).contains(&Lsn::new(lsn)));
            assert_eq!(!has_failed, found.contains_key(&lsn), "acknowledged record {lsn}");
        }
        self.appended = found;
        // What is shown after a start is as good as acknowledged.
        let last = self.journal().progress().borrow().durable.get();
        self.acknowledged = last;
        self.failed.retain(|(first, _)| first.get() <= last);
        let bounds = (self.oldest, self.journal().stats().oldest.get());
        assert!(bounds.0 <= bounds.1 || bounds.1 == 1, "{bounds:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_acknowledged_record_survives_any_crash(
        steps in steps(),
        segment_bytes in prop_oneof![Just(400_u64), Just(6000)],
        is_synced_always in any::<bool>(),
    ) {
        let durability = if is_synced_always {
            Durability::Always
        } else {
            Durability::Interval(Duration::from_hours(1))
        };
        let mut world = World::new(Options { durability, segment_bytes, ..options() });
        for step in &steps {
            world.take(step);
        }
        world.crash(Some(&mut || false));
        world.crash(None);
        prop_assert!(world.marks > 0);
    }
}
