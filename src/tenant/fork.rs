//! A new tenant from the state of another.
//!
//! It is declared first as *forming*, so that its uid is known and its records have a place; it
//! has no name and no host until everything is in it. What a crash leaves of it is removed at the
//! next start.

use super::catalog::StateView;
use super::directory::{by_server, server_provenance};
use super::handle::{TenantError, TenantHandle};
use super::history::{Look, Touched};
use crate::domain::client::{Client, Secret};
use crate::domain::command::Command;
use crate::domain::credential;
use crate::domain::document::Document;
use crate::domain::history::{Lasting, Subject};
use crate::domain::json::{self, Object};
use crate::domain::put_back::PutBack;
use crate::domain::resource::{MANAGEMENT_AUDIENCE, Resource, ResourceKind};
use crate::domain::scope::Scope;
use crate::domain::time::{Timestamp, Version};
use crate::store::history::HistoryError;
use std::sync::Arc;

/// What is looked up in the past at once.
const READ_AT_ONCE: usize = 256;

/// Why a tenant's state was not copied.
#[derive(Debug, thiserror::Error)]
pub enum ForkError {
    /// One of the tenants did not do its part.
    #[error(transparent)]
    Tenant(#[from] TenantError),
    /// The past could not be read.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// Something was let go of while it was copied.
    #[error("the history lets go of that version")]
    Forgotten,
    /// The thread that reads the past ended.
    #[error("the thread that reads the history ended unexpectedly")]
    Thread,
}

/// What is copied: a tenant at one version, and, for an earlier one, what was touched since.
#[derive(Debug)]
pub struct ForkSource {
    /// The tenant as it is, or was a moment ago.
    pub view: StateView,
    /// The past to go back to.
    pub past: Option<ForkPast>,
}

/// The point in the past that is copied.
#[derive(Debug)]
pub struct ForkPast {
    /// Where it is read.
    pub look: Look,
    /// The version.
    pub version: Version,
    /// What was touched since, by [`Look::touched_since`].
    pub touched: Touched,
}

impl ForkSource {
    /// The version that is copied.
    pub fn version(&self) -> Version {
        self.past.as_ref().map_or(self.view.version, |past| past.version)
    }

    /// Resources that are copied as they are now, since it is not known how they were.
    pub fn as_now(&self) -> &[String] {
        self.past.as_ref().map_or(&[], |past| past.touched.as_now.as_slice())
    }

    fn is_touched(&self, kind: Subject, id: &str) -> bool {
        self.past
            .as_ref()
            .is_some_and(|past| past.touched.objects.contains_key(&(kind, id.to_owned())))
    }

    /// Copies everything into a tenant that has nothing yet. Users keep their ids, passwords and
    /// metadata; clients keep their ids and settings and get secrets out of `secret`. Keys of
    /// clients stay behind: whoever proves itself to the one tenant shall not do so to the other.
    ///
    /// # Errors
    /// [`ForkError`]; what was copied by then stays in `to`.
    pub async fn copy(
        &self,
        to: &TenantHandle,
        secret: &(dyn Fn() -> String + Sync),
        now: Timestamp,
    ) -> Result<(), ForkError> {
        let mut copy = Copying { to, piece: PutBack::default(), now };
        for client in &self.view.clients {
            if !self.is_touched(Subject::Client, &client.id) {
                copy.client(client, secret()).await?;
            }
        }
        for piece in self.view.pieces() {
            for user in piece {
                if !self.is_touched(Subject::User, user.id()) {
                    copy.user(user).await?;
                }
            }
        }
        let mut resources = Vec::new();
        if let Some(past) = &self.past {
            let objects: Vec<_> = past.touched.objects.keys().cloned().collect();
            for objects in objects.chunks(READ_AT_ONCE) {
                let (look, version, objects) = (past.look.clone(), past.version, objects.to_vec());
                let reading =
                    tokio::task::spawn_blocking(move || look.as_they_were(&objects, version));
                let images = reading.await.map_err(|_| ForkError::Thread)??;
                let images = images.ok_or(ForkError::Forgotten)?;
                for client in &images.clients {
                    copy.client(client, secret()).await?;
                }
                for user in images.users {
                    copy.user(user).await?;
                }
                resources.extend(images.resources);
            }
        }
        // A grant is for a client that is there by then.
        copy.write().await?;
        let untouched = self
            .view
            .resources
            .iter()
            .filter(|own| Subject::of(own).is_some_and(|kind| !self.is_touched(kind, &own.id)));
        resources.extend(untouched.cloned());
        for kind in Lasting::ALL {
            // Sign-ins, jobs and tickets under way stay behind.
            for resource in resources.iter().filter(|own| own.kind == kind.kind()) {
                copy.resource(resource).await?;
            }
        }
        copy.write().await
    }
}

/// What goes into the new tenant, in changes of a bounded size.
struct Copying<'a> {
    to: &'a TenantHandle,
    piece: PutBack,
    now: Timestamp,
}

impl Copying<'_> {
    async fn user(&mut self, user: Document) -> Result<(), ForkError> {
        self.piece.users.push(user);
        self.write_if_full().await
    }

    async fn client(&mut self, client: &Arc<Client>, secret: String) -> Result<(), ForkError> {
        let settings = without_keys(&client.settings);
        let secret = Some(Secret::Plain(secret));
        let client = Client { settings, secret, ..client.as_ref().clone() };
        self.piece.clients.push(Arc::new(client));
        self.write_if_full().await
    }

    async fn resource(&mut self, resource: &Arc<Resource>) -> Result<(), ForkError> {
        let client = resource.body.get_str("client_id");
        let is_orphan = resource.kind == ResourceKind::ClientGrant
            && client.is_none_or(|id| self.to.published().client(&id).is_none());
        if is_orphan {
            return Ok(());
        }
        self.piece.resources.push(Arc::new(of_a_tenant(resource)));
        self.write_if_full().await
    }

    async fn write_if_full(&mut self) -> Result<(), ForkError> {
        if self.piece.is_full() { self.write().await } else { Ok(()) }
    }

    async fn write(&mut self) -> Result<(), ForkError> {
        let piece = std::mem::take(&mut self.piece);
        if piece.is_empty() {
            return Ok(());
        }
        let command = by_server(Command::PutBack(Box::new(piece)));
        self.to.write(command, server_provenance(), self.now).await?;
        Ok(())
    }
}

/// Settings of a client that signs in with its secret.
fn without_keys(settings: &Object) -> Object {
    let used_keys = credential::uses_keys(settings);
    let own = settings
        .filtered(|key| ![credential::MEMBER, "client_authentication_methods"].contains(&key));
    if used_keys { own.with("token_endpoint_auth_method", "\"client_secret_post\"") } else { own }
}

/// A resource as it is fit for any tenant: only the default one's administrators operate the server.
fn of_a_tenant(resource: &Resource) -> Resource {
    let is_management =
        resource.body.get_str("audience").is_some_and(|own| own == MANAGEMENT_AUDIENCE);
    if resource.kind != ResourceKind::ClientGrant || !is_management {
        return resource.clone();
    }
    let mut scopes = resource.body.get_strings("scope").unwrap_or_default();
    scopes.retain(|scope| Scope::served(false).any(|served| served.name() == scope));
    let body = resource.body.with("scope", &json::array_of(&scopes));
    Resource { body, ..resource.clone() }
}
