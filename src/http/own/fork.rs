//! `POST /dossier/v1/tenants/{id}/fork`: a new tenant from the state of another.

use super::history::{forgotten, point_of, reader};
use super::tenants::{
    OPERATOR, at_default, builder, checked, existing, first_client, unconditional,
};
use super::{history, route};
use crate::domain::change::Channel;
use crate::domain::json::{self, Kind, Object};
use crate::domain::time::Version;
use crate::http::answer::json as json_answer;
use crate::http::call::Call;
use crate::http::openapi::detail::{Detail, Takes};
use crate::http::problem::Problem;
use crate::http::random;
use crate::http::route::Route;
use crate::http::schema::{Extra, Schema, Shape, property};
use crate::tenant::history::{Since, Unknown};
use crate::tenant::{DirectoryError, ForkPast, ForkSource, TenantDefinition, TenantHandle};
use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};

const FORK: &str = "/dossier/v1/tenants/{id}/fork";

/// Characters of a client's secret.
const SECRET_CHARS: usize = 64;

/// The route of this module.
pub static ROUTES: &[Route] =
    &[route("POST", FORK, OPERATOR, "Create a tenant from the state of another", |call| {
        Box::pin(fork(call))
    })];

/// What it takes.
pub static DETAILS: &[Detail] =
    &[Detail::of("POST", &[FORK]).takes(Takes::Json(&[&NEW])).statuses(&[201])];

static NEW: Schema = Schema {
    properties: &[
        property("id", Shape::Text(1, 63), "the new tenant's name"),
        property("as_of", Shape::Any, "the version, or the RFC 3339 time, whose state it gets"),
        property(
            "keep_unknown",
            Shape::Boolean,
            "whether users and clients are taken as they are now that changed more often since than is kept",
        ),
        property("domains", Shape::Strings, "host names that choose the new tenant"),
    ],
    required: &["id"],
    extra: Extra::Refuse(""),
};

async fn fork(mut call: Call) -> Result<HttpResponse, Problem> {
    at_default(&call)?;
    unconditional(&call)?;
    let body = call.json().await?;
    NEW.check(&body)?;
    let model = existing(&call)?;
    let source = call.services.directory.tenant(&model.id).ok_or(DirectoryError::NotFound)?;
    let definition = TenantDefinition {
        id: body.get_str("id").unwrap_or_default().into_owned(),
        domains: checked(body.get_strings("domains").unwrap_or_default())?,
        ..model
    };
    let source = state_of(&call, &source, &body).await?;
    let as_now = source.as_now().to_vec();
    if call.is_rehearsed() {
        let command = call.services.directory.creation(&definition)?;
        call.write(Channel::Dossier, command).await?;
        return Ok(json_answer(StatusCode::CREATED, told(&definition, &as_now).finish()));
    }
    let client = make(&call, definition.clone(), source).await?;
    let mut out = told(&definition, &as_now);
    out.raw("client", &client);
    Ok(json_answer(StatusCode::CREATED, out.finish()))
}

/// The new tenant, and what of it is not as it was.
fn told(definition: &TenantDefinition, as_now: &[String]) -> json::Builder {
    let mut out = builder(definition);
    if !as_now.is_empty() {
        out.raw("as_they_are_now", &json::array_of(as_now));
    }
    out
}

/// What is copied: the tenant as it is, or as it was.
async fn state_of(
    call: &Call,
    source: &TenantHandle,
    body: &Object,
) -> Result<ForkSource, Problem> {
    let as_of = body.get("as_of").filter(|raw| Kind::of(raw) != Kind::Null);
    // Before the past is looked at: what is touched after this counts as touched.
    let view = source.view().await?;
    let Some(as_of) = as_of else { return Ok(ForkSource { view, past: None }) };
    let text = json::unquote(as_of);
    let point = point_of(view.version, "as_of", &text).map_err(Problem::of_body)?;
    let (look, history) = reader(call, source.uid()).await?;
    let keeps = body.get_bool("keep_unknown").unwrap_or(false);
    let unknown = if keeps { Unknown::Keep } else { Unknown::Refuse };
    let own = look.clone();
    let read = web::block(move || {
        Ok(match own.version_at(point, unknown)? {
            Err(oldest) => Err(oldest),
            Ok(version) => match own.touched_since(version, unknown)? {
                Since::Beyond(oldest) => Err(oldest),
                Since::Touched(touched) => Ok((version, touched)),
            },
        })
    });
    let found = read.await.map_err(|_| Problem::internal())?;
    let found = found.map_err(|error| history::failed(&history, &error))?;
    let (version, touched) = found.map_err(beyond)?;
    Ok(ForkSource { view, past: Some(ForkPast { look, version, touched }) })
}

/// The history does not reach back so far.
fn beyond(oldest: Version) -> Problem {
    Problem { members: vec![("oldest_version", oldest.to_string())], ..forgotten() }
}

/// Makes the tenant, in a task of its own: a caller that goes away leaves no half of one.
async fn make(
    call: &Call,
    definition: TenantDefinition,
    source: ForkSource,
) -> Result<String, Problem> {
    let (services, caller, now) = (call.services.clone(), call.caller.clone(), call.now);
    let provenance = call.provenance(Channel::Dossier);
    let making = async move {
        let fill = async |tenant: &TenantHandle| {
            let secret = || random::secret(SECRET_CHARS);
            source.copy(tenant, &secret, now).await?;
            Ok(first_client(tenant, now).await?)
        };
        let made = services.directory.make(&caller, provenance, &definition, fill, now).await?;
        log::info!(tenant = definition.id, version:% = source.version(); "a tenant was made from another");
        Ok(made.1)
    };
    let made: Result<String, DirectoryError> =
        actix_web::rt::spawn(making).await.map_err(|_| Problem::internal())?;
    Ok(made?)
}
