//! Whose client certificates are let in, and which of them are not: authorities, revocation lists,
//! and what time it is for them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use tracing::warn;
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate, X509Version};

use super::{TlsError, certificates_of, handshake, provider, read, roots};
use crate::access::Policy;
use crate::net::Authority;
use crate::time::{CLOCK_SET_FROM_UNIX_S, Timestamp};

/// How DER begins where PEM does not: a sequence.
const DER_SEQUENCE: u8 = 0x30;

/// Whose client certificates are let in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Trust {
    /// Empty where none are asked for.
    authorities: Vec<CertificateDer<'static>>,
    revocations: Vec<CertificateRevocationListDer<'static>>,
    /// Named by complaints.
    places: Vec<PathBuf>,
}

impl Trust {
    /// In clients of our own authority, as far as `policy` asks for certificates.
    pub(super) fn in_ours(policy: Policy, authority: &Authority) -> Self {
        if asks_none(policy) {
            return Self::default();
        }
        let places = vec![PathBuf::from("ca.pem")];
        Self { authorities: authority.trusted(), revocations: Vec::new(), places }
    }

    /// In clients of the authorities in some PEM files, but for those that are on lists of others,
    /// PEM or DER. Where there are lists, each authority needs one.
    pub(super) fn in_files(
        policy: Policy,
        authorities: &[PathBuf],
        revocations: &[PathBuf],
    ) -> Result<Self, TlsError> {
        if asks_none(policy) {
            return Ok(Self::default());
        }
        let mut trust = Self { places: authorities.to_vec(), ..Self::default() };
        for place in revocations {
            let lists = lists_of(&read(place)?, place)?;
            for list in &lists {
                tell_if_expired(list, place);
            }
            trust.revocations.extend(lists);
        }
        for place in authorities {
            let certificates = certificates_of(&read(place)?, place)?;
            for certificate in &certificates {
                trust.needs_list_of(certificate, place)?;
            }
            trust.authorities.extend(certificates);
        }
        Ok(trust)
    }

    /// Whether who is let in by the other is let in by this one, too, whatever the time.
    pub(super) fn lets_in_all_of(&self, other: &Self) -> bool {
        other.authorities.iter().all(|authority| self.authorities.contains(authority))
    }

    /// Whether it revokes what the other does.
    pub(super) fn revokes_as(&self, other: &Self) -> bool {
        self.revocations == other.revocations
    }

    /// What a handshake asks. `floor` is a time that is over, for as long as the clock is unset.
    pub(super) fn verifier(
        &self,
        policy: Policy,
        floor: UnixTime,
    ) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
        let place = self.places.first().map_or(Path::new("ca.pem"), PathBuf::as_path);
        if asks_none(policy) {
            return Ok(WebPkiClientVerifier::no_client_auth());
        }
        let roots = Arc::new(roots(&self.authorities, place)?);
        let mut builder = WebPkiClientVerifier::builder_with_provider(roots, provider())
            .with_crls(self.revocations.iter().cloned())
            // As OpenSSL does, and all that is built on it: who lets a list expire learns it at
            // once, and not by a certificate that was revoked months ago.
            .enforce_revocation_expiration();
        if policy == Policy::CertificateOrPassword {
            builder = builder.allow_unauthenticated();
        }
        let inner = builder.build().map_err(|error| TlsError::Rejected {
            place: place.into(),
            detail: error.to_string(),
        })?;
        Ok(Arc::new(Verifier { inner, floor }))
    }

    fn needs_list_of(&self, authority: &CertificateDer<'_>, place: &Path) -> Result<(), TlsError> {
        if self.revocations.is_empty() {
            return Ok(());
        }
        // What cannot be read, the roots complain of.
        let Ok((_, read)) = X509Certificate::from_der(authority) else { return Ok(()) };
        let is_of_it = |list: &CertificateRevocationListDer<'_>| {
            CertificateRevocationList::from_der(list)
                .is_ok_and(|(_, list)| list.issuer().as_raw() == read.subject().as_raw())
        };
        if self.revocations.iter().any(is_of_it) {
            return Ok(());
        }
        let authority = read.subject().to_string();
        Err(TlsError::NoRevocationList { authority, place: place.into() })
    }
}

fn asks_none(policy: Policy) -> bool {
    matches!(policy, Policy::Anonymous | Policy::Password)
}

fn lists_of(
    content: &[u8],
    place: &Path,
) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
    let rejected = |detail: String| TlsError::Rejected { place: place.into(), detail };
    let lists = if content.first() == Some(&DER_SEQUENCE) {
        vec![CertificateRevocationListDer::from(content.to_vec())]
    } else {
        let lists: Result<Vec<_>, _> =
            CertificateRevocationListDer::pem_slice_iter(content).collect();
        lists.map_err(|error| rejected(error.to_string()))?
    };
    if lists.is_empty() {
        return Err(rejected("no revocation list".to_owned()));
    }
    for list in &lists {
        let Ok((_, list)) = CertificateRevocationList::from_der(list) else {
            return Err(rejected("no revocation list".to_owned()));
        };
        if list.version() != Some(X509Version::V2) {
            return Err(TlsError::OldRevocationList { place: place.into() });
        }
    }
    Ok(lists)
}

fn tell_if_expired(list: &CertificateRevocationListDer<'_>, place: &Path) {
    let Ok((_, read)) = CertificateRevocationList::from_der(list) else { return };
    let Some(next) = read.next_update().and_then(|next| u64::try_from(next.timestamp()).ok())
    else {
        return;
    };
    let now = UnixTime::now().as_secs();
    if now >= u64::from(CLOCK_SET_FROM_UNIX_S) && now >= next {
        let (issuer, since) = (read.issuer(), Timestamp::new(next.saturating_mul(1000), true));
        warn!(
            file = %place.display(), %issuer, %since,
            "revocation list has expired: no certificate of its authority is let in"
        );
    }
}

/// Certificates as the TLS library verifies them; but before the clock is set, time is no reason
/// to lock everyone out: they begin when they say, and end when that is known to be over.
#[derive(Debug)]
struct Verifier {
    inner: Arc<dyn ClientCertVerifier>,
    floor: UnixTime,
}

impl Verifier {
    fn believed(&self, certificate: &CertificateDer<'_>, now: UnixTime) -> UnixTime {
        if now.as_secs() >= u64::from(CLOCK_SET_FROM_UNIX_S) {
            return now;
        }
        let begins = X509Certificate::from_der(certificate)
            .ok()
            .and_then(|(_, read)| u64::try_from(read.validity().not_before.timestamp()).ok());
        let begins = Duration::from_secs(begins.unwrap_or(0));
        self.floor.max(UnixTime::since_unix_epoch(begins))
    }
}

impl ClientCertVerifier for Verifier {
    fn offer_client_auth(&self) -> bool {
        self.inner.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        handshake::note(end_entity);
        let now = self.believed(end_entity, now);
        self.inner.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// A time that is over for certain: when the host's own certificate began, as it was made while the
/// clock was set, or long ago.
pub(super) fn floor(own: &[CertificateDer<'_>]) -> UnixTime {
    let begins = own.first().and_then(|first| {
        let (_, read) = X509Certificate::from_der(first).ok()?;
        u64::try_from(read.validity().not_before.timestamp()).ok()
    });
    UnixTime::since_unix_epoch(Duration::from_secs(begins.unwrap_or(0)))
}

/// For those who have a clock of their own.
pub(super) fn unix_time(now: SystemTime) -> UnixTime {
    let since = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixTime::since_unix_epoch(since)
}

#[cfg(test)]
mod tests;
