//! `dossier restore`: one tenant as it was, written forward into a data directory that no server
//! has open.
//!
//! Everything is opened as a start opens it; the tenant's own turn decides what differs and writes
//! it behind its last version. So a restore is part of the history, and can be undone by another.

use super::{AppError, clock, declare, open};
use crate::config::{Durability, Settings, StorageMode};
use crate::domain::change::{Channel, Provenance};
use crate::domain::command::Command;
use crate::domain::condition::Condition;
use crate::domain::history::Subject;
use crate::domain::json::Object;
use crate::domain::put_back::PutBack;
use crate::domain::time::{Timestamp, Version};
use crate::tenant::history::{Effect, History, Look, Point, Since, Touched, Unknown};
use crate::tenant::{TenantHandle, by_server};
use actix::Arbiter;
use std::borrow::Cow;
use std::sync::Arc;

/// Objects looked up at once.
const READ_AT_ONCE: usize = 256;

/// Why a tenant cannot be put back to a point in time. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum PointInTimeError {
    /// The data directory cannot be opened.
    #[error(transparent)]
    App(#[from] AppError),
    /// There is no data directory.
    #[error("there is no data directory at {0}")]
    NoFolder(String),
    /// Changes are not kept in this mode.
    #[error(
        "nothing can be restored with {0}: it keeps no journal to write forward into, and no lasting history"
    )]
    Mode(&'static str),
    /// There is no such tenant.
    #[error("there is no tenant {0}")]
    NoTenant(String),
    /// Neither a version nor a time.
    #[error("--as-of {0} is neither a version such as 42 nor a time such as 2026-11-01T12:00:00Z")]
    NoPoint(String),
    /// A version that is not there yet.
    #[error("version {wanted} is not there yet, the last is {last}")]
    Ahead {
        /// What was asked for.
        wanted: Version,
        /// What there is.
        last: Version,
    },
    /// The history does not reach back so far.
    #[error(
        "the history does not reach back so far: the oldest version it can restore is {0}; with --keep-unknown users and clients that changed too often since stay as they are"
    )]
    Beyond(Version),
    /// The history cannot be used.
    #[error("the history cannot be read: {0}")]
    History(String),
}

impl PointInTimeError {
    /// The exit code (UX.md §2.2).
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::App(error) => error.exit_code(),
            Self::NoFolder(_) | Self::NoTenant(_) | Self::Beyond(_) => 8,
            Self::NoPoint(_) | Self::Ahead { .. } => 2,
            Self::Mode(_) => 3,
            Self::History(_) => 5,
        }
    }
}

/// A tenant, and what would have to change for it to be as it was.
pub struct PointInTime {
    /// The version it would be as of.
    pub version: Version,
    /// The version it has.
    pub present: Version,
    /// What would change.
    pub effect: Effect,
    /// What stays as it is, since it is not known how it was.
    pub as_now: Vec<String>,
    objects: Vec<(Subject, String)>,
    look: Look,
    tenant: TenantHandle,
    history: History,
    opened: open::Opened,
    _arbiter: Arbiter,
}

impl std::fmt::Debug for PointInTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PointInTime").field("version", &self.version).finish_non_exhaustive()
    }
}

impl PointInTime {
    /// Opens the data directory and works out what differs. Must be called within an actix system.
    ///
    /// Opening cuts off what a crash left half written, as a start does; else nothing is changed.
    ///
    /// # Errors
    /// [`PointInTimeError`].
    pub async fn prepare(
        settings: &Settings,
        tenant: &str,
        as_of: &str,
        unknown: Unknown,
    ) -> Result<Self, PointInTimeError> {
        let point = parse(as_of)?;
        let settings = Arc::new(openable(settings)?);
        let mut opened = open::open(&settings)?;
        let arbiter = Arbiter::new();
        let directory = open::start_tenants(&settings, &mut opened, vec![arbiter.handle()]);
        let tenant = directory
            .tenant(tenant)
            .ok_or_else(|| PointInTimeError::NoTenant(tenant.to_owned()))?;
        let history = open::try_history(&settings, &opened, &directory)
            .map_err(|error| PointInTimeError::History(error.to_string()))?;
        let look = caught_up(&history, &tenant).await?;
        let present = tenant.published().version();
        let history_of = |error: crate::store::history::HistoryError| {
            PointInTimeError::History(error.to_string())
        };
        let version = look
            .version_at(point, unknown)
            .map_err(history_of)?
            .map_err(PointInTimeError::Beyond)?;
        if version > present {
            return Err(PointInTimeError::Ahead { wanted: version, last: present });
        }
        let touched = match look.touched_since(version, unknown).map_err(history_of)? {
            Since::Beyond(oldest) => return Err(PointInTimeError::Beyond(oldest)),
            Since::Touched(touched) => touched,
        };
        // Whoever this server's own commands sign in with must not be locked out by going back.
        let administrator = administrator(&opened);
        let is_own = |kind: Subject, id: &str| match kind {
            Subject::Client => Some(id) == administrator.as_deref(),
            Subject::Resource(kind) => {
                let now = tenant.published().resource(kind.kind(), id);
                let client = now.and_then(|now| now.body.get_str("client_id").map(Cow::into_owned));
                client.is_some() && client == administrator
            }
            Subject::User => false,
        };
        let Touched { objects, as_now } = touched;
        let objects: Vec<(Subject, String)> =
            objects.into_keys().filter(|(kind, id)| !is_own(*kind, id)).collect();
        let mut own = Self {
            version,
            present,
            effect: Effect::default(),
            as_now,
            objects,
            look,
            tenant,
            history,
            opened,
            _arbiter: arbiter,
        };
        own.effect = own.go(true).await?;
        Ok(own)
    }

    /// Writes what differs, and syncs it.
    ///
    /// # Errors
    /// [`PointInTimeError`]; what was written by then stays, and another run does the rest.
    pub async fn carry_out(self) -> Result<Version, PointInTimeError> {
        self.go(false).await?;
        let version = self.tenant.published().version();
        self.opened.journal.flush().map_err(AppError::Journal)?;
        self.history.stop();
        self.opened.journal.close();
        Ok(version)
    }

    async fn go(&self, is_rehearsal: bool) -> Result<Effect, PointInTimeError> {
        let mut effect = Effect::default();
        for objects in self.objects.chunks(READ_AT_ONCE) {
            let images = self.look.as_they_were(objects, self.version);
            let images = images
                .map_err(|error| PointInTimeError::History(error.to_string()))?
                .ok_or(PointInTimeError::Beyond(self.present))?;
            for wanted in pieces(images) {
                let command = by_server(Command::PutBack(Box::new(wanted)));
                let provenance = Provenance {
                    actor: "restore".to_owned(),
                    channel: Channel::Server,
                    reason: Some(format!("as of {}", self.version)),
                    ..Provenance::default()
                };
                let now = clock::now();
                let answer = if is_rehearsal {
                    self.tenant.rehearse(command, Condition::default(), provenance, now).await
                } else {
                    self.tenant.write(command, provenance, now).await
                };
                let answer = answer.map_err(AppError::Write)?;
                if let Some(change) = &answer.change {
                    effect.add(&change.outcomes);
                }
            }
        }
        Ok(effect)
    }
}

/// Changes of a bounded size each, those that free addresses first.
fn pieces(images: PutBack) -> Vec<PutBack> {
    let PutBack { users, users_gone, clients, clients_gone, resources, resources_gone } = images;
    let gone = PutBack { users_gone, clients_gone, resources_gone, ..PutBack::default() };
    let mut pieces = vec![gone];
    let mut piece = PutBack { clients, resources, ..PutBack::default() };
    for user in users {
        if piece.is_full() {
            pieces.push(std::mem::take(&mut piece));
        }
        piece.users.push(user);
    }
    pieces.push(piece);
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

fn parse(as_of: &str) -> Result<Point, PointInTimeError> {
    if let Ok(number) = as_of.parse() {
        return Ok(Point::Version(Version::new(number)));
    }
    let time = Timestamp::parse(as_of).map(Point::Time);
    time.ok_or_else(|| PointInTimeError::NoPoint(as_of.to_owned()))
}

/// The settings with which the folder is opened, if anything can be restored with them.
fn openable(settings: &Settings) -> Result<Settings, PointInTimeError> {
    let folder = &settings.storage.data_dir;
    if !folder.is_dir() {
        return Err(PointInTimeError::NoFolder(folder.display().to_string()));
    }
    if settings.storage.mode == StorageMode::Memory {
        return Err(PointInTimeError::Mode("storage.mode = \"memory\""));
    }
    if settings.journal.durability == Durability::Snapshot {
        return Err(PointInTimeError::Mode("journal.durability = \"snapshot\""));
    }
    if !settings.history.enabled {
        return Err(PointInTimeError::Mode("history.enabled = false"));
    }
    Ok(settings.clone())
}

/// A look at a tenant's past once the history has everything: it may have to be built anew.
async fn caught_up(history: &History, tenant: &TenantHandle) -> Result<Look, PointInTimeError> {
    use crate::tenant::history::Unavailable;
    loop {
        match history.look(tenant.uid()).await {
            Ok(look) => return Ok(look),
            // It goes on until it has read the journal, or fails.
            Err(Unavailable::Behind) => {}
            Err(error @ Unavailable::Failed) => {
                return Err(PointInTimeError::History(error.to_string()));
            }
        }
    }
}

/// The client of the first administrator, if its file names one.
fn administrator(opened: &open::Opened) -> Option<String> {
    let path = opened.dir.root().join(declare::ADMIN_CLIENT_FILE);
    let text = std::fs::read_to_string(path).ok()?;
    let client = Object::parse(text.trim(), 4).ok()?;
    client.get_str("client_id").map(std::borrow::Cow::into_owned)
}
