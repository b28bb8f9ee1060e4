//! Everything else a tenant owns that is small and found by id: connections, client
//! grants, settings, refresh tokens, and, at the default tenant, the other tenants.

use super::client::sha256_hex;
use super::json::{Builder, Object};
use super::strength::Strength;
use super::time::Version;

/// What a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ResourceKind {
    /// A connection: where identities come from.
    Connection,
    /// What a client may ask of an API.
    ClientGrant,
    /// An API tokens can be asked for.
    ResourceServer,
    /// A tenant's settings; there is one, with the id `settings`.
    Settings,
    /// A refresh token, found by the hash of its text.
    RefreshToken,
    /// A tenant; only the default tenant holds these.
    Tenant,
    /// A background job.
    Job,
    /// A ticket for a link sent to a user.
    Ticket,
    /// What a background job works on, or its errors.
    JobPart,
}

/// A small thing of a tenant, its members as sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// What it is.
    pub kind: ResourceKind,
    /// Unique among its kind in the tenant.
    pub id: String,
    /// The tenant's version of its last change.
    pub version: Version,
    /// Its members, without the id.
    pub body: Object,
}

impl Resource {
    /// The member that names it, unique among its kind, for the kinds that have one.
    pub fn name(&self) -> Option<String> {
        let key = match self.kind {
            ResourceKind::Connection => "name",
            ResourceKind::ResourceServer => "identifier",
            ResourceKind::ClientGrant
            | ResourceKind::Settings
            | ResourceKind::RefreshToken
            | ResourceKind::Tenant
            | ResourceKind::Job
            | ResourceKind::Ticket
            | ResourceKind::JobPart => return None,
        };
        self.body.get_str(key).map(std::borrow::Cow::into_owned)
    }

    /// The resource with its id as first member.
    pub fn to_json(&self) -> String {
        let mut out = Builder::with_capacity(self.body.as_json().len() + self.id.len() + 16);
        out.string("id", &self.id);
        for (key, value) in self.body.members() {
            out.member(key, value);
        }
        out.finish()
    }
}

/// The audience under which grants for a tenant's own management API are kept: its
/// address differs from host to host, so it is written when a grant is shown.
pub const MANAGEMENT_AUDIENCE: &str = "urn:dossier:management";

/// Letters of a refresh token that say whose it is; the others are chance.
const OWNER_CHARS: usize = 16;

/// What the refresh tokens of a user, and their ids, begin with.
pub fn refresh_token_prefix(user_id: &str) -> String {
    let mut prefix = sha256_hex(user_id);
    prefix.truncate(OWNER_CHARS);
    prefix
}

/// The id under which a refresh token is kept: whose it is, and the SHA-256 of its text.
/// `None` for a text that can be none.
pub fn refresh_token_id(text: &str) -> Option<String> {
    let owner = text.get(..OWNER_CHARS)?;
    Some(format!("{owner}{}", sha256_hex(text)))
}

/// The name of the database connection every tenant has.
pub const DEFAULT_CONNECTION: &str = "Username-Password-Authentication";

/// What a connection means for its users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Its id, `con_` and 16 characters.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How identities are proved there: `auth0`, `google-oauth2`, `samlp`, `sms`, …
    pub strategy: String,
    /// Whether users must have a login name.
    pub requires_username: bool,
    /// Whether it may be used.
    pub is_enabled: bool,
    /// When root attributes come from the provider: `on_each_login`, `on_first_login` or `never_on_login`.
    pub set_user_root_attributes: String,
    /// How strong a new password must be.
    pub strength: Strength,
}

/// What kind of place a connection's identities come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Passwords kept here.
    Database,
    /// A code by e-mail or message.
    Passwordless,
    /// A social network.
    Social,
    /// A company's directory.
    Enterprise,
}

/// Strategies of company directories; what is neither this, a database nor passwordless is social.
const ENTERPRISE: [&str; 14] = [
    "ad",
    "adfs",
    "auth0-adldap",
    "custom",
    "google-apps",
    "ip",
    "office365",
    "oidc",
    "okta",
    "pingfederate",
    "samlp",
    "sharepoint",
    "waad",
    "auth0-oidc",
];

impl Connection {
    /// Reads a connection from its resource.
    pub fn of(resource: &Resource) -> Self {
        let body = &resource.body;
        let text = |key: &str| body.get_str(key).unwrap_or_default().into_owned();
        let options = body.get_object("options").unwrap_or_else(Object::empty);
        Self {
            id: resource.id.clone(),
            name: text("name"),
            strategy: text("strategy"),
            requires_username: options.get_bool("requires_username").unwrap_or(false),
            is_enabled: options.get_bool("enabled").unwrap_or(true),
            set_user_root_attributes: options
                .get_str("set_user_root_attributes")
                .map_or_else(|| "on_each_login".to_owned(), std::borrow::Cow::into_owned),
            strength: Strength::of(&options),
        }
    }

    /// Where its identities come from.
    pub fn family(&self) -> Family {
        match self.strategy.as_str() {
            "auth0" => Family::Database,
            "email" | "sms" => Family::Passwordless,
            strategy if ENTERPRISE.contains(&strategy) => Family::Enterprise,
            _ => Family::Social,
        }
    }
}
