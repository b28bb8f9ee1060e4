//! The pages behind the links of tickets: small, without scripts, leaking nothing.

use super::tickets::{Purpose, id_of};
use super::wire::{check_password, check_strength};
use crate::domain::change::Channel;
use crate::domain::command::{Command, Field, UserPatch};
use crate::domain::json::Object;
use crate::domain::resource::{Resource, ResourceKind};
use crate::domain::time::Timestamp;
use crate::http::call::{Call, utf8};
use crate::http::openapi::detail::{Detail, Takes};
use crate::http::problem::Problem;
use crate::http::query::Query;
use crate::http::route::{Access, Answering, Dialect, Route};
use actix_web::HttpResponse;
use actix_web::http::{Method, StatusCode, header};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::sync::Arc;

const fn page(
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    handler: fn(Call) -> Answering,
) -> Route {
    Route { method, path, dialect: Dialect::Dossier, access: Access::Open, summary, handler }
}

/// The routes of the pages; the paths are those of Auth0's links.
pub static ROUTES: &[Route] = &[
    page("GET", "/u/email-verification", "Use the link that verifies an address", |call| {
        Box::pin(verify_email(call))
    }),
    page("GET", "/lo/reset", "Show the form for a new password", |call| {
        Box::pin(async move { Ok(show_form(&call)) })
    }),
    page("POST", "/lo/reset", "Set a new password with a ticket", |call| {
        Box::pin(set_password(call))
    }),
];

/// What they take; they answer with pages.
pub static DETAILS: &[Detail] = &[
    Detail::of("GET", &["/u/email-verification", "/lo/reset"])
        .query(&[&["ticket"]])
        .statuses(&[200, 302])
        .errors("Page"),
    Detail::of("POST", &["/lo/reset"])
        .query(&[&["ticket"]])
        .takes(Takes::Form(&["password"], &["ticket"]))
        .statuses(&[200, 302])
        .errors("Page"),
];

/// Bytes the form of a new password may have.
const FORM_BYTES: u64 = 4096;

const EXPIRED: &str =
    "This link is not valid: it was used already, or it is too old. Ask for a new one.";

async fn verify_email(call: Call) -> Result<HttpResponse, Problem> {
    let token = call.query.get("ticket").unwrap_or_default().to_owned();
    let Some(ticket) = ticket(&call, &token, Purpose::VerifyEmail) else {
        return Ok(html(StatusCode::NOT_FOUND, EXPIRED));
    };
    if *call.method() == Method::HEAD {
        // Whoever only looks whether the page is there does not use the ticket up.
        return Ok(html(StatusCode::OK, ""));
    }
    let patch = UserPatch { email_verified: Field::Set(true), ..UserPatch::default() };
    if !redeem(&call, &ticket, patch).await? {
        return Ok(html(StatusCode::NOT_FOUND, EXPIRED));
    }
    let message = "Your email was verified. You can continue using the application.";
    Ok(ended(&call, &ticket, message))
}

fn show_form(call: &Call) -> HttpResponse {
    let token = call.query.get("ticket").unwrap_or_default();
    match ticket(call, token, Purpose::ChangePassword) {
        Some(_) => form(StatusCode::OK, token, ""),
        None => html(StatusCode::NOT_FOUND, EXPIRED),
    }
}

async fn set_password(mut call: Call) -> Result<HttpResponse, Problem> {
    let body = call.body_up_to(FORM_BYTES).await?;
    let sent = Query::parse(utf8(&body)?)?;
    let token = sent.get("ticket").unwrap_or_default();
    let Some(ticket) = ticket(&call, token, Purpose::ChangePassword) else {
        return Ok(html(StatusCode::NOT_FOUND, EXPIRED));
    };
    let password = sent.get("password").unwrap_or_default();
    let fault = match (password, sent.get("again")) {
        ("", _) => Some("A password has at least one character."),
        (password, Some(again)) if password != again => Some("The two passwords differ."),
        (password, _) if check_password(password).is_err() => {
            Some("A password has at most 72 bytes.")
        }
        (password, _) if !is_strong(&call, &ticket, password) => {
            Some("The password is too weak: take a longer one, of more kinds of characters.")
        }
        _ => None,
    };
    if let Some(fault) = fault {
        return Ok(form(StatusCode::BAD_REQUEST, token, fault));
    }
    call.leave_place();
    let hash = call.services.hash_password(&call.tenant, password.to_owned()).await?;
    let patch = UserPatch { password: Field::Set(hash), ..UserPatch::default() };
    if !redeem(&call, &ticket, patch).await? {
        return Ok(html(StatusCode::NOT_FOUND, EXPIRED));
    }
    Ok(ended(&call, &ticket, "You can now login to the application with the new password."))
}

/// Whether a password is as strong as the connection of the ticket's user asks.
fn is_strong(call: &Call, ticket: &Resource, plain: &str) -> bool {
    let id = ticket.body.get_str("user_id").unwrap_or_default();
    let user = call.tenant.published().user(&id).map(|document| document.user());
    user.and_then(|user| user.identities.first().map(|main| main.connection.clone()))
        .is_none_or(|connection| check_strength(call, &connection, plain).is_ok())
}

/// The ticket of a link, while it is worth something.
fn ticket(call: &Call, token: &str, purpose: Purpose) -> Option<Arc<Resource>> {
    let ticket = call.tenant.published().resource(ResourceKind::Ticket, &id_of(token))?;
    let until = ticket.body.get_str("expires_at").and_then(|text| Timestamp::parse(&text))?;
    let is_for = |body: &Object| body.get_str("purpose").as_deref() == Some(purpose.name());
    (is_for(&ticket.body) && until > call.valid_at).then_some(ticket)
}

/// Uses a ticket up; `false` when it is worth nothing any more.
async fn redeem(call: &Call, ticket: &Resource, patch: UserPatch) -> Result<bool, Problem> {
    let command = Command::RedeemTicket { id: ticket.id.clone(), patch: Box::new(patch) };
    match call.write_as_server(Channel::Authentication, command).await {
        Ok(_) => Ok(true),
        Err(problem) if problem.status == 404 => Ok(false),
        Err(problem) => Err(problem),
    }
}

/// Where the user goes afterwards: on to the application, or nowhere.
fn ended(call: &Call, ticket: &Resource, message: &str) -> HttpResponse {
    let Some(url) = ticket.body.get_str("result_url") else {
        return html(StatusCode::OK, message);
    };
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let mark = if url.contains('?') { '&' } else { '?' };
    let mut target = format!("{url}{mark}success=true&message={}", encoded(message));
    if ticket.body.get_bool("includeEmailInRedirect") == Some(true) {
        let user = ticket.body.get_str("user_id").unwrap_or_default();
        let user = call.tenant.published().user(&user);
        if let Some(email) = user.and_then(|user| user.attribute("email")) {
            target.push_str("&email=");
            target.push_str(&encoded(&email));
        }
    }
    let mut response = HttpResponse::Found();
    response
        .insert_header((header::LOCATION, target))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CACHE_CONTROL, "no-store"));
    response.finish()
}

fn form(status: StatusCode, token: &str, fault: &str) -> HttpResponse {
    // The token was looked up before: it has letters and digits only.
    html(
        status,
        &format!(
            "<form method=\"post\" action=\"/lo/reset\">\
             <p>{fault}</p><input type=\"hidden\" name=\"ticket\" value=\"{token}\">\
             <p><label>New password <input type=\"password\" name=\"password\" autocomplete=\"new-password\" required></label></p>\
             <p><label>Again <input type=\"password\" name=\"again\" autocomplete=\"new-password\" required></label></p>\
             <p><button>Set password</button></p></form>"
        ),
    )
}

/// A page; `content` is HTML of ours.
fn html(status: StatusCode, content: &str) -> HttpResponse {
    let body = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>Account</title>\
         <main><p>{content}</p></main></html>"
    );
    HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(body)
}
