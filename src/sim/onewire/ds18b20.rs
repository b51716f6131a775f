//! A DS18B20: its memory, its converter, and its side of the conversation.

use std::time::Duration;

use crate::sim::mishap::invert;
use crate::sim::onewire::slave::{
    Edge, Frame, Heard, PRESENCE_LOW, PRESENCE_WAIT, RESET_LOW, State, Turn, ZERO_LOW,
};
use crate::time::Tick;
use crate::units::MilliCelsius;

/// Scratchpad after power-up, without TH, TL, configuration and CRC: 85 °C, and 0x0c in byte 6.
const POWER_UP: [u8; 8] = [0x50, 0x05, 0, 0, 0, 0xff, 0x0c, 0x10];
/// TH and TL of 75 and 70 °C, 12 bits: as delivered.
const EEPROM_AS_DELIVERED: [u8; 3] = [0x4b, 0x46, 0x7f];
/// Longest write of the EEPROM.
const COPY_TIME: Duration = Duration::from_millis(10);

/// Bits of a conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// 0.5 °C in 94 ms.
    Bits9,
    /// 0.25 °C in 188 ms.
    Bits10,
    /// 0.125 °C in 375 ms.
    Bits11,
    /// 0.0625 °C in 750 ms.
    Bits12,
}

impl Resolution {
    /// Every resolution, coarse to fine.
    pub const ALL: [Self; 4] = [Self::Bits9, Self::Bits10, Self::Bits11, Self::Bits12];

    /// The configuration register.
    pub const fn register(self) -> u8 {
        match self {
            Self::Bits9 => 0x1f,
            Self::Bits10 => 0x3f,
            Self::Bits11 => 0x5f,
            Self::Bits12 => 0x7f,
        }
    }

    /// Longest conversion.
    pub const fn conversion_time(self) -> Duration {
        Duration::from_micros(match self {
            Self::Bits9 => 93_750,
            Self::Bits10 => 187_500,
            Self::Bits11 => 375_000,
            Self::Bits12 => 750_000,
        })
    }

    /// Sixteenths of a degree in one step.
    pub const fn step(self) -> i32 {
        match self {
            Self::Bits9 => 8,
            Self::Bits10 => 4,
            Self::Bits11 => 2,
            Self::Bits12 => 1,
        }
    }

    fn of(register: u8) -> Self {
        match register >> 5 & 0b11 {
            0 => Self::Bits9,
            1 => Self::Bits10,
            2 => Self::Bits11,
            _ => Self::Bits12,
        }
    }
}

/// How the chip gets its current.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// Three wires.
    External,
    /// Two wires: it can say nothing while it converts.
    Parasite,
}

/// The chip.
#[derive(Debug)]
pub struct Ds18b20 {
    rom: u64,
    power: Power,
    temperature: MilliCelsius,
    scratchpad: [u8; 8],
    eeprom: [u8; 3],
    /// What is being converted, and when it is done.
    conversion: Option<(i16, Tick)>,
    copied_at: Tick,
    state: State,
    /// It pulls the line from the one to before the other.
    pull: (Tick, Tick),
    sample_after: Duration,
    converts_to_lose: u32,
    wrong_bit: Option<u8>,
}

impl Ds18b20 {
    /// A chip of that family code and 48-bit serial number at 20 °C, just powered up.
    pub fn new(family: u8, serial: u64) -> Self {
        let mut chip = Self {
            rom: rom(family, serial),
            power: Power::External,
            temperature: MilliCelsius::new(20_000),
            scratchpad: POWER_UP,
            eeprom: EEPROM_AS_DELIVERED,
            conversion: None,
            copied_at: Tick::ZERO,
            state: State::Asleep,
            pull: (Tick::ZERO, Tick::ZERO),
            sample_after: Duration::from_micros(30),
            converts_to_lose: 0,
            wrong_bit: None,
        };
        chip.recall();
        chip
    }

    /// Family code, serial number and CRC, the family in the lowest byte.
    pub const fn rom(&self) -> u64 {
        self.rom
    }

    /// Sets how warm it is.
    pub fn set_temperature(&mut self, temperature: MilliCelsius) {
        self.temperature = temperature;
    }

    /// Sets how it is wired.
    pub fn set_power(&mut self, power: Power) {
        self.power = power;
    }

    /// Sets when in a slot it looks at the line: 15 to 60 µs after the falling edge, differing from
    /// chip to chip.
    pub fn set_sample_after_us(&mut self, microseconds: u8) {
        self.sample_after = Duration::from_micros(microseconds.clamp(15, 60).into());
    }

    /// Sets the resolution, as if written and saved.
    pub fn set_resolution(&mut self, resolution: Resolution) {
        self.eeprom[2] = resolution.register();
        self.recall();
    }

    /// The next `count` commands to convert go unheard.
    pub fn lose_converts(&mut self, count: u32) {
        self.converts_to_lose = count;
    }

    /// From now on this bit of its scratchpad arrives inverted, of 72; `None`: none.
    pub fn set_wrong_bit(&mut self, bit: Option<u8>) {
        self.wrong_bit = bit;
    }

    /// The supply fails for a moment: whatever it did is forgotten, it holds 85 °C.
    pub fn power_up(&mut self) {
        self.scratchpad = POWER_UP;
        self.conversion = None;
        self.state = State::Asleep;
        self.pull = (Tick::ZERO, Tick::ZERO);
        self.recall();
    }

    /// Whether it pulls the line low now.
    pub(super) fn pulls(&self, now: Tick) -> bool {
        self.pull.0 <= now && now < self.pull.1
    }

    /// Inverts what it says in the slot that began now.
    pub(super) fn disturb(&mut self, now: Tick) {
        match self.says(now) {
            Some(true) => self.pull = (now, now.after(ZERO_LOW)),
            Some(false) => self.pull = (now, now),
            None => {}
        }
    }

    /// Takes an edge.
    pub(super) fn edge(&mut self, now: Tick, edge: Edge) {
        match edge {
            Edge::Fall => self.begin_slot(now),
            Edge::Rise { low } if low >= RESET_LOW => self.reset(now),
            Edge::Rise { low } => self.end_slot(now, low < self.sample_after),
        }
    }

    fn begin_slot(&mut self, now: Tick) {
        self.settle(now);
        if self.says(now) == Some(false) {
            self.pull = (now, now.after(ZERO_LOW));
        }
    }

    fn reset(&mut self, now: Tick) {
        let from = now.after(PRESENCE_WAIT);
        self.pull = (from, from.after(PRESENCE_LOW));
        self.state = State::RomCommand(Heard::default());
    }

    /// The bit it sends in this slot; `None`: it listens.
    fn says(&self, now: Tick) -> Option<bool> {
        match self.state {
            State::Asleep
            | State::RomCommand(_)
            | State::MatchRom(_)
            | State::FunctionCommand(_)
            | State::Hear(_) => None,
            State::SearchRom { index, turn } => match turn {
                Turn::Bit => Some(self.rom_bit(index)),
                Turn::Complement => Some(!self.rom_bit(index)),
                Turn::Direction => None,
            },
            State::Send(frame) => Some(frame.bit()),
            State::Status => Some(self.power == Power::Parasite || !self.is_busy(now)),
        }
    }

    fn end_slot(&mut self, now: Tick, bit: bool) {
        self.state = match self.state {
            State::Asleep => State::Asleep,
            State::RomCommand(heard) => self.rom_command(heard.with(bit)),
            State::MatchRom(heard) => self.match_rom(heard.with(bit)),
            State::SearchRom { index, turn } => self.search_rom(index, turn, bit),
            State::FunctionCommand(heard) => self.function_command(now, heard.with(bit)),
            State::Hear(heard) => self.hear(heard.with(bit)),
            State::Send(frame) => frame.next().map_or(State::Asleep, State::Send),
            State::Status => State::Status,
        };
    }

    fn rom_command(&self, heard: Heard) -> State {
        match heard.complete(8) {
            None => State::RomCommand(heard),
            Some(0x33) => State::Send(Frame::new(padded(self.rom), 64)),
            Some(0x55) => State::MatchRom(Heard::default()),
            Some(0xcc) => State::FunctionCommand(Heard::default()),
            Some(0xf0) => State::SearchRom { index: 0, turn: Turn::Bit },
            Some(_) => State::Asleep,
        }
    }

    fn match_rom(&self, heard: Heard) -> State {
        match heard.complete(64) {
            None => State::MatchRom(heard),
            Some(rom) if rom == self.rom => State::FunctionCommand(Heard::default()),
            Some(_) => State::Asleep,
        }
    }

    fn search_rom(&self, index: u8, turn: Turn, bit: bool) -> State {
        match turn {
            Turn::Bit => State::SearchRom { index, turn: Turn::Complement },
            Turn::Complement => State::SearchRom { index, turn: Turn::Direction },
            Turn::Direction if bit != self.rom_bit(index) => State::Asleep,
            Turn::Direction if index == 63 => State::FunctionCommand(Heard::default()),
            Turn::Direction => State::SearchRom { index: index + 1, turn: Turn::Bit },
        }
    }

    fn function_command(&mut self, now: Tick, heard: Heard) -> State {
        match heard.complete(8) {
            None => State::FunctionCommand(heard),
            Some(0x44) => self.convert(now),
            Some(0xbe) => State::Send(Frame::new(self.frame(), 72)),
            Some(0x4e) => State::Hear(Heard::default()),
            Some(0x48) => {
                self.eeprom.copy_from_slice(&self.scratchpad[2..5]);
                self.copied_at = now.after(COPY_TIME);
                State::Status
            }
            Some(0xb8) => {
                self.recall();
                State::Status
            }
            Some(0xb4) => {
                let external = if self.power == Power::External { 0xff } else { 0 };
                State::Send(Frame::new([external; 9], 72))
            }
            Some(_) => State::Asleep,
        }
    }

    fn convert(&mut self, now: Tick) -> State {
        if let Some(left) = self.converts_to_lose.checked_sub(1) {
            self.converts_to_lose = left;
            return State::Asleep;
        }
        let resolution = Resolution::of(self.scratchpad[4]);
        let raw = raw(self.temperature, resolution);
        self.conversion = Some((raw, now.after(resolution.conversion_time())));
        State::Status
    }

    fn hear(&mut self, heard: Heard) -> State {
        let [high, low, configuration, ..] = heard.value.to_le_bytes();
        if heard.complete(24).is_none() {
            return State::Hear(heard);
        }
        // Bits 0 to 4 read as one and bit 7 as zero, whatever is written.
        self.scratchpad[2..5].copy_from_slice(&[high, low, configuration & 0x7f | 0x1f]);
        State::Asleep
    }

    /// Byte 6 after a conversion is undocumented; genuine chips show 0x10 less the last four bits.
    fn settle(&mut self, now: Tick) {
        let Some((raw, _)) = self.conversion.take_if(|(_, done)| *done <= now) else { return };
        let [low, high] = raw.to_le_bytes();
        self.scratchpad[0] = low;
        self.scratchpad[1] = high;
        self.scratchpad[6] = 0x10 - (low & 0x0f);
    }

    fn recall(&mut self) {
        self.scratchpad[2..5].copy_from_slice(&self.eeprom);
    }

    fn is_busy(&self, now: Tick) -> bool {
        self.conversion.is_some() || now < self.copied_at
    }

    fn frame(&self) -> [u8; 9] {
        let mut frame = [0; 9];
        frame[..8].copy_from_slice(&self.scratchpad);
        frame[8] = crc8(&self.scratchpad);
        if let Some(bit) = self.wrong_bit {
            invert(&mut frame, bit.into());
        }
        frame
    }

    fn rom_bit(&self, index: u8) -> bool {
        self.rom >> index & 1 == 1
    }
}

/// The register for a temperature: the nearest step, in sixteenths of a degree.
fn raw(temperature: MilliCelsius, resolution: Resolution) -> i16 {
    let step = resolution.step();
    let halves = temperature.thousandths().saturating_mul(32) / step;
    let steps = halves.saturating_add(1000).div_euclid(2000);
    i16::try_from(steps.saturating_mul(step)).unwrap_or(i16::MAX)
}

fn rom(family: u8, serial: u64) -> u64 {
    let mut bytes = (serial << 8 | u64::from(family)).to_le_bytes();
    bytes[7] = crc8(&bytes[..7]);
    u64::from_le_bytes(bytes)
}

fn padded(rom: u64) -> [u8; 9] {
    let mut bytes = [0xff; 9];
    bytes[..8].copy_from_slice(&rom.to_le_bytes());
    bytes
}

/// x⁸ + x⁵ + x⁴ + 1, least significant bit first (application note 27).
fn crc8(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |crc, byte| {
        (0..8).fold(crc ^ byte, |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0x8c } else { crc >> 1 })
    })
}
