//! What every engine must do.

use super::*;
use crate::journal::InMemory;

fn embedded() -> Box<dyn Journal> {
    Box::new(open(&SimDisk::new()))
}

fn embedded_at_intervals() -> Box<dyn Journal> {
    let durability = crate::journal::Durability::Interval(Duration::from_millis(1));
    let options = Options { durability, ..options() };
    Box::new(Embedded::open(Arc::new(SimDisk::new()), &options).unwrap().0)
}

fn on_a_real_disk() -> Box<dyn Journal> {
    let folder = tempfile::tempdir().unwrap();
    let disk = crate::journal::OsDisk::open(&folder.path().join("journal")).unwrap();
    let journal = Embedded::open(Arc::new(disk), &options()).unwrap().0;
    Box::new(InFolder { journal, _folder: folder })
}

fn in_memory() -> Box<dyn Journal> {
    Box::new(InMemory::keeping())
}

/// A journal that takes its folder along when it goes.
#[derive(Debug)]
struct InFolder {
    journal: Embedded,
    _folder: tempfile::TempDir,
}

impl Journal for InFolder {
    fn append(&self, generation: u32, payload: Vec<u8>) -> Result<Lsn, AppendError> {
        self.journal.append(generation, payload)
    }
    fn progress(&self) -> tokio::sync::watch::Receiver<Progress> {
        self.journal.progress()
    }
    fn replay(
        &self,
        after: Lsn,
        visit: &mut dyn FnMut(Lsn, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        self.journal.replay(after, visit)
    }
    fn cursor(&self, after: Lsn) -> Box<dyn crate::journal::Cursor> {
        self.journal.cursor(after)
    }
    fn purge(&self, upto: Lsn) -> Result<(), JournalError> {
        self.journal.purge(upto)
    }
    fn flush(&self) -> Result<Lsn, JournalError> {
        self.journal.flush()
    }
    fn stats(&self) -> crate::journal::Stats {
        self.journal.stats()
    }
}

#[track_caller]
fn check(law: impl Fn(&dyn Journal)) {
    for make in [embedded, embedded_at_intervals, on_a_real_disk, in_memory] {
        law(&*make());
    }
}

#[test]
fn an_empty_journal_has_nothing_to_replay() {
    check(|journal| {
        assert_eq!(all(journal), []);
        assert_eq!(journal.progress().borrow().durable, Lsn::ZERO);
        assert_eq!(journal.flush().unwrap(), Lsn::ZERO);
    });
}

#[test]
fn records_come_back_in_the_order_of_their_places() {
    check(|journal| {
        for number in 1..=30 {
            assert_eq!(append(journal, &payload(number)), Ok(Lsn::new(number)));
        }
        assert_eq!(journal.flush().unwrap(), Lsn::new(30));
        assert_eq!(journal.progress().borrow().synced, Lsn::new(30));
        assert_eq!(all(journal), payloads(30));
    });
}

#[test]
fn replay_begins_after_a_place_and_ends_when_told() {
    check(|journal| {
        for number in 1..=30 {
            append_durably(journal, &payload(number));
        }
        for after in 0..=31 {
            let wanted = payloads(30).split_off(usize::try_from(after).unwrap().min(30));
            assert_eq!(try_all(journal, Lsn::new(after)).unwrap(), wanted);
        }
        let mut seen = 0;
        let visit = &mut |lsn: Lsn, _: &[u8]| {
            seen = lsn.get();
            if seen == 17 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        journal.replay(Lsn::ZERO, visit).unwrap();
        assert_eq!(seen, 17);
    });
}

#[test]
fn only_what_is_durable_is_replayed_and_it_only_grows() {
    check(|journal| {
        let mut durable = Lsn::ZERO;
        for number in 1..=50 {
            append(journal, &payload(number)).unwrap();
            let now = journal.progress().borrow().durable;
            assert!(now >= durable);
            durable = now;
            assert!(all(journal).len() >= usize::try_from(durable.get()).unwrap());
        }
    });
}

#[test]
fn what_was_purged_cannot_be_asked_for() {
    check(|journal| {
        for number in 1..=50 {
            append_durably(journal, &payload(number));
        }
        journal.purge(Lsn::new(30)).unwrap();
        let oldest = journal.stats().oldest;
        assert!(oldest > Lsn::new(1) && oldest <= Lsn::new(31), "{oldest}");
        let wanted = payloads(50).split_off(usize::try_from(oldest.get()).unwrap() - 1);
        assert_eq!(try_all(journal, oldest.previous()).unwrap(), wanted);
        let error = try_all(journal, Lsn::ZERO).unwrap_err();
        assert!(matches!(error, JournalError::Purged { .. }), "{error}");
        append_durably(journal, b"goes on");
    });
}

#[test]
fn a_cursor_goes_on_where_it_stopped_and_sees_every_record_once() {
    check(|journal| {
        for max_bytes in [1, 40, 1 << 20] {
            let (mut cursor, mut seen) = (journal.cursor(Lsn::ZERO), Vec::new());
            for round in 0..6 {
                for number in 1..=10 {
                    append(journal, &payload(round * 10 + number)).unwrap();
                }
                journal.flush().unwrap();
                let upto = journal.progress().borrow().synced;
                while cursor.place() < upto {
                    let visit =
                        &mut |lsn: Lsn, bytes: &[u8]| seen.push((lsn.get(), bytes.to_vec()));
                    cursor.read(max_bytes, visit).unwrap();
                }
                assert!(
                    !cursor.read(max_bytes, &mut |_, _| unreachable!("nothing is new")).unwrap()
                );
            }
            assert_eq!(seen, all(journal), "{max_bytes}");
        }
    });
}

#[test]
fn a_cursor_begins_after_any_place_and_survives_a_purge_behind_it() {
    check(|journal| {
        for number in 1..=50 {
            append_durably(journal, &payload(number));
        }
        journal.flush().unwrap();
        for after in 0..=50 {
            let (mut cursor, mut seen) = (journal.cursor(Lsn::new(after)), Vec::new());
            cursor.read(1 << 20, &mut |lsn, bytes| seen.push((lsn.get(), bytes.to_vec()))).unwrap();
            assert_eq!(seen, payloads(50).split_off(usize::try_from(after).unwrap()));
        }
        let (mut ahead, mut behind) = (journal.cursor(Lsn::new(40)), journal.cursor(Lsn::ZERO));
        journal.purge(Lsn::new(40)).unwrap();
        let mut seen = 0;
        ahead.read(1 << 20, &mut |_, _| seen += 1).unwrap();
        assert_eq!(seen, 10);
        let error = behind.read(1, &mut |_, _| {}).unwrap_err();
        assert!(matches!(error, JournalError::Purged { .. }), "{error}");
    });
}

#[test]
fn an_append_of_another_generation_is_stale() {
    check(|journal| {
        assert_eq!(journal.append(7, vec![]), Err(AppendError::Stale { generation: 0 }));
        assert_eq!(journal.append(0, vec![]), Ok(Lsn::new(1)));
    });
}

#[test]
fn many_threads_share_one_order() {
    check(|journal| {
        std::thread::scope(|scope| {
            for thread in 0..4_u8 {
                scope.spawn(move || {
                    for number in 0..100_u8 {
                        while append(journal, &[thread, number]).is_err() {}
                    }
                });
            }
        });
        assert_eq!(journal.flush().unwrap(), Lsn::new(400));
        let records = all(journal);
        assert!(records.iter().map(|&(lsn, _)| lsn).eq(1..=400));
        for thread in 0..4 {
            let own = records.iter().filter(|(_, payload)| payload[0] == thread);
            assert!(own.map(|(_, payload)| payload[1]).eq(0..100));
        }
    });
}

#[test]
fn a_journal_that_forgets_still_counts() {
    let journal = InMemory::forgetting();
    for number in 1..=5 {
        append_durably(&journal, &payload(number));
    }
    assert_eq!(journal.progress().borrow().durable, Lsn::new(5));
    assert_eq!(try_all(&journal, Lsn::ZERO).unwrap(), []);
    journal.purge(Lsn::new(3)).unwrap();
}
