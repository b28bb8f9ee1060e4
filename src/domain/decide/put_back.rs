//! Putting many objects in place as they were.

use super::{Moment, Rejection, View, clients, users};
use crate::domain::change::Outcome;
use crate::domain::client::{Client, Secret};
use crate::domain::document::Document;
use crate::domain::keys::KeyVersions;
use crate::domain::policy::SecretStorage;
use crate::domain::put_back::PutBack;
use crate::domain::resource::Resource;
use crate::domain::user::User;
use std::sync::Arc;

/// What is so already makes no outcome.
pub(super) fn put_back(
    view: &dyn View,
    moment: Moment<'_>,
    wanted: PutBack,
) -> Result<Vec<Outcome>, Rejection> {
    let mut outcomes = Vec::new();
    for id in wanted.users_gone {
        outcomes.extend(users::delete(view, id));
    }
    for id in wanted.clients_gone {
        match clients::delete(view, id) {
            Ok(gone) => outcomes.extend(gone),
            Err(Rejection::GlobalClient) => {}
            Err(rejection) => return Err(rejection),
        }
    }
    for (kind, id) in wanted.resources_gone {
        let is_system = |own: Arc<Resource>| own.body.get_bool("is_system") == Some(true);
        // It may have gone with its client already.
        let has_gone = outcomes.iter().any(
            |own| matches!(own, Outcome::ResourceGone(of, other) if (*of, other) == (kind, &id)),
        );
        if !has_gone && view.resource(kind, &id).is_some_and(|own| !is_system(own)) {
            outcomes.push(Outcome::ResourceGone(kind, id));
        }
    }
    outcomes.extend(wanted.resources.iter().filter_map(|image| resource(view, moment, image)));
    outcomes.extend(wanted.clients.iter().filter_map(|image| client(view, moment, image)));
    outcomes.extend(wanted.users.iter().filter_map(|image| user(view, moment, image)));
    Ok(outcomes)
}

fn user(view: &dyn View, moment: Moment<'_>, image: &Document) -> Option<Outcome> {
    let image = image.user();
    let version = moment.version;
    let user = match view.user(image.id.as_str()).map(|document| document.user()) {
        None => User { made_at: version, keys: KeyVersions::default(), ..image },
        Some(before) => {
            let mut user = User { made_at: before.made_at, keys: before.keys.clone(), ..image };
            let is_so =
                User { version: before.version, updated_at: before.updated_at, ..user.clone() }
                    == before;
            if is_so {
                return None;
            }
            user.note_changes(&before, version);
            user.updated_at = user.updated_at.max(before.updated_at);
            user
        }
    };
    let updated_at = moment.after(user.updated_at);
    Some(Outcome::User(Document::of(&User { version, updated_at, ..user })))
}

fn client(view: &dyn View, moment: Moment<'_>, image: &Arc<Client>) -> Option<Outcome> {
    let version = moment.version;
    let secret = match moment.rules.secrets {
        SecretStorage::Plain => image.secret.clone(),
        SecretStorage::Hashed => image.secret.as_ref().map(Secret::hashed),
    };
    let image = Client { secret, ..image.as_ref().clone() };
    let client = match view.client(&image.id) {
        None => Client { made_at: version, keys: KeyVersions::default(), ..image },
        Some(before) => {
            let mut client = Client { made_at: before.made_at, keys: before.keys.clone(), ..image };
            if (Client { version: before.version, ..client.clone() }) == *before {
                return None;
            }
            client.note_changes(&before, version);
            client
        }
    };
    Some(Outcome::Client(Arc::new(Client { version, ..client })))
}

fn resource(view: &dyn View, moment: Moment<'_>, image: &Arc<Resource>) -> Option<Outcome> {
    let is_so =
        view.resource(image.kind, &image.id).is_some_and(|before| before.body == image.body);
    let image = Resource { version: moment.version, ..image.as_ref().clone() };
    (!is_so).then(|| Outcome::Resource(Arc::new(image)))
}
