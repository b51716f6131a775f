//! Packages whose pins several chips have in common, each as its datasheets number them.

use super::pinout::{DECOUPLING, I2C_PARTS, I2C_PULL_UPS, Line, Net, Part, Pinout, Role, Terminal};

/// Bosch's eight pads, on I²C at the lower address: BME280, BME680, BMP280.
pub(super) const BOSCH: Pinout = Pinout {
    package: "LGA-8",
    terminals: &[
        Terminal::to(8, "VDD", Line::Supply),
        Terminal::to(6, "VDDIO", Line::Supply),
        Terminal::to(2, "CSB", Line::Supply),
        Terminal::to(3, "SDI", Line::Sda),
        Terminal::to(4, "SCK", Line::Scl),
        Terminal::to(5, "SDO", Line::Ground),
        Terminal::to(1, "GND", Line::Ground),
        Terminal::to(7, "GND", Line::Ground),
    ],
    parts: &I2C_PARTS,
};

/// The board that an AHT10 or AHT20 comes on.
pub(super) const AHT_BOARD: Pinout = Pinout {
    package: "small board",
    terminals: &[
        Terminal::to(0, "VIN", Line::Supply),
        Terminal::to(0, "SDA", Line::Sda),
        Terminal::to(0, "SCL", Line::Scl),
        Terminal::to(0, "GND", Line::Ground),
    ],
    parts: &I2C_PULL_UPS,
};

/// DHT11 and DHT22.
pub(super) const DHT: Pinout = Pinout {
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

/// Texas Instruments' six pins at the lowest address: TMP102, TMP117.
pub(super) const fn six_pins(package: &'static str) -> Pinout {
    const TERMINALS: &[Terminal] = &[
        Terminal::to(5, "V+", Line::Supply),
        Terminal::to(6, "SDA", Line::Sda),
        Terminal::to(1, "SCL", Line::Scl),
        Terminal::open(3, "ALERT"),
        Terminal::to(4, "ADD0", Line::Ground),
        Terminal::to(2, "GND", Line::Ground),
    ];
    Pinout { package, terminals: TERMINALS, parts: &I2C_PARTS }
}

/// Maxim's eight pins for a thermocouple: what it calls the one that stays open, and where the
/// negative wire goes.
pub(super) const fn thermocouple(open: &'static str, minus: Net) -> [Terminal; 8] {
    [
        Terminal::to(4, "VCC", Line::Supply),
        Terminal::to(7, "SO", Line::Miso),
        Terminal::to(5, "SCK", Line::Clock),
        Terminal::to(6, "CS", Line::Select(0)),
        Terminal::open(8, open),
        Terminal::to(1, "GND", Line::Ground),
        Terminal::on(3, "T+", Net::Plus),
        Terminal::on(2, "T-", minus),
    ]
}
