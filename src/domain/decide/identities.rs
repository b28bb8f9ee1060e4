//! Signing in, and accounts of several providers under one profile (CONTRACT.md §2.6).

use super::users::{changed, refresh_tokens_gone};
use super::{Moment, Rejection, View};
use crate::domain::assignments::Assignments;
use crate::domain::change::Outcome;
use crate::domain::command::{ProviderSignIn, Rehash};
use crate::domain::document::{Document, KNOWN_MEMBERS};
use crate::domain::expiry::Expirations;
use crate::domain::json::{Builder, Object};
use crate::domain::keys::KeyVersions;
use crate::domain::resource::{Connection, Family};
use crate::domain::user::{Identity, Profile, User, UserId};

pub(super) fn sign_in(
    view: &dyn View,
    moment: Moment<'_>,
    id: &UserId,
    ip: Option<String>,
    rehash: Option<&Rehash>,
) -> Result<Vec<Outcome>, Rejection> {
    let before = view.user(id.as_str()).ok_or(Rejection::UserNotFound)?.user();
    let mut user = before.clone();
    if let Some(rehash) = rehash
        && user.password.as_deref() == Some(rehash.from.expose())
    {
        user.password = Some(rehash.to.expose().to_owned());
    }
    count(&mut user, moment, ip);
    Ok(vec![changed(moment, &before, user)])
}

fn count(user: &mut User, moment: Moment<'_>, ip: Option<String>) {
    user.profile.last_login = Some(moment.now);
    user.profile.logins_count = Some(user.profile.logins_count.unwrap_or(0) + 1);
    if ip.is_some() {
        user.profile.last_ip = ip;
    }
}

pub(super) fn provider_sign_in(
    view: &dyn View,
    moment: Moment<'_>,
    said: ProviderSignIn,
) -> Result<Vec<Outcome>, Rejection> {
    let connection = view.connection(&said.connection).ok_or(Rejection::ConnectionNotFound)?;
    let is_social = match connection.family() {
        Family::Social => true,
        Family::Enterprise => false,
        // Who signs in here by password or code was made by a call, not by a provider.
        Family::Database | Family::Passwordless => {
            return Err(Rejection::NotDatabaseUser { attribute: "provider" });
        }
    };
    if !connection.is_enabled {
        return Err(Rejection::ConnectionDisabled);
    }
    let id = user_id_of(&connection, &said.account);
    if let Some(owner) = view.user_linked_with(id.as_str()) {
        let owner = owner.user();
        let fresh = first_sign_in(moment, &connection, id, is_social, &said);
        return Ok(vec![linked_sign_in(moment, &connection, &owner, &fresh, said.ip)]);
    }
    let known = view.user(id.as_str()).map(|document| document.user());
    let mut user = match &known {
        Some(known) => {
            let mut user = known.clone();
            if connection.set_user_root_attributes == "on_each_login" {
                take_attributes(&mut user, &said.attributes);
            }
            user
        }
        None => first_sign_in(moment, &connection, id, is_social, &said),
    };
    count(&mut user, moment, said.ip);
    let before = known.unwrap_or_else(|| user.clone());
    Ok(vec![changed(moment, &before, user)])
}

/// Whoever signs in with a linked account is the user it was linked to; what the provider says of
/// the account stays with the account.
fn linked_sign_in(
    moment: Moment<'_>,
    connection: &Connection,
    before: &User,
    fresh: &User,
    ip: Option<String>,
) -> Outcome {
    let mut user = before.clone();
    let account = user.identities.iter_mut().find(|identity| is_account(identity, &fresh.id));
    if let Some(account) = account
        && connection.set_user_root_attributes == "on_each_login"
    {
        account.profile_data = Some(profile_data(fresh));
    }
    count(&mut user, moment, ip);
    changed(moment, before, user)
}

/// Enterprise accounts carry their connection's name, since one strategy serves many companies.
fn user_id_of(connection: &Connection, account: &str) -> UserId {
    UserId::trusted(&match connection.family() {
        Family::Enterprise => format!("{}|{}|{account}", connection.strategy, connection.name),
        Family::Database | Family::Passwordless | Family::Social => {
            format!("{}|{account}", connection.strategy)
        }
    })
}

fn first_sign_in(
    moment: Moment<'_>,
    connection: &Connection,
    id: UserId,
    is_social: bool,
    said: &ProviderSignIn,
) -> User {
    let account =
        id.as_str().split_once('|').map_or(said.account.as_str(), |(_, rest)| rest).to_owned();
    let mut user = User {
        id,
        version: moment.version,
        created_at: moment.now,
        updated_at: moment.now,
        profile: Profile::default(),
        provider_attributes: Object::empty(),
        identities: vec![Identity {
            connection: connection.name.clone(),
            provider: connection.strategy.clone(),
            user_id: account,
            is_social,
            profile_data: None,
        }],
        user_metadata: None,
        app_metadata: None,
        entries: Vec::new(),
        assignments: Assignments::default(),
        password: None,
        made_at: moment.version,
        keys: KeyVersions::default(),
        expirations: Expirations::default(),
    };
    if connection.set_user_root_attributes != "never_on_login" {
        take_attributes(&mut user, &said.attributes);
    }
    user
}

/// Root attributes as the provider says them: known ones by name, the others verbatim.
fn take_attributes(user: &mut User, said: &Object) {
    let text = |key: &str, slot: &mut Option<String>| {
        if let Some(value) = said.get_str(key) {
            *slot = Some(value.into_owned());
        }
    };
    let profile = &mut user.profile;
    text("email", &mut profile.email);
    text("name", &mut profile.name);
    text("nickname", &mut profile.nickname);
    text("given_name", &mut profile.given_name);
    text("family_name", &mut profile.family_name);
    text("picture", &mut profile.picture);
    text("phone_number", &mut profile.phone_number);
    profile.email_verified = said.get_bool("email_verified").or(profile.email_verified);
    if profile.email.is_some() {
        profile.email_verified.get_or_insert(false);
    }
    user.provider_attributes = said.filtered(|key| !KNOWN_MEMBERS.contains(&key));
}

pub(super) fn link(
    view: &dyn View,
    moment: Moment<'_>,
    primary: &UserId,
    secondary: &UserId,
) -> Result<Vec<Outcome>, Rejection> {
    let before = view.user(primary.as_str()).ok_or(Rejection::UserNotFound)?.user();
    let mut user = before.clone();
    if primary == secondary {
        return Err(Rejection::SameIdentity);
    }
    if user.identities.iter().any(|identity| is_account(identity, secondary)) {
        return Err(Rejection::IdentityExists);
    }
    let other = view.user(secondary.as_str()).ok_or(Rejection::SecondaryNotFound)?.user();
    let own = profile_data(&user);
    if let Some(first) = user.identities.first_mut() {
        first.profile_data.get_or_insert(own);
    }
    let data = profile_data(&other);
    for mut identity in other.identities {
        identity.profile_data.get_or_insert_with(|| data.clone());
        user.identities.push(identity);
    }
    let tokens = refresh_tokens_gone(view, &other.id);
    let linked = [changed(moment, &before, user), Outcome::UserGone(other.id)];
    Ok(linked.into_iter().chain(tokens).collect())
}

fn is_account(identity: &Identity, id: &UserId) -> bool {
    id.as_str().split_once('|').is_some_and(|(provider, account)| {
        identity.provider == provider && identity.user_id == account
    })
}

/// What is kept of an account's own profile once it is one of several (CONTRACT.md §2.6).
fn profile_data(user: &User) -> Object {
    let profile = &user.profile;
    let set = |value: &Option<String>, default: Option<&str>| {
        value.clone().filter(|v| Some(v.as_str()) != default)
    };
    let email = profile.email.as_deref();
    let mut out = Builder::new();
    out.optional("email", email)
        .flag("email_verified", profile.email_verified)
        .optional("name", set(&profile.name, email).as_deref())
        .optional("given_name", profile.given_name.as_deref())
        .optional("family_name", profile.family_name.as_deref())
        .optional("username", profile.username.as_deref())
        .optional("nickname", profile.nickname.as_deref())
        .optional("picture", profile.picture.as_deref())
        .optional("phone_number", profile.phone_number.as_deref())
        .flag("phone_verified", profile.phone_verified);
    for (key, value) in user.provider_attributes.members() {
        out.member(key, value);
    }
    out.object()
}

pub(super) fn unlink(
    view: &dyn View,
    moment: Moment<'_>,
    primary: &UserId,
    provider: &str,
    account: &str,
) -> Result<Vec<Outcome>, Rejection> {
    let before = view.user(primary.as_str()).ok_or(Rejection::UserNotFound)?.user();
    let mut user = before.clone();
    let account = account.strip_prefix(&format!("{provider}|")).unwrap_or(account);
    let at = user
        .identities
        .iter()
        .position(|identity| identity.provider == provider && identity.user_id == account)
        .ok_or(Rejection::IdentityNotFound)?;
    if at == 0 {
        return Err(Rejection::MainIdentity);
    }
    let mut identity = user.identities.remove(at);
    let id = identity.id();
    let data = identity.profile_data.take().unwrap_or_else(Object::empty);
    let mut alone = User {
        id,
        version: moment.version,
        created_at: moment.now,
        updated_at: moment.now,
        profile: Profile::default(),
        provider_attributes: Object::empty(),
        identities: vec![identity],
        user_metadata: None,
        app_metadata: None,
        entries: Vec::new(),
        assignments: Assignments::default(),
        password: None,
        made_at: moment.version,
        keys: KeyVersions::default(),
        expirations: Expirations::default(),
    };
    take_attributes(&mut alone, &data);
    alone.profile.username = data.get_str("username").map(std::borrow::Cow::into_owned);
    alone.profile.phone_verified = data.get_bool("phone_verified");
    alone.provider_attributes =
        alone.provider_attributes.filtered(|key| key != "username" && key != "phone_verified");
    if alone.profile.name.is_none() {
        alone.profile.name.clone_from(&alone.profile.email);
    }
    Ok(vec![changed(moment, &before, user), Outcome::User(Document::of(&alone))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::client::Client;
    use crate::domain::decide::{LoginKey, users};
    use crate::domain::document::tests::jane;
    use crate::domain::password::PasswordHash;
    use crate::domain::policy::Rules;
    use crate::domain::resource::{Resource, ResourceKind, refresh_token_id, refresh_token_prefix};
    use crate::domain::time::{Timestamp, Version};
    use std::sync::Arc;

    struct One(User, Vec<Arc<Resource>>);

    impl View for One {
        fn user(&self, id: &str) -> Option<Document> {
            (self.0.id.as_str() == id).then(|| Document::of(&self.0))
        }
        fn users_with(&self, _: LoginKey, _: &str) -> Vec<Document> {
            Vec::new()
        }
        fn user_linked_with(&self, _: &str) -> Option<Document> {
            None
        }
        fn user_count(&self) -> usize {
            1
        }
        fn client(&self, _: &str) -> Option<Arc<Client>> {
            None
        }
        fn resource(&self, _: ResourceKind, _: &str) -> Option<Arc<Resource>> {
            None
        }
        fn resources(&self, _: ResourceKind) -> Vec<Arc<Resource>> {
            self.1.clone()
        }
    }

    fn hash(text: &str) -> PasswordHash {
        PasswordHash::from_stored(text)
    }

    /// The password kept after a sign-in with a newer hash for `from`.
    fn kept(stored: &str, from: &str) -> Option<String> {
        let user = User { password: Some(stored.to_owned()), ..jane() };
        let id = user.id.clone();
        let rules = Rules::default();
        let moment =
            Moment { rules: &rules, version: Version::new(9), now: Timestamp::from_millis(9) };
        let rehash = Rehash { from: hash(from), to: hash("new") };
        let outcomes = sign_in(&One(user, Vec::new()), moment, &id, None, Some(&rehash)).unwrap();
        match outcomes.as_slice() {
            [Outcome::User(document)] => document.password(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_newer_hash_takes_the_place_of_the_one_that_was_checked_only() {
        assert_eq!(kept("old", "old").as_deref(), Some("new"));
        assert_eq!(kept("changed meanwhile", "old").as_deref(), Some("changed meanwhile"));
    }

    #[test]
    fn who_goes_takes_their_refresh_tokens_along() {
        let token = |owner: &str, text: &str| {
            let text = refresh_token_prefix(owner) + text;
            let body = Object::empty().with("user_id", &crate::domain::json::quoted(owner));
            let id = refresh_token_id(&text).unwrap();
            Arc::new(Resource {
                kind: ResourceKind::RefreshToken,
                id,
                version: Version::ZERO,
                body,
            })
        };
        let user = jane();
        let id = user.id.clone();
        let own = token(id.as_str(), "a");
        let view = One(user, vec![own.clone(), token("auth0|other", "b")]);
        let gone = users::delete(&view, id.clone());
        match gone.as_slice() {
            [Outcome::UserGone(who), Outcome::ResourceGone(ResourceKind::RefreshToken, which)] => {
                assert_eq!((who, which), (&id, &own.id));
            }
            other => panic!("{other:?}"),
        }
        assert!(users::delete(&view, UserId::trusted("auth0|nobody")).is_empty());
    }

    #[test]
    fn a_text_that_is_too_short_is_no_refresh_token() {
        assert_eq!(refresh_token_id("short"), None);
        assert_eq!(
            refresh_token_id("éééééééé"),
            Some(format!("éééééééé{}", crate::domain::client::sha256_hex("éééééééé")))
        );
        assert_eq!(refresh_token_id("xéééééééé"), None);
    }
}
