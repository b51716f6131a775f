//! A bus that says again what was recorded of it, to the same drivers. It answers what was asked
//! then; whoever asks something else is told so, and hears nothing more.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::{self, I2c, Operation};
use embedded_hal::spi::{self, SpiDevice};
use embedded_hal_02::blocking::delay::{DelayMs, DelayUs};
use embedded_hal_02::digital::v2::{InputPin, OutputPin};

use super::dht::{DhtPin, Stopwatch};
use super::i2c::I2cBus;
use super::kernel::{Class, KernelFiles};
use super::onewire::KernelOneWire;
use super::pin::OneWirePin;
use super::reopen::{Refused, Reopening};
use super::spi::SpiBus;
use super::sysfs::SysFs;
use super::tap::{Failure, FaultName, FileStep, Hex, Look, Said, Step};
use super::{Attached, Bus, Missing};
use crate::sampling::SensorId;
use crate::sensors::catalog::Driver;
use crate::sensors::{Address, Fault, Measurement};

/// What was said on one bus, each with the line of the record. Clones are of one bus.
#[derive(Clone, Debug)]
pub struct Script(Arc<Mutex<Lines>>);

#[derive(Debug)]
struct Lines {
    said: VecDeque<(usize, Said)>,
    looks: VecDeque<Look>,
    time: Duration,
    diverged: Option<(usize, String)>,
}

impl Script {
    /// In the order in which it was said.
    pub fn new(said: Vec<(usize, Said)>) -> Self {
        let lines = Lines {
            said: said.into(),
            looks: VecDeque::new(),
            time: Duration::ZERO,
            diverged: None,
        };
        Self(Arc::new(Mutex::new(lines)))
    }

    /// Where somebody asked something else than was recorded, and what; `None`: nowhere.
    pub fn diverged(&self) -> Option<(usize, String)> {
        self.lines().diverged.clone()
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next thing that was said, if it answers what is asked now.
    fn answer<T>(&self, asked: &str, fits: impl FnOnce(&Said) -> Option<T>) -> Option<T> {
        let mut lines = self.lines();
        if lines.diverged.is_some() {
            return None;
        }
        let (line, said) = lines.said.pop_front()?;
        let answer = fits(&said);
        if answer.is_none() {
            lines.diverged = Some((line, format!("asked now: {asked}")));
        }
        answer
    }

    /// Takes the next thing that was said if it is of this kind.
    fn take<T>(&self, fits: impl FnOnce(&Said) -> Option<T>) -> Option<T> {
        let mut lines = self.lines();
        let taken = lines.said.front().and_then(|(_, said)| fits(said));
        if taken.is_some() {
            lines.said.pop_front();
        }
        taken
    }

    fn look(&self, asked: &str) -> Option<Look> {
        if self.lines().looks.is_empty() {
            let looks = self.answer(asked, |said| match said {
                Said::Looks(looks) => Some(looks.iter().collect::<VecDeque<_>>()),
                _ => None,
            })?;
            self.lines().looks = looks;
        }
        self.lines().looks.pop_front()
    }

    fn opened(&self) -> Result<(), Refused> {
        let fault = self.take(|said| match said {
            Said::Opened => Some(None),
            Said::Refused(FaultName(fault)) => Some(Some(*fault)),
            _ => None,
        });
        match fault {
            Some(None) => Ok(()),
            Some(Some(fault)) => Err(Refused { fault, hint: "as recorded".to_owned() }),
            None => Err(Refused { fault: Fault::NoBus, hint: "the record ends".to_owned() }),
        }
    }
}

/// The bus of that name with these sensors, as it was when it was recorded.
pub fn bus(name: &str, script: &Script, attached: &[Attached]) -> Box<dyn Bus> {
    let is_opened = {
        let lines = script.lines();
        let first = lines.said.front().map(|(_, said)| said);
        matches!(first, Some(Said::Opened | Said::Refused(_)))
    };
    if !is_opened {
        return hands(script, attached);
    }
    let (script, attached) = (script.clone(), attached.to_vec());
    let open = move || script.opened().map(|()| hands(&script, &attached));
    Box::new(Reopening::new(name.to_owned(), open))
}

/// The same hands as those of the bus whose first words these are.
fn hands(script: &Script, attached: &[Attached]) -> Box<dyn Bus> {
    let first = {
        let lines = script.lines();
        let mut said = lines.said.iter().map(|(_, said)| said);
        said.find(|said| !matches!(said, Said::Opened | Said::Refused(_) | Said::Busy)).cloned()
    };
    let address = attached.first().map(|sensor| &sensor.address);
    match (first, address) {
        (Some(Said::I2c { .. }), _) => {
            let bus = I2cBus::new(script.clone(), NoWait, attached);
            Box::new(Turns { bus, script: script.clone() })
        }
        (Some(Said::Spi { .. }), _) => {
            let bus = SpiBus::new(script.clone(), NoWait, attached);
            Box::new(Turns { bus, script: script.clone() })
        }
        (Some(Said::File(_)), Some(Address::OneWire(_))) => {
            Box::new(KernelOneWire::with_files(script.clone(), attached.to_vec()))
        }
        (Some(Said::File(_)), _) => {
            let class = match attached.first().map(|sensor| sensor.driver) {
                Some(Driver::Cpu | Driver::Thermal) => Class::Thermal,
                Some(Driver::Hwmon) => Class::Hwmon,
                _ => Class::Iio,
            };
            Box::new(KernelFiles::with_files(script.clone(), class, attached))
        }
        (Some(Said::Looks(_)), Some(Address::Pin(_))) => {
            Box::new(DhtPin::new(script.clone(), script.clone(), attached))
        }
        (Some(Said::Looks(_)), _) => Box::new(OneWirePin::new(script.clone(), NoWait, attached)),
        // Nothing but refusals: whatever the hands are, nobody asks them.
        (Some(Said::Opened | Said::Refused(_) | Said::Busy) | None, _) => {
            Box::new(Turns { bus: Missing, script: script.clone() })
        }
    }
}

/// A bus that another process did not give back now and then.
struct Turns<B> {
    bus: B,
    script: Script,
}

impl<B: Bus> Bus for Turns<B> {
    fn read(
        &mut self,
        sensors: &[SensorId],
        answer: &mut dyn FnMut(SensorId, Result<Measurement, Fault>),
    ) {
        for sensor in sensors {
            let is_busy = self.script.take(|said| matches!(said, Said::Busy).then_some(()));
            match is_busy {
                Some(()) => answer(*sensor, Err(Fault::Busy)),
                None => self.bus.read(&[*sensor], answer),
            }
        }
    }
}

impl i2c::ErrorType for Script {
    type Error = Failure;
}

impl I2c for Script {
    fn transaction(
        &mut self,
        address: u8,
        operations: &mut [Operation<'_>],
    ) -> Result<(), Failure> {
        let asked = format!("{address:#04x} on I²C, {} steps", operations.len());
        let answer = self.answer(&asked, |said| match said {
            Said::I2c { at, steps, failed }
                if *at == address && steps.len() == operations.len() =>
            {
                let is_same = operations.iter_mut().zip(steps).all(|(operation, step)| {
                    match (operation, step) {
                        (Operation::Write(bytes), Step::Write(Hex(then))) => **bytes == **then,
                        (Operation::Read(buffer), Step::Read(Hex(then))) => copied(buffer, then),
                        _ => false,
                    }
                });
                is_same.then_some(*failed)
            }
            _ => None,
        });
        answer.map_or(Err(Failure::Other), |failed| failed.map_or(Ok(()), Err))
    }
}

impl spi::ErrorType for Script {
    type Error = Failure;
}

impl SpiDevice for Script {
    fn transaction(&mut self, operations: &mut [spi::Operation<'_, u8>]) -> Result<(), Failure> {
        let asked = format!("SPI, {} steps", operations.len());
        let answer = self.answer(&asked, |said| match said {
            Said::Spi { steps, failed } if steps.len() == operations.len() => {
                let is_same =
                    operations.iter_mut().zip(steps).all(|(it, step)| exchanged(it, step));
                is_same.then_some(*failed)
            }
            _ => None,
        });
        answer.map_or(Err(Failure::Other), |failed| failed.map_or(Ok(()), Err))
    }
}

fn exchanged(operation: &mut spi::Operation<'_, u8>, step: &Step) -> bool {
    match (operation, step) {
        (spi::Operation::Read(buffer), Step::Read(Hex(then))) => copied(buffer, then),
        (spi::Operation::Write(bytes), Step::Write(Hex(then))) => **bytes == **then,
        (spi::Operation::Transfer(buffer, sent), Step::Both(Hex(written), Hex(then))) => {
            **sent == **written && copied(buffer, then)
        }
        (spi::Operation::TransferInPlace(buffer), Step::Both(Hex(written), Hex(then))) => {
            **buffer == **written && copied(buffer, then)
        }
        (spi::Operation::DelayNs(time), Step::Wait(then)) => time == then,
        _ => false,
    }
}

/// Fills a buffer with as many bytes as were read then.
fn copied(buffer: &mut [u8], then: &[u8]) -> bool {
    let fits = buffer.len() == then.len();
    if fits {
        buffer.copy_from_slice(then);
    }
    fits
}

impl SysFs for Script {
    fn read(&mut self, path: &str) -> Result<Vec<u8>, ErrorKind> {
        let answer = self.answer(&format!("to read `{path}`"), |said| match said {
            Said::File(FileStep::Read(then, said)) if then == path => Some(said.clone()),
            _ => None,
        });
        let text = answer.ok_or(ErrorKind::Other)?.map_err(ErrorKind::from)?;
        Ok(text.into_bytes())
    }

    fn write(&mut self, path: &str, bytes: &[u8]) -> Result<(), ErrorKind> {
        let answer = self.answer(&format!("to write `{path}`"), |said| match said {
            Said::File(FileStep::Write(then, text, said))
                if then == path && text.as_bytes() == bytes =>
            {
                Some(*said)
            }
            _ => None,
        });
        answer.ok_or(ErrorKind::Other)?.map_err(ErrorKind::from)
    }

    fn list(&mut self, path: &str) -> Result<Vec<String>, ErrorKind> {
        let answer = self.answer(&format!("to list `{path}`"), |said| match said {
            Said::File(FileStep::List(then, said)) if then == path => Some(said.clone()),
            _ => None,
        });
        answer.ok_or(ErrorKind::Other)?.map_err(ErrorKind::from)
    }

    fn link(&mut self, path: &str) -> Result<String, ErrorKind> {
        let answer = self.answer(&format!("the link `{path}`"), |said| match said {
            Said::File(FileStep::Link(then, said)) if then == path => Some(said.clone()),
            _ => None,
        });
        answer.ok_or(ErrorKind::Other)?.map_err(ErrorKind::from)
    }
}

impl InputPin for Script {
    type Error = Infallible;

    /// A line that nobody recorded is pulled up.
    fn is_high(&self) -> Result<bool, Infallible> {
        Ok(match self.look("the level of the pin") {
            Some(Look::Level(is_high)) => is_high,
            Some(Look::Time(_)) | None => true,
        })
    }

    fn is_low(&self) -> Result<bool, Infallible> {
        self.is_high().map(|is_high| !is_high)
    }
}

impl OutputPin for Script {
    type Error = Infallible;

    fn set_low(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl Stopwatch for Script {
    /// Where the record ends time goes on in long steps, so that all waiting has an end.
    fn now(&mut self) -> Duration {
        let look = self.look("the time");
        let mut lines = self.lines();
        lines.time = match look {
            Some(Look::Time(now)) => now,
            Some(Look::Level(_)) | None => lines.time.saturating_add(Duration::from_secs(1)),
        };
        lines.time
    }

    fn sleep(&mut self, _: Duration) {}
}

/// Waits are over when they begin: what comes of them is written.
struct NoWait;

impl DelayNs for NoWait {
    fn delay_ns(&mut self, _: u32) {}
}

impl DelayUs<u16> for NoWait {
    fn delay_us(&mut self, _: u16) {}
}

impl DelayMs<u16> for NoWait {
    fn delay_ms(&mut self, _: u16) {}
}
