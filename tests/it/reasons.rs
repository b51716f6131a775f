//! What a status names beside the faults of chips: each row of that table in `hardware/README.md`
//! is brought about, from the answers of a bus to the topic.

use std::fs;
use std::time::Duration;

use maison::sampling::{
    Combination, Input, Output, Sampler, Sensor, SensorId, SensorSettings, Tolerance,
};
use maison::sensors::Measurement;
use maison::telemetry::{self, House, Offer, Room};
use maison::time::{Tick, Timestamp};
use maison::units::MilliCelsius;

use crate::day::rules;

const STALE_AFTER_S: u64 = 30;

/// Thousandths of a degree that two sensors answer with, each ten seconds; `None`: their bus says
/// nothing any more.
type Story = &'static [Option<[i32; 2]>];

/// Each row, and a story that ends in it.
const ROWS: &[(&str, Story)] = &[
    ("range", &[Some([130_000; 2])]),
    ("rate", &[Some([20_000; 2]), Some([60_000; 2])]),
    ("stale", &[Some([20_000; 2]), None, None, None]),
    ("disagreement", &[Some([20_000, 26_000]), Some([20_000, 26_000])]),
];

fn settings() -> SensorSettings {
    SensorSettings {
        interval: Duration::from_secs(10),
        retries: 0,
        heartbeat: Duration::from_secs(60),
        stale_after: Duration::from_secs(STALE_AFTER_S),
        temperature: rules(),
        humidity: None,
        pressure: None,
    }
}

fn room() -> Room {
    let sensor = |number: usize| telemetry::Sensor {
        id: SensorId(number),
        address: format!("28-{number:012x}").into(),
        offers: Offer::all(&settings()),
    };
    Room {
        slug: "salon".into(),
        combine: Combination::FirstHealthy,
        tolerance: Tolerance { spread: 2000, patience: Duration::from_secs(10) },
        sensors: (0..2).map(sensor).collect(),
    }
}

/// The last status of the room after that story.
fn status(story: Story) -> String {
    let sensor = |number: usize| Sensor {
        id: SensorId(number),
        label: number.to_string().into(),
        settings: settings(),
    };
    let mut sampler = Sampler::new((0..2).map(sensor).collect(), 1, Tick::ZERO);
    let mut house = House::new("maison", &[room()]);
    let mut told = Vec::new();
    for second in 0..u64::try_from(story.len()).unwrap() * 10 + 5 {
        let (now, at) =
            (Tick::from_micros(second * 1_000_000), Timestamp::new(second * 1000, true));
        sampler.handle(now, Input::Wake { at });
        while let Some(output) = sampler.poll() {
            match output {
                Output::Report(report) => told.extend(house.report(&report, now, at)),
                Output::Read(sensors) => {
                    let cycle = usize::try_from(second / 10).unwrap().min(story.len() - 1);
                    let Some(answers) = story[cycle] else { continue };
                    for sensor in sensors {
                        let measured = Measurement::of(MilliCelsius::new(answers[sensor.0]));
                        sampler.handle(now, Input::Answer { sensor, at, result: Ok(measured) });
                    }
                }
            }
        }
        told.extend(house.wake(now, at));
    }
    let statuses = told.iter().filter(|it| it.message.topic.as_str() == "maison/salon/status");
    String::from_utf8(statuses.last().expect("a status").message.payload.to_vec()).unwrap()
}

/// The first words of the rows of that table.
fn rows() -> Vec<String> {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/hardware/README.md");
    let page = fs::read_to_string(page).unwrap();
    let (_, table) = page.split_once("| reason | look at |\n|---|---|\n").unwrap();
    let rows = table.lines().map_while(|line| line.strip_prefix("| `"));
    rows.map(|row| row.split('`').next().unwrap().to_owned()).collect()
}

#[test]
fn every_reason_that_is_no_fault_of_a_chip_is_told_by_its_name() {
    assert_eq!(rows(), ROWS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for (name, story) in ROWS {
        let status: serde_json::Value = serde_json::from_str(&status(story)).unwrap();
        let said = [&status["error"], &status["state"]];
        assert!(said.iter().any(|word| *word == name), "{name}: {status}");
    }
}
