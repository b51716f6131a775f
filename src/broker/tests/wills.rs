//! Wills (section 3.1.2.5).

use std::time::Duration;

use super::super::Input;
use super::*;
use crate::access::{Revoked, Rights};
use crate::mqtt::{Connect, DecodeError, Packet, QoS, ReasonCode};

fn with_will(client_id: &str) -> Connect {
    let keep_alive = Duration::from_secs(10);
    Connect { will: Some(will("gone", "1", QoS::AtLeastOnce)), keep_alive, ..clean(client_id) }
}

/// Lets a client with a will end in some way; whether the will was published.
fn is_spoken_after(end: impl FnOnce(&mut House, house::Client)) -> bool {
    let mut house = House::new();
    let listener = house.connect("listener");
    house.subscribe(listener, "gone", QoS::ExactlyOnce);
    let (client, _) = house.connect_as(with_will("a"));
    end(&mut house, client);
    assert!(house.is_closed(client));
    let spoken = house.unread(listener) > 0;
    if spoken {
        house.hears(listener, "gone=1 q1");
    }
    house.reads_nothing(listener);
    house.broker.assert_idle();
    spoken
}

/// [MQTT-3.14.4-3], [MQTT-3.1.2-10]
#[test]
fn a_disconnect_withdraws_the_will() {
    assert!(!is_spoken_after(House::disconnect));
}

/// [MQTT-3.1.2-8]: a network failure.
#[test]
fn a_lost_connection_publishes_the_will_once() {
    assert!(is_spoken_after(House::cut));
}

/// [MQTT-3.1.2-8]: the keep alive.
#[test]
fn a_silent_clients_will_is_published() {
    assert!(is_spoken_after(|house, _| house.pass(Duration::from_secs(15))));
}

/// [MQTT-3.1.2-8]: a protocol error.
#[test]
fn a_violators_will_is_published() {
    assert!(is_spoken_after(|house, client| house.send(client, Packet::PingResp)));
}

/// [MQTT-3.1.2-8]: a protocol error.
#[test]
fn a_will_is_published_when_bytes_are_no_packet() {
    assert!(is_spoken_after(|house, client| {
        let error = DecodeError { reason: ReasonCode::MalformedPacket, detail: "bad flags" };
        house.tell(Input::Malformed { connection: client, error });
    }));
}

/// [MQTT-3.1.2-8], [MQTT-3.1.4-2]
#[test]
fn a_will_is_published_at_a_take_over() {
    assert!(is_spoken_after(|house, _| {
        house.connect("a");
    }));
}

#[test]
fn a_will_is_published_when_the_process_does_not_end_but_not_when_it_does() {
    assert!(!is_spoken_after(|house, _| {
        let listener = house.connect_as(lasting("keeper")).0;
        house.subscribe(listener, "gone", QoS::AtLeastOnce);
        house.tell(Input::Shutdown);
    }));
}

/// [MQTT-3.1.2-10]: the will is of one connection.
#[test]
fn a_will_does_not_outlive_its_connection() {
    let mut house = House::new();
    let listener = house.connect("listener");
    house.subscribe(listener, "gone", QoS::AtMostOnce);
    let (client, _) = house.connect_as(Connect { clean_start: false, ..with_will("a") });
    house.disconnect(client);
    let (client, _) = house.connect_as(lasting("a"));
    house.cut(client);
    house.reads_nothing(listener);
    house.is_at_rest();
}

/// A session that outlives the connection gets its own will.
#[test]
fn an_absent_client_is_told_its_own_will() {
    let mut house = House::new();
    let connect = Connect { clean_start: false, ..with_will("a") };
    let (client, _) = house.connect_as(connect.clone());
    house.subscribe(client, "gone", QoS::AtLeastOnce);
    house.cut(client);
    let (client, _) = house.connect_as(connect);
    house.hears(client, "gone=1 q1");
    house.is_at_rest();
}

#[test]
fn a_will_on_a_forbidden_topic_is_refused_at_connect() {
    let mut house = House::new();
    let will = Some(will("maison/salon/temperature", "99", QoS::AtLeastOnce));
    let (client, answer) = house.try_connect(Connect { will, ..clean("a") });
    assert_eq!(answer.reason, ReasonCode::NotAuthorized);
    assert!(house.is_closed(client));
    assert_eq!(house.broker.statistics().traffic.denied, 1);
    assert_eq!(house.events.len(), 1);
    house.is_at_rest();
}

/// Rules may have changed since the client came.
#[test]
fn a_will_is_published_under_the_rules_of_its_moment() {
    let mut house = House::new();
    let listener = house.connect("listener");
    house.subscribe(listener, "gone", QoS::AtMostOnce);
    let (client, _) = house.connect_as(with_will("a"));
    let (rights, revoked) = (Rights::new("gone"), Revoked::default());
    house.tell(Input::Rights { rights, revoked });
    house.cut(client);
    house.reads_nothing(listener);
    assert_eq!(house.broker.statistics().traffic.denied, 1);
    house.is_at_rest();
}

/// A refused client was never there.
#[test]
fn a_refused_clients_will_is_not_published() {
    let mut house = House::new();
    let listener = house.connect("listener");
    house.subscribe(listener, "gone", QoS::AtMostOnce);
    let (_, answer) = house.try_connect(Connect { clean_start: false, ..with_will("") });
    assert_eq!(answer.reason, ReasonCode::ClientIdentifierNotValid);
    house.reads_nothing(listener);
    house.is_at_rest();
}

/// [MQTT-3.1.2-16]
#[test]
fn a_will_is_not_retained_unless_it_says_so() {
    let mut house = House::new();
    house.reading(message("gone", "before"), QoS::AtMostOnce, true);
    let (client, _) = house.connect_as(with_will("a"));
    house.cut(client);
    let client = house.connect("b");
    house.subscribe(client, "gone", QoS::AtMostOnce);
    house.hears(client, "gone=before q0 retained");
    house.is_at_rest();
}
