//! A MAX6675 down to its word (datasheet 19-2235).

use std::time::Duration;

use crate::sim::air::Air;
use crate::sim::model::{Damage, Model};
use crate::sim::spi::SpiSlave;
use crate::time::Tick;
use crate::units::MilliCelsius;

/// Longest conversion (page 2).
const CONVERSION: Duration = Duration::from_millis(220);

/// The chip.
#[derive(Debug)]
pub struct Max6675 {
    word: u16,
    shifted: usize,
    temperature: MilliCelsius,
    is_cut: bool,
    done_at: Option<Tick>,
    hangs: bool,
}

impl Max6675 {
    /// A chip that powers up now.
    pub fn new(now: Tick) -> Self {
        let mut chip = Self {
            word: 0,
            shifted: 0,
            temperature: Air::default().temperature,
            is_cut: false,
            done_at: None,
            hangs: false,
        };
        chip.power_up(now);
        chip
    }

    /// Table 1. A thermocouple that is cut leaves the input at its upper end.
    fn converted(&self) -> u16 {
        let quarters = (self.temperature.thousandths() * 2 + 250).div_euclid(500).clamp(0, 4095);
        let quarters = u16::try_from(quarters).unwrap_or(0);
        if self.is_cut { 0x7ffc } else { quarters << 3 }
    }
}

impl SpiSlave for Max6675 {
    /// It stops a conversion that has not ended.
    fn select(&mut self, now: Tick) {
        if self.done_at.take().is_some_and(|done| done <= now) && !self.hangs {
            self.word = self.converted();
        }
        self.shifted = 0;
    }

    fn exchange(&mut self, _now: Tick, _byte: u8) -> u8 {
        let byte = self.word.to_be_bytes().get(self.shifted).copied().unwrap_or(0);
        self.shifted += 1;
        byte
    }

    /// It begins the next conversion.
    fn deselect(&mut self, now: Tick) {
        self.done_at = Some(now.after(CONVERSION));
    }
}

impl Model for Max6675 {
    fn expose(&mut self, air: Air) {
        self.temperature = air.temperature;
    }

    fn power_up(&mut self, now: Tick) {
        self.word = 0;
        self.done_at = Some(now.after(CONVERSION));
    }

    fn hang(&mut self) {
        self.hangs = true;
    }

    fn raw(&self) -> u32 {
        u32::from(self.word >> 3)
    }

    /// It notices nothing but a cut.
    fn damage(&mut self, damage: Option<Damage>) -> bool {
        self.is_cut = damage == Some(Damage::Cut);
        damage.is_none_or(|damage| damage == Damage::Cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(chip: &mut Max6675, now_ms: u64) -> u16 {
        let now = Tick::from_micros(now_ms * 1000);
        chip.select(now);
        let bytes = [0; 2].map(|byte| chip.exchange(now, byte));
        chip.deselect(now);
        u16::from_be_bytes(bytes)
    }

    #[test]
    fn a_reading_stops_a_conversion_and_begins_the_next() {
        let mut chip = Max6675::new(Tick::ZERO);
        assert_eq!(word(&mut chip, 219), 0, "the first one was stopped");
        assert_eq!(word(&mut chip, 438), 0, "and so was the second");
        assert_eq!(word(&mut chip, 658), 0x0320);
        assert!(chip.damage(Some(Damage::Cut)));
        assert_eq!(word(&mut chip, 900), 0x7ffc);
    }
}
