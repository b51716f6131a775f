//! What the kernel tells about this process and this machine. What is not there is `None`: the
//! gateway runs on other boards too.

use std::fs;
use std::path::{Path, PathBuf};

use rustix::fs::statvfs;

use crate::bus::sysfs::{Files, SysFs};
use crate::telemetry::Memory;
use crate::units::MilliCelsius;

/// The processor's temperature, in thousandths of a degree.
const CPU_TEMPERATURE: &str = "class/thermal/thermal_zone0/temp";

/// The driver `raspberrypi-hwmon`, as it calls itself, and its word on the supply.
const SUPPLY: (&str, &str) = ("rpi_volt", "in0_lcrit_alarm");

/// Where the firmware of a Raspberry Pi is, and its word on supply and heat, in hexadecimal digits.
const FIRMWARE: (&str, &str) = ("devices/platform", "get_throttled");

/// Resident memory of this process, from the kernel's books: no allocator knows the whole.
pub(super) fn memory() -> Option<Memory> {
    memory_in(&fs::read_to_string("/proc/self/status").ok()?)
}

fn memory_in(status: &str) -> Option<Memory> {
    let bytes = |name: &str| {
        let value = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let kib: u64 = value.trim().strip_suffix(" kB")?.parse().ok()?;
        kib.checked_mul(1024)
    };
    let (resident, peak) = (bytes("VmRSS")?, bytes("VmHWM")?);
    // The kernel notes the peak only when memory is given back.
    Some(Memory { resident, peak: peak.max(resident) })
}

/// How the machine was when it was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Condition {
    /// Temperature of the processor.
    pub cpu: Option<MilliCelsius>,
    /// Whether a Raspberry Pi's supply was too weak since it was last asked.
    pub under_voltage: Option<bool>,
    /// What the firmware of a Raspberry Pi did about its supply and its heat.
    pub throttled: Option<Throttled>,
    /// Bytes that may still be written to the file system of the state folder.
    pub disk_free: Option<u64>,
}

/// Bits of the firmware's `get_throttled`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Throttled(u32);

impl Throttled {
    /// The supply is below 4.63 V.
    pub(crate) const UNDER_VOLTAGE: Self = Self(1);
    /// The processor is slower than it could be: capped, throttled, or near its limit of heat.
    pub(crate) const SLOWED: Self = Self(1 << 1 | 1 << 2 | 1 << 3);
    /// The supply was, since the boot.
    pub(crate) const UNDER_VOLTAGE_EVER: Self = Self(1 << 16);
    /// The processor was, since the boot.
    pub(crate) const SLOWED_EVER: Self = Self(1 << 17 | 1 << 18 | 1 << 19);

    /// Whether any of these bits is set.
    pub(crate) const fn has(self, bits: Self) -> bool {
        self.0 & bits.0 != 0
    }
}

/// The parts of this machine that are looked at.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    sysfs: Files,
    state_dir: PathBuf,
}

impl Machine {
    /// With the kernel's files below `sysfs`.
    pub(crate) fn new(sysfs: &Path, state_dir: &Path) -> Self {
        Self { sysfs: Files::new(sysfs), state_dir: state_dir.to_owned() }
    }

    /// Looks at it. May block, as files do.
    pub(crate) fn look(&mut self) -> Condition {
        let under_voltage = self.under_voltage();
        let (throttled, disk_free) = (self.throttled(), self.disk_free());
        Condition { cpu: self.cpu(), under_voltage, throttled, disk_free }
    }

    fn cpu(&mut self) -> Option<MilliCelsius> {
        self.number(CPU_TEMPERATURE).map(MilliCelsius::new)
    }

    fn under_voltage(&mut self) -> Option<bool> {
        let (driver, alarm) = SUPPLY;
        for device in self.sysfs.list("class/hwmon").ok()? {
            let name = self.sysfs.read(&format!("class/hwmon/{device}/name"));
            if name.is_ok_and(|name| name.trim_ascii() == driver.as_bytes()) {
                let alarm = self.number(&format!("class/hwmon/{device}/{alarm}"))?;
                return Some(alarm != 0);
            }
        }
        None
    }

    /// Its folder has another name on each model: `soc/soc:firmware` up to the Pi 4.
    fn throttled(&mut self) -> Option<Throttled> {
        let (platform, file) = FIRMWARE;
        for soc in self.sysfs.list(platform).ok()? {
            let below = self.sysfs.list(&format!("{platform}/{soc}")).unwrap_or_default();
            for part in below.iter().filter(|part| part.ends_with("firmware")) {
                let Ok(word) = self.sysfs.read(&format!("{platform}/{soc}/{part}/{file}")) else {
                    continue;
                };
                let word = str::from_utf8(&word).ok()?.trim();
                return u32::from_str_radix(word, 16).ok().map(Throttled);
            }
        }
        None
    }

    fn disk_free(&self) -> Option<u64> {
        let system = statvfs(&self.state_dir).ok()?;
        system.f_bavail.checked_mul(system.f_frsize)
    }

    fn number(&mut self, path: &str) -> Option<i32> {
        let content = self.sysfs.read(path).ok()?;
        str::from_utf8(&content).ok()?.trim().parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(status: &str, expected: Option<(u64, u64)>) {
        let expected = expected.map(|(resident, peak)| Memory { resident, peak });
        assert_eq!(memory_in(status), expected, "{status}");
    }

    #[test]
    fn memory_is_what_the_kernel_says() {
        let status =
            "Name:\tmaison\nVmPeak:\t  9999 kB\nVmHWM:\t    8192 kB\nVmRSS:\t    7000 kB\n";
        check(status, Some((7000 * 1024, 8192 * 1024)));
        check("VmHWM:\t10 kB\nVmRSS:\t12 kB\n", Some((12 * 1024, 12 * 1024)));
        check("VmHWM:\t10 kB\n", None);
        check("VmHWM:\t10\nVmRSS:\t10\n", None);
        check("VmHWM:\tx kB\nVmRSS:\t10 kB\n", None);
        check("", None);
        let own = memory().expect("this process has memory");
        assert!(own.resident > 100_000 && own.peak >= own.resident, "{own:?}");
    }

    #[test]
    fn a_raspberry_pi_says_how_it_is_and_another_machine_what_it_can() {
        let folder = tempfile::tempdir().unwrap();
        let absent = folder.path().join("absent");
        let mut machine = Machine::new(folder.path(), &absent);
        assert_eq!(machine.look(), Condition::default());
        let put = |path: &str, content: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        };
        put("class/thermal/thermal_zone0/temp", "48312\n");
        put("class/hwmon/hwmon0/name", "cpu_thermal\n");
        put("class/hwmon/hwmon0/in0_lcrit_alarm", "1\n");
        put("class/hwmon/hwmon1/name", "rpi_volt\n");
        put("class/hwmon/hwmon1/in0_lcrit_alarm", "0\n");
        let cpu = Some(MilliCelsius::new(48_312));
        let seen = Condition { cpu, under_voltage: Some(false), throttled: None, disk_free: None };
        assert_eq!(machine.look(), seen);
        put("class/hwmon/hwmon1/in0_lcrit_alarm", "1\n");
        put("class/thermal/thermal_zone0/temp", "warm\n");
        assert_eq!(machine.look(), Condition { cpu: None, under_voltage: Some(true), ..seen });
    }

    #[test]
    fn the_firmware_tells_what_it_did_about_supply_and_heat() {
        let folder = tempfile::tempdir().unwrap();
        let mut machine = Machine::new(folder.path(), folder.path());
        for soc in ["soc/soc:firmware", "soc@107c000000/soc@107c000000:firmware"] {
            let firmware = folder.path().join("devices/platform").join(soc);
            fs::create_dir_all(&firmware).unwrap();
            fs::write(firmware.join("get_throttled"), "50005\n").unwrap();
            let throttled = machine.look().throttled.expect("the firmware is found");
            assert!(throttled.has(Throttled::UNDER_VOLTAGE) && throttled.has(Throttled::SLOWED));
            assert!(throttled.has(Throttled::UNDER_VOLTAGE_EVER));
            assert!(throttled.has(Throttled::SLOWED_EVER));
            fs::write(firmware.join("get_throttled"), "50000\n").unwrap();
            let throttled = machine.look().throttled.unwrap();
            assert!(!throttled.has(Throttled::UNDER_VOLTAGE) && !throttled.has(Throttled::SLOWED));
            fs::remove_dir_all(&firmware).unwrap();
        }
    }

    #[test]
    fn a_file_system_says_how_much_room_it_has() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Machine::new(folder.path(), folder.path()).look().disk_free > Some(0));
    }
}
