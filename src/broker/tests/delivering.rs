//! QoS 1 and 2 to clients: window, acknowledgements, resends, order.

use super::house::{WINDOW, packet_id, success};
use super::*;
use crate::mqtt::{Packet, QoS};

/// A client with a lasting session subscribed to `t`, and a publisher.
fn pair(house: &mut House) -> (house::Client, house::Client) {
    let (client, _) = house.connect_as(lasting("a"));
    house.subscribe(client, "t", QoS::ExactlyOnce);
    (client, house.connect("publisher"))
}

/// [MQTT-3.3.5-1], section 4.3: the lower of the two qualities.
#[test]
fn delivered_quality_is_the_lower_of_publication_and_subscription() {
    const ALL: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
    let mut house = House::new();
    let client = house.connect("a");
    let publisher = house.connect("publisher");
    for (subscribed, number) in ALL.into_iter().zip(0..) {
        house.subscribe(client, "t", subscribed);
        for (published, other) in ALL.into_iter().zip(0..) {
            house.publish(publisher, "t", "1", published);
            house.hears(client, &format!("t=1 q{}", number.min(other)));
        }
    }
    house.is_at_rest();
}

/// Section 4.3.3: the whole exchange, one packet at a time.
#[test]
fn a_qos_2_delivery_takes_four_packets() {
    let mut house = House::new();
    let (client, publisher) = pair(&mut house);
    house.publish(publisher, "t", "1", QoS::ExactlyOnce);
    let id = house.gets(client, "t=1 q2");
    house.send(client, Packet::PubRec(success(id)));
    house.reads(client, &Packet::PubRel(success(id)));
    house.send(client, Packet::PubRec(success(id)));
    house.reads(client, &Packet::PubRel(success(id)));
    house.send(client, Packet::PubComp(success(id)));
    house.reads_nothing(client);
    house.is_at_rest();
}

#[test]
fn at_most_a_window_is_under_way_and_the_rest_waits_in_order() {
    let mut house = House::new();
    let (client, publisher) = pair(&mut house);
    for number in 0..WINDOW + 5 {
        house.publish(publisher, "t", &number.to_string(), QoS::AtLeastOnce);
    }
    assert_eq!(house.unread(client), WINDOW);
    for number in 0..WINDOW + 5 {
        house.hears(client, &format!("t={number} q1"));
    }
    house.reads_nothing(client);
    house.is_at_rest();
}

/// [MQTT-2.3.1-4]: a QoS 2 message is under way until PUBCOMP.
#[test]
fn a_received_message_still_fills_the_window() {
    let mut house = House::new();
    let (client, publisher) = pair(&mut house);
    for number in 0..=WINDOW {
        house.publish(publisher, "t", &number.to_string(), QoS::ExactlyOnce);
    }
    let first = house.gets(client, "t=0 q2");
    house.send(client, Packet::PubRec(success(first)));
    assert_eq!(house.unread(client), WINDOW - 1 + 1, "the rest of the window and a PUBREL");
    house.send(client, Packet::PubComp(success(first)));
    assert_eq!(house.unread(client), WINDOW + 1, "and one more message");
}

/// [MQTT-2.3.1-2], [MQTT-2.3.1-4]
#[test]
fn identifiers_under_way_are_different() {
    let mut house = House::new();
    let (client, publisher) = pair(&mut house);
    for _ in 0..WINDOW {
        house.publish(publisher, "t", "1", QoS::AtLeastOnce);
    }
    let mut ids: Vec<_> = (0..WINDOW).map(|_| packet_id(&house.gets_any(client))).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), WINDOW);
}

#[test]
fn acknowledgements_that_fit_nothing_are_taken_calmly() {
    let mut house = House::new();
    let (client, publisher) = pair(&mut house);
    house.send(client, Packet::PubAck(success(id(1))));
    house.send(client, Packet::PubComp(success(id(1))));
    house.reads_nothing(client);
    house.send(client, Packet::PubRec(success(id(1))));
    house.reads(client, &Packet::PubRel(success(id(1))));
    house.publish(publisher, "t", "1", QoS::AtLeastOnce);
    let one = house.gets(client, "t=1 q1");
    house.send(client, Packet::PubRec(success(one)));
    house.send(client, Packet::PubComp(success(one)));
    house.reads_nothing(client);
    house.send(client, Packet::PubAck(success(one)));
    house.publish(publisher, "t", "2", QoS::ExactlyOnce);
    let two = house.gets(client, "t=2 q2");
    house.send(client, Packet::PubAck(success(two)));
    house.send(client, Packet::PubComp(success(two)));
    house.take_over(client, two);
    assert!(!house.is_closed(client));
    house.is_at_rest();
}

/// [MQTT-4.4.0-1], [MQTT-3.3.1-1], [MQTT-4.6.0-1]
#[test]
fn what_was_not_acknowledged_comes_again_in_order_then_the_queue() {
    let mut house = House::new();
    let (client, publisher) = pair(&mut house);
    house.publish(publisher, "t", "1", QoS::AtLeastOnce);
    house.publish(publisher, "t", "2", QoS::ExactlyOnce);
    house.publish(publisher, "t", "3", QoS::AtLeastOnce);
    let ids =
        [house.gets(client, "t=1 q1"), house.gets(client, "t=2 q2"), house.gets(client, "t=3 q1")];
    house.cut(client);
    house.publish(publisher, "t", "4", QoS::AtLeastOnce);
    let (client, _) = house.connect_as(lasting("a"));
    assert_eq!(house.gets(client, "t=1 q1 dup"), ids[0], "under its identifier");
    assert_eq!(house.gets(client, "t=2 q2 dup"), ids[1]);
    assert_eq!(house.gets(client, "t=3 q1 dup"), ids[2]);
    house.hears(client, "t=4 q1");
    house.send(client, Packet::PubAck(success(ids[0])));
    house.take_over(client, ids[1]);
    house.send(client, Packet::PubAck(success(ids[2])));
    house.is_at_rest();
}

/// [MQTT-4.4.0-1], [MQTT-4.6.0-4]
#[test]
fn releases_come_again_in_order_before_messages() {
    let mut house = House::new();
    let (client, publisher) = pair(&mut house);
    for payload in ["1", "2", "3"] {
        house.publish(publisher, "t", payload, QoS::ExactlyOnce);
    }
    let one = house.gets(client, "t=1 q2");
    let two = house.gets(client, "t=2 q2");
    let three = house.gets(client, "t=3 q2");
    for id in [two, one] {
        house.send(client, Packet::PubRec(success(id)));
        house.reads(client, &Packet::PubRel(success(id)));
    }
    house.cut(client);
    let (client, _) = house.connect_as(lasting("a"));
    house.reads(client, &Packet::PubRel(success(two)));
    house.reads(client, &Packet::PubRel(success(one)));
    assert_eq!(house.gets(client, "t=3 q2 dup"), three);
    house.send(client, Packet::PubComp(success(one)));
    house.send(client, Packet::PubComp(success(two)));
    house.take_over(client, three);
    house.is_at_rest();
}

/// [MQTT-3.1.2-6]: a clean session owes nobody anything.
#[test]
fn a_clean_start_forgets_what_was_under_way() {
    let mut house = House::new();
    let (client, publisher) = pair(&mut house);
    house.publish(publisher, "t", "1", QoS::ExactlyOnce);
    house.gets(client, "t=1 q2");
    house.cut(client);
    let client = house.connect("a");
    house.reads_nothing(client);
    house.is_at_rest();
}

/// [MQTT-4.6.0-5], [MQTT-4.6.0-6]: the order of one publisher holds through window, queue and
/// two connections.
#[test]
fn order_holds_through_queue_and_reconnect() {
    let mut house = House::new();
    let (client, publisher) = pair(&mut house);
    for number in 0..30 {
        house.publish(publisher, "t", &number.to_string(), QoS::AtLeastOnce);
    }
    for number in 0..5 {
        house.hears(client, &format!("t={number} q1"));
    }
    for number in 5..25 {
        house.gets(client, &format!("t={number} q1"));
    }
    house.cut(client);
    for number in 30..40 {
        house.publish(publisher, "t", &number.to_string(), QoS::AtLeastOnce);
    }
    let (client, _) = house.connect_as(lasting("a"));
    for number in 40..50 {
        house.publish(publisher, "t", &number.to_string(), QoS::AtLeastOnce);
    }
    for number in 5..50 {
        let dup = if number < 25 { " dup" } else { "" };
        house.hears(client, &format!("t={number} q1{dup}"));
    }
    house.is_at_rest();
}

/// A client hears itself in 3.1.1.
#[test]
fn a_client_gets_its_own_messages() {
    let mut house = House::new();
    let client = house.connect("a");
    house.subscribe(client, "t", QoS::AtMostOnce);
    house.send(client, Packet::Publish(house::publish("t", "1", QoS::AtMostOnce)));
    house.hears(client, "t=1 q0");
    house.is_at_rest();
}
