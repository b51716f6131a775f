//! MAX6675 on SPI (datasheet 19-2235): a thermocouple of type K above 0 °C. Reading it begins the
//! next conversion, so one is read for nothing, and the next one counts.
//!
//! Written out here instead of taken from the crate `max6675-hal` 1.0: see `hardware/max6675.md`.

use embedded_hal::delay::DelayNs;
use embedded_hal::spi::{MODE_0, SpiDevice};

use crate::sensors::catalog::{Facts, Span, Wiring};
use crate::sensors::packages::thermocouple;
use crate::sensors::pinout::{DECOUPLING, Net, Pinout};
use crate::sensors::spi::{SpiChip, Timing, exchange, exchange_alike, not_stuck};
use crate::sensors::{Fault, Measurement};
use crate::units::MilliCelsius;

/// MAX6675.
pub const FACTS: Facts = Facts {
    name: "max6675",
    parts: "MAX6675",
    wirings: &[Wiring::Spi],
    // Zero is what a line says that is shorted to ground.
    temperature: Span::celsius(MilliCelsius::new(250), MilliCelsius::new(1_023_750), 250_000),
    spi: Some(Timing { mode: MODE_0, hertz: 1_000_000 }),
    pinout: Some(&PINOUT),
    ..Facts::BLANK
};

/// Its pins, and where they go.
const PINOUT: Pinout = Pinout {
    package: "SO-8",
    terminals: &thermocouple("NC", Net::MinusGrounded),
    parts: &[DECOUPLING],
};

/// Bits 15 and 1: always zero (table 1).
const ZEROS: u16 = 1 << 15 | 1 << 1;
const CUT: u16 = 1 << 2;

/// Longest conversion: 0.22 s.
const CONVERSION_MS: u32 = 230;

/// The chip.
#[derive(Debug, Default)]
pub struct Max6675;

impl<S: SpiDevice, D: DelayNs> SpiChip<S, D> for Max6675 {
    /// Takes 230 ms.
    fn read(&mut self, spi: &mut S, delay: &mut D) -> Result<Measurement, Fault> {
        exchange(spi, [0; 2])?;
        delay.delay_ms(CONVERSION_MS);
        let word = u16::from_be_bytes(not_stuck(exchange_alike(spi, [0; 2])?)?);
        if word & ZEROS != 0 {
            return Err(Fault::WrongChip);
        }
        if word & CUT != 0 {
            return Err(Fault::Open);
        }
        let quarters = i32::from(word >> 3);
        Ok(Measurement::of(MilliCelsius::new(quarters * 250)))
    }
}
