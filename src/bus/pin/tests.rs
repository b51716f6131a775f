//! The bus against bit-level chips, in virtual time.

use super::*;
use crate::sensors::catalog::Driver;
use crate::sim::chance::{Chance, Odds};
use crate::sim::clock::{Jitter, VirtualClock, VirtualDelay};
use crate::sim::onewire::{Ds18b20, Line, Power, Resolution as Bits, SimPin, Wire};
use crate::units::MilliCelsius;

type SimBus = OneWirePin<SimPin, VirtualDelay>;

/// Three chips that look at the line early, in the middle and late in a slot.
const SERIALS: [u64; 3] = [0x0113_1e85_8aef, 0x0113_1e85_8aee, 0xffff_0000_0001];

struct Bench {
    bus: SimBus,
    clock: VirtualClock,
}

fn bench(jitter: Jitter, seed: u64) -> Bench {
    let clock = VirtualClock::new();
    let mut wire = Wire::new(seed);
    for (serial, sample) in SERIALS.into_iter().zip([15, 30, 60]) {
        let mut chip = Ds18b20::new(0x28, serial);
        chip.set_sample_after_us(sample);
        wire.attach(chip);
    }
    let pin = SimPin::new(wire, clock.clone());
    let delay = VirtualDelay::with_jitter(clock.clone(), jitter, seed);
    Bench { bus: OneWirePin::new(pin, delay, &attached()), clock }
}

fn quiet() -> Bench {
    bench(Jitter::NONE, 1)
}

fn attached() -> Vec<Attached> {
    let address = |serial| Address::OneWire(OneWireId { family: 0x28, serial });
    let sensors = SERIALS.into_iter().enumerate().map(|(index, serial)| Attached {
        id: SensorId(index),
        driver: Driver::Ds18b20,
        address: address(serial),
        element: None,
    });
    sensors.collect()
}

fn rom_of(index: usize) -> u64 {
    rom(OneWireId { family: 0x28, serial: SERIALS[index] }).0
}

impl Bench {
    fn wire(&mut self) -> &mut Wire {
        self.bus.pin_mut().wire_mut()
    }

    fn chip(&mut self, index: usize) -> &mut Ds18b20 {
        self.wire().chip_mut(rom_of(index)).unwrap()
    }

    fn warm(&mut self, thousandths: [i32; 3]) {
        for (index, thousandths) in thousandths.into_iter().enumerate() {
            self.chip(index).set_temperature(MilliCelsius::new(thousandths));
        }
    }

    fn read(&mut self) -> [Result<i32, Fault>; 3] {
        let mut answers = [Err(Fault::Bus); 3];
        let sensors: Vec<_> = (0..3).map(SensorId).collect();
        self.bus.read(&sensors, &mut |id, result| {
            answers[id.0] = result.map(|measured| measured.temperature.thousandths());
        });
        answers
    }
}

#[test]
fn all_chips_are_read_after_one_common_wait() {
    let mut bench = quiet();
    bench.warm([21_500, -10_125, 125_000]);
    assert_eq!(bench.read(), [Ok(21_500), Ok(-10_125), Ok(125_000)]);
    let milliseconds = bench.clock.now().as_micros() / 1000;
    assert!((750..900).contains(&milliseconds), "{milliseconds}");
}

/// Model → slots → bytes → temperature, at every step of the range.
#[test]
fn every_temperature_comes_back_within_half_a_step() {
    for resolution in Bits::ALL {
        let mut bench = quiet();
        (0..3).for_each(|index| bench.chip(index).set_resolution(resolution));
        let half_step = resolution.step() * 125 / 4 + 1;
        for low in (-55_000..125_000).step_by(211) {
            let wanted = [low, low + 67, low + 140].map(|wanted: i32| wanted.min(125_000));
            bench.warm(wanted);
            for (read, wanted) in bench.read().into_iter().zip(wanted) {
                let read = read.unwrap();
                assert!(read.abs_diff(wanted) <= half_step.unsigned_abs(), "{wanted}: {read}");
            }
        }
    }
}

#[test]
fn an_unplugged_chip_is_absent_and_comes_back_without_a_restart() {
    let mut bench = quiet();
    bench.warm([21_500, 22_500, 23_500]);
    bench.wire().unplug(rom_of(1));
    assert_eq!(bench.read(), [Ok(21_500), Err(Fault::Absent), Ok(23_500)]);
    (0..3).for_each(|index| bench.wire().unplug(rom_of(index)));
    assert_eq!(bench.read(), [Err(Fault::Absent); 3]);
    (0..3).for_each(|index| bench.wire().plug(rom_of(index)));
    assert_eq!(bench.read(), [Ok(21_500), Ok(22_500), Ok(23_500)]);
}

#[test]
fn a_broken_line_is_named_for_what_it_is_and_heals() {
    let mut bench = quiet();
    bench.warm([0, 0, 0]);
    bench.wire().set_line(Line::StuckLow);
    assert_eq!(bench.read(), [Err(Fault::StuckLow); 3]);
    bench.wire().set_line(Line::StuckHigh);
    assert_eq!(bench.read(), [Err(Fault::Absent); 3]);
    bench.wire().set_line(Line::Working);
    assert_eq!(bench.read(), [Ok(0); 3]);
}

#[test]
fn one_lost_convert_is_repeated_and_two_never_show_an_old_temperature() {
    let mut bench = quiet();
    bench.warm([20_000; 3]);
    assert_eq!(bench.read(), [Ok(20_000); 3]);
    bench.warm([25_000; 3]);
    bench.chip(0).lose_converts(1);
    bench.chip(1).lose_converts(2);
    assert_eq!(bench.read(), [Ok(25_000), Err(Fault::Unpowered), Ok(25_000)]);
}

#[test]
fn parasite_power_is_refused() {
    let mut bench = quiet();
    bench.warm([20_000; 3]);
    bench.chip(2).set_power(Power::Parasite);
    assert_eq!(bench.read()[2], Err(Fault::Unpowered));
}

/// A supply that fails during a conversion leaves 85 °C behind; a chip at 85 °C is right.
#[test]
fn the_85_degrees_of_power_up_are_refused_and_those_of_a_sauna_are_not() {
    let mut bench = quiet();
    bench.warm([85_000; 3]);
    let rounds: Vec<_> = (0..3).map(|_| bench.read()[0]).collect();
    assert_eq!(rounds, [Ok(85_000); 3]);
    let mut master = Master::new(&mut bench.bus.pin, &mut bench.bus.delay).unwrap();
    let id = OneWireId { family: 0x28, serial: SERIALS[0] };
    assert_eq!(master.convert(id), Ok(Conversion::Begun));
    bench.chip(0).power_up();
    bench.clock.advance(std::time::Duration::from_millis(750));
    let mut master = Master::new(&mut bench.bus.pin, &mut bench.bus.delay).unwrap();
    assert_eq!(master.measurement(id, Conversion::Begun), Err(Fault::PowerOn));
}

#[test]
fn noise_on_the_wire_is_a_checksum_fault_and_never_a_value() {
    let mut bench = quiet();
    bench.wire().set_bit_flips(Odds::one_in(50));
    let count = Count::of(&mut bench, 1000);
    assert_eq!(count.wrong, 0);
    assert!(count.good > 50 && count.crc > 100, "{count:?}");
}

#[test]
fn a_search_names_every_chip() {
    let mut found = quiet().bus.search().unwrap();
    found.sort_unstable();
    let mut expected = SERIALS.map(|serial| OneWireId { family: 0x28, serial });
    expected.sort_unstable();
    assert_eq!(found, expected);
}

/// Readings of one bench by outcome.
#[derive(Debug, Default)]
struct Count {
    good: u32,
    crc: u32,
    absent: u32,
    other: u32,
    wrong: u32,
}

impl Count {
    /// Reads all chips `rounds` times, never at the same temperature: an old value is wrong.
    fn of(bench: &mut Bench, rounds: u32) -> Self {
        let mut count = Self::default();
        let mut chance = Chance::new(rounds.into());
        for _ in 0..rounds {
            let wanted = [0; 3].map(|_| {
                let sixteenths = i32::try_from(chance.below(2880)).unwrap() - 880;
                (sixteenths * 125).div_euclid(2)
            });
            bench.warm(wanted);
            for (result, wanted) in bench.read().into_iter().zip(wanted) {
                count.add(result, wanted);
            }
        }
        count
    }

    fn add(&mut self, result: Result<i32, Fault>, wanted: i32) {
        match result {
            Ok(read) if read.abs_diff(wanted) <= 1 => self.good += 1,
            Ok(_) => self.wrong += 1,
            Err(Fault::Crc) => self.crc += 1,
            Err(Fault::Absent) => self.absent += 1,
            Err(_) => self.other += 1,
        }
    }
}

/// 24,000 readings under pauses from a busy machine to an impossible one.
#[test]
fn jitter_never_passes_a_wrong_value() {
    let settings = [
        (1000, 20..=50),
        (300, 50..=50),
        (100, 50..=50),
        (1000, 500..=500),
        (200, 5..=1000),
        (50, 400..=700),
        (30, 10..=60),
        (10, 1..=40),
    ];
    let mut good_settings = 0;
    for (index, (times, pause_us)) in settings.into_iter().enumerate() {
        let jitter = Jitter { odds: Odds::one_in(times), pause_us };
        let mut bench = bench(jitter.clone(), u64::try_from(index).unwrap());
        let count = Count::of(&mut bench, 1000);
        assert_eq!(count.wrong, 0, "{jitter:?}: {count:?}");
        good_settings += u32::from(count.good > 1000);
    }
    assert!(good_settings >= 4, "{good_settings}");
}
