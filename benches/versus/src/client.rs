//! An MQTT 3.1.1 client as cheap as can be: packets as bytes, whole batches per system call.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::stream::{Dial, Stream};

const ANSWER_MAX: Duration = Duration::from_secs(30);
/// Nobody pings: longer than anything here takes.
const KEEP_ALIVE_S: u16 = 600;
pub const CONNACK: u8 = 0x20;
pub const PUBLISH: u8 = 0x30;
pub const PUBACK: u8 = 0x40;
pub const PUBREC: u8 = 0x50;
pub const PUBREL: u8 = 0x62;
pub const PUBCOMP: u8 = 0x70;
pub const SUBACK: u8 = 0x90;

pub struct Client {
    pub stream: Stream,
    /// To be written, from `written` on.
    out: Vec<u8>,
    written: usize,
    /// The beginning of a packet.
    rest: Vec<u8>,
    next_id: u16,
}

impl Client {
    /// Connects and waits until it may.
    pub fn connect(address: SocketAddr, dial: &Dial, name: &str) -> Result<Self> {
        let stream = Stream::connect(address, dial)?;
        let (out, rest) = (Vec::new(), Vec::new());
        let mut client = Self { stream, out, written: 0, rest, next_id: 0 };
        let mut body = b"\0\x04MQTT\x04".to_vec();
        // A clean session; rumqttd refuses clients without keep-alive.
        body.push(2);
        body.extend(KEEP_ALIVE_S.to_be_bytes());
        put_text(&mut body, name);
        client.packet(0x10, &body);
        client.answer(CONNACK)?;
        Ok(client)
    }

    pub fn subscribe(&mut self, filter: &str, qos: u8) -> Result<()> {
        let mut body = vec![0, 1];
        put_text(&mut body, filter);
        body.push(qos);
        self.packet(0x82, &body);
        self.answer(SUBACK)
    }

    /// Waits for that packet.
    fn answer(&mut self, wanted: u8) -> Result<()> {
        let begun = Instant::now();
        let mut buffer = vec![0; 4096];
        let mut came = false;
        while !came {
            self.flush()?;
            self.read(&mut buffer, |_, kind, _| came |= kind == wanted)?;
            if begun.elapsed() > ANSWER_MAX {
                bail!("no answer of kind {wanted:#x}");
            }
            std::thread::sleep(Duration::from_micros(20));
        }
        Ok(())
    }

    fn packet(&mut self, kind: u8, body: &[u8]) {
        self.out.push(kind);
        put_length(&mut self.out, body.len());
        self.out.extend_from_slice(body);
    }

    pub fn publish(&mut self, qos: u8, topic: &str, payload: &[u8]) {
        let id_bytes = if qos == 0 { 0 } else { 2 };
        self.out.push(PUBLISH | qos << 1);
        put_length(&mut self.out, 2 + topic.len() + id_bytes + payload.len());
        put_text(&mut self.out, topic);
        if qos > 0 {
            self.next_id = self.next_id.checked_add(1).unwrap_or(1);
            self.out.extend(self.next_id.to_be_bytes());
        }
        self.out.extend_from_slice(payload);
    }

    pub fn acknowledge(&mut self, kind: u8, id: &[u8]) {
        self.out.extend([kind, 2]);
        self.out.extend_from_slice(id);
    }

    /// Writes what the kernel takes.
    pub fn flush(&mut self) -> Result<()> {
        while self.written < self.out.len() || self.stream.is_behind() {
            let left = self.out.get(self.written..).unwrap_or_default();
            let taken = self.stream.write(left)?;
            if taken == 0 {
                return Ok(());
            }
            self.written += taken;
        }
        self.out.clear();
        self.written = 0;
        Ok(())
    }

    /// Reads all that is there and hands in each packet: its first byte, and its body.
    pub fn read(
        &mut self,
        buffer: &mut [u8],
        mut take: impl FnMut(&mut Self, u8, &[u8]),
    ) -> Result<()> {
        loop {
            let read = match self.stream.read(buffer) {
                Ok(0) => bail!("the broker has closed the connection"),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("read"),
            };
            let came = buffer.get(..read).unwrap_or_default();
            let mut rest = std::mem::take(&mut self.rest);
            let used;
            if rest.is_empty() {
                used = self.take_packets(came, &mut take);
                rest.extend_from_slice(came.get(used..).unwrap_or_default());
            } else {
                rest.extend_from_slice(came);
                used = self.take_packets(&rest, &mut take);
                rest.drain(..used);
            }
            self.rest = rest;
        }
    }

    /// Bytes of the whole packets at the front.
    fn take_packets(&mut self, bytes: &[u8], take: &mut impl FnMut(&mut Self, u8, &[u8])) -> usize {
        let mut used = 0;
        while let Some((kind, body, length)) = packet(bytes.get(used..).unwrap_or_default()) {
            take(self, kind, body);
            used += length;
        }
        used
    }
}

/// The first packet, and its whole length.
fn packet(bytes: &[u8]) -> Option<(u8, &[u8], usize)> {
    let kind = *bytes.first()?;
    let (mut length, mut shift, mut at) = (0_usize, 0, 1);
    loop {
        let byte = *bytes.get(at)?;
        length |= usize::from(byte & 0x7F) << shift;
        (shift, at) = (shift + 7, at + 1);
        if byte < 0x80 {
            break;
        }
    }
    Some((kind, bytes.get(at..at + length)?, at + length))
}

fn put_length(out: &mut Vec<u8>, mut length: usize) {
    loop {
        let byte = u8::try_from(length % 128).unwrap_or(0);
        length /= 128;
        out.push(if length > 0 { byte | 0x80 } else { byte });
        if length == 0 {
            return;
        }
    }
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}
