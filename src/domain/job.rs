//! Background jobs: bulk imports and exports of users, verification e-mails
//! (CONTRACT.md §5).
//!
//! A job is a resource; its input and its errors are parts beside it, so that the
//! job itself stays small. An import keeps in its job how many rows are *done*, and
//! every row becomes one change that carries the user and the count together: after
//! a restart the job goes on with the first row that is not done, and no row counts twice.

use super::command::NewUser;
use super::json::{Builder, Object};
use super::resource::{Resource, ResourceKind};
use super::time::{Timestamp, Version};
use std::fmt;

/// How long a job is kept, in milliseconds: 24 hours.
pub const KEPT_MS: i64 = 24 * 60 * 60 * 1000;

/// How long a job may take, in milliseconds: 2 hours.
pub const TIMEOUT_MS: i64 = 2 * 60 * 60 * 1000;

/// Imports of one tenant that may be under way.
pub const ACTIVE_IMPORTS: usize = 2;

/// Exports of one tenant that may be under way.
pub const ACTIVE_EXPORTS: usize = 16;

/// Jobs one tenant keeps; beyond, the oldest that ended is forgotten before its time.
pub const KEPT_JOBS: usize = 1000;

/// The member that says from when the time of a job is counted.
pub const VALID_FROM: &str = "valid_from";

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JobKind {
    /// Makes or changes users from a file.
    Import,
    /// Writes users into a file.
    Export,
    /// Tells a user how to verify their address.
    VerificationEmail,
}

impl JobKind {
    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Import => "users_import",
            Self::Export => "users_export",
            Self::VerificationEmail => "verification_email",
        }
    }

    /// The kind with this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Import, Self::Export, Self::VerificationEmail]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// A job to be started.
#[derive(Clone, Debug)]
pub struct NewJob {
    /// `job_` and 16 letters or digits.
    pub id: String,
    /// What it does.
    pub kind: JobKind,
    /// Its members besides `type`, `status` and `created_at`.
    pub body: Object,
    /// `pending`, or how it ended already.
    pub status: &'static str,
    /// What it works on.
    pub input: Option<Object>,
    /// From when its time is counted: the time of validity, which `created_at` is not.
    pub valid_from: Timestamp,
}

/// A job as its resource tells it.
#[derive(Clone, Debug)]
pub struct Job<'a>(&'a Resource);

impl<'a> Job<'a> {
    /// The job of a resource.
    pub fn of(resource: &'a Resource) -> Self {
        Self(resource)
    }

    /// What it does.
    pub fn kind(&self) -> Option<JobKind> {
        JobKind::parse(&self.0.body.get_str("type")?)
    }

    /// When it was started.
    pub fn created_at(&self) -> Timestamp {
        let text = self.0.body.get_str("created_at");
        text.and_then(|text| Timestamp::parse(&text)).unwrap_or_default()
    }

    /// From when its time is counted; of jobs of older releases from when they were started.
    fn valid_from(&self) -> Timestamp {
        let text = self.0.body.get_str(VALID_FROM);
        text.and_then(|text| Timestamp::parse(&text)).unwrap_or_else(|| self.created_at())
    }

    /// Whether it waits or is under way, and not too late.
    pub fn is_active(&self, now: Timestamp) -> bool {
        let status = self.0.body.get_str("status");
        matches!(status.as_deref(), Some("pending" | "processing")) && !self.is_late(now)
    }

    /// Whether it should have ended by this time of validity.
    fn is_late(&self, now: Timestamp) -> bool {
        now.millis() - self.valid_from().millis() > TIMEOUT_MS
    }

    /// Whether it is kept no longer at this time of validity.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        now.millis() - self.valid_from().millis() > KEPT_MS
    }

    /// A count among its members; 0 when it is not there.
    pub fn count(&self, key: &str) -> u64 {
        self.0.body.get(key).and_then(|raw| raw.parse().ok()).unwrap_or(0)
    }

    /// The ids of its parts: the input, and the errors in order.
    pub fn parts(&self) -> Vec<String> {
        let mut ids = vec![input_id(&self.0.id)];
        ids.extend(self.error_parts());
        ids
    }

    /// The ids of the parts that hold its errors, in order.
    pub fn error_parts(&self) -> Vec<String> {
        (0..self.count("error_parts")).map(|number| errors_id(&self.0.id, number)).collect()
    }
}

/// The id of the part that holds what a job works on.
pub fn input_id(job: &str) -> String {
    format!("{job}.input")
}

/// The id of the part that holds some of a job's errors.
pub fn errors_id(job: &str, number: u64) -> String {
    format!("{job}.errors.{number}")
}

/// A part of a job.
pub(super) fn part(id: String, version: Version, body: Object) -> Resource {
    Resource { kind: ResourceKind::JobPart, id, version, body }
}

/// Why a row was not taken: the codes of CONTRACT.md §5 that a row can meet here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowCode {
    /// A user matches and nobody said `upsert`.
    DuplicatedUser,
    /// The row cannot be taken as the tenant is.
    Conflict,
    /// Its e-mail address is another user's.
    ConflictEmail,
    /// Its login name is another user's.
    ConflictUsername,
    /// The connection went away meanwhile.
    ConnectionNotFound,
    /// A value that is not among those allowed.
    EnumMismatch,
    /// A text without the form it must have.
    Format,
    /// A value of another type.
    InvalidType,
    /// A text, or a bag, that is too long.
    MaxLength,
    /// A text that is too short.
    MinLength,
    /// Second factors cannot be kept.
    MfaFactorsFailed,
    /// A member that may not be there.
    NotPassed,
    /// A member that must be there is not.
    ObjectRequired,
    /// A text that does not match its pattern.
    Pattern,
}

impl RowCode {
    /// Its name on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::DuplicatedUser => "DUPLICATED_USER",
            Self::Conflict => "CONFLICT",
            Self::ConflictEmail => "CONFLICT_EMAIL",
            Self::ConflictUsername => "CONFLICT_USERNAME",
            Self::ConnectionNotFound => "CONNECTION_NOT_FOUND",
            Self::EnumMismatch => "ENUM_MISMATCH",
            Self::Format => "FORMAT",
            Self::InvalidType => "INVALID_TYPE",
            Self::MaxLength => "MAX_LENGTH",
            Self::MinLength => "MIN_LENGTH",
            Self::MfaFactorsFailed => "MFA_FACTORS_FAILED",
            Self::NotPassed => "NOT_PASSED",
            Self::ObjectRequired => "OBJECT_REQUIRED",
            Self::Pattern => "PATTERN",
        }
    }
}

/// One thing that is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowError {
    /// Its kind.
    pub code: RowCode,
    /// What is wrong.
    pub message: String,
    /// The member it is about; empty for the row as a whole.
    pub path: String,
}

impl RowError {
    /// An error about the row as a whole.
    pub fn new(code: RowCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), path: String::new() }
    }

    /// The same about one member.
    #[must_use]
    pub fn at(self, path: impl Into<String>) -> Self {
        Self { path: path.into(), ..self }
    }
}

impl fmt::Display for RowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code.name(), self.message)
    }
}

/// A row that was refused: what it said, secrets left out, and why.
#[derive(Clone, Debug)]
pub struct RefusedRow {
    /// The row as errors show it.
    pub shown: String,
    /// What is wrong with it.
    pub errors: Vec<RowError>,
}

impl RefusedRow {
    /// The row and its errors as `GET /jobs/{id}/errors` shows them.
    pub fn to_json(&self) -> String {
        let mut errors = String::from("[");
        for error in &self.errors {
            if errors.len() > 1 {
                errors.push(',');
            }
            let path = Some(error.path.as_str()).filter(|path| !path.is_empty());
            let mut one = Builder::new();
            one.string("code", error.code.name())
                .string("message", &error.message)
                .optional("path", path);
            errors.push_str(&one.finish());
        }
        errors.push(']');
        let mut out = Builder::with_capacity(self.shown.len() + errors.len() + 24);
        out.raw("user", &self.shown).raw("errors", &errors);
        out.finish()
    }
}

/// The next step of an import: rows that cannot be users, or one that may be.
#[derive(Clone, Debug)]
pub enum ImportStep {
    /// Rows next to each other that are refused as they stand.
    Refuse(Vec<RefusedRow>),
    /// A row to be taken.
    Take(Box<ImportRow>),
}

/// A row of an import that may become a user.
#[derive(Clone, Debug)]
pub struct ImportRow {
    /// The user it would make.
    pub user: NewUser,
    /// Whether the password may replace the one of a user who exists: only `custom_password_hash` may.
    pub replaces_password: bool,
    /// The row as errors show it.
    pub shown: String,
}

/// Some rows of an import job.
#[derive(Clone, Debug)]
pub struct ImportUser {
    /// The job.
    pub job: String,
    /// The number of the first of these rows, from 0.
    pub row: u64,
    /// What they are.
    pub step: ImportStep,
}
