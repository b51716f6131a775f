//! Who hangs in the simulated house, found as in a real one: by a search on the wire, by asking
//! every address of I²C, in the troubles of now.

use std::sync::Arc;

use crate::bus::Attached;
use crate::bus::guarded::Door;
use crate::bus::i2c::survey::{Resident, survey};
use crate::sensors::{Address, Fault, OneWireId};
use crate::sim::clock::VirtualDelay;

use super::house::Simulated;
use super::{House, Plans};

/// The wire's devices.
pub fn search(
    attached: &[Attached],
    house: &Arc<House>,
    plans: &Plans,
) -> Result<Vec<OneWireId>, Fault> {
    let here = on(attached, |it| matches!(it, Address::OneWire(_)));
    let mut wire = Simulated::new(super::one_wire("", &here, house), house, &here, plans);
    wire.now().bus.search()
}

/// The chips on I²C.
pub fn residents(
    attached: &[Attached],
    house: &Arc<House>,
    plans: &Plans,
) -> Result<Vec<Resident>, Fault> {
    let here = on(attached, |address| matches!(address, Address::I2c(_)));
    let mut bus = Simulated::new(super::i2c_bus("", &here, house), house, &here, plans);
    let i2c = bus.now().i2c_mut();
    let mut delay = VirtualDelay::new(i2c.clock());
    survey(i2c, &mut delay, &Door::none(), &[])
}

fn on(attached: &[Attached], wiring: impl Fn(&Address) -> bool) -> Vec<Attached> {
    attached.iter().filter(|sensor| wiring(&sensor.address)).cloned().collect()
}
