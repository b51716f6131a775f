//! Our own certificate authority, made at the first start, and the certificate it gives this host.
//!
//! The authority is replaced only by command: every client has to be told. The certificate of the
//! host is made anew when it comes to its end or no longer says how the host is reached.

mod client;
mod facts;
mod pkcs12;
mod rotation;

use std::iter;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, SerialNumber,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tracing::{info, warn};
use x509_parser::prelude::{FromDer, X509Certificate};

use rotation::Retiring;

use super::tls::{Identity, TlsError, certificates_of};
use super::{Files, Names};
use crate::time::CLOCK_SET_FROM_UNIX_S;

const CA_CERTIFICATE: &str = "ca.pem";
const CA_KEY: &str = "ca.key";
const SERVER_CERTIFICATE: &str = "server.pem";
const SERVER_KEY: &str = "server.key";

const DAY: Duration = Duration::from_secs(24 * 3600);

/// 2020-01-01: before any client's clock, so that certificates made with an unset clock are good
/// before and after it is set.
const LONG_AGO_UNIX_S: i64 = 1_577_836_800;

const CA_LIFETIME: Duration = Duration::from_secs(3653 * 24 * 3600);

/// What browsers and phones take at most.
const SERVER_LIFETIME: Duration = Duration::from_secs(398 * 24 * 3600);

/// For clients whose clocks are late.
const BACKDATED: Duration = Duration::from_secs(30 * 24 * 3600);

/// Longest common name of a certificate, in characters (RFC 5280, upper bounds).
const COMMON_NAME_CHARS_MAX: usize = 64;

pub use client::ClientIdentity;
pub use facts::{AuthorityFacts, CertificateFacts, root_of};
pub use pkcs12::PKCS12_CHANCE_BYTES;

/// The authority of this house.
pub struct Authority {
    own: Signer,
    retiring: Option<Retiring>,
}

/// A certificate of an authority, and its key.
struct Signer {
    pem: String,
    der: Vec<u8>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Reads the authority, or makes it where there is none. What is broken is an error that names
    /// the file; nothing is written over.
    pub fn open(files: &dyn Files, names: &Names, now: SystemTime) -> Result<Self, TlsError> {
        let key = match (read(files, CA_CERTIFICATE)?, read(files, CA_KEY)?) {
            (Some(pem), Some(key)) => {
                let key = match rotation::key_before(files, &pem)? {
                    Some(key) => key,
                    None => parse_key(files, CA_KEY, &key)?,
                };
                return Self::from_pem(files, pem, &key, now);
            }
            (Some(_), None) => {
                let (absent, beside) = (files.place(CA_KEY), files.place(CA_CERTIFICATE));
                return Err(TlsError::KeyMissing { absent, beside });
            }
            // Made, but the certificate was not written any more: nobody can know it.
            (None, Some(key)) => parse_key(files, CA_KEY, &key)?,
            (None, None) => {
                let key = new_key()?;
                write(files, CA_KEY, &key.serialize_pem())?;
                key
            }
        };
        let pem = ca_parameters(&names.host, now).self_signed(&key).map_err(unmakeable)?.pem();
        write(files, CA_CERTIFICATE, &pem)?;
        info!(file = %files.place(CA_CERTIFICATE).display(), "certificate authority made");
        Self::from_pem(files, pem, &key, now)
    }

    /// The certificate that clients are to trust.
    pub fn pem(&self) -> &[u8] {
        self.own.pem.as_bytes()
    }

    /// The certificates whose clients are let in: its own, and that of the one it replaces.
    pub fn trusted(&self) -> Vec<CertificateDer<'static>> {
        let signers = iter::once(&self.own).chain(self.retiring.as_ref().map(|it| &it.signer));
        signers.map(|signer| signer.der.clone().into()).collect()
    }

    /// Whose clients trust the host's certificate by itself: the one that is replaced, as long as
    /// there are clients that know no other.
    fn serving(&self) -> &Signer {
        self.retiring.as_ref().map_or(&self.own, |retiring| &retiring.signer)
    }

    /// Certificate and key of this host; the certificate is made anew when that is due. To be
    /// called at the start and then every day or so: the clock may be set late, addresses change.
    pub fn server(
        &self,
        files: &dyn Files,
        names: &Names,
        now: SystemTime,
    ) -> Result<Identity, TlsError> {
        let key = server_key(files)?;
        let mut pem = read(files, SERVER_CERTIFICATE)?.unwrap_or_default();
        if let Some(reason) = self.due(&pem, &key, names, now) {
            pem = self.issue(&key, names, now)?;
            write(files, SERVER_CERTIFICATE, &pem)?;
            info!(reason, "server certificate made");
        }
        let key = key.serialize_pem();
        let place = files.place(SERVER_CERTIFICATE);
        let own =
            Identity::from_pem(pem.as_bytes(), &place, key.as_bytes(), &files.place(SERVER_KEY))?;
        Ok(own.behind(self.retiring.as_ref().map(|retiring| retiring.cross.clone())))
    }

    fn from_pem(
        files: &dyn Files,
        pem: String,
        key: &KeyPair,
        now: SystemTime,
    ) -> Result<Self, TlsError> {
        let place = files.place(CA_CERTIFICATE);
        certificates_of(pem.as_bytes(), &place)?;
        let own = Signer::new(pem, key)?;
        let malformed = || TlsError::NoCertificate { place: place.clone() };
        let (_, certificate) = X509Certificate::from_der(&own.der).map_err(|_| malformed())?;
        if !certificate.is_ca() {
            return Err(TlsError::NoAuthority { place });
        }
        if certificate.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
            return Err(TlsError::KeyMismatch { certificate: place, key: files.place(CA_KEY) });
        }
        if now > own.ends() {
            warn!(file = %place.display(), "certificate authority has expired");
        }
        let retiring = Retiring::open(files, &own, now)?;
        Ok(Self { own, retiring })
    }

    fn issue(&self, key: &KeyPair, names: &Names, now: SystemTime) -> Result<String, TlsError> {
        let (from, until) = self.server_validity(now);
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = distinguished_name(&names.host);
        parameters.not_before = from.into();
        parameters.not_after = until.into();
        parameters.serial_number = Some(serial(now));
        parameters.is_ca = IsCa::ExplicitNoCa;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        parameters.use_authority_key_identifier_extension = true;
        for name in &names.dns {
            let name = name.as_str().try_into().map_err(unmakeable)?;
            parameters.subject_alt_names.push(SanType::DnsName(name));
        }
        let addresses = names.addresses.iter().copied().map(SanType::IpAddress);
        parameters.subject_alt_names.extend(addresses);
        Ok(parameters.signed_by(key, &self.serving().issuer).map_err(unmakeable)?.pem())
    }

    /// With an unset clock as long as the authority: it is replaced once the time is known.
    fn server_validity(&self, now: SystemTime) -> (SystemTime, SystemTime) {
        if is_clock_set(now) {
            let from = now - BACKDATED;
            return (from, from + SERVER_LIFETIME);
        }
        (instant(LONG_AGO_UNIX_S), self.serving().ends())
    }

    /// Why the certificate in `pem` is to be made anew.
    fn due(
        &self,
        pem: &str,
        key: &KeyPair,
        names: &Names,
        now: SystemTime,
    ) -> Option<&'static str> {
        let place = SERVER_CERTIFICATE.as_ref();
        let Ok(chain) = certificates_of(pem.as_bytes(), place) else {
            return Some("there was none");
        };
        let first = chain.first().map(AsRef::as_ref).unwrap_or_default();
        let Ok((_, certificate)) = X509Certificate::from_der(first) else {
            return Some("it was malformed");
        };
        if certificate.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
            return Some("it was of another key");
        }
        if !self.serving().has_signed(&certificate) {
            return Some("it was of another authority");
        }
        if !says(&certificate, names) {
            return Some("a name or an address was missing");
        }
        due_by_time(&certificate, now)
    }
}

impl Signer {
    fn new(pem: String, key: &KeyPair) -> Result<Self, TlsError> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(unmakeable)?.to_vec();
        // A key pair cannot be cloned, its text can.
        let key = KeyPair::from_pem(&key.serialize_pem()).map_err(unmakeable)?;
        let issuer = Issuer::from_ca_cert_pem(&pem, key).map_err(unmakeable)?;
        Ok(Self { pem, der, issuer })
    }

    /// When its own certificate does.
    fn ends(&self) -> SystemTime {
        let own = X509Certificate::from_der(&self.der);
        own.map_or(instant(LONG_AGO_UNIX_S) + CA_LIFETIME, |(_, own)| {
            instant(own.validity().not_after.timestamp())
        })
    }

    fn has_signed(&self, certificate: &X509Certificate<'_>) -> bool {
        X509Certificate::from_der(&self.der).is_ok_and(|(_, own)| {
            certificate.issuer().as_raw() == own.subject().as_raw()
                && certificate.verify_signature(Some(own.public_key())).is_ok()
        })
    }
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Authority").field("pem", &self.own.pem).finish_non_exhaustive()
    }
}

/// As long as the clock is unset, time is no reason.
fn due_by_time(certificate: &X509Certificate<'_>, now: SystemTime) -> Option<&'static str> {
    let from = instant(certificate.validity().not_before.timestamp());
    let until = instant(certificate.validity().not_after.timestamp());
    let lifetime = until.duration_since(from).unwrap_or_default();
    let left = until.duration_since(now).unwrap_or_default();
    if !is_clock_set(now) {
        None
    } else if lifetime > SERVER_LIFETIME + DAY {
        Some("it was made before the clock was set")
    } else if now < from {
        Some("it was made when the clock was ahead")
    } else if left < lifetime / 3 {
        Some("a third of its time was left")
    } else {
        None
    }
}

fn says(certificate: &X509Certificate<'_>, names: &Names) -> bool {
    facts::names_of(certificate).lacks(names).is_empty()
}

fn ca_parameters(host: &str, now: SystemTime) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = distinguished_name(&format!("maison CA {host}"));
    parameters.not_before = instant(LONG_AGO_UNIX_S).into();
    parameters.not_after = (now.max(instant(CLOCK_SET_FROM_UNIX_S.into())) + CA_LIFETIME).into();
    parameters.serial_number = Some(serial(now));
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters
}

fn distinguished_name(common: &str) -> rcgen::DistinguishedName {
    let mut name = rcgen::DistinguishedName::new();
    name.push(DnType::CommonName, common.chars().take(COMMON_NAME_CHARS_MAX).collect::<String>());
    name
}

/// An authority must not use a number twice, also not for a key it has certified before.
fn serial(now: SystemTime) -> SerialNumber {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let nanoseconds = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
    SerialNumber::from_slice(&nanoseconds.to_be_bytes())
}

fn server_key(files: &dyn Files) -> Result<KeyPair, TlsError> {
    if let Some(key) = read(files, SERVER_KEY)? {
        return parse_key(files, SERVER_KEY, &key);
    }
    let key = new_key()?;
    write(files, SERVER_KEY, &key.serialize_pem())?;
    Ok(key)
}

fn new_key() -> Result<KeyPair, TlsError> {
    KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).map_err(unmakeable)
}

fn parse_key(files: &dyn Files, name: &str, pem: &str) -> Result<KeyPair, TlsError> {
    KeyPair::from_pem(pem).map_err(|_| TlsError::NoKey { place: files.place(name) })
}

fn read(files: &dyn Files, name: &str) -> Result<Option<String>, TlsError> {
    let place = || files.place(name);
    let content =
        files.read(name).map_err(|error| TlsError::Io { doing: "read", place: place(), error })?;
    let text = |bytes| String::from_utf8(bytes).map_err(|_| TlsError::NoPem { place: place() });
    content.map(text).transpose()
}

fn write(files: &dyn Files, name: &str, content: &str) -> Result<(), TlsError> {
    files.write(name, content.as_bytes()).map_err(|error| TlsError::Io {
        doing: "write",
        place: files.place(name),
        error,
    })
}

fn unmakeable(error: impl std::fmt::Display) -> TlsError {
    TlsError::Unmakeable { detail: error.to_string() }
}

fn is_clock_set(now: SystemTime) -> bool {
    now >= instant(CLOCK_SET_FROM_UNIX_S.into())
}

fn instant(unix_seconds: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(unix_seconds).unwrap_or(0))
}

#[cfg(test)]
pub(in crate::net) mod tests;
