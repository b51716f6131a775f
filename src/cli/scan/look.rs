//! What there is: every bus of this machine, or of a simulated house, and who answers there.

use crate::bus::i2c::survey::{Kind, Resident};
use crate::bus::kernel::Class;
use crate::bus::reopen::Refused;
use crate::bus::survey as kernel;
use crate::bus::sysfs::Files;
use crate::config::{Bus, Room, Sensor, Settings};
use crate::daemon::control;
use crate::printable::shortened;
use crate::sampling::Reason;
use crate::sensors::catalog::Driver;
use crate::sensors::{Address, Fault, I2cAddress, KernelName, Measurement, OneWireId, SpiAddress};

/// Adapters from here on are those of screens on a Pi, and are not asked.
const SCREENS: u8 = 20;
/// Letters that are shown of what a device calls itself; those of the kernel's have fewer.
const NAME_LETTERS_MAX: usize = 64;

/// A bus.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// As the configuration names it.
    pub bus: Bus,
    /// For people: `w1_bus_master1`, `i2c-1`.
    pub name: String,
    /// Why nobody can be asked.
    pub trouble: Option<Refused>,
    pub things: Vec<Thing>,
}

/// Somebody on a bus.
#[derive(Clone, Debug)]
pub(super) struct Thing {
    pub bus: Bus,
    /// `None`: nothing that the configuration could name.
    pub address: Option<Address>,
    /// The address for people.
    pub shown: String,
    /// Drivers that may be right, the likeliest first.
    pub likely: Vec<Driver>,
    /// What it is, for people.
    pub what: String,
    /// Name of the room that has it.
    pub room: Option<String>,
    pub value: Option<Result<Measurement, Reason>>,
}

impl Thing {
    /// One with an address.
    pub(super) fn new(bus: Bus, address: Address, likely: Vec<Driver>, what: String) -> Self {
        let shown = address.to_string();
        Self { bus, address: Some(address), shown, likely, what, room: None, value: None }
    }

    fn nameless(bus: Bus, shown: String, what: String) -> Self {
        Self { bus, address: None, shown, likely: Vec::new(), what, room: None, value: None }
    }

    /// Whether it can have a room by what is known of it: a converter cannot, since only its owner
    /// knows what hangs at its inputs.
    pub(super) fn is_a_probe(&self) -> bool {
        let usual = !matches!(self.bus, Bus::Thermal | Bus::Hwmon);
        let is_thermometer =
            |driver: &Driver| driver.facts().inputs == 0 && driver.facts().elements.is_empty();
        usual && !self.likely.is_empty() && self.likely.iter().all(is_thermometer)
    }
}

/// The buses of this machine.
pub(super) fn at_machine(settings: &Settings) -> Vec<Place> {
    let mut files = Files::new(&settings.hardware.sysfs);
    let mut places = Vec::new();
    for master in kernel::masters(&mut files).unwrap_or_default() {
        let things = master.slaves.iter().map(|id| one_wire(Bus::Kernel1Wire, *id)).collect();
        places.push(Place { bus: Bus::Kernel1Wire, name: master.name, trouble: None, things });
    }
    places.extend(pins(settings));
    let adapters = kernel::adapters(&mut files);
    places.extend(adapters.iter().filter_map(|adapter| i2c(adapter, settings)));
    for (bus, select) in kernel::chip_selects(&mut files) {
        let on = Bus::Spi { bus, select };
        let what = "a chip select: who is there cannot be asked".to_owned();
        let address = Address::Spi(SpiAddress { bus, select, input: None });
        let things = vec![Thing::new(on, address, Vec::new(), what)];
        places.push(Place { bus: on, name: on.to_string(), trouble: None, things });
    }
    for (class, bus) in
        [(Class::Iio, Bus::Iio), (Class::Hwmon, Bus::Hwmon), (Class::Thermal, Bus::Thermal)]
    {
        let names = kernel::devices(&mut files, class).into_iter();
        let things: Vec<_> = names.filter_map(|name| device(bus, name)).collect();
        if !things.is_empty() {
            places.push(Place { bus, name: bus.to_string(), trouble: None, things });
        }
    }
    places
}

/// Pins of the configuration: no other is touched.
fn pins(settings: &Settings) -> Vec<Place> {
    let sensors = || settings.rooms.iter().flat_map(|room| &room.sensors);
    let mut pins: Vec<u8> = sensors()
        .filter_map(|sensor| match sensor.bus {
            Bus::Gpio(pin) => Some(pin),
            _ => None,
        })
        .collect();
    pins.sort_unstable();
    pins.dedup();
    let is_at_work = control::is_at_work(&settings.gateway.state_dir);
    let place = |pin: u8| {
        let bus = Bus::Gpio(pin);
        let here = || sensors().filter(move |sensor| sensor.bus == bus);
        let is_wire = here().any(|sensor| matches!(sensor.address, Address::OneWire(_)));
        let found = match (is_at_work, is_wire) {
            (true, _) => Err(Refused {
                fault: Fault::Bus,
                hint: "the gateway at work has this pin to itself".to_owned(),
            }),
            (false, true) => search(pin)
                .map(|ids| ids.into_iter().map(|id| one_wire(bus, id)).collect::<Vec<_>>()),
            (false, false) => Ok(here()
                .map(|sensor| {
                    let what = sensor.driver.facts().parts.to_owned();
                    Thing::new(bus, sensor.address.clone(), vec![sensor.driver], what)
                })
                .collect()),
        };
        let (things, trouble) = found.map_or_else(|it| (Vec::new(), Some(it)), |it| (it, None));
        Place { bus, name: bus.to_string(), trouble, things }
    };
    pins.into_iter().map(place).collect()
}

/// `None`: not a bus for chips.
fn i2c(adapter: &kernel::Adapter, settings: &Settings) -> Option<Place> {
    let bus = Bus::I2c(adapter.number);
    let mut sensors = settings.rooms.iter().flat_map(|room| &room.sensors);
    if adapter.number >= SCREENS && !sensors.any(|sensor| sensor.bus == bus) {
        return None;
    }
    let owned: Vec<u8> = adapter.owned.iter().map(|(address, _)| *address).collect();
    let (residents, trouble) = match survey(adapter, &owned) {
        Ok(residents) => (residents, None),
        Err(refused) => (Vec::new(), Some(refused)),
    };
    let mut things: Vec<_> = residents.iter().map(|it| resident(bus, it)).collect();
    for (address, chip) in &adapter.owned {
        let chip = shortened(chip, NAME_LETTERS_MAX);
        let what = format!("the kernel's `{chip}`: see hwmon and IIO");
        things.push(Thing::nameless(bus, format!("{address:#04x}"), what));
    }
    Some(Place { bus, name: bus.to_string(), trouble, things })
}

fn survey(adapter: &kernel::Adapter, owned: &[u8]) -> Result<Vec<Resident>, Refused> {
    if !adapter.has_device {
        let hint = format!("there is no `/dev/i2c-{}`: module `i2c-dev`", adapter.number);
        return Err(Refused { fault: Fault::NoBus, hint });
    }
    ask_i2c(adapter.number, owned)
}

#[cfg(all(feature = "linux", target_os = "linux"))]
fn ask_i2c(number: u8, owned: &[u8]) -> Result<Vec<Resident>, Refused> {
    crate::bus::linux::survey(number, owned)
}

#[cfg(not(all(feature = "linux", target_os = "linux")))]
fn ask_i2c(_: u8, _: &[u8]) -> Result<Vec<Resident>, Refused> {
    Err(Refused { fault: Fault::NoBus, hint: "this binary was built without I²C".to_owned() })
}

#[cfg(all(feature = "rppal", target_os = "linux"))]
fn search(pin: u8) -> Result<Vec<OneWireId>, Refused> {
    crate::bus::gpio::search(pin)
}

#[cfg(not(all(feature = "rppal", target_os = "linux")))]
fn search(_: u8) -> Result<Vec<OneWireId>, Refused> {
    Err(Refused { fault: Fault::NoBus, hint: "this binary was built without pins".to_owned() })
}

/// A device on 1-Wire by its family.
pub(super) fn one_wire(bus: Bus, id: OneWireId) -> Thing {
    let (what, likely) = match id.family {
        0x10 => ("DS18S20", vec![Driver::Ds18b20]),
        0x22 => ("DS1822", vec![Driver::Ds18b20]),
        0x28 => ("DS18B20", vec![Driver::Ds18b20]),
        0x3b => ("DS1825 or MAX31850", vec![Driver::Ds18b20]),
        0x42 => ("DS28EA00", vec![Driver::Ds18b20]),
        0x00 => ("no device: noise, as where the pull-up is missing", Vec::new()),
        0x01 => ("DS2401, a serial number", Vec::new()),
        0x26 => ("DS2438, a battery monitor", Vec::new()),
        _ => ("no thermometer that is known", Vec::new()),
    };
    Thing::new(bus, Address::OneWire(id), likely, what.to_owned())
}

/// A chip on I²C by what its registers say.
pub(super) fn resident(bus: Bus, resident: &Resident) -> Thing {
    match &resident.kind {
        Kind::Multiplexer => {
            Thing::nameless(bus, resident.address.to_string(), "TCA9548A, a multiplexer".to_owned())
        }
        Kind::Chip(likely) if likely.is_empty() => {
            let what = "no thermometer that is known".to_owned();
            Thing::nameless(bus, resident.address.to_string(), what)
        }
        Kind::Chip(likely) => {
            let names: Vec<_> = likely.iter().map(|driver| driver.facts().name).collect();
            let what = match likely.as_slice() {
                [only] => only.facts().parts.to_owned(),
                _ => format!("{}: they cannot be told apart", names.join(" or ")),
            };
            Thing::new(bus, Address::I2c(resident.address), likely.clone(), what)
        }
    }
}

/// What shows each sensor of 1-Wire once more is left out, as is the processor's second face.
fn device(bus: Bus, name: KernelName) -> Option<Thing> {
    if !name.is_nameable() {
        let shown = shortened(&name.to_string(), NAME_LETTERS_MAX);
        let what = "a name that no configuration can have".to_owned();
        return Some(Thing::nameless(bus, shown, what));
    }
    let driver = match (bus, &*name.name) {
        (Bus::Hwmon, "w1_slave_temp" | "cpu_thermal") => return None,
        (Bus::Hwmon, _) => Driver::Hwmon,
        (Bus::Iio, _) => Driver::Iio,
        (_, "cpu-thermal") => Driver::Cpu,
        _ => Driver::Thermal,
    };
    let what = match driver {
        Driver::Cpu => "the processor".to_owned(),
        _ => format!("the kernel's `{}`", name.name),
    };
    Some(Thing::new(bus, Address::Kernel(name), vec![driver], what))
}

/// Says of each thing which room has it.
pub(super) fn assign(places: &mut [Place], settings: &Settings) {
    for thing in places.iter_mut().flat_map(|place| &mut place.things) {
        let rooms = settings.rooms.iter().filter(|room| sensors_of(room, thing).next().is_some());
        let names: Vec<&str> = rooms.map(|room| room.name.as_str()).collect();
        thing.room = (!names.is_empty()).then(|| names.join(", "));
    }
}

/// The sensors of a room that are, or hang at, this thing.
pub(super) fn sensors_of<'a>(room: &'a Room, thing: &'a Thing) -> impl Iterator<Item = &'a Sensor> {
    room.sensors.iter().filter(move |sensor| {
        thing.bus == sensor.bus
            && thing.address.as_ref().is_some_and(|at| is_at(&sensor.address, at))
    })
}

/// Whatever the input, and however much of its name a device of the kernel needs.
fn is_at(configured: &Address, found: &Address) -> bool {
    match (configured, found) {
        (Address::I2c(one), Address::I2c(other)) => {
            I2cAddress { input: None, ..*one } == I2cAddress { input: None, ..*other }
        }
        (Address::Spi(one), Address::Spi(other)) => {
            SpiAddress { input: None, ..*one } == SpiAddress { input: None, ..*other }
        }
        (Address::Kernel(one), Address::Kernel(other)) => {
            let is_same = |one: &Option<_>, other: &Option<_>| {
                one.is_none() || other.is_none() || one == other
            };
            one.name == other.name
                && is_same(&one.device, &other.device)
                && one.channel == other.channel
        }
        (one, other) => one == other,
    }
}

/// A sensor of the configuration that was not found.
#[derive(Clone, Debug)]
pub(super) struct Missing {
    pub room: String,
    pub sensor: Sensor,
}

/// The sensors of the configuration that nobody answers for, but for those that are meant to be
/// elsewhere: on simulated buses, or on those that the simulated `house` has not.
pub(super) fn missing(
    places: &[Place],
    settings: &Settings,
    house: Option<&Settings>,
) -> Vec<Missing> {
    let is_meant = |sensor: &Sensor| match house {
        None => sensor.bus != Bus::Simulated,
        Some(house) => {
            let mut built = house.rooms.iter().flat_map(|room| &room.sensors);
            built.any(|built| built.bus == sensor.bus)
        }
    };
    let is_missing = |sensor: &Sensor| {
        let mut here = places.iter().filter(|place| place.bus == sensor.bus);
        let is_found = here.any(|place| place.is_busy() || place.has(&sensor.address));
        is_meant(sensor) && !is_found
    };
    let mut missing = Vec::new();
    for room in &settings.rooms {
        for sensor in room.sensors.iter().filter(|sensor| is_missing(sensor)) {
            missing.push(Missing { room: room.name.clone(), sensor: sensor.clone() });
        }
    }
    missing
}

impl Place {
    /// A pin that the gateway at work has to itself.
    fn is_busy(&self) -> bool {
        matches!(self.bus, Bus::Gpio(_))
            && self.trouble.as_ref().is_some_and(|it| it.fault == Fault::Bus)
    }

    fn has(&self, address: &Address) -> bool {
        let mut found = self.things.iter().filter_map(|thing| thing.address.as_ref());
        found.any(|found| is_at(address, found))
    }
}
