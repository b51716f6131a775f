//! SUBSCRIBE and UNSUBSCRIBE.

use super::super::Input;
use super::super::subscriptions::Subscriptions;
use super::*;
use crate::access::Rights;
use crate::limits;
use crate::mqtt::{Connect, Encoder, Packet, QoS, ReasonCode, TopicFilter, Unsubscribe, Version};

/// [MQTT-3.8.4-1], [MQTT-3.8.4-4], [MQTT-3.8.4-5], [MQTT-3.9.3-1]
#[test]
fn each_filter_is_answered_in_order() {
    let mut house = House::new();
    let client = house.connect("a");
    let reasons = house.subscribe_all(
        client,
        &[("c", QoS::ExactlyOnce), ("a", QoS::AtMostOnce), ("b", QoS::AtLeastOnce)],
    );
    let (zero, one, two) = (ReasonCode::Success, ReasonCode::GrantedQoS1, ReasonCode::GrantedQoS2);
    assert_eq!(reasons, [two, zero, one]);
    house.is_at_rest();
}

/// [MQTT-3.8.4-3]
#[test]
fn an_identical_filter_replaces_the_subscription() {
    let mut house = House::new();
    let client = house.connect("a");
    house.subscribe(client, "t/+", QoS::ExactlyOnce);
    house.subscribe(client, "t/+", QoS::AtMostOnce);
    house.reading(message("t/x", "1"), QoS::ExactlyOnce, false);
    house.hears(client, "t/x=1 q0");
    assert_eq!(house.broker.statistics().subscriptions, 1);
    house.is_at_rest();
}

/// [MQTT-3.8.4-3]: what waits for a subscription stays when it is replaced.
#[test]
fn a_replaced_subscription_loses_no_message() {
    let mut house = House::new();
    let client = house.connect("a");
    house.subscribe(client, "t", QoS::AtLeastOnce);
    let several = house::WINDOW + 3;
    for number in 0..several {
        house.reading(message("t", &number.to_string()), QoS::AtLeastOnce, false);
    }
    let sent = (0..house::WINDOW).map(|_| house.read(client));
    let sent: Vec<_> = sent.collect();
    house.subscribe(client, "t", QoS::AtMostOnce);
    house.reading(message("t", "last"), QoS::AtLeastOnce, false);
    for packet in sent {
        let Packet::Publish(publish) = packet else { panic!("no PUBLISH") };
        let id = house::packet_id(&publish).unwrap();
        house.send(client, Packet::PubAck(house::success(id)));
    }
    for number in house::WINDOW..several {
        house.hears(client, &format!("t={number} q1"));
    }
    house.hears(client, "t=last q0");
    house.is_at_rest();
}

/// [MQTT-3.8.4-4]: also for the same filter twice, and for what is retained.
#[test]
fn filters_of_one_subscribe_count_as_if_they_came_one_by_one() {
    let mut house = House::new();
    house.reading(message("t", "old"), QoS::ExactlyOnce, true);
    let client = house.connect("a");
    let filters = [("t", QoS::ExactlyOnce), ("u", QoS::AtMostOnce), ("t", QoS::AtLeastOnce)];
    let granted = [ReasonCode::GrantedQoS2, ReasonCode::Success, ReasonCode::GrantedQoS1];
    assert_eq!(house.subscribe_all(client, &filters), granted);
    house.hears(client, "t=old q1 retained");
    house.reading(message("t", "new"), QoS::ExactlyOnce, false);
    house.hears(client, "t=new q1");
    house.reading(message("u", "new"), QoS::ExactlyOnce, false);
    house.hears(client, "u=new q0");
    assert_eq!(house.broker.statistics().subscriptions, 2);
    house.is_at_rest();
}

/// [MQTT-3.3.5-1]
#[test]
fn overlapping_subscriptions_give_one_copy_at_the_highest_quality() {
    let mut house = House::new();
    let client = house.connect("a");
    let other = house.connect("b");
    for (filter, qos) in
        [("#", QoS::AtMostOnce), ("t/+", QoS::ExactlyOnce), ("t/x", QoS::AtLeastOnce)]
    {
        house.subscribe(client, filter, qos);
        house.subscribe(other, filter, QoS::AtMostOnce);
    }
    house.reading(message("t/x", "1"), QoS::ExactlyOnce, false);
    house.hears(client, "t/x=1 q2");
    house.hears(other, "t/x=1 q0");
    house.is_at_rest();
}

/// [MQTT-3.10.4-1], [MQTT-3.10.4-2], [MQTT-3.10.4-4], [MQTT-3.10.4-5]
#[test]
fn unsubscribe_removes_exactly_the_named_filter() {
    let mut house = House::new();
    let client = house.connect("a");
    for filter in ["t/x", "t/+", "u"] {
        house.subscribe(client, filter, QoS::AtMostOnce);
    }
    house.unsubscribe(client, "t/#");
    house.unsubscribe(client, "t/+");
    house.unsubscribe(client, "t/+");
    house.reading(message("t/y", "1"), QoS::AtMostOnce, false);
    house.reads_nothing(client);
    house.reading(message("t/x", "1"), QoS::AtMostOnce, false);
    house.hears(client, "t/x=1 q0");
    assert_eq!(house.broker.statistics().subscriptions, 2);
    house.is_at_rest();
}

/// [MQTT-3.10.4-6], [MQTT-3.10.4-5]
#[test]
fn several_filters_are_unsubscribed_with_one_answer() {
    let mut house = House::new();
    let client = house.connect("a");
    let filters = ["a", "b", "c"].map(|filter| (filter, QoS::AtMostOnce));
    house.subscribe_all(client, &filters);
    let filters = ["c", "unknown", "a", "c"].map(|text| TopicFilter::new(text).unwrap()).to_vec();
    let unsubscribe = Unsubscribe { packet_id: id(9), filters, user_properties: Vec::new() };
    house.send(client, Packet::Unsubscribe(unsubscribe));
    let Packet::UnsubAck(answer) = house.read(client) else { panic!("no UNSUBACK") };
    assert_eq!(answer.packet_id, id(9));
    let (done, none) = (ReasonCode::Success, ReasonCode::NoSubscriptionExisted);
    assert_eq!(answer.reasons, [done, none, done, none]);
    for topic in ["a", "b", "c"] {
        house.reading(message(topic, "1"), QoS::AtMostOnce, false);
    }
    house.hears(client, "b=1 q0");
    house.is_at_rest();
}

/// [MQTT-3.10.4-3]: a delivery that has begun is completed.
#[test]
fn unsubscribe_leaves_deliveries_that_have_begun() {
    let mut house = House::new();
    let client = house.connect("a");
    house.subscribe(client, "t", QoS::ExactlyOnce);
    house.reading(message("t", "1"), QoS::ExactlyOnce, false);
    let id = house.gets(client, "t=1 q2");
    house.unsubscribe(client, "t");
    house.take_over(client, id);
    house.is_at_rest();
}

/// [MQTT-4.7.1-1], [MQTT-4.7.1-2], [MQTT-4.7.1-3]
#[test]
fn wildcards_match_levels() {
    #[track_caller]
    fn check(filter: &str, topic: &str, expected: bool) {
        let mut house = House::new();
        let client = house.connect("a");
        house.subscribe(client, filter, QoS::AtMostOnce);
        house.tell(Input::Publish {
            message: message(topic, "1"),
            qos: QoS::AtMostOnce,
            retention: Retention::None,
        });
        assert_eq!(house.unread(client) == 1, expected, "{filter} and {topic}");
    }
    check("sport/tennis/player1/#", "sport/tennis/player1", true);
    check("sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true);
    check("sport/#", "sports", false);
    check("#", "sport", true);
    check("#", "/", true);
    check("sport/tennis/+", "sport/tennis/player1", true);
    check("sport/tennis/+", "sport/tennis/player1/ranking", false);
    check("sport/+", "sport", false);
    check("sport/+", "sport/", true);
    check("+/+", "/finance", true);
    check("/+", "/finance", true);
    check("+", "/finance", false);
    check("a//b", "a//b", true);
    check("a/+/b", "a//b", true);
    check("a/b", "A/b", false);
    check("#", "$SYS/x", false);
    check("+/x", "$SYS/x", false);
    check("$SYS/#", "$SYS", true);
    check("$SYS/+", "$SYS/x", true);
}

/// [MQTT-3.9.3-2] of 3.1.1: a refusal is 0x80, whatever its reason; the other filters are granted.
#[test]
fn a_refused_filter_is_0x80_to_a_client_of_3_1_1() {
    let mut house = House::with(|settings| {
        settings.bounds.topic_levels = 3;
        settings.bounds.subscriptions_per_session = 2;
    });
    let client = house.connect("a");
    let filters = [("a/b/c/d", QoS::AtLeastOnce), ("a", QoS::ExactlyOnce), ("b", QoS::AtMostOnce)];
    let filters = filters.into_iter().chain([("c", QoS::AtMostOnce)]);
    let filters = filters.map(|(filter, qos)| house::wanted(filter, qos)).collect();
    let answer = Packet::SubAck(house.subscribe_packet(client, filters, None));
    let mut bytes = bytes::BytesMut::new();
    Encoder::new(Version::V3_1_1).encode(&answer, &mut bytes);
    assert_eq!(bytes[..], [0x90, 6, 0, 77, 0x80, 2, 0, 0x80]);
    house.is_at_rest();
}

#[test]
fn a_session_holds_a_bounded_number_of_filters() {
    let mut house = House::new();
    let client = house.connect("a");
    let names: Vec<_> =
        (0..=limits::SUBSCRIPTIONS_PER_SESSION_MAX).map(|number| number.to_string()).collect();
    let filters: Vec<_> = names.iter().map(|name| (name.as_str(), QoS::AtMostOnce)).collect();
    let reasons = house.subscribe_all(client, &filters);
    let (last, others) = reasons.split_last().unwrap();
    assert_eq!(*last, ReasonCode::QuotaExceeded);
    assert!(others.iter().all(|&reason| reason == ReasonCode::Success));
    assert_eq!(house.subscribe_all(client, &filters[..1]), [ReasonCode::Success], "a known one");
    house.unsubscribe(client, "17");
    assert_eq!(house.subscribe_all(client, &[filters[10_000]]), [ReasonCode::Success]);
    house.pass(std::time::Duration::from_secs(1));
    house.is_at_rest();
}

#[test]
fn a_sessions_filters_have_a_bounded_size() {
    let mut house = House::new();
    let client = house.connect("a");
    let long = |number: usize| format!("{number}/{}", "x".repeat(60_000));
    let names: Vec<_> = (0..200).map(long).collect();
    let filters: Vec<_> = names.iter().map(|name| (name.as_str(), QoS::AtMostOnce)).collect();
    let reasons = house.subscribe_all(client, &filters);
    let granted = reasons.iter().filter(|&&reason| reason == ReasonCode::Success).count();
    assert!((100..150).contains(&granted), "{granted}");
    assert_eq!(reasons.last(), Some(&ReasonCode::QuotaExceeded));
    for name in &names {
        house.unsubscribe(client, name);
    }
    house.subscribe(client, &names[199], QoS::AtMostOnce);
    house.is_at_rest();
}

/// [MQTT-3.9.3-2] of 3.1.1: which is a refusal there, is 0x80 on the wire.
/// What all take together is bounded too, and given back by each who goes.
#[test]
fn the_filters_of_all_clients_have_a_bounded_size() {
    let filter = |number: usize| format!("a/{number:04}/{}", "x".repeat(1000));
    let weight = Subscriptions::weight(&filter(0));
    let mut house = House::with(|settings| settings.bounds.subscription_bytes = 3 * weight);
    let clients = ["a", "b"].map(|name| house.connect(name));
    house.subscribe(clients[0], &filter(0), QoS::AtMostOnce);
    house.subscribe(clients[0], &filter(1), QoS::AtMostOnce);
    house.subscribe(clients[1], &filter(1), QoS::AtMostOnce);
    for client in clients {
        let answer = house.subscribe_all(client, &[(&filter(2), QoS::AtMostOnce)]);
        assert_eq!(answer, [ReasonCode::QuotaExceeded]);
    }
    // What one has already it can have again.
    house.subscribe(clients[1], &filter(1), QoS::AtLeastOnce);
    house.unsubscribe(clients[0], &filter(0));
    house.subscribe(clients[1], &filter(3), QoS::AtMostOnce);
    house.disconnect(clients[0]);
    house.subscribe(clients[1], &filter(4), QoS::AtMostOnce);
    house.is_at_rest();
}

/// [MQTT-4.8.2-1], [MQTT-4.8.2-2]: as a plain filter it would bring nothing, in silence.
#[test]
fn what_claims_to_be_shared_and_is_not_is_refused() {
    let mut house = House::new();
    let client = house.connect("a");
    for filter in ["$share//t", "$share/+/t", "$share/g#/t", "$share/g", "$share/g/", "$share/"] {
        let Ok(filter) = TopicFilter::new(filter) else { continue };
        let answer = house.subscribe_all(client, &[(filter.as_str(), QoS::AtLeastOnce)]);
        assert_eq!(answer, [ReasonCode::TopicFilterInvalid], "{filter}");
    }
    house.is_at_rest();
}

#[test]
fn what_is_private_is_neither_granted_to_a_guest_nor_brought_by_a_wider_filter() {
    let mut house = House::with(|settings| {
        let private = TopicFilter::new("alarm/#").unwrap();
        settings.rights = Rights::new("maison").keeping_private(vec![private]);
    });
    let user = Connect { credentials: house::credentials("bob"), ..clean("user") };
    let (guest, user) = (house.connect("guest"), house.connect_as(user).0);
    let publisher = house.connect("publisher");
    house.retain(publisher, "alarm/code", "1234", QoS::AtLeastOnce);
    let answer = house.subscribe_all(guest, &[("alarm/code", QoS::AtLeastOnce)]);
    assert_eq!(answer, [ReasonCode::NotAuthorized]);
    house.subscribe(user, "$share/crew/#", QoS::AtLeastOnce);
    house.subscribe(guest, "$share/crew/#", QoS::AtLeastOnce);
    house.subscribe(guest, "#", QoS::AtLeastOnce);
    for number in 0..2 {
        house.publish(publisher, "alarm/code", &number.to_string(), QoS::AtLeastOnce);
        house.hears(user, &format!("alarm/code={number} q1"));
    }
    house.reads_nothing(guest);
    house.is_at_rest();
}
