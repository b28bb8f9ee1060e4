//! The names a tenant goes by in tokens: issuers and audiences, by host.
//!
//! They follow from the request's host and the settings, and are wanted by every
//! request, so they are made once for each host and kept, a bounded number of them.

use dashmap::DashMap;
use std::sync::Arc;

/// Issuers and audiences a tenant accepts at one host.
#[derive(Debug)]
pub struct Names {
    /// `{origin}/`.
    pub issuers: Vec<String>,
    /// `{origin}/api/v2/`.
    pub management: Vec<String>,
    /// What `/userinfo` accepts.
    pub userinfo: Vec<String>,
}

impl Names {
    /// The names that follow from these origins.
    pub fn of(origins: &[String]) -> Self {
        let with =
            |path: &str| origins.iter().map(|origin| format!("{origin}{path}")).collect::<Vec<_>>();
        let management = with("/api/v2/");
        let userinfo = with("/userinfo").into_iter().chain(management.iter().cloned()).collect();
        Self { issuers: with("/"), management, userinfo }
    }
}

/// The names by tenant, host and scheme.
#[derive(Debug, Default)]
pub struct KnownNames(DashMap<(u64, String, bool), Arc<Names>>);

/// Hosts are the caller's to choose: beyond this many, all are forgotten and made again.
const KEPT: usize = 4096;

impl KnownNames {
    /// The names at a host, made with `make` at its first request.
    pub fn find(
        &self,
        tenant: u64,
        host: &str,
        is_secure: bool,
        make: impl FnOnce() -> Names,
    ) -> Arc<Names> {
        let key = (tenant, host.to_owned(), is_secure);
        if let Some(found) = self.0.get(&key) {
            return found.value().clone();
        }
        let made = Arc::new(make());
        if self.0.len() >= KEPT {
            self.0.clear();
        }
        self.0.insert(key, made.clone());
        made
    }

    /// Forgets all, as when settings change.
    pub fn clear(&self) {
        self.0.clear();
    }
}
