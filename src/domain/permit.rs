//! Permission as a value: who may ask for what.
//!
//! [`permit`] is one pure function over caller and command, for every dialect. A
//! tenant takes nothing but a [`Permitted`] command, and there is no other way to
//! make one, so a handler cannot forget to ask. Scopes follow CONTRACT.md §2–§5.

use super::assignments::AssignmentChange;
use super::command::{ClientPatch, Command, CredentialChange};
use super::condition::{self, Target};
use super::job::JobKind;
use super::patch::Patch;
use super::resource::ResourceKind;
use super::scope::{Scope, ScopeSet};
use super::user::UserId;

/// Who asks.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The token's `sub`.
    pub subject: String,
    /// The client the token was issued to.
    pub client_id: String,
    /// What the token allows.
    pub scopes: ScopeSet,
    /// Whether the server itself asks: configuration, sign-ins, jobs it runs for a permitted caller.
    pub is_server: bool,
}

impl Caller {
    /// The server acting by itself.
    pub fn server() -> Self {
        Self {
            subject: "dossier".to_owned(),
            client_id: String::new(),
            scopes: ScopeSet::EMPTY,
            is_server: true,
        }
    }

    /// Whether the caller is this user.
    pub fn is(&self, id: &UserId) -> bool {
        self.subject == id.as_str()
    }

    /// Whether one of these scopes, or the server itself, asks.
    pub fn has_any(&self, scopes: &[Scope]) -> bool {
        self.is_server || self.scopes.contains_any(scopes)
    }
}

/// Why a caller may not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// None of these scopes is in the token.
    #[error("one of the scopes {} is needed", names(.expected))]
    Scope {
        /// The scopes, each of which would do.
        expected: &'static [Scope],
    },
    /// The scope is for the caller's own user and the command names another.
    #[error("the token is for another user")]
    NotOwner,
    /// The scope covers some members of the body, not all of them.
    #[error("some members need one of the scopes {}", names(.expected))]
    Members {
        /// The scopes that would do.
        expected: &'static [Scope],
    },
}

/// The names of scopes, joined as Auth0 joins them: commas, no spaces.
pub fn names(scopes: &[Scope]) -> String {
    scopes.iter().map(|scope| scope.name()).collect::<Vec<_>>().join(",")
}

/// Something a caller was allowed to ask. Only this module makes one.
#[derive(Clone, Debug)]
pub struct Permitted<T>(T);

impl<T> Permitted<T> {
    /// What was asked.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// Scopes that let a caller read any user.
pub const READ_USER: &[Scope] =
    &[Scope::READ_USERS, Scope::READ_CURRENT_USER, Scope::READ_USER_IDP_TOKENS];

/// Scopes of `PATCH /users/{id}`.
pub const UPDATE_USER: &[Scope] = &[
    Scope::UPDATE_USERS,
    Scope::UPDATE_USERS_APP_METADATA,
    Scope::UPDATE_CURRENT_USER_METADATA,
    Scope::CREATE_CURRENT_USER_METADATA,
];

/// Scopes of `POST /users/{id}/roles`.
pub const ADD_ROLES: &[Scope] = &[Scope::UPDATE_USERS, Scope::CREATE_ROLE_MEMBERS];

/// Scopes of `DELETE /users/{id}/roles`.
pub const REMOVE_ROLES: &[Scope] = &[Scope::UPDATE_USERS, Scope::DELETE_ROLE_MEMBERS];

/// Whether `caller` may read the user `id`.
///
/// # Errors
/// [`Forbidden`] without a reading scope, or with one for another user.
pub fn permit_read(caller: &Caller, id: &UserId) -> Result<(), Forbidden> {
    if caller.has_any(&[Scope::READ_USERS, Scope::READ_USER_IDP_TOKENS]) {
        return Ok(());
    }
    if !caller.has_any(&[Scope::READ_CURRENT_USER]) {
        return Err(Forbidden::Scope { expected: READ_USER });
    }
    if caller.is(id) { Ok(()) } else { Err(Forbidden::NotOwner) }
}

/// Whether a refused change may tell `caller` the values that changed meanwhile: to whom may read
/// the object, and to whom an answer shows it anyway.
pub fn may_see(caller: &Caller, command: &Command) -> bool {
    match condition::target(command) {
        Target::User(id) => {
            let id = UserId::trusted(id);
            permit_read(caller, &id).is_ok() || may_update(caller, &id, true, true).is_ok()
        }
        Target::Client(_) => caller.has_any(&[
            Scope::READ_CLIENTS,
            Scope::READ_CLIENT_KEYS,
            Scope::UPDATE_CLIENTS,
            Scope::UPDATE_CLIENT_KEYS,
        ]),
        Target::Resource(..) | Target::New => true,
    }
}

/// Decides whether `caller` may ask for `command`.
///
/// # Errors
/// [`Forbidden`], naming the scopes that would do.
pub fn permit(caller: &Caller, command: Command) -> Result<Permitted<Command>, Forbidden> {
    allows(caller, &command)?;
    Ok(Permitted(command))
}

/// Whether [`permit`] would let `caller` ask for `command`: for what is costly to prepare.
///
/// # Errors
/// As [`permit`].
pub fn allows(caller: &Caller, command: &Command) -> Result<(), Forbidden> {
    if caller.is_server {
        return Ok(());
    }
    match command {
        Command::UpdateUser { id, patch } => {
            let only_own = patch.touches_only(true, false);
            may_update(caller, id, only_own, patch.touches_only(false, true))?;
        }
        Command::PatchUser { id, patch, .. } => may_patch(caller, id, patch)?,
        Command::Along { main, .. } => allows(caller, main)?,
        Command::DeleteUser { id } => may_delete(caller, id)?,
        Command::LinkIdentity { primary, .. } | Command::UnlinkIdentity { primary, .. } => {
            may_link(caller, primary)?;
        }
        Command::CreateUser(_)
        | Command::RevertUser(_)
        | Command::RevertClient(_)
        | Command::PutBack(_)
        | Command::EraseUser { .. }
        | Command::ReplaceAppMetadata { .. }
        | Command::SetEntry { .. }
        | Command::ReplaceEntries { .. }
        | Command::RemoveEntry { .. }
        | Command::Assign { .. }
        | Command::DeleteConnectionUsers { .. }
        | Command::SignIn { .. }
        | Command::ProviderSignIn(_)
        | Command::CreateClient(_)
        | Command::UpdateClient { .. }
        | Command::PatchClient { .. }
        | Command::ExpireKeys { .. }
        | Command::ChangeCredentials { .. }
        | Command::RotateSecret { .. }
        | Command::DeleteClient { .. }
        | Command::CreateResource(_)
        | Command::StartJob(_)
        | Command::ImportUser(_)
        | Command::RedeemTicket { .. }
        | Command::UpdateResource { .. }
        | Command::DeleteResource { .. } => {
            let expected = scopes_of(command);
            if !caller.has_any(expected) {
                return Err(Forbidden::Scope { expected });
            }
            if let Command::UpdateClient { patch, .. } = command {
                may_update_client(caller, patch)?;
            }
            if let Some(expected) = making_scopes(command)
                && !caller.has_any(expected)
            {
                return Err(Forbidden::Scope { expected });
            }
        }
    }
    Ok(())
}

/// The scopes that are needed besides, when what is put back must be made again.
fn making_scopes(command: &Command) -> Option<&'static [Scope]> {
    if let Command::RevertUser(revert) = command {
        revert.makes.then_some(&[Scope::CREATE_USERS])
    } else if let Command::RevertClient(revert) = command {
        revert.makes.then_some(&[Scope::CREATE_CLIENTS])
    } else {
        None
    }
}

/// The scopes each of which allows `command`, for commands that need nothing more.
fn scopes_of(command: &Command) -> &'static [Scope] {
    match command {
        Command::UpdateUser { .. } | Command::PatchUser { .. } => UPDATE_USER,
        Command::PatchClient { .. } | Command::RevertClient(_) => &[Scope::UPDATE_CLIENTS],
        Command::DeleteUser { .. } => &[Scope::DELETE_USERS, Scope::DELETE_CURRENT_USER],
        Command::EraseUser { .. } | Command::DeleteConnectionUsers { .. } => &[Scope::DELETE_USERS],
        Command::ReplaceAppMetadata { .. } => {
            &[Scope::UPDATE_USERS, Scope::UPDATE_USERS_APP_METADATA]
        }
        Command::SetEntry { .. } | Command::ReplaceEntries { .. } | Command::RemoveEntry { .. } => {
            &[Scope::IAM, Scope::UPDATE_USERS]
        }
        Command::Assign { change, .. } => match change {
            AssignmentChange::AddRoles(_) => ADD_ROLES,
            AssignmentChange::RemoveRoles(_) => REMOVE_ROLES,
            AssignmentChange::AddPermissions(_) | AssignmentChange::RemovePermissions(_) => {
                &[Scope::UPDATE_USERS]
            }
        },
        Command::CreateUser(_) | Command::SignIn { .. } | Command::ProviderSignIn(_) => {
            &[Scope::CREATE_USERS]
        }
        Command::LinkIdentity { .. } | Command::UnlinkIdentity { .. } => LINK,
        Command::RevertUser(_) => &[Scope::UPDATE_USERS],
        Command::CreateClient(_) => &[Scope::CREATE_CLIENTS],
        Command::UpdateClient { .. } => &[Scope::UPDATE_CLIENTS, Scope::UPDATE_CLIENT_KEYS],
        Command::ChangeCredentials { change, .. } => match change {
            CredentialChange::Add(_) => &[Scope::CREATE_CLIENT_CREDENTIALS],
            CredentialChange::Expire { .. } => &[Scope::UPDATE_CLIENT_CREDENTIALS],
            CredentialChange::Remove { .. } => &[Scope::DELETE_CLIENT_CREDENTIALS],
        },
        Command::RotateSecret { .. } => &[Scope::UPDATE_CLIENT_KEYS],
        Command::DeleteClient { .. } => &[Scope::DELETE_CLIENTS],
        Command::CreateResource(resource) => match resource.kind {
            ResourceKind::Connection => &[Scope::CREATE_CONNECTIONS],
            ResourceKind::ClientGrant => &[Scope::CREATE_CLIENT_GRANTS],
            ResourceKind::ResourceServer => &[Scope::CREATE_RESOURCE_SERVERS],
            ResourceKind::Tenant => &[Scope::DOSSIER_OPERATOR],
            ResourceKind::Settings
            | ResourceKind::RefreshToken
            | ResourceKind::Job
            | ResourceKind::JobPart => &[],
            ResourceKind::Ticket => &[Scope::CREATE_USER_TICKETS],
        },
        Command::StartJob(job) => match job.kind {
            JobKind::Import => &[Scope::CREATE_USERS],
            JobKind::Export => &[Scope::READ_USERS],
            JobKind::VerificationEmail => &[Scope::UPDATE_USERS],
        },
        Command::ImportUser(_) => &[Scope::CREATE_USERS],
        Command::Along { main, .. } => scopes_of(main),
        // Whoever has the ticket's link may use it: the server asks for them. Time it asks itself,
        // and for whole tenants their operator does.
        Command::RedeemTicket { .. } | Command::ExpireKeys { .. } | Command::PutBack(_) => &[],
        Command::UpdateResource { kind, .. } => match kind {
            ResourceKind::Connection => &[Scope::UPDATE_CONNECTIONS],
            ResourceKind::ClientGrant => &[Scope::UPDATE_CLIENT_GRANTS],
            ResourceKind::ResourceServer => &[Scope::UPDATE_RESOURCE_SERVERS],
            ResourceKind::Tenant => &[Scope::DOSSIER_OPERATOR],
            ResourceKind::Settings => &[Scope::UPDATE_TENANT_SETTINGS],
            ResourceKind::RefreshToken
            | ResourceKind::Job
            | ResourceKind::JobPart
            | ResourceKind::Ticket => &[],
        },
        Command::DeleteResource { kind, .. } => match kind {
            ResourceKind::Connection => &[Scope::DELETE_CONNECTIONS],
            ResourceKind::ClientGrant => &[Scope::DELETE_CLIENT_GRANTS],
            ResourceKind::ResourceServer => &[Scope::DELETE_RESOURCE_SERVERS],
            ResourceKind::Tenant => &[Scope::DOSSIER_OPERATOR],
            ResourceKind::RefreshToken => &[Scope::DELETE_REFRESH_TOKENS],
            ResourceKind::Settings
            | ResourceKind::Job
            | ResourceKind::JobPart
            | ResourceKind::Ticket => &[],
        },
    }
}

const LINK: &[Scope] = &[Scope::UPDATE_USERS, Scope::UPDATE_CURRENT_USER_IDENTITIES];

/// The secret of a client has a scope of its own, which is not one for anything else.
fn may_update_client(caller: &Caller, patch: &ClientPatch) -> Result<(), Forbidden> {
    const KEYS: &[Scope] = &[Scope::UPDATE_CLIENT_KEYS];
    const REST: &[Scope] = &[Scope::UPDATE_CLIENTS];
    let is_rest = patch.settings.is_some() || patch.client_metadata.is_some();
    for (is_touched, expected) in [(patch.secret.is_some(), KEYS), (is_rest, REST)] {
        if is_touched && !caller.has_any(expected) {
            return Err(Forbidden::Members { expected });
        }
    }
    Ok(())
}

fn may_update(
    caller: &Caller,
    id: &UserId,
    only_user: bool,
    only_app: bool,
) -> Result<(), Forbidden> {
    const OWN: &[Scope] =
        &[Scope::UPDATE_CURRENT_USER_METADATA, Scope::CREATE_CURRENT_USER_METADATA];
    if caller.has_any(&[Scope::UPDATE_USERS]) {
        return Ok(());
    }
    if caller.has_any(&[Scope::UPDATE_USERS_APP_METADATA]) && only_app {
        return Ok(());
    }
    if caller.has_any(OWN) {
        return match (caller.is(id), only_user) {
            (true, true) => Ok(()),
            (true, false) => Err(Forbidden::Members { expected: &[Scope::UPDATE_USERS] }),
            (false, _) => Err(Forbidden::NotOwner),
        };
    }
    if caller.has_any(&[Scope::UPDATE_USERS_APP_METADATA]) {
        return Err(Forbidden::Members { expected: &[Scope::UPDATE_USERS] });
    }
    Err(Forbidden::Scope { expected: UPDATE_USER })
}

/// A patch may write what an ordinary PATCH of this caller may, look into what it may
/// write, and into everything else if the caller may read the user.
fn may_patch(caller: &Caller, id: &UserId, patch: &Patch) -> Result<(), Forbidden> {
    let writes = patch.writes();
    let only = |bag: &str| writes.iter().all(|(root, _)| root == bag);
    may_update(caller, id, only("user_metadata"), only("app_metadata"))?;
    let may_write = |root: &str| {
        let (user, app) = (root == "user_metadata", root == "app_metadata");
        may_update(caller, id, user, app).is_ok()
    };
    if patch.reads().iter().all(|root| may_write(root)) {
        return Ok(());
    }
    permit_read(caller, id)
}

fn may_delete(caller: &Caller, id: &UserId) -> Result<(), Forbidden> {
    if caller.has_any(&[Scope::DELETE_USERS]) {
        return Ok(());
    }
    if !caller.has_any(&[Scope::DELETE_CURRENT_USER]) {
        return Err(Forbidden::Scope {
            expected: &[Scope::DELETE_USERS, Scope::DELETE_CURRENT_USER],
        });
    }
    if caller.is(id) { Ok(()) } else { Err(Forbidden::NotOwner) }
}

fn may_link(caller: &Caller, primary: &UserId) -> Result<(), Forbidden> {
    if caller.has_any(&[Scope::UPDATE_USERS]) {
        return Ok(());
    }
    if !caller.has_any(&[Scope::UPDATE_CURRENT_USER_IDENTITIES]) {
        return Err(Forbidden::Scope { expected: LINK });
    }
    if caller.is(primary) { Ok(()) } else { Err(Forbidden::NotOwner) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::command::{Field, UserPatch};
    use crate::domain::json::Object;

    fn caller(subject: &str, scopes: &[Scope]) -> Caller {
        Caller {
            subject: subject.to_owned(),
            client_id: "c".to_owned(),
            scopes: scopes.iter().copied().collect(),
            is_server: false,
        }
    }

    fn patch_of(user: bool, app: bool, root: bool) -> Command {
        let bag = |wanted: bool| wanted.then(Object::empty);
        Command::UpdateUser {
            id: UserId::parse("auth0|1").unwrap(),
            patch: Box::new(UserPatch {
                user_metadata: bag(user),
                app_metadata: bag(app),
                name: if root { Field::Set("x".to_owned()) } else { Field::Keep },
                ..UserPatch::default()
            }),
        }
    }

    #[track_caller]
    fn check(subject: &str, scope: Scope, command: Command, allowed: bool) {
        let result = permit(&caller(subject, &[scope]), command);
        assert_eq!(result.is_ok(), allowed, "{scope} {result:?}");
    }

    #[test]
    fn update_users_may_change_everything() {
        check("x", Scope::UPDATE_USERS, patch_of(true, true, true), true);
    }

    #[test]
    fn the_app_metadata_scope_reaches_app_metadata_only() {
        check("x", Scope::UPDATE_USERS_APP_METADATA, patch_of(false, true, false), true);
        check("x", Scope::UPDATE_USERS_APP_METADATA, patch_of(true, true, false), false);
        check("x", Scope::UPDATE_USERS_APP_METADATA, patch_of(false, true, true), false);
    }

    #[test]
    fn users_change_their_own_user_metadata_and_nothing_else() {
        let scope = Scope::UPDATE_CURRENT_USER_METADATA;
        check("auth0|1", scope, patch_of(true, false, false), true);
        check("auth0|1", scope, patch_of(true, true, false), false);
        check("auth0|1", scope, patch_of(true, false, true), false);
        let other = permit(&caller("auth0|2", &[scope]), patch_of(true, false, false));
        assert_eq!(other.unwrap_err(), Forbidden::NotOwner);
    }

    #[test]
    fn a_missing_scope_is_named() {
        let refused =
            permit(&caller("x", &[Scope::READ_USERS]), patch_of(true, false, false)).unwrap_err();
        assert_eq!(refused, Forbidden::Scope { expected: UPDATE_USER });
        assert_eq!(
            names(UPDATE_USER),
            "update:users,update:users_app_metadata,update:current_user_metadata,create:current_user_metadata"
        );
    }

    #[test]
    fn a_new_client_secret_needs_the_scope_for_keys() {
        let patch = ClientPatchWithSecret::command();
        check("x", Scope::UPDATE_CLIENTS, patch.clone(), false);
        check("x", Scope::UPDATE_CLIENT_KEYS, patch, true);
    }

    struct ClientPatchWithSecret;
    impl ClientPatchWithSecret {
        fn command() -> Command {
            let patch = crate::domain::command::ClientPatch {
                secret: Some("s".to_owned()),
                ..Default::default()
            };
            Command::UpdateClient { id: "c".to_owned(), patch: Box::new(patch) }
        }
    }

    #[test]
    fn tenants_are_the_operators() {
        let delete = Command::DeleteResource { kind: ResourceKind::Tenant, id: "alpha".to_owned() };
        check("x", Scope::DELETE_TENANTS, delete.clone(), false);
        check("x", Scope::DOSSIER_OPERATOR, delete, true);
    }
}
