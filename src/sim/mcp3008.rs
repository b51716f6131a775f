//! An MCP3008 down to its bits (datasheet DS21295, section 5), with 3.3 V as supply and reference.

use crate::sim::air::Air;
use crate::sim::circuit::{Circuit, steps};
use crate::sim::model::{Damage, Model};
use crate::sim::spi::SpiSlave;
use crate::time::Tick;
use crate::units::MilliCelsius;

const INPUTS: usize = 8;
const REFERENCE_VOLTS: f64 = 3.3;

/// How far an exchange has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Waits for a one.
    Idle,
    /// Hears whether it is one input or a pair, and which: so many of four bits, and their value.
    Order { bits: u8, heard: u8 },
    /// Holds the input for one clock, then sends a zero, ten bits down and nine up: which is next.
    Sending { bit: u8 },
}

/// The chip.
#[derive(Debug)]
pub struct Mcp3008 {
    state: State,
    circuits: [Circuit; INPUTS],
    temperatures: [MilliCelsius; INPUTS],
    damage: Option<Damage>,
    value: u16,
}

impl Mcp3008 {
    /// A chip with these at its inputs.
    pub fn new(circuits: [Circuit; INPUTS]) -> Self {
        Self {
            state: State::Idle,
            circuits,
            temperatures: [Air::default().temperature; INPUTS],
            damage: None,
            value: 0,
        }
    }

    /// One clock: a bit in, a bit out.
    fn clock(&mut self, bit_in: bool) -> bool {
        match self.state {
            State::Idle => {
                if bit_in {
                    self.state = State::Order { bits: 0, heard: 0 };
                }
                false
            }
            State::Order { bits, heard } => {
                let heard = heard << 1 | u8::from(bit_in);
                self.state = State::Order { bits: bits + 1, heard };
                if bits == 3 {
                    self.value = self.convert(heard);
                    self.state = State::Sending { bit: 0 };
                }
                false
            }
            State::Sending { bit } => {
                self.state = State::Sending { bit: bit.saturating_add(1) };
                match bit {
                    2..=11 => self.value >> (11 - bit) & 1 == 1,
                    12..=20 => self.value >> (bit - 11) & 1 == 1,
                    _ => false,
                }
            }
        }
    }

    /// One input, or the difference of a pair, which is never below zero (table 5-2).
    fn convert(&self, order: u8) -> u16 {
        let (input, other) = (order & 0b111, (order & 0b111) ^ 1);
        let is_single = order & 0b1000 != 0;
        let volts = self.volts(input) - if is_single { 0.0 } else { self.volts(other) };
        steps((volts / REFERENCE_VOLTS).max(0.0) * 1024.0, 1023)
    }

    fn volts(&self, input: u8) -> f64 {
        let at = self.circuits.iter().zip(self.temperatures).nth(input.into());
        at.map_or(0.0, |(circuit, temperature)| {
            circuit.volts(temperature, REFERENCE_VOLTS, self.damage)
        })
    }
}

impl SpiSlave for Mcp3008 {
    fn select(&mut self, _now: Tick) {
        self.state = State::Idle;
    }

    fn exchange(&mut self, _now: Tick, byte: u8) -> u8 {
        (0..8).rev().fold(0, |out, bit| out << 1 | u8::from(self.clock(byte >> bit & 1 == 1)))
    }

    fn deselect(&mut self, _now: Tick) {}
}

impl Model for Mcp3008 {
    fn expose(&mut self, air: Air) {
        self.temperatures = [air.temperature; INPUTS];
    }

    fn expose_input(&mut self, input: u8, air: Air) {
        if let Some(temperature) = self.temperatures.get_mut(usize::from(input)) {
            *temperature = air.temperature;
        }
    }

    /// It keeps nothing.
    fn power_up(&mut self, _now: Tick) {}

    /// It has no clock of its own that could stop.
    fn hang(&mut self) {}

    fn raw(&self) -> u32 {
        self.value.into()
    }

    fn damage(&mut self, damage: Option<Damage>) -> bool {
        self.damage = damage;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(chip: &mut Mcp3008, sent: [u8; 5]) -> [u8; 5] {
        chip.select(Tick::ZERO);
        sent.map(|byte| chip.exchange(Tick::ZERO, byte))
    }

    /// Figures 5-1, 5-2 and 6-1: at 25 °C half the reference, `0b10_0000_0000`.
    #[test]
    fn its_bits_go_down_and_up_again() {
        let mut chip = Mcp3008::new([Circuit::THERMISTOR; INPUTS]);
        assert_eq!(answer(&mut chip, [1, 0x80, 0, 0, 0]), [0, 0b10, 0, 0, 0x80]);
        chip.expose(Air { temperature: MilliCelsius::new(30_000), ..Air::default() });
        let [_, high, low, mirrored, rest] = answer(&mut chip, [1, 0x80, 0, 0, 0]);
        assert_eq!((high, low, rest), (0b01, 0xc8, 0));
        assert_eq!(mirrored, 0b0010_0111, "bits 1 to 8 of 0x1c8, the lowest first");
    }

    #[test]
    fn pairs_are_a_difference_and_without_a_start_there_is_nothing() {
        let mut chip = Mcp3008::new([Circuit::THERMISTOR; INPUTS]);
        assert_eq!(answer(&mut chip, [1, 0x00, 0, 0, 0]), [0; 5]);
        assert_eq!(answer(&mut chip, [0, 0, 0, 0, 0]), [0; 5]);
    }
}
