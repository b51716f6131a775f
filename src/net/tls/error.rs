//! Why there is no TLS, and what to do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::net::hint_of;

/// Why there is no TLS. Each names the file that is to be looked at.
#[derive(Debug)]
pub enum TlsError {
    /// The operating system says no.
    Io {
        /// What was tried: a verb.
        doing: &'static str,
        /// With which file.
        place: PathBuf,
        /// What it said.
        error: io::Error,
    },
    /// The file is no text.
    NoPem {
        /// Which.
        place: PathBuf,
    },
    /// There is no certificate in the file.
    NoCertificate {
        /// Which.
        place: PathBuf,
    },
    /// There is no private key in the file.
    NoKey {
        /// Which.
        place: PathBuf,
    },
    /// The authority's certificate is there, its key is not.
    KeyMissing {
        /// Where the key should be.
        absent: PathBuf,
        /// The certificate.
        beside: PathBuf,
    },
    /// Certificate and key are not of one pair.
    KeyMismatch {
        /// The certificate.
        certificate: PathBuf,
        /// The key.
        key: PathBuf,
    },
    /// The certificate is not one of an authority.
    NoAuthority {
        /// Which.
        place: PathBuf,
    },
    /// The TLS library does not take what is in the file.
    Rejected {
        /// Which.
        place: PathBuf,
        /// What it said.
        detail: String,
    },
    /// The authority is being replaced already.
    Replacing {
        /// When the old one ends.
        until: String,
    },
    /// The old authority would have to count longer than it lasts.
    Overlap {
        /// When it ends by itself.
        ends: String,
    },
    /// No authority is being replaced.
    NotReplacing,
    /// The clock has not been set, and how long something lasts depends on it.
    ClockUnset,
    /// An authority without a revocation list, where there are lists.
    NoRevocationList {
        /// The authority's subject.
        authority: String,
        /// The file it is in.
        place: PathBuf,
    },
    /// A revocation list of version 1 (RFC 5280, 5.1.2.1, asks for 2).
    OldRevocationList {
        /// The file it is in.
        place: PathBuf,
    },
    /// A certificate could not be made.
    Unmakeable {
        /// What the library said.
        detail: String,
    },
}

impl TlsError {
    /// Whether somebody else may do what we may not.
    pub fn is_permission(&self) -> bool {
        let Self::Io { error, .. } = self else { return false };
        error.kind() == io::ErrorKind::PermissionDenied
    }

    /// Whether a disk took nothing, which may be otherwise in a moment.
    pub fn is_of_the_disk(&self) -> bool {
        matches!(self, Self::Io { doing: "write" | "remove", .. })
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { doing, place, error } => {
                write!(formatter, "cannot {doing} `{}`: {error}{}", place.display(), hint_of(error))
            }
            Self::NoPem { place } => write!(formatter, "not a PEM file: `{}`", place.display()),
            Self::NoCertificate { place } => write!(
                formatter,
                "no certificate in `{}`\n  hint: it should have a line `-----BEGIN \
                 CERTIFICATE-----`",
                place.display()
            ),
            Self::NoKey { place } => write!(
                formatter,
                "no private key that can be used in `{}`\n  hint: PEM, PKCS#8, without \
                 a passphrase; restore it, or move it away with its certificate to have \
                 new ones made",
                place.display()
            ),
            Self::KeyMissing { absent, beside } => write!(
                formatter,
                "no key beside `{}`: `{}`\n  hint: restore it; or move the certificate away to \
                 have a new authority made, which every client must then be given",
                beside.display(),
                absent.display()
            ),
            Self::KeyMismatch { certificate, key } => write!(
                formatter,
                "certificate and key do not belong together: `{}`, `{}`",
                certificate.display(),
                key.display()
            ),
            Self::NoAuthority { place } => {
                write!(formatter, "not the certificate of an authority: `{}`", place.display())
            }
            Self::Rejected { place, detail } => {
                write!(formatter, "cannot use `{}`: {detail}", place.display())
            }
            Self::Replacing { until } => write!(
                formatter,
                "the authority is being replaced already, until {until}\n  hint: `maison ca rotate \
                 --finish` ends the old one now"
            ),
            Self::Overlap { ends } => write!(
                formatter,
                "the overlap is longer than the old authority lasts, which ends {ends}\n  hint: a \
                 shorter `--overlap`"
            ),
            Self::NotReplacing => formatter.write_str("no authority is being replaced"),
            Self::ClockUnset => formatter.write_str(
                "the clock has not been set\n  hint: how long both authorities count depends on \
                 it; wait for NTP, or `date -s`",
            ),
            Self::NoRevocationList { authority, place } => write!(
                formatter,
                "no revocation list of `{authority}`, which is in `{}`\n  hint: where there are \
                 lists, each authority needs one; add it to `client_crl`",
                place.display()
            ),
            Self::OldRevocationList { place } => write!(
                formatter,
                "revocation list of version 1: `{}`\n  hint: `crl_extensions` in the settings \
                 of `openssl ca`, with `authorityKeyIdentifier = keyid:always`, makes version 2",
                place.display()
            ),
            Self::Unmakeable { detail } => {
                write!(formatter, "cannot make a certificate: {detail}")
            }
        }
    }
}

impl std::error::Error for TlsError {}
