//! A chip that is at the address of another: it acknowledges all, and says what no thermometer
//! says.

use crate::sim::air::Air;
use crate::sim::i2c::{Answer, I2cDevice};
use crate::sim::model::Model;
use crate::sim::spi::SpiSlave;
use crate::time::Tick;

/// What it says, again and again.
const WORDS: u8 = 0x5a;

/// The chip.
#[derive(Debug)]
pub struct Stranger;

impl Model for Stranger {
    fn expose(&mut self, _: Air) {}

    fn power_up(&mut self, _: Tick) {}

    fn hang(&mut self) {}

    fn raw(&self) -> u32 {
        u32::from(WORDS)
    }
}

impl I2cDevice for Stranger {
    fn write(&mut self, _: Tick, _: &[u8]) -> Answer {
        Answer::Acknowledged
    }

    fn read(&mut self, _: Tick, buffer: &mut [u8]) -> Answer {
        buffer.fill(WORDS);
        Answer::Acknowledged
    }
}

impl SpiSlave for Stranger {
    fn select(&mut self, _: Tick) {}

    fn exchange(&mut self, _: Tick, _: u8) -> u8 {
        WORDS
    }

    fn deselect(&mut self, _: Tick) {}
}
