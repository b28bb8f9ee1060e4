//! Laws, tried with random histories of commands over several tenants.
//!
//! - Replay equals state: what the journal holds brings back every tenant as it was.
//! - Snapshot and replay equal state, wherever in the history snapshots were taken.
//! - Index equals scan: looking up finds exactly whom reading everybody finds.
//! - The same patch twice equals once.

use actix::{Actor, Arbiter, System};
use dossier::domain::client::Client;
use dossier::domain::command::{
    ClientPatch, Command, Field, NewClient, NewUser, PICTURE_HOST, ProviderSignIn, UserPatch,
};
use dossier::domain::decide::LoginKey;
use dossier::domain::entries::Entry;
use dossier::domain::json::Object;
use dossier::domain::patch::{JsonPatch, Ops, Patch};
use dossier::domain::permit::Caller;
use dossier::domain::policy::Rules;
use dossier::domain::resource::{DEFAULT_CONNECTION, Resource, ResourceKind};
use dossier::domain::time::{Timestamp, Version};
use dossier::domain::user::{Profile, User, UserId};
use dossier::journal::testing::SimDisk;
use dossier::journal::{Embedded, InMemory, Journal, Options};
use dossier::store::data_dir::DataDir;
use dossier::store::format::TenantUid;
use dossier::store::manifest::Manifest;
use dossier::tenant::{
    Directory, DirectoryError, Limits, Restored, Seeds, SnapshotParts, SnapshotSettings,
    SnapshotState, Snapshots, StateView, TakeSnapshots, TenantDefinition, TenantError,
    TenantHandle, by_server, restore, seed, server_provenance,
};
use futures_util::future::join_all;
use proptest::prelude::*;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// One thing that happens. Numbers are small, so that things meet again.
#[derive(Clone, Debug)]
enum Step {
    Create { user: u8, email: Option<u8>, bags: [Option<String>; 2] },
    Update { user: u8, email: Option<u8>, nickname: Option<u8>, bags: [Option<String>; 2] },
    Operate { user: u8, until: u8 },
    Patch { user: u8, value: u8 },
    Expire { user: u8 },
    Delete { user: u8 },
    ReplaceApp { user: u8, bag: String },
    SetEntry { user: u8, key: u8, value: u8 },
    ReplaceEntries { user: u8, keys: Vec<u8> },
    RemoveEntry { user: u8, key: u8 },
    SignIn { user: u8 },
    Provider { account: u8, name: u8 },
    Link { primary: u8, secondary: u8 },
    Unlink { primary: u8, secondary: u8 },
    CreateClient { client: u8, bag: Option<u8> },
    UpdateClient { client: u8, key: u8, value: Option<u8> },
    Rotate { client: u8, secret: u8 },
    DeleteClient { client: u8 },
    CreateResource { kind: ResourceKind, number: u8 },
    UpdateResource { kind: ResourceKind, number: u8, value: Option<u8> },
    DeleteResource { kind: ResourceKind, number: u8 },
}

fn patch_user(user: u8, patch: Patch) -> Command {
    let body = |_: &Object| Ok(UserPatch::default());
    Command::PatchUser { id: user_id(user), patch: Box::new(patch), body }
}

/// What happens, and where.
#[derive(Clone, Debug)]
enum Event {
    /// These at once, each at the tenant with this number.
    Steps(Vec<(u8, Step)>),
    CreateTenant(u8),
    DeleteTenant(u8),
    /// A round of snapshots, where there are any.
    Snapshot,
    /// The process ends without a word and starts again.
    Crash,
}

fn bag() -> impl Strategy<Value = String> {
    let value = prop::sample::select(vec![
        "null",
        "1",
        "1e3",
        "1.0",
        "\"a\"",
        "\"\\u00e9\"",
        "[]",
        "{\"b\":null}",
        "{\"a\":{\"b\":1}}",
        "9007199254740993",
        "true",
    ]);
    prop::collection::btree_map(prop::sample::select(vec!["a", "b", "c", "d d", "é"]), value, 0..4)
        .prop_map(|members| {
            let members: Vec<String> =
                members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
            format!("{{{}}}", members.join(","))
        })
}

fn bags() -> impl Strategy<Value = [Option<String>; 2]> {
    [prop::option::of(bag()), prop::option::of(bag())]
}

fn step() -> impl Strategy<Value = Step> {
    let user = || 0_u8..6;
    let kind = || {
        prop::sample::select(vec![
            ResourceKind::Connection,
            ResourceKind::ClientGrant,
            ResourceKind::ResourceServer,
            ResourceKind::RefreshToken,
            ResourceKind::Ticket,
        ])
    };
    let small = || prop::option::of(0_u8..4);
    prop_oneof![
        6 => (user(), prop::option::weighted(0.9, 0_u8..4), bags()).prop_map(|(user, email, bags)| Step::Create { user, email, bags }),
        8 => (user(), small(), small(), bags())
            .prop_map(|(user, email, nickname, bags)| Step::Update { user, email, nickname, bags }),
        3 => (user(), 0_u8..200).prop_map(|(user, until)| Step::Operate { user, until }),
        2 => (user(), 0_u8..4).prop_map(|(user, value)| Step::Patch { user, value }),
        2 => user().prop_map(|user| Step::Expire { user }),
        2 => user().prop_map(|user| Step::Delete { user }),
        1 => (user(), bag()).prop_map(|(user, bag)| Step::ReplaceApp { user, bag }),
        2 => (user(), 0_u8..4, 0_u8..4).prop_map(|(user, key, value)| Step::SetEntry { user, key, value }),
        1 => (user(), prop::collection::vec(0_u8..4, 0..4))
            .prop_map(|(user, keys)| Step::ReplaceEntries { user, keys }),
        1 => (user(), 0_u8..4).prop_map(|(user, key)| Step::RemoveEntry { user, key }),
        1 => user().prop_map(|user| Step::SignIn { user }),
        2 => (0_u8..3, 0_u8..3).prop_map(|(account, name)| Step::Provider { account, name }),
        2 => (user(), user()).prop_map(|(primary, secondary)| Step::Link { primary, secondary }),
        1 => (user(), user()).prop_map(|(primary, secondary)| Step::Unlink { primary, secondary }),
        1 => (0_u8..3, small()).prop_map(|(client, bag)| Step::CreateClient { client, bag }),
        2 => (0_u8..3, 0_u8..3, small())
            .prop_map(|(client, key, value)| Step::UpdateClient { client, key, value }),
        1 => (0_u8..3, 0_u8..9).prop_map(|(client, secret)| Step::Rotate { client, secret }),
        1 => (0_u8..3).prop_map(|client| Step::DeleteClient { client }),
        2 => (kind(), 0_u8..3).prop_map(|(kind, number)| Step::CreateResource { kind, number }),
        1 => (kind(), 0_u8..3, small())
            .prop_map(|(kind, number, value)| Step::UpdateResource { kind, number, value }),
        1 => (kind(), 0_u8..3).prop_map(|(kind, number)| Step::DeleteResource { kind, number }),
    ]
}

fn history() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        20 => prop::collection::vec((0_u8..4, step()), 1..6).prop_map(Event::Steps),
        2 => (1_u8..4).prop_map(Event::CreateTenant),
        1 => (1_u8..4).prop_map(Event::DeleteTenant),
        2 => Just(Event::Snapshot),
        1 => Just(Event::Crash),
    ];
    prop::collection::vec(event, 1..40)
}

fn object(text: &str) -> Object {
    Object::parse(text, 64).unwrap()
}

fn user_id(user: u8) -> UserId {
    UserId::trusted(&format!("auth0|{user}"))
}

fn email(number: u8) -> String {
    format!("User{number}@Example.com")
}

#[expect(clippy::too_many_lines, reason = "an arm for each step")]
fn command(step: Step) -> Command {
    let bag = |bag: &Option<String>| bag.as_deref().map(object);
    let entry = |key: u8, value: u8| Entry {
        key: format!("k{key}"),
        value: format!("v{value}"),
        profile_claim: value.is_multiple_of(2),
    };
    let resource_id = |number: u8| format!("r_{number}");
    match step {
        Step::Create { user, email: address, bags } => Command::CreateUser(Box::new(NewUser {
            account: user.to_string(),
            connection: DEFAULT_CONNECTION.to_owned(),
            profile: Profile { email: address.map(email), ..Profile::default() },
            user_metadata: bag(&bags[0]),
            app_metadata: bag(&bags[1]),
            password: address.map(|number| format!("hash {number}")),
            picture_host: PICTURE_HOST,
        })),
        Step::Update { user, email: address, nickname, bags } => Command::UpdateUser {
            id: user_id(user),
            patch: Box::new(UserPatch {
                email: address.map_or(Field::Keep, |number| Field::Set(email(number))),
                nickname: match nickname {
                    None => Field::Keep,
                    Some(0) => Field::Unset,
                    Some(number) => Field::Set(format!("nick {number}")),
                },
                user_metadata: bag(&bags[0]),
                app_metadata: bag(&bags[1]),
                ..UserPatch::default()
            }),
        },
        Step::Operate { user, until } => {
            let until = at(usize::from(until));
            let ops = format!(
                r#"{{"app_metadata":{{"inc":{{"n":1}},"append":{{"l":1.0}},"expire_at":{{"n":"{until}"}}}}}}"#
            );
            let patch = Patch::Ops(Ops::parse(&ops, &["app_metadata"]).unwrap());
            patch_user(user, patch)
        }
        Step::Patch { user, value } => {
            let patch = format!(
                r#"[{{"op":"add","path":"/user_metadata/p","value":{value}}},{{"op":"copy","from":"/user_metadata/p","path":"/app_metadata/n"}}]"#
            );
            patch_user(user, Patch::Json(JsonPatch::parse(&patch).unwrap()))
        }
        Step::Expire { user } => Command::ExpireKeys { id: user_id(user) },
        Step::Delete { user } => Command::DeleteUser { id: user_id(user) },
        Step::ReplaceApp { user, bag } => {
            let metadata = Object::empty().merge_root(&object(&bag));
            Command::ReplaceAppMetadata { id: user_id(user), metadata }
        }
        Step::SetEntry { user, key, value } => {
            Command::SetEntry { id: user_id(user), entry: entry(key, value) }
        }
        Step::ReplaceEntries { user, keys } => Command::ReplaceEntries {
            id: user_id(user),
            entries: keys.into_iter().map(|key| entry(key, key)).collect(),
        },
        Step::RemoveEntry { user, key } => {
            Command::RemoveEntry { id: user_id(user), key: format!("k{key}") }
        }
        Step::SignIn { user } => {
            Command::SignIn { id: user_id(user), ip: Some("192.0.2.1".to_owned()), rehash: None }
        }
        Step::Provider { account, name } => Command::ProviderSignIn(Box::new(ProviderSignIn {
            connection: "connection 0".to_owned(),
            account: account.to_string(),
            attributes: object(&format!(r#"{{"name":"n{name}","locale":"de"}}"#)),
            ip: None,
        })),
        Step::Link { primary, secondary } => {
            Command::LinkIdentity { primary: user_id(primary), secondary: user_id(secondary) }
        }
        Step::Unlink { primary, secondary } => Command::UnlinkIdentity {
            primary: user_id(primary),
            provider: "auth0".to_owned(),
            account: secondary.to_string(),
        },
        Step::CreateClient { client, bag } => Command::CreateClient(Box::new(NewClient {
            id: format!("c{client}"),
            secret: format!("secret of {client}"),
            settings: object(&format!(r#"{{"name":"client {client}"}}"#)),
            client_metadata: bag.map(|value| object(&format!(r#"{{"k0":"{value}"}}"#))),
            is_global: false,
        })),
        Step::UpdateClient { client, key, value } => Command::UpdateClient {
            id: format!("c{client}"),
            patch: Box::new(ClientPatch {
                client_metadata: Some(object(&match value {
                    Some(value) => format!(r#"{{"k{key}":"{value}"}}"#),
                    None => format!(r#"{{"k{key}":null}}"#),
                })),
                ..ClientPatch::default()
            }),
        },
        Step::Rotate { client, secret } => Command::RotateSecret {
            id: format!("c{client}"),
            secret: format!("secret number {secret}"),
        },
        Step::DeleteClient { client } => Command::DeleteClient { id: format!("c{client}") },
        Step::CreateResource { kind, number } => Command::CreateResource(Box::new(Resource {
            kind,
            id: resource_id(number),
            version: Version::ZERO,
            body: object(&format!(
                r#"{{"name":"connection {number}","identifier":"api {number}","strategy":"google-oauth2"}}"#
            )),
        })),
        Step::UpdateResource { kind, number, value } => Command::UpdateResource {
            kind,
            id: resource_id(number),
            patch: object(&match value {
                Some(value) => format!(r#"{{"x":{value}}}"#),
                None => r#"{"x":null}"#.to_owned(),
            }),
        },
        Step::DeleteResource { kind, number } => {
            Command::DeleteResource { kind, id: resource_id(number) }
        }
    }
}

fn at(number: usize) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + i64::try_from(number).unwrap())
}

fn seeds(name: &str) -> Seeds {
    Seeds {
        connection_id: format!("con_{name}"),
        global_client_id: format!("global of {name}"),
        global_client_secret: format!("secret of {name}"),
    }
}

/// Everything a tenant holds, to be compared.
#[derive(Debug, PartialEq)]
struct Picture {
    version: Version,
    users: Vec<(String, User)>,
    clients: Vec<Client>,
    resources: Vec<Resource>,
}

impl From<StateView> for Picture {
    fn from(view: StateView) -> Self {
        assert_eq!(view.user_count, view.users().count());
        Self {
            version: view.version,
            users: view.users().map(|one| (one.json().to_owned(), one.user())).collect(),
            clients: view.clients.iter().map(|client| Client::clone(client)).collect(),
            resources: view.resources.iter().map(|one| Resource::clone(one)).collect(),
        }
    }
}

type Pictures = BTreeMap<TenantUid, Picture>;

fn restored_pictures(restored: &Restored) -> Pictures {
    restored.states.iter().map(|(uid, state)| (*uid, state.view().into())).collect()
}

/// The journal of a life: kept in memory, or on a disk in memory.
trait Engine {
    /// The engine of the next life, after this one ended without a word.
    fn open(&mut self) -> Arc<dyn Journal>;
}

struct Kept(Arc<InMemory>);

impl Engine for Kept {
    fn open(&mut self) -> Arc<dyn Journal> {
        self.0.clone()
    }
}

struct OnDisk(SimDisk, u64);

impl Engine for OnDisk {
    fn open(&mut self) -> Arc<dyn Journal> {
        // The engine of the life before may still hold its own disk.
        self.0 = self.0.fork();
        self.0.cut_power(&mut || false);
        self.1 += 1;
        let options =
            Options { segment_bytes: 16 << 10, preallocate_bytes: 0, ..Options::new(self.1) };
        Arc::new(Embedded::open(Arc::new(self.0.clone()), &options).unwrap().0)
    }
}

/// A running directory of tenants on a journal.
struct Life {
    directory: Arc<Directory>,
    snapshots: Option<actix::Addr<Snapshots>>,
}

impl Life {
    async fn begin(
        dir: Option<&Arc<DataDir>>,
        journal: Arc<dyn Journal>,
        restored: Restored,
    ) -> Self {
        let limits = Limits {
            mailbox: 1000,
            reply_timeout: Duration::from_mins(1),
            in_flight_bytes: 1 << 20,
            workers: 1,
        };
        let directory = Arc::new(Directory::start(
            restored.states,
            journal.clone(),
            vec![Arbiter::current()],
            limits,
            10,
            Box::new(|_| Rules::default()),
        ));
        seed(directory.default_tenant(), seeds("default"), at(0)).await.unwrap();
        let snapshots = dir.map(|dir| {
            let parts = SnapshotParts {
                directory: directory.clone(),
                dir: dir.clone(),
                journal,
                manifest: restored.manifest,
                clock: Box::new(|| at(0)),
                fixed_lsn: None,
                history: None,
                state: Arc::new(SnapshotState::default()),
            };
            let never = SnapshotSettings {
                interval: Duration::ZERO,
                max_changes: u64::MAX,
                bytes_per_second: 0,
                journal_max_bytes: u64::MAX,
            };
            Snapshots::new(parts, never).start()
        });
        Self { directory, snapshots }
    }

    fn tenant(&self, number: u8) -> TenantHandle {
        let named = self.directory.tenant(&format!("t{number}"));
        named.unwrap_or_else(|| self.directory.default_tenant().clone())
    }

    async fn live(&self, event: Event, number: usize) {
        let now = at(number * 10);
        match event {
            Event::Steps(steps) => {
                let writes = steps.into_iter().map(|(tenant, step)| {
                    let tenant = self.tenant(tenant);
                    let command = by_server(command(step));
                    async move { tenant.write(command, server_provenance(), now).await }
                });
                for written in join_all(writes).await {
                    match written {
                        Ok(_) | Err(TenantError::Rejected(_)) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
            }
            Event::CreateTenant(tenant) => {
                let name = format!("t{tenant}");
                let (caller, definition) = (Caller::server(), TenantDefinition::named(&name));
                let made = self
                    .directory
                    .create(&caller, server_provenance(), &definition, seeds(&name), now)
                    .await;
                assert!(matches!(made, Ok(_) | Err(DirectoryError::Exists)), "{made:?}");
            }
            Event::DeleteTenant(tenant) => {
                let gone = self
                    .directory
                    .delete(&Caller::server(), server_provenance(), &format!("t{tenant}"), now)
                    .await;
                assert!(matches!(gone, Ok(_) | Err(DirectoryError::NotFound)), "{gone:?}");
            }
            Event::Snapshot => {
                if let Some(snapshots) = &self.snapshots {
                    snapshots.send(TakeSnapshots { is_urgent: true }).await.unwrap().unwrap();
                }
            }
            Event::Crash => unreachable!("ends the life"),
        }
    }

    async fn pictures(&self) -> Pictures {
        let mut pictures = Pictures::new();
        for tenant in self.directory.tenants() {
            pictures.insert(tenant.uid(), tenant.view().await.unwrap().into());
        }
        pictures
    }

    /// Looking up finds whom a scan finds.
    async fn check_index(&self) {
        for tenant in self.directory.tenants() {
            let view = tenant.view().await.unwrap();
            for number in 0..4 {
                let value = email(number).to_uppercase();
                let mut scanned: Vec<&str> = view
                    .users()
                    .filter(|user| {
                        let own = user.attribute("email");
                        own.is_some_and(|own| own.to_lowercase() == value.to_lowercase())
                    })
                    .map(dossier::domain::document::Document::id)
                    .collect();
                let found = tenant.users_with(LoginKey::Email, &value).await.unwrap();
                let mut found: Vec<&str> =
                    found.iter().map(dossier::domain::document::Document::id).collect();
                scanned.sort_unstable();
                found.sort_unstable();
                assert_eq!(found, scanned);
            }
            for user in view.users() {
                assert!(tenant.published().user(user.id()).is_some());
            }
        }
    }
}

/// Lives a history, crashing where it says so and at its end, and compares what comes back
/// each time with what was there.
fn check(history: Vec<Event>, engine: &mut dyn Engine, with_snapshots: bool) {
    let folder = tempfile::tempdir().unwrap();
    let (dir, _) = DataDir::open(&folder.path().join("data")).unwrap();
    let dir = Arc::new(dir);
    System::new().block_on(async {
        let mut events = history.into_iter().enumerate().peekable();
        let mut before: Option<Pictures> = None;
        loop {
            let journal = engine.open();
            let restored = restore(&dir, &*journal, 1).unwrap();
            if let Some(before) = &before {
                let after = restored_pictures(&restored);
                assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
                for (uid, picture) in before {
                    assert_eq!(&after[uid], picture);
                }
                if events.peek().is_none() {
                    return;
                }
            }
            let life = Life::begin(with_snapshots.then_some(&dir), journal, restored).await;
            for (number, event) in events.by_ref() {
                if matches!(event, Event::Crash) {
                    break;
                }
                life.live(event, number).await;
            }
            life.check_index().await;
            before = Some(life.pictures().await);
        }
    });
}

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

#[test]
fn replay_equals_state_and_index_equals_scan() {
    proptest!(cases(64), |(history in history())| {
        check(history, &mut Kept(Arc::new(InMemory::keeping())), false);
    });
}

#[test]
fn snapshot_and_replay_equal_state_after_power_cuts() {
    proptest!(cases(32), |(history in history())| {
        check(history, &mut OnDisk(SimDisk::new(), 0), true);
    });
}

#[test]
fn the_same_patch_twice_equals_once() {
    proptest!(cases(64), |(before in bags(), bags in bags(), number in prop::option::of(0_u8..4))| {
        System::new().block_on(async {
            let restored = Restored {
                states: HashMap::new(),
                manifest: Manifest::default(),
                report: dossier::tenant::RestoreReport::default(),
            };
            let life = Life::begin(None, Arc::new(InMemory::keeping()), restored).await;
            let write = |step: Step, number| {
                let (tenant, command) = (life.tenant(0), by_server(command(step)));
                async move { tenant.write(command, server_provenance(), at(number)).await.unwrap() }
            };
            write(Step::Create { user: 0, email: Some(9), bags: before }, 1).await;
            let patch = Step::Update { user: 0, email: number, nickname: number, bags };
            write(patch.clone(), 2).await;
            let once = life.tenant(0).published().user("auth0|0").unwrap().user();
            write(patch, 2).await;
            let twice = life.tenant(0).published().user("auth0|0").unwrap().user();
            prop_assert_eq!(&once.user_metadata, &twice.user_metadata);
            prop_assert_eq!(&once.app_metadata, &twice.app_metadata);
            prop_assert_eq!(&once.profile, &twice.profile);
            Ok(())
        })?;
    });
}

#[test]
fn a_tenant_made_after_the_journal_was_cut_is_there_after_a_crash() {
    let much = || {
        let create = Step::Create { user: 0, email: Some(0), bags: [None, None] };
        let update = |number: usize| {
            let bags = [Some(format!(r#"{{"a":"{}"}}"#, "x".repeat(1000 + number))), None];
            Event::Steps(vec![(0, Step::Update { user: 0, email: None, nickname: None, bags })])
        };
        std::iter::once(Event::Steps(vec![(0, create)])).chain((0..30).map(update))
    };
    // Two rounds of snapshots let go of the segments before the first.
    let mut history: Vec<Event> = much().collect();
    history.push(Event::Snapshot);
    history.extend(much());
    history.push(Event::Snapshot);
    history.extend([Event::CreateTenant(1), Event::Crash]);
    history.extend([Event::Steps(vec![(1, Step::SignIn { user: 0 })]), Event::Crash]);
    let mut engine = OnDisk(SimDisk::new(), 0);
    check(history, &mut engine, true);
    assert!(engine.open().stats().oldest.get() > 1, "the journal was cut");
}
