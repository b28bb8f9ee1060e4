//! `POST /api/v2/jobs/users-exports`.

use super::table::{self, Columns};
use super::{fresh_id, put_starter, spawn, started};
use crate::domain::change::Channel;
use crate::domain::command::Command;
use crate::domain::job::{JobKind, NewJob};
use crate::domain::json::{Builder, Elements, Object};
use crate::domain::resource::{Connection, ResourceKind};
use crate::http::call::Call;
use crate::http::problem::Problem;
use crate::http::schema::{self, Extra, Format, Schema, Shape, property};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;

pub(in super::super) static BODY: Schema = Schema {
    properties: &[
        property(
            "connection_id",
            Shape::Formatted(0, 255, Format::ConnectionId),
            "connection_id of the connection from which users will be exported",
        ),
        property("format", Shape::OneOf(&["json", "csv"]), "Format of the file"),
        property("limit", Shape::Integer(1, i64::MAX), "Limit the number of records"),
        property("fields", Shape::Objects, "List of fields to be included in the CSV"),
    ],
    required: &[],
    extra: Extra::Refuse(""),
};

static FIELD: Schema = Schema {
    properties: &[
        property("name", Shape::Text(1, 255), ""),
        property("export_as", Shape::Text(1, 255), ""),
    ],
    required: &["name"],
    extra: Extra::Refuse(""),
};

pub(in super::super) async fn create(mut call: Call) -> Result<HttpResponse, Problem> {
    call.query.only(&[])?;
    let sent = call.json_or_empty().await?;
    BODY.check(&sent)?;
    let format = sent.get_str("format").map_or("json", |name| match name.as_ref() {
        "csv" => "csv",
        _ => "json",
    });
    check_fields(&sent, format == "csv")?;
    let mut body = Builder::new();
    let mut name = None;
    if let Some(id) = sent.get_str("connection_id") {
        let resource = call.tenant.published().resource(ResourceKind::Connection, &id);
        let connection = resource.as_deref().map(Connection::of).ok_or_else(|| {
            Problem::new(400, "inexistent_connection", "The connection does not exist.")
        })?;
        body.string("connection_id", &connection.id);
        name = Some(connection.name);
    }
    body.string("format", format);
    for key in ["limit", "fields"] {
        if let Some(raw) = sent.get(key) {
            body.raw(key, raw);
        }
    }
    body.optional("connection", name.as_deref());
    put_starter(&mut body, &call);
    let job = NewJob {
        id: fresh_id(),
        kind: JobKind::Export,
        body: body.object(),
        status: "pending",
        input: None,
        valid_from: call.valid_at,
    };
    let answer = call.write(Channel::V2, Command::StartJob(Box::new(job))).await?;
    let resource = answer
        .change
        .as_ref()
        .and_then(|change| change.resource())
        .ok_or_else(Problem::internal)?;
    spawn(&call.services, &call.tenant, &resource.id);
    Ok(started(StatusCode::OK, resource))
}

/// Checks which members are wanted, and under which names.
fn check_fields(sent: &Object, is_csv: bool) -> Result<(), Problem> {
    let Some(fields) = sent.get("fields") else { return Ok(()) };
    let invalid = |detail: &str, path: &str| Problem::body(schema::message(detail, path, ""));
    let count = Elements::of(fields).count();
    let most = if is_csv { table::CSV_COLUMNS } else { table::JSON_COLUMNS };
    if count > most {
        return Err(invalid(&format!("Array is too long ({count}), maximum {most}"), "fields"));
    }
    for (at, raw) in Elements::of(fields).enumerate() {
        let field = Object::trusted(raw);
        FIELD.check(&field)?;
        let name = field.get_str("name").unwrap_or_default();
        let is_whole_bag = name == "user_metadata" || name == "app_metadata";
        if table::Path::parse(&name).is_none() || (is_csv && is_whole_bag) {
            let path = format!("fields[{at}].name");
            return Err(invalid(&format!("Invalid value \"{name}\""), &path));
        }
    }
    let columns = Columns::of(Some(fields));
    if let Some((first, second)) = columns.same_name() {
        let detail = format!("Array items are not unique (indexes {first} and {second})");
        return Err(invalid(&detail, "fields"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(fields: &str, is_csv: bool, expected: &str) {
        let sent = Object::parse(&format!("{{\"fields\":{fields}}}"), 8).unwrap();
        let message =
            check_fields(&sent, is_csv).map_or_else(|problem| problem.message, |()| String::new());
        assert_eq!(message, expected, "{fields}");
    }

    #[test]
    fn fields_are_paths_with_names_of_their_own() {
        check(r#"[{"name":"email"},{"name":"user_metadata.a.b","export_as":"b"}]"#, true, "");
        check(r#"[{"name":"identities[0].connection"}]"#, true, "");
        check(r#"[{"name":"user_metadata"}]"#, false, "");
        check(
            r#"[{"name":"user_metadata"}]"#,
            true,
            "Payload validation error: 'Invalid value \"user_metadata\"' on property fields[0].name.",
        );
        check(
            r#"[{"name":"a[x]"}]"#,
            false,
            "Payload validation error: 'Invalid value \"a[x]\"' on property fields[0].name.",
        );
        check(
            r#"[{"name":"email"},{"name":"name","export_as":"email"}]"#,
            false,
            "Payload validation error: 'Array items are not unique (indexes 0 and 1)' on property fields.",
        );
        check(
            &format!("[{}]", vec![r#"{"name":"a"}"#; 31].join(",")),
            true,
            "Payload validation error: 'Array is too long (31), maximum 30' on property fields.",
        );
    }
}
