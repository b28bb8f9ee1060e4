//! Removing users as their connection knows them.

use super::users;
use super::{LoginKey, Rejection, View};
use crate::domain::change::Outcome;
use crate::domain::resource::{Connection, Family, ResourceKind};

/// Removes whoever was made at a database with this e-mail address.
pub(super) fn delete(
    view: &dyn View,
    connection: &str,
    email: &str,
) -> Result<Vec<Outcome>, Rejection> {
    let kind = ResourceKind::Connection;
    let found = view.resource(kind, connection).ok_or(Rejection::ResourceNotFound(kind))?;
    let connection = Connection::of(&found);
    if connection.family() != Family::Database {
        return Err(Rejection::NotDatabaseConnection);
    }
    let theirs = view.users_with(LoginKey::Email, email).into_iter().map(|user| user.user());
    Ok(theirs
        .filter(|user| user.connection() == connection.name)
        .flat_map(|user| users::delete(view, user.id))
        .collect())
}
