//! A disk that is full, fails, or is slow.

use super::super::super::Event;
use super::super::super::record::Trouble;
use super::super::house::{DiskMode, House, id, publish, v5, v5_lasting};
use super::super::lasting;
use super::absent;
use crate::limits::COMMIT_RETRY;
use crate::mqtt::{Packet, Publish, QoS, ReasonCode};

/// A disk that fails keeps nothing, and nothing is acknowledged; what was under way waits.
#[test]
fn what_cannot_be_kept_is_refused_and_the_rest_goes_on() {
    let mut house = House::new();
    absent(&mut house, "away", "t", QoS::AtLeastOnce);
    let (old, new) = (house.connect("old"), house.connect_as(v5("new")).0);
    let guest = house.connect("guest");
    house.subscribe(guest, "t", QoS::AtLeastOnce);
    house.disk_mode = DiskMode::Fails(Trouble::Full);
    house.send(new, Packet::Publish(publish("t", "0", QoS::AtLeastOnce)));
    house.reads_nothing(new);
    assert!(house.events.contains(&Event::StoreFailed { trouble: Trouble::Full }));
    house.hears(guest, "t=0 q1");
    let next = Publish {
        delivery: crate::mqtt::Delivery::AtLeastOnce(id(8)),
        ..publish("t", "1", QoS::AtLeastOnce)
    };
    house.send(new, Packet::Publish(next));
    house.hears(guest, "t=1 q1");
    house.send(old, Packet::Publish(publish("t", "2", QoS::AtLeastOnce)));
    house.hears(guest, "t=2 q1");
    house.reads_nothing(old);
    house.publish(guest, "other", "3", QoS::AtLeastOnce);
    house.disk_mode = DiskMode::Works;
    house.pass(COMMIT_RETRY.0);
    assert!(house.events.contains(&Event::StoreRecovered));
    house.reads(new, &Packet::PubAck(super::super::house::success(id(7))));
    match house.read(new) {
        Packet::PubAck(answer) => {
            assert_eq!((answer.packet_id, answer.reason), (id(8), ReasonCode::QuotaExceeded));
            let words = answer.properties.unwrap().reason_string.unwrap();
            assert_eq!(&*words, Trouble::Full.why());
        }
        other => panic!("no PUBACK: {other:?}"),
    }
    assert!(house.is_closed(old), "it comes back and says it again");
    let (old, _) = house.connect_as(lasting("old"));
    house.publish(old, "t", "2", QoS::AtLeastOnce);
    house.hears(guest, "t=2 q1");
    let (away, _) = house.connect_as(lasting("away"));
    house.hears(away, "t=0 q1");
    house.hears(away, "t=2 q1");
    house.is_at_rest();
}

/// A message refused is not kept by those that follow it: what comes again comes in order.
#[test]
fn an_old_client_is_not_heard_after_a_message_that_could_not_be_kept() {
    let mut house = House::new();
    absent(&mut house, "away", "t", QoS::ExactlyOnce);
    let (client, _) = house.connect_as(lasting("p"));
    let other = house.connect_as(v5_lasting("x")).0;
    house.disk_mode = DiskMode::Fails(Trouble::ReadOnly);
    house.send(other, Packet::Publish(publish("t", "0", QoS::ExactlyOnce)));
    house.send(client, Packet::Publish(publish("t", "1", QoS::ExactlyOnce)));
    house.disk_mode = DiskMode::Works;
    let next = Publish {
        delivery: crate::mqtt::Delivery::ExactlyOnce(id(8)),
        ..publish("t", "2", QoS::ExactlyOnce)
    };
    house.send(client, Packet::Publish(next));
    house.reads_nothing(client);
    house.pass(COMMIT_RETRY.0);
    assert!(house.is_closed(client));
    let (client, _) = house.connect_as(lasting("p"));
    house.publish(client, "t", "1", QoS::ExactlyOnce);
    house.publish(client, "t", "2", QoS::ExactlyOnce);
    let (away, _) = house.connect_as(lasting("away"));
    for expected in ["t=0 q2", "t=1 q2", "t=2 q2"] {
        house.hears(away, expected);
    }
}

#[test]
fn a_client_that_publishes_faster_than_the_disk_writes_is_read_no_further() {
    let mut house = House::with(|settings| settings.queue_bytes = None);
    absent(&mut house, "away", "t", QoS::AtLeastOnce);
    let publisher = house.connect("p");
    house.disk_mode = DiskMode::Waits;
    let large = "x".repeat(1024 * 1024);
    let mut sent = 0;
    while !house.is_paused(publisher) {
        house.send(publisher, Packet::Publish(publish("t", &large, QoS::AtLeastOnce)));
        sent += 1;
        assert!(sent < 30, "16 MiB may wait");
    }
    while house.has_batch() {
        house.write_batch();
    }
    assert!(!house.is_paused(publisher));
    for _ in 0..sent {
        house.reads(publisher, &Packet::PubAck(super::super::house::success(id(7))));
    }
}
