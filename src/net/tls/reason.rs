//! Why there was no handshake, in a word of the log line.

use std::fmt;
use std::io;

use rustls::{AlertDescription, CertificateError, Error};

use crate::access::Refusal;

/// Why there was no handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net) enum Reason {
    /// The peer came to the end of it, and is turned down for its certificate or for want of one.
    Refused(Refusal),
    /// Anything else: noise, or a peer that turns us down.
    Failed(&'static str),
}

impl Reason {
    /// Of an error of a handshake.
    pub(in crate::net) fn of(error: &io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        match inner {
            Some(Error::InvalidCertificate(error)) => Self::Refused(of_certificate(error)),
            Some(Error::NoCertificatesPresented) => Self::Refused(Refusal::NoCertificate),
            Some(Error::AlertReceived(alert)) => Self::Failed(of_alert(*alert)),
            _ => Self::Failed("handshake"),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(formatter),
            Self::Failed(word) => formatter.write_str(word),
        }
    }
}

fn of_certificate(error: &CertificateError) -> Refusal {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            Refusal::ExpiredCertificate
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Refusal::EarlyCertificate
        }
        CertificateError::Revoked => Refusal::RevokedCertificate,
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            Refusal::UnknownAuthority
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            Refusal::OtherPurpose
        }
        CertificateError::UnknownRevocationStatus => Refusal::NoRevocationList,
        CertificateError::ExpiredRevocationList
        | CertificateError::ExpiredRevocationListContext { .. } => Refusal::ExpiredRevocationList,
        _ => Refusal::BadCertificate,
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
