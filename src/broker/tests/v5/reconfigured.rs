//! Bounds that change while clients are there, and listeners that close.

use std::sync::Arc;
use std::time::Duration;

use super::super::super::{Allowance, Bounds, Input};
use super::*;
use crate::mqtt::{Publish, QoS};

fn allow(house: &mut House, change: impl FnOnce(&mut Allowance)) {
    let mut allowance = Allowance {
        session_expiry: Duration::from_secs(3600),
        queue_messages: None,
        queue_bytes: None,
        bounds: Bounds::default(),
    };
    change(&mut allowance);
    house.tell(Input::Reconfigured(allowance.into()));
}

#[test]
fn a_lower_bound_of_all_queues_takes_from_what_waits() {
    let mut house = House::new();
    let (away, _) = house.connect_as(v5_lasting("away"));
    house.subscribe(away, "#", QoS::AtLeastOnce);
    house.cut(away);
    for number in 0..100 {
        house.reading(message("t", &format!("{number:0100}")), QoS::AtLeastOnce, false);
    }
    assert_eq!(house.broker.statistics().queued, 100);
    allow(&mut house, |it| it.bounds.queued_bytes = Some(8000));
    let left = house.broker.statistics();
    assert!(left.queued > 0 && left.queued_bytes <= 8000, "{left:?}");
    house.pass(Duration::from_secs(60));
}

#[test]
fn a_bound_holds_for_what_comes_from_then_on() {
    let mut house = House::new();
    let (client, _) = house.connect_as(v5("a"));
    house.subscribe(client, "a/b/c/d/e/f/g/h/i", QoS::AtLeastOnce);
    allow(&mut house, |it| it.bounds.topic_levels = 8);
    house.send_subscribe(client, "a/b/c/d/e/f/g/h/j", QoS::AtLeastOnce);
    let Packet::SubAck(answer) = house.read(client) else { panic!("no SUBACK") };
    assert!(answer.reasons.iter().all(|reason| *reason != ReasonCode::GrantedQoS1), "{answer:?}");
    assert_eq!(house.broker.statistics().subscriptions, 1, "what there was stays");
    house.is_at_rest();
}

/// [MQTT-3.14.1-1]: with its reason; a session that lasts can be taken up by another listener.
#[test]
fn who_came_by_a_listener_that_is_closed_is_told_and_others_stay() {
    let mut house = House::new();
    let (stays, _) = house.connect_as(v5("stays"));
    let goes = house.open_with(|peer| peer.listener = Arc::from("attic"));
    house.send(goes, Packet::Connect(Box::new(v5_lasting("goes"))));
    assert!(matches!(house.read(goes), Packet::ConnAck(_)));
    let stranger = house.open_with(|peer| peer.listener = Arc::from("attic"));
    house.tell(Input::ListenerClosed { listener: Arc::from("attic") });
    let why = "this listener was closed or changed".to_owned();
    assert_eq!(sent_away(&mut house, goes), (ReasonCode::AdministrativeAction, why));
    assert!(house.is_closed(stranger), "who has not said CONNECT as well");
    assert!(!house.is_closed(stays));
    assert_eq!(house.broker.statistics().sessions, 2);
    house.is_at_rest();
}

/// Each bound of a queue holds for what is there and for what comes.
#[test]
fn lower_bounds_of_a_queue_hold_at_once() {
    #[track_caller]
    fn check(change: impl FnOnce(&mut Allowance), left: usize) {
        let mut house = House::new();
        let (away, _) = house.connect_as(v5_lasting("away"));
        house.subscribe(away, "#", QoS::AtLeastOnce);
        house.cut(away);
        allow(&mut house, change);
        for number in 0..50 {
            house.reading(message("t", &format!("{number:0100}")), QoS::AtLeastOnce, false);
        }
        assert_eq!(house.broker.statistics().queued, left);
        house.pass(Duration::from_secs(60));
    }
    check(|_| {}, 50);
    check(|it| it.queue_messages = Some(7), 7);
    let mut house = House::new();
    let (away, _) = house.connect_as(v5_lasting("away"));
    house.subscribe(away, "#", QoS::AtLeastOnce);
    house.cut(away);
    allow(&mut house, |it| it.queue_bytes = Some(2000));
    for number in 0..50 {
        house.reading(message("t", &format!("{number:0100}")), QoS::AtLeastOnce, false);
    }
    let left = house.broker.statistics();
    assert!(left.queued > 0 && left.queued_bytes <= 2000, "{left:?}");
    house.pass(Duration::from_secs(60));
}

#[test]
fn a_shorter_life_of_sessions_holds_for_those_who_come() {
    let mut house = House::new();
    let mut connect = v5("client");
    connect.properties.session_expiry = Some(Duration::from_secs(1800));
    connect.clean_start = false;
    allow(&mut house, |it| it.session_expiry = Duration::from_secs(60));
    let (client, _) = house.connect_as(connect);
    house.cut(client);
    house.pass(Duration::from_secs(59));
    assert_eq!(house.broker.statistics().sessions, 1);
    house.pass(Duration::from_secs(2));
    assert_eq!(house.broker.statistics().sessions, 0);
    house.is_at_rest();
}

#[test]
fn a_lower_bound_of_retained_messages_refuses_more_and_takes_nothing() {
    let mut house = House::new();
    let (client, _) = house.connect_as(v5("client"));
    let retain = |house: &mut House, topic: &str| {
        let publish = publish(topic, "x", QoS::AtLeastOnce);
        house.send(client, Packet::Publish(Publish { retain: true, ..publish }));
        let Packet::PubAck(answer) = house.read(client) else { panic!("no PUBACK") };
        answer.reason
    };
    assert!(!retain(&mut house, "first").is_failure());
    allow(&mut house, |it| it.bounds.retained_bytes = 1);
    assert_eq!(retain(&mut house, "second"), ReasonCode::QuotaExceeded);
    assert_eq!(house.broker.statistics().retained, 1, "what there was stays");
    house.is_at_rest();
}
