//! The DS18B20 on a pin, down to slots: its round trip, what is said on its wire, and how what goes
//! wrong is named. Its bus has no registers, so it is not on the bench of the other chips.

use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::time::Duration;

use embedded_hal_02::digital::v2::{InputPin, OutputPin};
use maison::bus::pin::OneWirePin;
use maison::bus::{Attached, Bus};
use maison::sampling::SensorId;
use maison::sensors::catalog::Driver;
use maison::sensors::{Address, Fault, OneWireId};
use maison::sim::chance::Odds;
use maison::sim::clock::{VirtualClock, VirtualDelay};
use maison::sim::onewire::{Ds18b20, Line, SimPin, Wire};
use maison::time::Tick;
use maison::units::MilliCelsius;

use super::mishaps::Names;
use super::pages::{Block, check_block};

const SENSOR: SensorId = SensorId(0);
const FAMILY: u8 = 0x28;
const SERIAL: u64 = 0x0113_1e85_8aef;
/// A step of twelve bits, halved, and half a thousandth for the rounding.
const ALLOWED: u32 = 32;

/// One wire with one chip.
struct Bench {
    bus: OneWirePin<Heard, VirtualDelay>,
    rom: u64,
}

impl Bench {
    /// The chip that is configured, or one of another family or number in its place.
    fn of(family: u8, serial: u64) -> Self {
        let clock = VirtualClock::new();
        let chip = Ds18b20::new(family, serial);
        let rom = chip.rom();
        let mut wire = Wire::new(1);
        wire.attach(chip);
        let pin = Heard::new(SimPin::new(wire, clock.clone()), clock.clone());
        let address = Address::OneWire(OneWireId { family: FAMILY, serial: SERIAL });
        let sensor = Attached { id: SENSOR, driver: Driver::Ds18b20, address, element: None };
        Self { bus: OneWirePin::new(pin, VirtualDelay::new(clock), &[sensor]), rom }
    }

    fn wire(&mut self) -> &mut Wire {
        self.bus.pin_mut().pin.wire_mut()
    }

    fn chip(&mut self) -> &mut Ds18b20 {
        let rom = self.rom;
        self.wire().chip_mut(rom).unwrap()
    }

    /// What is read of a chip that is so warm; a wrong value never is.
    #[track_caller]
    fn read(&mut self, thousandths: i32) -> Result<u32, Fault> {
        self.chip().set_temperature(MilliCelsius::new(thousandths));
        let mut answer = None;
        self.bus.read(&[SENSOR], &mut |_, result| answer = Some(result));
        let read = answer.expect("one answer")?.temperature.thousandths();
        let error = read.abs_diff(thousandths);
        assert!(error <= ALLOWED, "{read} is not {thousandths}");
        Ok(error)
    }
}

/// A pin, and what goes over it.
struct Heard {
    pin: SimPin,
    clock: VirtualClock,
    tape: RefCell<Tape>,
}

#[derive(Default)]
struct Tape {
    /// The slot that has begun: when, and how long the master pulled.
    slot: Option<(Tick, Option<Duration>)>,
    /// What the master saw in it, if it looked in time.
    seen: Option<bool>,
    said: Vec<(Tick, Slot)>,
}

#[derive(Clone, Copy)]
enum Slot {
    Reset { is_there: bool },
    Written(bool),
    Read(bool),
}

impl Heard {
    fn new(pin: SimPin, clock: VirtualClock) -> Self {
        Self { pin, clock, tape: RefCell::default() }
    }

    fn look(&self) -> bool {
        let (is_high, now) = (self.pin.is_high().unwrap(), self.clock.now());
        let mut tape = self.tape.borrow_mut();
        if let Some((begun, Some(low))) = tape.slot {
            let in_time = if low >= RESET { low + PRESENCE } else { SAMPLE };
            if now.since(begun) <= in_time {
                tape.seen.get_or_insert(is_high);
            }
        }
        is_high
    }
}

/// From when on a low pulse is a reset, how long after it a chip shows that it is there, and until
/// when in a slot the master looks.
const RESET: Duration = Duration::from_micros(480);
const PRESENCE: Duration = Duration::from_micros(120);
const SAMPLE: Duration = Duration::from_micros(20);

impl Tape {
    /// The slot is over.
    fn close(&mut self) {
        let Some((begun, Some(low))) = self.slot.take() else { return };
        let slot = match self.seen.take() {
            seen if low >= RESET => Slot::Reset { is_there: seen == Some(false) },
            Some(bit) if low < SAMPLE => Slot::Read(bit),
            _ => Slot::Written(low < SAMPLE),
        };
        self.said.push((begun, slot));
    }

    /// A line for each reset, with what was said until the next, and for each long silence.
    fn lines(&mut self) -> Vec<String> {
        self.close();
        let mut lines: Vec<String> = Vec::new();
        let said = std::mem::take(&mut self.said);
        let mut last = said.first().map_or(Tick::ZERO, |(begun, _)| *begun);
        let mut rest = said.as_slice();
        while let Some(((begun, slot), after)) = rest.split_first() {
            if begun.since(last) > Duration::from_millis(10) {
                lines.push(format!("     {} ms", begun.since(last).as_millis()));
            }
            let length = match slot {
                Slot::Reset { is_there } => {
                    lines.push(if *is_there { "reset, present" } else { "reset" }.to_owned());
                    0
                }
                Slot::Written(_) | Slot::Read(_) => run(rest),
            };
            let bits: Vec<bool> =
                rest[..length].iter().filter_map(|(_, slot)| slot.bit()).collect();
            let arrow = if matches!(slot, Slot::Written(_)) { '←' } else { '→' };
            if let Some(line) = lines.last_mut().filter(|_| length > 0) {
                write!(line, " {arrow} {}", shown(&bits)).unwrap();
            }
            last = rest[length.max(1) - 1].0;
            rest = if length > 0 { &rest[length..] } else { after };
        }
        lines
    }
}

impl Slot {
    const fn bit(self) -> Option<bool> {
        match self {
            Self::Reset { .. } => None,
            Self::Written(bit) | Self::Read(bit) => Some(bit),
        }
    }
}

/// How many slots go the same way from here on.
fn run(slots: &[(Tick, Slot)]) -> usize {
    let way = |slot: &Slot| std::mem::discriminant(slot);
    slots.iter().take_while(|(_, slot)| way(slot) == way(&slots[0].1)).count()
}

/// Bytes, the lowest bit of each first; single bits where they are none.
fn shown(bits: &[bool]) -> String {
    if !bits.len().is_multiple_of(8) {
        let bits: Vec<_> = bits.iter().map(|bit| if *bit { "1" } else { "0" }).collect();
        return format!("bits {}", bits.join(" "));
    }
    let byte = |bits: &[bool]| bits.iter().rev().fold(0_u8, |byte, bit| byte << 1 | u8::from(*bit));
    bits.chunks(8).map(|bits| format!("{:02x}", byte(bits))).collect::<Vec<_>>().join(" ")
}

impl InputPin for Heard {
    type Error = Infallible;

    fn is_high(&self) -> Result<bool, Infallible> {
        Ok(self.look())
    }

    fn is_low(&self) -> Result<bool, Infallible> {
        Ok(!self.look())
    }
}

impl OutputPin for Heard {
    type Error = Infallible;

    fn set_low(&mut self) -> Result<(), Infallible> {
        let tape = self.tape.get_mut();
        tape.close();
        tape.slot = Some((self.clock.now(), None));
        self.pin.set_low()
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        let now = self.clock.now();
        if let Some((begun, low @ None)) = &mut self.tape.get_mut().slot {
            *low = Some(now.since(*begun));
        }
        self.pin.set_high()
    }
}

/// The largest error over its range, in thousandths of a degree.
pub(super) fn worst_error() -> u32 {
    let mut bench = Bench::of(FAMILY, SERIAL);
    (-55_000..=125_000).step_by(499).map(|it| bench.read(it).unwrap()).max().unwrap()
}

#[test]
fn the_page_shows_what_is_said_on_the_wire() {
    let mut bench = Bench::of(FAMILY, SERIAL);
    bench.bus.pin_mut().tape = RefCell::default();
    bench.read(25_062).unwrap();
    let lines = bench.bus.pin_mut().tape.get_mut().lines();
    check_block("ds18b20", "## On the bus", &Block::fenced(&lines));
}

/// Reads a healthy chip, breaks something, reads twice, mends it and reads again.
fn broken(break_it: impl Fn(&mut Bench), mend_it: impl Fn(&mut Bench)) -> Names {
    let mut names = Names::default();
    let mut bench = Bench::of(FAMILY, SERIAL);
    for warmth in [-10_125, 0, 42_000] {
        bench.read(warmth + 3000).unwrap();
        break_it(&mut bench);
        for moved in [0, 500] {
            names.add(bench.read(warmth + moved).expect_err("nothing can be read"));
        }
        mend_it(&mut bench);
        bench.read(warmth + 1000).unwrap();
    }
    names
}

fn line(line: Line) -> Names {
    broken(|bench| bench.wire().set_line(line), |bench| bench.wire().set_line(Line::Working))
}

fn unplugged() -> Names {
    let rom = Ds18b20::new(FAMILY, SERIAL).rom();
    broken(|bench| bench.wire().unplug(rom), |bench| bench.wire().plug(rom))
}

fn wrong_bits() -> Names {
    let mut names = Names::default();
    for bit in 0..72 {
        let flip = |bench: &mut Bench| bench.chip().set_wrong_bit(Some(bit));
        names.join(broken(flip, |bench| bench.chip().set_wrong_bit(None)));
    }
    names
}

/// Somewhere, in one of a hundred slots and then in fewer.
fn brown_outs() -> Names {
    let mut names = Names::default();
    let mut bench = Bench::of(FAMILY, SERIAL);
    for odds in [100, 300, 1000] {
        bench.wire().set_brown_outs(Odds::one_in(odds));
        for reading in 0..300 {
            if let Err(fault) = bench.read(reading * 300 - 40_000) {
                names.add(fault);
            }
        }
    }
    names
}

fn strangers() -> Names {
    let mut names = Names::default();
    for (family, serial) in [(0x22, SERIAL), (0x3b, SERIAL), (0x42, SERIAL), (FAMILY, SERIAL + 1)] {
        names.add(Bench::of(family, serial).read(20_000).expect_err("another number"));
    }
    names
}

#[test]
fn the_page_names_what_goes_wrong_and_no_wrong_value_comes_of_it() {
    let findings = [
        ("unplugged", unplugged()),
        ("data line held low", line(Line::StuckLow)),
        ("data line cut", line(Line::StuckHigh)),
        ("one bit of its scratchpad flips, whichever", wrong_bits()),
        ("the supply fails within a reading", brown_outs()),
        (
            "it never converts",
            broken(|it| it.chip().lose_converts(u32::MAX), |it| it.chip().lose_converts(0)),
        ),
        ("another chip is there", strangers()),
    ];
    let rows: Vec<_> =
        findings.iter().map(|(what, names)| format!("| {what} | {} |", names.listed())).collect();
    let block = Block::table("| what happens | fault |\n|---|---|\n", &rows);
    check_block("ds18b20", "## What goes wrong", &block);
}
