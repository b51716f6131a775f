//! How the cost of a delivered message grows with what there is of something, and by which power.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};

use crate::broker::{Broker, Kind};
use crate::house::{LOAD, Load};
use crate::load::Bench;
use crate::report::{Figure, Report};
use crate::scenario::measure;
use crate::setup::PLAIN;

/// What there is more and more of.
pub struct Axis {
    pub name: &'static str,
    pub points: &'static [usize],
    load: fn(usize) -> Load,
}

pub const AXES: &[Axis] = &[
    Axis {
        name: "subscribers",
        points: &[1, 10, 100, 1000, 5000],
        load: |subscribers| Load { subscribers, window: 20, ..LOAD },
    },
    Axis { name: "topics", points: MANY, load: |topics| Load { topics, ..LOAD } },
    Axis { name: "filters", points: MANY, load: |filters| Load { filters, ..LOAD } },
    Axis {
        name: "payload",
        points: &[64, 1024, 16 * 1024, 256 * 1024, 4 * 1024 * 1024],
        load: |payload| Load { payload, window: if payload < 65_536 { 100 } else { 4 }, ..LOAD },
    },
    Axis {
        name: "connections",
        points: &[10, 100, 1000, 5000],
        load: |idle| Load { idle, ..LOAD },
    },
];

const MANY: &[usize] = &[10, 100, 1000, 10_000, 100_000];
/// As one message, that is; rumqttd does not survive larger ones.
const RUMQTTD_PAYLOAD_MAX: usize = 1024 * 1024;

/// All axes and points, in rounds; a row for each point.
pub fn measure_all(kinds: &[Kind], maison: &Path, rounds: usize, seconds: f64) -> Result<Report> {
    let mut report = Report::default();
    for round in 1..=rounds {
        for Axis { name, points, load } in AXES {
            for point in *points {
                let load = load(*point);
                for kind in kinds.iter().filter(|kind| suits(load, **kind)) {
                    eprintln!("round {round}: {point} {name}: {}", kind.name());
                    let cost = cost(load, *kind, maison, seconds)
                        .with_context(|| format!("{point} {name}: {}", kind.name()))?;
                    report.add(name, *kind, vec![Figure::new(point.to_string(), cost)]);
                }
            }
        }
    }
    Ok(report)
}

fn suits(load: Load, kind: Kind) -> bool {
    kind != Kind::Rumqttd || load.payload <= RUMQTTD_PAYLOAD_MAX
}

/// Processor time of the broker for one delivered message, in microseconds.
fn cost(load: Load, kind: Kind, maison: &Path, seconds: f64) -> Result<f64> {
    let broker = Broker::start(kind, &PLAIN, maison)?;
    let mut bench = Bench::prepare(load, &broker)?;
    // Each topic once before, so that what is remembered of it is not part of it.
    if load.topics > 1 {
        bench.run(u64::try_from(load.topics)?, &broker)?;
    }
    let (outcome, _) = measure(&mut bench, load, &broker, seconds)?;
    Ok(outcome.broker / outcome.messages as f64 * 1e6)
}

/// Points of an axis and what a broker took at each.
pub fn line(report: &Report, axis: &Axis, kind: Kind) -> Vec<(f64, f64)> {
    let rows = report.rows.iter().filter(|row| row.scenario == axis.name);
    rows.filter_map(|row| Some((row.figure.parse().ok()?, row.median(kind)?))).collect()
}

/// The power of x by which y grows: the slope of least squares, both as logarithms.
pub fn exponent(points: &[(f64, f64)]) -> Option<f64> {
    let count = points.len() as f64;
    let logs: Vec<_> = points.iter().map(|(x, y)| (x.ln(), y.ln())).collect();
    let mean_x = logs.iter().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = logs.iter().map(|(_, y)| y).sum::<f64>() / count;
    let both: f64 = logs.iter().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let spread: f64 = logs.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    (points.len() > 1).then_some(both / spread)
}

/// Exponents, as a table.
pub fn exponents(report: &Report) -> String {
    let mut text = "| with | maison | mosquitto | rumqttd |\n|---|---:|---:|---:|\n".to_owned();
    for axis in AXES {
        let of = |kind| exponent(&line(report, axis, kind));
        let shown = |kind| of(kind).map_or("–".to_owned(), |it| format!("{it:+.2}"));
        let [ours, mosquitto, rumqttd] = Kind::ALL.map(shown);
        let _ = writeln!(text, "| {} | {ours} | {mosquitto} | {rumqttd} |", axis.name);
    }
    text
}
