//! Making, changing and removing connections, grants, settings and tenants.

use super::{Moment, Rejection, View};
use crate::domain::change::Outcome;
use crate::domain::json::Object;
use crate::domain::metadata::{self, Bag};
use crate::domain::policy::Rules;
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
    let body = merged(kind, &Object::empty(), &new.body, moment.rules)?;
    let mut outcomes =
        vec![Outcome::Resource(Arc::new(Resource { version: moment.version, body, ..new }))];
    if kind == ResourceKind::Ticket {
        outcomes.extend(super::tickets::expired(view, moment.now)?);
    }
    Ok(outcomes)
}

/// Members are replaced one by one, but for those that are merged themselves: the
/// metadata of a connection, as `client_metadata` is, and the flags of the settings.
fn merged(
    kind: ResourceKind,
    before: &Object,
    patch: &Object,
    rules: &Rules,
) -> Result<Object, Rejection> {
    let body = before.merge_root(patch);
    match kind {
        ResourceKind::Connection => {
            let bag = Bag::Connection;
            let Some(patch) = patch.get_object("metadata") else { return Ok(body) };
            metadata::permitted(bag, &patch, rules)?;
            let merged = metadata::patched(bag, before.get_object("metadata").as_ref(), &patch)
                .unwrap_or_else(Object::empty);
            metadata::fits(bag, &merged, rules)?;
            Ok(body.with("metadata", merged.as_json()))
        }
        ResourceKind::Settings => {
            let flags = (before.get_object("flags"), patch.get_object("flags"));
            let (Some(before), Some(patch)) = flags else { return Ok(body) };
            Ok(body.with("flags", before.merge_root(&patch).as_json()))
        }
        ResourceKind::ClientGrant
        | ResourceKind::ResourceServer
        | ResourceKind::RefreshToken
        | ResourceKind::Tenant
        | ResourceKind::Job
        | ResourceKind::JobPart
        | ResourceKind::Ticket => Ok(body),
    }
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
    let body = merged(kind, &before.body, patch, moment.rules)?;
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
    // What was granted of an API goes with it, or a later API of that name would find it.
    let grants = match kind {
        ResourceKind::ResourceServer => view.resources(ResourceKind::ClientGrant),
        ResourceKind::Connection
        | ResourceKind::ClientGrant
        | ResourceKind::Settings
        | ResourceKind::RefreshToken
        | ResourceKind::Tenant
        | ResourceKind::Job
        | ResourceKind::JobPart
        | ResourceKind::Ticket => Vec::new(),
    };
    let orphans = grants
        .iter()
        .filter(|grant| grant.body.get("audience") == resource.body.get("identifier"))
        .map(|grant| Outcome::ResourceGone(grant.kind, grant.id.clone()));
    Ok(std::iter::once(Outcome::ResourceGone(kind, id)).chain(orphans).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: ResourceKind, before: &str, patch: &str, after: &str) {
        let object = |text: &str| Object::parse(text, 8).unwrap();
        let found = match merged(kind, &object(before), &object(patch), &Rules::default()) {
            Ok(body) => body.as_json().to_owned(),
            Err(rejection) => rejection.to_string(),
        };
        assert_eq!(found, after, "{patch}");
    }

    #[test]
    fn options_are_replaced_and_metadata_is_merged() {
        let kind = ResourceKind::Connection;
        let before = r#"{"options":{"a":1},"metadata":{"k":"v"}}"#;
        check(
            kind,
            before,
            r#"{"options":{"b":2}}"#,
            r#"{"options":{"b":2},"metadata":{"k":"v"}}"#,
        );
        check(
            kind,
            before,
            r#"{"metadata":{"k":null,"l":"w"}}"#,
            r#"{"options":{"a":1},"metadata":{"l":"w"}}"#,
        );
        check(kind, before, r#"{"metadata":{}}"#, r#"{"options":{"a":1},"metadata":{}}"#);
        check(
            kind,
            before,
            r#"{"metadata":{"k":1}}"#,
            "metadata.k must be a string, found integer",
        );
    }

    #[test]
    fn flags_are_merged_and_other_settings_replaced() {
        check(
            ResourceKind::Settings,
            r#"{"flags":{"a":true},"error_page":{"url":"x"}}"#,
            r#"{"flags":{"b":true},"error_page":{"html":"y"}}"#,
            r#"{"flags":{"a":true,"b":true},"error_page":{"html":"y"}}"#,
        );
    }
}
