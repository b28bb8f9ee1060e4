//! `POST /api/v2/jobs/users-imports`.

use super::multipart::{malformed, parts};
use super::{fresh_id, put_starter, spawn, started};
use crate::domain::change::Channel;
use crate::domain::command::Command;
use crate::domain::job::{JobKind, NewJob};
use crate::domain::json::{self, Builder, Kind, Object};
use crate::domain::resource::{Connection, Family, ResourceKind};
use crate::http::call::Call;
use crate::http::problem::Problem;
use crate::http::schema::{self, Format};
use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use bytes::Bytes;

/// Bytes a file of users may have (CONTRACT.md §5, A12).
const FILE_BYTES: u64 = 512_000;

/// Bytes the rest of the body may have: the other parts and what stands between them.
const AROUND_BYTES: u64 = 16 * 1024;

const NOT_JSON: &str =
    "Failed to parse users file JSON when importing users. Make sure it is valid JSON.";

pub(in super::super) async fn create(mut call: Call) -> Result<HttpResponse, Problem> {
    call.query.only(&[])?;
    let too_large = |problem: Problem| match problem.status {
        413 => Problem::too_large(FILE_BYTES),
        _ => problem,
    };
    let body = call.body_up_to(FILE_BYTES + AROUND_BYTES).await.map_err(too_large)?;
    let parts = parts(call.header(header::CONTENT_TYPE), body).await?;
    let form = Form::of(&parts)?;
    let connection = database(&call, &form.connection_id)?;

    let mut body = Builder::new();
    body.string("connection_id", &connection.id)
        .string("connection", &connection.name)
        .optional("external_id", form.external_id.as_deref())
        .flag("upsert", Some(form.is_upsert));
    put_starter(&mut body, &call);
    let rows = rows(&form.users, call.tenant.rules().depth);
    let status = if rows.is_some() { "pending" } else { "failed" };
    if rows.is_none() {
        body.string("status_details", NOT_JSON);
    }
    let job = NewJob {
        id: fresh_id(),
        kind: JobKind::Import,
        body: body.object(),
        status,
        input: rows.map(|rows| {
            let mut input = Builder::with_capacity(rows.len() + 12);
            input.raw("users", &rows);
            input.object()
        }),
        valid_from: call.valid_at,
    };
    let answer = call.write(Channel::V2, Command::StartJob(Box::new(job))).await?;
    let resource = answer
        .change
        .as_ref()
        .and_then(|change| change.resource())
        .ok_or_else(Problem::internal)?;
    spawn(&call.services, &call.tenant, &resource.id);
    Ok(started(StatusCode::ACCEPTED, resource))
}

/// The file as a compact array, if it is one.
fn rows(file: &Bytes, depth: usize) -> Option<String> {
    let text = std::str::from_utf8(file).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    json::check(text, depth + 2).ok()?;
    let rows = json::compact(text);
    (Kind::of(&rows) == Kind::Array).then(|| rows.into_owned())
}

/// The parts that are read. Others are passed over.
const MEMBERS: [&str; 5] =
    ["users", "connection_id", "upsert", "external_id", "send_completion_email"];

/// What the parts say.
struct Form {
    users: Bytes,
    connection_id: String,
    is_upsert: bool,
    external_id: Option<String>,
}

impl Form {
    fn of(parts: &[(String, Bytes)]) -> Result<Self, Problem> {
        // Which of two counts would be a guess, and another one elsewhere.
        let is_twice = |(at, (name, _)): &(usize, &(String, Bytes))| {
            MEMBERS.contains(&name.as_str())
                && parts.iter().skip(at + 1).any(|(own, _)| own == name)
        };
        if let Some((_, (name, _))) = parts.iter().enumerate().find(is_twice) {
            let detail = format!("Duplicate property: {name}");
            return Err(Problem::body(schema::message(&detail, "", "")));
        }
        let part = |name: &str| parts.iter().find(|(own, _)| own == name).map(|(_, bytes)| bytes);
        let text = |name: &str| match part(name).map(|bytes| std::str::from_utf8(bytes)) {
            None => Ok(None),
            Some(Ok(text)) => Ok(Some(text.trim().to_owned())),
            Some(Err(_)) => Err(malformed()),
        };
        let users = part("users")
            .ok_or_else(|| Problem::body("Must provide 'users' file as multipart part."))?;
        if u64::try_from(users.len()).unwrap_or(u64::MAX) > FILE_BYTES {
            return Err(Problem::too_large(FILE_BYTES));
        }
        if users.is_empty() {
            return Err(Problem::body("Users file must not be empty."));
        }
        let connection_id = text("connection_id")?
            .ok_or_else(|| Problem::body("Must provide 'connection_id' as multipart part."))?;
        let fault = schema::text_fault(&connection_id, 0, 255, Some(Format::ConnectionId));
        if let Some(fault) = fault {
            return Err(Problem::body(schema::message(&fault, "connection_id", "")));
        }
        let flag = |name: &'static str| match text(name)?.as_deref() {
            None | Some("" | "false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Problem::body(schema::message(
                "Expected type boolean but found type string",
                name,
                "",
            ))),
        };
        // There is no one to send a completion e-mail with; that it was asked for is not an error.
        flag("send_completion_email")?;
        let external_id = text("external_id")?.filter(|id| !id.is_empty());
        if external_id.as_ref().is_some_and(|id| id.chars().count() > 255) {
            let detail = "String is too long, maximum 255";
            return Err(Problem::body(schema::message(detail, "external_id", "")));
        }
        let is_upsert = flag("upsert")?;
        Ok(Self { users: users.clone(), connection_id, is_upsert, external_id })
    }
}

/// The database connection users go to.
fn database(call: &Call, id: &str) -> Result<Connection, Problem> {
    let resource = call.tenant.published().resource(ResourceKind::Connection, id);
    let missing = || Problem::new(400, "inexistent_connection", "The connection does not exist.");
    let connection = Connection::of(resource.as_deref().ok_or_else(missing)?);
    if connection.family() != Family::Database {
        return Err(Problem::body("Connection must be a database connection."));
    }
    if !connection.is_enabled {
        return Err(Problem::body("Connection must be enabled."));
    }
    Ok(connection)
}

/// The rows of a job's input.
pub(super) fn rows_of(input: &Object) -> impl Iterator<Item = &str> {
    json::Elements::of(input.get("users").unwrap_or("[]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(parts: &[(&str, &str)], expected: &str) {
        let parts: Vec<(String, Bytes)> = parts
            .iter()
            .map(|(name, text)| ((*name).to_owned(), Bytes::copy_from_slice(text.as_bytes())))
            .collect();
        let message = Form::of(&parts).map_or_else(|problem| problem.message, |_| String::new());
        assert_eq!(message, expected, "{parts:?}");
    }

    #[test]
    fn parts_that_are_missing_or_wrong_are_named() {
        let id = ("connection_id", "con_0123456789abcdEF");
        check(&[("users", "[]"), id], "");
        check(&[("users", "[]"), id, ("upsert", "true"), ("external_id", "")], "");
        check(&[id], "Must provide 'users' file as multipart part.");
        for twice in [("users", "[1]"), ("connection_id", "con_0123456789abcdEE")] {
            let (name, _) = twice;
            let text = format!("Payload validation error: 'Duplicate property: {name}'.");
            check(&[("users", "[]"), id, twice], &text);
        }
        check(&[("users", ""), id], "Users file must not be empty.");
        check(&[("users", "[]")], "Must provide 'connection_id' as multipart part.");
        check(
            &[("users", "[]"), ("connection_id", "con_1")],
            "Payload validation error: 'String does not match pattern ^con_[A-Za-z0-9]{16}$' on property connection_id.",
        );
        check(
            &[("users", &"x".repeat(512_001)), id],
            "Payload content length greater than maximum allowed: 512000",
        );
        check(
            &[("users", "[]"), id, ("upsert", "yes")],
            "Payload validation error: 'Expected type boolean but found type string' on property upsert.",
        );
    }

    #[test]
    fn a_file_is_an_array_or_no_file_of_users() {
        let rows = |text: &str| rows(&Bytes::copy_from_slice(text.as_bytes()), 8);
        assert_eq!(rows(" [ {\"a\": 1} ]\n").as_deref(), Some("[{\"a\":1}]"));
        assert_eq!(rows("\u{feff}[]").as_deref(), Some("[]"));
        for bad in ["{}", "[", "[{\"a\":1,\"a\":2}]", "\"x\"", "[1] 2"] {
            assert_eq!(rows(bad), None, "{bad}");
        }
    }
}
