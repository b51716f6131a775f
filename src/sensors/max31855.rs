//! MAX31855K on SPI (datasheet 19-5793): a thermocouple of type K with its cold junction. It
//! converts by itself, ten times a second, and is only read.
//!
//! Written out here: the crate `max31855` 0.1 is for embedded-hal 0.2.

use embedded_hal::delay::DelayNs;
use embedded_hal::spi::{MODE_0, SpiDevice};

use crate::sensors::catalog::{Facts, Span, Wiring};
use crate::sensors::packages::thermocouple;
use crate::sensors::pinout::{ACROSS_PROBE, DECOUPLING, Net, Pinout};
use crate::sensors::spi::{SpiChip, Timing, exchange_alike, not_stuck};
use crate::sensors::{Fault, Measurement};
use crate::units::MilliCelsius;

/// MAX31855 for thermocouples of type K.
pub const FACTS: Facts = Facts {
    name: "max31855",
    parts: "MAX31855K",
    wirings: &[Wiring::Spi],
    temperature: Span::celsius(MilliCelsius::new(-200_000), MilliCelsius::new(1_350_000), 250_000),
    spi: Some(Timing { mode: MODE_0, hertz: 1_000_000 }),
    pinout: Some(&PINOUT),
    ..Facts::BLANK
};

/// Its pins, and where they go.
const PINOUT: Pinout = Pinout {
    package: "SO-8",
    terminals: &thermocouple("DNC", Net::Minus),
    parts: &[ACROSS_PROBE, DECOUPLING],
};

/// Bits 17 and 3: always zero (table 2).
const ZEROS: u32 = 1 << 17 | 1 << 3;
const FAULTY: u32 = 1 << 16;
const CUT: u32 = 1 << 0;
const TO_GROUND: u32 = 1 << 1;
const TO_SUPPLY: u32 = 1 << 2;
/// The cold junction, sixteenths of a degree.
const COLD_JUNCTION: u32 = 0xfff0;

/// The chip.
#[derive(Debug, Default)]
pub struct Max31855;

impl<S: SpiDevice, D: DelayNs> SpiChip<S, D> for Max31855 {
    fn read(&mut self, spi: &mut S, _delay: &mut D) -> Result<Measurement, Fault> {
        decode(u32::from_be_bytes(not_stuck(exchange_alike(spi, [0; 4])?)?))
    }
}

/// Fourteen bits, quarters of a degree, then the faults, the cold junction and its faults. Before
/// the first conversion all are zero; a cold junction of exactly zero is taken for half an answer.
pub fn decode(word: u32) -> Result<Measurement, Fault> {
    if word & ZEROS != 0 {
        return Err(Fault::WrongChip);
    }
    let is_faulty = word & FAULTY != 0;
    match word & (CUT | TO_GROUND | TO_SUPPLY) {
        0 if is_faulty || word & COLD_JUNCTION == 0 => Err(Fault::Garbled),
        0 => {
            let quarters = word.cast_signed() >> 18;
            Ok(Measurement::of(MilliCelsius::new(quarters * 250)))
        }
        _ if !is_faulty => Err(Fault::Garbled),
        faults if faults & TO_SUPPLY != 0 => Err(Fault::ShortSupply),
        faults if faults & TO_GROUND != 0 => Err(Fault::ShortGround),
        _ => Err(Fault::Open),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(word: u32, expected: Result<i32, Fault>) {
        let read = decode(word).map(|measured| measured.temperature.thousandths());
        assert_eq!(read, expected, "{word:#010x}");
    }

    /// Table 4 of the datasheet, each with a cold junction of 25 °C, and its faults.
    #[test]
    fn the_word_is_signed_and_names_its_faults() {
        check(0x6400_1900, Ok(1_600_000));
        check(0x3e80_1900, Ok(1_000_000));
        check(0x064c_1900, Ok(100_750));
        check(0x0190_1900, Ok(25_000));
        check(0x0000_1900, Ok(0));
        check(0xfffc_1900, Ok(-250));
        check(0xfff0_1900, Ok(-1_000));
        check(0xf060_1900, Ok(-250_000));
        check(0xfffd_1901, Err(Fault::Open));
        check(0xfffd_1902, Err(Fault::ShortGround));
        check(0xfffd_1904, Err(Fault::ShortSupply));
        check(0x0190_1904, Err(Fault::Garbled));
        check(0x0191_1900, Err(Fault::Garbled));
        check(0x0190_0000, Err(Fault::Garbled));
        check(0x0192_1900, Err(Fault::WrongChip));
        check(0x0190_1908, Err(Fault::WrongChip));
    }
}
