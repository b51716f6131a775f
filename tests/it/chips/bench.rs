//! A chip on a bus of its own, read by its driver, in virtual time.

use maison::bus::i2c::I2cBus;
use maison::bus::simulated::model;
use maison::bus::{Attached, Bus};
use maison::sampling::SensorId;
use maison::sensors::catalog::{Driver, Facts, Wiring};
use maison::sensors::{Address, Fault, Measurement};
use maison::sim::air::Air;
use maison::sim::chance::Chance;
use maison::sim::clock::{VirtualClock, VirtualDelay};
use maison::sim::i2c::{I2cDevice, SimI2c};
use maison::units::{DeciPascal, MilliCelsius, MilliPercent, Quantity};
use std::time::Duration;

const SENSOR: SensorId = SensorId(0);

/// The drivers whose chips can be put on a bench: those with registers.
pub(super) fn drivers() -> impl Iterator<Item = Driver> {
    let on_bench = |driver: &Driver| driver.facts().wirings.contains(&Wiring::I2c);
    Driver::ALL.iter().copied().filter(on_bench)
}

/// A chip and its driver.
pub(super) struct Bench {
    bus: I2cBus<SimI2c, VirtualDelay>,
    clock: VirtualClock,
    address: u8,
    facts: &'static Facts,
}

impl Bench {
    /// The chip that the driver expects.
    pub(super) fn of(driver: Driver) -> Self {
        Self::with(driver, driver)
    }

    /// The chip of another driver, at the usual address of this one's.
    pub(super) fn with(driver: Driver, other: Driver) -> Self {
        let facts = driver.facts();
        let clock = VirtualClock::new();
        let mut i2c = SimI2c::new(clock.clone(), 1);
        let address = facts.addresses[0];
        i2c.attach(address, model(other, clock.now()).unwrap());
        // Chips are powered before the host looks for them.
        clock.advance(Duration::from_secs(1));
        let sensor = Attached { id: SENSOR, driver, address: Address::i2c(address) };
        let bus = I2cBus::new(i2c, VirtualDelay::new(clock.clone()), &[sensor]);
        Self { bus, clock, address, facts }
    }

    /// What is true of the chip.
    pub(super) const fn facts(&self) -> &'static Facts {
        self.facts
    }

    /// What the driver says of the chip.
    pub(super) fn read(&mut self) -> Result<Measurement, Fault> {
        let mut answers = Vec::new();
        self.bus.read(&[SENSOR], &mut |id, result| answers.push((id, result)));
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

    /// The bus below.
    pub(super) fn i2c(&mut self) -> &mut SimI2c {
        self.bus.i2c_mut()
    }

    /// The chip.
    pub(super) fn chip(&mut self) -> &mut (dyn I2cDevice + 'static) {
        let address = self.address;
        self.bus.i2c_mut().device_mut(address).unwrap()
    }

    /// Takes the chip away.
    pub(super) fn unplug(&mut self) -> Box<dyn I2cDevice> {
        let address = self.address;
        self.bus.i2c_mut().detach(address).unwrap()
    }

    /// Brings it back.
    pub(super) fn plug(&mut self, mut chip: Box<dyn I2cDevice>) {
        chip.power_up(self.clock.now());
        self.bus.i2c_mut().attach(self.address, chip);
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
pub(super) const fn allowed(span: maison::sensors::catalog::Span) -> u32 {
    (span.step_millionths / 2 + 500).div_ceil(1000)
}
