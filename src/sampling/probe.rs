//! One sensor: from an answer to the reports of its quantities.
//!
//! The temperature leads: where it is refused, the answer is refused as a whole, since a chip that
//! talks nonsense is not asked to be half right. Another quantity that is refused alone waits for
//! the next reading and costs no retry.

use crate::sensors::catalog::Promise;
use crate::sensors::{Fault, Measurement};
use crate::time::{Tick, Timestamp};
use crate::units::{Quantity, Value};

use super::channel::Channel;
use super::plausibility::Raw;
use super::{Reason, Report, SensorId, SensorSettings};

/// What is known of one sensor.
#[derive(Debug)]
pub(super) struct Probe {
    settings: SensorSettings,
    temperature: Channel,
    others: Vec<Channel>,
}

impl Probe {
    /// A sensor that will be read from `start` on.
    pub(super) fn new(id: SensorId, settings: SensorSettings, start: Tick) -> Self {
        let channel = |quantity| Channel::new(id, quantity, &settings, start);
        let temperature = channel(Quantity::Temperature);
        let others = settings.rules().map(|(quantity, _)| quantity);
        let others = others.filter(|quantity| *quantity != Quantity::Temperature);
        let others = others.map(channel).collect();
        Self { settings, temperature, others }
    }

    /// The temperature to show for an answer, or why the answer is refused.
    pub(super) fn judge(
        &mut self,
        now: Tick,
        result: &Result<Measurement, Fault>,
    ) -> Result<Value, Reason> {
        let raw = result.map(|measured| Raw {
            value: measured.temperature.value(),
            may_be_power_on: measured.may_be_power_on,
        });
        let rules = &self.settings.temperature;
        let judged = self.temperature.judge(&self.settings, rules, now, raw);
        if let Err(reason) = judged {
            self.others.iter_mut().for_each(|channel| channel.refused(reason));
        }
        judged
    }

    /// What to tell of an answer whose temperature is good.
    pub(super) fn good(
        &mut self,
        now: Tick,
        at: Timestamp,
        temperature: Value,
        result: &Result<Measurement, Fault>,
    ) -> Vec<Report> {
        let settings = &self.settings;
        let first = self.temperature.good(settings, &settings.temperature, now, at, temperature);
        let mut reports: Vec<_> = first.into_iter().collect();
        let Ok(measured) = result else { return reports };
        for channel in &mut self.others {
            let Some(rules) = settings.rules_of(channel.quantity()) else { continue };
            let raw = match measured.value(channel.quantity()) {
                Some(value) => Ok(Raw { value, may_be_power_on: false }),
                None if rules.promise == Promise::Perhaps => continue,
                None => Err(Fault::Absent),
            };
            reports.extend(match channel.judge(settings, rules, now, raw) {
                Ok(value) => channel.good(settings, rules, now, at, value),
                Err(reason) => channel.failed(rules, now, at, reason),
            });
        }
        reports
    }

    /// What to tell when all tries of a cycle failed.
    pub(super) fn failed(&mut self, now: Tick, at: Timestamp, reason: Reason) -> Vec<Report> {
        let settings = &self.settings;
        let channels = [&mut self.temperature].into_iter().chain(&mut self.others);
        let failed = channels.filter_map(|channel| {
            channel.failed(settings.rules_of(channel.quantity())?, now, at, reason)
        });
        failed.collect()
    }

    /// What to tell of the passing of time.
    pub(super) fn age(&mut self, now: Tick, at: Timestamp) -> Vec<Report> {
        let settings = &self.settings;
        let channels = [&mut self.temperature].into_iter().chain(&mut self.others);
        let aged = channels
            .filter_map(|channel| channel.age(settings.rules_of(channel.quantity())?, now, at));
        aged.collect()
    }

    /// When [`Probe::age`] will have something to tell.
    pub(super) fn deadline(&self) -> Option<Tick> {
        let channels = [&self.temperature].into_iter().chain(&self.others);
        let deadlines = channels
            .filter_map(|channel| channel.deadline(self.settings.rules_of(channel.quantity())?));
        deadlines.min()
    }
}
