//! The chips this binary knows: what the configuration may name, and what is true of each.

use crate::units::MilliCelsius;

/// The name of a chip in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Driver {
    /// DS18B20 and its family on 1-Wire.
    Ds18b20,
    /// SHT30, SHT31, SHT35 on I²C.
    Sht3x,
    /// TMP117 on I²C.
    Tmp117,
}

/// What is true of a chip, from its datasheet.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// As written in the configuration.
    pub name: &'static str,
    /// Which kind of bus it hangs on.
    pub wiring: Wiring,
    /// Lowest temperature it can measure.
    pub lowest: MilliCelsius,
    /// Highest temperature it can measure.
    pub highest: MilliCelsius,
    /// I²C addresses it can have; empty elsewhere.
    pub addresses: &'static [u8],
}

/// Kinds of bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wiring {
    /// One wire and ground: `w1` or `gpioN`.
    OneWire,
    /// Two wires: `i2c-N`.
    I2c,
}

impl Driver {
    /// Every driver, by name.
    pub const ALL: [Self; 3] = [Self::Ds18b20, Self::Sht3x, Self::Tmp117];

    /// What its datasheet says.
    pub const fn facts(self) -> Facts {
        match self {
            Self::Ds18b20 => Facts {
                name: "ds18b20",
                wiring: Wiring::OneWire,
                lowest: MilliCelsius::new(-55_000),
                highest: MilliCelsius::new(125_000),
                addresses: &[],
            },
            Self::Sht3x => Facts {
                name: "sht3x",
                wiring: Wiring::I2c,
                lowest: MilliCelsius::new(-40_000),
                highest: MilliCelsius::new(125_000),
                addresses: &[0x44, 0x45],
            },
            Self::Tmp117 => Facts {
                name: "tmp117",
                wiring: Wiring::I2c,
                lowest: MilliCelsius::new(-55_000),
                highest: MilliCelsius::new(150_000),
                addresses: &[0x48, 0x49, 0x4a, 0x4b],
            },
        }
    }

    /// The driver of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|driver| driver.facts().name == name)
    }
}
