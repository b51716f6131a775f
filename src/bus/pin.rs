//! 1-Wire on a pin that our own process moves: slots by `one-wire-bus`, commands by `ds18b20`,
//! the meaning of the nine bytes by [`crate::sensors::ds18b20`].
//!
//! An operating system interrupts this process whenever it likes, so no slot can be trusted by
//! itself. A command may be lost, and the scratchpad then still holds the temperature of an earlier
//! conversion; a reset in the middle of an answer turns its rest to ones, which one checksum in 256
//! does not notice. Therefore each chip is told to convert by name and must say that it does, and
//! its scratchpad counts when two readings of it agree.

use ds18b20::Resolution;
use ds18b20::commands::{CONVERT_TEMP, READ_SCRATCHPAD};
use embedded_hal_02::blocking::delay::{DelayMs, DelayUs};
use embedded_hal_02::digital::v2::{InputPin, OutputPin};
use one_wire_bus::crc::crc8;
use one_wire_bus::{Address as Rom, OneWire, OneWireError, OneWireResult};

use crate::bus::{Attached, Bus};
use crate::limits;
use crate::sampling::SensorId;
use crate::sensors::{Address, Fault, Measurement, OneWireId, ds18b20 as chip};

/// A 1-Wire bus on the pin `P`, timed by `D`. The pin is open-drain: high lets the line go.
#[derive(Debug)]
pub struct OneWirePin<P, D> {
    pin: P,
    delay: D,
    chips: Vec<(SensorId, OneWireId)>,
}

/// A chip that was told to convert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Conversion {
    /// It said that it does.
    Begun,
    /// It said nothing.
    Unconfirmed,
}

impl<P, D> OneWirePin<P, D>
where
    P: InputPin + OutputPin<Error = <P as InputPin>::Error>,
    D: DelayUs<u16> + DelayMs<u16>,
{
    /// A bus with these chips; those of other buses are left out.
    pub fn new(pin: P, delay: D, attached: &[Attached]) -> Self {
        let chips = attached.iter().filter_map(|sensor| match sensor.address {
            Address::OneWire(id) => Some((sensor.id, id)),
            Address::I2c(_) | Address::Spi(_) | Address::Pin(_) | Address::Kernel(_) => None,
        });
        Self { pin, delay, chips: chips.collect() }
    }

    /// The pin.
    pub fn pin_mut(&mut self) -> &mut P {
        &mut self.pin
    }

    /// Every device on the wire, whatever its family; 75 ms for five. A search that met noise is
    /// made again.
    pub fn search(&mut self) -> Result<Vec<OneWireId>, Fault> {
        let mut found = self.search_once();
        for _ in 1..limits::SEARCHES_MAX {
            if found.is_ok() {
                break;
            }
            found = self.search_once();
        }
        found
    }

    fn search_once(&mut self) -> Result<Vec<OneWireId>, Fault> {
        let mut master = Master::new(&mut self.pin, &mut self.delay)?;
        master.search()
    }

    fn id(&self, sensor: SensorId) -> Result<OneWireId, Fault> {
        let found = self.chips.iter().find(|(id, _)| *id == sensor);
        found.map(|(_, id)| *id).ok_or(Fault::Absent)
    }
}

impl<P, D> Bus for OneWirePin<P, D>
where
    P: InputPin + OutputPin<Error = <P as InputPin>::Error> + Send,
    D: DelayUs<u16> + DelayMs<u16> + Send,
{
    /// Starts every conversion, waits once, then reads one after the other: some 750 ms and 35 ms
    /// for each chip.
    fn read(
        &mut self,
        sensors: &[SensorId],
        answer: &mut dyn FnMut(SensorId, Result<Measurement, Fault>),
    ) {
        let due: Vec<_> = sensors.iter().map(|sensor| (*sensor, self.id(*sensor))).collect();
        let mut master = match Master::new(&mut self.pin, &mut self.delay) {
            Ok(master) => master,
            Err(fault) => return sensors.iter().for_each(|sensor| answer(*sensor, Err(fault))),
        };
        let started: Vec<_> = due
            .into_iter()
            .map(|(sensor, id)| (sensor, id.and_then(|id| Ok((id, master.convert(id)?)))))
            .collect();
        if started.iter().any(|(_, conversion)| conversion.is_ok()) {
            Resolution::Bits12.delay_for_measurement_time(master.delay);
        }
        for (sensor, conversion) in started {
            answer(sensor, conversion.and_then(|(id, begun)| master.measurement(id, begun)));
        }
    }
}

/// The master's side of one round.
struct Master<'a, P, D> {
    wire: OneWire<Borrowed<'a, P>>,
    delay: &'a mut D,
}

impl<'a, P, E, D> Master<'a, P, D>
where
    P: InputPin<Error = E> + OutputPin<Error = E>,
    D: DelayUs<u16> + DelayMs<u16>,
{
    fn new(pin: &'a mut P, delay: &'a mut D) -> Result<Self, Fault> {
        Ok(Self { wire: OneWire::new(Borrowed(pin)).map_err(|error| fault(&error))?, delay })
    }

    fn search(&mut self) -> Result<Vec<OneWireId>, Fault> {
        let found = self.wire.devices(false, self.delay).take(limits::ONE_WIRE_SEARCH_MAX);
        found.map(|rom| rom.map(id).map_err(|error| fault(&error))).collect()
    }

    fn convert(&mut self, id: OneWireId) -> Result<Conversion, Fault> {
        for _ in 0..limits::CONVERT_TRIES_MAX {
            self.select(id, CONVERT_TEMP)?;
            if self.says_that_it_converts().map_err(|error| fault(&error))? {
                return Ok(Conversion::Begun);
            }
        }
        Ok(Conversion::Unconfirmed)
    }

    /// Two slots, further apart than a presence pulse is long: a pause within the command may have
    /// been a reset to the chips, and its presence pulse looks like the answer.
    fn says_that_it_converts(&mut self) -> OneWireResult<bool, E> {
        let first = self.wire.read_bit(self.delay)?;
        self.delay.delay_us(300);
        let second = self.wire.read_bit(self.delay)?;
        Ok(!first && !second)
    }

    /// A chip that is there but never says that it converts is on parasite power, which the pin
    /// does not supply.
    fn measurement(&mut self, id: OneWireId, begun: Conversion) -> Result<Measurement, Fault> {
        let measurement = chip::decode(id.family, &self.scratchpad(id)?)?;
        match begun {
            Conversion::Begun => Ok(measurement),
            Conversion::Unconfirmed => Err(Fault::Unpowered),
        }
    }

    /// Nine bytes that were read the same twice.
    fn scratchpad(&mut self, id: OneWireId) -> Result<[u8; 9], Fault> {
        let mut seen: Option<[u8; 9]> = None;
        let mut result = Err(Fault::Crc);
        for _ in 0..limits::SCRATCHPAD_READS_MAX {
            match self.scratchpad_once(id) {
                Ok(bytes) if seen == Some(bytes) => return Ok(bytes),
                Ok(bytes) => seen = Some(bytes),
                Err(fault) => result = Err(fault),
            }
        }
        result
    }

    /// All ones: nobody felt meant.
    fn scratchpad_once(&mut self, id: OneWireId) -> Result<[u8; 9], Fault> {
        self.select(id, READ_SCRATCHPAD)?;
        let mut bytes = [0; 9];
        self.wire.read_bytes(&mut bytes, self.delay).map_err(|error| fault(&error))?;
        match bytes {
            [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff] => Err(Fault::Absent),
            [0, 0, 0, 0, 0, 0, 0, 0, 0] => Err(Fault::StuckLow),
            _ if crc8(&bytes) != 0 => Err(Fault::Crc),
            _ => Ok(bytes),
        }
    }

    fn select(&mut self, id: OneWireId, command: u8) -> Result<(), Fault> {
        match self.wire.reset(self.delay) {
            Ok(true) => {}
            Ok(false) => return Err(Fault::Absent),
            Err(error) => return Err(fault(&error)),
        }
        self.wire
            .match_address(&rom(id), self.delay)
            .and_then(|()| self.wire.write_byte(command, self.delay))
            .map_err(|error| fault(&error))
    }
}

/// `one-wire-bus` wants to own its pin; ours stays with the bus.
struct Borrowed<'a, P>(&'a mut P);

impl<P: InputPin> InputPin for Borrowed<'_, P> {
    type Error = P::Error;

    fn is_high(&self) -> Result<bool, P::Error> {
        self.0.is_high()
    }

    fn is_low(&self) -> Result<bool, P::Error> {
        self.0.is_low()
    }
}

impl<P: OutputPin> OutputPin for Borrowed<'_, P> {
    type Error = P::Error;

    fn set_low(&mut self) -> Result<(), P::Error> {
        self.0.set_low()
    }

    fn set_high(&mut self) -> Result<(), P::Error> {
        self.0.set_high()
    }
}

fn fault<E>(error: &OneWireError<E>) -> Fault {
    match error {
        OneWireError::BusNotHigh => Fault::StuckLow,
        OneWireError::PinError(_) => Fault::Bus,
        OneWireError::UnexpectedResponse => Fault::Garbled,
        OneWireError::FamilyCodeMismatch => Fault::WrongChip,
        OneWireError::CrcMismatch => Fault::Crc,
        OneWireError::Timeout => Fault::Timeout,
    }
}

/// The ROM code as it goes over the wire: family in the lowest byte, CRC in the highest.
fn rom(id: OneWireId) -> Rom {
    let [s0, s1, s2, s3, s4, s5, ..] = id.serial.to_le_bytes();
    let crc = crc8(&[id.family, s0, s1, s2, s3, s4, s5]);
    Rom(u64::from_le_bytes([id.family, s0, s1, s2, s3, s4, s5, crc]))
}

fn id(rom: Rom) -> OneWireId {
    let [family, s0, s1, s2, s3, s4, s5, _] = rom.0.to_le_bytes();
    OneWireId { family, serial: u64::from_le_bytes([s0, s1, s2, s3, s4, s5, 0, 0]) }
}

#[cfg(test)]
mod tests;
