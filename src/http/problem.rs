//! The one table from failure to status, code and text.
//!
//! Every way a request can fail becomes a [`Problem`] here, arm by arm, so a new
//! failure does not compile until someone decides what the caller is told. Texts are
//! Auth0's where clients match on them (CONTRACT.md §1.1, §2–§6). Each dialect then
//! renders the problem in its own shape.

use super::route::Dialect;
use super::schema;
use super::tokens::TokenError;
use crate::domain::condition::ChangedKey;
use crate::domain::credential::MAX_CREDENTIALS;
use crate::domain::decide::{LoginKey, Rejection};
use crate::domain::job::JobKind;
use crate::domain::json::{self, Builder, Fault, Kind};
use crate::domain::patch::Failure;
use crate::domain::permit::{self, Forbidden};
use crate::domain::resource::ResourceKind;
use crate::domain::time::Version;
use crate::tenant::history::Unavailable;
use crate::tenant::{DirectoryError, ForkError, TenantError};
use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};

/// What a caller is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// The `errorCode`, or the `error` of OAuth; empty when there is none.
    pub code: &'static str,
    /// The text.
    pub message: String,
    /// The value of `WWW-Authenticate`.
    pub authenticate: Option<String>,
    /// Seconds after which to try again.
    pub retry_after: Option<u32>,
    /// The `error_uri` of OAuth.
    pub uri: Option<&'static str>,
    /// More members of the body, as (key, JSON text).
    pub members: Vec<(&'static str, String)>,
}

impl Problem {
    /// A problem with a status, a code and a text.
    pub fn new(status: u16, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            authenticate: None,
            retry_after: None,
            uri: None,
            members: Vec::new(),
        }
    }

    /// 400 with the code of a bad body.
    pub fn body(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_body", message)
    }

    /// 400 with the code of a bad query string.
    pub fn query(message: impl Into<String>) -> Self {
        Self::new(400, "invalid_query_string", message)
    }

    /// The same about a member of the body, where it was found by a reader of parameters.
    #[must_use]
    pub fn of_body(self) -> Self {
        let message = self.message.replace("Query validation error", "Payload validation error");
        Self { code: "invalid_body", message, ..self }
    }

    /// No such route.
    pub fn no_route() -> Self {
        Self::new(404, "", "Not Found")
    }

    /// No such user.
    pub fn no_user() -> Self {
        Self::new(404, "inexistent_user", "The user does not exist.")
    }

    /// 404: the client has no such credential.
    pub fn no_credential() -> Self {
        Self::new(404, "inexistent_credential", "The credential does not exist")
    }

    /// No such client.
    pub fn no_client() -> Self {
        Self::new(404, "inexistent_client", "The client does not exist")
    }

    /// Nobody said who asks.
    pub fn unauthenticated() -> Self {
        Self {
            authenticate: Some("Bearer".to_owned()),
            ..Self::new(401, "", "Missing authentication")
        }
    }

    /// A body beyond the limit.
    pub fn too_large(limit: u64) -> Self {
        Self::new(413, "", format!("Payload content length greater than maximum allowed: {limit}"))
    }

    /// Something of ours went wrong; the log says what.
    pub fn internal() -> Self {
        Self::new(500, "", "An internal server error occurred")
    }

    /// The answer, in the shape of a dialect.
    pub fn answer(&self, dialect: Dialect) -> HttpResponse {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = HttpResponse::build(status);
        if let Some(challenge) = &self.authenticate {
            response.insert_header((header::WWW_AUTHENTICATE, challenge.as_str()));
        }
        if let Some(seconds) = self.retry_after {
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        let (content_type, body) = match dialect {
            Dialect::V2 | Dialect::Dossier => (super::JSON, self.management_body(status)),
            Dialect::OAuth => (super::PLAIN_JSON, self.oauth_body()),
            Dialect::V1 => (super::JSON, self.oauth_body()),
            Dialect::KeyValue => {
                ("application/problem+json; charset=utf-8", self.problem_body(status))
            }
        };
        response.insert_header((header::CONTENT_TYPE, content_type));
        if matches!(dialect, Dialect::OAuth) {
            response.insert_header((header::CACHE_CONTROL, "no-store"));
            response.insert_header((header::PRAGMA, "no-cache"));
        }
        response.body(body)
    }

    /// `{"statusCode","error","message","errorCode"}` (CONTRACT.md §6.1).
    fn management_body(&self, status: StatusCode) -> String {
        let mut out = Builder::new();
        out.raw("statusCode", &self.status.to_string())
            .string("error", reason(status))
            .string("message", &self.message);
        if !self.code.is_empty() {
            out.string("errorCode", self.code);
        }
        for (key, value) in &self.members {
            out.raw(key, value);
        }
        out.finish()
    }

    /// `{"error","error_description"}` (CONTRACT.md §1.1).
    fn oauth_body(&self) -> String {
        let code = match (self.code, self.status) {
            ("", 401) => "access_denied",
            ("", 404) => "not_found",
            ("", 503) => "temporarily_unavailable",
            ("", 500..) => "server_error",
            ("", _) => "invalid_request",
            (code, _) => code,
        };
        let mut out = Builder::new();
        out.string("error", code)
            .string("error_description", &self.message)
            .optional("error_uri", self.uri);
        out.finish()
    }

    /// RFC 9457, as ASP.NET writes it (CONTRACT.md §8.4).
    fn problem_body(&self, status: StatusCode) -> String {
        let mut out = Builder::new();
        out.string("type", "about:blank")
            .string("title", reason(status))
            .raw("status", &self.status.to_string())
            .string("detail", &self.message);
        if !self.code.is_empty() {
            out.string("errorCode", self.code);
        }
        for (key, value) in &self.members {
            out.raw(key, value);
        }
        out.finish()
    }
}

/// The reason phrase, with the name Auth0's server still uses for 413.
fn reason(status: StatusCode) -> &'static str {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => "Request Entity Too Large",
        other => other.canonical_reason().unwrap_or("Error"),
    }
}

impl From<Forbidden> for Problem {
    fn from(forbidden: Forbidden) -> Self {
        match forbidden {
            Forbidden::Scope { expected } | Forbidden::Members { expected } => Self {
                authenticate: Some(format!(
                    "Bearer error=\"insufficient_scope\", scope=\"{}\"",
                    permit::names(expected).replace(',', " ")
                )),
                ..Self::new(
                    403,
                    "insufficient_scope",
                    format!("Insufficient scope, expected any of: {}", permit::names(expected)),
                )
            },
            Forbidden::NotOwner => Self::new(
                403,
                "unowned_resource",
                "User to be acted on does not match subject in bearer token.",
            ),
        }
    }
}

impl From<TokenError> for Problem {
    fn from(error: TokenError) -> Self {
        let refused = |text: &'static str| Self {
            authenticate: Some(format!("Bearer error=\"{text}\"")),
            members: vec![("attributes", format!("{{\"error\":\"{text}\"}}"))],
            ..Self::new(401, "", text)
        };
        match error {
            TokenError::Malformed | TokenError::TooLarge => {
                Self::new(400, "Bearer", "Bad HTTP authentication header format")
            }
            TokenError::Expired => refused("Expired token received for JSON Web Token validation"),
            TokenError::Signature | TokenError::WrongIssuer | TokenError::WrongAudience => {
                refused("Invalid signature received for JSON Web Token validation")
            }
            TokenError::NotYetValid | TokenError::Invalid(_) => refused("Invalid token"),
        }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Syntax { line, column } => Self {
                members: vec![("line", line.to_string()), ("column", column.to_string())],
                ..Self::body("Invalid request payload JSON format")
            },
            Fault::DuplicateKey { key } => {
                Self::body(schema::message(&format!("Duplicate property: {key}"), "", ""))
            }
            Fault::TooDeep { limit } => Self::body(schema::message(
                &format!("Object is nested deeper than {limit} levels"),
                "",
                "",
            )),
            Fault::WrongKind { wanted, found } => Self::body(schema::message(
                &format!("Expected type {wanted} but found type {found}"),
                "",
                "",
            )),
        }
    }
}

impl From<Unavailable> for Problem {
    fn from(error: Unavailable) -> Self {
        let retry_after = match error {
            Unavailable::Behind => Some(1),
            Unavailable::Failed => None,
        };
        let code = "history_unavailable";
        Self { retry_after, ..Self::new(503, code, format!("{error}.")) }
    }
}

impl Problem {
    /// The 503 of an answer that there is no memory to keep, until its client reads.
    pub fn unread() -> Self {
        let text = "Too many answers wait for their clients to read them. Try again later.";
        Self { retry_after: Some(1), ..Self::new(503, "overloaded", text) }
    }

    /// The 503 of a large body that there is no memory for while so many others are on their way.
    pub fn crowded() -> Self {
        let text = "Too many large request bodies are on their way. Try again later.";
        Self { retry_after: Some(1), ..Self::new(503, "overloaded", text) }
    }
}

impl From<TenantError> for Problem {
    fn from(error: TenantError) -> Self {
        let busy = |status: u16, code: &'static str, message: &str| Self {
            retry_after: Some(1),
            ..Self::new(status, code, message)
        };
        match error {
            TenantError::Rejected(rejection) => rejection.into(),
            TenantError::Busy => busy(
                503,
                "overloaded",
                "Too many requests are waiting, nothing was changed. Try again.",
            ),
            TenantError::DiskFull => Self::new(
                507,
                "insufficient_storage",
                "The disk is full, nothing was changed. Reads and deletions go on; writes resume by themselves when there is space.",
            ),
            TenantError::JournalFull => Self::new(
                507,
                "insufficient_storage",
                "The journal has reached journal.max_bytes because snapshots fail, nothing was changed. Reads and deletions go on; writes resume by themselves after a snapshot.",
            ),
            TenantError::Poisoned => busy(
                503,
                "storage_failed",
                "Writing stopped after a disk failure, nothing was changed. Reads go on; a restart is needed.",
            ),
            TenantError::Unknown => busy(
                503,
                "outcome_unknown",
                "A disk failure came between writing and knowing. Whether the change is kept shows after a restart.",
            ),
            TenantError::TimedOut => busy(
                503,
                "outcome_unknown",
                "The change was not confirmed in time and may still happen. Read before trying again.",
            ),
            TenantError::TooLarge { limit_bytes, .. } => {
                Self::too_large(u64::try_from(limit_bytes).unwrap_or(u64::MAX))
            }
            TenantError::Gone => Self::new(404, "inexistent_tenant", "The tenant does not exist."),
            TenantError::Broken => Self::internal(),
        }
    }
}

impl From<DirectoryError> for Problem {
    fn from(error: DirectoryError) -> Self {
        let text = error.to_string();
        match error {
            DirectoryError::Exists | DirectoryError::DomainTaken(_) => {
                Self::new(409, "tenant_exists", text)
            }
            DirectoryError::NotFound => {
                Self::new(404, "inexistent_tenant", "The tenant does not exist.")
            }
            DirectoryError::InvalidId | DirectoryError::Default => Self::body(text),
            DirectoryError::TooMany(_) => Self::new(403, "entity_limit_reached", text),
            DirectoryError::Tenant(error) | DirectoryError::Fork(ForkError::Tenant(error)) => {
                error.into()
            }
            DirectoryError::Fork(ForkError::Forgotten) => {
                Self::new(410, "beyond_retention", format!("{text}."))
            }
            DirectoryError::Fork(ForkError::History(_) | ForkError::Thread) => {
                Unavailable::Failed.into()
            }
        }
    }
}

const SYNC_HINT: &str = "must either be a database connection (using the Auth0 store), a passwordless connection (email or sms) or has disabled 'Sync user profile attributes at each login'. For more information, see https://auth0.com/docs/dashboard/guides/connections/configure-connection-sync";
const REMOVAL_HINT: &str = "must either be a custom database connection with import mode disabled, a social or enterprise connection.";

impl From<Rejection> for Problem {
    #[expect(clippy::too_many_lines, reason = "one table, an arm for each rejection")]
    fn from(rejection: Rejection) -> Self {
        let unsupported = |message: String| Self::new(400, "operation_not_supported", message);
        let idp = |message: &str| Self::new(400, "auth0_idp_error", message);
        let invalid = |detail: &str, path: &str, about: &str| {
            Self::body(schema::message(detail, path, about))
        };
        match rejection {
            Rejection::UserNotFound => Self::no_user(),
            Rejection::UserExists => Self::new(409, "auth0_idp_error", "The user already exists."),
            Rejection::Taken(LoginKey::Email) => idp("The specified new email already exists"),
            Rejection::Taken(LoginKey::Username) => idp("The specified new username already exists"),
            Rejection::Taken(LoginKey::Phone) => idp("The specified new phone number already exists"),
            Rejection::ConnectionNotFound => Self::new(400, "inexistent_connection", "The connection does not exist."),
            Rejection::PatchConnectionNotFound => {
                Self::new(400, "inexistent_connection", "Connection does not exist.")
            }
            Rejection::CreationNotSupported => unsupported(
                "Connection does not support user creation through the API. It must either be a database or passwordless connection.".to_owned(),
            ),
            Rejection::ConnectionDisabled => unsupported("Connection is disabled.".to_owned()),
            Rejection::DisabledConnectionChange => {
                unsupported("Cannot change email or password for users in a disabled connection.".to_owned())
            }
            Rejection::UsernameNotSupported => {
                unsupported("Cannot set username for connection without requires_username.".to_owned())
            }
            Rejection::MissingProperty { property } => invalid(&format!("Missing required property: {property}"), "", ""),
            Rejection::NotTogether(pair) => {
                unsupported(format!("Cannot update {} and {} simultaneously.", pair.0, pair.1))
            }
            Rejection::NotDatabaseUser { attribute } => {
                unsupported(format!("Cannot update {attribute} for non-database user."))
            }
            Rejection::EnterpriseVerification => {
                unsupported("Email verification is not supported for enterprise users.".to_owned())
            }
            Rejection::ProviderAttributes { attributes, connection, removal } => {
                let (verb, hint) = if removal { ("removed", REMOVAL_HINT) } else { ("updated", SYNC_HINT) };
                unsupported(format!(
                    "The following user attributes cannot be {verb}: {}. The connection ({connection}) {hint}",
                    attributes.join(", ")
                ))
            }
            Rejection::SecondaryIdentity { attributes } => unsupported(format!(
                "The following user attributes cannot be updated: {}. The specified connection belongs to a secondary identity.",
                attributes.join(", ")
            )),
            Rejection::BadKeys { bag, keys } => {
                let hint = if keys.iter().any(|key| key.contains('\0')) {
                    "'.', '$' or NUL"
                } else {
                    "'.' or '$'"
                };
                let keys = keys.join(",");
                invalid(
                    &format!("Invalid property name keys: {keys} (must not contain {hint})"),
                    &bag.to_string(),
                    "",
                )
            }
            Rejection::ReservedKey { bag, key } => invalid("Data matches schema from 'not'", &format!("{bag}.{key}"), ""),
            Rejection::MetadataTooLarge { bag, actual_bytes, limit_bytes } => invalid(
                &format!("Object is too large ({actual_bytes} bytes), maximum {limit_bytes}"),
                &bag.to_string(),
                "",
            ),
            Rejection::TooManyKeys { bag, found, limit } => invalid(
                &format!("Too many properties defined ({found}), maximum {limit}"),
                &bag.to_string(),
                schema::CLIENT_METADATA,
            ),
            Rejection::KeyLength { bag, chars, limit } => invalid(
                &if chars == 0 {
                    "String is too short (0 chars), minimum 1".to_owned()
                } else {
                    format!("String is too long ({chars} chars), maximum {limit}")
                },
                &bag.to_string(),
                "a property name",
            ),
            Rejection::KeyAlphabet { bag, key } => {
                invalid(&format!("Additional properties not allowed: {key}"), &bag.to_string(), "")
            }
            Rejection::ValueLength { bag, key, chars, limit } => invalid(
                &format!("String is too long ({chars} chars), maximum {limit}"),
                &format!("{bag}.{key}"),
                "",
            ),
            Rejection::ValueKind { bag, key, found } => invalid(
                &format!("Expected type {} but found type {found}", Kind::String),
                &format!("{bag}.{key}"),
                "",
            ),
            Rejection::TooManyEntries { limit } => {
                Self::body(format!("The user would have more than {limit} metadata entries."))
            }
            Rejection::TooManyAssignments { what, limit } => {
                Self::new(403, "entity_limit_reached", format!("A user may have at most {limit} {what}."))
            }
            Rejection::PermissionNotFound(permission) => Self::new(
                404,
                "inexistent_permission",
                format!("The permission {} does not exist for the resource server.", permission.name),
            ),
            Rejection::NotDatabaseConnection => Self::body("Connection must be a database connection."),
            Rejection::TooManyUsers { limit } => {
                Self::new(403, "entity_limit_reached", format!("This tenant may have at most {limit} users."))
            }
            Rejection::ClientNotFound => Self::no_client(),
            Rejection::CredentialNotFound => Self::no_credential(),
            Rejection::CredentialExists => {
                Self::new(409, "credential_conflict", "A credential with the same key already exists")
            }
            Rejection::UnknownCredential => Self::body("The credential does not exist"),
            Rejection::TooManyCredentials => Self::new(
                403,
                "entity_limit_reached",
                format!("A client has at most {MAX_CREDENTIALS} credentials"),
            ),
            Rejection::ClientExists => {
                Self::new(409, "client_exists", "Another client exists with the same client_id.")
            }
            Rejection::GlobalClient => unsupported("Global client cannot be deleted.".to_owned()),
            Rejection::ResourceNotFound(kind) => no_resource(kind),
            Rejection::ResourceExists(kind) => resource_exists(kind),
            Rejection::ResourceFixed(_) => unsupported("The system resource cannot be changed.".to_owned()),
            Rejection::PatchFailed(failure) => patch_failed(&failure),
            Rejection::PatchedBody(message) => Self::body(message),
            Rejection::PatchTooDeep { limit } => {
                invalid(&format!("Object is nested deeper than {limit} levels"), "", "")
            }
            Rejection::PreconditionFailed { current, changed } => precondition_failed(current, &changed),
            Rejection::SameIdentity => Self::body("Main identity and the new one are the same."),
            Rejection::SecondaryNotFound => Self::new(400, "inexistent_user", "Provided secondary account not found."),
            Rejection::IdentityExists => Self::new(409, "identity_exists", "Specified identity already exists."),
            Rejection::MainIdentity => Self::body("Main identity cannot be removed."),
            Rejection::IdentityNotFound => Self::new(404, "inexistent_identity", "The identity does not exist."),
            Rejection::TooManyJobs { kind, limit } => too_many_jobs(kind, limit),
            // Only the server itself asks for rows.
            Rejection::RowOutOfTurn { .. } => Self::internal(),
            Rejection::TooManyTickets { limit } => Self::new(
                403,
                "entity_limit_reached",
                format!("This tenant may have at most {limit} tickets that are neither used nor expired."),
            ),
        }
    }
}

/// 412, with what the caller needs to go on: the tag now, and what changed since theirs.
fn precondition_failed(current: Option<Version>, changed: &[ChangedKey]) -> Problem {
    let keys: Vec<String> = changed
        .iter()
        .map(|key| {
            let mut out = Builder::new();
            out.string("path", &key.path).raw("version", &key.version.to_string());
            if let Some(value) = &key.value {
                out.raw("value", value);
            }
            out.finish()
        })
        .collect();
    let current = current.map_or_else(|| "null".to_owned(), |version| version.to_string());
    Problem {
        members: vec![("current_version", current), ("changed", format!("[{}]", keys.join(",")))],
        ..Problem::new(
            412,
            "precondition_failed",
            "What you saw has changed since. Nothing was changed.",
        )
    }
}

/// A patch that does not fit what is there conflicts with it (RFC 5789 §2.2).
fn patch_failed(failure: &Failure) -> Problem {
    let text = format!("{failure}. Nothing was changed.");
    let conflict = |code: &'static str, at: usize, path: &str| Problem {
        members: vec![("operation", at.to_string()), ("path", json::quoted(path))],
        ..Problem::new(409, code, text.clone())
    };
    match failure {
        Failure::Test { at, path } => conflict("test_failed", *at, path),
        Failure::Missing { at, path }
        | Failure::Kind { at, path, .. }
        | Failure::Inexact { at, path } => conflict("patch_conflict", *at, path),
        Failure::TooDeep { .. } | Failure::TooMuch => Problem::body(text),
    }
}

/// The 429 of a job too many (CONTRACT.md §5).
fn too_many_jobs(kind: JobKind, limit: usize) -> Problem {
    let what = match kind {
        JobKind::Import => "import users",
        JobKind::Export => "export users",
        JobKind::VerificationEmail => "verification email",
    };
    Problem {
        retry_after: Some(1),
        ..Problem::new(
            429,
            "too_many_requests",
            format!(
                "There are {limit} active {what} jobs, please wait until some of them are finished and try again"
            ),
        )
    }
}

/// The 404 of a kind of resource.
pub fn no_resource(kind: ResourceKind) -> Problem {
    let (code, message) = match kind {
        ResourceKind::Connection => ("inexistent_connection", "The connection does not exist"),
        ResourceKind::ClientGrant => ("inexistent_client_grant", "The client grant does not exist"),
        ResourceKind::ResourceServer => {
            ("inexistent_resource_server", "The resource server does not exist")
        }
        ResourceKind::Settings => ("inexistent_settings", "The settings do not exist"),
        ResourceKind::RefreshToken => {
            ("inexistent_refresh_token", "The refresh token does not exist")
        }
        ResourceKind::Tenant => ("inexistent_tenant", "The tenant does not exist."),
        ResourceKind::Job | ResourceKind::JobPart => ("inexistent_job", "The job does not exist"),
        ResourceKind::Ticket => ("inexistent_ticket", "The ticket does not exist"),
    };
    Problem::new(404, code, message)
}

fn resource_exists(kind: ResourceKind) -> Problem {
    let (code, message) = match kind {
        ResourceKind::Connection => {
            ("connection_conflict", "A connection with the same name already exists")
        }
        ResourceKind::ClientGrant => {
            ("client_grant_conflict", "A client grant already exists for this client and audience")
        }
        ResourceKind::ResourceServer => (
            "resource_server_conflict",
            "A resource server with the same identifier already exists",
        ),
        ResourceKind::Tenant => ("tenant_exists", "A tenant with this id already exists."),
        ResourceKind::Settings
        | ResourceKind::RefreshToken
        | ResourceKind::Job
        | ResourceKind::JobPart
        | ResourceKind::Ticket => ("conflict", "It already exists."),
    };
    Problem::new(409, code, message)
}
