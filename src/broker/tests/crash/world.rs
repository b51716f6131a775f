//! The broker, its disk, and the clients.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::super::super::record::{Batch, PageRequest, Trouble};
use super::super::super::{Bounds, Broker, Delays, Input, Keeping, Output, Settings};
use super::super::disk::Disk;
use super::super::house::{Dice, clean, wanted};
use super::client::{Client, Said};
use crate::access::{ConnectionId, Peer, Policy, Principal, Rights};
use crate::mqtt::{Packet, QoS, Subscribe};
use crate::time::Tick;

const CLIENTS: usize = 5;
const STEPS: usize = 600;

/// How often what was tried happened.
#[derive(Debug, Default)]
pub(super) struct Seen {
    crashes: u64,
    /// The batch under way was written, though nobody was told.
    written: u64,
    lost: u64,
    troubles: u64,
    pages: u64,
    messages: u64,
}

impl Seen {
    pub(super) fn add(&mut self, more: &Self) {
        self.crashes += more.crashes;
        self.written += more.written;
        self.lost += more.lost;
        self.troubles += more.troubles;
        self.pages += more.pages;
        self.messages += more.messages;
    }

    pub(super) fn is_all(&self) -> bool {
        let Self { crashes, written, lost, troubles, pages, messages } = self;
        [crashes, written, lost, troubles, pages, messages].iter().all(|count| **count > 20)
    }
}

/// See the module.
pub(super) struct World {
    broker: Broker,
    settings: Settings,
    disk: Disk,
    batch: Option<Batch>,
    pages: Vec<PageRequest>,
    dice: Dice,
    now: Tick,
    clients: Vec<Client>,
    links: BTreeMap<ConnectionId, usize>,
    opened: u64,
    fails: bool,
    seen: Seen,
    trace: bool,
}

impl World {
    pub(super) fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let settings = Settings {
            session_expiry: Duration::from_secs(1_000_000),
            queue_messages: None,
            queue_bytes: None,
            bounds: Bounds { inflight_to_client: dice.choose(&[1, 3, 20]), ..Bounds::default() },
            assigned_prefix: "assigned".into(),
            rights: Rights::new("maison"),
            keeping: Keeping::All(dice.choose(&[
                Delays::default(),
                Delays { short: Duration::ZERO, soon: Duration::ZERO, late: Duration::ZERO },
                Delays {
                    short: Duration::from_secs(1),
                    soon: Duration::from_secs(10),
                    late: Duration::from_secs(100),
                },
            ])),
        };
        Self {
            broker: Broker::new(settings.clone()),
            settings,
            disk: Disk::default(),
            batch: None,
            pages: Vec::new(),
            dice,
            now: Tick::ZERO,
            clients: (0..CLIENTS).map(Client::new).collect(),
            links: BTreeMap::new(),
            opened: 0,
            fails: false,
            seen: Seen::default(),
            trace: std::env::var_os("MAISON_SEED").is_some(),
        }
    }

    pub(super) fn play(mut self) -> Seen {
        for _ in 0..STEPS {
            self.step();
        }
        self.rest();
        self.check();
        self.seen
    }

    fn step(&mut self) {
        let index = usize::try_from(self.dice.below(CLIENTS.try_into().unwrap())).unwrap();
        match self.dice.below(100) {
            0..22 => self.say(index),
            22..50 => self.up(index),
            50..75 => self.down(index),
            75..83 => self.write(),
            83..86 => self.page(),
            86..92 => self.dial(index),
            92..93 => self.cut(index),
            93..97 => {
                let millis = self.dice.choose(&[1, 5, 30, 500, 3000, 40_000]);
                self.pass(Duration::from_millis(millis));
            }
            97 => self.fails = self.dice.below(3) == 0,
            _ => self.crash(),
        }
    }

    // ---- what happens

    fn say(&mut self, index: usize) {
        let Some(said) = self.clients[index].say(&mut self.dice) else { return };
        self.seen.messages += 1;
        let wanting = self.clients.iter().filter(|client| client.wants(&said));
        let names = wanting.map(|client| client.name.clone()).collect();
        self.clients[index].wanted_by(names);
    }

    fn up(&mut self, index: usize) {
        let Some(link) = &mut self.clients[index].link else { return };
        let (Some(connection), Some(packet)) = (link.id, link.up.pop_front()) else { return };
        self.tell(Input::Packet { connection, packet });
    }

    fn down(&mut self, index: usize) {
        let client = &mut self.clients[index];
        let Some(packet) = client.link.as_mut().and_then(|link| link.down.pop_front()) else {
            return;
        };
        client.hear(packet);
    }

    /// The disk has done with the batch, in one way or the other.
    fn write(&mut self) {
        let Some(batch) = self.batch.take() else { return };
        let number = batch.number;
        let outcome = if self.fails {
            self.seen.troubles += 1;
            Err(self.dice.choose(&[Trouble::Full, Trouble::Failed]))
        } else {
            self.disk.commit(&batch);
            Ok(())
        };
        self.tell(Input::Committed { number, outcome });
    }

    fn page(&mut self) {
        let Some(wish) = self.pages.pop() else { return };
        self.seen.pages += 1;
        self.tell(Input::Paged(self.disk.page(&wish)));
    }

    fn dial(&mut self, index: usize) {
        if self.clients[index].link.is_some() {
            return;
        }
        self.opened += 1;
        let connection = ConnectionId(self.opened);
        self.links.insert(connection, index);
        self.clients[index].dial(connection);
        let peer = Peer {
            address: "192.0.2.7:51234".parse().unwrap(),
            listener: Arc::from("tcp"),
            policy: Policy::Anonymous,
            certificate: None,
        };
        self.tell(Input::Opened { connection, peer: peer.into() });
    }

    fn cut(&mut self, index: usize) {
        let Some(link) = self.clients[index].link.take() else { return };
        let connection = link.id.expect("a link has a name");
        self.links.remove(&connection);
        self.tell(Input::Closed { connection });
    }

    /// The plug is pulled. What was under way may have been written nevertheless.
    fn crash(&mut self) {
        self.seen.crashes += 1;
        if let Some(batch) = self.batch.take() {
            if self.dice.below(2) == 0 {
                self.seen.written += 1;
                self.disk.commit(&batch);
            } else {
                self.seen.lost += 1;
            }
        }
        self.pages.clear();
        self.links.clear();
        for client in &mut self.clients {
            client.link = None;
        }
        self.broker = Broker::new(self.settings.clone());
        self.broker.restore(self.now, self.disk.restore());
        self.tell(Input::Wake);
    }

    fn pass(&mut self, time: Duration) {
        let end = self.now.after(time);
        while let Some(at) = self.broker.deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.tell(Input::Wake);
        }
        self.now = end;
    }

    fn tell(&mut self, input: Input) {
        self.note(|| format!("▶ {input:?}"));
        self.broker.handle(self.now, input);
        let mut then = Vec::new();
        while let Some(output) = self.broker.poll() {
            self.note(|| format!("  ◀ {output:?}"));
            then.extend(self.carry_out(output));
        }
        self.broker.check_invariants();
        for input in then {
            self.tell(input);
        }
    }

    #[expect(clippy::print_stderr, reason = "a seed that fails is looked at")]
    fn note(&self, what: impl FnOnce() -> String) {
        if self.trace {
            eprintln!("{:>12} {}", self.now.as_micros(), what());
        }
    }

    fn carry_out(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Send { connection, packet } => {
                let bytes = packet.weight();
                let index = self.links.get(&connection)?;
                let link = self.clients[*index].link.as_mut()?;
                link.down.push_back(packet);
                return Some(Input::Written { connection, bytes });
            }
            Output::Close { connection } => {
                if let Some(index) = self.links.remove(&connection) {
                    self.clients[index].link = None;
                }
                return Some(Input::Closed { connection });
            }
            Output::Authenticate { connection, .. } => {
                return Some(Input::Verdict { connection, verdict: Ok(Principal::Anonymous) });
            }
            Output::Commit(batch) => {
                let other = self.batch.replace(batch);
                assert!(other.is_none(), "one batch at a time");
            }
            Output::Page(wish) => self.pages.push(wish),
            Output::Pause { .. } | Output::Resume { .. } | Output::Event(_) => {}
        }
        None
    }

    // ---- the end

    /// Faults stop; all that is under way comes to its end.
    fn rest(&mut self) {
        self.fails = false;
        for _ in 0..2000 {
            for index in 0..CLIENTS {
                self.dial(index);
                while self.clients[index].link.as_ref().is_some_and(|link| !link.up.is_empty()) {
                    self.up(index);
                }
                while self.clients[index].link.as_ref().is_some_and(|it| !it.down.is_empty()) {
                    self.down(index);
                }
            }
            self.write();
            self.page();
            self.pass(Duration::from_millis(200));
            if self.is_quiet() {
                return self.pass_quietly();
            }
        }
        panic!("it does not come to rest: {:#?}", self.clients);
    }

    fn pass_quietly(&mut self) {
        for _ in 0..1000 {
            self.write();
            self.pass(Duration::from_secs(1));
        }
        assert!(self.broker.is_flushed(), "all is kept");
    }

    fn is_quiet(&self) -> bool {
        let is_silent = |client: &Client| {
            let link = client.link.as_ref();
            link.is_some_and(|link| link.up.is_empty() && link.down.is_empty()) && client.is_in()
        };
        self.clients.iter().all(|client| client.is_done() && is_silent(client))
            && self.batch.is_none()
            && self.pages.is_empty()
            && self.broker.all_delivered()
    }

    fn check(&mut self) {
        self.broker.assert_idle();
        let mut other = Broker::new(self.settings.clone());
        other.restore(self.now, self.disk.restore());
        self.broker.assert_keeps_as(&other);
        for publisher in &self.clients {
            for said in &publisher.acknowledged {
                self.check_delivered(said);
            }
        }
        for client in &self.clients {
            self.check_order(client);
        }
        self.check_retained();
    }

    fn check_delivered(&self, said: &Said) {
        for client in self.clients.iter().filter(|client| said.wanted_by.contains(&client.name)) {
            let is_it = |heard: &&super::client::Heard| {
                heard.publisher == said.publisher && heard.number == said.number
            };
            let times = client.heard.iter().filter(is_it).count();
            assert!(times >= 1, "{} has not heard {said:?}", client.name);
            if said.qos.min(client.most()) == QoS::ExactlyOnce {
                assert_eq!(times, 1, "{} has heard {said:?} more than once", client.name);
            }
        }
    }

    /// By publisher, topic and quality, each message comes after those before it; at QoS 1 one that
    /// came before may come again. One that was said before the subscription may come late, when
    /// its publisher says it again.
    fn check_order(&self, client: &Client) {
        let said = self.clients.iter().flat_map(|publisher| &publisher.acknowledged);
        let wanted = said.filter(|said| said.wanted_by.contains(&client.name));
        let mut due: BTreeSet<(&str, u64)> =
            wanted.map(|said| (&*said.publisher, said.number)).collect();
        let mut last: BTreeMap<(&str, &str, [u8; 2]), u64> = BTreeMap::new();
        for heard in &client.heard {
            if due.remove(&(&*heard.publisher, heard.number)) {
                let place = (&*heard.publisher, &*heard.topic, heard.qos);
                let before = last.insert(place, heard.number).unwrap_or(0);
                assert!(before < heard.number, "{} hears {heard:?} after {before}", client.name);
            }
        }
    }

    fn check_retained(&mut self) {
        self.opened += 1;
        let connection = ConnectionId(self.opened);
        self.links.insert(connection, 0);
        let mut guest = Client::new(3);
        guest.dial(connection);
        self.clients[0] = guest;
        let peer = Peer {
            address: "192.0.2.7:51234".parse().unwrap(),
            listener: Arc::from("tcp"),
            policy: Policy::Anonymous,
            certificate: None,
        };
        let last: BTreeMap<String, u64> = self
            .clients
            .iter()
            .flat_map(|client| &client.acknowledged)
            .filter(|said| said.topic.starts_with("r/"))
            .fold(BTreeMap::new(), |mut last, said| {
                let number = last.entry(said.topic.clone()).or_default();
                *number = said.number.max(*number);
                last
            });
        self.tell(Input::Opened { connection, peer: peer.into() });
        let packet = Packet::Connect(Box::new(clean("guest")));
        self.tell(Input::Packet { connection, packet });
        let subscribe = Subscribe {
            packet_id: super::super::id(1),
            filters: vec![wanted("r/#", QoS::AtMostOnce)],
            subscription_id: None,
            user_properties: Vec::new(),
        };
        self.tell(Input::Packet { connection, packet: Packet::Subscribe(subscribe) });
        let heard = &self.clients[0].link.as_ref().unwrap().down;
        for (topic, number) in last {
            let mut published = heard.iter().filter_map(|packet| match packet {
                Packet::Publish(publish) => Some(publish),
                _ => None,
            });
            let retained = published.find(|it| it.message.topic.as_str() == topic);
            let retained = retained.unwrap_or_else(|| panic!("{topic} is not retained"));
            let text = String::from_utf8_lossy(&retained.message.payload);
            assert!(text.ends_with(&format!(":{number}")), "{topic} is {text}, not {number}");
        }
    }
}
