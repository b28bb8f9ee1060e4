//! What is true after a command: whole users and clients, never differences.

use super::client::Client;
use super::document::Document;
use super::resource::{Resource, ResourceKind};
use super::time::{Timestamp, Version};
use super::user::UserId;
use std::fmt;
use std::sync::Arc;

/// Which door a change came through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Channel {
    /// Management API v2.
    #[default]
    V2,
    /// Key/value metadata.
    KeyValue,
    /// Legacy v1.
    V1,
    /// Dossier's own paths.
    Dossier,
    /// A sign-in or sign-up.
    Authentication,
    /// A background job.
    Job,
    /// The server itself: configuration, first start.
    Server,
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V2 => "v2",
            Self::KeyValue => "kv",
            Self::V1 => "v1",
            Self::Dossier => "dossier",
            Self::Authentication => "authentication",
            Self::Job => "job",
            Self::Server => "server",
        })
    }
}

/// Who asked for a change, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Provenance {
    /// The `sub` of the token.
    pub actor: String,
    /// The client the token was issued to.
    pub client_id: String,
    /// The door.
    pub channel: Channel,
    /// The request's id.
    pub request_id: String,
    /// Why, in the caller's words (`Dossier-Reason`).
    pub reason: Option<String>,
}

/// One thing as it is after a change.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// This user now is.
    User(Document),
    /// This user is no more.
    UserGone(UserId),
    /// This client now is.
    Client(Arc<Client>),
    /// This client is no more.
    ClientGone(String),
    /// This resource now is.
    Resource(Arc<Resource>),
    /// This resource is no more.
    ResourceGone(ResourceKind, String),
}

/// A change: all its outcomes together or none.
#[derive(Clone, Debug)]
pub struct Change {
    /// The tenant's count of its changes.
    pub version: Version,
    /// When it was decided.
    pub at: Timestamp,
    /// Who asked for it.
    pub provenance: Provenance,
    /// What is true afterwards, the object the command named first.
    pub outcomes: Vec<Outcome>,
}

impl Change {
    /// The first user among the outcomes.
    pub fn user(&self) -> Option<&Document> {
        self.outcomes.iter().find_map(|outcome| match outcome {
            Outcome::User(document) => Some(document),
            Outcome::UserGone(_)
            | Outcome::Client(_)
            | Outcome::ClientGone(_)
            | Outcome::Resource(_)
            | Outcome::ResourceGone(..) => None,
        })
    }

    /// The first client among the outcomes.
    pub fn client(&self) -> Option<&Arc<Client>> {
        self.outcomes.iter().find_map(|outcome| match outcome {
            Outcome::Client(client) => Some(client),
            Outcome::User(_)
            | Outcome::UserGone(_)
            | Outcome::ClientGone(_)
            | Outcome::Resource(_)
            | Outcome::ResourceGone(..) => None,
        })
    }

    /// The first resource among the outcomes.
    pub fn resource(&self) -> Option<&Arc<Resource>> {
        self.outcomes.iter().find_map(|outcome| match outcome {
            Outcome::Resource(resource) => Some(resource),
            Outcome::User(_)
            | Outcome::UserGone(_)
            | Outcome::Client(_)
            | Outcome::ClientGone(_)
            | Outcome::ResourceGone(..) => None,
        })
    }
}
