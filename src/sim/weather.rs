//! The weather of a simulated house: for each place a temperature that depends on nothing but the
//! time and a seed, changes smoothly and stays plausible.
//!
//! Whole numbers only, so that every machine has the same weather.

use std::time::Duration;

use crate::sim::air::Air;
use crate::sim::chance::mix;
use crate::units::{DeciPascal, MilliCelsius, MilliPercent};

/// Thousandths of a degree, a per cent or a hectopascal.
type Thousandths = i64;

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;
/// A mean year of the Gregorian calendar.
const YEAR_MS: u64 = 31_556_952_000;

/// How much warmer than outside a house is that nobody heats.
const SUN: Thousandths = 2000;

/// Keys of what is not the temperature of a sensor.
const DAMP: u64 = 0x6465_776d;
const HEAVY: u64 = 0x6261_726f;

/// What kind of place a sensor hangs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Lived in and heated: 17 to 23 °C.
    Room,
    /// Below the ground: 12 to 14 °C.
    Cellar,
    /// −5 to 30 °C.
    Outside,
}

impl Place {
    /// The place of the sensor of that key: of eight sensors about one is outside and one in the
    /// cellar.
    pub const fn of(key: u64) -> Self {
        match mix(key) % 8 {
            0 => Self::Outside,
            1 => Self::Cellar,
            _ => Self::Room,
        }
    }
}

/// What it is like outside, in thousandths of a degree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Climate {
    /// Mean of the year.
    pub mean: i32,
    /// How much warmer July is than that, and January colder.
    pub season: i32,
    /// How much warmer the afternoon is than the mean of its day.
    pub day: i32,
    /// How far fronts, of nine hours each, lead away from it at most.
    pub fronts: i32,
}

impl Climate {
    /// Of a house in Lyon.
    pub const USUAL: Self = Self { mean: 12_000, season: 8000, day: 4000, fronts: 5000 };
}

/// What a thermostat is set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heating {
    /// By day, in thousandths of a degree.
    pub day: i32,
    /// By night, likewise.
    pub night: i32,
    /// When the day begins and ends, since midnight, UTC.
    pub hours: (Duration, Duration),
}

impl Heating {
    /// Of people who are at home.
    pub const USUAL: Self = Self {
        day: 20_500,
        night: 19_500,
        hours: (Duration::from_secs(6 * 3600), Duration::from_secs(22 * 3600)),
    };
}

/// The weather of one house.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    seed: u64,
    climate: Climate,
    heating: Heating,
}

impl Weather {
    /// Usual weather that `seed` determines.
    pub const fn new(seed: u64) -> Self {
        Self::of(seed, Climate::USUAL, Heating::USUAL)
    }

    /// Weather of that climate, and rooms that are heated so.
    pub const fn of(seed: u64, climate: Climate, heating: Heating) -> Self {
        Self { seed, climate, heating }
    }

    /// The air at the sensor of that key, `unix_ms` milliseconds after 1970 began.
    pub fn air(self, key: u64, place: Place, unix_ms: u64) -> Air {
        Air {
            temperature: self.temperature(key, place, unix_ms),
            humidity: MilliPercent::new(i32::try_from(self.damp(key, place, unix_ms)).unwrap_or(0)),
            pressure: DeciPascal::new(i32::try_from(self.heavy(unix_ms)).unwrap_or(0)),
        }
    }

    /// How warm it is at the sensor of that key, `unix_ms` milliseconds after 1970 began.
    pub fn temperature(self, key: u64, place: Place, unix_ms: u64) -> MilliCelsius {
        let thousandths = match place {
            Place::Room => self.room(key, unix_ms),
            Place::Cellar => self.cellar(key, unix_ms),
            Place::Outside => self.outside(unix_ms),
        };
        MilliCelsius::new(i32::try_from(thousandths).unwrap_or(0))
    }

    /// Season, hour and a front every few hours. Warmest in July and in the afternoon.
    fn outside(self, unix_ms: u64) -> Thousandths {
        let Climate { day, fronts, .. } = self.climate;
        let day = swing(unix_ms, 15 * HOUR_MS, DAY_MS, day.into());
        self.mean_of_day(unix_ms) + day + self.noise(0, unix_ms, 9 * HOUR_MS, fronts.into())
    }

    fn mean_of_day(self, unix_ms: u64) -> Thousandths {
        let Climate { mean, season, .. } = self.climate;
        Thousandths::from(mean) + swing(unix_ms, 200 * DAY_MS, YEAR_MS, season.into())
    }

    /// A thermostat, within a degree of what is asked for; in summer what the sun makes of the
    /// house; and a little of the weather through the walls.
    fn room(self, key: u64, unix_ms: u64) -> Thousandths {
        let heated = self.setting(unix_ms) + self.constant(key, 1000);
        let unheated = self.mean_of_day(unix_ms) + SUN;
        let walls = (self.outside(unix_ms) - Thousandths::from(self.climate.mean)) / 25;
        heated.max(unheated) + walls + self.noise(key, unix_ms, 23 * MINUTE_MS, 250)
    }

    /// By day or by night, with an hour to get from one to the other.
    fn setting(self, unix_ms: u64) -> Thousandths {
        let Heating { day, night, hours: (from, to) } = self.heating;
        let since = |hour: Duration| {
            let hour = u64::try_from(hour.as_millis()).unwrap_or(0) % DAY_MS;
            (unix_ms % DAY_MS + DAY_MS - hour) % DAY_MS
        };
        let (day, night) = (Thousandths::from(day), Thousandths::from(night));
        let is_day = since(from) < since(to);
        let (before, after) = if is_day { (night, day) } else { (day, night) };
        let way = part(since(from).min(since(to)).min(HOUR_MS), HOUR_MS);
        before + (after - before) * smooth(way) / ONE
    }

    /// Follows the season alone.
    fn cellar(self, key: u64, unix_ms: u64) -> Thousandths {
        let season = swing(unix_ms, 240 * DAY_MS, YEAR_MS, 600);
        13_000 + self.constant(key, 200) + season + self.noise(key, unix_ms, 2 * HOUR_MS, 100)
    }

    /// Drier where it is heated; in step with nobody's temperature, so that a mix-up shows.
    fn damp(self, key: u64, place: Place, unix_ms: u64) -> Thousandths {
        let mean = match place {
            Place::Room => 45_000,
            Place::Cellar => 70_000,
            Place::Outside => 75_000,
        };
        mean + self.noise(mix(key ^ DAMP), unix_ms, 3 * HOUR_MS, 12_000)
    }

    /// The same everywhere in the house: a front every few days.
    fn heavy(self, unix_ms: u64) -> Thousandths {
        1_013_000 + self.noise(HEAVY, unix_ms, 3 * DAY_MS, 20_000)
    }

    /// Of this sensor, for ever: from −`amplitude` to `amplitude`.
    fn constant(self, key: u64, amplitude: i64) -> Thousandths {
        scatter(mix(self.seed ^ mix(key)), amplitude)
    }

    /// A smooth line through random points `period` apart: from −`amplitude` to `amplitude`.
    fn noise(self, key: u64, unix_ms: u64, period: u64, amplitude: i64) -> Thousandths {
        let knot = unix_ms / period;
        let at = |knot: u64| scatter(mix(self.seed ^ mix(key ^ mix(knot))), amplitude);
        let (from, to) = (at(knot), at(knot + 1));
        from + (to - from) * smooth(part(unix_ms % period, period)) / ONE
    }
}

/// Fractions are in 65536ths.
const ONE: i64 = 65_536;

/// How far `position` is through `whole`: 0 to [`ONE`].
fn part(position: u64, whole: u64) -> i64 {
    i64::try_from(position.saturating_mul(65_536) / whole.max(1)).unwrap_or(ONE)
}

/// 3x² − 2x³: leaves and arrives without a kink.
fn smooth(x: i64) -> i64 {
    x * x / ONE * (3 * ONE - 2 * x) / ONE
}

/// A swing with its highest point `peak` after the start of each period. Two parabolas: within six
/// per cent of a cosine, and exact.
fn swing(unix_ms: u64, peak: u64, period: u64, amplitude: i64) -> Thousandths {
    let from_rise = unix_ms.wrapping_add(period).wrapping_sub(peak).wrapping_add(period / 4);
    let turn = part(from_rise % period, period) * 2;
    let (half, sign) = if turn < ONE { (turn, 1) } else { (turn - ONE, -1) };
    sign * amplitude * (4 * half * (ONE - half) / ONE) / ONE
}

/// A scattered number as one from −`amplitude` to `amplitude`.
fn scatter(number: u64, amplitude: i64) -> i64 {
    let unit = i64::try_from(number >> 47).unwrap_or(0);
    (unit - ONE) * amplitude / ONE
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-01-01T00:00:00Z.
    const NEW_YEAR: u64 = 1_767_225_600_000;

    fn year(place: Place, seed: u64) -> Vec<i32> {
        let weather = Weather::new(seed);
        let minutes = (0..365 * 24 * 6).map(|step| NEW_YEAR + step * 10 * MINUTE_MS);
        let at = |unix_ms| weather.temperature(seed, place, unix_ms).thousandths();
        minutes.map(at).collect()
    }

    #[track_caller]
    fn check(place: Place, lowest: i32, highest: i32, span_min: i32, step_max: u32) {
        for seed in 0..10 {
            let year = year(place, seed);
            let (low, high) = (*year.iter().min().unwrap(), *year.iter().max().unwrap());
            assert!(low >= lowest && high <= highest, "seed {seed}: {low} to {high}");
            assert!(high - low >= span_min, "seed {seed}: {low} to {high}");
            let step = year.windows(2).map(|pair| pair[0].abs_diff(pair[1])).max().unwrap();
            assert!(step <= step_max, "seed {seed}: {step} in ten minutes");
        }
    }

    #[test]
    fn every_place_is_plausible_and_smooth_all_year() {
        check(Place::Room, 17_000, 23_000, 1500, 600);
        check(Place::Cellar, 12_000, 14_000, 1000, 50);
        check(Place::Outside, -5_000, 30_000, 15_000, 600);
    }

    #[test]
    fn summer_is_warmer_than_winter_and_the_afternoon_warmer_than_the_night() {
        let weather = Weather::new(1);
        let mean = |from: u64, step: u64, count: u64| -> i64 {
            (0..count).map(|index| weather.outside(from + index * step)).sum::<i64>()
                / i64::try_from(count).unwrap()
        };
        assert!(
            mean(NEW_YEAR + 180 * DAY_MS, HOUR_MS, 720) > mean(NEW_YEAR, HOUR_MS, 720) + 10_000
        );
        let night = mean(NEW_YEAR + 3 * HOUR_MS, DAY_MS, 365);
        assert!(mean(NEW_YEAR + 15 * HOUR_MS, DAY_MS, 365) > night + 6000);
    }

    /// Hours of a winter's day, and tenths of a degree about which the room is.
    #[test]
    fn a_room_is_heated_by_day_and_not_by_night() {
        let hour = |hour: u64| Duration::from_secs(hour * 3600);
        let heating = Heating { day: 21_000, night: 15_000, hours: (hour(6), hour(22)) };
        let weather = Weather::of(1, Climate::USUAL, heating);
        let at = |hour: u64, minute: u64| {
            weather.setting(NEW_YEAR + hour * HOUR_MS + minute * MINUTE_MS)
        };
        let settings = [at(0, 0), at(6, 0), at(6, 30), at(7, 0), at(21, 59), at(23, 0)];
        assert_eq!(settings, [15_000, 15_000, 18_000, 21_000, 21_000, 15_000]);
        let room = |hour| weather.temperature(7, Place::Room, NEW_YEAR + hour * HOUR_MS);
        assert!((19_000..23_000).contains(&room(12).thousandths()), "{:?}", room(12));
        assert!((13_000..17_000).contains(&room(3).thousandths()), "{:?}", room(3));
    }

    #[test]
    fn air_is_plausible_all_year() {
        for seed in 0..10 {
            for step in 0..365 * 8 {
                let at = NEW_YEAR + step * 3 * HOUR_MS;
                let air = Weather::new(seed).air(seed, Place::of(seed), at);
                assert!((30_000..90_000).contains(&air.humidity.thousandths()), "{air:?}");
                assert!((990_000..1_035_000).contains(&air.pressure.thousandths()), "{air:?}");
            }
        }
    }

    #[test]
    fn seeds_and_sensors_differ_and_repeat() {
        let at = |seed, key| Weather::new(seed).temperature(key, Place::Room, NEW_YEAR);
        assert_eq!(at(1, 2), at(1, 2));
        assert_ne!(at(1, 2), at(1, 3));
        assert_ne!(at(1, 2), at(2, 2));
    }

    #[test]
    fn most_sensors_are_in_rooms() {
        let rooms = (0..800).filter(|key| Place::of(*key) == Place::Room).count();
        assert!((550..650).contains(&rooms), "{rooms}");
    }
}
