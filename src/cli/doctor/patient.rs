//! Who is examined: the configuration, the gateway that runs on it if there is one, the machine.

use std::fs;
use std::path::{Path, PathBuf};

use super::account::{self, Account};
use crate::bus::survey::ONE_WIRE;
use crate::bus::sysfs::Files;
use crate::config::{Bus, Room, Sensor, Settings};
use crate::daemon::control::{self, Answer, Request, Trouble};
use crate::daemon::settings::{DEFAULT_PATH, LoadError, load};
use crate::daemon::status::Status;

/// All that the areas look at.
pub(super) struct Patient {
    /// The main file of the configuration.
    pub(super) config: PathBuf,
    /// Why that cannot be used; the defaults stand for it then.
    pub(super) trouble: Option<LoadError>,
    pub(super) settings: Settings,
    /// How the gateway says that it is.
    pub(super) gateway: Result<Box<Status>, Trouble>,
    /// As whom it runs, or would.
    pub(super) account: Account,
    /// Below which `/boot`, `/dev`, `/etc`, `/proc` and `/run` are.
    root: PathBuf,
}

impl Patient {
    /// Of the configuration at `path`, or at the default one, on this machine.
    pub(super) fn new(path: Option<&Path>) -> Self {
        Self::on(Path::new("/"), path)
    }

    /// The same on a machine whose files are below `root`.
    pub(super) fn on(root: &Path, path: Option<&Path>) -> Self {
        let config = path.unwrap_or(Path::new(DEFAULT_PATH)).to_owned();
        let (settings, trouble) = match load(Some(&config)) {
            Ok(settings) => (settings, None),
            Err(error) => (Settings::default(), Some(error)),
        };
        let gateway = ask(&settings.gateway.state_dir);
        let process = gateway.as_ref().ok().map(|status| status.pid);
        let account = Account::of_service(root, &settings.gateway.state_dir, process);
        Self { config, trouble, settings, gateway, account, root: root.to_owned() }
    }

    /// The kernel's files, or the recorded ones.
    pub(super) fn sysfs(&self) -> Files {
        Files::new(&self.settings.hardware.sysfs)
    }

    /// Where the kernel's 1-Wire buses are.
    pub(super) fn one_wire(&self) -> PathBuf {
        self.settings.hardware.sysfs.join(ONE_WIRE)
    }

    /// Where `path` of the machine is, which begins without `/`.
    pub(super) fn place(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// A text file of the machine; empty if it cannot be read.
    pub(super) fn text(&self, path: &str) -> String {
        fs::read_to_string(self.place(path)).unwrap_or_default()
    }

    pub(super) fn state_dir(&self) -> &Path {
        &self.settings.gateway.state_dir
    }

    /// Whether a gateway is at work, as far as that can be seen.
    pub(super) fn is_at_work(&self) -> bool {
        !matches!(self.gateway, Err(Trouble::NotRunning))
    }

    /// Whether the service manager knows the gateway.
    pub(super) fn has_unit(&self) -> bool {
        account::unit(&self.root).is_some()
    }

    /// All sensors with their rooms.
    pub(super) fn sensors(&self) -> impl Iterator<Item = (&Room, &Sensor)> {
        let rooms = self.settings.rooms.iter();
        rooms.flat_map(|room| room.sensors.iter().map(move |sensor| (room, sensor)))
    }

    /// The rooms that need a bus, by their slugs; empty: none does.
    pub(super) fn rooms_on(&self, is_it: impl Fn(Bus) -> bool) -> String {
        let mut rooms: Vec<&str> = self
            .sensors()
            .filter(|(_, sensor)| is_it(sensor.bus))
            .map(|(room, _)| room.slug.as_str())
            .collect();
        rooms.dedup();
        rooms.join(", ")
    }

    /// The words `--config FILE` for a command, with a space before; none for the default file.
    pub(super) fn with_config(&self) -> String {
        if self.config == Path::new(DEFAULT_PATH) {
            return String::new();
        }
        format!(" --config {}", super::finding::quoted(&self.config))
    }
}

fn ask(state_dir: &Path) -> Result<Box<Status>, Trouble> {
    match control::ask(state_dir, Request::Status {})? {
        Answer::Status { status } => Ok(status),
        other => Err(Trouble::Misunderstood(format!("it answers another question: {other:?}"))),
    }
}
