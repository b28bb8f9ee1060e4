//! Who asks: from a bearer token or a session of the dashboard to a caller and their quota.

use super::{Call, host_of};
use crate::domain::document::Document;
use crate::domain::permit::{Caller, Forbidden};
use crate::domain::scope::{Scope, Scopes};
use crate::http::dashboard;
use crate::http::names::Names;
use crate::http::problem::Problem;
use crate::http::rate::Quota;
use crate::http::route::Dialect;
use crate::http::services::token_tenant;
use crate::http::tokens::{Claims, Expect, LastToken, TokenError, Verified};
use actix_web::http::header;
use std::sync::Arc;

impl Call {
    /// Whether `audience` names the management API of this tenant: at the host of the
    /// request, over either scheme on the plain listener (CONTRACT.md §0.1), or at an
    /// address this server itself has.
    pub fn is_management(&self, audience: &str) -> bool {
        self.names().management.iter().any(|own| own == audience)
    }

    /// The names under which this tenant issues tokens and is their audience.
    fn names(&self) -> Arc<Names> {
        let host = host_of(&self.request);
        self.services.names.find(self.tenant.uid().0, host, self.is_secure(), || {
            Names::of(&self.accepted_origins())
        })
    }

    /// The origins whose tokens are this tenant's.
    fn accepted_origins(&self) -> Vec<String> {
        let host = host_of(&self.request);
        let mut origins = vec![format!("https://{host}")];
        if !self.is_secure() {
            origins.push(format!("http://{host}"));
        }
        let settings = self.services.settings();
        let is_default = self.tenant.uid() == self.services.directory.default_tenant().uid();
        if is_default && !settings.server.public_url.is_empty() {
            origins.push(settings.server.public_url.trim_end_matches('/').to_owned());
        }
        let addresses = &self.services.addresses;
        let port_of = |address: &str| {
            address.rsplit_once(':').map_or(String::new(), |(_, port)| port.to_owned())
        };
        let name = if is_default {
            "localhost".to_owned()
        } else {
            format!("{}.localhost", self.tenant.id())
        };
        origins.push(format!("http://{name}:{}", port_of(&addresses.http)));
        if is_default {
            origins.push(format!("http://127.0.0.1:{}", port_of(&addresses.http)));
        }
        if let Some(https) = &addresses.https {
            origins.push(format!("https://{name}:{}", port_of(https)));
            if is_default {
                origins.push(format!("https://127.0.0.1:{}", port_of(https)));
            }
        }
        origins
    }

    /// Finds out who asks, from a bearer token or a session of the dashboard, and checks
    /// the scopes of the row.
    ///
    /// # Errors
    /// 400, 401 or 403 as CONTRACT.md §6.2 and §6.3 say.
    pub fn authenticate(&mut self, scopes: &'static [Scope]) -> Result<(), Problem> {
        match dashboard::let_in(self) {
            Some(entered) => entered?,
            None => self.enter_with_token()?,
        }
        if !scopes.is_empty() && !self.caller.has_any(scopes) {
            return Err(Forbidden::Scope { expected: scopes }.into());
        }
        Ok(())
    }

    fn enter_with_token(&mut self) -> Result<(), Problem> {
        let verified = self.verified(self.token()?)?;
        self.caller = caller_of(&verified.claims, &verified.scopes);
        Ok(())
    }

    /// Makes the caller the one a token of the management API spoke for, whose signature was
    /// checked before; everything else of it is checked now.
    ///
    /// # Errors
    /// 401.
    pub fn enter_as(&mut self, claims: &Claims) -> Result<(), Problem> {
        let names = self.names();
        self.expecting(&names.issuers, &names.management, |expect| claims.check(expect))?;
        self.still_there(claims)?;
        self.caller = caller_of(claims, &Scopes::parse(&claims.scope));
        Ok(())
    }

    /// The token of the request: the bearer, or, for v1 without one, `?access_token=` (CONTRACT.md §9).
    ///
    /// # Errors
    /// As [`Self::bearer`].
    pub fn token(&self) -> Result<&str, Problem> {
        let is_v1 = self.route.dialect == Dialect::V1;
        let from_query = self
            .query
            .get("access_token")
            .filter(|_| is_v1 && !self.headers().contains_key(header::AUTHORIZATION));
        from_query.map_or_else(|| self.bearer(), Ok)
    }

    /// Takes this request out of what its client, or its tenant, may ask.
    pub fn metered(&self) -> Quota {
        let (rates, tenant) = (&self.services.rates, self.tenant.uid());
        let Caller { client_id, subject, .. } = &self.caller;
        let client = if client_id.is_empty() { subject } else { client_id };
        match self.services.rate_limit_of(&self.tenant) {
            None => rates.count(tenant, self.now),
            // Nobody yet: the answer will be 401.
            Some((_, burst)) if client.is_empty() => Quota::untouched(burst, self.now),
            Some(limit) => rates.take(tenant, client, limit, self.now, self.valid_at),
        }
    }

    /// The bearer token of the request, from the one `Authorization` header there may be.
    ///
    /// # Errors
    /// 401 without one, 400 when the header is malformed.
    pub fn bearer(&self) -> Result<&str, Problem> {
        let mut all = self.headers().get_all(header::AUTHORIZATION);
        let malformed = || Problem::new(400, "Bearer", "Bad HTTP authentication header format");
        let value = all.next().ok_or_else(Problem::unauthenticated)?;
        if all.next().is_some() {
            return Err(malformed());
        }
        // Tokens run to kilobytes: `HeaderValue::to_str` would look at each letter by itself.
        let is_text = value.as_bytes().is_ascii();
        let text = std::str::from_utf8(value.as_bytes()).ok().filter(|_| is_text);
        let text = text.ok_or_else(malformed)?;
        let (scheme, token) = text.split_once(' ').ok_or_else(malformed)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Problem::unauthenticated());
        }
        if token.is_empty() || memchr::memchr(b' ', token.as_bytes()).is_some() {
            return Err(malformed());
        }
        Ok(token)
    }

    /// Verifies a token of this tenant for the management API.
    ///
    /// # Errors
    /// 400 or 401.
    pub fn verified(&self, token: &str) -> Result<Arc<Verified>, Problem> {
        Ok(self.verified_or_why(token)?)
    }

    /// The same, with the reason in full: for who asks what is wrong with a token.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn verified_or_why(&self, token: &str) -> Result<Arc<Verified>, TokenError> {
        let names = self.names();
        self.verified_for(token, &names.issuers, &names.management)
    }

    /// Verifies an ID token that was issued to the client which asks now, whoever it is about.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn verified_id_token(&self, token: &str) -> Result<Arc<Verified>, TokenError> {
        let client = &self.caller.client_id;
        if client.is_empty() {
            return Err(TokenError::WrongAudience);
        }
        self.verified_for(token, &self.names().issuers, std::slice::from_ref(client))
    }

    /// Verifies a token of this tenant for `/userinfo`, which a management token opens too.
    ///
    /// # Errors
    /// 400 or 401.
    pub fn verified_for_userinfo(&self, token: &str) -> Result<Arc<Verified>, Problem> {
        let names = self.names();
        Ok(self.verified_for(token, &names.issuers, &names.userinfo)?)
    }

    fn verified_for(
        &self,
        token: &str,
        issuers: &[String],
        audiences: &[String],
    ) -> Result<Arc<Verified>, TokenError> {
        let keys = self.services.keys();
        let last = self.request.conn_data::<LastToken>();
        let tenant = token_tenant(&self.tenant);
        let verified = self.expecting(issuers, audiences, |expect| {
            self.services.tokens.check(&keys, tenant, token, expect, last)
        })?;
        self.still_there(&verified.claims)?;
        Ok(verified)
    }

    /// Holds something against what is expected of a token now.
    fn expecting<T>(
        &self,
        issuers: &[String],
        audiences: &[String],
        check: impl FnOnce(&Expect<'_>) -> T,
    ) -> T {
        let issuers: Vec<&str> = issuers.iter().map(String::as_str).collect();
        let audiences: Vec<&str> = audiences.iter().map(String::as_str).collect();
        let leeway = self.services.settings().auth.leeway.as_secs();
        check(&Expect {
            issuers: &issuers,
            audiences: &audiences,
            now: self.valid_at.seconds(),
            leeway: u32::try_from(leeway).unwrap_or(u32::MAX),
        })
    }

    /// A token outlives nobody: not the client it was issued to, not the user it speaks for. It
    /// does not speak for a later user of the same id either.
    fn still_there(&self, claims: &Claims) -> Result<(), TokenError> {
        let published = self.tenant.published();
        let is_client_gone = claims.client_id().is_some_and(|id| published.client(id).is_none());
        let is_later = |user: &Document| user.created_at().seconds() > claims.iat;
        let is_user_gone =
            claims.speaks_for_user() && published.user(&claims.sub).as_ref().is_none_or(is_later);
        if is_client_gone || is_user_gone {
            return Err(TokenError::Invalid("whom it was issued to is gone"));
        }
        Ok(())
    }
}

fn caller_of(claims: &Claims, scopes: &Scopes) -> Caller {
    Caller {
        subject: claims.sub.clone(),
        client_id: claims.client_id().unwrap_or_default().to_owned(),
        scopes: scopes.known(),
        is_server: false,
    }
}
