//! What the configuration declares is made so at every start: tenants, their hosts,
//! their machine clients and connections; and the first administrator of all.

use super::{AppError, clock, private_files};
use crate::config::{self, ClientSettings, ConnectionSettings, Settings, TenantSettings};
use crate::domain::command::{ClientPatch, Command, NewClient};
use crate::domain::json::{self, Builder, Object};
use crate::domain::permit::Caller;
use crate::domain::policy::{Compat, SecretStorage};
use crate::domain::resource::{MANAGEMENT_AUDIENCE, Resource, ResourceKind};
use crate::domain::scope::Scope;
use crate::domain::time::Version;
use crate::http::random;
use crate::tenant::{
    DEFAULT_TENANT, Directory, Seeds, TenantDefinition, TenantError, TenantHandle, by_server, seed,
    server_provenance,
};
use std::path::{Path, PathBuf};

/// The file that holds the first administrator's id and secret.
pub const ADMIN_CLIENT_FILE: &str = "admin-client.json";

/// Fresh identifiers for a new tenant.
pub fn fresh_seeds() -> Seeds {
    Seeds {
        connection_id: format!("con_{}", random::alphanumeric(16)),
        global_client_id: random::alphanumeric(32),
        global_client_secret: random::secret(64),
    }
}

/// Makes everything declared so.
///
/// # Errors
/// [`AppError`] naming the tenant.
pub async fn declare(
    settings: &Settings,
    directory: &Directory,
    data_dir: &Path,
) -> Result<(), AppError> {
    let default = directory.default_tenant();
    let left_over = directory.abandon_left_over(clock::now()).await;
    left_over.map_err(|source| AppError::Declare { id: DEFAULT_TENANT.to_owned(), source })?;
    seed(default, fresh_seeds(), clock::now()).await?;
    first_administrator(default, data_dir).await?;
    for tenant in &settings.tenants {
        let failed = |source| AppError::Declare { id: tenant.id.clone(), source };
        let handle = if tenant.id == DEFAULT_TENANT {
            directory.set_default_domains(&tenant.domains).map_err(failed)?;
            default.clone()
        } else {
            declare_tenant(directory, tenant).await.map_err(failed)?
        };
        seed(&handle, fresh_seeds(), clock::now()).await?;
        for connection in &tenant.connections {
            declare_connection(&handle, connection).await?;
        }
        for client in &tenant.clients {
            declare_client(&handle, client).await?;
        }
    }
    Ok(())
}

/// Lenient or strict, as declared.
pub fn compat_of(tenant: &TenantSettings) -> Compat {
    match tenant.compat {
        config::Compat::Lenient => Compat::Lenient,
        config::Compat::Strict => Compat::Strict,
    }
}

async fn declare_tenant(
    directory: &Directory,
    tenant: &TenantSettings,
) -> Result<TenantHandle, crate::tenant::DirectoryError> {
    let definition = TenantDefinition {
        id: tenant.id.clone(),
        domains: tenant.domains.clone(),
        compat: compat_of(tenant),
        secrets: match tenant.client_secrets {
            config::ClientSecrets::Plain => SecretStorage::Plain,
            config::ClientSecrets::Hashed => SecretStorage::Hashed,
        },
    };
    let (caller, now) = (Caller::server(), clock::now());
    match directory.tenant(&tenant.id) {
        Some(handle) => {
            directory.redefine(&caller, server_provenance(), &definition, now).await?;
            Ok(handle)
        }
        None => {
            directory.create(&caller, server_provenance(), &definition, fresh_seeds(), now).await
        }
    }
}

async fn write(tenant: &TenantHandle, command: Command) -> Result<(), TenantError> {
    tenant.write(by_server(command), server_provenance(), clock::now()).await.map(|_| ())
}

async fn declare_connection(
    tenant: &TenantHandle,
    declared: &ConnectionSettings,
) -> Result<(), TenantError> {
    let published = tenant.published();
    let existing = published
        .resources(ResourceKind::Connection)
        .into_iter()
        .find(|resource| resource.name().as_deref() == Some(&declared.name));
    let before = existing.as_ref().and_then(|resource| resource.body.get_object("options"));
    let options = before
        .unwrap_or_else(Object::empty)
        .with("set_user_root_attributes", &json::quoted(declared.set_user_root_attributes.word()))
        .with("requires_username", if declared.requires_username { "true" } else { "false" })
        .with("enabled", if declared.enabled { "true" } else { "false" });
    if let Some(existing) = existing {
        if existing.body.get("options") == Some(options.as_json()) {
            return Ok(());
        }
        let mut patch = Builder::new();
        patch.raw("options", options.as_json());
        let (kind, id) = (ResourceKind::Connection, existing.id.clone());
        return write(tenant, Command::UpdateResource { kind, id, patch: patch.object() }).await;
    }
    let mut body = Builder::new();
    body.string("name", &declared.name)
        .string("strategy", &declared.strategy)
        .raw("options", options.as_json())
        .raw("realms", &json::array_of([&declared.name]))
        .flag("is_domain_connection", Some(false))
        .raw("enabled_clients", "[]");
    let resource = Resource {
        kind: ResourceKind::Connection,
        id: format!("con_{}", random::alphanumeric(16)),
        version: Version::ZERO,
        body: body.object(),
    };
    write(tenant, Command::CreateResource(Box::new(resource))).await
}

async fn declare_client(
    tenant: &TenantHandle,
    declared: &ClientSettings,
) -> Result<(), TenantError> {
    let secret = declared.client_secret.reveal();
    let published = tenant.published();
    match published.client(&declared.client_id) {
        None => {
            let name = declared.client_id.clone();
            write(tenant, machine_client(&declared.client_id, &name, secret)).await?;
        }
        Some(client) if !client.secret.as_ref().is_some_and(|own| own.matches(secret)) => {
            let patch = ClientPatch { secret: Some(secret.to_owned()), ..ClientPatch::default() };
            write(tenant, Command::UpdateClient { id: client.id.clone(), patch: Box::new(patch) })
                .await?;
        }
        Some(_) => {}
    }
    let scopes =
        if declared.has_all_scopes() { all_scopes(tenant) } else { declared.scopes.clone() };
    grant(tenant, &declared.client_id, &scopes).await
}

/// The command that makes a client for machines.
pub fn machine_client(id: &str, name: &str, secret: &str) -> Command {
    Command::CreateClient(Box::new(NewClient::machine(id, name, secret)))
}

/// Every scope an administrator of this tenant has: only the default tenant's may operate the server.
pub fn all_scopes(tenant: &TenantHandle) -> Vec<String> {
    Scope::served(tenant.id() == DEFAULT_TENANT).map(|scope| scope.name().to_owned()).collect()
}

/// Gives a client these scopes for the management API of its tenant, and no others.
///
/// # Errors
/// When the tenant cannot write.
pub async fn grant(
    tenant: &TenantHandle,
    client_id: &str,
    scopes: &[String],
) -> Result<(), TenantError> {
    let existing =
        tenant.published().resources(ResourceKind::ClientGrant).into_iter().find(|grant| {
            grant.body.get_str("client_id").is_some_and(|id| id == client_id)
                && grant
                    .body
                    .get_str("audience")
                    .is_some_and(|audience| audience == MANAGEMENT_AUDIENCE)
        });
    let scope = json::array_of(scopes);
    if let Some(existing) = existing {
        if existing.body.get("scope") == Some(&scope) {
            return Ok(());
        }
        let mut patch = Builder::new();
        patch.raw("scope", &scope);
        let (kind, id) = (ResourceKind::ClientGrant, existing.id.clone());
        return write(tenant, Command::UpdateResource { kind, id, patch: patch.object() }).await;
    }
    let mut body = Builder::new();
    body.string("client_id", client_id)
        .string("audience", MANAGEMENT_AUDIENCE)
        .raw("scope", &scope);
    let resource = Resource {
        kind: ResourceKind::ClientGrant,
        id: format!("cgr_{}", random::alphanumeric(16)),
        version: Version::ZERO,
        body: body.object(),
    };
    write(tenant, Command::CreateResource(Box::new(resource))).await
}

/// Makes a machine client with all scopes when there is no file that names one, and writes the file.
async fn first_administrator(default: &TenantHandle, data_dir: &Path) -> Result<(), AppError> {
    let path = data_dir.join(ADMIN_CLIENT_FILE);
    if path.exists() {
        return Ok(());
    }
    let (id, secret) = (random::alphanumeric(32), random::secret(64));
    write(default, machine_client(&id, "Dossier administrator", &secret)).await?;
    grant(default, &id, &all_scopes(default)).await?;
    let mut out = Builder::new();
    out.string("tenant", DEFAULT_TENANT).string("client_id", &id).string("client_secret", &secret);
    write_file(&path, &format!("{}\n", out.finish()))
}

fn write_file(path: &Path, text: &str) -> Result<(), AppError> {
    private_files::write(path, text, private_files::SECRET).map_err(|error| AppError::File {
        path: PathBuf::from(path),
        source: std::io::Error::other(error.to_string()),
    })
}
