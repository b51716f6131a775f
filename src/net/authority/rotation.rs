//! A new authority takes the place of the old one, with a time in which both count.
//!
//! ```text
//!   alone ──rotate──▶ both: clients of either are let in; the host shows a certificate by
//!     ▲               │     the old one, and behind it the new one's (cross) certificate of the
//!     └──────end──────┘     old: by the old alone, and by the new alone, the chain is good
//! ```
//!
//! Files are written so that a pulled plug leaves the old authority or both, never a mixture.

use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, KeyUsagePurpose};
use rustls::pki_types::CertificateDer;
use tracing::info;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{
    Authority, BACKDATED, CA_CERTIFICATE, CA_KEY, Signer, ca_parameters, certificates_of,
    distinguished_name, instant, is_clock_set, new_key, parse_key, read, serial, unmakeable, write,
};
use crate::net::tls::TlsError;
use crate::net::{Files, Names};
use crate::time::Timestamp;

const OLD_CERTIFICATE: &str = "ca-old.pem";
const OLD_KEY: &str = "ca-old.key";
const CROSS_CERTIFICATE: &str = "ca-cross.pem";

/// How much longer the cross certificate holds than the old authority is shown: whoever looks late
/// at the clock still shows a good chain.
const SLACK: Duration = Duration::from_secs(2 * 24 * 3600);

/// The authority that was, as long as it counts.
pub(super) struct Retiring {
    pub(super) signer: Signer,
    /// Its key, vouched for by the new authority.
    pub(super) cross: CertificateDer<'static>,
    /// When it ends.
    pub(super) until: SystemTime,
}

impl Authority {
    /// A new authority takes the place of this one, which counts for `overlap` longer; not at all
    /// if that is zero, and never longer than it lasts itself.
    pub fn rotate(
        &self,
        files: &dyn Files,
        names: &Names,
        now: SystemTime,
        overlap: Duration,
    ) -> Result<Self, TlsError> {
        if !is_clock_set(now) {
            return Err(TlsError::ClockUnset);
        }
        if let Some(retiring) = &self.retiring {
            return Err(TlsError::Replacing { until: written(retiring.until) });
        }
        let key = new_key()?;
        let mut parameters = ca_parameters(&format!("{} {}", written(now), names.host), now);
        // One authority below it: the old one.
        parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
        let pem = parameters.self_signed(&key).map_err(unmakeable)?.pem();
        let new = Signer::new(pem, &key)?;
        let ends = self.own.ends();
        let until = now.checked_add(overlap).filter(|until| *until <= ends);
        let until = until.ok_or_else(|| TlsError::Overlap { ends: written(ends) })?;
        let cross = cross(&self.own, &new, now, until)?;
        let old_key = read(files, CA_KEY)?.unwrap_or_default();
        write(files, OLD_KEY, &old_key)?;
        write(files, CROSS_CERTIFICATE, &cross)?;
        write(files, OLD_CERTIFICATE, &self.own.pem)?;
        write(files, CA_KEY, &key.serialize_pem())?;
        write(files, CA_CERTIFICATE, &new.pem)?;
        if overlap.is_zero() {
            end(files)?;
        }
        info!(until = written(until), "certificate authority replaced");
        Self::open(files, names, now)
    }

    /// The old authority counts no more.
    pub fn finish_rotation(&mut self, files: &dyn Files) -> Result<(), TlsError> {
        if self.retiring.take().is_none() {
            return Err(TlsError::NotReplacing);
        }
        end(files)
    }
}

impl Retiring {
    /// The one in the files, unless its time is over: then they are removed.
    pub(super) fn open(
        files: &dyn Files,
        own: &Signer,
        now: SystemTime,
    ) -> Result<Option<Self>, TlsError> {
        let Some(pem) = read(files, OLD_CERTIFICATE)? else { return Ok(None) };
        if pem == own.pem {
            // A plug was pulled before the new one was there.
            end(files)?;
            return Ok(None);
        }
        let (Some(cross), Some(key)) = (read(files, CROSS_CERTIFICATE)?, read(files, OLD_KEY)?)
        else {
            // Or while they were removed.
            end(files)?;
            return Ok(None);
        };
        let signer = Signer::new(pem, &parse_key(files, OLD_KEY, &key)?)?;
        let place = files.place(CROSS_CERTIFICATE);
        let cross = certificates_of(cross.as_bytes(), &place)?.swap_remove(0);
        let (_, read) = X509Certificate::from_der(&cross).map_err(unmakeable)?;
        let until = instant(read.validity().not_after.timestamp()) - SLACK;
        if is_clock_set(now) && now >= until {
            end(files)?;
            info!(until = written(until), "the old certificate authority has ended");
            return Ok(None);
        }
        Ok(Some(Self { signer, cross, until }))
    }
}

/// The key that belongs to the authority's certificate, if the plug was pulled after the key of the
/// next one had been written: that is undone.
pub(super) fn key_before(files: &dyn Files, pem: &str) -> Result<Option<KeyPair>, TlsError> {
    if read(files, OLD_CERTIFICATE)?.as_deref() != Some(pem) {
        return Ok(None);
    }
    let Some(key) = read(files, OLD_KEY)? else { return Ok(None) };
    let parsed = parse_key(files, OLD_KEY, &key)?;
    write(files, CA_KEY, &key)?;
    Ok(Some(parsed))
}

/// The old authority's key as the new one vouches for it.
fn cross(
    old: &Signer,
    new: &Signer,
    now: SystemTime,
    until: SystemTime,
) -> Result<String, TlsError> {
    let (_, read) = X509Certificate::from_der(&old.der).map_err(unmakeable)?;
    let common = read.subject().iter_common_name().find_map(|name| name.as_str().ok());
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = distinguished_name(common.unwrap_or_default());
    parameters.not_before = (now - BACKDATED).into();
    parameters.not_after = (until + SLACK).into();
    parameters.serial_number = Some(serial(now));
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    parameters.use_authority_key_identifier_extension = true;
    let made = parameters.signed_by(old.issuer.key(), &new.issuer).map_err(unmakeable)?;
    let (_, made_read) = X509Certificate::from_der(made.der()).map_err(unmakeable)?;
    if made_read.subject().as_raw() != read.subject().as_raw() {
        return Err(unmakeable("the subject of the authority is more than a common name"));
    }
    Ok(made.pem())
}

/// The certificate, by which the others are found, goes last.
fn end(files: &dyn Files) -> Result<(), TlsError> {
    for name in [OLD_KEY, CROSS_CERTIFICATE, OLD_CERTIFICATE] {
        files.remove(name).map_err(|error| TlsError::Io {
            doing: "remove",
            place: files.place(name),
            error,
        })?;
    }
    Ok(())
}

fn written(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::new(u64::try_from(since.as_millis()).unwrap_or(u64::MAX), true).to_string()
}

#[cfg(test)]
mod tests;
