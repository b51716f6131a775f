//! How a sensor is sampled: its keys against the chip, the limits and each other.

use std::time::Duration;

use super::rules::{Keys, rules};
use super::{integer, within};
use crate::config::amount::Bounded;
use crate::config::complaint::{Complaint, Complaints};
use crate::config::written::{At, Field};
use crate::config::{defaults, schema};
use crate::limits;
use crate::sampling::{Rules, SensorSettings};
use crate::sensors::catalog::Driver;
use crate::units::Quantity;

/// How the sensor is sampled. The ranges of an unknown chip are not judged.
pub(super) fn sampling(
    written: &schema::Sensor,
    driver: Option<Driver>,
    complaints: &mut Complaints,
) -> SensorSettings {
    let default = defaults::sampling(driver.unwrap_or(Driver::Ds18b20));
    let intervals = limits::INTERVAL_MIN..=limits::INTERVAL_MAX;
    let interval =
        within(&written.interval, "interval", intervals.clone(), default.interval, complaints);
    let chip = driver.map(|driver| driver.facts().temperature);
    SensorSettings {
        interval,
        retries: retries(written, default.retries, complaints),
        temperature: rules(&Keys::from(written), chip, &default.temperature, complaints),
        humidity: other(&written.humidity, Quantity::Humidity, driver, complaints),
        pressure: other(&written.pressure, Quantity::Pressure, driver, complaints),
        heartbeat: within(
            &written.heartbeat,
            "heartbeat",
            intervals,
            default.heartbeat,
            complaints,
        ),
        stale_after: stale_after(&written.stale_after, interval, complaints),
    }
}

fn retries(written: &schema::Sensor, default: u8, complaints: &mut Complaints) -> u8 {
    integer(&written.retries, "retries", 0..=limits::RETRIES_MAX, default, complaints)
}

/// The rules of a further quantity, if the chip measures it.
fn other(
    field: &Field<schema::Other>,
    quantity: Quantity,
    driver: Option<Driver>,
    complaints: &mut Complaints,
) -> Option<Rules> {
    let facts = driver?.facts();
    let span = facts.span(quantity);
    let default = span.map(|span| defaults::rules(quantity, span));
    let Some(At { place, value }) = field.given() else { return default };
    let Some(default) = default else {
        let (name, what) = (facts.name, quantity.name());
        let complaint = Complaint::shape(*place, format!("`{name}` does not measure this"));
        complaints.push(complaint.found(what));
        return None;
    };
    Some(rules(&Keys::from((quantity, value)), span, &default, complaints))
}

fn stale_after(
    field: &Field<Duration>,
    interval: Duration,
    complaints: &mut Complaints,
) -> Duration {
    let default = defaults::stale_after(interval);
    if let Some(At { place, value }) = field.given().filter(|at| at.value < interval) {
        complaints.push(
            Complaint::shape(*place, "`stale_after` is shorter than `interval`")
                .found(value.written())
                .hint(format!("at least `{}`", interval.written())),
        );
        return default;
    }
    let range = Duration::ZERO..=limits::STALE_AFTER_MAX;
    within(field, "stale_after", range, default, complaints)
}
