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
const PINGREQ: u8 = 0xC0;
const PINGRESP: u8 = 0xD0;
const RETAIN: u8 = 1;

/// Whether the broker is to forget what it knows of a client that goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    Clean,
    Stays,
}

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
    /// Connects without a login and waits until it may.
    pub fn connect(address: SocketAddr, dial: &Dial, name: &str) -> Result<Self> {
        Self::enter(address, dial, name, Session::Clean, None)
    }

    /// Connects, with name and password if there are some, and waits until it may.
    pub fn enter(
        address: SocketAddr,
        dial: &Dial,
        name: &str,
        session: Session,
        login: Option<(String, String)>,
    ) -> Result<Self> {
        let stream = Stream::connect(address, dial)?;
        let (out, rest) = (Vec::new(), Vec::new());
        let mut client = Self { stream, out, written: 0, rest, next_id: 0 };
        let mut body = b"\0\x04MQTT\x04".to_vec();
        let clean = if session == Session::Clean { 2 } else { 0 };
        body.push(if login.is_some() { clean | 0xC0 } else { clean });
        // rumqttd refuses clients without keep-alive.
        body.extend(KEEP_ALIVE_S.to_be_bytes());
        put_text(&mut body, name);
        if let Some((user, password)) = login {
            put_text(&mut body, &user);
            put_text(&mut body, &password);
        }
        client.packet(0x10, &body);
        client.answer(CONNACK)?;
        Ok(client)
    }

    pub fn subscribe(&mut self, filter: &str, qos: u8) -> Result<()> {
        self.subscribe_all(&[filter.to_owned()], qos)
    }

    pub fn subscribe_all(&mut self, filters: &[String], qos: u8) -> Result<()> {
        self.ask(filters, qos);
        self.answer(SUBACK)
    }

    /// Subscribes, and does not wait.
    pub fn ask(&mut self, filters: &[String], qos: u8) {
        let mut body = vec![0, 1];
        for filter in filters {
            put_text(&mut body, filter);
            body.push(qos);
        }
        self.packet(0x82, &body);
    }

    /// Waits until the broker has taken all that was said.
    pub fn ping(&mut self) -> Result<()> {
        self.packet(PINGREQ, &[]);
        self.answer(PINGRESP)
    }

    /// Waits for that packet.
    fn answer(&mut self, wanted: u8) -> Result<()> {
        let begun = Instant::now();
        let mut buffer = vec![0; 4096];
        let mut came = false;
        while !came {
            self.flush()?;
            self.read_while(&mut buffer, |_, kind, _| {
                came = kind == wanted;
                !came
            })?;
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
        self.publish_as(PUBLISH | qos << 1, topic, payload);
    }

    /// At QoS 0, to be retained.
    pub fn retain(&mut self, topic: &str, payload: &[u8]) {
        self.publish_as(PUBLISH | RETAIN, topic, payload);
    }

    fn publish_as(&mut self, kind: u8, topic: &str, payload: &[u8]) {
        let has_id = kind & 0x06 != 0;
        let id_bytes = if has_id { 2 } else { 0 };
        self.out.push(kind);
        put_length(&mut self.out, 2 + topic.len() + id_bytes + payload.len());
        put_text(&mut self.out, topic);
        if has_id {
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
        self.read_while(buffer, |client, kind, body| {
            take(client, kind, body);
            true
        })
    }

    /// Likewise, up to the first packet with which it is enough; the rest is for the next time.
    fn read_while(
        &mut self,
        buffer: &mut [u8],
        mut take: impl FnMut(&mut Self, u8, &[u8]) -> bool,
    ) -> Result<()> {
        let mut rest = std::mem::take(&mut self.rest);
        loop {
            let (used, goes_on) = self.take_packets(&rest, &mut take);
            rest.drain(..used);
            if !goes_on {
                self.rest = rest;
                return Ok(());
            }
            let read = match self.stream.read(buffer) {
                Ok(0) => bail!("the broker has closed the connection"),
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.rest = rest;
                    return Ok(());
                }
                Err(error) => return Err(error).context("read"),
            };
            let mut came = buffer.get(..read).unwrap_or_default();
            if rest.is_empty() {
                let (used, goes_on) = self.take_packets(came, &mut take);
                came = came.get(used..).unwrap_or_default();
                if !goes_on {
                    self.rest = came.to_vec();
                    return Ok(());
                }
            }
            rest.extend_from_slice(came);
        }
    }

    /// Bytes of the whole packets at the front, and whether more are wanted.
    fn take_packets(
        &mut self,
        bytes: &[u8],
        take: &mut impl FnMut(&mut Self, u8, &[u8]) -> bool,
    ) -> (usize, bool) {
        let mut used = 0;
        while let Some((kind, body, length)) = packet(bytes.get(used..).unwrap_or_default()) {
            used += length;
            if !take(self, kind, body) {
                return (used, false);
            }
        }
        (used, true)
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
