//! TLS 1.2 and 1.3 by rustls: what listeners offer, what our own clients believe, and whose
//! certificate a peer has shown.

use std::fmt;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig, ServerConnection};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::access::Policy;

/// What cannot be used for TLS, and why.
#[derive(Debug)]
pub struct TlsError {
    /// Which part: "certificate", "key", …
    what: &'static str,
    why: String,
}

impl fmt::Display for TlsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.what, self.why)
    }
}

impl std::error::Error for TlsError {}

impl TlsError {
    /// `what` is the part, `why` a sentence that may end with a hint.
    pub fn new(what: &'static str, why: impl fmt::Display) -> Self {
        Self { what, why: why.to_string() }
    }
}

/// What a listener shows, all PEM.
#[derive(Clone, Copy)]
pub struct ServerIdentity<'a> {
    /// Its certificate, then intermediate ones.
    pub chain: &'a [u8],
    /// The key of the first.
    pub key: &'a [u8],
    /// Authorities of client certificates.
    pub client_authorities: &'a [u8],
}

/// TLS for a listener with that policy.
pub fn server_config(
    identity: ServerIdentity<'_>,
    policy: Policy,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = certificates("server certificate", identity.chain)?;
    let key = PrivateKeyDer::from_pem_slice(identity.key)
        .map_err(|error| TlsError::new("server key", error))?;
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| TlsError::new("protocol versions", error))?;
    let verifier = |authorities| {
        let roots = Arc::new(roots("client authority", authorities)?);
        Ok::<_, TlsError>(WebPkiClientVerifier::builder_with_provider(roots, provider))
    };
    let refused = |error| TlsError::new("client authority", error);
    let builder = match policy {
        Policy::Anonymous | Policy::Password => builder.with_no_client_auth(),
        Policy::Certificate | Policy::CertificateAndPassword => builder.with_client_cert_verifier(
            verifier(identity.client_authorities)?
                .build()
                .map_err(|error| refused(error.to_string()))?,
        ),
        Policy::CertificateOrPassword => builder.with_client_cert_verifier(
            verifier(identity.client_authorities)?
                .allow_unauthenticated()
                .build()
                .map_err(|error| refused(error.to_string()))?,
        ),
    };
    let configuration = builder
        .with_single_cert(chain, key)
        .map_err(|error| TlsError::new("server certificate and key", error))?;
    Ok(Arc::new(configuration))
}

/// TLS for a client that believes these authorities (PEM) and no others.
pub fn client_config(authorities: &[u8]) -> Result<ClientConfig, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::new("protocol versions", error))?;
    let roots = roots("certificate authority", authorities)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// The user that a verified client certificate names: its common name, else its first DNS name or
/// e-mail address.
pub(super) fn identity(connection: &ServerConnection) -> Option<String> {
    let certificate = connection.peer_certificates()?.first()?;
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let common_name = certificate.subject().iter_common_name().next();
    if let Some(name) = common_name.and_then(|name| name.as_str().ok()) {
        return Some(name.to_owned());
    }
    let alternatives = certificate.subject_alternative_name().ok()??;
    alternatives.value.general_names.iter().find_map(|name| match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) => Some((*name).to_owned()),
        _ => None,
    })
}

fn certificates(what: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|error| TlsError::new(what, error))?;
    if certificates.is_empty() {
        return Err(TlsError::new(what, "no `BEGIN CERTIFICATE` in it"));
    }
    Ok(certificates)
}

fn roots(what: &'static str, pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(what, pem)? {
        roots.add(certificate).map_err(|error| TlsError::new(what, error))?;
    }
    Ok(roots)
}
