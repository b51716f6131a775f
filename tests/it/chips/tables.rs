//! The tables "raw → °C" of the pages, from the datasheets, against models and drivers.

use maison::sensors::catalog::Driver;
use maison::sensors::ds18b20;
use maison::sim::air::Air;
use maison::units::MilliCelsius;

use super::bench::{Bench, drivers};
use super::pages::page;

/// A row of a table; the temperature in ten-millionths of a degree.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Row {
    raw: u32,
    celsius_e7: i64,
}

impl Row {
    fn thousandths(self) -> MilliCelsius {
        let rounded = (self.celsius_e7 + 5000 * self.celsius_e7.signum()) / 10_000;
        MilliCelsius::new(i32::try_from(rounded).unwrap())
    }

    /// A thousandth is what can be shown, and half a thousandth what it can be wrong by.
    #[track_caller]
    fn check(self, driver: Driver, read: MilliCelsius) {
        let difference = (i64::from(read.thousandths()) * 10_000 - self.celsius_e7).abs();
        assert!(difference <= 5000, "{driver:?}, {:#x}: {read}", self.raw);
    }
}

/// The rows below the heading of a page's table.
fn table(driver: Driver) -> Vec<Row> {
    let page = page(driver.facts().name);
    let (_, section) = page.split_once("## Raw → °C\n").expect("a section `Raw → °C`");
    let (_, rows) = section.split_once("| raw | °C |\n|---|---|\n").expect("a table");
    let rows: Vec<Row> = rows.lines().take_while(|line| line.starts_with('|')).map(row).collect();
    assert!(rows.len() >= 8, "{driver:?}: {} rows", rows.len());
    rows
}

fn row(line: &str) -> Row {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [raw, celsius] = cells[..] else { panic!("two cells: {line}") };
    let digits = raw.trim_matches('`').strip_prefix("0x").expect("a raw value in hexadecimal");
    Row { raw: u32::from_str_radix(digits, 16).unwrap(), celsius_e7: ten_millionths(celsius) }
}

fn ten_millionths(decimal: &str) -> i64 {
    let (whole, fraction) = decimal.split_once('.').unwrap_or((decimal, ""));
    let sign = if whole.starts_with('-') { -1 } else { 1 };
    let whole: i64 = whole.parse().unwrap();
    whole * 10_000_000 + sign * format!("{fraction:0<7}").parse::<i64>().unwrap()
}

#[test]
fn the_table_of_the_ds18b20_is_what_its_scratchpad_means() {
    for row in table(Driver::Ds18b20) {
        let [low, high, ..] = row.raw.to_le_bytes();
        let mut scratchpad = [low, high, 0x4b, 0x46, 0x7f, 0xff, 0x10 - (low & 0x0f), 0x10, 0];
        scratchpad[8] = one_wire_bus::crc::crc8(&scratchpad[..8]);
        row.check(Driver::Ds18b20, ds18b20::decode(0x28, &scratchpad).unwrap().temperature);
    }
}

/// A temperature goes in by thousandths: how many raw values lie within half of one.
fn between(driver: Driver) -> u32 {
    let step = driver.facts().temperature.step_millionths;
    if step > 500 { 0 } else { 500_u32.div_ceil(step) }
}

#[test]
fn every_table_holds_through_model_and_driver() {
    for driver in drivers() {
        let mut bench = Bench::of(driver);
        for row in table(driver) {
            bench.expose(Air { temperature: row.thousandths(), ..Air::default() });
            row.check(driver, bench.read().unwrap().temperature);
            let raw = bench.chip().raw();
            assert!(raw.abs_diff(row.raw) <= between(driver), "{driver:?}: {row:?} {raw:#x}");
        }
    }
}
