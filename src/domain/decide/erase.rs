//! Erasing a user: they go, with everything beside them that names them.

use super::{Moment, View, users};
use crate::domain::change::Outcome;
use crate::domain::document::Document;
use crate::domain::erasure::{linked, mark, mark_id};
use crate::domain::job::Job;
use crate::domain::json;
use crate::domain::resource::{Resource, ResourceKind};
use crate::domain::user::UserId;
use std::collections::BTreeSet;

/// Who is neither there nor in the past leaves nothing to erase.
pub(super) fn erase(
    view: &dyn View,
    moment: Moment<'_>,
    id: UserId,
    also: &[UserId],
    is_known: bool,
) -> Vec<Outcome> {
    let user = view.user(id.as_str());
    let is_marked = view.resource(ResourceKind::Settings, &mark_id(&id)).is_some();
    if user.is_none() && (!is_known || is_marked) {
        return Vec::new();
    }
    let linked = user.iter().flat_map(linked).chain(also.iter().cloned());
    // An account that was unlinked since is a person of its own.
    let linked: BTreeSet<String> = linked
        .filter(|other| *other != id && view.user(other.as_str()).is_none())
        .map(|other| other.to_string())
        .collect();
    let ids: Vec<String> = std::iter::once(id.to_string()).chain(linked).collect();
    let mark = mark(&id, &ids, moment.version);
    let beside = beside(view, moment, &id, user.as_ref());
    let mut outcomes = users::delete(view, id.clone());
    if outcomes.is_empty() {
        outcomes.push(Outcome::UserGone(id));
    }
    outcomes.extend(beside);
    outcomes.push(mark);
    outcomes
}

/// Tickets of the user, and what ended jobs still tell of them.
fn beside(
    view: &dyn View,
    moment: Moment<'_>,
    id: &UserId,
    user: Option<&Document>,
) -> Vec<Outcome> {
    let names = |resource: &Resource| {
        resource.body.get_str("user_id").is_some_and(|own| own == id.as_str())
    };
    let tickets = view.resources(ResourceKind::Ticket);
    let tickets = tickets.iter().filter(|ticket| names(ticket));
    let email = user.and_then(|user| user.attribute("email")).map(|email| json::quoted(&email));
    let tells = |resource: &Resource| {
        let text = resource.body.as_json();
        names(resource) || email.as_ref().is_some_and(|email| text.contains(email.as_str()))
    };
    let jobs = view.resources(ResourceKind::Job);
    let is_active = |part: &Resource| {
        let job = part.id.split('.').next().unwrap_or_default();
        jobs.iter().any(|own| own.id == job && Job::of(own).is_active(moment.now))
    };
    let parts = view.resources(ResourceKind::JobPart);
    let parts = parts.iter().filter(|part| tells(part) && !is_active(part));
    let jobs = jobs.iter().filter(|job| names(job) && !Job::of(job).is_active(moment.now));
    tickets
        .chain(jobs)
        .chain(parts)
        .map(|resource| Outcome::ResourceGone(resource.kind, resource.id.clone()))
        .collect()
}
