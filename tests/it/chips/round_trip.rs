//! model(truth) → driver → what it says: within half a step over the whole range.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use maison::sensors::catalog::{Driver, Wiring};
use maison::sim::air::Air;
use maison::sim::chance::Chance;
use maison::units::{MilliCelsius, Quantity};

use super::bench::{Bench, allowed, any_air, drivers, error, further_elements, wiring};

/// Temperatures tried of each chip, evenly over its range, with its ends.
const POINTS: i64 = 12_000;

/// The same of a chip on a pin, whose every edge takes its time; each of its steps is tried by
/// `every_tenth_comes_back`.
const POINTS_ON_A_PIN: i64 = 311;

/// The largest error of each quantity of a driver, in thousandths of its unit.
type Errors = Vec<(Quantity, u32)>;

/// The largest errors of each driver; fails where one is too large. Found out once for all tests.
pub(super) fn worst_errors() -> &'static BTreeMap<Driver, Errors> {
    static ALL: LazyLock<BTreeMap<Driver, Errors>> =
        LazyLock::new(|| drivers().map(|driver| (driver, worst_of(driver))).collect());
    &ALL
}

fn worst_of(driver: Driver) -> Errors {
    let mut bench = Bench::of(driver);
    let facts = bench.facts();
    let mut chance = Chance::new(3);
    let quantities = Quantity::ALL.into_iter().filter(|quantity| facts.span(*quantity).is_some());
    let mut worst: Vec<_> = quantities.map(|quantity| (quantity, 0)).collect();
    let (low, high) =
        (facts.temperature.lowest.thousandths(), facts.temperature.highest.thousandths());
    let range = i64::from(high - low);
    let is_on_a_pin = wiring(driver) == Some(Wiring::Pin);
    let points = if is_on_a_pin { POINTS_ON_A_PIN } else { POINTS };
    for point in 0..=points {
        let wide = range * point / points;
        let temperature = MilliCelsius::new(low + i32::try_from(wide).unwrap());
        let air = Air { temperature, ..any_air(facts, &mut chance) };
        bench.expose(air);
        let read = bench.read().unwrap_or_else(|fault| panic!("{driver:?} at {air:?}: {fault}"));
        for (quantity, worst) in &mut worst {
            let error = error(&read, air, *quantity).expect("all that the chip measures");
            let allowed = allowed(facts.span(*quantity).unwrap());
            assert!(error <= allowed, "{driver:?} at {air:?}: {read:?}");
            *worst = error.max(*worst);
        }
        let further = Quantity::ALL.into_iter().filter(|it| facts.span(*it).is_none());
        assert!(further.into_iter().all(|it| read.value(it).is_none()), "{driver:?}: {read:?}");
    }
    worst
}

#[test]
fn every_chip_comes_back_within_half_a_step() {
    assert_eq!(worst_errors().len(), drivers().count());
}

/// Other elements have other steps, up to half as coarse again as the usual one's.
#[test]
fn every_element_comes_back_within_a_step() {
    for driver in drivers() {
        for element in further_elements(driver) {
            let mut bench = Bench::fitted(driver, element);
            let span = bench.facts().temperature;
            for celsius in (span.lowest.thousandths()..span.highest.thousandths()).step_by(173) {
                let temperature = MilliCelsius::new(celsius);
                bench.expose(Air { temperature, ..Air::default() });
                let read = bench.read().unwrap_or_else(|it| panic!("{element:?}: {it}"));
                let off = read.temperature.distance(temperature);
                assert!(off <= allowed(span) * 3 / 2, "{element:?} at {temperature}: {read:?}");
            }
        }
    }
}
