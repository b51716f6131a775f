//! The recorded trees of `tests/trees`, through the bus that reads the kernel's files: they are
//! what the model makes of these houses, file by file, and read as what they were made from.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use maison::bus::onewire::{KernelOneWire, discover_masters};
use maison::bus::{Attached, Bus};
use maison::sampling::SensorId;
use maison::sensors::catalog::Driver;
use maison::sensors::{Address, Fault, OneWireId};
use maison::sim::sysfs::{Bulk, Condition, Entry, Master, Slave, Tree};
use maison::units::MilliCelsius;

fn root(tree: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/trees").join(tree)
}

/// Three rooms; the second thermometer restarts whenever it should convert.
fn house() -> Tree {
    let slaves = vec![
        slave(0x28, 0x0113_1e85_8aef, 21_437),
        slave(0x28, 0x0316_a279_4dff, 19_000).but(Condition::Restarting),
        slave(0x28, 0x3c01_d607_5f12, -10_125),
    ];
    Tree::new(vec![Master { bulk: Bulk::ReadOnly, slaves }])
}

/// One thermometer for each way to fail.
fn faults() -> Tree {
    let conditions = [
        Condition::Silent,
        Condition::Noisy,
        Condition::Shorted,
        Condition::Floating,
        Condition::Restarting,
        Condition::Broken,
    ];
    let slaves =
        (1..).zip(conditions).map(|(serial, condition)| slave(0x28, serial, 21_500).but(condition));
    Tree::new(vec![Master { bulk: Bulk::Missing, slaves: slaves.collect() }])
}

/// Two buses, and a thermometer of each family.
fn families() -> Tree {
    let first = vec![slave(0x10, 1, -500), slave(0x28, 1, 25_063), slave(0x42, 1, 125_000)];
    let second = vec![slave(0x22, 1, -55_000), slave(0x3b, 1, 0)];
    Tree::new(vec![
        Master { bulk: Bulk::ReadOnly, slaves: first },
        Master { bulk: Bulk::Missing, slaves: second },
    ])
}

fn slave(family: u8, serial: u64, thousandths: i32) -> Slave {
    Slave::new(family, serial, MilliCelsius::new(thousandths))
}

fn attached(ids: &[&str]) -> Vec<Attached> {
    let sensor = |(index, id): (usize, &&str)| Attached {
        id: SensorId(index),
        driver: Driver::Ds18b20,
        address: Address::OneWire(id.parse::<OneWireId>().expect("a number in this file")),
        element: None,
    };
    ids.iter().enumerate().map(sensor).collect()
}

/// What the thermometers answer, in thousandths of a degree.
fn read(root: &Path, ids: &[&str]) -> Vec<Result<i32, Fault>> {
    let sensors = attached(ids);
    let asked: Vec<SensorId> = sensors.iter().map(|sensor| sensor.id).collect();
    let mut answers = Vec::new();
    KernelOneWire::new(root, sensors).read(&asked, &mut |sensor, result| {
        answers.push((sensor, result.map(|measured| measured.temperature.thousandths())));
    });
    answers.sort_by_key(|&(sensor, _)| sensor);
    answers.into_iter().map(|(_, result)| result).collect()
}

/// Every file and link below `folder`, by its path from `root`.
fn paths(root: &Path, folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        if entry.file_type().expect("its type").is_dir() {
            paths(root, &entry.path(), found);
        } else {
            let path = entry.path();
            let below = path.strip_prefix(root).expect("below the root");
            found.insert(below.to_str().expect("a plain name").to_owned());
        }
    }
}

#[track_caller]
fn check_recorded(name: &str, tree: &mut Tree) {
    let root = root(name);
    let mut expected = BTreeSet::new();
    for entry in tree.entries() {
        match entry {
            Entry::File(path, bytes) => {
                assert_eq!(fs::read(root.join(&path)).ok(), Some(bytes), "{path}");
                expected.insert(path);
            }
            Entry::Link(path, target) => {
                let link = fs::read_link(root.join(&path)).ok();
                assert_eq!(link, Some(PathBuf::from(target)), "{path}");
                expected.insert(path);
            }
        }
    }
    let mut found = BTreeSet::new();
    paths(&root, &root, &mut found);
    assert_eq!(found, expected);
}

#[test]
fn recorded_trees_are_what_the_model_shows() {
    check_recorded("house", &mut house());
    check_recorded("faults", &mut faults());
    check_recorded("families", &mut families());
}

#[test]
fn a_house_is_read_and_left_as_it_was() {
    let ids = ["28-01131e858aef", "28-0316a2794dff", "28-3c01d6075f12", "28-000000000000"];
    let expected = [Ok(21_438), Err(Fault::PowerOn), Ok(-10_125), Err(Fault::Absent)];
    assert_eq!(read(&root("house"), &ids), expected);
    check_recorded("house", &mut house());
}

#[test]
fn each_fault_has_its_name() {
    let ids = [1, 2, 3, 4, 5, 6].map(|serial| format!("28-{serial:012x}"));
    let expected = [
        Err(Fault::Crc),
        Err(Fault::Crc),
        Err(Fault::StuckLow),
        Err(Fault::StuckHigh),
        Err(Fault::PowerOn),
        Err(Fault::Absent),
    ];
    assert_eq!(read(&root("faults"), &ids.each_ref().map(String::as_str)), expected);
}

#[test]
fn families_on_two_buses_are_read() {
    let ids = ["10", "28", "42", "22", "3b"].map(|family| format!("{family}-000000000001"));
    let ids = ids.each_ref().map(String::as_str);
    let expected = [Ok(-500), Ok(25_063), Ok(125_000), Ok(-55_000), Ok(0)];
    assert_eq!(read(&root("families"), &ids), expected);
    let groups = discover_masters(&root("families"), &attached(&ids));
    let sizes: Vec<usize> = groups.iter().map(Vec::len).collect();
    assert_eq!(sizes, [3, 2]);
}

#[test]
fn a_tree_of_links_to_nowhere_has_no_bus() {
    assert_eq!(read(&root("no-such-tree"), &["28-01131e858aef"]), [Err(Fault::NoBus)]);
}
