//! The pages of `hardware/` against the drivers: what an operator reads is what the code does.

use std::path::PathBuf;

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;
use maison::sensors::catalog::{Driver, Wiring};
use maison::sensors::i2c::I2cChip;
use maison::sensors::{ds18b20, sht3x, tmp117};
use maison::sim;
use maison::sim::clock::{VirtualClock, VirtualDelay};
use maison::sim::i2c::{I2cDevice, SimI2c};
use maison::units::MilliCelsius;

/// A row of a table "raw → °C"; the temperature in ten-millionths of a degree.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Row {
    raw: u16,
    celsius_e7: i64,
}

impl Row {
    fn thousandths(self) -> MilliCelsius {
        let rounded = (self.celsius_e7 + 5000 * self.celsius_e7.signum()) / 10_000;
        MilliCelsius::new(i32::try_from(rounded).unwrap())
    }

    /// Half a thousandth is what a thousandth can be wrong by.
    #[track_caller]
    fn check(self, read: MilliCelsius) {
        let difference = (i64::from(read.thousandths()) * 10_000 - self.celsius_e7).abs();
        assert!(difference <= 5000, "{:#06x}: {read}", self.raw);
    }
}

fn page(driver: Driver) -> String {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("hardware").join(driver.facts().name).with_extension("md");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The rows below the heading of a page's table.
fn table(driver: Driver) -> Vec<Row> {
    let page = page(driver);
    let (_, section) = page.split_once("## Raw → °C\n").expect("a section `Raw → °C`");
    let (_, rows) = section.split_once("| raw | °C |\n|---|---|\n").expect("a table");
    let rows: Vec<Row> = rows.lines().take_while(|line| line.starts_with('|')).map(row).collect();
    assert!(rows.len() >= 10, "{driver:?}: {} rows", rows.len());
    rows
}

fn row(line: &str) -> Row {
    let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
    let [raw, celsius] = cells[..] else { panic!("two cells: {line}") };
    let digits = raw.trim_matches('`').strip_prefix("0x").expect("a raw value in hexadecimal");
    Row { raw: u16::from_str_radix(digits, 16).unwrap(), celsius_e7: ten_millionths(celsius) }
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
        let [low, high] = row.raw.to_le_bytes();
        let mut scratchpad = [low, high, 0x4b, 0x46, 0x7f, 0xff, 0x10 - (low & 0x0f), 0x10, 0];
        scratchpad[8] = one_wire_bus::crc::crc8(&scratchpad[..8]);
        row.check(ds18b20::decode(0x28, &scratchpad).unwrap().temperature);
    }
}

/// A chip and its driver on a bus of their own; `read_raw` looks at the register behind its back.
#[track_caller]
fn case<C: I2cChip<SimI2c, VirtualDelay>>(
    driver: Driver,
    model: Box<dyn I2cDevice>,
    mut chip: C,
    read_raw: fn(&mut SimI2c, u8, &mut VirtualDelay) -> u16,
) {
    let clock = VirtualClock::new();
    let mut delay = VirtualDelay::new(clock.clone());
    let mut i2c = SimI2c::new(clock, 1);
    let address = driver.facts().addresses[0];
    i2c.attach(address, model);
    delay.delay_ms(10);
    for row in table(driver) {
        i2c.device_mut(address).unwrap().set_temperature(row.thousandths());
        row.check(chip.read(&mut i2c, &mut delay).unwrap().temperature);
        assert_eq!(read_raw(&mut i2c, address, &mut delay), row.raw, "{row:?}");
    }
}

#[test]
fn the_table_of_the_tmp117_holds_through_model_and_driver() {
    let model = sim::tmp117::Tmp117::new(maison::time::Tick::ZERO);
    let chip = tmp117::Tmp117::new(0x48);
    case(Driver::Tmp117, Box::new(model), chip, |i2c, address, _| {
        let mut bytes = [0; 2];
        i2c.write_read(address, &[0x00], &mut bytes).unwrap();
        u16::from_be_bytes(bytes)
    });
}

#[test]
fn the_table_of_the_sht3x_holds_through_model_and_driver() {
    let model = sim::sht3x::Sht3x::new(maison::time::Tick::ZERO);
    let chip = sht3x::Sht3x::new(0x44);
    case(Driver::Sht3x, Box::new(model), chip, |i2c, address, delay| {
        let mut bytes = [0; 6];
        I2c::write(i2c, address, &[0x24, 0x00]).unwrap();
        delay.delay_ms(16);
        I2c::read(i2c, address, &mut bytes).unwrap();
        u16::from_be_bytes([bytes[0], bytes[1]])
    });
}

#[test]
fn every_chip_has_its_page_its_sample_line_and_its_place_in_the_index() {
    let index = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("hardware/README.md");
    let index = std::fs::read_to_string(index).unwrap();
    for driver in Driver::ALL {
        let facts = driver.facts();
        assert!(page(driver).contains(&format!("driver = \"{}\"", facts.name)), "{driver:?}");
        assert!(index.contains(&format!("({}.md)", facts.name)), "{driver:?}");
        assert_eq!(facts.addresses.is_empty(), facts.wiring == Wiring::OneWire, "{driver:?}");
        for address in facts.addresses {
            assert!(page(driver).contains(&format!("{address:#04x}")), "{driver:?} {address:#04x}");
        }
    }
}

/// The names of [`maison::sensors::Fault`] that an operator can meet, each with what to look at.
#[test]
fn every_fault_of_the_index_is_one_that_is_reported() {
    use maison::sensors::Fault;
    let index = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("hardware/README.md");
    let index = std::fs::read_to_string(index).unwrap();
    let (_, section) = index.split_once("## What the faults mean").unwrap();
    for fault in [
        Fault::Absent,
        Fault::Crc,
        Fault::PowerOn,
        Fault::Unpowered,
        Fault::StuckLow,
        Fault::StuckHigh,
        Fault::Garbled,
        Fault::WrongChip,
        Fault::Timeout,
        Fault::Permission,
        Fault::NoBus,
        Fault::Bus,
    ] {
        assert!(section.contains(&format!("`{fault}`")), "`{fault}` is not explained");
    }
}
