//! Searches in the retained messages for new subscriptions: in bounded memory, in their place among
//! what waits, across absences.

use std::time::Duration;

use super::super::{Input, Keeping};
use super::house::WINDOW;
use super::*;
use crate::limits;
use crate::mqtt::{Packet, QoS};

/// The queue's bound is for messages; retained ones are looked up when there is room to send them.
#[test]
fn a_wildcard_gets_all_of_many_retained_messages() {
    let mut house = House::with(|settings| settings.queue_messages = Some(1));
    for number in 0..500 {
        let retained = message(&format!("t/{number:03}"), "1");
        house.reading(retained, QoS::ExactlyOnce, true);
    }
    let (client, _) = house.connect_as(lasting("a"));
    house.subscribe(client, "#", QoS::AtLeastOnce);
    assert_eq!(house.unread(client), WINDOW);
    for number in 0..500 {
        house.hears(client, &format!("t/{number:03}=1 q1 retained"));
    }
    assert_eq!(house.broker.statistics().traffic.messages_dropped, 0);
    house.is_at_rest();
}

/// [MQTT-4.6.0-5]: what is published during a search comes after it, once.
#[test]
fn what_is_published_while_retained_messages_are_sent_comes_after_them_once() {
    let mut house = House::new();
    for number in 0..30 {
        house.reading(message(&format!("t/{number:02}"), "old"), QoS::ExactlyOnce, true);
    }
    let client = house.connect("a");
    house.subscribe(client, "t/#", QoS::AtLeastOnce);
    house.reading(message("t/29", "new"), QoS::ExactlyOnce, true);
    house.reading(message("t/28", "passing"), QoS::ExactlyOnce, false);
    for number in 0..29 {
        house.hears(client, &format!("t/{number:02}=old q1 retained"));
    }
    house.hears(client, "t/29=new q1");
    house.hears(client, "t/28=passing q1");
    house.is_at_rest();
}

/// A search is part of the session, like the messages it stands for.
#[test]
fn a_search_goes_on_after_a_reconnect() {
    let mut house = House::new();
    for number in 0..30 {
        house.reading(message(&format!("t/{number:02}"), "old"), QoS::ExactlyOnce, true);
    }
    let (client, _) = house.connect_as(lasting("a"));
    house.subscribe(client, "t/#", QoS::AtLeastOnce);
    for number in 0..10 {
        house.hears(client, &format!("t/{number:02}=old q1 retained"));
    }
    house.cut(client);
    house.reading(message("t/29", "new"), QoS::AtMostOnce, true);
    let (client, _) = house.connect_as(lasting("a"));
    for number in 10..30 {
        house.hears(client, &format!("t/{number:02}=old q1 retained dup"));
    }
    house.reads_nothing(client);
    house.is_at_rest();
}

/// The rest of a search keeps its place: `old` was published before `passing` ([MQTT-4.6.0-6]).
/// What replaced its matches at QoS 0 meanwhile is lost to a client that was away, like all of QoS
/// 0; to find it now would put it before what waited, although it came later.
#[test]
fn a_search_keeps_its_place_in_an_absence_and_finds_nothing_newer() {
    let mut house = House::new();
    for number in 0..30 {
        house.reading(message(&format!("t/{number:02}"), "old"), QoS::ExactlyOnce, true);
    }
    let (client, _) = house.connect_as(lasting("a"));
    house.subscribe(client, "t/#", QoS::AtLeastOnce);
    house.cut(client);
    house.reading(message("t/28", "passing"), QoS::AtLeastOnce, false);
    house.reading(message("t/29", "passing"), QoS::AtLeastOnce, false);
    house.reading(message("t/29", "new"), QoS::AtMostOnce, true);
    let (client, _) = house.connect_as(lasting("a"));
    for number in 0..WINDOW {
        house.hears(client, &format!("t/{number:02}=old q1 retained dup"));
    }
    for number in WINDOW..29 {
        house.hears(client, &format!("t/{number:02}=old q1 retained"));
    }
    house.hears(client, "t/28=passing q1");
    house.hears(client, "t/29=passing q1");
    house.is_at_rest();
}

/// Also when the client goes twice before the search is over.
#[test]
fn a_search_that_is_broken_off_twice_finds_all_once() {
    let mut house = House::new();
    for number in 0..60 {
        house.reading(message(&format!("t/{number:02}"), "old"), QoS::ExactlyOnce, true);
    }
    let (client, _) = house.connect_as(lasting("a"));
    house.subscribe(client, "t/#", QoS::AtLeastOnce);
    house.cut(client);
    for (number, qos) in [(57, QoS::AtMostOnce), (58, QoS::AtLeastOnce)] {
        let (client, _) = house.connect_as(lasting("a"));
        house.cut(client);
        house.reading(message(&format!("t/{number}"), "new"), qos, true);
    }
    let (client, _) = house.connect_as(lasting("a"));
    house.reading(message("t/59", "last"), QoS::AtMostOnce, true);
    for number in 0..57 {
        let dup = if number < WINDOW { " dup" } else { "" };
        house.hears(client, &format!("t/{number:02}=old q1 retained{dup}"));
    }
    house.hears(client, "t/58=new q1");
    house.hears(client, "t/59=last q0");
    house.is_at_rest();
}

/// Section 4.3.3: what was retained in an absence and waited for the client comes from where it
/// waited, and not once more from the store.
#[test]
fn what_waited_is_not_found_again_by_the_search_that_goes_on() {
    let mut house = House::new();
    for number in 0..30 {
        house.reading(message(&format!("t/{number:02}"), "old"), QoS::ExactlyOnce, true);
    }
    let (client, _) = house.connect_as(lasting("a"));
    house.subscribe(client, "t/#", QoS::ExactlyOnce);
    house.cut(client);
    house.reading(message("t/29", "new"), QoS::ExactlyOnce, true);
    let (client, _) = house.connect_as(lasting("a"));
    for number in 0..29 {
        let dup = if number < WINDOW { " dup" } else { "" };
        house.hears(client, &format!("t/{number:02}=old q2 retained{dup}"));
    }
    house.hears(client, "t/29=new q2");
    house.is_at_rest();
}

/// [MQTT-4.6.0-6]: also when what waits before it is taken out, because its group has it now.
#[test]
fn a_search_keeps_its_place_when_what_waits_before_it_goes_to_others() {
    let mut house = House::with(|settings| settings.bounds.inflight_to_client = 1);
    house.reading(message("t", "old"), QoS::AtLeastOnce, true);
    let (client, other) = (house.connect("a"), house.connect("b"));
    house.subscribe(client, "$share/g/jobs", QoS::AtLeastOnce);
    for number in 0..3 {
        house.reading(message("jobs", &number.to_string()), QoS::AtLeastOnce, false);
    }
    let first = house.gets(client, "jobs=0 q1");
    house.subscribe(client, "t", QoS::AtLeastOnce);
    house.reading(message("t", "new"), QoS::AtLeastOnce, false);
    house.subscribe(other, "$share/g/jobs", QoS::AtLeastOnce);
    house.send_unsubscribe(client, "$share/g/jobs");
    for number in 1..3 {
        house.hears(other, &format!("jobs={number} q1"));
    }
    assert!(matches!(house.read(client), Packet::UnsubAck(_)));
    house.send(client, Packet::PubAck(house::success(first)));
    house.hears(client, "t=old q1 retained");
    house.hears(client, "t=new q1");
    house.is_at_rest();
}

/// [MQTT-4.6.0-5]: what waits for a subscription is not overtaken by what a later one finds.
#[test]
fn retained_messages_come_after_what_was_queued_before_their_subscription() {
    let mut house = House::new();
    let client = house.connect("a");
    house.subscribe(client, "t", QoS::AtLeastOnce);
    for number in 0..WINDOW + 2 {
        house.reading(message("t", &number.to_string()), QoS::AtLeastOnce, true);
    }
    let sent: Vec<_> =
        (0..WINDOW).map(|number| house.gets(client, &format!("t={number} q1"))).collect();
    house.subscribe(client, "+", QoS::AtLeastOnce);
    house.reading(message("t", "last"), QoS::AtLeastOnce, false);
    for id in sent {
        house.send(client, Packet::PubAck(house::success(id)));
    }
    for number in WINDOW..WINDOW + 2 {
        house.hears(client, &format!("t={number} q1"));
    }
    house.hears(client, &format!("t={} q1 retained", WINDOW + 1));
    house.hears(client, "t=last q1");
    house.is_at_rest();
}

#[test]
fn an_unsubscribe_ends_the_search() {
    let mut house = House::new();
    for number in 0..30 {
        house.reading(message(&format!("t/{number:02}"), "1"), QoS::ExactlyOnce, true);
    }
    let client = house.connect("a");
    house.subscribe(client, "t/#", QoS::AtLeastOnce);
    let ids: Vec<_> =
        (0..WINDOW).map(|_| house::packet_id(&house.gets_any(client)).unwrap()).collect();
    house.unsubscribe(client, "t/#");
    for id in ids {
        house.send(client, Packet::PubAck(house::success(id)));
    }
    house.is_at_rest();
}

/// A search through very many topics gives the others their turn.
#[test]
fn a_long_search_goes_on_by_itself() {
    let mut house = House::new();
    for number in 0..limits::RETAINED_SEEKS_PER_TURN {
        let retained = message(&format!("t/{number}/x"), "1");
        house.broker.handle(
            house.now,
            Input::Publish {
                message: retained,
                qos: QoS::AtMostOnce,
                retention: Retention::Replaced,
            },
        );
    }
    house.reading(message("t/z/y", "1"), QoS::AtMostOnce, true);
    let client = house.connect("a");
    house.stick(client);
    house.subscribe(client, "+/+/y", QoS::AtMostOnce);
    house.reads_nothing(client);
    house.pass(Duration::from_millis(1));
    house.hears(client, "t/z/y=1 q0 retained");
    house.unstick(client);
    house.is_at_rest();
}

/// However many topics match, none of their messages is copied before it can be sent, and between
/// two turns of the search everyone else is served.
#[test]
fn a_search_takes_no_memory_and_others_are_served_while_it_goes_on() {
    const TOPICS: usize = limits::RETAINED_SEEKS_PER_TURN + 500;
    let mut house = House::with(|settings| settings.bounds.queued_bytes = Some(0));
    for number in 0..TOPICS {
        let message = message(&format!("t/{number:05}"), "1");
        let (qos, retention) = (QoS::AtMostOnce, Retention::Replaced);
        house.broker.handle(house.now, Input::Publish { message, qos, retention });
    }
    let (client, other) = (house.connect("a"), house.connect("b"));
    house.stick(client);
    house.subscribe(client, "t/#", QoS::AtMostOnce);
    let found = house.unread(client);
    assert_eq!(found, limits::RETAINED_SEEKS_PER_TURN, "it is not over in one turn");
    assert_eq!(house.broker.statistics().queued_bytes, 0);
    house.send(other, Packet::PingReq);
    house.reads(other, &Packet::PingResp);
    house.pass(Duration::from_millis(1));
    house.unstick(client);
    for number in 0..TOPICS {
        house.hears(client, &format!("t/{number:05}=1 q0 retained"));
    }
    house.is_at_rest();
}

/// A client that talks meanwhile has no more turns, and two do not have theirs at once.
#[test]
fn long_searches_take_turns() {
    let mut house = House::with(|settings| settings.keeping = Keeping::Nothing);
    for number in 0..limits::RETAINED_SEEKS_PER_TURN {
        house.reading(message(&format!("t/{number}/x"), "1"), QoS::AtMostOnce, true);
    }
    house.reading(message("t/z/y", "1"), QoS::AtMostOnce, true);
    let clients = ["a", "b"].map(|name| {
        let client = house.connect(name);
        house.subscribe(client, "+/+/y", QoS::AtMostOnce);
        client
    });
    let acknowledgement = house::success(crate::mqtt::PacketId::MIN);
    for client in clients {
        house.send(client, Packet::PubAck(acknowledgement.clone()));
        house.reads_nothing(client);
    }
    for client in clients {
        house.now = house.now.max(house.broker.deadline().unwrap());
        house.tell(Input::Wake);
        house.hears(client, "t/z/y=1 q0 retained");
    }
    house.is_at_rest();
}
