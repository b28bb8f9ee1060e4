//! How strong a new password must be: what a connection's `passwordPolicy` asks for.
//!
//! | policy      | length | classes of characters                          |
//! |-------------|--------|------------------------------------------------|
//! | `none`      | 1      | any                                            |
//! | `low`       | 6      | any                                            |
//! | `fair`      | 8      | lower case, upper case and digits              |
//! | `good`      | 8      | three of lower case, upper case, digits, others |
//! | `excellent` | 10     | as `good`, and no character three times in a row |
//!
//! `password_complexity_options.min_length` takes the place of the length.

use super::json::Object;
use super::policy::Compat;
use super::resource::DEFAULT_CONNECTION;

/// The policies by name, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Policy {
    None,
    Low,
    Fair,
    Good,
    Excellent,
}

/// What a new password must be like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strength {
    policy: Policy,
    /// Characters, when the connection names a number itself.
    length: Option<usize>,
}

impl Strength {
    /// What the options of a connection ask for; without a policy, as with `good` (CONTRACT.md §2.2).
    pub fn of(options: &Object) -> Self {
        let policy = match options.get_str("passwordPolicy").as_deref() {
            Some("none" | "") => Policy::None,
            Some("low") => Policy::Low,
            Some("fair") => Policy::Fair,
            Some("excellent") => Policy::Excellent,
            Some(_) | None => Policy::Good,
        };
        let length = options
            .get_object("password_complexity_options")
            .and_then(|complexity| complexity.get("min_length")?.parse().ok());
        Self { policy, length }
    }

    /// The same for a tenant: a lenient one asks no more than six characters of the
    /// database every tenant begins with.
    #[must_use]
    pub fn in_tenant(self, compat: Compat, connection: &str) -> Self {
        match compat {
            Compat::Lenient if connection == DEFAULT_CONNECTION => {
                Self { policy: self.policy.min(Policy::Low), ..self }
            }
            Compat::Lenient | Compat::Strict => self,
        }
    }

    /// Whether a password is strong enough.
    pub fn takes(self, plain: &str) -> bool {
        let least = self.length.unwrap_or(match self.policy {
            Policy::None => 1,
            Policy::Low => 6,
            Policy::Fair | Policy::Good => 8,
            Policy::Excellent => 10,
        });
        let has = |is: fn(char) -> bool| plain.chars().any(is);
        let lower = has(|c| c.is_ascii_lowercase());
        let upper = has(|c| c.is_ascii_uppercase());
        let digit = has(|c| c.is_ascii_digit());
        let other = has(|c| !c.is_ascii_alphanumeric());
        let classes = [lower, upper, digit, other].into_iter().filter(|there| *there).count();
        let is_mixed = match self.policy {
            Policy::None | Policy::Low => true,
            Policy::Fair => lower && upper && digit,
            Policy::Good => classes >= 3,
            Policy::Excellent => classes >= 3 && !has_triple(plain),
        };
        plain.chars().count() >= least.max(1) && is_mixed
    }
}

fn has_triple(plain: &str) -> bool {
    let two = plain.chars().skip(1).zip(plain.chars().skip(2));
    plain.chars().zip(two).any(|(first, (second, third))| first == second && second == third)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(options: &str, taken: &[&str], refused: &[&str]) {
        let strength = Strength::of(&Object::parse(options, 8).unwrap());
        for plain in taken {
            assert!(strength.takes(plain), "{options} {plain}");
        }
        for plain in refused {
            assert!(!strength.takes(plain), "{options} {plain}");
        }
    }

    #[test]
    fn a_policy_asks_for_length_and_classes() {
        check(r#"{"passwordPolicy":"none"}"#, &["a"], &[""]);
        check(r#"{"passwordPolicy":"low"}"#, &["abcdef"], &["abcde"]);
        check(r#"{"passwordPolicy":"fair"}"#, &["abcdeF12"], &["abcdef12", "abcdEf1"]);
        check("{}", &["passpass$12$12", "x1Y2z3w4v5"], &["password", "abcdef12", "aB1$"]);
        check(r#"{"passwordPolicy":"excellent"}"#, &["aB3$aB3$aB"], &["aB3$aB3$", "aaaB3$aB3$"]);
    }

    #[test]
    fn a_connection_may_name_the_length() {
        let options = r#"{"passwordPolicy":"low","password_complexity_options":{"min_length":9}}"#;
        check(options, &["abcdefghi"], &["abcdefgh"]);
        check(r#"{"password_complexity_options":{"min_length":0}}"#, &["aB1"], &[""]);
    }

    #[test]
    fn a_lenient_tenants_own_database_asks_for_six_characters() {
        let good = Strength::of(&Object::empty());
        assert!(good.in_tenant(Compat::Lenient, DEFAULT_CONNECTION).takes("abcdef"));
        assert!(!good.in_tenant(Compat::Lenient, DEFAULT_CONNECTION).takes("abcde"));
        assert!(!good.in_tenant(Compat::Lenient, "other").takes("abcdef"));
        assert!(!good.in_tenant(Compat::Strict, DEFAULT_CONNECTION).takes("abcdef"));
    }
}
