//! Stories of a bus and its sensors, in virtual time.

mod properties;
mod quantities;

use super::plausibility::Raw;
use super::*;
use crate::sensors::catalog::Promise;
use crate::units::{MilliCelsius, MilliPercent};

const A: SensorId = SensorId(0);
const B: SensorId = SensorId(1);
const CRC: Reason = Reason::Fault(Fault::Crc);
const POWER_ON: Reason = Reason::Fault(Fault::PowerOn);

/// A sensor of the widest range, read every 10 s with two retries, believed for 30 s, shown as it
/// is and each time.
pub(super) fn settings() -> SensorSettings {
    SensorSettings {
        interval: seconds(10),
        retries: 2,
        heartbeat: seconds(60),
        stale_after: seconds(30),
        temperature: Rules {
            promise: Promise::Always,
            lowest: milli(-55_000),
            highest: milli(125_000),
            rate_per_minute: None,
            calibration: Calibration::Offset(milli(0)),
            median: 1,
            alpha: 1000,
            decimals: 3,
            deadband: 0,
        },
        humidity: None,
        pressure: None,
    }
}

/// The same with other rules for its temperature.
pub(super) fn with_rules(change: impl FnOnce(&mut Rules)) -> SensorSettings {
    let mut settings = settings();
    change(&mut settings.temperature);
    settings
}

/// A temperature.
pub(super) const fn milli(thousandths: i32) -> Value {
    Value::new(Quantity::Temperature, thousandths)
}

/// The temperature of an answer.
pub(super) fn raw(measured: Measurement) -> Raw {
    let Measurement { temperature, may_be_power_on, .. } = measured;
    Raw { value: temperature.value(), may_be_power_on }
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn second(second: u64) -> Tick {
    Tick::from_micros(second * 1_000_000)
}

/// What a chip says.
#[derive(Clone, Copy, Debug)]
pub(super) enum Said {
    /// Thousandths of a degree.
    Degrees(i32),
    /// 85.000, and no more evidence.
    PowerOn,
    /// No value.
    Faulty(Fault),
    /// Nothing, ever.
    Nothing,
}
use Said::{Degrees, Faulty, Nothing, PowerOn};

impl Said {
    pub(super) fn result(self) -> Option<Result<Measurement, Fault>> {
        let (thousandths, may_be_power_on) = match self {
            Degrees(thousandths) => (thousandths, false),
            PowerOn => (85_000, true),
            Faulty(fault) => return Some(Err(fault)),
            Nothing => return None,
        };
        let temperature = MilliCelsius::new(thousandths);
        Some(Ok(Measurement { may_be_power_on, ..Measurement::of(temperature) }))
    }
}

fn sensor(id: SensorId, settings: SensorSettings) -> Sensor {
    Sensor { id, label: Arc::from("a sensor"), settings }
}

/// What a chip says to its `n`th try, at a time.
type Chip = Box<dyn Fn(usize, Tick) -> Said>;

/// A bus of one conversion of 750 ms for all, and 12 ms to read each.
struct Bus {
    sampler: Sampler,
    chips: BTreeMap<SensorId, Chip>,
    tries: BTreeMap<SensorId, usize>,
    now: Tick,
    wall: fn(Tick) -> u64,
    reads: Vec<(Tick, Vec<SensorId>)>,
    reports: Vec<(Tick, Report)>,
}

impl Bus {
    fn new(sensors: Vec<(Sensor, Chip)>) -> Self {
        let chips = sensors.iter().map(|(sensor, _)| sensor.id);
        let tries = chips.map(|id| (id, 0)).collect();
        let (sensors, chips): (Vec<_>, BTreeMap<_, _>) =
            sensors.into_iter().map(|(sensor, chip)| (sensor.clone(), (sensor.id, chip))).unzip();
        Self {
            sampler: Sampler::new(sensors, 42, Tick::ZERO),
            chips,
            tries,
            now: Tick::ZERO,
            wall: |now| 1_000_000 + now.as_micros() / 1000,
            reads: Vec::new(),
            reports: Vec::new(),
        }
    }

    fn with_one(settings: SensorSettings, chip: impl Fn(usize, Tick) -> Said + 'static) -> Self {
        Self::new(vec![(sensor(A, settings), Box::new(chip))])
    }

    fn run_until(&mut self, until: Tick) {
        while let Some(deadline) = self.sampler.deadline().filter(|at| *at <= until) {
            self.now = self.now.max(deadline);
            let reads = self.reads.len();
            self.sampler.handle(self.now, Input::Wake { at: self.at() });
            self.drain();
            let moved = self.sampler.deadline().is_none_or(|next| next > deadline);
            assert!(moved || self.reads.len() > reads, "a busy loop at {deadline:?}");
        }
        self.now = self.now.max(until);
    }

    fn drain(&mut self) {
        while let Some(output) = self.sampler.poll() {
            match output {
                Output::Read(sensors) => self.read(sensors),
                Output::Report(report) => self.reports.push((self.now, report)),
            }
        }
    }

    fn read(&mut self, sensors: Vec<SensorId>) {
        self.reads.push((self.now, sensors.clone()));
        self.now = self.now.after(Duration::from_millis(750));
        for sensor in sensors {
            self.now = self.now.after(Duration::from_millis(12));
            let tries = self.tries.get_mut(&sensor).unwrap();
            *tries += 1;
            if let Some(result) = self.chips[&sensor](*tries, self.now).result() {
                let at = self.at();
                self.sampler.handle(self.now, Input::Answer { sensor, at, result });
            }
        }
    }

    fn at(&self) -> Timestamp {
        Timestamp::new((self.wall)(self.now), true)
    }

    /// States in the order they were entered, with the time in whole seconds.
    fn states(&self) -> Vec<(u64, State)> {
        let mut states: Vec<(u64, State)> = Vec::new();
        for (at, report) in &self.reports {
            if states.last().is_none_or(|(_, state)| *state != report.state) {
                states.push((at.as_micros() / 1_000_000, report.state));
            }
        }
        states
    }

    fn values(&self) -> Vec<(u64, i32)> {
        let readings = self.reports.iter().filter_map(|(_, report)| report.value);
        readings.map(|reading| (reading.number, reading.value.thousandths())).collect()
    }
}

#[test]
fn a_healthy_sensor_is_published_within_a_second_and_then_at_each_reading() {
    let mut bus = Bus::with_one(settings(), |_, _| Degrees(21_437));
    bus.run_until(second(60));
    let (first, report) = bus.reports.first().unwrap();
    assert!(*first < second(1));
    assert_eq!(report.state, State::Ok);
    assert_eq!(report.last_good, report.value.map(|reading| reading.at));
    assert_eq!(bus.values(), (1..=7).map(|number| (number, 21_437)).collect::<Vec<_>>());
}

#[test]
fn small_changes_are_counted_but_not_published_until_the_heartbeat() {
    let settings =
        SensorSettings { stale_after: seconds(300), ..with_rules(|rules| rules.deadband = 100) };
    let mut bus = Bus::with_one(settings, |tries, _| {
        Degrees(if tries.is_multiple_of(2) { 20_000 } else { 20_099 })
    });
    bus.run_until(second(119));
    let numbers: Vec<_> = bus.values().iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [1, 8]);
}

#[test]
fn a_disturbance_that_a_retry_overcomes_is_not_told() {
    let mut bus = Bus::with_one(settings(), |tries, _| match tries {
        2 | 3 | 5 => Faulty(Fault::Crc),
        _ => Degrees(20_000),
    });
    bus.run_until(second(40));
    assert_eq!(bus.states(), [(0, State::Ok)]);
    assert_eq!(bus.values().len(), 5);
    assert_eq!(bus.reads.len(), 5 + 3);
}

#[test]
fn a_sensor_that_breaks_is_suspected_then_failed_and_back_with_a_value_at_once() {
    let mut bus = Bus::with_one(with_rules(|rules| rules.deadband = 1000), |_, now| {
        let broken = second(60)..second(120);
        if broken.contains(&now) { Faulty(Fault::Crc) } else { Degrees(20_000) }
    });
    bus.run_until(second(140));
    let states = bus.states();
    let names: Vec<_> = states.iter().map(|(_, state)| *state).collect();
    assert_eq!(names, [State::Ok, State::Suspect(CRC), State::Failed(CRC), State::Ok]);
    assert!((60..73).contains(&states[1].0), "suspected at {}", states[1].0);
    assert!((80..91).contains(&states[2].0), "failed at {}", states[2].0);
    assert!((120..131).contains(&states[3].0), "back at {}", states[3].0);
    let back = bus.reports.iter().find(|(at, _)| *at > second(120)).unwrap();
    assert_eq!(back.1.value.map(|reading| reading.value.thousandths()), Some(20_000));
}

#[test]
fn a_recovery_is_told_with_its_value_even_if_that_has_not_changed() {
    let mut bus =
        Bus::with_one(with_rules(|rules| rules.deadband = 1000), |tries, _| match tries {
            2..=4 => Faulty(Fault::Crc),
            _ => Degrees(20_000),
        });
    bus.run_until(second(15));
    let states: Vec<_> = bus.reports.iter().map(|(_, report)| report.state).collect();
    assert_eq!(states, [State::Ok, State::Suspect(CRC), State::Ok]);
    assert_eq!(bus.values(), [(1, 20_000), (2, 20_000)]);
}

#[test]
fn what_a_suspected_sensor_last_said_still_counts_for_stale_after_to_the_microsecond() {
    let mut bus = Bus::with_one(settings(), |tries, _| match tries {
        1 => Degrees(20_000),
        _ => Faulty(Fault::Absent),
    });
    bus.run_until(second(60));
    let good = bus.reports[0].0;
    let (failed, report) = bus.reports.last().unwrap();
    assert_eq!(report.state, State::Failed(Reason::Fault(Fault::Absent)));
    assert_eq!(failed.since(good), seconds(30));
    assert_eq!(report.since, Timestamp::new(1_000_000 + failed.as_micros() / 1000, true));
    assert_eq!(report.last_good.unwrap().unix_ms(), 1_000_000 + good.as_micros() / 1000);
}

#[test]
fn a_sensor_that_is_dead_from_the_start_is_told_after_its_first_tries() {
    let mut bus = Bus::with_one(settings(), |_, _| Faulty(Fault::Absent));
    bus.run_until(second(100));
    assert_eq!(bus.states(), [(2, State::Failed(Reason::Fault(Fault::Absent)))]);
    assert_eq!(bus.reports.len(), 1);
    assert_eq!(bus.reports[0].1.last_good, None);
    assert_eq!(bus.reads.len(), 3 * 3 + 8);
}

#[test]
fn a_bus_that_answers_nothing_is_stale_and_is_not_asked_again() {
    let mut bus =
        Bus::with_one(settings(), |tries, _| if tries < 3 { Degrees(20_000) } else { Nothing });
    bus.run_until(second(100));
    let names: Vec<_> = bus.states().into_iter().map(|(_, state)| state).collect();
    assert_eq!(names, [State::Ok, State::Stale]);
    assert_eq!(bus.reads.len(), 3);
    let (at, stale) = bus.reports.last().unwrap();
    assert_eq!(stale.since.unix_ms(), 1_000_000 + at.as_micros() / 1000);

    let mut bus = Bus::with_one(settings(), |_, _| Nothing);
    bus.run_until(second(100));
    assert_eq!(bus.states(), [(30, State::Stale)]);
}

#[test]
fn the_power_on_value_at_the_start_is_never_published() {
    let mut bus = Bus::with_one(settings(), |tries, _| match tries {
        1 => PowerOn,
        _ => Degrees(21_000),
    });
    bus.run_until(second(20));
    assert!(bus.values().iter().all(|(_, shown)| *shown == 21_000));
    assert!(bus.reports[0].0 < second(2));

    let mut bus = Bus::with_one(settings(), |_, _| PowerOn);
    bus.run_until(second(100));
    assert_eq!(bus.states(), [(2, State::Failed(POWER_ON))]);
}

#[test]
fn a_step_is_confirmed_by_a_retry_and_published_in_the_same_cycle() {
    let settings = with_rules(|rules| rules.rate_per_minute = Some(6000));
    let mut bus = Bus::with_one(settings, |tries, now| {
        let noise = if tries.is_multiple_of(2) { 0 } else { 500 };
        Degrees(noise + if now < second(25) { 20_000 } else { 40_000 })
    });
    bus.run_until(second(40));
    assert_eq!(bus.states(), [(0, State::Ok)]);
    assert_eq!(bus.reads.len(), 5 + 1);
    assert_eq!(bus.values().iter().filter(|(_, shown)| *shown >= 40_000).count(), 1);
}

#[test]
fn sensors_of_one_interval_cost_one_conversion_and_the_dead_do_not_disturb_the_living() {
    let alone = {
        let mut bus = Bus::with_one(settings(), |_, _| Degrees(20_000));
        bus.run_until(second(200));
        bus.values()
    };
    let dead: Chip = Box::new(|_, _| Faulty(Fault::StuckLow));
    let living: Chip = Box::new(|_, _| Degrees(20_000));
    let mut bus = Bus::new(vec![(sensor(A, settings()), living), (sensor(B, settings()), dead)]);
    bus.run_until(second(200));
    assert_eq!(bus.values(), alone);
    let together = bus.reads.iter().filter(|(_, sensors)| sensors == &[A, B]).count();
    assert_eq!(together, alone.len());
    assert_eq!(bus.reads.len(), together + 3 * 2);
}

#[test]
fn after_a_long_pause_each_sensor_is_stale_once_and_read_once() {
    let mut bus = Bus::with_one(settings(), |_, _| Degrees(20_000));
    bus.run_until(second(25));
    let before = bus.reads.len();
    bus.now = second(7_200);
    bus.run_until(second(7_200));
    assert_eq!(bus.reads.len(), before + 1);
    let (at, last) = bus.reports.last().unwrap();
    assert_eq!((last.state, last.value.is_some()), (State::Ok, true));
    assert!(at.since(second(7_200)) < seconds(1));
    assert_eq!(bus.states().len(), 3);
}

#[test]
fn a_jump_of_the_wall_clock_changes_nothing_but_what_people_see() {
    let story = |wall: fn(Tick) -> u64| {
        let mut bus = Bus::with_one(settings(), |_, now| match now.as_micros() / 1_000_000 {
            60..130 => Faulty(Fault::Crc),
            _ => Degrees(20_000),
        });
        bus.wall = wall;
        bus.run_until(second(200));
        let told = bus.reports.iter().map(|(at, report)| (*at, report.state));
        (told.collect::<Vec<_>>(), bus.values(), bus.reads)
    };
    let steady = story(|now| now.as_micros() / 1000);
    assert!(steady.0.len() > 10);
    assert_eq!(steady, story(|now| if now < second(70) { 0 } else { 1_795_352_405_000 }));
    assert_eq!(steady, story(|now| u64::MAX / 2 - now.as_micros()));
}

#[test]
fn no_sensors_no_deadline() {
    let mut sampler = Sampler::new(Vec::new(), 1, Tick::ZERO);
    assert_eq!(sampler.deadline(), None);
    sampler.handle(second(1), Input::Wake { at: Timestamp::new(0, false) });
    assert_eq!(sampler.poll(), None);
}

#[test]
#[should_panic(expected = "a median of an even number: a sensor")]
fn settings_that_the_configuration_would_refuse_are_our_own_fault() {
    let settings = with_rules(|rules| rules.median = 2);
    let _ = Sampler::new(vec![sensor(A, settings)], 1, Tick::ZERO);
}
