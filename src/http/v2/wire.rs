//! The bodies of users and clients: what may be in them, and what they become.

use crate::domain::command::{ClientPatch, Field, NewUser, PICTURE_HOST, UserPatch};
use crate::domain::json::{self, Builder, Object};
use crate::domain::policy::Compat;
use crate::domain::resource::Family;
use crate::domain::user::Profile;
use crate::http::call::Call;
use crate::http::problem::Problem;
use crate::http::schema::{self, Extra, Format, Property, Schema, Shape, nullable, property};

const NEW_USER_HINT: &str = "(consider storing them in app_metadata or user_metadata. See \"Users Metadata\" in https://auth0.com/docs/api/v2/changes for more details)";
const ABOUT_USER_METADATA: &str = "User metadata to which this user has read/write access";
const ABOUT_APP_METADATA: &str = "User metadata to which this user has read-only access";

/// `POST /users` (CONTRACT.md §2.2).
static NEW_USER: Schema = Schema {
    properties: NEW_USER_PROPERTIES,
    required: &["connection"],
    extra: Extra::Refuse(NEW_USER_HINT),
};

/// The same where a missing connection means the default one.
pub(super) static NEW_USER_LENIENT: Schema =
    Schema { properties: NEW_USER_PROPERTIES, required: &[], extra: Extra::Refuse(NEW_USER_HINT) };

const NEW_USER_PROPERTIES: &[Property] = &[
    property(
        "connection",
        Shape::Text(1, 255),
        "Name of the connection this user should be created in",
    ),
    property("email", Shape::Formatted(1, 254, Format::Email), "The user's email"),
    property(
        "phone_number",
        Shape::Formatted(1, 16, Format::Phone),
        "The user's phone number (following the E.164 recommendation)",
    ),
    property("user_metadata", Shape::Object, ABOUT_USER_METADATA),
    property("app_metadata", Shape::Object, ABOUT_APP_METADATA),
    property(
        "blocked",
        Shape::Boolean,
        "Whether this user was blocked by an administrator (true) or not (false)",
    ),
    property(
        "email_verified",
        Shape::Boolean,
        "Whether this email address is verified (true) or unverified (false)",
    ),
    property(
        "phone_verified",
        Shape::Boolean,
        "Whether this phone number has been verified (true) or not (false)",
    ),
    property(
        "verify_email",
        Shape::Boolean,
        "Whether the user will receive a verification email after creation (true) or no email (false)",
    ),
    property("given_name", Shape::Text(1, 150), "The user's given name(s)"),
    property("family_name", Shape::Text(1, 150), "The user's family name(s)"),
    property("name", Shape::Text(1, 300), "The user's full name"),
    property("nickname", Shape::Text(1, 300), "The user's nickname"),
    property(
        "picture",
        Shape::Formatted(1, 2048, Format::Uri),
        "A URI pointing to the user's picture",
    ),
    property(
        "user_id",
        Shape::Formatted(0, 255, Format::Solid),
        "The external user's id provided by the identity provider",
    ),
    property("password", Shape::Text(1, 1024), "Initial password for this user"),
    property("username", Shape::Formatted(1, 128, Format::Solid), "The user's username"),
];

/// `PATCH /users/{id}` (CONTRACT.md §2.4).
pub(super) static USER_PATCH: Schema = Schema {
    properties: &[
        property(
            "blocked",
            Shape::Boolean,
            "Whether this user was blocked by an administrator (true) or not (false)",
        ),
        property(
            "email_verified",
            Shape::Boolean,
            "Whether this email address is verified (true) or unverified (false)",
        ),
        nullable("email", Shape::Formatted(1, 254, Format::Email), "Email address of this user"),
        nullable(
            "phone_number",
            Shape::Formatted(1, 16, Format::Phone),
            "The user's phone number (following the E.164 recommendation)",
        ),
        property(
            "phone_verified",
            Shape::Boolean,
            "Whether this phone number has been verified (true) or not (false)",
        ),
        property("user_metadata", Shape::Object, ABOUT_USER_METADATA),
        property("app_metadata", Shape::Object, ABOUT_APP_METADATA),
        nullable("given_name", Shape::Text(1, 150), "Given name/first name/forename of this user"),
        nullable("family_name", Shape::Text(1, 150), "Family name/last name/surname of this user"),
        nullable("name", Shape::Text(1, 300), "Name of this user"),
        nullable("nickname", Shape::Text(1, 300), "Preferred nickname or alias of this user"),
        nullable(
            "picture",
            Shape::Formatted(1, 2048, Format::Uri),
            "URL to picture, photo, or avatar of this user",
        ),
        property(
            "verify_email",
            Shape::Boolean,
            "Whether this user will receive a verification email after creation (true) or no email (false)",
        ),
        property(
            "verify_phone_number",
            Shape::Boolean,
            "Whether this user will receive a text after changing the phone number (true) or no text (false)",
        ),
        property("verify_password", Shape::Boolean, ""),
        nullable("password", Shape::Text(1, 1024), "New password for this user"),
        property(
            "connection",
            Shape::Text(1, 255),
            "Name of the connection to target for this user update",
        ),
        property(
            "client_id",
            Shape::Text(1, 255),
            "Auth0 client ID. Only valid when updating email address",
        ),
        nullable("username", Shape::Formatted(1, 128, Format::Solid), "The user's username"),
    ],
    required: &[],
    extra: Extra::Refuse(NEW_USER_HINT),
};

/// The order in which a PATCH without any of these names what it misses (CONTRACT.md §2.4).
const PATCH_ALTERNATIVES: [&str; 18] = [
    "blocked",
    "email_verified",
    "email",
    "verify_email",
    "phone_number",
    "phone_verified",
    "verify_phone_number",
    "password",
    "verify_password",
    "user_metadata",
    "app_metadata",
    "username",
    "client_id",
    "given_name",
    "family_name",
    "name",
    "nickname",
    "picture",
];

/// A new user as its body says, the password still plain.
#[derive(Debug)]
pub(in crate::http) struct UserBody {
    pub(in crate::http) user: NewUser,
    pub(in crate::http) password: Option<String>,
}

/// Reads the body of `POST /users`; `account` is the id for who sends none.
pub(in crate::http) fn new_user(
    body: &Object,
    compat: Compat,
    account: String,
) -> Result<UserBody, Problem> {
    match compat {
        Compat::Strict => NEW_USER.check(body)?,
        Compat::Lenient => NEW_USER_LENIENT.check(body)?,
    }
    let text = |key: &str| body.get_str(key).map(std::borrow::Cow::into_owned);
    let password = text("password");
    if let Some(password) = &password {
        check_password(password)?;
    }
    let connection = text("connection")
        .unwrap_or_else(|| crate::domain::resource::DEFAULT_CONNECTION.to_owned());
    Ok(UserBody {
        user: NewUser {
            account: text("user_id").filter(|id| !id.is_empty()).unwrap_or(account),
            connection,
            profile: Profile {
                email: text("email"),
                email_verified: body.get_bool("email_verified"),
                username: text("username"),
                phone_number: text("phone_number"),
                phone_verified: body.get_bool("phone_verified"),
                name: text("name"),
                nickname: text("nickname"),
                given_name: text("given_name"),
                family_name: text("family_name"),
                picture: text("picture"),
                blocked: body.get_bool("blocked"),
                ..Profile::default()
            },
            user_metadata: body.get_object("user_metadata"),
            app_metadata: body.get_object("app_metadata"),
            password: None,
            picture_host: PICTURE_HOST,
        },
        password,
    })
}

/// A password Auth0's databases take: at most 72 bytes (CONTRACT.md §2.2).
pub(in crate::http) fn check_password(password: &str) -> Result<(), Problem> {
    if password.len() > crate::domain::password::MAX_PASSWORD_BYTES {
        let detail = format!("String is too long ({} bytes), maximum 72", password.len());
        return Err(Problem::body(schema::message(&detail, "password", "")));
    }
    Ok(())
}

/// Checks that a new password is as strong as its connection asks (CONTRACT.md §2.2).
pub(in crate::http) fn check_strength(
    call: &Call,
    connection: &str,
    plain: &str,
) -> Result<(), Problem> {
    // Where there is no such connection, the command is refused for that.
    let Some(connection) = call.tenant.published().connection(connection) else { return Ok(()) };
    let strength = connection.strength.in_tenant(call.tenant.rules().compat, &connection.name);
    if connection.family() == Family::Database && !strength.takes(plain) {
        return Err(Problem::new(400, "", "PasswordStrengthError: Password is too weak"));
    }
    Ok(())
}

/// Changes to a user as a body says them, a new password still plain.
#[derive(Debug)]
pub(super) struct PatchBody {
    pub(super) patch: UserPatch,
    pub(super) password: Option<String>,
}

/// Reads the body of `PATCH /users/{id}`.
pub(super) fn user_patch(body: &Object) -> Result<PatchBody, Problem> {
    if !body.keys().any(|key| PATCH_ALTERNATIVES.contains(&key.as_ref()))
        && body.keys().all(|key| key == "connection")
    {
        return Err(nothing_to_patch());
    }
    USER_PATCH.check(body)?;
    let text = |key: &str| match body.get(key) {
        None => Field::Keep,
        Some("null") => Field::Unset,
        Some(raw) => Field::Set(json::unquote(raw).into_owned()),
    };
    let flag = |key: &str| body.get_bool(key).map_or(Field::Keep, Field::Set);
    let (password, plain) = match text("password") {
        Field::Set(plain) => {
            check_password(&plain)?;
            (Field::Keep, Some(plain))
        }
        other @ (Field::Keep | Field::Unset) => (other, None),
    };
    let patch = UserPatch {
        connection: body.get_str("connection").map(std::borrow::Cow::into_owned),
        asks_more: ASKS.iter().any(|key| body.contains(key)),
        email: text("email"),
        email_verified: flag("email_verified"),
        username: text("username"),
        phone_number: text("phone_number"),
        phone_verified: flag("phone_verified"),
        name: text("name"),
        nickname: text("nickname"),
        given_name: text("given_name"),
        family_name: text("family_name"),
        picture: text("picture"),
        blocked: flag("blocked"),
        password,
        user_metadata: body.get_object("user_metadata"),
        app_metadata: body.get_object("app_metadata"),
        expiries: None,
    };
    Ok(PatchBody { patch, password: plain })
}

/// Members of the body of a PATCH that ask for something and change nothing.
const ASKS: [&str; 4] = ["client_id", "verify_email", "verify_phone_number", "verify_password"];

/// Members of the body of a PATCH that no user shows, so that no merge dialect can name them.
const NOT_SHOWN: [&str; 6] = [
    "password",
    "connection",
    "client_id",
    "verify_email",
    "verify_phone_number",
    "verify_password",
];

/// Reads what a merge dialect makes of a user's root members.
pub(in crate::http) fn patched_user(body: &Object) -> Result<UserPatch, String> {
    refuse(body, &NOT_SHOWN)?;
    user_patch(body).map(|body| body.patch).map_err(|problem| problem.message)
}

/// Reads what a merge dialect makes of a client's settings.
pub(in crate::http) fn patched_client(body: &Object) -> Result<ClientPatch, String> {
    refuse(body, &["client_secret"])?;
    client_patch(body, Compat::Strict).map_err(|problem| problem.message)
}

fn refuse(body: &Object, names: &[&str]) -> Result<(), String> {
    match body.keys().find(|key| names.contains(&key.as_ref())) {
        Some(key) => {
            let detail = format!("Additional properties not allowed: {key}");
            Err(schema::message(&detail, "", ""))
        }
        None => Ok(()),
    }
}

fn nothing_to_patch() -> Problem {
    let inner: Vec<String> = PATCH_ALTERNATIVES
        .iter()
        .map(|name| schema::message(&format!("Missing required property: {name}"), "", ""))
        .collect();
    let all = inner.join(" (also) ");
    Problem::body(format!(
        "Payload validation error: 'None of the valid schemas were met'. Inner errors: [ {all} ]."
    ))
}

const APP_TYPES: &[&str] = &[
    "native",
    "spa",
    "regular_web",
    "non_interactive",
    "resource_server",
    "express_configuration",
    "rms",
    "box",
    "cloudbees",
    "concur",
    "dropbox",
    "mscrm",
    "echosign",
    "egnyte",
    "newrelic",
    "office365",
    "salesforce",
    "sentry",
    "sharepoint",
    "slack",
    "springcm",
    "zendesk",
    "zoom",
    "sso_integration",
    "oag",
];

const CLIENT_PROPERTIES: &[Property] = &[
    property(
        "name",
        Shape::Formatted(1, 255, Format::Plain),
        "The name of the client. Must contain at least one character. Does not allow '<' or '>'",
    ),
    nullable(
        "description",
        Shape::Text(0, 140),
        "Free text description of the purpose of the Client. Max character length is 140",
    ),
    property("client_metadata", Shape::Object, schema::CLIENT_METADATA),
    property("clientMetadata", Shape::Object, schema::CLIENT_METADATA),
    nullable("logo_uri", Shape::Text(0, 2048), ""),
    nullable("callbacks", Shape::Strings, ""),
    nullable("allowed_origins", Shape::Strings, ""),
    nullable("web_origins", Shape::Strings, ""),
    nullable("client_aliases", Shape::Strings, ""),
    nullable("allowed_clients", Shape::Strings, ""),
    nullable("allowed_logout_urls", Shape::Strings, ""),
    nullable("session_transfer", Shape::Object, ""),
    nullable("oidc_logout", Shape::Object, ""),
    nullable("oidc_backchannel_logout", Shape::Object, ""),
    nullable("grant_types", Shape::Strings, ""),
    nullable(
        "token_endpoint_auth_method",
        Shape::OneOf(&["none", "client_secret_post", "client_secret_basic"]),
        "",
    ),
    property("is_token_endpoint_ip_header_trusted", Shape::Boolean, ""),
    nullable("app_type", Shape::OneOf(APP_TYPES), ""),
    property("is_first_party", Shape::Boolean, ""),
    property("oidc_conformant", Shape::Boolean, ""),
    nullable("jwt_configuration", Shape::Object, ""),
    nullable("encryption_key", Shape::Object, ""),
    property("sso", Shape::Boolean, ""),
    property("sso_disabled", Shape::Boolean, ""),
    property("cross_origin_auth", Shape::Boolean, ""),
    property("cross_origin_authentication", Shape::Boolean, ""),
    nullable("cross_origin_loc", Shape::Text(0, 2048), ""),
    property("custom_login_page_on", Shape::Boolean, ""),
    nullable("custom_login_page", Shape::Text(0, 1 << 20), ""),
    nullable("custom_login_page_preview", Shape::Text(0, 1 << 20), ""),
    nullable("form_template", Shape::Text(0, 1 << 20), ""),
    nullable("addons", Shape::Object, ""),
    nullable("mobile", Shape::Object, ""),
    nullable("initiate_login_uri", Shape::Text(0, 2048), ""),
    nullable("native_social_login", Shape::Object, ""),
    nullable("fedcm_login", Shape::Object, ""),
    nullable("refresh_token", Shape::Object, ""),
    nullable("default_organization", Shape::Object, ""),
    nullable("organization_usage", Shape::OneOf(&["deny", "allow", "require"]), ""),
    nullable(
        "organization_require_behavior",
        Shape::OneOf(&["no_prompt", "pre_login_prompt", "post_login_prompt"]),
        "",
    ),
    nullable("organization_discovery_methods", Shape::Strings, ""),
    nullable("client_authentication_methods", Shape::Object, ""),
    nullable("require_pushed_authorization_requests", Shape::Boolean, ""),
    nullable("require_proof_of_possession", Shape::Boolean, ""),
    nullable("signed_request_object", Shape::Object, ""),
    nullable("compliance_level", Shape::Text(0, 255), ""),
    nullable("skip_non_verifiable_callback_uri_confirmation_prompt", Shape::Boolean, ""),
    nullable("token_exchange", Shape::Object, ""),
    nullable("par_request_expiry", Shape::Integer(10, 600), ""),
    nullable("token_quota", Shape::Object, ""),
    nullable("express_configuration", Shape::Object, ""),
    nullable("async_approval_notification_channels", Shape::Strings, ""),
    nullable("my_organization_configuration", Shape::Object, ""),
    nullable("identity_assertion_authorization_grant", Shape::Object, ""),
    nullable("token_vault_privileged_access", Shape::Object, ""),
    nullable("anonymous_sessions", Shape::Object, ""),
    nullable("b2b_integration_configuration", Shape::Object, ""),
    nullable("third_party_security_mode", Shape::Text(1, 64), ""),
    nullable("redirection_policy", Shape::Text(1, 64), ""),
    property(FIXED, Shape::Text(1, 600), ""),
];

/// The one of them that only a new client may say.
const FIXED: &str = "resource_server_identifier";

/// Members only a new client may name itself.
const NEW_CLIENT_ONLY: &[Property] =
    &[property("client_secret", Shape::Text(1, 255), "The client secret")];

/// A client as a body says it.
#[derive(Debug)]
pub(super) struct ClientBody {
    pub(super) settings: Object,
    pub(super) client_metadata: Option<Object>,
    pub(super) secret: Option<String>,
}

/// The types of what a client's body may hold; which members those are is checked before.
static CLIENT_TYPES: Schema =
    Schema { properties: CLIENT_PROPERTIES, required: &[], extra: Extra::Ignore };
static NEW_CLIENT_TYPES: Schema =
    Schema { properties: NEW_CLIENT_ONLY, required: &[], extra: Extra::Ignore };

/// A new client must have a name.
static NEW_CLIENT_NAMED: Schema =
    Schema { properties: &[], required: &["name"], extra: Extra::Refuse("") };
/// What is in none of these tables is refused.
static NOTHING_ELSE: Schema = Schema { properties: &[], required: &[], extra: Extra::Refuse("") };

/// `POST /clients`, for the API description.
pub(super) static NEW_CLIENT: &[&Schema] = &[&CLIENT_TYPES, &NEW_CLIENT_TYPES, &NEW_CLIENT_NAMED];
/// `PATCH /clients/{id}`, for the API description.
pub(super) static CLIENT_PATCH: &[&Schema] = &[&CLIENT_TYPES, &NEW_CLIENT_TYPES, &NOTHING_ELSE];

fn client_body(
    body: &Object,
    compat: Compat,
    required: &'static [&'static str],
) -> Result<ClientBody, Problem> {
    if let Some(missing) = required.iter().find(|name| !body.contains(name)) {
        return Err(Problem::body(schema::message(
            &format!("Missing required property: {missing}"),
            "",
            "",
        )));
    }
    let known = |key: &str| {
        let seed_spelling = key == "clientMetadata" && compat == Compat::Strict;
        let is_known =
            CLIENT_PROPERTIES.iter().chain(NEW_CLIENT_ONLY).any(|property| property.name == key);
        is_known && !seed_spelling
    };
    let unknown: Vec<String> =
        body.keys().filter(|key| !known(key)).map(std::borrow::Cow::into_owned).collect();
    if !unknown.is_empty() {
        let detail = format!("Additional properties not allowed: {}", unknown.join(","));
        return Err(Problem::body(schema::message(&detail, "", "")));
    }
    CLIENT_TYPES.check(body)?;
    NEW_CLIENT_TYPES.check(body)?;
    let bag = body.get_object("client_metadata").or_else(|| body.get_object("clientMetadata"));
    let apart = ["client_metadata", "clientMetadata", "client_secret"];
    Ok(ClientBody {
        settings: super::fields::without(body, &apart),
        client_metadata: bag,
        secret: body.get_str("client_secret").map(std::borrow::Cow::into_owned),
    })
}

/// Reads the body of `POST /clients`.
pub(super) fn new_client(body: &Object, compat: Compat) -> Result<ClientBody, Problem> {
    client_body(body, compat, &["name"])
}

/// Reads the body of `PATCH /clients/{id}`.
pub(super) fn client_patch(body: &Object, compat: Compat) -> Result<ClientPatch, Problem> {
    if body.contains(FIXED) {
        let detail = format!("Additional properties not allowed: {FIXED}");
        return Err(Problem::body(schema::message(&detail, "", "")));
    }
    let body = client_body(body, compat, &[])?;
    credentials_by_id(&body.settings)?;
    Ok(ClientPatch {
        settings: Some(body.settings).filter(|settings| !settings.is_empty()),
        client_metadata: body.client_metadata,
        secret: body.secret,
    })
}

/// A client that exists names credentials it has, by their ids.
fn credentials_by_id(settings: &Object) -> Result<(), Problem> {
    let keys = settings
        .get_object("client_authentication_methods")
        .and_then(|methods| methods.get_object("private_key_jwt"))
        .unwrap_or_else(Object::empty);
    let all = keys.get("credentials").map(json::Elements::of).into_iter().flatten();
    for (at, raw) in all.enumerate() {
        let one =
            Object::trusted(if json::Kind::of(raw) == json::Kind::Object { raw } else { "{}" });
        let detail = match one.keys().find(|key| key != "id") {
            Some(other) => format!("Additional properties not allowed: {other}"),
            None if one.get_str("id").is_none() => "Missing required property: id".to_owned(),
            None => continue,
        };
        let path = format!("client_authentication_methods.private_key_jwt.credentials[{at}]");
        return Err(Problem::body(schema::message(&detail, &path, "")));
    }
    Ok(())
}

/// Members of a client that only its creation shows.
pub(super) fn with_creation_members(client: &str, secret: &str) -> String {
    let mut out = Builder::with_capacity(client.len() + 20);
    let mut has_secret = false;
    for (key, value) in json::Members::of(client) {
        has_secret |= json::unquote(key) == "client_secret";
        out.member(key, value);
    }
    if !has_secret {
        out.string("client_secret", secret);
    }
    out.flag("encrypted", Some(true));
    out.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Object {
        Object::parse(text, 16).unwrap()
    }

    #[test]
    fn an_empty_patch_names_everything_it_could_have_been() {
        let message = user_patch(&object("{}")).unwrap_err().message;
        assert!(message.starts_with("Payload validation error: 'None of the valid schemas were met'. Inner errors: [ Payload validation error: 'Missing required property: blocked'. (also) Payload validation error: 'Missing required property: email_verified'. (also) "), "{message}");
        assert!(message.ends_with(" ]."), "{message}");
    }

    #[test]
    fn read_only_members_are_refused_by_name() {
        let message = user_patch(&object(r#"{"user_id":"x","user_metadata":{},"identities":[]}"#))
            .unwrap_err()
            .message;
        assert!(message.starts_with("Payload validation error: 'Additional properties not allowed: user_id,identities (consider storing them in app_metadata or user_metadata."), "{message}");
    }

    #[test]
    fn a_null_bag_is_refused_with_its_description() {
        let message = user_patch(&object(r#"{"user_metadata":null}"#)).unwrap_err().message;
        assert_eq!(
            message,
            "Payload validation error: 'Expected type object but found type null' on property user_metadata (User metadata to which this user has read/write access)."
        );
    }

    #[test]
    fn the_seeds_spelling_is_taken_in_lenient_tenants_only() {
        let body = object(r#"{"name":"x","clientMetadata":{"a":"b"}}"#);
        let bag = new_client(&body, Compat::Lenient).unwrap().client_metadata.unwrap();
        assert_eq!(bag.as_json(), r#"{"a":"b"}"#);
        assert!(new_client(&body, Compat::Strict).is_err());
        let both = object(r#"{"name":"x","clientMetadata":{"a":"b"},"client_metadata":{"c":"d"}}"#);
        assert_eq!(
            new_client(&both, Compat::Lenient).unwrap().client_metadata.unwrap().as_json(),
            r#"{"c":"d"}"#
        );
    }
}
