//! An I²C bus down to transactions: addresses, acknowledges, repeated starts and stops. What is
//! between is the chips' own, one file each beside this folder.

mod multiplexer;

use std::collections::BTreeMap;
use std::time::Duration;

use embedded_hal::i2c::{Error, ErrorKind, ErrorType, I2c, NoAcknowledgeSource, Operation};

use crate::sim::chance::{Chance, Odds};
use crate::sim::clock::VirtualClock;
use crate::sim::mishap::{Mishap, Mishaps, failure, invert};
use crate::sim::model::Model;
use crate::sim::transcript::{self, Transcript};
use crate::time::Tick;

use multiplexer::Multiplexer;

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
pub trait I2cDevice: Model {
    /// Bytes of one write, from its start to the next repeated start or stop.
    fn write(&mut self, now: Tick, bytes: &[u8]) -> Answer;
    /// Bytes of one read.
    fn read(&mut self, now: Tick, buffer: &mut [u8]) -> Answer;
}

/// Where a chip is: on the bus itself, or behind a channel of a multiplexer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// Address of the multiplexer, and which of its channels.
    pub behind: Option<(u8, u8)>,
    /// 7 bits.
    pub address: u8,
}

impl From<u8> for Spot {
    fn from(address: u8) -> Self {
        Self { behind: None, address }
    }
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
    devices: BTreeMap<Spot, Box<dyn I2cDevice>>,
    unplugged: BTreeMap<Spot, Box<dyn I2cDevice>>,
    multiplexers: BTreeMap<u8, Multiplexer>,
    transcript: Option<Transcript>,
    /// A transfer is one write or one read.
    mishaps: Mishaps,
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
            unplugged: BTreeMap::new(),
            multiplexers: BTreeMap::new(),
            transcript: None,
            mishaps: Mishaps::default(),
            chance: Chance::new(seed),
            line: Line::Working,
            unheard: Odds::NEVER,
            bit_flips: Odds::NEVER,
            stretch_max: Duration::from_millis(35),
            intruder: None,
        }
    }

    /// Puts a chip somewhere, in place of what was there, and a multiplexer before it if one is
    /// missing.
    pub fn attach(&mut self, spot: impl Into<Spot>, device: Box<dyn I2cDevice>) {
        let spot = spot.into();
        if let Some((multiplexer, _)) = spot.behind {
            self.multiplexers.entry(multiplexer).or_default();
        }
        self.devices.insert(spot, device);
    }

    /// Takes a chip away.
    pub fn detach(&mut self, spot: impl Into<Spot>) -> Option<Box<dyn I2cDevice>> {
        self.devices.remove(&spot.into())
    }

    /// Takes a chip off the bus, to be put back.
    pub fn unplug(&mut self, spot: impl Into<Spot>) {
        let spot = spot.into();
        let device = self.devices.remove(&spot);
        self.unplugged.extend(device.map(|device| (spot, device)));
    }

    /// Puts a chip back: it powers up, and has a second until it is asked.
    pub fn plug(&mut self, spot: impl Into<Spot>) {
        let spot = spot.into();
        if let Some(mut device) = self.unplugged.remove(&spot) {
            device.power_up(self.clock.now());
            self.clock.advance(Duration::from_secs(1));
            self.devices.insert(spot, device);
        }
    }

    /// Takes a multiplexer away: what is behind it is not reached any more.
    pub fn detach_multiplexer(&mut self, address: u8) {
        self.multiplexers.remove(&address);
    }

    /// A multiplexer comes (back), all its channels closed.
    pub fn attach_multiplexer(&mut self, address: u8) {
        self.multiplexers.insert(address, Multiplexer::default());
    }

    /// The chip there.
    pub fn device_mut(&mut self, spot: impl Into<Spot>) -> Option<&mut (dyn I2cDevice + 'static)> {
        self.devices.get_mut(&spot.into()).map(Box::as_mut)
    }

    /// The clock of its chips, which whoever waits for them moves on.
    pub fn clock(&self) -> VirtualClock {
        self.clock.clone()
    }

    /// What its clock shows.
    pub fn now(&self) -> Tick {
        self.clock.now()
    }

    /// From here on all that is said is written down.
    pub fn record(&mut self) {
        self.transcript = Some(Transcript::new(self.clock.now()));
    }

    /// What was written down.
    pub fn transcript(&self) -> &[String] {
        self.transcript.as_ref().map_or(&[], Transcript::lines)
    }

    /// Counts transfers from here on; what happens, if anything, and at which of them.
    pub fn disturb(&mut self, mishap: Option<(usize, Mishap)>) {
        self.mishaps.plan(mishap);
    }

    /// How many bytes each transfer since then had.
    pub fn transfers(&self) -> &[usize] {
        self.mishaps.transfers()
    }

    /// What happens at this transfer, of so many bytes.
    fn next_mishap(&mut self, bytes: usize) -> Option<Mishap> {
        let mishap = self.mishaps.next(bytes);
        if let Some(Mishap::PowerFailure(ago)) = mishap {
            let then = failure(self.clock.now(), ago);
            self.devices.values_mut().for_each(|device| device.power_up(then));
        }
        mishap
    }

    fn write(&mut self, address: u8, bytes: &[u8]) -> Result<(), SimError> {
        let mut bytes = bytes.to_vec();
        if let Some(Mishap::BitFlip(bit)) = self.next_mishap(bytes.len()) {
            invert(&mut bytes, bit);
        }
        if self.line == Line::DataLow {
            return Ok(());
        }
        let now = self.clock.now();
        self.check_heard()?;
        if let Some(multiplexer) = self.multiplexers.get_mut(&address) {
            multiplexer.write(&bytes);
            return Ok(());
        }
        let answers: Vec<_> =
            self.connected(address).map(|device| device.write(now, &bytes)).collect();
        self.finish(combined(&answers))
    }

    /// Where two chips answer, the bus shows a one only where both do.
    fn read(&mut self, address: u8, buffer: &mut [u8]) -> Result<(), SimError> {
        let mishap = self.next_mishap(buffer.len());
        if self.line == Line::DataLow {
            buffer.fill(0);
            return Ok(());
        }
        let now = self.clock.now();
        self.check_heard()?;
        buffer.fill(0xff);
        if let Some(multiplexer) = self.multiplexers.get(&address) {
            multiplexer.read(buffer);
        } else {
            let mut answers = Vec::new();
            for device in self.connected(address) {
                let mut bytes = vec![0xff; buffer.len()];
                answers.push(device.read(now, &mut bytes));
                buffer.iter_mut().zip(bytes).for_each(|(shown, byte)| *shown &= byte);
            }
            self.finish(combined(&answers))?;
        }
        if self.chance.happens(self.bit_flips) {
            self.flip(buffer);
        }
        if let Some(Mishap::BitFlip(bit)) = mishap {
            invert(buffer, bit);
        }
        Ok(())
    }

    fn check_heard(&mut self) -> Result<(), SimError> {
        if self.line == Line::DataHigh || self.chance.happens(self.unheard) {
            return Err(SimError::NotAcknowledged);
        }
        Ok(())
    }

    /// The chips at `address` that are on the bus now.
    fn connected(&mut self, address: u8) -> impl Iterator<Item = &mut Box<dyn I2cDevice>> {
        let multiplexers = &self.multiplexers;
        let is_there = move |spot: &Spot| {
            let open = spot.behind.is_none_or(|(multiplexer, channel)| {
                multiplexers.get(&multiplexer).is_some_and(|it| it.is_open(channel))
            });
            spot.address == address && open
        };
        let devices = self.devices.iter_mut();
        devices.filter(move |(spot, _)| is_there(spot)).map(|(_, device)| device)
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
        invert(buffer, usize::try_from(self.chance.below(bits)).unwrap_or(0));
    }

    fn stop(&mut self) {
        let now = self.clock.now();
        if let Some(intruder) = &self.intruder
            && let Some(device) = self.devices.get_mut(&Spot::from(intruder.address))
        {
            device.write(now, &intruder.bytes);
        }
        self.multiplexers.values_mut().for_each(Multiplexer::stop);
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
        let begun = self.clock.now();
        let result = self.operations(address, operations);
        self.stop();
        if let Some(transcript) = &mut self.transcript {
            transcript.note(begun, self.clock.now(), line(address, operations, result));
        }
        result
    }
}

/// What was said, for people; two arrows have a repeated start between them.
fn line(address: u8, operations: &[Operation<'_>], result: Result<(), SimError>) -> String {
    let mut line = format!("{address:#04x}");
    for operation in operations {
        match operation {
            Operation::Write(bytes) => transcript::append(&mut line, '←', bytes),
            Operation::Read(buffer) => transcript::append(&mut line, '→', buffer),
        }
    }
    match result {
        Ok(()) => {}
        Err(SimError::NotAcknowledged) => line.push_str(" not acknowledged"),
        Err(SimError::ClockHeld) => line.push_str(" clock held"),
    }
    line
}

/// The worst of what the chips at one address do; none of them is no acknowledge.
fn combined(answers: &[Answer]) -> Answer {
    let silent = |answer: &Answer| *answer == Answer::NotAcknowledged;
    if answers.iter().all(silent) {
        return Answer::NotAcknowledged;
    }
    let held = answers.iter().filter_map(|answer| match answer {
        Answer::Stretched(held) => Some(*held),
        Answer::Acknowledged | Answer::NotAcknowledged => None,
    });
    held.max().map_or(Answer::Acknowledged, Answer::Stretched)
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
mod tests;
