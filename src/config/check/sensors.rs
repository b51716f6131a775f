//! `[[rooms.*.sensors]]`: which chip, on which bus, at which address.

use super::{address, element, kernel, one_of, sampling};
use crate::config::complaint::{Complaint, Complaints};
use crate::config::schema;
use crate::config::suggestion::nearest;
use crate::config::written::{At, Field};
use crate::config::{Bus, Sensor};
use crate::sensors::Address;
use crate::sensors::catalog::{Driver, Wiring};

/// Highest GPIO of the 40-pin header, by its BCM number.
const GPIO_MAX: u8 = 27;

const BUSES: &str = "there are `w1`, `gpio4` (any pin), `i2c-1` (any number), `spi-0.0` (bus and \
                     chip select), `hwmon`, `iio`, `thermal`, `simulated`";

/// A sensor; `None` if its chip, bus or address is not known, which has been complained about.
pub(super) fn sensor(at: &At<schema::Sensor>, complaints: &mut Complaints) -> Option<Sensor> {
    let written = &at.value;
    let driver = driver(at, complaints);
    let bus = bus(at, complaints);
    let sampling = sampling::sampling(written, driver, complaints);
    let element = driver.map(|driver| element::element(at, driver, complaints));
    let wiring = driver.and_then(|driver| wiring(at, bus, driver, complaints));
    let address = driver.zip(wiring);
    let address =
        address.and_then(|(driver, wiring)| place_on_bus(at, bus, driver, wiring, complaints));
    Some(Sensor {
        driver: driver?,
        bus: bus?,
        address: address?,
        element: element.flatten(),
        sampling,
    })
}

fn driver(at: &At<schema::Sensor>, complaints: &mut Complaints) -> Option<Driver> {
    let names = || Driver::ALL.iter().map(|driver| driver.facts().name);
    let hint = one_of("", names);
    let name = at.value.driver.required("driver", at.place, &hint, complaints)?;
    let driver = Driver::from_name(&name.value);
    if driver.is_none() {
        let complaint = Complaint::value(name.place, "unknown sensor driver").found(&name.value);
        complaints.push(complaint.hint(one_of(&name.value, names)));
    }
    driver
}

fn bus(at: &At<schema::Sensor>, complaints: &mut Complaints) -> Option<Bus> {
    let name = at.value.bus.required("bus", at.place, BUSES, complaints)?;
    let bus = parse_bus(&name.value);
    if bus.is_none() {
        let hint = likely_bus(&name.value)
            .map_or(BUSES.to_owned(), |likely| format!("did you mean `{likely}`?"));
        let complaint = Complaint::value(name.place, "unknown bus").found(&name.value);
        complaints.push(complaint.hint(hint));
    }
    bus
}

fn parse_bus(name: &str) -> Option<Bus> {
    let bus = match name {
        "w1" => Bus::Kernel1Wire,
        "hwmon" => Bus::Hwmon,
        "iio" => Bus::Iio,
        "thermal" => Bus::Thermal,
        "simulated" => Bus::Simulated,
        _ => numbered_bus(name)?,
    };
    // One spelling for one bus: `gpio04` and `i2c-+1` parse as well.
    (bus.to_string() == name).then_some(bus)
}

fn numbered_bus(name: &str) -> Option<Bus> {
    if let Some(pin) = name.strip_prefix("gpio") {
        return pin.parse().ok().filter(|pin| *pin <= GPIO_MAX).map(Bus::Gpio);
    }
    if let Some(number) = name.strip_prefix("i2c-") {
        return number.parse().ok().map(Bus::I2c);
    }
    let (bus, select) = name.strip_prefix("spi-")?.split_once('.')?;
    Some(Bus::Spi { bus: bus.parse().ok()?, select: select.parse().ok()? })
}

fn likely_bus(name: &str) -> Option<Bus> {
    let name = name.trim().trim_start_matches("/dev/").to_lowercase();
    let number = name.trim_start_matches(|letter: char| !letter.is_ascii_digit());
    let number = if name.starts_with("i2c") { name.get(3..)? } else { number };
    if let Some(numbers) = name.strip_prefix("spidev").or(name.strip_prefix("spi")) {
        return numbered_bus(&format!("spi-{}", numbers.trim_start_matches(['-', '_', ' '])));
    }
    let digits: u8 =
        number.trim_start_matches(['-', '_', ' ', '+']).parse().ok().unwrap_or(u8::MAX);
    let canonical = match name.as_str() {
        "1-wire" | "1wire" | "onewire" | "w1_bus_master1" => "w1".to_owned(),
        _ if name.starts_with("gpio") || name.starts_with("pin") => format!("gpio{digits}"),
        _ if name.starts_with("i2c") && digits < u8::MAX => format!("i2c-{digits}"),
        _ => nearest(&name, ["w1", "hwmon", "iio", "thermal", "simulated"])?.to_owned(),
    };
    parse_bus(&canonical)
}

/// How the chip hangs on its bus. On an unknown or a simulated bus: as it usually does.
fn wiring(
    at: &At<schema::Sensor>,
    bus: Option<Bus>,
    driver: Driver,
    complaints: &mut Complaints,
) -> Option<Wiring> {
    let facts = driver.facts();
    let fits = |wiring: &&Wiring| bus.is_none_or(|bus| carries(bus, **wiring));
    if let Some(wiring) = facts.wirings.iter().find(fits) {
        return Some(*wiring);
    }
    let (name, place) = (facts.name, at.value.bus.given().map(|bus| bus.place));
    let buses: Vec<String> = facts.wirings.iter().map(|it| hint(*it)).collect();
    let complaint = Complaint::shape(place?, format!("`{name}` does not hang on this bus"));
    let found = bus.map(|bus| bus.to_string()).unwrap_or_default();
    let chip = format!("`{name}` is a chip for {}", buses.join(", or "));
    complaints.push(complaint.found(found).hint(chip));
    None
}

fn carries(bus: Bus, wiring: Wiring) -> bool {
    match (bus, wiring) {
        (Bus::Simulated, _) => true,
        (Bus::Kernel1Wire, wiring) => wiring == Wiring::OneWire,
        (Bus::Gpio(_), wiring) => matches!(wiring, Wiring::OneWire | Wiring::Pin),
        (Bus::I2c(_), wiring) => wiring == Wiring::I2c,
        (Bus::Spi { .. }, wiring) => wiring == Wiring::Spi,
        (Bus::Hwmon, wiring) => wiring == Wiring::Hwmon,
        (Bus::Iio, wiring) => wiring == Wiring::Iio,
        (Bus::Thermal, wiring) => wiring == Wiring::Thermal,
    }
}

fn hint(wiring: Wiring) -> String {
    let examples = match wiring {
        Wiring::OneWire => "`w1`, or `gpio4` for a pin",
        Wiring::Pin => "`gpio4`",
        Wiring::I2c => "`i2c-1`",
        Wiring::Spi => "`spi-0.0`",
        Wiring::Hwmon => "`hwmon`",
        Wiring::Iio => "`iio`",
        Wiring::Thermal => "`thermal`",
    };
    format!("{}: {examples}", wiring.title())
}

fn place_on_bus(
    at: &At<schema::Sensor>,
    bus: Option<Bus>,
    driver: Driver,
    wiring: Wiring,
    complaints: &mut Complaints,
) -> Option<Address> {
    let (field, facts) = (&at.value.address, driver.facts());
    match (wiring, facts.addresses) {
        (Wiring::I2c, [usual, ..]) if matches!(field, Field::Absent) && facts.inputs == 0 => {
            Some(Address::i2c(*usual))
        }
        (Wiring::I2c, _) => {
            let hint = "the chip and its input: `0x48:0`";
            let written = field.required("address", at.place, hint, complaints)?;
            address::i2c(written, driver, complaints)
        }
        (Wiring::Hwmon | Wiring::Iio | Wiring::Thermal, _) => {
            kernel::device(at, driver, wiring, complaints)
        }
        (Wiring::Pin, _) => address::pin(at, bus, driver, complaints),
        (Wiring::Spi, _) => address::spi(at, bus, driver, complaints),
        (Wiring::OneWire, _) => {
            let hint = "as the kernel names it: `ls /sys/bus/w1/devices`";
            let written = field.required("address", at.place, hint, complaints)?;
            address::one_wire(written, driver, complaints)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &str, expected: Result<Bus, Option<Bus>>) {
        assert_eq!(parse_bus(name).ok_or_else(|| likely_bus(name)), expected, "{name}");
    }

    #[test]
    fn buses_have_one_spelling_and_others_are_understood_as_suggestions() {
        check("w1", Ok(Bus::Kernel1Wire));
        check("gpio4", Ok(Bus::Gpio(4)));
        check("gpio27", Ok(Bus::Gpio(27)));
        check("i2c-1", Ok(Bus::I2c(1)));
        check("i2c-255", Ok(Bus::I2c(255)));
        check("simulated", Ok(Bus::Simulated));
        check("gpio28", Err(None));
        check("gpio04", Err(Some(Bus::Gpio(4))));
        check("GPIO 4", Err(Some(Bus::Gpio(4))));
        check("gpio", Err(None));
        check("i2c1", Err(Some(Bus::I2c(1))));
        check("/dev/i2c-1", Err(Some(Bus::I2c(1))));
        check("i2c-+1", Err(Some(Bus::I2c(1))));
        check("i2c-256", Err(None));
        check("i2c", Err(None));
        check("1-wire", Err(Some(Bus::Kernel1Wire)));
        check("W1", Err(Some(Bus::Kernel1Wire)));
        check("simulate", Err(Some(Bus::Simulated)));
        check("spi-0.0", Ok(Bus::Spi { bus: 0, select: 0 }));
        check("spi-1.2", Ok(Bus::Spi { bus: 1, select: 2 }));
        check("/dev/spidev0.1", Err(Some(Bus::Spi { bus: 0, select: 1 })));
        check("SPI0.1", Err(Some(Bus::Spi { bus: 0, select: 1 })));
        check("spi-0", Err(None));
        check("spi-0.01", Err(Some(Bus::Spi { bus: 0, select: 1 })));
        check("", Err(None));
    }
}
