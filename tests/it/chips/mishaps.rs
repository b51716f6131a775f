//! What can go wrong on a bus of registers, and how each driver names it. Whatever happens, a wrong
//! value is never given, and a bus that is in order again gives the next one.

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Duration;

use maison::sensors::Fault;
use maison::sensors::catalog::Driver;
use maison::sim::chance::Chance;
use maison::sim::mishap::Mishap;
use maison::sim::model::Damage;

use super::bench::{Bench, any_air, drivers, is_right, wiring};

/// Chips that cannot be told apart: the first driver also takes the other's chip.
const TWINS: &[(Driver, Driver)] = &[
    (Driver::Aht10, Driver::Aht20),
    (Driver::Lm75, Driver::Pct2075),
    (Driver::Max6675, Driver::Max31855),
    (Driver::Pct2075, Driver::Lm75),
];

/// Chips that do not say whether a conversion has ended.
const SILENT: &[Driver] = &[
    Driver::Dht11,
    Driver::Dht22,
    Driver::Lm75,
    Driver::Max31855,
    Driver::Max31865,
    Driver::Max6675,
    Driver::Mcp9808,
    Driver::Pct2075,
];

/// How a driver names what goes wrong.
#[derive(Debug, Default)]
pub(super) struct Names {
    faults: BTreeSet<&'static str>,
    is_silent: bool,
}

/// What goes wrong, and how it is named.
type Findings = Vec<(&'static str, Names)>;

impl Names {
    pub(super) fn add(&mut self, fault: Fault) {
        self.faults.insert(fault.name());
    }

    /// What others found too.
    pub(super) fn join(&mut self, others: Self) {
        self.faults.extend(others.faults);
    }

    /// `` `absent`, `crc` ``; a dash where it does no harm.
    pub(super) fn listed(&self) -> String {
        if self.is_silent {
            return "not noticed".to_owned();
        }
        match self.faults.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ") {
            empty if empty.is_empty() => "–".to_owned(),
            listed => listed,
        }
    }
}

/// Everything that can go wrong, and how each driver names it. Found out once for all tests.
pub(super) fn findings() -> &'static [(Driver, Findings)] {
    static ALL: LazyLock<Vec<(Driver, Findings)>> =
        LazyLock::new(|| drivers().map(|driver| (driver, all(driver))).collect());
    &ALL
}

fn all(driver: Driver) -> Findings {
    let mut findings = vec![("unplugged", unplugged(driver))];
    let lines = Bench::of(driver).wires.lines();
    findings.extend(lines.iter().enumerate().map(|(index, what)| (*what, line(driver, index))));
    findings.extend(damages(driver));
    findings.extend([
        ("one bit flips, in any byte of a reading", bit_flips(driver)),
        ("the supply fails within a reading", power_failures(driver)),
        ("a conversion never ends", hanging(driver)),
        ("another chip of this list is there", strangers(driver)),
    ]);
    findings
}

/// Reads once from scratch and once after a good reading, with `break_it` before each; then mends
/// it, and must have a right value within two readings.
fn broken(
    driver: Driver,
    mut break_it: impl FnMut(&mut Bench),
    mut mend_it: impl FnMut(&mut Bench),
) -> Names {
    let mut names = Names::default();
    let mut chance = Chance::new(17);
    let mut bench = Bench::of(driver);
    for _ in 0..2 {
        break_it(&mut bench);
        names.add(bench.read().expect_err("nothing can be read"));
        names.add(bench.read().expect_err("nothing can be read"));
        mend_it(&mut bench);
        recovered(&mut bench, &mut chance);
    }
    names
}

#[track_caller]
fn recovered(bench: &mut Bench, chance: &mut Chance) {
    let air = any_air(bench.facts(), chance);
    bench.expose(air);
    let first = bench.read();
    let read = first.or_else(|_| bench.read()).unwrap();
    assert!(is_right(bench.facts(), &read, air), "{}: {read:?} in {air:?}", bench.facts().name);
}

fn unplugged(driver: Driver) -> Names {
    broken(driver, |bench| bench.wires.unplug(), Bench::plug)
}

fn line(driver: Driver, line: usize) -> Names {
    let broken_line = |bench: &mut Bench| bench.wires.break_line(Some(line));
    broken(driver, broken_line, |bench| bench.wires.break_line(None))
}

/// What hangs at the inputs, where something does.
fn damages(driver: Driver) -> Findings {
    let mut findings = Findings::new();
    for damage in Damage::ALL {
        if Bench::of(driver).chip().damage(Some(damage)) {
            let what = match damage {
                Damage::Cut => "what hangs at the input is cut",
                Damage::Shorted => "its two ends touch",
                Damage::Grounded => "the input touches ground",
                Damage::Supplied => "the input touches the supply",
            };
            let hurt = |bench: &mut Bench| assert!(bench.chip().damage(Some(damage)));
            let names = broken(driver, hurt, |bench| assert!(bench.chip().damage(None)));
            findings.push((what, names));
        }
    }
    findings
}

/// Every bit of every byte, of those to the chip and of those from it, in the first reading and in
/// one after a good one; each time the air is another, so that an old value shows.
fn bit_flips(driver: Driver) -> Names {
    disturbed(driver, |transfers| {
        let every_bit = |(at, bytes): (usize, &usize)| {
            (0..bytes * 8).map(move |bit| (at, Mishap::BitFlip(bit)))
        };
        transfers.iter().enumerate().flat_map(every_bit).collect()
    })
}

/// Right before each transfer, and a while before it.
fn power_failures(driver: Driver) -> Names {
    disturbed(driver, |transfers| {
        let both = |at| [0, 20].map(|ms| (at, Mishap::PowerFailure(Duration::from_millis(ms))));
        (0..transfers.len()).flat_map(both).collect()
    })
}

fn disturbed(driver: Driver, mishaps: fn(&[usize]) -> Vec<(usize, Mishap)>) -> Names {
    let mut names = Names::default();
    let mut chance = Chance::new(23);
    for good_before in [false, true] {
        let transfers = transfers(driver, good_before);
        for (at, mishap) in mishaps(&transfers) {
            let mut bench = Bench::of(driver);
            if good_before {
                recovered(&mut bench, &mut chance);
            }
            let air = any_air(bench.facts(), &mut chance);
            bench.expose(air);
            bench.wires.disturb(Some((at, mishap)));
            match bench.read() {
                Err(fault) => names.add(fault),
                Ok(read) => assert!(
                    is_right(bench.facts(), &read, air),
                    "{driver:?}, {mishap:?} at {at} of {transfers:?}: {read:?} in {air:?}"
                ),
            }
            bench.wires.disturb(None);
            recovered(&mut bench, &mut chance);
        }
    }
    names
}

/// How many bytes each transfer of a reading has.
fn transfers(driver: Driver, good_before: bool) -> Vec<usize> {
    let mut bench = Bench::of(driver);
    if good_before {
        bench.read().unwrap();
    }
    bench.wires.disturb(None);
    bench.read().unwrap();
    bench.wires.transfers()
}

/// What was converted before the chip hung may still be read; then its end is missed.
fn hanging(driver: Driver) -> Names {
    let mut names = Names::default();
    let mut chance = Chance::new(29);
    for good_before in [false, true] {
        let mut bench = Bench::of(driver);
        if good_before {
            recovered(&mut bench, &mut chance);
        }
        bench.chip().hang();
        let air = any_air(bench.facts(), &mut chance);
        bench.expose(air);
        match bench.read() {
            Err(fault) => names.add(fault),
            // It has no conversion that could.
            Ok(read) if is_right(bench.facts(), &read, air) => {}
            Ok(read) => {
                assert!(SILENT.contains(&driver), "{driver:?}: {read:?}");
                names.is_silent = true;
            }
        }
    }
    names
}

fn strangers(driver: Driver) -> Names {
    let mut names = Names::default();
    for other in drivers().filter(|other| *other != driver && wiring(*other) == wiring(driver)) {
        let mut bench = Bench::with(driver, other);
        for _ in 0..3 {
            match bench.read() {
                Err(fault) => names.add(fault),
                Ok(read) => {
                    let known = TWINS.contains(&(driver, other));
                    assert!(known, "{driver:?} takes a {other:?} for its own: {read:?}");
                }
            }
        }
    }
    names
}

#[test]
fn nothing_that_goes_wrong_gives_a_wrong_value() {
    assert_eq!(findings().len(), drivers().count());
}

/// So that the lists of exceptions do not outlive their chips.
#[test]
fn twins_cannot_be_told_apart() {
    for (driver, other) in TWINS {
        assert!(Bench::with(*driver, *other).read().is_ok(), "{driver:?} knows {other:?} now");
    }
    for driver in SILENT {
        let mut bench = Bench::of(*driver);
        bench.read().unwrap();
        bench.chip().hang();
        assert!(bench.read().is_ok(), "{driver:?} knows when a conversion ends now");
    }
}
