//! Password hashes: argon2id as PHC strings, `$argon2id$v=19$m=12288,t=3,p=1$salt$hash`; and those
//! of mosquitto's password files, `$7$rounds$salt$hash`, until their first login.

mod cache;
mod mosquitto;
mod secret;

use std::fmt;

use argon2::password_hash::PasswordHasher;
use argon2::password_hash::phc;
use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::Zeroize;

use crate::limits::{PASSWORD_HASH_KIB_MAX, PASSWORD_HASH_PASSES_MAX};

pub use cache::{CACHE_KEY_BYTES, PasswordCache};
pub use secret::Password;

/// Bytes of a salt: the PHC string format's recommendation.
pub const SALT_BYTES: usize = 16;

/// 12 MiB, 3 passes, 1 lane: the row of OWASP's password storage cheat sheet for small memories.
/// Two at a time take 24 MiB, which a Pi Zero can spare, and about a second of its core.
const MEMORY_KIB: u32 = 12 * 1024;
const PASSES: u32 = 3;
const LANES: u32 = 1;

/// Length of the hash that is computed for nobody, in bytes: that of ours.
const DECOY_BYTES: usize = 32;

/// Shortest hash that is believed, in bytes: 128 bits.
const HASH_BYTES_MIN: usize = 16;

/// The hash of a password with its salt and its cost. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(Function);

#[derive(Clone, PartialEq, Eq)]
enum Function {
    Argon2id(phc::PasswordHash),
    Mosquitto(mosquitto::Hash),
}

/// What checks work in, megabytes once they have: kept from one to the next, since an allocator
/// that is asked for as much each time scatters it. Overwritten when it is given back: what is in
/// it is made of a password.
#[derive(Default)]
pub struct HashMemory(Vec<Block>);

impl Drop for HashMemory {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(Zeroize::zeroize);
    }
}

/// Why a text is no password hash that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordHashError {
    /// It is no PHC string.
    Malformed,
    /// It is one of another function than argon2id version 19 and mosquitto's PBKDF2.
    Function,
    /// Its memory or its passes are beyond what this machine should be asked.
    Cost,
    /// Salt or hash is missing or too short.
    Incomplete,
}

impl PasswordHash {
    /// The hash of `password` at today's cost; `salt` is to be drawn anew for each.
    pub fn new(password: &[u8], salt: &[u8; SALT_BYTES]) -> Self {
        let hash = argon2id().hash_password_with_salt(password, salt);
        let hash = hash.expect("argon2 takes any password below 4 GiB with a salt of 16 bytes");
        Self(Function::Argon2id(hash))
    }

    /// Reads a PHC string, or a hash of mosquitto.
    pub fn parse(text: &str) -> Result<Self, PasswordHashError> {
        if let Some(rest) = text.strip_prefix(mosquitto::PREFIX) {
            return mosquitto::Hash::parse(rest).map(|hash| Self(Function::Mosquitto(hash)));
        }
        let hash = phc::PasswordHash::new(text).map_err(|_| PasswordHashError::Malformed)?;
        let version = hash.version.map(Version::try_from);
        let algorithm = Algorithm::try_from(hash.algorithm.as_str());
        if algorithm != Ok(Algorithm::Argon2id) || version != Some(Ok(Version::V0x13)) {
            return Err(PasswordHashError::Function);
        }
        let cost = Params::try_from(&hash).map_err(|_| PasswordHashError::Malformed)?;
        if cost.m_cost() > PASSWORD_HASH_KIB_MAX || cost.t_cost() > PASSWORD_HASH_PASSES_MAX {
            return Err(PasswordHashError::Cost);
        }
        match (&hash.salt, &hash.hash) {
            (Some(_), Some(output)) if output.len() >= HASH_BYTES_MIN => {
                Ok(Self(Function::Argon2id(hash)))
            }
            _ => Err(PasswordHashError::Incomplete),
        }
    }

    /// Whether this is the hash of `password`. Compares in constant time.
    pub fn verify(&self, password: &[u8], memory: &mut HashMemory) -> bool {
        let hash = match &self.0 {
            Function::Argon2id(hash) => hash,
            Function::Mosquitto(hash) => {
                // Mosquitto's are quick: the time of an answer would tell who was imported.
                let is_right = hash.verify(password);
                Self::pretend_to_verify(password, memory);
                return is_right;
            }
        };
        let (Some(salt), Some(expected)) = (&hash.salt, &hash.hash) else { return false };
        let Ok(cost) = Params::try_from(hash) else { return false };
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, cost);
        let computed = memory.compute(&argon2, password, salt, expected.len());
        computed.is_some_and(|computed| computed == *expected)
    }

    /// Whether it is of another function or cost than those made today: to be made anew when the
    /// password is known for a moment.
    pub fn is_outdated(&self) -> bool {
        let Function::Argon2id(hash) = &self.0 else { return true };
        let (today, cost) = (argon2id(), Params::try_from(hash));
        let today = today.params();
        !cost.is_ok_and(|cost| {
            let costs = (cost.m_cost(), cost.t_cost(), cost.p_cost());
            costs == (today.m_cost(), today.t_cost(), today.p_cost())
        })
    }

    /// Takes as long as [`PasswordHash::verify`] of a hash of today's cost, for users that do not
    /// exist: the time of an answer does not tell who does.
    pub fn pretend_to_verify(password: &[u8], memory: &mut HashMemory) {
        let decoy = memory.compute(&argon2id(), password, &[0; SALT_BYTES], DECOY_BYTES);
        std::hint::black_box(decoy);
    }
}

impl HashMemory {
    fn compute(
        &mut self,
        argon2: &Argon2<'_>,
        password: &[u8],
        salt: &[u8],
        bytes: usize,
    ) -> Option<phc::Output> {
        let blocks = argon2.params().block_count();
        if self.0.len() < blocks {
            self.0.resize(blocks, Block::default());
        }
        let mut output = [0; phc::Output::MAX_LENGTH];
        let output = output.get_mut(..bytes)?;
        argon2.hash_password_into_with_memory(password, salt, output, &mut self.0).ok()?;
        phc::Output::new(output).ok()
    }
}

/// As [`PasswordHash::parse`] reads it.
impl fmt::Display for PasswordHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Function::Argon2id(hash) => hash.fmt(formatter),
            Function::Mosquitto(hash) => hash.fmt(formatter),
        }
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PasswordHash(…)")
    }
}

impl fmt::Display for PasswordHashError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Malformed => "no password hash: it should begin with `$argon2id$v=19$` or `$7$`",
            Self::Function => {
                "unsupported password hash: argon2id version 19 and mosquitto's `$7$` are taken"
            }
            Self::Cost => {
                "password hash too dear: at most 64 MiB, 16 passes and 200000 rounds are taken"
            }
            Self::Incomplete => "incomplete password hash: salt or hash is missing or too short",
        })
    }
}

impl std::error::Error for PasswordHashError {}

fn argon2id() -> Argon2<'static> {
    let cost = Params::new(MEMORY_KIB, PASSES, LANES, None).expect("the cost is within bounds");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, cost)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: [u8; SALT_BYTES] = *b"0123456789abcdef";

    #[test]
    fn only_the_right_password_matches_its_hash() {
        let hash = PasswordHash::new(b"correct horse", &SALT);
        let mut memory = HashMemory::default();
        assert!(hash.verify(b"correct horse", &mut memory));
        assert!(!hash.verify(b"correct horse ", &mut memory));
        assert!(!hash.verify(b"", &mut memory));
    }

    #[test]
    fn the_salt_makes_equal_passwords_different() {
        let other = *b"fedcba9876543210";
        let (left, right) = (PasswordHash::new(b"x", &SALT), PasswordHash::new(b"x", &other));
        assert_ne!(left.to_string(), right.to_string());
    }

    #[test]
    fn a_hash_survives_its_text() {
        let text = PasswordHash::new(b"\x00\xFF any bytes", &SALT).to_string();
        assert!(text.starts_with("$argon2id$v=19$m=12288,t=3,p=1$"), "{text}");
        let read = PasswordHash::parse(&text).unwrap();
        assert_eq!(read.to_string(), text);
        assert!(read.verify(b"\x00\xFF any bytes", &mut HashMemory::default()));
    }

    /// A vector of the reference implementation's own tests.
    #[test]
    fn hashes_of_other_tools_are_understood() {
        let text = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ\
                    $CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert!(PasswordHash::parse(text).unwrap().verify(b"password", &mut HashMemory::default()));
    }

    #[test]
    fn what_cannot_be_used_is_refused_when_read() {
        #[track_caller]
        fn check(text: &str, expected: PasswordHashError) {
            assert_eq!(PasswordHash::parse(text).unwrap_err(), expected, "{text}");
        }
        let salt_and_hash = "c29tZXNhbHRzb21lc2FsdA$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        check("", PasswordHashError::Malformed);
        check("secret", PasswordHashError::Malformed);
        check("$argon2id$", PasswordHashError::Malformed);
        check(
            &format!("$argon2i$v=19$m=12288,t=3,p=1${salt_and_hash}"),
            PasswordHashError::Function,
        );
        check(
            &format!("$argon2id$v=16$m=12288,t=3,p=1${salt_and_hash}"),
            PasswordHashError::Function,
        );
        check("$7$101$c29tZXNhbHQ=$CTFhFdXPJO1aFaMaO6Mm5Q==", PasswordHashError::Incomplete);
        check("$6$c29tZXNhbHQ=$CTFhFdXPJO1aFaMaO6Mm5Q==", PasswordHashError::Malformed);
        check(
            &format!("$argon2id$v=19$m=9999999,t=3,p=1${salt_and_hash}"),
            PasswordHashError::Cost,
        );
        check(&format!("$argon2id$v=19$m=12288,t=17,p=1${salt_and_hash}"), PasswordHashError::Cost);
        check("$argon2id$v=19$m=12288,t=3,p=1", PasswordHashError::Incomplete);
        check(
            "$argon2id$v=19$m=12288,t=3,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFQ",
            PasswordHashError::Incomplete,
        );
    }

    #[test]
    fn debug_does_not_show_the_hash() {
        let hash = PasswordHash::new(b"x", &SALT);
        assert!(!format!("{hash:?}").contains('$'));
    }
}
