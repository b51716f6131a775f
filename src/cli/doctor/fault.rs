//! What each fault of a sensor is in words, and what to look at.

use super::finding::{Said, said};
use crate::sensors::Fault;

/// In words, and what to do, by the name that the status topic has for it.
pub(super) fn meaning(name: &str) -> (Said, Said) {
    if let Some(fault) = Fault::ALL.into_iter().find(|fault| fault.name() == name) {
        return (what(fault), remedy(fault));
    }
    match name {
        "range" => (
            said!("a value that no room has", "une valeur qu'aucune pièce n'a"),
            said!(
                "look where the sensor hangs; `min` and `max` of the sensor bound it",
                "voyez où le capteur est placé ; `min` et `max` du capteur la bornent",
            ),
        ),
        "rate" => (
            said!("a jump that no room makes", "un saut qu'aucune pièce ne fait"),
            said!(
                "look where the sensor hangs; `max_rate` of the sensor bounds it",
                "voyez où le capteur est placé ; `max_rate` du capteur le borne",
            ),
        ),
        _ => (
            said!("no good reading for long", "pas de bonne mesure depuis longtemps"),
            said!(
                "its bus does not answer any more: look at its supply and its cable",
                "son bus ne répond plus : voyez l'alimentation et le câble",
            ),
        ),
    }
}

fn what(fault: Fault) -> Said {
    match fault {
        Fault::Absent => said!("nobody answers there", "personne n'y répond"),
        Fault::Crc => said!("bits change on the way", "des bits changent en chemin"),
        Fault::PowerOn => said!(
            "it started anew and has not measured: 85 °C",
            "il vient de redémarrer et n'a pas mesuré : 85 °C",
        ),
        Fault::Unpowered => said!("its supply is too weak", "son alimentation est trop faible"),
        Fault::StuckLow => said!("the bus is low for ever", "la ligne du bus reste basse"),
        Fault::StuckHigh => said!("nobody pulls the bus down", "la ligne du bus reste haute"),
        Fault::Garbled => said!("its answer makes no sense", "sa réponse n'a pas de sens"),
        Fault::WrongChip => said!("another chip answers there", "une autre puce y répond"),
        Fault::Timeout => said!("it does not answer in time", "il ne répond pas à temps"),
        Fault::Busy => said!("another process keeps its bus", "un autre processus garde son bus",),
        Fault::Permission => said!("its bus may not be opened", "son bus ne peut être ouvert"),
        Fault::NoBus => said!("its bus is not there", "son bus n'existe pas"),
        Fault::Bus => said!("the kernel reports an error", "le noyau signale une erreur"),
        Fault::Open => said!("what hangs at it is cut", "ce qui y est branché est coupé"),
        Fault::Short => said!("its wires touch", "ses fils se touchent"),
        Fault::ShortGround => said!("a wire touches ground", "un fil touche la masse"),
        Fault::ShortSupply => said!("a wire touches the supply", "un fil touche l'alimentation"),
        Fault::ReferenceHigh => {
            said!("a wire to the element is cut", "un fil vers l'élément est coupé")
        }
        Fault::ReferenceLow | Fault::InputLow => said!(
            "a wire touches ground, or the return wire is cut",
            "un fil touche la masse, ou le fil de retour est coupé",
        ),
        Fault::Overvoltage => said!(
            "an input is above the supply or below ground",
            "une entrée est au-dessus de l'alimentation ou sous la masse",
        ),
    }
}

fn remedy(fault: Fault) -> Said {
    match fault {
        Fault::Absent => said!(
            "plug, address, supply: `maison scan` shows who is there",
            "fiche, adresse, alimentation : `maison scan` montre qui est là",
        ),
        Fault::Crc | Fault::Garbled => said!(
            "the pull-up of the bus, the length of its cable, a motor beside it",
            "la résistance de rappel du bus, la longueur du câble, un moteur à côté",
        ),
        Fault::PowerOn | Fault::Unpowered => said!(
            "feed it by its third wire with 3.3 V, not through the data line",
            "alimentez-le en 3,3 V par son troisième fil, pas par le fil de données",
        ),
        Fault::StuckLow | Fault::StuckHigh => said!(
            "a short, a missing pull-up, a chip that hangs: take them off one by one",
            "un court-circuit, une résistance de rappel absente, une puce bloquée : débranchez-les \
             une à une",
        ),
        Fault::WrongChip => said!(
            "`driver` and `address` of the sensor: `maison scan` shows who is there",
            "`driver` et `address` du capteur : `maison scan` montre qui est là",
        ),
        Fault::Timeout | Fault::Bus => said!(
            "supply and cable; the log of the gateway has the error",
            "alimentation et câble ; le journal de la passerelle donne l'erreur",
        ),
        Fault::Busy => said!(
            "`sudo lslocks` shows who has a lock on its device: stop that program",
            "`sudo lslocks` montre qui verrouille son périphérique : arrêtez ce programme",
        ),
        Fault::Permission => said!(
            "the groups of the user of the gateway",
            "les groupes de l'utilisateur de la passerelle",
        ),
        Fault::NoBus => said!("the boot settings", "les réglages d'amorçage"),
        Fault::Open
        | Fault::Short
        | Fault::ShortGround
        | Fault::ShortSupply
        | Fault::ReferenceHigh
        | Fault::ReferenceLow
        | Fault::InputLow
        | Fault::Overvoltage => said!(
            "the cable between the converter and the element",
            "le câble entre le convertisseur et l'élément",
        ),
    }
}
