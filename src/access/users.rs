//! The users of the house: a file of a line each, and the answer to a login.
//!
//! ```text
//!   bob:$argon2id$…                                  a user of the whole house, by password
//!   alice:$argon2id$…:{"scope":{"rooms":["salon"]}}  a subscriber, who may what its scope says
//!   probe::{"scope":{…},"certificates":[{…}]}        one without a password, by certificate
//! ```

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};

use super::password::{HashMemory, PasswordCache, PasswordHash, PasswordHashError};
use super::{Certificate, Issuer, Login, Policy, Principal, Refusal, Scope, Verdict};
use crate::limits::USER_NAME_CHARS_MAX;

const HEADER: &str = "# Users of maison, written by `maison user` and `maison subscriber`. \
                      Other comments are not kept.\n";

/// Before what was drawn, in the name of somebody who is here for a moment.
const THROWAWAY: &str = "doctor-";

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
    /// What follows the hash is not what it should be.
    Facts(String),
    /// The name stands on an earlier line, too.
    Twice(UserName),
}

/// The users.
#[derive(Clone, Debug, Default)]
pub struct Users(BTreeMap<UserName, User>);

/// What is known of a user.
#[derive(Clone, Debug, Default)]
pub struct User {
    /// How it may log in by password, if it may.
    pub password: Option<PasswordHash>,
    /// What it may; `None`: what all of the house may.
    pub scope: Option<Scope>,
    /// Certificates of our own authority by which it may come.
    pub certificates: Vec<Issued>,
}

/// A certificate that our own authority has issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issued {
    /// Its serial number, in lower-case hexadecimal digits.
    pub serial: String,
    /// When it ends, in seconds since 1970.
    pub expires: u64,
    /// Which authority signed it, where that was noted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
}

/// What a change of the users has taken away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revoked {
    /// Users that are no more.
    pub users: Vec<String>,
    /// Users with another password, or none: who came with the old one goes.
    pub passwords: Vec<String>,
    /// Serial numbers of certificates that count no more.
    pub certificates: Vec<String>,
}

/// What follows name and hash on a line.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Facts {
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<Scope>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    certificates: Vec<Issued>,
}

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

    /// The name of somebody who tries the way in for a moment, and is then removed.
    pub fn throwaway(drawn: u32) -> Self {
        Self(format!("{THROWAWAY}{drawn:08x}"))
    }

    /// Whether [`UserName::throwaway`] made it.
    pub fn is_throwaway(&self) -> bool {
        let drawn = self.0.strip_prefix(THROWAWAY);
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        drawn.is_some_and(|drawn| drawn.len() == 8 && drawn.bytes().all(is_digit))
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Users {
    /// Reads a file of users: one on each line, empty lines and lines that begin with `#` aside.
    pub fn parse(text: &str) -> Result<Self, UsersError> {
        let mut users = BTreeMap::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let at = |fault| UsersError { line: index + 1, fault };
            let (name, user) = parse_line(line).map_err(at)?;
            if users.contains_key(&name) {
                return Err(at(UsersFault::Twice(name)));
            }
            users.insert(name, user);
        }
        Ok(Self(users))
    }

    /// As [`Users::parse`] reads it.
    pub fn to_text(&self) -> String {
        let mut text = HEADER.to_owned();
        for (name, user) in &self.0 {
            writeln!(text, "{name}:{user}").expect("a string takes any text");
        }
        text
    }

    /// Whether there is such a user.
    pub fn contains(&self, name: &UserName) -> bool {
        self.0.contains_key(name)
    }

    /// What is known of a user.
    pub fn get(&self, name: &UserName) -> Option<&User> {
        self.0.get(name)
    }

    /// A user, to be changed; a new one of the whole house, who cannot log in, if there is none.
    pub fn entry(&mut self, name: UserName) -> &mut User {
        self.0.entry(name).or_default()
    }

    /// Removes a user, if there is one of that name.
    pub fn remove(&mut self, name: &UserName) -> Option<User> {
        self.0.remove(name)
    }

    /// The names in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &UserName> {
        self.0.keys()
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&UserName, &User)> {
        self.0.iter()
    }

    /// What is there no more when these become `new`.
    pub fn revoked(&self, new: &Self) -> Revoked {
        let mut revoked = Revoked::default();
        for (name, old) in &self.0 {
            let Some(new) = new.get(name) else {
                revoked.users.push(name.to_string());
                continue;
            };
            if old.password.is_some() && old.password != new.password {
                revoked.passwords.push(name.to_string());
            }
            let gone = old.certificates.iter().filter(|it| !new.lists(&it.serial));
            revoked.certificates.extend(gone.map(|it| it.serial.clone()));
        }
        revoked
    }

    /// Who stays, and may something else when these become `new`.
    pub fn rescoped(&self, new: &Self) -> Vec<String> {
        let is_other =
            |name: &UserName, old: &User| new.get(name).is_some_and(|new| new.scope != old.scope);
        let rescoped = self.0.iter().filter(|(name, old)| is_other(name, old));
        rescoped.map(|(name, _)| name.to_string()).collect()
    }

    /// Checks a login; takes as long as a password hash does, for unknown users too.
    ///
    /// A certificate was verified by the TLS handshake: its authority vouches for the name, which
    /// must be a user's. One of ours counts as long as it is on the list of its user.
    pub fn check(&self, login: &Login, memory: &mut HashMemory) -> Verdict {
        self.decide(login, |known, password| {
            let Some((_, hash)) = known else {
                PasswordHash::pretend_to_verify(password, memory);
                return false;
            };
            hash.verify(password, memory)
        })
    }

    /// Lets in whose password was found right before and still is the user's; `None`: that is to be
    /// asked of [`Users::check`].
    pub fn check_cached(&self, login: &Login, cache: &PasswordCache) -> Option<Principal> {
        let was_right = |known: Option<(&UserName, &PasswordHash)>, password: &[u8]| {
            known.is_some_and(|(name, hash)| cache.has(name, hash, password))
        };
        self.decide(login, was_right).ok()
    }

    /// A login was let in by [`Users::check`] of these users. What was found right of users that
    /// have another password now is forgotten.
    pub fn remember(&self, login: &Login, cache: &mut PasswordCache) {
        cache.keep(|name, hash| self.hash_of(name) == Some(hash));
        let name = login.user.as_deref().map(UserName::parse).and_then(Result::ok);
        if let (Some(name), Some(password)) = (name, &login.password)
            && let Some(hash) = self.hash_of(&name)
        {
            cache.add(&name, hash, password);
        }
    }

    fn hash_of(&self, name: &UserName) -> Option<&PasswordHash> {
        self.0.get(name)?.password.as_ref()
    }

    fn decide(
        &self,
        login: &Login,
        is_right: impl FnOnce(Option<(&UserName, &PasswordHash)>, &[u8]) -> bool,
    ) -> Verdict {
        match login.policy {
            Policy::Anonymous if login.user.is_none() && login.password.is_none() => {
                Ok(Principal::Anonymous)
            }
            Policy::Anonymous | Policy::Password => self.by_password(login, is_right),
            Policy::Certificate => self.by_certificate(login),
            Policy::CertificateOrPassword => match (&login.certificate, &login.password) {
                (Some(_), None) => self.by_certificate(login),
                (_, Some(_)) | (None, None) => self.by_password(login, is_right),
            },
            Policy::CertificateAndPassword => {
                self.by_certificate(login)?;
                self.by_password(login, is_right)
            }
        }
    }

    fn by_password(
        &self,
        login: &Login,
        is_right: impl FnOnce(Option<(&UserName, &PasswordHash)>, &[u8]) -> bool,
    ) -> Verdict {
        let Some(password) = &login.password else {
            let named = login.user.is_some();
            return Err(if named { Refusal::NoPassword } else { Refusal::NoCredentials });
        };
        let name = login.user.as_deref().map(UserName::parse).and_then(Result::ok);
        let known = name.and_then(|name| self.0.get_key_value(&name));
        let known = known.and_then(|(name, user)| Some((name, user.password.as_ref()?)));
        let is_right = is_right(known, password);
        let name = known.filter(|_| is_right).map(|(name, _)| name);
        name.map(UserName::principal).ok_or(Refusal::BadPassword)
    }

    /// The principal of the certificate's name. A user name beside it must be the same: nobody acts
    /// under another name than the log shows.
    fn by_certificate(&self, login: &Login) -> Verdict {
        let Certificate { name, serial, issuer, .. } =
            login.certificate.as_ref().ok_or(Refusal::NoCertificate)?;
        let name = UserName::parse(name).map_err(|_| Refusal::UnknownCertificate)?;
        let user = self.0.get(&name).ok_or(Refusal::UnknownCertificate)?;
        if *issuer == Issuer::Own && !user.lists(serial) {
            return Err(Refusal::RevokedCertificate);
        }
        match login.user.as_deref() {
            Some(user) if user != name.as_str() => Err(Refusal::CertificateMismatch),
            Some(_) | None => Ok(name.principal()),
        }
    }
}

impl User {
    fn lists(&self, serial: &str) -> bool {
        self.certificates.iter().any(|issued| issued.serial == serial)
    }
}

impl UserName {
    fn principal(&self) -> Principal {
        Principal::User(self.as_str().into())
    }
}

fn parse_line(line: &str) -> Result<(UserName, User), UsersFault> {
    let (name, rest) = line.split_once(':').ok_or(UsersFault::NoColon)?;
    let name = UserName::parse(name).map_err(UsersFault::Name)?;
    let (hash, facts) = match rest.split_once(':') {
        Some((hash, facts)) => (hash, Some(facts)),
        None => (rest, None),
    };
    let password = match (hash, facts) {
        ("", Some(_)) => None,
        (hash, _) => Some(PasswordHash::parse(hash).map_err(UsersFault::Hash)?),
    };
    let facts = facts.map(serde_json::from_str);
    let facts = facts.transpose().map_err(|error| UsersFault::Facts(error.to_string()))?;
    let Facts { scope, certificates } = facts.unwrap_or_default();
    Ok((name, User { password, scope, certificates }))
}

/// As `parse_line` reads it.
impl fmt::Display for User {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(password) = &self.password {
            password.fmt(formatter)?;
        }
        let facts = Facts { scope: self.scope.clone(), certificates: self.certificates.clone() };
        if self.password.is_some() && facts.scope.is_none() && facts.certificates.is_empty() {
            return Ok(());
        }
        let facts = serde_json::to_string(&facts).map_err(|_| fmt::Error)?;
        write!(formatter, ":{facts}")
    }
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
            Self::Facts(detail) => write!(formatter, "after the password hash: {detail}"),
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
