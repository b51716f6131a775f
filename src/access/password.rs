//! Password hashes.
/// A PHC string of argon2id.
#[derive(Clone, Debug)]
pub struct PasswordHash(String);
