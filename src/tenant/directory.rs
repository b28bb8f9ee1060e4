//! All tenants of this server, by name and by host.
//!
//! Which tenants there are is state of the default tenant: each is one of its
//! resources, so making and deleting tenants is ordered and durable like any other
//! change. The version of that change is the new tenant's [`TenantUid`], so a tenant
//! made again under an old name shares nothing with its predecessor.

use super::actor::Limits;
use super::catalog::Catalog;
use super::fork::ForkError;
use super::handle::{Shared, TenantError, TenantHandle};
use super::space::Space;
use crate::domain::change::{Channel, Provenance};
use crate::domain::command::{Command, NewClient};
use crate::domain::json::{self, Builder, Object};
use crate::domain::permit::{Caller, Permitted, permit};
use crate::domain::policy::{Compat, Rules, SecretStorage};
use crate::domain::resource::{DEFAULT_CONNECTION, Resource, ResourceKind};
use crate::domain::time::{Timestamp, Version};
use crate::journal::Journal;
use crate::store::format::TenantUid;
use actix::ArbiterHandle;
use dashmap::{DashMap, DashSet};
use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// What a tenant is: its name, its hosts, its habits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantDefinition {
    /// `[a-z0-9-]{1,63}`.
    pub id: String,
    /// Host names that choose it, in lower case, without port.
    pub domains: Vec<String>,
    /// Lenient or strict.
    pub compat: Compat,
    /// How client secrets are kept.
    pub secrets: SecretStorage,
}

impl TenantDefinition {
    /// A tenant with nothing but a name.
    pub fn named(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            domains: Vec::new(),
            compat: Compat::Lenient,
            secrets: SecretStorage::Plain,
        }
    }

    /// Whether `id` may name a tenant: lower-case letters, digits and inner hyphens, at most 63.
    pub fn is_valid_id(id: &str) -> bool {
        (1..=63).contains(&id.len())
            && id
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !id.starts_with('-')
            && !id.ends_with('-')
    }

    pub(super) fn body(&self) -> Object {
        let mut out = Builder::new();
        out.raw("domains", &json::array_of(&self.domains))
            .string("compat", if self.compat == Compat::Strict { "strict" } else { "lenient" })
            .string(
                "client_secrets",
                if self.secrets == SecretStorage::Hashed { "hashed" } else { "plain" },
            );
        out.object()
    }

    /// What a tenant's resource says it is.
    pub(super) fn of(resource: &Resource) -> Self {
        let is =
            |key: &str, value: &str| resource.body.get_str(key).is_some_and(|own| own == value);
        Self {
            id: resource.id.clone(),
            domains: resource.body.get_strings("domains").unwrap_or_default(),
            compat: if is("compat", "strict") { Compat::Strict } else { Compat::Lenient },
            secrets: if is("client_secrets", "hashed") {
                SecretStorage::Hashed
            } else {
                SecretStorage::Plain
            },
        }
    }
}

/// Why a tenant was not made or deleted.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The name is no tenant name.
    #[error("a tenant id has 1 to 63 lower-case letters, digits and inner hyphens")]
    InvalidId,
    /// There is such a tenant.
    #[error("there is a tenant of this name")]
    Exists,
    /// The host belongs to another tenant.
    #[error("the domain {0} belongs to another tenant")]
    DomainTaken(String),
    /// There is no such tenant.
    #[error("there is no such tenant")]
    NotFound,
    /// The default tenant stays.
    #[error("the default tenant cannot be deleted")]
    Default,
    /// There are as many tenants as allowed.
    #[error("there may be {0} tenants")]
    TooMany(usize),
    /// The default tenant refused or failed.
    #[error(transparent)]
    Tenant(#[from] TenantError),
    /// The state of another tenant was not copied.
    #[error(transparent)]
    Fork(#[from] ForkError),
}

/// The name of the default tenant.
pub const DEFAULT_TENANT: &str = "default";

/// The limits and habits of a tenant, from its definition and the server's settings.
pub type RulesOf = dyn Fn(&TenantDefinition) -> Rules + Send + Sync;

/// All tenants.
pub struct Directory {
    pub(super) tenants: DashMap<String, TenantHandle>,
    /// Tenants that are being made from others: without name and host, but with records to keep.
    pub(super) forming: DashMap<String, TenantHandle>,
    /// Names of those that were abandoned and could not be removed.
    pub(super) left_over: DashSet<String>,
    hosts: DashMap<String, TenantHandle>,
    uids: DashMap<TenantUid, TenantHandle>,
    default: TenantHandle,
    shared: Shared,
    arbiters: Vec<ArbiterHandle>,
    next_arbiter: AtomicUsize,
    max_tenants: AtomicUsize,
    rules_of: RwLock<Box<RulesOf>>,
}

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory").field("tenants", &self.tenants.len()).finish_non_exhaustive()
    }
}

impl Directory {
    /// Starts the actors of all tenants found in the restored state.
    ///
    /// `arbiters` must not be empty: the tenants are spread over them.
    pub fn start(
        mut restored: HashMap<TenantUid, Catalog>,
        journal: Arc<dyn Journal>,
        arbiters: Vec<ArbiterHandle>,
        limits: Limits,
        max_tenants: usize,
        rules_of: Box<RulesOf>,
    ) -> Self {
        let first = arbiters.first().expect("a server has at least one arbiter for tenants");
        let state = restored.remove(&TenantUid::DEFAULT).unwrap_or_default();
        let definition = TenantDefinition::named(DEFAULT_TENANT);
        let rules = Arc::new(rules_of(&definition));
        let shared = Shared { journal, limits, company: Arc::default(), space: Arc::default() };
        let default =
            TenantHandle::start(DEFAULT_TENANT, TenantUid::DEFAULT, state, rules, &shared, first);
        let directory = Self {
            tenants: DashMap::new(),
            forming: DashMap::new(),
            left_over: DashSet::new(),
            hosts: DashMap::new(),
            uids: DashMap::new(),
            default: default.clone(),
            shared,
            arbiters,
            next_arbiter: AtomicUsize::new(1),
            max_tenants: AtomicUsize::new(max_tenants),
            rules_of: RwLock::new(rules_of),
        };
        directory.tenants.insert(DEFAULT_TENANT.to_owned(), default.clone());
        directory.uids.insert(TenantUid::DEFAULT, default.clone());
        for resource in default.published().resources(ResourceKind::Tenant) {
            if is_forming(&resource) {
                continue;
            }
            let uid = uid_of(&resource);
            let state = restored.remove(&uid).unwrap_or_default();
            directory.adopt(&TenantDefinition::of(&resource), uid, state);
        }
        directory
    }

    /// Changes the limits and habits of tenants that are made from now on.
    pub fn set_rules_of(&self, rules_of: Box<RulesOf>) {
        *self.rules_of.write().unwrap_or_else(PoisonError::into_inner) = rules_of;
    }

    fn rules_of(&self, definition: &TenantDefinition) -> Rules {
        self.rules_of.read().unwrap_or_else(PoisonError::into_inner)(definition)
    }

    /// The tenant with this uid, if it has a name.
    pub fn with_uid(&self, uid: TenantUid) -> Option<TenantHandle> {
        self.uids.get(&uid).map(|found| found.value().clone())
    }

    /// Changes how many tenants there may be; those there are stay.
    pub fn set_max_tenants(&self, max_tenants: usize) {
        self.max_tenants.store(max_tenants, Ordering::Relaxed);
    }

    /// The default tenant.
    pub fn default_tenant(&self) -> &TenantHandle {
        &self.default
    }

    /// The tenant with this name.
    pub fn tenant(&self, id: &str) -> Option<TenantHandle> {
        self.tenants.get(id).map(|found| found.value().clone())
    }

    /// Whether there is space for what they write.
    pub fn space(&self) -> &Space {
        &self.shared.space
    }

    /// All tenants, in the order of their names.
    pub fn tenants(&self) -> Vec<TenantHandle> {
        let mut all: Vec<TenantHandle> =
            self.tenants.iter().map(|found| found.value().clone()).collect();
        all.sort_by(|a, b| a.id().cmp(b.id()));
        all
    }

    /// All tenants whose records and snapshots are kept: those that are being made from others too.
    pub(super) fn kept(&self) -> Vec<TenantHandle> {
        let mut all = self.tenants();
        all.extend(self.forming.iter().map(|found| found.value().clone()));
        all
    }

    /// The tenant a request to `host` (with or without port) is for: the one with that
    /// domain, the one named by `<id>.localhost`, else the default tenant.
    pub fn by_host(&self, host: &str) -> TenantHandle {
        let name = host_name(host);
        if let Some(found) = self.hosts.get(name.as_ref()) {
            return found.value().clone();
        }
        name.strip_suffix(".localhost")
            .and_then(|id| self.tenant(id))
            .unwrap_or_else(|| self.default.clone())
    }

    /// What a tenant is.
    pub fn definition(&self, id: &str) -> Option<TenantDefinition> {
        if id == DEFAULT_TENANT {
            return Some(TenantDefinition {
                domains: self.hosts_of(&self.default),
                compat: self.default.rules().compat,
                secrets: self.default.rules().secrets,
                id: id.to_owned(),
            });
        }
        self.default
            .published()
            .resource(ResourceKind::Tenant, id)
            .filter(|found| !is_forming(found))
            .map(|found| TenantDefinition::of(&found))
    }

    fn hosts_of(&self, tenant: &TenantHandle) -> Vec<String> {
        let own = self.hosts.iter().filter(|entry| entry.value().uid() == tenant.uid());
        own.map(|entry| entry.key().clone()).collect()
    }

    /// Host names of the default tenant come from the settings alone.
    ///
    /// # Errors
    /// [`DirectoryError::DomainTaken`] when another tenant has one of them.
    pub fn set_default_domains(&self, domains: &[String]) -> Result<(), DirectoryError> {
        self.check_domains(domains, Some(&self.default))?;
        self.hosts.retain(|_, tenant| tenant.uid() != self.default.uid());
        for domain in domains {
            self.hosts.insert(domain.to_lowercase(), self.default.clone());
        }
        Ok(())
    }

    /// Makes a tenant with its database connection and its global client.
    ///
    /// # Errors
    /// [`DirectoryError`]; nothing is made then.
    pub async fn create(
        &self,
        caller: &Caller,
        provenance: Provenance,
        definition: &TenantDefinition,
        seeds: Seeds,
        now: Timestamp,
    ) -> Result<TenantHandle, DirectoryError> {
        let fill = async |tenant: &TenantHandle| Ok(seed(tenant, seeds, now).await?);
        let (tenant, ()) = self.make(caller, provenance, definition, fill, now).await?;
        Ok(tenant)
    }

    /// What the default tenant is asked when a tenant is made.
    ///
    /// # Errors
    /// [`DirectoryError`] when it cannot be made.
    pub fn creation(&self, definition: &TenantDefinition) -> Result<Command, DirectoryError> {
        if !TenantDefinition::is_valid_id(&definition.id) {
            return Err(DirectoryError::InvalidId);
        }
        if self.tenants.contains_key(&definition.id) || self.forming.contains_key(&definition.id) {
            return Err(DirectoryError::Exists);
        }
        let max_tenants = self.max_tenants.load(Ordering::Relaxed);
        if self.tenants.len() + self.forming.len() >= max_tenants {
            return Err(DirectoryError::TooMany(max_tenants));
        }
        self.check_domains(&definition.domains, None)?;
        let resource = Resource {
            kind: ResourceKind::Tenant,
            id: definition.id.clone(),
            version: Version::ZERO,
            body: definition.body(),
        };
        Ok(Command::CreateResource(Box::new(resource)))
    }

    /// Puts other host names and habits to a tenant that exists.
    ///
    /// # Errors
    /// [`DirectoryError`]; nothing is changed then.
    pub async fn redefine(
        &self,
        caller: &Caller,
        provenance: Provenance,
        definition: &TenantDefinition,
        now: Timestamp,
    ) -> Result<(), DirectoryError> {
        let tenant = self.tenant(&definition.id).ok_or(DirectoryError::NotFound)?;
        let Some(command) = self.redefinition(definition)? else { return Ok(()) };
        self.ask_default(caller, provenance, command, now).await?;
        self.hosts.retain(|_, other| other.uid() != tenant.uid());
        for domain in &definition.domains {
            self.hosts.insert(domain.to_lowercase(), tenant.clone());
        }
        tenant.set_rules(Arc::new(self.rules_of(definition))).await?;
        Ok(())
    }

    /// What the default tenant is asked when a tenant is redefined; none when it is so already.
    ///
    /// # Errors
    /// [`DirectoryError`] when it cannot be.
    pub fn redefinition(
        &self,
        definition: &TenantDefinition,
    ) -> Result<Option<Command>, DirectoryError> {
        let tenant = self.tenant(&definition.id).ok_or(DirectoryError::NotFound)?;
        if self.definition(&definition.id).as_ref() == Some(definition) {
            return Ok(None);
        }
        self.check_domains(&definition.domains, Some(&tenant))?;
        // The uid was the version so far; from now on that is the version of this change.
        let patch = definition.body().with("uid", &tenant.uid().to_string());
        let (kind, id) = (ResourceKind::Tenant, definition.id.clone());
        Ok(Some(Command::UpdateResource { kind, id, patch }))
    }

    /// Deletes a tenant and everything it holds.
    ///
    /// # Errors
    /// [`DirectoryError`]; nothing is deleted then.
    pub async fn delete(
        &self,
        caller: &Caller,
        provenance: Provenance,
        id: &str,
        now: Timestamp,
    ) -> Result<TenantUid, DirectoryError> {
        let command = self.deletion(id)?;
        let tenant = self.tenant(id).ok_or(DirectoryError::NotFound)?;
        self.ask_default(caller, provenance, command, now).await?;
        self.tenants.remove(id);
        self.hosts.retain(|_, other| other.uid() != tenant.uid());
        self.uids.remove(&tenant.uid());
        tenant.retire().await;
        Ok(tenant.uid())
    }

    /// What the default tenant is asked when a tenant is deleted.
    ///
    /// # Errors
    /// [`DirectoryError`] when there is none, or it is the default one.
    pub fn deletion(&self, id: &str) -> Result<Command, DirectoryError> {
        if id == DEFAULT_TENANT {
            return Err(DirectoryError::Default);
        }
        self.tenant(id).ok_or(DirectoryError::NotFound)?;
        Ok(Command::DeleteResource { kind: ResourceKind::Tenant, id: id.to_owned() })
    }

    pub(super) async fn ask_default(
        &self,
        caller: &Caller,
        provenance: Provenance,
        command: Command,
        now: Timestamp,
    ) -> Result<Version, DirectoryError> {
        let command = permit(caller, command).map_err(|_| DirectoryError::NotFound)?;
        Ok(self.default.write(command, provenance, now).await?.version)
    }

    pub(super) fn check_domains(
        &self,
        domains: &[String],
        own: Option<&TenantHandle>,
    ) -> Result<(), DirectoryError> {
        let is_taken = |domain: &String| {
            self.hosts
                .get(&domain.to_lowercase())
                .is_some_and(|found| own.is_none_or(|own| own.uid() != found.uid()))
        };
        match domains.iter().find(|domain| is_taken(domain)) {
            Some(taken) => Err(DirectoryError::DomainTaken(taken.clone())),
            None => Ok(()),
        }
    }

    fn adopt(&self, definition: &TenantDefinition, uid: TenantUid, state: Catalog) -> TenantHandle {
        let tenant = self.launch(definition, uid, state);
        self.name(definition, &tenant);
        tenant
    }

    /// From now on a tenant is found by its name and its hosts.
    pub(super) fn name(&self, definition: &TenantDefinition, tenant: &TenantHandle) {
        self.tenants.insert(definition.id.clone(), tenant.clone());
        self.uids.insert(tenant.uid(), tenant.clone());
        for domain in &definition.domains {
            self.hosts.insert(domain.to_lowercase(), tenant.clone());
        }
    }

    /// Starts the actor of a tenant that nobody finds yet.
    pub(super) fn launch(
        &self,
        definition: &TenantDefinition,
        uid: TenantUid,
        state: Catalog,
    ) -> TenantHandle {
        let turn = self.next_arbiter.fetch_add(1, Ordering::Relaxed) % self.arbiters.len();
        let arbiter =
            self.arbiters.get(turn).expect("the remainder is below the number of arbiters");
        let rules = Arc::new(self.rules_of(definition));
        TenantHandle::start(&definition.id, uid, state, rules, &self.shared, arbiter)
    }
}

/// The uid of a tenant: the version of the change that made it, kept in its body once it is changed again.
pub(super) fn uid_of(resource: &Resource) -> TenantUid {
    let kept = resource.body.get("uid").and_then(|raw| raw.parse().ok());
    TenantUid(kept.unwrap_or_else(|| resource.version.get()))
}

/// Whether a tenant is being made, or a crash left it half made.
pub(super) fn is_forming(resource: &Resource) -> bool {
    resource.body.get_bool(FORMING) == Some(true)
}

/// The member that says so.
pub(super) const FORMING: &str = "forming";

/// Identifiers a new tenant's first things get.
#[derive(Clone, Debug)]
pub struct Seeds {
    /// Of the database connection, `con_` and 16 characters.
    pub connection_id: String,
    /// Of the hidden global client.
    pub global_client_id: String,
    /// Its secret.
    pub global_client_secret: String,
}

/// Gives a tenant that nothing ever happened to its database connection and its global client.
///
/// # Errors
/// When the tenant cannot write.
pub async fn seed(tenant: &TenantHandle, seeds: Seeds, now: Timestamp) -> Result<(), TenantError> {
    if tenant.published().version() > Version::ZERO {
        return Ok(());
    }
    let mut connection = Builder::new();
    connection
        .string("name", DEFAULT_CONNECTION)
        .string("strategy", "auth0")
        .raw("options", r#"{"mfa":{"active":true,"return_enroll_settings":true},"passwordPolicy":"good","brute_force_protection":true}"#)
        .raw("realms", &json::array_of([DEFAULT_CONNECTION]))
        .flag("is_domain_connection", Some(false))
        .raw("enabled_clients", "[]");
    let resource = Resource {
        kind: ResourceKind::Connection,
        id: seeds.connection_id,
        version: Version::ZERO,
        body: connection.object(),
    };
    let global = NewClient {
        id: seeds.global_client_id,
        secret: seeds.global_client_secret,
        settings: Object::trusted(
            r#"{"name":"All Applications","callbacks":[],"is_first_party":true}"#,
        ),
        client_metadata: None,
        is_global: true,
    };
    for command in
        [Command::CreateResource(Box::new(resource)), Command::CreateClient(Box::new(global))]
    {
        tenant.write(by_server(command), server_provenance(), now).await?;
    }
    Ok(())
}

/// A command the server gives itself.
pub fn by_server(command: Command) -> Permitted<Command> {
    permit(&Caller::server(), command).expect("the server may ask for everything")
}

/// The provenance of what the server does by itself.
pub fn server_provenance() -> Provenance {
    Provenance { actor: "dossier".to_owned(), channel: Channel::Server, ..Provenance::default() }
}

/// The name in a `Host` header, without port, in lower case.
pub fn host_name(host: &str) -> std::borrow::Cow<'_, str> {
    let name = if let Some(bracketed) = host.strip_prefix('[') {
        bracketed.split(']').next().unwrap_or_default()
    } else {
        host.rsplit_once(':').map_or(host, |(name, _)| name)
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        std::borrow::Cow::Owned(name.to_ascii_lowercase())
    } else {
        std::borrow::Cow::Borrowed(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_name_has_no_port_and_no_upper_case() {
        for (host, name) in [
            ("localhost:7843", "localhost"),
            ("Alpha.LOCALHOST", "alpha.localhost"),
            ("[::1]:80", "::1"),
            ("example.com.", "example.com"),
            ("", ""),
        ] {
            assert_eq!(host_name(host), name);
        }
    }

    #[test]
    fn a_tenant_id_can_be_no_path() {
        for good in ["a", "alpha", "a-1"] {
            assert!(TenantDefinition::is_valid_id(good), "{good}");
        }
        for bad in ["", "A", "a.b", "../x", "a/b", "-a", "a-", "ä", &"a".repeat(64)] {
            assert!(!TenantDefinition::is_valid_id(bad), "{bad}");
        }
    }
}
