//! Tenants: made, changed and deleted by the operator, at the default tenant only.

use super::route;
use crate::domain::change::Channel;
use crate::domain::command::{Command, NewClient};
use crate::domain::json::{self, Builder, Object};
use crate::domain::policy::{Compat, SecretStorage};
use crate::domain::resource::{MANAGEMENT_AUDIENCE, Resource, ResourceKind};
use crate::domain::scope::Scope;
use crate::domain::time::{Timestamp, Version};
use crate::http::answer::{json as json_answer, no_content};
use crate::http::call::Call;
use crate::http::openapi::detail::{Detail, Takes};
use crate::http::problem::Problem;
use crate::http::random;
use crate::http::route::Route;
use crate::http::schema::{self, Extra, Property, Schema, Shape, property};
use crate::tenant::{
    DEFAULT_TENANT, DirectoryError, Seeds, TenantDefinition, TenantError, TenantHandle, by_server,
    seed, server_provenance,
};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;

pub(super) const OPERATOR: &[Scope] = &[Scope::DOSSIER_OPERATOR];

/// The routes of tenants.
pub static ROUTES: &[Route] = &[
    route("GET", "/dossier/v1/tenants", OPERATOR, "List tenants", |call| {
        Box::pin(async move { list(&call) })
    }),
    route("POST", "/dossier/v1/tenants", OPERATOR, "Create a tenant", |call| {
        Box::pin(create(call))
    }),
    route("GET", "/dossier/v1/tenants/{id}", OPERATOR, "Get a tenant", |call| {
        Box::pin(async move { get(&call) })
    }),
    route("PATCH", "/dossier/v1/tenants/{id}", OPERATOR, "Update a tenant", |call| {
        Box::pin(update(call))
    }),
    route("DELETE", "/dossier/v1/tenants/{id}", OPERATOR, "Delete a tenant", |call| {
        Box::pin(delete(call))
    }),
];

/// What they take.
pub static DETAILS: &[Detail] = &[
    Detail::of("POST", &["/dossier/v1/tenants"]).takes(Takes::Json(&[&NEW])),
    Detail::of("PATCH", &["/dossier/v1/tenants/{id}"]).takes(Takes::Json(&[&PATCH])),
];

const DOMAINS: Property = property("domains", Shape::Strings, "host names that choose the tenant");
const COMPAT: Property = property("compat", Shape::OneOf(&["lenient", "strict"]), "");
const SECRETS: Property = property("client_secrets", Shape::OneOf(&["plain", "hashed"]), "");

static NEW: Schema = Schema {
    properties: &[
        property("id", Shape::Text(1, 63), "the tenant's name"),
        DOMAINS,
        COMPAT,
        SECRETS,
    ],
    required: &["id"],
    extra: Extra::Refuse(""),
};
static PATCH: Schema =
    Schema { properties: &[DOMAINS, COMPAT, SECRETS], required: &[], extra: Extra::Refuse("") };

/// Elsewhere there are no tenants to speak of.
pub(super) fn at_default(call: &Call) -> Result<(), Problem> {
    let default = call.services.directory.default_tenant().uid();
    if call.tenant.uid() == default { Ok(()) } else { Err(Problem::no_route()) }
}

/// Tenants have no tag: a condition is refused rather than passed over.
pub(super) fn unconditional(call: &Call) -> Result<(), Problem> {
    if call.condition()?.is_empty() {
        return Ok(());
    }
    Err(Problem::new(400, "invalid_header", "Tenants have no tag: conditions are not taken here."))
}

pub(super) fn builder(definition: &TenantDefinition) -> Builder {
    let mut out = Builder::new();
    out.string("id", &definition.id)
        .raw("domains", &json::array_of(&definition.domains))
        .string(
            "compat",
            match definition.compat {
                Compat::Lenient => "lenient",
                Compat::Strict => "strict",
            },
        )
        .string(
            "client_secrets",
            match definition.secrets {
                SecretStorage::Plain => "plain",
                SecretStorage::Hashed => "hashed",
            },
        );
    out
}

/// `definition` with what a body says in its place.
fn redefined(definition: TenantDefinition, body: &Object) -> Result<TenantDefinition, Problem> {
    let is = |key: &str, value: &str| body.get_str(key).map(|own| own == value);
    let domains = match body.get_strings("domains") {
        Some(domains) => checked(domains)?,
        None => definition.domains,
    };
    Ok(TenantDefinition {
        id: definition.id,
        domains,
        compat: match is("compat", "strict") {
            Some(true) => Compat::Strict,
            Some(false) => Compat::Lenient,
            None => definition.compat,
        },
        secrets: match is("client_secrets", "hashed") {
            Some(true) => SecretStorage::Hashed,
            Some(false) => SecretStorage::Plain,
            None => definition.secrets,
        },
    })
}

/// Host names as they are compared: lower case, no port, each once.
pub(super) fn checked(domains: Vec<String>) -> Result<Vec<String>, Problem> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let mut kept: Vec<String> = Vec::new();
    for (at, domain) in domains.into_iter().enumerate() {
        let domain = domain.to_ascii_lowercase();
        if domain.len() > 253 || !domain.split('.').all(is_label) {
            let path = format!("domains[{at}]");
            return Err(Problem::body(schema::message(
                "A domain is a host name without scheme and port",
                &path,
                "",
            )));
        }
        if !kept.contains(&domain) {
            kept.push(domain);
        }
    }
    Ok(kept)
}

fn list(call: &Call) -> Result<HttpResponse, Problem> {
    at_default(call)?;
    let directory = &call.services.directory;
    let texts: Vec<String> = directory
        .tenants()
        .iter()
        .filter_map(|tenant| directory.definition(tenant.id()))
        .map(|definition| builder(&definition).finish())
        .collect();
    Ok(json_answer(StatusCode::OK, format!("{{\"tenants\":[{}]}}", texts.join(","))))
}

pub(super) fn existing(call: &Call) -> Result<TenantDefinition, Problem> {
    let found = call.services.directory.definition(call.params.get("id"));
    found.ok_or_else(|| DirectoryError::NotFound.into())
}

fn get(call: &Call) -> Result<HttpResponse, Problem> {
    at_default(call)?;
    Ok(json_answer(StatusCode::OK, builder(&existing(call)?).finish()))
}

async fn create(mut call: Call) -> Result<HttpResponse, Problem> {
    at_default(&call)?;
    unconditional(&call)?;
    let body = call.json().await?;
    NEW.check(&body)?;
    let id = body.get_str("id").unwrap_or_default();
    let definition = redefined(TenantDefinition::named(&id), &body)?;
    if call.is_rehearsed() {
        let command = call.services.directory.creation(&definition)?;
        call.write(Channel::Dossier, command).await?;
        // No client is made, so there is none to show.
        return Ok(json_answer(StatusCode::CREATED, builder(&definition).finish()));
    }
    let seeds = Seeds {
        connection_id: format!("con_{}", random::alphanumeric(16)),
        global_client_id: random::alphanumeric(32),
        global_client_secret: random::secret(64),
    };
    let (services, caller, now) = (call.services.clone(), call.caller.clone(), call.now);
    let provenance = call.provenance(Channel::Dossier);
    let mut out = builder(&definition);
    // In a task of its own: a caller that goes away leaves no half of a tenant.
    let making = async move {
        let fill = async |tenant: &TenantHandle| {
            seed(tenant, seeds, now).await?;
            Ok(first_client(tenant, now).await?)
        };
        services.directory.make(&caller, provenance, &definition, fill, now).await
    };
    let made: Result<_, DirectoryError> =
        actix_web::rt::spawn(making).await.map_err(|_| Problem::internal())?;
    out.raw("client", &made?.1);
    Ok(json_answer(StatusCode::CREATED, out.finish()))
}

/// Gives a new tenant a client that may do everything there, so that it can be used at
/// once; answers its id and secret, which is shown this once.
pub(super) async fn first_client(
    tenant: &TenantHandle,
    now: Timestamp,
) -> Result<String, TenantError> {
    let (id, secret) = (random::alphanumeric(32), random::secret(64));
    let client = Command::CreateClient(Box::new(NewClient::machine(&id, "First client", &secret)));
    let grant = Command::CreateResource(Box::new(full_grant(&id)));
    for command in [client, grant] {
        tenant.write(by_server(command), server_provenance(), now).await?;
    }
    let mut out = Builder::new();
    out.string("client_id", &id).string("client_secret", &secret);
    Ok(out.finish())
}

/// A grant of everything at the tenant's management API, but not of other tenants.
fn full_grant(client_id: &str) -> Resource {
    let scopes = Scope::served(false).map(Scope::name);
    let mut body = Builder::new();
    body.string("client_id", client_id)
        .string("audience", MANAGEMENT_AUDIENCE)
        .raw("scope", &json::array_of(scopes));
    Resource {
        kind: ResourceKind::ClientGrant,
        id: format!("cgr_{}", random::alphanumeric(16)),
        version: Version::ZERO,
        body: body.object(),
    }
}

async fn update(mut call: Call) -> Result<HttpResponse, Problem> {
    at_default(&call)?;
    unconditional(&call)?;
    let body = call.json().await?;
    PATCH.check(&body)?;
    let before = existing(&call)?;
    if before.id == DEFAULT_TENANT {
        return Err(Problem::new(
            400,
            "operation_not_supported",
            "The default tenant is what the configuration says.",
        ));
    }
    let definition = redefined(before, &body)?;
    if call.is_rehearsed() {
        if let Some(command) = call.services.directory.redefinition(&definition)? {
            call.write(Channel::Dossier, command).await?;
        }
        return Ok(json_answer(StatusCode::OK, builder(&definition).finish()));
    }
    let provenance = call.provenance(Channel::Dossier);
    let directory = &call.services.directory;
    directory.redefine(&call.caller, provenance, &definition, call.now).await?;
    Ok(json_answer(StatusCode::OK, builder(&definition).finish()))
}

async fn delete(call: Call) -> Result<HttpResponse, Problem> {
    at_default(&call)?;
    unconditional(&call)?;
    let id = call.params.get("id");
    if call.is_rehearsed() {
        let answer = call.write(Channel::Dossier, call.services.directory.deletion(id)?).await?;
        return Ok(no_content(answer.version));
    }
    let provenance = call.provenance(Channel::Dossier);
    let directory = &call.services.directory;
    let uid = directory.delete(&call.caller, provenance, id, call.now).await?;
    call.services.tokens.forget_tenant(uid.0);
    Ok(no_content(directory.default_tenant().published().version()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Object {
        Object::parse(text, 8).unwrap()
    }

    #[test]
    fn a_patch_changes_what_it_names() {
        let before = TenantDefinition {
            domains: vec!["a.example".to_owned()],
            compat: Compat::Strict,
            ..TenantDefinition::named("alpha")
        };
        let after = redefined(before.clone(), &object(r#"{"client_secrets":"hashed"}"#)).unwrap();
        assert_eq!(
            builder(&after).finish(),
            r#"{"id":"alpha","domains":["a.example"],"compat":"strict","client_secrets":"hashed"}"#
        );
        assert_eq!(redefined(before.clone(), &Object::empty()).unwrap(), before);
    }

    #[test]
    fn domains_are_host_names() {
        let take = |text: &str| checked(vec![text.to_owned(), "b.example".to_owned()]);
        assert_eq!(take("B.Example").unwrap(), ["b.example"]);
        for bad in ["", "https://a", "a:80", "a..b", "a/b", "a b", "ä.example"] {
            assert!(take(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_first_client_may_do_everything_but_operate() {
        let grant = full_grant("c");
        let scopes = grant.body.get_strings("scope").unwrap();
        assert!(scopes.contains(&"delete:users".to_owned()));
        assert!(!scopes.contains(&"dossier:operator".to_owned()));
    }
}
