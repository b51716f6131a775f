//! Why there was no handshake, in a word of the log line.

use std::io;

use rustls::{AlertDescription, CertificateError, Error};

/// The word for an error of a handshake; `handshake` for those of no certificate.
pub(in crate::net) fn reason(error: &io::Error) -> &'static str {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(Error::InvalidCertificate(error)) => of_certificate(error),
        Some(Error::NoCertificatesPresented) => "no-certificate",
        Some(Error::AlertReceived(alert)) => of_alert(*alert),
        _ => "handshake",
    }
}

fn of_certificate(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "expired-certificate"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "certificate-not-valid-yet"
        }
        CertificateError::Revoked => "revoked-certificate",
        CertificateError::UnknownIssuer | CertificateError::BadSignature => "unknown-authority",
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "certificate-for-another-purpose"
        }
        CertificateError::UnknownRevocationStatus => "no-revocation-list",
        CertificateError::ExpiredRevocationList
        | CertificateError::ExpiredRevocationListContext { .. } => "expired-revocation-list",
        _ => "bad-certificate",
    }
}

/// What the peer finds wrong with us.
fn of_alert(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::UnknownCA => "peer-does-not-know-our-authority",
        AlertDescription::CertificateExpired => "peer-finds-our-certificate-expired",
        AlertDescription::BadCertificate | AlertDescription::CertificateUnknown => {
            "peer-refuses-our-certificate"
        }
        _ => "handshake",
    }
}
