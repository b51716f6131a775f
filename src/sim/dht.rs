//! A DHT11 or DHT22 down to its edges: it answers to a long low pulse with pulses of its own, whose
//! lengths are its bits (datasheet of the AM2302, section 7).

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use embedded_hal_02::digital::v2::{InputPin, OutputPin};

use crate::sim::air::Air;
use crate::sim::chance::{Chance, Odds};
use crate::sim::clock::{Jitter, VirtualClock};
use crate::sim::mishap::{Mishap, Mishaps, failure, invert};
use crate::sim::model::Model;
use crate::sim::socket::Socket;
use crate::sim::transcript::{self, Transcript};
use crate::time::Tick;

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whole per cents and tenths of a degree.
    Dht11,
    /// Tenths of both.
    Dht22,
}

/// From power-up to the first answer.
const STARTING: Duration = Duration::from_secs(1);
/// From one answer to the next: sooner it is deaf.
const RECOVERY: Duration = Duration::from_millis(1900);

/// The chip.
#[derive(Debug)]
pub struct Dht {
    kind: Kind,
    air: Air,
    /// Measured when it was asked last: that is what it sends next.
    latched: [u8; 5],
    ready_at: Tick,
    hangs: bool,
    chance: Chance,
    /// How often a bit is sent inverted.
    pub bit_flips: Odds,
    /// How often its supply fails within an answer.
    pub brown_outs: Odds,
    /// Bits that are inverted in its next answers, the next one first.
    pub inverted: VecDeque<[u8; 5]>,
}

impl Dht {
    /// A chip that powers up now; `seed` determines its faults, and how exact its clock is.
    pub fn new(kind: Kind, seed: u64, now: Tick) -> Self {
        let mut chip = Self {
            kind,
            air: Air::default(),
            latched: [0; 5],
            ready_at: now,
            hangs: false,
            chance: Chance::new(seed),
            bit_flips: Odds::NEVER,
            brown_outs: Odds::NEVER,
            inverted: VecDeque::new(),
        };
        chip.power_up(now);
        chip
    }

    /// The low pulse that it takes for a question.
    const fn question(&self) -> Duration {
        match self.kind {
            Kind::Dht11 => Duration::from_millis(18),
            Kind::Dht22 => Duration::from_micros(800),
        }
    }

    fn measured(&self) -> [u8; 5] {
        let tenths = |thousandths: i32| (thousandths * 2 + 100).div_euclid(200);
        let celsius = tenths(self.air.temperature.thousandths());
        let [.., t1, t2] = celsius.unsigned_abs().to_be_bytes();
        let low_byte = |number: i32| {
            let [.., low] = number.to_be_bytes();
            low
        };
        let sign = if celsius < 0 { 0x80 } else { 0 };
        let [h1, h2, t1, t2] = match self.kind {
            Kind::Dht22 => {
                let [.., h1, h2] = tenths(self.air.humidity.thousandths()).to_be_bytes();
                [h1, h2, t1 | sign, t2]
            }
            Kind::Dht11 => {
                let percent = (self.air.humidity.thousandths() + 500) / 1000;
                let magnitude = celsius.abs();
                [low_byte(percent), 0, low_byte(magnitude / 10), low_byte(magnitude % 10) | sign]
            }
        };
        [h1, h2, t1, t2, [h1, h2, t1, t2].into_iter().fold(0, u8::wrapping_add)]
    }

    /// What it answers to a low pulse of this length that ends now; `None`: it does not feel meant.
    fn answer(&mut self, now: Tick, low: Duration) -> Option<[u8; 5]> {
        if low < self.question() || now < self.ready_at {
            return None;
        }
        self.ready_at = now.after(RECOVERY);
        let sent = self.latched;
        if !self.hangs {
            self.latched = self.measured();
        }
        Some(sent)
    }

    /// The levels that it pulls the line to, each with its length in microseconds.
    fn pulses(&mut self, bytes: [u8; 5]) -> Vec<(bool, u64)> {
        let mut within = |from: u64, to: u64| from + self.chance.below(to - from + 1);
        let mut pulses =
            vec![(true, within(20, 40)), (false, within(75, 85)), (true, within(75, 85))];
        for bit in bytes.into_iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1)) {
            pulses.push((false, within(48, 55)));
            pulses.push((true, if bit == 1 { within(68, 75) } else { within(22, 30) }));
        }
        pulses.push((false, within(45, 55)));
        pulses
    }
}

impl Model for Dht {
    fn expose(&mut self, air: Air) {
        self.air = air;
    }

    fn power_up(&mut self, now: Tick) {
        self.ready_at = now.after(STARTING);
        if !self.hangs {
            self.latched = self.measured();
        }
    }

    fn hang(&mut self) {
        self.hangs = true;
    }

    /// The two bytes of its temperature.
    fn raw(&self) -> u32 {
        let [_, _, t1, t2, _] = self.latched;
        u32::from(u16::from_be_bytes([t1, t2]))
    }
}

/// What an electrician would find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// Pulled up, and free.
    Working,
    /// Shorted to ground.
    StuckLow,
    /// Cut: the pull-up holds it.
    Cut,
}

/// A pin with its chip, as the host sees it.
#[derive(Debug)]
pub struct DhtPin {
    clock: VirtualClock,
    socket: Socket<Dht>,
    fell: Option<Tick>,
    /// When the line changes, and to what; the first is the earliest.
    edges: Vec<(Tick, bool)>,
    transcript: Option<Transcript>,
    /// A transfer is an answer.
    mishaps: Mishaps,
    /// Breaks or mends the wire.
    pub line: Line,
}

impl DhtPin {
    /// A chip on a pin in the time of `clock`.
    pub fn new(chip: Dht, clock: VirtualClock) -> Self {
        Self {
            clock,
            socket: Socket::new(chip),
            fell: None,
            edges: Vec::new(),
            transcript: None,
            mishaps: Mishaps::default(),
            line: Line::Working,
        }
    }

    /// The chip, if it is there.
    pub fn chip_mut(&mut self) -> Option<&mut Dht> {
        self.socket.chip.as_mut()
    }

    /// Takes the chip away.
    pub fn detach(&mut self) -> Option<Dht> {
        self.socket.chip.take()
    }

    /// Takes the chip away, to be put back.
    pub fn unplug(&mut self) {
        self.socket.unplug();
    }

    /// Puts it back: it powers up, and has a second until it is asked.
    pub fn plug(&mut self) {
        self.socket.plug(&self.clock, Model::power_up);
    }

    /// Puts a chip there.
    pub fn attach(&mut self, chip: Dht) {
        self.socket.chip = Some(chip);
    }

    /// What its clock shows.
    pub fn now(&self) -> Tick {
        self.clock.now()
    }

    /// From here on all that is said is written down.
    pub fn record(&mut self) {
        self.transcript = Some(Transcript::new(whole_ms(self.clock.now())));
    }

    /// What was written down.
    pub fn transcript(&self) -> &[String] {
        self.transcript.as_ref().map_or(&[], Transcript::lines)
    }

    /// Counts answers from here on; what happens, if anything, and at which of them.
    pub fn disturb(&mut self, mishap: Option<(usize, Mishap)>) {
        self.mishaps.plan(mishap);
    }

    /// How many bytes each of them had.
    pub fn transfers(&self) -> &[usize] {
        self.mishaps.transfers()
    }

    /// The host lets go after a low pulse.
    fn asked(&mut self, fell: Tick) {
        let now = self.clock.now();
        self.edges.clear();
        let Some(chip) = self.socket.chip.as_mut().filter(|_| self.line == Line::Working) else {
            return;
        };
        let mishap = self.mishaps.next(5);
        if let Some(Mishap::PowerFailure(ago)) = mishap {
            chip.power_up(failure(now, ago));
        }
        let Some(mut bytes) = chip.answer(now, now.since(fell)) else { return };
        if let Some(Mishap::BitFlip(bit)) = mishap {
            invert(&mut bytes, bit);
        }
        for (byte, mask) in bytes.iter_mut().zip(chip.inverted.pop_front().unwrap_or_default()) {
            *byte ^= mask;
        }
        for bit in 0..40 {
            if chip.chance.happens(chip.bit_flips) {
                invert(&mut bytes, bit);
            }
        }
        let mut at = now;
        for (level, micros) in chip.pulses(bytes) {
            self.edges.push((at, level));
            at = at.after(Duration::from_micros(micros));
        }
        self.edges.push((at, true));
        if chip.chance.happens(chip.brown_outs) {
            // It lets go in the middle of its answer, and restarts.
            let cut = usize::try_from(chip.chance.below(85)).unwrap_or(0);
            let then = self.edges.get(cut).map_or(now, |(at, _)| *at);
            chip.power_up(then);
            self.edges.truncate(cut);
            self.edges.push((then, true));
        }
        if let Some(transcript) = &mut self.transcript {
            let mut line = String::from("low");
            transcript::append(&mut line, '→', &bytes);
            transcript.note(whole_ms(fell), whole_ms(now), line);
        }
    }
}

impl InputPin for DhtPin {
    type Error = Infallible;

    fn is_high(&self) -> Result<bool, Infallible> {
        let now = self.clock.now();
        Ok(match self.line {
            Line::StuckLow => false,
            _ if self.fell.is_some() => false,
            _ => {
                let passed = self.edges.partition_point(|(at, _)| *at <= now);
                let last = passed.checked_sub(1).and_then(|last| self.edges.get(last));
                last.is_none_or(|(_, level)| *level)
            }
        })
    }

    fn is_low(&self) -> Result<bool, Infallible> {
        self.is_high().map(|level| !level)
    }
}

impl OutputPin for DhtPin {
    type Error = Infallible;

    fn set_low(&mut self) -> Result<(), Infallible> {
        self.fell.get_or_insert(self.clock.now());
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        if let Some(fell) = self.fell.take() {
            self.asked(fell);
        }
        Ok(())
    }
}

/// For transcripts: what is below a millisecond differs from pulse to pulse.
const fn whole_ms(at: Tick) -> Tick {
    Tick::from_micros(at.as_micros() / 1000 * 1000)
}

/// Looks at the time of a simulated house: each look takes two microseconds, as on the slowest Pi,
/// and sometimes another process has its turn.
#[derive(Clone, Debug)]
pub struct Looks {
    clock: VirtualClock,
    jitter: Jitter,
    chance: Chance,
}

impl Looks {
    /// At `clock`, disturbed by `jitter`; `seed` determines when.
    pub fn new(clock: VirtualClock, jitter: Jitter, seed: u64) -> Self {
        Self { clock, jitter, chance: Chance::new(seed) }
    }

    /// What the clock shows after one look.
    pub fn look(&mut self) -> Duration {
        let pause = self.jitter.pause(&mut self.chance);
        self.clock.advance(Duration::from_micros(2) + pause);
        Duration::from_micros(self.clock.now().as_micros())
    }

    /// Waits, and longer where another process has its turn.
    pub fn wait(&mut self, time: Duration) {
        let pause = self.jitter.pause(&mut self.chance);
        self.clock.advance(time + pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{MilliCelsius, MilliPercent};

    fn chip(kind: Kind, celsius: i32, percent: i32) -> [u8; 5] {
        let mut chip = Dht::new(kind, 1, Tick::ZERO);
        chip.expose(Air {
            temperature: MilliCelsius::new(celsius),
            humidity: MilliPercent::new(percent),
            ..Air::default()
        });
        chip.measured()
    }

    /// The examples of both datasheets.
    #[test]
    fn its_bytes_are_the_datasheets() {
        assert_eq!(chip(Kind::Dht22, 35_100, 65_200), [0x02, 0x8c, 0x01, 0x5f, 0xee]);
        assert_eq!(chip(Kind::Dht22, -10_100, 40_000), [0x01, 0x90, 0x80, 0x65, 0x76]);
        assert_eq!(chip(Kind::Dht11, 24_400, 53_000), [0x35, 0x00, 0x18, 0x04, 0x51]);
    }

    /// All that either can say, through the driver's own decoding.
    #[test]
    fn every_tenth_comes_back() {
        use crate::sensors::dht::Kind as Driver;
        let check = |kind, driver: Driver, celsius: i32, percent: i32| {
            let read = driver.decode(chip(kind, celsius * 100, percent * 100)).unwrap();
            assert_eq!(read.temperature, MilliCelsius::new(celsius * 100), "{driver:?}");
            assert_eq!(read.humidity, Some(MilliPercent::new(percent * 100)), "{driver:?}");
        };
        for celsius in -400..=800 {
            check(Kind::Dht22, Driver::Dht22, celsius, (celsius + 401).min(1000));
        }
        for percent in 1..=1000 {
            check(Kind::Dht22, Driver::Dht22, 215, percent);
        }
        for celsius in -200..=600 {
            check(Kind::Dht11, Driver::Dht11, celsius, 500);
        }
        for percent in 5..=95 {
            check(Kind::Dht11, Driver::Dht11, 215, percent * 10);
        }
    }

    #[test]
    fn it_sends_what_it_measured_when_it_was_asked_before() {
        let mut chip = Dht::new(Kind::Dht22, 1, Tick::ZERO);
        let first = chip.measured();
        let at = |seconds: u64| Tick::from_micros(seconds * 1_000_000);
        let low = Duration::from_millis(1);
        assert_eq!(chip.answer(Tick::ZERO, low), None, "it starts");
        chip.expose(Air { temperature: MilliCelsius::new(-5_000), ..Air::default() });
        assert_eq!(chip.answer(at(1), Duration::from_micros(500)), None, "that was no question");
        assert_eq!(chip.answer(at(1), low), Some(first));
        assert_eq!(chip.answer(at(2), low), None, "too soon");
        assert_eq!(chip.answer(at(3), low), Some(chip.measured()));
    }
}
