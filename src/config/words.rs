//! The words that the configuration knows, and what they mean.

use std::fmt;

use super::log::LogFormat;
use super::{Announce, Bus, Durability, Library};
use crate::access::Policy;
use crate::sampling::Combination;
use crate::sensors::element::{Platinum, Side, Wires};
use crate::sim::weather::Place;

/// `durability`.
pub(super) const DURABILITIES: [(&str, Durability); 3] = [
    ("power-cut", Durability::PowerCut),
    ("crash", Durability::Crash),
    ("memory", Durability::Memory),
];

/// `format` of `[log]`.
pub(super) const LOG_FORMATS: [(&str, LogFormat); 2] =
    [("text", LogFormat::Text), ("json", LogFormat::Json)];

/// `announce` of `[mdns]`.
pub(super) const ANNOUNCEMENTS: [(&str, Announce); 3] =
    [("private", Announce::Private), ("always", Announce::Always), ("off", Announce::Off)];

/// `auth`.
pub(super) const POLICIES: [(&str, Policy); 5] = [
    ("anonymous", Policy::Anonymous),
    ("password", Policy::Password),
    ("certificate", Policy::Certificate),
    ("certificate-or-password", Policy::CertificateOrPassword),
    ("certificate-and-password", Policy::CertificateAndPassword),
];

/// `i2c` and `spi` of the hardware.
pub(super) const LIBRARIES: [(&str, Library); 2] =
    [("linux-embedded-hal", Library::LinuxEmbeddedHal), ("rppal", Library::Rppal)];

/// `combine` of a room.
pub(super) const COMBINATIONS: [(&str, Combination); 3] = [
    (Combination::FirstHealthy.name(), Combination::FirstHealthy),
    (Combination::Median.name(), Combination::Median),
    (Combination::Mean.name(), Combination::Mean),
];

/// `place` of a simulated sensor.
pub(super) const PLACES: [(&str, Place); 3] =
    [("room", Place::Room), ("cellar", Place::Cellar), ("outside", Place::Outside)];

/// `side` of a thermistor.
pub(super) const SIDES: [(&str, Side); 2] = [("ground", Side::Ground), ("supply", Side::Supply)];

/// `element` of a platinum resistance.
pub(super) const PLATINUM: [(&str, Platinum); 2] =
    [("pt100", Platinum::Pt100), ("pt1000", Platinum::Pt1000)];

/// `wires` of a platinum resistance, a number.
pub(super) const WIRES: [(&str, Wires); 3] =
    [("2", Wires::Two), ("3", Wires::Three), ("4", Wires::Four)];

/// As `auth` says it.
pub fn policy_word(policy: Policy) -> &'static str {
    word(&POLICIES, &policy)
}

/// The word for `meaning`; empty only if the list lacks it.
pub(super) fn word<T: PartialEq>(words: &[(&'static str, T)], meaning: &T) -> &'static str {
    words.iter().find(|(_, known)| known == meaning).map_or("", |(word, _)| word)
}

/// As written in the configuration: `w1`, `gpio4`, `i2c-1`, `spi-0.0`,
/// `hwmon`, `simulated`.
impl fmt::Display for Bus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kernel1Wire => formatter.write_str("w1"),
            Self::Gpio(pin) => write!(formatter, "gpio{pin}"),
            Self::I2c(bus) => write!(formatter, "i2c-{bus}"),
            Self::Spi { bus, select } => write!(formatter, "spi-{bus}.{select}"),
            Self::Hwmon => formatter.write_str("hwmon"),
            Self::Iio => formatter.write_str("iio"),
            Self::Thermal => formatter.write_str("thermal"),
            Self::Simulated => formatter.write_str("simulated"),
        }
    }
}
