//! The users of the house.
use super::{Login, Verdict};
/// x
#[derive(Clone, Debug)]
pub struct UserName(String);
/// x
#[derive(Clone, Debug)]
pub struct UsersError;
/// x
#[derive(Clone, Debug, Default)]
pub struct Users {}
impl Users {
    /// Checks a login; takes as long as a password hash does, for unknown users too.
    pub fn check(&self, _login: &Login) -> Verdict {
        todo!()
    }
}
