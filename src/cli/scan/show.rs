//! What was found, for people and for programs.

use serde_json::{Map, Value, json};

use crate::printable::printable;
use crate::sampling::Reason;
use crate::sensors::Measurement;
use crate::units::Quantity;

use super::advice::Advice;
use super::look::{Missing, Place, Thing};

/// What was found, and what follows from it.
pub(super) struct Found {
    pub places: Vec<Place>,
    /// What is said where there is no place.
    pub nothing: &'static str,
    pub missing: Vec<Missing>,
    pub advice: Vec<Advice>,
}

/// A paragraph for each bus, then what is missing and what to do. Devices call themselves as they
/// like: nothing of it moves a cursor.
pub(super) fn text(found: &Found) -> String {
    let Found { places, nothing, missing, advice } = found;
    let mut lines: Vec<String> = places.iter().flat_map(paragraph).collect();
    if places.is_empty() {
        lines.push((*nothing).to_owned());
    }
    if !missing.is_empty() {
        lines.push(String::new());
        lines.push("in the configuration, and not there:".to_owned());
    }
    for Missing { room, sensor } in missing {
        let (driver, bus) = (sensor.driver.facts().name, sensor.bus);
        lines.push(format!("  {room}: {driver} {} on {bus}", sensor.address));
    }
    for advice in advice {
        lines.push(String::new());
        lines.push(advice.why.clone());
        lines.extend(advice.paste.iter().map(|line| format!("    {line}")));
    }
    lines.iter().map(|line| printable(line) + "\n").collect()
}

fn paragraph(place: &Place) -> Vec<String> {
    let mut lines = vec![place.name.clone()];
    match &place.trouble {
        Some(trouble) => lines.push(format!("  {}: {}", trouble.fault, trouble.hint)),
        None if place.things.is_empty() => lines.push("  nobody answers".to_owned()),
        None => {}
    }
    lines.extend(place.things.iter().map(line));
    lines
}

fn line(thing: &Thing) -> String {
    let value = thing.value.as_ref().map_or_else(String::new, value);
    let room = match (&thing.room, thing.is_a_probe()) {
        (Some(room), _) => format!("room {room}"),
        (None, true) => "no room yet".to_owned(),
        (None, false) => String::new(),
    };
    let line = format!("  {:<17} {value:<24} {room:<18} {}", thing.shown, thing.what);
    line.trim_end().to_owned()
}

/// `21.4 °C, 48.2 %`, or the name of what is wrong.
pub(super) fn value(result: &Result<Measurement, Reason>) -> String {
    match result {
        Err(reason) => reason.name().to_owned(),
        Ok(measured) => {
            let values = Quantity::ALL.into_iter().filter_map(|it| measured.value(it));
            let values: Vec<_> = values
                .map(|value| format!("{} {}", value.to_decimal(1), value.quantity().unit()))
                .collect();
            values.join(", ")
        }
    }
}

/// `{"buses": […], "missing": […], "advice": […]}`.
pub(super) fn json(found: &Found) -> Value {
    let buses: Vec<Value> = found.places.iter().map(place).collect();
    let absent = found.missing.iter().map(|Missing { room, sensor }| {
        json!({
            "room": room,
            "driver": sensor.driver.facts().name,
            "bus": sensor.bus.to_string(),
            "address": sensor.address.to_string(),
        })
    });
    let absent: Vec<Value> = absent.collect();
    let advice: Vec<Value> = found.advice.iter().map(Advice::json).collect();
    json!({ "buses": buses, "missing": absent, "advice": advice })
}

fn place(place: &Place) -> Value {
    let things: Vec<Value> = place.things.iter().map(thing).collect();
    let trouble = place.trouble.as_ref();
    json!({
        "bus": place.bus.to_string(),
        "name": place.name,
        "fault": trouble.map(|it| it.fault.name()),
        "hint": trouble.map(|it| &it.hint),
        "devices": things,
    })
}

fn thing(thing: &Thing) -> Value {
    let drivers: Vec<_> = thing.likely.iter().map(|driver| driver.facts().name).collect();
    let mut values = Map::new();
    if let Some(Ok(measured)) = &thing.value {
        for value in Quantity::ALL.into_iter().filter_map(|it| measured.value(it)) {
            let number = f64::from(value.thousandths()) / 1000.0;
            values.insert(value.quantity().name().to_owned(), json!(number));
        }
    }
    let fault = match &thing.value {
        Some(Err(reason)) => Some(reason.name()),
        Some(Ok(_)) | None => None,
    };
    json!({
        "bus": thing.bus.to_string(),
        "address": thing.shown,
        "drivers": drivers,
        "what": thing.what,
        "room": thing.room,
        "values": values,
        "fault": fault,
    })
}
