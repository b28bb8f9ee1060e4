//! `/api/v2/tickets`: links that verify an address or set a password, once.
//!
//! The link carries a random token; the tenant keeps its hash, so a copy of the data
//! opens no link. The pages behind the links are in [`super::ticket_pages`].

use super::json;
use crate::domain::change::Channel;
use crate::domain::client::sha256_hex;
use crate::domain::command::Command;
use crate::domain::decide::LoginKey;
use crate::domain::document::Document;
use crate::domain::json::{self as text, Builder, Object};
use crate::domain::resource::{Connection, Resource, ResourceKind};
use crate::domain::time::{Timestamp, Version};
use crate::http::call::Call;
use crate::http::problem::Problem;
use crate::http::random;
use crate::http::schema::{self, Extra, Format, Property, Schema, Shape, property};
use actix_web::HttpResponse;
use actix_web::http::StatusCode;

/// Seconds a ticket is valid when nobody says: five days.
pub(super) const DEFAULT_TTL: i64 = 432_000;

/// What a ticket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To show that an address is the user's.
    VerifyEmail,
    /// To set a password.
    ChangePassword,
}

impl Purpose {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::VerifyEmail => "email_verification",
            Self::ChangePassword => "password_change",
        }
    }

    /// The page behind its link.
    const fn path(self) -> &'static str {
        match self {
            Self::VerifyEmail => "/u/email-verification",
            Self::ChangePassword => "/lo/reset",
        }
    }

    fn link(self, origin: &str, token: &str) -> String {
        format!("{origin}{}?ticket={token}#", self.path())
    }
}

/// The link of a ticket that verifies an address.
pub(super) fn verification_link(origin: &str, token: &str) -> String {
    Purpose::VerifyEmail.link(origin, token)
}

const RESULT_URL: Property = property(
    "result_url",
    Shape::Formatted(1, 2048, Format::Uri),
    "URL the user will be redirected to once the ticket is used",
);
const USER_ID: Property = property(
    "user_id",
    Shape::Formatted(1, 320, Format::Solid),
    "user_id of for whom the ticket should be created",
);
const TTL: Property = property(
    "ttl_sec",
    Shape::Integer(0, 31_536_000),
    "Number of seconds for which the ticket is valid before expiration",
);
const CLIENT_ID: Property = property("client_id", Shape::Text(1, 255), "ID of the client");
const ORGANIZATION: Property = property("organization_id", Shape::Text(1, 255), "");
const INCLUDE: Property = property("includeEmailInRedirect", Shape::Boolean, "");

pub(super) static VERIFICATION: Schema = Schema {
    properties: &[
        RESULT_URL,
        USER_ID,
        CLIENT_ID,
        ORGANIZATION,
        TTL,
        INCLUDE,
        property("identity", Shape::Object, ""),
    ],
    required: &["user_id"],
    extra: Extra::Refuse(""),
};

pub(super) static PASSWORD: Schema = Schema {
    properties: &[
        RESULT_URL,
        USER_ID,
        CLIENT_ID,
        ORGANIZATION,
        property("connection_id", Shape::Formatted(0, 255, Format::ConnectionId), ""),
        property("email", Shape::Formatted(1, 254, Format::Email), "Email address of the user"),
        TTL,
        property("mark_email_as_verified", Shape::Boolean, ""),
        INCLUDE,
        property("identity", Shape::Object, ""),
    ],
    required: &[],
    extra: Extra::Refuse(""),
};

/// A ticket to be kept, its token still readable.
pub(super) struct Ticket {
    /// The text in the link.
    pub(super) token: String,
    purpose: Purpose,
    members: Builder,
    expires_at: Timestamp,
}

impl Ticket {
    /// A ticket for a user, valid for so many seconds; 0 = as long as the default.
    pub(super) fn new(purpose: Purpose, user: &Document, ttl: i64, call: &Call) -> Self {
        let ttl = if ttl == 0 { DEFAULT_TTL } else { ttl };
        let mut members = Builder::new();
        members.string("user_id", user.id()).optional("email", user.attribute("email").as_deref());
        Self {
            token: random::alphanumeric(32),
            purpose,
            members,
            expires_at: Timestamp::from_millis(call.valid_at.millis() + ttl * 1000),
        }
    }

    /// The ticket as it is kept.
    pub(super) fn into_resource(mut self) -> Resource {
        self.members
            .string("purpose", self.purpose.name())
            .string("expires_at", &self.expires_at.to_string());
        Resource {
            kind: ResourceKind::Ticket,
            id: id_of(&self.token),
            version: Version::ZERO,
            body: self.members.object(),
        }
    }
}

/// Under which id the ticket with this token is kept.
pub(super) fn id_of(token: &str) -> String {
    sha256_hex(token)
}

/// The user a ticket is for.
pub(super) fn user_of(call: &Call, id: &str) -> Result<Document, Problem> {
    call.tenant.published().user(id).ok_or_else(Problem::no_user)
}

/// Whether there is an address to verify.
///
/// # Errors
/// 400 without one.
pub(super) fn has_address(user: &Document) -> Result<(), Problem> {
    match user.attribute("email") {
        Some(_) => Ok(()),
        None => Err(Problem::body("The user does not have an email address.")),
    }
}

pub(super) async fn verify_email(mut call: Call) -> Result<HttpResponse, Problem> {
    call.query.only(&[])?;
    let sent = call.json().await?;
    VERIFICATION.check(&sent)?;
    let user = user_of(&call, &sent.get_str("user_id").unwrap_or_default())?;
    has_address(&user)?;
    issue(&call, Purpose::VerifyEmail, &user, &sent).await
}

pub(super) async fn change_password(mut call: Call) -> Result<HttpResponse, Problem> {
    call.query.only(&[])?;
    let sent = call.json().await?;
    PASSWORD.check(&sent)?;
    let user = match (sent.get_str("user_id"), sent.get_str("email")) {
        (Some(id), None) => user_of(&call, &id)?,
        (None, Some(email)) => by_email(&call, &sent, &email).await?,
        (Some(_), Some(_)) => {
            return Err(Problem::body("Only one of user_id and email can be specified."));
        }
        (None, None) => {
            let detail = "Missing required property: user_id";
            return Err(Problem::body(schema::message(detail, "", "")));
        }
    };
    if !user.id().starts_with("auth0|") {
        return Err(Problem::new(
            400,
            "operation_not_supported",
            "The user's main connection does not support this operation",
        ));
    }
    issue(&call, Purpose::ChangePassword, &user, &sent).await
}

/// The user with an address in the connection the body names.
async fn by_email(call: &Call, sent: &Object, email: &str) -> Result<Document, Problem> {
    let missing = || {
        let detail = "Missing required property: connection_id";
        Problem::body(schema::message(detail, "", ""))
    };
    let id = sent.get_str("connection_id").ok_or_else(missing)?;
    let resource = call.tenant.published().resource(ResourceKind::Connection, &id);
    let connection = resource.as_deref().map(Connection::of).ok_or_else(|| {
        Problem::new(400, "inexistent_connection", "The connection does not exist.")
    })?;
    let found = call.tenant.users_with(LoginKey::Email, email).await?;
    found
        .into_iter()
        .find(|document| document.user().connection() == connection.name)
        .ok_or_else(Problem::no_user)
}

async fn issue(
    call: &Call,
    purpose: Purpose,
    user: &Document,
    sent: &Object,
) -> Result<HttpResponse, Problem> {
    let ttl = sent.get("ttl_sec").and_then(|raw| raw.parse().ok()).unwrap_or(0);
    let mut ticket = Ticket::new(purpose, user, ttl, call);
    for key in ["result_url", "mark_email_as_verified", "includeEmailInRedirect"] {
        if let Some(raw) = sent.get(key) {
            ticket.members.raw(key, raw);
        }
    }
    let link = purpose.link(&call.origin(), &ticket.token);
    let resource = Box::new(ticket.into_resource());
    call.write(Channel::V2, Command::CreateResource(resource)).await?;
    Ok(json(StatusCode::CREATED, format!("{{\"ticket\":{}}}", text::quoted(&link))))
}
