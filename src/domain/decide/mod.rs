//! From a command to the change it makes: pure, and never half.
//!
//! [`decide`] reads the tenant through a [`View`] and returns whole objects as they
//! will be, or a [`Rejection`]. It changes nothing itself. An empty list of outcomes
//! means that the command asks for what already is.

mod assignments;
mod clients;
mod connection_users;
mod credentials;
mod erase;
mod identities;
mod jobs;
mod patches;
mod put_back;
mod resources;
mod revert;
mod tickets;
mod users;

use super::assignments::Permission;
use super::change::Outcome;
use super::client::Client;
use super::command::Command;
use super::condition::{self, ChangedKey, Condition};
use super::document::Document;
use super::job::JobKind;
use super::json::Kind;
use super::metadata::Bag;
use super::patch;
use super::policy::Rules;
use super::resource::{Connection, Resource, ResourceKind};
use super::time::{Timestamp, Version};
use std::sync::Arc;

pub use users::gravatar;

/// Which of a user's attributes an account is looked up by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LoginKey {
    /// The e-mail address, whatever its case.
    Email,
    /// The login name, whatever its case.
    Username,
    /// The phone number.
    Phone,
}

impl LoginKey {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Email, Self::Username, Self::Phone];

    /// The profile member it looks at.
    pub const fn attribute(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Username => "username",
            Self::Phone => "phone_number",
        }
    }
}

/// What a decision may look at: the tenant as it will be once everything held is durable.
pub trait View {
    /// The user with this id.
    fn user(&self, id: &str) -> Option<Document>;
    /// Every user whose `key` attribute is `value`, whatever its case.
    fn users_with(&self, key: LoginKey, value: &str) -> Vec<Document>;
    /// The user to whom the account is linked that would be this user.
    fn user_linked_with(&self, id: &str) -> Option<Document>;
    /// How many users there are.
    fn user_count(&self) -> usize;
    /// The client with this id.
    fn client(&self, id: &str) -> Option<Arc<Client>>;
    /// The resource of this kind with this id.
    fn resource(&self, kind: ResourceKind, id: &str) -> Option<Arc<Resource>>;
    /// All resources of this kind, in the order of their ids.
    fn resources(&self, kind: ResourceKind) -> Vec<Arc<Resource>>;

    /// The resources of this kind whose id begins so.
    fn resources_with(&self, kind: ResourceKind, prefix: &str) -> Vec<Arc<Resource>> {
        let mut found = self.resources(kind);
        found.retain(|resource| resource.id.starts_with(prefix));
        found
    }

    /// The connection with this name.
    fn connection(&self, name: &str) -> Option<Connection> {
        self.resources(ResourceKind::Connection)
            .iter()
            .find(|resource| resource.name().as_deref() == Some(name))
            .map(|resource| Connection::of(resource))
    }
}

/// Which two attributes may not change together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Together(pub &'static str, pub &'static str);

/// Why the rules say no.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// There is no such user.
    #[error("there is no such user")]
    UserNotFound,
    /// Id, e-mail, login name or phone number is taken in the connection.
    #[error("the user already exists in this connection")]
    UserExists,
    /// The wanted value of this attribute is another user's.
    #[error("the new {} belongs to another user", .0.attribute())]
    Taken(LoginKey),
    /// No connection of that name, for a user to be made.
    #[error("the connection does not exist")]
    ConnectionNotFound,
    /// No connection of that name, for a user to be changed.
    #[error("the connection of the patch does not exist")]
    PatchConnectionNotFound,
    /// Users of social and enterprise connections come from their provider.
    #[error("the connection does not support user creation")]
    CreationNotSupported,
    /// The connection is switched off.
    #[error("the connection is disabled")]
    ConnectionDisabled,
    /// Users of a switched-off connection keep their e-mail and password.
    #[error("e-mail and password cannot change while the connection is disabled")]
    DisabledConnectionChange,
    /// The connection has no login names.
    #[error("the connection has no usernames")]
    UsernameNotSupported,
    /// A user of this connection needs this attribute.
    #[error("{property} is missing")]
    MissingProperty {
        /// Its name.
        property: &'static str,
    },
    /// Two attributes that may not change in one request.
    #[error("{} and {} cannot change together", .0.0, .0.1)]
    NotTogether(Together),
    /// The e-mail address belongs to the provider.
    #[error("the {attribute} of a user of another provider cannot change")]
    NotDatabaseUser {
        /// Its name.
        attribute: &'static str,
    },
    /// Enterprise providers vouch for their addresses themselves.
    #[error("e-mail verification is not supported for enterprise users")]
    EnterpriseVerification,
    /// Attributes the provider owns.
    #[error("attributes of the provider cannot be changed: {}", attributes.join(", "))]
    ProviderAttributes {
        /// Their names, in alphabetical order.
        attributes: Vec<&'static str>,
        /// The connection's name.
        connection: String,
        /// Whether the patch wanted to remove them.
        removal: bool,
    },
    /// Attributes of an identity that is not the primary one.
    #[error("attributes of a secondary identity cannot be changed: {}", attributes.join(", "))]
    SecondaryIdentity {
        /// Their names, in alphabetical order.
        attributes: Vec<&'static str>,
    },
    /// Keys with `.` or `$`.
    #[error("{bag} has keys with a dot or a dollar sign")]
    BadKeys {
        /// Where.
        bag: Bag,
        /// Which.
        keys: Vec<String>,
    },
    /// A root key only the server may set.
    #[error("{bag} may not have the key {key}")]
    ReservedKey {
        /// Where.
        bag: Bag,
        /// Which.
        key: String,
    },
    /// The bag would be too large.
    #[error("{bag} would take {actual_bytes} bytes, at most {limit_bytes} are allowed")]
    MetadataTooLarge {
        /// Which.
        bag: Bag,
        /// Bytes of compact JSON.
        actual_bytes: usize,
        /// Bytes allowed.
        limit_bytes: usize,
    },
    /// The bag would have too many keys.
    #[error("{bag} would have {found} keys, at most {limit} are allowed")]
    TooManyKeys {
        /// Which.
        bag: Bag,
        /// Keys after the merge.
        found: usize,
        /// Keys allowed.
        limit: usize,
    },
    /// A key that is empty or too long.
    #[error("a key of {bag} has {chars} characters, 1 to {limit} are allowed")]
    KeyLength {
        /// Which.
        bag: Bag,
        /// Characters found.
        chars: usize,
        /// Characters allowed.
        limit: usize,
    },
    /// A key with characters that are not allowed.
    #[error("a key of {bag} has characters that are not allowed")]
    KeyAlphabet {
        /// Which.
        bag: Bag,
        /// The key.
        key: String,
    },
    /// A value that is too long.
    #[error("{bag}.{key} has {chars} characters, at most {limit} are allowed")]
    ValueLength {
        /// Which.
        bag: Bag,
        /// The key.
        key: String,
        /// Characters found.
        chars: usize,
        /// Characters allowed.
        limit: usize,
    },
    /// A value that is no string.
    #[error("{bag}.{key} must be a string, found {found}")]
    ValueKind {
        /// Which.
        bag: Bag,
        /// The key.
        key: String,
        /// What it is.
        found: Kind,
    },
    /// The user has as many entries as allowed.
    #[error("a user may have {limit} entries")]
    TooManyEntries {
        /// Entries allowed.
        limit: usize,
    },
    /// The user has as many roles or permissions as allowed.
    #[error("a user may have {limit} {what}")]
    TooManyAssignments {
        /// Which.
        what: &'static str,
        /// Of them allowed.
        limit: usize,
    },
    /// No API of the tenant has this permission.
    #[error("no api has the permission {}", .0.name)]
    PermissionNotFound(Permission),
    /// Only databases can be asked for this.
    #[error("the connection is no database")]
    NotDatabaseConnection,
    /// The tenant has as many users as allowed.
    #[error("the tenant may have {limit} users")]
    TooManyUsers {
        /// Users allowed.
        limit: usize,
    },
    /// There is no such client.
    #[error("there is no such client")]
    ClientNotFound,
    /// The client has no such credential.
    #[error("the client has no such credential")]
    CredentialNotFound,
    /// The client has a credential with that key or key id.
    #[error("the client has a credential with this key already")]
    CredentialExists,
    /// `client_authentication_methods` names a credential that is not the client's.
    #[error("a credential that the client does not have cannot be chosen")]
    UnknownCredential,
    /// As many credentials as a client may have.
    #[error("a client has at most {} credentials", crate::domain::credential::MAX_CREDENTIALS)]
    TooManyCredentials,
    /// The client id is taken.
    #[error("the client id is taken")]
    ClientExists,
    /// The global client stays.
    #[error("the global client cannot be deleted")]
    GlobalClient,
    /// There is no such resource.
    #[error("there is no such resource")]
    ResourceNotFound(ResourceKind),
    /// A resource with this id or name exists.
    #[error("a resource with this id or name exists")]
    ResourceExists(ResourceKind),
    /// The resource is needed by the server itself.
    #[error("this resource is the server's own")]
    ResourceFixed(ResourceKind),
    /// Both sides of a link are one user.
    #[error("main identity and the new one are the same")]
    SameIdentity,
    /// The account to link is not there.
    #[error("the account to link was not found")]
    SecondaryNotFound,
    /// The account is linked already.
    #[error("the identity is linked already")]
    IdentityExists,
    /// What the caller saw is no longer so.
    #[error("the condition does not hold any more")]
    PreconditionFailed {
        /// The tag now; none when the thing does not exist.
        current: Option<Version>,
        /// The keys that changed since the caller's version.
        changed: Vec<ChangedKey>,
    },
    /// The primary identity cannot be unlinked.
    #[error("the main identity cannot be removed")]
    MainIdentity,
    /// The user has no such identity.
    #[error("the user has no such identity")]
    IdentityNotFound,
    /// As many jobs of this kind are under way as allowed.
    #[error("{limit} jobs of type {} are under way, no more are allowed", kind.name())]
    TooManyJobs {
        /// What they do.
        kind: JobKind,
        /// Jobs allowed.
        limit: usize,
    },
    /// The tenant has as many tickets as allowed.
    #[error("the tenant may have {limit} tickets")]
    TooManyTickets {
        /// Tickets allowed.
        limit: usize,
    },
    /// Rows of an import before this one are not done.
    #[error("the next row of the import is {done}")]
    RowOutOfTurn {
        /// Rows done.
        done: u64,
    },
    /// A patch of a merge dialect cannot be applied to what is there.
    #[error(transparent)]
    PatchFailed(#[from] patch::Failure),
    /// What a patch makes of a member is not what this member may be; the text says why.
    #[error("{0}")]
    PatchedBody(String),
    /// What a patch makes of a bag is nested too deep.
    #[error("the result is nested deeper than {limit} levels")]
    PatchTooDeep {
        /// Levels allowed.
        limit: usize,
    },
}

/// What a decision is made from besides the view.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// The tenant's limits and habits.
    pub rules: &'a Rules,
    /// The version the change will have.
    pub version: Version,
    /// The time of the decision.
    pub now: Timestamp,
}

impl Moment<'_> {
    /// The time of a change to something last changed at `previous`: never before that.
    fn after(&self, previous: Timestamp) -> Timestamp {
        self.now.max(previous)
    }
}

/// Works out what `command` makes true, if `condition` holds.
///
/// # Errors
/// The [`Rejection`] of the first rule it breaks; nothing is changed then.
pub fn decide_if(
    view: &dyn View,
    moment: Moment<'_>,
    command: Command,
    condition: &Condition,
) -> Result<Vec<Outcome>, Rejection> {
    condition::check(view, &command, condition)?;
    decide(view, moment, command)
}

/// Works out what `command` makes true, whatever the caller has seen before.
///
/// # Errors
/// The [`Rejection`] of the first rule it breaks; nothing is changed then.
pub fn decide(
    view: &dyn View,
    moment: Moment<'_>,
    command: Command,
) -> Result<Vec<Outcome>, Rejection> {
    match command {
        Command::CreateUser(new) => users::create(view, moment, *new),
        Command::UpdateUser { id, patch } => users::update(view, moment, &id, *patch),
        Command::PatchUser { id, patch, body } => patches::user(view, moment, &id, &patch, body),
        Command::PatchClient { id, patch, body } => {
            patches::client(view, moment, &id, &patch, body)
        }
        Command::ExpireKeys { id } => Ok(users::expire(view, moment, &id)),
        Command::DeleteUser { id } => Ok(users::delete(view, id)),
        Command::EraseUser { id, also, is_known } => {
            Ok(erase::erase(view, moment, id, &also, is_known))
        }
        Command::ReplaceAppMetadata { id, metadata } => {
            users::replace_app_metadata(view, moment, &id, metadata)
        }
        Command::SetEntry { id, entry } => users::set_entry(view, moment, &id, entry),
        Command::ReplaceEntries { id, entries } => {
            users::replace_entries(view, moment, &id, entries)
        }
        Command::RemoveEntry { id, key } => users::remove_entry(view, moment, &id, &key),
        Command::Assign { id, change } => assignments::assign(view, moment, &id, change),
        Command::DeleteConnectionUsers { connection, email } => {
            connection_users::delete(view, &connection, &email)
        }
        Command::SignIn { id, ip, rehash } => {
            identities::sign_in(view, moment, &id, ip, rehash.as_ref())
        }
        Command::ProviderSignIn(sign_in) => identities::provider_sign_in(view, moment, *sign_in),
        Command::LinkIdentity { primary, secondary } => {
            identities::link(view, moment, &primary, &secondary)
        }
        Command::UnlinkIdentity { primary, provider, account } => {
            identities::unlink(view, moment, &primary, &provider, &account)
        }
        Command::RevertUser(revert) => revert::user(view, moment, &revert),
        Command::RevertClient(revert) => revert::client(view, moment, &revert),
        Command::PutBack(wanted) => put_back::put_back(view, moment, *wanted),
        Command::CreateClient(new) => clients::create(view, moment, *new),
        Command::UpdateClient { id, patch } => clients::update(view, moment, &id, *patch),
        Command::ChangeCredentials { id, change } => credentials::change(view, moment, &id, change),
        Command::RotateSecret { id, secret } => clients::rotate(view, moment, &id, secret),
        Command::DeleteClient { id } => clients::delete(view, id),
        Command::CreateResource(resource) => resources::create(view, moment, *resource),
        Command::StartJob(new) => jobs::start(view, moment, *new),
        Command::ImportUser(import) => jobs::import(view, moment, *import),
        Command::Along { main, also } => {
            let mut outcomes = decide(view, moment, *main)?;
            for command in also {
                outcomes.extend(decide(view, moment, command)?);
            }
            Ok(outcomes)
        }
        Command::RedeemTicket { id, patch } => tickets::redeem(view, moment, &id, *patch),
        Command::UpdateResource { kind, id, patch } => {
            resources::update(view, moment, kind, &id, &patch)
        }
        Command::DeleteResource { kind, id } => resources::delete(view, kind, id),
    }
}
