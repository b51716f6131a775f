//! `maison read`: each sensor once, through the same sampling as in the gateway and without a
//! broker; beside a gateway at work too.

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Instant;

use anyhow::Result;
use clap::Args;
use serde_json::{Map, Value, json};

use super::exit;
use super::lines::{Event, Hear, Lines, PATIENCE, Sensors};
use super::spoken::spoken;
use crate::bus::line::{Told, What};
use crate::config::Settings;
use crate::daemon::Fitted;
use crate::sampling::{Report, SensorId, State};
use crate::sensors::{Fault, Measurement};
use crate::units::Quantity;

/// Read each sensor once and print its values, or what is wrong with it
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Only the sensors of this room
    room: Option<String>,
    /// Also what was said on the bus, byte by byte, and what the chip made of it
    #[arg(long, conflicts_with = "json")]
    raw: bool,
    /// Go on, as often as the configuration says, and print each reading
    #[arg(long)]
    watch: bool,
    /// Answer in JSON: an array, or with `--watch` an object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    sensors: Sensors,
}

/// Status 0; 1 if a sensor failed.
pub fn run(arguments: &Arguments) -> ExitCode {
    arguments.sensors.with(arguments.room.as_deref(), |settings| read(arguments, settings))
}

fn read(arguments: &Arguments, settings: &Settings) -> Result<ExitCode> {
    let hear = if arguments.raw { Hear::All } else { Hear::Readings };
    let lines = Lines::start(settings, arguments.sensors.speed(), hear)?;
    let mut latest: BTreeMap<SensorId, BTreeMap<Quantity, Report>> = BTreeMap::new();
    let began = Instant::now();
    let sensors = lines.roster.sensors();
    while arguments.watch || sensors.iter().any(|it| !latest.contains_key(&it.id)) {
        let patience =
            if arguments.watch { PATIENCE } else { PATIENCE.saturating_sub(began.elapsed()) };
        let event = match lines.heard.recv_timeout(patience) {
            Ok((bus, Event::Said(said))) => {
                println!("{bus}  {}", spoken(&said));
                continue;
            }
            Ok((bus, Event::Told(told))) => (bus, told),
            Err(RecvTimeoutError::Timeout) if arguments.watch => continue,
            Err(_) => break,
        };
        let (bus, told) = event;
        if let (true, What::Answered(sensor, result)) = (arguments.raw, told.what) {
            println!("{bus}  {}: the chip says {}", lines.label(sensor), said(&result));
        }
        for report in &told.reports {
            latest.entry(report.sensor).or_default().insert(report.quantity, report.clone());
        }
        if arguments.watch {
            watch(arguments, &lines, &told);
        }
    }
    let rows = sensors.iter().map(|fitted| (fitted, latest.get(&fitted.id)));
    if arguments.json {
        let objects = rows.clone().map(|(fitted, reports)| object(fitted, reports));
        println!("{:#}", Value::Array(objects.collect()));
    } else {
        rows.clone().for_each(|(fitted, reports)| println!("{}", row(fitted, reports)));
    }
    let is_well = rows.clone().all(|(_, reports)| reports.is_some_and(is_well));
    Ok(if is_well { ExitCode::SUCCESS } else { exit::code(exit::FAILED) })
}

/// Whether each quantity has a value.
fn is_well(reports: &BTreeMap<Quantity, Report>) -> bool {
    reports.values().all(|report| report.state == State::Ok)
}

/// `salon  28-01131e858aef  21.4 °C`.
fn row(fitted: &Fitted, reports: Option<&BTreeMap<Quantity, Report>>) -> String {
    let values = match reports {
        None => "no answer".to_owned(),
        Some(reports) => reports.values().map(value).collect::<Vec<_>>().join(", "),
    };
    format!("{:<16} {:<18} {values}", fitted.room, fitted.sensor.address.to_string())
}

/// `21.4 °C`, or `failed: crc`.
fn value(report: &Report) -> String {
    match (&report.value, report.state.reason()) {
        (Some(reading), _) => {
            format!("{} {}", reading.value.to_decimal(reading.decimals), report.quantity.unit())
        }
        (None, Some(reason)) => format!("{}: {}", report.state.name(), reason.name()),
        (None, None) => report.state.name().to_owned(),
    }
}

fn said(result: &Result<Measurement, Fault>) -> String {
    match result {
        Err(fault) => fault.name().to_owned(),
        Ok(measured) => {
            let values = Quantity::ALL.into_iter().filter_map(|it| measured.value(it));
            values.map(|value| value.to_string()).collect::<Vec<_>>().join(", ")
        }
    }
}

fn object(fitted: &Fitted, reports: Option<&BTreeMap<Quantity, Report>>) -> Value {
    let (mut values, mut error) = (Map::new(), Value::Null);
    for report in reports.into_iter().flat_map(BTreeMap::values) {
        match (&report.value, report.state.reason()) {
            (Some(reading), _) => {
                let number = f64::from(reading.value.thousandths()) / 1000.0;
                values.insert(report.quantity.name().to_owned(), json!(number));
            }
            (None, Some(reason)) if error.is_null() => error = json!(reason.name()),
            (None, _) => {}
        }
    }
    json!({
        "room": &*fitted.room,
        "driver": fitted.sensor.driver.facts().name,
        "bus": fitted.sensor.bus.to_string(),
        "address": fitted.sensor.address.to_string(),
        "values": values,
        "error": error,
    })
}

/// Prints what a step means: each answer of a chip, and what is published of it.
fn watch(arguments: &Arguments, lines: &Lines, told: &Told) {
    let What::Answered(sensor, result) = told.what else { return };
    let published: Vec<_> = told.reports.iter().filter(|it| it.sensor == sensor).collect();
    let shown: Vec<_> = published.iter().map(|report| value(report)).collect();
    if arguments.json {
        let line = json!({
            "t": told.at.to_string(),
            "sensor": lines.label(sensor),
            "chip": said(&result),
            "published": shown,
        });
        println!("{line}");
        return;
    }
    let shown = if shown.is_empty() { "nothing new".to_owned() } else { shown.join(", ") };
    println!("{} {}: {}; {shown}", told.at, lines.label(sensor), said(&result));
}
