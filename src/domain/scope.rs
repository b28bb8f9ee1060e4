//! Scopes: what a token lets its bearer do.
//!
//! The names this service knows are numbered here, so that a rule is a test of a
//! bit. The numbers live in memory only: what is stored and sent is the text, and
//! the list may be reordered at any time. A name we do not know (an API of the
//! tenant's own may define any) stays in the text and opens nothing here.

mod names;
mod served;

use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use names::NAMES;

const WORDS: usize = 5;
const WORD_BITS: u16 = 64;

/// One scope that this service knows.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope(u16);

const _: () = assert!(NAMES.len() <= WORDS * 64, "more scopes than bits: raise WORDS");

static BY_NAME: LazyLock<HashMap<&'static str, Scope>> =
    LazyLock::new(|| Scope::all().map(|scope| (scope.name(), scope)).collect());

impl Scope {
    /// The scope with this name, if we know it. Names are compared whole.
    pub fn parse(name: &str) -> Option<Self> {
        BY_NAME.get(name).copied()
    }

    /// The name, as it stands in a token.
    pub fn name(self) -> &'static str {
        NAMES.get(usize::from(self.0)).copied().expect("a scope is made from its place in the list")
    }

    /// Every scope there is, in the order of the list.
    pub fn all() -> impl Iterator<Item = Self> {
        (0_u16..).take(NAMES.len()).map(Self)
    }
}

impl fmt::Debug for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of known scopes, small enough to be copied into every caller.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ScopeSet([u64; WORDS]);

impl ScopeSet {
    /// The set without any scope.
    pub const EMPTY: Self = Self([0; WORDS]);

    /// Adds one scope.
    pub fn insert(&mut self, scope: Scope) {
        if let Some(word) = self.0.get_mut(usize::from(scope.0 / WORD_BITS)) {
            *word |= 1 << (scope.0 % WORD_BITS);
        }
    }

    /// Whether the scope is in the set.
    pub fn contains(&self, scope: Scope) -> bool {
        self.0
            .get(usize::from(scope.0 / WORD_BITS))
            .is_some_and(|word| word & (1 << (scope.0 % WORD_BITS)) != 0)
    }

    /// Whether at least one of these is in the set. An empty list is never
    /// satisfied: a rule that names no scope opens nothing by accident.
    pub fn contains_any(&self, scopes: &[Scope]) -> bool {
        scopes.iter().any(|scope| self.contains(*scope))
    }

    /// Whether all of these are in the set.
    pub fn contains_all(&self, scopes: &[Scope]) -> bool {
        scopes.iter().all(|scope| self.contains(*scope))
    }

    /// Whether there is nothing in the set.
    pub fn is_empty(&self) -> bool {
        *self == Self::EMPTY
    }

    /// What is in the set, in the order of the list.
    pub fn iter(&self) -> impl Iterator<Item = Scope> {
        let set = *self;
        Scope::all().filter(move |scope| set.contains(*scope))
    }

    /// Every scope there is.
    pub fn all() -> Self {
        Scope::all().collect()
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        let mut set = Self::EMPTY;
        scopes.into_iter().for_each(|scope| set.insert(scope));
        set
    }
}

impl fmt::Debug for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// The scopes of one token or grant: the text as it was given, and what we know
/// of it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Scopes {
    text: Box<str>,
    known: ScopeSet,
}

impl Scopes {
    /// Reads names with single spaces between them. Two spaces have an empty name
    /// between them, which is unknown like any other; only a space separates.
    pub fn parse(text: &str) -> Self {
        let known = text.split(' ').filter_map(Scope::parse).collect();
        Self { text: text.into(), known }
    }

    /// The text as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What we know of it.
    pub fn known(&self) -> ScopeSet {
        self.known
    }

    /// Whether this known scope is among them.
    pub fn contains(&self, scope: Scope) -> bool {
        self.known.contains(scope)
    }

    /// Whether at least one of these is among them; see [`ScopeSet::contains_any`].
    pub fn any_of(&self, scopes: &[Scope]) -> bool {
        self.known.contains_any(scopes)
    }

    /// Whether this name, known to us or not, is among them.
    pub fn names(&self, name: &str) -> bool {
        !name.is_empty() && self.text.split(' ').any(|own| own == name)
    }

    /// What of a request is granted: the names that were asked for and are among
    /// these, in the order of the request and each once. Who asks for nothing
    /// gets everything.
    #[must_use]
    pub fn narrowed_to(&self, requested: &str) -> Self {
        if requested.split(' ').all(str::is_empty) {
            return self.clone();
        }
        let mut granted: Vec<&str> = Vec::new();
        for name in requested.split(' ') {
            if self.names(name) && !granted.contains(&name) {
                granted.push(name);
            }
        }
        Self::parse(&granted.join(" "))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_name_is_there_once_and_leads_back_to_its_scope() {
        let names: HashSet<&str> = NAMES.iter().copied().collect();
        assert_eq!(names.len(), NAMES.len());
        for scope in Scope::all() {
            assert_eq!(Scope::parse(scope.name()), Some(scope));
            assert!(ScopeSet::from_iter([scope]).contains(scope));
            assert_eq!(ScopeSet::from_iter([scope]).iter().collect::<Vec<_>>(), [scope]);
        }
    }

    #[test]
    fn names_are_plain_words() {
        for name in NAMES {
            let plain = |c: char| c.is_ascii_lowercase() || "_:/".contains(c);
            assert!(!name.is_empty() && name.chars().all(plain), "{name}");
        }
    }

    #[test]
    fn constants_carry_their_names() {
        assert_eq!(Scope::READ_USERS.name(), "read:users");
        assert_eq!(Scope::IAM.name(), "iam/");
        assert_eq!(Scope::DOSSIER_OPERATOR.to_string(), "dossier:operator");
    }

    #[test]
    fn text_becomes_bits_and_stays_text() {
        let scopes = Scopes::parse("read:users update:things openid");
        assert_eq!(scopes.text(), "read:users update:things openid");
        assert_eq!(scopes.known(), ScopeSet::from_iter([Scope::READ_USERS]));
        assert!(scopes.contains(Scope::READ_USERS));
        assert!(scopes.names("update:things"));
        assert!(!scopes.names("update:thing"));
    }

    #[track_caller]
    fn opens_nothing(text: &str) {
        assert!(Scopes::parse(text).known().is_empty(), "{text:?}");
    }

    #[test]
    fn a_name_that_is_only_like_one_of_ours_opens_nothing() {
        for text in [
            "",
            " ",
            "read:user",
            "read:userss",
            "READ:USERS",
            "read:users,",
            "read:users,update:users",
            "read:users\tupdate:users",
            "read:users\nupdate:users",
            "read:users\0",
            "read: users",
            "\u{a0}read:users",
            "*",
            "read:*",
            "iam",
        ] {
            opens_nothing(text);
        }
    }

    #[test]
    fn spaces_too_many_do_no_harm() {
        let set = Scopes::parse(" read:users  delete:users ").known();
        assert_eq!(set, ScopeSet::from_iter([Scope::READ_USERS, Scope::DELETE_USERS]));
    }

    #[test]
    fn any_of_nothing_is_never_true() {
        assert!(!ScopeSet::all().contains_any(&[]));
        assert!(ScopeSet::all().contains_any(&[Scope::READ_USERS]));
        assert!(!ScopeSet::EMPTY.contains_any(&[Scope::READ_USERS, Scope::READ_CLIENTS]));
    }

    #[track_caller]
    fn narrowed(granted: &str, requested: &str, result: &str) {
        assert_eq!(Scopes::parse(granted).narrowed_to(requested).text(), result);
    }

    #[test]
    fn a_request_never_gets_more_than_was_granted() {
        narrowed("read:users update:users", "update:users delete:users", "update:users");
        narrowed("read:users update:users", "update:users read:users", "update:users read:users");
        narrowed("read:users own:thing", "own:thing own:thing", "own:thing");
        narrowed("read:users", "delete:users", "");
        narrowed("read:users update:users", "", "read:users update:users");
        narrowed("read:users update:users", "  ", "read:users update:users");
        narrowed("", "read:users", "");
    }

    proptest! {
        #[test]
        fn a_set_holds_what_was_put_in(places in proptest::collection::hash_set(0..NAMES.len(), 0..40)) {
            let scopes: HashSet<Scope> = places.iter().map(|place| Scope(u16::try_from(*place).unwrap())).collect();
            let set: ScopeSet = scopes.iter().copied().collect();
            for scope in Scope::all() {
                prop_assert_eq!(set.contains(scope), scopes.contains(&scope));
            }
            let text: Vec<&str> = set.iter().map(Scope::name).collect();
            prop_assert_eq!(Scopes::parse(&text.join(" ")).known(), set);
        }

        #[test]
        fn narrowing_is_a_subset_of_both(granted in "([ab]:[cd] ?){0,4}", requested in "([ab]:[cd] ?){1,4}") {
            let result = Scopes::parse(&granted).narrowed_to(&requested);
            for name in result.text().split(' ').filter(|name| !name.is_empty()) {
                prop_assert!(Scopes::parse(&granted).names(name));
                prop_assert!(Scopes::parse(&requested).names(name));
            }
        }
    }
}
