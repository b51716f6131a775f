//! A 1-Wire bus down to its edges: the line is low while anybody pulls it, and each chip acts on
//! nothing but the falling and rising edges it sees and the time between them.

mod ds18b20;
mod slave;

use std::convert::Infallible;

use embedded_hal_02::digital::v2::{InputPin, OutputPin};

pub use self::ds18b20::{Ds18b20, Power, Resolution};
use self::slave::Edge;
use crate::sim::chance::{Chance, Odds};
use crate::sim::clock::VirtualClock;
use crate::time::Tick;

/// What an electrician would find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Pulled up, and free.
    Working,
    /// Shorted to ground.
    StuckLow,
    /// Shorted to the supply, or the wire is cut before the first chip.
    StuckHigh,
}

/// The wire with its chips.
#[derive(Debug)]
pub struct Wire {
    chips: Vec<Socket>,
    line: Line,
    bit_flips: Odds,
    brown_outs: Odds,
    chance: Chance,
    /// Since when the master pulls, in a way the chips could see.
    fell: Option<Tick>,
    master_pulls: bool,
}

/// A place on the wire, and whether its chip is there.
#[derive(Debug)]
struct Socket {
    chip: Ds18b20,
    plugged: bool,
}

impl Wire {
    /// A wire in order, without chips; `seed` determines its faults.
    pub fn new(seed: u64) -> Self {
        Self {
            chips: Vec::new(),
            line: Line::Working,
            bit_flips: Odds::NEVER,
            brown_outs: Odds::NEVER,
            chance: Chance::new(seed),
            fell: None,
            master_pulls: false,
        }
    }

    /// Adds a chip, plugged in.
    pub fn attach(&mut self, chip: Ds18b20) {
        self.chips.push(Socket { chip, plugged: true });
    }

    /// The chip of that ROM, plugged or not.
    pub fn chip_mut(&mut self, rom: u64) -> Option<&mut Ds18b20> {
        self.socket(rom).map(|socket| &mut socket.chip)
    }

    /// Every chip, plugged or not.
    pub fn chips_mut(&mut self) -> impl Iterator<Item = &mut Ds18b20> {
        self.chips.iter_mut().map(|socket| &mut socket.chip)
    }

    /// Takes the chip of that ROM off the wire.
    pub fn unplug(&mut self, rom: u64) {
        if let Some(socket) = self.socket(rom) {
            socket.plugged = false;
        }
    }

    /// Puts the chip of that ROM back: it powers up.
    pub fn plug(&mut self, rom: u64) {
        if let Some(socket) = self.socket(rom) {
            socket.chip.power_up();
            socket.plugged = true;
        }
    }

    /// Breaks or mends the line.
    pub fn set_line(&mut self, line: Line) {
        self.line = line;
    }

    /// How often a bit that a chip sends arrives inverted.
    pub fn set_bit_flips(&mut self, odds: Odds) {
        self.bit_flips = odds;
    }

    /// How often, per slot, the supply of a chip fails for a moment.
    pub fn set_brown_outs(&mut self, odds: Odds) {
        self.brown_outs = odds;
    }

    fn socket(&mut self, rom: u64) -> Option<&mut Socket> {
        self.chips.iter_mut().find(|socket| socket.chip.rom() == rom)
    }

    fn is_high(&self, now: Tick) -> bool {
        match self.line {
            Line::StuckLow => false,
            Line::StuckHigh => true,
            Line::Working => !self.master_pulls && !self.is_pulled(now),
        }
    }

    fn is_pulled(&self, now: Tick) -> bool {
        self.chips.iter().any(|socket| socket.plugged && socket.chip.pulls(now))
    }

    /// A line that somebody holds low already has no falling edge for the chips to see.
    fn pull(&mut self, now: Tick) {
        if self.line == Line::Working && self.is_high(now) {
            self.fell = Some(now);
            self.deliver(now, Edge::Fall);
        }
        self.master_pulls = true;
    }

    fn release(&mut self, now: Tick) {
        self.master_pulls = false;
        if let Some(fell) = self.fell.take() {
            self.deliver(now, Edge::Rise { low: now.since(fell) });
        }
    }

    fn deliver(&mut self, now: Tick, edge: Edge) {
        for socket in self.chips.iter_mut().filter(|socket| socket.plugged) {
            let flips = edge == Edge::Fall && self.chance.happens(self.bit_flips);
            socket.chip.edge(now, edge);
            if flips {
                socket.chip.disturb(now);
            }
            if edge == Edge::Fall && self.chance.happens(self.brown_outs) {
                socket.chip.power_up();
            }
        }
    }
}

/// The master's pin: low pulls the wire, high lets it go.
#[derive(Debug)]
pub struct SimPin {
    wire: Wire,
    clock: VirtualClock,
}

impl SimPin {
    /// A pin on `wire` in the time of `clock`.
    pub fn new(wire: Wire, clock: VirtualClock) -> Self {
        Self { wire, clock }
    }

    /// The wire, to change its weather or to break it.
    pub fn wire_mut(&mut self) -> &mut Wire {
        &mut self.wire
    }
}

impl InputPin for SimPin {
    type Error = Infallible;

    fn is_high(&self) -> Result<bool, Infallible> {
        Ok(self.wire.is_high(self.clock.now()))
    }

    fn is_low(&self) -> Result<bool, Infallible> {
        Ok(!self.wire.is_high(self.clock.now()))
    }
}

impl OutputPin for SimPin {
    type Error = Infallible;

    fn set_low(&mut self) -> Result<(), Infallible> {
        self.wire.pull(self.clock.now());
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.wire.release(self.clock.now());
        Ok(())
    }
}

#[cfg(test)]
mod tests;
