//! The queue of an absent client: what it holds, what it gives up, and who is told.

use std::sync::Arc;
use std::time::Duration;

use super::super::record::Queued;
use super::super::{Event, Input, Keeping};
use super::*;
use crate::limits;
use crate::mqtt::{Message, MessageProperties, QoS};

/// An absent client subscribed to `t`, and a publisher.
fn absent(house: &mut House) -> house::Client {
    let (client, _) = house.connect_as(lasting("a"));
    house.subscribe(client, "t/#", QoS::AtLeastOnce);
    house.cut(client);
    house.events.clear();
    house.connect("publisher")
}

fn losses(house: &House) -> Vec<u64> {
    let losses = house.events.iter().filter_map(|event| match event {
        Event::QueueDropped { client_id, messages } if client_id == "a" => Some(*messages),
        _ => None,
    });
    losses.collect()
}

/// Section 4.4: what arrives for an absent client waits, except at QoS 0.
#[test]
fn messages_of_qos_1_and_2_wait_for_an_absent_client() {
    let mut house = House::new();
    let publisher = absent(&mut house);
    house.publish(publisher, "t", "1", QoS::AtMostOnce);
    house.publish(publisher, "t", "2", QoS::AtLeastOnce);
    house.publish(publisher, "t", "3", QoS::ExactlyOnce);
    let (client, _) = house.connect_as(lasting("a"));
    house.hears(client, "t=2 q1");
    house.hears(client, "t=3 q1");
    house.is_at_rest();
}

#[test]
fn those_who_get_a_message_alike_share_it_while_it_waits() {
    let mut house = House::with(|settings| settings.keeping = Keeping::Nothing);
    for (name, qos) in [("a", QoS::AtLeastOnce), ("b", QoS::AtLeastOnce), ("c", QoS::ExactlyOnce)] {
        let (client, _) = house.connect_as(lasting(name));
        house.subscribe(client, "t", qos);
        house.cut(client);
    }
    let publisher = house.connect("publisher");
    house.publish(publisher, "t", "1", QoS::ExactlyOnce);
    let sessions = house.broker.sessions.iter();
    let waiting: Vec<&Queued> = sessions.flat_map(|(_, session)| session.queue.iter()).collect();
    let [a, b, c] = waiting[..] else { panic!("{waiting:?}") };
    assert!(std::ptr::eq(a, b));
    assert_eq!((b.qos, c.qos), (QoS::AtLeastOnce, QoS::ExactlyOnce));
    assert_eq!(b.message.payload.as_ptr(), c.message.payload.as_ptr());
}

#[test]
fn a_full_queue_gives_up_its_oldest_and_tells_it_in_intervals() {
    let mut house = House::with(|settings| settings.queue_messages = Some(5));
    let publisher = absent(&mut house);
    for number in 0..8 {
        house.publish(publisher, "t", &number.to_string(), QoS::AtLeastOnce);
    }
    assert!(losses(&house).is_empty());
    house.pass(limits::EVENT_INTERVAL);
    assert_eq!(losses(&house), [3]);
    house.pass(limits::EVENT_INTERVAL);
    house.publish(publisher, "t", "8", QoS::AtLeastOnce);
    house.pass(limits::EVENT_INTERVAL);
    assert_eq!(losses(&house), [3, 1]);
    assert_eq!(house.broker.statistics().traffic.messages_dropped, 4);
    let (client, _) = house.connect_as(lasting("a"));
    for number in 4..9 {
        house.hears(client, &format!("t={number} q1"));
    }
    house.is_at_rest();
}

/// The number is for absent clients: whoever is there takes a burst as fast as it can.
#[test]
fn a_client_that_is_there_loses_nothing_of_a_burst_until_it_goes() {
    let mut house = House::with(|settings| {
        settings.queue_messages = Some(5);
        settings.bounds.inflight_to_client = 1;
    });
    let publisher = house.connect("publisher");
    let (client, _) = house.connect_as(lasting("a"));
    house.subscribe(client, "t", QoS::ExactlyOnce);
    for number in 0..30 {
        house.publish(publisher, "t", &number.to_string(), QoS::ExactlyOnce);
    }
    for number in 0..10 {
        house.hears(client, &format!("t={number} q2"));
    }
    assert_eq!(house.broker.statistics().traffic.messages_dropped, 0);
    let id = house.gets(client, "t=10 q2");
    house.cut(client);
    assert_eq!(house.broker.statistics().traffic.messages_dropped, 14, "11 to 24");
    let (client, _) = house.connect_as(lasting("a"));
    assert_eq!(house.gets(client, "t=10 q2 dup"), id);
    house.take_over(client, id);
    for number in 25..30 {
        house.hears(client, &format!("t={number} q2"));
    }
    house.pass(limits::EVENT_INTERVAL);
    assert_eq!(losses(&house), [14]);
    house.is_at_rest();
}

/// What is told of a loss is not told of again, however full the queue of its reader is.
#[test]
fn an_announcement_that_costs_a_message_is_counted_and_causes_no_other() {
    let mut house = House::with(|settings| settings.queue_messages = Some(2));
    let publisher = absent(&mut house);
    for number in 0..3 {
        house.publish(publisher, "t", &number.to_string(), QoS::AtLeastOnce);
    }
    house.pass(limits::EVENT_INTERVAL);
    assert_eq!(losses(&house), [1]);
    house.tell(Input::Announce { message: message("t/event", "lost 1") });
    assert_eq!(house.broker.statistics().traffic.messages_dropped, 2);
    house.pass(limits::EVENT_INTERVAL * 10);
    assert_eq!(losses(&house), [1]);
    house.publish(publisher, "t", "3", QoS::AtLeastOnce);
    house.pass(limits::EVENT_INTERVAL);
    assert_eq!(losses(&house), [1, 1]);
    let (client, _) = house.connect_as(lasting("a"));
    house.hears(client, "t/event=lost 1 q1");
    house.hears(client, "t=3 q1");
    house.is_at_rest();
}

#[test]
fn losses_are_told_when_the_session_ends_before_the_interval() {
    let mut house = House::with(|settings| settings.queue_messages = Some(1));
    let publisher = absent(&mut house);
    for _ in 0..3 {
        house.publish(publisher, "t", "1", QoS::AtLeastOnce);
    }
    house.connect("a");
    assert_eq!(losses(&house), [2]);
    house.is_at_rest();
}

#[test]
fn a_queue_is_bounded_by_bytes_too() {
    let mut house = House::with(|settings| settings.queue_bytes = Some(5000));
    let publisher = absent(&mut house);
    for number in 0..8 {
        house.publish(publisher, &format!("t/{number}"), &"x".repeat(1000), QoS::AtLeastOnce);
    }
    let (client, _) = house.connect_as(lasting("a"));
    for number in 4..8 {
        house.hears(client, &format!("t/{number}={} q1", "x".repeat(1000)));
    }
    house.reads_nothing(client);
}

#[test]
fn a_message_larger_than_the_queue_waits_alone() {
    let mut house = House::with(|settings| settings.queue_bytes = Some(5000));
    let publisher = absent(&mut house);
    house.publish(publisher, "t", "1", QoS::AtLeastOnce);
    let large = "x".repeat(5000);
    house.publish(publisher, "t", &large, QoS::AtLeastOnce);
    let (client, _) = house.connect_as(lasting("a"));
    house.hears(client, &format!("t={large} q1"));
    house.pass(limits::EVENT_INTERVAL);
    assert_eq!(losses(&house), [1]);
    house.is_at_rest();
}

/// Whoever has most to hear pays; a small queue beside it keeps all.
#[test]
fn all_queues_together_are_bounded_and_the_largest_gives_up_its_oldest() {
    const BYTES: usize = 20_000;
    let mut house = House::with(|settings| {
        settings.queue_bytes = None;
        settings.bounds.queued_bytes = Some(BYTES);
    });
    for (client_id, filter) in [("a", "t"), ("small", "u")] {
        let (client, _) = house.connect_as(lasting(client_id));
        house.subscribe(client, filter, QoS::AtLeastOnce);
        house.cut(client);
    }
    let publisher = house.connect("publisher");
    house.publish(publisher, "u", "kept", QoS::AtLeastOnce);
    house.events.clear();
    for number in 0..40 {
        house.publish(publisher, "t", &format!("{number:01000}"), QoS::AtLeastOnce);
        assert!(house.broker.statistics().queued_bytes <= BYTES);
    }
    house.pass(limits::EVENT_INTERVAL);
    let dropped = house.broker.statistics().traffic.messages_dropped;
    assert!((20..30).contains(&dropped), "{dropped}");
    assert_eq!(losses(&house), [dropped]);
    let (client, _) = house.connect_as(lasting("a"));
    for number in dropped..40 {
        house.hears(client, &format!("t={number:01000} q1"));
    }
    let (small, _) = house.connect_as(lasting("small"));
    house.hears(small, "u=kept q1");
    house.is_at_rest();
}

#[test]
fn a_queue_without_bounds_keeps_all() {
    let mut house = House::with(|settings| {
        (settings.queue_messages, settings.queue_bytes) = (None, None);
    });
    let publisher = absent(&mut house);
    for number in 0..500 {
        house.publish(publisher, "t", &number.to_string(), QoS::AtLeastOnce);
    }
    let (client, _) = house.connect_as(lasting("a"));
    for number in 0..500 {
        house.hears(client, &format!("t={number} q1"));
    }
    house.is_at_rest();
}

fn short_lived(payload: &str) -> Message {
    let message_expiry = Some(Duration::from_secs(60));
    let properties = MessageProperties { message_expiry, ..MessageProperties::default() };
    Message { properties: Some(Arc::new(properties)), ..message("t", payload) }
}

/// 5.0 section 3.3.2.3.3, for subscribers of any version.
#[test]
fn a_message_that_expired_in_a_queue_is_not_sent() {
    let mut house = House::new();
    absent(&mut house);
    house.reading(short_lived("1"), QoS::AtLeastOnce, false);
    house.pass(Duration::from_secs(30));
    house.reading(short_lived("2"), QoS::AtLeastOnce, false);
    house.pass(Duration::from_secs(30));
    let (client, _) = house.connect_as(lasting("a"));
    house.hears(client, "t=2 q1");
    assert_eq!(house.broker.statistics().traffic.messages_expired, 1);
    house.is_at_rest();
}

/// [MQTT-4.4.0-1]: what was sent is sent again, whatever its age.
#[test]
fn a_message_under_way_does_not_expire() {
    let mut house = House::new();
    absent(&mut house);
    let (client, _) = house.connect_as(lasting("a"));
    house.reading(short_lived("1"), QoS::AtLeastOnce, false);
    house.gets(client, "t=1 q1");
    house.cut(client);
    house.pass(Duration::from_secs(60));
    let (client, _) = house.connect_as(lasting("a"));
    house.hears(client, "t=1 q1 dup");
    house.is_at_rest();
}
