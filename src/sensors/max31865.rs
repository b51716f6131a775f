//! MAX31865 on SPI (datasheet 19-6478): a platinum resistance (PT100, PT1000) on two, three or four
//! wires, against a reference resistor.
//!
//! Current flows while it is read only, since it warms the element. Written out here: the crate
//! `max31865` 0.1 is for embedded-hal 0.2, `embedded-devices` 0.10 brings four macro crates and
//! looks at nothing twice.

use embedded_hal::delay::DelayNs;
use embedded_hal::spi::{MODE_1, SpiDevice};

use crate::sensors::catalog::{Facts, Span, Wiring};
use crate::sensors::element::{Element, ElementKind, Wires};
use crate::sensors::identity::Identity;
use crate::sensors::pinout::{Line, Net, Pinout, Terminal};
use crate::sensors::spi::{SpiChip, Timing, exchange, exchange_alike, not_stuck};
use crate::sensors::{Fault, Measurement};
use crate::units::MilliCelsius;

/// MAX31865 with PT100 or PT1000.
pub const FACTS: Facts = Facts {
    name: "max31865",
    parts: "MAX31865, PT100, PT1000",
    wirings: &[Wiring::Spi],
    // The step of a PT100 against 430 Ω, where it is coarsest: 850 °C.
    temperature: Span::celsius(MilliCelsius::new(-200_000), MilliCelsius::new(850_000), 45_000),
    elements: &[ElementKind::Rtd],
    spi: Some(Timing { mode: MODE_1, hertz: 1_000_000 }),
    pinout: Some(&PINOUT),
    ..Facts::BLANK
};

/// Its pins, and where they go.
const PINOUT: Pinout = Pinout {
    package: "small board, its jumpers set for four wires",
    terminals: &[
        Terminal::to(0, "VIN", Line::Supply),
        Terminal::to(0, "SDI", Line::Mosi),
        Terminal::to(0, "SDO", Line::Miso),
        Terminal::to(0, "CLK", Line::Clock),
        Terminal::to(0, "CS", Line::Select(0)),
        Terminal::open(0, "3V3"),
        Terminal::open(0, "RDY"),
        Terminal::to(0, "GND", Line::Ground),
        Terminal::on(0, "F+", Net::RtdHigh),
        Terminal::on(0, "RTD+", Net::RtdHigh),
        Terminal::on(0, "RTD-", Net::RtdLow),
        Terminal::on(0, "F-", Net::RtdLow),
    ],
    parts: &[],
};

/// Table 1, register map; written with the highest bit.
const CONFIGURATION: u8 = 0x00;
const RESISTANCE: u8 = 0x01;
const THRESHOLDS: u8 = 0x03;
const FAULT_STATUS: u8 = 0x07;
const WRITE: u8 = 1 << 7;

/// Table 2, configuration.
const BIAS: u8 = 1 << 7;
const AUTOMATIC: u8 = 1 << 6;
const THREE_WIRES: u8 = 1 << 4;
const FAULT_CYCLE: u8 = 1 << 2;
const CYCLE_RUNS: u8 = 0b11 << 2;
const CLEAR: u8 = 1 << 1;
/// Against the hum of the mains; 60 Hz are held back nearly as well.
const FILTER_50_HZ: u8 = 1;

/// As delivered: no resistance is beyond them.
const OPEN_THRESHOLDS: [u8; 4] = [0xff, 0xff, 0x00, 0x00];

/// The bias settles in ten time constants of the filter at the inputs, 100 nF at most.
const BIAS_MS: u32 = 10;
/// A fault cycle takes 0.6 ms.
const FAULT_CYCLE_MS: u32 = 2;
/// The first conversion takes 66 ms, each further one 21 ms (page 3); the second is wholly settled.
const CONVERSIONS_MS: u32 = 95;

/// What the fault status says (table 7), in the order of what says most.
const FAULTS: [(u8, Fault); 6] = [
    (1 << 2, Fault::Overvoltage),
    (1 << 7, Fault::Open),
    (1 << 6, Fault::Short),
    (1 << 5, Fault::ReferenceHigh),
    (1 << 4, Fault::ReferenceLow),
    (1 << 3, Fault::InputLow),
];

/// The chip.
#[derive(Debug)]
pub struct Max31865 {
    element: Element,
    identity: Identity,
}

impl Max31865 {
    /// With this at its inputs.
    pub const fn new(element: Element) -> Self {
        Self { element, identity: Identity::Unproven }
    }

    /// What every configuration has.
    const fn settings(&self) -> u8 {
        match &self.element {
            Element::Rtd(rtd) if matches!(rtd.wires, Wires::Three) => FILTER_50_HZ | THREE_WIRES,
            _ => FILTER_50_HZ,
        }
    }

    fn measure<S: SpiDevice>(
        &self,
        spi: &mut S,
        delay: &mut impl DelayNs,
    ) -> Result<Measurement, Fault> {
        if self.identity == Identity::Unproven {
            prove(spi)?;
        }
        let on = self.settings() | BIAS;
        configure(spi, on | CLEAR)?;
        delay.delay_ms(BIAS_MS);
        configure(spi, on | FAULT_CYCLE)?;
        delay.delay_ms(FAULT_CYCLE_MS);
        expect(spi, on)?;
        check_faults(spi)?;
        configure(spi, on | AUTOMATIC)?;
        expect(spi, on | AUTOMATIC)?;
        delay.delay_ms(CONVERSIONS_MS);
        let [_, high, low] = exchange_alike(spi, [RESISTANCE, 0, 0])?;
        expect(spi, on | AUTOMATIC)?;
        check_faults(spi)?;
        if low & 1 != 0 {
            return Err(Fault::Garbled);
        }
        let steps = u16::from_be_bytes([high, low]) >> 1;
        self.element.of_share(f64::from(steps) / 32_768.0).map(Measurement::of)
    }
}

impl<S: SpiDevice, D: DelayNs> SpiChip<S, D> for Max31865 {
    /// Takes 107 ms.
    fn read(&mut self, spi: &mut S, delay: &mut D) -> Result<Measurement, Fault> {
        let reading = self.measure(spi, delay);
        // If that fails the current flows until the next reading, which says why.
        let off = configure(spi, self.settings());
        self.identity = Identity::after(&reading);
        off.and(reading)
    }
}

/// There is no name to ask for, but registers that keep what is written into them.
fn prove<S: SpiDevice>(spi: &mut S) -> Result<(), Fault> {
    let [h0, h1, l0, l1] = OPEN_THRESHOLDS;
    exchange(spi, [THRESHOLDS | WRITE, h0, h1, l0, l1])?;
    let [_, kept @ ..] = exchange_alike(spi, [THRESHOLDS, 0, 0, 0, 0])?;
    if not_stuck(kept)? == OPEN_THRESHOLDS { Ok(()) } else { Err(Fault::WrongChip) }
}

fn configure<S: SpiDevice>(spi: &mut S, value: u8) -> Result<(), Fault> {
    exchange(spi, [CONFIGURATION | WRITE, value]).map(|_| ())
}

/// The configuration must be this one: zero is what the chip has after a loss of power.
fn expect<S: SpiDevice>(spi: &mut S, wanted: u8) -> Result<(), Fault> {
    let [_, found] = exchange(spi, [CONFIGURATION, 0])?;
    match found {
        found if found == wanted => Ok(()),
        0x00 => Err(Fault::PowerOn),
        0xff => Err(Fault::StuckHigh),
        found if found & CYCLE_RUNS != 0 => Err(Fault::Timeout),
        _ => Err(Fault::Garbled),
    }
}

fn check_faults<S: SpiDevice>(spi: &mut S) -> Result<(), Fault> {
    let [_, status] = exchange(spi, [FAULT_STATUS, 0])?;
    match FAULTS.iter().find(|(bit, _)| status & bit != 0) {
        Some((_, fault)) => Err(*fault),
        None => Ok(()),
    }
}
