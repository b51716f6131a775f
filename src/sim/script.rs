//! What befalls a simulated house, and when.
//!
//! Times are those of the house: milliseconds since 1970 of its own clock, which may run faster
//! than ours.

use std::time::Duration;

use crate::sim::chance::{Chance, Odds, mix};

const DAY_MS: u64 = 24 * 3600 * 1000;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The sensor is off its bus; when it comes back it powers up.
    Unplugged,
    /// Another chip is in its place.
    WrongChip,
    /// Its supply fails for a moment when this begins, and no conversion succeeds while it lasts:
    /// what it shows is its power-on value.
    PowerOn,
    /// Wrong bits on its bus, as a share of transfers in thousandths.
    Crc {
        /// 1 to 1000.
        share: u32,
    },
    /// A line of its bus is held low.
    Stuck,
    /// It is away from the truth.
    Drift {
        /// How far, in thousandths of a degree.
        by: i32,
        /// How long it takes to get there.
        over: Duration,
    },
    /// Each reading is somewhere beside the truth.
    Noise {
        /// How far at most, in thousandths of a degree.
        by: i32,
    },
}

/// When it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// So long after the house began.
    After(Duration),
    /// Each day, so long after midnight, UTC.
    Daily(Duration),
}

/// Something that goes wrong for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Episode {
    /// What.
    pub trouble: Trouble,
    /// When.
    pub begin: Begin,
    /// How long; `None`: for ever.
    pub lasts: Option<Duration>,
}

impl Episode {
    /// How long it has lasted at `now` in a house that began at `start`; `None` if it does not.
    pub fn lasting(&self, start: u64, now: u64) -> Option<Duration> {
        let lasted = match self.begin {
            Begin::After(wait) => now.checked_sub(start.saturating_add(ms(wait)))?,
            Begin::Daily(hour) => (now % DAY_MS + DAY_MS - ms(hour) % DAY_MS) % DAY_MS,
        };
        let lasted = Duration::from_millis(lasted);
        self.lasts.is_none_or(|lasts| lasted < lasts).then_some(lasted)
    }
}

/// Milliseconds of a duration.
fn ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What is wrong with a sensor and its bus at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// What is in its place.
    pub presence: Presence,
    /// No conversion succeeds.
    pub is_powering_on: bool,
    /// How often a transfer has wrong bits; of the whole bus.
    pub crc: Option<Odds>,
    /// A line is held low; of the whole bus.
    pub is_stuck: bool,
    /// How far it is from the truth, in thousandths of a degree.
    pub away: i32,
}

/// What is in the place of a sensor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Presence {
    /// The sensor.
    #[default]
    Itself,
    /// Nothing.
    Nobody,
    /// Another chip.
    Stranger,
}

impl State {
    /// What these episodes make of a sensor; `key`, another for each, determines its noise.
    pub fn of(episodes: &[Episode], key: u64, start: u64, now: u64) -> Self {
        let mut state = Self::default();
        for episode in episodes {
            let Some(lasted) = episode.lasting(start, now) else { continue };
            match episode.trouble {
                Trouble::Unplugged => state.presence = Presence::Nobody,
                Trouble::WrongChip => state.presence = Presence::Stranger,
                Trouble::PowerOn => state.is_powering_on = true,
                Trouble::Crc { share } => state.crc = Some(Odds::in_thousand(share)),
                Trouble::Stuck => state.is_stuck = true,
                Trouble::Drift { by, over } => state.away += drifted(by, over, lasted),
                Trouble::Noise { by } => state.away += noise(by, mix(key ^ now)),
            }
        }
        state
    }
}

/// How far a sensor has come that goes as far as `by` in the time of `over`.
fn drifted(by: i32, over: Duration, lasted: Duration) -> i32 {
    let (by, over) = (i128::from(by), i128::from(ms(over)));
    let way = (by * i128::from(ms(lasted))).checked_div(over);
    let away = way.map_or(by, |way| way.clamp(-by.abs(), by.abs()));
    i32::try_from(away).unwrap_or(0)
}

fn noise(by: i32, key: u64) -> i32 {
    let span = u64::from(by.unsigned_abs()) * 2 + 1;
    let drawn = i64::try_from(Chance::new(key).below(span)).unwrap_or(0);
    i32::try_from(drawn - i64::from(by.unsigned_abs())).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1000;
    const HOUR: u64 = 3600 * SECOND;
    /// Eight in the morning of some day.
    const START: u64 = 20_000 * DAY_MS + 8 * HOUR;

    fn episode(trouble: Trouble, begin: Begin, lasts: Option<u64>) -> Episode {
        Episode { trouble, begin, lasts: lasts.map(Duration::from_secs) }
    }

    /// Whether something lasts at these seconds from the start on.
    #[track_caller]
    fn check(begin: Begin, lasts: Option<u64>, expected: &[(u64, Option<u64>)]) {
        let episode = episode(Trouble::Unplugged, begin, lasts);
        for (second, lasted) in expected {
            let found = episode.lasting(START, START + second * SECOND);
            assert_eq!(found, lasted.map(Duration::from_secs), "{begin:?} at {second}");
        }
    }

    #[test]
    fn episodes_begin_after_a_while_or_each_day() {
        let after = Begin::After(Duration::from_secs(20));
        check(after, Some(10), &[(0, None), (19, None), (20, Some(0)), (29, Some(9)), (30, None)]);
        check(after, None, &[(19, None), (86_400 * 9, Some(86_400 * 9 - 20))]);
        let ten = Begin::Daily(Duration::from_secs(10 * 3600));
        let at_ten = 2 * 3600;
        let days = [at_ten, at_ten + 86_400];
        for ten_o_clock in days {
            let expected = [
                (ten_o_clock - 1, None),
                (ten_o_clock, Some(0)),
                (ten_o_clock + 299, Some(299)),
                (ten_o_clock + 300, None),
            ];
            check(ten, Some(300), &expected);
        }
        let before_midnight = Begin::Daily(Duration::from_secs(23 * 3600));
        check(before_midnight, Some(7200), &[(15 * 3600 - 1, None), (16 * 3600, Some(3600))]);
    }

    #[test]
    fn a_sensor_drifts_and_what_befalls_it_adds_up() {
        let after = |second| Begin::After(Duration::from_secs(second));
        let drift = Trouble::Drift { by: -3000, over: Duration::from_secs(60) };
        let at_once = Trouble::Drift { by: 500, over: Duration::ZERO };
        let episodes = [
            episode(drift, after(10), Some(120)),
            episode(at_once, after(100), None),
            episode(Trouble::Crc { share: 10 }, after(0), None),
        ];
        let away = |second: u64| State::of(&episodes, 1, START, START + second * SECOND).away;
        let found = [0, 10, 40, 70, 99, 100, 130].map(away);
        assert_eq!(found, [0, 0, -1500, -3000, -3000, -2500, 500]);
        let state = State::of(&episodes, 1, START, START);
        assert_eq!(state, State { crc: Some(Odds::in_thousand(10)), ..State::default() });
    }

    #[test]
    fn noise_is_within_its_bounds_on_both_sides_and_of_each_sensor() {
        let noisy = [episode(Trouble::Noise { by: 500 }, Begin::After(Duration::ZERO), None)];
        let away = |key, second| State::of(&noisy, key, START, START + second * SECOND).away;
        let drawn: Vec<_> = (0..1000).map(|second| away(1, second)).collect();
        assert!(drawn.iter().all(|away| away.abs() <= 500));
        assert!(drawn.iter().min() < Some(&-450) && drawn.iter().max() > Some(&450));
        assert_ne!(away(1, 5), away(2, 5));
    }
}
