//! Sensors that measure more than the temperature: each quantity is judged by itself, under the
//! lead of the temperature.

use super::*;

/// A sensor that also gives the humidity.
fn with_humidity(promise: Promise) -> SensorSettings {
    let percent = |thousandths| MilliPercent::new(thousandths).value();
    let rules = Rules {
        promise,
        lowest: percent(0),
        highest: percent(100_000),
        calibration: Calibration::Offset(percent(2000)),
        ..settings().temperature
    };
    SensorSettings { humidity: Some(rules), ..settings() }
}

/// A sampler that has asked its sensor, and what it reports of one answer after the other, 10 s
/// apart: quantity, state, value.
fn told(
    settings: SensorSettings,
    answers: &[Result<(i32, Option<i32>), Fault>],
) -> Vec<Vec<(Quantity, State, Option<i32>)>> {
    let mut sampler = Sampler::new(vec![sensor(A, settings)], 1, Tick::ZERO);
    let answers = answers.iter().zip(0_u64..);
    let told = answers.map(|(answer, index)| {
        let (now, at) = (second(index * 10 + 10), Timestamp::new(index, true));
        let result = answer.map(|(thousandths, humidity)| Measurement {
            humidity: humidity.map(MilliPercent::new),
            ..Measurement::of(MilliCelsius::new(thousandths))
        });
        let mut reports = Vec::new();
        let mut take = |sampler: &mut Sampler| {
            while let Some(output) = sampler.poll() {
                if let Output::Report(Report { quantity, state, value, .. }) = output {
                    let value = value.map(|reading| reading.value.thousandths());
                    reports.push((quantity, state, value));
                }
            }
        };
        sampler.handle(now, Input::Wake { at });
        take(&mut sampler);
        sampler.handle(now, Input::Answer { sensor: A, at, result });
        take(&mut sampler);
        reports
    });
    told.collect()
}

const T: Quantity = Quantity::Temperature;
const H: Quantity = Quantity::Humidity;

#[test]
fn each_quantity_is_told_with_its_own_calibration() {
    let told = told(with_humidity(Promise::Always), &[Ok((21_000, Some(48_000)))]);
    assert_eq!(told, [[(T, State::Ok, Some(21_000)), (H, State::Ok, Some(50_000))]]);
}

#[test]
fn a_humidity_out_of_range_is_refused_alone() {
    let range = State::Suspect(Reason::Range);
    let answers = [Ok((21_000, Some(48_000))), Ok((21_500, Some(100_001)))];
    let told = told(with_humidity(Promise::Always), &answers);
    assert_eq!(told[1], [(T, State::Ok, Some(21_500)), (H, range, None)]);
}

#[test]
fn a_promised_humidity_that_stays_away_is_a_fault() {
    let absent = Reason::Fault(Fault::Absent);
    let told = told(with_humidity(Promise::Always), &[Ok((21_000, None))]);
    assert_eq!(told, [[(T, State::Ok, Some(21_000)), (H, State::Failed(absent), None)]]);
}

#[test]
fn a_humidity_that_nobody_promised_is_missed_once_it_was_seen() {
    let answers = [
        Ok((21_000, None)),
        Ok((21_000, Some(48_000))),
        Ok((21_000, None)),
        Ok((21_000, None)),
        Ok((21_000, None)),
    ];
    let told = told(with_humidity(Promise::Perhaps), &answers);
    assert_eq!(told[0], [(T, State::Ok, Some(21_000))]);
    assert_eq!(told[1][1], (H, State::Ok, Some(50_000)));
    assert_eq!(told[4], [(H, State::Stale, None), (T, State::Ok, Some(21_000))]);
}

#[test]
fn an_answer_whose_temperature_is_refused_is_refused_as_a_whole() {
    let unbelievable = SensorSettings { retries: 0, ..with_humidity(Promise::Always) };
    let range = State::Failed(Reason::Range);
    let told = told(unbelievable, &[Ok((200_000, Some(48_000)))]);
    assert_eq!(told, [[(T, range, None), (H, range, None)]]);
}

#[test]
fn a_fault_is_one_of_every_quantity() {
    let settings = SensorSettings { retries: 0, ..with_humidity(Promise::Always) };
    let told = told(settings, &[Ok((21_000, Some(48_000))), Err(Fault::Crc)]);
    let suspect = State::Suspect(Reason::Fault(Fault::Crc));
    assert_eq!(told[1], [(T, suspect, None), (H, suspect, None)]);
}
