//! Passwords: how one is kept, and how one is checked.
//!
//! A new password is kept as argon2id; hashes that come with imported users may
//! also be bcrypt. Checking takes tens of milliseconds and 19 MiB by design, so
//! callers run it away from the workers that answer requests.

use std::fmt;

use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};

/// The longest password, in bytes, that bcrypt reads. Auth0 takes no longer one
/// either; what bcrypt would silently cut off is never accepted as equal here.
pub const MAX_PASSWORD_BYTES: usize = 72;

/// The OWASP password storage cheat sheet's first choice for argon2id.
const MEMORY_KIB: u32 = 19_456;
const PASSES: u32 = 2;
const LANES: u32 = 1;

/// What a check may cost at most when the hash was made by somebody else.
const IMPORTED_MAX_MEMORY_KIB: u32 = 65_536;
const IMPORTED_MAX_PASSES: u32 = 10;
const IMPORTED_MAX_LANES: u32 = 4;
const IMPORTED_MAX_BCRYPT_COST: u32 = 14;
const BCRYPT_MIN_COST: u32 = 4;
const BCRYPT_TEXT_BYTES: usize = 60;
const MAX_TEXT_BYTES: usize = 512;

/// A password as it is kept: text in PHC form (argon2) or in bcrypt's own form.
///
/// `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Box<str>);

/// Why the text of a password hash was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPasswordHash {
    /// Neither argon2 in PHC form nor bcrypt.
    #[error(
        "the password hash is of no known kind; allowed are argon2 ($argon2id$, $argon2i$, $argon2d$) \
         and bcrypt ($2a$, $2b$, $2y$)"
    )]
    UnknownKind,
    /// The kind is known, the rest cannot be read.
    #[error("the {kind} password hash cannot be read")]
    Unreadable {
        /// `argon2` or `bcrypt`.
        kind: &'static str,
    },
    /// A check would take too much time or memory.
    #[error("the {kind} password hash asks for {parameter} {found}, allowed is {least} to {most}")]
    CostNotAllowed {
        /// `argon2` or `bcrypt`.
        kind: &'static str,
        /// Which cost it is.
        parameter: &'static str,
        /// What the hash asks for.
        found: u32,
        /// The lowest that is taken.
        least: u32,
        /// The highest that is taken.
        most: u32,
    },
}

impl PasswordHash {
    /// Hashes a new password with argon2id.
    ///
    /// How long a password may be is for the caller to say: see
    /// [`MAX_PASSWORD_BYTES`].
    pub fn create(plain: &str, salt: [u8; 16]) -> Self {
        let hash = ours()
            .hash_password_with_salt(plain.as_bytes(), &salt)
            .expect("argon2 takes a 16 byte salt and any password shorter than 4 GiB");
        Self(hash.to_string().into_boxed_str())
    }

    /// Takes a hash that was made elsewhere.
    ///
    /// # Errors
    ///
    /// When it is of no known kind, cannot be read, or when checking it would
    /// cost so much that an import could be used to slow the service down.
    pub fn parse_imported(text: &str) -> Result<Self, InvalidPasswordHash> {
        match Kind::of(text) {
            Some(Kind::Argon2) => check_argon2(text)?,
            Some(Kind::Bcrypt) => check_bcrypt(text)?,
            None => return Err(InvalidPasswordHash::UnknownKind),
        }
        Ok(Self(text.into()))
    }

    /// Takes back what [`expose`](Self::expose) gave out earlier. A text that is
    /// no hash at all matches no password.
    pub fn from_stored(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The text to store. It belongs in no log line and no answer.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether this is the hash of `plain`.
    pub fn verify(&self, plain: &str) -> bool {
        match Kind::of(&self.0) {
            Some(Kind::Argon2) => phc::PasswordHash::new(&self.0)
                .is_ok_and(|hash| ours().verify_password(plain.as_bytes(), &hash).is_ok()),
            // The work is done before the length is looked at, so that a long
            // password is refused no sooner than a wrong one.
            Some(Kind::Bcrypt) => {
                bcrypt::verify(plain, &self.0).unwrap_or(false) && plain.len() <= MAX_PASSWORD_BYTES
            }
            // What is no hash must not answer sooner either.
            None => verify_absent(plain),
        }
    }

    /// Whether a password that matched should be hashed again, because this hash
    /// is not what [`create`](Self::create) makes today.
    pub fn is_outdated(&self) -> bool {
        !self.0.starts_with(&format!("$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}$"))
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Does for a user who does not exist what [`PasswordHash::verify`] does for one
/// who does, so that the time of an answer does not tell them apart. Never true.
pub fn verify_absent(plain: &str) -> bool {
    let mut digest = [0_u8; Params::DEFAULT_OUTPUT_LEN];
    let hashed = ours().hash_password_into(plain.as_bytes(), b"nobody has this.", &mut digest);
    // Without a use of the result the work could be left out.
    let _: (bool, [u8; 32]) = std::hint::black_box((hashed.is_ok(), digest));
    false
}

enum Kind {
    Argon2,
    Bcrypt,
}

impl Kind {
    fn of(text: &str) -> Option<Self> {
        if ["$argon2id$", "$argon2i$", "$argon2d$"].iter().any(|prefix| text.starts_with(prefix)) {
            Some(Self::Argon2)
        } else if ["$2a$", "$2b$", "$2y$"].iter().any(|prefix| text.starts_with(prefix)) {
            Some(Self::Bcrypt)
        } else {
            None
        }
    }
}

fn ours() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)
        .expect("the parameters are constants inside argon2's limits");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn check_argon2(text: &str) -> Result<(), InvalidPasswordHash> {
    const KIND: &str = "argon2";
    let unreadable = InvalidPasswordHash::Unreadable { kind: KIND };
    if text.len() > MAX_TEXT_BYTES {
        return Err(unreadable);
    }
    let hash = phc::PasswordHash::new(text).map_err(|_| unreadable.clone())?;
    let params = Params::try_from(&hash).map_err(|_| unreadable.clone())?;
    if hash.salt.is_none() || hash.hash.is_none() {
        return Err(unreadable);
    }
    for (parameter, found, most) in [
        ("m", params.m_cost(), IMPORTED_MAX_MEMORY_KIB),
        ("t", params.t_cost(), IMPORTED_MAX_PASSES),
        ("p", params.p_cost(), IMPORTED_MAX_LANES),
    ] {
        within(KIND, parameter, found, 1, most)?;
    }
    Ok(())
}

fn check_bcrypt(text: &str) -> Result<(), InvalidPasswordHash> {
    const KIND: &str = "bcrypt";
    let unreadable = InvalidPasswordHash::Unreadable { kind: KIND };
    if text.len() != BCRYPT_TEXT_BYTES {
        return Err(unreadable);
    }
    let parts: bcrypt::HashParts = text.parse().map_err(|_| unreadable)?;
    within(KIND, "cost", parts.get_cost(), BCRYPT_MIN_COST, IMPORTED_MAX_BCRYPT_COST)
}

fn within(
    kind: &'static str,
    parameter: &'static str,
    found: u32,
    least: u32,
    most: u32,
) -> Result<(), InvalidPasswordHash> {
    if (least..=most).contains(&found) {
        Ok(())
    } else {
        Err(InvalidPasswordHash::CostNotAllowed { kind, parameter, found, least, most })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SALT: [u8; 16] = *b"0123456789abcdef";

    /// The hash of `abc` among the test vectors of jBCrypt.
    const ABC: &str = "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i";

    fn bcrypt_text(plain: &[u8], version: bcrypt::Version) -> String {
        bcrypt::hash_with_salt(plain, 4, SALT).unwrap().format_for_version(version)
    }

    #[test]
    fn a_password_matches_its_own_hash_and_no_other() {
        let hash = PasswordHash::create("correct horse", SALT);
        assert!(hash.verify("correct horse"));
        assert!(!hash.verify("correct horsf"));
        assert!(!hash.verify(""));
    }

    #[test]
    fn a_new_hash_is_argon2id_with_the_owasp_parameters() {
        let hash = PasswordHash::create("x", SALT);
        assert!(hash.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.expose());
        assert!(!hash.is_outdated());
        assert_eq!(PasswordHash::parse_imported(hash.expose()), Ok(hash.clone()));
        assert_eq!(PasswordHash::from_stored(hash.expose()), hash);
    }

    #[test]
    fn salt_makes_equal_passwords_differ() {
        assert_ne!(
            PasswordHash::create("x", SALT),
            PasswordHash::create("x", *b"fedcba9876543210")
        );
    }

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", PasswordHash::from_stored("$2a$secret")), "***");
    }

    #[test]
    fn bcrypt_hashes_of_other_makers_are_read() {
        let hash = PasswordHash::parse_imported(ABC).unwrap();
        assert!(hash.verify("abc"));
        assert!(!hash.verify("abd"));
        assert!(hash.is_outdated());
    }

    #[test]
    fn the_three_names_of_bcrypt_are_one() {
        for version in [bcrypt::Version::TwoA, bcrypt::Version::TwoB, bcrypt::Version::TwoY] {
            let hash = PasswordHash::parse_imported(&bcrypt_text(b"pw", version)).unwrap();
            assert!(hash.verify("pw"));
            assert!(!hash.verify("pW"));
        }
    }

    #[test]
    fn bcrypt_never_takes_a_password_it_would_cut() {
        let longest = "a".repeat(MAX_PASSWORD_BYTES);
        let text = bcrypt_text(longest.as_bytes(), bcrypt::Version::TwoB);
        let hash = PasswordHash::parse_imported(&text).unwrap();
        assert!(hash.verify(&longest));
        assert!(!hash.verify(&format!("{longest}b")));
        assert!(!hash.verify(&longest[1..]));
    }

    #[test]
    fn a_byte_past_the_limit_is_a_byte_not_a_character() {
        let text = bcrypt_text("ä".repeat(36).as_bytes(), bcrypt::Version::TwoB);
        let hash = PasswordHash::parse_imported(&text).unwrap();
        assert!(hash.verify(&"ä".repeat(36)));
        assert!(!hash.verify(&"ä".repeat(37)));
    }

    #[track_caller]
    fn refused(text: &str, error: &InvalidPasswordHash) {
        assert_eq!(PasswordHash::parse_imported(text).as_ref(), Err(error), "{text}");
    }

    #[test]
    fn what_is_no_hash_of_ours_is_refused() {
        let none = InvalidPasswordHash::UnknownKind;
        for text in ["", "plain", "$2x$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"] {
            refused(text, &none);
        }
        refused("$1$abc$def", &none);
        refused("$pbkdf2-sha256$i=100000$c2FsdHNhbHQ$aGFzaGhhc2g", &none);
        let bcrypt = InvalidPasswordHash::Unreadable { kind: "bcrypt" };
        refused("$2a$", &bcrypt);
        refused(&ABC[..59], &bcrypt);
        refused(&format!("{ABC}0"), &bcrypt);
        refused(&ABC.replace('p', "!"), &bcrypt);
        let argon2 = InvalidPasswordHash::Unreadable { kind: "argon2" };
        refused("$argon2id$", &argon2);
        refused("$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg", &argon2);
        refused(&format!("$argon2id${}", "v".repeat(MAX_TEXT_BYTES)), &argon2);
    }

    #[test]
    fn a_hash_that_costs_too_much_is_refused_by_name() {
        let cost = |kind, parameter, found, least, most| InvalidPasswordHash::CostNotAllowed {
            kind,
            parameter,
            found,
            least,
            most,
        };
        for (text, found) in [("$15$", 15), ("$31$", 31), ("$03$", 3), ("$99$", 99)] {
            refused(&ABC.replacen("$06$", text, 1), &cost("bcrypt", "cost", found, 4, 14));
        }
        assert!(PasswordHash::parse_imported(&ABC.replacen("$06$", "$14$", 1)).is_ok());
        let argon2 = PasswordHash::create("x", SALT);
        for (from, to, parameter, found, most) in [
            ("m=19456", "m=4194304", "m", 4_194_304, 65_536),
            ("t=2", "t=4000", "t", 4000, 10),
            ("p=1", "p=64", "p", 64, 4),
        ] {
            let text = argon2.expose().replacen(from, to, 1);
            refused(&text, &cost("argon2", parameter, found, 1, most));
        }
    }

    #[test]
    fn a_stored_text_that_is_no_hash_matches_nothing() {
        for text in ["", "$2a$", "$argon2id$", "secret"] {
            assert!(!PasswordHash::from_stored(text).verify(text));
        }
    }

    #[test]
    fn nobody_has_no_password() {
        assert!(!verify_absent(""));
        assert!(!verify_absent("nobody has this."));
    }

    proptest! {
        #[test]
        fn any_text_is_taken_or_refused_without_a_panic(text in "(\\$2[abxy]\\$|\\$argon2(id|i|d)?\\$)?\\PC{0,80}") {
            if let Ok(hash) = PasswordHash::parse_imported(&text) {
                prop_assert_eq!(hash.expose(), text.as_str());
            }
        }
    }
}
