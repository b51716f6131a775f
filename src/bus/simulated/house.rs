//! The house around simulated buses: its clock, its weather, and what befalls each sensor.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::bus::tap::Taps;
use crate::bus::{Attached, Bus, Clock};
use crate::sampling::SensorId;
use crate::sensors::{Fault, Measurement};
use crate::sim::air::Air;
use crate::sim::chance::Chance;
use crate::sim::script::{Episode, Presence, State};
use crate::sim::weather::{Place, Weather};
use crate::time::Tick;
use crate::units::MilliCelsius;

use super::scene::Scene;
use super::{Hand, key};

/// A simulated house, without its sensors.
pub struct House {
    /// What it is like.
    pub weather: Weather,
    /// Determines noise and chance.
    pub seed: u64,
    /// Whether bits flip and addresses go unheard now and then.
    pub is_noisy: bool,
    clock: Arc<dyn Clock>,
    /// When its clock was started, and what it showed, in milliseconds since 1970.
    origin: (Tick, u64),
    /// So many times as fast as ours it goes.
    speed: u32,
    /// Somebody's hand at one of its probes.
    pub hand: Hand,
    /// Who hears what its buses say.
    pub taps: Taps,
}

/// What is special about sensors; one that has no plan hangs where its address says.
pub type Plans = BTreeMap<SensorId, Plan>;

/// What is special about a sensor.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Where it hangs.
    pub place: Option<Place>,
    /// What befalls it.
    pub episodes: Vec<Episode>,
}

impl House {
    /// A house that begins now, as `seed` determines it.
    pub fn new(seed: u64, clock: &Arc<dyn Clock>) -> Self {
        let origin = (clock.now(), clock.wall().unix_ms());
        let clock = Arc::clone(clock);
        Self {
            weather: Weather::new(seed),
            seed,
            is_noisy: true,
            clock,
            origin,
            speed: 1,
            hand: Hand::default(),
            taps: Taps::default(),
        }
    }

    /// Its clock shows this now, in milliseconds since 1970.
    #[must_use]
    pub fn starting_at(mut self, unix_ms: u64) -> Self {
        self.origin.1 = unix_ms;
        self
    }

    /// Its clock goes so many times as fast as ours: its days and its faults are shorter, but a
    /// sensor is read as often as before.
    #[must_use]
    pub fn with_speed(mut self, speed: u32) -> Self {
        self.speed = speed;
        self
    }

    /// Whoever looks at what its buses say.
    #[must_use]
    pub fn tapped(mut self, taps: &Taps) -> Self {
        self.taps = taps.clone();
        self
    }

    /// What a hand adds to the temperature of a sensor, in thousandths of a degree.
    fn warmth(&self, sensor: SensorId) -> i32 {
        self.hand.warmth(sensor, self.clock.now())
    }

    /// When it began and what its clock shows now, in milliseconds since 1970.
    fn times(&self) -> (u64, u64) {
        let (began, start) = self.origin;
        let passed = self.clock.now().since(began).saturating_mul(self.speed);
        let passed = u64::try_from(passed.as_millis()).unwrap_or(u64::MAX);
        (start, start.saturating_add(passed))
    }
}

/// A bus in a simulated house.
pub(super) struct Simulated<B> {
    bus: B,
    house: Arc<House>,
    chance: Chance,
    sensors: Vec<Hanging>,
}

struct Hanging {
    attached: Attached,
    place: Place,
    episodes: Vec<Episode>,
    presence: Presence,
}

impl<B: Scene> Simulated<B> {
    /// That bus with these sensors.
    pub(super) fn new(bus: B, house: &Arc<House>, attached: &[Attached], plans: &Plans) -> Self {
        let hanging = |attached: &Attached| {
            let Plan { place, episodes } = plans.get(&attached.id).cloned().unwrap_or_default();
            let place = place.unwrap_or(Place::of(key(&attached.address)));
            Hanging { attached: attached.clone(), place, episodes, presence: Presence::Itself }
        };
        let sensors: Vec<_> = attached.iter().map(hanging).collect();
        let chance = Chance::new(house.seed);
        Self { bus, house: Arc::clone(house), chance, sensors }
    }

    /// The bus in the air and in the troubles of now.
    pub(super) fn now(&mut self) -> &mut B {
        self.surround();
        &mut self.bus
    }

    /// The air is what it is now, and so are the troubles.
    fn surround(&mut self) {
        let (start, now) = self.house.times();
        let (mut is_stuck, mut crc) = (false, None);
        for hanging in &mut self.sensors {
            let address = &hanging.attached.address;
            let key = key(address);
            let state = State::of(&hanging.episodes, key, start, now);
            (is_stuck, crc) = (is_stuck || state.is_stuck, crc.or(state.crc));
            if hanging.presence != state.presence {
                hanging.presence = state.presence;
                self.bus.put(address, state.presence);
            }
            self.bus.starve(address, state.is_powering_on);
            let air = self.house.weather.air(key, hanging.place, now);
            let away = air.temperature.thousandths().saturating_add(state.away);
            let away = away.saturating_add(self.house.warmth(hanging.attached.id));
            self.bus.expose(address, Air { temperature: MilliCelsius::new(away), ..air });
        }
        self.bus.stick(is_stuck);
        self.bus.disturb(crc, &mut self.chance);
    }
}

impl<B: Bus + Scene> Bus for Simulated<B> {
    fn read(
        &mut self,
        sensors: &[SensorId],
        answer: &mut dyn FnMut(SensorId, Result<Measurement, Fault>),
    ) {
        self.now().read(sensors, answer);
    }
}
