//! `address` of a sensor.

use std::ops::RangeInclusive;

use crate::config::Bus;
use crate::config::complaint::{Complaint, Complaints};
use crate::config::schema;
use crate::config::suggestion::listed;
use crate::config::written::{At, Field};
use crate::sensors::catalog::Driver;
use crate::sensors::{Address, Gate, I2cAddress, OneWireId, SpiAddress};

/// Family codes of the thermometers that the kernel's driver names: DS18S20, DS1822, DS18B20,
/// DS1825, DS28EA00.
const DS18B20_FAMILIES: [u8; 5] = [0x10, 0x22, 0x28, 0x3b, 0x42];

/// Hexadecimal digits of a serial number.
const SERIAL_DIGITS: usize = 12;

/// Addresses that a TCA9548A can have, by its pins A0 to A2, and the channels it has.
const MULTIPLEXERS: RangeInclusive<u8> = 0x70..=0x77;
const CHANNELS: u8 = 8;

const ONE_WIRE_HINT: &str =
    "family, hyphen and twelve hexadecimal digits, as `ls /sys/bus/w1/devices` shows";

/// An address on 1-Wire, in the kernel's notation: `28-01131e858aef`.
pub(super) fn one_wire(
    at: &At<schema::Address>,
    driver: Driver,
    complaints: &mut Complaints,
) -> Option<Address> {
    let text = match &at.value {
        schema::Address::Text(text) => text.clone(),
        schema::Address::Number(number) => number.to_string(),
    };
    let Some(id) = kernel_name(&text) else {
        let complaint = Complaint::value(at.place, "not a 1-Wire address").found(&text);
        complaints.push(complaint.hint(likely_name(&text).unwrap_or(ONE_WIRE_HINT.to_owned())));
        return None;
    };
    if !DS18B20_FAMILIES.contains(&id.family) {
        let families = DS18B20_FAMILIES.map(|family| format!("{family:02x}"));
        let name = driver.facts().name;
        let families = listed(families.iter().map(String::as_str));
        let complaint = Complaint::value(at.place, "1-Wire device of another family");
        complaints.push(complaint.found(&text).hint(format!("`{name}` reads {families}")));
        return None;
    }
    Some(Address::OneWire(id))
}

fn kernel_name(text: &str) -> Option<OneWireId> {
    let (family, serial) = text.split_once('-')?;
    if family.len() != 2 || serial.len() != SERIAL_DIGITS {
        return None;
    }
    Some(OneWireId { family: hexadecimal(family)?, serial: hexadecimal(serial)? })
}

/// Signs are no digits, though the standard library takes them.
fn hexadecimal<T: TryFrom<u64>>(text: &str) -> Option<T> {
    let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    u64::from_str_radix(text, 16).ok().filter(|_| digits).and_then(|value| T::try_from(value).ok())
}

/// The kernel's name for an address in another notation: the kernel writes the serial number from
/// its highest byte, while owfs and the ROM itself start with the lowest.
fn likely_name(text: &str) -> Option<String> {
    let last = text.rsplit('/').next().unwrap_or_default();
    let digits: String = last.chars().filter(|letter| !".:- ".contains(*letter)).collect();
    let bytes = bytes(&digits)?;
    let known = |family: &u8| DS18B20_FAMILIES.contains(family);
    match bytes.as_slice() {
        [family, serial @ ..] if serial.len() == 6 => {
            let (same, reversed) = (named(*family, serial), named(*family, &reverse(serial)));
            Some(if last.contains('.') {
                format!("did you mean `{same}`? if this is owfs's notation: `{reversed}`")
            } else {
                format!("did you mean `{same}`?")
            })
        }
        [family, serial @ .., _crc] if serial.len() == 6 && known(family) => {
            Some(format!("did you mean `{}`?", named(*family, &reverse(serial))))
        }
        [_crc, serial @ .., family] if serial.len() == 6 && known(family) => {
            Some(format!("did you mean `{}`?", named(*family, serial)))
        }
        _ => None,
    }
}

fn bytes(digits: &str) -> Option<Vec<u8>> {
    if digits.len() > 16 || !digits.len().is_multiple_of(2) {
        return None;
    }
    (0..digits.len()).step_by(2).map(|at| hexadecimal(digits.get(at..at + 2)?)).collect()
}

fn reverse(serial: &[u8]) -> Vec<u8> {
    serial.iter().rev().copied().collect()
}

fn named(family: u8, serial: &[u8]) -> String {
    let serial = serial.iter().fold(0_u64, |serial, byte| serial << 8 | u64::from(*byte));
    OneWireId { family, serial }.to_string()
}

/// An address on I²C: `0x48` as a number or as a text, and as a text the way to it: `0x70:3/0x48`
/// behind a multiplexer, `0x48:1` for an input.
pub(super) fn i2c(
    at: &At<schema::Address>,
    driver: Driver,
    complaints: &mut Complaints,
) -> Option<Address> {
    let facts = driver.facts();
    let (address, written) = match &at.value {
        schema::Address::Number(number) => {
            (u8::try_from(*number).ok().map(I2cAddress::of), format!("{number:#04x}"))
        }
        schema::Address::Text(text) => (i2c_path(text), text.clone()),
    };
    let mut fault = |what: String, hint: String| {
        let complaint = Complaint::value(at.place, what);
        complaints.push(complaint.found(&written).hint(hint));
        None
    };
    let name = facts.name;
    let Some(address) = address.filter(|address| facts.addresses.contains(&address.chip)) else {
        let known = facts.addresses.iter().map(|known| format!("{known:#04x}"));
        let known: Vec<String> = known.collect();
        let known = listed(known.iter().map(String::as_str));
        let hint = format!("`{name}` can be at {known}; behind a multiplexer as `0x70:3/0x…`");
        return fault(format!("not an address of `{name}`"), hint);
    };
    if address.behind.is_some_and(|gate| gate.multiplexer == address.chip) {
        return fault(
            "a chip at the address of its multiplexer".to_owned(),
            "both would answer: set the pins A0 to A2 of the multiplexer otherwise".to_owned(),
        );
    }
    match (address.input, facts.inputs) {
        (None, 0) => Some(Address::I2c(address)),
        (Some(input), inputs) if input < inputs => Some(Address::I2c(address)),
        (Some(_), 0) => fault(
            format!("`{name}` has no inputs"),
            format!("write `{}`", I2cAddress { input: None, ..address }),
        ),
        (_, inputs) => {
            let input = |input| I2cAddress { input: Some(input), ..address };
            let hint = format!("from `{}` to `{}`", input(0), input(inputs - 1));
            fault(format!("an input of `{name}` is needed"), hint)
        }
    }
}

/// A chip on a pin of its own. Its bus says where it is; a simulated one has a number of its own,
/// as `gpio4`.
pub(super) fn pin(
    at: &At<schema::Sensor>,
    bus: Option<Bus>,
    driver: Driver,
    complaints: &mut Complaints,
) -> Option<Address> {
    let written = at.value.address.given();
    match (bus?, written.map(|written| &written.value)) {
        (Bus::Gpio(pin), None) => Some(Address::Pin(pin)),
        (Bus::Simulated, None) => Some(Address::Pin(SIMULATED_PIN)),
        (Bus::Simulated, Some(schema::Address::Text(text))) if pin_number(text).is_some() => {
            pin_number(text).map(Address::Pin)
        }
        (bus, _) => {
            let hint = match bus {
                Bus::Simulated => "a pin by its BCM number: `gpio4`",
                _ => "the bus says where it is: leave it out",
            };
            let place = written.map_or(at.place, |written| written.place);
            let what = format!("`{}` has no address", driver.facts().name);
            complaints.push(Complaint::value(place, what).hint(hint));
            None
        }
    }
}

/// The usual one.
const SIMULATED_PIN: u8 = 4;

fn pin_number(text: &str) -> Option<u8> {
    let pin: u8 = text.strip_prefix("gpio")?.parse().ok()?;
    (Address::Pin(pin).to_string() == text).then_some(pin)
}

/// A chip on SPI. Its bus says where it is, so that `address` is the number of an input, where it
/// has some; a simulated bus has no number, and the address is all of it: `spi-0.1:3`.
pub(super) fn spi(
    at: &At<schema::Sensor>,
    bus: Option<Bus>,
    driver: Driver,
    complaints: &mut Complaints,
) -> Option<Address> {
    let (field, facts) = (&at.value.address, driver.facts());
    let mut address = match bus? {
        Bus::Spi { bus, select } => SpiAddress { bus, select, input: None },
        _ => SpiAddress { bus: 0, select: 0, input: None },
    };
    let range = format!("`{}` has inputs 0 to {}", facts.name, facts.inputs.saturating_sub(1));
    let written = match (field, facts.inputs) {
        (Field::Absent, 0) => return Some(Address::Spi(address)),
        _ => field.required("address", at.place, &range, complaints)?,
    };
    let found = match &written.value {
        schema::Address::Number(number) => {
            address.input = u8::try_from(*number).ok();
            address.input.map(|_| address)
        }
        schema::Address::Text(text) if bus == Some(Bus::Simulated) => spi_path(text),
        schema::Address::Text(_) => None,
    };
    let fits = |address: &SpiAddress| match address.input {
        Some(input) => input < facts.inputs,
        None => facts.inputs == 0,
    };
    let shown = match &written.value {
        schema::Address::Number(number) => number.to_string(),
        schema::Address::Text(text) => text.clone(),
    };
    let Some(address) = found.filter(fits) else {
        let hint = match facts.inputs {
            0 => format!("`{}` has no inputs: leave it out", facts.name),
            _ => range,
        };
        let what = format!("not an input of `{}`", facts.name);
        let complaint = Complaint::value(written.place, what);
        complaints.push(complaint.found(shown).hint(hint));
        return None;
    };
    Some(Address::Spi(address))
}

/// `spi-0.1`, `spi-0.1:3`.
fn spi_path(text: &str) -> Option<SpiAddress> {
    let (chip, input) = match text.split_once(':') {
        Some((chip, input)) => (chip, Some(one_digit(input)?)),
        None => (text, None),
    };
    let (bus, select) = chip.strip_prefix("spi-")?.split_once('.')?;
    let address = SpiAddress { bus: bus.parse().ok()?, select: select.parse().ok()?, input };
    (address.to_string() == text).then_some(address)
}

/// `0x48`, `0x48:1`, `0x70:3/0x48`, `0x70:3/0x48:1`.
fn i2c_path(text: &str) -> Option<I2cAddress> {
    let (gate, chip) = match text.split_once('/') {
        Some((gate, chip)) => (Some(gate), chip),
        None => (None, text),
    };
    let behind = match gate {
        Some(gate) => {
            let (multiplexer, channel) = gate.split_once(':')?;
            let (multiplexer, channel) = (i2c_number(multiplexer)?, one_digit(channel)?);
            let fits = MULTIPLEXERS.contains(&multiplexer) && channel < CHANNELS;
            Some(fits.then_some(Gate { multiplexer, channel })?)
        }
        None => None,
    };
    let (chip, input) = match chip.split_once(':') {
        Some((chip, input)) => (chip, Some(one_digit(input)?)),
        None => (chip, None),
    };
    Some(I2cAddress { behind, chip: i2c_number(chip)?, input })
}

fn i2c_number(text: &str) -> Option<u8> {
    text.strip_prefix("0x").and_then(hexadecimal)
}

fn one_digit(text: &str) -> Option<u8> {
    text.parse().ok().filter(|_| text.len() == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_names_are_read_in_either_case() {
        let id = OneWireId { family: 0x28, serial: 0x0113_1e85_8aef };
        assert_eq!(kernel_name("28-01131e858aef"), Some(id));
        assert_eq!(kernel_name("28-01131E858AEF"), Some(id));
        for bad in ["28-01131e858ae", "28-01131e858aeff", "28-01131e858aeg", "+8-01131e858aef", ""]
        {
            assert_eq!(kernel_name(bad), None, "{bad}");
        }
    }

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(likely_name(text).as_deref(), expected, "{text}");
    }

    #[test]
    fn other_notations_are_turned_into_the_kernels() {
        let kernel = Some("did you mean `28-01131e858aef`?");
        check("2801131e858aef", kernel);
        check("28-01-13-1E-85-8A-EF", kernel);
        check("/sys/bus/w1/devices/28-01131e858aef", kernel);
        check(
            "28.01131E858AEF",
            Some("did you mean `28-01131e858aef`? if this is owfs's notation: `28-ef8a851e1301`"),
        );
        check("28EF8A851E130199", kernel);
        check("9901131E858AEF28", kernel);
        check("28-01131e858ae", None);
        check("salon", None);
        check("é8-01131e858ae", None);
        check("", None);
    }

    #[test]
    fn ways_on_spi_are_read_as_they_are_printed() {
        for text in ["spi-0.0", "spi-1.2", "spi-0.1:7"] {
            assert_eq!(spi_path(text).map(|address| address.to_string()).as_deref(), Some(text));
        }
        for bad in ["spi-0", "spi-0.0:", "spi-0.0:10", "spi-00.0", "0.0", "spi-0.256", ""] {
            assert_eq!(spi_path(bad), None, "{bad}");
        }
    }

    #[test]
    fn ways_on_i2c_are_read_as_they_are_printed() {
        for text in ["0x48", "0x48:1", "0x70:3/0x76", "0x77:7/0x48:0"] {
            assert_eq!(i2c_path(text).map(|address| address.to_string()).as_deref(), Some(text));
        }
        for bad in [
            "48",
            "0x",
            "0x48:",
            "0x48:10",
            "0x6f:3/0x76",
            "0x70/0x76",
            "0x70:8/0x76",
            "0x70:3/",
            "",
        ] {
            assert_eq!(i2c_path(bad), None, "{bad}");
        }
    }
}
