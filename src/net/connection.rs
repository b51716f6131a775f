//! One connection: its bytes are read, decoded and handed to the service in batches; what the
//! service puts into the outbox is encoded and written.
//!
//! ```text
//!   Open ──CONNECT──▶ Answering ──outbox filled──▶ Open ──no packet──▶ Deaf
//!     └───────────────────┴─── outbox closed, or the peer is done ───────┴──▶ farewell
//! ```

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::{Instant, sleep, timeout};
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
pub(super) fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    service: Arc<dyn Service>,
    peer: Peer,
    terms: Terms,
) -> impl Future<Output = ()> + use<S> {
    // Here, or the future would keep room for the stream.
    let halves = tokio::io::split(stream);
    serve_halves(halves, service, peer, terms)
}

async fn serve_halves<S: AsyncRead + AsyncWrite + Unpin>(
    (mut reader, mut writer): (ReadHalf<S>, WriteHalf<S>),
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
        listening: Listening::Open,
        decoder: Decoder::new(Role::Client, terms.packet_bytes_before_login),
        encoder: None,
        packet_bytes_max: terms.packet_bytes_max,
        input: Input::new(),
        claim: Claim::new(terms.unfinished),
        writer: Writer::default(),
    };
    let end = connection.run(&mut reader, &mut writer).await;
    if matches!(end, End::ByService | End::ByPeer) {
        connection.say_good_bye(&mut reader, &mut writer).await;
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
    /// On their way in or out; empty between steps.
    packets: Vec<Packet>,
    listening: Listening,
    decoder: Decoder,
    /// Made for the CONNECT of the peer, or for the refusal of what was to be one.
    encoder: Option<Encoder>,
    packet_bytes_max: u32,
    input: Input,
    /// Room for what `input` has unfinished.
    claim: Claim,
    writer: Writer,
}

/// Whether bytes of the peer are read and decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listening {
    Open,
    /// Its CONNECT is with the service: until the answer, a stranger's bytes stay in the kernel.
    Answering,
    /// What came was no packet, or took too much room for too long.
    Deaf,
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
    /// Reads while it writes: a peer that is slow to take messages can still acknowledge.
    async fn run<S: AsyncRead + AsyncWrite>(
        &mut self,
        reader: &mut ReadHalf<S>,
        writer: &mut WriteHalf<S>,
    ) -> End {
        let mut stall = pin!(sleep(WRITE_STALL_TIMEOUT));
        loop {
            let busy = self.writer.is_busy();
            tokio::select! {
                read = self.input.read(reader), if self.listens() => match read {
                    Ok(0) => return End::ByPeer,
                    Ok(bytes) => {
                        self.claim.received(bytes);
                        self.decode();
                    }
                    Err(error) => return End::Failed(error),
                },
                standing = self.claim.turn() => if standing == Standing::Lost {
                    self.crowded_out();
                },
                () = self.outbox.filled() => {
                    if self.collect() == Flow::Closing {
                        return End::ByService;
                    }
                    if !busy {
                        stall.as_mut().reset(Instant::now() + WRITE_STALL_TIMEOUT);
                    }
                }
                written = self.writer.step(writer), if busy => match written {
                    Ok(weight) => {
                        self.give_back(weight);
                        stall.as_mut().reset(Instant::now() + WRITE_STALL_TIMEOUT);
                    }
                    Err(error) => return End::Failed(error),
                },
                () = &mut stall, if busy => return End::Stalled,
            }
        }
    }

    /// Whether more is read now.
    fn listens(&self) -> bool {
        self.listening == Listening::Open
            && self.outbox.reading() == Reading::On
            && !self.writer.is_crowded()
            && self.claim.standing() != Standing::Waiting
    }

    /// Hands all whole packets to the service, and claims room for one that is not whole.
    fn decode(&mut self) {
        while self.listening == Listening::Open {
            match self.decoder.next(&mut self.input.buffer) {
                Ok(Some(packet)) => self.batch(packet),
                Ok(None) => break,
                Err(error) => {
                    self.hand_over();
                    self.stop_listening(error);
                }
            }
        }
        self.hand_over();
        self.input.expect(self.decoder.announced());
        match self.input.claim() {
            Some(bytes) => self.claim.ask(bytes),
            None => self.claim.release(),
        }
    }

    fn stop_listening(&mut self, error: DecodeError) {
        self.listening = Listening::Deaf;
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

    fn batch(&mut self, packet: Packet) {
        if self.packets.len() >= PACKETS_PER_BATCH_MAX {
            self.hand_over();
        }
        let Packet::Connect(connect) = &packet else { return self.packets.push(packet) };
        self.hand_over();
        self.encoder.get_or_insert_with(|| encoder_for(connect));
        self.listening = Listening::Answering;
        self.packets.push(packet);
        self.hand_over();
    }

    fn hand_over(&mut self) {
        if !self.packets.is_empty() {
            self.registered.service.received(self.registered.id, &mut self.packets);
            self.packets.clear();
        }
    }

    /// Encodes what is in the outbox. An answer to CONNECT opens the ear again.
    fn collect(&mut self) -> Flow {
        let flow = self.outbox.take(&mut self.packets);
        if self.packets.is_empty() {
            return flow;
        }
        for packet in &self.packets {
            heed(&mut self.decoder, packet, self.packet_bytes_max);
        }
        let version = self.decoder.version().unwrap_or(Version::V3_1_1);
        let encoder = self.encoder.get_or_insert_with(|| Encoder::new(version));
        self.writer.encode(&mut self.packets, encoder);
        if self.listening == Listening::Answering && flow == Flow::Open {
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
    async fn say_good_bye<S: AsyncRead + AsyncWrite>(
        &mut self,
        reader: &mut ReadHalf<S>,
        writer: &mut WriteHalf<S>,
    ) {
        self.collect();
        self.input.discard();
        self.claim.release();
        let farewell = async {
            while self.writer.is_busy() {
                let weight = self.writer.step(writer).await?;
                self.give_back(weight);
            }
            writer.shutdown().await?;
            while self.input.read(reader).await? > 0 {
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
