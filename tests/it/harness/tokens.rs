//! Tokens for any caller a test can think of, signed with the server's own key.

use super::Server;
use dossier::app::clock;
use dossier::app::keys::KeyStore;
use dossier::domain::scope::Scope;
use dossier::http::tokens::{Audience, Claims, TokenTenant};
use dossier::store::format::TenantUid;
use dossier::tenant::DEFAULT_TENANT;

/// Who a token speaks for and what it allows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bearer {
    /// The user it speaks for; none means its client.
    pub(crate) user: Option<String>,
    /// The client it was issued to; none means the server's first machine client.
    pub(crate) client: Option<String>,
    /// Names of scopes.
    pub(crate) scopes: Vec<String>,
    /// Seconds from now to its end; none means an hour.
    pub(crate) ends_in_s: Option<i64>,
    /// Another audience than the management API.
    pub(crate) audience: Option<String>,
    /// Another issuer than the server.
    pub(crate) issuer: Option<String>,
}

impl Bearer {
    /// A machine with these scopes.
    pub(crate) fn with(scopes: &[&str]) -> Self {
        let scopes = scopes.iter().map(|&scope| scope.to_owned()).collect();
        Self { scopes, ..Self::default() }
    }

    /// A machine that may do everything.
    pub(crate) fn admin() -> Self {
        let scopes = Scope::all().map(|scope| scope.name().to_owned()).collect();
        Self { scopes, ..Self::default() }
    }
}

impl Server {
    /// A token of the default tenant, as [`Bearer`] says.
    pub(crate) fn token(&self, bearer: &Bearer) -> String {
        let now = clock::now().seconds();
        let ring = KeyStore::open(&self.data_dir(), now).unwrap();
        let client = bearer.client.clone().unwrap_or_else(|| self.admin_client().0);
        let or = |own: &Option<String>, other: String| own.clone().unwrap_or(other);
        let claims = Claims {
            iss: or(&bearer.issuer, format!("{}/", self.url)),
            sub: or(&bearer.user, format!("{client}@clients")),
            aud: Audience::One(or(&bearer.audience, format!("{}/api/v2/", self.url))),
            iat: now.min(now + bearer.ends_in_s.unwrap_or_default()),
            exp: now + bearer.ends_in_s.unwrap_or(3600),
            nbf: None,
            scope: bearer.scopes.join(" "),
            gty: bearer.user.is_none().then(|| "client-credentials".to_owned()),
            azp: Some(client),
        };
        let tenant = TokenTenant { uid: TenantUid::DEFAULT.0, id: DEFAULT_TENANT };
        ring.ring().sign(tenant, &claims)
    }
}
