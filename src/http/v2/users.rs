//! `/api/v2/users` and `/api/v2/users-by-email` (CONTRACT.md §2, §3).

use super::fields::{self, Fields, USER_FIELDS, selected};
use super::{answer_at, json, no_content, wire};
use crate::domain::change::Channel;
use crate::domain::command::{Command, Field, UserPatch};
use crate::domain::decide::LoginKey;
use crate::domain::document::Document;
use crate::domain::patch::Patch;
use crate::domain::permit::permit_read;
use crate::domain::user::UserId;
use crate::http::call::Call;
use crate::http::problem::Problem;
use crate::http::{patches, random, schema};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;

pub(super) fn get(call: &Call) -> Result<HttpResponse, Problem> {
    let id = call.user_id()?;
    permit_read(&call.caller, &id)?;
    call.query.only(fields::PARAMETERS)?;
    let fields = Fields::of(&call.query, Some(USER_FIELDS))?;
    let document = call.tenant.published().user(id.as_str()).ok_or_else(Problem::no_user)?;
    if call.is_unchanged(document.version())? {
        return Ok(answer_at(StatusCode::NOT_MODIFIED, document.version()).finish());
    }
    Ok(show(StatusCode::OK, &document, fields.as_ref()))
}

fn show(status: StatusCode, document: &Document, fields: Option<&Fields>) -> HttpResponse {
    let mut response = answer_at(status, document.version());
    match fields {
        None => response.body(document.json_bytes()),
        Some(fields) => response.body(fields.cut(document.json(), &[])),
    }
}

pub(super) async fn create(mut call: Call) -> Result<HttpResponse, Problem> {
    let body = call.json().await?;
    let account = random::account_id(call.now);
    let mut body = wire::new_user(&body, call.tenant.rules().compat, account)?;
    if let Some(plain) = body.password.take() {
        wire::check_strength(&call, &body.user.connection, &plain)?;
        let command = Command::CreateUser(Box::new(body.user.clone()));
        call.may(&command)?;
        body.user.password = Some(call.services.hash_password(&call.tenant, plain).await?);
    }
    let answer = call.write(Channel::V2, Command::CreateUser(Box::new(body.user))).await?;
    let change =
        answer.change.as_ref().and_then(|change| change.user()).ok_or_else(Problem::internal)?;
    Ok(show(StatusCode::CREATED, change, None))
}

pub(super) async fn update(mut call: Call) -> Result<HttpResponse, Problem> {
    let id = call.user_id()?;
    if let Some(patch) = patches::patch(&mut call, &["user_metadata", "app_metadata"]).await? {
        return update_by_dialect(&call, id, patch).await;
    }
    let body = call.json().await?;
    let body = wire::user_patch(&body)?;
    let mut patch = body.patch;
    if let Some(plain) = body.password {
        if let Some(connection) = patch.connection.clone().or_else(|| main_connection(&call, &id)) {
            wire::check_strength(&call, &connection, &plain)?;
        }
        patch = hashed(&call, &id, patch, plain).await?;
    }
    let answer =
        call.write(Channel::V2, Command::UpdateUser { id, patch: Box::new(patch) }).await?;
    let change =
        answer.change.as_ref().and_then(|change| change.user()).ok_or_else(Problem::internal)?;
    Ok(show(StatusCode::OK, change, None))
}

/// The patch with a new password in it, if the caller may change it at all.
pub(in crate::http) async fn hashed(
    call: &Call,
    id: &UserId,
    patch: UserPatch,
    plain: String,
) -> Result<UserPatch, Problem> {
    let asked = UserPatch { password: Field::Set(String::new()), ..patch };
    call.may(&Command::UpdateUser { id: id.clone(), patch: Box::new(asked.clone()) })?;
    let hash = call.services.hash_password(&call.tenant, plain).await?;
    Ok(UserPatch { password: Field::Set(hash), ..asked })
}

/// The connection of a user's main identity.
fn main_connection(call: &Call, id: &UserId) -> Option<String> {
    let user = call.tenant.published().user(id.as_str())?.user();
    user.identities.first().map(|identity| identity.connection.clone())
}

/// A patch that changes nothing uses no version: the user is shown as it is.
async fn update_by_dialect(call: &Call, id: UserId, patch: Patch) -> Result<HttpResponse, Problem> {
    let command =
        Command::PatchUser { id: id.clone(), patch: Box::new(patch), body: wire::patched_user };
    let answer = call.write(Channel::V2, command).await?;
    if let Some(document) = answer.change.as_ref().and_then(|change| change.user()) {
        return Ok(show(StatusCode::OK, document, None));
    }
    let document = call.tenant.published().user(id.as_str()).ok_or_else(Problem::no_user)?;
    Ok(show(StatusCode::OK, &document, None))
}

pub(super) async fn delete(call: Call) -> Result<HttpResponse, Problem> {
    // An id nobody can have is one nobody has: deleting it is done already.
    let Ok(id) = call.user_id() else { return Ok(no_content(call.tenant.published().version())) };
    let answer = call.write(Channel::V2, Command::DeleteUser { id }).await?;
    Ok(no_content(answer.version))
}

pub(super) async fn by_email(call: Call) -> Result<HttpResponse, Problem> {
    call.query.only(&["email", "fields", "include_fields"])?;
    let fields = Fields::of(&call.query, Some(USER_FIELDS))?;
    let email = call.query.get("email").filter(|email| !email.is_empty()).ok_or_else(|| {
        Problem::query(schema::query_message("Missing required property: email", "", ""))
    })?;
    let found = call.tenant.users_with(LoginKey::Email, email).await?;
    let exact =
        found.iter().filter(|document| document.attribute("email").as_deref() == Some(email));
    Ok(json(StatusCode::OK, array(exact, fields.as_ref())))
}

/// Users as a JSON array.
pub(super) fn array<'a>(
    documents: impl Iterator<Item = &'a Document>,
    fields: Option<&Fields>,
) -> String {
    let mut out = String::from("[");
    for document in documents {
        if out.len() > 1 {
            out.push(',');
        }
        match fields {
            None => out.push_str(document.json()),
            Some(_) => out.push_str(&selected(fields, document.json(), &[])),
        }
    }
    out.push(']');
    out
}
