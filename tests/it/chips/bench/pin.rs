//! A pin with one chip.

use maison::bus::dht::DhtPin;
use maison::bus::simulated::dht_model;
use maison::bus::{Attached, Bus};
use maison::sensors::Address;
use maison::sensors::catalog::Driver;
use maison::sim::clock::{Jitter, VirtualClock};
use maison::sim::dht::{self, Dht, Line, Looks};
use maison::sim::mishap::Mishap;
use maison::sim::model::Model;
use std::time::Duration;

use super::{SENSOR, Wires};

struct OneWire {
    bus: DhtPin<dht::DhtPin, Looks>,
    clock: VirtualClock,
    shelf: Option<Dht>,
}

/// The chip of `other` where `driver` expects its own.
pub(super) fn wires(clock: &VirtualClock, driver: Driver, other: Driver) -> impl Wires + use<> {
    let chip = dht_model(other, 1, clock.now()).unwrap();
    clock.advance(Duration::from_secs(2));
    let sensor = Attached { id: SENSOR, driver, address: Address::Pin(4), element: None };
    let looks = Looks::new(clock.clone(), Jitter::NONE, 1);
    let bus = DhtPin::new(dht::DhtPin::new(chip, clock.clone()), looks, &[sensor]);
    OneWire { bus, clock: clock.clone(), shelf: None }
}

impl Wires for OneWire {
    fn bus(&mut self) -> &mut dyn Bus {
        &mut self.bus
    }

    fn chip(&mut self) -> &mut dyn Model {
        self.bus.pin_mut().chip_mut().unwrap()
    }

    fn lines(&self) -> &'static [&'static str] {
        &["data line held low", "data line cut"]
    }

    fn break_line(&mut self, broken: Option<usize>) {
        let lines = [Line::StuckLow, Line::Cut];
        self.bus.pin_mut().line = broken.map_or(Line::Working, |index| lines[index]);
    }

    fn unplug(&mut self) {
        self.shelf = self.bus.pin_mut().detach();
    }

    fn plug(&mut self) {
        let mut chip = self.shelf.take().unwrap();
        chip.power_up(self.clock.now());
        self.bus.pin_mut().attach(chip);
    }

    fn record(&mut self) {
        self.bus.pin_mut().record();
    }

    fn transcript(&self) -> Vec<String> {
        self.bus.pin().transcript().to_vec()
    }

    fn disturb(&mut self, mishap: Option<(usize, Mishap)>) {
        self.bus.pin_mut().disturb(mishap);
    }

    fn transfers(&self) -> Vec<usize> {
        self.bus.pin().transfers().to_vec()
    }
}
