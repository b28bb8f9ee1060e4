//! Patches of the merge dialects, worked out in the tenant's turn.
//!
//! A patch is applied to the representation as it is now; what differs afterwards is
//! read as the body of an ordinary PATCH and decided as one, so that every rule about
//! members, bags, sizes and connections holds here too. A bag that is not there counts
//! as `{}`.

use super::{Moment, Rejection, View, clients, users};
use crate::domain::change::Outcome;
use crate::domain::command::{ClientPatch, ReadBody, UserPatch};
use crate::domain::json::{self, Builder, Kind, Object};
use crate::domain::patch::{Budget, Expiry, Patch};
use crate::domain::policy::Rules;
use crate::domain::user::UserId;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// Members and elements one patch may pass or move.
const STEPS: usize = 1_000_000;

fn budget(rules: &Rules) -> Budget {
    Budget {
        bytes: rules.user_metadata_bytes.saturating_add(rules.app_metadata_bytes),
        steps: STEPS,
        depth: rules.depth + 1,
    }
}

/// What a patch changes: root members as the body of a PATCH, and each bag's keys.
struct Changes {
    roots: Object,
    bags: Vec<Option<Object>>,
    expiries: Vec<Expiry>,
}

fn changes(
    representation: &Object,
    bags: &[&'static str],
    patch: &Patch,
    moment: Moment<'_>,
) -> Result<Changes, Rejection> {
    let before = bags.iter().fold(representation.clone(), |whole, bag| {
        if whole.contains(bag) { whole } else { whole.with(bag, "{}") }
    });
    let applied = patch.apply(before.as_json(), budget(moment.rules), moment.now)?;
    if Kind::of(&applied.document) != Kind::Object {
        return Err(Rejection::PatchedBody("Expected type object".to_owned()));
    }
    let after = Object::trusted(&applied.document);
    let difference = difference(&before, &after);
    let roots = difference.filtered(|key| {
        let is_bag = bags.contains(&key);
        !is_bag || after.get(key).is_some_and(|raw| Kind::of(raw) != Kind::Object)
    });
    let bags = bags
        .iter()
        .map(|bag| {
            let old = before.get_object(bag).unwrap_or_else(Object::empty);
            let new = match after.get(bag) {
                Some(raw) => Object::trusted(raw),
                None => Object::empty(),
            };
            in_bag(bag, &old, &new, moment.rules)
        })
        .collect::<Result<_, _>>()?;
    Ok(Changes { roots, bags, expiries: applied.expiries })
}

/// The changed keys of a bag, as a patch that is merged at its root.
fn in_bag(
    bag: &str,
    old: &Object,
    new: &Object,
    rules: &Rules,
) -> Result<Option<Object>, Rejection> {
    let nulls = new.members().filter(|(_, value)| *value == "null");
    for key in nulls.map(|(key, _)| json::unquote(key)) {
        if old.get(&key) != Some("null") {
            return Err(Rejection::PatchedBody(format!("{bag}.{key} cannot be null: remove it")));
        }
    }
    let patch = difference(old, new);
    if json::check(patch.as_json(), rules.depth).is_err() {
        return Err(Rejection::PatchTooDeep { limit: rules.depth });
    }
    Ok(Some(patch).filter(|patch| !patch.is_empty()))
}

/// What differs at the root, removed members as `null`.
fn difference(old: &Object, new: &Object) -> Object {
    let mut out = Builder::new();
    let mut after: BTreeMap<Cow<'_, str>, &str> =
        new.members().map(|(key, value)| (json::unquote(key), value)).collect();
    for (key, value) in old.members() {
        match after.remove(json::unquote(key).as_ref()) {
            None => _ = out.member(key, "null"),
            Some(now) if now != value => _ = out.member(key, now),
            Some(_) => {}
        }
    }
    for (key, value) in new.members() {
        if after.contains_key(json::unquote(key).as_ref()) {
            out.member(key, value);
        }
    }
    out.object()
}

fn read<T: Default>(body: &Object, read: ReadBody<T>) -> Result<T, Rejection> {
    if body.is_empty() { Ok(T::default()) } else { read(body).map_err(Rejection::PatchedBody) }
}

pub(super) fn user(
    view: &dyn View,
    moment: Moment<'_>,
    id: &UserId,
    patch: &Patch,
    body: ReadBody<UserPatch>,
) -> Result<Vec<Outcome>, Rejection> {
    let document = view.user(id.as_str()).ok_or(Rejection::UserNotFound)?;
    let representation = Object::trusted(document.json());
    let changes = changes(&representation, &["user_metadata", "app_metadata"], patch, moment)?;
    let is_same = changes.roots.is_empty()
        && changes.bags.iter().all(Option::is_none)
        && changes.expiries.is_empty();
    if is_same {
        return Ok(Vec::new());
    }
    let mut ordinary = read(&changes.roots, body)?;
    let mut bags = changes.bags.into_iter();
    ordinary.expiries = matches!(patch, Patch::Ops(_)).then_some(changes.expiries);
    ordinary.user_metadata = bags.next().flatten();
    ordinary.app_metadata = bags.next().flatten();
    users::update(view, moment, id, ordinary)
}

pub(super) fn client(
    view: &dyn View,
    moment: Moment<'_>,
    id: &str,
    patch: &Patch,
    body: ReadBody<ClientPatch>,
) -> Result<Vec<Outcome>, Rejection> {
    let client = view.client(id).ok_or(Rejection::ClientNotFound)?;
    let representation = Object::trusted(&client.to_json("", false))
        .filtered(|key| !["tenant", "global"].contains(&key));
    let changes = changes(&representation, &["client_metadata"], patch, moment)?;
    if changes.roots.is_empty() && changes.bags.iter().all(Option::is_none) {
        return Ok(Vec::new());
    }
    let mut ordinary = read(&changes.roots, body)?;
    ordinary.client_metadata = changes.bags.into_iter().flatten().next();
    clients::update(view, moment, id, ordinary)
}
