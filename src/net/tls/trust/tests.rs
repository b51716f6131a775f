use std::slice;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SerialNumber,
};
use rustls::CertificateError;

use super::*;
use crate::net::tls::Reason;

/// 2026-12-01, and a day.
const NOW: u64 = 1_796_083_200;
const DAY: u64 = 24 * 3600;

fn at(unix_s: u64) -> UnixTime {
    UnixTime::since_unix_epoch(Duration::from_secs(unix_s))
}

fn system(unix_s: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(unix_s)
}

/// An authority of an administrator in a folder of its own.
struct Office {
    folder: tempfile::TempDir,
    issuer: Issuer<'static, KeyPair>,
}

impl Office {
    fn new(name: &str) -> Self {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let own = parameters.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), own.pem()).unwrap();
        Self { folder, issuer: Issuer::new(parameters, key) }
    }

    fn client(&self, serial: u64, from: u64, until: u64) -> CertificateDer<'static> {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, "alice");
        parameters.serial_number = Some(SerialNumber::from(serial));
        (parameters.not_before, parameters.not_after) = (system(from).into(), system(until).into());
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        parameters.signed_by(&KeyPair::generate().unwrap(), &self.issuer).unwrap().der().clone()
    }

    /// A list that revokes these numbers and counts until then.
    fn list(&self, revoked: &[u64], until: u64) -> PathBuf {
        let revoked = revoked.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: system(NOW - DAY).into(),
            reason_code: None,
            invalidity_date: None,
        });
        let parameters = CertificateRevocationListParams {
            this_update: system(NOW - DAY).into(),
            next_update: system(until).into(),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let place = self.folder.path().join("crl.pem");
        let list = parameters.signed_by(&self.issuer).unwrap();
        std::fs::write(&place, list.pem().unwrap()).unwrap();
        place
    }

    fn authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn trust(&self, lists: &[PathBuf]) -> Result<Trust, TlsError> {
        Trust::in_files(Policy::Certificate, &[self.authority()], lists)
    }
}

fn verdict(
    trust: &Trust,
    floor: u64,
    certificate: &CertificateDer<'_>,
    now: u64,
) -> Result<(), Error> {
    let verifier = trust.verifier(Policy::Certificate, at(floor)).unwrap();
    verifier.verify_client_cert(certificate, &[], at(now)).map(|_| ())
}

fn word(verdict: Result<(), Error>) -> String {
    match verdict {
        Ok(()) => "in".to_owned(),
        Err(error) => Reason::of(&std::io::Error::other(error)).to_string(),
    }
}

#[test]
fn a_certificate_on_a_list_is_refused_and_the_one_beside_it_is_not() {
    let office = Office::new("office");
    let [good, bad] = [1, 2].map(|serial| office.client(serial, NOW - DAY, NOW + DAY));
    let trust = office.trust(&[office.list(&[2], NOW + DAY)]).unwrap();
    assert_eq!(word(verdict(&trust, 0, &good, NOW)), "in");
    assert_eq!(word(verdict(&trust, 0, &bad, NOW)), "revoked-certificate");
}

/// As with OpenSSL: who lets a list expire would not learn of a certificate that was stolen.
#[test]
fn a_list_that_has_expired_lets_nobody_of_its_authority_in() {
    let office = Office::new("office");
    let certificate = office.client(1, NOW - DAY, NOW + DAY);
    let trust = office.trust(&[office.list(&[], NOW + 60)]).unwrap();
    assert_eq!(word(verdict(&trust, 0, &certificate, NOW + 59)), "in");
    assert_eq!(word(verdict(&trust, 0, &certificate, NOW + 60)), "expired-revocation-list");
}

#[test]
fn an_authority_without_a_list_beside_others_is_named() {
    let (one, other) = (Office::new("one"), Office::new("other"));
    let lists = [one.list(&[], NOW + DAY)];
    let places = [one.authority(), other.authority()];
    let error = Trust::in_files(Policy::Certificate, &places, &lists).unwrap_err().to_string();
    assert!(error.starts_with("no revocation list of `CN=other`, which is in `"), "{error}");
    let lists = [one.list(&[], NOW + DAY), other.list(&[], NOW + DAY)];
    Trust::in_files(Policy::Certificate, &places, &lists).unwrap();
    assert!(Trust::in_files(Policy::Certificate, &places, &[]).is_ok(), "no lists at all");
}

#[test]
fn lists_are_read_as_pem_and_as_der_and_what_is_none_is_named() {
    let office = Office::new("office");
    let place = office.list(&[7], NOW + DAY);
    let content = std::fs::read(&place).unwrap();
    let der = CertificateRevocationListDer::from_pem_slice(&content).unwrap();
    let binary = office.folder.path().join("crl.der");
    std::fs::write(&binary, &der).unwrap();
    let trust = office.trust(&[binary]).unwrap();
    assert_eq!(trust.revocations, office.trust(slice::from_ref(&place)).unwrap().revocations);
    for broken in [&b"0"[..], b"no list", b"", &content[..content.len() / 2]] {
        std::fs::write(&place, broken).unwrap();
        let error = office.trust(slice::from_ref(&place)).unwrap_err().to_string();
        assert!(error.contains("crl.pem"), "{error}");
    }
}

/// 1970, or the time this program was built: a Pi without a clock battery before NTP.
#[test]
fn before_the_clock_is_set_certificates_begin_when_they_say() {
    let office = Office::new("office");
    let trust = office.trust(&[]).unwrap();
    let certificate = office.client(1, NOW - DAY, NOW + DAY);
    for unset in [0, 60, u64::from(CLOCK_SET_FROM_UNIX_S) - 1] {
        assert_eq!(word(verdict(&trust, 0, &certificate, unset)), "in", "{unset}");
    }
    assert_eq!(word(verdict(&trust, 0, &certificate, NOW - 2 * DAY)), "certificate-not-valid-yet");
    assert_eq!(word(verdict(&trust, 0, &certificate, NOW + 2 * DAY)), "expired-certificate");
}

/// Whoever can unplug the gateway must not make an old certificate good again.
#[test]
fn before_the_clock_is_set_what_ended_before_our_own_certificate_began_is_over() {
    let office = Office::new("office");
    let trust = office.trust(&[]).unwrap();
    let old = office.client(1, NOW - 90 * DAY, NOW - 60 * DAY);
    assert_eq!(word(verdict(&trust, NOW - 30 * DAY, &old, 60)), "expired-certificate");
    assert_eq!(word(verdict(&trust, NOW - 70 * DAY, &old, 60)), "in");
}

#[test]
fn each_refusal_has_a_word() {
    #[track_caller]
    fn check(error: CertificateError, expected: &str) {
        let error = Error::InvalidCertificate(error);
        assert_eq!(Reason::of(&std::io::Error::other(error)).to_string(), expected);
    }
    check(CertificateError::UnknownIssuer, "unknown-authority");
    check(CertificateError::InvalidPurpose, "certificate-for-another-purpose");
    check(CertificateError::UnknownRevocationStatus, "no-revocation-list");
    check(CertificateError::BadEncoding, "bad-certificate");
    let noise = Reason::of(&std::io::Error::other("else"));
    assert_eq!(noise, Reason::Failed("handshake"));
}
