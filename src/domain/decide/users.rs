//! Making, changing and removing users (CONTRACT.md §2.2–§2.5, §8, §9).

use super::{LoginKey, Moment, Rejection, Together, View};
use crate::domain::assignments::Assignments;
use crate::domain::change::Outcome;
use crate::domain::command::{Field, NewUser, UserPatch};
use crate::domain::document::{self, Document};
use crate::domain::entries::{self, Entry};
use crate::domain::expiry::Expirations;
use crate::domain::json::Object;
use crate::domain::keys::KeyVersions;
use crate::domain::metadata::{self, Bag};
use crate::domain::patch::Expiry;
use crate::domain::policy::{Compat, Rules};
use crate::domain::resource::{Connection, Family, ResourceKind, refresh_token_prefix};
use crate::domain::user::{Identity, Profile, User, UserId};

pub(super) fn create(
    view: &dyn View,
    moment: Moment<'_>,
    new: NewUser,
) -> Result<Vec<Outcome>, Rejection> {
    let rules = moment.rules;
    let connection = view.connection(&new.connection).ok_or(Rejection::ConnectionNotFound)?;
    let provider = match connection.family() {
        Family::Database | Family::Passwordless => connection.strategy.clone(),
        Family::Social | Family::Enterprise => return Err(Rejection::CreationNotSupported),
    };
    if !connection.is_enabled {
        return Err(Rejection::ConnectionDisabled);
    }
    let profile = completed(&connection, rules, &new)?;
    let id = UserId::trusted(&format!("{provider}|{}", new.account));
    if rules.users_per_tenant > 0 && view.user_count() >= rules.users_per_tenant {
        return Err(Rejection::TooManyUsers { limit: rules.users_per_tenant });
    }
    if view.user(id.as_str()).is_some()
        || view.user_linked_with(id.as_str()).is_some()
        || first_clash(view, &connection.name, None, &profile).is_some()
    {
        return Err(Rejection::UserExists);
    }
    let user = User {
        id,
        version: moment.version,
        created_at: moment.now,
        updated_at: moment.now,
        profile,
        provider_attributes: Object::empty(),
        identities: vec![Identity {
            connection: connection.name,
            provider,
            user_id: new.account,
            is_social: false,
            profile_data: None,
        }],
        user_metadata: merged(Bag::User, None, new.user_metadata.as_ref(), rules)?,
        app_metadata: merged(Bag::App, None, new.app_metadata.as_ref(), rules)?,
        entries: Vec::new(),
        assignments: Assignments::default(),
        password: new.password,
        made_at: moment.version,
        keys: KeyVersions::default(),
        expirations: Expirations::default(),
    };
    Ok(vec![Outcome::User(Document::of(&user))])
}

/// The profile of a new user: what the connection asks for is there, and what nobody sent has its default.
fn completed(connection: &Connection, rules: &Rules, new: &NewUser) -> Result<Profile, Rejection> {
    let mut profile = new.profile.clone();
    let missing = |property| Err(Rejection::MissingProperty { property });
    match connection.strategy.as_str() {
        "sms" => {
            if profile.phone_number.is_none() {
                return missing("phone_number");
            }
            profile.phone_verified = Some(profile.phone_verified.unwrap_or(false));
        }
        "email" if profile.email.is_none() => return missing("email"),
        "auth0" => {
            if profile.email.is_none() {
                return missing("email");
            }
            if new.password.is_none() && rules.compat == Compat::Strict {
                return missing("password");
            }
            profile.email = profile.email.map(|email| email.to_lowercase());
            profile.username = profile.username.map(|name| name.to_lowercase());
        }
        _ => {}
    }
    if connection.requires_username && profile.username.is_none() {
        return missing("username");
    }
    if profile.username.is_some() && !connection.requires_username {
        return Err(Rejection::UsernameNotSupported);
    }
    if let Some(email) = &profile.email {
        profile.email_verified = Some(profile.email_verified.unwrap_or(false));
        profile.name.get_or_insert_with(|| email.clone());
        profile.nickname.get_or_insert_with(|| local_part(email).to_owned());
        profile.picture.get_or_insert_with(|| gravatar(email, new.picture_host));
    } else if let Some(number) = &profile.phone_number {
        profile.name.get_or_insert_with(|| number.clone());
    }
    Ok(profile)
}

fn local_part(email: &str) -> &str {
    email.rsplit_once('@').map_or(email, |(local, _)| local)
}

/// The picture of a user who has none (CONTRACT.md §2.1).
pub fn gravatar(email: &str, host: &str) -> String {
    use md5::Digest;
    use std::fmt::Write;
    let email = email.to_lowercase();
    let mut hash = String::with_capacity(32);
    for byte in md5::Md5::digest(email.as_bytes()) {
        write!(hash, "{byte:02x}").expect("writing to a string cannot fail");
    }
    let letters: String = email.chars().take(2).collect();
    let letters =
        percent_encoding::utf8_percent_encode(&letters, percent_encoding::NON_ALPHANUMERIC);
    format!(
        "https://{host}/avatar/{hash}?s=480&r=pg&d=https%3A%2F%2Fcdn.auth0.com%2Favatars%2F{letters}.png"
    )
}

/// The first attribute of `profile` that another user of the connection has.
pub(super) fn first_clash(
    view: &dyn View,
    connection: &str,
    own: Option<&str>,
    profile: &Profile,
) -> Option<LoginKey> {
    LoginKey::ALL.into_iter().find(|&key| {
        let value = match key {
            LoginKey::Email => &profile.email,
            LoginKey::Username => &profile.username,
            LoginKey::Phone => &profile.phone_number,
        };
        value.as_ref().is_some_and(|value| {
            view.users_with(key, value)
                .iter()
                .any(|other| Some(other.id()) != own && other.user().connection() == connection)
        })
    })
}

fn merged(
    bag: Bag,
    before: Option<&Object>,
    patch: Option<&Object>,
    rules: &Rules,
) -> Result<Option<Object>, Rejection> {
    let Some(patch) = patch else { return Ok(before.cloned()) };
    metadata::permitted(bag, patch, rules)?;
    let merged = metadata::patched(bag, before, patch);
    if let Some(merged) = &merged {
        metadata::fits(bag, merged, rules)?;
    }
    Ok(merged)
}

pub(super) fn existing(view: &dyn View, id: &UserId) -> Result<User, Rejection> {
    view.user(id.as_str()).map(|document| document.user()).ok_or(Rejection::UserNotFound)
}

/// The user as changed now, packed; which keys differ from `before` is noted.
pub(super) fn changed(moment: Moment<'_>, before: &User, mut user: User) -> Outcome {
    user.note_changes(before, moment.version);
    if !user.expirations.is_empty() {
        let bag = |user: &User| (user.user_metadata.clone(), user.app_metadata.clone());
        let (old, new) = (bag(before), bag(&user));
        let bags = [
            (Bag::User, old.0.as_ref(), new.0.as_ref()),
            (Bag::App, old.1.as_ref(), new.1.as_ref()),
        ];
        user.expirations = user.expirations.after(&bags, None);
    }
    let updated_at = moment.after(user.updated_at);
    Outcome::User(Document::of(&User { version: moment.version, updated_at, ..user }))
}

pub(super) fn update(
    view: &dyn View,
    moment: Moment<'_>,
    id: &UserId,
    patch: UserPatch,
) -> Result<Vec<Outcome>, Rejection> {
    let document = view.user(id.as_str()).ok_or(Rejection::UserNotFound)?;
    if patch.touches_only(true, true) && patch.connection.is_none() {
        return update_bags(moment, &document, &patch);
    }
    let before = document.user();
    let mut user = before.clone();
    may_change_roots(view, &user, &patch)?;
    let rules = moment.rules;
    user.user_metadata =
        merged(Bag::User, before.user_metadata.as_ref(), patch.user_metadata.as_ref(), rules)?;
    user.app_metadata =
        merged(Bag::App, before.app_metadata.as_ref(), patch.app_metadata.as_ref(), rules)?;
    apply_roots(&mut user, patch, moment);
    let moved = moved_logins(&before.profile, &user.profile);
    if let Some(key) = first_clash(view, user.connection(), Some(id.as_str()), &moved) {
        return Err(Rejection::Taken(key));
    }
    Ok(vec![changed(moment, &before, user)])
}

/// Removes the keys whose time has come.
pub(super) fn expire(view: &dyn View, moment: Moment<'_>, id: &UserId) -> Vec<Outcome> {
    let Some(document) = view.user(id.as_str()) else { return Vec::new() };
    let times = document.expirations();
    let (user, app) = (times.due(Bag::User, moment.now), times.due(Bag::App, moment.now));
    if user.is_none() && app.is_none() {
        return Vec::new();
    }
    let (old_user, old_app) = bags_of(&document);
    // What was allowed to be there is not asked again whether it may go.
    let rest = |bag, old: &Option<Object>, due: &Option<Object>| match due {
        Some(due) => metadata::patched(bag, old.as_ref(), due),
        None => old.clone(),
    };
    let new = (rest(Bag::User, &old_user, &user), rest(Bag::App, &old_app, &app));
    vec![with_bags(moment, &document, &(old_user, old_app), &new, None)]
}

/// The hot path: metadata changes, the rest of the document is copied as it is.
fn update_bags(
    moment: Moment<'_>,
    document: &Document,
    patch: &UserPatch,
) -> Result<Vec<Outcome>, Rejection> {
    let (old_user, old_app) = bags_of(document);
    let user = merged(Bag::User, old_user.as_ref(), patch.user_metadata.as_ref(), moment.rules)?;
    let app = merged(Bag::App, old_app.as_ref(), patch.app_metadata.as_ref(), moment.rules)?;
    let said = patch.expiries.as_deref();
    Ok(vec![with_bags(moment, document, &(old_user, old_app), &(user, app), said)])
}

/// `user_metadata` and `app_metadata`.
type Bags = (Option<Object>, Option<Object>);

fn bags_of(document: &Document) -> Bags {
    let bag = |text: Option<&str>| text.map(Object::trusted);
    (bag(document.user_metadata()), bag(document.app_metadata()))
}

fn with_bags(
    moment: Moment<'_>,
    document: &Document,
    before: &Bags,
    after: &Bags,
    said: Option<&[Expiry]>,
) -> Outcome {
    let bags = [
        (Bag::User, before.0.as_ref(), after.0.as_ref()),
        (Bag::App, before.1.as_ref(), after.1.as_ref()),
    ];
    let mut expirations = document.expirations();
    if said.is_some() || !expirations.is_empty() {
        expirations = expirations.after(&bags, said);
    }
    let mut keys = document.keys();
    for (bag, old, new) in bags {
        if old != new {
            let (old, new) = (old.map(Object::as_json), new.map(Object::as_json));
            keys.note_bag(bag, old, new, moment.version);
        }
    }
    Outcome::User(document.with_bags(&document::Bags {
        version: moment.version,
        updated_at: moment.after(document.updated_at()),
        user_metadata: after.0.as_ref(),
        app_metadata: after.1.as_ref(),
        keys: &keys,
        expirations: &expirations,
    }))
}

/// What a user can be looked up by, where it is new.
pub(super) fn moved_logins(before: &Profile, after: &Profile) -> Profile {
    let moved =
        |old: &Option<String>, new: &Option<String>| if old == new { None } else { new.clone() };
    Profile {
        email: moved(&before.email, &after.email),
        username: moved(&before.username, &after.username),
        phone_number: moved(&before.phone_number, &after.phone_number),
        ..Profile::default()
    }
}

/// Pairs of attributes Auth0 does not change in one request.
fn not_together(patch: &UserPatch) -> Option<Together> {
    let (email, verified) = (patch.email.is_given(), patch.email_verified.is_given());
    let (username, password) = (patch.username.is_given(), patch.password.is_given());
    [
        (password && email, Together("password", "email")),
        (password && verified, Together("password", "email_verified")),
        (username && email, Together("username", "email")),
        (username && verified, Together("username", "email_verified")),
        (username && password, Together("username", "password")),
    ]
    .into_iter()
    .find_map(|(both, pair)| both.then_some(pair))
}

/// Checks the root attributes of a patch against where the user comes from (CONTRACT.md §2.4).
fn may_change_roots(view: &dyn View, user: &User, patch: &UserPatch) -> Result<(), Rejection> {
    let name = patch.connection.as_deref().unwrap_or_else(|| user.connection());
    let connection = match view.connection(name) {
        Some(connection) => connection,
        None if patch.connection.is_some() => return Err(Rejection::PatchConnectionNotFound),
        // A connection that was removed leaves its users; they are then the server's own.
        None => return Ok(()),
    };
    if let Some(pair) = not_together(patch) {
        return Err(Rejection::NotTogether(pair));
    }
    if name != user.connection() {
        let attributes = named_attributes(patch, |_| true);
        return if attributes.is_empty() {
            Ok(())
        } else {
            Err(Rejection::SecondaryIdentity { attributes })
        };
    }
    let credentials = patch.email.is_given() || patch.password.is_given();
    match connection.family() {
        Family::Database | Family::Passwordless => {
            if !connection.is_enabled && credentials {
                return Err(Rejection::DisabledConnectionChange);
            }
            if patch.username.is_given() && !connection.requires_username {
                return Err(Rejection::UsernameNotSupported);
            }
            Ok(())
        }
        family @ (Family::Social | Family::Enterprise) => foreign_roots(&connection, family, patch),
    }
}

fn foreign_roots(
    connection: &Connection,
    family: Family,
    patch: &UserPatch,
) -> Result<(), Rejection> {
    let not_ours = [
        (patch.email.is_given(), "email"),
        (patch.username.is_given(), "username"),
        (patch.password.is_given(), "password"),
        (patch.phone_number.is_given(), "phone_number"),
    ];
    if let Some((_, attribute)) = not_ours.into_iter().find(|(given, _)| *given) {
        return Err(Rejection::NotDatabaseUser { attribute });
    }
    if family == Family::Enterprise && patch.email_verified.is_given() {
        return Err(Rejection::EnterpriseVerification);
    }
    let refusal = |attributes: Vec<&'static str>, removal: bool| Rejection::ProviderAttributes {
        attributes,
        connection: connection.name.clone(),
        removal,
    };
    if connection.set_user_root_attributes == "on_each_login" {
        let set = named_attributes(patch, |field| matches!(field, Field::Set(_)));
        if !set.is_empty() {
            return Err(refusal(set, false));
        }
        let unset = named_attributes(patch, |field| matches!(field, Field::Unset));
        if !unset.is_empty() {
            return Err(refusal(unset, true));
        }
    }
    Ok(())
}

/// The provider's root attributes a patch speaks of, in alphabetical order.
fn named_attributes(
    patch: &UserPatch,
    which: impl Fn(&Field<String>) -> bool,
) -> Vec<&'static str> {
    [
        ("family_name", &patch.family_name),
        ("given_name", &patch.given_name),
        ("name", &patch.name),
        ("nickname", &patch.nickname),
        ("picture", &patch.picture),
    ]
    .into_iter()
    .filter(|(_, field)| field.is_given() && which(field))
    .map(|(name, _)| name)
    .collect()
}

fn apply_roots(user: &mut User, patch: UserPatch, moment: Moment<'_>) {
    let is_database = user.primary().is_some_and(|identity| identity.provider == "auth0");
    let folded = |field: Field<String>| match field {
        Field::Set(text) if is_database => Field::Set(text.to_lowercase()),
        other @ (Field::Keep | Field::Unset | Field::Set(_)) => other,
    };
    let profile = &mut user.profile;
    if patch.email.is_given() {
        let before = profile.email.clone();
        folded(patch.email).apply(&mut profile.email);
        if profile.email != before {
            profile.email_verified = profile.email.as_ref().map(|_| false);
        }
    }
    patch.email_verified.apply(&mut profile.email_verified);
    folded(patch.username).apply(&mut profile.username);
    patch.phone_number.apply(&mut profile.phone_number);
    patch.phone_verified.apply(&mut profile.phone_verified);
    patch.name.apply(&mut profile.name);
    patch.nickname.apply(&mut profile.nickname);
    patch.given_name.apply(&mut profile.given_name);
    patch.family_name.apply(&mut profile.family_name);
    patch.picture.apply(&mut profile.picture);
    patch.blocked.apply(&mut profile.blocked);
    if patch.password.is_given() {
        patch.password.apply(&mut user.password);
        profile.last_password_reset = Some(moment.now);
    }
}

/// The user goes, and with them what would sign them in again.
pub(super) fn delete(view: &dyn View, id: UserId) -> Vec<Outcome> {
    if view.user(id.as_str()).is_none() {
        return Vec::new();
    }
    let tokens = refresh_tokens_gone(view, &id);
    std::iter::once(Outcome::UserGone(id)).chain(tokens).collect()
}

/// The end of every refresh token of a user.
pub(super) fn refresh_tokens_gone(view: &dyn View, id: &UserId) -> Vec<Outcome> {
    let kind = ResourceKind::RefreshToken;
    view.resources_with(kind, &refresh_token_prefix(id.as_str()))
        .into_iter()
        .filter(|token| token.body.get_str("user_id").is_some_and(|user| user == id.as_str()))
        .map(|token| Outcome::ResourceGone(kind, token.id.clone()))
        .collect()
}

pub(super) fn replace_app_metadata(
    view: &dyn View,
    moment: Moment<'_>,
    id: &UserId,
    bag: Object,
) -> Result<Vec<Outcome>, Rejection> {
    let before = existing(view, id)?;
    let mut user = before.clone();
    metadata::permitted(Bag::App, &bag, moment.rules)?;
    metadata::fits(Bag::App, &bag, moment.rules)?;
    user.app_metadata = Some(bag).filter(|bag| !bag.is_empty());
    Ok(vec![changed(moment, &before, user)])
}

pub(super) fn set_entry(
    view: &dyn View,
    moment: Moment<'_>,
    id: &UserId,
    entry: Entry,
) -> Result<Vec<Outcome>, Rejection> {
    let before = existing(view, id)?;
    let mut user = before.clone();
    entries::set(&mut user.entries, entry);
    within_entry_limit(&user, moment.rules)?;
    Ok(vec![changed(moment, &before, user)])
}

pub(super) fn replace_entries(
    view: &dyn View,
    moment: Moment<'_>,
    id: &UserId,
    given: Vec<Entry>,
) -> Result<Vec<Outcome>, Rejection> {
    let before = existing(view, id)?;
    let mut user = before.clone();
    user.entries = entries::unique(given);
    within_entry_limit(&user, moment.rules)?;
    Ok(vec![changed(moment, &before, user)])
}

fn within_entry_limit(user: &User, rules: &Rules) -> Result<(), Rejection> {
    if user.entries.len() > rules.entries_per_user {
        return Err(Rejection::TooManyEntries { limit: rules.entries_per_user });
    }
    Ok(())
}

pub(super) fn remove_entry(
    view: &dyn View,
    moment: Moment<'_>,
    id: &UserId,
    key: &str,
) -> Result<Vec<Outcome>, Rejection> {
    let before = existing(view, id)?;
    let mut user = before.clone();
    let had = user.entries.len();
    user.entries.retain(|entry| entry.key != key);
    Ok(if user.entries.len() == had { Vec::new() } else { vec![changed(moment, &before, user)] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_picture_is_the_recorded_one() {
        assert_eq!(
            gravatar("Chuck@example.com", "s.gravatar.com"),
            "https://s.gravatar.com/avatar/0b79e7da7bc7877560620cf8f2cc93ae?s=480&r=pg&d=https%3A%2F%2Fcdn.auth0.com%2Favatars%2Fch.png"
        );
    }

    use crate::domain::document::tests::jane;
    use crate::domain::time::{Timestamp, Version};
    use proptest::prelude::*;

    fn any_bag() -> impl Strategy<Value = Option<Object>> {
        let value = prop_oneof![Just("null"), Just("1"), Just("\"x\""), Just("{\"y\":[1,null]}")];
        let members = prop::collection::btree_map("[a-d]", value, 0..4);
        prop::option::of(members.prop_map(|members| {
            let mut out = crate::domain::json::Builder::new();
            for (key, value) in &members {
                out.raw(key, value);
            }
            out.object()
        }))
    }

    #[test]
    fn a_clock_that_jumps_back_never_takes_a_user_back() {
        let document = Document::of(&jane());
        let rules = Rules::default();
        let hour_before = Timestamp::from_millis(document.updated_at().millis() - 3_600_000);
        let moment = Moment { rules: &rules, version: Version::new(8), now: hour_before };
        let bag = Object::trusted(r#"{"a":1}"#);
        let patch = UserPatch { user_metadata: Some(bag), ..UserPatch::default() };
        let outcomes = update_bags(moment, &document, &patch).unwrap();
        let Some(Outcome::User(after)) = outcomes.first() else {
            unreachable!("a user was changed")
        };
        assert_eq!(after.updated_at(), document.updated_at());
        let Outcome::User(after) = changed(moment, &jane(), jane()) else {
            unreachable!("a user was changed")
        };
        assert_eq!(after.updated_at(), document.updated_at());
    }

    proptest! {
        #[test]
        fn copying_the_rest_as_text_equals_unpacking_and_packing(
            stored in (any_bag(), any_bag()), patch in (any_bag(), any_bag()), version in 8_u64..20
        ) {
            let user = User { user_metadata: stored.0, app_metadata: stored.1, ..jane() };
            let document = Document::of(&user);
            let rules = Rules::default();
            let now = Timestamp::from_millis(1_800_000_000_000);
            let moment = Moment { rules: &rules, version: Version::new(version), now };
            let patch = UserPatch { user_metadata: patch.0, app_metadata: patch.1, ..UserPatch::default() };
            let mut whole = user.clone();
            whole.user_metadata = merged(Bag::User, user.user_metadata.as_ref(), patch.user_metadata.as_ref(), &rules).unwrap();
            whole.app_metadata = merged(Bag::App, user.app_metadata.as_ref(), patch.app_metadata.as_ref(), &rules).unwrap();
            let Outcome::User(expected) = changed(moment, &user, whole) else { unreachable!() };
            let found = update_bags(moment, &document, &patch).unwrap();
            let Some(Outcome::User(found)) = found.first() else { unreachable!() };
            prop_assert_eq!(found.user(), expected.user());
            prop_assert_eq!(found.json(), expected.json());
        }
    }
}
