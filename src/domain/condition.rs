//! Conditions on a write: "only if it still is what I saw" (RFC 9110 §13).
//!
//! A condition is checked in the same turn that decides the change, so between the
//! check and the change there is nothing. The tag of an object is the version of its
//! last change; the tag of a key is the version that last changed this key.

use super::command::Command;
use super::decide::{Rejection, View};
use super::json::{self, Members};
use super::keys::path_of;
use super::metadata::Bag;
use super::resource::ResourceKind;
use super::time::Version;

/// What a tag is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tags {
    /// `*`: anything that exists.
    Any,
    /// One of these versions.
    Versions(Vec<Version>),
}

impl Tags {
    fn contain(&self, current: Option<Version>) -> bool {
        match (self, current) {
            (Self::Any, current) => current.is_some(),
            (Self::Versions(_), None) => false,
            (Self::Versions(versions), Some(current)) => versions.contains(&current),
        }
    }
}

/// What of an object a condition speaks of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    #[default]
    Whole,
    /// One bag.
    Bag(Bag),
    /// One key of a bag.
    Key(Bag, String),
}

impl Part {
    /// Whether who speaks of this part is told of a path: of a bag's keys with any of them.
    fn holds(&self, path: &str) -> bool {
        match self {
            Self::Whole => true,
            Self::Bag(bag) | Self::Key(bag, _) => path.starts_with(&path_of(*bag, "")),
        }
    }
}

/// What must hold for a write to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Condition {
    /// The current tag must be one of these.
    pub if_match: Option<Tags>,
    /// The current tag must be none of these.
    pub if_none_match: Option<Tags>,
    /// What it speaks of.
    pub part: Part,
}

impl Condition {
    /// Whether anything is asked.
    pub const fn is_empty(&self) -> bool {
        self.if_match.is_none() && self.if_none_match.is_none()
    }

    /// Whether it holds for something at `current`.
    pub fn holds(&self, current: Option<Version>) -> bool {
        self.if_match.as_ref().is_none_or(|tags| tags.contain(current))
            && self.if_none_match.as_ref().is_none_or(|tags| !tags.contain(current))
    }

    /// The latest version the caller says to have seen.
    fn seen(&self) -> Version {
        match &self.if_match {
            Some(Tags::Versions(versions)) => {
                versions.iter().copied().max().unwrap_or(Version::ZERO)
            }
            Some(Tags::Any) | None => Version::new(u64::MAX),
        }
    }
}

/// A key that changed since the caller's version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangedKey {
    /// Such as `user_metadata.hobby` or `name`.
    pub path: String,
    /// The version that changed it.
    pub version: Version,
    /// Its value as JSON text; none when it was removed.
    pub value: Option<String>,
}

/// What a command changes, as far as conditions speak of it.
pub(super) enum Target<'a> {
    User(&'a str),
    Client(&'a str),
    Resource(ResourceKind, &'a str),
    New,
}

pub(super) fn target(command: &Command) -> Target<'_> {
    match command {
        Command::UpdateUser { id, .. }
        | Command::PatchUser { id, .. }
        | Command::ExpireKeys { id }
        | Command::DeleteUser { id }
        | Command::EraseUser { id, .. }
        | Command::ReplaceAppMetadata { id, .. }
        | Command::SetEntry { id, .. }
        | Command::ReplaceEntries { id, .. }
        | Command::RemoveEntry { id, .. }
        | Command::Assign { id, .. }
        | Command::SignIn { id, .. } => Target::User(id.as_str()),
        Command::Along { main, .. } => target(main),
        Command::LinkIdentity { primary, .. } | Command::UnlinkIdentity { primary, .. } => {
            Target::User(primary.as_str())
        }
        Command::RevertUser(revert) => Target::User(revert.image.id()),
        Command::RevertClient(revert) => Target::Client(&revert.image.id),
        Command::UpdateClient { id, .. }
        | Command::PatchClient { id, .. }
        | Command::ChangeCredentials { id, .. }
        | Command::RotateSecret { id, .. }
        | Command::DeleteClient { id } => Target::Client(id),
        Command::UpdateResource { kind, id, .. } | Command::DeleteResource { kind, id } => {
            Target::Resource(*kind, id)
        }
        Command::CreateUser(_)
        | Command::ProviderSignIn(_)
        | Command::DeleteConnectionUsers { .. }
        | Command::CreateClient(_)
        | Command::CreateResource(_)
        | Command::PutBack(_)
        | Command::StartJob(_) => Target::New,
        Command::ImportUser(import) => Target::Resource(ResourceKind::Job, &import.job),
        Command::RedeemTicket { id, .. } => Target::Resource(ResourceKind::Ticket, id),
    }
}

/// Whether `command` makes the key that `part` names, in an object that is there.
pub fn makes_key(view: &dyn View, command: &Command, part: &Part) -> bool {
    let Part::Key(bag, key) = part else { return false };
    match target(command) {
        Target::User(id) => {
            view.user(id).is_some_and(|user| user.user().key_version(*bag, key).is_none())
        }
        Target::Client(id) => view.client(id).is_some_and(|client| {
            !client.client_metadata.as_ref().is_some_and(|bag| bag.contains(key))
        }),
        Target::Resource(..) | Target::New => false,
    }
}

/// Checks a condition against the tenant as `command` finds it.
///
/// # Errors
/// [`Rejection::PreconditionFailed`] with what changed since the caller's version.
pub fn check(view: &dyn View, command: &Command, condition: &Condition) -> Result<(), Rejection> {
    if condition.is_empty() {
        return Ok(());
    }
    let (current, changed) = match target(command) {
        Target::User(id) => {
            let user = view.user(id).map(|document| document.user());
            let current = user.as_ref().and_then(|user| match &condition.part {
                Part::Whole => Some(user.version),
                Part::Bag(bag) => Some(user.bag_version(*bag)),
                Part::Key(bag, key) => user.key_version(*bag, key),
            });
            if condition.holds(current) {
                return Ok(());
            }
            (current, user.map(|user| user.changed_since(condition.seen())).unwrap_or_default())
        }
        Target::Client(id) => {
            let client = view.client(id);
            let current = client.as_ref().and_then(|client| match &condition.part {
                Part::Whole => Some(client.version),
                Part::Bag(_) => Some(client.bag_version()),
                Part::Key(_, key) => {
                    let has = client.client_metadata.as_ref().is_some_and(|bag| bag.contains(key));
                    has.then(|| client.key_version(key))
                }
            });
            if condition.holds(current) {
                return Ok(());
            }
            (
                current,
                client.map(|client| client.changed_since(condition.seen())).unwrap_or_default(),
            )
        }
        Target::Resource(kind, id) => {
            let current = view.resource(kind, id).map(|resource| resource.version);
            if condition.holds(current) {
                return Ok(());
            }
            (current, Vec::new())
        }
        Target::New => {
            if condition.holds(None) {
                return Ok(());
            }
            (None, Vec::new())
        }
    };
    let changed = changed.into_iter().filter(|key| condition.part.holds(&key.path)).collect();
    Err(Rejection::PreconditionFailed { current, changed })
}

/// The keys of a bag's text with their paths and values.
pub(super) fn paths(bag: Bag, text: Option<&str>) -> impl Iterator<Item = (String, &str)> {
    text.map(Members::of)
        .into_iter()
        .flatten()
        .map(move |(key, raw)| (path_of(bag, &json::unquote(key)), raw))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_holds(condition: &Condition, current: Option<u64>, expected: bool) {
        assert_eq!(
            condition.holds(current.map(Version::new)),
            expected,
            "{condition:?} {current:?}"
        );
    }

    #[test]
    fn a_star_asks_whether_there_is_anything() {
        let must_be = Condition { if_match: Some(Tags::Any), ..Condition::default() };
        check_holds(&must_be, Some(3), true);
        check_holds(&must_be, None, false);
        let must_not = Condition { if_none_match: Some(Tags::Any), ..Condition::default() };
        check_holds(&must_not, Some(3), false);
        check_holds(&must_not, None, true);
    }

    #[test]
    fn a_version_asks_for_exactly_that() {
        let versions = |numbers: &[u64]| {
            Some(Tags::Versions(numbers.iter().copied().map(Version::new).collect()))
        };
        let one_of = Condition { if_match: versions(&[3, 5]), ..Condition::default() };
        check_holds(&one_of, Some(5), true);
        check_holds(&one_of, Some(4), false);
        check_holds(&one_of, None, false);
        let none_of = Condition { if_none_match: versions(&[3]), ..Condition::default() };
        check_holds(&none_of, Some(3), false);
        check_holds(&none_of, Some(4), true);
        check_holds(&none_of, None, true);
    }
}
