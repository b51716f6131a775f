//! Three wires and one to select the chip.

use maison::bus::simulated::spi_model;
use maison::bus::spi::SpiBus;
use maison::bus::{Attached, Bus};
use maison::sensors::catalog::Driver;
use maison::sensors::element::Element;
use maison::sensors::{Address, SpiAddress};
use maison::sim::clock::{VirtualClock, VirtualDelay};
use maison::sim::mishap::Mishap;
use maison::sim::model::Model;
use maison::sim::spi::{Line, SimSpi, SpiSlave};
use std::time::Duration;

use super::{SENSOR, Wires};

struct FourWires {
    bus: SpiBus<SimSpi, VirtualDelay>,
    clock: VirtualClock,
    shelf: Option<Box<dyn SpiSlave>>,
}

/// The chip of `other` where `driver` expects its own.
pub(super) fn wires(
    clock: &VirtualClock,
    driver: Driver,
    expected: Option<Element>,
    other: Driver,
    element: Option<Element>,
) -> impl Wires + use<> {
    let fitted: Vec<_> = element.into_iter().map(|element| (0, element)).collect();
    let spi = SimSpi::new(clock.clone(), spi_model(other, &fitted, clock.now()).unwrap());
    clock.advance(Duration::from_secs(1));
    let input = (driver.facts().inputs > 0).then_some(0);
    let address = Address::Spi(SpiAddress { bus: 0, select: 0, input });
    let sensor = Attached { id: SENSOR, driver, address, element: expected };
    let bus = SpiBus::new(spi, VirtualDelay::new(clock.clone()), &[sensor]);
    FourWires { bus, clock: clock.clone(), shelf: None }
}

impl Wires for FourWires {
    fn bus(&mut self) -> &mut dyn Bus {
        &mut self.bus
    }

    fn chip(&mut self) -> &mut dyn Model {
        self.bus.spi_mut().chip_mut().unwrap()
    }

    fn lines(&self) -> &'static [&'static str] {
        &["MISO held low, or cut", "MISO held high", "the chip select is cut"]
    }

    fn break_line(&mut self, broken: Option<usize>) {
        let lines = [Line::ReplyLow, Line::ReplyHigh, Line::SelectCut];
        self.bus.spi_mut().line = broken.map_or(Line::Working, |index| lines[index]);
    }

    fn unplug(&mut self) {
        self.shelf = self.bus.spi_mut().detach();
    }

    fn plug(&mut self) {
        let mut chip = self.shelf.take().unwrap();
        chip.power_up(self.clock.now());
        self.bus.spi_mut().attach(chip);
    }

    fn record(&mut self) {
        self.bus.spi_mut().record();
    }

    fn transcript(&self) -> Vec<String> {
        self.bus.spi().transcript().to_vec()
    }

    fn disturb(&mut self, mishap: Option<(usize, Mishap)>) {
        self.bus.spi_mut().disturb(mishap);
    }

    fn transfers(&self) -> Vec<usize> {
        self.bus.spi().transfers().to_vec()
    }
}
