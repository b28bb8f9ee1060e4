//! `/api/v2/connections/{id}/clients`: the clients a connection is enabled for.

use super::existing;
use crate::domain::change::Channel;
use crate::domain::command::Command;
use crate::domain::condition::{Condition, Tags};
use crate::domain::json::{self, Builder, Elements, Kind, Object, array_of};
use crate::domain::resource::ResourceKind;
use crate::http::answer::no_content;
use crate::http::call::Call;
use crate::http::problem::Problem;
use crate::http::schema::{self, Extra, Schema, Shape, property};
use crate::http::v2::list::{Item, Part};
use actix_web::HttpResponse;

pub(super) const PARAMETERS: &[&str] = &["take", "from"];

pub(super) fn list(call: &Call) -> Result<HttpResponse, Problem> {
    call.query.only(PARAMETERS)?;
    let part = Part::of(call)?.after();
    let mut ids = existing(call)?.body.get_strings("enabled_clients").unwrap_or_default();
    ids.sort();
    ids.dedup();
    let items: Vec<Item> = ids
        .into_iter()
        .map(|id| {
            let mut one = Builder::new();
            one.string("client_id", &id);
            Item { json: one.finish(), id }
        })
        .collect();
    Ok(part.answer("clients", &items))
}

/// One client, on or off.
pub(super) static SWITCH: Schema = Schema {
    properties: &[
        property(
            "client_id",
            Shape::Text(1, 255),
            "The client_id of the client to be the subject to change status",
        ),
        property(
            "status",
            Shape::Boolean,
            "Whether the connection is enabled or not for this client_id",
        ),
    ],
    required: &["client_id", "status"],
    extra: Extra::Refuse(""),
};

/// Times a change is tried again after somebody else's came in between.
const ATTEMPTS: usize = 16;

pub(super) async fn update(mut call: Call) -> Result<HttpResponse, Problem> {
    let switches = read(&call.json_text().await?)?;
    let mut last = Problem::internal();
    for _ in 0..ATTEMPTS {
        let before = existing(&call)?;
        let enabled = before.body.get_strings("enabled_clients").unwrap_or_default();
        let mut patch = Builder::new();
        patch.raw("enabled_clients", &array_of(switched(enabled, &switches)));
        let command = Command::UpdateResource {
            kind: ResourceKind::Connection,
            id: before.id.clone(),
            patch: patch.object(),
        };
        // The list is worked out from what was read, so it holds for that version only.
        let seen = Some(Tags::Versions(vec![before.version]));
        let condition = Condition { if_match: seen, ..Condition::default() };
        match call.write_if(Channel::V2, command, condition).await {
            Ok(answer) => return Ok(no_content(answer.version)),
            Err(problem) if problem.status == 412 => last = problem,
            Err(problem) => return Err(problem),
        }
    }
    Err(last)
}

/// Reads the array of switches.
fn read(text: &str) -> Result<Vec<(String, bool)>, Problem> {
    json::check(text, 4)?;
    let text = json::compact(text);
    if Kind::of(&text) != Kind::Array {
        let detail = format!("Expected type array but found type {}", Kind::of(&text));
        return Err(Problem::body(schema::message(&detail, "", "")));
    }
    let switches = Elements::of(&text)
        .map(|raw| {
            if Kind::of(raw) != Kind::Object {
                let detail = format!("Expected type object but found type {}", Kind::of(raw));
                return Err(Problem::body(schema::message(&detail, "", "")));
            }
            let one = Object::trusted(raw);
            SWITCH.check(&one)?;
            let id = one.get_str("client_id").unwrap_or_default().into_owned();
            Ok((id, one.get_bool("status").unwrap_or(false)))
        })
        .collect::<Result<Vec<_>, Problem>>()?;
    match switches.len() {
        1..=50 => Ok(switches),
        0 => Err(Problem::body(schema::message("Array is too short (0), minimum 1", "", ""))),
        n => {
            let detail = format!("Array is too long ({n}), maximum 50");
            Err(Problem::body(schema::message(&detail, "", "")))
        }
    }
}

/// The enabled clients after the switches, the last one of a client counting.
fn switched(mut enabled: Vec<String>, switches: &[(String, bool)]) -> Vec<String> {
    for (id, is_on) in switches {
        match (enabled.iter().position(|own| own == id), is_on) {
            (None, true) => enabled.push(id.clone()),
            (Some(at), false) => _ = enabled.remove(at),
            (None, false) | (Some(_), true) => {}
        }
    }
    enabled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(before: &[&str], body: &str, after: &[&str]) {
        let before = before.iter().map(|id| (*id).to_owned()).collect();
        assert_eq!(switched(before, &read(body).unwrap()), after, "{body}");
    }

    #[test]
    fn clients_are_switched_on_and_off() {
        check(
            &["a", "b"],
            r#"[{"client_id":"b","status":false},{"client_id":"c","status":true}]"#,
            &["a", "c"],
        );
        check(
            &["a"],
            r#"[{"client_id":"a","status":true},{"client_id":"z","status":false}]"#,
            &["a"],
        );
        for bad in ["{}", "[]", "[1]", r#"[{"client_id":"a"}]"#, "["] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
