//! A MAX31855K down to its word (datasheet 19-5793), with a thermocouple and a cold junction at
//! 22.5 °C.

use std::time::Duration;

use crate::sim::air::Air;
use crate::sim::model::{Damage, Model};
use crate::sim::spi::SpiSlave;
use crate::time::Tick;
use crate::units::MilliCelsius;

/// Longest conversion, and the first one after power-up (page 3).
const CONVERSION: Duration = Duration::from_millis(100);
const FIRST_CONVERSION: Duration = Duration::from_millis(200);
/// 22.5 °C in sixteenths of a degree.
const COLD_JUNCTION: u32 = 360;

/// The chip.
#[derive(Debug)]
pub struct Max31855 {
    /// What it shows.
    word: u32,
    /// What is being shifted out, and how many bytes of it have been.
    shifted: usize,
    temperature: MilliCelsius,
    damage: Option<Damage>,
    done_at: Tick,
    hangs: bool,
}

impl Max31855 {
    /// A chip that powers up now.
    pub fn new(now: Tick) -> Self {
        let mut chip = Self {
            word: 0,
            shifted: 0,
            temperature: Air::default().temperature,
            damage: None,
            done_at: now,
            hangs: false,
        };
        chip.power_up(now);
        chip
    }

    /// Tables 2 and 3.
    fn converted(&self) -> u32 {
        let quarters = (self.temperature.thousandths() * 2 + 250).div_euclid(500);
        let quarters = quarters.clamp(-8192, 8191).cast_unsigned();
        let (thermocouple, faults) = match self.damage {
            None | Some(Damage::Shorted) => (quarters << 18, 0),
            Some(Damage::Cut) => (0xfffc_0000, 1 << 16 | 1),
            Some(Damage::Grounded) => (0xfffc_0000, 1 << 16 | 1 << 1),
            Some(Damage::Supplied) => (0xfffc_0000, 1 << 16 | 1 << 2),
        };
        thermocouple | faults | COLD_JUNCTION << 4
    }
}

impl SpiSlave for Max31855 {
    /// Conversions run while it is not selected.
    fn select(&mut self, now: Tick) {
        if now >= self.done_at && !self.hangs {
            self.word = self.converted();
        }
        self.shifted = 0;
    }

    fn exchange(&mut self, _now: Tick, _byte: u8) -> u8 {
        let byte = self.word.to_be_bytes().get(self.shifted).copied().unwrap_or(0);
        self.shifted += 1;
        byte
    }

    fn deselect(&mut self, now: Tick) {
        self.done_at = self.done_at.max(now.after(CONVERSION));
    }
}

impl Model for Max31855 {
    fn expose(&mut self, air: Air) {
        self.temperature = air.temperature;
    }

    fn power_up(&mut self, now: Tick) {
        self.word = 0;
        self.done_at = now.after(FIRST_CONVERSION);
    }

    fn hang(&mut self) {
        self.hangs = true;
    }

    fn raw(&self) -> u32 {
        self.word >> 18
    }

    /// A thermocouple whose two ends touch measures the place where they do.
    fn damage(&mut self, damage: Option<Damage>) -> bool {
        self.damage = damage;
        damage != Some(Damage::Shorted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(chip: &mut Max31855, now_ms: u64) -> u32 {
        let now = Tick::from_micros(now_ms * 1000);
        chip.select(now);
        let bytes = [0; 4].map(|byte| chip.exchange(now, byte));
        chip.deselect(now);
        u32::from_be_bytes(bytes)
    }

    #[test]
    fn it_shows_zeros_until_its_first_conversion_and_then_the_last_one() {
        let mut chip = Max31855::new(Tick::ZERO);
        assert_eq!(word(&mut chip, 199), 0);
        assert_eq!(word(&mut chip, 300), 0x0190_1680);
        chip.expose(Air { temperature: MilliCelsius::new(-250_000), ..Air::default() });
        assert_eq!(word(&mut chip, 399), 0x0190_1680, "a reading stops it");
        assert_eq!(word(&mut chip, 500), 0xf060_1680);
    }

    #[test]
    fn its_faults_have_a_bit_each() {
        let mut chip = Max31855::new(Tick::ZERO);
        for (at, (damage, bits)) in
            [(Damage::Cut, 1), (Damage::Grounded, 2), (Damage::Supplied, 4)].into_iter().enumerate()
        {
            assert!(chip.damage(Some(damage)));
            let now_ms = 1000 + u64::try_from(at).unwrap() * 200;
            assert_eq!(word(&mut chip, now_ms) & 0x1_000f, 0x1_0000 | bits, "{damage:?}");
        }
    }
}
