//! Making, changing and removing clients (CONTRACT.md §4).

use super::{Moment, Rejection, View};
use crate::domain::change::Outcome;
use crate::domain::client::{self, Client, Secret};
use crate::domain::command::{ClientPatch, NewClient};
use crate::domain::credential;
use crate::domain::json::Object;
use crate::domain::keys::KeyVersions;
use crate::domain::metadata::{self, Bag};
use crate::domain::policy::{Rules, SecretStorage};
use crate::domain::resource::ResourceKind;
use std::sync::Arc;

pub(super) fn create(
    view: &dyn View,
    moment: Moment<'_>,
    new: NewClient,
) -> Result<Vec<Outcome>, Rejection> {
    if view.client(&new.id).is_some() {
        return Err(Rejection::ClientExists);
    }
    let client = Client {
        id: new.id,
        version: moment.version,
        settings: client::settings_of(&new.settings),
        client_metadata: merged(None, new.client_metadata.as_ref(), moment.rules)?,
        secret: Some(kept(new.secret, moment.rules)),
        is_global: new.is_global,
        made_at: moment.version,
        keys: KeyVersions::default(),
    };
    Ok(vec![Outcome::Client(Arc::new(client))])
}

fn kept(secret: String, rules: &Rules) -> Secret {
    match rules.secrets {
        SecretStorage::Plain => Secret::Plain(secret),
        SecretStorage::Hashed => Secret::Plain(secret).hashed(),
    }
}

fn merged(
    before: Option<&Object>,
    patch: Option<&Object>,
    rules: &Rules,
) -> Result<Option<Object>, Rejection> {
    let Some(patch) = patch else { return Ok(before.cloned()) };
    metadata::permitted(Bag::Client, patch, rules)?;
    let merged = metadata::patched(Bag::Client, before, patch);
    if let Some(merged) = &merged {
        metadata::fits(Bag::Client, merged, rules)?;
    }
    Ok(merged)
}

pub(super) fn existing(view: &dyn View, id: &str) -> Result<Client, Rejection> {
    view.client(id).map(|client| client.as_ref().clone()).ok_or(Rejection::ClientNotFound)
}

pub(super) fn changed(moment: Moment<'_>, before: &Client, mut client: Client) -> Vec<Outcome> {
    client.note_changes(before, moment.version);
    vec![Outcome::Client(Arc::new(Client { version: moment.version, ..client }))]
}

pub(super) fn update(
    view: &dyn View,
    moment: Moment<'_>,
    id: &str,
    patch: ClientPatch,
) -> Result<Vec<Outcome>, Rejection> {
    let before = existing(view, id)?;
    let mut client = before.clone();
    client.client_metadata =
        merged(client.client_metadata.as_ref(), patch.client_metadata.as_ref(), moment.rules)?;
    if let Some(settings) = patch.settings {
        client.settings = client::changed_settings(&client.settings, &settings);
        let own = credential::all(&client);
        let chosen = credential::chosen(&client.settings);
        if !chosen.iter().all(|id| own.iter().any(|one| one.id == *id)) {
            return Err(Rejection::UnknownCredential);
        }
    }
    if let Some(secret) = patch.secret {
        client.secret = Some(kept(secret, moment.rules));
    }
    Ok(changed(moment, &before, client))
}

pub(super) fn rotate(
    view: &dyn View,
    moment: Moment<'_>,
    id: &str,
    secret: String,
) -> Result<Vec<Outcome>, Rejection> {
    let before = existing(view, id)?;
    let mut client = before.clone();
    client.secret = Some(kept(secret, moment.rules));
    Ok(changed(moment, &before, client))
}

/// The client goes, and with it what it was granted.
pub(super) fn delete(view: &dyn View, id: String) -> Result<Vec<Outcome>, Rejection> {
    let Some(client) = view.client(&id) else { return Ok(Vec::new()) };
    if client.is_global {
        return Err(Rejection::GlobalClient);
    }
    let kinds = [ResourceKind::ClientGrant, ResourceKind::RefreshToken];
    let theirs = kinds
        .into_iter()
        .flat_map(|kind| view.resources(kind))
        .filter(|resource| resource.body.get_str("client_id").is_some_and(|owner| owner == id));
    let gone: Vec<Outcome> =
        theirs.map(|resource| Outcome::ResourceGone(resource.kind, resource.id.clone())).collect();
    Ok(std::iter::once(Outcome::ClientGone(id)).chain(gone).collect())
}
