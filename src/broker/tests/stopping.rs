//! The end of the process.

use super::super::{Event, Input};
use super::*;
use crate::mqtt::{Connect, QoS};

/// The process ends, so there is nobody to hear a will.
#[test]
fn at_the_end_everyone_is_closed_without_a_will() {
    let mut house = House::new();
    let connect = Connect { will: Some(will("gone", "1", QoS::AtLeastOnce)), ..lasting("a") };
    let (client, _) = house.connect_as(connect);
    let listener = house.connect("listener");
    house.subscribe(listener, "gone", QoS::AtMostOnce);
    let stranger = house.open();
    house.events.clear();
    house.tell(Input::Shutdown);
    assert!([client, listener, stranger].into_iter().all(|one| house.is_closed(one)));
    house.reads_nothing(listener);
    let reasons = house.events.iter().map(|event| match event {
        Event::Disconnected { client_id, reason, .. } => (client_id.as_str(), &**reason),
        other => panic!("{other:?}"),
    });
    let reasons: Vec<_> = reasons.collect();
    let stopping = "gateway stopping";
    assert_eq!(reasons, [("a", stopping), ("listener", stopping)], "in a fixed order");
    let statistics = house.broker.statistics();
    assert_eq!((statistics.connections, statistics.sessions), (0, 1), "a lasting session lasts");
    house.is_at_rest();
}

#[test]
fn what_was_sent_before_the_end_is_still_written() {
    let mut house = House::new();
    let client = house.connect("a");
    house.subscribe(client, "t", QoS::AtMostOnce);
    house.stick(client);
    house.reading(message("t", "offline"), QoS::AtLeastOnce, false);
    house.tell(Input::Shutdown);
    house.hears(client, "t=offline q0");
}

#[test]
fn nobody_new_is_let_in_after_the_end() {
    let mut house = House::new();
    house.tell(Input::Shutdown);
    let client = house.open();
    assert!(house.is_closed(client));
    assert_eq!(house.broker.deadline(), None);
    house.is_at_rest();
}

#[test]
fn a_login_that_is_checked_at_the_end_lets_nobody_in() {
    let mut house = House::new();
    house.gate = house::Gate::Waits;
    let client = house.open();
    house.send(client, crate::mqtt::Packet::Connect(Box::new(lasting("a"))));
    house.tell(Input::Shutdown);
    house.open_gate();
    house.reads_nothing(client);
    assert_eq!(house.broker.statistics().sessions, 0);
    house.is_at_rest();
}
