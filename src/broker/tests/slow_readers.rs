//! Clients that do not read: their memory is bounded, and the others notice nothing.

use super::house::WINDOW;
use super::*;
use crate::limits;
use crate::mqtt::{Connect, Packet, QoS};

/// More of these than of the bytes that may be unwritten.
const LARGE: usize = 1000;

fn overwhelm(house: &mut House, publisher: house::Client, qos: QoS) -> usize {
    let fitting = limits::UNWRITTEN_BYTES_MAX / LARGE;
    for number in 0..2 * fitting {
        let payload = format!("{number:0LARGE$}");
        house.publish(publisher, "t", &payload, qos);
    }
    2 * fitting
}

#[test]
fn qos_0_for_a_slow_reader_waits_in_its_queue_and_comes_in_order() {
    let mut house = House::with(|settings| settings.queue_bytes = None);
    let client = house.connect("a");
    house.subscribe(client, "t", QoS::AtMostOnce);
    let publisher = house.connect("publisher");
    house.stick(client);
    let sent = overwhelm(&mut house, publisher, QoS::AtMostOnce);
    let unwritten = house.unread(client) * LARGE;
    assert!(unwritten <= limits::UNWRITTEN_BYTES_MAX + LARGE, "{unwritten}");
    house.unstick(client);
    let dropped = house.broker.statistics().traffic.messages_dropped;
    let arrived = house.unread(client);
    assert_eq!(arrived, sent - usize::try_from(dropped).unwrap());
    let mut last = None;
    for _ in 0..arrived {
        let payload = house.gets_any(client).message.payload;
        assert!(last.as_ref() < Some(&payload), "in order");
        last = Some(payload);
    }
    let newest = format!("{:0LARGE$}", sent - 1);
    assert_eq!(last.unwrap(), newest.as_bytes(), "the oldest are given up, not the newest");
    house.pass(limits::EVENT_INTERVAL);
    house.is_at_rest();
}

#[test]
fn a_slow_reader_delays_nobody_else() {
    let mut house = House::new();
    let (slow, quick) = (house.connect("slow"), house.connect("quick"));
    house.subscribe(slow, "t", QoS::AtMostOnce);
    house.subscribe(quick, "t", QoS::AtMostOnce);
    let publisher = house.connect("publisher");
    house.stick(slow);
    let sent = overwhelm(&mut house, publisher, QoS::AtMostOnce);
    assert_eq!(house.unread(quick), sent);
}

/// QoS 0 is for the present: what a slow reader left unread goes with its connection.
#[test]
fn qos_0_in_the_queue_of_a_slow_reader_goes_when_it_goes() {
    let mut house = House::new();
    let (client, _) = house.connect_as(lasting("a"));
    house.subscribe(client, "t", QoS::AtMostOnce);
    let publisher = house.connect("publisher");
    house.stick(client);
    let sent = overwhelm(&mut house, publisher, QoS::AtMostOnce);
    let read = house.unread(client);
    house.cut(client);
    let dropped = house.broker.statistics().traffic.messages_dropped;
    assert_eq!(usize::try_from(dropped).unwrap(), sent - read, "each loss is counted");
    let (client, _) = house.connect_as(lasting("a"));
    house.reads_nothing(client);
}

#[test]
fn resends_keep_to_the_same_bound() {
    let mut house = House::new();
    let (client, _) = house.connect_as(lasting("a"));
    house.subscribe(client, "t", QoS::AtLeastOnce);
    let publisher = house.connect("publisher");
    let large = "x".repeat(limits::UNWRITTEN_BYTES_MAX);
    for _ in 0..WINDOW {
        house.publish(publisher, "t", &large, QoS::AtLeastOnce);
    }
    assert_eq!(house.unread(client), WINDOW);
    house.cut(client);
    let client = house.open();
    house.stick(client);
    house.send(client, Packet::Connect(Box::new(lasting("a"))));
    assert_eq!(house.unread(client), 2, "CONNACK and one message");
    house.unstick(client);
    assert_eq!(house.unread(client), 1 + WINDOW);
}

#[test]
fn a_client_that_asks_and_does_not_read_is_closed() {
    let mut house = House::new();
    let connect = Connect { will: Some(will("gone", "1", QoS::AtMostOnce)), ..clean("a") };
    let (client, _) = house.connect_as(connect);
    let listener = house.connect("listener");
    house.subscribe(listener, "gone", QoS::AtMostOnce);
    house.stick(client);
    let pings = limits::UNWRITTEN_BYTES_FLOOD / Packet::PingResp.weight();
    for _ in 0..pings {
        house.send(client, Packet::PingReq);
    }
    assert!(!house.is_closed(client));
    house.send(client, Packet::PingReq);
    assert!(house.is_closed(client));
    house.hears(listener, "gone=1 q0");
}

/// One message may be of any size; answers behind it are no flood.
#[test]
fn a_client_that_reads_one_very_large_message_may_ping() {
    let mut house = House::new();
    let client = house.connect("a");
    house.subscribe(client, "t", QoS::AtMostOnce);
    let publisher = house.connect("publisher");
    house.stick(client);
    let huge = "x".repeat(2 * limits::UNWRITTEN_BYTES_FLOOD);
    house.publish(publisher, "t", &huge, QoS::AtLeastOnce);
    for _ in 0..10 {
        house.send(client, Packet::PingReq);
    }
    assert!(!house.is_closed(client));
}
