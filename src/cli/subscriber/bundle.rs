//! What somebody who is let in is given: a folder with everything, and words to paste.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;

use super::snippets::{Login, Snippets};
use super::{Place, Ways};
use crate::access::{ALL_ROOMS, Policy, Scope, UserName};
use crate::config::{Settings, Transport};
use crate::daemon::state;
use crate::net::{ClientIdentity, Names, PKCS12_CHANCE_BYTES};

/// A folder for one subscriber.
pub(super) struct Bundle {
    folder: PathBuf,
    name: UserName,
    door: Door,
    with_qr: bool,
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
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) is_encrypted: bool,
    asks_both: bool,
}

impl Door {
    /// The listener that suits best: encrypted, of MQTT over TCP, and one that takes a certificate
    /// where there is one.
    fn find(settings: &Settings, by_certificate: bool, host: Option<&str>) -> Self {
        let rank = |listener: &&crate::config::Listener| {
            let takes_certificate = !matches!(listener.auth, Policy::Anonymous | Policy::Password);
            (
                listener.tls.is_some(),
                takes_certificate == by_certificate,
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
        let suggested = if bind.ip().is_loopback() {
            "localhost".to_owned()
        } else if bind.ip().is_unspecified() {
            local_name()
        } else {
            bind.ip().to_string()
        };
        let host = host.map_or(suggested, str::to_owned);
        let asks_both = best.is_some_and(|it| it.auth == Policy::CertificateAndPassword);
        Self { host, port: bind.port(), is_encrypted, asks_both }
    }
}

/// As the host is found in a home without a name server.
fn local_name() -> String {
    let names = Names::of_this_host();
    let local = names.dns.iter().find(|name| name.strip_suffix(".local").is_some());
    local.unwrap_or(&names.host).clone()
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
        let door = Door::find(settings, ways.certificate, place.host.as_deref());
        Ok(Self { folder, name: name.clone(), door, with_qr: !place.no_qr })
    }

    /// Writes it and prints how to use it.
    pub(super) fn write(&self, settings: &Settings, contents: &Contents) -> Result<()> {
        let Contents { scope, ways, password, keys } = contents;
        let doing = || format!("cannot make `{}`", self.folder.display());
        DirBuilder::new().mode(0o700).create(&self.folder).with_context(doing)?;
        let ca = super::ca_pem(settings)?;
        self.file("ca.pem", &ca)?;
        if let Some(keys) = keys {
            self.keys(keys, &ca)?;
        }
        let folder = fs::canonicalize(&self.folder).unwrap_or_else(|_| self.folder.clone());
        let snippets = Snippets {
            folder: &folder,
            name: self.name.as_str(),
            door: &self.door,
            topic: &topic(&settings.gateway.root, scope),
            login: match password {
                Some(password) => Login::By(password),
                // A certificate is enough, unless both are asked.
                None if ways.certificate && !(ways.password && self.door.asks_both) => Login::None,
                None => Login::Unknown,
            },
            has_certificate: ways.certificate,
            has_keys: keys.is_some(),
        };
        self.file("subscribe.py", snippets.python().as_bytes())?;
        let sketch = snippets.sketch(&ca, keys.as_ref().map(|keys| &keys.identity));
        self.file("subscribe.ino", sketch.as_bytes())?;
        let text = snippets.text();
        self.file("README.txt", text.as_bytes())?;
        print!("{text}");
        if let Some(Keys { passphrase, is_told: true, .. }) = keys {
            let name = &self.name;
            println!("passphrase of {name}.p12: {passphrase}  (not kept, nor in README.txt)\n");
        }
        if self.with_qr {
            print_qr(&snippets.address())?;
        }
        Ok(())
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

/// What to subscribe to first.
fn topic(root: &str, scope: &Scope) -> String {
    match (scope.rooms.as_slice(), scope.read.first()) {
        ([], Some(filter)) => filter.as_str().to_owned(),
        ([], None) => format!("{root}/_gateway/state"),
        ([slug], _) if slug != ALL_ROOMS => format!("{root}/{slug}/#"),
        _ => format!("{root}/+/temperature"),
    }
}

fn print_qr(text: &str) -> Result<()> {
    let code = QrCode::new(text).context("too much for a QR code")?;
    let drawn = code.render::<Dense1x2>().quiet_zone(true).build();
    println!("{drawn}\n{text}");
    Ok(())
}
