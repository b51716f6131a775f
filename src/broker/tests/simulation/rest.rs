//! Faults end, everyone comes back, and all must come to rest.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::super::Input;
use super::client::{Client, Stage};
use super::link::Link;
use super::world::World;
use crate::access::ConnectionId;
use crate::mqtt::{QoS, RetainHandling, SubscribeFilter, TopicFilter, Version};

/// Turns after which everything must have arrived.
const TURNS_MAX: usize = 3000;
/// Longer than any session outlives its connection.
const REST_SECONDS: u64 = 130;

impl World {
    /// Plays to the end, and checks what must then hold.
    pub(super) fn rest(&mut self) {
        self.links.values_mut().for_each(|link| link.stuck = false);
        self.clients.iter_mut().for_each(|client| client.silent_until = self.now);
        self.clients.iter_mut().for_each(|client| client.refusals = 0);
        self.settle();
        for _ in 0..REST_SECONDS {
            self.pass(Duration::from_secs(1));
            self.turn();
        }
        self.settle();
        self.broker.check_invariants();
        self.broker.assert_idle();
        self.model.check_rest(&self.broker.statistics());
        self.check_ends();
        self.probe();
        self.stop();
    }

    fn settle(&mut self) {
        for _ in 0..TURNS_MAX {
            if self.is_quiet() {
                return;
            }
            self.turn();
            self.pass(Duration::from_millis(1));
        }
        panic!("all comes to rest: {:?}", self.links);
    }

    fn is_quiet(&self) -> bool {
        let mut links = self.links.values();
        let is_settled = |client: &Client| match client.stage {
            Stage::Away => client.refusals > 0,
            Stage::Asking(_) => false,
            Stage::In(_) => client.holds() == 0,
        };
        links.all(|link| link.is_quiet() && !link.closed && !link.abandoned)
            && self.clients.iter().all(is_settled)
    }

    /// Everything that is under way arrives, and everyone who is away comes.
    fn turn(&mut self) {
        for client in 0..self.clients.len() {
            let one = &self.clients[client];
            if one.stage == Stage::Away && one.refusals == 0 {
                let connect = self.connect_to_stay(client);
                self.open(client, connect);
            }
        }
        while !self.logins.is_empty() {
            self.answer_login(0);
        }
        let links: Vec<ConnectionId> = self.links.keys().copied().collect();
        for link in links {
            self.deliver_up(link, usize::MAX);
            self.write(link, usize::MAX);
            self.read(link, usize::MAX);
            let is_over = |link: &Link| link.abandoned && link.has_said_all();
            if self.links.get(&link).is_some_and(is_over) {
                self.end_link(link);
            }
        }
    }

    /// What the clients heard at QoS 2 is what they took over, in each life that is not over.
    fn check_ends(&self) {
        let lives: Vec<u64> = self.model.lives().collect();
        let living = |counts: &BTreeMap<(u64, String), u64>| -> BTreeMap<(u64, String), u64> {
            let of_life = counts.iter().filter(|((life, _), _)| lives.contains(life));
            of_life.map(|(key, count)| (key.clone(), *count)).collect()
        };
        let mut heard = BTreeMap::new();
        for client in &self.clients {
            heard.append(&mut living(&client.heard.once));
        }
        let taken = living(&self.model.taken);
        let differs = |key: &&(u64, String)| heard.get(*key) != taken.get(*key);
        let differing: Vec<_> = heard.keys().chain(taken.keys()).filter(differs).collect();
        // One whose PUBREC was lost is given up when its client comes back and takes less.
        let is_given_up = |key: &(u64, String)| heard.get(key) > taken.get(key);
        let is_excused = self.plan.packet_sizes && differing.iter().all(|key| is_given_up(key));
        assert!(differing.is_empty() || is_excused, "QoS 2 is exactly once: {differing:?}");
    }

    /// Somebody new asks for all that is retained.
    fn probe(&mut self) {
        let client = self.clients.len();
        self.clients.push(Client::new(Some("probe"), "probe".into(), Version::V5));
        self.settle();
        if self.clients[client].refusals > 0 {
            return;
        }
        let filters = ["#", "$SYS/#"].into_iter().map(all).collect();
        self.say_subscribe(client, filters, None);
        self.settle();
        let stored = &self.clients[client].heard.stored;
        let heard: Vec<(&str, &[u8])> =
            stored.iter().map(|(topic, payload)| (topic.as_str(), &**payload)).collect();
        let expected: Vec<(&str, &[u8])> = self.model.retained_topics().collect();
        let is_small = self.plan.packet_sizes;
        assert!(is_small || heard == expected, "retained: {heard:?}, not {expected:?}");
    }
    /// The end: each is told and closed.
    fn stop(&mut self) {
        self.tell(Input::Shutdown);
        assert!(self.links.values().all(|link| link.closed), "everyone is closed");
    }
}

fn all(filter: &str) -> SubscribeFilter {
    SubscribeFilter {
        filter: TopicFilter::new(filter.to_owned()).unwrap(),
        qos: QoS::AtMostOnce,
        no_local: false,
        retain_as_published: false,
        retain_handling: RetainHandling::Send,
    }
}
