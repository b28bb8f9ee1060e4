//! Starting jobs, and taking the rows of an import (CONTRACT.md §5).

use super::users::{self, changed};
use super::{LoginKey, Moment, Rejection, View};
use crate::domain::change::Outcome;
use crate::domain::document::Document;
use crate::domain::job::{
    ACTIVE_EXPORTS, ACTIVE_IMPORTS, ImportRow, ImportStep, ImportUser, Job, JobKind, KEPT_JOBS,
    NewJob, RefusedRow, RowCode, RowError, VALID_FROM, errors_id, input_id, part,
};
use crate::domain::json::{Builder, Elements, Object};
use crate::domain::metadata::{self, Bag};
use crate::domain::policy::{Compat, Rules};
use crate::domain::resource::{Resource, ResourceKind};
use crate::domain::time::Timestamp;
use crate::domain::user::User;
use std::sync::Arc;

/// Bytes of errors after which the next error begins a part of its own, so that
/// writing one error never costs more than that.
const ERROR_PART_BYTES: usize = 2048;

pub(super) fn start(
    view: &dyn View,
    moment: Moment<'_>,
    new: NewJob,
) -> Result<Vec<Outcome>, Rejection> {
    if view.resource(ResourceKind::Job, &new.id).is_some() {
        return Err(Rejection::ResourceExists(ResourceKind::Job));
    }
    let jobs = view.resources(ResourceKind::Job);
    let active = |kind: JobKind| {
        let is_one = |job: &Job<'_>| job.kind() == Some(kind) && job.is_active(new.valid_from);
        jobs.iter().map(|job| Job::of(job)).filter(is_one).count()
    };
    let limit = match new.kind {
        JobKind::Import => ACTIVE_IMPORTS,
        JobKind::Export => ACTIVE_EXPORTS,
        JobKind::VerificationEmail => usize::MAX,
    };
    if new.status == "pending" && active(new.kind) >= limit {
        return Err(Rejection::TooManyJobs { kind: new.kind, limit });
    }
    let mut body = Builder::with_capacity(new.body.as_json().len() + 120);
    body.string("type", new.kind.name()).string("status", new.status);
    for (key, value) in new.body.members() {
        body.member(key, value);
    }
    body.string("created_at", &moment.now.to_string())
        .string(VALID_FROM, &new.valid_from.to_string());
    let job = Resource {
        kind: ResourceKind::Job,
        id: new.id.clone(),
        version: moment.version,
        body: body.object(),
    };
    let mut outcomes = vec![Outcome::Resource(Arc::new(job))];
    if let Some(input) = new.input {
        let input = part(input_id(&new.id), moment.version, input);
        outcomes.push(Outcome::Resource(Arc::new(input)));
    }
    outcomes.extend(forgotten(&jobs, new.valid_from));
    Ok(outcomes)
}

/// Jobs that are kept no longer at this time of validity, with their parts.
fn forgotten(jobs: &[Arc<Resource>], now: Timestamp) -> Vec<Outcome> {
    let (expired, kept): (Vec<_>, Vec<_>) =
        jobs.iter().partition(|job| Job::of(job).is_expired(now));
    let mut ended: Vec<_> = kept.iter().filter(|job| !Job::of(job).is_active(now)).collect();
    let excess = (kept.len() + 1).saturating_sub(KEPT_JOBS);
    if excess > 0 {
        ended.sort_by_key(|job| Job::of(job).created_at());
    }
    expired
        .into_iter()
        .chain(ended.into_iter().take(excess).copied())
        .flat_map(|job| {
            let parts = Job::of(job).parts().into_iter();
            parts
                .map(|id| Outcome::ResourceGone(ResourceKind::JobPart, id))
                .chain([Outcome::ResourceGone(ResourceKind::Job, job.id.clone())])
        })
        .collect()
}

/// What became of one row.
enum Taken {
    Inserted(Outcome),
    Updated(Outcome),
    Refused(RefusedRow),
}

/// Takes the next rows of an import, whatever becomes of them: each row counts once.
pub(super) fn import(
    view: &dyn View,
    moment: Moment<'_>,
    import: ImportUser,
) -> Result<Vec<Outcome>, Rejection> {
    let resource = view
        .resource(ResourceKind::Job, &import.job)
        .ok_or(Rejection::ResourceNotFound(ResourceKind::Job))?;
    let job = Job::of(&resource);
    match job.count("done") {
        done if done > import.row => return Ok(Vec::new()),
        done if done < import.row => return Err(Rejection::RowOutOfTurn { done }),
        _ => {}
    }
    let mut tally = Tally::of(&job);
    let mut outcomes = Vec::with_capacity(3);
    let refused = match import.step {
        ImportStep::Refuse(rows) => rows,
        ImportStep::Take(row) => {
            let is_upsert = resource.body.get_bool("upsert").unwrap_or(false);
            match take(view, moment, &row, is_upsert) {
                Taken::Inserted(user) => {
                    tally.inserted += 1;
                    outcomes.push(user);
                    Vec::new()
                }
                Taken::Updated(user) => {
                    tally.updated += 1;
                    outcomes.push(user);
                    Vec::new()
                }
                Taken::Refused(row) => vec![row],
            }
        }
    };
    let refused_count = u64::try_from(refused.len()).unwrap_or(u64::MAX);
    let inserted_or_updated = u64::try_from(outcomes.len()).unwrap_or(0);
    tally.failed += refused_count;
    tally.done += refused_count + inserted_or_updated;
    if !refused.is_empty() {
        let errors = appended(view, moment, &import.job, &mut tally, &refused);
        outcomes.push(Outcome::Resource(Arc::new(errors)));
    }
    let after = Resource {
        version: moment.version,
        body: tally.put(&resource.body),
        ..resource.as_ref().clone()
    };
    outcomes.push(Outcome::Resource(Arc::new(after)));
    Ok(outcomes)
}

/// What an import counts.
struct Tally {
    done: u64,
    inserted: u64,
    updated: u64,
    failed: u64,
    error_parts: u64,
}

impl Tally {
    fn of(job: &Job<'_>) -> Self {
        Self {
            done: job.count("done"),
            inserted: job.count("inserted"),
            updated: job.count("updated"),
            failed: job.count("failed"),
            error_parts: job.count("error_parts"),
        }
    }

    fn put(&self, body: &Object) -> Object {
        let mut patch = Builder::new();
        patch
            .raw("done", &self.done.to_string())
            .raw("inserted", &self.inserted.to_string())
            .raw("updated", &self.updated.to_string())
            .raw("failed", &self.failed.to_string())
            .raw("error_parts", &self.error_parts.to_string());
        body.merge_root(&patch.object())
    }
}

/// The errors of the refused rows behind those there are, in the last part or a new one.
fn appended(
    view: &dyn View,
    moment: Moment<'_>,
    job: &str,
    tally: &mut Tally,
    refused: &[RefusedRow],
) -> Resource {
    let last = tally.error_parts.checked_sub(1).map(|number| errors_id(job, number));
    let open = last.and_then(|id| view.resource(ResourceKind::JobPart, &id));
    let open = open.filter(|part| part.body.as_json().len() < ERROR_PART_BYTES);
    let before = open.as_ref().and_then(|part| part.body.get("errors")).unwrap_or("[]");
    let rows: Vec<String> = Elements::of(before)
        .map(str::to_owned)
        .chain(refused.iter().map(RefusedRow::to_json))
        .collect();
    let mut body = Builder::new();
    body.raw("errors", &format!("[{}]", rows.join(",")));
    if open.is_none() {
        tally.error_parts += 1;
    }
    let id = errors_id(job, tally.error_parts - 1);
    part(id, moment.version, body.object())
}

fn take(view: &dyn View, moment: Moment<'_>, row: &ImportRow, is_upsert: bool) -> Taken {
    let refused = |errors| Taken::Refused(RefusedRow { shown: row.shown.clone(), errors });
    let found = match matching(view, row) {
        Ok(found) => found,
        Err(error) => return refused(vec![error]),
    };
    // Imported users need no password whatever the tenant asks of others.
    let rules = Rules { compat: Compat::Lenient, ..moment.rules.clone() };
    let moment = Moment { rules: &rules, ..moment };
    match found {
        None => match users::create(view, moment, row.user.clone()) {
            Ok(outcomes) => match outcomes.into_iter().next() {
                Some(user) => Taken::Inserted(user),
                None => refused(vec![RowError::new(RowCode::Conflict, "The user was not made")]),
            },
            Err(rejection) => refused(vec![row_error(&rejection)]),
        },
        Some(_) if !is_upsert => refused(vec![RowError::new(
            RowCode::DuplicatedUser,
            "The user already exist and upsert parameter is false",
        )]),
        Some(document) => {
            let before = document.user();
            match upserted(moment, before.clone(), row) {
                Ok(user) => Taken::Updated(changed(moment, &before, user)),
                Err(rejection) => refused(vec![row_error(&rejection)]),
            }
        }
    }
}

/// The one user of the connection the row is about, by id, e-mail, login name or phone number.
fn matching(view: &dyn View, row: &ImportRow) -> Result<Option<Document>, RowError> {
    let new = &row.user;
    let of_connection = |document: &Document| document.user().connection() == new.connection;
    let by_id = view.user(&format!("auth0|{}", new.account)).filter(of_connection);
    let mut found = by_id;
    for key in LoginKey::ALL {
        let (value, code) = match key {
            LoginKey::Email => (&new.profile.email, RowCode::ConflictEmail),
            LoginKey::Username => (&new.profile.username, RowCode::ConflictUsername),
            LoginKey::Phone => (&new.profile.phone_number, RowCode::Conflict),
        };
        let Some(value) = value else { continue };
        let other = view.users_with(key, value).into_iter().find(of_connection);
        match (&found, other) {
            (Some(one), Some(other)) if one.id() != other.id() => {
                let attribute = key.attribute();
                let message = format!("A user with the same {attribute} already exist");
                return Err(RowError::new(code, message).at(attribute));
            }
            (None, other) => found = other,
            (Some(_), _) => {}
        }
    }
    Ok(found)
}

/// A user with what a row may change: bags are replaced as a whole, never merged.
fn upserted(moment: Moment<'_>, mut user: User, row: &ImportRow) -> Result<User, Rejection> {
    let new = &row.user;
    let profile = &mut user.profile;
    let given = &new.profile;
    for (own, other) in [
        (&mut profile.family_name, &given.family_name),
        (&mut profile.given_name, &given.given_name),
        (&mut profile.name, &given.name),
        (&mut profile.nickname, &given.nickname),
        (&mut profile.picture, &given.picture),
    ] {
        if other.is_some() {
            own.clone_from(other);
        }
    }
    if given.email_verified.is_some() && profile.email.is_some() {
        profile.email_verified = given.email_verified;
    }
    if let Some(bag) = &new.user_metadata {
        user.user_metadata = replaced(Bag::User, bag, moment.rules)?;
    }
    if let Some(bag) = &new.app_metadata {
        user.app_metadata = replaced(Bag::App, bag, moment.rules)?;
    }
    if row.replaces_password && new.password.is_some() {
        user.password.clone_from(&new.password);
        user.profile.last_password_reset = Some(moment.now);
    }
    Ok(user)
}

fn replaced(bag: Bag, given: &Object, rules: &Rules) -> Result<Option<Object>, Rejection> {
    metadata::permitted(bag, given, rules)?;
    metadata::fits(bag, given, rules)?;
    Ok(metadata::patched(bag, None, given))
}

/// What a row is told of a rule it breaks.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever else a rule may say, now or later, the row is in conflict with the tenant"
)]
fn row_error(rejection: &Rejection) -> RowError {
    let message = rejection.to_string();
    match rejection {
        Rejection::UserExists => RowError::new(
            RowCode::DuplicatedUser,
            "The user already exist and upsert parameter is false",
        ),
        Rejection::ConnectionNotFound => {
            RowError::new(RowCode::ConnectionNotFound, "Connection not found")
        }
        Rejection::MissingProperty { property } => {
            RowError::new(RowCode::ObjectRequired, format!("Missing required property: {property}"))
        }
        Rejection::ReservedKey { bag, key } => {
            RowError::new(RowCode::NotPassed, "Data matches schema from 'not'")
                .at(format!("{bag}.{key}"))
        }
        Rejection::BadKeys { bag, .. } => {
            RowError::new(RowCode::Pattern, message).at(bag.to_string())
        }
        Rejection::MetadataTooLarge { bag, .. } => {
            RowError::new(RowCode::MaxLength, message).at(bag.to_string())
        }
        Rejection::UsernameNotSupported => RowError::new(
            RowCode::Conflict,
            "Cannot set username for connection without requires_username",
        )
        .at("username"),
        _ => RowError::new(RowCode::Conflict, message),
    }
}

#[cfg(test)]
mod tests;
