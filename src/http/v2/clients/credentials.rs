//! `/api/v2/clients/{id}/credentials`: the public keys of a client.

use super::public_key::{MAX_PEM_BYTES, PublicKey};
use crate::domain::change::Channel;
use crate::domain::command::{Command, CredentialChange};
use crate::domain::credential::{self, Credential, thumbprint};
use crate::domain::json::{Elements, Object};
use crate::domain::scope::Scope;
use crate::domain::time::Timestamp;
use crate::http::call::Call;
use crate::http::openapi::detail::{Detail, Takes};
use crate::http::problem::Problem;
use crate::http::random;
use crate::http::route::Route;
use crate::http::schema::{self, Extra, Format, Schema, Shape, nullable, property};
use crate::http::v2::{answer_at, json, no_content, route};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

const ALL: &str = "/api/v2/clients/{id}/credentials";
const ONE: &str = "/api/v2/clients/{id}/credentials/{credential}";

/// The routes of credentials.
pub static ROUTES: &[Route] = &[
    route("GET", ALL, &[Scope::READ_CLIENT_CREDENTIALS], "List a client's credentials", |call| {
        Box::pin(async move { list(&call) })
    }),
    route("POST", ALL, &[Scope::CREATE_CLIENT_CREDENTIALS], "Create a credential", |call| {
        Box::pin(create(call))
    }),
    route("GET", ONE, &[Scope::READ_CLIENT_CREDENTIALS], "Get a credential", |call| {
        Box::pin(async move { get(&call) })
    }),
    route("PATCH", ONE, &[Scope::UPDATE_CLIENT_CREDENTIALS], "Update a credential", |call| {
        Box::pin(update(call))
    }),
    route("DELETE", ONE, &[Scope::DELETE_CLIENT_CREDENTIALS], "Delete a credential", |call| {
        Box::pin(delete(call))
    }),
];

/// What they take.
pub static DETAILS: &[Detail] = &[
    Detail::of("POST", &[ALL]).takes(Takes::Json(&[&NEW])),
    Detail::of("PATCH", &[ONE]).takes(Takes::Json(&[&PATCH])),
];

/// `POST …/credentials`
static NEW: Schema = Schema {
    properties: &[
        property("credential_type", Shape::OneOf(&["public_key"]), "The type of credential"),
        property("name", Shape::Text(0, 128), "Friendly name for a credential"),
        property(
            "pem",
            Shape::Text(1, MAX_PEM_BYTES),
            "PEM-formatted public key or X509 certificate",
        ),
        property(
            "alg",
            Shape::OneOf(&["RS256", "RS384", "PS256"]),
            "Algorithm which will be used with the credential",
        ),
        property("kid", Shape::Formatted(1, 255, Format::Solid), "Public key identifier"),
        property("parse_expiry_from_cert", Shape::Boolean, "Parse expiry from x509 certificate"),
        nullable(
            "expires_at",
            Shape::Text(1, 64),
            "The ISO 8601 formatted date representing the expiration of the credential",
        ),
    ],
    required: &["credential_type", "pem"],
    extra: Extra::Refuse(""),
};

/// `PATCH …/credentials/{credential}`
static PATCH: Schema = Schema {
    properties: &[nullable(
        "expires_at",
        Shape::Text(1, 64),
        "The ISO 8601 formatted date representing the expiration of the credential",
    )],
    required: &[],
    extra: Extra::Refuse(""),
};

fn existing(call: &Call) -> Result<Vec<Credential>, Problem> {
    let client =
        call.tenant.published().client(call.params.get("id")).ok_or_else(Problem::no_client)?;
    Ok(credential::all(&client))
}

fn list(call: &Call) -> Result<HttpResponse, Problem> {
    let texts: Vec<String> = existing(call)?.iter().map(|one| one.to_json(true)).collect();
    Ok(json(StatusCode::OK, format!("[{}]", texts.join(","))))
}

fn found(all: Vec<Credential>, id: &str) -> Result<Credential, Problem> {
    all.into_iter().find(|one| one.id == id).ok_or_else(Problem::no_credential)
}

fn get(call: &Call) -> Result<HttpResponse, Problem> {
    let one = found(existing(call)?, call.params.get("credential"))?;
    Ok(json(StatusCode::OK, one.to_json(false)))
}

/// When a credential ends, as a body says it.
fn expiry(body: &Object) -> Result<Option<Timestamp>, Problem> {
    let Some(text) = body.get_str("expires_at") else { return Ok(None) };
    let detail = || format!("Object didn't pass validation for format date-time: {text}");
    let parsed = Timestamp::parse(&text);
    parsed.map(Some).ok_or_else(|| Problem::body(schema::message(&detail(), "expires_at", "")))
}

/// A new credential as a body says it.
fn read(body: &Object, now: Timestamp) -> Result<Credential, Problem> {
    NEW.check(body)?;
    let text = |key: &str| body.get_str(key).map(std::borrow::Cow::into_owned);
    let wrong = |detail: &str| Problem::body(schema::message(detail, "pem", ""));
    let key = PublicKey::read(&text("pem").unwrap_or_default()).map_err(wrong)?;
    let from_certificate =
        key.not_after.filter(|_| body.get_bool("parse_expiry_from_cert") == Some(true));
    let kid = || URL_SAFE_NO_PAD.encode(thumbprint(&key.n, &key.e));
    Ok(Credential {
        id: format!("cred_{}", random::alphanumeric(22)),
        name: text("name"),
        kid: text("kid").unwrap_or_else(kid),
        alg: text("alg").unwrap_or_else(|| "RS256".to_owned()),
        created_at: now,
        updated_at: now,
        expires_at: expiry(body)?.or(from_certificate),
        n: key.n,
        e: key.e,
    })
}

/// The credentials a new client brings along: its settings name them by id then.
///
/// # Errors
/// 400 for what is no credential.
pub(super) fn brought(
    settings: Object,
    now: Timestamp,
) -> Result<(Object, Vec<Credential>), Problem> {
    if !credential::uses_keys(&settings) {
        return Ok((settings, Vec::new()));
    }
    let methods = settings.get_object("client_authentication_methods");
    let keys = methods.and_then(|methods| methods.get_object("private_key_jwt"));
    let keys = keys.and_then(|keys| keys.get("credentials").map(str::to_owned)).unwrap_or_default();
    let made = Elements::of(&keys)
        .map(|raw| read(&Object::trusted(raw), now))
        .collect::<Result<Vec<_>, Problem>>()?;
    if made.len() > credential::MAX_CREDENTIALS {
        return Err(crate::domain::decide::Rejection::TooManyCredentials.into());
    }
    let references: Vec<String> = made.iter().map(|one| credential::reference(&one.id)).collect();
    let settings = credential::choosing(&settings, &references);
    Ok((settings.with(credential::MEMBER, &credential::stored(&made)), made))
}

async fn change(call: &Call, change: CredentialChange) -> Result<crate::tenant::Answer, Problem> {
    let id = call.params.get("id").to_owned();
    call.write(Channel::V2, Command::ChangeCredentials { id, change }).await
}

async fn create(mut call: Call) -> Result<HttpResponse, Problem> {
    let body = call.json().await?;
    let new = read(&body, call.now)?;
    let text = new.to_json(false);
    let answer = change(&call, CredentialChange::Add(Box::new(new))).await?;
    Ok(answer_at(StatusCode::CREATED, answer.version).body(text))
}

async fn update(mut call: Call) -> Result<HttpResponse, Problem> {
    let body = call.json().await?;
    PATCH.check(&body)?;
    let id = call.params.get("credential").to_owned();
    if !body.contains("expires_at") {
        let one = found(existing(&call)?, &id)?;
        return Ok(json(StatusCode::OK, one.to_json(false)));
    }
    let expire = CredentialChange::Expire { credential: id.clone(), at: expiry(&body)? };
    let answer = change(&call, expire).await?;
    let written = super::written(&answer)?;
    let one = found(credential::all(written), &id)?;
    Ok(answer_at(StatusCode::OK, answer.version).body(one.to_json(false)))
}

async fn delete(call: Call) -> Result<HttpResponse, Problem> {
    let credential = call.params.get("credential").to_owned();
    let answer = change(&call, CredentialChange::Remove { credential }).await?;
    Ok(no_content(answer.version))
}
