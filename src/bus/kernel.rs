//! Thermometers that the kernel reads: hwmon, IIO and thermal zones, by what they call themselves.
//! Their numbers change with each boot, so a device is looked up at each reading.

use std::path::Path;

use crate::sampling::SensorId;
use crate::sensors::kernel::{Number, measurement, number};
use crate::sensors::{Address, Fault, KernelName, Measurement};

use super::sysfs::{Files, SysFs, fault};
use super::{Attached, Bus};

/// A subsystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// `/sys/class/hwmon`.
    Hwmon,
    /// `/sys/bus/iio/devices`.
    Iio,
    /// `/sys/class/thermal`.
    Thermal,
}

/// Devices of one subsystem.
#[derive(Debug)]
pub struct KernelFiles<S = Files> {
    files: S,
    class: Class,
    sensors: Vec<(SensorId, KernelName)>,
}

impl Class {
    pub(super) const fn folder(self) -> &'static str {
        match self {
            Self::Hwmon => "class/hwmon",
            Self::Iio => "bus/iio/devices",
            Self::Thermal => "class/thermal",
        }
    }

    /// How the names in its folder begin, and the file that says what a device calls itself.
    pub(super) const fn devices(self) -> (&'static str, &'static str) {
        match self {
            Self::Hwmon => ("hwmon", "name"),
            Self::Iio => ("iio:device", "name"),
            Self::Thermal => ("thermal_zone", "type"),
        }
    }

    /// The usual channel.
    pub(super) const fn channel(self) -> &'static str {
        match self {
            Self::Hwmon => "temp1",
            Self::Iio => "in_temp",
            Self::Thermal => "temp",
        }
    }

    /// What the device in this folder belongs to: the last part of the link `device`; of IIO, the
    /// part before the last of its own link.
    pub(super) fn parent<S: SysFs>(self, files: &mut S, path: &str) -> Option<String> {
        let (link, at) = match self {
            Self::Iio => (files.link(path), 1),
            Self::Hwmon | Self::Thermal => (files.link(&format!("{path}/device")), 0),
        };
        link.ok()?.rsplit('/').nth(at).map(str::to_owned)
    }
}

impl KernelFiles {
    /// The `sensors` whose files are below `sysfs_root`: `/sys`, or a recorded tree.
    pub fn new(sysfs_root: &Path, class: Class, sensors: &[Attached]) -> Self {
        Self::with_files(Files::new(sysfs_root), class, sensors)
    }
}

impl<S: SysFs> KernelFiles<S> {
    /// The `sensors` whose files are these.
    pub fn with_files(files: S, class: Class, sensors: &[Attached]) -> Self {
        let named = sensors.iter().filter_map(|sensor| match &sensor.address {
            Address::Kernel(name) => Some((sensor.id, name.clone())),
            Address::OneWire(_) | Address::I2c(_) | Address::Spi(_) | Address::Pin(_) => None,
        });
        Self { files, class, sensors: named.collect() }
    }

    fn read_one(&mut self, sensor: SensorId) -> Result<Measurement, Fault> {
        let found = self.sensors.iter().find(|(id, _)| *id == sensor);
        let (_, name) = found.ok_or(Fault::Absent)?.clone();
        let folder = self.find(&name)?;
        let channel = name.channel.as_deref().unwrap_or(self.class.channel());
        match self.class {
            Class::Hwmon => self.hwmon(&folder, channel),
            Class::Iio => self.iio(&folder, channel),
            Class::Thermal => {
                let celsius = self.number(&folder, channel)?;
                Ok(measurement(Number::plain(celsius), None, None))
            }
        }
    }

    /// The folder of the only device of that name. Where there are two, it takes the device they
    /// belong to to tell them apart.
    fn find(&mut self, name: &KernelName) -> Result<String, Fault> {
        let (prefix, file) = self.class.devices();
        let folder = self.class.folder();
        let entries = self.files.list(folder).map_err(|error| match fault(error) {
            Fault::Absent => Fault::NoBus,
            fault => fault,
        })?;
        let mut found = None;
        for entry in entries.iter().filter(|entry| entry.starts_with(prefix)) {
            let path = format!("{folder}/{entry}");
            // One that goes away meanwhile is none.
            let Ok(text) = self.files.read(&format!("{path}/{file}")) else { continue };
            if calls_itself(&text, &name.name)
                && name.device.as_deref().is_none_or(|device| self.belongs_to(&path, device))
                && found.replace(path).is_some()
            {
                return Err(Fault::WrongChip);
            }
        }
        found.ok_or(Fault::Absent)
    }

    /// Whether the device in this folder belongs to that one.
    fn belongs_to(&mut self, path: &str, device: &str) -> bool {
        self.class.parent(&mut self.files, path).as_deref() == Some(device)
    }

    /// A diode that is cut says so beside its value.
    fn hwmon(&mut self, folder: &str, channel: &str) -> Result<Measurement, Fault> {
        if self.number_if_there(folder, &format!("{channel}_fault"))?.is_some_and(|it| it != 0.0) {
            return Err(Fault::Open);
        }
        let celsius = self.number(folder, &format!("{channel}_input"))?;
        let percent = self.number_if_there(folder, "humidity1_input")?;
        Ok(measurement(Number::plain(celsius), percent.map(Number::plain), None))
    }

    fn iio(&mut self, folder: &str, channel: &str) -> Result<Measurement, Fault> {
        let temperature = self.channel(folder, channel)?.ok_or(Fault::Absent)?;
        let humidity = self.channel(folder, "in_humidityrelative")?;
        let pressure = self.channel(folder, "in_pressure")?;
        Ok(measurement(temperature, humidity, pressure))
    }

    /// A channel of IIO: `_input`, or `_raw` with `_offset`, which is left out where it is 0, and
    /// `_scale`, which is there "if known": without it nobody knows the unit
    /// (Documentation/ABI/testing/sysfs-bus-iio). A scale of 0 makes all the same.
    fn channel(&mut self, folder: &str, channel: &str) -> Result<Option<Number>, Fault> {
        if let Some(value) = self.number_if_there(folder, &format!("{channel}_input"))? {
            return Ok(Some(Number::plain(value)));
        }
        let Some(raw) = self.number_if_there(folder, &format!("{channel}_raw"))? else {
            return Ok(None);
        };
        let offset = self.number_if_there(folder, &format!("{channel}_offset"))?.unwrap_or(0.0);
        let scale = self.number_if_there(folder, &format!("{channel}_scale"))?;
        let scale = scale.filter(|scale| *scale != 0.0).ok_or(Fault::Garbled)?;
        Ok(Some(Number { raw, offset, scale }))
    }

    fn number(&mut self, folder: &str, file: &str) -> Result<f64, Fault> {
        number(&self.files.read(&format!("{folder}/{file}")).map_err(fault)?)
    }

    fn number_if_there(&mut self, folder: &str, file: &str) -> Result<Option<f64>, Fault> {
        match self.number(folder, file) {
            Ok(number) => Ok(Some(number)),
            Err(Fault::Absent) => Ok(None),
            Err(fault) => Err(fault),
        }
    }
}

impl<S: SysFs> Bus for KernelFiles<S> {
    fn read(
        &mut self,
        sensors: &[SensorId],
        answer: &mut dyn FnMut(SensorId, Result<Measurement, Fault>),
    ) {
        for sensor in sensors {
            let reading = self.read_one(*sensor);
            answer(*sensor, reading);
        }
    }
}

/// Devices of the device tree add where they are: `dht11@4` is a `dht11` too.
fn calls_itself(text: &[u8], name: &str) -> bool {
    let text = text.trim_ascii();
    text == name.as_bytes() || text.split(|byte| *byte == b'@').next() == Some(name.as_bytes())
}

#[cfg(test)]
mod tests;
