//! What was found, for people and for programs.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use crate::sensors::{Fault, Measurement};
use crate::units::Quantity;

use super::advice::advice;
use super::look::{Missing, Place, Thing};

/// A paragraph for each bus, then what is missing and what to do.
pub(super) fn text(places: &[Place], missing: &[Missing]) -> String {
    let mut text = String::new();
    write_text(&mut text, places, missing).expect("a `String` takes all");
    text
}

fn write_text(out: &mut String, places: &[Place], missing: &[Missing]) -> std::fmt::Result {
    for place in places {
        writeln!(out, "{}", place.name)?;
        if let Some(trouble) = &place.trouble {
            writeln!(out, "  {}: {}", trouble.fault, trouble.hint)?;
        } else if place.things.is_empty() {
            writeln!(out, "  nobody answers")?;
        }
        for thing in &place.things {
            let value = thing.value.as_ref().map_or_else(String::new, value);
            let room = match (&thing.room, thing.is_a_probe()) {
                (Some(room), _) => format!("room {room}"),
                (None, true) => "no room yet".to_owned(),
                (None, false) => String::new(),
            };
            let line = format!("  {:<17} {value:<24} {room:<18} {}", thing.shown, thing.what);
            writeln!(out, "{}", line.trim_end())?;
        }
    }
    if places.is_empty() {
        writeln!(out, "no bus: neither 1-Wire nor I²C nor SPI nor a thermometer of the kernel")?;
    }
    if !missing.is_empty() {
        writeln!(out, "\nin the configuration, and not there:")?;
    }
    for Missing { room, sensor } in missing {
        let (driver, bus) = (sensor.driver.facts().name, sensor.bus);
        writeln!(out, "  {room}: {driver} {} on {bus}", sensor.address)?;
    }
    for advice in advice(places, missing) {
        writeln!(out, "\n{}", advice.why)?;
        for line in advice.paste {
            writeln!(out, "    {line}")?;
        }
    }
    Ok(())
}

/// `21.4 °C, 48.2 %`, or the name of the fault.
pub(super) fn value(result: &Result<Measurement, Fault>) -> String {
    match result {
        Err(fault) => fault.name().to_owned(),
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
pub(super) fn json(places: &[Place], missing: &[Missing]) -> Value {
    let buses: Vec<Value> = places.iter().map(place).collect();
    let absent = missing.iter().map(|Missing { room, sensor }| {
        json!({
            "room": room,
            "driver": sensor.driver.facts().name,
            "bus": sensor.bus.to_string(),
            "address": sensor.address.to_string(),
        })
    });
    let absent: Vec<Value> = absent.collect();
    let advice: Vec<Value> =
        advice(places, missing).iter().map(super::advice::Advice::json).collect();
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
        Some(Err(fault)) => Some(fault.name()),
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
