//! A development CA of our own, since every Auth0 SDK insists on `https://`.
//!
//! The CA is made once and kept for ten years, so it has to be trusted once. The
//! certificate for the names in use is made from it whenever it is nearly over or
//! the names have changed.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType,
};
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::ParsedCertificate;
use sha2::{Digest, Sha256};

use super::{Tls, TlsError, provider, read_chain, read_key, server};
use crate::app::certificate::{self, Facts};
use crate::app::private_files::{self, FileError, PUBLIC, SECRET};

const FOLDER: &str = "tls";
const CA: &str = "ca.pem";
const CA_KEY: &str = "ca-key.pem";
const LEAF: &str = "leaf.pem";
const LEAF_KEY: &str = "leaf-key.pem";

/// Names every development certificate is for. `*.localhost` helps where clients
/// take a wildcard before a name without a dot, which OpenSSL and Node do not: give
/// the hosts of tenants by name.
const ALWAYS: [&str; 4] = ["localhost", "*.localhost", "127.0.0.1", "::1"];

const DAY_S: i64 = 86_400;
/// Clocks of clients may be behind.
const BACKDATED_S: i64 = DAY_S;
/// What browsers take at most is 398 days, the first and the last included.
const LEAF_S: i64 = 397 * DAY_S;
const CA_S: i64 = 3650 * DAY_S;
const RENEWED_WHEN_LEFT_S: i64 = 30 * DAY_S;

/// TLS with certificates of our own making.
#[derive(Debug)]
pub struct DevelopmentTls {
    /// The listener's settings.
    pub tls: Tls,
    /// What clients must trust: the value for `NODE_EXTRA_CA_CERTS`,
    /// `SSL_CERT_FILE` and `REQUESTS_CA_BUNDLE`.
    pub ca_file: PathBuf,
    /// The names the certificate is for.
    pub names: Vec<String>,
    /// What had to be made.
    pub made: Made,
}

/// What had to be made for a development listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Made {
    /// Nothing: what was there is good.
    Nothing,
    /// A new certificate from the CA that was there.
    Leaf,
    /// A CA, which clients do not trust yet, and a certificate.
    Everything,
}

/// Takes or makes the development CA of a data directory, and a certificate for
/// `localhost` and these hosts. A host may carry a port, which is left out.
///
/// A CA that is over, or not valid yet by this machine's clock, is used all the same: the clock may
/// be wrong, and it is the clients who judge a certificate.
///
/// # Errors
///
/// When a file is open to others, the CA is damaged, or a name is none. A damaged certificate is
/// not an error: another one is made.
pub fn development(
    data_dir: &Path,
    hosts: &[String],
    now_s: i64,
) -> Result<DevelopmentTls, TlsError> {
    let names = all_names(hosts)?;
    let folder = data_dir.join(FOLDER);
    let is_there = private_files::is_filled(&folder)?;
    if !is_there {
        private_files::make_folder(&folder, |beside| make_ca(beside, now_s))?;
    }
    let ca = Ca::read(&folder)?;
    let now_s = ca.within_its_time(now_s);
    let (tls, made) = match ca.leaf(&folder, &names, now_s) {
        Some(tls) => (tls, Made::Nothing),
        None => (ca.make_leaf(&folder, &names, now_s)?, Made::Leaf),
    };
    let made = if is_there { made } else { Made::Everything };
    Ok(DevelopmentTls { tls, ca_file: folder.join(CA), names, made })
}

/// Looks whether the development CA of a data directory can be used, and makes nothing; false if
/// there is none.
///
/// # Errors
///
/// When [`development`] would refuse it.
pub fn verify_development(data_dir: &Path) -> Result<bool, TlsError> {
    let folder = data_dir.join(FOLDER);
    let is_there = private_files::is_filled(&folder)?;
    if is_there {
        Ca::read(&folder)?;
    }
    Ok(is_there)
}

/// The development CA, read from its two files.
struct Ca {
    certificate: CertificateDer<'static>,
    facts: Facts,
    key: KeyPair,
}

impl Ca {
    fn read(folder: &Path) -> Result<Self, TlsError> {
        let damaged =
            |reason: &str| TlsError::Ca { folder: folder.to_owned(), reason: reason.to_owned() };
        let unreadable = |file: &'static str| {
            move |error: FileError| {
                let is_missing = error.is_missing();
                damaged(&if is_missing { format!("{file} is missing") } else { error.to_string() })
            }
        };
        let text = private_files::read_public(&folder.join(CA)).map_err(unreadable(CA))?;
        let certificate = CertificateDer::from_pem_slice(text.as_bytes())
            .map_err(|_| damaged("ca.pem holds no certificate"))?;
        let facts = certificate::read(&certificate)
            .ok_or_else(|| damaged("ca.pem holds a damaged certificate"))?;
        let text = private_files::read_secret(&folder.join(CA_KEY)).map_err(unreadable(CA_KEY))?;
        let key =
            KeyPair::from_pem(&text).map_err(|_| damaged("ca-key.pem holds no private key"))?;
        let ca = Self { certificate, facts, key };
        // Whether the two belong together, and all of the certificate is as it was, shows in what they sign.
        let (leaf, ..) = ca.sign(&ALWAYS.map(str::to_owned), ca.first_s())?;
        if !ca.has_signed(leaf.der(), ca.first_s()) {
            return Err(damaged("ca-key.pem is not the key of ca.pem, or ca.pem is damaged"));
        }
        Ok(ca)
    }

    /// From when on certificates can be made.
    fn first_s(&self) -> i64 {
        self.facts.not_before_s + BACKDATED_S
    }

    /// The time that certificates are made and judged by: the clock's, as far as the CA is valid.
    fn within_its_time(&self, now_s: i64) -> i64 {
        let first = self.first_s();
        let last = (self.facts.not_after_s - RENEWED_WHEN_LEFT_S).max(first);
        if now_s >= last {
            log::warn!(
                "the development CA in tls/ is over, or will be in less than 30 days; move the folder away to have a new one made, which clients must then trust"
            );
        }
        now_s.clamp(first, last)
    }

    /// The certificate that is there, if it is still good for these names.
    fn leaf(&self, folder: &Path, names: &[String], now_s: i64) -> Option<Tls> {
        let (leaf_file, key_file) = (folder.join(LEAF), folder.join(LEAF_KEY));
        // A key that others could read is no reason to stop, as one of the CA is:
        // another one is made in a moment.
        let key_text = private_files::read_secret(&key_file).ok()?;
        let chain = read_chain(&leaf_file).ok()?;
        let key = read_key(&key_text, &key_file).ok()?;
        let leaf = chain.first()?;
        let facts = certificate::read(leaf)?;
        let is_good = facts.names == names
            && facts.not_before_s <= now_s
            && facts.not_after_s - now_s >= RENEWED_WHEN_LEFT_S
            && self.has_signed(leaf, now_s);
        let server = if is_good { server(chain, key).ok()? } else { return None };
        Some(Tls { server, expires_at_s: facts.not_after_s })
    }

    /// A certificate for these names, its key, and when it ends.
    fn sign(&self, names: &[String], now_s: i64) -> Result<(Certificate, KeyPair, i64), TlsError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = named("localhost");
        params.subject_alt_names = names.iter().map(|name| san(name)).collect::<Result<_, _>>()?;
        let expires_at_s = (now_s - BACKDATED_S + LEAF_S).min(self.facts.not_after_s);
        set_dates(&mut params, now_s - BACKDATED_S, expires_at_s);
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        Ok((params.signed_by(&key, &self.issuer())?, key, expires_at_s))
    }

    fn make_leaf(&self, folder: &Path, names: &[String], now_s: i64) -> Result<Tls, TlsError> {
        let (leaf, key, expires_at_s) = self.sign(names, now_s)?;
        // A crash between the two leaves a pair that does not match, which is
        // noticed and made anew.
        private_files::write(&folder.join(LEAF_KEY), &key.serialize_pem(), SECRET)?;
        private_files::write(&folder.join(LEAF), &leaf.pem(), PUBLIC)?;
        let server =
            server(vec![leaf.der().clone()], PrivateKeyDer::from(key)).map_err(|error| {
                TlsError::Unusable {
                    chain: folder.join(LEAF),
                    key: folder.join(LEAF_KEY),
                    reason: error.to_string(),
                }
            })?;
        Ok(Tls { server, expires_at_s })
    }

    fn issuer(&self) -> Issuer<'static, &KeyPair> {
        Issuer::new(ca_params(&self.key), &self.key)
    }

    /// Whether a certificate is good for a client that trusts this CA.
    fn has_signed(&self, leaf: &CertificateDer<'_>, now_s: i64) -> bool {
        let mut roots = RootCertStore::empty();
        let Ok(now_s) = u64::try_from(now_s) else { return false };
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now_s));
        roots.add(self.certificate.clone()).is_ok()
            && ParsedCertificate::try_from(leaf).is_ok_and(|leaf| {
                rustls::client::verify_server_cert_signed_by_trust_anchor(
                    &leaf,
                    &roots,
                    &[],
                    now,
                    provider().signature_verification_algorithms.all,
                )
                .is_ok()
            })
    }
}

fn make_ca(folder: &Path, now_s: i64) -> Result<(), TlsError> {
    let key = KeyPair::generate()?;
    let mut params = ca_params(&key);
    set_dates(&mut params, now_s - BACKDATED_S, now_s - BACKDATED_S + CA_S);
    let certificate = params.self_signed(&key)?;
    private_files::write(&folder.join(CA_KEY), &key.serialize_pem(), SECRET)?;
    private_files::write(&folder.join(CA), &certificate.pem(), PUBLIC)?;
    Ok(())
}

/// Everything about the CA but its dates follows from its key, so that the issuer
/// can be named again without reading the certificate. The name carries the key:
/// two CAs of one name in one trust store would be taken for each other.
fn ca_params(key: &KeyPair) -> CertificateParams {
    let digest = Sha256::digest(key.subject_public_key_info());
    let (first, _) = digest.split_first_chunk().expect("a digest has 32 bytes");
    let short = u32::from_be_bytes(*first);
    let mut params = CertificateParams::default();
    params.distinguished_name = named(&format!("Dossier development CA {short:08x}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn set_dates(params: &mut CertificateParams, from_s: i64, to_s: i64) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let after = |seconds: i64| epoch + Duration::from_secs(seconds.max(0).unsigned_abs());
    params.not_before = after(from_s);
    params.not_after = after(to_s);
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::OrganizationName, "Dossier development");
    name.push(DnType::CommonName, common_name);
    name
}

/// All names of the certificate, each once and sorted.
fn all_names(hosts: &[String]) -> Result<Vec<String>, TlsError> {
    let mut names: BTreeSet<String> = ALWAYS.map(str::to_owned).into();
    for host in hosts {
        names.insert(host_name(host).ok_or_else(|| TlsError::Name(host.clone()))?);
    }
    Ok(names.into_iter().collect())
}

/// The name or address in `name`, `name:port`, `address` or `[address]:port`.
fn host_name(host: &str) -> Option<String> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some(address.to_string());
    }
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) => (name, Some(port)),
        None => (host, None),
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return None;
    }
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    if let Ok(address) = bare.unwrap_or(name).parse::<IpAddr>() {
        return Some(address.to_string());
    }
    let name = name.to_ascii_lowercase();
    let labels = name.strip_prefix("*.").unwrap_or(&name);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    (name.len() <= 253 && labels.split('.').all(is_label)).then_some(name)
}

fn san(name: &str) -> Result<SanType, TlsError> {
    Ok(match name.parse::<IpAddr>() {
        Ok(address) => SanType::IpAddress(address),
        Err(_) => SanType::DnsName(name.try_into()?),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Arc;

    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection, ServerConfig, ServerConnection};

    use super::*;
    use crate::app::tls::from_files;

    /// 2026-11-21, in the morning.
    const NOW: i64 = 1_795_253_400;

    #[derive(Debug)]
    struct At(i64);

    impl rustls::time_provider::TimeProvider for At {
        fn current_time(&self) -> Option<UnixTime> {
            Some(UnixTime::since_unix_epoch(Duration::from_secs(self.0.unsigned_abs())))
        }
    }

    /// Shakes hands with a client that trusts `ca_file` alone; says what protocol
    /// was agreed on.
    fn shake_hands(
        server: &ServerConfig,
        ca_file: &Path,
        name: &str,
        now_s: i64,
    ) -> Result<Vec<u8>, String> {
        let mut roots = RootCertStore::empty();
        for ca in read_chain(ca_file).unwrap() {
            roots.add(ca).unwrap();
        }
        let mut config =
            ClientConfig::builder_with_details(Arc::new(provider()), Arc::new(At(now_s)))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let mut client = ClientConnection::new(Arc::new(config), name).unwrap();
        let mut server = ServerConnection::new(Arc::new(server.clone())).unwrap();
        while client.is_handshaking() || server.is_handshaking() {
            let mut bytes = Vec::new();
            client.write_tls(&mut bytes).unwrap();
            server.read_tls(&mut bytes.as_slice()).unwrap();
            server.process_new_packets().map_err(|error| error.to_string())?;
            let mut bytes = Vec::new();
            server.write_tls(&mut bytes).unwrap();
            client.read_tls(&mut bytes.as_slice()).unwrap();
            client.process_new_packets().map_err(|error| error.to_string())?;
        }
        Ok(client.alpn_protocol().unwrap_or_default().to_vec())
    }

    fn hosts(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_client_that_trusts_the_ca_is_at_home() {
        let data = tempfile::tempdir().unwrap();
        let hosts = hosts(&["acme.localhost:3001", "beta.example"]);
        let ours = development(data.path(), &hosts, NOW).unwrap();
        for name in ["localhost", "127.0.0.1", "::1", "acme.localhost", "beta.example"] {
            let agreed = shake_hands(&ours.tls.server, &ours.ca_file, name, NOW).unwrap();
            assert_eq!(agreed, b"http/1.1");
        }
        for name in ["example.com", "x.beta.example", "10.0.0.1"] {
            shake_hands(&ours.tls.server, &ours.ca_file, name, NOW).unwrap_err();
        }
        let last = ours.tls.expires_at_s;
        assert!(last - NOW <= 398 * DAY_S && last - NOW > 300 * DAY_S);
        shake_hands(&ours.tls.server, &ours.ca_file, "localhost", last).unwrap();
        shake_hands(&ours.tls.server, &ours.ca_file, "localhost", last + 1).unwrap_err();
    }

    #[test]
    fn files_are_for_their_owner_alone() {
        let data = tempfile::tempdir().unwrap();
        development(data.path(), &[], NOW).unwrap();
        let folder = data.path().join(FOLDER);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(&folder), 0o700);
        for (file, wanted) in [(CA, PUBLIC), (CA_KEY, SECRET), (LEAF, PUBLIC), (LEAF_KEY, SECRET)] {
            assert_eq!(mode(&folder.join(file)), wanted, "{file}");
        }
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 4);
    }

    /// Opens twice and says what the second time had to make. The CA stays.
    #[track_caller]
    fn again(change: impl FnOnce(&Path), hosts: &[String], now_s: i64) -> Made {
        let data = tempfile::tempdir().unwrap();
        let first = development(data.path(), &[], NOW).unwrap();
        assert_eq!(first.made, Made::Everything);
        let ca = fs::read(&first.ca_file).unwrap();
        change(&data.path().join(FOLDER));
        let second = development(data.path(), hosts, now_s).unwrap();
        assert_eq!(fs::read(&second.ca_file).unwrap(), ca);
        shake_hands(&second.tls.server, &first.ca_file, "localhost", now_s).unwrap();
        let third = development(data.path(), hosts, now_s).unwrap();
        assert_eq!(third.made, Made::Nothing);
        assert_eq!(third.tls.expires_at_s, second.tls.expires_at_s);
        second.made
    }

    #[test]
    fn a_good_certificate_is_kept() {
        assert_eq!(again(|_| {}, &[], NOW), Made::Nothing);
        assert_eq!(
            again(|_| {}, &hosts(&["LOCALHOST:3000", "127.0.0.1:80", "[::1]:443"]), NOW),
            Made::Nothing
        );
        assert_eq!(again(|_| {}, &[], NOW + 366 * DAY_S), Made::Nothing);
    }

    #[test]
    fn a_certificate_is_renewed_when_it_is_nearly_over_or_for_other_names() {
        assert_eq!(again(|_| {}, &[], NOW + 367 * DAY_S), Made::Leaf);
        assert_eq!(again(|_| {}, &[], NOW + 3000 * DAY_S), Made::Leaf);
        assert_eq!(again(|_| {}, &hosts(&["acme.localhost"]), NOW), Made::Leaf);
    }

    #[test]
    fn a_damaged_certificate_is_made_anew() {
        for file in [LEAF, LEAF_KEY] {
            assert_eq!(
                again(|folder| fs::remove_file(folder.join(file)).unwrap(), &[], NOW),
                Made::Leaf
            );
            assert_eq!(
                again(|folder| fs::write(folder.join(file), "").unwrap(), &[], NOW),
                Made::Leaf
            );
            assert_eq!(
                again(|folder| fs::write(folder.join(file), "x").unwrap(), &[], NOW),
                Made::Leaf
            );
        }
        // A pair that does not match, as a crash between the two leaves it.
        let other = KeyPair::generate().unwrap().serialize_pem();
        assert_eq!(
            again(|folder| fs::write(folder.join(LEAF_KEY), other).unwrap(), &[], NOW),
            Made::Leaf
        );
    }

    #[test]
    fn a_certificate_of_another_ca_is_replaced() {
        let other = tempfile::tempdir().unwrap();
        development(other.path(), &[], NOW).unwrap();
        let made = again(
            |folder| {
                for file in [LEAF, LEAF_KEY] {
                    fs::copy(other.path().join(FOLDER).join(file), folder.join(file)).unwrap();
                }
            },
            &[],
            NOW,
        );
        assert_eq!(made, Made::Leaf);
    }

    #[test]
    fn a_certificate_never_outlives_its_ca() {
        let data = tempfile::tempdir().unwrap();
        development(data.path(), &[], NOW).unwrap();
        let late = NOW + CA_S - 100 * DAY_S;
        let ours = development(data.path(), &[], late).unwrap();
        assert_eq!(ours.tls.expires_at_s, NOW - BACKDATED_S + CA_S);
    }

    #[test]
    fn a_clock_that_is_years_wrong_keeps_nobody_from_starting() {
        let data = tempfile::tempdir().unwrap();
        let start = |now_s| development(data.path(), &[], now_s).unwrap();
        let first = fs::read(start(NOW).ca_file).unwrap();
        for years in [-30, -10, -1, 10, 11, 30] {
            assert_eq!(fs::read(start(NOW + years * 366 * DAY_S).ca_file).unwrap(), first);
            let ours = start(NOW);
            shake_hands(&ours.tls.server, &ours.ca_file, "localhost", NOW).unwrap();
            assert_eq!(fs::read(ours.ca_file).unwrap(), first, "{years}");
        }
    }

    #[track_caller]
    fn refused(change: impl FnOnce(&Path), words: &[&str]) {
        let data = tempfile::tempdir().unwrap();
        development(data.path(), &[], NOW).unwrap();
        change(&data.path().join(FOLDER));
        // Another name, so that the CA is needed.
        let error = development(data.path(), &hosts(&["x.example"]), NOW).unwrap_err().to_string();
        for word in words {
            assert!(error.contains(word), "{word:?} is missing in: {error}");
        }
    }

    #[test]
    fn a_ca_that_is_not_whole_is_refused_with_a_remedy() {
        for (file, text) in [(CA, "x"), (CA_KEY, "x")] {
            refused(
                |folder| fs::write(folder.join(file), text).unwrap(),
                &[file, "move the folder away"],
            );
            refused(
                |folder| fs::remove_file(folder.join(file)).unwrap(),
                &[file, "missing", "move the folder away"],
            );
            refused(|folder| fs::write(folder.join(file), "").unwrap(), &[file, "empty"]);
        }
        let other = KeyPair::generate().unwrap().serialize_pem();
        refused(
            |folder| fs::write(folder.join(CA_KEY), other).unwrap(),
            &["is not the key of ca.pem"],
        );
        let open = |folder: &Path| {
            fs::set_permissions(folder.join(CA_KEY), fs::Permissions::from_mode(0o644)).unwrap();
        };
        refused(open, &["ca-key.pem", "chmod 600 '"]);
    }

    #[test]
    fn given_files_are_taken() {
        let data = tempfile::tempdir().unwrap();
        let ours = development(data.path(), &[], NOW).unwrap();
        let folder = data.path().join(FOLDER);
        let given = from_files(&folder.join(LEAF), &folder.join(LEAF_KEY)).unwrap();
        assert_eq!(given.expires_at_s, ours.tls.expires_at_s);
        shake_hands(&given.server, &ours.ca_file, "localhost", NOW).unwrap();
        let error = from_files(&folder.join(LEAF), &folder.join(CA_KEY)).unwrap_err().to_string();
        assert!(error.contains("leaf.pem") && error.contains("ca-key.pem"), "{error}");
        for (chain, key, words) in [
            (LEAF_KEY, LEAF_KEY, "leaf-key.pem holds no certificate"),
            (LEAF, LEAF, "leaf.pem holds no private key"),
            ("none.pem", LEAF_KEY, "none.pem"),
        ] {
            let error = from_files(&folder.join(chain), &folder.join(key)).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn hosts_become_names() {
        for (host, name) in [
            ("a.example", Some("a.example")),
            ("A.Example:443", Some("a.example")),
            ("*.a.example", Some("*.a.example")),
            ("10.1.2.3:80", Some("10.1.2.3")),
            ("[2001:DB8::1]:80", Some("2001:db8::1")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("my_host", Some("my_host")),
            ("", None),
            ("a..b", None),
            ("-a.b", None),
            ("a b", None),
            ("https://a", None),
            ("a:b", None),
            ("a:99999", None),
            ("bücher.example", None),
            ("a.*.b", None),
            ("a/b", None),
            ("[a]", None),
        ] {
            assert_eq!(host_name(host).as_deref(), name, "{host}");
        }
        assert!(host_name(&format!("{}.b", "a".repeat(64))).is_none());
        let error = all_names(&hosts(&["a b"])).unwrap_err();
        assert!(error.to_string().contains("\"a b\""));
    }
}
