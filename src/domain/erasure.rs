//! Erasing what is known of a person: the mark that says so until every file is rid of it.
//!
//! The mark is a resource of the tenant, part of the very change that deletes the user. So it is
//! in the journal, where the history reads it, and in the state, where it stays until journal and
//! snapshots hold nothing older: a crash, or a history built anew, brings nothing back. It is kept
//! as a setting with an id of its own, for which format 1 has all it needs.

use super::change::Outcome;
use super::document::Document;
use super::json::{self, Builder};
use super::resource::{Resource, ResourceKind};
use super::time::Version;
use super::user::UserId;
use std::sync::Arc;

/// What the ids of marks begin with.
pub const PREFIX: &str = "erasure:";

/// The mark of a user who is to be erased, and with them these ids of theirs.
pub fn mark(id: &UserId, ids: &[String], version: Version) -> Outcome {
    let mut body = Builder::new();
    body.raw("ids", &json::array_of(ids));
    Outcome::Resource(Arc::new(Resource {
        kind: ResourceKind::Settings,
        id: mark_id(id),
        version,
        body: body.object(),
    }))
}

/// The id of the mark of a user.
pub fn mark_id(id: &UserId) -> String {
    format!("{PREFIX}{id}")
}

/// The users a change erases.
pub fn erased_by(outcomes: &[Outcome]) -> Vec<String> {
    let ids = outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Resource(resource) if is_mark(resource) => resource.body.get_strings("ids"),
        Outcome::Resource(_)
        | Outcome::User(_)
        | Outcome::UserGone(_)
        | Outcome::Client(_)
        | Outcome::ClientGone(_)
        | Outcome::ResourceGone(..) => None,
    });
    ids.flatten().collect()
}

/// Whether a resource is a mark.
pub fn is_mark(resource: &Resource) -> bool {
    resource.kind == ResourceKind::Settings && resource.id.starts_with(PREFIX)
}

/// The ids of the accounts that were linked to a user: what was theirs is this user's now.
pub fn linked(user: &Document) -> Vec<UserId> {
    let user = user.user();
    let all = user.identities.iter().map(|own| format!("{}|{}", own.provider, own.user_id));
    all.filter(|id| id != user.id.as_str()).map(|id| UserId::trusted(&id)).collect()
}
