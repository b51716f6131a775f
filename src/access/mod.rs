//! Who may do what: users, password hashes, certificate identities, rights → a verdict with its
//! reason.

mod password;
mod rights;
mod scope;
mod users;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;

pub use password::{
    CACHE_KEY_BYTES, HashMemory, Password, PasswordCache, PasswordHash, PasswordHashError,
    SALT_BYTES,
};
pub use rights::{Access, Allowed, Denied, Rights};
pub use scope::{ALL_ROOMS, Pattern, PatternError, Scope};
pub use users::{Issued, Revoked, User, UserName, UserNameError, Users, UsersError, UsersFault};

/// What a listener asks of a peer before it is let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Policy {
    /// Nothing. A login, if given, is still checked.
    Anonymous,
    /// A user name and its password.
    Password,
    /// A client certificate of an authority we trust.
    Certificate,
    /// Either of the two.
    CertificateOrPassword,
    /// Both, and both of the same user.
    CertificateAndPassword,
}

impl Policy {
    /// Whether a password is looked at. Where it is not, a wrong one is as good as any.
    pub const fn takes_password(self) -> bool {
        !matches!(self, Self::Certificate)
    }
}

/// Names a connection for as long as the process lives; never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

/// The other end of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// Name of the listener it came by, for people.
    pub listener: Arc<str>,
    /// What that listener asks.
    pub policy: Policy,
    /// Its verified certificate.
    pub certificate: Option<Certificate>,
}

/// A client certificate that the TLS handshake verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// Whom it names.
    pub name: String,
    /// Its serial number, in lower-case hexadecimal digits.
    pub serial: String,
    /// Who vouches for it.
    pub issuer: Issuer,
    /// It, and what was shown behind it, in DER: looked at again when authorities change.
    pub chain: Arc<[Bytes]>,
}

/// Who vouches for a client certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issuer {
    /// Our own authority: it counts as long as it is on the list of its user.
    Own,
    /// An authority of the administrator, who revokes what is not to count.
    Administrator,
}

/// What a peer shows to be let in.
#[derive(Clone, Debug)]
pub struct Login {
    /// Where it comes from.
    pub address: IpAddr,
    /// What its listener asks.
    pub policy: Policy,
    /// Client identifier of the CONNECT.
    pub client_id: String,
    /// User name of the CONNECT.
    pub user: Option<String>,
    /// Password of the CONNECT: any bytes. `None` where the listener does not look at it.
    pub password: Option<Password>,
    /// The certificate that the TLS handshake verified.
    pub certificate: Option<Certificate>,
}

/// On whose behalf something is done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Principal {
    /// The gateway itself: sensors, state, `$SYS`.
    Gateway,
    /// A peer of an anonymous listener that gave no login.
    Anonymous,
    /// A user, by login or by certificate.
    User(Arc<str>),
}

impl Principal {
    /// The name under which sessions are kept apart; empty for those without one.
    pub fn name(&self) -> &str {
        match self {
            Self::Gateway | Self::Anonymous => "",
            Self::User(name) => name,
        }
    }
}

/// Why a login was refused; [`fmt::Display`] is the word in the log line and the reason string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Neither password nor certificate was shown where one is asked.
    NoCredentials,
    /// A user name without a password.
    NoPassword,
    /// Unknown user or wrong password: the peer cannot tell which.
    BadPassword,
    /// The listener asks for a certificate.
    NoCertificate,
    /// The certificate's name is no user of ours.
    UnknownCertificate,
    /// The certificate is one of ours, and not on the list of its user any more; or it is on a
    /// revocation list.
    RevokedCertificate,
    /// User name and certificate are of different users.
    CertificateMismatch,
    /// The certificate has ended.
    ExpiredCertificate,
    /// The certificate has not begun.
    EarlyCertificate,
    /// Nobody whom the listener trusts signed the certificate.
    UnknownAuthority,
    /// The certificate is none of a client.
    OtherPurpose,
    /// There are revocation lists, and none of the certificate's authority.
    NoRevocationList,
    /// The revocation list of the certificate's authority has ended.
    ExpiredRevocationList,
    /// The certificate cannot be read, or is wrong in another way.
    BadCertificate,
    /// Too many logins are being checked.
    Busy,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NoCredentials => "no-credentials",
            Self::NoPassword => "no-password",
            Self::BadPassword => "bad-password",
            Self::NoCertificate => "no-certificate",
            Self::UnknownCertificate => "unknown-certificate",
            Self::RevokedCertificate => "revoked-certificate",
            Self::CertificateMismatch => "certificate-mismatch",
            Self::ExpiredCertificate => "expired-certificate",
            Self::EarlyCertificate => "certificate-not-valid-yet",
            Self::UnknownAuthority => "unknown-authority",
            Self::OtherPurpose => "certificate-for-another-purpose",
            Self::NoRevocationList => "no-revocation-list",
            Self::ExpiredRevocationList => "expired-revocation-list",
            Self::BadCertificate => "bad-certificate",
            Self::Busy => "busy",
        })
    }
}

/// The answer to a [`Login`].
pub type Verdict = Result<Principal, Refusal>;
