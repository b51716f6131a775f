//! What holds whatever the chips say, and whenever.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// A step of a walk.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Time passes; the sampler is woken at its deadlines.
    Wait { milliseconds: u64 },
    /// Time passes, and nobody wakes the sampler.
    Pause { milliseconds: u64 },
    /// One of the sensors that are being read answers.
    Answer { which: usize, result: Result<Measurement, Fault> },
}

fn step() -> impl Strategy<Value = Step> {
    let fault = prop_oneof![Just(Fault::Crc), Just(Fault::Absent), Just(Fault::PowerOn)];
    let measured = prop_oneof![
        4 => (19_000..21_000_i32).prop_map(|thousandths| (thousandths, false)),
        1 => (-100_000..200_000_i32).prop_map(|thousandths| (thousandths, false)),
        1 => Just((85_000, true)),
        1 => (80_000..90_000_i32).prop_map(|thousandths| (thousandths, false)),
    ];
    let humidity = proptest::option::of(-20_000..120_000_i32);
    let measured = (measured, humidity).prop_map(|((thousandths, may_be_power_on), humidity)| {
        let temperature = MilliCelsius::new(thousandths);
        let humidity = humidity.map(MilliPercent::new);
        Ok(Measurement { humidity, may_be_power_on, ..Measurement::of(temperature) })
    });
    let result = prop_oneof![3 => measured, 1 => fault.prop_map(Err)];
    prop_oneof![
        4 => (0..12_000_u64).prop_map(|milliseconds| Step::Wait { milliseconds }),
        1 => (0..100_000_u64).prop_map(|milliseconds| Step::Pause { milliseconds }),
        8 => (0..4_usize, result).prop_map(|(which, result)| Step::Answer { which, result }),
    ]
}

prop_compose! {
    fn any_rules(quantity: Quantity, lowest: i32, highest: i32)(
        perhaps in any::<bool>(),
        rate_per_minute in proptest::option::of(1..60_000_u32),
        offset in -3000..3000_i32,
        two_point in any::<bool>(),
        half in 0..3_usize,
        alpha in 1..=1000_u32,
        decimals in 0..4_u8,
        deadband in 0..800_u32,
    ) -> Rules {
        let value = |thousandths| Value::new(quantity, thousandths);
        let point = |raw, shown| (value(raw), value(shown));
        Rules {
            promise: if perhaps { Promise::Perhaps } else { Promise::Always },
            rate_per_minute,
            lowest: value(lowest),
            highest: value(highest),
            calibration: if two_point {
                Calibration::TwoPoint { low: point(0, offset), high: point(100_000, 99_000) }
            } else {
                Calibration::Offset(value(offset))
            },
            median: half * 2 + 1,
            alpha,
            decimals,
            deadband,
        }
    }
}

prop_compose! {
    fn any_settings()(
        interval in 1..20_u64,
        patience in 1..5_u64,
        retries in 0..4_u8,
        heartbeat in 1..100_u64,
        temperature in any_rules(Quantity::Temperature, -40_000, 90_000),
        humidity in proptest::option::of(any_rules(Quantity::Humidity, 0, 100_000)),
    ) -> SensorSettings {
        SensorSettings {
            interval: seconds(interval),
            stale_after: seconds(interval * patience),
            retries,
            heartbeat: seconds(heartbeat),
            temperature: Rules { promise: Promise::Always, ..temperature },
            humidity,
            pressure: None,
        }
    }
}

/// A sampler beside what an onlooker knows of it.
struct Watched {
    sampler: Sampler,
    settings: Vec<SensorSettings>,
    now: Tick,
    reading: BTreeSet<SensorId>,
    /// Last report of each, and when an answer could last have been good.
    told: BTreeMap<(SensorId, Quantity), Report>,
    perhaps_good: BTreeMap<SensorId, Tick>,
}

impl Watched {
    fn new(settings: Vec<SensorSettings>, seed: u64) -> Self {
        let sensors = settings.iter().enumerate();
        let sensors = sensors.map(|(id, settings)| sensor(SensorId(id), settings.clone()));
        Self {
            sampler: Sampler::new(sensors.collect(), seed, Tick::ZERO),
            settings,
            now: Tick::ZERO,
            reading: BTreeSet::new(),
            told: BTreeMap::new(),
            perhaps_good: BTreeMap::new(),
        }
    }

    fn at(&self) -> Timestamp {
        Timestamp::new(self.now.as_micros(), true)
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Wait { milliseconds } => {
                let until = self.now.after(Duration::from_millis(milliseconds));
                while self.sampler.deadline().is_some_and(|deadline| deadline <= until) {
                    self.wake();
                }
                self.now = until;
            }
            Step::Pause { milliseconds } => {
                self.now = self.now.after(Duration::from_millis(milliseconds));
            }
            Step::Answer { which, result } => self.answer(which, result),
        }
    }

    fn wake(&mut self) {
        let deadline = self.sampler.deadline().unwrap();
        self.now = self.now.max(deadline);
        self.sampler.handle(self.now, Input::Wake { at: self.at() });
        let begun = self.drain();
        let moved = self.sampler.deadline().is_some_and(|next| next > self.now);
        assert!(moved, "a busy loop at {deadline:?} ({begun} begun)");
        for ((id, _), report) in &self.told {
            let settings = &self.settings[id.0];
            let silent = self.now.since(self.perhaps_good.get(id).copied().unwrap_or_default());
            if matches!(report.state, State::Ok | State::Suspect(_)) {
                assert!(silent < settings.stale_after, "{id:?} is {:?}", report.state);
            }
        }
    }

    fn answer(&mut self, which: usize, result: Result<Measurement, Fault>) {
        let Some(sensor) = self.reading.iter().nth(which).copied() else { return };
        self.reading.remove(&sensor);
        if result.is_ok() {
            self.perhaps_good.insert(sensor, self.now);
        }
        self.sampler.handle(self.now, Input::Answer { sensor, at: self.at(), result });
        assert_eq!(self.drain(), 0, "readings start when woken");
    }

    fn drain(&mut self) -> usize {
        let mut begun = 0;
        while let Some(output) = self.sampler.poll() {
            match output {
                Output::Read(sensors) => {
                    begun += sensors.len();
                    for sensor in sensors {
                        assert!(self.reading.insert(sensor), "{sensor:?} is read twice at once");
                    }
                }
                Output::Report(report) => self.check_report(report),
            }
        }
        begun
    }

    fn check_report(&mut self, report: Report) {
        let key = (report.sensor, report.quantity);
        let before = self.told.get(&key);
        if let Some(reading) = report.value {
            assert_eq!(report.state, State::Ok);
            assert_eq!(reading.at, self.at(), "a value is as old as the answer it came with");
            assert_eq!(report.last_good, Some(reading.at));
            check_value(&self.settings[report.sensor.0], report.quantity, reading);
        } else {
            assert_ne!(before.map(|before| &before.state), Some(&report.state), "told twice");
            assert_ne!(report.state, State::Ok, "a recovery without its value");
        }
        assert_ne!(report.state, State::Unknown);
        self.told.insert(key, report);
    }
}

fn check_value(settings: &SensorSettings, quantity: Quantity, reading: Reading) {
    assert_eq!(reading.value.quantity(), quantity);
    let rules = settings.rules_of(quantity).unwrap();
    let end = |raw| rules.calibration.apply(raw).rounded(rules.decimals);
    let range = end(rules.lowest)..=end(rules.highest);
    assert!(range.contains(&reading.value), "{reading:?} outside {range:?}");
    assert_eq!(reading.value, reading.value.rounded(rules.decimals));
}

proptest! {
    #[test]
    fn whatever_the_chips_say(
        settings in prop::collection::vec(any_settings(), 1..5),
        seed in any::<u64>(),
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut watched = Watched::new(settings, seed);
        watched.wake();
        prop_assert_eq!(watched.reading.len(), watched.settings.len());
        for step in steps {
            watched.step(step);
        }
    }
}
