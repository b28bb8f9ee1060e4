//! Which client asks, and whether it proved so.

use super::assertion::{self, Expected};
use super::fields::{Credentials, Fields};
use super::refusal;
use crate::domain::client::{Client, Secret};
use crate::domain::credential;
use crate::http::call::Call;
use crate::http::problem::Problem;
use std::sync::Arc;

/// A client that was let in.
pub(super) struct KnownClient {
    /// Which.
    pub(super) client: Arc<Client>,
    /// Whether it showed its secret; public clients need not.
    pub(super) is_proven: bool,
}

/// Finds the client of a request and compares its secret.
///
/// # Errors
/// 400 without credentials, 401 for wrong ones.
pub(super) fn authenticate(call: &Call, fields: &Fields) -> Result<KnownClient, Problem> {
    let credentials = Credentials::of(call, fields)?;
    let client = call.tenant.published().client(&credentials.id);
    if let Some(text) = &credentials.assertion {
        return asserted(call, client, text);
    }
    match (proof(client.as_deref(), &credentials.secrets), client) {
        (Proof::Right, Some(client)) => Ok(KnownClient { client, is_proven: true }),
        (Proof::NotNeeded, Some(client)) => Ok(KnownClient { client, is_proven: false }),
        (_, client) => {
            // What is no client's id may be a secret in the wrong place: it is not written down.
            log::warn!(
                tenant = call.tenant.id(), request_id = call.request_id, client = client.map(|client| client.id.clone());
                "a client did not prove who it is"
            );
            Err(refusal::unknown_client(credentials.is_basic))
        }
    }
}

/// The client that signed an assertion, which is used up by that.
fn asserted(call: &Call, client: Option<Arc<Client>>, text: &str) -> Result<KnownClient, Problem> {
    let client = client.ok_or_else(|| refusal::unknown_client(false))?;
    let settings = call.services.settings();
    let up_for = call.services.up_for();
    let expected = Expected {
        audiences: &[call.issuer(), call.origin(), format!("{}/oauth/token", call.origin())],
        now: call.now.seconds(),
        leeway: i64::try_from(settings.auth.leeway.as_secs()).unwrap_or(i64::MAX),
        // What a client that was made since has used is all remembered.
        remembered: (call.tenant.is_from_before(client.made_at))
            .then(|| i64::try_from(up_for.as_secs()).unwrap_or(i64::MAX)),
    };
    let checked = assertion::verify(text, &client, &expected).and_then(|proved| {
        call.services.assertions.use_up(call.tenant.uid().0, proved, expected.now)
    });
    checked.map_err(|why| {
        log::warn!(
            tenant = call.tenant.id(), request_id = call.request_id, client = client.id, reason = why;
            "a client did not prove who it is"
        );
        assertion::refused(why)
    })?;
    Ok(KnownClient { client, is_proven: true })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Proof {
    Right,
    NotNeeded,
    Wrong,
}

/// An unknown client takes as long as a wrong secret.
fn proof(client: Option<&Client>, given: &[String]) -> Proof {
    let nobody = Secret::Hashed(String::new());
    // Who proves itself with a key does not do so with a secret as well.
    let own = client
        .filter(|client| !credential::uses_keys(&client.settings))
        .and_then(|client| client.secret.as_ref());
    let matches = given
        .iter()
        .map(|given| own.unwrap_or(&nobody).matches(given))
        .fold(false, |any, one| any | one);
    match client {
        Some(_) if matches => Proof::Right,
        Some(client) if given.is_empty() && is_public(client) => Proof::NotNeeded,
        Some(_) | None => Proof::Wrong,
    }
}

/// Whether a client cannot keep a secret: it says so, or its kind does.
fn is_public(client: &Client) -> bool {
    if client.is_global {
        return false;
    }
    match client.settings.get_str("token_endpoint_auth_method") {
        Some(method) => method == "none",
        None if credential::uses_keys(&client.settings) => false,
        None => client
            .settings
            .get_str("app_type")
            .is_some_and(|kind| kind == "native" || kind == "spa"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::json::Object;
    use crate::domain::time::Version;

    fn client(settings: &str) -> Client {
        Client {
            id: "c".to_owned(),
            version: Version::ZERO,
            settings: Object::trusted(settings),
            client_metadata: None,
            secret: Some(Secret::Plain("s3cret".to_owned())),
            is_global: false,
            made_at: Version::new(1),
            keys: crate::domain::keys::KeyVersions::default(),
        }
    }

    #[track_caller]
    fn check(settings: &str, given: &[&str], expected: Proof) {
        let given: Vec<String> = given.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(proof(Some(&client(settings)), &given), expected, "{settings} {given:?}");
    }

    #[test]
    fn a_client_shows_its_secret_unless_it_cannot_keep_one() {
        check("{}", &["s3cret"], Proof::Right);
        check("{}", &["s3creT"], Proof::Wrong);
        check("{}", &["other reading", "s3cret"], Proof::Right);
        check("{}", &[], Proof::Wrong);
        check(r#"{"token_endpoint_auth_method":"none"}"#, &[], Proof::NotNeeded);
        check(r#"{"token_endpoint_auth_method":"none"}"#, &["wrong"], Proof::Wrong);
        check(r#"{"app_type":"spa"}"#, &[], Proof::NotNeeded);
        check(
            r#"{"app_type":"spa","token_endpoint_auth_method":"client_secret_post"}"#,
            &[],
            Proof::Wrong,
        );
    }

    #[test]
    fn nobody_proves_to_be_a_client_that_is_not_there_or_has_no_secret() {
        assert_eq!(proof(None, &["x".to_owned()]), Proof::Wrong);
        assert_eq!(proof(None, &[String::new()]), Proof::Wrong);
        assert_eq!(proof(None, &[]), Proof::Wrong);
        let bare = Client { secret: None, ..client("{}") };
        assert_eq!(proof(Some(&bare), &[String::new()]), Proof::Wrong);
        let global = Client { is_global: true, ..client(r#"{"app_type":"spa"}"#) };
        assert_eq!(proof(Some(&global), &[]), Proof::Wrong);
    }
}
