//! Running an import: row by row through the tenant, some rows on their way at once.
//!
//! The tenant counts the rows of a job in the same change that makes the user, so a
//! row asked for twice (after a time-out, after a restart) is taken once.

use super::import::rows_of;
use super::row::Rows;
use super::{Errand, Patience, provenance};
use crate::domain::command::Command;
use crate::domain::decide::Rejection;
use crate::domain::job::{ImportStep, ImportUser, Job, RefusedRow, TIMEOUT_MS, input_id};
use crate::domain::json::{Builder, Object};
use crate::domain::resource::{Resource, ResourceKind};
use crate::http::random;
use crate::tenant::{TenantError, by_server};
use futures_util::{StreamExt, stream};
use std::time::Duration;

/// Rows on their way to the tenant at once: enough to share a sync of the disk, few
/// enough to leave its mailbox to others.
const WINDOW: usize = 32;

/// How long a job may take, counted from when this process took it up.
const TIMEOUT: Duration = Duration::from_millis(TIMEOUT_MS.unsigned_abs());

/// Refused rows, and bytes of them, that one change tells of.
const REFUSED_ROWS: usize = 256;
const REFUSED_BYTES: usize = 16 * 1024;

/// Rows of the file, from this one on.
#[derive(Debug)]
struct Step {
    row: u64,
    step: ImportStep,
}

pub(super) async fn run(errand: &Errand, job: &Resource) -> Result<(), TenantError> {
    let published = errand.tenant.published();
    let Some(input) = published.resource(ResourceKind::JobPart, &input_id(&errand.id)) else {
        return Ok(());
    };
    if !input.body.contains("users") {
        return errand.fail(job, "The job has no users").await;
    }
    let mut status = Builder::new();
    status.string("status", "processing");
    errand.put(job, status.object()).await?;
    let connection = job.body.get_str("connection").unwrap_or_default();
    let steps = plan(&input.body, &connection, || random::account_id(errand.services.now()));
    let mut patience = Patience::default();
    let begun = errand.services.up_for();
    loop {
        let Some(now) = errand.job() else { return Ok(()) };
        let now = Job::of(&now);
        // Measured, not read off the wall: a clock set forward by mistake must not end it for good.
        if errand.services.up_for().saturating_sub(begun) > TIMEOUT {
            errand.fail(job, "The job took longer than 2 hours").await?;
            break;
        }
        let done = now.count("done");
        let left: Vec<&Step> = steps.iter().filter(|step| step.row >= done).collect();
        if left.is_empty() {
            let mut status = Builder::new();
            status.string("status", "completed");
            errand.put(job, status.object()).await?;
            break;
        }
        match take(errand, job, &left).await {
            // Another turn finds that nothing is left, or that the job took too long.
            Ok(()) => patience = Patience::default(),
            Err(TenantError::Rejected(Rejection::RowOutOfTurn { .. })) => {
                patience.after(TenantError::Busy).await?;
            }
            Err(TenantError::Rejected(Rejection::ResourceNotFound(_))) => return Ok(()),
            Err(error) => patience.after(error).await?,
        }
    }
    let (kind, id) = (ResourceKind::JobPart, input_id(&errand.id));
    errand.ask(job, || Command::DeleteResource { kind, id: id.clone() }).await
}

/// Takes steps in their order until one fails, or as many as one look at the clock covers.
async fn take(errand: &Errand, job: &Resource, steps: &[&Step]) -> Result<(), TenantError> {
    let from = provenance(job);
    let mut answers = stream::iter(steps.iter().take(16 * WINDOW))
        .map(|step| {
            let import =
                ImportUser { job: errand.id.clone(), row: step.row, step: step.step.clone() };
            let command = by_server(Command::ImportUser(Box::new(import)));
            errand.tenant.write(command, from.clone(), errand.services.now())
        })
        .buffered(WINDOW);
    let mut first_error = None;
    while let Some(answer) = answers.next().await {
        if let Err(error) = answer {
            first_error.get_or_insert(error);
            break;
        }
    }
    first_error.map_or(Ok(()), Err)
}

/// The steps of a file: the same for the same file, but for the ids of new users.
fn plan(input: &Object, connection: &str, account: impl Fn() -> String) -> Vec<Step> {
    let mut rows = Rows::default();
    let mut steps: Vec<Step> = Vec::new();
    let mut refused: Vec<RefusedRow> = Vec::new();
    let mut refused_bytes = 0;
    let mut row = 0;
    let flush = |refused: &mut Vec<RefusedRow>, next: u64, steps: &mut Vec<Step>| {
        let count = u64::try_from(refused.len()).expect("a file has fewer rows than bytes");
        if count > 0 {
            let step = ImportStep::Refuse(std::mem::take(refused));
            steps.push(Step { row: next - count, step });
        }
    };
    for raw in rows_of(input) {
        match rows.read(raw, connection, &account) {
            Ok(taken) => {
                flush(&mut refused, row, &mut steps);
                refused_bytes = 0;
                steps.push(Step { row, step: ImportStep::Take(Box::new(taken)) });
            }
            Err(bad) => {
                refused_bytes += bad.shown.len();
                refused.push(bad);
                if refused.len() >= REFUSED_ROWS || refused_bytes >= REFUSED_BYTES {
                    flush(&mut refused, row + 1, &mut steps);
                    refused_bytes = 0;
                }
            }
        }
        row += 1;
    }
    flush(&mut refused, row, &mut steps);
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_one_step_and_refusals_are_grouped() {
        let rows = [r#"{"email":"a@b.co"}"#, "1", "2", r#"{"email":"c@b.co"}"#, "{}"].join(",");
        let input = Object::parse(&format!("{{\"users\":[{rows}]}}"), 8).unwrap();
        let steps = plan(&input, "db", || "x".to_owned());
        let shape: Vec<(u64, usize)> = steps
            .iter()
            .map(|step| match &step.step {
                ImportStep::Take(_) => (step.row, 0),
                ImportStep::Refuse(rows) => (step.row, rows.len()),
            })
            .collect();
        assert_eq!(shape, [(0, 0), (1, 2), (3, 0), (4, 1)]);
    }

    #[test]
    fn many_refusals_are_told_in_pieces() {
        let input = format!("{{\"users\":[{}]}}", vec!["0"; 600].join(","));
        let steps = plan(&Object::parse(&input, 8).unwrap(), "db", String::new);
        assert_eq!(steps.iter().map(|step| step.row).collect::<Vec<_>>(), [0, 256, 512]);
    }
}
