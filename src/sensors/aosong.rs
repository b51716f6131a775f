//! What AHT10 and AHT20 have in common: one sequence of commands, one layout of the answer.
//!
//! Written out here instead of taken from a crate: see `hardware/aht20.md`.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

use super::i2c::{fault, write};
use super::identity::Identity;
use super::sensirion::crc8;
use super::{Fault, Measurement, humidity};
use crate::units::MilliCelsius;

/// AHT20 datasheet, section 5.3, table 9.
const RESET: u8 = 0xba;
const INITIALISE_AHT10: [u8; 3] = [0xe1, 0x08, 0x00];
const INITIALISE_AHT20: [u8; 3] = [0xbe, 0x08, 0x00];
const MEASURE: [u8; 3] = [0xac, 0x33, 0x00];

/// Bits of the status.
const BUSY: u8 = 1 << 7;
const CALIBRATED: u8 = 1 << 3;

const RESET_MS: u32 = 20;
const INITIALISATION_MS: u32 = 10;
const MEASUREMENT_MS: u32 = 80;
const POLL_MS: u32 = 10;
/// Looks at a chip that says that it is busy.
const POLLS_MAX: u32 = 3;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Without a checksum: what it says counts when it says it twice.
    Aht10,
    /// With one behind the answer.
    Aht20,
}

/// A chip at one address.
#[derive(Debug)]
pub(super) struct Aosong {
    kind: Kind,
    address: u8,
    identity: Identity,
}

impl Aosong {
    /// The chip at this 7-bit address.
    pub(super) const fn new(kind: Kind, address: u8) -> Self {
        Self { kind, address, identity: Identity::Unproven }
    }

    /// Takes 80 ms.
    pub(super) fn read<I: I2c>(
        &mut self,
        i2c: &mut I,
        delay: &mut impl DelayNs,
    ) -> Result<Measurement, Fault> {
        let reading = self.measure(i2c, delay);
        self.identity = Identity::after(&reading);
        reading
    }

    /// The chip keeps its last answer for ever, so it must say that it has begun a new one.
    fn measure<I: I2c>(&self, i2c: &mut I, delay: &mut impl DelayNs) -> Result<Measurement, Fault> {
        if self.identity == Identity::Unproven {
            self.initialise(i2c, delay)?;
        }
        write(i2c, self.address, &MEASURE)?;
        if self.status(i2c)? & BUSY == 0 {
            return Err(Fault::Garbled);
        }
        delay.delay_ms(MEASUREMENT_MS);
        for _ in 0..POLLS_MAX {
            if self.status(i2c)? & BUSY == 0 {
                return convert(self.answer(i2c)?);
            }
            delay.delay_ms(POLL_MS);
        }
        Err(Fault::Timeout)
    }

    fn initialise<I: I2c>(&self, i2c: &mut I, delay: &mut impl DelayNs) -> Result<(), Fault> {
        write(i2c, self.address, &[RESET])?;
        delay.delay_ms(RESET_MS);
        if self.status(i2c)? & CALIBRATED == 0 {
            write(
                i2c,
                self.address,
                match self.kind {
                    Kind::Aht10 => &INITIALISE_AHT10,
                    Kind::Aht20 => &INITIALISE_AHT20,
                },
            )?;
            delay.delay_ms(INITIALISATION_MS);
        }
        if self.status(i2c)? & CALIBRATED == 0 { Err(Fault::WrongChip) } else { Ok(()) }
    }

    fn status<I: I2c>(&self, i2c: &mut I) -> Result<u8, Fault> {
        match self.bytes(i2c)? {
            [0x00] => Err(Fault::StuckLow),
            [0xff] => Err(Fault::StuckHigh),
            [status] => Ok(status),
        }
    }

    fn bytes<const N: usize, I: I2c>(&self, i2c: &mut I) -> Result<[u8; N], Fault> {
        let mut bytes = [0; N];
        i2c.read(self.address, &mut bytes).map_err(|error| fault(&error))?;
        Ok(bytes)
    }

    /// The answer without its checksum.
    fn answer<I: I2c>(&self, i2c: &mut I) -> Result<[u8; 6], Fault> {
        match self.kind {
            Kind::Aht10 => {
                let first = self.bytes(i2c)?;
                if self.bytes(i2c)? == first { Ok(first) } else { Err(Fault::Garbled) }
            }
            Kind::Aht20 => {
                let [answer @ .., crc] = self.bytes::<7, I>(i2c)?;
                if crc8(0xff, &answer) == crc { Ok(answer) } else { Err(Fault::Crc) }
            }
        }
    }
}

/// Status, twenty bits of humidity, twenty of temperature. All zeros are what is there before the
/// first measurement: −50 °C in perfectly dry air is none.
fn convert(answer: [u8; 6]) -> Result<Measurement, Fault> {
    let [status, data @ ..] = answer;
    if status & (BUSY | CALIBRATED) != CALIBRATED {
        return Err(Fault::Garbled);
    }
    let [h1, h2, shared, t1, t2] = data.map(u32::from);
    let (damp, warm) = (h1 << 12 | h2 << 4 | shared >> 4, (shared & 0x0f) << 16 | t1 << 8 | t2);
    if (damp, warm) == (0, 0) {
        return Err(Fault::PowerOn);
    }
    let part = |raw: u32| f64::from(raw) / 1_048_576.0;
    Ok(Measurement {
        humidity: Some(humidity(100.0 * part(damp))),
        ..Measurement::of(MilliCelsius::from_degrees(200.0 * part(warm) - 50.0))
    })
}
