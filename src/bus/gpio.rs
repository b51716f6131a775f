//! A pin of the Pi's header as a 1-Wire bus, or with a DHT, and a chip select of its SPI. The only
//! file that names `rppal`.

use std::convert::Infallible;
use std::io;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use embedded_hal::delay::DelayNs;
use embedded_hal::spi::{self, ErrorKind, ErrorType, Operation, SpiDevice};
use embedded_hal_02::blocking::delay::{DelayMs, DelayUs};
use embedded_hal_02::digital::v2::{InputPin, OutputPin};
use rppal::gpio::{Error, Gpio, IoPin, Mode};
use rppal::spi::{self as header, Segment, SlaveSelect, Spi};

use crate::bus::dht::{DhtPin, Stopwatch};
use crate::bus::guarded::{Door, Guarded};
use crate::bus::pin::OneWirePin;
use crate::bus::reopen::{Refused, Reopening};
use crate::bus::spi::SpiBus;
use crate::bus::tap::{Tap, Tapped};
use crate::bus::{Attached, Bus, Missing};
use crate::sensors::dht::Kind;
use crate::sensors::spi::Timing;
use crate::sensors::{Fault, OneWireId};

/// All of the memory, where a kernel does not offer that of the pins alone.
const MEMORY: &str = "/dev/mem";

/// The 1-Wire bus on this pin (BCM number) with its chips, or the DHT there. Opened at its first
/// reading; a pin that cannot be had is a fault of each sensor, and tried again at the next one.
pub fn bus(pin: u8, attached: Vec<Attached>, tap: Tap) -> Box<dyn Bus> {
    let name = format!("gpio{pin}");
    let opened = {
        let tap = tap.clone();
        move || tap.opened(open(pin)).map(|pin| Tapped::new(pin, tap.clone()))
    };
    if attached.iter().any(|sensor| Kind::of(sensor.driver).is_some()) {
        let watch = move || Tapped::new(SystemWatch(Instant::now()), tap.clone());
        let open = move || Ok(DhtPin::new(opened()?, watch(), &attached));
        return Box::new(Reopening::new(name, open));
    }
    Box::new(Reopening::new(name, move || Ok(OneWirePin::new(opened()?, Spin, &attached))))
}

/// Every 1-Wire device on this pin.
pub fn search(pin: u8) -> Result<Vec<OneWireId>, Refused> {
    OneWirePin::new(open(pin)?, Spin, &[])
        .search()
        .map_err(|fault| Refused { fault, hint: format!("GPIO {pin}: no device answers: {fault}") })
}

/// The chip at the chip select `/dev/spidev<bus>.<select>`, as rppal opens that.
pub fn chip_select(bus: u8, select: u8, attached: Vec<Attached>, tap: Tap) -> Box<dyn Bus> {
    let Some(timing) = attached.iter().find_map(|sensor| sensor.driver.facts().spi) else {
        return Box::new(Missing);
    };
    let name = format!("spi-{bus}.{select}");
    let open = move || {
        let spi = Tapped::new(tap.opened(open_select(bus, select, timing))?, tap.clone());
        // rppal opens the same device.
        let door = Door::of(Path::new(&format!("/dev/spidev{bus}.{select}")));
        Ok(Guarded::new(SpiBus::new(spi, Spin, &attached), door, tap.clone()))
    };
    Box::new(Reopening::new(name, open))
}

fn open_select(bus: u8, select: u8, timing: Timing) -> Result<HeaderSpi, Refused> {
    let nowhere = || Refused {
        fault: Fault::NoBus,
        hint: format!("rppal knows no chip select {select} of SPI {bus}"),
    };
    let select = SELECTS.get(usize::from(select)).ok_or_else(nowhere)?;
    let bus = BUSES.get(usize::from(bus)).ok_or_else(nowhere)?;
    let mode = match (timing.mode.polarity, timing.mode.phase) {
        (spi::Polarity::IdleLow, spi::Phase::CaptureOnFirstTransition) => header::Mode::Mode0,
        (spi::Polarity::IdleLow, spi::Phase::CaptureOnSecondTransition) => header::Mode::Mode1,
        (spi::Polarity::IdleHigh, spi::Phase::CaptureOnFirstTransition) => header::Mode::Mode2,
        (spi::Polarity::IdleHigh, spi::Phase::CaptureOnSecondTransition) => header::Mode::Mode3,
    };
    let opened = Spi::new(*bus, *select, timing.hertz, mode);
    opened.map(HeaderSpi).map_err(|error| refused_spi(&error))
}

const BUSES: [header::Bus; 7] = [
    header::Bus::Spi0,
    header::Bus::Spi1,
    header::Bus::Spi2,
    header::Bus::Spi3,
    header::Bus::Spi4,
    header::Bus::Spi5,
    header::Bus::Spi6,
];
const SELECTS: [SlaveSelect; 4] =
    [SlaveSelect::Ss0, SlaveSelect::Ss1, SlaveSelect::Ss2, SlaveSelect::Ss3];

fn refused_spi(error: &header::Error) -> Refused {
    let kind = match error {
        header::Error::Io(error) => error.kind(),
        _ => io::ErrorKind::Other,
    };
    let (fault, hint) = match kind {
        io::ErrorKind::NotFound => {
            (Fault::NoBus, "SPI has no device here: it needs `dtparam=spi=on`".to_owned())
        }
        io::ErrorKind::PermissionDenied => {
            (Fault::Permission, "SPI may not be opened: join the group `spi`".to_owned())
        }
        _ => (Fault::Bus, format!("SPI cannot be opened: {error}")),
    };
    Refused { fault, hint }
}

/// rppal's chip select. Its own adapter for `embedded-hal` would bring a second and a third version
/// of that.
#[derive(Debug)]
struct HeaderSpi(Spi);

/// An error of a transfer.
#[derive(Debug)]
struct HeaderError;

impl spi::Error for HeaderError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

impl ErrorType for HeaderSpi {
    type Error = HeaderError;
}

impl SpiDevice for HeaderSpi {
    /// All of it while the select line is low; what is only read sends zeros.
    fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), HeaderError> {
        let copies: Vec<Vec<u8>> = operations
            .iter()
            .map(|operation| match operation {
                Operation::TransferInPlace(bytes) => bytes.to_vec(),
                _ => Vec::new(),
            })
            .collect();
        let segments = operations.iter_mut().zip(&copies).filter_map(|(operation, copy)| {
            Some(match operation {
                Operation::Read(bytes) => Segment::with_read(bytes),
                Operation::Write(bytes) => Segment::with_write(bytes),
                Operation::Transfer(read, written) => Segment::new(read, written),
                Operation::TransferInPlace(bytes) => Segment::new(bytes, copy),
                // No chip of ours asks for one.
                Operation::DelayNs(_) => return None,
            })
        });
        let segments: Vec<_> = segments.collect();
        self.0.transfer_segments(&segments).map_err(|_| HeaderError)
    }
}

fn open(number: u8) -> Result<OpenDrain, Refused> {
    let taken = Gpio::new().and_then(|gpio| gpio.get(number));
    match taken {
        Ok(pin) => Ok(OpenDrain(pin.into_io(Mode::Input))),
        Err(error) => Err(refused(number, &error)),
    }
}

fn refused(pin: u8, error: &Error) -> Refused {
    let (fault, hint) = match error {
        Error::UnknownModel => {
            let other = "`bus = \"w1\"` works on every board with the kernel's overlay";
            (Fault::NoBus, format!("this machine is no Raspberry Pi that rppal knows: {other}"))
        }
        Error::PinNotAvailable(_) => {
            (Fault::NoBus, format!("this board has no pin GPIO {pin}: numbers are Broadcom's"))
        }
        Error::PinUsed(_) => (Fault::Bus, format!("GPIO {pin} is in use by another bus")),
        // What rppal falls back to; the group would not help.
        Error::PermissionDenied(path) if path == MEMORY => {
            let hint = format!("this kernel has no /dev/gpiomem, and `{MEMORY}` is for root alone");
            (Fault::Permission, format!("{hint}: use Raspberry Pi OS's, or `w1` or `iio`"))
        }
        Error::PermissionDenied(path) => {
            (Fault::Permission, format!("`{path}` may not be opened: join the group `gpio`"))
        }
        Error::Io(error) if error.kind() == io::ErrorKind::NotFound => {
            (Fault::NoBus, format!("GPIO has no device here: {error}"))
        }
        Error::Io(error) => (Fault::Bus, format!("GPIO cannot be opened: {error}")),
        Error::ThreadPanic => (Fault::Bus, "GPIO cannot be opened: try again".into()),
    };
    Refused { fault, hint }
}

/// A pin that pulls or lets go. rppal's own "high" would drive 3.3 V against a chip that pulls.
#[derive(Debug)]
struct OpenDrain(IoPin);

impl OutputPin for OpenDrain {
    type Error = Infallible;

    /// The level first, so that the pin never drives what its latch held before.
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.0.set_low();
        self.0.set_mode(Mode::Output);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.0.set_mode(Mode::Input);
        Ok(())
    }
}

impl InputPin for OpenDrain {
    type Error = Infallible;

    fn is_high(&self) -> Result<bool, Infallible> {
        Ok(self.0.is_high())
    }

    fn is_low(&self) -> Result<bool, Infallible> {
        Ok(self.0.is_low())
    }
}

/// Microseconds by looking at the clock, since a sleep takes 50 µs at least; milliseconds by sleep.
#[derive(Debug)]
struct Spin;

impl DelayUs<u16> for Spin {
    fn delay_us(&mut self, us: u16) {
        let begin = Instant::now();
        while begin.elapsed() < Duration::from_micros(us.into()) {
            std::hint::spin_loop();
        }
    }
}

impl DelayNs for Spin {
    fn delay_ns(&mut self, ns: u32) {
        let time = Duration::from_nanos(ns.into());
        let begin = Instant::now();
        if time >= Duration::from_millis(1) {
            thread::sleep(time);
        }
        while begin.elapsed() < time {
            std::hint::spin_loop();
        }
    }
}

impl DelayMs<u16> for Spin {
    fn delay_ms(&mut self, ms: u16) {
        thread::sleep(Duration::from_millis(ms.into()));
    }
}

/// The monotonic clock of the system: reading it takes no system call.
#[derive(Debug)]
struct SystemWatch(Instant);

impl Stopwatch for SystemWatch {
    fn now(&mut self) -> Duration {
        self.0.elapsed()
    }

    fn sleep(&mut self, time: Duration) {
        thread::sleep(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampling::SensorId;
    use crate::sensors::catalog::Driver;
    use crate::sensors::{Address, SpiAddress};

    #[track_caller]
    fn check(error: &Error, fault: Fault, hint: &str) {
        let refused = refused(4, error);
        assert_eq!(refused.fault, fault);
        assert!(refused.hint.contains(hint), "{}", refused.hint);
    }

    #[test]
    fn each_refusal_says_what_to_do() {
        check(&Error::UnknownModel, Fault::NoBus, "`bus = \"w1\"`");
        check(&Error::PermissionDenied("/dev/gpiomem".into()), Fault::Permission, "group `gpio`");
        check(&Error::PermissionDenied("/dev/mem".into()), Fault::Permission, "no /dev/gpiomem");
        check(&Error::PinNotAvailable(4), Fault::NoBus, "GPIO 4");
        check(&Error::PinUsed(4), Fault::Bus, "another bus");
        check(&Error::Io(io::ErrorKind::NotFound.into()), Fault::NoBus, "no device");
    }

    /// This machine has no SPI.
    #[test]
    fn a_chip_select_that_is_not_there_is_told_and_asked_again() {
        let attached = Attached {
            id: SensorId(0),
            driver: Driver::Max31855,
            address: Address::Spi(SpiAddress { bus: 6, select: 3, input: None }),
            element: None,
        };
        let mut bus = chip_select(6, 3, vec![attached], Tap::default());
        for _ in 0..2 {
            let mut answers = Vec::new();
            bus.read(&[SensorId(0)], &mut |_, result| answers.push(result));
            assert_eq!(answers, [Err(Fault::NoBus)]);
        }
        let timing = Driver::Max31855.facts().spi.unwrap();
        assert!(open_select(7, 0, timing).unwrap_err().hint.contains("SPI 7"));
        let denied = header::Error::Io(io::ErrorKind::PermissionDenied.into());
        assert!(refused_spi(&denied).hint.contains("group `spi`"));
    }

    #[test]
    fn a_wait_is_never_shorter_than_asked() {
        let begin = Instant::now();
        (0..10).for_each(|_| DelayUs::delay_us(&mut Spin, 60));
        assert!(begin.elapsed() >= Duration::from_micros(600));
    }
}
