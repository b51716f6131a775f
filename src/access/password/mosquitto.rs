//! Hashes as `mosquitto_passwd` writes them: PBKDF2 with HMAC-SHA-512 (RFC 8018 section 5.2), salt
//! and hash in padded Base64.

use std::fmt;
use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::pbkdf2;

use super::PasswordHashError;
use crate::limits::PASSWORD_HASH_ROUNDS_MAX;

/// How they begin.
pub(super) const PREFIX: &str = "$7$";

/// What SHA-512 gives; mosquitto cuts nothing off.
const HASH_BYTES: usize = 64;

/// Shortest salt that is believed, in bytes: mosquitto has drawn 12, and 64 since version 2.
const SALT_BYTES_MIN: usize = 8;

#[derive(Clone, PartialEq, Eq)]
pub(super) struct Hash {
    rounds: NonZeroU32,
    salt: Vec<u8>,
    digest: [u8; HASH_BYTES],
}

impl Hash {
    /// Reads what follows [`PREFIX`].
    pub(super) fn parse(text: &str) -> Result<Self, PasswordHashError> {
        let mut parts = text.split('$');
        let (Some(rounds), Some(salt), Some(hash), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(PasswordHashError::Malformed);
        };
        let rounds: NonZeroU32 = rounds.parse().map_err(|_| PasswordHashError::Malformed)?;
        if rounds.get() > PASSWORD_HASH_ROUNDS_MAX {
            return Err(PasswordHashError::Cost);
        }
        let bytes = |text| STANDARD.decode(text).map_err(|_| PasswordHashError::Malformed);
        let (salt, hash) = (bytes(salt)?, bytes(hash)?);
        if salt.len() < SALT_BYTES_MIN {
            return Err(PasswordHashError::Incomplete);
        }
        let digest = hash.try_into().map_err(|_| PasswordHashError::Incomplete)?;
        Ok(Self { rounds, salt, digest })
    }

    /// Whether this is the hash of `password`. Compares in constant time.
    pub(super) fn verify(&self, password: &[u8]) -> bool {
        let function = pbkdf2::PBKDF2_HMAC_SHA512;
        pbkdf2::verify(function, self.rounds, &self.salt, password, &self.digest).is_ok()
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (salt, hash) = (STANDARD.encode(&self.salt), STANDARD.encode(self.digest));
        write!(formatter, "{PREFIX}{}${salt}${hash}", self.rounds)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{HashMemory, PasswordHash, SALT_BYTES};
    use super::*;

    /// `mosquitto_passwd -b -c FILE bob 'correct horse'` of mosquitto 2.0.11.
    const WRITTEN: &str = "$7$101$DiPa6FDUfcLM3zCJ$+OD4drbwuqS4TCOK1ymNhih/dcuYh71mh4sp++77IUYaa4\
        uzOrv4Tv651KP6Ps1NW1a1qWyFXkLS90mfmaDWtg==";

    #[test]
    fn what_mosquitto_passwd_wrote_lets_its_user_in() {
        let hash = PasswordHash::parse(WRITTEN).unwrap();
        let mut memory = HashMemory::default();
        assert!(hash.verify(b"correct horse", &mut memory));
        assert!(!hash.verify(b"correct horse ", &mut memory));
        assert_eq!(hash.to_string(), WRITTEN);
    }

    #[test]
    fn only_hashes_of_today_are_not_outdated() {
        let is_outdated = |text: &str| PasswordHash::parse(text).unwrap().is_outdated();
        let today = PasswordHash::new(b"x", &[7; SALT_BYTES]).to_string();
        assert!(!is_outdated(&today));
        assert!(is_outdated(&today.replace("t=3", "t=2")));
        assert!(is_outdated(&today.replace("m=12288", "m=65536")));
        assert!(is_outdated(WRITTEN));
    }

    #[test]
    fn what_is_malformed_too_dear_or_too_short_is_refused() {
        #[track_caller]
        fn check(text: &str, expected: PasswordHashError) {
            assert_eq!(PasswordHash::parse(text).unwrap_err(), expected, "{text}");
        }
        let [_, _, rounds, salt, hash] = WRITTEN.split('$').collect::<Vec<_>>()[..] else {
            panic!("{WRITTEN}")
        };
        check(&format!("$7$0${salt}${hash}"), PasswordHashError::Malformed);
        check(&format!("$7$-1${salt}${hash}"), PasswordHashError::Malformed);
        check(&format!("$7$999999999${salt}${hash}"), PasswordHashError::Cost);
        check(&format!("$7${rounds}$AAAA${hash}"), PasswordHashError::Incomplete);
        check(&format!("$7${rounds}${salt}$AAAA"), PasswordHashError::Incomplete);
        check(&format!("$7${rounds}${salt}$*"), PasswordHashError::Malformed);
        check(&format!("$7${rounds}${salt}"), PasswordHashError::Malformed);
        check(&format!("{WRITTEN}$"), PasswordHashError::Malformed);
    }
}
