//! `bus = "simulated"`: chips down to bits and registers, in simulated weather, read by the same
//! drivers as real ones. What differs from a house is only what lies below the pin and the bus.

mod hand;
mod house;
mod models;
mod scene;
pub mod survey;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use crate::bus::dht::DhtPin;
use crate::bus::i2c::I2cBus;
use crate::bus::kernel::{Class, KernelFiles};
use crate::bus::pin::OneWirePin;
use crate::bus::spi::SpiBus;
use crate::bus::tap::Tapped;
use crate::bus::{Attached, Bus};
use crate::sensors::{Address, I2cAddress, OneWireId, SpiAddress};
use crate::sim::chance::{Odds, mix};
use crate::sim::clock::{Jitter, VirtualClock, VirtualDelay};
use crate::sim::dht::{self, Looks};
use crate::sim::i2c::SimI2c;
use crate::sim::kernel::Kernel;
use crate::sim::onewire::{Ds18b20, SimPin, Wire};
use crate::sim::spi::SimSpi;

pub use hand::Hand;
use house::Simulated;
pub use house::{House, Plan, Plans};
use models::fitted;
pub use models::{dht_model, kernel_model, model, spi_model};
use scene::{Files, Scene, spot};

/// Inverted bits on the wire: one reading in some 300 fails its checksum.
const WIRE_NOISE: Odds = Odds::one_in(800);
/// Addresses not acknowledged: one reading in some 150 finds nobody.
const BUS_NOISE: Odds = Odds::one_in(800);

/// A bus with its name, and the sensors on it.
pub type Wired = (String, Box<dyn Bus>, Vec<Attached>);

/// One bus for each kind of wiring that `attached` needs, by its name, in that house. Those of one
/// real bus, which are of one kind, have its name.
pub fn buses(
    attached: &[Attached],
    house: &Arc<House>,
    plans: &Plans,
    real: Option<&str>,
) -> Vec<Wired> {
    fn put<B: Bus + Scene + 'static>(
        bus: B,
        sensors: &[Attached],
        (house, plans): (&Arc<House>, &Plans),
    ) -> Box<dyn Bus> {
        Box::new(Simulated::new(bus, house, sensors, plans))
    }
    let here = (house, plans);
    let called = |name: &str| real.map_or_else(|| format!("simulated-{name}"), str::to_owned);
    let on = |wiring: fn(&Address) -> bool| -> Vec<Attached> {
        attached.iter().filter(|sensor| wiring(&sensor.address)).cloned().collect()
    };
    let wire = on(|address| matches!(address, Address::OneWire(_)));
    let i2c = on(|address| matches!(address, Address::I2c(_)));
    let mut buses: Vec<Wired> = Vec::new();
    if !wire.is_empty() {
        let name = called("w1");
        let bus = put(one_wire(&name, &wire, house), &wire, here);
        buses.push((name, bus, wire));
    }
    if !i2c.is_empty() {
        let name = called("i2c");
        let bus = put(i2c_bus(&name, &i2c, house), &i2c, here);
        buses.push((name, bus, i2c));
    }
    for (name, sensors) in chip_selects(attached) {
        let name = called(&name);
        if let Some(bus) = chip_select(&name, &sensors, house) {
            let bus = put(bus, &sensors, here);
            buses.push((name, bus, sensors));
        }
    }
    for (class, name) in [(Class::Hwmon, "hwmon"), (Class::Iio, "iio"), (Class::Thermal, "thermal")]
    {
        let name = called(name);
        if let Some((bus, sensors)) = kernel_files(&name, class, attached, house) {
            let bus = put(bus, &sensors, here);
            buses.push((name, bus, sensors));
        }
    }
    for sensor in attached {
        let name = called(&sensor.address.to_string());
        if let Some(bus) = dht_pin(&name, sensor, house) {
            let sensors = vec![sensor.clone()];
            let bus = put(bus, &sensors, here);
            buses.push((name, bus, sensors));
        }
    }
    buses
}

/// The files of one subsystem, and who hangs there; `None`: nobody does.
fn kernel_files(
    name: &str,
    class: Class,
    attached: &[Attached],
    house: &House,
) -> Option<(Files, Vec<Attached>)> {
    let mut kernel = Kernel::default();
    let mut here = Vec::new();
    for sensor in attached {
        if let Address::Kernel(device) = &sensor.address
            && let Some((found, device)) = kernel_model(sensor.driver, device)
            && found == class
        {
            kernel.devices.push(device);
            here.push(sensor.clone());
        }
    }
    let kernel = Arc::new(Mutex::new(kernel));
    let files = Tapped::new(Arc::clone(&kernel), house.taps.of(name));
    let bus = KernelFiles::with_files(files, class, &here);
    (!here.is_empty()).then_some((Files { bus, kernel }, here))
}

/// Another process has its turn now and then: one answer in some twenty is lost.
const TURNS: Jitter = Jitter { odds: Odds::one_in(100_000), pause_us: 20..=200 };

fn dht_pin(
    name: &str,
    sensor: &Attached,
    house: &House,
) -> Option<DhtPin<Tapped<dht::DhtPin>, Tapped<Looks>>> {
    let Address::Pin(_) = sensor.address else { return None };
    let clock = VirtualClock::new();
    let chip = dht_model(sensor.driver, mix(house.seed ^ key(&sensor.address)), clock.now())?;
    clock.advance(std::time::Duration::from_secs(2));
    let turns = if house.is_noisy { TURNS } else { Jitter::NONE };
    let looks = Looks::new(clock.clone(), turns, house.seed);
    let tap = house.taps.of(name);
    let pin = Tapped::new(dht::DhtPin::new(chip, clock), tap.clone());
    Some(DhtPin::new(pin, Tapped::new(looks, tap), std::slice::from_ref(sensor)))
}

/// The sensors at each chip select, by its name.
fn chip_selects(attached: &[Attached]) -> BTreeMap<String, Vec<Attached>> {
    let mut selects: BTreeMap<String, Vec<Attached>> = BTreeMap::new();
    for sensor in attached {
        if let Address::Spi(address) = sensor.address {
            let chip = SpiAddress { input: None, ..address };
            selects.entry(chip.to_string()).or_default().push(sensor.clone());
        }
    }
    selects
}

fn chip_select(
    name: &str,
    attached: &[Attached],
    house: &House,
) -> Option<SpiBus<Tapped<SimSpi>, VirtualDelay>> {
    let clock = VirtualClock::new();
    let fitted: Vec<_> = attached.iter().filter_map(fitted).collect();
    let chip = spi_model(attached.first()?.driver, &fitted, clock.now())?;
    let spi = Tapped::new(SimSpi::new(clock.clone(), chip), house.taps.of(name));
    clock.advance(std::time::Duration::from_secs(1));
    Some(SpiBus::new(spi, VirtualDelay::new(clock), attached))
}

fn one_wire(name: &str, attached: &[Attached], house: &House) -> scene::Wired {
    let clock = VirtualClock::new();
    let mut wire = Wire::new(house.seed);
    for sensor in attached {
        if let Some(chip) = slave(&sensor.address) {
            wire.attach(chip);
        }
    }
    let pin = Tapped::new(SimPin::new(wire, clock.clone()), house.taps.of(name));
    let bus = OneWirePin::new(pin, VirtualDelay::new(clock), attached);
    scene::Wired { bus, is_noisy: house.is_noisy }
}

/// A DS18B20 or one of its family with the same registers; the model is of no other.
fn slave(address: &Address) -> Option<Ds18b20> {
    match *address {
        Address::OneWire(OneWireId { family: family @ (0x22 | 0x28 | 0x3b | 0x42), serial }) => {
            Some(Ds18b20::new(family, serial))
        }
        Address::OneWire(_)
        | Address::I2c(_)
        | Address::Spi(_)
        | Address::Pin(_)
        | Address::Kernel(_) => None,
    }
}

fn i2c_bus(
    name: &str,
    attached: &[Attached],
    house: &House,
) -> I2cBus<Tapped<SimI2c>, VirtualDelay> {
    let clock = VirtualClock::new();
    let i2c = Tapped::new(sim_i2c(attached, house, &clock), house.taps.of(name));
    // Chips are powered before the host looks for them.
    clock.advance(std::time::Duration::from_secs(1));
    I2cBus::new(i2c, VirtualDelay::new(clock), attached)
}

/// The chips that these sensors are or hang at, each where its address says.
fn sim_i2c(attached: &[Attached], house: &House, clock: &VirtualClock) -> SimI2c {
    let mut i2c = SimI2c::new(clock.clone(), house.seed);
    i2c.unheard = if house.is_noisy { BUS_NOISE } else { Odds::NEVER };
    for sensor in attached {
        let Address::I2c(address) = sensor.address else { continue };
        let here = |other: &&Attached| match other.address {
            Address::I2c(other) => spot(other) == spot(address),
            _ => false,
        };
        let fitted: Vec<_> = attached.iter().filter(here).filter_map(fitted).collect();
        if let Some(chip) = model(sensor.driver, &fitted, clock.now()) {
            i2c.attach(spot(address), chip);
        }
    }
    i2c
}

/// The same for the same address at each start.
fn key(address: &Address) -> u64 {
    match address {
        Address::OneWire(id) => mix(id.serial),
        Address::I2c(I2cAddress { behind: None, chip, input: None }) => u64::from(*chip),
        Address::I2c(_) | Address::Spi(_) | Address::Pin(_) | Address::Kernel(_) => {
            address.to_string().bytes().fold(0, |key, byte| mix(key ^ u64::from(byte)))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;
    use crate::bus::Clock;
    use crate::sampling::SensorId;
    use crate::sensors::Fault;
    use crate::sensors::KernelName;
    use crate::sensors::catalog::{Driver, Wiring};
    use crate::sensors::element::{Element, ElementKind, Rtd, Thermistor, Tmp36};
    use crate::time::{Tick, Timestamp};

    /// 2026-01-01T00:00:00Z.
    const NEW_YEAR_MS: u64 = 1_767_225_600_000;

    /// A wall clock that moves when told to.
    struct Wall(AtomicU64);

    impl Clock for Wall {
        fn now(&self) -> Tick {
            Tick::from_micros((self.0.load(Ordering::Relaxed) - NEW_YEAR_MS) * 1000)
        }

        fn wall(&self) -> Timestamp {
            Timestamp::new(self.0.load(Ordering::Relaxed), true)
        }
    }

    fn house() -> Vec<Attached> {
        let one_wire = |serial| Address::OneWire(OneWireId { family: 0x28, serial });
        let sensors = [
            (Driver::Ds18b20, one_wire(0x0113_1e85_8aef)),
            (Driver::Tmp117, Address::i2c(0x48)),
            (Driver::Ds18b20, one_wire(0x0113_1e85_8af0)),
            (Driver::Sht3x, Address::i2c(0x44)),
        ];
        let ids = sensors.into_iter().enumerate();
        let sensor =
            |(id, (driver, address))| Attached { id: SensorId(id), driver, address, element: None };
        ids.map(sensor).collect()
    }

    /// Reads the house every two minutes of a day; all answers by sensor.
    fn day(seed: u64) -> Vec<Vec<Result<i32, Fault>>> {
        let wall = Arc::new(Wall(AtomicU64::new(NEW_YEAR_MS)));
        let clock: Arc<dyn Clock> = wall.clone();
        let mut buses = buses(&house(), &Arc::new(House::new(seed, &clock)), &Plans::new(), None);
        let mut answers = vec![Vec::new(); 4];
        for _ in 0..24 * 30 {
            for ((_, bus, _), sensors) in buses.iter_mut().zip([[0, 2], [1, 3]]) {
                bus.read(&sensors.map(SensorId), &mut |id, result| {
                    answers[id.0].push(result.map(|read| read.temperature.thousandths()));
                });
            }
            wall.0.fetch_add(120_000, Ordering::Relaxed);
        }
        answers
    }

    #[test]
    fn a_day_is_plausible_alive_and_repeats_from_its_seed() {
        let today = day(1);
        for answers in &today {
            assert_eq!(answers.len(), 24 * 30, "one answer to each question");
            let good: Vec<i32> = answers.iter().filter_map(|answer| answer.ok()).collect();
            assert!(good.len() > answers.len() * 97 / 100, "{}", good.len());
            assert!(good.iter().all(|read| (-5_000..30_000).contains(read)), "{good:?}");
            assert!(good.iter().max() > good.iter().min());
            let longest = answers.split(Result::is_ok).map(<[_]>::len).max();
            assert!(longest < Some(4), "no fault lasts");
        }
        let faults = |fault| today.iter().flatten().filter(|one| **one == Err(fault)).count();
        assert!(faults(Fault::Crc) > 0, "a checksum fails now and then");
        assert_eq!(today, day(1));
        assert_ne!(today, day(2));
    }

    /// Whatever a configuration may name hangs somewhere in the simulated house and answers, each
    /// input of a converter with a temperature of its own.
    #[test]
    fn every_driver_has_its_place_in_the_simulated_house() {
        let clock: Arc<dyn Clock> = Arc::new(Wall(AtomicU64::new(NEW_YEAR_MS)));
        let house = Arc::new(House::new(1, &clock));
        for driver in Driver::ALL {
            let facts = driver.facts();
            let element = facts.elements.first().copied().map(usual);
            let inputs = 0..usize::from(facts.inputs.clamp(1, 2));
            let attached: Vec<_> = inputs
                .map(|number| {
                    let input = u8::try_from(number).ok().filter(|_| facts.inputs > 0);
                    let address = address(*driver, input);
                    Attached { id: SensorId(number), driver: *driver, address, element }
                })
                .collect();
            let mut read = vec![None; attached.len()];
            for (_, mut bus, sensors) in buses(&attached, &house, &Plans::new(), None) {
                let ids: Vec<_> = sensors.iter().map(|sensor| sensor.id).collect();
                for _ in 0..3 {
                    bus.read(&ids, &mut |id, result| read[id.0] = result.ok().or(read[id.0]));
                }
            }
            let read: Vec<i32> =
                read.iter().flatten().map(|it| it.temperature.thousandths()).collect();
            assert_eq!(read.len(), attached.len(), "{driver:?} is silent");
            assert!(read.iter().all(|it| (-8_000..32_000).contains(it)), "{driver:?}: {read:?}");
            assert!(read.first() != read.get(1), "{driver:?}: both inputs have {read:?}");
        }
    }

    fn usual(kind: ElementKind) -> Element {
        match kind {
            ElementKind::Thermistor => Element::Thermistor(Thermistor::USUAL),
            ElementKind::Rtd => Element::Rtd(Rtd::USUAL),
            ElementKind::Tmp36 => Element::Tmp36(Tmp36::USUAL),
        }
    }

    fn address(driver: Driver, input: Option<u8>) -> Address {
        let facts = driver.facts();
        match facts.wirings[0] {
            Wiring::OneWire => Address::OneWire(OneWireId { family: 0x28, serial: 1 }),
            Wiring::I2c => Address::I2c(I2cAddress { input, ..I2cAddress::of(facts.addresses[0]) }),
            Wiring::Spi => Address::Spi(SpiAddress { bus: 0, select: 0, input }),
            Wiring::Pin => Address::Pin(4),
            Wiring::Hwmon | Wiring::Iio | Wiring::Thermal => {
                Address::Kernel(KernelName { name: "a".into(), device: None, channel: None })
            }
        }
    }

    #[test]
    fn there_is_one_bus_for_each_kind_of_wiring() {
        let clock: Arc<dyn Clock> = Arc::new(Wall(AtomicU64::new(NEW_YEAR_MS)));
        let here = Arc::new(House::new(1, &clock));
        let names = |attached: &[Attached]| -> Vec<String> {
            buses(attached, &here, &Plans::new(), None).into_iter().map(|(name, ..)| name).collect()
        };
        assert_eq!(names(&house()), ["simulated-w1", "simulated-i2c"]);
        assert_eq!(names(&house()[..1]), ["simulated-w1"]);
        assert!(names(&[]).is_empty());
    }
}
