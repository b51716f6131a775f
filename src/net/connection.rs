//! One task per connection: reads and decodes in batches, encodes and writes in batches, both at the
//! same time, so that a slow reader never blocks its own acknowledgements.

use std::io;
use std::sync::{Arc, OnceLock};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::time::timeout;
use tracing::debug;

use super::{Flow, Outbox, Service};
use crate::access::{ConnectionId, Peer};
use crate::limits::{PACKET_BYTES_BEFORE_LOGIN_MAX, WRITE_STALLED_MAX};
use crate::mqtt::{Decoder, Encoder, Packet, Role, Version};

/// What an idle connection holds ready to read into.
const READ_BYTES_IDLE: usize = 1024;
/// What a busy one does.
const READ_BYTES_BUSY: usize = 32 * 1024;
/// Payloads from this size on are written from where they are, not copied behind their header.
const PAYLOAD_BYTES_SHARED: usize = 8 * 1024;

/// Serves one connection until either side ends it.
pub async fn serve<S>(stream: S, peer: Peer, service: Arc<dyn Service>, packet_bytes_max: u32)
where
    S: AsyncRead + AsyncWrite + Send,
{
    let (reader, writer) = tokio::io::split(stream);
    let outbox = Arc::new(Outbox::default());
    let address = peer.address;
    let id = service.opened(peer, Arc::clone(&outbox));
    let connection = Connection { id, service, outbox, version: OnceLock::new() };
    let ended = tokio::select! {
        ended = connection.write_all(writer) => ended,
        ended = connection.read_all(reader, packet_bytes_max) => ended,
    };
    if let Err(error) = ended {
        debug!(peer = %address, %error, "connection broke");
    }
}

struct Connection {
    id: ConnectionId,
    service: Arc<dyn Service>,
    outbox: Arc<Outbox>,
    /// Known once the CONNECT was decoded.
    version: OnceLock<Version>,
}

/// However the task ends, the brain is told.
impl Drop for Connection {
    fn drop(&mut self) {
        self.service.closed(self.id);
    }
}

impl Connection {
    /// Reads until the peer is done or sends what is no packet; in that case waits for the brain to
    /// end the connection.
    async fn read_all<S: AsyncRead>(
        &self,
        mut reader: ReadHalf<S>,
        packet_bytes_max: u32,
    ) -> io::Result<()> {
        let before_login = PACKET_BYTES_BEFORE_LOGIN_MAX.min(packet_bytes_max);
        let mut decoder = Decoder::new(Role::Client, before_login);
        let (mut buffer, mut packets) = (BytesMut::new(), Vec::new());
        loop {
            self.outbox.has_room().await;
            let wanted = if buffer.is_empty() { READ_BYTES_IDLE } else { READ_BYTES_BUSY };
            buffer.reserve(wanted);
            if reader.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
            if self.version.get().is_none() {
                if !self.read_connect(&mut decoder, &mut buffer).await {
                    continue;
                }
                decoder.set_packet_bytes_max(packet_bytes_max);
            }
            let outcome = decode_all(&mut decoder, &mut buffer, &mut packets);
            if !packets.is_empty() {
                self.service.received(self.id, &mut packets);
            }
            if let Err(error) = outcome {
                self.service.malformed(self.id, error);
                return std::future::pending().await;
            }
            if buffer.is_empty() {
                buffer = BytesMut::new();
            }
        }
    }

    /// The first packet goes to the brain alone, and nothing is decoded until it was answered. Says
    /// whether it has come.
    async fn read_connect(&self, decoder: &mut Decoder, buffer: &mut BytesMut) -> bool {
        let first = decoder.next(buffer);
        if let Some(version) = decoder.version() {
            let _ = self.version.set(version);
        }
        match first {
            Ok(None) => return false,
            Ok(Some(packet)) => self.service.received(self.id, &mut vec![packet]),
            Err(error) => {
                self.service.malformed(self.id, error);
                return std::future::pending().await;
            }
        }
        self.outbox.answered().await;
        let _ = self.version.set(Version::V3_1_1);
        true
    }

    /// Writes what the brain sends, until it says that this was all.
    async fn write_all<S: AsyncWrite>(&self, mut writer: WriteHalf<S>) -> io::Result<()> {
        let mut packets = Vec::new();
        loop {
            self.outbox.filled().await;
            let flow = self.outbox.take(&mut packets);
            let weight: usize = packets.iter().map(Packet::weight).sum();
            self.write_batch(&mut writer, &packets).await?;
            packets.clear();
            packets.shrink_to(READ_BYTES_IDLE);
            if weight > 0 {
                self.service.written(self.id, weight);
            }
            if flow == Flow::Closing {
                return stalled(writer.shutdown()).await;
            }
        }
    }

    async fn write_batch<S: AsyncWrite>(
        &self,
        writer: &mut WriteHalf<S>,
        packets: &[Packet],
    ) -> io::Result<()> {
        let mut encoder = Encoder::new(self.version.get().copied().unwrap_or(Version::V3_1_1));
        let mut buffer = BytesMut::new();
        for packet in packets {
            match packet {
                Packet::Publish(publish)
                    if publish.message.payload.len() >= PAYLOAD_BYTES_SHARED =>
                {
                    let payload = encoder.publish_header(publish, &mut buffer);
                    let whole = buffer.split().freeze().chain(payload);
                    write(writer, whole).await?;
                }
                packet => encoder.encode(packet, &mut buffer),
            }
        }
        write(writer, buffer).await?;
        stalled(writer.flush()).await
    }
}

fn decode_all(
    decoder: &mut Decoder,
    buffer: &mut BytesMut,
    packets: &mut Vec<Packet>,
) -> Result<(), crate::mqtt::DecodeError> {
    while let Some(packet) = decoder.next(buffer)? {
        packets.push(packet);
    }
    Ok(())
}

/// Writes all of `bytes`; a peer that takes none of them for too long is given up.
async fn write<S: AsyncWrite>(writer: &mut WriteHalf<S>, mut bytes: impl Buf) -> io::Result<()> {
    while bytes.has_remaining() {
        if stalled(writer.write_buf(&mut bytes)).await? == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
    }
    Ok(())
}

async fn stalled<T>(step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(WRITE_STALLED_MAX, step).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
