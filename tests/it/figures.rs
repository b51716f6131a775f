//! What large numbers cost, beside mosquitto, in one run on one machine. `tests/figures` builds the
//! release and shows the table.

mod rival;
mod sampling;
mod workload;

use rival::Rival;
use workload::{Figure, WORKLOADS};

/// Of one figure of ours to mosquitto's: beyond it something is wrong.
const RATIO_MAX: f64 = 2.0;
/// Where ours may be higher. mosquitto keeps 0.7 KiB of an idle connection; a task, its session and
/// what the broker knows of both are 5 KiB.
const HIGHER: &[(&str, f64)] = &[("5,000 connections: memory", 8.0)];

#[test]
#[ignore = "figures need a release build, mosquitto and a quiet machine: see tests/figures"]
fn large_numbers_cost_what_they_cost_mosquitto() {
    let mut bad = Vec::new();
    eprintln!("{:54}{:>10}{:>11}{:>8}", "", "maison", "mosquitto", "ratio");
    for run in WORKLOADS {
        for (ours, theirs) in run(&Rival::gateway()).iter().zip(run(&Rival::mosquitto())) {
            let Figure { what, unit, value } = ours;
            let ratio = value / theirs.value;
            let line = format!("{what}, {unit}");
            eprintln!("{line:54}{value:10.2}{:11.2}{ratio:8.2}", theirs.value);
            let allowed = HIGHER.iter().find(|(name, _)| name == what).map(|(_, ratio)| *ratio);
            if ratio > allowed.unwrap_or(RATIO_MAX) {
                bad.push(line);
            }
        }
    }
    assert!(bad.is_empty(), "far more than mosquitto's:\n  {}", bad.join("\n  "));
}
