//! What can be done to the chips of a simulated bus and to its wires.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::bus::Bus;
use crate::bus::dht::{DhtPin, Stopwatch};
use crate::bus::i2c::I2cBus;
use crate::bus::kernel::KernelFiles;
use crate::bus::pin::OneWirePin;
use crate::bus::spi::SpiBus;
use crate::bus::tap::Tapped;
use crate::sampling::SensorId;
use crate::sensors::{Address, Fault, I2cAddress, Measurement};
use crate::sim::air::Air;
use crate::sim::chance::{Chance, Odds};
use crate::sim::clock::VirtualDelay;
use crate::sim::dht::{self, Looks};
use crate::sim::i2c::{self, SimI2c, Spot};
use crate::sim::kernel::{self, Device, Kernel};
use crate::sim::mishap::invert;
use crate::sim::model::Model;
use crate::sim::onewire::{self, Ds18b20, SimPin};
use crate::sim::script::Presence;
use crate::sim::spi::{self, SimSpi};
use crate::sim::stranger::Stranger;

use super::{WIRE_NOISE, slave};

/// Bits of an answer that a DS18B20 and a DHT give.
const WIRE_BITS: u64 = 72;
const DHT_BITS: u64 = 40;
/// More answers than a DHT is asked for at one reading.
const DHT_ANSWERS: usize = 16;

/// A bus whose chips can be put into other air and into trouble.
pub(super) trait Scene {
    /// So much time goes by for chips whose clock moves only where somebody waits: what they were
    /// busy with ends meanwhile.
    fn pass(&mut self, _: Duration) {}
    /// The air around a sensor.
    fn expose(&mut self, address: &Address, air: Air);
    /// A sensor is taken off the bus, and perhaps another chip put there; or it comes back and
    /// powers up.
    fn put(&mut self, address: &Address, presence: Presence);
    /// Its supply fails at each reading, or is in order.
    fn starve(&mut self, address: &Address, is_starved: bool);
    /// A line is held low, or free.
    fn stick(&mut self, is_stuck: bool);
    /// Of the next transfers so many have a wrong bit; `None`: as many as usual.
    fn disturb(&mut self, odds: Option<Odds>, chance: &mut Chance);
}

/// A wire of which one bit flips now and then, or none ever.
pub(super) struct Wired {
    pub(super) bus: OneWirePin<Tapped<SimPin>, VirtualDelay>,
    pub(super) is_noisy: bool,
}

impl Wired {
    fn chip(&mut self, address: &Address) -> Option<&mut Ds18b20> {
        let rom = slave(address)?.rom();
        self.bus.pin_mut().wire_mut().chip_mut(rom)
    }
}

impl Bus for Wired {
    fn read(
        &mut self,
        sensors: &[SensorId],
        answer: &mut dyn FnMut(SensorId, Result<Measurement, Fault>),
    ) {
        self.bus.read(sensors, answer);
    }
}

impl Scene for Wired {
    fn expose(&mut self, address: &Address, air: Air) {
        if let Some(chip) = self.chip(address) {
            chip.set_temperature(air.temperature);
        }
    }

    /// No chip has the address of another here: a stranger is nobody.
    fn put(&mut self, address: &Address, presence: Presence) {
        let Some(rom) = slave(address).map(|chip| chip.rom()) else { return };
        let wire = self.bus.pin_mut().wire_mut();
        match presence {
            Presence::Itself => wire.plug(rom),
            Presence::Nobody | Presence::Stranger => wire.unplug(rom),
        }
    }

    fn starve(&mut self, address: &Address, is_starved: bool) {
        let Some(chip) = self.chip(address) else { return };
        if is_starved {
            chip.power_up();
        }
        chip.lose_converts(if is_starved { u32::MAX } else { 0 });
    }

    fn stick(&mut self, is_stuck: bool) {
        let line = if is_stuck { onewire::Line::StuckLow } else { onewire::Line::Working };
        self.bus.pin_mut().wire_mut().set_line(line);
    }

    fn disturb(&mut self, odds: Option<Odds>, chance: &mut Chance) {
        let usual = if self.is_noisy { WIRE_NOISE } else { Odds::NEVER };
        let wire = self.bus.pin_mut().wire_mut();
        wire.set_bit_flips(if odds.is_some() { Odds::NEVER } else { usual });
        for chip in wire.chips_mut() {
            let happens = odds.is_some_and(|odds| chance.happens(odds));
            let bit = u8::try_from(chance.below(WIRE_BITS)).unwrap_or(0);
            chip.set_wrong_bit(happens.then_some(bit));
        }
    }
}

impl Scene for I2cBus<Tapped<SimI2c>, VirtualDelay> {
    fn pass(&mut self, time: Duration) {
        self.i2c_mut().clock().advance(time);
    }

    fn expose(&mut self, address: &Address, air: Air) {
        let Address::I2c(address) = address else { return };
        if let Some(chip) = self.i2c_mut().device_mut(spot(*address)) {
            expose(chip, address.input, air);
        }
    }

    fn put(&mut self, address: &Address, presence: Presence) {
        let Address::I2c(address) = address else { return };
        let (i2c, spot) = (self.i2c_mut(), spot(*address));
        match presence {
            Presence::Itself => i2c.plug(spot),
            Presence::Nobody => i2c.unplug(spot),
            Presence::Stranger => {
                i2c.unplug(spot);
                i2c.attach(spot, Box::new(Stranger));
            }
        }
    }

    fn starve(&mut self, address: &Address, is_starved: bool) {
        let Address::I2c(address) = address else { return };
        self.i2c_mut().starve(spot(*address), is_starved);
    }

    fn stick(&mut self, is_stuck: bool) {
        self.i2c_mut().line = if is_stuck { i2c::Line::ClockLow } else { i2c::Line::Working };
    }

    fn disturb(&mut self, odds: Option<Odds>, _: &mut Chance) {
        self.i2c_mut().bit_flips = odds.unwrap_or(Odds::NEVER);
    }
}

impl Scene for SpiBus<Tapped<SimSpi>, VirtualDelay> {
    fn pass(&mut self, time: Duration) {
        self.spi_mut().clock().advance(time);
    }

    fn expose(&mut self, address: &Address, air: Air) {
        let Address::Spi(address) = address else { return };
        if let Some(chip) = self.spi_mut().chip_mut() {
            expose(chip, address.input, air);
        }
    }

    fn put(&mut self, _: &Address, presence: Presence) {
        let spi = self.spi_mut();
        match presence {
            Presence::Itself => spi.plug(),
            Presence::Nobody => spi.unplug(),
            Presence::Stranger => {
                spi.unplug();
                spi.attach(Box::new(Stranger));
            }
        }
    }

    fn starve(&mut self, _: &Address, is_starved: bool) {
        let now = self.spi_mut().now();
        if let Some(chip) = self.spi_mut().chip_mut().filter(|_| is_starved) {
            chip.power_up(now);
        }
    }

    fn stick(&mut self, is_stuck: bool) {
        self.spi_mut().line = if is_stuck { spi::Line::ReplyLow } else { spi::Line::Working };
    }

    /// What goes over SPI has no checksum.
    fn disturb(&mut self, _: Option<Odds>, _: &mut Chance) {}
}

impl Scene for DhtPin<Tapped<dht::DhtPin>, Tapped<Looks>> {
    fn expose(&mut self, _: &Address, air: Air) {
        if let Some(chip) = self.pin_mut().chip_mut() {
            chip.expose(air);
        }
    }

    fn put(&mut self, _: &Address, presence: Presence) {
        match presence {
            Presence::Itself => self.pin_mut().plug(),
            Presence::Nobody | Presence::Stranger => self.pin_mut().unplug(),
        }
    }

    fn starve(&mut self, _: &Address, is_starved: bool) {
        let now = self.pin_mut().now();
        if let Some(chip) = self.pin_mut().chip_mut().filter(|_| is_starved) {
            chip.power_up(now);
        }
    }

    fn stick(&mut self, is_stuck: bool) {
        self.pin_mut().line = if is_stuck { dht::Line::StuckLow } else { dht::Line::Working };
    }

    fn disturb(&mut self, odds: Option<Odds>, chance: &mut Chance) {
        let Some(chip) = self.pin_mut().chip_mut() else { return };
        chip.inverted.clear();
        for _ in 0..if odds.is_some() { DHT_ANSWERS } else { 0 } {
            let mut mask = [0; 5];
            if odds.is_some_and(|odds| chance.happens(odds)) {
                invert(&mut mask, usize::try_from(chance.below(DHT_BITS)).unwrap_or(0));
            }
            chip.inverted.push_back(mask);
        }
    }
}

impl Stopwatch for Looks {
    fn now(&mut self) -> Duration {
        self.look()
    }

    fn sleep(&mut self, time: Duration) {
        self.wait(time);
    }
}

/// The files of one subsystem, and the kernel that shows them.
pub(super) struct Files {
    pub(super) bus: KernelFiles<Tapped<Arc<Mutex<Kernel>>>>,
    pub(super) kernel: Arc<Mutex<Kernel>>,
}

impl Files {
    fn kernel(&self) -> MutexGuard<'_, Kernel> {
        self.kernel.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Devices that share a name and a parent share their air and their fate.
    fn each(&self, address: &Address, change: impl Fn(&mut Device)) {
        let Address::Kernel(name) = address else { return };
        for device in &mut self.kernel().devices {
            let parent = name.device.as_deref();
            if device.name == *name.name && parent.is_none_or(|parent| parent == device.parent) {
                change(device);
            }
        }
    }
}

impl Bus for Files {
    fn read(
        &mut self,
        sensors: &[SensorId],
        answer: &mut dyn FnMut(SensorId, Result<Measurement, Fault>),
    ) {
        self.bus.read(sensors, answer);
    }
}

impl Scene for Files {
    fn expose(&mut self, address: &Address, air: Air) {
        self.each(address, |device| device.air = air);
    }

    fn put(&mut self, address: &Address, presence: Presence) {
        let presence = match presence {
            Presence::Itself => kernel::Presence::Plugged,
            Presence::Nobody | Presence::Stranger => kernel::Presence::Unplugged,
        };
        self.each(address, |device| device.presence = presence);
    }

    /// The kernel knows when a chip has not converted, and says nothing.
    fn starve(&mut self, _: &Address, _: bool) {}

    fn stick(&mut self, is_stuck: bool) {
        self.kernel().devices.iter_mut().for_each(|device| device.fails = is_stuck);
    }

    /// What the kernel shows has no checksum.
    fn disturb(&mut self, _: Option<Odds>, _: &mut Chance) {}
}

fn expose(chip: &mut dyn Model, input: Option<u8>, air: Air) {
    match input {
        Some(input) => chip.expose_input(input, air),
        None => chip.expose(air),
    }
}

/// Where a chip is on the simulated bus.
pub(super) fn spot(address: I2cAddress) -> Spot {
    let behind = address.behind.map(|gate| (gate.multiplexer, gate.channel));
    Spot { behind, address: address.chip }
}
