//! The broker, the model beside it, and the clients on their links, in virtual time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::super::{Broker, Input, Output};
use super::super::house::Dice;
use super::client::{Client, NAMELESS, Stage};
use super::link::Link;
use super::model::{Model, Sight};
use super::plan::Plan;
use super::trace::Trace;
use crate::access::{ConnectionId, Login, Peer, Policy, Principal, Refusal, Verdict};
use crate::mqtt::{Connect, Packet, Version};
use crate::time::Tick;

/// Clients that are played.
pub(super) const CLIENTS: usize = 20;
/// The one that speaks 3.1.
const OLD_CLIENT: usize = 3;
/// The bookkeeping is checked after so many inputs.
const CHECK_EVERY: u64 = if cfg!(debug_assertions) { 7 } else { 1 };

/// See the module.
pub(super) struct World {
    pub(super) broker: Broker,
    pub(super) model: Model,
    pub(super) plan: Plan,
    pub(super) dice: Dice,
    pub(super) now: Tick,
    pub(super) clients: Vec<Client>,
    pub(super) links: BTreeMap<ConnectionId, Link>,
    pub(super) logins: Vec<(ConnectionId, Login)>,
    /// Publications so far: each has its number.
    pub(super) number: u64,
    pub(super) trace: Trace,
    opened: u64,
    inputs: u64,
}

impl World {
    pub(super) fn new(seed: u64, trace: Trace) -> Self {
        let mut dice = Dice::new(seed);
        let plan = Plan::of(&mut dice);
        trace.note(|| format!("{plan:?}"));
        Self {
            broker: Broker::new(plan.settings.clone()),
            model: Model::new(&plan),
            plan,
            dice,
            now: Tick::ZERO,
            clients: (0..CLIENTS).map(client).collect(),
            links: BTreeMap::new(),
            logins: Vec::new(),
            number: 0,
            trace,
            opened: 0,
            inputs: 0,
        }
    }

    // ---- the shell

    /// Gives model and broker one event, and carries out what the broker wants.
    pub(super) fn tell(&mut self, input: Input) {
        if !matches!(input, Input::Wake) {
            self.tick();
        }
        let now = self.now;
        self.trace.note(|| format!("{:>10} ▶ {input:?}", now.as_micros()));
        self.model.input(now, &input);
        self.broker.handle(now, input);
        while let Some(output) = self.broker.poll() {
            self.trace.note(|| format!("{:>10}   ◀ {output:?}", now.as_micros()));
            self.model.output(&output);
            self.carry_out(output);
        }
        self.model.settled(self.broker.statistics().traffic.messages_dropped);
        self.inputs += 1;
        if self.inputs.is_multiple_of(CHECK_EVERY) {
            self.broker.check_invariants();
            self.check_queues();
        }
    }

    /// No queue is over its limit; what the broker itself counts is not asked.
    fn check_queues(&self) {
        let settings = &self.plan.settings;
        let over = |bound: Option<usize>, size: usize| bound.is_some_and(|most| size > most);
        let mut all = 0;
        for (_, session) in self.broker.sessions.iter() {
            let messages = session.queue.iter().count();
            let bytes: usize = session.queue.iter().map(|one| one.message.weight()).sum();
            let is_many = session.connection.is_none() && over(settings.queue_messages, messages);
            let is_over = is_many || over(settings.queue_bytes, bytes);
            assert!(!is_over || messages == 1, "{messages} messages of {bytes} bytes wait");
            all += bytes;
        }
        assert!(!over(settings.bounds.queued_bytes, all), "{all} bytes wait for all");
    }

    /// No two inputs are at one instant, so that what ends first is not for the order of some list.
    fn tick(&mut self) {
        let soon = self.now.after(Duration::from_micros(1));
        if self.broker.deadline().is_some_and(|at| at <= soon) {
            self.now = soon;
            self.tell(Input::Wake);
        }
        self.now = soon;
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Send { connection, packet } => {
                let link = self.links.get_mut(&connection).expect("sent on a link that is there");
                if matches!(packet, Packet::ConnAck(_)) {
                    link.life = self.model.life(connection);
                }
                link.send(packet, self.plan.settings.bounds.packet_bytes);
            }
            Output::Close { connection } => {
                let link = self.links.get_mut(&connection).expect("closes a link that is there");
                link.closed = true;
            }
            Output::Authenticate { connection, login } => self.logins.push((connection, *login)),
            Output::Event(_) => {}
            other @ (Output::Commit(_)
            | Output::Page(_)
            | Output::Pause { .. }
            | Output::Resume { .. }) => panic!("there is no store: {other:?}"),
        }
    }

    /// Lets time pass.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now.after(time);
        if self.plan.late {
            self.now = end;
        }
        while let Some(at) = self.broker.deadline().filter(|&at| at <= end) {
            self.now = self.now.max(at);
            self.tell(Input::Wake);
        }
        self.now = end;
        self.ping();
    }

    /// Answers one of the logins.
    pub(super) fn answer_login(&mut self, place: usize) {
        let (connection, login) = self.logins.remove(place);
        self.tell(Input::Verdict { connection, verdict: verdict(&login) });
    }

    // ---- links

    pub(super) fn open(&mut self, client: usize, connect: Connect) {
        self.opened += 1;
        let connection = ConnectionId(self.opened);
        let peer = Peer {
            address: "192.0.2.7:51234".parse().unwrap(),
            listener: Arc::from("tls"),
            policy: Policy::Password,
            certificate: None,
        };
        self.links.insert(connection, Link::new(client, connect));
        self.clients[client].stage = Stage::Asking(connection);
        self.tell(Input::Opened { connection, peer: peer.into() });
    }

    pub(super) fn say(&mut self, client: usize, packet: Packet) {
        let link = self.clients[client].stage.link().expect("it has a link");
        self.clients[client].said_at = self.now;
        self.links.get_mut(&link).expect("it is there").say(packet);
    }

    /// The client gives its aliases to other topics.
    pub(super) fn renumber(&mut self, client: usize) {
        let link = self.clients[client].stage.link().expect("it has a link");
        self.links.get_mut(&link).expect("it is there").renumber();
    }

    /// Some of what clients said arrives at the broker.
    pub(super) fn deliver_up(&mut self, id: ConnectionId, packets: usize) {
        for _ in 0..packets {
            let next = self.links.get_mut(&id).and_then(Link::next_up);
            match next {
                Some(Ok(packet)) => self.tell(Input::Packet { connection: id, packet }),
                Some(Err(error)) => return self.tell(Input::Malformed { connection: id, error }),
                None => return,
            }
        }
    }

    /// The operating system takes some of what the broker said.
    pub(super) fn write(&mut self, connection: ConnectionId, packets: usize) {
        let bytes = self.links.get_mut(&connection).map_or(0, |link| link.write(packets));
        if bytes > 0 {
            self.tell(Input::Written { connection, bytes });
        }
    }

    /// Some of what the broker said arrives at the client.
    pub(super) fn read(&mut self, id: ConnectionId, packets: usize) {
        for _ in 0..packets {
            let Some(link) = self.links.get_mut(&id) else { return };
            let (client, life) = (link.client, link.life);
            let Some(packet) = link.read() else { break };
            self.hear(client, life, packet);
        }
        if self.links.get(&id).is_some_and(Link::is_read_out) {
            self.end_link(id);
        }
    }

    fn hear(&mut self, client: usize, life: Option<u64>, packet: Packet) {
        let now = self.now;
        let one = &mut self.clients[client];
        let answers = match (&packet, one.stage) {
            (Packet::ConnAck(answer), Stage::Asking(_)) if answer.reason.is_failure() => {
                one.refusals += 1;
                Vec::new()
            }
            (Packet::ConnAck(answer), Stage::Asking(link)) => {
                one.stage = Stage::In(link);
                one.said_at = now;
                self.links.get_mut(&link).expect("it is there").welcomed(answer);
                one.welcome(answer, life.expect("it is let in"))
            }
            (_, Stage::In(_)) => one.hear(packet, &mut self.dice).into_iter().collect(),
            (_, stage) => panic!("{packet:?} to a client that is {stage:?}"),
        };
        for answer in answers {
            self.say(client, answer);
        }
    }

    /// Both ends know that a link is no more.
    pub(super) fn end_link(&mut self, id: ConnectionId) {
        let Some(link) = self.links.remove(&id) else { return };
        let client = &mut self.clients[link.client];
        if client.stage.link() == Some(id) {
            // 3.1.1 has not a word for each refusal.
            client.refusals += u64::from(link.closed && client.stage == Stage::Asking(id));
            client.leave();
        }
        let (to_broker, to_client) = link.aliased();
        self.model.seen.notes(Sight::AliasToBroker, to_broker);
        self.model.seen.notes(Sight::AliasToClient, to_client);
        self.tell(Input::Closed { connection: id });
    }

    /// The client lets go of its link; of what it said, so much may yet arrive.
    pub(super) fn let_go(&mut self, client: usize, said: usize) {
        let Some(id) = self.clients[client].stage.link() else { return };
        let is_cut = said < usize::MAX && self.dice.below(2) == 0;
        self.clients[client].leave();
        self.links.get_mut(&id).expect("it is there").abandon(said, is_cut);
    }

    /// Clients that said nothing for long say that they are there.
    fn ping(&mut self) {
        for index in 0..self.clients.len() {
            let client = &self.clients[index];
            let is_in = matches!(client.stage, Stage::In(_));
            let half = client.keep_alive / 2;
            let is_due = !half.is_zero() && self.now.since(client.said_at) >= half;
            if is_in && is_due && self.now >= client.silent_until {
                self.say(index, Packet::PingReq);
            }
        }
    }
}

/// Four users have clients, some of the same names.
fn client(index: usize) -> Client {
    let user = [None, Some("ann"), Some("bob"), Some("eve")][index % 4];
    let version = match index {
        OLD_CLIENT => Version::V3_1,
        _ if index % 2 == index / 10 => Version::V5,
        _ => Version::V3_1_1,
    };
    let name = if is_nameless(index) { String::new() } else { format!("c{}", index % 7) };
    Client::new(user, name, version)
}

/// Comes under a new name each time.
const fn is_nameless(client: usize) -> bool {
    client >= CLIENTS - 2
}

/// As its messages call it.
pub(super) fn publisher(client: usize) -> String {
    let kind = if is_nameless(client) { NAMELESS } else { "c" };
    format!("{kind}{client}")
}

fn verdict(login: &Login) -> Verdict {
    if login.password.as_deref() == Some(b"wrong") {
        return Err(Refusal::BadPassword);
    }
    Ok(login.user.as_deref().map_or(Principal::Anonymous, |user| Principal::User(user.into())))
}
