//! TLS for the listener, with certificates that are given or of our own making.
//!
//! Clients are offered HTTP/1.1 and nothing else.

mod development;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::certificate;
use super::private_files::{self, FileError};

pub use development::{DevelopmentTls, Made, development, verify_development};

/// A TLS listener's settings, and until when its certificate is valid.
#[derive(Debug)]
pub struct Tls {
    /// What the listener needs.
    pub server: ServerConfig,
    /// When the certificate ends, in seconds since 1970.
    pub expires_at_s: i64,
}

/// Why TLS cannot be set up. Every message names the file and what can be done.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file or folder could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file does not hold what it should.
    #[error("{} holds no {wanted}; it must be PEM text", path.display())]
    NoPem {
        /// Which file.
        path: PathBuf,
        /// `certificate` or `private key`.
        wanted: &'static str,
    },
    /// The chain and the key do not belong together, or one is of an unknown kind.
    #[error("{} and {} cannot be used together: {reason}", chain.display(), key.display())]
    Unusable {
        /// The file with the chain.
        chain: PathBuf,
        /// The file with the key.
        key: PathBuf,
        /// What the TLS library says.
        reason: String,
    },
    /// The development CA cannot be used any more.
    #[error(
        "the development CA in {} cannot be used: {reason}; move the folder away to have a new one made, which clients must then trust",
        folder.display()
    )]
    Ca {
        /// The folder of all four files.
        folder: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A name can be in no certificate.
    #[error("{0:?} is no host name or address that a certificate can be for")]
    Name(String),
    /// A key or certificate could not be made.
    #[error("a development certificate could not be made: {0}")]
    NotMade(#[from] rcgen::Error),
}

/// Takes a certificate chain and its key, both PEM.
///
/// # Errors
///
/// When a file is missing or holds something else, or they do not belong together.
pub fn from_files(chain_file: &Path, key_file: &Path) -> Result<Tls, TlsError> {
    let chain = read_chain(chain_file)?;
    // Who may read a key that is not of our making is for its owner to say.
    let key = read_key(&private_files::read_public(key_file)?, key_file)?;
    let facts = chain.first().and_then(|first| certificate::read(first));
    let server = server(chain, key).map_err(|error| TlsError::Unusable {
        chain: chain_file.to_owned(),
        key: key_file.to_owned(),
        reason: error.to_string(),
    })?;
    let facts = facts
        .ok_or_else(|| TlsError::NoPem { path: chain_file.to_owned(), wanted: "certificate" })?;
    Ok(Tls { server, expires_at_s: facts.not_after_s })
}

fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let none = || TlsError::NoPem { path: path.to_owned(), wanted: "certificate" };
    let text = private_files::read_public(path)?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(text.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|_| none())?;
    if chain.is_empty() { Err(none()) } else { Ok(chain) }
}

fn read_key(text: &str, path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(text.as_bytes())
        .map_err(|_| TlsError::NoPem { path: path.to_owned(), wanted: "private key" })
}

fn server(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Named here, so that it does not depend on which crates are built in.
fn provider() -> CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}
