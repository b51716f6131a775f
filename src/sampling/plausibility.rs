//! Whether a reading may be believed: its range, the power-on value, its rate of change.

use std::time::Duration;

use crate::sensors::Fault;
use crate::time::Tick;
use crate::units::Value;

use super::{Reason, Rules, SensorSettings};

/// How far from a possible power-on value the reading before it may be to speak for it, in
/// thousandths of a degree. A wrong belief is then wrong by no more than that.
const POWER_ON_NEIGHBOURHOOD: u32 = 5000;

/// One quantity of an answer, not yet judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Raw {
    /// As the chip said it.
    pub(super) value: Value,
    /// The chip may be repeating its power-on value.
    pub(super) may_be_power_on: bool,
}

/// What one sensor said before of one quantity, raw.
#[derive(Debug, Default)]
pub(super) struct Plausibility {
    believed: Option<Sample>,
    /// Changed too fast, and waits to be confirmed.
    doubted: Option<Sample>,
    /// A fault came after `believed`: the chip may have lost its supply in between.
    interrupted: bool,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    raw: Value,
    read: Tick,
}

impl Plausibility {
    /// The raw value, if it may be believed.
    pub(super) fn judge(
        &mut self,
        settings: &SensorSettings,
        rules: &Rules,
        now: Tick,
        result: Result<Raw, Fault>,
    ) -> Result<Value, Reason> {
        let Raw { value: raw, may_be_power_on } = result.map_err(|fault| self.interrupt(fault))?;
        if !(rules.lowest..=rules.highest).contains(&raw) {
            return Err(Reason::Range);
        }
        if may_be_power_on {
            self.judge_power_on(settings, now, raw)?;
        }
        self.judge_rate(settings, rules, Sample { raw, read: now })?;
        *self = Self { believed: Some(Sample { raw, read: now }), ..Self::default() };
        Ok(raw)
    }

    fn interrupt(&mut self, fault: Fault) -> Reason {
        self.interrupted = true;
        Reason::Fault(fault)
    }

    /// 85 °C in a sauna is a reading: a recent one close by speaks for it, though after a fault it
    /// must come twice. Elsewhere it stays a fault however often it comes.
    fn judge_power_on(
        &mut self,
        settings: &SensorSettings,
        now: Tick,
        raw: Value,
    ) -> Result<(), Reason> {
        let interrupted = std::mem::take(&mut self.interrupted);
        let is_near = self.believed.is_some_and(|before| {
            now.since(before.read) < settings.stale_after
                && before.raw.distance(raw) <= POWER_ON_NEIGHBOURHOOD
        });
        if is_near && !interrupted { Ok(()) } else { Err(Reason::Fault(Fault::PowerOn)) }
    }

    /// A change is believable if it is slow, or if the reading of an earlier slot showed it too.
    fn judge_rate(
        &mut self,
        settings: &SensorSettings,
        rules: &Rules,
        sample: Sample,
    ) -> Result<(), Reason> {
        let (Some(rate), Some(believed)) = (rules.rate_per_minute, self.believed) else {
            return Ok(());
        };
        let known = [Some(believed), self.doubted];
        if known.into_iter().flatten().any(|from| sample.follows(from, rate, settings.interval)) {
            return Ok(());
        }
        self.doubted = Some(sample);
        Err(Reason::Rate)
    }
}

impl Sample {
    /// Whether the way from `from` to here is possible at `rate`. After a late retry the next slot
    /// comes so soon that noise would be too fast: no time counts as shorter than the interval.
    fn follows(self, from: Self, rate: u32, interval: Duration) -> bool {
        let elapsed = self.read.since(from.read).max(interval);
        let allowed = u128::from(rate).saturating_mul(elapsed.as_micros()) / 60_000_000;
        u128::from(self.raw.distance(from.raw)) <= allowed
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::Said::{Degrees, Faulty, PowerOn};
    use super::super::tests::{Said, raw, settings, with_rules};
    use super::*;

    const POWER_ON: Reason = Reason::Fault(Fault::PowerOn);
    const CRC: Reason = Reason::Fault(Fault::Crc);

    /// Answers 10 s apart, and what is believed of them: thousandths.
    #[track_caller]
    fn check(settings: &SensorSettings, story: &[(Said, Result<i32, Reason>)]) {
        let mut plausibility = Plausibility::default();
        for (index, (said, expected)) in (0_u64..).zip(story) {
            let result = said.result().unwrap().map(raw);
            let now = Tick::from_micros(index * 10_000_000);
            let judged = plausibility.judge(settings, &settings.temperature, now, result);
            assert_eq!(judged.map(Value::thousandths), *expected, "answer {index}");
        }
    }

    fn rate_of(rate_per_minute: u32) -> SensorSettings {
        with_rules(|rules| rules.rate_per_minute = Some(rate_per_minute))
    }

    #[test]
    fn the_range_includes_its_ends() {
        let story = [
            (Degrees(-55_001), Err(Reason::Range)),
            (Degrees(-55_000), Ok(-55_000)),
            (Degrees(125_000), Ok(125_000)),
            (Degrees(125_001), Err(Reason::Range)),
        ];
        check(&settings(), &story);
    }

    #[test]
    fn a_spike_is_refused_and_a_step_is_accepted_when_it_is_confirmed() {
        let spike = [
            (Degrees(20_000), Ok(20_000)),
            (Degrees(21_000), Ok(21_000)),
            (Degrees(50_000), Err(Reason::Rate)),
            (Degrees(21_500), Ok(21_500)),
            (Degrees(50_000), Err(Reason::Rate)),
        ];
        check(&rate_of(6000), &spike);
        let step = [
            (Degrees(20_000), Ok(20_000)),
            (Degrees(50_000), Err(Reason::Rate)),
            (Degrees(50_900), Ok(50_900)),
            (Degrees(51_900), Ok(51_900)),
        ];
        check(&rate_of(6000), &step);
    }

    #[test]
    fn noise_that_never_agrees_with_itself_is_never_believed() {
        let story = [
            (Degrees(20_000), Ok(20_000)),
            (Degrees(50_000), Err(Reason::Rate)),
            (Degrees(90_000), Err(Reason::Rate)),
            (Degrees(-30_000), Err(Reason::Rate)),
        ];
        check(&rate_of(6000), &story);
    }

    #[test]
    fn a_fault_between_two_readings_does_not_forget_the_one_in_doubt() {
        let story = [
            (Degrees(20_000), Ok(20_000)),
            (Degrees(50_000), Err(Reason::Rate)),
            (Faulty(Fault::Crc), Err(CRC)),
            (Degrees(50_000), Ok(50_000)),
        ];
        check(&rate_of(6000), &story);
    }

    #[test]
    fn what_is_allowed_grows_with_the_time_between() {
        let story = [
            (Degrees(20_000), Ok(20_000)),
            (Faulty(Fault::Crc), Err(CRC)),
            (Degrees(22_000), Ok(22_000)),
        ];
        check(&rate_of(6000), &story);
        let story = [(Degrees(20_000), Ok(20_000)), (Degrees(22_000), Err(Reason::Rate))];
        check(&rate_of(6000), &story);
    }

    #[test]
    fn the_power_on_value_is_refused_at_the_start_and_far_from_what_was_read_before() {
        let story = [
            (PowerOn, Err(POWER_ON)),
            (PowerOn, Err(POWER_ON)),
            (PowerOn, Err(POWER_ON)),
            (Degrees(21_000), Ok(21_000)),
            (PowerOn, Err(POWER_ON)),
            (PowerOn, Err(POWER_ON)),
            (Degrees(79_999), Ok(79_999)),
            (PowerOn, Err(POWER_ON)),
        ];
        check(&settings(), &story);
    }

    #[test]
    fn eighty_five_degrees_in_a_sauna_is_a_reading() {
        let story = [
            (Degrees(80_000), Ok(80_000)),
            (PowerOn, Ok(85_000)),
            (PowerOn, Ok(85_000)),
            (Degrees(89_000), Ok(89_000)),
            (PowerOn, Ok(85_000)),
        ];
        check(&settings(), &story);
        check(&settings(), &[(Degrees(85_000), Ok(85_000))]);
    }

    #[test]
    fn after_a_fault_the_power_on_value_must_come_twice_even_in_a_sauna() {
        let story = [
            (Degrees(84_000), Ok(84_000)),
            (Faulty(Fault::Crc), Err(CRC)),
            (PowerOn, Err(POWER_ON)),
            (PowerOn, Ok(85_000)),
        ];
        check(&SensorSettings { stale_after: Duration::from_secs(60), ..settings() }, &story);
    }

    #[test]
    fn a_reading_that_is_too_old_does_not_speak_for_the_power_on_value() {
        let mut story = vec![(Degrees(84_000), Ok(84_000))];
        story.extend([(Faulty(Fault::Crc), Err(CRC)); 2]);
        story.extend([(PowerOn, Err(POWER_ON)); 3]);
        check(&settings(), &story);
    }
}
