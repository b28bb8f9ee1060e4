//! Tokens that were verified a moment ago.
//!
//! A hit costs one hash of the token and one look into a map, no signature check.
//! What can change from one request to the next is checked every time: the clock,
//! the audience and the issuer, and that the key ring is still the same. Failures
//! are never kept. The number of entries is bounded; when it is reached, the
//! oldest entry that was not used since it was last looked at makes room.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dashmap::DashMap;
use sha2::{Digest, Sha256};

use super::claims::{Claims, Expect};
use super::keyring::KeyRing;
use super::{MAX_TOKEN_BYTES, TokenError, TokenTenant};
use crate::domain::scope::Scopes;

/// How many entries in use are passed over, at most, in search of one that is not.
const SECOND_CHANCES: usize = 8;

/// What a token said when it was verified.
#[derive(Debug)]
pub struct Verified {
    /// All of its claims.
    pub claims: Claims,
    /// Its scopes, as a set.
    pub scopes: Scopes,
    /// The tenant it is valid at.
    pub tenant_uid: u64,
    /// The ring it was verified with.
    pub ring: u64,
}

/// The verified tokens of all tenants.
pub struct TokenCache {
    entries: DashMap<TokenKey, Entry>,
    /// Every key in the map is in here, in the order of arrival. A key may be here
    /// and not in the map; its turn comes and it goes.
    order: Mutex<VecDeque<TokenKey>>,
    capacity: usize,
    verifications: AtomicU64,
}

/// The SHA-256 of the tenant and the token, so that no token is kept.
type TokenKey = [u8; 32];

/// The token last seen on one connection, and its key.
///
/// A client sends the same token with each request, and tokens run to kilobytes: comparing one with
/// the last costs a tenth of hashing it again. It goes with its connection, whose buffers held it anyway.
#[derive(Default)]
pub struct LastToken(RefCell<Option<(u64, Box<str>, TokenKey)>>);

impl LastToken {
    fn key(&self, tenant: TokenTenant<'_>, token: &str) -> TokenKey {
        let mut last = self.0.borrow_mut();
        match &*last {
            Some((uid, known, key)) if *uid == tenant.uid && **known == *token => *key,
            Some(_) | None => {
                let key = token_key(tenant, token);
                *last = Some((tenant.uid, token.into(), key));
                key
            }
        }
    }
}

impl fmt::Debug for LastToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LastToken(***)")
    }
}

struct Entry {
    verified: Arc<Verified>,
    was_used: AtomicBool,
}

impl TokenCache {
    /// A cache of at most so many tokens. With 0 every token is verified each time.
    pub fn new(capacity: usize) -> Self {
        Self {
            entries: DashMap::new(),
            order: Mutex::new(VecDeque::new()),
            capacity,
            verifications: AtomicU64::new(0),
        }
    }

    /// Says what a token claims, as [`KeyRing::verify`] does, from memory if it can. `last` is
    /// what its connection remembers.
    ///
    /// # Errors
    ///
    /// As [`KeyRing::verify`]. An entry that has expired is dropped.
    pub fn check(
        &self,
        ring: &KeyRing,
        tenant: TokenTenant<'_>,
        token: &str,
        expect: &Expect<'_>,
        last: Option<&LastToken>,
    ) -> Result<Arc<Verified>, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLarge);
        }
        let key = match last {
            Some(last) => last.key(tenant, token),
            None => token_key(tenant, token),
        };
        if let Some(verified) = self.find(&key, ring) {
            return match verified.claims.check(expect) {
                Ok(()) => Ok(verified),
                Err(error) => {
                    if error == TokenError::Expired {
                        self.entries.remove(&key);
                    }
                    Err(error)
                }
            };
        }
        self.verifications.fetch_add(1, Ordering::Relaxed);
        let claims = ring.verify(tenant, token, expect)?;
        let scopes = Scopes::parse(&claims.scope);
        let (tenant_uid, ring) = (tenant.uid, ring.fingerprint());
        let verified = Arc::new(Verified { claims, scopes, tenant_uid, ring });
        self.keep(key, &verified);
        Ok(verified)
    }

    /// Forgets everything, as after a rotation. (It would do without: entries of
    /// another ring are not used. But they need not take up room.)
    pub fn clear(&self) {
        let mut order = self.order();
        self.entries.clear();
        order.clear();
    }

    /// Forgets the tokens that a client obtained, as when it was changed or
    /// deleted. The next one is verified anew; whether the client may still come
    /// in is for the caller to look up then.
    pub fn forget_client(&self, tenant_uid: u64, client_id: &str) {
        self.forget(tenant_uid, |claims| claims.client_id() == Some(client_id));
    }

    /// Forgets the tokens that speak for a user or client, by their `sub`.
    pub fn forget_subject(&self, tenant_uid: u64, subject: &str) {
        self.forget(tenant_uid, |claims| claims.sub == subject);
    }

    /// Forgets the tokens of a tenant, as when it was deleted.
    pub fn forget_tenant(&self, tenant_uid: u64) {
        self.forget(tenant_uid, |_| true);
    }

    /// How many tokens are kept.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none is kept.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How often a token had to be verified because it was not here.
    pub fn verifications(&self) -> u64 {
        self.verifications.load(Ordering::Relaxed)
    }

    fn find(&self, key: &TokenKey, ring: &KeyRing) -> Option<Arc<Verified>> {
        let entry = self.entries.get(key)?;
        if entry.verified.ring != ring.fingerprint() {
            return None;
        }
        // Written only when it changes: workers share this line of memory.
        if !entry.was_used.load(Ordering::Relaxed) {
            entry.was_used.store(true, Ordering::Relaxed);
        }
        Some(Arc::clone(&entry.verified))
    }

    fn keep(&self, key: TokenKey, verified: &Arc<Verified>) {
        if self.capacity == 0 {
            return;
        }
        let mut order = self.order();
        let entry = Entry { verified: Arc::clone(verified), was_used: AtomicBool::new(false) };
        if let Some(mut known) = self.entries.get_mut(&key) {
            *known = entry;
            return;
        }
        let mut chances = SECOND_CHANCES;
        while order.len() >= self.capacity {
            let Some(oldest) = order.pop_front() else { break };
            let is_used = chances > 0
                && self
                    .entries
                    .get(&oldest)
                    .is_some_and(|entry| entry.was_used.swap(false, Ordering::Relaxed));
            if is_used {
                chances -= 1;
                order.push_back(oldest);
            } else {
                self.entries.remove(&oldest);
            }
        }
        self.entries.insert(key, entry);
        order.push_back(key);
    }

    fn forget(&self, tenant_uid: u64, is_meant: impl Fn(&Claims) -> bool) {
        self.entries.retain(|_, entry| {
            entry.verified.tenant_uid != tenant_uid || !is_meant(&entry.verified.claims)
        });
    }

    fn order(&self) -> MutexGuard<'_, VecDeque<TokenKey>> {
        // A queue that a panic left behind is still a queue of keys.
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenCache")
            .field("len", &self.len())
            .field("capacity", &self.capacity)
            .field("verifications", &self.verifications())
            .finish_non_exhaustive()
    }
}

fn token_key(tenant: TokenTenant<'_>, token: &str) -> TokenKey {
    Sha256::new().chain_update(tenant.uid.to_le_bytes()).chain_update(token).finalize().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::scope::Scope;
    use crate::http::tokens::attacks::{EXPECT, HERE, NOW, claims, key, ring};

    const THERE: TokenTenant<'static> = TokenTenant { uid: 8, id: "bmce" };

    /// Tokens that differ in who they speak for.
    fn tokens(count: usize) -> Vec<String> {
        let ring = ring();
        let name = |number| format!("u{number}");
        (0..count).map(|n| ring.sign(HERE, &Claims { sub: name(n), ..claims() })).collect()
    }

    #[test]
    fn a_hit_never_verifies_again() {
        let (cache, ring) = (TokenCache::new(10), ring());
        let token = ring.sign(HERE, &claims());
        for _ in 0..100 {
            let verified = cache.check(&ring, HERE, &token, &EXPECT, None).unwrap();
            assert_eq!(verified.claims, claims());
            assert!(verified.scopes.contains(Scope::UPDATE_USERS));
        }
        assert_eq!((cache.verifications(), cache.len()), (1, 1));
    }

    #[test]
    fn a_hit_looks_at_clock_audience_and_issuer_again() {
        let (cache, ring) = (TokenCache::new(10), ring());
        let token = ring.sign(HERE, &Claims { nbf: Some(NOW), ..claims() });
        cache.check(&ring, HERE, &token, &EXPECT, None).unwrap();
        for (expect, error) in [
            (Expect { now: NOW - 6, ..EXPECT }, TokenError::NotYetValid),
            (Expect { audiences: &["x"], ..EXPECT }, TokenError::WrongAudience),
            (Expect { issuers: &["x"], ..EXPECT }, TokenError::WrongIssuer),
            (Expect { now: NOW + 65, ..EXPECT }, TokenError::Expired),
        ] {
            assert_eq!(cache.check(&ring, HERE, &token, &expect, None).unwrap_err(), error);
        }
        assert_eq!(cache.verifications(), 1);
        assert!(cache.is_empty(), "what has expired is dropped");
    }

    #[test]
    fn a_token_is_kept_for_one_tenant() {
        let (cache, ring) = (TokenCache::new(10), ring());
        let token = ring.sign(HERE, &claims());
        cache.check(&ring, HERE, &token, &EXPECT, None).unwrap();
        assert_eq!(
            cache.check(&ring, THERE, &token, &EXPECT, None).unwrap_err(),
            TokenError::Signature
        );
    }

    #[test]
    fn a_connection_remembers_its_last_token_and_nothing_else() {
        let (cache, ring, last) = (TokenCache::new(10), ring(), LastToken::default());
        let tokens = tokens(2);
        let subject = |token: &str| {
            let verified = cache.check(&ring, HERE, token, &EXPECT, Some(&last));
            verified.map(|verified| verified.claims.sub.clone())
        };
        for at in [0, 0, 1, 1, 0] {
            assert_eq!(subject(&tokens[at]), Ok(format!("u{at}")));
        }
        assert_eq!(cache.verifications(), 2);
        let there = cache.check(&ring, THERE, &tokens[0], &EXPECT, Some(&last));
        assert_eq!(there.unwrap_err(), TokenError::Signature, "another tenant, the same token");
        cache.forget_subject(HERE.uid, "u0");
        assert_eq!(subject(&tokens[0]), Ok("u0".to_owned()));
        assert_eq!(cache.verifications(), 4, "what was revoked is verified anew");
        assert!(!format!("{last:?}").contains(&tokens[0]));
    }

    #[test]
    fn another_ring_verifies_anew() {
        let (cache, before) = (TokenCache::new(10), ring());
        let token = before.sign(HERE, &claims());
        cache.check(&before, HERE, &token, &EXPECT, None).unwrap();
        let after = before.clone().rotated(key(3));
        cache.check(&after, HERE, &token, &EXPECT, None).unwrap();
        assert_eq!((cache.verifications(), cache.len()), (2, 1));
        let without = KeyRing::new(key(1), None, vec![]);
        let error = cache.check(&without, HERE, &token, &EXPECT, None).unwrap_err();
        assert_eq!(error, TokenError::Signature);
    }

    #[test]
    fn what_is_forgotten_is_verified_anew() {
        let (cache, ring) = (TokenCache::new(10), ring());
        let ours = ring.sign(HERE, &claims());
        let user = Claims { sub: "auth0|1".to_owned(), azp: Some("c2".to_owned()), ..claims() };
        let users = ring.sign(HERE, &user);
        let both = |cache: &TokenCache| {
            cache.check(&ring, HERE, &ours, &EXPECT, None).unwrap();
            cache.check(&ring, HERE, &users, &EXPECT, None).unwrap();
            cache.verifications()
        };
        assert_eq!(both(&cache), 2);
        cache.forget_client(HERE.uid, "c1");
        assert_eq!((cache.len(), both(&cache)), (1, 3));
        cache.forget_client(THERE.uid, "c1");
        cache.forget_subject(HERE.uid, "auth0|2");
        assert_eq!((cache.len(), both(&cache)), (2, 3));
        cache.forget_subject(HERE.uid, "auth0|1");
        assert_eq!((cache.len(), both(&cache)), (1, 4));
        cache.forget_tenant(HERE.uid);
        assert_eq!((cache.len(), both(&cache)), (0, 6));
        cache.clear();
        assert_eq!((cache.len(), both(&cache)), (0, 8));
    }

    #[test]
    fn a_client_is_found_by_its_sub_when_azp_is_missing() {
        let (cache, ring) = (TokenCache::new(10), ring());
        let token = ring.sign(HERE, &Claims { azp: None, ..claims() });
        cache.check(&ring, HERE, &token, &EXPECT, None).unwrap();
        cache.forget_client(HERE.uid, "c1");
        assert!(cache.is_empty());
    }

    #[test]
    fn without_room_every_token_is_verified() {
        let (cache, ring) = (TokenCache::new(0), ring());
        let token = ring.sign(HERE, &claims());
        for _ in 0..3 {
            cache.check(&ring, HERE, &token, &EXPECT, None).unwrap();
        }
        assert_eq!((cache.verifications(), cache.len()), (3, 0));
    }

    #[test]
    fn who_is_in_use_outlives_who_is_not() {
        let (cache, ring, tokens) = (TokenCache::new(4), ring(), tokens(20));
        for token in &tokens {
            cache.check(&ring, HERE, &tokens[0], &EXPECT, None).unwrap();
            cache.check(&ring, HERE, token, &EXPECT, None).unwrap();
        }
        assert_eq!(cache.verifications(), 20, "the first was verified once");
    }

    #[test]
    fn two_at_once_keep_one() {
        let (cache, ring) = (TokenCache::new(4), ring());
        let token = ring.sign(HERE, &claims());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| cache.check(&ring, HERE, &token, &EXPECT, None).unwrap());
            }
        });
        assert_eq!((cache.len(), cache.order().len()), (1, 1));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn the_bound_holds_and_answers_are_those_of_the_ring(
            capacity in 0_usize..6,
            steps in proptest::collection::vec((0_usize..8, 0_u8..8), 0..60),
        ) {
            let (cache, ring, tokens) = (TokenCache::new(capacity), ring(), tokens(8));
            for (number, step) in steps {
                match step {
                    0 => cache.forget_subject(HERE.uid, &format!("u{number}")),
                    1 => cache.clear(),
                    _ => {
                        let now = NOW + i64::from(step) * 20;
                        let expect = Expect { now, ..EXPECT };
                        let kept = cache.check(&ring, HERE, &tokens[number], &expect, None);
                        let fresh = ring.verify(HERE, &tokens[number], &expect);
                        prop_assert_eq!(kept.map(|kept| kept.claims.clone()), fresh);
                    }
                }
                prop_assert!(cache.len() <= capacity);
                prop_assert!(cache.order().len() <= capacity);
            }
        }
    }
}
