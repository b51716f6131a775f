//! The users of the house, and what their logins are worth.
//!
//! They are kept as text, one a line: `name:$argon2id$…`. Lines that begin with `#` are comments.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::{Login, PasswordHash, Policy, Principal, Refusal, Verdict};

/// Longest user name, in characters.
const USER_NAME_CHARS_MAX: usize = 64;

/// A user name: letters and digits of any language, `-`, `_`, `.`, `@`. None of the characters that
/// mean something in a topic filter or in the users file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UserName(String);

/// Who may log in, and with which password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Users {
    hashes: BTreeMap<UserName, PasswordHash>,
    /// Checked for unknown users, so that they take as long as known ones.
    decoy: PasswordHash,
}

/// What is wrong with a line of the users file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsersError {
    /// From 1.
    pub line: usize,
    /// Without the hash.
    pub what: String,
}

impl fmt::Display for UsersError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.line, self.what)
    }
}

impl UserName {
    /// Parses a user name; the error says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, &'static str> {
        if text.is_empty() {
            return Err("a user name has one character at least");
        }
        if text.chars().count() > USER_NAME_CHARS_MAX {
            return Err("a user name has 64 characters at most");
        }
        let is_allowed = |letter: char| letter.is_alphanumeric() || "-_.@".contains(letter);
        if !text.chars().all(is_allowed) {
            return Err("a user name has letters, digits, `-`, `_`, `.` and `@` only");
        }
        Ok(Self(text.to_owned()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Users {
    fn default() -> Self {
        // No password fits it: nobody knows one whose hash this is, and its owner does not exist.
        let decoy = PasswordHash::new(b"", *b"maison decoy 016");
        Self { hashes: BTreeMap::new(), decoy }
    }
}

impl Users {
    /// Reads a users file; the first line that cannot be read is an error.
    pub fn parse(text: &str) -> Result<Self, UsersError> {
        let mut users = Self::default();
        for (index, line) in text.lines().enumerate() {
            let error = |what: &str| UsersError { line: index + 1, what: what.to_owned() };
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            let (name, hash) = line.split_once(':').ok_or_else(|| error("no `name:hash`"))?;
            let name = UserName::new(name).map_err(error)?;
            let hash = PasswordHash::parse(hash.trim_end())
                .ok_or_else(|| error("no hash of argon2 after the name"))?;
            if users.set(name, hash) {
                return Err(error("the same name a second time"));
            }
        }
        Ok(users)
    }

    /// As a users file.
    pub fn to_text(&self) -> String {
        let line = |(name, hash): (&UserName, &PasswordHash)| format!("{}:{hash}\n", name.0);
        self.hashes.iter().map(line).collect()
    }

    /// Sets a password; says whether the user was there before.
    pub fn set(&mut self, name: UserName, hash: PasswordHash) -> bool {
        self.hashes.insert(name, hash).is_some()
    }

    /// Takes a user away; says whether there was one.
    pub fn remove(&mut self, name: &UserName) -> bool {
        self.hashes.remove(name).is_some()
    }

    /// Whether there is such a user.
    pub fn contains(&self, name: &UserName) -> bool {
        self.hashes.contains_key(name)
    }

    /// All names, in order.
    pub fn names(&self) -> impl Iterator<Item = &UserName> {
        self.hashes.keys()
    }

    /// Checks a login. Where a password is given, takes as long as its hash does, for unknown users
    /// too.
    pub fn check(&self, login: &Login) -> Verdict {
        let named = login.user.is_some() || login.password.is_some();
        let certified = login.certificate.as_deref().map(user).ok_or(Refusal::NoCertificate);
        match login.policy {
            Policy::Anonymous if !named => Ok(Principal::Anonymous),
            Policy::Anonymous | Policy::Password => self.check_password(login),
            Policy::Certificate => certified,
            Policy::CertificateOrPassword if certified.is_ok() && !named => certified,
            Policy::CertificateOrPassword => self.check_password(login),
            Policy::CertificateAndPassword => {
                let (certified, known) = (certified?, self.check_password(login)?);
                if certified == known { Ok(known) } else { Err(Refusal::CertificateMismatch) }
            }
        }
    }

    fn check_password(&self, login: &Login) -> Verdict {
        let name = login.user.as_deref().ok_or(Refusal::NoCredentials)?;
        let password = login.password.as_ref().ok_or(Refusal::NoPassword)?;
        let known = UserName::new(name).ok().and_then(|name| self.hashes.get(&name));
        let fits = known.unwrap_or(&self.decoy).verify(password);
        if fits && known.is_some() { Ok(user(name)) } else { Err(Refusal::BadPassword) }
    }
}

fn user(name: &str) -> Principal {
    Principal::User(Arc::from(name))
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::access::password::SALT_BYTES;

    fn users() -> Users {
        let mut users = Users::default();
        let hash = PasswordHash::new(b"secret", [1; SALT_BYTES]);
        assert!(!users.set(UserName::new("bob").unwrap(), hash));
        users
    }

    #[track_caller]
    fn check(policy: Policy, login: [Option<&str>; 3], expected: Result<&str, Refusal>) {
        let [name, password, certificate] = login.map(|part| part.map(str::to_owned));
        let password = password.map(Bytes::from);
        let login = Login { policy, user: name, password, certificate };
        let expected = expected.map(|name| match name {
            "" => Principal::Anonymous,
            name => user(name),
        });
        assert_eq!(users().check(&login), expected, "{login:?}");
    }

    #[test]
    fn each_policy_asks_what_it_says() {
        use Policy::*;
        use Refusal::*;
        check(Anonymous, [None, None, None], Ok(""));
        check(Anonymous, [Some("bob"), Some("secret"), None], Ok("bob"));
        check(Anonymous, [Some("bob"), Some("wrong"), None], Err(BadPassword));
        check(Password, [None, None, None], Err(NoCredentials));
        check(Password, [Some("bob"), None, None], Err(NoPassword));
        check(Password, [Some("bob"), Some("secret"), None], Ok("bob"));
        check(Password, [Some("bob"), Some("Secret"), None], Err(BadPassword));
        check(Password, [Some("eve"), Some("secret"), None], Err(BadPassword));
        check(Password, [Some("eve"), Some(""), None], Err(BadPassword));
        check(Certificate, [None, None, None], Err(NoCertificate));
        check(Certificate, [None, None, Some("alice")], Ok("alice"));
        check(CertificateOrPassword, [None, None, Some("alice")], Ok("alice"));
        check(CertificateOrPassword, [Some("bob"), Some("secret"), None], Ok("bob"));
        check(CertificateOrPassword, [None, None, None], Err(NoCredentials));
        check(CertificateAndPassword, [Some("bob"), Some("secret"), Some("bob")], Ok("bob"));
        let mixed = [Some("bob"), Some("secret"), Some("alice")];
        check(CertificateAndPassword, mixed, Err(CertificateMismatch));
        check(CertificateAndPassword, [Some("bob"), Some("secret"), None], Err(NoCertificate));
    }

    #[test]
    fn users_survive_their_file() {
        let users = users();
        let text = format!("# people\n\n{}", users.to_text());
        assert_eq!(Users::parse(&text), Ok(users));
    }

    #[track_caller]
    fn check_file(text: &str, line: usize, what: &str) {
        let error = Users::parse(text).expect_err(text);
        assert!(error.line == line && error.what.contains(what), "{error}");
    }

    #[test]
    fn bad_lines_are_named() {
        let good = users().to_text();
        check_file("bob", 1, "no `name:hash`");
        check_file("# hello\nbob:secret", 2, "no hash of argon2");
        check_file(&format!("{good}a+b:x"), 2, "letters, digits");
        check_file(&format!("{good}:x"), 2, "one character at least");
        check_file(&format!("{good}{good}"), 2, "second time");
    }
}
