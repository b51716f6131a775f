//! Bounds that change while clients are there, and listeners that close.

use std::sync::Arc;
use std::time::Duration;

use super::super::super::{Allowance, Bounds, Input};
use super::*;
use crate::mqtt::QoS;

fn allow(house: &mut House, change: impl FnOnce(&mut Allowance)) {
    let mut allowance = Allowance {
        session_expiry: Duration::from_secs(3600),
        queue_messages: None,
        queue_bytes: None,
        bounds: Bounds::default(),
    };
    change(&mut allowance);
    house.tell(Input::Reconfigured(allowance));
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
