//! maison, Debian's mosquitto and rumqttd in turn, under the same load: what a delivered message
//! costs each broker in processor time, how many go through in a second, and how long one takes.
//!
//! Rounds are interleaved, and what is told is the median of each figure, with the ratio of ours to
//! each other's. Absolute figures are this machine's alone.

#![expect(clippy::disallowed_methods, reason = "the clock is what measures")]

mod broker;
mod client;
mod load;
mod plot;
mod report;
mod resting;
mod scenario;
mod stream;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};

use broker::{Broker, Kind};
use report::Report;
use scenario::{SCENARIOS, Scenario};

/// Measures brokers side by side
#[derive(Parser, Debug)]
struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    /// Rounds of each scenario with each broker
    #[arg(long, default_value_t = 3, value_name = "NUMBER")]
    rounds: usize,
    /// Seconds that maison works in each round, about
    #[arg(long, default_value_t = 2.0, value_name = "SECONDS")]
    seconds: f64,
    /// Only scenarios whose names contain one of these
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<String>,
    /// Only these brokers: maison, mosquitto, rumqttd
    #[arg(long, value_delimiter = ',', value_name = "BROKER,…")]
    brokers: Vec<String>,
    /// Binary of maison
    #[arg(long, default_value = "target/release/maison", value_name = "FILE")]
    maison: PathBuf,
    /// Writes all figures of all rounds as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draws the ratios
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Names the scenarios, and ends
    #[arg(long)]
    list: bool,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Serves as rumqttd, until it is killed
    #[command(hide = true)]
    Rumqttd {
        /// File with its configuration, as JSON
        config: PathBuf,
    },
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    if let Some(Action::Rumqttd { config }) = &arguments.action {
        return broker::serve_rumqttd(config);
    }
    let scenarios: Vec<&Scenario> = SCENARIOS.iter().filter(|it| chosen(arguments, it)).collect();
    if arguments.list {
        scenarios.iter().for_each(|it| println!("{}", it.name));
        return Ok(());
    }
    if scenarios.is_empty() {
        bail!("no such scenario\n  hint: `--list` names them");
    }
    let kinds = kinds(&arguments.brokers)?;
    let mut report = Report::default();
    for round in 1..=arguments.rounds {
        for scenario in &scenarios {
            for kind in kinds.iter().filter(|kind| scenario.suits(**kind)) {
                eprintln!("round {round}: {}: {}", scenario.name, kind.name());
                let broker = Broker::start(*kind, scenario.transport, &arguments.maison)?;
                let figures = scenario
                    .run(&broker, arguments.seconds)
                    .with_context(|| format!("{}: {}", scenario.name, kind.name()))?;
                report.add(scenario.name, *kind, figures);
            }
        }
    }
    print!("{}", report.table());
    if let Some(path) = &arguments.json {
        fs::write(path, report.json()?)?;
    }
    if let Some(path) = &arguments.svg {
        fs::write(path, plot::ratios(&report))?;
    }
    Ok(())
}

fn chosen(arguments: &Arguments, scenario: &Scenario) -> bool {
    let names = &arguments.scenarios;
    names.is_empty() || names.iter().any(|name| scenario.name.contains(name.as_str()))
}

fn kinds(names: &[String]) -> Result<Vec<Kind>> {
    if names.is_empty() {
        return Ok(Kind::ALL.to_vec());
    }
    let find = |name: &String| {
        let known = Kind::ALL.into_iter().find(|kind| kind.name() == name);
        known.with_context(|| format!("no such broker: `{name}`"))
    };
    names.iter().map(find).collect()
}
