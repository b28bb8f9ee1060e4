//! Tenants that are being made, from nothing or from others: declared, filled, and only then named.

use super::catalog::Catalog;
use super::directory::{
    Directory, DirectoryError, FORMING, TenantDefinition, is_forming, server_provenance,
};
use super::handle::TenantHandle;
use crate::domain::change::Provenance;
use crate::domain::command::Command;
use crate::domain::permit::Caller;
use crate::domain::resource::ResourceKind;
use crate::domain::time::Timestamp;
use crate::store::format::TenantUid;

/// A tenant that is being made. It has to be named or abandoned; a crash abandons it.
#[derive(Debug)]
pub struct Forming {
    /// The way to it; nobody else has one.
    pub tenant: TenantHandle,
    definition: TenantDefinition,
}

impl Directory {
    /// Makes a tenant: declares it, has `fill` put into it what it needs, and only then lets anybody
    /// find it. Gives what `fill` gave.
    ///
    /// # Errors
    /// [`DirectoryError`]; nothing is made then.
    pub async fn make<T>(
        &self,
        caller: &Caller,
        provenance: Provenance,
        definition: &TenantDefinition,
        fill: impl AsyncFnOnce(&TenantHandle) -> Result<T, DirectoryError>,
        now: Timestamp,
    ) -> Result<(TenantHandle, T), DirectoryError> {
        let forming = self.form(caller, provenance.clone(), definition, now).await?;
        match fill(&forming.tenant).await {
            Ok(filled) => {
                let tenant = self.complete(caller, provenance, forming, now).await?;
                Ok((tenant, filled))
            }
            Err(error) => {
                self.abandon(forming, now).await;
                Err(error)
            }
        }
    }

    /// Declares a tenant that is to be filled before anybody finds it.
    ///
    /// # Errors
    /// [`DirectoryError`]; nothing is made then.
    pub async fn form(
        &self,
        caller: &Caller,
        provenance: Provenance,
        definition: &TenantDefinition,
        now: Timestamp,
    ) -> Result<Forming, DirectoryError> {
        let Command::CreateResource(mut resource) = self.creation(definition)? else {
            return Err(DirectoryError::InvalidId);
        };
        // One that could not be removed when it was abandoned is removed by who asks first.
        if self.left_over.remove(&definition.id).is_some() {
            self.remove_left_over(&definition.id, now).await?;
        }
        resource.body = resource.body.with(FORMING, "true");
        let command = Command::CreateResource(resource);
        let made = self.ask_default(caller, provenance, command, now).await?;
        let tenant = self.launch(definition, TenantUid(made.get()), Catalog::new());
        self.forming.insert(definition.id.clone(), tenant.clone());
        Ok(Forming { tenant, definition: definition.clone() })
    }

    /// Lets everybody find a tenant that is whole, or abandons it.
    async fn complete(
        &self,
        caller: &Caller,
        provenance: Provenance,
        forming: Forming,
        now: Timestamp,
    ) -> Result<TenantHandle, DirectoryError> {
        let Forming { tenant, definition } = &forming;
        let patch = definition.body().with("uid", &tenant.uid().to_string()).with(FORMING, "null");
        let (kind, id) = (ResourceKind::Tenant, definition.id.clone());
        let named = match self.check_domains(&definition.domains, None) {
            Ok(()) => {
                let command = Command::UpdateResource { kind, id, patch };
                self.ask_default(caller, provenance, command, now).await
            }
            Err(error) => Err(error),
        };
        match named {
            Ok(_) => {
                self.name(definition, tenant);
                self.forming.remove(&definition.id);
                Ok(tenant.clone())
            }
            Err(error) => {
                self.abandon(forming, now).await;
                Err(error)
            }
        }
    }

    /// Removes a tenant that did not become whole; what cannot be removed now is when the name is
    /// wanted again, or at the next start.
    async fn abandon(&self, forming: Forming, now: Timestamp) {
        let Forming { tenant, definition } = forming;
        tenant.retire().await;
        if let Err(error) = self.remove_left_over(&definition.id, now).await {
            log::warn!(tenant = definition.id, error:% = error; "a tenant that was not made in full is removed later");
        }
        self.forming.remove(&definition.id);
    }

    /// Removes what a crash left of tenants that were being made.
    ///
    /// # Errors
    /// When the default tenant cannot write.
    pub async fn abandon_left_over(&self, now: Timestamp) -> Result<(), DirectoryError> {
        let all = self.default_tenant().published().resources(ResourceKind::Tenant);
        for resource in all.iter().filter(|resource| is_forming(resource)) {
            log::warn!(tenant = resource.id; "a tenant that was not made in full is removed");
            self.remove_forming(&resource.id, now).await?;
        }
        Ok(())
    }

    /// The same, and remembers it for later when that is not possible now.
    async fn remove_left_over(&self, id: &str, now: Timestamp) -> Result<(), DirectoryError> {
        let removed = self.remove_forming(id, now).await;
        if removed.is_err() {
            self.left_over.insert(id.to_owned());
        }
        removed
    }

    async fn remove_forming(&self, id: &str, now: Timestamp) -> Result<(), DirectoryError> {
        let command = Command::DeleteResource { kind: ResourceKind::Tenant, id: id.to_owned() };
        self.ask_default(&Caller::server(), server_provenance(), command, now).await?;
        Ok(())
    }
}
