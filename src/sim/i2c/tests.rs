//! The bus by itself, with a chip that echoes.

use super::*;
use crate::sim::air::Air;

/// Remembers the order of what it was told; sends 1, 2, 3, ….
#[derive(Debug, Default)]
struct Echo {
    pointer: u8,
}

impl I2cDevice for Echo {
    fn write(&mut self, _now: Tick, bytes: &[u8]) -> Answer {
        self.pointer = bytes.iter().sum();
        Answer::Acknowledged
    }

    fn read(&mut self, _now: Tick, buffer: &mut [u8]) -> Answer {
        buffer.iter_mut().zip(self.pointer..).for_each(|(byte, value)| *byte = value);
        Answer::Stretched(Duration::from_millis(20))
    }
}

impl Model for Echo {
    fn expose(&mut self, _air: Air) {}

    fn power_up(&mut self, _now: Tick) {}

    fn hang(&mut self) {}

    fn raw(&self) -> u32 {
        self.pointer.into()
    }
}

fn bus() -> SimI2c {
    let mut bus = SimI2c::new(VirtualClock::new(), 1);
    bus.attach(0x10, Box::new(Echo::default()));
    bus
}

#[test]
fn neighbouring_operations_are_one_to_the_chip() {
    let (mut one, mut two) = ([0; 1], [0; 2]);
    let mut operations = [
        Operation::Write(&[40]),
        Operation::Write(&[2]),
        Operation::Read(&mut one),
        Operation::Read(&mut two),
    ];
    bus().transaction(0x10, &mut operations).unwrap();
    assert_eq!((one, two), ([42], [43, 44]));
}

#[test]
fn an_empty_address_does_not_acknowledge() {
    assert_eq!(bus().write(0x11, &[0]), Err(SimError::NotAcknowledged));
    let mut bus = bus();
    bus.line = Line::DataHigh;
    assert_eq!(bus.write(0x10, &[0]), Err(SimError::NotAcknowledged));
}

#[test]
fn a_stretched_clock_takes_time_or_ends_the_transaction() {
    let mut bus = bus();
    let mut byte = [0];
    I2c::read(&mut bus, 0x10, &mut byte).unwrap();
    assert_eq!(bus.clock.now(), Tick::from_micros(20_000));
    bus.stretch_max = Duration::from_millis(10);
    assert_eq!(I2c::read(&mut bus, 0x10, &mut byte), Err(SimError::ClockHeld));
}

#[test]
fn another_master_comes_in_after_a_stop_and_not_after_a_repeated_start() {
    let mut bus = bus();
    bus.intruder = Some(Intruder { address: 0x10, bytes: vec![99] });
    let mut byte = [0];
    bus.write_read(0x10, &[5], &mut byte).unwrap();
    assert_eq!(byte, [5]);
    I2c::write(&mut bus, 0x10, &[5]).unwrap();
    I2c::read(&mut bus, 0x10, &mut byte).unwrap();
    assert_eq!(byte, [99]);
}

#[test]
fn a_chip_behind_a_multiplexer_is_reached_after_the_stop_that_opens_its_channel() {
    let mut bus = SimI2c::new(VirtualClock::new(), 1);
    bus.attach(Spot { behind: Some((0x70, 3)), address: 0x10 }, Box::new(Echo::default()));
    assert_eq!(bus.write(0x10, &[1]), Err(SimError::NotAcknowledged));
    I2c::write(&mut bus, 0x70, &[0x08]).unwrap();
    let mut byte = [0];
    bus.write_read(0x10, &[5], &mut byte).unwrap();
    assert_eq!(byte, [5]);
    bus.write_read(0x70, &[0x04], &mut byte).unwrap();
    assert_eq!(byte, [0x08], "the stop is still to come");
    assert_eq!(I2c::write(&mut bus, 0x10, &[1]), Err(SimError::NotAcknowledged));
}

#[test]
fn two_chips_at_one_address_pull_the_line_together() {
    let mut bus = bus();
    bus.attach(Spot { behind: Some((0x70, 0)), address: 0x10 }, Box::new(Echo { pointer: 0x0f }));
    I2c::write(&mut bus, 0x10, &[0x3c]).unwrap();
    I2c::write(&mut bus, 0x70, &[1]).unwrap();
    let mut byte = [0];
    I2c::read(&mut bus, 0x10, &mut byte).unwrap();
    assert_eq!(byte, [0x0c]);
}

#[test]
fn what_is_said_is_written_down() {
    let mut bus = bus();
    bus.record();
    let mut bytes = [0; 2];
    bus.write_read(0x10, &[0x41], &mut bytes).unwrap();
    bus.clock.advance(Duration::from_micros(1500));
    assert!(I2c::write(&mut bus, 0x11, &[]).is_err());
    let expected = ["0x10 ← 41 → 41 42  (20 ms)", "     1.5 ms", "0x11 ← not acknowledged"];
    assert_eq!(bus.transcript(), expected);
}
