//! An ADS1115 down to its registers (datasheet SBAS444), at 3.3 V, which its fourth input sees.

use std::time::Duration;

use crate::sim::air::Air;
use crate::sim::circuit::{Circuit, steps};
use crate::sim::i2c::{Answer, I2cDevice};
use crate::sim::model::{Damage, Model};
use crate::sim::words::Words;
use crate::time::Tick;
use crate::units::MilliCelsius;

const CONVERSION: u8 = 0;
const CONFIGURATION: u8 = 1;
const AS_DELIVERED: [u16; 4] = [0x0000, 0x8583, 0x8000, 0x7fff];
const IDLE: u16 = 1 << 15;
const SINGLE_SHOT: u16 = 1 << 8;

const SUPPLY_VOLTS: f64 = 3.3;
const SUPPLY_INPUT: u8 = 3;

/// Full scales of the programmable gain (table 8-3), and conversions a second (the same).
const FULL_SCALES: [f64; 8] = [6.144, 4.096, 2.048, 1.024, 0.512, 0.256, 0.256, 0.256];
const RATES: [u64; 8] = [8, 16, 32, 64, 128, 250, 475, 860];

/// The chip.
#[derive(Debug)]
pub struct Ads1115 {
    /// Two bits.
    words: Words<4>,
    circuits: [Circuit; 3],
    temperatures: [MilliCelsius; 3],
    damage: Option<Damage>,
    done_at: Option<Tick>,
    /// Of the first input that is none of the supply's.
    seen: u16,
    hangs: bool,
}

impl Ads1115 {
    /// A chip that powers up now, with these at its inputs.
    pub fn new(circuits: [Circuit; 3], now: Tick) -> Self {
        let mut chip = Self {
            words: Words::new(AS_DELIVERED),
            circuits,
            temperatures: [Air::default().temperature; 3],
            damage: None,
            done_at: None,
            seen: 0,
            hangs: false,
        };
        chip.power_up(now);
        chip
    }

    /// A bit field of the configuration.
    fn field(&self, shift: u16) -> usize {
        usize::from(self.words.get(CONFIGURATION) >> shift & 0b111)
    }

    fn configure(&mut self, now: Tick, value: u16) {
        self.words.set(CONFIGURATION, value);
        let single = value & SINGLE_SHOT != 0;
        if !single || value & IDLE != 0 {
            self.words.set(CONFIGURATION, value & !IDLE);
            let rate = RATES.get(self.field(5)).copied().unwrap_or(8);
            // A tenth longer than it should.
            self.done_at = Some(now.after(Duration::from_micros(1_100_000 / rate + 25)));
        } else if self.done_at.is_none() {
            self.words.set(CONFIGURATION, value | IDLE);
        }
    }

    fn settle(&mut self, now: Tick) {
        if self.done_at.is_none_or(|done| done > now || self.hangs) {
            return;
        }
        let value = self.converted();
        self.words.set(CONVERSION, value);
        if self.words.get(CONFIGURATION) & SINGLE_SHOT != 0 {
            self.words.set(CONFIGURATION, self.words.get(CONFIGURATION) | IDLE);
            self.done_at = None;
        }
    }

    /// What the selected inputs see; pairs of them are a difference.
    fn converted(&mut self) -> u16 {
        let (positive, negative) = match self.field(12) {
            0 => (0, Some(1)),
            1 => (0, Some(SUPPLY_INPUT)),
            2 => (1, Some(SUPPLY_INPUT)),
            3 => (2, Some(SUPPLY_INPUT)),
            4 => (0, None),
            5 => (1, None),
            6 => (2, None),
            _ => (SUPPLY_INPUT, None),
        };
        let full = FULL_SCALES.get(self.field(9)).copied().unwrap_or(0.256);
        let volts = self.volts(positive) - negative.map_or(0.0, |input| self.volts(input));
        let magnitude = steps(volts.abs() / full * 32_768.0, 0x7fff);
        let value = if volts < 0.0 { magnitude.wrapping_neg() } else { magnitude };
        if positive != SUPPLY_INPUT {
            self.seen = value;
        }
        value
    }

    fn volts(&self, input: u8) -> f64 {
        let at = self.circuits.iter().zip(self.temperatures).nth(input.into());
        at.map_or(SUPPLY_VOLTS, |(circuit, temperature)| {
            circuit.volts(temperature, SUPPLY_VOLTS, self.damage)
        })
    }
}

impl I2cDevice for Ads1115 {
    fn write(&mut self, now: Tick, bytes: &[u8]) -> Answer {
        self.settle(now);
        if let [pointer, value @ ..] = bytes {
            self.words.pointer = pointer & 0b11;
            if let [high, low, ..] = *value {
                let value = u16::from_be_bytes([high, low]);
                match self.words.pointer {
                    CONVERSION => {}
                    CONFIGURATION => self.configure(now, value),
                    limit => self.words.set(limit, value),
                }
            }
        }
        Answer::Acknowledged
    }

    fn read(&mut self, now: Tick, buffer: &mut [u8]) -> Answer {
        self.settle(now);
        self.words.show(buffer);
        Answer::Acknowledged
    }
}

impl Model for Ads1115 {
    fn expose(&mut self, air: Air) {
        self.temperatures = [air.temperature; 3];
    }

    fn expose_input(&mut self, input: u8, air: Air) {
        if let Some(temperature) = self.temperatures.get_mut(usize::from(input)) {
            *temperature = air.temperature;
        }
    }

    fn power_up(&mut self, _now: Tick) {
        self.words = Words::new(AS_DELIVERED);
        self.done_at = None;
    }

    fn hang(&mut self) {
        self.hangs = true;
    }

    fn raw(&self) -> u32 {
        self.seen.into()
    }

    fn damage(&mut self, damage: Option<Damage>) -> bool {
        self.damage = damage;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(chip: &mut Ads1115, now_us: u64, register: u8) -> u16 {
        let now = Tick::from_micros(now_us);
        chip.write(now, &[register]);
        let mut bytes = [0; 2];
        chip.read(now, &mut bytes);
        u16::from_be_bytes(bytes)
    }

    /// Section 8.1.3: the bit reads zero while a conversion runs.
    #[test]
    fn it_sleeps_until_it_is_told_to_convert_and_says_when_it_is_done() {
        let mut chip = Ads1115::new([Circuit::THERMISTOR; 3], Tick::ZERO);
        assert_eq!(register(&mut chip, 1000, CONFIGURATION), 0x8583);
        assert_eq!(register(&mut chip, 1000, CONVERSION), 0);
        chip.write(Tick::from_micros(1000), &[CONFIGURATION, 0xc3, 0x83]);
        assert_eq!(register(&mut chip, 9000, CONFIGURATION), 0x4383);
        assert_eq!(register(&mut chip, 9700, CONFIGURATION), 0xc383);
        assert_eq!(register(&mut chip, 9700, CONVERSION), 13_200, "1.65 V at 25 °C");
    }

    #[test]
    fn pairs_of_inputs_are_differences_with_a_sign() {
        let mut chip = Ads1115::new([Circuit::THERMISTOR; 3], Tick::ZERO);
        chip.write(Tick::ZERO, &[CONFIGURATION, 0x93, 0x83]);
        let below = -13_200_i16;
        assert_eq!(register(&mut chip, 9000, CONVERSION), below.cast_unsigned());
    }
}
