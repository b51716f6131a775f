//! A bus whose device may not be there yet, or not any more: it answers with the reason, and is
//! tried again at each reading, so that nobody has to restart anything.

use crate::bus::Bus;
use crate::limits;
use crate::sampling::SensorId;
use crate::sensors::{Fault, Measurement};

/// Why a device could not be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// For the sensors' status.
    pub fault: Fault,
    /// For the operator: what to do.
    pub hint: String,
}

/// A bus that `open` makes.
#[derive(Debug)]
pub struct Reopening<B, F> {
    name: String,
    open: F,
    bus: Option<B>,
    refused: Option<Refused>,
    failures: u32,
}

impl<B: Bus, F: FnMut() -> Result<B, Refused> + Send> Reopening<B, F> {
    /// A bus of that name for the logs; opened at its first reading.
    pub fn new(name: String, open: F) -> Self {
        Self { name, open, bus: None, refused: None, failures: 0 }
    }

    /// Why the last try to open it failed; `None` if it did not, or there was none.
    pub fn refused(&self) -> Option<&Refused> {
        self.refused.as_ref()
    }

    fn ensure_open(&mut self) -> Result<&mut B, Fault> {
        let bus = match self.bus.take() {
            Some(bus) => bus,
            None => self.opened()?,
        };
        Ok(self.bus.insert(bus))
    }

    /// Says so when the outcome is another than at the last try.
    fn opened(&mut self) -> Result<B, Fault> {
        match (self.open)() {
            Ok(bus) => {
                tracing::info!(bus = self.name, "bus opened");
                self.refused = None;
                Ok(bus)
            }
            Err(refused) => {
                let fault = refused.fault;
                if self.refused.as_ref() != Some(&refused) {
                    let hint = &refused.hint;
                    tracing::warn!(bus = self.name, %fault, hint, "bus cannot be opened");
                }
                self.refused = Some(refused);
                Err(fault)
            }
        }
    }

    /// Counts readings in which no chip answered; too many may be the device's fault.
    fn judge(&mut self, good: usize) {
        self.failures = if good > 0 { 0 } else { self.failures.saturating_add(1) };
        if self.failures >= limits::BUS_FAILURES_MAX {
            tracing::warn!(bus = self.name, "bus opened anew: no chip answers");
            self.failures = 0;
            self.bus = None;
        }
    }
}

impl<B: Bus, F: FnMut() -> Result<B, Refused> + Send> Bus for Reopening<B, F> {
    fn read(
        &mut self,
        sensors: &[SensorId],
        answer: &mut dyn FnMut(SensorId, Result<Measurement, Fault>),
    ) {
        let bus = match self.ensure_open() {
            Ok(bus) => bus,
            Err(fault) => return sensors.iter().for_each(|sensor| answer(*sensor, Err(fault))),
        };
        let mut good = 0;
        bus.read(sensors, &mut |sensor, result| {
            good += usize::from(result.is_ok());
            answer(sensor, result);
        });
        self.judge(good);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::units::MilliCelsius;

    /// A bus whose every chip says the same.
    struct Parrot(Result<Measurement, Fault>);

    impl Bus for Parrot {
        fn read(
            &mut self,
            sensors: &[SensorId],
            answer: &mut dyn FnMut(SensorId, Result<Measurement, Fault>),
        ) {
            for sensor in sensors {
                answer(*sensor, self.0);
            }
        }
    }

    const GOOD: Result<Measurement, Fault> = Ok(Measurement::of(MilliCelsius::new(21_000)));

    fn refused(fault: Fault) -> Refused {
        Refused { fault, hint: String::new() }
    }

    fn read(bus: &mut impl Bus) -> Vec<Result<Measurement, Fault>> {
        let mut answers = Vec::new();
        bus.read(&[SensorId(0), SensorId(1)], &mut |_, result| answers.push(result));
        answers
    }

    #[test]
    fn each_sensor_hears_why_and_the_bus_recovers_without_a_restart() {
        let mut outcomes =
            vec![Ok(Parrot(GOOD)), Err(refused(Fault::NoBus)), Err(refused(Fault::Permission))];
        let mut bus = Reopening::new("i2c-1".into(), move || outcomes.pop().unwrap());
        assert_eq!(read(&mut bus), [Err(Fault::Permission); 2]);
        assert_eq!(read(&mut bus), [Err(Fault::NoBus); 2]);
        assert_eq!(bus.refused(), Some(&refused(Fault::NoBus)));
        assert_eq!(read(&mut bus), [GOOD; 2]);
        assert_eq!(bus.refused(), None);
        assert_eq!(read(&mut bus), [GOOD; 2], "it is opened once");
    }

    /// How often a bus that always says `result` is opened in 20 readings.
    fn openings(result: Result<Measurement, Fault>) -> u32 {
        thread_local!(static COUNT: Cell<u32> = const { Cell::new(0) });
        COUNT.set(0);
        let mut bus = Reopening::new("gpio4".into(), move || {
            COUNT.set(COUNT.get() + 1);
            Ok(Parrot(result))
        });
        (0..20).for_each(|_| drop(read(&mut bus)));
        COUNT.get()
    }

    #[test]
    fn a_bus_on_which_nobody_answers_is_opened_anew_now_and_then() {
        assert_eq!(openings(Err(Fault::Timeout)), 20 / limits::BUS_FAILURES_MAX);
        assert_eq!(openings(GOOD), 1);
    }
}
