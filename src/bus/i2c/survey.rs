//! Who is on a bus: every address is asked, multiplexers are found and looked behind.

use embedded_hal::delay::DelayNs;
use embedded_hal::i2c::I2c;

use crate::bus::guarded::Door;
use crate::limits;
use crate::sensors::catalog::Driver;
use crate::sensors::i2c::fault;
use crate::sensors::likely::{Likely, likely};
use crate::sensors::{Fault, Gate, I2cAddress};

use super::gates::Gates;

/// Addresses that no chip has for itself are left out (I²C specification UM10204, table 4).
const ADDRESSES: std::ops::RangeInclusive<u8> = 0x08..=0x77;
/// Where a TCA9548A can be (datasheet SCPS207, table 8-1).
const MULTIPLEXERS: std::ops::RangeInclusive<u8> = 0x70..=0x77;
const CHANNELS: u8 = 8;

/// Somebody on a bus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resident {
    /// Where.
    pub address: I2cAddress,
    /// What.
    pub kind: Kind,
}

/// What somebody on a bus is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A chip: the drivers that may be right, none if no thermometer that is known.
    Chip(Likely),
    /// A TCA9548A or one of its relatives.
    Multiplexer,
}

/// Asks every address but those `owned` by the kernel. The bus is given back between two
/// addresses; while a channel of a multiplexer is open it is not, since nobody else could tell.
pub fn survey<I: I2c, D: DelayNs>(
    i2c: &mut I,
    delay: &mut D,
    door: &Door,
    owned: &[u8],
) -> Result<Vec<Resident>, Fault> {
    let mut residents = Vec::new();
    let mut held = 0;
    for address in ADDRESSES.filter(|address| !owned.contains(address)) {
        let _turn = door.enter()?;
        match likely(i2c, delay, address) {
            Ok(None) => held = 0,
            Ok(Some(found)) => {
                held = 0;
                let is_one = found.is_empty()
                    && MULTIPLEXERS.contains(&address)
                    && again(|| is_multiplexer(i2c, address))?;
                let kind = if is_one { Kind::Multiplexer } else { Kind::Chip(found) };
                residents.push(Resident { address: I2cAddress::of(address), kind });
            }
            // Each costs a time-out of the kernel.
            Err(Fault::Timeout) if held + 1 >= limits::SCAN_TIMEOUTS_MAX => {
                return Err(Fault::Timeout);
            }
            Err(Fault::Timeout) => held += 1,
            Err(fault) => return Err(fault),
        }
    }
    if residents.len() > limits::I2C_RESIDENTS_MAX {
        return Err(Fault::StuckLow);
    }
    let behind = behind(i2c, delay, door, &residents)?;
    residents.extend(behind);
    Ok(residents)
}

/// What to do about a bus on which nobody can be asked, where that is known.
pub const fn remedy(fault: Fault) -> Option<&'static str> {
    match fault {
        Fault::StuckLow => Some("every address answers: the data line touches ground"),
        Fault::Timeout => Some("the clock line is held: take chips off one by one"),
        _ => None,
    }
}

/// It shows what was written to it last: one byte, each bit a channel. First it is told what it
/// shows anyway, and at the end that again. The chips that may be here instead take a single byte
/// for the number of a register.
fn is_multiplexer<I: I2c>(i2c: &mut I, address: u8) -> Result<bool, Fault> {
    let before = show(i2c, address)?;
    let mut follows = |channels: u8| {
        i2c.write(address, &[channels]).map_err(|error| fault(&error))?;
        Ok(show(i2c, address)? == channels)
    };
    if !follows(before)? {
        return Ok(false);
    }
    let opens = follows(0x01)? && follows(0x80)?;
    Ok(follows(before)? && opens)
}

/// Once more where a noisy line lost an acknowledge.
fn again<T>(mut step: impl FnMut() -> Result<T, Fault>) -> Result<T, Fault> {
    for _ in 1..limits::SCAN_TRIES_MAX {
        match step() {
            Err(Fault::Absent | Fault::Garbled) => {}
            done => return done,
        }
    }
    step()
}

fn show<I: I2c>(i2c: &mut I, address: u8) -> Result<u8, Fault> {
    let mut shown = [0];
    i2c.read(address, &mut shown).map_err(|error| fault(&error))?;
    let [shown] = shown;
    Ok(shown)
}

/// Who is behind the multiplexers, and not on the bus itself.
fn behind<I: I2c, D: DelayNs>(
    i2c: &mut I,
    delay: &mut D,
    door: &Door,
    direct: &[Resident],
) -> Result<Vec<Resident>, Fault> {
    let is_multiplexer = |resident: &&Resident| resident.kind == Kind::Multiplexer;
    let multiplexers: Vec<u8> =
        direct.iter().filter(is_multiplexer).map(|resident| resident.address.chip).collect();
    let ways = multiplexers
        .iter()
        .flat_map(|at| (0..CHANNELS).map(|channel| Gate { multiplexer: *at, channel }));
    let mut residents = Vec::new();
    for gate in ways {
        let _turn = door.enter()?;
        let here = |chip: u8| I2cAddress { behind: Some(gate), chip, input: None };
        // Chip 0 stands for any: all of the multiplexers are in its way.
        let first = |multiplexer: &u8| {
            let behind = Some(Gate { multiplexer: *multiplexer, channel: 0 });
            I2cAddress { behind, chip: 0, input: None }
        };
        let mut gates = Gates::before(multiplexers.iter().map(first).collect());
        again(|| gates.open(i2c, here(0)))?;
        for chip in ADDRESSES.filter(|chip| direct.iter().all(|it| it.address.chip != *chip)) {
            if let Some(found) = likely(i2c, delay, chip)? {
                residents.push(Resident { address: here(chip), kind: Kind::Chip(found) });
            }
        }
        gates.close(i2c, here(0));
    }
    Ok(residents)
}

/// The driver that reads a chip right whichever of the likely ones it is, to show a value: an LM75
/// has the bits that all its relatives have.
pub fn safe_driver(likely: &[Driver]) -> Option<Driver> {
    match likely {
        [only] => Some(*only),
        [first, ..] if likely.contains(&Driver::Lm75) && *first == Driver::Lm75 => Some(*first),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::bus::simulated::model;
    use crate::sim::clock::{VirtualClock, VirtualDelay};
    use crate::sim::i2c::{Line, SimI2c, Spot};

    fn bus(spots: &[(Driver, Spot)]) -> (SimI2c, VirtualDelay) {
        let clock = VirtualClock::new();
        let mut i2c = SimI2c::new(clock.clone(), 1);
        for (driver, spot) in spots {
            i2c.attach(*spot, model(*driver, &[], clock.now()).unwrap());
        }
        clock.advance(Duration::from_secs(1));
        (i2c, VirtualDelay::new(clock))
    }

    fn found(i2c: &mut SimI2c, delay: &mut VirtualDelay, owned: &[u8]) -> Vec<String> {
        let residents = survey(i2c, delay, &Door::none(), owned).unwrap();
        let shown = residents.iter().map(|resident| match &resident.kind {
            Kind::Multiplexer => format!("{} multiplexer", resident.address),
            Kind::Chip(likely) => {
                let names: Vec<_> = likely.iter().map(|it| it.facts().name).collect();
                format!("{} {}", resident.address, names.join(" or "))
            }
        });
        shown.collect()
    }

    const fn behind(channel: u8, address: u8) -> Spot {
        Spot { behind: Some((0x70, channel)), address }
    }

    #[test]
    fn chips_are_found_on_the_bus_and_behind_a_multiplexer_which_is_closed_again() {
        let (mut i2c, mut delay) = bus(&[
            (Driver::Bme280, behind(3, 0x76)),
            (Driver::Sht3x, behind(7, 0x44)),
            (Driver::Tmp117, behind(3, 0x48)),
            (Driver::Mcp9808, 0x18.into()),
        ]);
        let expected = [
            "0x18 mcp9808",
            "0x70 multiplexer",
            "0x70:3/0x48 tmp117",
            "0x70:3/0x76 bme280",
            "0x70:7/0x44 sht3x",
        ];
        assert_eq!(found(&mut i2c, &mut delay, &[]), expected);
        let mut shown = [0xff];
        I2c::read(&mut i2c, 0x70, &mut shown).unwrap();
        assert_eq!(shown, [0]);
    }

    #[test]
    fn addresses_of_the_kernel_are_left_alone() {
        let (mut i2c, mut delay) =
            bus(&[(Driver::Lm75, 0x48.into()), (Driver::Tmp102, 0x49.into())]);
        assert_eq!(found(&mut i2c, &mut delay, &[0x48]), ["0x49 tmp102"]);
    }

    #[test]
    fn a_bus_that_is_held_or_shorted_is_named() {
        let (mut i2c, mut delay) = bus(&[(Driver::Lm75, 0x48.into())]);
        i2c.line = Line::DataLow;
        assert_eq!(survey(&mut i2c, &mut delay, &Door::none(), &[]), Err(Fault::StuckLow));
        i2c.line = Line::ClockLow;
        assert_eq!(survey(&mut i2c, &mut delay, &Door::none(), &[]), Err(Fault::Timeout));
        i2c.line = Line::DataHigh;
        assert_eq!(survey(&mut i2c, &mut delay, &Door::none(), &[]), Ok(Vec::new()));
    }
}
