//! TLS: who we are, whom we let show a certificate, and what a peer's certificate calls it.

mod error;
mod handshake;
mod naming;
mod reason;
mod trust;

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::SystemTime;

use bytes::Bytes;
use rustls::client::WantsClientCert;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, ServerConfig};
use tokio_rustls::TlsAcceptor;
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::{Zeroize, Zeroizing};

use super::{Authority, read_whole};
use crate::access::{Issuer, Policy};
use crate::limits::TLS_FILE_BYTES_MAX;
use trust::{Trust, floor, unix_time};

pub use error::TlsError;
pub(super) use handshake::Failure;
pub use naming::read_verified;
pub(super) use naming::serial_of;
pub(super) use reason::Reason;

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
        /// PEM of the authorities of client certificates; none: our own.
        client_ca: Vec<PathBuf>,
        /// Revocation lists of those authorities, PEM or DER; none: nothing is revoked.
        client_crl: Vec<PathBuf>,
    },
}

impl Source {
    /// What a listener would not take of its files, without opening one: at most one complaint of
    /// who it is, and one of whom it lets in. What our own authority makes is not looked at.
    pub fn faults(&self, policy: Policy) -> Vec<TlsError> {
        let Self::Files { certificate, key, client_ca, client_crl } = self else {
            return Vec::new();
        };
        let identity = match Identity::from_files(certificate, key) {
            Ok(identity) => server_config(&identity, WebPkiClientVerifier::no_client_auth()).err(),
            // The key cannot be read, which is no reason to let the certificate pass.
            Err(error) if error.is_permission() => read(certificate)
                .and_then(|pem| certificates_of(&pem, certificate))
                .map_or_else(Some, |_| Some(error)),
            Err(error) => Some(error),
        };
        let trust = (!client_ca.is_empty()).then(|| {
            let trust = Trust::in_files(policy, client_ca, client_crl)?;
            trust.verifier(policy, floor(&[])).map(drop)
        });
        identity.into_iter().chain(trust.and_then(Result::err)).collect()
    }

    /// The key, if everybody on this host can read it.
    pub fn exposed_key(&self) -> Option<&Path> {
        let Self::Files { key, .. } = self else { return None };
        let mode = fs::metadata(key).ok()?.mode();
        (mode & READABLE_BY_OTHERS != 0).then_some(key)
    }
}

/// The bit of a file's mode (`chmod o+r`).
const READABLE_BY_OTHERS: u32 = 0o004;

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
    current: RwLock<Arc<Current>>,
}

/// What is in the files behind a [`Tls`], and what follows from it.
#[derive(Debug)]
struct Current {
    chain: Vec<CertificateDer<'static>>,
    trust: Trust,
    verifier: Arc<dyn ClientCertVerifier>,
    config: Arc<ServerConfig>,
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
        let current = Arc::new(Current::read(&source, policy, authority, own)?);
        Ok(Self { source, policy, current: RwLock::new(current) })
    }

    /// Looks at the certificates again, for handshakes from now on. On an error all stays.
    pub fn reload(&self, authority: &Authority, own: &Identity) -> Result<(), TlsError> {
        let new = Arc::new(Current::read(&self.source, self.policy, authority, own)?);
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// Whether the other shows the same certificate.
    pub fn shows_as(&self, other: &Self) -> bool {
        self.current().chain == other.current().chain
    }

    /// When the certificate that it shows ends, in seconds since 1970.
    pub fn shown_until_unix_s(&self) -> Option<u64> {
        expires_unix_s(&self.current().chain)
    }

    /// Whether who is let in by the authorities of the other is let in by these, too.
    pub fn lets_in_all_of(&self, other: &Self) -> bool {
        self.current().trust.lets_in_all_of(&other.current().trust)
    }

    /// Whether the same certificates are revoked as by the other.
    pub fn revokes_as(&self, other: &Self) -> bool {
        self.current().trust.revokes_as(&other.current().trust)
    }

    /// Whether who has shown this chain, its own certificate first, would be let in now; where
    /// none is asked for, any.
    pub fn accepts(&self, chain: &[Bytes], now: SystemTime) -> bool {
        let current = self.current();
        if !current.verifier.offer_client_auth() {
            return true;
        }
        let chain: Vec<CertificateDer<'_>> = chain.iter().map(|der| (&**der).into()).collect();
        let Some((own, behind)) = chain.split_first() else { return false };
        current.verifier.verify_client_cert(own, behind, unix_time(now)).is_ok()
    }

    /// Whose client certificates it takes.
    pub(super) fn issuer(&self) -> Issuer {
        match &self.source {
            Source::Files { client_ca, .. } if !client_ca.is_empty() => Issuer::Administrator,
            Source::Own | Source::Files { .. } => Issuer::Own,
        }
    }

    fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.current().config))
    }

    fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Current {
    fn read(
        source: &Source,
        policy: Policy,
        authority: &Authority,
        own: &Identity,
    ) -> Result<Self, TlsError> {
        let (from_files, trust) = match source {
            Source::Own => (None, Trust::in_ours(policy, authority)),
            Source::Files { certificate, key, client_ca, client_crl } => {
                let trust = if client_ca.is_empty() {
                    Trust::in_ours(policy, authority)
                } else {
                    Trust::in_files(policy, client_ca, client_crl)?
                };
                (Some(Identity::from_files(certificate, key)?), trust)
            }
        };
        let verifier = trust.verifier(policy, floor(&own.chain))?;
        let identity = from_files.as_ref().unwrap_or(own);
        let config = server_config(identity, Arc::clone(&verifier))?;
        Ok(Self { chain: identity.chain.clone(), trust, verifier, config })
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

    /// Its certificates, the host's own first.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// When its certificate ends, in seconds since 1970.
    pub fn expires_unix_s(&self) -> Option<u64> {
        expires_unix_s(&self.chain)
    }

    /// With what stands behind its certificate, for clients that trust another authority.
    #[must_use]
    pub(super) fn behind(mut self, cross: Option<CertificateDer<'static>>) -> Self {
        self.chain.extend(cross);
        self
    }

    /// Reads the files of both.
    pub fn from_files(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        Self::from_pem(&read(certificate)?, certificate, &read_key(key)?, key)
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

/// What the TLS library has of it, it keeps.
impl Drop for Identity {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

/// The credential of the file's name comes first, where the service manager gives one.
fn read_key(place: &Path) -> Result<Zeroizing<Vec<u8>>, TlsError> {
    let name = place.file_name().and_then(|name| name.to_str());
    let given = name.map(super::credential).transpose();
    let given =
        given.map_err(|error| TlsError::Io { doing: "read", place: place.into(), error })?;
    given.flatten().map_or_else(|| read(place).map(Zeroizing::new), Ok)
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
    let place = Path::new(CA_OF_CLIENT);
    let roots = roots(&certificates_of(ca_pem, place)?, place)?;
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring knows the default versions");
    Ok(builder.with_root_certificates(roots))
}

/// What [`client_config`] is given has no place of its own.
const CA_OF_CLIENT: &str = "certificate authority";

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

fn server_config(
    identity: &Identity,
    verifier: Arc<dyn ClientCertVerifier>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let Identity { chain, key, .. } = identity;
    let asks_certificate = verifier.offer_client_auth();
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring knows the default versions")
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain.clone(), key.clone_key())
        .map_err(|error| identity.unfit(&error))?;
    if asks_certificate {
        // A session that is resumed is not verified again, and its certificate may have ended.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(Arc::new(config))
}

fn roots(
    certificates: &[CertificateDer<'static>],
    place: &Path,
) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate.clone()).map_err(|error| TlsError::Rejected {
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
    read_whole(place, TLS_FILE_BYTES_MAX).map_err(|error| TlsError::Io {
        doing: "read",
        place: place.into(),
        error,
    })
}

#[cfg(test)]
pub(in crate::net) mod tests;
