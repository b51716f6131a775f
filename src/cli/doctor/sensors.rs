//! How the sensors answer: by the counters of the gateway that runs, else by one reading of each.

use std::collections::BTreeMap;
use std::time::Instant;

use super::super::lines::{Event, Hear, Lines, PATIENCE};
use super::fault::meaning;
use super::finding::{Finding, Found, said};
use super::patient::Patient;
use crate::bus::line::What;
use crate::daemon::control::Trouble;
use crate::daemon::status::Sensor;
use crate::sampling::SensorId;
use crate::sensors::Fault;

/// Of a thousand tries, those with changed bits that a good cable does not have.
const GARBLED_PER_MILLE_MAX: u64 = 10;

/// Fewer are a chance.
const GARBLED_MIN: u64 = 3;

pub(super) fn examine(patient: &Patient, found: &mut Found) {
    if patient.sensors().next().is_none() {
        return;
    }
    match &patient.gateway {
        Ok(status) => judge(&status.sensors, found),
        Err(Trouble::NotRunning) => match read_once(patient) {
            Ok(sensors) => {
                judge(&sensors, found);
                let name = &patient.account.name;
                found.unseen(said!(
                    "no gateway runs, so each sensor was read once, and as this user, not as \
                     `{name}`; how often bits change is not known",
                    "aucune passerelle ne tourne : chaque capteur a été lu une fois, sous cet \
                     utilisateur et non sous `{name}` ; la fréquence des bits changés est inconnue",
                ));
            }
            Err(error) => found.unseen(said!(
                "sensors were not read: {error}",
                "les capteurs n'ont pas été lus : {error}",
            )),
        },
        Err(_) => found.unseen(said!(
            "the gateway that runs has the buses, and was not asked",
            "la passerelle en marche tient les bus, et n'a pas été interrogée",
        )),
    }
}

fn judge(sensors: &[Sensor], found: &mut Found) {
    for sensor in sensors {
        let Some(error) = &sensor.error else { continue };
        let Sensor { room, address, .. } = sensor;
        let (meaning, remedy) = meaning(error);
        let (english, french) = (meaning.english, meaning.french);
        let what = said!(
            "{room} {address}: {english} (`{error}`)",
            "{room} {address} : {french} (`{error}`)",
        );
        let is_transient = ["rate", "range"].contains(&error.as_str());
        let new = if is_transient { Finding::warning } else { Finding::error };
        let finding = new("sensor-failed", what).mend(remedy);
        found.add(finding.paste(format!("maison read {room} --raw")));
    }
    rates(sensors, found);
}

/// Bits that change on a whole bus are its pull-up; of one sensor among others, its cable.
fn rates(sensors: &[Sensor], found: &mut Found) {
    let mut buses: BTreeMap<&str, Vec<&Sensor>> = BTreeMap::new();
    for sensor in sensors {
        buses.entry(&sensor.bus).or_default().push(sensor);
    }
    for (bus, sensors) in buses {
        let noisy: Vec<_> = sensors.iter().filter(|sensor| is_noisy(sensor)).collect();
        match noisy.as_slice() {
            [] => {}
            [one] if sensors.len() > 1 => cable(one, found),
            noisy => pull_up(bus, noisy, found),
        }
    }
}

/// Tries with changed bits, and all of them.
fn garbled(sensor: &Sensor) -> (u64, u64) {
    let times = |fault: Fault| sensor.faults.get(fault.name()).copied().unwrap_or(0);
    let all = sensor.answers.saturating_add(sensor.faults.values().sum());
    (times(Fault::Crc).saturating_add(times(Fault::Garbled)), all)
}

fn is_noisy(sensor: &Sensor) -> bool {
    let (bad, all) = garbled(sensor);
    bad >= GARBLED_MIN && bad.saturating_mul(1000) > all.saturating_mul(GARBLED_PER_MILLE_MAX)
}

fn cable(sensor: &Sensor, found: &mut Found) {
    let (bad, all) = garbled(sensor);
    let Sensor { room, address, bus, .. } = sensor;
    let what = said!(
        "{room} {address}: changed bits in {bad} of {all} answers, and in none of the others' on \
         {bus}",
        "{room} {address} : des bits changés dans {bad} réponses sur {all}, et chez aucun autre \
         sur {bus}",
    );
    found.add(Finding::warning("noisy-cable", what).mend(said!(
        "its own cable or plug: shorter, twisted with ground, away from mains and motors",
        "son câble ou sa fiche : plus court, torsadé avec la masse, loin du secteur et des moteurs",
    )));
}

fn pull_up(bus: &str, noisy: &[&&Sensor], found: &mut Found) {
    let tries = noisy.iter().map(|sensor| garbled(sensor));
    let (bad, all) = tries.fold((0_u64, 0_u64), |sum, one| {
        (sum.0.saturating_add(one.0), sum.1.saturating_add(one.1))
    });
    let what = said!(
        "{bus}: changed bits in {bad} of {all} answers of its sensors",
        "{bus} : des bits changés dans {bad} réponses sur {all} de ses capteurs",
    );
    let remedy = if bus.starts_with("i2c") || bus.starts_with("spi") {
        said!(
            "a slower clock (`dtparam=i2c_arm_baudrate=50000`), shorter wires, stronger pull-ups",
            "une horloge plus lente (`dtparam=i2c_arm_baudrate=50000`), des fils plus courts, des \
             résistances de rappel plus fortes",
        )
    } else {
        said!(
            "a stronger pull-up: 2.2 kΩ in place of 4.7 kΩ; else a shorter cable without branches",
            "une résistance de rappel plus forte : 2,2 kΩ au lieu de 4,7 kΩ ; sinon un câble plus \
             court sans branches",
        )
    };
    found.add(Finding::warning("noisy-bus", what).mend(remedy));
}

/// As `maison read` does.
fn read_once(patient: &Patient) -> anyhow::Result<Vec<Sensor>> {
    let lines = Lines::start(&patient.settings, None, Hear::Readings)?;
    let mut tried: BTreeMap<SensorId, Sensor> = BTreeMap::new();
    let sensors = lines.roster.sensors();
    let sensor = |id: SensorId| {
        let fitted = sensors.iter().find(|fitted| fitted.id == id)?;
        Some(Sensor {
            room: fitted.room.to_string(),
            bus: fitted.sensor.bus.to_string(),
            address: fitted.sensor.address.to_string(),
            answers: 0,
            faults: BTreeMap::new(),
            error: None,
        })
    };
    let began = Instant::now();
    let mut judged = BTreeMap::new();
    while judged.len() < sensors.len() {
        let patience = PATIENCE.saturating_sub(began.elapsed());
        let Ok((_, event)) = lines.heard.recv_timeout(patience) else { break };
        let Event::Told(told) = event else { continue };
        if let What::Answered(id, result) = told.what
            && let Some(new) = sensor(id)
        {
            let tried = tried.entry(id).or_insert(new);
            match result {
                Ok(_) => tried.answers += 1,
                Err(fault) => *tried.faults.entry(fault.name().to_owned()).or_default() += 1,
            }
        }
        for report in told.reports {
            let reason = report.state.reason().map(|reason| reason.name().to_owned());
            judged.entry(report.sensor).or_insert(reason);
        }
    }
    for fitted in sensors {
        let entry = tried.entry(fitted.id);
        let Some(new) = sensor(fitted.id) else { continue };
        let silent = || Some("stale".to_owned());
        entry.or_insert(new).error = judged.remove(&fitted.id).unwrap_or_else(silent);
    }
    Ok(tried.into_values().collect())
}
