//! The chips down to edges, in virtual time.

use super::*;
use crate::sensors::Address;
use crate::sensors::catalog::Driver;
use crate::sim::air::Air;
use crate::sim::chance::Odds;
use crate::sim::clock::{Jitter, VirtualClock};
use crate::sim::dht::{Dht, DhtPin as SimPin, Kind as Model, Line, Looks};
use crate::sim::model::Model as _;
use crate::time::Tick;

const SENSOR: SensorId = SensorId(0);

struct Bench {
    bus: DhtPin<SimPin, Looks>,
    clock: VirtualClock,
}

fn bench(jitter: Jitter) -> Bench {
    let clock = VirtualClock::new();
    let chip = Dht::new(Model::Dht22, 1, Tick::ZERO);
    clock.advance(Duration::from_secs(2));
    let pin = SimPin::new(chip, clock.clone());
    let sensor =
        Attached { id: SENSOR, driver: Driver::Dht22, address: Address::Pin(4), element: None };
    Bench { bus: DhtPin::new(pin, Looks::new(clock.clone(), jitter, 1), &[sensor]), clock }
}

impl Bench {
    fn warm(&mut self, thousandths: i32) {
        let air = Air { temperature: MilliCelsius::new(thousandths), ..Air::default() };
        self.bus.pin_mut().chip_mut().unwrap().expose(air);
    }

    fn read(&mut self) -> Result<i32, Fault> {
        let mut answer = Err(Fault::Bus);
        self.bus.read(&[SENSOR], &mut |_, result| answer = result);
        answer.map(|read| read.temperature.thousandths())
    }
}

/// The first answer is of an earlier question: it never counts by itself.
#[test]
fn what_was_measured_long_ago_is_not_taken_for_new() {
    let mut bench = bench(Jitter::NONE);
    for thousandths in [21_500, -10_100, 35_100] {
        bench.warm(thousandths);
        let begin = bench.clock.now();
        assert_eq!(bench.read(), Ok(thousandths));
        let seconds = bench.clock.now().since(begin).as_secs();
        assert!((4..9).contains(&seconds), "{seconds} s for three answers or four");
        bench.clock.advance(Duration::from_secs(600));
    }
}

#[test]
fn a_chip_that_is_not_there_takes_two_questions_and_comes_back() {
    let mut bench = bench(Jitter::NONE);
    let chip = bench.bus.pin_mut().detach().unwrap();
    let begin = bench.clock.now();
    assert_eq!(bench.read(), Err(Fault::Absent));
    assert!(bench.clock.now().since(begin) < Duration::from_secs(3));
    bench.bus.pin_mut().attach(chip);
    bench.bus.pin_mut().line = Line::StuckLow;
    assert_eq!(bench.read(), Err(Fault::StuckLow));
    bench.bus.pin_mut().line = Line::Working;
    assert_eq!(bench.read(), Ok(25_000));
}

/// Whoever looks late knows between which times an edge was, and does not guess.
#[test]
fn a_pulse_whose_edge_was_not_seen_is_no_bit() {
    let edge = |earliest, latest| Edge {
        earliest: Duration::from_micros(earliest),
        latest: Duration::from_micros(latest),
    };
    assert!(within((edge(100, 102), edge(127, 129)), ZERO));
    assert!(within((edge(100, 102), edge(171, 173)), ONE));
    assert!(!within((edge(100, 102), edge(120, 172)), ZERO), "up to 72 µs");
    assert!(!within((edge(100, 102), edge(120, 172)), ONE), "from 18 µs on");
    assert!(!within((edge(100, 130), edge(171, 173)), ONE), "from 41 µs on");
}

/// Three answers of a chip that wavers by a step count by their middle; three that jump do not.
#[test]
fn answers_that_waver_count_by_their_middle() {
    let read = |celsius, percent| Measurement {
        humidity: Some(MilliPercent::new(percent)),
        ..Measurement::of(MilliCelsius::new(celsius))
    };
    let wavering = [read(21_600, 50_000), read(21_400, 50_300), read(21_500, 50_100)];
    assert_eq!(middle(wavering), Some(read(21_500, 50_100)));
    assert_eq!(middle([read(21_600, 50_000), read(21_400, 50_000), read(22_000, 50_000)]), None);
    assert_eq!(middle([read(21_500, 50_000), read(21_500, 50_100), read(21_500, 54_000)]), None);
}

/// Two bits that a sum misses, inverted twice in the same way: found in 100,002 readings with one
/// bit in 40 inverted, when two alike were enough.
#[test]
fn a_mistake_that_is_made_twice_is_not_believed_where_sums_were_wrong() {
    const MISSED: [u8; 5] = [0, 0x04, 0, 0x04, 0];
    const NOTICED: [u8; 5] = [0, 0, 0, 0x01, 0];
    let mut bench = bench(Jitter::NONE);
    // 50 % is 0x01f4, 24.9 °C 0x00f9: bit 2 of the low bytes is one here and zero there.
    for thousandths in [24_900; 4] {
        bench.warm(thousandths);
        assert_eq!(bench.read(), Ok(24_900));
    }
    let chip = bench.bus.pin_mut().chip_mut().unwrap();
    chip.inverted = [NOTICED, MISSED, MISSED].into();
    assert_eq!(bench.read(), Err(Fault::Crc), "two good ones are too few");
    assert_eq!(bench.read(), Ok(24_900));
}

#[test]
fn a_chip_whose_every_answer_is_spoilt_gives_none() {
    let mut bench = bench(Jitter::NONE);
    bench.bus.pin_mut().chip_mut().unwrap().bit_flips = Odds::one_in(4);
    for _ in 0..200 {
        assert!(matches!(bench.read(), Err(Fault::Crc | Fault::Garbled | Fault::WrongChip)));
    }
}
