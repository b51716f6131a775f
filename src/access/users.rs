//! The users of the house: a file of `name:hash` lines, and the answer to a login.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use super::password::{HashMemory, PasswordHash, PasswordHashError};
use super::{Login, Policy, Principal, Refusal, Verdict};
use crate::limits::USER_NAME_CHARS_MAX;

const HEADER: &str = "# Users of maison, written by `maison user`. Other comments are not kept.\n";

/// The name of a user: 1 to 64 ASCII letters, digits and `-_.@`, so that it can stand in a topic, a
/// log line and a file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName(String);

/// Why a text is no user name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserNameError {
    /// There is nothing.
    Empty,
    /// It has this many characters.
    TooLong(usize),
    /// It has a character that is not allowed.
    Character(char),
}

/// What is wrong with a file of users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsersError {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong there.
    pub fault: UsersFault,
}

/// What is wrong with a line of a file of users.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsersFault {
    /// There is no `:`.
    NoColon,
    /// The name is none.
    Name(UserNameError),
    /// The hash is none.
    Hash(PasswordHashError),
    /// The name stands on an earlier line, too.
    Twice(UserName),
}

/// The users and their password hashes.
#[derive(Clone, Debug, Default)]
pub struct Users(BTreeMap<UserName, PasswordHash>);

impl UserName {
    /// Checks a name.
    pub fn parse(text: &str) -> Result<Self, UserNameError> {
        let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-_.@".contains(letter);
        if text.is_empty() {
            return Err(UserNameError::Empty);
        }
        if let Some(letter) = text.chars().find(|letter| !allowed(*letter)) {
            return Err(UserNameError::Character(letter));
        }
        if text.len() > USER_NAME_CHARS_MAX {
            return Err(UserNameError::TooLong(text.len()));
        }
        Ok(Self(text.to_owned()))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Users {
    /// Reads a file of users: `name:hash` on each line, empty lines and lines that begin with `#`
    /// aside.
    pub fn parse(text: &str) -> Result<Self, UsersError> {
        let mut users = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let at = |fault| UsersError { line: index + 1, fault };
            let (name, hash) = parse_line(line).map_err(at)?;
            if users.contains_key(&name) {
                return Err(at(UsersFault::Twice(name)));
            }
            users.insert(name, hash);
        }
        Ok(Self(users))
    }

    /// As [`Users::parse`] reads it.
    pub fn to_text(&self) -> String {
        let mut text = HEADER.to_owned();
        for (name, hash) in &self.0 {
            writeln!(text, "{name}:{hash}").expect("a string takes any text");
        }
        text
    }

    /// Whether there is such a user.
    pub fn contains(&self, name: &UserName) -> bool {
        self.0.contains_key(name)
    }

    /// Adds a user, or gives one another password.
    pub fn set(&mut self, name: UserName, hash: PasswordHash) {
        self.0.insert(name, hash);
    }

    /// Removes a user, if there is one of that name.
    pub fn remove(&mut self, name: &UserName) -> Option<PasswordHash> {
        self.0.remove(name)
    }

    /// The names in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &UserName> {
        self.0.keys()
    }

    /// Checks a login; takes as long as a password hash does, for unknown users too.
    ///
    /// A certificate was verified by the TLS handshake: its authority vouches for the name, which
    /// need not have a password here.
    pub fn check(&self, login: &Login, memory: &mut HashMemory) -> Verdict {
        match login.policy {
            Policy::Anonymous if login.user.is_none() && login.password.is_none() => {
                Ok(Principal::Anonymous)
            }
            Policy::Anonymous | Policy::Password => self.by_password(login, memory),
            Policy::Certificate => by_certificate(login),
            Policy::CertificateOrPassword => match (&login.certificate, &login.password) {
                (Some(_), None) => by_certificate(login),
                (_, Some(_)) | (None, None) => self.by_password(login, memory),
            },
            Policy::CertificateAndPassword => {
                by_certificate(login)?;
                self.by_password(login, memory)
            }
        }
    }

    fn by_password(&self, login: &Login, memory: &mut HashMemory) -> Verdict {
        let Some(password) = &login.password else {
            let named = login.user.is_some();
            return Err(if named { Refusal::NoPassword } else { Refusal::NoCredentials });
        };
        let name = login.user.as_deref().map(UserName::parse).and_then(Result::ok);
        match name.and_then(|name| self.0.get_key_value(&name)) {
            Some((name, hash)) if hash.verify(password, memory) => Ok(name.principal()),
            Some(_) => Err(Refusal::BadPassword),
            None => {
                PasswordHash::pretend_to_verify(password, memory);
                Err(Refusal::BadPassword)
            }
        }
    }
}

/// The principal of the certificate's name. A user name beside it must be the same: nobody acts
/// under another name than the log shows.
fn by_certificate(login: &Login) -> Verdict {
    let name = login.certificate.as_deref().ok_or(Refusal::NoCertificate)?;
    let name = UserName::parse(name).map_err(|_| Refusal::UnknownCertificate)?;
    match login.user.as_deref() {
        Some(user) if user != name.as_str() => Err(Refusal::CertificateMismatch),
        Some(_) | None => Ok(name.principal()),
    }
}

impl UserName {
    fn principal(&self) -> Principal {
        Principal::User(self.as_str().into())
    }
}

fn parse_line(line: &str) -> Result<(UserName, PasswordHash), UsersFault> {
    let (name, hash) = line.split_once(':').ok_or(UsersFault::NoColon)?;
    let name = UserName::parse(name).map_err(UsersFault::Name)?;
    Ok((name, PasswordHash::parse(hash).map_err(UsersFault::Hash)?))
}

impl fmt::Display for UserName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl fmt::Display for UserNameError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => formatter.write_str("empty user name"),
            Self::TooLong(chars) => write!(
                formatter,
                "user name too long: {chars} characters of {USER_NAME_CHARS_MAX} at most"
            ),
            Self::Character(letter) => write!(
                formatter,
                "character not allowed in a user name: `{}`; letters, digits and `-_.@` are",
                letter.escape_default()
            ),
        }
    }
}

impl fmt::Display for UsersFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoColon => formatter.write_str("no `:` between user name and password hash"),
            Self::Name(error) => error.fmt(formatter),
            Self::Hash(error) => error.fmt(formatter),
            Self::Twice(name) => write!(formatter, "user named twice: `{name}`"),
        }
    }
}

impl fmt::Display for UsersError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}: {}", self.line, self.fault)
    }
}

impl std::error::Error for UserNameError {}
impl std::error::Error for UsersError {}

#[cfg(test)]
mod tests;
