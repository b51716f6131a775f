//! Packets on their way from the brain to one connection.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::limits::PACKETS_UNWRITTEN_MAX;
use crate::mqtt::Packet;

/// Packets for one connection. The broker bounds the messages in it (it counts what it sent and what
/// was written); answers are bounded because nothing more is read while there are too many of them.
/// So pushing never waits.
#[derive(Debug, Default)]
pub struct Outbox {
    queue: Mutex<Queue>,
    filled: Notify,
    readable: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    packets: VecDeque<Packet>,
    has_answered: bool,
    is_closed: bool,
}

/// Whether more will follow what [`Outbox::take`] gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Yes.
    Open,
    /// No: write what there is, then close.
    Closing,
}

impl Outbox {
    /// Puts a packet at the end.
    pub fn push(&self, packet: Packet) {
        let mut queue = self.lock();
        queue.packets.push_back(packet);
        if !queue.has_answered {
            queue.has_answered = true;
            self.readable.notify_one();
        }
        drop(queue);
        self.filled.notify_one();
    }

    /// After what is in it, the connection is to be closed.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.filled.notify_one();
    }

    /// Moves all packets to the end of `packets`.
    pub fn take(&self, packets: &mut Vec<Packet>) -> Flow {
        let mut queue = self.lock();
        packets.extend(queue.packets.drain(..));
        self.readable.notify_one();
        if queue.is_closed { Flow::Closing } else { Flow::Open }
    }

    /// Waits until something was put in or it was closed; only one waits at a time.
    pub async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Waits until the client's CONNECT was answered.
    pub async fn answered(&self) {
        self.wait_until(|queue| queue.has_answered).await;
    }

    /// Waits until so little is unwritten that more may be read.
    pub async fn has_room(&self) {
        self.wait_until(|queue| queue.packets.len() < PACKETS_UNWRITTEN_MAX).await;
    }

    async fn wait_until(&self, condition: impl Fn(&Queue) -> bool) {
        loop {
            if condition(&self.lock()) {
                return;
            }
            self.readable.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
