//! How long a write waits, and what its caller may say afterwards: what never began is not made,
//! and what did has the disk's time to itself.

use crate::harness::house::{NOW, options, reopen, seeds};
use crate::harness::until;
use actix_rt::{Arbiter, System};
use dossier::domain::command::{Command, NewUser, PICTURE_HOST};
use dossier::domain::condition::Condition;
use dossier::domain::policy::Rules;
use dossier::domain::user::Profile;
use dossier::journal::testing::SimDisk;
use dossier::tenant::{
    Answer, Directory, Limits, TenantError, TenantHandle, by_server, seed, server_provenance,
};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// Long enough for a tenant that is free, on a machine that is not; each test waits for it once.
const SHORT: Duration = Duration::from_secs(1);

/// A tenant whose actor has a thread of its own.
struct Bench {
    disk: SimDisk,
    arbiter: Arbiter,
    tenant: TenantHandle,
}

impl Bench {
    async fn start(reply_timeout: Duration) -> Self {
        let disk = SimDisk::new();
        let (journal, restored) = reopen(&disk, &options());
        let arbiter = Arbiter::new();
        let limits = Limits { mailbox: 100, reply_timeout, in_flight_bytes: 1 << 20, workers: 1 };
        let directory = Directory::start(
            restored.states,
            Arc::new(journal),
            vec![arbiter.handle()],
            limits,
            10,
            Box::new(|_| Rules::default()),
        );
        let tenant = directory.default_tenant().clone();
        seed(&tenant, seeds(""), NOW).await.unwrap();
        Self { disk, arbiter, tenant }
    }

    /// Keeps the actor from taking a turn until what is given back is dropped.
    fn hold_turns(&self) -> mpsc::Sender<()> {
        let ((end, ended), (begin, begun)) = (mpsc::channel(), mpsc::channel());
        let hold = move || {
            begin.send(()).unwrap();
            let _end = ended.recv().is_err();
        };
        assert!(self.arbiter.spawn_fn(hold));
        begun.recv().unwrap();
        end
    }

    async fn make(&self, account: &str) -> Result<Answer, TenantError> {
        self.tenant.write(by_server(user(account)), server_provenance(), NOW).await
    }

    fn is_there(&self, account: &str) -> bool {
        self.tenant.published().user(&format!("auth0|{account}")).is_some()
    }
}

fn user(account: &str) -> Command {
    Command::CreateUser(Box::new(NewUser {
        account: account.to_owned(),
        connection: "Username-Password-Authentication".to_owned(),
        profile: Profile { email: Some(format!("{account}@example.com")), ..Profile::default() },
        user_metadata: None,
        app_metadata: None,
        password: None,
        picture_host: PICTURE_HOST,
    }))
}

#[test]
fn a_write_whose_turn_does_not_come_in_time_is_never_made() {
    System::new().block_on(async {
        let bench = Bench::start(SHORT).await;
        let before = bench.tenant.published().version();
        let held = bench.hold_turns();
        assert_eq!(bench.make("late").await.unwrap_err(), TenantError::Busy);
        let rehearsed = by_server(user("rehearsed"));
        let rehearsed =
            bench.tenant.rehearse(rehearsed, Condition::default(), server_provenance(), NOW).await;
        assert_eq!(rehearsed.unwrap_err(), TenantError::Busy);
        drop(held);
        // Turns are taken in order, so theirs have come by the time of this one.
        let next = until_made(&bench, "next").await;
        assert_eq!(next.version, before.next());
        assert!(!bench.is_there("late") && bench.is_there("next"));
    });
}

/// Tries until the tenant takes turns again, which it may need a moment for.
async fn until_made(bench: &Bench, account: &str) -> Answer {
    loop {
        match bench.make(account).await {
            Err(TenantError::Busy) => {}
            made => return made.unwrap(),
        }
    }
}

#[test]
fn a_write_that_began_is_unknown_until_the_disk_has_spoken() {
    System::new().block_on(async {
        let bench = Bench::start(SHORT).await;
        bench.disk.hold_syncs();
        assert_eq!(bench.make("held").await.unwrap_err(), TenantError::TimedOut);
        assert!(!bench.is_there("held"));
        bench.disk.release_syncs();
        until("the write", || bench.is_there("held").then_some(()));
    });
}

#[test]
fn waiting_for_the_turn_is_not_counted_against_the_disk() {
    System::new().block_on(async {
        let limit = Duration::from_secs(3);
        let bench = Bench::start(limit).await;
        let held = bench.hold_turns();
        bench.disk.hold_syncs();
        let disk = bench.disk.clone();
        let ends = async {
            actix_rt::time::sleep(limit * 2 / 3).await;
            drop(held);
            actix_web::web::block(move || disk.wait_for_held_sync()).await.unwrap();
            actix_rt::time::sleep(limit / 2).await;
            bench.disk.release_syncs();
        };
        let (made, ()) = futures_util::future::join(bench.make("slow"), ends).await;
        made.unwrap();
        assert!(bench.is_there("slow"));
    });
}
