//! The buses of a simulated house, each as its configuration names it, and who answers there.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::bus::i2c::survey::remedy;
use crate::bus::reopen::Refused;
use crate::bus::simulated::survey::{residents, search};
use crate::bus::simulated::{House, Plans};
use crate::bus::{Attached, Clock};
use crate::config::{Bus, Settings};
use crate::daemon::{Fitted, Roster, SystemClock, World};
use crate::sensors::{Address, Fault};

use super::look::{Place, Thing, one_wire, resident};

/// All that its sensors hang on, whatever this machine has, in the troubles of now.
pub(super) fn at_house(settings: &Settings) -> Vec<Place> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let world = World::new(settings, Some(1), &clock);
    let roster = Roster::new(settings);
    let (mut plans, mut buses) = (Plans::new(), BTreeMap::<Bus, Vec<Attached>>::new());
    for (room, bus, attached) in roster.sensors().iter().map(Fitted::attached) {
        plans.insert(attached.id, world.plan(room, &attached.address));
        buses.entry(bus).or_default().push(attached);
    }
    let look = |(bus, attached): (Bus, Vec<Attached>)| look(bus, &attached, &world.house, &plans);
    buses.into_iter().flat_map(look).collect()
}

/// One place for each kind of wiring, of which a real bus has one.
fn look(bus: Bus, attached: &[Attached], house: &Arc<House>, plans: &Plans) -> Vec<Place> {
    let mut places = Vec::new();
    let has = |kind: fn(&Address) -> bool| attached.iter().any(|sensor| kind(&sensor.address));
    let mut add = |kind: &str, found: Result<Vec<Thing>, Fault>| {
        let name = match bus {
            Bus::Simulated => format!("simulated {kind}"),
            real => format!("simulated {real}"),
        };
        let (things, trouble) = match found {
            Ok(things) => (things, None),
            Err(fault) => (Vec::new(), Some(refused(fault))),
        };
        places.push(Place { bus, name, trouble, things });
    };
    if has(|address| matches!(address, Address::OneWire(_))) {
        let ids = search(attached, house, plans);
        add("1-Wire", ids.map(|ids| ids.into_iter().map(|id| one_wire(bus, id)).collect()));
    }
    if has(|address| matches!(address, Address::I2c(_))) {
        let found = residents(attached, house, plans);
        add("I²C", found.map(|found| found.iter().map(|it| resident(bus, it)).collect()));
    }
    let others = attached
        .iter()
        .filter(|sensor| !matches!(sensor.address, Address::OneWire(_) | Address::I2c(_)));
    let others: Vec<_> = others.map(|sensor| unasked(bus, sensor)).collect();
    if !others.is_empty() {
        add("others", Ok(others));
    }
    places
}

/// One that cannot be asked who it is.
fn unasked(bus: Bus, sensor: &Attached) -> Thing {
    let what = sensor.driver.facts().parts.to_owned();
    Thing::new(bus, sensor.address.clone(), vec![sensor.driver], what)
}

fn refused(fault: Fault) -> Refused {
    Refused { fault, hint: remedy(fault).unwrap_or("as `[simulation]` says").to_owned() }
}
