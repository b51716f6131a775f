//! Who is there under a load: publishers, subscribers, and others that say nothing.

use anyhow::Result;

use crate::broker::Broker;
use crate::client::Client;

/// Filters in one SUBSCRIBE.
const FILTERS_AT_ONCE: usize = 100;
/// Filters of one client.
const FILTERS_EACH: usize = 5000;

/// Who is subscribed to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// All publish to topics of their own, and all subscribers get all of them by a wildcard.
    All,
    /// Each subscriber has a publisher of its own.
    Pairs,
    /// Each topic is that of so many subscribers, by wildcards.
    Some(usize),
}

/// One load.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    pub shape: Shape,
    pub publishers: usize,
    pub subscribers: usize,
    pub qos: u8,
    pub payload: usize,
    /// Of one publisher.
    pub window: u64,
    /// Messages in a second, of all publishers together; as many as go through, if there is none.
    pub pace: Option<u32>,
    /// Of each publisher, which takes them in turn.
    pub topics: usize,
    /// Of others, that match nothing that is published.
    pub filters: usize,
    /// Connections of others, that say nothing.
    pub idle: usize,
}

/// One publisher and one subscriber, as fast as it goes.
pub const LOAD: Load = Load {
    shape: Shape::All,
    publishers: 1,
    subscribers: 1,
    qos: 0,
    payload: 64,
    window: 1000,
    pace: None,
    topics: 1,
    filters: 0,
    idle: 0,
};

impl Load {
    /// Times that each message is delivered.
    pub fn copies(&self) -> u64 {
        let copies = match self.shape {
            Shape::All => self.subscribers,
            Shape::Pairs => 1,
            Shape::Some(matches) => matches,
        };
        u64::try_from(copies).unwrap_or(u64::MAX)
    }

    fn topic(&self, publisher: usize, index: usize) -> String {
        match self.shape {
            Shape::All | Shape::Pairs => {
                format!("house/room-{}/temperature", publisher + index * self.publishers)
            }
            Shape::Some(_) => format!("house-{index}/room/temperature"),
        }
    }

    fn filter(&self, subscriber: usize) -> String {
        match self.shape {
            Shape::All => "house/+/temperature".to_owned(),
            Shape::Pairs => self.topic(subscriber, 0),
            Shape::Some(_) => format!("house-{}/+/temperature", subscriber % self.topics),
        }
    }
}

pub struct House {
    /// Publishers first.
    pub clients: Vec<Client>,
    /// Of each publisher.
    pub topics: Vec<Vec<String>>,
    pub others: Vec<Client>,
}

impl House {
    pub fn prepare(load: &Load, broker: &Broker) -> Result<Self> {
        let dial = broker.dial()?;
        let connect = |name: String| Client::connect(broker.address, &dial, &name);
        let mut others = Vec::new();
        for index in 0..load.idle {
            others.push(connect(format!("idle-{index}"))?);
        }
        let filters: Vec<_> = (0..load.filters).map(other_filter).collect();
        for (index, filters) in filters.chunks(FILTERS_EACH).enumerate() {
            let mut client = connect(format!("other-{index}"))?;
            for filters in filters.chunks(FILTERS_AT_ONCE) {
                client.subscribe_all(filters, 0)?;
            }
            others.push(client);
        }
        let (mut clients, mut topics) = (Vec::new(), Vec::new());
        for publisher in 0..load.publishers {
            clients.push(connect(format!("publisher-{publisher}"))?);
            topics.push((0..load.topics).map(|index| load.topic(publisher, index)).collect());
        }
        for index in 0..load.subscribers {
            let mut client = connect(format!("subscriber-{index}"))?;
            client.subscribe(&load.filter(index), load.qos)?;
            clients.push(client);
        }
        Ok(Self { clients, topics, others })
    }
}

/// One in ten by a wildcard, beside the topics that are published.
fn other_filter(index: usize) -> String {
    if index.is_multiple_of(10) {
        format!("house/+/pressure-{index}")
    } else {
        format!("house/room-{index}/humidity")
    }
}
