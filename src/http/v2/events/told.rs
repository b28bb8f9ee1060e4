//! What the history tells as events.

use super::position::Position;
use crate::domain::history::{Image, Subject, Was};
use crate::domain::json::{self, Builder, Object};
use crate::domain::time::{Timestamp, Version};
use crate::store::history::{HistoryError, TouchedAt};
use crate::tenant::history::Look;

/// Changes looked at in one go.
const LOOKED_AT_ONCE: usize = 64;

/// What a look at the history brings.
pub(super) enum Seen {
    Events(Vec<Event>, Position),
    Nothing,
    Expired,
}

/// One event, and the position behind it.
pub(super) struct Event {
    pub(super) position: Position,
    pub(super) kind: &'static str,
    pub(super) at: Timestamp,
    pub(super) data: String,
}

/// The events behind a position, as far as one look goes.
pub(super) fn seen(look: &Look, position: Position) -> Result<Seen, HistoryError> {
    if position.version < look.floor()? {
        return Ok(Seen::Expired);
    }
    let changes = look.changes_after(position.version, LOOKED_AT_ONCE)?;
    let Some(last) = changes.last().map(|change| change.version) else { return Ok(Seen::Nothing) };
    let mut events = Vec::new();
    for change in &changes {
        let passed = if change.version == position.version.next() { position.passed } else { 0 };
        let mut of_change = events_of(look, change)?;
        let count = of_change.len();
        for (index, event) in of_change.iter_mut().enumerate() {
            let before = Version::new(change.version.get().saturating_sub(1));
            event.position = if index + 1 == count {
                Position::behind(change.version)
            } else {
                Position { version: before, passed: index + 1 }
            };
        }
        events.extend(of_change.into_iter().skip(passed));
    }
    // Retention may have come between: then the next look says so.
    if position.version < look.floor()? {
        return Ok(Seen::Expired);
    }
    Ok(Seen::Events(events, Position::behind(last)))
}

fn events_of(look: &Look, change: &TouchedAt) -> Result<Vec<Event>, HistoryError> {
    let mut events = Vec::new();
    for (kind, id) in &change.touched {
        if *kind != Subject::User {
            continue;
        }
        // What was before an erasure is not told.
        let Some(image) = look.at(*kind, id, change.version)? else { continue };
        let before = look.before(*kind, id, change.version)?;
        if let Some((kind, data)) = told(id, &image, before.as_ref()) {
            let position = Position::behind(change.version);
            events.push(Event { position, kind, at: change.at, data });
        }
    }
    Ok(events)
}

/// What became of a user, and the data of the event that says so.
fn told(id: &str, image: &Image, before: Option<&Image>) -> Option<(&'static str, String)> {
    let previous = before.and_then(Image::shown);
    let mut data = Builder::new();
    let kind = match (&image.was, previous) {
        (Was::User(document), None) => {
            let is_new = image.is_making() || before.is_some();
            data.raw("object", document.json());
            if is_new { "user.created" } else { "user.updated" }
        }
        (Was::User(document), Some(previous)) => {
            data.raw("object", document.json()).raw("previous_object", &previous);
            "user.updated"
        }
        (Was::Gone, Some(previous)) => {
            let at = json::quoted(&image.at.to_string());
            let object = Object::trusted(&previous).with("deleted_at", &at);
            data.raw("object", object.as_json());
            "user.deleted"
        }
        // Of who was erased, that they are no more is all there is to tell.
        (Was::Erased, _) => {
            let mut object = Builder::new();
            object.string("user_id", id).string("deleted_at", &image.at.to_string());
            data.raw("object", &object.finish());
            "user.deleted"
        }
        (Was::Gone, None) | (Was::Client(_) | Was::Resource { .. }, _) => return None,
    };
    Some((kind, data.finish()))
}
