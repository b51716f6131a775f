//! Faults of a script: `maison check` takes those that befall something, and no others.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use maison::bus::simulated::{House, Plan, Plans, buses};
use maison::bus::{Attached, Bus, Clock};
use maison::config::{self, Settings, Source};
use maison::sampling::SensorId;
use maison::sensors::catalog::Driver;
use maison::sensors::{Fault, Measurement};
use maison::time::{Tick, Timestamp};

const FAULTS: &[(&str, &str)] = &[
    ("unplugged", ""),
    ("wrong-chip", ""),
    ("power-on", ""),
    ("crc", "share = 1"),
    ("stuck", ""),
    ("drift", "by = 3"),
    ("noise", "by = 3"),
];

const SENSOR: SensorId = SensorId(0);

/// Readings of each sensor, so far apart that any chip is ready again.
const READINGS: u32 = 4;
const APART: Duration = Duration::from_secs(60);

/// A sensor of that driver as the configuration has it, simulated.
fn sensor(driver: Driver) -> String {
    let facts = driver.facts();
    let rest = match facts.name {
        "ds18b20" => "address = \"28-01131e858aef\"",
        "ads1115" => "address = \"0x48:0\"\nthermistor = { beta = 3950 }",
        "mcp3008" => "address = \"spi-0.0:0\"\nthermistor = { beta = 3950 }",
        "max31865" => "rtd = { element = \"pt100\", wires = 4 }",
        "hwmon" | "iio" | "thermal" => "address = \"a\"",
        _ => "",
    };
    format!("[[rooms.a.sensors]]\ndriver = \"{}\"\nbus = \"simulated\"\n{rest}\n", facts.name)
}

fn house(driver: Driver, fault: Option<&(&str, &str)>) -> Result<Settings, String> {
    let script = fault.map_or(String::new(), |(name, keys)| {
        format!("[[simulation.faults]]\nroom = \"a\"\nfault = \"{name}\"\n{keys}\n")
    });
    let text = format!("{}\n{script}", sensor(driver));
    let source = Source { path: "a.toml".into(), text };
    config::parse(&[source]).map_err(|report| report.to_string())
}

/// A clock that shows what it was told.
struct Still(Duration);

impl Clock for Still {
    fn now(&self) -> Tick {
        Tick::ZERO.after(self.0)
    }

    fn wall(&self) -> Timestamp {
        Timestamp::new(1_767_225_600_000 + u64::try_from(self.0.as_millis()).unwrap(), true)
    }
}

/// The bus of the only sensor, so long after the start of a house without noise.
fn bus(driver: Driver, settings: &Settings, passed: Duration) -> Box<dyn Bus> {
    let sensor = &settings.rooms[0].sensors[0];
    let (address, element) = (sensor.address.clone(), sensor.element);
    let attached = Attached { id: SENSOR, driver, address, element };
    let episodes = settings.simulation.faults.iter().map(|(_, episode)| *episode).collect();
    let plans: Plans = BTreeMap::from([(SENSOR, Plan { place: None, episodes })]);
    let clock: Arc<dyn Clock> = Arc::new(Still(passed));
    let mut house = House::new(1, &clock);
    house.is_noisy = false;
    let (_, bus, _) = buses(&[attached], &Arc::new(house), &plans, None).remove(0);
    bus
}

fn read(bus: &mut dyn Bus) -> Result<Measurement, Fault> {
    let mut answer = None;
    bus.read(&[SENSOR], &mut |_, result| answer = Some(result));
    answer.expect("one answer")
}

/// What such a sensor says at some moments. Of two readings the first may be of the moment before.
fn answers(driver: Driver, settings: &Settings) -> Vec<Result<Measurement, Fault>> {
    let second = |reading| {
        let mut bus = bus(driver, settings, APART * reading);
        let _first = read(&mut *bus);
        read(&mut *bus)
    };
    (0..READINGS).map(second).collect()
}

#[test]
fn what_is_taken_befalls_something_and_what_is_refused_would_not() {
    let mut wrong = Vec::new();
    for driver in Driver::ALL {
        let well = answers(*driver, &house(*driver, None).unwrap());
        assert!(well.iter().all(Result::is_ok), "{driver:?}: {well:?}");
        for fault in FAULTS {
            match house(*driver, Some(fault)) {
                Ok(settings) if answers(*driver, &settings) == well => {
                    wrong.push(format!("{driver:?}: {} is taken and befalls nobody", fault.0));
                }
                Ok(_) => {}
                Err(refused) => assert!(refused.contains("has no effect on it"), "{refused}"),
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Its registers are cross-checked: whatever the wires make of them is one trouble.
#[test]
fn wrong_bits_of_a_chip_without_a_checksum_have_one_name() {
    let driver = Driver::Tmp117;
    let settings = house(driver, Some(&("crc", "share = 1"))).unwrap();
    let mut bus = bus(driver, &settings, APART);
    let names = (0..1000).map(|_| read(&mut *bus).err());
    let garbled = names.filter(|name| *name == Some(Fault::Garbled)).count();
    assert!(garbled > 970, "{garbled} of 1000");
}
