//! An RSA public key out of PEM: a key, or a certificate with its expiry.
//!
//! Only what lies on the way to modulus and exponent is read, step by step and
//! without recursion, so that no text can exhaust the stack.

use crate::domain::time::Timestamp;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustls::pki_types::pem::{PemObject, SectionKind};

/// The longest PEM text taken (Auth0's limit is the same).
pub(super) const MAX_PEM_BYTES: usize = 4096;

/// The key sizes taken, in bits.
const BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// A public key, its numbers in base64url without padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PublicKey {
    pub(super) n: String,
    pub(super) e: String,
    /// When the certificate it came in ends.
    pub(super) not_after: Option<Timestamp>,
}

impl PublicKey {
    /// Reads a PEM text.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(pem: &str) -> Result<Self, &'static str> {
        const NO_PEM: &str = "pem is no PEM of a public key or certificate";
        let (kind, der) =
            <(SectionKind, Vec<u8>)>::from_pem_slice(pem.as_bytes()).map_err(|_| NO_PEM)?;
        let found = if kind == SectionKind::PublicKey {
            Der(&der).one().and_then(of_info).map(|key| (key, None))
        } else if kind == SectionKind::Certificate {
            of_certificate(Der(&der))
        } else {
            return Err(NO_PEM);
        };
        let ((n, e), not_after) = found.ok_or("pem holds no RSA public key")?;
        if !BITS.contains(&(n.len() * 8)) {
            return Err("the RSA key must have 2048 to 8192 bits");
        }
        let encode = |number: &[u8]| URL_SAFE_NO_PAD.encode(number);
        Ok(Self { n: encode(n), e: encode(e), not_after })
    }
}

type Numbers<'a> = (&'a [u8], &'a [u8]);

/// `rsaEncryption`, 1.2.840.113549.1.1.1
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const OBJECT_ID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const LONG_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// The modulus and the exponent in a `SubjectPublicKeyInfo`.
fn of_info(info: &[u8]) -> Option<Numbers<'_>> {
    let mut info = Der(info);
    let algorithm = info.take(SEQUENCE)?;
    if Der(algorithm).take(OBJECT_ID)? != RSA {
        return None;
    }
    // The first byte of a bit string counts the bits that are not used.
    let key = info.take(BIT_STRING)?.strip_prefix(&[0])?;
    let mut numbers = Der(Der(key).one()?);
    let n = numbers.take(INTEGER)?;
    let e = numbers.take(INTEGER)?;
    Some((positive(n)?, positive(e)?))
}

/// A number without the zero byte that says it is not negative.
fn positive(number: &[u8]) -> Option<&[u8]> {
    match number {
        [0, rest @ ..] if !rest.is_empty() => Some(rest),
        [first, ..] if *first < 0x80 && *first != 0 => Some(number),
        _ => None,
    }
}

fn of_certificate(mut der: Der<'_>) -> Option<(Numbers<'_>, Option<Timestamp>)> {
    let certificate = der.take(SEQUENCE)?;
    let mut signed = Der(Der(certificate).take(SEQUENCE)?);
    if signed.0.first() == Some(&VERSION) {
        signed.take(VERSION)?;
    }
    signed.take(INTEGER)?;
    signed.take(SEQUENCE)?;
    signed.take(SEQUENCE)?;
    let mut validity = Der(signed.take(SEQUENCE)?);
    validity.any()?;
    let (kind, text) = validity.any()?;
    signed.take(SEQUENCE)?;
    let key = of_info(signed.take(SEQUENCE)?)?;
    Some((key, Some(time(kind, std::str::from_utf8(text).ok()?)?)))
}

/// `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ`.
fn time(kind: u8, text: &str) -> Option<Timestamp> {
    let is_ascii = text.is_ascii();
    let (year, rest) = match kind {
        UTC_TIME if is_ascii => {
            let (year, rest) = text.split_at_checked(2)?;
            // RFC 5280: 50 and later lie in the last century.
            (format!("{}{year}", if year < "50" { "20" } else { "19" }), rest)
        }
        LONG_TIME if is_ascii => {
            let (year, rest) = text.split_at_checked(4)?;
            (year.to_owned(), rest)
        }
        _ => return None,
    };
    let part = |at: usize| rest.get(at..at + 2);
    let (month, day, hour) = (part(0)?, part(2)?, part(4)?);
    let (minute, second) = (part(6)?, part(8)?);
    Timestamp::parse(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z"))
}

/// Values one after the other, each a tag, a length and a content.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next value, whatever it is.
    fn any(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81 => {
                let (&one, rest) = rest.split_first()?;
                (usize::from(one), rest)
            }
            0x82 => {
                let (bytes, rest) = rest.split_first_chunk::<2>()?;
                (usize::from(u16::from_be_bytes(*bytes)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    /// The content of the next value, which must have this tag.
    fn take(&mut self, tag: u8) -> Option<&'a [u8]> {
        self.any().filter(|(found, _)| *found == tag).map(|(_, content)| content)
    }

    /// The content of the one sequence there is.
    fn one(mut self) -> Option<&'a [u8]> {
        let content = self.take(SEQUENCE)?;
        self.0.is_empty().then_some(content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::credential::thumbprint;
    use proptest::prelude::*;

    const KEY: &str = include_str!("testing/public.pem");
    const CERTIFICATE: &str = include_str!("testing/certificate.pem");

    #[test]
    fn a_key_and_a_certificate_of_it_hold_the_same_numbers() {
        let key = PublicKey::read(KEY).unwrap();
        let certified = PublicKey::read(CERTIFICATE).unwrap();
        assert_eq!((&key.n, &key.e), (&certified.n, &certified.e));
        assert_eq!(key.e, "AQAB");
        assert_eq!(key.not_after, None);
        let end = certified.not_after.unwrap().to_string();
        assert_eq!(end, include_str!("testing/not_after").trim());
        let kid = URL_SAFE_NO_PAD.encode(thumbprint(&key.n, &key.e));
        assert_eq!(kid, include_str!("testing/thumbprint").trim());
    }

    #[test]
    fn what_is_no_rsa_key_is_refused() {
        for bad in ["", "x", "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n"] {
            assert!(PublicKey::read(bad).is_err(), "{bad}");
        }
        let private = KEY.replace("PUBLIC", "PRIVATE");
        assert!(PublicKey::read(&private).is_err());
        assert_eq!(
            time(UTC_TIME, "330513093313Z").unwrap().to_string(),
            "2033-05-13T09:33:13.000Z"
        );
        assert_eq!(
            time(LONG_TIME, "20500101000000Z").unwrap().to_string(),
            "2050-01-01T00:00:00.000Z"
        );
        assert_eq!(time(UTC_TIME, "33051"), None);
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fall(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = Der(&bytes).one().and_then(of_info);
            let _ = of_certificate(Der(&bytes));
        }
    }
}
