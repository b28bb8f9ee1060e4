//! Who a token speaks for (CONTRACT.md §1.3).

use super::claims;
use super::fields::Fields;
use crate::domain::document::Document;
use crate::domain::scope::{Scope, Scopes};
use crate::http::PLAIN_JSON;
use crate::http::call::Call;
use crate::http::problem::Problem;
use actix_web::HttpResponse;
use actix_web::http::{Method, header};
use serde_json::{Map, Value};

pub(super) async fn show(mut call: Call) -> Result<HttpResponse, Problem> {
    let token = token(&mut call).await?;
    let verified = call.verified_for_userinfo(&token).map_err(|problem| refused(&problem))?;
    let user =
        call.tenant.published().user(&verified.claims.sub).ok_or_else(|| {
            refused(&Problem::new(401, "", "The token does not speak for a user"))
        })?;
    let body = body(&user, &verified.scopes).ok_or_else(not_openid)?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, PLAIN_JSON))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(Value::Object(body).to_string()))
}

/// The one token of a request: in the header, the query string or a form (RFC 6750 §2).
async fn token(call: &mut Call) -> Result<String, Problem> {
    let form = if *call.method() == Method::POST {
        Fields::of(call).await?.get("access_token").map(str::to_owned)
    } else {
        None
    };
    let query = call.query.get("access_token").filter(|text| !text.is_empty()).map(str::to_owned);
    let header = if call.headers().contains_key(header::AUTHORIZATION) {
        Some(call.bearer().map_err(|problem| refused(&problem))?.to_owned())
    } else {
        None
    };
    let mut tokens = [header, query, form].into_iter().flatten();
    match (tokens.next(), tokens.next()) {
        (Some(token), None) => Ok(token),
        (Some(_), Some(_)) => Err(super::refusal::invalid("There is more than one access token")),
        (None, _) => Err(Problem::unauthenticated()),
    }
}

/// Any fault of a token is 401 here, in the words of RFC 6750.
fn refused(problem: &Problem) -> Problem {
    Problem {
        authenticate: Some("Bearer error=\"invalid_token\"".to_owned()),
        ..Problem::new(401, "invalid_token", problem.message.clone())
    }
}

fn not_openid() -> Problem {
    Problem {
        authenticate: Some("Bearer error=\"insufficient_scope\", scope=\"openid\"".to_owned()),
        ..Problem::new(403, "insufficient_scope", "The scope openid is needed")
    }
}

/// What of a user the scopes of a token show. A token that may read its user anyway shows all.
fn body(user: &Document, scopes: &Scopes) -> Option<Map<String, Value>> {
    let may_read = scopes.contains(Scope::READ_CURRENT_USER);
    if !may_read && !scopes.names("openid") {
        return None;
    }
    let mut body = Map::new();
    body.insert("sub".to_owned(), user.id().into());
    let (profile, email) = (may_read || scopes.names("profile"), may_read || scopes.names("email"));
    body.extend(claims::profile(user, profile, email));
    Some(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::document::tests::jane;

    #[track_caller]
    fn check(scopes: &str, keys: &str) {
        let body = body(&Document::of(&jane()), &Scopes::parse(scopes));
        let found = body.map(|body| body.keys().cloned().collect::<Vec<_>>().join(" "));
        assert_eq!(found.unwrap_or_default(), keys, "{scopes}");
    }

    #[test]
    fn scopes_say_what_is_shown() {
        check("openid", "sub");
        check("read:users", "");
        check("openid email", "sub email email_verified");
        let all = body(&Document::of(&jane()), &Scopes::parse("openid profile email"));
        let own = body(&Document::of(&jane()), &Scopes::parse("read:current_user"));
        assert_eq!(all, own);
        let all = all.unwrap();
        for hidden in ["identities", "app_metadata", "user_metadata", "blocked", "last_ip"] {
            assert!(!all.contains_key(hidden), "{hidden}");
        }
    }
}
