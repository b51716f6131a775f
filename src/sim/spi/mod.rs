//! SPI down to bytes: a chip select, and a chip that answers to each byte while it is low. What is
//! between is the chips' own, one file each beside this folder.

use std::convert::Infallible;

use embedded_hal::spi::{ErrorType, Operation, SpiDevice};

use crate::sim::clock::VirtualClock;
use crate::sim::mishap::{Mishap, Mishaps, failure, invert};
use crate::sim::model::Model;
use crate::sim::socket::Socket;
use crate::sim::transcript::{self, Transcript};
use crate::time::Tick;

/// A chip at its select line.
pub trait SpiSlave: Model {
    /// Its select line goes low.
    fn select(&mut self, now: Tick);
    /// A byte goes in and another comes out; what nobody drives reads as zeros, by the pull-down of
    /// a Pi's input.
    fn exchange(&mut self, now: Tick, byte: u8) -> u8;
    /// Its select line goes high.
    fn deselect(&mut self, now: Tick);
}

/// What an electrician would find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// In order.
    Working,
    /// The line from the chip is shorted to ground, or cut.
    ReplyLow,
    /// The line from the chip is shorted to the supply.
    ReplyHigh,
    /// The line to the chip is cut: it hears zeros.
    OrderCut,
    /// The select line is cut: the chip hears and says nothing.
    SelectCut,
}

/// A chip select with its chip, as the host sees it.
#[derive(Debug)]
pub struct SimSpi {
    clock: VirtualClock,
    socket: Socket<Box<dyn SpiSlave>>,
    transcript: Option<Transcript>,
    /// A transfer is all that goes in either direction while the select line is low: first what the
    /// chip hears, then what it says.
    mishaps: Mishaps,
    /// Breaks or mends the wires.
    pub line: Line,
}

impl SimSpi {
    /// A chip at its select line.
    pub fn new(clock: VirtualClock, chip: Box<dyn SpiSlave>) -> Self {
        Self {
            clock,
            socket: Socket::new(chip),
            transcript: None,
            mishaps: Mishaps::default(),
            line: Line::Working,
        }
    }

    /// The chip, if it is there.
    pub fn chip_mut(&mut self) -> Option<&mut (dyn SpiSlave + 'static)> {
        self.socket.chip.as_deref_mut()
    }

    /// Takes the chip away.
    pub fn detach(&mut self) -> Option<Box<dyn SpiSlave>> {
        self.socket.chip.take()
    }

    /// Takes the chip away, to be put back.
    pub fn unplug(&mut self) {
        self.socket.unplug();
    }

    /// Puts it back: it powers up, and has a second until it is asked.
    pub fn plug(&mut self) {
        self.socket.plug(&self.clock, |chip, now| chip.power_up(now));
    }

    /// Puts a chip there.
    pub fn attach(&mut self, chip: Box<dyn SpiSlave>) {
        self.socket.chip = Some(chip);
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

    /// How many bytes each transfer since then had, in both directions together.
    pub fn transfers(&self) -> &[usize] {
        self.mishaps.transfers()
    }

    /// All that goes out and comes in while the select line is low.
    fn exchange(&mut self, sent: &[u8]) -> Vec<u8> {
        let now = self.clock.now();
        let mishap = self.mishaps.next(sent.len() * 2);
        if let (Some(Mishap::PowerFailure(ago)), Some(chip)) = (mishap, &mut self.socket.chip) {
            chip.power_up(failure(now, ago));
        }
        let mut heard = sent.to_vec();
        if let Some(Mishap::BitFlip(bit)) = mishap {
            invert(&mut heard, bit);
        }
        if self.line == Line::OrderCut {
            heard.fill(0);
        }
        let mut said = match &mut self.socket.chip {
            Some(chip) if self.line != Line::SelectCut => {
                chip.select(now);
                let said = heard.iter().map(|byte| chip.exchange(now, *byte)).collect();
                chip.deselect(now);
                said
            }
            _ => vec![0; sent.len()],
        };
        match self.line {
            Line::ReplyLow => said.fill(0x00),
            Line::ReplyHigh => said.fill(0xff),
            Line::Working | Line::OrderCut | Line::SelectCut => {}
        }
        if let Some(Mishap::BitFlip(bit)) = mishap
            && let Some(bit) = bit.checked_sub(sent.len() * 8)
        {
            invert(&mut said, bit);
        }
        said
    }

    fn note(&mut self, sent: &[u8], said: &[u8]) {
        let now = self.clock.now();
        if let Some(transcript) = &mut self.transcript {
            let mut line = String::new();
            transcript::append(&mut line, '←', sent);
            transcript::append(&mut line, '→', said);
            transcript.note(now, now, line.trim_start().to_owned());
        }
    }
}

impl ErrorType for SimSpi {
    type Error = Infallible;
}

impl SpiDevice for SimSpi {
    /// What is only read sends zeros.
    fn transaction(&mut self, operations: &mut [Operation<'_, u8>]) -> Result<(), Infallible> {
        let sent: Vec<u8> = operations.iter().flat_map(sent).collect();
        let said = self.exchange(&sent);
        self.note(&sent, &said);
        let mut rest = said.as_slice();
        for operation in operations {
            let (mine, others) = rest.split_at(self::sent(operation).len());
            match operation {
                Operation::Read(buffer)
                | Operation::Transfer(buffer, _)
                | Operation::TransferInPlace(buffer) => {
                    buffer.iter_mut().zip(mine).for_each(|(target, byte)| *target = *byte);
                }
                Operation::Write(_) | Operation::DelayNs(_) => {}
            }
            rest = others;
        }
        Ok(())
    }
}

/// What goes to the chip; as many bytes come back.
fn sent(operation: &Operation<'_, u8>) -> Vec<u8> {
    match operation {
        Operation::Read(buffer) => vec![0; buffer.len()],
        Operation::Write(bytes) => bytes.to_vec(),
        Operation::Transfer(buffer, bytes) => {
            let padded = bytes.iter().copied().chain(std::iter::repeat(0));
            padded.take(buffer.len().max(bytes.len())).collect()
        }
        Operation::TransferInPlace(buffer) => buffer.to_vec(),
        Operation::DelayNs(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests;
