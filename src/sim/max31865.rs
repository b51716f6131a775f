//! A MAX31865 down to its registers (datasheet 19-6478), with a platinum resistance.

use std::time::Duration;

use crate::sim::air::Air;
use crate::sim::circuit::{Curve, steps};
use crate::sim::model::{Damage, Model};
use crate::sim::spi::SpiSlave;
use crate::time::Tick;
use crate::units::MilliCelsius;

const CONFIGURATION: usize = 0;
const HIGH: usize = 1;
const LOW: usize = 2;
const FAULT_STATUS: usize = 7;
const AS_DELIVERED: [u8; 8] = [0x00, 0x00, 0x00, 0xff, 0xff, 0x00, 0x00, 0x00];

const BIAS: u8 = 1 << 7;
const AUTOMATIC: u8 = 1 << 6;
const ONE_SHOT: u8 = 1 << 5;
const THREE_WIRES: u8 = 1 << 4;
const CYCLE: u8 = 0b11 << 2;
const CLEAR: u8 = 1 << 1;

/// Page 3, with the filter for 50 Hz, at their longest.
const FIRST_CONVERSION: Duration = Duration::from_millis(66);
const NEXT_CONVERSION: Duration = Duration::from_millis(21);
const FAULT_CYCLE: Duration = Duration::from_micros(600);
/// Until the bias has settled through the filter at the inputs.
const SETTLING: Duration = Duration::from_millis(10);

/// What hangs at the inputs, and the resistor beside it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Probe {
    /// Ω at 0 °C.
    pub r0: f64,
    /// Two, three or four.
    pub wires: u8,
    /// Ω of the reference resistor.
    pub reference: f64,
}

impl Probe {
    /// Each wire of a probe on three or four; those of one on two are too short to count.
    const LEAD_OHMS: f64 = 0.7;

    /// PT100 on four wires, 430 Ω.
    pub const USUAL: Self = Self { r0: 100.0, wires: 4, reference: 430.0 };

    /// What is measured, where the third wire is taken off or not (page 14).
    fn ohms(self, temperature: MilliCelsius, takes_off: bool) -> f64 {
        let ohms = Curve::Platinum(self.r0).ohms(temperature);
        match (self.wires, takes_off) {
            (3, false) => ohms + Self::LEAD_OHMS,
            (4, true) => ohms - Self::LEAD_OHMS,
            _ => ohms,
        }
    }
}

/// The chip.
#[derive(Debug)]
pub struct Max31865 {
    registers: [u8; 8],
    /// The address byte of this exchange, once it was heard, and the register that is next.
    order: Option<(u8, usize)>,
    probe: Probe,
    temperature: MilliCelsius,
    damage: Option<Damage>,
    bias_since: Option<Tick>,
    done_at: Option<Tick>,
    cycle_ends: Option<Tick>,
    hangs: bool,
}

impl Max31865 {
    /// A chip that powers up now.
    pub fn new(probe: Probe, now: Tick) -> Self {
        let mut chip = Self {
            registers: AS_DELIVERED,
            order: None,
            probe,
            temperature: Air::default().temperature,
            damage: None,
            bias_since: None,
            done_at: None,
            cycle_ends: None,
            hangs: false,
        };
        chip.power_up(now);
        chip
    }

    fn get(&self, register: usize) -> u8 {
        self.registers.get(register).copied().unwrap_or(0)
    }

    fn set(&mut self, register: usize, value: u8) {
        if let Some(slot) = self.registers.get_mut(register) {
            *slot = value;
        }
    }

    fn configure(&mut self, now: Tick, value: u8) {
        let before = self.get(CONFIGURATION);
        if value & CLEAR != 0 {
            self.set(FAULT_STATUS, 0);
        }
        // What starts something reads as zero when that is done; these two are done at once.
        self.set(CONFIGURATION, value & !(CLEAR | ONE_SHOT));
        let has_bias = value & BIAS != 0;
        self.bias_since = has_bias.then(|| self.bias_since.unwrap_or(now));
        if value & (AUTOMATIC | ONE_SHOT) == 0 {
            self.done_at = None;
        } else if before & AUTOMATIC == 0 || value & ONE_SHOT != 0 {
            self.done_at = Some(now.after(FIRST_CONVERSION));
        }
        self.cycle_ends =
            (value & CYCLE != 0 && value & CLEAR == 0).then(|| now.after(FAULT_CYCLE));
    }

    fn settle(&mut self, now: Tick) {
        if self.cycle_ends.is_some_and(|end| end <= now) {
            self.cycle_ends = None;
            self.set(CONFIGURATION, self.get(CONFIGURATION) & !CYCLE);
            self.add_faults(self.cycle_faults());
        }
        while let Some(done) = self.done_at.filter(|done| *done <= now && !self.hangs) {
            self.convert(done);
            let goes_on = self.get(CONFIGURATION) & AUTOMATIC != 0;
            // Whole conversions that nobody looked at are all alike.
            let behind = now.since(done).as_millis() > 1000;
            let next = if behind { now } else { done.after(NEXT_CONVERSION) };
            self.done_at = goes_on.then_some(next);
            if behind {
                break;
            }
        }
    }

    fn add_faults(&mut self, faults: u8) {
        self.set(FAULT_STATUS, self.get(FAULT_STATUS) | faults);
    }

    /// Bits 5 to 3 are found by a cycle only (table 7).
    fn cycle_faults(&self) -> u8 {
        match self.damage {
            Some(Damage::Cut) => 1 << 5,
            Some(Damage::Grounded) => 1 << 4 | 1 << 3,
            _ => 0,
        }
    }

    fn convert(&mut self, done: Tick) {
        let settled = self.bias_since.is_some_and(|since| {
            done.since(since) >= SETTLING + FIRST_CONVERSION.min(NEXT_CONVERSION)
        });
        let takes_off = self.get(CONFIGURATION) & THREE_WIRES != 0;
        let share = match self.damage {
            Some(Damage::Cut | Damage::Supplied) => 1.0,
            Some(Damage::Shorted | Damage::Grounded) => 0.0,
            None => self.probe.ohms(self.temperature, takes_off) / self.probe.reference,
        };
        let share = if settled { share } else { share * 0.9 };
        let value = steps(share * 32_768.0, 0x7fff);
        let threshold = |at: usize| u16::from_be_bytes([self.get(at), self.get(at + 1)]) >> 1;
        let (high, low) = (threshold(3), threshold(5));
        let above = if value >= high { 1 << 7 } else { 0 };
        let below = if value <= low { 1 << 6 } else { 0 };
        let voltage = if self.damage == Some(Damage::Supplied) { 1 << 2 } else { 0 };
        self.add_faults(above | below | voltage);
        let word = value << 1 | u16::from(self.get(FAULT_STATUS) != 0);
        let [high, low] = word.to_be_bytes();
        self.set(HIGH, high);
        self.set(LOW, low);
    }
}

impl SpiSlave for Max31865 {
    fn select(&mut self, now: Tick) {
        self.settle(now);
        self.order = None;
    }

    fn exchange(&mut self, now: Tick, byte: u8) -> u8 {
        let Some((order, register)) = self.order else {
            self.order = Some((byte, usize::from(byte & 0b111)));
            return 0;
        };
        self.order = Some((order, (register + 1) % self.registers.len()));
        if order & 0x80 == 0 {
            return self.get(register);
        }
        match register {
            CONFIGURATION => self.configure(now, byte),
            HIGH | LOW | FAULT_STATUS => {}
            threshold => self.set(threshold, byte),
        }
        0
    }

    fn deselect(&mut self, _now: Tick) {}
}

impl Model for Max31865 {
    fn expose(&mut self, air: Air) {
        self.temperature = air.temperature;
    }

    fn power_up(&mut self, _now: Tick) {
        self.registers = AS_DELIVERED;
        self.bias_since = None;
        self.done_at = None;
        self.cycle_ends = None;
    }

    fn hang(&mut self) {
        self.hangs = true;
    }

    fn raw(&self) -> u32 {
        u32::from(u16::from_be_bytes([self.get(HIGH), self.get(LOW)]) >> 1)
    }

    fn damage(&mut self, damage: Option<Damage>) -> bool {
        self.damage = damage;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange<const N: usize>(chip: &mut Max31865, now_ms: u64, sent: [u8; N]) -> [u8; N] {
        let now = Tick::from_micros(now_ms * 1000);
        chip.select(now);
        let said = sent.map(|byte| chip.exchange(now, byte));
        chip.deselect(now);
        said
    }

    #[test]
    fn it_converts_again_and_again_once_the_bias_has_settled() {
        let mut chip = Max31865::new(Probe::USUAL, Tick::ZERO);
        assert_eq!(exchange(&mut chip, 0, [0; 9]), [0, 0, 0, 0, 0xff, 0xff, 0, 0, 0]);
        exchange(&mut chip, 0, [0x80, 0x81]);
        exchange(&mut chip, 10, [0x80, 0xc1]);
        assert_eq!(exchange(&mut chip, 75, [1, 0, 0]), [0, 0, 0]);
        let [_, high, low] = exchange(&mut chip, 100, [1, 0, 0]);
        // 109.735 Ω at 25 °C, of 430 Ω.
        assert_eq!(u16::from_be_bytes([high, low]) >> 1, 8362);
    }

    #[test]
    fn a_fault_cycle_ends_by_itself_and_names_the_wire() {
        let mut chip = Max31865::new(Probe::USUAL, Tick::ZERO);
        assert!(chip.damage(Some(Damage::Grounded)));
        exchange(&mut chip, 0, [0x80, 0x85]);
        assert_eq!(exchange(&mut chip, 0, [0, 0]), [0, 0x85]);
        assert_eq!(exchange(&mut chip, 1, [0, 0]), [0, 0x81]);
        assert_eq!(exchange(&mut chip, 1, [7, 0]), [0, 0x18]);
        exchange(&mut chip, 1, [0x80, 0x82]);
        assert_eq!(exchange(&mut chip, 1, [7, 0]), [0, 0]);
    }
}
