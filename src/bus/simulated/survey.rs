//! Who hangs in the simulated house, found as in a real one: by a search on the wire, by asking
//! every address of I²C.

use std::time::Duration;

use crate::bus::Attached;
use crate::bus::guarded::Door;
use crate::bus::i2c::survey::{Resident, survey};
use crate::sensors::{Address, Fault, OneWireId};
use crate::sim::clock::{VirtualClock, VirtualDelay};

use super::House;

/// The wire's devices.
pub fn search(attached: &[Attached], house: &House) -> Result<Vec<OneWireId>, Fault> {
    let here = on(attached, |it| matches!(it, Address::OneWire(_)));
    super::one_wire("", &here, house).bus.search()
}

/// The chips on I²C.
pub fn residents(attached: &[Attached], house: &House) -> Result<Vec<Resident>, Fault> {
    let clock = VirtualClock::new();
    let here = on(attached, |address| matches!(address, Address::I2c(_)));
    let mut i2c = super::sim_i2c(&here, house, &clock);
    clock.advance(Duration::from_secs(1));
    survey(&mut i2c, &mut VirtualDelay::new(clock), &Door::none(), &[])
}

fn on(attached: &[Attached], wiring: impl Fn(&Address) -> bool) -> Vec<Attached> {
    attached.iter().filter(|sensor| wiring(&sensor.address)).cloned().collect()
}
