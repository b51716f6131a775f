//! SUBSCRIBE and UNSUBSCRIBE, and the filter tree against a naive matcher.

use proptest::prelude::*;

use super::world::*;
use crate::broker::session::{Client, Lifetime, SessionIndex, SessionKey, Sessions};
use crate::broker::subscriptions::Subscriptions;
use crate::limits::SUBSCRIPTIONS_PER_SESSION_MAX;
use crate::mqtt::QoS::{AtLeastOnce, AtMostOnce, ExactlyOnce};
use crate::mqtt::*;

/// [MQTT-3.8.4-5]
#[test]
fn each_filter_is_answered_in_order() {
    let mut world = World::new();
    let client = world.join("client");
    let filters = [("a", ExactlyOnce), ("b/#", AtMostOnce), ("+", AtLeastOnce)];
    let answer = world.try_subscribe(client, &filters);
    assert_eq!(answer, [ReasonCode::GrantedQoS2, ReasonCode::Success, ReasonCode::GrantedQoS1]);
    world.end();
}

#[test]
fn overlapping_subscriptions_deliver_one_copy_at_the_highest_quality() {
    let mut world = World::new();
    let (writer, reader) = (world.join("writer"), world.join("reader"));
    world.subscribe(reader, "a/#", AtMostOnce);
    world.subscribe(reader, "a/+", ExactlyOnce);
    world.subscribe(reader, "a/b", AtLeastOnce);
    world.publish(writer, publish(ExactlyOnce, 1, "a/b", "x"));
    let messages = world.messages(reader);
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].delivery.qos(), ExactlyOnce);
    world.end();
}

/// [MQTT-3.8.4-3]
#[test]
fn identical_filter_replaces_the_earlier_one() {
    let mut world = World::new();
    let (writer, reader) = (world.join("writer"), world.join("reader"));
    world.subscribe(reader, "a", ExactlyOnce);
    world.subscribe(reader, "a", AtMostOnce);
    world.publish(writer, publish(ExactlyOnce, 1, "a", "x"));
    assert_eq!(world.messages(reader)[0].delivery, Delivery::AtMostOnce);
    assert_eq!(world.broker.sizes().subscriptions, 1);
    world.end();
}

/// [MQTT-3.10.4-1], [MQTT-3.10.4-4], [MQTT-3.10.4-5]
#[test]
fn unsubscribe_stops_delivery_and_is_always_answered() {
    let mut world = World::new();
    let (writer, reader) = (world.join("writer"), world.join("reader"));
    world.subscribe(reader, "a/+", AtMostOnce);
    let filters = vec![TopicFilter::new("a/+").unwrap(), TopicFilter::new("never").unwrap()];
    let (packet_id, user_properties) = (id(3), Vec::new());
    world.send(reader, Packet::Unsubscribe(Unsubscribe { packet_id, filters, user_properties }));
    let inbox = world.take_inbox(reader);
    let [Packet::UnsubAck(answer)] = &inbox[..] else { panic!("{inbox:?}") };
    assert_eq!(answer.packet_id, id(3));
    world.publish(writer, publish(AtMostOnce, 0, "a/b", "x"));
    assert!(world.read(reader).is_empty());
    world.end();
}

#[test]
fn a_session_holds_a_bounded_number_of_filters() {
    let mut world = World::new();
    let client = world.join("greedy");
    let names: Vec<String> = (0..=SUBSCRIPTIONS_PER_SESSION_MAX).map(|n| n.to_string()).collect();
    let filters: Vec<(&str, QoS)> = names.iter().map(|name| (&**name, AtMostOnce)).collect();
    let answer = world.try_subscribe(client, &filters);
    assert_eq!(answer.iter().filter(|reason| reason.is_failure()).count(), 1);
    assert_eq!(answer.last(), Some(&ReasonCode::QuotaExceeded));
    world.end();
}

/// [MQTT-4.7.2-1]
#[test]
fn wildcards_do_not_see_dollar_topics() {
    let mut world = World::new();
    let reader = world.join("reader");
    world.subscribe(reader, "#", AtMostOnce);
    world.subscribe(reader, "+/a", AtMostOnce);
    world.subscribe(reader, "$SYS/#", AtLeastOnce);
    let (message, qos) = (message("$SYS/a", "x"), ExactlyOnce);
    world.handle(crate::broker::Input::Publish {
        message,
        qos,
        retention: crate::broker::Retention::None,
    });
    let messages = world.messages(reader);
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].delivery.qos(), AtLeastOnce);
    world.end();
}

fn indices(count: u64) -> Vec<SessionIndex> {
    let mut sessions = Sessions::default();
    let create = |number: u64| {
        let client = Client::Assigned(crate::access::ConnectionId(number));
        let key = SessionKey { user: String::new(), client };
        let id = crate::access::ConnectionId(number);
        sessions.attach(key, Lifetime::Connection, id, crate::access::Principal::Anonymous).0
    };
    (0..count).map(create).collect()
}

proptest! {
    #[test]
    fn filter_tree_agrees_with_a_naive_matcher(
        steps in proptest::collection::vec(
            ("(\\+|a|b|\\$c|)(/(\\+|a|b|)){0,3}(/#)?", 0_usize..5, 0_u8..3, any::<bool>()), 1..60),
        topics in proptest::collection::vec("(a|b|\\$c|)(/(a|b|)){0,4}", 1..20),
    ) {
        let sessions = indices(5);
        let (mut tree, mut list) = (Subscriptions::default(), Vec::new());
        for (filter, session, qos, add) in steps {
            let Ok(filter) = TopicFilter::new(filter) else { continue };
            let session = sessions[session];
            let qos = [AtMostOnce, AtLeastOnce, ExactlyOnce][usize::from(qos)];
            list.retain(|(other, place, _)| (other, *place) != (&filter, session));
            if add {
                tree.insert(&filter, session, qos);
                list.push((filter, session, qos));
            } else {
                tree.remove(&filter, session);
            }
        }
        prop_assert_eq!(tree.len(), list.len());
        let mut found = Vec::new();
        for topic in topics {
            let Ok(topic) = TopicName::new(topic) else { continue };
            tree.matches(&topic, &mut found);
            let expected: Vec<_> = sessions.iter().filter_map(|session| {
                let mine = list.iter().filter(|(filter, other, _)| {
                    other == session && filter.matches(&topic)
                });
                mine.map(|(_, _, qos)| *qos).max().map(|qos| (*session, qos))
            }).collect();
            prop_assert_eq!(&found, &expected);
        }
        for (filter, session, _) in &list {
            tree.remove(filter, *session);
        }
        prop_assert_eq!(tree.len(), 0);
    }
}
