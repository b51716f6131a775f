//! Subscription options and identifiers (3.8.3.1, 3.8.2.1.2).

use super::*;
use crate::mqtt::{Publish, QoS, RetainHandling, SubscribeFilter};

fn no_local(filter: &str) -> SubscribeFilter {
    SubscribeFilter { no_local: true, ..wanted(filter, QoS::AtLeastOnce) }
}

/// [MQTT-3.8.3-3]
#[test]
fn a_client_that_wants_no_echo_gets_none() {
    let mut house = House::new();
    let client = house.connect_as(v5("a")).0;
    house.subscribe_packet(client, vec![no_local("t")], None);
    let other = house.connect("b");
    house.send(client, Packet::Publish(publish("t", "mine", QoS::AtMostOnce)));
    house.publish(other, "t", "others", QoS::AtLeastOnce);
    house.hears(client, "t=others q1");
    house.is_at_rest();
}

/// [MQTT-3.3.1-12], [MQTT-3.3.1-13]
#[test]
fn the_retain_flag_is_kept_for_those_who_want_it() {
    let mut house = House::new();
    let keeper = house.connect_as(v5("keeper")).0;
    let other = house.connect_as(v5("other")).0;
    let keep = SubscribeFilter { retain_as_published: true, ..wanted("t", QoS::AtMostOnce) };
    house.subscribe_packet(keeper, vec![keep], None);
    house.subscribe(other, "t", QoS::AtMostOnce);
    let publisher = house.connect("publisher");
    house.retain(publisher, "t", "1", QoS::AtMostOnce);
    house.publish(publisher, "t", "2", QoS::AtMostOnce);
    house.hears(keeper, "t=1 q0 retained");
    house.hears(keeper, "t=2 q0");
    house.hears(other, "t=1 q0");
    house.hears(other, "t=2 q0");
}

/// [MQTT-3.3.1-9], [MQTT-3.3.1-10], [MQTT-3.3.1-11]
#[test]
fn retained_messages_come_when_the_client_wants_them() {
    for (retain_handling, first, second) in [
        (RetainHandling::Send, 1, 1),
        (RetainHandling::SendIfNew, 1, 0),
        (RetainHandling::Never, 0, 0),
    ] {
        let mut house = House::new();
        let publisher = house.connect("publisher");
        house.retain(publisher, "t", "1", QoS::AtMostOnce);
        let client = house.connect_as(v5("a")).0;
        for expected in [first, second] {
            let wish = SubscribeFilter { retain_handling, ..wanted("t", QoS::AtMostOnce) };
            house.subscribe_packet(client, vec![wish], None);
            assert_eq!(house.unread(client), expected, "{retain_handling:?}");
            for _ in 0..expected {
                house.hears(client, "t=1 q0 retained");
            }
        }
    }
}

fn ids(publish: &Publish) -> Vec<u32> {
    let mut ids = publish.subscription_ids.clone();
    ids.sort_unstable();
    ids
}

/// [MQTT-3.3.4-2], [MQTT-3.3.4-3], [MQTT-3.3.4-4], [MQTT-3.3.4-5]
#[test]
fn one_copy_has_the_identifiers_of_all_that_it_matched() {
    let mut house = House::new();
    let client = house.connect_as(v5("a")).0;
    house.subscribe_packet(client, vec![wanted("a/+", QoS::AtMostOnce)], Some(7));
    house.subscribe_packet(client, vec![wanted("a/#", QoS::ExactlyOnce)], Some(268_435_455));
    house.subscribe_packet(client, vec![wanted("a/b", QoS::AtLeastOnce)], None);
    house.subscribe_packet(client, vec![wanted("c", QoS::AtLeastOnce)], Some(9));
    let publisher = house.connect("publisher");
    house.publish(publisher, "a/b", "1", QoS::ExactlyOnce);
    let publish = house.gets_any(client);
    assert_eq!(ids(&publish), [7, 268_435_455]);
    assert_eq!(publish.delivery.qos(), QoS::ExactlyOnce);
    house.reads_nothing(client);
}

/// 3.8.2.1.2: of retained messages too; a new identifier replaces the old.
#[test]
fn a_retained_message_has_the_identifier_of_its_subscription() {
    let mut house = House::new();
    let publisher = house.connect("publisher");
    house.retain(publisher, "t", "1", QoS::AtMostOnce);
    let client = house.connect_as(v5("a")).0;
    for expected in [Some(7), Some(8), None] {
        house.subscribe_packet(client, vec![wanted("t", QoS::AtMostOnce)], expected);
        assert_eq!(ids(&house.gets_any(client)), Vec::from_iter(expected));
        house.publish(publisher, "t", "2", QoS::AtMostOnce);
        assert_eq!(ids(&house.gets_any(client)), Vec::from_iter(expected));
    }
}

/// 3.9.3, 3.9.2.1.2
#[test]
fn a_filter_that_is_refused_has_its_reason() {
    let mut house = House::with(|settings| {
        settings.bounds.topic_levels = 3;
        settings.bounds.subscriptions_per_session = 1;
    });
    let client = house.connect_as(v5("a")).0;
    let filters = ["a/b/c/d", "a", "b"].map(|filter| wanted(filter, QoS::AtLeastOnce));
    let answer = house.subscribe_packet(client, filters.into(), None);
    let (deep, granted) = (ReasonCode::TopicFilterInvalid, ReasonCode::GrantedQoS1);
    assert_eq!(answer.reasons, [deep, granted, ReasonCode::QuotaExceeded]);
    let why = answer.properties.and_then(|it| it.reason_string).expect("words");
    assert!(why.contains("levels"), "{why}");
}

/// [MQTT-3.8.3-3]: a will is of its client, though it is spoken by the broker.
#[test]
fn a_client_that_wants_no_echo_does_not_hear_its_own_will() {
    let mut house = House::new();
    let will = Some(super::super::will("gone", "1", QoS::AtLeastOnce));
    let connect = crate::mqtt::Connect { will, ..v5_lasting("a") };
    let client = house.connect_as(connect.clone()).0;
    house.subscribe_packet(client, vec![no_local("gone")], None);
    house.cut(client);
    let client = house.connect_as(connect).0;
    house.reads_nothing(client);
    house.is_at_rest();
}

/// [MQTT-3.1.2-29]
#[test]
fn a_filter_is_refused_without_words_to_who_wants_none() {
    let mut house = House::with(|settings| settings.bounds.topic_levels = 3);
    let properties = properties(|it| it.request_problem_information = false);
    let client = house.connect_as(crate::mqtt::Connect { properties, ..v5("a") }).0;
    let answer = house.subscribe_packet(client, vec![wanted("a/b/c/d", QoS::AtLeastOnce)], None);
    assert_eq!(answer.reasons, [ReasonCode::TopicFilterInvalid]);
    assert_eq!(answer.properties, None);
}

/// [MQTT-3.1.2-24] and [MQTT-3.8.4-1] leave nothing else for an answer that the client does not
/// take: 5 bytes and one for each filter.
#[test]
fn a_client_that_takes_no_answer_so_large_is_told() {
    let small = || {
        let properties = properties(|it| it.maximum_packet_size = Some(20));
        crate::mqtt::Connect { properties, ..v5("a") }
    };
    let filters = |count: usize| (0..count).map(|it| wanted(&it.to_string(), QoS::AtMostOnce));
    let mut house = House::new();
    let client = house.connect_as(small()).0;
    assert_eq!(house.subscribe_packet(client, filters(15).collect(), None).reasons.len(), 15);
    let (packet_id, user_properties) = (id(1), Vec::new());
    let unsubscribe = crate::mqtt::Unsubscribe {
        packet_id,
        filters: filters(16).map(|one| one.filter).collect(),
        user_properties: user_properties.clone(),
    };
    let subscribe = crate::mqtt::Subscribe {
        packet_id,
        filters: filters(16).collect(),
        subscription_id: None,
        user_properties,
    };
    for packet in [Packet::Unsubscribe(unsubscribe), Packet::Subscribe(subscribe)] {
        let client = house.connect_as(small()).0;
        house.send(client, packet);
        assert_eq!(sent_away(&mut house, client).0, ReasonCode::PacketTooLarge);
    }
}
