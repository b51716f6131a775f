//! `maison user`: who may log in with a password. A gateway at work sees changes at the next login.

use std::fmt;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::exit;
use super::output::Standard;
use crate::access::UserName;
use crate::config::nearest;
use crate::daemon::state::{self, StateError};
use crate::limits::PASSWORD_BYTES_MAX;

/// Manage who may log in with a password
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
    /// Configuration file [default: `/etc/maison/maison.toml`]
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Add a user; the password is asked for, or is the first line of standard input
    Add {
        /// Letters, digits and `-_.@`
        #[arg(value_parser = UserName::parse)]
        name: UserName,
    },
    /// Change the password of a user
    Passwd {
        /// Who
        #[arg(value_parser = UserName::parse)]
        name: UserName,
    },
    /// Remove a user
    #[command(visible_alias = "remove")]
    Del {
        /// Who
        #[arg(value_parser = UserName::parse)]
        name: UserName,
    },
    /// List the users
    List {
        /// As a JSON array of objects with a `name`
        #[arg(long)]
        json: bool,
    },
}

/// Why it was not done.
#[derive(Debug)]
pub(super) enum Failure {
    State(StateError),
    NoPassword(io::Error),
    PasswordEmpty,
    PasswordTooLong,
    PasswordsDiffer,
    Output(io::Error),
}

impl Arguments {
    /// The configuration file that was named.
    pub fn config(&self) -> Option<&Path> {
        self.config.as_deref()
    }
}

/// Does it to the users of `state_dir`.
pub fn run(arguments: &Arguments, state_dir: &Path) -> ExitCode {
    let done = carry_out(&arguments.action, state_dir, ask, &mut Standard);
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            match &failure {
                Failure::State(StateError::UserUnknown(name)) => {
                    super::complain(unknown(name, state_dir, "maison user list"));
                }
                other => super::complain(other),
            }
            exit::code(failure.code())
        }
    }
}

/// What is said of somebody whom `state_dir` does not know: who may be meant, and what names all.
pub(super) fn unknown(name: &UserName, state_dir: &Path, lists: &str) -> String {
    let users = state::read_users(state_dir).unwrap_or_default();
    let near = nearest(name.as_str(), users.names().map(UserName::as_str));
    let meant = near.map_or_else(String::new, |near| format!("did you mean `{near}`? "));
    format!("no such user: `{name}`\n  hint: {meant}`{lists}` names them")
}

fn carry_out(
    action: &Action,
    folder: &Path,
    ask: impl FnOnce(&UserName) -> Result<Vec<u8>, Failure>,
    out: &mut impl Write,
) -> Result<(), Failure> {
    let said = match action {
        Action::Add { name } => {
            if state::read_users(folder)?.contains(name) {
                return Err(StateError::UserExists(name.clone()).into());
            }
            state::add_user(folder, name.clone(), &ask(name)?)?;
            writeln!(out, "user added: `{name}`")
        }
        Action::Passwd { name } => {
            if !state::read_users(folder)?.contains(name) {
                return Err(StateError::UserUnknown(name.clone()).into());
            }
            state::change_password(folder, name.clone(), &ask(name)?)?;
            writeln!(out, "password changed: `{name}`")
        }
        Action::Del { name } => {
            state::remove_user(folder, name.clone())?;
            writeln!(out, "user removed: `{name}`")
        }
        Action::List { json } => {
            let users = state::read_users(folder)?;
            let names: Vec<_> = users.names().map(UserName::as_str).collect();
            if *json {
                let objects = names.iter().map(|name| serde_json::json!({ "name": name }));
                writeln!(out, "{}", serde_json::Value::Array(objects.collect()))
            } else {
                names.iter().try_for_each(|name| writeln!(out, "{name}"))
            }
        }
    };
    said.map_err(Failure::Output)
}

/// The password from a terminal, twice and unseen; else the first line of standard input.
fn ask(name: &UserName) -> Result<Vec<u8>, Failure> {
    if !io::stdin().is_terminal() {
        return first_line(io::stdin().lock());
    }
    let prompt = |text| rpassword::prompt_password(text).map_err(Failure::NoPassword);
    let password = prompt(format!("password of {name}: "))?;
    if password != prompt("again: ".to_owned())? {
        return Err(Failure::PasswordsDiffer);
    }
    check(password.into_bytes())
}

pub(super) fn first_line(input: impl BufRead) -> Result<Vec<u8>, Failure> {
    let bytes_max = u64::try_from(PASSWORD_BYTES_MAX + "\r\n".len()).unwrap_or(u64::MAX);
    let mut line = Vec::new();
    input.take(bytes_max).read_until(b'\n', &mut line).map_err(Failure::NoPassword)?;
    if line.last() == Some(&b'\n') {
        line.pop();
        if line.last() == Some(&b'\r') {
            line.pop();
        }
    }
    check(line)
}

fn check(password: Vec<u8>) -> Result<Vec<u8>, Failure> {
    match password.len() {
        0 => Err(Failure::PasswordEmpty),
        length if length > PASSWORD_BYTES_MAX => Err(Failure::PasswordTooLong),
        _ => Ok(password),
    }
}

impl Failure {
    fn code(&self) -> u8 {
        match self {
            Self::State(error) if error.is_permission() => exit::PERMISSION,
            Self::State(StateError::UserExists(_) | StateError::UserUnknown(_))
            | Self::NoPassword(_)
            | Self::PasswordEmpty
            | Self::PasswordTooLong
            | Self::PasswordsDiffer
            | Self::Output(_) => exit::FAILED,
            Self::State(_) => exit::CONFIGURATION,
        }
    }
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        Self::State(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::State(error) => error.fmt(formatter),
            Self::NoPassword(error) => write!(formatter, "cannot read the password: {error}"),
            Self::PasswordEmpty => write!(
                formatter,
                "empty password\n  hint: it is the first line of standard input, as in \
                 `echo … | maison user add NAME`"
            ),
            Self::PasswordTooLong => {
                write!(formatter, "password too long: {PASSWORD_BYTES_MAX} bytes at most")
            }
            Self::PasswordsDiffer => write!(formatter, "the two passwords differ"),
            Self::Output(error) => write!(formatter, "cannot write to standard output: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use clap::Parser;
    use tempfile::TempDir;

    use super::*;

    #[derive(Parser)]
    struct Program {
        #[command(flatten)]
        arguments: Arguments,
    }

    fn folder() -> TempDir {
        let private = Permissions::from_mode(0o700);
        tempfile::Builder::new().permissions(private).tempdir().unwrap()
    }

    /// What is printed, or the message and the exit code.
    fn maison_user(
        folder: &Path,
        words: &str,
        input: &'static str,
    ) -> Result<String, (String, u8)> {
        let program = Program::try_parse_from(["user"].into_iter().chain(words.split(' ')));
        let action = program.unwrap().arguments.action;
        let mut out = Vec::new();
        carry_out(&action, folder, |_| first_line(input.as_bytes()), &mut out)
            .map(|()| String::from_utf8(out).unwrap())
            .map_err(|failure| (failure.to_string(), failure.code()))
    }

    #[test]
    fn users_are_added_listed_and_removed() {
        let folder = folder();
        let say = |words, input| maison_user(folder.path(), words, input).unwrap();
        assert_eq!(say("add bob", "secret\n"), "user added: `bob`\n");
        assert_eq!(say("add alice", "wonderland"), "user added: `alice`\n");
        assert_eq!(say("list", ""), "alice\nbob\n");
        assert_eq!(say("list --json", ""), "[{\"name\":\"alice\"},{\"name\":\"bob\"}]\n");
        assert_eq!(say("del bob", ""), "user removed: `bob`\n");
        assert_eq!(say("list", ""), "alice\n");
    }

    #[test]
    fn a_known_user_is_not_added_but_pointed_to_passwd() {
        let folder = folder();
        maison_user(folder.path(), "add bob", "secret").unwrap();
        let before = std::fs::read(folder.path().join("users")).unwrap();
        let (message, code) = maison_user(folder.path(), "add bob", "other").unwrap_err();
        assert_eq!(
            message,
            "user exists already: `bob`\n  hint: `maison user passwd bob` changes the password"
        );
        assert_eq!(code, exit::FAILED);
        assert_eq!(std::fs::read(folder.path().join("users")).unwrap(), before);
        maison_user(folder.path(), "passwd bob", "other").unwrap();
        assert_ne!(std::fs::read(folder.path().join("users")).unwrap(), before);
    }

    #[test]
    fn strangers_are_neither_changed_nor_removed() {
        let folder = folder();
        for words in ["passwd eve", "del eve"] {
            let (message, code) = maison_user(folder.path(), words, "x").unwrap_err();
            assert!(message.starts_with("no such user: `eve`\n  hint: "), "{message}");
            assert_eq!(code, exit::FAILED);
        }
    }

    #[test]
    fn the_exit_code_tells_permissions_from_configuration() {
        let open = folder();
        std::fs::set_permissions(open.path(), Permissions::from_mode(0o755)).unwrap();
        assert_eq!(maison_user(open.path(), "list", "").unwrap_err().1, exit::PERMISSION);
        let absent = open.path().join("absent/state");
        assert_eq!(maison_user(&absent, "list", "").unwrap_err().1, exit::CONFIGURATION);
        let broken = folder();
        let users = broken.path().join("users");
        std::fs::write(&users, "bob").unwrap();
        std::fs::set_permissions(&users, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(maison_user(broken.path(), "list", "").unwrap_err().1, exit::CONFIGURATION);
        std::fs::set_permissions(&users, Permissions::from_mode(0o604)).unwrap();
        assert_eq!(maison_user(broken.path(), "list", "").unwrap_err().1, exit::PERMISSION);
    }

    #[test]
    fn the_password_is_the_first_line_without_its_end() {
        #[track_caller]
        fn check(input: &[u8], expected: &[u8]) {
            assert_eq!(first_line(input).unwrap(), expected);
        }
        check(b"secret", b"secret");
        check(b"secret\n", b"secret");
        check(b"secret\r\n", b"secret");
        check(b" two words \nsecond line\n", b" two words ");
        check(b"\xFF\n", b"\xFF");
        let longest = vec![b'x'; PASSWORD_BYTES_MAX];
        check(&[&*longest, b"\r\n"].concat(), &longest);
    }

    #[test]
    fn no_password_is_no_password() {
        let (message, code) = maison_user(folder().path(), "add bob", "\n").unwrap_err();
        assert!(message.starts_with("empty password\n  hint: "), "{message}");
        assert_eq!(code, exit::FAILED);
        let too_long = vec![b'x'; PASSWORD_BYTES_MAX + 1];
        let message = first_line(&*too_long).unwrap_err().to_string();
        assert_eq!(message, "password too long: 65535 bytes at most");
    }

    #[test]
    fn names_that_cannot_be_are_an_error_of_usage() {
        let error = Program::try_parse_from(["user", "add", "a/b"]).map(|_| ()).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        assert!(error.to_string().contains("character not allowed in a user name: `/`"), "{error}");
    }

    #[test]
    fn the_configuration_file_is_named_anywhere() {
        let before = ["user", "--config", "a.toml", "list"];
        let after = ["user", "list", "--config", "a.toml"];
        for words in [before, after] {
            let arguments = Program::try_parse_from(words).unwrap().arguments;
            assert_eq!(arguments.config(), Some(Path::new("a.toml")));
        }
    }
}
