//! Our own certificate authority, and the certificate it gives to this server: made at the first
//! start, so that nobody has to know `openssl`. Text in, text out; the files are another's.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType, date_time_ymd,
};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use super::tls::TlsError;
use crate::time::Timestamp;

const DAY: Duration = Duration::from_secs(24 * 3600);
/// How long the authority holds: longer than the Pi.
const AUTHORITY_DAYS: u32 = 10 * 365;
/// Longest a server certificate may hold for clients that ask at all (Apple's rule is 398 days).
const SERVER_DAYS: u32 = 397;
/// Valid from a day ago: clocks differ.
const BACKDATED: Duration = DAY;

/// Names and addresses by which clients reach this machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerNames {
    /// Host names.
    pub names: BTreeSet<String>,
    /// Addresses.
    pub addresses: BTreeSet<IpAddr>,
}

/// A certificate and its key, PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Certified {
    /// Public.
    pub certificate: String,
    /// Secret.
    pub key: String,
}

impl ServerNames {
    /// The names of this machine as it is now: its host name, alone and with `.local`, `localhost`,
    /// and every address that is not link-local.
    pub fn of_this_machine() -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().to_lowercase();
        let short = host.split('.').next().unwrap_or_default().to_owned();
        let mut names = BTreeSet::from(["localhost".to_owned()]);
        if !short.is_empty() {
            names.extend([format!("{short}.local"), short, host]);
        }
        let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
        let addresses = interfaces.iter().filter(|interface| !interface.is_link_local());
        let mut addresses: BTreeSet<IpAddr> = addresses.map(if_addrs::Interface::ip).collect();
        addresses.insert(IpAddr::V4(Ipv4Addr::LOCALHOST));
        addresses.insert(IpAddr::V6(Ipv6Addr::LOCALHOST));
        Self { names, addresses }
    }

    fn alternatives(&self) -> Result<Vec<SanType>, TlsError> {
        let mut alternatives = Vec::new();
        for name in &self.names {
            let name = Ia5String::try_from(name.as_str())
                .map_err(|error| TlsError::new("host name", error))?;
            alternatives.push(SanType::DnsName(name));
        }
        alternatives.extend(self.addresses.iter().copied().map(SanType::IpAddress));
        Ok(alternatives)
    }
}

/// Makes an authority for this house.
pub fn create_authority(host: &str, now: Timestamp) -> Result<Certified, TlsError> {
    let failed = |error| TlsError::new("certificate authority", error);
    let key = KeyPair::generate().map_err(failed)?;
    let mut params = params(&format!("maison CA of {host}"), AUTHORITY_DAYS, now);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key).map_err(failed)?.pem();
    Ok(Certified { certificate, key: key.serialize_pem() })
}

/// Makes a server certificate for these names, signed by the authority.
pub fn issue_server(
    authority: &Certified,
    names: &ServerNames,
    now: Timestamp,
) -> Result<Certified, TlsError> {
    let failed = |error| TlsError::new("server certificate", error);
    let authority_key = KeyPair::from_pem(&authority.key)
        .map_err(|error| TlsError::new("key of the certificate authority", error))?;
    let issuer = Issuer::from_ca_cert_pem(&authority.certificate, authority_key)
        .map_err(|error| TlsError::new("certificate authority", error))?;
    let key = KeyPair::generate().map_err(failed)?;
    let mut params = params("maison", SERVER_DAYS, now);
    params.subject_alt_names = names.alternatives()?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, &issuer).map_err(failed)?.pem();
    Ok(Certified { certificate, key: key.serialize_pem() })
}

/// Why the server certificate is to be made anew; `None`: it is good.
pub fn reason_to_renew(
    certificate: &str,
    names: &ServerNames,
    now: Timestamp,
) -> Option<&'static str> {
    let Ok((_, pem)) = x509_parser::pem::parse_x509_pem(certificate.as_bytes()) else {
        return Some("it cannot be read");
    };
    let Ok((_, certificate)) = X509Certificate::from_der(&pem.contents) else {
        return Some("it cannot be read");
    };
    let (from, until) = (certificate.validity().not_before, certificate.validity().not_after);
    let seconds = i64::try_from(now.unix_ms() / 1000).unwrap_or(i64::MAX);
    let third = until.timestamp().saturating_sub(from.timestamp()) / 3;
    if until.timestamp().saturating_sub(seconds) < third {
        return Some("less than a third of its time is left");
    }
    if from.timestamp() > seconds && now.is_synchronised() {
        return Some("its time has not begun");
    }
    let missing = missing_names(&certificate, names);
    missing.then_some("a name or an address of this machine is missing in it")
}

fn missing_names(certificate: &X509Certificate<'_>, wanted: &ServerNames) -> bool {
    let Ok(Some(alternatives)) = certificate.subject_alternative_name() else { return true };
    let mut had = ServerNames::default();
    for name in &alternatives.value.general_names {
        match name {
            GeneralName::DNSName(name) => {
                had.names.insert((*name).to_owned());
            }
            GeneralName::IPAddress(bytes) => {
                let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
                let address = v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
                had.addresses.extend(address);
            }
            _ => {}
        }
    }
    !(wanted.names.is_subset(&had.names) && wanted.addresses.is_subset(&had.addresses))
}

/// A machine whose clock was never set gets certificates that hold before and after it is.
fn params(common_name: &str, days: u32, now: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    params.distinguished_name = name;
    let now = if now.is_synchronised() {
        params.not_before = date_time_ymd(1970, 1, 1) + Duration::from_millis(now.unix_ms());
        params.not_before -= BACKDATED;
        params.not_before
    } else {
        params.not_before = date_time_ymd(2020, 1, 1);
        date_time_ymd(2036, 1, 1)
    };
    params.not_after = now + DAY * days;
    params
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::new(1_795_352_405_000, true);

    fn later(days: u64) -> Timestamp {
        Timestamp::new(NOW.unix_ms() + days * 24 * 3600 * 1000, true)
    }

    fn names() -> ServerNames {
        ServerNames {
            names: BTreeSet::from(["pi".to_owned(), "pi.local".to_owned()]),
            addresses: BTreeSet::from(["192.0.2.7".parse().unwrap(), "::1".parse().unwrap()]),
        }
    }

    #[test]
    fn server_certificate_is_renewed_in_time_and_when_a_name_is_new() {
        let authority = create_authority("pi", NOW).unwrap();
        let server = issue_server(&authority, &names(), NOW).unwrap();
        let reason = |names: &ServerNames, at| reason_to_renew(&server.certificate, names, at);
        assert_eq!(reason(&names(), NOW), None);
        assert_eq!(reason(&names(), later(260)), None);
        assert!(reason(&names(), later(270)).unwrap().contains("third"));
        let mut moved = names();
        moved.addresses.insert("192.0.2.8".parse().unwrap());
        assert!(reason(&moved, NOW).unwrap().contains("address"));
        assert!(reason_to_renew("garbage", &names(), NOW).unwrap().contains("read"));
    }

    #[test]
    fn certificates_made_before_the_clock_was_set_hold_afterwards() {
        let in_1970 = Timestamp::new(60_000, false);
        let authority = create_authority("pi", in_1970).unwrap();
        let server = issue_server(&authority, &names(), in_1970).unwrap();
        assert_eq!(reason_to_renew(&server.certificate, &names(), NOW), None);
    }

    #[test]
    fn this_machine_has_a_name_and_an_address() {
        let names = ServerNames::of_this_machine();
        assert!(names.names.contains("localhost"));
        assert!(names.addresses.contains(&"127.0.0.1".parse().unwrap()));
    }
}
