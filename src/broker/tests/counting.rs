//! What is counted for people: it agrees with what happened, and with what is there.

use std::time::Duration;

use super::*;
use crate::mqtt::{Packet, QoS};

#[test]
fn the_most_clients_at_a_time_are_remembered() {
    let mut house = House::new();
    let clients = ["a", "b", "c"].map(|name| house.connect(name));
    house.disconnect(clients[0]);
    house.cut(clients[1]);
    let again = house.connect("a");
    let taken_over = house.connect("a");
    assert!(house.is_closed(again) && !house.is_closed(taken_over));
    let statistics = house.broker.statistics();
    assert_eq!(statistics.clients_connected, 2);
    assert_eq!(statistics.traffic.clients_maximum, 3);
    assert_eq!(statistics.traffic.connects, 5);
}

#[test]
fn what_waits_and_what_is_under_way_is_counted_until_it_is_delivered() {
    let mut house = House::new();
    let (client, _) = house.connect_as(lasting("a"));
    house.subscribe(client, "t", QoS::AtLeastOnce);
    let publisher = house.connect("publisher");
    house.publish(publisher, "t", "1", QoS::AtLeastOnce);
    let sent = house.gets(client, "t=1 q1");
    assert_eq!(house.broker.statistics().inflight, 1);
    house.send(client, Packet::PubAck(house::success(sent)));
    assert_eq!(house.broker.statistics().inflight, 0);
    house.cut(client);
    house.publish(publisher, "t", "2", QoS::AtLeastOnce);
    house.publish(publisher, "t", "3", QoS::AtLeastOnce);
    let waiting = house.broker.statistics();
    assert_eq!((waiting.queued, waiting.inflight), (2, 0));
    assert!((2..1000).contains(&waiting.queued_bytes), "{}", waiting.queued_bytes);
    let (client, _) = house.connect_as(lasting("a"));
    house.hears(client, "t=2 q1");
    house.hears(client, "t=3 q1");
    let delivered = house.broker.statistics();
    assert_eq!((delivered.queued, delivered.queued_bytes, delivered.inflight), (0, 0, 0));
    house.is_at_rest();
}

#[test]
fn sessions_that_expire_are_counted() {
    let mut house = House::with(|settings| settings.session_expiry = Duration::from_secs(60));
    let (client, _) = house.connect_as(lasting("a"));
    house.cut(client);
    house.pass(Duration::from_secs(59));
    assert_eq!(house.broker.statistics().traffic.sessions_expired, 0);
    house.pass(Duration::from_secs(2));
    assert_eq!(house.broker.statistics().traffic.sessions_expired, 1);
    let client = house.connect("b");
    house.disconnect(client);
    assert_eq!(house.broker.statistics().traffic.sessions_expired, 1, "a clean session just ends");
}
