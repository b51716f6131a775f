//! What people compare before they trust an authority.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::SystemTime;

use ring::digest::{SHA256, digest};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::rotation::Retiring;
use super::{Authority, Signer, unmakeable};
use crate::net::Names;
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

/// Under which names a certificate is good, and until when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateFacts {
    dns: BTreeSet<String>,
    addresses: BTreeSet<IpAddr>,
    /// In seconds since 1970.
    pub until_unix_s: u64,
    /// SHA-256 of its DER, in lower-case hexadecimal digits.
    pub sha256: String,
}

impl CertificateFacts {
    /// Of the first certificate of a PEM file; `None`: there is none.
    #[must_use]
    pub fn of(pem: &[u8]) -> Option<Self> {
        let der = CertificateDer::from_pem_slice(pem).ok()?;
        let (_, own) = X509Certificate::from_der(&der).ok()?;
        let digits = digest(&SHA256, &der);
        let pairs: Vec<String> = digits.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Some(Self { sha256: pairs.concat(), ..names_of(&own) })
    }

    /// Those of `names` that it does not have.
    #[must_use]
    pub fn lacks(&self, names: &Names) -> Vec<String> {
        let dns = names.dns.difference(&self.dns).cloned();
        dns.chain(names.addresses.difference(&self.addresses).map(ToString::to_string)).collect()
    }
}

pub(super) fn names_of(certificate: &X509Certificate<'_>) -> CertificateFacts {
    let until = certificate.validity().not_after.timestamp();
    let until_unix_s = u64::try_from(until).unwrap_or(0);
    let mut facts = CertificateFacts { until_unix_s, ..CertificateFacts::default() };
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return facts };
    for name in &extension.value.general_names {
        match name {
            GeneralName::DNSName(name) => facts.dns.extend([(*name).to_owned()]),
            name => facts.addresses.extend(address(name)),
        }
    }
    facts
}

fn address(name: &GeneralName<'_>) -> Option<IpAddr> {
    let GeneralName::IPAddress(bytes) = name else { return None };
    let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from)).ok()
}

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
