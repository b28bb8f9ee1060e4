//! Who sits in front of the dashboard: one-time links, and the sessions they open.
//!
//! A browser holds a random cookie and nothing else; what it stands for its tenant keeps
//! ([`super::kept`]), under the SHA-256 of it. A session opened with a token lasts no longer than
//! the token does, and what the token said is checked at every request. Here, in memory, are
//! links, and sessions that were opened while the tenant took no writes.

use crate::domain::scope::{Scope, ScopeSet};
use crate::domain::time::Timestamp;
use crate::http::random;
use crate::http::tokens::Claims;
use crate::store::format::TenantUid;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Sessions of a tenant at once; of its own the one that ends soonest makes room.
const MAX_SESSIONS: usize = 1_000;

/// Links of a tenant waiting to be used.
const MAX_LINKS: usize = 1_000;

/// What a link lets its bearer do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Sees users and clients.
    Viewer,
    /// Changes metadata too, and nothing else.
    Editor,
    /// Does everything.
    Admin,
}

impl Role {
    /// The role of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Viewer, Self::Editor, Self::Admin].into_iter().find(|role| role.name() == name)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Editor => "editor",
            Self::Admin => "admin",
        }
    }

    /// What it may do; only in the default tenant it may operate the server, and of its
    /// administrators only some have copies of everything.
    pub fn scopes(self, is_default_tenant: bool, has_snapshots: bool) -> ScopeSet {
        // Not `read:connections`: their options hold what providers gave us to sign in with.
        const VIEWER: &[Scope] = &[Scope::READ_USERS, Scope::READ_CLIENTS, Scope::READ_EVENTS];
        match self {
            Self::Viewer => VIEWER.iter().copied().collect(),
            Self::Editor => VIEWER
                .iter()
                .copied()
                .chain([Scope::UPDATE_USERS, Scope::UPDATE_CLIENTS, Scope::IAM])
                .collect(),
            Self::Admin => Scope::all()
                .filter(|scope| is_default_tenant || !Scope::OVER_ALL_TENANTS.contains(scope))
                .filter(|scope| has_snapshots || *scope != Scope::DOSSIER_SNAPSHOTS)
                .collect(),
        }
    }
}

/// What a link stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Whose dashboard it opens.
    pub tenant: TenantUid,
    /// What its bearer may do.
    pub role: Role,
    /// Keys an editor may change begin with one of these; empty = all.
    pub prefixes: Vec<String>,
    /// Who is named as the author of changes.
    pub subject: String,
    /// Whether an administrator of the default tenant has copies of everything: only if the maker
    /// of the link had them.
    pub has_snapshots: bool,
}

/// What lets a session in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pass {
    /// A link, used up.
    Link(Link),
    /// A token that was pasted: what it says, not the token.
    Token(Box<Claims>),
}

/// One browser that is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Whose dashboard it sees.
    pub tenant: TenantUid,
    /// What let it in.
    pub pass: Pass,
    /// The key of this server it stands on, by its name at the tenant: the one that signed its
    /// token, or the one that signed when its link was used. Without that key it is worth nothing.
    pub key: String,
    /// When it ends.
    pub expires: Timestamp,
}

type Digested = [u8; 32];

/// What ends by itself, so much of it for each tenant: what one of them has never makes way for
/// what another one makes.
#[derive(Debug)]
struct Passing<T> {
    held: HashMap<TenantUid, HashMap<Digested, (Timestamp, T)>>,
    limit: usize,
}

impl<T> Passing<T> {
    fn new(limit: usize) -> Self {
        Self { held: HashMap::new(), limit }
    }

    fn insert(
        &mut self,
        tenant: TenantUid,
        key: Digested,
        (expires, value): (Timestamp, T),
        now: Timestamp,
    ) {
        let own = self.held.entry(tenant).or_default();
        if own.len() >= self.limit {
            own.retain(|_, (expires, _)| *expires > now);
        }
        if own.len() >= self.limit
            && let Some(soonest) = soonest(own)
        {
            own.remove(&soonest);
        }
        own.insert(key, (expires, value));
    }

    fn get(&self, tenant: TenantUid, key: &Digested) -> Option<&(Timestamp, T)> {
        self.held.get(&tenant)?.get(key)
    }

    fn remove(&mut self, tenant: TenantUid, key: &Digested) -> Option<(Timestamp, T)> {
        let own = self.held.get_mut(&tenant)?;
        let removed = own.remove(key);
        if own.is_empty() {
            self.held.remove(&tenant);
        }
        removed
    }
}

fn soonest<K: Copy + Eq + Hash, T>(held: &HashMap<K, (Timestamp, T)>) -> Option<K> {
    held.iter().min_by_key(|(_, (expires, _))| *expires).map(|(key, _)| *key)
}

/// The links of this server, and the sessions it could not keep.
#[derive(Debug)]
pub struct Sessions {
    links: Mutex<Passing<Link>>,
    sessions: Mutex<Passing<Arc<Session>>>,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            links: Mutex::new(Passing::new(MAX_LINKS)),
            sessions: Mutex::new(Passing::new(MAX_SESSIONS)),
        }
    }
}

fn digest(secret: &str) -> Digested {
    Sha256::digest(secret.as_bytes()).into()
}

/// The time so much later.
pub fn later(now: Timestamp, by: Duration) -> Timestamp {
    let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(now.millis().saturating_add(millis))
}

impl Sessions {
    /// Makes a code that opens one session.
    pub fn invite(&self, link: Link, ttl: Duration, now: Timestamp) -> String {
        let code = random::secret(43);
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        links.insert(link.tenant, digest(&code), (later(now, ttl), link), now);
        code
    }

    /// What a code is worth, without using it up.
    pub fn peek(&self, code: &str, tenant: TenantUid, now: Timestamp) -> Option<Link> {
        let links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        let (expires, link) = links.get(tenant, &digest(code))?;
        (*expires > now).then(|| link.clone())
    }

    /// Uses a code up.
    pub fn redeem(&self, code: &str, tenant: TenantUid, now: Timestamp) -> Option<Link> {
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        let (expires, link) = links.remove(tenant, &digest(code))?;
        (expires > now).then_some(link)
    }

    /// Opens a session that ends with the process; what it gives back is the value of its cookie.
    pub fn open(&self, session: Session, now: Timestamp) -> String {
        let secret = random::secret(43);
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let (tenant, expires) = (session.tenant, session.expires);
        sessions.insert(tenant, digest(&secret), (expires, Arc::new(session)), now);
        secret
    }

    /// The session of a cookie that is in memory, in its tenant and its time.
    pub fn find(&self, secret: &str, tenant: TenantUid, now: Timestamp) -> Option<Arc<Session>> {
        let sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let (expires, session) = sessions.get(tenant, &digest(secret))?;
        (*expires > now).then(|| session.clone())
    }

    /// Ends a session that is in memory.
    pub fn close(&self, secret: &str, tenant: TenantUid) {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.remove(tenant, &digest(secret));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TENANT: TenantUid = TenantUid(0);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn link(role: Role) -> Link {
        let (prefixes, subject) = (Vec::new(), "x".to_owned());
        Link { tenant: TENANT, role, prefixes, subject, has_snapshots: false }
    }

    fn session(expires: Timestamp) -> Session {
        let pass = Pass::Link(link(Role::Viewer));
        Session { tenant: TENANT, pass, key: "kid".to_owned(), expires }
    }

    #[test]
    fn a_link_works_once_in_its_time_and_its_tenant() {
        let sessions = Sessions::default();
        let ttl = Duration::from_mins(1);
        let code = sessions.invite(link(Role::Admin), ttl, at(0));
        assert!(sessions.redeem(&code, TenantUid(7), at(1)).is_none(), "another tenant");
        assert!(sessions.peek(&code, TENANT, at(59)).is_some(), "looking uses nothing up");
        assert!(sessions.peek(&code, TenantUid(7), at(1)).is_none());
        assert!(sessions.redeem(&code, TENANT, at(59)).is_some());
        assert!(sessions.peek(&code, TENANT, at(59)).is_none());
        assert!(sessions.redeem(&code, TENANT, at(59)).is_none(), "twice");
        let late = sessions.invite(link(Role::Admin), ttl, at(0));
        assert!(sessions.redeem(&late, TENANT, at(60)).is_none(), "too late");
        assert!(sessions.redeem("guessed", TENANT, at(0)).is_none());
    }

    #[test]
    fn a_session_ends_in_time_or_when_closed() {
        let sessions = Sessions::default();
        let cookie = sessions.open(session(at(10)), at(0));
        assert!(sessions.find(&cookie, TENANT, at(9)).is_some());
        assert!(sessions.find(&cookie, TenantUid(1), at(9)).is_none());
        assert!(sessions.find(&cookie, TENANT, at(10)).is_none());
        sessions.close(&cookie, TenantUid(7));
        assert!(sessions.find(&cookie, TENANT, at(9)).is_some(), "another tenant's");
        sessions.close(&cookie, TENANT);
        assert!(sessions.find(&cookie, TENANT, at(9)).is_none());
    }

    #[test]
    fn of_a_tenants_own_the_one_that_ends_soonest_makes_room() {
        let mut held = Passing::new(2);
        let other = TenantUid(7);
        held.insert(other, [1; 32], (at(5), 'x'), at(0));
        held.insert(TENANT, [1; 32], (at(10), 'a'), at(0));
        held.insert(TENANT, [2; 32], (at(20), 'b'), at(0));
        held.insert(TENANT, [3; 32], (at(30), 'c'), at(0));
        assert_eq!(held.held[&TENANT].len(), 2);
        assert!(held.get(TENANT, &[1; 32]).is_none());
        held.insert(TENANT, [4; 32], (at(60), 'd'), at(40));
        assert_eq!(held.held[&TENANT].len(), 1, "what has ended goes first");
        assert!(held.get(other, &[1; 32]).is_some(), "another tenant's makes way for nobody");
        assert!(held.remove(other, &[1; 32]).is_some());
        assert_eq!(held.held.len(), 1);
    }

    #[test]
    fn only_the_default_tenants_administrator_operates_the_server() {
        assert!(Role::Admin.scopes(true, false).contains(Scope::DOSSIER_OPERATOR));
        assert!(!Role::Admin.scopes(false, true).contains(Scope::DOSSIER_OPERATOR));
        assert!(!Role::Editor.scopes(true, true).contains(Scope::DELETE_USERS));
        assert!(!Role::Viewer.scopes(true, true).contains(Scope::UPDATE_USERS));
        let copies = |role: Role, is_default, has_snapshots| {
            role.scopes(is_default, has_snapshots).contains(Scope::DOSSIER_SNAPSHOTS)
        };
        assert!(copies(Role::Admin, true, true) && !copies(Role::Admin, true, false));
        assert!(!copies(Role::Admin, false, true) && !copies(Role::Editor, true, true));
        for role in [Role::Viewer, Role::Editor, Role::Admin] {
            assert_eq!(Role::parse(role.name()), Some(role));
        }
    }
}
