//! `maison import`: the users, rules and listeners of another broker, and what of it is not taken
//! over, line by line.

mod acl;
mod conf;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use crate::access::{PasswordHash, Pattern, Rights, Scope, User, UserName, Users};
use crate::config::Settings;
use crate::daemon::{rights, state};
use crate::limits::USERS_FILE_BYTES_MAX;
use crate::net::read_whole;
use crate::printable::printable;

use conf::{Includes, Mosquitto};

/// Take over the users and listeners of another broker
#[derive(Args, Debug)]
pub struct Arguments {
    #[command(subcommand)]
    from: From,
    /// Configuration file [default: `/etc/maison/maison.toml`]
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

#[derive(Subcommand, Debug)]
enum From {
    /// Of mosquitto: prints users and listeners on standard output, as TOML, and each line that is
    /// not taken over on standard error
    Mosquitto {
        /// Its folder, such as `/etc/mosquitto`, or its configuration file
        place: PathBuf,
        /// Add the users; those that are there already stay as they are
        #[arg(long)]
        write: bool,
        /// All of it on standard output, as a JSON object
        #[arg(long)]
        json: bool,
    },
}

/// A line of a file.
#[derive(Clone, Debug)]
struct Line {
    file: PathBuf,
    number: usize,
    text: String,
}

/// Lines that are not taken over, each with the reason.
#[derive(Debug, Default)]
struct LeftOut(Vec<(Line, String)>);

impl LeftOut {
    fn say(&mut self, line: &Line, why: impl fmt::Display) {
        self.0.push((line.clone(), why.to_string()));
    }
}

/// Prints what there is, and adds the users if that is wanted.
pub fn run(arguments: &Arguments) -> ExitCode {
    let From::Mosquitto { place, write, json } = &arguments.from;
    super::with_settings(arguments.config.as_deref(), |settings| {
        let mut left_out = LeftOut::default();
        let mosquitto = Mosquitto::read(place, &mut left_out)?;
        let users = users(&mosquitto, &rights(settings), &mut left_out)?;
        if *json {
            let told = object(&mosquitto, &users, &left_out);
            let added = if *write { add(settings, users)? } else { Added::default() };
            println!("{}", added.beside(told));
            return Ok(ExitCode::SUCCESS);
        }
        print!("{}", mosquitto.listeners());
        for (name, user) in &users {
            println!("# user `{name}`: {}", may(user));
        }
        for (line, why) in &left_out.0 {
            let Line { file, number, text } = line;
            let said = format!("{}:{number}: not taken over: `{text}`: {why}", file.display());
            eprintln!("{}", printable(&said));
        }
        if *write {
            add(settings, users)?.tell();
        } else {
            println!("# nothing is written; `--write` adds {} users", users.len());
        }
        Ok(ExitCode::SUCCESS)
    })
}

fn object(
    mosquitto: &Mosquitto,
    users: &BTreeMap<UserName, User>,
    left_out: &LeftOut,
) -> Map<String, Value> {
    let users = users.iter().map(|(name, user)| json!({ "name": name.as_str(), "may": may(user) }));
    let left_out = left_out.0.iter().map(|(Line { file, number, text }, why)| {
        json!({ "file": file.display().to_string(), "line": number, "text": text, "why": why })
    });
    let mut object = Map::new();
    object.insert("listeners".to_owned(), mosquitto.listeners().into());
    object.insert("users".to_owned(), users.collect());
    object.insert("left_out".to_owned(), left_out.collect());
    object
}

/// What became of the users.
#[derive(Debug, Default)]
struct Added {
    added: usize,
    /// Who had been there before.
    there: Vec<UserName>,
}

impl Added {
    fn tell(self) {
        for name in self.there {
            eprintln!("there is a user `{name}` already, who stays as before");
        }
        println!("# users added: {}", self.added);
    }

    fn beside(self, mut object: Map<String, Value>) -> Value {
        let there = self.there.iter().map(|name| Value::from(name.as_str()));
        object.insert("added".to_owned(), self.added.into());
        object.insert("stay_as_before".to_owned(), there.collect());
        Value::Object(object)
    }
}

fn add(settings: &Settings, users: BTreeMap<UserName, User>) -> Result<Added> {
    let (mut added, mut there) = (0, Vec::new());
    state::edit_users(&settings.gateway.state_dir, |known| {
        for (name, user) in users {
            if known.contains(&name) {
                there.push(name);
            } else {
                *known.entry(name) = user;
                added += 1;
            }
        }
        Ok(())
    })?;
    Ok(Added { added, there })
}

/// What is taken over of the texts of mosquitto's files, of any bytes: listeners as TOML, users
/// with their rights, and the lines that are not taken over with the reason.
pub fn taken_over(conf: &str, passwords: &str, acl: Option<&str>) -> (String, Users, Vec<String>) {
    let mut left_out = LeftOut::default();
    let mut mosquitto = Mosquitto::default();
    let of = |text| lines_of(Path::new(""), text);
    // What it includes is not read, and nothing else can fail.
    let _ = mosquitto.lines(of(conf), Includes::Nothing, &mut left_out);
    let acl = acl.map(of);
    let mut users = Users::default();
    let rights = Rights::new(&Settings::default().gateway.root);
    for (name, user) in users_in(&of(passwords), acl.as_deref(), &rights, &mut left_out) {
        *users.entry(name) = user;
    }
    let left_out = left_out.0.iter().map(|(line, why)| format!("{}: {why}", line.number));
    (mosquitto.listeners(), users, left_out.collect())
}

fn users(
    mosquitto: &Mosquitto,
    rights: &Rights,
    left_out: &mut LeftOut,
) -> Result<BTreeMap<UserName, User>> {
    let Some(file) = &mosquitto.password_file else { return Ok(BTreeMap::new()) };
    let acl = mosquitto.acl_file.as_deref().map(lines).transpose()?;
    Ok(users_in(&readable_lines(file, left_out)?, acl.as_deref(), rights, left_out))
}

fn users_in(
    passwords: &[Line],
    acl: Option<&[Line]>,
    rights: &Rights,
    left_out: &mut LeftOut,
) -> BTreeMap<UserName, User> {
    let mut users = BTreeMap::new();
    let mut lines: BTreeMap<UserName, &Line> = BTreeMap::new();
    for line in passwords {
        match login(&line.text) {
            Ok((name, password)) => {
                let user = User { password: Some(password), ..User::default() };
                if let Some(earlier) = lines.insert(name.clone(), line) {
                    let why = format!("the user is named again on line {}", line.number);
                    left_out.say(&hidden(earlier), format!("{why}, which counts"));
                }
                users.insert(name, user);
            }
            Err(why) => left_out.say(&hidden(line), why),
        }
    }
    if let Some(acl) = acl {
        acl::apply(acl, &mut users, rights, left_out);
    }
    users
}

fn login(line: &str) -> Result<(UserName, PasswordHash), String> {
    let (name, hash) = line.split_once(':').ok_or("no `:` between user name and password hash")?;
    let name = UserName::parse(name).map_err(|error| error.to_string())?;
    if hash.starts_with("$6$") {
        return Err(format!(
            "a single round of SHA-512 is no protection; `maison subscriber add {name} …` gives a \
             new password"
        ));
    }
    let hash = PasswordHash::parse(hash).map_err(|error| error.to_string())?;
    Ok((name, hash))
}

/// Without what may be a password.
fn hidden(line: &Line) -> Line {
    let name = line.text.split(':').next().unwrap_or_default();
    Line { text: format!("{name}:…"), ..line.clone() }
}

fn may(user: &User) -> String {
    let Some(Scope { read, publish, .. }) = &user.scope else {
        return "reads everything, publishes outside the gateway's own topics".to_owned();
    };
    let list = |verb, filters: &[Pattern]| {
        let filters: Vec<_> = filters.iter().map(Pattern::as_str).collect();
        let filters = if filters.is_empty() { "nothing".to_owned() } else { filters.join(", ") };
        format!("{verb} {filters}")
    };
    format!("{}; {}", list("reads", read), list("publishes to", publish))
}

fn content(file: &Path) -> Result<Vec<u8>> {
    read_whole(file, USERS_FILE_BYTES_MAX)
        .with_context(|| format!("cannot read `{}`", file.display()))
}

/// The lines of a file that say something.
fn lines(file: &Path) -> Result<Vec<Line>> {
    let mut broken = LeftOut::default();
    let lines = readable_lines(file, &mut broken)?;
    if let Some((line, why)) = broken.0.first() {
        bail!("{}:{}: {why}", file.display(), line.number);
    }
    Ok(lines)
}

/// The same but for those that are no text.
fn readable_lines(file: &Path, left_out: &mut LeftOut) -> Result<Vec<Line>> {
    let content = content(file)?;
    let mut text = String::new();
    for (index, line) in content.split(|byte| *byte == b'\n').enumerate() {
        if let Ok(line) = str::from_utf8(line) {
            text.push_str(line);
        } else {
            let line = Line { file: file.into(), number: index + 1, text: "…".to_owned() };
            left_out.say(&line, "not UTF-8");
        }
        text.push('\n');
    }
    Ok(lines_of(file, &text))
}

fn lines_of(file: &Path, text: &str) -> Vec<Line> {
    let lines = text.lines().enumerate().map(|(index, text)| Line {
        file: file.to_owned(),
        number: index + 1,
        text: text.trim().to_owned(),
    });
    lines.filter(|line| !line.text.is_empty() && !line.text.starts_with('#')).collect()
}
