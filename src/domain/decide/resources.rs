//! Making, changing and removing connections, grants, settings and tenants.

use super::{Moment, Rejection, View};
use crate::domain::change::Outcome;
use crate::domain::json::Object;
use crate::domain::resource::{Resource, ResourceKind};
use std::sync::Arc;

pub(super) fn create(
    view: &dyn View,
    moment: Moment<'_>,
    new: Resource,
) -> Result<Vec<Outcome>, Rejection> {
    let kind = new.kind;
    let name = new.name();
    let is_taken = view.resource(kind, &new.id).is_some()
        || (name.is_some() && view.resources(kind).iter().any(|other| other.name() == name))
        || (kind == ResourceKind::ClientGrant
            && view.resources(kind).iter().any(|other| same_grant(other, &new)));
    if is_taken {
        return Err(Rejection::ResourceExists(kind));
    }
    if kind == ResourceKind::ClientGrant
        && new.body.get_str("client_id").is_none_or(|id| view.client(&id).is_none())
    {
        return Err(Rejection::ClientNotFound);
    }
    Ok(vec![Outcome::Resource(Arc::new(Resource { version: moment.version, ..new }))])
}

/// A client has one grant for each API.
fn same_grant(a: &Resource, b: &Resource) -> bool {
    ["client_id", "audience"].iter().all(|key| a.body.get(key) == b.body.get(key))
}

pub(super) fn update(
    view: &dyn View,
    moment: Moment<'_>,
    kind: ResourceKind,
    id: &str,
    patch: &Object,
) -> Result<Vec<Outcome>, Rejection> {
    let before = match (view.resource(kind, id), kind) {
        (Some(before), _) => before.as_ref().clone(),
        // A tenant has settings before anybody changed one.
        (None, ResourceKind::Settings) => {
            Resource { kind, id: id.to_owned(), version: moment.version, body: Object::empty() }
        }
        (None, _) => return Err(Rejection::ResourceNotFound(kind)),
    };
    let body = before.body.merge_root(patch);
    let after = Resource { version: moment.version, body, ..before };
    let name = after.name();
    if name.is_some()
        && view.resources(kind).iter().any(|other| other.id != id && other.name() == name)
    {
        return Err(Rejection::ResourceExists(kind));
    }
    Ok(vec![Outcome::Resource(Arc::new(after))])
}

pub(super) fn delete(
    view: &dyn View,
    kind: ResourceKind,
    id: String,
) -> Result<Vec<Outcome>, Rejection> {
    let Some(resource) = view.resource(kind, &id) else { return Ok(Vec::new()) };
    if resource.body.get_bool("is_system") == Some(true) {
        return Err(Rejection::ResourceFixed(kind));
    }
    Ok(vec![Outcome::ResourceGone(kind, id)])
}
