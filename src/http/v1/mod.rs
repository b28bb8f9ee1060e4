//! The Management API v1, long gone at Auth0 (CONTRACT.md §9).
//!
//! Over the same users, two differences from v2 carry this dialect: its edits of
//! metadata land in `app_metadata`, and its reads merge that bag into the root of the
//! user. `user_metadata` does not exist here. A token comes as bearer or as
//! `?access_token=`.

pub mod clients;
mod lists;
mod wire;

use super::answer::{answer_at, no_content, show};
use super::call::Call;
use super::openapi::detail::{Detail, Takes};
use super::problem::Problem;
use super::route::{Access, Answering, Dialect, Route};
use super::v2::users::hashed;
use crate::domain::change::Channel;
use crate::domain::command::{Command, Field, UserPatch};
use crate::domain::decide::LoginKey;
use crate::domain::document::Document;
use crate::domain::json::Object;
use crate::domain::scope::Scope;
use crate::domain::user::UserId;
use crate::tenant::Answer;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;

const fn route(
    method: &'static str,
    path: &'static str,
    scopes: &'static [Scope],
    summary: &'static str,
    handler: fn(Call) -> Answering,
) -> Route {
    Route { method, path, dialect: Dialect::V1, access: Access::Scopes(scopes), summary, handler }
}

const READ: &[Scope] = &[Scope::READ_USERS];
const CREATE: &[Scope] = &[Scope::CREATE_USERS];
const UPDATE: &[Scope] = &[Scope::UPDATE_USERS];
const UPDATE_METADATA: &[Scope] = &[Scope::UPDATE_USERS, Scope::UPDATE_USERS_APP_METADATA];

/// The routes of users; Auth0's client writes the collection with a final slash too.
pub static ROUTES: &[Route] = &[
    route("GET", "/api/users", READ, "List users (v1)", |call| Box::pin(lists::all(call))),
    route("GET", "/api/users/", READ, "List users (v1)", |call| Box::pin(lists::all(call))),
    route("POST", "/api/users", CREATE, "Create a user (v1)", |call| Box::pin(create(call))),
    route("POST", "/api/users/", CREATE, "Create a user (v1)", |call| Box::pin(create(call))),
    route("GET", "/api/users/{id}", READ, "Get a user, metadata merged (v1)", |call| {
        Box::pin(async move { get(&call) })
    }),
    route("DELETE", "/api/users/{id}", &[Scope::DELETE_USERS], "Delete a user (v1)", |call| {
        Box::pin(delete(call))
    }),
    route("GET", "/api/users/{id}/metadata", READ, "Get a user's metadata (v1)", |call| {
        Box::pin(async move { metadata(&call) })
    }),
    route(
        "PUT",
        "/api/users/{id}/metadata",
        UPDATE_METADATA,
        "Replace a user's metadata (v1)",
        |call| Box::pin(replace_metadata(call)),
    ),
    route(
        "PATCH",
        "/api/users/{id}/metadata",
        UPDATE_METADATA,
        "Merge into a user's metadata (v1)",
        |call| Box::pin(patch_metadata(call)),
    ),
    route("PUT", "/api/users/{id}/email", UPDATE, "Change a user's e-mail address (v1)", |call| {
        Box::pin(set_email(call))
    }),
    route("PUT", "/api/users/{id}/password", UPDATE, "Change a user's password (v1)", |call| {
        Box::pin(set_password(call))
    }),
    route(
        "GET",
        "/api/connections/{name}/users",
        READ,
        "List the users of a connection (v1)",
        |call| Box::pin(lists::of_connection(call)),
    ),
    route(
        "GET",
        "/api/socialconnections/users",
        READ,
        "List the users of social connections (v1)",
        |call| Box::pin(lists::social(call)),
    ),
    route(
        "GET",
        "/api/enterpriseconnections/users",
        READ,
        "List the users of enterprise connections (v1)",
        |call| Box::pin(lists::enterprise(call)),
    ),
    route(
        "GET",
        "/api/clients/{id}/users",
        READ,
        "List the users of a client's connections (v1)",
        |call| Box::pin(lists::of_client(call)),
    ),
];

/// What they take.
pub static DETAILS: &[Detail] = &[
    Detail::of(
        "GET",
        &[
            "/api/users",
            "/api/users/",
            "/api/connections/{name}/users",
            "/api/socialconnections/users",
            "/api/enterpriseconnections/users",
            "/api/clients/{id}/users",
        ],
    )
    .query(&[lists::PARAMETERS]),
    Detail::of("POST", &["/api/users", "/api/users/"]).takes(Takes::Object),
    Detail::of("PUT", &["/api/users/{id}/metadata"]).takes(Takes::Object),
    Detail::of("PATCH", &["/api/users/{id}/metadata"]).takes(Takes::Object),
    Detail::of("PUT", &["/api/users/{id}/email"]).takes(Takes::Json(&[&wire::EMAIL])),
    Detail::of("PUT", &["/api/users/{id}/password"]).takes(Takes::Json(&[&wire::PASSWORD])),
];

fn shown(status: StatusCode, document: &Document) -> HttpResponse {
    answer_at(status, document.version()).body(wire::merged(document).as_json().to_owned())
}

fn bag(document: &Document) -> HttpResponse {
    let bag = document.app_metadata().unwrap_or("{}").to_owned();
    answer_at(StatusCode::OK, document.version()).body(bag)
}

fn changed(answer: &Answer) -> Result<&Document, Problem> {
    answer.change.as_ref().and_then(|change| change.user()).ok_or_else(Problem::internal)
}

fn existing(call: &Call) -> Result<Document, Problem> {
    call.tenant.published().user(call.params.get("id")).ok_or_else(Problem::no_user)
}

fn get(call: &Call) -> Result<HttpResponse, Problem> {
    let document = existing(call)?;
    show(call, document.version(), wire::merged(&document).as_json().to_owned())
}

fn metadata(call: &Call) -> Result<HttpResponse, Problem> {
    let document = existing(call)?;
    show(call, document.version(), document.app_metadata().unwrap_or("{}").to_owned())
}

async fn create(mut call: Call) -> Result<HttpResponse, Problem> {
    let body = call.json().await?;
    let account = super::random::account_id(call.now);
    let mut new = wire::new_user(&body, call.tenant.rules().compat, account)?;
    if let Some(plain) = new.password.take() {
        call.may(&Command::CreateUser(Box::new(new.user.clone())))?;
        new.user.password = Some(call.services.hash_password(&call.tenant, plain).await?);
    }
    let answer = call.write(Channel::V1, Command::CreateUser(Box::new(new.user))).await?;
    Ok(shown(StatusCode::CREATED, changed(&answer)?))
}

async fn delete(call: Call) -> Result<HttpResponse, Problem> {
    let Ok(id) = call.user_id() else { return Ok(no_content(call.tenant.published().version())) };
    let answer = call.write(Channel::V1, Command::DeleteUser { id }).await?;
    Ok(no_content(answer.version))
}

async fn replace_metadata(mut call: Call) -> Result<HttpResponse, Problem> {
    let id = call.user_id()?;
    // A null means no value in every dialect, so none is kept.
    let metadata = Object::empty().merge_root(&call.json().await?);
    let answer = call.write(Channel::V1, Command::ReplaceAppMetadata { id, metadata }).await?;
    Ok(bag(changed(&answer)?))
}

async fn patch_metadata(mut call: Call) -> Result<HttpResponse, Problem> {
    let id = call.user_id()?;
    let patch = call.json().await?;
    // In v2 `{}` empties the bag; here only what is sent changes.
    if patch.is_empty() {
        return metadata(&call);
    }
    let patch = UserPatch { app_metadata: Some(patch), ..UserPatch::default() };
    update(&call, id, patch).await.and_then(|answer| Ok(bag(changed(&answer)?)))
}

async fn update(call: &Call, id: UserId, patch: UserPatch) -> Result<Answer, Problem> {
    call.write(Channel::V1, Command::UpdateUser { id, patch: Box::new(patch) }).await
}

async fn set_email(mut call: Call) -> Result<HttpResponse, Problem> {
    let id = call.user_id()?;
    let email = wire::email(&call.json().await?)?;
    let patch = UserPatch { email: Field::Set(email), ..UserPatch::default() };
    let answer = update(&call, id, patch).await?;
    Ok(shown(StatusCode::OK, changed(&answer)?))
}

async fn set_password(mut call: Call) -> Result<HttpResponse, Problem> {
    let body = wire::password(&call.json().await?)?;
    let id = named(&call, body.connection.as_deref()).await?;
    let patch = hashed(&call, &id, UserPatch::default(), body.password).await?;
    let answer = update(&call, id, patch).await?;
    Ok(shown(StatusCode::OK, changed(&answer)?))
}

/// The user in the path, who may be named by e-mail address where a password is changed.
async fn named(call: &Call, connection: Option<&str>) -> Result<UserId, Problem> {
    let given = call.params.get("id");
    if call.tenant.published().user(given).is_some() || !given.contains('@') {
        return call.user_id();
    }
    let mut found = call.tenant.users_with(LoginKey::Email, given).await?;
    found.retain(|document| connection.is_none_or(|name| document.user().connection() == name));
    match found.as_slice() {
        [one] => Ok(UserId::trusted(one.id())),
        [] => Err(Problem::no_user()),
        _ => Err(Problem::new(
            409,
            "ambiguous_user",
            "Several users have this e-mail address. Name the connection or the user's id.",
        )),
    }
}
