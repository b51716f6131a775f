//! Keep alive (section 3.1.2.10).

use std::time::Duration;

use super::*;
use crate::mqtt::{Connect, Packet, QoS};

const KEEP_ALIVE: Duration = Duration::from_secs(10);
const GRACE: Duration = Duration::from_secs(15);
const ALMOST: Duration = Duration::from_micros(14_999_999);
const INSTANT: Duration = Duration::from_micros(1);

fn ten_seconds(client_id: &str) -> Connect {
    Connect { keep_alive: KEEP_ALIVE, ..clean(client_id) }
}

/// [MQTT-3.12.4-1]
#[test]
fn a_ping_is_answered() {
    let mut house = House::new();
    let client = house.connect("a");
    house.send(client, Packet::PingReq);
    house.reads(client, &Packet::PingResp);
    house.is_at_rest();
}

/// [MQTT-3.1.2-24]
#[test]
fn silent_client_is_closed_after_the_grace_period() {
    let mut house = House::new();
    let (client, _) = house.connect_as(ten_seconds("a"));
    house.pass(ALMOST);
    assert!(!house.is_closed(client));
    house.pass(INSTANT);
    assert!(house.is_closed(client));
    assert_eq!(house.broker.deadline(), None);
    house.is_at_rest();
}

/// [MQTT-3.1.2-23]: any packet will do.
#[test]
fn a_client_that_speaks_stays() {
    let mut house = House::new();
    let (client, _) = house.connect_as(ten_seconds("a"));
    for _ in 0..5 {
        house.pass(ALMOST);
        house.send(client, Packet::PubAck(house::success(id(9))));
    }
    assert!(!house.is_closed(client));
    house.pass(ALMOST);
    assert!(!house.is_closed(client), "the time counts from the last packet");
    house.pass(INSTANT);
    assert!(house.is_closed(client));
    house.is_at_rest();
}

#[test]
fn what_the_server_sends_keeps_no_client_alive() {
    let mut house = House::new();
    let (client, _) = house.connect_as(ten_seconds("a"));
    house.subscribe(client, "t", QoS::AtMostOnce);
    for _ in 0..3 {
        house.pass(GRACE / 3);
        house.reading(message("t", "1"), QoS::AtMostOnce, false);
    }
    assert!(house.is_closed(client));
}

/// Keep alive zero turns it off.
#[test]
fn a_client_without_keep_alive_may_be_silent() {
    let mut house = House::new();
    let client = house.connect("a");
    house.pass(Duration::from_secs(1_000_000));
    assert!(!house.is_closed(client));
    assert_eq!(house.broker.deadline(), None);
    house.is_at_rest();
}

#[test]
fn connections_that_come_and_go_leave_no_timers() {
    let mut house = House::new();
    for _ in 0..10 {
        let (client, _) = house.connect_as(ten_seconds("a"));
        house.cut(client);
        let (client, _) = house.connect_as(Connect { clean_start: false, ..ten_seconds("b") });
        house.disconnect(client);
        house.connect_as(ten_seconds("b"));
    }
    house.pass(GRACE);
    assert_eq!(house.broker.deadline(), None);
    house.is_at_rest();
}
