//! I²C and SPI through the kernel: `/dev/i2c-N`, `/dev/spidevN.M`. The only file that names
//! `linux-embedded-hal`.

use std::io;
use std::path::{Path, PathBuf};

use embedded_hal::i2c::{Error, ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};
use embedded_hal::spi::{Mode, Phase, Polarity};
use linux_embedded_hal::i2cdev::linux::LinuxI2CError;
use linux_embedded_hal::spidev::{SpiModeFlags, SpidevOptions};
use linux_embedded_hal::{Delay, I2CError, I2cdev, SpidevDevice};
use rustix::io::Errno;

use crate::bus::guarded::{Door, Guarded};
use crate::bus::holder::Holder;
use crate::bus::i2c::I2cBus;
use crate::bus::i2c::survey::{self, Resident};
use crate::bus::reopen::{Refused, Reopening};
use crate::bus::spi::SpiBus;
use crate::bus::tap::{Tap, Tapped};
use crate::bus::{Attached, Bus, Missing};
use crate::sensors::Fault;
use crate::sensors::spi::Timing;

/// The bus `/dev/i2c-<number>` with its chips. Opened at its first reading; a device that is not
/// there or may not be opened is a fault of each sensor, and tried again at the next reading.
pub fn bus(number: u8, attached: Vec<Attached>, tap: Tap) -> Box<dyn Bus> {
    let path = PathBuf::from(format!("/dev/i2c-{number}"));
    Box::new(Reopening::new(format!("i2c-{number}"), move || open(&path, &attached, &tap)))
}

fn open(
    path: &Path,
    attached: &[Attached],
    tap: &Tap,
) -> Result<Guarded<I2cBus<Tapped<KernelI2c>, Delay>>, Refused> {
    let device = tap.opened(device(path))?;
    let bus = I2cBus::new(Tapped::new(device, tap.clone()), Delay, attached);
    Ok(Guarded::new(bus, Door::of(path), tap.clone()))
}

fn device(path: &Path) -> Result<KernelI2c, Refused> {
    let device = I2cdev::new(path).map_err(|error| refused(path, &io::Error::from(error), &I2C))?;
    Ok(KernelI2c(device))
}

/// Who is on the bus `/dev/i2c-<number>`, but for the addresses that the kernel's own drivers use;
/// beside a gateway at work.
pub fn survey(number: u8, owned: &[u8]) -> Result<Vec<Resident>, Refused> {
    let path = PathBuf::from(format!("/dev/i2c-{number}"));
    let mut i2c = device(&path)?;
    let door = Door::of(&path);
    survey::survey(&mut i2c, &mut Delay, &door, owned).map_err(|fault| {
        let hint = match fault {
            Fault::Busy => kept(door.holder()),
            _ => survey::remedy(fault).map_or_else(
                || format!("`{}` does not work: {fault}", path.display()),
                str::to_owned,
            ),
        };
        Refused { fault, hint }
    })
}

fn kept(holder: Option<Holder>) -> String {
    let who = holder.map_or_else(
        || "another process (`sudo lslocks` shows which)".to_owned(),
        |holder| holder.to_string(),
    );
    format!("{who} keeps the bus to itself: stop it, or try again when it is done")
}

/// The chip at the chip select `/dev/spidev<bus>.<select>`, or what hangs at its inputs. Opened as
/// an I²C bus is.
pub fn chip_select(bus: u8, select: u8, attached: Vec<Attached>, tap: Tap) -> Box<dyn Bus> {
    let Some(timing) = attached.iter().find_map(|sensor| sensor.driver.facts().spi) else {
        return Box::new(Missing);
    };
    let path = PathBuf::from(format!("/dev/spidev{bus}.{select}"));
    let name = format!("spi-{bus}.{select}");
    Box::new(Reopening::new(name, move || open_select(&path, timing, &attached, &tap)))
}

fn open_select(
    path: &Path,
    timing: Timing,
    attached: &[Attached],
    tap: &Tap,
) -> Result<Guarded<SpiBus<Tapped<SpidevDevice>, Delay>>, Refused> {
    let device = SpidevDevice::open(path).and_then(|mut device| {
        let options = SpidevOptions::new()
            .bits_per_word(8)
            .max_speed_hz(timing.hertz)
            .mode(flags(timing.mode))
            .build();
        device.configure(&options)?;
        Ok(device)
    });
    let device = device.map_err(|error| refused(path, error.inner(), &SPI));
    let device = Tapped::new(tap.opened(device)?, tap.clone());
    Ok(Guarded::new(SpiBus::new(device, Delay, attached), Door::of(path), tap.clone()))
}

fn flags(mode: Mode) -> SpiModeFlags {
    let phase = match mode.phase {
        Phase::CaptureOnFirstTransition => SpiModeFlags::empty(),
        Phase::CaptureOnSecondTransition => SpiModeFlags::SPI_CPHA,
    };
    let polarity = match mode.polarity {
        Polarity::IdleLow => SpiModeFlags::empty(),
        Polarity::IdleHigh => SpiModeFlags::SPI_CPOL,
    };
    phase | polarity
}

/// What a kind of bus needs to be there.
struct Needs {
    boot: &'static str,
    group: &'static str,
}

const I2C: Needs = Needs {
    boot: "`dtparam=i2c_arm=on` in /boot/firmware/config.txt and module `i2c-dev`",
    group: "i2c",
};
const SPI: Needs = Needs { boot: "`dtparam=spi=on` in /boot/firmware/config.txt", group: "spi" };

fn refused(path: &Path, error: &io::Error, needs: &Needs) -> Refused {
    let Needs { boot, group } = needs;
    let path = path.display();
    let (fault, hint) = match error.kind() {
        io::ErrorKind::NotFound => {
            (Fault::NoBus, format!("`{path}` does not exist: it needs {boot}"))
        }
        io::ErrorKind::PermissionDenied => {
            (Fault::Permission, format!("`{path}` may not be opened: join the group `{group}`"))
        }
        _ => (Fault::Bus, format!("`{path}` cannot be opened: {error}")),
    };
    Refused { fault, hint }
}

/// The kernel's bus, with errors that say what the kernel meant.
struct KernelI2c(I2cdev);

impl ErrorType for KernelI2c {
    type Error = KernelError;
}

impl I2c for KernelI2c {
    /// One system call, so repeated starts in between and one stop at the end.
    fn transaction(
        &mut self,
        address: u8,
        operations: &mut [Operation<'_>],
    ) -> Result<(), KernelError> {
        I2c::<u8>::transaction(&mut self.0, address, operations).map_err(KernelError)
    }
}

/// An error of a transaction.
#[derive(Debug)]
struct KernelError(I2CError);

impl Error for KernelError {
    fn kind(&self) -> ErrorKind {
        let errno = match self.0.inner() {
            LinuxI2CError::Errno(errno) => Some(*errno),
            LinuxI2CError::Io(error) => error.raw_os_error(),
        };
        errno.map_or(ErrorKind::Other, |errno| kind(Errno::from_raw_os_error(errno)))
    }
}

/// The controllers of the Pi report an absent chip as `EREMOTEIO` (measured on a BCM2835),
/// others as `ENXIO`, and a clock or data line that is held as a transfer that never completes.
fn kind(errno: Errno) -> ErrorKind {
    match errno {
        Errno::REMOTEIO | Errno::NXIO => ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address),
        Errno::NODEV => ErrorKind::NoAcknowledge(NoAcknowledgeSource::Unknown),
        Errno::TIMEDOUT | Errno::AGAIN => ErrorKind::ArbitrationLoss,
        Errno::BUSY | Errno::IO | Errno::INVAL => ErrorKind::Bus,
        _ => ErrorKind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::SensorId;
    use crate::sensors::Address;
    use crate::sensors::catalog::Driver;

    /// The numbers of Linux on every architecture of a Pi, as seen in a trace.
    #[test]
    fn errors_of_the_kernel_mean_what_its_controllers_mean_by_them() {
        let absent = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
        for (errno, expected) in [
            (121, absent),
            (6, absent),
            (110, ErrorKind::ArbitrationLoss),
            (11, ErrorKind::ArbitrationLoss),
            (5, ErrorKind::Bus),
            (95, ErrorKind::Other),
        ] {
            let error = KernelError(I2CError::from(LinuxI2CError::Errno(errno)));
            assert_eq!(error.kind(), expected, "{errno}");
        }
    }

    #[test]
    fn a_device_that_does_not_exist_is_no_bus_with_a_hint() {
        let refused = open(Path::new("/dev/i2c-does-not-exist"), &[], &Tap::default())
            .map(|_| ())
            .unwrap_err();
        assert_eq!(refused.fault, Fault::NoBus);
        assert!(refused.hint.contains("dtparam=i2c_arm=on"), "{}", refused.hint);
        let denied = io::Error::from(io::ErrorKind::PermissionDenied);
        let denied = super::refused(Path::new("/dev/i2c-1"), &denied, &I2C);
        assert_eq!(denied.fault, Fault::Permission);
        assert!(denied.hint.contains("group `i2c`"), "{}", denied.hint);
    }

    /// Linux's own numbers: `SPI_CPHA` is 1, `SPI_CPOL` 2.
    #[test]
    fn modes_are_the_kernels() {
        use embedded_hal::spi::{MODE_0, MODE_1, MODE_2, MODE_3};
        let bits = [MODE_0, MODE_1, MODE_2, MODE_3].map(|mode| flags(mode).bits());
        assert_eq!(bits, [0, 1, 2, 3]);
    }

    #[test]
    fn a_missing_chip_select_answers_with_a_hint() {
        let timing = Driver::Max31865.facts().spi.unwrap();
        let opened =
            open_select(Path::new("/dev/spidev-does-not-exist"), timing, &[], &Tap::default());
        let refused = opened.map(|_| ()).unwrap_err();
        assert_eq!(refused.fault, Fault::NoBus);
        assert!(refused.hint.contains("dtparam=spi=on"), "{}", refused.hint);
    }

    /// No machine has 256 controllers.
    #[test]
    fn a_missing_bus_answers_each_sensor() {
        let sensor = |id, driver, address| Attached {
            id,
            driver,
            address: Address::i2c(address),
            element: None,
        };
        let attached = vec![
            sensor(SensorId(3), Driver::Tmp117, 0x48),
            sensor(SensorId(4), Driver::Sht3x, 0x44),
        ];
        let mut answers = Vec::new();
        bus(255, attached, Tap::default()).read(&[SensorId(3), SensorId(4)], &mut |id, result| {
            answers.push((id, result));
        });
        assert_eq!(answers, [(SensorId(3), Err(Fault::NoBus)), (SensorId(4), Err(Fault::NoBus))]);
    }
}
