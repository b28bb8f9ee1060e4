//! Putting users and clients back as they were: a write like any other, forward in the order.
//!
//! What signs somebody in is not put back while they are there: an old password may be the very
//! reason for looking into the past. Who is no more comes back whole, password and all.

use super::users::{changed, first_clash, moved_logins};
use super::{Moment, Rejection, View};
use crate::domain::change::Outcome;
use crate::domain::client::Client;
use crate::domain::document::Document;
use crate::domain::history::{Part, Revert};
use crate::domain::json::{Builder, Object};
use crate::domain::keys::KeyVersions;
use crate::domain::metadata::{self, Bag};
use crate::domain::policy::{Rules, SecretStorage};
use crate::domain::user::{Identity, Profile, User};
use std::sync::Arc;

/// Puts a user back.
///
/// | the user now | without `only`                         | with `only`      |
/// |--------------|----------------------------------------|------------------|
/// | is there     | attributes, bags, entries of the image | the named parts  |
/// | is no more   | the whole image, password included     | no such user     |
///
/// Sign-in figures, password, identities, roles, permissions and the provider's attributes of a
/// user who is there stay.
pub(super) fn user(
    view: &dyn View,
    moment: Moment<'_>,
    revert: &Revert<Document>,
) -> Result<Vec<Outcome>, Rejection> {
    let image = revert.image.user();
    let Some(before) = view.user(image.id.as_str()).map(|document| document.user()) else {
        if !revert.makes || revert.only.is_some() {
            return Err(Rejection::UserNotFound);
        }
        return made_again(view, moment, image);
    };
    let mut user = before.clone();
    match &revert.only {
        None => {
            user.profile = with_attributes_of(&image.profile, &before.profile);
            user.user_metadata.clone_from(&image.user_metadata);
            user.app_metadata.clone_from(&image.app_metadata);
            user.entries.clone_from(&image.entries);
        }
        Some(parts) => parts.iter().for_each(|part| put_back(&mut user, &image, part)),
    }
    if user == before {
        return Ok(Vec::new());
    }
    let rules = moment.rules;
    still_fits(Bag::User, before.user_metadata.as_ref(), user.user_metadata.as_ref(), rules)?;
    still_fits(Bag::App, before.app_metadata.as_ref(), user.app_metadata.as_ref(), rules)?;
    let moved = moved_logins(&before.profile, &user.profile);
    if let Some(key) = first_clash(view, user.connection(), Some(user.id.as_str()), &moved) {
        return Err(Rejection::Taken(key));
    }
    Ok(vec![changed(moment, &before, user)])
}

/// Who is no more comes back, if nobody has their addresses and accounts by now.
fn made_again(view: &dyn View, moment: Moment<'_>, image: User) -> Result<Vec<Outcome>, Rejection> {
    let rules = moment.rules;
    if rules.users_per_tenant > 0 && view.user_count() >= rules.users_per_tenant {
        return Err(Rejection::TooManyUsers { limit: rules.users_per_tenant });
    }
    let is_somebodys = |account: &Identity| {
        let id = account.id();
        view.user(id.as_str()).is_some() || view.user_linked_with(id.as_str()).is_some()
    };
    if first_clash(view, image.connection(), None, &image.profile).is_some()
        || view.user_linked_with(image.id.as_str()).is_some()
        || image.identities.iter().any(is_somebodys)
    {
        return Err(Rejection::UserExists);
    }
    still_fits(Bag::User, None, image.user_metadata.as_ref(), rules)?;
    still_fits(Bag::App, None, image.app_metadata.as_ref(), rules)?;
    let updated_at = moment.after(image.updated_at);
    let (version, keys) = (moment.version, KeyVersions::default());
    let user = User { version, made_at: version, keys, updated_at, ..image };
    Ok(vec![Outcome::User(Document::of(&user))])
}

/// A bag that is put back obeys the limits of today.
fn still_fits(
    bag: Bag,
    before: Option<&Object>,
    after: Option<&Object>,
    rules: &Rules,
) -> Result<(), Rejection> {
    match after.filter(|_| before != after) {
        Some(after) => metadata::fits(bag, after, rules),
        None => Ok(()),
    }
}

fn with_attributes_of(image: &Profile, now: &Profile) -> Profile {
    Profile {
        last_login: now.last_login,
        last_ip: now.last_ip.clone(),
        logins_count: now.logins_count,
        last_password_reset: now.last_password_reset,
        ..image.clone()
    }
}

fn put_back(user: &mut User, image: &User, part: &Part) {
    let (old, now) = (&image.profile, &mut user.profile);
    match part {
        Part::Bag(Bag::App) => user.app_metadata.clone_from(&image.app_metadata),
        Part::Bag(_) => user.user_metadata.clone_from(&image.user_metadata),
        Part::Key(Bag::App, key) => {
            user.app_metadata =
                with_key(Bag::App, user.app_metadata.as_ref(), image.app_metadata.as_ref(), key);
        }
        Part::Key(_, key) => {
            user.user_metadata =
                with_key(Bag::User, user.user_metadata.as_ref(), image.user_metadata.as_ref(), key);
        }
        Part::Root(name) => match name.as_str() {
            // Whether it is verified belongs to the address.
            "email" => {
                now.email.clone_from(&old.email);
                now.email_verified = old.email_verified;
            }
            "phone_number" => {
                now.phone_number.clone_from(&old.phone_number);
                now.phone_verified = old.phone_verified;
            }
            "email_verified" => now.email_verified = old.email_verified,
            "phone_verified" => now.phone_verified = old.phone_verified,
            "blocked" => now.blocked = old.blocked,
            "username" => now.username.clone_from(&old.username),
            "name" => now.name.clone_from(&old.name),
            "nickname" => now.nickname.clone_from(&old.nickname),
            "given_name" => now.given_name.clone_from(&old.given_name),
            "family_name" => now.family_name.clone_from(&old.family_name),
            "picture" => now.picture.clone_from(&old.picture),
            _ => {}
        },
    }
}

/// A bag with one key as another has it.
fn with_key(bag: Bag, now: Option<&Object>, image: Option<&Object>, key: &str) -> Option<Object> {
    let value = image.and_then(|image| image.get(key)).unwrap_or("null");
    let mut patch = Builder::new();
    patch.raw(key, value);
    metadata::patched(bag, now, &patch.object())
}

/// Puts a client back: its settings and metadata, and when it is no more its secret too.
pub(super) fn client(
    view: &dyn View,
    moment: Moment<'_>,
    revert: &Revert<Arc<Client>>,
) -> Result<Vec<Outcome>, Rejection> {
    let image = revert.image.as_ref();
    let rules = moment.rules;
    let bag = Bag::Client;
    let Some(before) = view.client(&image.id) else {
        if !revert.makes || revert.only.is_some() {
            return Err(Rejection::ClientNotFound);
        }
        still_fits(bag, None, image.client_metadata.as_ref(), rules)?;
        let secret = match rules.secrets {
            SecretStorage::Plain => image.secret.clone(),
            SecretStorage::Hashed => {
                image.secret.as_ref().map(crate::domain::client::Secret::hashed)
            }
        };
        let (version, keys) = (moment.version, KeyVersions::default());
        let client = Client { version, made_at: version, keys, secret, ..image.clone() };
        return Ok(vec![Outcome::Client(Arc::new(client))]);
    };
    let mut client = before.as_ref().clone();
    match &revert.only {
        None => {
            client.settings = image.settings.clone();
            client.client_metadata.clone_from(&image.client_metadata);
        }
        Some(parts) => {
            for part in parts {
                match part {
                    Part::Bag(_) => client.client_metadata.clone_from(&image.client_metadata),
                    Part::Key(_, key) => {
                        let now = client.client_metadata.as_ref();
                        client.client_metadata =
                            with_key(bag, now, image.client_metadata.as_ref(), key);
                    }
                    Part::Root(name) => {
                        let value = image.settings.get(name).unwrap_or("null");
                        let mut patch = Builder::new();
                        patch.raw(name, value);
                        client.settings = client.settings.merge_root(&patch.object());
                    }
                }
            }
        }
    }
    if client == *before {
        return Ok(Vec::new());
    }
    let old = before.client_metadata.as_ref();
    still_fits(bag, old, client.client_metadata.as_ref(), rules)?;
    client.note_changes(&before, moment.version);
    Ok(vec![Outcome::Client(Arc::new(Client { version: moment.version, ..client }))])
}
