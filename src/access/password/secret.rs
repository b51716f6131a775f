//! A password on its way from a CONNECT to its check.

use std::fmt;
use std::ops::Deref;

use bytes::{Bytes, BytesMut};
use zeroize::Zeroize;

/// The password of a login, in memory of its own, which is overwritten when the last of its clones
/// is dropped. `Debug` does not show it.
#[derive(Clone)]
pub struct Password(Bytes);

impl Password {
    /// A copy.
    pub fn new(bytes: &[u8]) -> Self {
        Self(Bytes::copy_from_slice(bytes))
    }

    /// What is left of it, if nobody else has it.
    fn wipe(&mut self) -> Option<BytesMut> {
        let mut bytes = std::mem::take(&mut self.0).try_into_mut().ok()?;
        bytes.as_mut().zeroize();
        Some(bytes)
    }
}

impl Drop for Password {
    fn drop(&mut self) {
        drop(self.wipe());
    }
}

impl Deref for Password {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_overwritten_when_its_last_clone_goes() {
        let mut password = Password::new(b"secret");
        let mut clone = password.clone();
        assert!(clone.wipe().is_none(), "the other still needs it");
        assert_eq!(&*password, b"secret");
        assert_eq!(password.wipe().unwrap(), [0; 6][..]);
    }

    #[test]
    fn debug_does_not_show_the_password() {
        assert!(!format!("{:?}", Password::new(b"secret")).contains("secret"));
    }
}
