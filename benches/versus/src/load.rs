//! Messages through a broker: one thread, one system call for as many packets as there are.
//!
//! Each publisher has a window of messages that are not delivered yet, and not acknowledged where
//! they are to be; so no broker has more to hold than another.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::fd::{AsRawFd, OwnedFd};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use crate::broker::Broker;
use crate::client::{Client, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL};
use crate::house::{House, Load};

/// Nothing arrives for so long: the broker has lost something.
const SILENCE_MAX: Duration = Duration::from_secs(10);
const BUFFER_BYTES: usize = 256 * 1024;
const STAMP_BYTES: usize = 16;
const TIMER: Token = Token(usize::MAX);

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Messages that arrived, or were taken where nobody is subscribed.
    pub messages: u64,
    pub seconds: f64,
    /// Processor time of the broker, in seconds.
    pub broker: f64,
    /// Processor time of this thread, in seconds.
    pub generator: f64,
    /// From the call that publishes to the one that receives, in microseconds, sorted.
    pub latencies: Vec<u32>,
}

#[derive(Clone, Copy, Default)]
struct Sent {
    messages: u64,
    delivered: u64,
    acknowledged: u64,
}

/// Clients that are connected and subscribed.
pub struct Bench {
    load: Load,
    clients: Vec<Client>,
    sent: Vec<Sent>,
    /// Of each publisher.
    topics: Vec<Vec<String>>,
    /// There, and silent.
    _others: Vec<Client>,
    poll: Poll,
    timer: OwnedFd,
    began: Instant,
    latencies: Vec<u32>,
    delivered: u64,
}

impl Bench {
    /// Connects all clients: publishers first.
    pub fn prepare(load: Load, broker: &Broker) -> Result<Self> {
        let House { mut clients, topics, others } = House::prepare(&load, broker)?;
        let poll = Poll::new()?;
        for (index, client) in clients.iter_mut().enumerate() {
            let interest = Interest::READABLE | Interest::WRITABLE;
            poll.registry().register(client.stream.socket(), Token(index), interest)?;
        }
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK)?;
        poll.registry().register(&mut SourceFd(&timer.as_raw_fd()), TIMER, Interest::READABLE)?;
        let (sent, began) = (vec![Sent::default(); load.publishers], Instant::now());
        let (latencies, _others) = (Vec::new(), others);
        Ok(Self {
            load,
            clients,
            sent,
            topics,
            _others,
            poll,
            timer,
            began,
            latencies,
            delivered: 0,
        })
    }

    /// Publishes so many messages, and waits until all have arrived.
    pub fn run(&mut self, messages: u64, broker: &Broker) -> Result<Outcome> {
        self.sent.fill(Sent::default());
        (self.delivered, self.latencies) = (0, Vec::new());
        self.set_timer()?;
        let cpu = (broker.processor_time()?, own_processor_time());
        self.began = Instant::now();
        self.drive(messages)?;
        let seconds = self.began.elapsed().as_secs_f64();
        self.latencies.sort_unstable();
        Ok(Outcome {
            messages: if self.load.copies() == 0 { messages } else { self.delivered },
            seconds,
            broker: broker.processor_time()? - cpu.0,
            generator: own_processor_time() - cpu.1,
            latencies: std::mem::take(&mut self.latencies),
        })
    }

    fn drive(&mut self, messages: u64) -> Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut payload = vec![b'x'; self.load.payload.max(STAMP_BYTES)];
        let mut quotas = vec![0; self.load.publishers];
        for message in 0..messages {
            let publisher = usize::try_from(message)? % quotas.len();
            if let Some(quota) = quotas.get_mut(publisher) {
                *quota += 1;
            }
        }
        let all = messages * self.load.copies();
        let mut heard = Instant::now();
        loop {
            self.publish(&quotas, &mut payload)?;
            if self.delivered == all && self.is_acknowledged() {
                return Ok(());
            }
            self.poll.poll(&mut events, Some(SILENCE_MAX))?;
            let before = self.progress();
            for event in &events {
                if event.token() == TIMER {
                    // Counts since it was read last; what is due is known from the clock.
                    let _ = rustix::io::read(&self.timer, &mut [0; 8][..]);
                    continue;
                }
                self.receive(event.token().0, &mut buffer)?;
            }
            if self.progress() > before {
                heard = Instant::now();
            } else if heard.elapsed() > SILENCE_MAX {
                bail!("{} of {all} messages arrived", self.delivered);
            }
        }
    }

    /// Grows with each packet that counts.
    fn progress(&self) -> u64 {
        self.delivered + self.sent.iter().map(|sent| sent.acknowledged).sum::<u64>()
    }

    fn is_acknowledged(&self) -> bool {
        self.load.qos == 0 || self.sent.iter().all(|sent| sent.acknowledged == sent.messages)
    }

    /// As many as windows and pace allow.
    fn publish(&mut self, quotas: &[u64], payload: &mut [u8]) -> Result<()> {
        let Load { qos, window, pace, publishers, .. } = self.load;
        let copies = self.load.copies();
        let due = pace.map(|pace| {
            let seconds = self.began.elapsed().as_secs_f64();
            // Each publisher has its share.
            (seconds * f64::from(pace)) as u64 / u64::try_from(publishers).unwrap_or(1) + 1
        });
        for (index, quota) in quotas.iter().enumerate() {
            let (Some(sent), Some(client)) =
                (self.sent.get_mut(index), self.clients.get_mut(index))
            else {
                continue;
            };
            let most = due.unwrap_or(u64::MAX).min(*quota);
            while sent.messages < most
                && (copies == 0 || sent.messages * copies - sent.delivered < window * copies)
                && (qos == 0 || sent.messages - sent.acknowledged < window)
            {
                let now = u64::try_from(self.began.elapsed().as_nanos())?;
                let number = u64::try_from(index)?;
                payload[..8].copy_from_slice(&number.to_be_bytes());
                payload[8..16].copy_from_slice(&now.to_be_bytes());
                let topics = &self.topics[index];
                let topic = usize::try_from(sent.messages)? % topics.len();
                client.publish(qos, &topics[topic], payload);
                sent.messages += 1;
            }
            client.flush()?;
        }
        Ok(())
    }

    fn receive(&mut self, index: usize, buffer: &mut [u8]) -> Result<()> {
        let Self { load, clients, sent, latencies, delivered, began, .. } = self;
        let client = clients.get_mut(index).context("no such client")?;
        let now = u64::try_from(began.elapsed().as_nanos())?;
        client.read(buffer, |client, kind, body| match kind & 0xF0 {
            PUBLISH => {
                let (id, payload) = parts(kind, body);
                match load.qos {
                    0 => {}
                    1 => client.acknowledge(PUBACK, id),
                    _ => client.acknowledge(PUBREC, id),
                }
                *delivered += 1;
                let publisher = usize::try_from(number(payload, 0)).unwrap_or(usize::MAX);
                if let Some(sent) = sent.get_mut(publisher) {
                    sent.delivered += 1;
                }
                if load.pace.is_some() {
                    let microseconds = now.saturating_sub(number(payload, 8)) / 1000;
                    latencies.push(u32::try_from(microseconds).unwrap_or(u32::MAX));
                }
            }
            PUBREC => client.acknowledge(PUBREL, &body[..2]),
            0x60 => client.acknowledge(PUBCOMP, &body[..2]),
            PUBACK | PUBCOMP => {
                if let Some(sent) = sent.get_mut(index) {
                    sent.acknowledged += 1;
                }
            }
            _ => {}
        })?;
        client.flush()
    }

    fn set_timer(&self) -> Result<()> {
        let Some(pace) = self.load.pace else { return Ok(()) };
        let every = Timespec { tv_sec: 0, tv_nsec: 1_000_000_000 / i64::from(pace) };
        let times = Itimerspec { it_interval: every, it_value: every };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &times)?;
        Ok(())
    }
}

/// Packet identifier and payload of a PUBLISH.
fn parts(kind: u8, body: &[u8]) -> (&[u8], &[u8]) {
    let topic = usize::from(u16::from_be_bytes([body[0], body[1]]));
    let id_bytes = if kind & 0x06 == 0 { 0 } else { 2 };
    body[2 + topic..].split_at(id_bytes)
}

fn number(payload: &[u8], at: usize) -> u64 {
    payload[at..at + 8].iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn own_processor_time() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
