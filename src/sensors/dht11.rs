//! DHT11 on a pin of its own, or behind the kernel's driver: temperature and humidity.
//!
//! What its bits mean is in `sensors/dht.rs`, how they are timed in `bus/dht.rs`.

use crate::sensors::catalog::{Facts, Span, Wiring};
use crate::sensors::pinout::{DECOUPLING, Line, Part, Pinout, Role, Terminal};
use crate::units::{MilliCelsius, MilliPercent};

/// DHT11.
pub const FACTS: Facts = Facts {
    name: "dht11",
    parts: "DHT11",
    wirings: &[Wiring::Pin, Wiring::Iio],
    // The first ones have whole degrees from 0 to 50 °C.
    temperature: Span::celsius(MilliCelsius::new(-20_000), MilliCelsius::new(60_000), 100_000),
    humidity: Some(Span::percent_between(
        MilliPercent::new(5_000),
        MilliPercent::new(95_000),
        1_000_000,
    )),
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
