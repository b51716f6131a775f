//! What outlives a connection, and for whom.

use std::time::Duration;

use super::super::Event;
use super::house::{Gate, SessionPresent};
use super::*;
use crate::mqtt::{Connect, Credentials, Packet, QoS};

fn of_user(user: &str, connect: Connect) -> Connect {
    Connect { credentials: Credentials { user: Some(user.into()), password: None }, ..connect }
}

/// [MQTT-3.1.2-6]
#[test]
fn a_clean_session_ends_with_its_connection() {
    let mut house = House::new();
    let client = house.connect("a");
    house.subscribe(client, "t", QoS::AtLeastOnce);
    house.disconnect(client);
    assert_eq!(house.broker.statistics().sessions, 0);
    assert_eq!(house.broker.statistics().subscriptions, 0);
    assert_eq!(house.connect_as(lasting("a")).1, SessionPresent(false));
    house.is_at_rest();
}

/// [MQTT-3.1.2-4], [MQTT-3.2.2-2], [MQTT-3.2.2-3]
#[test]
fn a_lasting_session_keeps_its_subscriptions() {
    let mut house = House::new();
    let (client, present) = house.connect_as(lasting("a"));
    assert_eq!(present, SessionPresent(false));
    house.subscribe(client, "t", QoS::AtLeastOnce);
    house.cut(client);
    let (client, present) = house.connect_as(lasting("a"));
    assert_eq!(present, SessionPresent(true));
    let other = house.connect("b");
    house.publish(other, "t", "1", QoS::AtLeastOnce);
    house.hears(client, "t=1 q1");
    house.is_at_rest();
}

/// [MQTT-3.1.2-6]
#[test]
fn a_clean_session_discards_the_lasting_one_before_it() {
    let mut house = House::new();
    let (client, _) = house.connect_as(lasting("a"));
    house.subscribe(client, "t", QoS::AtLeastOnce);
    house.disconnect(client);
    let (client, present) = house.connect_as(clean("a"));
    assert_eq!(present, SessionPresent(false), "[MQTT-3.2.2-1]");
    assert_eq!(house.broker.statistics().subscriptions, 0);
    house.disconnect(client);
    assert_eq!(house.connect_as(lasting("a")).1, SessionPresent(false));
    house.is_at_rest();
}

#[test]
fn an_absent_clients_session_expires() {
    let mut house = House::with(|settings| settings.session_expiry = Duration::from_secs(60));
    let (client, _) = house.connect_as(lasting("a"));
    house.subscribe(client, "t", QoS::AtLeastOnce);
    house.pass(Duration::from_secs(1000));
    house.cut(client);
    house.pass(Duration::from_secs(59));
    assert_eq!(house.broker.statistics().sessions, 1);
    let (client, present) = house.connect_as(lasting("a"));
    assert_eq!(present, SessionPresent(true));
    house.pass(Duration::from_secs(1000));
    house.disconnect(client);
    house.pass(Duration::from_secs(60));
    assert_eq!(house.broker.statistics().sessions, 0);
    assert_eq!(house.broker.statistics().subscriptions, 0);
    assert_eq!(house.broker.deadline(), None);
    assert_eq!(house.connect_as(lasting("a")).1, SessionPresent(false));
    house.is_at_rest();
}

/// [MQTT-3.1.4-2]
#[test]
fn a_newer_connection_takes_over() {
    let mut house = House::new();
    let (old, _) = house.connect_as(lasting("a"));
    house.subscribe(old, "t", QoS::AtLeastOnce);
    let (new, present) = house.connect_as(lasting("a"));
    assert_eq!(present, SessionPresent(true));
    assert!(house.is_closed(old) && !house.is_closed(new));
    let gone = house.events.iter().find_map(|event| match event {
        Event::Disconnected { reason, .. } => Some(&**reason),
        _ => None,
    });
    assert_eq!(gone, Some("taken over by a newer connection"));
    let other = house.connect("b");
    house.publish(other, "t", "1", QoS::AtLeastOnce);
    house.hears(new, "t=1 q1");
    house.is_at_rest();
}

/// [MQTT-3.1.4-2], when the login of the older connection takes longer to check.
#[test]
fn a_newer_connection_is_not_taken_over_by_an_older_one() {
    let mut house = House::new();
    house.gate = Gate::Waits;
    let (old, new) = (house.open(), house.open());
    for client in [old, new] {
        house.send(client, Packet::Connect(Box::new(lasting("a"))));
    }
    house.logins.swap(0, 1);
    house.open_gate();
    house.open_gate();
    assert!(house.is_closed(old) && !house.is_closed(new));
    assert!(matches!(house.read(new), Packet::ConnAck(answer) if !answer.reason.is_failure()));
    house.is_at_rest();
}

#[test]
fn a_clean_session_that_is_taken_over_leaves_nothing() {
    let mut house = House::new();
    let old = house.connect("a");
    house.subscribe(old, "t", QoS::AtLeastOnce);
    let (_, present) = house.connect_as(lasting("a"));
    assert_eq!(present, SessionPresent(false));
    assert!(house.is_closed(old));
    assert_eq!(house.broker.statistics().subscriptions, 0);
    house.is_at_rest();
}

#[test]
fn nobody_takes_another_users_session() {
    let mut house = House::new();
    let (bob, _) = house.connect_as(of_user("bob", lasting("a")));
    house.subscribe(bob, "t", QoS::AtLeastOnce);
    let (eve, present) = house.connect_as(of_user("eve", lasting("a")));
    let (stranger, absent) = house.connect_as(lasting("a"));
    assert_eq!((present, absent), (SessionPresent(false), SessionPresent(false)));
    assert!(!house.is_closed(bob));
    house.publish(eve, "t", "1", QoS::AtLeastOnce);
    house.hears(bob, "t=1 q1");
    house.reads_nothing(stranger);
    house.is_at_rest();
}

#[test]
fn client_ids_of_any_characters_come_and_go() {
    let mut house = House::new();
    for client_id in ["a+b#$/", "étage", "$SYS", "", " "].map(clean) {
        for _ in 0..2 {
            let (client, _) = house.connect_as(client_id.clone());
            house.disconnect(client);
        }
    }
    assert_eq!(house.broker.statistics().sessions, 0);
    house.is_at_rest();
}

/// [MQTT-3.14.4-2]: what a client sends after its DISCONNECT is not heard.
#[test]
fn disconnect_is_the_last_packet() {
    let mut house = House::new();
    let client = house.connect("a");
    house.disconnect(client);
    assert!(house.is_closed(client));
    house.send(client, Packet::PingReq);
    house.reads_nothing(client);
    house.is_at_rest();
}
