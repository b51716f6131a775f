//! Pins: the level at each look, and the time where somebody asked for it.

use std::fmt::Write;
use std::time::Duration;

use embedded_hal_02::digital::v2::{InputPin, OutputPin};
use serde::{Deserialize, Serialize};

use super::Tapped;
use crate::bus::dht::Stopwatch;

/// Levels and times in the order in which somebody asked for them. Written as `h` and `l`, and as
/// nanoseconds since the time before, with a `+`: `+1200h+80l+75`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Looks(Vec<Look>);

/// What somebody asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Whether the pin is high.
    Level(bool),
    /// What the watch shows.
    Time(Duration),
}

impl Looks {
    /// Whether nobody asked for anything.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was asked for.
    pub fn iter(&self) -> impl Iterator<Item = Look> {
        self.0.iter().copied()
    }

    /// Without the looks that cannot matter: who looks again and again, each time with a time
    /// behind it, learns of an edge from the three looks around it, and of the end from the last.
    pub(super) fn shortened(self) -> Self {
        let mut kept = Vec::with_capacity(self.0.len());
        let mut rest = self.0.as_slice();
        while let Some((first, others)) = rest.split_first() {
            let pairs = pairs(rest);
            if pairs.len() > 1 {
                kept.extend(telling(&pairs).into_iter().flatten());
                rest = rest.get(2 * pairs.len()..).unwrap_or_default();
            } else {
                kept.push(*first);
                rest = others;
            }
        }
        Self(kept)
    }
}

/// The looks with a time behind each that these begin with.
fn pairs(looks: &[Look]) -> Vec<[Look; 2]> {
    let pairs = looks.chunks(2).map_while(|pair| match pair {
        [level @ Look::Level(_), time @ Look::Time(_)] => Some([*level, *time]),
        _ => None,
    });
    pairs.collect()
}

/// Those at an edge, the two before each, the first and the last.
fn telling(pairs: &[[Look; 2]]) -> Vec<[Look; 2]> {
    let level = |at: usize| pairs.get(at).map(|[level, _]| *level);
    let is_edge = |at: usize| at > 0 && at < pairs.len() && level(at) != level(at - 1);
    // Before the first look the line is taken for high.
    let first_is_low = level(0) == Some(Look::Level(false));
    let matters = |at: usize| {
        at == 0 || at + 1 == pairs.len() || (at..=at + 2).any(is_edge) || (first_is_low && at == 1)
    };
    let kept = pairs.iter().enumerate().filter(|(at, _)| matters(*at));
    kept.map(|(_, pair)| *pair).collect()
}

impl From<Looks> for String {
    fn from(looks: Looks) -> Self {
        let (mut text, mut last) = (Self::new(), Duration::ZERO);
        for look in looks.0 {
            match look {
                Look::Level(true) => text.push('h'),
                Look::Level(false) => text.push('l'),
                Look::Time(now) => {
                    write!(text, "+{}", now.saturating_sub(last).as_nanos())
                        .expect("a `String` takes all");
                    last = now;
                }
            }
        }
        text
    }
}

impl TryFrom<String> for Looks {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (mut looks, mut last) = (Vec::new(), Duration::ZERO);
        let mut rest = text.as_str();
        while let Some(first) = rest.chars().next() {
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
            looks.push(match first {
                'h' => Look::Level(true),
                'l' => Look::Level(false),
                '+' => {
                    let end = rest.find(|digit: char| !digit.is_ascii_digit());
                    let (digits, behind) = rest.split_at(end.unwrap_or(rest.len()));
                    rest = behind;
                    let nanos = digits.parse().map_err(|_| format!("no time: `+{digits}`"))?;
                    last = last.saturating_add(Duration::from_nanos(nanos));
                    Look::Time(last)
                }
                other => return Err(format!("neither a level nor a time: `{other}`")),
            });
        }
        Ok(Self(looks))
    }
}

impl<P: InputPin> InputPin for Tapped<P> {
    type Error = P::Error;

    fn is_high(&self) -> Result<bool, P::Error> {
        let is_high = self.inner.is_high()?;
        self.tap.look(|looks| looks.0.push(Look::Level(is_high)));
        Ok(is_high)
    }

    fn is_low(&self) -> Result<bool, P::Error> {
        let is_low = self.inner.is_low()?;
        self.tap.look(|looks| looks.0.push(Look::Level(!is_low)));
        Ok(is_low)
    }
}

impl<P: OutputPin> OutputPin for Tapped<P> {
    type Error = P::Error;

    fn set_low(&mut self) -> Result<(), P::Error> {
        self.inner.set_low()
    }

    fn set_high(&mut self) -> Result<(), P::Error> {
        self.inner.set_high()
    }
}

impl<W: Stopwatch> Stopwatch for Tapped<W> {
    fn now(&mut self) -> Duration {
        let now = self.inner.now();
        self.tap.look(|looks| looks.0.push(Look::Time(now)));
        now
    }

    fn sleep(&mut self, time: Duration) {
        self.inner.sleep(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(text: &str) -> Looks {
        Looks::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn looks_are_read_back_as_they_were_written() {
        for text in ["", "hlhh", "+5h+10l+0", "+18446744073709551615"] {
            assert_eq!(String::from(looks(text)), text);
        }
        assert!(Looks::try_from("+h".to_owned()).is_err());
        assert!(Looks::try_from("hx".to_owned()).is_err());
    }

    #[test]
    fn looks_between_edges_are_left_out_and_those_around_them_stay() {
        let short = String::from(looks("+9h+1h+1h+1h+1h+1l+1l+1l+1l+1h+1h+1h+1").shortened());
        assert_eq!(short, "+9h+1h+3h+1l+1l+2l+1h+1h+2");
        assert_eq!(
            String::from(looks("hhhhlll").shortened()),
            "hhhhlll",
            "no times, no shortening"
        );
    }
}
