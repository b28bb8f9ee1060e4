//! Refresh tokens: kept as resources, found by the SHA-256 of their text, so that what
//! is on disk opens nothing.
//!
//! One is worth as much as what it was made from: it ends with its client, with its
//! user, with the user's password, and when the client's settings say so.

use super::api::Api;
use super::fields::Fields;
use super::refusal;
use super::token::{self, Given};
use super::users::{self, Session};
use crate::domain::change::Channel;
use crate::domain::client::Client;
use crate::domain::command::Command;
use crate::domain::document::Document;
use crate::domain::json::{Builder, Object};
use crate::domain::resource::{Resource, ResourceKind, refresh_token_id, refresh_token_prefix};
use crate::domain::scope::Scopes;
use crate::domain::time::{Timestamp, Version};
use crate::http::call::Call;
use crate::http::problem::Problem;
use crate::http::random;
use actix_web::HttpResponse;

/// 43 of 64 letters: 258 bits of chance.
const SECRET_CHARS: usize = 43;

/// How many refresh tokens a user has at one client, as at Auth0; a new one ends the oldest.
const MAX_FOR_EACH_CLIENT: usize = 200;

/// What is kept of a refresh token.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Kept {
    client_id: String,
    user_id: String,
    /// Tells the user from a later one with the same id.
    user_created_at: Timestamp,
    audience: String,
    scope: String,
    created_at: Timestamp,
    used_at: Timestamp,
}

impl Kept {
    fn of(resource: &Resource) -> Option<Self> {
        let text = |key: &str| resource.body.get_str(key).map(std::borrow::Cow::into_owned);
        let time = |key: &str| Timestamp::parse(&resource.body.get_str(key)?);
        let created_at = time("created_at")?;
        Some(Self {
            client_id: text("client_id")?,
            user_id: text("user_id")?,
            user_created_at: time("user_created_at")?,
            audience: text("audience")?,
            scope: text("scope")?,
            created_at,
            used_at: time("used_at").unwrap_or(created_at),
        })
    }

    fn body(&self) -> Object {
        let mut out = Builder::new();
        out.string("client_id", &self.client_id)
            .string("user_id", &self.user_id)
            .string("user_created_at", &self.user_created_at.to_string())
            .string("audience", &self.audience)
            .string("scope", &self.scope)
            .string("created_at", &self.created_at.to_string())
            .string("used_at", &self.used_at.to_string());
        out.object()
    }
}

/// Makes the text of a refresh token for a session, to be given once, and the commands that keep
/// it, and end the oldest in its favour, in the change of the sign-in itself.
pub(super) fn made(call: &Call, session: &Session<'_>) -> Result<(String, Vec<Command>), Problem> {
    let kept = Kept {
        client_id: session.client.id.clone(),
        user_id: session.user.id().to_owned(),
        user_created_at: session.user.created_at(),
        audience: session.api.key(),
        scope: session.scope.text().to_owned(),
        created_at: call.valid_at,
        used_at: call.valid_at,
    };
    let kind = ResourceKind::RefreshToken;
    let oldest = surplus(own(call, &kept), MAX_FOR_EACH_CLIENT - 1);
    let mut commands: Vec<_> =
        oldest.into_iter().map(|id| Command::DeleteResource { kind, id }).collect();
    let text = refresh_token_prefix(&kept.user_id) + &random::secret(SECRET_CHARS);
    let resource = Resource {
        kind,
        id: refresh_token_id(&text).ok_or_else(Problem::internal)?,
        version: Version::ZERO,
        body: kept.body(),
    };
    commands.push(Command::CreateResource(Box::new(resource)));
    Ok((text, commands))
}

/// The refresh tokens this user has at this client already: when made, and their ids.
fn own(call: &Call, new: &Kept) -> Vec<(Timestamp, String)> {
    let prefix = refresh_token_prefix(&new.user_id);
    call.tenant
        .published()
        .resources_with(ResourceKind::RefreshToken, &prefix)
        .into_iter()
        .filter_map(|resource| Some((Kept::of(&resource)?, resource.id.clone())))
        .filter(|(kept, _)| kept.user_id == new.user_id && kept.client_id == new.client_id)
        .map(|(kept, id)| (kept.created_at, id))
        .collect()
}

/// The ids of the oldest of these, beyond the newest `most`.
fn surplus(mut tokens: Vec<(Timestamp, String)>, most: usize) -> Vec<String> {
    tokens.sort_unstable();
    let surplus = tokens.len().saturating_sub(most);
    tokens.into_iter().take(surplus).map(|(_, id)| id).collect()
}

/// Gives new tokens for a refresh token, which stays as it is.
pub(super) async fn grant(
    call: &mut Call,
    client: &Client,
    fields: &Fields,
) -> Result<HttpResponse, Problem> {
    let text = fields.need("refresh_token")?;
    let id = refresh_token_id(text).ok_or_else(refusal::unknown_refresh_token)?;
    let kept = find(call, client, &id).ok_or_else(refusal::unknown_refresh_token)?;
    let user = call.tenant.published().user(&kept.user_id);
    let lives = Lives::of(&client.settings);
    let standing = standing(&kept, user.as_ref(), lives, call.valid_at);
    let (user, api) = match (standing, user, Api::kept(call, &kept.audience)) {
        (Standing::Good, Some(user), Some(api)) => (user, api),
        (Standing::Blocked, ..) => return Err(refusal::blocked_since()),
        _ => {
            remove(call, id).await?;
            return Err(refusal::unknown_refresh_token());
        }
    };
    call.caller = users::caller(&user, client);
    if lives.idle_seconds.is_some() {
        used(call, &id).await?;
    }
    let scope = Scopes::parse(&kept.scope).narrowed_to(fields.get("scope").unwrap_or_default());
    let session = Session { client, user: &user, api: &api, scope: &scope, gty: "refresh_token" };
    let tokens = users::tokens(call, &session);
    let given = Given { refresh_token: Some(text), id_token: tokens.id.as_deref() };
    Ok(token::bearer(&tokens.access, tokens.lifetime, &scope, &given))
}

/// The refresh token of this client with this id.
fn find(call: &Call, client: &Client, id: &str) -> Option<Kept> {
    let resource = call.tenant.published().resource(ResourceKind::RefreshToken, id)?;
    Kept::of(&resource).filter(|kept| kept.client_id == client.id)
}

/// Ends a refresh token, if it is this client's.
pub(super) async fn revoke(call: &Call, client: &Client, text: &str) -> Result<(), Problem> {
    match refresh_token_id(text) {
        Some(id) if find(call, client, &id).is_some() => remove(call, id).await,
        Some(_) | None => Ok(()),
    }
}

async fn remove(call: &Call, id: String) -> Result<(), Problem> {
    let command = Command::DeleteResource { kind: ResourceKind::RefreshToken, id };
    call.write_as_server(Channel::Authentication, command).await.map(|_| ())
}

/// Writes down when a token that ends when it is idle was last used.
async fn used(call: &Call, id: &str) -> Result<(), Problem> {
    let mut patch = Builder::new();
    patch.string("used_at", &call.valid_at.to_string());
    let (kind, id, patch) = (ResourceKind::RefreshToken, id.to_owned(), patch.object());
    let command = Command::UpdateResource { kind, id, patch };
    let written = call.write_as_server(Channel::Authentication, command).await;
    written.map(|_| ()).map_err(|problem| {
        // Revoked since it was found.
        if problem.status == 404 { refusal::unknown_refresh_token() } else { problem }
    })
}

/// How long the refresh tokens of a client live, in seconds; `None` = for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Lives {
    whole_seconds: Option<i64>,
    idle_seconds: Option<i64>,
}

impl Lives {
    fn of(client: &Object) -> Self {
        let Some(settings) = client.get_object("refresh_token") else { return Self::default() };
        if settings.get_str("expiration_type").as_deref() != Some("expiring") {
            return Self::default();
        }
        let limit = |seconds: &str, infinite: &str| {
            let seconds = settings.get(seconds)?.parse().ok()?;
            (settings.get_bool(infinite) != Some(true)).then_some(seconds)
        };
        Self {
            whole_seconds: limit("token_lifetime", "infinite_token_lifetime"),
            idle_seconds: limit("idle_token_lifetime", "infinite_idle_token_lifetime"),
        }
    }
}

/// What a refresh token is worth now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Good,
    Blocked,
    Over,
}

fn standing(kept: &Kept, user: Option<&Document>, lives: Lives, now: Timestamp) -> Standing {
    let Some(user) = user else { return Standing::Over };
    let age = |since: Timestamp| now.seconds().saturating_sub(since.seconds());
    let is_old = lives.whole_seconds.is_some_and(|limit| age(kept.created_at) >= limit)
        || lives.idle_seconds.is_some_and(|limit| age(kept.used_at) >= limit);
    let reset = user.attribute("last_password_reset").and_then(|text| Timestamp::parse(&text));
    let is_reset = reset.is_some_and(|reset| reset > kept.created_at);
    if is_old || is_reset || user.created_at() != kept.user_created_at {
        Standing::Over
    } else if users::is_blocked(user) {
        Standing::Blocked
    } else {
        Standing::Good
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::document::tests::jane;
    use crate::domain::user::{Profile, User};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn kept() -> Kept {
        Kept {
            client_id: "c".to_owned(),
            user_id: "auth0|1".to_owned(),
            user_created_at: at(50),
            audience: "urn:x".to_owned(),
            scope: "openid offline_access".to_owned(),
            created_at: at(100),
            used_at: at(150),
        }
    }

    fn user(created: i64, reset: Option<i64>, blocked: Option<bool>) -> Document {
        let last_password_reset = reset.map(at);
        let profile = Profile { blocked, last_password_reset, ..Profile::default() };
        Document::of(&User { created_at: at(created), profile, ..jane() })
    }

    #[test]
    fn what_is_kept_reads_back_and_holds_no_token() {
        let resource = |body| Resource {
            kind: ResourceKind::RefreshToken,
            id: "i".to_owned(),
            version: Version::ZERO,
            body,
        };
        assert_eq!(Kept::of(&resource(kept().body())), Some(kept()));
        assert_eq!(Kept::of(&resource(Object::empty())), None);
    }

    #[test]
    fn the_oldest_of_too_many_go() {
        let tokens: Vec<_> = [3, 1, 2].into_iter().map(|n| (at(n), format!("token {n}"))).collect();
        assert_eq!(surplus(tokens.clone(), 1), ["token 1", "token 2"]);
        assert!(surplus(tokens, 3).is_empty());
    }

    #[track_caller]
    fn check(user: Option<&Document>, lives: Lives, now: i64, expected: Standing) {
        assert_eq!(standing(&kept(), user, lives, at(now)), expected);
    }

    #[test]
    fn a_refresh_token_ends_with_what_it_was_made_from() {
        let never = Lives::default();
        check(Some(&user(50, None, None)), never, 1_000_000, Standing::Good);
        check(None, never, 101, Standing::Over);
        check(Some(&user(51, None, None)), never, 101, Standing::Over);
        check(Some(&user(50, Some(101), None)), never, 102, Standing::Over);
        check(Some(&user(50, Some(99), None)), never, 102, Standing::Good);
        check(Some(&user(50, None, Some(true))), never, 102, Standing::Blocked);
    }

    #[test]
    fn a_refresh_token_ends_when_its_client_says_so() {
        let whole = Lives { whole_seconds: Some(200), idle_seconds: None };
        check(Some(&user(50, None, None)), whole, 299, Standing::Good);
        check(Some(&user(50, None, None)), whole, 300, Standing::Over);
        let idle = Lives { whole_seconds: None, idle_seconds: Some(60) };
        check(Some(&user(50, None, None)), idle, 209, Standing::Good);
        check(Some(&user(50, None, None)), idle, 210, Standing::Over);
    }

    #[test]
    fn lives_are_read_from_the_clients_settings() {
        let lives = |text: &str| Lives::of(&Object::parse(text, 8).unwrap());
        assert_eq!(lives("{}"), Lives::default());
        assert_eq!(
            lives(r#"{"refresh_token":{"expiration_type":"non-expiring","token_lifetime":5}}"#),
            Lives::default()
        );
        assert_eq!(
            lives(
                r#"{"refresh_token":{"expiration_type":"expiring","token_lifetime":5,"idle_token_lifetime":3,"infinite_idle_token_lifetime":true}}"#
            ),
            Lives { whole_seconds: Some(5), idle_seconds: None }
        );
        assert_eq!(
            lives(
                r#"{"refresh_token":{"expiration_type":"expiring","token_lifetime":5,"infinite_token_lifetime":true,"idle_token_lifetime":3,"infinite_idle_token_lifetime":false}}"#
            ),
            Lives { whole_seconds: None, idle_seconds: Some(3) }
        );
    }
}
