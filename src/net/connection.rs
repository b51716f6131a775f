//! One connection: its bytes are read, decoded and handed to the service in batches; what the
//! service puts into the outbox is encoded and written.
//!
//! ```text
//!   Open ──CONNECT──▶ Answering ──outbox filled──▶ Open ──no packet──▶ Deaf
//!     └───────────────────┴─── outbox closed, or the peer is done ───────┴──▶ farewell
//! ```

use std::io;
use std::pin::pin;
use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::{Instant, sleep, timeout};
use tracing::debug;

use super::writer::Writer;
use super::{Flow, Outbox, Service};
use crate::access::{ConnectionId, Peer};
use crate::limits::{
    CLOSE_TIMEOUT, PACKET_BYTES_BEFORE_LOGIN_MAX, PACKETS_PER_BATCH_MAX, READ_BYTES_MAX,
    READ_BYTES_MIN, WRITE_STALL_TIMEOUT,
};
use crate::mqtt::{Connect, Decoder, Encoder, Packet, ReasonCode, Role, Version};

/// Serves a peer until it or the service is done. `packet_bytes_max` holds from its login on.
pub(super) async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    service: Arc<dyn Service>,
    peer: Peer,
    packet_bytes_max: u32,
) {
    let address = peer.address;
    let outbox = Arc::new(Outbox::default());
    let registered = Registered::new(&*service, peer, &outbox);
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut connection = Connection {
        registered,
        outbox,
        packets: Vec::new(),
        listening: Listening::Open,
        decoder: Decoder::new(Role::Client, PACKET_BYTES_BEFORE_LOGIN_MAX),
        encoder: None,
        packet_bytes_max,
        input: Input { buffer: BytesMut::new(), lent: READ_BYTES_MIN },
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
    writer: Writer,
}

/// Whether bytes of the peer are read and decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Listening {
    Open,
    /// Its CONNECT is with the service: until the answer, a stranger's bytes stay in the kernel.
    Answering,
    /// What came was no packet.
    Deaf,
}

/// What has arrived and is no whole packet yet.
struct Input {
    buffer: BytesMut,
    /// Room for the next read: more for a busy peer, little for a quiet one.
    lent: usize,
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
            let listens = self.listening == Listening::Open && !self.writer.is_crowded();
            let missing = self.decoder.missing(&self.input.buffer);
            tokio::select! {
                read = self.input.read(reader, missing), if listens => match read {
                    Ok(0) => return End::ByPeer,
                    Ok(_) => self.decode(),
                    Err(error) => return End::Failed(error),
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

    /// Hands all whole packets to the service.
    fn decode(&mut self) {
        while self.listening == Listening::Open {
            match self.decoder.next(&mut self.input.buffer) {
                Ok(Some(packet)) => self.batch(packet),
                Ok(None) => break,
                Err(error) => {
                    self.hand_over();
                    self.listening = Listening::Deaf;
                    self.registered.service.malformed(self.registered.id, error);
                }
            }
        }
        self.hand_over();
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
        let farewell = async {
            while self.writer.is_busy() {
                let weight = self.writer.step(writer).await?;
                self.give_back(weight);
            }
            writer.shutdown().await?;
            self.input.buffer.clear();
            while self.input.read(reader, None).await? > 0 {
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

impl Input {
    /// One read, of no more than is `missing` of a large packet. Dropped before it is ready,
    /// nothing has happened.
    async fn read(
        &mut self,
        reader: &mut (impl AsyncRead + Unpin),
        missing: Option<usize>,
    ) -> io::Result<usize> {
        let roomy = self.lent.saturating_mul(4);
        if self.buffer.is_empty() && self.buffer.capacity() > roomy {
            self.buffer = BytesMut::new();
        }
        let lent = missing.map_or(self.lent, |missing| missing.min(self.lent));
        self.buffer.reserve(lent);
        let read = reader.read_buf(&mut (&mut self.buffer).limit(lent)).await?;
        if read >= self.lent {
            self.lent = READ_BYTES_MAX.min(self.lent.saturating_mul(2));
        } else if read < lent / 4 {
            self.lent = READ_BYTES_MIN.max(self.lent / 2);
        }
        Ok(read)
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
