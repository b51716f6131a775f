//! MCP3008 and MCP3004 on SPI (datasheet DS21295): converters of ten bits with eight inputs, or
//! four, for thermistors or a TMP36.
//!
//! The chip sends its bits twice, the highest first and then the lowest first (figure 5-2), which
//! makes a checksum of sorts. The crate `mcp320x` 0.1 does not build on stable.

use embedded_hal::delay::DelayNs;
use embedded_hal::spi::{MODE_0, SpiDevice};

use crate::sensors::catalog::{Facts, Span, Wiring};
use crate::sensors::element::{Element, ElementKind};
use crate::sensors::pinout::{DECOUPLING, DIVIDER, Line, Net, Pinout, Terminal};
use crate::sensors::spi::{SpiChip, Timing, exchange};
use crate::sensors::{Fault, Measurement};
use crate::units::MilliCelsius;

/// MCP3008 with thermistors or TMP36.
pub const FACTS: Facts = Facts {
    name: "mcp3008",
    parts: "MCP3008, MCP3004, TMP36",
    wirings: &[Wiring::Spi],
    // The step of a thermistor of 10 kΩ, β 3950 K, below 10 kΩ, where it is coarsest: 125 °C.
    temperature: Span::celsius(MilliCelsius::new(-40_000), MilliCelsius::new(125_000), 1_200_000),
    inputs: 8,
    elements: &[ElementKind::Thermistor, ElementKind::Tmp36],
    spi: Some(Timing { mode: MODE_0, hertz: 500_000 }),
    pinout: Some(&PINOUT),
    ..Facts::BLANK
};

/// Its pins, and where they go.
const PINOUT: Pinout = Pinout {
    package: "DIP-16",
    terminals: &[
        Terminal::to(16, "VDD", Line::Supply),
        Terminal::to(15, "VREF", Line::Supply),
        Terminal::to(11, "DIN", Line::Mosi),
        Terminal::to(12, "DOUT", Line::Miso),
        Terminal::to(13, "CLK", Line::Clock),
        Terminal::to(10, "CS/SHDN", Line::Select(0)),
        Terminal::to(14, "AGND", Line::Ground),
        Terminal::to(9, "DGND", Line::Ground),
        Terminal::on(1, "CH0", Net::Divider),
        Terminal::on(2, "CH1", Net::Tmp36),
        Terminal::on(3, "CH2", Net::Like("CH0")),
        Terminal::on(4, "CH3", Net::Like("CH0")),
        Terminal::on(5, "CH4", Net::Like("CH0")),
        Terminal::on(6, "CH5", Net::Like("CH0")),
        Terminal::on(7, "CH6", Net::Like("CH0")),
        Terminal::on(8, "CH7", Net::Like("CH0")),
    ],
    parts: &[DIVIDER[0], DIVIDER[1], DECOUPLING],
};

/// Before the input's number: against ground, not against its neighbour (table 5-2).
const SINGLE_ENDED: u8 = 1 << 7;
/// Conversions of one reading, of which the middle one counts.
const CONVERSIONS: usize = 3;
/// Steps that two of them may differ by: its own noise is one.
const NOISE_STEPS_MAX: u16 = 4;

/// One input of the chip.
#[derive(Debug)]
pub struct Mcp3008 {
    input: u8,
    element: Element,
}

impl Mcp3008 {
    /// What hangs at this input, 0 to 7.
    pub const fn new(input: u8, element: Element) -> Self {
        Self { input, element }
    }

    /// 0 to 1023. A wrong input, or none, may be heard, but not twice.
    fn steps<S: SpiDevice>(&self, spi: &mut S) -> Result<u16, Fault> {
        let mut all = [0; CONVERSIONS];
        for steps in &mut all {
            *steps = decode(exchange(spi, [1, SINGLE_ENDED | self.input << 4, 0, 0, 0])?)?;
        }
        all.sort_unstable();
        let [low, middle, high] = all;
        let spread = (middle - low).min(high - middle);
        if spread <= NOISE_STEPS_MAX { Ok(middle) } else { Err(Fault::Garbled) }
    }
}

impl<S: SpiDevice, D: DelayNs> SpiChip<S, D> for Mcp3008 {
    fn read(&mut self, spi: &mut S, _delay: &mut D) -> Result<Measurement, Fault> {
        let share = f64::from(self.steps(spi)?) / 1024.0;
        self.element.of_share(share).map(Measurement::of)
    }
}

/// A zero, ten bits from the highest on, nine bits from the second lowest on, and zeros.
fn decode(answer: [u8; 5]) -> Result<u16, Fault> {
    let [_, high, low, mirrored, rest] = answer;
    if high & 0b100 != 0 {
        return Err(Fault::StuckHigh);
    }
    let steps = u16::from_be_bytes([high & 0b11, low]);
    // Bits 1 to 8 in the first byte, bit 9 in the second.
    let again = u16::from(mirrored.reverse_bits()) << 1 | u16::from(rest >> 7) << 9;
    if steps & !1 == again && rest << 1 == 0 { Ok(steps) } else { Err(Fault::Garbled) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_everything_twice_but_its_lowest_bit() {
        assert_eq!(decode([0xff, 0xf9, 0x35, 0b0101_1001, 0]), Ok(0x135));
        assert_eq!(decode([0, 0b10, 0x01, 0, 0x80]), Ok(0x201));
        assert_eq!(decode([0; 5]), Ok(0));
        assert_eq!(decode([0xff; 5]), Err(Fault::StuckHigh));
        assert_eq!(decode([0, 0x01, 0x37, 0b0101_1001, 0]), Err(Fault::Garbled));
        assert_eq!(decode([0, 0x01, 0x35, 0b0101_1001, 1]), Err(Fault::Garbled));
    }
}
