//! `/api/v2/tenants/settings` (CONTRACT.md §7.2).
//!
//! Most of them steer pages Dossier does not have: they are kept and shown, so that a
//! configuration goes there and back unchanged.

use super::connections::written;
use super::fields::{self, Fields, selected};
use super::{answer_at, route, show};
use crate::domain::change::Channel;
use crate::domain::command::Command;
use crate::domain::json::{Object, quoted};
use crate::domain::resource::ResourceKind;
use crate::domain::scope::Scope;
use crate::domain::time::Version;
use crate::http::call::Call;
use crate::http::openapi::detail::{Detail, Takes};
use crate::http::problem::Problem;
use crate::http::route::Route;
use crate::http::schema::{self, Extra, Schema, Shape, nullable};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;

/// The routes of the settings.
pub static ROUTES: &[Route] = &[
    route(
        "GET",
        "/api/v2/tenants/settings",
        &[Scope::READ_TENANT_SETTINGS],
        "Get the tenant's settings",
        |call| Box::pin(async move { get(&call) }),
    ),
    route(
        "PATCH",
        "/api/v2/tenants/settings",
        &[Scope::UPDATE_TENANT_SETTINGS],
        "Update the tenant's settings",
        |call| Box::pin(update(call)),
    ),
];

/// What they take.
pub static DETAILS: &[Detail] = &[
    Detail::of("GET", &["/api/v2/tenants/settings"]).query(&[fields::PARAMETERS]),
    Detail::of("PATCH", &["/api/v2/tenants/settings"]).takes(Takes::Json(&[&PATCH])),
];

/// The one id there is.
const ID: &str = "settings";

/// What a tenant has before anybody changes it.
const DEFAULTS: &str = concat!(
    r#"{"allowed_logout_urls":[],"change_password":{"enabled":false,"html":""},"enabled_locales":["en"],"#,
    r#""error_page":{"html":"","show_log_link":false,"url":""},"#,
    r#""flags":{"allow_legacy_delegation_grant_types":false,"allow_legacy_ro_grant_types":false,"#,
    r#""change_pwd_flow_v1":false,"disable_clickjack_protection_headers":false,"#,
    r#""enable_apis_section":false,"enable_client_connections":false,"#,
    r#""enable_custom_domain_in_emails":false,"enable_dynamic_client_registration":false,"#,
    r#""enable_legacy_logs_search_v2":false,"enable_pipeline2":false,"#,
    r#""enable_public_signup_user_exists_error":true,"universal_login":true},"#,
    r#""friendly_name":"","guardian_mfa_page":{"enabled":false,"html":""},"#,
    r#""idle_session_lifetime":72,"picture_url":"","sandbox_version":"22","session_lifetime":168,"#,
    r#""support_email":"","support_url":"","#,
    r##""universal_login":{"colors":{"page_background":"#000000","primary":"#635dff"}},"##,
    r#""session_cookie":{"mode":"non-persistent"},"sandbox_versions_available":["22"]}"#,
);

/// `PATCH /tenants/settings`; `null` goes back to the default.
static PATCH: Schema = Schema {
    properties: &[
        nullable("allowed_logout_urls", Shape::Strings, ""),
        nullable("acr_values_supported", Shape::Strings, ""),
        nullable("change_password", Shape::Object, ""),
        nullable("country_codes", Shape::Object, ""),
        nullable("customize_mfa_in_postlogin_action", Shape::Boolean, ""),
        nullable("default_audience", Shape::Text(0, 600), "Default API Audience"),
        nullable(
            "default_directory",
            Shape::Text(0, 128),
            "Name of connection used for password grants at the token endpoint",
        ),
        nullable("default_redirection_uri", Shape::Text(0, 2048), ""),
        nullable("default_token_quota", Shape::Object, ""),
        nullable("device_flow", Shape::Object, ""),
        nullable("dynamic_client_registration_security_mode", Shape::Text(0, 64), ""),
        nullable("enable_ai_guide", Shape::Boolean, ""),
        nullable("enabled_locales", Shape::Strings, ""),
        nullable("ephemeral_session_lifetime", Shape::Any, ""),
        nullable("error_page", Shape::Object, ""),
        nullable("flags", Shape::Object, ""),
        nullable("friendly_name", Shape::Text(0, 255), ""),
        nullable("guardian_mfa_page", Shape::Object, ""),
        nullable("idle_ephemeral_session_lifetime", Shape::Any, ""),
        nullable("idle_session_lifetime", Shape::Any, ""),
        nullable("mtls", Shape::Object, ""),
        nullable("oidc_logout", Shape::Object, ""),
        nullable("phone_consolidated_experience", Shape::Boolean, ""),
        nullable("picture_url", Shape::Text(0, 2048), ""),
        nullable("pushed_authorization_requests_supported", Shape::Boolean, ""),
        nullable("resource_parameter_profile", Shape::Text(0, 64), ""),
        nullable("sandbox_version", Shape::Text(1, 8), ""),
        nullable("legacy_sandbox_version", Shape::Text(1, 8), ""),
        nullable("session_cookie", Shape::Object, ""),
        nullable("session_lifetime", Shape::Any, ""),
        nullable("sessions", Shape::Object, ""),
        nullable("skip_non_verifiable_callback_uri_confirmation_prompt", Shape::Boolean, ""),
        nullable("support_email", Shape::Text(0, 254), ""),
        nullable("support_url", Shape::Text(0, 2048), ""),
        nullable("universal_login", Shape::Object, ""),
        nullable("allow_organization_name_in_authentication_api", Shape::Boolean, ""),
        nullable("authorization_response_iss_parameter_supported", Shape::Boolean, ""),
        nullable("client_id_metadata_document_supported", Shape::Boolean, ""),
        nullable("ephemeral_session_lifetime_in_minutes", Shape::Any, ""),
        nullable("idle_ephemeral_session_lifetime_in_minutes", Shape::Any, ""),
        nullable("idle_session_lifetime_in_minutes", Shape::Any, ""),
        nullable("include_session_metadata_in_tenant_logs", Shape::Boolean, ""),
        nullable("security_headers", Shape::Object, ""),
        nullable("session_lifetime_in_minutes", Shape::Any, ""),
    ],
    required: &[],
    extra: Extra::Refuse(""),
};

/// The defaults with what was set in their place; flags are set one by one.
fn merged(tenant: &str, stored: &Object) -> Object {
    let defaults = Object::trusted(DEFAULTS).with("friendly_name", &quoted(tenant));
    let flags = match (defaults.get_object("flags"), stored.get_object("flags")) {
        (Some(own), Some(set)) => Some(own.merge_root(&set)),
        (own, _) => own,
    };
    let merged = defaults.merge_root(stored);
    match flags {
        Some(flags) => merged.with("flags", flags.as_json()),
        None => merged,
    }
}

fn get(call: &Call) -> Result<HttpResponse, Problem> {
    call.query.only(fields::PARAMETERS)?;
    let fields = Fields::of(&call.query, None)?;
    let stored = call.tenant.published().resource(ResourceKind::Settings, ID);
    let (version, stored) = stored.map_or_else(
        || (Version::ZERO, Object::empty()),
        |stored| (stored.version, stored.body.clone()),
    );
    let text = merged(call.tenant.id(), &stored);
    show(call, version, selected(fields.as_ref(), text.as_json(), &[]))
}

async fn update(mut call: Call) -> Result<HttpResponse, Problem> {
    let patch = call.json().await?;
    PATCH.check(&patch)?;
    if patch.is_empty() {
        let detail = "Too few properties defined (0), minimum 1";
        return Err(Problem::body(schema::message(detail, "", "")));
    }
    let command =
        Command::UpdateResource { kind: ResourceKind::Settings, id: ID.to_owned(), patch };
    let answer = call.write(Channel::V2, command).await?;
    let stored = written(&answer)?;
    let text = merged(call.tenant.id(), &stored.body);
    Ok(answer_at(StatusCode::OK, stored.version).body(text.as_json().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_an_object_with_what_clients_read() {
        let settings = merged("alpha", &Object::empty());
        Object::parse(settings.as_json(), 8).unwrap();
        assert_eq!(settings.get_str("friendly_name").as_deref(), Some("alpha"));
        for key in ["flags", "session_cookie", "sandbox_versions_available", "universal_login"] {
            assert!(settings.contains(key), "{key}");
        }
    }

    #[test]
    fn flags_are_set_one_by_one() {
        let stored = Object::parse(r#"{"flags":{"enable_pipeline2":true},"support_url":"x"}"#, 8);
        let settings = merged("a", &stored.unwrap());
        let flags = settings.get_object("flags").unwrap();
        assert_eq!(flags.get_bool("enable_pipeline2"), Some(true));
        assert_eq!(flags.get_bool("universal_login"), Some(true));
        assert_eq!(settings.get_str("support_url").as_deref(), Some("x"));
    }
}
