//! Two wires: addresses and acknowledges.

use maison::bus::i2c::I2cBus;
use maison::bus::simulated::model;
use maison::bus::{Attached, Bus};
use maison::sensors::catalog::Driver;
use maison::sensors::element::Element;
use maison::sensors::{Address, I2cAddress};
use maison::sim::clock::{VirtualClock, VirtualDelay};
use maison::sim::i2c::{I2cDevice, Line, SimI2c};
use maison::sim::mishap::Mishap;
use maison::sim::model::Model;
use std::time::Duration;

use super::{SENSOR, Wires};

struct TwoWires {
    bus: I2cBus<SimI2c, VirtualDelay>,
    clock: VirtualClock,
    address: u8,
    shelf: Option<Box<dyn I2cDevice>>,
}

/// The chip of `other` at the usual address of `driver`'s.
pub(super) fn wires(
    clock: &VirtualClock,
    driver: Driver,
    expected: Option<Element>,
    other: Driver,
    element: Option<Element>,
) -> impl Wires + use<> {
    let facts = driver.facts();
    let mut i2c = SimI2c::new(clock.clone(), 1);
    let fitted: Vec<_> = element.into_iter().map(|element| (0, element)).collect();
    let chip = facts.addresses[0];
    i2c.attach(chip, model(other, &fitted, clock.now()).unwrap());
    // Chips are powered before the host looks for them.
    clock.advance(Duration::from_secs(1));
    let input = (facts.inputs > 0).then_some(0);
    let address = Address::I2c(I2cAddress { input, ..I2cAddress::of(chip) });
    let sensor = Attached { id: SENSOR, driver, address, element: expected };
    let bus = I2cBus::new(i2c, VirtualDelay::new(clock.clone()), &[sensor]);
    TwoWires { bus, clock: clock.clone(), address: chip, shelf: None }
}

impl Wires for TwoWires {
    fn bus(&mut self) -> &mut dyn Bus {
        &mut self.bus
    }

    fn chip(&mut self) -> &mut dyn Model {
        self.bus.i2c_mut().device_mut(self.address).unwrap()
    }

    fn lines(&self) -> &'static [&'static str] {
        &["data line held low", "data line cut", "clock line held low"]
    }

    fn break_line(&mut self, broken: Option<usize>) {
        let lines = [Line::DataLow, Line::DataHigh, Line::ClockLow];
        self.bus.i2c_mut().line = broken.map_or(Line::Working, |index| lines[index]);
    }

    fn unplug(&mut self) {
        self.shelf = self.bus.i2c_mut().detach(self.address);
    }

    fn plug(&mut self) {
        let mut chip = self.shelf.take().unwrap();
        chip.power_up(self.clock.now());
        self.bus.i2c_mut().attach(self.address, chip);
    }

    fn record(&mut self) {
        self.bus.i2c_mut().record();
    }

    fn transcript(&self) -> Vec<String> {
        self.bus.i2c().transcript().to_vec()
    }

    fn disturb(&mut self, mishap: Option<(usize, Mishap)>) {
        self.bus.i2c_mut().disturb(mishap);
    }

    fn transfers(&self) -> Vec<usize> {
        self.bus.i2c().transfers().to_vec()
    }
}
