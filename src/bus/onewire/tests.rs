use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::sensors::catalog::Driver;
use crate::sim::scratchpad::Resolution;
use crate::sim::sysfs::{Bulk, Condition, Master as SimulatedMaster, Slave, Tree};
use crate::units::MilliCelsius;

use super::*;

const CONVERSION: Duration = Duration::from_millis(750);
const SCRATCHPAD: Duration = Duration::from_millis(13);

/// A tree, the bus that reads it, and the sensors it was configured with: one for each slave.
struct House {
    tree: Arc<Mutex<Tree>>,
    bus: KernelOneWire<Arc<Mutex<Tree>>>,
    sensors: Vec<Attached>,
}

impl House {
    fn new(masters: Vec<SimulatedMaster>) -> Self {
        let slaves: Vec<Slave> = masters.iter().flat_map(|m| m.slaves.clone()).collect();
        let attached = |(index, slave): (usize, &Slave)| Attached {
            id: SensorId(index),
            driver: Driver::Ds18b20,
            address: Address::OneWire(OneWireId { family: slave.family, serial: slave.serial }),
            element: None,
        };
        let sensors: Vec<Attached> = slaves.iter().enumerate().map(attached).collect();
        let tree = Arc::new(Mutex::new(Tree::new(masters)));
        let bus = KernelOneWire::with_files(Arc::clone(&tree), sensors.clone());
        Self { tree, bus, sensors }
    }

    /// One master with slaves of the DS18B20's family at these thousandths of a degree.
    fn of(bulk: Bulk, temperatures: &[i32]) -> Self {
        let slaves =
            (1..).zip(temperatures).map(|(serial, &thousandths)| slave(serial, thousandths));
        Self::new(vec![SimulatedMaster { bulk, slaves: slaves.collect() }])
    }

    fn with(condition: Condition) -> Self {
        Self::new(vec![SimulatedMaster {
            bulk: Bulk::Missing,
            slaves: vec![slave(1, 21_500).but(condition)],
        }])
    }

    /// What these sensors answer, by number; each answers once.
    fn read(&mut self, sensors: &[usize]) -> Vec<Result<i32, Fault>> {
        let asked: Vec<SensorId> = sensors.iter().copied().map(SensorId).collect();
        let mut answers = Vec::new();
        self.bus.read(&asked, &mut |sensor, result| {
            answers.push((sensor, result.map(|measured| measured.temperature.thousandths())));
        });
        let mut sorted = asked.clone();
        sorted.sort();
        answers.sort_by_key(|&(sensor, _)| sensor);
        assert!(answers.iter().map(|&(sensor, _)| sensor).eq(sorted), "{answers:?}");
        answers.into_iter().map(|(_, result)| result).collect()
    }

    fn change(&self, change: impl FnOnce(&mut [SimulatedMaster])) {
        change(self.tree.lock().unwrap().masters_mut());
    }

    fn set(&self, slave: usize, thousandths: i32) {
        self.change(|masters| {
            masters[0].slaves[slave].temperature = MilliCelsius::new(thousandths);
        });
    }

    fn bus_time(&self) -> Duration {
        self.tree.lock().unwrap().bus_time()
    }
}

fn slave(serial: u64, thousandths: i32) -> Slave {
    Slave::new(0x28, serial, MilliCelsius::new(thousandths))
}

#[test]
fn five_thermometers_convert_together() {
    let temperatures = [21_500, -10_125, 85_000, 0, 125_000];
    let mut house = House::of(Bulk::Writable, &temperatures);
    assert_eq!(house.read(&[0, 1, 2, 3, 4]), temperatures.map(Ok));
    assert_eq!(house.bus_time(), CONVERSION + 5 * SCRATCHPAD);
}

#[test]
fn without_permission_each_converts_alone() {
    for bulk in [Bulk::ReadOnly, Bulk::Missing] {
        let mut house = House::of(bulk, &[21_500, 19_000]);
        assert_eq!(house.read(&[0, 1]), [Ok(21_500), Ok(19_000)]);
        assert_eq!(house.bus_time(), 2 * (CONVERSION + SCRATCHPAD));
    }
}

#[test]
fn one_thermometer_needs_no_common_conversion() {
    let mut house = House::of(Bulk::Writable, &[21_500, 19_000]);
    house.read(&[1]);
    house.set(0, 22_000);
    assert_eq!(house.read(&[0]), [Ok(22_000)]);
    assert_eq!(house.bus_time(), 2 * (CONVERSION + SCRATCHPAD));
}

#[test]
fn a_common_conversion_is_not_read_hours_later() {
    let mut house = House::of(Bulk::Writable, &[21_500, 19_000, 5_000]);
    house.read(&[0, 1]);
    house.set(2, 6_000);
    assert_eq!(house.read(&[2]), [Ok(6_000)]);
}

#[test]
fn a_common_conversion_of_someone_else_is_read_and_dropped() {
    let mut house = House::of(Bulk::Writable, &[21_500, 19_000]);
    let trigger = format!("{DEVICES}/w1_bus_master1/therm_bulk_read");
    house.bus.files.write(&trigger, TRIGGER).unwrap();
    house.change(|masters| masters[0].bulk = Bulk::ReadOnly);
    house.set(0, 22_000);
    house.set(1, 20_000);
    assert_eq!(house.read(&[1]), [Ok(20_000)]);
    assert_eq!(house.read(&[0, 1]), [Ok(22_000), Ok(20_000)]);
}

#[test]
fn a_conversion_of_someone_else_in_progress_is_no_bad_checksum() {
    let mut house = House::of(Bulk::Running, &[21_500, 19_000]);
    assert_eq!(house.read(&[0, 1]), [Err(Fault::Timeout), Err(Fault::Timeout)]);
}

#[test]
fn a_ds28ea00_converts_alone_whatever_waits_in_others() {
    let loner = Slave::new(0x42, 1, MilliCelsius::new(21_500));
    let slaves = vec![slave(1, 19_000), slave(2, 20_000), slave(3, 5_000), loner];
    let mut house = House::new(vec![SimulatedMaster { bulk: Bulk::Writable, slaves }]);
    house.read(&[0, 1]);
    let before = house.bus_time();
    assert_eq!(house.read(&[3]), [Ok(21_500)]);
    assert_eq!(house.bus_time(), before + CONVERSION + SCRATCHPAD);
}

#[test]
fn each_master_converts_for_its_own() {
    let master = |first| SimulatedMaster {
        bulk: Bulk::Writable,
        slaves: vec![slave(first, 21_500), slave(first + 1, 19_000)],
    };
    let mut house = House::new(vec![master(1), master(3)]);
    assert_eq!(house.read(&[3, 0, 2, 1]), [Ok(21_500), Ok(19_000), Ok(21_500), Ok(19_000)]);
    assert_eq!(house.bus_time(), 2 * (CONVERSION + 2 * SCRATCHPAD));
}

#[test]
fn every_failure_of_the_kernels_driver_has_its_name() {
    let table = [
        (Condition::Sound, Ok(21_500)),
        (Condition::Restarting, Err(Fault::PowerOn)),
        (Condition::Silent, Err(Fault::Crc)),
        (Condition::Noisy, Err(Fault::Crc)),
        (Condition::Shorted, Err(Fault::StuckLow)),
        (Condition::Floating, Err(Fault::StuckHigh)),
        (Condition::Denied, Err(Fault::Permission)),
        (Condition::Broken, Err(Fault::Bus)),
    ];
    for (condition, expected) in table {
        assert_eq!(House::with(condition).read(&[0]), [expected], "{condition:?}");
    }
}

#[test]
fn a_restart_shows_after_a_common_conversion_too() {
    let mut house = House::of(Bulk::Writable, &[21_500, 19_000]);
    house.change(|masters| masters[0].slaves[1].condition = Condition::Restarting);
    assert_eq!(house.read(&[0, 1]), [Ok(21_500), Err(Fault::PowerOn)]);
}

#[test]
fn what_is_not_there_is_absent_and_a_machine_without_1_wire_has_no_bus() {
    let mut house = House::of(Bulk::Writable, &[21_500, 19_000]);
    house.change(|masters| masters[0].slaves.truncate(1));
    assert_eq!(house.read(&[0, 1]), [Ok(21_500), Err(Fault::Absent)]);
    assert_eq!(house.read(&[7]), [Err(Fault::Absent)], "not configured");
    *house.tree.lock().unwrap() = Tree::without_bus();
    assert_eq!(house.read(&[0, 1]), [Err(Fault::NoBus), Err(Fault::NoBus)]);
}

#[test]
fn a_thermometer_plugged_in_elsewhere_is_found() {
    let empty = SimulatedMaster { bulk: Bulk::Missing, slaves: Vec::new() };
    let full = SimulatedMaster { slaves: vec![slave(1, 21_500)], ..empty.clone() };
    let mut house = House::new(vec![full, empty]);
    assert_eq!(house.read(&[0]), [Ok(21_500)]);
    house.change(|masters| {
        let slave = masters[0].slaves.pop().unwrap();
        masters[1].slaves.push(slave);
    });
    assert_eq!(house.read(&[0]), [Ok(21_500)]);
}

#[test]
fn every_family_and_resolution_is_read() {
    for family in crate::sim::scratchpad::FAMILIES {
        for resolution in Resolution::ALL {
            let mut slave = Slave::new(family, 1, MilliCelsius::new(-10_500));
            slave.resolution = resolution;
            let mut house =
                House::new(vec![SimulatedMaster { bulk: Bulk::Missing, slaves: vec![slave] }]);
            assert_eq!(house.read(&[0]), [Ok(-10_500)], "{family:02x} {resolution:?}");
        }
    }
}

#[test]
fn sensors_are_grouped_by_master_and_the_lost_go_with_the_first() {
    let master =
        |serial| SimulatedMaster { bulk: Bulk::Missing, slaves: vec![slave(serial, 21_500)] };
    let mut house = House::new(vec![master(1), master(2), master(3)]);
    let all: Vec<Attached> = house.sensors.iter().rev().cloned().collect();
    // Their places in `all`, by group.
    let groups = |house: &mut House| -> Vec<Vec<usize>> {
        let place = |sensor: &Attached| all.iter().position(|one| one == sensor).unwrap();
        let groups = group_by_master(&mut house.tree, &all);
        groups.iter().map(|group| group.iter().map(place).collect()).collect()
    };
    assert_eq!(groups(&mut house), [[2], [1], [0]]);
    house.change(|masters| masters[1].slaves.clear());
    assert_eq!(groups(&mut house), [vec![2, 1], vec![0]]);
    house.change(|masters| masters[0].slaves.clear());
    assert_eq!(groups(&mut house), [[0, 1, 2]]);
    *house.tree.lock().unwrap() = Tree::without_bus();
    assert_eq!(groups(&mut house), [[0, 1, 2]]);
    assert_eq!(group_by_master(&mut house.tree, &[]), Vec::<Vec<Attached>>::new());
}

#[test]
fn a_tree_without_masters_is_read() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join(DEVICES).join("28-01131e858aef");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("w1_slave"), "72 01 4b 46 7f ff 0e 10 57 : crc=57 YES\n").unwrap();
    let id = SensorId(5);
    let address = Address::OneWire("28-01131e858aef".parse().unwrap());
    let sensor = Attached { id, driver: Driver::Ds18b20, address, element: None };
    let mut bus = KernelOneWire::new(root.path(), vec![sensor]);
    let mut answers = Vec::new();
    bus.read(&[id], &mut |sensor, result| answers.push((sensor, result)));
    let temperature = MilliCelsius::new(23_125);
    assert_eq!(answers, [(id, Ok(Measurement::of(temperature)))]);
}

#[track_caller]
fn check(text: &str, expected: Result<i32, Fault>) {
    let measured = measurement(0x28, text.as_bytes());
    assert_eq!(measured.map(|measured| measured.temperature.thousandths()), expected, "{text}");
}

#[test]
fn only_the_first_line_of_w1_slave_counts() {
    let bytes = "72 01 4b 46 7f ff 0e 10 57";
    check(&format!("{bytes} : crc=57 YES\n{bytes} t=23125\n"), Ok(23_125));
    check(&format!("{bytes} : crc=57 YES\n{bytes} t=85000\n"), Ok(23_125));
    check(&format!("{bytes} : crc=57 YES"), Ok(23_125));
    check(&format!("{bytes} : crc=57 NO\n{bytes} t=23125\n"), Err(Fault::Crc));
    check("73 01 4b 46 7f ff 0e 10 57 : crc=57 YES\n", Err(Fault::Crc));
    check("", Err(Fault::Crc));
}

#[test]
fn what_is_no_w1_slave_is_garbled() {
    let bytes = "72 01 4b 46 7f ff 0e 10";
    check("\n", Err(Fault::Garbled));
    check("23125\n", Err(Fault::Garbled));
    check(&format!("{bytes} : crc=57 YES\n"), Err(Fault::Garbled));
    check(&format!("{bytes} 57 57 : crc=57 YES\n"), Err(Fault::Garbled));
    check(&format!("{bytes} 57 : crc=57\n"), Err(Fault::Garbled));
    check(&format!("{bytes} 57 : crc=57 MAYBE\n"), Err(Fault::Garbled));
    check(&format!("{bytes} 057 : crc=57 YES\n"), Err(Fault::Garbled));
    check(&format!("{bytes} é7 : crc=57 YES\n"), Err(Fault::Garbled));
    assert!(measurement(0x28, &[0xFF, 0xFE, 0x00]).is_err());
}
