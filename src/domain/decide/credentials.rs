//! Making, changing and removing the credentials of clients.

use super::{Moment, Rejection, View};
use crate::domain::change::Outcome;
use crate::domain::command::CredentialChange;
use crate::domain::credential::{self, Credential, MAX_CREDENTIALS, MEMBER};

pub(super) fn change(
    view: &dyn View,
    moment: Moment<'_>,
    id: &str,
    change: CredentialChange,
) -> Result<Vec<Outcome>, Rejection> {
    let before = super::clients::existing(view, id)?;
    let mut all = credential::all(&before);
    let mut settings = before.settings.clone();
    match change {
        CredentialChange::Add(new) => {
            if all.len() >= MAX_CREDENTIALS {
                return Err(Rejection::TooManyCredentials);
            }
            if all.iter().any(|own| own.id == new.id || own.kid == new.kid) {
                return Err(Rejection::CredentialExists);
            }
            all.push(*new);
        }
        CredentialChange::Expire { credential, at } => {
            let found = all.iter_mut().find(|own| own.id == credential);
            let found = found.ok_or(Rejection::CredentialNotFound)?;
            *found = Credential { expires_at: at, updated_at: moment.now, ..found.clone() };
        }
        CredentialChange::Remove { credential } => {
            let Some(at) = all.iter().position(|own| own.id == credential) else {
                return Ok(Vec::new());
            };
            all.remove(at);
            let chosen = credential::chosen(&settings);
            if chosen.contains(&credential) {
                let others = chosen.iter().filter(|id| **id != credential);
                let others: Vec<String> = others.map(|id| credential::reference(id)).collect();
                settings = credential::choosing(&settings, &others);
            }
        }
    }
    let settings = settings.with(MEMBER, &credential::stored(&all));
    let mut client = before.clone();
    client.settings = settings;
    Ok(super::clients::changed(moment, &before, client))
}
