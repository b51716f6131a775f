//! `maison drivers`: which chips can be read, on which bus, over which range, and what of them the
//! configuration has to say.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::exit;
use crate::config::one_of;
use crate::sensors::catalog::{Driver, Facts, Promise, Span, Wiring};
use crate::units::Quantity;

/// List the chips that can be read, with bus, range, configuration keys and page
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Only these drivers
    #[arg(value_name = "DRIVER")]
    pub names: Vec<String>,

    /// Answer in JSON: an array with an object for each driver
    #[arg(long)]
    pub json: bool,
}

/// Status 1 if one of the names is no driver.
pub fn run(arguments: &Arguments) -> ExitCode {
    let drivers = match chosen(&arguments.names) {
        Ok(drivers) => drivers,
        Err(unknown) => {
            let names = || Driver::ALL.iter().map(|driver| driver.facts().name);
            let hint = one_of(unknown, names);
            super::complain(format_args!("unknown driver: `{unknown}`\n  hint: {hint}"));
            return exit::code(exit::FAILED);
        }
    };
    let facts = drivers.into_iter().map(Driver::facts);
    if arguments.json {
        println!("{:#}", Value::Array(facts.map(object).collect()));
    } else {
        let shown: Vec<String> = facts.map(paragraph).collect();
        print!("{}", shown.join("\n"));
    }
    ExitCode::SUCCESS
}

fn chosen(names: &[String]) -> Result<Vec<Driver>, &str> {
    if names.is_empty() {
        return Ok(Driver::ALL.to_vec());
    }
    names.iter().map(|name| Driver::from_name(name).ok_or(name.as_str())).collect()
}

/// What it measures.
fn spans(facts: &Facts) -> impl Iterator<Item = (Quantity, Span)> {
    Quantity::ALL.into_iter().filter_map(|quantity| Some((quantity, facts.span(quantity)?)))
}

/// The page about it, in the project's folder.
fn page(facts: &Facts) -> String {
    format!("hardware/{}.md", facts.name)
}

/// Keys without which it cannot be read; of those beside `thermistor` one is enough.
fn required_keys(facts: &Facts) -> Vec<&'static str> {
    let elements = facts.elements.iter().map(|kind| kind.key());
    let address = needs_address(facts).then_some("address");
    ["driver", "bus"].into_iter().chain(address).chain(elements).collect()
}

/// Keys that others do not have, and `address` where one is usual and others are possible.
fn further_keys(facts: &Facts) -> Vec<&'static str> {
    let address = (facts.addresses.len() > 1 && !needs_address(facts)).then_some("address");
    let beside = spans(facts).map(|(quantity, _)| quantity);
    let beside = beside.filter(|it| *it != Quantity::Temperature).map(Quantity::name);
    address.into_iter().chain(beside).collect()
}

/// Whether there is none that is usual.
fn needs_address(facts: &Facts) -> bool {
    let wiring = facts.wirings.first();
    facts.inputs > 0
        || wiring == Some(&Wiring::OneWire)
        || matches!(wiring, Some(Wiring::Hwmon | Wiring::Iio | Wiring::Thermal))
            && facts.name != Driver::Cpu.facts().name
}

fn addresses(facts: &Facts) -> Vec<String> {
    facts.addresses.iter().map(|address| format!("{address:#04x}")).collect()
}

fn paragraph(facts: &Facts) -> String {
    let buses: Vec<&str> = facts.wirings.iter().map(|wiring| wiring.buses()).collect();
    let measures: Vec<String> =
        spans(facts).map(|(quantity, span)| range(quantity, span)).collect();
    let mut lines = vec![("bus", buses.join(", "))];
    match (facts.addresses, facts.inputs) {
        ([], 0) => {}
        ([], inputs) => lines.push(("address", format!("its input, 0 to {}", inputs - 1))),
        (_, 0) => lines.push(("address", addresses(facts).join(", "))),
        (_, inputs) => {
            let all = addresses(facts).join(", ");
            lines.push(("address", format!("{all}, with an input: `:0` to `:{}`", inputs - 1)));
        }
    }
    lines.push(("measures", measures.join("; ")));
    lines.push(("keys", quoted(&required_keys(facts))));
    if !further_keys(facts).is_empty() {
        lines.push(("also", quoted(&further_keys(facts))));
    }
    lines.push(("page", page(facts)));
    let lines = lines.iter().map(|(what, text)| format!("  {what:<8}  {text}\n"));
    format!("{}  {}\n", facts.name, facts.parts) + &lines.collect::<String>()
}

fn quoted(keys: &[&str]) -> String {
    keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ")
}

fn range(quantity: Quantity, span: Span) -> String {
    let perhaps = match span.promise {
        Promise::Always => "",
        Promise::Perhaps => " if the device shows it",
    };
    let (low, high) = (span.lowest.to_shortest(), span.highest.to_shortest());
    format!("{} {low} to {high} {}{perhaps}", quantity.name(), quantity.unit())
}

fn object(facts: &Facts) -> Value {
    let measures = spans(facts).map(|(quantity, span)| {
        let thousandths = |value: crate::units::Value| f64::from(value.thousandths()) / 1000.0;
        json!({
            "quantity": quantity.name(),
            "unit": quantity.unit(),
            "lowest": thousandths(span.lowest),
            "highest": thousandths(span.highest),
            "step": f64::from(span.step_millionths) / 1_000_000.0,
            "always": span.promise == Promise::Always,
        })
    });
    let buses = facts.wirings.iter().flat_map(|wiring| wiring.buses().split(", "));
    json!({
        "driver": facts.name,
        "chips": facts.parts.split(", ").collect::<Vec<_>>(),
        "buses": buses.map(|bus| bus.trim_matches('`')).collect::<Vec<_>>(),
        "addresses": addresses(facts),
        "inputs": facts.inputs,
        "measures": measures.collect::<Vec<_>>(),
        "keys": required_keys(facts),
        "further_keys": further_keys(facts),
        "page": page(facts),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paragraph_says_all_that_a_configuration_needs() {
        assert_eq!(
            paragraph(Driver::Ads1115.facts()),
            "ads1115  ADS1115\n\
             \x20 bus       `i2c-N`\n\
             \x20 address   0x48, 0x49, 0x4a, 0x4b, with an input: `:0` to `:2`\n\
             \x20 measures  temperature -40 to 125 °C\n\
             \x20 keys      `driver`, `bus`, `address`, `thermistor`\n\
             \x20 page      hardware/ads1115.md\n"
        );
        assert_eq!(
            paragraph(Driver::Dht22.facts()),
            "dht22  DHT22, AM2302, AM2301\n\
             \x20 bus       `gpioN`, `iio`\n\
             \x20 measures  temperature -40 to 80 °C; humidity 0 to 100 %\n\
             \x20 keys      `driver`, `bus`\n\
             \x20 also      `humidity`\n\
             \x20 page      hardware/dht22.md\n"
        );
    }

    #[test]
    fn an_object_has_numbers_for_programs() {
        let bme280 = object(Driver::Bme280.facts());
        assert_eq!(bme280["measures"][2]["quantity"], "pressure");
        assert_eq!(bme280["measures"][2]["highest"], 1100.0);
        assert_eq!(bme280["addresses"], json!(["0x76", "0x77"]));
        assert_eq!(bme280["further_keys"], json!(["address", "humidity", "pressure"]));
        let hwmon = object(Driver::Hwmon.facts());
        assert_eq!(hwmon["measures"][1]["always"], false);
        assert_eq!(hwmon["keys"], json!(["driver", "bus", "address"]));
    }

    /// With the keys that are said to be needed, and no others, each driver is configured.
    #[test]
    fn the_keys_that_are_listed_are_enough() {
        for driver in Driver::ALL {
            let facts = driver.facts();
            let one_element = required_keys(facts).into_iter().filter(|key| {
                facts.elements.first().is_none_or(|first| {
                    *key == first.key() || !facts.elements.iter().any(|kind| kind.key() == *key)
                })
            });
            let lines: Vec<String> = one_element.map(|key| line(key, facts)).collect();
            let text = format!("[[rooms.a.sensors]]\n{}", lines.join("\n"));
            let source = crate::config::Source { path: "a.toml".into(), text };
            if let Err(report) = crate::config::parse(std::slice::from_ref(&source)) {
                panic!("{driver:?}: {report}\n{}", source.text);
            }
        }
    }

    fn line(key: &str, facts: &Facts) -> String {
        let value = match key {
            "driver" => format!("\"{}\"", facts.name),
            "bus" => match facts.wirings[0] {
                Wiring::OneWire => "\"w1\"".to_owned(),
                Wiring::Pin => "\"gpio4\"".to_owned(),
                Wiring::I2c => "\"i2c-1\"".to_owned(),
                Wiring::Spi => "\"spi-0.0\"".to_owned(),
                named => named.buses().replace('`', "\""),
            },
            "address" => match facts.wirings[0] {
                Wiring::OneWire => "\"28-01131e858aef\"".to_owned(),
                Wiring::Spi => "0".to_owned(),
                Wiring::I2c => format!("\"{}:0\"", addresses(facts)[0]),
                _ => "\"lm75\"".to_owned(),
            },
            "thermistor" => "{ beta = 3950 }".to_owned(),
            "rtd" => "{ element = \"pt100\", wires = 4 }".to_owned(),
            other => panic!("no value for `{other}`"),
        };
        format!("{key} = {value}")
    }
}
