//! What a certificate calls its holder.

use bytes::Bytes;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::access::{Certificate, Issuer};
use crate::limits::USER_NAME_CHARS_MAX;

/// What a verified chain says, the holder's own certificate first; nothing if it names nobody. The
/// name may be of any letters, and is longer than any user's if the certificate's is.
pub fn read_verified(chain: &[&[u8]], issuer: Issuer) -> Option<Certificate> {
    let (_, certificate) = X509Certificate::from_der(chain.first()?).ok()?;
    let name = bounded(&name_in(&certificate)?);
    let chain = chain.iter().map(|der| Bytes::copy_from_slice(der)).collect();
    Some(Certificate { name, serial: serial_of(&certificate), issuer, chain })
}

/// Whom a certificate names that may be anybody's work; as long as [`read_verified`] gives it.
pub(super) fn name_of(certificate: &[u8]) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    name_in(&certificate).map(|name| bounded(&name))
}

fn bounded(name: &str) -> String {
    name.chars().take(USER_NAME_CHARS_MAX + 1).collect()
}

/// The serial number of a certificate, in lower-case hexadecimal digits.
pub(in crate::net) fn serial_of(certificate: &X509Certificate<'_>) -> String {
    certificate.raw_serial_as_string().replace(':', "")
}

/// The common name of a certificate, else its first DNS name or mail address. One with several
/// common names, or with one that is no text, names nobody: who signed it and who reads it might
/// mean different ones.
fn name_in(certificate: &X509Certificate<'_>) -> Option<String> {
    let mut common = certificate.subject().iter_common_name();
    if let Some(name) = common.next() {
        let name = name.as_str().ok()?;
        if common.next().is_some() {
            return None;
        }
        if !name.is_empty() {
            return Some(name.to_owned());
        }
    }
    let alternative = certificate.subject_alternative_name().ok()??;
    alternative.value.general_names.iter().find_map(|name| match name {
        GeneralName::DNSName(name) | GeneralName::RFC822Name(name) => Some((*name).to_owned()),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
