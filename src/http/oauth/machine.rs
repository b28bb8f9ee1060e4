//! Tokens for machines: the client speaks for itself.

use super::api::{self, Api};
use super::claims::{self, Frame};
use super::fields::Fields;
use super::refusal;
use super::token::{self, Given, Manners};
use crate::domain::client::Client;
use crate::domain::scope::{Scope, Scopes};
use crate::http::call::Call;
use crate::http::problem::Problem;
use actix_web::HttpResponse;

/// What a machine asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish<'a> {
    /// An API by its audience.
    Api(&'a str),
    /// The key/value metadata, as Bizzkit's callers ask (CONTRACT.md §8.2).
    Entries,
    /// Nothing by name, as in v1 (CONTRACT.md §9).
    Unsaid,
}

impl<'a> Wish<'a> {
    fn of(audience: Option<&'a str>, scope: Option<&str>, manners: Manners) -> Self {
        let names_entries = scope.is_some_and(|scope| Scopes::parse(scope).contains(Scope::IAM));
        match audience {
            Some(audience) if audience == Scope::IAM.name() => Self::Entries,
            Some(audience) => Self::Api(audience),
            None if names_entries => Self::Entries,
            None if manners == Manners::Plain && scope.is_none() => Self::Entries,
            None => Self::Unsaid,
        }
    }
}

/// Gives a client that proved who it is a token for itself.
pub(super) fn grant(
    call: &Call,
    client: &Client,
    fields: &Fields,
    manners: Manners,
) -> Result<HttpResponse, Problem> {
    let requested = fields.get("scope");
    let management = || Api::Management(call.audience());
    match Wish::of(fields.get("audience"), requested, manners) {
        Wish::Api(audience) => {
            let refused = || refusal::no_grant(audience);
            let api = Api::named(call, audience).ok_or_else(refused)?;
            let granted = api::granted(call, client, &api).ok_or_else(refused)?;
            let scope = api::for_machine(&granted, requested);
            let (text, lifetime) = signed(call, client, &api, &scope);
            Ok(token::bearer(&text, lifetime, &scope, &Given::default()))
        }
        Wish::Entries => {
            let granted = api::granted(call, client, &management())
                .filter(api::may_change_entries)
                .ok_or_else(|| refusal::no_grant(Scope::IAM.name()))?;
            let scope = api::for_machine(&granted, Some(Scope::IAM.name()));
            let (text, lifetime) = signed(call, client, &management(), &scope);
            Ok(token::bearer(&text, lifetime, &scope, &Given::default()))
        }
        // Without an audience only the global client gets a token: that is how v1 asks.
        Wish::Unsaid => {
            let granted = api::granted(call, client, &management())
                .filter(|_| client.is_global)
                .ok_or_else(refusal::no_audience)?;
            let scope = api::for_machine(&granted, requested);
            let (text, _) = signed(call, client, &management(), &scope);
            Ok(token::bearer_of_v1(&text))
        }
    }
}

/// What a client was granted of this tenant's management API; `None` without a grant.
pub(in crate::http) fn granted_for_management(call: &Call, client: &Client) -> Option<Scopes> {
    api::granted(call, client, &Api::Management(call.audience()))
}

/// A token of this tenant's management API for a client, valid for so many seconds at most, and
/// how many it is.
pub(in crate::http) fn signed_for_management(
    call: &Call,
    client: &Client,
    scope: &Scopes,
    at_most: i64,
) -> (String, i64) {
    let lifetime = token::seconds(call.services.settings().auth.token_ttl).min(at_most);
    (signed_for(call, client, &call.audience(), scope, lifetime), lifetime)
}

fn signed(call: &Call, client: &Client, api: &Api, scope: &Scopes) -> (String, i64) {
    let auth = &call.services.settings().auth;
    let longest = token::seconds(auth.max_token_ttl);
    let lifetime =
        api.token_lifetime().map_or(token::seconds(auth.token_ttl), |own| own.min(longest));
    (signed_for(call, client, &api.audience(), scope, lifetime), lifetime)
}

fn signed_for(
    call: &Call,
    client: &Client,
    audience: &str,
    scope: &Scopes,
    lifetime: i64,
) -> String {
    let frame = Frame {
        issuer: &call.issuer(),
        client_id: &client.id,
        now: call.now.seconds(),
        valid_at: call.valid_at.seconds(),
        lifetime,
    };
    let claims = claims::machine(frame, audience, scope);
    token::sign(call, &claims)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_read_from_audience_and_scope() {
        let wish = |audience, scope, manners| Wish::of(audience, scope, manners);
        let (auth0, plain) = (Manners::Auth0, Manners::Plain);
        assert_eq!(wish(Some("https://x/"), Some("iam/"), plain), Wish::Api("https://x/"));
        assert_eq!(wish(Some("iam/"), None, auth0), Wish::Entries);
        assert_eq!(wish(None, Some("iam/ pimapi/"), plain), Wish::Entries);
        assert_eq!(wish(None, None, plain), Wish::Entries);
        assert_eq!(wish(None, Some("read:users"), plain), Wish::Unsaid);
        assert_eq!(wish(None, None, auth0), Wish::Unsaid);
    }
}
