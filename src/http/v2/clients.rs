//! `/api/v2/clients` (CONTRACT.md §4).

pub mod connections;
pub mod credentials;
mod public_key;

use super::fields::{self, Fields};
use super::list::Part;
use super::{answer_at, no_content, wire};
use crate::domain::change::Channel;
use crate::domain::client::{Client, Secret};
use crate::domain::command::{Command, NewClient};
use crate::domain::credential;
use crate::domain::patch::Patch;
use crate::domain::permit::Forbidden;
use crate::domain::resource::ResourceKind;
use crate::domain::scope::Scope;
use crate::http::call::{Call, SECRETS};
use crate::http::problem::Problem;
use crate::http::signing_key::{self, SigningKey};
use crate::http::{patches, random, schema};
use crate::tenant::Answer;
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use std::sync::Arc;

/// What a caller with nothing but `read:client_summary` sees.
const SUMMARY: &[&str] = &["tenant", "global", "client_id", "app_type", "name", "description"];

/// Scopes that show more than the summary.
const FULL: &[Scope] = &[
    Scope::READ_CLIENTS,
    Scope::READ_CLIENT_KEYS,
    Scope::READ_CLIENT_CREDENTIALS,
    Scope::CREATE_CLIENTS,
    Scope::UPDATE_CLIENTS,
    Scope::UPDATE_CLIENT_KEYS,
];

fn shown(call: &Call, client: &Client, fields: Option<&Fields>) -> String {
    let text = client.to_json(call.tenant.id(), call.sees_secrets(&client.id, SECRETS));
    let text = if call.caller.has_any(FULL) {
        text
    } else {
        crate::domain::json::Object::trusted(&text)
            .filtered(|key| SUMMARY.contains(&key))
            .as_json()
            .to_owned()
    };
    match fields {
        Some(fields) => fields.cut(&text, &["tenant"]),
        None => text,
    }
}

/// The wanted members; asking for the secret by name without the scope is refused (CONTRACT.md §4.3).
fn wanted(call: &Call) -> Result<Option<Fields>, Problem> {
    let fields = Fields::of(&call.query, None)?;
    if fields.as_ref().is_some_and(|fields| fields.names("client_secret"))
        && !call.caller.has_any(SECRETS)
    {
        return Err(Forbidden::Scope { expected: SECRETS }.into());
    }
    Ok(fields)
}

pub(super) fn get(call: &Call) -> Result<HttpResponse, Problem> {
    call.query.only(fields::PARAMETERS)?;
    let fields = wanted(call)?;
    let client =
        call.tenant.published().client(call.params.get("id")).ok_or_else(Problem::no_client)?;
    if call.is_unchanged(client.version)? {
        return Ok(answer_at(StatusCode::NOT_MODIFIED, client.version).finish());
    }
    let body = shown(call, &client, fields.as_ref());
    Ok(answer_at(StatusCode::OK, client.version).body(body))
}

fn written(answer: &Answer) -> Result<&Arc<Client>, Problem> {
    answer.change.as_ref().and_then(|change| change.client()).ok_or_else(Problem::internal)
}

pub(super) async fn create(mut call: Call) -> Result<HttpResponse, Problem> {
    let body = call.json().await?;
    let body = wire::new_client(&body, call.tenant.rules().compat)?;
    let secret = body.secret.unwrap_or_else(|| random::secret(64));
    let (settings, made) = credentials::brought(body.settings, call.now)?;
    let signing = SigningKey::for_call(&call)?;
    let new = NewClient {
        id: random::alphanumeric(32),
        secret: secret.clone(),
        settings: settings.with(signing_key::MEMBER, &signing.kept()),
        client_metadata: body.client_metadata,
        is_global: false,
    };
    let answer = call.write(Channel::V2, Command::CreateClient(Box::new(new))).await?;
    let client = written(&answer)?;
    // Who made the secrets sees them this once, whatever is kept of them.
    let mut seen = Client {
        secret: Some(Secret::Plain(secret.clone())),
        settings: client.settings.with(signing_key::MEMBER, &signing.shown_once()),
        ..client.as_ref().clone()
    };
    if !made.is_empty() {
        let whole: Vec<String> = made.iter().map(|one| one.to_json(false)).collect();
        seen.settings = credential::choosing(&seen.settings, &whole);
    }
    let body = wire::with_creation_members(&seen.to_json(call.tenant.id(), true), &secret);
    Ok(answer_at(StatusCode::CREATED, client.version).body(body))
}

pub(super) async fn update(mut call: Call) -> Result<HttpResponse, Problem> {
    let id = call.params.get("id").to_owned();
    if let Some(patch) = patches::patch(&mut call, &["client_metadata"]).await? {
        return update_by_dialect(&call, id, patch).await;
    }
    let body = call.json().await?;
    let patch = wire::client_patch(&body, call.tenant.rules().compat)?;
    let answer =
        call.write(Channel::V2, Command::UpdateClient { id, patch: Box::new(patch) }).await?;
    let client = written(&answer)?;
    let body = shown(&call, client, None);
    Ok(answer_at(StatusCode::OK, client.version).body(body))
}

/// A patch that changes nothing uses no version: the client is shown as it is.
async fn update_by_dialect(call: &Call, id: String, patch: Patch) -> Result<HttpResponse, Problem> {
    if patch.expires_keys() {
        return Err(Problem::body("Only keys of users can expire."));
    }
    let command =
        Command::PatchClient { id: id.clone(), patch: Box::new(patch), body: wire::patched_client };
    let answer = call.write(Channel::V2, command).await?;
    let client = match answer.change.as_ref().and_then(|change| change.client()) {
        Some(client) => client.clone(),
        None => call.tenant.published().client(&id).ok_or_else(Problem::no_client)?,
    };
    let body = shown(call, &client, None);
    Ok(answer_at(StatusCode::OK, client.version).body(body))
}

pub(super) async fn rotate(mut call: Call) -> Result<HttpResponse, Problem> {
    call.json_or_empty().await?;
    let id = call.params.get("id").to_owned();
    let secret = random::secret(64);
    let answer =
        call.write(Channel::V2, Command::RotateSecret { id, secret: secret.clone() }).await?;
    let client = written(&answer)?;
    let seen = Client { secret: Some(Secret::Plain(secret)), ..client.as_ref().clone() };
    Ok(answer_at(StatusCode::OK, client.version).body(seen.to_json(call.tenant.id(), true)))
}

pub(super) async fn delete(call: Call) -> Result<HttpResponse, Problem> {
    let id = call.params.get("id").to_owned();
    let answer = call.write(Channel::V2, Command::DeleteClient { id: id.clone() }).await?;
    call.services.tokens.forget_client(call.tenant.uid().0, &id);
    Ok(no_content(answer.version))
}

pub(super) const LIST_PARAMETERS: &[&str] = &[
    "fields",
    "include_fields",
    "page",
    "per_page",
    "include_totals",
    "from",
    "take",
    "is_global",
    "is_first_party",
    "app_type",
    "external_client_id",
    "q",
];

pub(super) fn list(call: &Call) -> Result<HttpResponse, Problem> {
    call.query.only(LIST_PARAMETERS)?;
    let about = "Number of results per page. Default value is 50, maximum value is 100";
    let part = Part::described(call, about)?;
    let part = if call.query.get("q").is_some() { part.after() } else { part };
    let fields = wanted(call)?;
    let clients = filtered(call)?;
    let id_of = |client: &Arc<Client>| client.id.clone();
    let text_of = |client: &Arc<Client>| signing_key::listed(&shown(call, client, fields.as_ref()));
    Ok(part.answer_with("clients", &clients, id_of, text_of))
}

/// All clients the parameters ask for, in the order of their ids.
fn filtered(call: &Call) -> Result<Vec<Arc<Client>>, Problem> {
    let is_global = call.query.flag("is_global")?;
    let is_first_party = call.query.flag("is_first_party")?;
    let app_types: Option<Vec<&str>> = call
        .query
        .get("app_type")
        .filter(|types| !types.is_empty())
        .map(|types| types.split(',').collect());
    let external = call.query.get("external_client_id");
    let granted = call.query.get("q").map(|q| granted(call, q)).transpose()?;
    let clients = call.tenant.published().clients();
    Ok(clients
        .into_iter()
        .filter(|client| {
            granted.as_ref().is_none_or(|ids| ids.contains(&client.id))
                && is_global.is_none_or(|wanted| client.is_global == wanted)
                && is_first_party
                    .is_none_or(|wanted| client.settings.get_bool("is_first_party") == Some(wanted))
                && app_types.as_ref().is_none_or(|types| {
                    client
                        .settings
                        .get_str("app_type")
                        .is_some_and(|own| types.contains(&own.as_ref()))
                })
                && external.is_none_or(|wanted| {
                    client.settings.get_str("external_client_id").is_some_and(|own| own == wanted)
                })
        })
        .collect())
}

/// The ids of the clients whose grants `q` is about; there are no organizations.
fn granted(call: &Call, q: &str) -> Result<Vec<String>, Problem> {
    let any = match q.split_once(':') {
        Some(("client_grant.organization_id", _)) => return Ok(Vec::new()),
        Some(("client_grant.allow_any_organization", value)) => value == "true",
        Some(_) | None => {
            let detail = "q takes client_grant.organization_id:<id> or client_grant.allow_any_organization:true";
            return Err(Problem::query(schema::query_message(detail, "q", "")));
        }
    };
    let grants = call.tenant.published().resources(ResourceKind::ClientGrant);
    Ok(grants
        .iter()
        .filter(|grant| grant.body.get_bool("allow_any_organization").unwrap_or(false) == any)
        .filter_map(|grant| grant.body.get_str("client_id").map(std::borrow::Cow::into_owned))
        .collect())
}
