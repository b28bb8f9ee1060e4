//! Power cuts at random moments, each compared with everything that was ever handed to the journal.
//!
//! A version that failed for want of space is given to another change, so a version alone does not
//! say what it held. Places in the journal are never used twice: they do.

use crate::harness::house::{House, NOW, options, reopen, seeds};
use actix_rt::System;
use dossier::domain::change::{Change, Outcome};
use dossier::domain::command::{Command, NewUser, PICTURE_HOST, UserPatch};
use dossier::domain::json::Object;
use dossier::domain::permit::Caller;
use dossier::domain::user::{Profile, UserId};
use dossier::journal::testing::{Fault, Operation, SimDisk};
use dossier::journal::{AppendError, Disk, Embedded, Journal, JournalError, Lsn, Progress, Stats};
use dossier::store::format::{self, TenantUid};
use dossier::tenant::{
    Answer, TenantDefinition, TenantError, TenantHandle, by_server, server_provenance,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

const ENOSPC: i32 = 28;

/// A step of a random history.
#[derive(Clone, Debug)]
enum Step {
    /// A write to one of two tenants, not waited for.
    Write { tenant: usize, user: usize, kind: u8 },
    /// Syncs wait from now on.
    Hold,
    /// One sync may pass.
    ReleaseOne,
    /// Syncs pass again, and everything asked for is waited for.
    Settle,
    /// The next write of the journal finds the disk full after so many bytes.
    Full(usize),
    /// The power goes; which of the unsynced sectors survive comes from a seed.
    Cut(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..2_usize, 0..3_usize, any::<u8>())
            .prop_map(|(tenant, user, kind)| Step::Write { tenant, user, kind }),
        1 => Just(Step::Hold),
        2 => Just(Step::ReleaseOne),
        2 => Just(Step::Settle),
        1 => (0..200_usize).prop_map(Step::Full),
        3 => any::<u64>().prop_map(Step::Cut),
    ]
}

fn command(user: usize, kind: u8) -> Command {
    let account = format!("user{user}");
    let id = UserId::trusted(&format!("auth0|{account}"));
    match kind % 8 {
        0..=1 => Command::CreateUser(Box::new(NewUser {
            account: account.clone(),
            connection: "Username-Password-Authentication".to_owned(),
            profile: Profile {
                email: Some(format!("{account}@example.com")),
                ..Profile::default()
            },
            user_metadata: None,
            app_metadata: None,
            password: Some("no password hash of any kind".to_owned()),
            picture_host: PICTURE_HOST,
        })),
        2 => Command::DeleteUser { id },
        _ => {
            let text = format!(r#"{{"k{}":"{}"}}"#, kind % 16, "v".repeat(usize::from(kind) * 4));
            let bag = Object::parse(&text, 4).unwrap();
            let patch = UserPatch { user_metadata: Some(bag), ..UserPatch::default() };
            Command::UpdateUser { id, patch: Box::new(patch) }
        }
    }
}

/// Records by their place.
type Records = BTreeMap<Lsn, Vec<u8>>;

/// A journal that remembers everything it was ever given.
#[derive(Debug)]
struct Recorder<J> {
    inner: J,
    given: Mutex<Records>,
}

impl<J: Journal> Journal for Recorder<J> {
    fn append(&self, generation: u32, payload: Vec<u8>) -> Result<Lsn, AppendError> {
        let mut given = self.given.lock().unwrap();
        let lsn = self.inner.append(generation, payload.clone())?;
        assert_eq!(given.insert(lsn, payload), None, "a place was given out twice");
        Ok(lsn)
    }

    fn progress(&self) -> watch::Receiver<Progress> {
        self.inner.progress()
    }

    fn replay(
        &self,
        after: Lsn,
        visit: &mut dyn FnMut(Lsn, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), JournalError> {
        self.inner.replay(after, visit)
    }

    fn cursor(&self, after: Lsn) -> Box<dyn dossier::journal::Cursor> {
        self.inner.cursor(after)
    }

    fn purge(&self, upto: Lsn) -> Result<(), JournalError> {
        self.inner.purge(upto)
    }

    fn flush(&self) -> Result<Lsn, JournalError> {
        self.inner.flush()
    }

    fn stats(&self) -> Stats {
        self.inner.stats()
    }
}

/// A disk on which the power went, and what was known before.
struct Cut {
    disk: SimDisk,
    /// Everything that the journal had been given.
    given: Records,
    /// What it had told of that.
    told: Progress,
    /// The changes that had been acknowledged, as records.
    acknowledged: Vec<Vec<u8>>,
}

impl Cut {
    /// What may be left is exactly this: all that was told to be durable, nothing that was told to
    /// have failed, and of the rest the first few.
    fn check(&self) {
        let (journal, restored) = reopen(&self.disk, &options());
        let mut left = Records::new();
        journal
            .replay(Lsn::ZERO, &mut |lsn, payload| {
                left.insert(lsn, payload.to_vec());
                ControlFlow::Continue(())
            })
            .unwrap();
        let mut wanted = self.given.clone();
        wanted.retain(|lsn, _| self.told.outcome(*lsn).is_none_or(|outcome| outcome.is_ok()));
        let count = left.len();
        let is_beginning = left.iter().eq(wanted.iter().take(count));
        assert!(is_beginning, "left {:?}, of {:?}", left.keys(), wanted.keys());
        let last = wanted.keys().rfind(|lsn| self.told.outcome(**lsn).is_some());
        assert!(left.keys().next_back() >= last, "durable up to {last:?}, {:?}", left.keys());
        for record in &self.acknowledged {
            assert!(left.values().any(|one| one == record), "an acknowledged write is gone");
        }
        let expected = replayed(&left);
        for (uid, state) in &restored.states {
            let view = state.view();
            let users: BTreeMap<String, String> =
                view.users().map(|user| (user.id().to_owned(), user.json().to_owned())).collect();
            assert_eq!((view.version.get(), users), expected[uid], "tenant {uid}");
        }
        assert_eq!(restored.states.len(), expected.len());
    }
}

/// A tenant's version and users.
type State = (u64, BTreeMap<String, String>);

/// What records lead to, worked out by a model; no version may be missing or be there twice.
fn replayed(records: &Records) -> BTreeMap<TenantUid, State> {
    let mut states: BTreeMap<TenantUid, State> = BTreeMap::new();
    for record in records.values() {
        let (uid, change) = format::decode_change(record).unwrap();
        let (version, users) = states.entry(uid).or_default();
        *version += 1;
        assert_eq!(change.version.get(), *version, "tenant {uid}");
        for outcome in &change.outcomes {
            match outcome {
                Outcome::User(user) => {
                    users.insert(user.id().to_owned(), user.json().to_owned());
                }
                Outcome::UserGone(id) => {
                    users.remove(id.as_str());
                }
                Outcome::Client(_)
                | Outcome::ClientGone(_)
                | Outcome::Resource(_)
                | Outcome::ResourceGone(..) => {}
            }
        }
    }
    states
}

/// Two tenants over one journal, and what they were told.
struct Play {
    disk: SimDisk,
    journal: Arc<Recorder<Embedded>>,
    tenants: [TenantHandle; 2],
    waiting: Vec<(usize, actix_rt::task::JoinHandle<Result<Answer, TenantError>>)>,
    acknowledged: BTreeMap<(TenantUid, u64), Arc<Change>>,
    cuts: Vec<Cut>,
    _house: House,
}

impl Play {
    async fn start() -> Self {
        let disk = SimDisk::new();
        let (inner, restored) = reopen(&disk, &options());
        let journal = Arc::new(Recorder { inner, given: Mutex::default() });
        let house = House::over(journal.clone(), restored).await;
        let definition = TenantDefinition::named("alpha");
        let caller = Caller::server();
        let made =
            house.directory.create(&caller, server_provenance(), &definition, seeds("a"), NOW);
        let tenants = [house.tenant().clone(), made.await.unwrap()];
        let (waiting, acknowledged, cuts) = Default::default();
        Self { disk, journal, tenants, waiting, acknowledged, cuts, _house: house }
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Write { tenant, user, kind } => {
                let handle = self.tenants[tenant].clone();
                let permitted = by_server(command(user, kind));
                let write = async move { handle.write(permitted, server_provenance(), NOW).await };
                self.waiting.push((tenant, actix_rt::spawn(write)));
                actix_rt::task::yield_now().await;
            }
            Step::Hold => self.disk.hold_syncs(),
            Step::ReleaseOne => {
                self.disk.release_one_sync();
                actix_rt::task::yield_now().await;
            }
            Step::Settle => {
                self.disk.release_syncs();
                self.hear(true).await;
            }
            Step::Full(written_bytes) => self.disk.inject(Fault {
                operation: Operation::Write,
                after_calls: 0,
                errno: ENOSPC,
                written_bytes,
            }),
            Step::Cut(seed) => {
                let mut state = seed;
                self.hear(false).await;
                self.cut(&mut || {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    (state >> 33) % 2 == 0
                });
            }
        }
    }

    /// Takes the answers there are; waits for all of them if asked to.
    async fn hear(&mut self, all: bool) {
        for (tenant, writer) in std::mem::take(&mut self.waiting) {
            if !all && !writer.is_finished() {
                self.waiting.push((tenant, writer));
                continue;
            }
            match writer.await.unwrap() {
                Ok(Answer { version, change: Some(change), .. }) => {
                    let key = (self.tenants[tenant].uid(), version.get());
                    let other = self.acknowledged.insert(key, change);
                    assert!(other.is_none(), "version {version} was given out twice");
                }
                Ok(Answer { change: None, .. })
                | Err(TenantError::Rejected(_) | TenantError::DiskFull | TenantError::Busy) => {}
                Err(other) => panic!("{other}"),
            }
        }
    }

    /// Waits until a sync is being held back, and lets everything else go on meanwhile.
    async fn held(&self) {
        let disk = self.disk.clone();
        actix_web::web::block(move || disk.wait_for_held_sync()).await.unwrap();
    }

    /// Everything the journal was given so far.
    fn given(&self) -> Records {
        self.journal.given.lock().unwrap().clone()
    }

    /// Cuts the power of a copy of the disk. What is told meanwhile counts as not told.
    fn cut(&mut self, survives: &mut dyn FnMut() -> bool) {
        let given = self.given();
        let told = self.journal.progress().borrow().clone();
        let disk = self.disk.fork();
        disk.cut_power(survives);
        let acknowledged = self.acknowledged.iter();
        let acknowledged =
            acknowledged.map(|((uid, _), change)| format::encode_change(*uid, change)).collect();
        self.cuts.push(Cut { disk, given, told, acknowledged });
    }
}

/// Whether these bytes lie in any file.
fn holds(disk: &SimDisk, bytes: &[u8]) -> bool {
    let names = Disk::list(disk).unwrap();
    let mut files = names.iter().filter_map(|name| disk.contents(name));
    files.any(|file| file.windows(bytes.len()).any(|window| window == bytes))
}

async fn play(steps: Vec<Step>) {
    let mut play = Play::start().await;
    for step in steps {
        play.take(step).await;
    }
    play.disk.release_syncs();
    play.hear(true).await;
    play.cut(&mut || false);
    play.cuts.iter().for_each(Cut::check);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever was going on when the power went: what was told is there, what was told to have
    /// failed is not, and of the rest a beginning in the order in which it was written.
    #[test]
    fn a_power_cut_at_any_moment_leaves_what_was_told_and_a_beginning_of_what_was_not(
        steps in prop::collection::vec(step(), 1..60)
    ) {
        System::new().block_on(play(steps));
    }
}

/// A write fails after all of it reached the disk, and another change gets its version. Whenever
/// the power goes, at most one of the two is there; once the other is acknowledged, that one.
#[test]
fn a_failed_write_never_wins_over_the_one_that_got_its_version() {
    System::new().block_on(async {
        let mut play = Play::start().await;
        play.take(Step::Write { tenant: 0, user: 0, kind: 0 }).await;
        play.take(Step::Settle).await;
        // While a sync is held two writes wait for the disk: they make one batch, cut short in the
        // second, so all of the first is there.
        play.disk.hold_syncs();
        play.take(Step::Write { tenant: 1, user: 0, kind: 0 }).await;
        play.held().await;
        let before = play.given().len();
        play.take(Step::Write { tenant: 0, user: 0, kind: 11 }).await;
        play.take(Step::Write { tenant: 0, user: 0, kind: 12 }).await;
        while play.given().len() < before + 2 {
            actix_rt::task::yield_now().await;
        }
        let failed = play.given().into_values().rev().nth(1).unwrap();
        play.take(Step::Full(failed.len() + 40)).await;
        play.disk.release_one_sync();
        play.held().await;
        // One thing at a time does not survive: a sector of it, or that it was taken back.
        for lost in 0..8 {
            let mut asked = 0..;
            play.cut(&mut || asked.next() != Some(lost));
        }
        let held = play.cuts.iter().filter(|cut| holds(&cut.disk, &failed)).count();
        assert!((1..8).contains(&held), "it reached the disk before it failed, {held}");
        play.take(Step::Settle).await;
        play.cut(&mut || true);
        assert!(!holds(&play.disk, &failed), "nothing of it may stay on the disk");
        let before = play.acknowledged.len();
        while play.acknowledged.len() == before {
            play.take(Step::Write { tenant: 0, user: 0, kind: 13 }).await;
            play.take(Step::Settle).await;
        }
        let records = play.given();
        let (uid, version) = format::peek_change(&failed).unwrap();
        let same = |record: &&Vec<u8>| format::peek_change(record).unwrap() == (uid, version);
        assert!(records.values().filter(same).count() >= 2, "its version went to another");
        for survives in [true, false] {
            play.cut(&mut || survives);
        }
        play.cuts.iter().for_each(Cut::check);
    });
}
