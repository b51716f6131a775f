//! The wirings of the catalog: that they can be right, and that tables and drawings of the pages
//! are made of them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use maison::sensors::catalog::{Driver, Wiring};
use maison::sensors::pinout::{self, Line, Net, Part, Pinout, Role, Terminal};

use super::drawing::svg;
use super::pages::{Block, check_block, check_file, page};

/// Pages that are of no driver.
const OTHERS: &[(&str, &str, &Pinout)] = &[
    ("tca9548a", "TCA9548A", &pinout::TCA9548A),
    ("1-wire", "1-Wire", &pinout::ONE_WIRE),
    ("i2c", "I²C", &pinout::I2C),
    ("spi", "SPI", &pinout::SPI),
    ("gpio", "A pin", &pinout::PIN),
];

/// Name of the page, title of the drawing, wiring.
fn wirings() -> impl Iterator<Item = (&'static str, &'static str, &'static Pinout)> {
    let drivers = Driver::ALL.iter().filter_map(|driver| {
        let facts = driver.facts();
        Some((facts.name, facts.parts.split(", ").next()?, facts.pinout?))
    });
    drivers.chain(OTHERS.iter().copied())
}

fn terminal_row(pinout: &Pinout, terminal: &Terminal) -> String {
    let Terminal { number, name, net } = *terminal;
    let number = if number == 0 { String::new() } else { number.to_string() };
    let (to, pin) = match net {
        Net::To(line) => (line.name().to_owned(), pinout.header_pin(line).to_string()),
        Net::Open => ("nothing".to_owned(), String::new()),
        Net::Divider => ("the middle of the divider".to_owned(), String::new()),
        Net::Tmp36 => ("the middle leg of a TMP36".to_owned(), String::new()),
        Net::Like(other) => (format!("as {other}, or nothing"), String::new()),
        Net::Plus => ("plus of the thermocouple".to_owned(), String::new()),
        Net::Minus => ("minus of the thermocouple".to_owned(), String::new()),
        Net::MinusGrounded => ("minus of the thermocouple, and ground".to_owned(), String::new()),
        Net::RtdHigh => ("one end of the resistance".to_owned(), String::new()),
        Net::RtdLow => ("its other end".to_owned(), String::new()),
        Net::BranchSda => ("SDA of the chips behind channel 0".to_owned(), String::new()),
        Net::BranchScl => ("SCL of the chips behind channel 0".to_owned(), String::new()),
    };
    format!("| {number} | {name} | {to} | {pin} |")
}

fn part_row(part: &Part) -> String {
    let between = match part.role {
        Role::PullUp(line) | Role::PullUpOnBoard(line) => format!("{} and 3.3 V", line.name()),
        Role::Decoupling => "3.3 V and ground".to_owned(),
        Role::DividerTop => "3.3 V and the middle of the divider".to_owned(),
        Role::DividerBottom => "the middle of the divider and ground".to_owned(),
        Role::AcrossProbe => "the two wires of the thermocouple".to_owned(),
        Role::PullUpsOfBranch => "each line of a branch and 3.3 V".to_owned(),
    };
    format!("| {} | {between} | {} |", part.value, part.remark)
}

#[test]
fn every_page_says_where_each_pin_goes() {
    for (name, _, pinout) in wirings() {
        let rows: Vec<String> =
            pinout.terminals.iter().map(|terminal| terminal_row(pinout, terminal)).collect();
        let head = "| no. | pin | goes to | header |\n|---|---|---|---|\n";
        check_block(name, "## Wiring", &Block::table(head, &rows));
        let rows: Vec<String> = pinout.parts.iter().map(part_row).collect();
        if !rows.is_empty() {
            let head = "| part | between | |\n|---|---|---|\n";
            check_block(name, "## Wiring", &Block::table(head, &rows));
        }
    }
}

#[test]
fn every_page_shows_its_drawing() {
    for (name, title, pinout) in wirings() {
        check_file(&format!("drawings/{name}.svg"), &svg(title, pinout));
        let link = format!("](drawings/{name}.svg)");
        assert!(page(name).contains(&link), "{name}: the page does not show its drawing");
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("hardware/drawings");
    let drawn: BTreeSet<String> = wirings().map(|(name, ..)| format!("{name}.svg")).collect();
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(drawn.contains(&name), "hardware/drawings/{name} belongs to no wiring");
    }
}

/// The pin numbers of the header stand in the tables; elsewhere they could be others.
#[test]
fn no_page_of_a_chip_counts_pins_in_words() {
    for (name, ..) in wirings() {
        for line in page(name).lines().filter(|line| !line.starts_with('|')) {
            assert!(!line.contains("(pin "), "{name}: {line}");
        }
    }
}

/// Each bus needs its own lines.
fn lines_of(wiring: Wiring) -> Option<&'static [Line]> {
    match wiring {
        Wiring::OneWire | Wiring::Pin => Some(&[Line::Data]),
        Wiring::I2c => Some(&[Line::Sda, Line::Scl]),
        Wiring::Spi => Some(&[Line::Miso, Line::Clock, Line::Select(0)]),
        Wiring::Hwmon | Wiring::Iio | Wiring::Thermal => None,
    }
}

#[test]
fn every_chip_that_is_wired_has_supply_ground_and_the_lines_of_its_bus() {
    for driver in Driver::ALL {
        let facts = driver.facts();
        let Some(needed) = lines_of(facts.wirings[0]) else {
            assert!(facts.pinout.is_none(), "{driver:?} has a wiring and no bus of ours");
            continue;
        };
        let pinout = facts.pinout.unwrap_or_else(|| panic!("{driver:?} has no wiring"));
        let lines: Vec<Line> = pinout.lines().collect();
        for line in needed.iter().chain(&[Line::Supply, Line::Ground]) {
            assert!(lines.contains(line), "{driver:?}: {line:?}");
        }
        let others = lines.iter().filter(|line| !matches!(line, Line::Supply | Line::Ground));
        let once: BTreeSet<&Line> = others.clone().collect();
        assert_eq!(once.len(), others.count(), "{driver:?}: a line goes to two pins");
    }
}

/// Of a package with numbers, none is there twice, and none is missing but further channels.
#[test]
fn every_numbered_pin_of_a_package_is_there_once() {
    for (name, _, pinout) in wirings().filter(|(name, ..)| *name != "tca9548a") {
        let numbers: Vec<u8> = pinout.terminals.iter().map(|terminal| terminal.number).collect();
        let known: BTreeSet<u8> = numbers.iter().copied().collect();
        let expected: BTreeSet<u8> = match known.last() {
            Some(0) => BTreeSet::from([0]),
            Some(&last) => (1..=last).collect(),
            None => BTreeSet::new(),
        };
        assert_eq!(known, expected, "{name}");
        assert!(known.contains(&0) || known.len() == numbers.len(), "{name}: {numbers:?}");
    }
}
