//! The tokens of a user who signed in.

use super::api::Api;
use super::claims::{self, Frame};
use super::token;
use crate::domain::client::Client;
use crate::domain::document::Document;
use crate::domain::json::Object;
use crate::domain::permit::Caller;
use crate::domain::scope::{ScopeSet, Scopes};
use crate::http::call::Call;
use crate::http::tokens::MAX_TOKEN_BYTES;
use serde_json::{Map, Value};

/// Who signed in, where, and for what.
pub(super) struct Session<'a> {
    /// The client they trusted.
    pub(super) client: &'a Client,
    /// Who.
    pub(super) user: &'a Document,
    /// The API they want to use.
    pub(super) api: &'a Api,
    /// What they may do there.
    pub(super) scope: &'a Scopes,
    /// How tokens name the way they came in.
    pub(super) gty: &'static str,
}

/// What they get.
pub(super) struct Tokens {
    /// For APIs.
    pub(super) access: String,
    /// For the client, when it asked with `openid`.
    pub(super) id: Option<String>,
    /// How long the access token lives, in seconds.
    pub(super) lifetime: i64,
}

/// How long an id token lives when the client's settings do not say, in seconds.
const ID_TOKEN_SECONDS: i64 = 36_000;

/// Makes the tokens of a session.
pub(super) fn tokens(call: &Call, session: &Session<'_>) -> Tokens {
    let auth = &call.services.settings().auth;
    let longest = token::seconds(auth.max_token_ttl);
    let own = session.api.token_lifetime();
    let lifetime = own.map_or(token::seconds(auth.user_token_ttl), |own| own.min(longest));
    let issuer = call.issuer();
    let client_id = &session.client.id;
    let frame = Frame {
        issuer: &issuer,
        client_id,
        now: call.now.seconds(),
        valid_at: call.valid_at.seconds(),
        lifetime,
    };
    let is_openid = session.scope.names("openid");
    let mut audiences = vec![session.api.audience()];
    if is_openid {
        audiences.push(format!("{}/userinfo", call.origin()));
    }
    let access = claims::access(frame, session.user, audiences, session.scope, session.gty);
    let id = is_openid.then(|| {
        let lifetime = id_token_lifetime(&session.client.settings).min(longest);
        let claims = claims::id(Frame { lifetime, ..frame }, session.user, session.scope);
        signed(call, session.user, &claims)
    });
    let access = signed(call, session.user, &access);
    let left_out = access.left_out.max(id.as_ref().map_or(0, |id| id.left_out));
    if left_out > 0 {
        log::warn!(
            tenant = call.tenant.id(), request_id = call.request_id, left_out;
            "metadata entries did not fit into a token"
        );
    }
    Tokens { access: access.text, id: id.map(|id| id.text), lifetime }
}

/// A token, and how many entries of its user are not in it.
struct Signed {
    text: String,
    left_out: usize,
}

fn id_token_lifetime(settings: &Object) -> i64 {
    settings
        .get_object("jwt_configuration")
        .and_then(|jwt| jwt.get("lifetime_in_seconds")?.parse().ok())
        .filter(|seconds| *seconds > 0)
        .unwrap_or(ID_TOKEN_SECONDS)
}

/// Signs claims with the user's entries among them. A token that would be too long to be
/// of use goes without.
fn signed(call: &Call, user: &Document, claims: &Map<String, Value>) -> Signed {
    let settings = call.services.settings_of(&call.tenant).claims;
    let mut with_entries = claims.clone();
    let left_out =
        claims::add_entries(&mut with_entries, user, &settings.prefix, settings.max_bytes);
    let added = with_entries.len() - claims.len();
    let text = token::sign(call, &with_entries);
    if text.len() > MAX_TOKEN_BYTES && added > 0 {
        return Signed { text: token::sign(call, claims), left_out: left_out + added };
    }
    Signed { text, left_out }
}

/// The user as the one who asks: changes of a sign-in are theirs.
pub(super) fn caller(user: &Document, client: &Client) -> Caller {
    Caller {
        subject: user.id().to_owned(),
        client_id: client.id.clone(),
        scopes: ScopeSet::EMPTY,
        is_server: false,
    }
}

/// Whether the user is kept out.
pub(super) fn is_blocked(user: &Document) -> bool {
    Object::trusted(user.json()).get_bool("blocked") == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::document::tests::jane;
    use crate::domain::user::{Profile, User};

    #[test]
    fn a_client_says_how_long_its_id_tokens_live() {
        let lifetime = |text: &str| id_token_lifetime(&Object::parse(text, 8).unwrap());
        assert_eq!(lifetime(r#"{"jwt_configuration":{"lifetime_in_seconds":60}}"#), 60);
        for text in [
            "{}",
            r#"{"jwt_configuration":{}}"#,
            r#"{"jwt_configuration":{"lifetime_in_seconds":-5}}"#,
            r#"{"jwt_configuration":{"lifetime_in_seconds":"60"}}"#,
        ] {
            assert_eq!(lifetime(text), 36_000, "{text}");
        }
    }

    #[test]
    fn only_true_blocks() {
        let user = |blocked| {
            Document::of(&User { profile: Profile { blocked, ..Profile::default() }, ..jane() })
        };
        assert!(is_blocked(&user(Some(true))));
        assert!(!is_blocked(&user(Some(false))) && !is_blocked(&user(None)));
    }
}
