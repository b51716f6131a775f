//! What must be true at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use maison::mqtt::{Delivery, Packet, PacketId, QoS};
use rustix::process::Signal;

use super::door::Door;
use super::publisher::{Card, END, End, Published, TOPICS, Visit};
use super::subscriber::{Collector, Subscriber};
use super::{check_retained, retained_below, start};
use crate::gateway::Gateway;
use crate::wire::{Session, Wire, connect, publish, success};

/// Everybody, when all is said and heard.
pub(super) struct House<'a> {
    pub(super) door: &'a Door,
    pub(super) cards: &'a [Card],
    /// In the order of the cards.
    pub(super) published: Vec<Published>,
    pub(super) subscribers: Vec<Subscriber<'a>>,
    pub(super) collector: Collector<'a>,
}

impl House<'_> {
    pub(super) fn check_all(mut self, gateway: Gateway) {
        self.check_messages();
        for card in self.cards {
            let count = |number: &std::sync::atomic::AtomicU64| number.load(Ordering::SeqCst);
            assert_eq!(count(&card.said), count(&card.acknowledged), "all is acknowledged");
        }
        check_retained(gateway.plain_port(), self.cards);
        let gateway = self.kill_while_publishers_are_there(gateway);
        let port = gateway.plain_port();
        check_retained(port, self.cards);
        self.check_last_words(port);
        self.hear_up_to("first", port);
        self.check_messages();
        self.check_wills();
        let gateway = self.stop_and_start(gateway);
        self.check_that_nothing_is_left(gateway.plain_port());
        self.sum_up();
    }

    /// For whoever looks; that it is so was checked.
    fn sum_up(&self) {
        let acknowledged: u64 = self.published.iter().map(|published| published.last).sum();
        let all = usize::try_from(acknowledged).unwrap() * self.subscribers.len();
        let heard = self.subscribers.iter().flat_map(|subscriber| &subscriber.heard);
        let is_of_card = |topic: &str| self.cards.iter().any(|card| topic_of(card, topic));
        let again = heard.filter(|heard| is_of_card(&heard.topic)).count() - all;
        let subscribers = self.subscribers.len();
        eprintln!(
            "{acknowledged} messages acknowledged, each for {subscribers} subscribers: 0 lost, 0 \
             out of order, 0 of QoS 2 twice, {again} of QoS 1 again"
        );
    }

    fn kill_while_publishers_are_there(&mut self, gateway: Gateway) -> Gateway {
        self.door.shut();
        let folder = gateway.kill();
        for published in &mut self.published {
            assert!(published.wire.receive().is_err(), "nothing was under way");
            published.visits.last_mut().unwrap().end = End::Lost;
        }
        start(folder, self.door)
    }

    /// The wills of those who were there are spoken before anybody is let in.
    fn check_last_words(&self, port: u16) {
        let found = retained_below(port, "s/#");
        for (card, published) in self.cards.iter().zip(&self.published) {
            let last = published.visits.last().unwrap();
            assert!(last.announced.is_some());
            let expected = format!("gone {}", last.number);
            assert_eq!(found.get(&format!("s/{}", card.name)), Some(&expected));
        }
    }

    /// Every subscriber comes back and takes what there is.
    fn hear_up_to(&mut self, text: &str, port: u16) {
        mark(text, port);
        for subscriber in &mut self.subscribers {
            let mut wire = subscriber.enter();
            while subscriber.heard.last().is_none_or(|heard| heard.text != text)
                || subscriber.is_owed_a_release()
            {
                subscriber.hear(&mut wire).unwrap();
            }
            wire.send(&Packet::PingReq).unwrap();
            assert_eq!(wire.receive().unwrap(), Packet::PingResp);
        }
    }

    fn stop_and_start(&self, mut gateway: Gateway) -> Gateway {
        assert!(gateway.end_by(Signal::TERM).success());
        start(gateway.kill(), self.door)
    }

    /// After a stop in peace also what came at QoS 1 does not come again.
    fn check_that_nothing_is_left(&mut self, port: u16) {
        mark("second", port);
        for subscriber in &mut self.subscribers {
            let heard = subscriber.heard.len();
            let mut wire = subscriber.enter();
            subscriber.hear(&mut wire).unwrap();
            let news = &subscriber.heard[heard..];
            assert!(
                news.len() == 1 && news[0].text == "second",
                "{} heard {news:?}",
                subscriber.name
            );
        }
        for card in self.cards {
            let words = connect(card.version, card.name, Session::Stays);
            let (mut wire, session) = Wire::try_open(port, words).unwrap();
            assert!(session, "the session of {} is forgotten", card.name);
            wire.send(&Packet::PingReq).unwrap();
            assert_eq!(wire.receive().unwrap(), Packet::PingResp, "nothing is under way");
        }
        self.check_subscriptions(port);
    }

    fn check_subscriptions(&self, port: u16) {
        let (mut wire, session) = self.collector.enter();
        assert!(session);
        for number in 0..Collector::TOPICS {
            say(&Collector::topic(number), "here", Delivery::AtLeastOnce(PacketId::MIN), port);
        }
        wire.send(&Packet::PingReq).unwrap();
        let mut heard = BTreeSet::new();
        while let Packet::Publish(message) = wire.receive().unwrap() {
            heard.insert(message.message.topic.as_str().to_owned());
        }
        let wanted = self.collector.wanted.iter().filter(|(_, wanted)| **wanted);
        let wanted: BTreeSet<_> = wanted.map(|(number, _)| Collector::topic(*number)).collect();
        assert_eq!(heard, wanted, "subscriptions");
    }

    /// Every message came, at QoS 2 once; and each after those before it on its topic.
    fn check_messages(&self) {
        for subscriber in &self.subscribers {
            for (card, published) in self.cards.iter().zip(&self.published) {
                check_messages_of(card, published.last, subscriber);
            }
        }
    }

    fn check_wills(&self) {
        for subscriber in &self.subscribers {
            for (card, published) in self.cards.iter().zip(&self.published) {
                check_wills_of(card, &published.visits, subscriber);
            }
        }
    }
}

fn topic_of(card: &Card, topic: &str) -> bool {
    topic
        .strip_prefix("t/")
        .and_then(|rest| rest.split_once('/'))
        .is_some_and(|it| it.0 == card.name)
}

fn check_messages_of(card: &Card, last: u64, subscriber: &Subscriber<'_>) {
    let whose = format!("{} of {}", subscriber.name, card.name);
    let qos = card.qos.min(subscriber.qos);
    let mut times: BTreeMap<u64, u64> = BTreeMap::new();
    for topic in (0..TOPICS).map(|topic| format!("t/{}/{topic}", card.name)) {
        let mut before = 0;
        for heard in subscriber.heard.iter().filter(|heard| heard.topic == topic) {
            assert_eq!(heard.qos, qos, "{whose}: {heard:?}");
            let number = heard.text.trim_end_matches(END).parse().unwrap();
            let times = times.entry(number).or_default();
            *times += 1;
            if *times == 1 {
                assert!(before < number, "{whose}: {number} after {before}");
                before = number;
            }
        }
    }
    let missing: Vec<_> = (1..=last).filter(|number| !times.contains_key(number)).collect();
    assert!(missing.is_empty(), "{whose}, {last} messages: missing are {missing:?}");
    assert_eq!(times.len(), usize::try_from(last).unwrap(), "{whose}");
    if qos == QoS::ExactlyOnce {
        let twice: Vec<_> = times.iter().filter(|(_, times)| **times > 1).collect();
        assert!(twice.is_empty(), "{whose}: more than once came {twice:?}");
    }
}

/// A will is spoken once, if its client went without a word, after what the client had said.
fn check_wills_of(card: &Card, visits: &[Visit], subscriber: &Subscriber<'_>) {
    let topic = format!("s/{}", card.name);
    let heard = subscriber.heard.iter().filter(|heard| heard.topic == topic);
    let heard: Vec<_> = heard.map(|heard| &*heard.text).collect();
    for (index, visit) in visits.iter().enumerate() {
        let whose = format!("{} of {}: {visit:?}", subscriber.name, card.name);
        let gone = format!("gone {}", visit.number);
        let times = heard.iter().filter(|text| **text == gone).count();
        if subscriber.qos == QoS::ExactlyOnce {
            assert!(times <= 1, "{whose}: spoken {times} times");
        }
        match (visit.end, visit.announced) {
            (End::Open, _) => panic!("{whose}: still open"),
            (End::Lost, Some(_)) => {
                let place = |wanted: &str| heard.iter().position(|text| *text == wanted);
                let (came, went) = (place(&format!("here {}", visit.number)), place(&gone));
                assert!(came.is_some() && came < went, "{whose}: {heard:?}");
            }
            (End::Lost, None) => {}
            (End::Left(turn), _) => {
                // A kill a second later may find the will not yet forgotten.
                let next = visits.get(index + 1).and_then(|next| next.announced);
                assert!(times == 0 || next != Some(turn), "{whose}: spoken");
            }
        }
    }
}

/// Behind all that waits for the subscribers.
fn mark(text: &str, port: u16) {
    say("t/marker", text, Delivery::ExactlyOnce(PacketId::MIN), port);
}

fn say(topic: &str, text: &str, delivery: Delivery, port: u16) {
    let mut wire = Wire::connect(port, "marker", Session::Clean);
    wire.send(&Packet::Publish(publish(topic, delivery, text.to_owned()))).unwrap();
    loop {
        match wire.receive().unwrap() {
            Packet::PubRec(answer) => {
                wire.send(&Packet::PubRel(success(answer.packet_id))).unwrap();
            }
            Packet::PubAck(_) | Packet::PubComp(_) => return,
            other => panic!("the marker hears {other:?}"),
        }
    }
}
