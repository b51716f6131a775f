//! Passwords that were found right since the gateway started, so that whoever comes back needs no
//! second hash. A password is not kept: a keyed digest of it is (HMAC-SHA-256, RFC 2104), by a key
//! that is drawn at the start and is in memory only. It is tied to the hash that the password was
//! checked against, and means nothing once the user has another.
//!
//! What is lost by it: who reads this process's memory can try passwords faster than by the file
//! of users. That reader also sees each password as it comes. Who only guesses gains nothing as
//! long as whoever asks makes a hash of each wrong password as before.

use std::collections::HashMap;
use std::fmt;

use ring::hmac;

use super::PasswordHash;
use crate::access::UserName;
use crate::limits::PASSWORDS_CACHED_MAX;

/// Bytes of the key: those of the digest.
pub const CACHE_KEY_BYTES: usize = 32;

/// Digests of passwords that were right. `Debug` shows none.
pub struct PasswordCache {
    key: hmac::Key,
    right: HashMap<UserName, Right>,
    /// Fits nothing: of who is not here the look takes as long.
    decoy: hmac::Tag,
    turns: u64,
}

struct Right {
    /// What it was checked against.
    hash: PasswordHash,
    digest: hmac::Tag,
    turn: u64,
}

impl PasswordCache {
    /// Nobody came yet; `key` is to be drawn anew for each.
    pub fn new(key: &[u8; CACHE_KEY_BYTES]) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        let decoy = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b""), b"");
        Self { key, right: HashMap::new(), decoy, turns: 0 }
    }

    /// Whether this password was right against this hash. Compares in constant time.
    pub(in crate::access) fn has(&self, name: &UserName, hash: &PasswordHash, it: &[u8]) -> bool {
        let right = self.right.get(name);
        let digest = right.map_or(&self.decoy, |right| &right.digest);
        let fits = hmac::verify(&self.key, it, digest.as_ref()).is_ok();
        fits && right.is_some_and(|right| right.hash == *hash)
    }

    /// A password was found right against this hash. Where there are too many, the one that was
    /// found first makes room.
    pub(in crate::access) fn add(&mut self, name: &UserName, hash: &PasswordHash, it: &[u8]) {
        if self.right.len() >= PASSWORDS_CACHED_MAX && !self.right.contains_key(name) {
            let oldest = self.right.iter().min_by_key(|(_, right)| right.turn);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                self.right.remove(&oldest);
            }
        }
        self.turns += 1;
        let right =
            Right { hash: hash.clone(), digest: hmac::sign(&self.key, it), turn: self.turns };
        self.right.insert(name.clone(), right);
    }

    /// Forgets all whose hash is not this any more.
    pub(in crate::access) fn keep(&mut self, is_of: impl Fn(&UserName, &PasswordHash) -> bool) {
        self.right.retain(|name, right| is_of(name, &right.hash));
    }

    /// Of how many users it has one.
    #[cfg(test)]
    pub(in crate::access) fn len(&self) -> usize {
        self.right.len()
    }
}

impl fmt::Debug for PasswordCache {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PasswordCache(…)")
    }
}
