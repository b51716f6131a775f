//! What somebody who is let in is given: a folder with everything, and words to paste.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use super::place::Host;
use super::snippets::{At, Login, Snippets};
use super::topics::Topics;
use super::{Place, Ways};
use crate::access::{Policy, Scope, UserName};
use crate::cli::ca;
use crate::cli::invoker::Invoker;
use crate::config::{Listener, Settings, Tls, Transport};
use crate::daemon::state;
use crate::limits::{ADDRESSES_TOLD_MAX, TLS_FILE_BYTES_MAX};
use crate::net::{ClientIdentity, Names, PKCS12_CHANCE_BYTES, read_whole, root_of};

/// A folder for one subscriber.
pub(super) struct Bundle {
    folder: PathBuf,
    name: UserName,
    door: Door,
    with_qr: bool,
    /// Who is to have it, where that is not the user of this process.
    invoker: Option<Invoker>,
}

/// What goes into it.
pub(super) struct Contents {
    pub(super) scope: Scope,
    pub(super) ways: Ways,
    /// Where it was drawn now: it is kept nowhere.
    pub(super) password: Option<String>,
    /// Where they were made now: the key is kept nowhere.
    pub(super) keys: Option<Keys>,
}

/// A new certificate with its key.
pub(super) struct Keys {
    pub(super) identity: ClientIdentity,
    /// What the PKCS#12 file is locked with.
    pub(super) passphrase: String,
    /// Whether it was drawn, so that it is to be printed.
    pub(super) is_told: bool,
}

/// By which way a subscriber comes in.
pub(super) struct Door {
    pub(super) host: Host,
    /// Where the host may be reached as well, if its name may not be found.
    pub(super) addresses: Vec<IpAddr>,
    pub(super) port: u16,
    pub(super) is_encrypted: bool,
    /// What it asks; by a password, where there is no listener yet.
    auth: Policy,
    /// Whether it asks for certificates that the administrator issues.
    pub(super) is_foreign: bool,
    /// The administrator's certificate with its chain, where it has one.
    chain: Option<PathBuf>,
}

impl Door {
    fn asks_both(&self) -> bool {
        self.auth == Policy::CertificateAndPassword
    }

    /// The listener that suits best: encrypted, of MQTT over TCP, and one that lets in by what
    /// there is, as much of it as can be, a certificate first.
    fn find(settings: &Settings, ways: Ways, host: Option<&Host>) -> Result<Self> {
        let rank = |listener: &&Listener| {
            let by_certificate = ways.certificate && ca::trusts_it(listener);
            (
                listener.tls.is_some(),
                ways.lead_through(listener),
                by_certificate,
                ways.password && listener.auth.takes_password(),
                listener.transport == Transport::Tcp,
                !listener.bind.ip().is_loopback(),
            )
        };
        // The first of the best: `max_by_key` gives the last.
        let best = settings.listeners.iter().rev().max_by_key(rank);
        let (bind, is_encrypted) = best.map_or_else(
            || (([127, 0, 0, 1], 8883).into(), true),
            |listener| (listener.bind, listener.tls.is_some()),
        );
        let (suggested, mut addresses) = match bind.ip() {
            ip if ip.is_loopback() => ("localhost".to_owned(), Vec::new()),
            ip if ip.is_unspecified() => of_this_host(ip),
            ip => (ip.to_string(), Vec::new()),
        };
        let is_own = |listener: &Listener| !matches!(listener.tls, Some(Tls::Files { .. }));
        if host.is_some() || !best.is_some_and(is_own) {
            addresses.clear();
        }
        let host = match host {
            Some(host) => host.clone(),
            None => Host::parse(&suggested).map_err(anyhow::Error::msg)?,
        };
        let auth = best.map_or(Policy::Password, |listener| listener.auth);
        let is_foreign = best.is_some_and(|listener| {
            let asks = [Policy::Certificate, Policy::CertificateAndPassword];
            asks.contains(&listener.auth) && !ca::trusts_it(listener)
        });
        let chain = best.and_then(|listener| match &listener.tls {
            Some(Tls::Files { certificate, .. }) => Some(certificate.clone()),
            Some(Tls::Own) | None => None,
        });
        let port = bind.port();
        Ok(Self { host, addresses, port, is_encrypted, auth, is_foreign, chain })
    }

    /// PEM of the authority that its certificate can be checked by, if that is known here.
    fn authority(&self, settings: &Settings) -> Result<Option<Vec<u8>>> {
        let Some(path) = &self.chain else { return Ok(Some(super::ca_pem(settings)?)) };
        let chain = read_whole(path, TLS_FILE_BYTES_MAX)
            .with_context(|| format!("cannot read `{}`", path.display()))?;
        Ok(root_of(&String::from_utf8_lossy(&chain)).map(|root| root.as_bytes().to_vec()))
    }
}

/// As the host is found in a home without a name server, and its addresses of that kind.
fn of_this_host(kind: IpAddr) -> (String, Vec<IpAddr>) {
    let names = Names::of_this_host();
    let local = names.dns.iter().find(|name| name.strip_suffix(".local").is_some());
    let is_meant = |ip: &&IpAddr| !ip.is_loopback() && (kind.is_ipv6() || ip.is_ipv4());
    let addresses = names.addresses.iter().filter(is_meant).take(ADDRESSES_TOLD_MAX);
    (local.unwrap_or(&names.host).clone(), addresses.copied().collect())
}

impl Bundle {
    /// For that subscriber; nothing is written yet.
    pub(super) fn make(
        settings: &Settings,
        name: &UserName,
        ways: Ways,
        place: &Place,
    ) -> Result<Self> {
        let folder = place.out.clone().unwrap_or_else(|| PathBuf::from(name.as_str()));
        super::absent(&folder)?;
        let door = Door::find(settings, ways, place.host.as_ref())?;
        let invoker = Invoker::of(&folder);
        Ok(Self { folder, name: name.clone(), door, with_qr: !place.no_qr, invoker })
    }

    /// Writes it whole, or leaves nothing of it. Who lets somebody in by it does so then, and
    /// [keeps](Written::hand_over) it; else it is taken away again.
    pub(super) fn write(&self, settings: &Settings, contents: &Contents) -> Result<Written> {
        let Contents { scope, ways, password, keys } = contents;
        let doing = || format!("cannot make `{}`", self.folder.display());
        DirBuilder::new().mode(0o700).create(&self.folder).with_context(doing)?;
        let mut written = Written { folder: self.folder.clone(), said: String::new(), kept: false };
        let ca = self.door.authority(settings)?;
        if let Some(ca) = &ca {
            self.file("ca.pem", ca)?;
        }
        if let Some(keys) = keys {
            self.keys(keys, &super::ca_pem(settings)?)?;
        }
        let folder = fs::canonicalize(&self.folder).with_context(doing)?;
        let folder = readable(&folder)?;
        let topics = Topics::of(&settings.gateway.root, scope, &self.name);
        let snippets = Snippets {
            name: self.name.as_str(),
            door: &self.door,
            topic: &topics.first,
            publishes: topics.publishes.as_deref(),
            client_id: topics.of_client.then_some(self.name.as_str()),
            login: match password {
                _ if !self.door.auth.takes_password() => Login::None,
                Some(password) => Login::By(password),
                // A certificate is enough, unless both are asked.
                None if ways.certificate && !(ways.password && self.door.asks_both()) => {
                    Login::None
                }
                None => Login::Unknown,
            },
            has_certificate: ways.certificate || self.door.is_foreign,
            has_authority: ca.is_some(),
            has_keys: keys.is_some(),
        };
        let (ca, identity) = (ca.as_deref(), keys.as_ref().map(|keys| &keys.identity));
        self.file("subscribe.py", snippets.python().as_bytes())?;
        self.file("subscribe.ino", snippets.sketch(ca, identity).as_bytes())?;
        if let Some(topic) = &topics.publishes {
            self.file("publish.py", snippets.python_publishing(topic).as_bytes())?;
            let sketch = snippets.sketch_publishing(topic, ca, identity);
            self.file("publish.ino", sketch.as_bytes())?;
        }
        self.file("README.txt", snippets.text(&At::Here).as_bytes())?;
        self.settle().with_context(doing)?;
        let said = &mut written.said;
        said.push_str(&snippets.text(&At::Folder(folder)));
        if let Some(password) = password.as_ref().filter(|_| !self.door.auth.takes_password()) {
            let name = &self.name;
            let _ = writeln!(
                said,
                "password of {name}: {password}  (for listeners that ask for one; not kept, nor in \
                 README.txt)\n"
            );
        }
        if let Some(Keys { passphrase, is_told: true, .. }) = keys {
            let name = &self.name;
            let _ = writeln!(
                said,
                "passphrase of {name}.p12: {passphrase}  (not kept, nor in README.txt)\n"
            );
        }
        if self.with_qr {
            said.push_str(&qr(&snippets.address())?);
        }
        Ok(written)
    }

    /// The folder itself is on the disk, and its entry.
    fn settle(&self) -> io::Result<()> {
        if let Some(invoker) = &self.invoker {
            invoker.own(&self.folder)?;
        }
        File::open(&self.folder)?.sync_all()?;
        File::open(self.folder.join(".."))?.sync_all()
    }

    fn keys(&self, keys: &Keys, ca: &[u8]) -> Result<()> {
        let (name, Keys { identity, passphrase, .. }) = (&self.name, keys);
        self.file(&format!("{name}.pem"), identity.certificate.as_bytes())?;
        self.file(&format!("{name}.key"), identity.key.as_bytes())?;
        let chance = state::draw::<PKCS12_CHANCE_BYTES>()?;
        let locked = identity.pkcs12(name.as_str(), ca, passphrase, &chance)?;
        self.file(&format!("{name}.p12"), &locked)
    }

    fn file(&self, name: &str, content: &[u8]) -> Result<()> {
        let path = self.folder.join(name);
        let write = |path: &Path| {
            let mut file =
                OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(content)?;
            file.sync_all()
        };
        write(&path).with_context(|| format!("cannot write `{}`", path.display()))
    }
}

fn qr(text: &str) -> Result<String> {
    let code = QrCode::new(text).context("too much for a QR code")?;
    let drawn = code.render::<Dense1x2>().quiet_zone(true).build();
    Ok(format!("{drawn}\n{text}\n"))
}

/// The path as it can be pasted.
fn readable(path: &Path) -> Result<&str> {
    match path.to_str() {
        Some(text) if !text.chars().any(char::is_control) => Ok(text),
        _ => bail!(
            "no line to paste can name `{}`\n  hint: UTF-8 without control characters; another \
             place with `--out`",
            path.display()
        ),
    }
}

/// A bundle on the disk, of which nothing has been said yet.
pub(super) struct Written {
    folder: PathBuf,
    said: String,
    kept: bool,
}

impl Written {
    /// It stays, and how to use it is printed.
    pub(super) fn hand_over(mut self, name: &UserName) -> Result<()> {
        self.kept = true;
        let mut out = io::stdout().lock();
        out.write_all(self.said.as_bytes()).and_then(|()| out.flush()).with_context(|| {
            format!(
                "cannot print how to use `{folder}`; it is whole, and {folder}/README.txt says it. \
                 What opens a .p12 file is said only here: `maison subscriber renew {name}` makes \
                 a new one, `maison subscriber passwd {name}` a new password",
                folder = self.folder.display()
            )
        })
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = fs::remove_dir_all(&self.folder)
        {
            crate::cli::complain(format_args!(
                "cannot take `{}` away again, which is worth nothing: {error}",
                self.folder.display()
            ));
        }
    }
}
