//! A whole tenant at a point in the past: what has changed since, and how it was.
//!
//! Only what a later change touched can differ, so that is all that is looked at. Where nothing is
//! known of a resource (a connection, a grant, a setting) it stays as it is, and that is told.

use super::look::{AsOf, Look, Point};
use crate::domain::change::Outcome;
use crate::domain::history::{Lasting, Subject, Was};
use crate::domain::put_back::PutBack;
use crate::domain::time::{Timestamp, Version};
use crate::domain::user::UserId;
use crate::store::history::HistoryError;
use std::collections::BTreeMap;

/// Changes read at once.
const READ_AT_ONCE: usize = 4096;

/// What was touched since a point.
#[derive(Clone, Debug)]
pub enum Since {
    /// These objects.
    Touched(Touched),
    /// The history does not reach back so far; this is the first version that it tells of as a whole.
    Beyond(Version),
}

/// What becomes of users and clients of which it is not known any more how they were: one that
/// changed more often than is kept must not stand in the way of all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// Going back there is refused.
    Refuse,
    /// They stay as they are, and are named.
    Keep,
}

/// What was touched since a point, and can be told of as it was then.
#[derive(Clone, Debug, Default)]
pub struct Touched {
    /// The objects, each with the last version that did.
    pub objects: BTreeMap<(Subject, String), Version>,
    /// What stays, since it is not known how it was: `connections/con_1`, or all of a kind, or
    /// `users/auth0|1` where that was asked for.
    pub as_now: Vec<String>,
}

impl Look {
    /// The version of the last change at a point; for a time before everything that is kept, the
    /// error is the oldest version that can be told of.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn version_at(
        &self,
        point: Point,
        unknown: Unknown,
    ) -> Result<Result<Version, Version>, HistoryError> {
        let at = match point {
            Point::Version(version) => return Ok(Ok(version)),
            Point::Time(at) => at,
        };
        let behind = Timestamp::from_millis(at.millis().saturating_add(1));
        let (floor, version) = (self.whole_from(unknown)?, self.version_before(behind)?);
        // Of the change at the floor nobody knows any more when it was.
        Ok(if version <= floor { Err(floor) } else { Ok(version) })
    }

    /// The version behind which a point can be gone back to.
    fn whole_from(&self, unknown: Unknown) -> Result<Version, HistoryError> {
        match unknown {
            Unknown::Refuse => self.floor(),
            Unknown::Keep => self.store.changes_from(self.uid),
        }
    }

    /// Every object that was touched after a version, if it is known how each was then, or if it may
    /// stay where it is not.
    ///
    /// # Errors
    /// When the disk cannot be read.
    pub fn touched_since(&self, version: Version, unknown: Unknown) -> Result<Since, HistoryError> {
        let floor = self.whole_from(unknown)?;
        let (mut touched, mut after) = (BTreeMap::new(), version.max(floor));
        loop {
            let changes = self.changes_after(after, READ_AT_ONCE)?;
            let Some(last) = changes.last().map(|change| change.version) else { break };
            for change in changes {
                touched.extend(change.touched.into_iter().map(|own| (own, change.version)));
            }
            after = last;
        }
        let (mut oldest, mut told) = (floor, Touched::default());
        let tells_resources =
            self.store.resources_from(self.uid)?.is_some_and(|own| version >= own);
        if !tells_resources {
            told.as_now = Lasting::ALL.map(|kind| kind.name().to_owned()).to_vec();
        }
        for ((kind, id), last) in touched {
            let point = Point::Version(version.max(floor));
            let is_forgotten = matches!(self.as_of(kind, &id, point)?, AsOf::Forgotten);
            match kind {
                Subject::Resource(_) if !tells_resources => continue,
                Subject::Resource(kind) if is_forgotten => {
                    told.as_now.push(format!("{}/{id}", kind.name()));
                    continue;
                }
                Subject::User if is_forgotten && unknown == Unknown::Keep => {
                    told.as_now.push(format!("users/{id}"));
                    continue;
                }
                Subject::Client if is_forgotten && unknown == Unknown::Keep => {
                    told.as_now.push(format!("clients/{id}"));
                    continue;
                }
                Subject::User | Subject::Client if is_forgotten => {
                    oldest = oldest.max(self.oldest(kind, &id)?.unwrap_or(last));
                }
                Subject::User | Subject::Client | Subject::Resource(_) => {}
            }
            told.objects.insert((kind, id), last);
        }
        Ok(if oldest > version { Since::Beyond(oldest) } else { Since::Touched(told) })
    }

    /// These objects as they were at a version.
    ///
    /// # Errors
    /// When the disk cannot be read; `None` when one was let go of meanwhile.
    pub fn as_they_were(
        &self,
        objects: &[(Subject, String)],
        version: Version,
    ) -> Result<Option<PutBack>, HistoryError> {
        let mut wanted = PutBack::default();
        for (kind, id) in objects {
            match self.as_of(*kind, id, Point::Version(version))? {
                AsOf::Forgotten => return Ok(None),
                AsOf::Was(image) => match image.was {
                    Was::User(document) => wanted.users.push(document),
                    Was::Client(client) => wanted.clients.push(client),
                    Was::Resource { resource, .. } => wanted.resources.push(resource),
                    Was::Gone | Was::Erased => gone(&mut wanted, *kind, id),
                },
                AsOf::Absent => gone(&mut wanted, *kind, id),
            }
        }
        Ok(Some(wanted))
    }
}

fn gone(wanted: &mut PutBack, kind: Subject, id: &str) {
    match kind {
        Subject::User => wanted.users_gone.push(UserId::trusted(id)),
        Subject::Client => wanted.clients_gone.push(id.to_owned()),
        Subject::Resource(kind) => wanted.resources_gone.push((kind.kind(), id.to_owned())),
    }
}

/// What a change does to objects, by their ids; never their values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effect {
    /// Users who become as they were, or come back.
    pub users: Vec<String>,
    /// Users who go.
    pub users_gone: Vec<String>,
    /// Clients that become as they were, or come back.
    pub clients: Vec<String>,
    /// Clients that go.
    pub clients_gone: Vec<String>,
    /// Resources that become as they were, or come back: `connections/con_1`.
    pub resources: Vec<String>,
    /// Resources that go.
    pub resources_gone: Vec<String>,
    /// Refresh tokens that go with their users and clients.
    pub refresh_tokens_gone: usize,
}

impl Effect {
    /// Counts in what a change makes true.
    pub fn add(&mut self, outcomes: &[Outcome]) {
        for outcome in outcomes {
            match outcome {
                Outcome::User(document) => self.users.push(document.id().to_owned()),
                Outcome::UserGone(id) => self.users_gone.push(id.to_string()),
                Outcome::Client(client) => self.clients.push(client.id.clone()),
                Outcome::ClientGone(id) => self.clients_gone.push(id.clone()),
                Outcome::ResourceGone(kind, id) => match Subject::named(*kind, id) {
                    Some(Subject::Resource(kind)) => {
                        self.resources_gone.push(format!("{}/{id}", kind.name()));
                    }
                    Some(Subject::User | Subject::Client) | None => self.refresh_tokens_gone += 1,
                },
                Outcome::Resource(resource) => {
                    if let Some(Subject::Resource(kind)) = Subject::of(resource) {
                        self.resources.push(format!("{}/{}", kind.name(), resource.id));
                    }
                }
            }
        }
    }

    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
