use super::*;
use crate::domain::change::Outcome;
use crate::domain::client::Client;
use crate::domain::command::{Command, NewUser};
use crate::domain::decide::decide;
use crate::domain::job::{KEPT_MS, TIMEOUT_MS};
use crate::domain::json;
use crate::domain::time::{Timestamp, Version};
use crate::domain::user::Profile;
use std::collections::BTreeMap;

/// A tenant as maps: every outcome is applied at once.
#[derive(Default)]
struct Held {
    users: BTreeMap<String, Document>,
    resources: BTreeMap<(ResourceKind, String), Arc<Resource>>,
    now: i64,
}

impl View for Held {
    fn user(&self, id: &str) -> Option<Document> {
        self.users.get(id).cloned()
    }

    fn users_with(&self, key: LoginKey, value: &str) -> Vec<Document> {
        let is_it = |user: &&Document| {
            user.attribute(key.attribute())
                .is_some_and(|own| own.to_lowercase() == value.to_lowercase())
        };
        self.users.values().filter(is_it).cloned().collect()
    }

    fn user_linked_with(&self, id: &str) -> Option<Document> {
        self.users.values().find(|user| user.linked().iter().any(|own| own.as_str() == id)).cloned()
    }

    fn user_count(&self) -> usize {
        self.users.len()
    }

    fn client(&self, _: &str) -> Option<Arc<Client>> {
        None
    }

    fn resource(&self, kind: ResourceKind, id: &str) -> Option<Arc<Resource>> {
        self.resources.get(&(kind, id.to_owned())).cloned()
    }

    fn resources(&self, kind: ResourceKind) -> Vec<Arc<Resource>> {
        self.resources.values().filter(|one| one.kind == kind).cloned().collect()
    }
}

impl Held {
    fn new() -> Self {
        let mut held = Self::default();
        let body = r#"{"name":"db","strategy":"auth0","options":{"requires_username":false}}"#;
        held.ask(Command::CreateResource(Box::new(Resource {
            kind: ResourceKind::Connection,
            id: "con_1".to_owned(),
            version: Version::ZERO,
            body: Object::parse(body, 8).unwrap(),
        })))
        .unwrap();
        held
    }

    fn ask(&mut self, command: Command) -> Result<usize, Rejection> {
        let rules = Rules { compat: Compat::Strict, ..Rules::default() };
        let now = Timestamp::from_millis(self.now);
        let moment = Moment { rules: &rules, version: Version::new(1), now };
        let outcomes = decide(self, moment, command)?;
        let count = outcomes.len();
        for outcome in outcomes {
            match outcome {
                Outcome::User(user) => _ = self.users.insert(user.id().to_owned(), user),
                Outcome::UserGone(id) => _ = self.users.remove(id.as_str()),
                Outcome::Resource(one) => {
                    self.resources.insert((one.kind, one.id.clone()), one);
                }
                Outcome::ResourceGone(kind, id) => _ = self.resources.remove(&(kind, id)),
                Outcome::Client(_) | Outcome::ClientGone(_) => {
                    unreachable!("no client is asked for")
                }
            }
        }
        Ok(count)
    }

    fn start(&mut self, id: &str, kind: JobKind, upsert: bool) -> Result<usize, Rejection> {
        let body = format!(r#"{{"upsert":{upsert}}}"#);
        self.ask(Command::StartJob(Box::new(NewJob {
            id: id.to_owned(),
            kind,
            body: Object::trusted(&body),
            status: "pending",
            input: Some(Object::empty()),
            valid_from: Timestamp::from_millis(self.now),
        })))
    }

    fn row(&mut self, job: &str, row: u64, user: NewUser) -> Result<usize, Rejection> {
        let shown = format!("{{\"row\":{row}}}");
        let step = ImportStep::Take(Box::new(ImportRow { user, replaces_password: false, shown }));
        self.ask(Command::ImportUser(Box::new(ImportUser { job: job.to_owned(), row, step })))
    }

    /// `done inserted updated failed` of a job.
    fn counts(&self, job: &str) -> String {
        let resource = self.resource(ResourceKind::Job, job).unwrap();
        let job = Job::of(&resource);
        ["done", "inserted", "updated", "failed"].map(|key| job.count(key).to_string()).join(" ")
    }

    /// The codes of a job's errors.
    fn codes(&self, job: &str) -> Vec<String> {
        let resource = self.resource(ResourceKind::Job, job).unwrap();
        let parts = Job::of(&resource).error_parts();
        let mut codes = Vec::new();
        for id in parts {
            let part = self.resource(ResourceKind::JobPart, &id).unwrap();
            for row in Elements::of(part.body.get("errors").unwrap()) {
                let row = Object::trusted(row);
                for error in Elements::of(row.get("errors").unwrap()) {
                    codes.push(
                        json::unquote(Object::trusted(error).get("code").unwrap()).into_owned(),
                    );
                }
            }
        }
        codes
    }
}

fn user(account: &str, email: &str) -> NewUser {
    NewUser {
        account: account.to_owned(),
        connection: "db".to_owned(),
        profile: Profile { email: Some(email.to_owned()), ..Profile::default() },
        user_metadata: None,
        app_metadata: None,
        password: None,
        picture_host: "secure.gravatar.com",
    }
}

#[test]
fn each_row_counts_once_however_often_it_is_asked_for() {
    let mut held = Held::new();
    held.start("job", JobKind::Import, false).unwrap();
    assert_eq!(held.row("job", 0, user("1", "a@x.io")), Ok(2));
    assert_eq!(held.row("job", 0, user("2", "b@x.io")), Ok(0), "row 0 is done");
    assert_eq!(held.row("job", 2, user("3", "c@x.io")), Err(Rejection::RowOutOfTurn { done: 1 }));
    assert_eq!(held.row("job", 1, user("4", "A@x.io")), Ok(2));
    assert_eq!(held.counts("job"), "2 1 0 1");
    assert_eq!(held.codes("job"), ["DUPLICATED_USER"]);
    assert_eq!(held.users.len(), 1);
    let gone = Err(Rejection::ResourceNotFound(ResourceKind::Job));
    assert_eq!(held.row("other", 0, user("5", "e@x.io")), gone);
}

#[test]
fn an_upsert_replaces_bags_whole_and_keeps_what_it_may_not_change() {
    let bag = |text| Some(Object::parse(text, 8).unwrap());
    let mut held = Held::new();
    held.start("job", JobKind::Import, true).unwrap();
    let mut first = user("1", "a@x.io");
    first.user_metadata = bag(r#"{"a":1,"b":2}"#);
    first.app_metadata = bag(r#"{"p":1}"#);
    first.profile.blocked = Some(false);
    held.row("job", 0, first).unwrap();
    let mut second = user("other", "A@X.io");
    second.user_metadata = bag(r#"{"c":3}"#);
    second.app_metadata = bag("{}");
    second.profile.name = Some("Ann".to_owned());
    second.profile.blocked = Some(true);
    held.row("job", 1, second).unwrap();
    assert_eq!(held.counts("job"), "2 1 1 0");
    let ann = held.user("auth0|1").unwrap().user();
    assert_eq!(ann.user_metadata.unwrap().as_json(), r#"{"c":3}"#);
    assert_eq!(ann.app_metadata, None);
    assert_eq!(ann.profile.name.as_deref(), Some("Ann"));
    assert_eq!(ann.profile.blocked, Some(false));
    assert!(ann.profile.picture.unwrap().starts_with("https://secure.gravatar.com/avatar/"));
}

#[test]
fn a_row_that_means_two_users_is_a_conflict() {
    let mut held = Held::new();
    held.start("job", JobKind::Import, true).unwrap();
    held.row("job", 0, user("1", "a@x.io")).unwrap();
    held.row("job", 1, user("2", "b@x.io")).unwrap();
    held.row("job", 2, user("1", "b@x.io")).unwrap();
    assert_eq!(held.codes("job"), ["CONFLICT_EMAIL"]);
}

#[test]
fn rules_of_the_tenant_become_codes() {
    let mut held = Held::new();
    held.start("job", JobKind::Import, false).unwrap();
    let mut reserved = user("1", "a@x.io");
    reserved.app_metadata = Some(Object::parse(r#"{"clientID":1}"#, 8).unwrap());
    held.row("job", 0, reserved).unwrap();
    let mut elsewhere = user("2", "b@x.io");
    elsewhere.connection = "gone".to_owned();
    held.row("job", 1, elsewhere).unwrap();
    assert_eq!(held.codes("job"), ["NOT_PASSED", "CONNECTION_NOT_FOUND"]);
    assert_eq!(held.counts("job"), "2 0 0 2");
}

#[test]
fn refused_rows_are_told_in_parts_of_bounded_size() {
    let mut held = Held::new();
    held.start("job", JobKind::Import, false).unwrap();
    held.row("job", 0, user("1", "a@x.io")).unwrap();
    for row in 1..100 {
        held.row("job", row, user("1", "a@x.io")).unwrap();
    }
    assert_eq!(held.codes("job").len(), 99);
    let parts = held.resources(ResourceKind::JobPart);
    assert!(parts.len() > 3, "{}", parts.len());
    assert!(parts.iter().all(|part| part.body.as_json().len() < 2 * ERROR_PART_BYTES));
}

#[test]
fn two_imports_run_at_once_until_one_ends_or_is_too_late() {
    let mut held = Held::new();
    for id in ["one", "two"] {
        held.start(id, JobKind::Import, false).unwrap();
    }
    let too_many = Rejection::TooManyJobs { kind: JobKind::Import, limit: 2 };
    assert_eq!(held.start("three", JobKind::Import, false), Err(too_many.clone()));
    held.start("export", JobKind::Export, false).unwrap();
    let patch = Object::trusted(r#"{"status":"completed"}"#);
    let (kind, id) = (ResourceKind::Job, "one".to_owned());
    held.ask(Command::UpdateResource { kind, id, patch }).unwrap();
    held.start("three", JobKind::Import, false).unwrap();
    assert_eq!(held.start("four", JobKind::Import, false), Err(too_many));
    held.now += TIMEOUT_MS + 1;
    held.start("four", JobKind::Import, false).unwrap();
}

#[test]
fn a_job_is_forgotten_with_its_parts_after_a_day() {
    let mut held = Held::new();
    held.start("old", JobKind::Import, false).unwrap();
    held.row("old", 0, user("1", "a@x.io")).unwrap();
    held.row("old", 1, user("1", "a@x.io")).unwrap();
    held.now += KEPT_MS + 1;
    held.start("new", JobKind::Import, false).unwrap();
    let left: Vec<&String> = held.resources.keys().map(|(_, id)| id).collect();
    assert_eq!(left, ["con_1", "new", "new.input"]);
}
