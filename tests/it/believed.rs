//! No wrong value is ever believed: bit-level chips on pins, read by a process that is interrupted,
//! on wires that flip bits, with supplies that fail.
//!
//! ```text
//! cargo test --release --test it believed -- --nocapture               some thousand readings
//! MAISON_READS=1000000 cargo test --release --test it believed -- --nocapture    a million each
//! ```
//!
//! Each reading is at another temperature, so that an old value is a wrong one. Prints how many
//! readings succeeded, and what the others were.

use std::collections::BTreeMap;
use std::env;
use std::ops::RangeInclusive;
use std::time::Duration;

use maison::bus::dht::DhtPin;
use maison::bus::pin::OneWirePin;
use maison::bus::{Attached, Bus};
use maison::sampling::SensorId;
use maison::sensors::catalog::Driver;
use maison::sensors::{Address, Fault, Measurement, OneWireId};
use maison::sim::air::Air;
use maison::sim::chance::{Chance, Odds};
use maison::sim::clock::{Jitter, VirtualClock, VirtualDelay};
use maison::sim::dht::{self, Dht, Looks};
use maison::sim::model::Model;
use maison::sim::onewire::{Ds18b20, Power, SimPin, Wire};
use maison::time::Tick;
use maison::units::{MilliCelsius, MilliPercent};

/// Readings of each kind of chip, unless `MAISON_READS` says how many.
const READS: u64 = 1200;

/// What disturbs a reading.
#[derive(Clone, Debug)]
struct Trouble {
    /// Pauses of the process: one in so many waits or looks, and how long in microseconds.
    pauses: (u32, RangeInclusive<u64>),
    /// One bit in so many is sent inverted; 0: none.
    flips: u32,
    /// The supply fails in one of so many slots of 1-Wire, or answers of a DHT; 0: never.
    brown_outs: u32,
    /// Two wires only.
    power: Power,
}

const QUIET: Trouble =
    Trouble { pauses: (0, 0..=0), flips: 0, brown_outs: 0, power: Power::External };

/// Outcomes by name.
#[derive(Debug, Default)]
struct Count {
    good: u64,
    wrong: u64,
    faults: BTreeMap<&'static str, u64>,
}

impl Count {
    fn add(&mut self, result: Result<Measurement, Fault>, is_right: impl Fn(&Measurement) -> bool) {
        match result {
            Ok(read) if is_right(&read) => self.good += 1,
            Ok(_) => self.wrong += 1,
            Err(fault) => *self.faults.entry(fault.name()).or_default() += 1,
        }
    }

    #[track_caller]
    #[allow(clippy::print_stdout, reason = "success rates are for people")]
    fn report(&self, chip: &str, trouble: &Trouble) {
        let all = self.good + self.wrong + self.faults.values().sum::<u64>();
        let faults: Vec<_> =
            self.faults.iter().map(|(name, count)| format!("{name} {count}")).collect();
        let Trouble { pauses: (one_in, micros), flips, brown_outs, power } = trouble;
        println!(
            "{chip} pauses 1/{one_in} {micros:?} µs, flips 1/{flips}, brown-outs 1/{brown_outs}, \
             {power:?}: of {all} good {} ({:.1} %), wrong {}; {}",
            self.good,
            f64::from(u32::try_from(self.good * 1000 / all.max(1)).unwrap()) / 10.0,
            self.wrong,
            faults.join(", ")
        );
        assert_eq!(self.wrong, 0, "{chip}, {trouble:?}");
    }
}

fn reads() -> u64 {
    env::var("MAISON_READS").map_or(READS, |text| text.parse().expect("a number of readings"))
}

/// A number of steps between these, as thousandths.
fn any(chance: &mut Chance, steps: RangeInclusive<i32>, step: i32) -> i32 {
    let choices = u64::from(steps.end().abs_diff(*steps.start())) + 1;
    (steps.start() + i32::try_from(chance.below(choices)).unwrap()) * step
}

/// Three chips, which look at the line early, in the middle and late in a slot.
fn one_wire(trouble: &Trouble, reads: u64, seed: u64) -> Count {
    let ids = [(0x0113_1e85_8aef, 15), (0x0113_1e85_8aee, 30), (0xffff_0000_0001, 60)];
    let mut wire = Wire::new(seed);
    let mut roms = Vec::new();
    let mut attached = Vec::new();
    for (index, (serial, sample_after)) in ids.into_iter().enumerate() {
        let mut chip = Ds18b20::new(0x28, serial);
        chip.set_sample_after_us(sample_after);
        chip.set_power(trouble.power);
        roms.push(chip.rom());
        wire.attach(chip);
        let address = Address::OneWire(OneWireId { family: 0x28, serial });
        let (id, driver) = (SensorId(index), Driver::Ds18b20);
        attached.push(Attached { id, driver, address, element: None });
    }
    wire.set_bit_flips(Odds::one_in(trouble.flips));
    wire.set_brown_outs(Odds::one_in(trouble.brown_outs));
    let clock = VirtualClock::new();
    let (one_in, pause_us) = trouble.pauses.clone();
    let jitter = Jitter { odds: Odds::one_in(one_in), pause_us };
    let delay = VirtualDelay::with_jitter(clock.clone(), jitter, seed);
    let mut bus = OneWirePin::new(SimPin::new(wire, clock), delay, &attached);
    let (mut chance, mut count) = (Chance::new(seed), Count::default());
    let sensors = [0, 1, 2].map(SensorId);
    for _ in 0..reads / 3 {
        let truth = roms.iter().map(|rom| {
            // Sixteenths of a degree, in ten-thousandths.
            let truth = any(&mut chance, -880..=2000, 625);
            let chip = bus.pin_mut().wire_mut().chip_mut(*rom).unwrap();
            chip.set_temperature(MilliCelsius::new(truth.div_euclid(10)));
            truth
        });
        let truth: Vec<i32> = truth.collect();
        bus.read(&sensors, &mut |id, result| {
            let truth = truth[id.0];
            count.add(result, |read| (read.temperature.thousandths() * 10).abs_diff(truth) <= 10);
        });
    }
    count
}

#[test]
fn no_wrong_value_of_a_ds18b20_on_a_pin_is_believed() {
    let troubles = [
        QUIET,
        Trouble { pauses: (1000, 20..=50), ..QUIET },
        Trouble { pauses: (300, 50..=50), ..QUIET },
        Trouble { pauses: (100, 50..=50), ..QUIET },
        Trouble { pauses: (1000, 500..=500), ..QUIET },
        Trouble { pauses: (200, 5..=1000), ..QUIET },
        Trouble { pauses: (10, 1..=40), ..QUIET },
        Trouble { flips: 300, ..QUIET },
        Trouble { flips: 50, ..QUIET },
        Trouble { brown_outs: 1000, ..QUIET },
        Trouble { pauses: (1000, 20..=500), flips: 1000, brown_outs: 3000, ..QUIET },
        Trouble { pauses: (1000, 20..=500), power: Power::Parasite, ..QUIET },
    ];
    each(&troubles, "ds18b20", one_wire);
}

fn dht22(trouble: &Trouble, reads: u64, seed: u64) -> Count {
    let clock = VirtualClock::new();
    let mut chip = Dht::new(dht::Kind::Dht22, seed, Tick::ZERO);
    chip.bit_flips = Odds::one_in(trouble.flips);
    chip.brown_outs = Odds::one_in(trouble.brown_outs);
    clock.advance(Duration::from_secs(2));
    let (one_in, pause_us) = trouble.pauses.clone();
    let jitter = Jitter { odds: Odds::one_in(one_in), pause_us };
    let looks = Looks::new(clock.clone(), jitter, seed);
    let (id, driver) = (SensorId(0), Driver::Dht22);
    let sensor = Attached { id, driver, address: Address::Pin(4), element: None };
    let mut bus = DhtPin::new(dht::DhtPin::new(chip, clock.clone()), looks, &[sensor]);
    let (mut chance, mut count) = (Chance::new(seed), Count::default());
    for _ in 0..reads {
        let air = Air {
            temperature: MilliCelsius::new(any(&mut chance, -400..=800, 100)),
            humidity: MilliPercent::new(any(&mut chance, 1..=1000, 100)),
            ..Air::default()
        };
        bus.pin_mut().chip_mut().unwrap().expose(air);
        bus.read(&[id], &mut |_, result| {
            count.add(result, |read| {
                read.temperature == air.temperature && read.humidity == Some(air.humidity)
            });
        });
        clock.advance(Duration::from_secs(4));
    }
    count
}

#[test]
fn no_wrong_value_of_a_dht_is_believed() {
    let troubles = [
        QUIET,
        Trouble { pauses: (20_000, 20..=50), ..QUIET },
        Trouble { pauses: (5_000, 20..=50), ..QUIET },
        Trouble { pauses: (1_000, 5..=60), ..QUIET },
        Trouble { pauses: (10_000, 50..=1000), ..QUIET },
        Trouble { pauses: (300, 1..=30), ..QUIET },
        Trouble { flips: 300, ..QUIET },
        Trouble { flips: 40, ..QUIET },
        Trouble { brown_outs: 5, ..QUIET },
        Trouble { pauses: (10_000, 20..=200), flips: 500, brown_outs: 20, ..QUIET },
    ];
    each(&troubles, "dht22", dht22);
}

/// Shares the readings out among the troubles; in quiet all succeed, and of those in trouble some.
fn each(troubles: &[Trouble], chip: &str, run: fn(&Trouble, u64, u64) -> Count) {
    let share = reads().div_ceil(u64::try_from(troubles.len()).unwrap()).next_multiple_of(3);
    let mut good = 0;
    for (seed, trouble) in troubles.iter().enumerate() {
        let count = run(trouble, share, u64::try_from(seed).unwrap() + 1);
        count.report(chip, trouble);
        if seed == 0 {
            assert_eq!(count.good, share, "in quiet all succeed");
        }
        good += count.good;
    }
    assert!(good > share * 2, "hardly anything succeeded: {good}");
}
