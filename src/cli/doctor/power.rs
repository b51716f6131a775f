//! The supply and the heat of a Raspberry Pi.

use super::finding::{Finding, Found, Said, said};
use super::patient::Patient;
use crate::daemon::{Condition, Machine, Throttled};

/// From 80 °C on the firmware of a Pi slows down.
const HOT: i32 = 80_000;

pub(super) fn examine(patient: &Patient, found: &mut Found) {
    let sysfs = &patient.settings.hardware.sysfs;
    let Condition { cpu, under_voltage, throttled, .. } =
        Machine::new(sysfs, patient.state_dir()).look();
    let throttled = throttled.unwrap_or_default();
    if under_voltage == Some(true) || throttled.has(Throttled::UNDER_VOLTAGE) {
        weak(
            Finding::error,
            said!("the supply is too weak", "l'alimentation est trop faible"),
            found,
        );
    } else if throttled.has(Throttled::UNDER_VOLTAGE_EVER) {
        let what = said!(
            "the supply was too weak at times since the start of the board",
            "l'alimentation a été trop faible par moments depuis le démarrage de la carte",
        );
        weak(Finding::warning, what, found);
    }
    slow(throttled, found);
    if let Some(cpu) = cpu.map(|cpu| cpu.value().thousandths()).filter(|cpu| *cpu >= HOT) {
        let degrees = cpu / 1000;
        let what = said!(
            "the processor is at {degrees} °C, and slows down from 80 °C on",
            "le processeur est à {degrees} °C, et ralentit à partir de 80 °C",
        );
        found.add(Finding::warning("processor-hot", what).mend(cooler()));
    }
}

fn weak(new: fn(&'static str, Said) -> Finding, what: Said, found: &mut Found) {
    found.add(new("under-voltage", what).mend(said!(
        "a supply of 5.1 V and 2.5 A or more, with a short thick cable: a weak one loses cards and \
         readings",
        "une alimentation de 5,1 V et 2,5 A ou plus, par un câble court et épais : trop faible, \
         elle abîme cartes et mesures",
    )));
}

fn slow(throttled: Throttled, found: &mut Found) {
    let (new, what): (fn(_, _) -> _, _) = if throttled.has(Throttled::SLOWED) {
        let what = said!("the board slows down", "la carte ralentit");
        (Finding::warning, what)
    } else if throttled.has(Throttled::SLOWED_EVER) {
        let what = said!(
            "the board slowed down at times since its start",
            "la carte a ralenti par moments depuis son démarrage",
        );
        (Finding::note, what)
    } else {
        return;
    };
    found.add(new("throttled", what).mend(cooler()));
}

fn cooler() -> Said {
    said!(
        "give it air, a heat sink, or a better supply",
        "donnez-lui de l'air, un dissipateur, ou une meilleure alimentation",
    )
}
