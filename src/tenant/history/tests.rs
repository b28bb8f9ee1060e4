//! The follower over a journal the test writes: complete, without repetition, whatever happens.

use super::*;
use crate::domain::change::{Change, Outcome, Provenance};
use crate::domain::document::Document;
use crate::domain::document::tests::jane;
use crate::domain::history::Subject;
use crate::domain::json::Object;
use crate::domain::resource::{Resource, ResourceKind};
use crate::domain::user::{User, UserId};
use crate::journal::testing::SimDisk;
use crate::journal::{Embedded, InMemory, Options};
use crate::store::format;

const UID: TenantUid = TenantUid::DEFAULT;
const KEEP: Keep = Keep { versions: 0, age_ms: 0, bytes: 0 };
const JANE: &str = "auth0|1";

struct Bench {
    folder: tempfile::TempDir,
    disk: SimDisk,
    options: Options,
}

impl Bench {
    fn new() -> Self {
        let options = Options { segment_bytes: 4 << 10, preallocate_bytes: 0, ..Options::new(1) };
        Self { folder: tempfile::tempdir().unwrap(), disk: SimDisk::new(), options }
    }

    fn journal(&self) -> Arc<dyn Journal> {
        Arc::new(Embedded::open(Arc::new(self.disk.clone()), &self.options).unwrap().0)
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("history")
    }

    fn parts(&self, journal: Arc<dyn Journal>, living: &[(u64, u64)]) -> HistoryParts {
        let data = self.folder.path().join("data");
        std::fs::create_dir_all(&data).unwrap();
        HistoryParts {
            folder: self.path(),
            dir: Arc::new(DataDir::open(&data).unwrap().0),
            journal,
            source: Source::Lasting,
            living: living.iter().map(|&(uid, at)| (TenantUid(uid), Version::new(at))).collect(),
            keep: Box::new(|_| KEEP),
            clock: Box::new(Timestamp::default),
        }
    }

    fn follow(&self, journal: &Arc<dyn Journal>) -> History {
        History::start(self.parts(journal.clone(), &[(0, 0)])).unwrap()
    }
}

fn user(version: u64) -> Outcome {
    let made_at = Version::new(1);
    let version = Version::new(version);
    Outcome::User(Document::of(&User { id: UserId::trusted(JANE), version, made_at, ..jane() }))
}

fn write(journal: &dyn Journal, uid: TenantUid, version: u64, outcomes: Vec<Outcome>) {
    let (version, at) = (Version::new(version), Timestamp::default());
    let change = Change { version, at, provenance: Provenance::default(), outcomes };
    let generation = journal.progress().borrow().generation;
    journal.append(generation, format::encode_change(uid, &change)).unwrap();
    journal.flush().unwrap();
}

/// Tenant `uid` of this name, made or gone.
fn tenant(name: &str, uid: u64, is_there: bool) -> Outcome {
    if !is_there {
        return Outcome::ResourceGone(ResourceKind::Tenant, name.to_owned());
    }
    Outcome::Resource(Arc::new(Resource {
        kind: ResourceKind::Tenant,
        id: name.to_owned(),
        version: Version::new(uid),
        body: Object::empty(),
    }))
}

async fn versions_of(history: &History, uid: TenantUid) -> Vec<u64> {
    let look = history.look(uid).await.unwrap();
    let page = look.entries(Subject::User, JANE, Span::Newest, usize::MAX / 2).unwrap();
    page.entries.iter().map(|entry| entry.image.version.get()).rev().collect()
}

#[actix_rt::test]
async fn every_change_is_there_once_however_often_it_stops_and_goes_on() {
    let bench = Bench::new();
    let journal = bench.journal();
    let mut last = 0;
    for round in 0..4 {
        // Some come while it is away, some while it goes along.
        for _ in 0..round * 3 {
            last += 1;
            write(&*journal, UID, last, vec![user(last)]);
        }
        let history = bench.follow(&journal);
        for _ in 0..3 {
            last += 1;
            write(&*journal, UID, last, vec![user(last)]);
            assert_eq!(versions_of(&history, UID).await, (1..=last).collect::<Vec<_>>());
        }
    }
    assert_eq!(bench.follow(&journal).health(), HistoryHealth::Following, "it need not be built");
}

#[actix_rt::test]
async fn a_history_that_is_gone_damaged_or_of_another_journal_is_built_anew() {
    for harm in ["gone", "rubbish", "ahead", "foreign"] {
        let mut bench = Bench::new();
        let journal = bench.journal();
        for version in 1..=5 {
            write(&*journal, UID, version, vec![user(version)]);
        }
        let history = bench.follow(&journal);
        assert_eq!(versions_of(&history, UID).await, [1, 2, 3, 4, 5]);
        drop((history, journal));
        let mut wanted = vec![1, 2, 3, 4, 5];
        match harm {
            "gone" => std::fs::remove_dir_all(bench.path()).unwrap(),
            "rubbish" => std::fs::write(bench.path().join("version"), b"rubbish").unwrap(),
            other => {
                bench.disk = SimDisk::new();
                let journal = bench.journal();
                wanted = if other == "ahead" { vec![1, 2] } else { (1..=9).collect() };
                for version in wanted.iter().copied() {
                    // The same versions, but not the same changes.
                    write(&*journal, UID, version, vec![user(version), tenant("x", 9, true)]);
                }
            }
        }
        let journal = bench.journal();
        let history = bench.follow(&journal);
        assert_eq!(versions_of(&history, UID).await, wanted, "{harm}");
        let aside = bench.folder.path().join("history.damaged");
        assert_eq!(aside.exists(), harm != "gone", "{harm}");
    }
}

#[actix_rt::test]
async fn the_journal_keeps_what_is_not_safe_in_the_history_yet() {
    let bench = Bench::new();
    let journal = bench.journal();
    for version in 1..=40 {
        write(&*journal, UID, version, vec![user(version)]);
    }
    let history = bench.follow(&journal);
    versions_of(&history, UID).await;
    let upto = history.persisted().unwrap();
    assert_eq!(upto, Lsn::new(40));
    journal.purge(upto).unwrap();
    assert!(journal.stats().oldest > Lsn::new(1));
    drop(history);
    let history = bench.follow(&journal);
    assert_eq!(versions_of(&history, UID).await.len(), 40, "what was let go of is still told");
    drop(history);
    for version in 41..=80 {
        write(&*journal, UID, version, vec![user(version)]);
    }
    journal.purge(Lsn::new(70)).unwrap();
    let history = bench.follow(&journal);
    let told = versions_of(&history, UID).await;
    assert!(told.first() > Some(&41), "with a hole it would not be true: {told:?}");
}

#[actix_rt::test]
async fn a_tenant_takes_its_history_along() {
    let bench = Bench::new();
    let journal = bench.journal();
    let history = bench.follow(&journal);
    write(&*journal, UID, 1, vec![tenant("alpha", 1, true)]);
    write(&*journal, TenantUid(1), 1, vec![user(1)]);
    write(&*journal, TenantUid(1), 2, vec![user(2)]);
    assert_eq!(versions_of(&history, TenantUid(1)).await, [1, 2]);
    write(&*journal, UID, 2, vec![tenant("alpha", 1, false)]);
    write(&*journal, TenantUid(1), 3, vec![user(3)]);
    assert!(versions_of(&history, TenantUid(1)).await.is_empty());
    drop(history);
    // Built anew it passes over what the journal still has of those that are gone.
    std::fs::remove_dir_all(bench.path()).unwrap();
    let history = bench.follow(&journal);
    assert!(versions_of(&history, TenantUid(1)).await.is_empty());
}

#[actix_rt::test]
async fn a_journal_in_memory_is_let_go_of_behind_the_follower() {
    let bench = Bench::new();
    for round in 0..3_u64 {
        let journal: Arc<dyn Journal> = Arc::new(InMemory::keeping());
        let parts = bench.parts(journal.clone(), &[(0, round)]);
        let history = History::start(HistoryParts { source: Source::Passing, ..parts }).unwrap();
        for version in round + 1..round + 4 {
            write(&*journal, UID, version, vec![user(version)]);
        }
        // The round before went further; its state was lost.
        assert_eq!(versions_of(&history, UID).await, (1..round + 4).collect::<Vec<_>>());
        assert_eq!(journal.stats().size_bytes, 0);
    }
}
