//! Tenants declared in the file: their host names, machine clients and connections.

use std::path::PathBuf;

use super::choice::{ClientSecrets, Compat, RootAttributes};
use super::sections::{Claims, History, Limits, RateLimit, Search, Settings};
use super::table::{Setting, Values};
use super::value::{Kind, Secret, Value};

/// One `[[tenant]]` of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantSettings {
    /// Its name: 1 to 63 of `a-z`, `0-9` and `-`, with no `-` at either end.
    pub id: String,
    /// The host names that select it, in lower case and without port.
    pub domains: Vec<String>,
    /// How exactly it insists on Auth0's rules. Default `lenient`.
    pub compat: Compat,
    /// How it keeps the secrets of its clients. Default `plain`.
    pub client_secrets: ClientSecrets,
    /// Its machine clients.
    pub clients: Vec<ClientSettings>,
    /// Its connections.
    pub connections: Vec<ConnectionSettings>,
    /// The settings that hold for it: the common ones with its own put over them.
    pub effective: Overridable,
    /// Its own values alone, in the order of the table.
    pub(super) overrides: Vec<(&'static Setting, Value)>,
}

/// One `[[tenant.client]]`: a program that gets tokens with its id and secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSettings {
    /// Its id, unique in the tenant: 1 to 255 visible ASCII characters.
    pub client_id: String,
    /// Its secret, at least 16 characters.
    pub client_secret: Secret,
    /// The file the secret was read from, if it was.
    pub client_secret_file: Option<PathBuf>,
    /// What it may ask for, such as `read:users`; a single `*` means everything.
    pub scopes: Vec<String>,
}

impl ClientSettings {
    /// Whether it may ask for every scope.
    pub fn has_all_scopes(&self) -> bool {
        self.scopes.iter().any(|scope| scope == "*")
    }
}

/// One `[[tenant.connection]]`: a source of users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// Its name, unique in the tenant.
    pub name: String,
    /// What it is: `auth0` (a database), `google-oauth2`, `samlp`, `sms`, `email`, ….
    pub strategy: String,
    /// When its provider may write the root attributes of a user. Default `on_each_login`.
    pub set_user_root_attributes: RootAttributes,
    /// Whether its users need a username. Default false.
    pub requires_username: bool,
    /// Whether it can be used. Default true.
    pub enabled: bool,
}

/// The sections a tenant may override.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overridable {
    /// How much may be kept.
    pub limits: Limits,
    /// How often one token may ask.
    pub rate_limit: RateLimit,
    /// Searching users.
    pub search: Search,
    /// How much of the past is kept.
    pub history: History,
    /// Metadata in tokens.
    pub claims: Claims,
}

impl Overridable {
    pub(super) fn from_values(values: &Values) -> Self {
        Self {
            limits: Limits::from_values(values),
            rate_limit: RateLimit::from_values(values),
            search: Search::from_values(values),
            history: History::from_values(values),
            claims: Claims::from_values(values),
        }
    }
}

impl Settings {
    /// The tenant declared with this id.
    pub fn tenant(&self, id: &str) -> Option<&TenantSettings> {
        self.tenants.iter().find(|tenant| tenant.id == id)
    }

    /// The settings that hold for a tenant, declared in the file or not.
    pub fn effective(&self, tenant_id: &str) -> Overridable {
        self.tenant(tenant_id).map_or_else(
            || Overridable {
                limits: self.limits.clone(),
                rate_limit: self.rate_limit.clone(),
                search: self.search.clone(),
                history: self.history.clone(),
                claims: self.claims.clone(),
            },
            |tenant| tenant.effective.clone(),
        )
    }
}

/// What may stand in a tenant, a client or a connection; the same rows explain and check them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entity {
    /// `tenant`, `tenant.client` or `tenant.connection`.
    pub name: &'static str,
    /// What it is.
    pub doc: &'static str,
    /// Its keys; those in `required` have no default.
    pub settings: &'static [Setting],
    /// The keys it cannot do without.
    pub required: &'static [&'static str],
    /// A line for each key in the example of the written configuration.
    pub(super) example: &'static [&'static str],
}

const fn row(path: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Setting {
    let unit = "";
    Setting {
        path,
        kind,
        unit,
        default,
        min: "",
        max: "",
        zero: "",
        live: true,
        secret: false,
        doc,
    }
}

const fn secret(setting: Setting) -> Setting {
    Setting { secret: true, ..setting }
}

/// `[[tenant]]`.
pub const TENANT: Entity = Entity {
    name: "tenant",
    doc: "A tenant: users and clients of its own. Without any, one called \"default\" is made.",
    settings: &[
        row(
            "tenant.id",
            Kind::Text,
            "",
            "Its name: 1 to 63 of a-z, 0-9 and -, with no - at either end.",
        ),
        row("tenant.domains", Kind::List, "[]", "Host names that select it, without port."),
        row(
            "tenant.compat",
            Kind::Choice(Compat::WORDS),
            "lenient",
            "Fills in what a caller left out, or answers exactly as Auth0 does.",
        ),
        row(
            "tenant.client_secrets",
            Kind::Choice(ClientSecrets::WORDS),
            "plain",
            "Secrets of clients can be read again, or are shown once and never again.",
        ),
    ],
    required: &["tenant.id"],
    example: &[
        "id = \"alpha\"",
        "domains = [\"alpha.localhost\"]",
        "compat = \"lenient\"",
        "client_secrets = \"plain\"",
    ],
};

/// `[[tenant.client]]`.
pub const CLIENT: Entity = Entity {
    name: "tenant.client",
    doc: "A machine client of the tenant above: it gets tokens with its id and secret.",
    settings: &[
        row(
            "tenant.client.client_id",
            Kind::Text,
            "",
            "Its id, unique in the tenant: 1 to 255 visible ASCII characters.",
        ),
        secret(row(
            "tenant.client.client_secret",
            Kind::Text,
            "",
            "Its secret, at least 16 characters.",
        )),
        row(
            "tenant.client.client_secret_file",
            Kind::Path,
            "",
            "A file that holds the secret instead; a line end after it does not count.",
        ),
        row(
            "tenant.client.scopes",
            Kind::List,
            "[]",
            "What it may ask for, such as \"read:users\"; [\"*\"] means everything.",
        ),
    ],
    required: &["tenant.client.client_id"],
    example: &[
        "client_id = \"my-backend\"",
        "client_secret = \"at least sixteen characters\"",
        "# client_secret_file = \"/run/secrets/my-backend\"",
        "scopes = [\"read:users\", \"update:users\"]",
    ],
};

/// `[[tenant.connection]]`.
pub const CONNECTION: Entity = Entity {
    name: "tenant.connection",
    doc: "A source of users of the tenant above.",
    settings: &[
        row(
            "tenant.connection.name",
            Kind::Text,
            "",
            "Its name, unique in the tenant: 1 to 128 letters, digits and single -.",
        ),
        row(
            "tenant.connection.strategy",
            Kind::Text,
            "",
            "What it is: \"auth0\" (a database), \"google-oauth2\", \"samlp\", \"sms\", \"email\" or another of Auth0's.",
        ),
        row(
            "tenant.connection.set_user_root_attributes",
            Kind::Choice(RootAttributes::WORDS),
            "on_each_login",
            "When its provider may write name, picture and the like; edits are refused on \"on_each_login\".",
        ),
        row(
            "tenant.connection.requires_username",
            Kind::Flag,
            "false",
            "Whether its users need a username.",
        ),
        row("tenant.connection.enabled", Kind::Flag, "true", "Whether it can be used."),
    ],
    required: &["tenant.connection.name", "tenant.connection.strategy"],
    example: &[
        "name = \"Username-Password-Authentication\"",
        "strategy = \"auth0\"",
        "set_user_root_attributes = \"on_each_login\"",
        "requires_username = false",
        "enabled = true",
    ],
};

/// All of them.
pub const ENTITIES: [Entity; 3] = [TENANT, CLIENT, CONNECTION];

/// The row of a tenant, client or connection with this full name.
pub(super) fn entity_setting(path: &str) -> Option<&'static Setting> {
    ENTITIES.iter().flat_map(|entity| entity.settings).find(|setting| setting.path == path)
}
