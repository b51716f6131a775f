//! What asks for attention, and what to do about it. The gravest comes first: what loses readings
//! or messages, then what will, then what only should be known.

use super::survey::Facts;
use super::{Status, Warning};
use crate::daemon::house::Health;
use crate::limits::{DISK_FREE_BYTES_LOW, SENSORS_MAX};

/// A certificate with so few days left was not renewed, or is nobody's to renew but its owner's.
const CERTIFICATE_DAYS_LOW: i64 = 14;

/// All that is to be said of a gateway.
pub(super) fn of(status: &Status, facts: &Facts) -> Vec<Warning> {
    let mut warnings = Vec::new();
    of_store(status, facts, &mut warnings);
    of_sensors(status, facts, &mut warnings);
    of_certificates(status, &mut warnings);
    of_machine(status, facts, &mut warnings);
    of_configuration(facts, &mut warnings);
    of_losses(status, &mut warnings);
    warnings
}

fn warning(what: String, hint: &str) -> Warning {
    Warning { what, hint: Some(hint.to_owned()), grave: false }
}

fn grave(what: String, hint: &str) -> Warning {
    Warning { grave: true, ..warning(what, hint) }
}

fn of_store(status: &Status, facts: &Facts, warnings: &mut Vec<Warning>) {
    if let Some(store) = status.store.as_ref().filter(|store| store.state != "ok") {
        let hint = match &*store.state {
            "full" => "make room on the card: `df -h` shows which file system is full",
            "read-only" => "the card is mounted read-only: `dmesg` says why; it may be worn out",
            _ => {
                "`sudo journalctl -u maison` and `dmesg` say why; `maison store check` looks at it"
            }
        };
        let what = format!("nothing that clients want kept can be kept: store {}", store.state);
        warnings.push(grave(what, hint));
    }
    if let Some(damage) = &facts.store_damage {
        let what = format!("the store was damaged at the start: {damage}");
        warnings.push(warning(what, "what could be saved was; a restart forgets this warning"));
    }
}

fn of_sensors(status: &Status, facts: &Facts, warnings: &mut Vec<Warning>) {
    if let Some(bus) = &facts.late_bus {
        let what = format!("the thread of a bus is stuck: {bus}");
        warnings.push(grave(what, "the watchdog of systemd starts the gateway anew"));
    }
    let Health { sensors, tried, .. } = facts.health;
    let is_dark = status.rooms.iter().all(|room| !room.online);
    if sensors > 0 && tried >= sensors && is_dark {
        let what = "no room has a temperature that counts".to_owned();
        warnings.push(grave(what, "`hardware/` has the wiring and the boot settings"));
    }
    for complaint in facts.health.complaints.iter().take(SENSORS_MAX) {
        let what = format!("no good reading: {complaint}");
        warnings.push(warning(what, "`hardware/` has a page for each chip that names its faults"));
    }
    let untried = sensors.saturating_sub(tried);
    if untried > 0 {
        let what = format!("sensors not tried yet: {untried}");
        warnings.push(Warning { what, hint: None, grave: !facts.is_ready });
    }
}

fn of_certificates(status: &Status, warnings: &mut Vec<Warning>) {
    // Before the clock is set every certificate seems to be good for years.
    let ending = status.certificates.iter().filter(|it| it.days_left < CERTIFICATE_DAYS_LOW);
    for certificate in ending {
        let (of, until) = (&certificate.of, &certificate.until);
        let word = if certificate.days_left < 0 { "has ended" } else { "ends soon" };
        let what = format!("certificate {word}: {of}: {until}");
        let hint = "put a new one in its place, or `sudo journalctl -u maison` says why ours stays";
        warnings.push(warning(what, hint));
    }
}

fn of_machine(status: &Status, facts: &Facts, warnings: &mut Vec<Warning>) {
    if facts.condition.under_voltage == Some(true) {
        let what = "the supply of the board is too weak".to_owned();
        warnings.push(warning(what, "a better power supply, and a shorter or thicker cable"));
    }
    if let Some(free) = status.disk_free_bytes.filter(|free| *free < DISK_FREE_BYTES_LOW) {
        let what = format!("the card is nearly full: {free} bytes left");
        warnings.push(warning(what, "make room: `df -h` shows which file system is full"));
    }
    if !status.clock_set {
        let what = format!("the clock is not set: {}", status.time);
        warnings.push(warning(what, "`timedatectl` shows whether a time server is reached"));
    }
}

fn of_configuration(facts: &Facts, warnings: &mut Vec<Warning>) {
    if facts.trial.mistakes > 0 {
        let what = format!("the changed configuration was refused: {}", facts.trial.mistakes);
        warnings.push(warning(what, "`maison check` says every mistake; the one before holds"));
    }
    for key in &facts.trial.restart {
        let what = format!("waits for a restart: `{key}`");
        warnings.push(warning(what, "`sudo systemctl restart maison`"));
    }
}

fn of_losses(status: &Status, warnings: &mut Vec<Warning>) {
    let dropped = status.queues.dropped;
    if dropped > 0 {
        let what = format!("messages lost by full queues since the start: {dropped}");
        warnings.push(warning(what, "`broker.queue` bounds what waits for a client that is away"));
    }
}

#[cfg(test)]
mod tests;
