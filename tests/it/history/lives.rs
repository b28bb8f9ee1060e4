//! The law of the past, over random lives of a few users with the power cut in the middle: what
//! was told at a version, what its `as_of` tells, and what the journal up to there leads to are
//! one; going back leaves no difference; blame names the newest change of each key.

use super::{OWN, USER};
use crate::harness::house::{House, JSON, claims, everything, reopen};
use dossier::journal::testing::SimDisk;
use dossier::journal::{InMemory, Journal, Lsn};
use dossier::store::data_dir::DataDir;
use dossier::store::format::{self, TenantUid};
use dossier::tenant::restore;
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

const USERS: usize = 2;
/// The user in whose name some of the changes are made.
const ACTOR: &str = "auth0|9";
const BAGS: [&str; 2] = ["user_metadata", "app_metadata"];

/// What one request does to one of the users.
#[derive(Clone, Debug)]
enum Step {
    Make,
    /// Keys of a bag, and how the patch is spelled.
    Merge(usize, BTreeMap<String, Option<u8>>, Spelling),
    Count(usize, String),
    Replace(usize, String, u8),
    Name(u8),
    Delete,
    /// Back to one of the versions so far: all of the user, or one bag.
    Revert(prop::sample::Index, Option<usize>),
}

#[derive(Clone, Copy, Debug)]
enum Spelling {
    Auth0,
    MergePatch,
}

fn any_step() -> impl Strategy<Value = (usize, Step, bool)> {
    let keys = || prop::collection::btree_map("[a-d]", prop::option::of(0_u8..4), 0..4);
    let spelling = || prop_oneof![Just(Spelling::Auth0), Just(Spelling::MergePatch)];
    let step = prop_oneof![
        2 => Just(Step::Make),
        6 => (0..2_usize, keys(), spelling()).prop_map(|(bag, keys, how)| Step::Merge(bag, keys, how)),
        2 => (0..2_usize, "[a-d]").prop_map(|(bag, key)| Step::Count(bag, key)),
        2 => (0..2_usize, "[a-d]", 0_u8..4).prop_map(|(bag, key, n)| Step::Replace(bag, key, n)),
        1 => (0_u8..4).prop_map(Step::Name),
        1 => Just(Step::Delete),
        3 => (any::<prop::sample::Index>(), prop::option::of(0..2_usize))
            .prop_map(|(to, only)| Step::Revert(to, only)),
    ];
    (0..USERS, step, any::<bool>())
}

/// The users at a version, as they were told.
type Told = [Option<Value>; USERS];

/// A life so far.
struct Life {
    disk: SimDisk,
    house: House,
    told: BTreeMap<u64, Told>,
}

fn path(user: usize) -> String {
    format!("{USER}/auth0%7C{user}")
}

fn own(user: usize, rest: &str) -> String {
    format!("{OWN}/auth0%7C{user}{rest}")
}

impl Life {
    async fn begin() -> Self {
        let disk = SimDisk::new();
        let house = House::with_history(&disk).await;
        let actor = r#"{"email":"actor@example.com","user_id":"9"}"#;
        assert_eq!(house.send("POST", USER, actor).await.0, 201);
        let mut life = Self { disk, house, told: BTreeMap::new() };
        life.take(0, Step::Make, false).await;
        life
    }

    fn version(&self) -> u64 {
        self.house.tenant().published().version().get()
    }

    /// What was acknowledged is on the disk that is left; the history is kept, or built anew.
    async fn cut_power(self, keeps_history: bool) -> Self {
        let disk = self.disk.fork();
        disk.cut_power(&mut || false);
        let house = self.house.reopened(&disk, keeps_history).await;
        let life = Self { disk, house, told: self.told };
        let newest = life.told.keys().next_back().copied();
        assert_eq!(Some(life.version()), newest);
        life
    }

    async fn get(&self, target: &str) -> Option<Value> {
        let (status, body) = self.house.send("GET", target, "").await;
        assert!(status == 200 || status == 404, "{target}: {status} {body}");
        (status == 200).then_some(body)
    }

    async fn write(
        &self,
        method: &str,
        target: &str,
        kind: &str,
        body: &Value,
        as_user: bool,
    ) -> u16 {
        let mut claims = claims(self.house.tenant(), &everything());
        if as_user {
            ACTOR.clone_into(&mut claims.sub);
            claims.gty = None;
        }
        let bearer = format!("Bearer {}", self.house.sign(self.house.tenant(), &claims));
        let headers = [("Authorization", bearer.as_str()), (JSON.0, kind)];
        self.house.ask("localhost", method, target, &headers, &body.to_string()).await.0
    }

    async fn take(&mut self, user: usize, step: Step, as_user: bool) {
        self.house.clocks.pass(Duration::from_secs(1));
        let (before, target) = (self.version(), path(user));
        let mut reverted = None;
        let (method, target, kind, body) = match step {
            Step::Make => {
                let body = json!({
                    "user_id": user.to_string(), "email": format!("u{user}@example.com"),
                    "app_metadata": {"a": 1},
                });
                ("POST", USER.to_owned(), JSON.1, body)
            }
            Step::Merge(bag, keys, how) => {
                let kind = match how {
                    Spelling::Auth0 => JSON.1,
                    Spelling::MergePatch => "application/merge-patch+json",
                };
                ("PATCH", target, kind, json!({ (BAGS[bag]): keys }))
            }
            Step::Count(bag, key) => {
                let body = json!({ (BAGS[bag]): {"inc": {(key): 1}} });
                ("PATCH", target, "application/vnd.dossier.ops+json", body)
            }
            Step::Replace(bag, key, n) => {
                let body =
                    json!([{"op": "add", "path": format!("/{}/{key}", BAGS[bag]), "value": n}]);
                ("PATCH", target, "application/json-patch+json", body)
            }
            Step::Name(n) => ("PATCH", target, JSON.1, json!({"name": format!("n{n}")})),
            Step::Delete => ("DELETE", target, JSON.1, Value::Null),
            Step::Revert(to, only) => {
                let told: Vec<_> = self.told.iter().collect();
                let (to, was) = told[to.index(told.len())];
                let bags = only.map_or(&BAGS[..], |bag| std::slice::from_ref(&BAGS[bag]));
                let mut body = json!({ "to": to });
                if only.is_some() {
                    body["only"] = json!(bags);
                }
                reverted = Some((*to, bags, was[user].is_some()));
                ("POST", own(user, "/revert"), JSON.1, body)
            }
        };
        let status = self.write(method, &target, kind, &body, as_user).await;
        assert!(status < 500, "{method} {target} {body}: {status}");
        if let Some((to, bags, was_there)) = reverted
            && (status == 200 || was_there && self.get(&path(user)).await.is_some())
        {
            assert_eq!(status, 200, "a user who was and is there goes back to {to}");
            self.check_no_difference(user, to, bags).await;
        }
        let mut told = Told::default();
        for (user, profile) in told.iter_mut().enumerate() {
            *profile = self.get(&path(user)).await;
        }
        let version = self.version();
        assert!(version == before || version == before + 1 && status < 300, "{method} {status}");
        self.told.insert(version, told);
    }

    /// Between a version and now, nothing in these bags differs.
    async fn check_no_difference(&self, user: usize, version: u64, bags: &[&str]) {
        let target = own(user, &format!("/diff?from={version}&to={}", self.version()));
        let changes = self.get(&target).await.unwrap()["changes"].take();
        for change in changes.as_array().unwrap() {
            let path = change["path"].as_str().unwrap();
            let is_in_bag = bags.iter().any(|bag| path.starts_with(bag));
            assert!(!is_in_bag, "went back to {version}, and yet: {change}");
        }
    }

    /// As of each version is what was told then, and what the journal up to there leads to.
    async fn check_past(&self) {
        let records = records(&self.disk);
        for (version, told) in &self.told {
            let replayed = replay(&records, *version);
            for (user, profile) in told.iter().enumerate() {
                let was = self.get(&own(user, &format!("?as_of={version}"))).await;
                assert_eq!(&was, profile, "user {user} as of {version}");
                assert_eq!(&replayed[user], profile, "user {user} replayed up to {version}");
            }
        }
    }

    /// The newest change in the history that names a key is the one that is blamed for it.
    async fn check_blame(&self) {
        for user in 0..USERS {
            let Some(profile) = self.get(&path(user)).await else { continue };
            let page = self.get(&own(user, "/history?limit=100")).await.unwrap();
            assert_eq!(page.get("next"), None, "all on one page");
            let entries = page["entries"].as_array().unwrap();
            let mut expected = Map::new();
            for bag in BAGS {
                let keys = profile[bag].as_object().into_iter().flatten();
                let blamed = keys.map(|(key, _)| {
                    let path = format!("{bag}.{key}");
                    let names = |entry: &&Value| {
                        let changes = entry["changes"].as_array().unwrap();
                        changes.iter().any(|change| change["path"] == path)
                    };
                    let entry = entries.iter().find(names).unwrap();
                    let who = ["version", "at", "actor", "client_id", "channel"];
                    let who = who.map(|member| (member.to_owned(), entry[member].clone()));
                    (key.clone(), Value::Object(who.into_iter().collect()))
                });
                expected.insert(bag.to_owned(), Value::Object(blamed.collect()));
            }
            let blame = self.get(&own(user, "/blame")).await.unwrap();
            assert_eq!(blame, Value::Object(expected), "user {user}");
        }
    }
}

/// What the journal on a disk holds of the default tenant.
fn records(disk: &SimDisk) -> Vec<(u64, Vec<u8>)> {
    let (journal, _) = reopen(&disk.fork(), &crate::harness::house::options());
    let mut records = Vec::new();
    let mut visit = |_: Lsn, bytes: &[u8]| {
        let (uid, version) = format::peek_change(bytes).unwrap();
        assert_eq!(uid, TenantUid::DEFAULT);
        records.push((version.get(), bytes.to_vec()));
        ControlFlow::Continue(())
    };
    journal.replay(Lsn::ZERO, &mut visit).unwrap();
    records
}

/// The users as a start finds them that has the records up to a version.
fn replay(records: &[(u64, Vec<u8>)], version: u64) -> Told {
    let journal = InMemory::keeping();
    for (_, bytes) in records.iter().filter(|(own, _)| *own <= version) {
        journal.append(0, bytes.clone()).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let (dir, _) = DataDir::open(&folder.path().join("data")).unwrap();
    let restored = restore(&dir, &journal, 1).unwrap();
    let published = restored.states[&TenantUid::DEFAULT].published();
    assert_eq!(published.version().get(), version);
    std::array::from_fn(|user| {
        let document = published.user(&format!("auth0|{user}"))?;
        Some(serde_json::from_str(document.json()).unwrap())
    })
}

#[test]
fn the_past_is_what_was_told_and_what_a_replay_gives_and_blame_is_its_newest_entry() {
    let config =
        ProptestConfig { cases: 16, failure_persistence: None, ..ProptestConfig::default() };
    let steps = prop::collection::vec(any_step(), 1..30);
    let life = (steps, any::<prop::sample::Index>(), any::<bool>(), any::<prop::sample::Index>());
    let law = |(steps, cut, keeps_history, back): (
        Vec<(usize, Step, bool)>,
        prop::sample::Index,
        bool,
        prop::sample::Index,
    )| {
        actix_rt::System::new().block_on(async {
            let mut life = Life::begin().await;
            let cut = cut.index(steps.len());
            for (number, (user, step, as_user)) in steps.into_iter().enumerate() {
                if number == cut {
                    life = life.cut_power(keeps_history).await;
                }
                life.take(user, step, as_user).await;
            }
            life.check_past().await;
            life.check_blame().await;
            for user in 0..USERS {
                life.take(user, Step::Revert(back, None), false).await;
            }
            life.check_past().await;
            life.check_blame().await;
        });
        Ok(())
    };
    TestRunner::new(config).run(&life, law).unwrap();
}

#[actix_rt::test]
async fn whoever_comes_back_was_made_by_the_change_that_brought_them() {
    let house = House::with_history(&SimDisk::new()).await;
    let user = json!({"email": "jane@example.com", "user_metadata": {"a": 1}, "user_id": "1"});
    let client = json!({"name": "Shop", "client_metadata": {"a": "1"}});
    for (kind, body, bag) in
        [("users", user, "user_metadata"), ("clients", client, "client_metadata")]
    {
        let v2 = format!("/api/v2/{kind}");
        let (status, made) = house.send("POST", &v2, &body.to_string()).await;
        assert_eq!(status, 201, "{made}");
        let to = house.tenant().published().version().get();
        let id = made.get("user_id").or_else(|| made.get("client_id")).unwrap();
        let id = id.as_str().unwrap().replace('|', "%7C");
        assert_eq!(house.send("DELETE", &format!("{v2}/{id}"), "").await.0, 204);
        let own = format!("/dossier/v1/{kind}/{id}");
        let body = json!({ "to": to }).to_string();
        assert_eq!(house.send("POST", &format!("{own}/revert"), &body).await.0, 200);
        let (_, blame) = house.send("GET", &format!("{own}/blame"), "").await;
        assert_eq!(blame[bag]["a"]["version"], to + 2, "{kind}: {blame}");
    }
}
