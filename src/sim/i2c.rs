//! An I²C bus down to transactions: addresses, acknowledges, repeated starts and stops. What is
//! between is the chips' own: see [`crate::sim::sht3x`] and [`crate::sim::tmp117`].

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use embedded_hal::i2c::{Error, ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};

use crate::sim::chance::{Chance, Odds};
use crate::sim::clock::VirtualClock;
use crate::time::Tick;
use crate::units::MilliCelsius;

/// What a chip does when its address is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It acknowledges.
    Acknowledged,
    /// It does not.
    NotAcknowledged,
    /// It acknowledges, and holds the clock for this long.
    Stretched(Duration),
}

/// A chip at its address. Its registers outlive a stop; what it was told does not depend on how
/// the host cuts its transactions, only on the order.
pub trait I2cDevice: Send + fmt::Debug {
    /// Bytes of one write, from its start to the next repeated start or stop.
    fn write(&mut self, now: Tick, bytes: &[u8]) -> Answer;
    /// Bytes of one read.
    fn read(&mut self, now: Tick, buffer: &mut [u8]) -> Answer;
    /// Sets how warm it is.
    fn set_temperature(&mut self, temperature: MilliCelsius);
    /// Its supply fails for a moment.
    fn power_up(&mut self, now: Tick);
}

/// What an electrician would find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// In order.
    Working,
    /// The data line is shorted to ground: all is acknowledged, all is zero.
    DataLow,
    /// The data line is cut or shorted to the supply: nothing is acknowledged.
    DataHigh,
    /// The clock line is held: no transaction ends.
    ClockLow,
}

/// Another master on the bus: whenever there has been a stop, it writes these bytes to that chip.
#[derive(Clone, Debug)]
pub struct Intruder {
    /// Whom it calls.
    pub address: u8,
    /// What it writes: a register number moves that chip's pointer.
    pub bytes: Vec<u8>,
}

/// The bus with its chips, as its host sees it.
#[derive(Debug)]
pub struct SimI2c {
    clock: VirtualClock,
    devices: BTreeMap<u8, Box<dyn I2cDevice>>,
    chance: Chance,
    /// Breaks or mends the wires.
    pub line: Line,
    /// How often an address is not acknowledged although its chip is there.
    pub unheard: Odds,
    /// How often one bit of a read arrives inverted.
    pub bit_flips: Odds,
    /// Longest a chip may hold the clock: the Pi's kernel waits 35 ms.
    pub stretch_max: Duration,
    /// Somebody else on the bus.
    pub intruder: Option<Intruder>,
}

impl SimI2c {
    /// A bus in order, without chips; `seed` determines its faults.
    pub fn new(clock: VirtualClock, seed: u64) -> Self {
        Self {
            clock,
            devices: BTreeMap::new(),
            chance: Chance::new(seed),
            line: Line::Working,
            unheard: Odds::NEVER,
            bit_flips: Odds::NEVER,
            stretch_max: Duration::from_millis(35),
            intruder: None,
        }
    }

    /// Puts a chip at `address`, in place of what was there.
    pub fn attach(&mut self, address: u8, device: Box<dyn I2cDevice>) {
        self.devices.insert(address, device);
    }

    /// Takes away what is at `address`.
    pub fn detach(&mut self, address: u8) -> Option<Box<dyn I2cDevice>> {
        self.devices.remove(&address)
    }

    /// The chip at `address`.
    pub fn device_mut(&mut self, address: u8) -> Option<&mut (dyn I2cDevice + 'static)> {
        self.devices.get_mut(&address).map(Box::as_mut)
    }

    fn write(&mut self, address: u8, bytes: &[u8]) -> Result<(), SimError> {
        if self.line == Line::DataLow {
            return Ok(());
        }
        let now = self.clock.now();
        let answer = self.heard(address)?.write(now, bytes);
        self.finish(answer)
    }

    fn read(&mut self, address: u8, buffer: &mut [u8]) -> Result<(), SimError> {
        if self.line == Line::DataLow {
            buffer.fill(0);
            return Ok(());
        }
        let now = self.clock.now();
        let answer = self.heard(address)?.read(now, buffer);
        self.finish(answer)?;
        if self.chance.happens(self.bit_flips) {
            self.flip(buffer);
        }
        Ok(())
    }

    fn heard(&mut self, address: u8) -> Result<&mut Box<dyn I2cDevice>, SimError> {
        if self.line == Line::DataHigh || self.chance.happens(self.unheard) {
            return Err(SimError::NotAcknowledged);
        }
        self.devices.get_mut(&address).ok_or(SimError::NotAcknowledged)
    }

    fn finish(&self, answer: Answer) -> Result<(), SimError> {
        match answer {
            Answer::Acknowledged => Ok(()),
            Answer::NotAcknowledged => Err(SimError::NotAcknowledged),
            Answer::Stretched(held) => {
                self.clock.advance(held.min(self.stretch_max));
                if held > self.stretch_max { Err(SimError::ClockHeld) } else { Ok(()) }
            }
        }
    }

    fn flip(&mut self, buffer: &mut [u8]) {
        let bits = u64::try_from(buffer.len()).unwrap_or(0) * 8;
        let bit = self.chance.below(bits);
        let index = usize::try_from(bit / 8).unwrap_or(0);
        if let Some(byte) = buffer.get_mut(index) {
            *byte ^= 1 << (bit % 8);
        }
    }

    fn stop(&mut self) {
        let now = self.clock.now();
        if let Some(intruder) = &self.intruder
            && let Some(device) = self.devices.get_mut(&intruder.address)
        {
            device.write(now, &intruder.bytes);
        }
    }

    /// Neighbours of one kind are one write or one read to the chip (embedded-hal, contract of
    /// `I2c::transaction`).
    fn operations(
        &mut self,
        address: u8,
        operations: &mut [Operation<'_>],
    ) -> Result<(), SimError> {
        for group in operations.chunk_by_mut(|one, other| is_write(one) == is_write(other)) {
            if group.first().is_some_and(is_write) {
                self.write(address, &written(group))?;
            } else {
                let mut bytes = vec![0; group.iter().map(length).sum()];
                self.read(address, &mut bytes)?;
                distribute(group, &bytes);
            }
        }
        Ok(())
    }
}

impl ErrorType for SimI2c {
    type Error = SimError;
}

impl I2c for SimI2c {
    fn transaction(
        &mut self,
        address: u8,
        operations: &mut [Operation<'_>],
    ) -> Result<(), SimError> {
        if self.line == Line::ClockLow {
            self.clock.advance(self.stretch_max);
            return Err(SimError::ClockHeld);
        }
        let result = self.operations(address, operations);
        self.stop();
        result
    }
}

fn is_write(operation: &Operation<'_>) -> bool {
    matches!(operation, Operation::Write(_))
}

fn length(operation: &Operation<'_>) -> usize {
    match operation {
        Operation::Read(buffer) => buffer.len(),
        Operation::Write(bytes) => bytes.len(),
    }
}

fn written(group: &[Operation<'_>]) -> Vec<u8> {
    let parts = group.iter().map(|operation| match operation {
        Operation::Write(bytes) => *bytes,
        Operation::Read(_) => &[],
    });
    parts.flatten().copied().collect()
}

fn distribute(group: &mut [Operation<'_>], bytes: &[u8]) {
    let mut source = bytes.iter();
    for operation in group {
        if let Operation::Read(buffer) = operation {
            buffer.iter_mut().zip(&mut source).for_each(|(target, byte)| *target = *byte);
        }
    }
}

/// How a transaction failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimError {
    /// Nobody answered to the address.
    NotAcknowledged,
    /// The clock was held for too long.
    ClockHeld,
}

impl Error for SimError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotAcknowledged => ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address),
            Self::ClockHeld => ErrorKind::ArbitrationLoss,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Remembers the order of what it was told; sends 1, 2, 3, ….
    #[derive(Debug, Default)]
    struct Echo {
        pointer: u8,
    }

    impl I2cDevice for Echo {
        fn write(&mut self, _now: Tick, bytes: &[u8]) -> Answer {
            self.pointer = bytes.iter().sum();
            Answer::Acknowledged
        }

        fn read(&mut self, _now: Tick, buffer: &mut [u8]) -> Answer {
            buffer.iter_mut().zip(self.pointer..).for_each(|(byte, value)| *byte = value);
            Answer::Stretched(Duration::from_millis(20))
        }

        fn set_temperature(&mut self, _temperature: MilliCelsius) {}

        fn power_up(&mut self, _now: Tick) {}
    }

    fn bus() -> SimI2c {
        let mut bus = SimI2c::new(VirtualClock::new(), 1);
        bus.attach(0x10, Box::new(Echo::default()));
        bus
    }

    #[test]
    fn neighbouring_operations_are_one_to_the_chip() {
        let (mut one, mut two) = ([0; 1], [0; 2]);
        let mut operations = [
            Operation::Write(&[40]),
            Operation::Write(&[2]),
            Operation::Read(&mut one),
            Operation::Read(&mut two),
        ];
        bus().transaction(0x10, &mut operations).unwrap();
        assert_eq!((one, two), ([42], [43, 44]));
    }

    #[test]
    fn an_empty_address_does_not_acknowledge() {
        assert_eq!(bus().write(0x11, &[0]), Err(SimError::NotAcknowledged));
        let mut bus = bus();
        bus.line = Line::DataHigh;
        assert_eq!(bus.write(0x10, &[0]), Err(SimError::NotAcknowledged));
    }

    #[test]
    fn a_stretched_clock_takes_time_or_ends_the_transaction() {
        let mut bus = bus();
        let mut byte = [0];
        I2c::read(&mut bus, 0x10, &mut byte).unwrap();
        assert_eq!(bus.clock.now(), Tick::from_micros(20_000));
        bus.stretch_max = Duration::from_millis(10);
        assert_eq!(I2c::read(&mut bus, 0x10, &mut byte), Err(SimError::ClockHeld));
    }

    #[test]
    fn another_master_comes_in_after_a_stop_and_not_after_a_repeated_start() {
        let mut bus = bus();
        bus.intruder = Some(Intruder { address: 0x10, bytes: vec![99] });
        let mut byte = [0];
        bus.write_read(0x10, &[5], &mut byte).unwrap();
        assert_eq!(byte, [5]);
        I2c::write(&mut bus, 0x10, &[5]).unwrap();
        I2c::read(&mut bus, 0x10, &mut byte).unwrap();
        assert_eq!(byte, [99]);
    }
}
