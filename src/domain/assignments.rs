//! What a user may do elsewhere: roles, and permissions of the tenant's APIs.
//!
//! Dossier keeps who has what and decides nothing by it. Assignments are sets in the
//! private part of a user, so no profile, search or token shows them; a user that is
//! linked away or deleted takes them along, and a revert leaves them alone.

use super::json::{self, Builder, Elements, Object};

/// Roles one user may have, as at Auth0.
pub const MAX_ROLES: usize = 50;

/// Permissions one user may have, as at Auth0.
pub const MAX_PERMISSIONS: usize = 1000;

/// One permission of an API.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// Identifier of the API.
    pub api: String,
    /// Its name, a scope of the API.
    pub name: String,
}

/// What one user has; both lists are sorted and hold everything once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assignments {
    /// Ids of roles.
    pub roles: Vec<String>,
    /// Permissions given directly.
    pub permissions: Vec<Permission>,
}

/// A change to what a user has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssignmentChange {
    /// These roles too.
    AddRoles(Vec<String>),
    /// These roles no more.
    RemoveRoles(Vec<String>),
    /// These permissions too.
    AddPermissions(Vec<Permission>),
    /// These permissions no more.
    RemovePermissions(Vec<Permission>),
}

impl Assignments {
    /// What is had after a change. Adding what is there and removing what is not change nothing.
    #[must_use]
    pub fn after(&self, change: AssignmentChange) -> Self {
        let mut after = self.clone();
        match change {
            AssignmentChange::AddRoles(roles) => add(&mut after.roles, roles),
            AssignmentChange::RemoveRoles(roles) => {
                after.roles.retain(|role| !roles.contains(role));
            }
            AssignmentChange::AddPermissions(all) => add(&mut after.permissions, all),
            AssignmentChange::RemovePermissions(all) => {
                after.permissions.retain(|permission| !all.contains(permission));
            }
        }
        after
    }

    /// The roles as JSON text; none when there are none.
    pub fn roles_json(&self) -> Option<String> {
        let roles = self.roles.iter().map(String::as_str);
        (!self.roles.is_empty()).then(|| json::array_of(roles))
    }

    /// The permissions as JSON text, each `{"api","name"}`; none when there are none.
    pub fn permissions_json(&self) -> Option<String> {
        let texts: Vec<String> = self
            .permissions
            .iter()
            .map(|permission| {
                let mut one = Builder::new();
                one.string("api", &permission.api).string("name", &permission.name);
                one.finish()
            })
            .collect();
        (!texts.is_empty()).then(|| format!("[{}]", texts.join(",")))
    }

    /// Reads what [`Self::roles_json`] and [`Self::permissions_json`] wrote.
    pub(super) fn from_json(roles: Option<&str>, permissions: Option<&str>) -> Self {
        let elements = |array: Option<&str>| array.unwrap_or("[]").to_owned();
        let (roles, permissions) = (elements(roles), elements(permissions));
        Self {
            roles: Elements::of(&roles).map(|raw| json::unquote(raw).into_owned()).collect(),
            permissions: Elements::of(&permissions)
                .map(Object::trusted)
                .map(|one| Permission {
                    api: one.get_str("api").unwrap_or_default().into_owned(),
                    name: one.get_str("name").unwrap_or_default().into_owned(),
                })
                .collect(),
        }
    }
}

fn add<T: Ord>(own: &mut Vec<T>, more: Vec<T>) {
    own.extend(more);
    own.sort();
    own.dedup();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roles(all: &[&str]) -> Vec<String> {
        all.iter().map(|role| (*role).to_owned()).collect()
    }

    fn permission(api: &str, name: &str) -> Permission {
        Permission { api: api.to_owned(), name: name.to_owned() }
    }

    #[test]
    fn roles_and_permissions_are_sets() {
        let none = Assignments::default();
        let some = none.after(AssignmentChange::AddRoles(roles(&["b", "a", "b"])));
        assert_eq!(some.roles, roles(&["a", "b"]));
        assert_eq!(some.after(AssignmentChange::AddRoles(roles(&["a"]))), some);
        assert_eq!(some.after(AssignmentChange::RemoveRoles(roles(&["c"]))), some);
        assert_eq!(some.after(AssignmentChange::RemoveRoles(roles(&["a", "b"]))), none);
        let both = vec![permission("b", "x"), permission("a", "x"), permission("b", "x")];
        let some = none.after(AssignmentChange::AddPermissions(both));
        assert_eq!(some.permissions, vec![permission("a", "x"), permission("b", "x")]);
        let one = some.after(AssignmentChange::RemovePermissions(vec![permission("a", "x")]));
        assert_eq!(one.permissions, vec![permission("b", "x")]);
    }

    #[test]
    fn assignments_survive_their_json_text() {
        let all = Assignments {
            roles: roles(&["rol_\"1\"", "ü"]),
            permissions: vec![permission("https://a", "read:\\n")],
        };
        let (roles, permissions) = (all.roles_json(), all.permissions_json());
        assert_eq!(Assignments::from_json(roles.as_deref(), permissions.as_deref()), all);
        assert_eq!(Assignments::from_json(None, None), Assignments::default());
        assert_eq!(Assignments::default().roles_json(), None);
    }
}
