//! Tickets: links that let their holder do one thing for one user, once, for a while.

use super::{Moment, Rejection, View, users};
use crate::domain::change::Outcome;
use crate::domain::command::UserPatch;
use crate::domain::resource::{Resource, ResourceKind};
use crate::domain::time::Timestamp;
use crate::domain::user::UserId;

/// Tickets one tenant may have that are neither used nor expired.
const KEPT_TICKETS: usize = 10_000;

/// The tickets that are worth nothing any more.
///
/// # Errors
/// [`Rejection::TooManyTickets`] when the others are as many as allowed.
pub(super) fn expired(view: &dyn View, now: Timestamp) -> Result<Vec<Outcome>, Rejection> {
    let tickets = view.resources(ResourceKind::Ticket);
    let count = tickets.len();
    let expired: Vec<Outcome> = tickets
        .iter()
        .filter(|ticket| is_expired(ticket, now))
        .map(|ticket| Outcome::ResourceGone(ResourceKind::Ticket, ticket.id.clone()))
        .collect();
    if count - expired.len() >= KEPT_TICKETS {
        return Err(Rejection::TooManyTickets { limit: KEPT_TICKETS });
    }
    Ok(expired)
}

fn is_expired(ticket: &Resource, now: Timestamp) -> bool {
    let until = ticket.body.get_str("expires_at").and_then(|text| Timestamp::parse(&text));
    until.is_none_or(|until| until <= now)
}

/// Changes the ticket's user and removes the ticket, both or neither.
pub(super) fn redeem(
    view: &dyn View,
    moment: Moment<'_>,
    id: &str,
    patch: UserPatch,
) -> Result<Vec<Outcome>, Rejection> {
    let missing = Rejection::ResourceNotFound(ResourceKind::Ticket);
    let ticket = view.resource(ResourceKind::Ticket, id).ok_or(missing.clone())?;
    if is_expired(&ticket, moment.now) {
        return Err(missing);
    }
    let id_of_user = ticket.body.get_str("user_id").unwrap_or_default();
    let user = view.user(&id_of_user).ok_or(Rejection::UserNotFound)?;
    // The link went to one address; whoever has another one by now was not asked.
    if ticket.body.get_str("email").as_deref() != user.attribute("email").as_deref() {
        return Err(missing);
    }
    let mut outcomes = users::update(view, moment, &UserId::trusted(&id_of_user), patch)?;
    // By a call a password and the mark on the address never change together; by a link they do.
    if ticket.body.get_bool("mark_email_as_verified") == Some(true) {
        for outcome in &mut outcomes {
            if let Outcome::User(document) = outcome {
                let mut after = document.user();
                after.profile.email_verified = Some(true);
                *outcome = users::changed(moment, &user.user(), after);
            }
        }
    }
    outcomes.push(Outcome::ResourceGone(ResourceKind::Ticket, id.to_owned()));
    Ok(outcomes)
}
