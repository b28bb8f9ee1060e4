//! What is asked of a tenant. Endpoints of every dialect end in one of these.

use super::assignments::AssignmentChange;
use super::client::Client;
use super::credential::Credential;
use super::document::Document;
use super::entries::Entry;
use super::history::Revert;
use super::job::{ImportUser, NewJob};
use super::json::{self, Builder, Object};
use super::password::PasswordHash;
use super::patch::{Expiry, Patch};
use super::put_back::PutBack;
use super::resource::{Resource, ResourceKind};
use super::time::Timestamp;
use super::user::{Profile, UserId};
use std::sync::Arc;

/// What a patch says about one attribute.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Field<T> {
    /// Nothing: it stays.
    #[default]
    Keep,
    /// It goes.
    Unset,
    /// It becomes this.
    Set(T),
}

impl<T> Field<T> {
    /// Whether the patch speaks of the attribute at all.
    pub const fn is_given(&self) -> bool {
        !matches!(self, Self::Keep)
    }

    /// Puts what the patch says into `slot`.
    pub fn apply(self, slot: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Unset => *slot = None,
            Self::Set(value) => *slot = Some(value),
        }
    }
}

/// A user to be made.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The id without its provider prefix: the caller's, or 24 random hex characters.
    pub account: String,
    /// Name of the connection.
    pub connection: String,
    /// Root attributes as sent; defaults are filled in by the rules.
    pub profile: Profile,
    /// The metadata a user may change.
    pub user_metadata: Option<Object>,
    /// The metadata only applications may change.
    pub app_metadata: Option<Object>,
    /// The stored form of the password.
    pub password: Option<String>,
    /// Host of the default picture: bulk imports show another one (CONTRACT.md §2.1).
    pub picture_host: &'static str,
}

/// The host of default pictures of users made one by one.
pub const PICTURE_HOST: &str = "s.gravatar.com";

/// Changes to a user. What is not named stays.
#[derive(Clone, Debug, Default)]
pub struct UserPatch {
    /// The connection the caller means.
    pub connection: Option<String>,
    /// Whether members are named that ask for something and change nothing, such as `verify_email`.
    pub asks_more: bool,
    /// E-mail address.
    pub email: Field<String>,
    /// Whether it is verified.
    pub email_verified: Field<bool>,
    /// Login name.
    pub username: Field<String>,
    /// Phone number.
    pub phone_number: Field<String>,
    /// Whether it is verified.
    pub phone_verified: Field<bool>,
    /// Full name.
    pub name: Field<String>,
    /// Short name.
    pub nickname: Field<String>,
    /// Given name.
    pub given_name: Field<String>,
    /// Family name.
    pub family_name: Field<String>,
    /// Picture URL.
    pub picture: Field<String>,
    /// Whether signing in is refused.
    pub blocked: Field<bool>,
    /// The stored form of a new password.
    pub password: Field<String>,
    /// Merged into `user_metadata`.
    pub user_metadata: Option<Object>,
    /// Merged into `app_metadata`.
    pub app_metadata: Option<Object>,
    /// What operations say of times; none for another kind of patch, with which a time goes
    /// when its value does.
    pub expiries: Option<Vec<Expiry>>,
}

impl UserPatch {
    /// Whether nothing but the named bags is touched, or named.
    pub fn touches_only(&self, user_metadata: bool, app_metadata: bool) -> bool {
        let roots = self.asks_more
            || self.connection.is_some()
            || self.email.is_given()
            || self.email_verified.is_given()
            || self.username.is_given()
            || self.phone_number.is_given()
            || self.phone_verified.is_given()
            || self.name.is_given()
            || self.nickname.is_given()
            || self.given_name.is_given()
            || self.family_name.is_given()
            || self.picture.is_given()
            || self.blocked.is_given()
            || self.password.is_given();
        !roots
            && (user_metadata || self.user_metadata.is_none())
            && (app_metadata || self.app_metadata.is_none())
    }
}

/// What an identity provider said at a sign-in.
#[derive(Clone, Debug)]
pub struct ProviderSignIn {
    /// Name of the connection.
    pub connection: String,
    /// The account's id at the provider.
    pub account: String,
    /// Root attributes the provider gave, verbatim.
    pub attributes: Object,
    /// Address the user came from.
    pub ip: Option<String>,
}

/// Another hash of the same password.
#[derive(Clone, Debug)]
pub struct Rehash {
    /// The hash it takes the place of; a password that was changed since stays.
    pub from: PasswordHash,
    /// The new one.
    pub to: PasswordHash,
}

/// A client to be made.
#[derive(Clone, Debug)]
pub struct NewClient {
    /// Its id.
    pub id: String,
    /// Its secret, readable.
    pub secret: String,
    /// Its settings as sent.
    pub settings: Object,
    /// Its metadata as sent.
    pub client_metadata: Option<Object>,
    /// Whether it is the tenant's global client.
    pub is_global: bool,
}

impl NewClient {
    /// A client for machines, which may also sign users in by password.
    pub fn machine(id: &str, name: &str, secret: &str) -> Self {
        let mut settings = Builder::new();
        settings
            .string("name", name)
            .string("app_type", "non_interactive")
            .flag("oidc_conformant", Some(true))
            .string("token_endpoint_auth_method", "client_secret_post")
            .raw(
                "grant_types",
                &json::array_of([
                    "client_credentials",
                    "password",
                    "http://auth0.com/oauth/grant-type/password-realm",
                    "refresh_token",
                ]),
            );
        Self {
            id: id.to_owned(),
            secret: secret.to_owned(),
            settings: settings.object(),
            client_metadata: None,
            is_global: false,
        }
    }
}

/// Changes to a client. What is not named stays.
#[derive(Clone, Debug, Default)]
pub struct ClientPatch {
    /// Settings that are replaced one by one; `null` unsets one.
    pub settings: Option<Object>,
    /// Merged into `client_metadata`.
    pub client_metadata: Option<Object>,
    /// A new secret.
    pub secret: Option<String>,
}

/// Reads the body of an ordinary PATCH; the error says what is wrong with it. A patch whose
/// outcome is known in the tenant's turn only is held against the same schema there.
pub type ReadBody<T> = fn(&Object) -> Result<T, String>;

/// A change to the credentials of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialChange {
    /// A new one.
    Add(Box<Credential>),
    /// From when on one is not taken any more.
    Expire {
        /// Its id.
        credential: String,
        /// The time; `None` = never.
        at: Option<Timestamp>,
    },
    /// One is removed; no change when there is none.
    Remove {
        /// Its id.
        credential: String,
    },
}

/// One thing asked of a tenant.
#[derive(Clone, Debug)]
pub enum Command {
    /// Make a user.
    CreateUser(Box<NewUser>),
    /// Change a user's attributes, merge into its bags.
    UpdateUser {
        /// Who.
        id: UserId,
        /// What.
        patch: Box<UserPatch>,
    },
    /// Change a user as a merge dialect says.
    PatchUser {
        /// Who.
        id: UserId,
        /// What.
        patch: Box<Patch>,
        /// Reads what the patch makes of the root members.
        body: ReadBody<UserPatch>,
    },
    /// Change a client as a merge dialect says.
    PatchClient {
        /// Which.
        id: String,
        /// What.
        patch: Box<Patch>,
        /// Reads what the patch makes of the settings.
        body: ReadBody<ClientPatch>,
    },
    /// Remove the keys of a user whose time has come; no change when there are none.
    ExpireKeys {
        /// Who.
        id: UserId,
    },
    /// Remove a user; no change when there is none.
    DeleteUser {
        /// Who.
        id: UserId,
    },
    /// Remove a user and everything that is known of them; no change when nothing is.
    EraseUser {
        /// Who.
        id: UserId,
        /// Accounts that were linked to them as far as the past tells; those that are users of
        /// their own by now stay.
        also: Vec<UserId>,
        /// Whether the past may know of them.
        is_known: bool,
    },
    /// Put a whole new `app_metadata` in place (v1 `PUT`).
    ReplaceAppMetadata {
        /// Who.
        id: UserId,
        /// The new bag.
        metadata: Object,
    },
    /// Put one key/value entry in place.
    SetEntry {
        /// Who.
        id: UserId,
        /// The entry.
        entry: Entry,
    },
    /// Put all key/value entries in place.
    ReplaceEntries {
        /// Who.
        id: UserId,
        /// The entries; of several with one key the last counts.
        entries: Vec<Entry>,
    },
    /// Remove one key/value entry; no change when there is none.
    RemoveEntry {
        /// Who.
        id: UserId,
        /// Its key.
        key: String,
    },
    /// Give a user roles or permissions, or take some; no change when it is so already.
    Assign {
        /// Who.
        id: UserId,
        /// What.
        change: AssignmentChange,
    },
    /// Remove the users of a connection with this e-mail address; no change when there are none.
    DeleteConnectionUsers {
        /// The connection's id.
        connection: String,
        /// The address, whatever its case.
        email: String,
    },
    /// Count a sign-in with a password.
    SignIn {
        /// Who.
        id: UserId,
        /// From where.
        ip: Option<String>,
        /// A newer hash of the password they signed in with.
        rehash: Option<Rehash>,
    },
    /// Make or refresh a user from what an identity provider said.
    ProviderSignIn(Box<ProviderSignIn>),
    /// Make one account a secondary identity of another.
    LinkIdentity {
        /// Who keeps their profile.
        primary: UserId,
        /// Whose profile becomes an identity.
        secondary: UserId,
    },
    /// Make a secondary identity an account of its own again.
    UnlinkIdentity {
        /// Whose identity.
        primary: UserId,
        /// The identity's provider.
        provider: String,
        /// The identity's account id, without prefix.
        account: String,
    },
    /// Put a user, or parts of one, back as they were.
    RevertUser(Box<Revert<Document>>),
    /// Put a client, or parts of one, back as it was.
    RevertClient(Box<Revert<Arc<Client>>>),
    /// Put many objects in place as they were; no change when they are.
    PutBack(Box<PutBack>),
    /// Make a client.
    CreateClient(Box<NewClient>),
    /// Change a client's settings, merge into its metadata.
    UpdateClient {
        /// Which.
        id: String,
        /// What.
        patch: Box<ClientPatch>,
    },
    /// Change the public keys of a client.
    ChangeCredentials {
        /// Which client.
        id: String,
        /// What.
        change: CredentialChange,
    },
    /// Give a client a new secret.
    RotateSecret {
        /// Which.
        id: String,
        /// The new secret.
        secret: String,
    },
    /// Remove a client and its grants; no change when there is none.
    DeleteClient {
        /// Which.
        id: String,
    },
    /// Make a resource; its id and name must be free.
    CreateResource(Box<Resource>),
    /// Start a background job; forgets jobs that are kept no longer.
    StartJob(Box<NewJob>),
    /// Take rows of an import; no change when they were taken before.
    ImportUser(Box<ImportUser>),
    /// Do something and, in the same change, keep and let go of what goes with it.
    Along {
        /// What is done; its outcomes come first, and who may ask for it may ask for all of this.
        main: Box<Command>,
        /// Resources to make and to remove that it does not touch itself.
        also: Vec<Command>,
    },
    /// Use up a ticket: change its user, mark their address when it says so, and remove it.
    RedeemTicket {
        /// Its id.
        id: String,
        /// What changes.
        patch: Box<UserPatch>,
    },
    /// Replace members of a resource one by one; `null` removes one.
    UpdateResource {
        /// Its kind.
        kind: ResourceKind,
        /// Which.
        id: String,
        /// The members.
        patch: Object,
    },
    /// Remove a resource; no change when there is none.
    DeleteResource {
        /// Its kind.
        kind: ResourceKind,
        /// Which.
        id: String,
    },
}
