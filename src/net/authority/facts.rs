//! What people compare before they trust an authority.

use std::time::SystemTime;

use ring::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::rotation::Retiring;
use super::{Authority, Signer, unmakeable};
use crate::net::tls::TlsError;

/// What an authority's certificate says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorityFacts {
    /// Its subject, as `CN=…`.
    pub subject: String,
    /// From when it counts, in seconds since 1970.
    pub from_unix_s: u64,
    /// Until when, in seconds since 1970.
    pub until_unix_s: u64,
    /// SHA-256 of its DER, as `openssl x509 -fingerprint -sha256` writes it.
    pub fingerprint: String,
}

impl AuthorityFacts {
    /// Enough of the fingerprint to tell the authorities of one house apart.
    #[must_use]
    pub fn id(&self) -> String {
        let digits = self.fingerprint.chars().filter(char::is_ascii_hexdigit);
        digits.take(ID_DIGITS).collect::<String>().to_ascii_lowercase()
    }
}

/// Of the fingerprint, in an [`AuthorityFacts::id`].
const ID_DIGITS: usize = 16;

/// The last certificate of a PEM chain, if nobody else has signed it: what clients are to trust.
#[must_use]
pub fn root_of(chain: &str) -> Option<&str> {
    let last = chain.get(chain.rfind("-----BEGIN CERTIFICATE-----")?..)?;
    let der = CertificateDer::from_pem_slice(last.as_bytes()).ok()?;
    let (_, own) = X509Certificate::from_der(&der).ok()?;
    own.verify_signature(None).is_ok().then_some(last)
}

impl Authority {
    /// What its certificate says.
    pub fn facts(&self) -> Result<AuthorityFacts, TlsError> {
        self.own.facts()
    }

    /// What the certificate of the authority says that this one replaces, and until when that one
    /// counts, in seconds since 1970.
    pub fn replaced(&self) -> Result<Option<(AuthorityFacts, u64)>, TlsError> {
        let Some(Retiring { signer, until, .. }) = &self.retiring else { return Ok(None) };
        let until = until.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        Ok(Some((signer.facts()?, until)))
    }
}

impl Signer {
    fn facts(&self) -> Result<AuthorityFacts, TlsError> {
        let (_, own) = X509Certificate::from_der(&self.der).map_err(unmakeable)?;
        let seconds = |time: i64| u64::try_from(time).unwrap_or(0);
        let bytes = digest(&SHA256, &self.der);
        let pairs: Vec<String> = bytes.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
        Ok(AuthorityFacts {
            subject: own.subject().to_string(),
            from_unix_s: seconds(own.validity().not_before.timestamp()),
            until_unix_s: seconds(own.validity().not_after.timestamp()),
            fingerprint: pairs.join(":"),
        })
    }
}
