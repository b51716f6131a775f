//! Chips: conversion of raw values, validation, identity. One file per chip, generic over
//! `embedded-hal` where there is a bus to talk on; nothing here knows MQTT, threads or settings.

mod address;
pub mod ads1115;
pub mod aht10;
pub mod aht20;
mod aosong;
pub mod bme280;
pub mod bme680;
pub mod bmp180;
pub mod bmp280;
mod bosch;
pub mod catalog;
pub mod cpu;
pub mod dht;
pub mod dht11;
pub mod dht22;
pub mod ds18b20;
pub mod element;
pub mod htu21d;
pub mod hwmon;
pub mod i2c;
mod identity;
pub mod iio;
pub mod kernel;
pub mod likely;
pub mod lm75;
pub mod max31855;
pub mod max31865;
pub mod max6675;
pub mod mcp3008;
pub mod mcp9808;
pub mod onewire;
mod packages;
pub mod pct2075;
pub mod pinout;
mod sensirion;
pub mod sht3x;
pub mod sht4x;
pub mod shtc3;
pub mod spi;
pub mod thermal;
pub mod tmp102;
pub mod tmp117;

use std::fmt;

use crate::units::{DeciPascal, MilliCelsius, MilliPercent, Quantity, Value};

pub use address::{Address, Gate, I2cAddress, KernelName, OneWireId, SpiAddress};

/// What a chip said, converted but not yet judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measurement {
    /// At the chip.
    pub temperature: MilliCelsius,
    /// Of the air at the chip, where it measures that.
    pub humidity: Option<MilliPercent>,
    /// Of the air, where it measures that.
    pub pressure: Option<DeciPascal>,
    /// The chip may be repeating its power-on value (85 °C): true only if other evidence agrees.
    pub may_be_power_on: bool,
}

impl Measurement {
    /// A temperature and nothing else.
    pub const fn of(temperature: MilliCelsius) -> Self {
        Self { temperature, humidity: None, pressure: None, may_be_power_on: false }
    }

    /// What it says of `quantity`.
    pub fn value(&self, quantity: Quantity) -> Option<Value> {
        match quantity {
            Quantity::Temperature => Some(self.temperature.value()),
            Quantity::Humidity => self.humidity.map(MilliPercent::value),
            Quantity::Pressure => self.pressure.map(DeciPascal::value),
        }
    }
}

/// Furthest that a hygrometer in order strays beyond dry and wet.
const BEYOND_MAX: f64 = 10.0;

/// What a hygrometer computes goes a little below 0 % and above 100 % where it is dry or wet;
/// makers ask to crop it. What is further off is left as it is, and refused later.
fn humidity(percent: f64) -> MilliPercent {
    let cropped = percent.clamp(0.0, 100.0);
    let is_near = (percent - cropped).abs() <= BEYOND_MAX;
    MilliPercent::from_percent(if is_near { cropped } else { percent })
}

/// Why a chip gave no value. [`fmt::Display`] is its name in topics and logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// No chip answers: not acknowledged, no presence pulse, its file is gone.
    Absent,
    /// A checksum does not match.
    Crc,
    /// The register still holds its power-on value: the conversion did not happen.
    PowerOn,
    /// The conversion failed for want of supply current.
    Unpowered,
    /// The bus reads as all zeros: shorted to ground.
    StuckLow,
    /// The bus reads as all ones: nothing drives it, or no pull-up.
    StuckHigh,
    /// The answer makes no sense for this chip: reserved bits, wrong length.
    Garbled,
    /// Another chip is at this address.
    WrongChip,
    /// The clock line is held, or the chip does not answer in time.
    Timeout,
    /// Another process does not give the bus back.
    Busy,
    /// The device file may not be opened.
    Permission,
    /// The bus does not exist on this machine.
    NoBus,
    /// The operating system reports another error.
    Bus,
    /// What hangs at the chip's inputs is cut, or nothing hangs there.
    Open,
    /// Its two ends touch, or it touches what it should not.
    Short,
    /// It touches ground.
    ShortGround,
    /// It touches the supply.
    ShortSupply,
    /// The negative end of the reference resistor is too high: a wire to the element is cut.
    ReferenceHigh,
    /// It is too low: a wire touches ground, or the return wire is cut.
    ReferenceLow,
    /// The negative input is too low, for the same reasons.
    InputLow,
    /// An input is above the supply or below ground.
    Overvoltage,
}

impl Fault {
    /// Every one.
    pub const ALL: [Self; 21] = [
        Self::Absent,
        Self::Crc,
        Self::PowerOn,
        Self::Unpowered,
        Self::StuckLow,
        Self::StuckHigh,
        Self::Garbled,
        Self::WrongChip,
        Self::Timeout,
        Self::Busy,
        Self::Permission,
        Self::NoBus,
        Self::Bus,
        Self::Open,
        Self::Short,
        Self::ShortGround,
        Self::ShortSupply,
        Self::ReferenceHigh,
        Self::ReferenceLow,
        Self::InputLow,
        Self::Overvoltage,
    ];

    /// Its name in topics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Crc => "crc",
            Self::PowerOn => "power-on",
            Self::Unpowered => "unpowered",
            Self::StuckLow => "stuck-low",
            Self::StuckHigh => "stuck-high",
            Self::Garbled => "garbled",
            Self::WrongChip => "wrong-chip",
            Self::Timeout => "timeout",
            Self::Busy => "busy",
            Self::Permission => "permission",
            Self::NoBus => "no-bus",
            Self::Bus => "bus",
            Self::Open => "open",
            Self::Short => "short",
            Self::ShortGround => "short-ground",
            Self::ShortSupply => "short-supply",
            Self::ReferenceHigh => "refin-high",
            Self::ReferenceLow => "refin-low",
            Self::InputLow => "rtdin-low",
            Self::Overvoltage => "overvoltage",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}
