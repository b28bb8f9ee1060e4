//! Giving users roles and permissions, and taking them.

use super::users::{changed, existing};
use super::{Moment, Rejection, View};
use crate::domain::assignments::{AssignmentChange, MAX_PERMISSIONS, MAX_ROLES, Permission};
use crate::domain::change::Outcome;
use crate::domain::json::{Elements, Object};
use crate::domain::policy::Compat;
use crate::domain::resource::{MANAGEMENT_AUDIENCE, Resource, ResourceKind};
use crate::domain::scope::Scope;
use crate::domain::user::UserId;

/// Makes a change to what a user has. There is no list of roles to hold a role against;
/// permissions are held against the tenant's APIs where it is strict.
pub(super) fn assign(
    view: &dyn View,
    moment: Moment<'_>,
    id: &UserId,
    change: AssignmentChange,
) -> Result<Vec<Outcome>, Rejection> {
    let before = existing(view, id)?;
    if let AssignmentChange::AddPermissions(all) = &change
        && moment.rules.compat == Compat::Strict
    {
        let apis = view.resources(ResourceKind::ResourceServer);
        let is_known =
            |permission: &&Permission| apis.iter().any(|api| has_permission(api, permission));
        let unknown = all.iter().find(|one| !is_own(one) && !is_known(one));
        if let Some(unknown) = unknown {
            return Err(Rejection::PermissionNotFound(unknown.clone()));
        }
    }
    let after = before.assignments.after(change);
    if after == before.assignments {
        return Ok(Vec::new());
    }
    let limits = [
        ("roles", after.roles.len(), before.assignments.roles.len(), MAX_ROLES),
        (
            "permissions",
            after.permissions.len(),
            before.assignments.permissions.len(),
            MAX_PERMISSIONS,
        ),
    ];
    if let Some((what, _, _, limit)) =
        limits.into_iter().find(|(_, now, then, limit)| now > limit && now > then)
    {
        return Err(Rejection::TooManyAssignments { what, limit });
    }
    let mut user = before.clone();
    user.assignments = after;
    Ok(vec![changed(moment, &before, user)])
}

/// Whether it is a scope of the tenant's own management API, which is stored nowhere.
fn is_own(permission: &Permission) -> bool {
    permission.api == MANAGEMENT_AUDIENCE && Scope::parse(&permission.name).is_some()
}

fn has_permission(api: &Resource, permission: &Permission) -> bool {
    api.name().is_some_and(|identifier| identifier == permission.api)
        && api.body.get("scopes").map(Elements::of).into_iter().flatten().any(|scope| {
            let value = Object::trusted(scope);
            value.get_str("value").is_some_and(|value| value == permission.name)
        })
}
