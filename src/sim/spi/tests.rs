//! The bus by itself, with a chip that adds one.

use super::*;
use crate::sim::air::Air;

#[derive(Debug, Default)]
struct Successor {
    heard: Vec<u8>,
    selections: usize,
}

impl SpiSlave for Successor {
    fn select(&mut self, _now: Tick) {
        self.selections += 1;
    }

    fn exchange(&mut self, _now: Tick, byte: u8) -> u8 {
        self.heard.push(byte);
        byte + 1
    }

    fn deselect(&mut self, _now: Tick) {}
}

impl Model for Successor {
    fn expose(&mut self, _air: Air) {}

    fn power_up(&mut self, _now: Tick) {}

    fn hang(&mut self) {}

    fn raw(&self) -> u32 {
        u32::try_from(self.heard.len() * 100 + self.selections).unwrap()
    }
}

fn device() -> SimSpi {
    SimSpi::new(VirtualClock::new(), Box::new(Successor::default()))
}

#[test]
fn a_transaction_is_one_selection_whatever_its_parts() {
    let mut spi = device();
    let (mut read, mut transferred, mut in_place) = ([9; 2], [9; 3], [7, 8]);
    let mut operations = [
        Operation::Write(&[10, 11]),
        Operation::Read(&mut read),
        Operation::Transfer(&mut transferred, &[20]),
        Operation::TransferInPlace(&mut in_place),
    ];
    spi.record();
    spi.transaction(&mut operations).unwrap();
    assert_eq!((read, transferred, in_place), ([1, 1], [21, 1, 1], [8, 9]));
    assert_eq!(spi.chip_mut().unwrap().raw(), 901);
    assert_eq!(spi.transcript(), ["← 0a 0b 00 00 14 00 00 07 08 → 0b 0c 01 01 15 01 01 08 09"]);
}

#[test]
fn a_flipped_bit_is_one_to_the_chip_or_one_from_it() {
    let mut spi = device();
    for (bit, expected) in [(0, 0x12), (8, 0x10)] {
        spi.disturb(Some((0, Mishap::BitFlip(bit))));
        let mut byte = [0x10];
        spi.transfer_in_place(&mut byte).unwrap();
        assert_eq!(byte, [expected], "{bit}");
        assert_eq!(spi.transfers(), [2]);
    }
}

#[test]
fn a_chip_that_is_not_there_reads_as_zeros() {
    let mut spi = device();
    let chip = spi.detach().unwrap();
    let mut byte = [0x10];
    spi.transfer_in_place(&mut byte).unwrap();
    assert_eq!(byte, [0]);
    spi.attach(chip);
    spi.line = Line::ReplyHigh;
    spi.transfer_in_place(&mut byte).unwrap();
    assert_eq!(byte, [0xff]);
}
