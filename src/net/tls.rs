//! TLS: who we are, whom we let show a certificate, and what a peer's certificate calls it.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::client::WantsClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::Authority;
use crate::access::{Certificate, Issuer, Policy};

/// Why there is no TLS. Each names the file that is to be looked at.
#[derive(Debug)]
pub enum TlsError {
    /// The operating system says no.
    Io {
        /// What was tried: a verb.
        doing: &'static str,
        /// With which file.
        place: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// The file is no text.
    NoPem {
        /// Which.
        place: PathBuf,
    },
    /// There is no certificate in the file.
    NoCertificate {
        /// Which.
        place: PathBuf,
    },
    /// There is no private key in the file.
    NoKey {
        /// Which.
        place: PathBuf,
    },
    /// The authority's certificate is there, its key is not.
    KeyMissing {
        /// Where the key should be.
        absent: PathBuf,
        /// The certificate.
        beside: PathBuf,
    },
    /// Certificate and key are not of one pair.
    KeyMismatch {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// The certificate is not one of an authority.
    NoAuthority {
        /// Which.
        place: PathBuf,
    },
    /// The TLS library does not take what is in the file.
    Rejected {
        /// Which.
        place: PathBuf,
        /// What it said.
        detail: String,
    },
    /// A certificate could not be made.
    Unmakeable {
        /// What the library said.
        detail: String,
    },
}

/// Where a listener's certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Our own authority.
    Own,
    /// An administrator.
    Files {
        /// PEM chain, the host's own certificate first.
        certificate: PathBuf,
        /// PEM key.
        key: PathBuf,
        /// PEM of the authorities of client certificates; `None`: our own.
        client_ca: Option<PathBuf>,
    },
}

/// A certificate chain and its key.
#[derive(Debug)]
pub struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    certificate_place: PathBuf,
    key_place: PathBuf,
}

/// What a listener shows, replaceable while it listens: connections that exist stay as they are.
#[derive(Debug)]
pub struct Tls {
    source: Source,
    policy: Policy,
    current: RwLock<Arc<ServerConfig>>,
    shown: RwLock<Shown>,
}

/// What is in the files behind a [`Tls`].
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shown {
    chain: Vec<CertificateDer<'static>>,
    /// Of client certificates; empty where none are asked for.
    authorities: Vec<CertificateDer<'static>>,
}

impl Tls {
    /// TLS 1.2 and 1.3 with the certificate of `source`; whether clients are asked for one follows
    /// from `policy`. `own` is what [`Authority::server`] gave.
    pub fn new(
        source: Source,
        policy: Policy,
        authority: &Authority,
        own: &Identity,
    ) -> Result<Self, TlsError> {
        let current = RwLock::new(configuration(&source, policy, authority, own)?);
        let shown = RwLock::new(shown(&source, policy, authority, own)?);
        Ok(Self { source, policy, current, shown })
    }

    /// Looks at the certificates again, for handshakes from now on. On an error all stays.
    pub fn reload(&self, authority: &Authority, own: &Identity) -> Result<(), TlsError> {
        let new = configuration(&self.source, self.policy, authority, own)?;
        let shown = shown(&self.source, self.policy, authority, own)?;
        *self.shown.write().unwrap_or_else(PoisonError::into_inner) = shown;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// Whether the other shows the same certificate.
    pub fn shows_as(&self, other: &Self) -> bool {
        self.shown().chain == other.shown().chain
    }

    /// When the certificate that it shows ends, in seconds since 1970.
    pub fn shown_until_unix_s(&self) -> Option<u64> {
        expires_unix_s(&self.shown().chain)
    }

    /// Whether it takes each client certificate that the other takes.
    pub fn lets_in_all_of(&self, other: &Self) -> bool {
        let mine = self.shown().authorities;
        other.shown().authorities.iter().all(|authority| mine.contains(authority))
    }

    fn shown(&self) -> Shown {
        self.shown.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whose client certificates it takes.
    pub(super) fn issuer(&self) -> Issuer {
        match self.source {
            Source::Own | Source::Files { client_ca: None, .. } => Issuer::Own,
            Source::Files { client_ca: Some(_), .. } => Issuer::Administrator,
        }
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&current))
    }
}

impl Identity {
    /// Reads chain and key; whether they belong together shows when they are used.
    pub fn from_pem(
        certificate: &[u8],
        certificate_place: &Path,
        key: &[u8],
        key_place: &Path,
    ) -> Result<Self, TlsError> {
        let chain = certificates_of(certificate, certificate_place)?;
        let key = PrivateKeyDer::from_pem_slice(key)
            .map_err(|_| TlsError::NoKey { place: key_place.into() })?;
        let (certificate_place, key_place) = (certificate_place.into(), key_place.into());
        Ok(Self { chain, key, certificate_place, key_place })
    }

    /// When its certificate ends, in seconds since 1970.
    pub fn expires_unix_s(&self) -> Option<u64> {
        expires_unix_s(&self.chain)
    }

    /// Reads the files of both.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        Self::from_pem(&read(certificate)?, certificate, &read(key)?, key)
    }

    /// Why the TLS library does not take it.
    fn unfit(&self, error: &rustls::Error) -> TlsError {
        let (certificate, key) = (self.certificate_place.clone(), self.key_place.clone());
        match error {
            rustls::Error::InconsistentKeys(_) => TlsError::KeyMismatch { certificate, key },
            other => TlsError::Rejected { place: certificate, detail: other.to_string() },
        }
    }
}

fn expires_unix_s(chain: &[CertificateDer<'_>]) -> Option<u64> {
    let (_, own) = X509Certificate::from_der(chain.first()?).ok()?;
    own.validity().not_after.timestamp().try_into().ok()
}

/// TLS of a client that trusts the authorities in `ca_pem` and nobody else.
pub fn client_config(ca_pem: &[u8]) -> Result<ClientConfig, TlsError> {
    Ok(trusting(ca_pem)?.with_no_client_auth())
}

/// The same of a client that shows who it is.
pub fn client_config_as(ca_pem: &[u8], identity: &Identity) -> Result<ClientConfig, TlsError> {
    let Identity { chain, key, .. } = identity;
    trusting(ca_pem)?
        .with_client_auth_cert(chain.clone(), key.clone_key())
        .map_err(|error| identity.unfit(&error))
}

fn trusting(ca_pem: &[u8]) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, TlsError> {
    let roots = roots(ca_pem, Path::new(CA_OF_CLIENT))?;
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring knows the default versions");
    Ok(builder.with_root_certificates(roots))
}

/// What [`client_config`] is given has no place of its own.
const CA_OF_CLIENT: &str = "certificate authority";

/// What a verified certificate says; nothing if it names nobody.
pub(super) fn read_verified(der: &[u8], issuer: Issuer) -> Option<Certificate> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let (name, serial) = (name_in(&certificate)?, serial_of(&certificate));
    Some(Certificate { name, serial, issuer })
}

/// The serial number of a certificate, in lower-case hexadecimal digits.
pub(super) fn serial_of(certificate: &X509Certificate<'_>) -> String {
    certificate.raw_serial_as_string().replace(':', "")
}

/// The common name of a certificate, else its first DNS name or mail address.
fn name_in(certificate: &X509Certificate<'_>) -> Option<String> {
    let common = certificate.subject().iter_common_name().find_map(|name| name.as_str().ok());
    if let Some(name) = common.filter(|name| !name.is_empty()) {
        return Some(name.to_owned());
    }
    let alternative = certificate.subject_alternative_name().ok()??;
    alternative.value.general_names.iter().find_map(|name| match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) => Some((*name).to_owned()),
        _ => None,
    })
}

/// The certificates of a PEM text, one at least.
pub(super) fn certificates_of(
    pem: &[u8],
    place: &Path,
) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        Ok(_) | Err(_) => Err(TlsError::NoCertificate { place: place.into() }),
    }
}

fn configuration(
    source: &Source,
    policy: Policy,
    authority: &Authority,
    own: &Identity,
) -> Result<Arc<ServerConfig>, TlsError> {
    match source {
        Source::Own => server_config(own, verifier(policy, authority.pem(), None)?),
        Source::Files { certificate, key, client_ca } => {
            let identity = Identity::from_files(certificate, key)?;
            let verifier = match client_ca {
                Some(place) => verifier(policy, &read(place)?, Some(place))?,
                None => verifier(policy, authority.pem(), None)?,
            };
            server_config(&identity, verifier)
        }
    }
}

fn shown(
    source: &Source,
    policy: Policy,
    authority: &Authority,
    own: &Identity,
) -> Result<Shown, TlsError> {
    let (chain, place) = match source {
        Source::Own => (own.chain.clone(), None),
        Source::Files { certificate, client_ca, .. } => {
            (certificates_of(&read(certificate)?, certificate)?, client_ca.as_deref())
        }
    };
    let authorities = match (policy, place) {
        (Policy::Anonymous | Policy::Password, _) => Vec::new(),
        (_, Some(place)) => certificates_of(&read(place)?, place)?,
        (_, None) => certificates_of(authority.pem(), Path::new("ca.pem"))?,
    };
    Ok(Shown { chain, authorities })
}

fn server_config(
    identity: &Identity,
    verifier: Arc<dyn ClientCertVerifier>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let Identity { chain, key, .. } = identity;
    let config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring knows the default versions")
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain.clone(), key.clone_key())
        .map_err(|error| identity.unfit(&error))?;
    Ok(Arc::new(config))
}

fn verifier(
    policy: Policy,
    ca_pem: &[u8],
    place: Option<&Path>,
) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let place = place.unwrap_or(Path::new("ca.pem"));
    let builder = || -> Result<_, TlsError> {
        let roots = Arc::new(roots(ca_pem, place)?);
        Ok(WebPkiClientVerifier::builder_with_provider(roots, provider()))
    };
    let built = match policy {
        Policy::Anonymous | Policy::Password => return Ok(WebPkiClientVerifier::no_client_auth()),
        Policy::CertificateOrPassword => builder()?.allow_unauthenticated().build(),
        Policy::Certificate | Policy::CertificateAndPassword => builder()?.build(),
    };
    built.map_err(|error| TlsError::Rejected { place: place.into(), detail: error.to_string() })
}

fn roots(pem: &[u8], place: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates_of(pem, place)? {
        roots.add(certificate).map_err(|error| TlsError::Rejected {
            place: place.into(),
            detail: error.to_string(),
        })?;
    }
    Ok(roots)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn read(place: &Path) -> Result<Vec<u8>, TlsError> {
    fs::read(place).map_err(|error| TlsError::Io { doing: "read", place: place.into(), error })
}

impl fmt::Display for TlsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { doing, place, error } => {
                write!(formatter, "cannot {doing} `{}`: {error}", place.display())
            }
            Self::NoPem { place } => write!(formatter, "not a PEM file: `{}`", place.display()),
            Self::NoCertificate { place } => write!(
                formatter,
                "no certificate in `{}`\n  hint: it should have a line `-----BEGIN \
                 CERTIFICATE-----`",
                place.display()
            ),
            Self::NoKey { place } => write!(
                formatter,
                "no private key that can be used in `{}`\n  hint: PEM, PKCS#8, without \
                 a passphrase; restore it, or move it away with its certificate to have \
                 new ones made",
                place.display()
            ),
            Self::KeyMissing { absent, beside } => write!(
                formatter,
                "no key beside `{}`: `{}`\n  hint: restore it; or move the certificate away to \
                 have a new authority made, which every client must then be given",
                beside.display(),
                absent.display()
            ),
            Self::KeyMismatch { certificate, key } => write!(
                formatter,
                "certificate and key do not belong together: `{}`, `{}`",
                certificate.display(),
                key.display()
            ),
            Self::NoAuthority { place } => {
                write!(formatter, "not the certificate of an authority: `{}`", place.display())
            }
            Self::Rejected { place, detail } => {
                write!(formatter, "cannot use `{}`: {detail}", place.display())
            }
            Self::Unmakeable { detail } => {
                write!(formatter, "cannot make a certificate: {detail}")
            }
        }
    }
}

impl std::error::Error for TlsError {}

#[cfg(test)]
pub(in crate::net) mod tests;
