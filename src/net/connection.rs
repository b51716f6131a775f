//! One connection: its bytes are read, decoded and handed to the service in batches; what the
//! service puts into the outbox is encoded and written.
//!
//! ```text
//!   Open ──CONNECT──▶ Answering ──outbox filled──▶ Open ──no packet──▶ Deaf
//!     └───────────────────┴─── outbox closed, or the peer is done ───────┴──▶ farewell
//! ```

use std::future::poll_fn;
use std::io;
use std::mem;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::task::yield_now;
use tokio::time::{Sleep, sleep, timeout};
use tracing::{debug, warn};

use super::input::Input;
use super::unfinished::{Claim, Standing, Unfinished};
use super::writer::Writer;
use super::{Flow, Outbox, Reading, Service};
use crate::access::{ConnectionId, Peer};
use crate::limits::{CLOSE_TIMEOUT, PACKETS_PER_BATCH_MAX, WRITE_STALL_TIMEOUT};
use crate::mqtt::{Connect, DecodeError, Decoder, Encoder, Packet, ReasonCode, Role, Version};

/// What a peer is told when its unfinished packet makes room for another's.
const CROWDED_OUT: DecodeError = DecodeError {
    reason: ReasonCode::QuotaExceeded,
    detail: "unfinished packet of a client that stalls while others wait for its room",
};

/// What a peer may send.
#[derive(Clone, Debug)]
pub(super) struct Terms {
    /// Largest packet until its login, in bytes.
    pub(super) packet_bytes_before_login: u32,
    /// Largest packet from then on, in bytes.
    pub(super) packet_bytes_max: u32,
    /// Where it claims room for large ones.
    pub(super) unfinished: Arc<Unfinished>,
}

/// Serves a peer until it or the service is done.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    service: Arc<dyn Service>,
    peer: Peer,
    terms: Terms,
) {
    let address = peer.address;
    let outbox = Arc::new(Outbox::default());
    let registered = Registered::new(&*service, peer, &outbox);
    let mut connection = Connection {
        address,
        registered,
        outbox,
        packets: Vec::new(),
        arrived: Vec::new(),
        backlog: Backlog::None,
        listening: Listening::Open,
        has_read: false,
        reading: Reading::On,
        decoder: Decoder::new(Role::Client, terms.packet_bytes_before_login),
        encoder: None,
        packet_bytes_max: terms.packet_bytes_max,
        input: Input::new(),
        claim: Claim::new(terms.unfinished),
        writer: Writer::default(),
        stall: Stall::default(),
    };
    let end = connection.run(&mut stream).await;
    if !matches!(end, End::ByService) {
        connection.finish().await;
    }
    if matches!(end, End::ByService | End::ByPeer) {
        // Apart, so that a quiet connection keeps no room for it.
        Box::pin(connection.say_good_bye(&mut stream)).await;
    }
    debug!(peer = %address, ?end, "connection ended");
}

/// Known to the service as long as this lives, whatever ends the task.
struct Registered<'a> {
    service: &'a dyn Service,
    id: ConnectionId,
}

struct Connection<'a> {
    address: SocketAddr,
    registered: Registered<'a>,
    outbox: Arc<Outbox>,
    /// On their way out; empty between steps.
    packets: Vec<Packet>,
    /// On their way in.
    arrived: Vec<Packet>,
    /// What is behind those.
    backlog: Backlog,
    listening: Listening,
    /// Whether it is the turn of a write.
    has_read: bool,
    /// As the outbox said last.
    reading: Reading,
    decoder: Decoder,
    /// Made for the CONNECT of the peer, or for the refusal of what was to be one.
    encoder: Option<Encoder>,
    packet_bytes_max: u32,
    input: Input,
    /// Room for what `input` has unfinished.
    claim: Claim,
    writer: Writer,
    stall: Stall,
}

/// How long a peer has taken nothing of what is to be written; no timer while it takes all.
#[derive(Debug, Default)]
struct Stall(Option<Pin<Box<Sleep>>>);

/// Whether bytes of the peer are read and decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listening {
    Open,
    /// Its CONNECT is with the service: until the answer, a stranger's bytes stay in the kernel.
    Answering,
    /// What came was no packet, or took too much room for too long.
    Deaf,
}

/// What has been read and is not with the service, beside packets that had no turn.
#[derive(Debug, PartialEq, Eq)]
enum Backlog {
    /// A packet that is not whole.
    None,
    /// Perhaps whole packets.
    Bytes,
    /// What is no packet.
    Fault(DecodeError),
}

#[derive(Debug)]
enum End {
    ByService,
    ByPeer,
    Stalled,
    Failed(#[expect(dead_code, reason = "shown in the log line")] io::Error),
}

impl<'a> Registered<'a> {
    fn new(service: &'a dyn Service, peer: Peer, outbox: &Arc<Outbox>) -> Self {
        let id = service.opened(peer, Arc::clone(outbox));
        Self { service, id }
    }
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.service.closed(self.id);
    }
}

impl Connection<'_> {
    /// Works until the peer or the service is done.
    async fn run<S: AsyncRead + AsyncWrite + Unpin>(&mut self, stream: &mut S) -> End {
        loop {
            match poll_fn(|context| self.poll(stream, context)).await {
                Ok(()) => yield_now().await,
                Err(end) => return end,
            }
        }
    }

    /// Does what can be done without waiting; ready when others are to have their turn, or at the
    /// end. Reads and writes alternate: a peer that is slow to take messages can still acknowledge.
    /// Between the two are all others who have said something: what is for this peer then, as an
    /// answer or from them, goes with one write. Who is owed no answer is read on.
    fn poll<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), End>> {
        if self.may_hand_over() {
            self.decode();
        }
        loop {
            let has_read = mem::take(&mut self.has_read);
            if !has_read && self.poll_read(stream, context)?.is_ready() {
                if !self.may_hand_over() && !self.has_answers() {
                    continue;
                }
                self.has_read = true;
                if self.may_hand_over() {
                    return Poll::Ready(Ok(()));
                }
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            if self.collect() == Flow::Closing {
                return Poll::Ready(Err(End::ByService));
            }
            let written = self.poll_write(stream, context)?;
            if self.may_hand_over() {
                return Poll::Ready(Ok(()));
            }
            if written.is_pending() && !has_read {
                ready!(self.outbox.poll_changed(context));
            }
        }
    }

    /// One write.
    fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), End>> {
        if !self.writer.is_busy() {
            return Poll::Pending;
        }
        let Poll::Ready(written) = self.writer.poll_step(Pin::new(stream), context) else {
            return self.stall.poll(context).map(|()| Err(End::Stalled));
        };
        self.stall = Stall::default();
        self.give_back(written.map_err(End::Failed)?);
        Poll::Ready(Ok(()))
    }

    /// One read, if anything is to be read now.
    fn poll_read<S: AsyncRead + Unpin>(
        &mut self,
        stream: &mut S,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), End>> {
        if self.claim.poll_turn(context) == Poll::Ready(Standing::Lost) {
            self.crowded_out();
        }
        if !self.listens() {
            return Poll::Pending;
        }
        match ready!(self.input.poll_read(stream, context)) {
            Ok(0) => return Poll::Ready(Err(End::ByPeer)),
            Ok(bytes) => self.claim.received(bytes),
            Err(error) => return Poll::Ready(Err(End::Failed(error))),
        }
        self.decode();
        Poll::Ready(Ok(()))
    }

    /// Whether more is read now.
    fn listens(&self) -> bool {
        self.listening == Listening::Open
            && !self.has_more()
            && self.reading == Reading::On
            && !self.writer.is_crowded()
            && self.claim.standing() != Standing::Waiting
    }

    /// Whether there is something to be written.
    fn has_answers(&self) -> bool {
        self.outbox.is_changed() || self.writer.is_busy()
    }

    /// Whether there is something to hand over, and it may be.
    fn may_hand_over(&self) -> bool {
        self.has_more() && self.reading == Reading::On
    }

    /// Whether there is something to hand over when the others had their turn.
    fn has_more(&self) -> bool {
        !self.arrived.is_empty() || self.backlog != Backlog::None
    }

    /// Hands whole packets to the service, as many as one turn allows, and claims room for one that
    /// is not whole.
    fn decode(&mut self) {
        if self.arrived.is_empty() && self.listening == Listening::Open {
            self.backlog = self.take_packets();
        }
        let count = self.arrived.len();
        if count > 0 {
            self.registered.service.received(self.registered.id, &mut self.arrived);
        }
        if !self.arrived.is_empty() || self.backlog == Backlog::Bytes {
            return;
        }
        give_back_room(&mut self.arrived, count);
        if let Backlog::Fault(error) = mem::replace(&mut self.backlog, Backlog::None) {
            return self.stop_listening(error);
        }
        self.input.expect(self.decoder.announced());
        match self.input.claim() {
            Some(bytes) => self.claim.ask(bytes),
            None => self.claim.release(),
        }
    }

    /// Takes whole packets off the input, up to a CONNECT; what is behind them.
    fn take_packets(&mut self) -> Backlog {
        while self.arrived.len() < PACKETS_PER_BATCH_MAX {
            let packet = match self.decoder.next(&mut self.input.buffer) {
                Ok(Some(packet)) => packet,
                Ok(None) => return Backlog::None,
                Err(error) => return Backlog::Fault(error),
            };
            if let Packet::Connect(connect) = &packet {
                self.encoder.get_or_insert_with(|| encoder_for(connect));
                self.listening = Listening::Answering;
                self.arrived.push(packet);
                return Backlog::None;
            }
            self.arrived.push(packet);
        }
        Backlog::Bytes
    }

    /// Hands over all that was read before the end: a DISCONNECT may be the last of it.
    async fn finish(&mut self) {
        while self.has_more() {
            yield_now().await;
            self.decode();
        }
    }

    fn stop_listening(&mut self, error: DecodeError) {
        self.listening = Listening::Deaf;
        self.backlog = Backlog::None;
        self.input.discard();
        self.claim.release();
        self.registered.service.malformed(self.registered.id, error);
    }

    fn crowded_out(&mut self) {
        self.claim.complain(|left_out| {
            warn!(
                peer = %self.address,
                left_out,
                "too many unfinished packets: the client that stalls for longest is cut off"
            );
        });
        self.stop_listening(CROWDED_OUT);
    }

    /// Encodes what is in the outbox. An answer to CONNECT opens the ear again.
    fn collect(&mut self) -> Flow {
        let flow = self.outbox.take(&mut self.packets);
        if let Flow::Open(reading) = flow {
            self.reading = reading;
        }
        if self.packets.is_empty() {
            return flow;
        }
        for packet in &self.packets {
            heed(&mut self.decoder, packet, self.packet_bytes_max);
        }
        let version = self.decoder.version().unwrap_or(Version::V3_1_1);
        let encoder = self.encoder.get_or_insert_with(|| Encoder::new(version));
        let count = self.packets.len();
        self.writer.encode(&mut self.packets, encoder);
        give_back_room(&mut self.packets, count);
        if self.listening == Listening::Answering && flow != Flow::Closing {
            self.listening = Listening::Open;
            self.decode();
        }
        flow
    }

    fn give_back(&self, weight: usize) {
        if weight > 0 {
            self.registered.service.written(self.registered.id, weight);
        }
    }

    /// Writes what is left, says that no more follows, and waits until the peer has done so too:
    /// unread bytes would make the kernel take back what was written last. All in a bounded time.
    async fn say_good_bye<S: AsyncRead + AsyncWrite + Unpin>(&mut self, stream: &mut S) {
        self.collect();
        self.input.discard();
        self.claim.release();
        let farewell = async {
            while self.writer.is_busy() {
                let step = poll_fn(|context| self.writer.poll_step(Pin::new(stream), context));
                let weight = step.await?;
                self.give_back(weight);
            }
            stream.shutdown().await?;
            while poll_fn(|context| self.input.poll_read(stream, context)).await? > 0 {
                self.input.buffer.clear();
            }
            io::Result::Ok(())
        };
        match timeout(CLOSE_TIMEOUT, farewell).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => debug!(%error, "peer left before the farewell"),
            Err(_) => debug!("peer did not take the farewell"),
        }
    }
}

impl Stall {
    /// Ready when it has lasted too long.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let patience = || Box::pin(sleep(WRITE_STALL_TIMEOUT));
        self.0.get_or_insert_with(patience).as_mut().poll(context)
    }
}

/// After a small batch the room of a large one is given back; after a large one the next may be.
fn give_back_room(packets: &mut Vec<Packet>, last_batch: usize) {
    if last_batch <= packets.capacity() / 4 {
        *packets = Vec::new();
    }
}

/// An encoder that keeps to what the peer takes.
fn encoder_for(connect: &Connect) -> Encoder {
    let mut encoder = Encoder::new(connect.version);
    encoder.set_topic_alias_maximum(connect.properties.topic_alias_maximum);
    if let Some(bytes) = connect.properties.maximum_packet_size {
        encoder.set_packet_bytes_max(bytes);
    }
    encoder
}

/// A successful CONNACK on its way out says what its receiver may send from now on.
fn heed(decoder: &mut Decoder, sent: &Packet, packet_bytes_max: u32) {
    if let Packet::ConnAck(answer) = sent
        && answer.reason == ReasonCode::Success
    {
        decoder.set_packet_bytes_max(packet_bytes_max);
        decoder.set_topic_alias_maximum(answer.properties.topic_alias_maximum.unwrap_or(0));
    }
}

#[cfg(test)]
mod tests;
