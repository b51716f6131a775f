//! The table of chips in `hardware/README.md`: what is in the catalog, and how exact each driver
//! was found to be.

use maison::sensors::catalog::{Driver, Facts, Span, Wiring};
use maison::units::Quantity;

use super::one_wire;
use super::pages::{self, Block, check_block};
use super::round_trip::worst_errors;

const HEAD: &str = "| page | chips | bus | address | measures | worst error | held | driver |\n\
                    |---|---|---|---|---|---|---|---|\n";

fn row(driver: Driver) -> String {
    let facts = driver.facts();
    let name = facts.name;
    let wirings: Vec<&str> = facts.wirings.iter().map(|wiring| wiring.title()).collect();
    let on_a_wire = || vec![(Quantity::Temperature, one_wire::worst_error())];
    let errors = worst_errors().get(&driver).cloned();
    let errors = errors.or_else(|| (driver == Driver::Ds18b20).then(on_a_wire));
    let errors = errors.map_or("see the page".to_owned(), |errors| {
        let shown = errors.iter().map(|(quantity, thousandths)| {
            format!("{} {}", thousandths_of(i64::from(*thousandths)), quantity.unit())
        });
        shown.collect::<Vec<_>>().join("; ")
    });
    let page = format!("[{name}]({name}.md)");
    let (wirings, addresses, measures) = (wirings.join(", "), addresses(facts), measures(facts));
    let held = held(name);
    let cells = [&page, facts.parts, &wirings, &addresses, &measures, &errors, &held, facts.origin];
    format!("| {} |", cells.join(" | "))
}

/// What of its page other tests compare with the driver.
fn held(name: &str) -> String {
    let page = pages::page(name);
    let parts = [
        ("faults", "\n## What goes wrong\n"),
        ("bus", "\n## On the bus\n"),
        ("wrong chip", "\n| another chip"),
    ];
    let held = parts.into_iter().filter(|(_, mark)| page.contains(mark)).map(|(part, _)| part);
    match held.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => "files of the kernel".to_owned(),
        held => held,
    }
}

fn addresses(facts: &Facts) -> String {
    match facts.addresses {
        [] if facts.wirings.contains(&Wiring::OneWire) => "its ROM code".to_owned(),
        [] if facts.spi.is_some() => "its chip select".to_owned(),
        [] if facts.wirings.contains(&Wiring::Pin) => "its pin".to_owned(),
        [] => "its name".to_owned(),
        [first, .., last] if facts.addresses.len() > 2 && is_run(facts.addresses) => {
            format!("`{first:#04x}` to `{last:#04x}`")
        }
        all => all.iter().map(|it| format!("`{it:#04x}`")).collect::<Vec<_>>().join(", "),
    }
}

fn is_run(addresses: &[u8]) -> bool {
    addresses.windows(2).all(|pair| pair[0] + 1 == pair[1])
}

fn measures(facts: &Facts) -> String {
    let spans = Quantity::ALL.into_iter().filter_map(|it| Some((it, facts.span(it)?)));
    let shown = spans.map(|(quantity, Span { lowest, highest, .. })| {
        let (low, high) = (lowest.to_decimal(0), highest.to_decimal(0));
        format!("{} to {high} {}", low.replace('-', "−"), quantity.unit())
    });
    shown.collect::<Vec<_>>().join("; ")
}

fn thousandths_of(number: i64) -> String {
    format!("{}.{:03}", number / 1000, number % 1000)
}

#[test]
fn the_index_lists_every_chip() {
    let rows: Vec<String> = Driver::ALL.iter().map(|driver| row(*driver)).collect();
    check_block("README", "## The chips", &Block::table(HEAD, &rows));
    // Whoever has wires of our own has all of it; the others are the kernel's to read.
    for (driver, row) in Driver::ALL.iter().zip(&rows) {
        let all = row.contains("| faults, bus, wrong chip |") && !row.contains("see the page");
        assert_eq!(all, driver.facts().origin != "the kernel's", "{row}");
    }
}
