//! A thermometer behind the kernel's driver: when it converts, what its files then say.

use std::time::Duration;

use crate::sim::scratchpad::{self, Resolution};
use crate::units::MilliCelsius;

use super::Refusal;

/// Bus time of one scratchpad through the kernel, measured.
const SCRATCHPAD_TIME: Duration = Duration::from_millis(13);
/// The one family that takes no part in a common conversion.
const DS28EA00: u8 = 0x42;
/// The one family without a choice of resolution.
const DS18S20: u8 = 0x10;

/// A thermometer.
#[derive(Clone, Debug)]
pub struct Slave {
    /// One of [`scratchpad::FAMILIES`].
    pub family: u8,
    /// 48 bits.
    pub serial: u64,
    /// Where it hangs.
    pub temperature: MilliCelsius,
    /// In its configuration register.
    pub resolution: Resolution,
    /// What is wrong with it.
    pub condition: Condition,
    scratchpad: [u8; scratchpad::BYTES],
    last_good: [u8; scratchpad::BYTES],
    conversion: Conversion,
}

/// What is wrong with a slave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing.
    Sound,
    /// It restarts in each conversion, for want of current: 85 °C.
    Restarting,
    /// It misses the command to convert: the bytes of before.
    Deaf,
    /// It does not answer, or never with a right checksum: an empty file.
    Silent,
    /// A wrong checksum, as older kernels show it: `NO`, and the last good bytes below.
    Noisy,
    /// Its bus is shorted to ground: nine zeros, whose checksum is right.
    Shorted,
    /// Nothing drives its bus: nine times 0xFF.
    Floating,
    /// Its file may not be opened.
    Denied,
    /// Its file gives an error.
    Broken,
}

/// Whether a common conversion waits to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Conversion {
    None,
    Waiting,
}

impl Slave {
    /// A sound thermometer that has not converted yet.
    pub fn new(family: u8, serial: u64, temperature: MilliCelsius) -> Self {
        let resolution = Resolution::default();
        let scratchpad = scratchpad::power_on(family, resolution);
        Self {
            family,
            serial,
            temperature,
            resolution,
            condition: Condition::Sound,
            scratchpad,
            last_good: [0x00; scratchpad::BYTES],
            conversion: Conversion::None,
        }
    }

    /// The same, in another condition.
    #[must_use]
    pub fn but(self, condition: Condition) -> Self {
        Self { condition, ..self }
    }

    /// As its folder is called.
    pub fn name(&self) -> String {
        format!("{:02x}-{:012x}", self.family, self.serial)
    }

    /// What its folder holds.
    pub(super) const fn files(&self) -> &'static [&'static str] {
        match self.family {
            DS18S20 => &["name", "temperature", "w1_slave"],
            _ => &["name", "resolution", "temperature", "w1_slave"],
        }
    }

    pub(super) const fn converts_with_others(&self) -> bool {
        self.family != DS28EA00
    }

    /// Whether a common conversion waits to be read.
    pub(super) fn waits(&self) -> bool {
        self.conversion == Conversion::Waiting
    }

    /// The time it takes.
    pub(super) fn convert_with_others(&mut self) -> Duration {
        if !self.converts_with_others() {
            return Duration::ZERO;
        }
        self.conversion = Conversion::Waiting;
        self.convert()
    }

    fn convert(&mut self) -> Duration {
        match self.condition {
            Condition::Deaf => {}
            Condition::Restarting => {
                self.scratchpad = scratchpad::power_on(self.family, self.resolution);
            }
            _ => {
                self.scratchpad =
                    scratchpad::converted(self.family, self.temperature, self.resolution);
            }
        }
        Duration::from_millis(self.resolution.conversion_ms())
    }

    /// What one of [`Slave::files`] says when it is read now, and adds the time that takes.
    pub(super) fn show(&mut self, file: &str, bus_time: &mut Duration) -> Result<String, Refusal> {
        match file {
            "name" => Ok(self.name() + "\n"),
            "resolution" if self.family != DS18S20 => Ok(format!("{}\n", self.resolution.bits())),
            "temperature" => self.answer(bus_time).map(|answer| match answer {
                Some(bytes) => format!("{}\n", scratchpad::kernel_thousandths(self.family, &bytes)),
                None => String::new(),
            }),
            "w1_slave" => self
                .answer(bus_time)
                .map(|answer| answer.map_or_else(String::new, |bytes| self.two_lines(bytes))),
            _ => Err(Refusal::NotFound),
        }
    }

    /// The bytes that came over the wire; `None` where the kernel's driver gives up.
    fn answer(
        &mut self,
        bus_time: &mut Duration,
    ) -> Result<Option<[u8; scratchpad::BYTES]>, Refusal> {
        match self.condition {
            Condition::Denied => return Err(Refusal::PermissionDenied),
            Condition::Broken => return Err(Refusal::Failed),
            _ => {}
        }
        if std::mem::replace(&mut self.conversion, Conversion::None) == Conversion::None {
            *bus_time += self.convert();
        }
        *bus_time += SCRATCHPAD_TIME;
        Ok(match self.condition {
            Condition::Silent => None,
            Condition::Shorted => Some([0x00; scratchpad::BYTES]),
            Condition::Floating => Some([0xFF; scratchpad::BYTES]),
            Condition::Noisy => {
                let mut heard = self.scratchpad;
                heard[0] ^= 0x10;
                Some(heard)
            }
            _ => Some(self.scratchpad),
        })
    }

    fn two_lines(&mut self, answer: [u8; scratchpad::BYTES]) -> String {
        let [first @ .., crc] = answer;
        let [.., computed] = scratchpad::sealed(first);
        let verdict = if crc == computed { "YES" } else { "NO" };
        if crc == computed {
            self.last_good = answer;
        }
        let (heard, kept) = (in_digits(&answer), in_digits(&self.last_good));
        let thousandths = scratchpad::kernel_thousandths(self.family, &answer);
        format!("{heard}: crc={computed:02x} {verdict}\n{kept}t={thousandths}\n")
    }
}

/// `72 01 ` and so on.
fn in_digits(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x} "))
}
