//! The chips this binary knows: what the configuration may name, and what is true of each. A chip's
//! facts stand in its own file; here is the list.

use crate::units::{DeciPascal, MilliCelsius, MilliPercent, Quantity, Value};

use super::element::ElementKind;
use super::pinout::Pinout;
use super::spi::Timing;
use super::{
    ads1115, aht10, aht20, bme280, bme680, bmp180, bmp280, cpu, dht11, dht22, ds18b20, htu21d,
    hwmon, iio, lm75, max6675, max31855, max31865, mcp3008, mcp9808, pct2075, sht3x, sht4x, shtc3,
    thermal, tmp102, tmp117,
};

/// The drivers, each with the facts of its chip.
macro_rules! drivers {
    ($($(#[doc = $about:literal])* $driver:ident: $facts:path,)*) => {
        /// The name of a chip in the configuration.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Driver {
            $($(#[doc = $about])* $driver,)*
        }

        impl Driver {
            /// Every driver, by name.
            pub const ALL: &[Self] = &[$(Self::$driver),*];

            /// What is true of its chip.
            pub const fn facts(self) -> &'static Facts {
                match self {
                    $(Self::$driver => &$facts,)*
                }
            }
        }
    };
}

drivers! {
    /// ADS1115 on I²C, with thermistors.
    Ads1115: ads1115::FACTS,
    /// AHT10, AHT15 on I²C.
    Aht10: aht10::FACTS,
    /// AHT20, AHT21, AHT25, DHT20 on I²C.
    Aht20: aht20::FACTS,
    /// BME280 on I²C.
    Bme280: bme280::FACTS,
    /// BME680, BME688 on I²C.
    Bme680: bme680::FACTS,
    /// BMP180, BMP085 on I²C.
    Bmp180: bmp180::FACTS,
    /// BMP280 on I²C.
    Bmp280: bmp280::FACTS,
    /// The Pi's own processor.
    Cpu: cpu::FACTS,
    /// DHT11 on a pin.
    Dht11: dht11::FACTS,
    /// DHT22, AM2302, AM2301 on a pin.
    Dht22: dht22::FACTS,
    /// DS18B20 and its family on 1-Wire.
    Ds18b20: ds18b20::FACTS,
    /// HTU21D, SHT20, SHT21, SHT25, Si7020, Si7021 on I²C.
    Htu21d: htu21d::FACTS,
    /// Any device of hwmon.
    Hwmon: hwmon::FACTS,
    /// Any device of IIO.
    Iio: iio::FACTS,
    /// LM75 on I²C.
    Lm75: lm75::FACTS,
    /// MAX31855 on SPI, with a thermocouple.
    Max31855: max31855::FACTS,
    /// MAX31865 on SPI, with a platinum resistance.
    Max31865: max31865::FACTS,
    /// MAX6675 on SPI, with a thermocouple.
    Max6675: max6675::FACTS,
    /// MCP3008, MCP3004 on SPI, with thermistors or TMP36.
    Mcp3008: mcp3008::FACTS,
    /// MCP9808 on I²C.
    Mcp9808: mcp9808::FACTS,
    /// PCT2075, LM75A, LM75B on I²C.
    Pct2075: pct2075::FACTS,
    /// SHT30, SHT31, SHT35 on I²C.
    Sht3x: sht3x::FACTS,
    /// SHT40, SHT41, SHT43, SHT45 on I²C.
    Sht4x: sht4x::FACTS,
    /// SHTC3 on I²C.
    Shtc3: shtc3::FACTS,
    /// Any thermal zone.
    Thermal: thermal::FACTS,
    /// TMP102, TMP112 on I²C.
    Tmp102: tmp102::FACTS,
    /// TMP117 on I²C.
    Tmp117: tmp117::FACTS,
}

/// What is true of a chip, from its datasheet.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// As written in the configuration.
    pub name: &'static str,
    /// The parts that the driver reads, for people.
    pub parts: &'static str,
    /// The kinds of bus it can hang on, the usual one first.
    pub wirings: &'static [Wiring],
    /// What it measures of the temperature.
    pub temperature: Span,
    /// What it measures of the humidity; `None`: nothing.
    pub humidity: Option<Span>,
    /// What it measures of the pressure; `None`: nothing.
    pub pressure: Option<Span>,
    /// I²C addresses it can have, the usual one first; empty elsewhere.
    pub addresses: &'static [u8],
    /// How many thermometers can hang on it; 0: it is one itself.
    pub inputs: u8,
    /// What can hang at its inputs; empty: it is a thermometer itself.
    pub elements: &'static [ElementKind],
    /// How it is talked to on SPI; `None` elsewhere.
    pub spi: Option<Timing>,
    /// How it is wired to the header; `None`: not by us.
    pub pinout: Option<&'static Pinout>,
    /// What its driver is made of: a crate with its version, or `ours`.
    pub origin: &'static str,
}

/// Kinds of bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wiring {
    /// One wire and ground: `w1` or `gpioN`.
    OneWire,
    /// A pin for one chip alone, with a protocol of its own: `gpioN`.
    Pin,
    /// Two wires: `i2c-N`.
    I2c,
    /// Three wires and one to select the chip: `spi-N.M`.
    Spi,
    /// The kernel's hardware monitoring: `hwmon`.
    Hwmon,
    /// The kernel's industrial input and output: `iio`.
    Iio,
    /// The kernel's thermal zones: `thermal`.
    Thermal,
}

impl Wiring {
    /// For people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::OneWire => "1-Wire",
            Self::Pin => "a pin",
            Self::I2c => "I²C",
            Self::Spi => "SPI",
            Self::Hwmon => "hwmon",
            Self::Iio => "IIO",
            Self::Thermal => "thermal zones",
        }
    }

    /// The buses of the configuration that are of this kind.
    pub const fn buses(self) -> &'static str {
        match self {
            Self::OneWire => "`w1`, `gpioN`",
            Self::Pin => "`gpioN`",
            Self::I2c => "`i2c-N`",
            Self::Spi => "`spi-N.M`",
            Self::Hwmon => "`hwmon`",
            Self::Iio => "`iio`",
            Self::Thermal => "`thermal`",
        }
    }
}

/// What a chip measures of one quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Lowest that it can measure.
    pub lowest: Value,
    /// Highest that it can measure.
    pub highest: Value,
    /// One step of its register, in millionths of the unit, rounded up.
    pub step_millionths: u32,
    /// Whether each reading has it.
    pub promise: Promise,
}

/// Whether a sensor gives a quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// With each reading, as its datasheet says.
    Always,
    /// Perhaps: files of the kernel show it or not. Once seen, it is missed when it stays away.
    Perhaps,
}

impl Span {
    /// Temperatures from `lowest` to `highest` in steps of so many millionths of a degree.
    pub const fn celsius(lowest: MilliCelsius, highest: MilliCelsius, step: u32) -> Self {
        Self::new(lowest.value(), highest.value(), step)
    }

    /// From dry to wet in steps of so many millionths of a per cent.
    pub const fn percent(step: u32) -> Self {
        Self::new(MilliPercent::new(0).value(), MilliPercent::new(100_000).value(), step)
    }

    /// Humidities from `lowest` to `highest` in steps of so many millionths of a per cent.
    pub const fn percent_between(lowest: MilliPercent, highest: MilliPercent, step: u32) -> Self {
        Self::new(lowest.value(), highest.value(), step)
    }

    /// Pressures from `lowest` to `highest` in steps of so many millionths of a hectopascal.
    pub const fn hectopascal(lowest: DeciPascal, highest: DeciPascal, step: u32) -> Self {
        Self::new(lowest.value(), highest.value(), step)
    }

    const fn new(lowest: Value, highest: Value, step_millionths: u32) -> Self {
        Self { lowest, highest, step_millionths, promise: Promise::Always }
    }
}

impl Facts {
    /// A chip of which nothing is known but that it measures the temperature.
    pub const BLANK: Self = Self {
        name: "",
        parts: "",
        wirings: &[],
        temperature: Span::celsius(MilliCelsius::new(0), MilliCelsius::new(0), 0),
        humidity: None,
        pressure: None,
        addresses: &[],
        inputs: 0,
        elements: &[],
        spi: None,
        pinout: None,
        origin: "ours",
    };

    /// What it measures of `quantity`; `None`: nothing.
    pub const fn span(&self, quantity: Quantity) -> Option<Span> {
        match quantity {
            Quantity::Temperature => Some(self.temperature),
            Quantity::Humidity => self.humidity,
            Quantity::Pressure => self.pressure,
        }
    }
}

impl Driver {
    /// The driver of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|driver| driver.facts().name == name)
    }
}
