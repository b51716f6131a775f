use super::*;
use crate::daemon::machine::Condition;
use crate::daemon::status::survey::Trial;
use crate::daemon::status::{Certificate, Clients, Queues, Room, Store};

fn well() -> (Status, Facts) {
    let store = Store {
        state: "ok".to_owned(),
        bytes_written: 1,
        syncs: 1,
        commits: 1,
        failures: 0,
        changes_spared: 0,
        refused: 0,
        file_bytes: 1,
    };
    let queues = Queues {
        messages: 3,
        bytes: 300,
        inflight: 1,
        dropped: 0,
        expired: 0,
        denied: 0,
        retained: 9,
        retained_bytes: 900,
    };
    let certificate = |of: &str, days_left| Certificate {
        of: of.to_owned(),
        until: "2027-01-01T00:00:00Z".to_owned(),
        days_left,
    };
    let status = Status {
        warnings: Vec::new(),
        version: "1.2.3".to_owned(),
        pid: 1,
        uptime_s: 1,
        time: "2026-11-30T00:00:00Z".to_owned(),
        clock_set: true,
        state_dir: "/var/lib/maison".to_owned(),
        resident_bytes: None,
        disk_free_bytes: Some(DISK_FREE_BYTES_LOW),
        rooms: vec![Room {
            slug: "salon".to_owned(),
            name: "Salon".to_owned(),
            online: true,
            measured: Vec::new(),
        }],
        listeners: Vec::new(),
        clients: Clients { connected: 0, sessions: 0, maximum: 0, refused: 5, listed: Vec::new() },
        queues,
        store: Some(store),
        certificates: vec![certificate("[::]:8883", CERTIFICATE_DAYS_LOW)],
        ..Status::default()
    };
    let health = Health { rooms: 2, sensors: 2, tried: 2, ok: 2, complaints: Vec::new() };
    let facts = Facts {
        condition: Condition { under_voltage: Some(false), ..Condition::default() },
        health,
        trial: Trial::default(),
        late_bus: None,
        is_ready: true,
        store_damage: None,
    };
    (status, facts)
}

#[track_caller]
fn check(spoil: impl FnOnce(&mut Status, &mut Facts), expected: &[&str]) {
    let (mut status, mut facts) = well();
    spoil(&mut status, &mut facts);
    let warnings = of(&status, &facts);
    let what: Vec<_> = warnings.iter().map(|warning| warning.what.as_str()).collect();
    assert_eq!(what, expected);
}

#[test]
fn a_gateway_that_is_well_gives_no_warning() {
    check(|_, _| {}, &[]);
}

#[test]
fn each_trouble_has_its_warning() {
    check(
        |status, _| status.store.as_mut().unwrap().state = "full".to_owned(),
        &["nothing that clients want kept can be kept: store full"],
    );
    let damaged = "the store was damaged at the start: its log is gone";
    check(|_, facts| facts.store_damage = Some("its log is gone".into()), &[damaged]);
    check(
        |_, facts| facts.late_bus = Some("w1-0".to_owned()),
        &["the thread of a bus is stuck: w1-0"],
    );
    check(
        |_, facts| facts.health.complaints.push("cave: crc".to_owned()),
        &["no good reading: cave: crc"],
    );
    check(|_, facts| facts.health.tried = 0, &["sensors not tried yet: 2"]);
    check(|status, _| status.rooms[0].online = false, &["no room has a temperature that counts"]);
    let ends = "certificate ends soon: [::]:8883: 2027-01-01T00:00:00Z";
    check(|status, _| status.certificates[0].days_left = 13, &[ends]);
    let ended = "certificate has ended: [::]:8883: 2027-01-01T00:00:00Z";
    check(|status, _| status.certificates[0].days_left = -1, &[ended]);
    check(
        |_, facts| facts.condition.under_voltage = Some(true),
        &["the supply of the board is too weak"],
    );
    check(
        |status, _| status.disk_free_bytes = Some(10),
        &["the card is nearly full: 10 bytes left"],
    );
    check(|status, _| status.clock_set = false, &["the clock is not set: 2026-11-30T00:00:00Z"]);
    let refused = "the changed configuration was refused: 3";
    check(|_, facts| facts.trial.mistakes = 3, &[refused]);
    check(
        |_, facts| facts.trial.restart = vec!["gateway.root"],
        &["waits for a restart: `gateway.root`"],
    );
    check(
        |status, _| status.queues.dropped = 7,
        &["messages lost by full queues since the start: 7"],
    );
}

/// One room of several without its sensor is no reason to start the gateway anew.
#[test]
fn grave_is_what_keeps_the_gateway_from_what_it_is_for() {
    let grave = |spoil: fn(&mut Status, &mut Facts)| {
        let (mut status, mut facts) = well();
        spoil(&mut status, &mut facts);
        of(&status, &facts).iter().any(|warning| warning.grave)
    };
    assert!(grave(|status, _| status.store.as_mut().unwrap().state = "read-only".to_owned()));
    assert!(grave(|_, facts| facts.late_bus = Some("i2c-1".to_owned())));
    assert!(grave(|status, _| status.rooms[0].online = false));
    assert!(grave(|_, facts| (facts.health.tried, facts.is_ready) = (0, false)));
    assert!(!grave(|_, facts| facts.health.tried = 1), "a room that was added just now");
    assert!(!grave(|_, facts| facts.health.complaints.push("cave: crc".to_owned())));
    assert!(!grave(|status, _| status.queues.dropped = 9));
    assert!(!grave(|_, facts| facts.trial.mistakes = 1));
}

/// What loses something now is read first.
#[test]
fn the_gravest_comes_first() {
    check(
        |status, facts| {
            status.queues.dropped = 1;
            status.clock_set = false;
            facts.health.complaints.push("cave: crc".to_owned());
            status.store.as_mut().unwrap().state = "failed".to_owned();
        },
        &[
            "nothing that clients want kept can be kept: store failed",
            "no good reading: cave: crc",
            "the clock is not set: 2026-11-30T00:00:00Z",
            "messages lost by full queues since the start: 1",
        ],
    );
}
