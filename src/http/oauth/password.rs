//! Signing in with a password.
//!
//! A wrong password and an unknown user get the same answer after the same work. What a
//! token says is read from the user as they are once the sign-in is written down, so
//! somebody blocked, or given a new password, in between gets none.

use super::api::{self, Api};
use super::fields::Fields;
use super::token::{self, Given};
use super::users::{self, Session};
use super::{refresh, refusal};
use crate::domain::change::Channel;
use crate::domain::client::Client;
use crate::domain::command::{Command, Rehash};
use crate::domain::decide::LoginKey;
use crate::domain::document::Document;
use crate::domain::json::Object;
use crate::domain::password::PasswordHash;
use crate::domain::resource::{
    Connection, DEFAULT_CONNECTION, Family, MANAGEMENT_AUDIENCE, ResourceKind,
};
use crate::domain::user::UserId;
use crate::http::call::Call;
use crate::http::problem::Problem;
use actix_web::HttpResponse;

const REFRESH: &str = "refresh_token";

/// Signs a user in and gives them tokens.
pub(super) async fn grant(
    call: &mut Call,
    client: &Client,
    fields: &Fields,
    realm: Option<&str>,
) -> Result<HttpResponse, Problem> {
    let (login, plain) = (fields.need("username")?, fields.need("password")?);
    let connection = connection(call, realm)?;
    let api = api_of(call, fields.get("audience"))?;
    let found = find(call, &connection, login).await?;
    let stored = found.as_ref().and_then(Document::password);
    call.leave_place();
    let is_right =
        call.services.verify_password(&call.tenant, plain.to_owned(), stored.clone()).await?;
    let (Some(found), Some(stored), true) = (found, stored, is_right) else {
        return Err(refusal::wrong_password());
    };
    if users::is_blocked(&found) {
        return Err(refusal::blocked());
    }
    call.caller = users::caller(&found, client);
    let may_stay = client.allows_grant(REFRESH);
    let scope = api::for_user(&api.user_scopes(), fields.get("scope"), may_stay);
    let session = Session { client, user: &found, api: &api, scope: &scope, gty: "password" };
    let (kept, also) = if scope.names("offline_access") {
        let (text, commands) = refresh::made(call, &session)?;
        (Some(text), commands)
    } else {
        (None, Vec::new())
    };
    let user = signed_in(call, &found, plain, stored, also).await?;
    let session = Session { user: &user, ..session };
    let tokens = users::tokens(call, &session);
    let given = Given { refresh_token: kept.as_deref(), id_token: tokens.id.as_deref() };
    Ok(token::bearer(&tokens.access, tokens.lifetime, &scope, &given))
}

/// The database a user signs in at: the one named, else the tenant's default.
fn connection(call: &Call, realm: Option<&str>) -> Result<Connection, Problem> {
    let default = setting(call, "default_directory");
    let name = realm.or(default.as_deref()).unwrap_or(DEFAULT_CONNECTION);
    call.tenant
        .published()
        .connection(name)
        .filter(|connection| connection.family() == Family::Database && connection.is_enabled)
        .ok_or_else(refusal::unknown_realm)
}

/// The API a user wants: the one named, else the tenant's default, else this one.
fn api_of(call: &Call, audience: Option<&str>) -> Result<Api, Problem> {
    if let Some(audience) = audience {
        return Api::named(call, audience).ok_or_else(|| refusal::no_api(audience));
    }
    let default = setting(call, "default_audience");
    default
        .and_then(|audience| Api::named(call, &audience))
        .or_else(|| Api::kept(call, MANAGEMENT_AUDIENCE))
        .ok_or_else(Problem::internal)
}

/// A text among the tenant's settings.
fn setting(call: &Call, name: &str) -> Option<String> {
    let settings = call.tenant.published().resource(ResourceKind::Settings, "settings")?;
    let text = settings.body.get_str(name).map(std::borrow::Cow::into_owned);
    text.filter(|text| !text.is_empty())
}

/// The user of a connection with this address or, failing that, this login name.
async fn find(
    call: &Call,
    connection: &Connection,
    login: &str,
) -> Result<Option<Document>, Problem> {
    for key in [LoginKey::Email, LoginKey::Username] {
        let found = call.tenant.users_with(key, login).await?;
        let own = found.into_iter().find(|user| user.user().connection() == connection.name);
        if own.is_some() {
            return Ok(own);
        }
    }
    Ok(None)
}

/// Writes the sign-in down, with what is kept of it, and gives back the user as they are then.
async fn signed_in(
    call: &Call,
    found: &Document,
    plain: &str,
    stored: String,
    also: Vec<Command>,
) -> Result<Document, Problem> {
    let id = UserId::parse(found.id()).map_err(|_| Problem::internal())?;
    let rehash = rehash(call, plain, &stored).await;
    let renewed = rehash.as_ref().map(|rehash| rehash.to.expose().to_owned());
    let main = Box::new(Command::SignIn { id, ip: call.peer(), rehash });
    let command = Command::Along { main, also };
    let answer =
        call.write_as_server(Channel::Authentication, command).await.map_err(|problem| {
            // Whoever is gone by now has no password.
            if problem.status == 404 { refusal::wrong_password() } else { problem }
        })?;
    let user = answer.change.as_ref().and_then(|change| change.user()).cloned();
    let user = user.ok_or_else(Problem::internal)?;
    if users::is_blocked(&user) {
        return Err(refusal::blocked());
    }
    let password = user.password();
    if password != Some(stored) && password != renewed {
        return Err(refusal::wrong_password());
    }
    Ok(user)
}

/// A hash of today for a password that is kept in an older way.
async fn rehash(call: &Call, plain: &str, stored: &str) -> Option<Rehash> {
    let from = PasswordHash::from_stored(stored);
    if !from.is_outdated() {
        return None;
    }
    // Whose password is right is let in also when this has to wait for another sign-in.
    let to = call.services.hash_password(&call.tenant, plain.to_owned()).await.ok()?;
    Some(Rehash { from, to: PasswordHash::from_stored(to) })
}

/// Whether people may sign up at a connection by themselves.
pub(super) fn takes_sign_ups(connection: &Object) -> bool {
    let options = connection.get_object("options").unwrap_or_else(Object::empty);
    options.get_bool("disable_signup") != Some(true)
}
