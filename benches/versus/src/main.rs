//! maison, Debian's mosquitto and rumqttd in turn, under the same load: what a delivered message
//! costs each broker in processor time, how many go through in a second, and how long one takes.
//!
//! Rounds are interleaved, and what is told is the median of each figure, with the ratio of ours to
//! each other's. Absolute figures are this machine's alone.

#![expect(clippy::disallowed_methods, reason = "the clock is what measures")]

mod broker;
mod calls;
mod client;
mod collect;
mod growth;
mod house;
mod load;
mod page;
mod plot;
mod queued;
mod report;
mod rest;
mod resting;
mod scenario;
mod setup;
mod storm;
mod stream;
mod websocket;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand};

use broker::Kind;
use growth::AXES;
use page::Found;
use report::Report;
use scenario::{SCENARIOS, Scenario};

/// Of a page, at most: it has many points.
const GROWTH_SECONDS: f64 = 0.5;
/// A thermometer says something each ten.
const REST_SECONDS: f64 = 30.0;

/// Measures brokers side by side
#[derive(Parser, Debug)]
struct Arguments {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    how: How,
    /// Only scenarios whose names contain one of these
    #[arg(value_name = "SCENARIO")]
    scenarios: Vec<String>,
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

#[derive(Args, Debug)]
struct How {
    /// Rounds of each scenario with each broker
    #[arg(long, global = true, default_value_t = 3, value_name = "NUMBER")]
    rounds: usize,
    /// Seconds that maison works in each round, about
    #[arg(long, global = true, value_name = "SECONDS")]
    seconds: Option<f64>,
    /// Only these brokers: maison, mosquitto, rumqttd
    #[arg(long, global = true, value_delimiter = ',', value_name = "BROKER,…")]
    brokers: Vec<String>,
    /// Binary of maison
    #[arg(long, global = true, default_value = "target/release/maison", value_name = "FILE")]
    maison: PathBuf,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// How the cost of a message grows with subscribers, topics, filters, payload, connections
    Growth {
        /// Folder for a plot of each
        #[arg(long, value_name = "FOLDER")]
        plots: Option<PathBuf>,
    },
    /// The gateway at rest: a house of 20 sensors for a while, and how soon it answers
    Rest,
    /// All of it, into docs/benchmarks.md and its plots
    Page,
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
    let how = &arguments.how;
    match &arguments.action {
        Some(Action::Rumqttd { config }) => broker::serve_rumqttd(config),
        Some(Action::Growth { plots }) => show_growth(how, plots.as_ref()),
        Some(Action::Rest) => {
            print!("{}", rest::measure(&how.maison, how.seconds.unwrap_or(REST_SECONDS))?);
            Ok(())
        }
        Some(Action::Page) => write_page(how),
        None => compare(arguments),
    }
}

/// The chosen scenarios, as a table.
fn compare(arguments: &Arguments) -> Result<()> {
    let scenarios: Vec<&Scenario> = SCENARIOS.iter().filter(|it| chosen(arguments, it)).collect();
    if arguments.list {
        scenarios.iter().for_each(|it| println!("{}", it.name));
        return Ok(());
    }
    if scenarios.is_empty() {
        bail!("no such scenario\n  hint: `--list` names them");
    }
    let report = measure(&scenarios, &arguments.how)?;
    print!("{}", report.table());
    if let Some(path) = &arguments.json {
        fs::write(path, report.json()?)?;
    }
    if let Some(path) = &arguments.svg {
        fs::write(path, plot::ratios(&report))?;
    }
    Ok(())
}

fn measure(scenarios: &[&Scenario], how: &How) -> Result<Report> {
    let (kinds, mut report) = (kinds(&how.brokers)?, Report::default());
    for round in 1..=how.rounds {
        for scenario in scenarios {
            for kind in kinds.iter().filter(|kind| scenario.suits(**kind)) {
                eprintln!("round {round}: {}: {}", scenario.name, kind.name());
                let figures = scenario.run(*kind, &how.maison, how.seconds.unwrap_or(2.0))?;
                report.add(scenario.name, *kind, figures);
            }
        }
    }
    Ok(report)
}

fn measure_growth(how: &How) -> Result<Report> {
    let seconds = how.seconds.unwrap_or(GROWTH_SECONDS);
    growth::measure_all(&kinds(&how.brokers)?, &how.maison, how.rounds, seconds)
}

fn show_growth(how: &How, plots: Option<&PathBuf>) -> Result<()> {
    let report = measure_growth(how)?;
    print!("{}\n{}", report.table(), growth::exponents(&report));
    for axis in AXES {
        if let Some(folder) = plots {
            let file = folder.join(format!("{}.svg", axis.name));
            fs::write(&file, plot::growth(&report, axis))
                .with_context(|| file.display().to_string())?;
        }
    }
    Ok(())
}

fn write_page(how: &How) -> Result<()> {
    let rest = rest::measure(&how.maison, REST_SECONDS)?;
    eprint!("{rest}");
    let scenarios = measure(&SCENARIOS.iter().collect::<Vec<_>>(), how)?;
    eprint!("{}", scenarios.table());
    let growth = measure_growth(how)?;
    let found = Found { scenarios, growth, rest };
    page::write(&found, &how.maison, how.rounds, how.seconds.unwrap_or(2.0))
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
