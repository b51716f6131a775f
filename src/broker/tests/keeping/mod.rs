//! What is acknowledged is kept: nothing is promised before it is durable, and what was promised is
//! there in the next life.

mod trouble;

use std::time::Duration;

use super::super::{Delays, Keeping};
use super::house::{DiskMode, SessionPresent, heard, id, publish, success, wanted};
use super::*;
use crate::limits::{COMMIT_DELAY_SHORT, COMMIT_DELAY_SOON, PAGE_MESSAGES_MAX};
use crate::mqtt::{Packet, Publish, QoS, ReasonCode};

/// A house with the delays of a real one.
fn patient() -> House {
    House::with(|settings| settings.keeping = Keeping::All(Delays::default()))
}

/// A client with a session that lasts, which has left a subscription and gone.
fn absent(house: &mut House, client_id: &str, filter: &str, qos: QoS) {
    let (client, _) = house.connect_as(lasting(client_id));
    house.subscribe(client, filter, qos);
    house.disconnect(client);
}

/// [MQTT-4.3.2-4]: the acknowledgement says that the message is taken over.
#[test]
fn a_message_for_an_absent_client_is_acknowledged_when_it_is_durable() {
    let mut house = House::new();
    absent(&mut house, "away", "t", QoS::AtLeastOnce);
    let publisher = house.connect("p");
    house.disk_mode = DiskMode::Waits;
    house.send(publisher, Packet::Publish(publish("t", "1", QoS::AtLeastOnce)));
    house.reads_nothing(publisher);
    house.write_batch();
    house.reads(publisher, &Packet::PubAck(success(id(7))));
    house.disk_mode = DiskMode::Works;
    house.crash();
    let (away, present) = house.connect_as(lasting("away"));
    assert_eq!(present, SessionPresent(true));
    house.hears(away, "t=1 q1");
    house.is_at_rest();
}

#[test]
fn what_nobody_has_to_keep_is_acknowledged_at_once() {
    let mut house = House::new();
    let (subscriber, publisher) = (house.connect("s"), house.connect("p"));
    house.subscribe(subscriber, "t", QoS::ExactlyOnce);
    house.disk_mode = DiskMode::Waits;
    house.publish(publisher, "t", "1", QoS::ExactlyOnce);
    house.hears(subscriber, "t=1 q2");
    assert!(!house.has_batch());
    house.is_at_rest();
}

/// Point 3 of the design's promises: the card is spared.
#[test]
fn a_message_that_all_have_taken_is_acknowledged_and_never_written() {
    let mut house = patient();
    let (one, _) = house.connect_as(lasting("one"));
    let (two, _) = house.connect_as(lasting("two"));
    house.disk_mode = DiskMode::Works;
    for client in [one, two] {
        let filters = vec![wanted("t", QoS::AtLeastOnce)];
        let answer = house.subscribe_packet(client, filters, None);
        assert_eq!(answer.reasons, [ReasonCode::GrantedQoS1]);
    }
    house.pass(Duration::from_secs(60));
    let publisher = house.connect("p");
    let before = house.disk.changes;
    let counted = house.broker.statistics().traffic;
    house.send(publisher, Packet::Publish(publish("t", "1", QoS::AtLeastOnce)));
    house.hears(one, "t=1 q1");
    house.reads_nothing(publisher);
    house.hears(two, "t=1 q1");
    house.reads(publisher, &Packet::PubAck(success(id(7))));
    house.pass(Duration::from_secs(60));
    assert_eq!(house.disk.changes, before);
    let traffic = house.broker.statistics().traffic;
    assert_eq!(traffic.changes_noted - counted.changes_noted, 4, "a copy each, and its end");
    assert_eq!(traffic.changes_spared - counted.changes_spared, 4);
    house.is_at_rest();
}

#[test]
fn a_subscriber_that_takes_its_time_is_not_waited_for() {
    let mut house = patient();
    let (subscriber, _) = house.connect_as(lasting("s"));
    house.subscribe(subscriber, "t", QoS::AtLeastOnce);
    let publisher = house.connect("p");
    house.send(publisher, Packet::Publish(publish("t", "1", QoS::AtLeastOnce)));
    let first = house.gets(subscriber, "t=1 q1");
    house.pass(COMMIT_DELAY_SHORT.saturating_sub(Duration::from_millis(1)));
    house.reads_nothing(publisher);
    house.pass(Duration::from_millis(1));
    house.reads(publisher, &Packet::PubAck(success(id(7))));
    house.crash();
    let (subscriber, _) = house.connect_as(lasting("s"));
    assert_eq!(house.gets(subscriber, "t=1 q1 dup"), first, "[MQTT-4.4.0-1]");
    house.send(subscriber, Packet::PubAck(success(first)));
    house.pass(Duration::from_secs(60));
    house.is_at_rest();
}

/// [MQTT-4.3.3-10]: the identifier of a message that was received outlives the process, and so does
/// its end.
#[test]
fn a_qos_2_message_that_is_sent_again_after_a_crash_is_not_routed_again() {
    let mut house = House::new();
    absent(&mut house, "away", "t", QoS::ExactlyOnce);
    let (publisher, _) = house.connect_as(lasting("p"));
    house.send(publisher, Packet::Publish(publish("t", "1", QoS::ExactlyOnce)));
    house.reads(publisher, &Packet::PubRec(success(id(7))));
    house.crash();
    let (publisher, _) = house.connect_as(lasting("p"));
    let again = Publish { dup: true, ..publish("t", "1", QoS::ExactlyOnce) };
    house.send(publisher, Packet::Publish(again));
    house.reads(publisher, &Packet::PubRec(success(id(7))));
    house.disk_mode = DiskMode::Waits;
    house.send(publisher, Packet::PubRel(success(id(7))));
    house.reads_nothing(publisher);
    house.write_batch();
    house.reads(publisher, &Packet::PubComp(success(id(7))));
    house.disk_mode = DiskMode::Works;
    house.crash();
    let (publisher, _) = house.connect_as(lasting("p"));
    house.publish(publisher, "t", "2", QoS::ExactlyOnce);
    let (away, _) = house.connect_as(lasting("away"));
    house.hears(away, "t=1 q2");
    house.hears(away, "t=2 q2");
    house.is_at_rest();
}

/// [MQTT-4.3.3-10]: also where the first PUBREC was never sent, because it was not durable.
#[test]
fn a_resend_waits_for_what_the_first_waited_for() {
    let mut house = House::new();
    let (publisher, _) = house.connect_as(lasting("p"));
    house.disk_mode = DiskMode::Waits;
    house.send(publisher, Packet::Publish(publish("t", "1", QoS::ExactlyOnce)));
    house.cut(publisher);
    let (publisher, _) = house.connect_as(lasting("p"));
    house.send(publisher, Packet::Publish(publish("t", "1", QoS::ExactlyOnce)));
    house.reads_nothing(publisher);
    while house.has_batch() {
        house.write_batch();
    }
    house.reads(publisher, &Packet::PubRec(success(id(7))));
    house.send(publisher, Packet::PubRel(success(id(7))));
    house.write_batch();
    house.reads(publisher, &Packet::PubComp(success(id(7))));
}

/// [MQTT-4.3.3-2]: a client that has seen a QoS 2 message sees no other copy of it, whenever the
/// plug is pulled.
#[test]
fn a_qos_2_message_is_sent_when_its_identifier_is_durable_and_released_likewise() {
    let mut house = House::new();
    let (subscriber, _) = house.connect_as(lasting("s"));
    house.subscribe(subscriber, "t", QoS::ExactlyOnce);
    let publisher = house.connect("p");
    house.disk_mode = DiskMode::Waits;
    house.send(publisher, Packet::Publish(publish("t", "1", QoS::ExactlyOnce)));
    house.reads_nothing(subscriber);
    house.reads_nothing(publisher);
    house.write_batch();
    let sent = house.gets(subscriber, "t=1 q2");
    house.reads(publisher, &Packet::PubRec(success(id(7))));
    house.crash();
    let (subscriber, _) = house.connect_as(lasting("s"));
    assert_eq!(house.gets(subscriber, "t=1 q2 dup"), sent);
    house.disk_mode = DiskMode::Waits;
    while house.has_batch() {
        house.write_batch();
    }
    house.send(subscriber, Packet::PubRec(success(sent)));
    house.reads_nothing(subscriber);
    house.write_batch();
    house.reads(subscriber, &Packet::PubRel(success(sent)));
    house.disk_mode = DiskMode::Works;
    house.crash();
    let (subscriber, _) = house.connect_as(lasting("s"));
    house.reads(subscriber, &Packet::PubRel(success(sent)));
    house.send(subscriber, Packet::PubComp(success(sent)));
    house.is_at_rest();
}

/// [MQTT-4.6.0-4]: what is released in a later life comes after what was released before.
#[test]
fn releases_keep_their_order_from_life_to_life() {
    let mut house = House::new();
    let (subscriber, _) = house.connect_as(lasting("s"));
    house.subscribe(subscriber, "t", QoS::ExactlyOnce);
    let publisher = house.connect("p");
    for number in 0..3 {
        house.publish(publisher, "t", &number.to_string(), QoS::ExactlyOnce);
        house.hears(subscriber, &format!("t={number} q2"));
    }
    house.cut(subscriber);
    let mut released = Vec::new();
    for text in ["in one life", "in the next"] {
        let subscriber = house.connect_as(lasting("s")).0;
        let publisher = house.connect("p");
        house.publish(publisher, "t", text, QoS::ExactlyOnce);
        for packet_id in &released {
            house.reads(subscriber, &Packet::PubRel(success(*packet_id)));
        }
        let packet_id = house.gets(subscriber, &format!("t={text} q2"));
        house.send(subscriber, Packet::PubRec(success(packet_id)));
        house.reads(subscriber, &Packet::PubRel(success(packet_id)));
        released.push(packet_id);
        house.crash();
    }
    let subscriber = house.connect_as(lasting("s")).0;
    for packet_id in released {
        house.reads(subscriber, &Packet::PubRel(success(packet_id)));
        house.send(subscriber, Packet::PubComp(success(packet_id)));
    }
    house.is_at_rest();
}

/// Found by the simulation of crashes (seed 1373): an end that is said again is not more durable
/// for that.
#[test]
fn a_release_that_is_said_again_waits_for_what_the_first_waited_for() {
    let mut house = House::new();
    let (publisher, _) = house.connect_as(lasting("p"));
    house.send(publisher, Packet::Publish(publish("t", "1", QoS::ExactlyOnce)));
    house.reads(publisher, &Packet::PubRec(success(id(7))));
    house.disk_mode = DiskMode::Waits;
    house.send(publisher, Packet::PubRel(success(id(7))));
    house.cut(publisher);
    let (publisher, _) = house.connect_as(lasting("p"));
    house.send(publisher, Packet::PubRel(success(id(7))));
    house.reads_nothing(publisher);
    while house.has_batch() {
        house.write_batch();
    }
    house.reads(publisher, &Packet::PubComp(success(id(7))));
}

/// What the store has and is told to forget does not stay because it came again in between.
#[test]
fn a_subscription_that_goes_comes_and_goes_in_one_batch_is_gone() {
    let mut house = House::new();
    let (client, _) = house.connect_as(lasting("s"));
    house.subscribe(client, "t", QoS::AtLeastOnce);
    house.disk_mode = DiskMode::Waits;
    house.send_subscribe(client, "other", QoS::AtLeastOnce);
    house.send_unsubscribe(client, "t");
    house.send_subscribe(client, "t", QoS::AtLeastOnce);
    house.send_unsubscribe(client, "t");
    while house.has_batch() {
        house.write_batch();
    }
    house.disk_mode = DiskMode::Works;
    house.crash();
    assert_eq!(house.broker.statistics().subscriptions, 1);
}

#[test]
fn a_subscription_of_a_lasting_session_is_granted_when_it_is_durable() {
    let mut house = House::new();
    let (client, _) = house.connect_as(lasting("s"));
    house.disk_mode = DiskMode::Waits;
    house.send_subscribe(client, "t", QoS::AtLeastOnce);
    house.reads_nothing(client);
    house.write_batch();
    assert!(matches!(house.read(client), Packet::SubAck(_)));
    house.disk_mode = DiskMode::Works;
    house.crash();
    assert_eq!(house.broker.statistics().subscriptions, 1);
    let (client, _) = house.connect_as(lasting("s"));
    house.unsubscribe(client, "t");
    house.crash();
    assert_eq!(house.broker.statistics().subscriptions, 0);
    house.is_at_rest();
}

/// Many clients subscribe each time they come.
#[test]
fn a_subscription_that_is_there_already_is_not_written_again() {
    let mut house = patient();
    let (client, _) = house.connect_as(lasting("s"));
    house.disk_mode = DiskMode::Waits;
    house.send_subscribe(client, "t", QoS::AtLeastOnce);
    house.send_subscribe(client, "t", QoS::AtLeastOnce);
    house.reads_nothing(client);
    house.write_batch();
    assert!(matches!(house.read(client), Packet::SubAck(_)));
    assert!(matches!(house.read(client), Packet::SubAck(_)), "it waited for the first");
    house.send_subscribe(client, "t", QoS::AtLeastOnce);
    assert!(!house.has_batch());
    assert!(matches!(house.read(client), Packet::SubAck(_)));
    house.send_subscribe(client, "t", QoS::ExactlyOnce);
    house.reads_nothing(client);
    house.write_batch();
    assert!(matches!(house.read(client), Packet::SubAck(_)));
}

#[test]
fn a_retained_message_is_acknowledged_when_it_is_durable() {
    let mut house = House::new();
    let publisher = house.connect("p");
    house.disk_mode = DiskMode::Waits;
    let retained = Publish { retain: true, ..publish("t", "1", QoS::AtLeastOnce) };
    house.send(publisher, Packet::Publish(retained));
    house.reads_nothing(publisher);
    house.write_batch();
    house.reads(publisher, &Packet::PubAck(success(id(7))));
    house.disk_mode = DiskMode::Works;
    house.crash();
    let client = house.connect("s");
    house.subscribe(client, "#", QoS::AtMostOnce);
    house.hears(client, "t=1 q0 retained");
    let publisher = house.connect("p");
    house.retain(publisher, "t", "", QoS::AtLeastOnce);
    house.crash();
    let client = house.connect("s");
    house.subscribe(client, "#", QoS::AtMostOnce);
    house.is_at_rest();
}

/// [MQTT-4.6.0-2]: one that need not wait does not overtake one that has to.
#[test]
fn acknowledgements_keep_the_order_of_their_messages() {
    let mut house = House::new();
    absent(&mut house, "away", "kept", QoS::AtLeastOnce);
    let publisher = house.connect("p");
    house.disk_mode = DiskMode::Waits;
    let numbered = |topic, number| {
        let delivery = crate::mqtt::Delivery::AtLeastOnce(id(number));
        Packet::Publish(Publish { delivery, ..publish(topic, "1", QoS::AtLeastOnce) })
    };
    house.send(publisher, numbered("kept", 1));
    house.send(publisher, numbered("other", 2));
    house.send(publisher, Packet::PingReq);
    house.reads(publisher, &Packet::PingResp);
    house.reads_nothing(publisher);
    house.write_batch();
    house.reads(publisher, &Packet::PubAck(success(id(1))));
    house.reads(publisher, &Packet::PubAck(success(id(2))));
}

/// [MQTT-3.1.2-8]: a client whose gateway lost its power went without a word.
#[test]
fn the_will_of_who_was_there_is_spoken_after_a_crash() {
    let mut house = House::new();
    absent(&mut house, "away", "w", QoS::AtLeastOnce);
    for connect in [clean("one"), lasting("two")] {
        let text = connect.client_id.to_string();
        let will = Some(will("w", &text, QoS::AtLeastOnce));
        house.connect_as(crate::mqtt::Connect { will, ..connect });
    }
    let (gone, _) = house.connect_as(crate::mqtt::Connect {
        will: Some(will("w", "three", QoS::AtLeastOnce)),
        ..clean("three")
    });
    house.disconnect(gone);
    house.crash();
    let (away, _) = house.connect_as(lasting("away"));
    let mut words = [house.gets_any(away), house.gets_any(away)].map(|it| heard(&it));
    words.sort();
    assert_eq!(words, ["w=one q1", "w=two q1"]);
    house.reads_nothing(away);
}

#[test]
fn a_session_expires_while_the_machine_is_off() {
    let mut house = House::with(|settings| settings.session_expiry = Duration::from_secs(60));
    absent(&mut house, "away", "t", QoS::AtLeastOnce);
    house.pass(Duration::from_secs(59));
    house.crash();
    assert_eq!(house.broker.statistics().sessions, 1);
    house.pass(Duration::from_secs(1));
    assert_eq!(house.broker.statistics().sessions, 0);
    house.crash();
    assert_eq!(house.broker.statistics().sessions, 0);
}

/// A Pi has no clock battery: how long it was off may be known only when NTP has come.
#[test]
fn a_session_expires_when_it_is_known_how_long_the_machine_was_off() {
    let mut house = House::with(|settings| settings.session_expiry = Duration::from_secs(60));
    absent(&mut house, "away", "t", QoS::AtLeastOnce);
    absent(&mut house, "back", "t", QoS::AtLeastOnce);
    house.crash();
    house.pass(Duration::from_secs(1));
    let (back, _) = house.connect_as(lasting("back"));
    house.disconnect(back);
    house.tell(super::super::Input::Slept(Duration::from_secs(3600)));
    house.pass(Duration::ZERO);
    assert_eq!(house.broker.statistics().sessions, 1, "who has been here since is not late");
}

#[test]
fn an_absent_clients_messages_take_no_memory_and_come_in_order() {
    let mut house = House::with(|settings| {
        (settings.queue_messages, settings.queue_bytes) = (None, None);
    });
    absent(&mut house, "away", "t", QoS::AtLeastOnce);
    let publisher = house.connect("p");
    let count = 4 * PAGE_MESSAGES_MAX;
    for number in 0..count {
        house.publish(publisher, "t", &number.to_string(), QoS::AtLeastOnce);
    }
    let statistics = house.broker.statistics();
    assert_eq!((statistics.queued, statistics.queued_in_memory), (count, 0));
    let (away, _) = house.connect_as(lasting("away"));
    for number in 0..count {
        house.hears(away, &format!("t={number} q1"));
        let in_memory = house.broker.statistics().queued_in_memory;
        assert!(in_memory <= PAGE_MESSAGES_MAX, "{in_memory}");
    }
    house.is_at_rest();
}

/// While the rest of a long queue is fetched, more comes, and the oldest goes.
#[test]
fn a_queue_in_the_store_keeps_its_bounds_and_its_order() {
    let mut house = House::with(|settings| settings.queue_messages = Some(600));
    absent(&mut house, "away", "t", QoS::AtLeastOnce);
    let publisher = house.connect("p");
    for number in 0..700 {
        house.publish(publisher, "t", &number.to_string(), QoS::AtLeastOnce);
    }
    house.crash();
    let (away, _) = house.connect_as(lasting("away"));
    let publisher = house.connect("p");
    house.hears(away, "t=100 q1");
    house.publish(publisher, "t", "last", QoS::AtLeastOnce);
    house.cut(away);
    let (away, _) = house.connect_as(lasting("away"));
    for number in 101..121 {
        house.hears(away, &format!("t={number} q1 dup"));
    }
    for number in 121..700 {
        house.hears(away, &format!("t={number} q1"));
    }
    house.hears(away, "t=last q1");
    house.pass(Duration::from_secs(60));
    house.is_at_rest();
}

/// MQTT 5.0 section 4.8.2: what goes to another member of a group is not acknowledged before the
/// other one's copy is durable.
#[test]
fn a_message_that_changes_hands_is_kept_for_its_new_owner() {
    let mut house = patient();
    for name in ["one", "two"] {
        let (client, _) = house.connect_as(lasting(name));
        house.subscribe(client, "$share/g/t", QoS::AtLeastOnce);
    }
    house.pass(COMMIT_DELAY_SOON);
    let publisher = house.connect("p");
    house.disk_mode = DiskMode::Waits;
    house.send(publisher, Packet::Publish(publish("t", "1", QoS::AtLeastOnce)));
    let one = crate::access::ConnectionId(1);
    let two = crate::access::ConnectionId(2);
    let (first, second) = if house.unread(one) > 0 { (one, two) } else { (two, one) };
    house.gets(first, "t=1 q1");
    house.cut(first);
    house.gets(second, "t=1 q1");
    house.reads_nothing(publisher);
    house.pass(COMMIT_DELAY_SHORT);
    house.reads_nothing(publisher);
    house.write_batch();
    house.reads(publisher, &Packet::PubAck(success(id(7))));
}

/// The gateway's own readings are read again: they wait for company.
#[test]
fn readings_are_written_together_and_seldom() {
    let mut house = patient();
    absent(&mut house, "away", "maison/#", QoS::AtLeastOnce);
    house.pass(Duration::from_secs(60));
    let before = house.broker.statistics().traffic.batches;
    for second in 0..60 {
        house.reading(message("maison/salon/temperature", "21"), QoS::ExactlyOnce, second > 30);
        house.pass(Duration::from_secs(1));
    }
    let batches = house.broker.statistics().traffic.batches - before;
    assert!((1..=2).contains(&batches), "{batches}");
    house.pass(Duration::from_secs(60));
    house.crash();
    let (away, _) = house.connect_as(lasting("away"));
    house.gets(away, "maison/salon/temperature=21 q1");
    assert_eq!(house.broker.statistics().retained, 0, "they are told anew by the next life");
}
