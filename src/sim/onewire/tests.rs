//! The model against a master that is not ours: `one-wire-bus`.

use ::ds18b20::commands::{CONVERT_TEMP, READ_SCRATCHPAD, WRITE_SCRATCHPAD};
use one_wire_bus::crc::crc8;
use one_wire_bus::{Address, OneWire};

use super::*;
use crate::sim::clock::VirtualDelay;
use crate::units::MilliCelsius;

struct Bench {
    master: OneWire<SimPin>,
    delay: VirtualDelay,
    clock: VirtualClock,
}

impl Bench {
    fn new(wire: Wire) -> Self {
        let clock = VirtualClock::new();
        let delay = VirtualDelay::new(clock.clone());
        let master = OneWire::new(SimPin::new(wire, clock.clone())).unwrap();
        Self { master, delay, clock }
    }

    fn with_chips(serials: &[u64]) -> Self {
        let mut wire = Wire::new(1);
        for serial in serials {
            wire.attach(Ds18b20::new(0x28, *serial));
        }
        Self::new(wire)
    }

    /// One chip only: its ROM need not be named.
    fn command(&mut self, command: u8) {
        self.master.send_command(command, None, &mut self.delay).unwrap();
    }

    fn bit(&mut self) -> bool {
        self.master.read_bit(&mut self.delay).unwrap()
    }

    fn scratchpad(&mut self) -> [u8; 9] {
        self.command(READ_SCRATCHPAD);
        let mut bytes = [0; 9];
        self.master.read_bytes(&mut bytes, &mut self.delay).unwrap();
        bytes
    }

    fn wait_ms(&mut self, ms: u64) {
        self.clock.advance(std::time::Duration::from_millis(ms));
    }
}

fn warm_chip(thousandths: i32) -> Ds18b20 {
    let mut chip = Ds18b20::new(0x28, 1);
    chip.set_temperature(MilliCelsius::new(thousandths));
    chip
}

fn bench_at(thousandths: i32) -> Bench {
    let mut wire = Wire::new(1);
    wire.attach(warm_chip(thousandths));
    Bench::new(wire)
}

#[test]
fn a_chip_powers_up_with_85_degrees_and_the_mark_of_no_conversion() {
    let pad = bench_at(20_000).scratchpad();
    assert_eq!(pad[..8], [0x50, 0x05, 0x4b, 0x46, 0x7f, 0xff, 0x0c, 0x10]);
    assert_eq!(crc8(&pad), 0);
}

/// Datasheet table "temperature/data relationship", and byte 6 of a genuine chip.
#[test]
fn a_conversion_takes_its_time_and_then_shows_in_the_scratchpad() {
    let mut bench = bench_at(-10_125);
    bench.command(CONVERT_TEMP);
    assert!(!bench.bit(), "converting");
    bench.wait_ms(745);
    assert!(!bench.bit(), "still converting");
    bench.wait_ms(6);
    assert!(bench.bit(), "done");
    let pad = bench.scratchpad();
    assert_eq!((pad[0], pad[1], pad[6]), (0x5e, 0xff, 0x02));
    assert_eq!(crc8(&pad), 0);
}

#[test]
fn coarser_conversions_are_quicker_and_keep_the_weight_of_each_bit() {
    let mut bench = bench_at(25_300);
    bench.command(WRITE_SCRATCHPAD);
    bench.master.write_bytes(&[0x4b, 0x46, 0x1f], &mut bench.delay).unwrap();
    bench.command(CONVERT_TEMP);
    bench.wait_ms(94);
    assert!(bench.bit(), "done");
    let pad = bench.scratchpad();
    assert_eq!(i16::from_le_bytes([pad[0], pad[1]]), 25 * 16 + 8, "25.5 °C");
    assert_eq!(pad[4], 0x1f);
}

#[test]
fn a_search_finds_every_chip_and_none_other() {
    let serials = [0x1e85_8aef, 1, 2, 0xffff_ffff_ffff, 0x8000_0000_0001];
    let mut bench = Bench::with_chips(&serials);
    let mut found: Vec<u64> =
        bench.master.devices(false, &mut bench.delay).map(|found| found.unwrap().0).collect();
    let mut expected: Vec<u64> =
        serials.iter().map(|serial| Ds18b20::new(0x28, *serial).rom()).collect();
    found.sort_unstable();
    expected.sort_unstable();
    assert_eq!(found, expected);
}

#[test]
fn only_the_matched_chip_answers() {
    let mut bench = Bench::with_chips(&[1, 2]);
    let absent = Address(Ds18b20::new(0x28, 3).rom());
    bench.master.send_command(READ_SCRATCHPAD, Some(&absent), &mut bench.delay).unwrap();
    assert!((0..72).all(|_| bench.bit()));
    let present = Address(Ds18b20::new(0x28, 2).rom());
    bench.master.send_command(READ_SCRATCHPAD, Some(&present), &mut bench.delay).unwrap();
    assert!(!(0..72).all(|_| bench.bit()));
}

#[test]
fn presence_needs_a_long_enough_reset_and_a_plugged_chip() {
    let mut bench = bench_at(20_000);
    assert!(bench.master.reset(&mut bench.delay).unwrap());
    bench.master.set_bus_low().unwrap();
    bench.clock.advance(std::time::Duration::from_micros(400));
    bench.master.release_bus().unwrap();
    bench.clock.advance(std::time::Duration::from_micros(70));
    assert!(bench.master.is_bus_high().unwrap(), "too short a reset");
    let rom = Ds18b20::new(0x28, 1).rom();
    let mut pin = bench.master.into_inner();
    pin.wire_mut().unplug(rom);
    bench.master = OneWire::new(pin).unwrap();
    assert!(!bench.master.reset(&mut bench.delay).unwrap());
}

#[test]
fn a_write_one_longer_than_the_sample_window_is_heard_as_a_zero() {
    let mut bench = bench_at(20_000);
    bench.master.reset(&mut bench.delay).unwrap();
    // 0xcc is 0b1100_1100, least significant bit first; its last one comes too late.
    for bit in [false, false, true, true, false, false, true] {
        bench.master.write_bit(bit, &mut bench.delay).unwrap();
    }
    bench.master.set_bus_low().unwrap();
    bench.clock.advance(std::time::Duration::from_micros(56));
    bench.master.release_bus().unwrap();
    bench.clock.advance(std::time::Duration::from_micros(64));
    bench.master.write_byte(READ_SCRATCHPAD, &mut bench.delay).unwrap();
    assert!((0..72).all(|_| bench.bit()), "0x4c is no command: the chip sleeps");
}

#[test]
fn a_broken_line_reads_the_same_for_ever() {
    let mut wire = Wire::new(1);
    wire.attach(warm_chip(20_000));
    wire.set_line(Line::StuckHigh);
    let mut bench = Bench::new(wire);
    assert!(!bench.master.reset(&mut bench.delay).unwrap());
    assert_eq!(bench.scratchpad(), [0xff; 9]);
    let mut pin = bench.master.into_inner();
    pin.wire_mut().set_line(Line::StuckLow);
    bench.master = OneWire::new(pin).unwrap();
    assert!(bench.master.reset(&mut bench.delay).is_err());
}

#[test]
fn flipped_bits_break_the_checksum() {
    let mut wire = Wire::new(9);
    wire.attach(warm_chip(20_000));
    wire.set_bit_flips(Odds::one_in(100));
    let mut bench = Bench::new(wire);
    let broken = (0..200).filter(|_| crc8(&bench.scratchpad()) != 0).count();
    assert!((60..140).contains(&broken), "{broken}");
}

#[test]
fn a_lost_convert_and_a_power_failure_leave_their_traces() {
    let mut wire = Wire::new(1);
    let mut chip = warm_chip(30_000);
    chip.lose_converts(1);
    wire.attach(chip);
    let mut bench = Bench::new(wire);
    bench.command(CONVERT_TEMP);
    assert!(bench.bit(), "nobody says that it converts");
    bench.command(CONVERT_TEMP);
    assert!(!bench.bit());
    let mut pin = bench.master.into_inner();
    pin.wire_mut().chip_mut(Ds18b20::new(0x28, 1).rom()).unwrap().power_up();
    bench.master = OneWire::new(pin).unwrap();
    bench.wait_ms(750);
    assert_eq!(bench.scratchpad()[6], 0x0c);
}
