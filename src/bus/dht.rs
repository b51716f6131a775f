//! DHT11 and DHT22 on a pin of their own, which our own process looks at as fast as it can.
//!
//! ```text
//!  host: low 1 to 20 ms   chip: low 80 µs, high 80 µs, then 40 bits     and lets go
//!  ─┐                ┌──┐        ┌────────┐      ┌─┐      ┌────┐      ┌─┐      ┌────
//!   └────────────────┘  └────────┘        └──────┘ └──────┘    └──────┘ └ … ───┘
//!                                          50 µs 26 = 0    70 = 1
//! ```
//!
//! An operating system interrupts this process whenever it likes. So each edge is known to lie
//! between two times, each pulse to be between two lengths, and a bit counts only if it cannot be
//! the other one. Eight bits of a sum notice one mistake in 256, so an answer counts when two are
//! the same, or three are near each other. Where a sum was wrong lately bits are flipped on the
//! wire itself, two of which a sum may miss, and the same two again: there three must be the same.

use std::time::Duration;

use embedded_hal_02::digital::v2::{InputPin, OutputPin};

use crate::bus::{Attached, Bus};
use crate::limits;
use crate::sampling::SensorId;
use crate::sensors::dht::{FRAME_BYTES, Kind};
use crate::sensors::{Fault, Measurement};
use crate::units::{MilliCelsius, MilliPercent};

/// Time for one who must not sleep while he looks.
pub trait Stopwatch {
    /// What it shows; never less than before.
    fn now(&mut self) -> Duration;
    /// Waits at least so long.
    fn sleep(&mut self, time: Duration);
}

/// The chip on the pin `P`, timed by `W`. The pin is open-drain: high lets the line go.
#[derive(Debug)]
pub struct DhtPin<P, W> {
    pin: P,
    watch: W,
    sensor: Option<(SensorId, Kind)>,
    asked_at: Option<Duration>,
    /// Good answers until the line is trusted: so many at the start, and after each that was wrong
    /// though every pulse was seen.
    doubt: u32,
}

/// Shortest time from one answer to the next (datasheet of the AM2302, section 7.3).
const PAUSE: Duration = Duration::from_secs(2);

/// Longest from one edge to the next within an answer, and before its first.
const SILENCE: Duration = Duration::from_micros(300);
/// What an answer takes at most.
const ANSWER: Duration = Duration::from_millis(8);

/// Edges of an answer, the first of which falls: one pulse of response, forty bits, the end.
const EDGES: usize = 3 + 2 * BITS + 1;
const BITS: usize = FRAME_BYTES * 8;

/// Lengths of pulses in microseconds (AM2302, section 7.2), with room for clones.
const RESPONSE: (u64, u64) = (50, 110);
const BIT_LOW: (u64, u64) = (30, 80);
const ZERO: (u64, u64) = (10, 45);
const ONE: (u64, u64) = (52, 95);

/// Furthest that answers of one chip are from each other within some seconds.
const NEAR_CELSIUS: u32 = 500;
const NEAR_PERCENT: u32 = 3_000;

/// When the line changed: not before, and not after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Edge {
    earliest: Duration,
    latest: Duration,
}

impl<P, W> DhtPin<P, W>
where
    P: InputPin + OutputPin<Error = <P as InputPin>::Error>,
    W: Stopwatch,
{
    /// The first of these sensors that is such a chip: there is one on a pin.
    pub fn new(pin: P, watch: W, attached: &[Attached]) -> Self {
        let mut chips = attached.iter();
        let sensor = chips.find_map(|sensor| Some((sensor.id, Kind::of(sensor.driver)?)));
        Self { pin, watch, sensor, asked_at: None, doubt: limits::DHT_DOUBT }
    }

    /// The pin, to look at.
    pub const fn pin(&self) -> &P {
        &self.pin
    }

    /// The pin.
    pub const fn pin_mut(&mut self) -> &mut P {
        &mut self.pin
    }

    /// Takes 2 s, and 2 s more for each answer that is lost, old or in doubt. Where nobody answers
    /// twice nobody is there.
    fn believed(&mut self, kind: Kind) -> Result<Measurement, Fault> {
        let mut seen: Vec<Measurement> = Vec::with_capacity(limits::DHT_ANSWERS_MAX);
        let mut failed = None;
        for _ in 0..limits::DHT_ANSWERS_MAX {
            match self.answer(kind).and_then(|frame| kind.decode(frame)) {
                Ok(read) => {
                    seen.push(read);
                    let alike = seen.iter().filter(|other| **other == read).count();
                    let is_doubtful = self.doubt > 0;
                    self.doubt = self.doubt.saturating_sub(1);
                    if alike >= if is_doubtful { 3 } else { 2 } {
                        return Ok(read);
                    }
                }
                Err(fault @ (Fault::Absent | Fault::StuckLow)) if failed == Some(fault) => {
                    return Err(fault);
                }
                Err(fault) => {
                    if matches!(fault, Fault::Crc | Fault::WrongChip) {
                        self.doubt = limits::DHT_DOUBT;
                    }
                    failed = Some(fault);
                }
            }
            if let [one, other, third] = seen[..]
                && self.doubt == 0
                && let Some(middle) = middle([one, other, third])
            {
                return Ok(middle);
            }
        }
        Err(failed.unwrap_or(Fault::Garbled))
    }

    /// What the chip measured when it was asked last, at its start or some seconds ago.
    fn answer(&mut self, kind: Kind) -> Result<[u8; FRAME_BYTES], Fault> {
        if let Some(asked_at) = self.asked_at {
            let passed = self.watch.now().saturating_sub(asked_at);
            self.watch.sleep(PAUSE.saturating_sub(passed));
        }
        self.asked_at = Some(self.watch.now());
        self.pin.set_low().map_err(|_| Fault::Bus)?;
        self.watch.sleep(match kind {
            Kind::Dht11 => Duration::from_millis(20),
            Kind::Dht22 => Duration::from_millis(2),
        });
        self.pin.set_high().map_err(|_| Fault::Bus)?;
        frame(&self.edges()?)
    }

    /// Every change of the line from now on until it is quiet; the first one falls.
    fn edges(&mut self) -> Result<Vec<Edge>, Fault> {
        let mut edges = Vec::with_capacity(EDGES + 2);
        let begin = self.watch.now();
        // Each look lies between the time before it and the time after it.
        let (mut before_last, mut last, mut was_high) = (begin, begin, true);
        loop {
            let is_high = self.pin.is_high().map_err(|_| Fault::Bus)?;
            let now = self.watch.now();
            if is_high != was_high {
                edges.push(Edge { earliest: before_last, latest: now });
                was_high = is_high;
            }
            (before_last, last) = (last, now);
            let since = edges.last().map_or(begin, |edge| edge.latest);
            let is_quiet = now.saturating_sub(since) > SILENCE;
            if is_quiet || now.saturating_sub(begin) > ANSWER || edges.len() > EDGES + 2 {
                break;
            }
        }
        match (edges.len(), was_high) {
            (0, _) => Err(Fault::Absent),
            (_, false) => Err(Fault::StuckLow),
            (_, true) => Ok(edges),
        }
    }
}

impl<P, W> Bus for DhtPin<P, W>
where
    P: InputPin + OutputPin<Error = <P as InputPin>::Error> + Send,
    W: Stopwatch + Send,
{
    fn read(
        &mut self,
        sensors: &[SensorId],
        answer: &mut dyn FnMut(SensorId, Result<Measurement, Fault>),
    ) {
        for &sensor in sensors {
            let reading = match self.sensor {
                Some((id, kind)) if id == sensor => self.believed(kind),
                _ => Err(Fault::Absent),
            };
            answer(sensor, reading);
        }
    }
}

/// The bytes between these edges. Where the line had not risen at the first look, two more edges
/// are the host's own.
fn frame(edges: &[Edge]) -> Result<[u8; FRAME_BYTES], Fault> {
    let edges = match edges.len().checked_sub(EDGES) {
        Some(0) => edges,
        Some(2) => edges.get(2..).unwrap_or_default(),
        _ => return Err(Fault::Garbled),
    };
    let pulse = |from: usize| Some((*edges.get(from)?, *edges.get(from + 1)?));
    let is = |from: usize, lengths| pulse(from).is_some_and(|pulse| within(pulse, lengths));
    if !is(0, RESPONSE) || !is(1, RESPONSE) {
        return Err(Fault::Garbled);
    }
    let mut bytes = [0; FRAME_BYTES];
    for (byte, bits) in bytes.iter_mut().zip((0..BITS).collect::<Vec<_>>().chunks(8)) {
        for bit in bits {
            let low = 2 + 2 * bit;
            let value = match (is(low + 1, ZERO), is(low + 1, ONE)) {
                (true, false) => 0,
                (false, true) => 1,
                _ => return Err(Fault::Garbled),
            };
            if !is(low, BIT_LOW) {
                return Err(Fault::Garbled);
            }
            *byte = *byte << 1 | value;
        }
    }
    Ok(bytes)
}

/// Whether a pulse has a length within these microseconds, whenever its edges were.
fn within((from, to): (Edge, Edge), (shortest, longest): (u64, u64)) -> bool {
    to.earliest.saturating_sub(from.latest) >= Duration::from_micros(shortest)
        && to.latest.saturating_sub(from.earliest) <= Duration::from_micros(longest)
}

/// Of three that are near each other: the middle of each quantity.
fn middle(three: [Measurement; 3]) -> Option<Measurement> {
    let mut celsius = three.map(|read| read.temperature.thousandths());
    let mut percent = three.map(|read| read.humidity.unwrap_or_default().thousandths());
    celsius.sort_unstable();
    percent.sort_unstable();
    let ([cold, temperature, warm], [dry, humidity, damp]) = (celsius, percent);
    let near = cold.abs_diff(warm) <= NEAR_CELSIUS && dry.abs_diff(damp) <= NEAR_PERCENT;
    near.then(|| Measurement {
        humidity: Some(MilliPercent::new(humidity)),
        ..Measurement::of(MilliCelsius::new(temperature))
    })
}

#[cfg(test)]
mod tests;
