//! How a chip is wired to the 40-pin header of a Pi: each of its pins with where it goes, and the
//! parts between. Drawing and tables of its page are made from this and from nothing else.

/// A line of the header that a chip can be wired to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Line {
    /// 3.3 V.
    Supply,
    /// I²C data, which has a pull-up on the board.
    Sda,
    /// I²C clock, which has a pull-up on the board.
    Scl,
    /// A pin for 1-Wire or a DHT: GPIO 4 unless another is chosen.
    Data,
    /// SPI data from the Pi.
    Mosi,
    /// SPI data to the Pi.
    Miso,
    /// SPI clock.
    Clock,
    /// SPI chip select 0 or 1.
    Select(u8),
    /// 0 V.
    Ground,
}

impl Line {
    /// What it is called: with its number, as Broadcom numbers them.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Supply => "3.3 V",
            Self::Sda => "GPIO 2, SDA",
            Self::Scl => "GPIO 3, SCL",
            Self::Data => "GPIO 4",
            Self::Mosi => "GPIO 10, MOSI",
            Self::Miso => "GPIO 9, MISO",
            Self::Clock => "GPIO 11, SCLK",
            Self::Select(0) => "GPIO 8, CE0",
            Self::Select(_) => "GPIO 7, CE1",
            Self::Ground => "ground",
        }
    }

    /// Whether it is one of SPI's, which lie lower on the header.
    const fn is_of_spi(self) -> bool {
        matches!(self, Self::Mosi | Self::Miso | Self::Clock | Self::Select(_))
    }
}

/// Where a pin of a chip goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Net {
    /// To the header.
    To(Line),
    /// Nowhere.
    Open,
    /// To the middle of a divider: a resistor to 3.3 V and a thermistor to ground.
    Divider,
    /// To the middle leg of a TMP36.
    Tmp36,
    /// As the input of that name, or to nothing.
    Like(&'static str),
    /// To the positive wire of a thermocouple.
    Plus,
    /// To the negative one.
    Minus,
    /// To the negative one, and to ground.
    MinusGrounded,
    /// To one end of a platinum resistance: this wire drives it, the next one measures.
    RtdHigh,
    /// To its other end.
    RtdLow,
    /// To the data line of a chip behind a multiplexer.
    BranchSda,
    /// To the clock line of a chip behind a multiplexer.
    BranchScl,
}

/// A pin of a chip, or of the small board that it comes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terminal {
    /// Its number in the datasheet; 0: boards do not number theirs.
    pub number: u8,
    /// Its name in the datasheet, or on the board.
    pub name: &'static str,
    /// Where it goes.
    pub net: Net,
}

impl Terminal {
    /// One that goes to the header.
    pub const fn to(number: u8, name: &'static str, line: Line) -> Self {
        Self { number, name, net: Net::To(line) }
    }

    /// One that stays open.
    pub const fn open(number: u8, name: &'static str) -> Self {
        Self { number, name, net: Net::Open }
    }

    /// One that goes elsewhere.
    pub const fn on(number: u8, name: &'static str, net: Net) -> Self {
        Self { number, name, net }
    }
}

/// A part beside the chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its value, with its unit.
    pub value: &'static str,
    /// What it does.
    pub role: Role,
    /// What is to be known of it.
    pub remark: &'static str,
}

/// What a part does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A resistor from this line to 3.3 V.
    PullUp(Line),
    /// A resistor from this line to 3.3 V that is on the Pi already.
    PullUpOnBoard(Line),
    /// A capacitor from the supply to ground, beside the chip.
    Decoupling,
    /// The resistor of a divider, to 3.3 V.
    DividerTop,
    /// The thermistor of a divider, to ground.
    DividerBottom,
    /// A capacitor between the wires of a thermocouple.
    AcrossProbe,
    /// A resistor from each line of a branch to 3.3 V.
    PullUpsOfBranch,
}

/// The wiring of a chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pinout {
    /// What carries the pins, and how it is held to count them.
    pub package: &'static str,
    /// The pins that are wired, in the order in which they are drawn: those at 3.3 V, the lines,
    /// those that stay open, those at ground; then what goes elsewhere.
    pub terminals: &'static [Terminal],
    /// The parts between.
    pub parts: &'static [Part],
}

impl Pinout {
    /// The pin of the 40-pin header for this line. Where there are several of a kind, the one
    /// beside the chip's other lines.
    pub fn header_pin(&self, line: Line) -> u8 {
        let is_spi = self.lines().any(Line::is_of_spi);
        match line {
            Line::Supply if is_spi => 17,
            Line::Supply => 1,
            Line::Sda => 3,
            Line::Scl => 5,
            Line::Data => 7,
            Line::Mosi => 19,
            Line::Miso => 21,
            Line::Clock => 23,
            Line::Select(0) => 24,
            Line::Select(_) => 26,
            Line::Ground if is_spi => 25,
            Line::Ground => 9,
        }
    }

    /// The lines that its pins go to, with repetitions.
    pub fn lines(&self) -> impl Iterator<Item = Line> {
        self.terminals.iter().filter_map(|terminal| match terminal.net {
            Net::To(line) => Some(line),
            _ => None,
        })
    }
}

/// The pull-ups of I²C, which nobody has to add.
pub const I2C_PULL_UPS: [Part; 2] = [
    Part { value: "1.8 kΩ", role: Role::PullUpOnBoard(Line::Sda), remark: "on the Pi already" },
    Part { value: "1.8 kΩ", role: Role::PullUpOnBoard(Line::Scl), remark: "on the Pi already" },
];

/// What every chip without a board wants beside it.
pub const DECOUPLING: Part = Part {
    value: "100 nF",
    role: Role::Decoupling,
    remark: "beside the chip; small boards have it",
};

/// The parts of a bare chip on I²C.
pub const I2C_PARTS: [Part; 3] = [I2C_PULL_UPS[0], I2C_PULL_UPS[1], DECOUPLING];

/// The two halves of a divider with a thermistor.
pub const DIVIDER: [Part; 2] = [
    Part {
        value: "10 kΩ, 1 %",
        role: Role::DividerTop,
        remark: "as much as the thermistor has at 25 °C",
    },
    Part {
        value: "NTC 10 kΩ",
        role: Role::DividerBottom,
        remark: "100 nF beside it on long wires",
    },
];

/// What keeps the hum of the mains off a thermocouple.
pub const ACROSS_PROBE: Part =
    Part { value: "10 nF", role: Role::AcrossProbe, remark: "small boards have it" };

/// The one resistor of 1-Wire.
pub const ONE_WIRE_PULL_UP: Part = Part {
    value: "4.7 kΩ",
    role: Role::PullUp(Line::Data),
    remark: "one for the bus, whatever the number of chips",
};

/// Texas Instruments' multiplexer of I²C: SCPS207, table 4-1. Not a thermometer.
pub const TCA9548A: Pinout = Pinout {
    package: "TSSOP-24",
    terminals: &[
        Terminal::to(24, "VCC", Line::Supply),
        Terminal::to(3, "RESET", Line::Supply),
        Terminal::to(23, "SDA", Line::Sda),
        Terminal::to(22, "SCL", Line::Scl),
        Terminal::to(1, "A0", Line::Ground),
        Terminal::to(2, "A1", Line::Ground),
        Terminal::to(21, "A2", Line::Ground),
        Terminal::to(12, "GND", Line::Ground),
        Terminal::on(4, "SD0", Net::BranchSda),
        Terminal::on(5, "SC0", Net::BranchScl),
    ],
    parts: &[
        I2C_PULL_UPS[0],
        I2C_PULL_UPS[1],
        Part {
            value: "4.7 to 10 kΩ",
            role: Role::PullUpsOfBranch,
            remark: "on both lines of each branch; small boards with chips have them",
        },
        DECOUPLING,
    ],
};

/// Any chip on 1-Wire.
pub const ONE_WIRE: Pinout = Pinout {
    package: "each chip of the bus",
    terminals: &[
        Terminal::to(0, "VDD", Line::Supply),
        Terminal::to(0, "DQ", Line::Data),
        Terminal::to(0, "GND", Line::Ground),
    ],
    parts: &[ONE_WIRE_PULL_UP],
};

/// Any chip on I²C.
pub const I2C: Pinout = Pinout {
    package: "each chip of the bus",
    terminals: &[
        Terminal::to(0, "VDD", Line::Supply),
        Terminal::to(0, "SDA", Line::Sda),
        Terminal::to(0, "SCL", Line::Scl),
        Terminal::to(0, "GND", Line::Ground),
    ],
    parts: &I2C_PULL_UPS,
};

/// Two chips on SPI, each with a select of its own.
pub const SPI: Pinout = Pinout {
    package: "each chip of the bus",
    terminals: &[
        Terminal::to(0, "VDD", Line::Supply),
        Terminal::to(0, "SDI", Line::Mosi),
        Terminal::to(0, "SDO", Line::Miso),
        Terminal::to(0, "SCLK", Line::Clock),
        Terminal::to(0, "CS of one", Line::Select(0)),
        Terminal::to(0, "GND", Line::Ground),
        Terminal::to(0, "CS of another", Line::Select(1)),
    ],
    parts: &[],
};

/// A chip with a pin for itself.
pub const PIN: Pinout = Pinout {
    package: "one chip on a pin",
    terminals: &[
        Terminal::to(0, "VDD", Line::Supply),
        Terminal::to(0, "DATA", Line::Data),
        Terminal::to(0, "GND", Line::Ground),
    ],
    parts: &[Part { value: "4.7 kΩ", role: Role::PullUp(Line::Data), remark: "modules have it" }],
};
