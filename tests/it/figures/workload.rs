//! What a broker is asked, and what it takes for it.

use std::time::{Duration, Instant};

use maison::mqtt::{Delivery, Packet, PacketId, QoS};

use super::rival::Rival;
use crate::wire::{Session, Wire, publish, subscribe, success};

const SUBSCRIBERS: u16 = 100;
const FILTERS_EACH: u16 = 1000;
const RETAINED: u16 = 10_000;
const CONNECTIONS: u16 = 5000;
const LEVELS: usize = 200;
const ROUND_TRIPS: usize = 2000;

/// A number of which less is better.
pub(super) struct Figure {
    pub what: &'static str,
    pub unit: &'static str,
    pub value: f64,
}

type Workload = fn(&Rival) -> Vec<Figure>;

pub(super) const WORKLOADS: [Workload; 4] = [subscriptions, retained, connections, levels];

/// Filters of three levels, one in ten with a wildcard.
fn subscriptions(rival: &Rival) -> Vec<Figure> {
    let mut clients: Vec<_> = (0..SUBSCRIBERS).map(|number| client(rival, number)).collect();
    let before = rival.memory();
    let started = Instant::now();
    for (house, client) in clients.iter_mut().enumerate() {
        for room in 0..FILTERS_EACH {
            let last = if room % 10 == 0 { "+" } else { "temperature" };
            ask(client, room, &format!("house-{house}/room-{room}/{last}"));
        }
    }
    for client in &mut clients {
        for _ in 0..FILTERS_EACH {
            assert!(matches!(client.receive().unwrap(), Packet::SubAck(_)));
        }
    }
    let time = seconds(started);
    let memory = rival.memory() - before;
    let trip = round_trip(rival, &mut clients[57], "house-57/room-123/temperature");
    vec![
        Figure { what: "100,000 subscriptions: until granted", unit: "s", value: time },
        Figure { what: "100,000 subscriptions: memory", unit: "MiB", value: memory },
        Figure { what: "a message for one of them: round trip", unit: "µs", value: trip },
    ]
}

fn retained(rival: &Rival) -> Vec<Figure> {
    let mut publisher = client(rival, 0);
    let before = rival.memory();
    let started = Instant::now();
    for number in 0..RETAINED {
        let topic = format!("house/room-{number}/temperature");
        let mut message = publish(&topic, Delivery::AtMostOnce, "21.4");
        message.retain = true;
        publisher.send(&Packet::Publish(message)).unwrap();
    }
    publisher.send(&Packet::PingReq).unwrap();
    assert_eq!(publisher.receive().unwrap(), Packet::PingResp);
    let time = seconds(started);
    let memory = rival.memory() - before;
    let mut figures = vec![
        Figure { what: "10,000 retained: until stored", unit: "s", value: time },
        Figure { what: "10,000 retained: memory", unit: "MiB", value: memory },
    ];
    let all = [
        (QoS::AtMostOnce, "10,000 retained to one at QoS 0: until all are there"),
        (QoS::AtLeastOnce, "10,000 retained to one at QoS 1: until all are there"),
    ];
    for (qos, what) in all {
        let mut subscriber = client(rival, 1);
        let started = Instant::now();
        ask_at(&mut subscriber, 0, "house/#", qos);
        let mut arrived = 0;
        while arrived < RETAINED {
            let Packet::Publish(message) = subscriber.receive().unwrap() else { continue };
            arrived += u16::from(message.retain);
            if let Some(id) = message.delivery.packet_id() {
                subscriber.send(&Packet::PubAck(success(id))).unwrap();
            }
        }
        figures.push(Figure { what, unit: "s", value: seconds(started) });
        subscriber.leave();
    }
    let value = rival.memory() - before;
    figures.push(Figure { what: "10,000 retained: memory afterwards", unit: "MiB", value });
    figures
}

fn connections(rival: &Rival) -> Vec<Figure> {
    let before = rival.memory();
    let started = Instant::now();
    let mut clients: Vec<_> = (0..CONNECTIONS).map(|number| client(rival, number)).collect();
    let time = seconds(started);
    let memory = rival.memory() - before;
    let last = clients.last_mut().expect("5000");
    last.subscribe("a/b/c", QoS::AtMostOnce);
    let trip = round_trip(rival, last, "a/b/c");
    vec![
        Figure { what: "5,000 connections: until all are in", unit: "s", value: time },
        Figure { what: "5,000 connections: memory", unit: "MiB", value: memory },
        Figure { what: "a message for one of them: round trip", unit: "µs", value: trip },
    ]
}

fn levels(rival: &Rival) -> Vec<Figure> {
    let mut subscriber = client(rival, 0);
    let topic = vec!["level"; LEVELS].join("/");
    let wildcards = vec!["+"; LEVELS].join("/");
    subscriber.subscribe(&topic, QoS::AtMostOnce);
    let plain = round_trip(rival, &mut subscriber, &topic);
    let mut subscriber = client(rival, 0);
    subscriber.subscribe(&wildcards, QoS::AtMostOnce);
    let wild = round_trip(rival, &mut subscriber, &topic);
    vec![
        Figure { what: "a topic of 200 levels: round trip", unit: "µs", value: plain },
        Figure { what: "the same to 200 wildcards: round trip", unit: "µs", value: wild },
    ]
}

fn client(rival: &Rival, number: u16) -> Wire {
    Wire::connect(rival.port, &format!("client-{number}"), Session::Clean)
}

fn ask(client: &mut Wire, number: u16, filter: &str) {
    ask_at(client, number, filter, QoS::AtMostOnce);
}

/// Sends a SUBSCRIBE whose answer is awaited later.
fn ask_at(client: &mut Wire, number: u16, filter: &str, qos: QoS) {
    let mut packet = subscribe(filter, qos);
    if let Packet::Subscribe(subscribe) = &mut packet {
        subscribe.packet_id = PacketId::MIN.saturating_add(number);
    }
    client.send(&packet).unwrap();
}

/// From a publisher through the broker to this subscriber: the median of many.
fn round_trip(rival: &Rival, subscriber: &mut Wire, topic: &str) -> f64 {
    let mut publisher = Wire::connect(rival.port, "publisher", Session::Clean);
    let packet = Packet::Publish(publish(topic, Delivery::AtMostOnce, "21.4"));
    let mut trips: Vec<Duration> = (0..ROUND_TRIPS)
        .map(|_| {
            let started = Instant::now();
            publisher.send(&packet).unwrap();
            assert!(matches!(subscriber.receive().unwrap(), Packet::Publish(_)));
            started.elapsed()
        })
        .collect();
    trips.sort();
    trips[ROUND_TRIPS / 2].as_secs_f64() * 1e6
}

fn seconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64()
}
