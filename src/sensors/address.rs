//! Where a chip is on its bus, as the configuration writes it and topics and logs print it.

use std::fmt;
use std::sync::Arc;

/// Where a chip is on its bus.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// 1-Wire: family code and serial number.
    OneWire(OneWireId),
    /// I²C.
    I2c(I2cAddress),
    /// SPI: one chip at each chip select.
    Spi(SpiAddress),
    /// The only chip on a pin of its own, by its BCM number.
    Pin(u8),
    /// A file of the kernel.
    Kernel(KernelName),
}

/// Family and serial number of a 1-Wire device, without its CRC. Printed as the kernel names it:
/// `28-01131e858aef`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OneWireId {
    /// 0x28 is a DS18B20.
    pub family: u8,
    /// 48 bits.
    pub serial: u64,
}

/// A chip on I²C, perhaps behind a multiplexer, perhaps one input of it: `0x48`, `0x48:1`,
/// `0x70:3/0x48`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct I2cAddress {
    /// The way there, if it is behind a multiplexer.
    pub behind: Option<Gate>,
    /// 7 bits.
    pub chip: u8,
    /// Which of its inputs, where it has several.
    pub input: Option<u8>,
}

/// A channel of a multiplexer. Printed as `0x70:3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gate {
    /// The multiplexer's own address, 7 bits.
    pub multiplexer: u8,
    /// 0 to 7.
    pub channel: u8,
}

/// A chip on SPI: `spi-0.0`, or an input of it: `spi-0.0:3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpiAddress {
    /// The kernel's number of the bus.
    pub bus: u8,
    /// Which chip select.
    pub select: u8,
    /// Which of its inputs, where it has several.
    pub input: Option<u8>,
}

/// A device of the kernel by its name, never by its number: `cpu-thermal`, `lm75`, `lm75/1-0048`,
/// `lm75/1-0048/temp2`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KernelName {
    /// What its `name` or `type` says.
    pub name: Arc<str>,
    /// The last part of its `device` link, where the name alone does not do.
    pub device: Option<Arc<str>>,
    /// Which of its values, where it has several: `temp2`, `in_temp_object`.
    pub channel: Option<Arc<str>>,
}

/// Longest name or part of it, in bytes; the kernel's own are shorter.
const PART_BYTES_MAX: usize = 64;

impl KernelName {
    /// Whether a text may be the name of a device, of what it belongs to, or of a channel: what may
    /// be the name of a folder, and is no way out of it.
    pub fn is_part(text: &str) -> bool {
        let fits = |letter: char| letter.is_ascii_graphic() || letter == ' ';
        (1..=PART_BYTES_MAX).contains(&text.len())
            && text.chars().all(|letter| fits(letter) && letter != '/')
            && text.trim() == text
            && !matches!(text, "." | "..")
    }

    /// Whether a configuration can name it.
    pub fn is_nameable(&self) -> bool {
        let further = [&self.device, &self.channel].into_iter().flatten();
        [&self.name].into_iter().chain(further).all(|part| Self::is_part(part))
    }
}

impl I2cAddress {
    /// A chip that is reached directly and is one thermometer.
    pub const fn of(chip: u8) -> Self {
        Self { behind: None, chip, input: None }
    }
}

impl Address {
    /// A chip on I²C that is reached directly and is one thermometer.
    pub const fn i2c(chip: u8) -> Self {
        Self::I2c(I2cAddress::of(chip))
    }
}

impl fmt::Display for OneWireId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:02x}-{:012x}", self.family, self.serial)
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:#04x}:{}", self.multiplexer, self.channel)
    }
}

impl fmt::Display for I2cAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(gate) = self.behind {
            write!(formatter, "{gate}/")?;
        }
        write!(formatter, "{:#04x}", self.chip)?;
        self.input.map_or(Ok(()), |input| write!(formatter, ":{input}"))
    }
}

impl fmt::Display for SpiAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "spi-{}.{}", self.bus, self.select)?;
        self.input.map_or(Ok(()), |input| write!(formatter, ":{input}"))
    }
}

impl fmt::Display for KernelName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.name)?;
        let further = [&self.device, &self.channel].into_iter().flatten();
        further.into_iter().try_for_each(|part| write!(formatter, "/{part}"))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneWire(id) => id.fmt(formatter),
            Self::I2c(address) => address.fmt(formatter),
            Self::Spi(address) => address.fmt(formatter),
            Self::Pin(pin) => write!(formatter, "gpio{pin}"),
            Self::Kernel(name) => name.fmt(formatter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(address: &Address, printed: &str) {
        assert_eq!(address.to_string(), printed);
    }

    #[test]
    fn addresses_are_printed_as_they_are_configured() {
        let id = OneWireId { family: 0x28, serial: 0x0113_1e85_8aef };
        check(&Address::OneWire(id), "28-01131e858aef");
        check(&Address::i2c(0x48), "0x48");
        let behind = Some(Gate { multiplexer: 0x70, channel: 3 });
        let input = Address::I2c(I2cAddress { behind, chip: 0x08, input: Some(1) });
        check(&input, "0x70:3/0x08:1");
        let chip = SpiAddress { bus: 0, select: 1, input: None };
        check(&Address::Spi(chip), "spi-0.1");
        check(&Address::Spi(SpiAddress { input: Some(7), ..chip }), "spi-0.1:7");
        check(&Address::Pin(4), "gpio4");
        let name = KernelName { name: "lm75".into(), device: None, channel: None };
        check(&Address::Kernel(name.clone()), "lm75");
        let name =
            KernelName { device: Some("1-0048".into()), channel: Some("temp2".into()), ..name };
        check(&Address::Kernel(name), "lm75/1-0048/temp2");
    }
}
