//! The claims of an access token, their types, and what is expected of them.

use std::fmt;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use super::TokenError;

/// What an access token says.
///
/// A claim that is needed and missing, or there with another type than this, is
/// refused, and so is one that is there twice. Claims not named here are not read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who issued it: the address of the tenant, with a slash at the end.
    pub iss: String,
    /// Whom it speaks for: `<client id>@clients`, or a user.
    pub sub: String,
    /// Which APIs it is meant for.
    pub aud: Audience,
    /// When it was made, in seconds since 1970.
    pub iat: i64,
    /// When it ends.
    pub exp: i64,
    /// When it begins, if not at once.
    #[serde(default, deserialize_with = "never_null", skip_serializing_if = "Option::is_none")]
    pub nbf: Option<i64>,
    /// What it lets its bearer do, with single spaces between the names.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// How it was obtained, as Auth0 names it: `client-credentials`, `password`.
    #[serde(default, deserialize_with = "never_null", skip_serializing_if = "Option::is_none")]
    pub gty: Option<String>,
    /// Which client obtained it.
    #[serde(default, deserialize_with = "never_null", skip_serializing_if = "Option::is_none")]
    pub azp: Option<String>,
}

/// What the one who was shown a token expects of it, and what time it is there.
#[derive(Clone, Copy, Debug)]
pub struct Expect<'a> {
    /// Any of these may have issued it.
    pub issuers: &'a [&'a str],
    /// It must be meant for one of these.
    pub audiences: &'a [&'a str],
    /// Now, in seconds since 1970.
    pub now: i64,
    /// How far clocks may be apart, in seconds.
    pub leeway: u32,
}

impl Claims {
    /// Reads the payload of a token whose signature has been checked.
    ///
    /// # Errors
    /// When a claim is missing, there twice or of the wrong type.
    pub fn read(payload: &[u8]) -> Result<Self, TokenError> {
        let claims: Self = super::read_object(payload).map_err(|error| {
            // What serde says may quote a claim, so only its kind is passed on.
            if error.is_data() {
                TokenError::Invalid("a claim is missing, there twice or of the wrong type")
            } else {
                TokenError::Invalid("the claims are not JSON")
            }
        })?;
        if claims.sub.is_empty() {
            return Err(TokenError::Invalid("sub is empty"));
        }
        if claims.exp < 0 || claims.iat < 0 || claims.nbf.is_some_and(|nbf| nbf < 0) {
            return Err(TokenError::Invalid("a time is before 1970"));
        }
        Ok(claims)
    }

    /// Holds the claims against what is expected of them: times first, then whom
    /// the token is meant for, then who issued it.
    ///
    /// # Errors
    ///
    /// The first expectation that is not met.
    pub fn check(&self, expect: &Expect<'_>) -> Result<(), TokenError> {
        let leeway = i64::from(expect.leeway);
        if self.nbf.is_some_and(|nbf| nbf > expect.now.saturating_add(leeway)) {
            return Err(TokenError::NotYetValid);
        }
        if self.exp.saturating_add(leeway) <= expect.now {
            return Err(TokenError::Expired);
        }
        if !expect.audiences.iter().any(|audience| self.aud.contains(audience)) {
            return Err(TokenError::WrongAudience);
        }
        if !expect.issuers.contains(&self.iss.as_str()) {
            return Err(TokenError::WrongIssuer);
        }
        Ok(())
    }

    /// The client that obtained the token, from `azp` or from a `sub` that ends in
    /// `@clients`.
    pub fn client_id(&self) -> Option<&str> {
        self.azp.as_deref().or_else(|| self.sub.strip_suffix("@clients"))
    }

    /// Whether it speaks for a user, not for a client itself.
    pub fn speaks_for_user(&self) -> bool {
        !self.sub.ends_with("@clients") && self.gty.as_deref() != Some("client-credentials")
    }
}

/// One audience or several. On the wire one is a text and several are an array.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Audience {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Audience {
    /// Whether this audience is among them, compared whole.
    pub fn contains(&self, audience: &str) -> bool {
        match self {
            Self::One(own) => own == audience,
            Self::Many(own) => own.iter().any(|own| own == audience),
        }
    }
}

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany;
        impl<'de> Visitor<'de> for OneOrMany {
            type Value = Audience;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or an array of texts")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Audience, E> {
                Ok(Audience::One(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut texts: A) -> Result<Audience, A::Error> {
                let mut several = Vec::new();
                while let Some(text) = texts.next_element()? {
                    several.push(text);
                }
                Ok(Audience::Many(several))
            }
        }
        deserializer.deserialize_any(OneOrMany)
    }
}

/// An optional claim may be absent, but `null` is a value of the wrong type. For
/// `nbf` that is the difference between a check and none.
pub(in crate::http) fn never_null<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    T::deserialize(deserializer).map(Some)
}
