//! DHT22, AM2302 and AM2301 on a pin of their own, or behind the kernel's driver: temperature and
//! humidity.
//!
//! What their bits mean is in `sensors/dht.rs`, how they are timed in `bus/dht.rs`.

use crate::sensors::catalog::{Facts, Span, Wiring};
use crate::sensors::pinout::{DECOUPLING, Line, Part, Pinout, Role, Terminal};
use crate::units::MilliCelsius;

/// DHT22 and its relatives.
pub const FACTS: Facts = Facts {
    name: "dht22",
    parts: "DHT22, AM2302, AM2301",
    wirings: &[Wiring::Pin, Wiring::Iio],
    temperature: Span::celsius(MilliCelsius::new(-40_000), MilliCelsius::new(80_000), 100_000),
    humidity: Some(Span::percent(100_000)),
    pinout: Some(&PINOUT),
    ..Facts::BLANK
};

/// Its pins, and where they go.
const PINOUT: Pinout = Pinout {
    package: "four legs, counted from the left with the grid towards you",
    terminals: &[
        Terminal::to(1, "VDD", Line::Supply),
        Terminal::to(2, "DATA", Line::Data),
        Terminal::open(3, "NC"),
        Terminal::to(4, "GND", Line::Ground),
    ],
    parts: &[
        Part {
            value: "4.7 to 10 kΩ",
            role: Role::PullUp(Line::Data),
            remark: "modules with three legs have it",
        },
        DECOUPLING,
    ],
};
