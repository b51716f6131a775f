//! Session expiry (3.1.2.11.2).

use std::time::Duration;

use super::*;
use crate::mqtt::{Connect, Disconnect, DisconnectProperties, QoS};

fn with_expiry(client_id: &str, seconds: Option<u64>) -> Connect {
    let properties = properties(|it| it.session_expiry = seconds.map(Duration::from_secs));
    Connect { clean_start: false, properties, ..v5(client_id) }
}

#[track_caller]
fn is_present_after(house: &mut House, pause: u64) -> bool {
    house.pass(Duration::from_secs(pause));
    house.connect_as(with_expiry("a", Some(60))).1.0
}

/// [MQTT-3.1.2-23]
#[test]
fn a_session_lives_as_long_as_the_client_said() {
    for (pause, expected) in [(59, true), (61, false)] {
        let mut house = House::new();
        let client = house.connect_as(with_expiry("a", Some(60))).0;
        house.disconnect(client);
        assert_eq!(is_present_after(&mut house, pause), expected);
    }
}

/// 3.2.2.3.2
#[test]
fn a_session_lives_no_longer_than_the_cap_which_is_said() {
    for wanted in [None, Some(1_000_000)] {
        let mut house = House::new();
        let (client, answer) = house.try_connect(with_expiry("a", wanted));
        assert_eq!(answer.properties.session_expiry_seconds, Some(3600));
        house.cut(client);
        assert!(!is_present_after(&mut house, 3601));
    }
}

/// [MQTT-3.1.2-4], [MQTT-3.1.2-6]: a clean start says nothing of how long the new session lives.
#[test]
fn a_clean_start_begins_a_session_that_lasts() {
    let mut house = House::new();
    let first = house.connect_as(with_expiry("a", Some(60))).0;
    house.subscribe(first, "t", QoS::AtLeastOnce);
    house.disconnect(first);
    let (second, present) =
        house.connect_as(Connect { clean_start: true, ..with_expiry("a", Some(60)) });
    assert!(!present.0);
    assert_eq!(house.broker.statistics().subscriptions, 0);
    house.disconnect(second);
    assert!(is_present_after(&mut house, 1));
}

fn disconnect_with(house: &mut House, client: house::Client, seconds: u32) {
    let session_expiry_seconds = Some(seconds);
    let properties = DisconnectProperties { session_expiry_seconds, ..Default::default() };
    let (reason, properties) = (ReasonCode::Success, properties);
    house.send(client, Packet::Disconnect(Box::new(Disconnect { reason, properties })));
}

/// 3.14.2.2.2
#[test]
fn a_disconnect_can_set_the_expiry_anew() {
    let mut house = House::new();
    let client = house.connect_as(with_expiry("a", Some(60))).0;
    disconnect_with(&mut house, client, 600);
    assert!(is_present_after(&mut house, 500));
    let client = house.connect_as(with_expiry("a", Some(60))).0;
    disconnect_with(&mut house, client, 0);
    assert!(!is_present_after(&mut house, 0));
}

/// 3.14.2.2.2
#[test]
fn a_session_that_ends_with_its_connection_cannot_be_prolonged() {
    let mut house = House::new();
    let client = house.connect_as(v5("a")).0;
    disconnect_with(&mut house, client, 60);
    assert_eq!(sent_away(&mut house, client).0, ReasonCode::ProtocolError);
    assert_eq!(house.broker.statistics().sessions, 0);
}

/// [MQTT-4.1.0-1]: the time counts from the end of the connection.
#[test]
fn a_session_does_not_expire_while_its_client_is_there() {
    let mut house = House::new();
    let client = house.connect_as(with_expiry("a", Some(60))).0;
    house.subscribe(client, "t", QoS::AtLeastOnce);
    house.pass(Duration::from_secs(100_000));
    house.reading(message("t", "1"), QoS::AtLeastOnce, false);
    house.hears(client, "t=1 q1");
    house.cut(client);
    assert!(is_present_after(&mut house, 59));
    house.is_at_rest();
}
