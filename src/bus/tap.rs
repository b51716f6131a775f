//! What is said on a bus, for somebody who listens: a wrapper around whatever a driver talks to. To
//! the driver nothing is different, and without a listener nothing is kept.

mod files;
mod pin;
mod wires;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use super::reopen::Refused;
use crate::sensors::Fault;

pub use files::{FileStep, Trouble};
pub use pin::{Look, Looks};
pub use wires::{Failure, Hex, Step};

/// Something that was said on a bus, or done to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Said {
    /// Its device was opened.
    Opened,
    /// Its device could not be opened: the name of the fault.
    Refused(FaultName),
    /// Another process did not give it back.
    Busy,
    /// A transaction on I²C.
    I2c {
        /// 7 bits.
        at: u8,
        /// What was written and read; what was read counts only where nothing failed.
        steps: Vec<Step>,
        /// How it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failed: Option<Failure>,
    },
    /// A transaction on SPI.
    Spi {
        /// What went both ways.
        steps: Vec<Step>,
        /// How it failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failed: Option<Failure>,
    },
    /// A file of the kernel.
    File(FileStep),
    /// What was seen of a pin, and when it was looked.
    Looks(Looks),
}

/// A fault by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FaultName(pub Fault);

impl From<FaultName> for String {
    fn from(FaultName(fault): FaultName) -> Self {
        fault.name().to_owned()
    }
}

impl TryFrom<String> for FaultName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let fault = Fault::ALL.into_iter().find(|fault| fault.name() == name);
        fault.map(Self).ok_or_else(|| format!("unknown fault: `{name}`"))
    }
}

type Ear = dyn Fn(&str, Said) + Send + Sync;

/// Who listens to all buses, if anybody does.
#[derive(Clone, Default)]
pub struct Taps(Option<Arc<Listening>>);

struct Listening {
    ear: Box<Ear>,
    taps: Mutex<BTreeMap<String, Tap>>,
}

/// Who listens to one bus, if anybody does. Clones are of one bus.
#[derive(Clone, Default)]
pub struct Tap(Option<Arc<One>>);

struct One {
    bus: String,
    to: Arc<Listening>,
    looks: Mutex<Looks>,
}

impl Taps {
    /// Each thing that is said goes to `ear`, with the name of its bus.
    pub fn new(ear: impl Fn(&str, Said) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(Listening { ear: Box::new(ear), taps: Mutex::default() })))
    }

    /// The tap of the bus of that name.
    pub fn of(&self, bus: &str) -> Tap {
        let Some(to) = &self.0 else { return Tap::default() };
        let mut taps = to.taps.lock().unwrap_or_else(PoisonError::into_inner);
        let one = || One { bus: bus.to_owned(), to: Arc::clone(to), looks: Mutex::default() };
        taps.entry(bus.to_owned()).or_insert_with(|| Tap(Some(Arc::new(one())))).clone()
    }
}

impl Tap {
    /// Passes on what `said` makes, if anybody listens.
    pub fn tell(&self, said: impl FnOnce() -> Said) {
        if let Some(one) = &self.0 {
            (one.to.ear)(&one.bus, said());
        }
    }

    /// Passes on whether a device could be opened.
    #[cfg_attr(
        not(any(feature = "linux", feature = "rppal")),
        expect(dead_code, reason = "nothing opens a device")
    )]
    pub(super) fn opened<T>(&self, device: Result<T, Refused>) -> Result<T, Refused> {
        self.tell(|| match &device {
            Ok(_) => Said::Opened,
            Err(refused) => Said::Refused(FaultName(refused.fault)),
        });
        device
    }

    /// Notes something of a pin, to be told at the next [`Tap::flush`].
    fn look(&self, note: impl FnOnce(&mut Looks)) {
        if let Some(one) = &self.0 {
            note(&mut one.looks.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Tells what was seen of a pin since the last time.
    pub fn flush(&self) {
        let Some(one) = &self.0 else { return };
        let looks = std::mem::take(&mut *one.looks.lock().unwrap_or_else(PoisonError::into_inner));
        if !looks.is_empty() {
            (one.to.ear)(&one.bus, Said::Looks(looks.shortened()));
        }
    }
}

impl fmt::Debug for Tap {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Tap").field(&self.0.as_ref().map(|one| &one.bus)).finish()
    }
}

/// What a driver talks to, with somebody who listens.
#[derive(Debug)]
pub struct Tapped<T> {
    inner: T,
    tap: Tap,
}

impl<T> Tapped<T> {
    /// Tells `tap` what is said.
    pub const fn new(inner: T, tap: Tap) -> Self {
        Self { inner, tap }
    }
}

impl<T> Deref for Tapped<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> DerefMut for Tapped<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}
