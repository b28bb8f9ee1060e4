//! Signing up as a user of a database (CONTRACT.md §1.3).
//!
//! Anybody may ask, so what can be said about oneself is a short list: nothing that
//! claims to be verified, nothing applications rely on.

use super::fields::MAX_BODY_BYTES;
use super::password::takes_sign_ups;
use crate::domain::change::Channel;
use crate::domain::command::{Command, NewUser, PICTURE_HOST};
use crate::domain::json::{self, Builder, Kind, Object};
use crate::domain::password::MAX_PASSWORD_BYTES;
use crate::domain::permit::Caller;
use crate::domain::resource::{Connection, Family, ResourceKind};
use crate::domain::scope::ScopeSet;
use crate::domain::user::Profile;
use crate::http::call::{Call, utf8};
use crate::http::problem::Problem;
use crate::http::{JSON, random, schema};
use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};

/// How many members `user_metadata` may have here, and how long each may be.
const METADATA_MEMBERS: usize = 10;
const METADATA_CHARS: usize = 500;

/// A refusal in the shape this one endpoint has.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Refused {
    status: u16,
    name: &'static str,
    code: &'static str,
    description: String,
}

fn bad(code: &'static str, description: impl Into<String>) -> Refused {
    Refused { status: 400, name: "BadRequestError", code, description: description.into() }
}

impl Refused {
    fn answer(&self) -> HttpResponse {
        let mut out = Builder::new();
        out.string("name", self.name)
            .string("code", self.code)
            .string("description", &self.description)
            .raw("statusCode", &self.status.to_string());
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::BAD_REQUEST);
        HttpResponse::build(status)
            .insert_header((header::CONTENT_TYPE, JSON))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .body(out.finish())
    }
}

/// What somebody says about themselves. It holds a password, so there is no `Debug`.
struct Application {
    client_id: String,
    connection: String,
    password: String,
    profile: Profile,
    user_metadata: Option<Object>,
}

/// Makes a user.
pub(super) async fn sign_up(mut call: Call) -> Result<HttpResponse, Problem> {
    let body = call.body_up_to(MAX_BODY_BYTES).await?;
    let body = match utf8(&body).and_then(|text| call.object(text)) {
        Ok(body) => body,
        Err(problem) => return Ok(bad("invalid_body", problem.message).answer()),
    };
    match admitted(&call, &body) {
        Ok(application) => create(&mut call, application).await,
        Err(refused) => Ok(refused.answer()),
    }
}

fn admitted(call: &Call, body: &Object) -> Result<Application, Refused> {
    let application = read(body)?;
    let published = call.tenant.published();
    let is_known = published.client(&application.client_id).is_some_and(|client| !client.is_global);
    if !is_known {
        return Err(Refused { status: 401, ..bad("access_denied", "Unauthorized") });
    }
    let connection = published
        .resources(ResourceKind::Connection)
        .into_iter()
        .find(|resource| resource.name().as_deref() == Some(application.connection.as_str()));
    let is_strong = connection.as_ref().is_none_or(|resource| {
        let connection = Connection::of(resource);
        let strength = connection.strength.in_tenant(call.tenant.rules().compat, &connection.name);
        strength.takes(&application.password)
    });
    let is_open = connection.is_some_and(|resource| {
        let connection = Connection::of(&resource);
        connection.family() == Family::Database
            && connection.is_enabled
            && takes_sign_ups(&resource.body)
    });
    if !is_open {
        return Err(bad("invalid_signup", "Public signup is disabled"));
    }
    if !is_strong {
        let weak = bad("invalid_password", "Password is too weak");
        return Err(Refused { name: "PasswordStrengthError", ..weak });
    }
    Ok(application)
}

fn read(body: &Object) -> Result<Application, Refused> {
    let text = |key: &'static str| match body.get(key) {
        None | Some("null") => Ok(None),
        Some(raw) if Kind::of(raw) == Kind::String && raw.len() <= 4096 => {
            Ok(Some(json::unquote(raw).into_owned()).filter(|text| !text.is_empty()))
        }
        Some(_) => {
            Err(bad("invalid_request", format!("{key} must be a string of at most 4096 bytes")))
        }
    };
    let need = |key: &'static str| {
        text(key)?.ok_or_else(|| bad("invalid_request", format!("{key} is missing")))
    };
    let short = |key: &'static str, limit: usize| {
        let found = text(key)?;
        if found.as_ref().is_some_and(|text| text.chars().count() > limit) {
            let message = format!("{key} may have at most {limit} characters");
            return Err(bad("invalid_request", message));
        }
        Ok(found)
    };
    let email = need("email")?;
    if !schema::is_email(&email) {
        return Err(bad("invalid_email", "The email address is not valid"));
    }
    let password = need("password")?;
    if password.len() > MAX_PASSWORD_BYTES {
        let message = format!("The password may have at most {MAX_PASSWORD_BYTES} bytes");
        return Err(bad("invalid_password", message));
    }
    Ok(Application {
        client_id: need("client_id")?,
        connection: need("connection")?,
        password,
        profile: Profile {
            email: Some(email),
            username: short("username", 128)?,
            given_name: short("given_name", 150)?,
            family_name: short("family_name", 150)?,
            name: short("name", 300)?,
            nickname: short("nickname", 300)?,
            picture: text("picture")?,
            ..Profile::default()
        },
        user_metadata: user_metadata(body)?,
    })
}

fn user_metadata(body: &Object) -> Result<Option<Object>, Refused> {
    let Some(raw) = body.get("user_metadata").filter(|raw| *raw != "null") else {
        return Ok(None);
    };
    let refused = || {
        bad(
            "invalid_request",
            format!(
                "user_metadata must be an object of at most {METADATA_MEMBERS} strings of at most {METADATA_CHARS} characters"
            ),
        )
    };
    let bag = body.get_object("user_metadata").filter(|_| Kind::of(raw) == Kind::Object);
    let bag = bag.ok_or_else(refused)?;
    let is_text = |raw: &str| {
        Kind::of(raw) == Kind::String && json::unquote(raw).chars().count() <= METADATA_CHARS
    };
    let fits = bag.len() <= METADATA_MEMBERS && bag.members().all(|(_, value)| is_text(value));
    if fits { Ok(Some(bag)) } else { Err(refused()) }
}

async fn create(call: &mut Call, application: Application) -> Result<HttpResponse, Problem> {
    call.leave_place();
    let password = call.services.hash_password(&call.tenant, application.password).await?;
    let account = random::account_id(call.now);
    let provider_id = format!("auth0|{account}");
    call.caller = Caller {
        subject: provider_id,
        client_id: application.client_id,
        scopes: ScopeSet::EMPTY,
        is_server: false,
    };
    let new = NewUser {
        account: account.clone(),
        connection: application.connection,
        profile: application.profile,
        user_metadata: application.user_metadata,
        app_metadata: None,
        password: Some(password),
        picture_host: PICTURE_HOST,
    };
    let command = Command::CreateUser(Box::new(new));
    match call.write_as_server(Channel::Authentication, command).await {
        Ok(answer) => {
            let user = answer.change.as_ref().and_then(|change| change.user());
            let user = user.ok_or_else(Problem::internal)?;
            let mut out = Builder::new();
            out.string("_id", &account)
                .optional("email", user.attribute("email").as_deref())
                .flag("email_verified", Some(false))
                .optional("username", user.attribute("username").as_deref());
            Ok(HttpResponse::Ok()
                .insert_header((header::CONTENT_TYPE, JSON))
                .insert_header((header::CACHE_CONTROL, "no-store"))
                .body(out.finish()))
        }
        // Whether somebody has that address is not told to everybody.
        Err(problem) if problem.status == 409 => {
            Ok(bad("invalid_signup", "Invalid sign up").answer())
        }
        Err(problem) if problem.status == 400 => {
            Ok(bad("invalid_request", problem.message).answer())
        }
        Err(problem) => Err(problem),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(more: &str) -> Object {
        let text = format!(
            r#"{{"client_id":"c","connection":"db","email":"a@b.co","password":"p"{more}}}"#
        );
        Object::parse(&text, 8).unwrap()
    }

    #[track_caller]
    fn refused(body: &Object, code: &str) {
        assert_eq!(read(body).err().map(|refused| refused.code), Some(code), "{}", body.as_json());
    }

    #[test]
    fn an_application_says_who_signs_up_and_no_more() {
        let body = with(
            r#","name":"N","email_verified":true,"blocked":true,"app_metadata":{"role":"admin"},"user_id":"x","user_metadata":{"a":"b"},"username":null"#,
        );
        let found = read(&body).ok().unwrap();
        assert_eq!(found.profile.name.as_deref(), Some("N"));
        assert_eq!((found.profile.email_verified, found.profile.blocked), (None, None));
        assert_eq!(found.user_metadata.unwrap().as_json(), r#"{"a":"b"}"#);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for body in ["{}", r#"{"email":"a@b.co","client_id":"c","connection":"d"}"#] {
            refused(&Object::parse(body, 8).unwrap(), "invalid_request");
        }
        refused(&with("").with("email", "\"none\""), "invalid_email");
        refused(&with("").with("password", &format!("\"{}\"", "x".repeat(73))), "invalid_password");
        refused(&with("").with("connection", "5"), "invalid_request");
        refused(&with(&format!(r#","name":"{}""#, "x".repeat(301))), "invalid_request");
        refused(&with(r#","user_metadata":[]"#), "invalid_request");
        refused(&with(r#","user_metadata":{"a":1}"#), "invalid_request");
        let long = format!(r#","user_metadata":{{"a":"{}"}}"#, "x".repeat(501));
        refused(&with(&long), "invalid_request");
        let many: Vec<String> = (0..11).map(|n| format!("\"k{n}\":\"v\"")).collect();
        refused(&with(&format!(r#","user_metadata":{{{}}}"#, many.join(","))), "invalid_request");
    }

    #[test]
    fn a_refusal_has_the_shape_of_this_endpoint() {
        use actix_web::body::MessageBody;
        let response = bad("invalid_signup", "Invalid sign up").answer();
        assert_eq!(response.status().as_u16(), 400);
        assert_eq!(
            response.into_body().try_into_bytes().unwrap(),
            r#"{"name":"BadRequestError","code":"invalid_signup","description":"Invalid sign up","statusCode":400}"#
                .as_bytes()
        );
    }
}
