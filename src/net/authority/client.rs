//! Certificates for clients: a name, and that it is for a client and nothing else.

use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{
    Authority, LONG_AGO_UNIX_S, distinguished_name, instant, is_clock_set, new_key, serial,
    unmakeable,
};
use crate::net::tls::{TlsError, serial_of};

/// Two years: long for a thermometer on a wall, and `maison subscriber list` tells the end.
const LIFETIME: Duration = Duration::from_secs(731 * 24 * 3600);

/// For clocks that are late.
const BACKDATED: Duration = Duration::from_secs(24 * 3600);

/// A certificate for a client, and its key, which is nowhere else.
pub struct ClientIdentity {
    /// PEM of the certificate.
    pub certificate: String,
    /// PEM of the key, PKCS#8.
    pub key: String,
    /// Its serial number, in lower-case hexadecimal digits.
    pub serial: String,
    /// When it ends, in seconds since 1970.
    pub expires_unix_s: u64,
    /// Which authority signed it: [`AuthorityFacts::id`](super::AuthorityFacts::id).
    pub authority: String,
}

impl Authority {
    /// A new certificate that calls its holder `name`. It ends before the authority does; made
    /// with an unset clock, with it.
    pub fn client(&self, name: &str, now: SystemTime) -> Result<ClientIdentity, TlsError> {
        let (from, until) = self.client_validity(now);
        let key = new_key()?;
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = distinguished_name(name);
        parameters.not_before = from.into();
        parameters.not_after = until.into();
        parameters.serial_number = Some(serial(now));
        parameters.is_ca = IsCa::ExplicitNoCa;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        parameters.use_authority_key_identifier_extension = true;
        let certificate = parameters.signed_by(&key, &self.own.issuer).map_err(unmakeable)?;
        let (_, read) = X509Certificate::from_der(certificate.der()).map_err(unmakeable)?;
        Ok(ClientIdentity {
            serial: serial_of(&read),
            expires_unix_s: u64::try_from(read.validity().not_after.timestamp()).unwrap_or(0),
            certificate: certificate.pem(),
            key: key.serialize_pem(),
            authority: self.facts()?.id(),
        })
    }

    fn client_validity(&self, now: SystemTime) -> (SystemTime, SystemTime) {
        let end = self.own.ends();
        if !is_clock_set(now) {
            return (instant(LONG_AGO_UNIX_S), end);
        }
        (now - BACKDATED, (now + LIFETIME).min(end))
    }
}
