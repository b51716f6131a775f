//! What the kernel says that there is: 1-Wire masters and who hangs there, I²C adapters and which
//! of their addresses its own drivers use, chip selects of SPI, thermometers of hwmon, IIO and the
//! thermal zones. Only files are read.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::sensors::{Fault, KernelName, OneWireId};

use super::kernel::Class;
use super::sysfs::{SysFs, fault};

/// A 1-Wire bus of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Master {
    /// `w1_bus_master1`.
    pub name: String,
    /// Who answered its searches.
    pub slaves: Vec<OneWireId>,
}

/// An I²C bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adapter {
    /// N of `i2c-N`.
    pub number: u8,
    /// Whether there is a `/dev/i2c-N`.
    pub has_device: bool,
    /// Addresses that drivers of the kernel use, with the name of the chip.
    pub owned: Vec<(u8, String)>,
}

/// Where masters and their slaves are.
pub const ONE_WIRE: &str = "bus/w1/devices";

/// The masters; `None`: this kernel has no 1-Wire. The fault is that nobody may look.
pub fn masters<S: SysFs>(files: &mut S) -> Result<Option<Vec<Master>>, Fault> {
    let mut list = |path: &str| match files.list(path).map_err(fault) {
        Ok(names) => Ok(Some(names)),
        Err(Fault::Permission) => Err(Fault::Permission),
        Err(_) => Ok(None),
    };
    let Some(names) = list(ONE_WIRE)? else { return Ok(None) };
    let masters = names.into_iter().filter(|name| name.starts_with("w1_bus_master"));
    let master = |name: String| {
        let entries = list(&format!("{ONE_WIRE}/{name}"))?.unwrap_or_default();
        Ok(Master { slaves: entries.iter().filter_map(|entry| one_wire(entry)).collect(), name })
    };
    masters.map(master).collect::<Result<_, _>>().map(Some)
}

/// `28-01131e858aef`.
fn one_wire(name: &str) -> Option<OneWireId> {
    let (family, serial) = name.split_once('-')?;
    if family.len() != 2 || serial.len() != 12 {
        return None;
    }
    let family = u8::from_str_radix(family, 16).ok()?;
    Some(OneWireId { family, serial: u64::from_str_radix(serial, 16).ok()? })
}

/// The I²C buses, in order.
pub fn adapters<S: SysFs>(files: &mut S) -> Vec<Adapter> {
    const DEVICES: &str = "bus/i2c/devices";
    let number = |name: &str| name.strip_prefix("i2c-")?.parse::<u8>().ok();
    let devices = files.list("class/i2c-dev").unwrap_or_default();
    let with_device: Vec<u8> = devices.iter().filter_map(|name| number(name)).collect();
    let mut adapters: BTreeMap<u8, Vec<(u8, String)>> =
        with_device.iter().map(|number| (*number, Vec::new())).collect();
    for name in files.list(DEVICES).unwrap_or_default() {
        if let Some(number) = number(&name) {
            adapters.entry(number).or_default();
        } else if let Some((bus, address)) = client(&name)
            && files.link(&format!("{DEVICES}/{name}/driver")).is_ok()
        {
            let chip = files.read(&format!("{DEVICES}/{name}/name")).unwrap_or_default();
            let chip = String::from_utf8_lossy(chip.trim_ascii()).into_owned();
            adapters.entry(bus).or_default().push((address, chip));
        }
    }
    let adapter = |(number, owned)| {
        let has_device = with_device.contains(&number);
        Adapter { number, has_device, owned }
    };
    adapters.into_iter().map(adapter).collect()
}

/// `1-0048`: bus and address.
fn client(name: &str) -> Option<(u8, u8)> {
    let (bus, address) = name.split_once('-')?;
    let address = u16::from_str_radix(address, 16).ok().filter(|_| address.len() == 4)?;
    Some((bus.parse().ok()?, u8::try_from(address).ok()?))
}

/// The chip selects that have a device: N and M of `/dev/spidevN.M`.
pub fn chip_selects<S: SysFs>(files: &mut S) -> Vec<(u8, u8)> {
    let names = files.list("class/spidev").unwrap_or_default();
    let select = |name: &String| {
        let (bus, select) = name.strip_prefix("spidev")?.split_once('.')?;
        Some((bus.parse().ok()?, select.parse().ok()?))
    };
    names.iter().filter_map(select).collect()
}

/// The thermometers of a subsystem by what they call themselves; by the device they belong to as
/// well where two have one name, and by channel where a device has several temperatures.
pub fn devices<S: SysFs>(files: &mut S, class: Class) -> Vec<KernelName> {
    let folder = class.folder();
    let (prefix, file) = class.devices();
    let entries = files.list(folder).unwrap_or_default();
    let mut seen = Vec::new();
    for entry in entries.iter().filter(|entry| entry.starts_with(prefix)) {
        let path = format!("{folder}/{entry}");
        let Ok(text) = files.read(&format!("{path}/{file}")) else { continue };
        let text = String::from_utf8_lossy(text.trim_ascii()).into_owned();
        let name: Arc<str> = text.split('@').next().unwrap_or_default().into();
        let channels = channels(&files.list(&path).unwrap_or_default(), class);
        seen.push((name, class.parent(files, &path), channels));
    }
    let mut names = Vec::new();
    for (name, parent, channels) in &seen {
        let is_one = seen.iter().filter(|(other, ..)| other == name).count() == 1;
        let device = if is_one { None } else { parent.as_deref().map(Arc::from) };
        for channel in channels {
            let usual = channels.len() == 1 && channel == class.channel();
            let channel = (!usual).then(|| Arc::from(channel.as_str()));
            names.push(KernelName { name: Arc::clone(name), device: device.clone(), channel });
        }
    }
    names
}

/// The temperatures among the files of a device.
fn channels(files: &[String], class: Class) -> Vec<String> {
    files.iter().filter_map(|file| channel(file, class)).map(str::to_owned).collect()
}

fn channel(file: &str, class: Class) -> Option<&str> {
    match class {
        Class::Hwmon => file.strip_suffix("_input").filter(|it| it.starts_with("temp")),
        Class::Iio => file
            .strip_suffix("_input")
            .or_else(|| file.strip_suffix("_raw"))
            .filter(|it| it.starts_with("in_temp")),
        Class::Thermal => (file == "temp").then_some(file),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::ErrorKind;
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use super::*;
    use crate::bus::sysfs::Files;

    fn file(root: &Path, path: &str, content: &str) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    #[test]
    fn adapters_have_the_addresses_that_the_kernel_uses() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        file(root, "class/i2c-dev/i2c-1/name", "bcm2835\n");
        file(root, "bus/i2c/devices/i2c-1/name", "bcm2835\n");
        file(root, "bus/i2c/devices/i2c-3/name", "i2c-gpio\n");
        file(root, "bus/i2c/devices/1-0048/name", "lm75\n");
        file(root, "bus/i2c/devices/1-0076/name", "bme280\n");
        symlink("../../bus/i2c/drivers/lm75", root.join("bus/i2c/devices/1-0048/driver")).unwrap();
        file(root, "class/spidev/spidev0.1/dev", "");
        let mut files = Files::new(root);
        let owned = vec![(0x48, "lm75".to_owned())];
        assert_eq!(
            adapters(&mut files),
            [
                Adapter { number: 1, has_device: true, owned },
                Adapter { number: 3, has_device: false, owned: Vec::new() },
            ]
        );
        assert_eq!(chip_selects(&mut files), [(0, 1)]);
        assert_eq!(masters(&mut files), Ok(None));
    }

    /// A tree in which nobody may look.
    struct Closed;

    impl SysFs for Closed {
        fn read(&mut self, _: &str) -> Result<Vec<u8>, ErrorKind> {
            Err(ErrorKind::PermissionDenied)
        }

        fn write(&mut self, _: &str, _: &[u8]) -> Result<(), ErrorKind> {
            Err(ErrorKind::PermissionDenied)
        }

        fn list(&mut self, _: &str) -> Result<Vec<String>, ErrorKind> {
            Err(ErrorKind::PermissionDenied)
        }

        fn link(&mut self, _: &str) -> Result<String, ErrorKind> {
            Err(ErrorKind::PermissionDenied)
        }
    }

    #[test]
    fn a_folder_that_may_not_be_read_is_not_one_that_is_missing() {
        assert_eq!(masters(&mut Closed), Err(Fault::Permission));
    }

    #[test]
    fn two_devices_of_one_name_are_told_apart_and_channels_named() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for (number, parent) in [(0, "1-0048"), (1, "1-0049")] {
            let hwmon = format!("class/hwmon/hwmon{number}");
            file(root, &format!("{hwmon}/name"), "lm75\n");
            file(root, &format!("{hwmon}/temp1_input"), "21500\n");
            symlink(format!("../../../{parent}"), root.join(&hwmon).join("device")).unwrap();
        }
        file(root, "class/hwmon/hwmon2/name", "tmp421\n");
        file(root, "class/hwmon/hwmon2/temp1_input", "21500\n");
        file(root, "class/hwmon/hwmon2/temp2_input", "21500\n");
        file(root, "class/hwmon/hwmon3/name", "rpi_volt\n");
        let names = devices(&mut Files::new(root), Class::Hwmon);
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        assert_eq!(names, ["lm75/1-0048", "lm75/1-0049", "tmp421/temp1", "tmp421/temp2"]);
    }
}
