//! Seeded chance: the same seed gives the same house, the same noise and the same faults.

/// How often something happens: so often of so many times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Odds {
    often: u32,
    of: u32,
}

impl Odds {
    /// It does not happen.
    pub const NEVER: Self = Self { often: 0, of: 1 };
    /// It happens each time.
    pub const ALWAYS: Self = Self { often: 1, of: 1 };

    /// Once in `times` on average; zero is [`Odds::NEVER`].
    pub const fn one_in(times: u32) -> Self {
        if times == 0 { Self::NEVER } else { Self { often: 1, of: times } }
    }

    /// So many times in a thousand on average.
    pub const fn in_thousand(often: u32) -> Self {
        if often == 0 { Self::NEVER } else { Self { often, of: 1000 } }
    }
}

/// A stream of pseudo-random numbers: `SplitMix64` (Steele, Lea, Flood: "Fast splittable
/// pseudorandom number generators", 2014). Good enough for faults and weather, not for secrets.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// A stream that `seed` determines.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number, evenly over all of `u64`.
    pub const fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number from 0 to `bound` - 1, or 0 if `bound` is. The bias is below 2⁻³² for small bounds.
    pub const fn below(&mut self, bound: u64) -> u64 {
        match self.draw().checked_rem(bound) {
            Some(number) => number,
            None => 0,
        }
    }

    /// Whether something of these odds happens now. [`Odds::NEVER`] draws nothing.
    pub fn happens(&mut self, odds: Odds) -> bool {
        odds != Odds::NEVER && self.below(u64::from(odds.of)) < u64::from(odds.often)
    }
}

/// Scatters `number` over all of `u64`: neighbours end far apart.
pub const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_as_often_as_it_says() {
        for share in [0, 1, 400, 600, 999, 1000] {
            let mut chance = Chance::new(5);
            let odds = Odds::in_thousand(share);
            let often = (0..100_000).filter(|_| chance.happens(odds)).count();
            let expected = usize::try_from(share).unwrap() * 100;
            assert!(often.abs_diff(expected) < 800, "{share}: {often}");
        }
    }

    /// First values of the published generator for seed 1234567.
    #[test]
    fn the_stream_is_splitmix64() {
        let mut chance = Chance::new(1_234_567);
        assert_eq!(chance.draw(), 6_457_827_717_110_365_317);
        assert_eq!(chance.draw(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn odds_are_met_within_a_tenth() {
        let mut chance = Chance::new(7);
        let count = (0..100_000).filter(|_| chance.happens(Odds::one_in(100))).count();
        assert!((900..1100).contains(&count), "{count}");
        assert!((0..1000).all(|_| !chance.happens(Odds::NEVER)));
        assert!((0..1000).all(|_| chance.happens(Odds::ALWAYS)));
    }
}
