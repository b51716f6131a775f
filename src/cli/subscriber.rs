//! `maison subscriber`: who is let in, to which rooms, and all that it needs to come. A gateway at
//! work sees each change at once, for those who are in as well.

mod authorities;
mod bundle;
mod list;
mod place;
mod rooms;
mod snippets;
mod topics;
mod wanted;

use std::fs;
use std::io::{self, IsTerminal, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, Subcommand};

use super::ca;
use super::interruption::Interruption;
use super::user::{self, first_line};
use crate::access::{ALL_ROOMS, Issued, Pattern, Policy, Scope, UserName, Users};
use crate::config::{Listener, Settings};
use crate::daemon::state::{self, StateError};
use crate::net::ClientIdentity;

use bundle::{Bundle, Contents, Keys};
use place::Host;
use rooms::Change;
use wanted::pattern;

/// Let people and devices in, to the rooms that are theirs
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
    /// Let somebody in; writes and prints all that is needed to come
    Add(Add),
    /// List who is let in, where, and until when
    List {
        /// As a JSON array of objects
        #[arg(long)]
        json: bool,
    },
    /// Other rooms for somebody who is let in: they hold this second, all else stays
    Rooms(Change),
    /// The bundle again, as far as the gateway knows it: keys and passwords it does not
    Bundle {
        /// Who
        #[arg(value_parser = UserName::parse)]
        name: UserName,
        #[command(flatten)]
        place: Place,
    },
    /// A new certificate, in a bundle of its own; the old ones count on
    Renew {
        /// Who
        #[arg(value_parser = UserName::parse)]
        name: UserName,
        /// From now on the old ones count no more
        #[arg(long)]
        revoke: bool,
        #[command(flatten)]
        passphrase: Passphrase,
        #[command(flatten)]
        place: Place,
    },
    /// A new password; whoever came by the old one has to come again
    Passwd {
        /// Who
        #[arg(value_parser = UserName::parse)]
        name: UserName,
        /// The password is the first line of standard input; else it is drawn, and printed
        #[arg(long)]
        password_stdin: bool,
    },
    /// Send somebody away for good, this second: connections, sessions, password and certificates
    Revoke {
        /// Who
        #[arg(value_parser = UserName::parse)]
        name: UserName,
        /// Only the certificate of that serial number, as `list` shows it
        #[arg(long, value_name = "SERIAL")]
        certificate: Option<String>,
    },
}

#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command line")]
struct Add {
    /// Letters, digits and `-_.@`
    #[arg(value_parser = UserName::parse)]
    name: UserName,
    /// Rooms it reads, by their slugs; `*`: all
    #[arg(long, value_name = "ROOM,…", value_delimiter = ',')]
    rooms: Vec<String>,
    /// It also publishes to its rooms: a device with a probe of its own
    #[arg(long)]
    write: bool,
    /// It reads what the gateway tells of itself: `$SYS`, events, health
    #[arg(long)]
    admin: bool,
    /// A further topic filter that it reads; `%u` is its name, `%c` its client identifier
    #[arg(long, value_name = "FILTER", value_parser = pattern)]
    read: Vec<Pattern>,
    /// A further topic filter that it publishes to
    #[arg(long, value_name = "FILTER", value_parser = pattern)]
    publish: Vec<Pattern>,
    /// It comes by a password, which is drawn and printed [default: if a listener asks for one]
    #[arg(long)]
    password: bool,
    /// Likewise, but the password is the first line of standard input
    #[arg(long)]
    password_stdin: bool,
    /// It comes by a certificate [default: if a listener asks for one]
    #[arg(long)]
    certificate: bool,
    #[command(flatten)]
    passphrase: Passphrase,
    #[command(flatten)]
    place: Place,
}

/// What the file for phones and desktops is locked with.
#[derive(Args, Debug)]
struct Passphrase {
    /// The passphrase of the PKCS#12 file is the next line of standard input; else it is drawn, and
    /// printed
    #[arg(long)]
    passphrase_stdin: bool,
}

/// Where a bundle goes, and where it leads.
#[derive(Args, Debug)]
struct Place {
    /// Folder for the bundle, which must not exist [default: `./NAME`]
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Name or address by which the gateway is reached [default: as its listener suggests]
    #[arg(long, value_name = "HOST")]
    #[arg(value_parser = Host::parse)]
    host: Option<Host>,
    /// No QR code
    #[arg(long)]
    no_qr: bool,
}

/// Shortest passphrase that is taken from a person.
const PASSPHRASE_CHARS_MIN: usize = 8;

/// How somebody comes.
#[derive(Clone, Copy)]
struct Ways {
    password: bool,
    certificate: bool,
}

/// Does it with the users of the gateway.
pub fn run(arguments: &Arguments) -> ExitCode {
    super::with_settings(arguments.config.as_deref(), |settings| {
        match &arguments.action {
            Action::Add(add) => add.run(settings),
            Action::Rooms(change) => change.run(settings),
            Action::List { json } => list::print(settings, *json),
            Action::Bundle { name, place } => again(settings, name, place),
            Action::Renew { name, revoke, passphrase, place } => {
                renew(settings, name, *revoke, passphrase, place)
            }
            Action::Passwd { name, password_stdin } => passwd(settings, name, *password_stdin),
            Action::Revoke { name, certificate } => revoke(settings, name, certificate.as_deref()),
        }?;
        Ok(ExitCode::SUCCESS)
    })
}

impl Add {
    fn run(&self, settings: &Settings) -> Result<()> {
        let Self { name, .. } = self;
        let scope = self.scope(settings)?;
        let ways = self.ways(settings)?;
        let folder = &settings.gateway.state_dir;
        if state::read_users(folder)?.contains(name) {
            return Err(hinted(settings, StateError::UserExists(name.clone())));
        }
        if self.passphrase.passphrase_stdin && !ways.certificate {
            bail!(
                "a passphrase, and no certificate that it would lock\n  hint: with \
                 `--certificate`, or without `--passphrase-stdin`"
            );
        }
        let bundle = Bundle::make(settings, name, ways, &self.place)?;
        let password = match (ways.password, self.password_stdin) {
            (true, true) => Some(given("password")?),
            (true, false) => Some(state::random_password()?),
            (false, _) => None,
        };
        let keys = ways.certificate.then(|| self.passphrase.keys(settings, name)).transpose()?;
        let hash = password.as_ref().map(|it| state::hash_password(it.as_bytes())).transpose()?;
        let certificates: Vec<Issued> = keys.iter().map(|keys| issued(&keys.identity)).collect();
        let drawn = password.filter(|_| !self.password_stdin);
        let contents = Contents { scope: scope.clone(), ways, password: drawn, keys };
        hand_over(&bundle, settings, &contents, name, |users| {
            if users.contains(name) {
                return Err(StateError::UserExists(name.clone()));
            }
            let user = users.entry(name.clone());
            user.scope = Some(scope);
            user.password = hash;
            user.certificates = certificates;
            Ok(())
        })
    }

    /// As asked for, else as the listeners do.
    fn ways(&self, settings: &Settings) -> Result<Ways> {
        let password = self.password || self.password_stdin;
        let is_dropped = password && !self.certificate && self.password_stdin;
        if is_dropped && settings.listeners.iter().any(ca::trusts_it) {
            eprintln!("note: by the password alone; `--certificate` for a certificate as well");
        }
        if password || self.certificate {
            let ways = Ways { password, certificate: self.certificate };
            self.leads_in(settings, ways)?;
            return Ok(ways);
        }
        let asks = |wanted: &[Policy]| {
            settings.listeners.iter().any(|listener| wanted.contains(&listener.auth))
        };
        let both = Policy::CertificateAndPassword;
        let either = Policy::CertificateOrPassword;
        let ways = Ways {
            password: asks(&[Policy::Password, either, both]),
            certificate: settings.listeners.iter().any(ca::trusts_it),
        };
        if !ways.password && !ways.certificate && asks_foreign(settings) {
            bail!("{}", foreign(&self.name));
        }
        if !ways.password && !ways.certificate {
            bail!(
                "no listener asks who comes\n  hint: a `[[listener]]` with `tls = true` and \
                 `auth = \"certificate-or-password\"`, or `--password` for later"
            );
        }
        Ok(ways)
    }
}

impl Add {
    /// Somebody who is let in by no listener is not let in; but one on which a login is not asked
    /// for, and may be given.
    fn leads_in(&self, settings: &Settings, ways: Ways) -> Result<()> {
        let is_asking = |it: &&Listener| it.auth != Policy::Anonymous;
        let asking: Vec<&Listener> = settings.listeners.iter().filter(is_asking).collect();
        let is_elsewhere = asks_foreign(settings);
        if asking.is_empty()
            || is_elsewhere
            || asking.iter().any(|listener| ways.lead_through(listener))
        {
            return Ok(());
        }
        let (has, lacks) = match ways {
            Ways { password: true, .. } => ("a password", "--certificate"),
            Ways { password: false, .. } => ("a certificate", "--password"),
        };
        let name = &self.name;
        let said = format!(
            "no listener that asks who comes lets `{name}` in by {has} alone\n  hint: `{lacks}` as \
             well; with neither, `{name}` is given what the listeners ask for"
        );
        if asking.len() == settings.listeners.len() {
            bail!(said);
        }
        eprintln!("note: {said}");
        Ok(())
    }
}

impl Ways {
    /// Whether that listener lets in who has these. A certificate that is not ours to issue may
    /// be there.
    fn lead_through(self, listener: &Listener) -> bool {
        let is_asked = !matches!(listener.auth, Policy::Anonymous | Policy::Password);
        let is_foreign = is_asked && !ca::trusts_it(listener);
        let certificate = is_foreign || (self.certificate && ca::trusts_it(listener));
        match listener.auth {
            Policy::Anonymous | Policy::Password => self.password,
            Policy::Certificate => certificate,
            Policy::CertificateOrPassword => certificate || self.password,
            Policy::CertificateAndPassword => certificate && self.password,
        }
    }
}

impl Passphrase {
    /// A new certificate with its key, and what its file is locked with.
    fn keys(&self, settings: &Settings, name: &UserName) -> Result<Keys> {
        let given = self.passphrase_stdin.then(|| given("passphrase")).transpose()?;
        if let Some(passphrase) = &given {
            let is_typed = passphrase.chars().all(|letter| matches!(letter, ' '..='~'));
            if !is_typed || passphrase.len() < PASSPHRASE_CHARS_MIN {
                bail!(
                    "unfit for a passphrase of a PKCS#12 file\n  hint: {PASSPHRASE_CHARS_MIN} \
                     ASCII characters at least; programs differ in how they read others"
                );
            }
        }
        let is_told = given.is_none();
        let passphrase = given.map_or_else(state::random_password, Ok)?;
        if !settings.listeners.iter().any(ca::trusts_it) && asks_foreign(settings) {
            bail!("{}", foreign(name));
        }
        let identity = ca::open(settings)?.client(name.as_str(), ca::now())?;
        Ok(Keys { identity, passphrase, is_told })
    }
}

/// Whether a listener asks for certificates that are not ours to issue.
fn asks_foreign(settings: &Settings) -> bool {
    settings.listeners.iter().any(|listener| {
        let is_asked = !matches!(listener.auth, Policy::Anonymous | Policy::Password);
        is_asked && !ca::trusts_it(listener)
    })
}

fn foreign(name: &UserName) -> String {
    format!(
        "no listener takes certificates of the gateway's own authority: `client_ca` names \
         another\n  hint: have the administrator of that one issue it, with the common name \
         `{name}`, and let in by `maison subscriber add {name} --password …`"
    )
}

/// What is known of somebody: what it may, and how it comes.
fn known(settings: &Settings, name: &UserName) -> Result<(Scope, Ways)> {
    let users = state::read_users(&settings.gateway.state_dir)?;
    let known =
        users.get(name).ok_or_else(|| hinted(settings, StateError::UserUnknown(name.clone())))?;
    let scope = known.scope.clone().unwrap_or_else(whole_house);
    let certificate = !known.certificates.is_empty();
    Ok((scope, Ways { password: known.password.is_some(), certificate }))
}

/// Nothing that lets anybody in is made or changed.
fn again(settings: &Settings, name: &UserName, place: &Place) -> Result<()> {
    let (scope, ways) = known(settings, name)?;
    let bundle = Bundle::make(settings, name, ways, place)?;
    let contents = Contents { scope, ways, password: None, keys: None };
    bundle.write(settings, &contents)?.hand_over(name)
}

fn renew(
    settings: &Settings,
    name: &UserName,
    revoke: bool,
    passphrase: &Passphrase,
    place: &Place,
) -> Result<()> {
    let (scope, ways) = known(settings, name)?;
    let ways = Ways { certificate: true, ..ways };
    let bundle = Bundle::make(settings, name, ways, place)?;
    let keys = passphrase.keys(settings, name)?;
    let new = issued(&keys.identity);
    let contents = Contents { scope, ways, password: None, keys: Some(keys) };
    hand_over(&bundle, settings, &contents, name, |users| {
        if !users.contains(name) {
            return Err(StateError::UserUnknown(name.clone()));
        }
        let certificates = &mut users.entry(name.clone()).certificates;
        if revoke {
            certificates.clear();
        }
        certificates.push(new);
        Ok(())
    })
}

/// Writes a bundle, lets in whom it is for, and says how to use it. Ctrl-C leaves all or nothing.
fn hand_over(
    bundle: &Bundle,
    settings: &Settings,
    contents: &Contents,
    name: &UserName,
    change: impl FnOnce(&mut Users) -> Result<(), StateError>,
) -> Result<()> {
    let interruption = Interruption::wait()?;
    let written = bundle.write(settings, contents)?;
    interruption.last_moment()?;
    state::edit_users(&settings.gateway.state_dir, change).map_err(|it| hinted(settings, it))?;
    interruption.over();
    written.hand_over(name)
}

/// With the commands of subscribers in the place of those of `maison user`.
fn hinted(settings: &Settings, error: StateError) -> anyhow::Error {
    match error {
        StateError::UserExists(name) => anyhow!(
            "user exists already: `{name}`\n  hint: `maison subscriber renew {name}` makes a new \
             certificate, `passwd {name}` a new password; `rooms {name} ROOM,…` gives it other \
             rooms; `revoke {name}` sends it away, for a new start"
        ),
        StateError::UserUnknown(name) => {
            let folder = &settings.gateway.state_dir;
            anyhow!(user::unknown(&name, folder, "maison subscriber list"))
        }
        other => other.into(),
    }
}

/// Who is not scoped reads all rooms.
fn whole_house() -> Scope {
    Scope { rooms: vec![ALL_ROOMS.to_owned()], ..Scope::default() }
}

fn passwd(settings: &Settings, name: &UserName, from_stdin: bool) -> Result<()> {
    let folder = &settings.gateway.state_dir;
    if !state::read_users(folder)?.contains(name) {
        return Err(hinted(settings, StateError::UserUnknown(name.clone())));
    }
    let password = if from_stdin { given("password")? } else { state::random_password()? };
    state::change_password(folder, name.clone(), password.as_bytes())?;
    let drawn = if from_stdin { String::new() } else { password + "\n" };
    write!(io::stdout(), "password changed: `{name}`\n{drawn}").with_context(|| {
        format!("the password is changed, but cannot be printed; `maison subscriber passwd {name}`")
    })
}

fn revoke(settings: &Settings, name: &UserName, serial: Option<&str>) -> Result<()> {
    // As other programs write it, too.
    let serial = serial.map(|serial| serial.replace(':', "").to_ascii_lowercase());
    let serial = serial.as_deref();
    let mut is_listed = true;
    state::edit_users(&settings.gateway.state_dir, |users| {
        if !users.contains(name) {
            return Err(StateError::UserUnknown(name.clone()));
        }
        if let Some(serial) = serial {
            let certificates = &mut users.entry(name.clone()).certificates;
            let before = certificates.len();
            certificates.retain(|one| one.serial != serial);
            is_listed = certificates.len() < before;
        } else {
            users.remove(name);
        }
        Ok(())
    })
    .map_err(|error| hinted(settings, error))?;
    match serial {
        Some(serial) if !is_listed => bail!(
            "`{name}` has no certificate `{serial}`\n  hint: `maison subscriber list` shows them"
        ),
        Some(serial) => println!("certificate revoked: `{serial}` of `{name}`"),
        None => println!("revoked: `{name}`"),
    }
    Ok(())
}

/// From the terminal, unseen; else the next line of standard input.
fn given(what: &str) -> Result<String> {
    if io::stdin().is_terminal() {
        return Ok(rpassword::prompt_password(format!("{what}: "))?);
    }
    let line = first_line(io::stdin().lock()).map_err(anyhow::Error::msg)?;
    String::from_utf8(line).with_context(|| format!("the {what} is not UTF-8"))
}

/// What the list of its user says of a certificate.
pub(super) fn issued(identity: &ClientIdentity) -> Issued {
    let authority = Some(identity.authority.clone());
    Issued { serial: identity.serial.clone(), expires: identity.expires_unix_s, authority }
}

/// PEM of the authority that clients are to trust.
fn ca_pem(settings: &Settings) -> Result<Vec<u8>> {
    Ok(ca::open(settings)?.pem().to_vec())
}

fn absent(folder: &std::path::Path) -> Result<()> {
    match fs::symlink_metadata(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot look at `{}`", folder.display())),
        Ok(_) => bail!(
            "there is something already: `{}`\n  hint: move it away, or choose another place with \
             `--out`",
            folder.display()
        ),
    }
}
