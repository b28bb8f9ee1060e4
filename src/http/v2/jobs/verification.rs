//! `POST /api/v2/jobs/verification-email`.
//!
//! There is no mail sender: the job is done when a ticket for the link is there.
//! Whoever may make tickets (`create:user_tickets`) finds the link in the job.

use super::{fresh_id, put_starter, started};
use crate::domain::change::Channel;
use crate::domain::command::Command;
use crate::domain::job::{JobKind, NewJob};
use crate::domain::json::Builder;
use crate::domain::resource::Resource;
use crate::http::call::Call;
use crate::http::problem::Problem;
use crate::http::schema::{Extra, Format, Schema, Shape, property};
use crate::http::v2::tickets::{self, Purpose};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;

pub(in super::super) static BODY: Schema = Schema {
    properties: &[
        property(
            "user_id",
            Shape::Formatted(1, 320, Format::Solid),
            "The user_id of the user to send the verification email to",
        ),
        property("client_id", Shape::Text(0, 255), "client_id of the client (application)"),
        property("identity", Shape::Object, ""),
        property("organization_id", Shape::Text(1, 255), ""),
    ],
    required: &["user_id"],
    extra: Extra::Refuse(""),
};

pub(in super::super) async fn create(mut call: Call) -> Result<HttpResponse, Problem> {
    call.query.only(&[])?;
    let sent = call.json().await?;
    BODY.check(&sent)?;
    let user = tickets::user_of(&call, &sent.get_str("user_id").unwrap_or_default())?;
    tickets::has_address(&user)?;
    let ticket = tickets::Ticket::new(Purpose::VerifyEmail, &user, tickets::DEFAULT_TTL, &call);
    let token = ticket.token.clone();
    let kept = Command::CreateResource(Box::new(ticket.into_resource()));
    let mut body = Builder::new();
    body.string("ticket", &token);
    put_starter(&mut body, &call);
    let job = NewJob {
        id: fresh_id(),
        kind: JobKind::VerificationEmail,
        body: body.object(),
        status: "completed",
        input: None,
        valid_from: call.valid_at,
    };
    let main = Box::new(Command::StartJob(Box::new(job)));
    let answer = call.write(Channel::V2, Command::Along { main, also: vec![kept] }).await?;
    let job = answer
        .change
        .as_ref()
        .and_then(|change| change.resource())
        .ok_or_else(Problem::internal)?;
    log::info!(tenant = call.tenant.id(), job = job.id; "no mail sender: the verification link is in the job, for those who may make tickets");
    // Clients expect to be told of a job that is yet to be done.
    let pending = Resource { body: job.body.with("status", "\"pending\""), ..job.as_ref().clone() };
    Ok(started(StatusCode::CREATED, &pending))
}
