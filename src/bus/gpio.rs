//! A pin of the Pi's header as a 1-Wire bus, or with a DHT. The only file that names `rppal`.

use std::convert::Infallible;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

use embedded_hal_02::blocking::delay::{DelayMs, DelayUs};
use embedded_hal_02::digital::v2::{InputPin, OutputPin};
use rppal::gpio::{Error, Gpio, IoPin, Mode};

use crate::bus::dht::{DhtPin, Stopwatch};
use crate::bus::pin::OneWirePin;
use crate::bus::reopen::{Refused, Reopening};
use crate::bus::{Attached, Bus};
use crate::sensors::Fault;
use crate::sensors::dht::Kind;

/// All of the memory, where a kernel does not offer that of the pins alone.
const MEMORY: &str = "/dev/mem";

/// The 1-Wire bus on this pin (BCM number) with its chips, or the DHT there. Opened at its first
/// reading; a pin that cannot be had is a fault of each sensor, and tried again at the next one.
pub fn bus(pin: u8, attached: Vec<Attached>) -> Box<dyn Bus> {
    let name = format!("gpio{pin}");
    if attached.iter().any(|sensor| Kind::of(sensor.driver).is_some()) {
        let open = move || Ok(DhtPin::new(open(pin)?, SystemWatch(Instant::now()), &attached));
        return Box::new(Reopening::new(name, open));
    }
    Box::new(Reopening::new(name, move || Ok(OneWirePin::new(open(pin)?, Spin, &attached))))
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

    #[test]
    fn a_wait_is_never_shorter_than_asked() {
        let begin = Instant::now();
        (0..10).for_each(|_| Spin.delay_us(60));
        assert!(begin.elapsed() >= Duration::from_micros(600));
    }
}
