//! 1-Wire through the kernel's files: `dtoverlay=w1-gpio`, drivers `w1_gpio` and `w1_therm`.
//!
//! Of a thermometer only `w1_slave` is read, for its nine raw bytes: `temperature` would hide a
//! short circuit as 0 °C and a restart as 85 °C, and is no substitute where `w1_slave` is missing.
//!
//! A read converts and blocks, 750 ms at 12 bits. Two thermometers or more that are due at a time
//! on one master convert together where its `therm_bulk_read` may be written:
//!
//! ```text
//!                       ┌─ state 1 ─▶ each read takes the common result
//! "trigger\n", blocks ──┤
//!                       └─ state 0, or not allowed ─▶ each read converts
//! ```
//!
//! A common conversion also waits in the thermometers that nobody asked: hours later the next read
//! would take that result for new. So wherever one waits, a new one is started, or what waits is
//! read and dropped.

use std::collections::BTreeSet;
use std::path::Path;

use crate::sampling::SensorId;
use crate::sensors::ds18b20::{SCRATCHPAD_BYTES, decode};
use crate::sensors::{Address, Fault, Measurement, OneWireId};

use super::sysfs::{Files, SysFs, fault};
use super::{Attached, Bus};

const DEVICES: &str = "bus/w1/devices";
const MASTER_PREFIX: &str = "w1_bus_master";
const BULK_FILE: &str = "therm_bulk_read";
/// The line end counts: without it the kernel does nothing and says nothing.
const TRIGGER: &[u8] = b"trigger\n";
/// Sensors due on one master from which a common conversion is quicker than single ones.
const WORTH_A_TRIGGER: usize = 2;
/// The family that takes no part in a common conversion.
const DS28EA00: u8 = 0x42;

/// 1-Wire thermometers behind the kernel's driver, on one master or several.
#[derive(Debug)]
pub struct KernelOneWire<S = Files> {
    files: S,
    sensors: Vec<Attached>,
}

/// A bus of the kernel and the names of the devices it has found there.
struct Master {
    folder: String,
    slaves: BTreeSet<String>,
}

/// A sensor to be read.
type Due = (SensorId, OneWireId);

/// What a read of `w1_slave` gives next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Conversion {
    /// One of its own.
    Own,
    /// The common one just made.
    Common,
    /// A common one of unknown age.
    Old,
    /// Nothing: someone else's is running.
    Running,
}

impl KernelOneWire {
    /// The `sensors` whose files are below `sysfs_root`: `/sys`, or a recorded tree.
    pub fn new(sysfs_root: &Path, sensors: Vec<Attached>) -> Self {
        Self::with_files(Files::new(sysfs_root), sensors)
    }
}

impl<S: SysFs> KernelOneWire<S> {
    /// The `sensors` whose files are these.
    pub const fn with_files(files: S, sensors: Vec<Attached>) -> Self {
        Self { files, sensors }
    }

    fn address(&self, sensor: SensorId) -> Result<OneWireId, Fault> {
        let attached = self.sensors.iter().find(|attached| attached.id == sensor);
        match attached.ok_or(Fault::Absent)?.address {
            Address::OneWire(id) => Ok(id),
            Address::I2c(_) | Address::Spi(_) | Address::Pin(_) | Address::Kernel(_) => {
                Err(Fault::WrongChip)
            }
        }
    }

    fn read_master(
        &mut self,
        master: &Master,
        due: &[Due],
        answer: &mut dyn FnMut(SensorId, Result<Measurement, Fault>),
    ) {
        let conversion = self.convert(master, due);
        for &(sensor, id) in due {
            answer(sensor, self.read_sensor(id, conversion));
        }
    }

    /// Starts a common conversion and waits for its end, if that is possible and worth it.
    fn convert(&mut self, master: &Master, due: &[Due]) -> Conversion {
        let file = format!("{}/{BULK_FILE}", master.folder);
        let before = self.bulk_state(&file);
        let together = due.iter().filter(|(_, id)| id.family != DS28EA00).count();
        let none_waits = before == Conversion::Own;
        if together == 0 || (none_waits && together < WORTH_A_TRIGGER) {
            return Conversion::Own;
        }
        match self.files.write(&file, TRIGGER) {
            // The write cannot fail, so only the state tells whether the kernel understood.
            Ok(()) => match self.bulk_state(&file) {
                Conversion::Old => Conversion::Common,
                state => state,
            },
            Err(_) => before,
        }
    }

    /// What `therm_bulk_read` says: 1, −1 or 0. Where it is missing each converts on its own.
    fn bulk_state(&mut self, file: &str) -> Conversion {
        match self.files.read(file).as_deref().map(<[u8]>::trim_ascii) {
            Ok(b"1") => Conversion::Old,
            Ok(b"-1") => Conversion::Running,
            _ => Conversion::Own,
        }
    }

    fn read_sensor(&mut self, id: OneWireId, conversion: Conversion) -> Result<Measurement, Fault> {
        let path = format!("{DEVICES}/{id}/w1_slave");
        if conversion == Conversion::Old && id.family != DS28EA00 {
            self.files.read(&path).map_err(fault)?;
        }
        let text = self.files.read(&path).map_err(fault)?;
        if text.is_empty() && conversion == Conversion::Running {
            return Err(Fault::Timeout);
        }
        measurement(id.family, &text)
    }
}

impl<S: SysFs> Bus for KernelOneWire<S> {
    fn read(
        &mut self,
        sensors: &[SensorId],
        answer: &mut dyn FnMut(SensorId, Result<Measurement, Fault>),
    ) {
        let masters = masters(&mut self.files);
        let mut due = Vec::new();
        for &sensor in sensors {
            match masters.as_ref().map_err(|&fault| fault).and_then(|_| self.address(sensor)) {
                Ok(id) => due.push((sensor, id)),
                Err(fault) => answer(sensor, Err(fault)),
            }
        }
        // Every time anew: a sensor may be plugged back in elsewhere.
        for master in masters.unwrap_or_default() {
            let here;
            (here, due) = due.into_iter().partition(|(_, id)| master.has(*id));
            self.read_master(&master, &here, answer);
        }
        for (sensor, id) in due {
            answer(sensor, self.read_sensor(id, Conversion::Own));
        }
    }
}

impl Master {
    fn has(&self, id: OneWireId) -> bool {
        self.slaves.contains(&id.to_string())
    }
}

/// The `sensors` by the bus they hang on: buses convert at the same time, so each deserves a
/// thread. A sensor that is nowhere goes with the first; wherever it turns up, it is read.
pub fn discover_masters(sysfs_root: &Path, sensors: &[Attached]) -> Vec<Vec<Attached>> {
    group_by_master(&mut Files::new(sysfs_root), sensors)
}

/// [`discover_masters`] in these files.
pub fn group_by_master<S: SysFs>(files: &mut S, sensors: &[Attached]) -> Vec<Vec<Attached>> {
    let masters = masters(files).unwrap_or_default();
    let mut groups: Vec<Vec<Attached>> = vec![Vec::new(); masters.len().saturating_add(1)];
    for sensor in sensors {
        let on = |master: &Master| match sensor.address {
            Address::OneWire(id) => master.has(id),
            Address::I2c(_) | Address::Spi(_) | Address::Pin(_) | Address::Kernel(_) => false,
        };
        let number = masters.iter().position(on).unwrap_or(masters.len());
        let group = groups.get_mut(number).expect("a group for each master and one more");
        group.push(sensor.clone());
    }
    let nowhere = groups.pop().unwrap_or_default();
    groups.retain(|group| !group.is_empty());
    match groups.first_mut() {
        Some(first) => first.extend(nowhere),
        None if nowhere.is_empty() => {}
        None => groups.push(nowhere),
    }
    groups
}

/// The masters of this machine; fails if it has no 1-Wire.
fn masters<S: SysFs>(files: &mut S) -> Result<Vec<Master>, Fault> {
    let devices = files.list(DEVICES).map_err(|error| match fault(error) {
        Fault::Absent => Fault::NoBus,
        fault => fault,
    })?;
    let names = devices.iter().filter(|name| name.starts_with(MASTER_PREFIX));
    let master = |name: &String| {
        let folder = format!("{DEVICES}/{name}");
        // One that goes away between the two calls has no slaves.
        let slaves = files.list(&folder).unwrap_or_default().into_iter().collect();
        Master { folder, slaves }
    };
    Ok(names.map(master).collect())
}

/// The temperature in the text of a `w1_slave`. Its first line has nine bytes, the checksum that
/// the kernel computed and its verdict; its second repeats old bytes after a `NO`, and `t=` says
/// nothing that the bytes don't say better.
///
/// An empty text is what the kernel gives after five tries without an answer whose checksum is
/// right, and so a [`Fault::Crc`]: an absent thermometer loses its folder too, some searches later.
fn measurement(family: u8, text: &[u8]) -> Result<Measurement, Fault> {
    if text.is_empty() {
        return Err(Fault::Crc);
    }
    let (scratchpad, verdict) = first_line(text).ok_or(Fault::Garbled)?;
    match (decode(family, &scratchpad), verdict) {
        (decoded, b"YES") => decoded,
        (Err(Fault::StuckHigh), b"NO") => Err(Fault::StuckHigh),
        (_, b"NO") => Err(Fault::Crc),
        _ => Err(Fault::Garbled),
    }
}

/// `72 01 4b 46 7f ff 0e 10 57 : crc=57 YES`.
fn first_line(text: &[u8]) -> Option<([u8; SCRATCHPAD_BYTES], &[u8])> {
    let line = text.split(|&byte| byte == b'\n').next()?;
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let mut scratchpad = [0; SCRATCHPAD_BYTES];
    for byte in &mut scratchpad {
        let word = words.next().filter(|word| word.len() == 2)?;
        *byte = u8::from_str_radix(str::from_utf8(word).ok()?, 16).ok()?;
    }
    let (colon, crc, verdict) = (words.next()?, words.next()?, words.next()?);
    (colon == b":" && crc.starts_with(b"crc=") && words.next().is_none())
        .then_some((scratchpad, verdict))
}

#[cfg(test)]
mod tests;
