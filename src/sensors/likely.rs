//! Which chip may be at an address on I²C, found out without doing it, or any other, harm.
//!
//! An address is first only read. Where a thermometer can have it, registers are read by the byte
//! that chooses them, and what it says must fit its datasheet. Nothing is ever written into a
//! register: at the same addresses there are port expanders that switch lamps and drivers that move
//! servos. Commands of two bytes go only where nobody acknowledged a read, which a chip with
//! registers does.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

use super::catalog::Driver;
use super::i2c::{fault, read};
use super::sensirion::{crc8, two_words};
use super::{Fault, ads1115, mcp9808, tmp117};

/// Who is at an address; several drivers where they cannot be told apart, none where it is no
/// thermometer that is known.
pub type Likely = Vec<Driver>;

/// Who is at `address`; `None` if nobody answers. A line that is held is a fault.
pub fn likely<I: I2c>(
    i2c: &mut I,
    delay: &mut impl DelayNs,
    address: u8,
) -> Result<Option<Likely>, Fault> {
    let mut question = Question { i2c, delay, address };
    let acknowledges = question.is_there()?;
    // Noise makes a stranger of a chip, and never a chip of a stranger.
    let found = match question.chip(acknowledges) {
        nobody if acknowledges && nobody.is_empty() => question.chip(acknowledges),
        found => found,
    };
    Ok((acknowledges || !found.is_empty()).then_some(found))
}

/// An address of a bus.
struct Question<'a, I, D> {
    i2c: &'a mut I,
    delay: &'a mut D,
    address: u8,
}

impl<I: I2c, D: DelayNs> Question<'_, I, D> {
    fn chip(&mut self, acknowledges: bool) -> Likely {
        match self.address {
            0x18..=0x1f if acknowledges => self.mcp9808(),
            0x28..=0x2f | 0x35..=0x37 if acknowledges => self.pct2075(),
            0x38 | 0x39 if acknowledges => self.aosong(),
            0x40 => self.htu21d(),
            0x44..=0x46 => self.sht(acknowledges),
            0x48..=0x4f if acknowledges => self.simple(),
            0x70 if !acknowledges => self.shtc3(),
            0x76 | 0x77 if acknowledges => self.bosch(),
            _ => Vec::new(),
        }
    }

    /// Asked twice, since a noisy line loses an acknowledge now and then. Chips that have nothing
    /// to say yet acknowledge neither.
    fn is_there(&mut self) -> Result<bool, Fault> {
        let mut answers = [false; 2];
        for answer in &mut answers {
            *answer = match self.i2c.read(self.address, &mut [0]).map_err(|error| fault(&error)) {
                Ok(()) => true,
                Err(Fault::Absent) => false,
                Err(fault) => return Err(fault),
            };
        }
        Ok(answers.contains(&true))
    }

    /// A register that says the same twice, as a chip's identity does.
    fn register<const N: usize>(&mut self, register: u8) -> Option<[u8; N]> {
        let mut once = || read::<N, I>(self.i2c, self.address, register).ok();
        let first = once()?;
        (once()? == first).then_some(first)
    }

    fn word(&mut self, register: u8) -> Option<u16> {
        self.register(register).map(u16::from_be_bytes)
    }

    /// Writes these bytes, waits, and reads.
    fn ask<const N: usize>(&mut self, command: &[u8], wait_ms: u32) -> Option<[u8; N]> {
        let mut answer = [0; N];
        // A line that is noisy has its second chance here too.
        for _ in 0..2 {
            if self.i2c.write(self.address, command).is_err() {
                continue;
            }
            self.delay.delay_ms(wait_ms);
            if self.i2c.read(self.address, &mut answer).is_ok() {
                return Some(answer);
            }
        }
        None
    }

    /// By manufacturer and device (datasheet DS25095, registers 5-6 and 5-7).
    fn mcp9808(&mut self) -> Likely {
        let maker = self.word(mcp9808::MANUFACTURER);
        let device = self.word(mcp9808::DEVICE).map(|device| device >> 8);
        let is_it =
            maker == Some(mcp9808::MICROCHIP) && device == Some(u16::from(mcp9808::MCP9808));
        if is_it { vec![Driver::Mcp9808] } else { Vec::new() }
    }

    /// By the chip id in register 0xd0 that all of Bosch's have.
    fn bosch(&mut self) -> Likely {
        match (self.register(0xd0), self.address) {
            (Some([0x55]), 0x77) => vec![Driver::Bmp180],
            (Some([0x56..=0x58]), _) => vec![Driver::Bmp280],
            (Some([0x60]), _) => vec![Driver::Bme280],
            (Some([0x61]), _) => vec![Driver::Bme680],
            _ => Vec::new(),
        }
    }

    /// By device id; by the bits of a configuration that never change; by the limits.
    fn simple(&mut self) -> Likely {
        let has = |facts: &super::catalog::Facts| facts.addresses.contains(&self.address);
        let (may_be_ti, may_be_ads) = (has(&tmp117::FACTS), has(&ads1115::FACTS));
        if may_be_ti && self.word(tmp117::DEVICE_ID).is_some_and(|id| id & 0x0fff == tmp117::TMP117)
        {
            return vec![Driver::Tmp117];
        }
        // The thresholds of a comparator that nobody uses (ADS1115 datasheet, table 8-5).
        if may_be_ads && self.word(2) == Some(0x8000) && self.word(3) == Some(0x7fff) {
            return vec![Driver::Ads1115];
        }
        // The alert bit and the one-shot bit change with time.
        match read::<2, I>(self.i2c, self.address, 1).map(u16::from_be_bytes) {
            Ok(found) if may_be_ti && found & 0x600f == 0x6000 && self.has_limits(0x000f) => {
                vec![Driver::Tmp102]
            }
            Ok(found) if found & 0xe000 == 0 && self.has_limits(0x007f) => {
                vec![Driver::Lm75, Driver::Pct2075]
            }
            _ => Vec::new(),
        }
    }

    fn pct2075(&mut self) -> Likely {
        let [low, _] = read::<2, I>(self.i2c, self.address, 1).unwrap_or([0xff; 2]);
        let is_it = low & 0xe0 == 0 && self.has_limits(0x007f);
        if is_it { vec![Driver::Pct2075] } else { Vec::new() }
    }

    /// Where the alarm ends and begins: degrees in the upper byte, the lower bits always zero, the
    /// one below the other.
    fn has_limits(&mut self, zeros: u16) -> bool {
        let (Some(end), Some(begin)) = (self.word(2), self.word(3)) else { return false };
        end & zeros == 0 && begin & zeros == 0 && end.cast_signed() < begin.cast_signed()
    }

    /// By the serial number of a SHT4x or the status of a SHT3x, each with its checksum.
    fn sht(&mut self, acknowledges: bool) -> Likely {
        if self.ask(&[0x89], 1).is_some_and(|answer| two_words(answer).is_ok()) {
            return vec![Driver::Sht4x];
        }
        if acknowledges || self.address == 0x46 {
            return Vec::new();
        }
        match self.ask(&[0xf3, 0x2d], 1) {
            Some([high, low, crc]) if crc8(0xff, &[high, low]) == crc => vec![Driver::Sht3x],
            _ => Vec::new(),
        }
    }

    /// By its identity, for which it has to be woken; then it sleeps again.
    fn shtc3(&mut self) -> Likely {
        if self.i2c.write(self.address, &[0x35, 0x17]).is_err() {
            return Vec::new();
        }
        self.delay.delay_ms(1);
        let id = self.ask(&[0xef, 0xc8], 1);
        let _ = self.i2c.write(self.address, &[0xb0, 0x98]);
        match id {
            Some([high, low, crc])
                if crc8(0xff, &[high, low]) == crc
                    && u16::from_be_bytes([high, low]) & 0x083f == 0x0807 =>
            {
                vec![Driver::Shtc3]
            }
            _ => Vec::new(),
        }
    }

    /// By a measurement whose checksum is right: its name takes two bytes to ask for, which would
    /// set the outputs of a PCA9685 that has this address.
    fn htu21d(&mut self) -> Likely {
        match self.ask(&[0xf3], 85) {
            Some([high, low, crc]) if [high, low] != [0, 0] && crc8(0, &[high, low]) == crc => {
                vec![Driver::Htu21d]
            }
            _ => Vec::new(),
        }
    }

    /// By what it shows unasked: a command would switch the outputs of a PCF8574A, which shows the
    /// same byte again and again.
    fn aosong(&mut self) -> Likely {
        let mut answer = [0; 7];
        if self.i2c.read(self.address, &mut answer).is_err() {
            return Vec::new();
        }
        let [status, data @ .., crc] = answer;
        let is_port = data.iter().chain([&crc]).all(|byte| *byte == status);
        // Neither busy nor in a mode that does not exist (AHT10 datasheet, table 7).
        if is_port || status & 0x80 != 0 || status == 0 {
            return Vec::new();
        }
        match self.address {
            0x39 => vec![Driver::Aht10],
            _ if crc8(0xff, &[&[status][..], &data].concat()) == crc => vec![Driver::Aht20],
            _ => vec![Driver::Aht20, Driver::Aht10],
        }
    }
}

#[cfg(test)]
mod tests;
