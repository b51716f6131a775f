//! The kernel's other thermometers, in memory: hwmon, IIO and thermal zones with their names, links
//! and numbers, which change with each boot.
//!
//! ```text
//! class/hwmon/hwmon0/              name  temp1_input  temp1_fault  humidity1_input
//! class/hwmon/hwmon0/device      → ../../../1-0048
//! bus/iio/devices/iio:device0    → ../../../devices/platform/dht11@4/iio:device0
//! bus/iio/devices/iio:device0/     name  in_temp_input  in_humidityrelative_input
//! class/thermal/thermal_zone0/     type  temp
//! ```

use crate::sim::air::Air;
use crate::sim::sysfs::Refusal;

/// A subsystem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Hardware monitoring.
    Hwmon,
    /// Industrial input and output.
    Iio,
    /// Thermal zones.
    Thermal,
}

impl Class {
    const ALL: [Self; 3] = [Self::Hwmon, Self::Iio, Self::Thermal];

    /// Its folder, and how the names there begin.
    const fn folder(self) -> (&'static str, &'static str) {
        match self {
            Self::Hwmon => ("class/hwmon", "hwmon"),
            Self::Iio => ("bus/iio/devices", "iio:device"),
            Self::Thermal => ("class/thermal", "thermal_zone"),
        }
    }
}

/// What a device of IIO shows of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One file, in the subsystem's unit.
    Processed,
    /// Three: raw, offset and scale.
    Raw,
}

/// What a device shows of the air besides its temperature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Besides {
    /// Nothing.
    Nothing,
    /// The humidity.
    Humidity,
    /// On IIO, the pressure too.
    Pressure,
}

/// Whether a device is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is.
    Plugged,
    /// Its driver has lost it.
    Unplugged,
}

/// A device of the kernel.
#[derive(Clone, Debug)]
pub struct Device {
    /// Its subsystem.
    pub class: Class,
    /// What it calls itself.
    pub name: String,
    /// The device it belongs to: `1-0048`.
    pub parent: String,
    /// Whose temperature it shows: `temp1`, `in_temp`; a thermal zone shows one only.
    pub channel: String,
    /// As which numbers; of IIO only.
    pub form: Form,
    /// What it shows besides.
    pub besides: Besides,
    /// What it is in.
    pub air: Air,
    /// Whether it is there.
    pub presence: Presence,
    /// `EIO` for whatever is read.
    pub fails: bool,
    /// Its diode is cut; of hwmon only.
    pub is_cut: bool,
}

impl Device {
    /// One in order, that shows the temperature only.
    pub fn new(class: Class, name: &str, parent: &str, channel: &str) -> Self {
        Self {
            class,
            name: name.to_owned(),
            parent: parent.to_owned(),
            channel: channel.to_owned(),
            form: Form::Processed,
            besides: Besides::Nothing,
            air: Air::default(),
            presence: Presence::Plugged,
            fails: false,
            is_cut: false,
        }
    }

    /// Its files and what they say.
    fn files(&self) -> Vec<(String, String)> {
        let celsius = self.air.temperature.thousandths();
        let percent = self.air.humidity.thousandths();
        let channel = &self.channel;
        let mut files: Vec<(String, String)> = match self.class {
            Class::Hwmon => vec![
                ("name".into(), self.name.clone()),
                (format!("{channel}_input"), celsius.to_string()),
                (format!("{channel}_fault"), u8::from(self.is_cut).to_string()),
            ],
            Class::Thermal => {
                vec![("type".into(), self.name.clone()), ("temp".into(), celsius.to_string())]
            }
            Class::Iio => vec![("name".into(), self.name.clone())],
        };
        match (self.class, self.form) {
            (Class::Iio, Form::Processed) => {
                files.push((format!("{channel}_input"), celsius.to_string()));
            }
            // A step of a sixteenth of a degree.
            (Class::Iio, Form::Raw) => files.extend([
                (format!("{channel}_raw"), ((celsius * 2 + 62).div_euclid(125) + 801).to_string()),
                (format!("{channel}_offset"), "-801".into()),
                (format!("{channel}_scale"), "62.500000000".into()),
            ]),
            (Class::Hwmon | Class::Thermal, _) => {}
        }
        match self.class {
            Class::Hwmon if self.besides != Besides::Nothing => {
                files.push(("humidity1_input".into(), percent.to_string()));
            }
            Class::Iio if self.besides != Besides::Nothing => {
                files.push(("in_humidityrelative_input".into(), percent.to_string()));
            }
            _ => {}
        }
        match self.class {
            Class::Iio if self.besides == Besides::Pressure => {
                let deci = self.air.pressure.thousandths();
                let kilopascal = format!("{}.{:04}00000", deci / 10_000, deci % 10_000);
                files.push(("in_pressure_input".into(), kilopascal));
            }
            _ => {}
        }
        files
    }
}

/// `/sys`, as far as these go.
#[derive(Clone, Debug, Default)]
pub struct Kernel {
    /// In the order in which they were found at boot.
    pub devices: Vec<Device>,
}

impl Kernel {
    /// Devices by the folder that each has.
    fn folders(&self) -> impl Iterator<Item = (String, &Device)> {
        Class::ALL.into_iter().flat_map(|class| {
            let (folder, prefix) = class.folder();
            let mine = self.devices.iter();
            let mine = mine.filter(move |device| {
                device.class == class && device.presence == Presence::Plugged
            });
            mine.enumerate()
                .map(move |(number, device)| (format!("{folder}/{prefix}{number}"), device))
        })
    }

    /// The content of a file.
    pub fn read(&self, path: &str) -> Result<Vec<u8>, Refusal> {
        for (folder, device) in self.folders() {
            let Some(file) = path.strip_prefix(&format!("{folder}/")) else { continue };
            let found = device.files().into_iter().find(|(name, _)| name == file);
            let (name, text) = found.ok_or(Refusal::NotFound)?;
            let is_name = matches!(name.as_str(), "name" | "type");
            return if device.fails && !is_name {
                Err(Refusal::Failed)
            } else {
                Ok(format!("{text}\n").into_bytes())
            };
        }
        Err(Refusal::NotFound)
    }

    /// The names in a folder.
    pub fn list(&self, path: &str) -> Result<Vec<String>, Refusal> {
        if let Some((_, device)) = self.folders().find(|(folder, _)| folder == path) {
            return Ok(device.files().into_iter().map(|(name, _)| name).collect());
        }
        let below =
            |(folder, _): (String, _)| folder.strip_prefix(&format!("{path}/")).map(str::to_owned);
        let names: Vec<String> = self.folders().filter_map(below).collect();
        // The folder of a subsystem outlives its devices.
        let is_there = |device: &Device| device.class.folder().0 == path;
        let is_known = !names.is_empty() || self.devices.iter().any(is_there);
        if is_known { Ok(names) } else { Err(Refusal::NotFound) }
    }

    /// What a symbolic link says.
    pub fn link(&self, path: &str) -> Result<String, Refusal> {
        for (folder, device) in self.folders() {
            let parent = &device.parent;
            let number = folder.rsplit('/').next().unwrap_or_default();
            match device.class {
                Class::Iio if path == folder => {
                    return Ok(format!("../../../devices/platform/{parent}/{number}"));
                }
                Class::Hwmon if path == format!("{folder}/device") => {
                    return Ok(format!("../../../{parent}"));
                }
                _ => {}
            }
        }
        Err(Refusal::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::MilliCelsius;

    fn said(kernel: &Kernel, path: &str) -> Result<String, Refusal> {
        kernel.read(path).map(|text| String::from_utf8(text).unwrap())
    }

    #[test]
    fn devices_are_numbered_within_their_subsystem_and_link_to_their_parents() {
        let mut kernel = Kernel::default();
        kernel.devices.push(Device::new(Class::Thermal, "cpu-thermal", "", ""));
        kernel.devices.push(Device::new(Class::Hwmon, "lm75", "1-0048", "temp1"));
        kernel.devices.push(Device::new(Class::Iio, "dht11@4", "dht11@4", "in_temp"));
        assert_eq!(said(&kernel, "class/thermal/thermal_zone0/temp"), Ok("25000\n".into()));
        assert_eq!(said(&kernel, "class/hwmon/hwmon0/temp1_input"), Ok("25000\n".into()));
        assert_eq!(said(&kernel, "class/hwmon/hwmon1/name"), Err(Refusal::NotFound));
        assert_eq!(kernel.link("class/hwmon/hwmon0/device"), Ok("../../../1-0048".into()));
        let link = kernel.link("bus/iio/devices/iio:device0");
        assert_eq!(link, Ok("../../../devices/platform/dht11@4/iio:device0".into()));
        assert_eq!(kernel.list("class/hwmon"), Ok(vec!["hwmon0".into()]));
    }

    #[test]
    fn raw_numbers_mean_the_same() {
        let mut device = Device::new(Class::Iio, "mcp9600", "1-0060", "in_temp");
        device.form = Form::Raw;
        device.air.temperature = MilliCelsius::new(-10_125);
        let files = device.files();
        let raw: i32 = files[1].1.parse().unwrap();
        assert_eq!((raw - 801) * 125, -10_125 * 2);
    }
}
