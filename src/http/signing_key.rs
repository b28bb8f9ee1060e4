//! The certificate every new client gets, as Auth0 gives one (CONTRACT.md §4.1).
//!
//! Its private key is told once, to who makes the client, and kept nowhere. Keys are P-256: an
//! RSA key would cost each creation tens of milliseconds of a core.

use super::call::{Call, host_of_call};
use super::problem::Problem;
use crate::domain::json::{Builder, Elements, Object};
use crate::domain::time::Timestamp;
use crate::tenant::host_name;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use std::time::Duration;
use yasna::Tag;
use yasna::models::ObjectIdentifier;

/// For how long a certificate is valid: 5,000 days, as at Auth0.
const VALID: Duration = Duration::from_hours(5000 * 24);

/// Clocks of who reads a certificate may be behind by this much.
const BACKDATED: Duration = Duration::from_hours(24);

/// A client's member `signing_keys`.
pub(super) const MEMBER: &str = "signing_keys";

/// RFC 5280 gives a common name 64 characters.
const NAME_CHARS: usize = 64;

/// A key pair with its certificate, as PEM texts.
#[derive(Clone)]
pub(super) struct SigningKey {
    certificate: String,
    key: String,
    pkcs7: String,
    subject: String,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("subject", &self.subject).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// A new key pair for a client made by this call.
    ///
    /// # Errors
    /// 500 when the cryptographic library refuses.
    pub(super) fn for_call(call: &Call) -> Result<Self, Problem> {
        let host: String = host_name(host_of_call(call)).chars().take(NAME_CHARS).collect();
        Self::made(&host, call.now).map_err(|error| {
            log::error!(error:%; "the certificate of a new client could not be made");
            Problem::internal()
        })
    }

    /// A new key pair with a self-signed certificate for `domain`.
    ///
    /// # Errors
    /// When the cryptographic library refuses.
    pub(super) fn made(domain: &str, now: Timestamp) -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        let mut name = DistinguishedName::new();
        name.push(DnType::CommonName, domain);
        params.distinguished_name = name;
        let since_1970 = Duration::from_secs(u64::try_from(now.seconds()).unwrap_or_default());
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        params.not_before = epoch + since_1970.saturating_sub(BACKDATED);
        params.not_after = epoch + since_1970 + VALID;
        let certificate = params.self_signed(&key)?;
        Ok(Self {
            pkcs7: pem("PKCS7", &certificates_only(certificate.der())),
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            subject: format!("/CN={domain}"),
        })
    }

    /// The member as it is kept: an array of one, without the private key.
    pub(super) fn kept(&self) -> String {
        self.member(None)
    }

    /// The member as who makes the client sees it, once.
    pub(super) fn shown_once(&self) -> String {
        self.member(Some(&self.key))
    }

    fn member(&self, key: Option<&str>) -> String {
        let mut out = Builder::new();
        out.string("cert", &self.certificate);
        if let Some(key) = key {
            out.string("key", key);
        }
        out.string("pkcs7", &self.pkcs7).string("subject", &self.subject);
        format!("[{}]", out.finish())
    }
}

/// A client as lists show it: they do not name the subject of its certificates.
pub(super) fn listed(client: &str) -> String {
    let client = Object::trusted(client);
    let Some(keys) = client.get(MEMBER) else { return client.as_json().to_owned() };
    let keys: Vec<String> = Elements::of(keys)
        .map(|key| Object::trusted(key).with("subject", "\"deprecated\"").as_json().to_owned())
        .collect();
    client.with(MEMBER, &format!("[{}]", keys.join(","))).as_json().to_owned()
}

/// A certificate in the envelope of RFC 2315 that carries nothing else.
fn certificates_only(certificate: &[u8]) -> Vec<u8> {
    const SIGNED_DATA: &[u64] = &[1, 2, 840, 113_549, 1, 7, 2];
    const DATA: &[u64] = &[1, 2, 840, 113_549, 1, 7, 1];
    yasna::construct_der(|out| {
        out.write_sequence(|out| {
            out.next().write_oid(&ObjectIdentifier::from_slice(SIGNED_DATA));
            out.next().write_tagged(Tag::context(0), |out| {
                out.write_sequence(|out| {
                    out.next().write_u8(1);
                    out.next().write_set(|_| {});
                    out.next().write_sequence(|out| {
                        out.next().write_oid(&ObjectIdentifier::from_slice(DATA));
                    });
                    out.next().write_tagged_implicit(Tag::context(0), |out| {
                        out.write_set(|out| out.next().write_der(certificate));
                    });
                    out.next().write_tagged_implicit(Tag::context(1), |out| {
                        out.write_set(|_| {});
                    });
                    out.next().write_set(|_| {});
                });
            });
        });
    })
}

/// RFC 7468: base64 in lines of 64 between the marks.
fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    for (at, letter) in text.chars().enumerate() {
        if at > 0 && at % 64 == 0 {
            out.push('\n');
        }
        out.push(letter);
    }
    out + &format!("\n-----END {label}-----\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    fn made() -> SigningKey {
        SigningKey::made("alpha.localhost", Timestamp::from_millis(1_790_000_000_000)).unwrap()
    }

    #[test]
    fn the_private_key_is_shown_once_and_not_kept() {
        let made = made();
        assert!(made.shown_once().contains("PRIVATE KEY"));
        assert!(!made.kept().contains("PRIVATE KEY"));
        assert!(!format!("{made:?}").contains("PRIVATE KEY"));
        assert!(made.kept().contains(r#""subject":"/CN=alpha.localhost""#));
    }

    #[test]
    fn both_envelopes_hold_the_same_certificate() {
        let made = made();
        let certificate = CertificateDer::from_pem_slice(made.certificate.as_bytes()).unwrap();
        let body: String = made.pkcs7.lines().filter(|line| !line.starts_with('-')).collect();
        let envelope = STANDARD.decode(body).unwrap();
        assert!(envelope.windows(certificate.len()).any(|window| window == certificate.as_ref()));
        assert!(made.pkcs7.lines().all(|line| line.len() <= 64));
    }

    #[test]
    fn a_list_does_not_tell_the_subject() {
        let client = Object::trusted("{}").with(MEMBER, &made().kept());
        let listed = listed(client.as_json());
        assert!(listed.contains(r#""subject":"deprecated""#) && !listed.contains("/CN="));
        assert_eq!(super::listed(r#"{"name":"a"}"#), r#"{"name":"a"}"#);
    }
}
