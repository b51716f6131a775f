//! A chip on a bus of its own, read by its driver, in virtual time.

mod i2c;
mod pin;
mod spi;

use std::time::Duration;

use maison::bus::Bus;
use maison::sampling::SensorId;
use maison::sensors::catalog::{Driver, Facts, Span, Wiring};
use maison::sensors::element::{
    Curve, Element, ElementKind, Platinum, Rtd, Side, Thermistor, Tmp36, Wires as Leads,
};
use maison::sensors::{Fault, Measurement};
use maison::sim::air::Air;
use maison::sim::chance::Chance;
use maison::sim::clock::VirtualClock;
use maison::sim::mishap::Mishap;
use maison::sim::model::Model;
use maison::units::{DeciPascal, MilliCelsius, MilliPercent, Quantity};

const SENSOR: SensorId = SensorId(0);

/// The drivers whose chips can be put on a bench: those with registers.
pub(super) fn drivers() -> impl Iterator<Item = Driver> {
    Driver::ALL.iter().copied().filter(|driver| wiring(*driver).is_some())
}

/// The kind of bus that a driver's bench has.
pub(super) fn wiring(driver: Driver) -> Option<Wiring> {
    let wirings = driver.facts().wirings;
    wirings.iter().copied().find(|wiring| matches!(wiring, Wiring::I2c | Wiring::Spi | Wiring::Pin))
}

/// What hangs at the chip's input on its bench.
pub(super) fn usual_element(driver: Driver) -> Option<Element> {
    driver.facts().elements.first().map(|kind| match kind {
        ElementKind::Thermistor => Element::Thermistor(Thermistor::USUAL),
        ElementKind::Rtd => Element::Rtd(Rtd::USUAL),
        ElementKind::Tmp36 => Element::Tmp36(Tmp36::USUAL),
    })
}

/// What else can hang there, of every kind.
pub(super) fn further_elements(driver: Driver) -> Vec<Element> {
    let of = |kind: &ElementKind| match kind {
        ElementKind::Thermistor => {
            let coefficients = Curve::SteinhartHart([1.129_148e-3, 2.341_25e-4, 8.767_41e-8]);
            let supply = Thermistor { side: Side::Supply, ..Thermistor::USUAL };
            vec![
                Element::Thermistor(supply),
                Element::Thermistor(Thermistor { curve: coefficients, ..supply }),
                Element::Thermistor(Thermistor { curve: coefficients, ..Thermistor::USUAL }),
            ]
        }
        ElementKind::Rtd => {
            let pt1000 = Rtd { element: Platinum::Pt1000, reference: 4300.0, wires: Leads::Two };
            vec![
                Element::Rtd(pt1000),
                Element::Rtd(Rtd { wires: Leads::Three, ..Rtd::USUAL }),
                Element::Rtd(Rtd { wires: Leads::Two, ..Rtd::USUAL }),
                Element::Rtd(Rtd { wires: Leads::Four, ..pt1000 }),
            ]
        }
        ElementKind::Tmp36 => vec![Element::Tmp36(Tmp36::USUAL)],
    };
    driver.facts().elements.iter().flat_map(of).collect()
}

/// The wires between a driver and its chip.
pub(super) trait Wires {
    /// For the driver.
    fn bus(&mut self) -> &mut dyn Bus;
    /// The chip.
    fn chip(&mut self) -> &mut dyn Model;
    /// What can break, in words.
    fn lines(&self) -> &'static [&'static str];
    /// Breaks one of them, and mends the others.
    fn break_line(&mut self, broken: Option<usize>);
    /// Takes the chip away; it has no supply then.
    fn unplug(&mut self);
    /// Brings it back.
    fn plug(&mut self);
    /// From here on all that is said is written down.
    fn record(&mut self);
    /// What was said.
    fn transcript(&self) -> Vec<String>;
    /// Counts transfers from here on; what happens, and at which.
    fn disturb(&mut self, mishap: Option<(usize, Mishap)>);
    /// How many bytes each transfer had.
    fn transfers(&self) -> Vec<usize>;
}

/// A chip and its driver.
pub(super) struct Bench {
    /// What is between them.
    pub(super) wires: Box<dyn Wires>,
    clock: VirtualClock,
    facts: &'static Facts,
}

impl Bench {
    /// The chip that the driver expects.
    pub(super) fn of(driver: Driver) -> Self {
        Self::with(driver, driver)
    }

    /// The chip of another driver, at the usual address of this one's.
    pub(super) fn with(driver: Driver, other: Driver) -> Self {
        Self::new(driver, usual_element(driver), other, usual_element(other))
    }

    /// The chip that the driver expects, with this at its input.
    pub(super) fn fitted(driver: Driver, element: Element) -> Self {
        Self::new(driver, Some(element), driver, Some(element))
    }

    fn new(
        driver: Driver,
        expected: Option<Element>,
        other: Driver,
        element: Option<Element>,
    ) -> Self {
        let clock = VirtualClock::new();
        let wires: Box<dyn Wires> = match wiring(driver) {
            Some(Wiring::I2c) => Box::new(i2c::wires(&clock, driver, expected, other, element)),
            Some(Wiring::Spi) => Box::new(spi::wires(&clock, driver, expected, other, element)),
            Some(Wiring::Pin) => Box::new(pin::wires(&clock, driver, other)),
            _ => panic!("{driver:?} has no bench"),
        };
        Self { wires, clock, facts: driver.facts() }
    }

    /// What is true of the chip.
    pub(super) const fn facts(&self) -> &'static Facts {
        self.facts
    }

    /// What the driver says of the chip.
    pub(super) fn read(&mut self) -> Result<Measurement, Fault> {
        let mut answers = Vec::new();
        self.wires.bus().read(&[SENSOR], &mut |id, result| answers.push((id, result)));
        let [(SENSOR, result)] = answers[..] else { panic!("one answer: {answers:?}") };
        // A reading takes its interval, so that nothing is left over from the last.
        self.clock.advance(Duration::from_secs(1));
        result
    }

    /// Puts the chip into other air, which it takes on.
    pub(super) fn expose(&mut self, air: Air) {
        self.chip().expose(air);
        self.clock.advance(Duration::from_secs(1));
    }

    /// The chip.
    pub(super) fn chip(&mut self) -> &mut dyn Model {
        self.wires.chip()
    }

    /// Brings a chip back that was unplugged.
    pub(super) fn plug(&mut self) {
        self.wires.plug();
        self.clock.advance(Duration::from_secs(1));
    }
}

/// Somewhere within what a chip can measure.
pub(super) fn any_air(facts: &Facts, chance: &mut Chance) -> Air {
    let mut within = |quantity: Quantity, otherwise: i32| {
        facts.span(quantity).map_or(otherwise, |span| {
            let (low, high) = (span.lowest.thousandths(), span.highest.thousandths());
            low + i32::try_from(chance.below(u64::from(high.abs_diff(low)) + 1)).unwrap()
        })
    };
    Air {
        temperature: MilliCelsius::new(within(Quantity::Temperature, 25_000)),
        humidity: MilliPercent::new(within(Quantity::Humidity, 50_000)),
        pressure: DeciPascal::new(within(Quantity::Pressure, 1_013_250)),
    }
}

/// How far what was read is from the truth, in thousandths of the unit; `None` if it was not read.
pub(super) fn error(read: &Measurement, air: Air, quantity: Quantity) -> Option<u32> {
    let truth = match quantity {
        Quantity::Temperature => air.temperature.value(),
        Quantity::Humidity => air.humidity.value(),
        Quantity::Pressure => air.pressure.value(),
    };
    read.value(quantity).map(|value| value.distance(truth))
}

/// Whether all that a chip measures was read, and is right.
pub(super) fn is_right(facts: &Facts, read: &Measurement, air: Air) -> bool {
    Quantity::ALL.into_iter().all(|quantity| match facts.span(quantity) {
        Some(span) => error(read, air, quantity).is_some_and(|error| error <= allowed(span)),
        None => read.value(quantity).is_none(),
    })
}

/// Half a step, and half a thousandth for the rounding to thousandths.
pub(super) const fn allowed(span: Span) -> u32 {
    (span.step_millionths / 2 + 500).div_ceil(1000)
}
