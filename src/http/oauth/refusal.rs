//! Why a token is refused, in Auth0's words where clients match on them (CONTRACT.md §1.1).

use crate::http::problem::Problem;

const GRANT_TYPES: &str = "https://auth0.com/docs/clients/client-grant-types";

/// 400: something the request needs is not there.
pub(super) fn missing(parameter: &str) -> Problem {
    invalid(format!("Missing required parameter: {parameter}"))
}

/// 400: the request cannot be read.
pub(super) fn invalid(text: impl Into<String>) -> Problem {
    Problem::new(400, "invalid_request", text)
}

/// 400: nobody here knows this way of getting a token.
pub(super) fn grant_not_supported() -> Problem {
    Problem::new(400, "unsupported_grant_type", "Grant type not supported")
}

/// 401: wrong client id or secret; which of them is not said.
pub(super) fn unknown_client(is_basic: bool) -> Problem {
    Problem {
        // RFC 6749 §5.2: who tried the header is told which scheme it takes.
        authenticate: is_basic.then(|| "Basic realm=\"token\"".to_owned()),
        ..Problem::new(401, "access_denied", "Unauthorized")
    }
}

/// 403: the client may not use this way of getting a token.
pub(super) fn grant_not_allowed(grant_type: &str) -> Problem {
    Problem {
        uri: Some(GRANT_TYPES),
        ..Problem::new(
            403,
            "unauthorized_client",
            format!("Grant type '{grant_type}' not allowed for the client."),
        )
    }
}

/// 403: the client has no grant for this API.
pub(super) fn no_grant(audience: &str) -> Problem {
    Problem::new(
        403,
        "access_denied",
        format!(
            "Client is not authorized to access \"{audience}\". You might probably want to create a \"client-grant\" associated to this API. See: https://auth0.com/docs/api/v2#!/Client_Grants/post_client_grants"
        ),
    )
}

/// 403: no API was named, and nothing says which one is meant.
pub(super) fn no_audience() -> Problem {
    Problem::new(
        403,
        "access_denied",
        "No audience parameter was provided, and no default audience has been configured",
    )
}

/// 403: there is no such API for users to ask for.
pub(super) fn no_api(audience: &str) -> Problem {
    Problem::new(403, "access_denied", format!("Service not found: {audience}"))
}

/// 403: the password is not the user's, or there is no such user; which is not said.
pub(super) fn wrong_password() -> Problem {
    Problem::new(403, "invalid_grant", "Wrong email or password.")
}

/// 401: who signs in is known and kept out.
pub(super) fn blocked() -> Problem {
    Problem::new(401, "unauthorized", "user is blocked")
}

/// 403: who was signed in is kept out by now.
pub(super) fn blocked_since() -> Problem {
    Problem::new(403, "invalid_grant", "user is blocked")
}

/// 403: no such refresh token, not this client's, or no longer good.
pub(super) fn unknown_refresh_token() -> Problem {
    Problem::new(403, "invalid_grant", "Unknown or invalid refresh token.")
}

/// 400: users do not sign in at this connection.
pub(super) fn unknown_realm() -> Problem {
    invalid("Unknown or invalid realm.")
}

/// The same refusal in the words of RFC 6749 §5.2, for clients that never heard of Auth0.
pub(super) fn plain(problem: Problem) -> Problem {
    match (problem.status, problem.code) {
        (401, "access_denied") => Problem { code: "invalid_client", ..problem },
        (403, "unauthorized_client" | "invalid_grant") => Problem { status: 400, ..problem },
        (403, "access_denied") => Problem {
            status: 400,
            code: "invalid_scope",
            message: "The client was not granted what it asks for".to_owned(),
            ..problem
        },
        _ => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::route::Dialect;
    use actix_web::body::MessageBody;

    #[track_caller]
    fn check(problem: &Problem, status: u16, body: &str) {
        let response = problem.answer(Dialect::OAuth);
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.headers().get("content-type").unwrap(), "application/json");
        assert_eq!(response.headers().get("cache-control").unwrap(), "no-store");
        assert_eq!(response.headers().get("pragma").unwrap(), "no-cache");
        assert_eq!(response.into_body().try_into_bytes().unwrap(), body.as_bytes());
    }

    #[test]
    fn refusals_are_worded_as_auth0_words_them() {
        check(
            &unknown_client(false),
            401,
            r#"{"error":"access_denied","error_description":"Unauthorized"}"#,
        );
        check(
            &no_grant("https://x/"),
            403,
            r#"{"error":"access_denied","error_description":"Client is not authorized to access \"https://x/\". You might probably want to create a \"client-grant\" associated to this API. See: https://auth0.com/docs/api/v2#!/Client_Grants/post_client_grants"}"#,
        );
        check(
            &no_audience(),
            403,
            r#"{"error":"access_denied","error_description":"No audience parameter was provided, and no default audience has been configured"}"#,
        );
        check(
            &grant_not_allowed("password"),
            403,
            r#"{"error":"unauthorized_client","error_description":"Grant type 'password' not allowed for the client.","error_uri":"https://auth0.com/docs/clients/client-grant-types"}"#,
        );
        check(
            &wrong_password(),
            403,
            r#"{"error":"invalid_grant","error_description":"Wrong email or password."}"#,
        );
        check(
            &unknown_refresh_token(),
            403,
            r#"{"error":"invalid_grant","error_description":"Unknown or invalid refresh token."}"#,
        );
        check(
            &missing("audience"),
            400,
            r#"{"error":"invalid_request","error_description":"Missing required parameter: audience"}"#,
        );
        check(
            &grant_not_supported(),
            400,
            r#"{"error":"unsupported_grant_type","error_description":"Grant type not supported"}"#,
        );
        check(&blocked(), 401, r#"{"error":"unauthorized","error_description":"user is blocked"}"#);
    }

    #[test]
    fn who_used_the_header_is_told_its_scheme() {
        let response = unknown_client(true).answer(Dialect::OAuth);
        assert_eq!(response.headers().get("www-authenticate").unwrap(), "Basic realm=\"token\"");
        assert!(unknown_client(false).authenticate.is_none());
    }

    #[test]
    fn plain_manners_use_the_codes_of_the_standard() {
        let code = |problem| {
            let problem = plain(problem);
            (problem.status, problem.code)
        };
        assert_eq!(code(unknown_client(false)), (401, "invalid_client"));
        assert_eq!(code(no_grant("x")), (400, "invalid_scope"));
        assert_eq!(code(grant_not_allowed("x")), (400, "unauthorized_client"));
        assert_eq!(code(wrong_password()), (400, "invalid_grant"));
        assert_eq!(code(missing("x")), (400, "invalid_request"));
        assert_eq!(code(blocked()), (401, "unauthorized"));
    }
}
