//! The multiplexers of a bus (TCA9548A and its relatives): a channel is open while its chip is
//! read, and no longer.
//!
//! ```text
//!            asked to open               read back, as asked
//!   Closed ─────────────────▶ Unknown ─────────────────────▶ (chip is read) ──▶ asked to close
//!     ▲                         │  ▲                                                  │
//!     └──── read back, zero ────┘  └──────────────────────────────────────────────────┘
//! ```
//!
//! A channel that stays open joins two chips of one address, whose answers would be mixed and look
//! like one. So a multiplexer that may be open is closed before any chip is read whose address is
//! also behind it. One that does not answer, asked twice, is gone: nothing comes through it.

use std::collections::BTreeMap;

use embedded_hal::i2c::I2c;

use crate::sensors::i2c::fault;
use crate::sensors::{Fault, Gate, I2cAddress};

/// Whether the channels of a multiplexer are known to be closed. They are not at the start: the
/// process before this one may have been killed in the middle of a reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    Unknown,
}

/// The multiplexers of one bus.
#[derive(Debug)]
pub(super) struct Gates {
    chips: Vec<I2cAddress>,
    states: BTreeMap<u8, State>,
}

impl Gates {
    /// Those before these chips.
    pub(super) fn before(chips: Vec<I2cAddress>) -> Self {
        let gates = chips.iter().filter_map(|chip| chip.behind);
        let states = gates.map(|gate| (gate.multiplexer, State::Unknown)).collect();
        Self { chips, states }
    }

    /// Makes the way to `chip`, and to no other of its address.
    pub(super) fn open<I: I2c>(&mut self, i2c: &mut I, chip: I2cAddress) -> Result<(), Fault> {
        for multiplexer in self.in_the_way(chip) {
            let closed = self.set(i2c, multiplexer, 0).or_else(|_| self.set(i2c, multiplexer, 0));
            match closed {
                Ok(()) | Err(Fault::Absent) => {}
                Err(fault) => return Err(fault),
            }
        }
        match chip.behind {
            Some(Gate { multiplexer, channel }) => {
                let only = 1_u8.checked_shl(channel.into()).unwrap_or(0);
                self.set(i2c, multiplexer, only)
            }
            None => Ok(()),
        }
    }

    /// Takes the way away again. If that fails it is done before the next chip is read.
    pub(super) fn close<I: I2c>(&mut self, i2c: &mut I, chip: I2cAddress) {
        if let Some(Gate { multiplexer, .. }) = chip.behind {
            let _ = self.set(i2c, multiplexer, 0);
        }
    }

    /// Other multiplexers that may be open and have a chip of this address behind them.
    fn in_the_way(&self, chip: I2cAddress) -> Vec<u8> {
        let mine = chip.behind.map(|gate| gate.multiplexer);
        let is_in_the_way = |multiplexer: u8| {
            let mut behind = self.chips.iter().filter(|other| other.chip == chip.chip);
            let has_one = behind
                .any(|other| other.behind.is_some_and(|gate| gate.multiplexer == multiplexer));
            has_one && Some(multiplexer) != mine
        };
        let unknown = self.states.iter().filter(|(_, state)| **state == State::Unknown);
        unknown.map(|(multiplexer, _)| *multiplexer).filter(|it| is_in_the_way(*it)).collect()
    }

    fn set<I: I2c>(&mut self, i2c: &mut I, multiplexer: u8, channels: u8) -> Result<(), Fault> {
        self.states.insert(multiplexer, State::Unknown);
        i2c.write(multiplexer, &[channels]).map_err(|error| fault(&error))?;
        let mut shown = [0];
        i2c.read(multiplexer, &mut shown).map_err(|error| fault(&error))?;
        if shown != [channels] {
            return Err(Fault::Garbled);
        }
        if channels == 0 {
            self.states.insert(multiplexer, State::Closed);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::I2cBus;
    use super::*;
    use crate::bus::{Attached, Bus};
    use crate::sampling::SensorId;
    use crate::sensors::Address;
    use crate::sensors::catalog::Driver;
    use crate::sim::air::Air;
    use crate::sim::clock::{VirtualClock, VirtualDelay};
    use crate::sim::i2c::{Line, SimI2c, Spot};
    use crate::sim::mishap::Mishap;
    use crate::sim::tmp117::Tmp117;
    use crate::units::MilliCelsius;

    /// Three TMP117 at 0x48 behind two multiplexers, and one at 0x49 on the bus itself, each with a
    /// temperature of its own.
    const SPOTS: [Spot; 4] = [
        Spot { behind: Some((0x70, 0)), address: 0x48 },
        Spot { behind: Some((0x70, 7)), address: 0x48 },
        Spot { behind: Some((0x71, 3)), address: 0x48 },
        Spot { behind: None, address: 0x49 },
    ];

    const fn warmth(sensor: usize) -> i32 {
        [10_000, 21_000, -5_000, 30_000][sensor]
    }

    struct Bench {
        bus: I2cBus<SimI2c, VirtualDelay>,
        clock: VirtualClock,
    }

    impl Bench {
        fn new() -> Self {
            let clock = VirtualClock::new();
            let mut i2c = SimI2c::new(clock.clone(), 1);
            let mut attached = Vec::new();
            for (sensor, spot) in SPOTS.into_iter().enumerate() {
                i2c.attach(spot, Box::new(Tmp117::new(clock.now())));
                let air = Air { temperature: MilliCelsius::new(warmth(sensor)), ..Air::default() };
                i2c.device_mut(spot).unwrap().expose(air);
                let behind =
                    spot.behind.map(|(multiplexer, channel)| Gate { multiplexer, channel });
                let address = I2cAddress { behind, ..I2cAddress::of(spot.address) };
                let (id, address) = (SensorId(sensor), Address::I2c(address));
                attached.push(Attached { id, driver: Driver::Tmp117, address, element: None });
            }
            clock.advance(Duration::from_secs(1));
            Self { bus: I2cBus::new(i2c, VirtualDelay::new(clock.clone()), &attached), clock }
        }

        fn i2c(&mut self) -> &mut SimI2c {
            self.bus.i2c_mut()
        }

        fn read(&mut self, sensors: &[usize]) -> Vec<Result<i32, Fault>> {
            let ids: Vec<_> = sensors.iter().copied().map(SensorId).collect();
            let mut answers = Vec::new();
            self.bus.read(&ids, &mut |_, result| {
                answers.push(result.map(|it| it.temperature.thousandths()));
            });
            answers
        }
    }

    fn right(sensors: &[usize]) -> Vec<Result<i32, Fault>> {
        sensors.iter().map(|sensor| Ok(warmth(*sensor))).collect()
    }

    #[test]
    fn chips_of_one_address_are_read_one_behind_the_other() {
        let mut bench = Bench::new();
        assert_eq!(bench.read(&[0, 1, 2, 3]), right(&[0, 1, 2, 3]));
        assert_eq!(bench.read(&[2, 3, 1, 0]), right(&[2, 3, 1, 0]));
    }

    /// All bits, in both directions, of a round over all four; then all are well again.
    #[test]
    fn no_flipped_bit_mixes_two_chips() {
        let mut bench = Bench::new();
        bench.i2c().disturb(None);
        bench.read(&[0, 1, 2, 3]);
        let transfers = bench.i2c().transfers().to_vec();
        for (at, bytes) in transfers.into_iter().enumerate() {
            for bit in 0..bytes * 8 {
                let mut bench = Bench::new();
                bench.i2c().disturb(Some((at, Mishap::BitFlip(bit))));
                for (sensor, answer) in bench.read(&[0, 1, 2, 3]).into_iter().enumerate() {
                    assert!(
                        answer.is_err() || answer == Ok(warmth(sensor)),
                        "{sensor}: {answer:?}"
                    );
                }
                assert_eq!(bench.read(&[0, 1, 2, 3]), right(&[0, 1, 2, 3]), "{bit} of {at}");
            }
        }
    }

    #[test]
    fn what_an_earlier_process_left_open_is_closed_first() {
        let mut bench = Bench::new();
        I2c::write(bench.i2c(), 0x71, &[0xff]).unwrap();
        assert_eq!(bench.read(&[0]), right(&[0]));
    }

    #[test]
    fn a_multiplexer_that_is_gone_takes_only_its_own_chips_with_it() {
        let mut bench = Bench::new();
        assert_eq!(bench.read(&[0, 2, 3]), right(&[0, 2, 3]));
        bench.i2c().detach_multiplexer(0x70);
        let absent = Err(Fault::Absent);
        assert_eq!(bench.read(&[0, 1, 2, 3]), [absent, absent, Ok(warmth(2)), Ok(warmth(3))]);
        bench.i2c().attach_multiplexer(0x70);
        assert_eq!(bench.read(&[2, 0]), right(&[2, 0]));
    }

    #[test]
    fn a_broken_line_is_named_and_heals() {
        let mut bench = Bench::new();
        for (line, fault) in [
            (Line::DataLow, Fault::Garbled),
            (Line::DataHigh, Fault::Absent),
            (Line::ClockLow, Fault::Timeout),
        ] {
            bench.i2c().line = line;
            assert_eq!(bench.read(&[0]), [Err(fault)], "{line:?}");
            bench.i2c().line = Line::Working;
            assert_eq!(bench.read(&[0, 1]), right(&[0, 1]), "after {line:?}");
        }
        bench.clock.advance(Duration::from_secs(1));
    }
}
