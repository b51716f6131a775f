//! Password hashes: argon2id, as PHC strings.

use std::fmt;

use argon2::password_hash::phc::PasswordHash as Phc;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};

/// Memory of one check, in KiB. OWASP's third choice for argon2id (12 MiB, 3 passes) is the most
/// that a Pi Zero can spare for each of the [`crate::limits::PASSWORD_CHECKS_MAX`] at a time.
const MEMORY_KIB: u32 = 12 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;

/// Bytes of salt; RFC 9106 section 3.1 recommends 16.
pub const SALT_BYTES: usize = 16;

/// A hash as it is kept: `$argon2id$v=19$m=12288,t=3,p=1$…`. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Hashes a password with a fresh salt; takes most of a core for a while.
    pub fn new(password: &[u8], salt: [u8; SALT_BYTES]) -> Self {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("parameters are in range");
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hash = argon2.hash_password_with_salt(password, &salt);
        Self(hash.expect("a password of less than 4 GiB can be hashed").to_string())
    }

    /// Takes a PHC string of argon2.
    pub fn parse(text: &str) -> Option<Self> {
        let parsed = Phc::new(text).ok()?;
        let is_argon2 = parsed.algorithm.as_str().starts_with("argon2") && parsed.hash.is_some();
        is_argon2.then(|| Self(text.to_owned()))
    }

    /// Whether this is the hash of `password`; takes as long whatever the answer.
    pub fn verify(&self, password: &[u8]) -> bool {
        Phc::new(&self.0)
            .is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PasswordHash(…)")
    }
}

/// As it is kept.
impl fmt::Display for PasswordHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_itself_fits_its_hash() {
        let hash = PasswordHash::new(b"correct horse", [7; SALT_BYTES]);
        assert!(hash.to_string().starts_with("$argon2id$v=19$m=12288,t=3,p=1$"), "{hash}");
        assert!(hash.verify(b"correct horse"));
        assert!(!hash.verify(b"correct horsf"));
        assert!(!hash.verify(b""));
        assert_eq!(PasswordHash::parse(&hash.to_string()), Some(hash));
    }

    #[test]
    fn what_is_no_hash_of_argon2_is_refused() {
        for text in ["", "secret", "$6$salt$hash", "$argon2id$v=19$m=12288,t=3,p=1$c2FsdHNhbHQ"] {
            assert_eq!(PasswordHash::parse(text), None, "{text}");
        }
    }
}
